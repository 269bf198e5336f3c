"""A warm `analyze` of two contrasts in two tasks: processor time, with and without its
report.

Outcomes of 1,000 units under three arms are there; the verbs have been called once.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

import xarray as xr
from timing import Figure, interleaved, tell_ratios

import causalgia as cg


def outcomes(n_units: int) -> xr.Dataset:
    """Return outcomes of two motifs and a control, counted by a function."""
    arms = {
        "untreated": cg.Untreated(),
        "GATA1": cg.Embed("AGATAAG", at=50),
        "AP-1": cg.Embed("TGACTCA", at=50),
    }
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 1:3].reshape(len(x), 4, -1).sum(2)[:, :2] * 1.0,
        tasks=["left", "right"],
    )
    design = cg.Design(
        null=cg.Uniform(length=120), arms=arms, n_units=n_units, contrasts="untreated"
    )
    return cg.run(design, predictor, rng=0, progress=False)


def main(argv: Sequence[str] | None = None) -> dict[str, Figure]:
    """Run the benchmark, print it and return milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the units")
    quick = parser.parse_args(argv).quick
    warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
    given, plan = outcomes(100 if quick else 1_000), cg.Analysis(rope=(-0.5, 0.5))
    estimates = cg.estimate(cg.contrast(given))
    decisions = cg.analyze(given, plan)
    verbs = {
        "analyze": lambda _: cg.analyze(given, plan),
        "contrast": lambda _: cg.contrast(given),
        "estimate": lambda _: cg.estimate(cg.contrast(given)),
        "decide": lambda _: cg.decide(estimates, rope=(-0.5, 0.5)),
        "report": lambda _: cg.report(decisions),
    }

    def ten_times(name: str) -> None:
        for seed in range(10):
            verbs[name](seed)

    times = interleaved(
        {name: lambda _, name=name: ten_times(name) for name in verbs},
        1 if quick else 5,
    )
    found = {f"{name}, ms": seconds * 100 for name, seconds in times.items()}
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()

"""What a trial adds to a predictor that only waits: its time over the waiting, and the
host's work a sequence, stage by stage.

The predictor waits 10 or 2 microseconds for each sequence, as a device would, without
the processor. 40,000 backgrounds of 249 bases under 11 arms, ten of which embed a word,
go through `cg.run`, in memory; the floor is the same predictor asked for as many
sequences, of one array, in calls of the size of a turn. Wall time, interleaved. Draws,
arms, equal sequences and gathering (with the units' coordinates) are timed one by one
on a turn of that trial: processor time of one thread.

    chrt -f 5 python benchmarks/host.py [--quick]

On a machine with other work every wait ends with another one, for a core; `chrt` puts
the process before it.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from timing import interleaved, ratio, tell, tell_ratios

import causalgia as cg
from causalgia.predict import Predictor
from causalgia.sequences.composition import number_distinct
from causalgia.trial.attributes import apply_arm
from causalgia.trial.turns import Trial, unit_coordinates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

WORDS = [
    "AGATAAG",
    "GCATGC",
    "TATAAA",
    "CACGTG",
    "CCCGCC",
    "TGACTCA",
    "GGAATG",
    "AACAAT",
    "CCAAT",
    "ACAGGT",
]
LENGTH, TIMES, REPEATS = 249, 20, 5


class Waiting(Predictor):
    """Answers with two of the letters, after a time for each sequence."""

    scale, tasks, fingerprint = "s", ("y",), "waiting"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def resolve_batch_size(self, length: int) -> int:  # noqa: ARG002
        return 1_024

    def predict(
        self, tokens: NDArray[np.uint8], *, progress: Any = None
    ) -> NDArray[Any]:
        until = time.perf_counter() + len(tokens) * self.seconds
        answers = tokens[:, [0, 100]].sum(axis=1, dtype=np.float32)[:, None]
        while (left := until - time.perf_counter()) > 0:
            time.sleep(left)
        if progress is not None:
            progress(len(tokens))
        return answers


def design_of(n_units: int) -> cg.Design:
    """Return the trial of ten words on uniform backgrounds."""
    arms = {"untreated": cg.Untreated()}
    arms |= {word: cg.Embed(word, at=120) for word in WORDS}
    return cg.Design(null=cg.Uniform(length=LENGTH), arms=arms, n_units=n_units)


def against_waiting(seconds: float, n_units: int, repeats: int) -> NDArray[np.float64]:
    """Return the ratio of the trial's time to that of the predictor alone, for each
    repeat; print both.
    """
    predictor, design = Waiting(seconds), design_of(n_units)
    trial = Trial(design, predictor, 7)
    trial.probe()
    tokens = trial.prepare(*trial.plan().bounds(0)).distinct[LENGTH].tokens
    n = n_units * len(design.named_arms)

    def alone(_key: int) -> None:
        for start in range(0, n, len(tokens)):
            predictor.predict(tokens[: n - start])

    floor, ours = f"{seconds * 1e6:g} us a sequence alone", "causalgia.run"
    contestants: dict[str, Callable[[int], object]] = {
        floor: alone,
        ours: lambda key: cg.run(design, predictor, rng=key, progress=False),
    }
    times = interleaved(contestants, repeats, clock=time.perf_counter)
    print(f"\n{n_units:,} units x {len(design.named_arms)} arms of {LENGTH} bases")
    tell(times)
    each = times[ours] / times[floor]
    print(
        f"  ratio {ratio(times, ours, floor):.3f} ({each.min():.3f} to {each.max():.3f})"
    )
    return each


def stages(n_units: int, times: int) -> dict[str, float]:
    """Return the median microseconds a sequence of each stage of a turn."""
    trial = Trial(design_of(n_units), Waiting(0), 7)
    trial.probe()
    place = trial.plan().bounds(0)
    units = trial.draw(*place)
    edited = [
        apply_arm(arm, units.tokens, units.ids, trial.key)
        for arm in trial.design.named_arms
    ]
    tokens, turn = np.concatenate(edited), trial.prepare(*place)
    answers = trial.ask(turn)

    def gather() -> None:
        vars(turn.units).pop("gc", None)
        unit_coordinates(trial, turn.units)
        trial.gather(turn, answers)

    parts: dict[str, Callable[[], object]] = {
        "draw": lambda: trial.draw(*place),
        "arms": lambda: [
            apply_arm(arm, units.tokens, units.ids, trial.key)
            for arm in trial.design.named_arms
        ],
        "distinct": lambda: number_distinct(tokens),
        "gather": gather,
        "prepare": lambda: trial.prepare(*place),
    }
    spent = interleaved(
        {name: lambda _key, part=part: part() for name, part in parts.items()},
        times,
        clock=time.thread_time,
    )
    return {
        f"us a sequence, {name}": float(np.median(seconds)) / len(tokens) * 1e6
        for name, seconds in spent.items()
    }


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print it and return the ratios and the microseconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2,000 units, once")
    quick = parser.parse_args(argv).quick
    n_units = 2_000 if quick else 40_000
    found = {
        f"run / {us:g} us a sequence": float(
            np.median(against_waiting(us * 1e-6, n_units, 1 if quick else REPEATS))
        )
        for us in (10, 2)
    }
    found |= stages(n_units, TIMES)
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()

"""Twenty outputs for readers who have not seen the code; `questions.toml` asks about
them. Run: python tests/readers/outputs.py tests/readers/outputs
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import causalgia as cg

GATA, AP1 = "AGATAAG", "TGACTCA"
NULL = cg.Uniform(length=100)


def asked(experiment: Any, predictor: Any = None) -> Any:
    """Return the answer of an experiment."""
    predictor = predictor or cg.zoo.load("gata1_like")
    return experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))


def trial(null: Any = NULL, n_units: int = 400, **arms: Any) -> Any:
    """Return the outcomes of a trial of these arms."""
    design = cg.Design(null=null, arms=arms, n_units=n_units)
    return cg.run(design, cg.zoo.load("gata1_like"), rng=0, progress=False)


def study() -> pd.DataFrame:
    """Return 12 patients under three treatments."""
    rng = np.random.default_rng(3)
    base = rng.normal(5, 1, 12)
    shift = {"none": 0.0, "drug": 0.9, "mock": 0.02}
    rows = [
        (f"p{i}", arm, base[i] + size + rng.normal(0, 0.25))
        for i in range(12)
        for arm, size in shift.items()
    ]
    return pd.DataFrame(rows, columns=["patient", "treatment", "expression"])


def forty_effects() -> Any:
    """Return forty effects of another program, three of them large."""
    rng = np.random.default_rng(0)
    true = np.where(np.arange(40) < 3, [1.2] * 40, 0.0)
    se = np.where(np.arange(40) % 5 == 4, 0.3, 0.08)
    effects = true + se * rng.normal(size=40)
    return cg.from_effects(effects, se=se, names=[f"motif {i + 1}" for i in range(40)])


def fitted() -> Any:
    """Return the fit of simulated counts: a third of 60 elements raised by 1."""
    n = 90
    group = ["test"] * 60 + ["negative"] * 30
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "group": np.repeat(group, 2),
        }
    )
    active = (np.arange(n) % 3 == 0) & (np.arange(n) < 60)
    base = np.repeat(np.random.default_rng(0).normal(0, 1, n), 2)
    raised = np.repeat(active.astype(float), 2)
    table["log2"] = base + np.where(table["arm"] == "alt", raised, 0.0)
    counts = cg.mpra.simulate(table, n_barcodes=10, n_replicates=3, rng=1)
    return cg.mpra.fit(counts, control="ref")


def outputs() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give the name of each output and how it is made."""
    x = cg.experiments
    region = (-0.1, 0.1)
    arms = {
        "untreated": cg.Untreated(),
        "GATA1": cg.Embed(GATA, at=40),
        "GATA1, core broken": cg.Embed("AGCTAAG", at=40),
    }
    placebos = dict(cg.placebos(GATA, at=40, n_placebos=40, rng=0))
    made = trial(**arms, **placebos)
    decided = cg.analyze(made, control="untreated", rope=region)
    wide = {"K562": (-0.1, 0.1), "HepG2": (-0.3, 0.3)}

    yield "01 a trial", lambda: cg.report(decided)
    yield "02 its outcomes", lambda: cg.report(made)
    yield (
        "03 without a region",
        lambda: cg.report(cg.estimate(cg.contrast(made, control="untreated"))),
    )
    yield (
        "04 a region for each task",
        lambda: cg.report(cg.analyze(made, control="untreated", rope=wide)),
    )
    yield (
        "05 few units",
        lambda: cg.report(
            cg.analyze(trial(n_units=20, **arms), control="untreated", rope=region)
        ),
    )
    yield (
        "06 forty effects",
        lambda: cg.report(cg.decide(forty_effects(), rope=(-0.3, 0.3))),
    )
    yield (
        "07 a posterior",
        lambda: cg.report(cg.infer(forty_effects(), rng=0)),
    )
    yield (
        "08 patients",
        lambda: cg.report(
            cg.analyze(
                cg.from_frame(
                    study(), outcome="expression", arm="treatment", unit="patient"
                ),
                control="none",
                rope=(-0.3, 0.3),
            )
        ),
    )
    yield "09 places", lambda: asked(x.position(NULL, GATA, at=[10, 40, 80]))
    yield "10 copies", lambda: asked(x.copies(NULL, GATA, at=[20, 50, 80]))
    yield (
        "11 two motifs",
        lambda: asked(x.pair(NULL, GATA, AP1, gaps=[5, 13], at=30)),
    )
    yield (
        "12 letters",
        lambda: asked(x.motif_mutagenesis(NULL, GATA, n_units=320)),
    )
    motifs = {
        "GATA1": GATA,
        "AP-1": AP1,
        "E-box": "CACGTGAC",
        "SP1": "GGGCGGAA",
        "none": "CCGTATAC",
        "ETS": "TTTCCGGA",
        "poly-C": "CCCCCCCC",
        "TEAD": "CATTCCAA",
    }
    yield "13 a screen", lambda: asked(x.motif_screen(NULL, motifs, n_units=320))
    yield "14 k-mers", lambda: asked(x.kmer_screen(NULL, k=3, n_units=320))
    yield (
        "15 a plan",
        lambda: cg.report(
            cg.sample_size(
                cg.estimate(cg.contrast(made, control="untreated")), rope=region
            )
        ),
    )
    design = cg.Design(null=NULL, arms=arms, n_units=100)
    yield "16 a network", lambda: cg.check(design, cg.zoo.load("gata1_like"))
    yield (
        "17 doubts",
        lambda: cg.report(
            cg.refute(made, cg.zoo.load("gata1_like"), control="untreated", rng=0)
        ),
    )
    yield "18 counts of the bench", lambda: cg.report(fitted())
    yield (
        "19 a library",
        lambda: cg.report(
            cg.mpra.library(
                cg.Design(null=NULL, arms=arms, n_units=50),
                oligo_length=130,
                adapters="lentimpra",
                rng=7,
            )
        ),
    )
    yield (
        "20 other backgrounds",
        lambda: cg.report(
            cg.tipping_point(
                trial(n_units=400, **arms), control="untreated", rope=region
            )
        ),
    )


def main(folder: Path) -> None:
    """Write each output to a file of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in outputs():
        (folder / f"{name}.txt").write_text(f"{make()}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))

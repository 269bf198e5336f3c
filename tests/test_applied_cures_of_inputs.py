"""Errors about designs, sequences, predictors and libraries: the cure that each names is
taken from its text and applied, and the answer is the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal
from test_applied_cures import ARMS, ORACLE, STRINGS, answer, design, run

import causalgia as cg
from causalgia.sequences import Motif

TOKENS = cg.sequences.encode(STRINGS)
ONE_HOT = cg.sequences.one_hot(TOKENS)
TOY = Motif("toy", ((0.1, 0.1, 0.7, 0.1), (0.6, 0.2, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7)))
RULES = {"oligo_length": 200, "adapters": ("ACGTACGTAC", "TTGCATTGCA"), "rng": 0}


def genomic(n_units: int = 24, **given: Any) -> cg.Design:
    null = cg.Genomic(**{"of": STRINGS, "n_draws": 1} | given)
    return design(null=null, n_units=n_units)


def library(length: int = 40, **given: Any) -> xr.Dataset:
    made = design(null=cg.Uniform(length=length), n_units=20)
    return cg.mpra.library(made, **RULES | given)


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- designs
    "one arm": (
        lambda: cured(
            cg.Design,
            {"null": cg.Uniform(length=40), "n_units": 9, "arms": {"a": ARMS["GATA"]}},
            r"(add a control arm)$",
            fill={"add a control arm": "arms=both"},
            both=ARMS,
        ),
        lambda found: len(found.arm_names) == 3,
    ),
    "equal arms": (
        lambda: cured(
            design,
            {"arms": {"a": cg.Untreated(), "b": cg.Untreated()}},
            r"use (assignment='parallel')",
        ),
        lambda found: run(found)["outcome"].sizes["unit"] == 60,
    ),
    "blocks of a crossover": (
        lambda: cured(
            design,
            {"null": cg.Shuffle(of=STRINGS), "blocks": "parent", "n_units": 240},
            r"is for (assignment='parallel')",
        ),
        lambda found: found.blocks == "parent",
    ),
    "more units than sequences": (
        lambda: int(
            cure_in(refusal(genomic, 90), r"ask for at most (\d+) "),
        ),
        lambda n: run(genomic(n)).sizes["unit"] == n,
    ),
    "more units than sequences, drawn twice": (
        lambda: cured(
            genomic,
            {"n_units": 48},
            r"or raise (n_draws=)$",
            fill={"n_draws=": "n_draws=2"},
        ),
        lambda found: run(found).sizes["unit"] == 48,
    ),
    "letters that are not bases, in shuffles": (
        lambda: cured(
            cg.DinucleotideShuffle,
            {"of": [x[:20] + "N" + x[21:] for x in STRINGS]},
            r"or (keep_n=True) to keep",
        ),
        lambda found: found.length == 40,
    ),
    "a pattern past the end": (
        lambda: design(
            arms={
                "none": cg.Untreated(),
                "GATA": cg.Embed(
                    "AGATAAG",
                    at=int(
                        cure_in(
                            refusal(
                                design,
                                arms={
                                    "none": cg.Untreated(),
                                    "GATA": cg.Embed("AGATAAG", at=38),
                                },
                            ),
                            r"the last valid start is (\d+)",
                        )
                    ),
                ),
            }
        ),
        lambda found: run(found).sizes["arm"] == 2,
    ),
    "a random arm on units that are fixed": (
        lambda: cg.estimate(
            cg.contrast(
                run(
                    design(
                        n_units=48,
                        null=eval(
                            cure_in(
                                refusal(
                                    cg.estimate,
                                    cg.contrast(run(genomic()), control="none"),
                                    target="units",
                                ),
                                r"(cg.Genomic\(of=\.\.\., n_draws=2\))",
                                {"...": "of"},
                            ),
                            {"cg": cg, "of": STRINGS},
                        ),
                    )
                ),
                control="none",
            ),
            target="units",
        ),
        lambda found: (
            found["se"].sel(contrast="GATA").max() == 0
            and found["se"].sel(contrast="placebo").min() > 0
        ),
    ),
    # ---- sequences
    "a threshold that no string meets": (
        lambda: cured(
            cg.sequences.find_instances,
            {
                "tokens": cg.sequences.encode(STRINGS),
                "motif": TOY,
                "threshold": 1e-6,
                "overlapping": True,
            },
            r"give (threshold=[\d.e-]+),",
        ),
        lambda found: (
            len(found)
            == sum("".join(x).count("GAT") + "".join(x).count("ATC") for x in STRINGS)
        ),
    ),
    "one-hot letters, one sequence": (
        lambda: cg.Genomic(
            of=evaluated(
                cg.Genomic,
                {"of": ONE_HOT[0]},
                r"(cg.sequences.tokens\(x.*\))",
                x=ONE_HOT[0],
            )
        ),
        lambda found: (
            found.length == 40
            and np.array_equal(found.parents_given.tokens, TOKENS[:1])
        ),
    ),
    "one-hot letters, many": (
        lambda: cg.Genomic(
            of=evaluated(
                cg.Genomic, {"of": ONE_HOT}, r"(cg.sequences.tokens\(x.*\))", x=ONE_HOT
            )
        ),
        lambda found: (
            found.length == 40 and np.array_equal(found.parents_given.tokens, TOKENS)
        ),
    ),
    "one-hot letters, bases last": (
        lambda: cg.Genomic(
            of=evaluated(
                cg.Genomic,
                {"of": ONE_HOT.transpose(0, 2, 1)},
                r"(cg.sequences.tokens\(x.*\))",
                x=ONE_HOT.transpose(0, 2, 1),
            )
        ),
        lambda found: (
            found.length == 40 and np.array_equal(found.parents_given.tokens, TOKENS)
        ),
    ),
    "one-hot letters, one, bases last": (
        lambda: cg.Genomic(
            of=evaluated(
                cg.Genomic,
                {"of": ONE_HOT[0].T},
                r"(cg.sequences.tokens\(x.*\))",
                x=ONE_HOT[0].T,
            )
        ),
        lambda found: (
            found.length == 40
            and np.array_equal(found.parents_given.tokens, TOKENS[:1])
        ),
    ),
    "letters that are not bases": (
        lambda: cured(
            cg.sequences.encode,
            {"strings": ["ACGN"]},
            r"(ambiguous='draw')",
            fill={"ambiguous='draw'": "ambiguous='draw', rng=0"},
        ),
        lambda found: found.shape == (1, 4) and (found < 4).all(),
    ),
    # ---- predictors
    "a scale of some tasks": (
        lambda: cured(
            cg.FunctionPredictor,
            {"fn": answer, "tasks": ["K562", "HepG2"], "scale": {"K562": "log"}},
            r"or (one text) for all",
            fill={"one text": "scale='log'"},
        ),
        lambda found: found.tasks == ("K562", "HepG2"),
    ),
    "a baseline that is none": (
        lambda: cured(
            cg.attribute,
            {
                "sequences": STRINGS[:2],
                "predictor": ORACLE,
                "method": "shapley",
                "baselines": np.zeros(4),
                "rng": 0,
            },
            r"or (cg.Uniform\(length=\.\.\.\)),",
            fill={"cg.Uniform(length=...)": "baselines=cg.Uniform(length=40)"},
        ),
        lambda found: found.sizes["unit"] == 2,
    ),
    "no seed for baselines": (
        lambda: cured(
            cg.attribute,
            {
                "sequences": STRINGS[:2],
                "predictor": ORACLE,
                "method": "shapley",
                "baselines": cg.Uniform(length=40),
            },
            r"give (rng=0)",
        ),
        lambda found: found.sizes["unit"] == 2,
    ),
    "baselines of a method without": (
        lambda: cured(
            cg.attribute,
            {
                "sequences": STRINGS[:2],
                "predictor": ORACLE,
                "method": "ism",
                "baselines": cg.Uniform(length=40),
            },
            r"leave (baselines)= out",
        ),
        lambda found: found.equals(cg.attribute(STRINGS[:2], ORACLE)),
    ),
    # ---- a trial on disk
    "outcomes of effects": (
        lambda: cg.contrast(
            run(
                design(contrasts={"GATA": {"GATA": 1, "none": -1}}),
                keep="effects"
                if "without keep="
                not in refusal(
                    cg.contrast,
                    run(
                        design(contrasts={"GATA": {"GATA": 1, "none": -1}}),
                        keep="effects",
                    ),
                    control="none",
                )
                else "outcomes",
            ),
            control="none",
        ),
        lambda found: found.sizes["contrast"] == 2,
    ),
    # ---- libraries
    "an insert of another length": (
        lambda: cured(library, {}, r"or (oligo_length=\d+)$"),
        lambda found: {len(x) for x in found["insert"].values.astype(str)} == {40},
    ),
    "backgrounds of the insert's length": (
        lambda: library(
            int(cure_in(refusal(library), r"use length (\d+), or")),
        ),
        lambda found: {len(x) for x in found["oligo"].values.astype(str)} == {200},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_an_input_is_applied_and_succeeds(case):
    apply, holds = CASES[case]
    assert holds(apply())


def test_a_short_list_of_nulls_is_told_a_level_that_it_reaches():
    """A level was rounded to one that was refused: 60 nulls to .984, which takes 62."""
    from math import ceil

    from causalgia.experiments.kit import matched_trial

    class Plan:
        analysis = cg.Analysis(control="none", rope=0, ci_prob=0.999)
        _alpha = 0.001

    for n in range(19, 400):
        plan = Plan()
        plan.strata = type("S", (), {"nulls": [range(n)]})()  # type: ignore[attr-defined]
        text = refusal(matched_trial.MatchedTrial._check_level, plan)
        level = arguments(cure_in(text, r"give (ci_prob=[\d.]+) or less"))["ci_prob"]
        assert ceil(round(1 / round(1 - level, 9), 9)) - 1 <= n, (n, level)
        assert level > 1 - 1 / (n + 1) - 1e-3


def test_a_file_is_read_without_the_records_that_a_message_names(tmp_path: Path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGTACGT\n>b\nACG\n>c\nTTTTACGT\n")
    found = cured(
        cg.sequences.read_fasta,
        {"path": path, "length": 6},
        r"or leave such lines out by (skip='length')$",
    )
    assert found.names == ("a", "c")


def test_a_library_that_a_table_needs_is_installed_or_the_table_is_of_pandas():
    table = pd.DataFrame({"contrast": ["a", "b"], "effect": [1.0, -2.0], "se": 0.1})
    installed: set[str] = set()

    class Frame:
        def to_pandas(self) -> pd.DataFrame:
            if "pyarrow" not in installed:
                raise ModuleNotFoundError("pyarrow is required")
            return table

    text = refusal(cg.from_effects, Frame())
    right = cg.from_effects(table)
    assert right["ace"].values.ravel().tolist() == [1, -2]
    assert cure_in(text, r"or give a DataFrame of (pandas)$")
    installed.add(cure_in(text, r"needs another library \((\w+) is .*\); install it"))
    assert cg.from_effects(Frame()).identical(right)

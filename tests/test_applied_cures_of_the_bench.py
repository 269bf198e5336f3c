"""Errors of the bench: a table of counts is mended, a library ordered or a power planned
as the message says, and the answer is the right one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal

import causalgia as cg
from causalgia.mpra.formats.orders import to_csv

mpra = cg.mpra
NOISE = {"sd_barcode": 0.4, "sd_replicate": 0.1}
ACTIVITY = pd.DataFrame(
    [
        (f"e{i}", arm, 0.3 * (i % 4) + (arm == "alt"))
        for i in range(12)
        for arm in ("ref", "alt")
    ],
    columns=["element", "arm", "log2"],
)
ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)}
ADAPTERS = ("ACGTACGTACGTACGTACGT", "TTGCATTGCATTGCATTGCA")


def simulated(activity: pd.DataFrame = ACTIVITY, **given: Any) -> xr.Dataset:
    settings = {"n_barcodes": 8, "n_replicates": 3, "noise": mpra.NoiseModel(**NOISE)}
    return mpra.simulate(activity, **settings | {"rng": 5} | given)


@cache
def counts() -> xr.Dataset:
    return simulated()


@cache
def fitted() -> xr.Dataset:
    return mpra.fit(counts(), control="ref")


@cache
def side() -> pd.DataFrame:
    table = counts()[["element", "arm", "group"]].to_dataframe()
    return table.rename_axis("oligo_name").reset_index()


@cache
def without_dna() -> xr.Dataset:
    """Return counts in which an element has no DNA in one arm."""
    return counts().assign(dna=counts()["dna"].where(counts()["oligo_index"] != 0, 0))


def right(found: xr.Dataset) -> bool:
    """Whether effects of elements are near the true one."""
    return abs(float(mpra.average(found)["ace"].mean()) - 1.0) < 0.15


def within_three_errors(found: xr.Dataset) -> bool:
    return bool((abs(found["ace"] - 1) < 3 * found["se"]).all())


def library(**given: Any) -> xr.Dataset:
    settings = {
        "design": cg.Design(null=cg.Uniform(length=160), arms=ARMS, n_units=6),
        "oligo_length": 200,
        "adapters": ADAPTERS,
        "controls": mpra.Controls(n_scrambles=2),
        "rng": 0,
    }
    return mpra.library(**settings | given)


def lengths(found: xr.Dataset, part: str = "oligo") -> set[int]:
    return {len(one) for one in found[part].values.astype(str)}


@cache
def compared() -> tuple[xr.Dataset, pd.DataFrame]:
    """Return effects of a virtual trial in two tasks, and measured ones of twice their
    size.
    """
    ordered = library(
        design=cg.Design(null=cg.Uniform(length=160), arms=ARMS, n_units=30)
    )
    predictor = cg.FunctionPredictor(
        lambda x: np.stack(
            [x[:, 1:3, 10:17].mean((1, 2)) + x[:, 0].mean(1), x[:, 2].mean(1)], 1
        ),
        tasks=["a", "b"],
        fingerprint="two",
    )
    virtual = cg.contrast(mpra.virtual_trial(ordered, predictor), control="none")
    noise = np.random.default_rng(0).normal(0, 0.02, 30)
    measured = pd.DataFrame(
        {
            "element": virtual["unit"].values.astype(str),
            "effect": 2 * virtual["ice"].values[:, 0, 0] + noise,
            "se": 0.02,
        }
    )
    return virtual, measured


def compare(measured: pd.DataFrame, **given: Any) -> dict[str, Any]:
    return {"virtual": compared()[0], "measured": measured, "task": "a"} | given


def slope_is_two(found: xr.Dataset) -> bool:
    return np.allclose(found["slope"], 2, atol=0.1)


# ---- tables of counts: text of the counts and of the side table, and how it is mended
Tables = tuple[str, str]


def without_line(text: str, number: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[: int(number) - 1] + lines[int(number) :])


def first(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


TABLES: dict[
    str, tuple[Callable[..., Tables], str, Callable[..., tuple[str, str, dict]]]
] = {
    # how the tables are broken, the cure, and how they are mended
    "a row that is twice": (
        lambda c, s: (c + c.splitlines()[1] + "\n", s),
        r"line (\d+): barcode .* drop the barcodes that are assigned twice",
        lambda c, s, line: (without_line(c, line), s, {}),
    ),
    "a blank line": (
        lambda c, s: (first(c, "\n", "\n\n"), s),
        r"line (\d+) is blank; leave it out",
        lambda c, s, line: (without_line(c, line), s, {}),
    ),
    "a column that is twice": (
        lambda c, s: (
            "".join(f"{line}\t{line.split(chr(9))[3]}\n" for line in c.splitlines()),
            s,
        ),
        r"column '(\w+)' appears twice; leave one of them out",
        lambda c, s, name: (
            "".join(line.rpartition("\t")[0] + "\n" for line in c.splitlines()),
            s,
            {},
        ),
    ),
    "a column by another name": (
        lambda c, s: (first(c, "rna_count_3", "rna_3rd"), s),
        r"'3' has no column of rna, and '(\w+)' none of dna; if they are one",
        lambda c, s, name: (first(c, f"rna_{name}", "rna_count_3"), s, {}),
    ),
    "a replicate without RNA": (
        lambda c, s: (first(c, "rna_count_3", "rna_count_4"), s),
        r"add (rna_count_3) and dna_count_4",
        lambda c, s, name: (first(c, "rna_count_4", name), s, {}),
    ),
    "cell types as replicates": (
        lambda c, s: (
            first(
                re.sub(r"count_([12])\b", r"count_K562_\1", c).replace(
                    "dna_count_3", "dna_count_HepG2_1"
                ),
                "rna_count_3",
                "rna_count_HepG2_1",
            ),
            s,
        ),
        r"read one at a time, (replicates=\[.*?\]),",
        lambda c, s, named: (c, s, arguments(named)),
    ),
    "an oligo that the side table lacks": (
        lambda c, s: (c, without_line(s, str(len(s.splitlines())))),
        r"or leave such rows out \((drop_unknown=True)\)",
        lambda c, s, named: (c, s, arguments(named)),
    ),
    "an oligo whose row is added": (
        lambda c, s: (c, without_line(s, str(len(s.splitlines())))),
        r"oligo '([\w:]+)' is not in the side table, .*; add its row there",
        lambda c, s, name: (c, f"{s}{name}\te11\talt\ttest\n", {}),
    ),
    "a side table without arms": (
        lambda c, s: (c, first(s, "\tarm\t", "\tallele\t")),
        r"no column '(arm)';",
        lambda c, s, name: (c, first(s, "\tallele\t", f"\t{name}\t"), {}),
    ),
    "an oligo that is twice in the side table": (
        lambda c, s: (c, s + s.splitlines()[1] + "\n"),
        r"has oligo '([\w:]+)' twice, .*: leave one row out",
        lambda c, s, name: (c, without_line(s, "2"), {}),
    ),
    "a column that is twice in the side table": (
        lambda c, s: (
            c,
            "".join(f"{x}\t{x.split(chr(9))[2]}\n" for x in s.splitlines()),
        ),
        r"has the column '(\w+)' twice; leave one of them out",
        lambda c, s, name: (
            c,
            "".join(x.rpartition("\t")[0] + "\n" for x in s.splitlines()),
            {},
        ),
    ),
    "an element that is empty": (
        lambda c, s: (c, first(s, "e0:ref\te0\t", "e0:ref\t\t")),
        r"row (\d+) \(oligo 'e0:ref'\): element is empty; fill it in",
        lambda c, s, row: (
            c,
            first(s, s.splitlines()[int(row)], "e0:ref\te0\tref\ttest"),
            {},
        ),
    ),
    "a word among the counts": (
        lambda c, s: (re.sub(r"\t\d+\n", "\tlow\n", c, count=1), s),
        r"is '(low)'; a count is a whole number, and a cell without one is empty",
        lambda c, s, word: (first(c, f"\t{word}\n", "\t\n"), s, {}),
    ),
    "a line that was stripped": (
        lambda c, s: (re.sub(r"\t\d+\n", "\n", c, count=1), s),
        r"line (\d+): 7 cells under a header of 8; (tabs at the end of a line) are",
        lambda c, s, line, _: (
            first(
                c,
                c.splitlines()[int(line) - 1] + "\n",
                c.splitlines()[int(line) - 1] + "\t\n",
            ),
            s,
            {},
        ),
    ),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", TABLES)
def test_a_table_of_counts_is_mended_as_the_message_says(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = mpra.to_igvf(counts(), Path("c.tsv"), "reporter_experiment_barcode")
    texts = whole.read_text(), side().to_csv(sep="\t", index=False)
    breaks, cure, mend = TABLES[case]

    def read(c: str, s: str, **given: Any) -> xr.Dataset:
        Path("c.tsv").write_text(c)
        Path("s.tsv").write_text(s)
        return mpra.read_counts("c.tsv", side_table="s.tsv", **given)

    broken = breaks(*texts)
    found = re.search(cure, text := refusal(read, *broken))
    assert found, text
    c, s, given = mend(*broken, *found.groups())
    assert right(mpra.fit(read(c, s, **given), control="ref"))


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- counts, filters and fits
    "no rule of a filter": (
        lambda: cured(mpra.filter, {"counts": counts()}, r"for example (min_dna=\d+)$"),
        lambda found: right(mpra.fit(found, control="ref")),
    ),
    "more barcodes than there are": (
        lambda: cured(
            mpra.filter,
            {"counts": counts(), "min_barcodes": 9},
            r"give (min_barcodes=\d+) or fewer",
        ),
        lambda found: found.sizes["oligo"] == 2,
    ),
    "more DNA than there is": (
        lambda: cured(
            mpra.filter,
            {"counts": counts(), "min_dna": 10**6},
            r"give (min_dna=\d+) or less",
        ),
        lambda found: found.sizes["barcode"] == 1,
    ),
    "an element without DNA": (
        lambda: mpra.fit(
            evaluated(
                mpra.fit,
                {"counts": without_dna(), "control": "ref"},
                r"in every arm: (cg\.mpra\.filter\(counts, min_barcodes=1\))$",
            ),
            control="ref",
        ),
        lambda found: found.sizes["element"] == 11 and right(found),
    ),
    "an activity without DNA": (
        lambda: mpra.activity(
            evaluated(
                mpra.activity,
                {"counts": without_dna()},
                r"in every arm: (cg\.mpra\.filter\(counts, min_barcodes=1\))$",
            )
        ),
        lambda found: found.sizes["unit"] == 11,
    ),
    "no contrast of a fit": (
        lambda: cured(
            mpra.fit,
            {"counts": counts()},
            r"give (control= \(one of ref), alt\)",
            fill={"control= (one of ref": "control='ref'"},
        ),
        right,
    ),
    "a control that is none": (
        lambda: cured(
            mpra.fit,
            {"counts": counts(), "control": "wt"},
            r"the arms are ('ref'), 'alt'",
            fill={"'ref'": "control='ref'"},
        ),
        right,
    ),
    "one barcode": (
        lambda: cured(
            mpra.fit,
            {
                "counts": simulated(n_barcodes=1),
                "control": "ref",
                "method": "two_way",
            },
            r"or (method='hierarchical'),",
        ),
        lambda found: within_three_errors(mpra.average(found)),
    ),
    "a method that is misspelled": (
        lambda: cured(
            mpra.fit,
            {"counts": counts(), "control": "ref", "method": "two-way"},
            r"is not one of 'hierarchical', ('two_way')",
            fill={"'two_way'": "method='two_way'"},
        ),
        right,
    ),
    "a contrast with nothing to compare": (
        lambda: mpra.fit(
            counts(),
            contrasts=cure_in(
                refusal(mpra.fit, counts(), contrasts="alt"), r"such as '(alt - ref)'"
            ),
        ),
        right,
    ),
    "no contrasts": (
        lambda: cured(
            mpra.fit,
            {"counts": counts(), "contrasts": {}},
            r"for example (contrasts=\{.*\})$",
        ),
        right,
    ),
    "one arm": (
        lambda: evaluated(
            mpra.fit,
            {"counts": simulated(ACTIVITY[ACTIVITY["arm"] == "ref"]), "control": "ref"},
            r"and (cg\.mpra\.activity\(counts\)) gives",
        ),
        lambda found: found.sizes["unit"] == 12,
    ),
    "a parallel library": (
        lambda: evaluated(
            mpra.fit,
            {
                "counts": simulated(
                    ACTIVITY.assign(element=[f"x{i}" for i in range(24)])
                ),
                "control": "ref",
            },
            r"is (cg\.estimate\(cg\.contrast\(cg\.mpra\.activity\(counts\), "
            r"control=\.\.\.\)\))\.",
            fill={"...": "'ref'"},
        ),
        within_three_errors,
    ),
    "no name of a coordinate of an average": (
        lambda: mpra.average(
            evaluated(
                mpra.average,
                {"fitted": fitted(), "by": "motif"},
                r"add one with (fitted\.assign_coords\(.*\))$",
                fill={"names": "['a', 'b'] * 6"},
            ),
            by="motif",
        ),
        lambda found: found["ace"].size == 2,
    ),
    "an average of counts": (
        lambda: mpra.average(
            evaluated(
                mpra.average,
                {"fitted": counts()},
                r"take them from (cg\.mpra\.fit\(counts, control=\.\.\.\))",
                fill={"...": "'ref'"},
                counts=counts(),
            )
        ),
        lambda found: found["ace"].size == 1,
    ),
    # ---- simulations and plans
    "two rows of an oligo": (
        lambda: cure_in(
            refusal(simulated, pd.concat([ACTIVITY, ACTIVITY[:1]])),
            r"a name of its own in a column (\w+)$",
        ),
        lambda name: (
            simulated(
                pd.concat([ACTIVITY, ACTIVITY[:1]]).assign(
                    **{name: [f"o{i}" for i in range(25)]}
                )
            ).sizes["oligo"]
            == 25
        ),
    ),
    "activities by another name": (
        lambda: cure_in(
            refusal(simulated, ACTIVITY.rename(columns={"log2": "y"})),
            r"has no column '(log2)'",
        ),
        lambda name: name in ACTIVITY,
    ),
    "noise that is for a plan": (
        lambda: arguments(
            cure_in(
                refusal(simulated, noise=mpra.NoiseModel(**NOISE, missing=0.2)),
                r"give (p_missing=) of simulate",
                {"p_missing=": "p_missing=0.2"},
            )
        ),
        lambda given: not simulated(**given)["dna_observed"].all(),
    ),
    "noise that a simulation has not": (
        lambda: simulated(
            noise=mpra.NoiseModel(
                **{
                    name: value
                    for name, value in {**NOISE, "tau": 0.2}.items()
                    if name
                    != cure_in(
                        refusal(simulated, noise=mpra.NoiseModel(**NOISE, tau=0.2)),
                        r"^(\w+)=0.2 is for planning; leave it out",
                    )
                }
            )
        ),
        lambda found: found.equals(counts()),
    ),
    "a number as noise": (
        lambda: cured(
            simulated,
            {"noise": 0.4},
            r"give (cg\.mpra\.NoiseModel\(sd_barcode=\.\.\.\));",
            fill={"cg.mpra": "noise=cg.mpra", "...": "0.4"},
        ),
        lambda found: found.sizes["oligo"] == 24,
    ),
    "a share in per cent": (
        lambda: cured(
            mpra.NoiseModel, {"recovery": 80}, r"for example (recovery=0\.8)$"
        ),
        lambda found: found.recovery == 0.8,
    ),
    "a plan that is told all of its noise by one message": (
        lambda: planned(),
        lambda found: 0 < float(found["power"].squeeze()) < 1,
    ),
    "two kinds of counting noise": (
        lambda: cured(
            mpra.power,
            plan(noise=mpra.NoiseModel(**NOISE, sd_count=0.3), depth=50),
            r"and so does (depth)=; give one of them",
        ),
        lambda found: float(found["power"].squeeze()) > 0,
    ),
    "two error rates of a contrast": (
        lambda: cured(
            mpra.PlannedContrast,
            {"alpha": 0.05, "q": 0.1},
            r"and (q)=0.1 are two error rates",
        ),
        lambda found: found.alpha == 0.05,
    ),
    "weights that do not sum to 0": (
        lambda: cured(
            mpra.PlannedContrast,
            {"weights": (1, 1)},
            r"(\(-1, 1\)) is a difference",
            fill={"(-1, 1)": "weights=(-1, 1)"},
        ),
        lambda found: tuple(found.weights) == (-1, 1),
    ),
    "a split without a goal": (
        lambda: cured(
            mpra.cheapest,
            {"noise": mpra.NoiseModel(**NOISE, tau=0.2), "depth": 50},
            r"give a goal \((half_width=)",
            fill={"half_width=": "half_width=0.2"},
        ),
        lambda found: float(found["half_width"].squeeze()) <= 0.2,
    ),
    "a split with two goals": (
        lambda: cured(
            mpra.cheapest,
            {
                "noise": mpra.NoiseModel(**NOISE, tau=0.2),
                "depth": 50,
                "half_width": 0.2,
                "true_effect": 0.4,
            },
            r"or (true_effect)= \(a test\), and not both",
        ),
        lambda found: float(found["half_width"].squeeze()) <= 0.2,
    ),
    # ---- libraries
    "inserts of another length": (
        lambda: cured(library, {"oligo_length": 220}, r"or (oligo_length=\d+)$"),
        lambda found: lengths(found) == {200},
    ),
    "a construct that is misspelled": (
        lambda: cured(
            library,
            {"adapters": "lentimpr", "oligo_length": 190},
            r"did you mean ('lentimpra')",
            fill={"'lentimpra'": "adapters='lentimpra'"},
        ),
        lambda found: lengths(found, "insert") == {160},
    ),
    "a vendor that is misspelled": (
        lambda: cured(
            library,
            {"vendor": "twits"},
            r"did you mean ('twist')",
            fill={"'twist'": "vendor='twist'"},
        ),
        lambda found: lengths(found) == {200},
    ),
    "a vendor that is left out": (
        lambda: cured(library, {"vendor": "twits"}, r"leave (vendor)= out"),
        lambda found: lengths(found) == {200},
    ),
    "rules of random barcodes": (
        lambda: cured(
            library,
            {"barcode_rules": mpra.BarcodeRules(length=8)},
            r"leave (barcode_rules)= out$",
        ),
        lambda found: "barcode" not in found,
    ),
    "synthesized barcodes of a construct of random ones": (
        lambda: cured(
            library,
            {
                "adapters": "lentimpra",
                "oligo_length": 190,
                "barcodes_per_oligo": 3,
            },
            r"leave (barcodes_per_oligo)= out,",
        ),
        lambda found: lengths(found, "insert") == {160},
    ),
    "barcodes beside the insert": (
        lambda: library(
            barcodes_per_oligo=3,
            oligo_length=214,
            barcode_rules=mpra.BarcodeRules(length=8),
            adapters=eval(
                cure_in(
                    refusal(library, barcodes_per_oligo=3),
                    r"adapters=(\(left, junction, right\))",
                ),
                {"left": ADAPTERS[0], "junction": "GGTACC", "right": ADAPTERS[1]},
            ),
        ),
        lambda found: len(set(found["barcode"].values)) == found.sizes["row"],
    ),
    "no number of barcodes": (
        lambda: cured(
            library,
            {
                "adapters": (ADAPTERS[0], "GGTACC", ADAPTERS[1]),
                "oligo_length": 214,
                "barcode_rules": mpra.BarcodeRules(length=8),
            },
            r"(barcodes_per_oligo=10), or",
        ),
        lambda found: int((found["group"] == "test").sum()) == 10 * 12,
    ),
    "duplicates of random barcodes": (
        lambda: library(
            controls=mpra.Controls(
                n_scrambles=2,
                **{
                    name: 2
                    for name in ("n_duplicates",)
                    if name
                    != cure_in(
                        refusal(
                            library,
                            controls=mpra.Controls(n_scrambles=2, n_duplicates=2),
                        ),
                        r"leave (n_duplicates)= out",
                    )
                },
            )
        ),
        lambda found: found.sizes["row"] == 14,
    ),
    "draws of one sequence": (
        lambda: library(
            design=cg.Design(
                null=cg.Genomic(
                    of=genome(),
                    **arguments(
                        cure_in(
                            refusal(
                                library,
                                design=cg.Design(
                                    null=cg.Genomic(of=genome(), n_draws=2),
                                    arms=ARMS,
                                    n_units=12,
                                ),
                            ),
                            r"use (n_draws=1)$",
                        )
                    ),
                ),
                arms=ARMS,
                n_units=6,
            )
        ),
        lambda found: lengths(found) == {200},
    ),
    "an enzyme that is misspelled": (
        lambda: library(
            rules=cured(
                mpra.OligoRules,
                {"avoid": ("EcoRII",)},
                r"did you mean ('EcoRI')",
                fill={"'EcoRI'": "avoid=('EcoRI',)"},
            )
        ),
        lambda found: not any("GAATTC" in one for one in found["oligo"].values),
    ),
    "a site that is meant": (
        lambda: cured(
            library,
            {
                "adapters": ("ACGTGAATTCACGTACGTAC", ADAPTERS[1]),
                "rules": mpra.OligoRules(avoid=("EcoRI",)),
            },
            r"meant to be cut there, (rules=cg\.mpra\.OligoRules\(avoid=\{.*\}\))$",
        ),
        lambda found: (
            {one.count("GAATTC") for one in found["oligo"].values.astype(str)} == {1}
        ),
    ),
    "controls in a mapping": (
        lambda: cured(
            library,
            {"controls": {"n_scrambles": 3}},
            r"give (cg\.mpra\.Controls\(\.\.\.\))$",
            fill={"cg.mpra": "controls=cg.mpra", "...": "n_scrambles=3"},
        ),
        lambda found: found.sizes["row"] == 15,
    ),
    # ---- files
    "a format that is misspelled": (
        lambda: cure_in(
            refusal(mpra.igvf_table, library(), "reporter_sequence_desing"),
            r"did you mean '(\w+)'",
        ),
        lambda name: len(mpra.igvf_table(library(), name)) == 14,
    ),
    # ---- virtual trials
    "several tasks": (
        lambda: cured(
            mpra.concordance,
            {"virtual": compared()[0], "measured": compared()[1]},
            r"say which one was measured: (task=)$",
            fill={"task=": "task='a'"},
        ),
        slope_is_two,
    ),
    "a task that is misspelled": (
        lambda: cured(
            mpra.concordance,
            compare(compared()[1], task="aa"),
            r"did you mean ('a')",
            fill={"'a'": "task='a'"},
        ),
        slope_is_two,
    ),
    "contrasts of other names": (
        lambda: cured(
            mpra.concordance,
            compare(pd.concat([compared()[1].assign(contrast=one) for one in "xy"])),
            r"say which belong together: (pairs=\{.*\})$",
        ),
        slope_is_two,
    ),
    "no pairs of contrasts": (
        lambda: cured(
            mpra.concordance,
            compare(compared()[1].assign(contrast="x"), pairs={}),
            r"give measured name -> virtual name: (\{.*\})$",
            fill={"{": "pairs={"},
        ),
        slope_is_two,
    ),
    "a level in place of an error": (
        lambda: cured(
            mpra.concordance,
            compare(compared()[1], alpha=0.95),
            r"(alpha=0\.05) goes with a level of 0\.95",
        ),
        slope_is_two,
    ),
    "an element that is twice": (
        lambda: mpra.concordance(
            **compare(
                compared()[1][
                    compared()[1]["element"]
                    != cure_in(
                        refusal(
                            mpra.concordance,
                            **compare(
                                pd.concat([compared()[1], compared()[1].iloc[[3]]])
                            ),
                        ),
                        r"element '([\w.]+)' appears twice .*; leave one of its rows out",
                    )
                ]
            )
        ),
        slope_is_two,
    ),
    "an effect that is not a number": (
        lambda: mpra.concordance(
            **compare(
                compared()[1][
                    compared()[1]["element"]
                    != cure_in(
                        refusal(
                            mpra.concordance,
                            **compare(
                                compared()[1].assign(
                                    effect=compared()[1]["effect"].where(
                                        compared()[1].index != 3
                                    )
                                )
                            ),
                        ),
                        r"of element '([\w.]+)' .*; leave the element out",
                    )
                ]
            )
        ),
        slope_is_two,
    ),
    "effects by another name": (
        lambda: mpra.concordance(
            **compare(
                compared()[1]
                .rename(columns={"effect": "lfc"})
                .rename(
                    columns={
                        "lfc": cure_in(
                            refusal(
                                mpra.concordance,
                                **compare(
                                    compared()[1].rename(columns={"effect": "lfc"})
                                ),
                            ),
                            r"no column '(\w+)', .*; rename it$",
                        )
                    }
                )
            )
        ),
        slope_is_two,
    ),
    "flanks on one side": (
        lambda: mpra.virtual_trial(
            library(),
            gc(),
            flanks=eval(
                cure_in(
                    refusal(mpra.virtual_trial, library(), gc(), flanks="ACGT"),
                    r"the right: (\(.*\))$",
                )
            ),
        ),
        lambda found: found.sizes["unit"] == 6,
    ),
    "a flank with N": (
        lambda: refusal(mpra.virtual_trial, library(), gc(), flanks=("ACGN", "A")),
        lambda text: (
            "ambiguous=" not in text
            and mpra.virtual_trial(
                library(),
                gc(),
                flanks=(
                    "ACGN".replace(cure_in(text, r"there is '(\w)'"), "A"),
                    cure_in(text, r"are letters (A), C, G, T"),
                ),
            ).sizes["unit"]
            == 6
        ),
    ),
}


def gc() -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)), tasks=["gc"], fingerprint="gc"
    )


@cache
def genome() -> tuple[str, ...]:
    draw = np.random.default_rng(1)
    return tuple("".join(draw.choice(list("ACGT"), 160)) for _ in range(6))


def plan(**given: Any) -> dict[str, Any]:
    return {"n_barcodes": 10, "n_replicates": 3, "true_effect": 0.3} | given


def planned() -> xr.Dataset:
    """Plan without any noise, and give all that the one message asks for."""
    given = plan()
    named = cure_in(
        refusal(mpra.power, **given),
        r"(noise=cg\.mpra\.NoiseModel\(.*?=\.\.\.\)) and depth= \(mean reads",
        {"...": "0.3"},
    )
    return mpra.power(**given | arguments(named) | {"depth": 50})


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_the_bench_is_applied_and_succeeds(case):
    apply, holds = CASES[case]
    assert holds(apply())


def test_a_file_that_is_there_is_written_over_as_it_says(tmp_path):
    path = to_csv(library(), tmp_path / "a.csv")
    before = path.read_text()
    path.write_text("mine")
    cured(
        to_csv,
        {"library": library(), "path": path},
        r"or (overwrite=True) to write",
    )
    assert path.read_text() == before

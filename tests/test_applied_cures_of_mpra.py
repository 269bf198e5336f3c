"""Errors of counts, effects, libraries and plans of the bench: what each message says is
given, and the answer is the right one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal
from test_applied_cures_of_the_bench import (
    ADAPTERS,
    ARMS,
    NOISE,
    counts,
    fitted,
    library,
    plan,
    right,
    side,
    simulated,
)
from test_mpra_design_table import counts_in, row, written
from test_mpra_library import bare, pair
from test_mpra_table_formats import (
    BARCODES,
    DNA,
    OLIGOS,
    PLAIN,
    RNA,
    SIDE,
    TestMpraModel,
    is_whole,
    wide,
    write,
)

import causalgia as cg
from causalgia.mpra.formats.orders import to_csv
from causalgia.mpra.libraries.barcode_sets import barcodes
from causalgia.mpra.libraries.constructs import pool_size_for, vendor

pytestmark = pytest.mark.rotating(6)

mpra = cg.mpra
HERE = Path()
NOISY = mpra.NoiseModel(sd_barcode=0.4, sd_replicate=0.1, sd_count=0.3, tau=0.3)
Case = tuple[Callable[[], Any], Callable[[Any], Any]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a genome."""
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(f">chr1\n{CHROMOSOME}\n")


CHROMOSOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 400))


def then(call: Callable[..., Any], given: dict[str, Any], cure: str, **new: Any) -> Any:
    """Call, be refused with the cure in words, and call with what it means."""
    assert cure_in(refusal(call, **given), f"({cure})")
    return call(**given | new)


# ---- effects that are compared
def table(**columns: Any) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"element": [f"e{i}" for i in range(n)], **columns, "se": 0.1})


TIMES = np.arange(14) / 4.0
VIRTUAL, MEASURED = table(effect=TIMES), table(effect=2 * TIMES)


def of_two(n: int, times: float) -> pd.DataFrame:
    """Return effects of two contrasts, the second of them of n elements."""
    parts = table(effect=times * TIMES), table(effect=times * TIMES).head(n)
    return pd.concat(
        [x.assign(contrast=name) for x, name in zip(parts, "AB", strict=True)]
    )


def slope_is_two(found: xr.Dataset) -> bool:
    return bool(np.allclose(found["slope"], 2, atol=0.05))


def effects(
    values: Any, tasks: tuple[str, ...] = ("K562",), **attrs: Any
) -> xr.Dataset:
    array = np.repeat(np.asarray(values, float)[:, None, None], len(tasks), 2)
    names = {"unit": np.arange(len(values)), "contrast": ["GATA1"], "task": [*tasks]}
    return xr.Dataset({"ice": (("unit", "contrast", "task"), array)}, names, attrs)


DRAWN = np.random.default_rng(2).normal(1, 1, 400)
NEW = 2 * DRAWN[:40] + np.random.default_rng(5).normal(0, 0.4, 40)


def powered(virtual: Any = None, measured: Any = None, **given: Any) -> xr.Dataset:
    settings = {
        "virtual": effects(DRAWN) if virtual is None else virtual,
        "measured": effects(NEW) if measured is None else measured,
        "trained_on_measured": False,
    }
    return mpra.prediction_powered(**settings | given)


def is_two(found: xr.Dataset) -> bool:
    return abs(float(found["ace"].item()) - 2) < 4 * float(found["se"].item())


def outcomes() -> xr.Dataset:
    design = cg.Design(null=cg.Uniform(length=20), arms=ARMS, n_units=60)
    oracle = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(1), tasks=["K562"], fingerprint="A"
    )
    return cg.run(design, oracle, rng=0, progress=False)


COMPARED: dict[str, Case] = {
    "contrasts of different elements": (
        lambda: cured(
            mpra.concordance,
            {"virtual": of_two(11, 1), "measured": of_two(11, 2)},
            r"one at a time: (pairs=\{'\w': '\.\.\.'\})$",
            fill={"'...'": "'B'"},
        ),
        lambda found: found.sizes["contrast"] == 1 and slope_is_two(found),
    ),
    "a task of a table": (
        lambda: cured(
            mpra.concordance,
            {"virtual": VIRTUAL, "measured": MEASURED, "task": "K562"},
            r"leave (task)='K562' out$",
        ),
        slope_is_two,
    ),
    "outcomes in place of effects": (
        lambda: (
            lambda one: powered(
                evaluated(
                    lambda outcomes: powered(outcomes, measured(one)),
                    {"outcomes": one},
                    r"give (cg\.contrast\(outcomes, control=\.\.\.\))$",
                    fill={"...": "'none'"},
                ),
                measured(one),
            )
        )(outcomes()),
        lambda found: float(found["se"].item()) > 0,
    ),
    "several measured tasks": (
        lambda: powered(
            measured=evaluated(
                lambda measured: powered(measured=measured),
                {"measured": effects(NEW, ("K562", "HepG2"))},
                r"give one: (measured\.sel\(task=\[\.\.\.\]\))$",
                fill={"...": "'K562'"},
            )
        ),
        is_two,
    ),
    "units that the predictor was trained on": (
        lambda: evaluated(
            powered,
            {"trained_on_measured": True},
            r"give the classical interval: (cg\.estimate)$",
        )(effects(NEW)),
        is_two,
    ),
    "a fit in place of a concordance": (
        lambda: cg.report(
            evaluated(
                lambda found: text_of(found),
                {"found": fitted()},
                r"give (cg\.mpra\.concordance\(virtual, measured\))$",
                virtual=VIRTUAL,
                measured=MEASURED,
            )
        ),
        lambda text: "slope" in text,
    ),
}


def measured(virtual: xr.Dataset) -> xr.Dataset:
    found = cg.contrast(virtual, control="none").isel(unit=slice(30))
    return found.assign(ice=found["ice"] * 2)


def text_of(found: xr.Dataset) -> Any:
    from causalgia.mpra.text_reports import concordance_parts

    return concordance_parts(found)


# ---- tables of counts
def read(text: str, **given: Any) -> xr.Dataset:
    return mpra.read_counts(
        write(HERE, "counts.tsv", text), **{"side_table": SIDE} | given
    )


def without_oligos() -> str:
    return re.sub(r"\t[ab]\t", "\t", wide(PLAIN.replace("\toligo_name", "")))


ASSIGNED = pd.DataFrame({"barcode": BARCODES, "oligo_name": OLIGOS})
MODEL = TestMpraModel()
CONDITIONS = dict(line.split("\t") for line in MODEL.CONDITIONS.splitlines())
CHOSEN = {"replicates": ["K562_r1", "K562_r2"]}
SUFFIXED = [f"{one}-{i % 2 + 1}" for i, one in enumerate(BARCODES)]


def of_sample(number: int) -> str:
    """Return the table of one sample of 10x Genomics."""
    lines = wide(PLAIN, barcodes=SUFFIXED).splitlines(keepends=True)
    return lines[0] + "".join(x for x in lines if f"-{number}\t" in x)


def apart(
    dna: str = "", rna: str = "", names: tuple[str, str] = ("d.tsv", "r.tsv")
) -> Any:
    """Read an experiment file of one replicate, DNA and RNA in files of their own."""
    for name, default, text, column in (
        ("d.tsv", "dna", dna, DNA),
        ("r.tsv", "rna", rna, RNA),
    ):
        rows = [
            f"{b}\t{o}\t{x[0]}"
            for b, o, x in zip(BARCODES, OLIGOS, column, strict=True)
        ]
        body = "\n".join([f"barcode\toligo_name\t{default}_count", *rows]) + "\n"
        write(HERE, name, text or body)
    text = "condition\treplicate\tdna\trna\nK562\t1\t" + "\t".join(names) + "\n"
    return mpra.read_counts(write(HERE, "experiment.tsv", text), side_table=SIDE)


def first_replicate(found: xr.Dataset) -> bool:
    order = np.argsort(found["barcode"].values)
    return found["dna"].values[order, 0].tolist() == [x[0] for x in DNA] and found[
        "rna"
    ].values[order, 0].tolist() == [x[0] for x in RNA]


def again(refused: Callable[[], Any], cure: str, cured: Callable[..., Any]) -> Any:
    """Be refused, find the cure in the message, and do it with its groups."""
    message = refusal(refused)
    found = re.search(cure, message)
    assert found, message
    return cured(*found.groups())


def half(name: str = "counts/1.tsv") -> None:
    rows = [
        f"{b}\t{o}\t{d[0]}\t{r[0]}"
        for b, o, d, r in zip(BARCODES, OLIGOS, DNA, RNA, strict=True)
    ]
    Path(name).parent.mkdir(exist_ok=True)
    write(
        HERE,
        name,
        "\n".join(["barcode\toligo_name\tdna_count\trna_count", *rows]) + "\n",
    )


def experiment(path: str) -> xr.Dataset:
    text = f"condition\treplicate\tcounts\nK562\t1\t{path}\n"
    return mpra.read_counts(write(HERE, "experiment.tsv", text), side_table=SIDE)


ARRAYS = {"barcodes": BARCODES, "oligos": OLIGOS, "side_table": SIDE}
CELLS = {"dna": np.nan_to_num(DNA), "rna": np.nan_to_num(RNA)}


def of_arrays(found: xr.Dataset) -> bool:
    return found["rna"].values.tolist() == CELLS["rna"].tolist()


VARIANTS = "AACCGGTT \nCCGGTTAA TERT:20:C>G\n"
REGIONS = VARIANTS + "GGTTAACC LDLR:3:C>G\n"


def haplotypes(text: str) -> Any:
    from causalgia.mpra.counts.variant_haplotypes import read_haplotypes

    return read_haplotypes(text, "the file")


TWO = "NC_1:3:A:G"
SIDE_OF_LIBRARY = pd.DataFrame(
    {
        "oligo_name": ["u1.aaaaaa_ref", "u1.aaaaaa_alt"],
        "element": ["u1.aaaaaa"] * 2,
        "arm": ["ref", "alt"],
        "group": "test",
    }
)
RENAMED = dict(zip("ab", SIDE_OF_LIBRARY["oligo_name"], strict=True))

COUNTED: dict[str, Case] = {
    "columns of an assignment": (
        lambda: again(
            lambda: read(
                without_oligos(),
                assignment=ASSIGNED.set_axis(["bc1", "CRS id"], axis=1),
            ),
            r"one of oligos: (barcode) (oligo_name) \(or",
            lambda *names: read(
                without_oligos(), assignment=ASSIGNED.set_axis([*names], axis=1)
            ),
        ),
        is_whole,
    ),
    "a number as an assignment": (
        lambda: again(
            lambda: read(without_oligos(), assignment=3),
            r"a DataFrame with the columns (barcode) and (oligo_name)$",
            lambda *names: read(without_oligos(), assignment=ASSIGNED[[*names]]),
        ),
        is_whole,
    ),
    "no header": (
        lambda: again(
            lambda: read(without_oligos().partition("\n")[2], assignment=ASSIGNED),
            r"(write a line with the names of the columns)$",
            lambda _: read(without_oligos(), assignment=ASSIGNED),
        ),
        is_whole,
    ),
    "barcodes of several samples": (
        lambda: again(
            lambda: read(wide(PLAIN, barcodes=SUFFIXED)),
            r"(give a table for each sample)",
            lambda _: [read(of_sample(number)) for number in (1, 2)],
        ),
        lambda parts: (
            sorted(x for one in parts for x in one["barcode"].values) == BARCODES
        ),
    ),
    "files of several replicates": (
        lambda: again(
            lambda: mpra.read_counts(
                [write(HERE, f"{x}.tsv", wide(PLAIN)) for x in "ab"], side_table=SIDE
            ),
            r"(give a table of several replicates by itself)$",
            lambda _: mpra.read_counts("a.tsv", side_table=SIDE),
        ),
        is_whole,
    ),
    "a file for two replicates": (
        lambda: again(
            lambda: (half(), mpra.read_counts(["counts/1.tsv"] * 2, side_table=SIDE)),
            r"(give each its own)$",
            lambda _: (
                half("counts/2.tsv"),
                mpra.read_counts(["counts/1.tsv", "counts/2.tsv"], side_table=SIDE),
            )[1],
        ),
        lambda found: found["replicate"].values.tolist() == ["1", "2"],
    ),
    "a number as conditions": (
        lambda: again(
            lambda: read(MODEL.text(), conditions=3, **CHOSEN),
            r"or (a mapping) of columns to DNA or their cell type$",
            lambda _: read(MODEL.text(), conditions=CONDITIONS, **CHOSEN),
        ),
        lambda found: found["rna"].values.tolist() == [[9, 8]] * 4,
    ),
    "a column without a condition": (
        lambda: again(
            lambda: read(
                MODEL.text(),
                conditions={k: v for k, v in CONDITIONS.items() if k != "K562_r1"},
                **CHOSEN,
            ),
            r"column '(\w+)' is not in conditions=.*; add it there",
            lambda name: read(
                MODEL.text(),
                conditions={k: v for k, v in CONDITIONS.items() if k != name}
                | {name: "K562"},
                **CHOSEN,
            ),
        ),
        lambda found: found["rna"].values.tolist() == [[9, 8]] * 4,
    ),
    "a barcode of DNA that is there twice": (
        lambda: again(
            lambda: apart("barcode\toligo_name\tdna_count\nAACCGGTT\ta\t6\n" + REST),
            r"d\.tsv, line \d+: barcode (\w+) has a second row; write its reads in one$",
            lambda barcode: apart(
                f"barcode\toligo_name\tdna_count\n{barcode}\ta\t10\n"
                + REST.replace(f"{barcode}\ta\t4\n", "")
            ),
        ),
        first_replicate,
    ),
    "a line of one cell": (
        lambda: again(
            lambda: apart("10\n4\n7\n9\n"),
            r"give a (barcode) and its (count) a line, with (tabs?)",
            lambda *_: apart("barcode\toligo_name\tcount\n" + ROWS),
        ),
        first_replicate,
    ),
    "several columns of DNA": (
        lambda: again(
            lambda: apart("barcode\toligo_name\tdna_count_1\tdna_count_2\n" + TWICE),
            r"a file of DNA alone has a column (barcode) and one of counts",
            lambda name: apart(f"{name}\toligo_name\tdna_count\n" + ROWS),
        ),
        first_replicate,
    ),
    "a file of counts that is not there, from the folder": (
        lambda: (
            half(),
            again(
                lambda: experiment("1.tsv"),
                r"or (write its path from the folder of experiment\.tsv on)$",
                lambda _: experiment("counts/1.tsv"),
            ),
        )[1],
        first_replicate,
    ),
    "a file of counts that is not there": (
        lambda: again(
            lambda: experiment("1.tsv"),
            r"there is no file (\S+); put it there",
            lambda path: (half(path), experiment("1.tsv"))[1],
        ),
        first_replicate,
    ),
    "a text as names": (
        lambda: then(
            mpra.counts_of,
            {**CELLS, **ARRAYS, "barcodes": "AACC"},
            r"give [^;]*barcode",
            barcodes=BARCODES,
        ),
        of_arrays,
    ),
    "arrays of two shapes": (
        lambda: then(
            mpra.counts_of,
            {**CELLS, **ARRAYS, "dna": CELLS["dna"][:, :1]},
            r"or dna \(n_barcodes,\)",
            dna=CELLS["dna"][:, 0],
        ),
        lambda found: of_arrays(found) and found["dna"].dims == ("barcode",),
    ),
    "arrays of two shapes, both": (
        lambda: then(
            mpra.counts_of,
            {**CELLS, **ARRAYS, "dna": CELLS["dna"][:, :1]},
            r"give both \(n_barcodes, n_replicates\)",
            dna=CELLS["dna"],
        ),
        of_arrays,
    ),
    "rows of fewer barcodes": (
        lambda: then(
            mpra.counts_of,
            {**CELLS, **ARRAYS, "dna": CELLS["dna"][:3]},
            "give a row to each barcode",
            dna=CELLS["dna"],
        ),
        of_arrays,
    ),
    "an oligo with two variants": (
        lambda: again(
            lambda: read(
                wide(PLAIN),
                side_table=design_file(f'["{TWO}","NC_1:3:A:T"]', '["ref","ref"]'),
            ),
            r"write one \((oligo_name element arm group)\)",
            lambda names: read(wide(PLAIN), side_table=SIDE[names.split()]),
        ),
        is_whole,
    ),
    "variants of several regions": (
        lambda: again(
            lambda: haplotypes(REGIONS),
            r"\('(\w+):.*?', '(\w+):.*?'\).*give a file for each region$",
            lambda *regions: [
                haplotypes(
                    "".join(
                        line + "\n"
                        for line in REGIONS.splitlines()
                        if region in line or (":" not in line and region == "TERT")
                    )
                )
                for region in regions
            ],
        ),
        lambda found: (
            found
            == [
                [("AACCGGTT", "TERT:reference"), ("CCGGTTAA", "TERT:20:C>G")],
                [("GGTTAACC", "LDLR:3:C>G")],
            ]
        ),
    ),
    "the side table of another library": (
        lambda: again(
            lambda: read(
                of_library(),
                side_table=SIDE_OF_LIBRARY.assign(element=["u1.bbbbbb", "u1.aaaaaa"]),
            ),
            r"(give the side table of the library that was measured)$",
            lambda _: read(of_library(), side_table=SIDE_OF_LIBRARY),
        ),
        is_whole,
    ),
    "halves of more oligos than there are": (
        lambda: (lambda n: mpra.split_duplicates(counts(), n_oligos=int(n), rng=0))(
            cure_in(
                refusal(mpra.split_duplicates, counts(), n_oligos=900, rng=0),
                r"; ask for (\d+) at most$",
            )
        ),
        lambda found: found.sizes["oligo"] == 2 * counts().sizes["oligo"],
    ),
    "halves of more barcodes than there are": (
        lambda: cured(
            mpra.split_duplicates,
            {"counts": counts(), "min_barcodes": 50, "rng": 0},
            r"; give smaller halves, (min_barcodes=\d+)$",
        ),
        lambda found: found.sizes["oligo"] == 2 * counts().sizes["oligo"],
    ),
}
ROWS = "".join(
    f"{b}\t{o}\t{x[0]}\n" for b, o, x in zip(BARCODES, OLIGOS, DNA, strict=True)
)
REST = ROWS.replace("AACCGGTT\ta\t10\n", "AACCGGTT\ta\t4\n")
TWICE = ROWS.replace("\n", "\t1\n")


def of_library() -> str:
    return re.sub(r"\t([ab])\t", lambda found: f"\t{RENAMED[found[1]]}\t", wide(PLAIN))


def design_file(spdi: str, allele: str) -> Path:
    return written(HERE, [row("a", "test", spdi=spdi, allele=allele)])


# ---- effects of elements
def ragged() -> xr.Dataset:
    """Return counts in which no element has all of three arms."""
    pairs = [("ref", "alt")] * 6 + [("alt", "third")] * 3 + [("ref", "third")] * 3
    rows = [
        (f"e{i}", arm, 0.3 * (i % 4) + (arm == "alt"))
        for i, arms in enumerate(pairs)
        for arm in arms
    ]
    return simulated(pd.DataFrame(rows, columns=["element", "arm", "log2"]))


ALL = ["ref", "alt", "third"]


def doubled() -> xr.Dataset:
    """Return counts in which an element has two oligos in an arm."""
    frame = side().assign(log2=0.0)
    frame.loc[len(frame)] = ["more", "e0", "ref", "test", 0.0]
    return simulated(frame.assign(log2=1.0 * (frame["arm"] == "alt")))


def labelled(absent: Any = None) -> xr.Dataset:
    names = np.array(["x", "y"] * 6, object)
    names[3] = absent
    return fitted().assign_coords(motif=("element", names))


FITTED: dict[str, Case] = {
    "activities of arms that no element has": (
        lambda: cured(
            mpra.activity,
            {"counts": ragged(), "arm_names": ALL},
            r"ask for fewer: (arm_names=\[.*\])$",
        ),
        lambda found: (
            set(found["arm"].values) == {"ref", "alt"} and found.sizes["unit"] == 6
        ),
    ),
    "a fit of arms that no element has": (
        lambda: cured(
            mpra.fit,
            {"counts": ragged(), "control": "ref", "arm_names": ALL[1:]},
            r"ask for fewer: (arm_names=\[.*\])$",
        ),
        lambda found: found.sizes["element"] == 6 and right(found),
    ),
    "contrasts of arms that no element has": (
        lambda: cured(
            mpra.fit,
            {"counts": ragged(), "contrasts": ["alt - ref", "third - ref"]},
            r"ask for fewer contrasts, such as ('\w+ - \w+') alone$",
            fill={"'alt - ref'": "contrasts=['alt - ref']"},
        ),
        lambda found: found.sizes["element"] == 6 and right(found),
    ),
    "an arm that is named twice": (
        lambda: cured(
            mpra.fit,
            {"counts": counts(), "control": "ref", "arm_names": ["alt", "alt"]},
            r"the arms are 'ref', ('alt')$",
            fill={"'alt'": "arm_names=['alt']"},
        ),
        right,
    ),
    "a number as contrasts": (
        lambda: cured(
            mpra.fit,
            {"counts": counts(), "contrasts": 3},
            r"for example (contrasts=\{.*\})$",
        ),
        right,
    ),
    "two oligos of an element in an arm": (
        lambda: again(
            lambda: mpra.fit(doubled(), control="ref"),
            r"element '(e0)' has two oligos in arm 'ref'; give them elements of their own",
            lambda name: mpra.fit(
                (
                    lambda one: one.assign_coords(
                        element=(
                            "oligo",
                            np.where(one["oligo"] == "more", "own", one["element"]),
                        )
                    )
                )(doubled()),
                control="ref",
            ),
        ),
        right,
    ),
    "an element without a motif, left out": (
        lambda: again(
            lambda: mpra.average(labelled(), by="motif"),
            r"element '(e\d+)' has no motif, .*or leave the element out$",
            lambda name: mpra.average(
                labelled().sel(element=labelled()["element"] != name), by="motif"
            ),
        ),
        lambda found: np.allclose(found["ace"], 1, atol=0.3),
    ),
    "an element without a motif": (
        lambda: again(
            lambda: mpra.average(labelled(), by="motif"),
            r"element 'e\d+' has no motif, .*; (give it one)",
            lambda _: mpra.average(labelled("y"), by="motif"),
        ),
        lambda found: np.allclose(found["ace"], 1, atol=0.3),
    ),
    "several contrasts of a table": (
        lambda: (
            lambda ordered, counted: cured(
                mpra.igvf_table,
                {
                    "data": mpra.fit(counted, control="ref"),
                    "format": "reporter_variant",
                    "counts": counted,
                    "library": ordered,
                },
                r"the fit has 2 contrasts, .*: say (contrast=)$",
                fill={"contrast=": "contrast='alt'"},
            )
        )(*of_variants()),
        lambda found: (
            len(found) == 6 and found["log2FoldChange"].between(0.2, 1.8).all()
        ),
    ),
    "a column of a table that is twice": (
        lambda: again(
            lambda: mpra.read_igvf(
                write(HERE, "c.tsv", COLUMNS + "\tdna_count_1\n" + "A\ta\t1\t2\t3\n"),
                "reporter_experiment_barcode",
            ),
            r"column '(\w+)' appears 2 times; drop all but one$",
            lambda name: (
                lambda table: mpra.read_igvf(
                    write(HERE, "c.tsv", table.to_csv(sep="\t", index=False)),
                    "reporter_experiment_barcode",
                )
            )(pd.read_csv("c.tsv", sep="\t").drop(columns=f"{name}.1")),
        ),
        lambda found: found["dna_count_1"].tolist() == [1],
    ),
}
COLUMNS = "barcode\toligo_name\tdna_count_1\trna_count_1"


def of_variants() -> tuple[xr.Dataset, xr.Dataset]:
    """Return a library of variants, and its counts: alternate alleles are active."""
    rows = [
        ("chr1", at, CHROMOSOME[at], base(at), f"v{at}") for at in range(80, 320, 40)
    ]
    made = tiles(rows, insert_length=100, assembly="GRCh38")
    ordered = mpra.library(
        made,
        oligo_length=130,
        adapters="lentimpra",
        rng=0,
        controls=mpra.Controls(n_scrambles=4),
        rules=mpra.OligoRules(gc=(0.1, 0.9), repeats=0.9),
    )
    names = ["oligo_name", "element", "arm", "group"]
    frame = ordered[names].to_dataframe().drop_duplicates("oligo_name")
    third = frame[frame["arm"] == "alt"].assign(arm="third")
    third["oligo_name"] += "_third"
    frame = pd.concat([frame, third])
    counted = simulated(frame.assign(log2=1.0 * (frame["arm"] == "alt")))
    return made.annotate(ordered), counted


# ---- libraries
def tiles(rows: list[tuple[Any, ...]], **given: Any) -> Any:
    variants = [cg.sequences.Variant(*one) for one in rows]
    return mpra.variant_tiles(variants, "genome.fa", **{"insert_length": 40} | given)


def alternates(n: int) -> list[tuple[Any, ...]]:
    """Return alternates of one place: insertions of other bases."""
    base = CHROMOSOME[200]
    words = ["".join(x) for x in np.random.default_rng(0).choice(list("ACGT"), (60, 4))]
    return [
        ("chr1", 200, base, base + word, f"v{i}") for i, word in enumerate(words[:n])
    ]


SEEDED: dict[str, Any] = {"n_barcodes": 30, "length": 9, "rng": 0}


LIBRARIES: dict[str, Case] = {
    "a chromosome without an accession": (
        lambda: (
            Path("genome.fa").write_text(f">scaffold7\n{CHROMOSOME}\n"),
            cured(
                lambda **given: tiles(
                    [("scaffold7", 200, CHROMOSOME[200], base(200), "v")], **given
                ),
                {"assembly": "GRCh38"},
                r"leave (assembly)= out to keep",
            ),
        )[1],
        lambda found: found is not None,
    ),
    "no oligo of a file": (
        lambda: (
            lambda one: again(
                lambda: to_csv(one.isel(row=slice(0)), Path("a.csv")),
                r"(select rows that it has)$",
                lambda _: to_csv(one.isel(row=slice(4)), Path("a.csv")),
            )
        )(library()),
        lambda path: len(pd.read_csv(path)) == 4,
    ),
    "no oligo of a report": (
        lambda: (
            lambda one: again(
                lambda: cg.report(one.isel(row=slice(0))),
                r"(select rows that it has)$",
                lambda _: cg.report(one.isel(row=slice(4))),
            )
        )(library()),
        lambda text: "oligos of 200 nt" in text,
    ),
    "flanks of barcodes in an oligo": (
        lambda: (
            lambda rules: again(
                lambda: bare(pair(4), **BARCODED, barcode_rules=rules),
                r"(leave flanks out)$",
                lambda _: bare(
                    pair(4), **BARCODED, barcode_rules=mpra.BarcodeRules(length=10)
                ),
            )
        )(mpra.BarcodeRules(length=10, flanks=("A", "C"))),
        lambda found: {len(x) for x in found["barcode"].values} == {10},
    ),
    **{
        f"a short seed, {cure}": (
            lambda cure=cure, seed=seed: then(
                barcodes,
                SEEDED | {"seeds": ("ACG",)},
                cure,
                seeds=(seed,),
            ),
            lambda found: found == barcodes(**SEEDED, seeds=("ACGTACG",)),
        )
        for cure, seed in {
            "give a seed of 6 to 8 letters": "ACGTACG",
            "or the whole miRNA": "TACGTACGTTTTTTTTTTTTTT",
        }.items()
    },
    "a distance that is none": (
        lambda: cured(
            mpra.BarcodeRules,
            {"length": 10, "distance": "edit"},
            r"use one of '\w+', ('levenshtein')",
            fill={"'levenshtein'": "distance='levenshtein'"},
        ),
        lambda rules: rules.distance == "levenshtein",
    ),
    "a flank on one side": (
        lambda: then(
            mpra.BarcodeRules,
            {"length": 10, "flanks": "ACG"},
            "give the letters before and after each barcode",
            flanks=("ACG", ""),
        ),
        lambda rules: rules.flanks == ("ACG", ""),
    ),
    "arms of other barcodes": (
        lambda: then(
            mpra.barcode_balance,
            BALANCE | {"arm": np.zeros(3, int)},
            "give one arm and one block a barcode",
            arm=BALANCE["arm"],
        ),
        lambda p: 0 < p <= 1,
    ),
    "names of arms of barcodes": (
        lambda: (
            lambda names: mpra.barcode_balance(
                **BALANCE
                | {
                    "arm": evaluated(
                        mpra.barcode_balance,
                        BALANCE | {"arm": names},
                        r"number the arms by (pandas\.factorize\(names\)\[0\])$",
                        names=names,
                        pandas=pd,
                    )
                }
            )
        )(np.where(BALANCE["arm"] == 0, "none", "GATA")),
        lambda p: p == mpra.barcode_balance(**BALANCE),
    ),
    "alternates that push a window aside": (
        lambda: (lambda n: tiles(alternates(n), insert_length=12))(
            int(
                cure_in(
                    refusal(tiles, alternates(30), insert_length=12),
                    r": (\d+) other tiles have .*; drop some of the alternates",
                )
            )
        ),
        lambda found: len(found.tiles) >= 5,
    ),
    "inserts of another library": (
        lambda: (lambda old, new: mpra.virtual_trial(renamed(old, new), oracle()))(
            *re.search(
                r"element '(\S+)' has other inserts .* another name, such as '(\S+)'$",
                refusal(mpra.virtual_trial, changed(), oracle()),
            ).groups()
        ),
        lambda found: found.sizes["unit"] == 3,
    ),
    "barcodes that make a motif": (
        lambda: cured(
            lambda adapters: bare(
                ends_in_g(),
                adapters=adapters,
                oligo_length=70 + sum(map(len, adapters)),
                barcodes_per_oligo=5,
                barcode_length=10,
                min_distance=2,
                motifs="GNNNNNNNNNNTTA",
            ),
            {"adapters": ("ACCAT", "", "TTACC")},
            r"or put other letters .*: (adapters=\(left, junction, right\))$",
            fill={"left, junction, right": "'ACCAT', 'AC', 'TTACC'"},
        ),
        lambda found: (
            not any(
                one.start() < 65 < one.start() + 13
                for x in found["oligo"].values.astype(str)
                for one in re.finditer("(?=G.{10}TTA)", x)
            )
        ),
    ),
    "barcodes that make a motif, which is taken off": (
        lambda: again(
            lambda: short_junction(motifs="NT"),
            r"or (take the motif off the list); or",
            lambda _: short_junction(),
        ),
        lambda found: found.sizes["row"] == 40 * 5,
    ),
    "backgrounds without another shuffle": (
        lambda: cured(
            lambda controls: mpra.library(
                alternating(),
                oligo_length=90,
                adapters=("AGGACCGGATCAACT", "CATTGCGTGAACCGA"),
                rng=0,
                controls=controls,
                rules=LOOSE_RULES,
            ),
            {"controls": mpra.Controls(n_scrambles=2)},
            r"(controls=cg\.mpra\.Controls\(n_scrambles=0, negatives=\.\.\.\))$",
            fill={"...": "{'mine': insert}"},
            insert=CHROMOSOME[:60],
        ),
        lambda found: (
            set(found["insert"].values[found["group"].values == "negative"])
            == {CHROMOSOME[:60]}
        ),
    ),
    "a promoter without a filler": (
        lambda: cured(
            lambda controls: rich_in_at(controls, GC),
            {"controls": mpra.Controls(n_scrambles=0, n_promoter_only=3)},
            r"Order no promoter alone, (controls=cg\.mpra\.Controls\(.*?\)),",
            fill={"n_promoter_only=0": "n_promoter_only=0, n_scrambles=0"},
        ),
        lambda found: "promoter" not in found["group"].values,
    ),
    "a promoter without a filler, and wider rules": (
        lambda: again(
            lambda: rich_in_at(mpra.Controls(n_scrambles=0, n_promoter_only=3), GC),
            r"or widen rules=cg\.mpra\.OligoRules\((gc)=\.\.\.\)",
            lambda name: rich_in_at(
                mpra.Controls(n_scrambles=0, n_promoter_only=3), {name: (0.0, 1.0)}
            ),
        ),
        lambda found: "promoter" in found["group"].values,
    ),
    "adapters that are not in the table": (
        lambda: then(
            lambda **given: bare(pair(4, length=164), barcode_length=9, **given),
            {"adapters": "crx", "barcodes_per_oligo": 2, "oligo_length": 210},
            "give them as letters",
            adapters=("AGGACCGGATCAACT", "ACGTTG", "CATTGCGTGAACCGAT"),
        ),
        lambda found: {len(x) for x in found["oligo"].values} == {210},
    ),
    "an order beyond the largest pool": (
        lambda: [
            pool_size_for(n, 200, of=vendor("agilent"))
            for n in parts_of(
                244_001,
                cure_in(
                    refusal(pool_size_for, 244_001, 200, of=vendor("agilent")),
                    r"largest pool of [^(]* \(([\d,]+); .*; split the order",
                ),
            )
        ],
        lambda sizes: len(sizes) == 2 and None not in sizes,
    ),
    "arms that shorten the insert": (
        lambda: evaluated(
            lambda: bare(shorter(cg.Delete((3, 9)))),
            {},
            r"(cg\.Delete\(\.\.\.\) \+ cg\.Insert\(filler, at=\.\.\.\)) does",
            fill={"Delete(...)": "Delete((3, 9))", "at=...": "at=3"},
            filler="ACGTAC",
        ),
        lambda made: {len(x) for x in bare(shorter(made))["insert"].values} == {60},
    ),
    "arms that scramble the insert": (
        lambda: evaluated(
            lambda: bare(shorter(cg.Delete((3, 9)))),
            {},
            r"or use cg\.Ablate or (cg\.Scramble)$",
        )((3, 9)),
        lambda made: {len(x) for x in bare(shorter(made))["insert"].values} == {60},
    ),
}
BARCODED = {
    "adapters": ("AGGACCGGATCAACT", "ACGT", "CATTGCGTGAACCGA"),
    "barcodes_per_oligo": 2,
    "oligo_length": 60 + 15 + 15 + 4 + 10,
}
BALANCE: dict[str, Any] = {
    "tokens": np.random.default_rng(0).integers(0, 4, (40, 5), np.uint8),
    "arm": np.repeat([0, 1], 20),
    "block": np.tile(np.arange(20), 2),
    "rng": 0,
}


GC = {"gc": (0.0, 0.12)}
LOOSE_RULES = mpra.OligoRules(gc=(0.0, 1.0), homopolymer=200, repeats=1.0, avoid=())


def of_strings(strings: list[str], **arms: Any) -> cg.Design:
    arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("AATAT", at=3)} | arms
    return cg.Design(null=cg.Genomic(of=strings), arms=arms, n_units=len(strings))


def letters(seed: int, n: int, among: str = "ACGT") -> str:
    return "".join(np.random.default_rng(seed).choice(list(among), n))


def ends_in_g() -> cg.Design:
    return of_strings([letters(seed, 59) + "G" for seed in range(20)])


def alternating() -> cg.Design:
    """Return a design on sequences whose only dinucleotide shuffle is themselves."""
    return of_strings(["AC" * 30, "CA" * 30])


def short_junction(**given: Any) -> xr.Dataset:
    settings = {
        "adapters": ("ACCAT", "", "TACCA"),
        "oligo_length": 80,
        "min_distance": 2,
    }
    return bare(pair(20), barcodes_per_oligo=5, barcode_length=10, **settings, **given)


def rich_in_at(controls: Any, rules: dict[str, Any]) -> xr.Dataset:
    return mpra.library(
        of_strings([letters(seed, 100, "AT") for seed in range(5)]),
        oligo_length=152,
        adapters=("ATATTATAATTATAA", "GGTACCTCTAGA", "TTATAATATATATAT"),
        rng=7,
        controls=controls,
        barcodes_per_oligo=2,
        barcode_rules=mpra.BarcodeRules(length=10),
        rules=mpra.OligoRules(
            **{"homopolymer": 200, "repeats": 1.0, "avoid": {"KpnI": 1, "XbaI": 1}}
            | rules
        ),
    )


def changed() -> xr.Dataset:
    """Return a library in which an insert was edited."""
    found = bare(pair(3))
    for name in ("insert", "oligo"):
        values = found[name].values.copy()
        own = [
            (one[:15] + "T" if name == "oligo" else "T")
            + one[16 if name == "oligo" else 1 :]
            if element.startswith("u0.")
            else one
            for one, element in zip(values, found["element"].values, strict=True)
        ]
        found = found.assign({name: ("row", np.array(own, object))})
    return found


def renamed(old: str, new: str) -> xr.Dataset:
    found = changed()
    for name in ("element", "oligo_name", "name"):
        values = [one.replace(old, new) for one in found[name].values]
        found = found.assign({name: ("row", np.array(values, object))})
    return found


def oracle() -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: x[:, 0].sum(1), tasks=["K562"], fingerprint="A"
    )


def parts_of(n: int, most: str) -> list[int]:
    largest = int(most.replace(",", ""))
    return [min(largest, n - i) for i in range(0, n, largest)]


def base(at: int) -> str:
    return "A" if CHROMOSOME[at] != "A" else "C"


def shorter(arm: Any) -> cg.Design:
    arms = {"untreated": cg.Untreated(), "short": arm}
    return cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=5)


# ---- plans
CHEAPEST: dict[str, Any] = {"half_width": 0.3, "max_oligos": 4_000}
CHEAPEST |= {"noise": mpra.NoiseModel(sd_barcode=0.4, sd_replicate=0.1, tau=0.3)}
CHEAPEST |= {"n_barcodes": [5, 10], "n_replicates": [3], "depth": [50]}
POWER = plan(noise=NOISY)


def estimates_of_models() -> xr.Dataset:
    ice = np.random.default_rng(0).normal(1, 1, (20, 1, 1, 2))
    found = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        {
            "unit": range(20),
            "contrast": ["GATA1"],
            "task": ["K562"],
            "model": ["a", "b"],
        },
    )
    return cg.estimate(found)


def by_virtual(virtual: xr.Dataset) -> xr.Dataset:
    given = {k: v for k, v in POWER.items() if k != "true_effect"}
    return mpra.power(**given, virtual=virtual, slope=1.0)


PLANS: dict[str, Case] = {
    "a number as a library": (
        lambda: cured(
            mpra.cheapest,
            CHEAPEST | {"library": 100},
            r"give cg\.(mpra\.PlannedLibrary\(n_controls=\.\.\.\))$",
            fill={"mpra.PlannedLibrary": "library=cg.mpra.PlannedLibrary", "...": "20"},
        ),
        lambda best: best["n_oligos"].item() <= 4_000,
    ),
    "half a barcode": (
        lambda: then(
            mpra.cheapest,
            CHEAPEST | {"n_barcodes": [2.5, 5]},
            "give whole numbers of at least 1",
            n_barcodes=[1, 5],
        ),
        lambda best: best["n_barcodes"].item() in (1, 5),
    ),
    "a number as a contrast": (
        lambda: cured(
            mpra.power, POWER | {"contrast": 0.05}, r"give (contrast=cg\.mpra\..*)$"
        ),
        lambda found: found.equals(mpra.power(**POWER)),
    ),
    "no effect": (
        lambda: cured(
            mpra.power,
            {k: v for k, v in POWER.items() if k != "true_effect"},
            r"give (true_effect=) \(on log2\)",
            fill={"true_effect=": "true_effect=0.3"},
        ),
        lambda found: found.equals(mpra.power(**POWER)),
    ),
    "an effect in words": (
        lambda: then(
            mpra.power,
            POWER | {"n_barcodes": "many"},
            "give a number, or a list of numbers",
            n_barcodes=[10],
        ),
        lambda found: np.allclose(found["power"], mpra.power(**POWER)["power"]),
    ),
    "no barcode": (
        lambda: cured(
            mpra.power,
            POWER | {"n_barcodes": 0},
            r"give numbers above (0)$",
            fill={"0": "n_barcodes=10"},
        ),
        lambda found: found.equals(mpra.power(**POWER)),
    ),
    "estimates of several networks": (
        lambda: again(
            lambda: by_virtual(estimates_of_models()),
            r"pick one of the dim '(model)'",
            lambda dim: by_virtual(estimates_of_models().isel({dim: 0}, drop=True)),
        ),
        lambda found: 0 < float(found["power"].mean()) <= 1,
    ),
}


# ---- what is called by another name, or is left out
def igvf(path: str, **given: Any) -> Any:
    return mpra.to_igvf(counts(), path, "reporter_experiment_barcode", **given)


def renamed_column(old: str, new: str) -> str:
    return wide(PLAIN).replace(old, new, 1)


def odd_names() -> xr.Dataset:
    found = bare(pair(3))
    names = [one.replace("u", "u #") for one in found["name"].values]
    return found.assign(name=("row", np.array(names, object)))


def with_control(name: str) -> xr.Dataset:
    return mpra.library(
        pair(4),
        oligo_length=90,
        adapters=("AGGACCGGATCAACT", "CATTGCGTGAACCGA"),
        rng=0,
        controls=mpra.Controls(n_scrambles=0, negatives={name: CHROMOSOME[:60]}),
        rules=LOOSE_RULES,
    )


def has_control(name: str) -> Callable[[xr.Dataset], bool]:
    return lambda found: any(x.startswith(name) for x in found["element"].values)


def three_arms() -> xr.Dataset:
    frame = pd.DataFrame(
        [(f"e{i}", arm, 0.1 * i) for i in range(12) for arm in ALL],
        columns=["element", "arm", "log2"],
    )
    return simulated(frame)


MORE: dict[str, Case] = {
    "a table that is not UTF-8": (
        lambda: again(
            lambda: mpra.read_igvf(latin(), "side_table"),
            r"(save it as UTF-8)$",
            lambda _: mpra.read_igvf(
                write(HERE, "s.tsv", Path("s.tsv").read_bytes().decode("latin-1")),
                "side_table",
            ),
        ),
        lambda found: found["element"].tolist() == ["\u00e9"],
    ),
    "a folder in place of a table": (
        lambda: again(
            lambda: (Path("out").mkdir(exist_ok=True), igvf("out")),
            r"(\w+) is a folder; give the path of a file$",
            lambda path: igvf(f"{path}/counts.tsv"),
        ),
        lambda path: Path("out/counts.tsv").is_file(),
    ),
    "a folder that is not there": (
        lambda: again(
            lambda: igvf("new/counts.tsv"),
            r"(\w+) is not a folder; make it first",
            lambda path: (Path(path).mkdir(), igvf("new/counts.tsv"))[1],
        ),
        lambda path: Path("new/counts.tsv").is_file(),
    ),
    "barcodes that are twice in a table": (
        lambda: again(
            lambda: mpra.read_igvf(
                write(
                    HERE, "c.tsv", COLUMNS + "\nA\ta\t1\t2\nC\ta\t1\t2\nA\ta\t9\t9\n"
                ),
                "reporter_experiment_barcode",
            ),
            r"lines \d+ and (\d+): barcode 'A' appears twice; drop or rename one",
            lambda number: (
                lambda lines: mpra.read_igvf(
                    write(
                        HERE,
                        "c.tsv",
                        "".join(x for i, x in enumerate(lines, 1) if i != int(number)),
                    ),
                    "reporter_experiment_barcode",
                )
            )(Path("c.tsv").read_text().splitlines(keepends=True)),
        ),
        lambda found: found["barcode"].tolist() == ["A", "C"],
    ),
    "names that vendors do not take": (
        lambda: again(
            lambda: to_csv(odd_names(), Path("a.csv")),
            r"\((cg\.mpra\.vendor_name) writes other characters",
            lambda named: to_csv(
                odd_names().assign(
                    name=(
                        "row",
                        np.array(
                            [eval(named)(x) for x in odd_names()["name"].values], object
                        ),
                    )
                ),
                Path("a.csv"),
            ),
        ),
        lambda path: len(pd.read_csv(path)) == 6,
    ),
    "oligos that are too long for a vendor": (
        lambda: (
            cure_in(
                refusal(pool_size_for, 100, 290, of=vendor("agilent")),
                r"or (choose another vendor)$",
            ),
            pool_size_for(100, 290, of=vendor("twist")),
        )[1],
        lambda size: size is None or size >= 100,
    ),
    "a number as adapters": (
        lambda: cured(
            mpra.library,
            {"design": pair(3), "adapters": 5, "oligo_length": 90, "rng": 0}
            | {"controls": mpra.Controls(n_scrambles=0)},
            r"give the name of a construct, \((left, right)\) or",
            fill={"left, right": "adapters=('AGGACCGGATCAACT', 'CATTGCGTGAACCGA')"},
        ),
        lambda found: {len(x) for x in found["oligo"].values} == {90},
    ),
    **{
        f"a control called {name}": (
            lambda name=name: again(
                lambda: with_control(name),
                r"(rename)",
                lambda _: with_control("mine"),
            ),
            has_control("mine"),
        )
        for name in ("2nd control", "u0")
    },
    "a library without its design": (
        lambda: evaluated(
            lambda: mpra.virtual_trial(bare(pair(3)).drop_attrs(), oracle()),
            {},
            r"take it from (cg\.mpra\.library)$",
        ),
        lambda made: (
            mpra.virtual_trial(
                made(
                    pair(3),
                    oligo_length=90,
                    adapters=("AGGACCGGATCAACT", "CATTGCGTGAACCGA"),
                    rng=0,
                    controls=mpra.Controls(n_scrambles=0),
                ),
                oracle(),
            ).sizes["unit"]
            == 3
        ),
    ),
    "effects of units as measured": (
        lambda: mpra.concordance(
            VIRTUAL,
            evaluated(
                mpra.concordance,
                {
                    "virtual": VIRTUAL,
                    "measured": cg.contrast(mpra.activity(counts()), control="ref"),
                },
                r"take them from (cg\.mpra\.fit\(counts, control=\))$",
                fill={"control=": "control='ref'"},
                counts=counts(),
            ),
            pairs={"alt": "effect"},
        ),
        lambda found: found.sizes["contrast"] == 1,
    ),
    "no row of counts": (
        lambda: again(
            lambda: read(PLAIN + "\n"),
            r"(give the table of barcode counts)$",
            lambda _: read(wide(PLAIN)),
        ),
        is_whole,
    ),
    "oligos by another name": (
        lambda: again(
            lambda: read(renamed_column("oligo_name", "CRS_id")),
            r"column '(\w+)' .* rename it (oligo_name), if its barcode, "
            r"barcode; otherwise leave it out$",
            lambda old, new: read(
                renamed_column("oligo_name", old).replace(old, new, 1)
            ),
        ),
        is_whole,
    ),
    "no column of oligos, and an assignment": (
        lambda: again(
            lambda: read(without_oligos()),
            r"or give the table of barcodes and their oligos, (assignment=)$",
            lambda _: read(without_oligos(), assignment=ASSIGNED),
        ),
        is_whole,
    ),
    "columns without DNA or RNA": (
        lambda: again(
            lambda: read(wide("barcode\toligo_name\td1\tr1\td2\tr2")),
            r"or rename columns (dna_count_)<replicate> and (rna_count_)<replicate>$",
            lambda dna, rna: read(
                wide(f"barcode\toligo_name\t{dna}1\t{rna}1\t{dna}2\t{rna}2")
            ),
        ),
        is_whole,
    ),
    "names of other replicates": (
        lambda: then(
            mpra.counts_of,
            {**CELLS, **ARRAYS, "replicates": ["A"]},
            "name each replicate once",
            replicates=["A", "B"],
        ),
        lambda found: (
            of_arrays(found) and found["replicate"].values.tolist() == ["A", "B"]
        ),
    ),
    "two names that are one in counts": (
        lambda: again(
            lambda: in_design(row("Plain 3", "test"), row("Plain_3", "test")),
            r"oligos '(Plain 3)' and 'Plain_3' are both .*; rename one$",
            lambda name: in_design(
                row(f"Other {name}", "test"), row("Plain_3", "test")
            ),
        ),
        lambda found: found["element"].values.tolist()[-1] == "Plain_3",
    ),
    "alleles that are no array": (
        lambda: again(
            lambda: in_design(
                row("Plain_3", "test", spdi='["NC_1:3:A:G', allele='["ref"]')
            ),
            r"is neither (a JSON array of texts) nor NA; correct it$",
            lambda _: in_design(
                row("Plain_3", "test", spdi='["NC_1:3:A:G"]', allele='["ref"]')
            ),
        ),
        lambda found: found["element"].values.tolist() == ["NC_1:3:A:G"],
    ),
    "a contrast without a name": (
        lambda: then(
            mpra.fit,
            {"counts": counts(), "contrasts": {"": {"alt": 1, "ref": -1}}},
            "give each a name, by which it is printed",
            contrasts={"mine": {"alt": 1, "ref": -1}},
        ),
        lambda found: right(found) and found["contrast"].values.tolist() == ["mine"],
    ),
    "elements without a name": (
        lambda: then(
            simulated,
            {"activity": table_of(None)},
            "name each element",
            activity=table_of("e0"),
        ),
        lambda found: found.sizes["oligo"] == 2,
    ),
    "an effect that is not finite": (
        lambda: again(
            lambda: of_a_fit(infinite()),
            r"(leave the unit out)",
            lambda _: of_a_fit(infinite().isel(element=slice(1, None))),
        ),
        lambda found: float(found["se"].item()) > 0,
    ),
    "several contrasts of a pilot": (
        lambda: again(
            lambda: mpra.cheapest(
                **CHEAPEST_PILOT, pilot=mpra.components(three_arms(), control="ref")
            ),
            r"give the components of one, (arm_names=\[.*\])$",
            lambda named: mpra.cheapest(
                **CHEAPEST_PILOT,
                pilot=eval(
                    f"f(counts, control='ref', {named})",
                    {"f": mpra.components, "counts": three_arms()},
                ),
            ),
        ),
        lambda best: best["n_oligos"].item() <= 4_000,
    ),
    "outcomes as virtual effects of a plan": (
        lambda: again(
            lambda: by_virtual(outcomes()),
            r"give effects from (cg\.contrast)$",
            lambda named: by_virtual(eval(named)(outcomes(), control="none")),
        ),
        lambda found: 0 < float(found["power"].mean()) <= 1,
    ),
}
CHEAPEST_PILOT = {k: v for k, v in CHEAPEST.items() if k != "noise"}


def in_design(*rows: list[str]) -> xr.Dataset:
    table = counts_in(HERE, ["Plain_3"])
    return mpra.read_counts(table, side_table=written(HERE, [*rows]))


def infinite() -> xr.Dataset:
    found = fitted().copy(deep=True)
    found["ace"][0] = np.inf
    return found


def of_a_fit(measured: xr.Dataset) -> xr.Dataset:
    virtual = effects(DRAWN)
    virtual = virtual.assign_coords(unit=[f"e{i}" for i in range(len(DRAWN))])
    return powered(virtual, measured, pairs={"alt": "GATA1"})


def table_of(name: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"element": [name] * 2, "arm": ["ref", "alt"], "log2": [0, 1.0]}
    )


def latin() -> Path:
    path = Path("s.tsv")
    text = "oligo_name\telement\tarm\tgroup\na\t\u00e9\tref\ttest\n"
    path.write_bytes(text.encode("latin-1"))
    return path


NOISED: dict[str, Case] = {
    "barcodes of which some name a sample": (
        lambda: again(
            lambda: read(wide(PLAIN, barcodes=[BARCODES[0] + "-1", *BARCODES[1:]])),
            r"end in the number of a sample .*; write all with it, or (all without)$",
            lambda _: read(wide(PLAIN, barcodes=BARCODES)),
        ),
        is_whole,
    ),
    "a variant without an oligo": (
        lambda: again(
            lambda: mapped("rs1\ta\tb", "rs2\tc\t"),
            r"row (\d+): variant 'rs2' has no oligo .*, or leave the row out$",
            lambda row: mapped(*["rs1\ta\tb", "rs2\tc\t"][: int(row) - 1]),
        ),
        lambda found: found["element"].values.tolist() == ["rs1"] * 2,
    ),
    "a plan without the noise of counts": (
        lambda: again(
            lambda: mpra.power(**plan(noise=mpra.NoiseModel(**NOISE))),
            r"or (noise=cg\.mpra\.NoiseModel\(.*, sd_count=\.\.\.\))$",
            lambda named: mpra.power(**plan(**arguments(named.replace("...", "0.3")))),
        ),
        lambda found: 0 < float(found["power"].squeeze()) < 1,
    ),
    "a plan without the noise of replicates": (
        lambda: again(
            lambda: mpra.power(**plan(noise=mpra.NoiseModel(sd_barcode=0.4), depth=9)),
            r"or give (noise=cg\.mpra\.NoiseModel\(.*sd_replicate=\.\.\.\))$",
            lambda named: mpra.power(
                **plan(depth=9, **arguments(named.replace("...", "0.1")))
            ),
        ),
        lambda found: 0 < float(found["power"].squeeze()) < 1,
    ),
}


def mapped(*rows: str) -> xr.Dataset:
    """Read counts whose side table is the map of variants of BCalm."""
    side = write(HERE, "map.txt", "\n".join(["ID\tREF\tALT", *rows, ""]))
    known = {oligo for row in rows for oligo in row.split("\t")[1:]}
    header, *lines = wide(PLAIN).splitlines()
    lines = [line for line in lines if line.split("\t")[1] in known]
    return mpra.read_counts(
        write(HERE, "experiment.tsv", "\n".join([header, *lines, ""])), side_table=side
    )


def noted_column() -> Any:
    header, *rows = wide(PLAIN).splitlines()
    text = "\n".join([f"{header}\tbatch", *(f"{row}\t1" for row in rows), ""])
    said = refusal(read, text)
    name = cure_in(said, r"column '(\w+)' is not a count of DNA or RNA; leave it out")
    table = pd.read_csv(write(HERE, "t.tsv", text), sep="\t").drop(columns=name)
    return read(table.to_csv(sep="\t", index=False, float_format="%g"))


def header_alone() -> Any:
    said = refusal(read, wide(PLAIN).splitlines()[0] + "\n")
    assert cure_in(
        said, r"no row below the header; give (the table of barcode counts)$"
    )
    return read(wide(PLAIN))


def oligos_alone() -> Any:
    counts = counts_of_all()
    said = refusal(cg.schema.validate, counts.isel(oligo=[0]), "counts")
    call = eval(
        cure_in(said, r"with their barcodes: (cg\.mpra\.filter), or"), {"cg": cg}
    )
    return cg.schema.validate(call(counts, min_barcodes=1), "counts")


def counts_of_all() -> xr.Dataset:
    return read(wide(PLAIN))


SELECTED: dict[str, Case] = {
    "a column of notes among counts": (noted_column, is_whole),
    "a header without rows": (header_alone, is_whole),
    "oligos without their barcodes": (
        oligos_alone,
        lambda found: found.sizes["oligo"] >= 1,
    ),
}


# ---- negatives, averages and plans
def with_negatives(n: int, *, named: bool) -> xr.Dataset:
    rows = [
        (f"n{i}" if named else "n", f"n{i}", 0.1 * (i % 5), "negative")
        for i in range(n)
    ]
    tests = [(f"e{i}", "alt", 0.1 * i + 3 * (i < 2), "test") for i in range(8)]
    columns = ["element", "arm", "log2", "group"]
    return simulated(pd.DataFrame(rows + tests, columns=columns))


def negatives_of_one_element() -> Any:
    said = refusal(mpra.calls, with_negatives(6, named=False))
    assert cure_in(
        said, r"are 1 element, .*; give (each sequence a name of its own) as"
    )
    found = [mpra.calls(with_negatives(6, named=True), tail="t")]
    usual = int(cure_in(said, r", or measure more negatives \((\d+) are usual\)$"))
    found.append(mpra.calls(with_negatives(usual, named=True)))
    return found


def average_of_one_element() -> Any:
    of = {"by": "motif"}
    lone = fitted().assign_coords(motif=("element", ["x"] * 11 + ["y"]))
    said = refusal(mpra.average, lone, **of)
    name = cure_in(said, r"motif '(\w)' has one element, .*; leave it out, or")
    left = mpra.average(lone.sel(element=lone["motif"] != name), **of)
    assert cure_in(said, r", or measure (more backgrounds)$")
    more = fitted().assign_coords(motif=("element", ["x"] * 9 + ["y"] * 3))
    return left, mpra.average(more, **of)


def average_of_an_effect_that_is_wrong() -> Any:
    found = []
    for column, value in {"ace": np.inf, "se": 0.0}.items():
        wrong = fitted().copy(deep=True)
        wrong[column][{"element": 3}] = value
        said = refusal(mpra.average, wrong)
        name = cure_in(said, r"element '(\w+)', .*; leave the element out, or take")
        found.append(mpra.average(wrong.drop_sel(element=name)))
        call = eval(cure_in(said, r"the fit as (cg\.mpra\.fit) returned it$"))
        found.append(mpra.average(call(counts(), control="ref")))
    return found


def plan_of_a_virtual_trial_without_a_slope() -> Any:
    given = {k: v for k, v in plan(noise=NOISY).items() if k != "true_effect"}
    power = lambda **slope: mpra.power(**given, virtual=effects(DRAWN), **slope)  # noqa: E731
    said = refusal(power)
    call = eval(cure_in(said, r"; take it from (cg\.mpra\.concordance) of an earlier"))
    earlier = call(VIRTUAL, MEASURED)["slope"].sel(line="errors_in_both").item()
    one = float(cure_in(said, r", or give (1) where the predictor's outcome is log2"))
    return [power(slope=slope)["power"].squeeze().item() for slope in (earlier, one)]


def prices_that_are_no_list() -> Any:
    said = refusal(mpra.PlannedLibrary, prices=5)
    packaged = cure_in(said, r"; give one: copy the packaged one \((.*\.toml)\) and")
    Path("mine.toml").write_text(Path(packaged).read_text())
    return mpra.PlannedLibrary(prices="mine.toml").price_list


AVERAGED: dict[str, Case] = {
    "negatives of one element": (
        negatives_of_one_element,
        lambda found: [
            np.isnan(one["q"]).sum() == n
            and one["element"].values[one["q"] < 0.05].tolist() == ["e0", "e1"]
            for one, n in zip(found, (6, 100), strict=True)
        ],
    ),
    "a group of one element": (
        average_of_one_element,
        lambda found: [
            bool((abs(one["ace"] - 1) < 3 * one["se"]).all()) for one in found
        ],
    ),
    "an effect that is no number": (
        average_of_an_effect_that_is_wrong,
        lambda found: [abs(float(one["ace"].mean()) - 1) < 0.2 for one in found],
    ),
    "a plan without a slope": (
        plan_of_a_virtual_trial_without_a_slope,
        lambda found: 0 < found[1] < found[0] <= 1,
    ),
    "prices that are no list": (
        prices_that_are_no_list,
        lambda prices: prices == mpra.PlannedLibrary().price_list,
    ),
}


# ---- libraries that others changed
C_OF_A_SEQUENCE = cg.FunctionPredictor(
    lambda x: x[:, 1].sum(1), tasks=["C"], fingerprint="C"
)


def ask(library: xr.Dataset) -> xr.Dataset:
    return mpra.virtual_trial(library, C_OF_A_SEQUENCE)


def without_arms() -> Any:
    made = library()
    plain = json.loads(made.attrs["design"])
    del plain["arms"]
    said = refusal(ask, made.assign_attrs(design=json.dumps(plain)))
    call = eval(cure_in(said, r"take the library from (cg\.mpra\.library)$"))
    assert call is mpra.library
    return ask(library())


def with_an_arm(name: str) -> xr.Dataset:
    made = library()
    arms = made["arm"].values.astype(str)
    arms[0] = name
    return made.assign(arm=("row", arms.astype(object)))


def an_arm_that_the_design_has_not() -> Any:
    wrong, right = with_an_arm("GATA1"), library()
    said = refusal(ask, wrong)
    assert cure_in(said, r"arm '(\w+)' is not one of .*; correct the arm, or")
    assert cure_in(said, r"is not one of the design's: .*(GATA)")
    element = wrong["element"].values[0]
    left = ask(wrong.sel(row=(wrong["element"] != element).values))
    whole = ask(with_an_arm(str(right["arm"].values[0])))
    assert left["outcome"].equals(whole["outcome"].drop_sel(unit=element))
    return whole


def an_insert_that_is_missing() -> Any:
    right = library()
    wrong = right.isel(row=slice(1, None))
    said = refusal(ask, wrong)
    name = cure_in(said, r"element '(\S+)' has 0 inserts in arm .*: leave the element")
    left = ask(wrong.sel(row=(wrong["element"] != name).values))
    assert cure_in(said, r", or (correct its rows)$")
    whole = ask(right)
    assert left["outcome"].equals(whole["outcome"].drop_sel(unit=name))
    return whole


def names_in_place_of_numbers() -> Any:
    table = pd.DataFrame(
        {"chrom": ["chr1"], "pos": [201], "ref": [CHROMOSOME[200]], "alt": ["A"]}
    ).assign(alt="A" if CHROMOSOME[200] != "A" else "C")
    tiles = lambda **given: mpra.variant_tiles(  # noqa: E731
        table, "genome.fa", insert_length=100, **given
    )
    said = refusal(library, vendor=300)
    name = cure_in(said, r"300 is no vendor; give the name of one \(.*(twist).*\), or")
    found = (
        library(vendor=name),
        library(
            **arguments(
                cure_in(said, r", or leave (vendor=) out").rstrip("=") + "=None"
            )
        ),
    )
    said = refusal(tiles, assembly=38)
    name = cure_in(said, r"38 is no assembly; give the name of one \(.*(GRCh38)\), or")
    assert tiles(assembly=name).tiles[0].name.startswith("NC_000001.11:200:")
    assert cure_in(said, r", or leave assembly= out: (chromosomes keep their names)$")
    assert tiles().tiles[0].name.startswith("chr1:200:")
    return found


def rows_that_are_no_variants() -> Any:
    letters = [CHROMOSOME[200], CHROMOSOME[220]]
    right = pd.DataFrame(
        {"chrom": "chr1", "pos": [201, 221], "ref": letters}, dtype=object
    ).assign(alt=["A" if one != "A" else "C" for one in letters])
    tiles = lambda table, **given: mpra.variant_tiles(  # noqa: E731
        table, "genome.fa", insert_length=100, **given
    )
    names = [one.name for one in tiles(right).tiles]
    assert len(names) == 2
    wrongs = {"pos": ("ten", 20.5, 0, None), "alt": ("<DEL>", "*", "N")}
    for column, values in wrongs.items():
        for value in values:
            table = right.copy()
            table.loc[1, column] = value
            said = refusal(tiles, table)
            row = int(cure_in(said, r"^variants: row (\d) \(chr1:"))
            assert cure_in(
                said, r"[:;] (?:correct it, or )?(drop the (?:row|variant)), or"
            )
            skip = arguments(
                cure_in(said, r", or leave such rows out by (skip='\w+')$")
            )
            for left in (tiles(table.drop(index=row - 1)), tiles(table, **skip)):
                assert [one.name for one in left.tiles] == names[:1]
            table.loc[row - 1, column] = right.loc[row - 1, column]
            assert [one.name for one in tiles(table).tiles] == names
    return True


def sites_that_adapters_have_not() -> Any:
    rules = mpra.OligoRules(avoid={"KpnI": 1})
    said = refusal(library, rules=rules)
    letters = cure_in(said, r"1 site of KpnI \((\w+)\) in the constant parts")
    assert cure_in(said, r"and they have 0; (correct the adapters), or")
    left, right = ADAPTERS
    cut = library(rules=rules, adapters=(left[:14] + letters, right))
    named = arguments(cure_in(said, r"the number that is there, (rules=.*)$"), cg=cg)
    return cut, library(**named)


CHANGED: dict[str, Case] = {
    "a design without arms": (without_arms, lambda found: found.sizes["arm"] == 2),
    "an arm of no design": (
        an_arm_that_the_design_has_not,
        lambda found: found["outcome"].equals(ask(library())["outcome"]),
    ),
    "an insert that is missing": (
        an_insert_that_is_missing,
        lambda found: found.sizes["unit"] == 6,
    ),
    "numbers in place of names": (
        names_in_place_of_numbers,
        lambda found: found[0]["oligo"].equals(found[1]["oligo"]),
    ),
    "rows that are no variants": (rows_that_are_no_variants, bool),
    "sites that adapters lack": (
        sites_that_adapters_have_not,
        lambda found: [
            one["oligo"].str.count("GGTACC").values.tolist() == [n] * one.sizes["row"]
            for one, n in zip(found, (1, 0), strict=True)
        ],
    ),
}


# ---- layouts of tables
def table_without_rows() -> Any:
    header = "Barcode,Oligo,DNA_1,RNA_1,DNA_2,RNA_2"
    said = refusal(read, f"{header}\n")
    assert cure_in(said, r"; give the (table of barcode counts)$")
    return read(wide(header, ","))


def kinds_in_files_of_their_own() -> Any:
    for name, column in (("d.tsv", DNA), ("r.tsv", RNA)):
        rows = [f"{b}\t{x[0]}" for b, x in zip(BARCODES, column, strict=True)]
        write(HERE, name, "\n".join(["barcode\tcount", *rows, ""]))
    text = "condition\treplicate\tdna\trna\nK562\t1\td.tsv\tr.tsv\n"
    path = write(HERE, "experiment.tsv", text)
    said = refusal(mpra.read_counts, path, side_table=SIDE)
    name = cure_in(said, r"give the table of barcodes and their oligos, (\w+)=$")
    return mpra.read_counts(path, side_table=SIDE, **{name: ASSIGNED})


def matrix_of_barcodes() -> Any:
    names = "\t".join(f"DNA_X_1_{i}" for i in range(1, 4))
    said = refusal(read, f"seq_id\t{names}\na\t10\t4\t0\nb\t7\t9\t0\n")
    assert cure_in(
        said, r"give the table .*, with (a row for each barcode) \(of esMPRA"
    )
    guide = Path(__file__).parents[1] / cure_in(said, r"see (docs/\S+\.md)\)$")
    assert "esMPRA" in guide.read_text()
    return read(wide(PLAIN))


def replicates_that_are_named_twice() -> Any:
    rows = [
        f"{b}\t{o}\t1\t{d[0]}\t{r[0]}"
        for b, o, d, r in zip(BARCODES, OLIGOS, DNA, RNA, strict=True)
    ]
    found = []
    for first in ("barcode\toligo_name", "Barcode\tOligo"):
        header = f"{first}\treplicate\tdna_count_1\trna_count_1"
        lines = [header, *rows]
        while "_1" in lines[0]:
            said = refusal(read, "\n".join([*lines, ""]))
            old, new = re.findall(r"'(\w+_1)'; rename the latter (\w+), or", said)[0]
            lines[0] = lines[0].replace(old, new)
        found.append(read("\n".join([*lines, ""])))
        name = cure_in(said, r", or leave '(\w+)' out$")
        cells = [line.split("\t") for line in [header, *rows]]
        at = cells[0].index(name)
        shorter = ["\t".join(row[:at] + row[at + 1 :]) for row in cells]
        found.append(read("\n".join([*shorter, ""])))
    return found


def effects_without_a_name() -> Any:
    said = refusal(mpra.concordance, VIRTUAL, MEASURED.assign(element=None))
    assert cure_in(
        said, r"row 1 of the table has no (\w+); effects are matched by name"
    )
    bare = MEASURED.copy()
    bare.loc[4, "element"] = ""
    said = refusal(mpra.concordance, VIRTUAL, bare)
    row = int(cure_in(said, r"row (\d) of the table .*: name it, or leave it out$"))
    named = bare.copy()
    named.loc[row - 1, "element"] = "e4"
    left = mpra.concordance(VIRTUAL, bare.drop(index=row - 1))
    assert left.sizes["element"] == len(MEASURED) - 1
    assert slope_is_two(left)
    return mpra.concordance(VIRTUAL, named)


LAID_OUT: dict[str, Case] = {
    "a table without rows": (table_without_rows, is_whole),
    "files of barcodes alone": (kinds_in_files_of_their_own, first_replicate),
    "a matrix of barcodes": (matrix_of_barcodes, is_whole),
    "replicates that are named twice": (
        replicates_that_are_named_twice,
        lambda found: [first_replicate(one) for one in found],
    ),
    "effects without a name": (
        effects_without_a_name,
        lambda found: slope_is_two(found) and found.sizes["element"] == len(MEASURED),
    ),
}


CASES = COMPARED | COUNTED | FITTED | LIBRARIES | PLANS | MORE | NOISED | SELECTED
CASES |= AVERAGED | CHANGED | LAID_OUT


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_the_bench_is_applied_and_succeeds(case: str) -> None:
    attempt, holds = CASES[case]
    assert np.all(holds(attempt()))

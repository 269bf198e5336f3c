"""Tables, libraries, fits and plans of the bench that would be read, ordered or compared
as something else.
"""

from __future__ import annotations

import gzip
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from assay import library_of, simulated_counts, with_noise

import causalgia as cg
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
    SequenceError,
)
from causalgia.mpra.counts import counts_of
from causalgia.mpra.formats.orders import two_arms
from causalgia.sequences import Variant

from . import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")


def place(name: str) -> Path:
    """Return a path in a folder of its own, which ends with the tests."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name)) / name


def written(content: str | bytes, name: str) -> Path:
    path = place(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---- tables of counts ----------------------------------------------------------------

SIDE = pd.DataFrame(
    {
        "oligo_name": ["a", "b"],
        "element": ["u1", "u1"],
        "arm": ["control", "treated"],
        "group": ["test", "test"],
    }
)
HEADER = "barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2\n"
TABLE = (
    f"{HEADER}AAA\ta\t10\t20\t12\t\nCCC\ta\t4\t0\t\t\n"
    "GGG\tb\t7\t9\t0\t3\nTTT\tb\t\t5\t6\t8\n"
)
LONG = "barcode\toligo_name\treplicate\tdna_count\trna_count\n"


def read(text: str | bytes, side: Any = SIDE, **settings: Any) -> xr.Dataset:
    name = "counts.tsv" if isinstance(text, str) else "counts.tsv.gz"
    if isinstance(side, str):
        side = written(side, "side.tsv")
    return cg.mpra.read_counts(written(text, name), side_table=side, **settings)


def changed(old: str, new: str) -> str:
    assert old in TABLE
    return TABLE.replace(old, new, 1)


TABLES = {
    "an oligo that is not in the side table": (changed("GGG\tb", "GGG\tz"), "line 4"),
    "a barcode of two oligos": (changed("GGG\tb", "AAA\tb"), "line 4"),
    "a barcode twice": (changed("CCC\ta", "AAA\ta"), "line 3"),
    "a count below 0": (changed("\t7\t", "\t-7\t"), "line 4"),
    "a normalized count": (changed("\t9\t", "\t9.5\t"), "line 4"),
    "a count of text": (changed("\t9\t", "\tnine\t"), "line 4"),
    "more reads than are exact": (
        changed("\t7\t", "\t99999999999999999999\t"),
        "line 4",
    ),
    "commas between thousands": (changed("\t20\t", "\t1,020\t"), "line 2"),
    "a line of comments": (f"# of HepG2\n{TABLE}", "line 2"),
    "tabs that were stripped": (
        changed("CCC\ta\t4\t0\t\t\n", "CCC\ta\t4\t0\n"),
        "line 3",
    ),
    "a cell more": (changed("\t8\n", "\t8\t1\n"), "line 5"),
    "a blank line": (changed("CCC", "\nCCC"), "line 3"),
    "a barcode of other letters": (changed("GGG", "GXG"), "line 4"),
    "a replicate without RNA": (changed("dna_count_2", "dna_count_3"), "rna"),
    "a column that is no count": (changed("rna_count_2", "gc"), "gc"),
    "two columns that may be oligos": (
        "SNP\talias\tDNA_1\tRNA_1\na\tc\t1\t2\nb\td\t1\t2\n",
        "alias",
    ),
    "columns that are no counts": (
        "total\ttotal_0\tletters\n9\t4\tACGTAC\n7\t1\tACGTAA\n",
        "'total', 'total_0'",
    ),
    "more replicates of DNA than of RNA": (
        f"{HEADER.replace('rna_count_1', 'dna_count_3')}AAA\ta\t10\t20\t12\t7\n",
        "DNA and no RNA",
    ),
    "a column twice": (changed("dna_count_2", "dna_count_1"), "dna_count_1"),
    "a replicate twice": (changed("dna_count_2", "dna_counts_1"), "dna"),
    "no row": (HEADER, "counts.tsv"),
    "no read of a replicate": (
        f"{HEADER}AAA\ta\t0\t1\t2\t3\nCCC\tb\t0\t1\t2\t3\n",
        "DNA",
    ),
    "a long table with a row twice": (f"{LONG}AAA\ta\t1\t2\t3\nAAA\ta\t1\t2\t3\n", "3"),
    "a long table without a replicate": (f"{LONG}AAA\ta\t\t2\t3\n", "line 2"),
    "barcodes of several wells": (
        re.sub(
            r"(?m)^([ACGT]{3})", lambda at: f"{at[1]}-{1 + (at[1] == 'CCC')}", TABLE
        ),
        "AAA-1",
    ),
    "two columns that may name oligos": (
        "Barcode\tname\toligo\tdna_count_1\trna_count_1\nAAA\ta\ta\t1\t2\n",
        "oligo",
    ),
    "normalized DNA": ("oligo_name\tdna_normalized\trna_counts\na\t1.5\t3\n", "dna"),
    "an oligo of sums twice": ("Oligo,DNA_1,RNA_1\na,1,2\nb,3,2\na,1,2\n", "line 4"),
    "columns none of which says RNA": (
        "Barcode\tOligo\tplasmid_r1\tK562_r1\nAAA\ta\t1\t2\n",
        "RNA",
    ),
    "a quotation mark that is not closed": (
        f'{HEADER.replace("barcode", "Barcode")}"{"A" * 140_000}',
        "quot",
    ),
}
READS = [
    Row(f"a table with {name}", lambda text=text: read(text), DataError, where)
    for name, (text, where) in TABLES.items()
]
DESIGN = "\t".join(
    [
        *("name", "sequence", "category", "class", "source", "ref", "chr", "start"),
        *("end", "strand", "variant_class", "variant_pos", "SPDI", "allele", "info"),
    ]
)


def designed(name: str, kind: str, spdi: str = "NA", allele: str = "NA") -> str:
    cells = [name, "ACGTACGT", "variant", kind, "lab", "GRCh38", "chr1", "0", "8", "+"]
    variant = ['["SNV"]', "[3]"] if spdi != "NA" else ["NA", "NA"]
    return "\t".join([*cells, *variant, spdi, allele, ""]) + "\n"


def from_design(*rows: str) -> xr.Dataset:
    counts = "barcode\toligo_name\tdna_count_1\trna_count_1\nAAA\ta\t9\t8\n"
    return read(counts, f"{DESIGN}\n{''.join(rows)}")


COLUMNS = "Barcode\tOligo\tplasmid\tK562_RNA_1\tHepG2_RNA_1\nACGTAC\ta\t9\t5\t6\n"
REPLICATE = "ACGT\t3\t4\nACGA\t5\t6\n"
VARIANTS = "ACGT \nACGA T:3:C>G\n"


def replicates(text: str = REPLICATE, **settings: Any) -> xr.Dataset:
    files = [written(text, f"HepG2_{r}_counts.tsv") for r in (1, 2)]
    files = dict(zip("12", settings.pop("files", files), strict=True))
    assigned = settings.pop("assignment", pd.DataFrame({"b": ["ACGT"], "o": ["a"]}))
    return cg.mpra.read_counts(
        files,
        side_table=SIDE,
        assignment=assigned.set_axis(["barcode", "oligo"], axis=1),
    )


def of_variants(text: str, **settings: Any) -> xr.Dataset:
    path = written(text, "T.variants.txt")
    counts = "ACGT\t3\t4\nACGA\t5\t6\nACAA\t5\t6\n"
    files = {r: written(counts, f"T_{r}_counts.tsv") for r in "12"}
    return cg.mpra.read_counts(files, side_table=path, assignment=path, **settings)


SAME = written(REPLICATE, "HepG2_1_counts.tsv")
READS += [
    Row(
        "a table of letters that are not UTF-8",
        lambda: read(gzip.compress(changed("\ta\t", "\t\xe9\t").encode("latin1"))),
        DataError,
        "line 2",
    ),
    Row(
        "a table that is cut short",
        lambda: read(gzip.compress(TABLE.encode())[:-9]),
        DataError,
        "counts.tsv.gz",
    ),
    Row(
        "a side table with an oligo twice",
        lambda: read(TABLE, pd.concat([SIDE, SIDE[:1]])),
        DataError,
        "a",
    ),
    Row(
        "a side table with an empty arm",
        lambda: read(TABLE, SIDE.assign(arm=["control", ""])),
        DataError,
        "row 2",
    ),
    Row(
        "a side table whose row has a cell more",
        lambda: read(TABLE, "oligo_name\telement\tarm\na\tu1\tcontrol\textra\n"),
        DataError,
        "line 2",
    ),
    Row(
        "labels that do not say which control",
        lambda: read(TABLE, "a\tHNF4A\nb\tcontrol\n"),
        DataError,
        "control",
    ),
    Row(
        "barcodes given for a side table",
        lambda: read(TABLE, "AACCGGTT\ta\nGGTTAACC\tb\n"),
        DataError,
        "barcodes",
    ),
    Row(
        "a design of an unknown class",
        lambda: from_design(designed("a", "sometimes")),
        DataError,
        "sometimes",
    ),
    Row(
        "a design of two variants in an oligo",
        lambda: from_design(
            designed("a", "test", '["NC_1:3:A:G","NC_1:3:A:T"]', '["ref","ref"]')
        ),
        DataError,
        "a",
    ),
    Row(
        "a design whose names are one in counts",
        lambda: from_design(designed("a b", "test"), designed("a_b", "test")),
        DataError,
        "a_b",
    ),
    Row(
        "a fit of two cell types",
        lambda: cg.mpra.fit(read(COLUMNS, SIDE[:1]), control="a"),
        DataError,
        "HepG2",
    ),
    Row(
        "an assignment of a table that names its oligos",
        lambda: read(TABLE, assignment=pd.DataFrame({"bc": ["AAA"], "oligo": ["a"]})),
        DataError,
        "assignment",
    ),
    Row(
        "a design that fits no row",
        lambda: read(TABLE, SIDE.assign(oligo_name=["y", "z"]), drop_unknown=True),
        DataError,
        "line 2",
    ),
    *(
        Row(
            f"batches of which {what}",
            lambda batch=batch: read(TABLE, batch=batch),
            DataError,
            "batch",
        )
        for what, batch in {
            "one lacks a replicate": {"1": "x"},
            "one has an unknown replicate": {"1": "x", "2": "x", "3": "y"},
            "two have one replicate": pd.DataFrame(
                {"replicate": ["1", "2", "2"], "batch": ["x", "x", "y"]}
            ),
            "a column is absent": pd.DataFrame({"replicate": ["1", "2"]}),
        }.items()
    ),
    Row(
        "a batch of two conditions",
        lambda: cg.mpra.conditions(
            read(COLUMNS, SIDE[:1], batch={"K562_1": "x", "HepG2_1": "x"}),
            control="K562",
        ),
        DataError,
        "several",
    ),
    *(
        Row(
            f"a plan of {one} alone",
            lambda given=given: cg.mpra.PlannedContrast(**given),
            EstimateError,
            "go together",
        )
        for one, given in (("q", {"q": 0.05}), ("a share", {"share_true": 0.2}))
    ),
    Row(
        "one file for two replicates",
        lambda: replicates(files=[SAME, SAME]),
        DataError,
        "HepG2_1_counts.tsv",
    ),
    Row(
        "an assignment of a barcode to two oligos",
        lambda: replicates(
            assignment=pd.DataFrame({"b": ["ACGT", "ACGT"], "o": ["a", "b"]})
        ),
        DataError,
        "ACGT",
    ),
    Row(
        "an assignment of other barcodes",
        lambda: replicates(assignment=pd.DataFrame({"b": ["TTTT"], "o": ["a"]})),
        DataError,
        "barcodes",
    ),
    Row(
        "a wrong cell of a replicate",
        lambda: replicates("ACGT\t3\t4\nACGA\t5\t6.5\n"),
        DataError,
        "line 2",
    ),
    Row(
        "a barcode with two lists of variants",
        lambda: of_variants(f"{VARIANTS}ACGA T:3:C>G T:5:A>C\n"),
        DataError,
        "ACGA",
    ),
    Row(
        "variants of several regions",
        lambda: of_variants(f"{VARIANTS}ACAA L:3:C>G\n", drop_unknown=True),
        DataError,
        "regions",
    ),
]


def arrays(**changes: Any) -> xr.Dataset:
    given = {
        "dna": [[1], [2]],
        "rna": [[1], [2]],
        "barcodes": ["AA", "CC"],
        "oligos": ["a", "b"],
        "side_table": SIDE,
    } | changes
    return counts_of(given.pop("dna"), given.pop("rna"), **given)


READS += [
    Row("a count of 1.5", lambda: arrays(dna=[[1.5], [2]]), DataError, "AA"),
    Row("a count of -2", lambda: arrays(rna=[[1], [-2]]), DataError, "CC"),
    Row("RNA of one barcode", lambda: arrays(rna=[[1]]), DataError, "rna"),
    Row("an unknown oligo", lambda: arrays(oligos=["a", "z"]), DataError, "z"),
    Row("oligos of one barcode", lambda: arrays(oligos=["a"]), DataError, "2"),
]

# ---- simulations, filters, activities, calls, fits -----------------------------------


def truth(n: int = 6, effect: float = 1.0, **columns: Any) -> pd.DataFrame:
    """Activities of n elements under two arms, 0 and the effect."""
    log2 = np.column_stack([np.zeros(n), np.full(n, effect)]).ravel()
    names = np.repeat([f"u{i:04d}" for i in range(n)], 2)
    return pd.DataFrame(
        {"element": names, "arm": ["control", "treated"] * n, "log2": log2} | columns
    )


def simulated(activity: pd.DataFrame | None = None, **settings: Any) -> xr.Dataset:
    activity = truth() if activity is None else activity
    return simulated_counts(
        activity, **{"n_barcodes": 4, "n_replicates": 3, "rng": 0} | settings
    )


def of_one_arm_twice() -> xr.Dataset:
    names = ["a", "b", "c", "d"]
    return simulated(
        truth(2, oligo_name=names, arm=["control"] * 3 + ["treated"]), n_barcodes=2
    )


def fit(counts: xr.Dataset | None = None, **asked: Any) -> xr.Dataset:
    counts = simulated() if counts is None else counts
    return cg.mpra.fit(counts, **{"control": "control", "method": "two_way"} | asked)


def of_no_element(name: str) -> xr.Dataset:
    counts = simulated()
    labels = counts[name].to_numpy().astype(object)
    labels[3] = None
    return counts.assign_coords({name: ("oligo", labels)})


def under_two_conditions(*, letters: bool) -> xr.Dataset:
    """Return one library in two conditions, of which the second has other sizes."""
    rng = np.random.default_rng(3)
    n, each = 40, 8
    abundance = rng.gamma(2, 30, n * each)
    names = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(n * each)]
    pool = rng.poisson(abundance)
    dna, rna, barcodes = [], [], []
    for condition, depth in (("A", 1.0), ("B", 3.0)):
        dna.append(pool)
        rna.append(rng.poisson(abundance[:, None] * depth * np.ones(3)))
        barcodes += [
            f"{name}_{condition}" if letters else f"{condition}{i}"
            for i, name in enumerate(names)
        ]
    elements = np.repeat([f"e{i}" for i in range(n)], each)
    side = pd.DataFrame(
        {
            "oligo_name": [f"e{i}{c}" for c in "AB" for i in range(n)],
            "element": [f"e{i}" for _ in "AB" for i in range(n)],
            "arm": ["A"] * n + ["B"] * n,
        }
    )
    return counts_of(
        np.concatenate(dna),
        np.concatenate(rna),
        barcodes=barcodes,
        oligos=[f"{e}{c}" for c in "AB" for e in elements],
        side_table=side,
    )


def of_own_libraries() -> xr.Dataset:
    """Return two arms with unrelated barcodes, of libraries of their own."""
    rng = np.random.default_rng(0)
    n, each, R = 40, 10, 3
    of = np.repeat(np.arange(2 * n), each)
    arm = of % 2
    abundance = rng.gamma(2, 20, len(of)) * np.where(arm, 0.5, 1.0)
    dna, rna = (
        rng.poisson(
            abundance[:, None]
            * 2 ** rng.normal(0, 0.8, (2, R))[arm]
            * rng.gamma(10, 0.1, (len(of), R))
        )
        for _ in range(2)
    )
    side = pd.DataFrame(
        {
            "oligo_name": [f"o{i}" for i in range(2 * n)],
            "element": [f"e{i // 2}" for i in range(2 * n)],
            "arm": ["A", "B"] * n,
        }
    )
    return counts_of(
        dna,
        rna,
        barcodes=[f"b{i}" for i in range(len(of))],
        oligos=[f"o{i}" for i in of],
        side_table=side,
    )


def sums_for_each_barcode() -> xr.Dataset:
    counts = simulated(truth(20), n_barcodes=6, p_missing=0)
    first = counts["oligo_index"].to_numpy()
    same = counts.isel(barcode=np.searchsorted(first, first))
    return same.assign_coords(barcode=counts["barcode"])


def two_negatives() -> xr.Dataset:
    table = pd.DataFrame(
        {
            "element": ["n1", "n2", *(f"e{i}" for i in range(6))],
            "arm": "a",
            "group": ["negative"] * 2 + ["test"] * 6,
            "log2": 0.0,
        }
    )
    return cg.mpra.simulate(table, rng=0)


@cache
def effects() -> xr.Dataset:
    return cg.contrast(cg.mpra.outcomes(simulated()), control="control")


@cache
def fitted() -> xr.Dataset:
    table = truth(8, group=["test"] * 12 + ["negative"] * 4)
    return fit(simulated(table, sd_barcode=0.3))


def averaged(element: int | None = None, of: str = "ace", value: float = 0.0) -> Any:
    found = fitted().copy(deep=True)
    if element is not None:
        found[of].values[element, 0] = value
    return cg.mpra.average(found, by=None)


FITS = [
    Row(
        "an activity of nan",
        lambda: simulated(truth(log2=np.nan)),
        DataError,
        "log2",
    ),
    Row(
        "an activity of 2^200",
        lambda: simulated(truth(log2=200.0)),
        DataError,
        "log2",
    ),
    Row(
        "two activities of an oligo",
        lambda: simulated(truth(oligo_name="a")),
        DataError,
        "a",
    ),
    Row(
        "noise that a simulation does not have",
        lambda: simulated(sd_count=0.5),
        DataError,
        "sd_count",
    ),
    Row(
        "a share for planning in a simulation",
        lambda: simulated(missing=0.5),
        DataError,
        "missing",
    ),
    Row("fractions of barcodes", lambda: simulated(n_barcodes=2.5), DataError),
    Row(
        "a filter that leaves nothing",
        lambda: cg.mpra.filter(simulated(), min_dna=1e9),
        DataError,
        "min_dna",
    ),
    Row(
        "a filter that leaves no element",
        lambda: cg.mpra.filter(simulated(), min_barcodes=99),
        DataError,
        "min_barcodes",
    ),
    Row("a filter without a rule", lambda: cg.mpra.filter(simulated()), DataError),
    Row(
        "activities of two oligos in an arm",
        lambda: cg.mpra.outcomes(of_one_arm_twice(), arm_names=["control"]),
        DataError,
        "u0000",
    ),
    Row(
        "activities against two negatives",
        lambda: cg.mpra.activity(two_negatives()),
        DataError,
        "negative",
    ),
    Row(
        "activities against a group that is not there",
        lambda: cg.mpra.activity(two_negatives(), negative="scrambled"),
        DataError,
        "negative",
    ),
    Row(
        "a quantile of activities above 1",
        lambda: cg.mpra.activity(two_negatives(), above=97.5),
        DataError,
        "above",
    ),
    Row(
        "tiles wider than their region",
        lambda: cg.experiments.tiling("ACGT" * 10, 50, 10),
        DesignError,
        "width",
    ),
    Row(
        "measured effects of these units alone",
        lambda: cg.estimate(effects(), target="units"),
        EstimateError,
        "target",
    ),
    Row(
        "measured effects of one replicate",
        lambda: cg.estimate(effects().isel(model=[0])),
        EstimateError,
        "replicate",
    ),
    Row(
        "networks as replicates",
        lambda: cg.estimate(
            effects().assign_attrs(model_is="networks"),
            target="population x replicates",
        ),
        EstimateError,
        "replicates",
    ),
    Row(
        "a fit of weights that sum to 2",
        lambda: fit(control=None, contrasts={"x": {"treated": 1, "control": 1}}),
        EstimateError,
        "2",
    ),
    Row(
        "a fit of two questions",
        lambda: fit(contrasts={"x": {"treated": 1, "control": -1}}),
        EstimateError,
        "control",
    ),
    Row("a fit at 95", lambda: fit(ci_prob=95), EstimateError, "ci_prob"),
    Row(
        "a fit of one replicate",
        lambda: fit(simulated(n_replicates=1)),
        EstimateError,
        "replicates",
    ),
    Row(
        "a fit of one barcode each",
        lambda: fit(simulated(n_barcodes=1, p_missing=0.0)),
        EstimateError,
        "barcodes",
    ),
    Row(
        "a fit of nothing that repeats",
        lambda: fit(
            simulated(n_barcodes=1, n_replicates=1, p_missing=0.0),
            method="hierarchical",
        ),
        DataError,
    ),
    Row(
        "a fit of reads below 0",
        lambda: fit(simulated().assign(rna=simulated()["rna"] - 1_000)),
        DataError,
        "rna",
    ),
    Row(
        "a fit of totals below 0",
        lambda: fit(simulated().assign(dna_total=-simulated()["dna_total"])),
        DataError,
        "dna_total",
    ),
    Row(
        "a fit of no barcode",
        lambda: fit(simulated().isel(barcode=[])),
        DataError,
        "barcode",
    ),
    Row(
        "a fit of an oligo of no element",
        lambda: fit(of_no_element("element")),
        DataError,
        "element",
    ),
    Row(
        "a fit of oligos without their barcodes",
        lambda: fit(simulated().isel(oligo=slice(0, 4))),
        DataError,
        "oligo_index",
    ),
    Row(
        "a fit of conditions with the same barcodes",
        lambda: fit(under_two_conditions(letters=True), control="A"),
        DataError,
        "A",
    ),
    Row(
        "a fit of one pool under two names",
        lambda: fit(under_two_conditions(letters=False), control="A"),
        DataError,
        "DNA",
    ),
    Row(
        "a fit of arms of their own libraries",
        lambda: fit(of_own_libraries(), control="A"),
        DataError,
        "A",
    ),
    Row(
        "a fit of sums repeated for each barcode",
        lambda: fit(sums_for_each_barcode()),
        DataError,
        "6",
    ),
    Row(
        "an average of controls alone",
        lambda: cg.mpra.average(
            fitted().isel(element=fitted()["group"].values == "negative"), by=None
        ),
        EstimateError,
        "group",
    ),
    Row(
        "an average of a group of one",
        lambda: cg.mpra.average(fitted().isel(element=[0, 6, 7])),
        EstimateError,
        "test",
    ),
    Row(
        "an average of an element without a group",
        lambda: cg.mpra.average(
            fitted().assign_coords(motif=("element", [None] + ["x"] * 7)), by="motif"
        ),
        DataError,
        "motif",
    ),
    Row(
        "an average of a se of nan",
        lambda: averaged(2, "se", np.nan),
        EstimateError,
        "u0002",
    ),
    Row(
        "an average of a se of -1",
        lambda: averaged(2, "se", -1.0),
        EstimateError,
        "u0002",
    ),
    Row(
        "an average of an effect of 1e200",
        lambda: averaged(2, "ace", 1e200),
        EstimateError,
        "u0002",
    ),
    Row(
        "an average of two fits put together",
        lambda: cg.mpra.average(
            xr.concat([fitted(), fitted()], "element", data_vars="all")
        ),
        DataError,
    ),
    Row(
        "an average whose replicates share nan",
        lambda: cg.mpra.average(
            fitted().assign(replicate_shift=fitted()["replicate_shift"] * np.nan)
        ),
        DataError,
        "replicate_shift",
    ),
]

# ---- orders --------------------------------------------------------------------------

LENTI = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
BARCODED = (LENTI[0], "", LENTI[1])


def pair(n_units: int = 10, *, length: int = 60, arms: Any = None) -> cg.Design:
    arms = arms or {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
    return cg.Design(null=cg.Uniform(length=length), arms=arms, n_units=n_units)


def order(design: cg.Design | None = None, **options: Any) -> xr.Dataset:
    """Return a library without controls; its rules are those that a row names."""
    design = design or pair()
    asked = {
        "n_scrambles": 0,
        "n_duplicates": 0,
        "n_promoter_only": 0,
        "avoid": (),
        "gc": (0.0, 1.0),
        "homopolymer": 200,
        "repeats": 1.0,
        "adapters": LENTI,
        "rng": 7,
    } | options
    ends = (
        30 if isinstance(asked["adapters"], str) else sum(map(len, asked["adapters"]))
    )
    asked.setdefault("oligo_length", design.null.length + ends)
    return library_of(design, **asked)


def barcoded(**options: Any) -> xr.Dataset:
    return order(
        **{
            "adapters": BARCODED,
            "barcodes_per_oligo": 2,
            "barcode_length": 10,
            "oligo_length": 100,
            **options,
        }
    )


def cloned(adapters: tuple[str, str, str], avoid: Any, length: int = 60) -> xr.Dataset:
    return order(
        adapters=adapters,
        avoid=avoid,
        barcodes_per_oligo=2,
        barcode_length=10,
        oligo_length=length + sum(map(len, adapters)) + 10,
    )


def opposite(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


ONE = "ACGGT" * 12
LONG_ARMS = {"untreated": cg.Untreated(), "short": cg.Delete((3, 9))}


def with_cell(name: str, row: int, value: Any) -> xr.Dataset:
    library = two_arms()
    cells = library[name].values.astype(object)
    cells[row] = value
    return library.assign({name: ("row", cells)})


def barcodes(n: int = 3, **rules: Any) -> list[str]:
    from causalgia.mpra.libraries.barcode_sets import barcodes

    return barcodes(n, **{"length": 8, "rng": 0} | rules)


def content(length: int) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / length, scale="share")


NOWHERE = cg.FunctionPredictor(lambda x: x[:, 0].sum(1) * np.nan, scale="share")

ORDERS = [
    Row("a barcode longer than a word", lambda: barcodes(length=33), DesignError, "32"),
    Row("GC of barcodes in percent", lambda: barcodes(gc=(35, 65)), DesignError, "gc"),
    Row(
        "a flank of other letters",
        lambda: barcodes(flanks=("ACGX", "")),
        DesignError,
        "flanks",
    ),
    Row(
        "more barcodes than there are",
        lambda: barcodes(200, length=4),
        DesignError,
        "4",
    ),
    Row(
        "an oligo that leaves another insert",
        lambda: order(oligo_length=91),
        DesignError,
        "oligo_length",
    ),
    Row(
        "an oligo that leaves no insert",
        lambda: order(oligo_length=30),
        DesignError,
        "oligo_length",
    ),
    Row(
        "an adapter that is cut",
        lambda: order(adapters=("ACGTGAATTCAA", "ACG"), avoid="EcoRI"),
        DesignError,
        "EcoRI",
    ),
    Row("more pools than elements", lambda: order(pools=80), DesignError, "pools"),
    Row(
        "a bridge of more elements than there are",
        lambda: order(pools=2, bridge=90),
        DesignError,
        "bridge",
    ),
    Row("a bridge of one pool", lambda: order(bridge=2), DesignError, "bridge"),
    Row(
        "an order sheet of two pools",
        lambda: cg.mpra.to_fasta(order(pools=2), place("order.fa")),
        DesignError,
        "pools",
    ),
    Row(
        "a positive control of another length",
        lambda: order(positives=["ACGT"]),
        DesignError,
        "positive0",
    ),
    Row(
        "two controls that are one sequence",
        lambda: order(positives={"one": ONE, "two": opposite(ONE)}),
        DesignError,
        "two",
    ),
    Row(
        "a control that breaks a rule",
        lambda: order(positives={"mine": "GAATTC" * 10}, avoid="EcoRI"),
        DesignError,
        "mine",
    ),
    Row(
        "a control called as a unit",
        lambda: order(positives={"u0": ONE}),
        DesignError,
        "u0",
    ),
    Row(
        "an arm called as controls",
        lambda: order(
            pair(arms={"scramble": cg.Untreated(), "G": cg.Embed("AGATAAG", at=20)}),
            n_scrambles=3,
        ),
        DesignError,
        "scramble",
    ),
    Row(
        "inserts of two lengths",
        lambda: order(pair(arms=LONG_ARMS)),
        DesignError,
        "short",
    ),
    Row(
        "backgrounds drawn twice",
        lambda: order(
            cg.Design(
                null=cg.Genomic(of={"a": "ACGT" * 15, "b": "ACCT" * 15}, n_draws=2),
                arms=pair().arms,
                n_units=4,
            )
        ),
        DesignError,
        "n_draws",
    ),
    Row(
        "more duplicates than oligos",
        lambda: barcoded(n_duplicates=99),
        DesignError,
        "n_duplicates",
    ),
    Row(
        "duplicates under random barcodes",
        lambda: order(n_duplicates=5),
        DesignError,
        "n_duplicates",
    ),
    Row(
        "rules that no background keeps",
        lambda: order(pair(3), gc=(0.95, 1.0)),
        DesignError,
        "GC",
    ),
    Row("GC of inserts in percent", lambda: order(gc=(25, 65)), DesignError, "gc"),
    Row("repeats in percent", lambda: order(repeats=25), DesignError, "repeats"),
    Row(
        "a motif with a gap",
        lambda: cg.mpra.OligoRules(motifs=["CACGTG", "AC-T"]),
        DesignError,
        "motifs",
    ),
    Row(
        "a site that its own junction blocks",
        lambda: cloned(("ACTGGCCGCT", "GGTACCTCTAGATC", "AGATCGG"), {"XbaI": 1}),
        DesignError,
        "XbaI",
    ),
    Row(
        "an enzyme none of whose sites is open",
        lambda: cloned(("ACTGGCCGCTTTGATCA", "GGTACCACTAGT", "AGAACGG"), {"BclI": 1}),
        DesignError,
        "BclI",
    ),
    Row(
        "a site that the adapters do not have",
        lambda: cg.mpra.library(
            pair(length=200),
            oligo_length=230,
            adapters="lentimpra",
            rules=cg.mpra.OligoRules(avoid={"KpnI": 1}),
            rng=7,
        ),
        DesignError,
        "KpnI",
    ),
    Row(
        "synthesized barcodes where they are random",
        lambda: cg.mpra.library(
            pair(length=185),
            oligo_length=230,
            adapters="lentimpra",
            barcodes_per_oligo=4,
            rng=7,
        ),
        DesignError,
        "lentimpra",
    ),
    Row(
        "no barcodes where they are synthesized",
        lambda: cg.mpra.library(
            pair(length=164),
            oligo_length=197,
            adapters="melnikov",
            rules=cg.mpra.OligoRules(avoid=()),
            rng=0,
        ),
        DesignError,
        "melnikov",
    ),
    Row(
        "barcodes without a junction",
        lambda: cg.mpra.library(
            pair(length=164),
            oligo_length=184,
            adapters=("ACGTA", "TTGCA"),
            barcodes_per_oligo=2,
            rng=0,
        ),
        DesignError,
        "junction",
    ),
    Row(
        "one flank in place of two",
        lambda: cg.mpra.virtual_trial(order(), content(60), flanks="AC"),
        DesignError,
        "flanks",
    ),
    Row(
        "a flank of a virtual trial of other letters",
        lambda: cg.mpra.virtual_trial(order(), content(60), flanks=("GX", "")),
        DesignError,
        "flanks",
    ),
    Row(
        "a unit without one of its inserts",
        lambda: cg.mpra.virtual_trial(order().isel(row=slice(1, None)), content(60)),
        DesignError,
        "u",
    ),
    Row(
        "an oligo of which nothing is predicted",
        lambda: cg.mpra.virtual_trial(order(), NOWHERE),
        PredictorError,
        "oligo",
    ),
    Row(
        "a mapping of random barcodes",
        lambda: cg.mpra.to_igvf(
            two_arms(), place("x"), "reporter_barcode_to_element_mapping"
        ),
        DesignError,
        "barcode",
    ),
    Row(
        "oligos of one construct under two arms",
        lambda: cg.mpra.to_igvf(
            with_cell("oligo_name", 1, "u1:control"), place("x"), "side_table"
        ),
        DesignError,
        "arm",
    ),
    Row(
        "two sequences of one name",
        lambda: cg.mpra.to_fasta(with_cell("name", 1, "u1:control"), place("x")),
        DesignError,
        "u1:control",
    ),
    Row(
        "an insert that is no text",
        lambda: cg.mpra.write_library(with_cell("insert", 3, None), place("LIB")),
        DataError,
        "insert",
    ),
]

# ---- tables of the field, variants ---------------------------------------------------

GENOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 1_000))
FASTA = written(f">chr1\n{GENOME}\n>chr2\n{'ACACACAC' * 40}\n", "genome.fa")


def snv(position: int) -> Variant:
    base = GENOME[position]
    return Variant("chr1", position, base, "ACGT"[("ACGT".index(base) + 1) % 4], "x")


def tiles(variants: Any, **options: Any) -> Any:
    return cg.mpra.variant_tiles(variants, FASTA, **{"insert_length": 40, **options})


OTHER = Variant("chr1", 500, snv(500).alternate, "ACG", "odd")
TABLED = pd.DataFrame(
    [("chr1", 501.5, "rs7", GENOME[500], "ACG")],
    columns=["#CHROM", "POS", "ID", "REF", "ALT"],
)
FORMATS = [
    Row(
        "a reference allele that is none", lambda: tiles([OTHER]), SequenceError, "odd"
    ),
    Row("a variant past the chromosome", lambda: tiles([snv(5)]), SequenceError),
    Row(
        "an allele outside its tile",
        lambda: tiles([snv(500)], offsets=(25,)),
        DesignError,
        "x",
    ),
    Row(
        "a tile twice",
        lambda: tiles([snv(500)], offsets=(0, 0)),
        DesignError,
        "offsets",
    ),
    Row(
        "alleles of one insert",
        lambda: tiles([Variant("chr2", 100, "ACA", "A", "rs9")]),
        DesignError,
        "rs9",
    ),
    Row("a position of 501.5", lambda: tiles(TABLED), SequenceError, "row 1"),
]

# ---- plans ---------------------------------------------------------------------------

NOISE = {"sd_barcode": 0.5, "sd_replicate": 0.1, "sd_count": 0.5}
GRID = {"n_barcodes": 8, "n_replicates": 3}


def power(effect: Any = 0.5, **settings: Any) -> xr.Dataset:
    return cg.mpra.power(effect, **with_noise({**GRID, **settings}))


def pilot_of(*contrasts: str) -> xr.Dataset:
    noise = {
        "sd_barcode": 0.6,
        "sd_replicate": 0.1,
        "sd_noisiness": 0.0,
        "sd_rna": 0.5,
        "sd_dna": 0.3,
        "sd_silent": 0.0,
        "p_silent": 0.0,
        "missing": 0.0,
        "recovery": 1.0,
    }
    of_each = ("contrast", 0.1 * np.arange(1, len(contrasts) + 1))
    return xr.Dataset(
        noise | {"tau": of_each, "sd_shared": of_each},
        {"contrast": list(contrasts)},
        {"plasmid": 0},
    )


def trial_of(*contrasts: str) -> xr.Dataset:
    ice = np.random.default_rng(1).normal(0.5, 0.4, size=(60, len(contrasts), 1))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"unit": np.arange(60), "contrast": list(contrasts), "task": ["K562"]},
    )


PLANS = [
    Row(
        "a share missing of 1",
        lambda: cg.mpra.NoiseModel(missing=1),
        EstimateError,
        "missing",
    ),
    Row("a plan without noise", lambda: power(), EstimateError, "sd_barcode"),
    Row(
        "a plan whose counting is told twice",
        lambda: power(**NOISE, depth=9),
        EstimateError,
        "depth",
    ),
    Row(
        "a plan with noise that has no effect",
        lambda: power(**NOISE, disp_rna=0.2),
        EstimateError,
        "disp_rna",
    ),
    Row(
        "a plan by a pilot and its noise",
        lambda: power(pilot=pilot_of("A"), depth=50, disp_rna=0.3),
        EstimateError,
        "disp_rna",
    ),
    Row(
        "a plan of two error rates",
        lambda: power(**NOISE, alpha=0.01, q=0.1),
        EstimateError,
        "alpha",
    ),
    Row(
        "a plan of weights that sum to 2",
        lambda: power(**NOISE, weights=(1.0, 1.0)),
        EstimateError,
        "weights",
    ),
    Row(
        "a plan of an alpha of 5",
        lambda: power(**NOISE, alpha=5),
        EstimateError,
        "alpha",
    ),
    Row(
        "a plan of an sd below 0",
        lambda: power(**NOISE | {"sd_barcode": -0.5}),
        EstimateError,
        "sd_barcode",
    ),
    Row(
        "a plan of an average of unknown spread",
        lambda: power(**NOISE, n_backgrounds=30),
        EstimateError,
        "tau",
    ),
    Row(
        "a plan that keeps no oligo",
        lambda: power(**NOISE, n_barcodes=1, recovery=0.7),
        EstimateError,
        "n_barcodes",
    ),
    Row(
        "a plan that keeps no two backgrounds",
        lambda: power(
            **NOISE, tau=0.5, n_backgrounds=[3, 50], n_barcodes=3, recovery=0.3
        ),
        EstimateError,
        "n_backgrounds",
    ),
    Row(
        "a virtual effect on another scale",
        lambda: power(None, virtual=trial_of("A"), **NOISE),
        EstimateError,
        "slope",
    ),
    Row(
        "a pilot of other contrasts",
        lambda: power(
            None,
            virtual=trial_of("two"),
            slope=1.0,
            pilot=pilot_of("A", "B"),
            n_backgrounds=50,
        ),
        EstimateError,
        "two",
    ),
    Row(
        "a pilot of one replicate",
        lambda: cg.mpra.components(simulated(n_replicates=1), control="control"),
        DataError,
        "replicate",
    ),
]

# ---- virtual beside measured ---------------------------------------------------------


def sides(n: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(7)
    true = rng.normal(size=n)
    names = [f"u{i}" for i in range(n)]
    virtual = pd.DataFrame({"element": names, "effect": true / 2, "se": 0.0})
    noise = rng.normal(0, 0.3, n)
    return virtual, pd.DataFrame({"element": names, "effect": true + noise, "se": 0.3})


def compared(change: Any = None, of: str = "measured", **asked: Any) -> xr.Dataset:
    both = dict(zip(("virtual", "measured"), sides(), strict=True))
    if change is not None:
        both[of] = change(both[of])
    return cg.mpra.concordance(both["virtual"], both["measured"], **asked)


def with_value(column: str, value: Any, row: int = 7) -> Any:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = table[column].to_numpy().astype(object)
        values[row] = value
        return table.assign(**{column: values})

    return change


def several(change: Any, **asked: Any) -> xr.Dataset:
    virtual, measured = (
        pd.concat([side.assign(contrast=name) for name in "ab"]) for side in sides()
    )
    return cg.mpra.concordance(*change(virtual, measured), **asked)


def vertical() -> xr.Dataset:
    x, y = np.tile([-1.0, 1.0], 10), np.repeat([-1.0, 1.0], 10)
    names = [f"u{i}" for i in range(20)]
    return cg.mpra.concordance(
        pd.DataFrame({"element": names, "effect": x, "se": 1.5}),
        pd.DataFrame({"element": names, "effect": y, "se": 0.7}),
    )


def parallel() -> xr.Dataset:
    arms = {
        "unit": np.arange(40),
        "arm": np.tile(["placebo", "GATA1"], 20),
        "y": np.random.default_rng(0).normal(size=40),
    }
    outcomes = cg.from_frame(
        pd.DataFrame(arms), outcome="y", arm="arm", unit="unit", scale="x"
    )
    return cg.contrast(outcomes, control="placebo")


def effects_of(values: Any, units: Any, **coords: Any) -> xr.Dataset:
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.asarray(values)[:, None, None])},
        {"unit": units, "contrast": ["GATA1"], "task": ["K562"], **coords},
    )


def measured_of(n: int = 40) -> xr.Dataset:
    f = np.random.default_rng(11).normal(1, 1, 640)
    noise = np.random.default_rng(12).normal(0, 0.5, n)
    return effects_of(2 * f[:n] + noise, np.arange(n))


def virtual_of(**coords: Any) -> xr.Dataset:
    f = np.random.default_rng(11).normal(1, 1, 640)
    return effects_of(f, np.arange(640), **coords)


def powered(
    virtual: xr.Dataset | None = None, measured: xr.Dataset | None = None, **asked: Any
) -> xr.Dataset:
    virtual = virtual_of() if virtual is None else virtual
    measured = measured_of() if measured is None else measured
    return cg.mpra.prediction_powered(virtual, measured, **asked)


def attributes(**attrs: Any) -> xr.Dataset:
    return xr.Dataset(attrs=attrs)


OURS = {"null_fingerprint": "n", "library_fingerprint": "a", "rng": "7"}
COMPARISONS = [
    Row(
        "a side without effects",
        lambda: compared(lambda t: t.drop(columns="effect")),
        DataError,
        "effect",
    ),
    Row(
        "a side without errors",
        lambda: compared(lambda t: t.drop(columns="se")),
        EstimateError,
        "se",
    ),
    Row(
        "a measured effect of nan",
        lambda: compared(with_value("effect", np.nan)),
        DataError,
        "u7",
    ),
    Row(
        "a measured effect of 1e300",
        lambda: compared(with_value("effect", 1e300)),
        DataError,
        "u7",
    ),
    Row(
        "a measured se of 0",
        lambda: compared(lambda t: t.assign(se=0.0)),
        EstimateError,
        "u0",
    ),
    Row(
        "a measured se of 1e-300",
        lambda: compared(lambda t: t.assign(se=1e-300)),
        DataError,
        "u0",
    ),
    Row(
        "complex effects",
        lambda: compared(lambda t: t.assign(effect=t["effect"] + 1j)),
        DataError,
        "effect",
    ),
    Row(
        "a column twice",
        lambda: compared(lambda t: pd.concat([t, t[["effect"]]], axis=1)),
        DataError,
        "effect",
    ),
    Row("a p of 2", lambda: compared(lambda t: t.assign(p=2.0)), DataError, "p"),
    Row("a df of 0", lambda: compared(lambda t: t.assign(df=0.0)), DataError, "df"),
    Row(
        "an element without a name",
        lambda: compared(with_value("element", None)),
        DataError,
        "row 8",
    ),
    Row(
        "an element without a parent",
        lambda: compared(lambda t: with_value("parent", None)(t.assign(parent="a"))),
        DataError,
        "parent",
    ),
    Row(
        "an element twice",
        lambda: compared(lambda t: pd.concat([t, t]), "virtual"),
        DataError,
        "u0",
    ),
    Row(
        "sides without a common element",
        lambda: compared(lambda t: t.assign(element=t["element"] + "x")),
        DataError,
        "elements",
    ),
    Row(
        "a side of controls alone",
        lambda: compared(lambda t: t.assign(group="negative")),
        DataError,
        "measured",
    ),
    Row(
        "virtual effects of 0",
        lambda: compared(lambda t: t.assign(effect=0.0), "virtual"),
        EstimateError,
        "virtual",
    ),
    Row("virtual effects within their errors", vertical, EstimateError, "virtual"),
    Row(
        "hits of an alpha of 0.95", lambda: compared(alpha=0.95), EstimateError, "alpha"
    ),
    Row(
        "contrasts without a common name",
        lambda: several(
            lambda v, m: (
                v[v["contrast"] == "a"],
                m.assign(contrast=m["contrast"] + "x"),
            )
        ),
        EstimateError,
    ),
    Row(
        "contrasts of different elements",
        lambda: several(
            lambda v, m: (v, m[(m["contrast"] == "a") | (m["element"] != "u3")])
        ),
        EstimateError,
        "elements",
    ),
    Row(
        "a contrast of elements that do not differ, asked for",
        lambda: several(
            lambda v, m: (v, m.assign(effect=m["effect"] * (m["contrast"] == "a"))),
            pairs={"a": "a", "b": "b"},
        ),
        EstimateError,
        "b",
    ),
    Row(
        "a parallel trial beside elements",
        lambda: cg.mpra.concordance(parallel(), sides()[1]),
        DataError,
        "virtual",
    ),
    Row(
        "a predictor trained on what was measured",
        lambda: powered(trained_on_measured=True),
        EstimateError,
        "trained",
    ),
    Row(
        "predictions of the measured parents",
        lambda: powered(virtual_of(parent=("unit", np.arange(640) % 40))),
        EstimateError,
        "parents",
    ),
    Row(
        "predictions under another null model",
        lambda: powered(
            virtual_of().assign_attrs(null_fingerprint="a"),
            library=attributes(null_fingerprint="b", null="shuffles"),
        ),
        EstimateError,
        "null model",
    ),
    Row(
        "predictions without the rules of the library",
        lambda: powered(
            library=xr.Dataset({"share_redrawn": 0.25}, attrs={"rules": '["EcoRI"]'})
        ),
        EstimateError,
        "constraints",
    ),
    Row(
        "predictions of another seed",
        lambda: powered(
            virtual_of().assign_attrs(OURS),
            library=attributes(**OURS | {"library_fingerprint": "b", "rng": "8"}),
        ),
        EstimateError,
        "rng",
    ),
    Row(
        "a measured unit that was not predicted",
        lambda: powered(
            measured=measured_of().assign_coords(unit=np.r_[np.arange(39), 999])
        ),
        DataError,
        "999",
    ),
    Row(
        "no predictions beyond the measured",
        lambda: powered(virtual_of().isel(unit=slice(40))),
        EstimateError,
    ),
    Row(
        "three measured units",
        lambda: powered(measured=measured_of(3)),
        EstimateError,
        "3",
    ),
    Row(
        "a measured unit twice",
        lambda: powered(
            measured=measured_of().assign_coords(unit=np.r_[0, 0, np.arange(2, 40)])
        ),
        DataError,
        "0",
    ),
    Row(
        "virtual effects of 1e200",
        lambda: powered(virtual_of() * 1e200),
        DataError,
        "virtual",
    ),
    Row(
        "virtual effects of 1e-200",
        lambda: powered(virtual_of() * 1e-200),
        DataError,
        "virtual",
    ),
]

ROWS = [*READS, *FITS, *ORDERS, *FORMATS, *PLANS, *COMPARISONS]

"""Imports counts_of from the inside: arrays of counts, without a file of each.

Count tables of laboratories that would be read as another experiment."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import causalgia as cg
from causalgia.errors import DataError, EstimateError
from causalgia.mpra.counts import counts_of
from refusal_rows import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
SIDE = pd.DataFrame({"oligo_name": ["a", "b"], "element": "u", "arm": ["ref", "alt"]})
BARCODES = ["AACCGGTT", "CCGGTTAA", "GGTTAACC", "TTAACCGG"]
OF_BARCODES = ["barcode", "oligo_name"]


def written(content: str | bytes, name: str = "counts.tsv") -> Path:
    """Write a file into a folder of its own, which ends with the tests."""
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(columns: list[str], keys: list[str] = OF_BARCODES) -> str:
    """Return a table whose column j has 10 (j + 1) + i in row i."""
    rows = ["\t".join([*keys, *columns])]
    for i, (barcode, oligo) in enumerate(zip(BARCODES, "aabb", strict=True)):
        cells = [str(10 * (j + 1) + i) for j in range(len(columns))]
        rows.append("\t".join([barcode, oligo, *cells]))
    return "\n".join(rows) + "\n"


def read(text: str, side: Any = SIDE, **more: Any) -> Any:
    return cg.mpra.read_counts(written(text), side_table=side, **more)


COUNTED = table(["dna_count_1", "rna_count_1"])
NEGATIVE = COUNTED.replace("\t22\n", "\t-22\n", 1)


def changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Any:
    """Read counts of 20 oligos of five barcodes, after this change of their table."""
    rng = np.random.default_rng(0)
    oligos = [f"e{i}_{arm}" for i in range(10) for arm in ("ref", "alt")]
    side = pd.DataFrame(
        [(name, *name.split("_")) for name in oligos],
        columns=["oligo_name", "element", "arm"],
    )
    letters = ["".join(row) for row in rng.choice(list("ACGT"), (100, 12))]
    frame = pd.DataFrame({"barcode": letters, "oligo_name": np.repeat(oligos, 5)})
    for name in ("dna_count_1", "rna_count_1"):
        frame[name] = rng.poisson(2_000, 100)
    return read(change(frame).to_csv(sep="\t", index=False), side)


def numbered(numbers: Callable[[int], str]) -> Any:
    return changed(
        lambda x: x.assign(barcode=[b + numbers(i) for i, b in enumerate(x.barcode)])
    )


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[:3].assign(oligo_name="e9_alt")])


def labels() -> Any:
    """Return counts whose arms are labels of different elements."""
    rng = np.random.default_rng(0)
    names = [f"o{i}" for i in range(6)]
    side = pd.DataFrame({"oligo_name": names, "element": names})
    side["arm"] = side["group"] = ["test"] * 3 + ["negative"] * 3
    letters = ["".join("ACGT"[i >> 2 * k & 3] for k in range(5)) for i in range(24)]
    return counts_of(
        rng.poisson(40, (24, 2)),
        rng.poisson(40, (24, 2)),
        barcodes=letters,
        oligos=np.repeat(names, 4).tolist(),
        side_table=side,
    )


def linked(kind: str) -> Any:
    """Fit counts of 20 elements whose replicates or oligos have nothing in common."""
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(40), 12)
    abundance = rng.gamma(2, 20.0, (len(of), 1)) * np.ones(3)
    dna, rna = rng.poisson(abundance), rng.poisson(2 * abundance)
    if kind == "one arm in each replicate":
        rna = np.where(of[:, None] % 2 == 1, rna * [0, 1, 1], rna * [1, 0, 0])
    if kind == "no DNA":
        dna[of == 3] = 0
    side = pd.DataFrame({"oligo_name": [f"o{i}" for i in range(40)]})
    side["element"] = [f"e{i // 2}" for i in range(40)]
    side["arm"] = ["ref", "alt"] * 20
    letters = ["".join("ACGT"[i >> 2 * k & 3] for k in range(7)) for i in range(480)]
    counts = counts_of(
        dna,
        rna,
        barcodes=letters,
        oligos=side["oligo_name"].to_numpy()[of],
        side_table=side,
    )
    return cg.mpra.fit(counts, control="ref")


def pickled() -> Any:
    known = {"a": set(BARCODES[:2]), "b": set(BARCODES[2:])}
    path = written(pickle.dumps(known), "coords_to_barcodes.pickle")
    return read(table(["DNA", "RNA"]), assignment=path)


ROWS = [
    Row(
        "barcodes of which some have a number",
        lambda: numbered(lambda i: "-1" * (i % 2)),
        DataError,
        "line 3",
    ),
    Row(
        "barcodes of two samples",
        lambda: numbered(lambda i: f"-{1 + i % 2}"),
        DataError,
        "line 2",
    ),
    Row(
        "oligos in another case than in the side table",
        lambda: changed(lambda x: x.assign(oligo_name=x.oligo_name.str.upper())),
        DataError,
        "E0_REF",
    ),
    Row("barcodes of two oligos", lambda: changed(twice), DataError, "e9_alt"),
    Row(
        "an oligo that is not in the side table",
        lambda: read(COUNTED, SIDE[:1]),
        DataError,
        "b",
    ),
    Row(
        "a replicate of DNA without RNA",
        lambda: read(table(["gDNA_1", "gDNA_2", "cDNA_1", "cDNA_3"])),
        DataError,
        "2",
    ),
    Row(
        "a column twice",
        lambda: read(table(["DNA", "RNA", "DNA", "RNA"])),
        DataError,
        "DNA",
    ),
    Row(
        "a column that is no count",
        lambda: read("# one\n" + table(["DNA", "RNA", "gc"])),
        DataError,
        "line 2",
    ),
    Row("a count below 0", lambda: read(NEGATIVE), DataError, "line 4"),
    Row(
        "a line of one cell more",
        lambda: read(COUNTED.replace("\t20\n", "\t20\t7\n")),
        DataError,
        "line 2",
    ),
    Row("a pickle", pickled, DataError, "pickle"),
    Row(
        "a matrix of MPRAnalyze",
        lambda: read("seq_id\tDNA_X_1_1\tDNA_X_2_1\na\t1\t2\nb\t4\t0\n"),
        DataError,
        "MPRAnalyze",
    ),
    Row(
        "labels in place of arms",
        lambda: cg.mpra.fit(labels(), control="test"),
        EstimateError,
    ),
    Row("activity of labels", lambda: cg.mpra.outcomes(labels()), DataError),
    Row(
        "replicates of one arm each",
        lambda: linked("one arm in each replicate"),
        DataError,
    ),
]

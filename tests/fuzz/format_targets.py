"""Fuzzed files of other tools: lists of variants, patterns, sequences, tables of
tasks.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import input_mutation as mutation
import numpy as np
import tomli_w
import xarray as xr

import causalgia as cg
from causalgia.sequences import encode, read_variants
from causalgia.sequences.variant_files import (
    InfoField,
    annotated_vcf,
    info_name,
)
from causalgia.sequences.windowed_variants import variant_windows
from causalgia.trial_file.trial_spec import parse_spec, read_analysis

GENOME = (
    b">chr1 first\nACGTACGTACGTACGTACGTTTGACAGATAAGTT\n>chr2\nGGGATTACAGGGATTACAAC\n"
)
VARIANTS = {
    "vcf": b'##fileformat=VCFv4.2\n##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n'
    b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t6\trs1\tC\tG,T\t.\tPASS\tAF=0.1,0.2;CG_effect=1\nchr2\t4\t.\tAT\tA\t.\t.\t.\n",
    "table": b"chrom\tpos\tref\talt\tid\nchr1\t6\tC\tG,T\trs1\nchr2\t4\tAT\tA\t.\n",
    "names": b"chr1:6:C:G,T\nchr2-4-AT-A\nchr1:g.7G>A\nNC_000001.11:6:G:T\n",
    "headless": b"chr1\t6\trs1\tC\tG\nchr2\t4\t.\tAT\tA\n",
}
MEME = (
    b"MEME version 5\n\nALPHABET= ACGT\n\nMOTIF MA0035.4 GATA1\nletter-probability matrix: alength= 4 w= 3 nsites= 20\n"
    b" 0.1 0.2 0.3 0.4\n 0.25 0.25 0.25 0.25\n 1.0 0 0 0\n"
)
JASPAR = (
    b">MA0035.4\tGATA1\nA  [ 1 2 30 ]\nC  [ 4 0 0 ]\nG  [ 5 20 0 ]\nT  [ 20 8 0 ]\n"
)
HOMER = (
    b">GATAAG\tGata1(Zf)/K562/Homer\t6.1\t-1200.5\t0\tT:10.0(1.2%)\n0.1\t0.2\t0.3\t0.4\n"
    b"0.997\t0.001\t0.001\t0.001\n"
)
HITS = (
    b"chr\tstart\tend\tstart_untrimmed\tend_untrimmed\tmotif_name\thit_coefficient\tstrand\tpeak_name\tpeak_id\n"
    b"chr1\t26\t30\t24\t32\tpos_patterns.pattern_0\t1.5\t+\tp0\t0\nchr2\t3\t7\t1\t9\tneg_patterns.pattern_1\t2\t-\tp1\t1\n"
)
HITS_BED = b"chr1\t26\t30\tpos_patterns.pattern_0\t910.5\t+\nchr2\t3\t7\tneg_patterns.pattern_1\t3\t-\n"
PEAKS = b"track name=x\nchr1\t2\t10\tpeak1\t5\t+\t1.5\t2\t3\t4\nchr2\t4\t12\tpeak2\t0\t-\t1\t1\t1\t0\n"
LENGTHS = (1, 4, 8, 10**12, 2**63, 0, -1)


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _one_worse(rng: Random, *texts: bytes) -> list[bytes]:
    """Return texts of which one is changed."""
    worse = rng.randrange(len(texts)) if rng.random() < 0.5 else 0
    return [
        mutation.of_lines(text, rng) if i == worse else text
        for i, text in enumerate(texts)
    ]


def variants(rng: Random, folder: Path) -> None:
    kind = rng.choice(list(VARIANTS))
    table, genome = _one_worse(rng, VARIANTS[kind], GENOME)
    path, fasta = _file(folder, "x.tsv", table), _file(folder, "g.fa", genome)
    if kind == "vcf" and rng.random() < 0.2:
        annotated_vcf([], [], like=path)
    found = read_variants(path)
    effect = InfoField("CG_effect", "Float", 'of "K562"', [0.5] * len(found))
    text = str(rng.choice([x for x in mutation.PLAIN if not isinstance(x, int)]))[:50]
    odd = InfoField(info_name(text), "String", text, [text] * len(found))
    annotated_vcf(found, [effect, odd], like=path if kind == "vcf" else None)
    variant_windows(found, fasta, length=rng.choice((6, 10, 10**12)))


def patterns(rng: Random, folder: Path) -> None:
    if rng.random() < 1 / 3:
        text, _ = _one_worse(rng, rng.choice((MEME, JASPAR, HOMER)), GENOME)
        cg.read_patterns(_file(folder, "x.txt", text))
        return
    hits, genome = _one_worse(rng, rng.choice((HITS, HITS_BED)), GENOME)
    fasta = _file(folder, "g.fa", genome)
    cg.read_patterns(_file(folder, "hits.tsv", hits), genome=fasta)


def _regions() -> dict[str, Any]:
    tokens = encode(["ACGTACGTACGATAAGTTTG", "GGGATTACAGGGATTACAAC"])
    hot = np.eye(4, dtype=np.int8)[tokens].transpose(0, 2, 1)
    scores = np.arange(160, dtype=np.float16).reshape(2, 4, 20) / 100
    places = {
        "chr": np.array(["chr1", "chr2"]),
        "start": np.array([16, 0]),
        "peak_id": np.array([0, 1]),
    }
    return {"sequences": hot, "contributions": scores, **places}


def _arrays_changed(arrays: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Return arrays of which one to three have other values, shapes, dtypes or names;
    some become objects.
    """
    found = dict(arrays)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(found))
        values = np.asarray(found[name])
        kind = rng.randrange(8)
        with np.errstate(all="ignore"):
            if kind == 0 and len(found) > 1:
                del found[name]
            elif kind == 1:
                found[
                    rng.choice(("x", "", "sequences", "é", "a" * 300, "contributions"))
                ] = found.pop(name)
            elif kind == 2:
                found[name] = (
                    values.swapaxes(0, rng.randrange(max(values.ndim, 1)))
                    if values.ndim
                    else values[None]
                )
            elif kind == 3:
                places: Any = (None, 0, slice(0, 0), slice(0, 1), slice(None, None, -1))
                found[name] = values[
                    rng.choice(places) if values.ndim and len(values) else None
                ]
            elif kind == 4:
                dtype: Any = rng.choice(
                    (
                        "f2",
                        "f4",
                        "f8",
                        "i1",
                        "u1",
                        "?",
                        "c8",
                        "S3",
                        "U2",
                        "i8",
                        object,
                        "M8[s]",
                        "g",
                    )
                )
                try:
                    found[name] = values.astype(dtype)
                except (
                    TypeError,
                    ValueError,
                    RuntimeError,
                ):  # RuntimeError: a float as a date
                    continue
            elif kind == 5:
                found[name] = rng.choice(mutation.VALUES[:12])
            elif values.size and values.dtype.kind in "fiu":
                values = values.astype(rng.choice((values.dtype, np.dtype("f8"))))
                worst = (
                    (2, 100, 3)
                    if values.dtype.kind in "iu"
                    else (np.nan, np.inf, -1, 0.25, 1e300)
                )
                values.flat[rng.randrange(values.size)] = rng.choice(worst)
                found[name] = values
            else:
                found[name] = np.resize(
                    values, rng.choice(((0,), (1,), (3,), (2, 4, 4), ()))
                )
    return found


_DTYPES: tuple[Any, ...] = (
    "f2",
    "f4",
    "f8",
    "i1",
    "u1",
    "?",
    "c8",
    "S3",
    "U2",
    "i8",
    object,
    "M8[s]",
    "g",
)


def _packed(arrays: dict[str, Any], rng: Random, folder: Path, worse: bool) -> Path:
    """Write arrays as npz or npy; half of those that are to be worse have bytes
    changed, too.
    """
    packed = io.BytesIO()
    kind = rng.randrange(5)
    if kind == 0:
        np.save(packed, np.asarray(next(iter(arrays.values()))), allow_pickle=True)
    else:
        write = np.savez if kind < 4 else np.savez_compressed
        write(
            packed,
            **{str(key).replace("file", "x"): value for key, value in arrays.items()},
        )  # type: ignore[arg-type]
    data = packed.getvalue()
    return _file(
        folder,
        "x.npz",
        mutation.of_bytes(data, rng) if worse and rng.random() < 0.4 else data,
    )


SAME = b">a\nACGTACGT\n>b\nACGTTGCA\n>c x y\nTTGCAACC\n"


def sequences(rng: Random, folder: Path) -> None:
    given: dict[str, Any] = {"ambiguous": rng.choice(("refuse", "draw")), "rng": 0}
    kind = rng.randrange(3)
    if kind == 0:
        text, genome = _one_worse(rng, PEAKS, GENOME)
        given = {
            "genome": _file(folder, "g.fa", genome),
            "length": rng.choice(LENGTHS[:3]),
            **given,
        }
        if rng.random() < 0.3:
            given |= {
                "length": rng.choice(LENGTHS),
                "stranded": True,
                "center": "summit",
            }
        cg.read_sequences(_file(folder, "x.bed", text), **given)
    elif kind == 1:
        cg.read_sequences(
            _file(
                folder,
                "x.fa",
                mutation.of_lines(GENOME if rng.random() < 0.2 else SAME, rng),
            ),
            **given,
        )
    else:
        arrays = (
            {"x": np.eye(4)[encode(["ACGTT", "GGNAC"], ambiguous="draw", rng=0)]}
            if rng.random() < 0.5
            else _regions()
        )
        cg.read_sequences(
            _packed(_arrays_changed(arrays, rng), rng, folder, worse=True), **given
        )


_TASKS = """rng = 1
n_units = 4
[null]
kind = "uniform"
length = 40
[predictor]
zoo = "gata1_like"
[arms.a]
[arms.b]
embed = "GATA"
at = 4
[analysis]
control = "a"
tasks = %s
"""
_OF_TASKS: list[Any] = [
    "K562 - HepG2",
    ["K562 - HepG2", "K562 - (HepG2 + SKNSH)/2"],
    "pairwise",
    {"K562 minus HepG2": {"K562": 1, "HepG2": -1}, "twice": {"K562": 2, "SKNSH": -2}},
]


def _several_tasks() -> xr.Dataset:
    values = np.random.default_rng(0).normal(size=(6, 2, 3))
    coords = {
        "unit": list("uvwxyz"),
        "arm": ["a", "b"],
        "task": ["K562", "HepG2", "SKNSH"],
    }
    made = xr.Dataset({"outcome": (("unit", "arm", "task"), values)}, coords=coords)
    return made.assign_attrs(kind="outcomes", scale="log counts")


def tasks(rng: Random, folder: Path) -> None:
    given = mutation.of_tree(copy.deepcopy(rng.choice(_OF_TASKS)), rng)
    if isinstance(given, str):
        given = mutation.of_lines(given.encode("utf-8", "surrogatepass"), rng).decode(
            "utf-8", "replace"
        )
    if isinstance(given, str) and rng.random() < 0.5:
        outcomes = _several_tasks()
        found = cg.contrast(outcomes, control="a", tasks=given)
        cg.report(cg.estimate(found))
        return
    try:
        plain = tomli_w.dumps({"x": given})[len("x = ") :]
    except (TypeError, ValueError, AttributeError, RecursionError):
        return
    text = _TASKS % plain if not plain.startswith("\n") and "[x" not in plain else (
        _TASKS.replace("tasks = %s\n", "") + tomli_w.dumps({"analysis": {"tasks": given}}).replace("[analysis]\n", "")
    )  # fmt: skip
    if rng.random() < 0.2:
        text = mutation.of_lines(text.encode("utf-8", "surrogatepass"), rng).decode(
            "utf-8", "replace"
        )
    path = _file(folder, "t.toml", text.encode("utf-8", "surrogatepass"))
    read_analysis(path).check(["a", "b"], ["embed"], tasks=["K562", "HepG2", "SKNSH"])
    parse_spec(text, folder=folder)


FORMATS: dict[str, Callable[[Random, Path], None]] = {
    read.__name__: read for read in (variants, patterns, sequences, tasks)
}

"""Files of users and of other programs: motifs, variants, intervals."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import DesignError, SequenceError
from causalgia.sequences import Variant, read_motifs, read_variants
from refusal_rows import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
GENOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 220))
NULL = cg.Uniform(length=41)
MEME = "MEME version 4\n\nALPHABET= ACGT\n\n"


def written(content: str | bytes, name: str) -> Path:
    """Write a file into a folder of its own, which ends with the tests."""
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def motifs(text: str, name: str = "box.txt") -> Any:
    return read_motifs(written(text, name))


def genome() -> Path:
    return written(f">c\n{GENOME}\n", "g.fa")


def other(at: int) -> str:
    """Return another base than the one at this place, which is counted from 1."""
    return next(base for base in "ACGT" if base != GENOME[at - 1])


def of_another_assembly() -> Any:
    rows = "".join(
        f"c\t{at}\tv{at}\t{other(at)}\t{GENOME[at - 1]}\n" for at in range(60, 160, 10)
    )
    files = written(rows, "v.vcf"), genome()
    return cg.experiments.variants(*files, length=61, skip="mismatch")


def variants(text: str, **more: Any) -> Any:
    return read_variants(written(text, "v.vcf"), **more)


def intervals(text: str) -> Any:
    path = written(text, "peaks.txt")
    return cg.read_sequences(path, genome=genome(), length=10)


def tiles(**more: Any) -> Any:
    one = [Variant("c", 60, GENOME[60], other(61), "lone")]
    return cg.mpra.variant_tiles(one, genome(), insert_length=60, **more)


def screen(listed: Any, **more: Any) -> Any:
    return cg.experiments.motif_screen(NULL, listed, **more)


ROWS = [
    Row("motifs of no position", lambda: motifs(">x\n", "x.cb"), SequenceError, "x.cb"),
    Row(
        "rows of numbers that do not say what they are",
        lambda: motifs(">box\n0 20 0 0\n0 0 20 0\n0 0 0 20\n20 0 0 0\n"),
        SequenceError,
        "box.txt",
    ),
    Row(
        "log-odds",
        lambda: motifs(">box\n-1.2 .3 .4 .1\n1 -2 .1 .2\n.3 .1 -1 .2\n", "x.cb"),
        SequenceError,
        "-1.2",
    ),
    Row(
        "rows of other lengths",
        lambda: motifs(">box\n1 2 3 4\n7.5 1 2 3 4\n", "x.cb"),
        SequenceError,
        "x.cb",
    ),
    Row(
        "a position without counts",
        lambda: motifs(">m\n1 2 3 4\n5 5 0 0\n0 0 0 0\n1 1 1 1\n", "x.pcm"),
        SequenceError,
        "2",
    ),
    Row(
        "a sequence after the name of a motif",
        lambda: motifs(">MA0035.4\tGATA1\t1\ncccTGATAAGggg\n"),
        SequenceError,
        "box.txt",
    ),
    Row(
        "a decimal comma",
        lambda: motifs(">x\nA [ 1,5 2 ]\nC [ 1 2 ]\nG [ 1 2 ]\nT [ 8 2 ]\n"),
        SequenceError,
        "1,5",
    ),
    Row(
        "a matrix that is cut",
        lambda: motifs(
            f"{MEME}MOTIF cut\nletter-probability matrix: alength= 4 w= 3\n"
            "1 0 0 0\n0 0 1 0\n\n"
        ),
        SequenceError,
        "2",
    ),
    Row(
        "a table of numbers",
        lambda: motifs("x,y,z,w\n1,2,3,4\n5,6,7,8\n"),
        SequenceError,
        "box.txt",
    ),
    Row(
        "a format that is not read",
        lambda: read_motifs(written(">x\n1 2 3 4\n", "x.txt"), format="uniprobe"),
        SequenceError,
        "format",
    ),
    Row("no motif", lambda: screen([]), DesignError),
    Row(
        "two motifs of one name",
        lambda: screen([cg.motif([[0, 0, 1, 0], [1, 0, 0, 0]], name="one")] * 2),
        DesignError,
        "one",
    ),
    Row(
        "a core longer than the backgrounds",
        lambda: screen({"wide": "ACGT" * 11}),
        DesignError,
        "motifs",
    ),
    Row(
        "reads of SAM",
        lambda: cg.read_sequences(
            written(
                "@HD\tVN:1.6\nr1\t0\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "r.fa"
            )
        ),
        SequenceError,
        "r.fa",
    ),
    Row("variants of another assembly", of_another_assembly, SequenceError),
    Row(
        "a list of which all is left out",
        lambda: variants("c\t100\tv0\tA\t*\n", skip="symbolic"),
        SequenceError,
    ),
    Row(
        "a reason that is none",
        lambda: variants("c\t100\tv0\tA\tC\n", skip="mismatches"),
        SequenceError,
        "mismatches",
    ),
    Row(
        "intervals counted from 1",
        lambda: intervals("##gff-version 3\nc\tmacs\tpeak\t51\t60\t.\t+\t.\tID=a\n"),
        SequenceError,
        "peaks.txt",
    ),
    Row(
        "a table of MACS",
        lambda: intervals("chr\tstart\tend\tlength\tabs_summit\nc\t51\t60\t9\t5\n"),
        SequenceError,
        "peaks.txt",
    ),
    Row(
        "intervals between commas",
        lambda: intervals("c,50,60\n"),
        SequenceError,
        "peaks.txt",
    ),
    Row(
        "a tile that its variant leaves",
        lambda: tiles(offsets=(40,)),
        DesignError,
        "40",
    ),
]

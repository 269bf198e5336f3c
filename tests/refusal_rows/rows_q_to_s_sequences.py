"""Imports samplers of tokens from the inside: null models give them whole numbers only.

Sequences, intervals and genomes that would be read as something else."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import DesignError, SequenceError
from causalgia.sequences import (
    Motif,
    Variant,
    encode,
    find_instances,
    from_bed,
    one_hot,
    read_fasta,
)
from causalgia.sequences.fasta import Sequences, as_sequences
from causalgia.sequences.genome import Genome
from causalgia.sequences.random import random_integers
from causalgia.sequences.samplers import (
    MarkovChain,
    fit_markov,
    sample_markov,
    sample_profile,
    sample_uniform,
)
from causalgia.sequences.shuffles import klet_shuffle
from causalgia.sequences.windowed_variants import place_by_read_out
from refusal_rows import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
TOKENS = encode(["ACGT", "TTTT"])
LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 203))


def written(content: str | bytes, name: str) -> Path:
    """Write a file into a folder of its own, which ends with the tests."""
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fasta(content: str | bytes) -> Any:
    return read_fasta(written(content, "x.fa"))


def genome(content: str = f">chr1\n{LETTERS}\n") -> Path:
    return written(content, "g.fa")


def bed(rows: str, **options: Any) -> Any:
    return from_bed(written(rows, "b.bed"), genome(), **{"length": 10, **options})


def array(content: Any) -> Any:
    path = written("", "x.npy")
    np.save(path, content, allow_pickle=True)
    return cg.read_sequences(path)


def cut_archive() -> Any:
    path = written("", "x.npz")
    np.savez_compressed(path, x=np.zeros((50, 4, 50)))
    path.write_bytes(path.read_bytes()[:-30])
    return cg.read_sequences(path)


def near(read_out: Any) -> Any:
    """Place two variants by the sites that these tables give them."""
    variants = [
        Variant("chr1", 303, "A", "C", "a"),
        Variant("chr1", 505, "A", "C", "b"),
    ]
    return place_by_read_out(variants, read_out, length=61)


def shuffled(tokens: Any, k: int = 2, n: int = 2, **more: Any) -> Any:
    return klet_shuffle(1, np.arange(n), tokens, k, **more)


PAIR = np.zeros((2, 9), np.uint8)
ROWS = [
    Row("no sequence", lambda: as_sequences([]), SequenceError),
    Row("two lengths", lambda: as_sequences(["ACGT", "AC"]), SequenceError, "record 1"),
    Row(
        "a letter that is no base",
        lambda: as_sequences({"p": "ACNT"}),
        SequenceError,
        "'p'",
    ),
    Row(
        "one-hot for tokens",
        lambda: as_sequences(one_hot(TOKENS)),
        SequenceError,
        "tokens",
    ),
    Row(
        "one-hot of one sequence for tokens",
        lambda: as_sequences(one_hot(encode("ACGT" * 5), dtype=int)[0]),
        SequenceError,
        "tokens",
    ),
    Row(
        "a token of 9",
        lambda: as_sequences(np.array([[0, 9]])),
        SequenceError,
        "(0, 1)",
    ),
    Row(
        "tokens of floats", lambda: as_sequences(np.array([[0.0, 1.0]])), SequenceError
    ),
    Row("one name of two", lambda: Sequences(TOKENS, ("a",)), SequenceError, "1 name"),
    Row("one name twice", lambda: Sequences(TOKENS, ("a", "a")), SequenceError, "'a'"),
    Row(
        "a number and its digits",
        lambda: Sequences(TOKENS, (1, "1")),
        SequenceError,
        "1",
    ),
    Row("a FASTA file that is empty", lambda: fasta("\n \n"), SequenceError, "x.fa"),
    Row(
        "letters before a header",
        lambda: fasta("\nACGT\n>a\nACGT\n"),
        SequenceError,
        "line 2",
    ),
    Row(
        "a header without a name",
        lambda: fasta(">a\nACGT\n> \nACGT\n"),
        SequenceError,
        "line 3",
    ),
    Row(
        "a header without letters",
        lambda: fasta(">a\nACGT\n>b"),
        SequenceError,
        "line 3",
    ),
    Row(
        "a record of another length",
        lambda: fasta(">a\nACG\n>b\nAC\n"),
        SequenceError,
        "'b'",
    ),
    Row(
        "a name of two records", lambda: fasta(">a\nAC\n>a\nAG\n"), SequenceError, "'a'"
    ),
    Row("an N in a record", lambda: fasta(">a\nACG\nTNG\n"), SequenceError, "4"),
    Row("a file of bytes", lambda: fasta(b">a\nAC\0T\n"), SequenceError, "x.fa"),
    Row(
        "a gzip file that is cut",
        lambda: fasta(gzip.compress(b">a\nACGT\n", mtime=0)[:-12]),
        SequenceError,
        "x.fa",
    ),
    Row(
        "reads of FASTQ",
        lambda: fasta("@r1 1\nACGT\n+\nIIII\n"),
        SequenceError,
        "line 1",
    ),
    Row("a genome that is empty", lambda: Genome(genome("")), SequenceError, "g.fa"),
    Row(
        "a genome of two chromosomes of one name",
        lambda: Genome(genome(">c\nAC\n>c\nAC\n")),
        SequenceError,
        "'c'",
    ),
    Row(
        "a genome in the place of intervals",
        lambda: from_bed(genome(), written("chr1\t10\t20\n", "b.bed"), length=10),
        SequenceError,
        "FASTA",
    ),
    Row("no intervals", lambda: bed("# none\n"), SequenceError, "b.bed"),
    Row(
        "a chromosome of another genome",
        lambda: bed("1\t10\t20\n"),
        SequenceError,
        "line 1",
    ),
    Row(
        "a window that leaves its chromosome",
        lambda: bed("chr1\t0\t4\n"),
        SequenceError,
        "line 1",
    ),
    Row(
        "a start that is no number",
        lambda: bed("chr1\tten\t20\n"),
        SequenceError,
        "line 1",
    ),
    Row(
        "an end before its start",
        lambda: bed("chr1\t20\t10\n"),
        SequenceError,
        "line 1",
    ),
    Row("a line of two columns", lambda: bed("chr1\t10\n"), SequenceError, "line 1"),
    Row(
        "two lines of one window",
        lambda: bed("chr1\t50\t60\nchr1\t50\t60\n"),
        SequenceError,
        "lines 1 and 2",
    ),
    Row(
        "no summit",
        lambda: bed("chr1\t10\t20\n", center="summit"),
        SequenceError,
        "line 1",
    ),
    Row(
        "a summit that was not called",
        lambda: bed("chr1\t50\t60\t.\t0\t.\t1\t1\t1\t-1\n", center="summit"),
        SequenceError,
        "line 1",
    ),
    Row(
        "no strand",
        lambda: bed("chr1\t10\t20\n", stranded=True),
        SequenceError,
        "line 1",
    ),
    Row(
        "windows of no bases",
        lambda: bed("chr1\t10\t20\n", length=0),
        SequenceError,
        "length",
    ),
    Row(
        "an array without channels",
        lambda: array(np.zeros((2, 5, 7))),
        SequenceError,
        "4",
    ),
    Row(
        "an array of contributions",
        lambda: array(np.full((2, 4, 7), 0.3)),
        SequenceError,
    ),
    Row(
        "an array of two bases in a place",
        lambda: array(np.ones((2, 4, 7))),
        SequenceError,
    ),
    Row(
        "an array of one sequence",
        lambda: array(np.eye(4, dtype=int)[[0, 3, 2, 1, 1]]),
        SequenceError,
    ),
    Row(
        "an array of objects",
        lambda: array(np.array([{"a": 1}], object)),
        SequenceError,
    ),
    Row("an archive that is cut", cut_archive, SequenceError, "x.npz"),
    Row(
        "strands of FASTA",
        lambda: cg.read_sequences(written(">a\nACGT\n", "x.fa"), stranded=True),
        SequenceError,
        "stranded",
    ),
    Row(
        "intervals without a genome",
        lambda: cg.read_sequences(written("chr1\t1\t3\n", "x.bed")),
        SequenceError,
        "genome",
    ),
    Row(
        "a string longer than its sequences",
        lambda: find_instances(encode(["GATAAG"]), "GATAAGATAAG"),
        SequenceError,
    ),
    Row(
        "a string that is no IUPAC",
        lambda: find_instances(encode(["GATAAG"]), "GATA1"),
        SequenceError,
        "1",
    ),
    Row(
        "a p-value of 0 for a motif",
        lambda: find_instances(
            encode(["GATAAG"]), Motif.from_iupac("GATA"), threshold=0
        ),
        SequenceError,
        "threshold",
    ),
    Row(
        "a p-value that no string of a motif has",
        lambda: find_instances(
            encode(["GATAAG"]), Motif.from_iupac("GATA"), threshold=1e-9
        ),
        SequenceError,
        "threshold",
    ),
    Row(
        "instances in tokens of 4",
        lambda: find_instances(np.full((1, 4), 4), "A"),
        SequenceError,
    ),
    Row(
        "one site for two variants",
        lambda: near({"position": [300]}),
        SequenceError,
        "read_out",
    ),
    Row(
        "a site between bases",
        lambda: near({"position": [300, 2.5]}),
        SequenceError,
        "row 1",
    ),
    Row(
        "a site without a strand",
        lambda: near({"position": [300, 500], "strand": ["+", "."]}),
        SequenceError,
        "row 1",
    ),
    Row(
        "a site out of reach",
        lambda: near({"position": [300, 900]}),
        SequenceError,
        "'b'",
    ),
    Row(
        "sites of another chromosome",
        lambda: near(written("chr2\t300\t301\n", "sites.bed")),
        SequenceError,
        "chr2",
    ),
    Row(
        "sites of which one has no strand",
        lambda: near(written("chr1\t300\t301\ta\t0\t+\nchr1\t400\t401\n", "sites.bed")),
        SequenceError,
        "line 2",
    ),
    Row(
        "probabilities that sum to 1.5",
        lambda: sample_profile(0, [0], [[0.5, 0.5, 0.5, 0.0]]),
        SequenceError,
    ),
    Row(
        "a probability that is nan",
        lambda: sample_profile(0, [0], [[np.nan, 1, 0, 0]]),
        SequenceError,
    ),
    Row("a unit below 0", lambda: sample_uniform(0, [-1], 5), SequenceError),
    Row("a key beyond 64 bits", lambda: sample_uniform(2**64, [0], 5), SequenceError),
    Row("a draw of none", lambda: random_integers(0, [0], [3, 0]), SequenceError),
    Row(
        "a chain of another order",
        lambda: sample_markov(
            0, [0], MarkovChain(2, np.ones(1), np.full((16, 4), 0.25)), 5
        ),
        SequenceError,
    ),
    Row(
        "a chain longer than its sequences",
        lambda: fit_markov([[0, 1, 2]], 3),
        SequenceError,
    ),
    Row("a shuffle of words of 0", lambda: shuffled(PAIR, k=0), SequenceError, "k"),
    Row("a shuffle of words of 33", lambda: shuffled(PAIR, k=33), SequenceError, "k"),
    Row("a shuffle of tokens of 4", lambda: shuffled(PAIR + 4), SequenceError),
    Row(
        "a shuffle of a parent that is not there",
        lambda: shuffled(PAIR, parent=[0, 3]),
        SequenceError,
    ),
    Row("more units than parents", lambda: shuffled(PAIR, n=5), SequenceError),
    Row(
        "a factor with the name of a look",
        lambda: cg.Arm("a", cg.Untreated(), {"look_lower": 1}),
        DesignError,
        "look_lower",
    ),
]

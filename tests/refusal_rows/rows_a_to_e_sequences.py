"""Letters and tokens that would be read as others."""

from __future__ import annotations

import numpy as np

from causalgia.errors import SequenceError
from causalgia.sequences.alphabet import (
    as_token_array,
    decode,
    encode,
    one_hot,
    parse_iupac,
    tokens,
)

from . import Row

HALVES = np.full((1, 4, 3), 0.25)

ROWS = [
    Row(
        "sequences of two lengths",
        lambda: encode(["ACGT", "ACG"], names=["p", "q"]),
        SequenceError,
        "q",
    ),
    Row("a letter that is no base", lambda: encode(["ACGT", "ACNT"]), SequenceError),
    Row(
        "a gap that could be drawn",
        lambda: encode(["AC-T"], ambiguous="draw", rng=0),
        SequenceError,
        "-",
    ),
    Row("a letter whose capitals are two", lambda: encode(["ACß"]), SequenceError, "ß"),
    Row("a letter whose capital is a base", lambda: encode(["ſC"]), SequenceError, "ſ"),
    Row("an empty record", lambda: encode(["AC", ""]), SequenceError),
    Row(
        "names for other records",
        lambda: encode(["AC"], names=["a", "b"]),
        SequenceError,
        "2",
    ),
    Row("a token of 4", lambda: decode(np.array([[0, 4]])), SequenceError, "4"),
    Row(
        "a token of -1", lambda: as_token_array(np.array([0, -1])), SequenceError, "-1"
    ),
    Row("tokens that are floats", lambda: decode(np.array([[0.0]])), SequenceError),
    Row(
        "an alphabet that lacks a base",
        lambda: one_hot(encode("ACGT"), alphabet="ACGG"),
        SequenceError,
        "alphabet",
    ),
    Row("a position that is no base", lambda: tokens(HALVES), SequenceError),
    Row(
        "an array of three channels",
        lambda: tokens(one_hot(encode("ACGT"))[..., :3], layout="NLC"),
        SequenceError,
        "layout",
    ),
    Row(
        "a word with a letter that is none",
        lambda: parse_iupac("GAXA"),
        SequenceError,
        "X",
    ),
    Row(
        "a word whose letter has other capitals",
        lambda: parse_iupac("GAß"),
        SequenceError,
    ),
]

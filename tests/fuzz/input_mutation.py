"""Inputs made worse on purpose: valid ones whose lines, cells, values or bytes are
changed, by a seeded generator.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import xarray as xr

CELLS = [
    b"", b" ", b"0", b"-1", b"1.5", b"NA", b"nan", b"inf", b"-inf", b"1e999", b"1e-400", b"9" * 19, b"9" * 30,
    b"9" * 5_000, b"-" + b"9" * 5_000, b"9223372036854775808", b"18446744073709551616", b"0x10", b"1_000", b"+5",
    "٣".encode(), "²".encode(), "−1".encode(), b"\x1b[31mred\x1b[0m", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\r",
    "\u202e".encode(), "\u2028".encode(), b"=1+1", b"@x", b"'", b'"', b"[", b"{", b"A" * 5_000, b"ACGT", b"acgu",
    b"N", b"<DEL>", b"chr1", b"../../x", b"%s", b"None", b"True", b">", b"#", b"MOTIF", b"track",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7.5, math.nan, math.inf, -math.inf, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**70),
    10**12, 10**30, 10**5_000, 1e-320, 1e308, "", " ", "a", "untreated", "GATA1", "parent", "auto", "0", "9" * 5_000,
    "x" * 5_000, "\x1b[31mred", "\x00", "\ud800", "\u202e", "=1+1", "../../etc/passwd", "/dev/zero", (
        "a\n"
        "b"
    ), [], {},
    [[]], [1, 2], ["A", "B"], [None], {"a": 1}, {"kind": []}, {"kind": "uniform", "length": 20}, [0, 1], (0, 1),
    b"bytes", 1 + 2j, object,
]  # fmt: skip
PLAIN: list[Any] = [
    value
    for value in VALUES
    if isinstance(value, bool | int | float | str | list | dict)
]
WORDS = [
    "n_units",
    "rng",
    "kind",
    "of",
    "at",
    "levels",
    "steps",
    "null",
    "arms",
    "x",
    "",
    "\x1b",
    "n" * 5_000,
    "length",
]


# of what is repeated: a long line 500 times, three times over, was all the memory of
# the process
_LONGEST = 2**22


def of_lines(seed: bytes, rng: Random) -> bytes:
    """Return a text of lines and cells with one to four changes, sometimes packed by
    gzip.
    """
    text = seed
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(_CHANGES)(text, rng)
    if rng.random() < 0.05:
        packed = gzip.compress(text, 1, mtime=0)
        text = packed if rng.random() < 0.5 else packed[: rng.randrange(len(packed))]
    return text


def of_bytes(seed: bytes, rng: Random) -> bytes:
    """Return a binary file with up to eight bytes, words or stretches changed."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 8)):
        i = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[i] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[i] = rng.choice((0, 1, 127, 128, 254, 255))
        elif kind == 2:
            width = rng.choice((2, 4, 8))
            data[i : i + width] = rng.choice(
                (0, 1, 2**15, 2**31, 2**63 - 1, 10**12)
            ).to_bytes(8, "little")[:width]
        elif kind == 3:
            j, n = rng.randrange(len(data)), rng.randint(1, 64)
            data[i : i + n] = data[j : j + n]
        else:
            del data[i : i + rng.randint(1, 16)]
        if not data:
            return b""
    return (
        bytes(data[: rng.randrange(len(data) + 1)])
        if rng.random() < 0.1
        else bytes(data)
    )


def of_tree(plain: Any, rng: Random) -> Any:
    """Return plain data (tables, lists, values) with one to three values, keys or
    branches changed.
    """
    for _ in range(rng.randint(1, 3)):
        plain = _changed(plain, rng)
    return plain


def of_dataset(dataset: xr.Dataset, rng: Random) -> xr.Dataset:
    """Return a Dataset with one change; where xarray does not make it, as it is."""
    try:
        return _dataset_changed(dataset, rng)
    except (TypeError, ValueError, OverflowError):
        return dataset


def _dataset_changed(dataset: xr.Dataset, rng: Random) -> xr.Dataset:
    name = rng.choice([*dataset.variables])
    kind = rng.randrange(8)
    if kind == 0:
        return dataset.drop_vars(name)
    if kind == 1:
        return dataset.isel(
            {
                rng.choice(list(dataset.dims)): rng.choice(
                    ([], [0], slice(None, None, -1), [0, 0])
                )
            }
        )
    if kind == 2:
        return dataset.rename({name: rng.choice(["x", "a/b", "arm_", "é", " "])})
    if kind == 3:
        return dataset.assign_attrs(
            {rng.choice(list(dataset.attrs) or ["x"]): rng.choice(PLAIN)}
        )
    if kind == 4 and dataset[name].dims:
        dim = dataset[name].dims[0]
        return dataset.drop_vars(name).assign(
            {name: dataset[name].variable.isel({dim: 0})}
        )
    values = dataset[name].to_numpy()
    if kind == 5:
        values = (
            values.astype(rng.choice(("U3", "f4", "i2", "u1", "S5")))
            if values.dtype.kind != "U"
            else values
        )
    else:
        values = values.astype(object)
        value = rng.choice(
            (np.nan, np.inf, "\x1b[31m", "", 1e300, -1, 10**12, "x" * 5_000)
        )
        if values.ndim and values.size:
            values.flat[rng.randrange(values.size)] = value
        values = values.astype(
            str if any(isinstance(v, str) for v in values.flat) else float
        )
    return dataset.assign({name: (dataset[name].dims, values)})


def _changed(plain: Any, rng: Random) -> Any:
    """Walk down to some place, and change what is there."""
    if isinstance(plain, dict) and plain and rng.random() < 0.8:
        key = rng.choice(list(plain))
        kind = rng.randrange(10)
        if kind == 0:
            return {name: value for name, value in plain.items() if name != key}
        if kind == 1:
            return {**plain, rng.choice(WORDS): rng.choice(PLAIN)}
        if kind == 2:
            return {
                (rng.choice(WORDS) if name == key else name): value
                for name, value in plain.items()
            }
        return {**plain, key: _changed(plain[key], rng)}
    if isinstance(plain, list) and plain and rng.random() < 0.6:
        i = rng.randrange(len(plain))
        return [
            *plain[:i],
            *([] if rng.random() < 0.2 else [_changed(plain[i], rng)]),
            *plain[i + 1 :],
        ]
    if rng.random() < 0.03:
        return _nested(rng.choice((90, 200, 3_000)), plain)
    return rng.choice(PLAIN)


def _nested(depth: int, plain: Any) -> Any:
    for _ in range(depth):
        plain = [plain]
    return plain


def _flip(text: bytes, rng: Random) -> bytes:
    i = rng.randrange(len(text) + 1)
    return text[:i] + bytes([rng.randrange(256)]) + text[i + 1 :]


def _insert(text: bytes, rng: Random) -> bytes:
    i = rng.randrange(len(text) + 1)
    return text[:i] + rng.choice(CELLS) + text[i:]


def _truncate(text: bytes, rng: Random) -> bytes:
    return text[: rng.randrange(len(text) + 1)]


def _cut(text: bytes, rng: Random) -> bytes:
    i, j = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return text[:i] + text[j:]


def _by_lines(
    change: Callable[[list[bytes], int, Random], None],
) -> Callable[[bytes, Random], bytes]:
    def changed(text: bytes, rng: Random) -> bytes:
        lines = text.split(b"\n")
        change(lines, rng.randrange(len(lines)), rng)
        return b"\n".join(lines)

    return changed


def _cell(lines: list[bytes], i: int, rng: Random) -> None:
    comma, tab = lines[i].count(b","), lines[i].count(b"\t")
    between = b"\t" if tab else b"," if comma else b" "
    cells = lines[i].split(between)
    j = rng.randrange(len(cells))
    kind = rng.randrange(6)
    if kind == 0:
        del cells[j]
    elif kind == 1:
        cells.insert(j, rng.choice(CELLS))
    elif kind == 2:
        cells[j] = rng.choice(cells)
    else:
        cells[j] = rng.choice(CELLS)
    lines[i] = between.join(cells)


def _repeat(lines: list[bytes], i: int, rng: Random) -> None:
    lines[i:i] = [lines[i]] * min(
        rng.choice((1, 2, 500)), 1 + _LONGEST // (1 + len(lines[i]))
    )


def _swap(lines: list[bytes], i: int, rng: Random) -> None:
    j = rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]


def _drop(lines: list[bytes], i: int, rng: Random) -> None:
    del lines[i]


def _ends(text: bytes, rng: Random) -> bytes:
    return text.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" \n", b"\t\n")))


_LINES = [_by_lines(change) for change in (_cell, _cell, _cell, _repeat, _swap, _drop)]
_CHANGES = [*_LINES, *_LINES, _flip, _insert, _truncate, _cut, _ends]

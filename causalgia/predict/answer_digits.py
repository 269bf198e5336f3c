"""Digits of answers that were rounded to half precision before they were handed on in a
longer format.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.types import Mask

#: format -> bits of a float32 that it has not, and its largest relative error
_FORMATS = {
    "float8_e5m2": (21, 2.0**-3),
    "float8_e4m3": (20, 2.0**-4),
    "bfloat16": (16, 2.0**-8),
    "float16": (13, 2.0**-11),
}
_BITS_ABSENT_FROM_8 = 20  # of a float32, in formats of 8 bits
_MOST_PLACES_OF_GRID = 50  # binary
_ROWS_EXAMINED = 512
_COLUMNS_EXAMINED = 64
_LEAST_ANSWERS = 12
_LEAST_SET_SHARE = 0.15


def rounding_of_format(name: str) -> float:
    """Return the largest relative rounding error of a format."""
    return _FORMATS[name][1]


class AnswerDigits:
    """A sample of a predictor's first answers, whose digits say to what they were
    rounded.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
    >>> digits = AnswerDigits()
    >>> digits.add(x.astype(np.float16).astype(np.float32))
    >>> digits.format
    'float16'
    >>> exact = AnswerDigits()
    >>> exact.add(x)
    >>> exact.format
    ''
    """

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._n_rows = 0
        self._known: tuple[int, str] = (0, "")

    def add(self, answers: object) -> None:
        """Keep some rows of answers (n, ...) of a floating dtype."""
        if (
            self._n_rows >= _ROWS_EXAMINED
            or not isinstance(answers, np.ndarray)
            or answers.dtype.kind != "f"
            or answers.ndim == 0
        ):
            return
        first = answers[: _ROWS_EXAMINED - self._n_rows]
        if not first.size:
            return
        table = first.reshape(len(first), -1)
        table = table[:, :: -(-table.shape[1] // _COLUMNS_EXAMINED)]
        with np.errstate(over="ignore"):
            rows = table.astype(np.float32)
        # longer than float32: no half precision
        rows[rows != table] = np.float32(np.pi)
        if self._parts and self._parts[0].shape[1] != rows.shape[1]:
            return
        self._parts.append(rows)
        self._n_rows += len(rows)

    @property
    def format(self) -> str:
        """``"float8_e5m2"``, ``"float8_e4m3"``, ``"bfloat16"`` or ``"float16"`` if all
        answers of a task have no more digits than that; else "".

        Whole numbers, and multiples of one step such as shares of a power of two, are
        not counted: a step that is the same for small and large answers is no rounding
        of a float.
        """
        if self._known[0] != self._n_rows:
            table = np.concatenate(self._parts)
            # of few rows all columns together
            columns = table.T if len(table) >= _LEAST_ANSWERS else [table.ravel()]
            found = [_format_of(column) for column in columns]
            self._known = (
                self._n_rows,
                next((name for name in _FORMATS if name in found), ""),
            )
        return self._known[1]


def _format_of(values: NDArray[np.float32]) -> str:
    """Return the shortest format that has all values of a column exactly; "" if none."""
    used = np.unique(np.abs(values[np.isfinite(values) & (values != np.rint(values))]))
    if len(used) < _LEAST_ANSWERS:
        return ""
    bits = used.view(np.uint32)
    for name, (n_absent, _) in _FORMATS.items():
        if not (bits & np.uint32((1 << n_absent) - 1)).any():
            last = (bits >> np.uint32(n_absent)) & np.uint32(1) == 1
            exponent = bits >> np.uint32(23)
            # eighths or sixteenths are on one grid, also where they are large
            several = n_absent < _BITS_ABSENT_FROM_8 or (
                _n_coarser(used.astype(np.float64), 23 - n_absent)
                >= _LEAST_ANSWERS // 2
            )
            return name if several and _is_rounded(exponent, last) else ""
    return ""


def _n_coarser(size: NDArray[np.float64], n_bits: int) -> int:
    """Return how many positive values have a last digit, of `n_bits` after the first,
    that is larger than the one step of which all are multiples.
    """
    last = np.frexp(size)[1] - 1 - n_bits
    if np.ptp(last) > _MOST_PLACES_OF_GRID:
        return len(size)  # no grid
    whole = np.ldexp(size, -int(last.min())).astype(np.int64)
    step = int(np.gcd.reduce(whole))
    return int((np.ldexp(1.0, last - int(last.min())) > step).sum())


def _is_rounded(exponent: NDArray[np.uint32], last: Mask) -> bool:
    """Return whether the last digit varies, as rounding leaves it, also below the largest
    exponent: on a grid it is 0 for all small values.
    """
    small = last[exponent < exponent.max()]
    enough = len(small) < _LEAST_ANSWERS // 2 or small.mean() >= _LEAST_SET_SHARE
    return bool(enough and last.mean() >= _LEAST_SET_SHARE)


def half_precision_in_words(name: str) -> str:
    """Return the note on a predictor whose answers have no more digits than a format."""
    return (
        f"the answers have no more digits than {name}, whatever their dtype, as of a "
        f"network in {'8 bits' if 'float8' in name else 'half precision'} (autocast, "
        ".half(), a converted file) whose answers were made float32: rounding errors of "
        "that size do not cancel in a contrast, "
        "and no number of units removes them; compute in float32"
    )

"""Digits of answers: those that were rounded to half precision, to a few decimals or to
steps before they were handed on in a longer format.
"""

from __future__ import annotations

import math

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
_MOST_DECIMALS = 5
_GAPS_NEARBY = 6
_OFF_GRID = 0.1  # of a step
_LEAST_ON_GRID = 0.2  # of the windows of gaps
_MOST_FLOAT32_SHARE = 0.05  # of a decimal, in which a float32 may err
_LEAST_FLOAT32_STEPS = 8  # of the largest answer, in a step that is coarser than
# float32, in which an answer may be a sum of terms several times as large
_LEAST_COARSER = 2.5  # times: not a table of halves of a last digit
_MOST_PLACES = 12  # after the point, where significant digits are counted
# a mean of 2 to 8 numbers in half precision, times their number, has so many bits
_BITS_OF_SUM = 18
_NUMBERS_IN_MEAN = (1, 3, 5, 7)  # a power of 2 times these changes no bit
_FEW_BITS = (
    "have few binary digits, as the mean or sum of several numbers in half precision"
)
_COARSEST_PLACE = -4  # binary: steps of 1/16
_LEAST_STEPS = 256  # numbers with the 8 bits of bfloat16 have so many in the last half
_LEAST_DISPERSION = 1.5  # of the variance of counts to their mean
_LEVEL_OF_ODD = 1e-5
_LEAST_SUMS = 0.6  # of the answers
_MOST_AT_FLOOR = 0.4  # of the sums; multiples of one step have .75


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
        self._exact: list[NDArray[np.float64]] = []
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
            rows, exact = table.astype(np.float32), table.astype(np.float64)
        # longer than float32: no half precision
        rows[rows != table] = np.float32(np.pi)
        if self._parts and self._parts[0].shape[1] != rows.shape[1]:
            return
        self._parts.append(rows)
        self._exact.append(exact)
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

    @property
    def steps(self) -> str:
        """How coarse the answers of a task are, in words: decimals, digits or steps; ""
        where they have all digits of a float32, or are whole numbers or shares.

        Ties among answers are no evidence of rounding, since a predictor that counts
        has them; but if gaps are whole multiples of the smallest gap nearby, the answers
        lie on a grid.
        """
        if not self._exact:
            return ""
        columns = np.concatenate(self._exact).T
        return next((words for x in columns if (words := _steps_of(x))), "")


def _steps_of(values: NDArray[np.float64]) -> str:
    """Return how coarse the answers of a task are, in words; "" if they are not."""
    used = np.unique(values[np.isfinite(values)])
    if len(used) < _LEAST_ANSWERS // 2:
        return ""
    if n := _significant_digits(used):
        return f"have {n} significant digits"
    if _are_sums_on_a_lattice(values[np.isfinite(values)]):
        return _FEW_BITS
    if _are_shares(used):
        return ""
    slack = 2.0**-23 * np.abs(used)  # of float32
    for n in range(1, _MOST_DECIMALS + 1):
        scaled = used * 10.0**n
        whole = np.rint(scaled)
        # where float32 itself has steps of that size, all numbers are multiples
        if (slack * 10.0**n < _MOST_FLOAT32_SHARE).sum() < _LEAST_ANSWERS // 2:
            break
        if (np.abs(scaled - whole) <= slack * 10.0**n + 1e-9).all():
            step = int(np.gcd.reduce(whole.astype(np.int64))) * 10.0**-n
            if step != 10.0**-n:
                # shares of another number than a power of ten, or counts of few
                own = abs(1 / step - round(1 / step)) < 1e-6
                few = own or len(used) < 2 * _LEAST_ANSWERS
                return "" if few else f"are whole multiples of {step:g}"
            decimals = "decimal" if n == 1 else "decimals"
            return (
                f"are whole multiples of {10.0**-n:g}, as if rounded to {n} {decimals}"
            )
    if len(used) < _LEAST_ANSWERS:
        return ""
    if len(used) < 2 * _LEAST_ANSWERS:
        return ""
    # neighbors of few values: a read-out changes the step but slowly
    near = np.lib.stride_tricks.sliding_window_view(np.diff(used), _GAPS_NEARBY)
    steps = near / near.min(axis=1, keepdims=True)
    on_grid = (np.abs(steps - np.rint(steps)) <= _OFF_GRID).all(axis=1)
    # answers close to one another are on the grid of float32 itself, and small ones on
    # that of the terms whose sum they are
    least = _LEAST_FLOAT32_STEPS * 2.0**-23 * np.abs(used).max()
    on_grid &= near.min(axis=1) > least
    if on_grid.mean() < _LEAST_ON_GRID:
        return _FEW_BITS if _are_means_of_halves(used) else ""
    return (
        f"lie on a grid, with steps of about {np.median(near[on_grid].min(axis=1)):.2g}"
    )


def _significant_digits(used: NDArray[np.float64]) -> int:
    """Return to how many significant digits all values were rounded; 0 if to none.

    Large values are then on a coarser grid than small ones are: multiples of one step,
    such as decimals or shares, are on one grid.
    """
    size = np.unique(np.abs(used[used != 0]))
    if len(size) < _LEAST_ANSWERS:
        return 0
    slack = 2.0**-23 * size  # of float32
    decade = np.floor(np.log10(size * (1 + 2.0**-22)))
    for n in range(2, _MOST_DECIMALS):
        places = n - 1 - decade
        near = places <= _MOST_PLACES
        with np.errstate(over="ignore", invalid="ignore"):
            figures = np.rint(size * 10.0**places)
            digits = figures / 10.0**places
        if not (np.abs(digits - size) <= slack)[near].all():
            continue
        finest = int(places[near].max(initial=0))
        whole = np.rint(digits[near] * 10.0**finest)
        if whole.max(initial=0) >= 2.0**62:
            return n  # of a range that no grid has
        step = float(np.gcd.reduce(whole.astype(np.int64))) * 10.0**-finest
        coarser = (10.0**-places > _LEAST_COARSER * step) & (figures % 10 > 0) & near
        return n if coarser.sum() >= _LEAST_ANSWERS else 0
    return 0


def _are_means_of_halves(used: NDArray[np.float64]) -> bool:
    """Return whether values are as means or sums of 2 to 8 numbers in half precision:
    times 1, 3, 5 or 7 they have few bits, and the last of these differs among them.

    Of a float32, one in 16 has so few bits by chance. Multiples of one step have them
    too; their last bits are those of the step, in three of four.
    """
    size = np.unique(np.abs(used[used != 0]))
    for n in _NUMBERS_IN_MEAN:
        total = n * size
        _, exponent = np.frexp(total)
        last = exponent - _BITS_OF_SUM
        whole = np.rint(np.ldexp(total, -last))
        few = np.abs(np.ldexp(whole, last) - total) <= 2.0**-23 * total
        if few.sum() < 2 * _LEAST_ANSWERS or few.mean() < _LEAST_SUMS:
            continue
        bits = whole[few].astype(np.int64)
        lowest = last[few] + np.log2((bits & -bits).astype(np.float64)).astype(int)
        return bool((lowest <= lowest.min() + 1).mean() <= _MOST_AT_FLOOR)
    return False


def _are_sums_on_a_lattice(values: NDArray[np.float64]) -> bool:
    """Return whether values are as means or sums of a few numbers of similar size in
    half precision, or in 8 bits: times 1, 3, 5 or 7 they are whole multiples of a power
    of 2, but neither counts nor shares.

    Numbers of one binade have one last digit, and so have their sums. Counts have that
    as well, and shares of a power of 2, and are told from sums in two ways. Multiples
    of 1/16 or of a finer step, 256 steps or more in size and some of them above 1, that
    vary more than a count of positions does, are no counts and no shares: the variance
    of a count is at most its mean. Or else the last digit is set in fewer of the larger
    values than of the smaller ones, as summands of several binades leave it; of counts
    half are odd, whatever their size.
    """
    size = np.unique(np.abs(values[values != 0]))
    if len(size) < 2 * _LEAST_ANSWERS:
        return False
    for n in _NUMBERS_IN_MEAN:
        total = n * size
        last = int(np.frexp(total[-1])[1]) - _BITS_OF_SUM
        whole = np.rint(np.ldexp(total, -last))
        if (np.abs(np.ldexp(whole, last) - total) > n * 2.0**-24 * total).any():
            continue
        multiple = int(np.gcd.reduce(whole.astype(np.int64)))
        last += multiple.bit_length() - 1
        if multiple & (multiple - 1) or last > 0:
            return False  # of another step, such as a percentage, or whole numbers
        steps = (whole / multiple).astype(np.int64)
        counted = values * n / np.ldexp(1.0, last)
        neither = (
            last <= _COARSEST_PLACE
            and steps[-1] >= _LEAST_STEPS
            and size[-1] > 1
            and counted.var() > _LEAST_DISPERSION * np.abs(counted.mean())
        )
        return bool(neither or _fewer_are_odd_among_large(steps))
    return False


def _fewer_are_odd_among_large(steps: NDArray[np.int64]) -> bool:
    """Return whether fewer are odd in the upper than in the lower half of different
    ascending whole numbers, by Fisher's exact test.

    Examples
    --------
    >>> _fewer_are_odd_among_large(np.arange(200))
    False
    >>> _fewer_are_odd_among_large(np.r_[np.arange(64), np.arange(64, 192, 2)])
    True
    """
    n, n_upper = len(steps), len(steps) // 2
    odd = steps % 2 == 1
    n_odd, n_odd_upper = int(odd.sum()), int(odd[-n_upper:].sum())
    ways = sum(
        math.comb(n_odd, k) * math.comb(n - n_odd, n_upper - k)
        for k in range(n_odd_upper + 1)
    )
    return ways < _LEVEL_OF_ODD * math.comb(n, n_upper)


def _are_shares(used: NDArray[np.float64]) -> bool:
    """Return whether all values are counts, or shares of one number, as a part of the
    sequence, a percentage of it or a count in units of a power of two.
    """
    gap = np.diff(used).min()
    shares = [x / max(np.rint(x / gap), 1.0) for x in (1.0, 100.0) if gap > 1e-6]
    for step in (1.0, 2.0**-12, *shares):
        if round(1 / step) in (10, 100, 1_000, 10_000, 100_000):
            continue  # decimals
        if (np.abs(used / step - np.rint(used / step)) < 1e-3).all():
            return True
    return False


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


def steps_in_words(steps: str) -> str:
    """Return the note on a predictor whose answers are coarse."""
    return (
        f"the answers {steps}, whatever their dtype, as if they had been printed, "
        "quantized, or rounded to half precision before a read-out: effects as small as "
        "a step may be due to rounding; return all digits (if the answers are shares, "
        "counts or sums of short numbers, their steps are exact)"
    )


def half_precision_in_words(name: str) -> str:
    """Return the note on a predictor whose answers have no more digits than a format."""
    return (
        f"the answers have no more digits than {name}, whatever their dtype, as of a "
        f"network in {'8 bits' if 'float8' in name else 'half precision'} (autocast, "
        ".half(), a converted file) whose answers were made float32: rounding errors of "
        "that size do not cancel in a contrast, "
        "and no number of units removes them; compute in float32"
    )

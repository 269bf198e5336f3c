"""What a message says of a value that is to be given: its kind, a part that the wrong
value lacks, rows that are to be left out, names of which one is to be taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

_SHARE_LEFT = 0.5  # of the rows, at least, where rows are left out
_MOST_NAMES = 3


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Path)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_one and bool(np.isfinite(value))


def _is_whole(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int | np.integer)


def _all(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return whether a list, an array or a mapping has such values alone."""

    def holds(value: Any) -> bool:
        if isinstance(value, Mapping):
            return len(value) > 0 and all(map(of, value.values()))
        if isinstance(value, np.ndarray):
            return value.size > 0 and all(map(of, value.ravel()[:1000].tolist()))
        return (
            isinstance(value, list | tuple)
            and len(value) > 0
            and all(of(one) or holds(one) for one in value)
        )

    return holds


KINDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    (r"True or False\b(?! for)", lambda value: isinstance(value, bool)),
    (r"\bwhole numbers\b|\bintegers\b", _all(_is_whole)),
    (r"\bwhole number\b|\ban integer\b", _is_whole),
    (r"(?<!whole )\bnumbers\b|\bfloats\b|\bone for each\b", _all(_is_number)),
    (r"(?<!whole )\bnumber\b|\bseconds\b", _is_number),
    (r"\bnames\b|\blist of text|\bmotifs\b|\bsequences\b|\barms\b", _all(_is_text)),
    (r"\b(?:a|the|one) (?:name|text|string|sequence|motif|arm)\b|give text", _is_text),
    (r"\ba path\b|\bthe path\b|\ba file\b|\ba folder\b", _is_text),
    (r"\bmapping\b|\bdict\b|\{", lambda value: isinstance(value, Mapping)),
    (r"DataFrame|\ba table\b", lambda value: isinstance(value, pd.DataFrame)),
    (r"\bDataset\b", lambda value: isinstance(value, xr.Dataset)),
    (r"\bDataArray\b", lambda value: isinstance(value, xr.DataArray)),
    (r"\barray\b", lambda value: isinstance(value, np.ndarray | xr.DataArray)),
    (
        r"\bpair\b|\(start, stop\)",
        lambda value: isinstance(value, tuple | list) and len(value) == 2,
    ),
    (r"\ba function\b", callable),
    (
        r"cg\.(?:infer|contrast|estimate|run|attribute|from_effects|mpra\.\w+)\b",
        lambda value: isinstance(value, xr.Dataset | pd.DataFrame),
    ),
)
"""Words for kinds of values, and what is of the kind."""
_TELLS_A_KIND = re.compile(
    r"(?:; |, |\b)(?:give(?: it)?|must be|has to be|is not|are not|takes|it takes|neither|"
    r"must be made of|must have|say|name|needs|need)\b(?: either)?([^;]{3,160})"
)


def is_of_a_kind(text: str, value: Any) -> bool:
    """Return whether a value is of a kind that a message says to give.

    Examples
    --------
    >>> is_of_a_kind("n='x' must be a whole number of at least 2", 3)
    True
    >>> is_of_a_kind("n='x' must be a whole number of at least 2", "x")
    False
    """
    phrases = [found[1] for found in _TELLS_A_KIND.finditer(text)]
    if value is None:
        return any(re.search(r"\bNone\b", one) for one in phrases)
    made = [name for one in phrases for name in re.findall(r"\bcg\.([A-Z]\w+)", one)]
    return type(value).__name__ in made or any(
        is_one(value)
        for words, is_one in KINDS
        if any(re.search(words, one) for one in phrases)
    )


def parts_restored(wrong: Any, right: Any, text: str) -> Any:
    """Return a table, Dataset or mapping with the parts that it lacks, if a message
    names them all; None if it does not.

    Examples
    --------
    >>> right = pd.DataFrame({"effect": [1.0], "se": [0.1]})
    >>> wrong = right.drop(columns="se")
    >>> list(parts_restored(wrong, right, "no column 'se'; add it"))
    ['effect', 'se']
    """

    def named(name: Any) -> bool:
        return bool(re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", text))

    if isinstance(wrong, pd.DataFrame) and isinstance(right, pd.DataFrame):
        lacking = [one for one in right if one not in wrong]
        usable = lacking and all(map(named, lacking)) and len(wrong) == len(right)
        return (
            wrong.assign(**{str(one): right[one] for one in lacking})
            if usable
            else None
        )
    if isinstance(wrong, xr.Dataset) and isinstance(right, xr.Dataset):
        lacking = [one for one in right.variables if one not in wrong]
        attributes = {
            key: value
            for key, value in right.attrs.items()
            if key not in wrong.attrs and named(key)
        }
        if not (lacking or attributes) or not all(map(named, lacking)):
            return None
        try:
            restored = wrong.assign_attrs(attributes)
            for one in lacking:
                restored = (
                    restored.assign_coords({one: right[one].variable})
                    if one in right.coords
                    else restored.assign({one: right[one].variable})
                )
        except ValueError:  # the dims differ
            return None
        return restored
    if isinstance(wrong, Mapping) and isinstance(right, Mapping):
        lacking = [one for one in right if one not in wrong]
        usable = lacking and all(map(named, lacking)) and all(k in right for k in wrong)
        return {**wrong, **{one: right[one] for one in lacking}} if usable else None
    return None


def without_rows(wrong: Any, text: str) -> Any:
    """Return a table or a Dataset without the rows that a message says to leave out:
    those with missing values or, if it says so, those that are there twice.

    Examples
    --------
    >>> table = pd.DataFrame({"effect": [1.0, float("nan"), 2.0]})
    >>> len(without_rows(table, "row 2: no effect; leave the row out"))
    2
    """
    if not re.search(
        r"\b(?:leave|drop|remove)\b[^;]*\b(?:out|row|rows|them|it)\b", text
    ):
        return None
    twice = bool(re.search(r"\btwice\b|\btimes\b|\brepeated\b", text))
    if isinstance(wrong, pd.DataFrame) and len(wrong):
        left = wrong.drop_duplicates() if twice else wrong.dropna()
        changed = _SHARE_LEFT * len(wrong) <= len(left) < len(wrong)
        return left if changed else None
    if isinstance(wrong, xr.Dataset):
        for dim, size in wrong.sizes.items():
            over = [
                one.isnull()
                .any([d for d in one.dims if d != dim])
                .reindex_like(wrong[dim])
                if dim in wrong.coords
                else one.isnull().any([d for d in one.dims if d != dim])
                for one in wrong.data_vars.values()
                if dim in one.dims and one.dtype.kind == "f"
            ]
            bad = np.any([one.to_numpy() for one in over], axis=0) if over else None
            if bad is not None and 0 < bad.sum() <= (1 - _SHARE_LEFT) * size:
                return wrong.isel({dim: np.flatnonzero(~bad)})
    return None


def names_listed(text: str, right: Any) -> Iterator[str]:
    """Yield the names in a list of a message, without quotes, if a right value is one of
    them.

    Examples
    --------
    >>> list(names_listed("method='x' is not one of bh, by, storey", "bh"))
    ['bh', 'by', 'storey']
    """
    for found in re.finditer(
        r"(?:one of|there are(?: only)?|only|it has|has the|takes) ([\w. -]+(?:, [\w. -]+)*)",
        text,
    ):
        names = re.split(r", | and | or ", found[1].strip(". "))
        if isinstance(right, str) and right in names:
            yield from names[:_MOST_NAMES]

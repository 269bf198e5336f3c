"""What an answer about variants says: how many do what, the largest by name, and what
null variants could not match or resolve.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.choices import DIRECTIONS, VERDICT_WORDS
from causalgia.errors import NAMES_SHOWN
from causalgia.inputs import cut_middle
from causalgia.tell.answer_sentences import size_in_words


def counted_variants(rows: xr.Dataset, where: str) -> str:
    """Return how many variants have each verdict, with the largest by name.

    Parameters
    ----------
    rows
        ``ace``, ``verdict`` and, of estimates with an error, ``se``, ``lower`` and
        ``upper`` of one task, (contrast); along a track ``peak``; perhaps with the
        coordinates ``motif``, ``score_ref`` and ``score_alt``.
    where
        What they were compared in or with.

    Examples
    --------
    >>> row = {"ace": [-2.0, 0.0], "verdict": ["decreases", "negligible"]}
    >>> table = xr.Dataset(
    ...     {k: ("contrast", v) for k, v in row.items()},
    ...     coords={"contrast": ["rs1", "rs2"]},
    ... )
    >>> counted_variants(table, "in their own contexts")
    'of 2 variants in their own contexts, 1 lowers the outcome (rs1 -2), 1 is negligible'
    >>> counted_variants(table[{"contrast": [0]}], "in their own contexts")
    'rs1 -2 (decreases)'
    """
    verdicts, parts = rows["verdict"].to_numpy(), []
    if len(verdicts) == 1:
        return f"{_one_variant(rows.isel(contrast=0))} ({verdicts[0]})"
    for verdict, word in VERDICT_WORDS.items():
        mine = rows.isel(contrast=verdicts == verdict)
        if n := mine.sizes["contrast"]:
            named = f" ({_largest(mine)})" if verdict in DIRECTIONS else ""
            parts.append(f"{n:,} {word.does(n)}{named}")
    return f"of {len(verdicts):,} variants {where}, {', '.join(parts)}"


def _largest(rows: xr.Dataset) -> str:
    order = np.argsort(-abs(rows["ace"].to_numpy()), kind="stable")
    named = [_one_variant(rows.isel(contrast=i)) for i in order[:NAMES_SHOWN]]
    return f"{'the largest ' * (len(order) > len(named))}{'; '.join(named)}"


def _one_variant(row: xr.Dataset) -> str:
    """Return one variant's effect, with its interval if it has one, and its motif."""
    size = f"{row['ace'].item():+.3g}"
    if "se" in row and row["se"].item() > 0:
        columns = ("ace", "se", "lower", "upper")
        size = size_in_words({column: row[column].item() for column in columns})
    if "peak" in row and row["ace"].item():
        size += f" at {row['peak'].item():,}"
    if "motif" in row.coords and row["motif"].item():
        makes = row["score_alt"].item() > row["score_ref"].item()
        size += f", {'makes' if makes else 'breaks'} {row['motif'].item()}"
    return f"{cut_middle(str(row['contrast'].item()))} {size}"


def unlike_nulls_sentence(own: float, middle: float, low: float, high: float) -> str:
    """Return that null variants lie in places that predict otherwise.

    Examples
    --------
    >>> print(unlike_nulls_sentence(57.1, 0.98, 0.61, 2.0))
    the references of these variants predict a median of 57.1, those of the null ...
    """
    return (
        f"{_medians(own, 'the null variants', middle, low, high)}: ranks among nulls in "
        "unlike places may be those of the place, not of the allele"
    )


def unlike_loci_sentence(own: float, middle: float, low: float, high: float) -> str:
    """Return that null variants lie in the variants' own windows, and why.

    Examples
    --------
    >>> print(unlike_loci_sentence(57.1, 0.98, 0.61, 2.0))
    the references of these variants predict a median of 57.1, those of random loci ...
    """
    return (
        f"{_medians(own, 'random loci', middle, low, high)}: null variants lie in the "
        "variants' own windows"
    )


def _medians(own: float, others: str, middle: float, low: float, high: float) -> str:
    return (
        f"the references of these variants predict a median of {own:.3g}, those of "
        f"{others} {middle:.3g} (90 % of them {low:.3g} to {high:.3g})"
    )

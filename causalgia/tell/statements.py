"""What an answer states, in words: a function for each kind of clause, whatever the
experiment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from causalgia.attributes import about
from causalgia.inputs import rough_percent
from causalgia.notes import Said, Statement, as_said
from causalgia.tell.answer_sentences import size_in_words
from causalgia.tell.screens import screen_details, screen_sentence
from causalgia.tell.shapes import (
    alone_sentence,
    excess_sentence,
    row_sentence,
    shape_sentence,
)
from causalgia.tell.site_answers import (
    changes_sentence,
    composition_sentence,
    core_sentence,
    counted_sites,
    fold_details,
    fold_sentence,
    kept_sentence,
    line_sentence,
    mean_and_spread,
    scatter_sentence,
    split_sentence,
)
from causalgia.tell.small_answers import moderation_sentence
from causalgia.tell.table_formats import format_se
from causalgia.tell.variant_sentences import (
    counted_variants,
    unlike_loci_sentence,
    unlike_nulls_sentence,
)

if TYPE_CHECKING:
    import xarray as xr

_FILLS = {
    "shuffle": "its letters in another order",
    "dinucleotide_shuffle": "its dinucleotides in another order",
    "uniform": "random bases",
}
_LARGEST_SHOWN = 6
_MOTIFS_NAMED = 5


def said(statement: Statement | str) -> Said:
    """Return a statement in words; a text is returned as it is.

    Examples
    --------
    >>> print(said(Statement((("made by chance", "placebo", "TATA", 0.03),), "K562")))
    Task K562: placebo: creates TATA by chance in 3 % of the sequences.
    """
    if isinstance(statement, str):
        return as_said(statement)
    clauses = [
        CLAUSES[kind](*values).removesuffix(".") for kind, *values in statement.clauses
    ]
    return Said(f"{'; '.join(clauses)}.", statement.task, statement.model)


def effect_in_words(row: xr.Dataset) -> str:
    """Return one contrast's effect with its interval to three digits, "1.06 [1.05,
    1.07]".

    Examples
    --------
    >>> import xarray as xr
    >>> effect_in_words(xr.Dataset({"ace": 1.0612, "lower": 1.0512, "upper": 1.0712}))
    '1.06 [1.05, 1.07]'
    """
    columns = ("ace", "se", "lower", "upper")
    return size_in_words({name: row[name].item() for name in columns if name in row})


def _sites(
    row: xr.Dataset,
    quantiles: xr.DataArray | None,
    label: str,
    fill: str,
    n: int,
    n_sequences: int,
) -> str:
    """Return what sites do: overwritten by a fill, or alone, without one."""
    what = f"{label} alone in shuffles of the sequences"
    if fill:
        what = f"overwriting {label} by {_FILLS.get(fill, fill)}"
    units = counted_sites(n, n_sequences)
    return mean_and_spread(row, quantiles, what=what, units=units)


def _knocked_in(
    net: xr.Dataset, quantiles: xr.DataArray | None, label: str, at: int
) -> str:
    """Return what a motif does that is written where its placebo is."""
    what = f"{label} at {at} rather than its placebo"
    units = f"{int(net['n_clusters'].item()):,} sequences"
    return mean_and_spread(net, quantiles, what=what, units=units)


def _site_and_placebo(own: xr.Dataset, placebo: xr.Dataset, label: str, at: int) -> str:
    return (
        f"{label} at {at} changes the outcome by {effect_in_words(own)}, its placebo by "
        f"{effect_in_words(placebo)}"
    )


def _variants(rows: xr.Dataset, in_own: bool, q: float) -> str:
    """Return the verdicts on variants; `q` of those that are ranked, else NaN."""
    where = "in their own contexts" if in_own else "over contexts"
    if not math.isnan(q):
        where = f"ranked among matched variants (q <= {q:g})"
    if "peak" in rows:
        where += ", each where its track changes most"
    return counted_variants(rows, where)


def _of_places(n_deleted: int) -> str:
    """Return what is done at a place."""
    bases = "a base" if n_deleted <= 1 else f"{n_deleted} bases"
    return f"{'deleting' if n_deleted else 'changing'} {bases}"


def _relative(names: Sequence[str]) -> str:
    """Return that verdicts are not the sign of the effect."""
    which = "this motif is" if len(names) == 1 else f"these {len(names):,} motifs are"
    return (
        f"The verdict on {which} relative to random sequences, which have effects on "
        "these backgrounds themselves; the effect itself is 0 or has the opposite "
        f"sign: {', '.join(names[:_MOTIFS_NAMED])}"
        f"{', ...' * (len(names) > _MOTIFS_NAMED)}"
    )


def _over_predictors(rows: xr.Dataset) -> str:
    """Return the largest effects over predictors, and how far predictors differ."""
    names = rows["contrast"].to_numpy()
    by_size = np.argsort(-abs(rows["ace"].to_numpy()), kind="stable")
    parts = []
    for name in [x for x in names if x in names[by_size[:_LARGEST_SHOWN]]]:
        row = rows.sel(contrast=name)
        within, between = (
            format_se(float(row["se_of_each"].median())),
            format_se(row["between_sd"].item()),
        )
        parts.append(
            f"{name} {effect_in_words(row)} (sd between predictors {between}, SE within "
            f"one {within})"
        )
    return f"over predictors like these {rows.sizes['model']}, {'; '.join(parts)}"


_NEIGHBORS = {
    "neighbors": (1.0, "each instance elsewhere"),
    "distance": (10.0, "10 bp further from the nearest instance"),
}
"""Moderator -> the change that is told, and its words."""


def _neighbors(table: xr.Dataset) -> str:
    """Return the changes for one sd more GC, one more instance, or ten more bases to
    the nearest one.
    """
    import xarray as xr

    changes = []
    for name in table["moderator"].to_numpy().tolist():
        row = table.sel(moderator=name)
        step, words = _NEIGHBORS.get(name, (0.0, ""))
        if not words:
            step = row["sd_of"].item()
            words = f"{100 * step:.2g} points more GC"
        ends = {"ace": row["slope"], "lower": row["lower"], "upper": row["upper"]}
        change = "an amount that one sequence alone shows"
        if np.isfinite(row["lower"]):
            changed = {end: value * step for end, value in ends.items()}
            change = effect_in_words(xr.Dataset(changed))
        changes.append(f"{change} for {words}")
    return f"{table['contrast'].item()} changes by {', and by '.join(changes)}"


def _search(table: xr.Dataset) -> str:
    """Return the narrowest spans that a search found, of one task."""
    known = about(table)
    bound = (
        f"family-wise error at most {known.alpha:g} over {table.sizes['contrast']} spans "
        "tested"
    )
    n, n_parents, n_draws = known.n_sequences, known.n_parents, known.n_draws
    where = f"in these {n:,} sequences of one parent, over {n * n_draws:,} draws"
    if n == 1:
        where = f"in this one sequence, over {n_draws:,} draws"
    elif n_parents > 1:
        of = "" if n_parents == n else f", {n_parents:,} parents,"
        where = (
            f"over the population that these {n:,} sequences{of} represent, "
            f"{n_draws:,} draws of each"
        )
    ends = table.isel(contrast=table["finest"].to_numpy()).sortby("start")
    effects = [
        f"{name}: {effect_in_words(ends.sel(contrast=name))}"
        for name in ends["contrast"].to_numpy()
    ]
    if not effects:
        return f"no span was found ({bound}), {where}"
    return (
        f"replacing the bases changes the outcome in {'; '.join(effects)} ({bound}), "
        f"{where}"
    )


CLAUSES: dict[str, Callable[..., str]] = {
    "alone": alone_sentence,
    "completed": lambda share, name, label: (
        f'In {100 * share:.0f} % of backgrounds the sites of "{name}" and the letters '
        f"between them read {label} once more, on either strand: its effect is part of "
        "the excess"
    ),
    "composition": composition_sentence,
    "core": core_sentence,
    "core and flanks": split_sentence,
    "excess": excess_sentence,
    "families": screen_details,
    "fold": fold_sentence,
    "kept": kept_sentence,
    "knocked in": _knocked_in,
    "letters": changes_sentence,
    "line": line_sentence,
    "made by chance": lambda name, label, share: (
        f"{name}: creates {label} by chance in {rough_percent(share)} of the sequences"
    ),
    "moderation": moderation_sentence,
    "neighbors": _neighbors,
    "over predictors": _over_predictors,
    "places of a fold": fold_details,
    "relative to random sequences": _relative,
    "row": row_sentence,
    "scatter": scatter_sentence,
    "search": _search,
    "screen": screen_sentence,
    "shapes": shape_sentence,
    "places": lambda shapes, n: shape_sentence(shapes, _of_places(n)),
    "single bases": lambda rows: counted_variants(rows, "of one base"),
    "site and placebo": _site_and_placebo,
    "sites": _sites,
    "sites left out": lambda n, of, label: (
        f"{n:,} of {of:,} sites are left out: no fill of theirs is free of {label}"
    ),
    "unlike loci": unlike_loci_sentence,
    "unlike nulls": unlike_nulls_sentence,
    "variants": _variants,
}
"""Kind of a clause -> its words, from its values."""

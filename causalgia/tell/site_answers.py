"""Sentences on what a site does: by composition, its letters, its flanks, its affinity,
in a hairpin.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from causalgia.checks import in_list
from causalgia.choices import VERDICT_WORDS
from causalgia.inputs import p_clause, rough_percent
from causalgia.tell.answer_sentences import size_in_words
from causalgia.tell.shapes import row_sentence, sized
from causalgia.tell.table_formats import number

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.estimation.lines import Line
    from causalgia.experiments.kit.stated import Shape

_NAMED_SHARE, _CURVED = 0.005, 0.05
_LACK_OF_FIT = 0.05  # level of the test that a line fits
_NOTHING = 1e-6
"""Of the change along GC: an sd that is rounding."""


def composition_sentence(
    shapes: list[Shape], rows: xr.Dataset, shares: xr.Dataset | None
) -> str:
    """Return what GC does to the outcome and to a motif, and how much of the variance
    is composition.

    Parameters
    ----------
    shapes
        The slope of the outcome, and that of the effect of a motif, where one is asked.
    rows
        The decision on each of them.
    shares
        ``share (component)`` of the variance of random sequences, and ``sd``; None
        where no outcomes were kept.
    """
    parts = [
        _slope(shape, rows.isel(contrast=i), shares) for i, shape in enumerate(shapes)
    ]
    if shares is not None:
        parts.insert(1, _shares(shares))
    return f"{'; '.join(parts)}."


def _slope(shape: Shape, row: xr.Dataset, shares: xr.Dataset | None) -> str:
    what = f"the effect of {shape.group}" if shape.group else "the outcome"
    size = f"{shape.size:+.3g} [{row['lower'].item():.3g}, {row['upper'].item():.3g}]"
    size += f" from {shape.start:g} to {shape.stop:g} %"
    sd = math.nan if shares is None else shares["sd"].item()
    if sd > _NOTHING * abs(shape.size):
        size += f", {abs(shape.size) / sd:.2g} sd of random sequences"
    if not shape.group and shares is not None and _curved(shares):
        return f"GC changes {what} along a curve, whose line is {size}"
    if shape.sign is None:
        return f"whether GC changes {what} is undecided ({size})"
    if shape.sign == 0:
        return f"GC changes {what} negligibly ({size})"
    return f"GC {'raises' if shape.sign > 0 else 'lowers'} {what} ({size})"


def _curved(shares: xr.Dataset) -> bool:
    line, curve = (
        shares["share"].sel(component=name).item()
        for name in ("GC, a line", "GC, a curve")
    )
    return bool(curve >= _CURVED and curve > line)


def _shares(shares: xr.Dataset) -> str:
    share = shares["share"]
    if math.isnan(share.sel(component="composition").item()):
        return "predictions of random sequences do not vary"
    names = [
        name
        for name in ("GC, a line", "GC, a curve", "CpG at one GC")
        if share.sel(component=name).item() >= _NAMED_SHARE
    ]
    listed = in_list(
        [f"{name} {rough_percent(share.sel(component=name).item())}" for name in names]
    )
    whole, rest = (
        rough_percent(share.sel(component=name).item())
        for name in ("composition", "arrangement")
    )
    return (
        f"composition explains {whole} of the variance of predictions of random "
        f"sequences{f' ({listed})' if names else ''}, arrangement {rest} (a ratio of "
        f"{shares['ratio'].item():.2g})"
    )


def kept_sentence(kept: xr.Dataset) -> str:
    """Return how much of the differences between given sequences their dinucleotides
    keep.
    """
    share, lower, upper = (
        rough_percent(kept[name].sel(component="dinucleotides").item())
        for name in ("share", "lower", "upper")
    )
    return (
        f"of the differences between the given sequences, {share} [{lower}, {upper}] "
        "are kept when only their dinucleotides are."
    )


def changes_sentence(rows: xr.Dataset, motif: str) -> str:
    """Return how many single-base changes of a motif do what, and the least and the
    most of them.
    """
    changes = rows.isel(contrast=rows["base"].to_numpy().astype(str) != "")
    verdicts = changes["verdict"].to_numpy().astype(str).tolist()
    counts = [
        f"{n} {word.does(n)}"
        for verdict, word in VERDICT_WORDS.items()
        if (n := verdicts.count(verdict))
    ]
    order = np.argsort(abs(changes["ace"].to_numpy()), kind="stable")
    least, most = (
        f"{changes['contrast'].to_numpy()[k]} {sized(changes.isel(contrast=int(k)))}"
        for k in (order[0], order[-1])
    )
    return (
        f"{row_sentence(rows.sel(contrast=motif), motif + ' alone')}; of its {len(verdicts)} "
        f"single-base changes, {in_list(counts)} (least {least}; most {most})"
    )


def mean_and_spread(
    row: xr.Dataset, quantiles: xr.DataArray | None, *, what: str, units: str
) -> str:
    """Return what is done, its mean effect, and where nine tenths of the effects of
    single units lie.

    Parameters
    ----------
    row
        ``ace``, ``lower``, ``upper`` and ``verdict`` over all units.
    quantiles
        Those of the units' effects, (prob); None: these are not known.
    what, units
        What is done, as the subject of a sentence, and to how many units: ``"156 sites
        in 153 sequences"``.

    Examples
    --------
    >>> import xarray as xr
    >>> row = xr.Dataset(
    ...     {"ace": -0.9, "lower": -0.95, "upper": -0.85, "verdict": "decreases"}
    ... )
    >>> quantiles = xr.DataArray([-1.31, -0.214], {"prob": [0.05, 0.95]}, "prob")
    >>> mean_and_spread(row, quantiles, what="overwriting AGATAA", units="156 sites")
    'overwriting AGATAA lowers the outcome (-0.900 [-0.950, -0.850]; 156 sites); the 5 % and 95 % quantiles ...'
    """
    size = size_in_words({end: row[end].item() for end in ("ace", "lower", "upper")})
    does = VERDICT_WORDS[str(row["verdict"].item())].does()
    text = f"{what} {does} ({size}; {units})"
    if quantiles is None:
        return f"{text}."
    low, high = (quantiles.sel(prob=prob).item() for prob in (0.05, 0.95))
    of = max(abs(low), abs(high))
    return (
        f"{text}; the 5 % and 95 % quantiles of its effects are {number(low, of)} and "
        f"{number(high, of)}."
    )


def counted_sites(n: int, sequences: int) -> str:
    """Return how many sites in how many sequences.

    Examples
    --------
    >>> counted_sites(156, 153), counted_sites(2, 1)
    ('156 sites in 153 sequences', '2 sites in 1 sequence')
    """
    return f"{n:,} sites in {sequences:,} sequence{'s' if sequences != 1 else ''}"


def line_sentence(shape: Shape, line: Line, reach: float) -> str:
    """Return how effects change along measured affinities."""
    does = {1: "rise with K_D", -1: "fall with K_D", 0: "do not depend on K_D"}
    ends = f"[{reach * line.slope_lower:.3g}, {reach * line.slope_upper:.3g}]"
    words = "may depend on K_D (undecided)" if shape.sign is None else does[shape.sign]
    return (
        f"effects {words}: the line through {shape.n} motifs changes by "
        f"{shape.size:+.3g} {ends} from the tightest to the weakest (R2 {line.r2:.2f})."
    )


def scatter_sentence(line: Line) -> str:
    """Return the slope and how motifs scatter about the line."""
    scatter = "no errors are given that could explain this scatter"
    if not math.isinf(line.chi2):
        fits = (
            "the line fits within the errors"
            if line.p > _LACK_OF_FIT
            else "more than their errors explain"
        )
        scatter = f"{fits} (chi2 {line.chi2:.3g} on {line.df}, {p_clause(line.p)})"
    return (
        f"the line changes by {line.slope:.3g} for each tenfold weaker binding; motifs "
        f"scatter about it by {line.scatter:.2g}; {scatter}."
    )


def core_sentence(row: xr.Dataset, core: str, split: xr.Dataset | None) -> str:
    """Return what a core does on average over flanks, and its share of the effects."""
    text = row_sentence(row, f"averaged over these flanks, {core}")
    if split is not None:
        share = split["share"].sel(part="core in flanks")
        if share.sum() > 0:
            part = rough_percent(share.sel(component="core").item())
            text += f"; the core makes up {part} of the mean squared effect"
    return f"{text}."


def split_sentence(split: xr.Dataset) -> str:
    """Return the sizes of core, flanks and background, and their shares."""

    def size(part: str) -> str:
        row = split.sel(part=part, component="core")
        return sized(row.rename(size="ace")[["ace", "lower", "upper"]])

    def spread(component: str) -> str:
        row = split.sel(part="core", component=component)
        sd, low, high = (row[x].item() for x in ("size", "lower", "upper"))
        how = f"sd {sd:.3g} [{low:.3g}, {high:.3g}]" if high else "no spread"
        return f"{how} between {component}s"

    share = split["share"].sel(part="core in flanks")
    shares = [
        f"{rough_percent(share.sel(component=name).item())} {name}"
        for name in share["component"].to_numpy()
    ]
    return (
        f"averaged over flanks like these, the core changes the outcome by "
        f"{size('core')}; its effect has {spread('flank')} and "
        f"{spread('background')}. The effect of the flanks alone is "
        f"{size('flanks alone')}. Mean square of core and flanks together: "
        f"{', '.join(shares)}."
    )


_SIGNS: dict[int | None, str] = {1: ">", -1: "<", 0: "="}
_REVERSED = {">": "<", "<": ">"}


def fold_sentence(rows: xr.Dataset) -> str:
    """Return the order of loop, open and stem by the verdicts on the two interactions,
    with the effects.
    """
    size = {str(k): sized(rows.sel(contrast=k)) for k in rows["contrast"].to_numpy()}
    signs = {
        place: _SIGNS.get(VERDICT_WORDS[verdict].side)
        for place in ("loop", "stem")
        if f"motif x {place}" in size
        for verdict in [str(rows["verdict"].sel(contrast=f"motif x {place}").item())]
    }
    if all(signs.values()):
        order = f"loop {signs['loop']} open"
        if stem := signs.get("stem"):
            order += f" {_REVERSED.get(stem, stem)} stem"
    else:
        order = "; ".join(
            f"{place} {sign} open" if sign else f"{place} and open are not told apart"
            for place, sign in signs.items()
        )
    because = (
        f"the effect of the motif is {size['motif in the loop']} in the loop "
        f"({size['motif in the open']} in the open at that place)"
    )
    if "motif x stem" not in size:
        return f"{order}: {because}; the stem is too short to hold the motif."
    return (
        f"{order}: {because} and {size['motif in the stem']} in the stem "
        f"({size['motif in the open, where the stem was']} in the open at that place)."
    )


def fold_details(rows: xr.Dataset) -> str:
    """Return the differences between places, and the complement in the stem."""
    said = {
        str(k): f"{sized(row)}, {row['verdict'].item()}"
        for k in rows["contrast"].to_numpy()
        for row in [rows.sel(contrast=k)]
    }
    text = f"loop minus open {said['motif x loop']}"
    if "motif x stem" in said:
        text += (
            "; the stem holds motif and complement, and the complement in the open has "
            f"an effect of {said['complement in the open']} (stem minus motif and "
            f"complement in the open {said['motif x stem']})"
        )
    return f"{text}."

"""Unintended motifs: those that an intervention creates at its junctions, destroys or
carries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import attributes
from causalgia.checks import as_count
from causalgia.design import Arm, Delete, Design, EmbedEach, Insert, Intervention
from causalgia.design.intervention import Layout, steps_of
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.sites import as_string_or_motif
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.motif_names import MotifLike, is_pattern, motifs_of_file
from causalgia.streams import RNG, root_key
from causalgia.trial.attributes import apply_arm
from causalgia.types import Ints, Mask, Tokens

if TYPE_CHECKING:
    from causalgia.trial.turns import DrawnUnits

#: strings or motifs, by name or not
Motifs: TypeAlias = Sequence[MotifLike] | Mapping[str, MotifLike] | MotifLike


def junctions(
    design: Design,
    motifs: Motifs,
    *,
    rng: RNG,
    threshold: float | None = None,
    n_units: int | None = None,
) -> xr.Dataset:
    """Count, for each arm, the units in which it creates an unintended motif, destroys
    one, or carries it.

    Written letters and adjacent bases can form a motif that neither contains; a fill or
    rearrangement can be a motif; a site can overwrite one of the background. Such units
    do not measure the effect that the arm is named for. Both strands are scanned, and a
    palindrome counts once. The predictor is not called.

    Parameters
    ----------
    design
        An experiment of the catalogue, or any design.
    motifs
        Strings of IUPAC letters, or what `causalgia.motif` takes; by name in a mapping.
        Or a file of motifs.
    rng
        Seed (0 is a seed), Generator or SeedSequence. The value of `causalgia.run`
        gives the units and draws of that trial.
    threshold
        p-value of the lowest score of an instance of a motif, by default 1e-4; not
        allowed with strings only.
    n_units
        Number of units, the first ones of the trial; None: all.

    Returns
    -------
    Dataset
        Shares of units, 0 to 1, (arm, motif): ``written``, with an instance entirely
        within the letters that one step writes (1 for the arm that embeds it; 0 as
        desired for a placebo or a broken site); ``made``, with a new instance that
        includes surrounding bases or lies in a fill; ``lost``, with an instance of the
        background destroyed. And ``background (motif)``, with an instance before any
        intervention.

    Raises
    ------
    DesignError
        If there is no motif, two share a name, there are fewer units than `n_units`, or
        a user-defined intervention changes the length.
    SequenceError
        If there is no motif of a name, a motif is longer than the sequences, or a
        threshold is given with strings only.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "untreated": cg.Untreated(),
    ...     "E-box": cg.Embed("CACGTG", at=20),
    ...     "broken": cg.Embed("CACATG", at=20),
    ... }
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=4_000)
    >>> found = junctions(design, ["CACGTG", "TGACTCA"], rng=0)
    >>> found["written"].sel(motif="CACGTG").values.tolist()
    [0.0, 1.0, 0.0]
    >>> bool(
    ...     found["made"].sel(arm="E-box", motif="TGACTCA") > 0
    ... )  # CACGTG and ACTCA after it
    True
    """
    import xarray as xr

    from causalgia.trial.turns import draw_backgrounds

    searched = motifs_with_thresholds(motifs, threshold)
    n = design.n_units if n_units is None else as_count(n_units, "n_units")
    if n > design.n_units:
        raise DesignError(
            f"n_units={n:,}: the design has {design.n_units:,} units; ask for at "
            "most so many"
        )
    units = draw_backgrounds(design, 0, n, key=root_key(rng))
    columns = [
        [
            _junction_shares(arm, units, root_key(rng), *motif)
            for motif in searched.values()
        ]
        for arm in design.named_arms
    ]
    shares = np.array(columns, np.float64)
    before = [
        len(set(find_instances(units.tokens, one, threshold=p).row.tolist()))
        for one, p in searched.values()
    ]
    table = {
        name: (("arm", "motif"), shares[..., i])
        for i, name in enumerate(("written", "made", "lost"))
    }
    table["background"] = ("motif", np.array(before) / len(units.tokens))  # type: ignore[assignment]  # of one dim
    return xr.Dataset(
        table,
        coords={"arm": design.arm_names, "motif": list(searched)},
        attrs=attributes(
            n_units=len(units.tokens),
            null=design.drawn.describe(),
            design_fingerprint=design.fingerprint,
        ),
    )


def motifs_with_thresholds(
    motifs: Motifs, threshold: float | None
) -> dict[str, tuple[str | Motif, float | None]]:
    """Return each motif with its threshold, by name; the threshold of a string is
    None.
    """
    of_file = motifs_of_file(motifs)
    motifs = motifs if of_file is None else of_file
    values = (
        [motifs]
        if is_pattern(motifs)
        else motifs.values()
        if isinstance(motifs, Mapping)
        else motifs
    )
    if not isinstance(values, Iterable):
        raise DesignError(
            f"motifs={quoted(motifs)} is not a string, a Motif, or a list or "
            "mapping of these; for example motifs=['AGATAAG']"
        )
    patterns = [as_string_or_motif(one, "motifs") for one in values]
    names = (
        [str(name) for name in motifs]
        if isinstance(motifs, Mapping) and not is_pattern(motifs)
        else [as_pattern(one).label for one in patterns]
    )
    if not names:
        raise DesignError("motifs: there is none; give one or more")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DesignError(f"motifs: {quoted(twice[0])} appears twice; give each once")
    strings = all(isinstance(pattern, str) for pattern in patterns)
    thresholds = [
        threshold if strings or isinstance(pattern, Motif) else None
        for pattern in patterns
    ]
    return {
        name: (pattern, p)
        for name, pattern, p in zip(names, patterns, thresholds, strict=True)
    }


def _junction_shares(
    arm: Arm, units: DrawnUnits, key: int, pattern: str | Motif, threshold: float | None
) -> tuple[float, ...]:
    after, length = apply_arm(arm, units.tokens, units.ids, key), units.tokens.shape[1]
    # background position of each base after the edit, -1 for inserted bases
    origin = np.arange(length)
    for step in steps_of(arm.intervention):
        if isinstance(step, Insert):
            origin = np.insert(origin, step.at, np.full(step.width, -1))
        elif isinstance(step, Delete):
            origin = np.delete(origin, slice(*step.span))
    if len(origin) != after.shape[1]:
        raise DesignError(
            f"arm {quoted(arm.name)}: {arm.intervention} gives {after.shape[1]} bases "
            f"of {length}, and which of them are new is known only for cg.Insert "
            "and cg.Delete; leave the arm out"
        )
    spans = _written_spans(arm.intervention, length, units.ids)
    found = motif_changes(
        units.tokens, after, spans, pattern, threshold=threshold, origin=origin
    )
    return (
        float(found.written.mean()),
        float(found.made.mean()),
        float(found.lost.mean()),
    )


def _written_spans(
    intervention: Intervention, length: int, units: NDArray[np.uint64]
) -> Ints:
    """Return the (start, stop) that each step writes, (n, steps, 2), or (1, steps, 2)
    where all units share them.
    """
    each = [step for step in steps_of(intervention) if isinstance(step, EmbedEach)]
    if not each:
        return _layout_spans(intervention.lay(Layout(length)))[None]
    if any(isinstance(step, Insert | Delete) for step in steps_of(intervention)):
        raise DesignError(
            f"{intervention}: places of each sequence's own are not followed through a "
            "change of length"
        )
    own = [
        np.array(step.sites)[(units // np.uint64(step.n_draws)).astype(np.int64)]
        for step in each
    ]
    rest = [
        _layout_spans(step.lay(Layout(length)))
        for step in steps_of(intervention)
        if step not in each
    ]
    shared = np.concatenate([np.empty((0, 2), np.int64), *rest])
    wide = np.broadcast_to(shared, (len(units), *shared.shape))
    return np.concatenate([np.stack(own, axis=1), wide], axis=1)


def _layout_spans(layout: Layout) -> Ints:
    return np.array([(w.start, w.stop) for w in layout.written], np.int64).reshape(
        -1, 2
    )


@dataclass(frozen=True, eq=False)
class MotifChanges:
    """Changes of a motif in n edited sequences.

    Attributes
    ----------
    written
        (n,) whether an instance lies entirely within a written span.
    made
        (n,) whether there is a new instance elsewhere.
    lost
        (n,) whether an instance of the original sequence is gone.
    """

    written: Mask
    made: Mask
    lost: Mask


def motif_changes(
    before: Tokens,
    after: Tokens,
    written: Ints,
    pattern: str | Motif,
    *,
    threshold: float | None = None,
    origin: Ints | None = None,
) -> MotifChanges:
    """Compare the instances of a string or motif in sequences before and after an edit.

    Parameters
    ----------
    before, after
        (n, length) and (n, length after) tokens.
    written
        (start, stop) of the written spans in `after`, (n, m, 2), or (1, m, 2) if the
        same for all.
    pattern, threshold
        As in `causalgia.sequences.find_instances`; instances may overlap.
    origin
        (length after,) position in `before` of each base of `after`, -1 for inserted
        bases; None: unchanged.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> before, after = encode(["TTTTTTTGATT"]), encode(["TTGATTAAGAT"])
    >>> found = motif_changes(before, after, np.array([[(2, 5), (6, 9)]]), "GAT")
    >>> found.written.tolist(), found.made.tolist(), found.lost.tolist()
    ([True], [True], [True])
    """
    there, now = (
        find_instances(t, pattern, threshold=threshold, overlapping=True)
        for t in (before, after)
    )
    length, width = before.shape[1], now.width
    at = now.start if origin is None else origin[now.start]
    last = now.start + width - 1 if origin is None else origin[now.start + width - 1]
    unbroken = (at >= 0) & (last - at == width - 1)
    places = np.where(unbroken, now.row * length + at, -1)
    known = there.row * length + there.start
    spans = written[now.row if len(written) > 1 else np.zeros_like(now.row)]
    inside = (
        (spans[..., 0] <= now.start[:, None])
        & (now.start[:, None] + width <= spans[..., 1])
    ).any(axis=1)
    return MotifChanges(
        written=_row_flags(now.row[inside], len(after)),
        made=_row_flags(now.row[~inside & ~np.isin(places, known)], len(after)),
        lost=_row_flags(there.row[~np.isin(known, places)], len(after)),
    )


def _row_flags(rows: Ints, n: int) -> Mask:
    flags = np.zeros(n, bool)
    flags[rows] = True
    return flags

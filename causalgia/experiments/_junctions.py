"""Motifs that an intervention makes at its seams, destroys, or still carries: what was done besides what was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import positive_int
from causalgia.design import Arm, Delete, Design, EmbedEach, Insert, Intervention, Sequential
from causalgia.design.layout import Layout
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.given_sequences import label_of, sought
from causalgia.sequences import Motif, find_instances
from causalgia.streams import RNG, root_key
from causalgia.trial.attributes import apply_arm
from causalgia.types import Ints, Mask, Tokens

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.trial.turns import DrawnUnits


def junctions(
    design: Design,
    motifs: Sequence[str | Motif] | Mapping[str, str | Motif] | str | Motif,
    *,
    rng: RNG,
    threshold: float | None = None,
    n_units: int | None = None,
) -> xr.Dataset:
    """Count, for each arm, the units in which it makes a motif that was not meant, destroys one, or carries it.

    What is written meets the bases around it, and together they can read a motif that neither has; a fill or a
    rearrangement can be one; a site can overwrite the background's own. Such units answer another question than the
    arm's name says. Both strands are scanned, and a palindrome counts once. Nothing is predicted.

    Parameters
    ----------
    design
        An experiment of the catalogue, or any design.
    motifs
        What is looked for: words of IUPAC letters, or what `causalgia.motif` takes; by name where a mapping.
    rng
        As in `causalgia.run`: the same gives the units and the draws of that very trial.
    threshold
        p-value of the lowest score of an instance of a motif, by default 1e-4; with words alone it is not taken.
    n_units
        The first so many units of the trial; None: all.

    Returns
    -------
    Dataset
        Shares of units, 0 to 1, (arm, motif): ``written``, those with an instance wholly within what one step writes
        (1 for the arm that embeds it; of a placebo or a broken site it should be 0); ``made``, those with an
        instance that reads bases around what was written, or a fill, where the background had none; ``lost``, those
        where one of the background's is gone. And ``background (motif)``, those that have one before any arm.

    Raises
    ------
    DesignError
        If there is no motif, two have one name, there are not so many units, or an intervention of one's own changes
        the length.
    SequenceError
        If nothing has a motif's name, it is longer than the sequences, or a threshold comes with words alone.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "E-box": cg.Embed("CACGTG", at=20), "broken": cg.Embed("CACATG", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=4_000)
    >>> found = junctions(design, ["CACGTG", "TGACTCA"], rng=0)
    >>> found["written"].sel(motif="CACGTG").values.tolist()
    [0.0, 1.0, 0.0]
    >>> bool(found["made"].sel(arm="E-box", motif="TGACTCA") > 0)  # CACGTG and ACTCA after it
    True
    """
    import xarray as xr

    from causalgia.trial.turns import draw_backgrounds

    named = _named(motifs, threshold)
    units = draw_backgrounds(design, 0, _first(n_units, design), key=root_key(rng))
    columns = [[_shares(arm, units, root_key(rng), *asked) for asked in named.values()] for arm in design.named_arms]
    shares = np.array(columns, np.float64)
    before = [len(set(find_instances(units.tokens, one, threshold=p).row.tolist())) for one, p in named.values()]
    table = {name: (("arm", "motif"), shares[..., i]) for i, name in enumerate(("written", "made", "lost"))}
    table["background"] = ("motif", np.array(before) / len(units.tokens))  # type: ignore[assignment]  # of one dim
    return xr.Dataset(
        table,
        coords={"arm": design.arm_names, "motif": list(named)},
        attrs={"n_units": len(units.tokens), "null": design.drawn.describe(), "design_fingerprint": design.fingerprint},
    )


def _named(motifs: Any, threshold: float | None) -> dict[str, tuple[str | Motif, float | None]]:
    """Return each motif with its threshold, by name; a word takes none."""
    given = motifs.values() if isinstance(motifs, Mapping) else [motifs] if isinstance(motifs, str | Motif) else motifs
    patterns = [sought(one, "motifs") for one in given]
    names = [str(name) for name in motifs] if isinstance(motifs, Mapping) else [label_of(one) for one in patterns]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice or not names:
        raise DesignError(
            f"motifs: {f'{quoted(twice[0])} is there twice' if twice else 'there is none'}; give each once"
        )
    words = all(isinstance(pattern, str) for pattern in patterns)
    asked = [threshold if words or isinstance(pattern, Motif) else None for pattern in patterns]
    return {name: (pattern, p) for name, pattern, p in zip(names, patterns, asked, strict=True)}


def _first(n_units: int | None, design: Design) -> int:
    n = design.n_units if n_units is None else positive_int(n_units, "n_units")
    if n > design.n_units:
        raise DesignError(f"n_units={n:,}: the design has {design.n_units:,} units; ask for at most so many")
    return n


def _shares(arm: Arm, units: DrawnUnits, key: int, pattern: str | Motif, threshold: float | None) -> tuple[float, ...]:
    after, length = apply_arm(arm, units.tokens, units.ids, key), units.tokens.shape[1]
    origin = _origin(arm.intervention, length)
    if len(origin) != after.shape[1]:
        raise DesignError(
            f"arm {quoted(arm.name)}: {arm.intervention} gives {after.shape[1]} bases of {length}, and which of them "
            "are new is known of cg.Insert and cg.Delete alone; leave the arm out"
        )
    spans = _written(arm.intervention, length, units.ids)
    found = changes(units.tokens, after, spans, pattern, threshold=threshold, origin=origin)
    return float(found.written.mean()), float(found.made.mean()), float(found.lost.mean())


def _steps(done: Intervention) -> tuple[Intervention, ...]:
    return done.steps if isinstance(done, Sequential) else (done,)


def _origin(done: Intervention, length: int) -> Ints:
    """Return the place in the background of each base of the edited sequence, -1 for an inserted one."""
    origin = np.arange(length)
    for step in _steps(done):
        if isinstance(step, Insert):
            origin = np.insert(origin, step.at, np.full(step.width, -1))
        elif isinstance(step, Delete):
            origin = np.delete(origin, slice(*step.span))
    return origin


def _written(done: Intervention, length: int, units: NDArray[np.uint64]) -> Ints:
    """Return the (start, stop) of what each step writes, (n or 1, steps, 2): for each unit where it has its own."""
    each = [step for step in _steps(done) if isinstance(step, EmbedEach)]
    if not each:
        return _laid(done.lay(Layout(length)))[None]
    if any(isinstance(step, Insert | Delete) for step in _steps(done)):
        raise DesignError(f"{done}: places of each sequence's own are not followed through a change of length")
    own = [np.array(step.sites)[(units // np.uint64(step.draws)).astype(np.int64)] for step in each]
    rest = [_laid(step.lay(Layout(length))) for step in _steps(done) if step not in each]
    shared = np.concatenate([np.empty((0, 2), np.int64), *rest])
    wide = np.broadcast_to(shared, (len(units), *shared.shape))
    return np.concatenate([np.stack(own, axis=1), wide], axis=1)


def _laid(layout: Layout) -> Ints:
    return np.array([(w.start, w.stop) for w in layout.written], np.int64).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Changes:
    """What became of a motif in each of n sequences that were edited.

    Attributes
    ----------
    written
        (n,) an instance lies wholly within a span that was written.
    made
        (n,) an instance lies elsewhere, where there was none before.
    lost
        (n,) an instance that was there before is gone.
    """

    written: Mask
    made: Mask
    lost: Mask


def changes(
    before: Tokens,
    after: Tokens,
    written: Ints,
    pattern: str | Motif,
    *,
    threshold: float | None = None,
    origin: Ints | None = None,
) -> Changes:
    """Compare the instances of a word or motif in sequences before and after an edit.

    Parameters
    ----------
    before, after
        (n, length) and (n, length after) tokens.
    written
        (start, stop) of spans in `after` that were written as a whole, (n, m, 2), or (1, m, 2) for all alike.
    pattern, threshold
        As `causalgia.sequences.find_instances` takes them; instances may overlap.
    origin
        (length after,) place in `before` of each base of `after`, -1 for an inserted one; None: they are the same.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> before, after = encode(["TTTTTTTGATT"]), encode(["TTGATTAAGAT"])
    >>> found = changes(before, after, np.array([[(2, 5), (6, 9)]]), "GAT")
    >>> found.written.tolist(), found.made.tolist(), found.lost.tolist()
    ([True], [True], [True])
    """
    there, now = (find_instances(t, pattern, threshold=threshold, overlapping=True) for t in (before, after))
    length, width = before.shape[1], now.width
    at = now.start if origin is None else origin[now.start]
    last = now.start + width - 1 if origin is None else origin[now.start + width - 1]
    unbroken = (at >= 0) & (last - at == width - 1)
    places = np.where(unbroken, now.row * length + at, -1)
    known = there.row * length + there.start
    spans = written[now.row if len(written) > 1 else np.zeros_like(now.row)]
    inside = ((spans[..., 0] <= now.start[:, None]) & (now.start[:, None] + width <= spans[..., 1])).any(axis=1)
    return Changes(
        written=_flags(now.row[inside], len(after)),
        made=_flags(now.row[~inside & ~np.isin(places, known)], len(after)),
        lost=_flags(there.row[~np.isin(known, places)], len(after)),
    )


def _flags(rows: Ints, n: int) -> Mask:
    flags = np.zeros(n, bool)
    flags[rows] = True
    return flags

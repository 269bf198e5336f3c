"""Arms: named interventions with factor levels, their factorials, their edits, and the
assignment of units to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import nearest
from causalgia.design.intervention import Intervention, Untreated, steps_of
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.design.null_model import NullModel, reads
from causalgia.design.pattern_interventions import Embed, FixedPlacebo, Insert, Placebo
from causalgia.design.per_sequence_interventions import AblateEach, EmbedEach
from causalgia.design.span_interventions import Ablate, Copy, Delete, Mutate, Scramble
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.notes import Edit
from causalgia.streams import derive
from causalgia.types import Stretches, Units
from causalgia.variables import RESERVED

Level: TypeAlias = str | int | float | bool
Levels: TypeAlias = tuple[tuple[str, Level], ...]


@dataclass(frozen=True)
class Arm:
    """A name, an intervention, and the arm's levels of the factors.

    Parameters
    ----------
    name
        Any printable string.
    intervention
        What is done.
    levels
        Factor -> level, such as ``{"spacing": 10, "strand": "+"}``; each factor becomes
        a coordinate of the arms.
    aligned
        Of an arm that shifts bases and keeps the length: for each given sequence, or
        once for all units, the stretches ``(start, stop, shift)`` of bases that it
        shares with what it is compared with, where base i stands at ``i + shift``. A
        track is read at these bases, and NaN at others. A sequence without stretches
        has every base in its place.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.Arm("near", cg.Embed("GATA", at=10), levels={"distance": 5}).factors
    {'distance': 5}
    """

    name: str
    intervention: Intervention
    levels: Mapping[str, Level] | Levels = ()
    aligned: Sequence[Stretches] = ()

    def __post_init__(self) -> None:
        rows = (tuple((int(a), int(b), int(c)) for a, b, c in x) for x in self.aligned)
        stretches = tuple(rows)
        object.__setattr__(self, "aligned", stretches if any(stretches) else ())
        if (
            not isinstance(self.name, str)
            or not self.name.strip()
            or not self.name.isprintable()
        ):
            raise DesignError(
                f"arm name {quoted(self.name)}: a name is a printable, non-empty string"
            )
        if not isinstance(self.intervention, Intervention):
            raise DesignError(
                f"arm {quoted(self.name)}: {quoted(self.intervention)} is not an "
                "intervention, such as cg.Embed(...)"
            )
        try:
            pairs = dict(self.levels)
        except (TypeError, ValueError) as error:
            raise DesignError(
                f"arm {quoted(self.name)}: levels={quoted(self.levels)} must be a "
                "mapping factor -> level"
            ) from error
        object.__setattr__(
            self,
            "levels",
            tuple(sorted((str(factor), level) for factor, level in pairs.items())),
        )
        for factor, level in self.factors.items():
            if factor in RESERVED:
                raise DesignError(
                    f"arm {quoted(self.name)}: a factor cannot be called "
                    f"{quoted(factor)}; that name is taken"
                )
            if not factor.isprintable():
                raise DesignError(
                    f"arm {quoted(self.name)}: the name of a factor, "
                    f"{quoted(factor)}, is not printable"
                )
            if not isinstance(level, str | int | float | bool) or level != level:
                raise DesignError(
                    f"arm {quoted(self.name)}: level {quoted(level)} of "
                    f"{quoted(factor)} must be a string or a number"
                )
            if isinstance(level, str) and not level.isprintable():
                raise DesignError(
                    f"arm {quoted(self.name)}: level {quoted(level)} of "
                    f"{quoted(factor)} must be printable"
                )
            if isinstance(level, int) and not -(2**63) <= level < 2**63:
                raise DesignError(
                    f"arm {quoted(self.name)}: level {quoted(level)} of "
                    f"{quoted(factor)} must be below 2^63"
                )

    @property
    def factors(self) -> dict[str, Level]:
        """Factor -> level."""
        return dict(self.levels)

    def to_dict(self) -> dict[str, Any]:
        """Return the arm (without its name) as TOML-ready data."""
        return self._with_options(self.intervention.to_dict())

    def identity(self) -> dict[str, Any]:
        """Return the content that makes two arms of one name equal, whatever their
        spelling.
        """
        return self._with_options(self.intervention.identity())

    def _with_options(self, plain: dict[str, Any]) -> dict[str, Any]:
        rows = [[list(stretch) for stretch in row] for row in self.aligned]
        options = {"levels": self.factors, "aligned": rows}
        return plain | {name: x for name, x in options.items() if x}

    @classmethod
    def from_dict(cls, name: str, plain: Mapping[str, Any]) -> Arm:
        """Return the arm that `to_dict` wrote; DesignError names the arm."""
        if not isinstance(plain, Mapping):
            raise DesignError(
                f"arm {quoted(name)}: {quoted(plain)} is not a table such as {{embed = "
                '"AGATAAG", at = 1000}'
            )
        rest = dict(plain)
        levels, aligned = rest.pop("levels", {}), rest.pop("aligned", ())
        try:
            intervention = intervention_from_dict(rest)
        except (DesignError, SequenceError) as error:
            raise DesignError(f"arm {quoted(name)}: {error}") from error
        return cls(name, intervention, levels, aligned)

    def at_shared_bases(
        self, track: NDArray[Any], units: Units, n_units: int, length: int, width: int
    ) -> NDArray[Any]:
        """Return the tracks of some of `n_units` units at the bases that are `aligned`.

        Parameters
        ----------
        track
            (n, positions, ...) answers to sequences of `length` bases, in bins of
            `width`, with as many bases cut off at either end. A bin is that of the
            bases that it holds: the same ones, all of them and no others, or NaN.

        Examples
        --------
        >>> import causalgia as cg
        >>> arm = Arm("deletion", cg.Untreated(), aligned=[[(0, 1, 0), (2, 5, -1)]])
        >>> arm.at_shared_bases(np.arange(5.0)[None], np.zeros(1, np.uint64), 1, 5, 1)
        array([[ 0., nan,  1.,  2.,  3.]])
        """
        n, found = track.shape[1], track.copy()
        first = (length - n * width) // 2
        base = np.arange(first, first + n * width)
        each = n_units // len(self.aligned) if self.aligned else n_units
        for i, unit in enumerate(units.tolist() if self.aligned else ()):
            if not (stretches := self.aligned[unit // each]):
                continue
            place = np.full(len(base), -1)
            for start, stop, shift in stretches:
                inside = (start <= base) & (base < stop)
                place[inside] = base[inside] + shift - first
            bins = place[::width] // width
            of_bins = np.add.outer(bins * width, np.arange(width)).ravel()
            whole = (place == of_bins).reshape(n, width).all(axis=1)
            whole &= (bins >= 0) & (bins < n)
            found[i] = np.nan
            found[i, whole] = track[i, bins[whole]]
        return found


def factorial(
    factors: Mapping[str, Intervention], *, untreated: str = "untreated"
) -> tuple[Arm, ...]:
    """Return the full 2^k factorial of k interventions: every combination of absent and
    present, as arms.

    Parameters
    ----------
    factors
        Factor name -> the intervention that is its present level.
    untreated
        Name of the arm in which all are absent.

    Returns
    -------
    tuple of Arm
        2^k arms named by what is present (``"A + B"``), with levels 0 and 1 for each
        factor, ready for ``cg.contrast(outcomes, interaction=["A", "B"])``.

    Examples
    --------
    >>> import causalgia as cg
    >>> [
    ...     arm.name
    ...     for arm in cg.factorial(
    ...         {"A": cg.Embed("GATA", at=0), "B": cg.Embed("TGCA", at=9)}
    ...     )
    ... ]
    ['untreated', 'B', 'A', 'A + B']
    """
    if not factors:
        raise DesignError(
            "factorial: name at least one factor, such as {'A': cg.Embed(...)}"
        )
    arms = []
    for levels in product((0, 1), repeat=len(factors)):
        present = [name for name, level in zip(factors, levels, strict=True) if level]
        done: Intervention = Untreated()
        for name in present:
            done = done + factors[name]
        arms.append(
            Arm(
                " + ".join(present) or untreated,
                done,
                dict(zip(factors, levels, strict=True)),
            )
        )
    return tuple(arms)


def as_arms(arms: Mapping[str, Intervention] | Sequence[Arm]) -> tuple[Arm, ...]:
    """Return arms from a mapping name -> intervention or a sequence of `Arm`; names
    must be unique.
    """
    if isinstance(arms, Mapping):
        made = tuple(Arm(name, intervention) for name, intervention in arms.items())
    else:
        if not isinstance(arms, Iterable):
            raise DesignError(
                "arms= takes a mapping name -> intervention or a sequence of "
                f"cg.Arm, not {quoted(arms)}"
            )
        made = tuple(arms)
        for arm in made:
            if not isinstance(arm, Arm):
                raise DesignError(
                    "arms= takes a mapping name -> intervention or a sequence of "
                    f"cg.Arm, not {quoted(arm)}"
                )
    for name, times in Counter(arm.name for arm in made).items():
        if times > 1:
            raise DesignError(f"arm {quoted(name)}: the name is taken by another arm")
    return made


def check_blocks(labels: NDArray[Any] | None, *, n_units: int, n_arms: int) -> None:
    """Raise DesignError if units cannot be randomized inside the blocks, one label for
    each unit.
    """
    if n_units < n_arms:
        raise DesignError(f"parallel: {n_units} units cannot fill {n_arms} arms")
    if labels is None:
        return
    if labels.shape != (n_units,):
        raise DesignError(
            f"blocks= must be None, 'parent', or {n_units} labels, one for each "
            f"unit; not {labels.shape}"
        )
    names, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < n_arms:
        label, size = names[sizes.argmin()], sizes.min()
        raise DesignError(f"block {label} has {size} units for {n_arms} arms")


def assign(blocks: NDArray[Any], *, n_arms: int, key: int) -> NDArray[np.int64]:
    """Return the arm index of each unit: inside each block, arms are assigned in
    permuted groups of `n_arms`.

    Each group of `n_arms` units of a block gets every arm once, in an order drawn from
    the group's own stream; so arms are balanced to within one unit, and a longer trial
    keeps the assignment of a shorter one.

    Parameters
    ----------
    blocks
        Block label of each unit, (n,).
    n_arms
        Number of arms.
    key
        Root key of the trial.

    Returns
    -------
    ndarray
        (n,) indices of arms.

    Examples
    --------
    >>> sorted(assign(np.zeros(3, np.int64), n_arms=3, key=1).tolist())
    [0, 1, 2]
    """
    from causalgia.sequences.random import random_words

    arms = np.empty(len(blocks), np.int64)
    for block in np.unique(blocks):
        members = np.flatnonzero(blocks == block)
        groups = np.arange(-(-len(members) // n_arms), dtype=np.uint64)
        stream = derive(key, "assignment", str(block))
        order = np.argsort(random_words(stream, groups, n_arms), axis=1, kind="stable")
        arms[members] = order.reshape(-1)[: len(members)]
    return arms


def edits_of_arms(arms: Iterable[Arm]) -> dict[str, tuple[Edit, ...]]:
    """Return the edits of each arm: arm -> its edits, in coordinates of the background.

    Examples
    --------
    >>> from causalgia.design import Delete, Embed
    >>> arm = Arm("shorter", Delete((10, 20)) + Embed("GATA", at=50))
    >>> [
    ...     (edit.does, edit.sites, edit.grows)
    ...     for edit in edits_of_arms([arm])["shorter"]
    ... ]
    [('delete', ((10, 10),), -10), ('motif', ((60, 4),), 0)]
    """
    found: dict[str, tuple[Edit, ...]] = {}
    for arm in arms:
        edits: list[Edit] = []
        # where earlier steps inserted or deleted bases, and how many
        moved: list[tuple[int, int]] = []
        for step in steps_of(arm.intervention):
            edit = step.edit()
            edits.append(
                edit
                if edit.sites is None
                else replace(edit, sites=_before_shifts(edit.sites, moved))
            )
            if edit.grows and edit.sites:
                moved.append((edit.sites[0][0], edit.grows))
        found[arm.name] = tuple(edits)
    return found


def _before_shifts(
    sites: tuple[tuple[int, int], ...], moved: list[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return sites, (start, width), as they were before earlier steps inserted or
    deleted bases.
    """
    found = []
    for start, width in sites:
        for at, grown in reversed(moved):
            if start >= at + max(grown, 0):
                start -= grown
            elif start > at:  # inside an insertion
                start = at
        found.append((start, width))
    return tuple(found)


INTERVENTIONS: dict[str, type[Intervention]] = {
    kind.kind: kind
    for kind in (
        Embed,
        Insert,
        Placebo,
        FixedPlacebo,
        Delete,
        Scramble,
        Ablate,
        Mutate,
        Copy,
        AblateEach,
        EmbedEach,
    )
}
"""Key of a trial file -> the intervention that it names."""


def _sequential(plain: dict[str, Any]) -> Intervention:
    listed = plain.pop("steps")
    if plain:
        raise DesignError(
            f"steps stand alone; {', '.join(plain)} beside them would be lost"
        )
    if not isinstance(listed, list) or not all(
        isinstance(step, dict) for step in listed
    ):
        raise DesignError(
            'steps = a list of tables such as {embed = "ACG", at = 3}, not '
            f"{quoted(listed)}"
        )
    steps: Intervention = Untreated()
    for step in listed:
        steps = steps + intervention_from_dict(step)
    return steps


@reads(Intervention)
def intervention_from_dict(plain: Any) -> Intervention:
    """Return the intervention that `to_dict` wrote, or that a user wrote in TOML.

    Raises
    ------
    DesignError
        If the table names no intervention, several, or an option that the intervention
        does not have.

    Examples
    --------
    >>> print(intervention_from_dict({"embed": ["GATA", "CACGTG"], "at": [3, 20]}))
    do(x[3:7] = GATA, x[20:26] = CACGTG)
    """
    if not isinstance(plain, Mapping):
        raise DesignError(
            'an intervention is a table such as {embed = "ACG", at = 3}, not '
            f"{quoted(plain)}"
        )
    known = [*INTERVENTIONS, "steps"]
    verbs = [verb for verb in plain if verb in known]
    if not plain:
        return Untreated()
    if len(verbs) != 1:
        hint = "" if verbs else nearest(str(next(iter(plain))), known, cutoff=0.6)
        raise DesignError(
            f"an arm says one of {', '.join(known)}, not "
            f"{quoted(verbs or list(plain))}{hint}"
        )
    try:
        read = (
            _sequential if verbs[0] == "steps" else INTERVENTIONS[verbs[0]].from_plain
        )
        return read(dict(plain))
    except TypeError as error:
        raise DesignError(f"{verbs[0]}: {error}") from error


@reads(NullModel)
def null_from_dict(plain: Any) -> NullModel:
    """Return the null model that `to_dict` wrote.

    Raises
    ------
    DesignError
        If the kind is unknown, or an option is missing or not one of that null model.

    Examples
    --------
    >>> null_from_dict({"kind": "uniform", "length": 20})
    Uniform(length=20)
    """
    if not isinstance(plain, Mapping):
        raise DesignError(
            'null: a table such as {kind = "uniform", length = 200}, not '
            f"{quoted(plain)}",
        )
    kind = plain.get("kind")
    if not isinstance(kind, str) or kind not in NULL_MODELS:
        raise DesignError(
            f"null: kind = {quoted(kind)} must be one of {', '.join(NULL_MODELS)}",
        )
    options = {key: value for key, value in plain.items() if key != "kind"}
    try:
        return NULL_MODELS[kind](**options)
    except TypeError as error:
        raise DesignError(
            f"null '{kind}': {error}",
        ) from error

"""A trial as data: arms that are named by their sites, and rows that are weights of
arms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import numpy as np

from causalgia.analysis import Analysis
from causalgia.choices import Control
from causalgia.design import Arm, Embed, Genomic, Intervention, NullModel, Untreated
from causalgia.design.intervention import Layout
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern, merged_motif
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.shapes import draw_shapes, read_shapes
from causalgia.experiments.kit.site_controls import UNTREATED, as_site_control
from causalgia.experiments.kit.unasked import settings_left_out
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac

ROPE = "0.1 of largest"
"""Region of the entries whose rows are settings: a tenth of the largest effect of one
site.
"""
_ZERO = 1e-12


class Weights(dict[str, float]):
    """Weights of arms, with arithmetic.

    Examples
    --------
    >>> both, one, none = (Weights({arm: 1.0}) for arm in ("both", "one", "none"))
    >>> both - 2 * one + none
    {'both': 1.0, 'one': -2.0, 'none': 1.0}
    """

    def __add__(self, other: Mapping[str, float]) -> Weights:
        total = dict(self)
        for arm, weight in other.items():
            total[arm] = total.get(arm, 0.0) + weight
        return Weights({arm: w for arm, w in total.items() if abs(w) > _ZERO})

    def __sub__(self, other: Mapping[str, float]) -> Weights:
        return self + {arm: -weight for arm, weight in other.items()}

    def __mul__(self, factor: float) -> Weights:
        return Weights({arm: factor * weight for arm, weight in self.items()})

    __rmul__ = __mul__


class Trial:
    """A question that is asked by arms with and without sites: how every entry of the
    catalogue is written, and one of your own.

    Name the arms that a row compares, subtract them, and say which rows are the
    question. Rows along an `axis` (places, gaps, copies, ...) are answered by their
    shape: the runs of neighboring settings with one sign.

    Parameters
    ----------
    null
        The null model of backgrounds.
    question, estimand
        A sentence each.
    control
        What stands where a site is absent: ``"placebo"``, a fresh rearrangement of it
        for each unit, so that all arms overwrite the same bases; ``"untreated"``, the
        background. None: placebos over `causalgia.Genomic`, else untreated.
    axis
        The label of rows that is their setting: ``"place"``, ``"gap"``, ``"copies"``, or
        a name of your own. Empty: rows have no order.
    of
        What the rows of the question are the effect of: ``"TGACTCA"``.
    entry
        An entry of the catalogue in place of `question` and `estimand`.
    unasked
        Notes on what the question leaves out, said before the run and after.

    Examples
    --------
    Is a site worth more in the middle than at either end?

    >>> import causalgia as cg
    >>> trial = cg.experiments.Trial(
    ...     cg.Uniform(length=41),
    ...     question="Is a site worth more in the middle?",
    ...     estimand="E[Y(middle) - Y(either end)/2]",
    ... )
    >>> left, middle, right = (trial.arm(cg.Embed("UGCAUG", at=p)) for p in (2, 17, 33))
    >>> row = trial.row("middle minus ends", middle - 0.5 * (left + right), asked=True)
    >>> experiment = trial.experiment(n_units=200, rope=(-0.5, 0.5))
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> experiment.analyze(outcomes, rng=0).decisions["verdict"].item()
    'negligible'
    """

    def __init__(
        self,
        null: NullModel,
        *,
        question: str = "",
        estimand: str = "",
        control: Control | None = None,
        axis: str = "",
        of: str = "",
        entry: Entry | None = None,
        unasked: Sequence[str] = (),
    ) -> None:
        self.null = as_null_model(null)
        self.beside = as_site_control(control, self.null)
        own = Entry(
            name="trial", question=question, estimand=estimand, doi="", axis=axis, of=of
        )
        if axis:
            own = replace(own, read=read_shapes, draw=draw_shapes)
        self._entry = entry or own
        self._arms = {UNTREATED: Arm(UNTREATED, Untreated())}
        self._rows: dict[str, Weights] = {}
        self._asked: list[str] = []
        self._labels: dict[str, dict[str, Any]] = defaultdict(dict)
        self._unasked = tuple(unasked)
        self.left_out = 0
        """Settings that were asked for and do not fit the sequence."""

    def center(self, site: str | Motif) -> int:
        """Return the start of a site in the middle of the sequence.

        Raises
        ------
        DesignError
            If the sequence is shorter than the site.
        """
        room = self.null.length - len(as_pattern(site))
        if room < 0:
            raise DesignError(
                f"motif={quoted(as_pattern(site).label)}: {len(as_pattern(site)):,} bases "
                f"do not fit {self.null.length:,} bp",
                argument="motif",
            )
        return room // 2

    def fits(self, *sites: Embed) -> bool:
        """Return whether all of these sites lie in the sequence, none over another."""
        try:
            self._written(sites).lay(Layout(self.null.length))
        except CausalgiaError:
            return False
        return True

    def arm(
        self, *present: Embed, absent: Iterable[Embed] = (), **factors: Any
    ) -> Weights:
        """Return the weight 1 of the arm with these sites; absent ones are placebos, or
        nothing.
        """
        absent = list(absent)
        for site in (*present, *absent):
            if not isinstance(site, Embed):
                raise DesignError(
                    f"arm: {site} is no cg.Embed; a site that is absent is absent=[...], "
                    "and any other intervention has a name: intervention(name, done)"
                )
        gone = absent if self.beside.placebos else []
        named: list[tuple[int, str, Intervention]] = [
            (site.at, _in_words(site), site) for site in present
        ]
        named += [
            (site.at, f"placebo of {_in_words(site)}", self.beside.absent(site))
            for site in gone
        ]
        named.sort(key=lambda part: part[0])
        name = ", ".join(part[1] for part in named) or UNTREATED
        if name not in self._arms:
            done = self._written(present) if not gone else Untreated()
            for _, _, step in named if gone else ():
                done = done + step
            self._arms[name] = Arm(name, done, factors)
        return Weights({name: 1.0})

    def untreated(self) -> Weights:
        """Return the weight 1 of the backgrounds as they were drawn."""
        return Weights({UNTREATED: 1.0})

    def intervention(
        self,
        name: str,
        done: Intervention,
        *,
        aligned: Any = (),
        **factors: Any,
    ) -> Weights:
        """Return the weight 1 of an arm of any intervention; `aligned` as of `Arm`."""
        if name in self._arms and self._arms[name].intervention != done:
            raise DesignError(f"arm {quoted(name)} is given twice")
        self._arms[name] = Arm(name, done, factors, aligned)
        return Weights({name: 1.0})

    def factorial(self, one: Embed, other: Embed) -> tuple[Weights, ...]:
        """Return the arms with both sites, each alone, and neither."""
        return (
            self.arm(one, other),
            self.arm(one, absent=[other]),
            self.arm(other, absent=[one]),
            self.arm(absent=[one, other]),
        )

    def row(
        self,
        name: str,
        weights: Mapping[str, float],
        *,
        asked: bool = False,
        **labels: Any,
    ) -> Weights:
        """Name a weighted sum of arms; `asked`: it answers the question; labels are
        coordinates of it.
        """
        if name in self._rows:
            raise DesignError(f"row {quoted(name)} is given twice")
        self._rows[name] = Weights(weights)
        if asked:
            self._asked.append(name)
        for label, value in labels.items():
            self._labels[label][name] = value
        return self._rows[name]

    def has(self, name: str) -> bool:
        """Return whether a row of this name was added."""
        return name in self._rows

    def experiment(
        self, *, n_units: int, rope: RopeLike = ROPE, **analysis: Any
    ) -> Experiment:
        """Return the experiment of these arms and rows, over `n_units` backgrounds, or
        all that a `causalgia.Genomic` has.

        Raises
        ------
        DesignError
            If a site does not fit the sequence, a row names no arm, or its arms are the
            same.
        """
        if not self._rows:
            raise DesignError(
                f"{self._entry.name}: none of the {self.left_out:,} settings fits "
                f"{self.null.length:,} bp"
                if self.left_out
                else f"{self._entry.name}: no row was named"
            )
        labels = dict(self._labels)
        axis = self._entry.axis if self._entry.read is read_shapes else ""
        for name in (self._asked or self._rows) if axis else ():
            if not isinstance(labels.get(axis, {}).get(name), Real):
                raise DesignError(
                    f"axis={quoted(axis)}: the asked row {quoted(name)} has no such "
                    "number, and the answer would be without it"
                )
        if "single" in labels:
            labels["single"] = {name: name in labels["single"] for name in self._rows}
        used = {arm for row in self._rows.values() for arm in row}
        if all(self._arms[arm].intervention != Untreated() for arm in used):
            used.add(UNTREATED)
        return Experiment(
            null=self.null,
            arms=[arm for name, arm in self._arms.items() if name in used],
            n_units=min(n_units, self.null.available)
            if isinstance(self.null, Genomic)
            else n_units,
            contrasts={name: dict(row) for name, row in self._rows.items()},
            entry=self._entry,
            analysis=Analysis(rope=rope, **analysis),
            asked=tuple(self._asked) if len(self._asked) < len(self._rows) else (),
            labels=labels,
            unasked=(
                *settings_left_out(self.left_out, self.null.length),
                *self._unasked,
            ),
        )

    def _written(self, sites: Sequence[Embed]) -> Intervention:
        """Return the intervention that writes these sites, two that overlap as one
        motif.
        """
        in_order = sorted(sites, key=lambda site: site.at)
        if len(in_order) == 2:
            one, other = in_order
            apart = other.at - one.at
            if apart < len(as_pattern(one.pattern)):
                return Embed(
                    merged_motif(_letters(one), _letters(other), apart), at=one.at
                )
        done: Intervention = Untreated()
        for site in in_order:
            done = done + site
        return done


def _letters(site: Embed) -> str:
    """Return the letters of a site as they are read on the + strand."""
    letters = as_pattern(site.pattern).consensus
    return letters if site.strand == "+" else reverse_complement_iupac(letters)


def _in_words(site: Embed) -> str:
    return f"{site.written.label}{'-' if site.strand == '-' else ''} at {site.at}"


def places_over(length: int, width: int, n: int) -> tuple[int, ...]:
    """Return up to `n` starts of a site from one end of a sequence to the other.

    Examples
    --------
    >>> places_over(41, 6, 6)
    (0, 7, 14, 21, 28, 35)
    """
    last = length - width
    if last < 1:
        raise DesignError(
            f"a site of {width} bases has no second place on backgrounds of "
            f"{length:,} bp"
        )
    return tuple(np.unique(np.linspace(0, last, n).round().astype(int)).tolist())


def strands_of(motif: str | Motif) -> tuple[Literal["+", "-"], ...]:
    """Return the strands on which a motif is two things: a palindrome has one.

    Examples
    --------
    >>> strands_of("TGACTCA"), strands_of("CACGTG")
    (('+', '-'), ('+',))
    """
    pattern = as_pattern(motif)
    same = (
        not pattern.random
        and reverse_complement_iupac(pattern.consensus) == pattern.consensus
    )
    return ("+",) if same else ("+", "-")

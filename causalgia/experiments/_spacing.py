"""Spacing of two sites: the effect of their distance, separated from their
positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import as_position, in_list
from causalgia.choices import DIRECTIONS, Control
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.design.intervention import Sequential
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern, merged_motif
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    rise_weights,
    weighted_sum,
)
from causalgia.experiments.kit.joint_effects import (
    ADDITIVE,
    SINGLE,
    UNDECIDED,
    bounded_sentences,
    is_departure,
    joint_effects,
    pair_in_words,
    scales_tried,
    single_sites_text,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    SiteControl,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import (
    as_positions,
    as_site,
    as_strings,
    further_sites_in_words,
)
from causalgia.experiments.kit.variance import (
    per_unit,
    rows_by_task,
    trend_in_words,
)
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

ONE, TREND = "one site", "linear trend"
_PAIR, _INTERACTION, _PLACEBO = "pair", "interaction", "placebo"


def spacing(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "UGCAUG",
    other: str | Motif | None = None,
    *,
    distances: Sequence[int] = (4, 6, 9),
    center: int | None = None,
    single: int | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates how the effect of two sites depends on their
    distance.

    The two sites start symmetrically about `center` (half a base to its left for odd
    distances), and each place has an arm with that site alone. The ``interaction`` at a
    distance is pair minus first alone minus second alone plus neither, so that the
    distance is not confounded with the places, which change with it.

    Contrasts: each pair, each site of it alone, and ``one site``, against the
    `control`; the ``interaction`` at each distance; and its ``linear trend``, that of the
    least-squares line through the interactions from the smallest distance to the
    largest. The answer first gives the distances at which the pair increases or
    decreases the outcome, then what it is beside the sum of both sites alone
    (`causalgia.experiments.joint_effect`).

    Overlapping sites are allowed where their letters agree: they form one longer motif.
    Sites so close that the bases between them can complete a further one (UGCAUG 8
    apart: ``UG CA UG`` in one background of 16) have an interaction for that reason;
    the answer gives its frequency if above 1 % of backgrounds.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The first site: a motif, or a motif (anything that `causalgia.motif` accepts)
        for its consensus.
    other
        The second site, in the form of `motif`; None: the same.
    distances
        Bases from the start of the first site to that of the second.
    center
        Base about which both start; None: such that the sites are centered in the
        background (18 of 41, as published).
    single
        Start of the arm with one site; None: one base before `center`, as published (17
        for 18).
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of each absent site for each unit at
        its place, so that all terms overwrite the same bases (sites may then not
        overlap).
        None: ``"placebo"`` over `causalgia.Genomic`, whose sequences have sites of
        their own to overwrite, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Arms ``"UGCAUG at 16"``, ``"UGCAUG at 20"``, ``"UGCAUG at 16, UGCAUG at 20"``,
        ...; with placebos ``"UGCAUG at 16, placebo at 22"``, ...; contrasts ``"pair at
        4"``, ``"interaction at 4"``, ``"first alone at 4"``, ``"second alone at 4"``,
        ...; coordinates ``distance``, ``asks`` (``"pair"``, ``"interaction"``,
        ``"first"``, ``"second"``, ``"one site"``) and ``site``, the letters of a site
        alone.

    Raises
    ------
    DesignError
        If sites collide at some distance (overlapping letters disagree, or create a
        further site; or they overlap and absent sites are placebos), a distance is 0 or
        repeated, or a site leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.spacing(n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: two UGCAUG sites are saturating at distances 4 and 6 (interaction -1.27 and -0.898: ...
    """
    beside = as_site_control(control, as_null_model(null))
    apart = tuple(sorted(as_positions(distances, "distances")))
    first, second = (
        _as_fixed_string(motif, "motif"),
        _as_fixed_string(motif if other is None else other, "other"),
    )
    middle = (
        (null.length - len(second) + 1) // 2
        if center is None
        else as_position(center, "center")
    )
    pair = _SitePair(first, second, middle, beside)
    alone = pair.center - 1 if single is None else as_position(single, "single")
    for distance in apart:
        pair.check(distance, apart, null.length)
    one, none = _site_at(first, alone), beside.arm(_site_at(_PLACEBO, alone))
    arms = {UNTREATED: Arm(UNTREATED, Untreated())}
    for distance in apart:
        arms |= {arm.name: arm for arm in pair.arms(distance)}
    site = Embed(first, at=alone)
    arms[one], arms[none] = Arm(one, site), Arm(none, beside.absent(site))
    interactions = {d: pair.interaction(d) for d in apart}
    contrasts = {ONE: {one: 1.0, none: -1.0}}
    contrasts |= {
        f"{_PAIR} at {d}": {pair.name(d): 1.0, pair.without(d)[-1]: -1.0} for d in apart
    }
    contrasts |= {f"{_INTERACTION} at {d}": row for d, row in interactions.items()}
    alone_at = {
        f"{which} alone at {d}": (d, which, letters)
        for which, letters in zip(SINGLE, (first, second), strict=True)
        for d in apart
    }
    for name, (d, which, _) in alone_at.items():
        one_of_both, other_of_both, neither = pair.without(d)
        arm = one_of_both if which == "first" else other_of_both
        contrasts[name] = {arm: 1.0, neither: -1.0}
    if (
        len(apart) > 1
    ):  # the rise of the line through the interactions over the distances
        rise = rise_weights({str(d): d for d in apart})
        contrasts[TREND] = weighted_sum(
            (rise[str(d)], row) for d, row in interactions.items()
        )
    return Experiment(
        null=null,
        arms=list(arms.values()),
        n_units=n_units,
        contrasts=contrasts,
        entry=beside.entry(
            SPACING,
            "E[Y(both) - Y(neither)] and E[Y(both) - Y(first alone) - Y(second alone) + "
            "Y(neither)] at each distance, with placebos for absent sites, over the "
            "null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=[f"{_INTERACTION} at {d}" for d in apart],
        labels={
            "distance": {
                f"{what} at {d}": d for what in (_PAIR, _INTERACTION) for d in apart
            }
            | {name: d for name, (d, _, _) in alone_at.items()},
            "asks": {ONE: ONE}
            | {f"{what} at {d}": what for what in (_PAIR, _INTERACTION) for d in apart}
            | {name: which for name, (_, which, _) in alone_at.items()},
            "site": {ONE: first}
            | {name: site for name, (*_, site) in alone_at.items()},
        },
    )


def _as_fixed_string(site: str | Motif, name: str) -> str:
    """Return the fixed letters of a site."""
    (motif,) = as_strings([as_pattern(as_site(site, name)).consensus], name)
    return motif


@dataclass(frozen=True)
class _SitePair:
    """Two sites about a center."""

    first: str
    second: str
    center: int
    beside: SiteControl

    def starts(self, distance: int) -> tuple[int, int]:
        """Return the starts of both sites."""
        left = self.center - (distance + 1) // 2
        return left, left + distance

    def check(self, distance: int, apart: tuple[int, ...], length: int) -> None:
        """Raise DesignError if the sites collide or leave the sequence."""
        left, right = self.starts(distance)
        if distance == 0:
            raise DesignError(
                "sites collide at distance 0: they would be one; give distances of 1 "
                "or more"
            )
        if left < 0 or max(left + len(self.first), right + len(self.second)) > length:
            raise DesignError(
                f"sites at distance {distance} about {self.center} start at {left} and "
                f"{right}, and one leaves the {length:,}-bp background; "
                f"{self._fitting(apart, length)}"
            )
        if distance < len(self.first) and self.beside.placebos:
            raise DesignError(
                f"sites overlap at distance {distance}, and no placebo can stand for "
                "one of them alone; give distances of "
                f"{len(self.first)} or more, or control='untreated'"
            )
        if distance <= len(self.first):
            self._check_merged(distance)

    def _fitting(self, apart: tuple[int, ...], length: int) -> str:
        """Return which distances fit about the center, and where all of them do."""
        room = length - self.center - len(self.second)
        most = max((d for d in range(2 * self.center + 1) if d // 2 <= room), default=0)
        shorter = f"give distances of at most {most}, or " if most else "give "
        from_left = [(d + 1) // 2 for d in apart]
        first = max(from_left)
        last = length - max(
            max(len(self.first), d + len(self.second)) - left
            for d, left in zip(apart, from_left, strict=True)
        )
        if first <= last:
            return f"{shorter}center={first} to {last}"
        return (
            f"{shorter}backgrounds of {length + first - last:,} bp or more with "
            f"center={first}"
        )

    def _check_merged(self, distance: int) -> None:
        merged = merged_motif(self.first, self.second, distance)
        for motif in {self.first, self.second}:
            expected = {
                start
                for start, site in ((0, self.first), (distance, self.second))
                if site == motif
            }
            fixed, letters = motif.replace("U", "T"), merged.replace("U", "T")
            starts = {
                i
                for i in range(len(letters) - len(fixed) + 1)
                if letters.startswith(fixed, i)
            }
            made = sorted(starts - expected)
            if made:
                raise DesignError(
                    f"sites collide at distance {distance}: together they read "
                    f"{merged}, which has {motif} at base {made[0]} too; choose "
                    "another distance"
                )

    def name(self, distance: int) -> str:
        """Return the name of the arm with both sites."""
        left, right = self.starts(distance)
        return f"{_site_at(self.first, left)}, {_site_at(self.second, right)}"

    def without(self, distance: int) -> tuple[str, str, str]:
        """Return the names of the arms with the first site, the second, and neither."""
        left, right = self.starts(distance)
        one, other = _site_at(self.first, left), _site_at(self.second, right)
        if not self.beside.placebos:
            return one, other, UNTREATED
        no_one, no_other = _site_at(_PLACEBO, left), _site_at(_PLACEBO, right)
        return f"{one}, {no_other}", f"{no_one}, {other}", f"{no_one}, {no_other}"

    def arms(self, distance: int) -> list[Arm]:
        """Return the arms with the first site, the second, neither, and both."""
        left, right = self.starts(distance)
        alone = self.beside.factorial(
            Embed(self.first, at=left), Embed(self.second, at=right)
        )
        return [
            *map(Arm, self.without(distance), alone),
            Arm(
                self.name(distance),
                self.embedded(distance),
                {"distance": distance},
            ),
        ]

    def interaction(self, distance: int) -> dict[str, float]:
        """Return the weights of pair minus first alone minus second alone plus
        neither.
        """
        one, other, neither = self.without(distance)
        return {self.name(distance): 1.0, one: -1.0, other: -1.0, neither: 1.0}

    def embedded(self, distance: int) -> Intervention:
        """Return the intervention that embeds both sites, as one motif where they
        overlap.
        """
        left, right = self.starts(distance)
        if distance < len(self.first):
            return Embed(merged_motif(self.first, self.second, distance), at=left)
        return Embed(self.first, at=left) + Embed(self.second, at=right)


def _site_at(site: str, start: int) -> str:
    return f"{site} at {start}"


def _read_spacing(found: TrialResults) -> Finding:
    against = against_placebos(found.experiment)
    sentences: list[str] = [
        Said(f"{against}{_spacing_sentence(rows, found)}", *task)
        for task, rows in rows_by_task(found.steps.decisions)
    ]
    sentences += bounded_sentences(found.outcomes)
    details = list[str]()
    for arm in found.experiment.named_arms:
        if isinstance(arm.intervention, Sequential) and "distance" in arm.factors:
            of, key = (
                f"the interaction at {arm.factors['distance']}",
                derive(found.key, "further sites", arm.name),
            )
            details += further_sites_in_words(
                found.experiment, arm.name, of=of, key=key
            )
    return Finding(sentences=tuple(sentences), details=tuple(details))


_FEW_DISTANCES = 4


def _spacing_sentence(rows: xr.Dataset, found: TrialResults) -> str:
    cells = rows.isel(contrast=rows["asks"].to_numpy() == _INTERACTION)
    text = _kinds_by_distance(rows, cells, found)
    pairs, alone = (
        rows.isel(contrast=np.isin(rows["asks"].to_numpy(), kinds))
        for kinds in ([_PAIR], [*SINGLE, ONE])
    )
    both = np.concatenate([x["verdict"].to_numpy() for x in (pairs, alone)])
    if (both != "increases").any():  # else the table says enough
        text = f"{text}; {_together(pairs)}; {single_sites_text(alone)}"
    if TREND not in rows["contrast"].to_numpy():
        return f"{text}."
    rise, distances = (
        rows.sel(contrast=TREND),
        rows["distance"].to_numpy().astype(float),
    )
    low, high = np.nanmin(distances), np.nanmax(distances)
    trend = trend_in_words(rise, "the interaction")
    if rise["verdict"].item() in DIRECTIONS:
        trend = f"the interaction changes by {per_unit(rise, high - low, 'per base')}"
    return f"{text}; {trend}."


_TOGETHER = {
    "increases": "raise the outcome",
    "decreases": "lower the outcome",
    "negligible": "change the outcome negligibly",
    "undecided": "are undecided",
}


def _together(pairs: xr.Dataset) -> str:
    """Return what both sites do, with the distances of each verdict."""
    verdicts = pairs["verdict"].to_numpy()
    parts = [
        f"{verb} {_distances_text(pairs.isel(contrast=verdicts == verdict))}"
        for verdict, verb in _TOGETHER.items()
        if (verdicts == verdict).any()
    ]
    return f"together they {in_list(parts)}"


def _kinds_by_distance(rows: xr.Dataset, cells: xr.Dataset, found: TrialResults) -> str:
    """Return what the two sites do together beside their sum, with the distances and
    interactions of each kind.
    """
    names = cells["contrast"].to_numpy().astype(str).tolist()
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    kinds = joint_effects(rows, contrasts, names)
    departing = [name for name in names if is_departure(kinds[name])]
    tried = scales_tried(found.outcomes, {name: contrasts[name] for name in departing})
    clauses, open_at = [], ""
    for kind in dict.fromkeys(kinds.values()):
        of_kind = cells.sel(contrast=[name for name in names if kinds[name] == kind])
        where = _distances_text(of_kind)
        if kind.word == UNDECIDED:
            open_at = f"undecided {where}"
        elif kind.word == ADDITIVE:
            clauses.append(f"{kind} {where}")
        else:
            why = f": {kind.meaning}" if kind.meaning else ""
            clauses.append(
                f"{kind.word} {where} (interaction {_sizes_text(of_kind)}{why})"
            )
    on_scales = "" if tried is None else tried.text(departing, rows)
    sites = pair_in_words(rows) or "two sites"
    text = f"{sites} are {in_list(clauses)}{on_scales}" if clauses else ""
    open_at = open_at if clauses else f"the interaction of {sites} is {open_at}"
    return _distance_named("; ".join(part for part in (text, open_at) if part))


def _distance_named(text: str) -> str:
    """Return a text in which the first place that is named is said to be a distance.

    Examples
    --------
    >>> _distance_named("two sites are saturating at 4 and 6; at 9 they are additive")
    'two sites are saturating at distances 4 and 6; at 9 they are additive'
    """
    found = re.search(r"\bat (\d+)\b(?! distances)( and|,)?", text)
    if found is None:
        return text
    word = "distances" if found[2] else "distance"
    return f"{text[: found.start()]}at {word} {text[found.start(1) :]}"


def _distances_text(found: xr.Dataset) -> str:
    at = [f"{d:.0f}" for d in found["distance"].to_numpy().astype(float).tolist()]
    if len(at) <= _FEW_DISTANCES:
        return f"at {in_list(at)}"
    return f"at {len(at)} distances from {at[0]} to {at[-1]}"


def _sizes_text(found: xr.Dataset) -> str:
    """Return the effects at few distances, or their range."""
    ace = found["ace"].to_numpy().tolist()
    if len(ace) <= _FEW_DISTANCES:
        return in_list([f"{x:.3g}" for x in ace])
    return f"{min(ace):.3g} to {max(ace):.3g}"


def _draw_spacing(answer: Answer) -> Axes:
    from causalgia.tell.figures import curve

    decisions = answer.decisions
    chosen = [
        str(name).startswith(_INTERACTION) for name in decisions["contrast"].to_numpy()
    ]
    interactions, task = (
        decisions.isel(contrast=chosen),
        str(decisions["task"].to_numpy()[0]),
    )
    return curve(
        interactions,
        x="distance",
        task=task,
        label="Excess over the sum of both sites alone",
    )


SPACING = Entry(
    name="spacing",
    question=(
        "Does the effect of two sites depend on their distance, apart from their "
        "positions?"
    ),
    estimand=(
        "E[Y(both) - Y(untreated)] and E[Y(both) - Y(first alone) - Y(second alone) + "
        "Y(untreated)] at each distance, over the null model."
    ),
    doi="10.1101/418459",
    read=_read_spacing,
    draw=_draw_spacing,
)

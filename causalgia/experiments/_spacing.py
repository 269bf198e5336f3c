"""Does the distance of two sites matter, apart from where each of them lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Rope
from causalgia.checks import as_position
from causalgia.design import Arm, Embed, Intervention, NullModel, Sequential, Uniform, Untreated, merged_word
from causalgia.errors import DesignError
from causalgia.experiments.kit import settings
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.exact_weights import rise_weights, weighted_sum
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, analysis_for
from causalgia.experiments.kit.unplanned_sites import further_sites_in_words
from causalgia.experiments.kit.variance import by_task, effect_in_words, per_unit
from causalgia.sequences import Motif
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes

CONTROL, ONE, RISE = "untreated", "one site", "rise"
_PAIR, _INTERACTION = "pair", "interaction"


def spacing(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    word: str | Motif = "UGCAUG",
    other: str | Motif | None = None,
    distances: Sequence[int] = (4, 6, 9),
    centre: int | None = None,
    single: int | None = None,
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks whether the distance of two sites matters.

    The two sites start symmetrically about `centre` (half a base to the left of that where the distance is odd), and
    each of their places has an arm with that site alone. The ``interaction`` at a distance is pair minus first alone
    minus second alone plus untreated: what is left of the distance when the places, which change with it, are taken
    off. Where one site stays and the other moves, without such arms, distance and place are one.

    The answer says first at which distances the pair itself increases the outcome, then how it compares with the sum of
    both sites alone: sites that each lower the outcome are above their sum wherever together they lower it less.

    Contrasts: each pair, and ``one site``, against the untreated arm; the ``interaction`` of each distance; and its
    ``rise``, how far the least-squares line through the interactions rises from the nearest distance to the farthest.
    Sites that overlap are allowed where their letters agree: they are one longer word. Sites between which the letters
    of a background can complete one more (UGCAUG 8 apart: ``UG CA UG`` in one of 16) have an interaction by that; where
    it happens in more than 1 % of backgrounds, the answer says in how many.

    Parameters
    ----------
    null
        The null model of backgrounds.
    word
        The first site: a word, a motif, or what `causalgia.motif` makes one of; a motif stands for its consensus.
    other
        The second site, given as `word` is; None: two of the same.
    distances
        Bases from the start of the first site to that of the second.
    centre
        Base about which both start; None: so that the sites are about the centre of the background (18 of 41, as
        published).
    single
        Start of the arm with one site; None: one base before `centre`, as published (17 for 18).
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Arms ``"UGCAUG at 16"``, ``"UGCAUG at 20"``, ``"UGCAUG at 16, UGCAUG at 20"``, ...; contrasts ``"pair at 4"``,
        ``"interaction at 4"``, ...; coordinate ``distance``.

    Raises
    ------
    DesignError
        If sites collide at some distance (the letters of an overlap contradict each other, or make one site more), a
        distance is 0 or given twice, or a site leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021), doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.spacing(n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[0])
    Task RBFOX1: two sites increase the outcome at 4 (5.9...) and 6 (6...) and 9 (7...); one site alone increases ...
    """
    settings.background(null)
    apart = tuple(sorted(settings.positions(distances, "distances")))
    first, second = _fixed(word, "word"), _fixed(word if other is None else other, "other")
    middle = (null.length - len(second) + 1) // 2 if centre is None else as_position(centre, "centre")
    pair = _Pair(first, second, middle)
    alone = pair.centre - 1 if single is None else as_position(single, "single")
    for distance in apart:
        pair.check(distance, null.length)
    return Experiment(
        null=null,
        arms=_arms(pair, apart, alone),
        n_units=n_units,
        contrasts=_contrasts(pair, apart, alone),
        entry=SPACING,
        analysis=analysis_for("confirmatory", rope=rope),
        labels={"distance": {f"{what} at {d}": d for what in (_PAIR, _INTERACTION) for d in apart}},
    )


def _fixed(site: str | Motif, name: str) -> str:
    """Return the letters of a site, the same in every unit."""
    (word,) = settings.words([settings.word_of(settings.site(site, name))], name)
    return word


@dataclass(frozen=True)
class _Pair:
    """Two sites about a centre."""

    first: str
    second: str
    centre: int

    def starts(self, distance: int) -> tuple[int, int]:
        """Return where both start."""
        left = self.centre - (distance + 1) // 2
        return left, left + distance

    def check(self, distance: int, length: int) -> None:
        """Raise DesignError where the sites collide or leave the sequence."""
        left, right = self.starts(distance)
        if distance == 0:
            raise DesignError("sites collide at distance 0: they would be one; give distances of 1 or more")
        if left < 0 or max(left + len(self.first), right + len(self.second)) > length:
            raise DesignError(
                f"sites at distance {distance} about {self.centre} start at {left} and {right}, and one leaves the "
                f"{length}-bp background; move centre= or leave the distance out"
            )
        if distance <= len(self.first):
            self._check_merged(distance)

    def _check_merged(self, distance: int) -> None:
        try:
            merged = merged_word(self.first, self.second, distance)
        except DesignError as error:
            raise DesignError(f"sites collide at distance {distance}: {error}") from error
        for word in {self.first, self.second}:
            expected = {start for start, site in ((0, self.first), (distance, self.second)) if site == word}
            made = sorted(_places(word, merged) - expected)
            if made:
                raise DesignError(
                    f"sites collide at distance {distance}: together they read {merged}, which has {word} at base "
                    f"{made[0]} too; choose another distance"
                )

    def name(self, distance: int) -> str:
        """Return what the arm with both is called."""
        left, right = self.starts(distance)
        return f"{_alone(self.first, left)}, {_alone(self.second, right)}"

    def interaction(self, distance: int) -> dict[str, float]:
        """Return the weights of pair minus first alone minus second alone plus untreated."""
        starts = self.starts(distance)
        alone = [_alone(site, start) for site, start in zip((self.first, self.second), starts, strict=True)]
        return {self.name(distance): 1.0, **dict.fromkeys(alone, -1.0), CONTROL: 1.0}

    def embedded(self, distance: int) -> Intervention:
        """Return the intervention that writes both, as one word where they overlap."""
        left, right = self.starts(distance)
        if distance < len(self.first):
            return Embed(merged_word(self.first, self.second, distance), at=left)
        return Embed(self.first, at=left) + Embed(self.second, at=right)


def _places(word: str, sequence: str) -> set[int]:
    """Return where a word starts in a sequence, overlapping ones too, whether T or U is written."""
    word, sequence = word.replace("U", "T"), sequence.replace("U", "T")
    return {i for i in range(len(sequence) - len(word) + 1) if sequence.startswith(word, i)}


def _alone(site: str, start: int) -> str:
    return f"{site} at {start}"


def _arms(pair: _Pair, distances: tuple[int, ...], single: int) -> list[Arm]:
    arms = {CONTROL: Arm(CONTROL, Untreated())}
    for distance in distances:
        for site, start in zip((pair.first, pair.second), pair.starts(distance), strict=True):
            arms[_alone(site, start)] = Arm(_alone(site, start), Embed(site, at=start))
        both = pair.name(distance)
        arms[both] = Arm(both, pair.embedded(distance), {"distance": distance})
    arms[_alone(pair.first, single)] = Arm(_alone(pair.first, single), Embed(pair.first, at=single))
    return list(arms.values())


def _contrasts(pair: _Pair, distances: tuple[int, ...], single: int) -> dict[str, dict[str, float]]:
    rows = {ONE: {_alone(pair.first, single): 1.0, CONTROL: -1.0}}
    rows |= {f"{_PAIR} at {d}": {pair.name(d): 1.0, CONTROL: -1.0} for d in distances}
    interactions = {d: pair.interaction(d) for d in distances}
    rows |= {f"{_INTERACTION} at {d}": row for d, row in interactions.items()}
    return rows | ({RISE: _rise(interactions)} if len(distances) > 1 else {})


def _rise(interactions: dict[int, dict[str, float]]) -> dict[str, float]:
    """Return the rise of the least-squares line through the interactions, from the nearest distance to the farthest."""
    rise = rise_weights({str(d): d for d in interactions})
    return weighted_sum((rise[str(d)], row) for d, row in interactions.items())


def _read(found: Found) -> Finding:
    said = [f"{task}: {_sentence(rows)}" for task, rows in by_task(found.steps.decisions)]
    return Finding(sentences=(*said, *_further(found)))


def _further(found: Found) -> Iterator[str]:
    """Say at which distances, and in how many backgrounds, the sites make a further one."""
    for arm in found.experiment.named_arms:
        if isinstance(arm.intervention, Sequential):
            of, key = f"the interaction at {arm.factors['distance']}", derive(found.key, "further sites", arm.name)
            yield from further_sites_in_words(found.experiment, arm.name, of=of, key=key)


_TOGETHER = {
    "increases": "increase the outcome at",
    "decreases": "decrease it at",
    "negligible": "do next to nothing at",
    "undecided": "are undecided at",
}
_BESIDE = {
    "increases": "above that sum at",
    "decreases": "below that sum at",
    "negligible": "equal to it within the ROPE at",
    "undecided": "undecided at",
}
_DOES_ALONE = {
    "increases": "increases the outcome",
    "decreases": "decreases the outcome",
    "negligible": "is negligible",
    "undecided": "is undecided",
}
_RISES = {
    "increases": "rises",
    "decreases": "falls",
    "negligible": "changes negligibly",
    "undecided": "changes or does not (undecided)",
}


def _sentence(rows: xr.Dataset) -> str:
    one = rows.sel(contrast=ONE)
    alone = f"one site alone {_DOES_ALONE[one['verdict'].item()]}, {effect_in_words(one)}"
    beside = (
        f"compared with the sum of each site's effect alone, the pair is {_by_verdict(rows, _INTERACTION, _BESIDE)}"
    )
    said = f"two sites {_together(rows)}; {alone}; {beside}"
    if RISE not in rows["contrast"].to_numpy():
        return f"{said}."
    rise, distances = rows.sel(contrast=RISE), rows["distance"].to_numpy().astype(float)
    reach = np.nanmax(distances) - np.nanmin(distances)
    return (
        f"{said}; from the nearest to the farthest the interaction {_RISES[rise['verdict'].item()]}, "
        f"{effect_in_words(rise)} ({per_unit(rise, reach, 'a base')})."
    )


def _together(rows: xr.Dataset) -> str:
    said = _by_verdict(rows, _PAIR, _TOGETHER)
    return said if _TOGETHER["increases"] in said else f"increase the outcome at no distance, and {said}"


def _by_verdict(rows: xr.Dataset, what: str, words: Mapping[str, str]) -> str:
    """Return the distances of each verdict on the pairs, or on their interactions, with the effects."""
    found = rows.isel(contrast=[str(name).startswith(f"{what} at ") for name in rows["contrast"].to_numpy()])
    verdicts = found["verdict"].to_numpy()
    return ", ".join(
        f"{said} {_effects(found.isel(contrast=verdicts == verdict))}"
        for verdict, said in words.items()
        if (verdicts == verdict).any()
    )


def _effects(found: xr.Dataset) -> str:
    rows = [found.isel(contrast=i) for i in range(found.sizes["contrast"])]
    return " and ".join(f"{row['distance'].item():.0f} ({effect_in_words(row)})" for row in rows)


def _draw(answer: Answer) -> Axes:
    from causalgia.plot import profile

    decisions = answer.decisions
    chosen = [str(name).startswith(_INTERACTION) for name in decisions["contrast"].to_numpy()]
    interactions, task = decisions.isel(contrast=chosen), str(decisions["task"].to_numpy()[0])
    return profile(interactions, along="distance", task=task, effect="Excess over the sum of both sites alone")


SPACING = Entry(
    name="spacing",
    question="Does the distance of two sites matter, apart from where each of them lies?",
    estimand="E[Y(both) - Y(untreated)] and E[Y(both) - Y(first alone) - Y(second alone) + Y(untreated)] at each "
    "distance, over the null model.",
    doi="10.1101/418459",
    read=_read,
    draw=_draw,
)

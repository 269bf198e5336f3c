"""Does the distance of two sites matter, apart from where each of them lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from causalgia.analysis import Analysis, Rope
from causalgia.design import Arm, Embed, Intervention, NullModel, Sequential, Uniform, Untreated, merged_word
from causalgia.design.numbers import position
from causalgia.errors import DesignError
from causalgia.experiments import settings
from causalgia.experiments.answer import Answer, Finding
from causalgia.experiments.experiment import Entry, Experiment, Found
from causalgia.experiments.further_sites import further_sites_in_words
from causalgia.experiments.wording import by_task, effect_in_words
from causalgia.sequences import Motif
from causalgia.streams import derive

if TYPE_CHECKING:
    from causalgia.plot import Axes

CONTROL, ONE, RISE = "untreated", "one site", "rise"
_PAIR, _INTERACTION = "pair", "interaction"


def spacing(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    word: str | Motif = "UGCAUG",
    other: str | Motif | None = None,
    distances: Sequence[int] = (4, 6, 9),
    centre: int = 18,
    single: int | None = None,
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks whether the distance of two sites matters.

    The two sites start symmetrically about `centre` (half a base to the left of that where the distance is odd), and
    each of their places has an arm with that site alone. The ``interaction`` at a distance is pair minus first alone
    minus second alone plus untreated: what is left of the distance when the places, which change with it, are taken
    off. Where one site stays and the other moves, without such arms, distance and place are one.

    Contrasts: each pair, and ``one site``, against the untreated arm; the ``interaction`` of each distance; and its
    ``rise``, how far the least-squares line through the interactions rises from the nearest distance to the farthest.
    Sites that overlap are allowed where their letters agree: they are one longer word. Sites between which the letters
    of a background can complete one more (UGCAUG 8 apart: ``UG CA UG`` in one of 16) have an interaction by that; where
    it happens in more than 1 % of backgrounds, the answer says in how many.

    Parameters
    ----------
    null
        The null model of backgrounds.
    word, other
        The sites, first and second: words, motifs, or what `causalgia.motif` makes one of; a motif stands for its
        consensus. None: two of the same.
    distances
        Bases from the start of the first site to that of the second.
    centre
        Base about which both start.
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
    Task RBFOX1: one site increases the outcome, 3...; two are at 4 less than they add up to ...; at 9 ...
    """
    settings.background(null)
    apart = tuple(sorted(settings.positions(distances, "distances")))
    pair = _Pair(_fixed(word, "word"), _fixed(word if other is None else other, "other"), position(centre, "centre"))
    alone = pair.centre - 1 if single is None else position(single, "single")
    for distance in apart:
        pair.check(distance, null.length)
    return Experiment(
        null=null,
        arms=_arms(pair, apart, alone),
        n_units=n_units,
        contrasts=_contrasts(pair, apart, alone),
        entry=SPACING,
        analysis=Analysis(rope=rope, error="bh"),
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
    from causalgia.estimation import dose_contrasts

    reach = max(interactions) - min(interactions)
    rise: dict[str, float] = {}
    for name, weight in dose_contrasts({str(d): d for d in interactions})["slope"].items():
        for arm, share in interactions[int(name)].items():
            rise[arm] = rise.get(arm, 0.0) + reach * weight * share
    return rise


def _read(found: Found) -> Finding:
    said = [f"{task}: {_sentence(rows)}" for task, rows in by_task(found.steps.decisions)]
    return Finding(sentences=(*said, *_further(found)))


def _further(found: Found) -> Iterator[str]:
    """Say at which distances, and in how many backgrounds, the sites make a further one."""
    for arm in found.experiment.named_arms:
        if isinstance(arm.intervention, Sequential):
            of, key = f"the interaction at {arm.factors['distance']}", derive(found.key, "further sites", arm.name)
            yield from further_sites_in_words(found.experiment, arm.name, of=of, key=key)


_DOES = {
    "increases": "more than they add up to",
    "decreases": "less than they add up to",
    "negligible": "what they add up to",
    "undecided": "undecided",
}


_DOES_ALONE = {
    "increases": "increases the outcome",
    "decreases": "decreases the outcome",
    "negligible": "is negligible",
    "undecided": "is undecided",
}


def _sentence(rows: xr.Dataset) -> str:
    names = [str(name) for name in rows["contrast"].to_numpy()]
    apart = [name for name in names if name.startswith(f"{_INTERACTION} ")]
    one = rows.sel(contrast=ONE)
    said = [_at_distance(rows, name) for name in apart]
    if RISE in names:
        rise = rows.sel(contrast=RISE)
        said.append(f"from the nearest to the farthest this {_RISES[rise['verdict'].item()]}, {effect_in_words(rise)}")
    return f"one site {_DOES_ALONE[one['verdict'].item()]}, {effect_in_words(one)}; two are {'; '.join(said)}."


_RISES = {
    "increases": "increases",
    "decreases": "decreases",
    "negligible": "changes negligibly",
    "undecided": "is undecided",
}


def _at_distance(rows: xr.Dataset, name: str) -> str:
    distance, row = name.removeprefix(f"{_INTERACTION} at "), rows.sel(contrast=name)
    pair = effect_in_words(rows.sel(contrast=f"{_PAIR} at {distance}"))
    return f"at {distance} {_DOES[row['verdict'].item()]} (interaction {effect_in_words(row)}, together {pair})"


def _draw(answer: Answer) -> Axes:
    from causalgia.plot import profile

    decisions = answer.decisions
    chosen = [str(name).startswith(_INTERACTION) for name in decisions["contrast"].to_numpy()]
    return profile(decisions.isel(contrast=chosen), along="distance", task=str(decisions["task"].to_numpy()[0]))


SPACING = Entry(
    name="spacing",
    question="Does the distance of two sites matter, apart from where each of them lies?",
    estimand="E[Y(both) - Y(first alone) - Y(second alone) + Y(untreated)] at each distance, over the null model.",
    doi="10.1101/418459",
    read=_read,
    draw=_draw,
)

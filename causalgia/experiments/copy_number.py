"""Copies of a site: do they add up, or saturate."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from causalgia.analysis import Analysis, Rope
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.experiments.answer import Finding
from causalgia.experiments.drawing import profile_along
from causalgia.experiments.experiment import Entry, Experiment, Found
from causalgia.experiments.further_sites import further_sites_in_words
from causalgia.experiments.settings import background, positions, site
from causalgia.experiments.wording import by_task, effect_in_words
from causalgia.sequences import Motif
from causalgia.streams import derive

CONTROL, EXCESS = "untreated", "excess over single sites"


def copies(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    word: str | Motif = "UGCAUG",
    at: Sequence[int] = (4, 12, 20),
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks whether copies of a site add up, saturate or help each other.

    Arms have the site at the first place, at the first two, and so on, on the same backgrounds. Contrasts: each number
    of copies against none; the ``trend``, the least-squares slope for one more copy; the ``curvature``, the mean second
    difference of the response over 0, 1, 2, ... copies (0: additive in number; of the sign of the trend: more than
    additive; of the other: saturating); and, since places may differ, the ``excess over single sites`` of all copies
    over the sum of the same sites alone (0: additive, whatever the places are worth). Sites so near that the bases
    between them can complete one more (UGCAUG 8 apart: ``UG CA UG`` in one background of 16) have an excess by that;
    where it happens in more than 1 % of backgrounds, the answer says in how many.

    Parameters
    ----------
    null
        The null model of backgrounds.
    word
        The site: a word of IUPAC letters, a motif, or what `causalgia.motif` makes one of.
    at
        0-based starts, in the order in which copies are added; two or more.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Arms ``"1 copy"``, ``"2 copies"``, ... and ``"alone at 12"`` for each place but the first; coordinate
        ``copies``.

    Raises
    ------
    DesignError
        If there are fewer than two places, sites overlap, or one leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021), doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(at=(4, 13, 22), n_units=400)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> answer = experiment.analyse(outcomes, rng=0)
    >>> print(answer.sentences[0])
    Task outcome: 1 to 3 copies are additive: curvature ...
    """
    background(null)
    places, word = positions(at, "at", least=2), site(word, "word")
    arms = [Arm(CONTROL, Untreated(), {"copies": 0}), *_nested(word, places), *_alone(word, places)]
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=copy_contrasts(places, control=CONTROL),
        entry=COPIES,
        analysis=Analysis(rope=rope, error="bh"),
        labels={"copies": {copies_in_words(n): n for n in range(1, len(places) + 1)}},
    )


def copies_in_words(n: int) -> str:
    """Return the name of the arm with n copies.

    Examples
    --------
    >>> copies_in_words(1), copies_in_words(2)
    ('1 copy', '2 copies')
    """
    return f"{n} {'copy' if n == 1 else 'copies'}"


def _nested(word: str | Motif, places: tuple[int, ...]) -> list[Arm]:
    arms: list[Arm] = []
    done: Intervention = Untreated()
    for n, place in enumerate(places, start=1):
        done = done + Embed(word, at=place)
        arms.append(Arm(copies_in_words(n), done, {"copies": n}))
    return arms


def _alone(word: str | Motif, places: tuple[int, ...]) -> list[Arm]:
    return [Arm(f"alone at {place}", Embed(word, at=place)) for place in places[1:]]


def copy_contrasts(places: tuple[int, ...], *, control: str) -> dict[str, dict[str, float]]:
    """Return the contrasts of arms with 1, 2, ... copies at the first places, and of arms with one copy elsewhere.

    Examples
    --------
    >>> copy_contrasts((4, 12), control="untreated")["excess over single sites"]
    {'2 copies': 1.0, '1 copy': -1.0, 'alone at 12': -1.0, 'untreated': 1.0}
    """
    from causalgia.estimation import dose_contrasts

    dose = [control, *(copies_in_words(n) for n in range(1, len(places) + 1))]
    rows = {name: {name: 1.0, control: -1.0} for name in dose[1:]}
    rows["trend"] = dose_contrasts({name: n for n, name in enumerate(dose)}, kind="slope")["slope"]
    rows["curvature"] = _curvature(dose)
    alone = [copies_in_words(1), *(f"alone at {place}" for place in places[1:])]
    rows[EXCESS] = {dose[-1]: 1.0, **dict.fromkeys(alone, -1.0), control: len(places) - 1.0}
    return rows


def _curvature(dose: list[str]) -> dict[str, float]:
    """Return the mean of the second differences y(n + 1) - 2 y(n) + y(n - 1)."""
    weights = dict.fromkeys(dose, 0.0)
    for a, b, c in zip(dose, dose[1:], dose[2:], strict=False):
        for arm, weight in ((a, 1.0), (b, -2.0), (c, 1.0)):
            weights[arm] += weight / (len(dose) - 2)
    return {arm: weight for arm, weight in weights.items() if weight}


def read_copies(found: Found) -> Finding:
    """Say whether copies are additive or saturate: the verdicts on curvature and excess, and the slope."""
    n = max(found.experiment.labels["copies"].values())
    said = [f"{task}: 1 to {n} copies are {_sentence(rows)}" for task, rows in by_task(found.steps.decisions)]
    return Finding(sentences=tuple(said))


def _sentence(rows: xr.Dataset) -> str:
    trend, curvature, excess = (rows.sel(contrast=name) for name in ("trend", "curvature", EXCESS))
    return (
        f"{_shape(trend, curvature)}: curvature {effect_in_words(curvature)}, {effect_in_words(trend)} for each copy; "
        f"beside the same sites alone they are {_shape(trend, excess)}, {effect_in_words(excess)}."
    )


def _shape(trend: xr.Dataset, beyond: xr.Dataset) -> str:
    """Return what a departure from adding up means, by its verdict and by whether copies raise or lower the outcome."""
    verdict, does = str(beyond["verdict"].item()), str(trend["verdict"].item())
    if verdict == "negligible":
        return "additive"
    if verdict == "undecided" or does not in ("increases", "decreases"):
        return "not clearly additive or otherwise"
    return "more than additive" if verdict == does else "saturating"


def _read(found: Found) -> Finding:
    """Say in how many backgrounds the copies make a further one, too."""
    every = copies_in_words(max(found.experiment.labels["copies"].values()))
    key = derive(found.key, "further sites")
    further = further_sites_in_words(found.experiment, every, of="the curvature and the excess", key=key)
    return Finding(sentences=(*read_copies(found).sentences, *further))


COPIES = Entry(
    name="copies",
    question="Do copies of a site add up, saturate or help each other?",
    estimand="E[Y(n copies) - Y(none)] for each n, its slope and second difference in n, over the null model.",
    doi="10.1101/418459",
    read=_read,
    draw=profile_along("copies"),
)

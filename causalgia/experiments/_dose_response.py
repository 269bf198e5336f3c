"""Dose response: words of a motif from weak to strong, in one copy and in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Rope
from causalgia.checks import as_count, shown
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.errors import DesignError
from causalgia.experiments._copies import LEAST_GAP, departure
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.exact_weights import rise_weights, weighted_sum
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, analysis_for
from causalgia.experiments.kit.figures import mean_over_models
from causalgia.experiments.kit.given_sequences import sought
from causalgia.experiments.kit.settings import background, centered, positions
from causalgia.experiments.kit.variance import by_task, effect_in_words, per_unit
from causalgia.sequences import Motif, strength_ladder

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes

CONTROL, CHANGE, EXCESS = "untreated", "strength x copies", "excess over single sites"
RISE = "rise of the excess"
_WEAK_TO_STRONG, _NONE_TO_ALL = "weak to strong, ", "none to all copies, "
_COPIES = (1, 2, 3)

#: nM, single changes of UGCAUG in UGCAUGU (Auweter et al. 2006, doi:10.1038/sj.emboj.7600918)
_KD = {"UGCAUG": 0.83, "AGCAUG": 4.8, "CGCAUG": 6.1, "UGUAUG": 280.0, "UACAUG": 350.0, "UGCACG": 4.9, "UGCAUA": 1830.0}


def _of_affinities(name: str, best: str, dissociation: Mapping[str, float]) -> Motif:
    """Return the motif whose probabilities go as 1 / K_D of each single change; the weakest where none was measured."""
    weakest = max(dissociation.values())
    changed = [[best[:i] + base + best[i + 1 :] for base in "ACGU"] for i in range(len(best))]
    return Motif.from_counts(name, [[1 / dissociation.get(word, weakest) for word in words] for words in changed])


RBFOX1 = _of_affinities("RBFOX1", "UGCAUG", _KD)


def dose_response(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    motif: str | Motif | None = None,
    n_steps: int = 5,
    weakest: float = 0.0,
    copies: Sequence[int] = _COPIES,
    at: Sequence[int] | None = None,
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks how the outcome depends on a site's strength, alone and in several copies.

    Words of a motif in even steps of score (`strength_ladder`), each in every number of copies, and each alone at every
    place, on the same backgrounds. Trends are judged over the range that was tested, as effects on the outcome, never
    for one bit or one copy. Contrasts:

    - each word in each number of copies against none;
    - for each number of copies ``"weak to strong"``, how far the least-squares line through the words' outcomes rises
      from the least score to the largest;
    - for each word ``"none to all copies"``, how far the line through 0 and the numbers of copies rises;
    - ``"strength x copies"``, by how much ``"weak to strong"`` grows from the least number of copies to the largest;
    - for each word ``"excess over single sites"``, of n copies, the largest number: ``Y(n copies) - sum of Y(one, at
      each of their places) + (n - 1) Y(none)``, which is 0 where copies add, whatever their places are worth;
    - ``"rise of the excess"``, how far the line through these rises from the weakest word to the strongest.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        What `causalgia.motif` takes: a name, a file, a table; None: RBFOX1's, of its affinities. The words of a plain
        word are a mismatch of 8.6 bits apart, so it needs few steps, or another `weakest`.
    n_steps
        Words, from the weakest to the consensus.
    weakest
        Score in bits that the weakest word aims at.
    copies
        Numbers of copies, 1 or more.
    at
        0-based starts, in the order in which copies are added; as many as the largest number of copies, or more. None:
        about the centre of the background, 4 bases between neighbours.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Arms ``"untreated"``, ``"UGCAUG x 2"`` and ``"UGCAUG at 17"`` (each place but the first, which is that of one
        copy), with levels ``score`` (bits) and ``copies``; these are coordinates of the contrasts of a number of
        copies. Finding ``line`` (three words or more): ``share (copies, task)``, how much of the
        differences between the words' effects a straight line in bits takes, from 0 to 1.

    Raises
    ------
    DesignError
        If there are too few places for the copies, sites overlap, or one leaves the sequence.
    SequenceError
        If nothing has the motif's name, or no words of it lie near the steps.

    References
    ----------
    RBFOX1's affinities: Auweter et al. (2006), doi:10.1038/sj.emboj.7600918; effects against affinity: Koo, Anand, Paul
    & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.dose_response(n_steps=3, copies=[1, 2], n_units=200)
    >>> rna = cg.zoo.Oracle(cg.zoo.Word("UGCAUG", 0.5), cg.zoo.Word("A", 0.1), link="exp")
    >>> print(experiment.analyse(cg.run(experiment, rna, rng=0), rng=0).sentences[0])
    Task outcome: from the weakest word (... bits) to the strongest (11.3 bits) the outcome rises, 1..., with 1 copy ...
    """
    background(null)
    ladder = dict(strength_ladder(_motif(motif), n_steps, weakest=weakest))
    numbers = _numbers(copies)
    places = centered(null.length, len(next(iter(ladder))), max(numbers), gap=LEAST_GAP) if at is None else at
    places = positions(places, "at")
    if max(numbers) > len(places):
        raise DesignError(f"copies={max(numbers)} and at= has {len(places)} places; give a place for each copy")
    places = places[: max(numbers)]
    grid = {(word, n): _arm(word, score, n, places) for word, score in ladder.items() for n in numbers}
    first = {_alone(word, places[0]): Embed(word, at=places[0]) for word in ladder if 1 not in numbers}
    alone = first | {_alone(word, place): Embed(word, at=place) for word in ladder for place in places[1:]}
    return Experiment(
        null=null,
        arms=[Arm(CONTROL, Untreated()), *grid.values(), *(Arm(name, done) for name, done in alone.items())],
        n_units=n_units,
        contrasts=_contrasts(ladder, numbers, places),
        entry=DOSE_RESPONSE,
        analysis=analysis_for("confirmatory", rope=rope),
        labels={k: {arm.name: arm.factors[k] for arm in grid.values()} for k in ("score", "copies")},
    )


def _motif(motif: Any) -> Motif:
    found = RBFOX1 if motif is None else sought(motif, "motif")
    return found if isinstance(found, Motif) else Motif.from_word(found)


def _numbers(copies: Any) -> tuple[int, ...]:
    listed = copies if isinstance(copies, Sequence) and not isinstance(copies, str) else [copies]
    numbers = sorted(as_count(n, "copies") for n in listed)
    if not numbers or len(set(numbers)) < len(numbers):
        raise DesignError(f"copies={shown(copies)}: give one or more different numbers of copies")
    return tuple(numbers)


def _name(word: str, n: int) -> str:
    return f"{word} x {n}"


def _arm(word: str, score: float, n: int, places: tuple[int, ...]) -> Arm:
    done: Intervention = Untreated()
    for place in places[:n]:
        done = done + Embed(word, at=place)
    return Arm(_name(word, n), done, {"score": round(score, 3), "copies": n})


def _alone(word: str, place: int) -> str:
    return f"{word} at {place}"


def _copies(n: int) -> str:
    return f"{n} {'copy' if n == 1 else 'copies'}"


Rows = dict[str, dict[str, float]]


def _contrasts(ladder: Mapping[str, float], numbers: tuple[int, ...], places: tuple[int, ...]) -> Rows:
    rows = {_name(word, n): {_name(word, n): 1.0, CONTROL: -1.0} for word in ladder for n in numbers}
    rises = {n: rise_weights({_name(word, n): score for word, score in ladder.items()}) for n in numbers}
    rows |= {f"{_WEAK_TO_STRONG}{_copies(n)}": weighted_sum([(1, rise)]) for n, rise in rises.items()}
    for word in ladder:
        growth = rise_weights({CONTROL: 0.0} | {_name(word, n): n for n in numbers})
        rows[f"{_NONE_TO_ALL}{word}"] = weighted_sum([(1, growth)])
    if len(numbers) > 1:
        change = rise_weights({str(n): n for n in numbers})
        rows[CHANGE] = weighted_sum((change[str(n)], rises[n]) for n in numbers)
    if numbers[-1] > 1:
        excess = {word: _excess(word, numbers, places) for word in ladder}
        rows |= {f"{EXCESS}, {word}": row for word, row in excess.items()}
        rows[RISE] = weighted_sum((weight, excess[word]) for word, weight in rise_weights(ladder).items())
    return rows


def _excess(word: str, numbers: tuple[int, ...], places: tuple[int, ...]) -> dict[str, float]:
    """Return all copies minus the sum of one at each of their places, plus what is there without any, n - 1 times."""
    first = _name(word, 1) if 1 in numbers else _alone(word, places[0])
    single = [first, *(_alone(word, place) for place in places[1:])]
    return {_name(word, numbers[-1]): 1.0, **dict.fromkeys(single, -1.0), CONTROL: len(places) - 1.0}


def _read(found: Found) -> Finding:
    said = tuple(_said(of, rows) for of, rows in by_task(found.steps.decisions))
    line = _line(found.steps.estimates)
    if line.sizes["word"] < 3:
        return Finding(sentences=said)
    about = [f"{of}: {_taken(rows)}" for of, rows in by_task(line.rename(share="ace"))]
    return Finding(datasets={"line": line.drop_dims("word")}, sentences=(*said, *about))


def _line(estimates: xr.Dataset) -> xr.Dataset:
    """Return how much of the differences between words a straight line in their scores takes, (copies, ...)."""
    import xarray as xr

    single = estimates.sel(contrast=np.isfinite(estimates["score"].astype(float)))
    score, copies = (single[name].to_numpy().astype(float) for name in ("score", "copies"))
    words, numbers = np.unique(score), np.unique(copies)
    order = np.lexsort((copies, score))
    ace = single["ace"].transpose("contrast", ...)
    effect = ace.to_numpy()[order].reshape(len(words), len(numbers), *ace.shape[1:])
    x, y = words - words.mean(), effect - effect.mean(axis=0)
    taken, whole = np.tensordot(x, y, 1) ** 2 / (x @ x), np.square(y).sum(axis=0)
    share = np.divide(taken, whole, out=np.ones_like(whole), where=whole > 0)
    coords: dict[str, Any] = {str(dim): ace[dim] for dim in ace.dims[1:]}
    coords |= {"copies": numbers.astype(int), "word": words}
    return xr.Dataset({"share": (("copies", *ace.dims[1:]), share)}, coords)


def _taken(rows: xr.Dataset) -> str:
    shares = [
        f"{100 * row.item():.0f} % with {_copies(n)}" for n, row in zip(rows["copies"].values, rows["ace"], strict=True)
    ]
    return f"of the differences between words a straight line in bits takes {', '.join(shares)}."


def _said(of: str, rows: xr.Dataset) -> str:
    names = rows["contrast"].to_numpy().tolist()
    score = rows["score"].to_numpy().astype(float)
    low, high = np.nanmin(score), np.nanmax(score)
    rises = {name.removeprefix(_WEAK_TO_STRONG): rows.sel(contrast=name) for name in names if _WEAK_TO_STRONG in name}
    each = ", ".join(f"{_rises(row)} with {n} ({per_unit(row, high - low, 'a bit')})" for n, row in rises.items())
    text = f"{of}: from the weakest word ({low:.3g} bits) to the strongest ({high:.3g} bits) the outcome {each}"
    if CHANGE in names:
        row = rows.sel(contrast=CHANGE)
        text += f"; the most copies add {effect_in_words(row)} to that ({row['verdict'].item()})"
    return f"{text}{_beyond_single_sites(rows, names)}."


def _rises(row: xr.Dataset) -> str:
    return f"{_RISES[str(row['verdict'].item())]}, {effect_in_words(row)},"


def _beyond_single_sites(rows: xr.Dataset, names: list[str]) -> str:
    """Return what copies do beyond the same sites alone, of the strongest word and from the weakest on."""
    strongest = [name for name in names if name.startswith(f"{EXCESS}, ")][-1:]
    if not strongest:
        return ""
    (name,), word = strongest, strongest[0].removeprefix(f"{EXCESS}, ")
    excess, does = rows.sel(contrast=name), rows.sel(contrast=f"{_NONE_TO_ALL}{word}")
    rise = rows.sel(contrast=RISE)
    return (
        f"; beside the same sites alone copies of the strongest word are {departure(does, excess)}, "
        f"{effect_in_words(excess)}, and from the weakest word to the strongest that excess {_rises(rise).rstrip(',')}"
    )


_RISES = {
    "increases": "rises",
    "decreases": "falls",
    "negligible": "changes negligibly",
    "undecided": "changes or does not (undecided)",
}


def _draw(answer: Answer) -> Axes:
    from causalgia.plot import heatmap

    axes = heatmap(mean_over_models(answer.decisions), rows="copies", columns="score")
    axes.set_xlabel("score of the word (bits)")
    return axes


DOSE_RESPONSE = Entry(
    name="dose_response",
    question="How does the outcome depend on the strength of a site, alone and in several copies?",
    estimand="E[Y(n copies of a word) - Y(none)], its rise from the weakest word to the strongest and from none to all "
    "copies, and E[Y(n copies)] minus the sum of single sites, over the null model.",
    doi="10.1101/418459",
    read=_read,
    draw=_draw,
)

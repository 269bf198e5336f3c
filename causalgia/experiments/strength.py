"""Dose response: words of a motif from weak to strong, in one copy and in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.analysis import Analysis, Rope
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.design.numbers import positive_int
from causalgia.errors import DesignError
from causalgia.experiments.answer import Answer, Finding
from causalgia.experiments.drawing import mean_over_models
from causalgia.experiments.experiment import Entry, Experiment, Found
from causalgia.experiments.given_sequences import sought
from causalgia.experiments.settings import background, positions
from causalgia.experiments.wording import by_task, effect_in_words
from causalgia.sequences import Motif, strength_ladder
from causalgia.tables import shown

if TYPE_CHECKING:
    from causalgia.plot import Axes

CONTROL, CHANGE, EXCESS = "untreated", "strength x copies", "excess over additive"
_PER_BIT = "per bit, "

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
    copies: Sequence[int] = (1, 2, 3),
    at: Sequence[int] = (4, 14, 24),
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks how the outcome goes with a site's strength, alone and in several copies.

    Words of a motif in even steps of score (`strength_ladder`), each in every number of copies, on the same
    backgrounds. Contrasts: each of these arms against none; for each number of copies the slope ``"per bit"`` of score;
    for each word the slope ``"per copy"``; ``"strength x copies"``, by how much the slope per bit grows with each
    further copy; and, of the largest number n of copies and the least m, ``"excess over additive"``, the slope per bit
    of n copies minus n/m times that of m (0: copies add, where all places are worth the same; below 0: they saturate).
    Slopes are by least squares.

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
        0-based starts, in the order in which copies are added; as many as the largest number of copies, or more.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Arms ``"untreated"`` and ``"UGCAUG x 2"``, with levels ``score`` (bits) and ``copies``; these are coordinates of
        the contrasts of single arms. Finding ``line`` (three words or more): ``share (copies, task)``, how much of the
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
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[0])
    Task outcome: for each bit of score 0.2... (increases) with 1 copy, 0.5... (increases) with 2 copies; ...
    """
    background(null)
    ladder = strength_ladder(_motif(motif), n_steps, weakest=weakest)
    places, numbers = positions(at, "at"), _numbers(copies)
    if max(numbers) > len(places):
        raise DesignError(f"copies={max(numbers)} and at= has {len(places)} places; give a place for each copy")
    grid = {(word, n): _arm(word, score, n, places) for word, score in ladder for n in numbers}
    return Experiment(
        null=null,
        arms=[Arm(CONTROL, Untreated(), {"copies": 0}), *grid.values()],
        n_units=n_units,
        contrasts=_contrasts(dict(ladder), numbers),
        entry=DOSE_RESPONSE,
        analysis=Analysis(rope=rope, error="bh"),
        labels={k: {arm.name: arm.factors[k] for arm in grid.values()} for k in ("score", "copies")},
    )


def _motif(motif: Any) -> Motif:
    found = RBFOX1 if motif is None else sought(motif, "motif")
    return found if isinstance(found, Motif) else Motif.from_word(found)


def _numbers(copies: Any) -> tuple[int, ...]:
    listed = copies if isinstance(copies, Sequence) and not isinstance(copies, str) else [copies]
    numbers = sorted(positive_int(n, "copies") for n in listed)
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


def _per_bit(n: int) -> str:
    return f"{_PER_BIT}{_copies(n)}"


def _copies(n: int) -> str:
    return f"{n} {'copy' if n == 1 else 'copies'}"


Rows = dict[str, dict[str, float]]


def _contrasts(ladder: Mapping[str, float], numbers: tuple[int, ...]) -> Rows:
    rows = {_name(word, n): {_name(word, n): 1.0, CONTROL: -1.0} for word in ladder for n in numbers}
    slopes = {n: _slope({_name(word, n): score for word, score in ladder.items()}) for n in numbers}
    rows |= {_per_bit(n): slope for n, slope in slopes.items()}
    rows |= {f"per copy, {word}": _slope({CONTROL: 0.0} | {_name(word, n): n for n in numbers}) for word in ladder}
    if len(numbers) > 1:
        growth = _slope({str(n): n for n in numbers})
        rows[CHANGE] = _sum([(growth[str(n)], slopes[n]) for n in numbers])
        rows[EXCESS] = _sum([(1.0, slopes[numbers[-1]]), (-numbers[-1] / numbers[0], slopes[numbers[0]])])
    return rows


def _slope(doses: Mapping[str, float]) -> dict[str, float]:
    from causalgia.estimation import dose_contrasts

    return dose_contrasts(doses, kind="slope")["slope"]


def _sum(parts: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    """Return the weighted sum of contrasts; the arms of weight 0 are left out."""
    total: dict[str, float] = {}
    for weight, row in parts:
        for arm, value in row.items():
            total[arm] = total.get(arm, 0.0) + weight * value
    return {arm: weight for arm, weight in total.items() if weight}


_MEANS = {"negligible": "copies are additive", "decreases": "copies saturate", "increases": "copies help each other"}


def _read(found: Found) -> Finding:
    said = tuple(_said(of, rows) for of, rows in by_task(found.steps.decisions))
    line = _line(found.steps.estimates)
    if line.sizes["word"] < 3:
        return Finding(sentences=said)
    about = [f"{of}: {_taken(rows)}" for of, rows in by_task(line.rename(share="ace"))]
    return Finding(datasets={"line": line.drop_dims("word")}, sentences=(*said, *about))


def _line(estimates: xr.Dataset) -> xr.Dataset:
    """Return how much of the differences between words a straight line in their scores takes, (copies, ...)."""
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
    slopes = {name.removeprefix(_PER_BIT): rows.sel(contrast=name) for name in names if name.startswith(_PER_BIT)}
    each = ", ".join(f"{effect_in_words(row)} ({row['verdict'].item()}) with {n}" for n, row in slopes.items())
    text = f"{of}: for each bit of score {each}"
    if EXCESS not in names:
        return f"{text}."
    excess, change = rows.sel(contrast=EXCESS), rows.sel(contrast=CHANGE)
    shape = _MEANS.get(str(excess["verdict"].item()), "not clearly additive or otherwise")
    return (
        f"{text}; {effect_in_words(change)} more with each further copy; {shape}: {EXCESS} {effect_in_words(excess)}."
    )


def _draw(answer: Answer) -> Axes:
    from causalgia.plot import heatmap

    axes = heatmap(mean_over_models(answer.decisions), rows="copies", columns="score")
    axes.set_xlabel("score of the word (bits)")
    return axes


DOSE_RESPONSE = Entry(
    name="dose_response",
    question="How does the outcome go with the strength of a site, alone and in several copies?",
    estimand="E[Y(n copies of a word) - Y(none)], its slope in bits of score and in copies, over the null model.",
    doi="10.1101/418459",
    read=_read,
    draw=_draw,
)

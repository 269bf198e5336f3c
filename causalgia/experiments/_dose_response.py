"""Dose response: motifs of a motif from weak to strong, in one and in several
copies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import as_count
from causalgia.choices import Control
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, quoted
from causalgia.experiments._copies import (
    LEAST_GAP,
    PLACEBOS,
    copies_are,
    copies_in_words,
)
from causalgia.experiments.kit.answer import Answer, Finding, mean_over_models
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    rise_weights,
    weighted_sum,
)
from causalgia.experiments.kit.joint_effects import (
    bounded_sentences,
    is_departure,
    joint_effects,
    scales_tried,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    SiteControl,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import (
    as_positions,
    as_string_or_motif,
    centered_starts,
    check_copies_fit,
)
from causalgia.experiments.kit.variance import (
    effect_in_words,
    per_unit,
    rows_by_task,
    trend_in_words,
)
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.motif_scores import strength_ladder

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

CHANGE, EXCESS = "strength x copies", "excess over single sites"
TREND = "linear trend of the excess"
_WEAK_TO_STRONG, _NONE_TO_ALL = "weak to strong, ", "none to all copies, "
_COPY_NUMBERS = (1, 2, 3)

_BEST = "UGCAUG"
#: nM, of UGCAUG and single changes of it, in UGCAUGU (Auweter et al. 2006,
#: doi:10.1038/sj.emboj.7600918)
_KD = {
    "UGCAUG": 0.83,
    "AGCAUG": 4.8,
    "CGCAUG": 6.1,
    "UGUAUG": 280.0,
    "UACAUG": 350.0,
    "UGCACG": 4.9,
    "UGCAUA": 1830.0,
}


#: probabilities proportional to 1 / K_D of each single change; the weakest where it was
#: not measured
RBFOX1 = Motif.from_counts(
    "RBFOX1",
    [
        [
            1 / _KD.get(f"{_BEST[:i]}{base}{_BEST[i + 1 :]}", max(_KD.values()))
            for base in "ACGU"
        ]
        for i in range(len(_BEST))
    ],
)


def dose_response(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif | None = None,
    *,
    n_steps: int = 5,
    weakest: float = 0.0,
    copies: Sequence[int] = _COPY_NUMBERS,
    at: Sequence[int] | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates how the outcome depends on a site's
    strength, alone and in copies.

    Motifs of a motif in even steps of score (`strength_ladder`) are embedded in every
    number of copies, and each alone at every place, on the same backgrounds. Trends are
    effects over the whole tested range, not slopes for one bit or one copy. Contrasts:

    - each motif in each number of copies against none;
    - for each number of copies ``"weak to strong"``, the rise of the least-squares line
      through the motifs' outcomes from the lowest score to the highest;
    - for each motif ``"none to all copies"``, the rise of the line through 0 and the
      numbers of copies;
    - ``"strength x copies"``, the change of ``"weak to strong"`` from the smallest
      number of copies to the largest;
    - for each motif ``"excess over single sites"`` of the largest number n of copies:
      ``Y(n copies) - sum of Y(one, at each of their places) + (n - 1) Y(none)``, which
      is 0 for additive copies even where the effect depends on place;
    - ``"linear trend of the excess"``, the change of the line through these from the weakest
      motif to the strongest.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        What `causalgia.motif` takes: a name, a file, a table; None: RBFOX1, from its
        affinities. A plain motif gives motifs in steps of one mismatch (8.6 bits), so
        it needs few steps or another `weakest`.
    n_steps
        Motifs, from the weakest to the consensus.
    weakest
        Target score of the weakest motif, in bits.
    copies
        Numbers of copies, 1 or more.
    at
        0-based starts in the order in which copies are added, at least as many as the
        largest number of copies. None: about the center of the background, 4 bases
        between neighbors.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of the strongest motif for each unit
        at every place without a copy, so that all arms overwrite the same bases.
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
        Arms ``"untreated"``, ``"UGCAUG x 2"`` and ``"UGCAUG at 17"`` (each place but
        the first, which is that of one copy; ``"placebos"`` at all places), with levels ``score`` (bits) and
        ``copies``, which are coordinates of the contrasts of a number of copies.
        Finding ``line`` (three motifs or more): ``share (copies, task)``, the share of
        the variation between motifs that a straight line in bits explains.

    Raises
    ------
    DesignError
        If there are too few places for the copies, sites overlap, or one leaves the
        sequence.
    SequenceError
        If there is no motif of that name, or no motifs near the steps of score.

    References
    ----------
    RBFOX1's affinities: Auweter et al. (2006), doi:10.1038/sj.emboj.7600918; effects
    against affinity: Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.dose_response(n_steps=3, copies=[1, 2], n_units=200)
    >>> rna = cg.zoo.Oracle(
    ...     cg.zoo.MotifCount("UGCAUG", 0.5), cg.zoo.MotifCount("A", 0.1), link="exp"
    ... )
    >>> print(experiment.analyze(cg.run(experiment, rna, rng=0), rng=0).sentences[0])
    Task outcome: from the weakest motif (0.054 bits) to the strongest (11.3 bits) the line ...
    """
    beside = as_site_control(control, as_null_model(null))
    site = RBFOX1 if motif is None else as_string_or_motif(motif, "motif")
    site = site if isinstance(site, Motif) else Motif.from_iupac(site)
    ladder = dict(strength_ladder(site, n_steps, weakest=weakest))
    given: Any = copies
    listed = (
        given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    )
    numbers = tuple(sorted(as_count(n, "copies") for n in listed))
    if not numbers or len(set(numbers)) < len(numbers):
        raise DesignError(
            f"copies={quoted(copies)}: give different numbers of copies, each once, "
            f"such as {list(dict.fromkeys(numbers)) or [1, 2, 3]}"
        )
    if at is None:
        width = len(next(iter(ladder)))
        most = (null.length + LEAST_GAP) // (width + LEAST_GAP)
        check_copies_fit(
            null.length,
            width,
            max(numbers),
            LEAST_GAP,
            f"at most {most} in copies=",
        )
        at = centered_starts(null.length, width, max(numbers), gap=LEAST_GAP)
    places = as_positions(at, "at")
    if max(numbers) > len(places):
        raise DesignError(
            f"copies={max(numbers)} and at= has {len(places)} places; give a "
            "place for each copy"
        )
    places = places[: max(numbers)]
    written = _SitesOfLadder(max(ladder, key=ladder.__getitem__), places, beside)
    grid = {
        (letters, n): Arm(
            _copies_arm_name(letters, n),
            written.arm(letters, range(n)),
            {"score": round(score, 3), "copies": n},
        )
        for letters, score in ladder.items()
        for n in numbers
    }
    first = {
        _single_site_name(letters, places[0]): written.arm(letters, {0})
        for letters in ladder
        if 1 not in numbers
    }
    alone = first | {
        _single_site_name(letters, place): written.arm(letters, {number})
        for letters in ladder
        for number, place in enumerate(places)
        if number
    }
    none = beside.arm(PLACEBOS)
    rows = _dose_contrasts(ladder, numbers, places, control=none)
    return Experiment(
        null=null,
        arms=[
            Arm(UNTREATED, Untreated()),
            *grid.values(),
            *(Arm(name, done) for name, done in alone.items()),
            *([Arm(PLACEBOS, written.none)] if beside.placebos else []),
        ],
        n_units=n_units,
        contrasts=rows,
        entry=beside.entry(
            DOSE_RESPONSE,
            "E[Y(n copies of a motif, placebos at the other places) - Y(placebos at "
            "all places)], its trend from the weakest motif to the strongest and from "
            "none to all copies, and E[Y(n copies)] minus the sum of single sites "
            "among placebos, over the null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=[f"{_WEAK_TO_STRONG}*", *([CHANGE] if CHANGE in rows else [])],
        labels={
            k: {arm.name: arm.factors[k] for arm in grid.values()}
            for k in ("score", "copies")
        },
    )


def _copies_arm_name(letters: str, n: int) -> str:
    return f"{letters} x {n}"


@dataclass(frozen=True)
class _SitesOfLadder:
    """Motifs of one width at all places; where one is absent, placebos of the
    strongest.
    """

    strongest: str
    places: tuple[int, ...]
    beside: SiteControl

    @property
    def none(self) -> Intervention:
        return self.arm(self.strongest, ())

    def arm(self, letters: str, which: Collection[int]) -> Intervention:
        """Return the arm with a motif at some places, by their numbers."""
        done: Intervention = Untreated()
        for number, place in enumerate(self.places):
            done = done + (
                Embed(letters, at=place)
                if number in which
                else self.beside.absent(Embed(self.strongest, at=place))
            )
        return done


def _single_site_name(letters: str, place: int) -> str:
    return f"{letters} at {place}"


Rows = dict[str, dict[str, float]]


def _dose_contrasts(
    ladder: Mapping[str, float],
    numbers: tuple[int, ...],
    places: tuple[int, ...],
    *,
    control: str,
) -> Rows:
    rows = {
        _copies_arm_name(letters, n): {_copies_arm_name(letters, n): 1.0, control: -1.0}
        for letters in ladder
        for n in numbers
    }
    rises = {
        n: rise_weights(
            {_copies_arm_name(letters, n): score for letters, score in ladder.items()}
        )
        for n in numbers
    }
    rows |= {
        f"{_WEAK_TO_STRONG}{copies_in_words(n)}": weighted_sum([(1, rise)])
        for n, rise in rises.items()
    }
    for letters in ladder:
        growth = rise_weights(
            {control: 0.0} | {_copies_arm_name(letters, n): n for n in numbers}
        )
        rows[f"{_NONE_TO_ALL}{letters}"] = weighted_sum([(1, growth)])
    if len(numbers) > 1:
        change = rise_weights({str(n): n for n in numbers})
        rows[CHANGE] = weighted_sum((change[str(n)], rises[n]) for n in numbers)
    if numbers[-1] > 1:
        # all copies minus single copies at each place, plus n - 1 times none
        excess = {}
        for letters in ladder:
            first = (
                _copies_arm_name(letters, 1)
                if 1 in numbers
                else _single_site_name(letters, places[0])
            )
            single = dict.fromkeys(
                [first, *(_single_site_name(letters, place) for place in places[1:])],
                -1.0,
            )
            excess[letters] = {
                _copies_arm_name(letters, numbers[-1]): 1.0,
                **single,
                control: len(places) - 1.0,
            }
        *_, strongest = excess
        _, *alone, _ = excess[strongest]
        rows |= {arm: {arm: 1.0, control: -1.0} for arm in alone}
        rows |= {f"{EXCESS}, {letters}": row for letters, row in excess.items()}
        rows[TREND] = weighted_sum(
            (weight, excess[letters])
            for letters, weight in rise_weights(ladder).items()
        )
    return rows


def _read_dose_response(found: TrialResults) -> Finding:
    against = against_placebos(found.experiment)
    sentences, details = list[str](), list[str]()
    for of, rows in rows_by_task(found.steps.decisions):
        first, *others = _dose_sentences(against, rows, found)
        sentences.append(Said(first, *of))
        details += [Said(text, *of) for text in others]
    sentences += bounded_sentences(found.outcomes)
    line = _linear_share(found.steps.estimates)
    if line.sizes["motif"] < 3:
        return Finding(sentences=tuple(sentences), details=tuple(details))
    about = [
        Said(_linear_share_text(rows), *of)
        for of, rows in rows_by_task(line.rename(share="ace"))
    ]
    return Finding(
        datasets={"line": line.drop_dims("motif")},
        sentences=tuple(sentences),
        details=(*details, *about),
    )


def _linear_share(estimates: xr.Dataset) -> xr.Dataset:
    """Return the share of the variation between motifs that a line in their scores
    explains, (copies, ...).
    """
    import xarray as xr

    single = estimates.sel(contrast=np.isfinite(estimates["score"].astype(float)))
    score, copies = (
        single[name].to_numpy().astype(float) for name in ("score", "copies")
    )
    scores, numbers = np.unique(score), np.unique(copies)
    order = np.lexsort((copies, score))
    ace = single["ace"].transpose("contrast", ...)
    effect = ace.to_numpy()[order].reshape(len(scores), len(numbers), *ace.shape[1:])
    x, y = scores - scores.mean(), effect - effect.mean(axis=0)
    explained, total = np.tensordot(x, y, 1) ** 2 / (x @ x), np.square(y).sum(axis=0)
    share = np.divide(explained, total, out=np.ones_like(total), where=total > 0)
    coords: dict[str, Any] = {str(dim): ace[dim] for dim in ace.dims[1:]}
    coords |= {"copies": numbers.astype(int), "motif": scores}
    return xr.Dataset({"share": (("copies", *ace.dims[1:]), share)}, coords)


def _linear_share_text(rows: xr.Dataset) -> str:
    from causalgia.tell.table_formats import format_share

    shares = [
        f"{format_share(row.item())} with {copies_in_words(n)}"
        for n, row in zip(rows["copies"].values, rows["ace"], strict=True)
    ]
    return (
        "a straight line in bits explains this share of the variance between motifs: "
        f"{', '.join(shares)}."
    )


def _dose_sentences(against: str, rows: xr.Dataset, found: TrialResults) -> list[str]:
    """Return the answer on one task, and sentences on the lines through the motifs'
    effects.
    """
    names = rows["contrast"].to_numpy().tolist()
    score = rows["score"].to_numpy().astype(float)
    low, high = np.nanmin(score), np.nanmax(score)
    rises = {
        name.removeprefix(_WEAK_TO_STRONG): rows.sel(contrast=name)
        for name in names
        if _WEAK_TO_STRONG in name
    }
    first, *_, last = [*rises, *rises]
    answer = (
        f"{against}from the weakest motif ({low:.3g} bits) to the strongest "
        f"({high:.3g} bits) the line fitted to effects "
        f"{_slopes_in_words({n: rises[n] for n in (first, last)})}"
    )
    slopes = [
        f"{per_unit(row, high - low, 'per bit')} with {n} ({effect_in_words(row)})"
        for n, row in rises.items()
    ]
    details = [f"{against}slope of the line fitted to effects: {', '.join(slopes)}."]
    if CHANGE in names:
        row = rows.sel(contrast=CHANGE)
        details.append(
            f"{against}{trend_in_words(row, 'this change')} from {first} to {last} "
            f"({effect_in_words(row)})."
        )
    excess, of_excess = _excess_texts(rows, names, found)
    details += [f"{against}{of_excess}."] if of_excess else []
    return [f"{answer}{excess}.", *details]


def _slopes_in_words(rises: Mapping[str, xr.Dataset]) -> str:
    """Return how the line changes, by number of copies: "rises (by 4.1 with 1 copy)"."""
    by_trend: dict[str, list[str]] = {}
    for copies, row in rises.items():
        by_trend.setdefault(trend_in_words(row, "").strip(), []).append(
            f"by {effect_in_words(row)} with {copies}"
        )
    return " and ".join(f"{trend} ({', '.join(of)})" for trend, of in by_trend.items())


def _excess_texts(
    rows: xr.Dataset, names: list[str], found: TrialResults
) -> tuple[str, str]:
    """Return the excess over single sites of the strongest motif, and its trend from the
    weakest.
    """
    strongest = [name for name in names if name.startswith(f"{EXCESS}, ")][-1:]
    if not strongest:
        return "", ""
    (name,) = strongest
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    excess, rise = rows.sel(contrast=name), rows.sel(contrast=TREND)
    kind = joint_effects(rows, contrasts, [name])[name]
    tried = scales_tried(found.outcomes, {name: contrasts[name]})
    on_scales = tried.text([name], rows) if tried and is_departure(kind) else ""
    return (
        f"; {copies_are('copies of the strongest motif', kind)} (excess over the same sites "
        f"alone {effect_in_words(excess)}{on_scales})",
        f"{trend_in_words(rise, 'the line fitted to the excess over single sites')} "
        f"from the weakest motif to the strongest ({effect_in_words(rise)})",
    )


def _draw_dose_response(answer: Answer) -> Axes:
    from causalgia.tell.figures import heatmap

    axes = heatmap(mean_over_models(answer.decisions), rows="copies", columns="score")
    axes.set_xlabel("score of the motif (bits)")
    return axes


DOSE_RESPONSE = Entry(
    name="dose_response",
    question=(
        "How does the outcome depend on the strength of a site, alone and in several "
        "copies?"
    ),
    estimand=(
        "E[Y(n copies of a motif) - Y(none)], its trend from the weakest motif to the "
        "strongest and from none to all copies, and E[Y(n copies)] minus the sum of "
        "single sites, over the null model."
    ),
    doi="10.1101/418459",
    read=_read_dose_response,
    draw=_draw_dose_response,
)

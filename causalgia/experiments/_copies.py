"""Copies of a site: additive, saturating or synergistic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from causalgia.analysis import Analysis
from causalgia.choices import Control
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.experiments.kit.answer import Finding, profile_along
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    rise_weights,
)
from causalgia.experiments.kit.joint_effects import (
    ADDITIVE,
    UNDECIDED,
    JointEffect,
    bounded_sentences,
    is_departure,
    joint_effect,
    joint_effects,
    scales_tried,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import (
    as_positions,
    as_site,
    centered_starts,
    check_copies_fit,
    further_sites_in_words,
)
from causalgia.experiments.kit.variance import (
    DOES,
    effect_in_words,
    per_unit,
    rows_by_task,
)
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

TREND = "linear trend"
BEYOND_FIRST, EXCESS = "excess over n times the first", "excess over single sites"
PLACEBOS = "placebos"
PUBLISHED = (4, 12, 20)
"""0-based starts of Koo et al.; the letters between two UGCAUG complete a third in one
background of 16.
"""
# bases between neighbors; a smaller gap makes unintended third sites more frequent
LEAST_GAP = 4
_MOST_COPIES = 3


def copies(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "UGCAUG",
    *,
    at: Sequence[int] | Literal["published"] | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether copies of a site are additive,
    saturating or synergistic.

    Arms have the site at the first place, at the first two, and so on, on the same
    backgrounds. Contrasts: each number of copies, and the site alone at each place,
    against none; the ``linear trend``, the change of the least-squares line fitted to
    0, 1, ..., n copies, from none to all; the ``excess over n times the first``, the
    effect of all n copies minus n times that of the first, ``Y(n) - Y(0) - n (Y(1) -
    Y(0))`` (0: additive in number); and the ``excess over single sites``, all copies
    minus the sum of the same sites alone (0: additive, even where the effect depends on
    the place; else as `causalgia.experiments.joint_effect` names it: of the sign of the
    single sites synergistic, of the opposite sign saturating). The last three are effects
    over the whole range of copies and are compared with the ROPE as they are.

    Sites so close that the bases between them can complete a further one (UGCAUG 8
    apart: ``UG CA UG`` in one background of 16) have an excess for that reason; the
    answer gives its frequency if above 1 % of backgrounds. The default gap of 4 bases
    makes a third site no more likely than elsewhere.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site: a string of IUPAC letters, or a motif (anything that `causalgia.motif`
        accepts).
    at
        0-based starts of two or more copies, in the order in which they are added.
        None: three copies about the center of the background, 4 bases between
        neighbors. ``"published"``: 4, 12 and 20.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of the site for each unit at every
        place without a copy, so that all arms overwrite the same bases.
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
        Arms ``"1 copy"``, ``"2 copies"``, ... and ``"alone at 12"`` for each place but
        the first; coordinate ``copies``. With placebos, no copies are the arm
        ``"placebos"``.

    Raises
    ------
    DesignError
        If there are fewer than two places, sites overlap, or one leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(at=(4, 13, 22), n_units=2_000)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> answer = experiment.analyze(outcomes, rng=0)
    >>> print(answer.sentences[0])
    Task outcome: 3 copies of UGCAUG are additive: from none to 3 the outcome changes by 9.0..., and the ...
    """
    beside = as_site_control(control, as_null_model(null))
    motif = as_site(motif, "motif")
    width = len(as_pattern(motif))
    if at is None:
        check_copies_fit(
            null.length,
            width,
            _MOST_COPIES,
            LEAST_GAP,
            "two starts in at=" if 2 * width <= null.length else "",
        )
        places = centered_starts(null.length, width, _MOST_COPIES, gap=LEAST_GAP)
    elif isinstance(at, str) and at == "published":
        places = PUBLISHED
    else:
        places = as_positions(at, "at", least=2)
    sites = [Embed(motif, at=place) for place in places]
    arms = [Arm(UNTREATED, Untreated(), {"copies": 0})]
    arms += [
        Arm(copies_in_words(n), beside.present(sites, range(n)), {"copies": n})
        for n in range(1, len(sites) + 1)
    ]
    arms += [
        Arm(f"alone at {place}", beside.present(sites, {number}))
        for number, place in enumerate(places)
        if number
    ]
    if beside.placebos:
        arms.append(Arm(PLACEBOS, beside.absent(*sites), {"copies": 0}))
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=copy_contrasts(places, control=beside.arm(PLACEBOS)),
        entry=beside.entry(
            replace(
                COPIES,
                read=partial(_read_site_copies, motif=as_pattern(motif).label),
            ),
            "E[Y(n copies, placebos at the other places) - Y(placebos at all places)] "
            "for each n, its linear trend from none to n, and E[Y(n copies)] minus the "
            "sum of single sites among placebos, over the null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=(BEYOND_FIRST, EXCESS),
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


def copy_contrasts(
    places: tuple[int, ...], *, control: str
) -> dict[str, dict[str, float]]:
    """Return the contrasts of arms with 1, 2, ... copies and of arms with a single copy
    at each further place.

    Examples
    --------
    >>> copy_contrasts((4, 12), control="untreated")["excess over single sites"]
    {'2 copies': 1.0, '1 copy': -1.0, 'alone at 12': -1.0, 'untreated': 1.0}
    """
    n, dose = (
        len(places),
        [control, *(copies_in_words(n) for n in range(1, len(places) + 1))],
    )
    alone = [f"alone at {place}" for place in places[1:]]
    rows = {name: {name: 1.0, control: -1.0} for name in (*dose[1:], *alone)}
    rows[TREND] = {
        arm: float(weight)
        for arm, weight in rise_weights({a: n for n, a in enumerate(dose)}).items()
    }
    rows[BEYOND_FIRST] = {dose[-1]: 1.0, dose[1]: -float(n), control: n - 1.0}
    single = [dose[1], *alone]
    rows[EXCESS] = {dose[-1]: 1.0, **dict.fromkeys(single, -1.0), control: n - 1.0}
    return rows


def read_copies(found: TrialResults, *, site: str) -> Finding:
    """Return sentences on what copies do together beside the same sites alone, on their
    effect and the line through it, and on number and place.
    """
    n = max(found.experiment.labels["copies"].values())
    all_copies = copies_in_words(n)
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    tried = scales_tried(found.outcomes, {EXCESS: contrasts[EXCESS]})
    sentences, details, against = [], [], against_placebos(found.experiment)
    for task, rows in rows_by_task(found.steps.decisions):
        trend, excess, whole = (
            rows.sel(contrast=name) for name in (TREND, EXCESS, all_copies)
        )
        kind = joint_effects(rows, contrasts, [EXCESS])[EXCESS]
        on_scales = tried.text([EXCESS], rows) if tried and is_departure(kind) else ""
        _, *single, _ = contrasts[EXCESS]
        alone = rows.sel(contrast=single)
        sentences.append(
            Said(
                f"{against}{copies_are(f'{all_copies} of {site}', kind)}: from none to {n} the "
                f"outcome changes by {effect_in_words(whole)}, and the excess over the "
                f"same sites alone is {effect_in_words(excess)}{on_scales}.",
                *task,
            )
        )
        details.append(
            Said(
                f"{against}one site alone {_range_of_effects(alone)}; the line "
                f"fitted to 0 to {n} copies changes by {effect_in_words(trend)} "
                f"({per_unit(trend, n, 'per copy')}); "
                f"{_number_or_place_text(rows, n, kind)}.",
                *task,
            )
        )
    return Finding(
        sentences=(*sentences, *bounded_sentences(found.outcomes)),
        details=tuple(details),
    )


def copies_are(copies: str, kind: JointEffect) -> str:
    """Return what copies are beside the sum of the same sites alone.

    Examples
    --------
    >>> copies_are("3 copies", JointEffect("additive"))
    '3 copies are additive'
    >>> copies_are("3 copies", JointEffect("undecided"))
    'whether 3 copies are additive is undecided'
    """
    if kind.word == UNDECIDED:
        return f"whether {copies} are additive is undecided"
    return f"{copies} are {kind}"


def _range_of_effects(alone: xr.Dataset) -> str:
    """Return the verdicts and the range of the effects of each site alone."""
    verdicts = dict.fromkeys(alone["verdict"].to_numpy().astype(str).tolist())
    does = " or ".join(DOES[verdict] for verdict in verdicts)
    ace = alone["ace"].to_numpy()
    return f"{does} ({ace.min():.3g} to {ace.max():.3g}, by place)"


def _number_or_place_text(rows: xr.Dataset, n: int, beside: JointEffect) -> str:
    """Compare all copies with n times the first, and ascribe a departure to number or
    to place.

    The first site may have another effect than the others. A departure is ascribed to
    number if copies also depart, in the same way, from the sum of the same sites alone.
    """
    beyond = rows.sel(contrast=BEYOND_FIRST)
    first, whole = (
        str(rows["verdict"].sel(contrast=copies_in_words(m)).item()) for m in (1, n)
    )
    by_number = joint_effect([first] * n, str(beyond["verdict"].item()), whole)
    ends = {
        "ace": -beyond["ace"],
        "lower": -beyond["upper"],
        "upper": -beyond["lower"],
    }
    below = beyond["ace"].item() < 0
    size = effect_in_words(beyond.assign(ends) if below else beyond)
    text = (
        f"the effect of {copies_in_words(n)} is {size} {'below' if below else 'above'} "
        f"{n} times that of the first"
    )
    if by_number.word == UNDECIDED:
        return f"judged by number, whether they are additive is undecided: {text}"
    if by_number.word == beside.word:
        return f"judged by number they are {by_number.word}: {text}"
    cause = {
        ADDITIVE: "the sites differ, so place explains this",
        UNDECIDED: "place or number may explain this",
    }
    return (
        f"{text}; "
        f"{cause.get(beside.word, 'the sites differ, so place and number together explain this')}"
    )


def _read_site_copies(found: TrialResults, *, motif: str = "the motif") -> Finding:
    """Return the sentences on copies, and those on unintended further sites."""
    every = copies_in_words(max(found.experiment.labels["copies"].values()))
    key = derive(found.key, "further sites")
    further = further_sites_in_words(
        found.experiment, every, of="both excesses", key=key
    )
    copies = read_copies(found, site=motif)
    return replace(copies, details=(*copies.details, *further))


COPIES = Entry(
    name="copies",
    question="Are copies of a site additive, saturating or synergistic?",
    estimand=(
        "E[Y(n copies) - Y(none)] for each n, its linear trend from none to n, and "
        "E[Y(n copies)] minus the sum of single sites, over the null model."
    ),
    doi="10.1101/418459",
    read=_read_site_copies,
    draw=profile_along("copies"),
)

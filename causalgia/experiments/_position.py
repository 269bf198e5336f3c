"""Effect of a site by its position: flat, sloped or uneven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, Control
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Finding, profile_along
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    rise_weights,
    weighted_sum,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import as_positions, as_site, evenly_spaced_starts
from causalgia.experiments.kit.variance import (
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

_STARTS = 6
TREND = "linear trend"


def position(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "UGCAUG",
    *,
    at: Sequence[int] | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether a site has the same effect at every
    position.

    Contrasts: the site ``at`` each place against its `control`; the ``linear trend`` of the
    least-squares line from the first place to the last (over the whole range, because
    the ROPE is meant for effects and not for slopes); and each place ``minus mean``,
    its deviation from the mean of all places. Findings: ``band``, simultaneous
    intervals of the places; ``slope``, the rise for one base; ``equal``, the test that
    all places are equal. For a smooth curve through many places, use
    `causalgia.posterior.profile` of their estimates, ``along="place"``.

    The verdict is ``flat`` if the rise and all deviations are negligible, ``sloped`` if
    the rise is clear and no place deviates from the mean by more than the rise,
    ``uneven`` if some place deviates otherwise.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site: a string of IUPAC letters, or a motif (anything that `causalgia.motif`
        accepts).
    at
        Two or more 0-based starts; None: six, spread evenly over the background.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of the site for each unit at the same
        place, so that both arms overwrite the same bases.
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
        Arms and contrasts ``"at 3"``, ..., ``"linear trend"``, ``"at 3 minus mean"``, ...;
        coordinate ``place``. Placebos are arms ``"placebo at 3"``, ....

    Raises
    ------
    DesignError
        If there are fewer than two places, one is named twice, or the site leaves the
        sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.position(n_units=1_000, rope=(-0.1, 0.1))
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: the effect of UGCAUG hardly changes between places 2 and 32 (0.0... along the ...
    """
    beside = as_site_control(control, as_null_model(null))
    site = as_site(motif, "motif")
    width = len(as_pattern(site))
    if at is None and null.length <= width:
        raise DesignError(
            f"a site of {width} bases has no second place on backgrounds of "
            f"{null.length:,} bp; take backgrounds of {width + 1:,} bp or more"
        )
    last = null.length - width
    even = (
        evenly_spaced_starts(null.length, width, _STARTS)
        if last >= _STARTS
        else tuple(range(last + 1))
    )
    places = tuple(sorted(as_positions(even if at is None else at, "at", least=2)))
    named = {f"at {place}": place for place in places}
    sites = {name: Embed(site, at=place) for name, place in named.items()}
    arms = [Arm(UNTREATED, Untreated())]
    arms += [Arm(name, sites[name], {"place": place}) for name, place in named.items()]
    if beside.placebos:
        arms += [
            Arm(f"placebo {name}", beside.absent(done), {"place": named[name]})
            for name, done in sites.items()
        ]
    rows = {name: {name: 1.0, beside.arm(f"placebo {name}"): -1.0} for name in named}
    rows[TREND] = weighted_sum(
        (weight, rows[name]) for name, weight in rise_weights(named).items()
    )
    mean = dict.fromkeys(named, -1.0 / len(places))
    for name in named:
        away = mean | {name: 1 + mean[name]}
        if beside.placebos:
            away |= {f"placebo {other}": -weight for other, weight in away.items()}
        rows[f"{name} minus mean"] = away
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=rows,
        entry=beside.entry(
            POSITION,
            "E[Y(site at a place) - Y(placebo at that place)] of each place, and the "
            "slope of these, over the null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=(TREND, "at * minus mean"),
        labels={"place": named},
    )


def _read_position(found: TrialResults) -> Finding:
    from causalgia.estimation import joint_test

    estimates, places = found.steps.estimates, found.experiment.labels["place"]
    names, ends = list(places), (min(places.values()), max(places.values()))
    rise = estimates.sel(contrast=TREND, drop=True)
    columns = [name for name in ("ace", "se", "lower", "upper") if name in rise]
    dims = [str(name) for name in rise["ace"].dims]
    bare = (
        rise[columns]
        .reset_coords(drop=True)
        .assign_coords({name: rise[name] for name in dims})
    )
    # for one base
    datasets = {
        "band": _simultaneous_band(found, names),
        "slope": bare / (ends[1] - ends[0]),
    }
    if not estimates["exact"].any():
        datasets["equal"] = joint_test(
            estimates, [f"{name} minus mean" for name in names[1:]]
        )
    site: Embed = found.experiment.named_arms[1].intervention  # type: ignore[assignment]  # as in `position`
    motif, between = site.written.label, f"between places {ends[0]} and {ends[1]}"
    against = against_placebos(found.experiment)
    sentences, details = list[str](), list[str]()
    for task, rows in rows_by_task(found.steps.decisions):
        sentences.append(
            Said(f"{against}{_position_sentence(rows, motif, between)}", *task)
        )
        details.append(Said(_profile_details(rows, ends), *task))
    return Finding(
        datasets=datasets, sentences=tuple(sentences), details=tuple(details)
    )


def _simultaneous_band(found: TrialResults, names: list[str]) -> xr.Dataset:
    """Return simultaneous intervals of all places."""
    from causalgia.multiplicity import simultaneous

    steps = found.steps
    of_units = steps.estimates if steps.effects is None else steps.effects
    return simultaneous(of_units.sel(contrast=names), rng=derive(found.key, "band"))


_DIRECTION_PHRASES = {
    "increases": "increases the outcome",
    "decreases": "decreases it",
    "negligible": "is negligible",
    "undecided": "is undecided",
}


_SHAPES = {
    "falling": "the effect of {} falls {}",
    "rising": "the effect of {} rises {}",
    "flat": "the effect of {} hardly changes {}",
    "uneven": "the effect of {} differs {}",
    "undecided": "whether the effect of {} changes {} is undecided",
}


def _position_sentence(rows: xr.Dataset, motif: str, between: str) -> str:
    """Return whether the effect of a site depends on its place, by what it shows most,
    and what the site does at each place.
    """
    rise, away, far = _deviations(rows)
    beyond_the_line = bool(np.abs(far["ace"].item()) > np.abs(rise["ace"].item()))
    shape = _profile_verdict(
        str(rise["verdict"].item()),
        away["verdict"].to_numpy().tolist(),
        beyond_the_line,
    )
    size = f"{effect_in_words(rise)} along the fitted line"
    if shape == "uneven":
        where = str(far["contrast"].item()).removesuffix(" minus mean")
        size = f"most {where}, {effect_in_words(far)} from the mean over places"
    depends = _SHAPES[shape].format(motif, between)
    return f"{depends} ({size}); the motif {_verdicts_by_place(rows)}."


def _profile_details(rows: xr.Dataset, ends: tuple[int, int]) -> str:
    """Return the line through the effects at all places, and the place that departs
    most from their mean.
    """
    rise, _, far = _deviations(rows)
    reach = ends[1] - ends[0]
    where = str(far["contrast"].item()).removesuffix(" minus mean")
    return (
        f"the line fitted to effects over these {reach} bases changes by "
        f"{effect_in_words(rise)} ({per_unit(rise, reach, 'per base')}); {where} the "
        f"effect differs most from the mean over all places, by {effect_in_words(far)}."
    )


def _deviations(rows: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return the rise of the fitted line, the deviations from the mean over places, and
    the largest of these.
    """
    away = rows.isel(
        contrast=[
            str(name).endswith(" minus mean") for name in rows["contrast"].to_numpy()
        ]
    )
    far = away.isel(contrast=int(np.abs(away["ace"].to_numpy()).argmax()))
    return rows.sel(contrast=TREND), away, far


def _verdicts_by_place(rows: xr.Dataset) -> str:
    """Return the places of each verdict, as text."""
    places = rows["place"].to_numpy().astype(float)
    single, verdicts, parts = np.isfinite(places), rows["verdict"].to_numpy(), []
    for verdict, does in _DIRECTION_PHRASES.items():
        found = [
            str(place) for place in places[single & (verdicts == verdict)].astype(int)
        ]
        if len(found) == single.sum() > 1:
            parts.append(f"{does} at all {len(found):,} places tried")
        elif found:
            parts.append(f"{does} at {in_list(found)}")
    text = ", ".join(parts)
    return (
        text
        if "increases" in verdicts[single]
        else text.replace("decreases it", "decreases the outcome", 1)
    )


def _profile_verdict(rise: str, away: list[str], beyond_the_line: bool) -> str:
    """Return the verdict on the profile from those on its rise and on the deviations
    from the mean.

    The ends of a line deviate from the mean by half its rise; a larger deviation than
    the rise is not due to a slope.
    """
    deviates = bool(set(DIRECTIONS) & set(away))
    if rise in DIRECTIONS and not (deviates and beyond_the_line):
        return "falling" if rise == "decreases" else "rising"
    if rise == "negligible" and set(away) == {"negligible"}:
        return "flat"
    return "uneven" if deviates else "undecided"


POSITION = Entry(
    name="position",
    question="Does the effect of a site depend on its position?",
    estimand=(
        "E[Y(site at a place) - Y(untreated)] of each place, and the slope of these, "
        "over the null model."
    ),
    doi="10.1101/418459",
    read=_read_position,
    draw=profile_along("place"),
)

"""Effects against measured affinities: a line through points with errors in both
coordinates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import is_real
from causalgia.choices import Control
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer, Finding, mean_over_models
from causalgia.experiments.kit.experiment import Entry, Experiment, Labels, TrialResults
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import as_start, as_strings
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.notes import Said
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.ropes import RopeLike
from causalgia.tell.table_formats import p_clause

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.estimation.lines import Line
    from causalgia.tell.figures.axes import Axes

ForMotifs: TypeAlias = Sequence[float] | Mapping[str, float]
"""A number for each motif: in the order of the motifs, or motif -> number (a mapping or
a pandas Series).
"""

_MOTIFS = ("UGCAUGU", "AGCAUGU", "CGCAUGU", "UGUAUGU", "UACAUGU", "UGCACGU", "UGCAUAU")
_KD = (0.83, 4.8, 6.1, 280.0, 350.0, 4.9, 1830.0)
_SLOPE, _FIT = (
    ("slope", "slope_se", "slope_lower", "slope_upper"),
    ("scatter", "r2", "chi2", "df", "p"),
)
_CHANGE = ("change", "change_lower", "change_upper")
_OF_LINE = (
    *_SLOPE,
    "intercept",
    "intercept_se",
    "intercept_lower",
    "intercept_upper",
    *_FIT,
)
_LACK_OF_FIT_LEVEL = 0.05  # of the test that a line fits


def affinity(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motifs: Sequence[str] = _MOTIFS,
    *,
    kd: ForMotifs = _KD,
    log10_kd_se: float | ForMotifs | None = None,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether effects depend on measured affinities.

    Each motif is compared with its `control`, and a line ``ACE = intercept + slope log10 K_D`` is fitted to the effects
    (`causalgia.estimation.lines.errors_in_variables`). The verdict is on the ``change`` of
    the line from the tightest motif to the weakest, slope times the difference of their
    log10 K_D; the slope is the change of the effect for a tenfold weaker binding. The
    fit has the covariance of the effects, which share backgrounds and control; the
    errors of log10 K_D, where given; and a variance of motifs about the line, since
    motifs differ by more than these errors.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motifs
        Three motifs or more; published are RBFOX1's.
    kd
        Dissociation constant of each motif, positive, in any one unit (the published
        ones are in nM): in the order of `motifs`, or by motif as a mapping or a pandas
        Series, which may have further motifs.
    log10_kd_se
        Standard error of each log10 K_D, in the form of `kd`, or one number for all;
        None: K_D are exact. It is about ``se / (K_D ln 10)`` for a standard error of
        K_D: 0.043 for one of 10 %.
    at
        0-based start; None: the center (of the longest motif).
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of each motif for each unit at its
        place, so that both arms overwrite the same bases.
        None: ``"placebo"`` over `causalgia.Genomic`, whose sequences have sites of
        their own to overwrite, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. It is that of the effect of each motif and of the change of the line.

    Returns
    -------
    Experiment
        Arms and contrasts named after the motifs (placebos ``"placebo of UGCAUGU"``,
        ...); coordinates ``log10_kd`` and, where
        given, ``log10_kd_se``. Finding ``line (task)``: slope, intercept and change with
        their limits, ``trend`` (the verdict on the change), scatter and fit.

    Raises
    ------
    DesignError
        If there are fewer than three motifs, a motif is repeated (U is T) or leaves the
        sequence, a K_D (or error) is missing or not positive, or all K_D are equal.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459. K_D: Auweter et al. (2006),
    doi:10.1038/sj.emboj.7600918. York et al. (2004), doi:10.1119/1.1632486.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.affinity(log10_kd_se=0.1, n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: effects fall with K_D: the fitted line changes by -3.8... from the tightest ...
    """
    beside = as_site_control(control, as_null_model(null))
    listed = as_strings(motifs, "motifs", least=3)
    start = as_start(at, "at", null.length, max(map(len, listed)))
    measured = _as_positive_by_motif(
        dict(zip(_MOTIFS, _KD, strict=True)) if kd is _KD else kd, "kd", listed
    )
    if len(set(measured)) == 1:
        raise DesignError(
            f"kd: all motifs have the one K_D {measured[0]:g}, and a line needs "
            "different ones"
        )
    labels = {"log10_kd": dict(zip(listed, map(math.log10, measured), strict=True))}
    if log10_kd_se is not None:
        errors = (
            [log10_kd_se] * len(listed)
            if isinstance(log10_kd_se, Real)
            else log10_kd_se
        )
        labels["log10_kd_se"] = dict(
            zip(
                listed,
                _as_positive_by_motif(errors, "log10_kd_se", listed),
                strict=True,
            )
        )
    sites = {motif: Embed(motif, at=start) for motif in listed}
    arms = [Arm(UNTREATED, Untreated())]
    arms += [Arm(motif, site) for motif, site in sites.items()]
    if beside.placebos:
        arms += [
            Arm(f"placebo of {motif}", beside.absent(site))
            for motif, site in sites.items()
        ]
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts={motif: {motif: 1.0, f"placebo of {motif}": -1.0} for motif in listed}
        if beside.placebos
        else UNTREATED,
        entry=beside.entry(
            AFFINITY,
            "The change of the line fitted to E[Y(motif) - Y(placebo of the motif)] "
            "over log10 of the motifs' true K_D, from the least to the largest, over "
            "the null model.",
        ),
        analysis=Analysis(rope=rope),
        labels=labels,
    )


def _as_positive_by_motif(
    values: Any, name: str, motifs: tuple[str, ...]
) -> list[float]:
    """Return one positive number for each motif, from numbers in order or by motif (a
    mapping or a Series).
    """
    items = list(values.items()) if hasattr(values, "items") else []
    by_motif: dict[str, Any] | None = None
    if items and (
        isinstance(values, Mapping) or all(isinstance(key, str) for key, _ in items)
    ):
        by_motif = {_as_dna(str(key)): value for key, value in items}
        count = Counter(_as_dna(str(key)) for key, _ in items)
        twice = [str(key) for key, _ in items if count[_as_dna(str(key))] > 1]
        if twice:
            alike = [one for one in twice if _as_dna(one) == _as_dna(twice[0])]
            raise DesignError(
                f"{name}: {' and '.join(alike)} are one motif (U is T); name each "
                "motif once"
            )
    listed: list[Any] = []
    if by_motif is not None:
        listed = [
            by_motif[motif] for motif in map(_as_dna, motifs) if motif in by_motif
        ]
    elif items or (
        isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
    ):
        listed = list(values)
    if len(listed) != len(motifs):
        lacks = (
            []
            if by_motif is None
            else [motif for motif in motifs if _as_dna(motif) not in by_motif]
        )
        shown = f": {', '.join(lacks[:3])} has none" if lacks else f"={quoted(values)}"
        raise DesignError(
            f"{name}{shown}; give one number for each of the {len(motifs)} motifs, in "
            "order or by motif"
        )
    for motif, value in zip(motifs, listed, strict=True):
        if not is_real(value) or not 0 < float(value) < math.inf:
            raise DesignError(
                f"{name} of {motif} is {quoted(value)}; it must be a positive, finite "
                "number"
            )
    return [float(value) for value in listed]


def _as_dna(motif: str) -> str:
    return motif.upper().replace("U", "T")


def _read_affinity(found: TrialResults) -> Finding:
    import xarray as xr

    estimates, decisions = found.steps.estimates, found.steps.decisions
    log_kd = estimates["log10_kd"].to_numpy()
    reach = float(np.ptp(log_kd))
    dims = [str(name) for name in estimates["ace"].dims[1:]]
    lines = _fit_lines(estimates, found.experiment.labels)
    fits = {
        begins: line
        for (begins, _), line in zip(rows_by_task(estimates), lines, strict=True)
    }
    trends = {
        begins: _trend_verdict(fits[begins], reach, rows)
        for begins, rows in rows_by_task(decisions)
    }
    rows = {
        begins: rows for begins, rows in rows_by_task(estimates) if begins in trends
    }
    against = against_placebos(found.experiment)
    sentences, details = list[str](), list[str]()
    for begins, trend in trends.items():
        first, *others = _affinity_sentences(rows[begins], fits[begins], reach, trend)
        sentences.append(Said(f"{against}{first}", *begins))
        details += [Said(text, *begins) for text in others]
    shape = estimates["ace"].shape[1:]
    columns = {
        name: (dims, np.reshape([getattr(fit, name) for fit in fits.values()], shape))
        for name in _OF_LINE
    }
    change = {
        name: (dims, reach * columns[slope][1])
        for name, slope in zip(
            _CHANGE, ("slope", "slope_lower", "slope_upper"), strict=True
        )
    }
    verdicts = (dims, np.reshape([trends.get(begins, "") for begins in fits], shape))
    coords = {name: estimates[name].to_numpy() for name in dims}
    return Finding(
        datasets={"line": xr.Dataset(columns | change | {"trend": verdicts}, coords)},
        sentences=tuple(sentences),
        details=tuple(details),
    )


def _trend_verdict(line: Line, reach: float, decisions: xr.Dataset) -> str:
    """Return the verdict on the change of the line: its interval compared with the
    ROPE.
    """
    low, high = (decisions[end].to_numpy()[0] for end in ("rope_lower", "rope_upper"))
    lower, upper = reach * line.slope_lower, reach * line.slope_upper
    if upper < low:
        return "decreases"
    if lower > high:
        return "increases"
    return (
        "negligible" if low <= lower and upper <= high and low < high else "undecided"
    )


def _fit_lines(estimates: xr.Dataset, labels: Labels) -> list[Line]:
    """Return the line of each task (and model)."""
    from causalgia.estimation import covariance
    from causalgia.estimation.lines import errors_in_variables

    n = estimates.sizes["contrast"]
    errors = None
    if "log10_kd_se" in labels:
        errors = estimates["log10_kd_se"].to_numpy() ** 2
    log_kd, ace = (
        estimates["log10_kd"].to_numpy(),
        estimates["ace"].to_numpy().reshape(n, -1),
    )
    V = covariance(estimates).to_numpy().reshape(n, n, -1)
    return [
        errors_in_variables(
            log_kd, ace[:, j], y_covariance=V[..., j], x_covariance=errors, scatter=True
        )
        for j in range(ace.shape[1])
    ]


_TRENDS = {
    "decreases": "fall with K_D",
    "increases": "rise with K_D",
    "negligible": "do not depend on K_D",
    "undecided": "may depend on K_D (undecided)",
}


def _affinity_sentences(
    rows: xr.Dataset, line: Line, reach: float, trend: str
) -> list[str]:
    import xarray as xr

    ace = rows["ace"].to_numpy()
    if np.ptp(ace) <= RELATIVE_ROUNDING * abs(ace).max():
        return [f"all motifs have the one effect {ace[0]:.4g}, whatever their K_D."]
    scatter = "and no errors are given that could explain this scatter"
    if not math.isinf(line.chi2):
        fits = (
            "a line fits within the errors"
            if line.p > _LACK_OF_FIT_LEVEL
            else "more than their errors explain"
        )
        scatter = f"{fits} (chi2 {line.chi2:.3g} on {line.df}, {p_clause(line.p)})"
    limits = {"ace": line.slope, "lower": line.slope_lower, "upper": line.slope_upper}
    change = effect_in_words(
        xr.Dataset({name: reach * value for name, value in limits.items()})
    )
    return [
        f"effects {_TRENDS[trend]}: the fitted line changes by {change} from the tightest "
        f"motif to the weakest (R2 {line.r2:.2f}).",
        f"the line changes by {line.slope:.3g} for each tenfold weaker binding; motifs "
        f"scatter about it by {line.scatter:.2g}, {scatter}.",
    ]


def _draw_affinity(answer: Answer) -> Axes:
    from causalgia.tell.figures import scatter

    found = answer.findings["line"].isel(task=0)
    found = found.isel(model=0) if "model" in found.dims else found
    rows = mean_over_models(answer.decisions)
    axes = scatter(rows, x="log10_kd", y="estimate")
    at = rows["log10_kd"].to_numpy()
    ends = np.array([np.nanmin(at), np.nanmax(at)])
    line = found["intercept"].item() + found["slope"].item() * ends
    axes.plot(ends, line, color="black", lw=1.0, ls="--", zorder=2.5)
    if "log10_kd_se" in rows.coords:
        half, ace = 1.96 * rows["log10_kd_se"], rows["ace"].isel(task=0)
        axes.errorbar(at, ace, xerr=half, fmt="none", ecolor="gray", lw=0.9, zorder=3)
    axes.set_xlabel("log10 K_D", parse_math=False)
    return axes


AFFINITY = Entry(
    name="affinity",
    question="Do effects depend on measured affinities?",
    estimand=(
        "The change of the line fitted to E[Y(motif) - Y(untreated)] over log10 of the "
        "motifs' true K_D, from the least to the largest, over the null model."
    ),
    doi="10.1101/418459",
    read=_read_affinity,
    draw=_draw_affinity,
)

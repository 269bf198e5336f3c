"""Effects against measured affinities: a line through points with errors in both
coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.checks import is_real
from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer, Reading, mean_over_models
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import shape_table
from causalgia.experiments.kit.sites import as_start, as_strings
from causalgia.experiments.kit.stated import Shape
from causalgia.experiments.kit.trial import ROPE, Trial
from causalgia.experiments.kit.variance import Place, rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import RopeLike

if TYPE_CHECKING:
    from causalgia.estimation.lines import Line
    from causalgia.tell.figures.axes import Axes

AXIS = "log10_kd"
_OF_SLOPE = ("slope", "slope_lower", "slope_upper")
_OF_LINE = (
    *_OF_SLOPE,
    "slope_se",
    "intercept",
    "intercept_se",
    "intercept_lower",
    "intercept_upper",
    "scatter",
    "r2",
    "chi2",
    "df",
    "p",
)


def affinity(
    null: NullModel,
    kd: Mapping[str, float],
    *,
    log10_kd_se: float | Mapping[str, float] | None = None,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks whether effects follow measured affinities.

    A line ``effect = intercept + slope log10 K_D`` is fitted to the effects of the motifs
    (`causalgia.estimation.lines.errors_in_variables`), with their covariance, as they
    share backgrounds; the errors of log10 K_D; and a variance of motifs about the line.
    The verdict is on its ``change`` from the tightest motif to the weakest.

    Parameters
    ----------
    null
        The null model of backgrounds.
    kd
        Motif -> dissociation constant, of three motifs or more, in any one unit.
    log10_kd_se
        Standard error of each log10 K_D, or one for all; None: K_D are exact. It is
        about ``se / (K_D ln 10)`` for a standard error of K_D.
    at
        0-based start; None: the center (of the longest motif).
    control
        What a motif is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of it for each unit. None: ``"placebo"``
        over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads, of the change of the line and of each motif; by default a tenth of the
        largest effect of a motif.

    Returns
    -------
    Experiment
        Contrasts are the motifs; coordinates ``log10_kd`` and, where given,
        ``log10_kd_se``. Findings: ``shapes``, the slope; and ``line (task)``: slope,
        intercept and change with their limits, scatter and fit.

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
    >>> experiment = cg.experiments.affinity(
    ...     cg.Uniform(length=41), {"UGCAUG": 0.83, "AGCAUG": 4.8, "UGUAUG": 280.0}
    ... )
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: effects ...
    """
    motifs = as_strings(list(dict(kd)), "kd", least=3)
    trial = Trial(null, control=control, entry=AFFINITY)
    start = as_start(at, "at", trial.null.length, max(map(len, motifs)))
    measured = _positive(dict(kd), "kd", motifs)
    if len(set(measured.values())) == 1:
        raise DesignError(
            f"kd: all motifs have the one K_D {measured[motifs[0]]:g}", argument="kd"
        )
    known = dict[str, float]()
    if log10_kd_se is not None:
        errors: Any = log10_kd_se
        errors = dict.fromkeys(motifs, errors) if is_real(errors) else dict(errors)
        known = _positive(errors, "log10_kd_se", motifs)
    for motif in motifs:
        site = Embed(motif, at=start)
        labels = {AXIS: math.log10(measured[motif])}
        labels |= {"log10_kd_se": known[motif]} if known else {}
        effect = trial.arm(site) - trial.arm(absent=[site])
        trial.row(motif, effect, asked=True, single=True, **labels)
    return trial.experiment(n_units=n_units, rope=rope)


def _positive(
    values: dict[Any, Any], name: str, motifs: tuple[str, ...]
) -> dict[str, float]:
    """Return the number of each motif; U is T."""
    by_letters = {str(k).upper().replace("U", "T"): v for k, v in values.items()}
    found = {motif: by_letters.get(motif.upper().replace("U", "T")) for motif in motifs}
    for motif, value in found.items():
        if not is_real(value) or not 0 < float(value) < math.inf:
            raise DesignError(
                f"{name} of {motif} is {quoted(value)}; it must be a positive, finite "
                "number",
                argument=name,
            )
    return {motif: float(value) for motif, value in found.items() if value is not None}


def _read_affinity(found: TrialResults) -> Reading:
    import xarray as xr

    estimates = found.steps.estimates
    dims = [str(name) for name in estimates["ace"].dims[1:]]
    log_kd = estimates[AXIS].to_numpy()
    ends, lines = (log_kd.min(), log_kd.max()), _fit_lines(found)
    reach = ends[1] - ends[0]
    shapes = list[tuple[Place, Shape]]()
    states, further = list[Statement](), list[Statement]()
    of_place = {
        place: line
        for (place, _), line in zip(rows_by_task(estimates), lines, strict=True)
    }
    for place, rows in rows_by_task(found.steps.decisions):
        line = of_place[place]
        change = line.slope * reach
        shape = Shape(
            axis=AXIS,
            start=ends[0],
            stop=ends[1],
            n=len(log_kd),
            sign=_sign(line, reach, rows),
            size=change,
            weakest=change,
            strongest=change,
        )
        shapes.append((place, shape))
        states.append(Statement((("line", shape, line, reach),), *place))
        further.append(Statement((("scatter", line),), *place))
    shape_of = estimates["ace"].shape[1:]
    columns = {
        name: (dims, np.reshape([getattr(line, name) for line in lines], shape_of))
        for name in _OF_LINE
    }
    columns |= {
        name.replace("slope", "change"): (dims, reach * columns[name][1])
        for name in _OF_SLOPE
    }
    coords = {name: estimates[name].to_numpy() for name in dims}
    return Reading(
        {"shapes": shape_table(shapes), "line": xr.Dataset(columns, coords)},
        tuple(states),
        tuple(further),
    )


def _sign(line: Line, reach: float, rows: Any) -> int | None:
    """Return where the interval of the change lies against the region."""
    low, high = (rows[end].to_numpy()[0] for end in ("rope_lower", "rope_upper"))
    lower, upper = reach * line.slope_lower, reach * line.slope_upper
    if upper < low or lower > high:
        return int(np.sign(lower))
    return 0 if low <= lower and upper <= high and low < high else None


def _fit_lines(found: TrialResults) -> list[Line]:
    """Return the line of each task (and model)."""
    from causalgia.estimation import covariance
    from causalgia.estimation.lines import errors_in_variables

    estimates, n = found.steps.estimates, found.steps.estimates.sizes["contrast"]
    errors = (
        estimates["log10_kd_se"].to_numpy() ** 2
        if "log10_kd_se" in found.experiment.labels
        else None
    )
    ace = estimates["ace"].to_numpy().reshape(n, -1)
    V = covariance(estimates).to_numpy().reshape(n, n, -1)
    return [
        errors_in_variables(
            estimates[AXIS].to_numpy(),
            ace[:, j],
            y_covariance=V[..., j],
            x_covariance=errors,
            scatter=True,
        )
        for j in range(ace.shape[1])
    ]


def _draw_affinity(answer: Answer) -> Axes:
    from causalgia.tell.figures import scatter

    found = answer.findings["line"].isel(task=0)
    found = found.isel(model=0) if "model" in found.dims else found
    rows = mean_over_models(answer.decisions)
    axes, at = scatter(rows, x=AXIS, y="estimate"), rows[AXIS].to_numpy()
    ends = np.array([at.min(), at.max()])
    line = found["intercept"].item() + found["slope"].item() * ends
    axes.plot(ends, line, color="black", lw=1.0, ls="--", zorder=2.5)
    axes.set_xlabel("log10 K_D", parse_math=False)
    return axes


AFFINITY = Entry(
    name="affinity",
    question="Do effects follow measured affinities?",
    estimand=(
        "The change of the line through E[Y(motif) - Y(no motif)] over log10 of the "
        "motifs' true K_D, from the least to the largest, over the null model."
    ),
    doi="10.1101/418459",
    example={"kd": {"UGCAUG": 0.83, "AGCAUG": 4.8, "UGCACG": 4.9, "UGUAUG": 280.0}},
    axis=AXIS,
    read=_read_affinity,
    draw=_draw_affinity,
)

"""Interactions of two motifs: on every scale, by helical phase, and their text and
figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from causalgia.attributes import about
from causalgia.checks import first_of, in_list
from causalgia.errors import EstimateError, quoted
from causalgia.experiments.kit.answer import Answer, Finding, mean_over_models
from causalgia.experiments.kit.experiment import Experiment, TrialResults
from causalgia.experiments.kit.joint_effects import (
    SINGLE,
    UNDECIDED,
    ScalesTried,
    bounded_sentences,
    interactions_in_words,
    is_departure,
    joint_effects,
    pair_in_words,
    same_side,
    scales_in,
    scales_tried,
    single_sites_text,
)
from causalgia.experiments.kit.site_controls import against_placebos
from causalgia.experiments.kit.variance import (
    effect_in_words,
    pairing_gain,
    rows_by_task,
)
from causalgia.notes import Said
from causalgia.streams import derive
from causalgia.tell.table_formats import p_clause

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.effects.scales import MeansFunction
    from causalgia.tell.figures.axes import Axes
    from causalgia.types import Array


ORDERS = ("downstream", "upstream")
SCALES = ("identity", "log_of_means", "logit")


class _OfFourMeans(NamedTuple):
    """A function of the means of four arms, relative to what it is without interaction.

    Parameters
    ----------
    function
        As `causalgia.contrast` takes it.
    none
        What is added for its usual form.
    of_log2
        Whether it is of outcomes in log2; of others, it is of none in logarithms.
    linear
        Whether it is a quotient of two sums, which has limits wherever its divisor may
        be 0.
    """

    function: MeansFunction
    none: float
    of_log2: bool = False
    linear: bool = False


def _cooperativity(none: Array, a: Array, b: Array, both: Array) -> tuple[Array, Array]:
    below = np.exp2(a - both) + np.exp2(b - both) - np.exp2(none - both)
    return 1 - below, below


OF_FOUR_MEANS = {
    "excess_over_multiplicative": _OfFourMeans(
        lambda none, a, b, both: (both * none - a * b, none), 0.0
    ),
    "bpnet": _OfFourMeans(
        lambda none, a, b, both: (both - a - b + none, a), 1.0, linear=True
    ),
    "cooperativity": _OfFourMeans(_cooperativity, 1.0, of_log2=True),
}
"""Interactions of other papers: AB - A B / 0; (AB - (B - 0)) / A (Avsec et al. 2021);
2^AB / (2^A + 2^B - 2^0) (de Almeida et al. 2022)."""
TURN = 10.5
_TREND: Literal["decay"] = "decay"
_LEAST_DISTANCES, _LEAST_SPAN, _MOST_DISTANCES = 12, 2 * TURN, 300
_PERIODS = np.round(np.arange(9.0, 12.05, 0.1), 1)
_RESOLUTION, _DRAWS = 1e-3, 2_000
_WAVE_COLUMNS = [
    "cos",
    "sin",
    "amplitude",
    "amplitude_se",
    "phase_bp",
    "phase_bp_se",
    "F",
    "df1",
    "df2",
    "p",
]
_MOST_ON_SCALES = 5_000
"""Interactions, at most, that are tried on further scales where all pairs of many
motifs are asked."""
_ESTIMATE_COLUMNS = ["ace", "se", "df", "p", "lower", "upper"]
_ENDS = ("ace", "lower", "upper")


def read_pair(found: TrialResults) -> Finding:
    """Return scales, helical phase, period and the gain of pairing, with sentences on
    the interactions.
    """
    datasets: dict[str, xr.Dataset] = {}
    if found.outcomes is not None:
        datasets["scales"] = across_scales(found.outcomes, found.experiment)
        gain = pairing_gain(found.outcomes, found.experiment)
        datasets["pairing"] = gain.isel(contrast=gain["asks"].to_numpy() != "pair")
    if curves := list(_long_curves(found.steps.estimates)):
        if found.steps.effects is not None:
            datasets |= _concatenate_curves(
                "phase", curves, lambda curve: _wave_of_curve(found, curve)
            )
        datasets |= _concatenate_curves(
            "period", curves, lambda curve: _period_posterior(found, curve)
        )
    sentences, details = _pair_sentences(found, datasets)
    return Finding(
        datasets=datasets,
        sentences=(*sentences, *bounded_sentences(found.outcomes)),
        details=tuple(details),
    )


def across_scales(outcomes: xr.Dataset, experiment: Experiment) -> xr.Dataset:
    """Estimate the interaction of every cell on every scale that the outcomes allow.

    Parameters
    ----------
    outcomes
        ``cg.run(experiment, ...)``.
    experiment
        From `causalgia.experiments.motif_pair`.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (scale, contrast, task[, model])``, each on its
        own scale, and ``null_value (scale)``; ``survives (contrast, task[, model])``,
        whether the intervals of all scales lie on one side of no effect.
        ``attrs["left_out"]`` lists the scales that the outcomes do not allow, with the
        reason.

    References
    ----------
    Loftus (1978), doi:10.3758/BF03197461.
    """
    import xarray as xr

    from causalgia.effects._contrast import cell_interactions
    from causalgia.effects.scales import measured_on
    from causalgia.estimation import estimate
    from causalgia.estimation.ratios import clear_from

    by_scale, left_out = {}, []
    asks = experiment.labels["asks"]
    rows: Mapping[str, Mapping[str, float]] = experiment.named_contrasts or {}
    cells: dict[str, tuple[str, str, str, str]] = {}
    for name, row in rows.items():
        if asks[name] == "interaction":
            both, first, second, none = row
            cells[name] = (none, second, first, both)
    functions = {name: one.function for name, one in OF_FOUR_MEANS.items()}
    for scale, given in ({one: one for one in SCALES} | functions).items():
        if why := _not_on(scale, measured_on(outcomes)):
            left_out.append(why)
            continue
        try:
            found = estimate(cell_interactions(outcomes, cells, scale=given))  # type: ignore[arg-type]  # scales
        except EstimateError as error:
            left_out.append(str(error))
            continue
        if scale in functions and not OF_FOUR_MEANS[scale].linear:
            # a quotient of products whose divisor may be 0 has no limits
            unclear = (
                found["divisor_variance"]
                * clear_from(found["df"].to_numpy(), 0.95) ** 2
            )
            if bool(((unclear > 1) & (found["se"] > 0)).any()):
                left_out.append(f"{scale}: what it divides by may be 0")
                continue
        by_scale[scale] = found
    nulls = [
        OF_FOUR_MEANS[name].none
        if name in functions
        else float(about(e, 0.0).null_value)
        for name, e in by_scale.items()
    ]
    tables = []
    for name, e in by_scale.items():
        table = e[_ESTIMATE_COLUMNS].reset_coords(drop=True).drop_attrs()
        if name in functions:
            usual = {end: table[end] + OF_FOUR_MEANS[name].none for end in _ENDS}
            table = table.assign(usual)
        tables.append(table)
    out = xr.concat(tables, dim="scale").assign_coords(
        scale=list(by_scale), null_value=("scale", nulls)
    )
    survives = same_side(list(by_scale.values()))
    out["survives"] = (survives.dims, survives.to_numpy())
    return experiment.label(out).assign_attrs(left_out="; ".join(left_out))


def _not_on(scale: str, measured_on: str) -> str:
    """Return why outcomes measured on a scale have no function of four means; "" if they
    have.
    """
    from causalgia.effects.scales import is_log, is_log2

    if scale in SCALES:
        return ""
    of_log2 = OF_FOUR_MEANS[scale].of_log2
    if measured_on == "outcome" or (
        is_log2(measured_on) if of_log2 else not is_log(measured_on)
    ):
        return ""
    needed = "log2 outcomes" if of_log2 else "outcomes that are no logarithms"
    return f"{scale} needs {needed}, and these are on {quoted(measured_on)}"


@dataclass(frozen=True)
class _Curve:
    """Interactions of one orientation and order in one task, at 12 or more distances
    that span two turns.
    """

    orientation: str
    order: str
    task: Any
    contrasts: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.orientation} {self.order}, {self.task}"

    def of(self, table: xr.Dataset) -> xr.Dataset:
        """Return the rows of the curve in a table, for its task."""
        return table.sel(contrast=list(self.contrasts), task=[self.task])


def _long_curves(estimates: xr.Dataset) -> Iterator[_Curve]:
    """Yield the curves that are long enough to show helical phasing and are not
    flat.
    """
    if "model" in estimates.dims:
        return
    asks, names = (
        estimates["asks"].to_numpy() == "interaction",
        estimates["contrast"].to_numpy(),
    )
    sides = list(
        zip(
            estimates["orientation"].to_numpy(),
            estimates["order"].to_numpy(),
            strict=True,
        )
    )
    for side in dict.fromkeys(
        side for side, cell in zip(sides, asks, strict=True) if cell
    ):
        rows: Any = np.array(
            [cell and side == other for cell, other in zip(asks, sides, strict=True)]
        )
        distances = estimates["distance"].to_numpy()[rows]
        if not (
            _LEAST_DISTANCES <= len(distances) <= _MOST_DISTANCES
            and np.ptp(distances) >= _LEAST_SPAN
        ):
            continue
        for task in estimates["task"].to_numpy():
            curve = _Curve(
                str(side[0]), str(side[1]), task, tuple(map(str, names[rows]))
            )
            if np.ptp(curve.of(estimates)["ace"].to_numpy()) > 0:
                yield curve


_CurveReader: TypeAlias = "Callable[[_Curve], xr.Dataset | None]"


def _concatenate_curves(
    name: str, curves: list[_Curve], read: _CurveReader
) -> dict[str, xr.Dataset]:
    """Return the tables of all curves on a dim "curve"; an empty dict where there is
    none.
    """
    import xarray as xr

    tables = [(curve, table) for curve in curves if (table := read(curve)) is not None]
    if not tables:
        return {}
    labels = {
        key: ("curve", [str(getattr(c, key)) for c, _ in tables])
        for key in ("orientation", "order", "task")
    }
    whole = xr.concat(
        [table.reset_coords(drop=True) for _, table in tables], dim="curve"
    )
    return {
        name: whole.assign_coords(
            {"curve": [curve.name for curve, _ in tables], **labels}
        )
    }


def _wave_of_curve(found: TrialResults, curve: _Curve) -> xr.Dataset | None:
    """Return the wave of 10.5 bp beside a decay; None where trend and wave fit the mean
    curve exactly.

    Its p is the larger of two: that between units, and that against the residuals of
    the mean curve. The trend is never exact, and where units hardly differ its misfit
    is significant between units without being a wave.
    """
    from causalgia.estimation import helical_phase
    from causalgia.estimation.crossover_estimates import ice_without_rounding

    whole = _wave_of_mean_curve(found, curve)
    if whole is None:
        return None
    assert found.steps.effects is not None
    effects = found.steps.effects
    one_number = curve.of(
        effects.assign(ice=(effects["ice"].dims, ice_without_rounding(effects)))
    )
    try:
        between = helical_phase(one_number, period=TURN, trend=_TREND, periods=[TURN])
    except EstimateError:  # units differ too little to test it
        return whole
    between = (
        between.squeeze("task")
        .sel(fit="unitwise")[_WAVE_COLUMNS]
        .reset_coords(drop=True)
        .assign(fit="unitwise")
    )
    of_curve = {
        name: whole[name] for name in ("best_period", "p_curve", "p_permutation")
    }
    return between.assign(of_curve | {"p": np.maximum(between["p"], whole["p"])})


def _wave_of_mean_curve(found: TrialResults, curve: _Curve) -> xr.Dataset | None:
    """Return the wave of the mean curve; None where trend and wave fit it exactly and
    cannot be tested.
    """
    import xarray as xr

    from causalgia.estimation._helical_phase import (
        mean_curve_wave,
        permuted_wave,
        trend_basis,
    )

    table = curve.of(found.steps.estimates)
    x, y = (
        table[name].to_numpy().astype(np.float64).ravel()
        for name in ("distance", "ace")
    )
    base = trend_basis(x, _TREND, period=TURN)
    try:
        wave = mean_curve_wave(x, y, base, TURN)
    except EstimateError:
        return None
    rng = np.random.Generator(np.random.Philox(derive(found.key, "phase", curve.name)))
    values = {name: getattr(wave, name) for name in _WAVE_COLUMNS} | {"p_curve": wave.p}
    values["p_permutation"] = permuted_wave(x, y, base, TURN, rng=rng)
    fits = {}
    for period in _PERIODS.tolist():
        with suppress(
            EstimateError
        ):  # a period that is not identified beside the trend
            fits[period] = mean_curve_wave(x, y, base, period).F
    best = float(max(fits, key=fits.__getitem__))
    return xr.Dataset(values | {"best_period": best, "fit": "mean_curve"})


def _period_posterior(found: TrialResults, curve: _Curve) -> xr.Dataset:
    """Return the posterior of period, amplitude and place of the first peak, and the
    evidence for a period.

    Standard errors are at least a thousandth of the range of the curve.
    """
    import xarray as xr

    from causalgia.posterior import profile

    table = curve.of(found.steps.estimates)
    least = _RESOLUTION * float(np.ptp(table["ace"].to_numpy()))
    if (table["se"] < least).any():
        table = (
            table[["ace", "se"]]
            .assign(se=np.maximum(table["se"], least))
            .assign_attrs(table.attrs)
        )
    key = derive(found.key, "period", curve.name)
    drawn = profile(table, along="distance", periods=_PERIODS, n_draws=_DRAWS, rng=key)
    moments, draws = drawn["moments"], drawn["posterior"]
    # the first peak within half a period of the circular mean: one at 0 has an interval
    # around 0
    turn = 2 * np.pi * draws["phase"] / draws["period"]
    mean = np.arctan2(
        np.sin(turn).mean(("chain", "draw")), np.cos(turn).mean(("chain", "draw"))
    )
    away = (turn - mean + np.pi) % (2 * np.pi) - np.pi
    phase = (mean + away) * draws["period"] / (2 * np.pi)
    out = xr.Dataset(
        {name: moments[name] for name in ("period_probability", "log_bayes_factor")}
    )
    for name, values in {
        "period": draws["period"],
        "amplitude": draws["amplitude"],
        "phase": phase,
    }.items():
        quantiles = values.quantile([0.5, 0.025, 0.975], ("chain", "draw")).to_numpy()
        for part, number in zip(("median", "lower", "upper"), quantiles, strict=True):
            out[f"{name}_{part}"] = ("task", number)
    grid = out["period"].to_numpy()
    whole: xr.Dataset = (
        out.squeeze("task").reset_coords(drop=True).assign_coords(period=grid)
    )
    return whole


def _pair_sentences(
    found: TrialResults, datasets: dict[str, xr.Dataset]
) -> tuple[list[str], list[str]]:
    """Return the answer of each task, and further sentences."""
    sentences, details = list[str](), list[str]()
    decisions, against = found.steps.decisions, against_placebos(found.experiment)
    scales = datasets.get("scales")
    tried = None if scales is None else scales_in(scales)
    for begins, table in rows_by_task(decisions):
        asks = table["asks"].to_numpy()
        cells = table.isel(contrast=asks == "interaction")
        pairs = table.isel(contrast=asks == "pair")
        alone = table.isel(contrast=np.isin(asks, SINGLE))
        pair = pair_in_words(table) or "the two motifs"
        sentences.append(
            Said(f"{against}{interactions_text(table, cells, found, tried)}.", *begins)
        )
        details.append(
            Said(
                f"{against}{_pair_verdicts_text(pairs, pair)}; "
                f"{single_sites_text(alone)}.",
                *begins,
            )
        )
        directions = table["contrast"].to_numpy()[
            table["asks"].to_numpy() == "direction"
        ]
        for name in (
            directions if cells["ace"].any() else ()
        ):  # where all interactions are 0, so are their differences
            row = table.sel(contrast=name)
            details.append(
                Said(
                    f"interaction downstream minus upstream, "
                    f"{str(name).removeprefix('direction ')}: {effect_in_words(row)}, "
                    f"{row['verdict'].item()}.",
                    *begins,
                )
            )
    details.append(
        "Arrangements: the strands of the first and the second motif (+ or -), the "
        "place of the second (downstream or upstream of the first), and the distance "
        "from start to start in bp."
    )
    if "period" in datasets:
        for is_clear, text in _period_sentences(
            datasets["period"], datasets.get("phase")
        ):
            (sentences if is_clear else details).append(text)
    if "pairing" in datasets and datasets["pairing"].sizes["contrast"]:
        gain = datasets["pairing"]["gain"].to_numpy()
        details.append(
            "Pairing: fresh backgrounds for every arm would make these standard errors "
            f"{np.median(gain):.1f} times as large (median; {gain.min():.1f} to "
            f"{gain.max():.1f})."
        )
    return sentences, details


_PAIR_VERBS = {
    "increases": "increase the outcome in",
    "decreases": "decrease the outcome in",
    "negligible": "change the outcome negligibly in",
    "undecided": "are undecided in",
}
_GROUPS_NAMED = 4


def _pair_verdicts_text(pairs: xr.Dataset, pair: str) -> str:
    """Describe where a pair of motifs changes the outcome, whatever each site does
    alone.
    """
    verdicts = pairs["verdict"].to_numpy().astype(str)
    parts = [
        f"{does} {_arrangements_text(pairs.isel(contrast=verdicts == verdict))}"
        for verdict, does in _PAIR_VERBS.items()
        if (verdicts == verdict).any()
    ]
    return f"together {pair} {in_list(parts)}"


def _arrangements_text(cells: xr.Dataset) -> str:
    """List the first few arrangements with their distances, and count the others."""
    sides = list(
        zip(cells["orientation"].to_numpy(), cells["order"].to_numpy(), strict=True)
    )
    placed = list(zip(cells["distance"].to_numpy(), sides, strict=True))
    found = {
        side: [distance for distance, of in placed if of == side] for side in sides
    }
    shown = [
        f"{way} {order} at {ranges_text(at)}" for (way, order), at in found.items()
    ]
    return first_of(shown, _GROUPS_NAMED, thing="arrangement")


def ranges_text(distances: Sequence[float]) -> str:
    """Return distances as text, three or more consecutive ones as a range.

    Examples
    --------
    >>> ranges_text([2, 3, 4, 5, 8]), ranges_text([4])
    ('2 to 5 and 8', '4')
    """
    runs: list[list[int]] = []
    for d in sorted(int(x) for x in distances):
        if runs and d == runs[-1][-1] + 1:
            runs[-1].append(d)
        else:
            runs.append([d])
    parts = [
        part
        for run in runs
        for part in (
            [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(d) for d in run]
        )
    ]
    return in_list(parts)


def interactions_text(
    table: xr.Dataset,
    cells: xr.Dataset,
    found: TrialResults,
    tried: ScalesTried | None = None,
) -> str:
    """Return how many pairs of each kind there are, how many of them are on every
    scale, and the strongest interaction with its kind.
    """
    names = cells["contrast"].to_numpy().astype(str).tolist()
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    kinds = joint_effects(table, contrasts, names)
    departing = [name for name in names if is_departure(kinds[name])]
    if tried is None and len(departing) <= _MOST_ON_SCALES:
        tried = scales_tried(
            found.outcomes, {name: contrasts[name] for name in departing}
        )
    on_scales = "" if tried is None else tried.text(departing, table)
    row = cells.isel(contrast=int(np.abs(cells["ace"].to_numpy()).argmax()))
    strongest = str(row["contrast"].item())
    size = effect_in_words(row)
    if len(names) == 1:
        return f"{strongest} is {kinds[strongest]}{on_scales} (interaction {size})"
    largest = "all estimates are 0, from too few sequences to call them negligible"
    if row["ace"].item() != 0:
        largest = (
            f"the strongest is that of {strongest} ({size}, {kinds[strongest].word})"
        )
    pair = pair_in_words(table)
    of = f"{len(names):,} interactions{pair and f' of {pair}'}"
    if not departing and all(kind.word == UNDECIDED for kind in kinds.values()):
        return f"none of {of} is decided; {largest}"
    return f"of {of}, {interactions_in_words(kinds.values(), on_scales)}; {largest}"


def _period_sentences(
    period: xr.Dataset, phase: xr.Dataset | None
) -> Iterator[tuple[bool, str]]:
    """Yield for each task the curve with the strongest evidence for helical phasing,
    and whether it is clear.
    """
    for task in dict.fromkeys(period["task"].to_numpy()):
        one = period.isel(curve=period["task"].to_numpy() == task)
        best = one.isel(curve=int(one["log_bayes_factor"].to_numpy().argmax()))
        evidence = float(best["log_bayes_factor"]) / np.log(10)
        arrangement = f"{best['orientation'].item()} {best['order'].item()}"
        where = f"log10 Bayes factor {evidence:.1f}"
        if phase is not None and best["curve"].item() in phase["curve"].to_numpy():
            wave = phase.sel(curve=best["curve"].item())
            where += (
                f", {p_clause(wave['p'].item())} for the wave at {TURN} bp beside a "
                "decay"
            )
            where += (
                f" and {p_clause(wave['p_permutation'].item())} by permutation of "
                "distances"
            )
            where += (
                ""
                if wave["fit"].item() == "unitwise"
                else ", of the mean curve alone, for units hardly differ"
            )
        if evidence < 1:
            yield (
                False,
                Said(
                    f"no clear helical phase (at most {arrangement}: {where}).",
                    str(task),
                ),
            )
        else:
            yield (
                True,
                Said(
                    f"the interaction turns with the helix, {arrangement}: "
                    f"period {_quantile_text(best, 'period')} bp (B-DNA turns in "
                    f"{TURN}), amplitude {_quantile_text(best, 'amplitude')}, {where}.",
                    str(task),
                ),
            )


def _quantile_text(row: xr.Dataset, name: str) -> str:
    middle, low, high = (
        float(row[f"{name}_{part}"]) for part in ("median", "lower", "upper")
    )
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def draw_pair(answer: Answer) -> Axes:
    """Draw interactions by distance, downstream beside upstream, in the orientation
    with the largest one.
    """
    from causalgia.tell.figures import curve

    table = answer.decisions
    cells = table.isel(contrast=table["asks"].to_numpy() == "interaction")
    size = (
        np.abs(cells["ace"].transpose("contrast", ...).to_numpy())
        .reshape(cells.sizes["contrast"], -1)
        .max(axis=1)
    )
    orientation = cells["orientation"].to_numpy()
    largest = cells.isel(contrast=orientation == orientation[size.argmax()])
    if (n := len(set(orientation.tolist()))) > 1:
        largest = largest.assign_attrs(
            shown=(
                f"orientation {orientation[size.argmax()]}, with the largest "
                f"interaction of {n}"
            )
        )
    return curve(
        largest,
        x="distance",
        by="order",
        label="Excess over the sum of both sites alone",
    )


def read_pairs(found: TrialResults) -> Finding:
    """Return the distance of the largest interaction of each pair of motifs, with
    sentences.
    """
    decisions = found.steps.decisions
    cells = decisions["asks"].to_numpy() == "interaction"
    sides = ["upstream", "downstream"]
    at = (
        decisions.isel(contrast=cells)
        .set_coords(sides)
        .set_index(contrast=[*sides, "distance"])
        .unstack("contrast")
    )
    where = abs(at["ace"]).argmax("distance")
    best = (
        at[["ace", "lower", "upper", "verdict"]]
        .isel(distance=where)
        .reset_coords("distance")
    )
    best = best.drop_vars(
        [name for name in ("do", "is_placebo", "asks", "site") if name in best.coords]
    )
    against = against_placebos(found.experiment)
    sentences, details = list[str](), list[str]()
    for begin, table in rows_by_task(decisions):
        of_pairs = interactions_text(table, table.isel(contrast=cells), found)
        sentences.append(Said(f"{against}{of_pairs}.", *begin))
        alone = single_sites_text(table.isel(contrast=~cells))
        details.append(Said(f"{against}{alone}.", *begin))
    return Finding(
        datasets={"strongest": best},
        sentences=(*sentences, *bounded_sentences(found.outcomes)),
        details=tuple(details),
    )


def draw_pairs(answer: Answer) -> Axes:
    """Draw the largest interaction of each pair of motifs, upstream by downstream, for
    one task.
    """
    from causalgia.tell.figures import heatmap

    best = (
        mean_over_models(answer.findings["strongest"])
        .isel(task=[0])
        .stack(contrast=["upstream", "downstream"])
        .transpose("contrast", ...)
    )
    names = [f"{a} {b}" for a, b in best["contrast"].to_numpy()]
    sides: dict[Any, Any] = {
        side: ("contrast", best[side].to_numpy()) for side in ("upstream", "downstream")
    }
    flat = best.drop_vars(["contrast", "upstream", "downstream"]).assign_coords(
        contrast=names, **sides
    )
    table = answer.decisions
    cells = table["asks"].to_numpy() == "interaction"
    n = len(np.unique(table["distance"].to_numpy()[cells]))
    effect = (
        f"Interaction, the largest over {n:,} distances," if n > 1 else "Interaction"
    )
    return heatmap(
        flat.assign_attrs(answer.decisions.attrs),
        rows="upstream",
        columns="downstream",
        label=effect,
    )

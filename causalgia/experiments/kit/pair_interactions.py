"""What the interactions of two motifs say together: on every scale, along the helix, and how sharply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from causalgia.errors import ContrastError, EstimateError
from causalgia.experiments._pairing_gain import pairing_gain
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.experiment import Experiment, Found
from causalgia.experiments.kit.figures import mean_over_models
from causalgia.experiments.kit.variance import by_task, effect_in_words
from causalgia.streams import derive
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.effects._contrast import Cells
    from causalgia.plot import Axes


ORDERS = ("downstream", "upstream")
SCALES = ("identity", "log_of_means", "excess_over_multiplicative", "bpnet", "cooperativity")
"""Scales of an interaction that need no number beside the outcomes."""
TURN = 10.5
_TREND: Literal["decay"] = "decay"
_LEAST_DISTANCES, _LEAST_SPAN, _MOST_DISTANCES = 12, 2 * TURN, 300
_PERIODS = np.round(np.arange(9.0, 12.05, 0.1), 1)
_RESOLUTION, _DRAWS = 1e-3, 2_000
_OF_WAVE = ["cos", "sin", "amplitude", "amplitude_se", "phase_bp", "phase_bp_se", "F", "df1", "df2", "p"]
_ESTIMATED = ["ace", "se", "df", "p", "lower", "upper"]


def read_pair(found: Found) -> Finding:
    """Read scales, phase, period and the gain of pairing, and say what the interactions are."""
    datasets: dict[str, xr.Dataset] = {}
    if found.outcomes is not None:
        datasets["scales"] = across_scales(found.outcomes, found.experiment)
        gain = pairing_gain(found.outcomes, found.experiment)
        datasets["pairing"] = gain.isel(contrast=gain["asks"].to_numpy() != "pair")
    if curves := list(_curves(found.steps.estimates)):
        if found.steps.effects is not None:
            datasets |= _by_curve("phase", curves, lambda curve: _phase(found, curve))
        datasets |= _by_curve("period", curves, lambda curve: _period(found, curve))
    return Finding(datasets=datasets, sentences=tuple(_sentences(found, datasets)))


def across_scales(outcomes: xr.Dataset, experiment: Experiment) -> xr.Dataset:
    """Return the interaction of every cell on every scale that the outcomes allow.

    Parameters
    ----------
    outcomes
        ``cg.run(experiment, ...)``.
    experiment
        From `causalgia.experiments.motif_pair`.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (scale, contrast, task[, model])``, each on its own scale, and ``null_value
        (scale)``; ``survives (contrast, task[, model])``: the intervals of all scales lie on one side of no effect.
        ``attrs["left_out"]`` says which scales the outcomes do not allow, and why.

    References
    ----------
    Loftus (1978), doi:10.3758/BF03197461.
    """
    import xarray as xr

    from causalgia.effects._contrast import cell_interactions
    from causalgia.estimation import estimate

    found, left = {}, []
    cells = _cells(experiment)
    for scale in SCALES:
        try:
            found[scale] = estimate(cell_interactions(outcomes, cells, scale=scale))  # type: ignore[arg-type]  # scales
        except (ContrastError, EstimateError) as error:  # a ratio of means that may be 0 has no limits
            left.append(str(error))
    nulls = [float(e.attrs.get("null_value", 0.0)) for e in found.values()]
    above = np.all([(e["lower"] > null).to_numpy() for e, null in zip(found.values(), nulls, strict=True)], axis=0)
    below = np.all([(e["upper"] < null).to_numpy() for e, null in zip(found.values(), nulls, strict=True)], axis=0)
    tables = [e[_ESTIMATED].reset_coords(drop=True).drop_attrs() for e in found.values()]
    out = xr.concat(tables, dim="scale").assign_coords(scale=list(found), null_value=("scale", nulls))
    out["survives"] = (tables[0]["ace"].dims, above | below)
    return experiment.label(out).assign_attrs(left_out="; ".join(left))


def _cells(experiment: Experiment) -> Cells:
    """Return the arms of every interaction: neither, second alone, first alone, both."""
    asks = experiment.labels["asks"]
    rows: Mapping[str, Mapping[str, float]] = experiment.named_contrasts or {}
    cells: dict[str, tuple[str, str, str, str]] = {}
    for name in rows:
        if asks[name] == "interaction":
            both, first, second, none = rows[name]
            cells[name] = (none, second, first, both)
    return cells


@dataclass(frozen=True)
class _Curve:
    """The interactions of one orientation and order in one task, at 12 or more distances that span two turns."""

    orientation: str
    order: str
    task: Any
    contrasts: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.orientation} {self.order}, {self.task}"

    def of(self, table: xr.Dataset) -> xr.Dataset:
        """Return its rows of a table, for its task."""
        return table.sel(contrast=list(self.contrasts), task=[self.task])


def _curves(estimates: xr.Dataset) -> Iterator[_Curve]:
    """Yield the curves that are long enough to turn with the helix, and that are not flat."""
    if "model" in estimates.dims:
        return
    asks, names = estimates["asks"].to_numpy() == "interaction", estimates["contrast"].to_numpy()
    sides = list(zip(estimates["orientation"].to_numpy(), estimates["order"].to_numpy(), strict=True))
    for side in dict.fromkeys(side for side, cell in zip(sides, asks, strict=True) if cell):
        rows: Any = np.array([cell and side == other for cell, other in zip(asks, sides, strict=True)])
        distances = estimates["distance"].to_numpy()[rows]
        if not (_LEAST_DISTANCES <= len(distances) <= _MOST_DISTANCES and np.ptp(distances) >= _LEAST_SPAN):
            continue
        for task in estimates["task"].to_numpy():
            curve = _Curve(str(side[0]), str(side[1]), task, tuple(map(str, names[rows])))
            if np.ptp(curve.of(estimates)["ace"].to_numpy()) > 0:
                yield curve


_Read: TypeAlias = "Callable[[_Curve], xr.Dataset | None]"


def _by_curve(name: str, curves: list[_Curve], read: _Read) -> dict[str, xr.Dataset]:
    """Return what is read of curves, on a dim of their own; nothing where there is none."""
    import xarray as xr

    found = [(curve, table) for curve in curves if (table := read(curve)) is not None]
    if not found:
        return {}
    labels = {key: ("curve", [str(getattr(c, key)) for c, _ in found]) for key in ("orientation", "order", "task")}
    whole = xr.concat([table.reset_coords(drop=True) for _, table in found], dim="curve")
    return {name: whole.assign_coords({"curve": [curve.name for curve, _ in found], **labels})}


def _phase(found: Found, curve: _Curve) -> xr.Dataset | None:
    """Return the wave of 10.5 bp beside a decay; None where trend and wave fit the mean curve exactly.

    Its p is the larger of two: between units, and against what is left of the mean curve. No trend is quite the curve,
    and where units hardly differ, what it misses is far beyond their error without being a wave.
    """
    whole = _mean_curve(found, curve)
    if whole is None:
        return None
    between = _between_units(found, curve)
    if between is None:
        return whole
    of_curve = {name: whole[name] for name in ("best_period", "p_curve", "p_permutation")}
    return between.assign(of_curve | {"p": np.maximum(between["p"], whole["p"])})


def _between_units(found: Found, curve: _Curve) -> xr.Dataset | None:
    """Return the mean wave of the units; None where these differ too little to test it."""
    from causalgia.estimation import helical_phase
    from causalgia.estimation.crossover_estimates import ice_without_rounding

    assert found.steps.effects is not None
    effects = found.steps.effects
    one_number = curve.of(effects.assign(ice=(effects["ice"].dims, ice_without_rounding(effects))))
    try:
        unitwise = (
            helical_phase(one_number, period=TURN, trend=_TREND, periods=[TURN]).squeeze("task").sel(fit="unitwise")
        )
    except EstimateError:
        return None
    return unitwise[_OF_WAVE].reset_coords(drop=True).assign(fit="unitwise")


def _mean_curve(found: Found, curve: _Curve) -> xr.Dataset | None:
    """Return the wave of a curve as it stands; None where trend and wave fit it exactly, so that nothing tests them."""
    import xarray as xr

    from causalgia.estimation._helical_phase import mean_curve_wave, permuted_wave, trend_basis

    table = curve.of(found.steps.estimates)
    x, y = (table[name].to_numpy().astype(np.float64).ravel() for name in ("distance", "ace"))
    base = trend_basis(x, _TREND, period=TURN)
    try:
        wave = mean_curve_wave(x, y, base, TURN)
    except EstimateError:
        return None
    rng = np.random.Generator(np.random.Philox(derive(found.key, "phase", curve.name)))
    values = {name: getattr(wave, name) for name in _OF_WAVE} | {"p_curve": wave.p}
    values["p_permutation"] = permuted_wave(x, y, base, TURN, rng=rng)
    return xr.Dataset(values | {"best_period": _best_period(x, y, base), "fit": "mean_curve"})


def _best_period(x: Array, y: Array, base: Array) -> float:
    """Return the period of the best fit among those that these distances tell from the trend."""
    from causalgia.estimation._helical_phase import mean_curve_wave

    fits = {}
    for period in _PERIODS.tolist():
        with suppress(EstimateError):
            fits[period] = mean_curve_wave(x, y, base, period).F
    return float(max(fits, key=fits.__getitem__))


def _period(found: Found, curve: _Curve) -> xr.Dataset:
    """Return the posterior of period, amplitude and place of the first peak, and the evidence for having a period.

    A curve without any spread between units is read with an error of a thousandth of its range.
    """
    import xarray as xr

    from causalgia.posterior import profile

    table = curve.of(found.steps.estimates)
    least = _RESOLUTION * float(np.ptp(table["ace"].to_numpy()))
    if (table["se"] < least).any():
        table = table[["ace", "se"]].assign(se=np.maximum(table["se"], least)).assign_attrs(table.attrs)
    key = derive(found.key, "period", curve.name)
    drawn = profile(table, along="distance", periods=_PERIODS, draws=_DRAWS, rng=key)
    moments, draws = drawn["moments"], drawn["posterior"]
    out = xr.Dataset({name: moments[name] for name in ("period_probability", "log_bayes_factor")})
    for name, values in (*((name, draws[name]) for name in ("period", "amplitude")), ("phase", _unwrapped(draws))):
        quantiles = values.quantile([0.5, 0.025, 0.975], ("chain", "draw")).to_numpy()
        for part, number in zip(("median", "lower", "upper"), quantiles, strict=True):
            out[f"{name}_{part}"] = ("task", number)
    grid = out["period"].to_numpy()
    whole: xr.Dataset = out.squeeze("task").reset_coords(drop=True).assign_coords(period=grid)
    return whole


def _unwrapped(draws: Any) -> xr.DataArray:
    """Return draws of the place of the first peak, in bases, within half a period of their mean direction.

    So a peak at 0 has an interval about 0 (below 0 too), not one from 0 to the whole period.
    """
    turn = 2 * np.pi * draws["phase"] / draws["period"]
    mean = np.arctan2(np.sin(turn).mean(("chain", "draw")), np.cos(turn).mean(("chain", "draw")))
    away = (turn - mean + np.pi) % (2 * np.pi) - np.pi
    place: xr.DataArray = (mean + away) * draws["period"] / (2 * np.pi)
    return place


def _sentences(found: Found, datasets: dict[str, xr.Dataset]) -> Iterator[str]:
    decisions = found.steps.decisions
    for said, table in by_task(decisions):
        cells = table.isel(contrast=table["asks"].to_numpy() == "interaction")
        pairs = table.isel(contrast=table["asks"].to_numpy() == "pair")
        yield f"{said}: {_together(pairs)}; {_counted(cells)}; {_strongest(cells)}."
        for name in table["contrast"].to_numpy()[table["asks"].to_numpy() == "direction"]:
            row = table.sel(contrast=name)
            yield f"{said}: interaction downstream minus upstream, {str(name).removeprefix('direction ')}: " + _judged(
                row
            )
    if "period" in datasets:
        yield from _of_period(datasets["period"], datasets.get("phase"))
    if "pairing" in datasets and datasets["pairing"].sizes["contrast"]:
        gain = datasets["pairing"]["gain"].to_numpy()
        yield (
            f"Pairing: fresh backgrounds for every arm would make these standard errors {np.median(gain):.1f} times as "
            f"large (median; {gain.min():.1f} to {gain.max():.1f})."
        )


def _judged(row: xr.Dataset) -> str:
    return f"{effect_in_words(row)}, {row['verdict'].item()}."


_TOGETHER = {"increases": "increase the outcome", "decreases": "decrease it", "undecided": "are undecided"}
_MOST_NAMED = 4


def _together(pairs: xr.Dataset) -> str:
    """Return where two sites move the outcome together, whatever each does alone."""
    verdicts = pairs["verdict"].to_numpy().astype(str)
    said = [
        f"{does} {_where(pairs.isel(contrast=verdicts == verdict))}"
        for verdict, does in _TOGETHER.items()
        if (verdicts == verdict).any()
    ]
    if not (verdicts == "increases").any():
        said = ["increase the outcome nowhere", *said]
    return f"together the two {', '.join(said)}"


def _where(cells: xr.Dataset) -> str:
    """Return arrangements with their distances, of the first few; the others are counted."""
    sides = list(zip(cells["orientation"].to_numpy(), cells["order"].to_numpy(), strict=True))
    placed = list(zip(cells["distance"].to_numpy(), sides, strict=True))
    found = {side: [distance for distance, of in placed if of == side] for side in sides}
    shown = [f"{way} {order} at {in_numbers(at)}" for (way, order), at in list(found.items())[:_MOST_NAMED]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and in {more} more arrangements" if more else "")


def in_numbers(distances: Sequence[float]) -> str:
    """Return distances in words, three or more in a row as a range.

    Examples
    --------
    >>> in_numbers([2, 3, 4, 5, 8]), in_numbers([4])
    ('2 to 5 and 8', '4')
    """
    runs: list[list[int]] = []
    for d in sorted(int(x) for x in distances):
        if runs and d == runs[-1][-1] + 1:
            runs[-1].append(d)
        else:
            runs.append([d])
    said = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(d) for d in run])]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _counted(cells: xr.Dataset) -> str:
    """Return how many interactions have each verdict, in words."""
    verdicts = cells["verdict"].to_numpy().astype(str)
    words = {
        "increases": "synergistic",
        "decreases": "antagonistic",
        "negligible": "negligible",
        "undecided": "undecided",
    }
    counts = [
        f"{(verdicts == verdict).sum():,} {word}" for verdict, word in words.items() if (verdicts == verdict).any()
    ]
    return f"of {len(verdicts):,} interactions {', '.join(counts)}"


def _strongest(cells: xr.Dataset) -> str:
    row = cells.isel(contrast=int(np.abs(cells["ace"].to_numpy()).argmax()))
    if row["ace"].item() == 0:
        return "every one is 0"
    return f"the strongest, {row['contrast'].item()}, {effect_in_words(row)}"


def _of_period(period: xr.Dataset, phase: xr.Dataset | None) -> Iterator[str]:
    """Say of each task where the helix shows most clearly, and whether it does."""
    for task in dict.fromkeys(period["task"].to_numpy()):
        one = period.isel(curve=period["task"].to_numpy() == task)
        best = one.isel(curve=int(one["log_bayes_factor"].to_numpy().argmax()))
        evidence = float(best["log_bayes_factor"]) / np.log(10)
        arrangement = f"{best['orientation'].item()} {best['order'].item()}"
        where = f"log10 Bayes factor {evidence:.1f}{_tested(phase, best['curve'].item())}"
        if evidence < 1:
            yield f"Task {task}: no clear helical phase (at most {arrangement}: {where})."
        else:
            yield (
                f"Task {task}: the interaction turns with the helix, {arrangement}: "
                f"period {_interval(best, 'period')} bp (B-DNA turns in {TURN}), "
                f"amplitude {_interval(best, 'amplitude')}, {where}."
            )


def _tested(phase: xr.Dataset | None, curve: str) -> str:
    """Return what tests the wave of a curve, as the end of a sentence; nothing where nothing does."""
    if phase is None or curve not in phase["curve"].to_numpy():
        return ""
    row = phase.sel(curve=curve)
    said = f", p = {row['p'].item():.2g} for the wave at {TURN} bp beside a decay"
    said += f" (by permutation of distances {row['p_permutation'].item():.2g})"
    return said if row["fit"].item() == "unitwise" else f"{said}, of the mean curve alone, for units hardly differ"


def _interval(row: xr.Dataset, name: str) -> str:
    middle, low, high = (float(row[f"{name}_{part}"]) for part in ("median", "lower", "upper"))
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def draw_pair(answer: Answer) -> Axes:
    """Draw interactions along their distance, downstream beside upstream, in the orientation of the largest."""
    from causalgia.plot import profile

    table = answer.decisions
    cells = table.isel(contrast=table["asks"].to_numpy() == "interaction")
    size = np.abs(cells["ace"].transpose("contrast", ...).to_numpy()).reshape(cells.sizes["contrast"], -1).max(axis=1)
    orientation = cells["orientation"].to_numpy()
    largest = cells.isel(contrast=orientation == orientation[size.argmax()])
    return profile(largest, along="distance", by="order", effect="Excess over the sum of both sites alone")


def read_pairs(found: Found) -> Finding:
    """Read, for each two motifs, the distance of their largest interaction."""
    decisions = found.steps.decisions
    best = _largest(decisions)
    said = [f"{begin}: {_counted(table)}; {_strongest(table)}." for begin, table in by_task(decisions)]
    return Finding(datasets={"strongest": best}, sentences=tuple(said))


def _largest(table: xr.Dataset) -> xr.Dataset:
    """Return ``distance, ace, lower, upper, verdict (upstream, downstream, task)`` where ``|ace|`` is largest."""
    sides = ["upstream", "downstream"]
    at = table.set_coords(sides).set_index(contrast=[*sides, "distance"]).unstack("contrast")
    where = abs(at["ace"]).argmax("distance")
    best = at[["ace", "lower", "upper", "verdict"]].isel(distance=where).reset_coords("distance")
    return best.drop_vars([name for name in ("do", "placebo_word") if name in best.coords])


def draw_pairs(answer: Answer) -> Axes:
    """Draw the largest interaction of each two motifs, upstream by downstream, of one task."""
    from causalgia.plot import heatmap

    best = (
        mean_over_models(answer.findings["strongest"])
        .isel(task=[0])
        .stack(contrast=["upstream", "downstream"])
        .transpose("contrast", ...)
    )
    names = [f"{a} {b}" for a, b in best["contrast"].to_numpy()]
    sides: dict[Any, Any] = {side: ("contrast", best[side].to_numpy()) for side in ("upstream", "downstream")}
    flat = best.drop_vars(["contrast", "upstream", "downstream"]).assign_coords(contrast=names, **sides)
    return heatmap(flat.assign_attrs(answer.decisions.attrs), rows="upstream", columns="downstream")

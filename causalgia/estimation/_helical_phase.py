"""Helical phasing: a periodic component of about 10.5 bp in an effect as a function of
distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import attributes
from causalgia.effects.contrast_weights import orthonormal_polynomials
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.moderation import numeric_coordinate
from causalgia.estimation.request import Request, check_clusters, clusters
from causalgia.estimation.standard_errors import wald_htz
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import centered
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.schema import validate
from causalgia.types import Array, Codes

Trend = Literal["linear", "quadratic", "cubic", "natural_spline_4", "decay"]
_DEGREES = {"linear": 1, "quadratic": 2, "cubic": 3}
_LEAST_DISTANCES = {name: degree + 1 for name, degree in _DEGREES.items()} | {
    "natural_spline_4": 5,
    "decay": 5,
}
_DECAY_LENGTHS = (1.0, 2.0, 4.0)  # of decays, in periods
_TURN = 10.5
_PERIODS = np.round(np.arange(70, 161) / 10, 1)
_NAMED_PERIODS = (8.0, 14.0)
"""Periods that are scanned, and those that are named: a best one near an end of the scan
is none.
"""
_LENGTHS = (*np.geomspace(1.5, 12.0, 19).tolist(), np.inf)
"""Lengths over which a wave dies, in periods; one that dies sooner has one turn."""
_LEAST_OF_TREND, _LEAST_OF_CURVE, _MOST_OF_TURN = 0.75, 0.25, 0.65
"""Shares that make a wave: of what a trend leaves of a curve, of the variance of the curve,
and of the wave that lies in one of its turns.
"""
_LEAST_POINTS = 20


@dataclass(frozen=True)
class Wave:
    """``a cos(2 pi d / P) + b sin(2 pi d / P) = A cos(2 pi (d - phase) / P)``.

    Attributes
    ----------
    cos, sin
        a and b.
    amplitude, amplitude_se
        A and its delta-method standard error.
    phase_bp, phase_bp_se
        Distance of the first peak, 0 to P, and its delta-method standard error.
    F, df1, df2, p
        Test that a = b = 0.
    covariance
        Of a and b, shape ``(2, 2)``.
    """

    cos: float
    sin: float
    amplitude: float
    amplitude_se: float
    phase_bp: float
    phase_bp_se: float
    F: float
    df1: float
    df2: float
    p: float
    covariance: Array


@usual_errors
def helical_phase(
    effects: xr.Dataset,
    *,
    distance: str = "distance",
    period: float = 10.5,
    trend: Trend = "cubic",
    periods: Sequence[float] | None = None,
    cluster: str = "auto",
) -> xr.Dataset:
    """Test whether an effect varies with the helical phase, as a function of distance.

    Effects at K distances are a smooth trend plus
    ``a cos(2 pi d / P) + b sin(2 pi d / P)``. The fit ``"unitwise"`` estimates (a, b)
    in each unit and tests their mean (Hotelling; CR2 with clusters), a claim about new
    backgrounds. ``"mean_curve"`` fits the mean over units and takes residuals at the
    distances as independent noise; it is given for comparison with the literature.

    Parameters
    ----------
    effects
        From `contrast` of a crossover, one contrast at each distance.
    distance
        Numeric coordinate on the contrasts.
    period
        P, in the units of the distance.
    trend
        ``"linear"``, ``"quadratic"``, ``"cubic"``, or ``"natural_spline_4"``: natural
        cubic splines with knots at the quartiles of the distances and boundaries at
        their ends. ``"decay"``: a line and ``exp(-d / P)``, ``exp(-d / 2P)`` and
        ``exp(-d / 4P)``, which fit any exponential decay with a length of P or more;
        polynomials leave a hundred times as much residual, which passes for a wave
        where units hardly differ.
    periods
        Periods of the scan; None: 9.0 to 12.0 by 0.1.
    cluster
        Units that vary together. ``"auto"``, ``"none"`` or a coordinate, as in
        `estimate`.

    Returns
    -------
    Dataset
        ``cos, sin, amplitude, amplitude_se, phase_bp, phase_bp_se, F, df1, df2, p (fit,
        task[, model])`` and ``pair_covariance (fit, task[, model], pair, pair_)``;
        ``rss_trend, rss_full (task[, model])`` of the mean curve,
        ``rss (period, task[, model])`` of the scan and its
        ``best_period (task[, model])``.

    Raises
    ------
    EstimateError
        Without ICE or distances, with too few distances or units, with distances at
        which the wave is collinear with the trend, or where the pair is exactly 0 or
        fits exactly.

    References
    ----------
    Hotelling (1931), doi:10.1214/aoms/1177732979. Hastie, Tibshirani & Friedman (2009),
    doi:10.1007/978-0-387-84858-7, section 5.2.1.

    Examples
    --------
    >>> d, rng = np.arange(20, 62), np.random.default_rng(0)
    >>> ice = np.cos(2 * np.pi * (d - 3.0) / 10.5) + rng.normal(size=(30, 42))
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
    ...     coords={
    ...         "contrast": [str(x) for x in d],
    ...         "distance": ("contrast", d),
    ...         "task": ["K562"],
    ...     },
    ... )
    >>> found = helical_phase(effects).sel(fit="unitwise", task="K562")
    >>> (
    ...     round(float(found["amplitude"]), 1),
    ...     round(float(found["phase_bp"]), 1),
    ...     int(found["df2"]),
    ... )
    (1.0, 3.0, 28)
    """
    ice, x = _ice_by_distance(effects, distance)
    grid = (
        np.round(np.arange(90, 121) / 10, 1)
        if periods is None
        else _as_periods(periods)
    )
    period = float(_as_periods([period])[0])
    groups = clusters(effects, Request(cluster, None, (), "population", "units"))
    if groups is not None:
        check_clusters(groups, len(groups.labels))
    base, codes = (
        trend_basis(x, trend, period=period),
        None if groups is None else groups.codes,
    )
    n_clusters = len(ice) if groups is None else len(groups.labels)
    if n_clusters < 3:
        raise EstimateError(
            f"the wave of each unit needs 3 or more of them, and there are {n_clusters}"
        )
    flat = ice.reshape(*ice.shape[:2], -1)
    mean = centered(flat)[0][0]
    waves: list[list[Wave]] = [[], []]
    for r, at in enumerate(_column_names(effects)):
        try:
            waves[0].append(mean_curve_wave(x, mean[:, r], base, period))
            waves[1].append(unitwise_wave(x, flat[..., r], base, period, codes))
        except EstimateError as error:
            raise EstimateError(": ".join([*at, str(error)])) from error
    out = _waves_dataset(effects, waves, ice.shape[2:])
    trailing = effects["ice"].dims[2:]
    scan = np.stack(
        [_residual_squares(_wave_design(x, base, P), mean) for P in grid]
    ).reshape(len(grid), *ice.shape[2:])
    out["rss"] = (("period", *trailing), scan)
    out["best_period"] = (trailing, grid[scan.argmin(axis=0)])
    for name, X in (("rss_trend", base), ("rss_full", _wave_design(x, base, period))):
        out[name] = (trailing, _residual_squares(X, mean).reshape(ice.shape[2:]))
    attrs = attributes(
        period=period, trend=trend, cluster="unit" if groups is None else groups.name
    )
    return out.assign_coords(period=grid).assign_attrs(
        dict(effects.attrs) | attrs | attributes(n_units=len(ice))
    )


def _column_names(effects: xr.Dataset) -> list[tuple[str, ...]]:
    """Return task (and model) of each column of the effects, as a message says it."""
    dims = effects["ice"].dims[2:]
    values = [
        effects[dim].to_numpy() if dim in effects.coords else range(effects.sizes[dim])
        for dim in dims
    ]
    return [
        tuple(f"{dim} {quoted(one)}" for dim, one in zip(dims, column, strict=True))
        for column in product(*values)
    ]


def _ice_by_distance(effects: xr.Dataset, distance: str) -> tuple[Array, Array]:
    """Return ICE and distances, in the order of the distances."""
    validate(effects, "effects")
    if "ice" not in effects:
        raise EstimateError(
            "the phase of each unit needs the ICE of a crossover, and in a parallel "
            "trial each unit shows one arm"
        )
    x = numeric_coordinate(
        effects, "contrast", distance, f"distance={quoted(distance)}"
    )
    order = np.argsort(x, kind="stable")
    return effects["ice"].to_numpy().astype(np.float64)[:, order], x[order]


def _as_periods(periods: Any) -> Array:
    try:
        values = np.asarray([float(p) for p in periods])
    except (TypeError, ValueError, OverflowError):
        values = np.array([])
    if not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise EstimateError(
            f"periods are one or more positive numbers, such as [10.5], the turn of "
            f"B-DNA in bp, not {quoted(periods)}"
        )
    return values


def trend_basis(x: Array, trend: str, *, period: float = _TURN) -> Array:
    """Return an orthonormal basis of a trend over distances, the constant first.

    Parameters
    ----------
    x
        Distances, shape ``(K,)``.
    trend
        As in `helical_phase`.
    period
        P of the wave, the unit of the lengths of ``"decay"``.

    Returns
    -------
    array
        Shape ``(K, q)``.

    Raises
    ------
    EstimateError
        If the trend is unknown, or there are too few distances for it, or too close
        together.

    Examples
    --------
    >>> x = np.arange(11.0, 61.0)
    >>> [
    ...     trend_basis(x, trend).shape
    ...     for trend in ("cubic", "natural_spline_4", "decay")
    ... ]
    [(50, 4), (50, 5), (50, 5)]
    """
    if trend not in _LEAST_DISTANCES:
        raise EstimateError(
            f"trend={quoted(trend)} is not one of "
            f"{', '.join(map(quoted, (*_DEGREES, 'natural_spline_4', 'decay')))}"
        )
    points, least = len(np.unique(x)), _LEAST_DISTANCES[trend]
    if points <= least + 2:
        raise EstimateError(
            f"trend={quoted(trend)} with a wave needs {least + 3} or more distances, "
            f"and there are {points}"
        )
    if trend in _DEGREES:
        return np.column_stack(
            [
                np.full(len(x), len(x) ** -0.5),
                orthonormal_polynomials(x, _DEGREES[trend]).T,
            ]
        )
    if trend == "natural_spline_4":
        columns = _natural_spline(x)
    else:  # constant, line, and exponentials of one, two and four periods, (K, 5)
        away = (x - x.min()) / period
        columns = np.column_stack(
            [
                np.ones(len(x)),
                away,
                *(np.exp(-away / length) for length in _DECAY_LENGTHS),
            ]
        )
    Q, R = np.linalg.qr(columns)
    if np.abs(np.diag(R)).min() < 1e-10 * np.sqrt(len(x)):
        raise EstimateError(
            f"trend={quoted(trend)}: {np.ptp(x):g} from the nearest to the farthest "
            f"distance is too short for a period of {period:g}"
        )
    return np.asarray(Q)


def _natural_spline(x: Array) -> Array:
    """Return the truncated-power basis of natural cubic splines with knots at quartiles
    and ends, shape (K, 5).
    """
    z = (x - x.min()) / (x.max() - x.min())
    knots = np.concatenate([[0.0], np.quantile(z, [0.25, 0.5, 0.75]), [1.0]])
    cubes = np.maximum(z[:, None] - knots, 0.0) ** 3
    d = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones(len(z)), z, d[:, :-1] - d[:, -1:]])


def _wave_design(x: Array, base: Array, period: float) -> Array:
    turn = 2 * np.pi * x / period
    X = np.column_stack([base, np.cos(turn), np.sin(turn)])
    R = np.abs(np.diag(np.linalg.qr(X)[1])[-2:])
    if R.min() < 1e-8 * np.sqrt(len(x)):
        raise EstimateError(
            f"at these {len(x)} distances a wave of period {period:g} is part of the "
            "trend"
        )
    return X


def _residual_squares(X: Array, y: Array) -> Array:
    Q = np.linalg.qr(X)[0]
    return np.asarray(((y - Q @ (Q.T @ y)) ** 2).sum(axis=0))


def mean_curve_wave(x: Array, y: Array, base: Array, period: float) -> Wave:
    """Fit trend and wave to one curve by least squares, with the F test of the pair.

    Parameters
    ----------
    x, y
        Distances and mean effects, shape ``(K,)``.
    base
        From `trend_basis`, shape ``(K, q)``.
    period
        P.

    Examples
    --------
    >>> x = np.arange(30.0)
    >>> y = np.sin(2 * np.pi * x / 10.5) + 0.01 * np.random.default_rng(0).normal(
    ...     size=30
    ... )
    >>> wave = mean_curve_wave(x, y, trend_basis(x, "linear"), 10.5)
    >>> round(wave.sin, 2), round(wave.phase_bp, 1), wave.df2
    (1.0, 2.6, 26.0)
    """
    X, df = _wave_design(x, base, period), float(len(x) - base.shape[1] - 2)
    full, alone = float(_residual_squares(X, y)), float(_residual_squares(base, y))
    if full <= (1e-14 * np.abs(y).max()) ** 2 * len(y):
        raise EstimateError(
            "trend and wave fit the mean curve exactly, so no residual is left to test "
            "the wave"
        )
    inverse: Array = np.asarray(np.linalg.inv(X.T @ X), dtype=np.float64)
    a, b = (inverse @ (X.T @ y))[-2:]
    F = (alone - full) / 2 / (full / df)
    return _wave_of_pair(
        a,
        b,
        inverse[-2:, -2:] * full / df,
        period,
        (F, 2.0, df, float(special.fdtrc(2, df, F))),
    )


def unitwise_wave(
    x: Array, ice: Array, base: Array, period: float, cluster: Codes | None = None
) -> Wave:
    """Fit trend and wave to each unit, and test the mean pair between units (or
    clusters).

    Parameters
    ----------
    x
        Distances, shape ``(K,)``.
    ice
        Individual causal effects, shape ``(n, K)``.
    base
        From `trend_basis`, shape ``(K, q)``.
    period
        P.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each unit is one.

    Raises
    ------
    EstimateError
        If units hardly differ, or only in one direction.

    Examples
    --------
    >>> x, rng = np.arange(30.0), np.random.default_rng(0)
    >>> ice = np.sin(2 * np.pi * x / 10.5) + rng.normal(size=(20, 30))
    >>> wave = unitwise_wave(x, ice, trend_basis(x, "linear"), 10.5)
    >>> round(wave.sin, 1), wave.df1, wave.df2
    (1.0, 2.0, 18.0)
    """
    X = _wave_design(x, base, period)
    pairs = ice @ np.linalg.solve(X.T @ X, X.T)[-2:].T
    if np.linalg.norm(pairs - pairs.mean(axis=0), -2) <= RELATIVE_ROUNDING * np.abs(
        ice
    ).max() * np.sqrt(len(ice)):
        raise EstimateError(
            "waves of units hardly differ (or in size alone), so the error of their "
            "mean cannot be estimated"
        )
    answer = mean_ice(pairs, cluster)
    V: Array = np.asarray(answer.factor.T @ answer.factor)
    test = wald_htz(answer.ace, V, float(answer.df[0]))
    return _wave_of_pair(
        float(answer.ace[0]),
        float(answer.ace[1]),
        V,
        period,
        (test.F, float(test.df1), test.df2, test.p),
    )


@dataclass(frozen=True)
class Periodic:
    """A wave in a curve, ``amplitude exp(-(d - start) / length) cos(2 pi (d - phase) / period)``.

    Attributes
    ----------
    period, phase
        Of the wave, and the distance of its first peak, 0 to a period.
    length
        Over which it falls to 1/e; infinite where it does not die.
    amplitude
        At ``start``.
    share
        Of the squares that a trend leaves of the curve.
    start, stop
        First and last distance.
    trend
        Of the curve besides, at each distance in order.
    """

    period: float
    phase: float
    length: float
    amplitude: float
    share: float
    start: float
    stop: float
    trend: tuple[tuple[float, float], ...] = ()

    def template(self, x: Array) -> Array:
        """Return the wave with an amplitude of 1 at the first distance."""
        turn = np.cos(2 * np.pi * (x - self.phase) / self.period)
        return np.asarray(np.exp(-(x - self.start) / self.length) * turn)

    def at(self, x: Array) -> Array:
        """Return the curve, trend and wave; beyond the last distance the trend stays."""
        known, trend = np.transpose(self.trend)
        found: Array = self.amplitude * self.template(x) + np.interp(x, known, trend)
        return found


def periodic(x: Array, y: Array) -> Periodic | None:
    """Return the wave that is most of a curve beside its trend; None where none is.

    Trend (``"decay"`` of `trend_basis`) and a wave that may die are fitted by least squares
    at each period from 7 to 16 and length. It is a wave where the best period is 8 to 14,
    takes three quarters of the squares that the trend leaves and a quarter of the variance
    of the curve, and recurs: no turn has more than .65 of it. One window of
    distances, a decay or one distance are none, and fewer than 20 distances tell nothing.

    Parameters
    ----------
    x, y
        Distances, in order, and effects, shape ``(K,)``.

    Examples
    --------
    >>> x = np.arange(31.0)
    >>> found = periodic(x, np.exp(-x / 60) * np.cos(2 * np.pi * (x - 2) / 10.5))
    >>> found.period, round(found.phase), round(found.length), round(found.share, 2)
    (10.5, 2, 63, 1.0)
    >>> periodic(x, ((x >= 4) & (x <= 20)).astype(float)) is None
    True
    """
    total = float(((y - y.mean()) ** 2).sum())
    if len(x) < _LEAST_POINTS or total <= (1e-9 * np.abs(y).max()) ** 2 * len(y):
        return None
    start, (bases, pairs) = float(x[0]), _scanned(tuple(x.tolist()))
    trends = np.einsum("pkq,pq->pk", bases, np.einsum("pkq,k->pq", bases, y))
    taken_at = (np.einsum("plkc,pk->plc", pairs, y - trends) ** 2).sum(axis=2)
    left = ((y - trends) ** 2).sum(axis=1)[:, None] - taken_at
    at, k = np.unravel_index(int(left.argmin()), left.shape)
    period = float(_PERIODS[at])
    length = period * _LENGTHS[k]
    base, pair = bases[at], _dying(x, period, length)
    rest, W = y - trends[at], _beside(base, pair)
    a, b = np.linalg.lstsq(W, rest, rcond=None)[0]
    # of the squares that the wave takes of the rest, those in each turn
    wave = rest * (W @ np.array([a, b]))
    turns = np.bincount(((x - start) // period).astype(np.int64), wave)
    taken = float(wave.sum())
    if (
        not _NAMED_PERIODS[0] <= period <= _NAMED_PERIODS[1]
        or taken < _LEAST_OF_TREND * float(rest @ rest)
        or taken < _LEAST_OF_CURVE * total
        or turns.max() > _MOST_OF_TURN * taken
    ):
        return None
    trend = y - rest - base @ (base.T @ (pair @ np.array([a, b])))
    return Periodic(
        period=period,
        phase=float(np.arctan2(b, a) / (2 * np.pi) * period % period),
        length=float(length),
        amplitude=float(np.hypot(a, b)),
        share=taken / float(rest @ rest),
        start=start,
        stop=float(x[-1]),
        trend=tuple(zip(x.tolist(), trend.tolist(), strict=True)),
    )


@lru_cache(maxsize=8)
def _scanned(distances: tuple[float, ...]) -> tuple[Array, Array]:
    """Return the trend at each period, (periods, K, 5), and what waves have beside it,
    orthonormal, (periods, lengths, K, 2).
    """
    x = np.array(distances)
    bases = np.stack([trend_basis(x, "decay", period=P) for P in _PERIODS.tolist()])
    pairs = [
        [
            np.linalg.qr(_beside(base, _dying(x, P, P * length)))[0]
            for length in _LENGTHS
        ]
        for base, P in zip(bases, _PERIODS.tolist(), strict=True)
    ]
    return bases, np.array(pairs)


def follows(wave: Periodic, x: Array, y: Array) -> bool:
    """Return whether a curve has a wave too: of half to twice its size, and most of what a
    trend leaves.
    """
    base = trend_basis(x, "decay", period=wave.period)
    rest = y - base @ (base.T @ y)
    own = _beside(base, wave.template(x))
    size = float(own @ rest) / float(own @ own)
    ratio, taken = size / wave.amplitude, size * float(own @ rest)
    return 0.5 <= ratio <= 2 and taken >= 0.5 * float(rest @ rest)


def _dying(x: Array, period: float, length: float) -> Array:
    """Return cosine and sine that fall to 1/e over a length, shape (K, 2)."""
    turn = 2 * np.pi * x / period
    fall = np.exp(-(x - x[0]) / length)
    return np.column_stack([fall * np.cos(turn), fall * np.sin(turn)])


def _beside(base: Array, columns: Array) -> Array:
    return np.asarray(columns - base @ (base.T @ columns))


def _wave_of_pair(
    a: float, b: float, V: Array, period: float, test: tuple[float, float, float, float]
) -> Wave:
    amplitude, omega = float(np.hypot(a, b)), 2 * np.pi / period
    if amplitude == 0:
        raise EstimateError(
            "cosine and sine are exactly 0 at every distance, so there is no phase"
        )
    g, h = np.array([a, b]) / amplitude, np.array([-b, a]) / amplitude**2
    return Wave(
        cos=float(a),
        sin=float(b),
        amplitude=amplitude,
        amplitude_se=float(np.sqrt(g @ V @ g)),
        phase_bp=float(np.arctan2(b, a) / omega % period),
        phase_bp_se=float(np.sqrt(h @ V @ h) / omega),
        F=test[0],
        df1=test[1],
        df2=test[2],
        p=test[3],
        covariance=V,
    )


def _waves_dataset(
    effects: xr.Dataset, waves: list[list[Wave]], shape: tuple[int, ...]
) -> xr.Dataset:
    dims = ("fit", *effects["ice"].dims[2:])
    names = [name for name in Wave.__dataclass_fields__ if name != "covariance"]
    columns: dict[str, Any] = {
        name: (
            dims,
            np.array([[getattr(w, name) for w in row] for row in waves]).reshape(
                2, *shape
            ),
        )
        for name in names
    }
    pairs = np.array([[w.covariance for w in row] for row in waves]).reshape(
        2, *shape, 2, 2
    )
    columns["pair_covariance"] = ((*dims, "pair", "pair_"), pairs)
    coords = {
        str(name): c
        for name, c in effects.coords.items()
        if c.dims and set(c.dims) <= set(dims)
    }
    of_pair = {"pair": ["cos", "sin"], "pair_": ["cos", "sin"]}
    return xr.Dataset(
        columns, coords={"fit": ["mean_curve", "unitwise"], **of_pair, **coords}
    )

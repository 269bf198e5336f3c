"""Power, standard error and interval half width of MPRA designs for a log2 effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, as_number, as_probability
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.mpra.counts._noise_model import NoiseModel, as_noise
from causalgia.mpra.planning._components import (
    Layers,
    as_weights,
    check_pilot,
    layers_at_depth,
)
from causalgia.mpra.planning.average_tests import AverageVariances
from causalgia.mpra.planning.plan_answers import noise_in_words
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import satterthwaite, t_quantile
from causalgia.planning.power_functions import (
    rejection_probability,
)
from causalgia.schema import check_dataset
from causalgia.types import Array

Grid: TypeAlias = float | Sequence[float] | np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class PlannedContrast:
    """Contrast of arms that a library will measure, with its test and interval, for
    `power`.

    Attributes
    ----------
    weights
        Weights of the arms, which sum to 0: ``(1, -1, -1, 1)`` is an interaction.
    alpha
        Error rate of the two-sided test; None: 0.05, unless `q` is given.
    q, share_true
        Instead of `alpha`: false discovery rate of Benjamini-Hochberg, and share of
        elements that have an effect of the planned size.
    ci_prob
        Probability of the intervals.

    Raises
    ------
    EstimateError
        If the weights do not sum to 0, or a level is no probability.

    Examples
    --------
    >>> PlannedContrast(q=0.05).weights
    (-1.0, 1.0)
    """

    weights: tuple[float, ...] = (-1.0, 1.0)
    alpha: float | None = None
    q: float | None = None
    share_true: float = 0.1
    ci_prob: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_weights(self.weights))
        object.__setattr__(self, "ci_prob", as_ci_prob(self.ci_prob))
        for name in ("alpha", "q", "share_true"):
            if (value := getattr(self, name)) is not None or name == "share_true":
                object.__setattr__(self, name, as_probability(value, name))
        if self.q is not None and self.alpha is not None:
            raise EstimateError(
                f"alpha={quoted(self.alpha)} and q={quoted(self.q)} are two error rates "
                "of one test; leave alpha= or q= out",
                argument="alpha",
            )

    @property
    def n_compared(self) -> int:
        """Number of arms that are compared."""
        return int(np.count_nonzero(self.weights))

    def level(self, true_effect: xr.DataArray, error: StandardError) -> xr.DataArray:
        """Return the error rate of one test, which depends on effect and error where
        `q` is given.
        """
        if self.q is None:
            return xr.DataArray(0.05 if self.alpha is None else float(self.alpha))
        return alpha_for_q(
            true_effect, error, q=float(self.q), share_true=float(self.share_true)
        )


def as_contrast(contrast: object) -> PlannedContrast:
    """Return a planned contrast, the default one for None, or raise EstimateError."""
    if contrast is None:
        return PlannedContrast()
    if not isinstance(contrast, PlannedContrast):
        raise EstimateError(
            f"contrast is {type_in_words(contrast)}; give "
            "contrast=cg.mpra.PlannedContrast(alpha=0.05)",
            argument="contrast",
        )
    return contrast


_WHOLE = ("n_replicates", "n_backgrounds")
"""Settings of a plan that are whole numbers; barcodes have a mean."""


@usual_errors
def power(
    true_effect: Grid | None = None,
    *,
    n_barcodes: Grid,
    n_replicates: Grid,
    n_backgrounds: Grid | None = None,
    depth: Grid | None = None,
    depth_dna: float | None = None,
    contrast: PlannedContrast | None = None,
    noise: NoiseModel | None = None,
    pilot: xr.Dataset | None = None,
    virtual: xr.Dataset | None = None,
    slope: float | None = None,
) -> xr.Dataset:
    """Return standard error, interval half width and power of MPRA designs for a log2
    effect.

    Use it before a library is ordered, best with the noise of a pilot. Without
    `n_backgrounds` the target is the effect in **one element**, for which barcodes and
    replicates matter; with `n_backgrounds` it is the **average effect** over that many
    backgrounds.

    Parameters
    ----------
    true_effect
        True log2 effects.
    n_barcodes, n_replicates, n_backgrounds
        Barcodes an oligo (B), replicates (R) and backgrounds (n). Each of these, and
        `depth`, is a number or several numbers, which become a dim of that name.
    depth
        Mean RNA reads of a barcode in one library; None where the noise has
        ``sd_count``, or to use that of the pilot.
    depth_dna
        Mean DNA reads of a barcode in one library; None: as `depth`.
    contrast
        Weights of the arms, level of the test and probability of the interval; None: a
        difference of two arms at ``alpha=0.05``.
    noise
        Noise and losses of the assay.
    pilot
        From `components`: supplies every layer of noise that `noise` leaves open. With
        a virtual trial its contrasts are matched by name; a pilot of one contrast
        serves for all.
    virtual, slope
        Instead of `true_effect`: effects (or estimates) of a virtual trial, whose
        spread is also tau where `noise` gives none; and the measured log2 effect for
        one unit of the virtual effect: the slope of `concordance` in an earlier
        library, or 1 where the predictor predicts log2 activity itself.

    Returns
    -------
    Dataset
        ``se, half_width, power, df, alpha`` on the dims of arguments with several
        values (true_effect, n_backgrounds, n_barcodes, n_replicates, depth; contrast
        and task of the virtual trial or the pilot), and ``lost``, the share of oligos
        with fewer than two barcodes; backgrounds that lose an arm do not count among
        the n. ``se`` is the root mean square over elements that differ in noise; power
        is averaged over them. attrs: arguments with one value, and the ``assumed``
        noise in words.

    Raises
    ------
    EstimateError
        If a number of the design is too small (also after the loss of barcodes), or a
        layer of noise is not known; the message names it.

    Notes
    -----
    One element: ``se^2 = w [h^2 (sd_barcode^2 / B + sd_replicate^2 / R) + sd_rna^2 / (B
    R) + sd_dna^2 / (B R)]`` with w = 2 for a difference of two arms. The same B
    barcodes are read in all R replicates, so more replicates do not reduce the noise
    between barcodes. The test is normal, because the analysis shares variances over
    elements.

    Average effect over n backgrounds:
    ``se^2 = (tau^2 + se_unit^2) / n + sd_common^2 / R``, by a t with n - 1 degrees of
    freedom for the first term, R - 1 for the second, and Satterthwaite's for their sum.
    `average` does not know ``sd_common``: it adds the variance between replicates beyond
    that of the elements' own noise, which with two replicates exceeds it by chance in a
    third of the libraries that share nothing. ``power`` and ``half_width`` of an average
    are therefore means over the variances that the fit will estimate; ``se`` and ``df``
    are of the true ones. A barcode that misses a replicate (``missing`` of the noise
    or the pilot) has fewer cells, and one that misses all is lost.

    The formulas are those of averages of log ratios. Barcodes are lost independently of
    each other (``recovery`` of the noise); libraries of unequal depth and heavier tails
    reduce the power. Plan from a pilot.

    References
    ----------
    Myint et al. (2019), doi:10.1186/s12864-019-5556-x (power of MPRA). Genovese &
    Wasserman (2002), doi:10.1111/1467-9868.00347 (the level at which q stops).

    Examples
    --------
    >>> noise = NoiseModel(sd_barcode=0.6, sd_replicate=0.15, sd_count=0.5, tau=0.5)
    >>> found = power(0.5, n_barcodes=[5, 10], n_replicates=4, noise=noise)
    >>> found["se"].round(4).values, found["power"].round(4).values
    (array([0.4246, 0.3094]), array([0.2179, 0.3656]))
    >>> power(0.5, n_backgrounds=[12, 30], n_barcodes=8, n_replicates=3, noise=noise)[
    ...     "power"
    ... ].round(2).values
    array([0.64, 0.98])
    """
    contrast, noise = as_contrast(contrast), as_noise(noise, with_pilot=True)
    if (true_effect is None) == (virtual is None):
        raise EstimateError(
            "give true_effect= (on log2) or virtual= (effects of a virtual "
            "trial, with slope=)"
        )
    spread = None
    if virtual is not None:
        size, spread = virtual_effects(virtual, slope)
        pilot = None if pilot is None else match_pilot_contrasts(pilot, size)
    else:
        size = as_grid("true_effect", true_effect, -np.inf)
    reads = None if depth is None else as_grid("depth", depth, 0)
    reads_dna = reads if depth_dna is None else as_grid("depth_dna", depth_dna, 0)
    layers = layers_at_depth(
        noise,
        pilot,
        contrast.weights,
        reads,
        reads_dna,
        average=n_backgrounds is not None and spread is None,
    )
    layers = (
        layers
        if spread is None or noise.tau is not None
        else replace(layers, tau2=spread**2)
    )
    B = as_grid("n_barcodes", n_barcodes, 0)
    R = as_grid("n_replicates", n_replicates, 1 if n_backgrounds is None else 2)
    inverse, lost = recovered_barcodes(B, noise)
    n = None
    if n_backgrounds is not None:
        n = as_grid("n_backgrounds", n_backgrounds, 2) * (1 - lost) ** float(
            contrast.n_compared
        )
        if (n < 2).any():
            raise EstimateError(
                f"n_backgrounds={quoted(n_backgrounds)}: {float(n.min()):.2g} of "
                "them would keep two barcodes in every arm, and an average needs 2; "
                "plan more backgrounds, or more barcodes"
            )
    error = design_error(layers, inverse, R, n)
    alpha = contrast.level(size, error)
    found = {
        "se": error.se(),
        "half_width": interval_half_width(error, contrast.ci_prob),
        "power": average_power(size, error, alpha),
        "df": error.df(),
        "alpha": alpha,
        "lost": lost,
    }
    of_q = (
        {}
        if contrast.q is None
        else {"q": contrast.q, "share_true": contrast.share_true}
    )
    question = "one element" if n is None else "mean over backgrounds"
    out = xr.Dataset(
        found,
        attrs={
            **attributes(scale="log2", ci_prob=contrast.ci_prob),
            **of_q,
            **attributes(question=question),
            **{
                name: value
                for name, value in ({} if pilot is None else pilot.attrs).items()
                if str(name).startswith("truncation_")
            },
            **{
                name: int(value) if name in _WHOLE else value.item()
                for name, value in {
                    "true_effect": size if virtual is None else None,
                    "n_backgrounds": None
                    if n_backgrounds is None
                    else as_grid("n_backgrounds", n_backgrounds, 2),
                    "n_barcodes": B,
                    "n_replicates": R,
                    "depth": reads,
                }.items()
                if value is not None and not value.dims
            },
            **attributes(
                assumed=noise_in_words(
                    noise, pilot, average=n is not None, virtual=spread is not None
                )
            ),
        },
    )
    order = (
        "contrast",
        "task",
        "true_effect",
        "n_backgrounds",
        "n_barcodes",
        "n_replicates",
        "depth",
    )
    return out.transpose(*[dim for dim in order if dim in out.dims])


def as_grid(name: str, value: Any, least: float) -> xr.DataArray:
    """Return numbers as a DataArray, several numbers along a dim of their name.

    Raises
    ------
    EstimateError
        If one is not a finite number, or too small.

    Examples
    --------
    >>> as_grid("n_barcodes", [5, 10], 0).dims, as_grid("n_barcodes", 5, 0).dims
    (('n_barcodes',), ())
    """
    numbers = np.asarray(value)
    if (
        numbers.dtype.kind not in "iuf"
        or numbers.ndim > 1
        or not numbers.size
        or not np.isfinite(numbers).all()
    ):
        raise EstimateError(
            f"{name}={quoted(value)}: give a number, or a list of numbers"
        )
    whole = numbers.dtype.kind in "iu" or (numbers == np.round(numbers)).all()
    if name in _WHOLE and not (whole and (numbers >= least).all()):
        raise EstimateError(
            f"{name}={quoted(value)}: give whole numbers of at least {least:g}"
        )
    if (numbers <= least).any() and name not in _WHOLE:
        raise EstimateError(f"{name}={quoted(value)}: give numbers above {least:g}")
    numbers = numbers.astype(np.float64)
    return (
        xr.DataArray(numbers)
        if numbers.ndim == 0
        else xr.DataArray(numbers, {name: np.asarray(value)}, (name,))
    )


def recovered_barcodes(
    planned: xr.DataArray, noise: NoiseModel
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mean of 1 / B and the share of oligos with fewer than two barcodes, by
    planned number.
    """
    found = mean_inverse_barcodes(
        np.atleast_1d(planned.to_numpy()), noise.recovery, noise.barcode_dispersion
    )
    return tuple(planned.copy(data=x.reshape(planned.shape)) for x in found)  # type: ignore[return-value]


def design_error(
    layers: Layers, inverse: xr.DataArray, R: xr.DataArray, n: xr.DataArray | None
) -> StandardError:
    """Return the error of one element's effect (n None), or of the mean over n
    backgrounds.
    """
    unit = xr.DataArray(layers.unit(inverse, R))
    if n is None:
        nodes = [
            (w, labeled_sqrt(xr.DataArray(layers.unit(inverse, R, h2))))
            for w, h2 in noisiness_nodes(layers.sd_noisy)
        ]
        return StandardError([unit], [xr.DataArray(np.inf)], nodes)
    parts = [(layers.tau2 + unit) / n, xr.DataArray(layers.common / R)]
    # fewer than two are refused by the callers
    n = n.clip(min=1.5)
    # the spread over replicates is seen in elements without an empty cell
    whole = (n * xr.DataArray(layers.whole(inverse, R))).clip(min=LEAST)
    within = xr.DataArray(layers.between_replicates(inverse, R)) / whole
    variances = AverageVariances(parts[0], parts[1], within, n, R)
    return StandardError(parts, [n - 1, R - 1], [], variances)


LEAST = 2
_TAIL = 1e-12


def mean_inverse_barcodes(
    planned: Array, recovery: float, dispersion: float | None
) -> tuple[Array, Array]:
    """Return the mean of 1 / B over oligos with two barcodes or more, and the share of
    the other oligos.

    Parameters
    ----------
    planned
        Planned barcodes an oligo; one dim.
    recovery
        Share of them that remains after loss and filters.
    dispersion
        None: each planned barcode remains or is lost by itself (synthesized; binomial
        numbers, all of them at a recovery of 1); 0: Poisson; above 0: negative binomial
        with variance ``m + dispersion m^2`` (random barcodes).

    Raises
    ------
    EstimateError
        If no oligo can have two barcodes.

    Examples
    --------
    >>> mean_inverse_barcodes(np.array([10.0]), 1.0, None)
    (array([0.1]), array([0.]))
    >>> inverse, lost = mean_inverse_barcodes(np.array([10.0]), 1.0, 0.0)
    >>> inverse.round(4), lost.round(5)
    (array([0.1126]), array([0.0005]))
    >>> mean_inverse_barcodes(np.array([3.0]), 0.7, None)[1].round(3)
    array([0.216])
    """
    if dispersion is None and recovery == 1:
        return 1 / planned, np.zeros_like(planned)
    inverse, lost = np.empty(len(planned)), np.empty(len(planned))
    for i, n in enumerate(planned.tolist()):
        numbers, share = (
            _remaining_barcodes(n, recovery)
            if dispersion is None
            else _random_barcodes(n * recovery, dispersion)
        )
        enough = numbers >= LEAST
        total = share[enough].sum()
        if total == 0:
            raise EstimateError(
                f"n_barcodes={n:g} with recovery={recovery:g}: no oligo has "
                f"the {LEAST} barcodes that it needs; plan more of them"
            )
        inverse[i], lost[i] = (
            (share[enough] / numbers[enough]).sum() / total,
            share[~enough].sum(),
        )
    return inverse, lost


def _remaining_barcodes(planned: float, recovery: float) -> tuple[Array, Array]:
    """Return numbers of barcodes and their shares of oligos; between whole numbers
    planned, some oligos have one more.

    Examples
    --------
    >>> _remaining_barcodes(2.0, 0.5)
    (array([0., 1., 2., 3.]), array([0.25, 0.5 , 0.25, 0.  ]))
    """
    from scipy import stats  # imported here: slow to load

    low = int(planned)
    numbers = np.arange(low + 2.0)
    one_more = planned - low
    share = (1 - one_more) * stats.binom(low, recovery).pmf(numbers)
    share += one_more * stats.binom(low + 1, recovery).pmf(numbers)
    return numbers, share


def _random_barcodes(mean: float, dispersion: float) -> tuple[Array, Array]:
    """Return numbers of barcodes and their shares of oligos."""
    from scipy import stats  # imported here: slow to load

    law = (
        stats.poisson(mean)
        if dispersion == 0
        else stats.nbinom(1 / dispersion, 1 / (1 + mean * dispersion))
    )
    numbers = np.arange(int(law.isf(_TAIL)) + LEAST + 1.0)
    return numbers, law.pmf(numbers)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_LEAST_ALPHA = 1e-12
_ALPHA_STEPS = 200


@dataclass(frozen=True, eq=False)
class StandardError:
    """Standard error of a design as a sum of variances; DataArrays that broadcast by
    name.
    """

    parts: list[xr.DataArray]
    """Variances."""
    dfs: list[xr.DataArray]
    """Their degrees of freedom."""
    nodes: list[tuple[float, xr.DataArray]]
    """Quadrature weights and standard errors of elements that differ in noise; one node
    where all are alike, none for an average.
    """
    average: AverageVariances | None = None
    """Variances that the fit of an average estimates; None: one element."""

    def se(self) -> xr.DataArray:
        """Return the root mean square standard error."""
        return labeled_sqrt(sum(self.parts[1:], self.parts[0]))

    def df(self) -> xr.DataArray:
        """Return Satterthwaite's degrees of freedom."""
        if len(self.parts) == 1:
            return self.dfs[0]
        every = xr.broadcast(*self.parts, *self.dfs)
        stacked = [
            np.stack([x.to_numpy() for x in half])
            for half in (every[: len(self.parts)], every[len(self.parts) :])
        ]
        return every[0].copy(data=satterthwaite(*stacked))


def noisiness_nodes(sd: float) -> list[tuple[float, float]]:
    """Return Gauss-Hermite weights and nodes of the squared noisiness ``h^2``,
    ``log h ~ N(0, sd^2)``.

    Examples
    --------
    >>> noisiness_nodes(0.0)
    [(1.0, 1.0)]
    >>> nodes = noisiness_nodes(0.4)
    >>> bool(np.isclose(sum(w * h2 for w, h2 in nodes), np.exp(2 * 0.4**2)))
    True
    """
    if sd == 0:
        return [(1.0, 1.0)]
    return [
        (float(w), float(h2))
        for w, h2 in zip(
            _WEIGHTS / _WEIGHTS.sum(), np.exp(2 * sd * _NODES), strict=True
        )
    ]


def average_power(
    true_effect: xr.DataArray, error: StandardError, alpha: Any
) -> xr.DataArray:
    """Return the power of the two-sided t test at level `alpha`, averaged over the
    noisiness of elements, or over the variances that the fit of an average will
    estimate.
    """
    if error.average is not None:
        return error.average.power(true_effect, alpha)
    df = error.df()
    found: list[xr.DataArray] = [
        w * xr.apply_ufunc(_two_sided_power, true_effect, se, df, alpha)
        for w, se in error.nodes
    ]
    return sum(found[1:], found[0])


def labeled_sqrt(variance: xr.DataArray) -> xr.DataArray:
    """Return the square root of a DataArray, labels kept."""
    return variance.copy(data=np.sqrt(variance.to_numpy()))


def _two_sided_power(true_effect: Array, se: Array, df: Array, alpha: Array) -> Array:
    level: Any = 1 - np.asarray(alpha)
    if np.all(np.isinf(df)):
        size, se = np.broadcast_arrays(np.abs(true_effect), se)
        z = np.divide(size, se, out=np.full(se.shape, np.inf), where=se > 0)
        critical = -special.ndtri(np.asarray(alpha) / 2)
        return np.asarray(special.ndtr(z - critical) + special.ndtr(-z - critical))
    return np.asarray(rejection_probability(true_effect, se, df, level=level))


def interval_half_width(error: StandardError, ci_prob: float) -> xr.DataArray:
    """Return the half width of the interval from the root mean square standard error,
    or the mean half width of an average's.
    """
    if error.average is not None:
        return error.average.half_width(ci_prob)
    df = error.df()
    return error.se() * df.copy(data=t_quantile(df.to_numpy(), 0.5 + ci_prob / 2))


def alpha_for_q(
    true_effect: xr.DataArray, error: StandardError, *, q: float, share_true: float
) -> xr.DataArray:
    """Return the per-test level at which Benjamini-Hochberg at q stops in a large
    family.

    The threshold alpha solves ``alpha / (alpha (1 - s) + power(alpha) s) = q``, with s
    the share of true effects, all of one size. Power is concave in alpha, so the
    iteration falls monotonically to the one solution.

    References
    ----------
    Genovese & Wasserman (2002), doi:10.1111/1467-9868.00347.
    """
    ratio = q * share_true / (1 - q * (1 - share_true))
    alpha = xr.full_like(average_power(true_effect, error, 0.5), ratio)
    for _ in range(_ALPHA_STEPS):
        new = (ratio * average_power(true_effect, error, alpha)).clip(min=_LEAST_ALPHA)
        if bool((abs(new - alpha) <= 1e-9 * alpha).all()):
            break
        alpha = new
    return alpha


def virtual_effects(
    pilot: xr.Dataset, slope: float | None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the expected log2 effect and its sd between backgrounds from a virtual
    trial.

    ``slope * ACE`` and ``slope * sd(ICE)``. The spread is that of the predicted
    effects; measured effects spread more, and a noisy slope makes both uncertain.

    Parameters
    ----------
    pilot
        Effects, with ``ice (unit, contrast, task)``; or estimates, with ``ace``, ``se``
        and ``n_units``.
    slope
        Measured log2 effect for one unit of the virtual effect.

    Raises
    ------
    EstimateError
        If there is no slope, or the table has neither ICE nor standard errors with
        their number of units.

    Examples
    --------
    >>> ice = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), np.array([[[0.0]], [[2.0]]]))}
    ... )
    >>> effect, tau = virtual_effects(ice, slope=0.5)
    >>> effect.values.item(), round(tau.values.item(), 4)
    (0.5, 0.7071)
    """
    check_dataset(pilot, "effects")
    if slope is None:
        raise EstimateError(
            "slope= is missing: the measured log2 effect for one unit of the "
            "virtual one; take it from cg.mpra.concordance of an earlier library, "
            "or give 1 where the predictor's outcome is log2 activity"
        )
    slope = as_number(slope, "slope", error=EstimateError)
    if "ice" in pilot:
        ice = (
            pilot["ice"].mean("model") if "model" in pilot["ice"].dims else pilot["ice"]
        )
        return slope * ice.mean("unit"), abs(slope) * ice.std("unit", ddof=1)
    if {"ace", "se", "n_units"} <= set(pilot.variables):
        if "model" in pilot["ace"].dims:
            raise EstimateError(
                "estimates of several predictors: pick one of the dim 'model', or give "
                "the effects"
            )
        return slope * pilot["ace"], abs(slope) * pilot["se"] * np.sqrt(
            pilot["n_units"]
        )
    raise EstimateError(
        "the virtual pilot has no ice, and no ace with se and n_units; give effects "
        "from cg.contrast"
    )


def match_pilot_contrasts(pilot: xr.Dataset, size: xr.DataArray) -> xr.Dataset:
    """Return the pilot with the contrasts of a virtual trial, matched by name; one
    contrast serves for all.

    Parameters
    ----------
    pilot
        Variance components.
    size
        Effects that are expected, by contrast.

    Raises
    ------
    EstimateError
        If the pilot has several contrasts, and lacks one of the trial's.

    Examples
    --------
    >>> noise = {
    ...     "sd_barcode": 0.6,
    ...     "sd_replicate": 0.1,
    ...     "sd_noisiness": 0.0,
    ...     "tau": ("contrast", [0.4]),
    ... }
    >>> pilot = xr.Dataset(noise, {"contrast": ["GATA1"]}, {"plasmid": 0})
    >>> match_pilot_contrasts(
    ...     pilot, xr.DataArray([0.5], {"contrast": ["two"]}, ("contrast",))
    ... )["tau"].item()
    0.4
    """
    check_pilot(pilot)
    if "contrast" not in pilot.dims or "contrast" not in size.dims:
        return pilot
    known, wanted = (
        [str(name) for name in x["contrast"].to_numpy()] for x in (pilot, size)
    )
    absent = [name for name in wanted if name not in known]
    if not absent:
        return pilot.isel(contrast=[known.index(name) for name in wanted])
    if len(known) == 1:
        return pilot.isel(contrast=0, drop=True)
    raise EstimateError(
        f"the virtual contrast {quoted(absent[0])} is not one of the pilot's "
        f"({', '.join(known)}); say whose noise it has: "
        f"pilot=pilot.sel(contrast={quoted(known[0])}, drop=True)"
    )

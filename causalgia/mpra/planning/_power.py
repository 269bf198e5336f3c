"""Power, standard error and interval half width of MPRA designs for a log2 effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, as_number, as_probability
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.mpra.counts.noise import NoiseModel, as_noise
from causalgia.mpra.planning.assumptions import (
    LEAST,
    Assumed,
    Design,
    assume,
    check_pilot,
    mean_inverse_barcodes,
)
from causalgia.mpra.planning.average_tests import average_half_width, average_power
from causalgia.notes import notes_of, with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import satterthwaite, t_quantile
from causalgia.planning.power_functions import rejection_probability
from causalgia.schema import check_dataset
from causalgia.types import Array

Grid: TypeAlias = float | Sequence[float] | np.ndarray[Any, Any]
SHARED_ERROR = 0.05
"""Shared error of which the power stands beside that under the assumptions."""


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
        elements that have an effect of the planned size, on which the power depends as
        much as on the noise.
    ci_prob
        Probability of the intervals.

    Raises
    ------
    EstimateError
        If the weights do not sum to 0, a level is no probability, or one of `q` and
        `share_true` is given alone.

    Examples
    --------
    >>> PlannedContrast(q=0.05, share_true=0.2).weights
    (-1.0, 1.0)
    """

    weights: tuple[float, ...] = (-1.0, 1.0)
    alpha: float | None = None
    q: float | None = None
    share_true: float | None = None
    ci_prob: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_weights(self.weights))
        object.__setattr__(self, "ci_prob", as_ci_prob(self.ci_prob))
        for name in ("alpha", "q", "share_true"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, as_probability(value, name))
        if self.q is not None and self.alpha is not None:
            raise EstimateError(
                f"alpha={quoted(self.alpha)} and q={quoted(self.q)} are two error rates "
                "of one test; leave alpha= or q= out",
                argument="alpha",
            )
        if (self.q is None) != (self.share_true is None):
            raise EstimateError(
                f"q={self.q} and share_true={self.share_true} go together: the power at "
                "a false discovery rate is that of the share of elements that act",
                argument="share_true",
            )


def as_weights(weights: Any) -> tuple[float, ...]:
    """Return the weights of the arms in a contrast, which sum to 0, or raise
    EstimateError.
    """
    numbers = np.asarray(weights)
    if (
        numbers.dtype.kind not in "iuf"
        or numbers.ndim != 1
        or not np.isclose(numbers.sum(), 0)
        or not numbers.any()
    ):
        raise EstimateError(
            f"weights={quoted(weights)}: give numbers that sum to 0; (-1, 1) is a "
            "difference of two arms",
            argument="weights",
        )
    return tuple(numbers.tolist())


_WHOLE = ("n_replicates", "n_backgrounds")
"""Settings of a plan that are whole numbers; barcodes have a mean."""
_ORDER = (
    *("contrast", "task", "true_effect"),
    *("n_backgrounds", "n_barcodes", "n_replicates", "depth"),
)


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
        An outlier of a pilot is in its ``sd_barcode`` already.
    virtual, slope
        Instead of `true_effect`: effects of a virtual trial, whose
        spread is also tau where `noise` gives none; and the measured log2 effect for
        one unit of the virtual effect: the slope of `concordance` in an earlier
        library, or 1 where the predictor predicts log2 activity itself.

    Returns
    -------
    Dataset
        ``se, half_width, power, df, alpha`` and ``power_shared`` on the dims of arguments with several
        values (true_effect, n_backgrounds, n_barcodes, n_replicates, depth; contrast
        and task of the virtual trial or the pilot), and ``lost``, the share of oligos
        with fewer than two barcodes; backgrounds that lose an arm do not count among
        the n. ``se`` is the root mean square over elements that differ in noise; power
        is averaged over them. ``power_shared`` is the power under a shared error of
        .05 (``sd_shared``), or of that which is assumed where it is larger. What is
        assumed: ``sd_barcode, sd_replicate, sd_noisiness, sd_count, sd_shared,
        recovery, missing, p_silent, outliers, sd_outlier``, and ``tau`` of an average,
        each with its ``source`` (``noise``, ``pilot`` or ``virtual trial``). attrs:
        arguments with one value.

    Raises
    ------
    EstimateError
        If a number of the design is too small (also after the loss of barcodes), or a
        layer of noise is not known; the message names it.

    Notes
    -----
    The plan is of `fit` as it is by default, and of its `average`. One element:
    ``se^2 = w [h^2 (sd_barcode^2 / B + sd_replicate^2 / R) + sd_rna^2 / (B R) + sd_dna^2
    / (B R) + sd_shared^2 / R]`` with w = 2 for a difference of two arms. The same B
    barcodes are read in all R replicates, so more replicates do not reduce the noise
    between barcodes. The test is normal, because the analysis shares variances over
    elements. Power is averaged over the number of outliers that an element has.

    Average effect over n backgrounds:
    ``se^2 = (tau^2 + se_unit^2) / n + w sd_shared^2 / R``, by a t with n - 1 degrees of
    freedom for the first term, R - 1 for the second, and Satterthwaite's for their sum.
    `average` does not know ``sd_shared``: it adds the variance between replicates beyond
    that of the elements' own noise, which with two replicates exceeds it by chance in a
    third of the libraries that share nothing. ``power`` and ``half_width`` of an average
    are therefore means over the variances that the fit will estimate; ``se`` and ``df``
    are of the true ones. A barcode that misses a replicate (``missing``) or is silent in
    it (``p_silent``) has fewer cells, and one that misses all is lost; in an average
    silent cells blur, besides, what replicates share.

    Barcodes are lost independently of each other (``recovery``). The power is for the
    true effect: where reads are so few that effects shrink, it is less. Plan from a
    pilot.

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
    contrast = PlannedContrast() if contrast is None else contrast
    if not isinstance(contrast, PlannedContrast):
        raise EstimateError(
            f"contrast is {type_in_words(contrast)}, not a cg.mpra.PlannedContrast",
            argument="contrast",
        )
    noise = as_noise(noise)
    if (true_effect is None) == (virtual is None):
        raise EstimateError(
            "give true_effect= (on log2) or virtual= (effects of a virtual trial)"
        )
    predicted = None
    if virtual is None:
        size = as_grid("true_effect", true_effect, -np.inf)
    else:
        size, predicted = virtual_effects(virtual, slope)
        pilot = None if pilot is None else match_pilot_contrasts(pilot, size)
    reads = None if depth is None else as_grid("depth", depth, 0)
    reads_dna = reads if depth_dna is None else as_grid("depth_dna", depth_dna, 0)
    average = n_backgrounds is not None
    assumed = assume(
        noise, pilot, reads, reads_dna, average=average, predicted=predicted
    )
    B = as_grid("n_barcodes", n_barcodes, 0)
    R = as_grid("n_replicates", n_replicates, 2 if average else 1)
    inverse, lost = recovered_barcodes(B, assumed)
    n = planned = None
    if average:
        planned = as_grid("n_backgrounds", n_backgrounds, 2)
        arms = np.count_nonzero(contrast.weights)
        n = planned * (1 - lost) ** float(arms)
        if (n < 2).any():
            raise EstimateError(
                f"n_backgrounds={quoted(n_backgrounds)}: {float(n.min()):.2g} of them "
                "would keep two barcodes in every arm, and an average needs 2"
            )

    def tests(assumed: Assumed) -> _Tests:
        design = Design(assumed=assumed, weights=contrast.weights, inverse=inverse, R=R)
        return _element_tests(design) if n is None else _average_tests(design, n)

    test = tests(assumed)
    beside = replace(assumed, sd_shared=np.maximum(assumed.sd_shared, SHARED_ERROR))
    alpha, chance = _at_its_level(size, test, contrast)
    found = {
        "se": test.se,
        "half_width": test.half_width(contrast.ci_prob),
        "power": chance,
        "power_shared": _at_its_level(size, tests(beside), contrast)[1],
        "df": test.df,
        "alpha": alpha,
        "lost": lost,
        **assumed.columns(average=average),
    }
    settings = {
        "true_effect": size if virtual is None else None,
        "n_backgrounds": planned,
        "n_barcodes": B,
        "n_replicates": R,
        "depth": reads,
    }
    fixed = {
        name: int(value) if name in _WHOLE else value.item()
        for name, value in settings.items()
        if value is not None and not value.dims
    }
    of_q = {"q": contrast.q, "share_true": contrast.share_true}
    attrs = attributes(
        scale="log2",
        ci_prob=contrast.ci_prob,
        question="mean over backgrounds" if average else "one element",
        shared_error=SHARED_ERROR,
    )
    of_pilot = {} if pilot is None else pilot.attrs
    attrs |= {x: y for x, y in of_pilot.items() if str(x).startswith("truncation_")}
    out = xr.Dataset(
        found, attrs=attrs | fixed | (of_q if contrast.q is not None else {})
    )
    out = out.transpose(*[dim for dim in _ORDER if dim in out.dims])
    return out if pilot is None else with_notes(out, *notes_of(pilot))


def as_grid(name: str, value: Any, least: float) -> xr.DataArray:
    """Return numbers as a DataArray, several numbers along a dim of their name, or raise
    EstimateError where one is not a finite number, or too small.

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
    whole = (numbers == np.round(numbers)).all()
    if name in _WHOLE and not (whole and (numbers >= least).all()):
        raise EstimateError(
            f"{name}={quoted(value)}: give whole numbers of at least {least:g}"
        )
    if (numbers <= least).any() and name not in _WHOLE:
        raise EstimateError(f"{name}={quoted(value)}: give numbers above {least:g}")
    dims = (name,) * numbers.ndim
    return xr.DataArray(numbers.astype(np.float64), dict.fromkeys(dims, numbers), dims)


def recovered_barcodes(
    planned: xr.DataArray, assumed: Assumed
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mean of 1 / B and the share of oligos with fewer than two barcodes, by
    planned number.
    """
    found = np.array(
        [
            mean_inverse_barcodes(B, assumed.recovery, assumed.barcode_dispersion)
            for B in np.atleast_1d(planned.to_numpy()).tolist()
        ]
    )
    inverse, lost = (planned.copy(data=x.reshape(planned.shape)) for x in found.T)
    return inverse, lost


@dataclass(frozen=True, eq=False)
class _Tests:
    """Tests of designs: their error and degrees of freedom, ``power(effect, alpha)`` and
    ``half_width(ci_prob)``.
    """

    se: xr.DataArray
    df: xr.DataArray
    power: Callable[[xr.DataArray, Any], xr.DataArray]
    half_width: Callable[[float], xr.DataArray]


_HERMITE, _OF_HERMITE = np.polynomial.hermite_e.hermegauss(15)
_TAIL = 1e-9


def noisiness_nodes(sd: float) -> list[tuple[float, float]]:
    """Return Gauss-Hermite weights and nodes of the squared noisiness ``h^2``,
    ``log h ~ N(0, sd^2)``.

    Examples
    --------
    >>> noisiness_nodes(0.0)
    [(1.0, 1.0)]
    >>> len(noisiness_nodes(0.4))
    15
    """
    if sd == 0:
        return [(1.0, 1.0)]
    weights = _OF_HERMITE / _OF_HERMITE.sum()
    return list(zip(weights.tolist(), np.exp(2 * sd * _HERMITE).tolist(), strict=True))


def _element_tests(design: Design) -> _Tests:
    """Return the normal tests of one element's effect, averaged over the noisiness of
    elements and the outliers among their barcodes.
    """
    hits: list[tuple[Any, int]] = [(1.0, 0)]
    if design.assumed.outliers > 0:
        from scipy import stats  # imported here: slow to load

        mean = design.assumed.outliers * design.arms / design.inverse
        most = int(stats.poisson.isf(_TAIL, float(mean.max()))) + 1
        hits = [
            (mean.copy(data=stats.poisson.pmf(far, mean.to_numpy())), far)
            for far in range(most)
        ]
    nodes = [
        (w * share, np.sqrt(design.element(h2, far) + design.shared()))
        for share, far in hits
        for w, h2 in noisiness_nodes(design.assumed.sd_noisiness)
    ]
    se = xr.DataArray(np.sqrt(design.element() + design.shared()))
    df = xr.DataArray(np.inf)

    def power(effect: xr.DataArray, alpha: Any) -> xr.DataArray:
        parts = [
            weight * xr.apply_ufunc(_normal_power, effect, error, alpha)
            for weight, error in nodes
        ]
        found: xr.DataArray = sum(parts[1:], parts[0])
        return found

    return _Tests(se, df, power, lambda p: se * t_quantile(np.inf, 0.5 + p / 2))


def _normal_power(effect: Array, se: Array, alpha: Array) -> Array:
    return np.asarray(
        rejection_probability(effect, se, np.inf, level=1 - np.asarray(alpha))
    )


def _average_tests(design: Design, n: xr.DataArray) -> _Tests:
    """Return the tests of the mean over n backgrounds."""
    spread = xr.DataArray((design.assumed.tau**2 + design.element()) / n)
    shared = xr.DataArray(design.shared())
    # the spread over replicates is seen in elements without an empty cell
    within = design.between_replicates() / np.maximum(n * design.whole(), LEAST)
    parts = (spread, shared, within, n, design.R)
    df = xr.apply_ufunc(_satterthwaite, *parts)
    return _Tests(
        xr.DataArray(np.sqrt(spread + shared)),
        df,
        lambda effect, alpha: xr.apply_ufunc(average_power, effect, alpha, *parts),
        lambda p: xr.apply_ufunc(partial(average_half_width, ci_prob=p), *parts),
    )


def _satterthwaite(
    spread: Array, shared: Array, within: Array, n: Array, R: Array
) -> Array:
    every = np.broadcast_arrays(spread, shared, within, n - 1, R - 1)
    return np.asarray(satterthwaite(np.stack(every[:2]), np.stack(every[3:])))


_LEAST_ALPHA = 1e-12
_ALPHA_STEPS = 200


def _at_its_level(
    size: xr.DataArray, test: _Tests, contrast: PlannedContrast
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the error rate of one test, and its power.

    Benjamini-Hochberg at q stops, in a large family, at the alpha that solves ``alpha /
    (alpha (1 - s) + power(alpha) s) = q``, with s the share of true effects, all of one
    size. Power is concave in alpha, so the iteration falls monotonically to the one
    solution.

    References
    ----------
    Genovese & Wasserman (2002), doi:10.1111/1467-9868.00347.
    """
    if contrast.q is None or contrast.share_true is None:
        alpha = xr.DataArray(0.05 if contrast.alpha is None else contrast.alpha)
        return alpha, test.power(size, alpha)
    s, q = contrast.share_true, contrast.q
    ratio = q * s / (1 - q * (1 - s))
    alpha = xr.full_like(test.power(size, 0.5), ratio)
    for _ in range(_ALPHA_STEPS):
        new = (ratio * test.power(size, alpha)).clip(min=_LEAST_ALPHA)
        if bool((abs(new - alpha) <= 1e-9 * alpha).all()):
            break
        alpha = new
    return alpha, test.power(size, alpha)


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
        Effects, with ``ice (unit, contrast, task)``.
    slope
        Measured log2 effect for one unit of the virtual effect.

    Raises
    ------
    EstimateError
        If there is no slope, or no ICE.

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
            "slope= is missing: the measured log2 effect for one unit of the virtual one"
        )
    slope = as_number(slope, "slope", error=EstimateError)
    if "ice" not in pilot:
        raise EstimateError("virtual= has no ice; give effects of cg.contrast")
    ice = pilot["ice"].mean("model") if "model" in pilot["ice"].dims else pilot["ice"]
    return slope * ice.mean("unit"), abs(slope) * ice.std("unit", ddof=1)


def match_pilot_contrasts(pilot: xr.Dataset, size: xr.DataArray) -> xr.Dataset:
    """Return the pilot with the contrasts of a virtual trial, matched by name; one
    contrast serves for all. It raises EstimateError where the
    pilot has several contrasts, and lacks one of the trial's.
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
        f"({', '.join(known)}); select one of them"
    )

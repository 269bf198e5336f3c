"""Two-way fit: effects with a variance from barcodes (crossed with replicates) and replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import EstimateError
from causalgia.estimation import moderate_unequal
from causalgia.mpra.counts.log_ratios import cell_ratios, group_sums
from causalgia.mpra.fits.fit_contrasts import FitRequest, FittedEffects
from causalgia.types import Array, Ints, Mask


@dataclass(frozen=True)
class Layer:
    """A variance component: its estimate in each element, and its factor in the variance of a contrast.

    Attributes
    ----------
    s2, df
        Variance and its degrees of freedom, shape ``(E,)`` each.
    factor
        Variance of a contrast at unit variance of the layer, shape ``(E, K)``.
    """

    s2: Array
    df: Array
    factor: Array

    def moderated(self) -> tuple[Array, Array]:
        """Return the variance that the layer adds to each contrast, and its df, moderated over elements, ``(E, K)``."""
        found = moderate_unequal(self.s2, self.df)
        return found.variance[:, None] * self.factor, np.broadcast_to(found.df[:, None], self.factor.shape)


def two_way(cells: RatioCells, weights: Array) -> FittedEffects:
    """Compare arms by the means of their barcodes, with the noise of barcodes and of replicates.

    In a crossed layout the mean over barcodes and replicates has the variance ``V_barcode + V_replicate - V_residual``:
    the first two both contain the noise of single cells, which counts once. All three come from sums of squares
    moderated over elements; the variance is never below the larger of the first two, and its degrees of freedom are
    Satterthwaite's.

    Parameters
    ----------
    cells
        Cells of E elements under A arms.
    weights
        Weights of the arms in each contrast, shape ``(K, A)``.

    Returns
    -------
    FittedEffects
        Besides the effects ``v_barcode, v_replicate, v_residual (element, contrast)``, and in ``attrs`` the standard
        deviations of barcodes and of replicates over all elements, on log2.

    Raises
    ------
    EstimateError
        If no element has two barcodes in an arm, or two replicates.

    References
    ----------
    Cameron, Gelbach & Miller (2011), doi:10.1198/jbes.2010.07136. Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    means = barcode_means(cells)
    layers = (replicate_layer(cells, weights), residual_layer(cells, weights))
    variance, df, vb, vr, ve = combine_layers([barcode_layer(means, weights)], *layers)
    dims = ("element", "contrast")
    variables = {"v_barcode": (dims, vb), "v_replicate": (dims, vr), "v_residual": (dims, ve)}
    return FittedEffects(means.mean @ weights.T, np.sqrt(variance), df, variables, noise_sds(cells))


def combine_layers(
    barcode: Sequence[Layer], replicate: Layer, residual: Layer
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the variance of each contrast, its df, and the moderated components, shape ``(E, K)`` each.

    Barcodes have one layer for all arms, or one for each arm, which are moderated separately and added to
    ``V_barcode``.

    Raises
    ------
    EstimateError
        If no element has two barcodes in an arm, or two replicates.
    """
    if not all(layer.df.any() for layer in barcode):
        raise EstimateError("no element has two barcodes in an arm, and one barcode has no spread; use more barcodes")
    if not replicate.df.any():
        raise EstimateError("no element has two replicates of every arm, and one has no spread; use more replicates")
    of_barcodes = [layer.moderated() for layer in barcode]
    (vr, dr), (ve, de) = replicate.moderated(), residual.moderated()
    vb: Array = np.sum([v for v, _ in of_barcodes], axis=0)
    variance = np.maximum(np.maximum(vb + vr - ve, vb), vr)
    each = (*of_barcodes, (vr, dr), (ve, de))
    parts = [np.where(d > 0, v**2 / np.where(d > 0, d, 1.0), 0.0) for v, d in each]
    return variance, variance**2 / sum(parts), vb, vr, ve


def barcode_layer(means: BarcodeMeans, weights: Array) -> Layer:
    """Return the variance of barcodes' means within arms, pooled over arms."""
    return Layer(means.pooled, means.df, (1 / means.n) @ (weights**2).T)


def replicate_layer(cells: RatioCells, weights: Array) -> Layer:
    """Return the variance of the arms' means over replicates, shifts shared by all arms of a replicate removed.

    For two arms it is half the variance over replicates of their difference. Only replicates with every arm are used.
    """
    n = cells.sums(cells.used)
    cell = cells.sums(cells.ratio) / np.maximum(n, 1)
    present: NDArray[np.bool_] = np.min(n, axis=1) > 0
    R, A = present.sum(axis=1), cells.shape[1]
    apart = (cell - cell.mean(axis=1, keepdims=True)) * present[:, None]
    apart = (apart - apart.sum(axis=2, keepdims=True) / np.maximum(R, 1)[:, None, None]) * present[:, None]
    df = np.maximum((A - 1) * (R - 1), 0).astype(np.float64)
    s2 = (apart**2).sum(axis=(1, 2)) / np.maximum(df, 1)
    return Layer(s2, df, (weights**2).sum(axis=1) / np.maximum(R, 1)[:, None])


def residual_layer(cells: RatioCells, weights: Array) -> Layer:
    """Return the residual variance of cells about barcodes and replicates in each arm, pooled over arms."""
    squares, df = residual_squares(cells)
    n = cells.sums(cells.used.sum(axis=1).astype(np.float64))
    return Layer(squares.sum(axis=1) / np.maximum(df.sum(axis=1), 1), df.sum(axis=1), (1 / n) @ (weights**2).T)


def residual_squares(cells: RatioCells) -> tuple[Array, Array]:
    """Return the residual sum of squares about barcode + replicate by element and arm, and its df, ``(E, A)``.

    Barcodes are eliminated first; the R remaining equations an arm are solved for all elements at once.
    """
    u = cells.used.astype(np.float64)
    m = u.sum(axis=1)
    left = (cells.ratio - (cells.ratio.sum(axis=1) / m)[:, None]) * u
    right = cells.sums(left)
    R = u.shape[1]
    normal = -np.stack([cells.sums(u * (u[:, r] / m)[:, None]) for r in range(R)], axis=-1)
    normal[..., np.arange(R), np.arange(R)] += cells.sums(u)
    values, vectors = np.linalg.eigh(normal)
    solvable = values > 1e-9 * np.maximum(values[..., -1:], 1.0)
    turned = np.einsum("earj,ear->eaj", vectors, right)
    explained = np.where(solvable, turned**2 / np.where(solvable, values, 1.0), 0.0).sum(axis=-1)
    total = cells.sums((left**2).sum(axis=1))
    df = cells.sums(m - 1) - solvable.sum(axis=-1)
    return np.maximum(total - explained, 0.0), df


def noise_sds(cells: RatioCells) -> dict[str, float]:
    """Return the sd of barcodes, replicates and residuals over all elements, by moments; 0 where negative."""
    ones, means = np.ones((1, cells.shape[1])), barcode_means(cells)
    replicate, residual = replicate_layer(cells, ones), residual_layer(cells, ones)
    share = float((1 / cells.used.sum(axis=1)).mean())
    noise = _pooled_variance(residual)
    across = float((1 / np.maximum(cells.sums(cells.used), 1)).mean())
    return {
        "sd_barcode": sd_or_zero(_pooled_variance(barcode_layer(means, ones)) - share * noise),
        "sd_replicate": sd_or_zero(_pooled_variance(replicate) - across * noise),
        "sd_residual": sd_or_zero(noise),
    }


def _pooled_variance(layer: Layer) -> float:
    return float((layer.s2 * layer.df).sum() / max(layer.df.sum(), 1.0))


def sd_or_zero(variance: float) -> float:
    """Return the square root of an estimated variance, 0 where the estimate is negative."""
    return float(np.sqrt(max(variance, 0.0)))


@dataclass(frozen=True)
class BarcodeMeans:
    """Means of barcodes of E elements under A arms.

    Attributes
    ----------
    mean
        Over the barcodes, each counting once, shape ``(E, A)``.
    n
        Number of barcodes, shape ``(E, A)``.
    squares
        Sum of squares about the mean, shape ``(E, A)``.
    """

    mean: Array
    n: Array
    squares: Array

    @property
    def df(self) -> Array:
        """Degrees of freedom of the pooled variance of each element, shape ``(E,)``."""
        return np.asarray(self.n.sum(axis=1) - self.n.shape[1])

    @property
    def pooled(self) -> Array:
        """Variance of barcodes within arms, pooled over the arms of each element, shape ``(E,)``; 0 on 0 df."""
        return np.asarray(self.squares.sum(axis=1) / np.maximum(self.df, 1))


def barcode_means(cells: RatioCells) -> BarcodeMeans:
    """Return the means over barcodes of their mean log ratio ``y_b``, for each element and arm.

    The barcode is the unit assigned to an arm, and its own activity repeats in every replicate, so its mean over
    replicates is one observation.
    """
    y = cells.ratio.sum(axis=1) / cells.used.sum(axis=1)
    n = cells.sums(np.ones_like(y))
    mean = cells.sums(y) / n
    return BarcodeMeans(mean, n, cells.sums((y - cells.at(mean)) ** 2))


def barcode_welch(means: BarcodeMeans, weights: Array) -> FittedEffects:
    """Compare arms by their barcodes' means, with a separate variance for each arm (Welch).

    Parameters
    ----------
    means
        Of E elements under A arms, two barcodes or more in each.
    weights
        Weights of the arms in each contrast, shape ``(K, A)``.

    References
    ----------
    Welch (1947), doi:10.1093/biomet/34.1-2.28.
    """
    part = (means.squares / (means.n - 1) / means.n)[:, None] * weights**2
    variance = part.sum(axis=2)
    df = variance**2 / (part**2 / (means.n - 1)[:, None]).sum(axis=2)
    return FittedEffects(means.mean @ weights.T, np.sqrt(variance), df)


def barcode_moderated(means: BarcodeMeans, weights: Array) -> FittedEffects:
    """Compare arms by their barcodes' means, with one variance an element, moderated over elements.

    Ignores noise that the barcodes of an arm share in a replicate; where there is such noise, intervals are too narrow.

    Parameters
    ----------
    means
        Of E elements under A arms.
    weights
        Weights of the arms in each contrast, shape ``(K, A)``.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    moderated = moderate_unequal(means.pooled, means.df)
    variance = moderated.variance[:, None] * ((1 / means.n) @ (weights**2).T)
    df = np.broadcast_to(moderated.df[:, None], variance.shape)
    return FittedEffects(means.mean @ weights.T, np.sqrt(variance), df)


def barcode_pooled(means: BarcodeMeans, weights: Array, family: NDArray[np.int64]) -> FittedEffects:
    """Compare arms by their barcodes' means, with one variance for all elements of a family (backgrounds of a motif).

    Parameters
    ----------
    means
        Of E elements under A arms.
    weights
        Weights of the arms in each contrast, shape ``(K, A)``.
    family
        Family of each element, 0 to F - 1, shape ``(E,)``.
    """
    df = np.bincount(family, means.df)
    pooled = np.bincount(family, means.squares.sum(axis=1)) / np.maximum(df, 1)
    variance = pooled[family][:, None] * ((1 / means.n) @ (weights**2).T)
    return FittedEffects(
        means.mean @ weights.T, np.sqrt(variance), np.broadcast_to(df[family][:, None], variance.shape)
    )


@dataclass(frozen=True)
class RatioCells:
    """Log ratios of B barcodes in R replicates, each barcode of one element under one arm.

    Attributes
    ----------
    ratio
        log2(RNA/DNA), 0 where missing, shape ``(B, R)``.
    used
        Mask of the ratios present, shape ``(B, R)``; every barcode has at least one.
    group
        ``element * A + arm`` of each barcode, shape ``(B,)``.
    shape
        Elements and arms, (E, A).
    """

    ratio: Array
    used: Mask
    group: Ints
    shape: tuple[int, int]

    def sums(self, values: Array | Mask) -> Array:
        """Sum values of barcodes, shape ``(B, ...)``, by element and arm, ``(E, A, ...)``."""
        return group_sums(values, self.group, self.shape)

    def at(self, means: Array) -> Array:
        """Return values of elements and arms, ``(E, A, ...)``, at each barcode, ``(B, ...)``."""
        return means.reshape(-1, *means.shape[2:])[self.group]


def ratio_cells(counts: xr.Dataset, request: FitRequest) -> RatioCells:
    """Return the log ratios of the requested barcodes that have DNA somewhere."""
    ratio, used = cell_ratios(counts)
    keep = (request.element >= 0) & used.any(axis=1)
    E, A = request.oligos.shape
    return RatioCells(ratio[keep], used[keep], request.element[keep] * A + request.arm[keep], (E, A))

"""Hierarchical model of barcode counts, with noise levels shared over elements: from
cells to effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from scipy import optimize
from scipy.special import fdtri, ndtr, ndtri, stdtrit

from causalgia.attributes import attributes
from causalgia.errors import DataError
from causalgia.mpra.counts.barcodes import oligo_means
from causalgia.mpra.fits.count_responses import (
    PSEUDO,
    CountCells,
    Responses,
    contrast_mixtures,
    element_densities,
    first_responses,
    model_cells,
    respond,
    set_cell_noise,
    shallow_columns,
)
from causalgia.mpra.fits.element_effects import (
    FitRequest,
    FittedEffects,
    block_names,
    element_blocks,
)
from causalgia.types import Array, Ints, Mask
from causalgia.workers import mapped

if TYPE_CHECKING:
    from distributed import Client

LOG2 = float(np.log(2.0))
SD_BARCODE, SD_REPLICATE = (0.03, 8.0), (0.015, 4.0)
COARSE, FINE, LIGHT = (0.25, 0.35), (33, 21), 1e-4
FIRST_BARCODE, FIRST_REPLICATE = 0.5, 0.2
TAILS = np.array([0.05, 0.01])
LEAST_DF, MOST_DF = 2.0, 1e4
BLOCK = 128
LEAST_REPEATED, NO_CELL_VARIANCE = 0.1, 1e-4


def hierarchical(
    counts: xr.Dataset, request: FitRequest, client: Client | None = None
) -> FittedEffects:
    """Fit the two layers of noise, with sizes shared over elements, and return effects
    that include both.

    For barcode b of element e in arm a, replicate r (natural logs)::

        RNA_br ~ c Poisson(exp(offset_br + mu_ea + v_b + w_ear + x_br) / c), or 0 where the barcode is silent
        v_b ~ N(0, sd_barcode_e^2 + variance from DNA)      the same in every replicate
        w_ear ~ N(0, sd_replicate_e^2)                      shared by the barcodes of an oligo in a replicate
        x_br ~ N(0, sd_cell^2)                              a cell's own
        (log sd_barcode_e, log sd_replicate_e) ~ bivariate normal over elements

    Shifts of a replicate that all arms of an element share do not affect contrasts.
    Where they exceed chance they are removed first (`remove_shared_noise`), and are not
    part of sd_replicate.

    The reads c to which each molecule is amplified are estimated, by replicate, so deep sequencing of
    few molecules does not count as many molecules. Counts enter as working responses at
    the mode of x; given these the layers are solved exactly, with a flat prior on every
    mu, on a grid of the two standard deviations. The posterior of an element on this
    grid borrows from all elements and makes its effect a mixture of normals: `se` and
    `df` are those of the Student t with the same 95 and 99 % intervals.

    The estimand is the difference of mean log2 activity over *expressed* barcodes:
    zeros that are implausible given the rest of the barcode (or oligo) are attributed
    to silence, by its odds, and not to low activity.

    Parameters
    ----------
    counts
        Of kind ``counts``; DNA may be one plasmid pool.
    request
        Elements, arms and contrasts.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers fit blocks of elements.

    Returns
    -------
    FittedEffects
        Besides effects: ``sd_barcode, sd_replicate (element)``, log2, and
        ``silent (element, arm)``, the share of silent cells. In the attrs
        ``sd_barcode, sd_replicate`` of the median element, ``sd_cell``, c as
        ``reads_each``, ``sd_shared`` of shifts that arms share in a replicate, and the
        spread over elements of the logs of the first two.

    Raises
    ------
    DataError
        If each oligo has one barcode in one replicate.

    Notes
    -----
    With one replicate its layer cannot be separated from the activity, and effects are
    those of this replicate; with one barcode an oligo, those of these barcodes.
    ``attrs["estimand"]`` and ``attrs["layers"]`` record it.

    References
    ----------
    Gelman (2006), doi:10.1214/06-BA117A. Breslow & Clayton (1993),
    doi:10.1080/01621459.1993.10594284. Firth (1993), doi:10.1093/biomet/80.1.27.
    """
    cells, sd_shared = remove_shared_noise(model_cells(counts, request))
    barcodes, replicates = (
        np.mean(np.diff(cells.start) > 1) >= LEAST_REPEATED,
        int(cells.used.any(axis=0).sum()) > 1,
    )
    if not barcodes and not replicates:
        raise DataError(
            "one barcode an oligo in one replicate: nothing repeats, so no noise can "
            "be measured; give more barcodes or more replicates"
        )
    first = [
        np.full(len(request.elements), (sd * LOG2) ** 2)
        for sd in (FIRST_BARCODE, FIRST_REPLICATE)
    ]
    responses = first_responses(cells)
    # a cell repeats within both layers, or its noise is part of the layer that does
    if barcodes and replicates:
        for _ in range(2):
            responses = set_cell_noise(cells, respond(cells, responses, *first))
    else:
        responses.reads_each = np.ones(cells.rna.shape[1])
        responses.cell_variance = NO_CELL_VARIANCE
        responses = respond(cells, responses, *first)
    # a coarse grid over all plausible standard deviations; a single 0 for a layer that
    # is not measured
    layers = zip(
        (SD_BARCODE, SD_REPLICATE), COARSE, (barcodes, replicates), strict=True
    )
    nodes = [
        np.log(np.geomspace(low, high, round(np.log(high / low) / step)) * LOG2)
        if known
        else np.array([-np.inf])
        for (low, high), step, known in layers
    ]
    grid = Grid(*nodes)
    pilot = _learn_layers(cells, responses, grid, client)
    tb, tr = _grid_variances(grid)
    expected = pilot.of_elements.sum(axis=2) @ tb, pilot.of_elements.sum(axis=1) @ tr
    responses = respond(cells, responses, *expected)
    # a finer grid over the range that is plausible for some element
    nodes = []
    for whole, other, n in ((grid.barcode, 2, FINE[0]), (grid.replicate, 1, FINE[1])):
        likely = np.flatnonzero(pilot.of_elements.sum(axis=other).max(axis=0) > LIGHT)
        low, high = max(likely[0] - 1, 0), min(likely[-1] + 1, len(whole) - 1)
        nodes.append(np.linspace(whole[low], whole[high], n) if high > low else whole)
    grid = Grid(*nodes)
    found = _fit_effects(
        cells,
        responses,
        _learn_layers(cells, responses, grid, client),
        grid,
        request,
        client,
    )
    return replace(
        found, attrs=dict(found.attrs) | attributes(sd_shared=sd_shared / LOG2)
    )


def _learn_layers(
    cells: CountCells, responses: Responses, grid: Grid, client: Client | None
) -> LearnedNoise:
    tb, tr = _grid_variances(grid)
    bounds = _block_bounds(cells)
    found = mapped(
        partial(_block_densities, tb=tb, tr=tr),
        (_element_block(cells, responses, *ends) for ends in bounds),
        what="the layers of noise",
        names=block_names(bounds),
        client=client,
    )
    return learn_noise(np.concatenate(found), grid)


class _ElementBlock(NamedTuple):
    """Responses of a block of elements, from which the layers are solved."""

    z: Array
    precision: Array
    shared: Array
    start: Ints
    first: Ints


def _block_bounds(cells: CountCells) -> list[tuple[int, int]]:
    return element_blocks(len(cells.first) - 1, most=BLOCK)


def _element_block(
    cells: CountCells, responses: Responses, begin: int, end: int
) -> _ElementBlock:
    first = cells.first[begin : end + 1]
    start = cells.start[first[0] : first[-1] + 1]
    rows = slice(start[0], start[-1])
    return _ElementBlock(
        responses.z[rows],
        responses.precision[rows],
        cells.shared[rows],
        start - start[0],
        first - first[0],
    )


def _block_densities(block: _ElementBlock, *, tb: Array, tr: Array) -> Array:
    found: Array = element_densities(*block, tb, tr)
    return found


def _block_mixtures(
    given: tuple[_ElementBlock, Ints, Mask, Array],
    *,
    weights: Array,
    tb: Array,
    tr: Array,
) -> tuple[Array, Array]:
    block, arm, measured, share = given
    found: tuple[Array, Array] = contrast_mixtures(
        *block, arm, measured, weights, tb, tr, share, TAILS
    )
    return found


def _grid_variances(grid: Grid) -> tuple[Array, Array]:
    return np.exp(2 * grid.barcode), np.exp(2 * grid.replicate)


def _fit_effects(
    cells: CountCells,
    responses: Responses,
    noise: LearnedNoise,
    grid: Grid,
    request: FitRequest,
    client: Client | None,
) -> FittedEffects:
    tb, tr = _grid_variances(grid)
    bounds, measured = _block_bounds(cells), request.measured
    found = mapped(
        partial(_block_mixtures, weights=request.weights, tb=tb, tr=tr),
        (
            (
                _element_block(cells, responses, *ends),
                cells.arm[cells.first[ends[0]] : cells.first[ends[1]]],
                measured[slice(*ends)],
                noise.of_elements[slice(*ends)],
            )
            for ends in bounds
        ),
        what="the mixtures",
        names=block_names(bounds),
        client=client,
    )
    mean, beyond = (np.concatenate(parts) for parts in zip(*found, strict=True))
    se, df = student_from_half_widths(beyond[..., 0], beyond[..., 1])
    of_barcode, of_replicate = (
        noise.of_elements.sum(axis=2),
        noise.of_elements.sum(axis=1),
    )
    first = cells.start[:-1]
    lost = np.add.reduceat(
        np.where(cells.used, 1 - responses.expressed, 0.0).sum(1), first
    )
    silent = np.full(request.oligos.shape, np.nan)
    silent[cells.element, cells.arm] = lost / np.add.reduceat(cells.used.sum(1), first)
    variables = {
        "sd_barcode": (("element",), of_barcode @ np.exp(grid.barcode) / LOG2),
        "sd_replicate": (("element",), of_replicate @ np.exp(grid.replicate) / LOG2),
        "silent": (("element", "arm"), silent),
    }
    return FittedEffects(
        mean / LOG2,
        se / LOG2,
        df,
        variables,
        _model_attrs(cells, responses, noise, grid),
    )


def student_from_half_widths(outer: Array, far: Array) -> tuple[Array, Array]:
    """Return scale and df of the Student t with these 95 and 99 % half-widths, df from
    2 to 10,000.
    """
    df = np.geomspace(LEAST_DF, MOST_DF, 2_000)
    ratios = stdtrit(df, 1 - TAILS[1] / 2) / stdtrit(df, 1 - TAILS[0] / 2)
    found = np.interp(-far / outer, -ratios, df)
    return outer / stdtrit(found, 1 - TAILS[0] / 2), found


def _model_attrs(
    cells: CountCells, responses: Responses, noise: LearnedNoise, grid: Grid
) -> dict[str, float | int | str]:
    of_barcodes, of_replicates = (
        bool(np.isfinite(nodes[0])) for nodes in (grid.barcode, grid.replicate)
    )
    measured: dict[str, float] = {}
    if of_barcodes:
        measured["sd_barcode"] = noise.sd_barcode / LOG2
        measured["spread_barcode"] = noise.spread_barcode
    if of_replicates:
        measured["sd_replicate"] = noise.sd_replicate / LOG2
        measured["spread_replicate"] = noise.spread_replicate
    if of_barcodes and of_replicates:
        measured["correlation"] = noise.correlation
        measured["sd_cell"] = float(np.sqrt(responses.cell_variance)) / LOG2
        measured["reads_each"] = float(np.median(responses.reads_each))
    limits = ("" if of_barcodes else ", of these barcodes") + (
        "" if of_replicates else ", in this replicate"
    )
    return {
        "estimand": (
            "difference of mean log2(RNA/DNA) between arms, over barcodes that are "
            f"expressed{limits}"
        ),
        "null": (
            "the barcodes that an oligo might have" if of_barcodes else "these barcodes"
        )
        + ("" if of_replicates else ", in this replicate alone"),
        "layers": " ".join(["barcode"] * of_barcodes + ["replicate"] * of_replicates),
        **measured,
        "silent_cell": responses.silent_cell,
        "silent_barcode": responses.silent_barcode,
        "share_paired": cells.share_paired,
    }


SURE = 0.95


def remove_shared_noise(cells: CountCells) -> tuple[CountCells, float]:
    """Remove shifts that the arms of an element share in a replicate; return their
    standard deviation, too.

    Levels of arms in a replicate, about their means, vary between the arms of an
    element by V_apart, and their average over arms by V_shared / A; the two V are equal
    where arms vary independently. Where V_shared is significantly larger, each
    element's average is shrunken towards 0 to the variance of independent arms, which
    the layers assume. Elements that lack a cell are left unchanged, and so are replicates
    of few reads, whose logs show no levels. The 95 % quantile
    of the ratio under chance is allowed for, so with few elements too little is
    removed, never too much.

    Returns
    -------
    tuple
        Cells with new offsets, or the same cells; and the standard deviation of the
        shared noise (natural logs, by moments), 0 where it is not significant.
    """
    element, E = cells.element, len(cells.first) - 1
    of = np.repeat(np.arange(len(element)), np.diff(cells.start))
    deep = ~shallow_columns(cells.rna, cells.used)
    R, rna = int(deep.sum()), cells.rna[:, deep]
    observed = cells.used[:, deep] & (rna > 0)
    means = oligo_means(
        np.where(observed, np.log(rna + PSEUDO) - cells.offset[:, deep], 0.0),
        observed,
        of,
        len(element),
    )
    n_arms = np.diff(cells.first)
    whole: Mask = np.minimum.reduceat(means.n.min(axis=1), cells.first[:-1]) > 0
    moved = means.activity - means.activity.mean(axis=1, keepdims=True)
    moved *= whole[element][:, None]
    average = np.add.reduceat(moved, cells.first[:-1]) / n_arms[:, None]
    df = float(whole.sum() * (R - 1))
    df_apart = float((n_arms[whole] - 1).sum() * (R - 1))
    if df_apart == 0:
        return cells, 0.0
    shared = float((n_arms[:, None] * average**2).sum()) / df
    apart = float(((moved - average[element]) ** 2).sum()) / df_apart
    by_chance = apart * float(fdtri(df, df_apart, SURE))
    if shared <= by_chance or by_chance == 0:
        return cells, 0.0
    gone = np.zeros((E, len(deep)))
    gone[:, deep] = (1 - np.sqrt(by_chance / shared)) * average
    offset = np.where(cells.used, cells.offset + gone[element[of]], 0.0)
    return replace(cells, offset=offset), float(
        np.sqrt((shared - apart) / n_arms[whole].mean())
    )


TYPICAL_BARCODE, TYPICAL_REPLICATE, SPREAD = 2.0 * LOG2, 1.0 * LOG2, 0.5
N_LEARNED, N_DRAWS, LEAST, WIDER, STEP, FLATTEST = 2_000, 96, 1e-3, 1.4, 0.05, 2.0
NARROWEST, WIDEST, STEEPEST = -5.0, 1.0, 3.0
_Loss: TypeAlias = Callable[[Array], float]


@dataclass(frozen=True, eq=False)
class Grid:
    """Log standard deviations (natural logs) of the layers: barcodes (I,) and
    replicates (J,), evenly spaced.
    """

    barcode: Array
    replicate: Array


@dataclass(frozen=True, eq=False)
class LearnedNoise:
    """Noise layers learned from all elements.

    Attributes
    ----------
    of_elements
        Posterior probability of each pair of standard deviations on the grid, for each
        element, shape ``(E, I, J)``.
    sd_barcode, sd_replicate
        Of the median element, posterior mean, natural logs.
    spread_barcode, spread_replicate, correlation
        Standard deviations over elements of the logs of the two, and their correlation.
    """

    of_elements: Array
    sd_barcode: float
    sd_replicate: float
    spread_barcode: float
    spread_replicate: float
    correlation: float


def learn_noise(density: Array, grid: Grid) -> LearnedNoise:
    """Learn the prior from the log densities (E, I, J) of all elements, and return each
    element's posterior.

    ``(log sd_barcode, log sd_replicate)`` is bivariate normal over elements. The five
    parameters have weak priors: half-normal medians of scale 2 and 1 (log2),
    half-normal spreads of scale 1/2, a normal atanh correlation. Their posterior is
    integrated, not maximized, which matters for few elements: importance sampling at
    fixed points about the mode. With more than 2,000 elements the prior is learned from
    2,000 of them, evenly over the table.
    """
    E = len(density)
    L = np.exp(density - density.max(axis=(1, 2), keepdims=True)).reshape(E, -1)
    few = L[np.unique(np.linspace(0, E - 1, min(E, N_LEARNED)).astype(int))]

    def loss(x: Array) -> float:
        prior = _log_prior(x)
        if not np.isfinite(prior):
            return 1e10
        return -prior - float(
            np.log(np.maximum(few @ grid_prior(x, grid).ravel(), 1e-300)).sum()
        )

    total = (
        np.log(np.maximum(L, 1e-300))
        .sum(0)
        .reshape(len(grid.barcode), len(grid.replicate))
    )
    i, j = np.unravel_index(int(total.argmax()), total.shape)
    at = [
        max(nodes[k], np.log(LEAST))
        for nodes, k in ((grid.barcode, i), (grid.replicate, j))
    ]
    # from the pair with the largest total density, one spread, some correlation
    draws, weights = _sample_hyperparameters(
        loss, np.array([at[0], np.log(0.3), at[1], np.log(0.3), 0.5])
    )
    tables = np.stack([grid_prior(x, grid).ravel() for x in draws])
    W = L * ((weights / np.maximum(L @ tables.T, 1e-300)) @ tables)
    W /= W.sum(axis=1, keepdims=True)
    found = weights @ np.column_stack([np.exp(draws[:, :4]), np.tanh(draws[:, 4])])
    return LearnedNoise(
        W.reshape(density.shape), *(float(v) for v in found[[0, 2, 1, 3, 4]])
    )


def grid_prior(x: Array, grid: Grid) -> Array:
    """Return the prior probability of each pair on the grid, shape ``(I, J)``.

    The normal is interpolated linearly to the nodes, so a prior narrower than the grid
    moves smoothly over it.
    """
    m_b, s_b, m_r, s_r, rho = x[0], np.exp(x[1]), x[2], np.exp(x[3]), np.tanh(x[4])
    if len(grid.barcode) == 1:
        return _normal_on_grid(grid.replicate, np.array([m_r]), s_r)
    b = _normal_on_grid(grid.barcode, np.array([m_b]), s_b)[0]
    if len(grid.replicate) == 1:
        return np.asarray(b[:, None])
    step = grid.barcode[1] - grid.barcode[0]
    at = m_r + rho * s_r * s_b / (s_b**2 + step**2 / 6) * (grid.barcode - m_b)
    return np.asarray(
        b[:, None] * _normal_on_grid(grid.replicate, at, s_r * np.sqrt(1 - rho**2))
    )


def _normal_on_grid(nodes: Array, mean: Array, sd: float) -> Array:
    """Return the mass of N(mean, sd^2) on each node by linear interpolation, shape
    ``(len(mean), len(nodes))``.
    """
    if len(nodes) == 1:
        return np.ones((len(mean), 1))
    z = (nodes - mean[:, None]) / sd
    cumulated = sd * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    slopes = np.diff(cumulated, axis=1) / (nodes[1] - nodes[0])
    return np.maximum(
        np.diff(
            np.concatenate(
                [np.zeros((len(mean), 1)), slopes, np.ones((len(mean), 1))], axis=1
            ),
            axis=1,
        ),
        0.0,
    )


def _log_prior(x: Array) -> float:
    m_b, l_b, m_r, l_r, a = x
    if not (min(l_b, l_r) > NARROWEST and max(l_b, l_r) < WIDEST and abs(a) < STEEPEST):
        return -np.inf
    medians = (
        m_b
        + m_r
        - 0.5
        * (
            (np.exp(m_b) / TYPICAL_BARCODE) ** 2
            + (np.exp(m_r) / TYPICAL_REPLICATE) ** 2
        )
    )
    spreads = l_b + l_r - 0.5 * (np.exp(2 * l_b) + np.exp(2 * l_r)) / SPREAD**2
    return float(medians + spreads - 0.5 * a * a)


def _sample_hyperparameters(loss: _Loss, start: Array) -> tuple[Array, Array]:
    """Return points of the parameters' posterior and their weights."""
    simplex = start + np.vstack([np.zeros(5), np.diag([0.3, 0.5, 0.3, 0.5, 0.5])])
    mode = np.asarray(
        optimize.fmin(
            loss,
            start,
            initial_simplex=simplex,
            maxfun=600,
            xtol=1e-2,
            ftol=1e-2,
            disp=False,
        )
    )
    values, vectors = np.linalg.eigh(_curvature(loss, mode))
    scale = vectors / np.sqrt(np.maximum(values, 1 / FLATTEST**2))
    # quasi-random normal deviates in 5 dims (an additive recurrence), always the same
    root = optimize.brentq(lambda x: x**6 - x - 1, 1.0, 2.0)
    steps = root ** -np.arange(1.0, 6)
    normal = np.asarray(ndtri((0.5 + np.arange(1, N_DRAWS + 1)[:, None] * steps) % 1.0))
    draws = mode + WIDER * normal @ scale.T
    log = np.array([-loss(x) for x in draws]) + 0.5 * (normal**2).sum(1)
    weights = np.exp(log - log.max())
    return draws, weights / weights.sum()


def _curvature(loss: _Loss, at: Array) -> Array:
    """Return the matrix of second differences."""
    steps = STEP * np.eye(len(at))
    up, down = (np.array([loss(at + sign * e) for e in steps]) for sign in (1, -1))
    here, H = loss(at), np.empty((len(at), len(at)))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps[: i + 1]):
            both = (
                loss(at + a + b)
                + loss(at - a - b)
                + 2 * here
                - up[i]
                - down[i]
                - up[j]
                - down[j]
            )
            H[i, j] = H[j, i] = (
                both / (2 * STEP**2)
                if i != j
                else (up[i] + down[i] - 2 * here) / STEP**2
            )
    return np.where(np.isfinite(H) & (np.abs(H) < 1e8), H, 0.0)

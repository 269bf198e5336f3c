"""Negative binomial regression of RNA reads, with a sandwich variance for both layers
of noise.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.attributes import attributes
from causalgia.errors import (
    BarcodeNoiseWarning,
    EstimateError,
    Setting,
    caller_stacklevel,
    quoted,
)
from causalgia.mpra.counts.barcodes import dna_observed, group_sums
from causalgia.mpra.fits.element_effects import (
    FitRequest,
    FittedEffects,
    Layer,
    RatioCells,
    block_names,
    combine_layers,
    element_blocks,
    residual_squares,
)
from causalgia.types import Array, Ints, Mask
from causalgia.workers import mapped

if TYPE_CHECKING:
    from distributed import Client

_CELLS_AT_ONCE = 20_000
_LEAST_REST = 0.01
LN2 = float(np.log(2.0))


def negative_binomial(
    counts: xr.Dataset, request: FitRequest, client: Client | None = None
) -> FittedEffects:
    """Compare arms by negative binomial regression of RNA reads, with DNA as offset and
    a two-layer sandwich variance.

    In each element ``log E[rna] = log dna + arm + replicate``, with one theta an arm,
    by maximum likelihood over the cells with DNA; silent barcodes stay in. The model's
    own standard error treats cells as independent. Here the influence of every cell on
    the effect is summed over the replicates of a barcode and over the barcodes of a
    replicate; with the squares of the residual influence of single cells these give
    ``V_barcode + V_replicate - V_cell`` as in `two_way`, never below the larger of the
    first two, each moderated over elements. A barcode enters with the change that its
    removal would make, ``influence / (1 - leverage)`` (CR3), as few barcodes require.
    Arms may differ in noise: ``V_barcode`` is the sum of each arm's own, on its own n -
    1 degrees of freedom, moderated over elements arm by arm.

    The model is of mean reads, so the effect is the log2 ratio of the *means* of the
    barcodes' activities. It equals the difference of their mean logs, which the other
    methods estimate, where the arms' barcodes are alike up to a factor. Where one arm's
    activities spread more it does not: with lognormal activities of variances s0^2 and
    s1^2 on log2 the two differ by ``ln(2) (s1^2 - s0^2) / 2``. The spreads are
    estimated over all elements (`barcode_spread`); where the gap is significant and
    exceeds a quarter of the typical standard error, an error is raised. With fewer than
    20 elements such a gap goes undetected, and a warning is given.

    DNA reads are treated as known; few reads attenuate the offset, so filter low DNA
    first.

    Returns
    -------
    FittedEffects
        Besides the effects ``v_barcode, v_replicate, v_residual (element, contrast)``
        and ``theta (element, arm)``. Elements without a maximum (an arm without any
        RNA) are not in ``estimated``.

    Raises
    ------
    EstimateError
        If no element has two barcodes in some arm, or two replicates, or none has a
        maximum; or if the barcodes of one arm spread more than those of another.

    Warns
    -----
    BarcodeNoiseWarning
        With fewer than 20 elements.

    References
    ----------
    Lawless (1987), doi:10.2307/3314912. Cameron, Gelbach & Miller (2011),
    doi:10.1198/jbes.2010.07136. Bell & McCaffrey (2002), Survey Methodology 28,
    169-181. Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    reads, (E, A) = _gather_reads(counts, request), request.oligos.shape
    bounds = element_blocks(
        E, most=max(1, int(_CELLS_AT_ONCE * E / max(reads.rna.size, 1)))
    )
    parts = mapped(
        partial(_sandwich, weights=request.weights),
        (reads.of(first, last, A) for first, last in bounds),
        what="the regression",
        names=block_names(bounds),
        client=client,
    )
    found = _Sandwich(
        *(
            np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(_Sandwich)
        )
    )
    return _moderate_sandwich(found, request)


def _gather_reads(counts: xr.Dataset, request: FitRequest) -> _BarcodeReads:
    rna = counts["rna"].to_numpy()
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    used = np.broadcast_to(dna_observed(counts) & (dna > 0), rna.shape)
    group = request.element * len(request.arms) + request.arm
    rows = np.flatnonzero((request.element >= 0) & used.any(axis=1))
    rows = rows[np.argsort(group[rows], kind="stable")]
    whole = np.broadcast_to(dna, rna.shape)[rows].astype(np.float64)
    return _BarcodeReads(
        rna[rows].astype(np.float64),
        whole,
        used[rows],
        group[rows],
        request.oligos.shape,
    )


@dataclass(frozen=True)
class _BarcodeReads:
    """Reads of barcodes with DNA, ``(B, R)``, sorted by element and arm."""

    rna: Array
    dna: Array
    used: Mask
    group: Ints
    shape: tuple[int, int]

    def of(self, first: int, last: int, A: int) -> _BarcodeReads:
        """Return the reads of elements `first` to `last`."""
        i, j = np.searchsorted(self.group, [first * A, last * A])
        shape = (last - first, A)
        return _BarcodeReads(
            self.rna[i:j],
            self.dna[i:j],
            self.used[i:j],
            self.group[i:j] - first * A,
            shape,
        )


@dataclass(frozen=True)
class _Sandwich:
    """Effects and the parts of their variance (natural logs), and the products that
    estimate the spread of barcodes.

    Shapes are ``(E, K)``, except `barcode` ``(E, A, K)``, `theta`, `n` and `n_cells`
    ``(E, A)``, `products` ``(E, A, 2)``, and the rest ``(E,)``.
    """

    effect: Array
    barcode: Array
    replicate: Array
    cell: Array
    df_cell: Array
    theta: Array
    estimated: Mask
    n: Array
    n_cells: Array
    n_replicates: Array
    products: Array

    def layers(self, k: int, squares: Array) -> tuple[list[Layer], Layer, Layer]:
        """Return the layers of contrast k in the estimated elements, for squared
        weights of its arms ``(A,)``.

        Each is the sum of squares relative to its value at a variance of 1; barcodes
        have one layer an arm.
        """
        n, cells, R = (
            self.n[self.estimated],
            self.n_cells[self.estimated],
            self.n_replicates[self.estimated],
        )
        df_cell = self.df_cell[self.estimated]
        of_replicate, of_cell = squares.sum() / np.maximum(R, 1), (1 / cells) @ squares
        again = np.maximum(R, 2) / (np.maximum(R, 2) - 1)
        own = [
            part[self.estimated, ..., k] / LN2**2
            for part in (self.barcode, self.replicate, self.cell)
        ]
        of_barcodes = [
            Layer(
                np.where(n[:, a] > 1, own[0][:, a] * n[:, a], 0.0),
                n[:, a] - 1,
                1 / n[:, [a]],
            )
            for a in range(len(squares))
            if squares[a] > 0 or (n[:, a] > 1).any()
        ]
        return (
            of_barcodes,
            Layer(
                own[1] * again / of_replicate,
                np.maximum(R - 1, 0.0),
                of_replicate[:, None],
            ),
            Layer(
                own[2] * cells.sum(axis=1) / np.maximum(df_cell, 1) / of_cell,
                df_cell,
                of_cell[:, None],
            ),
        )


def _sandwich(reads: _BarcodeReads, weights: Array) -> _Sandwich:
    """Return the sums of squared influence of barcodes, of replicates and of cells on
    each contrast.
    """
    E, A = reads.shape
    fit = regress(
        reads.rna, reads.dna, reads.used, reads.group, reads.shape, theta_by_arm=True
    )
    influence = fit.influence(weights, reads.group)
    element = reads.group // A
    # squared residual influence of cells about barcodes and replicates; by the score
    # equations the barcodes' own deviations cancel in the sum over the barcodes of a
    # replicate, are not in V_replicate, and are not subtracted
    used = reads.used & (fit.weight > 0)
    rows = used.any(axis=1)
    found = [
        residual_squares(
            RatioCells(
                column[rows] * used[rows], used[rows], reads.group[rows], reads.shape
            )
        )
        for column in np.moveaxis(influence, 2, 0)
    ]
    cell, df_cell = (
        np.stack([squares.sum(axis=1) for squares, _ in found], axis=-1),
        found[0][1].sum(axis=1),
    )
    # the share of each barcode in its arm's information, shape ``(B,)``; 0 for a lone
    # barcode
    own = fit.weight.sum(axis=1)
    share = own / np.maximum(
        group_sums(own, reads.group, reads.shape).reshape(-1)[reads.group], 1e-300
    )
    n = np.bincount(reads.group, minlength=int(np.prod(reads.shape)))[reads.group]
    of_barcode = (
        influence.sum(axis=1)
        / (1 - np.where(n > 1, np.minimum(share, 1 - _LEAST_REST), 0.0))[:, None]
    )
    of_replicate = group_sums(influence, element, (E,))
    observed = group_sums(reads.used, reads.group, reads.shape)
    return _Sandwich(
        effect=fit.arm @ weights.T,
        barcode=group_sums(of_barcode**2, reads.group, reads.shape),
        replicate=(of_replicate**2).sum(axis=1),
        cell=cell,
        df_cell=df_cell,
        theta=fit.theta,
        estimated=fit.converged,
        n=group_sums(np.ones(len(element)), reads.group, reads.shape),
        n_cells=observed.sum(axis=2),
        n_replicates=(np.min(observed, axis=1) > 0).sum(axis=1).astype(np.float64),
        products=barcode_products(fit, reads.used, reads.group, reads.shape),
    )


def _moderate_sandwich(found: _Sandwich, request: FitRequest) -> FittedEffects:
    """Moderate the parts of the variance over elements and combine them, on log2."""
    estimated = found.estimated
    if not estimated.any():
        raise EstimateError(
            argument="method",
            value="nb",
            need=": no element has RNA in every arm, beside that of another, so that "
            "no effect is finite",
        )
    columns = [
        combine_layers(*found.layers(k, w)) for k, w in enumerate(request.weights**2)
    ]
    variance, df, *parts = (
        np.concatenate(each, axis=1) for each in zip(*columns, strict=True)
    )
    _check_equal_spread(found.products[estimated], np.sqrt(variance), request)
    dims = ("element", "contrast")
    variables: dict[str, tuple[tuple[str, ...], Array]] = {
        "theta": (("element", "arm"), found.theta[estimated])
    }
    variables |= {
        n: (dims, v)
        for n, v in zip(("v_barcode", "v_replicate", "v_residual"), parts, strict=True)
    }
    attrs = attributes(
        estimand=(
            "contrast of log2 of the barcodes' mean RNA/DNA between arms, in each "
            "element"
        )
    )
    return FittedEffects(
        found.effect[estimated] / LN2,
        np.sqrt(variance),
        df,
        variables,
        attrs,
        estimated,
    )


def _check_equal_spread(products: Array, se: Array, request: FitRequest) -> None:
    """Raise EstimateError where barcodes of the arms spread unequally, so mean reads
    and mean logs differ.
    """
    for k, name in enumerate(request.contrasts):
        found = barcode_spread(products, request.weights[k])
        if found.matters(se[:, k]):
            arms = np.flatnonzero(request.weights[k])
            spreads = ", ".join(
                f"{found.cv[a]:.2f} in arm '{request.arms[a]}'" for a in arms
            )
            raise EstimateError(
                argument="method",
                value="nb",
                need=f": contrast {quoted(name)}, barcodes of the arms spread unequally "
                f"(sd of their activities over the mean: {spreads}), so the log2 "
                f"ratio of mean reads is {found.gap:+.2f} off the difference of "
                "mean log2 activities",
                cure=(
                    "use ",
                    Setting("method", "hierarchical"),
                    " or 'two_way', which estimate the difference",
                ),
            )
    if len(products) < LEAST_ELEMENTS:
        warnings.warn(
            BarcodeNoiseWarning(
                f"``method='nb'`` with {len(products)} element(s): from fewer than "
                f"{LEAST_ELEMENTS} it cannot be seen whether the barcodes of one arm "
                "spread more than those of another, and then p < .05 in up to .17 of true "
                "nulls. Use ``method='two_way'``, unless it is the reads of one arm that "
                "are noisier"
            ),
            stacklevel=caller_stacklevel(),
        )


_SCORING_STEPS = 200
_GAIN_TOLERANCE = 1e-10
_THETA_TOLERANCE = 1e-4
_LARGEST_LOG_RATE = 60.0  # its exponential is a float
_LONGEST_STEP = 3.0
_LEAST_THETA = 1e-4
_MOST_THETA = 1e8
# excess variance relative to Poisson below which Newton steps of theta are rounding
# error
_POISSON = 1e-4


@dataclass(frozen=True)
class Regression:
    """Fits of E elements under A arms in R replicates; all logs natural.

    Attributes
    ----------
    arm
        Log activity of each arm, shape ``(E, A)``; only contrasts of it are identified.
    covariance
        Of arms and replicates by the expected information, shape ``(E, A + R, A + R)``;
        only contrasts are meaningful.
    theta
        Size of the negative binomial, variance ``mu + mu^2 / theta``; shape ``(E,)``,
        or ``(E, A)`` by arm.
    score, weight
        Derivative of the log likelihood in the linear predictor, and its information,
        in every cell, ``(B, R)``.
    converged
        Which elements have a maximum, shape ``(E,)``.
    """

    arm: Array
    covariance: Array
    theta: Array
    score: Array
    weight: Array
    converged: Mask

    def influence(self, weights: Array, group: Ints) -> Array:
        """Return the first-order influence of each cell on contrasts ``(K, A)``, shape
        ``(B, R, K)``.
        """
        E, A = self.arm.shape
        rows = np.einsum("ka,eap->ekp", weights, self.covariance[:, :A])
        of_arm, of_replicate = (
            np.moveaxis(rows[:, :, :A], 1, 2).reshape(E * A, 1, -1),
            np.moveaxis(rows[:, :, A:], 1, 2),
        )
        return np.asarray(
            self.score[:, :, None] * (of_arm[group] + of_replicate[group // A])
        )


def regress(
    rna: Array,
    dna: Array,
    used: Mask,
    group: Ints,
    shape: tuple[int, int],
    *,
    theta_by_arm: bool = False,
) -> Regression:
    """Fit ``log E[rna] = log dna + arm + replicate`` with one theta an element or an
    arm, by maximum likelihood.

    Alternates a Fisher step for arms and replicates with a Newton step for log theta in
    all elements that have not converged. Replicates without RNA carry no information on
    arms and are left out. There is no maximum where an arm has no RNA, or where arms
    share no replicate, not even through other arms.

    Parameters
    ----------
    rna, dna, used
        Reads, and which cells are used (DNA above 0), shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, nondecreasing, shape ``(B,)``.
    shape
        (E, A).
    theta_by_arm
        Whether each arm of an element has its own theta; else they share one, as in
        `MASS::glm.nb`.

    References
    ----------
    Lawless (1987), doi:10.2307/3314912.
    """
    A, R = shape[1], rna.shape[1]
    n_theta = A if theta_by_arm else 1
    reads = group_sums(rna * used, group, shape)
    cells = np.where(used & (reads.sum(axis=1) > 0)[group // A], 1.0, 0.0)
    observed: Mask = np.greater(group_sums(cells, group, shape), 0)
    # elements whose arms are connected through shared replicates
    edges = observed.astype(np.int64)
    arms = np.zeros(observed.shape[:2], dtype=np.int64)
    arms[:, 0] = 1
    for _ in range(observed.shape[1]):
        replicates = (edges * arms[:, :, None]).max(axis=1)
        arms = np.maximum(arms, (edges * replicates[:, None, :]).max(axis=2))
    able = (reads.sum(axis=2) > 0).all(axis=1) & np.asarray(arms.min(axis=1) > 0)
    state = _RegressionState(
        np.log(np.maximum(reads.sum(axis=2), 0.5)),
        np.zeros((shape[0], R)),
        np.full((shape[0], n_theta), 10.0),
    )
    state.arm -= np.log(
        np.maximum(group_sums(dna * cells, group, shape).sum(axis=2), 1.0)
    )
    going = np.flatnonzero(able)
    for _ in range(_SCORING_STEPS):
        if not len(going):
            break
        rows = (
            np.flatnonzero(np.isin(group // A, going))
            if len(going) < shape[0]
            else np.arange(len(group))
        )
        local = np.searchsorted(going, group[rows] // A) * A + group[rows] % A
        part = _ReadCells(rna[rows], dna[rows], cells[rows], local, (len(going), A))
        moved = state.step(part, going)
        going = going[moved > _GAIN_TOLERANCE]
    converged = able.copy()
    converged[going] = False
    whole = _ReadCells(rna, dna, cells, group, shape)
    score, weight, information = whole.at(state.arm, state.replicate, state.theta)
    information[~able] = np.eye(A + R)
    inverse: Array = np.linalg.inv(information).astype(np.float64)
    theta = state.theta if theta_by_arm else state.theta[:, 0]
    return Regression(state.arm, inverse, theta, score, weight, converged)


@dataclass(frozen=True)
class _ReadCells:
    """Cells of some elements: reads, 1 or 0 for used or not, ``(B, R)``, and their
    groups.
    """

    rna: Array
    dna: Array
    used: Array
    group: Ints
    shape: tuple[int, int]

    def mean(self, arm: Array, replicate: Array) -> Array:
        """Return expected RNA, shape ``(B, R)``."""
        log = (
            arm.reshape(-1)[self.group][:, None]
            + replicate[self.group // self.shape[1]]
        )
        return np.asarray(
            self.dna * np.exp(np.clip(log, -_LARGEST_LOG_RATE, _LARGEST_LOG_RATE))
        )

    def of_theta(self, theta: Array) -> Ints:
        """Return the place of each row's theta in ``theta.ravel()``, of shape
        ``(E, A)`` or ``(E, 1)``.
        """
        return self.group if theta.shape[1] > 1 else self.group // self.shape[1]

    def at(
        self, arm: Array, replicate: Array, theta: Array
    ) -> tuple[Array, Array, Array]:
        """Return score and information of every cell, and the regularized information
        of arms and replicates.
        """
        mu = self.mean(arm, replicate)
        shrunk = self.used / (1 + mu / theta.reshape(-1)[self.of_theta(theta)][:, None])
        weight = mu * shrunk
        return (
            (self.rna - mu) * shrunk,
            weight,
            _arm_replicate_information(group_sums(weight, self.group, self.shape)),
        )

    def towards_theta(self, mu: Array, theta: Array) -> tuple[Array, Array]:
        """Return first and second derivatives of the log likelihood in theta, each of
        its shape.
        """
        of_theta = self.of_theta(theta)
        t = theta.reshape(-1)[of_theta][:, None]
        total, over = t + self.rna, t + mu
        first = (
            special.digamma(total)
            - special.digamma(t)
            + np.log(t / over)
            + 1
            - total / over
        )
        second = (
            special.zeta(2, total)
            - special.zeta(2, t)
            + 1 / t
            - 2 / over
            + total / over**2
        )
        both = ((self.used * x).sum(axis=1) for x in (first, second))
        d1, d2 = (group_sums(x, of_theta, theta.shape) for x in both)
        return d1, d2


@dataclass
class _RegressionState:
    """State of the fit: arms ``(E, A)``, replicates ``(E, R)`` and theta ``(E, A)`` or
    ``(E, 1)``.
    """

    arm: Array
    replicate: Array
    theta: Array

    def step(self, cells: _ReadCells, elements: Ints) -> Array:
        """Update some elements, given their cells, by one round; return the largest
        move of each.
        """
        A = cells.shape[1]
        arm, replicate, theta = (
            self.arm[elements],
            self.replicate[elements],
            self.theta[elements],
        )
        score, _, information = cells.at(arm, replicate, theta)
        sums = group_sums(score, cells.group, cells.shape)
        right = np.concatenate([sums.sum(axis=2), sums.sum(axis=1)], axis=1)
        move = np.clip(
            np.linalg.solve(information, right[..., None])[..., 0],
            -_LONGEST_STEP,
            _LONGEST_STEP,
        )
        arm, replicate = arm + move[:, :A], replicate + move[:, A:]
        mu = cells.mean(arm, replicate)
        first, second = cells.towards_theta(mu, theta)
        slope, bend = theta * first, theta**2 * second + theta * first
        newton = np.where(
            bend < 0, -slope / np.where(bend < 0, bend, 1.0), np.sign(slope)
        )
        later = np.clip(
            theta * np.exp(np.clip(newton, -1.5, 1.5)), _LEAST_THETA, _MOST_THETA
        )
        largest = group_sums(mu * cells.used, cells.group, cells.shape).max(axis=2)
        largest = largest if theta.shape[1] > 1 else largest.max(axis=1, keepdims=True)
        later = np.where(largest < _POISSON * later, _MOST_THETA, later)
        self.arm[elements], self.replicate[elements], self.theta[elements] = (
            arm,
            replicate,
            later,
        )
        matters = np.minimum(largest / theta, 1.0)
        of_theta = (np.abs(np.log(later / theta)) * matters * _THETA_TOLERANCE).max(
            axis=1
        )
        return np.asarray(np.maximum(np.abs(move).max(axis=1), of_theta))


def _arm_replicate_information(weight: Array) -> Array:
    """Return the information of arms and replicates from that of their cells,
    ``(E, A, R)``, regularized.

    Adding a constant to all arms and subtracting it from all replicates changes
    nothing; this direction, and replicates without information, are given some, which
    does not affect contrasts of arms.
    """
    _, A, R = weight.shape
    full = np.zeros((len(weight), A + R, A + R))
    diagonal = np.concatenate([weight.sum(axis=2), weight.sum(axis=1)], axis=1)
    full[:, :A, A:], full[:, A:, :A] = weight, np.swapaxes(weight, 1, 2)
    full[:, np.arange(A + R), np.arange(A + R)] = np.where(diagonal > 0, diagonal, 1.0)
    size = np.maximum(weight.sum(axis=(1, 2)), 1e-8) / (A + R)
    observed = np.where(diagonal > 0, np.repeat([1.0, -1.0], [A, R]), 0.0)
    return np.asarray(
        full
        + size[:, None, None] / (A + R) * observed[:, :, None] * observed[:, None, :]
    )


SURE, MATERIAL = 1e-3, 0.25
LEAST_ELEMENTS = 20
"""Fewest elements to show unequal spreads: sd .3 and .6 (.2 and .8) of log2 activities
are found in .05, .30, .74, .98 (.03, .62, .98, 1) of trials with 4, 8, 12, 20 elements
of 20 barcodes in 4 replicates.
"""


def barcode_products(
    fit: Regression, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int]
) -> Array:
    """Return sums of products of relative residuals over pairs of replicates, and the
    number of pairs.

    ``(y_br / mu_br - 1) (y_bs / mu_bs - 1)`` of barcode b in replicates r < s: read
    noise is independent between replicates, so the expectation is the variance of the
    barcodes' activities relative to their squared mean. The fitted mean of n barcodes
    uses one degree of freedom, so pairs are weighted by (n - 1) / n.

    Parameters
    ----------
    fit
        Regression of the reads.
    used
        Which cells are used, shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    Returns
    -------
    array
        Shape ``(E, A, 2)``; 0 in elements without a fit.
    """
    known = used & (fit.weight > 0) & fit.converged[group // shape[1]][:, None]
    x = np.where(known, fit.score / np.where(known, fit.weight, 1.0), 0.0)
    m = known.sum(axis=1)
    found = group_sums(
        np.stack(
            [(x.sum(axis=1) ** 2 - (x**2).sum(axis=1)) / 2, m * (m - 1) / 2], axis=-1
        ),
        group,
        shape,
    )
    n = group_sums((m > 0).astype(np.float64), group, shape)
    found[..., 1] *= (n - 1) / np.maximum(n, 1)
    return found


@dataclass(frozen=True)
class SpreadGap:
    """Log2 ratio of means less the difference of mean logs, in one contrast, over all
    elements.

    Attributes
    ----------
    gap, se, p
        For lognormal activities of barcodes; standard error over elements, and p by t
        on E - 1.
    cv
        Coefficient of variation of the barcodes' activities by arm, shape ``(A,)``.
    """

    gap: float
    se: float
    p: float
    cv: Array

    def matters(self, se: Array) -> bool:
        """Return whether the gap is significant and above a quarter of the typical
        standard error.
        """
        return self.p < SURE and abs(self.gap) > MATERIAL * float(np.median(se))


def barcode_spread(products: Array, weights: Array) -> SpreadGap:
    """Return the log2 ratio of mean activities less the difference of mean logs.

    ``sum_a w_a log2(1 + c_a^2) / 2`` with c_a the coefficient of variation of arm a,
    over all elements.

    Parameters
    ----------
    products
        Of `barcode_products`, shape ``(E, A, 2)``.
    weights
        Of the contrast, shape ``(A,)``.

    Examples
    --------
    >>> products = np.array(
    ...     [
    ...         [[0.3, 10.0], [4.0, 10.0]],
    ...         [[0.5, 10.0], [6.0, 10.0]],
    ...         [[0.4, 10.0], [5.0, 10.0]],
    ...     ]
    ... )
    >>> found = barcode_spread(products, np.array([-1.0, 1.0]))
    >>> round(found.gap, 3), found.cv.round(2)
    (0.264, array([0.2 , 0.71]))
    """
    E, pairs = len(products), products[..., 1].sum(axis=0)
    if E < 2 or not (pairs[weights != 0] > 0).all():
        return SpreadGap(0.0, 0.0, 1.0, np.zeros(len(weights)))
    square = np.where(
        pairs > 0, products[..., 0].sum(axis=0) / np.where(pairs > 0, pairs, 1.0), 0.0
    )
    inside = np.maximum(1 + square, 0.1)
    gap = float(weights @ np.log2(inside)) / 2
    slopes = weights / (2 * np.log(2.0) * inside * np.where(pairs > 0, pairs, 1.0))
    moved = (products[..., 0] - square * products[..., 1]) @ slopes
    se = float(np.sqrt(moved @ moved * E / (E - 1)))
    p = float(2 * special.stdtr(E - 1, -abs(gap) / se)) if se > 0 else 1.0
    return SpreadGap(gap, se, p, np.sqrt(np.maximum(square, 0.0)))

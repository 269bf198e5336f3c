"""Cells of barcode counts as working responses of the hierarchical model, and the exact
likelihood of an oligo.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc

import numpy as np
import xarray as xr
from scipy import optimize

from causalgia.compiled import njit
from causalgia.mpra.counts.barcodes import dna_observed
from causalgia.mpra.fits.element_effects import FitRequest
from causalgia.types import Array, Ints, Mask

NEGLIGIBLE, FREE, SINGULAR = 1e-7, 1e12, 1e-7


@njit(nogil=True)
def precision_sums(
    z: Array, precision: Array, k: Array, lo: int, hi: int, t: float, S: Array, s: Array
) -> tuple[float, float]:
    """Fill S (R, R) and s (R,) with the sums of P_b and P_b z_b; return the sum of z'
    P_b z and of log(1 + T_b a_b).
    """
    R = len(s)
    for r in range(R):
        s[r] = 0.0
        for c in range(R):
            S[r, c] = 0.0
    q, log_det = 0.0, 0.0
    for b in range(lo, hi):
        a, az = 0.0, 0.0
        for r in range(R):
            a += precision[b, r]
            az += precision[b, r] * z[b, r]
        T = t + k[b]
        f = T / (1.0 + T * a)
        log_det += np.log1p(T * a)
        q -= f * az * az
        for r in range(R):
            p = precision[b, r]
            if p == 0.0:
                continue
            q += p * z[b, r] * z[b, r]
            s[r] += p * (z[b, r] - f * az)
            S[r, r] += p
            for c in range(R):
                S[r, c] -= f * p * precision[b, c]
    return q, log_det


@njit(nogil=True, inline="always")
def _oligo_density(
    q: float, log_det: float, values: Array, u: Array, g: Array, t: float
) -> tuple[float, float, float]:
    """Return the restricted log density of an oligo, its mean and the mean's variance,
    at one t_r.
    """
    information, top, quadratic = 0.0, 0.0, q
    for i in range(len(values)):
        shrunk = 1.0 / (1.0 + t * values[i])
        information += u[i] * u[i] * values[i] * shrunk
        top += u[i] * g[i] * shrunk
        quadratic -= t * g[i] * g[i] * shrunk
        log_det -= np.log(shrunk)
    quadratic -= top * top / information
    return (
        -0.5 * (log_det + np.log(information) + quadratic),
        top / information,
        1.0 / information,
    )


@njit(nogil=True, inline="always")
def _eigenbasis(S: Array, s: Array, u: Array, g: Array) -> Array:
    """Return the eigenvalues of S; fill u and g with 1 and s in the basis of its
    eigenvectors.
    """
    values, vectors = np.linalg.eigh(S)
    for i in range(len(values)):
        values[i] = max(values[i], 0.0)
        u[i], g[i] = 0.0, 0.0
        for r in range(len(values)):
            u[i] += vectors[r, i]
            g[i] += vectors[r, i] * s[r]
    return values


@njit(nogil=True)
def element_densities(
    z: Array,
    precision: Array,
    k: Array,
    start: Ints,
    first: Ints,
    tb: Array,
    tr: Array,
) -> Array:
    """Return the restricted log density of each element at each pair of variances,
    shape ``(n, len(tb), len(tr))``; `first` (n + 1,) is where its oligos start.
    """
    R = z.shape[1]
    out = np.zeros((len(first) - 1, len(tb), len(tr)))
    S, s, u, g = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R)
    for n in range(len(first) - 1):
        for o in range(first[n], first[n + 1]):
            for i in range(len(tb)):
                q, log_det = precision_sums(
                    z, precision, k, start[o], start[o + 1], tb[i], S, s
                )
                values = _eigenbasis(S, s, u, g)
                for j in range(len(tr)):
                    out[n, i, j] += _oligo_density(q, log_det, values, u, g, tr[j])[0]
    return out


@njit(nogil=True, inline="always")
def _mixture_quantile(W: Array, d: Array, v: Array, tail: float) -> float:
    """Return the q beyond which, either side, a mixture of N(d, v) has probability
    `tail`.
    """
    high = 0.0
    for n in range(len(W)):
        high = max(high, abs(d[n]) + 8.0 * np.sqrt(v[n]))
    low = 0.0
    average = 0.0
    for n in range(len(W)):
        average += W[n] * v[n]
    q = 2.0 * np.sqrt(average)
    for _ in range(60):
        if not low < q < high:
            q = (low + high) / 2.0
        beyond, slope = 0.0, 0.0
        for n in range(len(W)):
            for sign in (-1.0, 1.0):
                x = (q + sign * d[n]) / np.sqrt(v[n])
                beyond += 0.5 * W[n] * erfc(x / np.sqrt(2.0))
                slope += W[n] * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi * v[n])
        if beyond > tail:
            low = q
        else:
            high = q
        step = (beyond - tail) / slope if slope > 0 else np.inf
        q += step
        if abs(step) < 1e-9 * q:
            break
    return float(q)


@njit(nogil=True)
def contrast_mixtures(
    z: Array,
    precision: Array,
    k: Array,
    start: Ints,
    first: Ints,
    arm: Ints,
    measured: Mask,
    weights: Array,
    tb: Array,
    tr: Array,
    W: Array,
    tails: Array,
) -> tuple[Array, Array]:
    """Return each contrast's mean, (E, K), and the distances at which its tails begin,
    (E, K, len(tails)); nan where it is not `measured` (E, K).

    `arm` (O,) is the arm of each oligo, `weights` (K, A) are the contrasts, `W`
    (E, len(tb), len(tr)) the probabilities of the variance pairs by element, `tails`
    the two-sided tail probabilities.
    """
    R, (E, n_contrasts) = z.shape[1], measured.shape
    mean = np.full((E, n_contrasts), np.nan)
    beyond = np.full((E, n_contrasts, len(tails)), np.nan)
    S, s, u, g = np.empty((R, R)), np.empty(R), np.empty(R), np.empty(R)
    # normal components of an element's contrasts: probability, means and variances
    most = len(tb) * len(tr)
    share = np.empty(most)
    for e in range(E):
        asked = np.flatnonzero(measured[e])
        K = len(asked)
        own = weights[asked]
        at, variance = np.empty((K, most)), np.empty((K, most))
        n, total = 0, 0.0
        for i in range(len(tb)):
            begin = n
            for j in range(len(tr)):
                if W[e, i, j] >= NEGLIGIBLE:
                    share[n] = W[e, i, j]
                    total += share[n]
                    for c in range(K):
                        at[c, n], variance[c, n] = 0.0, 0.0
                    n += 1
            for o in range(first[e], first[e + 1] if n > begin else first[e]):
                a = arm[o]
                q, log_det = precision_sums(
                    z, precision, k, start[o], start[o + 1], tb[i], S, s
                )
                values = _eigenbasis(S, s, u, g)
                here = begin
                for j in range(len(tr)):
                    if W[e, i, j] >= NEGLIGIBLE:
                        _, m, v = _oligo_density(q, log_det, values, u, g, tr[j])
                        for c in range(K):
                            if own[c, a] != 0.0:
                                at[c, here] += own[c, a] * m
                                variance[c, here] += own[c, a] ** 2 * v
                        here += 1
        for j in range(n):
            share[j] /= total
        for c in range(K):
            place, middle = asked[c], 0.0
            for j in range(n):
                middle += share[j] * at[c, j]
            for j in range(n):
                at[c, j] -= middle
            mean[e, place] = middle
            for i in range(len(tails)):
                beyond[e, place, i] = _mixture_quantile(
                    share[:n], at[c, :n], variance[c, :n], tails[i]
                )
    return mean, beyond


@njit(nogil=True)
def residual_density(z: Array, precision: Array, start: Ints) -> float:
    """Return the log density of residuals about barcodes plus replicates, both flat, up
    to a constant.
    """
    R = z.shape[1]
    S, s, u, g, none = (
        np.empty((R, R)),
        np.empty(R),
        np.empty(R),
        np.empty(R),
        np.zeros(len(z)),
    )
    total = 0.0
    for o in range(len(start) - 1):
        q, log_det = precision_sums(
            z, precision, none, start[o], start[o + 1], FREE, S, s
        )
        values = _eigenbasis(S, s, u, g)
        total += q + log_det
        for i in range(R):
            if values[i] > SINGULAR * values[R - 1]:
                total += np.log(values[i]) - g[i] * g[i] / values[i]
        for b in range(start[o], start[o + 1]):
            for r in range(R):
                if precision[b, r] > 0.0:
                    total -= np.log(precision[b, r])
    return -0.5 * total


PSEUDO = 0.5
SURE_DNA, ENOUGH_CELLS, SWEEPS, SCORES = 10, 50, 6, 6


@dataclass(frozen=True, eq=False)
class CountCells:
    """RNA of the N requested barcodes of O oligos, sorted by (element, arm), in R
    replicates; natural logs.

    Attributes
    ----------
    rna, used
        Reads, and whether a cell is used (its DNA was read), shape ``(N, R)``.
    offset
        Log RNA expected at activity 0, up to a constant, shape ``(N, R)``: the
        barcode's DNA and the depth of the RNA library.
    own
        Variance from the cell's own DNA, shape ``(N, R)``.
    shared
        Variance from the barcode's DNA, shared by all its cells, shape ``(N,)``.
    start
        Where the barcodes of each oligo start, shape ``(O + 1,)``.
    first
        Where the oligos of each element start, shape ``(E + 1,)``.
    arm
        Arm of each oligo, shape ``(O,)``.
    share_paired
        Slope of a cell's RNA on its DNA in the replicate, beyond the barcode's DNA in
        all: 1 where DNA and RNA come from the same cells, 0 where the DNA of all
        replicates measures one abundance.
    """

    rna: Array
    used: Mask
    offset: Array
    own: Array
    shared: Array
    start: Ints
    first: Ints
    arm: Ints
    share_paired: float

    @property
    def element(self) -> Ints:
        """Element of each oligo, shape ``(O,)``."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def model_cells(counts: xr.Dataset, request: FitRequest) -> CountCells:
    """Return the cells of the requested barcodes that have DNA somewhere."""
    R, A = counts.sizes["replicate"], len(request.arms)
    place = request.element * A + request.arm
    dna = np.broadcast_to(
        counts["dna"].to_numpy().reshape(len(place), -1), (len(place), R)
    )
    used = np.broadcast_to(dna_observed(counts), dna.shape) & (dna > 0)
    rows = np.flatnonzero((request.element >= 0) & used.any(axis=1))
    rows = rows[np.argsort(place[rows], kind="stable")]
    oligos, start = np.unique(place[rows], return_index=True)
    start = np.append(start, len(rows)).astype(np.int64)
    first = np.searchsorted(oligos, np.arange(len(request.elements) + 1) * A)
    D, used = dna[rows].astype(np.float64), used[rows]
    rna = np.where(used, counts["rna"].to_numpy()[rows], 0).astype(np.float64)
    # else they are one plasmid pool
    paired = not np.array_equal(D, np.repeat(D[:, :1], R, axis=1), equal_nan=True)
    offset, own, shared, theta = _rna_offsets(D, rna, used, start[:-1], paired)
    offset = offset + rna_levels(rna, offset, used)
    return CountCells(
        rna,
        used,
        np.where(used, offset, 0.0),
        own,
        shared,
        start,
        first.astype(np.int64),
        (oligos % A).astype(np.int64),
        theta,
    )


def _rna_offsets(
    dna: Array, rna: Array, used: Mask, first: Ints, paired: bool
) -> tuple[Array, Array, Array, float]:
    """Return RNA offsets of cells, their variances by cell and by barcode, and theta
    (see below).

    Log DNA is ``theta (cell) + (1 - theta) (barcode, all replicates)``: its errors, of
    variance s^2 in one cell, then have covariance ``(1 - theta^2) / sum of 1 / s^2``
    between the cells of a barcode.
    """
    if not paired:
        log, once = (
            np.log(np.maximum(dna, PSEUDO)),
            1.0 / np.maximum(dna.max(axis=1), 1.0),
        )
        return log, np.zeros_like(dna), once, 0.0
    log = np.log(dna + PSEUDO)
    depth = library_levels(log, used)
    theta, dispersion = _dna_rna_pairing(dna, rna, used, first)
    pooled, variance = _barcode_abundance(dna, used, depth, dispersion)
    offset = theta * (log - depth) + (1 - theta) * pooled[:, None]
    own = np.where(used, theta**2 / np.maximum(dna, 1.0), 0.0)
    return offset, own, (1 - theta**2) * variance, theta


def _barcode_abundance(
    dna: Array, used: Mask, depth: Array, dispersion: float
) -> tuple[Array, Array]:
    """Return the log DNA abundance of each barcode over its replicates, by
    quasi-likelihood, and its variance.
    """
    log = np.log((dna * used).sum(1) / (np.exp(depth) * used).sum(1))
    for _ in range(SCORES):
        m = np.exp(depth + log[:, None])
        weight = used / (1 / m + dispersion)
        log = log + (weight * (dna / m - 1)).sum(1) / weight.sum(1)
    return log, 1 / weight.sum(1)


def _dna_rna_pairing(
    dna: Array, rna: Array, used: Mask, first: Ints
) -> tuple[float, float]:
    """Return the slope of RNA on DNA of the same cell within barcodes, and the
    dispersion of DNA.
    """
    sure = used & (rna > 0) & (dna >= SURE_DNA)
    left = sure.sum() - (sure.any(1)).sum() - (np.add.reduceat(sure, first) > 0).sum()
    if left < ENOUGH_CELLS:
        return 0.0, 0.0
    d, r = (_deviations(np.log(x + PSEUDO), sure, first) for x in (dna, rna))
    dispersion = (d**2).sum() / left - (1 / dna[sure]).mean()
    return float(np.clip((d * r).sum() / (d**2).sum(), 0.0, 1.0)), max(
        float(dispersion), 0.0
    )


def _deviations(x: Array, used: Mask, first: Ints) -> Array:
    """Return x less the means of its barcode and of its oligo in the replicate, 0 where
    not used.
    """
    x = np.where(used, x, 0.0)
    of_barcode, of_oligo = (
        np.maximum(used.sum(1, keepdims=True), 1),
        np.maximum(np.add.reduceat(used, first, dtype=int), 1),
    )
    n = np.diff(np.append(first, len(x)))
    for _ in range(SWEEPS):
        x = np.where(used, x - x.sum(1, keepdims=True) / of_barcode, 0.0)
        x = np.where(
            used, x - np.repeat(np.add.reduceat(x, first) / of_oligo, n, axis=0), 0.0
        )
    return x


def library_levels(x: Array, used: Mask) -> Array:
    """Return the least-squares level of each replicate, with a level for each barcode;
    their mean is 0.
    """
    n = np.maximum(used.sum(1), 1)
    x = np.where(used, x, 0.0)
    within = np.diag(used.sum(0).astype(float)) - (used / n[:, None]).T @ used.astype(
        float
    )
    return np.asarray(
        np.linalg.pinv(within, rcond=1e-9) @ (x - used * (x.sum(1) / n)[:, None]).sum(0)
    )


MORE_ZEROS = 0.15


def shallow_columns(rna: Array, used: Mask) -> Mask:
    """Return the replicates that lack RNA in many more cells than another, shape
    ``(R,)``.

    Barcodes without RNA in any replicate are silent, and not counted. In the other
    replicates the logarithm of a cell with reads is nearly that of its mean; in these
    it is nearly that of one read, whatever the mean is.

    Examples
    --------
    >>> rna = np.array([[9, 0], [5, 1], [7, 0], [0, 0]])
    >>> shallow_columns(rna, rna >= 0)
    array([False,  True])
    """
    counted: Mask = used & np.asarray((rna > 0).any(axis=1))[:, None]
    n = counted.sum(axis=0)
    if not n.any():
        return np.zeros(rna.shape[1], dtype=bool)
    zeros = np.where(
        n > 0, (counted & (rna == 0)).sum(axis=0) / np.maximum(n, 1), np.nan
    )
    return np.asarray(zeros > np.nanmin(zeros) + MORE_ZEROS)


def rna_levels(rna: Array, offset: Array, used: Mask) -> Array:
    """Return the level of each replicate's RNA above its offset; the mean of those
    with enough reads is 0.

    By least squares of the logs of cells with reads (`library_levels`). A replicate of
    few reads has the level at which its reads are those expected of its barcodes,
    cells without reads included, from their activity in the other replicates.
    """
    observed, shallow = used & (rna > 0), shallow_columns(rna, used)
    log, deep = np.log(rna + PSEUDO) - offset, observed & ~shallow
    levels = library_levels(log, deep)
    if not shallow.any():
        return levels
    n = deep.sum(axis=1)
    activity = np.where(deep, log - levels, 0.0).sum(axis=1) / np.maximum(n, 1)
    for r in np.flatnonzero(shallow):
        rows = used[:, r] & (n > 0)
        expected = np.exp(offset[rows, r] + activity[rows]).sum()
        if expected > 0:
            levels[r] = np.log((rna[rows, r].sum() + PSEUDO) / expected)
    return levels


ROUNDS, NEWTON, N_BARCODES, FAMILIES = 20, 12, 5_000, 2.0
UNEQUAL, WIDE = 0.5, 5.0
LIMITS = np.log([[1.0, 1e-4], [1e4, 12.0]])
CONVERGED, EXACT, NEVER = 1e-4, 1e-8, 1e-6
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(eq=False)
class Responses:
    """Working responses of N barcodes in R replicates; natural logs.

    Attributes
    ----------
    level
        Expected activity of each cell, shape ``(N, R)``.
    expressed
        Probability that a cell is not silent, shape ``(N, R)``; 0 in unused cells.
    z, precision
        Working activity and its precision given the layers, shape ``(N, R)``.
    reads_each, cell_variance
        Variance of a cell given its barcode and replicate:
        ``reads_each / expected reads + cell_variance``; the first by replicate, shape
        ``(R,)``.
    silent_cell, silent_barcode
        Probability that a barcode is silent in one replicate, and in all.
    """

    level: Array
    expressed: Array
    z: Array
    precision: Array
    reads_each: Array
    cell_variance: float
    silent_cell: float
    silent_barcode: float


def first_responses(cells: CountCells) -> Responses:
    """Return responses at each oligo's level, without zeros where most of its cells
    have reads.
    """
    observed, first = cells.used & (cells.rna > 0), cells.start[:-1]
    n = np.diff(cells.start)
    share = np.add.reduceat(observed.sum(1), first) / np.add.reduceat(
        cells.used.sum(1), first
    )
    counted = np.where(np.repeat(share >= 0.5, n)[:, None], observed, cells.used)
    reads = np.add.reduceat((cells.rna * counted).sum(1), first) + PSEUDO
    expected = np.add.reduceat((np.exp(cells.offset) * counted).sum(1), first)
    level = np.repeat(np.log(reads / expected), n)[:, None] + np.zeros(cells.rna.shape)
    z = np.where(counted, np.log(cells.rna + PSEUDO) - cells.offset, 0.0)
    return set_cell_noise(
        cells,
        Responses(
            level,
            counted.astype(float),
            z,
            np.zeros_like(z),
            np.ones(z.shape[1]),
            0.1,
            0.01,
            0.01,
        ),
    )


def respond(cells: CountCells, responses: Responses, tb: Array, tr: Array) -> Responses:
    """Iterate responses to their fixed point at given variances of each element's
    layers, shape ``(E,)`` each.

    Each oligo gets an extra half read (or half a family of reads), spread over its
    cells, so that an oligo without reads has a level (Firth's correction of a Poisson
    mean).
    """
    n = np.maximum(np.add.reduceat(cells.used.sum(1), cells.start[:-1]), 1)
    extra = np.repeat(PSEUDO / n, np.diff(cells.start))
    rna, offset = (
        cells.rna / responses.reads_each,
        cells.offset - np.log(responses.reads_each),
    )
    for _ in range(ROUNDS):
        before = responses.level.copy()
        _working_responses(
            rna,
            extra,
            cells.used,
            offset,
            cells.own,
            responses.level,
            responses.expressed,
            responses.cell_variance,
            responses.z,
            responses.precision,
        )
        responses.silent_cell, responses.silent_barcode = _update_levels(
            rna,
            cells.used,
            offset,
            cells.shared,
            cells.start,
            tb[cells.element],
            tr[cells.element],
            responses.z,
            responses.precision,
            responses.cell_variance,
            responses.silent_cell,
            responses.silent_barcode,
            _NODES,
            _WEIGHTS,
            responses.level,
            responses.expressed,
        )
        if np.abs(responses.level - before).max() < CONVERGED:
            break
    return responses


def set_cell_noise(cells: CountCells, responses: Responses) -> Responses:
    """Estimate the noise of cells from the likelihood of residuals about barcodes plus
    replicates.

    A cell of m reads has variance ``reads_each / m + cell_variance``: reads that come
    in families (amplified from one molecule) count as families, of a size that each
    replicate has for itself, because a library that was sequenced to a hundredth of the
    others has few reads of a molecule. The sizes have a normal prior about a common one
    on the log. About 5,000 barcodes are used, of elements evenly over the table.
    """
    step = max(1, int(np.ceil(cells.start[-1] / N_BARCODES)))
    keep = np.flatnonzero(cells.element % step == 0)
    rows = np.concatenate([np.arange(cells.start[o], cells.start[o + 1]) for o in keep])
    start = np.append(0, np.cumsum(np.diff(cells.start)[keep])).astype(np.int64)
    z, expressed, own = (
        responses.z[rows],
        (responses.expressed[rows] > 0.5).astype(np.float64),
        cells.own[rows],
    )
    each = np.exp(-(cells.offset + responses.level)[rows])

    def loss(sizes: Array, phi: float) -> float:
        noise = each * np.exp(sizes) + own + np.exp(phi)
        apart = (sizes - sizes.mean()) / UNEQUAL
        prior = 0.5 * (sizes.mean() / FAMILIES) ** 2 + 0.5 * float(apart @ apart)
        return float(prior - residual_density(z, expressed / noise, start))

    def of_all(x: Array) -> float:
        inside = np.clip(x, *LIMITS)
        outside = float(((x - inside) ** 2).sum())
        return outside + loss(np.clip(inside[0] + apart, *LIMITS[:, 0]), inside[1])

    def of_one(x: float) -> float:
        return loss(np.where(which == r, x, sizes), phi)

    sizes = np.log(responses.reads_each)
    apart = sizes - sizes.mean()
    at = np.array([sizes.mean(), np.log(responses.cell_variance)])
    simplex = at + np.array([[0.0, 0.0], [0.7, 0.0], [0.0, 0.7]])
    found = optimize.fmin(
        of_all, at, initial_simplex=simplex, xtol=1e-2, ftol=1e-2, maxfun=60, disp=False
    )
    common, phi = np.clip(found, *LIMITS)
    sizes, which = np.clip(common + apart, *LIMITS[:, 0]), np.arange(len(apart))
    for r in which if len(which) > 1 else ():
        ends = np.clip([sizes[r] - WIDE, sizes[r] + WIDE], *LIMITS[:, 0])
        sizes[r] = optimize.minimize_scalar(
            of_one, bounds=ends, method="bounded", options={"xatol": 0.05}
        ).x
    responses.reads_each, responses.cell_variance = np.exp(sizes), float(np.exp(phi))
    return responses


@njit(nogil=True)
def _working_responses(
    rna: Array,
    extra: Array,
    used: Mask,
    offset: Array,
    own: Array,
    level: Array,
    expressed: Array,
    phi: float,
    z: Array,
    precision: Array,
) -> None:
    """Set z and precision at the mode of the cell's own departure x, where
    ``r - m e^x = x / phi``.
    """
    for b in range(len(rna)):
        for r in range(rna.shape[1]):
            if not used[b, r]:
                z[b, r], precision[b, r] = 0.0, 0.0
                continue
            m, reads = np.exp(offset[b, r] + level[b, r]), rna[b, r] + extra[b]
            x = np.log(reads / m)
            if reads < m:
                x = max(x, -phi * m)
            for _ in range(NEWTON):
                here = m * np.exp(x)
                step = (reads - here - x / phi) / (here + 1.0 / phi)
                x += step
                if abs(step) < EXACT:
                    break
            here = m * np.exp(x)
            z[b, r] = level[b, r] + x + (reads - here) / here
            precision[b, r] = expressed[b, r] / (1.0 / m + own[b, r] + phi)


@njit(nogil=True)
def _zero_probability(m: float, phi: float) -> float:
    return float(np.exp(-np.log1p(phi * m) / phi))


@njit(nogil=True, inline="always")
def _predict_levels(
    z: Array, precision: Array, shared: Array, lo: int, hi: int, T: float, t: float
) -> tuple[Array, Array]:
    """Return the best prediction of an oligo's level in each replicate, (R,), and of
    its barcodes about it.
    """
    R = z.shape[1]
    S, s, ones = np.empty((R, R)), np.empty(R), np.empty(R)
    precision_sums(z, precision, shared, lo, hi, T, S, s)
    # (1 + t S) has no need of pivots: numba's own solver takes 4 s to compile
    for r in range(R):
        ones[r] = 0.0
        for c in range(R):
            ones[r] += S[r, c]
            S[r, c] *= t
        S[r, r] += 1.0
    for r in range(R):
        for c in range(r + 1, R):
            f = S[c, r] / S[r, r]
            ones[c] -= f * ones[r]
            s[c] -= f * s[r]
            for i in range(r + 1, R):
                S[c, i] -= f * S[r, i]
    top, bottom = 0.0, 0.0
    for r in range(R - 1, -1, -1):
        for c in range(r + 1, R):
            ones[r] -= S[r, c] * ones[c]
            s[r] -= S[r, c] * s[c]
        ones[r] /= S[r, r]
        s[r] /= S[r, r]
        top += s[r]
        bottom += ones[r]
    mu = top / bottom
    level = np.empty(R)
    for r in range(R):
        level[r] = mu + t * (s[r] - mu * ones[r])
    own = np.empty(hi - lo)
    for b in range(lo, hi):
        a, left = 0.0, 0.0
        for r in range(R):
            a += precision[b, r]
            left += precision[b, r] * (z[b, r] - level[r])
        own[b - lo] = left * (T + shared[b]) / (1.0 + a * (T + shared[b]))
    return level, own


@njit(nogil=True)
def _update_levels(
    rna: Array,
    used: Mask,
    offset: Array,
    shared: Array,
    start: Ints,
    tb: Array,
    tr: Array,
    z: Array,
    precision: Array,
    phi: float,
    p_cell: float,
    p_barcode: float,
    nodes: Array,
    weights: Array,
    level: Array,
    expressed: Array,
) -> tuple[float, float]:
    """Set the predicted level of each cell and its probability of being expressed;
    return the silent shares. `tb` and `tr` are the variances of each oligo, (O,).

    The shares are posterior means under a Beta(1, 100).
    """
    silent_cells, cells, silent_barcodes = 1.0, 100.0, 1.0
    for o in range(len(start) - 1):
        T = tb[o]
        of_oligo, own = _predict_levels(
            z, precision, shared, start[o], start[o + 1], T, tr[o]
        )
        for b in range(start[o], start[o + 1]):
            reads = 0.0
            for r in range(rna.shape[1]):
                level[b, r] = of_oligo[r] + own[b - start[o]]
                reads += rna[b, r]
            if reads == 0.0:
                sd, chance = np.sqrt(T + shared[b]), 0.0
                for i in range(len(nodes)):
                    each = weights[i]  # no reads in any replicate
                    for r in range(rna.shape[1]):
                        if used[b, r]:
                            each *= _zero_probability(
                                np.exp(offset[b, r] + of_oligo[r] + nodes[i] * sd), phi
                            )
                    chance += each
                p = p_barcode / (p_barcode + (1.0 - p_barcode) * chance)
                silent_barcodes += p
                for r in range(rna.shape[1]):
                    expressed[b, r] = used[b, r] * max(1.0 - p, NEVER)
                continue
            for r in range(rna.shape[1]):
                p = 0.0
                if rna[b, r] == 0.0 and used[b, r]:
                    p = p_cell / (
                        p_cell
                        + (1.0 - p_cell)
                        * _zero_probability(np.exp(offset[b, r] + level[b, r]), phi)
                    )
                cells += used[b, r]
                silent_cells += p
                expressed[b, r] = used[b, r] * max(1.0 - p, NEVER)
    return silent_cells / cells, silent_barcodes / (len(rna) + 100.0)

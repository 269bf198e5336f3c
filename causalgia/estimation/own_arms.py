"""One estimator for every layout of units by arms: generalized least squares over the
cells of a contrast's own arms, with a random unit. Arrays in, arrays out.

No other arm, contrast or task changes an estimate. Where every unit has all own arms it
is the mean of the individual effects (`causalgia.estimation.crossover.mean_ice`); where
none has two of them, the difference of the arms' means with Neyman's error and Welch's
degrees of freedom (`causalgia.estimation.parallel`). The functions of these two modules,
also those of moments of a stream, are closed forms of this estimator; tables between the
two are fitted here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from causalgia.effects.scales import bound_of_alike
from causalgia.estimation.cells import pooled_error_of_clusters, root_n_skewness_of
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.standard_errors import bell_mccaffrey_df
from causalgia.numerics.moments import (
    centered,
    root_sum_squares,
    satterthwaite,
)
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array, Codes, Mask

_RATIOS = np.append(0.0, np.logspace(-4, 10, 29))
"""Ratios of the variances (units over rest) between which the likelihood's maximum is
looked for. Beyond the last, units without a pair have no weight to speak of."""
_PASSES = 9
"""Each divides what lies between two ratios in 29."""


@dataclass(frozen=True)
class OwnArms:
    """Estimates of K contrasts in T tasks, each from the cells of its own arms.

    Attributes
    ----------
    ace, se, df
        Estimate, CR2 standard error and Satterthwaite's degrees of freedom, ``(K, T)``.
    factor
        Contributions psi of the independent units (or parents), shape ``(G, K, T)``;
        0 for those without any own arm. ``factor' factor`` is the covariance of the
        contrasts of a task.
    skewness
        ``sum psi^3 / (sum psi^2)^1.5`` times the root of `n_clusters`, ``(K, T)``; of
        independent units of one arm each, psi without CR2, as of a parallel trial.
    leverage
        Largest share of one of them in ``se**2``, shape ``(K, T)``.
    largest
        Largest |effect| of a unit that has all own arms, 0 where none has; shape
        ``(K, T)``.
    n_units, n_clusters
        Units with any own arm, and the independent ones (parents) among them.
    n
        Independent units of the contrast's smallest arm, shape ``(K, T)``.
    se_pooled, df_pooled
        Error and df by variances that the arms have in common, ``(K, T)``; error 0
        where a unit has two of the contrast's arms.
    """

    ace: Array
    se: Array
    df: Array
    factor: Array
    skewness: Array
    leverage: Array
    largest: Array
    n_units: Codes
    n_clusters: Codes
    n: Codes
    se_pooled: Array
    df_pooled: Array

    @property
    def known(self) -> Mask:
        """Whether each own arm has two independent units, shape ``(K, T)``. Where not,
        `se` is the range of the outcomes and says nothing.
        """
        return np.asarray(self.n >= 2)


def own_arms(
    Y: Array, W: Array, parent: Codes | None = None, *, rounding: Array | None = None
) -> OwnArms:
    r"""Estimate contrasts of arms, each from the cells of its own arms.

    :math:`y_{ua} = \mu_a + b_u + e_{ua}` over the arms a with :math:`w_a \ne 0`, the
    variances of b and e by restricted maximum likelihood (that of b may be 0);
    :math:`ACE = \sum_a w_a \hat\mu_a` by generalized least squares. The error is CR2
    over independent units g (parents, where units share them), with the fitted V as
    working model: :math:`\psi_g = c' M X_g' V_g^{-1} A_g e_g`,
    :math:`M = (X' V^{-1} X)^{-1}`, where the symmetric :math:`A_g` solves
    :math:`A_g (V_g - X_g M X_g') A_g = V_g`; :math:`se^2 = \sum_g \psi_g^2` on
    Satterthwaite's df of that sum under the working model (independent units without
    pairs: Welch's).

    Parameters
    ----------
    Y
        Outcomes, NaN where a unit lacks an arm, shape ``(n, A, T)``.
    W
        Weights of the contrasts, shape ``(K, A)``. Every arm of a contrast has a unit
        in every task.
    parent
        Parent of each unit, 0 to G - 1, shape ``(n,)``; None: units are independent.
    rounding
        Bound on the rounding of each outcome, of the shape of `Y`; None: that of a
        calculation.

    Notes
    -----
    Cells must be missing at random: whether one is missing must not depend on what it
    would have been, given the other cells of its unit. The error holds whatever the true
    variances are. Units with the same arms share all matrices, and so do parents with
    the same numbers of them: within a parent only the sums over its alike units matter.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545. Bell & McCaffrey (2002),
    Survey Methodology 28(2), 169-181. Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004. Rubin (1976), doi:10.1093/biomet/63.3.581.

    Examples
    --------
    >>> nan = np.nan
    >>> y = np.array([[1.0, 2.5], [4.0, 5.0], [0.5, nan], [2.0, 3.8], [nan, 4.0]])
    >>> found = own_arms(y[:, :, None], np.array([[-1.0, 1.0]]))
    >>> found.ace.round(3), found.se.round(3), found.df.round(2)
    (array([[1.466]]), array([[0.232]]), array([[2.1]]))
    """
    n, _, n_tasks = Y.shape
    group = np.arange(n) if parent is None else parent
    bound = bound_of_alike(Y, np.zeros_like(Y) if rounding is None else rounding)
    shape, n_groups = (len(W), n_tasks), int(group.max()) + 1
    ace, df, largest, skewness, se_pooled = np.zeros((5, *shape))
    df_pooled = np.ones(shape)
    n_units, n_clusters, least = np.zeros((3, *shape), dtype=np.intp)
    factor = np.zeros((n_groups, *shape))
    for k, row in enumerate(W):
        own = np.flatnonzero(row)
        w = row[own]
        for t in range(n_tasks):
            y = Y[:, own, t]
            units = np.flatnonzero(np.isfinite(y).any(axis=1))
            y, within = y[units], bound[:, own, t][units]
            there = np.isfinite(y)
            groups, codes = np.unique(group[units], return_inverse=True)
            in_arm = np.zeros((len(groups), len(own)), dtype=bool)
            np.logical_or.at(in_arm, codes, there)
            least[k, t] = in_arm.sum(axis=0).min()
            n_units[k, t], n_clusters[k, t] = len(units), len(groups)
            ice = _weighted(y[there.all(axis=1)], w)
            # no unit shows an effect where each has one arm
            largest[k, t] = np.abs(ice).max(initial=0.0)
            clusters = None if parent is None else codes
            if least[k, t] < 2:
                found = _unknown(y, w, in_arm)
            elif there.all():
                found = _mean(ice, _weighted(within, np.abs(w)), clusters)
            else:
                found = _gls(y, w, np.where(there, within, 0.0), clusters)
            ace[k, t], factor[groups, k, t], df[k, t] = found
            varies = bool(found[1].any())
            skewness[k, t] = root_n_skewness_of(found[1])
            if least[k, t] >= 2 and (there.sum(axis=1) == 1).all():
                arm = there.argmax(axis=1)
                weight = (w / there.sum(axis=0))[arm]
                residual = centered(y[np.arange(len(y)), arm, None], arm)[1]
                pooled, df_pooled[k, t] = (
                    x.item()
                    for x in pooled_error_of_clusters(
                        weight, residual, arm, codes, len(w)
                    )
                )
                se_pooled[k, t] = pooled * varies
                if clusters is None:
                    skewness[k, t] = varies * root_n_skewness_of(
                        weight * residual[:, 0]
                    )
    se, leverage = root_sum_squares(factor)
    return OwnArms(
        ace=ace,
        se=se,
        df=df,
        factor=factor,
        skewness=np.where(least >= 2, skewness * np.sqrt(n_clusters), 0.0),
        leverage=leverage,
        largest=largest,
        n_units=n_units,
        n_clusters=n_clusters,
        n=least,
        se_pooled=se_pooled,
        df_pooled=df_pooled,
    )


def _weighted(cells: Array, w: Array) -> Array:
    """Return the weighted sums over the columns of cells, shape ``(n,)``."""
    total = np.zeros(len(cells))
    for a, weight in enumerate(w):
        total += weight * cells[:, a]
    return total


def _mean(ice: Array, bound: Array, codes: Codes | None) -> tuple[float, Array, float]:
    """Return ACE, contributions and df of a contrast whose units have all own arms."""
    constant, zero = agreement(ice, bound)
    if constant:
        ice = np.full(len(ice), 0.0 if zero else centered(ice)[0][0])
    found = mean_ice(ice, codes)
    return float(found.ace), found.factor, float(found.df)


def _unknown(cells: Array, w: Array, in_arm: Mask) -> tuple[float, Array, float]:
    """Return the difference of the arms' means, of which one is of a single independent
    unit; the range of the outcomes stands for its error.
    """
    few = int(in_arm.sum(axis=0).argmin())
    psi = np.where(np.cumsum(in_arm[:, few]) == 1, in_arm[:, few], 0.0)
    psi = psi * (np.nanmax(cells) - np.nanmin(cells))
    return float(w @ np.nanmean(cells, axis=0)), psi, 1.0


def _gls(
    y: Array, w: Array, bound: Array, parent: Codes | None
) -> tuple[float, Array, float]:
    """Return ACE, contributions and df of a contrast of which some units lack an arm."""
    cells = _Cells.of(y)
    there, joined = cells.there, cells.sizes[-1] > 1
    codes = np.arange(len(y)) if parent is None else parent
    # differences inside units that no effect takes up; without any they have no variance
    free = there.sum() - len(there) - (len(w) - cells.null.sum())
    ratio = cells.ratio() if free > 0 else 0.0
    (H,), (v,), (scale,) = cells.equations(np.array([ratio]))
    basis = cells.basis * scale
    levels = cells.center + basis @ np.linalg.solve(H, v)
    ace = float(w @ levels)
    across = np.abs(w @ cells.basis[:, cells.null]).max() > 1e-9 * np.abs(w).max()
    if cells.alike(2 * bound.max(axis=1, keepdims=True), inside=joined and not across):
        within = np.abs(w) @ (bound.sum(axis=0) / there.sum(axis=0))
        pairs = len(np.unique(codes[there.sum(axis=1) > 1]))
        zero = np.zeros(int(codes.max()) + 1)
        return 0.0 if abs(ace) <= within else ace, zero, max(pairs - 1.0, 1.0)
    weight, df = _weights_of_cells(there, ratio, H, basis, w, codes)
    pieces = weight * np.where(there, y - levels, 0.0)
    if not joined:
        for a in range(len(w)):
            own = there[:, a]
            if agreement(y[own, a], bound[own, a])[0]:
                pieces[:, a] = 0.0
        if parent is None:
            df = float(satterthwaite((pieces**2).sum(axis=0), there.sum(axis=0) - 1.0))
    psi: Array = np.asarray(np.bincount(codes, pieces.sum(axis=1)), dtype=np.float64)
    return ace, psi, df


@dataclass(frozen=True)
class _Cells:
    """The cells of a contrast's m own arms, as what the likelihood needs.

    Outcomes are taken from the arms' levels by least squares with fixed units, so that
    neither an offset nor large differences between units cost digits. In ``basis``,
    where the first columns (``null``) are the levels of the parts of the table that no
    unit joins, what pairs tell and what levels tell are apart.

    Attributes
    ----------
    there
        Shape ``(n, m)``; every unit has an arm.
    center
        Levels of the arms that were subtracted, shape ``(m,)``.
    off
        Outcomes without these, 0 where missing, shape ``(n, m)``.
    basis, null
        Shapes ``(m, m)`` and ``(m,)``.
    inside
        Information of differences inside units, shape ``(m, m)``, in the basis.
    sizes
        The numbers k of own arms that units have, shape ``(J,)``; by them, sums over
        units of ``x x' / k``, ``x S / k``, ``S^2 / k`` and 1, with S a unit's total:
        ``of_levels (J, m, m)``, ``totals (J, m)``, ``squares, counts (J,)``.
    rest
        Sum of squares inside units.
    """

    there: Mask
    center: Array
    off: Array
    basis: Array
    null: Mask
    inside: Array
    sizes: Codes
    of_levels: Array
    totals: Array
    squares: Array
    counts: Array
    rest: float

    @classmethod
    def of(cls, y: Array) -> _Cells:
        """Return those of outcomes with gaps, shape ``(n, m)``."""
        there = np.isfinite(y)
        x, k = there.astype(np.float64), there.sum(axis=1)
        sizes = np.unique(k)
        by_size = [x[k == size] for size in sizes]
        of_levels = np.stack(
            [z.T @ z / size for z, size in zip(by_size, sizes, strict=True)]
        )
        n_cells = x.sum(axis=0)
        together = of_levels[sizes > 1].sum(axis=0) > 0
        n_parts, part = scipy.sparse.csgraph.connected_components(
            scipy.sparse.csr_array(together), False
        )
        parts = np.eye(n_parts)[part] / np.sqrt(np.bincount(part))
        basis = np.linalg.qr(parts, mode="complete")[0]
        basis[:, :n_parts] = parts
        null = np.arange(len(part)) < n_parts
        inside = basis.T @ (np.diag(n_cells) - of_levels.sum(axis=0)) @ basis
        inside[null] = inside[:, null] = 0.0
        # from the arms' means, then by least squares with a level for each unit, then
        # from the mean of each part
        center = np.where(there, y, 0.0).sum(axis=0) / n_cells
        off = np.where(there, y - center, 0.0)
        side = np.where(null, 0.0, basis.T @ _inside_units(off, there).sum(axis=0))
        moved = basis @ np.linalg.solve(inside + np.diag(null), side)
        center, off = center + moved, off - moved * x
        means = np.bincount(part, off.sum(axis=0)) / np.bincount(part, n_cells)
        center, off = center + means[part], off - means[part] * x
        sums = [
            (z, off[k == size].sum(axis=1))
            for z, size in zip(by_size, sizes, strict=True)
        ]
        return cls(
            there=there,
            center=center,
            off=off,
            basis=basis,
            null=null,
            inside=inside,
            sizes=sizes,
            of_levels=basis.T @ of_levels @ basis,
            totals=np.stack([total @ z for z, total in sums]) @ basis / sizes[:, None],
            squares=np.array([total @ total for _, total in sums]) / sizes,
            counts=np.array([len(z) for z in by_size]),
            rest=float((_inside_units(off, there) ** 2).sum()),
        )

    def equations(self, ratio: Array) -> tuple[Array, Array, Array]:
        """Return ``X' V^-1 X``, ``X' V^-1 y`` and the scale of the basis in which they
        stand, for ratios of the variances, shape ``(r,)``.
        """
        tau = 1 + ratio[:, None] * self.sizes
        scale = np.where(self.null, np.sqrt(1 + ratio)[:, None], 1.0)
        H = self.inside + np.tensordot(1 / tau, self.of_levels, axes=1)
        return (
            scale[:, :, None] * H * scale[:, None, :],
            scale * ((1 / tau) @ self.totals),
            scale,
        )

    def deviance_and_slope(self, ratio: Array) -> tuple[Array, Array]:
        """Return minus twice the restricted log likelihood at ratios of the variances,
        maximized over the rest, and its derivative in the ratio, shape ``(r,)``.
        """
        (H, v, scale), k = self.equations(ratio), self.sizes
        tau, inverse = 1 + ratio[:, None] * k, np.linalg.inv(H)
        beta = (inverse @ v[:, :, None])[:, :, 0]
        rest = self.rest + (self.squares / tau).sum(axis=1) - (v * beta).sum(axis=1)
        rest = np.maximum(rest, 1e-290)  # df over it is a float
        df, b = self.there.sum() - v.shape[1], scale * beta
        deviance = (
            df * np.log(rest)
            + np.log(tau) @ self.counts
            + np.linalg.slogdet(H)[1]
            - self.null.sum() * np.log1p(ratio)
        )
        inverse *= scale[:, :, None] * scale[:, None, :]
        trace = np.tensordot(inverse, self.of_levels, axes=([1, 2], [1, 2]))
        squares = ((b @ self.of_levels) * b).sum(axis=2).T
        between = self.squares - 2 * b @ self.totals.T + squares
        slope = self.counts * k / tau - k / tau**2 * (
            trace + between * (df / rest)[:, None]
        )
        return deviance, slope.sum(axis=1)

    def ratio(self) -> float:
        """Return the variance of units over that of the rest, by REML."""
        best = int(self.deviance_and_slope(_RATIOS)[0].argmin())
        low, high = _RATIOS[max(best - 1, 0)], _RATIOS[min(best + 1, len(_RATIOS) - 1)]
        for _ in range(_PASSES):
            between = np.linspace(low, high, len(_RATIOS))
            rises = self.deviance_and_slope(between)[1] > 0
            at = int(rises.argmax()) if rises.any() else len(between) - 1
            low, high = between[max(at - 1, 0)], between[at]
        return float(high)

    def alike(self, bound: Array, *, inside: bool) -> bool:
        """Return whether rounding explains all that a contrast varies by: of one
        `inside` units what differs inside them, else every outcome.
        """
        n, m = self.there.shape
        if inside and self.there.sum() > n + m - self.null.sum():
            return bool((np.abs(_inside_units(self.off, self.there)) <= bound).all())
        return bool((np.abs(self.off) <= bound).all())


def _inside_units(off: Array, there: Mask) -> Array:
    """Return outcomes without the mean of their unit, 0 where missing."""
    means = off.sum(axis=1) / there.sum(axis=1)
    return np.where(there, off - means[:, None], 0.0)


def _weights_of_cells(
    there: Mask, ratio: float, H: Array, basis: Array, w: Array, codes: Codes
) -> tuple[Array, float]:
    """Return the weight of each cell's residual in the contribution of its unit or
    parent, shape ``(n, m)``, and Satterthwaite's df.

    Inside a group the units with the same arms count by their sum: to each such pattern
    belong the mean over its arms and the differences, whose variances are ``1 + k
    ratio`` and 1.
    """
    patterns, of_unit = np.unique(there, axis=0, return_inverse=True)
    of_unit, frames = of_unit.ravel(), [_frame(row) for row in patterns]
    if codes.max() + 1 == len(codes):
        kinds, kind = np.eye(len(patterns), dtype=np.intp), of_unit[np.argsort(codes)]
    else:
        counts = np.zeros((codes.max() + 1, len(patterns)), dtype=np.intp)
        np.add.at(counts, (codes, of_unit), 1)
        kinds, kind = np.unique(counts, axis=0, return_inverse=True)
        kind = kind.ravel()
    rows, rests = [], []
    for row in kinds:
        there_p = np.flatnonzero(row)
        means = np.stack([np.sqrt(row[p]) * frames[p][0] for p in there_p])
        inside = np.concatenate([np.sqrt(row[p]) * frames[p][1:] for p in there_p])
        # differences have one variance, so that only what the levels span matters
        rest = None
        if len(inside) > len(w):
            rest, inside = np.linalg.qr(inside)
        rows.append((means, inside))
        rests.append(rest)
    width = max(len(means) + len(inside) for means, inside in rows)
    X, variance = np.zeros((len(kinds), width, len(w))), np.ones((len(kinds), width))
    sizes = patterns.sum(axis=1)
    for i, (means, inside) in enumerate(rows):
        X[i, : len(means) + len(inside)] = np.concatenate([means, inside]) @ basis
        variance[i, : len(means)] = 1 + ratio * sizes[kinds[i] > 0]
    inverse = np.linalg.inv(H)
    G = _diagonal(variance) - X @ inverse @ np.swapaxes(X, 1, 2)
    A = geometric_mean(_inverse(G), _diagonal(variance))
    q = np.einsum("icd,id->ic", A, (X @ (inverse @ (basis.T @ w))) / variance)
    loading = np.einsum("icm,ic->im", X, q) @ np.linalg.cholesky(inverse)
    df = bell_mccaffrey_df((variance * q**2).sum(axis=1)[kind], loading[kind])
    of_pattern = np.zeros((len(kinds), len(patterns), len(w)))
    for i, (means, inside) in enumerate(rows):
        levels, rest = np.split(q[i, : len(means) + len(inside)], [len(means)])
        if rests[i] is not None:
            rest = rests[i] @ rest
        start = 0
        for p, level in zip(np.flatnonzero(kinds[i]), levels, strict=True):
            own = np.append(level, rest[start : start + sizes[p] - 1])
            of_pattern[i, p] = own @ frames[p] / np.sqrt(kinds[i, p])
            start += sizes[p] - 1
    return of_pattern[kind[codes], of_unit], df


def _frame(has: Mask) -> Array:
    """Return orthonormal rows on the arms of a pattern: their mean, and differences."""
    on = np.flatnonzero(has)
    frame = np.zeros((len(on), len(has)))
    for i in range(len(on)):
        if i == 0:
            frame[0, on] = 1 / np.sqrt(len(on))
        else:
            frame[i, on[:i]], frame[i, on[i]] = 1.0, -float(i)
            frame[i] /= np.sqrt(i * (i + 1.0))
    return frame


def _diagonal(values: Array) -> Array:
    return values[:, :, None] * np.eye(values.shape[1])


def _inverse(P: Array) -> Array:
    """Return the inverses of positive matrices whose rows may differ much in size."""
    size = 1 / np.sqrt(np.einsum("icc->ic", P))
    size = size[:, :, None] * size[:, None, :]
    return np.asarray(np.linalg.inv(P * size) * size)


def geometric_mean(P: Array, Q: Array) -> Array:
    """Return the geometric mean of positive matrices, which solves ``A P^-1 A = Q``,
    shape ``(..., c, c)``, as the limit of arithmetic and harmonic means.

    References
    ----------
    Lawson & Lim (2001), doi:10.2307/2695553.

    Examples
    --------
    >>> geometric_mean(np.diag([4.0, 1.0])[None], np.diag([9.0, 1.0])[None])[0].round(9)
    array([[6., 0.],
           [0., 1.]])
    """
    for _ in range(200):
        P, Q = (P + Q) / 2, _inverse((_inverse(P) + _inverse(Q)) / 2)
        size = np.sqrt(np.einsum("icc->ic", P))
        apart = np.abs(P - Q) / (size[:, :, None] * size[:, None, :])
        if apart.max() < 1e-8:  # the next step squares it
            break
    return np.asarray((P + Q) / 2)

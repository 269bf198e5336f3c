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
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from causalgia.effects.scales import bound_of_alike
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.standard_errors import bell_mccaffrey_df
from causalgia.numerics.moments import (
    centered,
    root_sum_squares,
    satterthwaite,
    skewness,
)
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array, Codes, Mask

_RATIOS = np.append(0.0, np.logspace(-4, 10, 29))
"""Ratios of the variances (units over rest) between which the likelihood's maximum is
looked for. Beyond the last, units without a pair have no weight to speak of."""
_HALVINGS = 48


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
        ``sum psi^3 / (sum psi^2)^1.5`` times the root of `n_clusters`, ``(K, T)``.
    leverage
        Largest share of one of them in ``se**2``, shape ``(K, T)``.
    largest
        Largest |effect| of a unit that has all own arms; where no unit has two of them
        the range of the outcomes; shape ``(K, T)``.
    n_units, n_clusters
        Units with any own arm, and the independent ones (parents) among them.
    n
        Independent units of the contrast's smallest arm, shape ``(K, T)``.
    known
        Whether each own arm has two independent units. Where not, `se` is the range of
        the outcomes and says nothing.
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
    known: Mask


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
    ace, df, largest = np.zeros((3, *shape))
    n_units, n_clusters, least = np.zeros((3, *shape), dtype=np.intp)
    factor = np.zeros((n_groups, *shape))
    for k, row in enumerate(W):
        own = np.flatnonzero(row)
        y, w, within = Y[:, own], row[own], bound[:, own]
        gaps = []
        for t in range(n_tasks):
            units = np.flatnonzero(np.isfinite(y[:, :, t]).any(axis=1))
            cells = y[units, :, t]
            has = np.isfinite(cells)
            groups, codes = np.unique(group[units], return_inverse=True)
            in_arm = np.zeros((len(groups), len(own)), dtype=bool)
            np.logical_or.at(in_arm, codes, has)
            least[k, t] = in_arm.sum(axis=0).min()
            n_units[k, t], n_clusters[k, t] = len(units), len(groups)
            ice = _weighted(cells[has.all(axis=1)], w)
            largest[k, t] = (
                np.abs(ice).max(initial=0.0)
                if (has.sum(axis=1) > 1).any()
                else np.nanmax(cells) - np.nanmin(cells)
            )
            if least[k, t] < 2:
                found = _unknown(cells, w, in_arm)
            elif has.all():
                found = _mean(
                    ice,
                    _weighted(within[units, :, t], np.abs(w)),
                    None if parent is None else codes,
                )
            else:
                gaps.append(t)
                continue
            ace[k, t], factor[groups, k, t], df[k, t] = found
        if gaps:
            ace[k, gaps], factor[:, k, gaps], df[k, gaps] = _gls(
                y[:, :, gaps],
                w,
                group,
                within[:, :, gaps],
                independent=parent is None,
            )
    se, leverage = root_sum_squares(factor)
    known = least >= 2
    return OwnArms(
        ace=ace,
        se=se,
        df=df,
        factor=factor,
        # of the rows that belong to the contrast, not of all
        skewness=np.where(
            known, skewness(factor) * np.sqrt(n_clusters / n_groups), 0.0
        ),
        leverage=leverage,
        largest=largest,
        n_units=n_units,
        n_clusters=n_clusters,
        n=least,
        known=known,
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
    y: Array, w: Array, group: Codes, bound: Array, *, independent: bool
) -> tuple[Array, Array, Array]:
    """Return ACE ``(T,)``, contributions ``(G, T)`` and df ``(T,)`` of a contrast with
    gaps.
    """
    cells, n_tasks = _Cells.of(y), y.shape[2]
    ratio = cells.ratio()
    H, v, scale = cells.equations(ratio)
    ace, df = np.zeros((2, n_tasks))
    psi = np.zeros((int(group.max()) + 1, n_tasks))
    for t in range(n_tasks):
        there, B = cells.there[:, :, t], cells.basis[t] * scale[t]
        levels = cells.center[t] + B @ np.linalg.solve(H[t], v[t])
        ace[t] = w @ levels
        size = np.where(there, bound[:, :, t], 0.0)
        inside = cells.joined[t] and np.abs(
            w @ cells.basis[t][:, cells.null[t]]
        ).max() < (1e-9 * np.abs(w).max())
        if cells.alike(t, size, inside=inside):
            within = np.abs(w) @ (size.sum(axis=0) / there.sum(axis=0))
            ace[t] = 0.0 if np.abs(ace[t]) <= within else ace[t]
            df[t] = max(len(np.unique(group[there.sum(axis=1) > 1])) - 1.0, 1.0)
            continue
        weight, df[t] = _weights_of_cells(there, ratio[t], H[t], B, w, group)
        pieces = weight * np.where(there, y[:, :, t] - levels, 0.0)
        if not cells.joined[t]:
            for a in range(len(w)):
                if agreement(y[there[:, a], a, t], size[there[:, a], a])[0]:
                    pieces[:, a] = 0.0
            if independent:
                df[t] = satterthwaite((pieces**2).sum(axis=0), there.sum(axis=0) - 1.0)
        np.add.at(psi[:, t], group, pieces.sum(axis=1))
    return ace, psi, df


@dataclass(frozen=True)
class _Cells:
    """The cells of a contrast's m own arms in T tasks, as what the likelihood needs.

    Outcomes are taken from the arms' levels by least squares with fixed units, so that
    neither an offset nor large differences between units cost digits. In ``basis``,
    where the first columns (``null``) are the levels of the parts of the table that no
    unit joins, what pairs tell and what levels tell are apart.

    Attributes
    ----------
    there
        Shape ``(n, m, T)``.
    joined
        Whether any unit has two own arms, shape ``(T,)``.
    center
        Levels of the arms that were subtracted, shape ``(T, m)``.
    away
        Outcomes without these and without the level of their unit, shape ``(n, m, T)``,
        and those levels with it: ``levels (n, T)``.
    basis, null
        Shapes ``(T, m, m)`` and ``(T, m)``.
    inside
        Information of differences inside units, shape ``(T, m, m)``.
    sizes
        The numbers k of own arms that units have, shape ``(J,)``; by them, sums over
        units of ``x x' / k``, ``x S / k``, ``S^2 / k`` and 1, with S a unit's total:
        ``of_levels (T, J, m, m)``, ``totals (T, J, m)``, ``squares, counts (T, J)``.
    rest
        Sum of squares inside units, shape ``(T,)``.
    """

    there: Mask
    joined: Mask
    center: Array
    away: Array
    levels: Array
    basis: Array
    null: Mask
    inside: Array
    sizes: Codes
    of_levels: Array
    totals: Array
    squares: Array
    counts: Array
    rest: Array

    @classmethod
    def of(cls, y: Array) -> _Cells:
        """Return those of outcomes with gaps, shape ``(n, m, T)``."""
        m, n_tasks = y.shape[1:]
        there = np.isfinite(y)
        x, k = there.astype(np.float64), there.sum(axis=1)
        sizes = np.arange(1, m + 1)
        per_unit = 1 / np.maximum(k, 1)
        N = x.sum(axis=0).T  # (T, m)
        by_size = np.zeros((n_tasks, m, m, m))
        for j in range(m):
            z = x * (k == sizes[j])[:, None]
            by_size[:, j] = np.einsum("uat,ubt->tab", z, z, optimize=True) / sizes[j]
        inside = N[:, :, None] * np.eye(m) - by_size.sum(axis=1)
        basis, null = np.zeros((n_tasks, m, m)), np.zeros((n_tasks, m), dtype=bool)
        for t in range(n_tasks):
            together = by_size[t, 1:].sum(axis=0) > 0
            n_parts, part = connected_components(sparse.csr_array(together), False)
            parts = np.eye(n_parts)[part] / np.sqrt(np.bincount(part))
            basis[t] = np.linalg.qr(parts, mode="complete")[0]
            basis[t][:, :n_parts] = parts
            null[t, :n_parts] = True
        inside = _rotated(basis, inside)
        inside[null[:, :, None] | null[:, None, :]] = 0.0
        # from the arms' means, then by least squares with a level for each unit, then
        # from the mean of each part
        filled = np.where(there, y, 0.0)
        first = np.array(
            [
                [filled[there[:, a, t], a, t][0] for a in range(m)]
                for t in range(n_tasks)
            ]
        )
        center = first + np.where(there, y - first.T, 0.0).sum(axis=0).T / N
        off = np.where(there, y - center.T, 0.0)
        away = np.where(there, off - (off.sum(axis=1) * per_unit)[:, None], 0.0)
        side = np.einsum("tab,at->tb", basis, away.sum(axis=0))
        side = np.where(null, 0.0, side)
        beta = np.linalg.solve(inside + null[:, :, None] * np.eye(m), side[..., None])
        moved = (basis @ beta)[..., 0]
        off = np.where(there, off - moved.T, 0.0)
        center = center + moved
        sums = off.sum(axis=0).T
        on = np.where(null[:, None, :], basis, 0.0) != 0
        level = np.einsum(
            "tap,tap->tp", on, np.broadcast_to(sums[:, :, None], on.shape)
        )
        level = level / np.maximum(np.einsum("tap,ta->tp", on, N), 1.0)
        moved = np.einsum("tap,tp->ta", on.astype(float), level)
        off = np.where(there, off - moved.T, 0.0)
        center = center + moved
        total = off.sum(axis=1)
        away = np.where(there, off - (total * per_unit)[:, None], 0.0)
        totals, squares, counts = (
            np.zeros((n_tasks, m, *more)) for more in ((m,), (), ())
        )
        for j in range(m):
            chosen = k == sizes[j]
            share = np.where(chosen, total, 0.0) / sizes[j]
            totals[:, j] = np.einsum("uat,ut->ta", x, share)
            squares[:, j] = (share * total).sum(axis=0)
            counts[:, j] = chosen.sum(axis=0)
        return cls(
            there=there,
            joined=(k > 1).any(axis=0),
            center=center,
            away=away,
            levels=total * per_unit,
            basis=basis,
            null=null,
            inside=inside,
            sizes=sizes,
            of_levels=_rotated(basis[:, None], by_size),
            totals=np.einsum("tab,tja->tjb", basis, totals),
            squares=squares,
            counts=counts,
            rest=(away**2).sum(axis=(0, 1)),
        )

    def equations(self, ratio: Array) -> tuple[Array, Array, Array]:
        """Return ``X' V^-1 X``, ``X' V^-1 y`` and the scale of the basis, in which they
        stand, for ratios of the variances, shape ``(T,)``.
        """
        tau = 1 + ratio[:, None] * self.sizes
        scale = np.where(self.null, np.sqrt(1 + ratio)[:, None], 1.0)
        H = self.inside + np.einsum("tjab,tj->tab", self.of_levels, 1 / tau)
        v = np.einsum("tja,tj->ta", self.totals, 1 / tau)
        return scale[:, :, None] * H * scale[:, None, :], scale * v, scale

    def deviance_and_slope(self, ratio: Array) -> tuple[Array, Array]:
        """Return minus twice the restricted log likelihood at ratios of the variances,
        maximized over the rest, and its derivative in the ratio, shape ``(T,)``.
        """
        (H, v, scale), k = self.equations(ratio), self.sizes
        tau = 1 + ratio[:, None] * k
        inverse = np.linalg.inv(H)
        beta = np.einsum("tab,tb->ta", inverse, v)
        rest = self.rest + (self.squares / tau).sum(axis=1) - (v * beta).sum(axis=1)
        rest = np.maximum(rest, np.finfo(float).tiny)
        df = self.there.sum(axis=(0, 1)) - H.shape[1]
        deviance = (
            df * np.log(rest)
            + (self.counts * np.log(tau)).sum(axis=1)
            + np.linalg.slogdet(H)[1]
            - self.null.sum(axis=1) * np.log1p(ratio)
        )
        b = scale * beta
        by_level = self.of_levels * scale[:, None, :, None] * scale[:, None, None, :]
        trace = np.einsum("tab,tjab->tj", inverse, by_level)
        between = (
            self.squares
            - 2 * np.einsum("tja,ta->tj", self.totals, b)
            + np.einsum("ta,tjab,tb->tj", b, self.of_levels, b)
        )
        each = self.counts * k / tau - k / tau**2 * (
            trace + between * (df / rest)[:, None]
        )
        return deviance, each.sum(axis=1)

    def ratio(self) -> Array:
        """Return the variance of units over that of the rest by REML, shape ``(T,)``; 0
        where no unit has two own arms.
        """
        n_tasks = len(self.joined)
        deviance = np.stack(
            [self.deviance_and_slope(np.full(n_tasks, r))[0] for r in _RATIOS]
        )
        best = deviance.argmin(axis=0)
        low = _RATIOS[np.maximum(best - 1, 0)]
        high = _RATIOS[np.minimum(best + 1, len(_RATIOS) - 1)]
        shift = _RATIOS[1]
        for _ in range(_HALVINGS):
            middle = np.sqrt((low + shift) * (high + shift)) - shift
            rises = self.deviance_and_slope(middle)[1] > 0
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
        return np.where(self.joined & (high > 1e-12), high, 0.0)

    def alike(self, t: int, bound: Array, *, inside: bool) -> bool:
        """Return whether rounding explains all that a contrast varies by: of one
        `inside` units what differs inside them, else every outcome.
        """
        k = self.there[:, :, t].sum(axis=1)
        size = 2 * bound.max(axis=1, keepdims=True)
        if inside and k.sum() > len(k[k > 0]) + (~self.null[t]).sum():
            return bool((np.abs(self.away[:, :, t]) <= size).all())
        whole = np.where(
            self.there[:, :, t], self.away[:, :, t] + self.levels[:, t][:, None], 0.0
        )
        return bool((np.abs(whole) <= size).all())


def _rotated(basis: Array, matrix: Array) -> Array:
    return np.asarray(np.swapaxes(basis, -1, -2) @ matrix @ basis)


def _weights_of_cells(
    there: Mask, ratio: float, H: Array, basis: Array, w: Array, group: Codes
) -> tuple[Array, float]:
    """Return the weight of each cell's residual in the contribution of its unit or
    parent, shape ``(n, m)``, and Satterthwaite's df.

    Inside a group the units with the same arms count by their sum: to each such pattern
    belong the mean over its arms and the differences, whose variances are ``1 + k
    ratio`` and 1.
    """
    used = np.flatnonzero(there.any(axis=1))
    has, codes = there[used], np.unique(group[used], return_inverse=True)[1]
    patterns, of_unit = np.unique(has, axis=0, return_inverse=True)
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
    weight = np.zeros(there.shape)
    weight[used] = of_pattern[kind[codes], of_unit]
    return weight, df


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

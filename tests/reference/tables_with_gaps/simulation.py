"""How often a test at .05 of a true null rejects in tables with gaps; an implementation
of its own, over many tables.

Run: ``python simulation.py``. One random intercept and one residual have restricted
likelihoods of one ratio, which the eigenvalues of the projected groups give for
thousands of responses at once. The figures are in the docstring of
`causalgia.estimation.incomplete_estimates.contrasts_of_arms`.
"""

import numpy as np
from scipy import stats
from scipy.linalg import null_space


def rejected(n, n_arms, sd_unit, share, n_patterns=60, n_responses=150, seed=1):
    """Return the share of false alarms, the share of tables with a unit variance of 0,
    and the number of tests.
    """
    rng = np.random.default_rng(seed)
    n_rejected = n_tests = n_zero = 0
    unit, arm = (x.ravel() for x in np.indices((n, n_arms)))
    W = np.column_stack([-np.ones(n_arms - 1), np.eye(n_arms - 1)])
    for _ in range(n_patterns):
        while True:
            keep = rng.random(n * n_arms) > share
            if (
                len(set(arm[keep])) == n_arms
                and len(np.unique(unit[keep])) <= keep.sum() - n_arms
            ):
                break
        of_unit = np.unique(unit[keep], return_inverse=True)[1]
        X, Z = np.eye(n_arms)[arm[keep]], np.eye(of_unit.max() + 1)[of_unit]
        m, N = Z.sum(axis=0), len(X)
        K = null_space(X.T)
        eigen, U = np.linalg.eigh(K.T @ Z @ Z.T @ K)
        eigen = np.maximum(eigen, 0)
        Y = sd_unit * rng.normal(size=(n_responses, len(m))) @ Z.T + rng.normal(
            size=(n_responses, N)
        )
        squares = (Y @ K @ U) ** 2
        ratio = maximum(squares, eigen)
        residual = (squares / (1 + ratio[:, None] * eigen)).sum(axis=1) / len(eigen)
        between = ratio * residual
        shared, sums = Z.T @ X, Y @ Z

        def information(b, e, X=X, m=m, shared=shared):
            c = (b / e)[:, None] / (1 + m * (b / e)[:, None])
            return (
                np.diag(X.sum(axis=0)) - np.einsum("du,ua,ub->dab", c, shared, shared)
            ) / e[:, None, None]

        def variance(b, e, information=information):
            return np.einsum("ka,dab,kb->dk", W, np.linalg.inv(information(b, e)), W)

        c = ratio[:, None] / (1 + m * ratio[:, None])
        right = (Y @ X - np.einsum("du,du,ua->da", c, sums, shared)) / residual[:, None]
        beta = np.einsum(
            "dab,db->da", np.linalg.inv(information(between, residual)), right
        )
        V, h = variance(between, residual), 1e-5
        by_between = (variance(between + h, residual) - V) / h
        up, down = (
            variance(between, residual * (1 + h)),
            variance(between, residual * (1 - h)),
        )
        by_residual = (up - down) / (2 * h * residual)[:, None]
        w = between[:, None] * eigen + residual[:, None]
        bb, be, ee = (
            (-0.5 * x / w**2 + x * squares / w**3).sum(axis=1)[:, None]
            for x in (eigen**2, eigen, np.ones_like(eigen))
        )
        both = (
            by_between**2 * ee - 2 * by_between * by_residual * be + by_residual**2 * bb
        ) / (bb * ee - be**2)
        df = 2 * V**2 / np.where((ratio == 0)[:, None], by_residual**2 / ee, both)
        p = 2 * stats.t.sf(np.abs(beta @ W.T) / np.sqrt(V), np.where(df > 0, df, 1e9))
        n_rejected, n_tests, n_zero = (
            n_rejected + (p < 0.05).sum(),
            n_tests + p.size,
            n_zero + (ratio == 0).sum(),
        )
    return n_rejected / n_tests, n_zero / (n_patterns * n_responses), n_tests


def maximum(squares, eigen):
    """Return the ratio of the variances at the maximum of each restricted
    likelihood.
    """

    def criterion(r):
        w = 1 + r[:, None] * eigen
        return len(eigen) * np.log((squares / w).sum(axis=1)) + np.log(w).sum(axis=1)

    grid = np.append(0, np.geomspace(1e-4, 1e3, 400))
    best = np.stack([criterion(np.full(len(squares), r)) for r in grid]).argmin(axis=0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    for _ in range(60):
        one, other = low + 0.382 * (high - low), low + 0.618 * (high - low)
        left = criterion(one) < criterion(other)
        low, high = np.where(left, low, one), np.where(left, other, high)
    found = (low + high) / 2
    return np.where(found < 1e-7, 0.0, found)


if __name__ == "__main__":
    for setting in [(8, 3, 1, 0.2), (20, 3, 1, 0.2), (60, 4, 1, 0.5), (8, 3, 1, 0.5), (20, 3, 1, 0.5), (40, 3, 1, 0.5),
                    (12, 4, 1, 0.3), (12, 3, 0.3, 0.3)]:  # fmt: skip
        print("units, arms, sd of units, share missing:", setting, *rejected(*setting))

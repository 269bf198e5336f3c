"""The rule of verdicts written out plainly, a row at a time: what `causalgia.decide`
is compared with.

Nothing here calls the library. Outcomes are (unit, arm), NaN for an arm that a unit
lacks: complete, or one arm a unit (parallel).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

FAR = 1e3
"""Bound on a deviate that is searched for."""


@dataclass(frozen=True)
class Row:
    """What one contrast of one table is."""

    effect: float
    lower: float
    upper: float
    p: float
    p_direction: float
    p_negligible: float
    needed_direction: float
    needed_negligible: float
    n: int


def hall(t: float, a: float) -> float:
    """Return Hall's transform of t, with slope 1 beyond 4."""
    near = min(max(t, -4.0), 4.0)
    cubic = near + a * near**2 / 3 + a**2 * near**3 / 27 + a / 6
    return cubic + t - near


def wilson(k: int, n: int, z: float) -> tuple[float, float]:
    """Return Wilson's limits of k of n."""
    if z == 0:
        return k / n, k / n
    p, c = k / n, z * z / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + c / 2 - half) / (1 + c), (p + c / 2 + half) / (1 + c)


@dataclass(frozen=True)
class Shares:
    """A contrast of arms that answer 0 or 1, `distance` apart."""

    y: np.ndarray
    w: np.ndarray
    effect: float

    def limit(self, z: float, side: int) -> float:
        """Return the limit by arm combined, `side` 1 for the upper one."""
        total, away, arms = 0.0, [], range(self.y.shape[1])
        for a in arms:
            own = self.y[:, a][~np.isnan(self.y[:, a])]
            n, k = len(own), int(own.sum())
            low, high = wilson(k, n, z)
            up = (self.w[a] > 0) == (side > 0)
            away.append(abs(self.w[a]) * ((high - k / n) if up else (k / n - low)))
        for a in arms:
            for b in arms:
                sign = np.sign(self.w[a] * self.w[b])
                total += sign * self._r(a, b, z) * away[a] * away[b]
        return self.effect + side * np.sqrt(max(total, 0.0))

    def _r(self, a: int, b: int, z: float) -> float:
        if a == b:
            return 1.0
        has = ~np.isnan(self.y)
        both = has[:, a] & has[:, b]
        x, y = self.y[both, a], self.y[both, b]
        n11, n00 = ((x == 1) & (y == 1)).sum(), ((x == 0) & (y == 0)).sum()
        n10 = ((x == 1) & (y == 0)).sum() + z * z / 2
        n01 = ((x == 0) & (y == 1)).sum() + z * z / 2
        below = np.sqrt((n11 + n10) * (n01 + n00) * (n11 + n01) * (n10 + n00))
        if not both.any() or below == 0:
            return 0.0
        phi = (n11 * n00 - n10 * n01) / below
        return float(phi * both.sum() / np.sqrt(has[:, a].sum() * has[:, b].sum()))

    def p(self, end: float, sign: int) -> float:
        """Return p of "at most the end" (sign 1) or "at least" (-1), from the least z
        whose limit reaches it.
        """
        beyond = sign * (self.effect - end) >= 0
        side = -sign if beyond else sign

        def short(z: float) -> float:
            return abs(end - self.effect) - abs(self.limit(z, side) - self.effect)

        if short(0.0) <= 0:
            z = 0.0
        elif short(40.0) > 0:
            z = 40.0
        else:
            z = optimize.brentq(short, 0.0, 40.0, xtol=1e-13)
        return float(stats.norm.cdf(-z if beyond else z))


def shares_of(y: np.ndarray, w: np.ndarray, effect: float) -> Shares | None:
    """Return the contrast as one of shares, None where its arms take other values."""
    values = np.unique(y[~np.isnan(y)])
    low, high = values.min(), values.max()
    alike = all(np.ptp(x[~np.isnan(x)]) == 0 for x in y.T)
    if alike:
        if not set(values) <= {0.0, 1.0}:
            return None
        low, high = 0.0, 1.0
    gap = high - low
    if not all(min(v - low, high - v) <= 1e-6 * gap for v in values):
        return None
    ones = np.where(np.isnan(y), np.nan, (y - low > high - y) * 1.0)
    return Shares(ones, w * gap, effect)


def plain_row(
    y: np.ndarray, w: np.ndarray, region: tuple[float, float], ci: float
) -> Row:
    """Return interval and p-values of the contrast w of outcomes y, (unit, arm)."""
    y, w = y[:, w != 0], w[w != 0]
    y = y[~np.isnan(y).all(axis=1)]
    has = ~np.isnan(y)
    ns, parallel = has.sum(axis=0), not has.all()
    effect = float(sum(w[a] * y[has[:, a], a].mean() for a in range(len(w))))
    if parallel:
        psi = np.zeros(len(y))
        parts, dfs = [], []
        for a in range(len(w)):
            own = y[has[:, a], a]
            psi[has[:, a]] = w[a] * (own - own.mean()) / ns[a]
            parts.append(w[a] ** 2 * own.var(ddof=1) / ns[a])
            dfs.append(ns[a] - 1)
        se = np.sqrt(sum(parts))
        below = sum(v * v / d for v, d in zip(parts, dfs, strict=True))
        df = se**4 / below if below > 0 else float(sum(dfs))
        within = sum((ns[a] - 1) * y[has[:, a], a].var(ddof=1) for a in range(len(w)))
        pooled = np.sqrt(within / sum(dfs) * sum(w**2 / ns))
    else:
        ice = y @ w
        psi = (ice - ice.mean()) / len(y)
        se, df, pooled = ice.std(ddof=1) / np.sqrt(len(y)), len(y) - 1, 0.0
    square = float((psi**2).sum())
    a = float((psi**3).sum() / square**1.5) if square > 0 else 0.0
    shares = shares_of(y, w, effect)
    q = stats.t.ppf((1 + ci) / 2, df)
    z = stats.norm.ppf((1 + ci) / 2)
    lows, highs = [effect - q * se], [effect + q * se]
    if shares is not None:
        lows.append(shares.limit(z, -1))
        highs.append(shares.limit(z, 1))
    elif se > 0:
        at = [
            optimize.brentq(lambda t, s=s: hall(t, a) - s * q, -FAR, FAR, xtol=1e-13)
            for s in (-1, 1)
        ]
        lows.append(effect - at[1] * se)
        highs.append(effect - at[0] * se)
    if parallel:
        half = stats.t.ppf((1 + ci) / 2, sum(dfs)) * pooled
        lows.append(effect - half)
        highs.append(effect + half)

    def p(end: float, sign: int, closed: bool) -> float:
        if np.isinf(end):
            return 0.0 if sign * end < 0 else 1.0
        if se > 0:
            t = (effect - end) / se
            found = [
                stats.t.sf(sign * t, df),
                stats.t.sf(sign * (t if shares is not None else hall(t, a)), df),
            ]
        else:
            away = sign * (effect - end)
            found = [0.0 if away > 0 or (closed and away == 0) else 1.0]
        if parallel and pooled > 0:
            found.append(stats.t.sf(sign * (effect - end) / pooled, sum(dfs)))
        if shares is not None:
            found.append(shares.p(end, sign))
        return float(max(found))

    low, high = region
    above, below_region = p(high, 1, False), p(low, -1, False)
    not_below, not_above = p(low, 1, True), p(high, -1, True)
    up = above <= below_region
    return Row(
        effect,
        min(lows),
        max(highs),
        min(1.0, 2 * min(p(0.0, 1, False), p(0.0, -1, False))),
        min(1.0, 2 * (above if up else below_region)),
        min(1.0, 2 * max(not_below, not_above)) if low < high else 1.0,
        min(1.0, above + not_below if up else below_region + not_above),
        max(not_below, not_above) if low < high else 1.0,
        int(ns.min()),
    )


def q_of(p: list[float], holm: bool) -> list[float]:
    """Return q of Benjamini and Hochberg, or of Holm, by their definitions."""
    m, found = len(p), []
    ranked = sorted(p)
    for x in p:
        if holm:
            steps = [(m - i) * v for i, v in enumerate(ranked) if v <= x]
            found.append(min(1.0, max(steps)))
        else:
            steps = [m * v / (i + 1) for i, v in enumerate(ranked) if v >= x]
            found.append(min(1.0, min(steps)))
    return found


def plain_verdicts(
    rows: list[Row], region: tuple[float, float], error: str, ci: float
) -> list[tuple[str, float, float, float]]:
    """Return verdict, p of the kind, its q and the reversal size of one family."""
    low, high = region
    place = []
    for r in rows:
        if r.lower > high:
            place.append("increases")
        elif r.upper < low:
            place.append("decreases")
        elif low < high and low <= r.lower and r.upper <= high:
            place.append("negligible")
        else:
            place.append("undecided")
    k = range(len(rows))
    q = [[r.p_direction, r.p_negligible] for r in rows]
    needed = [(r.needed_direction, r.needed_negligible) for r in rows]
    if error == "fwer":
        every = [(i, kind) for kind in (0, 1) for i in k if kind == 0 or low < high]
        for (i, kind), x in zip(
            every, q_of([needed[i][kind] for i, kind in every], True), strict=True
        ):
            q[i][kind] = x
    elif error == "fdr":
        directions = [i for i in k if place[i] != "negligible"]
        negligibles = [i for i in k if place[i] not in ("increases", "decreases")]
        for kind, members in ((0, directions), (1, negligibles)):
            if kind == 0 or low < high:
                of = q_of([needed[i][kind] for i in members], False)
                for i, x in zip(members, of, strict=True):
                    q[i][kind] = x
    said = []
    for i, r in enumerate(rows):
        p = (r.p_direction, r.p_negligible)
        kind = {"increases": 0, "decreases": 0, "negligible": 1}.get(
            place[i], int(p[1] < p[0])
        )
        verdict = place[i] if q[i][kind] <= (1 - ci) * (1 + 1e-12) else "undecided"
        s0 = 1 - (1 - ci) ** (1 / r.n)
        size = float("nan")
        if verdict == "increases":
            size = r.lower - (r.lower - high) / s0
        elif verdict == "decreases":
            size = r.upper + (low - r.upper) / s0
        elif verdict == "negligible":
            both = (r.upper + (high - r.upper) / s0, r.lower - (r.lower - low) / s0)
            size = min(both, key=abs)
        size = size if np.isfinite(size) else float("nan")
        said.append((verdict, p[kind], q[i][kind], size))
    return said

"""The posterior of ten to fourteen effects under the law of two scales, by integration over all four parameters: writes brute_force.json.

    python tests/reference/two_scales/brute_force.py

Needs numpy and scipy only; nothing of the library. In units of the median standard error, d_k ~ N(delta_k, s_k^2) and
    delta_k ~ w N(mu, t1^2) + (1 - w) N(mu, t2^2), mu flat, w uniform;    P(t1 < x) = 1 - (1 + x^2)^(-1/2);
    t2 half-Cauchy of scale max(3, 3 t1), cut to t2 > 2 t1; with probability .1 one scale t1 alone.
Every parameter but mu is integrated over its probability under the prior, u in (0, 1), by Gauss-Legendre; the likelihood is a polynomial of
degree K in w, for which that is exact. mu = center + a sinh(x), x equally spaced (trapezoid). `grid` is the largest distance from a coarser grid:
means and quantiles in posterior sd, sd relative, lfsr.
"""
# ruff: noqa: B905, E501

import json
from pathlib import Path

import numpy as np
from scipy import special

HERE = Path(__file__).resolve().parent
TAILS = (0.025, 0.975)


def gauss(n):
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


def narrow(u):
    return np.sqrt((1 - u) ** -2 - 1)


def wide(v, t1):
    """The quantile v of t2 given t1."""
    scale = 3 * np.maximum(1, t1)
    low = np.arctan(2 * t1 / scale)
    return scale * np.tan(low + v * (np.pi / 2 - low))


def normals(d, s2, mu, tau):
    """Density of each estimate, (M, K, N), and mean and sd of its effect, at centers (M,) and scales (N,)."""
    off = d[:, None] - mu[:, None, None]
    total = s2[:, None] + tau**2
    gain = tau**2 / total
    density = np.exp(-0.5 * off**2 / total) / np.sqrt(total)
    return (
        density,
        mu[:, None, None] + gain * off,
        np.sqrt(gain * s2[:, None])[None] + 0 * off,
    )


def posterior(d, se, n_mu, n_1, n_2):
    """Return mean, sd, lfsr and the quantiles of each effect."""
    unit = np.median(se)
    d, s2, k = d / unit, (se / unit) ** 2, len(d)
    width = 1 / np.sqrt((1 / s2).sum())
    x, h = np.linspace(-6.0, 6.0, n_mu, retstep=True)
    center = np.median(d)
    reach = np.abs(d - center).max() + 10
    bend = max(2 * width, reach / np.sinh(6.0) * 3)
    mu, d_mu = center + bend * np.sinh(x), h * bend * np.cosh(x)
    (u, of_u), (v, of_v), (w, of_w) = gauss(n_1), gauss(n_2), gauss(k // 2 + 2)
    t1 = narrow(u)
    t2 = wide(v[None, :], t1[:, None])
    parts = []  # (weight, mean, sd) of normals, (K, many) each
    first = normals(d, s2, mu, t1)
    with np.errstate(divide="ignore"):
        only = np.exp(np.log(first[0]).sum(1)) * d_mu[:, None] * of_u * 0.1
    parts.append((np.repeat(only[:, None], k, 1), first[1], first[2]))
    for i in range(n_1):
        a, b = [y[:, :, i : i + 1] for y in first], normals(d, s2, mu, t2[i])
        own, other = np.zeros((len(mu), k, n_2)), np.zeros((len(mu), k, n_2))
        for share, weight in zip(w, of_w):
            one, two = share * a[0], (1 - share) * b[0]
            both = np.maximum(one + two, 1e-300)
            joint = np.exp(np.log(both).sum(1)) * (
                d_mu[:, None] * of_u[i] * of_v * weight * 0.9
            )
            own += joint[:, None] * one / both
            other += joint[:, None] * two / both
        parts.append((own.sum(2, keepdims=True), a[1], a[2]))
        parts.append((other, b[1], b[2]))
    out = []
    for j in range(k):
        p, m, s = (
            np.concatenate([part[i][:, j].ravel() for part in parts]) for i in range(3)
        )
        keep = p > 1e-13 * p.max()
        p, m, s = p[keep] / p[keep].sum(), m[keep], np.maximum(s[keep], 1e-12)
        mean = p @ m
        sd = np.sqrt(p @ (s**2 + (m - mean) ** 2))
        negative = p @ special.ndtr(-m / s)
        positive = p @ special.ndtr(m / s)
        limits = [quantile(tail, p, m, s, mean, sd) for tail in TAILS]
        out.append([mean, sd, min(negative, positive), *limits])
    mean, sd, lfsr, lower, upper = np.array(out).T
    return unit * mean, unit * sd, lfsr, unit * lower, unit * upper


def quantile(tail, p, m, s, mean, sd):
    low, high = mean - 40 * sd, mean + 40 * sd
    at = mean + sd * special.ndtri(tail)
    for _ in range(60):
        z = (at - m) / s
        off = p @ special.ndtr(z) - tail
        low, high = (low, at) if off > 0 else (at, high)
        step = off / max(p @ (np.exp(-0.5 * z * z) / s) / np.sqrt(2 * np.pi), 1e-300)
        if abs(step) < 1e-10 * sd:
            break
        at = at - step if low < at - step < high else (low + high) / 2
    return at


def cases():
    rng = np.random.default_rng(61)
    z, e = rng.standard_normal((2, 9, 14))
    some, equal = rng.uniform(0.2, 1.0, (9, 14)), np.full(12, 0.5)
    yield "equal errors, normal effects", 0.4 + 0.8 * z[0, :12], equal, e[0]
    yield "unequal errors, normal effects", 0.3 * z[1, :12], some[1, :12], e[1]
    yield "one huge effect", np.r_[20.0, 0.1 * z[2, :11]], equal, e[2]
    yield (
        "one huge effect among unequal errors",
        np.r_[-6.0, np.zeros(11)],
        some[3, :12],
        e[3],
    )
    yield "no effect", np.zeros(12), equal, e[4]
    yield "less scatter than errors", np.full(12, 0.2), some[5, :12], 0.3 * e[5]
    yield "two clusters", np.repeat([-1.5, 1.5], 6), equal, e[6]
    yield "ten, three large", np.r_[3.0, 2.5, -3.0, np.zeros(7)], some[7, :10], e[7]
    yield (
        "fourteen of t with 3 degrees of freedom",
        rng.standard_t(3, 14) * 0.5,
        some[8],
        e[8],
    )


def main():
    found = []
    for name, truth, se, e in cases():
        d = truth + se * e[: len(se)]
        rough, fine = posterior(d, se, 161, 40, 48), posterior(d, se, 241, 60, 72)
        gap = [
            float(np.abs(a - b).max() if i == 2 else (np.abs(a - b) / fine[1]).max())
            for i, (a, b) in enumerate(zip(rough, fine))
        ]
        print(f"{name:45s} a coarser grid differs by", [f"{g:.1e}" for g in gap])
        named = zip(
            ("mean", "sd", "lfsr", "lower", "upper"), (x.tolist() for x in fine)
        )
        found.append(
            {
                "name": name,
                "effect": d.tolist(),
                "se": se.tolist(),
                **dict(named),
                "grid": gap,
            }
        )
    (HERE / "brute_force.json").write_text(
        json.dumps({"cases": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()

"""The posterior of twelve effects under the law of two scales, by brute force on a grid: writes quadrature.json.

    python tests/golden/quadrature.py

Needs numpy and scipy only; nothing of the library. u is the median standard error. Effects theta_k ~ N(mu, tau^2), mu flat, where
tau is tau1 with probability w and tau2 otherwise (probability .9), or one scale tau1 (probability .1):
    t1 = tau1 / u, density t1 / (1 + t1^2)^1.5;    t2 = tau2 / u, half-Cauchy of scale max(3, 3 t1), cut to t2 > 2 t1;    w uniform.
"""
# ruff: noqa: B905, E501, E731

import json
from pathlib import Path

import numpy as np
from scipy import special

HERE = Path(__file__).resolve().parent


def log_prior_one(t1):
    """Density of log t1."""
    return 2 * np.log(t1) - 1.5 * np.log1p(t1**2)


def log_prior_wide(t1, r):
    """Density of log r, where t2 = t1 (2 + r), given t1."""
    scale = np.maximum(3, 3 * t1)
    below = np.arctan(2 * t1 / scale) * 2 / np.pi
    return (
        np.log(2 / np.pi)
        - np.log(scale)
        - np.log1p((t1 * (2 + r) / scale) ** 2)
        - np.log1p(-below)
        + np.log(t1 * r)
    )


def integrate(d, se, axes, two):
    """Return log evidence, mean, second moment and P(theta < 0) of every effect."""
    u, cell = np.median(se), np.prod([a[1] - a[0] for a in axes])
    s2, step = se[:, None] ** 2, axes[0][1] - axes[0][0]
    peak, total = -np.inf, np.zeros(1 + 3 * len(d))
    rest = np.stack(np.meshgrid(*axes[1:], indexing="ij"), -1).reshape(
        -1, len(axes) - 1
    )
    t1 = np.exp(rest[:, 0])
    log_weight = log_prior_one(t1)
    tau, share = [t1 * u], [np.ones_like(t1)]
    if two:
        r, w = np.exp(rest[:, 1]), special.expit(rest[:, 2])
        log_weight = log_weight + log_prior_wide(t1, r) + np.log(w) + np.log1p(-w)
        tau, share = [t1 * u, t1 * (2 + r) * u], [w, 1 - w]
    for mu in axes[0]:
        residual = (d - mu)[:, None] ** 2
        parts = [
            c * np.exp(-0.5 * residual / (s2 + v**2)) / np.sqrt(s2 + v**2)
            for v, c in zip(tau, share)
        ]
        density = np.maximum(sum(parts), 1e-300)
        log_joint = np.log(density).sum(0) + log_weight
        if log_joint.max() > peak:
            total *= np.exp(peak - log_joint.max()) if np.isfinite(peak) else 0.0
            peak = log_joint.max()
        keep = log_joint > peak - 30
        joint = np.exp(log_joint[keep] - peak)
        found = [joint.sum()]
        moments = np.zeros((3, len(d)))
        for v, part in zip(tau, parts):
            gain = v[keep] ** 2 / (s2 + v[keep] ** 2)
            mean, variance = mu + gain * (d - mu)[:, None], gain * s2
            weight = joint * part[:, keep] / density[:, keep]
            spread = np.sqrt(
                variance + ((1 - gain) * step) ** 2 / 12
            )  # averaged over the step in mu: at tau near 0 the sign is a step
            moments += [
                (weight * m).sum(1)
                for m in (mean, mean**2 + variance, special.ndtr(-mean / spread))
            ]
        total += np.concatenate([found, moments.ravel()])
    return np.log(total[0] * cell) + peak - 0.5 * len(d) * np.log(2 * np.pi), *(
        total[1:].reshape(3, -1) / total[0]
    )


def posterior(d, se, fine=1.0):
    n = lambda k: int(k * fine)
    mu = np.linspace(d.mean() - 3, d.mean() + 3, n(301))
    t1 = np.linspace(np.log(0.003), np.log(60), n(48))
    two = integrate(
        d, se, [mu, t1, np.linspace(-9, 11, n(56)), np.linspace(-12, 12, n(40))], True
    )
    one = integrate(d, se, [mu, np.linspace(np.log(0.001), np.log(60), 300)], False)
    share = special.softmax([np.log(0.9) + two[0], np.log(0.1) + one[0]])
    mean, square, negative = (share[0] * two[i] + share[1] * one[i] for i in (1, 2, 3))
    return mean, np.sqrt(square - mean**2), np.minimum(negative, 1 - negative)


def main():
    rng, cases = np.random.default_rng(1), []
    for name in ("normal effects", "one in five large", "no effect"):
        se, z = rng.uniform(0.1, 0.6, 12), rng.standard_normal(12)
        theta = {
            "normal effects": 0.2 + 0.7 * z,
            "one in five large": np.where(rng.random(12) < 0.2, 3 * z, 0.0),
            "no effect": 0 * z,
        }[name]
        d = theta + se * rng.standard_normal(12)
        rough, fine = posterior(d, se, 0.7), posterior(d, se)
        gap = [float(np.abs(a - b).max()) for a, b in zip(rough, fine)]
        print(name, "coarser grid differs by", [f"{g:.1e}" for g in gap])
        mean, sd, lfsr = (v.tolist() for v in fine)
        cases.append(
            {
                "name": f"12, {name}",
                "effect": d.tolist(),
                "se": se.tolist(),
                "mean": mean,
                "sd": sd,
                "lfsr": lfsr,
                "grid": gap,
            }
        )
    (HERE / "quadrature.json").write_text(json.dumps({"cases": cases}, indent=1))


if __name__ == "__main__":
    main()

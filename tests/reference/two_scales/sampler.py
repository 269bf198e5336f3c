"""Thousands of effects under the law of two scales, by Gibbs sampling: writes sampler.json.

    python tests/reference/two_scales/sampler.py

Needs numpy and scipy only; nothing of the library. The law and its priors are those of brute_force.py, in units of the median standard error:
    d_k ~ N(delta_k, s_k^2); delta_k ~ N(mu, t1^2) with probability w, else N(mu, t2^2). One scale alone, of prior probability .1, is left out: with
thousands of effects of which a tenth is three times as wide, its posterior probability is nil.
A sweep draws, given all others: the scale of each effect (delta_k integrated), mu and w (closed form), and log t1, log t2 by slice sampling (stepping
out) of the density with every delta_k integrated. Means and probabilities of an effect are averages of its conditional moments (Rao-Blackwell).
`error` is the Monte-Carlo standard error of the mean in posterior sd, by batches and over four chains, the largest of the effects that are kept.
"""
# ruff: noqa: B023, B905, E501

import json
from pathlib import Path

import numpy as np
from scipy import special

HERE = Path(__file__).resolve().parent
CHAINS, BURN_IN, BATCHES = 4, 300, 10
KEPT = 60


def log_prior(t1, t2):
    scale = 3 * max(1.0, t1)
    if t2 < 2 * t1:
        return -np.inf
    cut = 1 - 2 / np.pi * np.arctan(2 * t1 / scale)
    return (
        np.log(t1)
        - 1.5 * np.log1p(t1**2)
        - np.log(scale)
        - np.log1p((t2 / scale) ** 2)
        - np.log(cut)
    )


def slice_sample(rng, log_density, x, width):
    height = log_density(x) - rng.exponential()
    low = x - width * rng.random()
    high = low + width
    while log_density(low) > height:
        low -= width
    while log_density(high) > height:
        high += width
    while True:
        new = low + (high - low) * rng.random()
        if log_density(new) > height:
            return new
        low, high = (new, high) if new < x else (low, new)


def chain(rng, d, s2, sweeps):
    """Return batch means of (mean, second moment, P(< 0)) of each effect, (B, 3, K), and draws of (mu, t1, t2, w)."""
    mu, t1, t2, w = (
        np.median(d),
        rng.uniform(0.3, 1.0),
        rng.uniform(3.0, 6.0),
        rng.uniform(0.5, 0.9),
    )
    sums, laws = np.zeros((BATCHES, 3, len(d))), np.empty((sweeps, 4))
    for sweep in range(-BURN_IN, sweeps):
        v = np.array([t1**2, t2**2])[:, None]
        log_part = (
            np.log([[w], [1 - w]])
            - 0.5 * np.log(s2 + v)
            - 0.5 * (d - mu) ** 2 / (s2 + v)
        )
        p1 = special.expit(log_part[0] - log_part[1])
        narrow = rng.random(len(d)) < p1
        w = rng.beta(1 + narrow.sum(), 1 + (~narrow).sum())
        precision = 1 / (s2 + np.where(narrow, t1**2, t2**2))
        mu = rng.normal(
            (precision * d).sum() / precision.sum(), precision.sum() ** -0.5
        )
        r2 = (d - mu) ** 2

        def given(x, of, other, first):
            t = np.exp(x)
            total = s2[of] + t * t
            prior = log_prior(t, other) if first else log_prior(other, t)
            return prior + x - 0.5 * (np.log(total) + r2[of] / total).sum()

        t1 = np.exp(
            slice_sample(rng, lambda x: given(x, narrow, t2, True), np.log(t1), 0.1)
        )
        t2 = np.exp(
            slice_sample(rng, lambda x: given(x, ~narrow, t1, False), np.log(t2), 0.1)
        )
        if sweep < 0:
            continue
        v = np.array([t1**2, t2**2])[:, None]
        gain = v / (s2 + v)
        m, sd = mu + gain * (d - mu), np.sqrt(gain * s2)
        log_part = (
            np.log([[w], [1 - w]])
            - 0.5 * np.log(s2 + v)
            - 0.5 * (d - mu) ** 2 / (s2 + v)
        )
        p1 = special.expit(log_part[0] - log_part[1])
        p = np.stack([p1, 1 - p1])
        sums[sweep * BATCHES // sweeps] += [
            (p * m).sum(0),
            (p * (m**2 + sd**2)).sum(0),
            (p * special.ndtr(-m / sd)).sum(0),
        ]
        laws[sweep] = mu, t1, t2, w
    return sums * BATCHES / sweeps, laws


def data(k, seed):
    rng = np.random.default_rng(seed)
    se = np.exp(rng.normal(np.log(0.4), 0.4, k))
    truth = 0.1 + np.where(rng.random(k) < 0.1, 1.5, 0.2) * rng.standard_normal(k)
    return truth + se * rng.standard_normal(k), se


def main():
    found = []
    for k, seed, sweeps in ((1_000, 1, 20_000), (10_000, 2, 6_000)):
        d, se = data(k, seed)
        unit = np.median(se)
        runs = [
            chain(np.random.default_rng([seed, c]), d / unit, (se / unit) ** 2, sweeps)
            for c in range(CHAINS)
        ]
        batches = np.concatenate([run[0] for run in runs])
        mean, square, negative = batches.mean(0)
        sd = np.sqrt(square - mean**2)
        error = batches[:, 0].std(0, ddof=1) / len(batches) ** 0.5 / sd
        keep = np.argsort(d)[np.linspace(0, k - 1, KEPT).astype(int)]
        laws = np.concatenate([run[1] for run in runs])
        law = {
            n: [float(x.mean()), float(x.std())]
            for n, x in zip(
                ("mu", "t1", "t2", "w"),
                laws.T * np.array([[unit], [unit], [unit], [1]]),
            )
        }
        of_chains = np.array([run[0].mean(0)[0] for run in runs])
        print(
            k,
            "Monte-Carlo error, sd:",
            error[keep].max(),
            "chains differ by",
            (np.ptp(of_chains, axis=0) / sd).max(),
            law,
            flush=True,
        )
        found.append(
            {
                "name": f"{k:,} effects",
                "k": k,
                "seed": seed,
                "sweeps": sweeps,
                "chains": CHAINS,
                "error": float(error[keep].max()),
                "kept": keep.tolist(),
                "effect": d[keep].tolist(),
                "mean": (unit * mean[keep]).tolist(),
                "sd": (unit * sd[keep]).tolist(),
                "lfsr": np.minimum(negative, 1 - negative)[keep].tolist(),
                "law": law,
            }
        )
        (HERE / "sampler.json").write_text(
            json.dumps({"cases": found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()

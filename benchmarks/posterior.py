"""Times of the posterior of thousands of effects: fit, moments, draws, and many tasks.

    python benchmarks/posterior.py [--quick]

Times are the least of several repeats, except for the last rows. Fit and moments of
10,000 effects are stated together, and `infer` of the tasks of a long table by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.normal import normal
from causalgia.posterior.two_scales import two_scales

DRAWS = 4_000
PRIOR = Prior(mu_sd=2, tau_scale=1, standardized=False)
LAWS = {
    "normal": lambda effect, noise: normal(effect, noise, PRIOR),
    "two_scales": lambda effect, noise: two_scales(effect, noise),
}


def table(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n effects and their variances: se about tau, and one in a hundred an
    outlier.
    """
    rng = np.random.default_rng(n)
    se = rng.uniform(0.1, 0.6, n)
    outlier = np.where(rng.random(n) < 0.01, 4.0, 1.0)
    return 0.3 + 0.5 * outlier * rng.normal(size=n) + se * rng.normal(size=n), se**2


def least(job: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the least wall time of several calls and the least CPU time, in
    seconds.
    """
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        job()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in times), min(cpu for _, cpu in times)


def over_tasks(tasks: int, contrasts: int) -> str:
    """Return what `infer` takes for a long table of tasks, of as many contrasts
    each.
    """
    rng, size = np.random.default_rng(tasks), tasks * contrasts
    se, wide = rng.uniform(0.1, 1, size), rng.random(size) < 0.2
    effect = np.where(wide, 2, 0.3) * rng.normal(size=size) + se * rng.normal(size=size)
    names = {
        "task": np.repeat(np.arange(tasks), contrasts),
        "contrast": np.tile(np.arange(contrasts), tasks),
    }
    frame = pd.DataFrame(names).astype(str).assign(effect=effect, se=se)
    estimates = cg.from_effects(frame)
    cg.infer(estimates.isel(task=slice(2)), rng=0)
    _, cpu = least(lambda: cg.infer(estimates, rng=0), 1)
    return (
        f"infer of {tasks:,} tasks of {contrasts} contrasts, {DRAWS:,} draws each: "
        f"{cpu:.1f} s of CPU"
    )


def unread(n: int) -> str:
    """Return what `infer` of n effects takes, draws unread, of the time with them."""
    effect, variances = table(n)
    estimates = cg.from_effects(effect, se=np.sqrt(variances))

    def read() -> None:
        found = cg.infer(estimates, rng=0)
        for group, name in (("posterior", "ace"), ("log_likelihood", "effect")):
            found[group][name].load()

    _, whole = least(read, 2)
    _, cpu = least(lambda: cg.infer(estimates, rng=0), 2)
    return (
        f"infer of {n:,} effects: {cpu:.2f} s of CPU, {cpu / whole:.2f} of that with "
        "draws and log likelihoods read"
    )


def main(argv: list[str] | None = None) -> None:
    """Print times and ratios."""
    argv = argv or []
    quick = "--quick" in argv
    for n, (law, answer) in product(
        (100, 1_000) if quick else (1_000, 10_000), LAWS.items()
    ):
        effect, variances = table(n)
        noise = Noise(variances)
        generator = np.random.default_rng(1)
        slow = law == "two_scales"
        repeats = 2 if quick or slow else 7
        seconds, cpu = least(
            lambda f=answer, e=effect, s=noise, g=generator: f(e, s).draw(DRAWS, g),
            repeats,
        )
        target = (8 if n > 1_000 else None) if slow else (0.25 if n == 1_000 else 1.5)
        line = (
            f"{law}, {n:6,} effects: {DRAWS:,} independent draws {seconds:.3f} s, "
            f"{cpu:.3f} of CPU"
        )
        line += f" (target {target})" if target else ""
        print(line)
    print(unread(n))
    low_rank = Noise(variances, np.full((n, 1), 0.1))
    alike = Noise(np.full(n, np.median(variances)))
    for name, form in (
        ("one standard error", alike),
        ("independent", noise),
        ("low rank + diagonal", low_rank),
    ):
        seconds, cpu = least(lambda e=effect, f=form: two_scales(e, f), 3)
        line = (
            f"fit, mean, sd and lfsr of {n:,} effects of two scales, {name}: {cpu:.3f} "
            "s of CPU"
        )
        print(line + ("" if form is low_rank else " (target .05, the fit being given)"))
    for tasks, contrasts in ((919, 12), (919, 40)):
        tasks = tasks // 100 if quick else tasks
        print(over_tasks(tasks, contrasts))
    for name, form in (("independent", noise), ("low rank + diagonal", low_rank)):
        seconds, cpu = least(
            lambda e=effect, f=form: normal(e, f, PRIOR), 3 if quick else 15
        )
        print(
            f"mean, sd and lfsr of {n:,} effects without draws, {name}: "
            f"{seconds * 1e3:.1f} ms, {cpu * 1e3:.1f} of CPU"
        )


if __name__ == "__main__":
    main(sys.argv[1:])

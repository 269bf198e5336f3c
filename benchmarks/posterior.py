"""The exact posterior of thousands of effects against NUTS (nutpie, its compilation
included).

Each row draws 4,000 times from the posterior of one table of effects: ours as
independent draws, nutpie's as 4 chains of 1,000 after 1,000 steps of warm-up, of the
same model (centered; t with 4 degrees of freedom, the spike and slab without its spike
and with its weights fixed where ours are; two scales have no such twin yet). The last
rows take means, sds and lfsr of all effects without a draw, of the default law and of
the normal one. Times of ours are the least of several repeats; nutpie runs once. Fit
and moments of 10,000 effects are stated together, and `infer` of the tasks of a long
table by itself. `z` is the largest difference of the posterior means of the
hyperparameters and of 300 effects, in combined Monte-Carlo errors.

    python benchmarks/posterior.py [--quick] [--large]

nutpie is no dependency of ours: `pip install causalgia[nutpie]`; without it, only our
own times are shown.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.mixture import mixture, mixture_weights
from causalgia.posterior.normal import normal
from causalgia.posterior.scale_mixture import Components, log_component_densities
from causalgia.posterior.student_t import student
from causalgia.posterior.two_scales import two_scales

DRAWS = 4_000
PRIOR = Prior(mu_sd=2, tau_scale=1, standardized=False)


SCALES = np.array([0.05, 0.5, 2.0])  # no spike: NUTS cannot draw one
LAWS = {
    "normal": lambda effect, noise: normal(effect, noise, PRIOR),
    "two_scales": lambda effect, noise: two_scales(effect, noise),
    "spike_and_slab": lambda effect, noise: mixture(
        effect, noise, PRIOR, scales=SCALES, prior_count=np.ones(3)
    ),
    "student_t": lambda effect, noise: student(effect, noise, PRIOR),
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


def model_of(law: str, effect: np.ndarray, variances: np.ndarray) -> Any:
    """Return the same model for PyMC; weights of the spike and slab stand at our
    penalized maximum, as in ours.
    """
    import pymc as pm

    n = len(effect)
    with pm.Model() as model:
        if law == "spike_and_slab":
            weights = mixture_weights(
                log_component_densities(
                    effect, variances, Components(SCALES**2, np.ones(3))
                ),
                np.ones(3),
            )
            ace = pm.NormalMixture("ace", weights.weight, 0, sigma=SCALES, shape=n)
        else:
            mu, tau = (
                pm.Normal("mu", 0, PRIOR.mu_sd),
                pm.HalfNormal("tau", PRIOR.tau_scale),
            )
            nu = {"nu": 4} if law == "student_t" else {}
            ace = (pm.StudentT if nu else pm.Normal)(
                "ace", mu=mu, sigma=tau, shape=n, **nu
            )
        pm.Normal("effect", ace, np.sqrt(variances), observed=effect)
    return model


def nuts(
    law: str, effect: np.ndarray, variances: np.ndarray, draws: int
) -> tuple[float, dict[str, np.ndarray]]:
    """Return the seconds that nutpie takes to compile and sample, and its draws,
    (draws, ...).
    """
    import nutpie

    model = model_of(law, effect, variances)
    start = time.perf_counter()
    found = nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=draws // 4,
        tune=1_000,
        chains=4,
        seed=1,
        progress_bar=False,
    )
    seconds = time.perf_counter() - start
    return seconds, {
        name: np.concatenate(found.posterior[name].values)
        for name in ("mu", "tau", "ace")
        if name in found.posterior
    }


def largest_z(exact: Exact, drawn: dict[str, np.ndarray]) -> float:
    """Return the largest difference of means over nutpie's Monte-Carlo error: ours has
    none.
    """
    import arviz as az

    ours = {
        "mu": exact.nodes.weight @ exact.nodes.coefficients[:, :1],
        "tau": exact.nodes.weight @ exact.nodes.tau[:, None],
        "ace": exact.mean[:300],
    }
    z = []
    for name, truth in ((name, truth) for name, truth in ours.items() if name in drawn):
        chains = drawn[name].reshape(
            4, -1, max(1, drawn[name].size // len(drawn[name]))
        )[:, :, : len(truth)]
        mcse = [np.ravel(az.mcse(chains[:, :, k]))[0] for k in range(len(truth))]
        z.append(np.abs(chains.mean(axis=(0, 1)) - truth) / mcse)
    return float(np.concatenate(z).max())


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


def main(argv: list[str] | None = None) -> None:
    """Print times and ratios."""
    argv = argv or []
    quick = "--quick" in argv
    peer = importlib.util.find_spec("nutpie") is not None and not quick
    for n, (law, answer) in product(
        (100, 1_000) if quick else (1_000, 10_000), LAWS.items()
    ):
        effect, variances = table(n)
        noise = Noise(variances)
        generator = np.random.default_rng(1)
        slow = law in ("student_t", "two_scales")
        repeats = 2 if quick or slow else 7
        seconds, cpu = least(
            lambda f=answer, e=effect, s=noise, g=generator: f(e, s).draw(DRAWS, g),
            repeats,
        )
        target, ratio = (
            (8 if n > 1_000 else None, 5) if slow else (0.25 if n == 1_000 else 1.5, 20)
        )
        line = (
            f"{law}, {n:6,} effects: {DRAWS:,} independent draws {seconds:.3f} s, "
            f"{cpu:.3f} of CPU"
        )
        line += f" (target {target})" if target else ""
        if peer and law != "two_scales" and (n == 1_000 or "--large" in argv):
            theirs, drawn = nuts(law, effect, variances, DRAWS)
            z = largest_z(answer(effect, noise), drawn)
            line += (
                f"; nutpie {theirs:.1f} s, {theirs / seconds:.0f}x (target {ratio}x), "
                f"largest z {z:.1f}"
            )
        print(line)
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
    for tasks, contrasts, target in ((919, 1, 5), (5_313, 1, 20), (919, 40, None)):
        tasks = tasks // 100 if quick else tasks
        print(over_tasks(tasks, contrasts) + (f" (target {target})" if target else ""))
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

"""Errors of `causalgia.posterior`: the cure that each names is taken from its text and
applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, evaluated, number_in, refusal
from test_applied_cures import of_three

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.posterior import (
    _profile,
    exact,
    lattice,
    mixture,
    prior_predictive,
    profile,
    student_t,
)
from causalgia.posterior._profile import gaussian_process
from causalgia.posterior.engines import over_predictors
from causalgia.posterior.error_covariance import Noise, noises_of
from causalgia.posterior.exact import fixed_effects_design, linear_part
from causalgia.posterior.normal import normal
from causalgia.posterior.nuts import sample_slab
from causalgia.posterior.spike_and_slab import spike_and_slab
from causalgia.posterior.student_t import student
from causalgia.posterior.two_scales import two_scales

pytestmark = pytest.mark.rotating(6)

FLAT = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)
E = np.array([0.1, -0.4, 5.0, 0.3, -0.2, 0.6])
ONES = Noise(np.ones(6))
case = Cases()


def priors(named: str) -> Prior:
    return eval(named, {"Prior": Prior, "cg": cg})


def screen(n: int = 60, **coords: Any) -> xr.Dataset:
    draw = np.random.default_rng(3)
    x = draw.normal(size=n)
    table = cg.from_effects(
        x + draw.normal(size=n) * (np.arange(n) % 5 == 0), se=np.full(n, 0.3)
    )
    return table.assign_coords(x=("contrast", x), **coords)


# ---- profiles

AT = np.arange(11.0, 31.0)
TABLE = pd.DataFrame(
    {
        "effect": 0.3 * np.cos(2 * np.pi * AT / 10.5)
        + 0.1 * np.random.default_rng(0).normal(size=20),
        "se": 0.1,
        "spacing": AT,
    }
)


def profiled(**given: Any) -> Any:
    return profile(**{"estimates": TABLE, "along": "spacing", "rng": 0} | given)


@case
def a_profile_of_half_a_draw() -> Any:
    found = cured(profiled, {"n_draws": 0.5}, r"for example (n_draws=\d+)")
    return np.isfinite(found["moments"]["lfsr"]).all()


@case
def a_profile_of_an_ensemble() -> Any:
    one = cg.from_effects(TABLE["effect"], se=TABLE["se"]).assign_coords(
        spacing=("contrast", AT)
    )
    both = xr.concat([one, one + 1], "model").transpose(..., "model")
    both = both.assign_coords(spacing=("contrast", AT), model=["m", "n"])
    made = cure_in(
        refusal(profiled, estimates=both), r"take one with (isel\(model=0\))"
    )
    found = profiled(estimates=eval(f"both.{made}", {"both": both}))
    right = profiled(estimates=one)
    return np.allclose(found["moments"]["lfsr"], right["moments"]["lfsr"])


@case
def periods_in_words() -> Any:
    named = cure_in(
        refusal(profiled, periods="helical"), r"such as (\[.*\]); None asks"
    )
    found = profiled(periods=eval(named))
    return np.isclose(found["moments"]["period_probability"].sum(), 1)


def process(**given: Any) -> Any:
    effect = TABLE["effect"].to_numpy()
    return gaussian_process(
        **{"effect": effect, "noise": Noise(np.full(20, 0.01)), "x": AT}
        | {"log_prior": lambda tau: -tau}
        | given
    )


@case
def places_of_fewer_effects() -> Any:
    n = number_in(refusal(process, x=AT[:9]), r"there are (\d+) effects; give a place")
    return process(x=AT[:n]) is not None


@case
def a_profile_of_too_many_points() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_profile, "MOST_POINTS", 12)
        most = number_in(refusal(process), r"takes 4 to (\d+); use a coarser grid")
        step = -(-len(AT) // most)
        given = {"effect": TABLE["effect"].to_numpy()[::step], "x": AT[::step]}
        return process(noise=Noise(np.full(len(AT[::step]), 0.01)), **given) is not None


@case
def a_place_that_is_missing() -> Any:
    x = np.where(AT == 15, np.nan, AT)
    k = number_in(refusal(process, x=x), r"x\[(\d+)\] is nan; leave the contrast out")
    effect = np.delete(TABLE["effect"].to_numpy(), k)
    noise = Noise(np.full(19, 0.01))
    return process(effect=effect, noise=noise, x=np.delete(x, k)) is not None


# ---- predictors and noise


@case
def one_contrast_of_two_predictors() -> Any:
    def level(prior: Prior) -> Any:
        return over_predictors(
            np.array([[1.0, 2.0]]),
            Noise(np.ones(1)),
            prior,
            lambda mean, noise: normal(mean, noise, Prior()),
        )

    named = cure_in(refusal(level, FLAT), r"such as (Prior\(tau='\w+'\))")
    return np.isfinite(level(priors(named)).mean).all()


@case
def noise_of_fewer_effects() -> Any:
    shape = cure_in(
        refusal(normal, E, Noise(np.ones(5)), Prior()), r"effects of shape (\(\d+,\))"
    )
    return np.isfinite(normal(E, Noise(np.ones(eval(shape))), Prior()).mean).all()


@case
def an_effect_that_is_missing() -> Any:
    effect = np.where(E == 5, np.nan, E)
    k = number_in(
        refusal(normal, effect, ONES, Prior()),
        r"contrast (\d+): effect nan is not a usable .*leave the contrast out",
    )
    found = normal(np.delete(effect, k), Noise(np.ones(5)), Prior())
    return np.isfinite(found.mean).all()


@case
def noises_of_an_ensemble() -> Any:
    table = cg.estimate(cg.contrast(of_three(), control="none"))
    found = evaluated(
        noises_of,
        {"estimates": table},
        r"take one predictor, (estimates.isel\(model=0\))",
    )
    return len(noises_of(found)) == table.sizes["task"]


@case
def noises_over_predictors() -> Any:
    effects = cg.contrast(of_three(), control="none")
    said = refusal(noises_of, cg.estimate(effects))
    cure_in(said, r"or (estimate over predictors) first")
    found = cg.estimate(effects, target="population x predictors")
    return len(noises_of(found)) == found.sizes["task"]


@case
def an_estimate_that_is_missing() -> Any:
    table = screen()
    table["ace"][3] = np.nan
    named = cure_in(
        refusal(noises_of, table),
        r": (?:contrast )?(\w+): no finite .*leave the contrast",
    )
    left = table.sel(contrast=table["contrast"].astype(str) != named)
    return len(noises_of(left)[0].variances) == 59


@case
def a_contrast_that_is_a_sum_of_others() -> Any:
    draw = np.random.default_rng(0).normal(size=(8, 30))
    draw[3] = draw[0] + draw[1]
    V = draw @ draw.T / 30
    se = np.sqrt(np.diag(V))
    table = cg.from_effects(np.arange(8.0), se=se, names=list("abcdefgh"))
    dims = ("contrast", "contrast_", "task")
    table = table.assign(covariance=(dims, V[:, :, None])).assign_coords(
        contrast_=list("abcdefgh")
    )
    named = cure_in(
        refusal(noises_of, table), r"contrast (\w+) is a sum of other .*; leave it out"
    )
    assert named in "abd"
    left = table.sel(
        contrast=table["contrast"] != named, contrast_=table["contrast_"] != named
    )
    return len(noises_of(left)[0].variances) == 7


# ---- exact engines


@case
def covariates_of_fewer_effects() -> Any:
    said = refusal(fixed_effects_design, 6, np.ones((4, 1)), Prior())
    n = number_in(said, r"for (\d+) effects: give one finite number for each effect")
    return fixed_effects_design(
        6, np.arange(float(n))[:, None], Prior()
    ).columns.shape == (6, 2)


@case
def a_whole_covariance_of_another_law() -> Any:
    whole = Noise(np.ones(6), whole=np.eye(6) + 0.1)
    named = cure_in(refusal(student, E, whole, Prior()), r"or (law='normal')$")
    law = {"normal": normal}[arguments(named)["law"]]
    return np.isfinite(law(E, whole, Prior()).mean).all()


@case
def a_fraction_of_a_draw() -> Any:
    draws = normal(E, ONES, Prior()).draw
    named = cure_in(
        refusal(draws, 0.5, np.random.default_rng(0)), r"for example n_draws=(\d+)"
    )
    return draws(int(named), np.random.default_rng(0)).ace.shape == (int(named), 6)


@case
def a_quantile_of_a_percentage() -> Any:
    found = normal(E, ONES, Prior())
    p = float(cure_in(refusal(found.quantile, 2.5), r"for example (0.025)$"))
    return (found.quantile(p) < found.mean).all()


def without_steps(
    module: Any, name: str, law: str, value: Any = 0, **given: Any
) -> Any:
    """Infer with an engine that has no steps left, and again as its message says."""
    call = {"estimates": screen(**given.pop("coords", {})), "law": law, "rng": 0}
    call |= {"n_draws": 400} | given
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, value)
        said = refusal(cg.infer, **call)
        named = cure_in(said, r"use (law='normal')")
        found = cg.infer(**call | arguments(named))
    right = cg.infer(**call | {"law": "normal"})
    return found["posterior"].equals(right["posterior"])


@case
def a_mode_that_is_not_found() -> Any:
    return without_steps(exact, "_ASCENT_STEPS", "student_t", covariates="x")


@case
def a_mixture_that_does_not_converge() -> Any:
    return without_steps(mixture, "_EM_ROUNDS", "spike_and_slab", 1, covariates="x")


@case
def a_mixture_without_a_peak() -> Any:
    def flat(*given: Any) -> Any:
        return replace(exact.shared_mode(*given), peaked=False)

    return without_steps(mixture, "shared_mode", "spike_and_slab", flat, covariates="x")


@case
def heavy_tails_without_a_peak() -> Any:
    def flat(model: Any) -> Any:
        u, modes = modes_along_tau(model)
        return u, [replace(one, peaked=False) for one in modes]

    modes_along_tau = student_t._modes_along_tau
    return without_steps(
        student_t, "_modes_along_tau", "student_t", flat, covariates="x"
    )


@case
def a_law_that_is_too_irregular() -> Any:
    return without_steps(lattice, "_MOST_CELLS", "two_scales", -1)


@case
def a_covariate_that_is_missing() -> Any:
    table = screen()
    table = table.assign_coords(x=table["x"].where(table["contrast"] != 4))
    given = {"law": "normal", "covariates": "x", "rng": 0, "n_draws": 400}
    named = cure_in(
        refusal(cg.infer, table, **given),
        r"contrast (\w+): covariate 'x' is nan; leave the contrast out",
    )
    left = table.sel(contrast=table["contrast"] != int(named))
    return cg.infer(left, **given)["posterior"].sizes["contrast"] == 59


@case
def scales_that_descend() -> Any:
    given = {"scales": np.array([1.0, 0.3, 0.0])}
    said = refusal(mixture.mixture, E, ONES, Prior(), **given)
    named = cure_in(said, r"for example (\[.*\])$")
    found = mixture.mixture(E, ONES, Prior(), scales=np.array(eval(named)))
    return np.isfinite(found.mean).all()


@case
def counts_of_fewer_scales() -> Any:
    given = {"scales": np.array([0.0, 0.3, 1.0])}
    said = refusal(mixture.mixture, E, ONES, Prior(), prior_count=np.ones(2), **given)
    n = number_in(said, r"for (\d+) scales: give one count for each scale")
    found = mixture.mixture(E, ONES, Prior(), prior_count=np.ones(n), **given)
    return np.isfinite(found.mean).all()


# ---- priors


@case
def draws_from_a_flat_prior() -> Any:
    given = {"estimates": screen(), "rng": 0}
    flat = Prior(tau="uniform", tau_scale=np.inf)
    said = refusal(prior_predictive, **given, prior=flat)
    prior = priors(cure_in(said, r"give one that ends: (Prior\(tau='\w+'\))"))
    return prior_predictive(**given, prior=prior) is not None


@case
def a_slab_of_a_flat_prior() -> Any:
    said = refusal(spike_and_slab, E, ONES, FLAT)
    prior = priors(cure_in(said, r"such as prior=(cg.Prior\(tau='\w+'\))"))
    return (spike_and_slab(E, ONES, prior).lfdr[2]) < 0.01


@case
def draws_of_a_slab_of_a_flat_prior() -> Any:
    said = refusal(sample_slab, E, ONES, FLAT, n_draws=4, key=0)
    prior = priors(cure_in(said, r"such as prior=(cg.Prior\(tau='\w+'\))"))
    return (
        prior == Prior(tau="half_t") and spike_and_slab(E, ONES, prior).lfdr[2] < 0.01
    )


@case
def a_slab_of_many_factors() -> Any:
    loadings = np.random.default_rng(0).normal(size=(6, 3)) / 3
    noise = Noise(np.ones(6), loadings=loadings)
    said = refusal(spike_and_slab, E, noise, Prior())
    law = {"normal": normal}[cure_in(said, r"or (normal)$")]
    assert np.isfinite(law(E, noise, Prior()).mean).all()
    most = number_in(said, r"at most (\d+) loadings")
    found = spike_and_slab(E, Noise(np.ones(6), loadings=loadings[:, :most]), Prior())
    return np.isfinite(found.mean).all()


@case
def a_weight_below_1() -> Any:
    said = refusal(spike_and_slab, E, ONES, Prior(), weight=(0.5, 1.0))
    weight = eval(cure_in(said, r"(\(1, 1\)) is flat"))
    return np.isfinite(spike_and_slab(E, ONES, Prior(), weight=weight).mean).all()


@case
def tails_without_degrees_of_freedom() -> Any:
    found = cured(
        student,
        {"effect": E, "noise": ONES, "prior": Prior(), "nu": np.inf},
        r"try (nu=4), or",
    )
    return np.allclose(found.mean, student(E, ONES, Prior()).mean)


@case
def a_unit_of_0() -> Any:
    found = cured(
        two_scales,
        {"effect": np.r_[E, E], "noise": Noise(np.ones(12)), "unit": 0.0},
        r"^(unit)=0.0 .*; leave it out for the median",
    )
    return np.isfinite(found.mean).all()


# ---- tasks


@case
def tasks_of_an_ensemble() -> Any:
    draw, dims = np.random.default_rng(0), ("unit", "contrast", "task", "model")
    true = draw.normal(size=(1, 22, 1, 1))
    effects = xr.Dataset(
        {"ice": (dims, true + draw.normal(size=(30, 22, 2, 3)))},
        {
            "contrast": [f"c{i}" for i in range(22)],
            "task": ["x", "y"],
            "model": ["m", "n", "o"],
        },
    )
    given = {"estimates": cg.estimate(effects), "across": "task", "rng": 0}
    said = refusal(cg.infer, **given)
    verb = cure_in(said, r"estimate over predictors: (cg.estimate\(.*\))$")
    over = eval(verb, {"cg": cg, "effects": effects})
    found = cg.infer(**given | {"estimates": over}, n_draws=400)
    mean = found["posterior"]["ace"].mean(("chain", "draw"))
    return np.corrcoef(mean.isel(task=0), true.ravel())[0, 1] > 0.9


@case
def a_covariate_named_twice() -> Any:
    given = {"estimates": screen(), "law": "normal", "rng": 0, "n_draws": 400}
    said = refusal(cg.infer, **given, covariates=["x", "x"])
    none = eval(cure_in(said, r"name each .* once, or give (None)$"))
    found = cg.infer(**given, covariates=none)["posterior"]
    once = cg.infer(**given, covariates=["x"])["posterior"]
    return "beta" in once and found.equals(cg.infer(**given)["posterior"])


@case
def a_center_that_one_effect_tells() -> Any:
    """Of 26 effects 25 are all but unmeasured, and the tails of the law are heavy."""
    noise = Noise(np.r_[0.1, np.full(25, 1e20)])
    effect = np.linspace(-1.0, 1.0, 26)

    def posterior(**given: Any) -> Any:
        prior = Prior(**{"mu_sd": np.inf, "tau_scale": 0.5} | given)
        shared = linear_part(fixed_effects_design(26, None, prior), noise)
        return student_t.hyper_posterior(
            student_t.StudentModel(effect, noise.variances, shared, prior, 0.5)
        )

    named = cure_in(refusal(posterior), r"a prior of mu that ends, such as (mu_sd=10)$")
    return np.isfinite(posterior(**arguments(named)).surface.log_total)


@case.each
def test_the_cure_of_a_posterior_is_applied_and_succeeds(case):
    assert np.all(case())

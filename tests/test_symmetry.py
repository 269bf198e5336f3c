# Imports from the inside: the posterior laws of arrays, in another unit.
"""Changes that may not matter: the sign of the outcome, its unit, and the tasks and
contrasts beside one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import CausalgiaWarning
from causalgia.multiplicity import placebo_rank, simultaneous
from causalgia.multiplicity.placebo import placebo_region
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.exact import Exact
from causalgia.posterior.normal import normal
from causalgia.posterior.two_scales import two_scales

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{CausalgiaWarning.__module__}.{CausalgiaWarning.__name__}"
)

ROPE = (-0.5, 1.0)
LARGEST = 40.0
EFFECT = ("contrast", "task")


def trial(
    *, parallel: bool = False, n: int = 60, n_arms: int = 5, n_models: int = 0
) -> xr.Dataset:
    """Skewed outcomes of three tasks, that share parents in a crossover; the last arm
    has a large effect.
    """
    rng = np.random.default_rng(7)
    parent = np.arange(n) % 24
    y = (
        rng.exponential(size=(n, n_arms, 3))
        + rng.normal(size=(n_arms, 3))
        + rng.normal(size=(24, n_arms, 1))[parent]
        + 4
    )
    y[:, -1] += [3.0, -2.5, 0.9]
    arms = ["control", *(f"arm{a}" for a in range(1, n_arms))]
    coords: dict[str, Any] = {
        "unit": np.arange(n),
        "gc": ("unit", rng.uniform(0.3, 0.6, n)),
    }
    coords |= {"arm": arms, "task": ["K562", "HepG2", "WTC11"]}
    attrs = {"scale": "counts"}
    if parallel:
        given = np.arange(n) % n_arms
        assigned = ("unit", [arms[a] for a in given])
        return xr.Dataset(
            {"outcome": (("unit", "task"), y[np.arange(n), given])},
            coords | {"assigned": assigned},
            attrs,
        )
    dims: tuple[str, ...] = ("unit", "arm", "task")
    if n_models:
        y = (
            y[..., None]
            + rng.normal(size=(n_arms, 3, n_models))
            + rng.normal(size=(*y.shape, n_models))
        )
        dims, coords = (
            (*dims, "model"),
            coords | {"model": [f"m{j}" for j in range(n_models)]},
        )
    return xr.Dataset(
        {"outcome": (dims, y)}, coords | {"parent": ("unit", parent)}, attrs
    )


def effects(outcomes: xr.Dataset) -> xr.Dataset:
    return cg.contrast(outcomes, control="control")


def drawn_from(estimates: xr.Dataset, size: float) -> dict[str, xr.Dataset]:
    """Return draws of a flat posterior, the same but for their unit and sign, with the
    estimates beside them.
    """
    names = ["K562", "HepG2", "WTC11"]
    noise = np.random.default_rng(3).standard_normal(
        (2, 300, estimates.sizes["contrast"], 3)
    )
    drawn = noise[
        ..., [names.index(task) for task in estimates["task"].values.tolist()]
    ]
    ace = estimates["ace"] + np.sign(size) * estimates["se"] * xr.DataArray(
        drawn, dims=("chain", "draw", *EFFECT)
    )
    kept = estimates[
        ["se", "n_units", "n_clusters", "skewness", "largest_ice", "control_sd"]
    ]
    return {
        "posterior": xr.Dataset({"ace": ace}, attrs={"converged": "yes"}),
        "observed_data": xr.Dataset({"effect": estimates["ace"]}),
        "constant_data": kept.assign_attrs(estimates.attrs),
    }


def among_words(effects: xr.Dataset) -> xr.Dataset:
    """Return the effects with all contrasts but the first and the last as placebos."""
    n = effects.sizes["contrast"]
    return effects.assign_coords(
        is_placebo=("contrast", [0 < k < n - 1 for k in range(n)])
    )


Verb = tuple[Callable[..., Any], dict[str, Any]]


def of_estimates(verb: Callable[..., Any]) -> Callable[..., Any]:
    return lambda effects, **given: verb(cg.estimate(effects), **given)


def of_estimates_over(target: Any) -> Callable[..., Any]:
    return lambda effects, **given: cg.decide(
        cg.estimate(effects, target=target), **given
    )


decide = of_estimates(cg.decide)
BY_TASK = {"family": "task"}
CROSSOVER: dict[str, Verb] = {
    "estimate": (cg.estimate, {}),
    "units": (cg.estimate, {"cluster": "none"}),
    "parents": (cg.estimate, {"target": "parents"}),
    "clusters": (cg.estimate, {"weights": "clusters"}),
    "spread": (cg.moderation, {"by": (), "rope": ROPE}),
    "moderation": (cg.moderation, {"by": "gc"}),
    "band bonferroni": (simultaneous, {"method": "bonferroni", **BY_TASK}),
    **{
        f"decide {m}": (decide, {"rope": ROPE, "error": m, **BY_TASK})
        for m in ("fdr", "fwer", "each")
    },
    "decide in sd": (decide, {"rope": "0.4 sd", **BY_TASK}),
    "decide direction": (decide, {"rope": 0, **BY_TASK}),
    "decide largest": (decide, {"rope": ROPE, "largest": LARGEST, **BY_TASK}),
}
OF_EITHER = (
    "estimate",
    "band bonferroni",
    "decide fdr",
    "decide in sd",
)
PARALLEL: dict[str, Verb] = {name: CROSSOVER[name] for name in OF_EITHER} | {
    "covariates": (cg.estimate, {"covariates": "gc"}),
    "band dunnett": (simultaneous, {"method": "dunnett", **BY_TASK}),
}
WORDS: dict[str, Verb] = {
    "rank": (placebo_rank, {}),
    "region": (placebo_region, {}),
    "decide placebo": (decide, {"rope": "placebo", **BY_TASK}),
    "decide placebo outliers": (decide, {"rope": "placebo outliers", **BY_TASK}),
}
DRAWS: dict[str, Verb] = {
    "posterior": (cg.decide, {"rope": ROPE, **BY_TASK}),
    "at .8": (cg.decide, {"rope": ROPE, "ci_prob": 0.8, **BY_TASK}),
    "direction": (cg.decide, {"rope": 0, "ci_prob": 0.6, **BY_TASK}),
    "largest": (cg.decide, {"rope": ROPE, "largest": LARGEST, **BY_TASK}),
}
ENSEMBLE: dict[str, Verb] = {
    "each predictor": (cg.estimate, {}),
    "over predictors": (cg.estimate, {"target": "population x predictors"}),
    "over predictors, units": (
        cg.estimate,
        {"target": "population x predictors", "cluster": "none"},
    ),
    "next predictor": (cg.estimate, {"target": "next predictor"}),
    "spread": (cg.moderation, {"by": (), "rope": ROPE}),
    "moderation": (cg.moderation, {"by": "gc"}),
    "decide next": (
        of_estimates_over("next predictor"),
        {"rope": ROPE, "error": "fwer", **BY_TASK},
    ),
}
TABLES = {
    "crossover": CROSSOVER,
    "parallel": PARALLEL,
    "words": WORDS,
    "draws": DRAWS,
    "ensemble": ENSEMBLE,
}
EVERY = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table]
)
MEASURED = {
    *(
        "ace",
        "se",
        "lower",
        "upper",
        "control_sd",
        "largest_ice",
        "reversal",
        "se_pooled",
        "arm_sd",
        "sd",
        "sd_se",
        "sd_lower",
        "sd_upper",
        "quantiles",
    ),
    *(
        "shrunken",
        "shrunken_lower",
        "shrunken_upper",
        "quantile_lower",
        "quantile_upper",
        "slope",
        "inside",
        "outside",
        "rope_lower",
        "rope_upper",
        "mean",
    ),
}
TURNED = {"ace", "shrunken", "skewness", "slope", "inside", "outside"} | {
    "mean",
    "quantiles",
    "reversal",
}
SIDES = [
    *(
        ("lower", "upper"),
        ("rope_lower", "rope_upper"),
        ("p_lower", "p_upper"),
    ),
    *(
        ("shrunken_lower", "shrunken_upper"),
        ("p_placebo_below", "p_placebo_above"),
    ),
    *((f"below{end}", f"above{end}") for end in ("", "_se", "_lower", "_upper")),
]
OTHER_SIDE = dict(SIDES) | {above: below for below, above in SIDES}
OTHER_VERDICT = {"increases": "decreases", "decreases": "increases"}


def ask(
    kind: str,
    name: str,
    change: Callable[[xr.Dataset], xr.Dataset] = lambda y: y,
    size: float = 1.0,
) -> xr.Dataset:
    """Return the answer of a verb on changed outcomes, with the region in their unit
    and on their side.
    """
    verb, given = TABLES[kind][name]
    if given.get("rope") == ROPE:
        given = given | {"rope": tuple(sorted(size * end for end in ROPE))}
    if "largest" in given:
        given = given | {"largest": abs(size) * LARGEST}
    if kind == "draws":
        return verb(drawn_from(cg.estimate(effects(change(trial()))), size), **given)
    n_arms, n_models = 84 if kind == "words" else 5, 4 if kind == "ensemble" else 0
    outcomes = change(
        trial(parallel=kind == "parallel", n_arms=n_arms, n_models=n_models)
    )
    of = effects(outcomes)
    found = verb(among_words(of) if kind == "words" else of, **given)
    # those of the covariate
    return found.drop_vars(["mean", "sd_of"]) if name == "moderation" else found


def check_equal(found: xr.Dataset, expected: xr.Dataset, rtol: float = 1e-9) -> None:
    """Hold the variables, but for a root of the covariance, which is not unique, and
    its second dim of contrasts.
    """
    assert set(found.data_vars) == set(expected.data_vars)
    for name in {*map(str, found.data_vars)} - {"factor", "covariance"}:
        here, there = (
            found[name].transpose(*expected[name].dims).to_numpy(),
            expected[name].to_numpy(),
        )
        if here.dtype.kind == "U":
            assert here.tolist() == there.tolist(), name
        else:
            np.testing.assert_allclose(here, there, rtol=rtol, atol=1e-13, err_msg=name)


@EVERY
def test_a_task_has_the_answer_that_it_has_alone(kind: str, name: str) -> None:
    whole = ask(kind, name)
    alone = ask(kind, name, lambda y: y.sel(task=["WTC11"]))
    # those that are selected
    rows = {"contrast": alone["contrast"]} if "contrast" in alone.dims else {}
    check_equal(alone, whole.sel(task=["WTC11"], **rows))


@EVERY
def test_outcomes_in_another_unit_have_effects_in_that_unit(
    kind: str, name: str
) -> None:
    size = 2.0**-40  # changes no digit
    found = ask(kind, name, lambda y: y.assign(outcome=size * y["outcome"]), size)
    check_equal(
        found.assign({v: found[v] / size for v in MEASURED & set(found.data_vars)}),
        ask(kind, name),
    )


@EVERY
def test_outcomes_of_the_other_sign_have_effects_of_the_other_sign(
    kind: str, name: str
) -> None:
    found = ask(kind, name, lambda y: y.assign(outcome=-y["outcome"]), -1.0)
    turned = {}
    for v in map(str, found.data_vars):
        column = found[OTHER_SIDE.get(v, v)]
        if v in TURNED or (v in OTHER_SIDE and v in MEASURED):
            column = -column
        turned[v] = (
            column.isel(prob=slice(None, None, -1)).drop_vars("prob")
            if "prob" in column.dims
            else column
        )
    if "verdict" in turned:
        said = found["verdict"]
        turned["verdict"] = said.copy(
            data=np.vectorize(lambda v: OTHER_VERDICT.get(v, v))(said.to_numpy())
        )
    here = ask(kind, name)
    check_equal(xr.Dataset(turned), here)
    for key, value in here.attrs.items():
        if "rope" not in key:  # which is written in numbers
            assert found.attrs[key] == (
                pytest.approx(value) if isinstance(value, float) else value
            ), key


BY_UNITS = [
    (kind, name) for kind, table in TABLES.items() for name in table if kind != "draws"
]


@pytest.mark.parametrize(("kind", "name"), BY_UNITS)
def test_the_order_of_units_says_nothing(kind: str, name: str) -> None:
    """Units from the last to the first, with the parents that they have; random
    resampling takes them in order.
    """
    check_equal(
        ask(kind, name, lambda y: y.isel(unit=slice(None, None, -1))),
        ask(kind, name),
        rtol=1e-7,
    )


@pytest.mark.parametrize("name", ENSEMBLE)
def test_the_order_of_predictors_says_nothing(name: str) -> None:
    found = ask("ensemble", name, lambda y: y.isel(model=[2, 0, 3, 1]))
    expected = ask("ensemble", name)
    check_equal(
        found.sel(model=expected["model"]) if "model" in expected.dims else found,
        expected,
        rtol=1e-7,
    )


SHARED, LINE = (
    np.array([[0.3], [0.2], [0.4], [0.3], [0.1], [0.3], [0.2], [0.3]] * 4),
    np.linspace(-1, 1, 32)[:, None],
)
LAWS: dict[str, Callable[..., Exact]] = {
    "normal": lambda d, noise, prior, x: normal(d, noise, prior, covariates=x),
    "two_scales": lambda d, noise, prior, x: two_scales(d, noise, covariates=x),
}
ASKED = [
    (law, n, kind)
    for law in LAWS
    for n in (5, 32)
    for kind in ("independent", "shared", "line")
]


def posterior_of(law: str, n: int, kind: str, size: float) -> tuple[Exact, np.ndarray]:
    """Return the posterior of a few large effects and small ones in a unit, and their
    estimates.
    """
    rng = np.random.default_rng(11)
    effect = np.where(
        np.arange(n) % 4 == 1, 3.0, rng.normal(0.2, 0.2, n)
    ) + 0.5 * rng.normal(size=n)
    loadings = size * SHARED[:n] if kind == "shared" else None
    noise = Noise(size**2 * np.linspace(0.2, 0.3, n), loadings)
    prior = Prior(mu_sd=3 * size, tau_scale=2 * size, standardized=False)
    return LAWS[law](
        size * effect, noise, prior, LINE[:n] if kind == "line" else None
    ), size * effect


@pytest.mark.parametrize(("law", "n", "kind"), ASKED)
def test_estimates_in_another_unit_have_the_posterior_in_that_unit(
    law: str, n: int, kind: str
) -> None:
    size = 2.0**-5
    (one, effect), (other, _) = (posterior_of(law, n, kind, s) for s in (1.0, size))
    same = {"rtol": 1e-6, "atol": 1e-9}
    for name in ("mean", "sd"):
        np.testing.assert_allclose(
            getattr(other, name) / size, getattr(one, name), err_msg=name, **same
        )
    for name in ("lfsr", "shrinkage"):
        np.testing.assert_allclose(
            getattr(other, name), getattr(one, name), err_msg=name, **same
        )
    for name in ("tau", "coefficients", "coefficients_sd"):
        averages = [fit.nodes.weight @ getattr(fit.nodes, name) for fit in (one, other)]
        np.testing.assert_allclose(
            averages[1] / size, averages[0], err_msg=name, **same
        )
    for x in (np.full(n, 0.1), effect, one.mean - one.sd):
        np.testing.assert_allclose(other.below(size * x), one.below(x), **same)
    flat = 1 + (kind == "line") if law == "two_scales" else 0
    assert other.log_evidence - one.log_evidence == pytest.approx(
        (flat - n) * np.log(size), abs=1e-6
    )
    drawn, again = (fit.draw(40, np.random.default_rng(0)) for fit in (one, other))
    for name in ("ace", "mu", "tau"):
        if getattr(drawn, name) is not None:
            np.testing.assert_allclose(
                getattr(again, name) / size, getattr(drawn, name), err_msg=name, **same
            )
    np.testing.assert_allclose(again.beta / size, drawn.beta, **same)
    for name, values in drawn.law.items():
        np.testing.assert_allclose(
            again.law[name] / (size if name.startswith("tau") else 1), values, **same
        )
    if drawn.log_likelihood is not None:
        assert again.log_likelihood is not None
        np.testing.assert_allclose(
            again.log_likelihood() + np.log(size), drawn.log_likelihood(), **same
        )


@pytest.mark.simulation
@pytest.mark.parametrize(("law", "n", "kind"), ASKED)
def test_moments_and_draws_are_of_one_posterior(law: str, n: int, kind: str) -> None:
    fit, effect = posterior_of(law, n, kind, 4.0)
    drawn = fit.draw(8_000, np.random.default_rng(1))
    root = np.sqrt(8_000)
    assert (np.abs(drawn.ace.mean(axis=0) - fit.mean) < 4.5 * fit.sd / root).all()
    np.testing.assert_allclose(drawn.ace.std(axis=0), fit.sd, rtol=0.1)
    for x in (np.full(n, 0.4), effect, fit.mean - fit.sd):
        np.testing.assert_allclose(
            fit.below(x), (drawn.ace <= x).mean(axis=0), atol=4.5 * 0.5 / root
        )
    for probability in (0.025, 0.6):
        ends = fit.quantile(probability) + 1e-14 * np.array([[-1.0], [1.0]]) * (
            np.abs(fit.mean) + 9 * fit.sd
        )
        assert (fit.below(ends[0]) < probability + 1e-12).all()
        assert (fit.below(ends[1]) > probability - 1e-12).all()
        under = (drawn.ace <= fit.quantile(probability)).mean(axis=0)
        assert (under > probability - 4.5 * 0.5 / root).all()
    tau, center = (
        fit.nodes.weight @ fit.nodes.tau,
        fit.nodes.weight @ fit.nodes.coefficients,
    )
    assert drawn.tau.mean() == pytest.approx(
        tau, abs=1e-9 * tau + 4.5 * drawn.tau.std() / root
    )
    drawn_center = np.column_stack([drawn.mu, drawn.beta])
    np.testing.assert_allclose(
        drawn_center.mean(axis=0),
        center,
        atol=1e-9 + 4.5 * drawn_center.std(axis=0).max() / root,
    )

"""Errors of a trial and its analysis: the cure that each names is taken from its text
and applied, and the answer is the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal

import causalgia as cg

PLAIN = cg.Uniform(length=40)
WITH_NONE = {"GATA": {"GATA": 1, "none": -1}}
ARMS = {
    "none": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=10),
    "GATA": cg.Embed("AGATAAG", at=10),
}
WEIGHTS = np.random.default_rng(2).normal(size=(3, 4, 40)) / 6


def answer(x: Any, k: int = 0) -> Any:
    """Return two tasks of a network whose effects differ between sequences."""
    y = np.tensordot(x, WEIGHTS, ((1, 2), (1, 2)))
    return np.stack([y[:, k] + 0.3 * y[:, k] * y[:, 1], y[:, 2] ** 2 - y[:, k]], 1)


def network(k: int = 0) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: answer(x, k), tasks=["K562", "HepG2"], fingerprint=f"net {k}"
    )


ORACLE = network()
STRINGS = [
    "".join(row) for row in np.random.default_rng(1).choice(list("ACGT"), (24, 40))
]


def design(**given: Any) -> cg.Design:
    return cg.Design(**{"null": PLAIN, "arms": ARMS, "n_units": 60} | given)


def run(design: Any, predictor: Any = ORACLE, **given: Any) -> xr.Dataset:
    return cg.run(design, predictor, **{"rng": 1, "progress": False} | given)


@cache
def outcomes() -> xr.Dataset:
    return run(design())


@cache
def effects() -> xr.Dataset:
    return cg.contrast(outcomes(), control="none")


@cache
def estimates() -> xr.Dataset:
    return cg.estimate(effects())


@cache
def parallel() -> xr.Dataset:
    return run(design(assignment="parallel"))


@cache
def written() -> xr.Dataset:
    """Return effects whose arms draw nothing of their own."""
    return effects().sel(contrast=["GATA"])


@cache
def many() -> xr.Dataset:
    """Return estimates of fifteen effects, of which five are large."""
    draw = np.random.default_rng(3)
    return cg.from_effects(
        np.r_[draw.normal(size=10), draw.normal(3, 1, 5)], se=np.full(15, 0.3)
    )


def width(table: xr.Dataset) -> Any:
    return (table["upper"] - table["lower"]).to_numpy()


def equal(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two tables have the same effects."""
    return bool(np.array_equal(one["ace"], other["ace"], equal_nan=True))


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- regions and levels
    "a reversed region": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": (0.123456789, -0.123456789)},
            r"the lower end first: (rope=\(.*\))",
        ),
        lambda found: (
            equal(found, cg.decide(estimates(), rope=(-0.123456789, 0.123456789)))
            and found.attrs["rope"]
            == cg.decide(estimates(), rope=(-0.123456789, 0.123456789)).attrs["rope"]
        ),
    ),
    "a reversed narrow region": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": (1.00000001, 1.0)},
            r"the lower end first: (rope=\(.*\))",
        ),
        lambda found: "verdict" in found,
    ),
    "one number": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": 0.12345678},
            r"a region has two ends: (rope=\(.*\))",
        ),
        lambda found: found.equals(
            cg.decide(estimates(), rope=(-0.12345678, 0.12345678))
        ),
    ),
    "no width": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": (0.1, 0.1)},
            r"for example (rope=\(.*?\)),",
        ),
        lambda found: "verdict" in found,
    ),
    "no width, and the direction alone": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": (0.1, 0.1)},
            r"or give (rope=0), the direction alone",
        ),
        lambda found: (
            set(found["verdict"].values.ravel())
            <= {"increases", "decreases", "undecided"}
        ),
    ),
    "no region": (
        lambda: cured(cg.decide, {"x": estimates()}, r"give (rope=\(.*?\)),"),
        lambda found: "verdict" in found,
    ),
    "no region, in sd": (
        lambda: cured(cg.decide, {"x": estimates()}, r"or (rope='[^']*') of the"),
        lambda found: "verdict" in found,
    ),
    "a region of a ratio": (
        lambda: cured(
            cg.decide,
            {
                "x": cg.estimate(
                    cg.contrast(positive(), control="none", scale="ratio")
                ),
                "rope": (-0.1, 0.1),
            },
            r"for example (rope=\(.*\))",
        ),
        lambda found: "verdict" in found,
    ),
    "one number of a ratio": (
        lambda: cured(
            cg.decide,
            {
                "x": cg.estimate(
                    cg.contrast(positive(), control="none", scale="ratio")
                ),
                "rope": 3,
            },
            r"a region has two ends: (rope=\(.*?\))",
        ),
        lambda found: _positive_region(found),
    ),
    "an error in place of a level": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "ci_prob": 1e-7},
            r"give (ci_prob=\S+)$",
        ),
        lambda found: found.attrs["ci_prob"] == 1 - 1e-7,
    ),
    "an error of .05 in place of a level": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "ci_prob": 0.05},
            r"give (ci_prob=\S+)$",
        ),
        lambda found: found.attrs["ci_prob"] == 0.95,
    ),
    "a level of 95": (
        lambda: cured(
            cg.estimate, {"effects": effects(), "ci_prob": 95}, r"example (ci_prob=\S+)"
        ),
        lambda found: equal(found, estimates()),
    ),
    "a placebo region without placebos": (
        lambda: _with_placebos(
            cure_in(
                refusal(cg.decide, estimates(), rope="placebo"),
                r"add arms with (cg.placebos\(.*?\)),",
                {"pattern": "'AGATAAG'", "at=": "at=10"},
            )
        ),
        lambda found: "verdict" in found,
    ),
    "another name of an error": (
        lambda: cured(
            cg.decide,
            {"x": estimates(), "rope": 0, "error": "fdrr"},
            r"did you mean ('fdr')",
            fill={"'fdr'": "error='fdr'"},
        ),
        lambda found: "q" in found,
    ),
    "a band without a seed": (
        lambda: cured(
            cg.decide,
            {"x": effects(), "rope": 0, "error": "fwer"},
            r"needs a seed: (rng=0)",
        ),
        lambda found: "verdict" in found,
    ),
    "error='posterior' of estimates": (
        lambda: evaluated(
            cg.decide,
            {"x": many(), "rope": (-0.5, 0.5), "error": "posterior"},
            r"takes a posterior: (cg.decide\(.*?, \.\.\.\)),",
            fill={"estimates": "x", "...": "rope=rope"},
        ),
        lambda found: found["verdict"].sizes["contrast"] == 15,
    ),
    "tests of a posterior": (
        lambda: evaluated(
            cg.decide,
            {"x": cg.infer(many(), rng=0), "rope": 0, "error": "fdr"},
            r"give the estimates: (cg.decide\(.*\))",
            fill={"estimates,": "table, rope=rope,"},
            table=many(),
        ),
        lambda found: "q" in found,
    ),
    "a largest effect that was passed": (
        lambda: cured(
            cg.decide,
            {"x": effects(), "rope": (-0.1, 0.1), "largest": 0.001},
            r"or leave (\w+)= out",
        ),
        lambda found: "verdict" in found,
    ),
    "few draws for a level": (
        lambda: cured(
            cg.decide,
            {
                "x": cg.infer(many(), rng=0, n_draws=2000),
                "rope": (-0.1, 0.1),
                "ci_prob": 0.9999,
            },
            r"give (ci_prob=[\d.]+) or less",
        ),
        lambda found: found.attrs["ci_prob"] < 0.9999,
    ),
    "few draws, more draws": (
        lambda: cg.decide(
            evaluated(
                cg.decide,
                {
                    "x": cg.infer(many(), rng=0, n_draws=400),
                    "rope": (-0.1, 0.1),
                    "ci_prob": 0.999,
                },
                r"more draws: (cg.infer\(.*\))",
                fill={"...": "table, rng=0"},
                table=many(),
            ),
            rope=(-0.1, 0.1),
            ci_prob=0.999,
        ),
        lambda found: found.attrs["ci_prob"] == 0.999,
    ),
    # ---- contrasts
    "no contrast": (
        lambda: cured(
            cg.contrast,
            {"outcomes": outcomes()},
            r"say (control=),",
            fill={"control=": "control='none'"},
        ),
        lambda found: equal(cg.estimate(found), estimates()),
    ),
    "an arm that is misspelled": (
        lambda: cured(
            cg.contrast,
            {"outcomes": outcomes(), "control": "nome"},
            r"did you mean ('none')\?",
            fill={"'none'": "control='none'"},
        ),
        lambda found: equal(cg.estimate(found), estimates()),
    ),
    "an interaction without factors": (
        lambda: cg.contrast(
            evaluated(
                cg.contrast,
                {"outcomes": four_arms(), "interaction": ["A", "B"]},
                r"or give their levels: (outcomes.assign_coords\(.*\))",
                fill={"[0, 1, ...]": "[0, 1, 0, 1]"},
            ).assign_coords(B=("arm", [0, 0, 1, 1])),
            interaction=["A", "B"],
        ),
        lambda found: np.allclose(
            found["ice"].mean("unit"),
            four_arms()["outcome"].mean("unit").isel(arm=3)
            - four_arms()["outcome"].mean("unit").isel(arm=2)
            - four_arms()["outcome"].mean("unit").isel(arm=1)
            + four_arms()["outcome"].mean("unit").isel(arm=0),
        ),
    ),
    "weights that do not sum to 0": (
        lambda: refusal(
            cg.contrast, outcomes(), contrasts={"a": {"GATA": 1, "none": 1}}
        ),
        lambda text: "sum" in text,
    ),
    "log of what is on a log": (
        lambda: cured(
            cg.contrast,
            {
                "outcomes": outcomes().assign_attrs(scale="log2 counts"),
                "control": "none",
                "scale": "log",
            },
            r"use (scale='identity')",
        ),
        lambda found: equal(cg.estimate(found), estimates()),
    ),
    "a log of negative outcomes": (
        lambda: cured(
            cg.contrast,
            {"outcomes": outcomes() - 100, "control": "none", "scale": "log"},
            r"use (scale='identity')",
        ),
        lambda found: np.allclose(cg.estimate(found)["ace"], estimates()["ace"]),
    ),
    "sd of a parallel trial": (
        lambda: cured(
            cg.contrast,
            {"outcomes": parallel_positive(), "control": "none", "scale": "sd"},
            r"use (scale='log') or",
        ),
        lambda found: cg.estimate(found).sizes["contrast"] == 2,
    ),
    "sd of a parallel trial, as a region": (
        lambda: cg.decide(
            cg.estimate(cg.contrast(parallel_positive(), control="none")),
            **arguments(
                cure_in(
                    refusal(
                        cg.contrast, parallel_positive(), control="none", scale="sd"
                    ),
                    r"(rope='0.2 sd')",
                )
            ),
        ),
        lambda found: "verdict" in found,
    ),
    "an interaction's scale for two arms": (
        lambda: refusal(
            cg.contrast, four_arms(), control="0", scale="bliss", ceiling=100.0
        ),
        lambda text: "interaction=" in text,
    ),
    "doses without a slope": (
        lambda: cured(
            cg.estimation.dose_contrasts,
            {"outcomes": doses(), "along": "copies", "kind": "slope", "degree": 2},
            r"^(degree)= is for",
        ),
        lambda found: isinstance(found, dict),
    ),
    # ---- estimates
    "a block in a crossover": (
        lambda: cg.estimate(
            with_parents(),
            **arguments(
                cure_in(
                    refusal(cg.estimate, with_parents(), block="parent"),
                    r"use (cluster='parent')",
                )
            ),
        ),
        lambda found: found["n_clusters"].values.max() == 20,
    ),
    "covariates in a crossover": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "covariates": ["gc"]},
            r"leave (covariates)= out",
        ),
        lambda found: equal(found, estimates()),
    ),
    "a target of a parallel trial": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(parallel(), control="none"),
                "target": "population x predictors",
            },
            r"use (target='population')",
        ),
        lambda found: found.attrs["target"] == "population",
    ),
    "one unit": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(of_three(), control="none").isel(unit=[0]),
                "target": "population x predictors",
            },
            r"needs two or more units, and there is one; draw more units()$",
            fill={"": "effects=more"},
            more=cg.contrast(of_three(), control="none"),
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    "one unit of written arms": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(of_three(), control="none")
                .sel(contrast=["GATA"])
                .isel(unit=[0]),
                "target": "population x predictors",
            },
            r"or use (target='units')",
        ),
        lambda found: (found["se"] == 0).all(),
    ),
    "parents that are none": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "target": "parents"},
            r"use (target='population')",
        ),
        lambda found: equal(found, estimates()),
    ),
    "one parent": (
        lambda: cured(
            cg.estimate,
            {
                "effects": written().assign_coords(
                    parent=("unit", ["p"] * effects().sizes["unit"])
                )
            },
            r"claim less: .*(target='units')",
        ),
        lambda found: np.allclose(
            found["ace"], estimates()["ace"].sel(contrast=["GATA"])
        ),
    ),
    "one parent, of a random arm": (
        lambda: cured(
            cg.estimate,
            {
                "effects": effects().assign_coords(
                    parent=("unit", ["p"] * effects().sizes["unit"])
                )
            },
            r"claim less: (target='parents') \(new shuffles of this one\)$",
        ),
        lambda found: (
            np.allclose(found["ace"], estimates()["ace"])
            and np.isfinite(found["se"]).all()
        ),
    ),
    "one parent, of a slope": (
        lambda: cured(
            cg.estimation.modification,
            {
                "effects": effects().assign_coords(
                    parent=("unit", ["p"] * effects().sizes["unit"])
                )
            },
            r"claim less: (cluster='none')",
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    "units and a cluster": (
        lambda: cured(
            cg.estimate,
            {
                "effects": with_parents().sel(contrast=["GATA"]),
                "target": "units",
                "cluster": "parent",
            },
            r"leave (cluster)= out",
        ),
        lambda found: found.attrs["target"] == "units",
    ),
    "moderation without predictors": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "moderate": True},
            r"leave (moderate)= out",
        ),
        lambda found: equal(found, estimates()),
    ),
    "a test of units that are known": (
        lambda: evaluated(
            cg.adjust,
            {"estimates": cg.estimate(written(), target="units")},
            r"claim more: (cg.estimate\(.*?\))",
            fill={"effects": "ice"},
            ice=written(),
        ),
        lambda found: equal(found, estimates().sel(contrast=["GATA"])),
    ),
    "control of effects": (
        lambda: cured(
            cg.estimate,
            {"effects": effects(), "control": "none"},
            r"leave (control)= out",
        ),
        lambda found: equal(found, estimates()),
    ),
    "clusters' weights of a parallel trial": (
        lambda: cg.estimate(
            cg.contrast(parallel_blocks(), control="none"),
            **arguments(
                cure_in(
                    refusal(
                        cg.estimate,
                        cg.contrast(parallel_blocks(), control="none"),
                        weights="clusters",
                    ),
                    r"in a parallel trial (block='parent')",
                )
            ),
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    "covariates and blocks": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(parallel_blocks(), control="none"),
                "covariates": ["gc"],
                "block": "parent",
            },
            r"leave (covariates)= out",
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    "a cluster of estimates": (
        lambda: refusal(cg.decide, estimates(), rope=0, cluster="parent"),
        lambda text: "cg.estimate" in text,
    ),
    "tasks' correlation of moments": (
        lambda: cg.estimate(
            run(
                design(contrasts=WITH_NONE),
                **arguments(
                    cure_in(
                        refusal(
                            cg.estimate,
                            run(design(contrasts=WITH_NONE), keep="moments"),
                            task_correlation=True,
                        ),
                        r"run the trial with (keep='effects')",
                    )
                ),
            ),
            task_correlation=True,
        ),
        lambda found: (
            np.allclose(found["ace"], estimates()["ace"].sel(contrast=["GATA"]))
            and found.sizes["task_"] == 2
        ),
    ),
}


def third() -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: np.stack([x[:, 0, :20].mean(1), x[:, 1, 5:].mean(1) ** 2], 1),
        tasks=["K562", "HepG2"],
        fingerprint="third",
    )


@cache
def of_three() -> xr.Dataset:
    """Return outcomes of three networks."""
    return run(design(), cg.Ensemble([network(0), network(1), third()]))


@cache
def positive() -> xr.Dataset:
    return outcomes().assign(outcome=np.exp(outcomes()["outcome"] / 4))


@cache
def parallel_positive() -> xr.Dataset:
    return parallel().assign(outcome=np.exp(parallel()["outcome"] / 4))


@cache
def parallel_blocks() -> xr.Dataset:
    return run(
        design(
            null=cg.Shuffle(of=STRINGS),
            n_units=240,
            assignment="parallel",
            blocks="parent",
        )
    )


@cache
def with_parents() -> xr.Dataset:
    return effects().assign_coords(
        parent=("unit", [f"p{i % 20}" for i in range(effects().sizes["unit"])])
    )


@cache
def four_arms() -> xr.Dataset:
    """Return outcomes of a 2 x 2 whose factors are not named."""
    arms = {
        "0": cg.Untreated(),
        "A": cg.Embed("AGATAAG", at=4),
        "B": cg.Embed("AGATAAG", at=24),
        "AB": cg.Embed("AGATAAG", at=4) + cg.Embed("AGATAAG", at=24),
    }
    return run(design(arms=arms))


@cache
def doses() -> xr.Dataset:
    return four_arms().assign_coords(copies=("arm", [0, 1, 2, 3]))


def _with_placebos(text: str) -> Any:
    arms = {**ARMS, **eval(text, {"cg": cg})}
    return cg.analyze(
        run(design(arms=arms, n_units=30)), control="none", rope="placebo", rng=0
    )


def _positive_region(found: xr.Dataset) -> bool:
    return str(found.attrs["rope"]) == "0.3333 to 3"


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_a_trial_is_applied_and_succeeds(case):
    apply, holds = CASES[case]
    assert holds(apply())

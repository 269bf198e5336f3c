"""Errors about estimates, posteriors and plans: the cure that each names is taken from
its text and applied, and the answer is the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal
from test_applied_cures import (
    design,
    doses,
    effects,
    equal,
    estimates,
    four_arms,
    many,
    of_three,
    outcomes,
    parallel,
    positive,
    run,
)

import causalgia as cg
from causalgia.estimation import hypotheses
from causalgia.multiplicity import placebo_rank, selected_intervals
from causalgia.multiplicity.placebo import placebo_region
from causalgia.planning import cheapest_split

E = np.array([1.0, 0.2, -0.4, 2.0])
SE = np.array([0.3, 0.2, 0.25, 0.4])


def ratio() -> xr.Dataset:
    return cg.estimate(cg.contrast(positive(), control="none", scale="ratio"))


def gaps() -> xr.Dataset:
    y = outcomes()["outcome"].to_numpy().copy()
    y[3:9, 2] = np.nan
    frame = pd.DataFrame(
        [
            (f"u{u}", arm, task, y[u, a, t])
            for u in range(y.shape[0])
            for a, arm in enumerate(("none", "placebo", "GATA"))
            for t, task in enumerate(("K562", "HepG2"))
            if np.isfinite(y[u, a, t])
        ],
        columns=["unit", "arm", "task", "y"],
    )
    return cg.from_frame(frame, outcome="y", arm="arm", unit="unit", task="task")


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- estimates of one's own
    "effects without errors": (
        lambda: cured(
            cg.from_effects,
            {"estimates": E},
            r"give (se=) \(independent",
            fill={"se=": "se=SE"},
            SE=SE,
        ),
        lambda found: np.allclose(found["se"].squeeze(), SE),
    ),
    "no estimates": (
        lambda: eval(
            "cg."
            + cure_in(
                refusal(cg.from_effects, None),
                r"(from_effects\(\[1.2, 0.1\], se=\[0.3, 0.2\]\))",
            ),
            {"cg": cg},
        ),
        lambda found: np.allclose(found["ace"].squeeze(), [1.2, 0.1]),
    ),
    "names in another order": (
        lambda: cg.from_effects(
            pd.Series(E, list("abcd")),
            se=evaluated(
                cg.from_effects,
                {
                    "estimates": pd.Series(E, list("abcd")),
                    "se": pd.Series(SE, list("dcba")),
                },
                r"(se.reindex\(effect.index\))",
                effect=pd.Series(E, list("abcd")),
            ),
        ),
        lambda found: np.allclose(found["se"].squeeze(), SE[::-1]),
    ),
    "levels of an index": (
        lambda: cg.from_effects(
            E[:2],
            se=SE[:2],
            names=evaluated(
                cg.from_effects,
                {
                    "estimates": E[:2],
                    "se": SE[:2],
                    "names": pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")]),
                },
                r"(index.map\(' '.join\))",
                index=pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")]),
            ),
        ),
        lambda found: list(found["contrast"].values) == ["a x", "b y"],
    ),
    "an infinite df among others": (
        lambda: cg.from_effects(
            E[:2],
            se=SE[:2],
            df=[
                4,
                float(
                    cure_in(
                        refusal(cg.from_effects, E[:2], se=SE[:2], df=[4, np.inf]),
                        r"give (1e9) for a normal one",
                    )
                ),
            ],
        ),
        lambda found: np.allclose(
            found["upper"][1] - found["ace"][1], 1.959964 * SE[1], rtol=1e-4
        ),
    ),
    "a sum of effects whose covariance is not known": (
        lambda: (
            hypotheses(
                evaluated(
                    hypotheses,
                    {
                        "estimates": cg.from_effects(
                            E, se=SE, names=list("abcd")
                        ).drop_vars("covariance", errors="ignore"),
                        "hypothesis": "a = b",
                    },
                    r"give it, (cg.from_effects\(effect, covariance=\.\.\.\)), or np",
                    fill={"...": "np.diag(se**2), names=list('abcd')"},
                    effect=E,
                    se=SE,
                ),
                "a = b",
            )
            if _unknown_covariance()
            else hypotheses(cg.from_effects(E, se=SE, names=list("abcd")), "a = b")
        ),
        lambda found: np.isclose(found["se"].item(), np.hypot(SE[0], SE[1])),
    ),
    "sums of ratios": (
        lambda: hypotheses(
            cg.estimate(
                eval(
                    cure_in(
                        refusal(hypotheses, ratio(), "GATA = placebo"),
                        r"take them by (cg.contrast\(.*?\)),",
                        {"...": "y, control='none'"},
                    ),
                    {"cg": cg, "y": positive()},
                )
            ),
            "GATA = placebo",
        ),
        lambda found: np.allclose(
            found["ace"],
            np.log(
                ratio()["ace"].sel(contrast="GATA")
                / ratio()["ace"].sel(contrast="placebo")
            ),
        ),
    ),
    "effects compared with a number": (
        lambda: evaluated(
            hypotheses,
            {
                "estimates": cg.contrast(parallel(), control="none"),
                "hypothesis": "GATA = 0.1",
            },
            r"combine the estimates: (cg.*)$",
            fill={"effects": "estimates", "...": "hypothesis"},
        ),
        lambda found: np.allclose(
            found["ace"],
            cg.estimate(cg.contrast(parallel(), control="none"))["ace"].sel(
                contrast="GATA"
            )
            - 0.1,
        ),
    ),
    "a contrast with a number": (
        lambda: eval(
            cure_in(
                refusal(cg.contrast, outcomes(), contrasts=["GATA - none = 1"]),
                r"by (cg.estimation.hypotheses\(estimates, \.\.\.\))",
                {"...": "'GATA = 1'"},
            ),
            {"cg": cg, "estimates": estimates()},
        ),
        lambda found: np.allclose(
            found["ace"], estimates()["ace"].sel(contrast="GATA") - 1
        ),
    ),
    # ---- gaps
    "units with every arm": (
        lambda: cg.estimate(
            cg.contrast(
                evaluated(
                    cg.estimate,
                    {
                        "effects": cg.contrast(gaps(), control="none"),
                        "target": "units",
                    },
                    r"the units with every arm: (outcomes.dropna\('unit'\))",
                    outcomes=gaps(),
                ),
                control="none",
            ),
            target="units",
        ),
        lambda found: int(found["n_units"].max()) == 54,
    ),
    "a target of a table with gaps": (
        lambda: cured(
            cg.estimate,
            {"effects": cg.contrast(gaps(), control="none"), "target": "units"},
            r"leave (target)= out",
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    "task correlation of gaps": (
        lambda: cg.estimate(
            cg.contrast(
                evaluated(
                    cg.estimate,
                    {
                        "effects": cg.contrast(gaps(), control="none"),
                        "task_correlation": True,
                    },
                    r"units with every cell: (outcomes.dropna\('unit'\))",
                    outcomes=gaps(),
                ),
                control="none",
            ),
            task_correlation=True,
        ),
        lambda found: "task_correlation" in found,
    ),
    "one parent of a table with gaps": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(
                    gaps().assign_coords(parent=("unit", ["p"] * 60)), control="none"
                )
            },
            r"claim less: (cluster='none')",
        ),
        lambda found: np.isfinite(found["se"]).all(),
    ),
    # ---- predictors
    "task correlation of an ensemble": (
        lambda: cg.estimate(
            evaluated(
                cg.estimate,
                {
                    "effects": cg.contrast(of_three(), control="none"),
                    "task_correlation": True,
                },
                r"(effects.isel\(model=0\))",
            ),
            task_correlation=True,
        ),
        lambda found: np.allclose(found["ace"], estimates()["ace"]),
    ),
    "task correlation of an ensemble's mean": (
        lambda: cured(
            cg.estimate,
            {
                "effects": cg.contrast(of_three(), control="none"),
                "task_correlation": True,
            },
            r"or (target='population x predictors')",
        ),
        lambda found: "model" not in found.dims,
    ),
    # ---- adjustment and bands
    "p-values of a table": (
        lambda: evaluated(
            cg.adjust,
            {"estimates": pd.DataFrame({"p": [0.01, 0.5, 0.04]})},
            r"its p-values alone: (cg.adjust\(table\['p'\]\))",
            table=pd.DataFrame({"p": [0.01, 0.5, 0.04]}),
        ),
        lambda found: np.allclose(found, [0.03, 0.5, 0.06]),
    ),
    "families of p-values": (
        lambda: cured(
            cg.adjust,
            {"estimates": [0.01, 0.5, 0.04], "method": "dunnett"},
            r"use (method='holm')",
        ),
        lambda found: np.allclose(found, [0.03, 0.5, 0.08]),
    ),
    "storey of correlated estimates": (
        lambda: cured(
            cg.adjust,
            {"estimates": estimates(), "method": "storey"},
            r"use (method='bh')",
        ),
        lambda found: (found["p_adjusted"] >= found["p"]).all(),
    ),
    "hierarchical without families": (
        lambda: cured(
            cg.adjust,
            {
                "estimates": many().assign_coords(
                    sort=("contrast", ["a"] * 10 + ["b"] * 5)
                ),
                "method": "hierarchical",
            },
            r"with (family=)$",
            fill={"family=": "family='sort'"},
        ),
        lambda found: "p_adjusted" in found,
    ),
    "a band of sign flips": (
        lambda: cured(
            cg.simultaneous,
            {"estimates": effects(), "method": "sign_flip", "rng": 0},
            r"use (method='bootstrap_t')",
        ),
        lambda found: (found["lower"] < found["upper"]).all(),
    ),
    "a band of sign flips, as a test": (
        lambda: cg.adjust(
            effects(),
            **arguments(
                cure_in(
                    refusal(cg.simultaneous, effects(), method="sign_flip", rng=0),
                    r"or adjust\((.*?)\)",
                )
            ),
            rng=0,
        ),
        lambda found: "p_adjusted" in found,
    ),
    "a band without a seed": (
        lambda: cured(
            cg.simultaneous,
            {"estimates": effects(), "method": "bootstrap_t"},
            r"for example (rng=0)",
        ),
        lambda found: (found["lower"] < found["upper"]).all(),
    ),
    "few draws of a band": (
        lambda: cg.simultaneous(
            effects(),
            method="bootstrap_t",
            rng=0,
            ci_prob=0.99,
            n_draws=int(
                cure_in(
                    refusal(
                        cg.simultaneous,
                        effects(),
                        method="bootstrap_t",
                        rng=0,
                        ci_prob=0.99,
                        n_draws=50,
                    ),
                    r"take (\d+) or more",
                )
            ),
        ),
        lambda found: (found["lower"] < found["upper"]).all(),
    ),
    "a curve's band of contrasts": (
        lambda: cured(
            cg.simultaneous,
            {"estimates": effects(), "method": "sup_t", "rng": 0},
            r"for contrasts use ('dunnett')",
            fill={"'dunnett'": "method='dunnett'"},
        ),
        lambda found: (found["lower"] < found["upper"]).all(),
    ),
    "a selection by adjusted p": (
        lambda: selected_intervals(
            evaluated(
                selected_intervals,
                {"estimates": many(), "select": 0.05},
                r"which (cg.adjust\(estimates, method='bh'\)) adds",
            ),
            select=0.05,
        ),
        lambda found: np.isfinite(found["lower"]).any(),
    ),
    "a selection of another kind": (
        lambda: selected_intervals(
            cg.adjust(many(), method="bh"),
            **arguments(
                cure_in(
                    refusal(selected_intervals, many(), select=object()),
                    r"for example (select=.*)",
                )
            ),
        ),
        lambda found: np.isfinite(found["lower"]).any(),
    ),
    "ranks of a table": (
        lambda: cg.multiplicity.rank_intervals(
            evaluated(
                cg.multiplicity.rank_intervals,
                {"band": estimates()},
                r"(cg.multiplicity.simultaneous\(effects, rng=0\))",
                effects=effects(),
            )
        ),
        lambda found: (found["rank_lower"] <= found["rank_upper"]).all(),
    ),
    "a region of too many placebos": (
        lambda: int(
            cure_in(
                refusal(placebo_region, _placebos(100), share=0.99),
                r"n_placebos=(\d+)",
            )
        ),
        lambda n: placebo_region(_placebos(n), share=0.99)["n_placebos"] == n,
    ),
    "a rank in place of a region": (
        lambda: eval(
            cure_in(
                refusal(placebo_region, _placebos(30)),
                r"with (causalgia.multiplicity.placebo_rank)",
            ),
            {"causalgia": cg},
        )(_placebos(30)),
        lambda found: found.equals(placebo_rank(_placebos(30))),
    ),
    # ---- posteriors
    "a law that is misspelled": (
        lambda: cured(
            cg.infer,
            {"estimates": many(), "rng": 0, "law": "students_t"},
            r"did you mean ('student_t')",
            fill={"'student_t'": "law='student_t'"},
        ),
        lambda found: "posterior" in found,
    ),
    "a law as a family": (
        lambda: cg.infer(
            many(),
            rng=0,
            **arguments(
                cure_in(
                    refusal(cg.infer, many(), rng=0, family="normal"),
                    r"leave family= out, and give (law='normal')",
                )
            ),
        ),
        lambda found: found["posterior"].attrs["law"] == "normal",
    ),
    "a prior that is none": (
        lambda: cured(
            cg.infer,
            {"estimates": many(), "rng": 0, "prior": "flat"},
            r"give (prior=cg.Prior\(tau_scale=0.5\))",
        ),
        lambda found: "posterior" in found,
    ),
    "a prior far from the errors": (
        lambda: cured(
            cg.infer,
            {
                "estimates": cg.from_effects(1e15 * E, se=1e15 * SE),
                "rng": 0,
                "law": "normal",
                "prior": cg.Prior(standardized=False),
            },
            r"on their scale: (prior=cg.Prior\(.*\))",
        ),
        lambda found: np.isfinite(found["posterior"]["ace"]).all(),
    ),
    "a flat prior of few effects": (
        lambda: cured(
            cg.infer,
            {
                "estimates": cg.from_effects(E[:1], se=SE[:1]),
                "rng": 0,
                "law": "normal",
                "prior": cg.Prior(tau="uniform", tau_scale=np.inf),
            },
            r"such as (prior=cg.Prior\(tau='half_t'\))",
        ),
        lambda found: np.isfinite(found["posterior"]["ace"]).all(),
    ),
    "ratios have no hierarchical law": (
        lambda: evaluated(
            cg.infer,
            {"estimates": ratio(), "rng": 0},
            r"(cg.decide\(estimates, .*?error='fdr'\))",
            fill={"...": "rope=(0.9, 1.1)"},
        ),
        lambda found: "q" in found,
    ),
    "covariates that are no numbers": (
        lambda: cg.infer(
            many().assign_coords(sort=("contrast", ["a"] * 10 + ["b"] * 5)),
            rng=0,
            **arguments(
                cure_in(
                    refusal(
                        cg.infer,
                        many().assign_coords(sort=("contrast", ["a"] * 10 + ["b"] * 5)),
                        rng=0,
                        covariates="sort",
                    ),
                    r"or (family='sort')",
                )
            ),
        ),
        lambda found: "posterior" in found,
    ),
    "tasks without correlations": (
        lambda: evaluated(
            cg.infer,
            {
                "estimates": cg.estimate(_three_contrasts()),
                "rng": 0,
                "across": "task",
            },
            r"From units: (cg.estimate\(effects, task_correlation=True\))",
            effects=_three_contrasts(),
        ),
        lambda found: "posterior" in cg.infer(found, rng=0, across="task"),
    ),
    # ---- plans
    "no goal": (
        lambda: cured(
            cg.sample_size,
            {"pilot": effects()},
            r"say (half_width=) \(interval",
            fill={"half_width=": "half_width=0.05"},
        ),
        lambda found: (found["n_units"] > 2).all(),
    ),
    "rope= of an sd": (
        lambda: cured(
            cg.sample_size,
            {"sd": 1.0, "rope": "0.2 sd", "true_effect": 1.0},
            r"or give two numbers, (rope=\(.*\))",
        ),
        lambda found: (found["n_units"] > 2).all(),
    ),
    "an effect for an sd": (
        lambda: cured(
            cg.sample_size,
            {"sd": 1.0, "rope": (-0.1, 0.1)},
            r"give (true_effect=)",
            fill={"true_effect=": "true_effect=0.5"},
        ),
        lambda found: (found["n_units"] > 2).all(),
    ),
    "a pilot without units": (
        lambda: cg.sample_size(
            evaluated(
                cg.sample_size,
                {"pilot": cg.from_effects(E, se=SE), "half_width": 0.1},
                r"(estimates.assign\(n_units=500\))",
                estimates=cg.from_effects(E, se=SE),
            ),
            half_width=0.1,
        ),
        lambda found: np.allclose(
            found["n_units"], 500 * (1.96 * SE[:, None] / 0.1) ** 2, rtol=0.05
        ),
    ),
    "a pilot of outcomes": (
        lambda: cg.sample_size(
            evaluated(
                cg.sample_size,
                {"pilot": outcomes(), "half_width": 0.1},
                r"give (cg.contrast\(outcomes, control='\.\.\.'\))",
                fill={"'...'": "'none'"},
                outcomes=outcomes(),
            ),
            half_width=0.1,
        ),
        lambda found: (found["n_units"] >= 2).all(),
    ),
    "two goals": (
        lambda: cured(
            cg.sample_size,
            {"pilot": effects(), "half_width": 0.1, "rope": (-0.1, 0.1)},
            r"(half_width)= \(an interval\) and rope= \(a verdict\) are two goals",
        ),
        lambda found: (found["n_units"] >= 2).all(),
    ),
    "a power below the level": (
        lambda: cured(
            cg.planning.power,
            {"pilot": effects(), "n_units": 100, "rope": (-0.1, 0.1), "ci_prob": 95},
            r"for example (ci_prob=0.95)",
        ),
        lambda found: "n_units" in found or "power" in found,
    ),
    "a split without limits": (
        lambda: refusal(cheapest_split, effects(), half_width=1e-9, max_parents=10),
        lambda text: cheapest_split(effects(), half_width=0.2)["n_units"].min() >= 1,
    ),
    # ---- heterogeneity and shapes
    "a parallel trial's individual effects": (
        lambda: cg.estimation.modification(
            cg.contrast(
                run(
                    design(
                        **arguments(
                            cure_in(
                                refusal(
                                    cg.estimation.modification,
                                    cg.contrast(parallel(), control="none"),
                                ),
                                r"run the design with (assignment=\"crossover\")",
                            )
                        )
                    )
                ),
                control="none",
            )
        ),
        lambda found: np.isfinite(found["slope"]).all(),
    ),
    "modification by an outcome": (
        lambda: cured(
            cg.estimation.modification,
            {"effects": effects(), "by": "task"},
            r"there are .*?(gc)",
            fill={"gc": "by='gc'"},
        ),
        lambda found: np.isfinite(found["slope"]).all(),
    ),
    "distances that are not named": (
        lambda: cg.estimation.helical_phase(
            evaluated(
                cg.estimation.helical_phase,
                {"effects": _spaced()},
                r"give one: (effects.assign_coords\(.*\))$",
                fill={"[...]": "list(range(12, 34))"},
            )
        ),
        lambda found: np.isfinite(found["phase_bp"]).all(),
    ),
    "control of effects": (
        lambda: cured(
            cg.estimation.variance_components,
            {"outcomes_or_effects": effects(), "control": "none"},
            r"leave (control)= out",
        ),
        lambda found: found is not None,
    ),
    "a design of doses": (
        lambda: cg.contrast(
            doses(),
            contrasts=cured(
                cg.estimation.dose_contrasts,
                {"outcomes": four_arms(), "along": "copies"},
                r"(along)=",
                fill={"along": "outcomes=doses"},
                doses=doses(),
            ),
        ),
        lambda found: equal(
            cg.estimate(found),
            cg.estimate(
                cg.contrast(doses(), contrasts=cg.estimation.dose_contrasts(doses()))
            ),
        ),
    ),
}


def _unknown_covariance() -> bool:
    from causalgia.errors import CausalgiaError

    try:
        hypotheses(cg.from_effects(E, se=SE, names=list("abcd")), "a = b")
    except CausalgiaError:
        return True
    return False


def _placebos(n: int) -> xr.Dataset:
    draw = np.random.default_rng(1)
    found = cg.from_effects(draw.normal(size=n + 1), se=np.full(n + 1, 0.1))
    return found.assign_coords(is_placebo=("contrast", np.arange(n + 1) > 0))


def _three_contrasts() -> xr.Dataset:
    arms = {"0": cg.Untreated()} | {
        f"m{i}": cg.Embed("AGATAAG", at=i) for i in range(21)
    }
    return cg.contrast(run(design(arms=arms)), control="0")


def _spaced() -> xr.Dataset:
    draw = np.random.default_rng(2)
    phase = np.cos(2 * np.pi * np.arange(12, 34) / 10.5)
    ice = phase[None, :, None] + 0.1 * draw.normal(size=(30, 22, 1))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={
            "unit": [f"u{i}" for i in range(30)],
            "contrast": [f"c{i}" for i in range(22)],
            "task": ["t"],
        },
    )


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_an_estimate_is_applied_and_succeeds(case):
    apply, holds = CASES[case]
    assert holds(apply())

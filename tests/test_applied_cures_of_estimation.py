"""Errors of `causalgia.estimation`: the cure that each names is taken from its text and
applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, evaluated, number_in, refusal
from test_applied_cures import (
    STRINGS,
    WITH_NONE,
    design,
    effects,
    equal,
    four_arms,
    of_three,
    outcomes,
    parallel,
    parallel_blocks,
    run,
)

import causalgia as cg
from causalgia.estimation import (
    from_effects,
    from_incomplete,
    helical_phase,
    hypotheses,
    mixed_model,
    modification,
    random_effects,
    shape_change,
    variance_components,
)
from causalgia.estimation._helical_phase import trend_basis
from causalgia.estimation._heterogeneity import check_rank
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.effect_intervals import ace_se_df
from causalgia.estimation.given_effects import contrast_names, task_columns
from causalgia.estimation.joint_tests import (
    _wald_test,
    interaction_across_scales,
    randomization_test,
    sign_flip_test,
)
from causalgia.estimation.lines import errors_in_both, errors_in_variables
from causalgia.estimation.mixed_model import reml
from causalgia.estimation.standard_errors import regress, wald_htz

pytestmark = pytest.mark.rotating(6)

E = np.array([1.0, 0.2, -0.4, 2.0])
SE = np.array([0.3, 0.2, 0.25, 0.4])
NAMES = list("abcd")
GIVEN = from_effects(E, se=SE, names=NAMES)
KNOWN = from_effects(E, covariance=np.diag(SE**2), names=NAMES)
case = Cases()


def plain(table: xr.Dataset) -> Any:
    return table["ace"].to_numpy().ravel()


# ---- effects from elsewhere


class Fit(SimpleNamespace):
    """Coefficients of a model, as statsmodels names them."""

    def cov_params(self) -> pd.DataFrame:
        return pd.DataFrame(np.diag(SE[:2] ** 2), NAMES[:2], NAMES[:2])


FIT = Fit(params=pd.Series(E[:2], NAMES[:2]), bse=SE[:2], df_resid=9.0)


@case
def a_fitted_model_and_its_errors() -> Any:
    found = cured(
        from_effects,
        {"estimates": FIT, "se": SE[:2]},
        r"(se)= beside a fitted model, .* or the model alone",
    )
    return np.allclose(found["se"].squeeze(), SE[:2])


@case
def errors_beside_a_table() -> Any:
    table = pd.DataFrame({"contrast": NAMES, "effect": E})
    column = cure_in(
        refusal(from_effects, table, se=SE), r"add a column '(\w+)', or give arrays"
    )
    return np.allclose(from_effects(table.assign(**{column: SE}))["se"].squeeze(), SE)


@case
def degrees_of_freedom_beside_a_table() -> Any:
    table = pd.DataFrame({"contrast": NAMES, "effect": E, "se": SE})
    column = cure_in(refusal(from_effects, table, df=7), r"add a column '(\w+)'")
    return (from_effects(table.assign(**{column: 7.0}))["df"] == 7).all()


@case
def estimates_given_once_more() -> Any:
    cure_in(refusal(from_effects, GIVEN), r"(give them to the verb itself)")
    return "p_adjusted" in cg.adjust(GIVEN, method="holm")


@case
def a_correlation_of_tasks_beside_arrays() -> Any:
    columns = cure_in(
        refusal(from_effects, E, se=SE, task_correlation=np.eye(2)),
        r"give a DataFrame with the columns (.*), or",
    )
    values = {"contrast": ["a", "a", "b", "b"], "task": ["x", "y"] * 2}
    values |= {"effect": E, "se": SE}
    names = columns.replace(" and ", ", ").split(", ")
    table = pd.DataFrame({name: values[name] for name in names})
    rho = np.array([[1.0, 0.4], [0.4, 1.0]])
    found = from_effects(table, task_correlation=rho)["task_correlation"]
    return np.allclose(found, rho)


@case
def effects_by_name() -> Any:
    given = dict(zip(NAMES, E, strict=True))
    make = cure_in(refusal(from_effects, given, se=SE), r"give a pandas (Series) of it")
    found = from_effects(getattr(pd, make)(given), se=SE)
    return list(found["contrast"].values) == NAMES


@case
def a_name_that_is_missing() -> Any:
    names = ["a", None, "c"]
    k = number_in(refusal(contrast_names, names, 3), r"name (\d+) is missing; give one")
    names[k] = "b"
    return list(contrast_names(names, 3)) == ["a", "b", "c"]


@case
def correlations_of_many_tasks() -> Any:
    rows = np.broadcast_to(np.ones((1, 1, 1)), (2, 300, 1_400))
    named = cure_in(
        refusal(task_columns, rows, np.arange(300), np.arange(1_400)),
        r"take (fewer tasks), effects.sel\(task=\[...\]\)",
    )
    assert named == "fewer tasks"
    found = task_columns(rows[:, :, :3], np.arange(300), np.arange(3))
    return found["task_correlation"].shape == (300, 3, 3)


@case
def a_negative_error() -> Any:
    table = GIVEN.assign(se=GIVEN["se"].where(GIVEN["contrast"] != "b", -1.0))
    name = cure_in(refusal(ace_se_df, table), r"contrast (\w+): .*; leave the contrast")
    left = ace_se_df(table.sel(contrast=table["contrast"] != name))
    return np.allclose(left[1].ravel(), SE[[0, 2, 3]])


# ---- helical phase

D = np.arange(20, 44)


def waves(distances: Any = D, tasks: int = 1, **coords: Any) -> xr.Dataset:
    draw, d = np.random.default_rng(0), np.asarray(distances)
    ice = np.cos(2 * np.pi * (d - 3.0) / 10.5) + draw.normal(size=(12, len(d)))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.repeat(ice[..., None], tasks, 2))},
        coords={
            "contrast": [f"c{i}" for i in range(len(d))],
            "distance": ("contrast", d),
            "task": [f"t{i}" for i in range(tasks)],
        }
        | coords,
    )


@case
def the_phase_of_a_parallel_trial() -> Any:
    arms = {"none": cg.Untreated()} | {
        f"at {i}": cg.Embed("AGATAAG", at=i) for i in range(0, 24, 2)
    }

    def at(trial: xr.Dataset) -> xr.Dataset:
        found = cg.contrast(trial, control="none")
        places = [int(str(name).split()[1]) for name in found["contrast"].values]
        return found.assign_coords(distance=("contrast", places))

    named = cure_in(
        refusal(helical_phase, at(run(design(arms=arms, assignment="parallel")))),
        r'run the design with (assignment="\w+")',
    )
    found = helical_phase(at(run(design(arms=arms, **arguments(named)))))
    return (found["amplitude"] > 0).all()


@case
def an_unknown_trend() -> Any:
    found = cured(
        helical_phase,
        {"effects": waves(), "trend": "septic"},
        r"is not one of ('linear')",
        fill={"'linear'": "trend='linear'"},
    )
    return found.attrs["trend"] == "linear"


@case
def a_trend_of_few_distances() -> Any:
    found = cured(
        helical_phase,
        {"effects": waves(D[:7]), "trend": "natural_spline_4"},
        r"use (trend='\w+'), or add distances",
    )
    return found.attrs["trend"] == "cubic"


@case
def a_trend_of_fewer_distances() -> Any:
    found = cured(
        helical_phase, {"effects": waves(D[:6])}, r"use (trend='\w+'), or add distances"
    )
    return found.attrs["trend"] == "quadratic"


@case
def a_trend_of_close_distances() -> Any:
    found = cured(
        trend_basis,
        {"x": np.linspace(20, 20.01, 12), "trend": "decay"},
        r"too short .*; use (trend='\w+'), or add distances",
    )
    return found.shape == (12, 4)


@case
def a_wave_that_is_part_of_the_trend() -> Any:
    at = np.arange(0, 120, 5.25)
    said = refusal(helical_phase, waves(at), periods=[9.7])
    assert cure_in(said, r"no multiples of half the period, or (another period)")
    return np.isfinite(helical_phase(waves(at), period=9.7, periods=[9.7])["p"]).all()


@case
def a_task_without_a_wave() -> Any:
    both = waves(tasks=2)
    both["ice"][..., 1] = 0.0
    task = cure_in(refusal(helical_phase, both), r"^task '(\w+)': .*; leave it out$")
    left = both.sel(task=both["task"] != task)
    return helical_phase(left)["phase_bp"].equals(helical_phase(waves())["phase_bp"])


# ---- covariates and hypotheses


@case
def a_covariate_that_follows_from_others() -> Any:
    x = np.random.default_rng(0).normal(size=(9, 2))
    x, names = np.column_stack([x, x[:, 0] - x[:, 1]]), ("gc", "cpg", "sum")
    named = cure_in(
        refusal(check_rank, x, names, "the units"), r"'(\w+)' is collinear .*leave one"
    )
    left = [j for j, name in enumerate(names) if name != named]
    check_rank(x[:, left], tuple(names[j] for j in left), "the units")
    return named == "sum"


@case
def many_hypotheses_of_estimates() -> Any:
    table = from_effects(np.arange(40.0), covariance=np.eye(40))
    found = cured(
        hypotheses,
        {"estimates": table, "hypothesis": "pairwise"},
        r"test fewer \(('reference')\)",
        fill={"'reference'": "hypothesis='reference'"},
    )
    return found.sizes["contrast"] == 39


@case
def no_hypothesis() -> Any:
    text = cure_in(refusal(hypotheses, KNOWN, None), r"for example '(.*)'$")
    return np.allclose(plain(hypotheses(KNOWN, text)), E[1] - E[0])


@case
def no_hypothesis_of_names_with_spaces() -> Any:
    table = KNOWN.drop_vars("covariance").assign_coords(
        contrast=["motif one", "motif two", "c", "d"]
    )
    table = from_effects(
        E, covariance=np.diag(SE**2), names=[str(n) for n in table["contrast"].values]
    )
    text = cure_in(refusal(hypotheses, table, {}), r"for example '(.*)'$")
    return np.allclose(plain(hypotheses(table, text)), E[1] - E[0])


@case
def a_hypothesis_that_is_a_number_of_another_kind() -> Any:
    text = cure_in(refusal(hypotheses, KNOWN, object()), r"for example '(.*)'$")
    return np.allclose(plain(hypotheses(KNOWN, text)), E[1] - E[0])


@case
def a_matrix_of_another_width() -> Any:
    n = number_in(
        refusal(hypotheses, KNOWN, np.eye(3)), r"give \(hypotheses, (\d+) contrasts\)"
    )
    return np.allclose(plain(hypotheses(KNOWN, np.eye(n)[:1])), E[0])


@case
def two_equal_rows() -> Any:
    H = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1], [1, -1, 0, 0]])
    j = number_in(refusal(hypotheses, KNOWN, H), r"leave row (\d+) out")
    return np.allclose(plain(hypotheses(KNOWN, np.delete(H, j, 0))), [0.8, -2.4])


@case
def contrasts_that_determine_each_other() -> Any:
    weights = {"a": {"GATA": 1, "none": -1}, "b": {"placebo": 1, "none": -1}}
    weights |= {"c": {"GATA": 1, "placebo": -1}}
    table = cg.estimate(cg.contrast(outcomes(), contrasts=weights))
    texts = ["a = 0", "a - b - c = 0"]
    named = cure_in(
        refusal(hypotheses, table, texts), r"hypothesis '(.*?)': .*; leave it out, or"
    )
    found = hypotheses(table, [x for x in texts if x != named])
    return np.allclose(plain(found), plain(table.sel(contrast=["a"])))


@case
def an_interval_of_effects() -> Any:
    given = {"estimates": effects(), "hypothesis": "GATA - placebo = 0", "ci_prob": 0.9}
    verb = cure_in(refusal(hypotheses, **given), r"give it to (cg.\w+) instead")
    found = eval(verb, {"cg": cg})(
        hypotheses(effects(), given["hypothesis"]), ci_prob=given["ci_prob"]
    )
    return found.attrs["ci_prob"] == 0.9


@case
def texts_and_weights() -> Any:
    mixed = ["a - b = 0", [1.0, 0, 0, 0]]
    cure_in(refusal(hypotheses, KNOWN, mixed), r"(give texts alone), or a matrix")
    found = hypotheses(KNOWN, [one for one in mixed if isinstance(one, str)])
    return np.allclose(plain(found), 0.8)


@case
def a_hypothesis_given_twice() -> Any:
    texts = ["a - b = 0", "c = 0", "a - b = 0"]
    named = cure_in(refusal(hypotheses, KNOWN, texts), r"'(.*)' is given twice.*leave")
    once = [x for k, x in enumerate(texts) if x != named or texts.index(x) == k]
    return np.allclose(plain(hypotheses(KNOWN, once)), [0.8, -0.4])


# ---- random effects of contrasts


@case
def an_unknown_method() -> Any:
    named = cure_in(
        refusal(random_effects, E, SE**2, method="dl"), r"is not one of '\w+', ('\w+')"
    )
    found = random_effects(E, SE**2, method=eval(named))
    return found.tau2 == random_effects(E, SE**2, method="ML").tau2


@case
def effects_of_two_dims() -> Any:
    cure_in(refusal(random_effects, E[:, None], SE**2), r"(give one number for each)")
    return np.allclose(
        random_effects(E[:, None].ravel(), SE**2).beta, random_effects(E, SE**2).beta
    )


@case
def covariates_of_fewer_effects() -> Any:
    x = np.arange(3.0)
    n = number_in(
        refusal(random_effects, E, SE**2, covariates=x),
        r"there are (\d+) effects; give one row",
    )
    return len(random_effects(E, SE**2, covariates=np.arange(float(n))).beta) == 2


@case
def covariates_that_are_sums() -> Any:
    y, x = np.r_[E, E + 0.1], np.random.default_rng(0).normal(size=(8, 2))
    given = np.column_stack([x, x.sum(axis=1)])
    j = number_in(
        refusal(random_effects, y, np.ones(8), covariates=given),
        r"beginning with column (\d+); leave it out",
    )
    found = random_effects(y, np.ones(8), covariates=np.delete(given, j, 1))
    return np.allclose(found.beta, random_effects(y, np.ones(8), covariates=x).beta)


@case
def a_variance_and_a_covariance() -> Any:
    given = {"effect": E, "variance": SE**2, "covariance": np.diag(SE**2)}
    named = cure_in(refusal(random_effects, **given), r"give either (\w+)=")
    left = {k: v for k, v in given.items() if k in ("effect", named)}
    return np.allclose(random_effects(**left).beta, random_effects(E, SE**2).beta)


@case
def a_covariance_of_another_shape() -> Any:
    text = refusal(random_effects, E, covariance=np.eye(3))
    shape = eval(cure_in(text, r"give (\(\d+, \d+\))"))
    return random_effects(E, covariance=np.eye(*shape)).beta.shape == (1,)


@case
def a_covariance_that_is_not_symmetric() -> Any:
    V = np.diag(SE**2)
    V[0, 1] = 0.02
    found = evaluated(
        random_effects,
        {"effect": E, "covariance": V},
        r"give (\(covariance \+ covariance.T\) / 2)",
    )
    return np.isfinite(random_effects(E, covariance=found).beta).all()


@case
def a_matrix_that_is_no_covariance() -> Any:
    V = np.diag(SE**2)
    V[0, 1] = V[1, 0] = 0.09
    named = cure_in(refusal(random_effects, E, covariance=V), r"give (\w+)= alone")
    found = random_effects(E, **{named: np.diag(V)})
    return np.allclose(found.beta, random_effects(E, SE**2).beta)


@case
def a_singular_covariance() -> Any:
    V = np.full((4, 4), 0.04)
    named = cure_in(
        refusal(random_effects, E, covariance=V), r"leave it out, or give (\w+)= alone"
    )
    return np.isfinite(random_effects(E, **{named: np.diag(V)}).beta).all()


# ---- shapes and components


@cache
def tracks(**given: Any) -> xr.Dataset:
    arms = {
        "control": cg.Placebo("AGATAAG", at=90),
        "site": cg.Embed("AGATAAG", at=90),
    }
    plan = cg.Design(
        null=cg.Uniform(length=200), arms=arms, n_units=12, contrasts="control"
    )
    return run(plan, cg.zoo.footprint(), **given)


@case
def an_unknown_divergence() -> Any:
    named = cure_in(
        refusal(shape_change, tracks(), control="control", divergence="kl"),
        r"is not one of ('\w+')",
    )
    found = shape_change(tracks(), control="control", divergence=eval(named))
    return (found["ace"] > 0).all()


@case
def shapes_of_effects() -> Any:
    named = cure_in(
        refusal(shape_change, tracks(keep="effects"), control="control"),
        r"run the trial with (keep='\w+')",
    )
    found = shape_change(tracks(**arguments(named)), control="control")
    return equal(found, shape_change(tracks(), control="control"))


@case
def shapes_of_an_unknown_control() -> Any:
    found = cured(
        shape_change,
        {"outcomes": tracks(), "control": "none"},
        r"the arms are ('control')",
        fill={"'control'": "control='control'"},
    )
    return list(found["contrast"].values) == ["site"]


@case
def shapes_between_one_number() -> Any:
    found = cured(
        shape_change,
        {"outcomes": tracks(), "control": "control", "between": 50},
        r"such as (\(-50, 50\))",
        fill={"(-50, 50)": "between=(-50, 50)"},
    )
    return (found["ace"] >= 0).all()


@case
def components_of_an_unknown_instance() -> Any:
    table = cg.contrast(four_arms(), control="0")
    made = evaluated(
        variance_components,
        {"outcomes_or_effects": table, "instance": "motif"},
        r"give one: (effects.assign_coords\(motif=.*\))$",
        fill={"...": "'x', 'x', 'x'"},
        effects=table,
    )
    assert list(made["motif"].values) == ["x"] * 3
    return np.isfinite(variance_components(made, instance="motif")["variance"]).all()


@case
def instances_of_outcomes() -> Any:
    table = outcomes().assign_coords(motif=("arm", ["none", "G", "G"]))
    named = cure_in(
        refusal(variance_components, table, instance="motif"), r"give (control=) too"
    )
    found = variance_components(table, instance="motif", **arguments(f"{named}'none'"))
    return np.isfinite(found["variance"]).all()


# ---- estimates over predictors


@case
def a_predictive_interval_of_a_ratio() -> Any:
    trial = abs(of_three()) + 1
    given = {"effects": cg.contrast(trial, control="none", scale="ratio")}
    said = refusal(cg.estimate, **given, target="next predictor")
    scale = arguments(cure_in(said, r"use (scale='\w+'), whose limits"))
    found = cg.estimate(
        cg.contrast(trial, control="none", **scale), target="next predictor"
    )
    return (found["lower"] < found["upper"]).all()


@case
def moderation_of_two_predictors() -> Any:
    two = cg.contrast(of_three().isel(model=[0, 1]), control="none")
    given = {"effects": two, "target": "population x predictors", "moderate": True}
    found = cured(cg.estimate, given, r"(moderate)=True takes .*; leave it out")
    return np.isfinite(found["se"]).all()


@case
def one_network_under_two_names() -> Any:
    twice = xr.concat(
        [of_three(), of_three().isel(model=[0]).assign_coords(model=["copy"])], "model"
    )
    table = cg.contrast(twice, control="none")
    named = cure_in(
        refusal(cg.estimate, table, target="population x predictors"),
        r"models '[^']*' and '([^']*)' gave .*; leave one of them out",
    )
    left = table.sel(model=table["model"] != named)
    return equal(
        cg.estimate(left, target="population x predictors"),
        cg.estimate(
            cg.contrast(of_three(), control="none"), target="population x predictors"
        ),
    )


# ---- tables with missing cells

CELLS = pd.DataFrame(
    [(u, arm, m) for u in range(8) for arm in ("c", "A") for m in (0, 1, 2)],
    columns=["unit", "arm", "model"],
).assign(y=lambda x: np.random.default_rng(0).normal(size=len(x)))
ROLES = {"outcome": "y", "arm": "arm", "unit": "unit", "control": "c", "model": "model"}


@case
def predictors_and_placebos() -> Any:
    named = cure_in(
        refusal(from_incomplete, CELLS, **ROLES, placebos=["A"]), r"give one of (\w+)="
    )
    assert named == "model"
    return np.isfinite(from_incomplete(CELLS, **ROLES)["se"]).all()


@case
def an_arm_of_too_many_digits() -> Any:
    given = ROLES | {"control": 10**5_000}
    kind = cure_in(refusal(from_incomplete, CELLS, **given), r"give (text) or a number")
    assert kind == "text"
    return np.isfinite(from_incomplete(CELLS, **given | {"control": "c"})["se"]).all()


@case
def a_cell_without_a_value() -> Any:
    table = CELLS.assign(y=CELLS["y"].where(CELLS.index != 5))
    row = number_in(refusal(from_incomplete, table, **ROLES), r"row (\d+): .*drop the")
    found = from_incomplete(table.drop(index=row), **ROLES)
    return equal(found, from_incomplete(CELLS.drop(index=5), **ROLES))


@case
def a_cell_with_words() -> Any:
    table = CELLS.astype({"y": object})
    table.loc[7, "y"] = "n.d."
    row = number_in(
        refusal(from_incomplete, table, **ROLES), r"row (\d+) has 'n.d.'; .*leave the"
    )
    found = from_incomplete(table.drop(index=row), **ROLES)
    return equal(found, from_incomplete(CELLS.drop(index=7), **ROLES))


@case
def a_column_of_words() -> Any:
    table = CELLS.assign(label="high")
    found = cured(
        from_incomplete,
        ROLES | {"frame": table, "outcome": "label"},
        r"name a column of numbers: .*('y')",
        fill={"'y'": "outcome='y'"},
    )
    return equal(found, from_incomplete(CELLS, **ROLES))


GAPS = pd.DataFrame(
    {"unit": np.repeat(np.arange(12), 2), "arm": ["wt", "A"] * 12}
).assign(y=lambda x: np.random.default_rng(1).normal(size=len(x)))


def with_gaps(table: pd.DataFrame = GAPS, rows: Any = (3,), **given: Any) -> xr.Dataset:
    table = table.assign(y=table["y"].where(~table.index.isin(rows)))
    return cg.from_frame(table, outcome="y", arm="arm", unit="unit", **given)


def of_gaps(**given: Any) -> xr.Dataset:
    return cg.contrast(with_gaps(**given), control="wt")


@case
def units_with_one_arm_each() -> Any:
    one_each = [0 if u % 2 else 1 for u in range(12)]
    rows = [2 * u + k for u, k in enumerate(one_each)]
    said = refusal(cg.estimate, of_gaps(rows=rows))
    cure_in(said, r"or give each unit (one row and one arm) \(a parallel trial\)")
    table = cg.from_frame(GAPS.drop(index=rows), outcome="y", arm="arm", unit="unit")
    return np.isfinite(cg.estimate(cg.contrast(table, control="wt"))["se"]).all()


@case
def clusters_weighed_where_cells_are_missing() -> Any:
    found = cured(
        cg.estimate,
        {"effects": of_gaps(), "weights": "clusters"},
        r"leave (weights)= out",
    )
    return equal(found, cg.estimate(of_gaps()))


@case
def blocks_where_cells_are_missing() -> Any:
    found = cured(
        cg.estimate, {"effects": of_gaps(), "block": "batch"}, r"leave (block)= out"
    )
    return equal(found, cg.estimate(of_gaps()))


@case
def covariates_where_cells_are_missing() -> Any:
    found = cured(
        cg.estimate,
        {"effects": of_gaps(), "covariates": ["gc"]},
        r"leave (covariates)= out",
    )
    return equal(found, cg.estimate(of_gaps()))


@case
def an_arm_that_no_unit_has() -> Any:
    three = pd.DataFrame(
        {"unit": np.repeat(np.arange(10), 3), "arm": ["wt", "A", "B"] * 10}
    ).assign(y=lambda x: np.random.default_rng(1).normal(size=len(x)))
    gone = with_gaps(three, rows=[0, 4, 10]).isel(unit=slice(1, None))
    gone["outcome"].loc[{"arm": "B"}] = np.nan
    arm = cure_in(
        refusal(cg.estimate, cg.contrast(gone, control="wt")),
        r"arm '(\w+)' has no outcome .*; leave that arm",
    )
    left = gone.sel(arm=gone["arm"] != arm)
    return np.isfinite(cg.estimate(cg.contrast(left, control="wt"))["se"]).all()


@case
def units_that_differ_by_far_more_than_their_outcomes() -> Any:
    table = GAPS.assign(
        y=GAPS["y"] + 1e7 * GAPS["unit"], family=(GAPS["unit"] % 4).astype(str)
    )
    found = of_gaps(table=table, parent="family")
    cluster = cure_in(refusal(cg.estimate, found), r"or use (cluster='none')")
    return np.isfinite(cg.estimate(found, **arguments(cluster))["se"]).all()


# ---- tests by randomization, and lines

Y = np.array([1.0, 2.0, 3.0, 9.0, 4.0, 6.5])
TREATED = np.array([False, False, True, True, False, True])


@case
def treatments_of_fewer_units() -> Any:
    n = number_in(
        refusal(randomization_test, Y, TREATED[:4]), r"there are (\d+) outcomes; give"
    )
    return 0 < randomization_test(Y, TREATED[:n]).p <= 1


@case
def treatments_by_name() -> Any:
    arm = np.where(TREATED, "GATA", "none")
    named = cure_in(
        refusal(randomization_test, Y, arm),
        r"say (treated=arm == 'name')",
        {"'name'": "'GATA'"},
    )
    found = randomization_test(Y, **arguments(named, arm=arm))
    return found.p == randomization_test(Y, TREATED).p


@case
def outcomes_that_are_missing() -> Any:
    y = np.r_[Y, np.nan]
    cure_in(
        refusal(randomization_test, y, np.r_[TREATED, True]),
        r"(leave units without outcome out)",
    )
    has = np.isfinite(y)
    found = randomization_test(y[has], np.r_[TREATED, True][has])
    return found.p == randomization_test(Y, TREATED).p


@case
def flips_that_are_too_many() -> Any:
    ice = effects().sel(contrast="GATA", task="K562")["ice"].to_numpy()
    named = cure_in(
        refusal(sign_flip_test, ice),
        r"or draw flips: (cg.adjust\(.*\))$",
        {"rng=": "rng=0"},
    )
    found = eval(named, {"cg": cg, "effects": effects()})
    return ((found["p_adjusted"] > 0) & (found["p_adjusted"] <= 1)).all()


@case
def points_without_a_place() -> Any:
    x, y = np.array([0.0, 1.0, np.nan, 3.0, 4.0]), np.array([0.1, 0.9, 2.2, 2.8, 4.2])
    cure_in(
        refusal(errors_in_variables, x, y, y_covariance=np.full(5, 0.01)),
        r"(leave out points that have none)",
    )
    has = np.isfinite(x)
    found = errors_in_variables(x[has], y[has], y_covariance=np.full(4, 0.01))
    return np.isclose(found.slope, 1, atol=0.1)


@case
def variances_of_fewer_points() -> Any:
    x = np.arange(4.0)
    n = number_in(
        refusal(errors_in_variables, x, x, y_covariance=np.ones(3)), r"or (\d+) varianc"
    )
    return np.isclose(errors_in_variables(x, x, y_covariance=np.ones(n)).slope, 1)


@case
def a_point_without_an_error() -> Any:
    at, v = np.arange(5.0), np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    one = np.ones(5)
    k = number_in(
        refusal(errors_in_both, at, at, one, v),
        r"\(point (\d+)\).* leave the point out",
    )
    at, one, v = (np.delete(values, k) for values in (at, one, v))
    return np.isclose(errors_in_both(at, at, one, v).slope, 1)


# ---- mixed models

UNIT = np.repeat(np.arange(6), 4)
ARM = np.tile([0, 0, 1, 1], 6)
X = np.column_stack([np.ones(24), ARM])
RESPONSE = np.random.default_rng(0).normal(size=24) + UNIT % 3


def fitted(**given: Any) -> Any:
    return reml(**{"y": RESPONSE, "X": X, "groups": {"unit": UNIT}} | given)


@case
def combinations_of_more_coefficients() -> Any:
    said = refusal(fitted, combinations=np.eye(3))
    p = number_in(said, r"give finite weights \(K, (\d+)\)")
    return np.allclose(fitted(combinations=np.eye(p)).beta, fitted().beta)


@case
def kenward_and_roger_of_many_effects() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixed_model, "MOST_EXACT", 5)
        found = cured(fitted, {"ddf": "kenward_roger"}, r"use (ddf='\w+')")
    return found.method == "satterthwaite"


@case
def groupings_that_cannot_be_separated() -> Any:
    fixed = np.eye(6)[UNIT]
    groups = {"unit": UNIT, "day": ARM + 2 * (UNIT % 3)}
    text = refusal(fitted, X=fixed, groups=groups)
    named = cure_in(text, r"the groupings '(\w+)', .*; leave one out")
    left = {k: v for k, v in groups.items() if k != named}
    return fitted(X=fixed, groups=left).names == ("day", "residual")


@case
def a_response_of_fewer_rows() -> Any:
    n = number_in(refusal(fitted, y=RESPONSE[:9]), r"X has (\d+) rows; give one value")
    return np.allclose(fitted(y=RESPONSE[:n]).beta, fitted().beta)


@case
def a_design_of_one_dim() -> Any:
    said = refusal(fitted, X=np.ones(24))
    assert cure_in(said, r"give finite numbers of shape (\(N, p\))") == "(N, p)"
    return np.isclose(fitted(X=np.ones(24)[:, None]).beta[0], RESPONSE.mean())


@case
def no_groupings() -> Any:
    named = cure_in(refusal(fitted, groups={}), r"for example (\{.*\})")
    return fitted(groups=eval(named, {"codes": UNIT})).names == ("unit", "residual")


@case
def groupings_of_floats() -> Any:
    n = number_in(refusal(fitted, groups={"unit": UNIT / 2}), r"give (\d+) integers")
    return len(UNIT) == n and np.isfinite(fitted(groups={"unit": UNIT}).se).all()


@case
def levels_that_do_not_begin_at_0() -> Any:
    made = cure_in(
        refusal(fitted, groups={"unit": UNIT + 1}), r"use (pandas.factorize)"
    )
    codes = eval(made, {"pandas": pd})(UNIT + 1)[0]
    return np.allclose(fitted(groups={"unit": codes}).beta, fitted().beta)


@case
def a_grouping_of_one_level() -> Any:
    groups = {"unit": UNIT, "lab": np.zeros(24, int)}
    named = cure_in(refusal(fitted, groups=groups), r"'(\w+)' has one level.*leave it")
    groups.pop(named)
    return np.allclose(fitted(groups=groups).beta, fitted().beta)


@case
def a_grouping_that_is_the_residual() -> Any:
    groups = {"unit": UNIT, "row": np.arange(24)}
    named = cure_in(
        refusal(fitted, groups=groups), r"'(\w+)' has one row.*leave it out"
    )
    groups.pop(named)
    return np.allclose(fitted(groups=groups).beta, fitted().beta)


@case
def two_equal_groupings() -> Any:
    groups = {"unit": UNIT, "again": 5 - UNIT}
    named = cure_in(
        refusal(fitted, groups=groups), r"and '(\w+)' are the same; leave one of them"
    )
    groups.pop(named)
    return np.allclose(fitted(groups=groups).beta, fitted().beta)


# ---- ratios and regressions


@case
def covariates_of_a_ratio() -> Any:
    trial = parallel() ** 2 + 1
    trial = trial.assign_attrs(parallel().attrs)
    table = cg.contrast(trial, control="none", scale="ratio")
    found = cured(
        cg.estimate,
        {"effects": table, "covariates": ["gc"]},
        r"leave (covariates)= out, or use scale='identity'",
    )
    return equal(found, cg.estimate(table))


@case
def covariates_of_a_ratio_on_another_scale() -> Any:
    trial = parallel() ** 2 + 1
    trial = trial.assign_attrs(parallel().attrs)
    said = refusal(
        cg.estimate,
        cg.contrast(trial, control="none", scale="ratio"),
        covariates=["gc"],
    )
    scale = arguments(cure_in(said, r"or use (scale='\w+')"))
    found = cg.estimate(cg.contrast(trial, control="none", **scale), covariates=["gc"])
    return np.isfinite(found["se"]).all()


@case
def a_design_without_an_intercept() -> Any:
    c = np.array([0.0, 1.0])
    cure_in(
        refusal(regress, X[:, ::-1], RESPONSE[:, None], c[::-1]), r"(put the inter)"
    )
    found = regress(X, RESPONSE[:, None], c).estimate
    return np.isclose(
        found, RESPONSE[ARM == 1].mean() - RESPONSE[ARM == 0].mean()
    ).all()


@case
def a_design_with_a_column_that_others_determine() -> Any:
    c, wide = np.array([0.0, 1.0]), np.column_stack([X, 1 - X[:, 1]])
    said = refusal(regress, wide, RESPONSE[:, None], np.r_[c, 0.0])
    j = number_in(said, r"drop column (\d+), which those before it determine")
    found = regress(np.delete(wide, j, 1), RESPONSE[:, None], c).estimate
    return np.allclose(found, regress(X, RESPONSE[:, None], c).estimate)


@case
def a_joint_test_of_contrasts_that_others_determine() -> Any:
    L = np.array([[1.0, 0], [0, 1], [1, -1]])
    ace, V = L @ [1.0, 0.5], L @ np.diag([0.04, 0.09]) @ L.T
    k = number_in(
        refusal(wald_htz, ace, V, 30.0),
        r"drop contrast (\d+), which those before it determine",
    )
    found = wald_htz(np.delete(ace, k), np.delete(np.delete(V, k, 0), k, 1), 30.0)
    return found.F == wald_htz(ace[:2], V[:2, :2], 30.0).F


# ---- names, rows and tasks to leave out or to average


@case
def modification_by_nothing() -> Any:
    found = cured(
        cg.estimation.modification,
        {"effects": effects(), "by": []},
        r"such as (by='gc')",
    )
    return np.isfinite(found["p"]).any()


@case
def placebos_under_a_former_name() -> Any:
    table = from_effects(E, se=SE, names=NAMES).assign_coords(
        placebo_word=("contrast", [False, True, True, False])
    )
    said = refusal(is_placebo, table)
    new = cure_in(said, r"placebo_word is (\w+) now; rename that coordinate")
    renamed = table.rename(placebo_word=new)
    return is_placebo(renamed).tolist() == [False, True, True, False]


@case
def a_name_that_appears_twice() -> Any:
    names = ["a", "b", "a"]
    name = cure_in(refusal(contrast_names, names, 3), r"the name '?(\w+)'? appears 2")
    unique = [f"{one} {k}" if one == name else one for k, one in enumerate(names)]
    return list(contrast_names(unique, 3)) == ["a 0", "b", "a 2"]


@case
def a_cell_that_was_measured_twice() -> Any:
    twice = pd.concat([CELLS, CELLS.iloc[:6].assign(y=lambda x: x["y"] + 1)])
    cure_in(refusal(from_incomplete, twice, **ROLES), r"; (average them), or")
    keys = ["unit", "arm", "model"]
    mean = twice.groupby(keys, sort=False, as_index=False)["y"].mean()
    right = CELLS.assign(y=CELLS["y"] + 0.5 * (CELLS.index < 6))
    return np.allclose(
        plain(from_incomplete(mean, **ROLES)), plain(from_incomplete(right, **ROLES))
    )


@case
def a_task_of_the_control_alone() -> Any:
    table = pd.concat(
        [CELLS.assign(task="x"), CELLS[CELLS["arm"] == "c"].assign(task="y")],
        ignore_index=True,
    )
    roles = ROLES | {"task": "task"}
    said = refusal(from_incomplete, table, **roles)
    task = cure_in(said, r"task '(\w+)': only 'c' was measured; .* or drop it$")
    found = from_incomplete(table[table["task"] != task], **roles)
    return np.allclose(plain(found), plain(from_incomplete(CELLS, **ROLES)))


@case
def responses_that_are_missing() -> Any:
    y = np.where(np.arange(24) == 5, np.nan, RESPONSE)
    cure_in(refusal(fitted, y=y), r"; (leave those rows out) or")
    has = np.isfinite(y)
    found = fitted(y=y[has], X=X[has], groups={"unit": UNIT[has]})
    return np.isfinite(found.beta).all()


@case
def an_arm_of_one_parent() -> Any:
    trial = parallel()
    arm = trial["assigned"].to_numpy().astype(str)
    n = trial.sizes["unit"]
    parent = np.where(arm == "GATA", "p", [f"q{i % 9}" for i in range(n)])
    table = cg.contrast(trial.assign_coords(parent=("unit", parent)), control="none")
    found = cured(cg.estimate, {"effects": table}, r"or use (target='units')$")
    return np.isfinite(found["se"]).all()


@case
def one_scale() -> Any:
    trial = four_arms().assign_coords(a=("arm", [0, 1, 0, 1]), b=("arm", [0, 0, 1, 1]))
    trial = trial.assign(outcome=abs(trial["outcome"]) + 1)
    given = {"outcomes": trial, "interaction": ["a", "b"]}
    said = refusal(interaction_across_scales, **given, scales=["identity"])
    scales = eval(f"[{cure_in(said, r'such as (.*)$')}]")
    return interaction_across_scales(**given, scales=scales).sizes["scale"] == 2


@case
def a_maximum_that_is_not_found() -> Any:
    draw = np.random.default_rng(5)
    unit, day = draw.integers(0, 8, 60), draw.integers(0, 3, 60)
    y = draw.normal(size=60) + draw.normal(size=8)[unit] + draw.normal(size=3)[day]
    given = {"y": y, "X": np.ones((60, 1))}
    groups = {"unit": unit, "day": day}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixed_model, "MOST_STEPS", 6)
        named = cure_in(
            refusal(fitted, **given, groups=groups), r"the fewest levels, '(\w+)'$"
        )
        groups.pop(named)
        return fitted(**given, groups=groups).names == ("unit", "residual")


@case
def a_known_covariance_of_contrasts_that_others_determine() -> Any:
    L = np.array([[1.0, 0], [0, 1], [1, -1]])
    ace, V = L @ [1.0, 0.5], L @ np.diag([0.04, 0.09]) @ L.T
    k = number_in(
        refusal(_wald_test, ace, V, None),
        r"drop contrast (\d+), which those before it determine",
    )
    found = _wald_test(np.delete(ace, k), np.delete(np.delete(V, k, 0), k, 1), None)
    return np.isclose(found["F"], (1 / 0.04 + 0.25 / 0.09) / 2)


# ---- fewer units than an estimate needs


@case
def effects_that_leave_no_spread() -> Any:
    variance = np.full(8, 0.01)
    x = np.arange(8.0)
    effect = x + np.cos(3 * x)
    text = refusal(random_effects, effect[:2], variance=variance[:2], covariates=x[:2])
    assert cure_in(text, r"for 2 coefficients leave no spread; give (more effects)$")
    return random_effects(effect, covariates=x, variance=variance) is not None


@case
def a_wave_of_two_units() -> Any:
    few = waves().isel(unit=slice(0, 2))
    n = number_in(
        refusal(helical_phase, few), r"needs (\d+) or more of them, .* units$"
    )
    return helical_phase(waves().isel(unit=slice(0, n + 7))) is not None


@case
def shapes_of_four_units() -> Any:
    four = tracks().isel(unit=slice(0, 4))
    n = number_in(
        refusal(shape_change, four, control="control"),
        r"4 clusters are too few for a jackknife; draw (\d+) or more",
    )
    found = shape_change(tracks().isel(unit=slice(0, n)), control="control")
    return np.isfinite(found["ace"]).all()


def counts(n: int, only: int | None = None) -> xr.Dataset:
    """Return tracks of two arms; without counts but in one unit, if one is given."""
    y = np.random.default_rng(0).gamma(2.0, size=(n, 2, 8))
    y[:, 1, :4] *= 2
    if only is not None:
        y[np.arange(n) != only, :, :4] = 0
        y[only, :, 4:] = 0
    return xr.Dataset(
        {"outcome": (("unit", "arm", "position", "task"), y[..., None])},
        coords={"arm": ["0", "A"], "position": np.arange(8) - 4, "task": ["x"]},
    )


@case
def shapes_of_counts_in_one_unit() -> Any:
    few = counts(20, only=3)
    given = {"control": "0", "between": (-4, 0)}
    text = refusal(shape_change, few, **given)
    assert cure_in(text, r"there is no shape; (draw more units), or choose")
    more = shape_change(xr.concat([few, counts(20)], "unit", join="outer"), **given)
    name = cure_in(text, r"or choose (\w+)= where all have counts$")
    where = shape_change(counts(20, only=3), control="0", **{name: (0, 4)})
    return [np.isfinite(more["ace"]).all(), np.isfinite(where["ace"]).all()]


@case
def a_track_of_logarithms() -> Any:
    right = counts(20)
    right["outcome"] /= 100
    logs = right.assign(outcome=np.log(right["outcome"]))
    text = refusal(shape_change, logs, control="0")
    assert cure_in(text, r"use a track of counts or probabilities \((reduce=torch.exp)")
    found = shape_change(right, control="0")
    again = shape_change(logs.assign(outcome=np.exp(logs["outcome"])), control="0")
    return np.allclose(found["ace"], again["ace"])


@case
def a_joint_test_of_no_contrast() -> Any:
    text = refusal(cg.estimation.joint_test, KNOWN, contrast=[])
    assert cure_in(text, r"; (give one or more), or")
    name = cure_in(text, r"or leave (\w+)= out for all$")
    one = cg.estimation.joint_test(KNOWN, **{name: ["a"]})
    every = cg.estimation.joint_test(KNOWN)
    chi2 = (E**2 / SE**2).sum() / 4
    found = [one["df1"].item(), every["df1"].item(), every["F"].item()]
    return np.allclose(found, [1, 4, chi2])


@case
def a_covariance_of_standard_errors() -> Any:
    call = cg.estimation.covariance
    text = refusal(call, GIVEN)
    verb = cure_in(text, r"take them from (cg\.estimate), or give")
    own = call(eval(verb, {"cg": cg})(effects()).sel(task="K562"))
    made = cure_in(text, r"give their covariance: (cg\.from_effects\(.*\))$")
    made = made.replace("estimates, covariance=", "E, covariance=np.diag(SE**2)")
    given = call(eval(made, {"cg": cg, "np": np, "E": E, "SE": SE}))
    return [own.shape == (2, 2), np.allclose(given.squeeze(), np.diag(SE**2))]


@case
def a_joint_test_of_decisions() -> Any:
    behind = cg.estimate(effects())
    decided = cg.decide(behind, rope=(-0.1, 0.1))
    text = refusal(cg.estimation.joint_test, decided)
    verbs = re.findall(r"cg\.\w+", text[text.index("give the estimates") :])
    own = cg.estimation.joint_test(eval(verbs[0])(effects()))
    again = eval(verbs[1])(E, covariance=np.diag(SE**2), names=NAMES)
    return [
        own.equals(cg.estimation.joint_test(behind)),
        cg.estimation.joint_test(again).equals(cg.estimation.joint_test(KNOWN)),
    ]


@case
def a_divisor_that_is_not_clear_of_zero() -> Any:
    def of(n: int) -> Any:
        y = np.random.default_rng(0).normal([2.0, 3, 3, 9], 2.5, size=(n, 4))
        cells = {"a": ("arm", [0, 1, 0, 1]), "b": ("arm", [0, 0, 1, 1])}
        return xr.Dataset(
            {"outcome": (("unit", "arm", "task"), y[..., None])},
            coords={"arm": ["0", "A", "B", "AB"], "task": ["K562"], **cells},
        )

    def estimated(n: int, scale: str = "excess_over_multiplicative") -> Any:
        return cg.estimate(cg.contrast(of(n), interaction=["a", "b"], scale=scale))

    text = refusal(estimated, 8)
    assert cure_in(text, r"no trustworthy limits; (draw more units), or use")
    more = estimated(4_000)
    scales = re.findall(r"scale='\w+'", text[text.index("or use") :])
    log, plain = (estimated(8, **arguments(one)) for one in scales)
    y = of(8)["outcome"].mean("unit").to_numpy().ravel()
    return [
        more["lower"].item() < 9 - 3 * 3 / 2 < more["upper"].item(),
        np.isclose(log["ace"].item(), np.log(y[3] * y[0] / y[1] / y[2])),
        np.isclose(plain["ace"].item(), y[3] - y[1] - y[2] + y[0]),
    ]


@case
def a_covariance_of_a_misspelled_contrast() -> Any:
    given = {"estimates": cg.estimate(effects()), "contrast": "gata"}
    name = cure_in(
        refusal(cg.estimation.covariance, **given), r"did you mean '(\w+)'\? The names"
    )
    found = cg.estimation.covariance(**given | {"contrast": name})
    return found["contrast"].item() == "GATA"


@case
def a_block_without_an_arm() -> Any:
    table = cg.contrast(parallel(), control="none")
    arms = table["assigned"].to_numpy()
    block = np.arange(len(arms)) % 5
    block[np.flatnonzero(arms == "GATA")[:2]] = 9
    table = table.assign_coords(b=("unit", block))
    text = refusal(cg.estimate, table, block="b")
    found = re.search(r"^b '(\w+)' has no unit of arm .*; (leave its units) out$", text)
    assert found
    rest = table.isel(unit=block != int(found[1]))
    return np.isfinite(cg.estimate(rest, block="b")["se"]).all()


@case
def a_weight_that_is_infinite() -> Any:
    call = cg.estimation.hypotheses
    text = refusal(call, effects(), {"x": {"GATA": np.inf, "placebo": -1}})
    assert cure_in(text, r"; give (finite) weights$")
    found = call(effects(), {"x": {"GATA": 1, "placebo": -1}})["ice"].squeeze()
    own = effects()["ice"]
    return np.allclose(found, own.sel(contrast="GATA") - own.sel(contrast="placebo"))


@case
def degrees_of_freedom_of_a_normal_effect() -> Any:
    given = {"estimates": E, "se": SE, "names": NAMES}
    text = refusal(from_effects, **given, df=[None, 9, 9, 9])
    name = cure_in(text, r"leave (\w+) out for normal errors")
    normal = from_effects(**given, **{name: None})
    large = float(cure_in(text, r"give (\w+) for one among others$"))
    found = from_effects(**given, **{name: [large, 9, 9, 9]})
    same = found["lower"] - normal["lower"]
    return np.isclose(same, 0, atol=1e-6).ravel().tolist() == [True] + 3 * [False]


@case
def an_outcome_that_is_the_column_of_cells() -> Any:
    text = refusal(from_incomplete, CELLS, **ROLES | {"outcome": ROLES["unit"]})
    assert cure_in(text, r"is the column of unit=; name the (column of what was)")
    return np.isfinite(from_incomplete(CELLS, **ROLES)["ace"]).all()


@case
def arms_with_one_unit() -> Any:
    frame = pd.DataFrame(
        {"arm": [*"aaabbbc"], "outcome": [1.0, 2, 4, 2, 5, 3, 9], "unit": range(7)}
    )
    read = {"outcome": "outcome", "arm": "arm", "unit": "unit"}

    def estimated(rows: pd.DataFrame, control: str, **given: Any) -> Any:
        return cg.estimate(
            cg.contrast(cg.from_frame(rows, **read), control=control, **given)
        )

    text = refusal(estimated, frame, "a")
    assert cure_in(text, r"or leave (its contrasts) out$")
    only = estimated(frame[frame["arm"] != "c"], "a")
    assert "leave" not in (text := refusal(estimated, frame, "c"))
    assert cure_in(text, r"; (assign more units to it)$")
    more = pd.concat([frame, frame.tail(1).assign(unit=7, outcome=7.0)])
    return only.sizes["contrast"] == 1 and estimated(more, "c").sizes["contrast"] == 2


@case
def an_effect_whose_variance_is_0() -> Any:
    variance = np.array([0.1, 0.2, 0.0, 0.1])
    k = number_in(
        refusal(random_effects, E, variance=variance),
        r"effect (\d+): variance 0 is not positive; leave it out$",
    )
    found = random_effects(np.delete(E, k), variance=np.delete(variance, k))
    right = random_effects(E[variance > 0], variance=variance[variance > 0])
    return found.tau2 == right.tau2 and np.array_equal(found.blup, right.blup)


@case
def two_columns_of_effects_that_differ() -> Any:
    table = pd.DataFrame({"contrast": NAMES, "estimate": E, "effect": E, "se": SE})
    for last in (E[-1] + 7, np.nan):
        other = table.assign(effect=[*E[:-1], last])
        said = refusal(from_effects, other)
        cure_in(said, r"has the columns '(\w+)' and .* differ: .*; drop one of them$")
        drop = cure_in(said, r"'estimate' and '(\w+)', and they differ")
        found = from_effects(other.drop(columns=drop))
        assert np.array_equal(plain(found), E)
    return True


@case
def a_slope_on_an_outcome() -> Any:
    y = outcomes()["outcome"].sel(arm="none", task="K562", drop=True)
    given = effects().assign_coords(none=("unit", y.data))
    found = cured(
        modification,
        {"effects": given, "by": "none"},
        r"use what was known of the units before, such as ('gc')$",
        fill={"'gc'": "by='gc'"},
    )
    return found.equals(modification(effects(), by="gc"))


@case
def welch_t_in_blocks() -> Any:
    block = np.array([0, 0, 0, 1, 1, 1])
    given = {"y": Y, "treated": TREATED, "block": block}
    found = cured(
        randomization_test,
        given | {"statistic": "welch_t"},
        r"without blocks; use (statistic='difference')$",
    )
    return found == randomization_test(**given)


@case
def a_test_of_two_tasks_at_once() -> Any:
    ice = np.stack([Y, -Y], 1)
    shape = cure_in(refusal(sign_flip_test, ice), r"for each unit, shape \((\w),\)$")
    assert shape == "n"
    return [sign_flip_test(column).p == sign_flip_test(Y).p for column in ice.T]


@case
def a_test_of_words() -> Any:
    said = refusal(sign_flip_test, ["1.5", "2", "low"])
    cure_in(said, r"does not hold numbers alone .*; give (one effect for each) unit$")
    return sign_flip_test([1.5, 2.0, -1.0]).n_assignments == 8


@case
def blocks_of_fewer_units() -> Any:
    given = {"y": Y, "treated": TREATED}
    block = np.array([0, 0, 0, 1, 1, 1])
    said = refusal(randomization_test, **given, block=block[:4])
    n = number_in(said, r"there are (\d+) units; give one value for each$")
    return 0 < randomization_test(**given, block=block[:n]).p <= 1


@case
def blocks_by_name() -> Any:
    labels = np.array(["x", "x", "x", "y", "y", "y"])
    given = {"y": Y, "treated": TREATED, "block": labels}
    found = cured(
        randomization_test,
        given,
        r"; say (block=pandas.factorize\(labels\)\[0\])$",
        labels=labels,
    )
    return found == randomization_test(**given | {"block": [0, 0, 0, 1, 1, 1]})


@case
def a_ratio_by_clusters_of_unequal_sizes() -> Any:
    trial = run(design(null=cg.Shuffle(of=STRINGS), contrasts="none"))
    trial = trial.assign(outcome=np.exp(trial["outcome"] / 4)).isel(unit=slice(59))
    ratio = cg.contrast(trial, control="none", scale="ratio")
    found = cured(
        cg.estimate,
        {"effects": ratio, "weights": "clusters"},
        r"have unequal numbers of units, .*; use (weights='units')$",
    )
    y = trial["outcome"].mean("unit")
    right = y.sel(arm="GATA") / y.sel(arm="none")
    return np.allclose(found["ace"].sel(contrast="GATA"), right)


@case
def a_ratio_of_arms_in_unequal_blocks() -> Any:
    trial = parallel_blocks()
    trial = trial.assign(outcome=np.exp(trial["outcome"] / 4)).isel(unit=slice(230))
    ratio = cg.contrast(trial, contrasts=WITH_NONE, scale="ratio")
    said = refusal(cg.estimate, ratio)
    dropped = cure_in(said, r"; (drop_vars\('block'\)), or use scale=")
    found = cg.estimate(eval(f"ratio.{dropped}", {"ratio": ratio}))["ace"]
    y = trial["outcome"].groupby(trial["assigned"]).mean()
    right = y.sel(assigned="GATA") / y.sel(assigned="none")
    assert np.allclose(found.squeeze("contrast"), right)
    scale = arguments(cure_in(said, r", or use (scale='identity')$"))
    plain = cg.estimate(cg.contrast(trial, contrasts=WITH_NONE, **scale))
    return np.isfinite(plain["ace"]).all()


@case
def a_distance_that_is_text() -> Any:
    table = waves().assign_coords(distance=("contrast", [f"{d:g} bp" for d in D]))
    text = refusal(helical_phase, table)
    assert "there are none" in text
    made = eval(
        cure_in(text, r"give one: (effects\.assign_coords\(.*\))").replace(
            "[...]", "D"
        ),
        {"effects": table, "D": D},
    )
    return np.isfinite(helical_phase(made)["p"]).all()


@case
def one_period_that_is_no_list() -> Any:
    text = refusal(helical_phase, waves(), periods=9.7)
    listed = eval(cure_in(text, r"such as (\[10.5\])"))
    return np.isfinite(helical_phase(waves(), periods=listed)["p"]).all()


@case
def a_modifier_that_is_text() -> Any:
    table = effects().assign_coords(lab=("unit", ["x", "y"] * 30))
    named = cure_in(
        refusal(cg.estimation.modification, table, by="lab"),
        r"give one: (\.assign_coords\(.*\)) of the table",
    )
    made = eval("table" + named.replace("[...]", "[0, 1] * 30"), {"table": table})
    found = cg.estimation.modification(made, by="lab")
    halves = table["ice"].groupby("lab").mean()
    difference = halves.sel(lab="y") - halves.sel(lab="x")
    return np.allclose(found["slope"].squeeze("covariate"), difference)


@case
def arms_of_several_instances() -> Any:
    halves = {n: {n: 0.5, "AB": 0.5, "0": -1} for n in "AB"}
    table = cg.contrast(four_arms(), contrasts=halves).assign_coords(
        motif=("arm", list("wxyz"))
    )
    named = cure_in(
        refusal(variance_components, table, instance="motif"),
        r"give each contrast its own: (effects\.assign_coords\(.*\))",
    )
    made = eval(named.replace("[...]", "list('uu')"), {"effects": table})
    found = variance_components(made, instance="motif")
    return list(found["contrast"].values) == ["u"]


@case
def shapes_of_few_positions() -> Any:
    text = refusal(shape_change, tracks(), control="control", between=(1000, 2000))
    between = tuple(
        int(cure_in(text, pattern))
        for pattern in (r"its positions are (-?\d+) to", r" to (-?\d+)$")
    )
    found = shape_change(tracks(), control="control", between=between)
    return np.isfinite(found["ace"]).all()


@case
def shapes_of_the_control_alone() -> Any:
    text = refusal(shape_change, tracks().sel(arm=["control"]), control="control")
    assert cure_in(text, r"a contrast (needs another arm)$")
    return equal(
        shape_change(tracks().sel(arm=["control", "site"]), control="control"),
        shape_change(tracks(), control="control"),
    )


def crossed_cells() -> pd.DataFrame:
    """Return outcomes of two arms on six units under four predictors, one missing."""
    draw = np.random.default_rng(0)
    rows = [(u, m, arm) for u in range(6) for m in range(4) for arm in ("mock", "site")]
    frame = pd.DataFrame(rows, columns=["unit", "net", "arm"])
    noise = draw.normal(size=len(frame))
    return frame.assign(y=(frame["arm"] == "site") + 0.2 * frame["net"] + noise)[1:]


READ = {"outcome": "y", "arm": "arm", "unit": "unit", "control": "mock"}


@case
def cells_of_one_predictor() -> Any:
    of_one = crossed_cells().query("net == 0")
    name = cure_in(
        refusal(from_incomplete, of_one, **READ, model="net"), r"or leave (\w+)= out"
    )
    assert name == "model"
    return np.isfinite(from_incomplete(of_one, **READ)["se"]).all()


@case
def cells_of_one_parent() -> Any:
    table = crossed_cells().assign(gene="a")
    given = READ | {"model": "net"}
    name = cure_in(
        refusal(from_incomplete, table, **given, parent="gene"), r"or leave (\w+)= out"
    )
    assert name == "parent"
    return np.isfinite(from_incomplete(table, **given)["se"]).all()


@case
def units_with_a_predictor_each() -> Any:
    table, given = crossed_cells(), READ | {"model": "net"}
    text = refusal(from_incomplete, table.query("unit == net"), **given)
    assert cure_in(text, r"measure some units by (several predictors)$")
    return np.isfinite(from_incomplete(table, **given)["se"]).all()


@case
def cells_beyond_double_precision() -> Any:
    table, given = crossed_cells(), READ | {"model": "net"}
    text = refusal(from_incomplete, table.assign(y=table["y"] * 1e200), **given)
    assert cure_in(text, r"(divide the outcomes by a constant) first$")
    scaled = from_incomplete(table.assign(y=table["y"] * 1e200 / 1e200), **given)
    return np.allclose(scaled["ace"], from_incomplete(table, **given)["ace"])


@case
def a_cell_that_is_infinite() -> Any:
    table, given = crossed_cells(), READ | {"model": "net"}
    bad = table.assign(y=table["y"].where(table.index != 5, np.inf))
    row = number_in(
        refusal(from_incomplete, bad, **given), r"row (\d+): .* drop the row"
    )
    return equal(
        from_incomplete(bad.drop(index=row), **given),
        from_incomplete(table.drop(index=5), **given),
    )


@case
def covariances_of_estimates_that_are_not_symmetric() -> Any:
    V = np.diag(SE**2)
    V[0, 1] = 0.02
    text = refusal(from_effects, E, covariance=V)
    assert text.startswith("contrast 0: its covariances are not symmetric")
    V = eval(cure_in(text, r"give (\(V \+ V\.T\) / 2)"), {"V": V})
    return np.allclose(from_effects(E, covariance=V)["se"].squeeze(), SE)


@case
def a_table_in_place_of_effects() -> Any:
    """The text was that of NumPy, or a shape, and variances were asked for."""
    estimates, table = from_effects(E, SE), pd.DataFrame({"effect": E, "se": SE})
    right = random_effects(E, SE**2).beta
    for given in (estimates, table):
        text = refusal(random_effects, given)
        call = cure_in(text, r"one for each contrast: (random_effects\(.*\))$")
        names = {"random_effects": random_effects, "estimates": given, "table": given}
        assert np.allclose(eval(call, names).beta, right)
    for name in ("variance", "covariance"):
        text = refusal(random_effects, E, **{name: estimates})
        assert text.endswith("(an EffectTable); give floats"), text
    return True


@case
def a_standard_error_that_is_not_finite() -> Any:
    """An infinite one was called one "without error"."""
    right = from_effects(E[1:], SE[1:])
    for odd in (np.inf, -np.inf, np.nan):
        se, V = SE.copy(), np.diag(SE**2)
        se[0], V[0, 0] = odd, odd
        frame = pd.DataFrame({"effect": E, "se": se})
        for given, kept in (
            ((E, se), (E[1:], se[1:])),
            ((frame,), (frame.iloc[1:],)),
        ):
            text = refusal(from_effects, *given)
            assert cure_in(
                text, r"se .* is not finite; (leave the contrast out) or repa"
            )
            assert np.allclose(from_effects(*kept)["se"], right["se"])
        text = refusal(from_effects, E, covariance=V)
        assert cure_in(text, r"a row that is not finite; (leave the contrast out) or")
        found = from_effects(E[1:], covariance=V[1:, 1:])
        assert np.allclose(found["se"], right["se"])
    text = refusal(from_effects, E, np.r_[0.0, SE[1:]])
    return "a contrast without error is not an estimate" in text


@case.each
def test_the_cure_of_an_estimation_is_applied_and_succeeds(case):
    assert np.all(case())

"""Imports random_effects from the inside: no verb shows its guards alone.

Estimates, hypotheses, posteriors and tables: numbers that would be wrong in silence."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia import errors
from causalgia.estimation import covariance, hypotheses
from causalgia.estimation._random_effects import random_effects
from refusal_rows import Row

V = np.array([[1.0, 0.5, 0.1], [0.5, 4.0, 0.2], [0.1, 0.2, 9.0]])
DENSE = cg.from_effects([1.0, 2.0, 3.0], covariance=V, df=20.0, names=list("abc"))
ICE = np.random.default_rng(0).normal(size=(30, 2))


def effects(ice: np.ndarray = ICE, **on_unit: np.ndarray) -> xr.Dataset:
    coords = {"contrast": [f"w{k}" for k in range(ice.shape[1])], "task": ["t"]}
    on_unit = {name: ("unit", values) for name, values in on_unit.items()}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[..., None])}, coords | on_unit
    )


def interactions_of_two_values() -> xr.Dataset:
    y = (np.random.default_rng(3).random((30, 8, 1)) < 0.5) * 1.0
    coords = {"unit": np.arange(30), "arm": list("abcdefgh"), "task": ["t"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)
    rows = {"first": "a - b - c + d", "second": "e - f - g + h"}
    return cg.contrast(outcomes, contrasts=rows)


def outcomes(n: int = 12) -> xr.Dataset:
    y = np.random.default_rng(5).gamma(9, size=(n, 3, 1))
    coords = {
        "unit": np.arange(n),
        "arm": ["0", "A", "B"],
        "task": ["K562"],
        "gc": ("unit", np.linspace(0.3, 0.7, n)),
    }
    return xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords)


def parallel() -> xr.Dataset:
    frame = pd.DataFrame({"arm": list("0AB") * 4, "y": np.arange(12.0) ** 2})
    return cg.from_frame(frame, outcome="y", arm="arm")


def contrasts(scale: str = "identity", n: int = 12) -> xr.Dataset:
    return cg.contrast(outcomes(n), control="0", scale=scale)


TWO = effects().assign_coords(contrast=["kozak", "scrambled"])


def altered(i: int, j: int, value: float) -> xr.Dataset:
    """Estimates of which one number of the covariance is another."""
    estimates = cg.estimate(effects()).copy(deep=True)
    estimates["covariance"].values[i, j] = value
    return estimates


def known() -> xr.Dataset:
    return cg.estimate(effects(ICE + 3), target="units")


def frame(**changed: object) -> pd.DataFrame:
    columns = {
        "seq": [f"s{u}" for u in (0, 0, 1, 1, 2, 2)],
        "arm": [0, 1] * 3,
        "peak": ["p0"] * 4 + ["p1"] * 2,
        "y": np.arange(6.0),
        "gc": [0.1, 0.1, 0.4, 0.4, 0.5, 0.5],
    }
    return pd.DataFrame(columns | changed)


def from_frame(table: pd.DataFrame, **more: object) -> xr.Dataset:
    return cg.from_frame(table, **{"outcome": "y", "arm": "arm", "unit": "seq"} | more)


def crossed(**changed: object) -> pd.DataFrame:
    unit, model, arm = (x.ravel() for x in np.indices((6, 4, 2)))
    y = np.random.default_rng(1).normal(size=48)
    columns = {
        "unit": [f"u{i}" for i in unit],
        "model": [f"m{i}" for i in model],
        "arm": np.array(["control", "treated"])[arm],
        "y": y + unit + model * arm,
    }
    return pd.DataFrame(columns | changed)


def at(values: np.ndarray, where: int, value: object) -> np.ndarray:
    """The values, of which one is another."""
    values = np.array(values, dtype=object if isinstance(value, str) else None)
    values[where] = value
    return values


def eight(**coords: np.ndarray) -> xr.Dataset:
    table = cg.from_effects(np.arange(8.0), se=2.0, names=[f"s{i}" for i in range(8)])
    return table.assign_coords(
        {name: ("contrast", values) for name, values in coords.items()}
    )


def infer(table: object, **more: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cg.infer(table, **{"rng": 0, "n_draws": 8} | more)


def several_models(n: int = 2) -> xr.Dataset:
    ice = np.random.default_rng(0).normal(size=(20, 3, 1, n))
    coords = {"contrast": list("abc"), "task": ["t"], "model": list("pqr")[:n]}
    return xr.Dataset({"ice": (("unit", "contrast", "task", "model"), ice)}, coords)


def mixed() -> xr.Dataset:
    """Two simple effects and their mean."""
    rows = [[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [-1.0, 0.5, 0.5]]
    table = cg.from_effects([1.0, 2.0, 1.5], se=0.5, names=["A", "B", "mean"])
    return table.assign_coords(arm=["none", "A", "B"]).assign(
        weight=(("contrast", "arm"), rows)
    )


def long_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "contrast": list("abcabc"),
            "task": list("xxxyyy"),
            "effect": np.arange(6.0),
            "se": 0.5,
        }
    )


def two_models() -> xr.Dataset:
    coords = {"arm": ["A", "B"], "task": ["t"], "model": ["intact", "without"]}
    y = np.arange(12.0).reshape(3, 2, 1, 2)
    return xr.Dataset({"outcome": (("unit", "arm", "task", "model"), y)}, coords)


def by_copy_of_the_outcome() -> xr.Dataset:
    control = outcomes()["outcome"].sel(arm="0", task="K562", drop=True)
    control.attrs["meaning"] = "potential outcome Y(arm), on attrs['scale']"
    return cg.moderation(contrasts().assign_coords(baseline=control), by="baseline")


def with_covariates(**coords: np.ndarray) -> xr.Dataset:
    coords = {name: ("unit", values) for name, values in coords.items()}
    return cg.moderation(contrasts().assign_coords(coords), by=["gc", *coords])


FROM_EFFECTS: list[tuple[str, Callable[[], object], str]] = [
    (
        "series that name their rows differently",
        lambda: cg.from_effects(
            pd.Series([1.0, 2.0], list("ab")), se=pd.Series([1.0, 2.0], list("ba"))
        ),
        "se",
    ),
    (
        "a covariance whose rows and columns differ",
        lambda: cg.from_effects(
            [1.0, 2.0], covariance=pd.DataFrame(np.eye(2), list("ab"), list("ba"))
        ),
        "",
    ),
    (
        "masked numbers",
        lambda: cg.from_effects(np.ma.masked_array([1.0, 9.0], [False, True]), se=1.0),
        "effect",
    ),
    (
        "a missing name",
        lambda: cg.from_effects([1, 2], se=1.0, names=[np.nan, 1]),
        "name",
    ),
    ("a name twice", lambda: cg.from_effects([1, 2], se=1.0, names=["a", "a"]), "name"),
    (
        "a probability in percent",
        lambda: cg.from_effects([1.0], 1.0, ci_prob=95),
        "ci_prob",
    ),
    (
        "a negative standard error",
        lambda: cg.from_effects([1.0, 2.0], [1.0, -1.0]),
        "se",
    ),
    ("no degrees of freedom", lambda: cg.from_effects([1.0], 1.0, df=0.0), "df"),
    (
        "df infinite for some",
        lambda: cg.from_effects([1.0, 2.0], 1.0, df=[3, np.inf]),
        "df",
    ),
    (
        "standard errors of other effects",
        lambda: cg.from_effects([1.0, 2.0], [1.0] * 3),
        "se",
    ),
    (
        "a singular covariance",
        lambda: cg.from_effects([1.0, 2.0], covariance=np.ones((2, 2))),
        "",
    ),
    (
        "a covariance with a negative eigenvalue",
        lambda: cg.from_effects([1.0, 2.0], covariance=[[1.0, 2.0], [2.0, 1.0]]),
        "covariance",
    ),
    (
        "a standard error beside another variance",
        lambda: cg.from_effects(
            [1.0, 2.0], se=[2.0, 4.0], covariance=[[4.0, 1.0], [1.0, 9.0]]
        ),
        "se",
    ),
]
OF_EFFECTS: list[tuple[str, Callable[[], object], str]] = [
    (
        "one dim of a covariance without names",
        lambda: covariance(
            DENSE.drop_vars(["contrast", "contrast_"]).isel(contrast=[0, 2])
        ),
        "",
    ),
    (
        "other contrasts on the dims of a covariance",
        lambda: covariance(DENSE.isel(contrast=[0, 2], contrast_=[0, 1])),
        "contrast",
    ),
    ("a covariance that is not symmetric", lambda: infer(altered(0, 1, 1e3)), ""),
    ("a variance that is no square of se", lambda: infer(altered(1, 1, 1e3)), "se"),
    (
        "a contrast that one task lacks",
        lambda: cg.decide(long_table()[:-1], rope=0),
        "task",
    ),
    (
        "a contrast twice in a task",
        lambda: cg.decide(pd.concat([long_table(), long_table()]), rope=0),
        "name",
    ),
    (
        "a family that no contrast has",
        lambda: cg.simultaneous(
            cg.from_effects([1.0, 2.0], se=1.0).assign_coords(
                motif=("contrast", np.array([None, None], object))
            ),
            method="dunnett",
            family="motif",
        ),
        "motif",
    ),
    (
        "a band where nothing is sampled",
        lambda: cg.simultaneous(known(), method="dunnett"),
        "target",
    ),
    (
        "verdicts where nothing is sampled",
        lambda: cg.decide(known(), rope=(-1, 1)),
        "target",
    ),
    (
        "a band of hardly any degrees of freedom",
        lambda: cg.simultaneous(
            cg.from_effects([2.0] * 3, covariance=0.5 * np.eye(3) + 0.5, df=0.05),
            method="dunnett",
        ),
        "df",
    ),
    (
        "effects near the least float",
        lambda: cg.simultaneous(
            cg.estimate(effects((ICE + 1) * 1e-200)), method="dunnett"
        ),
        "",
    ),
    (
        "one placebo",
        lambda: cg.multiplicity.placebo_rank(
            effects().assign_coords(is_placebo=("contrast", [False, True]))
        ),
        "",
    ),
    (
        "spread in a parallel trial",
        lambda: cg.moderation(cg.contrast(parallel(), control="0")),
        "",
    ),
    ("spread of influence values", lambda: cg.moderation(contrasts("ratio")), "ratio"),
    ("spread of two units", lambda: cg.moderation(contrasts(n=2)), ""),
    ("a modifier that holds the outcome", by_copy_of_the_outcome, "baseline"),
    (
        "a modifier that is another's double",
        lambda: with_covariates(twice=2 * np.linspace(0.3, 0.7, 12)),
        "twice",
    ),
    ("a modifier that is constant", lambda: with_covariates(flat=np.ones(12)), "flat"),
    (
        "as many modifiers as units",
        lambda: cg.moderation(
            effects(ICE[:3], x=np.array([1.0, 2, 5]), y=np.array([1.0, 0, 7])),
            by=["x", "y"],
        ),
        "",
    ),
    (
        "a skewness without the number of units",
        lambda: cg.decide(
            pd.DataFrame({"effect": [0.2], "se": [0.1], "skewness": [3.0]}),
            rope=0,
            shrink=None,
        ),
        "n_units",
    ),
    (
        "hypotheses of estimates",
        lambda: hypotheses(
            cg.from_effects([1.0, 0.4], se=[0.2, 0.1], names=["a", "b"]), "a - b"
        ),
        "effects",
    ),
    (
        "hypotheses of two values whose arms are not compared",
        lambda: hypotheses(interactions_of_two_values(), "first - second"),
        "",
    ),
]
OF_TEXT: list[tuple[str, Callable[[], object], str]] = [
    ("an unknown contrast", lambda: hypotheses(TWO, "kozac - scrambled"), "kozac"),
    ("no hypothesis", lambda: hypotheses(TWO, {}), ""),
    ("a product of contrasts", lambda: hypotheses(TWO, "kozak * scrambled"), ""),
    ("two equal signs", lambda: hypotheses(TWO, "kozak = scrambled = 0"), ""),
    ("a matrix of weights", lambda: hypotheses(TWO, [[1, -1]]), ""),
    ("weights of contrasts", lambda: hypotheses(TWO, {"d": {"kozak": 1}}), "d"),
    ("a hypothesis twice", lambda: hypotheses(TWO, ["kozak", "2*kozak"]), ""),
    (
        "weights of arms that do not sum to 0",
        lambda: cg.contrast(outcomes(), contrasts="A - B - `0`"),
        "",
    ),
    ("an unknown arm", lambda: cg.contrast(outcomes(), contrasts="A - nome"), "nome"),
    (
        "a difference of influence values",
        lambda: hypotheses(contrasts("log_of_means"), "A - B"),
        "",
    ),
    (
        "a constant beside effects of a parallel trial",
        lambda: hypotheses(cg.contrast(parallel(), control="0"), "A - B = 1"),
        "",
    ),
    (
        "an unknown model",
        lambda: cg.contrast_models(two_models(), control="intakt"),
        "intakt",
    ),
    (
        "weights of models that do not sum to 0",
        lambda: cg.contrast_models(two_models(), models={"lost": {"without": 1}}),
        "",
    ),
    (
        "one model alone",
        lambda: cg.contrast_models(two_models().isel(model=[0]), control="intact"),
        "",
    ),
]
TABLES: list[tuple[str, Callable[[], object], str]] = [
    (
        "an effect that is no number, in a band",
        lambda: cg.simultaneous(
            effects(np.where(np.arange(60).reshape(30, 2) == 5, np.nan, ICE)),
        ),
        "unit 2",
    ),
    ("a column that is not there", lambda: from_frame(frame(), outcome="Y"), "Y"),
    (
        "a column twice",
        lambda: from_frame(pd.concat([frame(), frame()[["arm"]]], axis=1)),
        "arm",
    ),
    (
        "a cell measured twice",
        lambda: from_frame(pd.concat([frame(), frame().iloc[[2]]])),
        "s1",
    ),
    (
        "an infinite outcome",
        lambda: from_frame(frame(y=at(np.arange(6.0), 3, np.inf))),
        "row 3",
    ),
    ("an outcome that is text", lambda: from_frame(frame(y=list("abcdef"))), "y"),
    ("a complex outcome", lambda: from_frame(frame(y=np.arange(6) * 1j)), "y"),
    (
        "a parent that changes within a unit",
        lambda: from_frame(frame(peak=list("ppqrss")), parent="peak"),
        "peak",
    ),
    (
        "a covariate that changes within a unit",
        lambda: from_frame(frame(gc=np.arange(6.0)), covariates="gc"),
        "gc",
    ),
    (
        "an arm without a name",
        lambda: from_frame(frame(arm=np.array([0, 1, 0, None, 0, 1], object))),
        "row 3",
    ),
    (
        "two arms with one text",
        lambda: from_frame(frame(arm=np.array([0, 1, 0, "1", 0, 1], object))),
        "arm",
    ),
    (
        "a covariate with a name of the schema",
        lambda: from_frame(frame().rename(columns={"gc": "ice"}), covariates="ice"),
        "ice",
    ),
    ("no rows", lambda: from_frame(frame().iloc[:0]), ""),
    (
        "an arm that cannot be printed",
        lambda: from_frame(frame(arm=["c", "\x1b[31mt"] * 3)),
        "arm",
    ),
    (
        "a name that is a list",
        lambda: from_frame(frame(arm=pd.Series([["c"], ["t"]] * 3))),
        "arm",
    ),
    (
        "a task without a name",
        lambda: cg.contrast(outcomes().assign_coords(task=[np.nan]), control="0"),
        "task",
    ),
    (
        "a selection without tasks",
        lambda: cg.contrast(outcomes().isel(task=[]), control="0"),
        "task",
    ),
    (
        "gaps beside several models",
        lambda: cg.from_frame(
            crossed()[1:], outcome="y", arm="arm", unit="unit", model="model"
        ),
        "",
    ),
    ("outcomes where estimates are taken", lambda: infer(outcomes()), ""),
    ("effects where estimates are taken", lambda: infer(effects()), ""),
    ("a Dataset of something else", lambda: infer(xr.Dataset({"y": 1})), ""),
    (
        "a task twice",
        lambda: infer(
            xr.Dataset(
                {x: (("contrast", "task"), np.ones((2, 2))) for x in ("effect", "se")},
                {"task": ["y", "y"]},
            )
        ),
        "task",
    ),
    ("no contrast at all", lambda: infer(eight().isel(contrast=[])), "contrast"),
]
POSTERIORS: list[tuple[str, Callable[[], object], str]] = [
    ("a posterior of ratios", lambda: infer(cg.estimate(contrasts("ratio"))), ""),
    (
        "a control that does not vary",
        lambda: infer(
            eight().assign(control_sd=(("contrast", "task"), np.zeros((8, 1)))),
            prior=cg.Prior(),
        ),
        "control_sd",
    ),
    ("no draws", lambda: infer(eight(), n_draws=0), "n_draws"),
    ("more draws than memory", lambda: infer(eight(), n_draws=10**12), "n_draws"),
    (
        "a covariate that is text",
        lambda: infer(eight(word=np.array(list("aabbaabb"))), covariates="word"),
        "word",
    ),
    (
        "a covariate that is constant",
        lambda: infer(eight(flat=np.ones(8)), covariates="flat"),
        "",
    ),
    (
        "covariates that are nearly one",
        lambda: infer(
            eight(x=np.arange(8.0), y=np.arange(8.0) + 1e-9 * np.arange(8) ** 2),
            covariates=["x", "y"],
        ),
        "",
    ),
    (
        "one predictor as a level",
        lambda: infer(cg.estimate(several_models()).isel(model=[0])),
        "",
    ),
    ("effects of different kinds", lambda: infer(mixed()), ""),
    (
        "effects said not to be exchangeable",
        lambda: infer(eight(), exchangeable=False),
        "exchangeable",
    ),
    (
        "standard errors whose squares are no floats",
        lambda: infer(cg.from_effects(np.arange(40.0) * 1e-170, np.full(40, 1e-170))),
        "",
    ),
    (
        "a standard error that is far smaller than the others",
        lambda: infer(cg.from_effects([0.5, 1.0, -0.5, 1e-170], [1.0, 1, 1, 1e-170])),
        "",
    ),
    (
        "effects on the next predictor",
        lambda: infer(
            cg.from_effects([1.0, 2.0, 3.0], se=1.0).assign_attrs(
                target="next predictor"
            )
        ),
        "",
    ),
    (
        "errors far from the scale of the prior",
        lambda: infer(eight(), prior=cg.Prior(tau_scale=1e-12, standardized=False)),
        "",
    ),
    (
        "a tree of something else",
        lambda: cg.posterior.posterior_predictive(
            xr.DataTree.from_dict(
                {"posterior": xr.Dataset({"theta": (("chain", "draw"), [[0.0]])})}
            ),
            rng=0,
        ),
        "ace",
    ),
]
META: list[tuple[str, Callable[[], object], str]] = [
    (
        "a variance of 0",
        lambda: random_effects([1.0, 2.0], [1.0, 0.0]),
        "variance",
    ),
    (
        "a table of effects",
        lambda: random_effects(np.ones((2, 2)), np.ones((2, 2))),
        "",
    ),
    (
        "an effect that is no number",
        lambda: random_effects([1.0, np.nan], [1.0, 1.0]),
        "",
    ),
    (
        "a unit without a parent",
        lambda: cg.estimate(
            effects(ICE[:4], parent=np.array(["p", "q", None, "q"], object))
        ),
        "parent",
    ),
    (
        "parents as blocks beside others",
        lambda: cg.estimate(
            cg.contrast(
                parallel().assign_coords(
                    parent=("unit", np.arange(12) % 2),
                    other=("unit", np.arange(12) % 2),
                ),
                control="0",
            ),
            target="parents",
            block="other",
        ),
        "block",
    ),
]
DECISIONS: list[tuple[str, Callable[[], object], str]] = [
    ("a region that is reversed", lambda: cg.decide(TWO, rope=(1, -1)), "rope"),
    ("a region without ends", lambda: cg.decide(TWO, rope=(-np.inf, np.inf)), "rope"),
    (
        "a region of placebos that are not there",
        lambda: cg.moderation(contrasts(), rope="placebo"),
        "rope",
    ),
]
ROWS = [
    *(
        Row(name, call, errors.EstimateError, argument)
        for name, call, argument in FROM_EFFECTS
    ),
    *(
        Row(name, call, errors.EstimateError, argument)
        for name, call, argument in OF_EFFECTS
    ),
    *(Row(name, call, errors.EstimateError, argument) for name, call, argument in META),
    *(
        Row(name, call, errors.EstimateError, argument)
        for name, call, argument in OF_TEXT
    ),
    *(Row(name, call, errors.DataError, argument) for name, call, argument in TABLES),
    *(
        Row(name, call, errors.EstimateError, argument)
        for name, call, argument in POSTERIORS
    ),
    *(
        Row(name, call, errors.EstimateError, argument)
        for name, call, argument in DECISIONS
    ),
    Row(
        "a posterior without a seed", lambda: infer(eight(), rng=None), TypeError, "rng"
    ),
]

"""Input that is refused at the edge of what is taken: each refusal beside its nearest
neighbor that has an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.calibration._calibrate import aa_design
from causalgia.errors import (
    CausalgiaError,
    ContrastError,
    DecisionError,
    DesignError,
    EstimateError,
    InferenceError,
    OutcomesError,
)
from causalgia.estimation import (
    errors_in_variables,
    from_effects,
    modification,
    random_effects,
    shape_change,
)
from causalgia.estimation.standard_errors import moderate_unequal
from causalgia.multiplicity import hierarchical_p, selected_intervals, weighted_bh
from causalgia.multiplicity.adjusted_p import stepwise, storey_q
from causalgia.multiplicity.joint_methods import sign_flip_max_t
from causalgia.multiplicity.multivariate_t import equicoordinate, multivariate_t_max
from causalgia.multiplicity.placebo import placebo_region
from causalgia.multiplicity.tost import equivalence
from causalgia.posterior import prior_predictive
from causalgia.posterior._profile import gaussian_process
from causalgia.posterior.density_grids import gauss_rule, resolve_density, support_grid
from causalgia.posterior.engines import over_predictors
from causalgia.posterior.error_covariance import Noise, noises_of
from causalgia.posterior.labeled_data import average_over_predictors
from causalgia.posterior.lattice import adaptive_cells
from causalgia.posterior.normal import normal
from causalgia.posterior.nuts import sample_slab
from causalgia.posterior.spike_and_slab import spike_and_slab
from causalgia.verdicts import heterogeneity

TREE = np.array([-1, 0, 0, 1])
FRAME = pd.DataFrame(
    {
        "seq": ["s1", "s1", "s2", "s2"],
        "arm": [0, 1, 0, 1],
        "y": [1.0, 2.0, 1.5, 3.5],
        "gc": 0.5,
    }
)
CELLS = pd.DataFrame(
    {
        "unit": np.repeat(range(8), 2),
        "arm": ["c", "A"] * 8,
        "model": [0, 0, 1, 1] * 4,
        "y": np.arange(16.0) % 5,
    }
)
ESTIMATES = from_effects([0.1, 0.4, -0.3, 0.2], se=0.2, names=["a", "b", "c", "d"])


def of_frame(frame: pd.DataFrame = FRAME, **given: Any) -> xr.Dataset:
    return cg.from_frame(
        frame, **({"outcome": "y", "arm": "arm", "unit": "seq"} | given)
    )


def of_cells(frame: Any = CELLS, **given: Any) -> xr.Dataset:
    return cg.estimation.from_incomplete(
        frame,
        **(
            {
                "outcome": "y",
                "arm": "arm",
                "unit": "unit",
                "control": "c",
                "model": "model",
            }
            | given
        ),
    )


def one_task_each() -> pd.DataFrame:
    """Return cells of six units by three predictors, of two tasks; arm B has the first
    task alone.
    """
    rows = [(u, m, arm) for u in range(6) for m in range(3) for arm in ("c", "A")]
    cells = pd.DataFrame(rows, columns=["unit", "model", "arm"])
    cells["y"] = np.random.default_rng(0).normal(size=len(cells))
    both = pd.concat([cells.assign(task="x"), cells.assign(task="y")])
    return pd.concat(
        [both, cells[cells["arm"] == "A"].assign(arm="B", task="x")], ignore_index=True
    )


def line(x: np.ndarray, y: np.ndarray) -> Any:
    return errors_in_variables(x, y, y_covariance=np.eye(len(y)))


def factorial(*means: tuple[float, float]) -> xr.Dataset:
    """Return outcomes of a 2 x 2 factorial in two tasks, with these means of 0, B, A
    and AB.
    """
    y = np.array(means) + np.array([-0.25, 0.25, 0.0])[:, None, None]
    levels = {"a": ("arm", [0, 0, 1, 1]), "b": ("arm", [0, 1, 0, 1])}
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        {"arm": ["0", "B", "A", "AB"], "task": ["x", "y"]} | levels,
    )


def words(second: np.ndarray, se: float = 0.01) -> xr.Dataset:
    """Return estimates of placebos in two tasks, usable in the first."""
    ace = np.column_stack([np.random.default_rng(0).normal(size=len(second)), second])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace),
            "se": (("contrast", "task"), np.full(ace.shape, se)),
        }
    )
    return table.assign_coords(
        task=["x", "y"], is_placebo=("contrast", np.full(len(second), True))
    )


FLAT = Prior(mu_sd=np.inf, tau="uniform", tau_scale=np.inf)


def cells_of(height: float, slope: float) -> Any:
    """Return cells of a density of this height and slope everywhere."""

    def density(
        x: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.full(len(x), height), np.full(x.shape, slope), state

    return adaptive_cells(density, np.zeros(2), np.ones(2), np.array([4, 4]))


def level_of(effect: list[list[float]], prior: Prior) -> Any:
    one = np.ones(len(effect))
    return over_predictors(
        np.array(effect),
        Noise(one),
        prior,
        lambda mean, noise: normal(mean, noise, Prior()),
    )


REFUSED: list[tuple[Callable[[], Any], type[CausalgiaError], str]] = [
    (
        lambda: of_frame(covariates=[3]),
        OutcomesError,
        "takes the name of a column as text, not an int",
    ),
    (
        lambda: of_frame(covariates=3),
        OutcomesError,
        "takes names of columns, not an int",
    ),
    (
        lambda: of_frame(covariates=["gc", "y"]),
        OutcomesError,
        "'y' is the column of the outcome or the arm",
    ),
    (
        lambda: of_frame(covariates=["arm"]),
        OutcomesError,
        "'arm' is the column of the outcome or the arm",
    ),
    (
        lambda: of_frame(FRAME.assign(arm=[(0, []), 1, (0, []), 1])),
        OutcomesError,
        "holds values that are not names",
    ),
    (
        lambda: hierarchical_p([0.1, 0.2, 0.3, -0.1], TREE, [4, 2, 2, 1]),
        EstimateError,
        "1 numbers that are not betwe",
    ),
    (
        lambda: hierarchical_p([0.1, 0.2, 1.1, 1.2], TREE, [4, 2, 2, 1]),
        EstimateError,
        "2 numbers that are not betwe",
    ),
    (lambda: hierarchical_p(0.1, np.array([-1]), [1]), EstimateError, r"shape \(\)"),
    (
        lambda: hierarchical_p([0.1, 0.2, 0.3], TREE, [4, 2, 2, 1]),
        EstimateError,
        "3 p-values, 4 parents and 4 sizes",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE, [4, 2, 2]),
        EstimateError,
        "4 p-values, 4 parents and 3 sizes",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE[:, None], [4, 2, 2, 1]),
        EstimateError,
        "the number of an earlier one",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE * 1.0, [4, 2, 2, 1]),
        EstimateError,
        "the number of an earlier one",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, np.array([-1, 1, 0, 1]), [4, 2, 2, 1]),
        EstimateError,
        "of an earlier one",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, np.array([-2, 0, 0, 1]), [4, 2, 2, 1]),
        EstimateError,
        "of an earlier one",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE, [4, 2, 2, 0]),
        EstimateError,
        "a positive, finite part",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE, [np.inf, 2, 2, 1]),
        EstimateError,
        "a positive, finite part",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE, [4, 2, 2.1, 1]),
        EstimateError,
        "node 0 has 4, and its children 4.1",
    ),
    (
        lambda: hierarchical_p([0.1] * 4, TREE, [9, 2, 2, 3]),
        EstimateError,
        "node 1 has 2, and its children 3 togeth",
    ),
    (
        lambda: cg.adjust([0.1, 0.2], method="bhh"),
        EstimateError,
        "method 'bhh' is not one of auto, .*, dunnett; did you mean 'bh'",
    ),  # type: ignore[arg-type]
    (lambda: of_cells("cells.csv"), OutcomesError, "takes a pandas DataFrame"),
    (lambda: of_cells(CELLS[:0]), OutcomesError, "takes a pandas DataFrame"),
    (lambda: of_cells(CELLS.assign(y="high")), OutcomesError, "'y' is not numeric"),
    (
        lambda: of_cells(CELLS.assign(y=np.inf)),
        OutcomesError,
        "row 0: 'y' is not finite",
    ),
    (
        lambda: of_cells(CELLS[CELLS["arm"] == "c"]),
        EstimateError,
        "the only arm is the control 'c'",
    ),
    (
        lambda: of_cells(one_task_each(), task="task"),
        EstimateError,
        "contrast 'B' has no cell in task 'y'",
    ),
    (
        lambda: prior_predictive(
            ESTIMATES, prior=Prior(tau="uniform", tau_scale=np.inf), rng=0
        ),
        InferenceError,
        "flat",
    ),
    (
        lambda: cg.infer(
            ESTIMATES.assign_coords(x=("contrast", [0.0, 1, np.nan, 2])),
            covariates="x",
            rng=0,
        ),
        InferenceError,
        "contrast c: covariate 'x' is nan",
    ),
    (
        lambda: noises_of(ESTIMATES.expand_dims("model")),
        InferenceError,
        "the dim 'model'",
    ),
    (
        lambda: cg.posterior.profile(
            ESTIMATES.expand_dims("model", axis=-1).assign_coords(
                x=("contrast", np.arange(4.0))
            ),
            along="x",
            rng=0,
        ),
        InferenceError,
        "takes one predictor",
    ),
    (
        lambda: cg.contrast(
            factorial((1, 1), (2, 2), (3, -3), (4, 4)),
            interaction=["a", "b"],
            scale="bpnet",
        ),
        ContrastError,
        "divides by -3, which must be positive",
    ),
    (
        lambda: cg.contrast(
            factorial((1, 1), (2, 2), (3, 3), (4, -4)),
            interaction=["a", "b"],
            scale="log",
        ),
        ContrastError,
        "needs positive outcomes, and arm AB, task y has -4.25",
    ),
    (
        lambda: cg.contrast(
            factorial((1, 1), (2, 2), (3, 3), (4, -4)),
            control="0",
            scale="log_of_means",
        ),
        ContrastError,
        "arm 'AB' has the mean -4",
    ),
    (
        lambda: placebo_region(words(np.zeros(40))),
        EstimateError,
        "task y: the placebos spread",
    ),
    (
        lambda: placebo_region(words(np.r_[50.0, np.zeros(99)], 0.0)),
        EstimateError,
        "task y: nearly all placebos",
    ),
    (
        lambda: cg.estimation.variance_components(
            factorial((1, 1), (2, 2), (3, 3), (4, 4)).isel(unit=[0])
        ),
        EstimateError,
        "1 unit gives no var",
    ),
    (
        lambda: support_grid(lambda u: -np.inf, 0.0, 1.0),
        InferenceError,
        "nowhere finite",
    ),
    (
        lambda: resolve_density(
            lambda x: np.full(x.shape, -np.inf), scale=1.0, upper=4.0
        ),
        InferenceError,
        "nowhere fin",
    ),
    (
        lambda: resolve_density(lambda x: 5 * np.sin(1e6 * x), scale=1.0, upper=4.0),
        InferenceError,
        "tau is too rough",
    ),
    (
        lambda: cells_of(-np.inf, 0.0),
        InferenceError,
        "the posterior of the law is nowhere finite",
    ),
    (
        lambda: cells_of(0.0, 1e9),
        InferenceError,
        "the posterior of the law is too irregular",
    ),
    (
        lambda: level_of([[1.0, 2.0]], FLAT),
        InferenceError,
        "one contrast of two predictors and a flat prior of tau",
    ),
    (
        lambda: level_of([[1.0, 1.0], [2.0, 2.0]], Prior()),
        InferenceError,
        "the predictors agree exactly",
    ),
    (
        lambda: sample_slab(SOME, Noise(np.ones(4)), FLAT, n_draws=4, key=0),
        InferenceError,
        "a slab with a flat prior",
    ),
    (
        lambda: from_effects(
            pd.DataFrame(
                {"estimate": with_one(np.nan), "effect": with_one(9.0), "se": 1.0}
            )
        ),
        EstimateError,
        "'estimate' and 'effect', and they differ: nan and 9.0 in row 2",
    ),
    (
        lambda: from_effects(
            xr.Dataset(
                {
                    "estimate": ("contrast", SOME),
                    "effect": (("contrast", "task"), SOME[:, None]),
                    "se": 1.0,
                }
            )
        ),
        EstimateError,
        "'estimate' and 'effect', and they differ; drop one",
    ),
    (
        lambda: cg.decide(
            {
                "posterior": xr.Dataset(
                    {"ace": (("chain", "draw", "contrast"), np.ones((2, 50, 0)))}
                )
            },
            rope=0,
        ),
        DecisionError,
        "no draws or no effects",
    ),
]


def with_one(value: float, n: int = 4) -> np.ndarray:
    """Return numbers of which the third is this one."""
    out = np.arange(1.0, n + 1)
    out[2] = value
    return out


SOME = np.arange(4.0)
MODIFIED = xr.Dataset(
    {
        "ice": (
            ("unit", "contrast", "task"),
            np.random.default_rng(0).normal(size=(12, 1, 1)),
        )
    },
    {
        "unit": np.arange(12),
        "contrast": ["a"],
        "task": ["x"],
        "dose": ("unit", with_one(np.nan, 12)),
    },
)
ONE_AMONG_OTHERS: list[tuple[Callable[[], Any], type[CausalgiaError], str]] = [
    (lambda: line(with_one(np.nan), np.arange(4.0)), EstimateError, "finite"),
    (lambda: line(SOME, with_one(np.inf)), EstimateError, "finite"),
    (
        lambda: errors_in_variables(SOME, SOME, y_covariance=with_one(np.inf)),
        EstimateError,
        "all finite",
    ),
    (
        lambda: errors_in_variables(SOME, SOME, y_covariance=np.diag(with_one(np.nan))),
        EstimateError,
        "all finite",
    ),
    (
        lambda: spike_and_slab(SOME, Noise(np.ones(4)), Prior(), weight=(2.0, np.inf)),
        InferenceError,
        "at least 1",
    ),
    (
        lambda: spike_and_slab(SOME, Noise(np.ones(4)), Prior(), weight=(0.9, 2.0)),
        InferenceError,
        "at least 1",
    ),
    (lambda: from_effects(with_one(np.nan), se=1.0), CausalgiaError, "effect"),
    (
        lambda: from_effects(SOME, se=with_one(-1.0)),
        CausalgiaError,
        "standard error|se",
    ),
    (
        lambda: from_effects(SOME, se=with_one(np.nan)),
        CausalgiaError,
        "standard error|se",
    ),
    (
        lambda: from_effects(SOME, covariance=np.diag(with_one(0.0))),
        CausalgiaError,
        "variance",
    ),
    (
        lambda: from_effects(
            SOME,
            covariance=np.eye(4)
            + np.pad([[np.nan]], (2, 1))
            + np.pad([[np.nan]], (1, 2)),
        ),
        EstimateError,
        "contrast 1: covariance .* has a row that is not finite",
    ),
    (lambda: random_effects(with_one(np.nan), np.ones(4)), EstimateError, "2. is nan"),
    (lambda: random_effects(SOME, with_one(0.0)), EstimateError, "variance"),
    (lambda: random_effects(SOME, with_one(np.nan)), EstimateError, "finite|variance"),
    (lambda: heterogeneity(MODIFIED, rope=(0.0, np.inf)), DecisionError, "rope"),
    (
        lambda: heterogeneity(MODIFIED, rope=0.1),
        DecisionError,
        "rope=0.1 is one number",
    ),  # type: ignore[arg-type]
    (
        lambda: heterogeneity(MODIFIED, ci_prob=0.05),
        EstimateError,
        "ci_prob=0.05 is below 0.5.* give ci_prob=0.95",
    ),
    (
        lambda: cg.estimate(MODIFIED, ci_prob=0.05),
        EstimateError,
        "ci_prob=0.05 is below 0.5",
    ),
    (
        lambda: random_effects([1.0, 2.0], [1.0, 1.0], ci_prob=0.05),
        EstimateError,
        "ci_prob=0.05 is below 0.5",
    ),
    (
        lambda: cg.Analysis(control="c", ci_prob=0.05),
        DesignError,
        "ci_prob=0.05 is below 0.5",
    ),
    (
        lambda: cg.Analysis(control=0.0),
        DesignError,
        "control=0.0 must be text that is not empty: the name of an arm",
    ),  # type: ignore[arg-type]
    (lambda: heterogeneity(MODIFIED, quantiles=(0.5, 1.0)), EstimateError, "quantiles"),
    (lambda: heterogeneity(MODIFIED, quantiles=(0.0, 0.5)), EstimateError, "quantiles"),
    (lambda: modification(MODIFIED, by="dose"), EstimateError, "dose"),
    (
        lambda: of_cells(CELLS.assign(y=with_one(np.inf, 16))),
        OutcomesError,
        "row 2: 'y' is not finite",
    ),
    (
        lambda: of_cells(CELLS.assign(arm=["c", "A", None, *["c", "A"] * 6, "A"])),
        OutcomesError,
        "row 2: column 'arm'",
    ),
    (
        lambda: of_cells(CELLS.assign(source=["p", "q", *["r"] * 14]), parent="source"),
        OutcomesError,
        "unit 0: 'source' changes between its rows",
    ),
    (
        lambda: gaussian_process(
            SOME,
            Noise(np.ones(4)),
            SOME,
            log_prior=lambda s: -s,
            periods=[10.0, 0.0, 11.0],
        ),
        InferenceError,
        "periods",
    ),
    (
        lambda: gaussian_process(
            SOME, Noise(np.ones(4)), with_one(np.nan), log_prior=lambda s: -s
        ),
        InferenceError,
        r"x\[2\] is nan; leave the contrast out",
    ),
    (
        lambda: average_over_predictors(ESTIMATES.expand_dims("model", axis=-1)),
        InferenceError,
        "has one predictor",
    ),
    (lambda: weighted_bh(np.full(4, 0.1), with_one(-1.0)), EstimateError, "weights"),
    (lambda: weighted_bh(np.full(4, 0.1), with_one(np.inf)), EstimateError, "weights"),
    (lambda: storey_q([0.1, 0.2, 1.5, 0.4]), EstimateError, "p"),
    (
        lambda: sign_flip_max_t(np.outer(with_one(np.nan), [1.0, 2.0]), rng=0),
        EstimateError,
        "unit 2, contrast 0: the ICE is nan",
    ),
    (
        lambda: sign_flip_max_t(np.ones((4, 1)), np.array([0, 0, 2, 2]), rng=0),
        EstimateError,
        "cluster",
    ),
    (lambda: multivariate_t_max(with_one(np.nan), np.eye(4)), EstimateError, "finite"),
    (
        lambda: multivariate_t_max(np.ones(4), np.diag(with_one(0.0))),
        EstimateError,
        "contrast 2 has no variance",
    ),
    (
        lambda: equicoordinate(np.diag([1.0, np.nan])),
        EstimateError,
        "finite|correlation",
    ),
    (
        lambda: selected_intervals(ESTIMATES, select=np.zeros(4, dtype=bool)),
        EstimateError,
        "select",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), [*REFUSED, *ONE_AMONG_OTHERS])
def test_it_is_refused_by_name(
    call: Callable[[], Any], error: type[CausalgiaError], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


def test_parts_as_large_as_their_whole_and_certain_p_values_are_taken() -> None:
    found = hierarchical_p([0.0, 0.5, np.nan, 1.0], TREE, [4, 2, 2, 2])
    np.testing.assert_array_equal(found, [0.0, 1.0, np.nan, 1.0])
    two = hierarchical_p(
        np.array([[0.001, 0.2], [0.01, 0.1]]), np.array([-1, 0]), [4, 2]
    )
    np.testing.assert_allclose(two, [[0.001, 0.2], [0.02, 0.2]])
    # two wholes: the sizes of both count
    apart = hierarchical_p([0.01, 0.01], np.array([-1, -1]), [1, 3])
    np.testing.assert_allclose(apart, [0.04, 0.04 / 3])


def test_one_known_variance_has_nothing_to_be_moderated_by() -> None:
    found = moderate_unequal(np.array([4.0, 0.0, 0.0]), np.array([3.0, 0.0, 0.0]))
    assert found.variance.tolist() == [4.0, 4.0, 4.0]
    assert found.df.tolist() == [3.0, 0.0, 0.0]
    assert (float(found.prior_variance), float(found.prior_df)) == (4.0, 0.0)


def test_two_points_have_two_nodes_however_many_are_asked_for() -> None:
    nodes, weight = gauss_rule(np.array([0.0, 1.0]), np.array([1.0, 3.0]), 7)
    np.testing.assert_allclose(nodes, [0, 1], atol=1e-12)
    np.testing.assert_allclose(weight, [0.25, 0.75])


CALLS: list[int] = []


def _gc(x: np.ndarray) -> np.ndarray:
    CALLS.append(len(x))
    return x[:, 1:3].sum((1, 2))[:, None] + 1.0


PREDICTOR = cg.FunctionPredictor(_gc, tasks=["GC"], scale="counts")
LOG = cg.FunctionPredictor(_gc, tasks=["GC"], scale="log2 counts")
ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=10)}
PARENTS = [
    "ACGTACCGTTAGCATGACTGACCATGACTG",
    "GATTACAGATTACACCATGGTTCAAGGCTA",
    "CCGTATTGCAACGTATGCCATTAGGACATC",
]
PLAIN = cg.Design(null=cg.Uniform(length=30), arms=ARMS, n_units=400)


@pytest.mark.parametrize(
    ("design", "predictor", "analysis", "until", "message"),
    [
        (PLAIN, LOG, {"scale": "ratio"}, None, "already on 'log2 counts'"),
        (PLAIN, LOG, {"scale": "log"}, None, "already on 'log2 counts'"),
        (
            PLAIN,
            PREDICTOR,
            {"target": "next predictor"},
            None,
            "two or more predictors, and there is one",
        ),
        (PLAIN, PREDICTOR, {"target": "parents"}, None, "400 of them would have one"),
        (
            cg.Design(null=cg.DinucleotideShuffle(of=PARENTS), arms=ARMS, n_units=5),
            PREDICTOR,
            {"target": "parents"},
            None,
            "needs two or more units of each parent, and 1 of them would have one",
        ),
        (
            PLAIN,
            PREDICTOR,
            {"scale": "ratio"},
            cg.Decided(rope=(-0.1, 0.1)),
            "does not contain 1, which is no effect",
        ),
    ],
)
def test_an_analysis_that_could_not_be_carried_out_is_refused_before_a_prediction(
    design: Any, predictor: Any, analysis: dict[str, Any], until: Any, message: str
) -> None:
    CALLS.clear()
    with pytest.raises(CausalgiaError, match=message):
        cg.run(
            design,
            predictor,
            rng=0,
            analysis=cg.Analysis(control="none", **analysis),
            until=until,
        )
    assert not CALLS


def test_two_units_of_each_parent_are_enough_for_new_shuffles_of_them() -> None:
    design = cg.Design(null=cg.DinucleotideShuffle(of=PARENTS), arms=ARMS, n_units=6)
    outcomes = cg.run(
        design, PREDICTOR, rng=0, analysis=cg.Analysis(control="none", target="parents")
    )
    assert (
        cg.estimate(cg.contrast(outcomes, control="none"), target="parents").sizes[
            "contrast"
        ]
        == 1
    )


def test_a_level_that_no_verdict_takes_is_no_plan() -> None:
    with pytest.raises(
        DesignError,
        match=r"ci_prob=0.3 is below 0.5; it is the probability of the interval",
    ):
        cg.Analysis(ci_prob=0.3)
    with pytest.raises(DecisionError, match=r"ci_prob=0.3 is below 0.5"):
        cg.decide(ESTIMATES, rope=0, ci_prob=0.3)
    assert cg.Analysis(ci_prob=0.6).ci_prob == 0.6


RATIOS = ESTIMATES.assign(ace=ESTIMATES["ace"] + 1).assign_attrs(
    transform="ratio", null_value=1.0
)


@pytest.mark.parametrize("rope", [(-0.1, 0.1), {"effect": (-0.1, 0.1)}, (1.2, 1.4)])
def test_a_region_of_ratios_contains_1(rope: Any) -> None:
    example = r"does not contain 1, which is no effect .*rope=\(0.9, 1.1\)"
    with pytest.raises(DecisionError, match=example):
        cg.decide(RATIOS, rope=rope)
    in_plan = r"does not contain 1, which is no effect .*rope=\(0.9, 1.1\)"
    with pytest.raises(DesignError, match=in_plan):
        cg.Analysis(control="none", scale="ratio", rope=rope)
    inside = {"effect": (0.9, 1.1)} if isinstance(rope, dict) else (0.9, 1.1)
    assert cg.decide(RATIOS, rope=inside)["verdict"].size == 4
    assert cg.Analysis(control="none", scale="ratio", rope=inside).scale == "ratio"


def test_a_region_on_one_side_of_0_is_a_region() -> None:
    with pytest.raises(DecisionError, match="does not contain 1"):
        equivalence(RATIOS, rope=(-0.1, 0.1))
    assert equivalence(RATIOS, rope=(0.5, 1.5))["verdict"].size == 4
    assert cg.decide(ESTIMATES, rope=(0.1, 0.5))["verdict"].size == 4


@pytest.mark.parametrize(
    ("rope", "message"),
    [
        (
            {"effect": "0.2 sd"},
            "task effect: rope='0.2 sd' is not two numbers; .*by task is in numbers",
        ),
        ({"effect": (1, 0)}, "task effect: rope=.* is reversed"),
        ("1e400 sd", "rope='1e400 sd' is not a region"),
    ],
)
def test_regions_that_are_none_name_the_task_or_the_text(
    rope: Any, message: str
) -> None:
    with pytest.raises(DecisionError, match=message):
        cg.decide(ESTIMATES.assign(control_sd=ESTIMATES["se"]), rope=rope)
    if isinstance(rope, str):
        with pytest.raises(DesignError, match="is not a region"):
            cg.Analysis(rope=rope)


SCREENED = from_effects(np.random.default_rng(0).normal(size=30), se=0.3)


def test_the_number_of_draws_that_is_advised_suffices() -> None:
    with pytest.raises(
        DecisionError,
        match=r"give ci_prob=0.997 or less, or more draws: .*n_draws=100000",
    ):
        cg.decide(cg.infer(SCREENED, rng=0), rope=(-0.1, 0.1), ci_prob=0.9999)
    few = cg.infer(SCREENED.isel(contrast=slice(10)), rng=0, n_draws=100_000)
    assert cg.decide(few, rope=(-0.1, 0.1), ci_prob=0.9999)["verdict"].size == 10


def test_a_law_is_no_family() -> None:
    with pytest.raises(
        InferenceError, match="family='normal' is a law, .*and give law='normal'"
    ):
        cg.infer(SCREENED, family="normal", rng=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1e15, 1e30, 1e100, 1e-150])
@pytest.mark.parametrize("law", ["normal", "student_t", "spike_and_slab"])
def test_effects_far_from_the_scale_of_the_prior_have_no_posterior(
    size: float, law: Any
) -> None:
    effects = np.array([10.0, 11.0, 9.0])
    with pytest.raises(
        InferenceError, match="too far from the scale of the prior .*divide effects and"
    ):
        cg.infer(from_effects(effects * size, se=size), law=law, rng=0)
    prior = Prior(mu_sd=20 * size, tau_scale=10 * size, standardized=False)
    if 1 < size < 1e50 and law != "spike_and_slab":
        found = cg.infer(
            from_effects(effects * size, se=size), law=law, prior=prior, rng=0
        )
        assert float(found["moments"]["mean"][0, 0]) / size == pytest.approx(
            10, abs=0.5
        )


@pytest.mark.filterwarnings("error")
def test_effects_without_a_square_have_no_verdict() -> None:
    for effects, se, rope in (
        ([1e155, 2e155], 1e154, (-1e154, 1e154)),
        ([1.0, 2.0], 1.0, (-1e155, 1e155)),
    ):
        for verb in (cg.decide, equivalence):
            with pytest.raises(
                EstimateError,
                match="contrast 0: .* has a square beyond float64; divide them all",
            ):
                verb(from_effects(effects, se=se), rope=rope)
    found = cg.decide(from_effects([1e153, 0.0], se=1e152), rope=(-5e152, 5e152))
    assert found["verdict"].values.ravel().tolist() == ["increases", "negligible"]


def test_errors_and_covariance_are_given_together_only_where_they_agree() -> None:
    with pytest.raises(
        EstimateError,
        match="give se= .* or covariance=; or both, which then have to agree",
    ):
        from_effects([1.0, 2.0])
    both, one = (
        from_effects([1.0, 2.0], covariance=np.eye(2), **se)
        for se in ({"se": [1.0, 1.0]}, {})
    )
    assert both.identical(one)
    with pytest.raises(EstimateError, match="is not the root of its variance"):
        from_effects([1.0, 2.0], se=[1.0, 2.0], covariance=np.eye(2))
    with pytest.raises(
        EstimateError, match="from_effects: estimates=None; give the effects"
    ):
        from_effects(None)  # type: ignore[arg-type]


def test_terms_of_broom_name_the_contrasts() -> None:
    broom = pd.DataFrame(
        {"term": ["GATA1", "TAL1"], "estimate": [1.0, 0.0], "std.error": [0.1, 0.1]}
    )
    assert cg.decide(broom, rope=(-0.5, 0.5))["contrast"].values.tolist() == [
        "GATA1",
        "TAL1",
    ]
    named = broom.set_index(pd.Index(["a", "b"]))
    assert cg.decide(named, rope=(-0.5, 0.5))["contrast"].values.tolist() == ["a", "b"]
    assert from_effects(broom.assign(contrast=["x", "y"]))[
        "contrast"
    ].values.tolist() == ["x", "y"]


MADE = cg.run(PLAIN, PREDICTOR, rng=0)
EFFECTS = cg.contrast(MADE, control="none")
MOMENTS = cg.run(
    PLAIN, PREDICTOR, rng=0, keep="moments", analysis=cg.Analysis(control="none")
)
DECISIONS = cg.decide(cg.estimate(EFFECTS), rope=0)


@pytest.mark.parametrize(
    ("verb", "near"),
    [
        (lambda: cg.adjust(ESTIMATES, method="holmes"), "holm"),
        (lambda: stepwise(np.array([0.1]), "bonferoni"), "bonferroni"),
        (lambda: cg.multiplicity.simultaneous(EFFECTS, method="dunett"), "dunnett"),
        (lambda: cg.decide(ESTIMATES, rope=0, error="posteriors"), "posterior"),
        (lambda: cg.estimate(EFFECTS, target="parent"), "parents"),
        (lambda: cg.contrast(MADE, control="none", scale="Log"), "log"),
        (
            lambda: cg.Analysis(control="none", shrink=cg.Shrinkage(law="normals")),
            "normal",
        ),
    ],
)
def test_the_nearest_choice_is_proposed(verb: Callable[[], Any], near: str) -> None:
    with pytest.raises(CausalgiaError, match=rf"; did you mean '{near}'\?$"):
        verb()


@pytest.mark.parametrize("rope", ["placebo", "placebo outliers"])
def test_a_region_of_placebo_words_that_are_not_there_is_an_error_of_the_rope(
    rope: str,
) -> None:
    message = (
        f"rope='{rope}': a region of placebos needs 40 of them for a share of 0.95, "
        "and there are 0; add arms with"
    )
    for verb in (
        lambda: cg.decide(ESTIMATES, rope=rope),
        lambda: cg.decide(cg.infer(ESTIMATES, rng=0), rope=rope),
        lambda: cg.decide(EFFECTS, rope=rope, error="fwer", rng=0),
    ):
        with pytest.raises(DecisionError, match=message):
            verb()


def test_a_tipping_point_out_of_a_region_of_placebo_words_that_are_not_there() -> None:
    with pytest.raises(
        DecisionError, match="rope='placebo': a region of placebos needs 40"
    ):
        cg.tipping_point(MADE, rope="placebo", control="none")


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (
            lambda: cg.decide(None, rope=0),
            "cg.decide takes estimates .*a posterior .* or effects .*, not None",
        ),
        (lambda: cg.decide(3, rope=0), "cg.decide takes estimates .*, not an int"),
        (lambda: cg.decide([], rope=0), "cg.decide takes estimates .*, not a list"),
        (lambda: cg.decide({}, rope=0), "cg.decide takes estimates .*, not {}"),
        (
            lambda: cg.decide(np.ones(3), rope=0),
            "cg.decide takes estimates .*, not an ndarray",
        ),
        (
            lambda: cg.decide(pd.DataFrame({"eff": [1.0], "stderr": [0.1]}), rope=0),
            "without 'effect' and 'se', with 'eff'",
        ),
        (
            lambda: cg.infer(pd.DataFrame({"estimate": [1.0], "stderr": [0.1]}), rng=0),
            r"this one has 'stderr'; rename: table.rename\(columns={'stderr': 'se'}\)",
        ),
        (lambda: cg.decide(MOMENTS, rope=0), r"estimates = cg.estimate\(moments\)"),
        (lambda: cg.adjust(MOMENTS), r"estimates = cg.estimate\(moments\)"),
        (
            lambda: cg.multiplicity.simultaneous(MOMENTS, rng=0),
            r"estimates = cg.estimate\(moments\)",
        ),
        (
            lambda: cg.sample_size(MOMENTS, half_width=0.1),
            r"estimates = cg.estimate\(moments\)",
        ),
        (
            lambda: cg.estimate(MADE),
            "these are outcomes: contrast them first, effects = cg.contrast",
        ),
        (
            lambda: cg.estimate(cg.estimate(EFFECTS)),
            "these are estimates already: give them to cg.adjust, cg.infer or",
        ),
        (
            lambda: cg.table(EFFECTS),
            r"these are effects: estimate first, estimates = cg\.estimate\(effects\)",
        ),
        (
            lambda: cg.methods(MADE),
            r"these are outcomes: estimate first, estimates = "
            r"cg\.estimate\(cg\.contrast\(",
        ),
        (
            lambda: cg.store.save_h5ad(3, "x.h5ad"),
            "not an xarray Dataset but an int; take one from cg.estimate",
        ),
        (
            lambda: cg.contrast(EFFECTS, control="none"),
            "these are effects already: give them to cg.estimate",
        ),
        (
            lambda: cg.contrast(MOMENTS, control="none"),
            "these are effects already: give them to cg.estimate",
        ),
        (
            lambda: cg.estimate(EFFECTS.sel(contrast="GATA")),
            r"because one was selected; a list keeps it: .sel\(contrast=\['GATA'\]\)",
        ),
        (
            lambda: cg.estimation.covariance(MADE),
            "these are outcomes; contrast them first",
        ),
        (
            lambda: cg.estimation.covariance(EFFECTS),
            r"these are effects; give estimates = cg.estimate\(effects\)",
        ),
        (
            lambda: cg.estimation.covariance(MOMENTS),
            r"estimates = cg.estimate\(moments\)",
        ),
        (
            lambda: cg.estimation.covariance(DECISIONS),
            "these are decisions, which keep no p-values and no covariance; give the "
            "estimates that they were made of",
        ),
        (
            lambda: cg.estimation.covariance(ESTIMATES),
            r"standard errors alone, .* give their covariance: "
            r"cg.from_effects\(estimates, covariance=\)",
        ),
    ],
)
def test_a_verb_says_what_it_was_given_and_what_to_do(
    verb: Callable[[], Any], message: str
) -> None:
    with pytest.raises(CausalgiaError, match=message):
        verb()


DESIGN = cg.Design(
    null=cg.Uniform(length=20),
    arms={"0": cg.Untreated(), "A": cg.Embed("GATA", at=3)},
    n_units=2,
)
ORACLE = cg.zoo.oracle("additive")
CURVES = xr.Dataset(
    {"outcome": (("unit", "arm", "position", "task"), np.ones((2, 2, 3, 1)))},
    {"arm": ["0", "A"], "task": ["t"], "position": [0, 1, 2]},
    {"scale": "identity"},
)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cg.contrast(of_frame(), control="B"),
        lambda: cg.contrast(of_frame(), contrasts={"x": {"B": 1}}),
        lambda: cg.contrast(of_frame(), contrasts="`1` - B"),
        lambda: of_cells(control="B"),
        lambda: of_cells(control="B", model=None),
        lambda: of_cells(control="c", model=None, placebos=["A", "B"]),
        lambda: cg.Design(null=DESIGN.null, arms=DESIGN.arms, n_units=2, contrasts="B"),
        lambda: cg.Design(
            null=DESIGN.null, arms=DESIGN.arms, n_units=2, contrasts={"x": {"B": 1}}
        ),
        lambda: ORACLE.true_ace(DESIGN, control="B"),
        lambda: aa_design(DESIGN, "B"),
        lambda: shape_change(CURVES, control="B"),
        lambda: cg.Analysis(control="B").check(["0", "A"], []),
        lambda: cg.Analysis(contrasts={"x": {"B": 1, "0": -1}}).check(["0", "A"], []),
    ],
)
def test_an_arm_that_is_not_there_is_refused_in_one_wording(
    call: Callable[[], Any],
) -> None:
    with pytest.raises(CausalgiaError) as found:
        call()
    assert re.search(
        r"is not an arm(; did you mean '.'\? T|; t)he arms are '", found.value.text()
    )


def test_names_of_placebos_and_checks_are_lists_in_an_order() -> None:
    for wrong in ("A", {"A", "B"}, b"A", {"A": 1}, [], 3):
        with pytest.raises(EstimateError, match="placebos="):
            of_cells(model=None, placebos=wrong)
    for wrong in ({"classifier"}, b"classifier", {"classifier": 1}, [], 3):
        with pytest.raises(DesignError, match="checks="):
            cg.refute(DESIGN, ORACLE, checks=wrong, rng=0)  # type: ignore[arg-type]

"""Imports Moments, Products and Sums from the inside: blocks added are those of all units.

`run(keep="moments")`: estimates are those of outcomes, in memory that does not grow
with the number of units.
"""

from __future__ import annotations

import tracemalloc
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    EstimateError,
    PredictorError,
)
from causalgia.numerics.running_sums import Moments, Products, Sums
from causalgia.trial import turn_plan

ORACLE = cg.zoo.oracle("rbfox1_like")
RICH = cg.zoo.Oracle(
    cg.zoo.MotifCount("S", 0.2),
    cg.zoo.MotifCount("TGC", 0.7),
    cg.zoo.MotifCount("GCATG", 2.0),
    scale="log counts",
)
WORDS = ["".join(letters) for letters in product("ACGT", repeat=5)][:520]


def held(
    design: cg.Design, predictor: cg.Predictor, rng: int = 3, scale: str = "identity"
) -> xr.Dataset:
    """Estimates of a trial that keeps its outcomes."""
    outcomes = cg.run(design, predictor, rng=rng, progress=False)
    return cg.estimate(cg.contrast(outcomes, scale=scale))


def estimated(design: cg.Design, predictor: cg.Predictor, rng: int = 3) -> xr.Dataset:
    """Estimates of a trial that keeps moments."""
    return cg.estimate(
        cg.run(design, predictor, rng=rng, progress=False, keep="moments")
    )


def assert_same(
    found: xr.Dataset, whole: xr.Dataset, *, but: tuple[str, ...] = ()
) -> None:
    assert set(found.data_vars) - {"design"} == set(whole.data_vars) - {"design"}
    assert {k: c.dims for k, c in found.coords.items()} == {
        k: c.dims for k, c in whole.coords.items()
    }
    for name in set(whole.data_vars) - {*but, "design"}:
        assert found[name].dims == whole[name].dims, name
        one, other = (x[name].to_numpy().astype(float) for x in (found, whole))
        np.testing.assert_allclose(
            one, other, rtol=1e-10, atol=1e-11 * np.abs(other).max(), err_msg=name
        )
    assert {k: v for k, v in found.attrs.items() if k not in ("design", "method")} == {
        k: v for k, v in whole.attrs.items() if k not in ("design", "method")
    }


@pytest.fixture
def small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of a few units, so that every seam is met."""
    monkeypatch.setattr(turn_plan, "_TOKENS", 1)


@pytest.mark.parametrize(("width", "of"), [(2, "the untreated arm"), (14, None)])
def test_weighted_contrasts_are_measured_in_the_same_arm(
    width: int, of: str | None
) -> None:
    """In the untreated arm where it varies; a site of 14 bases is in no background, and
    leaves it constant.
    """
    arms = {
        "none": cg.Untreated(),
        "one": cg.Embed("G" * width, at=3),
        "more": cg.Embed("G" * width + "CC", at=3),
    }
    asked = {"more - one": {"more": 1, "one": -1}, "back": {"more": -1, "one": 1}}
    design = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts=asked
    )
    gated = cg.FunctionPredictor(
        lambda x: x[:, 2, 3 : 3 + width].all(1) * x[:, 1].sum(1),
        tasks=["y"],
        scale="score",
    )
    whole = held(design, gated)
    assert whole.attrs.get("control_sd_of") == of
    assert (whole["control_sd"].std() == 0) == (of is not None)
    assert_same(estimated(design, gated), whole)


def motif_design(n_units: int = 60, **more: object) -> cg.Design:
    arms = {
        "c": cg.Untreated(),
        "x": cg.Embed("UGCAUG", at=17),
        "y": cg.Embed("NNNNNN", at=17),
        "z": cg.Insert("ACG", at=3),
    }
    rows = {
        "x": {"x": 1, "c": -1},
        "xy": {"x": 1.5, "y": -0.5, "z": -0.75, "c": -0.25},
        "z": {"z": 1, "y": -1},
    }
    settings = {
        "null": cg.Uniform(length=41),
        "arms": arms,
        "n_units": n_units,
        "contrasts": rows,
    } | more
    return cg.Design(**settings)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_turns")
def test_the_numbers_are_those_of_run_contrast_estimate():
    design = motif_design()
    assert_same(estimated(design, ORACLE), held(design, ORACLE))


@pytest.mark.usefixtures("small_turns")
def test_units_that_share_parents_give_clustered_errors():
    rng = np.random.default_rng(0)
    parents = ["".join(rng.choice(list("ACGT"), 41)) for _ in range(23)]
    design = motif_design(60, null=cg.Shuffle(of=parents))
    found = estimated(design, ORACLE)
    assert found.attrs["cluster"] == "parent"
    assert int(found["n_clusters"].max()) == 23
    assert_same(found, held(design, ORACLE))


@pytest.mark.usefixtures("small_turns")
def test_several_tasks_and_models():
    tasks = cg.zoo.Oracle(
        *(cg.zoo.MotifCount(w) for w in ("GA", "TGC")),
        tasks=["K562", "HepG2"],
        weights=[[1, 0.3], [0, 1]],
    )
    other = cg.zoo.Oracle(
        *(cg.zoo.MotifCount(w) for w in ("GA", "TGC")),
        tasks=["K562", "HepG2"],
        weights=[[0.5, 0.1], [0.2, 2]],
    )
    design = motif_design()
    assert_same(estimated(design, tasks), held(design, tasks))
    both = cg.Ensemble([tasks, other])
    found = estimated(design, both)
    assert found["ace"].dims == ("contrast", "task", "model")
    assert_same(found, held(design, both))


@pytest.mark.filterwarnings(
    "ignore:1 of 6 contrasts do(es)? not vary:causalgia.errors.DegenerateWarning"
)
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_scale_of_the_analysis():
    positive = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGCATG"),
        cg.zoo.MotifCount("GCG", 0.3),
        link="exp",
        scale="counts",
    )
    experiment = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=100)
    experiment = replace(experiment, analysis=replace(experiment.analysis, scale="log"))
    found = estimated(experiment, positive)
    assert_same(
        found,
        held(experiment, positive, scale="log"),
    )
    with pytest.raises(EstimateError):
        estimated(experiment, ORACLE, rng=0)


def test_float32_outcomes_and_exact_effects():
    counts = cg.FunctionPredictor(
        lambda x: np.float32(1e5) + x[:, 1, :10].sum(1).astype(np.float32),
        tasks=["y"],
        scale="share",
    )
    design = motif_design()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        found, whole = estimated(design, counts), held(design, counts)
    assert_same(found, whole)
    assert found["exact"].sel(contrast="x").item()
    assert (
        found["se"].sel(contrast="x").item()
        == 0
        == found["ace"].sel(contrast="x").item()
    )


def many_motifs(n_units: int) -> cg.Design:
    arms = {"c": cg.Untreated(), **{word: cg.Embed(word, at=17) for word in WORDS}}
    return cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=n_units, contrasts="c"
    )


@pytest.mark.simulation
def test_beyond_512_contrasts_a_factor(monkeypatch):
    few = many_motifs(80)
    assert_same(estimated(few, RICH), held(few, RICH))
    many = many_motifs(600)
    assert_same(estimated(many, RICH), held(many, RICH))
    monkeypatch.setattr("causalgia._run.running_moments._BYTES_OF_GROUPS", 0)
    found, whole = estimated(many, RICH), held(many, RICH)
    assert found.sizes["cluster"] == 256
    assert_same(found, whole, but=("factor",))


@pytest.mark.simulation
def test_random_groups_are_unbiased_for_the_covariance():
    """Mean of F'F over many dealings of normal ICE against Sigma / n, in Monte-Carlo
    errors.
    """
    rng, n, groups, reps = np.random.default_rng(0), 700, 256, 400
    root = np.array([[1.0, 0.6], [0.0, 0.8]])
    truth = root.T @ root / n
    found = []
    for _ in range(reps):
        x = rng.normal(size=(n, 2)) @ root
        moments, sums = Moments(), Sums(groups)
        for rows in np.array_split(np.arange(n), 5):
            moments.add(x[rows], np.zeros_like(x[rows]))
            sums.add(x[rows] - moments.origin, rows % groups)
        from causalgia.estimation.crossover import mean_of_sums

        factor = mean_of_sums(
            moments.mean, sums.about(moments.shift), sums.sizes
        ).factor
        found.append(factor.T @ factor)
    off = (np.mean(found, axis=0) - truth) / (np.std(found, axis=0) / np.sqrt(reps))
    assert np.abs(off).max() < 4


@pytest.mark.simulation
def test_inference_on_random_groups_is_that_on_all_units(monkeypatch):
    monkeypatch.setattr("causalgia._run.running_moments._BYTES_OF_GROUPS", 0)
    design = many_motifs(600)
    whole, found = held(design, RICH), estimated(design, RICH)
    one, other = (cg.infer(e, rng=0)["posterior"]["ace"] for e in (whole, found))
    sd = one.std(("chain", "draw"))
    gap = np.abs(one.mean(("chain", "draw")) - other.mean(("chain", "draw"))) / sd
    assert float(gap.max()) < 0.5
    np.testing.assert_allclose(other.std(("chain", "draw")), sd, rtol=0.15)
    np.testing.assert_allclose(
        *(cg.simultaneous(e, method="dunnett")["critical"] for e in (found, whole)),
        rtol=0.05,
    )


def test_an_experiment_is_answered_from_its_moments():
    experiment = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=300)
    moments = cg.run(experiment, ORACLE, rng=1, progress=False, keep="moments")
    answer = experiment.analyze(moments, rng=2)
    whole = experiment.analyze(cg.run(experiment, ORACLE, rng=1, progress=False), rng=2)
    assert (
        answer.decisions["verdict"].to_numpy() == whole.decisions["verdict"].to_numpy()
    ).all()
    np.testing.assert_allclose(
        answer.decisions["ace"], whole.decisions["ace"], rtol=1e-6
    )
    assert (
        answer.sentences
        == whole.sentences
        == experiment.analyze(cg.estimate(moments), rng=2).sentences
    )
    assert "exploratory" not in answer.decisions.attrs


@pytest.mark.simulation
def test_memory_does_not_grow_with_the_units(monkeypatch):
    monkeypatch.setattr("causalgia._run.running_moments._BYTES_OF_GROUPS", 0)

    def peak(n_units: int) -> int:
        design = many_motifs(n_units)
        tracemalloc.start()
        estimated(design, RICH, rng=0)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    estimated(many_motifs(20), RICH, rng=0)
    small, large = peak(300), peak(900)
    assert large < 1.2 * small


def test_refusals_before_anything_is_predicted():
    asked = []
    spy = cg.FunctionPredictor(
        lambda x: asked.append(len(x)) or x[:, 0].sum(1), tasks=["y"]
    )
    one_parent = cg.Shuffle(of=["ACGTACGGTACCATGACGTCAGCTACGATCGACGATCGCAT"])
    plain = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=50)
    for design, error in [
        (motif_design(contrasts=None), DesignError),
        (motif_design(assignment="parallel"), DesignError),
        (motif_design(1), DesignError),
        (motif_design(null=one_parent), EstimateError),
        (replace(plain, analysis=replace(plain.analysis, target="units")), DesignError),
        (replace(plain, analysis=replace(plain.analysis, scale="ratio")), DesignError),
    ]:
        with pytest.raises(error):
            estimated(design, spy, rng=0)
    with pytest.raises(PredictorError):
        estimated(plain, lambda x: x, rng=0)
    assert not asked


def test_an_answer_that_is_not_finite_is_refused():
    def answer(x: np.ndarray) -> np.ndarray:
        y = x[:, 0].sum(1).astype(float)
        y[(x[:, 3, 17:20].sum(1) == 3) & (x[:, 0, 0] == 1)] = np.nan
        return y

    design = motif_design(
        arms={"c": cg.Embed("AAA", at=17), "t": cg.Embed("TTT", at=17)}, contrasts="c"
    )
    predictor = cg.FunctionPredictor(answer, tasks=["y"])
    with pytest.raises(PredictorError):
        cg.run(design, predictor, rng=0, progress=False)
    with pytest.raises(PredictorError):
        estimated(design, predictor, rng=0)


def test_batch_mates_and_constants_are_noticed():
    design = motif_design()
    moody = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(1) - x[:, 0].sum(1).mean(), tasks=["y"]
    )
    with pytest.raises(PredictorError):
        estimated(design, moody, rng=0)
    flat = cg.FunctionPredictor(lambda x: np.ones(len(x)), tasks=["y"])
    with pytest.warns(DegenerateWarning):
        estimated(design, flat, rng=0)
    few = motif_design(null=cg.Shuffle(of=["ACGTA" * 8 + "C", "TGCCA" * 8 + "G"]))
    with pytest.warns(DegenerateWarning):
        estimated(few, ORACLE, rng=0)


def test_moments_block_by_block():
    x = 1e6 + np.random.default_rng(0).gamma(0.5, size=(50, 3, 2))
    moments, products = Moments(), Products()
    for rows in np.array_split(np.arange(50), 7):
        products.add(moments.n, *moments.add(x[rows], np.zeros_like(x[rows])))
    away = x - x.mean(0)
    np.testing.assert_allclose(moments.squares, (away**2).sum(0), rtol=1e-9)
    np.testing.assert_allclose(moments.cubes, (away**3).sum(0), rtol=1e-8)
    np.testing.assert_allclose(
        moments.leverage, (away**2).max(0) / (away**2).sum(0), rtol=1e-8
    )
    np.testing.assert_allclose(
        products.sums, np.einsum("nkr,njr->rkj", away, away), rtol=1e-8, atol=1e-6
    )


@pytest.mark.parametrize(("columns", "answers"), [(1, 1), (5, 3), (700, 1)])
def test_products_are_added_in_place_and_do_not_notice_a_look(columns, answers):
    """A look at the sums between blocks changes nothing, not even the last bit; nor
    does a copy put back.
    """
    x = np.random.default_rng(3).normal(5.0, 2.0, size=(60, columns, answers))
    at_once, looked_at = Products(), Products()
    for products in (at_once, looked_at):
        moments = Moments()
        for rows in np.array_split(np.arange(60), 4):
            products.add(moments.n, *moments.add(x[rows], np.zeros_like(x[rows])))
            if products is looked_at:
                held = products.sums
                assert np.shares_memory(held, products.sums)
                looked_at.sums = held.copy()
    np.testing.assert_array_equal(at_once.sums, looked_at.sums)
    np.testing.assert_array_equal(at_once.sums, at_once.sums.swapaxes(1, 2))
    expected = [
        59 * np.cov(x[:, :, r], rowvar=False).reshape(columns, columns)
        for r in range(answers)
    ]
    np.testing.assert_allclose(at_once.sums, expected, rtol=1e-9, atol=1e-9)


def test_products_make_no_second_matrix():
    import tracemalloc

    x = np.random.default_rng(4).normal(size=(40, 1_500, 1))
    moments, products = Moments(), Products()
    products.add(moments.n, *moments.add(x[:20], np.zeros_like(x[:20])))
    added = moments.add(x[20:], np.zeros_like(x[20:]))
    tracemalloc.start()
    products.add(20, *added)
    held = products.sums
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held.shape == (1, 1_500, 1_500)
    assert peak < held.nbytes / 2


def test_columns_that_are_exactly_zero_are_known_to_be():
    """Zeros, a number within its rounding of 0 or not, and numbers of which 0 is
    one.
    """
    found = Moments()
    for rows in (
        [[0.0, 1e-9, 1e-9, 0.0]],
        [[0.0, 1e-9, 1e-9, 1.0], [0.0, 1e-9, 1e-9, 0.0]],
    ):
        values = np.array(rows)
        found.add(values, np.broadcast_to([0.0, 1e-8, 1e-12, 0.0], values.shape))
    assert found.constant.tolist() == [True, True, True, False]
    assert found.zero.tolist() == [True, True, False, False]

"""Imports RunningMoments and Sketch from the inside: sums and quantiles over turns, against those of all.

Trials that keep effects or moments alone: the numbers of run, contrast and estimate,
held, stored or resumed.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia._run.kept_effects import SharedRanges
from causalgia._run.request import (
    ContrastReduction,
    ContrastTrialSetup,
    contrast_request,
)
from causalgia._run.running_moments import (
    QUANTILES,
    RunningMoments,
    moments_dataset,
    shared_parents,
)
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    EstimateError,
    FallbackWarning,
    PredictorError,
    StoreError,
)
from causalgia.numerics.running_sums import Sketch, bins_within
from causalgia.trial import turn_plan
from causalgia.trial.outcomes import run_turns
from causalgia.trial.setup import set_up_trial

ORACLE = cg.zoo.oracle("rbfox1_like")


RICH = cg.zoo.Oracle(
    cg.zoo.MotifCount("S", 0.2),
    cg.zoo.MotifCount("TGC", 0.7),
    cg.zoo.MotifCount("GCATG", 2.0),
    scale="log counts",
)


POSITIVE = cg.zoo.Oracle(
    cg.zoo.MotifCount("TGCATG"),
    cg.zoo.MotifCount("GCG", 0.3),
    link="exp",
    scale="counts",
)


TASKS = [
    cg.zoo.Oracle(
        *(cg.zoo.MotifCount(w) for w in ("GA", "TGC")),
        tasks=["K562", "HepG2"],
        weights=weights,
    )
    for weights in ([[1, 0.3], [0, 1]], [[0.5, 0.1], [0.2, 2]])
]


ROWS = {
    "x": {"x": 1, "c": -1},
    "xy": {"x": 1.5, "y": -0.5, "z": -0.75, "c": -0.25},
    "z": {"z": 1, "y": -1},
}


WORDS = ["".join(letters) for letters in product("ACGT", repeat=5)][:520]


COUNTS = cg.FunctionPredictor(
    lambda x: np.float32(1e5) + x[:, 1, :10].sum(1).astype(np.float32),
    tasks=["y"],
    scale="share",
)


@pytest.fixture(autouse=True)
def small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of eight units, so that every trial has several."""
    monkeypatch.setattr(turn_plan, "_TOKENS", 1)


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """Two workers in this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def design_of(n_units: int = 60, **more: object) -> cg.Design:
    arms = {
        "c": cg.Untreated(),
        "x": cg.Embed("UGCAUG", at=17),
        "y": cg.Embed("NNNNNN", at=17),
        "z": cg.Insert("ACG", at=3),
    }
    settings = {
        "null": cg.Uniform(length=41),
        "arms": arms,
        "n_units": n_units,
        "contrasts": ROWS,
    } | more
    return cg.Design(**settings)  # type: ignore[arg-type]


def few_parents(n: int = 23) -> cg.Shuffle:
    rng = np.random.default_rng(0)
    return cg.Shuffle(of=["".join(rng.choice(list("ACGT"), 41)) for _ in range(n)])


def planned(scale: str) -> cg.Design:
    experiment = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=50)
    return replace(experiment, analysis=replace(experiment.analysis, scale=scale))


def words_of(n_units: int) -> cg.Design:
    arms = {"c": cg.Untreated(), **{word: cg.Embed(word, at=17) for word in WORDS}}
    return cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=n_units, contrasts="c"
    )


FLAT = {
    "none": cg.Untreated(),
    "one": cg.Embed("G" * 14, at=3),
    "more": cg.Embed("G" * 14 + "CC", at=3),
}


GATED = cg.FunctionPredictor(
    lambda x: x[:, 2, 3:17].all(1) * x[:, 1].sum(1), tasks=["y"], scale="score"
)


CASES = {
    "crossover": (design_of(), ORACLE, "identity"),
    "parents": (design_of(null=few_parents()), ORACLE, "identity"),
    "ensemble": (design_of(), cg.Ensemble(TASKS), "identity"),
    "logs": (planned("log2"), POSITIVE, "log2"),
    "float32": (design_of(), COUNTS, "identity"),
    "flat arm": (
        design_of(arms=FLAT, contrasts={"m-o": {"more": 1, "one": -1}}),
        GATED,
        "identity",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[cg.Design, cg.Predictor, str]:
    return CASES[request.param]


def held(
    design: cg.Design, predictor: cg.Predictor, scale: str = "identity"
) -> xr.Dataset:
    return cg.contrast(cg.run(design, predictor, rng=3, progress=False), scale=scale)  # type: ignore[arg-type]


def kept(
    design: cg.Design, predictor: cg.Predictor, keep: str, store: Path | None = None
) -> xr.Dataset:
    return cg.run(design, predictor, rng=3, progress=False, keep=keep, store=store)  # type: ignore[arg-type]


def test_effects_are_those_of_contrast_bit_for_bit(case, tmp_path):
    design, predictor, scale = case
    whole = held(design, predictor, scale)
    xr.testing.assert_identical(kept(design, predictor, "effects"), whole)
    stored = kept(design, predictor, "effects", tmp_path / "trial.zarr")
    assert stored["ice"].chunks
    xr.testing.assert_identical(stored.load(), whole)
    xr.testing.assert_identical(cg.open(tmp_path / "trial.zarr").load(), whole)


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_moments_are_estimated_as_effects_are(case, tmp_path):
    design, predictor, scale = case
    whole = cg.estimate(held(design, predictor, scale), ci_prob=0.9)
    moments = kept(design, predictor, "moments")
    found = cg.estimate(moments, ci_prob=0.9)
    assert set(found.variables) == set(whole.variables)
    for name in whole.data_vars:
        assert found[name].dims == whole[name].dims
        one, other = (x[name].to_numpy().astype(float) for x in (found, whole))
        np.testing.assert_allclose(
            one, other, rtol=1e-9, atol=1e-10 * np.abs(other).max(), err_msg=str(name)
        )
    assert found.attrs == whole.attrs
    xr.testing.assert_identical(
        kept(design, predictor, "moments", tmp_path / "trial.zarr"), moments
    )
    xr.testing.assert_identical(cg.open(tmp_path / "trial.zarr"), moments)


def test_moments_say_how_effects_spread():
    effects, moments = held(design_of(), RICH), kept(design_of(), RICH, "moments")
    ice = effects["ice"].to_numpy()
    np.testing.assert_allclose(moments["ice_mean"], ice.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments["ice_sd"], ice.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(
        moments["ice_correlation"][..., 0], np.corrcoef(ice[..., 0].T), atol=1e-12
    )
    for name, of in (("least", ice.min(0)), ("most", ice.max(0))):
        np.testing.assert_allclose(moments[f"ice_{name}"], of, rtol=1e-14, atol=1e-14)
    quantiles, error = (
        moments["ice_quantile"],
        moments["ice_quantile"].attrs["relative_error"],
    )
    center, truth = ice[:8].mean(0), np.quantile(ice, QUANTILES, axis=0)
    ends = [
        np.abs(np.quantile(ice, QUANTILES, axis=0, method=side) - center)
        for side in ("lower", "higher")
    ]
    assert (
        np.abs(quantiles - truth) <= 1.0001 * error * np.maximum(*ends) + 1e-9
    ).all()
    assert error < 0.007
    assert quantiles.sel(quantile=[0.025, 0.07, 0.5]).sizes["quantile"] == 3


@pytest.mark.simulation
def test_beyond_512_contrasts():
    design = words_of(60)
    whole, found = (
        cg.estimate(held(design, RICH)),
        cg.estimate(kept(design, RICH, "moments")),
    )
    np.testing.assert_allclose(found["factor"], whole["factor"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["se"], whole["se"], rtol=1e-9)
    xr.testing.assert_identical(kept(design, RICH, "effects"), held(design, RICH))


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e-12])
def test_sizes_far_from_1(size):
    large = cg.FunctionPredictor(
        lambda x: size * x[:, 1].sum(1).astype(float), tasks=["y"], scale="score"
    )
    small = cg.FunctionPredictor(
        lambda x: x[:, 1].sum(1).astype(float), tasks=["y"], scale="score"
    )
    moments, other = (
        kept(design_of(), large, "moments"),
        kept(design_of(), small, "moments"),
    )
    assert (
        np.abs(moments["ice_quantile"] / size - other["ice_quantile"]) < 0.014 * 10
    ).all()
    for name in ("ice_mean", "ice_sd", "control_sd", "ice_least"):
        np.testing.assert_allclose(
            moments[name] / size, other[name], rtol=1e-9, atol=1e-12, err_msg=name
        )
    np.testing.assert_allclose(
        moments["ice_correlation"], other["ice_correlation"], rtol=1e-9, atol=1e-12
    )
    if size > 1:
        with pytest.raises(EstimateError):
            cg.estimate(moments)
    else:
        np.testing.assert_allclose(
            cg.estimate(moments)["se"] / size, cg.estimate(other)["se"], rtol=1e-9
        )


@pytest.mark.parametrize("sizes", [(1.0, 1e120), (1e-120, 1.0), (1e120, 1e-120)])
def test_each_task_has_a_size_of_its_own(sizes):
    def both(x):
        return x[:, 1].sum(1)[:, None] * np.array(sizes)

    moments = kept(
        design_of(),
        cg.FunctionPredictor(both, tasks=["x", "y"], scale="score"),
        "moments",
    )
    plain = cg.FunctionPredictor(
        lambda x: x[:, 1].sum(1).astype(float), tasks=["y"], scale="score"
    )
    other = kept(design_of(), plain, "moments")
    for t, size in enumerate(sizes):
        for name in ("ice_mean", "ice_sd", "control_sd", "ice_least"):
            here, there = (
                found[name].isel(task=at) for found, at in ((moments, t), (other, 0))
            )
            np.testing.assert_allclose(
                here / size, there, rtol=1e-9, atol=1e-12, err_msg=name
            )
        se, expected = (
            cg.estimate(found)["se"].isel(task=at)
            for found, at in ((moments, t), (other, 0))
        )
        np.testing.assert_allclose(se / size, expected, rtol=1e-9)


def made(
    design: cg.Design, predictor: cg.Predictor
) -> tuple[RunningMoments, list[dict[str, np.ndarray]]]:
    """An empty `RunningMoments`, and what it takes of each turn."""
    question = contrast_request(design, predictor, design.planned(), keep="moments")
    parents = shared_parents(design, question.analysis, key=3)
    summary = RunningMoments(
        question, ContrastReduction.of(question, predictor), parents=parents
    )
    begun = set_up_trial(design, predictor, rng=3, analysis=None)
    cut = begun.probe()
    sent = pickle.loads(pickle.dumps(summary))
    turns = list[dict[str, np.ndarray]]()
    run_turns(
        begun.trial,
        cut,
        range(len(cut)),
        lambda _turn, _model, parts: turns.append(parts),
        reduction=sent,
    )
    return summary, turns


@pytest.mark.parametrize("name", ["crossover", "parents", "ensemble", "float32"])
def test_sums_are_put_back_at_every_seam(name):
    design, predictor, _ = CASES[name]
    straight, turns = made(design, predictor)
    broken, _ = made(design, predictor)
    for parts in turns:
        straight.take(parts)
        broken.take(pickle.loads(pickle.dumps(parts)))
        state = {key: values.copy() for key, values in broken.state().items()}
        broken, _ = made(design, predictor)
        broken.restore(state)
        for key, values in straight.state().items():
            np.testing.assert_array_equal(broken.state()[key], values, err_msg=key)
    assert broken.n == design.n_units


def test_the_state_does_not_grow_with_the_units():
    def size(n_units: int) -> int:
        summary, turns = made(design_of(n_units), ORACLE)
        for parts in turns:
            summary.take(parts)
        return sum(values.nbytes for values in summary.state().values())

    assert size(400) == size(40)


def frail(calls: int) -> tuple[cg.Predictor, list[int]]:
    """A predictor that fails once, at some call, and the rows of every call."""
    asked: list[int] = []
    failed: list[int] = []

    def answer(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        if len(asked) == calls and not failed:
            failed.append(calls)
            raise OSError("the network went away")
        return RICH.predict(np.argmax(x, 1).astype(np.uint8))[:, 0]

    return cg.FunctionPredictor(
        answer, tasks=RICH.tasks, scale=RICH.scale, fingerprint="rich"
    ), asked


@pytest.mark.parametrize("keep", ["effects", "moments"])
def test_a_trial_that_broke_off_goes_on(keep, tmp_path, monkeypatch):
    monkeypatch.setattr("causalgia._run.running_moments._LEAST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("causalgia._run.running_moments._SPARING", 0)
    path, (predictor, asked) = tmp_path / "trial.zarr", frail(0)
    whole, rows = kept(design_of(), predictor, keep), sum(asked)
    predictor, asked = frail(len(asked) - 6)
    with pytest.raises(PredictorError):
        kept(design_of(), predictor, keep, path)
    with pytest.raises(StoreError):
        cg.open(path)
    for share in (0.6, 0.3):
        asked.clear()
        xr.testing.assert_identical(
            kept(design_of(), predictor, keep, path).load(), whole
        )
        assert sum(asked) < share * rows


def test_what_units_share_is_asked_again_where_it_is_damaged(tmp_path):
    path, (predictor, _) = tmp_path / "trial.zarr", frail(40)
    with pytest.raises(PredictorError):
        kept(design_of(), predictor, "effects", path)
    sums = path / "causalgia-store" / "sums.npz"
    sums.write_bytes(sums.read_bytes()[:-1])
    with pytest.warns(FallbackWarning):
        found = kept(design_of(), predictor, "effects", path)
    xr.testing.assert_identical(found.load(), kept(design_of(), predictor, "effects"))


@pytest.mark.parametrize("name", ["ensemble", "parents"])
def test_workers_keep_the_same(name, client, tmp_path):
    design, predictor, _ = CASES[name]
    for keep in ("effects", "moments"):
        whole, path = kept(design, predictor, keep), tmp_path / f"{keep}.zarr"
        for store in (None, path):
            found = cg.run(
                design,
                predictor,
                rng=3,
                keep=keep,
                client=client,
                store=store,
                progress=False,
            )
            xr.testing.assert_identical(found.load(), whole)


def test_another_question_is_another_trial(tmp_path):
    path, asked = tmp_path / "trial.zarr", cg.Analysis(scale="log")
    kept(design_of(), POSITIVE, "effects", path)
    with pytest.raises(StoreError):
        kept(design_of(), POSITIVE, "moments", path)
    with pytest.raises(StoreError):
        cg.run(
            design_of(),
            POSITIVE,
            rng=3,
            keep="effects",
            analysis=asked,
            store=path,
            progress=False,
        )


def test_ends_do_not_notice_order_repetition_or_models_apart():
    rng = np.random.default_rng(0)
    turns = []
    for _ in range(20):
        low, answer = (
            rng.normal(size=(3, 2, 2)) * [1, 0] - [0, 1],
            rng.integers(0, 2, (2, 2)).astype(float),
        )
        turns.append(
            {
                "low": low,
                "high": low + 1.0,
                "least": answer * [1, 0],
                "most": answer * [1, 0],
            }
        )
    whole, apart = SharedRanges(), SharedRanges()
    for parts in turns:
        whole.take(dict(parts))
    for t in [*rng.permutation(20), *range(5)]:
        for model in (1, 0):
            apart.take(
                {name: x[..., model] for name, x in turns[t].items()},
                model=model,
                models=2,
            )
    for name, values in whole.state().items():
        np.testing.assert_array_equal(apart.state()[name], values)
    low, high = (
        np.max([t["low"] for t in turns], axis=0),
        np.min([t["high"] for t in turns], axis=0),
    )
    np.testing.assert_array_equal(whole.constant, low <= high)
    np.testing.assert_array_equal(whole.zero, (low <= high) & (low <= 0) & (high >= 0))
    assert whole.constant_tasks(("task", "model")) == []


def test_one_answer_for_everything_is_said(tmp_path):
    flat = cg.FunctionPredictor(lambda x: np.ones(len(x)), tasks=["y"])
    for keep in ("effects", "moments"):
        with pytest.warns(DegenerateWarning):
            found = kept(design_of(), flat, keep, tmp_path / f"{keep}.zarr")
        assert found["constant"].all()
        assert found["zero"].all()


def test_few_parents_are_said_before_the_first_answer():
    with pytest.warns(DegenerateWarning):
        kept(design_of(null=few_parents(7)), ORACLE, "moments")


def test_bad_requests_are_refused_before_the_first_answer(tmp_path):
    asked = []
    spy = cg.FunctionPredictor(
        lambda x: asked.append(len(x)) or x[:, 0].sum(1),
        tasks=["y"],
        scale="log counts",
    )
    plain = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=50)
    logs = replace(plain, analysis=replace(plain.analysis, scale="log"))
    for keep, design, error in [
        ("means", design_of(), DesignError),
        ("effects", design_of(contrasts=None), DesignError),
        ("moments", design_of(contrasts=None), DesignError),
        ("effects", design_of(assignment="parallel"), DesignError),
        ("moments", design_of(1), DesignError),
        ("moments", design_of(null=few_parents(1)), EstimateError),
        (
            "moments",
            replace(plain, analysis=replace(plain.analysis, target="units")),
            DesignError,
        ),
        (
            "effects",
            replace(plain, analysis=replace(plain.analysis, scale="ratio")),
            EstimateError,
        ),
        ("effects", logs, EstimateError),
        ("effects", design_of(10**11), DesignError),
    ]:
        with pytest.raises(error):
            kept(
                design,
                spy,
                keep,
                None if design.n_units > 10**9 else tmp_path / "trial.zarr",
            )
    counts = cg.FunctionPredictor(
        lambda x: asked.append(len(x)) or x[:, 0].sum(1), tasks=["y"], scale="counts"
    )
    ratios = replace(plain, analysis=replace(plain.analysis, scale="ratio"))
    with pytest.raises(DesignError):
        kept(ratios, counts, "effects", tmp_path / "trial.zarr")
    assert not asked
    assert not (tmp_path / "trial.zarr").exists()


def test_the_analysis_may_ask():
    asked = cg.Analysis(control="c")
    design = design_of(contrasts=None)
    whole = cg.contrast(cg.run(design, ORACLE, rng=3, analysis=asked, progress=False))
    xr.testing.assert_identical(
        cg.run(design, ORACLE, rng=3, analysis=asked, keep="effects", progress=False),
        whole,
    )
    found = cg.estimate(
        cg.run(design, ORACLE, rng=3, analysis=asked, keep="moments", progress=False)
    )
    assert "exploratory" not in found.attrs
    np.testing.assert_allclose(found["se"], cg.estimate(whole)["se"], rtol=1e-10)


def test_what_moments_cannot_answer():
    moments = kept(design_of(null=few_parents()), ORACLE, "moments")
    for asked in [
        {"target": "parents"},
        {"weights": "clusters"},
        {"cluster": "none"},
        {"block": "b"},
    ]:
        with pytest.raises(EstimateError):
            cg.estimate(moments, **asked)
    with pytest.raises(EstimateError):
        cg.moderation(moments)
    xr.testing.assert_identical(
        cg.estimate(moments, cluster="parent"), cg.estimate(moments)
    )
    alone = kept(design_of(), ORACLE, "moments")
    assert cg.estimate(alone, cluster="none")["se"].equals(cg.estimate(alone)["se"])
    with pytest.raises(DataError):
        cg.estimate(alone.drop_vars("ice_correlation"))
    with pytest.raises(DataError):
        cg.estimate(alone.drop_vars("ice_sd"))


def test_some_of_the_contrasts():
    moments = kept(design_of(), ORACLE, "moments")
    some = cg.estimate(moments.sel(contrast=["z", "x"]))
    whole = cg.estimate(moments)
    np.testing.assert_allclose(some["se"], whole["se"].sel(contrast=["z", "x"]))
    np.testing.assert_allclose(
        some["covariance"][0, 1],
        whole["covariance"].sel(contrast="z", contrast_="x"),
        rtol=1e-9,
    )


def test_moments_survive_a_file(tmp_path):
    moments = kept(design_of(), ORACLE, "moments")
    moments.to_netcdf(tmp_path / "moments.nc")
    with xr.open_dataset(tmp_path / "moments.nc") as read:
        np.testing.assert_array_equal(
            cg.estimate(read)["lower"], cg.estimate(moments)["lower"]
        )


SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "Cauchy": lambda r, n: r.standard_cauchy(n),
    "zeros": lambda r, n: np.where(r.random(n) < 0.7, 0.0, r.normal(size=n)),
    "negative": lambda r, n: -r.lognormal(0.0, 2.0, n),
    "constant": lambda r, n: np.full(n, 3.7),
    "tiny": lambda r, n: 1e-12 * r.normal(size=n),
    "offset": lambda r, n: 1e6 + 1e-3 * r.normal(size=n),
    "two values": lambda r, n: r.choice([-1.0, 1.0], n),
    "Pareto": lambda r, n: r.pareto(0.5, n),
}


@pytest.mark.parametrize("bins", [128, 2_048])
def test_sketched_quantiles_keep_their_bound(bins):
    rng, q = (
        np.random.default_rng(0),
        np.array([0, 0.001, 0.025, 0.25, 0.5, 0.75, 0.975, 0.999, 1]),
    )
    x = np.stack([shape(rng, 20_000) for shape in SHAPES.values()], axis=1)
    sketch, backwards = Sketch(bins), Sketch(bins)
    blocks = np.array_split(x, 20)
    for block in blocks:
        sketch.add(block)
    for block in [blocks[0], *blocks[:0:-1]]:
        backwards.add(block)
    np.testing.assert_array_equal(sketch.counts, backwards.counts)
    assert (sketch.counts.sum(axis=1) == len(x)).all()
    ends = [
        np.abs(np.quantile(x, q, axis=0, method=side) - sketch.center)
        for side in ("lower", "higher")
    ]
    bound = sketch.error * np.maximum(*ends) + 2.0**-39 * np.abs(x - sketch.center).max(
        axis=0
    )
    bound += 4 * np.spacing(np.abs(sketch.center))
    assert (
        np.abs(sketch.quantile(q) - np.quantile(x, q, axis=0)) <= bound * (1 + 1e-9)
    ).all()


def test_a_sketch_of_many_contrasts_takes_32_mib():
    sketch = Sketch(bins_within(4_096))
    for block in np.random.default_rng(0).normal(size=(3, 8, 4_096)):
        sketch.add(block)
    assert sketch.counts.nbytes < 2**25
    assert sketch.error < 0.028


def test_laid_out_refuses_nothing_it_made():
    summary, turns = made(design_of(), ORACLE)
    for parts in turns:
        summary.take(parts)
    begun = set_up_trial(design_of(), ORACLE, rng=3, analysis=None)
    question = contrast_request(design_of(), ORACLE, None, keep="moments")
    frame = ContrastTrialSetup(begun.trial, begun.attrs, question, sparing=True).frame
    xr.testing.assert_identical(
        moments_dataset(frame, summary.state()),
        moments_dataset(frame, summary.moments()),
    )

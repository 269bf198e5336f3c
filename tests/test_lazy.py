"""Every verb on outcomes that lie on disk: the same answers, in every bit, as of the
same outcomes in memory.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import causalgia as cg
import causalgia._analyze
from causalgia.errors import DataError, EstimateError
from causalgia.multiplicity import placebo_rank
from causalgia.multiplicity.placebo import placebo_region
from causalgia.numerics import row_blocks
from causalgia.schema import validate
from causalgia.stopping.stopping_rules import interim_estimates
from causalgia.tell import effect_rows
from causalgia.tell.figures.style import save_figure
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair

PER_UNIT = {"ice", "factor", "parent", "gc", "lane", "z"}
"""What may stay on disk: it has a value for each unit."""


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read block by block what is small enough to be held, too."""
    monkeypatch.setattr("causalgia.numerics.row_blocks.HELD", 0)
    monkeypatch.setattr("causalgia.estimation._estimate.HELD", 0)


def crossover(
    n: int = 150,
    *,
    tasks: int = 2,
    models: int = 0,
    placebos: int = 0,
    per_parent: int = 1,
    seed: int = 0,
) -> xr.Dataset:
    """Return outcomes of a 2 x 2 factorial, of distances and of placebos, all
    positive.
    """
    rng = np.random.default_rng(seed)
    arms = ["0", "A", "B", "AB", *(f"P{i}" for i in range(placebos))]
    shape = (n, len(arms), tasks, *([models] if models else []))
    effect = np.array([0.0, 0.6, 0.4, 1.3, *rng.normal(0, 0.1, placebos)]).reshape(
        -1, *[1] * (len(shape) - 2)
    )
    y = (
        rng.normal(5, 0.5, shape)
        + effect
        + rng.normal(0, 0.5, (n, *[1] * (len(shape) - 1)))
    )
    coords: dict[str, Any] = {
        "unit": np.arange(n),
        "arm": arms,
        "task": [f"t{i}" for i in range(tasks)],
        "parent": ("unit", np.arange(n) // per_parent),
        "gc": ("unit", rng.uniform(0.3, 0.7, n)),
        "lane": ("unit", np.arange(n) % 25),
        "kind": (
            "arm",
            ["untreated", "embed", "embed", "embed", *["fixed_placebo"] * placebos],
        ),
        "do": ("arm", [f"do({arm})" for arm in arms]),
        "a": ("arm", [0.0, 1.0, 0.0, 1.0, *[np.nan] * placebos]),
        "b": ("arm", [0.0, 0.0, 1.0, 1.0, *[np.nan] * placebos]),
        "copies": ("arm", np.arange(len(arms))),
        **({"model": [f"m{i}" for i in range(models)]} if models else {}),
    }
    dims = ("unit", "arm", "task", "model")[: len(shape)]
    return xr.Dataset(
        {"outcome": (dims, y.astype(np.float32))},
        coords=coords,
        attrs={"scale": "counts"},
    )


def parallel(n: int = 240) -> xr.Dataset:
    """Return outcomes of a parallel trial in blocks."""
    rng = np.random.default_rng(3)
    arms = np.array(["0", "A", "B"])[np.arange(n) % 3]
    y = rng.normal(5, 1, (n, 2)) + (arms == "A")[:, None]
    coords = {
        "unit": np.arange(n),
        "arm": ["0", "A", "B"],
        "task": ["t0", "t1"],
        "assigned": ("unit", arms),
        "block": ("unit", np.arange(n) // 12),
        "z": ("unit", rng.normal(size=n)),
    }
    return xr.Dataset(
        {"outcome": (("unit", "task"), y)}, coords=coords, attrs={"scale": "counts"}
    )


def on_disk(dataset: xr.Dataset, units: int = 37) -> xr.Dataset:
    return dataset.chunk({"unit": units})


def said(
    question: Callable[[xr.Dataset], Any], outcomes: xr.Dataset
) -> tuple[Any, list[tuple[type, str]]]:
    """Return the answer and every warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = question(outcomes)
    return answer, [(w.category, str(w.message)) for w in caught]


def parts(answer: Any) -> Iterator[Any]:
    """Take an answer apart into Datasets, arrays and plain values."""
    if isinstance(answer, Mapping) and not isinstance(answer, xr.Dataset):
        yield from (part for key in answer for part in (key, *parts(answer[key])))
    elif isinstance(answer, tuple | list):
        yield from (part for one in answer for part in parts(one))
    elif isinstance(answer, xr.DataArray):
        yield answer.to_dataset(name="values")
    elif isinstance(answer, cg.experiments.Answer):
        yield from parts(
            [
                answer.question,
                answer.estimates,
                answer.decisions,
                answer.findings,
                answer.sentences,
            ]
        )
    elif dataclasses.is_dataclass(answer):
        yield from parts(
            [getattr(answer, field.name) for field in dataclasses.fields(answer)]
        )
    else:
        yield answer


def assert_same(found: Any, expected: Any) -> None:
    """Hold two answers against each other, bit by bit."""
    found, expected = list(parts(found)), list(parts(expected))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if not isinstance(other, xr.Dataset):
            np.testing.assert_array_equal(one, other)
            continue
        assert {
            name for name, v in one.variables.items() if v.chunks is not None
        } <= PER_UNIT
        assert one.identical(other)
        for name in other.variables:
            a, b = one[name].to_numpy(), other[name].to_numpy()
            assert (a.dtype, a.shape) == (b.dtype, b.shape), name
            assert a.dtype == object or a.tobytes() == b.tobytes(), name


def ask(question: Callable[[xr.Dataset], Any], outcomes: xr.Dataset) -> Any:
    """Ask of outcomes in memory and on disk, assert that all is the same, and return
    what was said of those on disk.
    """
    lazy = on_disk(outcomes)
    (found, warned), (expected, as_well) = (
        said(question, lazy),
        said(question, outcomes),
    )
    assert warned == as_well
    assert_same(found, expected)
    assert all(lazy[name].chunks is not None for name in lazy.data_vars), (
        "what the user holds stays on disk"
    )
    return found


def effects_of(o: xr.Dataset, **how: Any) -> xr.Dataset:
    return cg.contrast(o, **(how or {"control": "0"}))


def estimates_of(o: xr.Dataset, **how: Any) -> xr.Dataset:
    return cg.estimate(effects_of(o), **how)


# ---------------------------------------------------------------- contrasts and estimates


@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ({}, 2**20),
        ({}, 900),
        ({"tasks": 1}, 300),
        ({"models": 2}, 900),
        ({"n": 38, "placebos": 60, "tasks": 1}, 900),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["log2", "contrasts", "interaction"])
def test_a_contrast_is_lazy_and_its_estimates_are_those_in_memory(
    how: str, shape: dict[str, int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causalgia.numerics.row_blocks.BLOCK", block)
    outcomes = crossover(**shape)
    asked: dict[str, Any] = {
        "log2": {"control": "0", "scale": "log2"},
        "contrasts": {
            "contrasts": {
                "mean": {"A": 1, "0": -1},
                "both": {"AB": 1, "A": -0.3, "B": -0.7},
            }
        },
        "interaction": {"interaction": ["a", "b"]},
    }[how]
    effects = ask(lambda o: cg.contrast(o, **asked), outcomes)
    assert effects["ice"].chunks[0] == on_disk(outcomes)["outcome"].chunks[0]
    assert effects["ice"].dtype == np.float64
    ask(lambda o: cg.estimate(cg.contrast(o, **asked)), outcomes)


@pytest.mark.parametrize("scale", ["log_of_means", "ratio"])
def test_a_function_of_means_is_loaded(scale: str) -> None:
    effects = ask(lambda o: cg.contrast(o, control="0", scale=scale), crossover())
    assert effects["ice"].chunks is None
    ask(lambda o: cg.estimate(cg.contrast(o, control="0", scale=scale)), crossover())
    ask(
        lambda o: cg.estimate(
            on_disk(cg.contrast(o.compute(), control="0", scale=scale))
        ),
        crossover(),
    )
    ask(
        lambda o: cg.contrast(
            o, interaction=["a", "b"], scale=lambda n, a, b, ab: (ab - a - b + n, a)
        ),
        crossover(),
    )


@pytest.mark.parametrize(
    "how",
    [
        {"cluster": "lane"},
        {"cluster": "lane", "weights": "clusters"},
        {"target": "parents"},
        {"target": "units"},
        {"ci_prob": 0.5},
        {"cluster": "none"},
    ],
    ids=str,
)
def test_every_estimator_of_a_crossover_gives_the_same(how: dict[str, Any]) -> None:
    ask(lambda o: estimates_of(o, **how), crossover(per_parent=3))


def test_predictors_that_are_drawn() -> None:
    ask(
        lambda o: estimates_of(o, target="population x predictors"), crossover(models=3)
    )


@pytest.mark.parametrize("how", [{}, {"block": "block"}, {"covariates": "z"}], ids=str)
def test_a_parallel_trial(how: dict[str, Any]) -> None:
    outcomes = parallel() if how.get("block") else parallel().drop_vars("block")
    for scale in ("identity", "log", "ratio"):
        if scale != "ratio" or not how:
            ask(lambda o, scale=scale: estimates_of_scale(o, scale, how), outcomes)


def estimates_of_scale(
    outcomes: xr.Dataset, scale: Any, how: dict[str, Any]
) -> list[xr.Dataset]:
    effects = cg.contrast(outcomes, control="0", scale=scale)
    return [effects, cg.estimate(effects, **how)]


def test_effects_that_do_not_vary_and_a_single_unit() -> None:
    still = crossover()
    still["outcome"] = still["outcome"].astype(np.float64)
    still["outcome"].loc[{"arm": "A"}] = still["outcome"].sel(arm="0") + 1
    still["outcome"].loc[{"arm": "B"}] = still["outcome"].sel(arm="0")
    effects = ask(effects_of, still)
    assert effects["constant"].to_numpy().any()
    estimates = ask(estimates_of, still)
    assert estimates["ace"].sel(contrast="B").to_numpy().tolist() == [0.0, 0.0]
    ask(estimates_of, crossover().isel(unit=[4]))
    ask(estimates_of, crossover().isel(unit=[4, 5]))


def test_numbers_near_the_ends_of_floats() -> None:
    for size in (1e120, 1e-120):
        far = crossover()
        far["outcome"] = far["outcome"].astype(np.float64) * size
        ask(estimates_of, far)


@pytest.mark.simulation
def test_many_contrasts_leave_a_lazy_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causalgia.estimation._estimate.MAX_COVARIANCE", 20)
    outcomes = crossover(placebos=40, tasks=1)
    estimates = ask(estimates_of, outcomes)
    assert estimates["factor"].chunks is not None
    ask(
        lambda o: cg.estimation.covariance(estimates_of(o), ["P3", "A", "P30"]),
        outcomes,
    )
    ask(
        lambda o: cg.multiplicity.simultaneous(
            estimates_of(o), method="dunnett", n_draws=99, rng=0
        ),
        outcomes,
    )
    ask(
        lambda o: [placebo_rank(estimates_of(o)), placebo_region(estimates_of(o))],
        outcomes,
    )
    ask(
        lambda o: cg.decide(cg.infer(estimates_of(o), rng=0), rope=(-0.2, 0.2)),
        outcomes,
    )


@pytest.mark.parametrize(
    "chunks",
    [{"unit": 1}, {"unit": 150}, {"unit": 40, "arm": 1, "task": 1}, {"arm": 2}, {}],
)
def test_how_it_is_cut_into_chunks_changes_nothing(chunks: dict[str, int]) -> None:
    outcomes = crossover()
    assert_same(estimates_of(outcomes.chunk(chunks)), estimates_of(outcomes))


def test_the_order_of_memory_changes_nothing() -> None:
    outcomes, moved = crossover(), crossover()
    moved["outcome"] = moved["outcome"].copy(
        data=np.asfortranarray(moved["outcome"].to_numpy())
    )
    assert_same(estimates_of(moved), estimates_of(outcomes))
    some = effects_of(outcomes).isel(contrast=[2, 0])
    assert_same(cg.estimate(on_disk(some)), cg.estimate(some))


# ---------------------------------------------------------------- the other verbs

ANALYSIS = cg.Analysis(control="0", rope=(-0.2, 0.2))

VERBS: dict[str, Callable[[xr.Dataset], Any]] = {
    "simultaneous by clusters": lambda o: cg.simultaneous(
        effects_of(o), n_draws=99, cluster="lane", rng=0
    ),
    "simultaneous by units": lambda o: cg.multiplicity.simultaneous(
        effects_of(o), n_draws=99, rng=0
    ),
    "simultaneous": lambda o: cg.multiplicity.simultaneous(
        estimates_of(o), method="dunnett", n_draws=99, rng=0
    ),
    "infer": lambda o: cg.infer(estimates_of(o), rng=0),
    "decide": lambda o: cg.decide(estimates_of(o), rope=(-0.2, 0.2)),
    "decide by sd": lambda o: cg.decide(estimates_of(o), rope="0.2 sd"),
    "decide by units": lambda o: cg.decide(
        effects_of(o), rope=(-0.2, 0.2), error="fwer"
    ),
    "analyze": lambda o: cg.analyze(o, ANALYSIS),
    "steps": lambda o: cg._analyze.steps(o, ANALYSIS).decisions,
    "covariance": lambda o: cg.estimation.covariance(estimates_of(o), ["B", "A"]),
    "spread": lambda o: cg.moderation(effects_of(o), (), rope=(-0.5, 0.5)),
    "spread by cluster": lambda o: cg.moderation(effects_of(o), (), cluster="lane"),
    "moderation": lambda o: cg.moderation(effects_of(o), by="gc"),
    "phase": lambda o: cg.estimation.helical_phase(at_distances(o), trend="linear"),
    "looks": lambda o: dataclasses.asdict(
        interim_estimates(o, control="0", contrasts=None)
    ),
    "report": lambda o: cg.report(estimates_of(o)),
    "describe": lambda o: cg.report(o),
    "rows": lambda o: effect_rows.rows_of(estimates_of(o)),
    "sample size": lambda o: cg.sample_size(effects_of(o), half_width=0.1),
    "sample size of estimates": lambda o: cg.sample_size(
        estimates_of(o), half_width=0.1
    ),
    "power": lambda o: cg.planning.power(effects_of(o), n_units=50, true_effect=0.2),
    "minimal effect": lambda o: cg.planning.minimal_detectable_effect(
        effects_of(o), n_units=50
    ),
}


def at_distances(outcomes: xr.Dataset) -> xr.Dataset:
    effects = effects_of(outcomes)
    return effects.assign_coords(
        distance=("contrast", np.arange(effects.sizes["contrast"]) * 3.0 + 5)
    )


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_the_same_of_outcomes_on_disk(verb: str) -> None:
    more = {"tasks": 1, "placebos": 5} if verb == "phase" else {}
    ask(VERBS[verb], crossover(60, **more))


@pytest.mark.parametrize("verb", ["spread", "moderation", "power", "report"])
def test_a_verb_says_the_same_of_several_predictors(verb: str) -> None:
    ask(VERBS[verb], crossover(60, models=3))


def test_what_is_saved_is_the_same(tmp_path: Path) -> None:
    def kept(outcomes: xr.Dataset) -> xr.Dataset:
        return cg.store.load(
            cg.store.save(effects_of(outcomes), tmp_path / "effects.nc"), "effects"
        )

    ask(kept, crossover())
    ask(
        lambda o: cg.store.load(cg.store.save(o, tmp_path / "outcomes.nc"), "outcomes"),
        crossover(),
    )


def test_a_figure_of_what_is_on_disk(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    estimates = estimates_of(crossover())
    drawn = [
        save_figure(cg.plot.forest(one), tmp_path / f"{i}.png").read_bytes()
        for i, one in enumerate((estimates, estimates.chunk()))
    ]
    assert drawn[0] == drawn[1]


# ---------------------------------------------------------------- trials and the catalogue


def ensemble() -> cg.Ensemble:
    terms = (
        MotifCount("UGCAUG", 2.0),
        MotifCount("GCUGG", 1.0),
        MotifCount("A", 0.05),
        EndGC(-0.5, last=8),
    )
    terms = (*terms, Pair("UGCAUG", "GCUGG", bonus=0.5, min_distance=6, reach=20))
    return cg.Ensemble(
        [
            Oracle(
                *terms,
                tasks=["a", "b"],
                weights=[[w] * len(terms), [w / 2] * len(terms)],
                scale="z",
            )
            for w in (1.0, 0.8)
        ],
        names=["first", "second"],
    )


def real(n: int = 20) -> list[str]:
    rows = [
        "".join(row) for row in np.random.default_rng(5).choice(list("ACGU"), (n, 41))
    ]
    return [row[:10] + "UGCAUG" + row[16:26] + "GCUGG" + row[31:] for row in rows]


CATALOGUE: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "kmer_screen": (
        [cg.Uniform(length=41)],
        {"motifs": ["UGCAUG", "AGCAUG", "GGCUGG"], "n_placebos": 40, "n_units": 60},
    ),
    "position": ([], {"n_units": 50}),
    "spacing": ([], {"n_units": 50}),
    "necessity": ([real()], {"tiles": [(8, 18), (18, 24), (24, 33)], "n_draws": 2}),
    "motif_pair": (
        [cg.Uniform(length=41)],
        {"motif": "UGCAUG", "other": "GCUGG", "distances": [7, 10, 13], "n_units": 50},
    ),
}


@pytest.mark.simulation
@pytest.mark.parametrize("name", CATALOGUE)
def test_an_experiment_of_the_catalogue_answers_the_same_of_an_ensemble_on_disk(
    name: str,
) -> None:
    arguments, settings = CATALOGUE[name]
    experiment = getattr(cg.experiments, name)(*arguments, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = cg.run(experiment, ensemble(), rng=0, progress=False)
    ask(lambda o: experiment.analyze(o, rng=0), outcomes)


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_variants_in_their_own_contexts_are_listed_the_same(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text(
        ">chr1\n" + "".join(real(40)).replace("U", "T") + "\n"
    )
    (tmp_path / "two.vcf").write_text("chr1\t422\trs1\tG\tA\nchr1\t519\trs2\tG\tA\n")
    experiment = cg.experiments.variants(
        tmp_path / "two.vcf", tmp_path / "genome.fa", length=41
    )
    outcomes = cg.run(experiment, ensemble(), rng=0, progress=False)
    ask(lambda o: experiment.analyze(o, rng=0), outcomes)


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_what_a_screen_on_disk_selects_is_confirmed_on_the_same_units() -> None:
    arms = {"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    share = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share"
    )
    ask(
        lambda o: cg.confirm(o, select="GC", predictor=share, rng=0),
        cg.run(design, share, rng=0, progress=False),
    )


# ---------------------------------------------------------------- what is read, and how often


def counted(outcomes: xr.Dataset, units: int = 37) -> tuple[xr.Dataset, list[int]]:
    """Return the outcomes on disk, and a list that grows by one with each chunk that is
    read.
    """
    read: list[int] = []

    def note(block: Any) -> Any:
        if block.size:
            read.append(len(block))
        return block

    lazy = outcomes.chunk({"unit": units})
    data = lazy["outcome"].data.map_blocks(
        note, dtype=lazy["outcome"].dtype, meta=np.empty((0, 0, 0), np.float32)
    )
    return outcomes.assign(outcome=lazy["outcome"].copy(data=data)), read


def test_values_are_checked_once_and_never_all_at_once() -> None:
    outcomes, read = counted(crossover())
    n_chunks = len(outcomes["outcome"].chunks[0])
    validate(outcomes, "outcomes")
    assert len(read) == n_chunks
    for _ in range(3):
        validate(outcomes.assign_attrs(again=1), "outcomes")
    assert len(read) == n_chunks
    effects = cg.contrast(outcomes, control="0")
    before = len(read)
    validate(effects, "effects")
    assert len(read) == before, "contrast has seen every effect that it hands out"


def test_a_small_trial_on_disk_is_read_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("causalgia.numerics.row_blocks.HELD", 2**25)
    monkeypatch.setattr("causalgia.estimation._estimate.HELD", 2**25)
    outcomes, read = counted(crossover())
    n_chunks = len(outcomes["outcome"].chunks[0])
    effects = cg.contrast(outcomes, control="0")
    assert len(read) <= 3 * n_chunks
    cg.estimate(effects)
    assert len(read) <= 4 * n_chunks


def test_what_was_seen_is_forgotten_with_the_array() -> None:
    outcomes = on_disk(crossover(), 41)
    name = outcomes["outcome"].data.name
    validate(outcomes, "outcomes")
    assert name in row_blocks._EXTREMES
    del outcomes
    assert name not in row_blocks._EXTREMES


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_as_in_memory(value: float) -> None:
    bad = crossover()
    bad["outcome"][101, 2, 1] = value
    bad["outcome"][140, 0, 0] = np.nan
    messages = []
    for outcomes in (bad, on_disk(bad), on_disk(bad, 1)):
        with pytest.raises(DataError) as refused:
            cg.contrast(outcomes, control="0")
        messages.append(str(refused.value))
    assert len(set(messages)) == 1


def test_a_value_that_a_scale_is_impossible_for_is_named_as_in_memory() -> None:
    bad = crossover()
    bad["outcome"][101, 2, 1] = -1.0
    for scale in ("log", "logit"):
        messages = []
        for outcomes in (bad, on_disk(bad)):
            with pytest.raises(EstimateError) as refused:
                cg.contrast(outcomes, control="0", scale=scale)
            messages.append(str(refused.value))
        assert len(set(messages)) == 1
    ask(lambda o: cg.contrast(o, contrasts={"A": {"A": 1, "0": -1}}, scale="log"), bad)


def test_effects_beyond_the_largest_float_are_refused_as_in_memory() -> None:
    far = crossover()
    far["outcome"] = far["outcome"].astype(np.float64)
    far["outcome"].loc[{"arm": "A", "unit": 77}] = 1.7e308
    far["outcome"].loc[{"arm": "0", "unit": 77}] = -1.7e308
    messages = []
    for outcomes in (far, on_disk(far)):
        with (
            pytest.raises(DataError) as refused,
            np.errstate(over="ignore"),
        ):
            cg.contrast(outcomes, control="0")
        messages.append(str(refused.value))
    assert len(set(messages)) == 1


class Counted:
    """An array that counts how many of its rows are read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.n_read = values, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, at: Any) -> np.ndarray:
        rows = self.values[at]
        self.n_read += len(rows)
        return rows


def test_the_sd_of_the_untreated_arm_takes_no_reading_of_its_own() -> None:
    """It was measured once to see whether the arm varies, and once more as the unit of
    effects.
    """
    outcomes, n_read = crossover(), {}
    for control in ("0", None):
        rows = Counted(outcomes["outcome"].to_numpy())
        y = da.from_array(rows, chunks=(40, -1, -1))
        asked = (
            {"control": control}
            if control
            else {"contrasts": {arm: {arm: 1, "0": -1} for arm in ("A", "B", "AB")}}
        )
        effects = cg.contrast(
            outcomes.assign(outcome=(outcomes["outcome"].dims, y)), **asked
        )
        n_read[control] = rows.n_read
        np.testing.assert_array_equal(
            effects["control_sd"], cg.contrast(outcomes, **asked)["control_sd"]
        )
    # and it was 8.5 rather than 5.3 readings of all rows
    assert n_read[None] == n_read["0"]


def test_no_units_are_refused_as_in_memory() -> None:
    with pytest.raises(DataError):
        cg.contrast(on_disk(crossover()).isel(unit=slice(0, 0)), control="0")


# ---------------------------------------------------------------- memory

LARGE = """
import resource
import dask.array as da
import numpy as np
import xarray as xr
import causalgia as cg

def block(block_info=None):
    (start, stop), *_ = block_info[None]["array-location"]
    rng = np.random.default_rng(start)
    return rng.normal(5, 1, (stop - start, 3, 1)).astype(np.float32)

def outcomes(n):
    size = 250_000
    chunks, meta = ((size,) * (n // size), (3,), (1,)), np.empty((0, 0, 0), np.float32)
    y = da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=meta)
    return xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords={"arm": ["0", "A", "B"], "task": ["t"]})

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

cg.estimate(cg.contrast(outcomes(1_000_000), control="0"))
before = peak()
estimates = cg.estimate(cg.contrast(outcomes(N), control="0"))
print(before, peak(), estimates["se"].values.ravel().tolist())
"""


@pytest.mark.simulation
def test_memory_does_not_grow_with_the_units() -> None:
    n = 8_000_000  # outcomes of 92 MB
    script = textwrap.dedent(LARGE).replace("N)", f"{n})")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    before, after, *_ = done.stdout.split(maxsplit=2)
    assert float(after) - float(before) < 150, (
        "the ICE alone take 122 MB, and as much again for each step upon them"
    )

"""Every experiment of the catalogue on an ensemble with two tasks: it answers about
each, and over the predictors.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DataError
from causalgia.experiments import across_predictors, agreement, share_of_predictors
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair

pytestmark = pytest.mark.usefixtures("every_figure_can_be_printed")

KD = {"UGCAUG": 0.83, "AGCAUG": 4.8, "UGUAUG": 280.0, "UGCACG": 4.9}
MEMBERS = ("first", "second")
TASKS = ("a", "b")


def ensemble() -> cg.Ensemble:
    """Return two oracles with two tasks that agree in kind: motifs, a bias, and a
    pair.
    """
    terms = (
        MotifCount("UGCAUG", 2.0),
        MotifCount("GCUGG", 1.0),
        *(
            MotifCount(letters, weight)
            for letters, weight in (("A", 0.05), ("C", -0.04), ("GG", 0.1))
        ),
        EndGC(-0.5, last=8),
        Pair("UGCAUG", "GCUGG", bonus=0.5, min_distance=6, reach=20),
    )
    members = [
        Oracle(
            *terms,
            tasks=list(TASKS),
            weights=[[w] * len(terms), [w / 2] * len(terms)],
            scale="z",
        )
        for w in (1.0, 0.8)
    ]
    return cg.Ensemble(members, names=list(MEMBERS))


def real(n: int = 40) -> list[str]:
    rows = [
        "".join(row) for row in np.random.default_rng(5).choice(list("ACGU"), (n, 41))
    ]
    return [row[:10] + "UGCAUG" + row[16:26] + "GCUGG" + row[31:] for row in rows]


def negatives(n: int = 60) -> list[str]:
    rows = (
        "".join(row)
        for row in np.random.default_rng(6).choice(list("ACGU"), (2 * n, 41))
    )
    return [row for row in rows if "GCAUG" not in row and "CAUGC" not in row][:n]


TILES = [(8, 18), (18, 24), (24, 33)]
RNA = cg.Uniform(length=41)
AT_41: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "kmer_screen": (
        [cg.Uniform(length=41)],
        {"motifs": ["UGCAUG", "AGCAUG", "GGCUGG"], "n_placebos": 40, "n_units": 80},
    ),
    "motif_screen": (
        [cg.Uniform(length=41), {"RBFOX1": "TGCATG", "SP1": "GGGCGGG"}],
        {"n_placebos": 40, "n_units": 80},
    ),
    "motif_mutagenesis": ([RNA], {"motif": "GCUGG"}),
    "saturation": ([real()], {"span": (14, 22)}),
    "position": ([RNA], {"motif": "UGCAUG"}),
    "affinity": ([RNA], {"kd": KD}),
    "copies": ([RNA], {"motif": "UGCAUG"}),
    "spacing": ([RNA], {"motif": "UGCAUG"}),
    "necessity": ([real()], {"tiles": TILES, "n_draws": 2}),
    "sufficiency": ([real()], {"tiles": TILES, "n_draws": 2}),
    "tiles": ([real()], {"tiles": [(8, 18), (24, 33)], "n_draws": 2}),
    "hairpin": ([RNA], {"motif": "GCUGG"}),
    "composition": ([RNA], {"motif": "UGCAUG", "gc": [0.3, 0.5, 0.7]}),
    "knock_in": ([negatives()], {"motif": "UGCAUG"}),
    "flanks": ([RNA], {"motif": "UGCAUG", "width": 3, "n_flanks": 6}),
    "pair": ([RNA], {"motif": "UGCAUG", "other": "GCUGG", "gaps": [1, 4, 7]}),
    "pairs": ([RNA], {"motifs": {"R": "UGCAUG", "V": "GCUGG"}, "gaps": [2, 6]}),
    "motif": ([RNA], {"motif": "UGCAUG"}),
    "variants": ([], {"null": cg.Uniform(length=41), "n_null": 60}),
}


def made(name: str, folder: Path) -> cg.experiments.Experiment:
    arguments, settings = AT_41[name]
    if name.startswith("variant"):
        (folder / "genome.fa").write_text(
            ">chr1\n" + "".join(real()).replace("U", "T") + "\n"
        )
        (folder / "two.vcf").write_text("chr1\t422\trs1\tG\tA\nchr1\t519\trs2\tG\tA\n")
        arguments = [folder / "two.vcf", folder / "genome.fa"]
    if (
        "n_units" not in settings
        and not name.startswith("variant")
        and not any(isinstance(one, list) for one in arguments)
    ):
        settings = {**settings, "n_units": 60}
    return getattr(cg.experiments, name)(*arguments, **settings)


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.simulation] if i % 9 else [])
        for i, name in enumerate(AT_41)
    ],
)
def test_an_experiment_answers_about_each_task_of_each_member_and_is_drawn(
    name: str, tmp_path: Path
) -> None:
    experiment = made(name, tmp_path)
    assert experiment.null.length == 41
    answer = experiment.analyze(
        cg.run(experiment, ensemble(), rng=0, progress=False), rng=0
    )
    assert answer.estimates["ace"].sizes["model"] == 2
    assert "nan" not in " ".join(answer.sentences)
    assert answer.save(tmp_path / "figure.png", task="b").stat().st_size > 5_000


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize(
    "name",
    [
        "motif_screen",
        "tiles",
    ],
)
def test_an_experiment_answers_about_the_difference_between_tasks(
    name: str, tmp_path: Path
) -> None:
    experiment = made(name, tmp_path)
    experiment = replace(
        experiment, analysis=replace(experiment.analysis, tasks=["a", "a - b"])
    )
    oracle = ensemble().members[0]
    answer = experiment.analyze(
        cg.run(experiment, oracle, rng=0, progress=False), rng=0
    )
    assert answer.tasks == ["a", "a - b"]
    assert "nan" not in " ".join(answer.sentences)
    by_itself = made(name, tmp_path)
    outcomes = cg.run(by_itself, oracle, rng=0, progress=False)
    each = by_itself.analyze(outcomes, rng=0).estimates["ace"]
    found = answer.estimates["ace"].sel(task="a - b")
    common = [
        name
        for name in found["contrast"].to_numpy()
        if name in each["contrast"].to_numpy()
    ]
    assert common
    difference = each.sel(task="a", contrast=common) - each.sel(
        task="b", contrast=common
    )
    np.testing.assert_allclose(found.sel(contrast=common), difference, atol=1e-9)
    assert answer.save(tmp_path / "figure.png", task="a - b").stat().st_size > 5_000


# ---------------------------------------------------------------- the logo of a motif


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_logo_draws_what_letters_change_and_the_finding_keeps_the_word() -> None:
    """Position 0 hardly matters: its letters are the shortest, though the motif with
    each of them works.
    """
    spelled = {"AGCAUG": 2.8, "CGCAUG": 2.6, "GGCAUG": 2.7, "UGCAUG": 3.0}
    members = [
        Oracle(*(MotifCount(word, scale * w) for word, w in spelled.items()), scale="z")
        for scale in (1.0, 0.5)
    ]
    experiment = cg.experiments.motif_mutagenesis(RNA, "UGCAUG", n_units=60)
    answer = experiment.analyze(
        cg.run(experiment, cg.Ensemble(members), rng=0, progress=False), rng=0
    )
    found = answer.findings["logo"]["ace"].squeeze("task")
    for model in found["model"].to_numpy():
        whole = answer.estimates["ace"].sel(contrast="UGCAUG", model=model).item()
        assert [
            found.sel(model=model, position=i, base=b).item()
            for i, b in enumerate("UGCAUG")
        ] == [whole] * 6
    axes = answer.draw()
    mean = found.mean("model").to_numpy()
    tall = np.abs(mean - mean.mean(axis=1, keepdims=True)).sum(axis=1)
    assert tall[0] < 0.2 * tall[1:].min()
    boxes = [patch.get_path().get_extents() for patch in axes.patches]
    drawn = np.zeros(6)
    for box in boxes:
        drawn[round((box.x0 + box.x1) / 2)] += box.height
    np.testing.assert_allclose(drawn, tall, rtol=1e-6)


# ---------------------------------------------------------------- across the members


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_members_of_an_ensemble_are_predictors_with_their_covariance() -> None:
    experiment = cg.experiments.position(RNA, "GCGCGC", at=[2, 34], n_units=100)
    both = ensemble()
    outcomes = cg.run(experiment, both, rng=0, progress=False)
    found = across_predictors(outcomes, contrast="at 34")
    assert found["contrast"].to_numpy().tolist() == [
        "first: a",
        "first: b",
        "second: a",
        "second: b",
    ]
    ice = (
        cg.contrast(outcomes)["ice"]
        .sel(contrast="at 34")
        .transpose("unit", "model", "task")
        .to_numpy()
    )
    np.testing.assert_allclose(
        found["covariance"].to_numpy()[..., 0],
        np.cov(ice.reshape(100, 4).T) / 100,
        atol=1e-12,
    )
    alone = [
        cg.run(experiment, member, rng=0, progress=False) for member in both.members
    ]
    listed = across_predictors(alone, contrast="at 34")
    assert listed["contrast"].to_numpy().tolist()[::2] == [
        "predictor 0: a",
        "predictor 1: a",
    ]
    np.testing.assert_allclose(listed["ace"], found["ace"])
    np.testing.assert_allclose(listed["covariance"], found["covariance"])
    named = across_predictors({"x": outcomes, "y": alone[0]}, contrast="at 34")
    assert named["contrast"].to_numpy().tolist()[3:5] == ["x: second: b", "y: a"]


def test_predictors_of_different_experiments_are_refused() -> None:
    member = ensemble().members[0]

    def run(
        null: cg.design.NullModel = cg.Uniform(length=41),  # noqa: B008
        rng: int = 0,
        **settings: Any,
    ) -> Any:
        settings = {"motif": "GCGCGC", "at": [2, 34], "n_units": 40} | settings
        return cg.run(
            cg.experiments.position(null, **settings),
            member,
            rng=rng,
            progress=False,
        )

    one = run()
    for other in (
        run(motif="AAAA"),
        run(cg.Uniform(length=60), rng=3),
        run(n_units=50, rng=3),
    ):
        with pytest.raises(DataError):
            across_predictors({"x": one, "y": other}, contrast="at 34")


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("own", [False, True])
def test_a_predictor_whose_rounding_is_unknown_has_no_floor(own: bool) -> None:
    """Its floor was nan: estimates of the same units were refused, those of separate
    ones kept it.
    """
    experiment = cg.experiments.position(RNA, "GCGCGC", at=[2, 34], n_units=100)
    oracles = [
        Oracle(MotifCount("ACG", 0.1), EndGC(w, last=8), scale="z")
        for w in (-0.9, -1.0, -1.1)
    ]
    outcomes = [
        cg.run(experiment, oracle, rng=own * k, progress=False)
        for k, oracle in enumerate(oracles)
    ]
    known = across_predictors(outcomes, contrast="at 34")
    outcomes[1] = outcomes[1].drop_vars(["answer_floor", "transform"])
    found = across_predictors(outcomes, contrast="at 34")
    assert found["floor"].values.ravel().tolist() == [
        known["floor"].values[0, 0],
        0.0,
        known["floor"].values[2, 0],
    ]
    assert found["below_floor"].dtype == bool
    for name in ("ace", "se", "p", "skewness", *(["covariance"] if not own else [])):
        np.testing.assert_array_equal(found[name], known[name])


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("own", [True])
def test_a_constant_predictor_counts_in_the_share(own: bool) -> None:
    """Teeth: left out, four of four would be biased; of eight it is four, with three
    constant ones among them.
    """
    experiment = cg.experiments.position(RNA, "GCGCGC", at=[2, 34], n_units=100)
    acting = [
        Oracle(MotifCount("ACG", 0.1), EndGC(w, last=8), scale="z")
        for w in (-0.9, -1.0, -1.1, -1.2, 0.01)
    ]
    still = [Oracle(MotifCount("A" * 20, 1e-3), scale="z")] * 3
    outcomes = [
        cg.run(experiment, oracle, rng=own * k, progress=False)
        for k, oracle in enumerate([*acting, *still])
    ]
    found = across_predictors(outcomes, contrast="at 34")
    assert found["exact"].to_numpy().ravel().tolist() == [False] * 5 + [True] * 3
    for rope in ((-0.1, 0.1), "0.2 sd"):
        share = share_of_predictors(found, rope=rope, rng=0)
        assert (share.attrs["n_predictors"], share.attrs["n_exact"]) == (8, 3)
        for side, true in (("below", 0.5), ("above", 0.0), ("either", 0.5)):
            row = share.sel(side=side, task="at 34")
            assert row["claimed"].item() == true
            assert row["lower"].item() <= true <= row["upper"].item()
            assert row["share"].item() == pytest.approx(true, abs=0.02)


def test_a_share_of_estimates_is_that_of_their_posterior() -> None:
    estimates = cg.from_effects(np.linspace(-1, 1, 12), se=0.1)
    share = share_of_predictors(estimates, rope=(-0.4, 0.4), rng=3)
    xr.testing.assert_equal(
        share, share_of_predictors(cg.infer(estimates, rng=3), rope=(-0.4, 0.4))
    )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_where_every_predictor_is_exact_the_share_is_a_count() -> None:
    experiment = cg.experiments.position(RNA, "GCGCGC", at=[2, 34], n_units=80)
    outcomes = [
        cg.run(
            experiment,
            cg.FunctionPredictor(
                lambda x, k=k: k * x[:, 2, 34:36].sum(1) * 0 + k, scale="z"
            ),
            rng=0,
        )
        for k in range(3)
    ]
    share = share_of_predictors(
        across_predictors(outcomes, contrast="at 34"), rope=(-0.1, 0.1), rng=0
    )
    assert (share[["share", "lower", "upper", "claimed"]].to_array() == 0).all()
    assert share.attrs["n_exact"] == share.attrs["n_predictors"] == 3


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_predictor_without_an_effect_has_the_limits_of_its_own_outcomes() -> None:
    """An oracle that reads none of the arms, beside one that does: its outcomes are 0
    and 1, and the same under each arm.
    """
    experiment = cg.experiments.position(RNA, "GCGCGC", at=[2, 34], n_units=60)
    sizes = {"none": 0.0, "some": 1.0}
    outcomes = {
        name: cg.run(
            experiment,
            cg.FunctionPredictor(
                lambda x, size=size: x[:, 0, 0] + size * x[:, 1, 34:36].sum(1),
                tasks=["z"],
                scale="z",
            ),
            rng=0,
        )
        for name, size in sizes.items()
    }
    found = across_predictors(outcomes, contrast="at 34")
    none = found.sel(contrast="none").squeeze()
    assert none["se"].item() == 0
    alone = cg.estimate(cg.contrast(outcomes["none"])).sel(contrast="at 34")
    np.testing.assert_allclose(none["lower"], alone["lower"].item(), rtol=1e-12)
    assert none["lower"].item() == -none["upper"].item() < 0


# ---------------------------------------------------------------- agreement of null models


def test_placebo_words_have_no_order_to_agree_on() -> None:
    """Four motifs in one order and forty placebos in any: tau is of the motifs."""
    rng = np.random.default_rng(0)
    marked = np.arange(44) >= 4
    tables = {
        name: cg.from_effects(
            np.r_[4.0, 3.0, 2.0, 1.0, rng.normal(0, 0.01, 40)], se=0.01
        ).assign_coords(is_placebo=("contrast", marked))
        for name in ("profile", "shuffle")
    }
    table = agreement(tables)
    assert table.sizes["contrast"] == 4
    assert table["tau"].min().item() == table["clear"].min().item() == 1


def test_effects_of_exactly_zero_under_every_null_model_overflow_nothing() -> None:
    """numpy's overflow is an error in the tests."""
    tables = {
        name: cg.from_effects([1.0, 0.5, 0.0], se=0.1).assign(
            se=(("contrast", "task"), [[0.1], [0.1], [0.0]])
        )
        for name in "abc"
    }
    table = agreement(tables)
    assert table["between_sd_upper"].sel(contrast=2).item() < 1e-12
    from causalgia.estimation._random_effects import random_effects

    fit = random_effects([0.0, 0.0, 0.0], np.full(3, 1e-170))
    assert (fit.tau2, fit.mean) == (0.0, 0.0)


# ---------------------------------------------------------------- trained networks


@pytest.mark.simulation
@pytest.mark.torch
def test_every_trained_network_prefers_a_loop_to_the_open_and_the_open_to_a_stem() -> (
    None
):
    experiment = cg.experiments.hairpin(RNA, "GCUGG", n_units=120)
    outcomes = cg.run(
        experiment,
        cg.zoo.ensemble("vts1_like", architecture="exponential"),
        rng=0,
        progress=False,
    )
    found = experiment.analyze(outcomes, rng=0).estimates
    assert found.sizes["model"] == 5
    assert (found["lower"].sel(contrast="motif x loop") > 0).all()
    assert (found["upper"].sel(contrast="motif x stem") < 0).all()

"""Imports annotate and validate from the inside: maps made by hand.

Averages of maps at aligned instances against sums by hand, their coverage, and the
logos of maps.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.attribution import average
from causalgia.errors import (
    DataError,
    DegenerateWarning,
)
from causalgia.schema import annotate, validate
from causalgia.sequences import encode, find_instances
from causalgia.sequences.motif_scores import Instances

pytestmark = pytest.mark.filterwarnings(
    "ignore:. clusters:causalgia.errors.DegenerateWarning"
)


def _maps(tokens, score, *, method="gradient", parent=None, se=None, models=None):
    n, length = tokens.shape
    dims = ("unit", "position", "base", "task", *(("model",) if models else ()))
    variables = {
        "score": (dims, score),
        "observed": (("unit", "position"), tokens),
        "answer": (
            ("unit", "task", *dims[4:]),
            np.zeros((n, score.shape[3], *score.shape[4:])),
        ),
    }
    if se is not None:
        variables["score_se"] = (dims, se)
    coords = {
        "unit": np.arange(n),
        "parent": ("unit", np.arange(n) if parent is None else parent),
        "position": np.arange(length),
        "base": list("ACGT"),
        "task": [f"t{k}" for k in range(score.shape[3])],
    }
    if models:
        coords["model"] = models
    attrs = {"method": method, "scale": "y", "n_baselines": 9}
    return validate(annotate(xr.Dataset(variables, coords, attrs)), "attributions")


@pytest.fixture
def maps():
    rng = np.random.default_rng(1)
    tokens = encode(["AAGATAAA", "GATAGATA", "TTTATCTT", "CCCCCCCC", "CGATACCC"])
    return _maps(
        tokens, rng.normal(size=(5, 8, 4, 2)), parent=["a", "a", "b", "c", "c"]
    )


def test_an_average_is_that_of_scores_read_along_the_motif(maps):
    score = maps["score"].to_numpy()
    found = [
        score[0, 2:6],
        score[1, 0:4],
        score[1, 4:8],
        score[2, 2:6][::-1, ::-1],
        score[4, 1:5],
    ]
    mean = average(maps, "GATA")
    np.testing.assert_allclose(mean["ace"], np.mean(found, 0).reshape(16, 2))
    assert mean["contrast"].values[:5].tolist() == ["0 A", "0 C", "0 G", "0 T", "1 A"]
    assert [int(mean[name].max()) for name in ("n_units", "n_clusters")] == [5, 3]
    assert not {"p", "log_p"} & set(mean.variables)
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.reshape(found, (5, 16, 2)))},
        {
            "contrast": range(16),
            "task": ["t0", "t1"],
            "parent": ("unit", ["a", "a", "a", "b", "c"]),
        },
    )
    for name in ("se", "df", "lower", "upper", "covariance"):  # clustered by the parent
        np.testing.assert_allclose(mean[name], cg.estimate(effects)[name])
    plus = average(maps, "GATA", both_strands=False)
    np.testing.assert_allclose(
        plus["ace"], np.mean([found[k] for k in (0, 1, 2, 4)], 0).reshape(16, 2)
    )


def starting_at(starts, width):
    """An instance in each sequence."""
    n = len(starts)
    strand = np.full(n, "+")
    return Instances(np.arange(n), np.array(starts), strand, np.zeros(n), width)


def test_ways_to_align_agree(maps):
    by_motif = average(maps, "GATA")
    instances = find_instances(maps["observed"].to_numpy(), "GATA")
    assert average(maps, instances).identical(by_motif)
    ungrouped = maps.assign_coords(parent=("unit", np.arange(5)))
    starts = average(ungrouped, starting_at([2, 0, 0, 0, 1], 3))
    expected = np.stack(
        [maps["score"].to_numpy()[k, s : s + 3] for k, s in enumerate([2, 0, 0, 0, 1])]
    )
    np.testing.assert_allclose(starts["ace"], expected.mean(0).reshape(12, 2))
    np.testing.assert_allclose(
        starts["se"], (expected.std(0, ddof=1) / 5**0.5).reshape(12, 2)
    )


def test_substitutions_are_centered_over_the_bases_and_positions_have_no_bases(maps):
    ism = average(maps.assign_attrs(method="ism"), "GATA")
    raw = average(maps, "GATA")["ace"].to_numpy().reshape(4, 4, 2)
    np.testing.assert_allclose(
        ism["ace"], (raw - raw.mean(1, keepdims=True)).reshape(16, 2), atol=1e-12
    )
    by_position = maps.assign(score=maps["score"].isel(base=2, drop=True)).drop_vars(
        "base"
    )
    alone = average(by_position, "GATA", both_strands=False)
    assert alone["contrast"].values.tolist() == ["0", "1", "2", "3"]
    np.testing.assert_allclose(
        alone["ace"], average(maps, "GATA", both_strands=False)["ace"][2::4]
    )


def test_members_have_averages_of_their_own(maps):
    score = np.stack([maps["score"], 2 * maps["score"]], -1)
    both = _maps(
        maps["observed"].to_numpy(),
        score,
        parent=maps["parent"].values,
        models=["m0", "m1"],
    )
    mean = average(both, "GATA")
    np.testing.assert_allclose(
        mean["ace"].sel(model="m1"), 2 * mean["ace"].sel(model="m0")
    )
    np.testing.assert_allclose(mean["se"].sel(model="m0"), average(maps, "GATA")["se"])


@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore:effects depend on the size")
def test_intervals_cover_with_instances_clustered_in_parents():
    """Parents of 1 to 3 sequences share a part of their scores; 40 parents, 500 trials,
    8 contrasts.
    """
    rng = np.random.default_rng(7)
    covered, n_trials = [], 500
    for _ in range(n_trials):
        parent = np.repeat(np.arange(40), rng.integers(1, 4, 40))
        shared = rng.normal(size=(40, 1, 4, 1))
        score = 1 + shared[parent] + rng.normal(size=(len(parent), 2, 4, 1))
        mean = average(
            _maps(np.zeros((len(parent), 2), np.uint8), score, parent=parent),
            starting_at([0] * len(parent), 2),
        )
        covered.append((mean["lower"] <= 1) & (mean["upper"] >= 1))
    rate = np.mean(covered)
    # positions share the parents' part
    assert abs(rate - 0.95) < 4.5 * np.sqrt(0.95 * 0.05 / (n_trials * 4))


def test_logos_of_maps_have_the_heights_and_bars_of_the_contributions(maps):
    tokens, score = maps["observed"].to_numpy(), maps["score"].to_numpy()
    with_se = _maps(
        tokens,
        np.stack([score, -score], -1),
        se=np.full((*score.shape, 2), 0.1),
        models=["a", "b"],
    )
    axes = cg.plot.map(
        with_se.sel(model="a").isel(position=slice(2, 6)), unit=1, task="t1"
    )
    bars = axes.collections[0].get_segments()
    height = np.take_along_axis(
        score[1, 2:6, :, 1], tokens[1, 2:6, None].astype(int), 1
    )[:, 0]
    np.testing.assert_allclose([bar[:, 1].mean() for bar in bars], height, atol=1e-12)
    # t(8)
    np.testing.assert_allclose(
        [np.ptp(bar[:, 1]) / 2 for bar in bars], 0.1 * 2.306004, rtol=1e-6
    )
    exact = cg.plot.map(maps, unit=0, task="t0")
    assert not exact.collections[0].get_segments()


def test_the_logo_of_an_average_has_a_bar_for_each_base(maps):
    mean = average(maps, "GATA")
    axes = cg.plot.logo(mean, task="t0")
    bars = axes.collections[0].get_segments()
    half = (mean["upper"] - mean["lower"]).sel(task="t0").to_numpy() / 2
    np.testing.assert_allclose([np.ptp(bar[:, 1]) / 2 for bar in bars], half, rtol=1e-9)
    assert len(axes.patches) == 16


def _effects(contrasts, task, effect):
    return cg.from_effects(
        pd.DataFrame(
            {"contrast": contrasts, "task": task, "effect": effect, "se": 0.001}
        )
    )


@pytest.fixture(scope="module")
def gated_trial():
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAGG", at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=100)
    with pytest.warns(DegenerateWarning):
        outcomes = cg.run(design, cg.zoo.oracle("gated"), rng=0, progress=False)
    return cg.contrast(outcomes, control="none")


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_site_of_an_or_gate_is_redundant_beside_the_other_one(gated_trial):
    gate, effect = cg.zoo.oracle("gated"), cg.estimate(gated_trial)
    between = "TCTCTTTCTCTC"
    maps = cg.attribute(
        [f"AGATAAGG{between}CCACACCC", f"AGATAAGG{between}CTCTCTCT"], gate
    )
    found = cg.attribution.against_trial(maps, effect, "AGATAAGG")
    assert found["flag"].sel(task="OR").values.tolist() == ["redundant", ""]
    assert found["flag"].sel(task="sum").values.tolist() == ["", ""]
    assert found["flag"].sel(task="AND").values.tolist() == ["no effect"] * 2
    np.testing.assert_allclose(found["share"].sel(task="OR"), [0, 1], atol=0.05)
    turned = cg.attribute([f"{between}CCTTATCTTTTTTTTT"] * 2, gate)
    assert cg.attribution.against_trial(turned, effect, "AGATAAGG")[
        "strand"
    ].values.tolist() == ["-", "-"]


@pytest.mark.parametrize("sign", [1, -1])
def test_copies_that_saturate_are_flagged_where_the_share_falls_below_a_quarter(sign):
    def copies(x):
        word = [("ACGT".index(base), i) for i, base in enumerate("GATA")]
        n = np.prod([x[:, b, i : x.shape[2] - 3 + i] for b, i in word], 0).sum(1)
        return sign * (1 - np.exp(-n))

    predictor = cg.FunctionPredictor(
        copies, tasks=["y"], scale="y", fingerprint="copies"
    )
    effect = _effects(["GATA"], "y", sign * (1 - np.exp(-1)))
    for n, flag in ((1, ""), (2, ""), (3, "saturated"), (4, "redundant")):
        maps = cg.attribute(["CC".join(["GATA"] * n) + "CCCC"], predictor)
        found = cg.attribution.against_trial(maps, effect, "GATA")
        expected = np.exp(-(n - 1))  # (e^-(n-1) - e^-n) / (1 - e^-1)
        np.testing.assert_allclose(found["share"].values[:, 0], expected, rtol=1e-5)
        assert set(found["flag"].values.ravel()) == {
            "" if expected > 0.25 else "saturated" if expected > 0.05 else flag
        }


@pytest.mark.filterwarnings("ignore:.*not vary at all")
def test_a_position_of_a_motif_has_an_interval_and_no_probability():
    maps = cg.attribute(
        cg.Uniform(length=41).sample(300, rng=0),
        cg.zoo.oracle("rbfox1_like"),
        method="ism",
    )
    mean = average(maps, "GCATG", both_strands=False)
    assert not [
        name for name in mean.data_vars if str(name).startswith(("p", "lfsr", "q"))
    ]
    together = cg.simultaneous(mean, method="dunnett")
    assert not [
        name for name in together.data_vars if str(name).startswith(("p", "lfsr", "q"))
    ]
    for call in (
        lambda: cg.decide(mean, rope=(-0.1, 0.1)),
        lambda: cg.decide(together, rope=(-0.1, 0.1)),
        lambda: cg.infer(mean, rng=0),
    ):
        with pytest.raises(DataError):
            call()

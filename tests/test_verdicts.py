# Imports from the inside: summaries of draws, regions and limits of R-hat, against
# counts and arviz.
"""Verdicts: their rules, their stated errors against simulated truth, and whatever may
be decided about.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    EstimateError,
)
from causalgia.estimation.effect_intervals import independent_draws
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.multiplicity.placebo import placebo_region
from causalgia.multiplicity.regions import (
    rope_region,
    select_tasks,
    tasks_that_vary,
)
from causalgia.posterior.posterior_tree import tree_datasets
from causalgia.ropes import Rope
from causalgia.schema import validate
from causalgia.verdicts import decide
from causalgia.verdicts.evidence import more_units

EFFECT = ("contrast", "task")
DRAWS = ("chain", "draw", "contrast", "task")


def verdicts(decisions: xr.Dataset) -> list[str]:
    return [str(v) for v in decisions["verdict"].values.ravel()]


def posterior(draws: np.ndarray, **groups: xr.Dataset) -> dict[str, xr.Dataset]:
    """A tree of draws (S, K) in four chains."""
    ace = np.asarray(draws).reshape(4, -1, draws.shape[1], 1)
    names = {"contrast": [f"c{k}" for k in range(draws.shape[1])], "task": ["K562"]}
    return {"posterior": xr.Dataset({"ace": (DRAWS, ace)}, coords=names), **groups}


def conjugate(
    rng: np.random.Generator, n: int, *, spike: float = 0.0, n_draws: int = 1000
) -> tuple[np.ndarray, Any]:
    """Truths from a spike and N(0, 1), estimates with se 1/2, and exact posterior
    draws, shape (n_draws, n).
    """
    truth = np.where(rng.random(n) < spike, 0.0, rng.normal(size=n))
    se = 0.5
    y = truth + se * rng.normal(size=n)
    shrink = 1 / (1 + se**2)
    alive = (1 - spike) * stats.norm.pdf(y, 0, np.sqrt(1 + se**2))
    p_spike = (
        spike * stats.norm.pdf(y, 0, se) / (spike * stats.norm.pdf(y, 0, se) + alive)
    )
    draws = shrink * y + np.sqrt(shrink) * se * rng.normal(size=(n_draws, n))
    return truth, np.where(rng.random((n_draws, n)) < p_spike, 0.0, draws)


# summaries of draws


@pytest.mark.simulation
def test_thousands_of_effects_are_small() -> None:
    draws = np.random.default_rng(0).normal(size=(4000, 3_000))
    tracemalloc.start()
    decide(posterior(draws), rope=(-0.1, 0.1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120 * 2**20


# stated errors against truth


@pytest.mark.simulation
@pytest.mark.parametrize("spike", [0.0, 0.6])
def test_an_lfsr_is_the_chance_of_a_wrong_sign(spike: float) -> None:
    truth, draws = conjugate(np.random.default_rng(12), 8000, spike=spike)
    found = decide(posterior(draws), rope=0)
    lfsr = found["lfsr"].values.ravel()
    sign = np.where((draws > 0).sum(axis=0) > (draws < 0).sum(axis=0), 1, -1)
    missed = np.sign(truth) != sign
    for low in np.arange(0, 1, 0.1):
        mine = (lfsr >= low) & (lfsr < low + 0.1)
        if mine.sum() > 50:
            band = 4 * np.sqrt(np.sum(lfsr[mine] * (1 - lfsr[mine])) + 1) / mine.sum()
            assert abs(missed[mine].mean() - lfsr[mine].mean()) < band


# what may be decided about


def test_decisions_are_of_their_kind() -> None:
    effect, se = np.array([1.38, 0.0, 0.12]), np.array([0.02, 0.02, 0.03])
    estimates = cg.from_effects(effect, se, names=["up", "none", "open"])
    found = decide(
        estimates.assign(n_units=(EFFECT, [[50], [50], [50]])), rope=(-0.1, 0.1)
    )
    validate(found, "decisions")
    assert verdicts(found) == ["increases", "negligible", "undecided"]
    z, n = stats.norm.ppf(0.975), 50
    more = int(np.ceil(n * (z * 0.03 / 0.02) ** 2 - n))
    assert found["more_units"].values.ravel().tolist() == [-1, -1, more]
    np.testing.assert_allclose(found["lower"].values.ravel(), effect - z * se)
    np.testing.assert_allclose(found["upper"].values.ravel(), effect + z * se)
    p = found["p"].values.ravel()
    np.testing.assert_allclose(p, 2 * stats.norm.sf(np.abs(effect) / se), rtol=1e-9)
    beyond = 2 * stats.norm.sf((effect - 0.1) / se)  # of directions
    inside = 2 * stats.norm.sf(0.1 / 0.02)
    own = found["p_verdict"].values.ravel()
    np.testing.assert_allclose(own, [beyond[0], inside, beyond[2]], rtol=1e-9)
    # "up" and "open" are open to a direction, "none" and "open" to negligible; a false
    # direction of a wide region lies on one side, as does a false negligible
    other = stats.norm.sf((effect + 0.1) / se)
    q = [2 * (beyond[0] / 2 + other[0]), inside, beyond[2] / 2 + other[2]]
    np.testing.assert_allclose(found["q"].values.ravel(), q, rtol=1e-9)
    # three effects are too few for a law
    assert not {"shrunken", "lfsr"} & set(found)
    assert found.attrs["ci_prob"] == 0.95
    assert found.attrs["error"] == "fdr"
    assert "caution" not in found.attrs
    assert float(found["rope_upper"][0, 0]) == 0.1


def test_rope_zero_asks_for_the_direction_alone() -> None:
    estimates = cg.from_effects([0.0, 1.0, -1.0], 0.1)
    found = decide(estimates, rope=0)
    assert verdicts(found) == ["undecided", "increases", "decreases"]
    assert "asks for the direction alone" in " ".join(cg.report(found).split())
    np.testing.assert_array_equal(found["p_verdict"], found["p"])
    np.testing.assert_allclose(
        found["q"].values.ravel(), stepwise(found["p"].values.ravel(), "bh")
    )


def test_rope_in_sd_of_the_control_arm() -> None:
    sd = (EFFECT, [[1.0], [5.0]])
    found = decide(
        cg.from_effects([0.5, 0.5], 0.05).assign(control_sd=sd), rope="0.2 sd"
    )
    assert verdicts(found) == ["increases", "negligible"]
    np.testing.assert_allclose(found["rope_upper"].values.ravel(), [0.2, 1.0])
    np.testing.assert_allclose(found["rope_lower"].values.ravel(), [-0.2, -1.0])
    assert found.attrs["rope"] == "0.2 sd of the control arm = ±0.2 to ±1"


def test_the_direction_of_a_ratio_is_about_1() -> None:
    effect, se = np.array([1.05, 1.5, 0.6]), 0.1
    ratios = cg.from_effects(effect, se).assign_attrs(null_value=1.0)
    found = decide(ratios, rope=0)
    assert verdicts(found) == ["undecided", "increases", "decreases"]
    assert (found["rope_lower"] == 1).all()
    assert (found["rope_upper"] == 1).all()
    p = 2 * stats.norm.sf(np.abs(effect - 1) / se)
    np.testing.assert_allclose(found["p"].values.ravel(), p)
    np.testing.assert_allclose(found["q"].values.ravel(), stepwise(p, "bh"))
    assert "above or below 1" in " ".join(cg.report(found).split())
    assert found.attrs["rope"] == "1"
    in_region = decide(ratios, rope=(0.9, 1.2))
    np.testing.assert_allclose(in_region["p"].values.ravel(), p)


def test_a_ratio_is_decided_about_1() -> None:
    rng = np.random.default_rng(0)
    control = rng.gamma(9, size=(60, 1)) + 5
    outcome = np.hstack([control, control * [1.0, 1.5] + rng.normal(size=(60, 2))])[
        :, :, None
    ]
    names = {"unit": np.arange(60), "arm": ["0", "same", "more"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), outcome)}, coords=names)
    effects = cg.contrast(outcomes, control="0", scale="ratio")
    # Holm's of the larger of two p, .02 to .05, is that p
    assert verdicts(decide(effects, rope=0, error="fwer")) == ["decreases", "increases"]
    in_sd = decide(cg.estimate(effects), rope="0.2 sd")
    half = 0.2 * (control.std(ddof=1) / control.mean())
    np.testing.assert_allclose(in_sd["rope_lower"], 1 - half)
    np.testing.assert_allclose(in_sd["rope_upper"], 1 + half)
    assert (
        in_sd.attrs["rope"]
        == f"0.2 sd of the control arm (relative to its mean) about 1 = ±{half:.4g}"
    )
    assert verdicts(in_sd) == ["negligible", "increases"]
    logs = cg.estimate(cg.contrast(outcomes, control="0", scale="log_of_means"))
    p = float(logs["p"][0, 0])
    assert 0.02 < p < 0.05
    assert verdicts(decide(logs, rope=0)) == ["decreases", "increases"]
    assert verdicts(decide(logs, rope=0, ci_prob=0.98)) == ["undecided", "increases"]


def test_a_function_of_means_has_no_sd_of_the_control() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal([1.0, 2.0, 2.0, 3.0], 0.1, size=(50, 4))[:, :, None]
    names = {"unit": np.arange(50), "arm": ["0", "b", "a", "ab"], "task": ["y"]}
    factors = {"A": ("arm", [0, 0, 1, 1]), "B": ("arm", [0, 1, 0, 1])}
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), cells)}, coords=names | factors
    )
    effects = cg.contrast(
        outcomes,
        interaction=["A", "B"],
        scale=lambda none, a, b, both: (both - a - b + none, a),
    )
    estimates = cg.estimate(effects)
    with pytest.raises(EstimateError):
        decide(estimates, rope="0.2 sd")
    assert (decide(estimates, rope=0)["rope_lower"] == 0).all()


def test_rope_of_placebo_words_by_estimates_and_by_a_posterior() -> None:
    rng = np.random.default_rng(3)
    # the clearer of two effects takes 79 words
    effect = np.r_[5.0, 0.1, rng.normal(0.5, 1.0, size=80)]
    estimates = cg.from_effects(effect, 0.2, names=[f"c{i}" for i in range(82)])
    estimates = estimates.assign_coords(is_placebo=("contrast", np.arange(82) > 1))
    found = decide(estimates, rope="placebo")
    region = placebo_region(estimates)
    assert found["rope_lower"].values[0] == region["lower"].item()
    assert verdicts(found)[:2] == ["increases", "within"]
    assert found["q"].values[0, 0] == pytest.approx(2 * 2 / 81)
    draws = posterior(effect + 0.1 * rng.normal(size=(400, 82)))
    names = {"contrast": estimates["contrast"], "task": ["K562"]}
    draws["observed_data"] = xr.Dataset(
        {"effect": (EFFECT, effect[:, None])}, coords=names
    )
    draws["constant_data"] = xr.Dataset(
        {
            "se": (EFFECT, np.full((82, 1), 0.2)),
            "is_placebo": ("contrast", np.arange(82) > 1),
        },
        coords=names,
    )
    drawn = decide(draws, rope="placebo")
    np.testing.assert_allclose(drawn["rope_upper"], found["rope_upper"])
    assert verdicts(drawn)[:2] == ["increases", "within"]
    assert drawn["ace"].values.ravel().tolist() == effect.tolist()
    for name in ("lower", "upper", "p"):
        np.testing.assert_allclose(drawn[name], found[name])


def test_placebo_words_do_not_pay_for_negligible_motifs() -> None:
    """Words are no rows of the table: q of the others is that without them."""
    rng = np.random.default_rng(5)
    effect = np.r_[rng.normal(0, 2.5, size=20), rng.normal(0, 1.0, size=799)]
    word = np.arange(819) >= 20
    estimates = cg.from_effects(effect, 0.4).assign_coords(
        is_placebo=("contrast", word)
    )
    whole = decide(estimates, rope="placebo", shrink=None)
    region = (whole["rope_lower"].values[0, 0], whole["rope_upper"].values[0, 0])
    ours = estimates.isel(contrast=~word)
    alone = decide(ours, rope=region, shrink=None)
    inside = (whole["verdict"] == "within").values[:20]
    assert inside.sum() > 3
    np.testing.assert_allclose(
        whole["q"].values[:20][inside], alone["q"].values[inside]
    )
    placebos = decide(estimates.isel(contrast=word), rope=region, shrink=None)
    within = (whole["verdict"] == "within").values[20:]
    assert within.sum() > 10
    np.testing.assert_allclose(
        whole["q"].values[20:][within], placebos["q"].values[within]
    )
    # as effects like any other they would change it
    together = decide(estimates.drop_vars("is_placebo"), rope=region, shrink=None)
    assert (together["q"].values[:20][inside] != alone["q"].values[inside]).any()


def test_a_rope_for_each_task() -> None:
    two = xr.Dataset(
        {"ace": (EFFECT, [[1.0, 1.0]]), "se": (EFFECT, [[0.1, 0.1]])},
        coords={"contrast": ["a"], "task": ["x", "y"]},
    )
    assert verdicts(decide(two, rope={"x": (-0.1, 0.1), "y": (-2, 2)})) == [
        "increases",
        "negligible",
    ]


def test_an_exact_effect_is_decided_by_its_point() -> None:
    """The end of the region belongs to it. Units that answer alike may all have missed
    what others of their population do, and a column says how large that would be.
    """
    ace = np.array([[2.0], [0.0], [0.1], [-0.2]])
    exact = xr.Dataset(
        {"ace": (EFFECT, ace), "se": (EFFECT, 0 * ace), "df": (EFFECT, 0 * ace + 9)}
    )
    exact = exact.assign(exact=(EFFECT, np.full((4, 1), True)))
    found = decide(exact, rope=(-0.1, 0.1))
    assert verdicts(found) == ["increases", "negligible", "negligible", "decreases"]
    assert found["more_units"].values.ravel().tolist() == [-1, -1, -1, -1]
    assert found["exact"].all()
    assert found["p"].values.ravel().tolist() == [0, 1, 0, 0]
    assert (found["p_verdict"] == 0).all()
    np.testing.assert_array_equal(found["lower"], ace)
    np.testing.assert_array_equal(found["upper"], ace)
    assert found["reversal"].isnull().all()
    units = exact.assign(n_units=(EFFECT, np.full((4, 1), 100)))
    sampled = decide(units, rope=(-0.1, 0.1))
    assert verdicts(sampled) == verdicts(found)
    np.testing.assert_array_equal(sampled["lower"], ace)
    s0 = 1 - 0.05 ** (1 / 100)
    size = [2 - 1.9 / s0, 0.1 / s0, 0.1, -0.2 + 0.1 / s0]
    np.testing.assert_allclose(sampled["reversal"].values.ravel(), size)
    stated = decide(units, rope=(-0.1, 0.1), largest=2.0)
    assert verdicts(stated) == ["increases", "negligible", "undecided", "decreases"]
    p = [1 - (2 - 0.1) / 4, 1 - 0.1 / 2, 1, 1 - 0.1 / 2.2]
    np.testing.assert_allclose(stated["p_verdict"].values.ravel(), np.power(p, 100))
    with pytest.raises(EstimateError):
        decide(units.assign_attrs(target="units"), rope=(-0.1, 0.1))


def test_a_ratio_without_bounds_is_undecided() -> None:
    one = cg.from_effects([5.0], [0.1]).assign(unbounded=(EFFECT, [[True]]))
    found = decide(one, rope=(-1, 1))
    assert verdicts(found) == ["undecided"]
    assert [found["lower"].item(), found["upper"].item()] == [-np.inf, np.inf]
    validate(found, "decisions")


def test_an_open_end_lies_in_no_region() -> None:
    rng = np.random.default_rng(4)
    y = np.stack([rng.normal(0.3, 1, size=30), rng.normal(3, 1, size=30)], axis=1)[
        :, :, None
    ]
    names = {"unit": np.arange(30), "arm": ["0", "a"], "task": ["y"]}
    outcomes = xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, coords=names)
    effects = cg.contrast(outcomes, control="0", scale="ratio")
    wide = (0, 1e9)
    assert verdicts(decide(effects, rope=wide, error="fwer")) == ["undecided"]
    assert verdicts(decide(cg.estimate(effects), rope=wide)) == ["undecided"]


def test_groups_are_joined_by_names() -> None:
    letters = list("abcdefghijkl")
    estimates = cg.from_effects(
        [0.0, 3.0, -3.0, 0.1, *np.linspace(-1, 1, 8)],
        np.linspace(0.1, 0.4, 12),
        names=letters,
    )
    estimates = estimates.assign(n_units=(EFFECT, np.arange(50, 62)[:, None]))
    tree = tree_datasets(cg.infer(estimates, rng=0))
    whole = decide(tree, rope=(-0.3, 0.3))
    for pick in (letters[::-1], list("lkcjahibdf")):
        part = decide(
            tree | {"posterior": tree["posterior"].sel(contrast=pick)}, rope=(-0.3, 0.3)
        )
        for name in ("ace", "shrunken", "lfsr", "se", "n_units", "verdict"):
            np.testing.assert_array_equal(
                part[name], whole[name].sel(contrast=pick), err_msg=name
            )
    named = [*letters[:-1], "x"]
    other = tree | {"posterior": tree["posterior"].assign_coords(contrast=named)}
    with pytest.raises(EstimateError):
        decide(other, rope=0)
    with pytest.raises(EstimateError):
        decide({"posterior": other["posterior"]}, rope=0)
    alike = tree["posterior"].isel(contrast=[1, 0, *range(2, 12)])
    same = {
        name: group.assign_coords(contrast=["a", *letters[:-1]])
        for name, group in tree.items()
    }
    turned = alike.assign_coords(contrast=["a", "b", "a", *letters[2:-1]])
    with pytest.raises(EstimateError):
        decide(same | {"posterior": turned}, rope=0)
    one = tree["posterior"].isel(task=0)
    for group in (one, one.drop_vars("task")):
        xr.testing.assert_allclose(
            decide(tree | {"posterior": group}, rope=(-0.3, 0.3)).drop_vars("task"),
            whole.drop_vars("task"),
        )
    single = {name: group.isel(task=0) for name, group in tree.items()}
    xr.testing.assert_identical(decide(single, rope=(-0.3, 0.3)), whole)
    nameless = tree["posterior"].isel(contrast=[0, 1]).drop_vars("contrast")
    with pytest.raises(EstimateError):
        decide(tree | {"posterior": nameless}, rope=0)


def test_a_frame_is_one_call() -> None:
    frame = pd.DataFrame({"effect": [0.0, 3.0], "se": [0.1, 0.1]}, index=["a", "b"])
    assert verdicts(cg.decide(frame, rope=(-1, 1))) == ["negligible", "increases"]
    noisy = pd.DataFrame(
        {
            "effect": np.random.default_rng(0).normal(size=50),
            "se": 0.1,
            "is_placebo": True,
        }
    )
    assert cg.decide(noisy, rope="placebo").sizes["contrast"] == 50


def test_models_are_rows_of_one_table() -> None:
    dims = (*EFFECT, "model")
    two = xr.Dataset(
        {"ace": (dims, [[[0.0, 3.0, 1.21]]]), "se": (dims, [[[0.1, 0.1, 0.1]]])},
        coords={"model": ["a", "b", "c"]},
    )
    found = decide(two, rope=(-1, 1))
    assert verdicts(found) == ["negligible", "increases", "increases"]
    p = stats.norm.sf([20.0, 2.1]) + stats.norm.sf([40.0, 22.1])
    np.testing.assert_allclose(found["q"].values.ravel()[1:], stepwise(p, "bh"))


def test_saved_decisions_come_back(tmp_path: Path) -> None:
    found = decide(cg.from_effects([0.0, 3.0], 0.1, names=["a", "b"]), rope=(-1, 1))
    cg.store.save(found, tmp_path / "decisions.nc")
    assert verdicts(cg.store.load(tmp_path / "decisions.nc", "decisions")) == [
        "negligible",
        "increases",
    ]


def clustered_effects(k: int = 4) -> xr.Dataset:
    rng = np.random.default_rng(0)
    ice = (
        rng.exponential(size=(80, k, 2))
        - 1
        + np.linspace(-1, 1, k)[:, None]
        + np.repeat(rng.normal(size=40), 2)[:, None, None] * 0.3
    )
    names = {"contrast": [f"c{i}" for i in range(k)], "task": ["x", "y"]}
    parent = ("unit", np.repeat(np.arange(40), 2))
    return xr.Dataset(
        {"ice": (("unit", *EFFECT), ice)}, coords={**names, "parent": parent}
    ).assign_coords(motif=("contrast", np.arange(k) % 2))


@pytest.mark.parametrize(
    "ask", [{}, {"cluster": "none"}, {"family": "task"}, {"family": "motif"}]
)
def test_effects_are_decided_by_holm_as_their_estimates_are(
    ask: dict[str, str],
) -> None:
    """Any direction or negligible of a family, over both p of each of its rows."""
    effects, of = clustered_effects(), {"rope": (-0.3, 0.3), "error": "fwer"}
    found = decide(effects, ci_prob=0.9, **of, **ask)  # type: ignore[arg-type]
    cluster = ask.get("cluster", "auto")
    estimates = cg.estimate(effects, ci_prob=0.9, cluster=cluster)
    family = {key: x for key, x in ask.items() if key != "cluster"}
    xr.testing.assert_identical(found, decide(estimates, **of, **family))  # type: ignore[arg-type]
    for name in ("lower", "upper"):  # no other row is in an interval
        np.testing.assert_array_equal(found[name], estimates[name])
    assert {"increases", "decreases", "undecided"} <= set(verdicts(found))


def test_fwer_is_holm_over_both_p_of_all_rows_for_effects_as_for_estimates() -> None:
    """Of units in clusters, too: one estimate, the intervals of each effect, one
    warning; and no draws, whatever the seed.
    """
    ice = np.random.default_rng(4).exponential(1.0, (60, 3))[..., None]
    effects = xr.Dataset(
        {"ice": (("unit", *EFFECT), ice - 1.0)},
        coords={"parent": ("unit", np.arange(60) // 3)},
    )
    estimates = cg.estimate(effects)
    found = decide(effects, rope=(-0.2, 0.2), error="fwer")
    with pytest.warns(DeprecationWarning, match="rng"):
        seeded = decide(effects, rope=(-0.2, 0.2), error="fwer", rng=3)
    of_estimates = decide(estimates, rope=(-0.2, 0.2), error="fwer")
    for name in ("verdict", "q", "p_verdict", "lower", "upper"):
        np.testing.assert_array_equal(found[name], of_estimates[name])
        np.testing.assert_array_equal(found[name], seeded[name])
    np.testing.assert_array_equal(found["lower"], estimates["lower"])
    assert "band" not in found.attrs
    direction = decide(estimates, rope=0, error="fwer")
    p = estimates["p"].values.ravel()  # no other is asked for
    np.testing.assert_allclose(direction["q"].values.ravel(), stepwise(p, "holm"))


def test_a_family_is_decided_by_itself() -> None:
    effect, word = (
        np.r_[np.full(5, 9.0), 2.3, np.zeros(54)],
        ("contrast", np.arange(60) >= 6),
    )
    estimates = cg.from_effects(effect, 1.0).assign_coords(word=word)
    whole, apart = (
        decide(estimates, rope=0, family=family, shrink=None)
        for family in (None, "word")
    )
    alone = decide(estimates.isel(contrast=slice(0, 6)), rope=0)
    assert (verdicts(whole)[5], verdicts(apart)[5]) == ("undecided", "increases")
    p = 2 * stats.norm.sf(2.3)
    assert whole["q"].values[5, 0] == pytest.approx(p * 60 / 6)
    assert apart["q"].values[5, 0] == pytest.approx(p)
    np.testing.assert_allclose(apart["q"][:6], alone["q"])


def test_the_whole_way_from_units_to_verdicts() -> None:
    rng = np.random.default_rng(1)
    truth = np.r_[np.zeros(30), 1.0, -1.0]
    estimates = cg.from_effects(truth + 0.05 * rng.normal(size=32), 0.05)
    post = cg.infer(estimates, rng=0)
    found = decide(post, rope=(-0.3, 0.3))
    assert verdicts(found) == ["negligible"] * 30 + ["increases", "decreases"]
    np.testing.assert_array_equal(found["ace"], estimates["ace"])
    np.testing.assert_array_equal(found["lower"], estimates["lower"])
    np.testing.assert_array_equal(found["shrunken"], post["moments"]["mean"])
    assert found.attrs["error"] == "fdr"


def screen_of_kmers(n_placebos: int, true: np.ndarray, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    effect = np.concatenate(
        [0.3 * rng.standard_t(4, n_placebos), true]
    ) + 0.1 * rng.normal(size=n_placebos + true.size)
    table = cg.from_effects(effect, 0.1)
    return table.assign_coords(
        is_placebo=("contrast", np.arange(effect.size) < n_placebos)
    )


@pytest.mark.parametrize("se", [0.1, 0.002])
def test_new_placebo_words_are_not_discovered(se: float) -> None:
    """Words of the placebos' own law: 5 % lie outside their region by its making, and
    none is to be discovered, however exactly each is known to lie where it does.
    """
    rng, false = np.random.default_rng(0), 0
    for _ in range(40):
        effect = 0.3 * rng.standard_t(4, 409) + se * rng.normal(size=409)
        table = cg.from_effects(effect, se).assign_coords(
            is_placebo=("contrast", np.arange(409) < 399)
        )
        found = decide(table, rope="placebo", shrink=None)
        false += bool(np.isin(verdicts(found)[399:], ["increases", "decreases"]).any())
    assert false <= stats.binom.ppf(0.999, 40, 0.05)


def test_planted_effects_are_told_from_words() -> None:
    """Five of ten rows: of 399 words 2 / 400 times 10 / 5."""
    planted = np.array([4.0] * 5 + [0.0] * 5)
    found = decide(screen_of_kmers(399, planted), rope="placebo", shrink=None)
    assert set(verdicts(found)[399:404]) == {"increases"}
    np.testing.assert_allclose(found["q"].values[399:404], 2 * 2 / 400)


def test_a_task_of_which_one_predictor_stands_still_has_no_rope_in_sd() -> None:
    sd = xr.DataArray(
        [[[1.0, 0.0], [1.0, 1.0]]],
        dims=(*EFFECT, "model"),
        coords={"task": ["K562", "HepG2"]},
    )
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd")) == [
        "HepG2"
    ]


def test_a_task_that_is_left_out_is_left_out_of_the_table() -> None:
    table = xr.Dataset({"ace": (EFFECT, [[1.0, 2.0]])}, {"task": ["K562", "dead"]})
    assert select_tasks(table, ["K562"])["task"].values.tolist() == ["K562"]
    assert select_tasks(table, ["K562", "dead"]) is table


def test_a_region_in_numbers_needs_no_control_that_varies() -> None:
    sd = xr.DataArray([[0.0, 1.0]], dims=EFFECT, coords={"task": ["K562", "HepG2"]})
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse((-0.1, 0.1))) == [
        "K562",
        "HepG2",
    ]
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd")) == [
        "HepG2"
    ]


def test_without_units_no_number_of_more_units_is_known() -> None:
    table = cg.from_effects([1.0, 0.0, 0.1], [0.1, 0.5, 0.5])
    assert decide(table, rope=(-0.1, 0.1))["more_units"].values.ravel().tolist() == [
        -1,
        -1,
        -1,
    ]


def test_draws_are_those_of_the_smallest_arm() -> None:
    """Where units do not have every arm; else all, and units of a parent are one."""
    table = xr.Dataset(
        {
            "ace": ("contrast", [1.0, 2.0]),
            "n_units": ("contrast", [600, 90]),
            "n_clusters": ("contrast", [60, 9]),
            "n_smallest_arm": ("contrast", [20, 4]),
        }
    )
    assert independent_draws(table).tolist() == [20, 4]
    crossed = table.drop_vars("n_smallest_arm")
    assert independent_draws(crossed).tolist() == [60, 9]
    assert independent_draws(crossed.drop_vars("n_clusters")).tolist() == [600, 90]
    # a bound of 9 and an interval that ends .804 from that of the region: 36 draws
    assert np.ceil(np.log(0.05) / np.log1p(-0.804 / 8.804)) == 32
    for n, verdict in ((32, "negligible"), (31, "undecided")):
        one = cg.from_effects([0.0], 0.1).assign(n_smallest_arm=(EFFECT, [[n]]))
        found = decide(one, rope=(-1, 1), largest=9.0)
        assert verdicts(found) == [verdict]


def test_a_control_that_varies_in_one_task_alone_sets_no_rope_in_sd() -> None:
    sd = np.array([[1.0, 0.5], [1.0, 0.0]])
    effects = xr.Dataset(
        {"ace": (EFFECT, sd), "control_sd": (EFFECT, sd)},
        {"task": ["x", "y"], "contrast": ["a", "b"]},
    )
    found = rope_region(Rope.parse("0.2 sd", 1.0), effects.isel(contrast=[0]), 1.0)
    np.testing.assert_allclose([found.lower, found.upper], [[[0.8, 0.9]], [[1.2, 1.1]]])


def test_decisions_keep_the_coordinates_of_their_own_dims_alone() -> None:
    names = {"contrast": ["a", "b"], "task": ["x"], "arm": ["a", "b", "c"]}
    table = xr.Dataset(
        {"ace": (EFFECT, [[1.0], [0.0]]), "se": (EFFECT, [[0.1], [0.1]])}, names
    )
    table["covariance"] = (
        ("contrast", "contrast_", "task"),
        0.01 * np.eye(2)[:, :, None],
    )
    table = table.assign_coords(
        contrast_=["a", "b"],
        twin=("contrast_", [1, 2]),
        site=("place", [3, 4]),
        motif=("contrast", ["m", "n"]),
    )
    found = decide(table.assign_coords(copies=("arm", [0, 1, 2])), rope=(-0.5, 0.5))
    assert set(found.coords) == {"contrast", "task", "arm", "copies", "motif"}
    assert set(found.dims) == {"contrast", "task", "arm"}


def test_without_spread_or_distance_no_number_of_units_is_known() -> None:
    n = np.full(4, 100)
    assert more_units(
        np.array([0.0, 1.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.1]), n, z=2.0
    ).tolist() == [-1, -1, 300, 1]


@pytest.mark.parametrize("side", [1, -1])
def test_a_floor_as_wide_as_the_region_leaves_no_room(
    side: int,
) -> None:
    """Zero within rounding: its interval is as wide as the floor f, so that a region
    (-a, b) has room for it where f < a and f < b.
    """
    table = xr.Dataset(
        {
            name: (EFFECT, [[value]])
            for name, value in {"ace": side * 1e-9, "se": 1e-12, "floor": 1e-6}.items()
        }
        | {"n_units": (EFFECT, [[5_000]])},
        coords={"contrast": ["a"], "task": ["y"]},
    )
    for rope in ((-1e-6, 1e-6), (-9e-7, 1e-5), (-1e-5, 9e-7), (-1e-5, 1e-5)):
        tested = decide(table, rope=rope)
        # ends are 1e-6 away
        assert verdicts(tested) == (
            ["negligible"] if rope == (-1e-5, 1e-5) else ["undecided"]
        )
        assert (tested["lower"].item(), tested["upper"].item()) == pytest.approx(
            (-1e-6, 1e-6), rel=0.01
        )
        draws = np.full((40_000, 1), side * 1e-9) * (
            1 + 1e-6 * np.random.default_rng(0).normal(size=(40_000, 1))
        )
        names = {"contrast": ["c0"], "task": ["K562"]}
        beside = {"floor": (EFFECT, [[1e-6]]), "se": (EFFECT, [[1e-12]])}
        observed = xr.Dataset({"effect": (EFFECT, [[side * 1e-9]])}, coords=names)
        tree = posterior(
            draws,
            constant_data=xr.Dataset(beside, coords=names),
            observed_data=observed,
        )
        drawn = decide(tree, rope=rope)
        assert verdicts(drawn) == verdicts(tested)
        assert drawn["lfsr"].item() == 1


def test_a_task_varies_where_the_control_of_any_contrast_does() -> None:
    sd = xr.DataArray(
        [[0.0, 0.0], [1.0, 0.0]], dims=EFFECT, coords={"task": ["K562", "HepG2"]}
    )
    assert tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd")) == [
        "K562"
    ]


@pytest.mark.parametrize("sd", [[[1.0, 2.0], [1.0, 3.0]], [[4.0, 2.0, 3.0, 1.0]]])
def test_half_widths_of_a_ratio_lie_about_1(sd: list[list[float]]) -> None:
    values = np.array(sd)
    tasks = [f"t{i}" for i in range(values.shape[1])]
    table = xr.Dataset(
        dict.fromkeys(("ace", "control_sd"), (EFFECT, values)), coords={"task": tasks}
    )
    found = rope_region(Rope.parse("0.5 sd", 1.0), table, 1.0)
    np.testing.assert_allclose(
        [found.lower, found.upper], [1 - values / 2, 1 + values / 2]
    )

"""Regions of practical equivalence: every form in every verb, with the same ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.multiplicity.regions import rope_region
from causalgia.ropes import Rope

ENDS = {"K562": (-0.1, 0.1), "HepG2": (-0.05, 0.2)}


FORMS: dict[str, Any] = {
    "two numbers": (-0.1, 0.1),
    "direction": 0,
    "sd": "0.2 sd",
    "by task": ENDS,
    "placebo": "placebo",
    "placebo outliers": "placebo outliers",
}


CONTROL = "none"


@cache
def outcomes() -> xr.Dataset:
    arms = {"none": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
    arms |= cg.placebos("AGATAAG", at=20, n_placebos=40)
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=400)
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=1)


@cache
def effects() -> xr.Dataset:
    return cg.contrast(outcomes(), control=CONTROL)


@cache
def estimates() -> xr.Dataset:
    return cg.estimate(effects())


def ends_of(found: xr.Dataset) -> np.ndarray:
    one = found.sel(contrast="GATA1")
    return np.array([one[f"rope_{side}"].to_numpy() for side in ("lower", "upper")])


VERBS: dict[str, Callable[[Any], np.ndarray]] = {
    "decide estimates": lambda rope: ends_of(cg.decide(estimates(), rope=rope)),
    "decide effects": lambda rope: ends_of(cg.decide(effects(), rope=rope)),
    "analyze": lambda rope: ends_of(
        cg.analyze(outcomes(), cg.Analysis(control=CONTROL, rope=rope))
    ),
    "moderation": lambda rope: ends_of(cg.moderation(effects(), (), rope=rope)),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("form", FORMS)
def test_a_region_has_the_same_ends_in_every_verb(form: str, verb: str) -> None:
    region = rope_region(Rope.parse(FORMS[form]), estimates(), 0.0)
    row = estimates()["contrast"].to_numpy().tolist().index("GATA1")
    stated = np.array([region.lower[row], region.upper[row]])
    np.testing.assert_allclose(VERBS[verb](FORMS[form]), stated, rtol=1e-12)


@pytest.mark.simulation
@pytest.mark.parametrize("form", FORMS)
def test_a_plan_takes_every_form(form: str) -> None:
    two = estimates().isel(contrast=[0, 1])
    assert "GATA1" in two["contrast"]
    plan = cg.sample_size(
        two if "placebo" not in form else estimates(), rope=FORMS[form]
    )
    assert (plan["n_units"].sel(contrast="GATA1") > 0).all()


@pytest.mark.simulation
@pytest.mark.parametrize("form", FORMS)
def test_a_tipping_point_takes_every_form(form: str) -> None:
    tipping = cg.tipping_point(
        outcomes(), control=CONTROL, contrast="GATA1", rope=FORMS[form]
    )
    one = cg.decide(estimates(), rope=FORMS[form]).sel(contrast="GATA1")
    at_0 = tipping["tilted_verdict"].sel(shift=0.0, contrast="GATA1")
    assert at_0.to_numpy().tolist() == one["verdict"].to_numpy().tolist()


@pytest.mark.parametrize("form", FORMS)
def test_a_rule_that_stops_takes_the_forms_that_need_no_data(form: str) -> None:
    asked = Rope.parse(FORMS[form])
    if asked.is_fixed:
        rule = cg.Decided(rope=FORMS[form], control=CONTROL)
        record = rule.look(outcomes()).record
        assert set(record["task"].to_numpy()) == set(ENDS)
        assert eval(repr(rule), {"Decided": cg.Decided}) == rule
    else:
        with pytest.raises(EstimateError):
            cg.Decided(rope=FORMS[form], control=CONTROL)


def test_each_task_is_monitored_against_its_own_region() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 2, 1))
    gain = np.array([0.0, 0.5]) + rng.normal(0, 0.3, size=(600, 2))
    values = np.concatenate([base, base + gain[:, :, None]], axis=2)
    frame = xr.DataArray(
        values,
        dims=("unit", "task", "arm"),
        coords={"unit": np.arange(600), "task": ["a", "b"], "arm": ["none", "GATA1"]},
    )
    table = frame.to_series().rename("outcome").reset_index()
    measured = cg.from_frame(
        table, unit="unit", arm="arm", task="task", outcome="outcome"
    )

    def look(region: tuple[float, float]) -> Any:
        ends = {"a": (-1.0, 1.0), "b": region}
        return cg.Decided(rope=ends, control="none", min_clusters=100).look(measured)

    assert look((-1.0, 1.0)).stop
    assert look((-0.1, 0.1)).stop
    assert not look((-0.1, 0.5)).stop


def test_a_region_is_stored_as_it_was_given() -> None:
    for form in FORMS.values():
        asked = Rope.parse(form)
        assert Rope.parse(asked) is asked
        assert Rope.parse(asked.value) == asked
        given, parsed = (cg.Analysis(control="c", rope=x) for x in (form, asked))
        assert given == parsed


def test_a_plan_takes_an_array_of_ends() -> None:
    ends = xr.DataArray([-0.1, 0.1])
    assert cg.Analysis(control="c", rope=ends).rope == (-0.1, 0.1)  # type: ignore[arg-type]

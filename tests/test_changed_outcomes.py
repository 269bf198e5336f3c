"""Outcomes that a user changed are on no known scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg

ARMS = {
    "none": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA1": cg.Embed("AGATAAG", at=20),
}
ORACLE = cg.zoo.oracle("gata1_like")


GRADED = cg.FunctionPredictor(
    lambda x: x[:, 0, 20:24] @ [1, 2, 3, 4.0] * x[:, 2].sum(1) * 0.1,
    tasks=["y"],
    scale="n",
)


def outcomes(assignment="crossover", network=ORACLE, store=None) -> xr.Dataset:
    design = cg.Design(
        null=cg.Uniform(length=41),
        arms=ARMS,
        n_units=60,
        contrasts="none",
        assignment=assignment,
    )
    return cg.run(design, network, rng=0, store=store, progress=False)


def scale_of(changed: xr.Dataset) -> str:
    return cg.contrast(changed, control="none").attrs["contrast_scale"]


@pytest.mark.parametrize("assignment", ["crossover", "parallel"])
@pytest.mark.parametrize(
    "kept", [slice(7, None), slice(20), np.flatnonzero(np.arange(60) % 3)]
)
def test_units_that_were_left_out_are_a_selection_of_those_drawn(
    assignment, kept
) -> None:
    drawn = outcomes(assignment, GRADED)
    some = drawn.isel(unit=kept)
    of = f"{some.sizes['unit']} of the 60 drawn"

    def texts(of: xr.Dataset) -> list[str]:
        effects = cg.contrast(of, control="placebo")
        decided = cg.decide(cg.estimate(effects), rope=(-0.1, 0.1))
        found = [of, decided, cg.analyze(of, rope=0)]
        if assignment == "crossover":
            found.append(cg.moderation(effects))
        methods = cg.report(decided, as_="methods")
        return [*(cg.report(x, notes=True) for x in found), methods]

    for text in texts(some):
        assert of in " ".join(text.split())
    for text in texts(drawn):
        assert "selection" not in text


def test_a_trial_that_its_rule_stopped_is_no_selection() -> None:
    design = cg.Design(
        null=cg.Uniform(length=41), arms=ARMS, n_units=2000, contrasts="placebo"
    )
    rule = cg.Decided(rope=0, control="placebo")
    found = cg.run(design, GRADED, rng=0, until=rule, progress=False)
    n = found.sizes["unit"]
    assert n < 2000

    def told(of: xr.Dataset) -> str:
        return cg.report(cg.estimate(cg.contrast(of, control="placebo")), notes=True)

    assert "selection" not in told(found)
    # a prefix that no rule chose is one
    assert f"99 of the {n} drawn" in " ".join(told(found.isel(unit=slice(99))).split())


def doubled(found: xr.Dataset) -> xr.Dataset:
    with xr.set_options(keep_attrs=True):
        return found.assign(outcome=2 * found["outcome"])


@pytest.mark.parametrize(
    "selected",
    [
        {},
        {"unit": slice(7)},
        {"unit": [5, 3, 0]},
        {"task": [1]},
        {"arm": [2, 0]},
        {"arm": [0, 2], "task": [0], "unit": slice(30)},
    ],
)
def test_a_selection_keeps_the_scale_and_arithmetic_does_not(selected) -> None:
    found = outcomes().isel(selected)
    assert scale_of(found) == "log2 activity"
    changed = cg.contrast(doubled(found), control="none")
    assert "log2" not in changed.attrs["contrast_scale"]
    assert "floor" not in changed
    np.testing.assert_allclose(
        changed["ice"], 2 * cg.contrast(found, control="none")["ice"]
    )


def test_it_is_seen_however_it_was_done() -> None:
    whole, place, where = outcomes(), outcomes(), outcomes()
    with xr.set_options(keep_attrs=True):
        whole = 2 * whole
        mapped = outcomes().map(np.exp2)
    place["outcome"].values[...] += 1
    where["outcome"] = where["outcome"].clip(max=0.5)
    for changed in (whole, mapped, place, where):
        assert "log2" not in scale_of(changed)


def test_it_is_seen_in_parallel_arms_on_disk_and_in_files(tmp_path: Path) -> None:
    for found in (
        outcomes(assignment="parallel"),
        outcomes(store=tmp_path / "trial.zarr"),
        cg.open(tmp_path / "trial.zarr"),
        cg.store.load(cg.store.save(outcomes(), tmp_path / "outcomes.nc"), "outcomes"),
    ):
        assert scale_of(found) == "log2 activity"
        assert "log2" not in scale_of(doubled(found))


def test_a_table_is_measured_on_what_its_user_says() -> None:
    table = pd.DataFrame(
        {"unit": [0, 0, 1, 1, 2, 2], "arm": ["a", "b"] * 3, "y": [1.0, 3, 2, 4, 3, 9]}
    )
    found = cg.from_frame(table, outcome="y", arm="arm", unit="unit", scale="mmHg")
    assert cg.contrast(found, control="a").attrs["contrast_scale"] == "mmHg"
    changed = found.assign(outcome=found["outcome"] ** 2)
    assert cg.contrast(changed, control="a").attrs["contrast_scale"] != "mmHg"

"""Imports row_blocks from the inside: weights that are not written out.

Contrasts of very many arms: their weights are not written out, and every verb gives
what it gives of few.
"""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia import store
from causalgia.numerics import row_blocks
from causalgia.numerics.row_blocks import extremes, is_lazy, weights_of


def outcomes(n_arms: int, n_units: int = 12) -> xr.Dataset:
    rng = np.random.default_rng(0)
    values = (
        rng.standard_normal((n_units, n_arms, 1)) + np.linspace(0, 3, n_arms)[:, None]
    )
    kind = np.where(np.arange(n_arms) % 3 == 1, "fixed_placebo", "embed")
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), values)},
        coords={
            "arm": [f"a{i}" for i in range(n_arms)],
            "task": ["t"],
            "kind": ("arm", kind),
            "motif": ("arm", [f"m{i % 4}" for i in range(n_arms)]),
        },
        attrs={"scale": "outcome"},
    )


@pytest.fixture
def both(monkeypatch):
    """Effects of 60 arms, with weights written out and not."""
    asked = {"control": "a0"}
    whole = cg.contrast(outcomes(60), **asked)
    monkeypatch.setattr(row_blocks, "MOST_WEIGHTS", 100)
    monkeypatch.setattr(row_blocks, "_WEIGHTS_BLOCK", 480)
    lazy = cg.contrast(outcomes(60), **asked)
    assert is_lazy(lazy["weight"])
    assert not is_lazy(whole["weight"])
    return whole, lazy


@pytest.mark.simulation
def test_contrasts_of_65_536_arms_take_less_than_a_gib():
    given = outcomes(65_536, 3)
    tracemalloc.start()
    try:
        estimates = cg.estimate(cg.contrast(given, control="a0"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**30
    assert estimates["weight"].shape == (65_535, 65_536)
    assert weights_of(estimates).nnz == 2 * 65_535
    assert estimates["weight"][5, :8].values.tolist() == [-1, 0, 0, 0, 0, 0, 1, 0]


def test_every_verb_gives_the_same(both):
    whole, lazy = both
    xr.testing.assert_identical(lazy.compute(), whole)
    one, other = cg.estimate(whole), cg.estimate(lazy)
    assert is_lazy(other["weight"])
    xr.testing.assert_identical(other.compute(), one)
    for evidence in (
        (one, other),
        [cg.infer(e, rng=0, n_draws=400) for e in (one, other)],
    ):
        found = [cg.decide(e, rope=(-0.5, 0.5)).compute() for e in evidence]
        xr.testing.assert_identical(*found)


def test_weights_survive_selection_files_and_pickles(both, tmp_path):
    whole, lazy = both
    kept = np.arange(1, 59, 2)
    for change in (
        lambda e: e.isel(contrast=kept),
        lambda e: e.transpose("arm", ...),
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: store.load(store.save(e, tmp_path / "effects.nc"), "effects"),
    ):
        assert np.array_equal(
            weights_of(change(lazy)).toarray(), weights_of(change(whole)).toarray()
        )
    for ours, theirs in zip(
        extremes(lazy["weight"].data), extremes(whole["weight"].data), strict=True
    ):
        assert np.array_equal(ours, theirs)

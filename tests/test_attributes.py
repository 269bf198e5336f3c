# Imports from the inside: typed attributes, which every verb reads.
"""Attributes of Datasets: rows, types, and that the package has no others."""

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.attributes import ATTRIBUTES, about, has

#: attributes of HDF5, of files of others


@pytest.fixture(scope="module")
def trial():
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms={
            "untreated": cg.Untreated(),
            "GATA": cg.Embed("GATAAG", at=10),
            "placebo": cg.Placebo("GATAAG", at=10),
        },
        n_units=40,
    )
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan)


@pytest.fixture(scope="module")
def results(trial):
    effects = cg.contrast(trial, control="untreated")
    estimates = cg.estimate(effects)
    positive = trial.assign(outcome=np.exp(trial["outcome"]))
    positive.attrs["scale"] = "counts"
    posterior = cg.infer(estimates, rng=0)
    virtual = effects.sel(contrast=["GATA"], task=["K562"])
    noise = np.random.default_rng(0).normal(0, 0.5, virtual["ice"].shape)
    measured = virtual.assign(ice=virtual["ice"] + noise).isel(unit=slice(20))
    powered = cg.mpra.prediction_powered(virtual, measured, trained_on_measured=False)
    return {
        "outcomes": trial,
        "effects": effects,
        "estimates": estimates,
        "ratios": cg.estimate(
            cg.contrast(positive, control="untreated", scale="ratio")
        ),
        "band": cg.simultaneous(effects, rng=0),
        "decisions": cg.decide(estimates, rope=(-0.1, 0.1)),
        "posterior": posterior["posterior"].to_dataset(),
        "moments": posterior["moments"].to_dataset(),
        "plan": cg.sample_size(estimates, half_width=0.5),
        "plan of the bench": cg.mpra.power(
            0.5,
            n_backgrounds=12,
            n_barcodes=8.5,
            depth=100,
            n_replicates=3,
            noise=cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5),
        ),
        "powered": powered,
    }


def test_every_attribute_of_a_result_has_a_row_of_its_type(results):
    for what, found in results.items():
        assert found.attrs or what == "moments", what
        for part in (found, *found.variables.values()):
            for name in part.attrs:
                assert name in ATTRIBUTES, f"{what}: {name}"
                assert getattr(about(part), name) == part.attrs[name]


def test_attributes_survive_a_file(results, tmp_path):
    for kind in ("outcomes", "estimates"):
        loaded = cg.store.load(
            cg.store.save(results[kind], tmp_path / f"{kind}.nc"), kind
        )
        assert loaded.attrs == results[kind].attrs
        assert [*map(type, loaded.attrs.values())] == [
            *map(type, results[kind].attrs.values())
        ]


def test_numbers_of_numpy_are_numbers():
    found = about(xr.Dataset(attrs={"ci_prob": np.float64(0.9), "bin": np.int64(2)}))
    assert (found.ci_prob, found.bin) == (0.9, 2)


def test_an_absent_attribute_is_an_error_or_what_is_asked_for():
    empty = xr.Dataset()
    assert about(empty, None).control is None
    assert about(empty, "outcome").scale == "outcome"
    assert not has(empty).control


def test_a_text_of_the_user_is_no_plan(trial):
    noted = trial.assign_attrs(analysis="RNA-seq, second batch")
    effects = cg.contrast(noted, control="untreated")
    np.testing.assert_array_equal(
        effects["ice"], cg.contrast(trial, control="untreated")["ice"]
    )
    assert effects.attrs["analysis"] == "RNA-seq, second batch"

# Imports from the inside: the scales that a predictor's file and table give.
"""The scale of each task: what a predictor is told, what outcomes carry, and which
contrasts are refused.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import EstimateError, PredictorError, StoreError
from causalgia.predict import load_predictor

TASKS = ["K562", "HepG2", "CTCF"]
SCALES = {"K562": "log counts", "HepG2": "log counts", "CTCF": "share"}
DESIGN = cg.Design(
    null=cg.Uniform(length=20),
    arms={"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=8)},
    n_units=12,
    contrasts="none",
)


def net(x):
    return x[:, 1:4].sum(-1) / np.array([1, 2, 20])


def predictor(scale=SCALES, **options):
    return cg.FunctionPredictor(
        net, **({"tasks": TASKS, "scale": scale, "fingerprint": "v1"} | options)
    )


def test_a_scale_for_each_task_in_any_order():
    found = predictor(dict(reversed(SCALES.items())))
    assert (
        found.task_scales
        == predictor(list(SCALES.values())).task_scales
        == tuple(SCALES.values())
    )
    assert found.scale == "log counts (K562, HepG2), share (CTCF)"
    assert found.fingerprint == predictor(list(SCALES.values())).fingerprint
    assert (
        len(
            {
                found.fingerprint,
                predictor("share").fingerprint,
                predictor(["a", "b", "c"]).fingerprint,
            }
        )
        == 3
    )
    again = pickle.loads(pickle.dumps(found))
    assert again.task_scales == found.task_scales


def test_one_scale_for_all_is_one_text():
    one = predictor(dict.fromkeys(TASKS, "share"))
    assert (one.scale, one.task_scales) == ("share", None)
    assert one.fingerprint == predictor("share").fingerprint
    assert "task_scale" not in cg.run(DESIGN, one, rng=0).coords


def scales(table):
    return dict(
        zip(
            table["task"].values.tolist(),
            table["task_scale"].values.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_what_is_kept_carries_the_scales(tmp_path, keep):
    made = cg.run(DESIGN, predictor(), rng=0, keep=keep)
    assert scales(made) == SCALES
    cg.run(DESIGN, predictor(), rng=0, keep=keep, store=tmp_path / "kept.zarr")
    stored = cg.open(tmp_path / "kept.zarr")
    assert scales(stored) == SCALES
    effects = (
        made
        if keep == "effects"
        else cg.contrast(made, control="none")
        if keep == "outcomes"
        else None
    )
    estimates = cg.estimate(made if effects is None else effects)
    assert scales(estimates) == SCALES
    with pytest.raises(StoreError):
        cg.run(
            DESIGN, predictor("share"), rng=0, keep=keep, store=tmp_path / "kept.zarr"
        )


def test_a_killed_trial_resumes_with_its_scales(tmp_path):
    calls = []

    def stops(x):
        calls.append(len(x))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return net(x)

    place, options = (
        tmp_path / "kept.zarr",
        {"tasks": TASKS, "scale": SCALES, "fingerprint": "v1", "batch_size": 4},
    )
    with pytest.raises(KeyboardInterrupt):
        cg.run(DESIGN, cg.FunctionPredictor(stops, **options), rng=0, store=place)
    done = cg.run(DESIGN, cg.FunctionPredictor(net, **options), rng=0, store=place)
    assert scales(done) == SCALES
    np.testing.assert_array_equal(
        done["outcome"], cg.run(DESIGN, predictor(batch_size=4), rng=0)["outcome"]
    )


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_tasks_on_two_scales_are_refused_before_anything_is_predicted(keep):
    asked = []

    def counted(x):
        asked.append(len(x))
        return net(x)

    both = cg.FunctionPredictor(counted, tasks=TASKS, scale=SCALES, fingerprint="v1")
    with pytest.raises(EstimateError):
        cg.run(
            DESIGN, both, rng=0, keep=keep, analysis=cg.Analysis(tasks="K562 - CTCF")
        )
    assert asked == []
    made = cg.run(
        DESIGN, both, rng=0, keep=keep, analysis=cg.Analysis(tasks="K562 - HepG2")
    )
    assert made["task"].values.tolist() == (
        TASKS if keep == "outcomes" else ["K562 - HepG2"]
    )
    assert ("task_scale" in made.coords) == (keep == "outcomes")


def test_tasks_on_two_scales_are_compared_in_sd():
    outcomes = cg.run(DESIGN, predictor(), rng=0)
    assert (
        cg.contrast(outcomes, control="none", tasks="K562 - CTCF", scale="sd").sizes[
            "task"
        ]
        == 1
    )


def test_members_of_an_ensemble_have_one_scale_for_each_task():
    one, other = predictor(), predictor(fingerprint="v2")
    assert scales(cg.run(DESIGN, cg.Ensemble([one, other]), rng=0)) == SCALES


def test_windows_of_a_track_have_the_scale_of_their_task():
    windows = [cg.Window("a", -4, 4, reduce="sum"), cg.Window("b", 4, 8, reduce="sum")]
    track = cg.FunctionPredictor(
        lambda x: x[:, 1:3].astype(float),
        tasks=["C", "G"],
        scale=["counts", "share"],
        track=cg.Track(axis=-1, origin=8),
        reduce=windows,
        fingerprint="v1",
    )
    assert dict(zip(track.tasks, track.task_scales, strict=True)) == {
        "a: C": "sum of counts",
        "a: G": "sum of share",
        "b: C": "sum of counts",
        "b: G": "sum of share",
    }


FILE = """
TASKS = ["K562", "HepG2"]

def load():
    return lambda x: x[:, :2].sum(-1)

def ready():
    import causalgia as cg
    return cg.FunctionPredictor(load(), tasks=TASKS, scale=["counts", "share"], fingerprint="v1")
"""


@pytest.mark.parametrize(
    "scale", ['{K562 = "counts", HepG2 = "share"}', '["counts", "share"]']
)
def test_a_predictor_file_says_the_scale_of_each_task(tmp_path, scale):
    from causalgia.cli.options import load_predictor_spec
    from causalgia.trial_file.trial_spec import read_predictor_spec

    (tmp_path / "net.py").write_text(FILE)
    (tmp_path / "net.toml").write_text(
        f'[predictor]\nfactory = "net.py:load"\nscale = {scale}\n'
    )
    spec = read_predictor_spec(tmp_path / "net.toml")
    assert load_predictor_spec(spec, tmp_path / "net.toml", None).task_scales == (
        "counts",
        "share",
    )
    assert spec.to_dict()["scale"] in (
        {"K562": "counts", "HepG2": "share"},
        ["counts", "share"],
    )


def test_a_ready_made_predictor_keeps_its_scales(tmp_path):
    (tmp_path / "net.py").write_text(FILE)
    place = f"{tmp_path / 'net.py'}:ready"
    for scale in (None, {"HepG2": "share", "K562": "counts"}, ["counts", "share"]):
        assert load_predictor(place, scale=scale).task_scales == ("counts", "share")
    for scale in ("counts", ["share", "counts"]):
        with pytest.raises(PredictorError):
            load_predictor(place, scale=scale)

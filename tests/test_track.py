# Imports from the inside: the other strand of a sequence, by hand.
"""Predictors that answer a track: axes, positions, windows, strands, and trials on
them.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.sequences.alphabet import reverse_complement

LENGTH = 24
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(2, 4, 3)).astype(np.float32)


def tracks(x: np.ndarray) -> np.ndarray:
    """Answer (n, 2 tasks, length) for one-hot (n, 4, length): a convolution of width 3,
    made positive.
    """
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    sums = sum(
        np.einsum("nal,ta->ntl", wide[:, :, i : i + x.shape[2]], KERNEL[:, :, i])
        for i in range(3)
    )
    return np.logaddexp(0, sums)


def turned(x: np.ndarray) -> np.ndarray:
    return tracks(x).swapaxes(1, 2)


def predictor(
    fn=tracks,
    *,
    axis: int = -1,
    origin: int = 10,
    bin: int = 1,
    tasks=("a", "b"),
    **options,
):
    track = cg.Track(axis=axis, origin=origin, bin=bin)
    return cg.FunctionPredictor(fn, track=track, tasks=tasks, **options)


def tokens(n: int = 5, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, (n, length), dtype=np.uint8)


def one_hot(rows: np.ndarray) -> np.ndarray:
    return (rows[:, None] == np.arange(4)[:, None]).astype(np.float32)


def design(n: int = 12, **options) -> cg.Design:
    arms = {"control": cg.Untreated(), "GATA": cg.Embed("GATA", at=10)}
    return cg.Design(
        null=cg.Uniform(length=LENGTH),
        arms=arms,
        n_units=n,
        contrasts="control",
        **options,
    )


def test_answers_have_positions_before_tasks_by_either_axis():
    rows = tokens()
    truth = tracks(one_hot(rows)).swapaxes(1, 2)
    for made in (
        predictor(),
        predictor(axis=2),
        predictor(turned, axis=1),
        predictor(turned, axis=-2),
    ):
        np.testing.assert_array_equal(made.predict(rows), truth)
        assert made.dims == ("position", "task")
        assert made.positions.tolist() == list(range(-10, 14))
    single = cg.FunctionPredictor(lambda x: tracks(x)[:, 0], track=cg.Track())
    np.testing.assert_array_equal(single.predict(rows)[..., 0], truth[..., 0])
    assert single.tasks == ("outcome",)


def test_the_other_strand_is_turned_around_and_its_tasks_exchanged():
    rows = tokens()
    forward, backward = (
        tracks(one_hot(r)).swapaxes(1, 2) for r in (rows, reverse_complement(rows))
    )
    averaged = predictor(rc_average=True).predict(rows)
    np.testing.assert_allclose(averaged, (forward + backward[:, ::-1]) / 2, rtol=1e-6)
    exchanged = predictor(rc_average=True, opposite=[("a", "b")]).predict(rows)
    np.testing.assert_allclose(
        exchanged, (forward + backward[:, ::-1, ::-1]) / 2, rtol=1e-6
    )
    # a strand-symmetric answer: that of the reverse complement is the same, turned
    # around
    again = predictor(rc_average=True, opposite=[("a", "b")]).predict(
        reverse_complement(rows)
    )
    np.testing.assert_allclose(again[:, ::-1, ::-1], exchanged, rtol=1e-6)


@pytest.mark.parametrize(
    ("reduce", "of"),
    [
        ("sum", np.sum),
        ("mean", np.mean),
        ("max", np.max),
        ("log sum", lambda y, axis: np.log(y.sum(axis))),
    ],
)
def test_windows_are_sums_means_maxima_of_their_positions(reduce, of):
    rows = tokens()
    y = tracks(one_hot(rows)).swapaxes(1, 2)
    made = predictor(
        reduce=[cg.Window("TSS", -2, 3, reduce), cg.Window("up", -10, -6, reduce)],
        scale="counts",
    )
    expected = np.concatenate([of(y[:, 8:13], axis=1), of(y[:, 0:4], axis=1)], axis=1)
    np.testing.assert_allclose(made.predict(rows), expected, rtol=1e-6)
    assert made.tasks == ("TSS: a", "TSS: b", "up: a", "up: b")
    assert (made.scale, made.dims, made.positions) == (
        f"{reduce} of counts",
        ("task",),
        None,
    )


def test_a_window_reads_the_turned_strand():
    rows = tokens()
    forward, backward = (
        tracks(one_hot(r)).swapaxes(1, 2) for r in (rows, reverse_complement(rows))
    )
    made = predictor(reduce=cg.Window("left", -10, -2), rc_average=True)
    expected = (forward[:, :8].sum(1) + backward[:, ::-1][:, :8].sum(1)) / 2
    np.testing.assert_allclose(made.predict(rows), expected, rtol=1e-6)


def test_windows_of_bins():
    binned = predictor(
        lambda x: tracks(x).reshape(len(x), 2, -1, 4).sum(-1), bin=4, origin=8
    )
    assert binned.predict(tokens()).shape == (5, 6, 2)
    assert binned.positions.tolist() == [-8, -4, 0, 4, 8, 12]
    read = predictor(
        lambda x: tracks(x).reshape(len(x), 2, -1, 4).sum(-1),
        bin=4,
        origin=8,
        reduce=[cg.Window("w", -4, 8)],
    )
    np.testing.assert_allclose(
        read.predict(tokens()), binned.predict(tokens())[:, 1:4].sum(1), rtol=1e-6
    )


def test_a_window_over_half_a_softmax_is_its_share():
    def shares(x):
        y = np.exp(x[:, 0] + 0.5 * x[:, 1])
        return y / y.sum(1, keepdims=True)

    def of(*windows):
        return cg.FunctionPredictor(
            shares, track=cg.Track(origin=4), reduce=list(windows)
        )

    word = np.zeros((1, 8), np.uint8)
    assert of(cg.Window("half", -4, 0)).predict(word).item() == pytest.approx(0.5)
    assert of(cg.Window("top", -4, 4, reduce="max")).predict(
        word
    ).item() == pytest.approx(0.125)


def test_outcomes_of_a_trial_are_the_answers_by_position():
    found = cg.run(design(), predictor(), rng=0)
    assert found["outcome"].dims == ("unit", "arm", "position", "task")
    assert found["position"].values.tolist() == list(range(-10, 14))
    assert found.attrs["bin"] == 1
    again = cg.run(design(), predictor(turned, axis=1), rng=0)
    np.testing.assert_array_equal(found["outcome"], again["outcome"])
    # the sum over all positions is the window over all
    whole = cg.run(design(), predictor(reduce=cg.Window("all", -10, 14)), rng=0)
    np.testing.assert_allclose(
        found["outcome"].sum("position"), whole["outcome"], rtol=1e-6
    )


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_stored_trials_are_those_in_memory(tmp_path, keep):
    made = cg.Ensemble({"one": predictor(), "two": predictor(lambda x: tracks(x) * 2)})
    held = cg.run(design(30), made, rng=0, keep=keep)
    stored = cg.run(
        design(30), made, rng=0, keep=keep, store=tmp_path / "trial.zarr"
    ).load()
    xr.testing.assert_identical(held, stored)
    again = cg.run(
        design(30), made, rng=0, keep=keep, store=tmp_path / "trial.zarr"
    ).load()
    xr.testing.assert_identical(held, again)


def test_another_track_is_another_predictor(tmp_path):
    prints = {
        made.fingerprint
        for made in (
            predictor(),
            predictor(origin=0),
            predictor(reduce=cg.Window("w", 0, 5)),
            predictor(reduce=cg.Window("w", 0, 4)),
            cg.FunctionPredictor(tracks, tasks=["a", "b"]),
        )
    }
    assert len(prints) == 5
    assert pickle.loads(pickle.dumps(cg.Track(origin=3))) == cg.Track(origin=3)


@pytest.mark.torch
@pytest.mark.parametrize("rc_average", [False, True])
@pytest.mark.parametrize("windows", [None, [cg.Window("w", -4, 5, "log sum")]])
def test_torch_answers_whole_and_in_part_alike(rc_average, windows):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv1d(4, 8, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv1d(8, 2, 3, padding=1),
        torch.nn.Softplus(),
    )
    options = {
        "track": cg.Track(origin=20),
        "tasks": ["a", "b"],
        "device": "cpu",
        "rc_average": rc_average,
    }
    trial = cg.Design(
        null=cg.Uniform(length=200),
        arms={"control": cg.Untreated(), "GATA": cg.Embed("GATA", at=100)},
        n_units=20,
        contrasts="control",
    )
    whole = cg.run(trial, cg.TorchPredictor(net, reduce=windows, **options), rng=0)
    part = cg.run(
        trial,
        cg.TorchPredictor(net, reduce=windows, incremental=True, **options),
        rng=0,
    )
    np.testing.assert_allclose(whole["outcome"], part["outcome"], rtol=2e-6)
    numpy_like = cg.FunctionPredictor(
        lambda x: net(torch.from_numpy(x)).detach().numpy(),
        **{name: value for name, value in options.items() if name != "device"},
        reduce=windows,
    )
    np.testing.assert_allclose(
        whole["outcome"], cg.run(trial, numpy_like, rng=0)["outcome"], rtol=2e-6
    )


def several(x: np.ndarray):
    return {"human": turned(x), "mouse": (turned(x)[:, :, :1], turned(x) * 2)}


WINDOW = cg.Window("mid", -4, 6)


@pytest.mark.parametrize(
    ("steps", "times"),
    [
        (["human", WINDOW], 1),
        ([lambda y: y["human"], WINDOW], 1),
        (["mouse", 1, WINDOW], 2),
        (["mouse", -1, lambda y: y / 2, WINDOW], 1),
    ],
)
def test_what_chooses_stands_before_windows(steps, times):
    read = predictor(several, axis=1, reduce=steps).predict(tokens())
    whole = predictor(turned, axis=1, reduce=WINDOW).predict(tokens())
    np.testing.assert_allclose(read, times * whole, rtol=1e-5)


def test_a_part_of_the_output_is_read_without_windows_too():
    sums = cg.FunctionPredictor(lambda x: {"a": x.sum(2), "b": x.sum((1, 2))})
    with pytest.raises(cg.errors.PredictorError):
        sums.predict(tokens())
    chosen = cg.FunctionPredictor(sums.fn, reduce="a")
    np.testing.assert_array_equal(chosen.predict(tokens()), one_hot(tokens()).sum(2))
    assert chosen.fingerprint != cg.FunctionPredictor(sums.fn, reduce="b").fingerprint


@pytest.mark.parametrize(
    "steps", ["rat", 0, ["human", 1], [WINDOW, "human"], [], [5.0], WINDOW]
)
def test_steps_that_the_output_has_not_are_refused(steps):
    with pytest.raises(cg.errors.PredictorError):
        predictor(several, axis=1, reduce=steps).predict(tokens())


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("rc_average", [False, True])
def test_trailing_axes_of_one_are_no_axes(axes, rc_average):
    torch = pytest.importorskip("torch")
    longer = (slice(None), slice(None), *[None] * axes)

    class Net(torch.nn.Module):
        def forward(self, x):
            return (x * torch.arange(x.shape[2])).sum(2)[longer]

    wanted = cg.FunctionPredictor(
        lambda x: (x * np.arange(x.shape[2])).sum(2), rc_average=rc_average
    ).predict(tokens())
    for one in (
        cg.TorchPredictor(Net(), rc_average=rc_average),
        cg.FunctionPredictor(
            lambda x: (x * np.arange(x.shape[2])).sum(2)[longer], rc_average=rc_average
        ),
    ):
        np.testing.assert_allclose(one.predict(tokens()), wanted)
    track = predictor(lambda x: tracks(x)[..., None]).predict(tokens())
    np.testing.assert_array_equal(track, predictor().predict(tokens()))


NET = """
import numpy as np
TASKS = ["a", "b"]
def load():
    return lambda x: {place}
"""


@pytest.mark.parametrize(
    ("answers", "keys"),
    [
        ('{"human": x[:, :2], "mouse": x[:, :1]}', 'key = "human"'),
        ("(x[:, :1], x[:, :2])", "index = 1"),
        ("(x[:, :1], x[:, :2].swapaxes(1, 2))", "index = 1\ntrack = {axis = 1}"),
    ],
)
def test_a_trial_file_chooses_and_then_reads_a_window(tmp_path, answers, keys):
    from causalgia.cli.options import load_predictor_spec
    from causalgia.trial_file import read_predictor_spec

    (tmp_path / "net.py").write_text(NET.replace("{place}", answers))
    path = tmp_path / "net.toml"
    path.write_text(
        f'[predictor]\nfactory = "net.py:load"\n{keys}\n'
        '[predictor.window]\nname = "mid"\nstart = 3\nstop = 9\n'
    )
    spec = read_predictor_spec(path)
    made = load_predictor_spec(spec, path, None)
    wanted = one_hot(tokens())[:, :2, 3:9].sum(2)
    np.testing.assert_array_equal(made.predict(tokens()), wanted)
    assert made.tasks == ("mid: a", "mid: b")
    assert type(spec).of(spec.to_dict(), tmp_path).read_out == spec.read_out
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.predict(tokens()), wanted)
    for wrong in ('key = "a"\nindex = 1', "window = {name = 'x', start = 3}"):
        path.write_text(f'[predictor]\nfactory = "net.py:load"\n{wrong}\n')
        with pytest.raises(cg.errors.DesignError):
            read_predictor_spec(path)

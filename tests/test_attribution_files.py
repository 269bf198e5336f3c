"""Maps of other programs: ChromBPNet, BPNet, FiNeMo and plain arrays, and files that
are none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaError, SequenceError

h5py = pytest.importorskip("h5py")


REFERENCE = Path(__file__).parent / "reference" / "finemo"


RNG = np.random.default_rng(0)


TOKENS = RNG.integers(0, 4, (3, 20)).astype(np.uint8)


ONE_HOT = np.eye(4)[TOKENS]  # (n, length, 4)


SCORES = RNG.normal(size=(3, 20, 4))


read = cg.attribution.read_attributions


def _h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name.replace("__", "/"), data=array, compression="gzip")
    return path


def test_chrombpnet_gives_hypothetical_scores_and_their_sequences(tmp_path):
    path = _h5(
        tmp_path / "x.h5",
        raw__seq=ONE_HOT.transpose(0, 2, 1).astype("i1"),
        shap__seq=SCORES.transpose(0, 2, 1).astype("f2"),
        projected_shap__seq=(SCORES * ONE_HOT).transpose(0, 2, 1).astype("f2"),
    )
    maps = read(path, task="counts")
    np.testing.assert_allclose(maps["score"][..., 0], SCORES, atol=2e-3)
    np.testing.assert_array_equal(maps["observed"], TOKENS)
    assert maps["task"].values.tolist() == ["counts"]
    mean = np.take_along_axis(SCORES, TOKENS[..., None].astype(int), 2)[..., 0]
    np.testing.assert_allclose(
        cg.attribution.contributions(maps)[..., 0], mean, atol=2e-3
    )
    projected = read(path, key="projected_shap/seq")
    assert "base" not in projected["score"].dims
    np.testing.assert_allclose(projected["score"][..., 0], mean, atol=2e-3)


@pytest.mark.simulation
def test_the_plugin_for_blosc_is_named_where_it_is_absent(tmp_path):
    (tmp_path / "hdf5plugin.py").write_text("raise ImportError('absent')\n")
    code = (
        "import causalgia as cg; "
        f"cg.attribution.read_attributions({str(REFERENCE / 'chrombpnet.h5')!r})"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(cg.__file__).parents[1])])
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    assert "MissingExtraError" in ended.stderr


def test_a_damaged_file_whose_name_says_filter_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)  # an import of it fails
    path = tmp_path / "filtered_plugin.h5"
    path.write_bytes((REFERENCE / "chrombpnet.h5").read_bytes()[:200])
    with pytest.raises(SequenceError):
        read(path)


def test_hypothetical_scores_are_preferred(tmp_path):
    both = _h5(
        tmp_path / "x.h5",
        input_seqs=ONE_HOT,
        hyp_scores=SCORES,
        projected_shap__seq=SCORES * ONE_HOT,
    )
    np.testing.assert_array_equal(read(both)["score"][..., 0], SCORES)


@pytest.mark.simulation
def test_bpnet_and_arrays_give_the_same_maps(tmp_path):
    bpnet = read(_h5(tmp_path / "b.h5", hyp_scores=SCORES, input_seqs=ONE_HOT))
    np.savez(
        tmp_path / "a.npz",
        scores=SCORES.transpose(0, 2, 1),
        one_hot=ONE_HOT.transpose(0, 2, 1),
    )
    np.savez(
        tmp_path / "f.npz",
        contributions=SCORES.transpose(0, 2, 1),
        sequences=ONE_HOT.transpose(0, 2, 1),
    )
    np.save(tmp_path / "n.npy", SCORES)
    words = ["".join("ACGT"[token] for token in row) for row in TOKENS]
    for other in (
        read(tmp_path / "a.npz"),
        read(tmp_path / "f.npz"),
        read(tmp_path / "n.npy", sequences=words),
        read(tmp_path / "a.npz", key="scores", sequences=words),
    ):
        np.testing.assert_array_equal(other["score"], bpnet["score"])
        np.testing.assert_array_equal(other["observed"], bpnet["observed"])
    starts = cg.attribution.average(bpnet, [0, 1, 2], width=2)
    np.testing.assert_allclose(
        starts["ace"][0, 0], SCORES[[0, 1, 2], [0, 1, 2], 0].mean()
    )
    assert cg.plot.map(bpnet, unit=1).patches


def test_projected_maps_of_other_sequences_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", SCORES * ONE_HOT)
    assert "base" not in read(tmp_path / "x.npz", sequences=TOKENS)["score"].dims


def test_sequences_other_than_those_in_the_file_are_refused(tmp_path):
    holes = ONE_HOT.copy()
    holes[1, 3] = 0
    np.savez(tmp_path / "x.npz", scores=SCORES, sequences=holes)
    np.testing.assert_array_equal(
        read(tmp_path / "x.npz", sequences=TOKENS)["observed"], TOKENS
    )
    _h5(
        tmp_path / "x.h5",
        shap__seq=SCORES.transpose(0, 2, 1),
        raw__seq=ONE_HOT.transpose(0, 2, 1),
    )
    one = TOKENS.copy()
    one[2, 7] = (one[2, 7] + 1) % 4


def test_scores_of_four_positions_do_not_say_which_axis_is_which(tmp_path):
    np.savez(tmp_path / "x.npz", scores=SCORES[:, :4])
    np.savez(tmp_path / "y.npz", scores=SCORES[:, :4, 0])
    np.testing.assert_array_equal(
        read(tmp_path / "y.npz", sequences=TOKENS[:, :4].copy())["score"][..., 0],
        SCORES[:, :4, 0],
    )


def test_a_damaged_array_behind_a_group_is_found(tmp_path):
    path = _h5(
        tmp_path / "x.h5", a__b=np.zeros(3), hyp_scores=SCORES, input_seqs=ONE_HOT
    )
    with h5py.File(path) as file:
        where = file["hyp_scores"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[where : where + 40] = b"x" * 40
    path.write_bytes(damaged)
    with pytest.raises(CausalgiaError):
        read(path)

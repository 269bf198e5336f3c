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
from causalgia.errors import AttributionError, CausalgiaError, SequenceError

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


@pytest.mark.rotating(6)
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


@pytest.mark.rotating
def test_the_files_of_chrombpnet_are_compressed_by_blosc():
    """A file that deepdish wrote, as ChromBPNet has it write its scores
    (tests/reference/finemo/make.py).
    """
    maps, truth = read(REFERENCE / "chrombpnet.h5"), np.load(REFERENCE / "truth.npz")
    np.testing.assert_array_equal(
        maps["score"][..., 0], truth["scores"].transpose(0, 2, 1).astype(float)
    )
    np.testing.assert_array_equal(maps["observed"], truth["tokens"])
    regions = read(REFERENCE / "regions.npz")  # FiNeMo's, the middle 40 of 60 bases
    np.testing.assert_array_equal(
        regions["score"][..., 0], maps["score"][:, 10:50, :, 0]
    )


@pytest.mark.rotating
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
    assert ended.stderr.rstrip().endswith(
        "chrombpnet.h5: is compressed as ChromBPNet does it (Blosc), or by another "
        "plugin, which needs hdf5plugin; pip install 'causalgia[attribution]' (in a "
        "clone: pip install '.[attribution]')"
    )


def test_a_damaged_file_whose_name_says_filter_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)  # an import of it fails
    path = tmp_path / "filtered_plugin.h5"
    path.write_bytes((REFERENCE / "chrombpnet.h5").read_bytes()[:200])
    with pytest.raises(SequenceError, match="damaged") as refused:
        read(path)
    assert "pip install" not in str(refused.value)


def test_hypothetical_scores_are_preferred(tmp_path):
    both = _h5(
        tmp_path / "x.h5",
        input_seqs=ONE_HOT,
        hyp_scores=SCORES,
        projected_shap__seq=SCORES * ONE_HOT,
    )
    np.testing.assert_array_equal(read(both)["score"][..., 0], SCORES)


@pytest.mark.rotating
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
    assert cg.plot.map_logo(bpnet, unit=1).patches


@pytest.mark.rotating(6)
def test_files_that_are_no_maps_are_refused_with_the_cure(tmp_path):
    holes = ONE_HOT.copy()
    holes[1, 3] = 0
    np.savez(tmp_path / "two.npz", a=SCORES, b=SCORES)
    np.savez(tmp_path / "alone.npz", scores=SCORES)
    np.savez(tmp_path / "holes.npz", scores=SCORES, sequences=holes)
    np.savez(
        tmp_path / "nan.npz",
        scores=np.where(ONE_HOT > 0, np.nan, SCORES),
        sequences=ONE_HOT,
    )
    np.savez(tmp_path / "short.npz", scores=SCORES[:2], sequences=ONE_HOT)
    np.savez(tmp_path / "text.npz", scores=np.array(["a"]))
    np.savez(tmp_path / "soft.npz", scores=SCORES, sequences=np.full((3, 20, 4), 0.3))
    (tmp_path / "cut.h5").write_bytes(
        _h5(tmp_path / "whole.h5", hyp_scores=SCORES).read_bytes()[:600]
    )
    _h5(tmp_path / "empty.h5", names=np.arange(3))
    for name, error, said in (
        ("two.npz", AttributionError, "say which are scores by key="),
        ("alone.npz", AttributionError, "sequences="),
        ("holes.npz", AttributionError, "sequence 1 has no base at position 3"),
        ("nan.npz", AttributionError, "sequence 0, position 0 has the score nan"),
        ("short.npz", AttributionError, "beside 3 sequences of 20 bp"),
        ("text.npz", AttributionError, "scores are numbers"),
        ("soft.npz", SequenceError, "one-hot"),
        ("cut.h5", CausalgiaError, "damaged|cut short"),
        ("empty.h5", AttributionError, "no scores"),
        ("absent.h5", SequenceError, "absent.h5"),
    ):
        with pytest.raises(error, match=said):
            read(tmp_path / name)
    with pytest.raises(AttributionError, match="key='c' is not there"):
        read(tmp_path / "two.npz", key="c")
    with pytest.raises(AttributionError, match="not a path"):
        read(SCORES)


def test_projected_maps_of_other_sequences_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", SCORES * ONE_HOT)
    assert "base" not in read(tmp_path / "x.npz", sequences=TOKENS)["score"].dims
    for others in (TOKENS[::-1], 3 - TOKENS):
        with pytest.raises(
            AttributionError,
            match="x.npz: each position has the score of one base.*in the order of the maps",
        ):
            read(tmp_path / "x.npz", sequences=others.copy())


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
    for name in ("x.npz", "x.h5"):
        with pytest.raises(
            AttributionError, match="sequence 0 has .*differ.: leave sequences= out"
        ):
            read(tmp_path / name, sequences=TOKENS[::-1].copy())
    one = TOKENS.copy()
    one[2, 7] = (one[2, 7] + 1) % 4
    with pytest.raises(
        AttributionError, match=r"sequence 2 has \w at position 7.*1 of 3 sequences"
    ):
        read(tmp_path / "x.npz", sequences=one)


def test_scores_of_four_positions_do_not_say_which_axis_is_which(tmp_path):
    np.savez(tmp_path / "x.npz", scores=SCORES[:, :4])
    with pytest.raises(
        AttributionError, match=r"fit both \(n, 4, length\) and \(n, length, 4\)"
    ):
        read(tmp_path / "x.npz", sequences=TOKENS[:, :4].copy())
    np.savez(tmp_path / "y.npz", scores=SCORES[:, :4, 0])
    np.testing.assert_array_equal(
        read(tmp_path / "y.npz", sequences=TOKENS[:, :4].copy())["score"][..., 0],
        SCORES[:, :4, 0],
    )


def test_a_damaged_array_behind_a_group_is_found_before_it_is_opened(tmp_path):
    path = _h5(
        tmp_path / "x.h5", a__b=np.zeros(3), hyp_scores=SCORES, input_seqs=ONE_HOT
    )
    with h5py.File(path) as file:
        where = file["hyp_scores"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[where : where + 40] = b"x" * 40
    path.write_bytes(damaged)
    with pytest.raises(CausalgiaError, match="damaged"):
        cg.store.check_hdf5(path)

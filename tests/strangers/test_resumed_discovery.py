# Imports from the inside: the steps of a discovery, each of which is stopped.
"""A discovery says what it is doing, and a killed one goes on without proposing anew (a
biologist's day with networks of others: nothing was printed for minutes).
"""

import numpy as np
import pytest

import causalgia as cg
from causalgia.attribution import _propose
from causalgia.sequences import decode, encode

METHODS = ("seqlets", "kmer")
PREDICTED = []


def answer(x):
    """The count of TGCATG, plus a little for each G and C."""
    PREDICTED.append(len(x))
    kernel = np.eye(4)[encode(["TGCATG"])[0]].T
    views = np.lib.stride_tricks.sliding_window_view(x, 6, axis=2)
    sites = np.einsum("nbws,bs->nw", views, kernel) == 6
    return 2.0 * sites.sum(1) + 0.02 * x[:, 1:3].sum((1, 2))


def predicted(call):
    """Return how many sequences a call predicts, and what it returns."""
    PREDICTED.clear()
    found = call()
    return sum(PREDICTED), found


@pytest.fixture(scope="module")
def given():
    generator = np.random.default_rng(3)
    tokens = generator.integers(0, 4, (44, 30)).astype(np.uint8)
    tokens[:, 12:18] = encode(["TGCATG"])[0]
    return decode(tokens), cg.FunctionPredictor(answer, tasks=["a"], scale="sites")


def discover(given, **settings):
    sequences, network = given
    settings = {"method": METHODS, "n_units": 20, "progress": False} | settings
    return cg.discover(network, sequences, rng=0, **settings)


def test_a_killed_run_goes_on_from_the_last_method(given, tmp_path, monkeypatch):
    n_whole, whole = predicted(lambda: discover(given, store=tmp_path / "whole"))

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_propose, "with_others", stopped)  # the second method
        with pytest.raises(KeyboardInterrupt):
            discover(given, store=tmp_path / "killed")
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert names == {"maps.nc", "limits.nc", "proposed_seqlets.nc"}

    def never(*_, **__):
        raise AssertionError("proposed anew")

    with monkeypatch.context() as patch:
        for name in ("attribute", "distinct_patterns", "_limits"):
            patch.setattr(_propose, name, never)
        n_rest, rest = predicted(lambda: discover(given, store=tmp_path / "killed"))
    n_maps = 2 * 22 * (3 * 30 + 1)
    assert n_rest <= n_whole - n_maps
    assert rest.proposals.identical(whole.proposals)
    assert rest.table.equals(whole.table)
    # with the proposals and the trial there, only the answers to the sequences as they
    # are, beside which backgrounds are seen, are looked at again
    n_again, again = predicted(lambda: discover(given, store=tmp_path / "whole"))
    assert n_again <= 2 * 44
    assert again.table.equals(whole.table)


@pytest.mark.simulation
def test_stored_proposals_predict_nothing_again(given, tmp_path, monkeypatch):
    first = discover(given, store=tmp_path / "kept")
    for name in ("with_others", "distinct_patterns", "attribute", "EditedBackgrounds"):
        monkeypatch.delattr(_propose, name)
    (tmp_path / "kept" / "proposals.nc").unlink()  # those of each method stay
    assert discover(given, store=tmp_path / "kept").proposals.identical(first.proposals)


def test_each_stage_has_a_line_on_stderr(given, capsys):
    discover(given, progress=True)
    printed = capsys.readouterr()
    assert not printed.out
    lines = [line for line in printed.err.splitlines() if " of 6: " in line]
    assert [line.partition(" ")[0] for line in lines] == list("123456")
    discover(given, progress=False)
    assert capsys.readouterr() == ("", "")

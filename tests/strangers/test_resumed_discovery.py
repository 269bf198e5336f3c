"""A discovery says what it is doing, and a killed one goes on without proposing anew (a
biologist's day with networks of others: nothing was printed for minutes).
"""

import io

import numpy as np
import pytest
from rich.console import Console

import causalgia as cg
from causalgia.attribution import _propose
from causalgia.attribution._propose import requested_methods
from causalgia.sequences import decode, encode
from causalgia.trial import stages
from causalgia.trial.outcomes import meter
from causalgia.trial.stages import Stages

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


def test_seqlets_are_first_in_the_order_of_methods():
    assert requested_methods("all")[0] == "seqlets"


@pytest.mark.rotating(6)
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


@pytest.mark.rotating(6)
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
    assert lines[0] == "1 of 6: maps of 22 sequences, by single substitutions"
    assert "seqlets" in lines[2]
    assert "kmer" in lines[3]
    discover(given, progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_time_is_expected_after_the_first_batch(monkeypatch):
    clock = iter([0.0, 2.0, 4.0, 5.0])
    monkeypatch.setattr(stages.time, "monotonic", lambda: next(clock))
    text = io.StringIO()
    console = Console(file=text, width=100)
    counted = Stages(1, show=True, console=console)
    with counted.stage("maps"), meter(100, show=True, console=console) as done:
        done(1)  # it may have compiled something
        done(9)  # nine in two seconds: ninety in twenty
        done(10)
    assert text.getvalue().splitlines() == [
        "1 of 1: maps",
        "    about 20 s (10 of 100 are done)",
    ]
    slow = iter([0.0, 60.0])
    monkeypatch.setattr(stages.time, "monotonic", lambda: next(slow))
    with counted.stage("maps"), meter(10, show=True, console=console) as done:
        done(1)
    assert "about 9 min 0 s (1 of 10 are done)" in text.getvalue()


def test_a_terminal_has_a_bar_and_no_stage_is_silent(monkeypatch):
    monkeypatch.setattr(stages, "_LEAST_ELAPSED", 0.0)
    monkeypatch.setattr(stages, "_LEAST_LEFT", 0.0)
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=80)
    counted = Stages(1, show=True, console=terminal)
    with counted.stage("maps"), meter(10, show=True, console=terminal) as done:
        done(5)
    assert "1 of 1: maps" in text.getvalue()
    assert "about" not in text.getvalue()
    assert "5/10" in text.getvalue()
    off = io.StringIO()
    plain = Console(file=off)
    with meter(10, show=True, console=plain) as done:  # outside of a stage
        done(5)
    silent = Stages(1, show=False, console=plain)
    with silent.stage("maps"), meter(10, show=True, console=plain) as done:
        done(5)
    assert not off.getvalue()

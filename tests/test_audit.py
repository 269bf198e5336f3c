"""What a network learned: planted motifs and rules are named, nothing else is, and the
share that they explain is that of the truth. The room is imported by its own name, since
its verb is not yet public.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia import audit
from causalgia._audit import Audit
from causalgia._audit.explained import variance_explained
from causalgia.errors import SequenceError, StoreError

AP1, TEAD = "TGAGTCA", "CATTCCA"
NAMES = {"AP-1": AP1, "TEAD": TEAD}


def _tokens(rng, n, length):
    return rng.integers(0, 4, (n, length)).astype(np.uint8)


def _write(tokens, row, at, word):
    tokens[row, at : at + len(word)] = ["ACGT".index(x) for x in word]


def _sequences(n=160, length=120, seed=3):
    rng = np.random.default_rng(seed)
    tokens = _tokens(rng, n, length)
    for row in range(n):
        for word in (AP1, TEAD):
            if rng.random() < 0.5:
                _write(tokens, row, int(rng.integers(5, 50)), word)
        if rng.random() < 0.4:
            at = int(rng.integers(60, 85))
            _write(tokens, row, at, AP1)
            _write(tokens, row, at + 7 + int(rng.integers(3, 9)), TEAD)
    return cg.sequences.decode(tokens)


def _present(one_hot, word):
    """Return where a word stands, (n, positions)."""
    table = np.eye(4)[["ACGT".index(x) for x in word]].T
    windows = np.lib.stride_tricks.sliding_window_view(one_hot, len(word), axis=2)
    return np.einsum("ncpw,cw->np", windows, table) > len(word) - 0.5


def _network():
    """Return a network that reads two words, and one after the other at gaps of 3 to 8."""

    def answer(one_hot):
        a, b = _present(one_hot, AP1), _present(one_hot, TEAD)
        pair = np.zeros(len(a), bool)
        for gap in range(3, 9):
            pair |= (a[:, : -7 - gap] & b[:, 7 + gap :]).any(axis=1)
        gc = 0.4 * one_hot[:, 1:3].mean(axis=(1, 2))
        muscle = 0.6 * a.any(axis=1) + 1.5 * pair + gc
        liver = 0.6 * a.any(axis=1) + 0.9 * b.any(axis=1) + gc
        return np.stack([muscle, liver], axis=1)

    return cg.FunctionPredictor(answer, tasks=["muscle", "liver"], scale="log counts")


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> tuple[Audit, object]:
    folder = tmp_path_factory.mktemp("audit") / "found"
    pytest.importorskip("memelite")
    made = audit(
        _network(), _sequences(), motifs=NAMES, store=folder, progress=False, rng=0
    )
    return made, folder


def test_motifs_have_the_names_of_known_ones(found) -> None:
    names = dict(zip(found[0].motifs["motif"], found[0].motifs["name"], strict=True))
    assert names == {AP1: "AP-1", TEAD: "TEAD"}


def test_the_planted_words_are_read_and_nothing_else(found) -> None:
    read = found[0].motifs[found[0].motifs["reads"]]
    assert set(read["motif"]) == {AP1, TEAD}


def test_what_is_lost_and_what_is_alone_stand_beside_each_other(found) -> None:
    rows = found[0].motifs.set_index(["motif", "task"])
    tead = rows.loc[(TEAD, "muscle")]
    assert abs(tead["alone"]) < 0.1
    assert tead["lost"] < -0.4
    assert rows.loc[(TEAD, "liver"), "alone"] == pytest.approx(0.9, abs=0.1)


def test_the_planted_rule_has_its_gaps_and_its_task(found) -> None:
    held = found[0].rules[found[0].rules["holds"]]
    rule = held.iloc[0]
    assert rule["arrangement"] == f"{AP1}+ then {TEAD}+"
    assert (rule["gap_from"], rule["gap_to"], rule["task"]) == (3, 8, "muscle")
    assert rule["lower"] < 1.5 < rule["upper"] + 0.1
    others = held[held["first"] != held["second"]].iloc[1:]
    assert (others["interaction"].abs() < 1.5 / 4 + 0.05).all()


def test_rules_explain_what_motifs_do_not(found) -> None:
    share = found[0].explained.set_index(["task", "step"])["share"]
    assert share["muscle", "rules"] > 0.9 > share["muscle", "motifs"]
    assert share["liver", "motifs"] > 0.8


def test_the_answer_has_twelve_lines_at_most_and_begins_with_the_share(found) -> None:
    lines = str(found[0]).splitlines()
    assert len(lines) <= 12
    assert lines[0].startswith("muscle: motifs explain")


def test_a_kept_audit_is_the_same_and_refuses_other_settings(found) -> None:
    made, folder = found
    again = audit(
        _network(), _sequences(), motifs=NAMES, store=folder, progress=False, rng=0
    )
    pd.testing.assert_frame_equal(again.rules, made.rules)
    pd.testing.assert_frame_equal(again.motifs, made.motifs)
    with pytest.raises(StoreError):
        audit(_network(), _sequences(), store=folder, progress=False, rng=1)


def test_a_network_of_random_words_holds_nothing() -> None:
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(4**5, 1))
    powers = 4 ** np.arange(5)

    def answer(one_hot):
        tokens = one_hot.argmax(axis=1)
        words = np.lib.stride_tricks.sliding_window_view(tokens, 5, axis=1) @ powers
        return weights[words].mean(axis=1)

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    made = audit(network, _sequences(n=120), progress=False, rng=0)
    assert not made.motifs["reads"].any()
    assert not len(made.rules)
    assert str(made).startswith("Nothing holds")


def test_a_network_of_one_answer_is_said_to_have_one() -> None:
    network = cg.FunctionPredictor(
        lambda x: np.zeros((len(x), 1)), tasks=["y"], scale="y"
    )
    made = audit(network, _sequences(n=100), progress=False, rng=0)
    assert not len(made.candidates)
    assert made.explained["share"].isna().all()


def test_too_few_sequences_and_too_little_time_are_refused() -> None:
    with pytest.raises(SequenceError):
        audit(_network(), _sequences(n=60), progress=False, rng=0)
    with pytest.raises(SequenceError):
        audit(_network(), _sequences(), minutes=1e-6, progress=False, rng=0)


def test_a_share_of_variance_is_that_of_r_squared() -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 4_000, 2)), rng.normal(size=(2, 4_000, 1))
    y = x @ np.array([[1.0], [2.0]]) + noise
    found = variance_explained(
        *y,
        {"first": tuple(x[:, :, :1]), "both": tuple(x[:, :, 1:])},
        ["y"],
        np.arange(4_000),
    )
    assert found["share"].to_numpy() == pytest.approx([1 / 6, 5 / 6], abs=0.03)
    assert (found["lower"] < found["share"]).all()
    assert (found["upper"] > found["share"]).all()

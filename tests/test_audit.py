"""What a network learned: planted motifs and rules are named, nothing else is, and the
share that they explain is that of the truth.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia import audit
from causalgia._audit import Audit, _audit, along, explained
from causalgia._audit._audit import Plan
from causalgia._audit.candidates import candidates
from causalgia._audit.explained import variance_explained
from causalgia._audit.tested_motifs import region_alone
from causalgia.errors import (
    DesignError,
    PredictorError,
    SequenceError,
    StoreError,
)
from causalgia.tell.audit_answers import sizes

AP1, TEAD = "TGAGTCA", "CATTCCA"
TRUSEQ = "AGATCGGAAGAGC"
TABLES = (
    "account",
    "along",
    "explained",
    "motifs",
    "rules",
    "sites",
    "network",
    "composition",
)
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


def test_what_is_lost_has_the_quantiles_of_its_sites(found) -> None:
    """Of another order of the same letters: AP-1 and TEAD, not what stands beside them."""
    motifs, sites = found[0].motifs, found[0].sites
    for row in motifs.to_dict("records"):
        each = sites.loc[sites["motif"] == row["motif"], f"lost, {row['task']}"]
        ends = np.quantile(each, [0.05, 0.95])
        assert [row["lost_5"], row["lost_95"]] == pytest.approx(ends.tolist())
        assert row["n_sites"] == len(each)
    assert "5 % and 95 % quantile" in str(found[0])


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


def test_a_rule_of_a_known_motif_that_no_word_stands_for_is_found() -> None:
    pytest.importorskip("memelite")
    either, rng = "GATWAGA", np.random.default_rng(4)
    network = cg.zoo.Oracle(
        cg.zoo.MotifCount(either, 1.0),
        cg.zoo.MotifCount(TEAD, 1.0),
        cg.zoo.Pair(either, TEAD, bonus=2.0, min_distance=10, reach=15, direction="forward"),
    )  # fmt: skip
    tokens = _tokens(rng, 160, 100)
    for row in range(len(tokens)):
        at, word = int(rng.integers(5, 60)), ("GATAAGA", "GATTAGA")[row % 2]
        if rng.random() < 0.7:
            _write(tokens, row, at, word)
        if rng.random() < 0.7:
            _write(tokens, row, at + 7 + int(rng.integers(0, 12)), TEAD)
    known = {"GATA": either, "TEAD": TEAD}
    sequences = cg.sequences.decode(tokens)
    few = Plan(
        n_predictions=1, maps="ism", n_mapped=80, n_patterns=100, n_candidates=2, n_pairs=3, technical=False
    )  # fmt: skip
    made = audit(network, sequences, motifs=known, minutes=few, progress=False, rng=0)
    held = made.rules[made.rules["holds"]]
    names = dict(zip(made.motifs["motif"], made.motifs["name"], strict=True))
    assert [names[x] for x in held[["first", "second"]].iloc[0]] == ["GATA", "TEAD"]


class _PlannedError(Exception):
    """What an audit is about to spend."""


def _plan_of(network, monkeypatch, **asked) -> Plan:
    def stop(_work, plan, *_):
        raise _PlannedError(plan)

    monkeypatch.setattr(_audit._Work, "candidates", stop)
    with pytest.raises(_PlannedError) as planned:
        audit(network, _sequences(n=90), progress=False, rng=0, **asked)
    found: Plan = planned.value.args[0]
    return found


def test_a_plan_follows_from_counts_whatever_the_speed(monkeypatch) -> None:
    def slow(x):
        time.sleep(0.0003 * len(x))
        return x[:, 0].sum(axis=1)

    plans = [
        _plan_of(cg.FunctionPredictor(one, tasks=["y"]), monkeypatch)
        for one in (lambda x: x[:, 0].sum(axis=1), slow)
    ]
    assert plans[0] == plans[1]
    assert plans[0].minutes == 0
    assert plans[0].n_pairs == 8  # all that are tested
    few = _plan_of(cg.FunctionPredictor(slow, tasks=["y"]), monkeypatch, minutes=0.5)
    assert few.minutes == 0.5
    assert few.n_predictions < plans[0].n_predictions


def test_rules_explain_what_motifs_do_not(found) -> None:
    share = found[0].explained.set_index(["task", "step"])["share"]
    assert share["muscle", "rules"] > 0.9 > share["muscle", "motifs"]
    assert share["liver", "motifs"] > 0.8


def test_the_answer_has_twelve_lines_at_most_and_begins_with_the_share(found) -> None:
    lines = str(found[0]).splitlines()
    assert len(lines) <= 12
    assert lines[0].startswith("muscle: of the variance")


def _same(one: Audit, other: Audit) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(one, name), getattr(other, name), check_exact=True
        )
    assert (str(one), one.plan) == (str(other), other.plan)


def test_a_kept_audit_is_the_same_and_refuses_other_settings(found) -> None:
    made, folder = found
    same = {"motifs": NAMES, "store": folder, "progress": False, "rng": 0}
    _same(audit(_network(), _sequences(), minutes=5, **same), made)
    for other in ({"rng": 1}, {"motifs": {"AP-1": AP1, "TEAD": "CATTCCT"}}):
        with pytest.raises(StoreError, match=next(iter(other))):
            audit(_network(), _sequences(), **(same | other))
    with pytest.raises(StoreError, match="sequences"):
        audit(_network(), _sequences()[1:], **same)
    with pytest.raises(StoreError, match="predictor"):
        audit(cg.zoo.oracle("additive"), _sequences(), **same)


class _StoppedError(Exception):
    """What an interrupted predictor raises."""


def test_an_audit_stopped_again_and_again_ends_as_one_that_was_not(
    tmp_path, monkeypatch
) -> None:
    network = cg.zoo.oracle("additive")
    rows = cg.Uniform(length=50).sample(90, rng=1)["sequence"].values
    drawn = cg.sequences.decode(rows)
    sequences = [x[:9] + "TGCATG" + x[15:] for x in drawn[:60]] + drawn[60:]
    plan = Plan(
        n_predictions=10**6,
        maps="ism",
        n_mapped=30,
        n_patterns=100,
        n_candidates=1,
        n_pairs=1,
        technical=False,
    )
    asked = {"minutes": plan, "progress": False, "rng": 0}
    whole = audit(network, sequences, store=tmp_path / "whole", **asked)
    left, predict = [0], type(network).predict

    def stopping(self, tokens, **more):
        left[0] -= 1
        if left[0] < 0:
            raise _StoppedError
        return predict(self, tokens, **more)

    folder = tmp_path / "stopped"
    folder.mkdir()  # the throughput is that of the day
    (folder / "network.nc").write_bytes((tmp_path / "whole/network.nc").read_bytes())
    monkeypatch.setattr(type(network), "predict", stopping)
    n_stops, most = 0, 5
    while True:
        left[0], most = most, 2 * most
        try:
            made = audit(network, sequences, store=folder, **asked)
            break
        except _StoppedError:
            n_stops += 1
    assert n_stops > 3
    _same(made, whole)


def test_words_of_the_bench_and_composition_that_act_are_named(found) -> None:
    def answer(one_hot):
        gc = one_hot[:, 1:3].mean(axis=(1, 2))
        adapter = _present(one_hot, TRUSEQ).any(axis=1)
        return (2.0 * gc + 1.0 * adapter + _present(one_hot, "A" * 10).any(axis=1))[
            :, None
        ]

    made = audit(
        cg.FunctionPredictor(answer, tasks=["y"], scale="y"),
        _sequences(n=90),
        minutes=replace(found[0].plan, n_candidates=1, n_pairs=0),
        progress=False,
        rng=0,
    )
    acts = made.composition[made.composition["acts"]]
    assert set(acts["feature"]) == {
        "GC 30 to 70 %",
        "Illumina TruSeq adapter",
        "poly-A, 10 bp",
        "poly-A, 15 bp",
    }
    assert acts.set_index("feature")["effect"][
        "Illumina TruSeq adapter"
    ] == pytest.approx(1.0, abs=0.1)
    assert made.explained.set_index("step")["share"]["composition"] > 0.9


def test_place_copies_and_strand_of_a_motif_are_those_that_are_read(found) -> None:
    rng = np.random.default_rng(2)
    tokens = _tokens(rng, 100, 120)
    for row in range(100):
        for _ in range(int(rng.integers(0, 5))):
            _write(tokens, row, int(rng.integers(0, 112)), AP1)

    def answer(one_hot):
        site = _present(one_hot, AP1)
        copies = np.minimum(site.sum(axis=1), 3)
        return np.stack([site[:, 50:71].any(axis=1), copies], axis=1)

    made = audit(
        cg.FunctionPredictor(answer, tasks=["place", "copies"], scale="y"),
        cg.sequences.decode(tokens),
        minutes=replace(found[0].plan, n_candidates=1, n_pairs=0),
        progress=False,
        rng=0,
    )
    rows = made.motifs.set_index("task")
    assert rows["motif"].unique().tolist() == [AP1]
    assert (rows["strand"] == "+").all()
    assert (rows["other_strand"].abs() < 0.1).all()
    assert rows.loc["place", ["place_from", "place_to"]].tolist() == pytest.approx(
        [50, 70], abs=5
    )
    assert rows.loc["copies", "copies"] == 3
    assert rows.loc["copies", "place_to"] - rows.loc["copies", "place_from"] > 100
    share = made.explained.set_index(["task", "step"])["share"]
    assert share["place", "motifs"] > 0.5  # sites where it acts, not all


def test_members_in_which_a_motif_holds_are_counted(found) -> None:
    def member(size):
        def answer(one_hot):
            site = _present(one_hot, AP1).any(axis=1)
            return (size * site + one_hot[:, 1].mean(axis=1))[:, None]

        return cg.FunctionPredictor(answer, tasks=["y"], scale="y")

    made = audit(
        cg.Ensemble({"one": member(1.0), "two": member(0.9), "three": member(0.0)}),
        _sequences(n=90),
        minutes=replace(found[0].plan, n_candidates=1, n_pairs=1),
        progress=False,
        rng=0,
    )
    row = made.motifs.iloc[0]
    assert (row["motif"], row["members_hold"], row["n_members"]) == (AP1, 2, 3)
    assert row["alone"] == pytest.approx(1.9 / 3, abs=0.1)
    assert {"members_hold", "n_members"} <= set(made.rules)


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
    rows = made.network.set_index("check")
    assert rows.loc["sd of predictions", ["status", "value"]].tolist() == ["warn", 0.0]
    assert rows.loc["positions read", "value"] == 0


def _windows() -> dict[str, str]:
    (stretch,) = cg.sequences.decode(_tokens(np.random.default_rng(0), 1, 2_000))
    return {f"chr1:{k}-{k + 100}": stretch[k : k + 100] for k in range(0, 1_900, 15)}


@pytest.mark.parametrize(
    ("sequences", "more", "error"),
    [
        (_sequences(n=60), {}, SequenceError),
        (_sequences(n=60) * 3, {}, SequenceError),
        (["A" * 100] * 100, {}, SequenceError),
        (_windows(), {}, SequenceError),
        ([*_sequences(n=99), "ACGT"], {}, SequenceError),
        ([*_sequences(n=99), "N" * 120], {}, SequenceError),
        (
            cg.sequences.decode(_tokens(np.random.default_rng(0), 90, 12)),
            {},
            SequenceError,
        ),
        (_sequences(n=90), {"minutes": 1e-6}, SequenceError),
        (_sequences(n=90), {"minutes": float("nan")}, DesignError),
        (_sequences(n=90), {"minutes": float("inf")}, DesignError),
        (_sequences(n=90), {"motifs": {"long": "ACGT" * 40}}, DesignError),
    ],
)
def test_what_cannot_be_audited_is_refused(sequences, more, error) -> None:
    with pytest.raises(error):
        audit(_network(), sequences, progress=False, rng=0, **more)


def test_networks_that_cannot_be_audited_are_refused() -> None:
    rng = np.random.default_rng(0)
    at_random = cg.FunctionPredictor(
        lambda x: rng.normal(size=(len(x), 1)), tasks=["y"], scale="y"
    )
    of_length = cg.FunctionPredictor(
        lambda x: x[:, 1, :].reshape(len(x), 100).sum(axis=1, keepdims=True),
        tasks=["y"],
        scale="y",
    )
    for network in (at_random, of_length):
        with pytest.raises(PredictorError):
            audit(network, _sequences(n=90), progress=False, rng=0)


def test_a_motif_that_acts_in_at_rich_flanks_alone_is_told_so_and_explains_as_much() -> (
    None
):
    word = np.array([3, 3, 0, 0, 3, 3, 2, 1])  # TTAATTGC
    rng = np.random.default_rng(15)

    def answer(one_hot):
        tokens = one_hot.argmax(axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(tokens, 8, axis=1)
        strong = np.isin(tokens, (1, 2))
        total = np.zeros(len(tokens))
        for row, at in zip(*np.nonzero((windows == word).all(axis=2)), strict=True):
            beside = [
                *strong[row, max(at - 20, 0) : at],
                *strong[row, at + 8 : at + 28],
            ]
            total[row] += 1.5 / (1 + np.exp((np.mean(beside) - 0.45) / 0.05))
        return total[:, None]

    sequences = []
    for _ in range(160):
        gc = rng.uniform(0.3, 0.65)
        row = rng.choice(4, 70, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
        if rng.random() < 0.6:
            at = int(rng.integers(0, 62))
            row[at : at + 8] = word
        sequences.append("".join("ACGT"[x] for x in row))
    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    found = audit(network, sequences, progress=False, rng=0)
    (row,) = found.along.to_dict("records")
    assert row["holds"]
    assert row["along"] == "GC of the 20 bases on each side"
    assert row["at 30 %"] == pytest.approx(1.4, abs=0.15)
    assert row["at 70 %"] == pytest.approx(0.0, abs=0.1)
    share = found.explained.set_index("step")["share"]
    assert share["contexts"] > share["motifs"] + 0.05
    assert share["contexts"] > 0.9
    account = found.account.set_index("line")
    assert account.loc["sites and 20 bp", "share"] > account.loc["sites", "share"] + 0.1


def test_effects_along_gc_are_told_of_motifs_that_have_no_site() -> None:
    levels = {name: [1.0] for name in along.COLUMNS if name.startswith("at ")}
    row = {"motif": ["GATTAC"], "task": ["y"], "change": [-1.0], "lower": [-1.2]}
    row |= {"upper": [-0.8], "verdict": ["decreases"], "p": [1e-6], **levels}
    found = along.table_along(
        [pd.DataFrame(row)], pd.DataFrame(), [], np.zeros((0, 20), np.uint8)
    )
    assert found["holds"].tolist() == [True]
    assert found["along"].tolist() == [along.AROUND]


def test_letters_at_their_places_are_a_step_where_other_bases_carry_some() -> None:
    weights = np.random.default_rng(3).normal(size=(40, 4))
    network = cg.FunctionPredictor(
        lambda x: np.einsum("ncl,lc->n", x, weights)[:, None], tasks=["y"], scale="y"
    )
    tokens = np.random.default_rng(1).integers(0, 4, (120, 40))
    found = audit(network, cg.sequences.decode(tokens), progress=False, rng=0)
    share = found.explained.set_index("step")["share"]
    assert share["rules"] < 0.5
    assert share["places"] > 0.95
    assert not found.motifs["reads"].any()


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


def test_the_share_is_that_of_ridge_regression_by_leaving_one_out() -> None:
    rng = np.random.default_rng(0)
    x, other = rng.poisson(0.4, (30, 12)).astype(float), rng.normal(size=(5, 12))
    x[:, -1], x[3, -1] = 0.0, 1.0  # that only one row has
    x -= x.mean(axis=0)
    y = x[:, :2].sum(axis=1, keepdims=True) + rng.normal(size=(30, 1))

    def coefficients(rows, penalty):
        a = np.column_stack([np.ones(len(rows)), x[rows]])
        bend = np.diag([0.0, *np.full(12, penalty)])
        return np.linalg.solve(a.T @ a + bend, a.T @ y[rows])

    def error(penalty):
        total = 0.0
        for k in range(30):
            fit = coefficients(np.delete(np.arange(30), k), penalty)
            total += (y[k] - np.concatenate([[1.0], x[k]]) @ fit)[0] ** 2
        return total

    chosen = min(30 * explained._PENALTIES, key=error)
    expected = np.column_stack([np.ones(5), other]) @ coefficients(
        np.arange(30), chosen
    )
    found = explained.predicted_by_ridge(x, y, other)
    assert found == pytest.approx(expected, rel=1e-6)


def test_an_error_that_is_one_sequences_leaves_an_interval_that_can_be_read() -> None:
    x = np.random.default_rng(0).normal(size=(2, 60, 1))
    y = x.copy()
    y[1, 0] += 1.5
    found = variance_explained(y[0], y[1], {"x": (x[0], x[1])}, ["a"], np.arange(60))
    row = found.iloc[0]
    assert -1 <= row["lower"] < row["share"] < row["upper"] <= 1


def test_features_that_say_nothing_take_little_from_the_share() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(50):
        x, noise = rng.normal(size=(2, 80, 33)), 3 * rng.normal(size=(2, 80, 1))
        y = x[:, :, :4].sum(axis=2, keepdims=True) + noise
        features = {"all": tuple(x)}
        shares.append(
            variance_explained(*y, features, ["y"], np.arange(80)).share.iloc[0]
        )
    assert np.mean(shares) > 0.0  # least squares has -.31


def test_what_is_constant_up_to_rounding_has_no_share_and_is_no_feature() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60, 1)), np.full((2, 60, 2), 0.1)
    score = np.full((2, 60, 1), 0.1 + 0.2)
    score[0, ::2] += 1e-16
    score[1, 0] = 3.0
    y[:, :, 1] = x[:, :, 0]
    features = {"all": tuple(np.dstack([x, score]))}
    found = variance_explained(*y, features, ["flat", "linear"], np.arange(60))
    assert np.isnan(found["share"].iloc[0])
    assert found["share"].iloc[1] == pytest.approx(1.0)
    assert set(found["n_features"]) == {1}


def test_pairs_that_fit_no_sequence_are_left_out() -> None:
    given = _planted(["ATGACGTCAT"], n=120, length=24)
    network = cg.FunctionPredictor(
        lambda x: 1.5 * _present(x, "ATGACGTCAT").sum(1)[:, None],
        tasks=["y"],
        scale="y",
    )
    found = cg.audit(network, given, progress=False, rng=0)
    assert found.motifs["reads"].any()
    assert any(one.startswith("the pair") for one in found.left_out)


def _planted(words, n=240, length=100, seed=11):
    rng = np.random.default_rng(seed)
    tokens = _tokens(rng, n, length)
    for row in range(n):
        for k, word in enumerate(words):
            if rng.random() < 0.6:
                width = length // len(words)
                at = k * width + int(rng.integers(0, width - len(word)))
                _write(tokens, row, at, word)
    return cg.sequences.decode(tokens)


def test_tasks_of_other_scales_and_places_at_an_end_are_named() -> None:
    def answer(one_hot):
        first, second = (_present(one_hot, word) for word in ("TGACTCA", "GGAATGT"))
        return np.stack([100.0 * first[:, :30].sum(1), 1.0 * second.sum(1)], axis=1)

    network = cg.FunctionPredictor(
        answer, tasks=["counts", "log"], scale={"counts": "counts", "log": "log counts"}
    )
    given = _planted(["TGACTCA", "TGACTCA", "GGAATGT"])
    found = cg.audit(network, given, progress=False, rng=0)
    read = found.motifs[found.motifs["reads"]].set_index("task")
    assert read["motif"].to_dict() == {"counts": "TGACTCA", "log": "GGAATGT"}
    assert read.loc["counts", "place_from"] == 0
    assert 25 <= read.loc["counts", "place_to"] <= 33
    assert read.loc["counts", "alone_verdict"] == "negligible"


STRONG = (0.3, 0.3, 0.5, 0.5, 0.6, 0.5, 1.0, 1.0, 1.0, 1.0, 0.6, 0.5)
PAIRED = (0.4, 0.7, 1.0, 1.0, 1.0, 0.5, 0.5, 0.7, 1.0, 1.0, 1.0, 0.5)


def _graded(one_hot, word, weights):
    """Return how much each window is a site of a word, the letters of which count by
    their weights, (n, positions).
    """
    table = np.zeros((4, len(word)))
    table[["ACGT".index(x) for x in word], range(len(word))] = weights
    windows = np.lib.stride_tricks.sliding_window_view(one_hot, len(word), axis=2)
    lost = sum(weights) - np.einsum("ncpw,cw->np", windows, table)
    return 1 / (1 + np.exp(3 * (lost - 1.2)))


@pytest.mark.parametrize(
    ("one", "other"),
    [("AAAAGCGGAAGT", "CGAAACCGAAAC"), ("CCTTGAAGGTCA", "AAGGTTGAGGTT")],
)
def test_motifs_that_look_alike_are_proposed_apart_and_once(one, other) -> None:
    motifs = [(one, STRONG), (other, PAIRED)]
    rng = np.random.default_rng(8)
    tokens = _tokens(rng, 120, 90)
    for row in range(120):
        at = int(rng.integers(5, 40))
        for word, weights in motifs:
            kept = rng.random(12) > 0.35 * (1 - np.array(weights))
            letters = np.where(kept, list(word), rng.choice(list("ACGT"), 12))
            _write(tokens, row, at, letters)
            at += 12 + int(rng.integers(2, 20))
        if row % 2:
            tokens[row] = 3 - tokens[row, ::-1]

    def answer(one_hot):
        total = np.zeros(len(one_hot))
        for strand in (one_hot, one_hot[:, ::-1, ::-1]):
            a, b = (_graded(strand, *motif) for motif in motifs)
            total += a.sum(axis=1) + b.sum(axis=1)
            for gap in range(2, 6):  # more than their sum
                total += 2 * (a[:, : -12 - gap] * b[:, 12 + gap :]).sum(axis=1)
        return total

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="log counts")
    maps = cg.attribute(cg.sequences.decode(tokens), network, method="ism")
    found = candidates(
        cg.propose(maps, predictor=network, n_patterns=20, rng=1),
        maps,
        network.predict(tokens).std(axis=0),
        both_strands=True,
    )
    near = [max((one, other), key=lambda word: _shared(x.label, word)) for x in found]
    assert sorted(near) == sorted([one, other])


def _shared(label: str, word: str) -> int:
    """Return the length of the longest run of a word that a label has."""
    runs = [word[k:stop] for k in range(len(word)) for stop in range(k, len(word) + 1)]
    strands = label, label[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return max(len(run) for run in runs if any(run in x for x in strands))


def test_a_motif_without_another_order_is_left_out_and_said() -> None:
    def answer(one_hot):
        return _present(one_hot, "AAAAAAAA").any(axis=1).astype(float)

    given = _planted(["AAAAAAAA"], length=60)
    found = cg.audit(cg.FunctionPredictor(answer), given, progress=False, rng=0)
    assert any(x.startswith("AAAAAAAA, ") for x in found.left_out)
    assert "AAAAAAAA" not in [one.label for one in found.candidates]
    assert found.counts["proposed"] > len(found.candidates)


def test_sites_of_which_few_have_another_order_say_nothing() -> None:
    """Runs of purines in any order: orders without one are those of chance sites."""

    def answer(one_hot):
        purines = one_hot[:, ::2].sum(axis=1)
        runs = np.lib.stride_tricks.sliding_window_view(purines, 11, axis=1)
        return (runs.sum(axis=2) > 10.5).any(axis=1).astype(float)

    rng = np.random.default_rng(31)
    tokens = _tokens(rng, 200, 80)
    for row in tokens[:120]:
        at = int(rng.integers(60))
        row[at : at + 11] = 2 * rng.integers(0, 2, 11)
    given = cg.sequences.decode(tokens)
    found = cg.audit(cg.FunctionPredictor(answer), given, progress=False, rng=0)
    assert not found.motifs["reads"].any()


def test_motifs_are_ranked_by_what_matters_of_each_effect() -> None:
    verdicts = {"lost_verdict": "decreases", "alone_verdict": "increases"}
    effects = {"lost": [-0.5, -0.1], "alone": [2.0, 2.0]}
    rows = pd.DataFrame(effects | {"region": 0.1, "region_alone": 1.0} | verdicts)
    assert sizes(rows).tolist() == pytest.approx([5.0, 2.0])


def test_alone_is_beyond_what_a_next_order_of_the_letters_would_do() -> None:
    rng = np.random.default_rng(4)
    each = 0.3 + 0.2 * rng.normal(size=19)
    effects = xr.Dataset(
        {
            "ice": (
                ("contrast", "unit", "task"),
                np.tile(each[:, None, None], (1, 5, 1)),
            )
        },
        {"task": ["y"]},
    )
    (low, high) = region_alone(effects, {"y": 0.1})["y"]
    new = each.mean() + np.sqrt(1 + 1 / 19) * each.std(ddof=1) * stats.t.ppf(0.975, 18)
    assert high == pytest.approx(new + 0.15)
    assert low == pytest.approx(min(-0.15, 2 * each.mean() - new - 0.15))


def test_opposite_motifs_of_one_strand_are_two() -> None:
    def answer(one_hot):
        up, down = (
            _present(one_hot, word).sum(axis=1) for word in ("TGTAAATA", "ATTTA")
        )
        return 1.0 * up - 0.8 * down

    given = _planted(["TGTAAATA", "ATTTA"], length=90)
    found = cg.audit(cg.FunctionPredictor(answer), given, progress=False, rng=0)
    read = found.motifs[found.motifs["reads"]].set_index("motif")
    assert np.sign(read["alone"]).to_dict() == {"TGTAAATA": 1, "ATTTA": -1}
    assert (read["strand"] == "+").all()

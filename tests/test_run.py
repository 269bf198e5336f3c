# Imports from the inside: turns and bars of a trial, which no public verb shows.
"""Trials: outcomes are what the predictor says of the edited units, whatever the order,
batch or company.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from rich.console import Console

import causalgia as cg
from causalgia.design import Intervention
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    PredictorError,
    StoreError,
)
from causalgia.predict import Predictor
from causalgia.trial.outcomes import meter
from causalgia.trial.turns import Trial

ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA": cg.Embed("AGATAAG", at=20),
    "scramble": cg.Scramble((10, 40)),
}
PARENTS = ["".join(np.random.default_rng(i).choice(list("ACGT"), 60)) for i in range(5)]
NULL = cg.DinucleotideShuffle(of=PARENTS)


def word_count(x: np.ndarray) -> np.ndarray:
    """Two tasks: where the G are, and how many A."""
    return np.stack(
        [(x[:, 2] * np.arange(x.shape[2])).sum(1), x[:, 0].sum(1)], axis=1
    ).astype(np.float64)


def predictor(**options) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        word_count, **{"tasks": ["G", "A"], "scale": "counts", **options}
    )


def design(**changes) -> cg.Design:
    return cg.Design(**{"null": NULL, "arms": ARMS, "n_units": 30, **changes})


class Recorder(Predictor):
    """A predictor that remembers what it was asked."""

    tasks = ("y",)
    fingerprint = "0" * 16
    scale = "counts"

    def __init__(self, answer=lambda tokens: tokens.sum(1, dtype=float)):
        self.asked: list[np.ndarray] = []
        self.answer = answer

    def resolve_batch_size(self, length):
        return 7

    def predict(self, tokens, *, progress=None):
        self.asked.append(tokens.copy())
        if progress:
            progress(len(tokens))
        return self.answer(tokens)[:, None]


def test_outcomes_are_the_answers_for_the_edited_units():
    outcomes = cg.run(design(), predictor(), rng=7)
    backgrounds = NULL.sample(30, rng=7)
    assert outcomes["outcome"].dims == ("unit", "arm", "task")
    one_hot = np.eye(4)[backgrounds["sequence"].values].transpose(0, 2, 1)
    np.testing.assert_array_equal(
        outcomes["outcome"].sel(arm="untreated"), word_count(one_hot)
    )
    treated = backgrounds["sequence"].values.copy()
    treated[:, 20:27] = [0, 2, 0, 3, 0, 0, 2]
    np.testing.assert_array_equal(
        outcomes["outcome"].sel(arm="GATA"),
        word_count(np.eye(4)[treated].transpose(0, 2, 1)),
    )
    np.testing.assert_array_equal(outcomes["parent"], backgrounds["parent"])
    assert np.bincount(outcomes["parent"]).tolist() == [6] * 5
    np.testing.assert_array_equal(outcomes["gc"], backgrounds["gc"])
    assert outcomes["do"].sel(arm="GATA").item() == "do(x[20:27] = AGATAAG)"
    assert outcomes["kind"].values.tolist() == [
        "untreated",
        "placebo",
        "embed",
        "scramble",
    ]
    assert outcomes["random"].values.tolist() == [False, True, False, True]
    assert outcomes.attrs["scale"] == "counts"
    assert outcomes.attrs["null"] == "dinucleotide shuffles of 5 sequences of 60 bp"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_the_predictors(dtype):
    fn = cg.FunctionPredictor(
        lambda x: x.sum((1, 2)).astype(dtype) + x[:, 0, 0], tasks=["y"], scale="counts"
    )
    fixed = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(1).astype(dtype), tasks=["y"], scale="counts"
    )
    del fn
    assert cg.run(design(), fixed, rng=0)["outcome"].dtype == dtype


def test_results_do_not_depend_on_batch_size_or_other_arms_and_a_short_trial_starts_the_long_one():
    whole = cg.run(design(), predictor(batch_size=512), rng=0)
    np.testing.assert_array_equal(
        whole["outcome"], cg.run(design(), predictor(batch_size=1), rng=0)["outcome"]
    )
    fewer = cg.run(
        design(arms={k: ARMS[k] for k in ("scramble", "placebo")}), predictor(), rng=0
    )
    np.testing.assert_array_equal(
        whole["outcome"].sel(arm=["scramble", "placebo"]), fewer["outcome"]
    )
    longer = cg.run(design(n_units=1_100), predictor(), rng=0)
    np.testing.assert_array_equal(whole["outcome"], longer["outcome"][:30])


def test_each_distinct_sequence_is_predicted_once():
    recorder = Recorder()
    arms = {
        **ARMS,
        "same as GATA where G": cg.Embed("AGATAAG", at=20)
        + cg.Mutate(at=50, bases="G"),
    }
    cg.run(design(arms=arms, n_units=1_500), recorder, rng=0)
    # the batch-mate check asks 8 + 1 + 8 + 8 rows
    checks = sum(len(rows) for rows in recorder.asked[:4])
    alone = np.concatenate([rows for rows in recorder.asked[:4] if len(rows) == 1])
    # whether answers are still the same
    np.testing.assert_array_equal(recorder.asked[-1], alone)
    # a motif and its reverse complement are compared in 16 units of their own
    asked = np.concatenate([rows for rows in recorder.asked if len(rows) > 32])
    assert len(asked) == len(np.unique(asked, axis=0))
    assert len(asked) < 5 * 1_500
    assert checks <= 40


def test_parallel_trials_give_each_unit_one_arm():
    outcomes = cg.run(design(assignment="parallel", n_units=40), predictor(), rng=0)
    assert outcomes["outcome"].dims == ("unit", "task")
    crossover = cg.run(design(n_units=40), predictor(), rng=0)["outcome"]
    for unit, arm in enumerate(outcomes["assigned"].values):
        np.testing.assert_array_equal(
            outcomes["outcome"][unit], crossover.sel(arm=arm)[unit]
        )
    assert np.unique(outcomes["assigned"], return_counts=True)[1].tolist() == [10] * 4
    first = cg.run(design(assignment="parallel", n_units=20), predictor(), rng=0)
    np.testing.assert_array_equal(first["assigned"], outcomes["assigned"][:20])


def test_blocks_hold_every_arm():
    outcomes = cg.run(
        design(assignment="parallel", n_units=40, blocks="parent"), predictor(), rng=0
    )
    np.testing.assert_array_equal(outcomes["block"], outcomes["parent"])
    table = (
        outcomes["assigned"]
        .to_series()
        .groupby(outcomes["block"].values)
        .value_counts()
    )
    assert set(table) == {2}
    labels = ["a"] * 10 + ["b"] * 30
    given = cg.run(
        design(assignment="parallel", n_units=40, blocks=labels), predictor(), rng=0
    )
    assert given["block"].values.tolist() == labels


def test_a_longer_trial_in_blocks_starts_with_the_shorter_one():
    labels = ["z"] * 20 + ["a"] * 20
    longer = cg.run(
        design(assignment="parallel", n_units=40, blocks=labels), predictor(), rng=0
    )
    shorter = cg.run(
        design(assignment="parallel", n_units=20, blocks=labels[:20]),
        predictor(),
        rng=0,
    )
    np.testing.assert_array_equal(longer["assigned"][:20], shorter["assigned"])
    three = [
        cg.Genomic(of=PARENTS, n_draws=2).sample(n, rng=4)["parent"].values.tolist()
        for n in (4, 6, 8)
    ]
    assert three[0] == three[1][:4] == three[2][:4]


def test_factor_levels_are_coordinates():
    arms = [
        cg.Arm("control", cg.Untreated()),
        cg.Arm(
            "near",
            cg.Mutate(at=3, bases="A"),
            levels={"distance": 3, "strand": "+", "known": True},
        ),
        cg.Arm(
            "far",
            cg.Mutate(at=40, bases="A"),
            levels={"distance": 40, "strand": "-", "known": False},
        ),
    ]
    outcomes = cg.run(design(arms=arms), predictor(), rng=0)
    np.testing.assert_array_equal(outcomes["distance"], [np.nan, 3, 40])
    assert outcomes["strand"].values.tolist() == ["", "+", "-"]
    np.testing.assert_array_equal(outcomes["known"], [np.nan, 1, 0])
    factorial = cg.run(
        design(arms=cg.factorial({"A": ARMS["GATA"], "B": cg.Mutate(at=3, bases="C")})),
        predictor(),
        rng=0,
    )
    assert factorial["A"].dtype.kind == "i"


def test_arms_of_other_lengths_go_to_a_predictor_that_takes_them():
    arms = {
        "control": cg.Untreated(),
        "insert": cg.Insert("GGG", at=0),
        "delete": cg.Delete((0, 5)),
    }
    outcomes = cg.run(design(arms=arms), predictor(), rng=0)["outcome"]
    g, a = outcomes.sel(arm="control", task="G"), outcomes.sel(arm="insert", task="G")
    assert (a > g).all()


def test_several_draws_of_one_sequence_run_and_several_copies_of_it_do_not():
    arms = {"u": cg.Untreated(), "s": cg.Scramble((0, 20))}
    places = cg.FunctionPredictor(
        lambda x: (x[:, 2] * np.arange(x.shape[2])).sum(1), tasks=["G"], scale="sum"
    )
    once = cg.run(
        design(null=cg.Genomic(of=[PARENTS[0]], n_draws=8), arms=arms, n_units=8),
        places,
        rng=0,
    )
    assert len(np.unique(once["outcome"].sel(arm="s"))) > 1
    with pytest.raises(DesignError):
        design(null=cg.Genomic(of=[PARENTS[0]] * 4, n_draws=2), arms=arms, n_units=8)


def test_models_of_an_ensemble_are_a_dim():
    twice = cg.Ensemble([predictor(), predictor(rc_average=True)], names=["a", "b"])
    outcomes = cg.run(design(), twice, rng=0)
    assert outcomes["outcome"].dims == ("unit", "arm", "task", "model")
    alone = cg.run(design(), predictor(), rng=0)
    np.testing.assert_array_equal(outcomes["outcome"].sel(model="a"), alone["outcome"])


def test_units_of_one_sequence_are_not_refused_for_their_artificial_company():
    only = "ACCA" * 15
    no_g = cg.FunctionPredictor(
        lambda x: np.where(x[:, 2:].any((1, 2)), np.nan, x[:, 0].sum(1)), tasks=["y"]
    )
    arms = {"control": cg.Untreated(), "shuffled": cg.Scramble((0, 60))}
    with pytest.warns(DegenerateWarning):
        cg.run(
            cg.Design(null=cg.Genomic(of=[only], n_draws=10), arms=arms, n_units=10),
            no_g,
            rng=0,
        )


def test_a_constant_predictor_is_answered_with_a_warning():
    constant = cg.FunctionPredictor(
        lambda x: np.ones(len(x)), tasks=["y"], scale="counts"
    )
    with pytest.warns(DegenerateWarning):
        outcomes = cg.run(design(), constant, rng=0)
    assert (outcomes["outcome"] == 1).all()


def test_one_sequence_drawn_many_times_is_a_trial_where_an_arm_draws():
    arms = {"real": cg.Untreated(), "scrambled": cg.Scramble((10, 40))}
    g_places = cg.FunctionPredictor(lambda x: word_count(x)[:, 0])
    outcomes = cg.run(
        cg.Design(null=cg.Genomic(of=PARENTS[:1], n_draws=10), arms=arms, n_units=10),
        g_places,
        rng=0,
    )
    y = outcomes["outcome"].squeeze("task")
    assert (
        np.unique(y.sel(arm="real")).size == 1 < np.unique(y.sel(arm="scrambled")).size
    )


def test_two_units_alike_by_chance_are_two_units():
    one_base = cg.Design(
        null=cg.Uniform(length=1),
        arms={"a": cg.Mutate(at=0, bases="A"), "g": cg.Mutate(at=0, bases="G")},
        n_units=2,
    )
    twins = [
        seed
        for seed in range(40)
        if np.ptp(one_base.null.sample(2, rng=seed)["sequence"].values) == 0
    ]
    is_g = cg.FunctionPredictor(lambda x: x[:, 2, 0])
    assert cg.run(one_base, is_g, rng=twins[0])[
        "outcome"
    ].squeeze().values.tolist() == [[0, 1], [0, 1]]


@dataclass(frozen=True)
class Fussy(Intervention):
    """Cannot be applied to some units."""

    kind = "fussy"
    message: str = "position 3 is not what I want"
    error: type[Exception] = DesignError

    terms = ("x",)

    def lay(self, layout):
        return layout

    def apply(self, tokens, *, units, key):
        raise self.error(self.message)

    def to_dict(self):
        return {"fussy": self.message}


@pytest.mark.parametrize("n_units", [10**12, 2**48 - 1])
@pytest.mark.parametrize("how", ["store", "moments"])
def test_more_turns_than_can_be_listed_are_refused(tmp_path, n_units, how):
    options = (
        {"store": tmp_path / "trial.zarr"} if how == "store" else {"keep": "moments"}
    )
    plan = cg.Design(
        null=cg.Uniform(length=45), arms=ARMS, n_units=n_units, contrasts="untreated"
    )
    with pytest.raises(DesignError):
        cg.run(plan, predictor(), rng=0, **options)
    assert not list(tmp_path.iterdir())


def test_the_bar_is_silent_when_not_a_terminal(capfd):
    cg.run(design(), predictor(), rng=0, progress=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "rate"), [(0.5, "2,468/s"), (500.0, "2.5/s")])
def test_a_terminal_shows_outcomes_per_second(seconds, rate):
    text, now = io.StringIO(), [0.0]
    console = Console(
        file=text, force_terminal=True, width=100, get_time=lambda: now[0]
    )
    with meter(5_000, show=True, console=console) as advance:
        advance(0)
        now[0] = seconds
        advance(1_234)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())
    assert re.search(rf"predicting .*1234/5000 +{rate} +\d:\d\d:\d\d", drawn)
    assert "/s" not in drawn.partition("1234/5000")[0]


def test_a_trial_at_a_terminal_shows_a_rate(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    cg.run(design(), predictor(), rng=0)
    out, err = capfd.readouterr()
    assert out == ""
    assert re.search(r"120/120", err)
    assert "/s" in err


def test_every_outcome_is_counted_once():
    done = []
    trial = Trial(
        design(arms={**ARMS, "G": cg.Mutate(at=50, bases="G")}), predictor(), key=0
    )
    turn = trial.prepare(0, 30)
    trial.answer(turn, advance=done.append)
    assert turn.n_distinct < turn.n_rows == sum(done) == 5 * 30
    assert len(done) <= 3


class Counting(Recorder):
    """A predictor whose fingerprint moves with every call, as that of a network that
    counts its calls does.
    """

    @property
    def fingerprint(self):
        return f"{len(self.asked):016x}"


def test_the_fingerprint_is_that_of_the_predictor_before_it_was_asked():
    runs = [cg.run(design(), Counting(), rng=0) for _ in range(2)]
    assert [outcomes.attrs["predictor_fingerprint"] for outcomes in runs] == [
        "0" * 16
    ] * 2


def test_fingerprints_travel_with_the_outcomes():
    one, two = (
        cg.run(design(), predictor(), rng=0),
        cg.run(design(n_units=31), predictor(), rng=0),
    )
    assert (
        one.attrs["design_fingerprint"]
        == design().fingerprint
        != two.attrs["design_fingerprint"]
    )
    assert (
        one.attrs["predictor_fingerprint"]
        == two.attrs["predictor_fingerprint"]
        == predictor().fingerprint
    )
    assert one.attrs["rng"] == "0"


def test_one_unit_runs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cg.run(design(n_units=1), predictor(), rng=0).sizes["unit"] == 1


# what is kept with the outcomes


def test_the_analysis_is_kept_as_it_was_fixed():
    ask = cg.Analysis(control="placebo", rope=(-1, 1))
    outcomes = cg.run(design(), predictor(), rng=0, analysis=ask)
    assert outcomes.attrs["analysis"] == ask.to_json()
    assert outcomes.drop_attrs().identical(
        cg.run(design(), predictor(), rng=0).drop_attrs()
    )


def test_the_design_is_kept_and_its_intervention_may_be_ones_own():
    from causalgia.trial.attributes import load_design

    assert load_design(cg.run(design(), predictor(), rng=0)) == design()

    @dataclass(frozen=True)
    class Unwritable(Fussy):
        def apply(self, tokens, *, units, key):
            return tokens

        def to_dict(self):
            return {"fussy": object()}

        def identity(self):
            return {"fussy": self.message}

    arms = {"control": cg.Untreated(), "own": Unwritable()}
    with pytest.raises(DataError):
        load_design(cg.run(design(arms=arms), predictor(), rng=0))


def changing(what, after):
    """Return a predictor whose answers change after so many sequences."""
    answered = 0

    def answer(x):
        nonlocal answered
        answered += len(x)
        share = x[:, 0].sum(-1).astype(np.float64)
        if answered <= after:
            return share
        return share.astype(np.float32) if what == "dtype" else share + 1

    return cg.FunctionPredictor(answer, tasks=["y"], scale="counts")


def test_a_predictor_that_changes_midway_leaves_no_complete_store(tmp_path):
    with pytest.raises(PredictorError):
        cg.run(
            design(n_units=300),
            changing("answers", after=900),
            rng=0,
            store=tmp_path / "trial",
        )
    with pytest.raises(StoreError):
        cg.open(tmp_path / "trial")

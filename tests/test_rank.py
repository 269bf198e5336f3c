"""Scores from elsewhere have the ranks that matched variants have, and uniform p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import causalgia as cg
from causalgia.errors import DataError, EstimateError


@pytest.fixture(scope="module")
def trial(tmp_path_factory) -> tuple[object, object]:
    """Return an experiment of 60 variants among 6,000 matched ones, and its answer."""
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("ACGT"), 8_000))
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">chr1\n{letters}\n")
    at = rng.choice(np.arange(100, 7_900), 60, replace=False)
    listed = pd.DataFrame(
        {
            "chrom": "chr1",
            "pos": at + 1,
            "ref": [letters[k] for k in at],
            "alt": ["ACGT"[("ACGT".index(letters[k]) + 1) % 4] for k in at],
        }
    )
    weights = rng.normal(size=(4, 41))

    def answer(one_hot):
        linear = np.einsum("ncp,cp->n", one_hot, weights)
        both = np.stack([np.tanh(linear / 3), np.exp(linear / 5)], axis=1)
        return np.round(1_024 * both) / 1_024  # ties are exact

    experiment = cg.experiments.variants(
        listed,
        path,
        length=41,
        null=cg.MatchedVariants(
            of="genome", match=("substitution", "length"), min_nulls=200
        ),
        n_null=6_000,
        tail=True,
    )
    network = cg.FunctionPredictor(
        answer, tasks=["bounded", "curved"], scale="activity"
    )
    outcomes = cg.run(experiment, network, rng=0, progress=False)
    return experiment, experiment.analyze(outcomes)


def test_ranks_are_those_of_matched_variants_to_the_bit(trial) -> None:
    experiment, answer = trial
    rows, strata = answer.estimates, experiment.strata
    of_null = np.empty(6_000, int)
    for k, members in enumerate(strata.nulls):
        of_null[members] = k
    assert len(strata.nulls) > 3
    found = cg.rank(
        pd.DataFrame(rows["ace"].to_numpy(), columns=rows["task"].to_numpy()),
        pd.DataFrame(
            answer.findings["null variants"]["effect"].to_numpy(),
            columns=rows["task"].to_numpy(),
        ),
        strata=(strata.of_effect, of_null),
        tail=True,
    )
    for column, name in (
        ("p", "p_matched"),
        ("q", "q_matched"),
        ("n_null", "n_matched"),
        ("tail_p", "tail_p"),
        ("tail_by", "tail_by"),
    ):
        np.testing.assert_array_equal(found[column], rows[name].to_numpy().ravel())


def test_p_counts_the_null_scores_that_are_as_extreme() -> None:
    scores, nulls = np.array([2.0, -3.0, 0.0]), np.array([-3.0, -2.0, 0.5, 1.0, 2.0])
    expected = {
        "two-sided": [4 / 6, 2 / 6, 1.0],
        "greater": [2 / 6, 1.0, 4 / 6],
        "less": [1.0, 2 / 6, 3 / 6],
    }
    for alternative, p in expected.items():
        found = cg.rank(scores, nulls, alternative=alternative)
        np.testing.assert_allclose(found["p"], p, rtol=1e-15)
        np.testing.assert_allclose(found["q"], stats.false_discovery_control(p))


def test_strata_are_ranked_apart_whatever_their_labels() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "score": rng.normal(size=40),
            "place": rng.choice(["exon", "intron"], 40),
            "bin": rng.integers(0, 2, 40),
        },
        index=[f"rs{k}" for k in range(40)],
    )
    nulls = pd.DataFrame(
        {
            "score": rng.normal(size=500),
            "place": rng.choice(["exon", "intron", "utr"], 500),
            "bin": rng.integers(0, 3, 500),
        }
    )
    keys = ["place", "bin"]
    found = cg.rank(table["score"], nulls["score"], strata=(table[keys], nulls[keys]))
    assert found.index.equals(table.index)
    for label, own in table.groupby(keys):
        mine = (nulls[keys] == list(label)).all(axis=1)
        apart = cg.rank(own["score"], nulls.loc[mine, "score"])
        pd.testing.assert_series_equal(found.loc[own.index, "p"], apart["p"])
        assert (found.loc[own.index, "n_null"] == mine.sum()).all()


def test_p_of_one_null_distribution_is_uniform_on_its_steps() -> None:
    """Every score among the others has each rank once, whatever the distribution."""
    values = np.random.default_rng(2).standard_cauchy(101)
    for alternative in ("two-sided", "greater", "less"):
        p = [
            cg.rank(values[[k]], np.delete(values, k), alternative=alternative)["p"][0]
            for k in range(101)
        ]
        np.testing.assert_allclose(np.sort(p), np.arange(1, 102) / 101)


def test_a_tail_is_fitted_on_the_side_that_is_asked() -> None:
    nulls = np.random.default_rng(3).laplace(-50, 1, 5_000)
    above = cg.rank([-40.0], nulls, alternative="greater", tail=True)
    below = cg.rank([-60.0], nulls, alternative="less", tail=True)
    two = cg.rank([10.0], nulls + 50, tail=True)
    for found in (above, below, two):
        assert found["tail_by"].tolist() == ["tail"]
        assert found["tail_p"][0] < found["p"][0]
    mirrored = cg.rank([40.0], -nulls, alternative="less", tail=True)
    assert mirrored["tail_p"][0] == above["tail_p"][0]


NULLS = np.arange(5.0)
WRONG = {
    "a score that is no number": ([1.0, np.nan], NULLS, {}),
    "an infinite null score": ([1.0], [np.inf, 1.0], {}),
    "no null scores": ([1.0], [], {}),
    "no scores": ([], NULLS, {}),
    "one score, in no list": (3.0, NULLS, {}),
    "three dimensions": (np.ones((2, 3, 2)), np.ones((5, 3, 2)), {}),
    "complex scores": ([1 + 2j], NULLS, {}),
    "a complex null score": ([1.0], pd.Series([1.0, 2j, "x"], dtype=object), {}),
    "scores that are texts": (["high"], NULLS, {}),
    "columns of other names": (
        pd.DataFrame({"a": [1.0], "b": [1.0]}),
        pd.DataFrame({"a": [1.0], "c": [1.0]}),
        {},
    ),
    "labels of scores alone": ([1.0], NULLS, {"strata": (["x"],)}),
    "fewer labels than null scores": ([1.0], NULLS, {"strata": (["x"], ["x"] * 4)}),
    "a label without null scores": ([1.0], NULLS, {"strata": (["y"], ["x"] * 5)}),
    "a label that is missing": ([1.0], NULLS, {"strata": ([None], ["x"] * 5)}),
    "labels in another order": (
        pd.Series([1.0, 2.0], ["a", "b"]),
        NULLS,
        {"strata": (pd.Series(["x", "x"], ["b", "a"]), ["x"] * 5)},
    ),
    "other keys": (
        [1.0],
        NULLS,
        {
            "strata": (
                pd.DataFrame({"a": [0], "b": [0]}),
                pd.DataFrame({"b": [0] * 5, "c": [0] * 5}),
            )
        },
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tables_are_refused(name: str) -> None:
    scores, nulls, more = WRONG[name]
    with pytest.raises(DataError):
        cg.rank(scores, nulls, **more)


def test_an_unknown_alternative_is_refused() -> None:
    with pytest.raises(EstimateError) as error:
        cg.rank([1.0], NULLS, alternative="larger")
    assert error.value.argument == "alternative"

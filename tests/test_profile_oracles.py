# Imports from the inside: oracles of profiles, whose curves are known.
"""Oracles whose profiles are known."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.sequences.alphabet import reverse_complement
from causalgia.zoo.oracles import Imprint, ProfileOracle

WORDS = {"footprint": "AGATAAG", "promoter": "TATAAA"}


def oracle(name: str) -> ProfileOracle:
    return getattr(cg.zoo, name)()


def design(
    name: str, n: int = 60, null: cg.design.NullModel | None = None
) -> cg.Design:
    arms = {
        "control": cg.Placebo(WORDS[name], at=90),
        "site": cg.Embed(WORDS[name], at=90),
        "two": cg.Embed(WORDS[name], at=90) + cg.Embed(WORDS[name], at=110),
    }
    return cg.Design(
        null=null or cg.Uniform(length=200), arms=arms, n_units=n, contrasts="control"
    )


@pytest.mark.simulation
@pytest.mark.parametrize("name", WORDS)
def test_true_curves_are_what_many_units_show(name):
    made = oracle(name)
    profile = cg.Profile(of=["A" * 200, "C" * 200, "G" * 200, "T" * 200, "A" * 200])
    for null in (cg.Uniform(length=200), profile):
        truth = made.true_curve(design(name, null=null))
        moments = cg.run(design(name, 4_000, null=null), made, rng=0, keep="moments")
        away = np.abs(moments["ice_mean"] - truth) / (
            moments["ice_sd"] / np.sqrt(4_000)
        ).where(moments["ice_sd"] > 0)
        seen = moments["ice_leverage"] < 0.02
        assert float(away.where(seen).max()) < 5
        assert float(np.abs(truth).max()) > 3
    with pytest.raises(PredictorError):
        made.true_curve(
            design(name, null=cg.DinucleotideShuffle(of=["ACGT" * 50, "AACCGGTT" * 25]))
        )


def test_expectations_are_enumerated():
    made = ProfileOracle(
        Imprint("a", "GA", heights=(-1.0, 2.0), start=-1, flank_gain=0.3, flank=2),
        Imprint("b", "NC", heights=(1.0,), flank_gain=-0.2, flank=-3),
        baseline=3.0,
    )
    tokens = np.stack(
        np.meshgrid(*[np.arange(4, dtype=np.uint8)] * 6, indexing="ij"), -1
    ).reshape(-1, 6)
    p = np.array([0.1, 0.2, 0.3, 0.4])
    weight = p[tokens].prod(axis=1)
    exact = (made.predict(tokens) * weight[:, None, None]).sum(axis=0)
    np.testing.assert_allclose(
        made.expected(np.tile(p, (1, 6, 1)))[0], exact, rtol=1e-12
    )


def test_a_promoter_is_the_same_on_the_other_strand():
    made = oracle("promoter")
    rows = cg.run(design("promoter", 1), made, rng=0)
    assert rows["task"].values.tolist() == ["plus", "minus"]
    tokens = np.random.default_rng(0).integers(0, 4, (50, 200), dtype=np.uint8)
    tokens[:, 80:86] = [3, 0, 3, 0, 0, 0]
    one, other = made.predict(tokens), made.predict(reverse_complement(tokens))
    np.testing.assert_allclose(other[:, ::-1, ::-1], one, rtol=1e-12)
    assert one[:, 80 + 30, 0].min() >= 19

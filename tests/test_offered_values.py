"""What an error offers instead of a wrong argument is taken: every argument of every
public call that has an example, wrong in a score of ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from offers import Trial, settings_offered, trials
from working_calls import methods, public

import causalgia as cg

SLOW = {
    *("DinucleotideShuffle", "KletShuffle", "Markov", "attribution.filters"),
    *("attribution.match", "calibrate", "check"),
    *("confirm", "discover", "experiments.greedy_tiles", "experiments.junctions"),
    *("experiments.null_models", "experiments.tile_placement"),
    *("experiments.tile_search", "from_effects", "mpra.cheapest"),
    "mpra.split_duplicates",
    *("plot.tipping_point", "predict.export_onnx"),
    *("propose", "refute", "report"),
    *("tipping_point", "attribution.dfim"),
    *("analyze", "predict.from_keras_h5"),
}
"""Calls whose examples take long; what they check, other calls check as well."""

OF_THE_DATA = {
    ("decide", "rope"): "'0.2 sd' needs a control arm, 'placebo' placebos",
    ("verdicts.heterogeneity", "rope"): "the same",
    ("experiments.necessity", "tile_width"): "a shuffle of k-lets needs 2 k bases",
    ("experiments.sufficiency", "tile_width"): "a shuffle of k-lets needs 2 k bases",
    ("experiments.variant_effects", "length"): "one base is the same in all windows",
    ("experiments.variant_screen", "n_null"): "the strata need more, with a region",
    ("mpra.library", "oligo_length"): "the adapters take their bases of it",
    (
        "mpra.prediction_powered",
        "trained_on_measured",
    ): "True is read, and refused: no interval is right then",
    ("mpra.variant_tiles", "insert_length"): "the alleles and offsets need more",
    ("sequences.read_variants", "schema"): "one file has one of the schemas",
    ("Copy", "at"): "a copy may not overlap its source",
    ("experiments.motif_pair", "distances"): "the motifs are longer",
    ("experiments.motif_pairs", "distances"): "the motifs are longer",
    ("sample_size", "rope"): "no number of units suffices where the effect is 0",
    ("contrast_models", "contrasts"): "the example names arms of another design",
    **{
        (
            f"experiments.{name}",
            "rope",
        ): "'0.2 sd' needs a control arm, 'placebo' placebos"
        for name in (
            *("context_dependence", "necessity", "position", "site_pairs"),
            *("sufficiency", "tile_copies", "tile_interactions"),
        )
    },
    ("attribute", "method"): "an edit of one argument cannot give the other's",
}
"""Offers that are right for the argument alone, and refused for what else is given; the
second error says so.
"""


def callables() -> Iterator[tuple[str, Any]]:
    for name, value in public():
        yield name, value
        if isinstance(value, type):
            yield from methods(name, value)


@pytest.mark.rotating
@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=name)
        for name, value in callables()
        if name not in SLOW and ">>>" in (value.__doc__ or "")
    ],
)
def test_what_an_error_offers_is_taken(name, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = [
        str(one)
        for one in trials(name, value)
        if one.after is not None and (name, one.argument) not in OF_THE_DATA
    ]
    assert not refused, "\n".join(refused[:3])


TRIED_IN_MANY_WAYS = (
    *("adjust", "estimate", "estimation.covariance", "estimation.from_incomplete"),
    *("estimation.sign_flip_test", "estimation.variance_components"),
    *("multiplicity.placebo_rank", "multiplicity.rank_intervals"),
    *("posterior.as_arviz", "posterior.posterior_predictive"),
)


@pytest.mark.rotating
@pytest.mark.parametrize("name", TRIED_IN_MANY_WAYS)
def test_a_cure_of_each_error_is_taken(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused: dict[str, Trial] = {}
    taken = set()
    for one in trials(name, dict(callables())[name], many=True):
        if one.offer is not None:
            taken |= {str(one.error)} if one.after is None else set()
            refused.setdefault(str(one.error), one)
    left = [str(one) for error, one in refused.items() if error not in taken]
    assert taken
    assert not left, "\n".join(left[:3])


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"rope": (-0.1, 0.1)}, "give ``rope=(-0.1, 0.1)``"),
        ({"prior": cg.Prior(tau_scale=2.0)}, "``prior=cg.Prior(tau_scale=2.0)``"),
    ],
)
def test_a_mention_is_an_offer(what, error):
    cure = cg.errors.DesignError(f"too wide; {error}")
    assert dict(settings_offered(cure)) == what


def test_offers_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made: list[Trial] = list(trials("simultaneous", cg.simultaneous))
    assert sum(one.offer is not None and one.after is None for one in made) > 20


def test_every_exception_is_one_of_a_callable():
    assert {name for name, _ in OF_THE_DATA} | SLOW <= {name for name, _ in callables()}

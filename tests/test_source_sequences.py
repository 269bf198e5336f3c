# Imports from the inside: notes of estimates, and letters of sequences.
"""Source sequences of a null model, predicted beside a trial, and the notes on them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.notes import notes_of
from causalgia.predict import Predictor
from causalgia.sequences.alphabet import decode, encode

WORD, AT, LENGTH = "GATAAG", 30, 60
ARMS = {
    "untreated": cg.Untreated(),
    "GATA": cg.Embed(WORD, at=AT),
    "TAL": cg.Embed("CATCTG", at=AT),
}


def sequences(n, seed=0):
    return decode(
        np.random.default_rng(seed).integers(0, 4, (n, LENGTH)).astype(np.uint8)
    )


SOURCES = {f"peak{i}": text for i, text in enumerate(sequences(40))}
NULL = cg.DinucleotideShuffle(of=SOURCES)


class Counting:
    """Answers two tasks, and counts the distinct sequences that it was asked for."""

    def __init__(self):
        self.rows = 0

    def __call__(self, x):
        self.rows += len(x)
        word = x[:, 2, AT] + x[:, 0, AT + 1] + x[:, 3, AT + 2]
        some = x[:, 1, :20].sum(1)
        return np.stack([word + 0.1 * some, word * some], axis=1).astype(np.float32)


def predictor(ask=None):
    return cg.FunctionPredictor(ask or Counting(), tasks=["K", "H"], scale="counts")


class Stops(Predictor):
    """Answers in float32, and may stop after some sequences."""

    scale = "counts"
    tasks = ("K", "H")
    fingerprint = "1" * 16

    def __init__(self, last=10**9):
        self.asked, self.last = 0, last
        self.weights = np.random.default_rng(0).normal(size=(4, LENGTH, 2)).astype("f4")

    def resolve_batch_size(self, length):
        return 8

    def predict(self, tokens, *, progress=None):
        self.asked += len(tokens)
        if self.asked > self.last:
            raise KeyboardInterrupt
        if progress:
            progress(len(tokens))
        return np.einsum("nlt->nt", self.weights[tokens, np.arange(tokens.shape[1])])


def design(null=NULL, arms=ARMS, control="untreated", **more):
    return cg.Design(null=null, arms=arms, n_units=80, contrasts=control, **more)


def run(of=None, ask=None, real=10, **more):
    of = design() if of is None else of
    return cg.run(of, ask or predictor(), rng=3, progress=False, real=real, **more)


def test_ten_source_sequences_are_predicted_as_they_are():
    outcomes = run()
    assert outcomes["source_outcome"].dims == ("source_sequence", "source_arm", "task")
    assert outcomes["source_outcome"].shape == (10, 3, 2)
    assert outcomes["source_arm"].values.tolist() == ["untreated", "GATA", "TAL"]
    assert "10 of the 40 " in outcomes.attrs["source_sequences"]
    assert outcomes.attrs["source_predictions"] == 30
    for name, row in zip(
        outcomes["source_sequence"].values, outcomes["source_outcome"], strict=True
    ):
        text = SOURCES[str(name)]
        texts = [text] + [text[:AT] + w + text[AT + 6 :] for w in (WORD, "CATCTG")]
        expected = predictor().predict(encode(texts))
        np.testing.assert_array_equal(row.values, expected)


def test_units_are_the_same_bits_with_and_without_them():
    with_them, without = run(), run(real=None)
    added = ["source_outcome", "source_sequence", "source_arm"]
    rest = with_them.drop_vars(added)
    for name in ("source_sequences", "source_predictions"):
        rest.attrs.pop(name)
    xr.testing.assert_identical(rest, without)


def test_the_seed_draws_them():
    def names(rng):
        outcomes = cg.run(design(), predictor(), rng=rng, progress=False, real=10)
        return outcomes["source_sequence"].values.tolist()

    assert names(0) == names(0)
    assert names(0) != names(1)


def test_random_arms_are_drawn_several_times_as_for_the_sequences_themselves():
    arms = {"placebo": cg.Placebo(WORD, at=AT), "GATA": cg.Embed(WORD, at=AT)}
    few = dict(list(SOURCES.items())[:10])
    found = run(design(cg.DinucleotideShuffle(of=few), arms, "placebo"))
    assert found.sizes["source_sequence"] == 40
    genomic = cg.Genomic(of=few, n_draws=4)
    trial = cg.Design(null=genomic, arms=arms, n_units=40, contrasts="placebo")
    themselves = run(trial, real=None)
    for arm in arms:
        np.testing.assert_array_equal(
            found["source_outcome"].sel(source_arm=arm).values,
            themselves["outcome"].sel(arm=arm).values,
        )
    effect = cg.contrast(found)["source_effect"]
    assert effect.shape == (10, 1, 2)
    ice = cg.contrast(themselves)["ice"].groupby("parent").mean().sel(contrast="GATA")
    np.testing.assert_allclose(
        effect.isel(source_contrast=0).sortby("source_sequence").values,
        ice.sortby("parent").values,
        rtol=1e-6,
    )


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_a_store_that_is_resumed_has_the_same_ones(tmp_path, keep):
    whole, again, path = Stops(), Stops(), tmp_path / "t.zarr"
    held = run(ask=whole, keep=keep)
    with pytest.raises(KeyboardInterrupt):
        run(ask=Stops(last=whole.asked - 40), keep=keep, store=path)
    resumed = run(ask=again, keep=keep, store=path)
    assert again.asked <= whole.asked - 30  # sources are not predicted again
    name = "source_outcome" if keep == "outcomes" else "source_effect"
    np.testing.assert_array_equal(resumed[name].values, held[name].values)
    xr.testing.assert_identical(cg.open(path).load(), resumed.load())


def test_effects_and_moments_have_those_of_contrast():
    effects = cg.contrast(run())
    kept = run(keep="effects")
    for name in ("source_effect", "source_answer", "background_answer"):
        xr.testing.assert_identical(kept[name], effects[name])
    moments = run(keep="moments")
    xr.testing.assert_identical(moments["source_effect"], effects["source_effect"])
    assert "source_answer" not in moments


def test_contrasts_of_tasks_and_other_scales():
    outcomes = run()
    effects = cg.contrast(outcomes, control="untreated", tasks="K - H")
    plain = cg.contrast(outcomes, control="untreated")["source_effect"]
    np.testing.assert_allclose(
        effects["source_effect"].values[..., 0], (plain[..., 0] - plain[..., 1]).values
    )
    logs = cg.contrast(outcomes + 0, control="untreated")
    assert "source_effect" in logs
    y = outcomes["source_outcome"].sel(task="K").astype(float)
    some = outcomes.sel(task=["K"]).assign(
        outcome=outcomes["outcome"].sel(task=["K"]) + 1
    )
    some["source_outcome"] = outcomes["source_outcome"].sel(task=["K"]) + 1
    found = cg.contrast(some, control="untreated", scale="log2")["source_effect"]
    expected = np.log2(y + 1).sel(source_arm="GATA") - np.log2(y + 1).sel(
        source_arm="untreated"
    )
    np.testing.assert_allclose(
        found.sel(source_contrast="GATA").values[:, 0], expected.values, atol=1e-6
    )
    assert "source_effect" not in cg.contrast(some, control="untreated", scale="ratio")


def test_no_null_of_letters_and_no_sequences_themselves_and_no_ablation():
    for null in (cg.Uniform(length=LENGTH), cg.Genomic(of=list(SOURCES.values()) * 2)):
        with pytest.raises(DesignError):
            run(design(null))
    few = cg.DinucleotideShuffle(of=list(SOURCES.values())[:2])
    assert "source_outcome" not in run(design(few))
    arms = {"untreated": cg.Untreated(), "out": cg.Ablate((20, 26), fill="uniform")}
    outcomes = run(design(arms=arms))
    assert outcomes["source_arm"].values.tolist() == ["untreated"]
    assert "source_effect" not in cg.contrast(outcomes)


@pytest.mark.parametrize("assignment", ["crossover", "parallel"])
def test_given_sequences_replace_them(assignment):
    given = sequences(25, seed=9)
    trial = design(cg.Uniform(length=LENGTH), assignment=assignment)
    outcomes = run(trial, real=given)
    assert "10 of the 25 " in outcomes.attrs["source_sequences"]
    assert outcomes["source_outcome"].shape == (10, 3, 2)
    assert {"source_effect", "source_answer"} <= set(cg.contrast(outcomes).variables)


def test_reserved_sequences_are_never_predicted():
    trial = design(reserve=0.5)
    reserved = set(map(str, trial.reserved.parents_given.names))
    outcomes = run(trial)
    assert "10 of the 20 " in outcomes.attrs["source_sequences"]
    assert not reserved & set(outcomes["source_sequence"].values.tolist())


def test_an_ensemble_has_them_by_model():
    both = cg.Ensemble([predictor(), predictor(lambda x: 2 * Counting()(x))])
    outcomes = run(ask=both)
    assert outcomes["source_outcome"].dims[-1] == "model"
    effects = cg.contrast(outcomes)
    np.testing.assert_allclose(
        effects["source_effect"].values[..., 1],
        2 * effects["source_effect"].values[..., 0],
    )
    cg.estimate(effects, target="population x predictors")
    cg.estimate(cg.contrast_models(outcomes, control=outcomes["model"].values[0]))


def background_dependent(x):
    """GATA counts 1, and 4 in sequences with the mark that shuffles seldom keep."""
    has = x[:, 2, AT] * x[:, 0, AT + 1] * x[:, 3, AT + 2] * x[:, 0, AT + 3]
    mark = np.prod([x[:, "ACGT".index(b), i] for i, b in enumerate("ACGTAC")], axis=0)
    noise = 0.2 * (x[:, 1, 40:].sum(1) - 4)
    y = (1 + 0.1 * noise) * has * (1 + 3 * mark) + 5 * mark + noise
    return np.stack([y, noise * (1 + has)], 1).astype("f4")


MARKED = {f"m{i}": "ACGTAC" + text[6:] for i, text in enumerate(sequences(30, seed=5))}


def test_the_schema_has_them():
    outcomes = run()
    json.dumps(outcomes.attrs)
    cg.schema.validate(outcomes, "outcomes")


@pytest.mark.parametrize("keep", ["outcomes", "effects"])
def test_backgrounds_unlike_the_sequences_are_noted(keep):
    trial = design(cg.DinucleotideShuffle(of=MARKED))
    outcomes = run(trial, predictor(background_dependent), keep=keep)
    estimates = cg.estimate(cg.contrast(outcomes) if keep == "outcomes" else outcomes)
    (note,) = [n for n in notes_of(estimates) if "source sequences" in n]
    assert note.startswith("10 of 10 ")
    assert " in K " in note
    assert not any("source seq" in n for n in notes_of(cg.estimate(cg.contrast(run()))))


def test_as_many_as_are_asked_for_are_predicted():
    assert "25 of the 40 " in run(real=25).attrs["source_sequences"]


@pytest.mark.real
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_agataag_in_fly_enhancers_is_not_what_it_is_on_their_shuffles(shared):
    """On the enhancer network of de Almeida et al. 2022,
    doi:10.1038/s41588-022-01048-5.
    """
    pytest.importorskip("torch")
    folder = shared / "data/models/deepstarr"
    network = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )
    enhancers = str(shared / "data/sequences/fly_249/enhancers.fasta.gz")
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=100),
        "GATA": cg.Embed("AGATAAG", at=100),
    }
    null = cg.DinucleotideShuffle(of=enhancers)
    trial = cg.Design(null=null, arms=arms, n_units=300, contrasts="placebo")
    outcomes = cg.run(trial, network, rng=0, progress=False, real=10)
    assert outcomes.attrs["source_predictions"] == 60
    effects = cg.contrast(outcomes)
    estimates = cg.estimate(effects)
    ace = float(estimates["ace"].sel(contrast="GATA", task="dev"))
    assert ace == pytest.approx(0.62, abs=0.06)
    inside = float(effects["source_effect"].sel(task="dev").mean())
    assert inside == pytest.approx(0.85, abs=0.15)

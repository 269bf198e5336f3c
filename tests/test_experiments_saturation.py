"""Saturation of a sequence: what each base does, exactly for one, on average over several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.sequences import decode, encode

ELEMENT = "ACGTTGCCATCCGTAAGCTT" + "AGATAAG" + "TACCGTTGCAACTTGACCGT"


@pytest.fixture(scope="module")
def oracle():
    return cg.zoo.oracle("gata1_like")


def predicted(oracle, texts):
    return oracle.predict(encode(list(texts)))[:, 0]


def answered(oracle, *given, **asked):
    experiment = cg.experiments.saturation(*given, **asked)
    return experiment.analyze(cg.run(experiment, oracle, rng=0, progress=False))


def test_one_sequence_has_each_change_exactly(oracle):
    answer = answered(oracle, ELEMENT)
    rows = answer.decisions.isel(task=0)
    changes = [
        (i, base, ELEMENT[:i] + base + ELEMENT[i + 1 :])
        for i, own in enumerate(ELEMENT)
        for base in "ACGT"
        if base != own
    ]
    effects = predicted(oracle, [x[2] for x in changes]) - predicted(oracle, [ELEMENT])
    names = [f"{ELEMENT[i]}{i}{base}" for i, base, _ in changes]
    np.testing.assert_allclose(rows["ace"].sel(contrast=names), effects, atol=1e-12)
    places = [f"{i} changed" for i in range(len(ELEMENT))]
    means = effects.reshape(-1, 3).mean(axis=1)
    np.testing.assert_allclose(rows["ace"].sel(contrast=places), means, atol=1e-12)

    half = 0.1 * abs(effects).max()
    away = np.sign(effects) * (abs(effects) > half)
    words = {1: "increases", -1: "decreases", 0: "negligible"}
    assert rows["verdict"].sel(contrast=names).values.tolist() == [
        words[int(side)] for side in away
    ]
    assert not rows["se"].any()
    assert not {"p", "q"} & set(rows.data_vars)
    acting = answer.findings["shapes"].isel(
        shape=answer.findings["shapes"]["sign"].values == -1
    )
    assert [acting[x].values[0] for x in ("start", "stop")] == [20, 26]
    tidy = cg.tidy(answer.decisions, task="K562")
    assert len(tidy) == len(changes) + len(ELEMENT)


@pytest.mark.filterwarnings("ignore::causalgia.errors.ExploratoryWarning")
def test_verdicts_of_exact_effects_are_those_of_analyze(oracle):
    experiment = cg.experiments.saturation(ELEMENT)
    outcomes = cg.run(experiment, oracle, rng=0, progress=False)
    found = cg.analyze(outcomes)
    answer = experiment.analyze(outcomes).decisions
    assert np.array_equal(found["verdict"], answer["verdict"])
    alone = cg.analyze(outcomes, rope=0)["verdict"].isel(task=0)
    ace = found["ace"].isel(task=0)
    assert np.array_equal(alone == "undecided", ace == 0)


@pytest.mark.parametrize("width", [1, 4])
def test_deletions_keep_length_and_composition(oracle, width):
    answer = answered(oracle, ELEMENT, span=(10, 40), deletions=width)
    shorter = {}
    for i in range(10, 41 - width):
        gone = ELEMENT[i : i + width]
        text = ELEMENT[:i] + ELEMENT[i + width :] + gone[::-1]
        assert sorted(text) == sorted(ELEMENT)
        shorter.setdefault(text, i)
    named = [
        f"{i if width == 1 else f'{i}-{i + width - 1}'} deleted"
        for i in shorter.values()
    ]
    rows = answer.decisions.isel(task=0)
    deleted = rows.isel(contrast=rows["deleted"].values == width)
    assert deleted["contrast"].values.tolist() == named
    effects = predicted(oracle, shorter) - predicted(oracle, [ELEMENT])
    np.testing.assert_allclose(deleted["ace"], effects, atol=1e-12)
    positions = rows["position"].values
    assert set(positions[np.isfinite(positions)]) == set(range(10, 40))


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_several_sequences_are_a_sample(oracle, tmp_path):
    dice = np.random.default_rng(5)
    texts = decode(dice.integers(0, 4, (30, 40)))
    texts = [text[:15] + "AGATAAG" + text[22:] for text in texts]
    answer = answered(oracle, texts, span=(12, 25), deletions=2)
    rows = answer.decisions.isel(task=0)
    own = predicted(oracle, texts)
    for i in (13, 16, 23):
        here = "".join(sorted({text[i] for text in texts}))
        letter = {"ACGT": "N", "G": "G"}[here]
        each = np.array(
            [
                predicted(oracle, [t[:i] + base + t[i + 1 :] for t in texts]) - own
                for base in "ACGT"
            ]
        )
        by_base = {f"{letter}{i}{b}": x for b, x in zip("ACGT", each, strict=True)}
        by_base = {k: x for k, x in by_base.items() if k in rows["contrast"].values}
        assert len(by_base) == (4 if letter == "N" else 3)
        for name, ice in by_base.items():
            assert rows["ace"].sel(contrast=name).item() == pytest.approx(ice.mean())
        place = rows["ace"].sel(contrast=f"{i} changed").item()
        assert place == pytest.approx(each.sum(axis=0).mean() / 3)
    assert (rows["se"] > 0).any()
    assert rows.attrs["family_rows"] == answer.decisions["ace"].size
    assert "q" in rows
    answer.save(tmp_path / "map.png")


def test_a_saturated_element_is_ordered_and_its_counts_are_fitted(oracle, tmp_path):
    experiment = cg.experiments.saturation(
        {"enhancer": ELEMENT}, span=(15, 32), deletions=True
    )
    library = cg.mpra.library(
        experiment,
        oligo_length=len(ELEMENT) + 30,
        adapters="lentimpra",
        controls=cg.mpra.Controls(n_scrambles=20),
        rng=7,
    )
    arms = set(library["arm"].values[library["group"].values == "test"])
    assert arms == set(experiment.arm_names)
    virtual = cg.mpra.virtual_trial(library, oracle).sel(task="K562").isel(unit=0)
    truth = library[["element", "arm", "group"]].to_dataframe()
    truth["log2"] = truth["arm"].map(virtual["outcome"].to_series()).fillna(0.0)
    counts = cg.mpra.simulate(truth, n_barcodes=40, n_replicates=3, rng=1)
    fitted = cg.mpra.fit(counts, control="untreated").isel(element=0)
    true = virtual["outcome"].sel(arm=fitted["contrast"].values).values
    true = true - virtual["outcome"].sel(arm="untreated").item()
    z = (fitted["ace"].values - true) / fitted["se"].values
    assert 0.6 < z.std() < 1.4
    called = pd.Series(fitted["q"].values <= 0.05, fitted["contrast"].values)
    assert called[np.abs(true) > 0.9].mean() > 0.9
    assert str(cg.report(cg.mpra.fit(counts, control="untreated")))


def test_an_ensemble_has_the_verdicts_of_each_member(tmp_path):
    answer = answered(
        cg.zoo.ensemble("rbfox1_like"), "ACGUUGCCAUACGUUGCAUGACCAUACGUUGCCAUACGUUG"
    )
    assert answer.decisions["verdict"].dims[-1] == "model"
    answer.save(tmp_path / "map.png")

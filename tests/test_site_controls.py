# Imports from the inside: rearrangements of a string, which give the true effect.
"""What a site is compared with: untreated backgrounds where these are drawn letter by
letter, placebos in its place where they are real sequences.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import causalgia as cg
from causalgia.design.intervention import Layout
from causalgia.design.pattern_interventions import admissible
from causalgia.experiments import (
    affinity,
    copies,
    motif_mutagenesis,
    pair,
    pairs,
    position,
    spacing,
)
from causalgia.sequences import decode, encode

# effects that are the same in every sequence are meant to be
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")

GATA = "AGATAAGA"
AT = (20, 60, 100, 140, 180)
LENGTH = 220
RNA = cg.Uniform(length=41)
SITE = {"null": RNA, "motif": "UGCAUG"}
PAIR = {
    "null": cg.Uniform(length=120),
    "motif": "AGCCATCA",
    "other": "GAACAATGG",
    "gaps": [7, 18],
}

#: experiment -> its settings
BEFORE = {
    position: SITE,
    affinity: {"null": RNA, "kd": {"UGCAUG": 1, "AGCAUG": 5, "UGUAUG": 9}},
    copies: SITE,
    spacing: {**SITE, "gaps": [0, 3]},
    pair: PAIR,
    pairs: {
        "null": cg.Uniform(length=120),
        "motifs": ["AGCCATCA", "GAACAATGG"],
        "gaps": [7, 18],
    },
    motif_mutagenesis: SITE,
}


def name_of(value: object) -> str:
    return getattr(value, "__name__", str(value))


def written(experiment: cg.experiments.Experiment) -> dict[str, np.ndarray]:
    """How often each base is written, by arm."""
    found = {}
    for arm in experiment.named_arms:
        count = np.zeros(experiment.null.length)
        for span in arm.intervention.lay(Layout(experiment.null.length)).written:
            count[span.start : span.stop] += 1
        found[arm.name] = count
    return found


def overwritten_more(experiment: cg.experiments.Experiment) -> float:
    """The largest weight with which a contrast compares written with unwritten
    bases.
    """
    count = written(experiment)
    return max(
        np.abs(sum(weight * count[arm] for arm, weight in row.items())).max()
        for row in experiment.named_contrasts.values()
    )


def joint(experiment: cg.experiments.Experiment) -> list[str]:
    """The contrasts without those of single sites."""
    asks = experiment.labels.get("asks", {})
    return [
        name
        for name in experiment.named_contrasts
        if asks.get(name) not in ("first", "second", "alone")
    ]


def has_placebo(experiment: cg.experiments.Experiment) -> bool:
    return any("rearranged" in str(arm.intervention) for arm in experiment.named_arms)


def quiet(n: int, *, length: int = 120) -> list[str]:
    """Sequences of C and T, in which no motif with G is by chance."""
    letters = np.random.default_rng(0).choice(list("CT"), size=(n, length))
    return ["".join(row) for row in letters]


def with_site(rows: list[str], site: str, at: int) -> list[str]:
    return [row[:at] + site + row[at + len(site) :] for row in rows]


# --- which control --------------------------------------------------------------------


@pytest.mark.parametrize("make", BEFORE, ids=name_of)
def test_against_placebos_every_contrast_overwrites_the_same_bases(make):
    settings = BEFORE[make]
    experiment = make(**settings, control="placebo", n_units=50)
    assert has_placebo(experiment)
    assert overwritten_more(experiment) < 1e-12
    more = overwritten_more(make(**settings, control="untreated", n_units=50))
    assert more >= 1
    untreated = experiment.named_arms[0]  # the unit of a region in sd
    assert (untreated.name, untreated.intervention) == ("untreated", cg.Untreated())
    # of a site alone there is one row beside each pair, whose placebos differ
    assert joint(experiment) == joint(make(**settings, n_units=50))


NULLS = {
    "markov": (cg.Markov(of=quiet(60), order=1), False),
    "profile": (cg.Profile(of=quiet(60)), False),
    "shuffle": (cg.DinucleotideShuffle(of=quiet(60)), False),
    "sequences": (cg.Genomic(of=quiet(60)), True),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("make", BEFORE, ids=name_of)
def test_the_null_model_chooses_and_a_control_that_is_given_holds(make, null):
    backgrounds, real = NULLS[null]
    settings = BEFORE[make] | {"null": backgrounds}
    assert has_placebo(make(**settings, n_units=50)) is real
    for control in ("placebo", "untreated"):
        made = make(**settings, control=control, n_units=50)
        assert has_placebo(made) is (control == "placebo")


def test_a_setting_of_a_trial_file():
    settings = {"motif": "UGCAUG", "control": "placebo", "n_units": 50}
    made = cg.experiments.position(RNA, **settings)
    assert made.fingerprint == position(RNA, **settings).fingerprint


# --- effects in sequences that have sites ---------------------------------------------


def real_like(n: int, *, rng: int) -> list[str]:
    """Random sequences, each with a GATA site at one of the places."""
    drawn = decode(cg.Uniform(length=LENGTH).sample(n, rng=rng)["sequence"].to_numpy())
    where = np.random.default_rng(rng).choice(AT, size=n)
    return [
        row[:at] + GATA + row[at + len(GATA) :]
        for row, at in zip(drawn, where.tolist(), strict=True)
    ]


def minus_every_placebo(
    rows: list[str], at: int, predictor: cg.zoo.Oracle, task: str
) -> np.ndarray:
    """Effect of the site in each sequence minus the mean over all its placebos."""
    tokens, every = encode(rows), admissible(GATA)
    column = list(predictor.tasks).index(task)

    def answers(letters: np.ndarray) -> np.ndarray:
        edited = tokens.copy()
        edited[:, at : at + len(GATA)] = letters
        return np.asarray(predictor.predict(edited))[:, column]

    return answers(encode(GATA)[0]) - np.mean([answers(one) for one in every], axis=0)


def test_position_against_placebos_is_the_effect_of_the_site_at_each_place():
    """Its truth over these sequences, by all placebos; against untreated a fifth of the
    effect is missing, since a fifth of the sequences have the site already.
    """
    oracle = cg.zoo.oracle("gata1_like")
    rows = real_like(80, rng=1)
    null = cg.Genomic(of=rows, n_draws=6)
    truth = np.array([minus_every_placebo(rows, at, oracle, "K562") for at in AT])
    tables = {}
    for control in (None, "untreated"):
        experiment = position(
            null, GATA, at=AT, control=control, n_units=480, rope=(-0.2, 0.2)
        )
        answer = experiment.analyze(
            cg.run(experiment, oracle, rng=0, progress=False), rng=0
        )
        tables[control] = answer.decisions.sel(
            task="K562", contrast=[f"at {place}" for place in AT]
        )
    found = tables[None]
    # the sequences are given, so that only the placebos are drawn
    own = np.abs(found["ace"].to_numpy() - truth.mean(axis=1))
    assert (own < 4 * found["se"].to_numpy()).all()
    assert own.max() < 0.05
    assert (found["verdict"] == "increases").all()
    missing = found["ace"].to_numpy() - tables["untreated"]["ace"].to_numpy()
    assert (missing > 0.1 * truth.mean(axis=1)).all()


@pytest.mark.simulation
def test_position_against_placebos_errs_as_promised_and_finds_every_place():
    """Twenty-five trials of fresh sequences: intervals of 95 % hold the effect in the
    population, and every place is found in every trial.
    """
    oracle, n_trials = cg.zoo.oracle("gata1_like"), 25
    many = real_like(200, rng=10_000)
    truth, mcse = [], []
    for at in AT:
        effect = minus_every_placebo(many, at, oracle, "K562")
        truth.append(effect.mean())
        mcse.append(effect.std(ddof=1) / np.sqrt(len(effect)))
    misses, found = np.zeros(len(AT)), 0
    names = [f"at {place}" for place in AT]
    for trial in range(n_trials):
        null = cg.Genomic(of=real_like(100, rng=trial))
        experiment = position(null, GATA, at=AT, n_units=100, rope=(-0.2, 0.2))
        outcomes = cg.run(experiment, oracle, rng=trial, progress=False)
        decided = cg.analyze(outcomes, experiment.planned())
        rows = decided.sel(contrast=names, task="K562")
        lower, upper = (rows[end].to_numpy() for end in ("lower", "upper"))
        slack = 2 * np.array(mcse)
        misses += (upper < truth - slack) | (lower > truth + slack)
        found += int((rows["verdict"] == "increases").sum())
    assert misses.max() <= stats.binom.ppf(1 - 1e-3, n_trials, 0.05)
    assert found >= 0.99 * n_trials * len(AT)


def test_affinity_at_a_place_that_has_the_tightest_motif():
    motifs = ["GGATAAG", "GGACAAG", "GGAGAAG"]
    oracle = cg.zoo.Oracle(cg.zoo.MotifCount(motifs[0], 1.0))
    null = cg.Genomic(of=with_site(quiet(100), motifs[0], 40))
    kd = dict(zip(motifs, [1.0, 10.0, 100.0], strict=True))
    settings = {"at": 40, "n_units": 100, "rope": (-0.1, 0.1)}
    ace = {}
    for control in ("placebo", "untreated"):
        experiment = affinity(null, kd, control=control, **settings)
        effects = cg.contrast(cg.run(experiment, oracle, rng=0, progress=False))
        ace[control] = cg.estimate(effects)["ace"].to_numpy().ravel()
    np.testing.assert_allclose(ace["placebo"], [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(ace["untreated"], [0.0, -1.0, -1.0], atol=1e-6)


def either(*sites: str) -> cg.FunctionPredictor:
    """1 with any of the sites, on the plus strand, and 0 without."""

    def answer(x: np.ndarray) -> np.ndarray:
        rows = decode(np.asarray(x).argmax(axis=1).astype(np.uint8))
        return np.array([float(any(site in row for site in sites)) for row in rows])

    return cg.FunctionPredictor(answer, tasks=["either"], scale="score")


FIRST, SECOND = "GGATAAG", "GGCACAG"
WHERE = 40  # of the first site, and of the one that the sequences have
BOTH = f"{FIRST}+ then {SECOND}+, gap 13"
TWO = {
    "copies": (
        lambda null, **s: copies(null, FIRST, at=(WHERE, WHERE + 20), **s),
        "excess over single sites",
        "1 copy",
    ),
    "spacing": (
        lambda null, **s: spacing(
            null, FIRST, SECOND, gaps=[13], center=WHERE + 10, **s
        ),
        f"interaction, {BOTH}",
        f"pair, {BOTH}",
    ),
    "pair": (
        lambda null, **s: pair(null, FIRST, SECOND, gaps=[13], at=WHERE, **s),
        f"interaction, {BOTH}",
        f"pair, {BOTH}",
    ),
    "pairs": (
        lambda null, **s: pairs(
            null, {"A": FIRST, "B": SECOND}, gaps=[13], at=WHERE, **s
        ),
        "interaction, A+ then B+, gap 13",
        None,
    ),
}


@pytest.mark.parametrize("name", TWO)
def test_sites_of_which_one_is_enough_are_so_where_the_sequence_had_one(name):
    """Either site makes 1, together 1: the interaction is -1. In sequences that have the
    first site it and the effects are 0 against untreated ones, whatever is embedded:
    half of these have it.
    """
    make, interaction, effect = TWO[name]
    rows = quiet(60)
    null = cg.Genomic(of=with_site(rows[:30], FIRST, WHERE) + rows[30:])
    predictor = either(FIRST, SECOND)
    for control, joint, size in ((None, -1.0, 1.0), ("untreated", -0.5, 0.5)):
        experiment = make(null, control=control, n_units=60, rope=(-0.1, 0.1))
        outcomes = cg.run(experiment, predictor, rng=0, progress=False)
        ace = cg.estimate(cg.contrast(outcomes))["ace"].isel(task=0)
        assert ace.sel(contrast=interaction).item() == pytest.approx(joint, abs=1e-9)
        if effect is not None:
            assert ace.sel(contrast=effect).item() == pytest.approx(size, abs=1e-9)


# --- what is said ---------------------------------------------------------------------


SAID = {
    position: (GATA, {"at": [20, 60]}),
    affinity: ({"GGATAAG": 1.0, "GGACAAG": 10.0, "GGAGAAG": 100.0}, {}),
    copies: (GATA, {}),
    spacing: (GATA, {"gaps": [2, 12]}),
    pair: (GATA, {"other": "TGACTCA", "gaps": [4], "orientations": ["++"]}),
    pairs: ({"A": GATA, "B": "TGACTCA"}, {"gaps": [4]}),
    motif_mutagenesis: ("AGATAA", {}),
}


@pytest.mark.simulation
@pytest.mark.parametrize("make", SAID, ids=name_of)
def test_answers_against_either_control_are_drawn(make, tmp_path):
    motif, settings = SAID[make]
    null = cg.Genomic(of=real_like(60, rng=3))
    for control in ("placebo", "untreated"):
        experiment = make(
            null, motif, control=control, **settings, n_units=60, rope=(-0.1, 0.1)
        )
        answer = experiment.analyze(
            cg.run(
                experiment,
                cg.zoo.oracle("gata1_like"),
                rng=0,
                progress=False,
            ),
            rng=0,
        )
        assert not answer.decisions.get("is_placebo", np.array(False)).any()
        answer.draw(task="K562").figure.savefig(tmp_path / "figure.png")

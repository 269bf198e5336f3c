"""One parser for a level, a region, a target, clusters, names, seeds and contrasts, and
one answer to a former name, in every verb that takes them, in a trial file and in the shell.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.analysis import with_fields
from causalgia.planning.power_functions import t_power, verdict_probability
from causalgia.streams import Seed
from causalgia.trial_file import read_spec

_DRAWS = np.random.default_rng(5).gamma(2.0, 1.0, size=(60, 4, 2))


OUTCOMES = xr.Dataset(
    {"outcome": (("unit", "arm", "task"), _DRAWS)},
    {
        "unit": np.arange(60),
        "arm": ["ctrl", "a", "b", "c"],
        "task": ["K562", "HepG2"],
        "gc": ("unit", _DRAWS[:, 0, 0]),
        "batch": ("unit", [f"batch {i}" for i in range(60)]),
    },
)


EFFECTS = cg.contrast(OUTCOMES, control="ctrl")


ESTIMATES = cg.estimate(EFFECTS)


DESIGN = cg.Design(
    null=cg.Uniform(length=20),
    arms={"ctrl": cg.Untreated(), "GC": cg.Embed("GCGC", at=8)},
    n_units=20,
)


SHARE = cg.FunctionPredictor(
    lambda x: np.stack([x[:, 1:3].sum((1, 2)), x[:, 0].sum(1)], 1),
    tasks=["K562", "HepG2"],
)


REGION = (-0.3, 0.3)


CONTEXT = "".join(np.random.default_rng(3).choice(list("ACGT"), 1260))


LEVELS: dict[str, Callable[[Any], Any]] = {
    "estimate": lambda c: cg.estimate(EFFECTS, ci_prob=c),
    "from_effects": lambda c: cg.from_effects([1.0], se=[0.1], ci_prob=c),
    "decide": lambda c: cg.decide(ESTIMATES, rope=REGION, ci_prob=c),
    "decide effects": lambda c: cg.decide(EFFECTS, rope=REGION, ci_prob=c),
    "fwer": lambda c: cg.decide(
        EFFECTS, rope=REGION, ci_prob=c, error="fwer", rng=0, shrink=None
    ),
    "analyze": lambda c: cg.analyze(
        OUTCOMES, control="ctrl", rope=REGION, ci_prob=c, rng=0
    ),
    "tipping_point": lambda c: cg.tipping_point(
        OUTCOMES, control="ctrl", rope=REGION, ci_prob=c
    ),
    "simultaneous": lambda c: cg.simultaneous(EFFECTS, rng=0, ci_prob=c, n_draws=99),
    "heterogeneity": lambda c: cg.verdicts.heterogeneity(EFFECTS, ci_prob=c),
    "sample_size": lambda c: cg.sample_size(sd=1.0, half_width=0.5, ci_prob=c),
    "t_power": lambda c: t_power(0.5, 0.1, 20, ci_prob=c),
    "Decided": lambda c: cg.Decided(rope=REGION, ci_prob=c),
    "power": lambda c: cg.planning.power(sd=1.0, n_units=9, true_effect=1.0, ci_prob=c),
    "minimal_detectable_effect": lambda c: cg.planning.minimal_detectable_effect(
        sd=1.0, n_units=50, ci_prob=c
    ),
    "hypotheses": lambda c: cg.estimation.hypotheses(
        ESTIMATES.isel(task=[0]), "a - b", ci_prob=c
    ),
    "confidence_sequence": lambda c: cg.stopping.confidence_sequence(
        [0.1], [1.0], [200], ci_prob=c
    ),
    "PlannedContrast": lambda c: cg.mpra.PlannedContrast(ci_prob=c),
    "fit": lambda c: cg.mpra.fit(COUNTS, control="ctrl", method="two_way", ci_prob=c),
}


@pytest.mark.parametrize("verb", LEVELS)
def test_every_verb_takes_the_same_levels(verb: str) -> None:
    _takes(FORMS["ci_prob"], LEVELS[verb])


RATES: dict[str, Callable[[Any], Any]] = {
    "calibrate": lambda a: cg.calibrate(
        DESIGN, SHARE, n_trials=2, rng=0, posterior=False, alpha=a
    ),
    "PlannedContrast": lambda a: cg.mpra.PlannedContrast(alpha=a),
    "tile_search": lambda a: _of_experiment("tile_search", 0, alpha=a),
}


@pytest.mark.parametrize("verb", RATES)
def test_every_verb_takes_the_same_error_rates(verb: str) -> None:
    _takes([0.05, np.float32(0.05), Fraction(1, 20)], RATES[verb])


def _takes(taken: list[Any], verb: Callable[[Any], Any]) -> None:
    """Check that a verb takes every value of an argument."""
    for value in taken:
        verb(value)


TARGETS: dict[str, Callable[[Any], Any]] = {
    "estimate": lambda t: cg.estimate(EFFECTS, target=t),
    "estimate outcomes": lambda t: cg.estimate(OUTCOMES, control="ctrl", target=t),
    "analyze": lambda t: cg.analyze(
        OUTCOMES, control="ctrl", rope=REGION, target=t, rng=0
    ),
    "run": lambda t: cg.run(
        DESIGN, SHARE, rng=0, analysis=cg.Analysis(control="ctrl", target=t)
    ),
    "trial file": lambda t: cg.Analysis.from_dict({"target": t}),
}


WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "estimate": lambda w: cg.estimate(EFFECTS, weights=w),
    "analyze": lambda w: cg.analyze(
        OUTCOMES, control="ctrl", rope=REGION, weights=w, rng=0
    ),
    "run": lambda w: cg.run(
        DESIGN, SHARE, rng=0, analysis=cg.Analysis(control="ctrl", weights=w)
    ),
}


CLUSTERS: dict[str, Callable[[Any], Any]] = {
    "estimate": lambda c: cg.estimate(EFFECTS, cluster=c),
    "decide": lambda c: cg.decide(EFFECTS, rope=REGION, cluster=c),
    "simultaneous": lambda c: cg.simultaneous(EFFECTS, cluster=c, rng=0, n_draws=99),
    "adjust": lambda c: cg.adjust(EFFECTS, method="holm", cluster=c),
    "heterogeneity": lambda c: cg.verdicts.heterogeneity(EFFECTS, cluster=c),
    "tipping_point": lambda c: cg.tipping_point(
        OUTCOMES, control="ctrl", rope=REGION, cluster=c
    ),
    "analyze": lambda c: cg.analyze(
        OUTCOMES, control="ctrl", rope=REGION, cluster=c, rng=0
    ),
}


@pytest.mark.parametrize("verb", TARGETS)
def test_every_verb_takes_the_same_targets(verb: str) -> None:
    _takes(["population", np.str_("population")], TARGETS[verb])


@pytest.mark.parametrize("verb", WEIGHTS)
def test_every_verb_takes_the_same_weights(verb: str) -> None:
    _takes(["units", np.str_("units")], WEIGHTS[verb])


@pytest.mark.parametrize("verb", CLUSTERS)
def test_every_verb_takes_the_same_clusters(verb: str) -> None:
    _takes(["auto", "none", "batch", np.str_("batch")], CLUSTERS[verb])


REGIONS: dict[str, Callable[[Any], Any]] = {
    "decide": lambda r: cg.decide(ESTIMATES, rope=r),
    "decide effects": lambda r: cg.decide(EFFECTS, rope=r),
    "analyze": lambda r: cg.analyze(OUTCOMES, control="ctrl", rope=r, rng=0),
    "tipping_point": lambda r: cg.tipping_point(OUTCOMES, control="ctrl", rope=r),
    "heterogeneity": lambda r: cg.verdicts.heterogeneity(EFFECTS, rope=r),
    "power": lambda r: cg.planning.power(EFFECTS, rope=r, n_units=100),
    "run": lambda r: cg.run(
        DESIGN, SHARE, rng=0, analysis=cg.Analysis(control="ctrl", rope=r)
    ),
}


BY_TASK = {"K562": (-0.3, 0.3), "HepG2": (-0.1, 0.1)}


TAKEN: list[Any] = [REGION, [-0.3, 0.3], np.array(REGION), 0, 0.0, "0.2 sd", ".2sd"]


TAKEN += [BY_TASK, tuple(BY_TASK.items()), cg.Rope.parse(REGION)]


TEXTS = {  # as on a command line, and in Python
    "-0.3,0.3": REGION,
    " -0.3  0.3 ": REGION,
    "-.3, 3e-1": REGION,
    "0": 0,
    "0.2 sd": "0.2 sd",
    "K562=-0.3,0.3; HepG2=-0.1 0.1": BY_TASK,
}


TAKEN += TEXTS


@pytest.mark.simulation
@pytest.mark.parametrize("verb", REGIONS)
def test_every_verb_takes_the_same_regions(verb: str) -> None:
    _takes(TAKEN, REGIONS[verb])


SITES = [CONTEXT[i : i + 60] for i in range(0, 1260, 60)]


EXPERIMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "affinity": ((), {}),
    "arrangement_screen": ((), {}),
    "composition_bias": ((), {}),
    "context_dependence": ((SITES,), {"element": (10, 30)}),
    "copies": ((), {}),
    "dose_response": ((), {}),
    "flanks": ((), {}),
    "fractional_factorial": ((), {}),
    "greedy_round": ((SITES,), {"tiles": [(0, 10), (10, 20)]}),
    "hairpin": ((), {}),
    "kmer_screen": ((), {"k": 3}),
    "knock_in": ((SITES, "GATA"), {"at": 10}),
    "motif_mutagenesis": ((), {}),
    "motif_pair": ((cg.Uniform(length=200),), {"distances": [12, 15]}),
    "motif_pairs": ((cg.Uniform(length=200),), {"distances": [12, 15]}),
    "motif_screen": (({"a": "AGATAAG", "b": "TGACTCA"},), {}),
    "necessity": ((SITES,), {"tile_width": 20}),
    "occlusion": ((SITES, "GA"), {}),
    "position": ((), {}),
    "spacing": ((), {}),
    "sufficiency": ((SITES,), {"tile_width": 20}),
    "tile_copies": ((SITES,), {"tile": (0, 10), "at": [20, 35], "tss": (50, 60)}),
    "tile_interactions": ((SITES,), {"tiles": [(0, 10), (10, 20)]}),
    "tile_placement": ((SITES,), {"tile": (0, 10), "at": [20, 35], "tss": (50, 60)}),
    "tile_search": (
        (SITES, SHARE),
        {"tiles": [(0, 30), (30, 60)], "n_draws": 2, "rng": 0, "task": "K562"},
    ),
}


def _of_experiment(name: str, region: Any, **other: Any) -> Any:
    given, settings = EXPERIMENTS[name]
    return getattr(cg.experiments, name)(*given, **settings, rope=region, **other)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_takes_the_same_regions(name: str) -> None:
    for region in TAKEN:
        if isinstance(region, str) and "=" in region and name == "tile_search":
            continue  # of one task
        if isinstance(region, dict | cg.Rope | tuple) and name == "tile_search":
            continue
        made = _of_experiment(name, region)
        if name != "tile_search":
            assert made.analysis.rope == cg.Rope.parse(region).value


def test_a_plan_says_one_thing_in_every_form() -> None:
    plans = [cg.Analysis(rope=region) for region in (BY_TASK, tuple(BY_TASK.items()))]
    plans.append(
        cg.Analysis.from_dict({"rope": {k: list(v) for k, v in BY_TASK.items()}})
    )
    assert len({plan.fingerprint for plan in plans}) == 1
    plans = [cg.Analysis(rope=region) for region in TAKEN[:3]]
    plans.append(cg.Analysis.from_dict({"rope": REGION}))
    assert len({plan.fingerprint for plan in plans}) == 1


def _trial_file(folder: Path, line: str) -> Path:
    path = folder / "trial.toml"
    path.write_text(
        'name = "t"\nrng = 0\nn_units = 50\n[predictor]\nzoo = "gata1_like"\n'
        '[null]\nkind = "uniform"\nlength = 41\n[arms.untreated]\n[arms.A]\n'
        f'embed = "AGATAAG"\nat = 10\n[analysis]\ncontrol = "untreated"\n{line}\n'
    )
    return path


DECISIONS = cg.decide(ESTIMATES, rope=REGION)


MOTIFS = {"K562": cg.motif("ACGT"), "HepG2": cg.motif("GGCC")}


_NAMED = {
    name: _DRAWS[:, i, 0] for i, name in enumerate(("K562", "HepG2"))
}  # numbers of units


NAMED_UNITS = EFFECTS.assign_coords({n: ("unit", x) for n, x in _NAMED.items()})


RANDOMIZED = cg.contrast(
    xr.Dataset(
        {"outcome": (("unit", "task"), _DRAWS[:, 2])},
        {
            "arm": ["ctrl", "a"],
            "assigned": ("unit", ["ctrl", "a"] * 30),
            "task": ["activity", "other"],
            **{name: ("unit", x) for name, x in _NAMED.items()},
        },
    ),
    control="ctrl",
)


LABELED = cg.from_effects(np.arange(12.0), se=3.0).assign_coords(
    {name: ("contrast", x[:12]) for name, x in _NAMED.items()}
)


FACTORIAL = OUTCOMES.assign_coords(
    K562=("arm", [0, 1, 0, 1]), HepG2=("arm", [0, 0, 1, 1])
)


FRAME = pd.DataFrame(
    {"seq": np.repeat(range(3), 2), "arm": ["ctrl", "a"] * 3, "y": np.arange(6.0)}
).assign(K562=np.repeat([1.0, 2.0, 5.0], 2), HepG2=np.repeat([3.0, 2.0, 2.5], 2))


NAMED_ARMS = cg.contrast(
    OUTCOMES.isel(task=[0]).assign_coords(arm=["ctrl", "K562", "HepG2", "c"]),
    control="ctrl",
)


OF_NAMED_ARMS = cg.estimate(NAMED_ARMS)


SCREEN = cg.run(
    cg.Design(
        null=cg.Uniform(length=20),
        arms={
            "ctrl": cg.Untreated(),
            "K562": cg.Embed("GCGC", at=8),
            "HepG2": cg.Embed("AGAT", at=8),
        },
        n_units=20,
        contrasts="ctrl",
    ),
    SHARE,
    rng=0,
)


COUNTS = cg.mpra.simulate(
    pd.DataFrame(
        {
            "element": np.repeat(["e1", "e2"], 3),
            "arm": ["ctrl", "K562", "HepG2"] * 2,
            "log2": np.arange(6.0),
        }
    ),
    rng=0,
)


NAMES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda t: cg.mpra.fit(COUNTS, control="ctrl", arm_names=t, method="two_way"),
    "components": lambda t: cg.mpra.components(COUNTS, control="ctrl", arm_names=t),
    "activity": lambda t: cg.mpra.activity(COUNTS, arm_names=t),
    "filter": lambda t: cg.mpra.filter(COUNTS, min_barcodes=1, arm_names=t),
    "table": lambda t: cg.table(DECISIONS, task=t),
    "tidy": lambda t: cg.tidy(DECISIONS, task=t),
    "report": lambda t: cg.report(DECISIONS, task=t),
    "methods": lambda t: cg.methods(DECISIONS, task=t),
    "forest": lambda t: cg.plot.forest(DECISIONS, task=t),
    "attribute": lambda t: cg.attribute(["ACGTACGTAC"], SHARE, method="ism", tasks=t),
    "tasks": lambda t: cg.FunctionPredictor(lambda x: x[:, :2].sum(2), tasks=t),
    "expected": lambda t: cg.attribution.match([cg.motif("ACGT")], MOTIFS, expected=t),
    "covariates": lambda t: cg.estimate(RANDOMIZED, covariates=t),
    "infer": lambda t: cg.infer(
        LABELED, covariates=t, law="normal", n_draws=400, rng=0
    ),
    "modification": lambda t: cg.estimation.modification(NAMED_UNITS, by=t),
    "interaction": lambda t: cg.contrast(FACTORIAL, interaction=t),
    "select": lambda t: cg.confirm(SCREEN, select=t, predictor=SHARE, rng=0),
    "from_frame": lambda t: cg.from_frame(
        FRAME, outcome="y", arm="arm", unit="seq", covariates=t
    ),
    "covariance": lambda t: cg.estimation.covariance(OF_NAMED_ARMS, t),
    "raincloud": lambda t: cg.plot.raincloud(NAMED_ARMS, contrast=t),
    "interactions": lambda t: cg.attribution.interactions(
        ["ACGTACGTAC"], SHARE, positions=[2, 5], tasks=t
    ),
}


OF_TWO = ("interaction",)


"""Verbs that take two names or more."""


LISTS: list[Any] = [["K562", "HepG2"], ("K562", "HepG2"), np.array(["K562", "HepG2"])]


LISTS += [pd.Index(LISTS[0]), pd.Series(LISTS[0]), DECISIONS["task"]]


LISTS += [dict.fromkeys(LISTS[0]).keys(), np.array(LISTS[0], dtype=object)]


ONE_NAME = ["K562", np.str_("K562"), np.array("K562")]


@pytest.mark.parametrize("verb", NAMES)
def test_every_verb_takes_the_same_lists_of_names(verb: str) -> None:
    _takes(LISTS, NAMES[verb])
    _takes(ONE_NAME if verb not in OF_TWO else [], NAMES[verb])
    NAMES[verb](name for name in LISTS[0])


@pytest.mark.parametrize("text", TEXTS)
def test_a_region_is_one_in_python_a_trial_file_and_the_shell(
    tmp_path: Path, text: str
) -> None:
    from causalgia.cli.options import folder_analysis

    value = TEXTS[text]
    region = cg.Rope.parse(value)
    assert cg.Rope.parse(text) == region
    plain = {k: list(v) for k, v in value.items()} if value is BY_TASK else value
    written = json.dumps(plain).replace(": ", " = ")
    for line in (f"rope = {written}", f"rope = {json.dumps(text)}"):
        assert read_spec(_trial_file(tmp_path, line)).analysis.rope == region.value
    shell = folder_analysis(tmp_path / "none", OUTCOMES, {"rope": text, "control": "a"})
    assert shell.rope == region.value


FORMS: dict[str, list[Any]] = {
    "control": ["ctrl", "0"],
    "ci_prob": [0.5, 0.9, np.float32(0.75), np.float64(0.9), Fraction(9, 10)],
    "target": ["population", "next predictor", np.str_("units")],
    "weights": ["units", "clusters"],
    "cluster": ["auto", "none", "batch"],
    "block": ["batch"],
    "family": ["task", "motif"],
    "interaction": [["A", "B"], ("A", "B"), np.array(["A", "B"]), pd.Index(["A", "B"])],
    "rope": TAKEN,
    "error": ["fdr", "fwer", "each"],
    "tasks": ["K562 - HepG2", ["K562 - HepG2"], {"d": {"K562": 1, "HepG2": -1}}],
    "covariates": [["gc"], ("gc",), np.array(["gc"])],
    "rare": ["auto", "none", 0.01, np.float32(0.5)],
    "largest": [3, 0.5, np.float64(2)],
    "across": ["task"],
}


"""Values of a field of the plan that are taken."""


@pytest.mark.parametrize("name", FORMS)
def test_a_field_of_the_plan_is_one_in_every_door(name: str, tmp_path: Path) -> None:
    from causalgia.cli.options import folder_analysis

    own = {} if name in ("control", "interaction") else {"control": "ctrl"}
    for value in FORMS[name]:
        given = {**own, name: value}
        found = [
            cg.Analysis(**given),
            cg.Analysis.from_dict(given),
            with_fields(None, given, "analyze"),
            with_fields(cg.Analysis(control="a"), given, "x"),
            folder_analysis(tmp_path / "none", OUTCOMES, given),
        ]
        assert [plan == found[0] for plan in found] == [True] * len(found)


@pytest.mark.parametrize("name", FORMS)
def test_a_trial_file_takes_what_python_takes(name: str, tmp_path: Path) -> None:
    import tomli_w

    for value in FORMS[name]:
        try:
            line = tomli_w.dumps({name: value})
        except (TypeError, ValueError):
            continue  # no value of TOML
        assert cg.Analysis.from_toml(line) == cg.Analysis(**{name: value}), line


def test_the_region_of_a_probability_is_in_numbers() -> None:
    chance: Any = verdict_probability
    both = chance(0.4, 0.1, 0.1, 99, rope=(-0.2, 0.2))
    assert chance(0.4, 0.1, 0.1, 99, rope="-0.2,0.2") == both
    assert chance(0.4, 0.1, 0.1, 99, rope=cg.Rope.parse((-0.2, 0.2))) == both


SEEDS: dict[str, Callable[[Any], Any]] = {
    "run": lambda r: cg.run(DESIGN, SHARE, rng=r, progress=False),
    "sample": lambda r: cg.Uniform(length=20).sample(3, rng=r),
    "infer": lambda r: cg.infer(LABELED, law="normal", n_draws=400, rng=r),
    "simultaneous": lambda r: cg.simultaneous(EFFECTS, n_draws=99, rng=r),
    "adjust": lambda r: cg.adjust(EFFECTS, method="bootstrap_t", n_draws=99, rng=r),
    "analyze": lambda r: cg.analyze(OUTCOMES, control="ctrl", rope=0, rng=r),
}


ONE_SEED = [7, np.int64(7), np.uint8(7), Seed.parse(7)]


WITHOUT_DRAWS: dict[str, Callable[[Any], Any]] = {
    "adjust": lambda r: cg.adjust(ESTIMATES, method="holm", rng=r),
    "decide": lambda r: cg.decide(ESTIMATES, rope=0, rng=r),
    "attribute": lambda r: cg.attribute(["ACGTACGT"], SHARE, method="ism", rng=r),
    "encode": lambda r: cg.sequences.encode(["ACGT"], rng=r),
}


@pytest.mark.parametrize("verb", WITHOUT_DRAWS)
def test_what_is_no_seed_is_refused_where_nothing_is_drawn(verb: str) -> None:
    generator = np.random.default_rng(7)
    before = generator.bit_generator.state
    for seed in (None, 7, generator, np.random.SeedSequence(7)):
        WITHOUT_DRAWS[verb](seed)
    assert generator.bit_generator.state == before


def _values(made: Any) -> list[Any]:
    sets = (
        [g.to_dataset() for g in made.subtree] if hasattr(made, "subtree") else [made]
    )
    return [x.to_numpy().tolist() for one in sets for x in one.data_vars.values()]


@pytest.mark.parametrize("verb", SEEDS)
def test_every_verb_takes_the_same_seeds(verb: str) -> None:
    first, *others = [repr(_values(SEEDS[verb](seed))) for seed in ONE_SEED]
    assert [other == first for other in others] == [True] * len(others)
    SEEDS[verb](np.random.SeedSequence(7))
    rng = np.random.default_rng(7)
    SEEDS[verb](rng)
    once = np.random.default_rng(7)
    once.integers(0, 2**64, dtype=np.uint64)
    assert rng.bit_generator.state == once.bit_generator.state  # one draw, and no more


def test_a_result_says_its_seed_in_one_way() -> None:
    of_type = np.random.default_rng(7)
    for seed, words in ((np.int64(7), "7"), (of_type, "Generator"), (2**255, None)):
        words = str(2**255) if words is None else words
        assert cg.run(DESIGN, SHARE, rng=seed).attrs["rng"] == words
        assert cg.simultaneous(EFFECTS, n_draws=99, rng=seed).attrs["seed"] == words
        kept = Seed.stored(words)
        assert (None if kept is None else kept.words) == (
            words if words.isdecimal() else None
        )
    for text in ("", "-7", "7.0", "\u00b2", "\u0667", "SeedSequence", str(2**256)):
        assert Seed.stored(text) is None


WEIGHTS_OF = {"a - b": {"a": 1.0, "b": -1.0}}


COUNTS_OF_A_B = COUNTS.assign_coords(arm=("oligo", ["ctrl", "a", "b"] * 2))


CONTRASTS: dict[str, Callable[[Any], dict[str, dict[str, float]]]] = {
    "fit": lambda c: _weights_in_fit(
        cg.mpra.fit(COUNTS_OF_A_B, contrasts=c, method="two_way")
    ),
    "contrast": lambda c: _weights_in(cg.contrast(OUTCOMES, contrasts=c)),
    "analyze": lambda c: _weights_in(
        cg.analyze(OUTCOMES, contrasts=c, rope=0, rng=0, shrink={})
    ),
    "plan": lambda c: cg.Analysis(contrasts=c).weights_by_contrast,
    "trial file": lambda c: cg.Analysis.from_dict({"contrasts": c}).weights_by_contrast,
    "refute": lambda c: cg.refutation.Claim(OUTCOMES, rng=0, contrasts=c).weights,
}


def _weights_in_fit(made: xr.Dataset) -> dict[str, dict[str, float]]:
    asked = cg.mpra.fit(COUNTS_OF_A_B, contrasts=WEIGHTS_OF, method="two_way")
    np.testing.assert_array_equal(made["ace"].to_numpy(), asked["ace"].to_numpy())
    return {str(name): WEIGHTS_OF["a - b"] for name in made["contrast"].to_numpy()}


def _weights_in(made: xr.Dataset) -> dict[str, dict[str, float]]:
    ace = cg.contrast(OUTCOMES, contrasts=WEIGHTS_OF)["ice"].mean("unit")
    answers = made["ice"].mean("unit") if "ice" in made else made["ace"]
    np.testing.assert_allclose(answers.to_numpy(), ace.to_numpy())
    return {str(name): WEIGHTS_OF["a - b"] for name in answers["contrast"].to_numpy()}


ONE_CONTRAST: list[Any] = ["a - b", "a-b", ["a - b"], ("a - b",), np.array(["a - b"])]


ONE_CONTRAST += [{"a - b": "a - b"}, WEIGHTS_OF, {"a - b": {"a": 1, "b": np.int64(-1)}}]


ONE_CONTRAST += [cg.Analysis(contrasts="a - b").contrasts]


ONE_CONTRAST += [pd.Series(["a - b"]), pd.Index(["a - b"]), xr.DataArray(["a - b"])]


ONE_CONTRAST += [{"a - b": 0}.keys(), pd.DataFrame(WEIGHTS_OF)]


ONE_CONTRAST += [{"a - b": pd.Series(WEIGHTS_OF["a - b"])}]


ONE_CONTRAST += [{"a - b": [("a", 1), ("b", -1)]}]


@pytest.mark.parametrize("verb", CONTRASTS)
def test_every_verb_takes_the_same_contrasts(verb: str) -> None:
    for contrasts in ONE_CONTRAST:
        found = CONTRASTS[verb](contrasts)
        assert [dict(row) for row in found.values()] == [WEIGHTS_OF["a - b"]], contrasts
    assert CONTRASTS[verb](text for text in ["a - b"])


def test_a_table_of_names_and_a_generator_are_selections() -> None:
    screen = cg.run(DESIGN, SHARE, rng=0)
    for select in ((name for name in ["GC"]), xr.DataArray(["GC"], dims="contrast")):
        again = cg.confirm(screen, select=select, predictor=SHARE, rng=0)
        assert again["arm"].values.tolist() == ["ctrl", "GC"]


def test_arrays_are_no_settings() -> None:
    huge = cg.planning.power(sd=1.0, n_units=20, true_effect=10**30)
    assert float(huge["power"]) == 1.0

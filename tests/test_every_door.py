"""One parser for a level, a region, a target, clusters, names, seeds and contrasts, and
one answer to a former name, in every verb that takes them, in a trial file and in the shell.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
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
from causalgia.errors import (
    ArgumentError,
    CausalgiaError,
    DecisionError,
    DesignError,
    EstimateError,
    RandomnessError,
)
from causalgia.multiplicity.tost import equivalence
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
    "equivalence": lambda c: equivalence(ESTIMATES, rope=REGION, ci_prob=c),
    "t_power": lambda c: t_power(0.5, 0.1, 20, ci_prob=c),
    "Decided": lambda c: cg.Decided(rope=REGION, ci_prob=c),
    "Precision": lambda c: cg.Precision(half_width=0.1, ci_prob=c),
    "power": lambda c: cg.planning.power(sd=1.0, n_units=9, true_effect=1.0, ci_prob=c),
    "minimal_detectable_effect": lambda c: cg.planning.minimal_detectable_effect(
        sd=1.0, n_units=50, ci_prob=c
    ),
    "cheapest_split": lambda c: cg.planning.cheapest_split(
        EFFECTS.assign_coords(parent=("unit", np.repeat(np.arange(20), 3))),
        half_width=0.3,
        ci_prob=c,
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


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", LEVELS)
def test_every_verb_takes_the_same_levels(verb: str) -> None:
    _takes("ci_prob", *FORMS["ci_prob"], LEVELS[verb])


RATES: dict[str, Callable[[Any], Any]] = {
    "calibrate": lambda a: cg.calibrate(
        DESIGN, SHARE, n_trials=2, rng=0, posterior=False, alpha=a
    ),
    "hierarchical_q": lambda a: cg.multiplicity.hierarchical_q(
        [0.1, 0.2, 0.01], [0, 0, 1], alpha=a
    ),
    "PlannedContrast": lambda a: cg.mpra.PlannedContrast(alpha=a),
    "tile_search": lambda a: _of_experiment("tile_search", 0, alpha=a),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", RATES)
def test_every_verb_takes_the_same_error_rates(verb: str) -> None:
    refused = [0, 1, 5, -0.1, np.nan, "0.05", "5%", True, [0.05], np.array(0.05), 1j]
    _takes(
        "alpha=.* is not between 0 and 1",
        [0.05, np.float32(0.05), Fraction(1, 20)],
        refused,
        RATES[verb],
    )


def _takes(
    name: str, taken: list[Any], refused: list[Any], verb: Callable[[Any], Any]
) -> None:
    """Check that a verb takes values of an argument, and refuses others by its name."""
    for value in taken:
        verb(value)
    for value in refused:
        with pytest.raises(CausalgiaError, match=name):
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
    _takes(
        "target",
        ["population", np.str_("population")],
        FORMS["target"][1],
        TARGETS[verb],
    )


@pytest.mark.parametrize("verb", WEIGHTS)
def test_every_verb_takes_the_same_weights(verb: str) -> None:
    _takes("weights", ["units", np.str_("units")], FORMS["weights"][1], WEIGHTS[verb])


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", CLUSTERS)
def test_every_verb_takes_the_same_clusters(verb: str) -> None:
    taken = ["auto", "none", "batch", np.str_("batch")]
    _takes("cluster", taken, [*FORMS["cluster"][1], "nothing"], CLUSTERS[verb])


REGIONS: dict[str, Callable[[Any], Any]] = {
    "decide": lambda r: cg.decide(ESTIMATES, rope=r),
    "decide effects": lambda r: cg.decide(EFFECTS, rope=r),
    "analyze": lambda r: cg.analyze(OUTCOMES, control="ctrl", rope=r, rng=0),
    "tipping_point": lambda r: cg.tipping_point(OUTCOMES, control="ctrl", rope=r),
    "heterogeneity": lambda r: cg.verdicts.heterogeneity(EFFECTS, rope=r),
    "power": lambda r: cg.planning.power(EFFECTS, rope=r, n_units=100),
    "equivalence": lambda r: equivalence(ESTIMATES, rope=r),
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
REFUSED: list[Any] = [{"K562": (-1, 1)}, {**BY_TASK, "liver": (-1, 1)}, {}]
REFUSED += [{"K562": 0, "HepG2": 0}, {"K562": "0.2 sd", "HepG2": "0.2 sd"}, (1, -1)]
REFUSED += [(1, 1), 0.2, (1, 2, 3), (np.nan, 1), (-np.inf, 1), ("-1", "1"), "0.2"]
REFUSED += ["placebo", "placebo outliers", "placebo tail", "matched", True, "-1 sd"]
REFUSED += [{-0.3, 0.3}, (False, True), [], object(), 1j, "", " ", "=", ";", ","]
REFUSED += ["0.3,-0.3", "0.1,0.2,0.3", "K562=-1,1", "K562=wide;HepG2=-1,1", "nan,1"]


@pytest.mark.rotating
@pytest.mark.parametrize("verb", REGIONS)
def test_every_verb_takes_the_same_regions(verb: str) -> None:
    for region in TAKEN:
        REGIONS[verb](region)
    for region in REFUSED:
        with pytest.raises((DecisionError, DesignError)):
            REGIONS[verb](region)


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
IN_FILES = {"variant_effects", "variant_screen", "variants_across_contexts"}
MADE_OF_RESULTS = {"proposals", "site_pairs"}


def test_every_experiment_with_a_region_is_in_the_table() -> None:
    with_region = {
        name
        for name in cg.experiments.entries()
        if "rope" in inspect.signature(getattr(cg.experiments, name)).parameters
    }
    with_region -= IN_FILES | MADE_OF_RESULTS
    assert with_region - set(EXPERIMENTS) == set()


PLAIN_DOORS = {
    "Analysis": lambda r: cg.Analysis(rope=r),
    "Decided": lambda r: cg.Decided(rope=r),
    "sample_size": lambda r: cg.sample_size(EFFECTS, rope=r),
}
"""Doors that refuse a region before they know the data."""
WRONG: list[Any] = [(1, -1), (1, 1), 0.2, (1, 2, 3), (np.nan, 1), (None, 1), True, 1j]
WRONG += [b"0.2 sd", [], (False, True), ("-1", "1"), [[-1, 1]], np.array([[-1, 1]])]
WRONG += [np.array(0), {"K562": 0}, {"K562": "0.2 sd"}, {"K562": (1, -1)}, "K562=wide"]
WRONG += ["K562=-1,1;K562=-2,2", "=-1,1", {"": (-1, 1)}]
WRONG += [cg.Rope("numbers", (1, -1)), cg.Rope("numbers", (-1, 1, 3)), 10**400]
WRONG += [(("K562", (-1, 1)), ("K562", (-2, 2))), pd.Series(["a", "b"]), cg]
WRONG += [np.array([-0.3j, 0.3]), np.ma.array([-0.3, 0.3], mask=[False, True])]


def _words(door: Callable[[Any], Any], value: Any) -> str:
    """Return the words of a refusal, without the place."""
    with pytest.raises(CausalgiaError) as caught:
        door(value)
    text = caught.value.replace(places=()).text()
    assert "\n" not in text
    return text


def _of_experiment(name: str, region: Any, **other: Any) -> Any:
    given, settings = EXPERIMENTS[name]
    return getattr(cg.experiments, name)(*given, **settings, rope=region, **other)


@pytest.mark.rotating(6)
def test_a_wrong_region_is_refused_in_the_same_words_in_every_door() -> None:
    doors = {**REGIONS, **PLAIN_DOORS}
    doors |= {
        name: lambda region, name=name: _of_experiment(name, region)
        for name in EXPERIMENTS
    }
    for region in WRONG:
        words = {name: _words(door, region) for name, door in doors.items()}
        assert len(set(words.values())) == 1, words


@pytest.mark.rotating(6)
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


def test_a_missing_region_is_asked_for_in_the_same_words() -> None:
    doors = {n: REGIONS[n] for n in ("decide", "analyze", "tipping_point")}
    doors |= {"copies": lambda r: _of_experiment("copies", r)}
    words = {_words(door, None) for door in doors.values()}
    assert len(words) == 1, words
    assert "there is none; give rope=(-0.1, 0.1)" in words.pop()


@pytest.mark.rotating(6)
def test_a_wrong_level_is_refused_in_the_same_words_in_every_door() -> None:
    doors = {**LEVELS, "Analysis": lambda c: cg.Analysis(ci_prob=c)}
    for level in FORMS["ci_prob"][1]:
        words = {name: _words(door, level) for name, door in doors.items()}
        assert len(set(words.values())) == 1, words


def test_a_wrong_cluster_is_refused_in_the_same_words_in_every_door() -> None:
    for cluster in ("", 3, ["batch"], np.array("batch"), b"batch", True):
        words = {name: _words(door, cluster) for name, door in CLUSTERS.items()}
        assert len(set(words.values())) == 1, words


def test_a_wrong_target_is_refused_in_the_same_words_in_every_door() -> None:
    doors = {name: door for name, door in TARGETS.items() if name != "trial file"}
    for target in ("Population", "", 3, ["population"], np.array("units"), b"units"):
        words = {name: _words(door, target) for name, door in doors.items()}
        assert len(set(words.values())) == 1, words


def _flags() -> list[tuple[str, str, Any]]:
    """Return all flags of public calls: of the call's name, the flag's and its type."""
    rooms = [cg]
    for one in pkgutil.iter_modules(cg.__path__):
        if not one.name.startswith("_"):
            rooms.append(importlib.import_module(f"causalgia.{one.name}"))
    found = {}
    for room in rooms:
        for name in getattr(room, "__all__", ()):
            call = getattr(room, name)
            if inspect.isclass(call) and issubclass(call, Exception):
                continue
            for parameter in dict(_parameters(call)).values():
                if parameter.annotation in ("bool", "bool | None", bool):
                    found[id(call), parameter.name] = (call, parameter)
    return list(found.values())


def test_every_flag_of_a_public_call_is_true_or_false() -> None:
    flags = _flags()
    assert len(flags) > 40
    for call, flag in flags:
        wrongs = ["no", 0, 1, [], np.array([True]), np.array(True)]
        for wrong in [*wrongs, *([None] if flag.annotation == "bool" else [])]:
            with pytest.raises(ArgumentError, match="neither True nor False") as caught:
                call(**{flag.name: wrong})
            assert caught.value.argument == flag.name


def test_a_flag_of_numpy_is_one() -> None:
    assert cg.Prior(standardized=np.False_).standardized is False
    assert cg.Prior(standardized=np.False_) == cg.Prior(standardized=False)


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
    "scales": lambda t: cg.estimation.interaction_across_scales(
        FACTORIAL, interaction=t
    ),
    "covariance": lambda t: cg.estimation.covariance(OF_NAMED_ARMS, t),
    "selected": lambda t: cg.multiplicity.selected_intervals(OF_NAMED_ARMS, select=t),
    "raincloud": lambda t: cg.plot.raincloud(NAMED_ARMS, contrast=t),
    "interactions": lambda t: cg.attribution.interactions(
        ["ACGTACGTAC"], SHARE, positions=[2, 5], tasks=t
    ),
}
OF_TWO = ("interaction", "scales")
"""Verbs that take two names or more."""
LISTS: list[Any] = [["K562", "HepG2"], ("K562", "HepG2"), np.array(["K562", "HepG2"])]
LISTS += [pd.Index(LISTS[0]), pd.Series(LISTS[0]), DECISIONS["task"]]
LISTS += [dict.fromkeys(LISTS[0]).keys(), np.array(LISTS[0], dtype=object)]
ONE_NAME = ["K562", np.str_("K562"), np.array("K562")]


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", NAMES)
def test_every_verb_takes_the_same_lists_of_names(verb: str) -> None:
    for names in LISTS:
        NAMES[verb](names)
    for name in ONE_NAME if verb not in OF_TWO else ():
        NAMES[verb](name)
    NAMES[verb](name for name in LISTS[0])
    wrongs: list[Any] = [{"K562", "HepG2"}, 3, b"K562", ["K562", 3], ["K562", ""]]
    for wrong in [*wrongs, *([[]] if verb != "from_frame" else [])]:  # none
        with pytest.raises(CausalgiaError, match="K562|3|name|\\[\\]"):
            NAMES[verb](wrong)
    for wrong in (pd.DataFrame({"K562": ["HepG2"]}), {"K562": 1}, [["K562"]]):
        with pytest.raises(CausalgiaError):
            NAMES[verb](wrong)


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


WITHOUT_REGION = [0.2, (1, 2, 3), (np.nan, 1), (-np.inf, 1), ("-1", "1"), "0.2", {}]
WITHOUT_REGION += [
    (1, -1),
    (1, 1),
    True,
    "-1 sd",
    [],
    1j,
    " ",
    ";",
    "0.3,-0.3",
    "nan,1",
]
WITHOUT_REGION += [{"K562": 0}, {"K562": "0.2 sd"}, "K562=wide", "placebo tail"]
FORMS: dict[str, tuple[list[Any], list[Any]]] = {
    "control": (["ctrl", "0"], ["", " ", 3, ["ctrl"]]),
    "ci_prob": (
        [0.5, 0.9, np.float32(0.75), np.float64(0.9), Fraction(9, 10)],
        [
            *(0.3, 0.05, 0, 1, 95, np.nan, "0.9", True, [0.9], np.array([0.9])),
            *(1 - 1e-16, 1 - 5e-16, Fraction(10**40, 10**40 + 1)),
        ],
    ),
    "target": (
        ["population", "next predictor", np.str_("units")],
        ["people", "Population", "", 3, ["population"], np.array(["units"])],
    ),
    "weights": (["units", "clusters"], ["arms", 1, ["units"]]),
    "cluster": (["auto", "none", "batch"], ["", " ", 3, ["batch"]]),
    "block": (["batch"], ["", " ", 3, ["batch"]]),
    "family": (["task", "motif"], ["", " ", 3, ["task"]]),
    "interaction": (
        [["A", "B"], ("A", "B"), np.array(["A", "B"]), pd.Index(["A", "B"])],
        ["A", ["A"], ["A", "A"], [], [3, "A"], {"A", "B"}, 3],
    ),
    "rope": (TAKEN, WITHOUT_REGION),
    "error": (["fdr", "fwer", "each"], ["fdrr", 0.05, ["fdr"], "bh", "local"]),
    "tasks": (
        ["K562 - HepG2", ["K562 - HepG2"], {"d": {"K562": 1, "HepG2": -1}}],
        ["", [], {}, {"d": {"K562": 0}}, 3, {"d": {"K562": "1"}}],
    ),
    "covariates": ([["gc"], ("gc",), np.array(["gc"])], [[], [3], 3, {"gc"}]),
    "rare": (["auto", "none", 0.01, np.float32(0.5)], [0, 1, 2, "sometimes", True]),
    "largest": ([3, 0.5, np.float64(2)], [0, -1, np.nan, np.inf, "3", True]),
    "across": (["task"], ["model", 3, ["task"]]),
}
"""Values of a field of the plan that are taken, and that are refused."""


def _plan_of(door: Callable[[], Any]) -> Any:
    """Return the plan, or the words of its refusal in a file, without the place."""
    try:
        return door()
    except CausalgiaError as error:
        return error.replace(places=()).as_key().text()


@pytest.mark.parametrize("name", FORMS)
def test_a_field_of_the_plan_is_one_in_every_door(name: str, tmp_path: Path) -> None:
    from causalgia.cli.options import folder_analysis

    own = {} if name in ("control", "interaction") else {"control": "ctrl"}
    for is_taken, values in zip((True, False), FORMS[name], strict=True):
        for value in values:
            given = {**own, name: value}
            doors: list[Callable[[], Any]] = [
                lambda given=given: cg.Analysis(**given),
                lambda given=given: cg.Analysis.from_dict(given),
                lambda given=given: with_fields(None, given, "analyze"),
                lambda given=given: with_fields(cg.Analysis(control="a"), given, "x"),
            ]
            doors.append(
                lambda given=given: folder_analysis(tmp_path / "none", OUTCOMES, given)
            )
            found = [_plan_of(door) for door in doors]
            if is_taken:
                assert [plan == found[0] for plan in found] == [True] * len(found)
                assert isinstance(found[0], cg.Analysis), found[0]
            else:
                assert not any(isinstance(plan, cg.Analysis) for plan in found), found
                assert len(set(found[:4])) == 1, found


@pytest.mark.parametrize("name", FORMS)
def test_a_trial_file_takes_what_python_takes(name: str, tmp_path: Path) -> None:
    import tomli_w

    for values in FORMS[name]:
        for value in values:
            try:
                line = tomli_w.dumps({name: value})
            except (TypeError, ValueError):
                continue  # no value of TOML
            python = _plan_of(lambda given={name: value}: cg.Analysis(**given))
            in_file = _plan_of(lambda text=line: cg.Analysis.from_toml(text))
            assert in_file == python, line


def test_matched_variants_are_asked_for_before_anything_is_predicted() -> None:
    with pytest.raises(DesignError, match="which this design has none of"):
        cg.experiments.copies(
            cg.Uniform(length=60), "AGATAAG", n_units=20, rope="matched"
        )


def test_the_region_of_a_probability_is_in_numbers() -> None:
    chance: Any = verdict_probability
    both = chance(0.4, 0.1, 0.1, 99, rope=(-0.2, 0.2))
    assert chance(0.4, 0.1, 0.1, 99, rope="-0.2,0.2") == both
    assert chance(0.4, 0.1, 0.1, 99, rope=cg.Rope.parse((-0.2, 0.2))) == both
    for wrong in (
        "0.2 sd",
        BY_TASK,
        (0.2, -0.2),
        (np.nan, 1),
        ("-1", "1"),
        None,
        (0, 0),
    ):
        with pytest.raises(DecisionError, match="rope"):
            chance(0.4, 0.1, 0.1, 99, rope=wrong)


SEEDS: dict[str, Callable[[Any], Any]] = {
    "run": lambda r: cg.run(DESIGN, SHARE, rng=r, progress=False),
    "sample": lambda r: cg.Uniform(length=20).sample(3, rng=r),
    "infer": lambda r: cg.infer(LABELED, law="normal", n_draws=400, rng=r),
    "simultaneous": lambda r: cg.simultaneous(EFFECTS, n_draws=99, rng=r),
    "adjust": lambda r: cg.adjust(EFFECTS, method="bootstrap_t", n_draws=99, rng=r),
    "analyze": lambda r: cg.analyze(OUTCOMES, control="ctrl", rope=0, rng=r),
}
ONE_SEED = [7, np.int64(7), np.uint8(7), Seed.parse(7)]
NO_SEEDS = [-1, 1.5, 7.0, "7", True, None, [7], np.array(7), 2**256, np.nan]


WITHOUT_DRAWS: dict[str, Callable[[Any], Any]] = {
    "adjust": lambda r: cg.adjust(ESTIMATES, method="holm", rng=r),
    "decide": lambda r: cg.decide(ESTIMATES, rope=0, rng=r),
    "attribute": lambda r: cg.attribute(["ACGTACGT"], SHARE, method="ism", rng=r),
    "encode": lambda r: cg.sequences.encode(["ACGT"], rng=r),
}


@pytest.mark.parametrize("verb", WITHOUT_DRAWS)
def test_what_is_no_seed_is_refused_where_nothing_is_drawn(verb: str) -> None:
    for wrong in [wrong for wrong in NO_SEEDS if wrong is not None]:
        with pytest.raises(RandomnessError, match="rng"):
            WITHOUT_DRAWS[verb](wrong)
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


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", SEEDS)
def test_every_verb_takes_the_same_seeds(verb: str) -> None:
    for wrong in NO_SEEDS:
        with pytest.raises(RandomnessError, match="rng"):
            SEEDS[verb](wrong)
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
NO_CONTRASTS: list[Any] = [
    "",
    [],
    {},
    3,
    True,
    {"d": {"a": 1, "b": 1}},
    {"d": {}},
    "a -",
]
NO_CONTRASTS += [{"a - b"}, ["a - b", 3], {"d": 3}, {"": "a - b"}, (("d", 3),), [["a"]]]
NO_CONTRASTS += [
    {"d": {"a": "1", "b": -1}},
    {"d": {"a": np.nan, "b": -1}},
    ["a - b"] * 2,
    ["a - b", "b - a"],
    {"d": "a - b", "e": {"a": 2, "b": -2}},
    [["a - b", "a - c"]],
    np.array([1.0, -1.0]),
    "a = b + 1",
]


@pytest.mark.rotating(6)
@pytest.mark.parametrize("verb", CONTRASTS)
def test_every_verb_takes_the_same_contrasts(verb: str) -> None:
    for contrasts in ONE_CONTRAST:
        found = CONTRASTS[verb](contrasts)
        assert [dict(row) for row in found.values()] == [WEIGHTS_OF["a - b"]], contrasts
    assert CONTRASTS[verb](text for text in ["a - b"])
    for wrong in NO_CONTRASTS:
        with pytest.raises(CausalgiaError, match="contrast|hypotheses"):
            CONTRASTS[verb](wrong)


def test_text_that_is_no_contrast_is_refused_in_the_same_words_in_every_door() -> None:
    doors = dict(CONTRASTS)
    texts: list[Any] = [["a - b"] * 2, ["a - b", "b - a"], "a = b + 1"]
    for wrong in [*texts, {"": "a - b"}, {"d": {"a": 1j, "b": -1}}]:
        words = {name: _words(door, wrong) for name, door in doors.items()}
        key = words.pop("trial file")
        assert len(set(words.values())) == 1, words
        assert key == words["plan"].replace("contrasts=", "contrasts")


def _with_a_level() -> list[Any]:
    rooms: tuple[Any, ...] = (
        cg,
        cg.estimation,
        cg.multiplicity,
        cg.verdicts,
        cg.planning,
        cg.mpra,
    )
    rooms += (cg.experiments, cg.stopping, cg.attribution, cg.plot)
    skipped = ("fieller", "sd_of", "slopes", "rule")  # take numbers, by position
    found = {
        id(one): one
        for room in rooms
        for name in dir(room)
        if not name.startswith("_")
        and callable(one := getattr(room, name))
        and name not in skipped
    }
    return [
        one
        for one in found.values()
        if inspect.isfunction(one) or inspect.isclass(one)
        if "ci_prob" in _parameters(one) and "level" not in _parameters(one)
    ]


def _parameters(one: Any) -> Any:
    try:
        return inspect.signature(one).parameters
    except (TypeError, ValueError):
        return ()


def test_every_verb_with_an_interval_names_what_took_the_place_of_level() -> None:
    verbs = _with_a_level()
    assert len(verbs) > 25
    for verb in verbs:
        with pytest.raises(CausalgiaError, match="ci_prob"):
            verb(level=0.9)


@pytest.mark.parametrize(
    ("name", "now"),
    [("adjust", "error"), ("law", "shrink"), ("prior", "shrink"), ("level", "ci_prob")],
)
def test_decide_names_what_took_the_place_of_an_argument(name: str, now: str) -> None:
    with pytest.raises(DesignError, match=f"^decide: {name}= is {now}= now$"):
        cg.decide(ESTIMATES, rope=0, **{name: "bh"})  # type: ignore[arg-type]


@pytest.mark.parametrize("select", [3, None, b"GC", {"GC": 1}, ["GC", 3]])
def test_what_is_no_selection_is_refused(select: Any) -> None:
    with pytest.raises(DesignError, match="select=.* is neither names of arms .*GC"):
        cg.confirm(cg.run(DESIGN, SHARE, rng=0), select=select, predictor=SHARE, rng=0)


def test_a_table_of_names_and_a_generator_are_selections() -> None:
    screen = cg.run(DESIGN, SHARE, rng=0)
    for select in ((name for name in ["GC"]), xr.DataArray(["GC"], dims="contrast")):
        again = cg.confirm(screen, select=select, predictor=SHARE, rng=0)
        assert again["arm"].values.tolist() == ["ctrl", "GC"]
    with pytest.raises(DesignError, match="select=contrast 0 GC is neither names"):
        cg.confirm(
            screen,
            select=pd.DataFrame({"contrast": ["GC"]}),  # type: ignore[arg-type]
            predictor=SHARE,
            rng=0,
        )


@pytest.mark.rotating
def test_a_plan_that_cannot_be_carried_out_is_not_calibrated() -> None:
    for region in ({"K562": (-1, 1)}, "placebo", "matched"):
        plan = cg.Analysis(control="ctrl", rope=region)
        with pytest.raises(DecisionError, match="rope"):
            cg.calibrate(DESIGN, SHARE, n_trials=2, rng=0, analysis=plan)
    plan = cg.Analysis(control="ctrl", rope=0, error="posterior")
    with pytest.raises(DecisionError, match="fewer than 10 exchangeable"):
        cg.calibrate(DESIGN, SHARE, n_trials=2, rng=0, analysis=plan)
    with pytest.raises(DesignError, match=r"is not a cg\.Analysis"):
        cg.calibrate(DESIGN, SHARE, n_trials=2, rng=0, analysis={"control": "ctrl"})  # type: ignore[arg-type]


def test_arrays_are_no_settings() -> None:
    with pytest.raises(DecisionError, match="rare="):
        cg.decide(ESTIMATES, rope=0, rare=np.array([0.01, 0.02]))  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="ci_prob"):
        cg.estimate(EFFECTS, ci_prob=np.array([0.9, 0.95]))  # type: ignore[arg-type]
    for name, wrong in (
        ("error", np.array(["fdr", "each"])),
        ("family", pd.Series(["a", "b"])),
        ("family", np.array([1.0, 2.0])),
    ):
        with pytest.raises(DecisionError, match=f"{name}="):
            cg.decide(ESTIMATES, rope=0, **{name: wrong})  # type: ignore[arg-type]
    with pytest.raises(CausalgiaError, match="family"):
        cg.analyze(
            OUTCOMES,
            control="ctrl",
            rope=0,
            rng=0,
            family=np.array(["a", "b"]),  # type: ignore[arg-type]
        )
    huge = cg.planning.power(sd=1.0, n_units=20, true_effect=10**30)
    assert float(huge["power"]) == 1.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('rope = "matched"', "which this design has none of"),
        ('rope = 0\nerror = "posterior"', "takes 10 or more exchangeable contrasts"),
        ("rope = [1, -1]", r"is reversed; give the lower end first: rope = \[-1, 1\]"),
        ("rope = 0\nci_prob = 0.3", "is below 0.5; .* give ci_prob = 0.7"),
        ('rope = 0\nshrink = "normal"', "must be a cg.Shrinkage, or a table of law"),
    ],
)
def test_a_trial_file_is_refused_before_anything_is_predicted(
    tmp_path: Path, line: str, words: str
) -> None:
    with pytest.raises(DesignError, match=words):
        read_spec(_trial_file(tmp_path, line))

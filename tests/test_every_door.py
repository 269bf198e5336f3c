"""A plan means the same in Python, in a trial file and in the shell; a seed gives the
same draws in whatever form it comes.
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


_NAMED = {
    name: _DRAWS[:, i, 0] for i, name in enumerate(("K562", "HepG2"))
}  # numbers of units


LABELED = cg.from_effects(np.arange(12.0), se=3.0).assign_coords(
    {name: ("contrast", x[:12]) for name, x in _NAMED.items()}
)


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
    "largest": [3, 0.5, np.float64(2), {"K562": 3, "HepG2": np.float64(0.5)}],
    "across": ["task"],
}


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


SEEDS: dict[str, Callable[[Any], Any]] = {
    "run": lambda r: cg.run(DESIGN, SHARE, rng=r, progress=False),
    "sample": lambda r: cg.Uniform(length=20).sample(3, rng=r),
    "infer": lambda r: cg.infer(LABELED, n_draws=400, rng=r),
    "simultaneous": lambda r: cg.simultaneous(EFFECTS, n_draws=99, rng=r),
}


ONE_SEED = [7, np.int64(7), np.uint8(7), Seed.parse(7)]


WITHOUT_DRAWS: dict[str, Callable[[Any], Any]] = {
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

"""What a type checker and a reader see of the public names: their signatures, and the
nearest name to a wrong one.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

import causalgia as cg

ROOT = Path(__file__).parents[1]
SOUND = """\
import pandas as pd
import xarray as xr

import causalgia as cg

reveal_type(cg.estimate)
reveal_type(cg.mpra.fit)
design = cg.Design(null=cg.Uniform(length=40), arms={"a": cg.Embed("GATA", at=3)}, n_units=10)
reveal_type(design)
table = pd.DataFrame({"effect": [1.0], "se": [0.1]})
posterior = cg.infer(table, rng=0)
cg.decide(posterior, rope=0)
cg.decide(xr.DataTree(), rope=0)
cg.decide({"posterior": xr.Dataset()}, rope=0)
cg.decide(cg.estimate(xr.Dataset()), rope=0)
cg.simultaneous(table)
cg.sample_size(table, half_width=0.1)
cg.sample_size(sd=1.0, half_width=0.1)
cg.from_frame(table, outcome="y", arm="a")
printed: str = cg.table(xr.Dataset(), format="latex")
cg.experiments.necessity(["ACGT"], tile_width=2)
cg.mpra.concordance(table, cg.mpra.fit(xr.Dataset()))
cg.estimation.hypotheses(table, {"a": {"x": 1, "y": -1}})
cg.refute(xr.Dataset(), None, rng=0, contrasts={"a": {"x": 1, "y": -1}}, motifs=["GATA"])
cg.plot.sharing(cg.infer(table, rng=0))
cg.tidy(xr.DataTree())
cg.Decided(rope=0, contrasts="a - b")
cg.from_effects([1.0], [0.1], names=table.index)
cg.from_effects(table["effect"], table["se"], names=table["effect"])
reveal_type(cg.TorchPredictor)
print(cg.experiments.variant_effects([], "genome.fa", length=9).notes)
x = xr.Dataset()
"""
WRONG = {
    "cg.Desgn": 'Module has no attribute "Desgn"',
    "cg.estimation.hetrogeneity": 'Module has no attribute "hetrogeneity"',
    "cg.estimate(x, clustr=3)": 'Unexpected keyword argument "clustr"',
    'cg.Uniform(length="long")': 'Argument "length" to "Uniform" has incompatible type "str"',
    'cg.estimate(cg.contrast(x), target="parnts")': 'Argument "target" to "estimate" has incompatible type',
    "cg.run(design)": 'Missing positional argument "predictor"',
    'cg.decide("effects")': 'Argument 1 to "decide" has incompatible type "str"',
    "cg.decide([1.0])": 'Argument 1 to "decide" has incompatible type "list[float]"',
    'cg.infer({"effect": [1.0]}, rng=0)': 'Argument 1 to "infer" has incompatible type',
    "cg.simultaneous(None)": 'Argument 1 to "simultaneous" has incompatible type "None"',
    "cg.sample_size(30)": 'Argument 1 to "sample_size" has incompatible type "int"',
    'cg.from_frame([[1]], outcome="y", arm="a")': 'Argument 1 to "from_frame" has incompatible type',
    'cg.calibrate(design, "net", n_trials=9, rng=0)': 'Argument 2 to "calibrate" has incompatible type "str"',
    "cg.mpra.libary": 'Module has no attribute "libary"',
    "cg.experiments.spacng": 'Module has no attribute "spacng"',
    "cg.experiments.spacing(distance=(4,))": 'Unexpected keyword argument "distance"',
    "cg.experiments.necessity(3)": 'Argument 1 to "necessity" has incompatible type "int"',
    "cg.experiments.share_of_predictors(3, rope=0)": 'Argument 1 to "share_of_predictors" has incompatible type "int"',
    "cg.mpra.concordance(x, 3)": 'Argument 2 to "concordance" has incompatible type "int"',
    'cg.estimation.joint_test("effects")': 'Argument 1 to "joint_test" has incompatible type "str"',
    'cg.multiplicity.placebo_rank("x")': 'Argument 1 to "placebo_rank" has incompatible type "str"',
    'cg.posterior.profile("x", along="at", rng=0)': 'Argument 1 to "profile" has incompatible type "str"',
    "cg.plot.sharing(3)": 'Argument 1 to "sharing" has incompatible type "int"',
    "cg.tidy(3)": 'Argument 1 to "tidy" has incompatible type "int"',
    "cg.refute(x, None, rng=0, motifs=3)": 'Argument "motifs" to "refute" has incompatible type "int"',
}


FIRST = SOUND.count("\n") + 1
"""Line of the first wrong call in a user's file."""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's file with sound and wrong calls."""
    file = tmp_path / "mine.py"
    file.write_text(SOUND + "\n".join(WRONG) + "\n")
    return file


@pytest.mark.rotating(6)
def test_mypy_knows_the_public_names(mine):
    config, cache = str(ROOT / "pyproject.toml"), str(ROOT / ".mypy_cache")
    said, _, _ = api.run(
        ["--strict", "--config-file", config, "--cache-dir", cache, str(mine)]
    )
    lines = [
        line.partition("mine.py:")[2]
        for line in said.splitlines()
        if "mine.py:" in line
    ]
    revealed = [line for line in lines if "note: Revealed type" in line]
    assert re.search(r"def \(.*effects.*cluster.*\) -> .*Dataset", revealed[0])
    assert re.search(r"def \(.*counts.*method.*\) -> .*Dataset", revealed[1])
    assert "causalgia.design.design.Design" in revealed[2]
    assert "causalgia.predict.torch_predictor.TorchPredictor" in revealed[3]
    for n, message in enumerate(WRONG.values(), FIRST):
        assert any(line.startswith(f"{n}: error: {message}") for line in lines), (
            message,
            lines,
        )
    errors = {int(line.partition(":")[0]) for line in lines if "error" in line}
    assert errors == set(range(FIRST, FIRST + len(WRONG)))


@pytest.mark.rotating(6)
def test_pyright_knows_the_public_names(mine):
    places = {
        "extraPaths": [str(ROOT)],
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (mine.parent / "pyrightconfig.json").write_text(
        json.dumps(places | {"typeCheckingMode": "strict"})
    )
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--outputjson",
        "--project",
        str(mine.parent),
    ]
    said = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=False).stdout
    )
    found = said["generalDiagnostics"]
    errors = {
        one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"
    }
    assert errors == set(range(FIRST, FIRST + len(WRONG))), found
    revealed = [one["message"] for one in found if one["severity"] == "information"]
    assert re.search(r"cg.estimate.*effects: Dataset.* -> Dataset", revealed[0])


def test_no_public_argument_of_data_is_of_any_type():
    """The first arguments of public functions, but for what a reader of JSON
    returns.
    """
    rooms = [getattr(cg, name) for name in dir(cg)]
    rooms = [cg, *(room for room in rooms if inspect.ismodule(room))]
    functions = {
        getattr(room, name) for room in rooms for name in room.__all__ if name.islower()
    }
    untyped = set()
    for function in filter(inspect.isfunction, functions):
        for argument in inspect.signature(function).parameters.values():
            positional = argument.kind is argument.POSITIONAL_OR_KEYWORD
            if positional and argument.annotation in ("Any", argument.empty):
                untyped.add(f"{function.__name__}: {argument.name}")
    assert untyped <= {"intervention_from_dict: plain", "null_from_dict: plain"}


@pytest.mark.parametrize(
    ("room", "wrong", "right"),
    [
        (cg, "estimat", "estimate"),
        (cg, "Desgn", "Design"),
        (cg, "Estimate", "estimate"),
        (cg.experiments, "hairpn", "hairpin"),
        (cg.mpra, "fitt", "fit"),
        (cg.mpra, "libary", "library"),
        (cg.experiments, "spacng", "spacing"),
    ],
)
def test_the_nearest_name_is_said(room, wrong, right):
    with pytest.raises(
        AttributeError, match=f"no attribute '{wrong}'; did you mean '{right}'?"
    ):
        getattr(room, wrong)


def test_a_name_that_is_near_to_none_is_an_attribute_error_alone():
    with pytest.raises(AttributeError, match="no attribute 'zzzz'$"):
        _ = cg.zzzz
    with pytest.raises(AttributeError, match="no attribute 'tranfer'$"):
        _ = cg.experiments.tranfer
    assert not hasattr(cg, "_repr_html_")


def test_a_room_lists_its_names_and_no_modules():
    assert set(dir(cg.mpra)) == set(cg.mpra.__all__)
    assert set(dir(cg)) >= {*cg.__all__, "design", "experiments"}


def test_experiments_are_listed_without_their_parts():
    listed = set(dir(cg.experiments))
    assert {*cg.experiments.entries(), "entries"} < listed
    functions = {name: getattr(cg.experiments, name) for name in cg.experiments.__all__}
    makes = {
        name: getattr(f, "__annotations__", {}).get("return")
        for name, f in functions.items()
    }
    experiments = {name for name, what in makes.items() if what == "Experiment"} - {
        "build"
    }
    assert listed - experiments == {
        "entries",
        "greedy_tiles",
        "null_models",
        "tile_search",
    }
    assert experiments < listed


def test_a_module_of_the_root_lists_its_exports_alone():
    for module in (cg.schema, cg.store, cg.errors):
        assert set(dir(module)) == set(module.__all__)
        functions_and_classes = set(dir(module)) - {"SCHEMA", "Kind", "Variable"}
        assert all(
            getattr(module, name).__module__ == module.__name__
            for name in functions_and_classes
        )

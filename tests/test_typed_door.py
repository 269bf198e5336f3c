"""What a type checker and a reader see of the public names: their signatures, and the nearest name to a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

import causalgia as cg

ROOT = Path(__file__).parents[1]
SOUND = """\
import causalgia as cg

reveal_type(cg.estimate)
reveal_type(cg.mpra.fit)
design = cg.Design(null=cg.Uniform(length=40), arms={"a": cg.Embed("GATA", at=3)}, n_units=10)
reveal_type(design)
"""
WRONG = {
    "cg.Desgn": 'Module has no attribute "Desgn"',
    "cg.estimation.hetrogeneity": 'Module has no attribute "hetrogeneity"',
    "cg.estimate(x, clustr=3)": 'Unexpected keyword argument "clustr"',
    'cg.Uniform(length="long")': 'Argument "length" to "Uniform" has incompatible type "str"',
    'cg.estimate(cg.contrast(x), target="parnts")': 'Argument "target" to "estimate" has incompatible type',
    "cg.run(design)": 'Missing positional argument "predictor"',
}


def checked(code: str, tmp_path: Path) -> list[str]:
    """Return what mypy says of a user's file, line by line."""
    file = tmp_path / "mine.py"
    file.write_text(code)
    config, cache = str(ROOT / "pyproject.toml"), str(ROOT / ".mypy_cache")
    said, _, _ = api.run(["--strict", "--config-file", config, "--cache-dir", cache, str(file)])
    return [line.partition("mine.py:")[2] for line in said.splitlines() if "mine.py:" in line]


def test_a_type_checker_knows_the_public_names(tmp_path):
    lines = checked(SOUND + "x: object = None\n" + "\n".join(WRONG) + "\n", tmp_path)
    first = SOUND.count("\n") + 2
    revealed = [line for line in lines if "note: Revealed type" in line]
    assert re.search(r"def \(.*effects.*cluster.*\) -> .*Dataset", revealed[0])
    assert re.search(r"def \(.*counts.*method.*\) -> .*Dataset", revealed[1])
    assert "causalgia.design.design.Design" in revealed[2]
    for n, message in enumerate(WRONG.values()):
        assert any(line.startswith(f"{first + n}: error: {message}") for line in lines), (message, lines)
    errors = {int(line.partition(":")[0]) for line in lines if "error" in line}
    assert errors == set(range(first, first + len(WRONG)))


@pytest.mark.parametrize(
    ("room", "wrong", "right"),
    [
        (cg, "estimat", "estimate"),
        (cg, "Desgn", "Design"),
        (cg.experiments, "hairpn", "hairpin"),
        (cg.mpra, "fitt", "fit"),
    ],
)
def test_the_nearest_name_is_said(room, wrong, right):
    with pytest.raises(AttributeError, match=f"no attribute '{wrong}'; did you mean '{right}'?"):
        getattr(room, wrong)


def test_a_name_that_is_near_to_none_is_an_attribute_error_alone():
    with pytest.raises(AttributeError, match="no attribute 'zzzz'$"):
        _ = cg.zzzz
    assert not hasattr(cg, "_repr_html_")


def test_a_room_lists_its_names_and_no_modules():
    assert set(dir(cg.experiments)) == set(cg.experiments.__all__)
    assert {"copies", "hairpin", "motif_pairs"} <= set(dir(cg.experiments))
    assert set(dir(cg)) >= {*cg.__all__, "design", "experiments"}


def test_a_module_of_the_root_lists_its_exports_alone():
    for module in (cg.schema, cg.store, cg.errors):
        assert set(dir(module)) == set(module.__all__)
        functions_and_classes = set(dir(module)) - {"SCHEMA", "Kind", "Variable"}
        assert all(getattr(module, name).__module__ == module.__name__ for name in functions_and_classes)

"""The public surface: what is exported, what an import costs, how errors hang
together.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pickle
import pkgutil
import pydoc
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from house import FILES, nodes

import causalgia as cg
from causalgia.mpra.formats.orders import two_arms

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))


import api_pages

_NEED_TORCH = {
    "TorchPredictor",
    "from_keras",
    "load_weights",
    "save_weights",
    "Nullified",
    "randomized",
}


ROOMS = api_pages.ROOMS


ROOT = sorted(set(cg.__all__) - set(ROOMS))


HEAVY = (
    "xarray",
    "scipy.stats",
    "torch",
    "pymc",
    "arviz",
    "numba",
    "matplotlib",
    "pandas",
    "statsmodels",
)


def fresh(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_import_loads_nothing_heavy():
    loaded = fresh("import sys, causalgia; print('\\n'.join(sys.modules))").split("\n")
    assert "causalgia" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_inference_side_never_loads_torch_or_a_sampler():
    code = (
        "import sys, causalgia as cg; cg.from_frame, cg.contrast, cg.estimate, "
        "cg.simultaneous;print('\\n"
        "'.join(sys.modules))"
    )
    loaded = fresh(code).split("\n")
    for name in (
        "torch",
        "numba",
        "pymc",
        "matplotlib",
        "causalgia.sequences",
        "causalgia.design",
        "causalgia.predict",
    ):
        assert name not in loaded


@pytest.mark.parametrize("name", [name for name in ROOT if name != "TorchPredictor"])
def test_every_exported_name_is_there(name):
    assert getattr(cg, name) is not None


def test_every_room_is_there_in_a_fresh_process():
    named = ", ".join(f"cg.{room}.__name__" for room in ROOMS)
    found = fresh(f"import causalgia as cg; print({named})").split()
    assert found == [f"causalgia.{room}" for room in ROOMS]
    assert set(ROOMS) <= set(dir(cg))


@pytest.mark.torch
def test_with_torch_everything_is_there():
    assert "TorchPredictor" in cg.__all__


def test_verbs_are_functions_whatever_was_imported_before():
    code = (
        "import causalgia.estimation, causalgia.effects, causalgia.trial, "
        "causalgia.tell, causalgia as cg;verbs = 'run contrast estimate decide "
        "report from_frame'.split();print(all(callable(getattr(cg, verb)) for verb in "
        "verbs))"
    )
    assert fresh(code).strip() == "True"


def test_no_module_is_hidden_by_a_name_that_its_package_exports():
    needs_torch = "torch_|incremental|keras_network|gradients|layers|altered_networks"
    needs = {"torch": needs_torch, "keras": "keras_network"}
    absent = [needs[name] for name in needs if importlib.util.find_spec(name) is None]
    left_out = "|".join([r"__main__$", *absent])
    for info in pkgutil.walk_packages(cg.__path__, "causalgia."):
        if re.search(left_out, info.name):
            continue
        module = importlib.import_module(info.name)
        parent, _, leaf = info.name.rpartition(".")
        assert getattr(importlib.import_module(parent), leaf) is module, info.name


def test_without_torch_one_error_names_the_extra_and_all_else_works():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from causalgia import *\n"
        "import causalgia as cg\n"
        "[getattr(cg, name) for name in dir(cg)]\n"
        "assert 'TorchPredictor' not in dir(cg)\n"
        "try:\n"
        "    cg.TorchPredictor\n"
        "except cg.errors.MissingExtraError as error:\n"
        "    print(error)"
    )
    assert "pip install torch" in fresh(code)


def public() -> list[tuple[str, object]]:
    """The path of every class and function that a room or the root promises."""
    found = {
        f"{room}.{name}": getattr(getattr(cg, room), name)
        for room in ROOMS
        for name in getattr(getattr(cg, room), "__all__", ())
    } | {name: getattr(cg, name) for name in ROOT}
    return [
        (name, value)
        for name, value in found.items()
        if inspect.isroutine(value) or inspect.isclass(value)
    ]


@pytest.mark.torch
def test_every_class_and_function_is_at_home_where_pickle_looks_for_it():
    for name, value in public():
        assert pickle.loads(pickle.dumps(value)) is value, name


def hinted(value: object) -> Iterator[object]:
    """Yield a function, or a class and the functions written in it."""
    yield value
    if inspect.isclass(value):
        for held in vars(value).values():
            held = getattr(held, "fget", None) or getattr(held, "__func__", held)
            if inspect.isfunction(held) and held.__code__.co_filename != "<string>":
                yield held


@pytest.mark.torch
def test_type_hints_of_every_public_name_are_types():
    for name, value in public():
        for one in hinted(value):
            assert isinstance(typing.get_type_hints(one), dict), name


DESIGN = cg.Design(
    null=cg.Uniform(length=60),
    arms={"a": cg.Untreated(), "b": cg.Embed("AGATAAG", at=20)},
    n_units=4,
)


@pytest.mark.parametrize("wrong", ["no", 0, 1, None, np.array([True])])
@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("overwrite", lambda at, **flag: cg.mpra.write_library(two_arms(), at, **flag)),
        (
            "overwrite",
            lambda at, **flag: cg.mpra.to_fasta(two_arms(), at / "x", **flag),
        ),
        (
            "overwrite",
            lambda at, **flag: cg.mpra.to_igvf(two_arms(), at / "x", "labels", **flag),
        ),
        (
            "same_answers",
            lambda at, **flag: cg.run(
                DESIGN, cg.zoo.load("gata1_like"), rng=0, store=at / "x", **flag
            ),
        ),
    ],
)
def test_a_flag_that_overwrites_or_takes_over_is_true_or_false(
    argument, call, wrong, tmp_path
):
    with pytest.raises(TypeError):
        call(tmp_path, **{argument: wrong})
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        _ = cg.Embedd


def listed(page: str) -> list[str]:
    return re.findall(r"^ {3}(\w+(?:\.\w+)*)$", page, flags=re.MULTILINE)


def test_the_reference_has_a_page_for_every_room_and_every_name_stands_once():
    pages = api_pages.pages()
    assert set(pages) == {"causalgia", *ROOMS}
    index = (Path(api_pages.__file__).parent / "api.rst").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^ {3}api/(\w+)$", index, flags=re.MULTILINE)) == sorted(
        pages
    )
    assert sorted(listed(pages["causalgia"])) == ROOT
    names = [name for page in pages.values() for name in listed(page)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("room", ROOMS)
def test_the_page_of_a_room_has_every_name_that_it_exports(room):
    page, names = api_pages.pages()[room], api_pages.exports(room)
    module = getattr(cg, room)
    public = set(getattr(module, "__all__", names)) - _NEED_TORCH
    for name in public - set(names):
        value = getattr(module, name)
        ours = getattr(value, "__module__", "").startswith("causalgia.")
        assert value is getattr(cg, name, None) or not ours
    for name in public & set(names):
        assert f":obj:`~causalgia.{name}`" in page or f"{room}.{name}" in listed(
            page
        ), name


def test_the_lower_bounds_are_the_versions_that_are_tried():
    """`make constraints-lowest` writes them; `make test-lowest` installs them."""
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    pins = dict(
        line.split("==")
        for line in (root / "constraints-lowest.txt").read_text().splitlines()
    )
    for requirement in project["dependencies"]:
        name, bound = re.fullmatch(
            r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement
        ).groups()
        assert pins[name].removesuffix(".0").startswith(bound.removesuffix(".0")), (
            requirement
        )


def test_a_release_has_one_version_and_claims_the_pythons_that_are_tried():
    root = Path(__file__).parents[1]
    texts = {
        name: (root / name).read_text(encoding="utf-8")
        for name in ("CITATION.cff", "CHANGELOG.md", "docs/install.md")
    }
    assert f"\nversion: {cg.__version__}\n" in texts["CITATION.cff"]
    first = re.search(r"(?m)^## (\S+)", texts["CHANGELOG.md"])
    assert first.group(1) == cg.__version__
    configured = tomllib.loads((root / "pyproject.toml").read_text())
    project = configured["project"]
    sources = configured["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {*map(str, sources)} >= {
        path.name for path in root.glob("[A-Z]*") if path.suffix in (".md", ".cff")
    }
    pythons = [
        found.group(1)
        for line in project["classifiers"]
        if (found := re.search(r"Python :: (\d\.\d+)$", line))
    ]
    *others, last = pythons
    assert f"\nPython {', '.join(others)} or {last}, on" in texts["docs/install.md"]


def test_a_file_of_ours_holds_no_time(tmp_path):
    """The same library gives the same bytes, with the oldest h5py too: no object of
    HDF5 keeps when it was made.
    """
    data = cg.store.save(
        cg.from_effects([1.0, 2.0], se=[0.1, 0.1]), tmp_path / "estimates.nc"
    ).read_bytes()
    headers = [found.start() for found in re.finditer(b"OHDR", data)]
    assert headers
    assert not any(data[at + 5] & 0x20 for at in headers)


def test_help_says_what_is_done_and_what_is_taken():
    for name in ROOT:
        public = getattr(cg, name)
        first = (inspect.getdoc(public) or "").partition("\n")[0]
        assert first.strip(), f"cg.{name} has no docstring"
        if callable(public):
            assert first in pydoc.render_doc(public, renderer=pydoc.plaintext)


@cache
def imported() -> set[str]:
    """The top-level modules outside the standard library that some file of the package
    imports, or names for import.
    """
    found = set()
    for path in FILES:
        for node in nodes(path):
            match node:
                case ast.Import(names=names):
                    found |= {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module), level=0):
                    found.add(module.partition(".")[0])
                case ast.Call(
                    func=ast.Name(id="import_quietly"),
                    args=[ast.Constant(value=str(module))],
                ):
                    found.add(module.partition(".")[0])
    return found - sys.stdlib_module_names - {"causalgia"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads(
        (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    extras = [
        line for lines in project["optional-dependencies"].values() for line in lines
    ]

    def modules(lines: list[str]) -> set[str]:
        names = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in lines}
        names -= {"causalgia"}  # an extra that has another's
        as_imported = {"modisco_lite": "modiscolite", "biopython": "Bio"}
        return {as_imported.get(name, name) for name in names}

    brought = {"pytensor"}  # by pymc, of whose models it is the language
    by_name = {"h5netcdf"}  # an engine of xarray
    required, optional = modules(project["dependencies"]), modules(extras)
    assert imported() - required - optional - brought == set()
    assert required - imported() - by_name == set()

"""The public surface: what is exported, what an import costs, how errors hang
together.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import pydoc
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from house import FILES, nodes

import causalgia as cg
from causalgia import errors

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import api_pages

_NEED_TORCH = {
    "TorchPredictor",
    "from_keras_h5",
    "load_weights",
    "save_weights",
    "Nullified",
    "randomized",
}
ROOMS = sorted(set(dir(cg)) - set(cg.__all__))
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


def test_import_loads_no_more_modules_than_numpy_does():
    ours = int(
        fresh(
            "import sys; n = len(sys.modules); import causalgia; "
            "print(len(sys.modules) - n)"
        )
    )
    numpys = int(
        fresh(
            "import sys; n = len(sys.modules); import numpy; print(len(sys.modules) - "
            "n)"
        )
    )
    assert ours <= numpys


def test_the_inference_side_never_loads_torch_or_a_sampler():
    code = (
        "import sys, causalgia as cg; cg.from_frame, cg.contrast, cg.estimate, "
        "cg.adjust;print('\\n"
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


@pytest.mark.parametrize("name", sorted(set(cg.__all__) - {"TorchPredictor"}))
def test_every_exported_name_is_there(name):
    assert getattr(cg, name) is not None


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_there_in_a_fresh_process(room):
    assert (
        fresh(f"import causalgia as cg; print(cg.{room}.__name__)").strip()
        == f"causalgia.{room}"
    )
    assert room in dir(cg)
    assert room not in cg.__all__


@pytest.mark.rotating(6)
def test_without_torch_everything_else_is_there():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from causalgia import *\n"
        "import causalgia as cg\n"
        "print('TorchPredictor' in cg.__all__, 'TorchPredictor' in dir(cg), "
        "Uniform.__name__)\n"
        "try:\n"
        "    cg.TorchPredictor\n"
        "except cg.errors.MissingExtraError as error:\n"
        "    print(error)\n"
    )
    first, second = fresh(code).splitlines()
    assert first == "False False Uniform"
    assert second.endswith(
        ": pip install 'causalgia[torch]' (in a clone: pip install '.[torch]')"
    )


@pytest.mark.torch
def test_with_torch_everything_is_there():
    assert "TorchPredictor" in cg.__all__


@pytest.mark.rotating(6)
def test_verbs_are_functions_whatever_was_imported_before():
    code = (
        "import causalgia.estimation, causalgia.effects, causalgia.trial, "
        "causalgia._reporting, causalgia as cg;verbs = 'run contrast estimate adjust "
        "report from_frame'.split();print(all(callable(getattr(cg, verb)) for verb in "
        "verbs))"
    )
    assert fresh(code).strip() == "True"


def test_no_module_is_hidden_by_a_name_that_its_package_exports():
    has_torch = importlib.util.find_spec("torch") is not None
    needs_torch = "torch_|incremental|_from_keras|gradients|layers|altered_networks"
    left_out = r"__main__$" if has_torch else rf"__main__$|{needs_torch}"
    for info in pkgutil.walk_packages(cg.__path__, "causalgia."):
        if re.search(left_out, info.name):
            continue
        module = importlib.import_module(info.name)
        parent, _, leaf = info.name.rpartition(".")
        assert getattr(importlib.import_module(parent), leaf) is module, info.name


@pytest.mark.rotating(6)
@pytest.mark.parametrize(
    "absent",
    [
        "sys.modules['torch'] = None",
        "class Hook:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ImportError('No module named torch')\n"
        "sys.meta_path.insert(0, Hook())",
    ],
)
def test_without_torch_one_error_names_the_extra_and_all_else_works(absent):
    code = (
        "import sys\n"
        f"{absent}\n"
        "from causalgia import *\n"
        "import causalgia as cg\n"
        "[getattr(cg, name) for name in dir(cg)]\n"
        "assert 'TorchPredictor' not in dir(cg)\n"
        "try:\n"
        "    cg.TorchPredictor\n"
        "except cg.errors.MissingExtraError as error:\n"
        "    print(error)"
    )
    assert "pip install 'causalgia[torch]'" in fresh(code)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Embedd'"):
        _ = cg.Embedd


def test_error_tree_is_the_one_drawn_in_the_docstring():
    drawn = set(re.findall(r"─ ([A-Z]\w+(?:Error|Warning))\b", errors.__doc__))
    assert drawn == {*errors.__all__, "NonFiniteError", "NoSlopeError"}
    assert issubclass(cg.predict.NonFiniteError, errors.PredictorError)
    for name in errors.__all__:
        root = (
            errors.CausalgiaWarning
            if name.endswith("Warning")
            else errors.CausalgiaError
        )
        assert issubclass(getattr(errors, name), root)


def test_an_rng_that_is_none_is_caught_by_the_root_and_by_type_error():
    for kind in (cg.errors.CausalgiaError, TypeError, errors.RandomnessError):
        with pytest.raises(kind, match="rng= takes"):
            cg.Uniform(length=4).sample(1, rng=None)


def listed(page: str) -> list[str]:
    return re.findall(r"^ {3}(\w+(?:\.\w+)*)$", page, flags=re.MULTILINE)


def test_the_reference_has_a_page_for_every_room_and_every_name_stands_once():
    pages = api_pages.pages()
    assert set(pages) == {"causalgia", *ROOMS}
    index = (Path(api_pages.__file__).parent / "api.rst").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^ {3}api/(\w+)$", index, flags=re.MULTILINE)) == sorted(
        pages
    )
    assert sorted(listed(pages["causalgia"])) == sorted(cg.__all__)
    names = [name for page in pages.values() for name in listed(page)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("room", ROOMS)
def test_the_page_of_a_room_has_every_name_that_it_exports(room):
    page, names = api_pages.pages()[room], api_pages.exports(room)
    module = getattr(cg, room)
    public = set(getattr(module, "__all__", names)) - _NEED_TORCH
    missing = public - set(names)
    assert all(
        not inspect.isroutine(x) and not inspect.isclass(x)
        for x in (getattr(module, n) for n in missing)
    )
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
    assert len(texts["CHANGELOG.md"].split()) <= 600
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


def test_help_of_the_package_begins_with_the_verbs_in_order_and_an_example():
    synopsis, text = pydoc.splitdoc(pydoc.getdoc(cg))
    assert synopsis and len(synopsis) < 80  # noqa: PT018 - beside the name
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) <= 10
    verbs = re.findall(r"`(\w+)`", text)
    assert verbs.index("Design") < verbs.index("run") < verbs.index("analyze")
    parts = ["contrast", "estimate", "decide", "infer", "report", "tidy", "refute"]
    assert [verb for verb in verbs if verb in parts] == parts
    assert all(hasattr(cg, verb) for verb in verbs)
    assert sum(line.startswith(">>> ") for line in lines) == 5


def test_help_says_what_is_done_and_what_is_taken():
    for name in cg.__all__:
        public = getattr(cg, name)
        first = (inspect.getdoc(public) or "").partition("\n")[0]
        assert first.strip(), f"cg.{name} has no docstring"
        if callable(public):
            assert first in pydoc.render_doc(public, renderer=pydoc.plaintext)
    taken = inspect.signature(cg.adjust).parameters["estimates"].annotation
    assert "Series" in taken and "Dataset" in taken, (  # noqa: PT018
        "the signature in help is that behind the overloads"
    )


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


@pytest.mark.once
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
        return {"modiscolite" if name == "modisco_lite" else name for name in names}

    brought = {"pytensor"}  # by pymc, of whose models it is the language
    by_name = {"h5netcdf"}  # an engine of xarray
    required, optional = modules(project["dependencies"]), modules(extras)
    assert imported() - required - optional - brought == set()
    assert required - imported() - by_name == set()

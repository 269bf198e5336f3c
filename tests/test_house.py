"""The house as it is to be: contracts of all rooms, no import circles, names of the
field.
"""

from __future__ import annotations

import ast
import inspect
import operator
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import house
import numpy as np
import pytest
from house import FILES, PACKAGE, nodes, tree
from scipy import sparse
from scipy.sparse import csgraph

import causalgia as cg

sys.path.insert(0, str(house.ROOT / "benchmarks"))

from house_measures import (
    Source,
    constants_of_many_values,
    edits_of_errors,
    finders,
    public_names,
    wordings,
)

#: words that say nothing in a name, and the kinds of guard beside `check_` and `as_`
VAGUE = {"told", "said", "asked", "kept", "meet", "judged", "checked"}
#: names that files on disk have
STORED = {"attributes.py: protocol_kept"}
GUARDS = ("refuse_", "require_", "ensure_", "must_", "assert_")
#: spellings of another English than that of the house, which keeps "learned"
BRITISH = re.compile(
    r"\b(?:learnt|neighbour|behaviour|colour|favour|grey|licence|centre|programme|labelled(?!\.py|by)|modell|analys(?:e|ed|ing)\b|"
    r"(?:general|linear|maxim|minim|normal|optim|parameter|penal|random|recogn|summar)is(?:e|ed|er|es|ing|ation)\b)",
    re.IGNORECASE,
)


def test_names_are_words_of_the_field():
    """Functions, arguments and variables: `requested`, `attrs`, `observed`, and
    `check_x` or `as_x` for a guard.
    """
    found = set()
    for path in FILES:
        for node in nodes(path):
            name = _bound_name(node)
            if VAGUE & set(name.split("_")) or (
                isinstance(node, ast.FunctionDef) and name.startswith(GUARDS)
            ):
                found.add(f"{path.relative_to(PACKAGE)}: {name}")
    assert found == STORED


def _bound_name(node: ast.AST) -> str:
    """Return the name that a node binds, without underscores before it."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name.strip("_")
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id.strip("_")
    return node.arg.strip("_") if isinstance(node, ast.arg) else ""


def source(text, name="a"):
    return Source(PACKAGE / f"{name}.py", text, ast.parse(text))


def test_a_private_constant_has_one_name_for_one_thing():
    """`python benchmarks/house_measures.py` counts them, beside the other figures of
    the house.
    """
    package = [Source(path, path.read_text("utf-8"), tree(path)) for path in FILES]
    assert len(constants_of_many_values(package)) <= 5


def test_a_region_and_a_seed_are_parsed_once():
    package = [Source(path, path.read_text("utf-8"), tree(path)) for path in FILES]
    assert len(finders(package, "a region")) <= 2
    assert len(finders(package, "a seed")) <= 2
    for text in (
        "isinstance(rope, str)",
        "rope == 0",
        "is_x(self.rope)",
        "rope.strip()",
    ):
        assert finders([source(f"def f():\n    {text}")], "a region")
    assert not finders([source("def f():\n    rope.kind == 'sd'")], "a region")


def test_constants_of_many_values_are_found_in_tuples_too():
    three = [
        source("_MOST, _FEW = 3, 4", "a"),
        source("_MOST: int = 5\n_FEW = 4", "b"),
        source("_FEW = _MOST = 4", "c"),
    ]
    assert list(constants_of_many_values(three)) == ["_MOST"]
    assert constants_of_many_values(three[:2]) == {}


def test_edits_of_an_error_are_its_text_cut_searched_or_replaced():
    text = """
f"{error}: {str(error)}"
f"{str(error).partition(';')[0]} {error.args[0][:5]}"
"grad" in str(error)
re.sub("a", "b", str(error))
"""
    assert sorted(edits_of_errors(source(text))) == [3, 3, 4, 5]


def test_a_wording_is_the_first_sentence_of_an_argument():
    text = """
def f(a, rope, rng):
    '''Do it.

    Parameters
    ----------
    a, rope
        The region. More
        of it.
    rng : int
        A seed, 5.

    Returns
    -------
    rope
        Another.
    '''
"""
    assert wordings([source(text)], "rope") == ["The region."]
    assert wordings([source(text)], "rng") == ["A seed, 5."]


@pytest.mark.parametrize("argument", ["rope", "ci_prob", "rng", "cluster"])
def test_an_argument_has_three_first_sentences_at_most(argument):
    package = [Source(path, path.read_text("utf-8"), tree(path)) for path in FILES]
    found = wordings(package, argument)
    assert len(found) >= 30
    assert len(set(found)) <= 3


def promised() -> dict[str, list[str]]:
    """Return the names in ``__all__`` of the root and of each room."""
    return {
        path.parent.name: public_names(Source(path, "", tree(path)))
        for path in [PACKAGE / "__init__.py", *PACKAGE.glob("[a-z]*/__init__.py")]
    }


def test_the_doors_are_small():
    """A name is public at one address: at the root, or in a room."""
    names = promised()
    root = set(names.pop(PACKAGE.name))
    assert len(root) <= 70
    assert sum(map(len, names.values())) <= 160
    twice = {f"{room}.{name}" for room in names for name in root & {*names[room]}}
    assert twice == {"plot.tipping_point"}  # the figure of the verb


def test_a_room_promises_what_a_guide_shows_or_a_cure_names():
    pages = [house.ROOT / "README.md", *(house.ROOT / "notebooks").glob("*.py")]
    pages += [
        page
        for page in (house.ROOT / "docs").rglob("*.md")
        if "decisions" not in page.parts
    ]
    shown = set(re.findall(r"\w+", " ".join(page.read_text("utf-8") for page in pages)))
    cures = set(
        re.findall(
            r"cg\.(\w+\.\w+)", " ".join(path.read_text("utf-8") for path in FILES)
        )
    )
    names = promised()
    del names[PACKAGE.name]
    assert [
        f"{room}.{name}"
        for room, those in names.items()
        for name in those
        if name not in shown and f"{room}.{name}" not in cures
    ] == []


def test_the_contracts_are_those_of_the_list_of_rooms():
    """`python tests/house.py` writes them."""
    assert house.CONTRACTS.read_text(encoding="utf-8") == house.contracts()


def test_every_room_is_in_the_list_once():
    listed = [room.name for floor in house.FLOORS for room in floor]
    there = {
        path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")
    }
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(listed) == sorted(there)


def imports() -> dict[str, set[str]]:
    """Module -> the modules that it imports at its top or in a function; what is for
    type checkers alone is left out.

    A name that a package has from one of its modules is an import of that module.
    """
    modules = {_dotted(path): path for path in FILES}
    homes = {
        (package, alias.asname or alias.name): node.module
        for package, path in modules.items()
        if path.name == "__init__.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    found: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        if path.name == "__init__.py":
            continue
        for node in _run(tree(path)):
            if not isinstance(node, ast.ImportFrom) or not (
                node.module or ""
            ).startswith("causalgia"):
                continue
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                home = full if full in modules else str(node.module)
                while (
                    modules[home].name == "__init__.py" and (home, alias.name) in homes
                ):
                    home = homes[home, alias.name]
                if home != module and modules[home].name != "__init__.py":
                    found[module].add(home)
    return found


def _dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING:``."""
    if (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    ):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run(child)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other: strongly connected components of more
    than one.
    """
    names = sorted({*graph, *chain.from_iterable(graph.values())})
    place = {name: i for i, name in enumerate(names)}
    edges = np.array(
        [
            (place[one], place[other])
            for one, others in graph.items()
            for other in others
        ]
    )
    matrix = sparse.coo_array(
        (np.ones(len(edges)), tuple(edges.T)), shape=(len(names), len(names))
    )
    found = defaultdict(list)
    for name, label in zip(
        names, csgraph.connected_components(matrix, connection="strong")[1], strict=True
    ):
        found[label].append(name)
    return [group for group in found.values() if len(group) > 1]


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [
        ["a", "b", "c"]
    ]
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_modules_import_each_other():
    graph = imports()
    assert sum(map(len, graph.values())) > 1000
    assert circles(graph) == []


def test_the_incremental_path_has_one_door():
    """Rooms outside it import its package, which names what they may use."""
    inside = PACKAGE / "predict" / "incremental"
    outside = [path for path in FILES if inside not in path.parents]
    assert [
        path.name
        for path in outside
        if "predict.incremental." in path.read_text(encoding="utf-8")
    ] == []


def test_the_picture_of_the_house_is_the_list_of_rooms():
    """The floors of docs/how_it_is_built.md, from the roof to the ground, and every
    file of the ground floor.
    """
    page = (PACKAGE.parent / "docs" / "how_it_is_built.md").read_text(encoding="utf-8")
    rooms, ground = (
        page.split("## The floors")[1].split("## Names")[0].split("Below them")
    )
    drawn = [
        sorted(re.findall(r"`(\w+)`", line.split("|")[1]))
        for line in rooms.splitlines()
        if line.startswith("| `")
    ]
    floors = [sorted(room.name for room in floor) for floor in house.FLOORS]
    assert drawn == floors[: len(drawn)]
    below = [
        name
        for line in ground.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert sorted(below) == sorted(
        name for floor in floors[len(drawn) :] for name in floor
    )


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how_it_is_built.md"])
def test_the_maps_of_the_house_have_every_room(page):
    words = set(re.findall(r"\w+", (house.ROOT / page).read_text(encoding="utf-8")))
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= words, folders - words


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs"])
def test_no_sentence_of_a_page_begins_with_a_stray_letter(page):
    """A replacement over many pages once left "them. x each name" and "**x on the
    noise" where words had stood.
    """
    path = house.ROOT / page
    for one in [path] if path.is_file() else sorted(path.rglob("*.md")):
        text = re.sub(
            r"```.*?```", "", one.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        found = re.findall(r"(?<=[.!?*][ *])[b-y] [a-z]{2,}.{0,30}", text)
        assert found == [], one.name


def written(folder):
    """Return the files of text in a folder, without those that are copied or made when
    the pages are built.
    """
    made = {house.ROOT / "docs" / name for name in ("_build", "notebooks", "generated")}
    texts = (
        path
        for path in sorted((house.ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".md", ".jinja")
    )
    return [path for path in texts if made.isdisjoint(path.parents)]


def test_examples_of_a_page_are_in_fences():
    """Outside one, Markdown reads ``>>>`` as three quotations, one inside the other."""
    for page in [house.ROOT / "README.md", *written("docs")]:
        if page.suffix != ".md":
            continue
        text = re.sub(
            r"^```.*?^```",
            "",
            page.read_text(encoding="utf-8"),
            flags=re.DOTALL | re.MULTILINE,
        )
        assert re.findall(r"^>>>.*", text, flags=re.MULTILINE) == [], page.name


@pytest.mark.parametrize("folder", ["causalgia", "docs", "notebooks", "benchmarks"])
def test_words_are_spelled_as_in_america(folder):
    texts = written(folder)
    assert texts
    for path in [
        *texts,
        *(
            house.ROOT / page
            for page in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
        ),
    ]:
        assert BRITISH.findall(path.read_text(encoding="utf-8")) == [], path.name


_IN_EVERY_PAGE = {"cg.Name", "cg.name", "cg.room"}
"""Names that stand for any name."""


@pytest.mark.torch
def test_the_calls_of_pages_exist_and_take_what_is_given():
    """Names and keywords in README, pages and notebooks, also where no example runs."""
    pages = [
        path
        for path in (
            *written("docs"),
            *(house.ROOT / "notebooks").glob("*.py"),
            house.ROOT / "causalgia" / "cli" / "skill.md",
        )
        if "decisions" not in path.parts
    ]
    wrong = []
    for page in (house.ROOT / "README.md", *pages):
        text = page.read_text(encoding="utf-8").replace("\\_", "_")
        for found in re.finditer(r"(?<![\w.])cg((?:\.\w+)+)(\([^()]*\))?", text):
            if f"cg{found[1]}" in _IN_EVERY_PAGE:
                continue
            try:
                value = operator.attrgetter(found[1][1:])(cg)
            except AttributeError as error:
                wrong.append(f"{page.name}: {error}")
                continue
            if found[2] and callable(value):
                takes = inspect.signature(value).parameters
                given = re.findall(r"[(,]\s*(\w+)=(?!=)", found[2])
                if not any(one.kind is one.VAR_KEYWORD for one in takes.values()):
                    wrong += [
                        f"{page.name}: cg{found[1]}({name}=)"
                        for name in given
                        if name not in takes
                    ]
    assert not wrong, "\n".join(wrong)

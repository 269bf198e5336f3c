"""The house in figures: what is counted of the package's source, each with what it was
when the goals were set, and its goal.

``python benchmarks/house_measures.py`` prints the table in Markdown, in a minute:
what is counted of the source, and what the tests of regions find. No goal but that of
long lines can be met by formatting.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from causalgia.errors import CausalgiaError

PACKAGE = Path(__file__).parents[1] / "causalgia"
SCHEMA = PACKAGE / "schema.py"
"""The module that may name attributes of a Dataset."""
KERAS = PACKAGE / "predict" / "_from_keras_h5.py"
"""Reads attributes of an HDF5 file, which are Keras's."""
ARGUMENTS = ("rope", "ci_prob", "rng", "cluster")
_SECTION = re.compile(
    r"\n\s*Parameters\n\s*-{3,}\n(.*?)(?:\n\s*\w+\n\s*-{3,}\n|\Z)", re.S
)
_FIRST_SENTENCE = re.compile(r"\A.*?(?:[.;:](?=\s|\Z)|\Z)", re.S)


class Source(NamedTuple):
    """A file of the package: its path, text and syntax tree."""

    path: Path
    text: str
    tree: ast.Module


def sources(package: Path = PACKAGE) -> list[Source]:
    """Return all files of a package."""
    texts = {path: path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    return [Source(path, text, ast.parse(text)) for path, text in texts.items()]


def constants_of_many_values(files: Iterable[Source]) -> dict[str, set[str]]:
    """Return private constants of one name with several values, in three files or more,
    and their files.
    """
    values, places = defaultdict(set), defaultdict(set)
    for file in files:
        for name, value in _constants(file.tree):
            values[name].add(ast.unparse(value))
            places[name].add(str(file.path.relative_to(PACKAGE.parent)))
    several = [name for name in values if len(values[name]) > 1]
    return {name: places[name] for name in several if len(places[name]) >= 3}


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield private names that a module assigns, those of a tuple one by one."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name) and re.match(r"_[^_]", name.id):
                    yield name.id, value


def edits_of_errors(file: Source) -> list[int]:
    """Return the lines that cut, search or replace the text of an error."""
    found = []
    for node in ast.walk(file.tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Attribute | ast.Subscript):
            parts = [node.value]
        elif isinstance(node, ast.Compare):
            parts = node.comparators
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            parts = node.args
        found += [part.lineno for part in parts if _is_text_of_error(part)]
    return found


def _is_text_of_error(node: ast.expr) -> bool:
    error = r"(?:\w*error|exc?|e)"
    return bool(re.fullmatch(rf"str\({error}\)|{error}\.args\[0\]", ast.unparse(node)))


def attribute_literals(file: Source) -> list[str]:
    """Return the names of Dataset attributes that a file writes as literals."""
    found: list[ast.expr | None] = []
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Subscript) and _is_attrs(node.value):
            found.append(node.slice)
        elif isinstance(node, ast.Compare) and _is_attrs(node.comparators[0]):
            found.append(node.left)
        elif isinstance(node, ast.Call):
            if re.search(r"\battrs\.(get|pop|setdefault)$", ast.unparse(node.func)):
                found += node.args[:1]
            found += _keys(word.value for word in node.keywords if word.arg == "attrs")
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += _keys([node.value] if any(map(_is_attrs, targets)) else [])
    return [
        key.value
        for key in found
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]


def _is_attrs(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "attrs"


def _keys(values: Iterable[ast.expr]) -> Iterator[ast.expr | None]:
    """Yield the keys of dictionaries, and of unions of dictionaries."""
    for value in values:
        if isinstance(value, ast.Dict):
            yield from value.keys
        elif isinstance(value, ast.BinOp):
            yield from _keys([value.left, value.right])


def wordings(files: Iterable[Source], argument: str) -> list[str]:
    """Return the first sentence on an argument in each section of parameters."""
    entry = re.compile(
        rf"^( *)(?:\w+, )*\*{{0,2}}{argument}(?:, \w+)*(?: ?:.*)?\n((?:\1 +\S.*\n?|\n)+)",
        re.M,
    )
    found = []
    for file in files:
        for node in ast.walk(file.tree) if argument in file.text else ():
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            for section in _SECTION.findall(f"{ast.get_docstring(node) or ''}\n"):
                for _, words in entry.findall(f"{section}\n"):
                    sentence = _FIRST_SENTENCE.match(" ".join(words.split()))
                    found.append(sentence[0] if sentence else "")
    return found


_TEXT_METHODS = {"strip", "startswith", "endswith", "split", "isdigit", "isdecimal"}


def finding_the_form(file: Source, *names: str) -> list[str]:
    """Return the functions that find out what a value of one of these names is: they
    test its type (also by a function ``is_...``), compare it with a constant other than
    None, or search its text.

    A value that was parsed answers by its attributes (``rope.kind == "sd"``), which are
    not counted.
    """
    return [
        node.name
        for node in ast.walk(file.tree)
        if isinstance(node, ast.FunctionDef)
        and any(_finds_form(one, names) for one in ast.walk(node))
    ]


def _finds_form(node: ast.AST, names: tuple[str, ...]) -> bool:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            of_text = node.func.attr in _TEXT_METHODS
            return of_text and _name_of(node.func.value) in names
        of_type = bool(re.fullmatch(r"isinstance|type|is_\w+", _name_of(node.func)))
        return of_type and bool(node.args) and _name_of(node.args[0]) in names
    if not isinstance(node, ast.Compare):
        return False
    if isinstance(node.ops[0], ast.In | ast.NotIn):
        return _name_of(node.left) in names and any(map(_is_constant, node.comparators))
    sides = [node.left, *node.comparators]
    return any(_name_of(x) in names for x in sides) and any(map(_is_constant, sides))


def _name_of(node: ast.AST) -> str:
    """Return the last name of an expression: ``rope`` of ``self.rope``."""
    if isinstance(node, ast.NamedExpr):
        return node.target.id
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _is_constant(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_is_constant, node.elts))
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.Constant) and node.value is not None


PARSED_IN = {
    "a region": (("rope", "region"), "ropes.py"),
    "a seed": (("rng", "seed"), "streams.py"),
    "a list of contrasts": (("contrasts",), "effects/contrast_weights.py"),
    "a target": (("target",), "choices.py"),
    "a cluster": (("cluster",), "estimation/request.py"),
}
"""What is parsed at the door -> the names that it has, and the file that parses it."""


def finders(files: Iterable[Source], what: str) -> list[str]:
    """Return the functions outside the parser that find out what something is."""
    names, parser = PARSED_IN[what]
    return [
        f"{file.path.relative_to(PACKAGE)}: {name}"
        for file in files
        if file.path != PACKAGE / parser and any(name in file.text for name in names)
        for name in finding_the_form(file, *names)
    ]


def public_names(file: Source) -> list[str]:
    """Return the public names of a package's `__init__`: those of ``__all__``, or all
    that it imports from the library.
    """
    for node in file.tree.body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(targets[0], ast.Name)
            and targets[0].id == "__all__"
            and node.value is not None
        ):
            return list(ast.literal_eval(node.value))
    names = {
        alias.asname or alias.name
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("causalgia.")
        for alias in node.names
    }
    return [name for name in names if not name.startswith("_")]


class Measure(NamedTuple):
    """A row of the table: what is counted, what it was when the goal was set (counted
    by hand or by another script, so that definitions may differ), what it is, and the
    goal.
    """

    what: str
    then: str
    now: object
    goal: str


def of_tests(module: str) -> Any:
    """Return a module of the tests, which measure what is counted here, too."""
    folder = str(PACKAGE.parent / "tests")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module(module)


def readers_of_errors(files: Iterable[Source]) -> int:
    """Return how many functions read the text of an error, also by a variable:
    `edits_of_errors` sees those that read it on the spot.
    """
    found = of_tests("test_error_fields").edits_of_errors
    return sum(len(found(ast.walk(file.tree))) for file in files)


def regions_that_agree() -> str:
    """Return for how many pairs of a form of a region and a verb the test of the pair
    passes, and how many pairs there are.
    """
    tests = of_tests("test_ropes")
    passed = []
    for form in tests.FORMS:
        pairs = [
            *(
                (tests.test_a_region_has_the_same_ends_in_every_verb, v)
                for v in tests.VERBS
            ),
            (tests.test_a_plan_takes_every_form,),
            (tests.test_a_tipping_point_takes_every_form,),
        ]
        for test, *verb in pairs:
            try:
                test(form, *verb)
            except (AssertionError, CausalgiaError):
                passed.append(False)
            else:
                passed.append(True)
    return f"{sum(passed)} of {len(passed)}"


def guards(files: Iterable[Source]) -> str:
    """Return how many functions are guards by their names, of how many, and how many
    statements raise.
    """
    found = [node for file in files for node in ast.walk(file.tree)]
    names = [node.name for node in found if isinstance(node, ast.FunctionDef)]
    n = sum(bool(re.match("_?(check|as|is|has)_", name)) for name in names)
    n_raised = sum(isinstance(node, ast.Raise) for node in found)
    return f"{n:,} of {len(names):,}; {n_raised:,}"


def lines_over_100(files: Iterable[Source]) -> float:
    """Return the share of lines of more than 100 columns."""
    lines = [line for file in files for line in file.text.splitlines()]
    return sum(len(line) > 100 for line in lines) / len(lines)


_WORDINGS_THEN = {
    "rope": "26 in 41",
    "ci_prob": "30 in 54",
    "rng": "32 in 44",
    "cluster": "21 in 36",
}


_FINDERS_THEN = {
    "a region": ("25", "0"),
    "a seed": ("12", "-"),
    "a list of contrasts": ("4", "-"),
    "a target": ("51", "-"),
    "a cluster": ("16", "-"),
}


def table(files: list[Source]) -> list[Measure]:
    """Return the rows of the table: what was measured when the goals were set, and what
    is measured now.
    """
    outside = [file for file in files if file.path not in (SCHEMA, KERAS)]
    attrs = [name for file in outside for name in attribute_literals(file)]
    texts = {name: wordings(files, name) for name in ARGUMENTS}
    names = {
        str(file.path.parent.relative_to(PACKAGE)): len(public_names(file))
        for file in files
        if file.path.name == "__init__.py"
    }
    rooms = [n for room, n in names.items() if re.fullmatch(r"[a-z]\w*", room)]
    regex_module = PACKAGE / "cli" / "one_line_errors.py"
    places = sum(len(edits_of_errors(file)) for file in files)
    skipped = sum(
        "# fmt: skip" in line for file in files for line in file.text.splitlines()
    )
    return [
        *(
            Measure(
                f"functions outside the parser that find out what {what} is",
                then,
                len(finders(files, what)),
                goal,
            )
            for what, (then, goal) in _FINDERS_THEN.items()
        ),
        *(
            Measure(
                f"wordings of `{name}` in docstrings",
                _WORDINGS_THEN[name],
                f"{len(set(found))} in {len(found)}",
                "<= 3",
            )
            for name, found in texts.items()
        ),
        Measure(
            "places that cut, search or replace the text of an error",
            "21",
            places,
            "<= 4",
        ),
        Measure(
            "functions that read the text of an error",
            "35",
            readers_of_errors(files),
            "<= 4",
        ),
        Measure(
            "`cli/one_line_errors.py`, lines of regular expressions",
            "384",
            len(regex_module.read_text("utf-8").splitlines())
            if regex_module.exists()
            else "gone",
            "gone",
        ),
        Measure(
            "attributes as literals outside the schema",
            "142 at 688 places",
            f"{len(set(attrs))} at {len(attrs)} places",
            "0",
        ),
        Measure(
            "private constants of one name with several values in three files or more",
            "75",
            len(constants_of_many_values(files)),
            "<= 5",
        ),
        Measure("public names of the root", "60", names["."], "<= 70"),
        Measure("public names of the rooms", "441", sum(rooms), "<= 160"),
        Measure(
            "lines over 100 columns", "12.8 %", f"{lines_over_100(files):.2%}", "<= 1 %"
        ),
        Measure("`# fmt: skip`", "14", skipped, "0"),
        Measure(
            "forms of `rope=` x verbs that agree",
            "34 of 42",
            regions_that_agree(),
            "all",
        ),
        Measure(
            "functions `check_`, `as_`, `is_`, `has_`; `raise` statements",
            "547 of 5,492; 2,535",
            guards(files),
            "-",
        ),
        Measure(
            "`make test` on 2 cores",
            "22 to 28 min",
            "measured by `time make test`",
            "<= 12 min",
        ),
        Measure("`make quick`", "-", "measured by `time make quick`", "<= 60 s"),
    ]


if __name__ == "__main__":
    print("| what | then | now | goal |\n|---|---|---|---|")
    for row in table(sources()):
        print(f"| {' | '.join(map(str, row))} |")

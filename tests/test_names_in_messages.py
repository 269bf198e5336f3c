"""What messages name is there: arguments, functions and options that an error tells a
user to give.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import Any

import typer
from house import nodes, tree

import causalgia as cg
from causalgia import cli
from causalgia.errors import MissingExtraError

PACKAGE = Path(cg.__file__).parent
OF_OTHERS = {
    "assign": "torch's load_state_dict",
    "base_compiledir": "pytensor",
    "dynamic_shapes": "torch.export.export",
    "min": "torch.export.Dim",
    "replicate": "xarray's sel",
    "reset_after": "Keras",
    "return_state": "Keras",
    "save_as_external_data": "onnx.save",
    "strict": "torch's load_state_dict",
    "track_running_stats": "torch's batch norm",
    "training": "torch's dropout",
    "weights_only": "torch.load",
    "drop": "xarray's sel",
    "columns": "pandas' rename",
    "decimal": "pandas' read_csv",
    "sep": "pandas' read_csv",
    "axis": "numpy and xarray",
}
"""Arguments of other packages, which messages name with their functions."""
NO_MESSAGES = re.compile(r"[<>\\]|##|causalgia\.time")
"""HTML, regular expressions, heads of VCF files and keys of settings."""
NO_ARGUMENTS = {
    "r": "a rank that is shown",
    "u1": "bytes of a magic number",
    "style": "of HTML",
    "viewBox": "of HTML",
    "mode": "of one's own call of posterior.mixture.mixture",
    "prior_count": "of one's own call of posterior.mixture.mixture",
    "nu": "of one's own call of posterior.student_t.student",
    "threads": "of one's own call of sequences.random.over_rows",
}
NOT_OURS = {"--check-ref": "bcftools norm", "--help": "every command"}


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Return every text of the package that is no docstring, with its place; what an
    f-string fills in is ``{}``.
    """
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        inside: set[int] = set()
        for node in nodes(path):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                inside.add(id(node.value))
            if isinstance(node, ast.JoinedStr):
                inside |= {id(part) for part in node.values}
                found.append((path, node.lineno, _joined(node)))
        found += [
            (path, node.lineno, node.value)
            for node in nodes(path)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ]
    return tuple(
        (f"{path.relative_to(PACKAGE)}:{line}", text)
        for path, line, text in found
        if not NO_MESSAGES.search(text)
    )


def _joined(node: ast.JoinedStr) -> str:
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{}"
        for part in node.values
    )


ROOMS = (
    "attribution calibration design effects estimation experiments mpra "
    "multiplicity paper planning plot posterior predict protocol refutation "
    "schema sequences stopping store verdicts zoo"
)


def modules() -> Iterator[Any]:
    yield cg
    for room in ROOMS.split():
        yield importlib.import_module(f"causalgia.{room}")


@cache
def arguments() -> frozenset[str]:
    """Return the names of the arguments of all that the package exports, and of the
    methods of its classes.
    """
    known: set[str] = set()
    for module in modules():
        for name in getattr(module, "__all__", ()):
            try:
                value = getattr(module, name)
            except (AttributeError, MissingExtraError):
                continue
            values = [value]
            if inspect.isclass(value):
                values += [
                    one
                    for key, one in inspect.getmembers(value, callable)
                    if not key.startswith("_")
                ]
            for one in values:
                known |= set(parameters(one))
    return frozenset(known)


def parameters(value: Any) -> dict[str, Any]:
    try:
        return dict(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return {}


def resolved(name: str) -> Any:
    """Return what ``cg.a.b`` is, or None."""
    parts = name.split(".")[1:]
    try:
        return reduce(getattr, parts, cg)
    except (AttributeError, MissingExtraError):
        pass
    try:
        return importlib.import_module("causalgia." + ".".join(parts))
    except ImportError:
        return None


def options() -> set[str]:
    known: set[str] = set()

    def walk(command: Any) -> None:
        for one in command.params:
            known.update(one.opts, one.secondary_opts)
        for name in getattr(command, "commands", ()):
            walk(command.commands[name])

    walk(typer.main.get_command(cli.app))
    return known


def test_the_texts_are_those_of_the_errors():
    assert len(texts()) > 8_000
    assert any("out by ``skip=" in text for _, text in texts())


@cache
def arguments_of_file(place: str) -> frozenset[str]:
    """Return the arguments of the public functions and classes of the file that a
    message is in: those that are imported from their module.
    """
    names = set()
    for node in tree(PACKAGE / place.partition(":")[0]).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            for one in inner:
                if isinstance(one, ast.AnnAssign):  # a field
                    names.add(ast.unparse(one.target))
                elif isinstance(one, ast.FunctionDef):
                    names |= {a.arg for a in (*one.args.args, *one.args.kwonlyargs)}
    return frozenset(names)


def test_every_argument_that_a_message_names_is_one_of_a_public_callable():
    known = arguments() | OF_OTHERS.keys() | NO_ARGUMENTS.keys()
    assert len(known) > 400
    unknown = [
        f"{place}: {name}= in {text!r}"
        for place, text in texts()
        for name in re.findall(r"(?<![\w.\"'{(?-])([a-z]\w*)=(?![=(\"]|$)", text)
        if name not in known and name not in arguments_of_file(place)
    ]
    assert not unknown, "\n".join(unknown)


def test_every_call_that_a_message_names_takes_its_arguments():
    wrong, n = [], 0
    for place, text in texts():
        for name, given in re.findall(
            r"\b((?:cg|causalgia)\.[A-Za-z_.]*\w)(?:\(([^()]*)\))?", text
        ):
            value = resolved(name)
            if value is None and place.startswith("former_names.py"):
                continue
            if value is None:
                if name.count(".") > 1 or name.startswith("cg."):
                    wrong.append(f"{place}: there is no {name}, {text!r}")
                continue
            taken = parameters(value)
            if any(one.kind is one.VAR_KEYWORD for one in taken.values()):
                continue
            for argument in re.findall(r"(?:^|[,(] ?)([a-z_]\w*)=", given):
                n += 1
                if argument not in taken:
                    wrong.append(f"{place}: {name} has no {argument}=, {text!r}")
    assert n > 60
    assert not wrong, "\n".join(wrong)


def test_every_option_that_a_message_names_is_one_of_a_command():
    known = options() | NOT_OURS.keys()
    assert len(known) > 100
    unknown = [
        f"{place}: {option} in {text!r}"
        for place, text in texts()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*\w", text)
        if option not in known
    ]
    assert not unknown, "\n".join(unknown)

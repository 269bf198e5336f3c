"""The tests themselves: their outcome hangs on the code, not on the clock, on chance or
on how busy a machine is.
"""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from house import parsed
from hypothesis import settings

HERE = Path(__file__).parent
CLOCKS = {"perf_counter", "process_time", "thread_time", "monotonic", "time", "Timer"}
ALLOWED = {
    "tests/events.py: sleep",
    "tests/test_workers.py: sleep(0)",
    "tests/fuzz/conftest.py: process_time",  # what is promised there is a time
}


def nodes(words: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes of the tests in which one of some words stands, each with its
    file: a fraction of all, and all of them take seconds to parse.
    """
    for path in [*sorted(HERE.rglob("*.py")), HERE.parent / "conftest.py"]:
        if re.search(words, path.read_text(encoding="utf-8")):
            for node in ast.walk(parsed(path)):
                yield path.relative_to(HERE.parent).as_posix(), node


def calls(words: str) -> Iterator[tuple[str, str, ast.Call]]:
    for file, node in nodes(words):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                yield file, name, node


def timed(name: str, call: ast.Call) -> str | None:
    """What a call has to do with time, or None."""
    if name == "sleep":
        return "sleep(0)" if ast.unparse(call.args[0]) == "0" else name
    if name.removesuffix("_ns") in CLOCKS:
        return name
    if any(
        option.arg in ("timeout", "deadline") and ast.unparse(option.value) != "None"
        for option in call.keywords
    ):
        return f"{name}(timeout=)"
    return (
        f"{name}(seconds)" if name in ("wait", "join") and numeric(call.args) else None
    )


def numeric(arguments: list[ast.expr]) -> bool:
    return any(
        isinstance(one, ast.Constant) and isinstance(one.value, int | float)
        for one in arguments
    )


def test_nothing_waits_for_a_time_or_reads_a_clock() -> None:
    found = {
        f"{file}: {what}": call.lineno
        for file, name, call in calls(
            rf"\b(sleep|({'|'.join(CLOCKS)})(_ns)?)\(|\b(timeout|deadline)="
            r"|\b(wait|join)\([^)]*\b\d"
        )
        if (what := timed(name, call))
    }
    assert found.keys() == ALLOWED, found


def test_no_test_draws_what_nobody_can_draw_again() -> None:
    for file, name, call in calls(
        r"\b(default_rng|RandomState|SeedSequence)\(\s*(\)|\w+=)|\bderandomize\b"
        r"|\bgzip\.compress\("
    ):
        options = {one.arg for one in call.keywords}
        if name in ("default_rng", "RandomState", "SeedSequence"):
            assert call.args, f"{file}, line {call.lineno}: {name} without a seed"
        if name == "settings":
            assert "derandomize" not in options, (
                f"{file}, line {call.lineno}: the profile of the gate says that"
            )
        # else the clock is in the bytes, and with them in the name of a test
        if name == "compress" and ast.unparse(call.func) == "gzip.compress":
            assert "mtime" in options, (
                f"{file}, line {call.lineno}: gzip without mtime=0"
            )


def test_no_test_meets_the_warning_that_arviz_gives_on_the_first_import_of_a_day() -> (
    None
):
    for file, node in nodes(r"\b(import|from) (arviz|pymc)\b"):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                continue
        rooms = {module.partition(".")[0] for module in modules}
        cure = "import_quietly or catch_warnings"  # pymc imports arviz
        assert not {"arviz", "pymc"} & rooms, f"{file}, line {node.lineno}: {cure}"


def test_the_gate_tries_the_same_examples_each_time() -> None:
    gate = settings.get_profile("gate")
    assert gate.derandomize
    assert gate.deadline is None
    assert not settings.get_profile("explore").derandomize


def test_no_test_is_named_by_bytes_that_another_second_changes(request) -> None:
    """Two processes of a run would collect different tests."""

    def name(val: bytes) -> str | None:
        found = request.config.hook.pytest_make_parametrize_id(
            config=request.config, val=val, argname="content"
        )
        return found if found is None else str(found)

    one, other = (gzip.compress(b"x" * 99, mtime=second) for second in (0, 1))
    assert one != other
    assert name(one) == name(other) == f"content of {len(one)} bytes"
    assert name(b"plain") is None

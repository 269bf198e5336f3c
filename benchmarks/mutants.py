"""Mutation testing: small changes of the code, each of which some test has to notice.
Hours; not part of the gate.

    python benchmarks/mutants.py                    # effects, estimation, multiplicity, posterior, verdicts
    python benchmarks/mutants.py --n 40 --jobs 2    # 40 drawn at random from each of these
    python benchmarks/mutants.py multiplicity/adjusted_p.py --tests tests/test_fdr.py
    python benchmarks/mutants.py --only "multiplicity/adjusted_p.py#812.0" --seconds 600    # again, by all it meets

A mutant changes one place of a module: a comparison, a sign, an operator, a bound, a
check that goes. The tests are run once, and what each of them executes is recorded. A
mutant is then run against the tests that execute its statement, fastest first, until
one fails or `--seconds` of them have passed: what survives these is counted as a
survivor, though a longer test might have caught it. A mutant that takes far longer than
its tests do is killed.

Tests are collected once, in a process that runs none of them. A mutant is a fork of it,
in which the code of the changed function is replaced: nothing is imported again,
nothing is written, and no mutant meets what another left. A change outside functions is
written into a copy of the repository and run by a new pytest. Compiled kernels are
changed like the rest. What they execute cannot be recorded, so that all tests count
that reach their module or those that import it; their machine code, and that of their
callers, is compiled anew in a cache of its own.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib
import inspect
import itertools
import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "causalgia"
ROOMS = ("effects", "estimation", "multiplicity", "posterior", "verdicts")
COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
JOINED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CALLED = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
}
MEMORY = 6 * 2**30
SLOWER = 5
"""A mutant is killed that takes so many times longer than its tests, and half a minute
(a new pytest, kernels: 3).
"""
FATES = ("killed", "SURVIVED", "equal", "UNTRIED")


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in place of a node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield ast.Compare(node.left, [COMPARED[type(op)]()], node.comparators)
        case ast.BinOp(op=op) if type(op) in JOINED:
            yield ast.BinOp(node.left, JOINED[type(op)](), node.right)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(
                ast.And() if isinstance(op, ast.Or) else ast.Or(), node.values
            )
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]
        ) if name in ("abs", "sqrt"):
            yield first
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield ast.Call(ast.Name(CALLED[name], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Attribute(attr=name)) if name in CALLED:
            yield ast.Call(
                ast.Attribute(node.func.value, CALLED[name], ast.Load()),
                node.args,
                node.keywords,
            )
        case ast.keyword(arg="ddof" | "axis", value=ast.Constant(value=int(n))):
            yield ast.keyword(node.arg, ast.Constant(1 - n))
        case ast.If(body=[ast.Raise()], orelse=[]):
            yield ast.Pass()


@dataclass(frozen=True)
class Mutant:
    """One change of one module: the place in the order of `ast.walk`, and which of its
    changes.
    """

    module: str
    place: int
    which: int

    def __str__(self) -> str:
        return f"{self.module}#{self.place}.{self.which}"

    def nodes(self) -> tuple[ast.Module, ast.AST, ast.AST, ast.stmt]:
        """Return the tree of the module, the node, what stands in its place, and the
        statement around it.
        """
        tree = ast.parse((PACKAGE / self.module).read_text())
        node = list(ast.walk(tree))[self.place]
        around = [
            s
            for s in ast.walk(tree)
            if isinstance(s, ast.stmt) and any(n is node for n in ast.walk(s))
        ]
        return tree, node, list(changes(node))[self.which], around[-1]

    def tree(self) -> ast.Module:
        """Return the module with the change; lines are those of the source."""
        tree, node, new, _ = self.nodes()
        new = ast.copy_location(copy.deepcopy(new), node)
        return ast.fix_missing_locations(Swap(node, new).visit(tree))

    def line(self) -> int:
        """Return the line of the change."""
        _, node, _, around = self.nodes()
        return getattr(node, "lineno", around.lineno)

    def lines(self) -> set[int]:
        """Return the lines of the statement that changes: of a compound one, those of
        its head.
        """
        around = self.nodes()[3]
        body = getattr(around, "body", None)
        return set(
            range(
                around.lineno,
                body[0].lineno if body else (around.end_lineno or around.lineno) + 1,
            )
        )

    def inside(self) -> set[int]:
        """Return the lines that a changed `if` leads to."""
        around = self.nodes()[3]
        last = around.body[-1] if isinstance(around, ast.If) else None
        return (
            set(range(last.lineno, (last.end_lineno or last.lineno) + 1))
            if last
            else set()
        )

    def words(self) -> str:
        """Return the change in words."""
        _, node, new, _ = self.nodes()
        short = [" ".join(ast.unparse(part).split())[:90] for part in (node, new)]
        return f"`{short[0]}` -> `{short[1]}`"


class Swap(ast.NodeTransformer):
    """Puts one node in place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the node, or what stands in its place."""
        return self.new if node is self.old else self.generic_visit(node)


def mutants(module: str) -> list[Mutant]:
    """Return every mutant of a module; text, annotations and decorators stay as they
    are.
    """
    tree = ast.parse((PACKAGE / module).read_text())
    left_out = set[int]()
    for node in ast.walk(tree):
        for field in ("annotation", "returns", "decorator_list", "exc"):
            value = getattr(node, field, None)
            outer = value if isinstance(value, list) else [value]
            left_out |= {
                id(inner)
                for part in outer
                if isinstance(part, ast.AST)
                for inner in ast.walk(part)
            }
    found = []
    for i, node in enumerate(ast.walk(tree)):
        if id(node) not in left_out and not any(
            isinstance(p, ast.JoinedStr) for p in ast.iter_child_nodes(node)
        ):
            found += [Mutant(module, i, k) for k, _ in enumerate(changes(node))]
    return found


def altered(old: CodeType, new: CodeType) -> list[CodeType] | None:
    """Return the new functions of a module that differ from the old; None where its own
    statements do.
    """
    if _own(old) != _own(new):
        return None
    found = []
    for before, after in zip(_inner(old), _inner(new), strict=True):
        if after.co_flags & inspect.CO_OPTIMIZED:
            found += [after] if _whole(before) != _whole(after) else []
        elif (methods := altered(before, after)) is None:
            return None
        else:
            found += methods
    return found


def _inner(code: CodeType) -> list[CodeType]:
    return [value for value in code.co_consts if isinstance(value, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    constants = [
        repr(value) for value in code.co_consts if not isinstance(value, CodeType)
    ]
    return code.co_code, constants, code.co_names, code.co_varnames, len(_inner(code))


def _whole(code: CodeType) -> tuple[object, ...]:
    return *_own(code), *[_whole(inner) for inner in _inner(code)]


def kernels(module: str) -> set[int]:
    """Return the lines of a module's compiled kernels."""
    functions = [
        n
        for n in ast.walk(ast.parse((PACKAGE / module).read_text()))
        if isinstance(n, ast.FunctionDef)
    ]
    compiled = [
        f for f in functions if any("njit" in ast.unparse(d) for d in f.decorator_list)
    ]
    return {
        line
        for f in compiled
        for line in range(f.lineno, (f.end_lineno or f.lineno) + 1)
    }


def importers(module: str) -> set[str]:
    """Return a module and those that import it; where one of these has kernels, also
    those that import that one.
    """
    sources = {
        str(f.relative_to(PACKAGE)): f.read_text() for f in PACKAGE.rglob("*.py")
    }
    found, new = set[str](), {module}
    while new:
        found |= new
        names = [
            "causalgia." + m.removesuffix(".py").replace("/", ".")
            for m in new
            if m == module or kernels(m)
        ]
        new = {
            m
            for m in sources
            if any(f"from {name} import" in sources[m] for name in names)
        } - found
    return found


class Campaign:
    """Runs mutants against the tests that pytest has collected."""

    def __init__(
        self, made: list[Mutant], given: argparse.Namespace, folder: Path
    ) -> None:
        self.made, self.given, self.folder = made, given, folder
        self.kept = Path(given.record or folder)
        self.kept.mkdir(exist_ok=True)
        self.failed: list[str] = []
        self.sound: dict[str, bool] = {}
        self.coverage, self.context = None, ""

    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants",
            settings.get_profile("gate"),
            phases=(Phase.explicit, Phase.generate),
        )
        settings.load_profile("mutants")  # the first example that fails is enough

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        return (yield from self._timed())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        return (yield from self._timed())

    def _timed(self) -> Iterator[None]:
        """Stop a phase of a test that takes too long; between phases pytest would not
        take the error as the test's.
        """
        if self.coverage is None:
            return (yield)
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, self.given.seconds)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Iterator[None]:
        if self.coverage is None or fixturedef.scope == "function":
            return (yield)
        # all tests that use it execute it
        self.coverage.switch_context(f"{fixturedef.baseid}::{fixturedef.argname}")
        try:
            return (yield)
        finally:
            self.coverage.switch_context(self.context)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Failed("tests cannot be collected")
        for file in sorted({mutant.module for mutant in self.made}):
            importlib.import_module(
                "causalgia." + file.removesuffix(".py").replace("/", ".")
            )
        self.items = {item.nodeid: item for item in session.items}
        # isinstance may ask a proxy, which warns
        functions = [f for f in gc.get_objects() if type(f) is FunctionType]
        self.functions = {_place(f.__code__): f for f in functions}
        gc.freeze()
        self.record()
        self.run_all()
        return True

    # what the tests execute

    def record(self) -> None:
        """Run each test that the record lacks, once, in forks; keep its seconds and the
        lines that it executes.
        """
        path = self.kept / "record.json"
        kept = (
            json.loads(path.read_text())
            if path.exists()
            else {"seconds": {}, "fixtures": {}, "lines": {}}
        )
        new = [item for name, item in self.items.items() if name not in kept["seconds"]]
        print(f"{len(new)} tests are run once", flush=True)
        files = sorted({item.nodeid.split("::")[0] for item in new})
        parts = []
        for job in range(self.given.jobs):
            part = [
                item
                for item in new
                if files.index(item.nodeid.split("::")[0]) % self.given.jobs == job
            ]
            if part and (pid := os.fork()) == 0:
                with _child(self.folder / f"recorded_{job}", self.kept / "numba"):
                    self._record(part, self.folder / f"record_{job}.json")
            parts += [(pid, self.folder / f"record_{job}.json")] if part else []
        for pid, part_path in parts:
            os.waitpid(pid, 0)
            if not part_path.exists():
                raise SystemExit(
                    f"tests ended the process that records them, {part_path}: "
                    "MUTANTS_ERRORS=1 shows why"
                )
            for key, values in json.loads(part_path.read_text()).items():
                kept[key] |= values
        path.write_text(json.dumps(kept))
        self.seconds = {name: kept["seconds"][name] for name in self.items}
        self.reach: dict[str, dict[str, set[int]]] = {}
        for name in self.items:
            contexts = [name] + [
                f for f in kept["fixtures"][name] if f in kept["lines"]
            ]
            for context in contexts:
                for file, lines in kept["lines"].get(context, {}).items():
                    self.reach.setdefault(file, {}).setdefault(name, set()).update(
                        lines
                    )
        dead = [name for name, seconds in self.seconds.items() if seconds is None]
        print(
            f"{len(self.items)} tests, {len(dead)} that fail or are too long:",
            *dead,
            flush=True,
        )

    def _record(self, new: list[pytest.Item], path: Path) -> None:
        import coverage

        kept: dict[str, dict[str, Any]] = {"seconds": {}, "fixtures": {}, "lines": {}}
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[f"{PACKAGE}/*"]
        )
        # warnings are errors here
        self.coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self.coverage.start()
        for item, after in itertools.zip_longest(new, new[1:]):
            _forget()
            self.context, self.failed = item.nodeid, []
            self.coverage.switch_context(item.nodeid)
            began = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            kept["seconds"][item.nodeid] = (
                None if self.failed else time.process_time() - began
            )
            bases = {
                item.nodeid[:i] for i, c in enumerate(item.nodeid) if c in "/:"
            } | {"", item.nodeid}
            names = getattr(item, "fixturenames", ())
            kept["fixtures"][item.nodeid] = [
                f"{base}::{name}" for base in sorted(bases) for name in names
            ]
        self.coverage.stop()
        data = self.coverage.get_data()
        for file in data.measured_files():
            module = str(Path(file).relative_to(PACKAGE))
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    kept["lines"].setdefault(context, {}).setdefault(module, []).append(
                        line
                    )
        path.write_text(json.dumps(kept))

    def tests_of(self, mutant: Mutant, in_kernel: bool, outside: bool) -> list[str]:
        """Return the tests that execute what changes, fastest first."""
        if in_kernel or outside:
            files = importers(mutant.module)
            found = {name for file in files for name in self.reach.get(file, {})}
            # tests that call a kernel
            dotted = "causalgia." + mutant.module.removesuffix(".py").replace("/", ".")
            found |= {
                name
                for name, item in self.items.items()
                if dotted in item.path.read_text()
            }
        else:
            lines = mutant.lines()
            found = {
                name
                for name, reached in self.reach.get(mutant.module, {}).items()
                if reached & lines
            }
        inside = mutant.inside()  # of a check: tests that it refuses come first
        refused = {
            name
            for name in found
            if self.reach.get(mutant.module, {}).get(name, set()) & inside
        }
        ordered = sorted(
            (name not in refused, self.seconds[name], name)
            for name in found
            if self.seconds[name]
        )
        total, chosen = 0.0, []
        for _, seconds, name in ordered:
            total += seconds
            if total <= self.given.seconds:
                chosen.append(name)
        return chosen

    # mutants

    def run_all(self) -> None:
        """Run the mutants, so many at a time; print what becomes of each and the share
        of each room.
        """
        fates: dict[str, dict[str, int]] = {}
        waiting, running = list(reversed(self.made)), {}
        while waiting or running:
            while waiting and len(running) < self.given.jobs:
                mutant = waiting.pop()
                reader, writer = os.pipe()
                folder = Path(tempfile.mkdtemp(dir=self.folder))
                if (pid := os.fork()) == 0:
                    os.close(reader)
                    with _child(folder, self.kept / "numba"):
                        try:
                            fate = self.fate(mutant, folder)
                        except BaseException as error:
                            fate = f"UNTRIED: {error!r}"
                        os.write(writer, fate.encode()[:4000])
                os.close(writer)
                running[pid] = mutant, reader, folder, time.monotonic()
            pid = self._ended(running)
            mutant, reader, folder, _ = running.pop(pid)
            with os.fdopen(reader) as pipe:
                fate = pipe.read() or "killed: out of time or memory"
            shutil.rmtree(folder, ignore_errors=True)
            kind, _, by = fate.partition(": ")
            if kind == "killed" and by in self.items and not self.passes_alone(by):
                # it needs another test before it, and says nothing of the mutant
                self.seconds[by] = None
                waiting.append(mutant)
                continue
            counts = fates.setdefault(
                mutant.module.split("/")[0],
                {"killed": 0, "SURVIVED": 0, "equal": 0, "UNTRIED": 0},
            )
            counts[kind] += 1
            n = sum(sum(c.values()) for c in fates.values())
            print(
                f"{n}/{len(self.made)} {mutant} line {mutant.line()} {mutant.words()} "
                f"{fate}",
                flush=True,
            )
        for room, counts in sorted(fates.items()):
            total = counts["killed"] + counts["SURVIVED"]
            low, high = wilson(counts["killed"], total)
            print(
                f"{room}: {counts['killed']} of {total} killed, [{low:.1%}, "
                f"{high:.1%}]; {counts['equal']} equal"
            )

    def passes_alone(self, test: str) -> bool:
        """Return whether a test passes in a fork without a mutant."""
        if test not in self.sound:
            reader, writer = os.pipe()
            if (pid := os.fork()) == 0:
                os.close(reader)
                with _child(self.folder / "alone", self.kept / "numba"):
                    os.write(
                        writer, self._first_failure([test]).encode()[:4000] or b"passed"
                    )
            os.close(writer)
            os.waitpid(pid, 0)
            with os.fdopen(reader) as pipe:
                self.sound[test] = pipe.read() == "passed"
        return self.sound[test]

    def _ended(self, running: dict[int, tuple[Mutant, int, Path, float]]) -> int:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                return pid
            for late, (_, _, _, began) in running.items():
                if time.monotonic() - began > self.given.limit:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(late, signal.SIGKILL)
            time.sleep(0.05)

    def fate(self, mutant: Mutant, folder: Path) -> str:
        """Return "killed", "SURVIVED" or "equal", and by which test or against how
        many.
        """
        source, file = (
            (PACKAGE / mutant.module).read_text(),
            str(PACKAGE / mutant.module),
        )
        codes = altered(
            compile(source, file, "exec"), compile(mutant.tree(), file, "exec")
        )
        if codes == []:
            return "equal: the same bytecode"
        if codes and not all(_place(code) in self.functions for code in codes):
            codes = None  # a comprehension outside functions
        in_kernel = bool(mutant.lines() & kernels(mutant.module))
        tests = self.tests_of(mutant, in_kernel, codes is None)
        expected = sum(self.seconds[name] for name in tests)
        slow = 180 if in_kernel or codes is None else 30
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(SLOWER * expected + slow), resource.RLIM_INFINITY)
        )
        if in_kernel:
            _forget_machine_code(folder, importers(mutant.module))
        if codes is None:
            dead = self._in_copy(mutant, tests, folder)
        else:
            for code in codes:
                self.functions[_place(code)].__code__ = code
            dead = self._first_failure(tests)
        return (
            f"killed: {dead}"
            if dead
            else f"SURVIVED: {len(tests)} tests, {expected:.0f} s"
        )

    def _first_failure(self, tests: list[str]) -> str:
        items = [self.items[name] for name in tests]
        for item, after in itertools.zip_longest(items, items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                return self.failed[0]
        return ""

    def _in_copy(self, mutant: Mutant, tests: list[str], folder: Path) -> str:
        if not tests:
            return ""
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).exists():
                (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / "copy" / name)
        (folder / "copy" / "causalgia" / mutant.module).write_text(
            ast.unparse(mutant.tree())
        )
        (folder / "tests").write_text("\n".join(tests))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "--doctest-modules",
            f"@{folder / 'tests'}",
        ]
        environment = os.environ | {
            "PYTHONPATH": str(folder / "copy"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            command,
            cwd=folder / "copy",
            env=environment,
            capture_output=True,
            text=True,
        )
        failed = [
            line
            for line in done.stdout.splitlines()
            if line.startswith(("FAILED", "ERROR"))
        ]
        return (failed or [f"exit {done.returncode}"])[0] if done.returncode else ""


@contextlib.contextmanager
def _child(folder: Path, numba: Path) -> Iterator[None]:
    """Do in a fork, quietly and with folders and limits of its own, what the block
    does; the fork ends with it.
    """
    try:
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1) if os.environ.get("MUTANTS_ERRORS") else (0, 1, 2):
            os.dup2(quiet, stream)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        os.environ |= {
            "PYTEST_DEBUG_TEMPROOT": str(folder / "tmp"),
            "TMPDIR": str(folder / "tmp"),
        }
        tempfile.tempdir = None
        _machine_code_in(numba)
        yield
    except BaseException as error:
        os.write(2, repr(error).encode())
    finally:
        os._exit(0)


def _machine_code_in(folder: Path) -> None:
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)


def _forget_machine_code(folder: Path, modules: set[str]) -> None:
    shutil.copytree(os.environ["NUMBA_CACHE_DIR"], folder / "numba", dirs_exist_ok=True)
    for index in (folder / "numba").rglob("*.nbi"):
        if index.name.split(".")[0] in {Path(module).stem for module in modules}:
            index.unlink()
    _machine_code_in(folder / "numba")


def _place(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _too_long(*_: object) -> None:
    raise TimeoutError("longer than the tests of a mutant may take")


def _forget() -> None:
    """Clear what functions keep from one call to the next, so that each test executes
    what it needs.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(("causalgia", "test_", "tests")):
            for value in list(vars(module).values()):
                if isinstance(value, _lru_cache_wrapper):
                    value.cache_clear()


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959963984540054, k / n
    middle, half = (
        p + z * z / (2 * n),
        z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)),
    )
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def main() -> None:
    """Draw mutants, run them, print what became of each and the share killed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "modules", nargs="*", default=ROOMS, help="rooms or files below causalgia/"
    )
    parser.add_argument(
        "--n", type=int, help="so many of each, drawn at random; all of them by default"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only",
        nargs="*",
        help="these mutants, as they were printed: multiplicity/adjusted_p.py#812.0",
    )
    parser.add_argument(
        "--tests",
        nargs="*",
        default=["tests"],
        help="test files; the module's doctests come with them",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="of the processor, of tests a mutant",
    )
    parser.add_argument(
        "--limit", type=float, default=1800.0, help="seconds a mutant, by the clock"
    )
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument(
        "--record",
        help="a folder for what tests execute; remove it when code or tests changed",
    )
    given = parser.parse_args()
    drawn = []
    for name in given.modules:
        files = sorted((PACKAGE / name).rglob("*.py")) or [PACKAGE / name]
        found = [
            m
            for f in files
            if f.name != "__init__.py"
            for m in mutants(str(f.relative_to(PACKAGE)))
        ]
        drawn.append(
            random.Random(f"{given.seed} {name}").sample(
                found, min(given.n or len(found), len(found))
            )
        )
    # a part of the run is a sample as well
    made = [m for group in itertools.zip_longest(*drawn) for m in group if m]
    if given.only:
        made = [
            m
            for name in sorted({o.split("#")[0] for o in given.only})
            for m in mutants(name)
            if str(m) in given.only
        ]
    os.chdir(ROOT)
    os.environ |= {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # what another commit's tests detect is detected
    }
    sys.path.insert(0, str(ROOT))
    doctests = sorted({f"causalgia/{mutant.module}" for mutant in made})
    with tempfile.TemporaryDirectory(prefix="mutants_") as folder:
        campaign = Campaign(made, given, Path(folder))
        options = ["-q", "-s", "-p", "no:cacheprovider"]
        options += ["--doctest-modules"] if doctests else []
        raise SystemExit(
            pytest.main([*options, *given.tests, *doctests], plugins=[campaign])
        )


if __name__ == "__main__":
    main()

"""Mutation testing: small changes of the code, each of which some test has to notice. Hours; not part of the gate.

    python benchmarks/mutants.py                              # effects, estimation, multiplicity, posterior, verdicts
    python benchmarks/mutants.py multiplicity/fdr.py --n 40   # 40 drawn from one file

A mutant changes one place of a module: a comparison, a sign, an operator, a bound, a check that goes. The tests that
name a function of the module, and its doctests, are run against a copy of the repository until the first fails.
Compiled kernels are mutated like the rest (mutmut leaves out what is decorated). One that runs out of time is killed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("effects", "estimation", "multiplicity", "posterior", "verdicts")
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
JOINED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CALLED = {"any": "all", "all": "any", "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in place of a node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield ast.Compare(node.left, [COMPARED[type(op)]()], node.comparators)
        case ast.BinOp(op=op) if type(op) in JOINED:
            yield ast.BinOp(node.left, JOINED[type(op)](), node.right)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), node.values)
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if name in ("abs", "sqrt"):
            yield first
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield ast.Call(ast.Name(CALLED[name], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Attribute(attr=name)) if name in CALLED:
            yield ast.Call(ast.Attribute(node.func.value, CALLED[name], ast.Load()), node.args, node.keywords)
        case ast.keyword(arg="ddof" | "axis", value=ast.Constant(value=int(n))):
            yield ast.keyword(node.arg, ast.Constant(1 - n))
        case ast.If(body=[ast.Raise()], orelse=[]):
            yield ast.Pass()


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the whole source of every mutant; text, annotations and decorators stay as they are."""
    tree = ast.parse(source)
    left_out = set[int]()
    for node in ast.walk(tree):
        for field in ("annotation", "returns", "decorator_list", "exc"):
            value = getattr(node, field, None)
            outer = value if isinstance(value, list) else [value]
            left_out |= {id(inner) for part in outer if isinstance(part, ast.AST) for inner in ast.walk(part)}
    for i, node in enumerate(ast.walk(tree)):
        if id(node) in left_out or any(isinstance(part, ast.JoinedStr) for part in ast.iter_child_nodes(node)):
            continue
        for changed in changes(node):
            whole = copy.deepcopy(tree)
            place = list(ast.walk(whole))[i]
            new = Swap(place, copy.deepcopy(changed)).visit(whole)
            line = node.value.lineno if isinstance(node, ast.keyword) else getattr(node, "lineno", 0)
            yield line, ast.unparse(ast.fix_missing_locations(new))


class Swap(ast.NodeTransformer):
    """Puts one node in place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the node, or what stands in its place."""
        return self.new if node is self.old else self.generic_visit(node)


def tests_of(module: Path) -> list[str]:
    """Return the test files that name a function of a module, the ones that name most of them first."""
    names = {n.name for n in ast.parse(module.read_text()).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    names = {name for name in names if not name.startswith("_")} | {module.stem}
    words = {path: set(re.findall(r"\w+", path.read_text())) for path in sorted((ROOT / "tests").glob("test_*.py"))}
    found = {path: len(names & words[path]) for path in words}
    return [f"tests/{path.name}" for path in sorted(found, key=lambda path: -found[path]) if found[path]][:5]


def killed(copy_of: Path, module: str, source: str, tests: list[str], limit: float) -> bool:
    """Return whether a test fails, or does not end, with this source in place of a module's."""
    path = copy_of / "causalgia" / module
    before = path.read_text()
    path.write_text(source)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not long"]
    environment = os.environ | {"PYTHONPATH": str(copy_of), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, f"causalgia/{module}", *tests], cwd=copy_of, env=environment, capture_output=True, timeout=limit
        )
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(before)


def main() -> None:
    """Draw mutants, run them, print the survivors and the share killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=ROOMS, help="rooms or files below causalgia/")
    parser.add_argument("--n", type=int, help="so many drawn at random; all of them by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds a mutant")
    given = parser.parse_args()
    package = ROOT / "causalgia"
    files = [f for name in given.modules for f in (sorted((package / name).rglob("*.py")) or [package / name])]
    made = [(f, line, text) for f in files if f.name != "__init__.py" for line, text in mutants(f.read_text())]
    random.Random(given.seed).shuffle(made)
    made = made[: given.n]
    n_killed, sound = 0, set[Path]()
    with tempfile.TemporaryDirectory() as folder:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        archive = subprocess.run(["tar", "--null", "-T", "-", "-cf", "-"], cwd=ROOT, input=listed, capture_output=True)
        subprocess.run(["tar", "-xf", "-", "-C", folder], input=archive.stdout, check=True)
        for i, (file, line, text) in enumerate(made, 1):
            module, tests = str(file.relative_to(package)), tests_of(file)
            if file not in sound:  # else what kills a mutant may be the rewriting
                if killed(Path(folder), module, ast.unparse(ast.parse(file.read_text())), tests, given.limit):
                    raise SystemExit(f"{module}: its tests fail, or take longer than --limit, without a mutation")
                sound.add(file)
            dead = killed(Path(folder), module, text, tests, given.limit)
            n_killed += dead
            fate = "killed" if dead else "SURVIVED"
            print(f"{i} of {len(made)}: {module}:{line} {fate}; {n_killed / i:.1%} killed", flush=True)


if __name__ == "__main__":
    main()

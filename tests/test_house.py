"""No modules of the package import each other; import-linter (`make lint`) says which
room may import which.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from house import FILES, PACKAGE, tree

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in FILES
}


def imported(module: str, path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for each name that a file of the package imports from it, at
    its top or in a function; what is for type checkers alone is left out.
    """
    package = module.split(".")[: None if path.stem == "__init__" else -1]
    for node in statements(tree(path)):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            if source.split(".")[0] == "causalgia":
                for alias in node.names:
                    yield source, alias.name


def statements(module: ast.Module) -> Iterator[ast.AST]:
    """Yield all statements but those under ``if TYPE_CHECKING:``."""
    left: list[ast.AST] = [module]
    while left:
        node = left.pop()
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                continue
        yield node
        left += [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]


def exported() -> dict[tuple[str, str], str]:
    """Return (package, name) -> module that it is from, of each name that a package
    passes on.
    """
    found = {}
    for package, path in MODULES.items():
        for file in (path, path.with_suffix(".pyi")):
            if path.stem == "__init__" and file.is_file():
                for node in ast.walk(tree(file)):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        home = f"{package}." * (node.level > 0) + node.module
                        for alias in node.names:
                            if home != package:
                                found[package, alias.asname or alias.name] = home
    return found


def imports() -> dict[str, set[str]]:
    """Return module -> the modules that it imports: of a name that a package passes on,
    the module that defines it.
    """
    homes, found = exported(), {}
    for module, path in MODULES.items():
        if path.stem == "__init__":
            continue
        found[module] = set()
        for source, name in imported(module, path):
            home = f"{source}.{name}" if f"{source}.{name}" in MODULES else source
            while (home, name) in homes:
                home = homes[home, name]
            if home != module and MODULES[home].stem != "__init__":
                found[module].add(home)
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other, in their order, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other():
    graph = imports()
    assert sum(map(len, graph.values())) > 1000
    assert circle(graph) == []


def test_a_circle_is_found():
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == set("abc")
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []

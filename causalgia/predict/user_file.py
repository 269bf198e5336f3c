"""The user's own Python file: found, imported and called, each failure said in one line."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from causalgia.errors import CausalgiaError, MissingExtraError, PredictorError, quoted
from causalgia.predict.wording import first_line, one_line
from causalgia.provenance import installed

_BROUGHT_BY_TORCH = {"torch", "safetensors"}


def is_onnx(factory: object) -> bool:
    """Say whether what is asked for is a network in an ONNX file.

    Examples
    --------
    >>> is_onnx("net.onnx"), is_onnx("net.onnx.py:load")
    (True, False)
    """
    return isinstance(factory, str | os.PathLike) and str(factory).endswith(".onnx")


def split_factory(factory: object) -> tuple[Path, str]:
    """Return the file and the name of the function in "file.py:function".

    Raises
    ------
    PredictorError
        If it is written otherwise, or there is no such file.
    """
    text = os.fspath(factory) if isinstance(factory, str | os.PathLike) else None
    file, colon, name = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not file or not name.isidentifier():
        msg = f"factory={quoted(factory)}; write 'file.py:function', such as 'my_net.py:load', or 'net.onnx'"
        raise PredictorError(msg)
    path = Path(file)
    if not path.is_file() or path.suffix != ".py":
        msg = f"factory={quoted(str(factory))}: there is no Python file {path} (looked in {Path.cwd()}); check the path"
        raise PredictorError(msg)
    return path, name


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """Let a file import its neighbours for a while, as a script does: its folder comes first on the import path.

    A module of a neighbour's name that was loaded from another folder is put aside meanwhile: two networks may each
    have a ``layers.py``.
    """
    folder = path.resolve().parent
    neighbours = {entry.stem for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir()}
    aside = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_strange(name, neighbours, folder)}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.modules.update(aside)


def _is_strange(name: str, neighbours: set[str], folder: Path) -> bool:
    """Say whether a loaded module has a neighbour's name, but is another's."""
    if name.partition(".")[0] not in neighbours or installed(name):
        return False
    module = sys.modules[name]
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return not any(Path(place).resolve().is_relative_to(folder) for place in places if place)


def import_file(path: Path) -> ModuleType:
    """Run one file as a module with a name of its own.

    Raises
    ------
    PredictorError
        If the code fails or leaves; names the line.
    MissingExtraError
        If it needs torch, which is not installed.
    """
    place = hashlib.blake2b(str(path.resolve()).encode(), digest_size=4).hexdigest()
    spec = importlib.util.spec_from_file_location(f"causalgia_user_{path.stem}_{place}", path.resolve())
    if spec is None or spec.loader is None:
        msg = f"{path} cannot be imported as Python; check the file"
        raise PredictorError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        _require_torch(error, str(path))
        msg = f"{path}: importing it failed{_where(error, path.name)}: {first_line(error)}; run it alone to see why"
        raise PredictorError(msg) from error
    return module


def find(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    """Return the function of that name.

    Raises
    ------
    PredictorError
        If there is none; lists those that there are.
    """
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    own = [key for key, item in vars(module).items() if getattr(item, "__module__", None) == module.__name__]
    listed = ", ".join(key for key in own if callable(getattr(module, key))) or "none"
    msg = f"{path} has no function {quoted(name)}; it has: {listed}"
    raise PredictorError(msg)


def call(function: Callable[..., Any], where: str, weights: str | Path | None) -> Any:
    """Return what the function makes, called with the path of the weights where it takes one.

    Raises
    ------
    PredictorError
        If the function fails or leaves; names the line and the file of weights.
    MissingExtraError
        If it needs torch, which is not installed.
    """
    try:
        return function() if weights is None else function(str(weights))
    except (Exception, SystemExit) as error:
        _require_torch(error, where)
        if isinstance(error, CausalgiaError):
            raise
        line = _where(error, where.rpartition(":")[0])
        cure = "correct that function" if weights is None else f"correct that function, or is {weights} another's?"
        msg = f"{where} raised {one_line(error)}{line}; {cure}"
        raise PredictorError(msg) from error


def takes_path(function: Callable[..., Any], where: str, weights: str | Path | None) -> bool:
    """Say whether a function is to be called with the path of the weights.

    Raises
    ------
    PredictorError
        If it takes more than one argument or none that can be seen, or the weights it takes are absent.
    """
    takes = [p for p in _parameters(function, where) if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    needs = [p for p in takes if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    if weights is None and needs:
        msg = f"{where} takes {quoted(needs[0].name)} and no weights were given; give weights='net.safetensors'"
        raise PredictorError(msg)
    if len(needs) > 1:
        msg = f"{where} takes {len(needs)} arguments; it may take one, the path of the weights"
        raise PredictorError(msg)
    if weights is not None and not Path(weights).is_file():
        msg = f"weights={quoted(str(weights))}: no such file (looked in {Path.cwd()}); check the path"
        raise PredictorError(msg)
    return weights is not None and bool(takes)


def _parameters(function: Callable[..., Any], where: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        name = where.rpartition(":")[2]
        msg = f"{where} is {quoted(function)}, whose arguments cannot be seen; write a function: def {name}(path): ..."
        raise PredictorError(msg) from error


def _require_torch(error: BaseException, where: str) -> None:
    """Raise MissingExtraError where code failed because torch is not installed."""
    if isinstance(error, MissingExtraError):
        raise MissingExtraError(f"{where}: {error}") from error
    if isinstance(error, ModuleNotFoundError) and error.name in _BROUGHT_BY_TORCH:
        msg = f"{where} imports {error.name}, which is not installed; run: pip install 'causalgia[torch]'"
        raise MissingExtraError(msg) from error


def _where(error: BaseException, file: str) -> str:
    """Return the last line of the user's file that an exception passed through, in words."""
    lines, step = [], error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).name == file:
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f" (line {lines[-1]})" if lines else ""

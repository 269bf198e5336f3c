"""A predictor from the user's own file, named before it is imported."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from causalgia.errors import CausalgiaError, PredictorError
from causalgia.predict.function import FunctionPredictor
from causalgia.predict.predictor import Predictor, first_line

Announce = Callable[[str], None]


def load_predictor(
    factory: str,
    *,
    weights: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    scale: str = "outcome",
    alphabet: str | None = None,
    device: str = "auto",
    batch_size: int | Literal["auto"] = "auto",
    announce: Announce | None = print,
) -> Predictor:
    """Make a predictor by calling a function in a Python file of the user's.

    The file is code and is run: its path is announced first, it alone is imported, and weights are tensors that are
    never unpickled.

    Parameters
    ----------
    factory
        "file.py:function". A function that takes an argument gets the path of the weights; one that takes none is
        called, and the weights are put into the network that it returns. It may return a PyTorch module, a predictor
        (taken as it is) or a callable from one-hot (n, 4, length) to numbers.
    weights
        A safetensors file, or a .pt/.pth state dict.
    tasks
        Names of the outputs; by default the file's constant TASKS, where it has one.
    scale
        What the outputs are measured on, in words.
    alphabet
        The letters of the one-hot rows; by default the file's constant ALPHABET, else "ACGT". A contradiction
        between the two is refused.
    device, batch_size
        As in `TorchPredictor`; a callable gets batches of 1024 when `batch_size` is "auto".
    announce
        Called with each line that the user should see; None is silent.

    Raises
    ------
    PredictorError
        If the file or function is absent, the user's code fails, or what it returns is not usable.
    """
    path, name = _split(factory)
    say = announce or _silent
    say(f"predictor: importing {path} and calling {name}({'' if weights is None else weights})")
    module = _import_file(path)
    made = _call(_find(module, name, path), f"{path.name}:{name}", weights)
    if isinstance(made, Predictor):
        return _as_it_is(made, tasks, factory)
    names = _constant_tasks(module, say) if tasks is None else tasks
    order = _channel_order(module, alphabet, path, say)
    if _is_torch_module(made):
        from causalgia.predict.torch_predictor import TorchPredictor

        return TorchPredictor(made, tasks=names, scale=scale, device=device, batch_size=batch_size, alphabet=order)
    if callable(made):
        size = 1024 if batch_size == "auto" else batch_size
        return FunctionPredictor(made, tasks=names, scale=scale, batch_size=size, alphabet=order)
    msg = f"{factory} returned a {type(made).__name__}; return a torch module, a predictor or a callable"
    raise PredictorError(msg)


def _silent(line: str) -> None:
    """Say nothing."""


def _split(factory: str) -> tuple[Path, str]:
    file, colon, name = factory.rpartition(":")
    if not colon or not file or not name.isidentifier():
        msg = f"factory={factory!r}; write 'file.py:function', such as 'my_net.py:load'"
        raise PredictorError(msg)
    path = Path(file)
    if not path.is_file() or path.suffix != ".py":
        msg = f"factory={factory!r}: there is no Python file {path} (looked in {Path.cwd()}); check the path"
        raise PredictorError(msg)
    return path, name


def _import_file(path: Path) -> ModuleType:
    """Run one file as a module with a name of its own; nothing is added to the import path."""
    place = hashlib.blake2b(str(path.resolve()).encode(), digest_size=4).hexdigest()
    spec = importlib.util.spec_from_file_location(f"causalgia_user_{path.stem}_{place}", path.resolve())
    if spec is None or spec.loader is None:
        msg = f"{path} cannot be imported as Python; check the file"
        raise PredictorError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        msg = f"{path}: importing it failed{_where(error, path.name)}: {first_line(error)}; run it alone to see why"
        raise PredictorError(msg) from error
    return module


def _find(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    own = [key for key, item in vars(module).items() if getattr(item, "__module__", None) == module.__name__]
    listed = ", ".join(key for key in own if callable(getattr(module, key))) or "none"
    msg = f"{path} has no function {name!r}; it has: {listed}"
    raise PredictorError(msg)


def _call(function: Callable[..., Any], where: str, weights: str | Path | None) -> Any:
    takes_path = _takes_path(function, where, weights)
    try:
        made = function(str(weights)) if takes_path else function()
    except CausalgiaError:
        raise
    except Exception as error:
        msg = f"{where} raised {first_line(error)}{_where(error, where.rpartition(':')[0])}; correct that function"
        raise PredictorError(msg) from error
    if weights is None or takes_path:
        return made
    if not _is_torch_module(made):
        msg = f"{where} takes no argument and returned a {type(made).__name__}: weights={str(weights)!r} has no use"
        raise PredictorError(msg)
    from causalgia.predict.weights import load_weights

    load_weights(made, weights)
    return made


def _takes_path(function: Callable[..., Any], where: str, weights: str | Path | None) -> bool:
    """Say whether a function is to be called with the path of the weights."""
    given = inspect.signature(function).parameters.values()
    takes = [p for p in given if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    needs = [p for p in takes if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    if weights is None and needs:
        msg = f"{where} takes {needs[0].name!r} and no weights were given; give weights='net.safetensors'"
        raise PredictorError(msg)
    if len(needs) > 1:
        msg = f"{where} takes {len(needs)} arguments; it may take one, the path of the weights"
        raise PredictorError(msg)
    if weights is not None and not Path(weights).is_file():
        msg = f"weights={str(weights)!r}: no such file (looked in {Path.cwd()}); check the path"
        raise PredictorError(msg)
    return weights is not None and bool(takes)


def _where(error: Exception, file: str) -> str:
    """Return the last line of the user's file that an exception passed through, in words."""
    lines, step = [], error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).name == file:
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f" (line {lines[-1]})" if lines else ""


def _is_torch_module(made: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, torch.nn.Module)


def _as_it_is(made: Predictor, tasks: Sequence[str] | None, factory: str) -> Predictor:
    if tasks is not None and tuple(tasks) != made.tasks:
        msg = f"{factory} returned a predictor of tasks {list(made.tasks)}, and tasks={list(tasks)} asks for others"
        raise PredictorError(msg)
    return made


def _constant_tasks(module: ModuleType, say: Announce) -> tuple[str, ...] | None:
    if not hasattr(module, "TASKS"):
        return None
    say(f"predictor: tasks {', '.join(map(str, module.TASKS))} (TASKS of {Path(str(module.__file__)).name})")
    return tuple(module.TASKS)


def _channel_order(module: ModuleType, alphabet: str | None, path: Path, say: Announce) -> str:
    own = getattr(module, "ALPHABET", None)
    if own is None:
        return alphabet or "ACGT"
    if alphabet is not None and alphabet != own:
        msg = f"alphabet={alphabet!r}, but {path} says ALPHABET = {own!r}; find out which is true and correct the other"
        raise PredictorError(msg)
    say(f"predictor: one-hot rows {own} (ALPHABET of {path.name})")
    return str(own)

"""Predictors from a user's file: a function in a Python file, or a network in an ONNX
file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NoReturn

from causalgia.checks import is_installed
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    MissingExtraError,
    PredictorError,
    caller_stacklevel,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.predict.answer_checks import (
    first_line,
    one_line,
)
from causalgia.predict.function_predictor import FunctionPredictor, build_once
from causalgia.predict.onnx import OnnxPredictor, available_providers
from causalgia.predict.predictor import (
    Predictor,
    Scale,
    as_batch_size,
    as_distinct_names,
    as_scale,
)
from causalgia.predict.track import Reduce, Track

Announce = Callable[[str], None]
_ONNX_PROVIDERS = {
    "auto": None,
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider"],
}


def load_predictor(
    factory: str | os.PathLike[str],
    *,
    weights: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    scale: Scale | None = None,
    alphabet: str | None = None,
    device: str = "auto",
    batch_size: int | Literal["auto"] = "auto",
    reduce: Reduce = None,
    track: Track | None = None,
    announce: Announce | None = print,
) -> Predictor:
    r"""Make a predictor by calling a function in a Python file of the user, or from a
    network in an ONNX file.

    A Python file is code and is run: its path is announced first, and it may import its
    neighbors as a script may. Weights are tensors and are never unpickled. A predictor
    from a Python file that is sent to another process is loaded there again.

    Parameters
    ----------
    factory
        "file.py:function", or "net.onnx" (see `OnnxPredictor`). A function that takes
        an argument gets the path of the weights; one that takes none is called, and the
        weights are put into the network that it returns. It may return a PyTorch
        module, a callable from one-hot (n, 4, length) to numbers, or a predictor, which
        is used as it is; options below that contradict it are refused.
    weights
        A safetensors file, or a .pt/.pth state dict.
    tasks
        Names of the outputs; by default the file's constant TASKS, where it has one.
    scale
        What the outputs are measured on, in words, one text or one for each task; by
        default a predictor's own, else "outcome".
    alphabet
        The letters of the one-hot rows; by default the file's constant ALPHABET, else
        "ACGT". A contradiction between the two is refused.
    device, batch_size
        As in `TorchPredictor`; a callable gets batches of 1024 when `batch_size` is
        "auto".
    reduce, track
        As in `TorchPredictor`.
    announce
        Called with each line that the user should see; None prints none, and warnings
        stay.

    Raises
    ------
    PredictorError
        If the file or function is absent, the user's code fails, or what it returns is
        not usable.
    MissingExtraError
        If the user's code needs torch, which is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "gc.py"
    >>> _ = path.write_text(
    ...     "def load():\n"
    ...     "    return lambda x: x[:, 1:3].sum((1, 2))  # of one-hot (n, 4, length)\n"
    ... )
    >>> predictor = load_predictor(f"{path}:load", tasks=["GC"], announce=None)
    >>> predictor.predict(np.array([[0, 1, 2, 2]], np.uint8))  # ACGG
    array([[3.]], dtype=float32)
    """
    request = _LoadRequest(
        factory, weights, tasks, scale, alphabet, device, batch_size, reduce, track
    )
    if is_onnx(factory):
        return request.load_onnx()
    path, name = split_factory(factory)
    place = None if weights is None else str(Path(weights).resolve())
    # for another process; the user's code may change the working folder
    again = replace(request, factory=f"{path.resolve()}:{name}", weights=place)
    made = request.load(announce or _print_nothing)
    object.__setattr__(made, "_loads_again", again)
    return made


@dataclass(frozen=True)
class _LoadRequest:
    """A call of `load_predictor`, which another process repeats because it cannot
    import a user's file by name.
    """

    factory: str | os.PathLike[str]
    weights: str | Path | None
    tasks: Sequence[str] | None
    scale: Scale | None
    alphabet: str | None
    device: str
    batch_size: int | Literal["auto"]
    reduce: Reduce
    track: Track | None

    def __call__(self, fingerprint: str, sizes: dict[int, int]) -> Predictor:
        """Return the predictor, loaded once per process; PredictorError if it is absent
        or another one.
        """
        made = build_once(
            f"{self.factory} {fingerprint}", lambda: self._again(fingerprint)
        )
        made.fix_batches(sizes)
        return made

    def _again(self, fingerprint: str) -> Predictor:
        try:
            made = load_predictor(**vars(self), announce=_ignore_line)
        except PredictorError as error:
            raise PredictorError(
                f"loading the predictor again, in another process: {error}"
            ) from error
        if made.fingerprint != fingerprint:
            raise PredictorError(
                f"{self.factory}: loaded again, it is another predictor: the file "
                "or its weights changed"
            )
        return made

    def load_onnx(self) -> Predictor:
        """Open a network in an ONNX file."""
        if self.weights is not None:
            raise PredictorError(
                f"{self.factory} holds its weights, and weights={quoted(str(self.weights))} "
                "were given"
            )
        if self.device not in _ONNX_PROVIDERS:
            raise PredictorError(
                f"{self.factory}: device={quoted(self.device)} must be one of "
                f"{', '.join(_ONNX_PROVIDERS)} for ONNX Runtime"
            )
        providers = _ONNX_PROVIDERS[self.device]
        available = available_providers()
        if providers is not None and providers[0] not in available:
            raise PredictorError(
                f"{self.factory}: device={quoted(self.device)} is not there for "
                f"ONNX Runtime ({', '.join(available)})"
            )
        return OnnxPredictor(
            self.factory,
            tasks=self.tasks,
            scale="outcome" if self.scale is None else self.scale,
            batch_size=self.batch_size,
            alphabet=self.alphabet or "ACGT",
            providers=providers,
            reduce=self.reduce,
            track=self.track,
        )

    def load(self, say: Announce) -> Predictor:
        """Import the file, call the function, and wrap the result."""
        path, name = split_factory(self.factory)
        # whether it takes their path is known only once the file was imported
        call = f"{name}()" if self.weights is None else name
        weights = "" if self.weights is None else f"; weights: {self.weights}"
        say(f"predictor: importing {path} and calling {call}{weights}")
        with neighbors_importable(path):
            module = import_file(path)
            made = _make(
                find_function(module, name, path),
                f"{path.name}:{name}",
                self.weights,
                say,
            )
        if isinstance(made, Predictor):
            own = hasattr(made, "alphabet")
            options = {
                "tasks": self.tasks,
                "scale": self.scale,
                "alphabet": _channel_order(module, self.alphabet, path, _ignore_line)
                if own
                else self.alphabet,
                "device": None if self.device == "auto" else self.device,
                "batch_size": None if self.batch_size == "auto" else self.batch_size,
                "reduce": self.reduce,
                "track": self.track,
            }
            given = {
                option: value for option, value in options.items() if value is not None
            }
            return _as_ready_predictor(made, given, self.factory)
        names = _constant_tasks(module, path, say) if self.tasks is None else self.tasks
        order = _channel_order(module, self.alphabet, path, say) or "ACGT"
        scale = "outcome" if self.scale is None else self.scale
        if _is_torch_module(made):
            from causalgia.predict.torch_predictor import TorchPredictor

            return TorchPredictor(
                made,
                tasks=names,
                scale=scale,
                device=self.device,
                batch_size=self.batch_size,
                alphabet=order,
                reduce=self.reduce,
                track=self.track,
            )
        if callable(made):
            return FunctionPredictor(
                made,
                tasks=names,
                scale=scale,
                batch_size=self.batch_size,
                alphabet=order,
                reduce=self.reduce,
                track=self.track,
            )
        raise PredictorError(
            f"{self.factory} returned {type_in_words(made)}, not a torch module, "
            "a predictor or a callable"
        )


def _ignore_line(line: str) -> None:
    """Say nothing where a predictor is loaded again, which was looked at before."""


def _print_nothing(line: str) -> None:
    """Say nothing but warnings."""


def _make(
    function: Callable[..., Any],
    where: str,
    weights: str | Path | None,
    say: Announce,
) -> Any:
    # say whether a function takes the path of the weights
    if _is_torch_module(function):
        raise PredictorError(f"{where} is a network, not a function that returns one")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise PredictorError(
            f"{where} is {quoted(function)}, whose arguments cannot be seen"
        ) from error
    takes = [p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    needs = [
        p for p in takes if p.default is p.empty and p.kind is not p.VAR_POSITIONAL
    ]
    if weights is None and needs:
        raise PredictorError(
            f"{where} takes {quoted(needs[0].name)} and no weights= were given"
        )
    if len(needs) > 1:
        raise PredictorError(
            f"{where} takes {len(needs)} arguments; it may take one, the path of "
            "the weights"
        )
    if weights is not None and not Path(weights).exists():
        raise PredictorError(
            f"weights={quoted(str(weights))}: no such file or folder (looked in {Path.cwd()})"
        )
    # what the class of a network may take is its own: its size, say
    takes_path = needs if _is_class_of_networks(function) else takes
    by_path, place = (
        weights is not None and bool(takes_path),
        None if weights is None else Path(weights).absolute(),
    )
    began = time.perf_counter()
    made = call_factory(function, where, weights if by_path else None)
    seconds = time.perf_counter() - began
    if isinstance(made, type):
        raise PredictorError(
            f"{where} returned the class {quoted(made.__name__)}, not a network"
        )
    networks = [] if say is _ignore_line else _networks_of(made)
    for i, network in enumerate(networks):

        def again(i: int = i) -> Any:
            return _networks_of(
                call_factory(function, where, weights if by_path else None)
            )[i]

        wanted = by_path if place is not None else say is not _print_nothing
        if place is not None and by_path and _is_checked(network, place, where, say):
            continue
        if seconds < _QUICK and wanted:
            _check_not_random(network, again, where, say, has_weights=by_path)
    if place is None or by_path:
        return made
    if not _is_torch_module(made):
        raise PredictorError(
            f"{where} takes no argument and returned {type_in_words(made)}: "
            f"weights={quoted(str(weights))} has no use"
        )
    from causalgia.predict.torch_exports import load_weights

    load_weights(made, place)
    return made


_QUICK = 5.0
"""Seconds in which a function must return, to be called twice."""


def _is_checked(network: Any, place: Path, where: str, say: Announce) -> bool:
    """Return whether a network could be compared with the file that its function was
    given; warn where none of its tensors are there, and say which are not.
    """
    from causalgia.predict.torch_exports import not_in_file

    found = not_in_file(network, place)
    if found is None:
        return False
    absent, n = found
    if n and len(absent) == n:
        text = f"{where}: no tensor of the network that it returned is in {place}"
        warnings.warn(CausalgiaWarning(text), stacklevel=caller_stacklevel())
    elif absent:
        names = ", ".join(map(quoted, absent[:3])) + ", ..." * (len(absent) > 3)
        say(
            f"predictor: note: {len(absent)} of {n} tensors of the network are not in "
            f"{place} ({names}): they may have their initial values"
        )
    return True


def _check_not_random(
    network: Any,
    rebuild: Callable[[], Any],
    where: str,
    say: Announce,
    *,
    has_weights: bool,
) -> None:
    """Warn if a network has random weights: its function, called again, gives others.
    Where it was given no weights, say so.
    """
    from causalgia.predict.torch_exports import differs_when_rebuilt

    if not differs_when_rebuilt(network, rebuild):
        return
    text = f"{where} returns other parameters each time it is called: they are random"
    if has_weights:
        warnings.warn(CausalgiaWarning(text), stacklevel=caller_stacklevel())
    else:
        say(f"predictor: note: {text}")


def _networks_of(made: Any) -> list[Any]:
    """Return the torch modules of what a function returned: itself, a predictor's, an
    ensemble's, or those that a callable holds (its closure, its arguments, its object).
    """
    if _is_torch_module(made):
        return [made]
    held: list[Any] = [getattr(made, "module", None)]
    held += getattr(made, "members", None) or ()
    function = getattr(made, "fn", made)
    held.append(getattr(function, "__self__", None))
    if isinstance(function, partial):
        held += [function.func, *function.args, *function.keywords.values()]
    for cell in getattr(function, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # empty yet
            continue
    owner = getattr(function, "__self__", function)  # of a method
    if not isinstance(owner, Predictor) and not inspect.isroutine(owner):
        held += list(getattr(owner, "__dict__", {}).values())
    found: list[Any] = []
    for one in held:
        if _is_torch_module(one):
            found.append(one)
        elif one is not made and isinstance(one, Predictor):
            found += _networks_of(one)
    return found


def _is_torch_module(made: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, torch.nn.Module)


def _is_class_of_networks(function: object) -> bool:
    torch = sys.modules.get("torch")
    return (
        torch is not None
        and isinstance(function, type)
        and issubclass(function, torch.nn.Module)
    )


def _as_ready_predictor(
    made: Predictor, request: Mapping[str, Any], factory: object
) -> Predictor:
    """Return a ready-made predictor; PredictorError if it contradicts an option."""
    for name, wanted in request.items():
        plain, own = _PARSE_CHOICE[name](wanted), _predictor_choice(made, name)
        if name == "scale" and not isinstance(wanted, str):
            tasks = _predictor_choice(made, "tasks")
            plain = as_scale(wanted, None if tasks is None else tuple(tasks))
            own = made.scale if made.task_scales is None else made.task_scales
        if own is None:
            raise PredictorError(
                f"{factory} returned {quoted(made)}, which has no use for {name}={quoted(plain)}"
            )
        if plain != own and not (name == "device" and plain == own.partition(":")[0]):
            raise PredictorError(
                f"{factory} returned a predictor with {name}={quoted(own)}, and "
                f"{name}={quoted(plain)} was asked for"
            )
    return made


_PARSE_CHOICE: dict[str, Callable[[Any], Any]] = {
    "tasks": lambda value: list(as_distinct_names(value, "task")),
    "scale": lambda value: as_scale(value, None) if isinstance(value, str) else value,
    "alphabet": lambda value: str(value).upper().replace("U", "T"),
    "device": str,
    "batch_size": as_batch_size,
    "reduce": lambda value: value,
    "track": lambda value: value,
}


def _predictor_choice(made: Predictor, name: str) -> Any:
    """Return an option of a predictor in plain form; None if it has no such option."""
    try:
        value = getattr(made, name, None)
    except PredictorError:  # tasks without names
        return None
    return (
        None
        if value is None
        else list(value)
        if name == "tasks"
        else _PARSE_CHOICE[name](value)
    )


def _constant_tasks(
    module: ModuleType, path: Path, say: Announce
) -> tuple[str, ...] | None:
    if not hasattr(module, "TASKS"):
        return None
    try:
        names = as_distinct_names(module.TASKS, "task")
    except PredictorError as error:
        raise PredictorError(
            f"{path}: TASKS = {quoted(module.TASKS)}: {error}"
        ) from error
    say(f"predictor: tasks {', '.join(names)} (TASKS of {path.name})")
    return names


def _channel_order(
    module: ModuleType, alphabet: str | None, path: Path, say: Announce
) -> str | None:
    """Return the order of the one-hot rows, as given or from the file; None if neither
    states it.
    """
    own = getattr(module, "ALPHABET", None)
    if own is None:
        return alphabet
    if not isinstance(own, str):
        raise PredictorError(
            f"{path}: ALPHABET = {quoted(own)} must be four letters in the order "
            "of the one-hot rows, such as 'ACGT'"
        )
    if alphabet is not None and alphabet != own:
        raise PredictorError(
            f"alphabet={quoted(alphabet)}, but {path} says ALPHABET = {quoted(own)}"
        )
    say(f"predictor: one-hot rows {own} (ALPHABET of {path.name})")
    return own


_BROUGHT_BY_TORCH = {"torch", "safetensors"}


def is_onnx(factory: object) -> bool:
    """Say whether a factory is a network in an ONNX file.

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
        If it has another form, or there is no such file.
    """
    text = os.fspath(factory) if isinstance(factory, str | os.PathLike) else None
    file, colon, name = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not file or not name.isidentifier():
        raise PredictorError(
            f"factory={quoted(factory)} is neither 'file.py:function' nor 'net.onnx'"
        )
    path = Path(file)
    if not path.is_file() or path.suffix != ".py":
        raise PredictorError(
            f"factory={quoted(str(factory))}: there is no Python file {path} "
            f"(looked in {Path.cwd()})"
        )
    return path, name


@contextmanager
def neighbors_importable(path: Path) -> Iterator[None]:
    """Put a file's folder first on the import path within the context, as for a script.

    Modules with a neighbor's name that were loaded from another folder are put aside
    meanwhile: two networks may each have a ``layers.py``.
    """
    folder = path.resolve().parent
    neighbors = {
        entry.stem
        for entry in folder.iterdir()
        if entry.suffix == ".py" or entry.is_dir()
    }
    aside = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if _shadows_neighbor(name, neighbors, folder)
    }
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.modules.update(aside)


def _shadows_neighbor(name: str, neighbors: set[str], folder: Path) -> bool:
    """Say whether a loaded module has a neighbor's name and comes from another
    folder.
    """
    if name.partition(".")[0] not in neighbors or is_installed(name):
        return False
    module = sys.modules[name]
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return not any(
        Path(place).resolve().is_relative_to(folder) for place in places if place
    )


class _FreshLoader(SourceFileLoader):
    """Compile a file as it is: cached bytecode is found by its size and second, and one
    edit may change neither.
    """

    def path_stats(self, path: str) -> NoReturn:
        raise OSError(f"{path} is compiled anew")


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
    name = f"causalgia_user_{path.stem}_{place}"
    spec = importlib.util.spec_from_file_location(
        name, loader=_FreshLoader(name, str(path.resolve()))
    )
    if spec is None or spec.loader is None:
        raise PredictorError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        _raise_if_torch_missing(error, str(path))
        line = _failing_line(error, path.name)
        raise PredictorError(
            f"{path}: importing it failed{line}: {first_line(error)}"
        ) from error
    return module


def find_function(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    """Return the function of that name.

    Raises
    ------
    PredictorError
        If there is none.
    """
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    raise PredictorError(f"{path} has no function {quoted(name)}")


def call_factory(
    function: Callable[..., Any], where: str, weights: str | Path | None
) -> Any:
    """Return the result of the function, called with the path of the weights if it
    takes one.

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
        _raise_if_torch_missing(error, where)
        if isinstance(error, CausalgiaError):
            raise
        line = _failing_line(error, where.rpartition(":")[0])
        of = "" if weights is None else f" with weights={quoted(str(weights))}"
        raise PredictorError(f"{where} raised {one_line(error)}{line}{of}") from error


def _raise_if_torch_missing(error: BaseException, where: str) -> None:
    """Raise MissingExtraError if code failed because torch is not installed."""
    if isinstance(error, MissingExtraError):
        raise MissingExtraError(f"{where}: {error}") from error
    if isinstance(error, ModuleNotFoundError) and error.name in _BROUGHT_BY_TORCH:
        raise MissingExtraError(
            f"{where} imports {error.name}, which is not installed: "
            + install_command("torch")
        ) from error


def _failing_line(error: BaseException, file: str) -> str:
    """Return the last line of the user's file that an exception passed through, as
    text.
    """
    lines, step = [], error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).name == file:
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f" (line {lines[-1]})" if lines else ""

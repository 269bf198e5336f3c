"""Networks in ONNX files as predictors, run by ONNX Runtime, and export of PyTorch
networks to such files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.errors import (
    CausalgiaError,
    MissingExtraError,
    PredictorError,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.inputs import read_bytes
from causalgia.predict.answer_checks import (
    as_answers,
    first_line,
    one_line,
    place_columns,
    without_trailing,
)
from causalgia.predict.fingerprint import digest, fingerprint_of
from causalgia.predict.predictor import (
    Layout,
    Scale,
    SinglePredictor,
    as_batch_size,
    as_distinct_names,
    as_version_name,
)
from causalgia.predict.track import Reduce, Track
from causalgia.sequences.alphabet import one_hot, reverse_complement
from causalgia.types import Tokens

_POSITIONS = 2**13
"""Positions in a batch beyond which larger ones were not faster, for networks of 41 to
2,114 positions.
"""


def _import_onnxruntime() -> Any:
    """Return the module onnxruntime; MissingExtraError if it is not installed."""
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(
            f"networks in ONNX files need onnxruntime ({error}): "
            + install_command("onnx")
        ) from error
    return onnxruntime


def available_providers() -> list[str]:
    """Return the execution providers that ONNX Runtime has here."""
    return list(_import_onnxruntime().get_available_providers())


_REFERENCE = b"\n\x08location\x12"
"""The key of a tensor's entry that names another file, as protobuf writes it."""


def _whole_network(path: Path) -> bytes:
    """Return the bytes of a network, with the weights that stand in a file of their own,
    as torch writes them from 2.9 on (n.onnx.data beside n.onnx).
    """
    plain = read_bytes(path, PredictorError)
    if _REFERENCE not in plain:
        return plain
    try:
        import onnx
        from onnx.external_data_helper import convert_model_from_external_data

        model = onnx.load(path)
        convert_model_from_external_data(model)
        whole: bytes = model.SerializeToString()
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: its weights stand in another file, which needs onnx: "
            f"{install_command('onnx')}"
        ) from error
    except Exception as error:  # of the file, or of one that is absent beside it
        raise PredictorError(
            f"{path.name} cannot be read with the file of its weights ({one_line(error)})"
        ) from error
    return whole


class OnnxPredictor(SinglePredictor):
    """A network in an ONNX file as a predictor, run by ONNX Runtime.

    For networks from Keras, JAX and others (tf2onnx, jax2onnx), and for PyTorch
    networks on a CPU, where ONNX Runtime fuses layers. Only the
    graph in the file is run. The dtype of the one-hot input and, where it can be seen,
    the layout are read from the graph; a graph with a fixed batch gets whole batches,
    the last one padded with copies. A pickled predictor includes the file's bytes.

    Parameters
    ----------
    path
        One file, weights included.
    tasks
        A name for each output column, or those of `heads` (or of the graph's outputs,
        where there are several) that are wanted. By default all of them; without names
        "outcome" for a single column, else "task 0", "task 1", ...
    scale
        The scale of the outputs, in words: one text, or one for each task (a dict task
        -> text, or a list in the order of `tasks`). Outcomes then carry them as
        ``task_scale``, and `contrast` subtracts no tasks on different scales.
    batch_size
        Sequences at once; "auto" is the graph's own where that is fixed, else some
        8,192 positions, a power of two.
    layout
        "NCL" for (n, 4, length), "NLC" for (n, length, 4), or "auto": by which side of
        the graph's input is 4.
    alphabet
        The letters of the network's one-hot rows, in order. A wrong order raises
        nothing and answers plausibly.
    heads
        Names of the columns of a single output, in order.
    reduce
        What is read of the output, an array (or a dict of arrays by name, where there
        are several outputs), one step or a list of steps: a key of a dict, a function
        that gives an array (n,) or (n, tasks), or a dict of them with one column each;
        then windows of a `track`, `causalgia.Window`.
    rc_average
        Whether to average the answers for a sequence and for its reverse complement; a
        track is turned around.
    track
        The axis of the output that runs along the sequence, a `causalgia.Track`:
        outcomes then have a dim position.
    opposite
        Pairs of tasks that change places on the reverse complement, such as ``[("plus",
        "minus")]``, for `rc_average`.
    length
        Bases of the sequences that the network was trained on, where its graph takes
        others; others are then refused.
    n_threads
        Number of threads; None is ONNX Runtime's default, a thread on each core.
    providers
        Execution providers of ONNX Runtime, such as ["CUDAExecutionProvider"] (there
        TF32 is switched off); None is the CPU.
    dtype
        "float16" accepts a graph whose input is half precision.
    fingerprint
        Name of this version of the network; by default the file's bytes are hashed.

    Raises
    ------
    PredictorError
        If the file is absent, broken or keeps its weights elsewhere, a choice is
        impossible, or its input is not a one-hot sequence.
    MissingExtraError
        If onnxruntime is not installed.

    Examples
    --------
    An average pool over a one-hot row is the share of a letter:

    >>> import numpy as np, onnx, tempfile, pathlib
    >>> from onnx import helper
    >>> x, y = (
    ...     helper.make_tensor_value_info(name, 1, shape)
    ...     for name, shape in (("x", ["n", 4, 8]), ("y", ["n", 4]))
    ... )
    >>> node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    >>> graph = helper.make_graph(
    ...     [node], "shares", [x], [y], [helper.make_tensor("axes", 7, [1], [2])]
    ... )
    >>> model = helper.make_model(
    ...     graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ... )
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "shares.onnx"
    >>> onnx.save(model, file)
    >>> predictor = OnnxPredictor(file, tasks=list("ACGT"), scale="share")
    >>> predictor.predict(np.array([[0, 0, 0, 0, 1, 1, 2, 3]], np.uint8))
    array([[0.5  , 0.25 , 0.125, 0.125]], dtype=float32)
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        tasks: Sequence[str] | None = None,
        scale: Scale = "outcome",
        batch_size: int | Literal["auto"] = "auto",
        layout: Layout | Literal["auto"] = "auto",
        alphabet: str = "ACGT",
        heads: Sequence[str] | None = None,
        reduce: Reduce = None,
        rc_average: bool = False,
        track: Track | None = None,
        opposite: Sequence[tuple[str, str]] = (),
        length: int | None = None,
        n_threads: int | None = None,
        providers: Sequence[str] | None = None,
        dtype: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self._path = Path(path)
        self._bytes = _whole_network(self._path)
        self.threads = None if n_threads is None else _as_n_threads(n_threads)
        self.providers = (
            ("CPUExecutionProvider",)
            if providers is None
            else as_distinct_names(providers, "provider")
        )
        self._session = self._open()
        self.graph: Graph = read_graph(
            self._session, self._path.name, layout=layout, dtype=dtype
        )
        super().__init__(
            tasks=tasks,
            scale=scale,
            alphabet=alphabet,
            layout=self.graph.layout,
            rc_average=rc_average,
            heads=heads,
            reduce=reduce,
            track=track,
            opposite=opposite,
            length=length,
        )
        requested, rows = as_batch_size(batch_size), self.graph.rows
        if rows is not None and requested not in ("auto", rows):
            raise PredictorError(
                f"batch_size={requested}, but {self.graph.name} takes {rows} "
                "sequences at once"
            )
        self.batch_size = rows or requested
        identity = (
            digest(self._bytes)
            if fingerprint is None
            else digest("given", as_version_name(fingerprint, "file"))
        )
        options = (
            self._given_tasks,
            self._given_scale,
            self._order,
            self.layout,
            self.heads,
            rc_average,
            self.providers,
        )
        choices = (*options, *self._track_choices)
        self._fingerprint = digest(
            "onnx", identity, *choices, fingerprint_of(self._function)
        )
        self._parts = {"version" if fingerprint else "file": fingerprint or identity}
        self._parts |= {
            "options": digest(*choices),
            "read-out": fingerprint_of(self._function),
        }
        self._sizes: dict[int, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return all attributes but the open session."""
        return {**vars(self), "_session": None}

    @property
    def fingerprint(self) -> str:
        """Digest of the file's bytes, with those of a file of weights beside it, and of
        all options.
        """
        return self._fingerprint

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Digests of the file (or the given version), the options and the read-out."""
        return self._parts

    @property
    def precision(self) -> np.dtype[Any]:
        """Dtype of the graph's input, or half where an answer was."""
        return np.dtype(np.float16) if self._half else self.graph.dtype

    @property
    def is_quantized_dynamically(self) -> bool:
        """Whether the file has ONNX's operation of dynamic quantization."""
        return b"DynamicQuantize" in self._bytes

    def resolve_batch_size(self, length: int) -> int:
        """Return how many sequences of `length` letters go through the network at
        once.
        """
        if length not in self._sizes:
            automatic = 1 << (max(1, min(1024, _POSITIONS // length)).bit_length() - 1)
            self._sizes[length] = (
                automatic if self.batch_size == "auto" else self.batch_size
            )
        return self._sizes[length]

    def batches(self) -> dict[int, int]:
        """Return the batch sizes that are fixed so far, by length."""
        return dict(self._sizes)

    def fix_batches(self, sizes: Mapping[int, int]) -> None:
        """Use the batch sizes of an earlier run, by length; a graph's own batch size is
        not changed.
        """
        if self.graph.rows is None:
            self._sizes |= {int(length): int(size) for length, size in sizes.items()}

    def _open(self) -> Any:
        # an ONNX Runtime session for the bytes of a file
        onnxruntime, available = _import_onnxruntime(), available_providers()
        absent = [provider for provider in self.providers if provider not in available]
        if absent:
            raise PredictorError(
                f"providers={quoted(list(self.providers))}: {absent[0]} is not "
                f"there; available: {', '.join(available)}"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if self.threads is not None:
            options.intra_op_num_threads = self.threads
        chosen = [(provider, _EXACT.get(provider, {})) for provider in self.providers]
        try:
            return onnxruntime.InferenceSession(self._bytes, options, providers=chosen)
        except Exception as error:
            raise PredictorError(
                f"{self._path.name} cannot be opened as an ONNX network "
                f"({one_line(error)})"
            ) from error

    def _answers(self, tokens: Tokens) -> Iterator[tuple[int, object]]:
        graph = self.graph
        if graph.length not in (None, tokens.shape[1]):
            raise PredictorError(
                f"{graph.name} takes {graph.described}: sequences of {graph.length} "
                f"letters, not {tokens.shape[1]}"
            )
        size = self.resolve_batch_size(tokens.shape[1])
        for start in range(0, len(tokens), size):
            batch = tokens[start : start + size]
            yield len(batch), self._both_strands(batch)

    def _both_strands(self, batch: Tokens) -> NDArray[Any]:
        if not self.rc_average:
            return self._columns(batch)
        strands = (
            self._columns(y, reverse=i == 1)
            for i, y in enumerate((batch, reverse_complement(batch)))
        )
        wanted = None if self._has_positions else self._tasks
        forward, backward = (
            as_answers(columns, n_rows=len(batch), tasks=wanted) for columns in strands
        )
        averaged: NDArray[Any] = forward / 2 + self._exchanged(backward) / 2
        return averaged

    def _columns(self, batch: Tokens, *, reverse: bool = False) -> NDArray[Any]:
        # a graph of a fixed batch size is given copies of the first row besides
        short = 0 if self.graph.rows is None else self.graph.rows - len(batch)
        whole = (
            np.concatenate([batch, np.repeat(batch[:1], short, axis=0)])
            if short
            else batch
        )
        outputs = self._run(
            one_hot(
                whole,
                dtype=self.graph.dtype,
                alphabet=self.alphabet,
                layout=self.layout,
            )
        )
        answer = outputs[self.graph.outputs[0]] if len(outputs) == 1 else outputs
        # the requested columns (n_rows, tasks), and their names
        n_rows = len(whole)
        value = answer if self._function is None else _reduced(answer, self._function)
        if self._on_track is not None:
            return np.asarray(self._of_output(value, n_rows, reverse=reverse))[
                : len(batch)
            ]
        if not isinstance(value, Mapping):
            table = _as_task_table(value, n_rows, "the network's output")
            places, names = place_columns(table.shape[1], self._tasks, self.heads)
            table = table[:, places]
        else:
            if self.heads is not None:
                outputs_there = _list_outputs(value)
                raise PredictorError(
                    "heads= names the columns of one output, and there are "
                    f"{outputs_there}: tasks= picks outputs"
                )
            names = self._tasks or tuple(map(str, value))
            table = np.concatenate(
                [_task_column(value, name, n_rows) for name in names], axis=1
            )
        self._tasks = self._tasks or names
        return table[: len(batch)]

    def _run(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        if self._session is None:
            self._session = self._open()
        try:
            answers = self._session.run(list(self.graph.outputs), {self.graph.input: x})
        except CausalgiaError:
            raise
        except Exception as error:
            raise PredictorError(
                f"{self._path.name} failed on an input of shape {x.shape} ({self.layout}, "
                f"{x.dtype}): {first_line(error)}. Its input is "
                f"{self.graph.described}"
            ) from error
        return dict(zip(self.graph.outputs, answers, strict=True))

    def _what(self) -> str:
        return quoted(self._path.name)


def _as_n_threads(n_threads: object) -> int:
    if not is_whole(n_threads) or n_threads < 1:
        raise PredictorError(
            f"n_threads={quoted(n_threads)} must be a whole number of at least 1, "
            "or None"
        )
    return int(n_threads)


Names = tuple[str, ...]


def _reduced(output: object, reduce: Callable[[Any], Any]) -> object:
    try:
        return reduce(output)
    except CausalgiaError:
        raise
    except Exception as error:
        raise PredictorError(
            f"reduce= failed on the network's output: {first_line(error)}"
        ) from error


def _task_column(value: Mapping[str, object], name: str, n_rows: int) -> NDArray[Any]:
    if name not in value:
        raise PredictorError(
            f"the network has no output {quoted(name)}; it has "
            f"{_list_outputs(value)}, and tasks= picks outputs by name"
        )
    column = _as_task_table(value[name], n_rows, f"the network's output {quoted(name)}")
    if column.shape[1] != 1:
        raise PredictorError(
            f"the network's output {quoted(name)} has {column.shape[1]} columns, "
            "and a task is one number: reduce= makes (n, tasks)"
        )
    return column


def _as_task_table(value: object, n_rows: int, what: str) -> NDArray[Any]:
    value = without_trailing(value, 2)
    if (
        isinstance(value, np.ndarray)
        and value.ndim in (1, 2)
        and len(value) == n_rows
        and value.size
    ):
        return value.reshape(n_rows, -1)
    raise PredictorError(
        f"{what} for {n_rows} sequences is {_shape_or_type(value)}, not ({n_rows},) "
        f"or ({n_rows}, tasks)"
    )


def _list_outputs(value: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} {_shape_or_type(item)}" for name, item in value.items())


def _shape_or_type(value: object) -> str:
    return str(value.shape) if isinstance(value, np.ndarray) else type_in_words(value)


_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
}
_EXACT: dict[str, dict[str, str]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}


@dataclass(frozen=True)
class Graph:
    """Properties of a graph: its input's name, shape as text, dtype and layout, and the
    names of its outputs.

    `rows` and `length` are the batch size and the length of sequence if the graph fixes
    them.
    """

    name: str
    input: str
    described: str
    dtype: np.dtype[Any]
    layout: Layout
    rows: int | None
    length: int | None
    outputs: tuple[str, ...]


def read_graph(
    session: Any, name: str, *, layout: Layout | Literal["auto"], dtype: str | None
) -> Graph:
    """Return the properties of a session's graph.

    Raises
    ------
    PredictorError
        If its input is not one-hot sequences, or is half precision without that being
        requested.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 3:
        found = ", ".join(f"{given.name} {_sides(given.shape)}" for given in inputs)
        raise PredictorError(
            f"{name} takes {found}; a predictor takes one input, one-hot (n, 4, "
            "length) or (n, length, 4)"
        )
    given = inputs[0]
    described = f"{given.name} {_sides(given.shape)} {given.type}"
    rows, first, second = (
        side if isinstance(side, int) and side > 0 else None for side in given.shape
    )
    chosen = _layout(first, second, layout, f"{name}: its input is {described}")
    description = f"{name}: its input is {described}"
    if given.type not in _DTYPES:
        raise PredictorError(f"{description}, not one-hot floating numbers")
    own = _DTYPES[given.type]
    if own == "float16" and dtype != own:
        raise PredictorError(
            f"{description}: rounding errors of half precision do not cancel in a "
            "contrast; dtype='float16' accepts them"
        )
    if dtype not in (None, own):
        raise PredictorError(f"{description}, and dtype={quoted(dtype)} was asked for")
    return Graph(
        name=name,
        input=given.name,
        described=described,
        dtype=np.dtype(own),
        layout=chosen,
        rows=rows,
        length=second if chosen == "NCL" else first,
        outputs=tuple(output.name for output in session.get_outputs()),
    )


def _sides(shape: Sequence[object]) -> str:
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"


def _layout(
    first: int | None,
    second: int | None,
    requested: Layout | Literal["auto"],
    description: str,
) -> Layout:
    """Return the layout as given, or the one that the shape of the input implies."""
    if requested not in ("NCL", "NLC", "auto"):
        raise PredictorError(
            f"layout={quoted(requested)} must be 'NCL', 'NLC' or 'auto'"
        )
    sides: dict[Layout, int | None] = {"NCL": first, "NLC": second}
    possible: list[Layout] = [
        layout for layout, side in sides.items() if side in (4, None)
    ]
    sure: list[Layout] = [
        layout for layout in possible if sides[layout] == 4
    ] or possible
    if requested != "auto" and requested in possible:
        return requested
    if requested == "auto" and len(sure) == 1:
        return sure[0]
    if requested == "auto" and possible:
        raise PredictorError(
            f"{description}, which may be either layout='NCL' (n, 4, length) or 'NLC'"
        )
    raise PredictorError(f"{description}, which is not layout={quoted(requested)}")

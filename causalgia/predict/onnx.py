"""A network in an ONNX file as a predictor, through ONNX Runtime: the road for networks from other frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.inputs import read_bytes
from causalgia.predict.answer_checks import as_answers
from causalgia.predict.fingerprint import digest, fingerprint_of
from causalgia.predict.onnx_columns import pick_columns
from causalgia.predict.onnx_session import Graph, open_session, read_graph
from causalgia.predict.predictor import Layout, SinglePredictor, checked_batch_size, checked_names, checked_version
from causalgia.predict.wording import first_line
from causalgia.sequences.alphabet import one_hot, reverse_complement
from causalgia.types import Tokens

_POSITIONS = 2**13
"""Positions in a batch from which on a larger one was not faster, for networks of 41 to 2,114 positions."""


class OnnxPredictor(SinglePredictor):
    """A network in an ONNX file as a predictor, answered by ONNX Runtime.

    For networks from Keras, JAX and others (tf2onnx, jax2onnx), and for PyTorch networks on a CPU, where ONNX Runtime
    fuses layers (see `export_onnx`). The file is data: nothing in it is run but its graph. The dtype of the one-hot
    input and, where it can be seen, the layout are read from the graph; a graph with a fixed batch gets whole batches,
    the last one filled with copies. Pickled, the predictor takes the file's bytes along.

    Parameters
    ----------
    path
        One file, weights included.
    tasks
        A name for each output column, or those of `heads` (or of the graph's outputs, where there are several) that are
        wanted. By default all of them; without names "outcome" for a single column, else "task 0", "task 1", ...
    scale
        What the outputs are measured on, in words.
    batch_size
        Sequences at once; "auto" is the graph's own where that is fixed, else some 8,192 positions, a power of two.
    layout
        "NCL" for (n, 4, length), "NLC" for (n, length, 4), or "auto": by which side of the graph's input is 4.
    alphabet
        The letters of the network's one-hot rows, in order. A wrong order raises nothing and answers plausibly.
    heads
        Names of the columns of a single output, in order.
    reduce
        Applied to the output, an array (or a dict of arrays by name, where there are several outputs), to give an array
        (n,) or (n, tasks), or a dict of them with one column each.
    rc_average
        Whether to average the answers for a sequence and for its reverse complement.
    threads
        Of ONNX Runtime; None leaves it its own choice, a thread on each core.
    providers
        Execution providers of ONNX Runtime, such as ["CUDAExecutionProvider"] (there TF32 is switched off); None is the
        CPU.
    dtype
        "float16" accepts a graph whose input is half precision.
    fingerprint
        What names this version of the network; by default the file's bytes are hashed.

    Raises
    ------
    PredictorError
        If the file is absent, broken or keeps its weights elsewhere, a choice is impossible, or its input is no one-hot
        sequence.
    MissingExtraError
        If onnxruntime is not installed.

    Examples
    --------
    An average pool over a one-hot row is the share of a letter:

    >>> import numpy as np, onnx, tempfile, pathlib
    >>> from onnx import helper
    >>> x, y = (helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", ["n", 4, 8]), ("y", ["n", 4])))
    >>> node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    >>> graph = helper.make_graph([node], "shares", [x], [y], [helper.make_tensor("axes", 7, [1], [2])])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
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
        scale: str = "outcome",
        batch_size: int | Literal["auto"] = "auto",
        layout: Layout | Literal["auto"] = "auto",
        alphabet: str = "ACGT",
        heads: Sequence[str] | None = None,
        reduce: Callable[[Any], Any] | None = None,
        rc_average: bool = False,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        dtype: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self._path = Path(path)
        self._bytes = read_bytes(self._path, PredictorError)
        self.threads = None if threads is None else _checked_threads(threads)
        self.providers = ("CPUExecutionProvider",) if providers is None else checked_names(providers, "provider")
        self._session = self._open()
        self.graph: Graph = read_graph(self._session, self._path.name, layout=layout, dtype=dtype)
        super().__init__(
            tasks=heads if tasks is None else tasks,
            scale=scale,
            alphabet=alphabet,
            layout=self.graph.layout,
            rc_average=rc_average,
        )
        self.heads = None if heads is None else checked_names(heads, "head")
        self.reduce = reduce
        self.batch_size = self.graph.batch_size(checked_batch_size(batch_size))
        identity = digest(self._bytes) if fingerprint is None else digest("given", checked_version(fingerprint, "file"))
        choices = (self._tasks, scale, self._order, self.layout, self.heads, rc_average, self.providers)
        self._fingerprint = digest("onnx", identity, *choices, fingerprint_of(reduce))
        self._parts = {"version" if fingerprint else "file": fingerprint or identity}
        self._parts |= {"options": digest(*choices), "read-out": fingerprint_of(reduce)}
        self._sizes: dict[int, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the open session."""
        return {**vars(self), "_session": None}

    @property
    def fingerprint(self) -> str:
        """Digest of the file's bytes, and of every choice made here."""
        return self._fingerprint

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Digests of the file (or the version that was given), the options and the read-out."""
        return self._parts

    @property
    def precision(self) -> np.dtype[Any]:
        """Dtype of the graph's input, or half where an answer was."""
        return np.dtype(np.float16) if self._half else self.graph.dtype

    def resolve_batch_size(self, length: int) -> int:
        """Return how many sequences of `length` letters go through the network at once."""
        if length not in self._sizes:
            automatic = 1 << (max(1, min(1024, _POSITIONS // length)).bit_length() - 1)
            self._sizes[length] = automatic if self.batch_size == "auto" else self.batch_size
        return self._sizes[length]

    def batches(self) -> dict[int, int]:
        """Return the batch sizes settled on so far, by length."""
        return dict(self._sizes)

    def fix_batches(self, sizes: Mapping[int, int]) -> None:
        """Take the batch sizes of an earlier run, by length; a graph's own is not changed."""
        if self.graph.rows is None:
            self._sizes |= {int(length): int(size) for length, size in sizes.items()}

    def _open(self) -> Any:
        return open_session(self._bytes, self._path.name, threads=self.threads, providers=self.providers)

    def _answers(self, tokens: Tokens) -> Iterator[tuple[int, object]]:
        self.graph.require_length(tokens.shape[1])
        size = self.resolve_batch_size(tokens.shape[1])
        for start in range(0, len(tokens), size):
            batch = tokens[start : start + size]
            yield len(batch), self._both_strands(batch)

    def _both_strands(self, batch: Tokens) -> NDArray[Any]:
        if not self.rc_average:
            return self._columns(batch)
        strands = (self._columns(strand) for strand in (batch, reverse_complement(batch)))
        forward, backward = (as_answers(columns, n_rows=len(batch), tasks=self._tasks) for columns in strands)
        return forward / 2 + backward / 2

    def _columns(self, batch: Tokens) -> NDArray[Any]:
        whole = self.graph.filled(batch)
        outputs = self._run(one_hot(whole, dtype=self.graph.dtype, alphabet=self.alphabet, layout=self.layout))
        answer = outputs[self.graph.outputs[0]] if len(outputs) == 1 else outputs
        table, names = pick_columns(answer, len(whole), tasks=self._tasks, heads=self.heads, reduce=self.reduce)
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
            msg = (
                f"{self._path.name} failed on an input of shape {x.shape} ({self.layout}, {x.dtype}): "
                f"{first_line(error)}. Its input is {self.graph.described}; check their length and layout="
            )
            raise PredictorError(msg) from error
        return dict(zip(self.graph.outputs, answers, strict=True))

    def _what(self) -> str:
        return quoted(self._path.name)


def _checked_threads(threads: object) -> int:
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        msg = f"threads={quoted(threads)}; give a whole number of at least 1, or None for ONNX Runtime's own choice"
        raise PredictorError(msg)
    return int(threads)

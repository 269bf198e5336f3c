"""An ONNX file opened by ONNX Runtime, and what its graph says about its input and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from causalgia.errors import MissingExtraError, PredictorError, quoted
from causalgia.predict.predictor import Layout
from causalgia.predict.wording import one_line
from causalgia.types import Tokens

_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
_EXACT: dict[str, dict[str, str]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}


def open_session(content: bytes, name: str, *, threads: int | None, providers: Sequence[str]) -> Any:
    """Return an ONNX Runtime session for the bytes of a file.

    Raises
    ------
    MissingExtraError
        If onnxruntime is not installed.
    PredictorError
        If a provider is not there, or the bytes are no whole ONNX network.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        msg = f"networks in ONNX files need onnxruntime ({error}); run: pip install 'causalgia[onnx]'"
        raise MissingExtraError(msg) from error
    _require_providers(providers, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    chosen = [(provider, _EXACT.get(provider, {})) for provider in providers]
    try:
        return onnxruntime.InferenceSession(content, options, providers=chosen)
    except Exception as error:
        raise PredictorError(_broken(error, name)) from error


def _require_providers(providers: Sequence[str], available: Sequence[str]) -> None:
    absent = [provider for provider in providers if provider not in available]
    if absent:
        msg = f"providers={quoted(list(providers))}: {absent[0]} is not there; available: {', '.join(available)}"
        raise PredictorError(msg)


def _broken(error: Exception, name: str) -> str:
    said = one_line(error)
    if "external" in said.lower() or "model_path" in said:
        return (
            f"{name} keeps its weights in another file, and a predictor is one file ({said}); put them together: "
            "onnx.save(onnx.load(old), new, save_as_external_data=False)"
        )
    return f"{name} cannot be opened as an ONNX network ({said}); export it again"


@dataclass(frozen=True)
class Graph:
    """What a graph says: its input's name, shape in words, dtype and layout, and the names of its outputs.

    `rows` and `length` are the batch and the length of sequence where the graph fixes them.
    """

    name: str
    input: str
    described: str
    dtype: np.dtype[Any]
    layout: Layout
    rows: int | None
    length: int | None
    outputs: tuple[str, ...]

    def batch_size(self, asked: int | Literal["auto"]) -> int | Literal["auto"]:
        """Return the batch size as asked, or the graph's own; PredictorError where they differ."""
        if self.rows is None or asked in ("auto", self.rows):
            return self.rows or asked
        msg = f"batch_size={asked}, but {self.name} takes {self.rows} sequences at once; leave batch_size= out"
        raise PredictorError(msg)

    def require_length(self, length: int) -> None:
        """Raise PredictorError where the graph takes sequences of another length."""
        if self.length is not None and self.length != length:
            msg = f"{self.name} takes {self.described}: sequences of {self.length} letters, not {length}"
            raise PredictorError(msg)

    def filled(self, tokens: Tokens) -> Tokens:
        """Return tokens filled up with copies of the first row where the graph fixes the batch."""
        short = 0 if self.rows is None else self.rows - len(tokens)
        return np.concatenate([tokens, np.repeat(tokens[:1], short, axis=0)]) if short else tokens


def read_graph(session: Any, name: str, *, layout: Layout | Literal["auto"], dtype: str | None) -> Graph:
    """Return what the graph of a session says.

    Raises
    ------
    PredictorError
        If its input is not one-hot sequences, or half precision that was not asked for.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 3:
        found = ", ".join(f"{given.name} {_sides(given.shape)}" for given in inputs)
        msg = f"{name} takes {found}; a predictor takes one input, one-hot (n, 4, length) or (n, length, 4)"
        raise PredictorError(msg)
    given = inputs[0]
    described = f"{given.name} {_sides(given.shape)} {given.type}"
    rows, first, second = (side if isinstance(side, int) and side > 0 else None for side in given.shape)
    chosen = _layout(first, second, layout, f"{name}: its input is {described}")
    return Graph(
        name=name,
        input=given.name,
        described=described,
        dtype=_dtype(given.type, dtype, f"{name}: its input is {described}"),
        layout=chosen,
        rows=rows,
        length=second if chosen == "NCL" else first,
        outputs=tuple(output.name for output in session.get_outputs()),
    )


def _sides(shape: Sequence[object]) -> str:
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"


def _layout(first: int | None, second: int | None, asked: Layout | Literal["auto"], said: str) -> Layout:
    """Return the layout as asked, or the one that the sides of the input leave open."""
    if asked not in ("NCL", "NLC", "auto"):
        raise PredictorError(f"layout={quoted(asked)} is not a choice; use 'NCL', 'NLC' or 'auto'")
    sides: dict[Layout, int | None] = {"NCL": first, "NLC": second}
    possible: list[Layout] = [layout for layout, side in sides.items() if side in (4, None)]
    sure: list[Layout] = [layout for layout in possible if sides[layout] == 4] or possible
    if asked != "auto" and asked in possible:
        return asked
    if asked == "auto" and len(sure) == 1:
        return sure[0]
    if asked == "auto" and possible:
        raise PredictorError(f"{said}, which may be either layout; give layout='NCL' (n, 4, length) or 'NLC'")
    cure = (
        "has no side of 4 letters; export a network of one-hot sequences" if not possible else "give the other layout"
    )
    raise PredictorError(f"{said} and layout={quoted(asked)}: {cure}")


def _dtype(text: str, asked: str | None, said: str) -> np.dtype[Any]:
    if text not in _DTYPES:
        raise PredictorError(f"{said}, not one-hot floating numbers; export a network that takes float32")
    own = _DTYPES[text]
    if own == "float16" and asked != own:
        msg = (
            f"{said}: rounding errors of half precision do not cancel in a contrast, and no number of units removes "
            "them; export it in float32, or accept it with dtype='float16'"
        )
        raise PredictorError(msg)
    if asked not in (None, own):
        raise PredictorError(f"{said}, and dtype={quoted(asked)} was asked for; leave it out")
    return np.dtype(own)

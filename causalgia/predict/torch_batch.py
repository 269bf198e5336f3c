"""A PyTorch forward pass: batch sizes, and its output as one column for each task."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
import torch

from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    PredictorError,
    caller_stacklevel,
    quoted,
    type_in_words,
)
from causalgia.predict.answer_checks import (
    first_line,
    place_columns,
    without_trailing,
)
from causalgia.predict.predictor import LONG, as_batch_size, as_distinct_names
from causalgia.predict.torch_device import OperationWatch

_MIB = 2**20
_MAPPED_FROM = 32 * _MIB
"""Bytes above which glibc maps every allocation afresh; it also returns the heap's end
once twice that is free.
"""
_CPU_BUDGET = _MAPPED_FROM // 2
"""Largest activation in bytes, so that the two or three that live at once stay below
both limits.
"""
_CACHED = 64 * _MIB
"""Bytes of all activations of a pass that suit a processor's caches: larger batches
were 1.2 times slower.
"""
_AMPLE = 256
"""Rows from which the overhead of a call is negligible, so that the batch may be
limited to the caches.
"""
_OTHER_BUDGET = 256 * _MIB
_MOST_IN_BATCH = {"cpu": 1024}
_MOST_ELSEWHERE = 4096


class BatchSizes:
    """Batch size for each length of sequence: as given, or measured once; above 50 kb
    one sequence.
    """

    def __init__(self, given: int | Literal["auto"], device: torch.device) -> None:
        self._given = as_batch_size(given)
        self._device = device
        self._known: dict[int, int] = {}

    def resolve(self, length: int, trace: Callable[[int, int], None]) -> int:
        """Return the batch size for sequences of `length`; `trace(n_rows, length)` runs
        one forward pass.
        """
        if self._device.type == "cpu":
            raise_malloc_limits()
        if length not in self._known:
            measured = self._given == "auto"
            size = 1 if self._given == "auto" else self._given
            self._known[length] = (
                self._measure(length, trace) if measured and length <= LONG else size
            )
        return self._known[length]

    @property
    def known(self) -> dict[int, int]:
        """The batch size that is fixed for each length so far."""
        return dict(self._known)

    def fix(self, sizes: Mapping[int, int]) -> None:
        """Use batch sizes by length, as from `known`; PredictorError if one is
        invalid.
        """
        self._known |= {
            int(length): _as_fixed_batch_size(size) for length, size in sizes.items()
        }

    def _measure(self, length: int, trace: Callable[[int, int], None]) -> int:
        """Return the batch size for the measured activations; 1 if not even four rows
        fit.
        """
        try:
            added = added_by_a_row(length, trace)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return 1
        # the batch size for given bytes per row of the largest activation, and of all
        # together
        budget = _CPU_BUDGET if self._device.type == "cpu" else _OTHER_BUDGET
        if (
            self._device.type == "cuda"
        ):  # a few activations of that size, and their workspaces, live at once
            budget = int(torch.cuda.mem_get_info(self._device)[0]) // 10
        fitting = (budget - 1) // max(max(added, default=0), 1)
        if self._device.type == "cpu":
            fitting = min(fitting, max(_AMPLE, _CACHED // max(sum(added), 1)))
        size = min(
            _MOST_IN_BATCH.get(self._device.type, _MOST_ELSEWHERE), max(1, fitting)
        )
        return 1 << (size.bit_length() - 1)

    def halve(self, length: int, size: int) -> None:
        """Halve a batch size that exceeded the memory, with a warning.

        Raises
        ------
        PredictorError
            If it was a single sequence.
        """
        if size == 1:
            raise PredictorError(
                f"one sequence of length {length} does not fit into the memory of "
                f"{self._device}"
            )
        self._known[length] = size // 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        what = f"{size} sequences of length {length} at once"
        msg = f"out of memory on {self._device} with {what}; going on with {size // 2}"
        warnings.warn(CausalgiaWarning(msg), stacklevel=caller_stacklevel())


def _as_fixed_batch_size(size: object) -> int:
    size_or_auto = as_batch_size(size)
    if size_or_auto == "auto":
        raise PredictorError(
            "a batch size of an earlier run is a whole number of at least 1, not 'auto'"
        )
    return size_or_auto


@cache
def raise_malloc_limits() -> None:
    """Raise glibc's limits to their maximum, once per process, by allocating and
    freeing one untouched block.

    The limits follow the largest mapped block that was freed so far. Below them each
    layer's output may be returned to the system and faulted in again, which costs a
    factor of 1.7 on a convolutional network at any batch size. Without glibc this does
    nothing.
    """
    torch.empty(_MAPPED_FROM - 16_384, dtype=torch.uint8, device="cpu")


def added_by_a_row(length: int, trace: Callable[[int, int], None]) -> list[int]:
    """Return the bytes that each further sequence adds to each tensor that grows with
    the batch.

    Every tensor of the forward pass is measured with two and with four rows; tensors
    that do not grow with the batch (a transposed weight) do not count.
    """
    made = []
    for n_rows in (2, 4):
        sizes = _Sizes()
        with sizes:
            trace(n_rows, length)
        made.append(sizes.made)
    return [
        (four - two) // 2 for two, four in zip_longest(*made, fillvalue=0) if four > two
    ]


class _Sizes(OperationWatch):
    """Records the bytes of the tensors that each operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[int] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        parts = result if isinstance(result, tuple | list) else (result,)
        self.made.append(
            max(
                (
                    t.numel() * t.element_size()
                    for t in parts
                    if isinstance(t, torch.Tensor)
                ),
                default=0,
            )
        )
        return result


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that a device ran out of memory, for which torch
    has a type on some devices alone.
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(
            words in str(error) for words in ("out of memory", "can't allocate memory")
        )
    )


Names = tuple[str, ...]


def read_columns(
    output: object,
    n_rows: int,
    *,
    tasks: Names | None,
    heads: Names | None,
    reduce: Callable[[Any], torch.Tensor] | None,
) -> tuple[torch.Tensor, Names]:
    """Return the requested columns (n_rows, tasks), on the device, and their names.

    Raises
    ------
    PredictorError
        If the output is not (n,) or (n, outputs) after `reduce`, or its columns do not
        match the names.
    """
    value = _without_none(reduced_output(output, reduce))
    if isinstance(value, Mapping):
        if heads is not None:
            raise PredictorError(
                "heads= names the columns of a tensor, but the network returns "
                f"{describe_output(value)}: tasks= picks keys"
            )
        names = as_distinct_names(list(value), "key") if tasks is None else tasks
        missing = [name for name in names if name not in value]
        if missing:
            raise PredictorError(
                f"the network's output has no key {quoted(missing[0])}; it "
                f"returns {describe_output(value)}: tasks= names keys, and reduce= "
                "reads numbers out of one"
            )
        return torch.cat(
            [_one_column(value[name], n_rows, name) for name in names], dim=1
        ), names
    table = _as_table(value, n_rows, "the network's output")
    places, names = place_columns(table.shape[1], tasks, heads)
    return (table if places == list(range(table.shape[1])) else table[:, places]), names


def _without_none(value: object) -> object:
    """Return an output without what is None in it, such as the loss of no labels."""
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if one is not None}
    if isinstance(value, tuple | list):
        held = [one for one in value if one is not None]
        return held[0] if len(held) == 1 < len(value) else value
    return value


def reduced_output(
    output: object, reduce: Callable[[Any], torch.Tensor] | None
) -> object:
    """Return an output after `reduce`; PredictorError if that fails, or if it is
    numpy's.
    """
    try:
        reduced = output if reduce is None else reduce(output)
        if not isinstance(reduced, np.ndarray):
            return reduced
        raise PredictorError(
            f"the output (after reduce=) is a numpy array {reduced.shape}, and "
            "TorchPredictor reads tensors"
        )
    except CausalgiaError:
        raise
    except Exception as error:
        raise PredictorError(
            f"reduce= failed on the network's output, {describe_output(output)}: "
            f"{first_line(error)}"
        ) from error


def _one_column(value: object, n_rows: int, key: str) -> torch.Tensor:
    column = _as_table(value, n_rows, f"the network's output {quoted(key)}")
    if column.shape[1] != 1:
        raise PredictorError(
            f"the network's output {quoted(key)} has {column.shape[1]} columns, "
            "and a task is one number: reduce= makes (n, tasks)"
        )
    return column


def _as_table(value: object, n_rows: int, what: str) -> torch.Tensor:
    value = without_trailing(value, 2)
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        raise PredictorError(f"{what} is a sparse tensor ({value.layout})")
    if (
        isinstance(value, torch.Tensor)
        and value.ndim in (1, 2)
        and len(value) == n_rows
        and value.numel()
    ):
        return value.reshape(n_rows, -1)
    raise PredictorError(
        f"{what} for {n_rows} sequences is {describe_output(value)}, not a tensor "
        f"({n_rows},) or ({n_rows}, tasks), as reduce= can make one"
    )


def describe_output(value: object) -> str:
    """Return a description of an output: its type, and the shape of every tensor in it.

    Examples
    --------
    >>> describe_output((torch.zeros(2, 3), {"counts": torch.zeros(2)}))
    "a tuple of (2, 3), a dict {'counts': (2,)}"
    """
    if isinstance(value, torch.Tensor):
        return str(tuple(value.shape))
    if isinstance(value, Mapping):
        return (
            f"{type_in_words(value)} "
            f"{{{', '.join(f'{quoted(k)}: {describe_output(v)}' for k, v in value.items())}}}"
        )
    if isinstance(value, tuple | list):
        return f"{type_in_words(value)} of {', '.join(map(describe_output, value))}"
    return type_in_words(value)

"""Running sums on disk, in two generations: where the newest is damaged, the one before it goes on."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.trial.archive.files import read_or_none, replace, sealed, unpacked, unsealed

SLOTS = ("state-0", "state-1")
_TURNS = re.compile(rb"[0-9]{1,15}")


def write_state(folder: Path, arrays: Mapping[str, NDArray[Any]], *, turns: int, last: bool) -> None:
    """Write the sums over the first turns in place of the older generation; the last of a trial over both."""
    data = _packed(arrays, turns)
    newest, older = sorted(SLOTS, key=lambda slot: -_turns(folder / slot))
    for slot in (older, newest) if last else (older,):
        replace(folder / slot, data)


def settle_states(folder: Path, *, turns: int) -> None:
    """Give both generations the same bytes, where one of them is over all turns: a kill may have come between them."""
    read = {slot: _bytes(folder / slot) for slot in SLOTS}
    whole = [data for data in read.values() if (state := _unpacked(data)) is not None and state[0] == turns]
    for slot, data in read.items():
        if whole and data != whole[0]:
            replace(folder / slot, whole[0])


def read_state(folder: Path) -> tuple[tuple[int, dict[str, NDArray[Any]]] | None, list[str]]:
    """Return the newest sums that are whole, with their number of turns, and the names of those that are damaged."""
    there = [slot for slot in SLOTS if (folder / slot).exists()]
    read = {slot: _unpacked(_bytes(folder / slot)) for slot in there}
    whole = [state for state in read.values() if state is not None]
    return max(whole, key=lambda state: state[0], default=None), [slot for slot in there if read[slot] is None]


def _packed(arrays: Mapping[str, NDArray[Any]], turns: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as whole:
        for name, values in arrays.items():
            with whole.open(f"{name}.npy", "w", force_zip64=True) as one:
                np.lib.format.write_array(one, np.asarray(values), allow_pickle=False)
    return sealed(f"{turns}\n".encode() + made.getvalue())


def _unpacked(data: bytes) -> tuple[int, dict[str, NDArray[Any]]] | None:
    body = unsealed(data)
    if body is None:
        return None
    turns, _, packed = body.partition(b"\n")
    arrays = {name.removesuffix(".npy"): _array(data) for name, data in unpacked(packed).items()}
    whole = {name: array for name, array in arrays.items() if array is not None}
    return (int(turns), whole) if _TURNS.fullmatch(turns) and whole.keys() == arrays.keys() and whole else None


def _array(data: bytes) -> NDArray[Any] | None:
    """Return the array of a file in numpy's format; None where it is none of numbers or text, or of another size."""
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            return None
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception:  # the header is Python; what reading any text as Python may raise is written nowhere
        return None
    values = memoryview(data)[stream.tell() :]
    if dtype.kind not in "biufU" or any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(values):
        return None
    flat = np.frombuffer(values, dtype) if len(values) else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if in_columns else "C").copy()


def _turns(path: Path) -> int:
    """Return the number of turns of a state; -1 where there is none, or a damaged one."""
    state = _unpacked(_bytes(path))
    return -1 if state is None else state[0]


def _bytes(path: Path) -> bytes:
    return read_or_none(path) or b""

"""Edits on the device: backgrounds stay there, and only the edited window is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.errors import PredictorError
from causalgia.predict.predictor import as_token_rows
from causalgia.predict.torch_device import HostDeviceCopier
from causalgia.types import Tokens

if TYPE_CHECKING:
    from causalgia.predict.torch_predictor import TorchPredictor


class DeviceEdits:
    """A session that holds the backgrounds on the device and writes the arms into them there.

    Every batch is assembled on the device from the backgrounds and the edited columns, and goes through the whole
    network: the answers are those of `predict` with the same batches, bit for bit.
    """

    def __init__(self, predictor: TorchPredictor, base: Tokens) -> None:
        self._predictor = predictor
        self._base = as_token_rows(base)
        self._ferry = HostDeviceCopier(predictor.device)
        self._held = self._ferry.send(self._base)

    def answers(self, edited: Tokens, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Answer for edited tokens (m, length), row i made from background ``rows[i]``: (m, tasks)."""
        tokens = as_token_rows(edited)
        _check_backgrounds(tokens, rows, self._base)

        def place(start: int, stop: int) -> torch.Tensor:
            return self._embedded(tokens[start:stop], rows[start:stop])

        return self._predictor.answer_batches(len(tokens), tokens.shape[1], place)

    def _embedded(self, edited: Tokens, rows: NDArray[np.int64]) -> torch.Tensor:
        window = changed_window(edited, self._base[rows])
        whole = self._held[self._ferry.send(np.asarray(rows, np.int64))]
        if window.start < window.stop:
            whole[:, window] = self._ferry.send(edited[:, window])
        return whole


def changed_window(edited: Tokens, base: Tokens) -> slice:
    """Return the columns from the first to the last in which any row differs from its background.

    Examples
    --------
    >>> base = np.zeros((2, 6), np.uint8)
    >>> changed_window(np.array([[0, 0, 1, 0, 0, 0], [0, 0, 0, 2, 0, 0]], np.uint8), base)
    slice(2, 4, None)
    """
    columns = np.flatnonzero((edited != base).any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else slice(0, 0)


def _check_backgrounds(edited: Tokens, rows: NDArray[np.int64], base: Tokens) -> None:
    if edited.shape[1] != base.shape[1] or np.shape(rows) != (len(edited),):
        msg = (
            f"edited tokens {edited.shape} and the backgrounds {np.shape(rows)} they came from do not fit backgrounds "
            f"{base.shape}; give one row of the backgrounds for each, of the same length"
        )
        raise PredictorError(msg)
    if np.min(rows) < 0 or np.max(rows) >= len(base):
        raise PredictorError(f"there are {len(base)} backgrounds; rows go from {np.min(rows)} to {np.max(rows)}")

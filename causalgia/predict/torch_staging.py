"""Tokens on their way to a device and answers on their way back, while the device works. Imported on demand."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Ferry:
    """Copies between host and device that an accelerator does not wait for.

    On CUDA through page-locked memory, which torch keeps and hands out again: the copies are queued and the host goes
    on. Elsewhere a copy is a copy.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pinned = device.type == "cuda"

    def send(self, values: NDArray[Any]) -> torch.Tensor:
        """Return an array on the device."""
        host = self._page(values.shape, torch.from_numpy(np.empty(0, values.dtype)).dtype)
        host.numpy()[...] = values
        return host.to(self._device, non_blocking=self._pinned)

    def fetch(self, answer: torch.Tensor) -> Fetched:
        """Queue the way back of an answer."""
        if not self._pinned:
            return Fetched(answer.cpu())
        host = self._page(answer.shape, answer.dtype)
        host.copy_(answer, non_blocking=True)
        arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrival.record(torch.cuda.current_stream(self._device))
        return Fetched(host, arrival)

    def _page(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, pin_memory=self._pinned)


class Fetched:
    """An answer that may still be on its way."""

    def __init__(self, host: torch.Tensor, arrival: Any = None) -> None:
        self._host = host
        self._arrival = arrival

    def __len__(self) -> int:
        return len(self._host)

    def arrived(self) -> torch.Tensor:
        """Return the answer on the host, once it is there."""
        if self._arrival is not None:
            self._arrival.synchronize()
        return self._host

"""What a pass through a network takes and what of it an edit changes, by counting: so
that whether edits are recomputed in part depends on no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import flop_registry

from causalgia.predict.torch_device import OperationWatch
from causalgia.types import Ints, Tokens

_OF_A_BYTE, _OF_A_FUSED = 6.0, 2.5
_OF_AN_OPERATION = 2.2e6
_OF_READING = 9e7
"""Multiplications of a convolution that take as long as writing a byte; as one of a
recurrent or an attention layer; as an operation on the windows of some edits, beside
the work in them; and as reading one operation of a network.

Measured on a core of an AMD EPYC (Zen 5), torch 2.13, over networks of the sizes of
DeepSTARR, ResidualBind, BPNet, of one convolution and of dense layers at 20 to 1,000
letters: least squares of full passes gave 2.3e-5 us a multiplication and 1.4e-4 us a
byte (within 20 %; dilated convolutions take twice as long), the rest of the time of
sessions 50 us for each operation of each part of the edits, reading 2 ms an operation; a
LSTM took 1.7, a transformer layer 2.6 times as long as convolutions.
"""
_EDITS_AT_ONCE, _PARTS = 256, 8
_OF_CONTROL = 1.3
_PASSES_COMPARED = 60
"""Edits that go through the layers together, and about how many such parts there are at
least; what a control pass takes of a full one; and full passes in small batches that
take as long as the comparisons of a session.
"""
_LEAST_MULTIPLICATIONS = 2**18
MOST_SHARE = 0.6
"""Multiplications of a pass below which, and share of its work above which, full passes
are faster.
"""
_WIDE = 33


@dataclass(frozen=True)
class Work:
    """The work of a pass of one sequence, in multiplications.

    Attributes
    ----------
    operations
        Number of operations.
    multiplications
        Those of layers alone.
    total
        With the bytes that are written.
    changed
        What an edit changes of it, of one letter and of 33 letters.
    """

    operations: int
    multiplications: float
    total: float
    changed: tuple[float, float]

    def share(self, width: Any) -> Any:
        """Return the share of the work that edits of a width change."""
        one, wide = self.changed
        slope = (wide - one) / (_WIDE - 1)
        return np.minimum(1, (one + (np.asarray(width) - 1) * slope) / self.total)

    def saves(self, widths: Ints, n_units: int) -> bool:
        """Say whether it is less work to recompute edits of some widths in part, a
        control pass for each of their units and comparisons included.
        """
        shares = self.share(widths)
        few = shares[shares <= MOST_SHARE]
        return self._saves(len(few), float(np.sum(1 - few)), n_units)

    def may_save(self, n_edits: int) -> bool:
        """Say whether that can be so for so many edits, if they were of one letter."""
        return self._saves(n_edits, n_edits * (1 - float(self.share(1))), 1)

    def _saves(self, n_edits: int, passes: float, n_units: int) -> bool:
        """Say whether what so many edits save, in full passes, is more than is needed."""
        once = _OF_CONTROL * n_units + _PASSES_COMPARED
        parts = _PARTS + n_edits / _EDITS_AT_ONCE
        each = _OF_READING + _OF_AN_OPERATION * parts
        needed = once * self.total + self.operations * each
        enough = self.multiplications >= _LEAST_MULTIPLICATIONS
        return enough and passes * self.total > needed


def may_save(n_edits: int, n_units: int) -> bool:
    """Say whether so many edits can be less work in part at all, in any network."""
    return n_edits > _OF_CONTROL * n_units + _PASSES_COMPARED


def survey_tokens(length: int) -> Tokens:
    """Return a sequence, the same edited in one letter and in 33 in the middle, and the
    sequence again.
    """
    tokens = np.tile(
        np.random.default_rng(0).integers(0, 4, length).astype(np.uint8), (4, 1)
    )
    for row, width in ((1, 1), (2, min(_WIDE, length))):
        start = (length - width) // 2
        tokens[row, start : start + width] = 3 - tokens[row, start : start + width]
    return tokens


class Survey(OperationWatch):
    """Counts the work of a pass of `survey_tokens`."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations = 0
        self._multiplications = self._slow = self._bytes = 0.0
        self._changed = np.zeros(2)

    @property
    def work(self) -> Work:
        """What was counted."""
        total = self._multiplications + self._slow + _OF_A_BYTE * self._bytes
        one, wide = self._changed.tolist()
        return Work(self._operations, self._multiplications, total, (one, wide))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if not hasattr(func, "_overloadpacket"):  # control flow
            return func(*args, **given)
        with self:
            made = func.decompose(*args, **given)
        if made is not NotImplemented:
            return made
        made = func(*args, **given)
        out = made[0] if isinstance(made, tuple | list) and made else made
        if isinstance(out, torch.Tensor) and not func.is_view:
            self._count(func._overloadpacket, args, given, out, made)
        return made

    def _count(
        self, layer: Any, args: Sequence[Any], given: Any, out: Any, made: Any
    ) -> None:
        """Count an operation that gives a number for each row at least."""
        if layer in _FUSED:  # all positions depend on all
            own = args[1:3] if layer is torch.ops.aten.mkldnn_rnn_layer else args
            weights = (x for x in own if isinstance(x, torch.Tensor) and x.ndim == 2)
            found = sum(x.numel() for x in weights) * prod(out.shape[:-1]) / 4
            self._operations += 1
            self._multiplications += found
            self._slow += (_OF_A_FUSED - 1) * found
            self._changed += _OF_A_FUSED * found
            return
        changed = _changed(out)
        if changed is None:
            return
        self._operations += 1
        n_bytes = out.numel() * out.element_size() / 4
        self._bytes += n_bytes
        self._changed += _OF_A_BYTE * n_bytes * changed
        if layer not in flop_registry:
            return
        found = flop_registry[layer](*args, **given, out_val=made) / 8
        if layer in _PRODUCTS:  # a dense layer takes changes of its inputs, half of
            inputs = _changed(args[layer is torch.ops.aten.addmm])  # which are zeros
            changed = changed if inputs is None else np.minimum(1, 2 * inputs)
        elif layer is torch.ops.aten.convolution and out.ndim > 2:
            changed = _span(out)
        self._multiplications += found
        self._changed += found * changed


_PRODUCTS = (torch.ops.aten.addmm, torch.ops.aten.mm)
_FUSED = (
    torch.ops.aten.mkldnn_rnn_layer,
    torch.ops.aten._transformer_encoder_layer_fwd,
    torch.ops.aten._native_multi_head_attention,
)


def _changed(x: Any) -> Any:
    """Return the share of the numbers of the two edits that are not those of the
    sequence, (2,); None where rows are not the first dim.
    """
    if not isinstance(x, torch.Tensor) or x.ndim < 1 or len(x) % 4 or not x.numel():
        return None
    rows = x.detach().reshape(4, -1)
    return (rows[1:3] != rows[0]).double().mean(1).cpu().numpy()


def _span(x: torch.Tensor) -> Any:
    """Return the share of the positions (rows, channels, ...) from the first change to
    the last, (2,).
    """
    differ = (x[1:3] != x[0]).any(dim=1).flatten(1).cpu().numpy()
    n = differ.shape[1]
    return np.array(
        [
            (n - row[::-1].argmax() - row.argmax()) / n if row.any() else 0.0
            for row in differ
        ]
    )

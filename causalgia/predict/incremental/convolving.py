"""Convolutions of (positions, rows, channels), without a copy of their inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.nn import functional

from causalgia.predict.incremental.window_steps import Wanted, Windowed

_FEW_OUTPUTS = 4
_MANY_CHANNELS = 32


@dataclass(kw_only=True)
class Convolved(Windowed):
    """A convolution along the positions: weight (filters, channels / groups, kernel), bias (filters,) or None.

    Three ways lead to the same sums. One product for each place of the kernel, added up where it stands, needs no
    memory beside its output, and its shorter sums round less: for many channels. One product for all places, whose
    shifted columns are added up, serves a wide kernel of few filters. For the rest the positions are an image's rows
    and the sequences its columns, which in memory is the library's own layout, channels last.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    groups: int = 1
    _image: torch.Tensor = field(init=False)
    _taps: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Lay out the weights after they were changed."""
        self._image = self.weight.unsqueeze(3).contiguous(memory_format=torch.channels_last)
        self._taps = self.weight.permute(2, 1, 0).contiguous()
        self.macs = float(self.weight.numel())

    def scaled(self, scale: torch.Tensor, shift: torch.Tensor) -> None:
        """Take over a batch normalisation that follows: ``y * scale + shift``, (filters,) each."""
        self.weight = self.weight * scale[:, None, None]
        self.bias = shift if self.bias is None else self.bias * scale + shift
        self.refresh()

    def _made(self, wanted: Wanted) -> torch.Tensor:
        x, width = wanted.inputs[0], wanted.span[1] - wanted.span[0]
        plain = self.groups == 1 and self.window.stride == 1
        if plain and self.channels <= _FEW_OUTPUTS and self.window.kernel > 1 and x.shape[2] > _FEW_OUTPUTS:
            return self._shifted(x, width)
        if plain and x.shape[2] >= _MANY_CHANNELS:
            return self._tapped(x, width, wanted.out)
        return self._imaged(x)

    def _shifted(self, x: torch.Tensor, width: int) -> torch.Tensor:
        kernel, rows, filters = self.window.kernel, x.shape[1], self.channels
        columns = self._taps.permute(1, 2, 0).reshape(x.shape[2], -1)
        places = x.reshape(-1, x.shape[2]) @ columns
        step = rows * filters * kernel
        strides = (step, filters * kernel, kernel, self.window.dilation * step + 1)
        summed = places.as_strided((width, rows, filters, kernel), strides).sum(-1)
        return summed if self.bias is None else summed.add_(self.bias)

    def _tapped(self, x: torch.Tensor, width: int, out: torch.Tensor | None) -> torch.Tensor:
        made = x.new_empty((width, x.shape[1], self.channels)) if out is None else out
        flat = made.view(-1, self.channels)
        for tap in range(self.window.kernel):
            start = tap * self.window.dilation
            part = x[start : start + width].reshape(-1, x.shape[2])
            if tap:
                flat.addmm_(part, self._taps[tap])
            elif self.bias is None:
                torch.mm(part, self._taps[0], out=flat)
            else:
                torch.addmm(self.bias, part, self._taps[0], out=flat)
        return made

    def _imaged(self, x: torch.Tensor) -> torch.Tensor:
        image = x.permute(2, 0, 1).unsqueeze(0)
        stride, dilation = (self.window.stride, 1), (self.window.dilation, 1)
        made = functional.conv2d(image, self._image, self.bias, stride=stride, dilation=dilation, groups=self.groups)
        return made.squeeze(0).permute(1, 2, 0)

"""The two small architectures of the trained networks. Needs torch."""

from __future__ import annotations

from torch import Tensor, nn

from causalgia.errors import PredictorError
from causalgia.zoo.named_oracles import LENGTH


class Convolution(nn.Sequential):
    """A convolution that preserves the length, with batch normalization."""

    def __init__(self, channels: int, filters: int, width: int, *, dilation: int = 1) -> None:
        kernel = nn.Conv1d(channels, filters, width, padding="same", dilation=dilation, bias=False)
        super().__init__(kernel, nn.BatchNorm1d(filters))


class DilatedResidual(nn.Module):
    """Residual block of convolutions with increasing dilation: ``relu(x + f(x))``."""

    def __init__(self, filters: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.steps = nn.ModuleList([Convolution(filters, filters, 3, dilation=d) for d in dilations])

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of x, (n, filters, length)."""
        step = x
        for i, convolution in enumerate(self.steps):
            step = convolution(step.relu() if i else step)
        return (x + step).relu()


class ResidualNetwork(nn.Module):
    """A small network after ResidualBind: wide filters, a dilated residual block, mean pooling, a dense layer.

    Takes one-hot (n, 4, 41), channels A C G T, and returns (n, 1). It has a tenth of the size of the published
    network, and no dropout, since training data are simulated.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand & Paul (2021) Global importance analysis. doi:10.1371/journal.pcbi.1008925

    Examples
    --------
    >>> import torch
    >>> ResidualNetwork()(torch.zeros(2, 4, 41)).shape
    torch.Size([2, 1])
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = Convolution(4, 32, 11)
        self.block = DilatedResidual(32, (1, 2, 4))
        self.pool = nn.AvgPool1d(4)
        self.dense = nn.Linear(32 * (LENGTH // 4), 64)
        self.last = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each one-hot sequence."""
        _check_length(x)
        features = self.pool(self.block(self.first(x).relu()))
        answer: Tensor = self.last(self.dense(features.flatten(1)).relu())
        return answer


class ExponentialNetwork(nn.Module):
    """A small convolutional network whose first layer's activation is the exponential.

    Takes one-hot (n, 4, 41), channels A C G T, and returns (n, 1). The exponential keeps background noise out of the
    deeper layers, so that the first filters become whole motifs.

    References
    ----------
    Koo & Ploenzke (2021) Improving representations of genomic sequence motifs in convolutional networks with
    exponential activations. doi:10.1038/s42256-020-00291-x

    Examples
    --------
    >>> import torch
    >>> ExponentialNetwork()(torch.zeros(2, 4, 41)).shape
    torch.Size([2, 1])
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = Convolution(4, 32, 19)
        self.second = Convolution(32, 32, 9)
        self.pool = nn.AvgPool1d(4)
        self.dense = nn.Linear(32 * (LENGTH // 4), 64)
        self.last = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each one-hot sequence."""
        _check_length(x)
        features = self.pool(self.second(self.first(x).exp()).relu())
        answer: Tensor = self.last(self.dense(features.flatten(1)).relu())
        return answer


NETWORKS: dict[str, type[nn.Module]] = {"residual": ResidualNetwork, "exponential": ExponentialNetwork}


def _check_length(x: Tensor) -> None:
    if x.shape[1:] != (4, LENGTH):
        msg = (
            f"the zoo's trained networks take one-hot (n, 4, {LENGTH}), not {tuple(x.shape)}; "
            f"give sequences of {LENGTH} bases"
        )
        raise PredictorError(msg)

"""Published networks whose deposit has weights alone, written layer by layer; tensors
have the names of the deposit, or of its converted file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional

Tensors = Mapping[str, torch.Tensor]
_EPS = 1e-3
"""Of batch normalization in Keras."""


class Exponential(nn.Module):
    """The exponential of each number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return exp(x)."""
        return torch.exp(x)


def explainn(state: Tensors) -> nn.Module:
    """Return ExplaiNN of the published names of its tensors, or those of a converted
    file: units of one filter, an exponential, max pooling and two dense layers each,
    which are added up linearly.
    """
    layers = ("scan", "scan_bn", "hidden", "hidden_bn", "unit", "unit_bn", "final")
    places = dict(zip(layers, (0, 1, 6, 7, 9, 10, 13), strict=True))
    published = (f"linears.{k}" for k in (0, 1, 6, 7, 10, 11))
    places |= dict(zip(published, places.values(), strict=False))
    named = {}
    for name, values in state.items():
        layer, _, kind = name.rpartition(".")
        named[f"{places[layer]}.{kind}"] = values
    units, _, width = named["0.weight"].shape
    hidden, pooled, _ = named["6.weight"].shape
    pool = 7
    network = nn.Sequential(
        nn.Conv1d(4, units, width),
        nn.BatchNorm1d(units),
        Exponential(),
        nn.MaxPool1d(pool),
        nn.Flatten(),
        nn.Unflatten(1, (units * pooled, 1)),
        nn.Conv1d(units * pooled, hidden, 1, groups=units),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Conv1d(hidden, units, 1, groups=units),
        nn.BatchNorm1d(units),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(units, len(named["13.bias"])),
    )
    network.load_state_dict(named)
    return network.eval()


def _norms(width: int, n: int, eps: float = _EPS) -> nn.ModuleList:
    return nn.ModuleList(nn.BatchNorm1d(width, eps=eps) for _ in range(n))


class DeepSTARR(nn.Module):
    """Four convolutions, each normalized, rectified and pooled; two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        body, dense = list[nn.Module](), list[nn.Module]([nn.Flatten()])
        shapes = ((4, 256, 7), (256, 60, 3), (60, 60, 5), (60, 120, 3))
        for n_in, n_out, width in shapes:
            body += [
                nn.Conv1d(n_in, n_out, width, padding=width // 2),
                nn.BatchNorm1d(n_out, eps=_EPS),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        for n_in in (120 * 15, 256):
            dense += [
                nn.Linear(n_in, 256),
                nn.BatchNorm1d(256, eps=_EPS),
                nn.ReLU(),
                nn.Dropout(0.4),
            ]
        self.body, self.dense = nn.Sequential(*body), nn.Sequential(*dense)
        self.heads = nn.Linear(256, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 2)."""
        out: torch.Tensor = self.heads(self.dense(self.body(x)))
        return out


class DeepSTARRFlex(nn.Module):
    """Four convolutions and one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((4, 128, 7), (128, 60, 3), (60, 60, 3), (60, 30, 7))
        self.convs = nn.ModuleList(
            nn.Conv1d(n_in, n_out, width, padding=width // 2)
            for n_in, n_out, width in shapes
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(n_out, eps=_EPS) for _, n_out, _ in shapes
        )
        self.dense, self.dense_bn = nn.Linear(450, 256), nn.BatchNorm1d(256, eps=_EPS)
        self.heads = nn.Linear(256, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 2)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = functional.max_pool1d(norm(conv(x)).relu(), 2)
        out: torch.Tensor = self.heads(self.dense_bn(self.dense(x.flatten(1))).relu())
        return out


class MpraDragoNN(nn.Module):
    """Three convolutions, and a dense layer on every place of the last."""

    def __init__(self) -> None:
        super().__init__()
        body = list[nn.Module]()
        for n_in in (4, 120, 120):
            body += [
                nn.Conv1d(n_in, 120, 5),
                nn.ReLU(),
                nn.BatchNorm1d(120, eps=_EPS),
            ]
        self.body, self.heads = nn.Sequential(*body), nn.Linear(120 * 133, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 12)."""
        out: torch.Tensor = self.heads(self.body(x).flatten(1))
        return out


class Gabpa(nn.Module):
    """Three convolutions and one dense layer; the logit, without its sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        body = list[nn.Module]()
        for n_in, n_out, width in ((4, 32, 15), (32, 64, 5), (64, 96, 5)):
            body += [
                nn.Conv1d(n_in, n_out, width, padding=width // 2),
                nn.ReLU(),
                nn.Dropout(0.1),
                nn.MaxPool1d(4),
            ]
        self.body = nn.Sequential(*body)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(96 * 3, 128), nn.ReLU())
        self.head = nn.Linear(128, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 1)."""
        out: torch.Tensor = self.head(self.dense(self.body(x)))
        return out


class DragoNN(nn.Module):
    """One to three convolutions, a maximum over stretches of places, a dense layer."""

    def __init__(self, state: Tensors, pool: int) -> None:
        super().__init__()
        filters, _, width = state["convs.0.weight"].shape
        n = sum(name.startswith("convs.") for name in state) // 2
        self.convs = nn.ModuleList(
            nn.Conv1d(4 if k == 0 else filters, filters, width) for k in range(n)
        )
        self.pool = nn.MaxPool1d(pool)
        n_out, n_in = state["dense.weight"].shape
        self.dense = nn.Linear(n_in, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tasks)."""
        for conv in self.convs:
            x = conv(x).relu()
        out: torch.Tensor = self.dense(self.pool(x).flatten(1))
        return out


class Framepool(nn.Module):
    """Three convolutions; the maximum and the mean of each reading frame, counted back
    from the last base, or (one frame) of all places; a dense layer.
    """

    def __init__(self, n_frames: int) -> None:
        super().__init__()
        self.n_frames = n_frames
        self.conv = nn.ModuleList(
            nn.Conv1d(n_in, 128, 7, padding=3) for n_in in (4, 128, 128)
        )
        self.dense, self.load_ = nn.Linear(256 * n_frames, 64), nn.Linear(64, 1)
        slope_and_offset = torch.tensor([1.0, 0.0])
        self.register_buffer("scaling", slope_and_offset, persistent=n_frames > 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 1)."""
        h = self.conv[0](x).relu()
        for conv in list(self.conv)[1:]:
            h = conv(h).relu() + h
        back = h.flip(2)
        frames = [back[:, :, k :: self.n_frames] for k in range(self.n_frames)]
        pooled = [x.amax(2) for x in frames] + [x.mean(2) for x in frames]
        load = self.load_(self.dense(torch.cat(pooled, 1)).relu())
        scaling = self.get_buffer("scaling")
        out: torch.Tensor = load * scaling[0] + scaling[1]
        return out


class Protein(nn.Module):
    """Two convolutions over letters and structures, (n, 16, 200); two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ModuleList(nn.Conv1d(n_in, 30, 8) for n_in in (16, 30))
        self.dense = nn.ModuleList([nn.Linear(44 * 30, 100), nn.Linear(100, 2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log odds of a site, (n,)."""
        for conv in self.conv:
            x = functional.max_pool1d(conv(x).relu(), 2)
        hidden = self.dense[0](x.transpose(1, 2).flatten(1)).relu()
        site, other = self.dense[1](hidden).unbind(1)
        odds: torch.Tensor = site - other
        return odds


class Pysster(nn.Module):
    """A network a protein, of RNA whose structure is unknown: a quarter of each."""

    def __init__(self, proteins: Sequence[str]) -> None:
        super().__init__()
        self.protein = nn.ModuleDict({name: Protein() for name in proteins})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, proteins)."""
        x = x.repeat_interleave(4, 1) / 4
        return torch.stack([one(x) for one in self.protein.values()], 1)


class _Dilated(nn.Module):
    """Normalize, rectify, convolve, twice; added to what came in."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.norm = _norms(32, 2)
        self.conv = nn.ModuleList(
            nn.Conv1d(32, 32, 3, padding=dilation, dilation=dilation) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x
        for norm, conv in zip(self.norm, self.conv, strict=True):
            h = conv(norm(h).relu())
        return x + h


class Aparent2(nn.Module):
    """Log odds of a cut 7 to 56 bases after base 70, and anywhere, against the distal
    site: 28 dilated blocks in seven groups.
    """

    def __init__(self) -> None:
        super().__init__()
        dilations = (1, 2, 4, 8, 4, 2, 1)
        self.first = nn.Conv1d(4, 32, 1)
        self.groups = nn.ModuleList(
            nn.Sequential(*(_Dilated(one) for _ in range(4))) for one in dilations
        )
        self.skips = nn.ModuleList(nn.Conv1d(32, 32, 1) for _ in dilations)
        self.last, self.final = nn.Conv1d(32, 32, 1), nn.Conv1d(32, 1, 1)
        self.register_buffer("library", torch.zeros(206))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 2)."""
        h = self.first(x)
        total = torch.zeros_like(h)
        for group, skip in zip(self.groups, self.skips, strict=True):
            total = total + skip(h)
            h = group(h)
        cuts = self.final(self.last(h) + total)[:, 0]
        logits = torch.cat([cuts, cuts.new_zeros(len(cuts), 1)], 1)
        logits = logits + self.get_buffer("library")
        odds = []
        for start, stop in ((77, 127), (0, 205)):
            outside = torch.cat([logits[:, :start], logits[:, stop:]], 1)
            inside = logits[:, start:stop].logsumexp(1)
            odds.append(inside - outside.logsumexp(1))
        return torch.stack(odds, 1)


class _MotifMean(nn.Module):
    """The mean over places of rectified scores of motifs, a weight each."""

    def __init__(self, n: int, width: int, norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, n, width, padding=width // 2)
        self.norm = nn.BatchNorm1d(n, eps=_EPS) if norm else nn.Identity()
        self.dense = nn.Linear(n, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.dense(self.norm(self.conv(x)).relu().mean(2))
        return out


class _Acceptor(nn.Module):
    """50 bases of intron and 3 of exon: log odds of an acceptor."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ModuleList(
            [nn.Conv1d(4, 32, 15, padding=7), nn.Conv1d(32, 32, 1)]
        )
        self.norm, self.dense = _norms(32, 2), nn.Linear(53 * 32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, norm in zip(self.conv, self.norm, strict=True):
            x = norm(conv(x).relu())
        out: torch.Tensor = self.dense(x.transpose(1, 2).flatten(1))
        return out


class MMSplice(nn.Module):
    """Five modules, each of its own part of an exon with 100 bases on each side."""

    def __init__(self) -> None:
        super().__init__()
        self.acceptor_intron = _MotifMean(256, 13, norm=False)
        self.donor_intron = _MotifMean(256, 13, norm=False)
        self.acceptor, self.exon = _Acceptor(), _MotifMean(128, 11, norm=True)
        donor = list[nn.Module]([nn.Flatten()])
        for n_in, n_out in ((72, 128), (128, 64)):
            donor += [
                nn.Linear(n_in, n_out),
                nn.BatchNorm1d(n_out, eps=_EPS),
                nn.ReLU(),
            ]
        self.donor = nn.Sequential(*donor, nn.Linear(64, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 5)."""
        first, last = 100, x.shape[2] - 100
        parts = [
            self.acceptor_intron(x[:, :, : first - 6]),
            self.acceptor(x[:, :, first - 50 : first + 3]),
            self.exon(x[:, :, first:last]),
            self.donor(x[:, :, last - 5 : last + 13].transpose(1, 2)),
            self.donor_intron(x[:, :, last + 6 :]),
        ]
        return torch.cat(parts, 1)


class _Side(nn.Module):
    """A scan, eight dilated layers, and a smooth weight for each place and channel."""

    def __init__(self) -> None:
        super().__init__()
        dilations = [2**k for k in range(1, 9)]
        self.scan, self.norms = nn.Conv1d(4, 64, 11, padding=5), _norms(64, 8)
        self.convs = nn.ModuleList(
            nn.Conv1d(64, 64, 3, padding=one, dilation=one) for one in dilations
        )
        self.register_buffer("position_weight", torch.ones(64, 400))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.scan(x).relu()
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = h + conv(norm(h)).relu()
        out: torch.Tensor = h * self.get_buffer("position_weight")
        return out


class MTSplice(nn.Module):
    """The two ends of an exon with 300 bases of intron each, and 56 tissues."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = _Side(), _Side()
        self.dense = nn.Sequential(
            nn.BatchNorm1d(64, eps=_EPS),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.BatchNorm1d(32, eps=_EPS),
            nn.Linear(32, 56),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 56)."""
        sides = [self.left(x[:, :, :400]), self.right(x[:, :, -400:])]
        out: torch.Tensor = self.dense(torch.cat(sides, 2).mean(2))
        return out


class _Residual(nn.Module):
    """Normalize, rectify, convolve, twice; added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        body = list[nn.Module]()
        for _ in range(2):
            body += [
                nn.BatchNorm1d(32),
                nn.LeakyReLU(0.1),
                nn.Conv1d(32, 32, 11, padding=5),
            ]
        self.body = nn.Sequential(*body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.body(x)
        return out


class OpenSpliceAI(nn.Module):
    """Log odds that a base ends an exon (donor) or begins one (acceptor), each against
    all else, of every base but 40 at each end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 32, 1)
        self.blocks = nn.Sequential(*(_Residual() for _ in range(4)))
        self.skip_before, self.skip_after = (nn.Conv1d(32, 32, 1) for _ in range(2))
        self.last = nn.Conv1d(32, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 2, length - 80)."""
        h = self.first(x)
        kept = self.skip_before(h) + self.skip_after(self.blocks(h))
        none, acceptor, donor = self.last(kept[:, :, 40:-40]).unbind(1)
        return torch.stack(
            [
                donor - torch.logaddexp(none, acceptor),
                acceptor - torch.logaddexp(none, donor),
            ],
            1,
        )


class Xpresso(nn.Module):
    """Two widely pooled convolutions and three dense layers; six features of the
    stability of an mRNA, which the network takes besides, are 0, their mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ModuleList(
            [nn.Conv1d(4, 128, 6), nn.Conv1d(128, 32, 9, padding=4)]
        )
        self.dense = nn.ModuleList(
            [nn.Linear(35 * 32 + 6, 64), nn.Linear(64, 2), nn.Linear(2, 1)]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 1)."""
        h = functional.max_pool1d(self.conv[0](functional.pad(x, (2, 3))).relu(), 30)
        h = functional.max_pool1d(self.conv[1](h).relu(), 10)
        h = h.transpose(1, 2).flatten(1)
        h = torch.cat([h, h.new_zeros(len(h), 6)], 1)
        first, second, third = self.dense
        out: torch.Tensor = third(second(first(h).relu()).relu())
        return out


_CONVERTED: dict[str, Callable[[], nn.Module]] = {
    "aparent2": Aparent2,
    "deepstarr": DeepSTARR,
    "deepstarr_flex": DeepSTARRFlex,
    "framepool": partial(Framepool, 3),
    "framepool_nonframe": partial(Framepool, 1),
    "gabpa_chip": Gabpa,
    "mmsplice": MMSplice,
    "mpra_dragonn": MpraDragoNN,
    "mtsplice": MTSplice,
    "openspliceai": OpenSpliceAI,
    "pysster_rbp": partial(Pysster, ("PUM2", "QKI", "NOVA", "SRSF1", "IGF2BP123")),
    "xpresso": Xpresso,
}
"""Networks of converted files, by architecture; tensors and layers have the same names."""


def converted(
    architecture: str, state: Tensors, settings: Mapping[str, str]
) -> nn.Module:
    """Return the network of a converted file, of what it says of itself."""
    if architecture == "explainn":
        return explainn(state)
    if architecture == "dragonn":
        network: nn.Module = DragoNN(state, pool=json.loads(settings["pool"]))
    else:
        network = _CONVERTED[architecture]()
    network.load_state_dict(dict(state))
    return network.eval()

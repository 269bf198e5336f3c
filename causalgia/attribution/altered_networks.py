"""Networks without some channels of a layer (`Nullified`), and with shuffled parameters
(`randomized`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
import xarray as xr
from torch import nn

from causalgia.attribution.layers import (
    Side,
    activations,
    as_layer,
    channel_axis,
    check_met,
    met_at,
    same_options,
)
from causalgia.attribution.map_scores import as_explained, as_torch_predictor
from causalgia.checks import as_count, is_not_among, is_whole
from causalgia.errors import PredictorError, quoted
from causalgia.predict import Ensemble, Predictor
from causalgia.predict.fingerprint import digest, fingerprint_of
from causalgia.predict.torch_device import copied_network, lock_of
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.sequences.fasta import Source
from causalgia.sequences.random import random_words
from causalgia.streams import RNG, derive, root_key

Ablation: TypeAlias = Literal["zero", "mean", "resample"]
_PRIME = 2**31 - 1


class Nullified(TorchPredictor):
    """A predictor without some channels of a layer: an intervention on the network,
    whose effect a contrast estimates.

    ``cg.Ensemble({"intact": predictor, "without 3": Nullified(predictor, "conv1",
    [3])}, differ_by="architectures")`` runs both on the same units, and
    ``cg.contrast_models(outcomes, control="intact")`` compares them. The network
    is shared with the predictor and as before after every call.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor`.
    layer
        Name of a layer, as in ``predictor.module.named_modules()``.
    channels
        A channel, or a set of channels that are nulled together, by number or name.
    names
        Names of the channels, one for each in their order, as of the units of a
        transparent network by the motifs of their filters. A name may belong to several
        channels, which it then nulls together, and "" to none.
    ablation
        What takes their place: ``"zero"``; ``"mean"``, the mean of each channel over
        `sequences` and places; ``"resample"``, what the channel answers to another
        sequence, one of `sequences`, always the same for the same input. Zero may be
        far from anything that the network meets.
    sequences
        For ``"mean"`` and ``"resample"``: sequences as for ``cg.Genomic(of=...)``, or a
        Dataset from ``null.sample``.
    side
        ``"output"`` of the layer, or its ``"input"``: an activation that is no module,
        as in ``conv(x).exp()``, is the input of the layer that follows.

    Raises
    ------
    PredictorError
        If there is no such layer (which lists those that exist) or channel, the layer
        takes no part in the forward pass, or several without weights of its own (an
        activation between different layers), the numbers of names and channels differ,
        or `sequences` are missing, or of another length than those that are resampled.
        What only a pass shows is said at the first one.
    PredictorError
        If the predictor has no layers.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.zoo.load("rbfox1_like", architecture="exponential")
    >>> without = Nullified(predictor, "first.0", 20)
    >>> site = cg.sequences.encode("A" * 17 + "UGCAUG" + "A" * 18)
    >>> bool(predictor.predict(site)[0, 0] - without.predict(site)[0, 0] > 3)
    True
    """

    def __init__(
        self,
        predictor: Predictor,
        layer: str,
        channels: int | str | Sequence[int | str],
        *,
        names: Sequence[str] | None = None,
        ablation: Ablation = "zero",
        sequences: Source | xr.Dataset | None = None,
        side: Side = "output",
    ) -> None:
        whole = as_torch_predictor(predictor, "Nullified")
        part = as_layer(whole.module, layer, side)
        if ablation not in get_args(Ablation):
            raise PredictorError(
                f"ablation={quoted(ablation)} is none of 'zero', 'mean' and 'resample'"
            )
        if (ablation == "zero") != (sequences is None):
            raise PredictorError(
                f"ablation={quoted(ablation)}: sequences= are for 'mean' and "
                "'resample', and only these need them"
            )
        end = "out" if side == "output" else "in"
        found = [
            vars(part).get(name)
            for name in (f"{end}_channels", f"{end}_features", "num_features")
        ]
        n_channels = next((n for n in found if isinstance(n, int)), None)
        nulled = _as_channels(
            channels
            if names is None
            else _by_number(channels, names, n_channels, layer)
        )
        _check_channels(nulled, n_channels, layer)
        values = (
            None
            if ablation == "zero"
            else _replacements(
                whole, layer, side, nulled, sequences, mean=ablation == "mean"
            )
        )
        self.layer, self.channels, self.ablation, self.side = (
            layer,
            nulled,
            ablation,
            side,
        )
        self._whole = whole
        self._nulls = (
            layer,
            nulled,
            ablation,
            side,
            *(() if values is None else (fingerprint_of(values.numpy()),)),
        )
        super().__init__(
            _WithoutChannels(
                whole.module,
                layer,
                nulled,
                side,
                values,
                whole.layout,
                None if names is None else len(names),
            ),
            **same_options(whole),
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the predictor's fingerprint, the layer, the channels and what takes
        their place.
        """
        return digest("nullified", self._whole.fingerprint, *self._nulls)

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Those of the predictor, and a digest of what is nulled."""
        return self._whole.fingerprint_parts | {"nullified": digest(*self._nulls)}

    def _what(self) -> str:
        return (
            f"{self._whole._what()} without {', '.join(map(str, self.channels))} of "
            f"{self.layer}"
        )


def _by_number(channels: Any, names: Any, n: int | None, layer: str) -> Any:
    """Return channels with the numbers of all channels that have a name in its
    place.
    """
    known = (
        [str(name) for name in np.asarray(names).tolist()]
        if np.ndim(names) == 1
        else []
    )
    if not known:
        raise PredictorError(
            f'names={quoted(names)} is not a list with a name for each channel, "" '
            "for none"
        )
    _check_names(len(known), n, layer)
    found: list[Any] = []
    for channel in _listed(channels):
        if not isinstance(channel, str):
            found.append(channel)
            continue
        numbers = [
            number for number, name in enumerate(known) if name == channel and name
        ]
        if not numbers:
            raise PredictorError(
                f"channels={quoted(channel)} "
                f"{is_not_among(channel, sorted({*known} - {''}), 'channel')}"
            )
        found += numbers
    return found


def _check_names(n_names: int | None, n: int | None, layer: str) -> None:
    if n_names is not None and n is not None and n_names != n:
        raise PredictorError(
            f"names={n_names} names, and {quoted(layer)} has {n} channels"
        )


def _listed(channels: Any) -> list[Any]:
    return (
        list(channels)
        if isinstance(channels, list | tuple | range | np.ndarray)
        else [channels]
    )


def _as_channels(channels: Any) -> tuple[int, ...]:
    given = _listed(channels)
    if any(isinstance(c, str) for c in given):
        raise PredictorError(
            f"channels={quoted(channels)} is a name, and names= are not given"
        )
    wrong = [c for c in given if not is_whole(c) or c < 0]
    if wrong or not given or len(set(given)) < len(given):
        raise PredictorError(
            f"channels={quoted(channels)}: one channel, 0 or more, or a list of "
            "different ones"
        )
    return tuple(sorted(int(c) for c in given))


def _check_channels(channels: tuple[int, ...], n: int | None, layer: str) -> None:
    if n is not None and channels[-1] >= n:
        raise PredictorError(
            f"layer {quoted(layer)} has no channel {channels[-1]}; it has 0 to {n - 1}"
        )


def _replacements(
    predictor: TorchPredictor,
    layer: str,
    side: Side,
    channels: tuple[int, ...],
    sequences: Any,
    *,
    mean: bool,
) -> torch.Tensor:
    """Return the mean of each channel, (channels,), or their answers to each sequence,
    (n, channels, places).
    """
    parts = []
    for block in activations(predictor, layer, side, as_explained(sequences).tokens):
        _check_channels(channels, block.shape[1], layer)
        parts.append(block[:, list(channels)])
    answers = np.concatenate(parts)
    return torch.from_numpy(answers.mean((0, 2)) if mean else answers).to(
        predictor.dtype
    )


class _WithoutChannels(nn.Module):
    """A network with other values in some channels of a layer; the hook is on it during
    a call alone.
    """

    def __init__(
        self,
        network: nn.Module,
        layer: str,
        channels: tuple[int, ...],
        side: Side,
        values: torch.Tensor | None,
        layout: str,
        n_names: int | None,
    ) -> None:
        super().__init__()
        self.n_names = n_names
        self.network, self.layer, self.channels, self.side, self.layout = (
            network,
            layer,
            channels,
            side,
            layout,
        )
        self.register_buffer("values", values)

    def forward(self, x: torch.Tensor) -> Any:
        """Return what the network answers without the channels."""
        part = self.network.get_submodule(self.layer)
        n_calls = 0

        def change(met: torch.Tensor) -> torch.Tensor:
            nonlocal n_calls
            n_calls += 1
            axis = channel_axis(part, met)
            _check_channels(self.channels, met.shape[axis], self.layer)
            _check_names(self.n_names, met.shape[axis], self.layer)
            made = met.clone()
            by_channel = made.movedim(axis, 1)
            by_channel[:, list(self.channels)] = self._values(by_channel, x)
            return made

        with met_at(part, self.side, change):
            answer = self.network(x)
        check_met(
            n_calls if next(part.parameters(), None) is None else min(n_calls, 1),
            self.layer,
        )
        return answer

    def _values(self, by_channel: torch.Tensor, x: torch.Tensor) -> Any:
        values = self.values
        if not isinstance(values, torch.Tensor):
            return 0.0
        if values.ndim == 1:
            return values.to(by_channel).reshape(1, -1, *[1] * (by_channel.ndim - 2))
        shape = (len(x), len(self.channels), *by_channel.shape[2:])
        if by_channel[0, 0].numel() != values.shape[2]:
            raise PredictorError(
                f"ablation='resample': layer {quoted(self.layer)} answers at "
                f"{by_channel[0, 0].numel()} places, and to sequences= at "
                f"{values.shape[2]}"
            )
        tokens = x.argmax(1 if self.layout == "NCL" else 2)
        weights = [pow(48_271, i + 1, _PRIME) for i in range(tokens.shape[1])]
        key = (
            (tokens * torch.tensor(weights, device=tokens.device)).sum(1)
            % _PRIME
            * 48_271
            % _PRIME
        )
        return values[key % len(values)].to(by_channel).reshape(shape)


def randomized(predictor: Predictor, *, n_draws: int = 5, rng: RNG) -> Ensemble:
    """Return a predictor and copies with shuffled parameters, as an ensemble: its
    predictions without training.

    An effect that the copies also show comes from the architecture, the read-out or the
    backgrounds, not from training.
    ``cg.contrast_models(cg.run(design, randomized(predictor, rng=0)), control="intact")``
    compares each copy with the network on
    the same units; with ``contrasts=``, effects are compared in place of outcomes.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor`, which stays as it is; each copy takes as much memory.
    n_draws
        Copies, each shuffled by itself. Effects of one copy are those of one random
        network, so that what holds of random networks takes several.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the shuffles. Copy k is the
        same whatever `n_draws`.

    Returns
    -------
    Ensemble
        Of ``"intact"``, the predictor, and ``"randomized 1"``, ``"randomized 2"``, ...,
        each with the predictor's options and a fingerprint of its own.

    Raises
    ------
    PredictorError
        If the network has no parameters, or none that a shuffle changes.
    PredictorError
        If the predictor has no layers, or its network cannot be copied.

    Notes
    -----
    The values of each parameter tensor are permuted, all permutations being equally
    likely, so that a copy has the same values, tensor by tensor, in other places. A
    tensor that several layers share remains shared. Adebayo et al. draw parameters anew
    from the law of the initialization, which a trained network does not tell; a
    permutation keeps the scale that training gave. Buffers are not shuffled: running
    means and variances of batch normalization stay those of the network. They fit its
    activations and not those of the copies, whose answers may be far from the scale of
    the network's.

    References
    ----------
    Adebayo et al. (2018), arXiv:1810.03292 (doi:10.48550/arXiv.1810.03292).

    Examples
    --------
    >>> import causalgia as cg
    >>> both = randomized(cg.zoo.load("rbfox1_like", member=0), n_draws=2, rng=0)
    >>> both.models
    ('intact', 'randomized 1', 'randomized 2')
    >>> arms = {"untreated": cg.Untreated(), "UGCAUG": cg.Embed("UGCAUG", at=17)}
    >>> outcomes = cg.run(
    ...     cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=50), both, rng=0
    ... )
    >>> effects = cg.estimate(cg.contrast(outcomes, contrasts="UGCAUG - untreated"))
    >>> bool(
    ...     effects["ace"].sel(model="intact").item()
    ...     > 3 * abs(effects["ace"].isel(model=[1, 2])).max()
    ... )
    True
    """
    whole = as_torch_predictor(predictor, "randomized")
    n_draws, key = as_count(n_draws, "n_draws"), root_key(rng)
    parameters = list(whole.module.parameters())
    if all(
        one.numel() < 2 or bool((one == one.flatten()[0]).all()) for one in parameters
    ):
        raise PredictorError(
            f"{type(whole.module).__name__} has no parameter of two different values "
            "to shuffle"
        )
    members: dict[str, Predictor] = {"intact": whole}
    for draw in range(1, n_draws + 1):
        options = same_options(whole)
        if whole._given is not None:
            options["fingerprint"] = (
                f"{whole._given}, parameters shuffled by {key:016x}, {draw}"
            )
        members[f"randomized {draw}"] = TorchPredictor(
            _shuffled(whole.module, derive(key, "randomized", draw)),
            **options,
            incremental=whole.incremental,
        )
    return Ensemble(members, differ_by="architectures")


def _shuffled(network: nn.Module, key: int) -> nn.Module:
    """Return a copy of a network with the values of each parameter tensor in random
    order.
    """
    with lock_of(network):
        made = copied_network(network)
    with torch.no_grad():
        for (
            name,
            parameter,
        ) in made.named_parameters():  # each once, also where layers share it
            words = random_words(derive(key, name), [0], parameter.numel())[0]
            order = torch.from_numpy(np.argsort(words, kind="stable")).to(
                parameter.device
            )
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return made

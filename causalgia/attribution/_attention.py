"""`attention`: the attention weights of a layer, as proposals of pairs of positions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.baselines import as_explained
from causalgia.errors import AttributionError, quoted
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from causalgia.predict import TorchPredictor
    from causalgia.types import Tokens


def attention(predictor: Predictor, layer: str, sequences: Source | xr.Dataset) -> xr.Dataset:
    """Return the attention weights of a layer for each sequence, averaged over its heads.

    Places that attend to each other propose pairs of positions: give their bases to
    `causalgia.attribution.interactions` (``pairs=``), and test what interacts on fresh units by
    `causalgia.experiments.site_pairs`. A weight says what is mixed, not what it does to the answer; it has no p-value.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor` with ``nn.MultiheadAttention``, as each ``nn.TransformerEncoderLayer`` has.
    layer
        Name of that module, such as ``"encoder.layers.0.self_attn"``.
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from ``null.sample``.

    Returns
    -------
    Dataset
        ``attention (unit, query, key)``, which sums to 1 over keys, with coordinates ``query_base`` and ``key_base``,
        the base in the middle of what a place reads, found by substitutions at the input of the first attention. A
        place that is no part of the sequence, such as a class token before it, has a base outside of the sequence.

    Raises
    ------
    AttributionError
        If the layer has no attention weights (which lists those that have), attends from one sequence to another, is
        not called once, its places read the whole sequence, or are not those of the first attention.
    PredictorError
        If the predictor has no layers.

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762. Jain and Wallace (2019), doi:10.18653/v1/N19-1357: attention weights and
    effects need not agree.

    Examples
    --------
    >>> import causalgia as cg, torch
    >>> class Attends(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scan = torch.nn.Conv1d(4, 8, 5, padding=2)
    ...         self.attends = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ...     def forward(self, x):
    ...         h = self.scan(x).transpose(1, 2)
    ...         return self.attends(h, h, h, need_weights=False)[0].mean((1, 2))[:, None]
    >>> predictor = cg.TorchPredictor(Attends(), tasks=["answer"])
    >>> found = attention(predictor, "attends", cg.Uniform(length=20).sample(3, rng=0))
    >>> dict(found.sizes), found["key_base"].values[:3]
    ({'unit': 3, 'query': 20, 'key': 20}, array([0, 1, 2]))
    """
    import xarray as xr

    from causalgia.attribution.layers import as_layer, as_torch_predictor, receptive_field

    network = as_torch_predictor(predictor, "attention")
    of = as_explained(sequences)
    part, known = as_layer(network.module, layer, "output"), _with_attention(network.module)
    if layer not in known:
        has = f"the network's are {', '.join(map(quoted, known))}" if known else "the network has none"
        raise AttributionError(
            f"layer {quoted(layer)} is a {type(part).__name__}, which has no attention weights; nn.MultiheadAttention "
            f"has, and {has}"
        )
    network.predict(of.tokens[:1])  # the network's own errors come with their cures
    first = _first_called(network, known, of.tokens[:1])
    weights = np.concatenate(list(_weights(network, layer, known[layer], of.tokens)))
    n_places = weights.shape[2]
    if weights.shape[1] != n_places:
        raise AttributionError(
            f"layer {quoted(layer)} attends from {weights.shape[1]} places to {n_places} others; take a layer whose "
            "queries and keys are the same places"
        )
    n_first = n_places if first == layer else next(_weights(network, first, known[first], of.tokens[:1])).shape[2]
    if n_first != n_places:
        raise AttributionError(
            f"layer {quoted(layer)} has {n_places} places and the first attention, {quoted(first)}, {n_first}, so that "
            f"theirs are unknown in the sequence; take {quoted(first)}"
        )
    try:
        start, step, width = receptive_field(network, first, "input", of.length)
    except AttributionError as error:
        raise AttributionError(
            f"the attention weights of {quoted(layer)} are of no positions of the sequence: "
            f"{str(error).partition('; take')[0]}; propose pairs by cg.attribution.interactions alone"
        ) from error
    bases = start + step * np.arange(n_places) + (width - 1) // 2
    found = xr.Dataset({"attention": (("unit", "query", "key"), weights)})
    found = found.assign_coords(
        unit=np.arange(len(of)), parent=("unit", np.asarray(of.names)), query=np.arange(n_places),
        key=np.arange(n_places), query_base=("query", bases), key_base=("key", bases),
    )  # fmt: skip
    attrs = {"layer": layer, "predictor": network.fingerprint, "sequences": of.digest}
    return validate(annotate(found.assign_attrs(attrs)), "attention")


def _with_attention(network: nn.Module) -> dict[str, nn.MultiheadAttention]:
    from torch import nn

    return {name: part for name, part in network.named_modules() if isinstance(part, nn.MultiheadAttention)}


def _first_called(predictor: TorchPredictor, known: dict[str, nn.MultiheadAttention], tokens: Tokens) -> str:
    """Return the name of the attention that is called first in a forward pass."""
    from causalgia.attribution.layers import call_network

    called: list[str] = []
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: called.append(name)) for name, part in known.items()]
    try:
        call_network(predictor, tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return called[0] if called else next(iter(known))


def _weights(
    predictor: TorchPredictor, layer: str, part: nn.MultiheadAttention, tokens: Tokens
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield attention weights of tokens (n, length), batch by batch: (b, queries, keys), the mean over heads."""
    from causalgia.attribution.layers import call_network, check_met

    met: list[Any] = []
    names = list(inspect.signature(part.forward).parameters)

    def ask(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = dict(zip(names, args, strict=False)) | options
        return (), given | {"need_weights": True, "average_attn_weights": True}

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        met.append(output[1].detach())

    size = predictor.resolve_batch_size(tokens.shape[1])
    hooks = [part.register_forward_pre_hook(ask, with_kwargs=True), part.register_forward_hook(keep)]
    try:
        for begin in range(0, len(tokens), size):
            met.clear()
            call_network(predictor, tokens[begin : begin + size])
            check_met(len(met), layer)
            yield met[0].float().cpu().numpy()
    finally:
        for hook in hooks:
            hook.remove()

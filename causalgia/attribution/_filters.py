"""`filters`: what the channels of a layer respond to, as position frequency matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.baselines import as_explained
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.alphabet import BASES
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr


def filters(
    predictor: Predictor,
    layer: str,
    sequences: Source | xr.Dataset,
    *,
    at: Literal["output", "input"] = "output",
    activation: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> xr.Dataset:
    """Return what each channel of a layer responds to: base frequencies over the sites that excite it.

    A site of a channel is a window where its activation exceeds half of its maximum over all sequences. A filter that
    looks like a motif proposes; what the network does with it, a contrast with `Nullified` tells.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor`.
    layer
        Name of a layer, as in ``predictor.module.named_modules()``.
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from ``null.sample``.
    at
        ``"output"`` of the layer, or its ``"input"``: an activation that is no module, as in ``conv(x).exp()``, is the
        input of the layer that follows.
    activation
        Applied to what the layer answers, such as ``np.exp``, where no layer has the activation: half of a maximum
        means little before it.

    Returns
    -------
    Dataset
        ``frequency (channel, motif_position, base)``, ``information (channel, motif_position)`` in bits, ``n_sites
        (channel)`` and ``maximum (channel)`` of the activation. The width is that of the receptive field, found by
        substitutions; sites that leave the sequence are not counted. A channel that is never above 0 has no site, and
        frequencies of .25. Few sites look informative by chance alone: n of them have about ``2.16 / n`` bits at each
        position.

    Raises
    ------
    AttributionError
        If there is no such layer (which lists those that exist), it takes no part in the forward pass, or several
        times, or its places read the whole sequence.
    PredictorError
        If the predictor has no layers.

    References
    ----------
    Koo and Ploenzke (2021), doi:10.1038/s42256-020-00291-x: filters as motifs, half of the maximum.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.zoo.load("rbfox1_like", network="exponential")
    >>> sample = cg.Uniform(length=41).sample(500, rng=0)
    >>> found = filters(predictor, "second", sample, at="input")
    >>> dict(found.sizes)
    {'channel': 32, 'motif_position': 19, 'base': 4}
    """
    from causalgia.attribution.filter_sites import base_counts, filter_sites
    from causalgia.attribution.layers import as_torch_predictor

    network = as_torch_predictor(predictor, "filters")
    of = as_explained(sequences)
    sites = filter_sites(network, layer, of, at, activation)
    attrs = {"layer": layer, "at": at, "predictor": network.fingerprint, "sequences": of.digest}
    return _filters_dataset(base_counts(of.tokens, sites), sites.maximum, attrs)


def _filters_dataset(counts: NDArray[np.int64], maximum: NDArray[np.float64], attrs: dict[str, Any]) -> xr.Dataset:
    import xarray as xr

    n_sites = counts[:, 0].sum(-1)
    frequency = np.where(n_sites[:, None, None] > 0, counts / np.maximum(n_sites, 1)[:, None, None], 0.25)
    logs = np.log2(frequency, where=frequency > 0, out=np.zeros_like(frequency))
    variables = {
        "frequency": (("channel", "motif_position", "base"), frequency),
        "information": (("channel", "motif_position"), 2 + (frequency * logs).sum(-1)),
        "n_sites": ("channel", n_sites),
        "maximum": ("channel", maximum),
    }
    coords = {"channel": np.arange(len(counts)), "motif_position": np.arange(counts.shape[1]), "base": list(BASES)}
    return validate(annotate(xr.Dataset(variables, coords, attrs)), "filters")

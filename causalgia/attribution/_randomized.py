"""`randomized`: a network beside copies of it with shuffled parameters."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import nn

from causalgia.attribution.layers import as_torch_predictor, same_options
from causalgia.checks import as_count
from causalgia.errors import AttributionError, PredictorError
from causalgia.predict import Ensemble, Predictor
from causalgia.predict.answer_checks import first_line
from causalgia.predict.torch_device import lock_of
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.sequences.random import random_words
from causalgia.streams import RNG, derive, root_key


def randomized(predictor: Predictor, *, n_draws: int = 5, rng: RNG) -> Ensemble:
    """Return a predictor beside copies whose parameters are shuffled: what it says without what it has learned.

    What a trial finds in the copies as well comes from the architecture, the read-out or the backgrounds, and not from
    training. ``cg.contrast(cg.run(design, randomized(predictor, rng=0)), over="model", control="intact")`` compares
    each copy with the network on the same units; with ``contrasts=``, effects are compared in place of outcomes.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor`, which stays as it is; each copy takes as much memory.
    n_draws
        Copies, each shuffled by itself. Effects of one copy are those of one random network, so that what holds of
        random networks takes several.
    rng
        Seed of the shuffles. Copy k is the same whatever `n_draws`.

    Returns
    -------
    Ensemble
        Of ``"intact"``, the predictor, and ``"randomized 1"``, ``"randomized 2"``, ..., each with the predictor's
        options and a fingerprint of its own.

    Raises
    ------
    AttributionError
        If the network has no parameters, or none that a shuffle changes.
    PredictorError
        If the predictor has no layers, or its network cannot be copied.

    Notes
    -----
    The values of each parameter tensor are permuted, all permutations being equally likely, so that a copy has the
    same values, tensor by tensor, in other places. A tensor that several layers share remains shared. Adebayo et al.
    draw parameters anew from the law of the initialization, which a trained network does not tell; a permutation keeps
    the scale that training gave.
    Buffers are not shuffled: running means and variances of batch normalization stay those of the network. They fit its
    activations and not those of the copies, whose answers may be far from the scale of the network's.

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
    >>> outcomes = cg.run(cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=50), both, rng=0)
    >>> effects = cg.estimate(cg.contrast(outcomes, contrasts="UGCAUG - untreated"))
    >>> bool(effects["ace"].sel(model="intact").item() > 3 * abs(effects["ace"].isel(model=[1, 2])).max())
    True
    """
    whole = as_torch_predictor(predictor, "randomized")
    n_draws, key = as_count(n_draws, "n_draws"), root_key(rng)
    parameters = list(whole.module.parameters())
    if all(one.numel() < 2 or bool((one == one.flatten()[0]).all()) for one in parameters):
        why = (
            "has no parameters to shuffle" if not parameters else "has no parameter of two different values to shuffle"
        )
        raise AttributionError(
            f"{type(whole.module).__name__} {why}; weights are torch.nn.Parameter (a buffer is not shuffled), or "
            "compare with a network of your own: cg.Ensemble({'intact': ..., 'other': ...}, of='architectures')"
        )
    members: dict[str, Predictor] = {"intact": whole}
    for draw in range(1, n_draws + 1):
        options = same_options(whole)
        if whole._given is not None:
            options["fingerprint"] = f"{whole._given}, parameters shuffled by {key:016x}, {draw}"
        members[f"randomized {draw}"] = TorchPredictor(
            _shuffled(whole.module, derive(key, "randomized", draw)),
            **options,
            compile=whole.compile,
            incremental=whole.incremental,
        )
    return Ensemble(members, of="architectures")


def _shuffled(network: nn.Module, key: int) -> nn.Module:
    """Return a copy of a network with the values of each parameter tensor in random order."""
    try:
        with lock_of(network):
            made = deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise PredictorError(
            f"{type(network).__name__} cannot be copied: {first_line(error)}; build it anew and load its weights "
            "(cg.predict.load_weights); weight normalization of torch.nn.utils is copied where it is that of "
            "torch.nn.utils.parametrizations"
        ) from error
    with torch.no_grad():
        for name, parameter in made.named_parameters():  # each once, also where layers share it
            words = random_words(derive(key, name), [0], parameter.numel())[0]
            order = torch.from_numpy(np.argsort(words, kind="stable")).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return made

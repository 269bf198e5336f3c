"""A PyTorch predictor as a differentiable function of one-hot sequences; imported on demand, as it needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch

from causalgia.errors import CausalgiaError, PredictorError
from causalgia.predict.answer_checks import first_line
from causalgia.predict.predictor import Predictor
from causalgia.predict.torch_device import exact_float32, in_eval_mode, without_autocast
from causalgia.predict.torch_predictor import TorchPredictor

Differentiable: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


@contextmanager
def differentiable(predictor: Predictor) -> Iterator[Differentiable]:
    """Yield a predictor as a function of one-hot rows, with gradients: (n, 4, length) in the order ACGT to (n, tasks).

    The function applies what `predict` applies: the order of the letters, the layout, the read-out, both strands and
    the choice of tasks. The network is in eval mode meanwhile, its weights and flags are as before afterwards.

    Parameters
    ----------
    predictor
        A `TorchPredictor` without a dim position.

    Raises
    ------
    PredictorError
        If it is no `TorchPredictor`, answers along a track, or the network or its read-out fails.
    """
    if not isinstance(predictor, TorchPredictor):
        raise PredictorError(
            f"{type(predictor).__name__} gives no gradients; method='ism', 'occlusion' and 'shapley' need answers "
            "alone, and a network in PyTorch is wrapped by cg.TorchPredictor"
        )
    if predictor.dims != ("task",):
        raise PredictorError(
            "the predictor answers with a dim position, and a map is of one number for each task; read windows of the "
            "track out: cg.TorchPredictor(..., track=, reduce=[cg.Window('TSS', -50, 50)])"
        )

    def answers(one_hot: torch.Tensor) -> torch.Tensor:
        try:
            return answers_to_one_hot(predictor, predictor.module, one_hot)
        except CausalgiaError:
            raise
        except (Exception, SystemExit) as error:
            raise PredictorError(f"the network failed where gradients are kept: {first_line(error)}") from error

    exact, whole = exact_float32(predictor.device, tf32=False), without_autocast(predictor.device)
    with in_eval_mode(predictor.module), torch.enable_grad(), exact, whole:
        yield answers


def answers_to_one_hot(predictor: TorchPredictor, network: torch.nn.Module, one_hot: torch.Tensor) -> torch.Tensor:
    """Return answers (n, tasks) of a network to rows (n, 4, length) in the order ACGT, over both strands if averaged.

    The network may be another than the predictor's own, such as a changed copy.
    """

    def columns(rows: torch.Tensor) -> torch.Tensor:
        return predictor.read_out(network(as_network_input(predictor, rows)), len(rows))

    made = columns(one_hot)
    return (made + columns(one_hot.flip(1, 2))) / 2 if predictor.rc_average else made


def as_network_input(predictor: TorchPredictor, one_hot: torch.Tensor) -> torch.Tensor:
    """Return rows (n, 4, length) in the order ACGT in the order of letters and the layout of the network."""
    x = one_hot[:, list(predictor.channel_order)]
    return x if predictor.layout == "NCL" else x.transpose(1, 2)

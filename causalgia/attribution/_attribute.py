"""`attribute`: maps of sequences, which base matters how much to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.baselines import Draw, as_null, draws_of
from causalgia.attribution.completeness import (
    TOLERANCE,
    ScoresOverBaselines,
    position_scores_over_baselines,
    scores_over_baselines,
)
from causalgia.attribution.exchanges import occlusion, shapley
from causalgia.attribution.mutagenesis import mutagenesis
from causalgia.checks import as_count, nearest
from causalgia.design import NullModel
from causalgia.errors import AttributionError, PredictorError, quoted
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Sequences, Source, as_sequences
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens

if TYPE_CHECKING:
    import torch
    import xarray as xr

    from causalgia.predict.differentiable import Differentiable

Method = Literal["ism", "gradient", "integrated_gradients", "deeplift", "shapley", "occlusion"]
_OVER_BASELINES = ("integrated_gradients", "deeplift", "shapley", "occlusion")
_BY_POSITION = ("shapley", "occlusion")
_WIDTH = 5
_FEWEST_STEPS, _MOST_STEPS = 16, 512
Maps = dict[str, NDArray[Any]]


def attribute(
    sequences: Source | xr.Dataset,
    predictor: Predictor,
    *,
    method: Method = "ism",
    baselines: NullModel | None = None,
    n_baselines: int = 64,
    rng: RNG | None = None,
) -> xr.Dataset:
    """Return maps of sequences: how much of an answer each base at each position has.

    A map proposes; it has no p-values, and a trial tests what it proposes (`causalgia.run`). Single substitutions see
    nothing of a redundant site, and gradients nothing of a saturated one.

    Parameters
    ----------
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from ``null.sample``.
    predictor
        The network. Gradients need a `cg.TorchPredictor`, or an ensemble of them.
    method
        ``"ism"``: the exact change by each substitution, ``f(x with b at i) - f(x)``. ``"gradient"``: of the answer,
        centered over the four bases. ``"integrated_gradients"``: along the line from baselines to the sequence.
        ``"deeplift"``: by the rescale rule, on a copy of the network whose activations are modules (tangermeme).
        ``"shapley"``: letters of the sequence put into a baseline one after another, in random order.
        ``"occlusion"``: what is lost with the letters of a baseline in windows of 5 bp. The last two have no dim base.
    baselines
        Null model from which the baselines of each sequence are drawn; by default dinucleotide shuffles of it.
    n_baselines
        Baselines of each sequence, at least 2. At a site, one baseline's score has a standard deviation of about .8 of
        the mean: 8 give it to .3, 64 to .1.
    rng
        Seed of the baselines; methods without baselines need none.

    Returns
    -------
    Dataset
        ``score (unit, position, base, task[, model])`` on the predictor's scale, ``observed (unit, position)`` tokens
        and ``answer (unit, task[, model])``; over baselines also ``score_se``, ``baseline_answer`` and
        ``completeness``, how far the observed bases' scores are from adding up to the difference of the answers.

    Raises
    ------
    AttributionError
        If a method or null model is unknown, or scores miss the difference that they explain by more than 1 %.
    PredictorError
        If the predictor gives no gradients, answers along a track, or an answer is not finite.
    SequenceError
        If the sequences are none, or differ in length.

    References
    ----------
    Sundararajan et al. (2017), arXiv:1703.01365: integrated gradients. Shrikumar et al. (2017), arXiv:1704.02685, and
    Lundberg and Lee (2017), arXiv:1705.07874: DeepLIFT over many baselines. Majdandzic et al. (2023),
    doi:10.1186/s13059-023-02956-3: why gradients are centered.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count")
    >>> maps = cg.attribute(["ACGT"], count, method="ism")
    >>> maps["score"].sel(unit=0, base="G", task="G").values.tolist()
    [1.0, 1.0, 0.0, 1.0]
    """
    if method not in get_args(Method):
        known = list(get_args(Method))
        raise AttributionError(
            f"method={quoted(method)} is no method{nearest(str(method), known) or ''}; use one of "
            f"{', '.join(map(quoted, known))}"
        )
    over_baselines = method in _OVER_BASELINES
    if not over_baselines and baselines is not None:
        raise AttributionError(f"method={quoted(method)} has no baselines; leave baselines= out")
    of = _as_given(sequences)
    if predictor.dims[0] != "task":
        raise PredictorError(
            "the predictor answers with a dim position, and a map is of one number for each task; read windows of the "
            "track out: cg.TorchPredictor(..., track=, reduce=[cg.Window('TSS', -50, 50)])"
        )
    attrs: dict[str, Any] = {"method": method}
    draw, key = None, 0
    n_baselines = as_count(n_baselines, "n_baselines")
    if over_baselines:
        if n_baselines < 2:
            raise AttributionError("n_baselines=1: one baseline gives no standard error; take 2 or more, such as 64")
        if rng is None:
            raise AttributionError("baselines are drawn at random, and a seed must be explicit: give rng=0, say")
        null, key = as_null(baselines, of), root_key(rng)
        draw = draws_of(null, of, n_baselines, derive(key, "baselines"))
        attrs |= {"baselines": null.describe(), "baselines_fingerprint": null.fingerprint, "n_baselines": n_baselines}
    made = []
    for part in predictor.parts:
        if method == "ism":
            score, answer = mutagenesis(part, of.tokens, progress=lambda _: None)
            made.append({"score": score, "answer": answer})
        elif draw is not None and method in _BY_POSITION:
            made.append(_by_exchange(method, part, of, draw, n_baselines, key))
        else:
            made.append(_by_gradient(method, part, of, draw, n_baselines))
    return _dataset(made, of, predictor, attrs, sequences)


def _as_given(sequences: Any) -> Sequences:
    """Return sequences of any source, or of a Dataset that a null model drew."""
    import xarray as xr

    if not isinstance(sequences, xr.Dataset):
        return as_sequences(sequences)
    drawn = validate(sequences, "sequences")
    return Sequences(drawn["sequence"].to_numpy(), tuple(map(str, drawn["unit"].to_numpy())))


def _by_exchange(method: Method, predictor: Predictor, of: Sequences, draw: Draw, n_baselines: int, key: int) -> Maps:
    over = []
    for row, tokens in enumerate(of.tokens):
        draws = draw(np.full(n_baselines, row), np.arange(n_baselines))
        if method == "occlusion":
            parts = occlusion(predictor, tokens, draws, width=min(_WIDTH, of.length), progress=lambda _: None)
        else:
            parts = shapley(predictor, tokens, draws, key=derive(key, row), progress=lambda _: None)
        over.append(position_scores_over_baselines(*parts))
    names = ("score", "score_se", "answer", "baseline_answer", *(("completeness",) if method == "shapley" else ()))
    return {name: np.stack([getattr(one, name) for one in over]) for name in names}


def _by_gradient(method: Method, predictor: Predictor, of: Sequences, draw: Draw | None, n_baselines: int) -> Maps:
    import torch

    from causalgia.attribution.gradients import gradients
    from causalgia.predict.differentiable import differentiable
    from causalgia.predict.torch_predictor import TorchPredictor

    batch = max(1, predictor.resolve_batch_size(of.length) // 2)
    predictor.predict(of.tokens[:1])
    with differentiable(predictor) as f:
        if not isinstance(predictor, TorchPredictor):
            raise TypeError(f"{type(predictor).__name__} passed as differentiable")  # unreachable: for mypy
        like = torch.empty(0, dtype=predictor.dtype, device=predictor.device)
        if draw is None:
            score, answer = gradients(f, of.tokens, batch=batch, like=like, progress=lambda _: None)
            return {"score": score, "answer": answer}
        if method == "deeplift":
            from causalgia.attribution.deeplift import Answers, check_installed

            check_installed()
            f, like = Answers(predictor), like.double()
        n_steps, over = _FEWEST_STEPS, []
        for row, tokens in enumerate(of.tokens):
            draws = draw(np.full(n_baselines, row), np.arange(n_baselines))
            scores = _scores_of_one(f, tokens, draws, batch=batch, like=like, n_steps=n_steps)
            while not scores.is_complete and method == "integrated_gradients" and n_steps < _MOST_STEPS:
                n_steps *= 2
                scores = _scores_of_one(f, tokens, draws, batch=batch, like=like, n_steps=n_steps)
            if not scores.is_complete:
                unruled = getattr(f, "unruled", [])
                _raise_incomplete(method, scores, of.names[row], predictor.tasks, unruled)
            over.append(scores)
            n_steps = max(_FEWEST_STEPS, n_steps // 2)
    names = ("score", "score_se", "answer", "baseline_answer", "completeness")
    return {name: np.stack([getattr(one, name) for one in over]) for name in names}


def _scores_of_one(
    f: Differentiable, tokens: Tokens, draws: Tokens, *, batch: int, like: torch.Tensor, n_steps: int
) -> ScoresOverBaselines:
    import torch

    from causalgia.attribution.deeplift import Answers, multipliers
    from causalgia.attribution.gradients import one_hot, path_multipliers

    with torch.no_grad():
        rows = one_hot(np.concatenate([tokens[None], draws]), like)
        parts = [f(rows[i : i + batch]).double().cpu().numpy() for i in range(0, len(rows), batch)]
    answers = np.concatenate(parts)
    if isinstance(f, Answers):
        weights = multipliers(f, tokens, draws, n_tasks=answers.shape[1], batch=batch, like=like)
    else:
        weights = path_multipliers(f, tokens, draws, batch=batch, like=like, n_steps=n_steps)
    return scores_over_baselines(weights, tokens, draws, answers[0], answers[1:])


def _raise_incomplete(
    method: Method, scores: ScoresOverBaselines, name: object, tasks: Sequence[str], unruled: Sequence[str]
) -> NoReturn:
    worst = int(np.argmax(np.abs(scores.completeness) / scores.explained))
    why = (
        f"; operations without a rule of DeepLIFT: {', '.join(unruled)}; take method='integrated_gradients'"
        if unruled
        else "; take method='ism', which needs answers alone"
    )
    raise AttributionError(
        f"sequence {quoted(name)}, task {quoted(tasks[worst])}: the scores of {method} add up to "
        f"{scores.completeness[worst]:+.3g} beside the {scores.explained[worst]:.3g} that they explain, and "
        f"{TOLERANCE:.0%} is the most{why}"
    )


def _dataset(
    made: list[Maps], of: Sequences, predictor: Predictor, attrs: dict[str, Any], sequences: Any
) -> xr.Dataset:
    import xarray as xr

    model = () if predictor.models is None else ("model",)
    of_score = ("unit", "position", *(() if attrs["method"] in _BY_POSITION else ("base",)), "task")
    dims = {"score": of_score, "score_se": of_score}
    variables = {
        name: ((*dims.get(name, ("unit", "task")), *model), np.stack([part[name] for part in made], -1))
        if model
        else (dims.get(name, ("unit", "task")), made[0][name])
        for name in made[0]
    }
    coords: dict[str, Any] = {
        "unit": np.arange(len(of)),
        "parent": ("unit", np.asarray(of.names)),
        "position": np.arange(of.length),
        **({"base": list("ACGT")} if "base" in of_score else {}),
        "task": list(predictor.tasks),
    }
    if isinstance(sequences, xr.Dataset):
        coords |= {name: ("unit", sequences[name].to_numpy()) for name in ("parent", "gc") if name in sequences}
        coords["unit"] = sequences["unit"].to_numpy()
    if model:
        coords["model"] = list(predictor.models or ())
    attrs |= {"scale": predictor.scale, "predictor": predictor.fingerprint, "sequences": of.digest}
    maps = xr.Dataset(variables | {"observed": (("unit", "position"), of.tokens)}, coords, attrs)
    return validate(annotate(maps), "attributions")

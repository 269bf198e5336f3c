"""`attribute`: maps of sequences, which base matters how much to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution.baselines import as_null, draws_of
from causalgia.attribution.mutagenesis import mutagenesis
from causalgia.checks import as_count, nearest
from causalgia.design import NullModel
from causalgia.errors import AttributionError, PredictorError, quoted
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Sequences, Source, as_sequences
from causalgia.streams import RNG, derive, root_key

if TYPE_CHECKING:
    import xarray as xr

Method = Literal["ism", "gradient", "integrated_gradients"]
_OVER_BASELINES = ("integrated_gradients",)
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
    baselines
        Null model from which the baselines of each sequence are drawn; by default dinucleotide shuffles of it.
    n_baselines
        Baselines of each sequence.
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
    Sundararajan et al. (2017), arXiv:1703.01365: integrated gradients. Majdandzic et al. (2023),
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
    draw = None
    n_baselines = as_count(n_baselines, "n_baselines")
    if over_baselines:
        if rng is None:
            raise AttributionError("baselines are drawn at random, and a seed must be explicit: give rng=0, say")
        null = as_null(baselines, of)
        draw = draws_of(null, of, n_baselines, derive(root_key(rng), "baselines"))
        attrs |= {"baselines": null.describe(), "baselines_fingerprint": null.fingerprint, "n_baselines": n_baselines}
    made = []
    for part in predictor.parts:
        if method == "ism":
            score, answer = mutagenesis(part, of.tokens, progress=lambda _: None)
            made.append({"score": score, "answer": answer})
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


def _by_gradient(method: str, predictor: Predictor, of: Sequences, draw: Any, n_baselines: int) -> Maps:
    import torch

    from causalgia.attribution import gradients
    from causalgia.predict.differentiable import differentiable
    from causalgia.predict.torch_predictor import TorchPredictor

    batch = max(1, predictor.resolve_batch_size(of.length) // 2)
    with differentiable(predictor) as f:
        if not isinstance(predictor, TorchPredictor):
            raise TypeError(f"{type(predictor).__name__} passed as differentiable")  # unreachable: for mypy
        like = torch.empty(0, dtype=predictor.dtype, device=predictor.device)
        if method == "gradient":
            score, answer = gradients.gradients(f, of.tokens, batch=batch, like=like, progress=lambda _: None)
            return {"score": score, "answer": answer}
        answer = predictor.predict(of.tokens).astype(np.float64)
        rows = np.repeat(np.arange(len(of)), n_baselines).reshape(len(of), n_baselines)
        over = []
        n_steps = 16
        for row, tokens in enumerate(of.tokens):
            draws = draw(rows[row], np.arange(n_baselines))
            while True:
                scores = gradients.integrated_gradients(f, tokens, draws, batch=batch, like=like, n_steps=n_steps)
                if scores.is_complete(answer[row]):
                    break
                if n_steps >= 512:
                    task = int(np.argmax(np.abs(scores.completeness) / scores.scale(answer[row])))
                    raise AttributionError(
                        f"sequence {quoted(of.names[row])}, task {quoted(predictor.tasks[task])}: integrated gradients "
                        f"miss the difference that they explain by {scores.completeness[task]:.3g} of "
                        f"{scores.scale(answer[row])[task]:.3g} after {n_steps} steps"
                    )
                n_steps *= 2
            over.append(scores)
            n_steps = max(16, n_steps // 2)
    return {
        "score": np.stack([one.score for one in over]),
        "score_se": np.stack([one.se for one in over]),
        "answer": answer,
        "baseline_answer": np.stack([one.baseline_answers.mean(0) for one in over]),
        "completeness": np.stack([one.completeness for one in over]),
    }


def _dataset(
    made: list[Maps], of: Sequences, predictor: Predictor, attrs: dict[str, Any], sequences: Any
) -> xr.Dataset:
    import xarray as xr

    model = () if predictor.models is None else ("model",)
    dims = {"score": ("unit", "position", "base", "task"), "score_se": ("unit", "position", "base", "task")}
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
        "base": list("ACGT"),
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

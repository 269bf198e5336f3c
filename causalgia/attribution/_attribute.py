"""`attribute`: maps of sequences, the contribution of each base to a prediction."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.attribution.map_scores import (
    BaselineSums,
    Draw,
    ScoresOverBaselines,
    as_explained,
    as_null,
    count_skipped,
    draws_of,
    mutagenesis,
    occlusion,
    position_scores_over_baselines,
    shapley,
)
from causalgia.checks import as_count, is_not_among
from causalgia.design import NullModel
from causalgia.effect_table import selected_tasks
from causalgia.errors import (
    DegenerateWarning,
    PredictorError,
    caller_stacklevel,
    quoted,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict._torch_network import torch_network
from causalgia.predict.answer_comparisons import check_same_twice
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Sequences, Source
from causalgia.sequences.random import random_words
from causalgia.sequences.skipped_inputs import (
    Skip,
)
from causalgia.streams import RNG, check_seed, derive, root_key
from causalgia.trial.outcomes import meter
from causalgia.types import Tokens

if TYPE_CHECKING:
    import torch

    from causalgia.predict.torch_exports import Differentiable

Method = Literal[
    "ism",
    "gradient",
    "integrated_gradients",
    "expected_gradients",
    "deeplift",
    "shapley",
    "occlusion",
]
_OVER_BASELINES = (
    "integrated_gradients",
    "expected_gradients",
    "deeplift",
    "shapley",
    "occlusion",
)
_BY_POSITION = ("shapley", "occlusion")
_OCCLUSION_WIDTH = 5
_USUAL_N = 64
_LEAST_PATH_POINTS = 16
_MOST_PATH_POINTS = 4096
_MOST_POINTS_AT_FIRST = 256
_EQUAL_NAMES_SHOWN = 10
_HELD = 2**26
Maps = dict[str, NDArray[Any]]


@usual_errors
def attribute(
    sequences: Source | xr.Dataset,
    predictor: Predictor,
    *,
    method: Method = "ism",
    baselines: NullModel | None = None,
    n_baselines: int = _USUAL_N,
    rng: RNG | None = None,
    tasks: str | Sequence[str] | None = None,
    skip: Skip = (),
    progress: bool = True,
) -> xr.Dataset:
    """Return attribution maps of sequences: the contribution of each base at each
    position to the prediction.

    Maps propose hypotheses and have no p-values; test them in a trial
    (`causalgia.run`). Single substitutions do not show redundant sites, and gradients
    do not show saturated ones.

    Parameters
    ----------
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from
        ``null.sample``.
    predictor
        The network. Gradients need a `cg.TorchPredictor`, or an ensemble of them.
    method
        ``"ism"``: the exact change by each substitution, ``f(x with b at i) - f(x)``.
        ``"gradient"``: of the answer, centered over the four bases.
        ``"integrated_gradients"``: along the line from baselines to the sequence.
        ``"expected_gradients"``: the same with one random point of each line, a
        sixteenth of the passes or less, but scores add up within ``completeness_se``
        alone. ``"deeplift"``: by the rescale rule, on a copy of the network whose
        activations are modules (tangermeme). ``"shapley"``: letters of the sequence put
        into a baseline one after another, in random order. ``"occlusion"``: what is
        lost with the letters of a baseline in windows of 5 bp. The last two have no dim
        base.
    baselines
        Null model from which the baselines of each sequence are drawn; by default
        dinucleotide shuffles of it.
    n_baselines
        Baselines of each sequence, at least 2. At a site, one baseline's score has a
        standard deviation of about .8 of the mean: 8 give it to .3, 64 to .1.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the baselines; methods
        without baselines need none.
    tasks
        Names or patterns such as ``"DNASE:*"`` of the tasks to explain; by default all.
        Gradients and DeepLIFT take a backward pass for each.
    skip
        Reasons for which records of a FASTA file are left out instead of refused, or
        ``"all"``, as in `causalgia.sequences.read_fasta`; ``attrs["skipped"]`` counts
        them.
    progress
        Whether to draw a progress bar on a terminal.

    Returns
    -------
    Dataset
        ``score (unit, position, base, task[, model])`` on the predictor's scale,
        ``observed (unit, position)`` tokens and ``answer (unit, task[, model])``; over
        baselines also ``score_se``, ``baseline_answer`` and ``completeness``, how far
        the observed bases' scores are from adding up to the difference of the answers.

    Raises
    ------
    PredictorError
        If a method or null model is unknown, or scores miss the difference that they
        explain (or the standard deviation of the baselines' answers, if that is larger)
        by more than 1 %; names the sequences, ten at most. If a slope is not finite.
    PredictorError
        If the predictor gives no gradients, answers along a track, or an answer is not
        finite.
    SequenceError
        If there are no sequences, or they differ in length.
    EstimateError
        If a task is not there.

    Warns
    -----
    DegenerateWarning
        If all baselines of a sequence equal it, as shuffles of ``"AAAA"`` do.

    Notes
    -----
    Predictions for a sequence of length L with B baselines, in addition to a few for
    checks: ``"ism"`` 3 L + 1; ``"gradient"`` 1; ``"occlusion"`` B (L - 3) + 1;
    ``"shapley"`` B (L + 1); ``"expected_gradients"`` 2 B + 1;
    ``"integrated_gradients"`` 17 B + 1; sequences whose scores do not add up with 16
    points on a line are explained again with twice as many, up to 4,096 (8,160 B more
    at most, because networks of many kinks need them); ``"deeplift"`` B + 2, and 2 B a
    task, in float64. Substitutions are recomputed in part where the network allows it.
    Memory beyond the result is bounded by blocks of baselines.

    References
    ----------
    Sundararajan et al. (2017), arXiv:1703.01365: integrated gradients. Erion et al.
    (2021), doi:10.1038/s42256-021-00343-w: expected gradients. Shrikumar et al. (2017),
    arXiv:1704.02685, and Lundberg and Lee (2017), arXiv:1705.07874: DeepLIFT over many
    baselines. Majdandzic et al. (2023), doi:10.1186/s13059-023-02956-3: why gradients
    are centered.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(
    ...     lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count"
    ... )
    >>> maps = cg.attribute(["ACGT"], count, method="ism")
    >>> maps["score"].sel(unit=0, base="G", task="G").values.tolist()
    [1.0, 1.0, 0.0, 1.0]
    """
    check_predictor(predictor, "attribute(sequences, predictor)")
    check_seed(rng)
    if method not in get_args(Method):
        raise PredictorError(
            f"method={quoted(method)} "
            f"{is_not_among(str(method), get_args(Method), 'method')}",
            argument="method",
        )
    over_baselines = method in _OVER_BASELINES
    if not over_baselines and (baselines is not None or n_baselines != _USUAL_N):
        raise PredictorError(
            f"method={quoted(method)} takes no baselines", argument="method"
        )
    of = as_explained(sequences, skip)
    check_no_track(predictor)
    attrs: dict[str, Any] = attributes(method=method) | count_skipped(of)
    draw, key = None, 0
    n_baselines = as_count(n_baselines, "n_baselines")
    if over_baselines:
        if n_baselines < 2:
            raise PredictorError(
                f"n_baselines={n_baselines}: a standard error takes 2 baselines or more"
            )
        if rng is None:
            raise PredictorError(
                "rng=None: baselines are drawn at random, and take a seed"
            )
        null, key = as_null(baselines, of), root_key(rng)
        draw = draws_of(null, of, n_baselines, derive(key, "baselines"))
        _warn_of_equal_baselines(draw, of, n_baselines)
        attrs |= attributes(
            baselines=null.describe(),
            baselines_fingerprint=null.fingerprint,
            n_baselines=n_baselines,
        )
    check_same_twice(predictor, of.tokens)
    chosen = columns_of_tasks(predictor, of, tasks)
    n_each = {
        "ism": 3 * of.length + 1,
        "gradient": 1,
        "shapley": n_baselines * (of.length + 1),
    }
    n_each["occlusion"] = 1 + n_baselines * (
        of.length - min(_OCCLUSION_WIDTH, of.length) + 2
    )
    made = []
    edits = method == "ism"
    quick = predictor.with_incremental_edits(of.length) if edits else predictor
    with meter(
        len(of) * n_each.get(method, n_baselines) * len(predictor.parts), show=progress
    ) as done:
        for part in quick.parts:
            if method == "ism":
                score, answer = mutagenesis(
                    part, of.tokens, progress=done, tasks=chosen
                )
                made.append({"score": score, "answer": answer})
            elif draw is not None and method in _BY_POSITION:
                made.append(
                    _by_exchange(method, part, of, draw, n_baselines, key, chosen, done)
                )
            else:
                made.append(
                    _by_gradient(method, part, of, draw, n_baselines, key, chosen, done)
                )
    names = (
        predictor.tasks
        if isinstance(chosen, slice)
        else [predictor.tasks[k] for k in chosen]
    )
    return _dataset(made, of, predictor, names, attrs, sequences)


def _warn_of_equal_baselines(draw: Draw, of: Sequences, n_baselines: int) -> None:
    first = draw(np.arange(len(of)), np.zeros(len(of), np.int64))
    maybe = np.flatnonzero((first == of.tokens).all(axis=1))
    numbers = np.arange(n_baselines)
    equal = [
        row
        for row in maybe
        if (draw(np.full(n_baselines, row), numbers) == of.tokens[row]).all()
    ]
    if not equal:
        return
    names = ", ".join(quoted(str(of.names[row])) for row in equal[:_EQUAL_NAMES_SHOWN])
    more = ", ..." * (len(equal) > _EQUAL_NAMES_SHOWN)
    warnings.warn(
        DegenerateWarning(
            f"{len(equal):,} of {len(of):,} sequences equal all their baselines, so that "
            f"their scores are 0 whatever the network: {names}{more}; give baselines= "
            f"that differ, such as cg.Uniform(length={of.length})"
        ),
        stacklevel=caller_stacklevel(),
    )


def check_no_track(predictor: Predictor) -> None:
    """Raise PredictorError if the predictor answers along a track."""
    if predictor.dims[0] != "task":
        raise PredictorError(
            "the predictor answers along a track (the dim position); a map is of one "
            "number for each task"
        )


def columns_of_tasks(
    predictor: Predictor, of: Sequences, tasks: str | Sequence[str] | None
) -> slice | list[int]:
    """Return which columns of an answer are those tasks."""
    if tasks is None:
        return slice(None)
    predictor.predict(of.tokens[:1])  # which names the tasks, where none were given
    known = list(predictor.tasks)
    return [
        known.index(name)
        for name in selected_tasks(known, tasks, place="attribute: ", argument="tasks")
    ]


def _by_exchange(
    method: Method,
    predictor: Predictor,
    of: Sequences,
    draw: Draw,
    n_baselines: int,
    key: int,
    tasks: slice | list[int],
    done: Callable[[int], None],
) -> Maps:
    names = (
        "score",
        "score_se",
        "answer",
        "baseline_answer",
        *(("completeness",) if method == "shapley" else ()),
    )
    maps: Maps = {}
    for row, tokens in enumerate(of.tokens):
        draws = draw(np.full(n_baselines, row), np.arange(n_baselines))
        if method == "occlusion":
            parts = occlusion(
                predictor,
                tokens,
                draws,
                width=min(_OCCLUSION_WIDTH, of.length),
                progress=done,
                tasks=tasks,
            )
        else:
            parts = shapley(
                predictor,
                tokens,
                draws,
                key=derive(key, row),
                progress=done,
                tasks=tasks,
            )
        _fill(maps, names, position_scores_over_baselines(*parts), row, len(of))
    return maps


def _fill(
    maps: Maps, names: Sequence[str], scores: ScoresOverBaselines, row: int, n: int
) -> None:
    """Write the scores of one of n sequences into the maps of all, in place."""
    for name in names:
        value = getattr(scores, name)
        if name not in maps:
            maps[name] = np.empty((n, *value.shape), value.dtype)
        maps[name][row] = value


def _by_gradient(
    method: Method,
    predictor: Predictor,
    of: Sequences,
    draw: Draw | None,
    n_baselines: int,
    key: int,
    tasks: slice | list[int],
    done: Callable[[int], None],
) -> Maps:
    if (network := torch_network(predictor)) is None:
        raise PredictorError(
            f"{type(predictor).__name__} gives no gradients, which "
            f"method={quoted(method)} takes"
        )

    import torch

    from causalgia.attribution.gradients import gradients
    from causalgia.predict.torch_exports import differentiable

    n_tasks = predictor.predict(of.tokens[:1])[:, tasks].shape[1]
    batch = max(
        1,
        min(
            predictor.resolve_batch_size(of.length) // 2,
            _HELD // (32 * of.length * n_tasks),
        ),
    )
    with differentiable(network) as f:
        like = torch.empty(0, dtype=network.dtype, device=network.device)
        if draw is None:
            score, answer = gradients(
                _of_tasks(f, tasks), of.tokens, batch=batch, like=like, progress=done
            )
            return {"score": score, "answer": answer}
        if method == "deeplift":
            from causalgia.attribution.gradients import Answers, check_installed

            check_installed()
            f, like = Answers(network), like.double()
        columns = ["score", "score_se", "answer", "baseline_answer", "completeness"]
        if method == "expected_gradients":
            columns.append("completeness_se")
        maps: Maps = {}
        steps, row = _LEAST_PATH_POINTS, 0
        incomplete: dict[str, ScoresOverBaselines] = {}
        unruled: list[str] = []
        for row, tokens in enumerate(of.tokens):
            draws = draw(np.full(n_baselines, row), np.arange(n_baselines))
            shares = None
            if method == "expected_gradients":
                units = np.arange(
                    row * n_baselines, (row + 1) * n_baselines, dtype=np.uint64
                )
                shares = (
                    random_words(derive(key, "points"), units, 1)[:, 0] >> np.uint64(11)
                ) * 2.0**-53
            same = {"tasks": tasks, "batch": batch, "like": like, "shares": shares}
            scores = _scores_of_one(f, tokens, draws, n_steps=steps, **same)
            while (
                not scores.is_complete
                and method == "integrated_gradients"
                and steps < _MOST_PATH_POINTS
            ):
                steps *= 2
                scores = _scores_of_one(f, tokens, draws, n_steps=steps, **same)
            if not scores.is_complete:
                incomplete[str(of.names[row])] = scores
                unruled = getattr(f, "unruled", [])
                if unruled or len(incomplete) == _EQUAL_NAMES_SHOWN:
                    break
            _fill(maps, columns, scores, row, len(of))
            steps = min(max(_LEAST_PATH_POINTS, steps // 2), _MOST_POINTS_AT_FIRST)
            done(n_baselines)
    if incomplete:
        names = (
            predictor.tasks
            if isinstance(tasks, slice)
            else [predictor.tasks[k] for k in tasks]
        )
        name, scores = next(iter(incomplete.items()))
        # a task of constant answers explains nothing, and misses nothing
        explained = np.where(scores.explained > 0, scores.explained, np.inf)
        worst = int(np.argmax(np.abs(scores.completeness) / explained))
        raise PredictorError(
            f"sequence {quoted(name)}, task {quoted(names[worst])}: the scores of "
            f"{method} miss the difference of the answers by "
            f"{scores.completeness[worst]:+.3g}; operations without a rule: "
            f"{', '.join(unruled) or 'none'}"
        )
    return maps


def _of_tasks(f: Differentiable, tasks: slice | list[int]) -> Differentiable:
    """Return the function of these tasks alone."""
    return f if isinstance(tasks, slice) else lambda rows: f(rows)[:, tasks]


def _scores_of_one(
    f: Differentiable,
    tokens: Tokens,
    draws: Tokens,
    *,
    tasks: slice | list[int],
    batch: int,
    like: torch.Tensor,
    n_steps: int,
    shares: NDArray[np.float64] | None,
) -> ScoresOverBaselines:
    """Return the scores of one sequence, over blocks of baselines that fit into
    memory.
    """
    import torch

    from causalgia.attribution.gradients import (
        Answers,
        multipliers,
        one_hot,
        path_multipliers,
        random_point_multipliers,
    )

    with torch.no_grad():
        rows = np.concatenate([tokens[None], draws])
        parts = [
            f(one_hot(rows[i : i + batch], like)).double().cpu().numpy()
            for i in range(0, len(rows), batch)
        ]
    answers = np.concatenate(parts)
    places = list(range(answers.shape[1]))[tasks] if isinstance(tasks, slice) else tasks
    block = max(1, _HELD // (32 * len(tokens) * len(places)))
    sums = BaselineSums()
    for start in range(0, len(draws), block):
        some = draws[start : start + block]
        if isinstance(f, Answers):
            weights = multipliers(f, tokens, some, tasks=places, batch=batch, like=like)
        elif shares is not None:
            at = shares[start : start + block]
            weights = random_point_multipliers(
                _of_tasks(f, tasks), tokens, some, at, batch=batch, like=like
            )
        else:
            weights = path_multipliers(
                _of_tasks(f, tasks),
                tokens,
                some,
                batch=batch,
                like=like,
                n_steps=n_steps,
            )
        sums.add(weights, tokens, some)
    chosen = answers[:, tasks]
    return sums.scores(tokens, chosen[0], chosen[1:], in_expectation=shares is not None)


def _dataset(
    made: list[Maps],
    of: Sequences,
    predictor: Predictor,
    tasks: Sequence[str],
    attrs: dict[str, Any],
    sequences: Any,
) -> xr.Dataset:
    import xarray as xr

    model = () if predictor.models is None else ("model",)
    of_score = (
        "unit",
        "position",
        *(() if about(attrs).method in _BY_POSITION else ("base",)),
        "task",
    )
    dims = {"score": of_score, "score_se": of_score}
    variables = {
        name: (
            (*dims.get(name, ("unit", "task")), *model),
            np.stack([part[name] for part in made], -1),
        )
        if model
        else (dims.get(name, ("unit", "task")), made[0][name])
        for name in made[0]
    }
    coords: dict[str, Any] = {
        "unit": np.arange(len(of)),
        "parent": ("unit", np.asarray(of.parents)),
        "position": np.arange(of.length),
        **({"base": list("ACGT")} if "base" in of_score else {}),
        "task": list(tasks),
    }
    if isinstance(sequences, xr.Dataset):
        coords |= {
            name: ("unit", sequences[name].to_numpy())
            for name in ("parent", "gc")
            if name in sequences
        }
        coords["unit"] = sequences["unit"].to_numpy()
    if model:
        coords["model"] = list(predictor.models or ())
    attrs |= attributes(
        scale=predictor.scale, predictor=predictor.fingerprint, sequences=of.digest
    )
    maps = xr.Dataset(
        variables | {"observed": (("unit", "position"), of.tokens)}, coords, attrs
    )
    return as_result(maps, "attributions")

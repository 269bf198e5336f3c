"""Maps as they are read and used: from arrays, at observed bases, averaged over sites,
beside a trial's effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.checks import listed
from causalgia.errors import PredictorError, quoted
from causalgia.estimation import estimate
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import observed_scores
from causalgia.schema import validate
from causalgia.sequences import find_instances
from causalgia.sequences.fasta import Sequences, Source, as_sequences
from causalgia.sequences.motif_names import MotifLike
from causalgia.sequences.motif_scores import Instances
from causalgia.types import Array


def read_attributions(
    scores: ArrayLike,
    *,
    sequences: Source,
    task: str = "task",
    scale: str = "as given",
) -> xr.Dataset:
    """Return the maps of another program, for averages, logos and contributions.

    Parameters
    ----------
    scores
        Scores (n, 4, length), (n, length, 4) in the order A, C, G, T, or (n, length).
    sequences
        The n sequences that were explained, as for ``cg.Genomic(of=...)``.
    task, scale
        Name and scale of what was explained.

    Returns
    -------
    Dataset
        Attributions: ``score (unit, position, base, task)`` and ``observed``; without
        the dim base if all scores but those of the observed bases are 0, as projected
        ones are. No answers, standard errors or completeness.

    Raises
    ------
    PredictorError
        If the shapes of scores and sequences do not match, scores are of other bases
        than the sequences', or a score is not finite.
    SequenceError
        If the sequences cannot be read.

    Examples
    --------
    >>> scores = np.array([[[0.1, 0], [0, 0.5], [-0.2, 0], [0, 0]]])
    >>> maps = read_attributions(scores, sequences=["AC"])
    >>> maps["score"].sel(unit=0, position=1, base="C").item()
    0.5
    """
    score, of = np.asarray(scores, np.float64), as_sequences(sequences)
    n, length = of.tokens.shape
    if score.shape[1:] == (4, 4):
        raise PredictorError(
            f"scores of shape {score.shape} fit both (n, 4, length) and (n, length, 4)"
        )
    if score.shape == (n, 4, length):
        score = score.transpose(0, 2, 1)
    elif score.shape not in ((n, length, 4), (n, length)):
        raise PredictorError(
            f"scores of shape {score.shape} beside {n:,} sequences of {length:,} bp; "
            "(n, 4, length) or (n, length, 4) of the same sequences"
        )
    if not np.isfinite(score).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(score))[0])
        raise PredictorError(
            f"sequence {at[0]}, position {at[1]} has the score {score[at]}"
        )
    attrs = {"method": "read", "scale": scale, "sequences": of.digest}
    return _dataset(score, of, attrs, task)


def _dataset(
    score: NDArray[np.float64], of: Sequences, attrs: dict[str, Any], task: str
) -> xr.Dataset:
    if score.ndim == 3:
        there = np.arange(4) == of.tokens[:, :, None]
        if not score[~there].any():
            score = np.where(there, score, 0).sum(axis=2)
        elif (np.count_nonzero(score, axis=2) <= 1).all():
            row, at = (int(k) for k in np.argwhere((score != 0) & ~there)[0][:2])
            raise PredictorError(
                f"sequence {row}, position {at} has the score "
                f"of a base that is not the sequence's {'ACGT'[of.tokens[row, at]]}; "
                "maps and sequences= must be of the same sequences, in one order"
            )
    dims = (
        ("unit", "position", "base", "task")
        if score.ndim == 3
        else ("unit", "position", "task")
    )
    coords: dict[str, Any] = {
        "unit": np.arange(len(of)),
        "parent": ("unit", np.asarray(of.parents)),
        "position": np.arange(of.length),
        "task": [task],
    }
    if "base" in dims:
        coords["base"] = list("ACGT")
    variables = {
        "score": (dims, score[..., None]),
        "observed": (("unit", "position"), of.tokens),
    }
    return as_result(xr.Dataset(variables, coords, attrs), "attributions")


@usual_errors
def contributions(attributions: xr.Dataset) -> xr.DataArray:
    """Return the contribution of the observed base at each position: one number for
    each position of a map.

    Of ``method="ism"`` it is ``f(x) - mean_b f(x with b at i)`` over the three other
    bases; of all other methods the score of the observed base itself.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.

    Returns
    -------
    DataArray
        (unit, position, task[, model]), on the scale of the answers.

    Raises
    ------
    DataError
        If it is no Dataset of `causalgia.attribute`.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(
    ...     lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count"
    ... )
    >>> maps = cg.attribute(["ACGT"], count, method="ism")
    >>> cg.attribution.contributions(maps).sel(task="G").values.tolist()
    [[-0.333..., -0.333..., 1.0, -0.333...]]
    """
    validate(attributions, "attributions")
    score = attributions["score"]
    if "base" not in score.dims:
        return score
    values = observed_scores(
        score.to_numpy(),
        attributions["observed"].to_numpy(),
        by_substitution=about(attributions).method == "ism",
    )
    return score.isel(base=0, drop=True).copy(data=values)


_MOST_SCORES = 2**27


@usual_errors
def average(
    attributions: xr.Dataset,
    anchor: MotifLike | Instances,
    *,
    both_strands: bool = True,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    r"""Estimate the mean score of each base at each position of a motif, over the
    instances of that motif.

    One map describes one sequence; the average over instances is an estimate, with an
    interval for new sequences from the same population. With ``method="ism"`` it is the
    average causal effect of a base at that position, against the mean of the four.
    ``cg.simultaneous`` gives intervals that hold over all
    positions and bases together, and `causalgia.plot.logo` draws them.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.
    anchor
        What the scores are aligned by: a string of IUPAC letters or a motif, found as
        by `causalgia.sequences.find_instances`; or its instances. Those on the minus
        strand are turned.
    both_strands
        Whether reverse complements of a string or motif are instances; not so for RNA.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        Estimates: ``ace, se, df, lower, upper, n_units, n_clusters (contrast, task[,
        model])`` and their covariance. Contrasts are named ``"3 G"`` and have the
        coordinates ``motif_position``, from 0, and ``base``; of maps without the dim
        base, positions alone. Units are instances. A score has no p-value, and
        `causalgia.decide` and `causalgia.infer`, whose probabilities would be of
        positions, refuse these estimates.

    Raises
    ------
    PredictorError
        If there are fewer than two instances, all are in one parent, or they leave the
        sequences.
    DataError
        If it is no Dataset of `causalgia.attribute`.
    SequenceError
        If the string or motif is invalid.

    Notes
    -----
    The estimand is :math:`E[s_{p,b}]` over instances, each with weight 1; of
    ``"ism"`` :math:`E[f(x_{p \to b}) - \sum_c f(x_{p \to c}) / 4]`, centered as
    gradients are, so that the base of the motif shows, and not that the three others
    lower the answer. Instances in sequences of one parent are dependent: errors are CR2
    by ``parent``, intervals t with Satterthwaite's degrees of freedom. Baselines are
    drawn anew for each sequence, so that their noise is part of the variance between
    sequences. Where instances are chosen by their scores, as seqlets are, the average
    is too large; choose them by letters, or on other sequences.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181. Pustejovsky & Tipton
    (2018), doi:10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> import causalgia as cg
    >>> sample = cg.Uniform(length=41).sample(300, rng=0)
    >>> maps = cg.attribute(sample, cg.zoo.oracle("rbfox1_like"), method="ism")
    >>> mean = average(maps, "GCATG", both_strands=False)
    >>> int(mean["n_units"].max()), mean.sel(contrast="2 A")["lower"].item() > 0
    (8, True)
    """
    validate(attributions, "attributions")
    found = _instances(attributions, anchor, both_strands)
    n = (
        len(np.unique(attributions["parent"].to_numpy()[found.row]))
        if "parent" in attributions
        else len(found)
    )
    if len(found) < 2 or n < 2:
        raise PredictorError(
            f"{len(found)} instances of {quoted(anchor)} in {n} parents; an average "
            "needs two or more, of different parents"
        )
    return estimate(_aligned(attributions, found), ci_prob=ci_prob).drop_vars(
        ["p", "log_p", "p_t"]
    )


def _instances(
    maps: xr.Dataset, anchor: MotifLike | Instances, both_strands: bool
) -> Instances:
    """Return the instances of a string or motif, or those that are given."""
    if not isinstance(anchor, Instances):
        return find_instances(
            maps["observed"].to_numpy(), anchor, both_strands=both_strands
        )
    n, length = maps.sizes["unit"], maps.sizes["position"]
    outside = (
        (anchor.start < 0)
        | (anchor.start + anchor.width > length)
        | (anchor.row < 0)
        | (anchor.row >= n)
    )
    if outside.any():
        k = int(np.argmax(outside))
        raise PredictorError(
            f"instance {k}, row {anchor.row[k]}, bases {anchor.start[k]} to "
            f"{anchor.start[k] + anchor.width}, lies outside {n:,} maps of {length:,} bp"
        )
    return anchor


def _aligned(maps: xr.Dataset, found: Instances) -> xr.Dataset:
    """Return the scores at instances as effects of units:
    ``ice (unit, contrast, task[, model])``.
    """
    score = maps["score"]
    by_base = "base" in score.dims
    each = int(np.prod(score.shape[2:])) * found.width
    if len(found) * each > _MOST_SCORES:
        raise PredictorError(
            f"{len(found):,} instances of {each:,} scores do not fit into memory; "
            f"{_MOST_SCORES:,} scores are the most"
        )
    offset: NDArray[np.int64] = np.arange(found.width)
    minus = (found.strand == "-")[:, None]
    at = found.start[:, None] + np.where(minus, found.width - 1 - offset, offset)
    values = score.to_numpy()[found.row[:, None], at].astype(np.float64)
    if by_base:
        turned = minus[:, 0]
        # A C G T read on the other strand are T G C A
        values[turned] = values[turned][:, :, ::-1]
        if about(maps, None).method == "ism":
            values = values - values.mean(axis=2, keepdims=True)
        values = values.reshape(len(found), found.width * 4, *values.shape[3:])
    bases = maps["base"].to_numpy().tolist() if by_base else [""]
    places, letters = np.repeat(offset, len(bases)), np.tile(bases, found.width)
    coords: dict[str, Any] = {
        "unit": np.arange(len(found)),
        "contrast": [
            f"{place} {letter}".strip()
            for place, letter in zip(places.tolist(), letters, strict=True)
        ],
        "motif_position": ("contrast", places),
        "task": maps["task"].to_numpy(),
    }
    if by_base:
        coords["base"] = ("contrast", letters)
    if "parent" in maps:
        coords["parent"] = ("unit", maps["parent"].to_numpy()[found.row])
    else:
        coords["parent"] = ("unit", maps["unit"].to_numpy()[found.row])
    if "model" in score.dims:
        coords["model"] = maps["model"].to_numpy()
    dims = (
        "unit",
        "contrast",
        *(dim for dim in ("task", "model") if dim in score.dims),
    )
    attrs = {
        name: maps.attrs[name]
        for name in ("scale", "predictor", "sequences")
        if name in maps.attrs
    }
    attrs |= attributes(
        contrast_scale=about(maps, "").scale, map_method=about(maps, "").method
    )
    return as_result(xr.Dataset({"ice": (dims, values)}, coords, attrs), "effects")


SATURATED, REDUNDANT = 0.25, 0.05


@usual_errors
def against_trial(
    attributions: xr.Dataset,
    estimates: xr.Dataset,
    anchor: MotifLike | Instances,
    *,
    contrast: str | None = None,
    both_strands: bool = True,
) -> xr.Dataset:
    """Compare the effect of a site in each sequence, by single substitutions, with its
    average effect in a trial.

    A substitution measures what a site adds to the rest of its sequence: almost nothing
    if another site has the same effect (an OR gate), and only a part if copies
    saturate. Such sites look unimportant on a map, and are flagged.

    Parameters
    ----------
    attributions
        From ``cg.attribute(..., method="ism")``.
    estimates
        From `causalgia.estimate` or `causalgia.decide`: the effect of the site alone,
        such as of an arm that embeds it in backgrounds.
    anchor, both_strands
        Where the sites are, as in `causalgia.attribution.average`.
    contrast
        The contrast of that effect; by default the only one.

    Returns
    -------
    Dataset
        ``largest_contribution, average_effect, share (site, task[, model])``, and
        ``flag``: ``"redundant"`` where the largest contribution of a position of the
        site is below 5 % of the effect, ``"saturated"`` below 25 %, both for every
        effect in the interval of the trial; ``"no effect"`` where that interval holds
        0; else ``""``. Coordinates ``unit``, ``start`` and ``strand`` say where each
        site is.

    Raises
    ------
    PredictorError
        If the maps are not by substitutions, there is no site, the contrast is unknown,
        or tasks differ.
    DataError
        If a Dataset is of another kind.

    Notes
    -----
    The contribution is that of the one position which counts most, in the direction of
    the effect: all of the effect for a site that any substitution breaks. Where many
    bases share an effect equally, none has much of it, and the site is flagged though
    nothing else acts: compare the share with that of the site alone in a background, or
    look for what acts in its place: positions where `causalgia.attribution.dfim` of the
    site has the sign opposite to the effect's.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pandas as pd
    >>> gate = cg.zoo.oracle("gated")
    >>> maps = cg.attribute(["AGATAAGG" + "ACAC" * 3 + "CCACACCC"], gate)
    >>> table = {
    ...     "contrast": ["GATA"] * 3,
    ...     "task": ["AND", "OR", "sum"],
    ...     "effect": [0.1, 2.0, 1.0],
    ...     "se": [0.1] * 3,
    ... }
    >>> effect = cg.from_effects(pd.DataFrame(table))
    >>> against_trial(maps, effect, "AGATAAGG")["flag"].sel(site=0).values.tolist()
    ['no effect', 'redundant', '']
    """
    validate(attributions, "attributions")
    validate(estimates, "estimates")
    if about(attributions, None).method != "ism":
        raise PredictorError(
            f"maps by {quoted(about(attributions, None).method)} do not say what a "
            "substitution changes; those by 'ism' do"
        )
    names = [str(name) for name in estimates["contrast"].to_numpy()]
    if (contrast is None and len(names) != 1) or (
        contrast is not None and contrast not in names
    ):
        raise PredictorError(
            f"contrast={quoted(contrast)} is not one of {listed(names)}"
        )
    effect = estimates.isel(contrast=0 if contrast is None else names.index(contrast))
    tasks = attributions["task"].to_numpy().tolist()
    if lacking := [
        task for task in tasks if task not in effect["task"].to_numpy().tolist()
    ]:
        raise PredictorError(
            f"task {quoted(lacking[0])} of the maps is not in the estimates"
        )
    if not {"lower", "upper"} <= set(effect.variables):
        raise PredictorError(
            "the estimates have no intervals (one unit, or target='units')"
        )
    found = _instances(attributions, anchor, both_strands)
    if not len(found):
        raise PredictorError("no site in these sequences")
    of_position = contributions(attributions).to_numpy()
    dims = ("task", *(("model",) if "model" in attributions["score"].dims else ()))
    ace, lower, upper = (
        _like_maps(effect[name].sel(task=tasks), attributions, dims)
        for name in ("ace", "lower", "upper")
    )
    at_sites = of_position[
        found.row[:, None], found.start[:, None] + np.arange(found.width)
    ]
    largest = (at_sites * np.sign(ace)).max(axis=1)
    has_effect = lower * upper > 0
    least = np.minimum(np.abs(lower), np.abs(upper))
    flag = np.select(
        [
            np.broadcast_to(~has_effect, largest.shape),
            largest < REDUNDANT * least,
            largest < SATURATED * least,
        ],
        ["no effect", "redundant", "saturated"],
        "",
    )
    shape = largest.shape
    share = np.divide(
        largest,
        np.abs(ace),
        out=np.zeros(shape),
        where=np.broadcast_to(ace != 0, shape),
    )
    columns: dict[str, Any] = {
        "largest_contribution": largest * np.sign(ace),
        "average_effect": np.broadcast_to(ace, shape).copy(),
        "share": share,
        "flag": flag,
    }
    coords: dict[str, Any] = {name: attributions[name].to_numpy() for name in dims}
    coords |= {
        "site": np.arange(len(found)),
        "unit": ("site", attributions["unit"].to_numpy()[found.row]),
        "start": ("site", found.start),
        "strand": ("site", found.strand),
    }
    attrs = {
        name: attributions.attrs[name]
        for name in ("scale", "predictor", "sequences")
        if name in attributions.attrs
    }
    made = {name: (("site", *dims), values) for name, values in columns.items()}
    return as_result(xr.Dataset(made, coords, attrs), "sites")


def _like_maps(values: xr.DataArray, maps: xr.Dataset, dims: tuple[str, ...]) -> Array:
    """Return numbers of the trial by task, and by model if the maps have members: those
    of the same name, or one.
    """
    if "model" in values.dims and "model" not in dims:
        raise PredictorError(
            "the estimates have the dim 'model', and the maps have one network"
        )
    if "model" in values.dims:
        known = values["model"].to_numpy().tolist()
        if lacking := [
            name for name in maps["model"].to_numpy().tolist() if name not in known
        ]:
            raise PredictorError(
                f"member {quoted(lacking[0])} of the maps is not in the estimates"
            )
        values = values.sel(model=maps["model"].to_numpy())
    elif "model" in dims:
        values = values.expand_dims(model=maps.sizes["model"], axis=-1)
    return values.transpose(*dims).to_numpy()

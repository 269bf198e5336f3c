"""Interactions of positions: of all pairs (`interactions`), and of one site with all
others (`dfim`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import OF_NULL, attributes
from causalgia.attribution._attribute import (
    attribute,
    check_no_track,
    columns_of_tasks,
)
from causalgia.attribution.attribution_maps import contributions
from causalgia.attribution.map_scores import (
    PairChanges,
    as_explained,
    count_skipped,
    pair_mutagenesis,
)
from causalgia.checks import as_span, is_whole
from causalgia.errors import DesignError, PredictorError, quoted
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import agreement_of_blocks
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Sequences, Source, sequence_fingerprints
from causalgia.sequences.random import random_words
from causalgia.sequences.skipped_inputs import (
    Skip,
)
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.outcomes import floor_of_one, meter
from causalgia.types import Tokens

_MOST_PAIRS = 20_000
_EXCHANGES = 9  # of a site, drawn or all
_MOST_NUMBERS = 2**26
_TERMS = 4
"""Sum of the absolute weights of the four means in an interaction."""


@usual_errors
def interactions(
    sequences: Source | xr.Dataset,
    predictor: Predictor,
    *,
    positions: Iterable[int] | None = None,
    pairs: Iterable[Sequence[int]] | None = None,
    tasks: str | Sequence[str] | None = None,
    skip: Skip = (),
    progress: bool = True,
) -> xr.Dataset:
    r"""Measure the interaction of the bases at pairs of positions by pair mutagenesis:
    joint minus single effects.

    Use it to find which positions of a sequence, or of a family of aligned sequences,
    act together. It is positive where bases need each other (AND), negative where
    either is enough (OR, saturation), and 0 where they are additive.
    `causalgia.plot.heatmap` draws it; the strongest pairs are tested on fresh
    units by `causalgia.experiments.site_pairs`.

    Parameters
    ----------
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from
        ``null.sample``. A position means the same in all of them.
    predictor
        The network.
    positions
        Positions (from 0) of which all pairs are measured; by default all.
    pairs
        Instead of `positions`: pairs such as ``[(8, 28), (9, 28)]``.
    tasks
        Names or patterns such as ``"DNASE:*"`` of tasks; by default all.
    skip
        Reasons for which records of a FASTA file are left out instead of refused, or
        ``"all"``, as in `causalgia.sequences.read_fasta`; ``attrs["skipped"]`` counts
        them.
    progress
        Whether to draw a progress bar on a terminal.

    Returns
    -------
    Dataset
        Effects: ``ice (unit, contrast, task[, model])`` on the predictor's scale, with
        a contrast ``"8:28"`` for each pair and its coordinates ``first`` and
        ``second``, first < second. Units keep ``parent``. `causalgia.estimate` averages
        over units with errors clustered by parent, `causalgia.simultaneous` accounts
        for the number of pairs by the largest t, and `causalgia.decide` gives verdicts.

    Raises
    ------
    PredictorError
        If positions or pairs lie outside the sequences, occur twice, or are too many.
    PredictorError
        If it is no predictor, answers along a track, or an answer is not finite.
    SequenceError
        If there are no sequences, or they differ in length.
    EstimateError
        If a task is not there.

    Notes
    -----
    The interaction of positions i and j in a sequence x is the mean over the 3 x 3
    exchanges of both bases,

    .. math:: f(x) - \frac{1}{3} \sum_a f(x_{i \to a}) - \frac{1}{3} \sum_b f(x_{j \to b})
        + \frac{1}{9} \sum_{a, b} f(x_{i \to a, j \to b}),

    the interaction of a 2 x 2 factorial whose levels are the base that is there and a
    random other one (an entry of the finite-difference Hessian of the answer in the
    bases). A mean, and not the largest of the nine, because a mean of means is an
    estimate: exchanges that interact in opposite directions cancel in it. With one
    sequence it is a description of that sequence, without p-value; over units, the
    average is an estimate for the population that these sequences are a sample of, and
    its tests are of a pair's average interaction over units, never of a position.
    Sequences should share bases: over uniform random ones every average is 0, whatever
    the predictor, because no base is there more often than it is exchanged for. Where
    sequences or pairs were chosen by their interactions, the average is too large: test
    on other sequences.

    L positions take ``9 L (L - 1) / 2 + 3 L + 1`` answers for each sequence. Double
    mutants are asked for as single substitutions of single mutants, recomputed in part
    where the network allows it.

    References
    ----------
    Greenside et al. (2018), doi:10.1093/bioinformatics/bty575. Horovitz & Fersht
    (1990), J Mol Biol 214(3), 613-617: double-mutant cycles.

    Examples
    --------
    >>> import causalgia as cg
    >>> gate = cg.zoo.oracle("gated")
    >>> both = "TCTC" + "AGATAAGG" + "TCTCTC" + "CCACACCC" + "TCTC"
    >>> found = interactions([both], gate, pairs=[(5, 20), (5, 13)])
    >>> found["ice"].sel(unit=0, contrast="5:20").round(6).to_series().to_dict()
    {'AND': 2.0, 'OR': -2.0, 'sum': 0.0}
    >>> found["ice"].sel(unit=0, contrast="5:13").values.tolist()
    [0.0, 0.0, 0.0]
    """
    check_predictor(predictor, "interactions(sequences, predictor)")
    check_no_track(predictor)
    of = as_explained(sequences, skip)
    names, table = _requested(positions, pairs, of.length)
    if names[0] < 0 or names[-1] >= of.length:
        raise PredictorError(
            f"positions {names[0]} to {names[-1]} leave the sequences of "
            f"{of.length:,} bp"
        )
    places = np.tile(names, (len(of), 1))
    predictor.predict(of.tokens[:1])  # which names the tasks, where none were given
    columns = columns_of_tasks(predictor, of, tasks)
    known = (
        list(predictor.tasks)
        if isinstance(columns, slice)
        else [predictor.tasks[k] for k in columns]
    )
    n_numbers = len(of) * len(table) * len(known) * len(predictor.parts)
    if n_numbers > _MOST_NUMBERS:
        raise PredictorError(
            f"{n_numbers:,} interactions (units x pairs x tasks x predictors) are "
            f"more than {_MOST_NUMBERS:,}"
        )
    n_answers = len(of) * (1 + 3 * len(names) + 9 * len(table))
    with meter(n_answers * len(predictor.parts), show=progress) as done:
        found = [
            pair_mutagenesis(
                part, of.tokens, places, table, progress=done, tasks=columns
            )
            for part in predictor.with_incremental_edits(of.length).parts
        ]
    return _effects(
        found,
        of,
        names,
        table,
        predictor,
        known,
        sequences,
    ).assign_attrs(count_skipped(of))


def _requested(
    positions: Any, pairs: Any, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions that are exchanged, sorted, and the pairs as columns of
    these, sorted.
    """
    if positions is not None and pairs is not None:
        raise PredictorError("positions= and pairs= are both given")
    if pairs is None:
        names = np.sort(
            _as_whole_numbers(
                range(width) if positions is None else positions, "positions"
            )
        )
        _check_once([(int(name),) for name in names], "positions")
        if len(names) < 2:
            raise PredictorError(f"positions={names.tolist()}: a pair needs two")
        n_pairs = len(names) * (len(names) - 1) // 2
        _check_number(n_pairs, len(names))
        table = np.stack(np.triu_indices(len(names), 1), axis=1)
        return names, np.asarray(table, np.int64)
    listed = [tuple(_as_whole_numbers(pair, "pairs").tolist()) for pair in pairs]
    if odd := [pair for pair in listed if len(pair) != 2 or pair[0] == pair[1]]:
        raise PredictorError(f"pairs: {odd[0]} is not a pair of two positions")
    if not listed:
        raise PredictorError("pairs=[] is empty")
    ordered = sorted((min(pair), max(pair)) for pair in listed)
    _check_once(ordered, "pairs")
    names = np.unique(ordered)
    _check_number(len(ordered), len(names))
    return names, np.searchsorted(names, np.asarray(ordered, np.int64))


def _as_whole_numbers(values: Any, name: str) -> NDArray[np.int64]:
    listed = list(values)
    if odd := [value for value in listed if not is_whole(value)]:
        raise PredictorError(
            f"{name}: {quoted(odd[0])} is not a position, a whole number"
        )
    return np.asarray(listed, np.int64)


def _check_once(pairs: Sequence[tuple[int, ...]], name: str) -> None:
    seen: set[tuple[int, ...]] = set()
    for one in pairs:
        if one in seen:
            raise PredictorError(f"{name}: {one} appears twice")
        seen.add(one)


def _check_number(n_pairs: int, n_positions: int) -> None:
    if n_pairs > _MOST_PAIRS:
        raise PredictorError(
            f"{n_positions:,} positions have {n_pairs:,} pairs; {_MOST_PAIRS:,} are "
            "the most"
        )


def _effects(
    found: Sequence[PairChanges],
    of: Sequences,
    names: NDArray[np.int64],
    table: NDArray[np.int64],
    predictor: Predictor,
    tasks: list[str],
    sequences: Any,
) -> xr.Dataset:
    pairs = names[table]
    coords: dict[str, Any] = {
        "unit": np.arange(len(of)),
        "contrast": [f"{first}:{second}" for first, second in pairs.tolist()],
        "first": ("contrast", pairs[:, 0]),
        "second": ("contrast", pairs[:, 1]),
        "task": tasks,
        "parent": ("unit", np.asarray(of.parents)),
        "sequence_fingerprint": ("unit", sequence_fingerprints(of.tokens)),
    }
    attrs: dict[str, Any] = attributes(
        assignment="crossover",
        scale=predictor.scale,
        contrast_scale=predictor.scale,
        transform="identity",
        control="",
        estimand=(
            "mean over units of the interaction of the bases at two positions, over 3 "
            "x 3 exchanges"
        ),
        effect_on="the predictor",
        map_method="pair mutagenesis",
        predictor_fingerprint=predictor.fingerprint,
        sequences=of.digest,
        consensus=_consensus(of.tokens[:, names[0] : names[-1] + 1]),
        consensus_start=int(names[0]),
    )
    if isinstance(sequences, xr.Dataset):
        of_units, drawn_by = ("parent", "gc"), OF_NULL
        coords |= {
            name: ("unit", sequences[name].to_numpy())
            for name in of_units
            if name in sequences
        }
        coords["unit"] = sequences["unit"].to_numpy()
        attrs |= {
            name: sequences.attrs[name] for name in drawn_by if name in sequences.attrs
        }
    if predictor.models is not None:
        coords["model"] = list(predictor.models)
    return as_result(xr.Dataset(_columns(found, predictor), coords, attrs), "effects")


def _columns(found: Sequence[PairChanges], predictor: Predictor) -> dict[str, Any]:
    """Return ICE, where they are one number within rounding, what rounding can make,
    and the sd of the answers.
    """
    columns: dict[str, list[Any]] = {
        name: [] for name in ("ice", "constant", "zero", "floor", "control_sd")
    }
    for part, member in zip(found, predictor.parts, strict=True):
        of_contrasts = np.ones((part.interaction.shape[1], 1))
        eps = float(np.finfo(member.precision).eps)
        bound = np.broadcast_to(
            _TERMS * eps * part.largest[:, None], part.interaction.shape
        )
        constant, zero = agreement_of_blocks([(part.interaction, bound)])
        columns["ice"].append(part.interaction)
        columns["constant"].append(constant)
        columns["zero"].append(zero)
        columns["floor"].append(
            _TERMS
            * floor_of_one(member, part.largest.max(axis=0)[None], None)[0]
            * of_contrasts
        )
        if len(part.answers) > 1:
            columns["control_sd"].append(
                part.answers.std(axis=0, ddof=1) * of_contrasts
            )
    model = () if predictor.models is None else ("model",)
    return {
        name: (
            (*(("unit",) if name == "ice" else ()), "contrast", "task", *model),
            np.stack(parts, axis=-1) if model else parts[0],
        )
        for name, parts in columns.items()
        if parts
    }


def _consensus(letters: Tokens) -> str:
    """Return the most frequent letter of the units at each position."""
    counts = np.stack([(letters == base).sum(axis=0) for base in range(4)])
    return "".join("ACGT"[base] for base in counts.argmax(axis=0))


@usual_errors
def dfim(
    sequences: Source | xr.Dataset,
    predictor: Predictor,
    source: int | tuple[int, int],
    *,
    rng: RNG | None = None,
    tasks: str | Sequence[str] | None = None,
    skip: Skip = (),
    progress: bool = True,
) -> xr.Dataset:
    r"""Map how contributions elsewhere depend on one site: contributions minus those
    with the site exchanged.

    Use it to find the partners of a known site. A position whose contribution falls
    when the site is exchanged needs it (positive, AND); one whose contribution rises
    can replace it (negative, OR). It is a map, without p-values; all pairs of positions
    are measured by `causalgia.attribution.interactions`.

    Parameters
    ----------
    sequences
        Sequences of one length, with the site at the same place, as for
        `causalgia.attribute`.
    predictor
        The network.
    source
        The site: a position (from 0), or ``(start, stop)``, stop excluded; the same in
        every sequence. Of sites that move, cut the sequences around them, or make one
        call for each place.
    rng
        Seed (0 is a seed), Generator or SeedSequence, for 9 random exchanges of the
        site of each sequence. Of one or two positions all are made, without a seed.
    tasks, skip, progress
        As in `causalgia.attribute`.

    Returns
    -------
    Dataset
        A map: ``score (unit, position, task[, model])`` on the predictor's scale, 0 in
        the site itself, with ``observed`` and ``answer``. `causalgia.plot.map` draws it and
        `causalgia.attribution.average` averages it over sequences.

    Raises
    ------
    PredictorError
        If the source is no position or leaves the sequences, a seed is missing, or as
        in `causalgia.attribute`.
    PredictorError, SequenceError, EstimateError
        As in `causalgia.attribute`.

    Notes
    -----
    With :math:`c_j(x)` the contribution of position j
    (`causalgia.attribution.contributions`), the score
    is :math:`c_j(x) - E_e[c_j(x_e)]`, over exchanges e in which every base of the site
    becomes one of the other three, by saturation mutagenesis: with a source of one
    position it is the interaction of pair mutagenesis, exactly. Greenside et al. replace
    a motif by base frequencies, which is not a sequence; here every edited sequence is
    one. It takes as many maps as exchanges, and one more.

    References
    ----------
    Greenside et al. (2018), doi:10.1093/bioinformatics/bty575.

    Examples
    --------
    >>> import causalgia as cg
    >>> both = "TCTC" + "AGATAAGG" + "TCTCTC" + "CCACACCC" + "TCTC"
    >>> found = dfim([both], cg.zoo.oracle("gated"), (4, 12), rng=0)
    >>> found["score"].sel(unit=0, position=20, task=["AND", "OR"]).round(
    ...     6
    ... ).to_series().to_dict()
    {'AND': 2.0, 'OR': -2.0}
    """
    of = as_explained(sequences, skip)
    start, stop = _as_source(source, of.length)
    width = stop - start
    every = 3**width <= _EXCHANGES
    if rng is None and not every:
        raise PredictorError(
            f"source=({start}, {stop}) has {3**width:,} exchanges, of which "
            f"{_EXCHANGES} are drawn at random, and take a seed: rng=None"
        )
    key = None if rng is None else root_key(rng)
    edits = _edits(
        of,
        start,
        width,
        None if every or key is None else derive(key, "exchanges"),
    )

    def mapped(what: Source | xr.Dataset) -> xr.Dataset:
        return attribute(what, predictor, tasks=tasks, progress=progress)

    maps = mapped(of if of.skipped else sequences)
    edited: Any = 0.0
    n_maps = 3**width if every else _EXCHANGES
    for tokens in edits:
        of_edit = mapped(Sequences(tokens, of.names))
        edited = edited + contributions(of_edit).to_numpy() / n_maps
    score = contributions(maps).to_numpy() - edited + 0.0  # no -0
    score[:, start:stop] = 0.0
    dims = tuple(dim for dim in maps["score"].dims if dim != "base")
    found = maps.drop_vars(["score", "base"]).assign(score=(dims, score))
    attrs = maps.attrs | attributes(
        method="dfim", map_method="ism", source=f"{start}:{stop}", n_exchanges=n_maps
    )
    return as_result(found.assign_attrs(attrs), "attributions")


def _as_source(source: object, length: int) -> tuple[int, int]:
    try:
        start, stop = as_span((source, int(source) + 1) if is_whole(source) else source)
    except DesignError as error:
        raise PredictorError(
            f"source={quoted(source)} is not a site: {error}"
        ) from error
    if stop > length:
        raise PredictorError(
            f"source=({start}, {stop}) leaves the sequences, which have {length:,} bp"
        )
    if stop - start == length:
        raise PredictorError(
            f"source=({start}, {stop}) is the whole sequence, and no base is left to "
            "map"
        )
    return start, stop


def _edits(of: Sequences, start: int, width: int, key: int | None) -> Iterator[Tokens]:
    """Yield the sequences with every base of the site exchanged: in all ways without a
    key, else at random.
    """
    units = np.arange(len(of), dtype=np.uint64)
    steps: Any = product((1, 2, 3), repeat=width) if key is None else range(_EXCHANGES)
    for step in steps:
        by = (
            np.asarray(step)
            if key is None
            else random_words(derive(key, int(step)), units, width) % np.uint64(3) + 1
        )
        tokens = of.tokens.copy()
        tokens[:, start : start + width] = (
            tokens[:, start : start + width] + by.astype(np.uint8)
        ) % 4
        yield tokens

"""`dfim`: deep feature interaction maps, how the map of a sequence changes when one of its sites is exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from causalgia.attribution._attribute import Method, attribute
from causalgia.attribution._contributions import contributions
from causalgia.attribution.baselines import as_explained
from causalgia.checks import as_count, as_span, is_whole
from causalgia.design import NullModel
from causalgia.errors import AttributionError, DesignError, quoted
from causalgia.numerics.observed_scores import observed_scores
from causalgia.predict import Predictor
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Sequences, Source
from causalgia.sequences.random import random_words
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens


def dfim(
    sequences: Source | xr.Dataset,
    predictor: Predictor,
    source: int | tuple[int, int],
    *,
    method: Method = "ism",
    baselines: NullModel | None = None,
    n_baselines: int = 64,
    n_exchanges: int = 9,
    rng: RNG | None = None,
    tasks: str | Sequence[str] | None = None,
    progress: bool = True,
) -> xr.Dataset:
    r"""Map what the rest of a sequence owes to one of its sites: contributions minus those with the site exchanged.

    Use it to find the partners of a known site. A position whose contribution falls when the site is exchanged needs it
    (positive, AND); one whose contribution rises stands in for it (negative, OR). It is a map, without p-values; all
    pairs of positions are measured by `causalgia.attribution.interactions`.

    Parameters
    ----------
    sequences
        Sequences of one length, with the site at the same place, as for `causalgia.attribute`.
    predictor
        The network.
    source
        The site: a position (from 0), or ``(start, stop)``, stop excluded; the same in every sequence. Of sites that
        move, cut the sequences around them, or make one call for each place.
    method, baselines, n_baselines
        How maps are made, as in `causalgia.attribute`.
    n_exchanges
        Random exchanges of the site of each sequence. Where a site has no more exchanges than that (3 for a position, 9
        for two), all of them are made.
    rng
        Seed of exchanges and of baselines; a source of one or two positions with a method without baselines needs none.
    tasks, progress
        As in `causalgia.attribute`.

    Returns
    -------
    Dataset
        A map: ``score (unit, position, task[, model])`` on the predictor's scale, 0 in the site itself, with
        ``observed`` and ``answer``; over baselines also ``score_se``, the sum of the standard errors of both
        maps, which the error of the difference does not exceed. `causalgia.plot.map_logo` draws it and
        `causalgia.attribution.average` averages it over sequences.

    Raises
    ------
    AttributionError
        If the source is no position or leaves the sequences, the method is unknown, a seed is missing, or as in
        `causalgia.attribute`.
    PredictorError, SequenceError, ContrastError
        As in `causalgia.attribute`.

    Notes
    -----
    With :math:`c_j(x)` the contribution of position j (`causalgia.attribution.contributions`), the score is
    :math:`c_j(x) - E_e[c_j(x_e)]`, over exchanges e in which every base of the site becomes one of the other three. By
    ``"ism"`` with a source of one position it is the interaction of pair mutagenesis, exactly. Greenside et al. replace
    a motif by base frequencies, which is no sequence; here every edited sequence is one. Shuffles, the default
    baselines, are those of each edited sequence; a null model such as ``baselines=cg.Uniform(length=...)`` has the same
    baselines for both maps, so that most of their noise cancels. It takes as many maps as exchanges, and one more.

    References
    ----------
    Greenside et al. (2018), doi:10.1093/bioinformatics/bty575.

    Examples
    --------
    >>> import causalgia as cg
    >>> both = "TCTC" + "AGATAAGG" + "TCTCTC" + "CCACACCC" + "TCTC"
    >>> found = dfim([both], cg.zoo.oracle("gated"), (4, 12), rng=0)
    >>> found["score"].sel(unit=0, position=20, task=["AND", "OR"]).round(6).to_series().to_dict()
    {'AND': 2.0, 'OR': -2.0}
    """
    of = as_explained(sequences)
    start, stop = _as_source(source, of.length)
    width, n_exchanges = stop - start, as_count(n_exchanges, "n_exchanges")
    every = 3**width <= n_exchanges
    if rng is None and not every:
        raise AttributionError(
            f"source=({start}, {stop}) has {3**width:,} exchanges, of which {n_exchanges:,} are drawn at random, and a "
            "seed must be explicit: give rng=0, say"
        )
    key = None if rng is None else root_key(rng)
    edits = _edits(of, start, width, None if every or key is None else derive(key, "exchanges"), n_exchanges)

    def mapped(what: Source | xr.Dataset) -> xr.Dataset:
        return attribute(
            what,
            predictor,
            method=method,
            baselines=baselines,
            n_baselines=n_baselines,
            rng=None if key is None else derive(key, "maps"),
            tasks=tasks,
            progress=progress,
        )

    maps = mapped(sequences)
    edited: Any = 0.0
    error: Any = 0.0
    n_maps = 3**width if every else n_exchanges
    for tokens in edits:
        of_edit = mapped(Sequences(tokens, of.names))
        edited = edited + contributions(of_edit).to_numpy() / n_maps
        if "score_se" in of_edit:
            error = error + _observed_se(of_edit) / n_maps
    score = contributions(maps).to_numpy() - edited + 0.0  # no -0
    score[:, start:stop] = 0.0
    dims = tuple(dim for dim in maps["score"].dims if dim != "base")
    found = maps.drop_vars(
        ["score", "score_se", "baseline_answer", "completeness", "completeness_se", "base"], errors="ignore"
    ).assign(score=(dims, score))
    if "score_se" in maps:
        error = _observed_se(maps) + error
        error[:, start:stop] = 0.0
        found["score_se"] = (dims, error)
    attrs = maps.attrs | {
        "method": "dfim",
        "map_method": method,
        "source": f"{start}:{stop}",
        "n_exchanges": n_maps,
    }
    return validate(annotate(found.assign_attrs(attrs)), "attributions")


def _as_source(source: object, length: int) -> tuple[int, int]:
    if isinstance(source, Sequence | np.ndarray) and not isinstance(source, str) and len(source) != 2:
        raise AttributionError(
            f"source={quoted(source)} has {len(source):,} entries, and a site is at one place, the same in all "
            "sequences; give a position such as 20, or (16, 24): cut sequences around a site that moves, or make one "
            "call for each place"
        )
    try:
        start, stop = as_span((source, int(source) + 1) if is_whole(source) else source)
    except DesignError as error:
        raise AttributionError(
            f"source={quoted(source)} is no site: {error}; give a position such as 20, or (16, 24)"
        ) from error
    if stop > length:
        raise AttributionError(f"source=({start}, {stop}) leaves the sequences, which have {length:,} bp")
    if stop - start == length:
        raise AttributionError(f"source=({start}, {stop}) is the whole sequence, and nothing is left to map")
    return start, stop


def _edits(of: Sequences, start: int, width: int, key: int | None, n_exchanges: int) -> Iterator[Tokens]:
    """Yield the sequences with every base of the site exchanged: in all ways without a key, else at random."""
    units = np.arange(len(of), dtype=np.uint64)
    steps: Any = product((1, 2, 3), repeat=width) if key is None else range(n_exchanges)
    for step in steps:
        by = np.asarray(step) if key is None else random_words(derive(key, int(step)), units, width) % np.uint64(3) + 1
        tokens = of.tokens.copy()
        tokens[:, start : start + width] = (tokens[:, start : start + width] + by.astype(np.uint8)) % 4
        yield tokens


def _observed_se(maps: xr.Dataset) -> Any:
    """Return the standard error of the observed base's score, (unit, position, task[, model])."""
    error = maps["score_se"].to_numpy()
    return observed_scores(error, maps["observed"].to_numpy()) if "base" in maps["score_se"].dims else error.copy()

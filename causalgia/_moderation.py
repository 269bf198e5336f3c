"""The verb `moderation`: how individual effects differ, and what moves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, as_int
from causalgia.design import Design
from causalgia.design.intervention import steps_of
from causalgia.design.null_model import gc_content
from causalgia.errors import EstimateError
from causalgia.estimation import estimate
from causalgia.estimation.moderation import (
    check_rank,
    individual_effects,
    moderated,
    sd_of,
    share_of,
    terms,
)
from causalgia.estimation.request import Request, check_clusters, clusters, null_value
from causalgia.multiplicity.regions import rope_region
from causalgia.notes import unpack_text
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import centered, group_sums
from causalgia.outcome_values import selection
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source, as_sequences
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.sequences.motif_scores import find_instances
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, Seed, derive
from causalgia.trial.attributes import load_design
from causalgia.types import Array, Codes, Mask, Tokens
from causalgia.variables import SCHEMA

LEAST_SHARE, LEVEL, LEAST_UNITS, LEAST_CLUSTERS = 0.05, 0.05, 20, 5
"""A moderator is named if it explains so much, with such a p, and so many units and
clusters lie on either side of it."""
PROBS = (0.05, 0.25, 0.5, 0.75, 0.95)
_P_VALUE, _FINE = 1e-4, 20
_NO_MODERATORS = ("unit", "parent", "block", "site_start", "site_stop", "site_strand")
_TEXTS = ("kind", "name", "level", "strand", "side")
_OWN = frozenset(row.name for row in SCHEMA if row.datasets == ("moderation",))


@usual_errors
def moderation(
    effects: xr.Dataset,
    by: str | Sequence[str] | None = None,
    *,
    motifs: MotifList | None = None,
    max_gap: int = 40,
    sequences: Source | None = None,
    rope: RopeLike | None = None,
    cluster: str = "auto",
    ci_prob: float = 0.95,
    rng: RNG | None = None,
) -> xr.Dataset:
    """Describe for whom an effect is large: the spread of individual causal effects
    (ICE), and what moves them.

    With `by` alone effects are regressed on it, on all units. Otherwise one moderator
    is chosen for each effect on half of the units (of the clusters), that which
    explains most of the variance there, and its effect is estimated on the other half:
    its p-value needs no correction for the choice. Candidates are GC, CpG, the
    coordinates of the units or `by`, and motifs at runs of offsets from the site that
    the arms edit, on either side and strand of it. Contexts were drawn, not set: what
    moves effects here need not be their cause, which a trial of pairs tests.

    Parameters
    ----------
    effects
        From `contrast`, of a crossover. Units may have coordinates ``site_start``,
        ``site_stop`` (0-based, half-open) and ``site_strand`` ("+" or "-"); without
        them sites are those that the design's arms edit, on the strand written.
    by
        Coordinates of the units, numbers or categories, ``"gc"`` or ``"cpg"``, or a
        formula of them such as ``"gc * tissue"``. Empty: the spread alone. None: all
        coordinates are candidates, beside GC and CpG.
    motifs
        Candidates beside `by`: a mapping name -> motif, a list, a file, or
        ``"JASPAR"``.
    max_gap
        Largest number of bases between the site and a motif.
    sequences
        Backgrounds of the units, in their order. None: drawn again by the seed and the
        design that effects carry.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. None: no shares beyond it.
    cluster
        Units that vary together. ``"auto"``, ``"none"`` or a coordinate, as in
        `estimate`.
    ci_prob
        Probability of the intervals.
    rng
        Seed of the halves. None: that of the trial.

    Returns
    -------
    Dataset
        Spread, ``(contrast, task[, model])``: ``sd, sd_se, sd_lower, sd_upper`` by the
        jackknife of its logarithm, ``quantiles (prob, ...)``, and with a region
        ``above, below, beyond``, shares with ``_se, _lower, _upper`` (Korn & Graubard).
        Moderators, ``(moderator, contrast, task[, model])``: ``kind`` ("number",
        "category", "motif" or ""), ``name, level``; of motifs ``strand`` ("same",
        "opposite", "either"), ``side`` ("upstream", "downstream", "either"),
        ``gap_from, gap_to`` (bases between, inclusive); ``slope, se, df`` (CR2), and
        ``p, lower, upper`` by the rule of intervals, which also reads ``skewness,
        se_pooled, df_pooled`` (where one unit, or cluster, alone has a category, its
        spread is unknown: the interval is ``unbounded``); ``inside, outside``, the
        effect with and without it (one sd above and below the mean of a number);
        ``share`` of the variance of effects; ``n_inside, n_outside``; ``mean, sd_of``;
        and ``named``: share >= .05, p <= .05, 20 or more units on either side.
        ``n_candidates`` were compared.

    Raises
    ------
    EstimateError
        For a parallel trial, a function of means or too few units; if a covariate is
        missing, does not vary, is collinear with others, or is an outcome; if motifs
        are asked and neither sequences nor seed and design are known.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181: CR2. Cox (1975),
    doi:10.1093/biomet/62.2.441: a hypothesis chosen on one half. Oldham (1962),
    doi:10.1016/0021-9681(62)90034-7: why no outcome is a moderator.

    Examples
    --------
    >>> gc = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    >>> ice = (2 * gc + np.array([0.1, -0.1, 0.0, -0.1, 0.1]))[:, None, None]
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice)}, coords={"gc": ("unit", gc)}
    ... )
    >>> found = moderation(effects, by="gc").squeeze()
    >>> [round(float(found[name]), 3) for name in ("slope", "se", "df", "share")]
    [2.0, 0.478, 1.954, 0.909]
    """
    ice, ci_prob = individual_effects(effects, "moderation"), as_ci_prob(ci_prob)
    max_gap = as_int(max_gap, "max_gap", least=0, error=EstimateError)
    groups = clusters(effects, Request(cluster, None, (), "population", "units"))
    if groups is not None:
        check_clusters(groups, len(groups.labels))
    codes = None if groups is None else groups.codes
    dims = tuple(map(str, effects["ice"].dims[1:]))
    out = _spread(effects, ice, dims, rope, codes, ci_prob)
    search = by is None or motifs is not None
    if search or list(by or ()):
        drawn = None
        if motifs is not None or sequences is not None or _asks(effects, by, search):
            drawn = _backgrounds(effects, sequences, required=motifs is not None)
        known = effects if drawn is None else _with_composition(effects, drawn.tokens)
        if by is None:
            by = [
                str(name)
                for name, c in known.coords.items()
                if c.dims == ("unit",)
                and name not in _NO_MODERATORS
                and c.dtype.kind in "fiubUO"
                and 1 < len(np.unique(c.to_numpy().astype(str))) <= _most_levels(c)
            ]
        columns = terms(known, by) if len(by) else []
        if search:
            sought = {} if motifs is None else named_motifs(motifs, error=EstimateError)
            seed = Seed.stored(about(effects, "").rng) if rng is None else None
            key = seed or Seed.parse(0 if rng is None else rng)
            half = _half(effects, codes, derive(key.key, "moderation"))
            found, compared = _chosen(
                effects, ice, half, codes, ci_prob, columns, sought, drawn, max_gap
            )
            rare = [name for name in sought if name not in compared]
            if rare:
                out.attrs |= attributes(not_tried="\n".join(rare), max_gap=max_gap)
            labels = ["chosen"]
        else:
            x = np.column_stack([term.values for term in columns])
            labels = [term.label for term in columns]
            check_rank(
                (z := centered(x)[1]) / np.abs(z).max(axis=0),
                tuple(labels),
                "the units",
            )
            if len(ice) < len(labels) + 2:
                raise EstimateError(
                    f"{len(labels)} covariates need {len(labels) + 2} or more units, "
                    f"and there are {len(ice)}"
                )
            category = [t.name if t.reference else "" for t in columns]
            found = moderated(x, ice, codes, ci_prob, category)
            shape = (len(labels), *[1] * (ice.ndim - 1))
            for name, texts in (
                ("kind", ["category" if t.level else "number" for t in columns]),
                ("name", [t.name for t in columns]),
                ("level", [t.level for t in columns]),
                ("reference", [t.reference for t in columns]),
            ):
                found[name] = np.broadcast_to(
                    np.reshape(texts, shape), found["p"].shape
                )
            found["n_candidates"] = np.zeros(ice.shape[1:], np.int64)
        found["sd_of"] = found.pop("sd")
        found["named"] = (
            (found["share"] >= LEAST_SHARE)
            & (found["p"] <= LEVEL)
            & (np.minimum(found["n_inside"], found["n_outside"]) >= LEAST_UNITS)
        )
        out = out.assign(
            {
                name: (dims if name == "n_candidates" else ("moderator", *dims), values)
                for name, values in found.items()
            }
        ).assign_coords(moderator=labels)
    coords = {
        str(name): c.variable
        for name, c in effects.coords.items()
        if c.dims and set(c.dims) <= set(dims) and name not in _OWN
    }
    attrs = attributes(
        ci_prob=ci_prob,
        cluster="unit" if groups is None else groups.name,
        n_units=len(ice),
        n_clusters=len(ice) if groups is None else len(groups.labels),
    )
    out = out.assign_coords(prob=list(PROBS), **coords)
    attrs = dict(effects.attrs) | selection(effects) | attrs
    return as_result(out.assign_attrs(attrs | out.attrs), "moderation")


def _spread(
    effects: xr.Dataset,
    ice: Array,
    dims: tuple[str, ...],
    rope: RopeLike | None,
    codes: Codes | None,
    ci_prob: float,
) -> xr.Dataset:
    """Return sd, quantiles and shares beyond the region."""
    ends = ("", "_se", "_lower", "_upper")
    columns: dict[str, Any] = {}
    for end, values in zip(ends, sd_of(ice, codes, ci_prob), strict=True):
        columns[f"sd{end}"] = (dims, values)
    columns["quantiles"] = (("prob", *dims), np.quantile(ice, PROBS, axis=0))
    if rope is not None:
        low, high = _ends(rope, effects)
        columns |= {"rope_lower": (dims, low), "rope_upper": (dims, high)}
        above, below = ice > high, ice < low
        for name, event in (
            ("above", above),
            ("below", below),
            ("beyond", above | below),
        ):
            for end, values in zip(ends, share_of(event, codes, ci_prob), strict=True):
                columns[name + end] = (dims, values)
    return xr.Dataset(columns)


def _ends(rope: RopeLike, effects: xr.Dataset) -> tuple[Array, Array]:
    """Return the ends of the region of each contrast and task; those of placebos come
    from the estimates of these effects.
    """
    parsed, null = Rope.parse(rope), null_value(effects)
    table = estimate(effects) if parsed.of_placebos else effects.drop_dims("unit")
    if "ace" not in table:
        table = table.assign(ace=effects["ice"].isel(unit=0, drop=True))
    found = rope_region(parsed, table, null)
    order = [str(dim) for dim in effects["ice"].dims[1:]]
    dims = table["ace"].dims
    lower, upper = (
        xr.DataArray(end, dims=dims).transpose(*order).to_numpy()
        for end in (found.lower, found.upper)
    )
    return lower, upper


@dataclass(frozen=True)
class _Drawn:
    """Backgrounds of the units, and the design that says where they are edited."""

    tokens: Tokens
    design: Design | None


def _asks(effects: xr.Dataset, by: object, search: bool) -> bool:
    """Return whether candidates are made from the backgrounds, and these are known."""
    known = unpack_text(effects, "design") is not None
    if search and by is None:
        return known and Seed.stored(about(effects, "").rng) is not None
    return any(
        word in str(by).lower() and word not in effects.variables
        for word in ("gc", "cpg")
    )


def _backgrounds(
    effects: xr.Dataset, sequences: Source | None, *, required: bool
) -> _Drawn:
    """Return the backgrounds, given or drawn again."""
    has_sites = "site_start" in effects.coords
    stored = unpack_text(effects, "design") is not None
    if sequences is not None:
        tokens = as_sequences(sequences).tokens
        if len(tokens) != effects.sizes["unit"]:
            raise EstimateError(
                f"sequences=: {len(tokens):,} for {effects.sizes['unit']:,} units",
                argument="sequences",
            )
        return _Drawn(
            tokens, load_design(effects) if required and not has_sites else None
        )
    seed = Seed.stored(about(effects, "").rng)
    if seed is None or not stored:
        raise EstimateError(
            "sequences=None: these effects do not carry the design and the seed from "
            "which their backgrounds are drawn again",
            argument="sequences",
        )
    design = load_design(effects)
    units = effects["unit"].to_numpy().astype(np.uint64)
    key = derive(seed.key, "null")
    return _Drawn(design.drawn.draw(units, key=key, n_units=design.n_units), design)


def _with_composition(effects: xr.Dataset, tokens: Tokens) -> xr.Dataset:
    """Return effects with the coordinates ``gc`` and ``cpg`` (per base), where they
    vary.
    """
    cpg = ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).mean(axis=1)
    made = {"gc": gc_content(tokens), "cpg": cpg}
    return effects.assign_coords(
        {
            name: ("unit", values)
            for name, values in made.items()
            if name not in effects.coords
        }
    )


def _most_levels(coordinate: xr.DataArray) -> float:
    """Return how many values a moderator has at most: categories a level for 20 units."""
    n = coordinate.size
    return n / LEAST_UNITS if coordinate.dtype.kind in "UO" else n


def _half(effects: xr.Dataset, codes: Codes | None, key: int) -> Mask:
    """Return which units choose: half of the clusters, whatever the units' order."""
    order = np.argsort(effects["unit"].to_numpy())
    own = np.arange(len(order)) if codes is None else codes
    rank = np.empty_like(own)
    rank[order] = pd.factorize(own[order])[0]
    n = int(rank.max()) + 1
    chosen: Mask = np.random.default_rng(key).permutation(n)[rank] < n // 2
    return chosen


@dataclass(frozen=True)
class _Block:
    """Candidates of one kind: columns of `values`, (rows, m), which are 0 in the units
    that are not in `rows`, and the first and last gap of each.
    """

    kind: str
    name: str
    rows: NDArray[np.intp]
    values: NDArray[Any]
    level: str = ""
    strand: str = ""
    side: str = ""
    gaps: NDArray[np.int64] | None = None

    def column(self, k: int, n: int) -> Array:
        """Return a candidate of all n units."""
        column = np.zeros(n)
        column[self.rows] = self.values[:, k]
        return column


def _chosen(
    effects: xr.Dataset,
    ice: Array,
    half: Mask,
    codes: Codes | None,
    ci_prob: float,
    columns: Sequence[Any],
    motifs: dict[str, Motif],
    drawn: _Drawn | None,
    max_gap: int,
) -> tuple[dict[str, Any], set[str]]:
    """Return for each effect the moderator that explains most in one half of the units,
    as it does in the other half; and the names that were compared for any.
    """
    shape = (1, *ice.shape[1:])
    found: dict[str, Any] = {name: np.full(shape, "", "O") for name in _TEXTS}
    found |= {name: np.full(shape, -1) for name in ("gap_from", "gap_to")}
    found |= {name: np.zeros(shape, np.int64) for name in ("n_inside", "n_outside")}
    # without a moderator the effect is the same on either side
    flat = ("slope", "se", "lower", "upper", "mean", "sd", "share")
    of_rule = ("skewness", "se_pooled")
    found |= {name: np.zeros(shape) for name in (*flat, *of_rule)}
    found |= {name: np.ones(shape) for name in ("p", "df", "df_pooled")}
    found |= {
        name: ice[~half].mean(axis=0, keepdims=True) for name in ("inside", "outside")
    }
    found["n_candidates"] = np.zeros(shape[1:], np.int64)
    fixed = [
        _Block(
            "category" if term.level else "number",
            term.name,
            np.arange(len(ice)),
            term.values[:, None],
            term.level,
        )
        for term in columns
    ]
    compared = set[str]()
    scanned: dict[bytes, list[tuple[str, NDArray[np.bool_], bool]]] = {}
    for k in range(ice.shape[1]):
        runs: Iterator[_Block] = iter(())
        if motifs and drawn is not None:
            sites = _sites(effects, drawn.design, k)
            mark = b"".join(map(np.ndarray.tobytes, sites))
            if mark not in scanned:
                scanned[mark] = list(_scan(drawn.tokens, sites, motifs, max_gap))
            runs = _runs(scanned[mark], max_gap)
        responses = ice[:, k].reshape(len(ice), -1)
        best, tried, names = _best(responses, chain(fixed, runs), half, codes)
        compared |= names
        for r, (block, column) in enumerate(best):
            at = np.unravel_index(r, ice.shape[2:])
            found["n_candidates"][(k, *at)] = tried
            if block is None:
                continue
            test = ~half
            own = (
                None
                if codes is None
                else np.unique(codes[test], return_inverse=True)[1]
            )
            fit = moderated(
                block.column(column, len(ice))[test, None],
                responses[test, r],
                own,
                ci_prob,
            )
            texts = {name: getattr(block, name) for name in _TEXTS}
            gaps = (
                {}
                if block.gaps is None
                else dict(zip(("gap_from", "gap_to"), block.gaps[column], strict=True))
            )
            for name, value in (fit | texts | gaps).items():
                found[name][(0, k, *at)] = np.squeeze(value)
    return found | {name: found[name].astype(str) for name in _TEXTS}, compared


def _best(
    y: Array, blocks: Iterable[_Block], half: Mask, codes: Codes | None
) -> tuple[list[tuple[_Block | None, int]], int, set[str]]:
    """Return the block and column that explain most of each response, (n, R), in one
    half; how many columns were compared, and of which names.
    """
    chosen: list[tuple[_Block | None, int]] = [(None, 0)] * y.shape[1]
    z, most, tried = centered(y[half])[1], np.zeros(y.shape[1]), 0
    names = set[str]()
    squares = (z**2).sum(axis=0)
    z = z / np.sqrt(np.where(squares > 0, squares, 1.0))
    numbers = np.cumsum(half) - 1  # of a unit among those of the half
    parts = [(half, _sizes(half, codes)), (~half, _sizes(~half, codes))]
    for block in blocks:
        values = block.values
        if block.kind == "number":
            usable = np.all([np.ptp(values[p], axis=0) > 0 for p, _ in parts], axis=0)
        else:
            usable = np.all(
                [
                    _enough(values[own], block.rows[own], sizes, codes)
                    for own, sizes in ((p[block.rows], n) for p, n in parts)
                ],
                axis=0,
            )
        tried += int(usable.sum())
        if not usable.any():
            continue
        names.add(block.name)
        places = np.flatnonzero(usable)
        own = half[block.rows]
        x = values[np.ix_(own, places)].astype(float)
        if block.kind == "number":
            x = centered(x)[1]
        # z sums to 0, so that x need not be centered
        size = (x**2).sum(axis=0) - x.sum(axis=0) ** 2 / len(z)
        share = (x.T @ z[numbers[block.rows[own]]]) ** 2 / size[:, None]
        # either side or strand joins two conditions, which costs what BIC says
        joined = (block.strand, block.side).count("either")
        score = share - joined * np.log(len(z)) / len(z) * (1 - share)
        score = score.round(12)  # of equal columns the first, narrowest counts
        for r, column in enumerate(score.argmax(axis=0).tolist()):
            if score[column, r] > most[r]:
                most[r] = score[column, r]
                chosen[r] = (block, int(places[column]))
    return chosen, tried, names


def _sizes(part: Mask, codes: Codes | None) -> NDArray[np.int64]:
    """Return the number of units of each cluster in a part."""
    if codes is None:
        return np.array([part.sum()])
    return np.bincount(codes[part], minlength=codes.max() + 1)


def _enough(
    inside: NDArray[Any],
    rows: NDArray[np.intp],
    sizes: NDArray[np.int64],
    codes: Codes | None,
) -> Mask:
    """Return which indicators, of some rows and 0 elsewhere, have enough units and
    clusters on either side.
    """
    n = np.count_nonzero(inside, axis=0)
    enough: Mask = np.minimum(n, sizes.sum() - n) >= LEAST_UNITS
    if codes is not None and enough.any():
        own, clusters = np.unique(codes[rows], return_inverse=True)
        hits = group_sums(inside[:, enough].astype(float), clusters)
        reached = (hits > 0).sum(axis=0)
        left = (sizes > 0).sum() - (hits == sizes[own, None]).sum(axis=0)
        enough[enough] = np.minimum(reached, left) >= LEAST_CLUSTERS
    return enough


def _sites(
    effects: xr.Dataset, design: Design | None, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Return start, stop and whether it is on the minus strand, of the site of the k-th
    contrast in each unit.
    """
    n = effects.sizes["unit"]
    minus = np.zeros(n, bool)
    if "site_start" in effects.coords:
        start, stop = (
            effects[name].to_numpy().astype(np.int64)
            for name in ("site_start", "site_stop")
        )
    else:
        assert design is not None
        units = effects["unit"].to_numpy().astype(np.uint64)
        weight = effects["weight"].isel(contrast=k)
        names = weight["arm"].to_numpy()
        arms = {arm.name: arm.intervention for arm in design.named_arms}
        for sign in (1, -1):
            done = [
                arms[a]
                for a, w in zip(names, weight.to_numpy(), strict=True)
                if sign * w > 0
            ]
            spans = [s for s in (one.spans_of(units) for one in done) if s.size]
            if spans:
                break
        else:
            raise EstimateError("motifs=: no arm edits a site", argument="motifs")
        start = np.min([span[:, 0] for span in spans], axis=0)
        stop = np.max([span[:, 1] for span in spans], axis=0)
        strands = {getattr(s, "strand", "+") for one in done for s in steps_of(one)}
        minus[:] = strands == {"-"}
    if "site_strand" in effects.coords:
        minus = effects["site_strand"].to_numpy() == "-"
    return start, stop, minus


def _scan(
    tokens: Tokens,
    sites: tuple[NDArray[np.int64], NDArray[np.int64], Mask],
    motifs: dict[str, Motif],
    max_gap: int,
) -> Iterator[tuple[str, NDArray[np.bool_], bool]]:
    """Yield each motif's name, whether it lies (downstream, on the same strand, in the
    unit, at the gap), and whether it is a palindrome; those too rare are left out.
    """
    start, stop, minus = sites
    n, length = tokens.shape
    for name, motif in motifs.items():
        reach = max_gap + len(motif)
        size = min(int((stop - start).max()) + 2 * reach, length)
        if len(motif) > size:
            continue
        left = np.clip(start - reach, 0, length - size)
        near = tokens[np.arange(n)[:, None], left[:, None] + np.arange(size)]
        # of short motifs the best string alone
        threshold = max(_P_VALUE, 2.0 ** -float(motif.information.sum()))
        found = find_instances(near, motif, threshold=threshold, overlapping=True)
        row, at = found.row, found.start + left[found.row]
        before, behind = start[row] - at - found.width, at - stop[row]
        gap = np.maximum(before, behind)
        near_by = (gap >= 0) & (gap <= max_gap)
        row, gap, before = row[near_by], gap[near_by], before[near_by]
        if len(row) < 2 * LEAST_UNITS:
            continue
        downstream = (before >= 0) == minus[row]
        same = (found.strand[near_by] == "-") == minus[row]
        hits = np.zeros((2, 2, n, max_gap + 1), bool)
        hits[downstream * 1, same * 1, row, gap] = True
        palindrome = motif.reverse_complement().probabilities == motif.probabilities
        yield name, hits, palindrome


def _runs(
    scanned: Iterable[tuple[str, NDArray[np.bool_], bool]], max_gap: int
) -> Iterator[_Block]:
    """Yield whether each motif lies in each run of gaps, by side and strand; narrow
    runs, one side and one strand come first.
    """
    gaps = np.array(
        [
            (first, first + width - 1)
            for width in _widths(max_gap + 1)
            for first in range(max_gap + 2 - width)
        ]
    )
    sides = {"downstream": [1], "upstream": [0], "either": [0, 1]}
    strands = {"same": [1], "opposite": [0], "either": [0, 1]}
    for name, hits, palindrome in scanned:
        for side, strand in product(sides, strands):
            there = np.any(hits[np.ix_(sides[side], strands[strand])], axis=(0, 1))
            rows = np.flatnonzero(there.any(axis=1))
            if (palindrome and strand != "either") or len(rows) < 2 * LEAST_UNITS:
                continue
            padded = np.pad(there[rows], ((0, 0), (1, 0)))
            total = np.cumsum(padded, axis=1, dtype=np.int32)
            runs = total[:, gaps[:, 1] + 1] > total[:, gaps[:, 0]]
            n = np.count_nonzero(runs, axis=0)
            often = np.minimum(n, len(there) - n) >= 2 * LEAST_UNITS
            yield _Block(
                "motif", name, rows, runs[:, often], "", strand, side, gaps[often]
            )


def _widths(most: int) -> list[int]:
    """Return widths of runs: all up to 20, wider ones in steps of a quarter, and all."""
    widths, width = list(range(1, min(_FINE, most) + 1)), _FINE
    while (width := width + width // 4) < most:
        widths.append(width)
    return widths if most <= _FINE else [*widths, most]

"""`propose`: motifs suggested by maps of sequences, for a trial to test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes, has
from causalgia.attribution._attribute import attribute
from causalgia.attribution.attribution_maps import contributions
from causalgia.attribution.distinct_patterns import (
    EditedBackgrounds,
    Pattern,
    distinct_patterns,
    each_motif_once,
    with_others,
)
from causalgia.attribution.seqlets import (
    Group,
    Windows,
    all_windows,
    check_modisco,
    groups,
    groups_of_kmers,
    modisco_groups,
    window_sums,
    windows,
    windows_of_table,
)
from causalgia.checks import as_count, as_names, is_real, nearest
from causalgia.design import DinucleotideShuffle, NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import MissingExtraError, PredictorError, comma_list, quoted
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict._torch_network import torch_network
from causalgia.predict.predictor import check_predictor
from causalgia.schema import validate
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import Sequences, Source, sequence_fingerprints
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.outcomes import meter
from causalgia.types import Tokens

Method = Literal["seqlets", "kmer", "modisco", "filters"]
_ALL: tuple[Method, ...] = ("seqlets", "modisco", "filters", "kmer")
_OF_WINDOWS = ("seqlets", "kmer")
_WINDOW_WIDTH = 8
_NULL_SHARE = 0.1
_BACKGROUNDS = 64
_WIDEST_KMER = 8
_SAME_STRANDS = 0.9


@usual_errors
def propose(
    attributions: xr.Dataset | None = None,
    *,
    predictor: Predictor,
    sequences: Source | xr.Dataset | None = None,
    method: Method | Literal["all"] | Sequence[Method] = "seqlets",
    seqlets: pd.DataFrame | None = None,
    null: NullModel | None = None,
    width: int | None = None,
    null_share: float | None = None,
    n_patterns: int = 100,
    rc: bool | None = None,
    rng: RNG,
) -> xr.Dataset:
    """Return motifs suggested by maps of sequences, as proposals for a trial on other
    sequences.

    Windows of a map whose contributions add up to more (or less) than those of most
    windows on maps of null sequences are seqlets; seqlets of equal letters are a
    pattern, which average mutagenesis then trims. Nothing is tested here; use
    `causalgia.experiments.proposals` to test proposals on other units.

    Parameters
    ----------
    attributions
        Maps from `causalgia.attribute`, of any method, or, with ``method="modisco"`` or
        `seqlets`, from `causalgia.attribution.read_attributions`; of an ensemble, their
        mean over the members is read.
    predictor
        The predictor of these maps.
    sequences
        Sequences to map by mutagenesis (``method="ism"``), instead of `attributions`.
    method
        ``"seqlets"``; or ``"kmer"``: all k-mers of a width whose mean contribution,
        over their occurrences in two parents or more, is beyond the same limits; or
        ``"modisco"``: the patterns of TF-MoDISco (``causalgia[modisco]``), for each
        task, which takes maps of all four bases, sequences of 51 bp or more, and some
        hundred instances of a motif; or ``"filters"``: what each channel of the first
        convolution of a `causalgia.TorchPredictor` responds to
        (`causalgia.attribution.filters`), in the `width` positions of most information,
        whatever they contribute. Several, in a tuple: the patterns of each, in this
        order; one that is in those of an earlier method as well keeps the motif of that
        method. ``"all"``: those that the predictor, the sequences and the installation
        allow; ``attrs["left_out"]`` names the others and why.
    seqlets
        Seqlets that another program called on maps of these sequences, such as
        ``tangermeme.seqlet.recursive_seqlets``: columns ``example_idx``, ``start``,
        ``end``, and ``task`` where there are several. Other columns are not read: the
        p-values there rank windows, and are no error rates.
    null
        Null model of the sequences on whose maps the limits are taken, as many as were
        given, and in which motifs are trimmed; by default dinucleotide shuffles of the
        sequences.
    width
        Positions of a window, 4 or more (and at most 8 of ``"kmer"``); 8 by default.
        Trimmed motifs are of 4 to ``2 * width``.
    null_share
        Share of the windows of null maps that lie beyond the two limits, 0.1 by
        default. A proposal rate, and no error rate: most windows beyond it may be of no
        effect.
    n_patterns
        Most patterns of a method, those with the largest mean contributions.
    rc
        Whether a motif and its reverse complement are one pattern; None: if the answers
        to the sequences and to their reverse complements correlate by 0.9 or more in
        each task. If not, a pattern of modisco is split by strand.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the null sequences.

    Returns
    -------
    Dataset
        A row a pattern, the largest average effect first: ``consensus`` (the motif),
        ``motif (pattern, motif_position, base)`` with ``width``, ``n_seqlets``,
        ``n_units``, ``strength (pattern, task)`` on the predictor's scale,
        ``proposed (pattern, unit)``, ``proposed_by (pattern, method)``, and the limits
        ``threshold (side, task)``, unless others called the seqlets. There may be no
        rows.

    Raises
    ------
    PredictorError
        If maps and predictor do not belong together, both or neither of `attributions`
        and `sequences` are given, or a setting is impossible, or seqlets leave the
        sequences.
    MissingExtraError
        If modisco-lite is not installed.
    PredictorError, SequenceError
        As `causalgia.attribute`.

    References
    ----------
    Shrikumar et al. (2018), arXiv:1811.00416: seqlets, TF-MoDISco. Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925: why proposals are tested by interventions.

    Examples
    --------
    >>> import causalgia as cg
    >>> additive = cg.zoo.oracle("additive")
    >>> drawn = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(60, rng=1)["sequence"].values
    ... )
    >>> peaks = [row[:15] + "TGCATG" + row[21:] for row in drawn]
    >>> proposed = cg.propose(sequences=peaks, predictor=additive, rng=0)
    >>> proposed["consensus"].values[0].item()
    'TGCATG'
    """
    check_predictor(predictor, "propose(maps, predictor=)")
    methods = _requested_methods(method)
    key, called = (
        root_key(rng),
        seqlets is not None or not set(_OF_WINDOWS).intersection(methods),
    )
    _check_settings(methods, method, seqlets, width=width, null_share=null_share)
    if attributions is None and sequences is not None:
        maps = attribute(sequences, predictor)
    else:
        maps = _as_maps(attributions, sequences, predictor, called=called)
    n_patterns = as_count(n_patterns, "n_patterns")
    tokens, scores = maps["observed"].to_numpy(), _mean_contributions(maps)
    of_maps = {"maps": about(maps).method, "sequences": about(maps).sequences}
    limits: dict[str, Any] = {}
    if methods != ("modisco",) and seqlets is None:
        limits["width"] = _as_width(
            _WINDOW_WIDTH if width is None else width, methods, maps.sizes["position"]
        )
    below = above = np.zeros(scores.shape[2])
    if not called:
        null_share = _NULL_SHARE if null_share is None else null_share
        if not is_real(null_share) or not 0 < null_share < 1:
            raise PredictorError(
                f"null_share={quoted(null_share)} must lie between 0 and 1"
            )
        limits["null_share"] = float(null_share)
    drawn = _as_null(null, maps).sample(len(tokens), rng=derive(key, "null sequences"))
    if not called:
        below, above = _limits(
            drawn, predictor, maps, limits["width"], limits["null_share"], key
        )
    strands = _reads_both_strands(predictor, tokens) if rc is None else bool(rc)
    tasks = maps["task"].to_numpy().tolist()

    def listed(one: str) -> list[tuple[Windows, Group]]:
        if seqlets is not None:
            parts = windows_of_table(seqlets, tokens, scores, tasks)
            return [
                (part, group)
                for part in parts
                for group in groups(part, both_strands=strands)
            ]
        if one == "seqlets":
            found = windows(
                tokens, scores, width=limits["width"], below=below, above=above
            )
            return [(found, group) for group in groups(found, both_strands=strands)]
        if one == "kmer":
            parents = np.unique(maps["parent"].to_numpy(), return_inverse=True)[1]
            return _kmers_beyond(tokens, scores, parents, limits["width"], below, above)
        if one == "modisco":
            check_modisco()
            return modisco_groups(
                tokens,
                _of_all_bases(maps),
                scores,
                tasks=tasks,
                both_strands=strands,
            )
        return _of_filters(predictor, maps, scores, limits["width"])

    columns = [list(predictor.tasks).index(task) for task in tasks]
    backgrounds = drawn["sequence"].to_numpy()

    @cache
    def edited_backgrounds() -> EditedBackgrounds:
        return EditedBackgrounds(
            predictor.with_incremental_edits(backgrounds.shape[1]),
            backgrounds[:_BACKGROUNDS],
        )

    patterns: list[Pattern] = []
    named: list[str] = []
    left_out: list[str] = []

    for one in methods:
        name = "seqlets given" if seqlets is not None else one
        try:
            ranked = _ranked(listed(one))
        except (PredictorError, MissingExtraError) as error:
            if method != "all":
                raise
            left_out.append(f"{one} ({error})")
            continue
        named.append(name)
        with meter(min(len(ranked), n_patterns), show=True) as done:
            settings = ranked, edited_backgrounds(), n_patterns, strands, columns, done
            patterns = (
                with_others(patterns, name, *settings)
                if patterns
                else distinct_patterns(name, *settings)
            )
    patterns = each_motif_once(
        sorted(patterns, key=lambda one: -abs(one.effect)), both_strands=strands
    )
    made = _proposals_dataset(patterns, named, maps, scores)
    if not called:
        made["threshold"] = (("side", "task"), np.stack([below, above]))
        made = made.assign_coords(side=["below", "above"])
    made = made.assign_attrs(
        method=", ".join(named),
        **(attributes(left_out="; ".join(left_out)) if left_out else {}),
        **limits,
        both_strands=int(strands),
        **of_maps,
        null=about(drawn).null,
        predictor=predictor.fingerprint,
        scale=predictor.scale,
    )
    return as_result(made, "proposals")


def _requested_methods(method: object) -> tuple[str, ...]:
    """Return the methods that were asked for, each once."""
    if isinstance(method, str) and method == "all":
        return _ALL
    names = as_names(method) or ()
    known = list(get_args(Method))
    unknown = next((one for one in names if one not in known), None)
    if "all" in names or unknown is not None or not names:
        raise PredictorError(
            f"method={quoted(method)}: one or several of {comma_list(known)}, or "
            f"'all'{nearest(unknown or '', known)}",
            argument="method",
        )
    return tuple(dict.fromkeys(names))


def _check_settings(
    methods: tuple[str, ...],
    method: object,
    seqlets: object,
    *,
    width: object,
    null_share: object,
) -> None:
    """Raise PredictorError for settings of windows beside seqlets that others
    call.
    """
    if seqlets is not None and methods != ("seqlets",):
        raise PredictorError(
            f"seqlets= and method={quoted(method)}, which calls its own, are both given"
        )
    if "modisco" in methods and method != "all":
        check_modisco()
    if seqlets is None and set(_OF_WINDOWS).intersection(methods):
        return
    for name, value in (
        ("width", None if methods == ("filters",) else width),
        ("null_share", null_share),
    ):
        if value is not None:
            raise PredictorError(
                f"{name}={quoted(value)} is of windows on null maps, of which "
                f"method={quoted(method)} with these seqlets has none"
            )


def _of_filters(
    predictor: Predictor, maps: xr.Dataset, scores: NDArray[np.float64], width: int
) -> list[tuple[Windows, Group]]:
    """Return the patterns of the first convolution of a network, or of each member of
    an ensemble.
    """
    networks = [one for part in predictor.parts if (one := torch_network(part))]
    if not networks:
        raise PredictorError(
            f"{type(predictor).__name__} has no layers; leave 'filters' out of "
            "method=, or wrap the network in cg.TorchPredictor(...)"
        )
    from causalgia.attribution.layers import filter_groups

    of = _sequences_of(maps)
    return [
        pattern
        for network in networks
        for pattern in filter_groups(network, of, scores, width)
    ]


def _limits(
    drawn: xr.Dataset,
    predictor: Predictor,
    maps: xr.Dataset,
    width: int,
    null_share: float,
    key: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the limits of window sums in each task, from maps of null sequences."""
    options: dict[str, Any] = {"method": about(maps).method}
    if has(maps).n_baselines:
        options |= {
            "n_baselines": int(about(maps).n_baselines),
            "rng": derive(key, "baselines"),
        }
    null_maps = attribute(drawn, predictor, **options).sel(task=maps["task"])
    shares = [null_share / 2, 1 - null_share / 2]
    limits = np.quantile(
        window_sums(_mean_contributions(null_maps), width), shares, axis=(0, 1)
    )
    return np.minimum(limits[0], 0.0), np.maximum(limits[1], 0.0)


def _of_all_bases(maps: xr.Dataset) -> NDArray[np.float64]:
    """Return the contribution that each base would have at each position, (n, length,
    4, tasks).
    """
    score = maps["score"]
    if "base" not in score.dims:
        raise PredictorError(
            f"method='modisco' compares all four bases, and these maps ({about(maps).method}) "
            "have only the observed base; give maps of cg.attribute(..., "
            "method='ism')",
            argument="method",
        )
    mean = score.mean("model") if "model" in score.dims else score
    values: NDArray[np.float64] = (
        mean.transpose("unit", "position", "base", "task").to_numpy().astype(np.float64)
    )
    if about(maps).method == "ism":
        values = 4 / 3 * (values - values.mean(axis=2, keepdims=True))
    return values


def _as_maps(
    attributions: xr.Dataset | None,
    sequences: Any,
    predictor: Predictor,
    *,
    called: bool,
) -> xr.Dataset:
    if (attributions is None) == (sequences is None):
        raise PredictorError(
            "attributions and sequences=: one of them is needed, and neither or both "
            "are given"
        )
    if attributions is None:
        return attribute(sequences, predictor)
    maps = validate(attributions, "attributions")
    if about(maps).method == "read":
        _check_read_maps(maps, predictor, called=called)
        return maps
    if about(maps, None).predictor != predictor.fingerprint:
        raise PredictorError(
            f"the maps are of the predictor {about(maps, '?').predictor}, and "
            f"predictor= is {predictor.fingerprint}"
        )
    if about(maps).method == "dfim":
        raise PredictorError(
            "feature interaction maps are of sequences with one site at one place, "
            "which null sequences do not have"
        )
    if has(maps).baselines_fingerprint and not called:
        default = DinucleotideShuffle(of=_sequences_of(maps))
        if about(maps).baselines_fingerprint != default.fingerprint:
            raise PredictorError(
                "the maps have baselines from "
                f"{about(maps, 'a null model').baselines}, and maps of null sequences "
                "are over dinucleotide shuffles of each"
            )
    return maps


def _check_read_maps(maps: xr.Dataset, predictor: Predictor, *, called: bool) -> None:
    """Raise PredictorError unless maps from a file can propose, and are of tasks of
    the predictor.
    """
    if not called:
        raise PredictorError(
            f"the maps were read from {about(maps, 'a file').source}, and this method "
            "also needs maps of null sequences by the same program"
        )
    others = [
        task for task in maps["task"].to_numpy().tolist() if task not in predictor.tasks
    ]
    if others:
        raise PredictorError(
            f"the maps are of the task {quoted(others[0])}, and the predictor has "
            f"{quoted(list(predictor.tasks))}"
        )


def _sequences_of(maps: xr.Dataset) -> Sequences:
    names = maps["parent"].to_numpy().tolist()
    if len(set(map(str, names))) < len(names):
        names = list(range(len(names)))
    return Sequences(maps["observed"].to_numpy(), tuple(names))


def _as_width(width: object, methods: tuple[str, ...], length: int) -> int:
    number, most = (
        as_count(width, "width"),
        min(length, _WIDEST_KMER) if "kmer" in methods else length,
    )
    if not 4 <= number <= most:
        raise PredictorError(
            f"width={number} must be from 4 to {most} in sequences of {length:,} bp "
            f"by method {quoted(methods)}"
        )
    return number


def _as_null(null: object, maps: xr.Dataset) -> NullModel:
    if null is None:
        return DinucleotideShuffle(of=_sequences_of(maps))
    null = as_null_model(null, other="or leave null= out", error=PredictorError)
    if null.length != maps.sizes["position"]:
        raise PredictorError(
            f"null= draws sequences of {null.length:,} bp, and the maps have "
            f"{maps.sizes['position']:,}"
        )
    return null


def _mean_contributions(maps: xr.Dataset) -> NDArray[np.float64]:
    of = contributions(maps)
    mean = of.mean("model") if "model" in of.dims else of
    values: NDArray[np.float64] = (
        mean.transpose("unit", "position", "task").to_numpy().astype(np.float64)
    )
    return values


def _reads_both_strands(predictor: Predictor, tokens: Tokens) -> bool:
    """Return whether answers to sequences and to their reverse complements agree."""
    pair = [
        predictor.predict(rows).astype(np.float64)
        for rows in (tokens, reverse_complement(tokens))
    ]
    one, other = (
        answers.reshape(len(tokens), -1) - answers.reshape(len(tokens), -1).mean(0)
        for answers in pair
    )
    size = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    return bool(
        ((one * other).sum(0) >= _SAME_STRANDS * size).all() and (size > 0).all()
    )


def _kmers_beyond(
    tokens: Tokens,
    scores: NDArray[np.float64],
    parents: NDArray[np.int64],
    width: int,
    below: NDArray[np.float64],
    above: NDArray[np.float64],
) -> list[tuple[Windows, Group]]:
    """Return the motifs of two parents or more whose mean contribution in a task lies
    beyond its limits.
    """
    every, found = all_windows(tokens, scores, width=width), []
    for group in groups_of_kmers(every):
        mean, task = every.total[group.members].mean(), every.task[group.members[0]]
        if (mean > above[task] or mean < below[task]) and len(
            set(parents[every.unit[group.members]].tolist())
        ) > 1:
            found.append((every, group))
    return found


def _ranked(listed: list[tuple[Windows, Group]]) -> list[tuple[Windows, Group]]:
    """Return groups by their mean contribution times the square root of their number,
    the largest first.
    """
    size = [
        abs(of.total[group.members].sum()) / np.sqrt(len(group.members))
        for of, group in listed
    ]
    return [listed[k] for k in np.argsort(-np.array(size), kind="stable")]


def _proposals_dataset(
    patterns: list[Pattern],
    methods: list[str],
    maps: xr.Dataset,
    scores: NDArray[np.float64],
) -> xr.Dataset:
    import xarray as xr

    tokens = maps["observed"].to_numpy()
    widest = max((len(pattern.consensus) for pattern in patterns), default=0)
    motif = np.zeros((len(patterns), widest, 4))
    proposed = np.zeros((len(patterns), len(tokens)), dtype=bool)
    strength = np.zeros((len(patterns), scores.shape[2]))
    by_method = np.array(
        [[one in pattern.methods for one in methods] for pattern in patterns],
        dtype=bool,
    )
    by_method = by_method.reshape(len(patterns), len(methods))
    total = np.cumsum(
        np.concatenate([np.zeros_like(scores[:, :1]), scores], axis=1), axis=1
    )
    for row, pattern in enumerate(patterns):
        motif[row, : len(pattern.consensus)] = pattern.motif
        unit, start, stop = pattern.windows.T
        proposed[row, unit] = True
        strength[row] = (total[unit, stop] - total[unit, start]).mean(axis=0)
    made = xr.Dataset(
        {
            "consensus": (
                "pattern",
                np.array([pattern.consensus for pattern in patterns], dtype=np.str_),
            ),
            "motif": (("pattern", "motif_position", "base"), motif),
            "width": (
                "pattern",
                np.array(
                    [len(pattern.consensus) for pattern in patterns], dtype=np.int64
                ),
            ),
            "n_seqlets": (
                "pattern",
                np.array(
                    [len(pattern.windows) for pattern in patterns], dtype=np.int64
                ),
            ),
            "n_units": ("pattern", proposed.sum(axis=1)),
            "strength": (("pattern", "task"), strength),
            "proposed": (("pattern", "unit"), proposed),
            "proposed_by": (("pattern", "method"), by_method),
            "sequence_fingerprint": ("unit", sequence_fingerprints(tokens)),
        }
    )
    return made.assign_coords(
        pattern=np.arange(len(patterns)),
        base=list("ACGT"),
        method=methods,
        unit=maps["unit"].to_numpy(),
        parent=("unit", maps["parent"].to_numpy()),
        task=maps["task"].to_numpy(),
    )

"""`propose`: motifs suggested by maps of sequences, for a trial to test."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about, has
from causalgia.attribution._attribute import attribute
from causalgia.attribution.attribution_maps import contributions
from causalgia.attribution.distinct_patterns import (
    EditedBackgrounds,
    Pattern,
    distinct_patterns,
    each_motif_once,
)
from causalgia.attribution.seqlets import (
    Group,
    Windows,
    check_modisco,
    groups,
    modisco_groups,
    window_sums,
    windows,
    windows_of_table,
)
from causalgia.checks import as_count
from causalgia.design import DinucleotideShuffle
from causalgia.errors import PredictorError, quoted
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.schema import validate
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import Sequences, sequence_fingerprints
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.outcomes import meter
from causalgia.types import Tokens

_METHODS = ("seqlets", "modisco")
_WINDOW_WIDTH = 8
_NULL_SHARE = 0.1
_BACKGROUNDS = 64
_SAME_STRANDS = 0.9


@usual_errors
def propose(
    attributions: xr.Dataset,
    *,
    predictor: Predictor,
    method: Literal["seqlets", "modisco"] = "seqlets",
    seqlets: pd.DataFrame | None = None,
    n_patterns: int = 100,
    rng: RNG,
) -> xr.Dataset:
    """Return motifs suggested by maps of sequences, as proposals for a trial on other
    sequences.

    Windows of a map whose contributions add up to more (or less) than those of most
    windows on maps of dinucleotide shuffles are seqlets; seqlets of equal letters are a
    pattern, which average mutagenesis then trims. A motif and its reverse complement
    are one if the answers to the sequences and to their reverse complements correlate
    by 0.9 or more in each task. Nothing is tested here; use
    `causalgia.experiments.proposals` to test proposals on other units.

    Parameters
    ----------
    attributions
        Maps from `causalgia.attribute`, of any method, or, with ``method="modisco"`` or
        `seqlets`, from `causalgia.attribution.read_attributions`; of an ensemble, their
        mean over the members is read.
    predictor
        The predictor of these maps.
    method
        ``"seqlets"``: windows of 8 positions beyond the limits, the .05 and .95
        quantiles of the windows on maps of null sequences (a proposal rate, and no
        error rate: most windows beyond them may be of no effect). ``"modisco"``: the
        patterns of TF-MoDISco (``causalgia[modisco]``), for each task, which takes maps
        of all four bases, sequences of 51 bp or more, and some hundred instances of a
        motif.
    seqlets
        Seqlets that another program called on maps of these sequences, such as
        ``tangermeme.seqlet.recursive_seqlets``: columns ``example_idx``, ``start``,
        ``end``, and ``task`` where there are several. Other columns are not read: the
        p-values there rank windows, and are no error rates.
    n_patterns
        Most patterns, those with the largest mean contributions.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the null sequences.

    Returns
    -------
    Dataset
        A row a pattern, the largest average effect first: ``consensus`` (the motif),
        ``motif (pattern, motif_position, base)`` with ``width``, ``n_seqlets``,
        ``n_units``, ``strength (pattern, task)`` on the predictor's scale,
        ``proposed (pattern, unit)``, and the limits ``threshold (side, task)``, unless
        others called the seqlets. There may be no rows.

    Raises
    ------
    PredictorError
        If maps and predictor do not belong together, or seqlets leave the sequences.
    MissingExtraError
        If modisco-lite is not installed.

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
    >>> proposed = cg.propose(cg.attribute(peaks, additive), predictor=additive, rng=0)
    >>> proposed["consensus"].values[0].item()
    'TGCATG'
    """
    check_predictor(predictor, "propose(maps, predictor=)")
    if method not in _METHODS or (seqlets is not None and method != "seqlets"):
        raise PredictorError(
            f"method={quoted(method)} must be 'seqlets' or, without seqlets=, 'modisco'",
            argument="method",
        )
    if method == "modisco":
        check_modisco()
    key, called = root_key(rng), seqlets is not None or method == "modisco"
    maps = _checked_maps(attributions, predictor, called=called)
    n_patterns = as_count(n_patterns, "n_patterns")
    tokens, scores = maps["observed"].to_numpy(), _mean_contributions(maps)
    null = DinucleotideShuffle(of=_sequences_of(maps))
    drawn = null.sample(len(tokens), rng=derive(key, "null sequences"))
    strands = _reads_both_strands(predictor, tokens)
    tasks = maps["task"].to_numpy().tolist()
    limits: dict[str, Any] = {}
    listed: list[tuple[Windows, Group]]
    if seqlets is not None:
        found = windows_of_table(seqlets, tokens, scores, tasks)
    elif method == "modisco":
        listed = modisco_groups(
            tokens, _of_all_bases(maps), scores, tasks=tasks, both_strands=strands
        )
    else:
        limits |= {"width": _WINDOW_WIDTH, "null_share": _NULL_SHARE}
        below, above = _limits(drawn, predictor, maps, key)
        found = [windows(tokens, scores, width=_WINDOW_WIDTH, below=below, above=above)]
    if method == "seqlets":
        listed = [
            (part, group)
            for part in found
            for group in groups(part, both_strands=strands)
        ]
    backgrounds = drawn["sequence"].to_numpy()
    ranked = _ranked(listed)
    with meter(min(len(ranked), n_patterns), show=True) as done:
        patterns = distinct_patterns(
            ranked,
            EditedBackgrounds(
                predictor.with_incremental_edits(backgrounds.shape[1]),
                backgrounds[:_BACKGROUNDS],
            ),
            n_patterns,
            strands,
            [list(predictor.tasks).index(task) for task in tasks],
            done,
        )
    patterns = each_motif_once(
        sorted(patterns, key=lambda one: -abs(one.effect)), both_strands=strands
    )
    made = _proposals_dataset(patterns, maps, scores)
    if not called:
        made["threshold"] = (("side", "task"), np.stack([below, above]))
        made = made.assign_coords(side=["below", "above"])
    made = made.assign_attrs(
        method=method if seqlets is None else "seqlets given",
        **limits,
        both_strands=int(strands),
        maps=about(maps).method,
        sequences=about(maps).sequences,
        null=about(drawn).null,
        predictor=predictor.fingerprint,
        scale=predictor.scale,
    )
    return as_result(made, "proposals")


def _limits(
    drawn: xr.Dataset,
    predictor: Predictor,
    maps: xr.Dataset,
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
    shares = [_NULL_SHARE / 2, 1 - _NULL_SHARE / 2]
    limits = np.quantile(
        window_sums(_mean_contributions(null_maps), _WINDOW_WIDTH), shares, axis=(0, 1)
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


def _checked_maps(
    attributions: xr.Dataset, predictor: Predictor, *, called: bool
) -> xr.Dataset:
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
            "the maps are of another program, and this method also needs maps of null "
            "sequences by it"
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
    patterns: list[Pattern], maps: xr.Dataset, scores: NDArray[np.float64]
) -> xr.Dataset:
    import xarray as xr

    tokens = maps["observed"].to_numpy()
    widest = max((len(pattern.consensus) for pattern in patterns), default=0)
    motif = np.zeros((len(patterns), widest, 4))
    proposed = np.zeros((len(patterns), len(tokens)), dtype=bool)
    strength = np.zeros((len(patterns), scores.shape[2]))
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
            "sequence_fingerprint": ("unit", sequence_fingerprints(tokens)),
        }
    )
    return made.assign_coords(
        pattern=np.arange(len(patterns)),
        base=list("ACGT"),
        unit=maps["unit"].to_numpy(),
        parent=("unit", maps["parent"].to_numpy()),
        task=maps["task"].to_numpy(),
    )

"""Screen of all k-mers of a width, compared with random sequences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causalgia.attributes import about, attributes
from causalgia.checks import as_count, first_of, in_list
from causalgia.choices import DIRECTIONS, LEAST_PLACEBOS, PLACEBO_ROPES
from causalgia.design import Arm, Embed, NullModel, Uniform
from causalgia.design.null_model import as_null_model
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.screens import (
    PLACEBO,
    random_placebos,
    screen_of_arms,
)
from causalgia.experiments.kit.sites import as_strings, start_of_widest
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.notes import Said
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.ropes import RopeLike
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

_USUAL_K = 6
_LARGEST_K = 8
_KMERS_NAMED = _KMERS_DRAWN = 20
_IN_ANSWER = 3
"""K-mers that the answer names; the table and further sentences name more."""
_PLACEBOS = 100
_MANY_PLACEBOS = 400
_MANY_KMERS = 1_000  # screened words from which there are more placebos


def kmer_screen(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    k: int | None = None,
    motifs: Sequence[str] | None = None,
    at: int | None = None,
    n_placebos: int | None = None,
    letters: str = "ACGU",
    n_units: int = 1_000,
    rope: RopeLike = "placebo outliers",
) -> Experiment:
    """Return the experiment that finds k-mers of a width with effects beyond those of
    random sequences.

    Every k-mer is embedded at one place of the same backgrounds and compared with the
    untreated arm. Random sequences are embedded at that place too, and are compared
    with the same arm, so that it cancels where k-mers are compared with them: verdicts
    by a region of random sequences do not depend on the control, and there is none to
    choose. (Those by a `rope` of limits do: over real sequences they are on the k-mer
    minus what was there.) On most networks nearly every random sequence changes the outcome, so
    a test against 0 is uninformative; k-mers are compared with random sequences
    instead, random ones of the same width. A k-mer is read at all, ``"increases"`` or
    ``"decreases"``, if its whole interval lies beyond the range of random sequences, five
    robust standard deviations of the random sequences, with the false discovery rate
    over the k-mers asked controlled (Benjamini-Hochberg). The first sentence of the
    answer names these k-mers, at most 20, the largest first, and says how many were
    asked.

    Where all k-mers are screened, random sequences *are* those screened, so that no
    rank among them can stand out. The fences are a model instead: a normal law of the
    central 80 % of the random sequences. ``rope="placebo"`` decides by ranks alone and
    needs about ``40 K / R`` random sequences to find R of K. Where a k-mer ranks among
    the k-mers asked is another question, which `causalgia.multiplicity.rank_intervals`
    answers from a simultaneous band. The largest of many estimates are biased (winner's
    curse): the finding ``shrunken`` has the posterior mean of each k-mer relative to
    the mean random sequence (`causalgia.posterior.mixture`), and `causalgia.confirm`
    tests selected k-mers on fresh backgrounds.

    Parameters
    ----------
    null
        The null model of backgrounds.
    k
        Width of the k-mers, 3 to 8 (too few random sequences exist below), of which all
        4^k are screened; None: 6, or the width of `motifs`.
    motifs
        The k-mers to screen, of one width, instead of all.
    at
        0-based start; None: the center.
    n_placebos
        Random sequences, 40 or more: distinct random sequences from a fixed stream,
        other than the given `motifs`; at most 64 of width 3. None: 400 for 1,000 k-mers
        or more, else 100, or all that there are. Where all k-mers are screened, the
        random sequences are a random part of them.
    letters
        ``"ACGU"`` or ``"ACGT"``: the alphabet of the names of arms.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. ``"placebo outliers"`` is five standard deviations about the random
        sequences, of the normal distribution through their 10, 50 and 90 % quantiles;
        ``"placebo"`` their central 95 %, with directions by ranks.

    Returns
    -------
    Experiment
        Arms named after their k-mers, ``"placebo ..."`` and ``"untreated"``; a contrast
        of each with the last; coordinate ``is_placebo``.

    Raises
    ------
    DesignError
        If `k` is not 3 to 8 or not the width of `motifs`, k-mers differ in width or are
        repeated (U is T), a k-mer leaves the sequence, or there are fewer than 40
        random sequences or more than exist.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x. Efron (2004),
    doi:10.1198/016214504000000089: a null distribution from the center of many
    statistics.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.kmer_screen(
    ...     motifs=["UGCAUG", "AGAAUG", "GGAACC"], n_units=200
    ... )
    >>> additive = cg.zoo.oracle("additive")
    >>> screen = cg.run(experiment, additive, rng=0)
    >>> answer = experiment.analyze(screen, rng=0)
    >>> print(answer.sentences[0])
    Task outcome: 2 of 3 k-mers have effects beyond the usual range of 100 random sequences: ...
    >>> fresh = cg.confirm(
    ...     screen, select=["UGCAUG", "AGAAUG"], predictor=additive, rng=0
    ... )
    >>> cg.analyze(fresh, rng=0)["verdict"].sel(
    ...     contrast=["UGCAUG", "AGAAUG"]
    ... ).values.ravel()
    array(['increases', 'increases'], dtype='<U10')

    Where does each rank?

    >>> asked = answer.estimates.sel(contrast=~answer.estimates["is_placebo"])
    >>> band = cg.multiplicity.simultaneous(asked, method="bonferroni")
    >>> ranks = cg.multiplicity.rank_intervals(band)
    >>> ranks["rank_lower"].values.ravel(), ranks["rank_upper"].values.ravel()
    (array([1, 2, 3]), array([1, 2, 3]))
    """
    as_null_model(null)
    screened = _as_screened_kmers(k, motifs, _as_alphabet(letters))
    width = len(screened[0])
    start = start_of_widest(
        null, at, width, f"a k-mer of {width} bases", "give shorter k-mers"
    )
    spelled = (
        "ACGU"
        if any("U" in kmer for kmer in screened)
        else _as_alphabet(letters)
        if motifs is None
        else "ACGT"
    )
    taken = () if motifs is None else screened
    if n_placebos is None:
        n_placebos = _MANY_PLACEBOS if len(screened) >= _MANY_KMERS else _PLACEBOS
        there_are = 4**width - len(taken)
        n_placebos = max(min(n_placebos, there_are), LEAST_PLACEBOS)
    placebos = random_placebos(width, n_placebos, spelled, other_than=taken)
    return screen_of_arms(
        null,
        [
            *(Arm(kmer, Embed(kmer, at=start)) for kmer in screened),
            *(Arm(PLACEBO + kmer, FixedPlacebo(kmer, at=start)) for kmer in placebos),
        ],
        n_units=n_units,
        rope=rope,
        entry=KMER_SCREEN,
    )


def _as_alphabet(letters: object) -> str:
    if letters not in ("ACGU", "ACGT"):
        raise DesignError(f"letters={quoted(letters)} must be 'ACGU' or 'ACGT'")
    return str(letters)


def _as_screened_kmers(
    k: int | None, kmers: Sequence[str] | None, letters: str
) -> tuple[str, ...]:
    """Return the k-mers to screen: the given ones, of one width, or all k-mers of a
    width.
    """
    width = None if k is None else as_count(k, "k")
    if kmers is None:
        width = width or _USUAL_K
        if width > _LARGEST_K:
            raise DesignError(
                f"k={width}: all {4**width:,} k-mers are too many; k is at most "
                f"{_LARGEST_K}, or give motifs="
            )
        return tuple(map("".join, product(letters, repeat=width)))
    listed = as_strings(kmers, "motifs")
    widths = sorted({len(kmer) for kmer in listed})
    if len(widths) > 1:
        raise DesignError(
            f"motifs: they have {' and '.join(map(str, widths))} bases, and random "
            "sequences are of one width; screen each width by itself"
        )
    if width not in (None, widths[0]):
        raise DesignError(
            f"k={width}, and the k-mers have {widths[0]} bases; leave k out where "
            "motifs= are given"
        )
    return listed


def read_kmer_screen(found: TrialResults) -> Finding:
    """Return the finding ``shrunken`` of a screen with random sequences, and a sentence
    for each task.
    """
    decisions = found.steps.decisions
    # those with a verdict
    estimates = found.steps.estimates.sel(task=decisions["task"].to_numpy())
    placebo = estimates["is_placebo"].to_numpy()
    shrunken = _shrink_effects(estimates, placebo)
    cells = zip(
        rows_by_task(decisions),
        rows_by_task(estimates),
        rows_by_task(shrunken),
        strict=True,
    )
    sentences, details = list[str](), list[str]()
    for (begins, rows), (_, raw), (_, beyond) in cells:
        sentences.append(Said(_screen_sentence(rows, placebo), *begins))
        details.append(Said(_screen_details(rows, raw, beyond, placebo), *begins))
    return Finding(
        datasets={"shrunken": shrunken},
        sentences=tuple(sentences),
        details=tuple(details),
    )


def _shrink_effects(estimates: xr.Dataset, placebo: NDArray[np.bool_]) -> xr.Dataset:
    """Return posterior mean, sd and lfsr of each k-mer relative to the mean random
    sequence.

    The error that all contrasts share (through the control and the overwritten bases)
    cancels in the difference from the mean random sequence; the remaining errors are
    nearly independent and are treated as such.
    """
    import xarray as xr

    raw, se = _minus_mean_placebo(estimates, placebo)
    of = estimates["ace"]
    columns = [_mixture_posterior(raw[:, j], se[:, j]) for j in range(raw.shape[1])]
    values = dict(
        zip(("ace", "sd", "lfsr"), np.stack(columns, axis=-1), strict=True)
    ) | {"raw": raw, "se": se}
    table = xr.Dataset(
        {name: (of.dims, column.reshape(of.shape)) for name, column in values.items()}
    )
    coords = {name: of[name].to_numpy() for name in of.dims if name in of.coords}
    attrs = attributes(
        estimand="E[Y(k-mer)] minus its mean over the random sequences",
        scale=about(of, "").scale,
    )
    return table.assign_coords(coords).assign_attrs(attrs).isel(contrast=~placebo)


def _minus_mean_placebo(
    estimates: xr.Dataset, placebo: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Return each effect minus the mean random sequence's of its class, and its
    standard error, (contrast, ...) each.
    """
    from causalgia.multiplicity.placebo import placebo_classes

    n = len(placebo)
    ace = estimates["ace"].to_numpy().reshape(n, -1)
    raw, se = np.empty(ace.shape), np.empty(ace.shape)
    for rows in placebo_classes(estimates):
        share = placebo[rows] / placebo[rows].sum()
        raw[rows] = ace[rows] - share @ ace[rows]
        if "factor" in estimates:
            factor = (
                estimates["factor"].to_numpy().reshape(-1, n, ace.shape[1])[:, rows]
            )
            left = factor - np.einsum("gkt,k->gt", factor, share)[:, None]
            se[rows] = np.sqrt(np.einsum("gkt,gkt->kt", left, left))
        else:
            whole = (
                estimates["covariance"].to_numpy().reshape(n, n, -1)[np.ix_(rows, rows)]
            )
            shared = np.einsum("klt,l->kt", whole, share)
            se[rows] = np.sqrt(
                np.maximum(
                    np.einsum("kkt->kt", whole) - 2 * shared + share @ shared, 0.0
                )
            )
    return raw, se


def _mixture_posterior(effect: Array, se: Array) -> Array:
    """Return posterior mean, sd and lfsr of effects with independent errors, (3,
    contrast); exact effects unchanged.
    """
    from causalgia.posterior.mixture import mixture

    out = np.stack([effect, np.zeros_like(effect), np.zeros_like(effect)])
    varies = se > DIFFERENCE_ROUNDING * max(1.0, float(np.abs(effect).max()))
    if varies.any():
        found = mixture(effect[varies], se[varies] ** 2)
        out[:, varies] = [found.mean, found.sd, found.lfsr]
    return out


def _screen_sentence(rows: xr.Dataset, placebo: NDArray[np.bool_]) -> str:
    """Return how many k-mers have effects beyond the region, and the largest of them."""
    from causalgia.tell.verdict_sentences import region_in_words

    motifs = rows.isel(contrast=~placebo)
    directed = np.isin(motifs["verdict"].to_numpy(), DIRECTIONS)
    n, of = int(directed.sum()), f"{len(directed):,} k-mers"
    order = np.argsort(-np.abs(motifs["ace"].to_numpy()), kind="stable")
    order = order[directed[order]] if n else order
    largest = [motifs.isel(contrast=k) for k in order[: _IN_ANSWER if n else 1]]
    named = in_list(
        [f"{row['contrast'].item()} ({effect_in_words(row)})" for row in largest]
    )
    region = (
        f"the usual range of {placebo.sum():,} random sequences"
        if about(rows).rope_kind in PLACEBO_ROPES
        else region_in_words(rows)
    )
    if not n:
        return f"none of {of} has an effect beyond {region}; the largest is {named}."
    beyond = np.isin(rows["verdict"].to_numpy()[placebo], DIRECTIONS).sum()
    does = "does" if beyond == 1 else "do"
    too = f" ({beyond:,} of the random sequences {does} as well)" if beyond else ""
    region += too
    if n <= _IN_ANSWER:
        has = "has an effect" if n == 1 else "have effects"
        return f"{n:,} of {of} {has} beyond {region}: {named}."
    return f"{n:,} of {of} have effects beyond {region}, the largest {named}."


def _screen_details(
    rows: xr.Dataset, raw: xr.Dataset, beyond: xr.Dataset, placebo: NDArray[np.bool_]
) -> str:
    """Return the range of random sequences, the shrunken effects, and what tests
    against 0 would find.
    """
    from scipy.special import ndtri

    from causalgia.multiplicity.adjusted_p import stepwise
    from causalgia.multiplicity.placebo import placebo_classes

    directed = np.isin(rows["verdict"].to_numpy()[~placebo], DIRECTIONS)
    size = np.abs(beyond["ace"].to_numpy())
    n_named = min(_KMERS_NAMED, int(directed.sum()) or min(_IN_ANSWER, len(size)))
    first = np.argsort(-np.where(directed, size + size.max(), size), kind="stable")[
        :n_named
    ]
    half = float(ndtri(0.5 + about(rows).ci_prob / 2)) * beyond["sd"]
    shrunken = (
        beyond[["ace"]]
        .assign(lower=beyond["ace"] - half, upper=beyond["ace"] + half)
        .isel(contrast=first)
    )
    rows_named = [shrunken.isel(contrast=k) for k in range(n_named)]
    each = [f"{row['contrast'].item()} {effect_in_words(row)}" for row in rows_named]
    named = first_of(each, n_named, sep="; ", n=int(directed.sum()))
    named = named if directed.any() else f"the largest {named}"
    differs = stepwise(raw["p"].to_numpy(), "bh") < 0.05
    ace, classes = raw["ace"].to_numpy(), placebo_classes(raw)
    mean = [float(ace[of[placebo[of]]].mean()) for of in classes]
    return (
        f"k-mers were compared with {_region_text(rows, placebo, classes, mean)}"
        + (
            ". Minus the mean random sequence "
            f"({', '.join(map('{:.3g}'.format, mean))}), shrunken: {named}"
        )
        + (
            f". Tested against 0 instead, {differs[~placebo].sum():,} k-mers and "
            f"{differs[placebo].sum()} of {placebo.sum()} random sequences differ "
            "(adjusted p below 0.05)."
        )
    )


def _region_text(
    rows: xr.Dataset,
    placebo: NDArray[np.bool_],
    classes: list[NDArray[np.int64]],
    mean: list[float],
) -> str:
    """Return the text of the ROPE; one of random sequences is given relative to their
    mean, for each of their widths.
    """
    kind = about(rows).rope_kind
    if kind not in PLACEBO_ROPES:
        return f"effects from {about(rows).rope}"
    low, high = rows["rope_lower"].to_numpy(), rows["rope_upper"].to_numpy()
    limits = [
        f"{low[of[0]] - m:.3g} to {high[of[0]] - m:.3g}"
        for of, m in zip(classes, mean, strict=True)
    ]
    what, how = (
        ("central 95 %", "; directions by their ranks")
        if kind == "placebo"
        else ("range", "")
    )
    if len(classes) == 1:
        return (
            f"{placebo.sum()} random sequences ({what}: {limits[0]} from their "
            f"mean{how})"
        )
    widths = rows["placebo_class"].to_numpy()
    each = ", ".join(
        f"{text} of {int(widths[of[0]])} bases"
        for of, text in zip(classes, limits, strict=True)
    )
    return f"{placebo.sum()} random sequences ({what}: {each}, from their means{how})"


def draw_kmer_screen(answer: Answer) -> Axes:
    """Draw the first k-mers of the table above the random sequences."""
    from causalgia.tell.figures import forest

    return forest(answer.decisions)


KMER_SCREEN = Entry(
    name="kmer_screen",
    question="Which k-mers have effects beyond those of random sequences?",
    estimand=(
        "E[Y(k-mer at a place) - Y(untreated)] of each k-mer, over the null model, "
        "against the random sequences'."
    ),
    doi="10.1101/418459",
    read=read_kmer_screen,
    draw=draw_kmer_screen,
    claims="screening",
)

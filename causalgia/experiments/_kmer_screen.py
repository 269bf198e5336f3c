"""Screen of all k-mers of a width, compared with random sequences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from causalgia.checks import as_count
from causalgia.choices import LEAST_PLACEBOS
from causalgia.design import NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.screens import draw_screen, read_screen, screen
from causalgia.experiments.kit.sites import as_strings
from causalgia.ropes import RopeLike

_LARGEST_K = 8
_PLACEBOS, _MANY_PLACEBOS = 100, 400
_MANY_KMERS = 1_000  # screened words from which there are more placebos


def kmer_screen(
    null: NullModel,
    *,
    k: int = 6,
    motifs: Sequence[str] | None = None,
    at: int | None = None,
    n_placebos: int | None = None,
    letters: str = "ACGT",
    n_units: int = 1_000,
    rope: RopeLike = "placebo outliers",
) -> Experiment:
    """Return the experiment that finds k-mers with effects beyond those of random
    sequences.

    Every k-mer is embedded at one place of the same backgrounds, on both strands, and
    compared with the untreated arm. On most networks nearly every random sequence
    changes the outcome, so that a test against 0 is uninformative; random sequences of
    the same width are embedded at that place too, and a k-mer acts, ``"increases"`` or
    ``"decreases"``, if its whole interval lies beyond their range: five robust standard
    deviations, those of a normal law through their 10, 50 and 90 % quantiles, with the
    false discovery rate over the k-mers controlled (Benjamini-Hochberg). The untreated
    arm cancels there; a `rope` of limits is for the k-mer minus what was there.

    Where all k-mers are screened, random sequences *are* those screened: no rank among
    them can stand out, and the range is that of a model. ``rope="placebo"`` decides by
    ranks alone and needs about ``40 K / R`` random sequences to find R of K. The largest
    of many estimates are biased: the table has the hierarchical effect sizes beside
    them, and `causalgia.confirm` tests selected k-mers on fresh backgrounds.

    Parameters
    ----------
    null
        The null model of backgrounds.
    k
        Width of the k-mers, 3 to 8 (too few random sequences exist below), of which all
        4^k are screened.
    motifs
        The k-mers to screen, of one width, instead of all.
    at
        0-based start; None: the center.
    n_placebos
        Random sequences, 40 or more: distinct ones from a fixed stream, which hold none
        of `motifs` on either strand. None: 400 for 1,000 k-mers or more, else 100, or
        all that there are.
    letters
        ``"ACGT"`` or ``"ACGU"``: the alphabet of the names of arms where all are
        screened. Where k-mers are spelled with U, all have one strand.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Contrasts with ``"untreated"`` of each k-mer: ``"TGACTC +"`` and ``"TGACTC -"``,
        or ``"CACGTG"`` where it has one strand or all are screened, and of
        ``"placebo ..."``; coordinates ``motif``, ``strand`` and ``is_placebo``. Reading
        ``motifs``, as in `causalgia.experiments.motif_screen`.

    Raises
    ------
    DesignError
        If `k` is not 3 to 8, k-mers differ in width or are repeated (U is T), a k-mer
        leaves the sequence, or there are fewer than 40 random sequences or more than
        exist.

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
    >>> null = cg.Uniform(length=41)
    >>> experiment = cg.experiments.kmer_screen(
    ...     null, motifs=["UGCAUG", "AGAAUG", "GGAACC"], n_units=200
    ... )
    >>> additive = cg.zoo.oracle("additive")
    >>> screen = cg.run(experiment, additive, rng=0)
    >>> answer = experiment.analyze(screen, rng=0)
    >>> print(answer.sentences[0])
    Task outcome: 2 of 3 k-mers, 2 families, have effects beyond the range of random sequences ...
    >>> fresh = cg.confirm(
    ...     screen, select=["UGCAUG", "AGAAUG"], predictor=additive, rng=0
    ... )
    >>> cg.analyze(fresh)["verdict"].sel(contrast=["UGCAUG", "AGAAUG"]).values.ravel()
    array(['increases', 'increases'], dtype='<U10')

    Where does each rank?

    >>> asked = answer.estimates.sel(contrast=~answer.estimates["is_placebo"])
    >>> band = cg.multiplicity.simultaneous(asked, method="bonferroni")
    >>> ranks = cg.multiplicity.rank_intervals(band)
    >>> ranks["rank_lower"].values.ravel(), ranks["rank_upper"].values.ravel()
    (array([1, 2, 3]), array([1, 2, 3]))
    """
    as_null_model(null)
    if letters not in ("ACGU", "ACGT"):
        raise DesignError(
            f"letters={quoted(letters)} is 'ACGU' or 'ACGT'", argument="letters"
        )
    if motifs is None:
        width = as_count(k, "k")
        if width > _LARGEST_K:
            raise DesignError(f"k={k} is above {_LARGEST_K}", argument="k")
        words = tuple(map("".join, product(letters, repeat=width)))
    else:
        words = as_strings(motifs, "motifs")
        width = len(words[0])
        if {len(word) for word in words} != {width}:
            raise DesignError("motifs: they are not of one width", argument="motifs")
    if n_placebos is None:
        most = _MANY_PLACEBOS if len(words) >= _MANY_KMERS else _PLACEBOS
        there_are = 4**width - (0 if motifs is None else 2 * len(words))
        n_placebos = max(min(most, there_are), LEAST_PLACEBOS)
    return screen(
        null,
        {word: word for word in words},
        at=at,
        n_placebos=n_placebos,
        n_units=n_units,
        rope=rope,
        entry=KMER_SCREEN,
        all_of_them=motifs is None,
    )


KMER_SCREEN = Entry(
    name="kmer_screen",
    question="Which k-mers have effects beyond those of random sequences?",
    estimand=(
        "E[Y(k-mer at a place) - Y(untreated)] of each k-mer, over the null model, "
        "against the random sequences'."
    ),
    doi="10.1101/418459",
    read=read_screen,
    draw=draw_screen,
    claims="screening",
)

"""Screen of known motifs, compared with random sequences of about their width."""

from __future__ import annotations

from causalgia.choices import LEAST_PLACEBOS
from causalgia.design import NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, SequenceError
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.screens import draw_screen, read_screen, screen
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.motif_alignments import motif_core
from causalgia.sequences.motif_names import MotifList, named_motifs

_PLACEBOS = 50


def motif_screen(
    null: NullModel,
    motifs: MotifList,
    *,
    taxon: str | None = "vertebrates",
    at: int | None = None,
    n_placebos: int = _PLACEBOS,
    both_strands: bool = True,
    n_units: int = 400,
    rope: RopeLike = "placebo outliers",
) -> Experiment:
    """Return the experiment that finds which known motifs a network reads.

    Every motif of a list is embedded at one place of the same backgrounds, on both
    strands, by its core: the most probable string, without the positions at its ends of
    less than .25 bit. A database prints one strand of a motif, and a network may read
    the other. A strand is read, ``"increases"`` or ``"decreases"``, if its whole interval
    lies beyond the range of random sequences of about its width, five robust standard
    deviations of them, with the false discovery rate over all rows controlled
    (Benjamini-Hochberg), as in `causalgia.experiments.kmer_screen`. The answer has each
    motif by its better strand.

    Cores of a list have some 25 widths. Those that differ by at most a fifth (5 and 6
    bases; 11 to 13; 20 to 24) are compared with one range, of random sequences of each
    of these widths, as many of one as of another: the standard deviation of their
    effects grows with about the root of the width, a tenth from the narrowest to the
    widest, while either side of a range of 50 random sequences has a standard error of
    a fifth. No random sequence holds a motif that is compared with it: its core, or a
    site of its matrix (p <= 1e-4), on either strand.

    Databases have many motifs for one site. Those that are read are merged into
    families by the letters of their cores, aligned on both strands, each led by the
    motif of the largest effect (`causalgia.sequences.motif_alignments.motif_families`);
    a member of another class of factors leaves its family.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motifs
        ``"JASPAR"``, the CORE motifs of a taxon in their newest versions; a file of
        motifs; a mapping name -> motif; or a list of motifs. Each motif is anything
        that `causalgia.motif` takes. Those without a core, of one or two bases or wider
        than the backgrounds are left out, and named in the answer.
    taxon
        Taxonomic group of ``"JASPAR"`` and of motifs that are given by their names; in
        Python also None, for all.
    at
        0-based start of the widest core, about whose middle the others stand; None: the
        center.
    n_placebos
        Random sequences of each range, 40 or more.
    both_strands
        Whether motifs are asked, and aligned, on both strands; where one is spelled with
        U, all have one.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. As in `causalgia.experiments.kmer_screen`.

    Returns
    -------
    Experiment
        Contrasts with ``"untreated"`` of each motif: ``"SP1 +"`` and ``"SP1 -"``, or
        ``"SP1"`` where it has one strand (of those that write the same letters, the
        first), and of ``"placebo ..."``; coordinates ``motif``, ``strand``, ``core``,
        ``is_placebo`` and ``placebo_class`` (the widest of the widths that share a
        range). Reading ``motifs (motif, task)``: ``effect, lower, upper, q, verdict`` of
        the better ``strand``, the effect on the ``other_strand`` (NaN where there is
        one), ``range_lower, range_upper`` of random sequences, ``inside``, whether the
        effect lies inside of it, and ``family``, the motif that leads its family, empty
        for motifs that are not read; coordinates ``core`` and ``width``.

    Raises
    ------
    DesignError
        If no motif can be asked, two have one name, a core leaves the backgrounds, or
        there are fewer than 40 random sequences or more than exist.
    SequenceError
        If motifs cannot be read.

    References
    ----------
    Rauluseviciute et al. (2024), doi:10.1093/nar/gkad1059: JASPAR. Benjamini & Hochberg
    (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Efron (2004),
    doi:10.1198/016214504000000089: a null distribution from the center of many
    statistics.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif_screen(
    ...     cg.Uniform(length=41),
    ...     {"RBFOX1": "CATGCA", "RBFOX2": "TTGCATG", "SP1": "GGGCGGG"},
    ... )
    >>> screen = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> answer = experiment.analyze(screen)
    >>> print(answer.sentences[0])
    Task outcome: 2 of 3 motifs, 1 family, have effects beyond the range of random sequences ...
    >>> table = answer.findings["motifs"].sel(task="outcome")
    >>> table["family"].values.tolist(), table["strand"].values.tolist()
    (['RBFOX1', 'RBFOX1', ''], ['-', '+', '+'])
    """
    as_null_model(null)
    cores = {
        name: _core(one)
        for name, one in named_motifs(motifs, taxon=taxon, error=DesignError).items()
    }
    asked = {
        name: one
        for name, one in cores.items()
        if one is not None
        and 4 ** len(one) >= LEAST_PLACEBOS
        and len(one) <= null.length
    }
    if not asked:
        raise DesignError(
            f"motifs: none of {len(cores):,} has a core of 3 to {null.length:,} bases",
            argument="motifs",
        )
    return screen(
        null,
        asked,
        at=at,
        n_placebos=n_placebos,
        n_units=n_units,
        rope=rope,
        entry=MOTIF_SCREEN,
        both_strands=both_strands,
        left_out=[name for name in cores if name not in asked],
    )


def _core(motif: Motif) -> Motif | None:
    """Return the core of a motif; None where it has none."""
    try:
        return motif_core(motif)
    except SequenceError:
        return None


MOTIF_SCREEN = Entry(
    name="motif_screen",
    question="Which known motifs does the network read?",
    estimand=(
        "E[Y(core at a place, on a strand) - Y(untreated)] of each motif, over the null "
        "model, against random sequences of about its width."
    ),
    doi="10.1093/nar/gkad1059",
    example={"motifs": ["GATA1", "FOS::JUN", "GABPA", "HNF4A", "SP1", "CTCF"]},
    read=read_screen,
    draw=draw_screen,
    zoo="gata1_like",
    claims="screening",
)

"""Effects of variants: each in its own context, alone or ranked among matched null
variants, or over sampled contexts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import as_position
from causalgia.choices import VARIANT_SKIPS, Align
from causalgia.design import Arm, Embed, Genomic, MatchedVariants, NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer, Reading, largest_contrasts
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.listed_rows import places
from causalgia.experiments.kit.own_contexts import (
    ALTERNATE,
    CONTRAST,
    REFERENCE,
    arms_of,
    window_loci,
)
from causalgia.experiments.kit.variant_trial import VariantTrial
from causalgia.multiplicity.matched_ranks import match_strata
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.motif_changes import motif_changes
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.sequences.motifs import Motif
from causalgia.sequences.skipped_inputs import Skip, as_skip
from causalgia.sequences.variant_files import Variant, VariantTable, read_variants
from causalgia.sequences.windowed_variants import (
    ReadOut,
    VariantWindows,
    allele_width,
    shared_stretches,
    variant_changes,
    windows_of_list,
)
from causalgia.types import Stretches

if TYPE_CHECKING:
    from causalgia.tell.figures.axes import Axes

_N_NULL, _N_UNITS = 10_000, 1_000
_Side: TypeAlias = tuple[str, Stretches]  # letters of an allele, and `Arm.aligned`


def variants(
    vcf: VariantTable,
    fasta: str | PathLike[str],
    *,
    length: int | None = None,
    null: MatchedVariants | NullModel | None = None,
    n_null: int | None = None,
    tail: bool = False,
    flank: int = 10,
    read_out: ReadOut | None = None,
    align: Align | None = None,
    motifs: MotifList | None = None,
    rope: RopeLike | None = None,
    skip: Skip = (),
) -> Experiment:
    r"""Return the experiment on the effects of variants: a list and a genome in, one
    row per variant out.

    The effect is ``Y(alternate) - Y(reference)``. `null` says in what, and among what:

    - None: in the variant's own context, the window of the genome around it, where it
      is exact for this predictor and genome (standard error 0). The estimated contrast
      is the mean over variants like these, ``"alternate minus reference"``; variants
      with overlapping windows are one cluster. One variant gives its number, and no
      interval: it has one context.
    - `causalgia.MatchedVariants`: in its own context, ranked by size among null
      variants alike in substitution, flanking bases, distance and length, and on
      request in what their reference predicts. The p-value is
      ``(1 + #{|null| >= |effect|}) / (m + 1)`` within the stratum. Where the references
      predict otherwise than those of the null variants do, the answer says it first.
    - a null model of sequences: its mean over contexts, both alleles with `flank`
      genomic bases on each side at the center of the same backgrounds, as in a reporter
      assay.

    Along a track (`causalgia.Track`) the effect is the largest one, at its position
    ``peak``, of the bases that both alleles have: those behind an indel are read where
    they are, and bases that an allele lacks are NaN in `causalgia.run`.

    Variants are left-normalized (Tan, Abecasis & Kang 2015): two lines that make the
    same sequence are one variant, tested once; each line keeps its row. Alternates of
    one line share their reference, and its window.

    Parameters
    ----------
    vcf
        The variants in any form that `causalgia.sequences.read_variants` reads: a VCF
        file, a table, ``["chr1:42:A:G"]``, `causalgia.sequences.Variant` values.
    fasta
        The reference genome, FASTA or .2bit; case is ignored.
    length
        Bases of each window, the predictor's input. Over contexts that of `null`.
    null
        What effects are compared with, or averaged over.
    n_null
        How many are drawn of `null`: matched null variants, by default 10,000 (enough
        if 1 % of the variants may be real; 2,000 if 5 %); contexts, by default 1,000 or
        all real sequences. Where ``of`` is not stated so many at random loci, and
        as many in the variants' own windows.
    tail
        Whether p-values below ``1 / (m + 1)`` are extrapolated from the largest null
        effects of the stratum (2,000 or more), as ``tail_p`` beside ``p_matched``: a
        model of their tail, where ranks assume none. Verdicts stay those of the ranks.
    flank
        Over contexts, bases of the genome on each side of the longer allele.
    read_out
        Where the network reads: the site that stands in the middle of each window. By
        default the variant itself. A BED file of sites (transcription start sites,
        splice sites, summits in a narrowPeak) or its table (``chrom, start, end``), of
        which each variant gets the nearest; or a table with the columns ``position``
        (counted from 0) and ``strand``, a row for each variant. Windows of sites on the
        minus strand are reverse-complemented.
    align
        Which side of an indel keeps its place in the window
        (`causalgia.sequences.windowed_variants.variant_windows`): by default
        ``"left"``, with `read_out` ``"read_out"``, the side that has the site.
    motifs
        Motifs to name the one that each variant makes or breaks: a file, a mapping
        name -> motif, a list, or ``"JASPAR"``.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. By default ``"0.2 sd"`` of the reference alleles' outcomes (0, direction
        alone, of one reference); among matched variants ``"matched"``, absolute effects
        up to the largest but 5 % of theirs.
    skip
        Reasons for which variants are left out instead of refused, ``"all"`` or any of:
        ``"mismatch"`` (the genome has another reference allele; refused still where
        most do), ``"symbolic"`` (``<DEL>``, breakends, ``*``, ``.``), ``"N"`` (a letter
        that is no base, in an allele or the window), ``"edge"`` (the window leaves its
        chromosome), ``"chromosome"`` (unknown to the genome), ``"repeated"``,
        ``"unchanged"`` (both alleles are equal, or so are their windows: an indel in a
        repeat that reaches the end of its window or flanks), ``"long"`` (an allele
        longer than the window), ``"read_out"`` (no site in the window),
        ``"malformed"`` (a line that cannot be parsed, such as one without a position).

    Returns
    -------
    Experiment
        Reading ``variants`` (variant, task): ``effect`` and ``verdict``; alone and over
        contexts ``lower, upper, se``, over contexts also ``p, q``; among null variants
        ``p_matched, q_matched, n_matched, matched_lower, matched_upper``, from 30
        variants on ``lfdr_matched``, with `tail` ``tail_p`` and ``tail_by``.
        Coordinates ``chromosome``, ``position`` (counted from 0), ``reference``,
        ``alternate``; with `read_out` ``distance``, that of the first changed base from
        the site (negative: before it, as the network reads); with `motifs` ``motif``,
        ``score_ref``, ``score_alt`` (log-odds in bits of its best place that overlaps
        the change) and ``strand``; ``dropped_keys``, what the null variants of a
        stratum need not share. Reading ``null variants`` (null, task): their effects.
        Reading ``skipped`` (line), with `skip`: ``name, reason, detail``.
        `causalgia.experiments.variant_frame` returns the table.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or position or has another reference allele there, or a variant has
        no site of `read_out`, or lies outside of its window; and `skip` does not leave
        it out. The message names the variant.
    DesignError
        If both alleles give one window and `skip` does not leave that out, alleles do
        not fit the contexts, or a setting is not of this kind of `null`.
    DataError
        If null variants are chosen by the references' predictions, and effects alone
        are analyzed.
    EstimateError
        If a length of indels has fewer than 19 null variants.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; ranks among null draws: Bates,
    Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244; alleles in many
    contexts: Tewhey et al. (2016), doi:10.1016/j.cell.2016.04.027; left-normalized
    alleles: Tan, Abecasis & Kang (2015), doi:10.1093/bioinformatics/btv112.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> import causalgia as cg
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(
    ...     ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    ... )
    >>> two = pd.DataFrame(
    ...     {"chrom": "chr1", "pos": [43, 61], "ref": "A", "alt": ["C", "G"]}
    ... ).assign(id=["rs1", "rs2"])
    >>> experiment = cg.experiments.variants(
    ...     two, folder / "genome.fa", length=40, motifs={"GATA1": "AGATAAG"}
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0
    ... )
    >>> print(answer.sentences[0])
    Task K562: of 2 variants in their own contexts, 1 lowers the outcome (rs1 -1.0..., breaks GATA1), ...
    >>> rows = answer.findings["variants"].sel(task="K562")
    >>> rows["effect"].values.round(2).tolist(), rows["motif"].values.tolist()
    ([-1.05, 0.0], ['GATA1', ''])

    Among variants in random sequences:

    >>> null = cg.MatchedVariants(
    ...     of=cg.Uniform(length=40), match=("substitution", "length"), min_nulls=39
    ... )
    >>> experiment = cg.experiments.variants(
    ...     two, folder / "genome.fa", length=40, null=null, n_null=500
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    ... )
    >>> answer.estimates["p_matched"].sel(task="K562").values < 0.01
    array([ True, False])

    Over contexts:

    >>> experiment = cg.experiments.variants(
    ...     two, folder / "genome.fa", null=cg.Uniform(length=60)
    ... )
    >>> experiment.named_contrasts["rs1"]
    {'rs1 alternate': 1.0, 'rs1 reference': -1.0}
    """
    reasons = as_skip(skip, VARIANT_SKIPS, what="variants")
    chosen = read_variants(vcf, skip=skip)
    named = None if motifs is None else named_motifs(motifs)
    if null is not None and not isinstance(null, MatchedVariants):
        null = as_null_model(null)
        placed = align or read_out is not None
        if placed or (length or null.length) != null.length:
            raise DesignError(
                f"length={length}, read_out= and align= place variants in their own "
                f"sequences, and null= has others, of {null.length} bases",
                argument="null",
            )
        return _over_contexts(
            chosen,
            fasta,
            null,
            flank=as_position(flank, "flank"),
            n_units=n_null,
            motifs=named,
            rope="0.2 sd" if rope is None else rope,
            skip=reasons,
        )
    if length is None:
        raise DesignError("length= is needed: bases of a window", argument="length")
    cut = windows_of_list(
        chosen, fasta, length=length, skip=reasons, read_out=read_out, align=align
    )
    listed, windows = cut.changed() if "unchanged" in reasons else cut
    if (same := windows.unchanged).any():
        raise DesignError(
            f"variant {quoted(windows.names[int(np.argmax(same))])}: both alleles give "
            f"one window of {length} bases (an indel in a repeat); skip='unchanged' "
            "leaves it out"
        )
    one = len(np.unique(windows.reference, axis=0)) == 1
    if rope is None:
        rope = "matched" if null is not None else 0 if one else "0.2 sd"
    analysis = Analysis(rope=rope, target="units")
    if analysis.has_placebo_region or (
        null is None and one and Rope.parse(rope).kind == "sd"
    ):
        raise DesignError(
            f"rope={quoted(rope)}: there are no placebos, and one reference window "
            "has no sd",
            argument="rope",
        )
    columns = _columns_of(windows, named, length)
    if read_out is not None:
        changes = variant_changes(windows, flank=0)
        columns["distance"] = [change.at - length // 2 for change in changes]
    reference, alternate = windows.reference, windows.alternate
    aligned = windows.aligned
    names, parents = windows.names, window_loci(windows)
    ranks: dict[str, Any] = {}
    if null is not None:
        n_null = _N_NULL if n_null is None else n_null
        drawn = null.draw(
            windows, n_null=n_null, genome=fasta, read_out=read_out is not None
        )
        keys, of = null.keys_of(windows)
        # of two populations the null variants are drawn for the same variants
        matched = drawn.matched[:n_null]
        strata = match_strata(keys, of, matched, least=null.min_nulls)
        dropped = [", ".join(strata.dropped[i]) for i in strata.of_effect]
        columns["dropped_keys"] = dropped
        reference = np.concatenate([reference, drawn.reference])
        alternate = np.concatenate([alternate, drawn.alternate])
        aligned += drawn.aligned
        names += tuple(f"null variant {i + 1}" for i in range(len(drawn.matched)))
        parents += [f"of null variants: {source}" for source in drawn.source]
        n_given_up = int((drawn.n_dropped > 0).sum())
        ranks = {"matched": null, "strata": strata, "n_given_up": n_given_up}
    return VariantTrial(
        null=Genomic(of=Sequences(reference, names), parent=parents),
        arms=arms_of(reference, alternate, aligned),
        n_units=len(names),
        contrasts=CONTRAST,
        entry=VARIANTS,
        analysis=analysis,
        listed=listed,
        windows=windows,
        columns=columns,
        tail=tail,
        **ranks,
    )


def _columns_of(
    windows: VariantWindows, motifs: Mapping[str, Motif] | None, beside: int
) -> dict[str, list[Any]]:
    """Return the motif that each variant changes, at places up to `beside` bases from
    it.
    """
    if motifs is None:
        return {}
    widest = max(map(len, motifs.values()))
    changes = variant_changes(windows, flank=min(beside, widest - 1))
    rows = motif_changes(changes, motifs)._asdict()
    return {name: row.tolist() for name, row in rows.items()}


def _over_contexts(
    chosen: Sequence[Variant],
    fasta: str | PathLike[str],
    null: NullModel,
    *,
    flank: int,
    n_units: int | None,
    motifs: Mapping[str, Motif] | None,
    rope: RopeLike,
    skip: frozenset[str],
) -> Experiment:
    most = null.length - 2 * flank - 1  # leaves a base of the context
    widest = max((w for w in map(allele_width, chosen) if w <= most), default=1)
    listed, windows = windows_of_list(
        chosen, fasta, length=2 * flank + widest, skip=skip, widest=widest
    )
    sides, same = list[tuple[_Side, _Side]](), dict[int, str]()
    changes = variant_changes(windows, flank=0)
    both = zip(*map(decode, (windows.reference, windows.alternate)), strict=True)
    for i, letters in enumerate(both):
        variant, start = windows.variants[i], int(windows.start[i])
        if (width := allele_width(variant)) > widest:
            raise DesignError(
                f"variant {quoted(variant.name)}: an allele of {width} bases with "
                f"flanks of {flank} leaves none of contexts of {null.length} bases",
                argument="flank",
            )
        span = slice(start - flank, start + width + flank)
        reference, alternate = (x[span] for x in letters)
        begin = (null.length - len(reference)) // 2
        at, end = begin + changes[i].at - span.start, begin + len(reference)
        shared = shared_stretches(at, *changes[i].size, end, right=False)
        if shared:  # bases of the context keep their place
            first, (start, _, shift) = shared
            shared = first, (start, end - max(shift, 0), shift), (end, null.length, 0)
        sides.append(((reference, ()), (alternate, shared)))
        if reference == alternate:
            same[i] = f"both alleles read {quoted(reference)} (an indel in a repeat)"
            if "unchanged" not in skip:
                raise DesignError(f"variant {quoted(variant.name)}: {same[i]}")
    listed = listed.changed(same)
    kept = [i for i in range(len(sides)) if i not in same]
    names, sides = [x.name for x in listed.haplotypes], [sides[i] for i in kept]
    arms = dict[_Side, str]()  # variants of one place share their reference arm
    for side, kind in enumerate((REFERENCE, ALTERNATE)):
        for name, pair in zip(names, sides, strict=True):
            arms.setdefault(pair[side], f"{name} {kind}")
    columns = _columns_of(
        windows.rows(np.isin(np.arange(len(windows)), kept)), motifs, flank
    )
    labels = places(listed.first_listed) | columns
    n = null.available if isinstance(null, Genomic) else _N_UNITS
    return VariantTrial(
        null=null,
        arms=[
            Arm(
                name,
                Embed(letters, at=(null.length - len(letters)) // 2),
                aligned=[shared],
            )
            for (letters, shared), name in arms.items()
        ],
        n_units=n if n_units is None else n_units,
        contrasts={
            name: {arms[alternate]: 1.0, arms[reference]: -1.0}
            for name, (reference, alternate) in zip(names, sides, strict=True)
        },
        entry=VARIANTS,
        analysis=Analysis(rope=rope),
        labels={k: dict(zip(names, row, strict=True)) for k, row in labels.items()},
        listed=listed,
        columns=columns,
    )


def _read_contexts(found: TrialResults) -> Reading:
    trial: Any = found.experiment
    rows = found.steps.decisions
    return Reading(
        datasets=trial.finding_of(rows),
        states=trial.states(rows),
    )


def _draw(answer: Answer) -> Axes:
    """Draw the largest variants of one task over their region."""
    from causalgia.tell.figures import forest

    return forest(largest_contrasts(answer.decisions), task=answer.tasks[0])


VARIANTS = Entry(
    name="variants",
    question="What is the effect of each variant, alternate against reference allele?",
    estimand=(
        "Y(alternate) - Y(reference) of each variant: exact in its own context, alone "
        "or by its rank among matched null variants, or its mean over contexts."
    ),
    doi="10.1038/nmeth.3547",
    example={
        "vcf": "example.vcf",
        "fasta": "genome.fa",
        "length": 420,
        "n_null": 2_000,
        "rope": "matched",
    },
    read=_read_contexts,
    draw=_draw,
    zoo="rbfox1_like",
    claims="screening",
)

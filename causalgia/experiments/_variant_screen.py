"""A screen of variants: each effect, in the variant's own context, ranked among those of
matched null variants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os import PathLike

import numpy as np

from causalgia.analysis import Analysis
from causalgia.choices import Align
from causalgia.design import Genomic, MatchedVariants, NullModel
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.listed_rows import list_of_variants
from causalgia.experiments.kit.matched_trial import MatchedTrial, draw_largest_variants
from causalgia.experiments.kit.own_contexts import (
    CONTRAST,
    arms_of,
    own_contexts,
    replaced_letters,
    window_loci,
)
from causalgia.multiplicity.matched_ranks import match_strata
from causalgia.ropes import RopeLike
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.skipped_inputs import Skip
from causalgia.sequences.variant_files import Variant, VariantTable
from causalgia.sequences.windowed_variants import ReadOut


def variant_screen(
    vcf: VariantTable | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    length: int,
    null: MatchedVariants = MatchedVariants(of="genome"),  # noqa: B008 - frozen
    n_null: int = 10_000,
    tail: bool = False,
    read_out: ReadOut | None = None,
    align: Align | None = None,
    rope: RopeLike = "matched",
    skip: Skip = (),
) -> Experiment:
    r"""Return the experiment that ranks the effect of each variant among those of
    matched null variants, to find those that are large for a variant.

    The effect ``Y(alternate) - Y(reference)`` of each variant in its own context is
    exact for this predictor and genome, as in `variant_effects`. It is ranked among
    null variants that are alike in substitution, flanking bases, distance and length.
    The contrasts are the variants. The p-value is ``(1 + #{|null| >= |effect|}) / (m +
    1)`` within the stratum, valid for a variant that is exchangeable with its null
    variants. Variants are left-normalized, as there.

    Parameters
    ----------
    vcf
        A VCF file or a table of variants, as `causalgia.sequences.read_variants` reads
        it, or what that gives.
    fasta
        The reference genome, FASTA or .2bit; case is ignored.
    length
        Bases of each window, the predictor's input.
    null
        The null model of variants: where null variants lie, and what they share with
        the variants that they match.
    n_null
        Matched null variants. p-values are at least ``1 / (m + 1)`` with m of them in a
        stratum: 10,000 if 1 % of the variants may be real, 2,000 if 5 %.
    tail
        Whether p-values below ``1 / (m + 1)`` are extrapolated from the largest null
        effects of the stratum (2,000 or more), as ``tail_p`` beside ``p_matched``: a
        model of their tail, where ranks assume none. Verdicts stay those of the ranks.
    read_out
        Where the network reads: the site that stands in the middle of each window. By
        default the variant itself. A BED file of sites (transcription start sites,
        splice sites, summits in a narrowPeak), of which each variant gets the nearest,
        or a table with the columns ``position`` (counted from 0) and ``strand``, a row
        for each variant. Windows of sites on the minus strand are reverse-complemented.
        The distance that is matched is that to the site.
    align
        Which side of an indel keeps its place in the window
        (`causalgia.sequences.windowed_variants.variant_windows`): by default
        ``"left"``, with `read_out` ``"read_out"``, the side that has the site.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. By default ``"matched"``: absolute effects up to the largest but 5 % of
        those of matched variants, beyond which p is at most .05.
    skip
        Reasons for which variants are left out instead of refused: those of
        `variant_effects`. The answer's last sentence counts them, and its finding
        ``"skipped"`` lists each with its reason.

    Returns
    -------
    Experiment
        Finding ``variants`` (variant, task): ``effect, p_matched, q_matched,
        n_matched, matched_lower, matched_upper, verdict`` and, from 30 variants on,
        ``lfdr_matched``; with `tail`, ``tail_p`` and ``tail_by``; coordinates as in
        `variant_effects`, and ``dropped_keys``, what the null variants of a stratum
        need not share. Estimates and decisions have the same (contrast, task). Finding
        ``null variants`` (null, task): their effects. Finding ``skipped`` (line), with
        `skip`.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or position or has another reference allele there, or a
        variant has no site of `read_out`, or lies outside of its window; and `skip` does
        not leave it out. The message names the variant, and the reason that would.
    DesignError
        If both alleles give one window and `skip` does not leave that out, `null` is no
        `causalgia.MatchedVariants`, or it has too few sequences for `n_null`.
    EstimateError
        If a length of indels has fewer than 19 null variants.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; ranks among null draws: Bates,
    Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    Among variants in random sequences:

    >>> import pathlib, tempfile
    >>> import causalgia as cg
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(
    ...     ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    ... )
    >>> _ = (folder / "two.vcf").write_text(
    ...     "chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n"
    ... )
    >>> null = cg.MatchedVariants(
    ...     of=cg.Uniform(length=40), match=("substitution", "length"), min_nulls=39
    ... )
    >>> experiment = cg.experiments.variant_screen(
    ...     folder / "two.vcf", folder / "genome.fa", length=40, null=null, n_null=500
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    ... )
    >>> answer.estimates["p_matched"].sel(task="K562").values < 0.01
    array([ True, False])
    """
    _check_null(null)
    analysis = Analysis(rope=rope, target="units")
    if analysis.has_placebo_region:
        raise DesignError(
            f"rope={quoted(rope)} is of placebos, which variants have none of: give "
            "rope='matched', the central 95 % of matched null variants, two "
            "numbers or '0.2 sd'",
            argument="rope",
        )
    own = own_contexts(
        list_of_variants(vcf, skip=skip),
        fasta,
        length=length,
        read_out=read_out,
        align=align,
    )
    windows = own.windows
    nulls = null.draw(windows, n_null=n_null, genome=fasta)
    keys, names = null.keys_of(windows)
    strata = match_strata(keys, names, nulls.matched, least=null.min_nulls)
    reference = np.concatenate([windows.reference, nulls.reference])
    alternate = np.concatenate([windows.alternate, nulls.alternate])
    labels = [*windows.names, *(f"null variant {i + 1}" for i in range(n_null))]
    return MatchedTrial(
        null=Genomic(
            of=Sequences(reference, tuple(labels)),
            parent=[
                *window_loci(windows),
                *(f"of null variants: {source}" for source in nulls.source),
            ],
        ),
        arms=arms_of(*replaced_letters(reference, alternate)),
        n_units=len(labels),
        contrasts=CONTRAST,
        entry=VARIANT_SCREEN,
        analysis=analysis,
        variants=own.listed.first_listed,
        listed=own.listed,
        matched=null,
        strata=strata,
        n_given_up=dict(Counter(nulls.n_dropped.tolist())),
        tail=tail,
        distances=own.distances,
    )


def _check_null(null: object) -> None:
    """Raise DesignError if a null model is not one of variants."""
    if isinstance(null, MatchedVariants):
        return
    other = (
        "; cg.experiments.variants_across_contexts averages over sequences of a "
        "null model"
        if isinstance(null, NullModel)
        else ""
    )
    raise DesignError(
        f"null={quoted(null)} is not a null model of variants, such as "
        f"cg.MatchedVariants(of='genome'){other}"
    )


VARIANT_SCREEN = Entry(
    name="variant_screen",
    question="Which variants have larger effects than matched variants?",
    estimand=(
        "Y(alternate) - Y(reference) of each variant in its own context, and its rank "
        "by size among those of matched null variants."
    ),
    doi="10.1214/22-AOS2244",
    draw=draw_largest_variants,
    zoo="gata1_like",
    claims="screening",
)

"""Effects of variants: each exact for the predictor, in the variant's own context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Analysis
from causalgia.choices import Align
from causalgia.design import Genomic
from causalgia.errors import NAMES_SHOWN, DesignError, quoted
from causalgia.experiments._necessity import verdict_counts
from causalgia.experiments.kit.answer import Answer, Finding, largest_contrasts
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.listed_rows import (
    VERDICTS_OF_MANY,
    account_of_lines,
    list_of_variants,
    row_of_each_line,
    skipped_finding,
    variant_labels,
)
from causalgia.experiments.kit.matched_trial import OWN_CONTEXT, check_every_variant
from causalgia.experiments.kit.own_contexts import (
    CONTRAST,
    MEAN,
    arms_of,
    own_contexts,
    replaced_strings,
    window_loci,
)
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.inputs import cut_middle
from causalgia.notes import Said
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.skipped_inputs import Skip
from causalgia.sequences.variant_files import Variant, VariantTable
from causalgia.sequences.windowed_variants import ReadOut, VariantWindows

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes


def variant_effects(
    vcf: VariantTable | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    length: int,
    read_out: ReadOut | None = None,
    align: Align | None = None,
    rope: RopeLike = "0.2 sd",
    skip: Skip = (),
) -> Experiment:
    r"""Return the experiment that computes the effect of each variant in its own
    context: VCF and FASTA in, one row per variant out.

    Each variant is one unit: the window of the genome around it, with the reference and
    with the alternate allele. The effect ``Y(alternate) - Y(reference)`` of each is
    exact for this predictor and genome (standard error 0). The estimated contrast is
    their mean, ``"alternate minus reference"``, over variants like these. Variants with
    overlapping windows are one cluster; if all overlap, the claim is about variants of
    that one region.

    Whether an effect is large for a variant is the question of `variant_screen`; what
    an allele does in other sequences is that of `variants_across_contexts`.

    Variants are left-normalized (Tan, Abecasis & Kang 2015): two lines that make the
    same sequence, as an insertion in a repeat written at two of its places, are one
    variant, tested once and counted once; each line keeps its row in the finding.

    Parameters
    ----------
    vcf
        A VCF file or a table of variants, as `causalgia.sequences.read_variants` reads
        it, or what that gives.
    fasta
        The reference genome, FASTA or .2bit; case is ignored.
    length
        Bases of each window, the predictor's input.
    read_out
        Where the network reads: the site that stands in the middle of each window. By
        default the variant itself. A BED file of sites (transcription start sites,
        splice sites, summits in a narrowPeak), of which each variant gets the nearest,
        or a table with the columns ``position`` (counted from 0) and ``strand``, a row
        for each variant. Windows of sites on the minus strand are reverse-complemented.
    align
        Which side of an indel keeps its place in the window
        (`causalgia.sequences.windowed_variants.variant_windows`): by default
        ``"left"``, with `read_out` ``"read_out"``, the side that has the site.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. By default ``"0.2 sd"`` of the reference alleles' outcomes.
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
        The answer's last sentence counts them, and its finding ``"skipped"`` lists each
        with its reason.

    Returns
    -------
    Experiment
        Finding ``variants`` (variant, task): ``effect, lower, upper, verdict, se``;
        coordinates ``chromosome``, ``position`` (counted from 0), ``reference``,
        ``alternate`` and, with `read_out`, ``distance``, that of the first changed base
        from the site (negative: before it, as the network reads).
        ``answer.findings["variants"].to_dataframe()`` is the table, and
        ``attrs["estimand"]`` names its estimand. Finding ``skipped`` (line), with
        `skip`: ``name, reason, detail``, line of the file and alleles.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or position or has another reference allele there, or a
        variant has no site of `read_out`, or lies outside of its window; and `skip` does
        not leave it out. The message names the variant, and the reason that would.
    DesignError
        If both alleles give one window and `skip` does not leave that out, there is a
        single variant, or all have one reference window and the region is in its sd.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; left-normalized alleles: Tan,
    Abecasis & Kang (2015), doi:10.1093/bioinformatics/btv112.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import causalgia as cg
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(
    ...     ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    ... )
    >>> _ = (folder / "two.vcf").write_text(
    ...     "chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n"
    ... )
    >>> experiment = cg.experiments.variant_effects(
    ...     folder / "two.vcf", folder / "genome.fa", length=40
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0
    ... )
    >>> print(answer.sentences[0])
    Task K562: of 2 variants in their own contexts, 1 decreases (rs1 -1.0...), 1 is negligible, ...
    >>> answer.findings["variants"].sel(task="K562").to_dataframe()[
    ...     ["position", "reference", "alternate", "verdict"]
    ... ]
             position reference alternate     verdict
    variant...
    rs1            42         A         C   decreases
    rs2            60         A         G  negligible
    """
    own = own_contexts(
        list_of_variants(vcf, skip=skip),
        fasta,
        length=length,
        read_out=read_out,
        align=align,
    )
    windows = own.windows
    loci = window_loci(windows)
    analysis = Analysis(rope=rope, cluster="auto" if len(set(loci)) > 1 else "none")
    _check_own_contexts(windows, analysis.region)
    return Experiment(
        null=Genomic(of=Sequences(windows.reference, windows.names), parent=loci),
        arms=arms_of(*replaced_strings(windows)),
        n_units=len(windows),
        contrasts=CONTRAST,
        entry=replace(
            VARIANT_EFFECTS,
            read=partial(_read_own_contexts, own.listed, own.distances, len(set(loci))),
        ),
        analysis=analysis,
    )


def _check_own_contexts(windows: VariantWindows, rope: Rope | None) -> None:
    if len(windows) == 1:
        raise DesignError(
            f"variant {quoted(windows.names[0])} alone, in its own context, is one "
            "number: there is nothing to estimate it from",
        )
    if (
        len(np.unique(windows.reference, axis=0)) == 1
        and rope is not None
        and rope.kind == "sd"
    ):
        raise DesignError(
            f"all variants have one reference window, so that rope={quoted(rope.value)} "
            "of its sd has no width; give the effects that are too small to matter, "
            "rope=(-0.1, 0.1)"
        )


def _read_own_contexts(
    listed: ListedVariants,
    distances: tuple[int, ...] | None,
    n_loci: int,
    found: TrialResults,
) -> Finding:
    """Return sentences on the mean effect and, unless only moments were kept, a row for
    each variant.
    """
    chosen, account = listed.first_listed, account_of_lines(listed)
    rows = found.steps.decisions.sel(contrast=MEAN)
    over = f"{n_loci:,} loci" if n_loci > 1 else "one locus"
    means = {
        of: f"on average {effect_in_words(row)} ({row['verdict'].item()})"
        for of, row in rows_by_task(rows)
    }
    if found.steps.effects is None:
        return Finding(
            datasets=skipped_finding(listed.skipped),
            sentences=(
                *(
                    Said(f"{len(chosen)} variants of {over}, {mean}.", *of)
                    for of, mean in means.items()
                ),
                *account,
            ),
        )
    check_every_variant(found.steps.effects, len(chosen))
    table = _variant_table(
        found.steps.effects["ice"].sel(contrast=MEAN).compute(), rows, chosen
    )
    if distances is not None:
        table = table.assign_coords(distance=("variant", list(distances)))
    sentences = [
        Said(
            f"of {len(chosen):,} variants in their own contexts, "
            f"{verdict_counts(part, VERDICTS_OF_MANY, _largest_variants)}, each exact for this "
            f"predictor; over {over} {means[of]}.",
            *of,
        )
        for of, part in rows_by_task(table.rename(effect="ace", variant="contrast"))
    ]
    each = row_of_each_line(table.assign_attrs(estimand=OWN_CONTEXT), listed)
    return Finding(
        datasets={"variants": each, **skipped_finding(listed.skipped)},
        sentences=(*sentences, *account),
    )


def _variant_table(
    effects: xr.DataArray, mean: xr.Dataset, chosen: tuple[Variant, ...]
) -> xr.Dataset:
    """Return a row for each variant; its exact effect is compared with the ROPE."""
    import xarray as xr

    # a task whose control does not vary has no verdict
    with_verdict = effects.sel(task=mean["task"].to_numpy())
    effect = with_verdict.reset_coords(drop=True).rename(unit="variant")
    coords = {
        name: ("variant", list(row.values()))
        for name, row in variant_labels(chosen).items()
    }
    low, high = (
        mean[side].reset_coords(drop=True) for side in ("rope_lower", "rope_upper")
    )
    verdict = xr.full_like(effect, "negligible", dtype="<U10").where(
        low < high, "undecided"
    )
    verdict = verdict.where(effect <= high, "increases").where(
        effect >= low, "decreases"
    )
    columns = {
        "effect": effect,
        "lower": effect,
        "upper": effect,
        "verdict": verdict,
        "se": xr.zeros_like(effect),
    }
    return xr.Dataset(columns).assign_coords(
        {"variant": [x.name for x in chosen], **coords}
    )


def _largest_variants(rows: xr.Dataset) -> str:
    order = np.argsort(-abs(rows["ace"].to_numpy()), kind="stable")
    shown = [rows.isel(contrast=i) for i in order[:NAMES_SHOWN]]
    text = ", ".join(
        f"{cut_middle(str(row['contrast'].item()))} {row['ace'].item():+.3g}"
        for row in shown
    )
    return f"the largest {text}" if len(order) > len(shown) else text


def _draw_own_contexts(answer: Answer) -> Axes:
    """Draw a forest plot of the variants, or of the mean alone for moments."""
    from causalgia.tell.figures import forest

    table = answer.decisions
    if "variants" in answer.findings:
        ends = (
            table[["rope_lower", "rope_upper"]]
            .sel(contrast=MEAN, drop=True)
            .reset_coords(drop=True)
        )
        each = answer.findings["variants"].rename(variant="contrast", effect="ace")
        table = each.assign(ends.broadcast_like(each["ace"])).assign_attrs(table.attrs)
    return forest(largest_contrasts(table), task=answer.tasks[0])


VARIANT_EFFECTS = Entry(
    name="variant_effects",
    question=(
        "What is the effect of each variant in its own context, the alternate allele "
        "against the reference?"
    ),
    estimand=(
        "Y(alternate) - Y(reference) of each variant in its own context, and its mean "
        "over variants."
    ),
    doi="10.1038/nmeth.3547",
    draw=_draw_own_contexts,
    zoo="gata1_like",
)

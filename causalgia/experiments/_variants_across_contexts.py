"""Variants across contexts: the alleles with their flanks in the same sampled
backgrounds, as in a reporter assay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import as_position
from causalgia.design import Arm, Embed, Genomic, MatchedVariants, NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import NAMES_SHOWN, DesignError, quoted
from causalgia.experiments._necessity import verdict_counts
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.listed_rows import (
    VERDICTS_OF_MANY,
    account_of_lines,
    list_of_variants,
    row_of_each_line,
    skipped_finding,
    variant_labels,
)
from causalgia.experiments.kit.matched_trial import OVER_CONTEXTS, draw_largest_variants
from causalgia.experiments.kit.own_contexts import ALTERNATE, REFERENCE
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.inputs import cut_middle
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences.alphabet import decode
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.skipped_inputs import Skip
from causalgia.sequences.variant_files import Variant, VariantTable
from causalgia.sequences.windowed_variants import allele_width, windows_of_list

if TYPE_CHECKING:
    import xarray as xr

_N_UNITS = 1_000
_FROM_DECISIONS = {
    "ace": "effect",
    "lower": "lower",
    "upper": "upper",
    "verdict": "verdict",
    "se": "se",
    "p": "p",
    "q": "q",
}


def variants_across_contexts(
    vcf: VariantTable | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    null: NullModel,
    flank: int = 10,
    n_units: int | None = None,
    rope: RopeLike = "0.2 sd",
    skip: Skip = (),
) -> Experiment:
    r"""Return the experiment that estimates the effect of each variant over contexts:
    its alleles in random, shuffled or other real sequences.

    Both alleles with `flank` genomic bases on each side are embedded at the center of
    the same backgrounds, and there is a contrast for each variant: its average effect
    over contexts, as in a reporter assay. Variants are left-normalized, as in
    `variant_effects`, which computes each in its own context.

    Parameters
    ----------
    vcf
        A VCF file or a table of variants, as `causalgia.sequences.read_variants` reads
        it, or what that gives.
    fasta
        The reference genome, FASTA or .2bit; case is ignored.
    null
        The null model of the contexts, such as ``cg.Uniform(length=200)``.
    flank
        Bases of the genome on each side of the longer allele.
    n_units
        Backgrounds, by default 1,000 (or all real sequences).
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. By default ``"0.2 sd"`` of the reference alleles' outcomes.
    skip
        Reasons for which variants are left out instead of refused: those of
        `variant_effects`. The answer's last sentence counts them, and its finding
        ``"skipped"`` lists each with its reason.

    Returns
    -------
    Experiment
        Finding ``variants`` (variant, task): ``effect, lower, upper, verdict, se, p,
        q``; coordinates ``chromosome``, ``position`` (counted from 0), ``reference`` and
        ``alternate``; ``attrs["estimand"]`` names the estimand. Finding ``skipped``
        (line), with `skip`.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or position or has another reference allele there; and `skip` does
        not leave it out. The message names the variant, and the reason that would.
    DesignError
        If `null` is no null model of sequences, alleles do not fit its backgrounds, or
        both are equal and `skip` does not leave that out.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; alleles in many contexts, as in a
    reporter assay: Tewhey et al. (2016), doi:10.1016/j.cell.2016.04.027.

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
    >>> experiment = cg.experiments.variants_across_contexts(
    ...     folder / "two.vcf", folder / "genome.fa", null=cg.Uniform(length=60)
    ... )
    >>> experiment
    <Experiment variants_across_contexts: 4 arms, 2 contrasts, 1,000 units of uniform random sequences of 60 bp>
    >>> experiment.named_contrasts["rs1"]
    {'rs1 alternate': 1.0, 'rs1 reference': -1.0}
    """
    _check_null(null)
    chosen, reasons = list_of_variants(vcf, skip=skip)
    flank = as_position(flank, "flank")
    most = null.length - 2 * flank - 1
    listed, references, alternates = _allele_strings(
        chosen, fasta, flank, most, reasons
    )
    if "unchanged" in reasons:
        pairs = enumerate(zip(references, alternates, strict=True))
        same = {
            i: f"both alleles read {quoted(x)} with their flanks (an indel in a repeat)"
            for i, (x, y) in pairs
            if x == y
        }
        listed = listed.changed(same)
        references, alternates = (
            [x for i, x in enumerate(strings) if i not in same]
            for strings in (references, alternates)
        )
    chosen = listed.first_listed
    _check_alleles_fit(chosen, references, alternates, null.length)
    named: dict[str, str] = {}  # variants of one place share their reference arm
    for kind, strings in ((REFERENCE, references), (ALTERNATE, alternates)):
        for variant, letters in zip(chosen, strings, strict=True):
            named.setdefault(letters, f"{variant.name} {kind}")
    alleles = zip(chosen, references, alternates, strict=True)
    n = null.available if isinstance(null, Genomic) else _N_UNITS
    return Experiment(
        null=null,
        arms=[
            Arm(name, Embed(letters, at=(null.length - len(letters)) // 2))
            for letters, name in named.items()
        ],
        n_units=n if n_units is None else n_units,
        contrasts={
            x.name: {named[alternate]: 1.0, named[reference]: -1.0}
            for x, reference, alternate in alleles
        },
        entry=replace(
            VARIANTS_ACROSS_CONTEXTS, read=partial(_read_sampled_contexts, listed)
        ),
        analysis=Analysis(rope=rope),
        labels=variant_labels(chosen),
    )


def _allele_strings(
    chosen: tuple[Variant, ...],
    fasta: str | PathLike[str],
    flank: int,
    most: int,
    skip: frozenset[str],
) -> tuple[ListedVariants, list[str], list[str]]:
    """Return the reference and alternate alleles with `flank` bases on both sides of
    the longer one.
    """
    widths = [allele_width(x) for x in chosen if isinstance(x, Variant)]
    if "long" in skip:
        widths = [width for width in widths if width <= most]
    widest = max(widths, default=1)
    listed, windows = windows_of_list(
        chosen, fasta, length=2 * flank + widest, skip=skip, widest=widest
    )
    widths = [allele_width(x) for x in windows.variants]
    spans = [
        slice(i - flank, i + n + flank)
        for i, n in zip(windows.start.tolist(), widths, strict=True)
    ]
    reference, alternate = (
        [decode(row[None, span])[0] for row, span in zip(tokens, spans, strict=True)]
        for tokens in (windows.reference, windows.alternate)
    )
    return listed, reference, alternate


def _check_alleles_fit(
    chosen: tuple[Variant, ...],
    references: list[str],
    alternates: list[str],
    length: int,
) -> None:
    for variant, reference, alternate in zip(
        chosen, references, alternates, strict=True
    ):
        if reference == alternate:
            raise DesignError(
                f"variant {quoted(variant.name)}: both alleles read "
                f"{quoted(reference)} with their flanks (an indel in a repeat); "
                + "skip='unchanged' leaves it out"
            )
        if len(reference) >= length:
            raise DesignError(
                f"variant {quoted(variant.name)}: its allele and flanks have "
                f"{len(reference)} bases, and backgrounds {length}: none of their "
                "bases is left; give a shorter flank=, or longer backgrounds"
            )


def _read_sampled_contexts(listed: ListedVariants, found: TrialResults) -> Finding:
    decisions = found.steps.decisions
    n = decisions.sizes["contrast"]
    sentences = [
        Said(
            f"of {n} variants, {verdict_counts(rows, VERDICTS_OF_MANY, _by_size)}.", *of
        )
        for of, rows in rows_by_task(decisions)
    ]
    labels = {
        name: ("contrast", decisions[name].to_numpy())
        for name in found.experiment.labels
    }
    table = (
        decisions[list(_FROM_DECISIONS)]
        .reset_coords(drop=True)
        .rename(_FROM_DECISIONS)
        .assign_coords(labels)
        .rename(contrast="variant")
    )
    rows = row_of_each_line(table.assign_attrs(estimand=OVER_CONTEXTS), listed)
    return Finding(
        datasets={"variants": rows, **skipped_finding(listed.skipped)},
        sentences=(*sentences, *account_of_lines(listed)),
    )


def _by_size(rows: xr.Dataset) -> str:
    order = np.argsort(-abs(rows["ace"].to_numpy()), kind="stable")
    parts = [
        f"{cut_middle(str(row['contrast'].item()))}: {effect_in_words(row)}"
        for row in (rows.isel(contrast=i) for i in order[:NAMES_SHOWN])
    ]
    return "; ".join(parts) + "; ..." * (len(order) > NAMES_SHOWN)


def _check_null(null: object) -> None:
    """Raise DesignError if a null model is not one of sequences."""
    if isinstance(null, MatchedVariants):
        as_null_model(
            null,
            what="a null model of sequences",
            other="cg.experiments.variant_screen ranks variants among matched ones",
        )
    as_null_model(null)


VARIANTS_ACROSS_CONTEXTS = Entry(
    name="variants_across_contexts",
    question=(
        "What is the effect of each variant over contexts, the alternate allele against "
        "the reference?"
    ),
    estimand=(
        "Mean of Y(alternate) - Y(reference) over backgrounds, both alleles with their "
        "flanks at the center."
    ),
    doi="10.1016/j.cell.2016.04.027",
    draw=draw_largest_variants,
    zoo="gata1_like",
    claims="screening",
)

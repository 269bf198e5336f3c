"""Variants: reference and alternate alleles as two arms, in their own contexts or in
sampled ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.checks import as_position, check_flag
from causalgia.choices import (
    VARIANT_SKIPS,
    Align,
    Schema,
    is_matched_rope,
    is_placebo_rope,
)
from causalgia.design import (
    Arm,
    Embed,
    EmbedEach,
    Genomic,
    MatchedVariants,
    NullModel,
    Untreated,
)
from causalgia.errors import NAMES_SHOWN, DesignError, Setting, quoted
from causalgia.experiments._necessity import verdict_counts
from causalgia.experiments.kit.answer import Answer, Finding, largest_contrasts
from causalgia.experiments.kit.experiment import Entry, Experiment, Labels, TrialResults
from causalgia.experiments.kit.listed_rows import (
    account_of_lines,
    row_of_each_line,
    skipped_finding,
)
from causalgia.experiments.kit.matched_trial import (
    OVER_CONTEXTS,
    OWN_CONTEXT,
    MatchedTrial,
    check_every_variant,
    draw_largest_variants,
)
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.inputs import cut_middle
from causalgia.multiplicity.matched_ranks import match_strata
from causalgia.ropes import RopeLike
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.skipped_inputs import (
    Skip,
    as_skip,
    takes_skip,
    ways_out,
)
from causalgia.sequences.variant_files import Variant, read_variants
from causalgia.sequences.windowed_variants import (
    ReadOut,
    VariantWindows,
    WindowsOfList,
    allele_width,
    variant_changes,
    windows_of_list,
)
from causalgia.types import Tokens

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes

REFERENCE, ALTERNATE = "reference", "alternate"
MEAN = "alternate minus reference"
_FLANK = 10
_N_UNITS = 1_000
_N_NULL = 10_000
_FROM_DECISIONS = {
    "ace": "effect",
    "lower": "lower",
    "upper": "upper",
    "verdict": "verdict",
    "se": "se",
    "p": "p",
    "q": "q",
}
_VERDICTS = {
    "increases": "increase",
    "decreases": "decrease",
    "negligible": "negligible",
    "undecided": "undecided",
}


@takes_skip
def variants(
    vcf: str | PathLike[str] | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    schema: Schema = "vcf",
    length: int | None = None,
    null: NullModel | MatchedVariants | None = None,
    n_null: int = 10_000,
    tail: bool = False,
    read_out: ReadOut | None = None,
    align: Align | None = None,
    flank: int | None = None,
    n_units: int | None = None,
    rope: RopeLike | None = None,
    skip: Skip = (),
) -> Experiment:
    r"""Return the experiment that estimates the effect of each variant: VCF and FASTA
    in, one row per variant out.

    In their own contexts (no `null`), each variant is one unit: the window of the
    genome around it, with the reference and with the alternate allele. The effect
    ``Y(alternate) - Y(reference)`` of each is exact for this predictor and genome
    (standard error 0). The estimated contrast is their mean,
    ``"alternate minus reference"``, over variants like these. Variants with overlapping
    windows are one cluster; if all overlap, the claim is about variants of that one
    region.

    In sampled contexts (`null`: random, shuffled or other real sequences), the alleles
    with `flank` genomic bases on each side are embedded at the center of the same
    backgrounds, and there is a contrast for each variant: its average effect over
    contexts, as in a reporter assay.

    Beside matched variants (``null=cg.MatchedVariants(of=...)``), each variant in its
    own context is ranked among null variants that are alike in substitution, flanking
    bases, distance and length: is its effect large for a variant? The contrasts are
    then the variants. The p-value is ``(1 + #{|null| >= |effect|}) / (m + 1)`` within
    the stratum, valid for a variant that is exchangeable with its null variants.

    Variants are left-normalized (Tan, Abecasis & Kang 2015): two lines that make the
    same sequence, as an insertion in a repeat written at two of its places, are one
    variant, tested once and counted once; each line keeps its row in the finding.

    Parameters
    ----------
    vcf
        A VCF file or another table (`schema`), plain or gzip-compressed, or variants as
        `causalgia.sequences.read_variants` gives them.
    fasta
        The reference genome; case is ignored.
    schema
        Columns of the file (`causalgia.sequences.read_variants`).
    length
        Bases of each window, the predictor's input; with `null`, the length of its
        backgrounds.
    null
        The null model of sampled contexts; a `causalgia.MatchedVariants`, the null
        model of variants in their own contexts; None: own contexts alone.
    n_null
        Matched null variants. p-values are at least ``1 / (m + 1)`` with m of them in a
        stratum: 10,000 if 1 % of the variants may be real, 2,000 if 5 %.
    tail
        Whether p-values below ``1 / (m + 1)`` are extrapolated from the largest null
        effects of the stratum (2,000 or more), as ``tail_p`` beside ``p_matched``: a
        model of their tail, where ranks assume none. Verdicts stay those of the ranks.
    read_out
        Where the network reads, in own contexts: the site that stands in the middle of
        each window. By default the variant itself. A BED file of sites (transcription
        start sites, splice sites, summits in a narrowPeak), of which each variant gets
        the nearest, or a table with the columns ``position`` (counted from 0) and
        ``strand``, a row for each variant. Windows of sites on the minus strand are
        reverse-complemented. The distance that is matched is that to the site.
    align
        Which side of an indel keeps its place in the window, in own contexts
        (`causalgia.sequences.windowed_variants.variant_windows`): by default ``"left"``, with `read_out`
        ``"read_out"``, the side that has the site.
    flank
        Bases of the genome on each side of the longer allele in sampled contexts, by
        default 10.
    n_units
        Backgrounds, by default 1,000 (or all real sequences); without `null` each
        variant is a unit.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. By default ``"0.2 sd"`` of the reference alleles' outcomes; with matched
        variants ``"matched"``: absolute effects up to the largest but 5 % of theirs,
        beyond which p is at most .05.
    skip
        Reasons for which variants are left out instead of refused, ``"all"`` or any of:
        ``"mismatch"`` (the genome has another reference allele; refused still where
        most do), ``"symbolic"`` (``<DEL>``, breakends, ``*``, ``.``), ``"N"`` (a letter
        that is no base, in an allele or the window), ``"edge"`` (the window leaves its
        chromosome), ``"chromosome"`` (unknown to the genome), ``"repeated"``,
        ``"unchanged"`` (both alleles are equal, or so are their windows: an indel in a
        repeat that reaches the end of its window or flanks), ``"long"`` (an allele
        longer than the window), ``"read_out"`` (no site in the window), ``"malformed"`` (a line that
        cannot be parsed, such as one without a position). The answer's last sentence
        counts them, and its finding ``"skipped"`` lists each with its reason.

    Returns
    -------
    Experiment
        Finding ``variants`` (variant, task): ``effect, lower, upper, verdict, se`` and,
        in sampled contexts, ``p`` and ``q``; coordinates ``chromosome``, ``position`` (counted from 0),
        ``reference``, ``alternate`` and, with `read_out`, ``distance``, that of the
        first changed base from the site (negative: before it, as the network reads).
        ``answer.findings["variants"].to_dataframe()`` is the table. Beside matched
        variants it has ``effect, p_matched, q_matched, n_matched, matched_lower,
        matched_upper, verdict`` and, from 30 variants on, ``lfdr_matched``; with
        `tail`, ``tail_p`` and ``tail_by``; estimates and decisions have the same
        (contrast, task), and ``dropped_keys``, what the null variants of a stratum need
        not share. ``attrs["estimand"]`` names the estimand. Finding ``skipped`` (line),
        with `skip`: ``name, reason, detail``, line of the file and alleles.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or position or has another reference allele there; or a variant has
        no site of `read_out`, or lies outside of its window; and `skip` does not leave
        it out. The message names the variant, and the reason that would.
    DesignError
        If `length` is missing or not that of the backgrounds, a setting is given that
        is for another kind of `null`, alleles do not fit the backgrounds, both give one
        window and `skip` does not leave that out, there is a
        single variant in its own context without matched variants, or there are too few
        sequences for `n_null`.
    EstimateError
        If a length of indels has fewer than 19 null variants.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; left-normalized alleles: Tan,
    Abecasis & Kang (2015), doi:10.1093/bioinformatics/btv112; alleles in many contexts, as in a
    reporter assay: Tewhey et al. (2016), doi:10.1016/j.cell.2016.04.027; ranks among
    null draws: Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

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
    >>> experiment = cg.experiments.variants(
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

    Beside matched variants, in random sequences:

    >>> null = cg.MatchedVariants(
    ...     of=cg.Uniform(length=40), match=("substitution", "length"), min_nulls=39
    ... )
    >>> experiment = cg.experiments.variants(
    ...     folder / "two.vcf", folder / "genome.fa", length=40, null=null, n_null=500
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    ... )
    >>> answer.estimates["p_matched"].sel(task="K562").values < 0.01
    array([ True, False])
    """
    if schema != "vcf" and not isinstance(vcf, str | PathLike):
        raise DesignError(
            f"``schema={quoted(schema)}`` is for a file, and variants were given: "
            "leave it out"
        )
    reasons = as_skip(skip, VARIANT_SKIPS, what="variants")
    given = (
        read_variants(vcf, schema=schema, skip=skip)
        if isinstance(vcf, str | PathLike)
        else vcf
    )
    chosen = given if isinstance(given, tuple) else _as_tuple(given)
    matched = isinstance(null, MatchedVariants)
    if n_null != _N_NULL and not matched:
        raise DesignError(
            f"``n_null={n_null}`` is for ``null=cg.MatchedVariants(of=...)``: leave it "
            "out, or give that null"
        )
    if tail and not matched:
        raise DesignError(
            "``tail=True`` is for ``null=cg.MatchedVariants(of=...)``: leave it out, "
            "or give that null"
        )
    check_flag(tail, "tail", error=DesignError)
    if matched and is_placebo_rope(rope):
        raise DesignError(
            argument="rope",
            value=rope,
            need=(
                "is of placebos, which variants have none of: give ",
                Setting("rope", "matched"),
                ", the central 95 % of matched null variants, two numbers or '0.2 sd'",
            ),
        )
    if is_matched_rope(rope) and not matched:
        raise DesignError(
            argument="rope",
            value="matched",
            need="needs matched variants: give ``null=cg.MatchedVariants(of='genome')``, "
            "say",
        )
    if isinstance(null, NullModel):
        for name, setting in (("align", align), ("read_out", read_out)):
            if setting is not None:
                raise DesignError(
                    f"``{name}={quoted(setting)}`` is for variants in their own "
                    "contexts; in sampled ones both alleles are in the middle: leave "
                    "it out"
                )
    rope = ("matched" if matched else "0.2 sd") if rope is None else rope
    if null is None or isinstance(null, MatchedVariants):
        for name, value in (("flank", flank), ("n_units", n_units)):
            if value is not None:
                raise DesignError(
                    f"``{name}={value}`` is for sampled contexts: give ``null=``, such "
                    "as ``cg.Uniform(length=200)``; in its own context each variant is "
                    "one unit with all bases of its window"
                )
        if length is None:
            raise DesignError(
                "``length=`` is missing: give the bases of a window, as many as the "
                "predictor reads"
            )
        found = windows_of_list(
            chosen, fasta, length=length, skip=reasons, read_out=read_out, align=align
        )
        if "unchanged" in reasons:
            found = found.changed()
        windows = found.windows
        _check_changed(windows)
        middle = windows.reference.shape[1] // 2
        changes = [] if read_out is None else variant_changes(windows, flank=0)
        distances = (
            None if read_out is None else [change.at - middle for change in changes]
        )
        if null is not None:
            return _matched_experiment(
                found, distances, fasta, null, n_null, tail=tail, rope=rope
            )
        return _own_context_experiment(found, distances, rope)
    if not isinstance(null, NullModel):
        raise DesignError(
            f"``null={quoted(null)}`` is not a null model, such as "
            "``cg.MatchedVariants(of='genome')`` for variants in their own contexts, "
            "or ``cg.Uniform(length=200)`` for sampled ones; None: own contexts alone"
        )
    if length not in (None, null.length):
        raise DesignError(
            f"``length={length}`` and backgrounds of {null.length} bases: leave "
            "``length=`` out, or make them equal"
        )
    flank = _FLANK if flank is None else as_position(flank, "flank")
    return _sampled_context_experiment(
        chosen, fasta, null, flank, n_units, rope, reasons
    )


def listed_of(experiment: Experiment) -> ListedVariants | None:
    """Return the lines that an experiment of variants was made of; None for another
    experiment.
    """
    if isinstance(experiment, MatchedTrial):
        return experiment.listed
    read = experiment.entry.read
    first = read.args[0] if isinstance(read, partial) and read.args else None
    return first if isinstance(first, ListedVariants) else None


def _as_tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, Iterable) else (given,)


def _own_context_experiment(
    found: WindowsOfList, distances: list[int] | None, rope: RopeLike
) -> Experiment:
    windows = found.windows
    _check_own_contexts(windows, rope)
    loci = window_loci(windows)
    strings, starts = replaced_strings(windows)
    return Experiment(
        null=Genomic(of=Sequences(windows.reference, windows.names), parent=loci),
        arms=[
            Arm(REFERENCE, Untreated()),
            Arm(ALTERNATE, EmbedEach(strings, at=starts)),
        ],
        n_units=len(windows),
        contrasts={MEAN: {ALTERNATE: 1.0, REFERENCE: -1.0}},
        entry=replace(
            VARIANTS,
            read=partial(_read_own_contexts, found.listed, distances, len(set(loci))),
            draw=_draw_own_contexts,
            claims="confirmatory",
        ),
        analysis=Analysis(rope=rope, cluster="auto" if len(set(loci)) > 1 else "none"),
    )


def _matched_experiment(
    found: WindowsOfList,
    distances: list[int] | None,
    fasta: str | PathLike[str],
    null: MatchedVariants,
    n_null: int,
    *,
    tail: bool,
    rope: RopeLike,
) -> MatchedTrial:
    windows = found.windows
    nulls = null.draw(windows, n_null=n_null, genome=fasta)
    keys, names = null.keys_of(windows)
    strata = match_strata(keys, names, nulls.matched, least=null.min_nulls)
    reference = np.concatenate([windows.reference, nulls.reference])
    alternate = np.concatenate([windows.alternate, nulls.alternate])
    strings, starts = replaced_letters(reference, alternate)
    labels = [*windows.names, *(f"null variant {i + 1}" for i in range(n_null))]
    return MatchedTrial(
        null=Genomic(
            of=Sequences(reference, tuple(labels)),
            parent=[
                *window_loci(windows),
                *(f"of null variants: {source}" for source in nulls.source),
            ],
        ),
        arms=[
            Arm(REFERENCE, Untreated()),
            Arm(ALTERNATE, EmbedEach(strings, at=starts)),
        ],
        n_units=len(labels),
        contrasts={MEAN: {ALTERNATE: 1.0, REFERENCE: -1.0}},
        entry=VARIANTS,
        analysis=Analysis(rope=rope, target="units"),
        variants=found.listed.first_listed,
        listed=found.listed,
        matched=null,
        strata=strata,
        n_given_up=dict(Counter(nulls.n_dropped.tolist())),
        tail=tail,
        distances=None if distances is None else tuple(distances),
    )


def _check_changed(windows: VariantWindows) -> None:
    if (same := windows.unchanged).any():
        name = windows.names[int(np.argmax(same))]
        raise DesignError(
            f"variant {quoted(name)}: both alleles give one window of "
            f"{windows.reference.shape[1]} bases (an indel in a repeat that reaches the "
            "window's end); "
            + ways_out(
                "give a longer ``length=``, or another ``align=``",
                "drop it",
                skip="unchanged",
            )
        )


def _check_own_contexts(windows: VariantWindows, rope: RopeLike) -> None:
    if len(windows) == 1:
        raise DesignError(
            f"variant {quoted(windows.names[0])} alone, in its own context, is one "
            "number: there is nothing to estimate it from; give more variants, or "
            "``null=`` to sample contexts, such as ``cg.Uniform(length=...)``"
        )
    if (
        len(np.unique(windows.reference, axis=0)) == 1
        and isinstance(rope, str)
        and rope.strip().endswith("sd")
    ):
        raise DesignError(
            f"all variants have one reference window, so that ``rope={quoted(rope)}`` "
            "of its sd has no width; give the effects that are too small to matter, "
            "``rope=(-0.1, 0.1)``"
        )


def window_loci(windows: VariantWindows) -> list[str]:
    """Return the genomic region of each variant's window; overlapping windows share a
    region.
    """
    first = windows.first
    chromosome = [x.chromosome for x in windows.variants]
    loci, end, name = [""] * len(windows), -1, ""
    for i in sorted(range(len(windows)), key=lambda i: (chromosome[i], first[i])):
        if not name or chromosome[i] != name.rsplit(":", 1)[0] or first[i] >= end:
            name = f"{chromosome[i]}:{first[i]}"
        loci[i], end = name, first[i] + windows.reference.shape[1]
    return loci


def replaced_strings(windows: VariantWindows) -> tuple[list[str], list[int]]:
    """Return the alternate letters, from the allele (or the first base that differs) to
    the last one, and starts.
    """
    if windows.align != "left" or windows.minus is not None:
        return replaced_letters(windows.reference, windows.alternate)
    differs = windows.reference != windows.alternate
    last = windows.reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    stops = np.where(differs.any(axis=1), last, windows.start + 1)
    return _strings_between(windows.alternate, windows.start, stops)


def replaced_letters(
    reference: Tokens, alternate: Tokens
) -> tuple[list[str], list[int]]:
    """Return the alternate letters from the first base that differs to the last one,
    and where they start.
    """
    differs = reference != alternate
    starts = np.argmax(differs, axis=1)
    last = reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    return _strings_between(
        alternate, starts, np.where(differs.any(axis=1), last, starts + 1)
    )


def _strings_between(
    alternate: Tokens, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[list[str], list[int]]:
    first, letters = starts.tolist(), decode(alternate)
    rows = zip(letters, first, stops.tolist(), strict=True)
    return [row[start:stop] for row, start, stop in rows], first


def _sampled_context_experiment(
    chosen: tuple[Variant, ...],
    fasta: str | PathLike[str],
    null: NullModel,
    flank: int,
    n_units: int | None,
    rope: RopeLike,
    skip: frozenset[str],
) -> Experiment:
    most = null.length - 2 * flank - 1
    listed, references, alternates = _allele_strings(chosen, fasta, flank, most, skip)
    if "unchanged" in skip:
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
        entry=replace(VARIANTS, read=partial(_read_sampled_contexts, listed)),
        analysis=Analysis(rope=rope),
        labels=_variant_labels(chosen),
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
                + ways_out("give a longer ``flank=``", "drop it", skip="unchanged")
            )
        if len(reference) >= length:
            raise DesignError(
                f"variant {quoted(variant.name)}: its allele and flanks have "
                f"{len(reference)} bases, and backgrounds {length}: none of their "
                "bases is left; give a shorter ``flank=``, or ``null=None`` for the "
                "variants' own contexts"
            )


def _variant_labels(chosen: tuple[Variant, ...]) -> Labels:
    return {
        name: {x.name: getattr(x, name) for x in chosen}
        for name in ("chromosome", "position", "reference", "alternate")
    }


def _read_sampled_contexts(listed: ListedVariants, found: TrialResults) -> Finding:
    decisions = found.steps.decisions
    n = decisions.sizes["contrast"]
    sentences = [
        f"{of}: of {n} variants, {verdict_counts(rows, _VERDICTS, _by_size)}."
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


def _read_own_contexts(
    listed: ListedVariants,
    distances: list[int] | None,
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
                    f"{of}: {len(chosen)} variants of {over}, {mean}."
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
        table = table.assign_coords(distance=("variant", distances))
    sentences = [
        f"{of}: of {len(chosen):,} variants in their own contexts, "
        f"{verdict_counts(part, _VERDICTS, _largest_variants)}, each exact for this "
        f"predictor; over {over} {means[of]}."
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
        for name, row in _variant_labels(chosen).items()
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


def _by_size(rows: xr.Dataset) -> str:
    order = np.argsort(-abs(rows["ace"].to_numpy()), kind="stable")
    parts = [
        f"{cut_middle(str(row['contrast'].item()))}: {effect_in_words(row)}"
        for row in (rows.isel(contrast=i) for i in order[:NAMES_SHOWN])
    ]
    return "; ".join(parts) + "; ..." * (len(order) > NAMES_SHOWN)


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
    from causalgia.plot import forest

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


VARIANTS = Entry(
    name="variants",
    question=(
        "What is the effect of each variant, the alternate allele against the "
        "reference?"
    ),
    estimand=(
        "Y(alternate) - Y(reference) of each variant in its own context, or its mean "
        "over sampled contexts."
    ),
    doi="10.1038/nmeth.3547",
    draw=draw_largest_variants,
    zoo="gata1_like",
    claims="screening",
)

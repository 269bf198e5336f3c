"""Variants: the reference and the alternate allele as two arms, in their own context or in many others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Rope
from causalgia.checks import as_position
from causalgia.design import Arm, Embed, EmbedEach, Genomic, NullModel, Untreated
from causalgia.errors import DesignError, quoted
from causalgia.experiments._necessity import counted
from causalgia.experiments.kit.answer import Answer, Finding, largest
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, Labels, analysis_for
from causalgia.experiments.kit.variance import by_task, effect_in_words
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.vcf import Variant, VariantWindows, read_vcf, variant_windows
from causalgia.types import Tokens

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.plot import Axes

REFERENCE, ALTERNATE = "reference", "alternate"
MEAN = "alternate minus reference"
_FLANK, _N_UNITS, _MOST_NAMED = 10, 1_000, 5
_FROM_DECISIONS = {"ace": "effect", "lower": "lower", "upper": "upper", "verdict": "verdict"}
_FROM_ESTIMATES = {"ace": "raw", "se": "se", "p": "p", "p_adjusted": "p_adjusted"}
_VERDICTS = {"increases": "increasing", "decreases": "decreasing", "negligible": "negligible", "undecided": "undecided"}


@dataclass(frozen=True, eq=False)
class Cores:
    """The alleles of V variants with bases of their own genome on both sides.

    Attributes
    ----------
    reference, alternate
        A word for each variant; both words of a variant are of one width.
    """

    reference: tuple[str, ...]
    alternate: tuple[str, ...]


def variants(
    vcf: str | PathLike[str] | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    length: int | None = None,
    null: NullModel | None = None,
    flank: int | None = None,
    n_units: int | None = None,
    rope: Rope = "0.2 sd",
) -> Experiment:
    r"""Return the experiment that asks what each variant does: VCF and FASTA in, a table with a row per variant out.

    In their own contexts (no `null`), each variant is one unit: the window of the genome around it, with the reference
    and with the alternate allele. Its effect ``Y(alternate) - Y(reference)`` is then exact for this predictor and this
    genome: nothing is sampled, and the table has standard errors of 0. What is estimated is their mean, ``"alternate
    minus reference"``, over variants like these; variants whose windows overlap are one cluster (where all do, the
    claim is about variants of that one stretch, each by itself).

    In sampled contexts (`null` says which: random, shuffled, other real sequences), the alleles with `flank` bases of
    their own genome on each side stand at the centre of the same backgrounds, and there is a contrast for each variant:
    the effect that it keeps when its surroundings change, as in a reporter assay.

    Parameters
    ----------
    vcf
        A VCF file, plain or gzip-compressed, or variants as `causalgia.sequences.read_vcf` gives them.
    fasta
        The genome that it is about; lower case is upper case.
    length
        Bases of each window, the predictor's input; with `null`, the length of its backgrounds.
    null
        The null model of sampled contexts; None: the variants' own.
    flank
        Bases of the genome on each side of the longer allele in sampled contexts, by default 10.
    n_units
        Backgrounds, by default 1,000 (of real sequences all); without `null` there is a unit for each variant.
    rope
        Region of practical equivalence, on the predictor's scale; sd of the reference alleles' outcomes.

    Returns
    -------
    Experiment
        Finding ``variants`` (variant, task): ``effect, lower, upper, verdict, se`` and, in sampled contexts, ``raw``
        (before the posterior shrank it), ``p`` and ``p_adjusted``; coordinates ``chromosome``, ``position`` (counted
        from 0), ``reference`` and ``alternate``. ``answer.findings["variants"].to_dataframe()`` is the table.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its chromosome, its place or has another
        reference allele there; the message names the variant.
    DesignError
        If `length` is missing or not that of the backgrounds, `flank` or `n_units` are given without `null`, alleles do
        not fit the backgrounds, or there is a single variant in its own context, which is one number.

    References
    ----------
    Zhou & Troyanskaya (2015), doi:10.1038/nmeth.3547; alleles in many contexts, as in a reporter assay: Tewhey et al.
    (2016), doi:10.1016/j.cell.2016.04.027.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import causalgia as cg
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4)
    >>> _ = (folder / "two.vcf").write_text("chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n")
    >>> experiment = cg.experiments.variants(folder / "two.vcf", folder / "genome.fa", length=40)
    >>> answer = experiment.analyse(cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task K562: of 2 variants in their own contexts 1 is decreasing (rs1: -1.0...), 1 is negligible, each exact ...
    >>> answer.findings["variants"].sel(task="K562").to_dataframe()[["position", "reference", "alternate", "verdict"]]
             position reference alternate     verdict
    variant...
    rs1            42         A         C   decreases
    rs2            60         A         G  negligible
    """
    chosen = tuple(read_vcf(vcf) if isinstance(vcf, str | PathLike) else vcf)
    if null is None:
        _refuse_of_sampling(flank, n_units)
        return _in_own_contexts(chosen, fasta, length, rope)
    if not isinstance(null, NullModel):
        raise DesignError(
            f"null={quoted(null)} is not a null model, such as cg.Uniform(length=200); None: own contexts"
        )
    if length not in (None, null.length):
        raise DesignError(
            f"length={length} and backgrounds of {null.length} bases: leave length= out, or make them equal"
        )
    flank = _FLANK if flank is None else as_position(flank, "flank")
    return _in_sampled_contexts(chosen, fasta, null, flank, n_units, rope)


def _refuse_of_sampling(flank: int | None, n_units: int | None) -> None:
    for name, value in (("flank", flank), ("n_units", n_units)):
        if value is not None:
            raise DesignError(
                f"{name}={value} is for sampled contexts: give null=, such as cg.Uniform(length=200); in its own "
                "context each variant is one unit with all bases of its window"
            )


def _in_own_contexts(
    chosen: tuple[Variant, ...], fasta: str | PathLike[str], length: int | None, rope: Rope
) -> Experiment:
    if length is None:
        raise DesignError("length= is missing: give the bases of a window, as many as the predictor reads")
    windows = variant_windows(chosen, fasta, length=length)
    _check_own(windows, rope)
    loci = loci_of(windows)
    words, starts = rewritten(windows)
    return Experiment(
        null=Genomic(of=Sequences(windows.reference, windows.names), parent=loci),
        arms=[Arm(REFERENCE, Untreated()), Arm(ALTERNATE, EmbedEach(words, at=starts))],
        n_units=len(windows),
        contrasts={MEAN: {ALTERNATE: 1.0, REFERENCE: -1.0}},
        entry=replace(VARIANTS, read=partial(_read_own, chosen, len(set(loci))), draw=_draw_own, claims="confirmatory"),
        analysis=analysis_for("confirmatory", rope=rope, cluster="auto" if len(set(loci)) > 1 else "none"),
    )


def _check_own(windows: VariantWindows, rope: Rope) -> None:
    if len(windows) == 1:
        raise DesignError(
            f"variant {quoted(windows.names[0])} alone, in its own context, is one number: there is nothing to "
            "estimate it from; give more variants, or null= to sample contexts, such as cg.Uniform(length=...)"
        )
    if len(np.unique(windows.reference, axis=0)) == 1 and isinstance(rope, str) and rope.strip().endswith("sd"):
        raise DesignError(
            f"all variants have one reference window, so that rope={quoted(rope)} of its sd has no width; give the "
            "effects that are too small to matter, rope=(-0.1, 0.1)"
        )


def loci_of(windows: VariantWindows) -> list[str]:
    """Return the stretch of the genome that each variant's window is of: windows that overlap are of one."""
    first = np.array([x.position for x in windows.variants]) - windows.start
    chromosome = [x.chromosome for x in windows.variants]
    loci, end, name = [""] * len(windows), -1, ""
    for i in sorted(range(len(windows)), key=lambda i: (chromosome[i], first[i])):
        if not name or chromosome[i] != name.rsplit(":", 1)[0] or first[i] >= end:
            name = f"{chromosome[i]}:{first[i]}"
        loci[i], end = name, first[i] + windows.reference.shape[1]
    return loci


def rewritten(windows: VariantWindows) -> tuple[list[str], list[int]]:
    """Return what the alternate window has in place of the reference, from the allele to the last base that differs."""
    differs = windows.reference != windows.alternate
    last = windows.reference.shape[1] - np.argmax(differs[:, ::-1], axis=1)
    stops = np.where(differs.any(axis=1), last, windows.start + 1)
    starts = windows.start.tolist()
    rows = zip(windows.alternate, starts, stops.tolist(), strict=True)
    return [decode(row[None, start:stop])[0] for row, start, stop in rows], starts


def _in_sampled_contexts(
    chosen: tuple[Variant, ...],
    fasta: str | PathLike[str],
    null: NullModel,
    flank: int,
    n_units: int | None,
    rope: Rope,
) -> Experiment:
    cores = _cores(chosen, fasta, flank)
    _check_fit(chosen, cores, null.length)
    named: dict[str, str] = {}  # variants of one place share their reference arm
    for kind, words in ((REFERENCE, cores.reference), (ALTERNATE, cores.alternate)):
        for variant, word in zip(chosen, words, strict=True):
            named.setdefault(word, f"{variant.name} {kind}")
    pairs = zip(chosen, cores.reference, cores.alternate, strict=True)
    n = null.available if isinstance(null, Genomic) else _N_UNITS
    return Experiment(
        null=null,
        arms=[Arm(name, Embed(word, at=(null.length - len(word)) // 2)) for word, name in named.items()],
        n_units=n if n_units is None else n_units,
        contrasts={x.name: {named[alternate]: 1.0, named[reference]: -1.0} for x, reference, alternate in pairs},
        entry=VARIANTS,
        analysis=analysis_for("screening", rope=rope, n_contrasts=len(chosen)),
        labels=_labels(chosen),
    )


def _cores(chosen: tuple[Variant, ...], fasta: str | PathLike[str], flank: int) -> Cores:
    """Cut the alleles with `flank` bases on both sides of the longer one."""
    widths = [max(len(x.reference), len(x.alternate)) for x in chosen if isinstance(x, Variant)]
    windows = variant_windows(chosen, fasta, length=2 * flank + max(widths, default=1))
    starts = windows.start - flank
    stops = windows.start + widths + flank

    def cut(tokens: Tokens) -> tuple[str, ...]:
        spans = zip(tokens, starts, stops, strict=True)
        return tuple(decode(row[None, start:stop])[0] for row, start, stop in spans)

    return Cores(cut(windows.reference), cut(windows.alternate))


def _check_fit(chosen: tuple[Variant, ...], cores: Cores, length: int) -> None:
    for variant, reference, alternate in zip(chosen, cores.reference, cores.alternate, strict=True):
        if reference == alternate:
            raise DesignError(
                f"variant {quoted(variant.name)}: both alleles read {quoted(reference)} with their flanks (an indel in "
                "a repeat); give a longer flank=, or drop the variant"
            )
        if len(reference) >= length:
            raise DesignError(
                f"variant {quoted(variant.name)}: its allele and flanks have {len(reference)} bases, and backgrounds "
                f"{length}: nothing of them is left; give a shorter flank=, or null=None for the variants' own contexts"
            )


def _labels(chosen: tuple[Variant, ...]) -> Labels:
    return {
        name: {x.name: getattr(x, name) for x in chosen}
        for name in ("chromosome", "position", "reference", "alternate")
    }


def _read(found: Found) -> Finding:
    import xarray as xr

    tables = found.steps.decisions, found.steps.estimates
    over = found.experiment.drawn.describe()
    n = found.steps.decisions.sizes["contrast"]
    said = [f"{of}: of {n} variants {counted(rows, _VERDICTS)}, over {over}." for of, rows in by_task(tables[0])]
    parts = zip(tables, (_FROM_DECISIONS, _FROM_ESTIMATES), strict=True)
    columns = [table[list(names)].reset_coords(drop=True).rename(names) for table, names in parts]
    labels = {name: ("contrast", tables[0][name].to_numpy()) for name in found.experiment.labels}
    table = xr.merge(columns, compat="no_conflicts").assign_coords(labels).rename(contrast="variant")
    return Finding(datasets={"variants": table}, sentences=tuple(said))


def _read_own(chosen: tuple[Variant, ...], n_loci: int, found: Found) -> Finding:
    """Give the mean effect its words and, unless the trial was streamed, each variant its row."""
    rows = found.steps.decisions.sel(contrast=MEAN)
    over = f"{n_loci:,} stretches" if n_loci > 1 else "one stretch"
    means = {of: f"on average {effect_in_words(row)} ({row['verdict'].item()})" for of, row in by_task(rows)}
    if found.steps.effects is None:
        return Finding(
            sentences=tuple(f"{of}: {len(chosen)} variants of {over}, {mean}." for of, mean in means.items())
        )
    table = _table(found.steps.effects["ice"].sel(contrast=MEAN).compute(), rows, chosen)
    said = [
        f"{of}: of {len(chosen)} variants in their own contexts {_shares(part)}, each exact for this predictor; over "
        f"{over} {means[of]}."
        for of, part in by_task(table.rename(effect="ace"))
    ]
    return Finding(datasets={"variants": table}, sentences=tuple(said))


def _table(effects: xr.DataArray, mean: xr.Dataset, chosen: tuple[Variant, ...]) -> xr.Dataset:
    """Return a row for each variant: what it does is known, and is compared with the region as it stands."""
    import xarray as xr

    effect = effects.reset_coords(drop=True).rename(unit="variant")
    coords = {name: ("variant", list(row.values())) for name, row in _labels(chosen).items()}
    low, high = (mean[side].reset_coords(drop=True) for side in ("rope_lower", "rope_upper"))
    verdict = xr.full_like(effect, "negligible", dtype="<U10").where(low < high, "undecided")
    verdict = verdict.where(effect <= high, "increases").where(effect >= low, "decreases")
    columns = {"effect": effect, "lower": effect, "upper": effect, "verdict": verdict, "se": xr.zeros_like(effect)}
    return xr.Dataset(columns).assign_coords({"variant": [x.name for x in chosen], **coords})


def _shares(rows: xr.Dataset) -> str:
    """Return how many variants have each verdict, and the largest effects."""
    verdicts: NDArray[np.str_] = rows["verdict"].to_numpy().astype(str)
    said = []
    for verdict, word in _VERDICTS.items():
        mine = rows.isel(variant=verdicts == verdict)
        n = mine.sizes["variant"]
        shown = f" ({_largest(mine)})" if verdict in ("increases", "decreases") else ""
        said += [f"{n} {'is' if n == 1 else 'are'} {word}{shown}"] if n else []
    return ", ".join(said)


def _largest(rows: xr.Dataset) -> str:
    order = abs(rows["ace"]).argsort().to_numpy()[::-1]
    shown = [rows.isel(variant=i) for i in order[:_MOST_NAMED]]
    text = "; ".join(f"{row['variant'].item()}: {row['ace'].item():.4g}" for row in shown)
    return text + ("; ..." if len(order) > _MOST_NAMED else "")


def _draw(answer: Answer) -> Axes:
    from causalgia.plot import forest

    return forest(largest(answer.decisions), task=answer.tasks[0])


def _draw_own(answer: Answer) -> Axes:
    """Draw the variants as a forest of points; the mean alone where the trial was streamed."""
    from causalgia.plot import forest

    table = _as_decisions(answer) if "variants" in answer.findings else answer.decisions
    return forest(largest(table), task=answer.tasks[0])


def _as_decisions(answer: Answer) -> xr.Dataset:
    table = answer.findings["variants"].rename(variant="contrast", effect="ace")
    ends = answer.decisions[["rope_lower", "rope_upper"]].sel(contrast=MEAN, drop=True).reset_coords(drop=True)
    return table.assign(ends.broadcast_like(table["ace"])).assign_attrs(answer.decisions.attrs)


VARIANTS = Entry(
    name="variants",
    question="What does each variant do: the alternate allele in place of the reference?",
    estimand="Y(alternate) - Y(reference) of each variant in its own context, or its mean over sampled contexts.",
    doi="10.1038/nmeth.3547",
    read=_read,
    draw=_draw,
    zoo="gata1_like",
    claims="screening",
)

"""The command `causalgia variants`: a list of variants, a genome and a network in; tables and an annotated VCF out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from causalgia.cli.folder import (
    DECISIONS,
    ESTIMATES,
    EXPERIMENT,
    STORE,
    check_usable,
    output_folder,
    write_text,
)
from causalgia.cli.one_line_errors import StoppedError, in_shell
from causalgia.cli.options import DaskOption, WorkersOption, dask_client, load_predictor_spec, parse_rope
from causalgia.cli.tables import echo, print_answers, print_written
from causalgia.errors import DesignError, OutcomesError, TrialInterruptedError

if TYPE_CHECKING:
    from causalgia.experiments import Answer, Experiment
    from causalgia.sequences import Variant

TABLE, ANNOTATED, SKIPPED = "variants.tsv", "variants.vcf", "skipped.tsv"
_OWN = (TABLE, ANNOTATED, SKIPPED, ESTIMATES, DECISIONS, EXPERIMENT)
_NOT_SEQUENCES = ("genome", "variants")


class _Schema(StrEnum):
    vcf = "vcf"
    original = "original"
    bed = "bed"
    plink = "plink"
    plink2 = "plink2"
    chrombpnet = "chrombpnet"


class _Align(StrEnum):
    left = "left"
    right = "right"


def score_variants(
    calls: Annotated[Path, typer.Argument(metavar="CALLS", help="Variants: a VCF file, or a table (--schema).")],
    genome: Annotated[Path, typer.Option("--genome", metavar="FASTA", help="The reference genome.")],
    predictor: Annotated[
        Path, typer.Option("--predictor", metavar="TOML", help="A file with the table [predictor], as in a trial.toml.")
    ],
    length: Annotated[int, typer.Option("--length", min=1, help="Bases of a window: what the network reads.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder; created if missing.")],
    schema: Annotated[_Schema, typer.Option(help="Columns of CALLS; tables are tab-separated, without header.")] = (
        _Schema.vcf
    ),
    null: Annotated[
        str, typer.Option(help="Where null variants lie: genome, variants (their own windows), a FASTA file, or none.")
    ] = "genome",
    match: Annotated[
        str, typer.Option(help="What null variants share with theirs, separated by commas.")
    ] = "substitution,context:3,distance,length",
    n_null: Annotated[int, typer.Option(min=39, help="Null variants.")] = 10_000,
    least: Annotated[
        int, typer.Option(min=39, help="Null variants of a stratum; with fewer, keys are dropped.")
    ] = 2_000,
    align: Annotated[_Align, typer.Option(help="The side of an indel that keeps its place.")] = _Align.left,
    rope: Annotated[
        str | None, typer.Option(help="Effects too small to matter: matched (the default), -0.1,0.1 or '0.2 sd'.")
    ] = None,
    skip_mismatches: Annotated[
        bool,
        typer.Option(
            "--skip-mismatches", help=f"Leave out variants whose reference allele the genome lacks; {SKIPPED}."
        ),
    ] = False,
    rng: Annotated[int, typer.Option(min=0, help="Another number draws other null variants.")] = 0,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    same_answers: Annotated[
        bool, typer.Option("--same-answers", help="Resume with another predictor if some kept answers are this one's.")
    ] = False,
    dask: DaskOption = None,
    workers: WorkersOption = None,
) -> None:
    """Rank the effect of each variant of a list among those of matched null variants.

    Effects are those of the alternate allele in the variant's own sequence, exact for the network. Writes a table
    (variants.tsv) and an annotated VCF (variants.vcf). Answers are saved during the run; the same command resumes after
    Ctrl-C, a kill or a full disk.

    Example:   causalgia variants calls.vcf --genome hg38.fa --predictor net.toml --length 2114 --out scored

    Example:   causalgia variants snps.bed --schema bed --genome hg38.fa --predictor net.toml --length 200 --out scored
    """
    from causalgia.analysis import Analysis
    from causalgia.experiments import variants as experiment_of
    from causalgia.trial_file import read_predictor_spec

    check_usable(out)
    _check_own_files(out, calls, force=force)
    chosen, skipped = _variants_of(calls, schema.value, genome, skip=skip_mismatches)
    matched = _null_model(null, match, least, rng)
    settings: dict[str, Any] = {} if matched is None else {"null": matched, "n_null": n_null}
    region = None if rope is None else Analysis.from_dict({"rope": parse_rope(rope)}).region
    spec = read_predictor_spec(predictor)
    loaded = load_predictor_spec(spec, predictor, device)
    experiment = experiment_of(
        chosen,
        genome,
        length=length,
        align=align.value,
        rope=region,
        **settings,
    )
    echo(f"{len(chosen):,} variants of {calls}" + (f", {len(skipped):,} skipped" if skipped else "") + ".")
    for line in getattr(experiment, "notes", ()):
        echo(in_shell(f"Note: {line}."))
    with output_folder(out) as folder, dask_client(dask, workers) as client:
        answer = _answer(experiment, loaded, folder, client=client, same_answers=same_answers)
        written = _write(answer, folder, calls if schema is _Schema.vcf else None, skipped)
    print_written(folder, STORE, *written)


def _check_own_files(out: Path, calls: Path, *, force: bool) -> None:
    """Raise OutcomesError where a file of another run or of the user would be overwritten."""
    for name in _OWN:
        path = out / name
        if path.exists() and path.samefile(calls):
            raise OutcomesError(f"{path} is the list of variants itself; choose another --out")
        if path.exists() and not force and not (out / STORE).exists():
            raise OutcomesError(
                f"{out} holds another {name} already; choose another --out, or --force to write over it"
            )


def _variants_of(
    calls: Path, schema: Any, genome: Path, *, skip: bool
) -> tuple[tuple[Variant, ...], tuple[tuple[Variant, str], ...]]:
    from causalgia.sequences import read_variants, split_by_genome

    chosen = read_variants(calls, schema=schema)
    found = split_by_genome(chosen, genome)
    most = 2 * len(found.mismatched) > len(chosen)
    if found.mismatched and (most or not skip):
        shown = "; ".join(f"{x.name} has {x.reference}, the genome {letters}" for x, letters in found.mismatched[:5])
        more = f"; and {len(found.mismatched) - 5:,} more" if len(found.mismatched) > 5 else ""
        cure = "" if most else "; --skip-mismatches leaves them out"
        raise DesignError(
            f"{calls}: {len(found.mismatched):,} of {len(chosen):,} variants have another reference allele than "
            f"{genome}: {shown}{more}; is it the assembly that they are of, and are positions counted as --schema says "
            f"(bed from 0, the others from 1)?{cure}"
        )
    return found.kept, found.mismatched


def _null_model(null: str, match: str, least: int, rng: int) -> Any:
    from causalgia.design import MatchedVariants

    if null == "none":
        return None
    if null not in _NOT_SEQUENCES and not Path(null).is_file():
        raise DesignError(f"--null {null} is no file, nor one of genome, variants, none")
    keys = tuple(key.strip() for key in match.split(",") if key.strip())
    return MatchedVariants(of=null, match=keys, least=least, seed=rng)


def _answer(experiment: Experiment, predictor: Any, folder: Path, *, client: Any, same_answers: bool) -> Answer:
    from causalgia._run import run

    try:
        effects = run(
            experiment,
            predictor,
            rng=0,
            store=folder / STORE,
            keep="effects",
            client=client,
            same_answers=same_answers,
        )
    except TrialInterruptedError as error:
        raise StoppedError(str(error)) from error
    return experiment.analyze(effects, rng=0)


def _write(
    answer: Answer, folder: Path, like: Path | None, skipped: tuple[tuple[Variant, str], ...]
) -> tuple[str, ...]:
    """Print the answer and write its files; return their names."""
    from causalgia import store
    from causalgia.experiments import write_variants

    decisions = answer.decisions.assign_attrs(answer="\n".join(answer.sentences))
    store.save(answer.estimates, folder / ESTIMATES)
    store.save(decisions, folder / DECISIONS)
    write_variants(answer, folder / TABLE)
    write_variants(answer, folder / ANNOTATED, like=like)
    (folder / SKIPPED).unlink(missing_ok=True)
    if skipped:
        rows = (f"{x.chromosome}\t{x.position + 1}\t{x.name}\t{x.reference}\t{x.alternate}\t{y}\n" for x, y in skipped)
        write_text(folder / SKIPPED, "chromosome\tposition\tname\treference\talternate\tgenome\n" + "".join(rows))
    echo()
    print_answers(answer.estimates, decisions)
    answer.save(folder / EXPERIMENT)
    return (TABLE, ANNOTATED, *([SKIPPED] if skipped else []), ESTIMATES, DECISIONS, EXPERIMENT)

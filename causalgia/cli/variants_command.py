"""The command on given variants."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from causalgia.choices import (
    VARIANT_SKIPS,
)
from causalgia.cli.folder import (
    SKIPPED,
    check_free,
    check_usable,
    of_analysis,
    output_folder,
    refuse_options,
    skipped_listed,
    words_of_option,
    write_effects,
    write_text,
    written_whole,
)
from causalgia.cli.options import dask_client, load_predictor_spec
from causalgia.cli.output import echo
from causalgia.cli.report_command import of_trial
from causalgia.cli.shell import (
    All,
    Dask,
    Device,
    Notes,
    Sentences,
    Whole,
    Workers,
)
from causalgia.cli.tables import (
    Printed,
    print_answers,
    print_written,
    with_sentences,
)
from causalgia.errors import (
    DataError,
    DesignError,
    comma_list,
)
from causalgia.inputs import to_csv
from causalgia.notes import without_notes
from causalgia.results_folder import (
    DECISIONS,
    ESTIMATES,
    EXPERIMENT,
    PAGE,
    STORE,
    VARIANTS,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.design import MatchedVariants
    from causalgia.experiments import Answer, Experiment
    from causalgia.ropes import Rope
    from causalgia.trial_file import PredictorSpec, TrialSpec


TABLE, ANNOTATED = "variants.tsv", "variants.vcf"
_OF_VARIANTS = (
    *(TABLE, ANNOTATED, SKIPPED, VARIANTS),
    *(ESTIMATES, DECISIONS, EXPERIMENT),
)
_NOT_SEQUENCES = ("genome", "variants")


def variants(
    calls: Path,
    /,
    *,
    out: Path,
    genome: Path | None = None,
    predictor: Path | None = None,
    length: Whole | None = None,
    null: str | None = None,
    match: str | None = None,
    n_null: Whole | None = None,
    min_nulls: Whole | None = None,
    tail: bool = False,
    read_out: Path | None = None,
    align: Literal["left", "right", "read_out"] | None = None,
    rope: str | None = None,
    skip: Annotated[
        str,
        Parameter(
            help="Leave out variants for these reasons, and list them in skipped.tsv: "
            f"all, or {', '.join(VARIANT_SKIPS)}, separated by commas."
        ),
    ] = "",
    rng: Whole | None = None,
    device: Device = None,
    force: bool = False,
    same_answers: bool = False,
    dask: Dask = None,
    workers: Workers = None,
    all_rows: All = False,
    sentences: Sentences = False,
    notes: Notes = False,
) -> None:
    """Rank the effect of each variant of a list among those of matched null variants.

    Effects are those of the alternate allele in the variant's own sequence, exact for
    the network. Writes a table (variants.tsv) and an annotated VCF (variants.vcf).
    Answers are saved during the run; the same command resumes after Ctrl-C, a kill or a
    full disk. refute, reproduce and lock take the folder: variants.toml is its trial
    file.

    With --null none the effects stand alone, without ranks.

    Options may also be given in a trial file, with [experiment] of kind = "variants",
    [null] of kind = "matched_variants" (none is that of --null none) and [predictor].

    Example:   causalgia variants calls.vcf --genome hg38.fa --predictor net.toml --length 2114 --out scored

    Example:   causalgia variants snps.tsv --genome hg38.fa --predictor net.toml --length 200 --out scored

    Example:   causalgia variants trial.toml --out scored

    Parameters
    ----------
    calls
        Variants: a VCF file, or a table with the columns chrom pos ref alt; or a
        trial.toml of them.
    out
        Output folder; created if missing.
    genome
        The reference genome, FASTA or .2bit.
    predictor
        A file with the table [predictor], as in a trial.toml.
    length
        Bases of a window: the input length of the network.
    null
        Where null variants lie: genome (random loci), variants (their own windows), a
        FASTA file, or none. Default: genome, and their own windows for tasks in which
        the references predict otherwise than random loci do.
    match
        What null variants share with the variants they match, separated by commas.
        Default: substitution,context:3,distance,length.
    n_null
        Null variants. Default: 10000.
    min_nulls
        Null variants that a stratum needs; with fewer, keys are dropped. Default: 2000.
    tail
        Extrapolate p below 1 / (null variants + 1).
    read_out
        Sites to center windows on, such as TSS, in BED: the nearest to each variant.
        Default: the variant.
    align
        The side of an indel that keeps its place. Default: left, or with --read-out the
        side of the site.
    rope
        Effects too small to matter: matched (the default), -0.1,0.1 or '0.2 sd'.
    rng
        Seed of the null variants. Default: 0.
    force
        Overwrite existing files; with other settings start anew.
    same_answers
        Resume with another predictor if a sample of its stored answers agrees with this
        one's.
    all_rows
        Print a line for each variant.
    """
    import tomli_w

    from causalgia.experiments import variants as as_experiment
    from causalgia.sequences.variant_files import is_vcf
    from causalgia.trial_file import read_predictor_spec, read_spec

    check_usable(out)
    of_nulls = {
        "match": match,
        "n-null": n_null,
        "min-nulls": min_nulls,
        "tail": tail or None,
        "rng": rng,
    }
    settings: dict[str, Any] = {
        "length": length,
        "read_out": read_out,
        "align": align,
    }
    # a predictor may change the working folder
    place, listed = out.absolute(), calls.absolute()
    with skipped_listed(place):
        if calls.suffix.lower() == ".toml":
            others = {
                "genome": genome,
                "predictor": predictor,
                "null": null,
                "rope": rope,
            }
            refuse_options(
                others | settings | {"skip": skip or None} | of_nulls,
                f"beside {calls}, which defines the variants and their ranking",
            )
            file, spec = calls.resolve(), read_spec(calls)
            experiment, loaded, listed = _of_trial_file(spec, calls, device)
            calls = listed
            asked = {} if file == place / VARIANTS else spec.to_dict() | {"rng": 0}
            _check_own_files(place, calls, force=force, asked=bool(asked))
        elif genome is None or predictor is None or length is None:
            raise DesignError(f"{calls}: --genome, --predictor and --length are needed")
        else:
            _check_own_files(out, calls, force=force)
            given = {name: x for name, x in settings.items() if x is not None}
            nulls = None
            if null == "none":
                refuse_options(of_nulls, "is of null variants, and --null is none")
            else:
                nulls = _null_model(null, match, min_nulls, rng)
                given |= {"n_null": n_null or 10_000, "tail": tail}
            given["skip"] = words_of_option(skip)
            region = {} if rope is None else {"rope": _region(rope, null)}
            more = region if nulls is None else {"null": nulls, **region}
            experiment = as_experiment(listed, genome.absolute(), **given, **more)
            table = read_predictor_spec(predictor)
            asked = _as_trial_file(
                {"vcf": listed, "fasta": genome.absolute()} | given,
                nulls,
                experiment if region else None,
                table,
            )
            loaded = load_predictor_spec(table, predictor, device)
        n, n_skipped = (
            len(x) for x in (experiment.listed.listed, experiment.listed.skipped)
        )
        echo(
            f"{n:,} variant{'s' * (n != 1)} of {calls}"
            + (f", {n_skipped:,} skipped" if n_skipped else "")
            + "."
        )
        for line in experiment.notes:
            echo(f"Note: {line}.")
        with output_folder(place) as folder, dask_client(dask, workers) as client:
            run_settings = {"client": client, "same_answers": same_answers}
            answer = _answer(experiment, loaded, folder, run_settings, force=force)
        like = listed if is_vcf(listed) else None
        decisions = with_sentences(answer.decisions, answer).assign_attrs(
            question=answer.question
        )
        written = _write_variants(answer, decisions, folder, like)
        if asked:
            write_text(folder / VARIANTS, _OF_FILE + tomli_w.dumps(asked))
    echo()
    print_answers(
        without_notes(decisions, experiment.notes),
        printed=Printed(all_rows=all_rows, sentences=sentences, notes=notes),
    )
    print_written(out, STORE, *written, VARIANTS)


_OF_FILE = "# What `causalgia variants` was asked, with paths of this machine.\n"


def _as_trial_file(
    settings: dict[str, Any],
    nulls: MatchedVariants | None,
    with_region: Experiment | None,
    predictor: PredictorSpec,
) -> dict[str, Any]:
    """Return the options of the command as a trial file."""
    from causalgia.trial_file.trial_experiment import ExperimentSpec

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value.absolute())
        return list(value) if isinstance(value, tuple) else value

    region = {} if with_region is None else with_region.analysis.to_dict()
    spec = ExperimentSpec(
        kind="variants",
        settings={name: plain(value) for name, value in settings.items()},
        null=nulls,
        analysis={"rope": region["rope"]} if region else {},
    )
    predicted = {"predictor": predictor.to_dict()}
    return {"name": "variants", "rng": 0, **predicted, **spec.to_dict()}


def _of_trial_file(
    spec: TrialSpec, path: Path, device: str | None
) -> tuple[Any, Any, Path]:
    """Return the experiment of a trial file, its predictor, and the file of its
    variants.
    """
    if spec.experiment is None or getattr(spec.design, "windows", None) is None:
        raise DesignError(
            f'{path}: has no [experiment] with kind = "variants" in their own contexts'
        )
    settings = spec.experiment.settings
    loaded = load_predictor_spec(spec.predictor, path, device)
    return (
        spec.design,
        loaded,
        Path(settings["vcf"]),
    )


def _check_own_files(
    out: Path, calls: Path, *, force: bool, asked: bool = True
) -> None:
    """Raise DataError where a file of another run or of the user would be
    overwritten; the trial file is written where it is not that which is `asked`.
    """
    for path in (out / name for name in _OF_VARIANTS):
        if path.exists() and path.samefile(calls):
            raise DataError(f"{path} is the list of variants itself")
    own = [SKIPPED] if _is_own_list(out / SKIPPED) else []
    own += [] if asked else [VARIANTS]
    names = [name for name in _OF_VARIANTS if name not in own]
    check_free(out, *names, force=force or (out / STORE).exists())


def _is_own_list(path: Path) -> bool:
    """Return whether a file begins as `write_skipped` does: a run that then failed may
    have left it alone in its folder.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        columns = file.readline().decode("utf-8", "replace").strip().split("\t")
    return {"name", "reason"} <= set(columns)


def _region(rope: str, null: str | None) -> Rope:
    """Return the region of equivalence; variants have no placebos, and without null
    variants no range of these.
    """
    from causalgia.ropes import Rope

    region = Rope.parse(rope)
    if region.of_placebos:
        raise DesignError(
            f"--rope {rope} is the range of placebos, and variants have none"
        )
    if region.kind == "matched" and null == "none":
        raise DesignError(
            f"--rope {rope} is the range of null variants, --null is none"
        )
    return region


def _null_model(
    null: str | None, match: str | None, min_nulls: int | None, rng: int | None
) -> MatchedVariants:
    from causalgia.design import MatchedVariants

    placed = null is None or null in _NOT_SEQUENCES
    if not placed and not Path(str(null)).is_file():
        words = (*_NOT_SEQUENCES, "none")
        raise DesignError(
            f"--null {null} is neither a file nor one of {comma_list(words)}"
        )
    keys = words_of_option(
        "substitution,context:3,distance,length" if match is None else match
    )
    given = {} if min_nulls is None else {"min_nulls": min_nulls}
    null = null if placed else str(Path(str(null)).absolute())
    return MatchedVariants(of=null, match=keys, seed=rng or 0, **given)


def _answer(
    experiment: Experiment,
    predictor: Any,
    folder: Path,
    settings: dict[str, Any],
    *,
    force: bool,
) -> Answer:
    """Run the experiment on disk; with `force` one of other settings is begun anew."""
    from causalgia._run import run
    from causalgia.trial.archive import OtherTrialError

    place = folder / STORE
    stored = {"store": place, **settings}
    try:
        outcomes = run(experiment, predictor, rng=0, **stored)
    except OtherTrialError:
        if not force or not place.is_dir():
            raise
        shutil.rmtree(place)
        outcomes = run(experiment, predictor, rng=0, **stored)
    return experiment.analyze(outcomes, rng=0)


def _write_variants(
    answer: Answer, decisions: xr.Dataset, folder: Path, like: Path | None
) -> list[str]:
    """Write the files of an answer; return their names."""
    from causalgia import store
    from causalgia.experiments import write_variants
    from causalgia.tell.html_page import write_page

    written = [TABLE, ANNOTATED]
    with written_whole(folder, (*of_analysis(folder), SKIPPED)) as new:
        write_variants(answer, new / TABLE)
        write_variants(answer, new / ANNOTATED, like=like)
        skipped = answer.findings.get("skipped")
        if skipped is not None:
            rows = skipped.to_dataframe()
            write_text(new / SKIPPED, to_csv(rows, index=False, tabs=True))
            written.append(SKIPPED)
        written += write_effects(new, decisions)
        store.save(answer.estimates, new / ESTIMATES)
        store.save(decisions, new / DECISIONS)
        answer.save(new / EXPERIMENT)
        written += [ESTIMATES, DECISIONS, EXPERIMENT]
        if (folder / PAGE).is_file():
            write_page(new / PAGE, of_trial(folder, decisions, drawn=new))
            written.append(PAGE)
    return written

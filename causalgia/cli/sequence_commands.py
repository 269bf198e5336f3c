"""The commands on given sequences: `discover` and `variants`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from causalgia.choices import (
    ALIGNS,
    LEAST_MATCHED_NULLS,
    RECORD_SKIPS,
    VARIANT_SKIPS,
    requested_parts,
)
from causalgia.cli.command_groups import StoppedError
from causalgia.cli.folder import (
    SKIPPED,
    check_usable,
    of_analysis,
    output_folder,
    remove_outdated,
    results_of_page,
    write_effects,
    write_skipped,
    write_text,
)
from causalgia.cli.option_groups import (
    ArmsOption,
    DaskOption,
    DeviceOption,
    NotesOption,
    OutOption,
    Printed,
    SentencesOption,
    WorkersOption,
)
from causalgia.cli.options import dask_client, load_predictor_spec
from causalgia.cli.output import echo, output, record, records
from causalgia.cli.tables import (
    print_answers,
    print_parts,
    print_written,
    with_sentences,
)
from causalgia.errors import (
    CausalgiaError,
    DataError,
    DesignError,
    comma_list,
    quoted,
)
from causalgia.inputs import to_csv
from causalgia.notes import said_to_json, without_notes
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    ESTIMATES,
    EXPERIMENT,
    LOGOS,
    MOTIFS,
    STORE,
)

if TYPE_CHECKING:
    from causalgia._discover import Discovery
    from causalgia.design import MatchedVariants
    from causalgia.experiments import Answer, Experiment
    from causalgia.ropes import Rope
    from causalgia.sequences import Variant
    from causalgia.sequences.alphabet import Ambiguous


PAIRS, SITES, PROPOSALS = "pairs.tsv", "sites.bed", "proposals.nc"
FAMILIES, PICTURE = "families.tsv", "families.png"
UNFINISHED = "discovery"


def discover_motifs(
    network: Annotated[
        Path,
        typer.Argument(
            metavar="NET.TOML",
            help="A file with the table [predictor], as in a trial.toml.",
        ),
    ],
    sequences: Annotated[
        Path,
        typer.Option(
            "--sequences",
            metavar="FASTA",
            help="Sequences of one length, 40 or more, such as peaks.",
        ),
    ],
    out: OutOption,
    motifs: Annotated[
        Path | None,
        typer.Option(
            "--motifs",
            metavar="MEME",
            help=(
                "File of motifs to name motifs by; or JASPAR, for its vertebrate "
                "motifs."
            ),
        ),
    ] = None,
    expected: Annotated[
        str,
        typer.Option(
            "--expected",
            metavar="NAME,...",
            help=(
                "Names of --motifs (by default of JASPAR) that you expect, separated "
                "by commas: motifs that are like these are called so."
            ),
        ),
    ] = "",
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            metavar="BP",
            min=1,
            help="Take so many bases from the middle of each sequence.",
        ),
    ] = None,
    skip: Annotated[
        str,
        typer.Option(
            "--skip",
            metavar="REASON,...",
            help=(
                f"Leave out sequences for these reasons, and list them in {SKIPPED}: "
                f"all, or {', '.join(RECORD_SKIPS)}, separated by commas."
            ),
        ),
    ] = "",
    n_units: Annotated[
        int, typer.Option(metavar="N", min=2, help="Backgrounds of each trial.")
    ] = 200,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=(
                "Method that proposes motifs: seqlets, modisco, filters, kmer; may be "
                "repeated. Default: all available."
            ),
        ),
    ] = None,
    rng: Annotated[
        int,
        typer.Option(
            metavar="SEED", min=0, help="Seed of null sequences and backgrounds."
        ),
    ] = 0,
    ambiguous: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help=(
                "Letters such as N: refuse, draw them by --rng, or keep them in place "
                "in shuffles."
            ),
        ),
    ] = "refuse",
    device: DeviceOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite existing files, and start anew.")
    ] = False,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print also motifs that are not confirmed.")
    ] = False,
    sentences: SentencesOption = False,
    arms: ArmsOption = False,
    notes: NotesOption = False,
    progress: Annotated[
        bool,
        typer.Option(
            "--progress/--no-progress",
            help="Print each stage, and how long it will take, to stderr.",
        ),
    ] = True,
) -> None:
    """Find the motifs that a network reads: proposed on half of the sequences, tested
    on the other half.

    Maps of one half propose motifs; each is embedded in shuffles of the other half and
    compared with random sequences. If the file lists several weights, motifs are tested
    in each retraining, and confirmed if they are so in more than half.

    Prints how many motifs are confirmed, with a table of their families. Writes a table
    of all motifs, including those that are not (motifs.tsv), their families
    (families.tsv, families.png), interactions of pairs of the largest motifs
    (pairs.tsv), and the positions of confirmed motifs (sites.bed); causalgia report
    makes a page of the folder. What it is doing, and for how long, is printed to
    stderr. The same command resumes a run that was stopped, from the last method that
    had proposed.

    Example:   causalgia discover net.toml --sequences peaks.fa --out motifs

    Example:   causalgia discover net.toml --sequences peaks.fa --motifs JASPAR --out motifs
    """
    from causalgia import store
    from causalgia._discover import discover
    from causalgia.sequences import read_sequences
    from causalgia.sequences.motif_names import is_jaspar
    from causalgia.sequences.skipped_inputs import skip_sentence
    from causalgia.tell.discovery_answers import discovery_parts
    from causalgia.tell.figures.style import save_figure
    from causalgia.trial_file import read_predictor_spec

    if is_jaspar(str(motifs)):
        motifs = Path("JASPAR")
    check_usable(out)
    goes_on = (out / UNFINISHED).is_dir()  # stopped, perhaps among its result files
    _check_files(
        out,
        sequences,
        None if motifs == Path("JASPAR") else motifs,
        force=force or goes_on,
    )
    # a predictor may change the working folder
    place, sequences = out.absolute(), sequences.absolute()
    motifs = motifs if motifs is None or motifs == Path("JASPAR") else motifs.absolute()
    predictor = load_predictor_spec(read_predictor_spec(network), network, device)
    with _skipped_listed(place):
        given = (
            read_sequences(
                sequences,
                length=length,
                ambiguous=cast("Ambiguous", ambiguous),
                rng=rng,
                skip=_words(skip),
            )
            if skip or ambiguous != "refuse" or length is not None
            else sequences
        )
    skipped = () if isinstance(given, Path) else given.skipped
    with output_folder(place) as folder, results_of_page(place, DECISIONS):
        if force:
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        methods = (
            "all" if not method else method[0] if len(method) == 1 else tuple(method)
        )
        named = None if motifs is None else str(motifs)
        store_at = folder / UNFINISHED
        found = discover(  # --skip, as the file is read
            predictor,
            given,
            n_units=n_units,
            method=cast(Any, methods),
            motifs=named,
            expected=_words(expected) or None,
            keep_n=ambiguous == "keep",
            store=store_at,
            progress=progress and not output().quiet,
            rng=rng,
        )
        for name, table in (
            (MOTIFS, found.table),
            (FAMILIES, found.families),
            (PAIRS, found.pairs),
        ):
            write_text(folder / name, to_csv(table, index=False, tabs=True))
        rows = found.sites.itertuples(index=False)
        bed = (
            f"{row.sequence}\t{row.start}\t{row.stop}\t{row.motif}\t0\t{row.strand}\n"
            for row in rows
        )
        write_text(folder / SITES, "".join(bed))
        store.save(found.proposals, folder / PROPOSALS)
        written = [MOTIFS, FAMILIES, PAIRS, SITES, PROPOSALS]
        (folder / SKIPPED).unlink(missing_ok=True)
        if skipped:
            write_skipped(folder, skipped)
            written.append(SKIPPED)
        for name in (LOGOS, PICTURE, DECISIONS):  # that --force writes over
            (folder / name).unlink(missing_ok=True)
        if found.decisions is not None and found.logos is not None:
            # for the page of the folder
            printed = {
                "question": found.question,
                "answer": said_to_json(found.sentences),
            }
            store.save(found.logos.assign_attrs(_of_page(found)), folder / LOGOS)
            store.save(found.decisions.assign_attrs(printed), folder / DECISIONS)
            written += [DECISIONS, LOGOS]
            if len(found.confirmed):
                save_figure(found.draw(), folder / PICTURE)
                written.append(PICTURE)
        shutil.rmtree(folder / UNFINISHED)
        record(
            motifs=lambda: records(found.table),
            families=lambda: records(found.families),
            pairs=lambda: records(found.pairs),
        )
        parts = discovery_parts(
            found,
            every_row=all_rows,
            requested=requested_parts(arms=arms, sentences=sentences, notes=notes),
            tables=(MOTIFS, PAIRS, FAMILIES),
            every="--all",
            noted="--notes",
        )
        print_parts(parts)
        if skipped:
            n_used = 0 if isinstance(given, Path) else len(given)
            echo(f"{skip_sentence(skipped, n_used, 'sequences')}.")
    print_written(out, *written)


def _of_page(found: Discovery) -> dict[str, Any]:
    """Return what a page says of a discovery besides its tables, as attributes."""
    return {
        "n_proposing": found.n_proposing,
        "n_fresh": found.n_fresh,
        "length": found.length,
        **{
            name: "\n".join(getattr(found, name))
            for name in ("sentences", "foot", "notes")
        },
    }


def read_discovery(folder: Path) -> Discovery:
    """Return the discovery whose files a folder has, for its page.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    import pandas as pd

    from causalgia import store
    from causalgia._discover import OF_MOTIFS, OF_PAIRS, Discovery

    def table(
        name: str, columns: Sequence[str], numbers: Sequence[str], **settings: Any
    ) -> pd.DataFrame:
        try:
            read: pd.DataFrame = pd.read_csv(
                folder / name, sep="\t", keep_default_na=False, **settings
            )
            if lacking := [one for one in columns if one not in read]:
                raise ValueError(f"no column {quoted(lacking[0])}")
            return read.assign(**{one: pd.to_numeric(read[one]) for one in numbers})
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / name}: cannot be read ({error})") from error

    logos = store.read_netcdf(folder / LOGOS)
    motifs = table(
        MOTIFS,
        OF_MOTIFS,
        ("name_q", "ace", "lower", "upper", "q", "members", "sequences"),
    )
    pairs = table(
        PAIRS,
        OF_PAIRS,
        ("first_alone", "second_alone", "interaction", "lower", "upper"),
    )
    columns = ["sequence", "start", "stop", "motif", "score", "strand"]
    types = {"sequence": str, "start": int, "stop": int}
    sites = table(SITES, columns, (), header=None, names=columns, dtype=types)
    more: dict[str, Any] = {
        name: int(logos.attrs[name]) for name in ("n_proposing", "n_fresh", "length")
    }
    more |= {
        name: tuple(filter(None, str(logos.attrs[name]).split("\n")))
        for name in ("sentences", "foot", "notes")
    }
    return Discovery(
        table=motifs,
        pairs=pairs,
        sites=sites.drop(columns="score"),
        proposals=store.load(folder / PROPOSALS, "proposals"),
        decisions=store.load(folder / DECISIONS, "decisions"),
        logos=logos.assign_coords(family=logos["family"].astype(str)),
        **more,
    )


def _words(text: str) -> tuple[str, ...]:
    """Return the words of an option that takes several, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _check_files(out: Path, *given: Path | None, force: bool) -> None:
    """Raise DataError where a file of another run or of the user would be
    overwritten.
    """
    for name in (MOTIFS, FAMILIES, PAIRS, SITES, PROPOSALS, DECISIONS, LOGOS, PICTURE):
        path = out / name
        if path.is_dir() or any(
            path.exists() and file is not None and path.samefile(file) for file in given
        ):
            raise DataError(f"{path} cannot be written over")
        if path.exists() and not force:
            raise DataError(f"{path} exists already; --force writes over it")


TABLE, ANNOTATED = "variants.tsv", "variants.vcf"
SETTINGS = "settings.json"
_OUTPUT_FILES = (TABLE, ANNOTATED, SKIPPED, ESTIMATES, DECISIONS, EXPERIMENT, SETTINGS)
_NOT_SEQUENCES = ("genome", "variants")
_REWRITTEN = (ESTIMATES, DECISIONS, EXPERIMENT, ANSWER, "effects.tsv")
_TRIAL_OPTIONS = (
    *("calls", "out", "device", "force", "same_answers", "dask", "workers"),
    *("as_json", "quiet", "all_rows", "sentences", "notes"),
)


def score_variants(
    ctx: typer.Context,
    calls: Annotated[
        Path,
        typer.Argument(
            metavar="CALLS",
            help="Variants: a VCF file, or a table with the columns chrom pos ref alt; or a trial.toml of them.",
        ),
    ],
    out: OutOption,
    genome: Annotated[
        Path | None,
        typer.Option(
            "--genome", metavar="FASTA", help="The reference genome, FASTA or .2bit."
        ),
    ] = None,
    predictor: Annotated[
        Path | None,
        typer.Option(
            "--predictor",
            metavar="TOML",
            help="A file with the table [predictor], as in a trial.toml.",
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            metavar="N",
            min=1,
            help="Bases of a window: the input length of the network.",
        ),
    ] = None,
    null: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help=(
                "Where null variants lie: genome, variants (their own windows), a "
                "FASTA file, or none."
            ),
        ),
    ] = "genome",
    match: Annotated[
        str,
        typer.Option(
            metavar="KEY,...",
            help=(
                "What null variants share with the variants they match, separated by "
                "commas."
            ),
        ),
    ] = "substitution,context:3,distance,length",
    n_null: Annotated[
        int,
        typer.Option(metavar="N", min=LEAST_MATCHED_NULLS, help="Null variants."),
    ] = 10_000,
    min_nulls: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=LEAST_MATCHED_NULLS,
            help="Null variants that a stratum needs; with fewer, keys are dropped.",
        ),
    ] = 2_000,
    tail: Annotated[
        bool,
        typer.Option("--tail", help="Extrapolate p below 1 / (null variants + 1)."),
    ] = False,
    read_out: Annotated[
        Path | None,
        typer.Option(
            "--read-out",
            metavar="BED",
            help=(
                "Sites to center windows on, such as TSS: the nearest to each variant. "
                "Default: the variant."
            ),
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            metavar="SIDE",
            help=(
                f"The side of an indel that keeps its place: {', '.join(ALIGNS)}. "
                "Default: left, or with --read-out the side of the site."
            ),
        ),
    ] = None,
    rope: Annotated[
        str | None,
        typer.Option(
            metavar="ROPE",
            help=(
                "Effects too small to matter: matched (the default), -0.1,0.1 or '0.2 "
                "sd'."
            ),
        ),
    ] = None,
    skip: Annotated[
        str,
        typer.Option(
            "--skip",
            metavar="REASON,...",
            help=(
                f"Leave out variants for these reasons, and list them in {SKIPPED}: "
                f"all, or {', '.join(VARIANT_SKIPS)}, separated by commas."
            ),
        ),
    ] = "",
    skip_mismatches: Annotated[
        bool,
        typer.Option("--skip-mismatches", help="The same as --skip mismatch."),
    ] = False,
    rng: Annotated[
        int, typer.Option(metavar="SEED", min=0, help="Seed of the null variants.")
    ] = 0,
    device: DeviceOption = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Overwrite existing files; with other settings start anew."
        ),
    ] = False,
    same_answers: Annotated[
        bool,
        typer.Option(
            "--same-answers",
            help=(
                "Resume with another predictor if a sample of its stored answers "
                "agrees with this one's."
            ),
        ),
    ] = False,
    dask: DaskOption = None,
    workers: WorkersOption = None,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print a line for each variant.")
    ] = False,
    sentences: SentencesOption = False,
    notes: NotesOption = False,
) -> None:
    """Rank the effect of each variant of a list among those of matched null variants.

    Effects are those of the alternate allele in the variant's own sequence, exact for
    the network. Writes a table (variants.tsv) and an annotated VCF (variants.vcf).
    Answers are saved during the run; the same command resumes after Ctrl-C, a kill or a
    full disk.

    With --null none the effects stand alone, without ranks.

    Options may also be given in a trial file, with [experiment] of kind = "variants",
    [null] of kind = "matched_variants" (none is that of --null none) and [predictor].

    Example:   causalgia variants calls.vcf --genome hg38.fa --predictor net.toml --length 2114 --out scored

    Example:   causalgia variants snps.tsv --genome hg38.fa --predictor net.toml --length 200 --out scored

    Example:   causalgia variants trial.toml --out scored
    """
    from causalgia.experiments import variants
    from causalgia.sequences.variant_files import is_vcf
    from causalgia.trial_file import read_predictor_spec

    check_usable(out)
    passed = {name: value for name, value in ctx.params.items() if value is not None}
    shown = {
        name: value
        for name, value in passed.items()
        if name == "calls" or name not in _TRIAL_OPTIONS
    }
    paths = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in shown.items()
    }
    # what the trial on disk depends on, by option
    request = {
        "--" + name.replace("_", "-") if name != "calls" else name: value
        for name, value in paths.items()
    }
    # a predictor may change the working folder
    place, vcf = out.absolute(), calls.absolute()
    with _skipped_listed(place):
        if calls.suffix.lower() == ".toml":
            given = _options_set(
                ctx, [name for name in ctx.params if name not in _TRIAL_OPTIONS]
            )
            if given:
                raise DesignError(
                    f"{given[0]} beside {calls}, which defines the variants and their "
                    "ranking"
                )
            experiment, loaded, calls = _of_trial_file(calls, device)
            vcf = calls
            _check_own_files(place, calls, force=force)
        elif genome is None or predictor is None or length is None:
            raise DesignError(f"{calls}: --genome, --predictor and --length are needed")
        else:
            _check_own_files(out, calls, force=force)
            reasons = _reasons(skip, mismatches=skip_mismatches)
            chosen = _variants_of(calls, genome, skip=reasons)
            if null == "none" and (
                given := _options_set(
                    ctx, ["match", "n_null", "min_nulls", "tail", "rng"]
                )
            ):
                raise DesignError(f"{given[0]} is of null variants, and --null is none")
            settings: dict[str, Any] = {
                "length": length,
                "read_out": read_out,
                "align": align,
                "skip": reasons,
            }
            if rope is not None:
                settings["rope"] = _region(rope, null)
            if null != "none":
                settings["null"] = _null_model(null, match, min_nulls, rng)
                settings |= {"n_null": n_null, "tail": tail}
            at = genome.absolute()
            loaded = load_predictor_spec(
                read_predictor_spec(predictor), predictor, device
            )
            experiment = variants(chosen, at, **settings)
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
            answer = _answer(
                experiment,
                loaded,
                folder,
                request,
                client=client,
                same_answers=same_answers,
                force=force,
            )
            written = _write(
                answer,
                folder,
                vcf if is_vcf(vcf) else None,
                experiment.notes,
                Printed(all_rows=all_rows, sentences=sentences, notes=notes),
            )
        print_written(out, STORE, *written)


@contextmanager
def _skipped_listed(folder: Path) -> Iterator[None]:
    """Write what was left out to skipped.tsv also where an error follows."""
    from causalgia.sequences.skipped_inputs import listing_skipped

    with listing_skipped() as skipped:
        try:
            yield
        except CausalgiaError:
            if skipped:
                with output_folder(folder):
                    write_skipped(folder, list(skipped))
                print_written(folder, SKIPPED)
            raise


def _options_set(ctx: typer.Context, names: Sequence[str]) -> list[str]:
    """Return which options stand on the command line, as they are written there."""
    sources = {name: ctx.get_parameter_source(name) for name in names}
    given = [
        name
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]
    return [f"--{name.replace('_', '-')}" for name in given]


def _of_trial_file(path: Path, device: str | None) -> tuple[Any, Any, Path]:
    """Return the experiment of a trial file, its predictor, and the file of its
    variants.
    """
    from causalgia.trial_file import read_spec

    spec = read_spec(path)
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


def _check_own_files(out: Path, calls: Path, *, force: bool) -> None:
    """Raise DataError where a file of another run or of the user would be
    overwritten.
    """
    for name in _OUTPUT_FILES:
        path = out / name
        if path.exists() and path.samefile(calls):
            raise DataError(f"{path} is the list of variants itself")
        if name == SKIPPED and _is_own_list(path):
            continue
        if path.exists() and not force and not (out / STORE).exists():
            raise DataError(f"{path} exists already; --force writes over it")


def _is_own_list(path: Path) -> bool:
    """Return whether a file begins as `write_skipped` does: a run that then failed may
    have left it alone in its folder.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        columns = file.readline().decode("utf-8", "replace").strip().split("\t")
    return {"name", "reason"} <= set(columns)


def _reasons(skip: str, *, mismatches: bool) -> tuple[str, ...]:
    """Return the reasons of ``--skip``, with that of ``--skip-mismatches``."""
    from causalgia.sequences.skipped_inputs import as_skip

    words = [*_words(skip)]
    words += ["mismatch"] * (mismatches and words != ["all"])
    return tuple(sorted(as_skip(words, VARIANT_SKIPS, what="variants")))


def _variants_of(
    calls: Path, genome: Path, *, skip: tuple[str, ...]
) -> tuple[Variant, ...]:
    from causalgia.sequences import read_variants
    from causalgia.sequences.variant_files import split_by_genome

    chosen = read_variants(calls, skip=skip)
    if skip:  # the experiment tells which variants the genome has
        return chosen
    found = split_by_genome(chosen, genome)
    if found.mismatched:
        first, letters = found.mismatched[0]
        raise DesignError(
            f"{calls}: {len(found.mismatched):,} of {len(chosen):,} variants have "
            f"another reference allele than {genome}: {first.name} has "
            f"{first.reference}, the genome {letters}"
        )
    return chosen


def _region(rope: str, null: str) -> Rope:
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


def _null_model(null: str, match: str, min_nulls: int, rng: int) -> MatchedVariants:
    from causalgia.design import MatchedVariants

    if null not in _NOT_SEQUENCES and not Path(null).is_file():
        words = (*_NOT_SEQUENCES, "none")
        raise DesignError(
            f"--null {null} is neither a file nor one of {comma_list(words)}"
        )
    keys = tuple(key.strip() for key in match.split(",") if key.strip())
    return MatchedVariants(of=null, match=keys, min_nulls=min_nulls, seed=rng)


def _answer(
    experiment: Experiment,
    predictor: Any,
    folder: Path,
    settings: dict[str, Any],
    *,
    client: Any,
    same_answers: bool,
    force: bool,
) -> Answer:
    """Run the experiment on disk; the settings stand beside it, so that a rerun with
    others can name them. With `force` one of other settings is begun anew.
    """
    from causalgia._run import run
    from causalgia.trial.archive import OtherTrialError

    settings_file = folder / SETTINGS
    if not (folder / STORE).exists():
        write_text(settings_file, json.dumps(settings, indent=1) + "\n")
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
    except KeyboardInterrupt as error:
        raise StoppedError(str(error) or "interrupted") from error
    except OtherTrialError:
        if force and (folder / STORE).is_dir():
            shutil.rmtree(folder / STORE)
            return _answer(
                experiment,
                predictor,
                folder,
                settings,
                client=client,
                same_answers=same_answers,
                force=False,
            )
        raise
    return experiment.analyze(effects, rng=0)


def _write(
    answer: Answer,
    folder: Path,
    like: Path | None,
    shown: Sequence[str],
    printed: Printed,
) -> tuple[str, ...]:
    """Print the answer, without the notes that were shown before, and write its files;
    return their names.
    """
    from causalgia import store
    from causalgia.experiments import write_variants

    decisions = with_sentences(answer.decisions, answer).assign_attrs(
        question=answer.question
    )
    with results_of_page(folder, ESTIMATES, DECISIONS):
        remove_outdated(folder, *of_analysis(folder), rewritten=_REWRITTEN)
        store.save(answer.estimates, folder / ESTIMATES)
        store.save(decisions, folder / DECISIONS)
    write_variants(answer, folder / TABLE)
    write_variants(answer, folder / ANNOTATED, like=like)
    (folder / SKIPPED).unlink(missing_ok=True)
    skipped = answer.findings.get("skipped")
    if skipped is not None:
        rows = skipped.to_dataframe()
        write_text(folder / SKIPPED, to_csv(rows, index=False, tabs=True))
    echo()
    readable = write_effects(folder, decisions)
    print_answers(
        *(without_notes(table, shown) for table in (answer.estimates, decisions)),
        printed=printed,
    )
    answer.save(folder / EXPERIMENT)
    return (
        TABLE,
        ANNOTATED,
        *([SKIPPED] if skipped is not None else []),
        *readable,
        ESTIMATES,
        DECISIONS,
        EXPERIMENT,
    )

"""Commands for MPRA libraries: design, predict, power, analyze, activity, compare."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from causalgia.attributes import about, attributes
from causalgia.choices import Target, requested_parts
from causalgia.cli.command_groups import LazyTyper, RopeCommand
from causalgia.cli.folder import (
    EVERY_ROW,
    NOTED,
    numbered_figures,
    of_outcomes,
    output_folder,
    remove_outdated,
    results_of_page,
    write_effects,
    write_text,
)
from causalgia.cli.mpra_tables import (
    COMPARISON,
    CountsArgument,
    CountsOptions,
    NoiseOptions,
    PilotOptions,
    check_files_free,
    concordance_figures,
    counts_question,
    draw_concordance,
    effects_table,
    measured_answer,
    measured_effects,
    parallel_answer,
    parse_flanks,
    parse_numbers,
    planning_noise,
    read_library_or_side_table,
    virtual_attrs,
    virtual_effects,
)
from causalgia.cli.option_groups import (
    DeviceOption,
    ForceOption,
    NotesOption,
    OutOption,
    SentencesOption,
)
from causalgia.cli.output import echo, record, records
from causalgia.cli.tables import (
    effects_frame,
    print_parts,
    print_written,
)
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.inputs import to_csv
from causalgia.results_folder import (
    ACTIVITY,
    ANSWER,
    CONCORDANCE,
    DECISIONS,
    EFFECTS,
    ESTIMATES,
    FIT,
    LIBRARY,
    OUTCOMES,
    PAGE,
    TABLE,
)

if TYPE_CHECKING:
    import xarray as xr

bench = LazyTyper(
    name="mpra",
    help=(
        "Order a design as an MPRA library, analyze its counts, and compare the "
        "virtual with the measured trial."
    ),
    no_args_is_help=True,
)

_Trial = Annotated[
    Path, typer.Argument(metavar="TRIAL.TOML", help="Trial file with an [mpra] table.")
]
_Library = Annotated[
    Path,
    typer.Option(
        "--design",
        metavar="LIB",
        help="Folder written by `mpra design`, a side table, or IGVF design (TSV).",
    ),
]
_Rope = (
    "Region of practical equivalence on log2: -0.1,0.1 (or --rope -0.1 0.1), or 0 for "
    "direction alone."
)


class ErrorRate(StrEnum):
    """Error rates of verdicts."""

    fdr = "fdr"
    fwer = "fwer"
    each = "each"


class FitMethod(StrEnum):
    """Methods of fitting effects."""

    hierarchical = "hierarchical"
    two_way = "two_way"
    additive = "additive"


@bench.command()
def design(spec_file: _Trial, out: OutOption, force: ForceOption = False) -> None:
    """Make the oligo library of a trial, check it, and write the files for the order
    and for the pipeline.

    Example:   causalgia mpra design trial.toml --out library
    """
    from causalgia import mpra, report
    from causalgia.mpra.formats.orders import FILES
    from causalgia.trial_file import read_library_spec

    spec = read_library_spec(spec_file)
    check_files_free(out, force, *FILES)
    with output_folder(out), results_of_page(out, LIBRARY):
        library = mpra.library(spec.design, rng=spec.rng, **spec.options)
        library = library.assign_attrs(name=spec.name, analysis=spec.analysis.to_json())
        written = mpra.write_library(library, out, overwrite=force)
    echo(report(library))
    echo()
    print_written(out, *(path.name for path in written))
    echo(
        f"Next: causalgia mpra predict {quote(str(spec_file))} --design "
        f"{quote(str(out))} --out virtual"
    )


@bench.command()
def predict(
    spec_file: _Trial,
    library_folder: Annotated[
        Path,
        typer.Option(
            "--design",
            metavar="LIB",
            help="Folder written by `mpra design`, which has the inserts.",
        ),
    ],
    out: OutOption,
    device: DeviceOption = None,
    flanks: Annotated[
        str | None,
        typer.Option(
            metavar="LEFT,RIGHT",
            help="Bases around each insert for the predictor: LEFT,RIGHT.",
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Predict exactly the inserts of a library: the virtual counterpart of the measured
    trial.

    Example:   causalgia mpra predict trial.toml --design library --out virtual
    """
    from causalgia import mpra, store
    from causalgia.cli.options import load_spec_predictor
    from causalgia.trial_file import read_spec

    spec = read_spec(spec_file)
    library = mpra.read_library(library_folder)
    check_files_free(out, force, OUTCOMES, *of_outcomes(out))
    with output_folder(
        out.absolute()
    ) as folder:  # a predictor may change the working folder
        outcomes = mpra.virtual_trial(
            library,
            load_spec_predictor(spec, spec_file, device),
            flanks=parse_flanks(flanks),
        )
        remove_outdated(folder, *of_outcomes(folder))
        store.save(
            outcomes.assign_attrs(virtual_attrs(spec, library)), folder / OUTCOMES
        )
    echo(
        f"{spec.name}: {outcomes.sizes['unit']:,} elements of {library_folder} "
        "predicted."
    )
    print_written(out, OUTCOMES)
    echo(
        "Next: causalgia mpra analyze counts.tsv --design "
        f"{quote(str(library_folder))} --out measured"
    )


@bench.command()
def power(
    *,
    effect: Annotated[
        str,
        typer.Option(
            metavar="NUMBER,...", help="True log2 effects: 0.5 or 0.25,0.5,1."
        ),
    ] = "0.5",
    barcodes: Annotated[
        str, typer.Option(metavar="NUMBER,...", help="Barcodes of each oligo.")
    ] = "5,10,20,50",
    replicates: Annotated[
        str, typer.Option(metavar="NUMBER,...", help="Replicates.")
    ] = "3,4,6",
    backgrounds: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER,...",
            help=(
                "Number of backgrounds, for the power of their average effect; "
                "default: one element."
            ),
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER,...",
            help="Mean reads of a barcode in one library; default: the pilot's, or 100.",
        ),
    ] = None,
    planned: NoiseOptions,
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="P", help="Error rate of the two-sided test; default: 0.05."
        ),
    ] = None,
    q: Annotated[
        float | None,
        typer.Option(metavar="P", help="False discovery rate, instead of --alpha."),
    ] = None,
    pilot: PilotOptions,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print more than 20 designs.")
    ] = False,
    notes: NotesOption = False,
) -> None:
    """Find which designs of a grid have the power to find a log2 effect, with their
    standard errors and half widths.

    Example:   causalgia mpra power --effect 0.5 --barcodes 10,20,50 --replicates 3,4

    Example:   causalgia mpra power --effect 0.3 --backgrounds 12,30,100 --barcodes 8 --replicates 3

    Example:   causalgia mpra power --pilot counts.tsv --design library --control untreated
    """
    from causalgia import mpra
    from causalgia.tell.plan_answers import power_parts

    noise, known = planning_noise(planned, pilot)
    if depth is None and known is None:
        depth = "100"
    found = mpra.power(
        parse_numbers(effect, "--effect"),
        n_barcodes=parse_numbers(barcodes, "--barcodes"),
        n_replicates=parse_numbers(replicates, "--replicates"),
        n_backgrounds=None
        if backgrounds is None
        else parse_numbers(backgrounds, "--backgrounds"),
        depth=None if depth is None else parse_numbers(depth, "--depth"),
        contrast=mpra.PlannedContrast(alpha=alpha, q=q),
        noise=noise,
        pilot=known,
    )
    record(power=lambda: records(found))
    parts = power_parts(
        found,
        requested=requested_parts(notes=notes),
        every=all_rows,
        pointer="--all",
        noted="--notes",
    )
    print_parts(parts)


@bench.command()
def quality(
    library_folder: _Library,
    reading: CountsOptions,
    counts_files: CountsArgument = None,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print a line for each column and pair.")
    ] = False,
) -> None:
    """Check counts for nine faults: depth, copies, swaps, shifts, ceilings, counts that
    were counted twice, truncation, jackpots, misassigned barcodes.

    Example:   causalgia mpra quality counts.tsv --design library
    """
    from causalgia import mpra
    from causalgia.tell.count_answers import quality_parts

    counts = reading.read(counts_files, read_library_or_side_table(library_folder))
    found = mpra.quality(counts)
    names = ["check", "where", "value", "threshold", "found", "at"]
    record(quality=lambda: records(found[names].reset_coords(drop=True).to_dataframe()))
    print_parts(quality_parts(found, every=all_rows))


@bench.command(cls=RopeCommand)
def analyze(
    library_folder: _Library,
    reading: CountsOptions,
    counts_files: CountsArgument = None,
    out: OutOption = Path("measured"),
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="Control arm, subtracted from every other arm; default: the trial's.",
        ),
    ] = None,
    arms: Annotated[
        str | None,
        typer.Option(
            metavar="ARM,...", help="Treatments, separated by commas; default: all."
        ),
    ] = None,
    contrasts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONTRAST",
            help=(
                "Instead of --control: a contrast of arms, '(AB - A) - (B - none)'; "
                "may be repeated."
            ),
        ),
    ] = None,
    method: Annotated[
        FitMethod | None,
        typer.Option(
            help=(
                "How effects are fitted; default: additive where barcodes carry "
                "several variants, else hierarchical."
            )
        ),
    ] = None,
    sd_barcode: Annotated[
        float | None,
        typer.Option(
            metavar="SD",
            help=(
                "Of one sum an oligo, with n_bc: sd of log2 between barcodes of an "
                "oligo (0.5, say), so that errors are those of other barcodes."
            ),
        ),
    ] = None,
    min_dna: Annotated[
        float | None,
        typer.Option(
            metavar="READS", help="Leave out barcodes with fewer DNA reads (mean)."
        ),
    ] = None,
    min_barcodes: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Leave out oligos that have fewer barcodes.",
        ),
    ] = 1,
    rope: Annotated[str, typer.Option(metavar="ROPE", help=_Rope)] = "0",
    error: Annotated[
        ErrorRate,
        typer.Option(
            help=(
                "Error rate that is bounded: fdr, fwer or each of tests; or posterior."
            )
        ),
    ] = ErrorRate.fdr,
    ci_prob: Annotated[
        float,
        typer.Option(
            metavar="P", help="Probability of intervals; 1 minus the error of verdicts."
        ),
    ] = 0.95,
    rng: Annotated[int, typer.Option(metavar="SEED", min=0, help="Seed of draws.")] = 0,
    force: ForceOption = False,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print a line for each element.")
    ] = False,
    sentences: SentencesOption = False,
    notes: NotesOption = False,
) -> None:
    """Find the elements whose activity each arm changes, and the average change, from
    barcode counts; of several conditions, how each differs from the first.

    Writes answer.txt, which is the report, effects.tsv and effects.csv, a row for each
    effect, decisions.nc, fit.nc, outcomes.nc (of one condition) and report.html.

    Example:   causalgia mpra analyze counts.tsv --design library --control untreated --out measured

    Example:   causalgia mpra analyze counts.tsv.gz --design arms.tsv --control WT --arms mutant --min-dna 10 --out out

    Example:   causalgia mpra analyze --condition rest=A.tsv --condition stim=B.tsv --design arms.tsv --control WT

    Example:   causalgia mpra analyze HepG2_*_counts.tsv.gz --assignment barcodes.tsv --design arms.tsv --control WT

    Example:   causalgia mpra analyze counts.tsv --design library --contrasts "(AB - A) - (B - none)" --out measured
    """
    from causalgia import Analysis, contrast, decide, estimate, mpra, store
    from causalgia.cli.report_command import page_parts
    from causalgia.mpra.counts.barcodes import n_barcodes_observed
    from causalgia.mpra.text_reports import fit_question
    from causalgia.ropes import Rope
    from causalgia.tell.html_page import write_page

    region = Rope.parse(rope, fixed=True)
    check_files_free(out, force, OUTCOMES, FIT, EFFECTS, *of_outcomes(out))
    requested = requested_parts(sentences=sentences, notes=notes)
    with output_folder(out) as folder:
        side = read_library_or_side_table(library_folder)
        counts = reading.read(counts_files, side)
        several = "condition" in counts.coords
        saved: dict[str, xr.Dataset] = {}
        if several:
            for name, given in (
                ("--arms", arms),
                ("--contrasts", contrasts),
                ("--min-dna", min_dna),
                ("--method", method),
                ("--sd-barcode", sd_barcode),
            ):
                if given is not None:
                    raise EstimateError(f"{name} is about one condition")
        else:
            question = counts_question(
                side, counts, control=control, arms=arms, contrasts=contrasts
            )
            counts = mpra.filter(counts, min_dna=min_dna, min_barcodes=min_barcodes)
            used = question.used
            if "variant" in counts.coords:  # of arms that barcodes carry alone
                seen = n_barcodes_observed(counts).min(axis=1) > 0
                used = counts["arm"].to_numpy()[seen].tolist()
            outcomes = mpra.outcomes(counts, arm_names=used)
            target: Target = (
                "population x replicates"
                if outcomes.sizes.get("model", 1) > 1
                else "population"
            )
            attrs = attributes(
                analysis=Analysis(**question.contrast, target=target).to_json(),
                rng=str(rng),
            )
            saved[OUTCOMES] = outcomes = outcomes.assign_attrs(attrs)
        tables: dict[str, xr.Dataset]
        if not several and "assigned" in outcomes:
            if sd_barcode is not None:
                raise EstimateError("--sd-barcode is about elements of several arms")
            found = estimate(contrast(outcomes, **question.contrast), ci_prob=ci_prob)
            found = found.assign_attrs(analysis=about(attrs).analysis)
            answer = partial(parallel_answer, found, counts)
            tables, texts = {}, {}
            record(effects=lambda: records(effects_frame(found, all_columns=True)))
        else:
            fitted = (
                mpra.conditions(
                    counts,
                    control=str(counts["condition"].values[0]),
                    arm_control=control,
                    ci_prob=ci_prob,
                )
                if several
                else mpra.fit(
                    counts,
                    **vars(question),
                    method=None if method is None else method.value,
                    sd_barcode=sd_barcode,
                    ci_prob=ci_prob,
                )
            )
            found = decide(fitted, rope=region, error=error.value, ci_prob=ci_prob)
            answer = partial(measured_answer, fitted, found, counts)
            first = answer(()).sentences
            found = found.assign_attrs(
                answer="\n".join(first), question=fit_question(fitted)
            )
            tables = {FIT: fitted}
            of_elements = effects_table(fitted, found)
            texts = {EFFECTS: to_csv(of_elements, index=False)}
            record(effects=lambda: records(of_elements))
        tables[DECISIONS if FIT in tables else ESTIMATES] = found
        written = (*saved, *tables, ANSWER, TABLE, *texts, PAGE)
        outdated = (*of_outcomes(folder), FIT, EFFECTS)
        outdated = tuple(name for name in outdated if name != PAGE)
        with results_of_page(folder, OUTCOMES, FIT, DECISIONS, ESTIMATES):
            remove_outdated(folder, *outdated, rewritten=written)
            for name, table in (saved | tables).items():
                store.save(table, folder / name)
        for name, text in texts.items():
            write_text(folder / name, text)
        write_effects(folder, found, parts=answer((), every=EVERY_ROW, noted=NOTED))
        print_parts(answer(requested, every_row=all_rows))
        write_page(folder / PAGE, page_parts(folder))
        print_written(folder, *written)
        if FIT in tables and not several:
            compare = f"causalgia mpra compare virtual {quote(str(out))}"
            which = "if the network has several tasks, add --task NAME"
            if Path("virtual").is_dir():
                echo(f"Next: {compare}; {which}")
            elif library_folder.is_dir():
                echo(
                    "Next: causalgia mpra predict trial.toml --design "
                    f"{quote(str(library_folder))} --out virtual, and then {compare}; {which}"
                )


@bench.command()
def activity(
    library_folder: _Library,
    reading: CountsOptions,
    counts_files: CountsArgument = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the table of all oligos."
        ),
    ] = None,
    above: Annotated[
        float | None,
        typer.Option(metavar="P", help="Quantile of the negative controls: .975."),
    ] = None,
    negative: Annotated[
        str,
        typer.Option(metavar="GROUP", help="Group of the negative controls."),
    ] = "negative",
    q: Annotated[
        float,
        typer.Option("--q", metavar="P", help="False discovery rate of active oligos."),
    ] = 0.05,
    force: ForceOption = False,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print a line for each oligo.")
    ] = False,
    notes: NotesOption = False,
) -> None:
    """Estimate the activity of each oligo, and find those above a quantile of the
    negative controls.

    Writes activity.tsv, a row for each oligo, with --out.

    Example:   causalgia mpra activity counts.tsv --design library

    Example:   causalgia mpra activity counts.tsv --design arms.tsv --above 0.95 --out active
    """
    from causalgia import mpra
    from causalgia.tell.activity_answers import activity_parts, activity_table

    if out is not None:
        check_files_free(out, force, ACTIVITY)
    counts = reading.read(counts_files, read_library_or_side_table(library_folder))
    found = mpra.activity(
        counts, above=0.975 if above is None else above, negative=negative
    )
    if above is not None and "p" not in found:
        raise DataError(
            f"--above {above:g} is a quantile of the negative controls, and no oligo is "
            f"of the group {quoted(negative)}"
        )
    table = activity_table(found)
    record(activity=lambda: records(table))
    print_parts(
        activity_parts(
            found,
            q=q,
            every_row=all_rows,
            requested=requested_parts(notes=notes),
            every="--all",
            noted="--notes",
        )
    )
    if out is not None:
        with output_folder(out) as folder:
            write_text(folder / ACTIVITY, to_csv(table, index=False, tabs=True))
        print_written(out, ACTIVITY)


@bench.command()
def compare(
    virtual: Annotated[
        Path,
        typer.Argument(
            metavar="VIRTUAL",
            help="Folder with outcomes, or a table with columns element effect se.",
        ),
    ],
    measured: Annotated[
        Path,
        typer.Argument(
            metavar="MEASURED",
            help=(
                "Folder written by `mpra analyze`, or a table with columns element "
                "effect se."
            ),
        ),
    ],
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="Virtual control arm; default: that of the measured trial.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Task that was measured, if the predictor has several."
        ),
    ] = None,
    contrast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A measured contrast to compare; may be repeated. Default: all.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for table and figures."),
    ] = None,
    notes: NotesOption = False,
) -> None:
    """Compare virtual with measured effects: correlation, slope (corrected for noise in
    both), discordant elements.

    Example:   causalgia mpra compare virtual measured --out compared
    """
    from causalgia import mpra, store
    from causalgia.mpra.text_reports import concordance_parts

    if virtual.resolve() == measured.resolve():
        raise DataError(f"{virtual} is given for both trials")
    with nullcontext() if out is None else output_folder(out) as folder:
        of_bench = measured_effects(measured)
        chosen = {name: name for name in contrast} if contrast else None
        found = mpra.concordance(
            virtual_effects(virtual, control, of_bench),
            of_bench,
            pairs=chosen,
            task=task,
        )
        by_element, by_contrast = (
            found[[name for name, v in found.data_vars.items() if {*v.dims} == dims]]
            for dims in ({"element", "contrast"}, {"contrast"})
        )
        record(
            comparison=lambda: records(by_contrast),
            elements=lambda: records(by_element),
        )
        print_parts(
            concordance_parts(
                found, requested=["notes"] if notes else [], noted="--notes"
            )
        )
        if folder is None:
            return
        figures = concordance_figures(found)
        with results_of_page(folder, CONCORDANCE):
            remove_outdated(
                folder, *numbered_figures(folder, "concordance"), rewritten=figures
            )
            write_text(folder / COMPARISON, to_csv(by_element.to_dataframe()))
            store.write_netcdf(
                folder / CONCORDANCE, partial(found.to_netcdf, engine="h5netcdf")
            )
        draw_concordance(found, folder)
        print_written(folder, COMPARISON, CONCORDANCE, *figures)

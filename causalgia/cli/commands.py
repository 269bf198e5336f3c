"""Commands of the command line."""

from __future__ import annotations

import atexit
import gc
import sys
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import causalgia
from causalgia.cli.command_groups import LazyTyper, RopeCommand
from causalgia.cli.folder import (
    answer_files,
    check_folder_free,
    check_usable,
    is_written_by_causalgia,
    load_marked_outcomes,
    make_folder,
    marked_as,
    of_analysis,
    other_analysis,
    remove_outdated,
    results_of_page,
    show_all_command,
    write_answer,
    write_effects,
    write_outcomes,
    write_text,
)
from causalgia.cli.mpra_commands import bench
from causalgia.cli.option_groups import (
    AnalysisOptions,
    DeviceOption,
    EstimateOptions,
    ForceOption,
    OutOption,
    Printed,
)
from causalgia.cli.options import (
    check_tasks,
    folder_analysis,
    folder_experiment,
    load_spec_predictor,
    trial_seed,
)
from causalgia.cli.output import echo, emit, output, patient, record
from causalgia.cli.report_command import report_folder
from causalgia.cli.sequence_commands import discover_motifs, score_variants
from causalgia.cli.skill_command import write_skill
from causalgia.cli.tables import (
    effects_text,
    print_answers,
    print_catalogue,
    print_entry,
    print_written,
)
from causalgia.cli.trial_commands import (
    lock_trial,
    next_step,
    plan_trial,
    refute_trial,
    reproduce_trial,
    run_trial,
    verify_results,
)
from causalgia.errors import DataError, DesignError
from causalgia.inputs import read_text
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    EFFECTS,
    ESTIMATES,
    FIT,
    FOREST,
    LIBRARY,
    OUTCOMES,
    SPEC,
    TABLE,
    load_outcomes,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.effect_rows import Rows

_DEMO = "demo"

app = LazyTyper(
    name="causalgia",
    add_completion=True,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="run")(run_trial)
app.command(name="plan")(plan_trial)
app.command(name="lock")(lock_trial)
app.command(name="verify")(verify_results)
app.command(name="reproduce")(reproduce_trial)
app.command(name="variants", cls=RopeCommand)(score_variants)
app.command(name="discover")(discover_motifs)
app.command(name="refute")(refute_trial)
app.command(name="report")(report_folder)
app.command(name="skill")(write_skill)


def _version(requested: bool) -> None:
    if requested:
        echo(f"causalgia {causalgia.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    ctx: typer.Context,
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version and stop.",
        ),
    ] = False,
) -> None:
    """Randomized experiments on sequence-to-activity networks, with standard errors.

    A first look, without any file:

        causalgia demo

    A trial of your own (init writes a commented trial.toml that runs as it is):

        causalgia init

        causalgia check trial.toml

        causalgia run trial.toml --out results

        causalgia analyze results --rope=-0.1,0.1

        causalgia show results

        causalgia refute results

        causalgia report results

    Pre-registered, for a paper:

        causalgia plan trial.toml

        causalgia lock trial.toml --out lock.toml

        causalgia run --protocol lock.toml --out results

        causalgia verify results --protocol lock.toml

    An experiment of the catalogue:

        causalgia experiments

        causalgia init --experiment copies copies.toml

        causalgia run copies.toml --out copies

    Variants, ranked among matched null variants:

        causalgia variants calls.vcf --genome hg38.fa --predictor net.toml --length 2114 --out scored

    The motifs that a network reads:

        causalgia discover net.toml --sequences peaks.fa --out motifs

    On the bench:

        causalgia mpra design trial.toml --out library

        causalgia mpra predict trial.toml --design library --out virtual

        causalgia mpra analyze counts.tsv --design library --control untreated --out measured

        causalgia mpra compare virtual measured --out compared
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command()
def version() -> None:
    """Print the version of causalgia.

    Example:   causalgia version
    """
    echo(f"causalgia {causalgia.__version__}")


_Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder written by `causalgia run`.")
]


@app.command()
def demo(
    out: OutOption = Path(_DEMO),
    n_units: Annotated[
        int, typer.Option(metavar="N", min=2, help="Background sequences.")
    ] = 1200,
    rng: Annotated[int, typer.Option(metavar="SEED", min=0, help="Seed.")] = 0,
    force: ForceOption = False,
) -> None:
    """Run a trial on a predictor whose true effects are known; print each estimate
    beside its truth, and verdicts.

    Example:   causalgia demo --out demo --n-units 2000
    """
    from causalgia import store
    from causalgia._analyze import steps
    from causalgia._run import run
    from causalgia.trial_file import parse_spec, starter
    from causalgia.zoo import oracle

    check_folder_free(out, force=force or is_written_by_causalgia(out / SPEC, _DEMO))
    spec = parse_spec(starter(), folder=out)
    spec = replace(
        spec, name=_DEMO, rng=rng, design=replace(spec.design, n_units=n_units)
    )
    predictor = oracle(str(spec.predictor.zoo))
    outcomes = run(spec.design, predictor, rng=rng).assign_attrs(spec.attrs)
    found = steps(outcomes, rng=rng)
    truth = predictor.true_ace(spec.design, control=str(spec.analysis.control))
    write_outcomes(
        make_folder(out),
        outcomes,
        spec,
        command=_DEMO,
        rewritten=(ESTIMATES, DECISIONS, FOREST, ANSWER, TABLE),
    )
    store.save(found.estimates, out / ESTIMATES)
    store.save(found.decisions, out / DECISIONS)
    readable = write_effects(out, found.decisions)
    _print_and_draw(found.estimates, out, truth=truth, decisions=found.decisions)
    print_written(out, OUTCOMES, ESTIMATES, DECISIONS, FOREST, *readable, SPEC)


@app.command()
def experiments(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="An experiment to describe.")
    ] = None,
) -> None:
    """List the catalogue of experiments, one line each; or describe one: its question,
    estimand and settings.

    Example:   causalgia experiments copies
    """
    if name is None:
        print_catalogue()
    else:
        print_entry(name)


@app.command()
def init(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The file to write.")
    ] = Path(SPEC),
    experiment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="An experiment listed by `causalgia experiments`."
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write a commented trial.toml that runs as it is, for you to change; or one of a
    named experiment.

    Example:   causalgia init gata1.toml

    Example:   causalgia init --experiment spacing spacing.toml
    """
    from causalgia.trial_file import starter_files

    if path.is_dir():
        raise DesignError(f"{path} is a folder")
    files = starter_files(path, experiment)
    for place, text in files.items():
        same = place != path and place.is_file() and place.read_bytes() == text.encode()
        if place.exists() and not force and not same:
            raise DesignError(f"{place} exists already; --force writes over it")
    made = "" if path.parent.exists() else f" in the new folder {path.parent}"
    make_folder(path.parent)
    for place, text in files.items():
        write_text(place, text)
    example_names = [place.name for place in files if place != path]
    echo(
        f"Wrote {', '.join([str(path), *example_names])}{made}. Next: causalgia run "
        f"{quote(str(path))} --out results"
    )


@app.command()
def check(
    spec_file: Annotated[
        Path,
        typer.Argument(
            metavar="TRIAL.TOML", help="Trial file; `causalgia init` writes one."
        ),
    ],
    device: DeviceOption = None,
) -> None:
    """Check the predictor of a trial before it is run: numerical accuracy, run time and
    disk space.

    The exit code is 1 if the trial would be refused or its answers would be wrong.

    Example:   causalgia check trial.toml --device cuda
    """
    from causalgia.trial_file import read_spec

    spec = read_spec(spec_file)
    predictor = load_spec_predictor(spec, spec_file, device)
    check_tasks(spec, predictor, spec_file)
    from causalgia._check import check as check_trial

    control, design = spec.analysis.control, spec.design
    if (
        design.named_contrasts is None
        and control is not None
        and str(control) in design.arm_names
    ):
        design = replace(design, contrasts=str(control))
    found = check_trial(design, predictor)
    record(ok=lambda: bool(found.ok))
    echo(str(found))
    code = 0 if found.ok else 1
    # tasks of a network without names are known after its first answer
    check_tasks(spec, predictor, spec_file)
    raise typer.Exit(code)


_Seed = Annotated[
    int | None,
    typer.Option(
        metavar="SEED",
        min=0,
        help="Seed of draws and resampling; default: the trial's.",
    ),
]


@app.command()
def estimate(folder: _Folder, *, given: EstimateOptions, printed: Printed) -> None:
    """Estimate average causal effects with standard errors, by the analysis in
    trial.toml; options override it.

    Writes estimates.nc and forest.png, and unless the folder has verdicts answer.txt
    and effects.tsv.

    Example:   causalgia estimate results --control placebo --ci-prob 0.9
    """
    from causalgia import store
    from causalgia._analyze import analysis_attrs, estimate_effects

    outcomes = load_marked_outcomes(folder)
    check_usable(folder)
    analysis = folder_analysis(folder, outcomes, given)
    _, estimates = estimate_effects(outcomes, analysis)
    estimates = estimates.assign_attrs(analysis_attrs(outcomes, analysis))
    with results_of_page(folder, ESTIMATES):
        store.save(estimates, folder / ESTIMATES)
    decided = (folder / DECISIONS).is_file()  # whose table and text stay
    readable = (
        ()
        if decided
        else write_effects(folder, estimates, all_columns=printed.all_columns)
    )
    _print_and_draw(estimates, folder, printed=printed)
    print_written(folder, ESTIMATES, FOREST, *readable)
    if decided:
        with suppress(DataError):  # a damaged file is left as it is
            if other := other_analysis(
                estimates, store.load(folder / DECISIONS, "decisions")
            ):
                echo(
                    f"Kept {DECISIONS}: its verdicts are of another analysis than "
                    f"these estimates: {other}."
                )
    echo(
        "For verdicts: causalgia analyze "
        f"{quote(str(folder))}{'' if analysis.rope is not None else ' --rope=-0.1,0.1'}"
    )


@app.command(cls=RopeCommand)
def analyze(
    folder: _Folder,
    *,
    given: AnalysisOptions,
    rng: _Seed = None,
    printed: Printed,
) -> None:
    """Decide which effects are large: estimate and decide, by trial.toml; options
    override it.

    For an experiment of the catalogue, the answer is computed again, unless --control
    is given.

    Writes answer.txt, which is the report, effects.tsv, a table with a row for each
    effect, decisions.nc, estimates.nc and a figure. A report.html of other results is
    moved aside.

    Example:   causalgia analyze results --rope=-0.1,0.1 --error fwer

    Example:   causalgia analyze results --json
    """
    from causalgia import store
    from causalgia._analyze import steps

    outcomes = load_marked_outcomes(folder)
    check_usable(folder)
    analysis, seed = folder_analysis(folder, outcomes, given), trial_seed(outcomes, rng)
    experiment = None if "control" in given else folder_experiment(folder)
    if experiment is not None:
        # the experiment has contrasts
        own = replace(analysis, control=None, contrasts=None, interaction=None)
        answer = replace(experiment, analysis=own).analyze(outcomes, rng=seed)
        with results_of_page(folder, ESTIMATES, DECISIONS):
            remove_outdated(
                folder, *of_analysis(folder), rewritten=answer_files(answer)
            )
            written = write_answer(answer, folder, printed=printed)
        print_written(folder, *written)
        return
    found = steps(outcomes, analysis, rng=seed)
    written = (ESTIMATES, DECISIONS, FOREST, ANSWER, TABLE)
    with results_of_page(folder, ESTIMATES, DECISIONS):
        remove_outdated(folder, *of_analysis(folder), rewritten=written)
        store.save(found.estimates, folder / ESTIMATES)
        store.save(found.decisions, folder / DECISIONS)
    write_effects(folder, found.decisions, all_columns=printed.all_columns)
    _print_and_draw(
        found.estimates,
        folder,
        decisions=found.decisions,
        printed=printed,
    )
    print_written(folder, *written)


@app.command()
def show(
    folder: _Folder,
    *,
    printed: Printed,
    tsv: Annotated[
        bool,
        typer.Option(
            "--tsv", help="Print the table of effects alone, separated by tabs."
        ),
    ] = False,
) -> None:
    """Print what a folder holds: null model, arms, predictor, and effects and verdicts
    if estimated.

    Example:   causalgia show results

    Example:   causalgia show results --tsv | cut -f 1,3,9
    """
    from causalgia import store
    from causalgia.analysis import stored_analysis
    from causalgia.effect_table import select_tasks, tasks_in_table
    from causalgia.tell._trial_report import check_same_trial
    from causalgia.tell.answers import trial_report

    task = printed.task or None
    if tsv:
        _print_tsv(folder, task, all_columns=printed.all_columns)
        return
    if printed.all_columns and not output().as_json:
        raise DataError("--all-columns is of the table of effects, --tsv")
    if (folder / LIBRARY).is_file() and not (folder / OUTCOMES).exists():
        from causalgia import mpra, report

        echo(report(mpra.read_library(folder), task=task))
        echo(
            "\n"
            f"Next: causalgia mpra predict trial.toml --design {quote(str(folder))} "
            "--out virtual"
        )
        return
    outcomes = load_marked_outcomes(folder)
    rows: Rows = "all" if printed.all_rows else "summary"
    if not (folder / ESTIMATES).is_file():
        echo(trial_report(outcomes, rows=rows, task=task))
        echo()
        if (folder / FIT).is_file():
            if (folder / ANSWER).is_file():
                echo(read_text(folder / ANSWER, DataError))
            else:
                echo(f"The verdicts on the elements are in {EFFECTS}.")
            echo(
                "For the average over elements: causalgia estimate "
                f"{quote(str(folder))}"
            )
        else:
            echo(f"No estimates yet. {next_step(stored_analysis(outcomes), folder)}")
        return
    estimates, command = (
        store.load(folder / ESTIMATES, "estimates"),
        show_all_command(folder),
    )
    decided = (folder / DECISIONS).is_file()
    decisions = store.load(folder / DECISIONS, "decisions") if decided else None
    for part in (estimates, decisions):
        check_same_trial(
            f"{folder}: outcomes",
            outcomes,
            part,
            cure=f"make these anew: causalgia analyze {quote(str(folder))}",
        )
    estimates = marked_as(outcomes, estimates)
    decisions = None if decisions is None else marked_as(outcomes, decisions)
    # a contrast of tasks is of all outcomes
    shown = tasks_in_table(select_tasks(estimates, task, place="--"))
    echo(
        trial_report(
            outcomes,
            rows=rows,
            task=[name for name in tasks_in_table(outcomes) if name in shown] or None,
        )
    )
    echo()
    if decisions is not None and (other := other_analysis(estimates, decisions)):
        print_answers(estimates, printed=printed, command=command)
        echo(
            f"The verdicts in {DECISIONS} are of another analysis than these "
            f"estimates: {other}.\n"
        )
        estimates = decisions
    print_answers(estimates, decisions, printed=printed, command=command)
    if not decided:
        echo(f"No verdicts yet. Next: causalgia analyze {quote(str(folder))}")


def _print_tsv(folder: Path, task: list[str] | None, *, all_columns: bool) -> None:
    """Print the verdicts in a folder, or its estimates, as tab-separated text."""
    from causalgia import store
    from causalgia.tell._trial_report import check_same_trial

    if output().as_json:
        raise DataError("--tsv and --json are both given")
    outcomes = load_outcomes(folder)
    kind: Literal["decisions", "estimates"] = (
        "decisions" if (folder / DECISIONS).is_file() else "estimates"
    )
    if not (folder / f"{kind}.nc").is_file():
        raise DataError(f"{folder} holds no {ESTIMATES} or {DECISIONS}")
    effects = store.load(folder / f"{kind}.nc", kind)
    check_same_trial(
        f"{folder}: outcomes",
        outcomes,
        effects,
        cure=f"make these anew: causalgia analyze {quote(str(folder))}",
    )
    emit(effects_text(effects, task, all_columns=all_columns).rstrip("\n"))


app.lazy.add(str(bench.info.name), lambda: bench, str(bench.info.help))
app.lazy.sort(
    *(
        "demo",
        "experiments",
        "init",
        "check",
        "plan",
        "lock",
        "run",
        "estimate",
        "analyze",
        "show",
    ),
    *("refute", "report", "verify", "reproduce", "variants", "discover", "mpra"),
    "skill",
    "version",
)


def main() -> None:
    """Run the command line; characters that a terminal cannot print become question
    marks, and a reader that goes away stops nothing.

    A command mostly imports modules, none of which is garbage, and then ends. Old
    objects are therefore collected a twentieth as often as Python's default, and not at
    exit.
    """
    gc.set_threshold(*gc.get_threshold()[:2], 200)
    atexit.register(gc.freeze)
    # a daemon closes them
    out, err = sys.stdout or StringIO(), sys.stderr or StringIO()
    sys.stdout, sys.stderr = patient(out), patient(err)
    app()


def _print_and_draw(
    estimates: xr.Dataset,
    folder: Path,
    *,
    truth: xr.DataArray | None = None,
    decisions: xr.Dataset | None = None,
    printed: Printed = Printed(),  # noqa: B008 - frozen
) -> None:
    """Print effects and verdicts, and draw them even if printing fails."""
    from causalgia.effect_table import select_tasks
    from causalgia.tell.figures import forest
    from causalgia.tell.figures.style import save_figure

    try:
        print_answers(
            estimates,
            decisions,
            truth=truth,
            printed=printed,
            command=show_all_command(folder),
        )
    finally:
        shown = estimates if decisions is None else decisions
        drawn = select_tasks(shown, printed.task or None, place="--")
        save_figure(forest(drawn, truth=truth), folder / FOREST)

"""The commands on the results of a trial: analyze, show, refute, verify, reproduce."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from causalgia._audit.folder import is_audit
from causalgia.analysis import Analysis
from causalgia.choices import requested_parts
from causalgia.cli.audit_folder import (
    refute_audit,
    reproduce_audit,
    show_audit,
    verify_audit,
)
from causalgia.cli.folder import (
    check_usable,
    load_effects,
    load_marked_outcomes,
    refuse_options,
    written_whole,
)
from causalgia.cli.options import (
    folder_analysis,
    folder_experiment,
    load_predictor_spec,
    load_spec_predictor,
    trial_seed,
)
from causalgia.cli.output import echo, emit, output, record, records
from causalgia.cli.results import write_answer, write_results
from causalgia.cli.shell import Device, Whole, options_of
from causalgia.cli.tables import (
    Printed,
    effects_frame,
    effects_text,
    print_answers,
    print_parts,
    print_written,
    terminal_width,
    with_sentences,
)
from causalgia.cli.trial_commands import (
    next_step,
    protocol_of,
    read_locked,
    show_all_command,
)
from causalgia.errors import DataError, DesignError
from causalgia.inputs import read_text
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    ESTIMATES,
    FIT,
    LIBRARY,
    OUTCOMES,
    PAGE,
    REFUTATION,
    SPEC,
    STORE,
    TABLE,
    load_outcomes,
    spec_of,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.predict import Predictor
    from causalgia.protocol import Protocol
    from causalgia.protocol.lock_file import Deviation

Asked = options_of(
    Analysis,
    *("family", "rope", "error", "largest", "across"),
    *("control", "tasks", "cluster", "target", "ci_prob"),
)


def analyze(
    folder: Path,
    /,
    *,
    given: Asked = Asked(),  # type: ignore[valid-type]  # noqa: B008 - None in each field
    rng: Whole | None = None,
    printed: Printed = Printed(),  # noqa: B008 - frozen
) -> None:
    """Estimate effects, and decide which are large, by the analysis in trial.toml;
    options override it. Without a region of practical equivalence there are estimates
    and tests alone.

    For an experiment of the catalogue, the answer is computed again, unless --control
    is given.

    Writes answer.txt, which is the report, effects.tsv, a table with a row for each
    effect, estimates.nc, decisions.nc and a figure, and report.html anew if there is
    one: all at once, in place of those of another analysis.

    Example:   causalgia analyze results --rope=-0.1,0.1 --error fwer

    Example:   causalgia analyze results --control placebo --ci-prob 0.9

    Parameters
    ----------
    folder
        Folder written by `causalgia run`.
    rng
        Seed of draws and resampling; default: the trial's.
    """
    from causalgia._analyze import analysis_attrs, estimate_effects, steps

    outcomes = load_marked_outcomes(folder)
    check_usable(folder)
    options = {key: value for key, value in vars(given).items() if value is not None}
    analysis, seed = (
        folder_analysis(folder, outcomes, options),
        trial_seed(outcomes, rng),
    )
    experiment = None if "control" in options else folder_experiment(folder)
    settings: dict[str, Any] = {
        "outcomes": outcomes,
        "task": printed.task or (),
        "all_columns": printed.all_columns,
    }
    if experiment is not None:
        # the experiment has contrasts
        own = replace(analysis, control=None, contrasts=None, interaction=None)
        answer = replace(experiment, analysis=own).analyze(outcomes, rng=seed)
        effects = with_sentences(answer.decisions, answer)
        written = write_answer(answer, folder, **settings)
    elif analysis.rope is None:
        _, effects = estimate_effects(outcomes, analysis)
        effects = effects.assign_attrs(analysis_attrs(outcomes, analysis))
        written = write_results(folder, effects, None, **settings)
    else:
        found = steps(outcomes, analysis)
        effects = found.decisions
        written = write_results(folder, found.estimates, effects, **settings)
    print_answers(effects, printed=printed, command=show_all_command(folder))
    print_written(folder, *written)
    _say_how_to_decide(folder, effects)


def show(
    folder: Path,
    /,
    *,
    printed: Printed = Printed(),  # noqa: B008 - frozen
    tsv: bool = False,
) -> None:
    """Print what a folder holds: null model, arms, predictor, and effects and verdicts
    if estimated.

    Example:   causalgia show results

    Example:   causalgia show results --tsv | cut -f 1,3,9

    Parameters
    ----------
    folder
        Folder written by `causalgia run`.
    tsv
        Print the table of effects alone, separated by tabs.
    """
    from causalgia.effect_table import select_tasks, tasks_in_table
    from causalgia.tell.answers import trial_report

    task = printed.task or None
    if tsv and output().as_json:
        raise DataError("--tsv and --json are both given")
    if is_audit(folder):
        show_audit(folder, tsv=tsv)
        return
    of_fit = (folder / FIT).is_file() and not (folder / ESTIMATES).is_file()
    alone = of_fit and not (folder / OUTCOMES).is_file()
    if tsv:
        effects = load_effects(folder, None if alone else load_outcomes(folder))
        if effects is None:
            raise DataError(f"{folder} holds no {ESTIMATES} or {DECISIONS}")
        emit(effects_text(effects, task, all_columns=printed.all_columns).rstrip("\n"))
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
    if alone:
        _print_fit(folder, printed)
        return
    outcomes = load_marked_outcomes(folder)
    rows: Literal["all", "summary"] = "all" if printed.all_rows else "summary"
    if not (folder / ESTIMATES).is_file():
        echo(trial_report(outcomes, rows=rows, task=task))
        echo()
        if not of_fit:
            echo(f"No estimates yet. {next_step(folder)}")
            return
        _print_fit(folder, printed)
        echo(f"For the average over elements: causalgia analyze {quote(str(folder))}")
        return
    effects = load_effects(folder, outcomes)
    assert effects is not None
    # a contrast of tasks is of all outcomes
    shown = tasks_in_table(select_tasks(effects, task, place="--"))
    tasks = [name for name in tasks_in_table(outcomes) if name in shown]
    echo(trial_report(outcomes, rows=rows, task=tasks or None))
    echo()
    print_answers(effects, printed=printed, command=show_all_command(folder))
    _say_how_to_decide(folder, effects)


def _say_how_to_decide(folder: Path, effects: xr.Dataset) -> None:
    """Print the command that makes verdicts, if there are none."""
    if "verdict" not in effects:
        echo(f"For verdicts: causalgia analyze {quote(str(folder))} --rope=-0.1,0.1")


def _print_fit(folder: Path, printed: Printed) -> None:
    """Print the answer of a fit of counts, which `causalgia mpra analyze` wrote."""
    from causalgia import store
    from causalgia.tell.bench_answers import measured_parts

    effects = load_effects(folder, None)
    if effects is None:
        raise DataError(f"{folder} holds no {DECISIONS}")
    record(effects=lambda: records(effects_frame(effects, all_columns=True)))
    print_parts(
        measured_parts(
            store.read_netcdf(folder / FIT),
            effects,
            rows="all" if printed.all_rows else "summary",
            requested=printed.requested,
            width=terminal_width(),
            every="--all",
            noted="--notes",
        )
    )


def refute(
    folder: Path,
    /,
    *,
    predictor: Path | None = None,
    real: Path | None = None,
    positive: str | None = None,
    motifs: Annotated[list[str] | None, Parameter(name="--motif")] = None,
    control: str | None = None,
    checks: Annotated[list[str] | None, Parameter(name="--check")] = None,
    rng: Whole | None = None,
    device: Device = None,
    sentences: bool = False,
    notes: bool = False,
) -> int:
    """Try to refute the claims of a trial: placebos, controls, null models, units,
    and the predictor itself.

    All checks together predict at most as many sequences as the trial did. Prints
    whether one refutes the claim and a line for each, and writes them to refutation.nc,
    and report.html anew if there is one. The exit status is 1 if a check fails.

    In the folder of an audit, the trial of each motif and rule that it claims is run
    again on fresh shuffles, with its checks; these are written to refutation.tsv.

    Example:   causalgia refute results --positive AGATAAG

    Example:   causalgia refute results --real peaks.fa --check classifier --check prediction_range

    Parameters
    ----------
    folder
        Folder written by `causalgia run` or `audit`.
    predictor
        A file with the table [predictor]; default: DIR/trial.toml.
    real
        Real sequences of the length of the backgrounds.
    positive
        A motif that the predictor must recognize.
    motifs
        A motif that must not arise at a junction; may be repeated.
    control
        The arm that is subtracted; default: the planned one.
    checks
        Run only this check, with as many predictions as it needs; may be repeated.
    rng
        Seed of fresh units; default: that of the trial.
    sentences
        Print the reason of each check, too.
    notes
        Print the checks that do not apply, too.
    """
    from causalgia import store
    from causalgia.cli.report_command import page_parts
    from causalgia.refutation import refute as check_claim
    from causalgia.tell.html_page import write_page
    from causalgia.tell.small_answers import refutation_parts
    from causalgia.trial_file import read_predictor_spec

    if is_audit(folder):
        given: dict[str, Any] = {"predictor": predictor, "real": real}
        given |= {"positive": positive, "motif": motifs}
        given |= {"control": control, "check": checks}
        refuse_options(given, f"is of a trial, and {folder} holds an audit")
        return refute_audit(folder, rng=rng, device=device)
    outcomes = load_outcomes(folder)
    spec = spec_of(folder) if predictor is None else predictor
    if not spec.is_file():
        raise DataError(f"{spec} is not a file with the table [predictor]")
    # a predictor may change the folder
    place, real = folder.absolute(), None if real is None else real.absolute()
    network = load_predictor_spec(read_predictor_spec(spec), spec, device)
    found = check_claim(
        outcomes if "outcome" in outcomes else _outcomes_again(folder, network),
        network,
        rng=trial_seed(outcomes, rng),
        checks=checks or None,
        control=control,
        real=None if real is None else str(real),
        motifs=motifs or None,
        positive=positive,
    )
    written = [REFUTATION]
    with written_whole(place) as new:
        store.save(found, new / REFUTATION)
        if (place / PAGE).is_file():
            write_page(new / PAGE, replace(page_parts(place), refutations=found))
            written.append(PAGE)
    of_checks = [name for name, x in found.items() if x.dims == ("check",)]
    record(checks=lambda: records(found[of_checks]))
    parts = refutation_parts(
        found,
        requested=requested_parts(sentences=sentences, notes=notes),
        noted="--notes",
        each="--sentences",
    )
    print_parts(parts)
    print_written(folder, *written)
    return int((found["status"] == "fail").any())


def _outcomes_again(folder: Path, network: Predictor) -> xr.Dataset:
    """Return the outcomes of a trial of which effects alone were kept, run again."""
    from causalgia._run import run
    from causalgia.trial_file import read_spec

    if not spec_of(folder).is_file():
        raise DataError(f"{folder} keeps no outcomes, and no trial file to run again")
    spec = read_spec(spec_of(folder))
    return run(spec.design, network, rng=spec.rng)


def verify(folder: Path, /, *, protocol: Path) -> int:
    """Compare the results in a folder with their lock, and name every deviation; the
    exit code is then 1.

    Estimates and verdicts are computed again from the outcomes, and effects.tsv is
    compared with them, so that edited numbers are found. answer.txt, figures and pages
    are not compared: causalgia show and report make them anew.

    An audit, of the same or another network or sequences, is compared with the lock of
    one: settings, and each motif and rule that is claimed.

    Example:   causalgia verify results --protocol lock.toml

    Parameters
    ----------
    folder
        Folder written by `causalgia run`.
    protocol
        Lock, by `causalgia lock`.
    """
    from causalgia.protocol import verify as compare

    if is_audit(folder):
        return verify_audit(folder, protocol)
    locked = read_locked(protocol)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    found = compare(protocol, folder)
    of_file, note = _trial_file_deviations(locked, folder)
    of_table, beside = _table_deviations(folder), _beside_table(folder).stem
    notes = [note, _absent_results(locked, folder)]
    if any(one.where == beside for one in found.deviations):
        # it can only be compared with numbers that are as locked
        of_table = []
        if (folder / TABLE).is_file():
            notes.append(
                f"{TABLE} was not compared, since {beside}.nc, from which it was "
                "written, deviates itself."
            )
    found = replace(found, deviations=(*found.deviations, *of_file, *of_table))
    record(ok=lambda: found.ok)
    echo(str(found))
    for line in filter(None, notes):
        echo(line)
    return 0 if found.ok else 1


def _trial_file_deviations(
    locked: Protocol, folder: Path
) -> tuple[list[Deviation], str]:
    """Return what the trial file in a folder does otherwise, and a line if it cannot be
    read on this machine.
    """
    from causalgia.trial_file import read_spec

    if not spec_of(folder).is_file():
        return [], f"{folder} holds no {SPEC}, which was not compared."
    try:
        here = protocol_of(read_spec(spec_of(folder)), locked.predictor_fingerprint)
    except DesignError as error:
        return (
            [],
            f"{SPEC} cannot be read here and was not compared: {error}. A file "
            "that it names by the path of another machine is found if it lies beside "
            f"{SPEC}.",
        )
    return [
        *locked.differences(here, where=spec_of(folder).name),
        *_variants_deviations(folder),
    ], ""


def _variants_deviations(folder: Path) -> list[Deviation]:
    """Return a deviation for each variable of the variants in a folder that their effects
    do not give.
    """
    from causalgia import store
    from causalgia.protocol._verify import compared_values
    from causalgia.trial_file import read_spec

    effects = load_effects(folder, None)
    if effects is None or "alternate" not in effects.coords:
        return []
    experiment: Any = read_spec(spec_of(folder)).design
    answer = experiment.analyze(load_outcomes(folder), rng=0)
    rows: list[Deviation] = []
    again = {"estimates": answer.estimates, "decisions": answer.decisions}
    for kind, made in again.items():
        if (folder / f"{kind}.nc").is_file():
            here = store.read_netcdf(folder / f"{kind}.nc")
            rows += compared_values(here, partial(_always, made), kind)
    return rows


def _always(made: xr.Dataset, _plan: Analysis) -> xr.Dataset:
    return made


def _beside_table(folder: Path) -> Path:
    """Return what the table of a folder was written from."""
    return folder / (DECISIONS if (folder / DECISIONS).is_file() else ESTIMATES)


def _absent_results(locked: Protocol, folder: Path) -> str:
    """Return a line on the results that a folder lacks, and what shows their numbers
    all the same; empty if it has them all.
    """
    from causalgia.tell.answer_sentences import in_words

    planned = [ESTIMATES, DECISIONS, TABLE]
    if locked.analysis.rope is None:
        planned.remove(DECISIONS)
    absent = [name for name in planned if not (folder / name).is_file()]
    if not absent:
        return ""
    more = len(absent) > 1
    line = (
        f"{in_words(absent)} {'are' if more else 'is'} missing and "
        f"{'were' if more else 'was'} not compared."
    )
    shown = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name in (ANSWER, PAGE) or path.suffix == ".png"
    ]
    if shown:
        line += (
            f" Nothing here confirms the numbers in {in_words(shown)}: causalgia "
            f"analyze {quote(str(folder))} makes all anew, from the outcomes."
        )
    return line


def _table_deviations(folder: Path) -> list[Deviation]:
    """Return the first cell of the table in a folder that is not that of the estimates
    or decisions beside it.
    """
    from causalgia.effect_table import has_positions
    from causalgia.protocol.lock_file import Deviation

    effects = load_effects(folder, None)
    if effects is None or not (folder / TABLE).is_file() or has_positions(effects):
        return []
    here = _cells(read_text(folder / TABLE, DataError))
    both = [_cells(effects_text(effects, all_columns=x)) for x in (False, True)]
    again = next((one for one in both if one[:1] == here[:1]), both[0])
    empty: list[str] = []
    for number, rows in enumerate(zip_longest(again, here, fillvalue=empty)):
        for name, *cells in zip_longest(again[0], *rows, fillvalue=""):
            if cells[0] != cells[1]:
                return [
                    Deviation(
                        where=TABLE,
                        what=f"{name or 'a column more'} in line {number + 1}",
                        there=cells[0],
                        here=cells[1],
                        source=f"in {_beside_table(folder).name}",
                    )
                ]
    return []


def _cells(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def reproduce(folder: Path, /, *, device: Device = None) -> int:
    """Run the trial of a folder again from its trial.toml, and compare the outcomes bit
    for bit.

    If they differ, the first thing that differs is named: design, seed, predictor,
    versions; or by how much the numbers differ, beside the rounding error of an answer.
    The exit code is then 1. Nothing is written.

    An audit is run again from protocol.toml and inputs, and its tables are compared.

    Example:   causalgia reproduce results

    Parameters
    ----------
    folder
        Folder written by `causalgia run`.
    """
    from causalgia._run import run
    from causalgia.analysis import stored_analysis
    from causalgia.protocol._verify import compare_runs
    from causalgia.protocol.lock_file import machine_attrs
    from causalgia.trial_file import read_spec

    if is_audit(folder):
        return reproduce_audit(folder, device=device)
    first = load_outcomes(folder)
    if not spec_of(folder).is_file():
        raise DataError(f"{folder} holds no {SPEC}, from which its trial is run again")
    spec = read_spec(spec_of(folder))
    if not {"outcome", "ice"} & set(first):
        raise DataError(f"{folder} keeps no outcomes or effects of units but moments")
    predictor = load_spec_predictor(spec, spec_of(folder), device)
    with TemporaryDirectory() as place:
        kept: dict[str, Any] = {"store": Path(place) / STORE, "keep": "effects"}
        again = run(
            spec.design,
            predictor,
            rng=spec.rng,
            analysis=stored_analysis(first),
            **({} if "outcome" in first else kept),
        )
        found = compare_runs(first, again.assign_attrs(machine_attrs()))
    record(ok=lambda: bool(found.identical and found.differs is None))
    echo(str(found))
    return 0 if found.identical and found.differs is None else 1

"""The commands of a trial: run, plan, lock, verify, reproduce and refute."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from causalgia.checks import first_of
from causalgia.choices import requested_parts
from causalgia.cli.folder import (
    Keep,
    KeepOption,
    SameAnswersOption,
    StoreOption,
    account_for_skipped,
    check_run_folder,
    only_writer,
    output_folder,
    results_of_page,
    run_in_folder,
    write_answer,
)
from causalgia.cli.option_groups import (
    DaskOption,
    DeviceOption,
    ForceOption,
    NotesOption,
    WorkersOption,
)
from causalgia.cli.options import (
    check_tasks,
    dask_client,
    load_predictor_spec,
    load_spec_predictor,
    trial_seed,
)
from causalgia.cli.output import echo, record, records
from causalgia.cli.tables import print_parts, print_written
from causalgia.errors import (
    DataError,
    DesignError,
    StoreError,
)
from causalgia.inputs import read_text
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    ESTIMATES,
    PAGE,
    REFUTATION,
    SPEC,
    TABLE,
    load_outcomes,
)

if TYPE_CHECKING:
    from causalgia.analysis import Analysis
    from causalgia.protocol import Protocol
    from causalgia.protocol.lock_file import Deviation
    from causalgia.trial_file import TrialSpec


def run_trial(
    spec_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRIAL.TOML",
            help="Trial file; `causalgia init` writes one. Not needed with --protocol.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Output folder; created if missing.  [required]",
        ),
    ] = None,
    protocol: Annotated[
        Path | None,
        typer.Option(
            "--protocol",
            metavar="LOCK.TOML",
            help="Lock of the trial, by `causalgia lock`.",
        ),
    ] = None,
    device: DeviceOption = None,
    force: ForceOption = False,
    store: StoreOption = False,
    same_answers: SameAnswersOption = False,
    keep: KeepOption = Keep.outcomes,
    dask: DaskOption = None,
    workers: WorkersOption = None,
) -> None:
    """Run the trial in a file: draw the units, apply the arms, predict, write the
    outcomes.

    For an experiment of the catalogue, the answer is printed as a table and sentences,
    and its figure is drawn.

    With --store, outcomes are saved during the run; the same command resumes after
    Ctrl-C, a kill or a full disk.

    With --protocol, also with --store, the trial is the one that was locked. If
    TRIAL.TOML is given as well, that file is run, and its deviations from the lock are
    labeled exploratory in every result.

    Example:   causalgia run trial.toml --out results --device cuda

    Example:   causalgia run trial.toml --out results --store --workers 4

    Example:   causalgia run --protocol lock.toml --out results
    """
    from causalgia.experiments import Experiment
    from causalgia.tell._trial_report import tasks_in_words
    from causalgia.trial_file import read_spec

    if out is None:
        raise DesignError("--out is not given")
    if spec_file is None and protocol is None:
        raise DesignError("neither TRIAL.TOML nor --protocol is given")
    locked = None
    if protocol is not None:
        locked = _read_locked(protocol)
    source = spec_file if spec_file is not None else Path(str(protocol))
    spec = (
        read_spec(source)
        if spec_file is not None or locked is None
        else locked_spec(locked, source)
    )
    check_run_folder(
        out, source, stored=store, keep=keep, force=force, same_answers=same_answers
    )
    # a predictor may change the working folder
    place, origin = out.absolute(), source.absolute()
    predictor = load_spec_predictor(spec, source, device)
    check_tasks(spec, predictor, source)
    with (
        output_folder(place) as folder,
        only_writer(folder),
        dask_client(dask, workers) as client,
    ):
        outcomes, written = run_in_folder(
            folder,
            spec,
            predictor,
            spec_file=origin,
            stored=store,
            keep=keep,
            client=client,
            same_answers=same_answers,
            protocol=locked,
        )
    units = f"{spec.design.n_units:,} unit{'s' if spec.design.n_units != 1 else ''}"
    echo(
        f"{spec.name}: {units}, {len(spec.design.named_arms)} arms, "
        f"{tasks_in_words(outcomes)}."
    )
    if isinstance(spec.design, Experiment):
        echo()
        with results_of_page(folder, ESTIMATES, DECISIONS):
            answered = write_answer(spec.design.analyze(outcomes, rng=spec.rng), folder)
        print_written(out, *written, *answered)
        return
    with output_folder(place) as folder:
        skipped = account_for_skipped(folder, spec.design.null)
    print_written(out, *written, *skipped)
    echo(next_step(spec.analysis, out))


def _read_locked(path: Path) -> Protocol:
    """Return a protocol."""
    from causalgia.protocol import Protocol
    from causalgia.protocol.lock_file import read_lock

    read_lock(path)
    return Protocol.read(path)


def next_step(analysis: Analysis | None, folder: Path) -> str:
    """Return a hint to the next command: analyze if there is a ROPE, else estimate."""
    verb = "estimate" if analysis is None or analysis.rope is None else "analyze"
    return f"Next: causalgia {verb} {quote(str(folder))}"


def locked_spec(protocol: Protocol, path: Path) -> TrialSpec:
    """Return the trial in a lock that `causalgia lock` wrote; its files are relative to
    the folder of the lock.

    Raises
    ------
    StoreError
        If the lock was written in Python and holds no trial file, or a file of the
        trial is not there.
    """
    from causalgia.trial_file import parse_spec

    if protocol.trial is None:
        raise StoreError(f"{path} was locked in Python and holds no trial file")
    try:
        return parse_spec(
            protocol.trial, folder=path.resolve().parent, source=f"{path}, [trial]"
        )
    except DesignError as error:
        raise StoreError(str(error)) from error


_Trial = Annotated[
    Path,
    typer.Argument(
        metavar="TRIAL.TOML", help="Trial file; `causalgia init` writes one."
    ),
]
_Results = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder written by `causalgia run`.")
]


def plan_trial(
    spec_file: _Trial,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print more than 20 arms.")
    ] = False,
    notes: NotesOption = False,
) -> None:
    """Print in words what a trial will do: question, arms, units, predictions,
    analysis. Nothing is predicted.

    The smallest effect that the trial can find is given in standard deviations of the
    individual effects, as if units were independent. To get it in the units of the
    outcome, run a few backgrounds (`causalgia run`) and give their effects to
    cg.sample_size.

    Example:   causalgia plan trial.toml
    """
    from causalgia.trial_file import read_spec

    spec = read_spec(spec_file)
    protocol = _protocol_of(spec, predictor="unknown")
    _print_plan(spec, protocol, all_rows=all_rows, notes=notes)
    echo(f"Next: causalgia lock {quote(str(spec_file))} --out lock.toml")


def lock_trial(
    spec_file: _Trial,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="LOCK.TOML",
            help="The lock; a file that does not exist yet.",
        ),
    ],
    device: DeviceOption = None,
) -> None:
    """Fix a trial before it is run: write what will be done into a lock with its
    SHA-256 and the time.

    The lock has fingerprints of the sequences and of the network, and the trial file
    with paths relative to the lock. Nothing is predicted. Publish the hash that is
    printed, for instance in a registry.

    Example:   causalgia lock trial.toml --out lock.toml
    """
    import tomli_w

    from causalgia.protocol.lock_file import check_new
    from causalgia.trial_file import read_spec

    check_new(out)
    spec = read_spec(spec_file)
    place = out.absolute()  # a predictor may change the working folder
    predictor = load_spec_predictor(spec, spec_file, device)
    check_tasks(spec, predictor, spec_file)
    text = tomli_w.dumps(_relative(spec.to_dict(), place.resolve().parent))
    protocol = _protocol_of(spec, predictor).lock(place, trial=text)
    print_parts(protocol.plan_parts(noted="causalgia plan --notes"))
    echo(f"\nWrote {out}, SHA-256 {protocol.sha256}")
    echo(f"Next: causalgia run --protocol {quote(str(out))} --out results")


def verify_results(
    folder: _Results,
    protocol: Annotated[
        Path,
        typer.Option(
            "--protocol", metavar="LOCK.TOML", help="Lock, by `causalgia lock`."
        ),
    ],
) -> None:
    """Compare the results in a folder with their lock, and name every deviation; the
    exit code is then 1.

    Estimates and verdicts are computed again from the outcomes, and effects.tsv is
    compared with them, so that edited numbers are found. answer.txt, figures and pages
    are not compared: causalgia show and report make them anew.

    Example:   causalgia verify results --protocol lock.toml
    """
    from dataclasses import replace

    from causalgia.protocol import verify

    locked = _read_locked(protocol)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    found = verify(protocol, folder)
    of_file, note = _trial_file_deviations(locked, folder)
    beside = _beside_table(folder)
    notes = [note, _absent_results(locked, folder)]
    of_table: list[Deviation] = []
    if any(one.where == beside for one in found.deviations):
        # it can only be compared with numbers that are as locked
        notes.append(
            f"{TABLE} was not compared, since {beside}.nc, from which it was written, "
            "deviates itself."
        )
    elif beside == "estimates" and _has_verdicts(folder / TABLE):
        notes.append(
            f"{TABLE} was not compared: it has verdicts, and {DECISIONS} is missing."
        )
    else:
        of_table = _table_deviations(folder)
    found = replace(found, deviations=(*found.deviations, *of_file, *of_table))
    record(ok=lambda: found.ok)
    echo(str(found))
    for line in filter(None, notes):
        echo(line)
    raise typer.Exit(0 if found.ok else 1)


def reproduce_trial(folder: _Results, device: DeviceOption = None) -> None:
    """Run the trial of a folder again from its trial.toml, and compare the outcomes bit
    for bit.

    If they differ, the first thing that differs is named: design, seed, predictor,
    versions; or by how much the numbers differ, beside the rounding error of an answer.
    The exit code is then 1. Nothing is written.

    Example:   causalgia reproduce results
    """
    from causalgia._run import run
    from causalgia.analysis import stored_analysis
    from causalgia.protocol._verify import compare_runs
    from causalgia.protocol.lock_file import machine_attrs
    from causalgia.trial_file import read_spec

    first = load_outcomes(folder)
    if not (folder / SPEC).is_file():
        raise DataError(f"{folder} holds no {SPEC}, from which its trial is run again")
    spec = read_spec(folder / SPEC)
    if "outcome" not in first:
        raise DataError(f"{folder} keeps no outcomes but effects or moments")
    predictor = load_spec_predictor(spec, folder / SPEC, device)
    again = run(
        spec.design,
        predictor,
        rng=spec.rng,
        analysis=stored_analysis(first),
    )
    found = compare_runs(first, again.assign_attrs(machine_attrs()))
    record(ok=lambda: bool(found.identical and found.differs is None))
    echo(str(found))
    raise typer.Exit(0 if found.identical and found.differs is None else 1)


def _protocol_of(spec: TrialSpec, predictor: Any) -> Protocol:
    from causalgia.protocol import Protocol

    return Protocol(
        spec.design,
        spec.analysis.asking(spec.design.analysis_fields),
        predictor=predictor,
        rng=spec.rng,
    )


def _print_plan(
    spec: TrialSpec, protocol: Protocol, *, all_rows: bool, notes: bool
) -> None:
    """Print what a trial will do, and the smallest effect that it can find."""
    from causalgia.experiments import Experiment
    from causalgia.planning import minimal_detectable_effect

    design = spec.design
    weights = spec.predictor.weights
    found = [f"{note}." for note in getattr(design, "notes", ())]
    if design.assignment == "crossover" and design.n_units > 1:
        least = minimal_detectable_effect(sd=1.0, n_units=design.n_units)[
            "minimal_detectable_effect"
        ].item()
        found.append(
            f"It can show an effect of {least:.3g} sd of the individual effects (power "
            "0.8, independent units)."
        )
    scale = spec.predictor.scale
    parts = protocol.plan_parts(
        also=found,
        question=design.question if isinstance(design, Experiment) else "",
        scale=scale if isinstance(scale, str) else "",
        predictor=spec.predictor.describe(),
        n_networks=len(weights) if isinstance(weights, tuple) else 1,
        every_row=all_rows,
        requested=["notes"] if notes else [],
        noted="--notes",
    )
    print_parts(parts)


def _relative(plain: Any, folder: Path) -> Any:
    """Return a trial file with its absolute paths relative to a folder.

    Examples
    --------
    >>> _relative(
    ...     {"factory": "/a/b/net.py:load", "weights": ["/a/c/w.pt"], "name": "x"},
    ...     Path("/a/b"),
    ... )
    {'factory': 'net.py:load', 'weights': ['../c/w.pt'], 'name': 'x'}
    """
    if isinstance(plain, dict):
        return {key: _relative(value, folder) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_relative(value, folder) for value in plain]
    if isinstance(plain, str) and Path(plain).is_absolute():
        return Path(os.path.relpath(plain, folder)).as_posix()
    return plain


def _trial_file_deviations(
    locked: Protocol, folder: Path
) -> tuple[list[Deviation], str]:
    """Return what the trial file in a folder does otherwise, and a line if it cannot be
    read on this machine.
    """
    from causalgia.trial_file import read_spec

    if not (folder / SPEC).is_file():
        return [], f"{folder} holds no {SPEC}, which was not compared."
    try:
        here = _protocol_of(read_spec(folder / SPEC), locked.predictor_fingerprint)
    except DesignError as error:
        return (
            [],
            f"{SPEC} cannot be read here and was not compared: {error}. A file "
            "that it names by the path of another machine is found if it lies beside "
            f"{SPEC}.",
        )
    return locked.differences(here, where=SPEC), ""


def _beside_table(folder: Path) -> Literal["decisions", "estimates"] | None:
    """Return what the table of a folder was written from; None without either."""
    if not (folder / TABLE).is_file():
        return None
    if (folder / DECISIONS).is_file():
        return "decisions"
    return "estimates" if (folder / ESTIMATES).is_file() else None


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


def _has_verdicts(table: Path) -> bool:
    """Return whether a table of effects has verdicts."""
    lines = [line.split("\t") for line in read_text(table, DataError).splitlines()]
    if not lines or "verdict" not in lines[0]:
        return False
    at = lines[0].index("verdict")
    return any(len(line) > at and line[at] for line in lines[1:])


def _table_deviations(folder: Path) -> list[Deviation]:
    """Return the first cell of the table in a folder, in each of its columns, that is
    not that of the estimates or decisions beside it.
    """
    from io import StringIO

    import numpy as np
    import pandas as pd

    from causalgia import store
    from causalgia.cli.tables import effects_text
    from causalgia.effect_table import has_positions
    from causalgia.protocol.lock_file import Deviation

    kind = _beside_table(folder)
    if kind is None:
        return []
    name = DECISIONS if kind == "decisions" else ESTIMATES
    effects = store.load(folder / name, kind)
    if has_positions(effects):
        return []
    again = pd.read_csv(
        StringIO(effects_text(effects, all_columns=True)), sep="\t", quotechar='"'
    )
    try:
        here = pd.read_csv(StringIO(read_text(folder / TABLE, DataError)), sep="\t")
    except ValueError as error:  # of pandas: no columns, ragged lines
        return [
            Deviation(
                where=TABLE,
                what="table",
                there=f"{len(again):,} rows",
                here=str(error),
                source=f"in {name}",
            )
        ]
    if len(here) != len(again):
        return [
            Deviation(
                where=TABLE,
                what="rows",
                there=f"{len(again):,}",
                here=f"{len(here):,}",
                source=f"in {name}",
            )
        ]
    found = []
    for column in (column for column in again if column in here):
        one, other = here[column], again[column]
        if all(map(pd.api.types.is_numeric_dtype, (one, other))):
            differ = ~np.isclose(one, other, rtol=1e-9, atol=0, equal_nan=True)
        else:
            differ = (one.astype(str) != other.astype(str)).to_numpy()
        if differ.any():
            row, n = int(differ.argmax()), int(differ.sum())
            place = ", ".join(
                str(again[label][row]) for label in ("term", "task") if label in again
            )
            found.append(
                Deviation(
                    where=TABLE,
                    what=f"{column} of {first_of([place], 1, n=n)}",
                    there=str(other[row]),
                    here=str(one[row]),
                    source=f"in {name}",
                )
            )
    return found


def refute_trial(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of the trial, from causalgia run."),
    ],
    predictor: Annotated[
        Path | None,
        typer.Option(
            "--predictor",
            metavar="TOML",
            help=f"A file with the table [predictor]; default: DIR/{SPEC}.",
        ),
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(
            "--real",
            metavar="FASTA",
            help="Real sequences of the length of the backgrounds.",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            "--positive",
            metavar="MOTIF",
            help="A motif that the predictor must recognize.",
        ),
    ] = None,
    motifs: Annotated[
        list[str] | None,
        typer.Option(
            "--motif",
            metavar="MOTIF",
            help="A motif that must not arise at a junction; may be repeated.",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="The arm that is subtracted; default: the planned one."
        ),
    ] = None,
    checks: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="NAME",
            help=(
                "Run only this check, with as many predictions as it needs; may be "
                "repeated."
            ),
        ),
    ] = None,
    rng: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            min=0,
            help="Seed of fresh units; default: that of the trial.",
        ),
    ] = None,
    device: DeviceOption = None,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Print the reason of each check, too.")
    ] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="Print the checks that do not apply, too.")
    ] = False,
) -> None:
    """Try to refute the claims of a trial: placebos, controls, null models, units,
    and the predictor itself.

    All checks together predict at most as many sequences as the trial did. Prints
    whether one refutes the claim and a line for each, and writes them to refutation.nc.
    The exit status is 1 if a check fails.

    Example:   causalgia refute results --positive AGATAAG

    Example:   causalgia refute results --real peaks.fa --check classifier --check prediction_range
    """
    from causalgia import store
    from causalgia.refutation import refute
    from causalgia.tell.small_answers import refutation_parts
    from causalgia.trial_file import read_predictor_spec

    outcomes = load_outcomes(folder)
    spec = folder / SPEC if predictor is None else predictor
    if not spec.is_file():
        raise DataError(f"{spec} is not a file with the table [predictor]")
    # a predictor may change the folder
    place, real = folder.absolute(), None if real is None else real.absolute()
    network = load_predictor_spec(read_predictor_spec(spec), spec, device)
    found = refute(
        outcomes,
        network,
        rng=trial_seed(outcomes, rng),
        checks=checks or None,
        control=control,
        real=None if real is None else str(real),
        motifs=motifs or None,
        positive=positive,
    )
    with output_folder(place), results_of_page(place, REFUTATION):
        store.save(found, place / REFUTATION)
    of_checks = [name for name, x in found.items() if x.dims == ("check",)]
    record(checks=lambda: records(found[of_checks]))
    parts = refutation_parts(
        found,
        requested=requested_parts(sentences=sentences, notes=notes),
        noted="--notes",
        each="--sentences",
    )
    print_parts(parts)
    print_written(folder, REFUTATION)
    if (found["status"] == "fail").any():
        raise typer.Exit(1)

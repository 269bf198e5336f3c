"""The command `causalgia run`: a trial file, or the trial in a lock, to outcomes in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from causalgia.cli.folder import (
    Keep,
    KeepOption,
    SameAnswersOption,
    StoreOption,
    check_link,
    check_run_folder,
    output_folder,
    run_in_folder,
    write_answer,
)
from causalgia.cli.options import DaskOption, WorkersOption, check_tasks, dask_client, load_spec_predictor
from causalgia.cli.tables import echo, print_written
from causalgia.errors import DesignError, ProtocolError

if TYPE_CHECKING:
    from causalgia.analysis import Analysis
    from causalgia.protocol import Protocol
    from causalgia.trial_file import TrialSpec


def run_trial(
    spec_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRIAL.TOML", help="Trial file; `causalgia init` writes one. Not needed with --protocol."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Output folder; created if missing.  [required]")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option("--protocol", metavar="LOCK.TOML", help="Lock of the trial, by `causalgia lock`.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    store: StoreOption = False,
    same_answers: SameAnswersOption = False,
    keep: KeepOption = Keep.outcomes,
    dask: DaskOption = None,
    workers: WorkersOption = None,
) -> None:
    """Run the trial in a file: draw the units, apply the arms, predict, write the outcomes.

    For an experiment of the catalogue, the answer is printed as a table and sentences, and its figure is drawn.

    With --store, outcomes are saved during the run; the same command resumes after Ctrl-C, a kill or a full disk.

    With --protocol, also with --store, the trial is the one that was locked. If TRIAL.TOML is given as well, it is
    what is run, and whatever it does otherwise than the lock is named and labelled exploratory in every result.

    Example:   causalgia run trial.toml --out results --device cuda

    Example:   causalgia run trial.toml --out results --store --workers 4

    Example:   causalgia run --protocol lock.toml --out results
    """
    from causalgia.experiments import Experiment
    from causalgia.reporting import tasks_in_words
    from causalgia.trial_file import read_spec

    if out is None:
        raise DesignError("give --out DIR, a folder for the results, such as --out results")
    if spec_file is None and protocol is None:
        raise DesignError("give TRIAL.TOML, or --protocol with a lock; `causalgia init` writes a trial file")
    locked = None if protocol is None else _read_protocol(protocol)
    source = spec_file if spec_file is not None else Path(str(protocol))
    check_link(source)
    spec = read_spec(source) if spec_file is not None or locked is None else locked_spec(locked, source)
    check_run_folder(out, source, stored=store, keep=keep, force=force, same_answers=same_answers)
    predictor = load_spec_predictor(spec, source, device)
    check_tasks(spec, predictor, source)
    with output_folder(out) as folder, dask_client(dask, workers) as client:
        outcomes, written = run_in_folder(
            folder,
            spec,
            predictor,
            spec_file=source,
            stored=store,
            keep=keep,
            client=client,
            same_answers=same_answers,
            protocol=locked,
        )
    units = f"{spec.design.n_units:,} unit{'s' if spec.design.n_units != 1 else ''}"
    echo(f"{spec.name}: {units}, {len(spec.design.named_arms)} arms, {tasks_in_words(outcomes)}.")
    if isinstance(spec.design, Experiment):
        echo()
        print_written(folder, *written, *write_answer(spec.design.analyze(outcomes, rng=spec.rng), folder))
        return
    print_written(folder, *written)
    echo(next_step(spec.analysis, out))


def next_step(analysis: Analysis | None, folder: Path) -> str:
    """Return a hint to the next command: analyze if there is a ROPE, else estimate."""
    verb = "estimate" if analysis is None or analysis.rope is None else "analyze"
    return f"Next: causalgia {verb} {folder}"


def locked_spec(protocol: Protocol, path: Path) -> TrialSpec:
    """Return the trial in a lock that `causalgia lock` wrote; its files are relative to the folder of the lock.

    Raises
    ------
    ProtocolError
        If the lock was written in Python and holds no trial file, or a file of the trial is not there.
    """
    from causalgia.trial_file import parse_spec

    if protocol.trial is None:
        raise ProtocolError(
            f"{path} was locked in Python and holds no trial file; run it there: cg.Protocol.read(path).run(design, "
            "predictor); or give the trial file, too: causalgia run trial.toml --protocol lock.toml"
        )
    try:
        return parse_spec(protocol.trial, folder=path.resolve().parent, source=f"{path}, [trial]")
    except DesignError as error:
        raise ProtocolError(
            f"{error}; files of the trial are looked for from the folder of the lock: put them there, or give the "
            "trial file, too: causalgia run trial.toml --protocol lock.toml"
        ) from error


def _read_protocol(path: Path) -> Protocol:
    from causalgia.protocol import Protocol

    return Protocol.read(path)

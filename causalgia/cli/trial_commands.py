"""The commands that plan, fix, run and repeat a trial."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from causalgia._audit.folder import is_audit
from causalgia.cli.audit_folder import lock_audit
from causalgia.cli.folder import (
    account_for_skipped,
    check_free,
    is_ours,
    of_outcomes,
    only_writer,
    output_folder,
    write_spec,
    write_text,
    written_whole,
)
from causalgia.cli.options import check_tasks, dask_client, load_spec_predictor
from causalgia.cli.output import echo, record
from causalgia.cli.results import write_answer, write_results
from causalgia.cli.shell import All, Dask, Device, Force, Notes, Whole, Workers
from causalgia.cli.tables import (
    print_answers,
    print_catalogue,
    print_entry,
    print_networks,
    print_parts,
    print_written,
    with_sentences,
)
from causalgia.errors import DataError, DesignError, StoreError
from causalgia.inputs import read_bytes
from causalgia.results_folder import (
    MARKS,
    OUTCOMES,
    SPEC,
    STORE,
    TABLE,
    spec_of,
    words_of_trial,
)

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.predict import Predictor
    from causalgia.protocol import Protocol
    from causalgia.trial_file import TrialSpec

_DEMO = "demo"


def demo(
    *,
    out: Path = Path(_DEMO),
    n_units: Whole = 1200,
    rng: Whole = 0,
    force: Force = False,
) -> None:
    """Run a trial on a predictor whose true effects are known; print each estimate
    beside its truth, and verdicts.

    Example:   causalgia demo --out demo --n-units 2000

    Parameters
    ----------
    out
        Output folder; created if missing.
    n_units
        Background sequences.
    rng
        Seed.
    """
    from causalgia import store
    from causalgia._analyze import steps
    from causalgia._run import run
    from causalgia.trial_file import parse_spec, starter
    from causalgia.zoo import oracle

    again = force or is_ours(out / SPEC, _DEMO)
    _check_run_folder(out, stored=False, force=again)
    spec = parse_spec(starter(), folder=out)
    spec = replace(
        spec, name=_DEMO, rng=rng, design=replace(spec.design, n_units=n_units)
    )
    predictor = oracle(str(spec.predictor.zoo))
    outcomes = run(spec.design, predictor, rng=rng).assign_attrs(spec.attrs)
    found = steps(outcomes)
    truth = predictor.true_ace(spec.design, control=str(spec.analysis.control))
    with written_whole(out, of_outcomes(out)) as new:
        store.save(outcomes, new / OUTCOMES)
        write_spec(new, spec, command=_DEMO)
        results = write_results(new, found.estimates, found.decisions, truth=truth)
    command = show_all_command(out)
    print_answers(found.decisions, truth=truth, command=command)
    print_written(out, OUTCOMES, *results, SPEC)


def experiments(name: str | None = None, /) -> None:
    """List the catalogue of experiments, one line each; or describe one: its question,
    estimand and settings.

    Example:   causalgia experiments copies

    Parameters
    ----------
    name
        An experiment to describe.
    """
    if name is None:
        print_catalogue()
    else:
        print_entry(name)


def networks() -> None:
    """List the published networks that `cg.networks.load` makes a predictor of, with the
    license of each.

    Example:   causalgia networks
    """
    print_networks()


def init(
    path: Path = Path(SPEC), /, *, experiment: str | None = None, force: Force = False
) -> None:
    """Write a commented trial.toml that runs as it is, for you to change; or one of a
    named experiment.

    Example:   causalgia init gata1.toml

    Example:   causalgia init --experiment spacing spacing.toml

    Parameters
    ----------
    path
        The file to write.
    experiment
        An experiment listed by `causalgia experiments`.
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
    with output_folder(path.parent):
        for place, text in files.items():
            write_text(place, text)
    example_names = [place.name for place in files if place != path]
    echo(
        f"Wrote {', '.join([str(path), *example_names])}{made}. Next: causalgia run "
        f"{quote(str(path))} --out results"
    )


def check(spec_file: Path, /, *, device: Device = None) -> int:
    """Check the predictor of a trial before it is run: numerical accuracy, run time and
    disk space.

    The exit code is 1 if the trial would be refused or its answers would be wrong.

    Example:   causalgia check trial.toml --device cuda

    Parameters
    ----------
    spec_file
        Trial file; `causalgia init` writes one.
    """
    from causalgia._check import check as check_trial
    from causalgia.trial_file import read_spec

    spec = read_spec(spec_file)
    predictor = load_spec_predictor(spec, spec_file, device)
    check_tasks(spec, predictor, spec_file)
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
    # tasks of a network without names are known after its first answer
    check_tasks(spec, predictor, spec_file)
    return 0 if found.ok else 1


def plan(spec_file: Path, /, *, all_rows: All = False, notes: Notes = False) -> None:
    """Print in words what a trial will do: question, arms, units, predictions,
    analysis. Nothing is predicted.

    The smallest effect that the trial can find is given in standard deviations of the
    individual effects, as if units were independent. To get it in the units of the
    outcome, run a few backgrounds (`causalgia run`) and give their effects to
    cg.sample_size.

    Example:   causalgia plan trial.toml

    Parameters
    ----------
    spec_file
        Trial file; `causalgia init` writes one.
    all_rows
        Print more than 20 arms.
    """
    from causalgia.trial_file import read_spec

    spec = read_spec(spec_file)
    protocol = protocol_of(spec, predictor="unknown")
    print_parts(_plan_of(spec, protocol, all_rows=all_rows, notes=notes))
    echo(f"Next: causalgia lock {quote(str(spec_file))} --out lock.toml")


def _plan_of(
    spec: TrialSpec, protocol: Protocol, *, all_rows: bool, notes: bool
) -> Any:
    """Return what a trial will do, and the smallest effect that it can find."""
    from causalgia.experiments import Experiment
    from causalgia.planning import minimal_detectable_effect
    from causalgia.tell.plan_answers import protocol_parts

    design, weights, scale = spec.design, spec.predictor.weights, spec.predictor.scale
    found = [f"{note}." for note in getattr(design, "notes", ())]
    if design.assignment == "crossover" and design.n_units > 1:
        least = minimal_detectable_effect(sd=1.0, n_units=design.n_units)[
            "minimal_detectable_effect"
        ].item()
        found.append(
            f"It can show an effect of {least:.3g} sd of the individual effects (power "
            "0.8, independent units)."
        )
    return protocol_parts(
        protocol,
        also=found,
        question=design.question if isinstance(design, Experiment) else "",
        scale=scale if isinstance(scale, str) else "",
        predictor=spec.predictor.describe(),
        n_networks=len(weights) if isinstance(weights, tuple) else 1,
        every_row=all_rows,
        requested=["notes"] if notes else [],
        noted="--notes",
    )


def lock(spec_file: Path, /, *, out: Path, device: Device = None) -> None:
    """Fix a trial before it is run: write what will be done into a lock with its
    SHA-256 and the time.

    The lock has fingerprints of the sequences and of the network, and the trial file
    with paths relative to the lock. Nothing is predicted. Publish the hash that is
    printed, for instance in a registry.

    The folder of an audit is locked after it: settings, and each motif and rule that it
    claims, before another network or other sequences are audited.

    Example:   causalgia lock trial.toml --out lock.toml

    Parameters
    ----------
    spec_file
        Trial file; `causalgia init` writes one. Or the folder of an audit, or of a trial
        or variants, which has its file.
    out
        The lock; a file that does not exist yet.
    """
    import tomli_w

    from causalgia.protocol.lock_file import check_new
    from causalgia.tell.plan_answers import protocol_parts
    from causalgia.trial_file import read_spec

    check_new(out)
    if is_audit(spec_file):
        lock_audit(spec_file, out)
        return
    if spec_file.is_dir():
        spec_file = spec_of(spec_file)
    spec = read_spec(spec_file)
    place = out.absolute()  # a predictor may change the working folder
    predictor = load_spec_predictor(spec, spec_file, device)
    check_tasks(spec, predictor, spec_file)
    text = tomli_w.dumps(_relative(spec.to_dict(), place.resolve().parent))
    protocol = protocol_of(spec, predictor).lock(place, trial=text)
    print_parts(protocol_parts(protocol, noted="causalgia plan --notes"))
    echo(f"\nWrote {out}, SHA-256 {protocol.sha256}")
    echo(f"Next: causalgia run --protocol {quote(str(out))} --out results")


def protocol_of(spec: TrialSpec, predictor: Any) -> Protocol:
    """Return the protocol of a trial file."""
    from causalgia.protocol import Protocol

    analysis = spec.analysis.asking(spec.design.analysis_fields)
    return Protocol(spec.design, analysis, predictor=predictor, rng=spec.rng)


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


def run(
    spec_file: Path | None = None,
    /,
    *,
    out: Path,
    protocol: Path | None = None,
    device: Device = None,
    force: Force = False,
    stored: Annotated[bool, Parameter(name="--store")] = False,
    same_answers: bool = False,
    keep: Literal["outcomes", "effects", "moments"] = "outcomes",
    dask: Dask = None,
    workers: Workers = None,
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

    Parameters
    ----------
    spec_file
        Trial file; `causalgia init` writes one. Not needed with --protocol.
    out
        Output folder; created if missing.
    protocol
        Lock of the trial, by `causalgia lock`.
    stored
        Keep the trial in trial.zarr as it runs; the same command resumes it.
    same_answers
        Resume a store of another predictor if a sample of its stored answers agrees
        with this one's.
    keep
        What --store keeps.
    """
    from causalgia.experiments import Experiment
    from causalgia.tell._trial_report import tasks_in_words
    from causalgia.trial_file import read_spec

    if not stored and (keep != "outcomes" or same_answers):
        given = "--same-answers" if same_answers else f"--keep {keep}"
        raise DesignError(f"{given} is for a trial on disk, --store")
    if protocol is not None:
        locked = read_locked(protocol)
        spec = read_spec(spec_file) if spec_file else locked_spec(locked, protocol)
        source = spec_file or protocol
    elif spec_file is not None:
        locked, spec, source = None, read_spec(spec_file), spec_file
    else:
        raise DesignError("neither TRIAL.TOML nor --protocol is given")
    _check_run_folder(out, stored=stored, force=force, spec_file=source)
    # a predictor may change the working folder
    place, origin = out.absolute(), source.absolute()
    predictor = load_spec_predictor(spec, source, device)
    check_tasks(spec, predictor, source)
    with (
        output_folder(place) as folder,
        only_writer(folder),
        dask_client(dask, workers) as client,
    ):
        outcomes, written = _run_in(
            folder,
            spec,
            predictor,
            origin,
            locked,
            stored={"same_answers": same_answers, "keep": keep} if stored else None,
            client=client,
        )
        units = f"{spec.design.n_units:,} unit{'s' if spec.design.n_units != 1 else ''}"
        echo(
            f"{spec.name}: {units}, {len(spec.design.named_arms)} arms, "
            f"{tasks_in_words(outcomes)}."
        )
        if isinstance(spec.design, Experiment):
            answer = spec.design.analyze(outcomes, rng=spec.rng)
            written += write_answer(answer, folder)
            echo()
            decisions = with_sentences(answer.decisions, answer)
            print_answers(decisions, command=show_all_command(out))
        else:
            written += account_for_skipped(folder, spec.design.null)
    print_written(out, *written)
    if not isinstance(spec.design, Experiment):
        echo(next_step(out))


def _check_run_folder(
    out: Path, *, stored: bool, force: bool, spec_file: Path | None = None
) -> None:
    """Raise DataError if files would be written over; a store is resumed."""
    old = of_outcomes(out)
    if not stored:
        if (out / STORE).exists():
            raise DataError(
                f"{out} holds {STORE}, a trial on disk, which --store resumes"
            )
        check_free(out, OUTCOMES, SPEC, *old, spec_file=spec_file, force=force)
        return
    from causalgia.trial.archive import Archive

    check_free(out, OUTCOMES, SPEC, spec_file=spec_file)
    if not Archive.exists(out / STORE):
        check_free(out, *old, force=force)


def _run_in(
    folder: Path,
    spec: TrialSpec,
    predictor: Predictor,
    spec_file: Path,
    locked: Protocol | None,
    *,
    stored: dict[str, Any] | None,
    client: Any,
) -> tuple[xr.Dataset, list[str]]:
    """Run a trial, under its lock if there is one; return its Dataset and the names of
    the files written.

    Outcomes of a lock keep the locked analysis, whatever the trial file asks.
    """
    from causalgia import store
    from causalgia._run import run
    from causalgia.protocol.lock_file import machine_attrs
    from causalgia.trial.archive import OtherTrialError

    analysis = spec.analysis.asking(spec.design.analysis_fields)
    verb = partial(run, analysis=analysis) if locked is None else locked.run
    verb = partial(verb, spec.design, predictor, rng=spec.rng, client=client)
    attrs = spec.attrs if locked is None else words_of_trial(spec)
    write = partial(write_spec, folder, spec, command="run", spec_file=spec_file)
    if stored is None:
        outcomes = verb().assign_attrs(
            machine_attrs() | attrs if locked is None else attrs
        )
        with written_whole(folder, of_outcomes(folder)) as new:
            spec_files = write(at=new)
            store.save(outcomes, new / OUTCOMES)
        return outcomes, [OUTCOMES, *spec_files]
    place, before = folder / STORE, None
    if not place.exists():
        if locked is None:
            (folder / MARKS).unlink(missing_ok=True)  # of a trial that is gone
        for name in of_outcomes(folder):
            (folder / name).unlink(missing_ok=True)
    elif is_ours(folder / SPEC):
        before = read_bytes(folder / SPEC, DataError)
    spec_files = write()
    try:
        found = verb(store=place, **stored)
    except OtherTrialError:
        if before is not None and spec_files:
            write_text(folder / SPEC, before)  # that of the trial that is there
        raise
    marks = [] if locked is None else [MARKS]
    return found.assign_attrs(attrs), [STORE, *marks, *spec_files]


def next_step(folder: Path) -> str:
    """Return a hint to the next command."""
    return f"Next: causalgia analyze {quote(str(folder))}"


def show_all_command(folder: Path) -> str:
    """Return the command that prints every row of a folder, and the file that has it."""
    return f"causalgia show {quote(str(folder))} --all, {TABLE}"


def read_locked(path: Path) -> Protocol:
    """Return a protocol."""
    from causalgia.protocol import Protocol
    from causalgia.protocol.lock_file import read_lock

    read_lock(path)
    return Protocol.read(path)


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

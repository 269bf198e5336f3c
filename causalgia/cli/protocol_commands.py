"""The commands of a pre-registered trial: plan, lock, verify, reproduce."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from causalgia.cli.folder import SPEC, check_link, load_outcomes
from causalgia.cli.one_line_errors import in_shell
from causalgia.cli.options import check_tasks, load_spec_predictor
from causalgia.cli.tables import echo
from causalgia.errors import DesignError, OutcomesError

if TYPE_CHECKING:
    from causalgia.protocol import Deviation, Protocol
    from causalgia.trial_file import TrialSpec

_Trial = Annotated[Path, typer.Argument(metavar="TRIAL.TOML", help="Trial file; `causalgia init` writes one.")]
_Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file.")]
_Results = Annotated[Path, typer.Argument(metavar="DIR", help="Folder written by `causalgia run`.")]
_MOST_ARMS = 12


def plan_trial(spec_file: _Trial) -> None:
    """Print in words what a trial will do: question, arms, units, predictions, analysis. Nothing is predicted.

    The smallest effect that the trial can find is given in standard deviations of the individual effects, as if units
    were independent; `causalgia run` of a few units, and cg.sample_size of them, give it in the units of the outcome.

    Example:   causalgia plan trial.toml
    """
    from causalgia.trial_file import read_spec

    check_link(spec_file)
    spec = read_spec(spec_file)
    protocol = _protocol_of(spec, predictor="unknown")
    echo(in_shell("\n".join(_plan_lines(spec, protocol))))
    echo(f"\nNext: causalgia lock {spec_file} --out lock.toml")


def lock_trial(
    spec_file: _Trial,
    out: Annotated[Path, typer.Option("--out", metavar="LOCK.TOML", help="The lock; a file that does not exist yet.")],
    device: _Device = None,
) -> None:
    """Fix a trial before it is run: write what will be done into a lock with its SHA-256 and the time.

    The lock has fingerprints of the sequences and of the network, and the trial file with paths relative to the lock.
    Nothing is predicted. Publish the hash that is printed, for instance in a registry.

    Example:   causalgia lock trial.toml --out lock.toml
    """
    import tomli_w

    from causalgia.protocol import check_new
    from causalgia.trial_file import read_spec

    check_new(out)
    check_link(spec_file)
    spec = read_spec(spec_file)
    predictor = load_spec_predictor(spec, spec_file, device)
    check_tasks(spec, predictor, spec_file)
    text = tomli_w.dumps(_relative(spec.to_dict(), out.resolve().parent))
    protocol = _protocol_of(spec, predictor).lock(out, trial=text)
    echo(str(protocol))
    echo(f"\nWrote {out}, SHA-256 {protocol.sha256}")
    echo(f"Next: causalgia run --protocol {out} --out results")


def verify_results(
    folder: _Results,
    protocol: Annotated[Path, typer.Option("--protocol", metavar="LOCK.TOML", help="Lock, by `causalgia lock`.")],
) -> None:
    """Compare the results in a folder with their lock, and name every deviation; the exit code is then 1.

    Estimates and verdicts are computed again from the outcomes, so that edited numbers are found.

    Example:   causalgia verify results --protocol lock.toml
    """
    from dataclasses import replace

    from causalgia.protocol import Protocol, verify

    locked = Protocol.read(protocol)
    if not folder.is_dir():
        raise OutcomesError(
            f"{folder} is not a folder; make it with: causalgia run --protocol {protocol} --out {folder}"
        )
    found = verify(locked, folder)
    of_file, note = _trial_file_deviations(locked, folder)
    found = replace(found, deviations=(*found.deviations, *of_file))
    echo(str(found))
    if note:
        echo(note)
    raise typer.Exit(0 if found.ok else 1)


def reproduce_trial(folder: _Results, device: _Device = None) -> None:
    """Run the trial of a folder again from its trial.toml, and compare the outcomes bit for bit.

    If they differ, the first thing that differs is named: design, seed, predictor, versions; or by how much the numbers
    differ, beside the rounding error of an answer. The exit code is then 1. Nothing is written.

    Example:   causalgia reproduce results
    """
    from causalgia._run import run
    from causalgia.analysis import kept_analysis
    from causalgia.protocol import compare_runs, machine_attrs
    from causalgia.trial_file import read_spec

    first = load_outcomes(folder)
    if not (folder / SPEC).is_file():
        raise OutcomesError(f"{folder} holds no {SPEC}, from which its trial is run again; `causalgia run` writes both")
    spec = read_spec(folder / SPEC)
    if "outcome" not in first:
        raise OutcomesError(f"{folder} keeps no outcomes but effects or moments; run it with --keep outcomes")
    predictor = load_spec_predictor(spec, folder / SPEC, device)
    again = run(spec.design, predictor, rng=spec.rng, analysis=kept_analysis(first))
    found = compare_runs(first, again.assign_attrs(machine_attrs()))
    echo(in_shell(str(found)))
    raise typer.Exit(0 if found.identical and found.differs is None else 1)


def _protocol_of(spec: TrialSpec, predictor: Any) -> Protocol:
    from causalgia.protocol import Protocol

    return Protocol(spec.design, spec.analysis.asking(spec.design.asked), predictor=predictor, rng=spec.rng)


def _plan_lines(spec: TrialSpec, protocol: Protocol) -> list[str]:
    """Return the lines that `causalgia plan` prints."""
    from causalgia.experiments import Experiment
    from causalgia.planning import minimal_detectable_effect
    from causalgia.trial.turn_plan import outcomes_per_unit

    design, plan = spec.design, protocol.analysis
    question = [f"Question: {design.question}"] if isinstance(design, Experiment) else []
    arms = [f"  {name}: {do}" for name, do in list(protocol.do_by_arm.items())[:_MOST_ARMS]]
    more = len(protocol.arms) - len(arms)
    n = design.n_units * outcomes_per_unit(design)
    weights = spec.predictor.weights
    members = len(weights) if isinstance(weights, tuple) else 1
    names = ", ".join(protocol.contrasts[:_MOST_ARMS])
    rest = f", ... ({len(protocol.contrasts):,})" if len(protocol.contrasts) > _MOST_ARMS else ""
    lines = [
        f"{spec.name}: a trial that is planned, and not run",
        *question,
        f"Estimand: {protocol.estimand}",
        f"Null model: {protocol.null}",
        f"Units: {design.n_units:,}, {design.assignment}, seed {protocol.rng}",
        f"Arms ({len(protocol.arms):,}):",
        *arms,
        *([f"  ... and {more:,} more"] if more else []),
        f"Contrasts: {names}{rest}",
        f"Region of practical equivalence: {'none, and so no verdict' if plan.rope is None else plan.region}",
        f"Error rate: {plan.error}, level {plan.level:g}; p-values adjusted by {plan.adjust}",
        f"Intervals: {plan.ci_prob:g}",
        f"Predictor: {spec.predictor.describe()}",
        f"Predictions: {n * members:,}{f' ({members} networks)' if members > 1 else ''}, and a few to try it",
    ]
    if design.assignment == "crossover" and design.n_units > 1:
        least = minimal_detectable_effect(sd=1.0, n_units=design.n_units)["minimal_detectable_effect"].item()
        lines.append(
            f"Smallest effect found with power 0.8 at level 0.95 (one contrast, independent units): {least:.3g} sd of "
            "the individual effects"
        )
    return lines


def _relative(plain: Any, folder: Path) -> Any:
    """Return a trial file with its absolute paths relative to a folder.

    Examples
    --------
    >>> _relative({"factory": "/a/b/net.py:load", "weights": ["/a/c/w.pt"], "name": "x"}, Path("/a/b"))
    {'factory': 'net.py:load', 'weights': ['../c/w.pt'], 'name': 'x'}
    """
    if isinstance(plain, dict):
        return {key: _relative(value, folder) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_relative(value, folder) for value in plain]
    if isinstance(plain, str) and Path(plain).is_absolute():
        return Path(os.path.relpath(plain, folder)).as_posix()
    return plain


def _trial_file_deviations(locked: Protocol, folder: Path) -> tuple[list[Deviation], str]:
    """Return what the trial file in a folder does otherwise, and a line if it cannot be read on this machine."""
    from causalgia.trial_file import read_spec

    if not (folder / SPEC).is_file():
        return [], f"{folder} holds no {SPEC}, which was not compared."
    try:
        here = _protocol_of(read_spec(folder / SPEC), locked.predictor_fingerprint)
    except DesignError as error:
        return [], f"{SPEC} cannot be read here and was not compared: {in_shell(str(error))}"
    return locked.differences(here, where=SPEC), ""

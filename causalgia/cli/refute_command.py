"""The command `causalgia refute`: the folder of a trial in; controls that pass, warn or fail, out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from causalgia.cli.folder import SPEC, load_outcomes, output_folder
from causalgia.cli.one_line_errors import in_shell
from causalgia.cli.options import load_predictor_spec, trial_seed
from causalgia.cli.tables import echo, print_written
from causalgia.errors import OutcomesError

REFUTATION = "refutation.nc"


def refute_trial(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the trial, from causalgia run.")],
    predictor: Annotated[
        Path | None,
        typer.Option("--predictor", metavar="TOML", help=f"A file with the table [predictor]; default: DIR/{SPEC}."),
    ] = None,
    real: Annotated[
        Path | None, typer.Option("--real", metavar="FASTA", help="Real sequences of the length of the backgrounds.")
    ] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="A word that the predictor must know.")] = None,
    motifs: Annotated[
        list[str] | None, typer.Option("--motif", help="A word that must not arise at a junction; may be repeated.")
    ] = None,
    control: Annotated[str | None, typer.Option(help="The arm that is subtracted; default: the planned one.")] = None,
    checks: Annotated[
        list[str] | None,
        typer.Option("--check", help="Only this check, with all predictions that it takes; may be repeated."),
    ] = None,
    rng: Annotated[int | None, typer.Option(min=0, help="Seed of fresh units; default: that of the trial.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file.")] = None,
) -> None:
    """Try to refute the claims of a trial: placebo words, controls, null models, units, and the predictor itself.

    All checks together predict at most as many sequences as the trial did. Prints a line for each, with its reason and
    cure, and writes them to refutation.nc. The exit status is 1 if a check fails.

    Example:   causalgia refute results --positive AGATAAG

    Example:   causalgia refute results --real peaks.fa --check classifier --check prediction_range
    """
    from causalgia import store
    from causalgia.paper import report
    from causalgia.refutation import refute
    from causalgia.trial_file import read_predictor_spec

    outcomes = load_outcomes(folder)
    spec = folder / SPEC if predictor is None else predictor
    if not spec.is_file():
        raise OutcomesError(f"{spec} is no file; name one with the table [predictor]: --predictor net.toml")
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
    with output_folder(folder) as place:
        store.save(found, place / REFUTATION)
    echo(in_shell(report(found)))
    echo()
    print_written(folder, REFUTATION)
    if (found["status"] == "fail").any():
        raise typer.Exit(1)

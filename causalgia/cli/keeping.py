"""What a run keeps, and where: outcomes in a file, or a trial on disk that grows as it goes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from causalgia.cli.folder import STORE, refuse_stored, refuse_taken, write_outcomes, write_spec
from causalgia.cli.one_line_errors import StoppedError
from causalgia.errors import DesignError, TrialInterruptedError

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.predict import Predictor
    from causalgia.trial_file import TrialSpec


class Keep(StrEnum):
    """What is kept of a trial on disk."""

    outcomes = "outcomes"
    effects = "effects"
    moments = "moments"


Stored: TypeAlias = Annotated[
    bool, typer.Option("--store", help=f"Keep the trial in {STORE} as it runs; the same command resumes it.")
]
SameAnswers: TypeAlias = Annotated[
    bool,
    typer.Option("--same-answers", help="Resume a store of another predictor if some kept answers are this one's."),
]
Kept: TypeAlias = Annotated[Keep, typer.Option("--keep", help="What --store keeps.")]


def refuse(out: Path, spec_file: Path, *, stored: bool, keep: Keep, force: bool, same_answers: bool) -> None:
    """Refuse a folder where something would be lost, or what is kept without a place for it.

    Raises
    ------
    DesignError
        If effects or moments are to be kept, or answers to be taken over, and there is no store.
    OutcomesError
        If the folder holds what would be lost.
    """
    if not stored and keep is not Keep.outcomes:
        raise DesignError(f"--keep {keep.value} is for a trial on disk; add --store")
    if not stored and same_answers:
        raise DesignError("--same-answers is for a trial on disk; add --store")
    if stored:
        refuse_stored(out, spec_file=spec_file)
    else:
        refuse_taken(out, spec_file=spec_file, force=force)


def run_into(
    folder: Path,
    spec: TrialSpec,
    predictor: Predictor,
    *,
    spec_file: Path,
    stored: bool,
    keep: Keep,
    client: Client | None,
    same_answers: bool,
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Run a trial, and return what it kept and the names of the files that were written."""
    from causalgia._run import run

    asked = spec.analysis.asking(spec.design.asked)
    if not stored:
        outcomes = run(spec.design, predictor, rng=spec.rng, analysis=asked, client=client).assign_attrs(spec.attrs)
        return outcomes, write_outcomes(folder, outcomes, spec, command="run", spec_file=spec_file)
    beside = write_spec(folder, spec, command="run", spec_file=spec_file)
    store = folder / STORE
    try:
        found = run(
            spec.design,
            predictor,
            rng=spec.rng,
            analysis=asked,
            store=store,
            same_answers=same_answers,
            keep=keep.value,
            client=client,
        )
    except TrialInterruptedError as error:
        raise StoppedError(str(error)) from error
    return found.assign_attrs(spec.attrs), (STORE, *beside)

"""What a command asks of the outcomes: the analysis in the folder's file; options of the command line win."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from causalgia.cli.folder import SPEC
from causalgia.errors import CausalgiaError, ClusterError, DesignError

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.analysis import Analysis
    from causalgia.experiments import Experiment
    from causalgia.predict import Predictor
    from causalgia.trial_file import TrialSpec
    from causalgia.trial_file.trial_spec import PredictorSpec


def folder_analysis(folder: Path, outcomes: xr.Dataset) -> Analysis:
    """Return the analysis in the folder's trial.toml, or where there is no such file the one kept with the outcomes.

    Where neither says which contrasts, they are those that the design names.
    """
    from causalgia.analysis import Analysis, kept_analysis
    from causalgia.long_text import design_question
    from causalgia.trial_file import read_analysis

    kept = kept_analysis(outcomes)
    if not (folder / SPEC).is_file():
        return kept or Analysis()
    return read_analysis(folder / SPEC, kept=kept).asking(design_question(outcomes))


def folder_experiment(folder: Path) -> Experiment | None:
    """Return the experiment that the folder's trial.toml is of, or None where it is of arms, or there is no file."""
    from causalgia.experiments import Experiment
    from causalgia.trial_file import is_of_experiment, read_spec

    if not (folder / SPEC).is_file() or not is_of_experiment(folder / SPEC):
        return None
    design = read_spec(folder / SPEC).design
    return design if isinstance(design, Experiment) else None


def override_analysis(analysis: Analysis, given: dict[str, Any]) -> Analysis:
    """Return the analysis with the options of the command line in the place of what the file says."""
    from causalgia.analysis import ANALYSIS
    from causalgia.checks import check_value

    options = {key: value for key, value in given.items() if value is not None}
    plain = analysis.to_dict()
    if "control" in options:
        plain = {key: value for key, value in plain.items() if key not in ("contrasts", "interaction")}
    for key, value in options.items():
        check_value(value, ANALYSIS, key, said=f"--{key.replace('_', '-')}")
    found = analysis.from_dict({**plain, **options})
    if found.control is None and found.contrasts is None and found.interaction is None:
        raise DesignError("which arm is the control? give --control NAME, or control = in [analysis] of the trial.toml")
    return found


def parse_rope(text: str | None) -> Any:
    """Return what ``--rope`` says as the file would say it: ``-0.1,0.1`` is two numbers, ``0`` is a number.

    Examples
    --------
    >>> [parse_rope(text) for text in ("-0.1,0.1", "-0.1 0.1", "0", "placebo", "0.2 sd", None)]
    [[-0.1, 0.1], [-0.1, 0.1], 0.0, 'placebo', '0.2 sd', None]
    """
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers


def parse_share(text: str | None) -> Any:
    """Return what ``--rare`` says as the file would say it: a number, or a word.

    Examples
    --------
    >>> [parse_share(text) for text in ("0.01", "none", None)]
    [0.01, 'none', None]
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def trial_seed(outcomes: xr.Dataset, rng: int | None) -> int:
    """Return the seed that is given, or the one of the trial where it was a number."""
    if rng is not None:
        return rng
    seed = str(outcomes.attrs.get("rng", ""))
    if not (seed.isdecimal() and len(seed) <= 78):  # 2^256 has as many digits
        raise DesignError("the outcomes have no numeric seed; give --rng 0 (or any other)")
    return int(seed)


DaskOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="A Dask scheduler whose workers predict: tcp://host:8786."),
]
WorkersOption: TypeAlias = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Predict in N processes on this machine, at least 1.")
]


def dask_client(dask: str | None, workers: int | None) -> AbstractContextManager[Client | None]:
    """Return what gives a client while it is entered, or None where neither workers nor a cluster are asked for.

    Raises
    ------
    ClusterError
        If both are asked for; when entered, if there are no workers to be had.
    MissingExtraError
        When entered, if Dask distributed is not installed.
    """
    if dask is not None and workers is not None:
        raise ClusterError("--dask names a cluster with workers of its own, --workers N starts workers here; give one")
    if dask is None and workers is None:
        return nullcontext()
    from causalgia.workers import connected, local_cluster

    return connected(dask) if dask is not None else local_cluster(workers or 0)


def load_spec_predictor(spec: TrialSpec, spec_file: Path, device: str | None) -> Predictor:
    """Return the predictor of a file, on the device that the command line asks for where it asks for one."""
    asked = _on_device(spec.predictor, device)
    if asked.zoo is not None:
        from causalgia.zoo import oracle

        try:
            return oracle(asked.zoo)
        except CausalgiaError as error:
            raise DesignError(f"{spec_file}: [predictor]: {error}") from error
    from causalgia.predict import load_predictor

    return load_predictor(
        str(asked.factory),
        weights=asked.weights,
        tasks=asked.tasks,
        scale=asked.scale,
        alphabet=asked.alphabet,
        device=asked.device,
        batch_size=asked.batch_size,
        announce=lambda line: typer.echo(line, err=True),
    )


def _on_device(asked: PredictorSpec, device: str | None) -> PredictorSpec:
    """Return the predictor that the file asks for, on the device that the command line asks for."""
    from causalgia.trial_file.trial_spec import check_device

    if device is None:
        return asked
    check_device(device, zoo=asked.zoo is not None, said="--device")
    return replace(asked, device=device)

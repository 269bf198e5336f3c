"""Options of the commands: analysis, seed, predictor and workers; options override the
trial file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia.attributes import about
from causalgia.errors import CausalgiaError, DesignError, StoreError, printable
from causalgia.results_folder import SPEC

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.analysis import Analysis
    from causalgia.experiments import Experiment
    from causalgia.predict import Predictor
    from causalgia.trial_file import PredictorSpec, TrialSpec


def folder_analysis(
    folder: Path, outcomes: xr.Dataset, options: Mapping[str, Any]
) -> Analysis:
    """Return the analysis in the folder's trial.toml, with options of the command line
    replacing its fields.

    Without a file it is the analysis stored with the outcomes. If it defines no
    contrasts, those of the design are used.
    """
    from causalgia.analysis import Analysis, stored_analysis
    from causalgia.notes import design_question
    from causalgia.trial_file import read_analysis

    found = stored_analysis(outcomes)
    if (folder / SPEC).is_file():
        found = read_analysis(folder / SPEC, stored=found)
    plain = (found or Analysis()).asking(design_question(outcomes)).to_dict()
    if "control" in options:
        plain = {
            key: value
            for key, value in plain.items()
            if key not in ("contrasts", "interaction", "question")
        }
    found = Analysis(**{**plain, **options})
    if not found.asks:
        raise DesignError(
            "the analysis has no control, contrasts or interaction, and --control is "
            "not given"
        )
    return found


def folder_experiment(folder: Path) -> Experiment | None:
    """Return the experiment in the folder's trial.toml; None if it defines arms or does
    not exist.
    """
    from causalgia.trial_file import read_experiment_design

    return read_experiment_design(folder / SPEC) if (folder / SPEC).is_file() else None


def trial_seed(outcomes: xr.Dataset, rng: int | None) -> int:
    """Return the given seed, or the numeric seed of the trial."""
    from causalgia.streams import Seed

    if rng is not None:
        return rng
    seed = Seed.stored(about(outcomes, "").rng)
    if seed is None:
        raise DesignError("the outcomes have no numeric seed, and --rng is not given")
    return int(seed.words)


def dask_client(
    dask: str | None, workers: int | None
) -> AbstractContextManager[Client | None]:
    """Return a context manager of a Dask client, or of None without ``--dask`` and
    ``--workers``.

    Raises
    ------
    StoreError
        If both are given; when entered, if no workers are available.
    MissingExtraError
        When entered, if Dask distributed is not installed.
    """
    if dask is not None and workers is not None:
        raise StoreError("--dask and --workers are both given")
    if dask is None and workers is None:
        return nullcontext()
    from causalgia.workers import connected, local_cluster

    return connected(dask) if dask is not None else local_cluster(workers or 0)


def check_tasks(spec: TrialSpec, predictor: Predictor, spec_file: Path) -> None:
    """Raise DesignError if the analysis of a trial file names a task that its predictor
    lacks, as far as known.
    """
    from causalgia.trial.attributes import check_analysis, known_tasks

    try:
        check_analysis(
            spec.analysis.asking(spec.design.analysis_fields),
            spec.design,
            known_tasks(predictor),
        )
    except CausalgiaError as error:
        raise DesignError(f"{spec_file}: {error}") from error


def load_spec_predictor(
    spec: TrialSpec, spec_file: Path, device: str | None
) -> Predictor:
    """Return the predictor of a trial file, on the device of the command line if
    given.
    """
    return load_predictor_spec(spec.predictor, spec_file, device)


def load_predictor_spec(
    predictor_spec: PredictorSpec, spec_file: Path, device: str | None
) -> Predictor:
    """Return a predictor from the table [predictor] of a file, on the device of the
    command line if given.
    """
    from causalgia.trial_file import check_device

    if device is not None:
        check_device(device, zoo=predictor_spec.zoo is not None, label="--device")
        predictor_spec = replace(predictor_spec, device=device)
    if predictor_spec.zoo is not None:
        from causalgia.zoo import oracle

        try:
            return oracle(predictor_spec.zoo)
        except CausalgiaError as error:
            raise DesignError(f"{spec_file}: [predictor]: {error}") from error
    if predictor_spec.network is not None:
        from causalgia import networks

        return networks.load(
            predictor_spec.network,
            reduce=predictor_spec.read_out.get("reduce"),
            device=predictor_spec.device,
            batch_size=predictor_spec.batch_size,
        )
    from causalgia.predict import Ensemble, load_predictor

    weights = predictor_spec.weights
    files = weights if isinstance(weights, tuple) else (weights,)
    members = [
        load_predictor(
            str(predictor_spec.factory),
            weights=file,
            tasks=predictor_spec.tasks,
            scale=predictor_spec.scale,
            alphabet=predictor_spec.alphabet,
            device=predictor_spec.device,
            batch_size=predictor_spec.batch_size,
            **predictor_spec.read_out,
            announce=(lambda line: print(printable(line), file=sys.stderr))
            if k == 0
            else None,
        )
        for k, file in enumerate(files)
    ]
    return (
        members[0]
        if len(members) == 1
        else Ensemble(members, names=_member_names([str(file) for file in files]))
    )


def _member_names(files: list[str]) -> list[str]:
    """Return the names of files without their endings, with their folders where these
    alone tell them apart.

    Examples
    --------
    >>> _member_names(["one.pt", "two.pt"]), _member_names(["a/net.pt", "b/net.pt"])
    (['one', 'two'], ['a/net', 'b/net'])
    """
    paths = [Path(file).with_suffix("") for file in files]
    short = [path.name for path in paths]
    longer = [f"{path.parent.name}/{path.name}" for path in paths]
    return next(
        (names for names in (short, longer) if len(set(names)) == len(names)), files
    )

"""The folder that the command line writes for a trial: what is in it, read when it is asked for."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from causalgia import netcdf, store
from causalgia._run.stored_trial import open_store
from causalgia.cli.folder import DECISIONS, ESTIMATES, OUTCOMES, POSTERIOR, STORE, kept_in
from causalgia.errors import OutcomesError, StoreError
from causalgia.posterior.posterior_tree import Tree, assemble, datasets
from causalgia.trial.archive import place_of
from causalgia.trial.archive.files import on_disk
from causalgia.trial.archive.manifest import is_store


class Results:
    """What `causalgia run`, `estimate` and `analyze` wrote into a folder; `open` returns it.

    A file is read when its attribute is first used.

    Attributes
    ----------
    folder
        Where it is.
    contents
        The attributes for which there is a file, of ``"outcomes"``, ``"estimates"``, ``"decisions"``, ``"posterior"``.
    outcomes
        Dataset that `run` returned: outcomes, or what ``--keep`` names (lazy with ``--store``).
    estimates
        Dataset of estimates, as `estimate` returns it.
    decisions
        Dataset of decisions, as `analyze` returns it.
    posterior
        Draws, as `infer` returns them, with ``--keep-draws``.

    Raises
    ------
    OutcomesError
        By an attribute that has no file, with the command that writes it, or if the file is damaged.
    StoreError
        By ``outcomes``, if the trial on disk is not finished, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def contents(self) -> tuple[str, ...]:
        """The attributes for which there is a file."""
        return tuple(name for name, files in _FILES.items() if any((self.folder / file).exists() for file in files))

    @cached_property
    def outcomes(self) -> xr.Dataset:
        """What was kept of the trial."""
        return kept_in(self.folder)

    @cached_property
    def estimates(self) -> xr.Dataset:
        """Average causal effects with standard errors."""
        return store.load(self._file(ESTIMATES, f"causalgia estimate {self.folder}"), "estimates")

    @cached_property
    def decisions(self) -> xr.Dataset:
        """Effects with their verdicts."""
        return store.load(self._file(DECISIONS, f"causalgia analyze {self.folder}"), "decisions")

    @cached_property
    def posterior(self) -> Tree:
        """Draws, in the container of the installed ArviZ."""
        path = self._file(POSTERIOR, f"causalgia analyze {self.folder} --error local --keep-draws")
        return assemble(datasets(netcdf.read_tree(path)))

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {', '.join(self.contents)}"

    def _file(self, name: str, command: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise OutcomesError(f"{self.folder} holds no {name}; make it with: {command}")
        return path


_FILES = {
    "outcomes": (OUTCOMES, STORE),
    "estimates": (ESTIMATES,),
    "decisions": (DECISIONS,),
    "posterior": (POSTERIOR,),
}


def open(path: str | os.PathLike[str]) -> Any:
    """Open a trial on disk, or a folder that the command line wrote.

    Parameters
    ----------
    path
        The folder given as ``store=`` to `run`, or as ``--out`` to ``causalgia run``.

    Returns
    -------
    Dataset or Results
        Of a trial on disk the Dataset that ``cg.run(..., store=path)`` returned: outcomes, effects or moments, by what
        it kept. Variables with a value for each unit are lazy (dask), a chunk for each file; every verb takes them and
        gives the results that it gives in memory, bit for bit. Of a folder of the command line `Results`, with the
        attributes ``outcomes``, ``estimates``, ``decisions`` and ``posterior``, whichever have been made.

    Raises
    ------
    StoreError
        If the path is of a file, there is neither, or the trial is not finished (says how far it is), is of another
        version, or damaged.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50, contrasts="untreated")
    >>> path = tempfile.mkdtemp() + "/trial.zarr"
    >>> effects = cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0, store=path, keep="effects")
    >>> cg.open(path).identical(effects)
    True
    """
    place = place_of(path)
    with on_disk(place):
        if place.is_file():
            raise StoreError(f"{place} is a file, {_where(place)}")
        results = Results(place)
        if results.contents:
            return results
        if place.is_dir() and not is_store(place):
            raise StoreError(
                f"{place}: holds no trial on disk, nor any of {', '.join(f for fs in _FILES.values() for f in fs)}; "
                f"cg.run(..., store=) makes the one, causalgia run trial.toml --out {place} the other"
            )
    return open_store(path)


def _where(file: Path) -> str:
    """Return which folder holds the trial that a file is of."""
    for folder in file.parents:
        if Results(folder).contents or is_store(folder):
            return f"and a trial is opened by its folder: cg.open('{folder}')"
    return "and in no folder of a trial; open the folder that cg.run(..., store=) or causalgia run --out made"

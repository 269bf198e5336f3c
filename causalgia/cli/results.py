"""Results of the command line in a folder, loaded lazily."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from causalgia import store
from causalgia._run._run import open_store
from causalgia.cli.folder import (
    DECISIONS,
    ESTIMATES,
    OUTCOMES,
    POSTERIOR,
    STORE,
    load_outcomes,
)
from causalgia.errors import OutcomesError, StoreError, shell_word
from causalgia.posterior.posterior_tree import Tree, as_tree, tree_datasets
from causalgia.trial.archive import place_of
from causalgia.trial.archive.files import on_disk
from causalgia.trial.archive.manifest import is_store


@dataclass(eq=False)
class Results:
    """Results of `causalgia run`, `estimate` and `analyze` in a folder, as returned by
    `open`.

    A file is read when its attribute is first used.

    Attributes
    ----------
    folder
        The folder.
    contents
        The attributes with a file, of ``"outcomes"``, ``"estimates"``, ``"decisions"``,
        ``"posterior"``.
    outcomes
        Dataset of `run`: outcomes, or the Dataset chosen by ``--keep`` (lazy with
        ``--store``).
    estimates
        Dataset of estimates, as `estimate` returns it.
    decisions
        Dataset of decisions, as `analyze` returns it.
    posterior
        Draws, as `infer` returns them, with ``--keep-draws``.

    Raises
    ------
    OutcomesError
        By an attribute that has no file, with the command that writes it, or if the
        file is damaged.
    StoreError
        By ``outcomes``, if the trial on disk is not finished, or damaged.
    """

    folder: Path

    @property
    def contents(self) -> tuple[str, ...]:
        """The attributes with a file."""
        return tuple(
            name
            for name, files in _FILES_OF_RESULT.items()
            if any((self.folder / file).exists() for file in files)
        )

    @cached_property
    def outcomes(self) -> xr.Dataset:
        """Dataset of the trial."""
        return load_outcomes(self.folder)

    @cached_property
    def estimates(self) -> xr.Dataset:
        """Average causal effects with standard errors."""
        return store.load(
            self._file(ESTIMATES, f"causalgia estimate {self.folder}"), "estimates"
        )

    @cached_property
    def decisions(self) -> xr.Dataset:
        """Effects with their verdicts."""
        return store.load(
            self._file(DECISIONS, f"causalgia analyze {self.folder}"), "decisions"
        )

    @cached_property
    def posterior(self) -> Tree:
        """Draws, as a DataTree."""
        path = self._file(
            POSTERIOR, f"causalgia analyze {self.folder} --error local --keep-draws"
        )
        return as_tree(tree_datasets(store.read_tree(path)))

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {', '.join(self.contents)}"

    def _file(self, name: str, command: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise OutcomesError(
                f"{self.folder} holds no {name}; make it with: {command}"
            )
        return path


_FILES_OF_RESULT = {
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
        For a trial on disk, the Dataset of ``cg.run(..., store=path)``: outcomes,
        effects or moments. Variables with a value per unit are lazy (dask, one chunk
        per file); all verbs accept them, with bit-identical results. For a folder of
        the command line, `Results`, with the attributes ``outcomes``, ``estimates``,
        ``decisions`` and ``posterior``, as far as the files exist.

    Raises
    ------
    StoreError
        If the path is a file, has no results, or the trial is unfinished (with its
        progress), of another version or damaged.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30), arms=arms, n_units=50, contrasts="untreated"
    ... )
    >>> path = tempfile.mkdtemp() + "/trial.zarr"
    >>> effects = cg.run(
    ...     design, cg.zoo.oracle("rbfox1_like"), rng=0, store=path, keep="effects"
    ... )
    >>> cg.open(path).identical(effects)
    True
    """
    place = place_of(path)
    with on_disk(place):
        if place.is_file():
            raise StoreError(f"{place} is a file, {_containing_folder(place)}")
        results = Results(place)
        if results.contents:
            return results
        if place.is_dir() and not is_store(place):
            raise StoreError(
                f"{place}: holds no trial on disk, nor any of "
                f"{', '.join(f for fs in _FILES_OF_RESULT.values() for f in fs)}; "
                "``cg.run(..., store=)`` makes a trial on disk, and causalgia run "
                f"trial.toml --out {shell_word(place)} such a folder"
            )
    return open_store(path)


def _containing_folder(file: Path) -> str:
    """Return a hint naming the folder of the trial that contains a file."""
    for folder in file.parents:
        if Results(folder).contents or is_store(folder):
            return f"and a trial is opened by its folder: ``cg.open('{folder}')``"
    return (
        "and in no folder of a trial; open the folder that ``cg.run(..., store=)`` or "
        "causalgia run --out made"
    )

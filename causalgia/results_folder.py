"""The folder of a trial: the names of its files, and its results, loaded lazily."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia._audit.folder import is_audit
from causalgia.errors import DataError, StoreError

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.trial_file import TrialSpec


OUTCOMES, ESTIMATES, SPEC, FOREST = (
    "outcomes.nc",
    "estimates.nc",
    "trial.toml",
    "forest.png",
)
DECISIONS, EXPERIMENT = "decisions.nc", "experiment.png"
STORE, MARKS, LIBRARY = "trial.zarr", "trial.zarr.protocol.json", "library.nc"
FIT = "fit.nc"  # of mpra analyze
CONCORDANCE = "concordance.nc"  # of mpra compare
ACTIVITY = "activity.tsv"  # of mpra activity
VARIANTS = "variants.toml"  # the trial file of variants
PAGE, REFUTATION = "report.html", "refutation.nc"
ANSWER, TABLE = "answer.txt", "effects.tsv"  # for readers, and for pipes


def spec_of(folder: Path) -> Path:
    """Return the trial file of a folder: `trial.toml`, or that of `variants`."""
    of_variants = folder / VARIANTS
    return of_variants if of_variants.is_file() else folder / SPEC


def load_outcomes(folder: Path) -> xr.Dataset:
    """Return the Dataset of a trial in a folder: outcomes, or with ``--keep`` effects
    or moments.

    Raises
    ------
    DataError
        If the folder has none.
    StoreError
        If its trial on disk is unfinished or damaged.
    """
    from causalgia import store

    if not (folder / STORE).exists():
        if not (folder / OUTCOMES).is_file():
            if (folder / LIBRARY).is_file():
                raise DataError(f"{folder} holds an oligo library without outcomes")
            if folder.is_file():
                raise DataError(
                    f"{folder} is a file, and a folder of results is needed"
                )
            raise DataError(
                f"{folder} holds no {OUTCOMES} or {STORE}, as causalgia run --out makes"
            )
        return store.load(folder / OUTCOMES, "outcomes")
    from causalgia._run._run import open_store
    from causalgia.attributes import has
    from causalgia.trial_file import read_spec

    found = open_store(folder / STORE)
    if not (folder / SPEC).is_file():
        return found
    spec = read_spec(folder / SPEC)
    # a lock fixed the analysis
    return found.assign_attrs(
        words_of_trial(spec) if has(found).protocol else spec.attrs
    )


def words_of_trial(spec: TrialSpec) -> dict[str, str]:
    """Return the name of a trial and its predictor in words."""
    return {"name": spec.name, "predictor": spec.predictor.describe()}


@dataclass(eq=False)
class Results:
    """Results of `causalgia run` and `analyze` in a folder, as returned by
    `open`.

    A file is read when its attribute is first used.

    Attributes
    ----------
    folder
        The folder.
    contents
        The attributes with a file, of ``"outcomes"``, ``"estimates"``, ``"decisions"``.
    outcomes
        Dataset of `run`: outcomes, or the Dataset chosen by ``--keep`` (lazy with
        ``--store``).
    estimates
        Dataset of estimates, as `estimate` returns it.
    decisions
        Dataset of decisions, as `analyze` returns it.

    Raises
    ------
    DataError
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
        from causalgia import store

        return store.load(self._file(ESTIMATES), "estimates")

    @cached_property
    def decisions(self) -> xr.Dataset:
        """Effects with their verdicts."""
        from causalgia import store

        return store.load(self._file(DECISIONS), "decisions")

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {', '.join(self.contents)}"

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise DataError(f"{self.folder} holds no {name}")
        return path


_FILES_OF_RESULT = {
    "outcomes": (OUTCOMES, STORE),
    "estimates": (ESTIMATES,),
    "decisions": (DECISIONS,),
}


def open(path: str | os.PathLike[str]) -> Any:
    """Open a trial on disk, or a folder that the command line wrote.

    Parameters
    ----------
    path
        The folder given as ``store=`` to `run`, or as ``--out`` to ``causalgia run`` or
        ``causalgia audit``, or to `Audit.save`.

    Returns
    -------
    Dataset, Results or Audit
        For a trial on disk, the Dataset of ``cg.run(..., store=path)``: outcomes,
        effects or moments. Variables with a value per unit are lazy (dask, one chunk
        per file); all verbs accept them, with bit-identical results. For a folder of
        the command line, `Results`, with the attributes ``outcomes``, ``estimates`` and
        ``decisions``, as far as the files exist. For the folder of an audit, what
        `causalgia.audit` returned.

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
    from causalgia._run._run import open_store
    from causalgia.trial.archive import is_store, on_disk, place_of

    place = place_of(path)
    with on_disk(place):
        if place.is_file():
            raise StoreError(f"{place} is a file, and a trial is opened by its folder")
        if is_audit(place):
            from causalgia._audit.read_back import read_audit

            return read_audit(place)
        results = Results(place)
        if results.contents:
            return results
        if place.is_dir() and not is_store(place):
            raise StoreError(
                f"{place}: holds no trial on disk, nor any of "
                f"{', '.join(f for fs in _FILES_OF_RESULT.values() for f in fs)}"
            )
    return open_store(path)

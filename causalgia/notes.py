"""Notes of a result: caveats kept in ``attrs["notes"]`` of its Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def with_notes(dataset: xr.Dataset, *sentences: str) -> xr.Dataset:
    """Return the Dataset with sentences added to ``attrs["notes"]``, each once, one a line.

    Verbs pass attrs on to their results, and `causalgia.report` prints each line as "Note: ...".

    Examples
    --------
    >>> import xarray as xr
    >>> once = with_notes(xr.Dataset(), "control and treatment differ in length")
    >>> with_notes(once, "control and treatment differ in length", "10 parents").attrs["notes"].splitlines()
    ['control and treatment differ in length', '10 parents']
    """
    known = notes_of(dataset)
    lines = dict.fromkeys([*known, *(" ".join(sentence.split()) for sentence in sentences)])
    return dataset.assign_attrs(notes="\n".join(lines)) if lines else dataset


def notes_of(dataset: xr.Dataset) -> list[str]:
    """Return the notes of a Dataset, in the order in which they were added.

    Examples
    --------
    >>> import xarray as xr
    >>> notes_of(xr.Dataset(attrs={"notes": "10 parents"})), notes_of(xr.Dataset())
    (['10 parents'], [])
    """
    return [line for line in str(dataset.attrs.get("notes", "")).split("\n") if line]

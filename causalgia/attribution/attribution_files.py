"""`read_attributions`: maps written by other programs, with their sequences."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import AttributionError, SequenceError, quoted
from causalgia.inputs import open_regular_file
from causalgia.schema import annotate, validate
from causalgia.sequences.fasta import Sequences, Source, as_sequences
from causalgia.sequences.pattern_files import HDF5, opened_hdf5
from causalgia.sequences.sequence_files import as_letters, load_arrays
from causalgia.types import Tokens

if TYPE_CHECKING:
    import xarray as xr

#: names of scores and of sequences in files, the first that is there; ChromBPNet, BPNet, FiNeMo, then others
_SCORES = ("shap/seq", "hyp_scores", "projected_shap/seq", "contributions", "attributions", "scores")
_SEQUENCES = ("raw/seq", "input_seqs", "sequences", "one_hot", "ohe")


def read_attributions(
    path: str | PathLike[str],
    *,
    sequences: Source | None = None,
    key: str | None = None,
    task: str = "task",
    scale: str = "as in the file",
) -> xr.Dataset:
    """Read maps written by another program, for averages, logos and contributions.

    The format is found by the content: HDF5 of ChromBPNet (``shap/seq``, else ``projected_shap/seq``, with
    ``raw/seq``) or of BPNet (``hyp_scores`` with ``input_seqs``), regions of FiNeMo, or any ``.npz`` or ``.npy`` of
    scores (n, 4, length) or (n, length, 4) in the order A, C, G, T.

    Parameters
    ----------
    path
        The file.
    sequences
        The sequences that were explained, as for ``cg.Genomic(of=...)``; by default those in the file, which they must
        equal.
    key
        Name of the scores in the file, where there are several arrays and none has a known name.
    task, scale
        Name and scale of what was explained.

    Returns
    -------
    Dataset
        Attributions: ``score (unit, position, base, task)`` and ``observed``; without the dim base if all scores but
        those of the observed bases are 0, as projected ones are. No answers, standard errors or completeness.

    Raises
    ------
    AttributionError
        If there are no scores or sequences, several of unknown name, shapes or sequences do not match, or a score is
        not finite.
    SequenceError
        If the file cannot be read, or its sequences are not one-hot.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "maps.npz"
    >>> np.savez(path, scores=np.array([[[0.1, 0], [0, 0.5], [-0.2, 0], [0, 0]]]))
    >>> maps = read_attributions(path, sequences=["AC"])
    >>> maps["score"].sel(unit=0, position=1, base="C").item()
    0.5
    """
    place = Path(path) if isinstance(path, str | PathLike) else None
    if place is None:
        raise AttributionError(f"path={quoted(path)} is not a path; give that of one file, such as 'contributions.h5'")
    with open_regular_file(place, SequenceError) as file:
        is_hdf5 = file.read(8) == HDF5
    arrays = _hdf5_arrays(place) if is_hdf5 else load_arrays(place)
    name = _score_name(arrays, key, place)
    score = arrays[name]
    where = f"{place}: {name}" if name else str(place)
    if score.dtype.kind not in "fiu" or score.ndim not in (2, 3) or not score.size:
        raise AttributionError(
            f"{where}: an array of {score.dtype} and shape {score.shape}; scores are numbers (n, 4, length) or "
            "(n, length, 4)"
        )
    if score.shape[1:] == (4, 4):
        raise AttributionError(
            f"{where}: scores of shape {score.shape} fit both (n, 4, length) and (n, length, 4); give those of the "
            "bases that are there, (n, length)"
        )
    of = _given(sequences, arrays, name, place)
    n, length = of.tokens.shape
    if score.shape == (n, 4, length):
        score = score.transpose(0, 2, 1)
    elif score.shape not in ((n, length, 4), (n, length)):
        raise AttributionError(
            f"{where}: scores of shape {score.shape} beside {n:,} sequences of {length:,} bp; give (n, 4, length) or "
            "(n, length, 4) of the same sequences, in their order"
        )
    score = score.astype(np.float64)
    if not np.isfinite(score).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(score))[0])
        raise AttributionError(
            f"{where}: sequence {at[0]}, position {at[1]} has the score {score[at]}; leave that sequence out"
        )
    return _dataset(score, of, {"method": "read", "source": place.name, "scale": scale, "sequences": of.digest}, task)


def _dataset(score: NDArray[np.float64], of: Sequences, attrs: dict[str, Any], task: str) -> xr.Dataset:
    import xarray as xr

    if score.ndim == 3:
        there = np.arange(4) == of.tokens[:, :, None]
        if not score[~there].any():
            score = np.where(there, score, 0).sum(axis=2)
        elif (np.count_nonzero(score, axis=2) <= 1).all():
            row, at = (int(k) for k in np.argwhere((score != 0) & ~there)[0][:2])
            raise AttributionError(
                f"{attrs['source']}: the scores are of one base at each position, and at sequence {row}, position {at} "
                f"it is not the {'ACGT'[of.tokens[row, at]]} that is there: these are maps of other sequences, or in "
                "another order; give those that were explained, in their order, sequences="
            )
    dims = ("unit", "position", "base", "task") if score.ndim == 3 else ("unit", "position", "task")
    coords: dict[str, Any] = {
        "unit": np.arange(len(of)),
        "parent": ("unit", np.asarray(of.names)),
        "position": np.arange(of.length),
        "task": [task],
    }
    if "base" in dims:
        coords["base"] = list("ACGT")
    variables = {"score": (dims, score[..., None]), "observed": (("unit", "position"), of.tokens)}
    return validate(annotate(xr.Dataset(variables, coords, attrs)), "attributions")


def _hdf5_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an HDF5 file that may be scores or sequences, by their path in it."""
    import h5py

    found: dict[str, NDArray[Any]] = {}

    def take(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset) and member.dtype.kind in "fiub" and len(member.shape or ()) == 3:
            found[name] = member[()]

    with opened_hdf5(path) as file:
        file.visititems(take)
    return found


def _score_name(arrays: Mapping[str, NDArray[Any]], key: str | None, path: Path) -> str:
    if key is not None and key not in arrays:
        raise AttributionError(
            f"{path}: key={quoted(key)} is not there; the file has the arrays {quoted(sorted(arrays))}"
        )
    if key is not None:
        return key
    known = next((name for name in _SCORES if name in arrays), None)
    others = [name for name in arrays if name not in _SEQUENCES]
    if known is None and len(others) != 1:
        what = f"has the arrays {quoted(sorted(arrays))}; say which are scores by key=" if others else "has no scores"
        raise AttributionError(f"{path}: {what}")
    return others[0] if known is None else known


def _given(sequences: Any, arrays: Mapping[str, NDArray[Any]], scores: str, path: Path) -> Sequences:
    name = next((name for name in _SEQUENCES if name in arrays and name != scores), None)
    if sequences is not None:
        of = as_sequences(sequences)
        if name is not None:
            _check_same(of, arrays[name], f"{path}: {name}")
        return of
    if name is None:
        raise AttributionError(f"{path}: has scores and no sequences; give those that were explained, sequences=")
    tokens: Tokens = as_letters(arrays[name], None, f"{path}: {name}")
    if (tokens > 3).any():
        row, at = (int(k) for k in np.argwhere(tokens > 3)[0])
        raise AttributionError(
            f"{path}: {name}: sequence {row} has no base at position {at}; leave that sequence out, or give sequences="
        )
    return Sequences(tokens, tuple(range(len(tokens))))


def _check_same(of: Sequences, array: NDArray[Any], place: str) -> None:
    """Raise AttributionError if sequences differ from those of a file, where these have a base."""
    try:
        tokens = as_letters(array, None, place)
    except SequenceError:  # no sequences after all, or of none but soft letters
        return
    if tokens.shape != of.tokens.shape:
        return
    wrong = np.argwhere((tokens <= 3) & (tokens != of.tokens))
    if len(wrong):
        row, at = (int(k) for k in wrong[0])
        raise AttributionError(
            f"{place}: sequence {row} has {'ACGT'[tokens[row, at]]} at position {at}, and sequences= has "
            f"{'ACGT'[of.tokens[row, at]]} ({len(set(wrong[:, 0].tolist())):,} of {len(tokens):,} sequences differ): "
            "leave sequences= out, or give those that were explained, in their order"
        )

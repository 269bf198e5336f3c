"""What an audit says of a network before it asks what it reads: whether its predictions
vary and are the same twice, of which strand they are, and what its shuffles do.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from causalgia._audit.explained import varying
from causalgia._check.findings import Check
from causalgia.errors import PredictorError
from causalgia.predict import Predictor
from causalgia.types import Array, Tokens

COLUMNS = ("check", "status", "value")
_STATUS = {"ok": "pass", "note": "note", "warn": "warn", "FAIL": "fail"}
THROUGHPUT = "predictions per second"
_OF_CHECK = {
    "answers": "sd of predictions",
    "determinism": "same prediction twice",
    "batch-mate independence": "difference between batches, sd",
    "strand symmetry": "difference of the strands, sd",
    "throughput": THROUGHPUT,
}
"""Lines of `causalgia.check` -> what their value is."""


def mean_answers(predictor: Predictor, tokens: Tokens) -> Array:
    """Return predictions, (n, tasks), the mean over members."""
    found = predictor.predict(tokens).astype(np.float64)
    mean: Array = found.reshape(len(tokens), len(predictor.tasks), -1).mean(axis=2)
    return mean


def checked(found: Check, predictions: Array) -> pd.DataFrame:
    """Return the rows of `causalgia.check`, each value that of the worst task.

    Raises
    ------
    PredictorError
        If a check failed: each number of an audit would be wrong.
    """
    failed = [one for one in found.findings if one.state == "FAIL"]
    if failed:
        raise PredictorError(f"{failed[0].name}: {failed[0].text}")
    values = {
        "answers": np.where(varying(predictions), predictions.std(axis=0), 0).min(),
        "determinism": found.deterministic,
        "batch-mate independence": found.batch_mates,
        "strand symmetry": None
        if found.strand_asymmetry is None
        else found.strand_asymmetry.max(),
        "throughput": found.throughput,
    }
    rows = [
        (_OF_CHECK[one.name], _STATUS[one.state], float(value))
        for one in found.findings
        if (value := values.get(one.name)) is not None
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def null_rows(sequences: Array, shuffles: Array, refuted: xr.Dataset) -> pd.DataFrame:
    """Return what shuffles do: the shift of mean predictions in sd of those of sequences,
    in the task where it is largest, and checks of `causalgia.refute`.
    """
    sd = sequences.std(axis=0, ddof=1)
    shift = (shuffles.mean(axis=0) - sequences.mean(axis=0)) / np.where(sd > 0, sd, 1)
    rows = [
        (
            "shift from sequences to their shuffles, sd",
            "note",
            float(shift[np.abs(shift).argmax()]),
        ),
        *(
            (f"{check}: {figure}", str(status), float(value))
            for check, figure, status, value in zip(
                refuted["check"].to_numpy().tolist(),
                refuted["figure"].to_numpy().tolist(),
                refuted["status"].to_numpy().tolist(),
                refuted["value"].to_numpy().tolist(),
                strict=True,
            )
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_rows(contributions: Array) -> pd.DataFrame:
    """Return which positions the maps of sequences read: those where some letter
    contributes to some prediction.

    Parameters
    ----------
    contributions
        (sequences, positions, tasks).

    Examples
    --------
    >>> read_rows(np.array([0.0, 0, 2, 0, 1, 0]).reshape(1, 6, 1))["value"].tolist()
    [2.0, 2.0, 4.0]
    """
    read = np.flatnonzero((contributions != 0).any(axis=(0, 2)))
    rows = [("positions read", "note" if len(read) else "warn", float(len(read)))]
    if len(read):
        rows += [
            ("first position read", "note", float(read[0])),
            ("last position read", "note", float(read[-1])),
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))

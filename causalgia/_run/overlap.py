"""Overlap of a null model and real sequences in the predictor's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design
from causalgia.design.null_model import FromSequences
from causalgia.errors import DesignError, SequenceError
from causalgia.predict import Predictor
from causalgia.sequences.fasta import Sequences, as_sequences
from causalgia.streams import derive
from causalgia.trial.turns import draw_backgrounds

APART = 0.9
"""AUROC, in either direction, from which a note says that null model and real sequences do not overlap."""
_MOST = 200
_NAMED = 3


def auroc(units: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Return the probability that a real sequence scores higher than a unit, ties counting half (Mann-Whitney U / nm).

    Examples
    --------
    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy import stats

    ranks = stats.rankdata(np.concatenate([units, real]))[len(units) :]
    n, m = len(units), len(real)
    return float((ranks.sum() - m * (m + 1) / 2) / (n * m))


def overlap_notes(design: Design, predictor: Predictor, real: Any) -> list[str]:
    """Return a note on tasks in which untreated units and real sequences are separated: AUROC >= .9 or <= .1.

    Up to 200 units, drawn by a key of their own, and up to 200 of the real sequences, spread evenly, are predicted. An
    average effect over units that look unlike every real sequence to the network is an extrapolation.

    Parameters
    ----------
    design, predictor
        The trial.
    real
        Sequences (a path, strings, or a table of names) of the length of the backgrounds; or ``"parents"``, the
        sequences of the null model.

    Raises
    ------
    DesignError
        If `real` is none of these, or of another length.
    PredictorError
        If the predictor cannot answer.
    """
    key = derive(0, "overlap", design.fingerprint)
    units = draw_backgrounds(design, 0, min(_MOST, design.n_units), key=key)
    tokens = _real_tokens(design, real)
    real_answers = predictor.predict(tokens).astype(np.float64)
    unit_answers = predictor.predict(units.tokens).astype(np.float64)
    found = [
        text
        for at in np.ndindex(*real_answers.shape[1:])
        if (text := _separation(unit_answers, real_answers, at, predictor))
    ]
    if not found:
        return []
    more = f"; and {len(found) - _NAMED} more tasks" if len(found) > _NAMED else ""
    return [
        f"the null model and {len(tokens):,} real sequences do not overlap in what the predictor answers to them "
        f"untreated: {'; '.join(found[:_NAMED])}{more}; effects here are effects far from real sequences: repeat the "
        "trial on cg.Genomic(of=...)"
    ]


def _real_tokens(design: Design, real: Any) -> NDArray[np.uint8]:
    """Return up to 200 real sequences, evenly spread."""
    if isinstance(real, str) and real == "parents":
        if not isinstance(design.null, FromSequences):
            raise DesignError(f"real='parents': {design.null.describe()} have none; give sequences: real=[...]")
        given: Sequences = design.null.parents_given
    else:
        try:
            given = as_sequences(real)
        except SequenceError as error:
            raise DesignError(f"real=...: {error}") from error
    if given.length != design.null.length:
        raise DesignError(
            f"real= has sequences of {given.length} bp and the backgrounds have {design.null.length}; cut them alike"
        )
    places = np.unique(np.linspace(0, len(given) - 1, min(len(given), _MOST)).round().astype(int))
    return np.asarray(given.tokens[places])


def _separation(
    units: NDArray[np.float64], real: NDArray[np.float64], at: tuple[int, ...], predictor: Predictor
) -> str:
    one, other = (np.moveaxis(answers, 0, -1)[at] for answers in (units, real))
    area = auroc(one, other)
    if 1 - APART < area < APART:
        return ""
    names = [predictor.tasks[at[0]], *([] if predictor.models is None else [predictor.models[at[1]]])]
    return (
        f"AUROC {area:.2f} in {', '.join(names)} (units {one.mean():.3g}, sd {one.std():.2g}; real {other.mean():.3g}, "
        f"sd {other.std():.2g})"
    )

"""What an experiment found beside its truth: standard errors between them, and verdicts
that are wrong or missed.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg

from .cases import Case

ROWS = 12
# standard errors from a bound of the region beyond which a verdict may not be wrong
CLEAR = 5.0
# standard errors beyond a bound of the region at which a verdict may not be missed, of
# effects of two bounds and more
FAR = 8.0
ERROR = 1e-4
# units that an effect needs, other than the rest, for a standard error to be one
FEW = 8
_EXACT = 1e-12
Results = dict[str, Any]


def found(case: Case, *, n: int = 8_000) -> tuple[cg.experiments.Answer, Results]:
    """Run and analyze a case; return the answer, and what the page says of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", cg.errors.CausalgiaWarning)
        outcomes = cg.run(case.experiment, case.oracle, rng=0, progress=False)
        answer = case.experiment.analyze(outcomes, rng=0)
    truth = case.truth
    if truth is None:
        truth = case.oracle.true_ace(case.experiment, n_units=n)
    results = {
        "design": design_in_words(case),
        "sentences": list(answer.sentences),
        "warned": _once(said),
    }
    return answer, results | against_truth(answer, truth)


def design_in_words(case: Case) -> str:
    """Return arms, contrasts, units and where they are from, in a line."""
    made = case.experiment
    n = len(made.named_contrasts or ())
    return (
        f"{len(made.named_arms):,} arms, {n:,} contrast{'' if n == 1 else 's'}, "
        f"{made.n_units:,} unit{'' if made.n_units == 1 else 's'} of "
        f"{made.drawn.describe()}; on {case.spelled}"
    )


def _once(said: list[warnings.WarningMessage]) -> list[str]:
    return list(
        dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in said)
    )


def against_truth(answer: cg.experiments.Answer, truth: xr.DataArray) -> Results:
    """Return rows of the largest effects, the largest |z| of all contrasts with its
    bound, and the wrong verdicts.

    The bound is Bonferroni's, just above the quantile of the largest of K t statistics
    that it stands for. Contrasts whose effect is the same in all units, or in all but a
    few, have no z: their largest miss is given by itself.
    """
    estimates = answer.estimates.transpose("contrast", "task", ...)
    true = truth.sel(contrast=estimates["contrast"], task=estimates["task"]).transpose(
        "contrast", "task"
    )
    ace, se = (estimates[name].to_numpy() for name in ("ace", "se"))
    off, noise = (
        ace - true.to_numpy(),
        np.hypot(se, true["mcse"].transpose("contrast", "task").to_numpy()),
    )
    exact = (noise <= _EXACT) | _carried_by_few(estimates)
    z = np.divide(off, noise, out=np.zeros_like(off), where=~exact)
    df = estimates["df"].to_numpy() if "df" in estimates else 1e9  # exact: no se
    limit = np.broadcast_to(
        stats.t.ppf(1 - ERROR / (2 * z.size), np.clip(df, 1, 1e9)), z.shape
    )
    worst = np.unravel_index(np.argmax(np.abs(z) - limit), z.shape)
    verdicts = answer.decisions.sel(
        contrast=estimates["contrast"], task=estimates["task"]
    )
    meant = true.to_numpy() + _shared(estimates, off)
    wrong, clear = judged(verdicts, meant, se)
    missed, due = missing(verdicts, meant, ace, se)
    return {
        "rows": _rows(estimates, true, z, exact, verdicts["verdict"].to_numpy()),
        "n_contrasts": int(z.size),
        "largest_z": float(np.abs(z[worst])),
        "limit": float(limit[worst]),
        "n_exact": int(exact.sum()),
        "largest_exact_miss": float(np.abs(off[exact]).max(initial=0.0)),
        "n_clear": int(clear),
        "n_wrong": int(wrong),
        "n_due": int(due),
        "n_missed": int(missed),
        "truth_by": sorted(set(true["method"].to_numpy().ravel().tolist())),
    }


def _carried_by_few(estimates: xr.Dataset) -> np.ndarray | bool:
    """Return which effects are the same in all units but a few, so that their error is
    not normal.
    """
    if "factor" not in estimates:
        return False
    each = estimates["factor"].transpose("contrast", "task", ...).to_numpy()
    usual = np.median(each, axis=-1, keepdims=True)
    return (np.abs(each - usual) > _EXACT).sum(-1) <= FEW


def _shared(estimates: xr.Dataset, off: np.ndarray) -> np.ndarray | float:
    """Return the mean miss of placebos, which moves motifs and the region that
    placebos make alike.
    """
    placebo = (
        estimates["is_placebo"].to_numpy()
        if "is_placebo" in estimates.coords
        else np.zeros(len(off), bool)
    )
    return off[placebo].mean(axis=0) if placebo.any() else 0.0


def judged(decisions: xr.Dataset, truth: np.ndarray, se: np.ndarray) -> tuple[int, int]:
    """Return how many verdicts are wrong and how many were to be judged: those clear of
    both bounds of the region.
    """
    low, high, word = (
        decisions[name].to_numpy() for name in ("rope_lower", "rope_upper", "verdict")
    )
    clear = np.minimum(np.abs(truth - low), np.abs(truth - high)) > CLEAR * se
    inside = "within" if (word == "within").any() else "negligible"
    beyond = np.where(truth < low, "decreases", inside)
    right = np.where(truth > high, "increases", beyond)
    return int((clear & (word != right) & (word != "undecided")).sum()), int(
        clear.sum()
    )


def missing(
    decisions: xr.Dataset, truth: np.ndarray, ace: np.ndarray, se: np.ndarray
) -> tuple[int, int]:
    """Return how many verdicts are missed, and how many effects must have one.

    Those whose truth is two half widths of the region from its middle or more, and
    whose estimate lies 8 standard errors or more beyond the end on that side. Random
    sequences of a screen make the region, and are not asked about.
    """
    low, high, word = (
        decisions[name].to_numpy() for name in ("rope_lower", "rope_upper", "verdict")
    )
    middle = (low + high) / 2
    far = (np.abs(truth - middle) >= high - low) & (truth != middle) & (se > 0)
    due = far & (np.where(truth > high, ace - high, low - ace) >= FAR * se)
    if "is_placebo" in decisions.coords:
        due &= ~decisions["is_placebo"].to_numpy()[:, None]
    return int((due & (word == "undecided")).sum()), int(due.sum())


def _rows(
    estimates: xr.Dataset,
    true: xr.DataArray,
    z: np.ndarray,
    exact: np.ndarray,
    verdicts: np.ndarray,
) -> list[Results]:
    """Return the rows of a few effects: those that answer the question before others,
    the largest first.
    """
    ace = estimates["ace"].to_numpy()
    size = np.abs(ace)
    if "of_question" in estimates.coords:
        asked = estimates["of_question"].to_numpy()[:, None]
        size = size + np.where(asked, size.max() + 1.0, 0.0)
    order = np.argsort(-size, axis=None, kind="stable")[: min(ROWS, ace.size)]
    rows = []
    for i, j in zip(
        *np.unravel_index(np.sort(order) if ace.size <= ROWS else order, ace.shape),
        strict=True,
    ):
        row = estimates.isel(contrast=int(i), task=int(j))
        numbers = {  # an exact effect is its interval
            name: float(row[name if name in row else "ace"])
            for name in ("ace", "se", "lower", "upper")
        }
        named = {
            "contrast": str(row["contrast"].item()),
            "task": str(row["task"].item()),
        }
        seen = {
            "truth": float(true[i, j]),
            "z": None if exact[i, j] else float(z[i, j]),
        }
        rows.append(named | numbers | seen | {"verdict": str(verdicts[i, j])})
    return rows

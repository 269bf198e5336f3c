"""Rows of the validation: observed rates in repeated trials, with the bands of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import special

from causalgia.checks import as_probability
from causalgia.choices import DIRECTIONS, INSIDE
from causalgia.errors import EstimateError
from causalgia.types import Array, Mask

Claim = Literal["exact", "known", "at most", "at least", "fails", "reported"]
#: claim -> whether the band is bounded below and above; "fails" must fall outside a
#: two-sided band
_TAILS: dict[str, tuple[bool, bool]] = {
    "exact": (True, True),
    "known": (True, True),
    "at most": (False, True),
    "at least": (True, False),
    "fails": (True, True),
    "reported": (False, False),
}


@dataclass(frozen=True)
class Row:
    """A share or a mean over trials, with its nominal value and the claim about it.

    Attributes
    ----------
    name
        Name of the quantity.
    value, nominal
        Observed and nominal value.
    n_trials
        Independent trials behind it: the trial is the replicate.
    claim
        ``"exact"`` (two-sided band), ``"known"`` (two-sided, about an empirical value),
        ``"at most"``, ``"at least"`` (one-sided), ``"fails"`` (a method shown to fail:
        outside the two-sided band), ``"reported"`` (no band).
    kind
        ``"share"`` of trials (binomial band), ``"mean"`` over trials (t band), ``"p"``
        of a test of uniformity.
    mcse
        Monte-Carlo standard error of `value`.
    """

    name: str
    value: float
    nominal: float
    n_trials: int
    claim: Claim
    kind: Literal["share", "mean", "p"]
    mcse: float

    def band(self, alpha: float) -> tuple[float, float]:
        """Return the band of `value` at an error rate, if the nominal value holds."""
        low, high = _TAILS[self.claim]
        tail = alpha / (low + high) if low or high else alpha
        below, above = self._ends(tail)
        return (below if low else -np.inf), (above if high else np.inf)

    def _ends(self, tail: float) -> tuple[float, float]:
        if self.kind == "share":
            from scipy.stats import binom

            ends = (
                np.asarray(
                    binom.ppf(np.array([tail, 1 - tail]), self.n_trials, self.nominal)
                )
                / self.n_trials
            )
            return float(ends[0]), float(ends[1])
        if self.kind == "p":
            return tail, 1.0
        half = -float(special.stdtrit(max(self.n_trials - 1, 1), tail)) * self.mcse
        return self.nominal - half, self.nominal + half

    def passes(self, alpha: float) -> bool:
        """Return whether the claim holds: inside the band, or outside for a method
        shown to fail.
        """
        below, above = self.band(alpha)
        inside = below <= self.value <= above
        return not inside if self.claim == "fails" else inside


def share_row(
    name: str, hits: npt.ArrayLike, nominal: float, claim: Claim = "exact"
) -> Row:
    """Return the row of the share of trials with an event.

    Parameters
    ----------
    name
        Name of the event.
    hits
        Whether it happened in each trial, shape ``(n_trials,)``.
    nominal
        Nominal share, 0 to 1.
    claim
        As in `Row`.

    Examples
    --------
    >>> row = share_row("coverage", np.arange(100) < 93, 0.95)
    >>> row.value, row.band(0.05), row.passes(0.05)
    (0.93, (0.9, 0.99), True)
    """
    happened = np.asarray(hits, dtype=bool)
    value = float(happened.mean())
    mcse = float(np.sqrt(value * (1 - value) / happened.size))
    return Row(name, value, nominal, happened.size, claim, "share", mcse)


def mean_row(
    name: str, values: npt.ArrayLike, nominal: float, claim: Claim = "exact"
) -> Row:
    """Return the row of a mean over trials, such as a false-discovery proportion.

    Examples
    --------
    >>> row = mean_row("FDP", [0.0, 0.1, 0.05, 0.05], 0.05, "at most")
    >>> round(row.value, 3), row.passes(0.01)
    (0.05, True)
    """
    x = np.asarray(values, dtype=np.float64)
    mcse = float(x.std(ddof=1) / np.sqrt(x.size)) if x.size > 1 else 0.0
    return Row(name, float(x.mean()), nominal, x.size, claim, "mean", mcse)


def rank_row(
    name: str, ranks: npt.ArrayLike, n_draws: int, claim: Claim = "exact"
) -> Row:
    """Return the row of simulation-based calibration: the p-value that ranks are
    uniform on 0 to n_draws.

    The chi-square test of up to 20 equal bins, one rank for each independent trial.

    Parameters
    ----------
    name
        Name of the parameter.
    ranks
        Number of posterior draws below the truth in each trial, shape ``(n_trials,)``.
    n_draws
        Number of posterior draws in each trial.
    claim
        As in `Row`.

    References
    ----------
    Talts et al. (2018), doi:10.48550/arXiv.1804.06788.

    Examples
    --------
    >>> rank_row("mu", np.arange(1000) % 100, 99).value
    1.0
    """
    counts = np.bincount(np.asarray(ranks, dtype=np.intp), minlength=n_draws + 1)
    parts = np.array_split(
        np.arange(n_draws + 1), min(20, n_draws + 1, max(2, counts.sum() // 5))
    )
    observed = np.array([counts[part].sum() for part in parts])
    expected = counts.sum() * np.array([len(part) for part in parts]) / (n_draws + 1)
    p = float(
        special.chdtrc(len(parts) - 1, ((observed - expected) ** 2 / expected).sum())
    )
    return Row(name, p, 0.5, int(counts.sum()), claim, "p", 0.0)


def rate_table(rows: Sequence[Row], *, alpha: float = 0.001) -> xr.Dataset:
    """Return a table of rows with their bands, at an error rate for the whole table.

    Parameters
    ----------
    rows
        From `share_row`, `mean_row`, `rank_row`; at least one, with different names.
    alpha
        Probability that any row falls outside its band although all nominal values
        hold.

    Returns
    -------
    Dataset
        ``value, nominal, lower, upper, mcse, n_trials, claim, passes (row)``; an open
        end of a band is replaced by the bound of the quantity (0 or 1 for shares and
        p-values).

    Raises
    ------
    EstimateError
        If there is no row, two have the same name, or `alpha` is not a probability.

    Examples
    --------
    >>> table = rate_table([share_row("coverage", np.arange(1000) < 951, 0.95)])
    >>> bool(table["passes"].all()), table["lower"].values.round(3)
    (True, array([0.926]))
    """
    names = [row.name for row in rows]
    if not rows or len(set(names)) < len(names):
        raise EstimateError(
            f"a table needs one or more rows with different names, not {names}"
        )
    alpha = as_probability(alpha, "alpha")
    each = alpha / len(rows)
    bands = np.array([row.band(each) for row in rows])
    least = np.array(
        [min(row.value, row.nominal) if row.kind == "mean" else 0.0 for row in rows]
    )
    most = np.array(
        [max(row.value, row.nominal) if row.kind == "mean" else 1.0 for row in rows]
    )
    columns: dict[str, Any] = {
        name: ("row", np.array([getattr(row, name) for row in rows]))
        for name in ("value", "nominal", "mcse", "n_trials", "claim", "kind")
    }
    for name, ends, bound in (
        ("lower", bands[:, 0], least),
        ("upper", bands[:, 1], most),
    ):
        columns[name] = ("row", np.where(np.isfinite(ends), ends, bound))
    columns["passes"] = ("row", np.array([row.passes(each) for row in rows]))
    return xr.Dataset(
        columns,
        coords={"row": names},
        attrs={"alpha": float(alpha), "alpha_each": each},
    )


def false_claims(
    verdict: npt.NDArray[np.str_], truth: Array, lower: Array, upper: Array
) -> tuple[Mask, Mask]:
    """Return which directions, and which verdicts of negligible, are false: the truth
    is outside the claimed region.

    Examples
    --------
    >>> verdict = np.array(["increases", "negligible", "undecided", "decreases"])
    >>> false_claims(
    ...     verdict, np.array([0.05, 0.2, 0.2, -0.2]), np.full(4, -0.1), np.full(4, 0.1)
    ... )
    (array([ True, False, False, False]), array([False,  True, False, False]))
    """
    up, down = (verdict == one for one in DIRECTIONS)
    direction = (up & (truth <= upper)) | (down & (truth >= lower))
    return direction, np.isin(verdict, INSIDE) & (
        (truth >= upper) | (truth <= lower)
    ) & (lower < upper)

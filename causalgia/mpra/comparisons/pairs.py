"""Elements that are on both sides of a comparison, and what was lost on the way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from causalgia.errors import EstimateError, OutcomesError, quoted
from causalgia.mpra.counts.side_table import CONTROLS, other_library
from causalgia.multiplicity import weighted_bh
from causalgia.types import Array, Codes

LEAST = 10


@dataclass(frozen=True)
class Pair:
    """Effects of n elements on both sides, in one contrast, shape ``(n,)`` each.

    Attributes
    ----------
    elements
        Their names.
    x, sx, y, sy
        Virtual and measured effects, and their standard errors.
    df, p, q
        Of the measured effects: degrees of freedom (inf: normal), two-sided p of no effect, and q of the contrast.
    cluster
        Parent of each element, 0 to G - 1, where any parent has several; else None.
    """

    elements: NDArray[np.str_]
    x: Array
    sx: Array
    y: Array
    sy: Array
    df: Array
    p: Array
    q: Array
    cluster: Codes | None


def without_controls(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a table without the controls of the bench, and how many elements of each group these were.

    Examples
    --------
    >>> table = pd.DataFrame({"element": ["a", "b"], "group": ["test", "negative"]})
    >>> without_controls(table)[1]
    {'negative': 1}
    """
    if "group" not in table.columns:
        return table, {}
    out = table["group"].isin(CONTROLS)
    left = table[out].groupby("group")["element"].nunique()
    return table[~out], {str(group): int(n) for group, n in left.items()}


def pair_of(
    virtual: pd.DataFrame, measured: pd.DataFrame, contrast: str, *, others: bool = False
) -> tuple[Pair, dict[str, Any]]:
    """Match the two sides of one contrast by the names of the elements.

    Parameters
    ----------
    virtual, measured
        As from `causalgia.mpra.comparisons.sides.effects_by_element`, of one contrast.
    contrast
        Its name, for errors.
    others
        Whether there are other contrasts, which an error may advise.

    Returns
    -------
    tuple
        The pair, its elements in the order of the measured side; and the numbers of elements that are only on one side
        or are controls.

    Raises
    ------
    OutcomesError
        If fewer than ten elements are on both sides.
    EstimateError
        If either side does not vary.
    """
    of_all = _with_q(measured)
    virtual, _ = without_controls(virtual)
    of_test, controls = without_controls(of_all)
    both = of_test.merge(virtual, on="element", how="inner", suffixes=("", "_virtual"))
    lost = {
        "only virtual": len(set(virtual["element"]) - set(of_all["element"])),
        "only measured": len(set(of_test["element"]) - set(virtual["element"])),
        "controls": controls,
    }
    _require_enough(both, virtual, of_test, contrast, others)
    return _arrays(both), lost


def _with_q(measured: pd.DataFrame) -> pd.DataFrame:
    """Fill in df, p and Benjamini-Hochberg's q over all elements of the contrast, where they are not given."""
    df = measured["df"].to_numpy(float) if "df" in measured else np.full(len(measured), np.inf)
    df = np.where(np.isfinite(df), df, np.inf)
    if "p" in measured:
        p = measured["p"].to_numpy(float)
    else:
        se = measured["se"].to_numpy(float)
        t = np.abs(measured["effect"].to_numpy(float)) / np.where(se > 0, se, np.finfo(float).tiny)
        p = 2 * special.stdtr(np.where(np.isfinite(df), df, 1e12), -t)
    _require_probabilities(p, "p", measured)
    q = measured["q"].to_numpy(float) if "q" in measured else weighted_bh(p, np.ones_like(p))
    _require_probabilities(q, "q", measured)
    return measured.assign(df=df, p=p, q=q)


def _require_probabilities(values: Array, name: str, measured: pd.DataFrame) -> None:
    good = (values >= 0) & (values <= 1)
    if not good.all():
        i = int(np.argmin(good))
        raise OutcomesError(
            f"measured: {name} of element {quoted(measured['element'].iloc[i])} is {values[i]}, no probability"
        )


def _require_enough(
    both: pd.DataFrame, virtual: pd.DataFrame, measured: pd.DataFrame, contrast: str, others: bool
) -> None:
    if len(both) < LEAST:
        names = [side["element"].iloc[0] if len(side) else "none" for side in (virtual, measured)]
        other = other_library(names[1], virtual["element"])
        if other:
            raise OutcomesError(
                f"{len(both)} elements are both virtual and measured; measured element {quoted(names[1])} is not in "
                f"the virtual trial{other}. Predict the library that was measured: cg.mpra.virtual_trial"
            )
        raise OutcomesError(
            f"{len(both)} elements are both virtual (first: {quoted(names[0])}) and measured (first: "
            f"{quoted(names[1])}), and {LEAST} are needed; the units of the virtual trial have to have the names of "
            "the measured elements"
        )
    for column, side in (("effect_virtual", "virtual"), ("effect", "measured")):
        values = both[column].to_numpy(float)
        if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
            raise EstimateError(
                f"contrast {quoted(contrast)}: all {side} effects are {values[0]:g}, and elements that do not differ "
                "cannot agree"
                + ("; name the others: contrasts={...}" if others else "; compare elements that do differ")
            )


def _arrays(both: pd.DataFrame) -> Pair:
    def column(name: str) -> Array:
        return both[name].to_numpy(float)

    return Pair(
        both["element"].to_numpy().astype(str),
        column("effect_virtual"),
        column("se_virtual"),
        column("effect"),
        column("se"),
        column("df"),
        column("p"),
        column("q"),
        _parents(both),
    )


def _parents(both: pd.DataFrame) -> Codes | None:
    """Return the parent of each element where any has several of them."""
    name = next((c for c in ("parent_virtual", "parent") if c in both.columns), None)
    if name is None:
        return None
    codes, labels = pd.factorize(both[name])
    return np.asarray(codes, dtype=np.intp) if len(labels) < len(codes) else None

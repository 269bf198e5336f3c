"""Many questions: p-values adjusted within a declared family."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.moments import Array, Codes
from causalgia.schema import annotate, validate

Method = Literal["bh", "by", "holm", "hochberg", "bonferroni"]

_STATSMODELS: dict[str, str] = {
    "bh": "fdr_bh",
    "by": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "bonferroni": "bonferroni",
}


def adjust(estimates: xr.Dataset, *, method: Method = "bh", family: str | None = None) -> xr.Dataset:
    """Add p-values adjusted for the number of questions in their family.

    ``"bh"`` and ``"by"`` bound the expected share of false discoveries (BH under positive dependence, BY under any);
    ``"holm"``, ``"hochberg"`` and ``"bonferroni"`` the chance of a single one.

    Parameters
    ----------
    estimates
        From `estimate`, with ``p (contrast, task[, model])``.
    method
        ``"bh"``, ``"by"``, ``"holm"``, ``"hochberg"`` or ``"bonferroni"``.
    family
        What counts as one set of questions: None, all contrasts of one task (and model); the name of a coordinate on
        contrast, whose values are the families inside one task; ``"all"``, every p-value of the Dataset.

    Returns
    -------
    Dataset
        The same with ``p_adjusted (contrast, task[, model])``, and attrs ``adjust`` and ``family``.

    Raises
    ------
    EstimateError
        If the method or family is unknown, or the estimates have no p-values (one unit).

    References
    ----------
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Benjamini & Yekutieli (2001),
    doi:10.1214/aos/1013699998. Holm (1979), www.jstor.org/stable/4615733. Hochberg (1988),
    doi:10.1093/biomet/75.4.800.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[3.0], [2.0]]), "p": (("contrast", "task"), [[0.01], [0.04]])},
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> adjust(estimates, method="holm")["p_adjusted"].values.ravel()
    array([0.02, 0.04])
    """
    validate(estimates, "estimates")
    if method not in _STATSMODELS:
        raise EstimateError(f"method {method!r} is none of {', '.join(_STATSMODELS)}")
    if "p" not in estimates:
        raise EstimateError("the estimates have no p-values, because one unit gives no standard error; use more units")
    p = estimates["p"].to_numpy()
    columns = p.reshape(-1, 1) if family == "all" else p.reshape(len(p), -1)
    codes = np.zeros(len(columns), dtype=np.intp) if family in (None, "all") else _families(estimates, str(family))
    adjusted = np.column_stack([_adjust_families(column, codes, method) for column in columns.T]).reshape(p.shape)
    out = estimates.assign(p_adjusted=(estimates["p"].dims, adjusted))
    out.attrs |= {"adjust": method, "family": _sentence(family, estimates)}
    return validate(annotate(out), "estimates")


def _families(estimates: xr.Dataset, family: str) -> Codes:
    on_contrast = [str(c) for c in estimates.coords if estimates[c].dims == ("contrast",)]
    if family not in on_contrast:
        raise EstimateError(
            f"family {family!r} is neither 'all' nor a coordinate on contrast ({', '.join(on_contrast)})"
        )
    codes = np.asarray(pd.factorize(estimates[family].to_numpy())[0], dtype=np.intp)
    if (codes < 0).any():
        raise EstimateError(
            f"contrast {estimates['contrast'].to_numpy()[np.argmin(codes)]!s} has no {family!r}; fill it in"
        )
    return codes


def _adjust_families(p: Array, codes: Codes, method: str) -> npt.NDArray[np.float64]:
    from statsmodels.stats.multitest import multipletests

    adjusted = np.empty_like(p)
    for family in range(codes.max() + 1):
        adjusted[codes == family] = multipletests(p[codes == family], method=_STATSMODELS[method])[1]
    return adjusted


def _sentence(family: str | None, estimates: xr.Dataset) -> str:
    if family == "all":
        return "all p-values of the table"
    within = "task and model" if "model" in estimates["p"].dims else "task"
    return f"the contrasts of one {within}" + ("" if family is None else f" with the same '{family}'")

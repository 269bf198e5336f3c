"""Many questions: p-values adjusted within a declared family."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, OutcomesError
from causalgia.estimation.moments import Array, Codes
from causalgia.schema import annotate, require_dataset

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
        From `estimate`, or any Dataset with ``p`` on the dim contrast (and task, model). A p that is NaN is no
        question: it is not counted, and stays NaN.
    method
        ``"bh"``, ``"by"``, ``"holm"``, ``"hochberg"`` or ``"bonferroni"``.
    family
        What counts as one set of questions: None, all contrasts of one task (and model); the name of a coordinate on
        contrast, whose values are the families inside one task; ``"all"``, every p-value of the Dataset.

    Returns
    -------
    Dataset
        The same with ``p_adjusted`` on the dims of ``p``, and attrs ``adjust`` and ``family``.

    Raises
    ------
    EstimateError
        If the method or family is unknown, the estimates have no p-values (one unit), or one is not between 0 and 1.
    OutcomesError
        If `estimates` is no Dataset with a dim contrast.

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
    questions = _p_values(estimates)
    if method not in _STATSMODELS:
        raise EstimateError(f"method {method!r} is none of {', '.join(_STATSMODELS)}")
    if not isinstance(family, str | None):
        raise EstimateError(f"family={family!r} is neither None, 'all' nor the name of a coordinate on contrast")
    p = questions.to_numpy().astype(np.float64)
    columns = p.reshape(-1, 1) if family == "all" else p.reshape(len(p), -1)
    codes = np.zeros(len(columns), dtype=np.intp) if family in (None, "all") else _families(estimates, str(family))
    adjusted = np.column_stack([_adjust_families(column, codes, method) for column in columns.T]).reshape(p.shape)
    out = estimates.assign(p_adjusted=questions.copy(data=adjusted).drop_attrs().transpose(*estimates["p"].dims))
    out.attrs |= {"adjust": method, "family": _sentence(family, questions)}
    return annotate(out)


def _p_values(estimates: xr.Dataset) -> xr.DataArray:
    """Return p with contrast as its first dim, each NaN or between 0 and 1."""
    require_dataset(estimates, "estimates")
    if "contrast" not in estimates.dims:
        raise OutcomesError("estimates: no dim 'contrast'; a Dataset from cg.estimate has it")
    if "p" not in estimates:
        raise EstimateError("the estimates have no p-values, because one unit gives no standard error; use more units")
    p = estimates["p"]
    if "contrast" not in p.dims or p.dtype.kind != "f":
        raise OutcomesError(f"estimates: 'p' has dims {p.dims} and dtype {p.dtype}, not floats on the dim contrast")
    if p.size == 0:
        raise EstimateError("the estimates have no contrasts (or tasks); the selection before adjust left none")
    p = p.transpose("contrast", ...)
    wrong = np.argwhere(((p < 0) | (p > 1)).to_numpy())
    if len(wrong):
        k = wrong[0][0]
        name = p["contrast"].to_numpy()[k]
        raise EstimateError(f"contrast {name!s}: p is {p.to_numpy()[tuple(wrong[0])]!s}, not between 0 and 1")
    return p


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

    adjusted = np.full_like(p, np.nan)
    for family in range(codes.max() + 1):
        asked = (codes == family) & ~np.isnan(p)
        if asked.any():
            adjusted[asked] = multipletests(p[asked], method=_STATSMODELS[method])[1]
    return adjusted


def _sentence(family: str | None, p: xr.DataArray) -> str:
    if family == "all":
        return "all p-values of the table"
    within = " and ".join(str(dim) for dim in p.dims[1:])
    return f"the contrasts of {f'one {within}' if within else 'the table'}" + (
        "" if family is None else f" with the same '{family}'"
    )

"""Effects of elements as a fit, and what a report says of it as its variables: q of
each effect, and for each contrast its effects up and down, their average, and those of
control oligos.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about, attributes
from causalgia.effect_table import EffectTable
from causalgia.mpra.counts.counts_table import CONTROLS, library_attrs
from causalgia.mpra.fits._average import average
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.types import Array, Mask

_OF_AVERAGE = {
    "ace": "average",
    "lower": "average_lower",
    "upper": "average_upper",
    "tau": "sd_effects",
}


def effects_dataset(
    counts: xr.Dataset,
    estimates: tuple[Array, Array, Array],
    measured: Mask,
    ci_prob: float,
    *,
    variables: Mapping[str, Any],
    coords: Mapping[str, Any],
    group: NDArray[Any],
    attrs: Mapping[str, Any],
) -> EffectTable:
    """Return effects of elements with their intervals and p.

    Parameters
    ----------
    counts
        Their counts.
    estimates
        Effects, errors and degrees of freedom, shape ``(E, K)``.
    measured
        Which of these there are, shape ``(E, K)``; the others are NaN.
    ci_prob
        Probability of the intervals.
    variables, coords, attrs
        Besides those that all fits have; `coords` with ``element`` and ``contrast``.
    group
        Group of each element.
    """
    dims = ("element", "contrast")
    ace, se, df = (
        np.ascontiguousarray(np.where(measured, x, np.nan), np.float64)
        for x in estimates
    )
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns: dict[str, NDArray[Any]] = {"ace": ace, "se": se, "df": df}
    columns |= {"lower": lower, "upper": upper, "p": p}
    columns["log_p"] = np.where(measured, log_p(ace, se, df), np.nan)
    columns |= {} if measured.all() else {"measured": measured}
    control = np.isin(group.astype(str), CONTROLS)
    # negative controls are placebos, and no control answers the question
    marks = {"of_question": ~control, "is_placebo": group.astype(str) == "negative"}
    return EffectTable(
        {**{name: (dims, x) for name, x in columns.items()}, **variables},
        coords={
            **coords,
            "group": ("element", group),
            **{n: ("element", x) for n, x in marks.items() if control.any()},
        },
        attrs={
            **library_attrs(counts),
            **attributes(
                scale="log2",
                ci_prob=ci_prob,
                effect_on="measured activity",
                n_replicates=counts.sizes["replicate"],
            ),
            **attrs,
        },
    )


def asked_elements(fit: xr.Dataset) -> Mask:
    """Return the mask of the elements that are no controls of the bench; of controls
    alone, all.
    """
    control = np.isin(fit["group"].to_numpy().astype(str), CONTROLS)
    return ~control if not control.all() else control


def with_summary(fit: xr.Dataset) -> xr.Dataset:
    """Return a fit with what its report says, at the level 1 - ci_prob.

    Parameters
    ----------
    fit
        ``ace, se, p (element, contrast)``, in this order of dims. A ``q`` that is there
        stays, so that of a selection it is that of the whole family.

    Returns
    -------
    Dataset
        ``q (element, contrast)``, Benjamini and Hochberg's over the effects of all
        contrasts, NaN of control oligos; and for each contrast ``n_elements``, ``n_up``
        and ``n_down`` with q at the level, ``median_se``, ``average`` with
        ``average_lower, average_upper`` and the sd of true effects between elements,
        ``sd_effects`` (NaN of fewer than two); and
        ``n_controls, n_controls_changed (control, contrast)``, those with p below the
        level.
    """
    ace, se, p = (fit[name].to_numpy() for name in ("ace", "se", "p"))
    level = 1 - float(about(fit).ci_prob)
    known, test = np.isfinite(p), asked_elements(fit)
    asked = known & test[:, None]
    if "q" not in fit:
        q = np.full(p.shape, np.nan)
        q[asked] = stepwise(p[asked], "bh")
        fit = fit.assign(q=(("element", "contrast"), q))
    hit = fit["q"].to_numpy() <= level * (1 + 1e-9)
    groups = fit["group"].to_numpy().astype(str)
    kinds = list(dict.fromkeys(groups[~test].tolist()))
    own = [(groups == kind)[:, None] & known for kind in kinds]
    columns = {
        "n_elements": asked.sum(axis=0),
        "n_up": (hit & (ace > 0)).sum(axis=0),
        "n_down": (hit & (ace < 0)).sum(axis=0),
        "median_se": np.nanmedian(np.where(known.any(axis=0), se, 0.0), axis=0),
    }
    of_average = dict.fromkeys(_OF_AVERAGE.values(), np.full(p.shape[1], np.nan))
    if asked.sum(axis=0).max(initial=0) > 1 and (se[asked] > 0).all():
        of = fit.isel(element=test).drop_vars("group")
        mean = average(of, by=None, ci_prob=1 - level)
        of_average = {
            name: mean[column].to_numpy()[0] for column, name in _OF_AVERAGE.items()
        }
    fit = fit.assign({n: (("contrast",), x) for n, x in (columns | of_average).items()})
    if not kinds:
        return fit
    return fit.assign(
        n_controls=(("control", "contrast"), np.array([x.sum(axis=0) for x in own])),
        n_controls_changed=(
            ("control", "contrast"),
            np.array([(x & (p < level)).sum(axis=0) for x in own]),
        ),
    ).assign_coords(control=kinds)

"""The true average causal effect of each contrast: in closed form where positions are independent, else by large n."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import xarray as xr
from numpy.typing import NDArray

from causalgia.design import Design, Genomic, Intervention, Untreated
from causalgia.design.contrasts import Contrasts, contrasts_of
from causalgia.errors import ContrastError, DesignError, quoted
from causalgia.streams import RNG
from causalgia.types import Array
from causalgia.zoo.expecting import exact_means
from causalgia.zoo.numbers import whole
from causalgia.zoo.simulated import simulated_effects

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle


def true_ace(
    oracle: Oracle,
    design: Design,
    control: str | None = None,
    *,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
    n: int = 200_000,
    rng: RNG = 0,
) -> xr.DataArray:
    """Return the true ACE of each contrast, ``E[sum over arms of weight * Y(arm)]`` over the null model.

    Exact for each contrast and task whose expectations have a closed form: where the null model's positions are
    independent (`Uniform`, `Profile`, `Markov` of order 0), an arm makes of them a mixture of independent
    positions, and the expectation of a term is a sum over windows. Under `Genomic`, arms that draw nothing are
    averaged over all its sequences. Elsewhere the mean individual effect of `n` units from a stream of its own;
    where units have parents, each parent equally often.

    Parameters
    ----------
    oracle
        The predictor.
    design
        The trial; its `n_units` and assignment do not matter here, and every parent counts alike.
    control
        Name of the arm that is subtracted from each of the others. None, and no `contrasts`: the contrasts that the
        design names; where it names none, the arm that is `Untreated` where there is just one, else the first arm.
        ``attrs["control_is"]`` says which it was.
    contrasts
        Contrast -> arm -> weight, weights that sum to 0, instead of a control.
    n
        Units for contrasts without a closed form.
    rng
        Which units those are; a fixed choice, and apart from every trial's own streams.

    Returns
    -------
    DataArray
        The ACE on the oracle's scale, (contrast, task); contrasts against a control are named after their treatment
        arm. Coordinates: ``method (contrast, task)``, "closed form", "enumeration" or "large n"; ``mcse (contrast,
        task)``, the Monte-Carlo standard error, 0 where exact.

    Raises
    ------
    ContrastError
        If the design has no arm of a name, weights do not sum to 0, or both a control and contrasts are given.
    PredictorError
        If the oracle does not answer sequences of the arms' lengths.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41),
    ...     arms=cg.factorial({"A": cg.Embed("UGCAUG", at=9), "B": cg.Embed("UGCAUG", at=20)}),
    ...     n_units=100,
    ... )
    >>> additive = cg.zoo.oracle("additive")
    >>> float(additive.true_ace(design, control="untreated").sel(contrast="A").squeeze().round(4))
    3.0217
    >>> both = {"A x B": {"A + B": 1, "A": -1, "B": -1, "untreated": 1}}
    >>> abs(additive.true_ace(design, contrasts=both).item()) < 1e-9
    True
    """
    asked = _asked(design, control, contrasts)
    n = whole(n, "n", least=2)
    weights = _weights(asked.contrasts, design.arm_names)
    used = np.unique(weights.indices)
    arms, weights = [design.named_arms[i].intervention for i in used], weights[:, used]
    ace = weights @ exact_means(oracle, design.null, arms)
    mcse, method = np.zeros(ace.shape), np.full(ace.shape, "closed form", dtype="<U11")
    missing = np.isnan(ace)
    for how, rows in _inexact(design, weights, arms, missing).items():
        drawn = simulated_effects(oracle, design.null, arms, weights[rows], n=n, rng=rng)
        for table, found in ((ace, drawn.mean), (mcse, drawn.mcse), (method, np.array(how))):
            table[rows] = np.where(missing[rows], found, table[rows])
    return _labelled(oracle, design, asked, ace, mcse, method)


@dataclass(frozen=True)
class Asked:
    """The contrasts whose truth is asked, and the control where each is an arm against it, with why it is that arm."""

    contrasts: Contrasts
    control: str | None = None
    why: str = ""


def _asked(design: Design, control: str | None, contrasts: Mapping[str, Mapping[str, float]] | None) -> Asked:
    if control is not None and contrasts is not None:
        raise ContrastError("give control= or contrasts=, not both: contrasts name the arms that they subtract")
    if control is not None:
        return _against(control, design, "as given")
    if contrasts is not None:
        return Asked(_checked(contrasts, design))
    if design.named_contrasts is None:
        return _against(*_default_control(design))
    control = design.named_contrasts.control_of(design.arm_names)
    return Asked(design.named_contrasts, control, "the design's")


def _checked(contrasts: Mapping[str, Mapping[str, float]], design: Design) -> Contrasts:
    try:
        return contrasts_of(contrasts, design.arm_names)
    except DesignError as error:
        raise ContrastError(str(error)) from error


def _against(control: str, design: Design, why: str) -> Asked:
    if control not in design.arm_names:
        arms = ", ".join(design.arm_names)
        raise ContrastError(f"control {quoted(control)} is not an arm of the design; its arms are {arms}")
    return Asked(contrasts_of(control, design.arm_names), control, why)


def _default_control(design: Design) -> tuple[str, Design, str]:
    """Return the control of a design that names none, and why it is that arm."""
    untreated = [arm.name for arm in design.named_arms if isinstance(arm.intervention, Untreated)]
    if len(untreated) == 1:
        return untreated[0], design, "the only untreated arm"
    return design.arm_names[0], design, "the first arm"


def _weights(asked: Contrasts, names: list[str]) -> Any:
    """Return the weight of each arm in each contrast, (contrasts, arms), sparse."""
    column = {name: i for i, name in enumerate(names)}
    entries = [(i, column[arm], weight) for i, (_, row) in enumerate(asked.rows) for arm, weight in row]
    rows, columns, values = zip(*entries, strict=True)
    return sp.csr_array((values, (rows, columns)), shape=(len(asked), len(names)))


def _inexact(
    design: Design, weights: Any, arms: list[Intervention], missing: NDArray[np.bool_]
) -> dict[str, NDArray[np.int64]]:
    """Return the contrasts without a closed form in some task, by how they are found."""
    draws = np.array([arm.random for arm in arms], float)
    drawn = (abs(weights) @ draws > 0) if isinstance(design.null, Genomic) else np.ones(len(missing), bool)
    rows = missing.any(axis=1)
    found = {"enumeration": np.flatnonzero(rows & ~drawn), "large n": np.flatnonzero(rows & drawn)}
    return {how: which for how, which in found.items() if len(which)}


def _labelled(
    oracle: Oracle, design: Design, asked: Asked, ace: Array, mcse: Array, method: NDArray[np.str_]
) -> xr.DataArray:
    dims = ("contrast", "task")
    coords = {
        "contrast": list(asked.contrasts),
        "task": list(oracle.tasks),
        "mcse": (dims, mcse),
        "method": (dims, method),
    }
    of = "weighted sum of Y(arm)" if asked.control is None else f"Y(arm) - Y({asked.control})"
    attrs = {
        "estimand": f"E[{of}] over {design.null.describe()}",
        **({} if asked.control is None else {"control": asked.control, "control_is": asked.why}),
        "scale": oracle.scale,
        "predictor_fingerprint": oracle.fingerprint,
        "design_fingerprint": design.fingerprint,
    }
    return xr.DataArray(ace, dims=dims, name="true_ace", coords=coords, attrs=attrs)

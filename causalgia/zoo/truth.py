"""The true average causal effect of each arm: in closed form where positions are independent, else by large n."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from causalgia.design import Design, Genomic, Intervention, KletShuffle, NullModel, Untreated
from causalgia.errors import ContrastError
from causalgia.sequences.records import as_sequences
from causalgia.streams import RNG, derive, root_key
from causalgia.zoo.automaton import NoClosedForm
from causalgia.zoo.mixtures import mixture, null_columns
from causalgia.zoo.numbers import whole
from causalgia.zoo.windows import Columns, Numbers

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle

_COMPONENTS_AT_ONCE, _UNITS_AT_ONCE = 256, 8_192


def true_ace(
    oracle: Oracle, design: Design, control: str | None = None, *, n: int = 200_000, rng: RNG = 0
) -> xr.DataArray:
    """Return the true ACE of each arm against the control, ``E[Y(arm) - Y(control)]`` over the null model.

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
        Name of the arm that is subtracted. None: the arm that is `Untreated` where there is just one, else the
        first arm; ``attrs["control_is"]`` says which it was.
    n
        Units for contrasts without a closed form.
    rng
        Which units those are; a fixed choice, and apart from every trial's own streams.

    Returns
    -------
    DataArray
        The ACE on the oracle's scale, (contrast, task); contrasts are named after their treatment arm. Coordinates:
        ``method (contrast, task)``, "closed form", "enumeration" or "large n"; ``mcse (contrast, task)``, the
        Monte-Carlo standard error, 0 where exact.

    Raises
    ------
    ContrastError
        If the design has no arm of that name.
    PredictorError
        If the oracle does not answer sequences of the arms' lengths.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41),
    ...     arms={"control": cg.Untreated(), "UGCAUG": cg.Embed("UGCAUG", at=17)},
    ...     n_units=100,
    ... )
    >>> float(cg.zoo.oracle("additive").true_ace(design, control="control").sel(contrast="UGCAUG").squeeze().round(4))
    3.0217
    """
    arms = {arm.name: arm.intervention for arm in design.named_arms}
    control, why = _control(arms) if control is None else (control, "as given")
    if control not in arms:
        raise ContrastError(f"control '{control}' is not an arm of the design; its arms are {', '.join(arms)}")
    n = whole(n, "n", least=2)
    treatments = [name for name in arms if name != control]
    exact = {name: _exact_mean(oracle, design.null, arm) for name, arm in arms.items()}
    ace = np.array([exact[name] - exact[control] for name in treatments])
    mcse, method = np.zeros(ace.shape), np.full(ace.shape, "closed form", dtype="<U11")
    missing = np.isnan(ace)
    for how in ("enumeration", "large n"):
        rows = [
            i for i in np.flatnonzero(missing.any(axis=1)) if _how(design.null, arms, control, treatments[i]) == how
        ]
        if rows:
            drawn = _simulate(oracle, design.null, [arms[control], *(arms[treatments[i]] for i in rows)], n, rng)
            for table, found in ((ace, drawn.mean), (mcse, drawn.mcse), (method, np.array(how))):
                table[rows] = np.where(missing[rows], found, table[rows])
    return _labelled(oracle, design, control, ace, mcse, method).assign_attrs(control_is=why)


def _control(arms: Mapping[str, Intervention]) -> tuple[str, str]:
    """Return the control of a design that names none, and why it is that arm."""
    untreated = [name for name, arm in arms.items() if isinstance(arm, Untreated)]
    if len(untreated) == 1:
        return untreated[0], "the only untreated arm"
    return next(iter(arms)), "the first arm"


def _how(null: NullModel, arms: dict[str, Intervention], control: str, treatment: str) -> str:
    draws = arms[control].random or arms[treatment].random
    return "enumeration" if isinstance(null, Genomic) and not draws else "large n"


def _exact_mean(oracle: Oracle, null: NullModel, intervention: Intervention) -> Numbers:
    """Return the exact expected outcome in each task, NaN where there is no closed form."""
    try:
        columns = mixture(intervention, null_columns(null)).columns
    except NoClosedForm:
        return np.full(len(oracle.tasks), np.nan)
    oracle.check(columns.shape[1])
    return np.array([_task_mean(oracle, columns, task) for task in oracle.tasks])


def _task_mean(oracle: Oracle, columns: Columns, task: str) -> float:
    starts = range(0, len(columns), _COMPONENTS_AT_ONCE)
    try:
        parts = [oracle.expected(columns[start : start + _COMPONENTS_AT_ONCE], task) for start in starts]
    except NoClosedForm:
        return np.nan
    return float(np.concatenate(parts).mean())


class _Moments:
    """Mean and variance of individual effects within each parent, added up unit by unit.

    Parameters
    ----------
    parents
        Number of parents; unit i has parent i mod `parents`.
    shift
        Numbers near the effects, (contrasts, tasks): sums are of differences from them.
    """

    def __init__(self, parents: int, shift: Numbers) -> None:
        self.parents, self.shift, self.n = parents, shift, 0
        self.sums, self.squares = (np.zeros((parents, *shift.shape)) for _ in range(2))

    def add(self, ice: Numbers) -> None:
        """Take the effects of the next units, (units, contrasts, tasks)."""
        parent = (self.n + np.arange(len(ice))) % self.parents
        np.add.at(self.sums, parent, ice - self.shift)
        np.add.at(self.squares, parent, (ice - self.shift) ** 2)
        self.n += len(ice)

    @property
    def mean(self) -> Numbers:
        """Mean effect, every parent alike, (contrasts, tasks)."""
        mean: Numbers = self.shift + self.sums.sum(axis=0) / self.n
        return mean

    @property
    def mcse(self) -> Numbers:
        """Standard error of that mean from the spread within parents, (contrasts, tasks)."""
        each = self.n // self.parents
        if each == 1:
            return np.zeros(self.shift.shape)
        spread = np.maximum(self.squares - self.sums**2 / each, 0).sum(axis=0) / (each - 1)
        mcse: Numbers = np.sqrt(spread / each) / self.parents
        return mcse


def _simulate(oracle: Oracle, null: NullModel, arms: list[Intervention], n: int, rng: RNG) -> _Moments:
    """Return the moments of the individual effects of the arms against the first of them."""
    null, parents, each = _population(null, n, random=any(arm.random for arm in arms))
    key, total = derive(root_key(rng), "true ACE"), parents * each
    moments: _Moments | None = None
    for start in range(0, total, _UNITS_AT_ONCE):
        units = np.arange(start, min(start + _UNITS_AT_ONCE, total), dtype=np.uint64)
        tokens = null.draw(units, key=derive(key, "null"), n_units=total)
        control, *treated = (oracle.predict(arm.apply(tokens, units=units, key=key)) for arm in arms)
        ice = np.stack(treated, axis=1) - control[:, None]
        moments = moments or _Moments(parents, ice[0])
        moments.add(ice)
    assert moments is not None
    return moments


def _population(null: NullModel, n: int, *, random: bool) -> tuple[NullModel, int, int]:
    """Return what to draw from, its number of parents (1 where units have none), and the units of each parent."""
    parents = len(as_sequences(null.of)) if isinstance(null, KletShuffle | Genomic) else 1
    each = max(2, -(-n // parents))
    if not isinstance(null, Genomic):
        return null, parents, each
    each = each if random else 1
    return Genomic(of=null.of, draws=each), parents, each


def _labelled(
    oracle: Oracle, design: Design, control: str, ace: Numbers, mcse: Numbers, method: np.ndarray
) -> xr.DataArray:
    contrasts = [arm.name for arm in design.named_arms if arm.name != control]
    dims = ("contrast", "task")
    return xr.DataArray(
        ace,
        dims=dims,
        name="true_ace",
        coords={
            "contrast": contrasts,
            "task": list(oracle.tasks),
            "mcse": (dims, mcse),
            "method": (dims, method),
        },
        attrs={
            "estimand": f"E[Y(arm) - Y({control})] over {design.null.describe()}",
            "control": control,
            "scale": oracle.scale,
            "predictor_fingerprint": oracle.fingerprint,
            "design_fingerprint": design.fingerprint,
        },
    )

"""Regions of practical equivalence (ROPE): given in numbers, in sd of the control, or
by placebos.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about, attributes, has
from causalgia.checks import four_digits
from causalgia.choices import (
    NEGLIGIBLE,
    PLACEBO_ROPES,
    ROPES_OF_DATA,
    WITHIN,
    RegionKind,
    placebos_for_ranks,
)
from causalgia.effect_table import of_effects
from causalgia.effects.scales import FUNCTION
from causalgia.errors import (
    NAMES_LISTED,
    EstimateError,
    first_of,
    quoted,
)
from causalgia.estimation._from_effects import with_aligned_covariance
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import check_has_errors
from causalgia.multiplicity.placebo import (
    placebo_classes,
    placebo_fences,
    placebo_region,
    tasks_without_scale,
)
from causalgia.ropes import Rope
from causalgia.types import Array, Codes, Mask

Words: TypeAlias = npt.NDArray[np.str_]
_FEW_TASKS = 3
# of the control: the least half width of a share of the largest effect
LEAST_SD = 0.2


@dataclass(frozen=True)
class Region:
    """A region for each effect.

    Attributes
    ----------
    lower, upper
        Its ends, of the shape of the effects, on their scale; both are no effect (0; 1
        for ratios) for directions alone, or the one effect of all placebos.
    label
        Description of the region.
    kind
        What makes it: numbers that were stated, the control's sd, or data.
    sd
        Half its width in sd of the control, of a region in these.
    n_placebos
        How many placebos made it, of several widths the fewest.
    """

    lower: Array
    upper: Array
    label: str
    kind: RegionKind = "stated"
    sd: float | None = None
    n_placebos: int | None = None

    def attributes(self) -> dict[str, Any]:
        """Return what decisions say of the region."""
        known = {"rope_sd": self.sd, "rope_placebos": self.n_placebos}
        return attributes(
            rope=self.label,
            rope_kind=self.kind,
            **{name: value for name, value in known.items() if value is not None},
        )

    @property
    def of_placebos(self) -> bool:
        """Whether it comes from placebos, most of which then lie inside by
        construction.
        """
        return self.kind in PLACEBO_ROPES

    @property
    def by_rank(self) -> bool:
        """Whether a direction also has to hold by rank among the placebos, of which 5
        % lie outside.
        """
        return self.kind == "placebo"

    @property
    def direction_only(self) -> Mask:
        """Whether only the direction of an effect from a point is decided, of the shape
        of the effects.
        """
        return np.asarray(self.lower == self.upper)


def rope_region(rope: Rope, effects: xr.Dataset, null: float) -> Region:
    """Return the region of practical equivalence of each effect.

    Parameters
    ----------
    rope
        Region of practical equivalence.
    effects
        ``ace`` on (contrast, task[, model]), and what the rope needs: ``control_sd``,
        or ``se`` and placebos.
    null
        No effect, the center of regions in sd.

    Raises
    ------
    EstimateError
        If it is impossible: without 1 on a scale of ratios, or the effects lack what it asks for, such as 40 placebos.
    EstimateError
        If a region of placebos is asked of estimates without standard errors.

    Examples
    --------
    >>> one = xr.Dataset({"ace": (("contrast", "task"), [[1.0]])})
    >>> rope_region(Rope.parse((-0.1, 0.1)), one, 0.0).label
    '-0.1 to 0.1'
    """
    ace = effects["ace"]
    if rope.kind == "sd":
        return _region_in_sd(rope, effects, null)
    if rope.kind == "largest":
        return _region_of_largest(rope, effects, null)
    if rope.of_placebos:
        return _placebo_region(effects, rope)
    if rope.kind == "matched":
        raise EstimateError(
            "rope='matched' is the range of matched null variants, which these "
            "effects have none of: it belongs to cg.experiments.variants",
            argument="rope",
        )
    tasks = [str(task) for task in ace["task"].to_numpy()] if "task" in ace.dims else []
    ends = rope.ends(tasks or [""], null)
    pairs = np.array(ends).T.reshape(2, 1, -1, *[1] * (ace.ndim - 2))
    lower, upper = np.broadcast_to(pairs, (2, *ace.shape))
    if rope.kind == "by task":  # in the order of the tasks
        rope = Rope(rope.kind, tuple(zip(tasks, ends, strict=True)))
    if rope.kind == "direction":
        return Region(lower, upper, f"{null:g}", "direction")
    return Region(lower, upper, str(rope))


def _range_label(low: float, high: float) -> str:
    return f"{four_digits(low)} to {four_digits(high)}"


def _region_in_sd(parsed: Rope, effects: xr.Dataset, null: float) -> Region:
    rope, n_sd = parsed.value, parsed.share
    if "control_sd" not in effects:
        why, scale = (
            "which cg.contrast adds and a table of effects lacks",
            about(effects, None).transform,
        )
        if scale == FUNCTION:
            why = "and a function of four means is not in sd of an outcome"
        raise EstimateError(
            f"rope={quoted(rope)} needs the sd of the control arm's outcomes "
            f"(control_sd), {why}",
            argument="rope",
        )
    arm = about(effects, "the control arm").control_sd_of
    of_tasks = "the contrast of tasks in " if has(effects).task_weights else ""
    sd = of_effects(effects, "control_sd")
    if not (sd > 0).all():
        k, t = np.argwhere(~(sd > 0))[0][:2]
        name = effects["contrast"].to_numpy()[k] if "contrast" in effects.coords else k
        task = (
            f" (task {effects['task'].to_numpy()[t]!s})"
            if "task" in effects.coords
            else ""
        )
        raise EstimateError(
            f"contrast {name}: {arm}'s outcomes do not vary{task}, so that "
            f"rope={quoted(rope)} has no width",
        )
    half = n_sd * sd
    of_mean = f" (relative to its mean) about {null:g}" if null else ""
    label = (
        f"{n_sd:g} sd of {of_tasks}{arm}{of_mean} = {_half_widths_text(half, effects)}"
    )
    return Region(null - half, null + half, label, "sd", sd=n_sd)


def _region_of_largest(rope: Rope, effects: xr.Dataset, null: float) -> Region:
    """Return the region of a share of the largest effect of a task, over contrasts
    marked ``single`` where some are; at least `LEAST_SD` sd of the control.
    """
    ace = effects["ace"]
    single = (
        effects["single"].to_numpy()
        if "single" in effects.coords
        else np.full(effects.sizes["contrast"], True)
    )
    share = rope.share * abs(ace.isel(contrast=single) - null).max("contrast")
    half = share.broadcast_like(ace).transpose(*ace.dims).to_numpy()
    if "control_sd" in effects:
        sd = of_effects(effects, "control_sd")
        half = np.maximum(half, LEAST_SD * sd)
    if not (half > 0).all():
        raise EstimateError(
            f"rope={quoted(rope.value)} has no width: no effect differs from {null:g}, and "
            "the control's outcomes are one value; give two numbers, such as (-0.1, 0.1)",
            argument="rope",
        )
    least = f", at least {LEAST_SD:g} sd," if "control_sd" in effects else ""
    label = (
        f"{rope.share:g} of the largest {'single ' * ('single' in effects.coords)}effect"
        f"{least} = {_half_widths_text(half, effects)}"
    )
    return Region(null - half, null + half, label, "largest")


def _half_widths_text(half: Array, effects: xr.Dataset) -> str:
    """Return "±0.123", or "±0.123 (K562), ±0.2 (HepG2)"; the range if more than three
    tasks, or contrasts, differ.
    """
    texts = np.vectorize(four_digits)(
        np.moveaxis(half, 1, 0).reshape(half.shape[1], -1)
    )
    if (texts == texts[0, 0]).all():
        return f"±{texts[0, 0]}"
    if (
        (texts == texts[:, :1]).all()
        and len(texts) <= _FEW_TASKS
        and "task" in effects.coords
    ):
        return ", ".join(
            f"±{x} ({task})"
            for x, task in zip(texts[:, 0], effects["task"].to_numpy(), strict=True)
        )
    return f"±{_range_label(half.min(), half.max()).replace(' to ', ' to ±')}"


def in_words_of(region: Region, verdict: Words) -> Words:
    """Return verdicts in the words of the region: inside of one from data an effect is
    "within", not "negligible".

    Examples
    --------
    >>> region = Region(np.zeros(2), np.ones(2), "40 placebos", "placebo")
    >>> in_words_of(region, np.array(["increases", "negligible"])).tolist()
    ['increases', 'within']
    """
    if region.kind not in ROPES_OF_DATA:
        return verdict
    return np.where(verdict == NEGLIGIBLE, WITHIN, verdict)


@contextmanager
def placebo_errors(rope: str) -> Iterator[None]:
    """Raise the errors of a region of placebos as errors of the rope that asks for
    it.

    Examples
    --------
    >>> with placebo_errors("placebo"):
    ...     raise EstimateError("there are 0 placebos")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: rope='placebo': there are 0 placebos
    """
    try:
        yield
    except EstimateError as error:
        raise EstimateError(
            f"rope={quoted(rope)}: {error}",
            argument="rope",
        ) from None


def _placebo_region(effects: xr.Dataset, parsed: Rope) -> Region:
    if (
        "covariance" in effects and "se" in effects
    ):  # the se of a posterior are those of normal scores
        matrix = (
            with_aligned_covariance(effects)["covariance"]
            .transpose("contrast", "contrast_", ...)
            .to_numpy()
        )
        variances = np.moveaxis(np.diagonal(matrix, axis1=0, axis2=1), -1, 0)
        effects = effects.assign(
            se=(effects["ace"].dims, np.sqrt(np.maximum(variances, 0.0)))
        )
    check_has_errors(effects)
    fewest = effects.sizes["contrast"]
    lower, upper = np.empty(effects["ace"].shape), np.empty(effects["ace"].shape)
    classes, outliers = (
        placebo_classes(effects),
        parsed.kind == "placebo outliers",
    )
    if not outliers:
        _check_ranks(effects, classes)
    for rows in classes:
        own = effects.isel(contrast=rows)
        with placebo_errors(parsed.value):
            found = placebo_fences(own) if outliers else placebo_region(own)
        lower[rows], upper[rows] = found["lower"].to_numpy(), found["upper"].to_numpy()
        fewest = min(fewest, int(found["n_placebos"]))
    placebos = (
        f"{fewest} placebos"
        if len(classes) == 1
        else f"{fewest} or more placebos of each width"
    )
    if outliers:
        label = (
            f"five robust sd about the median of {placebos}, or their outermost on a "
            "side where these have one effect"
        )
        return Region(lower, upper, label, "placebo outliers", n_placebos=fewest)
    label = f"the central 95 % of {placebos}"
    return Region(lower, upper, label, "placebo", n_placebos=fewest)


def _check_ranks(effects: xr.Dataset, classes: list[Codes]) -> None:
    """Raise EstimateError where no contrast of the question could be found by its rank
    among the placebos of its class.
    """
    placebo = is_placebo(effects)
    asked = ~placebo
    if "of_question" in effects.variables:
        asked &= effects["of_question"].to_numpy()
    k, m = int(asked.sum()), min(int(placebo[rows].sum()) for rows in classes)
    if m < (needed := placebos_for_ranks(k)):
        raise EstimateError(
            f"rope='placebo' needs {needed:,} placebos for {k:,} "
            f"contrast{'s' * (k != 1)}, and there are {m:,}",
            argument="rope",
        )


def tasks_that_vary(estimates: xr.Dataset, rope: Rope) -> list[Any]:
    """Return the tasks in which a region in sd of the control, or of placebos, has
    a width; else all tasks.

    A task is left out where the control's outcomes are constant for every contrast (a
    dead output, a task that these backgrounds do not affect), or where its placebos
    vary no more than their errors. If that holds in every task, or for some
    contrasts of a task only, all are returned, and `causalgia.decide` raises an error.
    Fences of placebos, ``"placebo outliers"``, leave out none.

    Parameters
    ----------
    estimates
        With ``control_sd (contrast, task[, model])``.
    rope
        Region of practical equivalence.

    Examples
    --------
    >>> sd = xr.DataArray(
    ...     [[1.0, 0.0]], dims=("contrast", "task"), coords={"task": ["K562", "dead"]}
    ... )
    >>> tasks_that_vary(xr.Dataset({"control_sd": sd}), Rope.parse("0.2 sd"))
    ['K562']
    """
    tasks = estimates["task"].to_numpy().tolist()
    if rope.kind == "placebo outliers":
        ace = estimates["ace"].transpose("task", "contrast", ...).to_numpy()
        of_task = [bool((effects == effects[:1]).all()) for effects in ace]
    elif rope.of_placebos:
        check_has_errors(estimates)
        with placebo_errors(rope.value):
            of_task = tasks_without_scale(estimates).tolist()
    elif rope.kind == "largest":
        ace = estimates["ace"].transpose("task", "contrast", ...).to_numpy()
        of_task = [not effects.any() for effects in ace]
    elif "control_sd" in estimates and rope.kind == "sd":
        still = (
            estimates["control_sd"].transpose("contrast", "task", ...).to_numpy() <= 0
        )
        of_task = [
            bool(row.any()) for row in np.reshape(still.all(axis=0), (len(tasks), -1))
        ]
    else:
        return list(tasks)
    return (
        list(tasks)
        if all(of_task)
        else [task for i, task in enumerate(tasks) if not of_task[i]]
    )


def left_out_sentence(estimates: xr.Dataset, chosen: list[Any], rope: Rope) -> str:
    """Return the sentence that names the tasks without a verdict, those not chosen; ""
    for none.
    """
    members = set(chosen)
    names = [
        str(task)
        for task in estimates["task"].to_numpy().tolist()
        if task not in members
    ]
    if not names:
        return ""
    which = (
        f"task {quoted(names[0])}"
        if len(names) == 1
        else f"{len(names):,} tasks, {first_of(map(quoted, names), NAMES_LISTED)}"
    )
    them = "its estimates are kept; for a verdict give two numbers, rope=(-0.1, 0.1)"
    if rope.kind == "placebo outliers":
        why = "all effects there are one"
    elif rope.of_placebos:
        why = (
            "the placebos there vary no more than their errors explain, or nearly "
            "all of them have the same effect"
        )
    else:
        why = "the control's outcomes do not vary there"
    return (
        f"no verdict on {which}: {why}, so that rope={quoted(rope.value)} has no "
        f"width; {them}"
    )


def select_tasks(dataset: xr.Dataset, chosen: list[Any]) -> xr.Dataset:
    """Select these tasks from effects or estimates."""
    if "task" not in dataset.dims or len(chosen) == dataset.sizes["task"]:
        return dataset
    members = set(chosen)
    index = np.flatnonzero(
        [task in members for task in dataset["task"].to_numpy().tolist()]
    )
    return dataset.isel(task=index)

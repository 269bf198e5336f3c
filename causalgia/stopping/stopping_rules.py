"""The stopping rule `Decided`: clear verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import Analysis, analysis_in_attrs
from causalgia.analysis_values import Contrasts, InText, as_field
from causalgia.attributes import about
from causalgia.checks import as_ci_prob, as_count, is_whole
from causalgia.effects import contrast
from causalgia.errors import (
    DesignError,
    EstimateError,
    first_of,
    quoted,
)
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.crossover_estimates import (
    ice_without_rounding,
    placebo_contrasts,
)
from causalgia.estimation.effect_intervals import missed_share_of
from causalgia.estimation.request import Request, clusters
from causalgia.inputs import rough_percent
from causalgia.numerics.moments import centered, group_sums, skewness
from causalgia.ropes import Rope, RopeLike
from causalgia.stopping._confidence_sequence import (
    START,
    least_clusters,
    sequence_critical,
    unseen_share,
)
from causalgia.types import Array

_GROWTH = 1.25
#: clusters that all miss an effect on 1 % of backgrounds with a probability of .05
FIRST_LOOK = 300

#: argument of a rule -> its name in the text that outcomes and locks store, which
#: fingerprints and seeds are made of
STORED_NAMES = {"min_clusters": "start"}


@dataclass(frozen=True)
class Look:
    """Result of one look: whether to stop, the reason, and the record
    ``n_units, n_clusters, lower, upper``.
    """

    stop: bool
    words: str
    record: xr.Dataset


@dataclass(frozen=True, kw_only=True, repr=False)
class Decided:
    """Stop once every verdict is clear: a confidence sequence, which holds at all looks
    together.

    At each look the interval of every contrast and task is that of an asymptotic
    confidence sequence over sums of independent clusters; the trial stops when each
    lies above, below or inside the ROPE. The probability of any false verdict is at
    most ``1 - ci_prob`` (asymptotically), however often one looks. A trial that ends
    undecided must not be extended, which would be a further look: run a new one, or
    `causalgia.confirm`.

    Parameters
    ----------
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. It is fixed beforehand: in numbers, for all tasks or for each by its
        name; or 0 for direction alone, the side of no effect, which is 1 where the
        stored analysis is of ratios.
    ci_prob
        Probability of the intervals. All hold at all looks together with it: 1 minus
        the bound on the chance of a false verdict.
    largest
        The largest effect on any one background, as a distance from no effect on the
        scale of the contrasts, where a bound is known; it widens the intervals. None,
        or less than the largest observed: the largest observed in any contrast of the
        task.
    control, contrasts
        Contrasts to monitor; by default those of the analysis stored with the outcomes
        (``cg.run(..., analysis=)``), or without one every arm minus the first arm of
        the design. The rule does not wait for fixed placebos.
    min_clusters
        Independent clusters before a look may stop the trial: 100 or more, and in any
        case what the skewness of the sums over clusters asks. An effect on a share r of
        the backgrounds is absent from all of these with probability
        ``(1 - r)^min_clusters``: 1 % from 300 with .05.
    every
        Units between looks; None: each look has a quarter more units than the one
        before.

    Raises
    ------
    EstimateError
        If the ROPE is none, reversed, or known only from the outcomes themselves
        (``"placebo"``, sd).
    EstimateError
        If `ci_prob` is not between 0.5 and 1, `largest` is not positive, or
        `min_clusters` is below 100.

    Notes
    -----
    The sampled units do not show how rare or how large effects on other backgrounds
    are. No verdict is therefore given before `min_clusters` of them, and each interval
    is widened by what backgrounds that were not drawn could add. Effects on fewer
    backgrounds can be missed; ``attrs["stopped"]`` and the report say so. The error is
    divided equally among contrasts and tasks.

    For K effects that are waited for (contrasts times tasks), ``a = (1 - ci_prob) /
    K`` and G clusters, the interval is ``ace -+ (c se + L (-log a) / G)``: c is
    `causalgia.stopping._confidence_sequence.sequence_critical` at error a, from the first look that counts
    on, and L is `largest`, so that the second term is ``3 L / G`` for one effect at
    .95. The first look has ``max(min_clusters, 25 skewness^2)`` clusters. A false
    "negligible" has a probability above ``1 - ci_prob`` where the effect is on fewer
    backgrounds than 1 in 100. Where sizes differ much, the large effects, which make
    the mean, are on fewer backgrounds than all effects together: ``largest=`` bounds
    them.

    The intervals are 1.55 to 1.65 times the t interval's (for one contrast) and what L
    adds; they are the ones to report (``look_lower, look_upper`` of the last look). An
    effect that is the same in every unit has no standard error, but it waits for the
    first look as any other does.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), doi:10.1214/24-AOS2408. Hanley
    & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031.

    Examples
    --------
    >>> Decided(rope=(-0.1, 0.1), control="placebo")
    Decided(control='placebo', rope=(-0.1, 0.1))
    >>> Decided(rope=(-0.1, 0.1)).schedule(1_000)
    [300, 375, 469, 587, 734, 918, 1000]
    """

    control: str | None = None
    contrasts: Contrasts | InText | None = None
    min_clusters: int = FIRST_LOOK
    every: int | None = None
    rope: RopeLike
    ci_prob: float = 0.95
    largest: float | None = None

    def __post_init__(self) -> None:
        try:
            analysis = Analysis(control=self.control, contrasts=self.contrasts)
        except DesignError as error:
            raise EstimateError(f"Decided: {error}") from error
        object.__setattr__(self, "contrasts", analysis.contrasts)
        if not is_whole(self.min_clusters) or self.min_clusters < START:
            raise EstimateError(
                f"Decided: min_clusters={quoted(self.min_clusters)} must be a whole "
                f"number of at least {START}",
                argument="min_clusters",
            )
        if self.every is not None and (not is_whole(self.every) or self.every < 1):
            raise EstimateError(
                f"Decided: every={quoted(self.every)} must be a number of units, or "
                "None",
                argument="every",
            )
        rope = Rope.parse(self.rope, fixed=True)
        object.__setattr__(self, "rope", rope.value)
        level = as_ci_prob(self.ci_prob, place="Decided")
        object.__setattr__(self, "ci_prob", level)
        largest = as_field("largest", self.largest, error=EstimateError)
        object.__setattr__(self, "largest", largest)

    def schedule(self, n_units: int) -> list[int]:
        """Return the numbers of units at which to look, the last of them all there can
        be.

        Raises
        ------
        EstimateError
            If these units are too few for any verdict, whatever they answer.

        Examples
        --------
        >>> Decided(rope=(-0.1, 0.1), min_clusters=100).schedule(200)
        [100, 125, 157, 197, 200]
        """
        n_units = as_count(n_units, "n_units", least=self.min_clusters)
        if n_units < self.min_clusters:
            raise EstimateError(
                f"Decided: n_units={n_units:,} is below {self.min_clusters:,} "
                "clusters, before which no verdict is possible"
            )
        looks, n = [], self.min_clusters
        while n < n_units:
            looks.append(n)
            n = int(np.ceil(n * _GROWTH)) if self.every is None else n + self.every
        return [*looks, n_units]

    def _interim(self, outcomes: xr.Dataset) -> Interim:
        contrasts = Analysis(contrasts=self.contrasts).weights_by_contrast or None
        return interim_estimates(outcomes, control=self.control, contrasts=contrasts)

    def _clusters_needed(self, now: Interim) -> int:
        """Return the number of clusters that the most skewed effect needs."""
        least = least_clusters(now.skewness, min_clusters=self.min_clusters)
        return int(np.ceil(least[now.awaited].max()))

    def look(self, outcomes: xr.Dataset) -> Look:
        """Look at the outcomes of the units so far."""
        now = self._interim(outcomes)
        alpha = (1 - self.ci_prob) / int(now.awaited.sum())
        min_clusters = self.min_clusters
        # time in units, from the number that contains `min_clusters` clusters:
        # information on a mean of clusters grows at most as fast as the units, and a
        # faster clock only widens the interval
        begin = (
            int(now.first_units[min_clusters - 1]) + 1
            if now.n_clusters >= min_clusters
            else now.n_units
        )
        clock = max(now.n_units / begin, 1.0) * min_clusters
        critical = sequence_critical(clock, alpha=alpha, min_clusters=min_clusters)
        unseen = unseen_share(now.n_clusters, alpha=alpha) * np.maximum(
            now.largest, self.largest or 0.0
        )
        # what backgrounds that were not drawn could add, on either side
        half = critical * now.se + unseen
        lower, upper = now.ace - half, now.ace + half
        null = now.null_value
        tasks = [str(task) for task in now.labels["task"].to_numpy()]
        ends = Rope.parse(self.rope).ends(tasks, null)
        low, high = np.array(ends).T.reshape(2, 1, -1, *[1] * (lower.ndim - 2))
        inside = (low < high) & (lower >= low) & (upper <= high)
        clear = (lower > high) | (upper < low) | inside
        needed = self._clusters_needed(now)
        record = now.record(lower, upper).assign(counts=now.n_clusters >= needed)
        record = record.assign_attrs(ci_prob=self.ci_prob)
        if now.n_clusters < needed:
            why = "needed"
            if needed > min_clusters:
                why = f"needed because of the skewness of {now.most_skewed()}"
            return Look(
                False,
                f"undecided: {now.n_clusters:,} clusters of the {needed:,} {why}",
                record,
            )
        if (left := ~clear & now.awaited).any():
            return Look(False, f"undecided: {now.named(left)}", record)
        missed = float(missed_share_of(min_clusters, self.ci_prob))
        reason = (
            f"every contrast {now.control_phrase}is above, below or inside the ROPE; "
            "this trial could miss an effect present in fewer than "
            f"{rough_percent(missed)} of backgrounds"
        )
        return Look(True, reason, record)

    def __repr__(self) -> str:
        return self._as_text({})

    def stored_text(self) -> str:
        """Return the rule as it is stored with outcomes and in a lock.

        Examples
        --------
        >>> Decided(rope=(-0.1, 0.1), min_clusters=200).stored_text()
        'Decided(start=200, rope=(-0.1, 0.1))'
        """
        return self._as_text(STORED_NAMES)

    def _as_text(self, names: Mapping[str, str]) -> str:
        """Return the call that makes this rule, with other names of some arguments."""
        given = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }
        arguments = ", ".join(
            f"{names.get(name, name)}={plain!r}"
            for name, value in given.items()
            for plain in (value.item() if isinstance(value, np.generic) else value,)
        )
        return f"Decided({arguments})"


@dataclass(frozen=True)
class Interim:
    """Effects of the units so far.

    Attributes
    ----------
    ace, se, df, skewness
        Shape ``(K, ...)`` for K contrasts and a trailing shape of tasks (and models);
        the skewness is of the sums over clusters.
    n_units, n_clusters
        Numbers of units and clusters.
    largest
        The largest distance of an ICE from no effect in any contrast of the task,
        ``(1, ...)``; where clusters differ in size, at least what the largest sum over
        a cluster adds to the mean.
    first_units
        First unit of each cluster, in increasing order.
    awaited
        Effects that a rule waits for, ``(K, ...)``: all but those of fixed placebos.
    null_value
        Value of no effect: 1 for ratios, else 0.
    control_phrase
        "minus 'placebo' " (ratios: divided by), or empty without a single control.
    labels
        An empty Dataset with the coordinates contrast, task (and model).
    """

    ace: Array
    se: Array
    df: Array
    skewness: Array
    n_units: int
    n_clusters: int
    largest: Array
    first_units: npt.NDArray[np.intp]
    awaited: npt.NDArray[np.bool_]
    null_value: float
    control_phrase: str
    labels: xr.Dataset

    def named(self, which: npt.NDArray[np.bool_]) -> str:
        """Return the names of the contrasts with any of these effects."""
        names = self.labels["contrast"].to_numpy()[
            which.reshape(len(which), -1).any(axis=1)
        ]
        return first_of(map(str, names), 4)

    def most_skewed(self) -> str:
        """Return the name of the most skewed awaited effect: its contrast, and its task
        if there are several.
        """
        place = np.unravel_index(
            np.argmax(np.where(self.awaited, np.abs(self.skewness), -1.0)),
            self.skewness.shape,
        )
        at = {
            dim: self.labels[dim].to_numpy()[i]
            for dim, i in zip(self.labels.sizes, place, strict=True)
        }
        several = [
            str(at[dim])
            for dim in at
            if dim != "contrast" and self.labels.sizes[dim] > 1
        ]
        return f"'{at['contrast']}'{' in ' if several else ''}{', '.join(several)}"

    def record(self, lower: Array, upper: Array) -> xr.Dataset:
        """Return the record of a look: its numbers of units and clusters and its
        intervals.
        """
        dims = tuple(self.labels.sizes)
        sizes = {"n_units": self.n_units, "n_clusters": self.n_clusters}
        return self.labels.assign(
            {**sizes, "lower": (dims, lower), "upper": (dims, upper)}
        )


def interim_estimates(
    outcomes: xr.Dataset,
    *,
    control: str | None,
    contrasts: Mapping[str, Mapping[str, float]] | None,
) -> Interim:
    """Return interim estimates of the rule's contrasts, else the stored analysis', else
    against the first arm.
    """
    arguments = _contrast_arguments(outcomes, control, contrasts)
    effects = contrast(outcomes, **arguments.pop("contrast"))
    groups = clusters(
        effects, Request(arguments["cluster"], None, (), "population", "units")
    )
    ice = ice_without_rounding(effects)
    n = len(ice)
    codes = np.arange(n) if groups is None else groups.codes
    if codes.max() == 0:
        raise EstimateError(
            "until: all units so far share one cluster, so the variance between "
            "clusters cannot be estimated",
            argument="until",
        )
    found = mean_ice(ice, None if groups is None else codes)
    first = np.unique(codes, return_index=True)[1]
    residuals = centered(ice)[1]
    sums = residuals if groups is None else group_sums(residuals, codes)
    placebos = placebo_contrasts(effects)
    awaited = np.broadcast_to(
        (~placebos | placebos.all()).reshape(-1, *[1] * (ice.ndim - 2)), ice.shape[1:]
    )
    dims = effects["ice"].dims[1:]
    null_value = float(about(effects, 0.0).null_value)
    away = ice - null_value
    size = np.abs(away).max(axis=0)
    if groups is not None:  # a cluster may have more weight than a unit
        size = np.maximum(
            size,
            np.abs(group_sums(away, codes)).max(axis=0) / (n / (int(codes.max()) + 1)),
        )
    how = "divided by" if about(effects, None).transform == "ratio" else "minus"
    return Interim(
        ace=found.ace,
        se=found.se,
        df=found.df,
        skewness=skewness(sums),
        n_units=n,
        n_clusters=len(first),
        largest=np.asarray(size.max(axis=0, keepdims=True)),
        first_units=np.sort(first),
        awaited=awaited,
        null_value=null_value,
        control_phrase=f"{how} '{about(effects).control}' "
        if about(effects, None).control
        else "",
        labels=xr.Dataset(coords={dim: effects[dim].to_numpy() for dim in dims}),
    )


def _contrast_arguments(
    outcomes: xr.Dataset,
    control: str | None,
    contrasts: Mapping[str, Mapping[str, float]] | None,
) -> dict[str, Any]:
    analysis = analysis_in_attrs(outcomes.attrs)
    options: dict[str, Any] = {"scale": analysis.scale}
    if control is not None or contrasts is not None:
        options |= {"control": control, "contrasts": contrasts}
    elif analysis.contrasts is not None:
        options["contrasts"] = analysis.weights_by_contrast
    elif analysis.interaction is not None:
        options["interaction"] = analysis.interaction
    else:
        options["control"] = analysis.control or str(outcomes["arm"].to_numpy()[0])
    return {"contrast": options, "cluster": analysis.cluster}

"""Evidence of a posterior about each effect, from the draws of any sampler, and whether
these have converged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.attributes import about, has
from causalgia.checks import first_of, in_list
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.arm_columns import OF_OWN_ARMS
from causalgia.estimation.request import is_below_floor, null_value
from causalgia.multiplicity.regions import Region, rope_region
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.numerics.row_blocks import LARGE_BLOCK
from causalgia.posterior.posterior_tree import tree_datasets, tree_group
from causalgia.ropes import Rope
from causalgia.types import Array

_OTHER_GROUPS = ("observed_data", "constant_data", "moments")
_NO_TASK = "effect"
_FEW_DRAWS = 20
_ENOUGH_OFF = 100  # draws off an atom, for an interval of them
_OF_NO_TASK = ("is_placebo", "weight")
MAX_RHAT = 1.01
_BY_CHANCE = 1e-4
_CONVERGENCE_CURE = (
    "sample longer, or reparametrize the model; to decide on them as they are, set "
    "converged = 'no' in the attrs of the group posterior: decisions then carry the "
    "caution"
)


@dataclass(frozen=True)
class Shrunken:
    """What a posterior says of each effect; every array has the shape (contrast, task).

    Attributes
    ----------
    effects
        The measured effects ``ace`` with what else the posterior keeps of them; their
        posterior mean where it keeps none.
    measured
        Whether `effects` are estimates with standard errors.
    region
        Region of practical equivalence.
    columns
        ``shrunken``, the posterior mean, with ``shrunken_lower, shrunken_upper`` and
        ``lfsr``; ``p_zero`` of a spike.
    above, below
        Probability that the effect lies above and below its region.
    """

    effects: xr.Dataset
    measured: bool
    region: Region
    columns: dict[str, Array]
    above: Array
    below: Array


def summarize_posterior(tree: Any, rope: Rope, *, ci_prob: float) -> Shrunken:
    """Summarize draws of ``ace (chain, draw, contrast[, task])`` from any sampler.

    Raises
    ------
    EstimateError
        If there is no group ``posterior`` with a variable ``ace``.
    EstimateError
        If ace has other dims, a draw is not finite, the draws are too few for
        `ci_prob`, or another group has other effects.
    EstimateError
        If draws from another sampler have not converged.

    Examples
    --------
    >>> ace = np.random.default_rng(0).normal(size=(1, 500, 2)) + [0.0, 3.0]
    >>> tree = {"posterior": xr.Dataset({"ace": (("chain", "draw", "contrast"), ace)})}
    >>> summarize_posterior(tree, Rope.parse(0), ci_prob=0.95).columns["lfsr"].shape
    (2, 1)
    """
    groups = tree_datasets(tree)
    posterior = tree_group(groups, "posterior", "ace")
    draws = _as_draws(posterior["ace"], ci_prob)
    effects, moments = _posterior_context(groups, draws)
    null = null_value(effects)
    found = rope_region(rope, effects, null)
    parts = [
        _task_summary(draws, t, found, ci_prob, null)
        for t in range(draws.sizes["task"])
    ]
    summary = {
        name: np.stack([getattr(part, name) for part in parts], axis=1)
        for name in Summary.__annotations__
    }
    if len(bad := np.argwhere(~np.isfinite(summary["mean"]))):
        at = zip(("contrast", "task"), bad[0], strict=True)
        names = [
            draws[dim].to_numpy()[i] if dim in draws.coords else i for dim, i in at
        ]
        raise EstimateError(
            f"contrast {names[0]!s}, task {names[1]!s}: a draw of ace is not finite; "
            "sample it again"
        )
    check_draws_converged(groups, draws)
    # an lfsr of the moments is about 0
    exact = ("mean", "sd", "lfsr") if null == 0 else ("mean", "sd")
    known = {
        n: moments[n]
        for n in exact
        if n in moments and {*moments[n].dims} == {"contrast", "task"}
    }
    summary |= {
        name: values.transpose("contrast", "task").to_numpy()
        for name, values in known.items()
    }
    if (found.lower == null).all() and (found.upper == null).all() and "lfsr" in known:
        summary |= _sides_from_lfsr(summary, moments)
    slab = _slab_interval(groups, ci_prob)
    lower, upper = _intervals_beyond_atom(summary, effects, draws, ci_prob, slab)
    columns = {
        "shrunken": summary["mean"],
        "shrunken_lower": lower,
        "shrunken_upper": upper,
        "lfsr": summary["lfsr"],
    }
    if moments and about(effects, None).law == "spike_and_slab":
        zero = moments["lfdr"].transpose("contrast", "task").to_numpy()
        columns |= {"p_zero": zero} if zero.any() else {}
    if about(effects, None).sharing_near and "lfsr_alone" in moments:
        columns["lfsr_alone"] = (
            moments["lfsr_alone"].transpose("contrast", "task").to_numpy()
        )
    if "floor" in effects:
        below_floor = is_below_floor(effects)
        columns["lfsr"] = np.where(below_floor, 1.0, columns["lfsr"])
        effects["below_floor"] = (("contrast", "task"), below_floor)
    measured = "raw" in effects and "se" in effects
    if not measured:
        effects["ace"] = (("contrast", "task"), summary["mean"])
    return Shrunken(
        effects.drop_vars("raw", errors="ignore"),
        measured,
        found,
        columns,
        summary["above"],
        summary["below"],
    )


def _sides_from_lfsr(
    summary: dict[str, Array], moments: xr.Dataset
) -> dict[str, Array]:
    """Return P(> 0) and P(< 0) from the exact lfsr and P(0); draws determine which of
    the two is larger.
    """
    zero = (
        moments["lfdr"].transpose("contrast", "task").to_numpy()
        if "lfdr" in moments
        else 0.0
    )
    larger, smaller = 1 - summary["lfsr"], np.maximum(summary["lfsr"] - zero, 0.0)
    up = summary["above"] >= summary["below"]
    return {
        "above": np.where(up, larger, smaller),
        "below": np.where(up, smaller, larger),
    }


Interval: TypeAlias = tuple[Array, Array]


def _slab_interval(groups: Mapping[str, xr.Dataset], ci_prob: float) -> Interval | None:
    """Return the interval of each effect given that it is not 0, (contrast, task); None
    without ``ace_slab``.
    """
    if "ace_slab" not in groups["posterior"]:
        return None
    slab = _as_draws(groups["posterior"]["ace_slab"], 0.5)
    ends = np.quantile(
        slab.to_numpy(), [(1 - ci_prob) / 2, (1 + ci_prob) / 2], axis=(0, 1)
    )
    return ends[0], ends[1]


def _intervals_beyond_atom(
    summary: dict[str, Array],
    effects: xr.Dataset,
    draws: xr.DataArray,
    ci_prob: float,
    slab: Interval | None,
) -> Interval:
    """Return the limits; where an atom makes an interval a point, extend it by the
    interval of draws off the atom.

    With too few draws off the atom it is extended by the unshrunken interval.
    """
    lower, upper = summary["lower"].copy(), summary["upper"].copy()
    for k, t in np.argwhere(lower == upper):
        ends = _interval_off_atom(lower[k, t], (k, t), draws, effects, ci_prob, slab)
        if ends is not None:
            lower[k, t], upper[k, t] = (
                min(lower[k, t], ends[0]),
                max(upper[k, t], ends[1]),
            )
    return lower, upper


def _interval_off_atom(
    atom: float,
    at: tuple[int, int],
    draws: xr.DataArray,
    effects: xr.Dataset,
    ci_prob: float,
    slab: Interval | None,
) -> tuple[float, float] | None:
    """Return the interval of the slab, else of the draws off an atom, else (few draws)
    the unshrunken interval.
    """
    if slab is not None:
        return float(slab[0][at]), float(slab[1][at])
    each = draws[:, :, at[0], at[1]].to_numpy().ravel()
    off = each[each != atom]
    if len(off) >= _ENOUGH_OFF:
        low, high = np.quantile(off, [(1 - ci_prob) / 2, (1 + ci_prob) / 2])
        return float(low), float(high)
    if "se" not in effects or "raw" not in effects:
        return None
    raw, se = (
        float(effects["raw"][at]),
        effects["se"].broadcast_like(effects["raw"]).transpose("contrast", "task"),
    )
    half = special.ndtri(0.5 + ci_prob / 2) * float(se[at])
    return raw - half, raw + half


def _as_draws(ace: xr.DataArray, ci_prob: float) -> xr.DataArray:
    """Return ace as (chain, draw, contrast, task)."""
    dims = {*map(str, ace.dims)}
    if (
        not {"chain", "draw", "contrast"}
        <= dims
        <= {"chain", "draw", "contrast", "task"}
    ):
        raise EstimateError(
            f"the posterior's ace has dims {ace.dims}, and verdicts need (chain, draw, "
            "contrast[, task]); rename the dim of your effects to 'contrast', and pick "
            "one of every other"
        )
    if "task" not in dims:
        ace = (
            ace.expand_dims("task")
            if "task" in ace.coords
            else ace.expand_dims(task=[_NO_TASK])
        )
    if ace.size == 0:
        raise EstimateError(
            "the posterior has no draws or no effects; the selection before "
            "cg.decide left none"
        )
    n = ace.sizes["chain"] * ace.sizes["draw"]
    if n * (1 - ci_prob) < 1:
        enough = (
            f"give ci_prob={np.floor(1000 * (1 - 10 / n)) / 1000:g} or less, or "
            if n > _FEW_DRAWS
            else "give "
        )
        # ten of them in error
        needed = max(4_000, 4 * int(np.ceil(2.5 / (1 - ci_prob) - 1e-6)))
        raise EstimateError(
            f"{n:,} draws cannot resolve an error of {1 - ci_prob:.2g}; {enough}more "
            f"draws: cg.infer(..., n_draws={needed})"
        )
    return ace.transpose("chain", "draw", "contrast", "task")


def _posterior_context(
    groups: Mapping[str, xr.Dataset], draws: xr.DataArray
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the data that a posterior from `infer` keeps with its draws, as a Dataset
    of effects, and its moments.
    """
    observed, constant, moments = _aligned_groups(groups, draws)
    names = {n: draws[n] for n in ("contrast", "task") if n in draws.coords}
    effects = xr.Dataset(
        coords={
            n: c for n, c in draws.coords.items() if set(c.dims) <= {"contrast", "task"}
        }
        | names
    )
    context = {
        n: v
        for n, v in constant.variables.items()
        if set(v.dims) <= {"contrast", "contrast_", "task", "arm"}
    }
    effects = effects.assign(
        {n: v for n, v in context.items() if n not in effects.variables}
    )
    if "se_estimated" in effects:  # an effect has one interval, whoever asks
        effects = effects.assign(se=effects["se_estimated"]).drop_vars("se_estimated")
    if "effect" in observed and set(observed["effect"].dims) == {"contrast", "task"}:
        effects["raw"] = observed["effect"].transpose("contrast", "task").variable
    # a rope in placebos or sd refers to the measured effects, or else to the draws
    ace = (
        effects["raw"]
        if "raw" in effects
        else draws.isel(chain=0, draw=0, drop=True).rename("ace")
    )
    effects["ace"] = ace.transpose("contrast", "task").variable
    if "effect_model" in observed and "se" in effects:
        effects = _over_predictors(effects, observed["effect_model"])
    attrs = {**constant.attrs, **groups["posterior"].attrs}
    return effects.assign_attrs(
        {k: v for k, v in attrs.items() if isinstance(v, str | int | float | np.number)}
    ), moments


def _over_predictors(effects: xr.Dataset, each: xr.DataArray) -> xr.Dataset:
    """Return effects with the standard error of a mean over units and predictors, where
    each predictor has its own effect; its df are Satterthwaite's.
    """
    values = each.transpose("contrast", "task", "model").to_numpy()
    m = values.shape[-1]
    between = values.var(axis=-1, ddof=1) / m
    units = effects["se"].transpose("contrast", "task").to_numpy() ** 2
    df = (
        effects["df"].transpose("contrast", "task").to_numpy()
        if "df" in effects
        else np.full(units.shape, np.inf)
    )
    spread = between**2 / (m - 1) + units**2 / df
    total = between + units
    columns = {
        "se": np.sqrt(total),
        "df": np.divide(total**2, spread, out=df.astype(float), where=spread > 0),
    }
    # of units alone
    effects = effects.drop_vars(["skewness", *OF_OWN_ARMS], errors="ignore")
    return effects.assign(
        {name: (("contrast", "task"), column) for name, column in columns.items()}
    )


def _aligned_groups(
    groups: Mapping[str, xr.Dataset], draws: xr.DataArray
) -> list[xr.Dataset]:
    """Return the other groups of a posterior aligned with the draws; raise
    EstimateError with all those that do not match them.
    """
    aligned, odd = list[xr.Dataset](), dict[str, list[str]]()
    for name in _OTHER_GROUPS:
        try:
            aligned.append(_aligned(groups.get(name, xr.Dataset()), draws))
        except EstimateError as flaw:
            odd.setdefault(str(flaw), []).append(quoted(name))
    if odd:
        listed = ", ".join(f"{in_list(names)} ({why})" for why, names in odd.items())
        raise EstimateError(
            f"these groups do not match the effects in the posterior: {listed}"
        )
    return aligned


def _aligned(group: xr.Dataset, draws: xr.DataArray) -> xr.Dataset:
    """Return a group aligned with the draws: by labels, or by position where it has
    none.
    """
    if "task" in group.coords and "task" not in group.dims:  # one task was selected
        group = group.expand_dims("task", axis=-1).assign(
            {n: group[n].variable for n in _OF_NO_TASK if n in group}
        )
    for dim in ("contrast", "task"):
        if dim not in group.dims:
            continue
        labels = draws.get_index(dim)
        if dim in draws.coords and dim in group.coords and labels[0] != _NO_TASK:
            group = _select_labels(group, dim, labels)
        if group.sizes[dim] != len(labels):
            raise EstimateError(
                f"{group.sizes[dim]} on {quoted(dim)} for the {len(labels)} of ace, "
                "without names to match them; select the same",
            )
    return group


def _select_labels(group: xr.Dataset, dim: str, labels: pd.Index[Any]) -> xr.Dataset:
    own = group.get_index(dim)
    if own.equals(labels):
        return group
    absent = [label for label in labels if label not in own]
    if absent or not own.is_unique:
        raise EstimateError(
            f"no {dim} {absent[0]}" if absent else f"two effects of one {dim}"
        )
    group = group.sel({dim: labels})
    return (
        group.sel(contrast_=labels)
        if dim == "contrast" and "contrast_" in group.coords
        else group
    )


def _task_summary(
    draws: xr.DataArray, task: int, found: Region, ci_prob: float, null: float
) -> Summary:
    flat = draws.isel(task=task).to_numpy().reshape(-1, draws.sizes["contrast"])
    return summarize(
        flat, found.lower[:, task], found.upper[:, task], ci_prob=ci_prob, null=null
    )


@dataclass(frozen=True)
class Summary:
    """Summary statistics of draws of K effects; every array has shape ``(K,)``.

    Attributes
    ----------
    mean, sd, lower, upper
        Posterior mean and sd, and the equal-tailed interval.
    above, below
        Share of draws above and below the region; the rest is inside, ends included.
    lfsr
        ``P(0) + min(P(< 0), P(> 0))`` about no effect: the local false sign rate; draws
        that are exactly no effect count as P(0).
    """

    mean: Array
    sd: Array
    lower: Array
    upper: Array
    above: Array
    below: Array
    lfsr: Array


def summarize(
    draws: npt.NDArray[np.floating],
    rope_lower: Array,
    rope_upper: Array,
    *,
    ci_prob: float,
    null: float = 0.0,
) -> Summary:
    """Summarize draws of many effects, block by block, without copying them all.

    Parameters
    ----------
    draws
        S draws of K effects, shape ``(S, K)``.
    rope_lower, rope_upper
        Ends of each effect's region of practical equivalence, on the scale of the
        draws, shape ``(K,)``.
    ci_prob
        Probability of the intervals. They are equal-tailed.
    null
        The value of no effect, about which the sign rate is: 1 for ratios.

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041: the local false sign rate.

    Examples
    --------
    >>> draws = np.array([[-1.0], [0.0], [1.0], [2.0]])
    >>> found = summarize(draws, np.array([0.0]), np.array([1.0]), ci_prob=0.5)
    >>> found.above, found.below, found.lfsr, found.lower
    (array([0.25]), array([0.25]), array([0.5]), array([-0.25]))
    """
    n_draws, n = draws.shape
    wide = max(1, LARGE_BLOCK // max(n_draws, 1))
    blocks = [slice(start, start + wide) for start in range(0, n, wide)]
    parts = [
        _summarize_block(draws[:, b], rope_lower[b], rope_upper[b], ci_prob, null)
        for b in blocks
    ]
    return Summary(*np.concatenate(parts, axis=1))


def _summarize_block(
    draws: npt.NDArray[np.floating],
    low: Array,
    high: Array,
    ci_prob: float,
    null: float,
) -> Array:
    x = np.array(draws.T, order="C")  # a copy: the quantiles sort it in place
    above, below = (x > high[:, None]).mean(axis=1), (x < low[:, None]).mean(axis=1)
    lfsr = 1 - np.maximum((x > null).mean(axis=1), (x < null).mean(axis=1))
    with np.errstate(invalid="ignore"):  # of infinite draws, which are refused by name
        mean, sd = x.mean(axis=1, dtype=np.float64), x.std(axis=1, dtype=np.float64)
    tail = (1 - ci_prob) / 2
    lower, upper = np.quantile(x, [tail, 1 - tail], axis=1, overwrite_input=True)
    return np.stack([mean, sd, lower, upper, above, below, lfsr])


def check_draws_converged(
    groups: Mapping[str, xr.Dataset], draws: xr.DataArray
) -> None:
    """Raise for draws with divergent transitions or chains that disagree, unless their
    attrs state convergence.

    Draws from `causalgia.infer` have the attrs ``engine`` or ``converged`` and were
    checked there. Chains disagree where the split R-hat is above 1.01 and above what
    independent draws give by chance (an F test at 1e-4, over all effects); a single
    chain cannot disagree.

    Parameters
    ----------
    groups
        Of the posterior, by name.
    draws
        ``ace (chain, draw, contrast, task)``, finite.

    Raises
    ------
    EstimateError
        Naming the effects, worst first.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221: the
    limit.

    Examples
    --------
    >>> ace = np.random.default_rng(0).normal(size=(4, 500, 1, 1)) + np.arange(
    ...     4
    ... ).reshape(4, 1, 1, 1)
    >>> ace = xr.DataArray(ace, dims=("chain", "draw", "contrast", "task"))
    >>> check_draws_converged({"posterior": xr.Dataset({"ace": ace})}, ace)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the draws have not converged: R-hat of contrast 0, task 0 is ...
    """
    attrs = groups["posterior"].attrs
    if has(attrs).converged or has(attrs).engine:
        return
    sampling = groups.get("sample_stats", xr.Dataset())
    divergent = (
        int(np.asarray(sampling["diverging"]).sum()) if "diverging" in sampling else 0
    )
    if divergent:
        plural = "s" if divergent > 1 else ""
        raise EstimateError(
            f"the draws have not converged: {divergent:,} divergent "
            f"transition{plural}; {_CONVERGENCE_CURE}"
        )
    chains, n, *shape = draws.shape
    if chains < 2 or n < 4:
        return
    rhat = split_rhat(draws.to_numpy().reshape(chains, n, -1))
    bad = np.flatnonzero(
        rhat > max(MAX_RHAT, _rhat_by_chance(2 * chains, n // 2, len(rhat)))
    )
    if len(bad):
        worst = bad[np.argsort(-rhat[bad], kind="stable")][:3]
        each = [
            f"R-hat of {_effect_label(draws, shape, i)} is {rhat[i]:.3g}" for i in worst
        ]
        shown = first_of(each, 3, sep="; ", n=len(bad))
        raise EstimateError(
            f"the draws have not converged: {shown} (above {MAX_RHAT}); {_CONVERGENCE_CURE}"
        )


def split_rhat(draws: Array) -> Array:
    """Return the split R-hat of each effect: 1 where halves of chains agree.

    ``R^2 = 1 - 1/n + var(means of the halves) / mean(variances in the halves)``. An
    effect that is constant over all draws has 1, one that is constant within halves
    only has infinity.

    Parameters
    ----------
    draws
        Of K effects, shape ``(chains, draws, K)``; an odd last draw is left out. A half
        has n draws.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 11.4, doi:10.1201/b16018.

    Examples
    --------
    >>> same = np.random.default_rng(1).normal(size=(2, 400))
    >>> split_rhat(np.stack([same, same + [[0.0], [1.0]], 0 * same], axis=2)).round(2)
    array([1.  , 1.17, 1.  ])
    """
    n = draws.shape[1] // 2
    halves = [half for chain in draws for half in (chain[:n], chain[n : 2 * n])]
    between = np.var([half.mean(axis=0) for half in halves], axis=0, ddof=1)
    within = np.mean([half.var(axis=0, ddof=1) for half in halves], axis=0)
    size = np.abs(draws).max(axis=(0, 1))
    moves, apart = (
        within > (DIFFERENCE_ROUNDING * size) ** 2,
        between > (DIFFERENCE_ROUNDING * size) ** 2,
    )
    return np.where(
        moves,
        np.sqrt(1 - 1 / n + between / np.where(moves, within, 1.0)),
        np.where(apart, np.inf, 1.0),
    )


def _rhat_by_chance(m: int, n: int, effects: int) -> float:
    """Return the R-hat that the worst effect has by chance, for independent draws in m
    halves of n.
    """
    f = float(special.fdtri(m - 1, m * (n - 1), 1 - _BY_CHANCE / effects))
    return float(np.sqrt(1 + (f - 1) / n))


def _effect_label(draws: xr.DataArray, shape: list[int], i: int) -> str:
    at = np.unravel_index(i, shape)
    labels = (
        draws[d].to_numpy()[j] if d in draws.coords else j
        for d, j in zip(("contrast", "task"), at, strict=True)
    )
    return ", ".join(
        f"{d} {label!s}" for d, label in zip(("contrast", "task"), labels, strict=True)
    )

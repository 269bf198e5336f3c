"""One contrast over many predictors or tasks, and the share of them with an effect."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.checks import nearest
from causalgia.choices import DIRECTIONS
from causalgia.effects.two_values import COUNTS, WEIGHT
from causalgia.errors import (
    DataError,
    EstimateError,
    quoted,
    type_in_words,
)
from causalgia.ropes import Rope, RopeLike
from causalgia.schema import check_dataset, validate
from causalgia.streams import RNG, Seed
from causalgia.types import Client, EstimateTable, PosteriorGroups
from causalgia.workers import mapped

_SIDES_OF_ROPE = ("above", "below", "either")


def across_predictors(
    outcomes: Mapping[str, xr.Dataset] | Sequence[xr.Dataset] | xr.Dataset,
    *,
    contrast: str,
    client: Client | None = None,
) -> xr.Dataset:
    """Estimate one contrast in many predictors or tasks, as estimates whose contrasts
    are the predictors.

    Use the ordinary verbs on the result: ``cg.infer`` shrinks the predictors towards
    each other, ``cg.decide`` bounds the false discoveries among them, and
    `share_of_predictors` counts them. The estimates of predictors that were run on the
    same units come with their covariance; those on separate units are independent.

    Parameters
    ----------
    outcomes
        Outcomes of an ensemble (predictors on the dim ``model``) or of one predictor
        with many tasks; or predictor -> outcomes of the same experiment, or a list of
        them (``"predictor 0"``, ``"predictor 1"``, ...). All are on one scale, with one
        ``rng=`` for all or a separate one for each.
    contrast
        Name of the contrast, one that the experiment names.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers take one predictor each at a time. Estimates do not depend on the number
        of workers (bit for bit on equal hardware). Outcomes are sent to the workers,
        which pays for some tens of predictors or large outcomes.

    Returns
    -------
    Dataset
        ``ace, se, df, p, ... (contrast, task)`` as `causalgia.estimate` gives them,
        with the predictors on contrast (named ``"predictor: task"`` where a predictor
        has several tasks) and the contrast as the only task. A predictor with the same
        effect in every unit is ``exact``, with se 0.

    Raises
    ------
    DataError
        If predictors were run on different experiments (null model, arms) or are on
        different scales, some but not all share units, or there are fewer than two.
    EstimateError
        If a predictor's outcomes lack the contrast.
    StoreError
        If the cluster has no workers, loses them, or does not respond within the time
        limit.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459: 3' GC bias over the 244
    experiments of RNAcompete.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, Oracle, MotifCount
    >>> experiment = cg.experiments.position(
    ...     cg.Uniform(length=41), "GCGCGC", at=[2, 34], n_units=200
    ... )
    >>> biased = {
    ...     f"RBP{k}": Oracle(MotifCount("UGCAUG", 1.0), EndGC(-0.2 * k, last=8))
    ...     for k in (1, 2, 3)
    ... }
    >>> outcomes = {
    ...     name: cg.run(experiment, oracle, rng=0) for name, oracle in biased.items()
    ... }
    >>> estimates = across_predictors(outcomes, contrast="at 34")
    >>> estimates["ace"].values.ravel().round(2), estimates["contrast"].values.tolist()
    (array([-0.07, -0.15, -0.22]), ['RBP1', 'RBP2', 'RBP3'])
    """
    from causalgia.estimation import estimate

    tables = _outcomes_by_predictor(outcomes)
    if not tables:
        raise DataError("there is no predictor; give the outcomes of two or more")
    _check_comparable(tables)
    same_units = _share_units(tables)
    loaded = (
        (name, table if client is None else table.compute())
        for name, table in tables.items()
    )
    names = [name or "the outcomes" for name in tables]
    work = partial(
        _contrast_of_predictor if same_units else _estimate_predictor, chosen=contrast
    )
    parts = mapped(work, loaded, what="the contrast", names=names, client=client)
    if sum(part.sizes["contrast"] for part in parts) < 2:
        raise DataError(
            "there is one predictor with one task, and nothing to compare it with; "
            "give two or more"
        )
    return (
        estimate(_concatenate_predictors(parts))
        if same_units
        else _combine_independent(parts)
    )


def share_of_predictors(
    found: EstimateTable | PosteriorGroups,
    *,
    rope: RopeLike,
    ci_prob: float = 0.95,
    rng: RNG | None = None,
) -> xr.Dataset:
    """Estimate the share of predictors whose effect lies beyond the region of practical
    equivalence.

    The estimand is the share among these predictors,
    ``mean_k 1{delta_k outside the ROPE}``; its posterior is the share in each joint
    draw, so that its interval includes the uncertainty about single predictors. It
    depends on the assumed distribution of effects: if that is right, the interval has
    nominal coverage (simulated, 100 and 244 predictors); if half of the predictors have
    the same effect, the share by the mixture is off by some .03. `claimed` depends on
    it less.

    A predictor with the same effect in every unit (a constant output, or a site that it
    ignores) has no error and no posterior; given estimates, it is counted by its exact
    effect.

    Parameters
    ----------
    found
        From `across_predictors`; or, with another law or prior,
        ``cg.infer(across_predictors(...), rng=)``, which takes only predictors whose
        effect varies.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. In sd of the control arm, it is a point for a predictor whose control arm
        does not vary.
    ci_prob
        Probability of the intervals. 1 minus it is the false discovery rate among the
        claimed predictors.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For posterior draws, where
        `found` are estimates.

    Returns
    -------
    Dataset
        On (side, task), side ``"above"``, ``"below"``, ``"either"``: ``share``
        (posterior mean), ``lower, upper``, and ``claimed``, the share of predictors
        with that verdict at a false discovery rate of at most ``1 - ci_prob``. All are
        shares of attrs["n_predictors"], of which attrs["n_exact"] are exact.

    Raises
    ------
    EstimateError
        As `causalgia.decide`; or if the ROPE is 0, or `rng` is missing for estimates.

    References
    ----------
    Mueller, Parmigiani, Robert & Rousseau (2004), doi:10.1198/016214504000001646.

    Examples
    --------
    >>> import causalgia as cg
    >>> estimates = cg.from_effects([-0.3, -0.28, -0.33, 0.01, 0.0, -0.02], se=0.01)
    >>> share = share_of_predictors(estimates, rope=(-0.1, 0.1), rng=0)
    >>> (
    ...     share["share"].sel(side="below").item(),
    ...     share["claimed"].sel(side="below").item(),
    ... )
    (0.5, 0.5)
    """
    import xarray as xr

    from causalgia.checks import as_ci_prob

    ci_prob = as_ci_prob(ci_prob)
    decided = _decide_predictors(found, Rope.parse(rope), ci_prob, rng)
    if any(
        (decisions["rope_lower"] == decisions["rope_upper"]).all()
        for _, decisions in decided
    ):
        raise EstimateError(
            "rope=0: every effect lies beyond it; give the effects too small to "
            "matter, (lower, upper)",
            argument="rope",
        )
    n = sum(decisions.sizes["contrast"] for _, decisions in decided)
    # contrasts above, below and on either side of the ROPE, (side, sample, task)
    beyond: list[Any] = []
    claims: list[Any] = []  # contrasts with a verdict on each side, (side, task)
    for ace, decisions in decided:
        above, below = ace > decisions["rope_upper"], ace < decisions["rope_lower"]
        sides = [
            side.transpose("sample", "contrast", "task").to_numpy()
            for side in (above, below, above | below)
        ]
        beyond.append(np.sum(sides, axis=2, dtype=np.float64))
        verdicts = decisions["verdict"].transpose("contrast", "task").to_numpy()
        up, down = (verdicts == one for one in DIRECTIONS)
        claims.append(np.sum([up, down, up | down], axis=1, dtype=np.float64))
    shares, claimed = sum(beyond) / n, sum(claims) / n
    tail = (1 - ci_prob) / 2
    lower, upper = np.quantile(shares, [tail, 1 - tail], axis=1)
    columns = {
        "share": shares.mean(axis=1),
        "lower": lower,
        "upper": upper,
        "claimed": claimed,
    }
    first = decided[0][1]
    n_exact = sum(
        ace.sizes["contrast"] for ace, _ in decided if ace.sizes["sample"] == 1
    )
    return xr.Dataset(
        {name: (("side", "task"), values) for name, values in columns.items()},
        coords={"side": list(_SIDES_OF_ROPE), "task": first["task"].to_numpy()},
        attrs=attributes(
            n_predictors=n, n_exact=n_exact, rope=about(first).rope, ci_prob=ci_prob
        ),
    )


def _decide_predictors(
    found: Any, rope: Rope, ci_prob: float, rng: RNG | None
) -> list[tuple[xr.DataArray, xr.Dataset]]:
    """Return draws ``(sample, contrast, task)`` and verdicts of the predictors that
    vary and of the exact ones.
    """
    import xarray as xr

    from causalgia.estimation._from_effects import as_estimates
    from causalgia.posterior import infer
    from causalgia.verdicts import decide

    if not isinstance(found, xr.Dataset):
        return [_decide_posterior(found, rope, ci_prob)]
    estimates = as_estimates(found)
    if rng is None:
        raise EstimateError(
            "the share among estimates is one among draws of their posterior; give "
            "rng=, such as rng=0"
        )
    se = estimates["se"] if "se" in estimates else xr.ones_like(estimates["ace"])
    exact = (se == 0).all([dim for dim in se.dims if dim != "contrast"]).to_numpy()
    parts = (
        []
        if exact.all()
        else [
            _decide_posterior(
                infer(estimates.isel(contrast=~exact), rng=rng), rope, ci_prob
            )
        ]
    )
    if exact.any():  # one draw each; if the control arm has no spread, any effect but 0 is beyond the ROPE
        same = estimates.isel(contrast=exact)
        if "control_sd" in same:
            same = same.assign(
                control_sd=np.maximum(same["control_sd"], np.finfo(float).tiny)
            )
        draw = same["ace"].expand_dims("sample").transpose("sample", "contrast", "task")
        parts.append((draw, decide(same, rope=rope, ci_prob=ci_prob, shrink=None)))
    return parts


def _decide_posterior(
    posterior: Any, rope: Rope, ci_prob: float
) -> tuple[xr.DataArray, xr.Dataset]:
    from causalgia.verdicts import decide

    decisions = decide(posterior, rope=rope, ci_prob=ci_prob)
    draws = posterior["posterior"]["ace"].stack(sample=("chain", "draw"))
    return draws.transpose("sample", "contrast", "task"), decisions


def _outcomes_by_predictor(
    outcomes: Mapping[str, xr.Dataset] | Sequence[xr.Dataset] | xr.Dataset,
) -> dict[str, xr.Dataset]:
    """Return the outcomes of each predictor by name, with ensembles split into their
    members.
    """
    import xarray as xr

    if isinstance(outcomes, xr.Dataset):
        named: dict[str, Any] = {"": outcomes}
    elif isinstance(outcomes, Mapping):
        named = {str(name): table for name, table in outcomes.items()}
    elif isinstance(outcomes, Sequence) and not isinstance(outcomes, str):  # type: ignore[unreachable]  # by any caller
        named = {f"predictor {k}": table for k, table in enumerate(outcomes)}
    else:
        raise DataError(
            "across_predictors takes {predictor: outcomes}, a list of outcomes, or "
            f"those of an ensemble or of many tasks, not {type_in_words(outcomes)}"
        )
    tables: dict[str, xr.Dataset] = {}
    for name, table in named.items():
        check_dataset(table, "outcomes")
        if "model" not in table.dims:
            tables[name] = table
            continue
        models = (
            table["model"].to_numpy()
            if "model" in table.coords
            else range(table.sizes["model"])
        )
        begins = f"{name}: " if name else ""
        tables |= {
            f"{begins}{model}": table.isel(model=k, drop=True)
            for k, model in enumerate(models)
        }
    return tables


def _contrast_of_predictor(named: tuple[str, xr.Dataset], chosen: str) -> xr.Dataset:
    """Return the effects of one contrast of one predictor, with its tasks as contrasts
    of a single task.
    """
    from causalgia.effects import contrast

    name, outcomes = named
    effects = contrast(outcomes)
    known = [str(c) for c in effects["contrast"].to_numpy()]
    if chosen not in known:
        raise EstimateError(
            f"{name or 'the outcomes'}: there is no contrast "
            f"{quoted(chosen)}{nearest(chosen, known)}"
        )
    validate(effects, "effects")
    if "ice" not in effects:
        raise DataError(
            f"{name or 'the outcomes'}: a parallel trial has no individual effects; "
            "run a crossover"
        )
    tasks = [str(task) for task in effects["task"].to_numpy()]
    names = (
        [name]
        if name and len(tasks) == 1
        else [f"{name}: {task}" if name else task for task in tasks]
    )
    one = (
        effects.drop_dims("arm").sel(contrast=chosen, drop=True).rename(task="contrast")
    )
    turned = (
        one.assign_coords(contrast=names)
        .expand_dims(task=[chosen])
        .transpose("unit", "contrast", "task", ...)
    )
    turned.attrs = {
        key: effects.attrs[key] for key in _COPIED_ATTRS if key in effects.attrs
    }
    return as_result(turned, "effects")


_COPIED_ATTRS = (
    "assignment",
    "scale",
    "contrast_scale",
    "transform",
    "null",
    "estimand",
    "rng",
)


def _check_comparable(tables: Mapping[str, xr.Dataset]) -> None:
    """Raise DataError if predictors were run on different experiments (null models
    or arms), or scales.
    """
    (name, first), *others = (
        (name, _experiment(table)) for name, table in tables.items()
    )
    for other, experiment in others:
        if apart := _experiment_difference(first, experiment):
            raise DataError(
                f"{quoted(name)} and {quoted(other)} answered different experiments "
                f"({apart}), whose effects are not of one kind; run one experiment on "
                "all predictors"
            )
    scales = {about(table, "").scale for table in tables.values()}
    if len(scales) > 1:
        raise DataError(
            f"the predictors are on different scales ({', '.join(sorted(scales))}), "
            "and do not compare"
        )


class _Experiment(NamedTuple):
    """What outcomes say of their experiment: null model, intervention by arm,
    fingerprint of the design.
    """

    null: str
    arms: dict[str, str]
    design: str


def _experiment(outcomes: xr.Dataset) -> _Experiment:
    arms = (
        [str(arm) for arm in outcomes["arm"].to_numpy()]
        if "arm" in outcomes.coords
        else []
    )
    done = (
        outcomes["do"].to_numpy()
        if "do" in outcomes.variables and outcomes["do"].dims == ("arm",)
        else arms
    )
    null, design = (
        str(outcomes.attrs.get(key, "")) for key in ("null", "design_fingerprint")
    )
    return _Experiment(null, dict(zip(arms, map(str, done), strict=True)), design)


def _experiment_difference(one: _Experiment, other: _Experiment) -> str:
    """Return the difference of two experiments, as text; empty where they are the
    same.
    """
    if one.null != other.null:
        return (
            f"their null models: {one.null or 'not known'}; {other.null or 'not known'}"
        )
    for arm in [*one.arms, *other.arms]:
        if one.arms.get(arm) != other.arms.get(arm):
            return (
                f"arm '{arm}': {one.arms.get(arm, 'not there')}; "
                f"{other.arms.get(arm, 'not there')}"
            )
    # a table made elsewhere has none
    apart = one.design and other.design and one.design != other.design
    return f"their designs: {one.design}; {other.design}" if apart else ""


def _share_units(tables: Mapping[str, xr.Dataset]) -> bool:
    """Whether all predictors have the same units; raise DataError if only some
    do.
    """
    first, *others = tables.values()
    same = []
    for table in others:
        known = [
            name
            for name in ("unit", "parent", "gc")
            if name in first.coords and name in table.coords
        ]
        same.append(
            all(
                np.array_equal(first[name].to_numpy(), table[name].to_numpy())
                for name in known
            )
        )
    if all(same):
        return True
    seeds = [
        seed.words
        for table in tables.values()
        if (seed := Seed.stored(about(table, "").rng)) is not None
    ]
    if any(same) or len(set(seeds)) < len(seeds):
        raise DataError(
            "some predictors share units, or the seed of their units, and others do "
            "not; run one experiment with one rng= for all, or each predictor with "
            "an rng= of its own"
        )
    return False


def _estimate_predictor(named: tuple[str, xr.Dataset], chosen: str) -> xr.Dataset:
    """Return the estimates of one contrast in the tasks of one predictor."""
    from causalgia.estimation import estimate

    return estimate(_contrast_of_predictor(named, chosen))


def _combine_independent(estimates: list[xr.Dataset]) -> xr.Dataset:
    """Combine the estimates of predictors with separate units, whose errors are
    independent.
    """
    from scipy.linalg import block_diag

    from causalgia.estimation import covariance

    plain = [
        one.drop_dims([dim for dim in ("contrast_", "cluster") if dim in one.dims])
        for one in estimates
    ]
    joined = _concatenate_predictors(plain)
    if len(estimates) == joined.sizes["contrast"]:
        return joined
    matrix = block_diag(*(covariance(one).to_numpy()[:, :, 0] for one in estimates))
    coords = {"contrast_": joined["contrast"].to_numpy()}
    return joined.assign(
        covariance=(("contrast", "contrast_", "task"), matrix[:, :, None])
    ).assign_coords(coords)


_IF_LACKING = (WEIGHT, COUNTS)
"""Columns that only tables of two-valued outcomes have; 0 in others."""


def _concatenate_predictors(parts: list[xr.Dataset]) -> xr.Dataset:
    """Concatenate tables on contrast, with the attributes that are the same wherever
    they are given.

    ``xr.concat`` also aligns and copies each of them, which takes ten times as long.

    Raises
    ------
    DataError
        If a table lacks a column of effects that another has.
    """
    import xarray as xr

    if any("floor" in part for part in parts):
        parts = [_with_floor(part) for part in parts]
    columns: dict[Hashable, xr.Variable] = {}
    attrs: dict[Any, Any] = {}
    different = set[Any]()
    for part in parts:
        columns |= {
            name: column
            for name, column in part.variables.items()
            if name not in columns
        }
        different |= {
            key
            for key, value in part.attrs.items()
            if attrs.setdefault(key, value) != value
        }
    for name, one in columns.items():
        if "contrast" in one.dims:
            lacks = [
                str(part["contrast"].to_numpy()[0])
                for part in parts
                if name not in part.variables
            ]
            if lacks and name not in _IF_LACKING:
                raise DataError(
                    f"{quoted(lacks[0])} has no {name}, which others have; run all "
                    "predictors in one way"
                )
            blocks = [
                part.variables[name].data
                if name in part.variables
                else np.zeros(
                    [({**one.sizes, **part.sizes})[dim] for dim in one.dims], one.dtype
                )
                for part in parts
            ]
            values = np.concatenate(blocks, axis=one.dims.index("contrast"))
            columns[name] = xr.Variable(one.dims, values, one.attrs)
    coords = {
        name: columns.pop(name)
        for name in list(columns)
        if any(name in part.coords for part in parts)
    }
    return type(parts[0])(
        columns,
        coords,
        {key: value for key, value in attrs.items() if key not in different},
    )


def _with_floor(part: xr.Dataset) -> xr.Dataset:
    """Return a table with a floor: 0 where the predictor's rounding errors are not
    known.
    """
    if "floor" in part:
        return part
    dims, sizes = ("contrast", "task"), (part.sizes["contrast"], part.sizes["task"])
    with_floor = part.assign(floor=(dims, np.zeros(sizes)))
    return (
        with_floor.assign(below_floor=(dims, np.zeros(sizes, bool)))
        if "ace" in part
        else with_floor
    )

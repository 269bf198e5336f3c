"""One question over many predictors or tasks: for how many of them is there an effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import ContrastError, DecisionError, OutcomesError
from causalgia.schema import annotate, require_dataset, validate
from causalgia.tables import nearest

if TYPE_CHECKING:
    from causalgia.verdicts.regions import Rope

_SIDES = ("above", "below", "either")


def across_predictors(outcomes: Mapping[str, xr.Dataset] | xr.Dataset, *, contrast: str) -> xr.Dataset:
    """Estimate one contrast in many predictors or tasks, as estimates whose contrasts are the predictors.

    They are then ready for the ordinary verbs: ``cg.infer`` draws them towards each other, ``cg.decide(...,
    error="bayes_fdr")`` bounds the false discoveries among them, and `share_of_predictors` counts. Predictors that
    answered the same units share errors, and their covariance comes with the estimates; predictors that answered
    units of their own are independent.

    Parameters
    ----------
    outcomes
        Predictor -> outcomes of the same experiment; or outcomes of one predictor with many tasks. All are on one
        scale, in one ``rng=`` each or one ``rng=`` for all.
    contrast
        Name of the contrast, one that the experiment names.

    Returns
    -------
    Dataset
        ``ace, se, df, p, ... (contrast, task)`` as `causalgia.estimate` gives them, with the predictors on contrast
        (named ``"predictor: task"`` where a predictor has several tasks) and the contrast as the one task.

    Raises
    ------
    OutcomesError
        If predictors are on different scales, some share units and others do not, or there are fewer than two.
    ContrastError
        If a predictor's outcomes lack the contrast.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459: 3' GC bias over the 244 experiments of RNAcompete.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, Oracle, Word
    >>> experiment = cg.experiments.composition_bias(n_units=200)
    >>> biased = {f"RBP{k}": Oracle(Word("UGCAUG", 1.0), EndGC(-0.2 * k, last=8)) for k in (1, 2, 3)}
    >>> outcomes = {name: cg.run(experiment, oracle, rng=0) for name, oracle in biased.items()}
    >>> estimates = across_predictors(outcomes, contrast="bias")
    >>> estimates["ace"].values.ravel().round(2), estimates["contrast"].values.tolist()
    (array([-0.07, -0.15, -0.22]), ['RBP1', 'RBP2', 'RBP3'])
    """
    tables = _by_predictor(outcomes)
    parts = [_of_one(table, name, contrast) for name, table in tables.items()]
    _check_scales(tables)
    if sum(part.sizes["contrast"] for part in parts) < 2:
        raise OutcomesError("there is one predictor with one task, and nothing to go across; give two or more")
    first, *others = parts
    same = [_same_units(first, part) for part in others]
    if all(same):
        return _together(parts)
    seeds = [seed for table in tables.values() if (seed := str(table.attrs.get("rng", ""))).isdigit()]
    if any(same) or len(set(seeds)) < len(seeds):
        raise OutcomesError(
            "some predictors share units, or the seed of their units, and others do not; run one experiment with one "
            "rng= for all, or each predictor with an rng= of its own"
        )
    return _apart(parts)


def share_of_predictors(posterior: Any, *, rope: Rope, level: float = 0.95, ci_prob: float = 0.95) -> xr.Dataset:
    """Say for what share of the predictors the effect is beyond the region of practical equivalence.

    The estimand is the share among these predictors, ``mean_k 1{delta_k outside the ROPE}``; its posterior is that of
    the share in every joint draw, so its interval knows of which predictors one cannot be sure. It leans on the family
    of effects: where that is right the interval covers as it says (simulated, 100 and 244 predictors), and where half
    of them have one and the same effect the mixture's is off by some .03. `claimed` leans on it less.

    Parameters
    ----------
    posterior
        From ``cg.infer(across_predictors(...), rng=)``.
    rope
        Region of practical equivalence, as `causalgia.decide` takes it.
    level
        1 minus the false-discovery rate among the predictors that are claimed.
    ci_prob
        Probability of the interval.

    Returns
    -------
    Dataset
        On (side, task), side ``"above"``, ``"below"``, ``"either"``: ``share`` (posterior mean), ``lower, upper``, and
        ``claimed``, the share of predictors whose verdict says so with the mean error of all these at most
        ``1 - level``.

    Raises
    ------
    DecisionError
        As `causalgia.decide`; or if the ROPE is 0, beyond which every effect lies.

    References
    ----------
    Mueller, Parmigiani, Robert & Rousseau (2004), doi:10.1198/016214504000001646.

    Examples
    --------
    >>> import causalgia as cg
    >>> estimates = cg.from_effects([-0.3, -0.28, -0.33, 0.01, 0.0, -0.02], se=0.01)
    >>> share = share_of_predictors(cg.infer(estimates, rng=0), rope=(-0.1, 0.1))
    >>> share["share"].sel(side="below").item(), share["claimed"].sel(side="below").item()
    (0.5, 0.5)
    """
    from causalgia.estimation.request import require_ci_prob
    from causalgia.verdicts import decide

    ci_prob = require_ci_prob(ci_prob)
    decisions = decide(posterior, rope=rope, level=level, error="bayes_fdr")
    if "caution" in decisions.attrs:
        raise DecisionError("rope=0: every effect lies beyond it; give the effects too small to matter, (lower, upper)")
    draws = posterior["posterior"]["ace"].stack(sample=("chain", "draw")).transpose("sample", "contrast", "task")
    beyond = _sides(
        (draws > decisions["rope_upper"]).to_numpy(), (draws < decisions["rope_lower"]).to_numpy()
    )  # (side, sample, contrast, task)
    shares = beyond.mean(axis=2)
    said = [(decisions["verdict"] == word).to_numpy() for word in ("increases", "decreases")]
    tail = (1 - ci_prob) / 2
    lower, upper = np.quantile(shares, [tail, 1 - tail], axis=1)
    columns = {"share": shares.mean(axis=1), "lower": lower, "upper": upper, "claimed": _sides(*said).mean(axis=1)}
    return xr.Dataset(
        {name: (("side", "task"), values) for name, values in columns.items()},
        coords={"side": list(_SIDES), "task": decisions["task"].to_numpy()},
        attrs={"n_predictors": decisions.sizes["contrast"], "rope": decisions.attrs["rope"], "level": level},
    )


def _sides(above: npt.NDArray[np.bool_], below: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.stack([above, below, above | below])


def _by_predictor(outcomes: Mapping[str, xr.Dataset] | xr.Dataset) -> dict[str, xr.Dataset]:
    tables = {"": outcomes} if isinstance(outcomes, xr.Dataset) else dict(outcomes)
    for name, table in tables.items():
        require_dataset(table, "outcomes")
        if "model" in table.dims:
            raise OutcomesError(
                f"{name or 'outcomes'}: the dim 'model' has several predictors; select one of them each"
            )
    return tables


def _of_one(outcomes: xr.Dataset, name: str, asked: str) -> xr.Dataset:
    """Return the effects of one contrast in the tasks of one predictor: its tasks as contrasts, in one task."""
    from causalgia.effects import contrast

    effects = contrast(outcomes)
    known = [str(c) for c in effects["contrast"].to_numpy()]
    if asked not in known:
        raise ContrastError(f"{name or 'the outcomes'}: there is no contrast {asked!r}{nearest(asked, known)}")
    if "ice" not in effects:
        raise OutcomesError(f"{name or 'the outcomes'}: a parallel trial has no individual effects; run a crossover")
    tasks = [str(task) for task in effects["task"].to_numpy()]
    names = [name] if name and len(tasks) == 1 else [f"{name}: {task}" if name else task for task in tasks]
    one = effects.drop_dims("arm").sel(contrast=asked, drop=True).rename(task="contrast")
    turned = one.assign_coords(contrast=names).expand_dims(task=[asked]).transpose("unit", "contrast", "task")
    turned.attrs = {key: effects.attrs[key] for key in _SAID if key in effects.attrs}
    return validate(annotate(turned), "effects")


_SAID = ("assignment", "scale", "contrast_scale", "transform", "null", "estimand", "rng")


def _check_scales(tables: Mapping[str, xr.Dataset]) -> None:
    scales = {str(table.attrs.get("scale", "")) for table in tables.values()}
    if len(scales) > 1:
        raise OutcomesError(f"the predictors are on different scales ({', '.join(sorted(scales))}), and do not compare")


def _same_units(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two predictors answered the same units: their labels, parents and shares of G and C say so."""
    known = [name for name in ("unit", "parent", "gc") if name in one.coords and name in other.coords]
    return all(np.array_equal(one[name].to_numpy(), other[name].to_numpy()) for name in known)


def _together(parts: list[xr.Dataset]) -> xr.Dataset:
    """Estimate predictors that answered the same units, with the covariance of their estimates."""
    from causalgia.estimation import estimate

    return estimate(_joined(parts))


def _apart(parts: list[xr.Dataset]) -> xr.Dataset:
    """Estimate predictors that answered units of their own: their errors are independent."""
    from scipy.linalg import block_diag

    from causalgia.estimation import covariance, estimate

    estimates = [estimate(part) for part in parts]
    plain = [one.drop_dims([dim for dim in ("contrast_", "cluster") if dim in one.dims]) for one in estimates]
    joined = _joined(plain)
    if len(parts) == joined.sizes["contrast"]:
        return joined
    matrix = block_diag(*(covariance(one).to_numpy()[:, :, 0] for one in estimates))
    coords = {"contrast_": joined["contrast"].to_numpy()}
    return joined.assign(covariance=(("contrast", "contrast_", "task"), matrix[:, :, None])).assign_coords(coords)


def _joined(parts: list[xr.Dataset]) -> xr.Dataset:
    return xr.concat(
        parts, "contrast", data_vars="minimal", coords="minimal", compat="override", combine_attrs="drop_conflicts"
    )

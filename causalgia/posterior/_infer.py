"""The verb `infer`: the posterior of every effect from estimates, as a DataTree for
ArviZ.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.analysis_values import Prior
from causalgia.attributes import about, attributes, has
from causalgia.checks import as_names, check_draws
from causalgia.choices import LEAST_DF, LEAST_TO_SHRINK
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    first_of,
    quoted,
)
from causalgia.estimation._from_effects import typical_df
from causalgia.estimation.exchangeable import EXCHANGEABLE, exchangeable_contrasts
from causalgia.expressions import two_kinds
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import weights_of
from causalgia.posterior.family_posterior import fit_family
from causalgia.posterior.labeled_data import (
    FamilyData,
    MergedDraws,
    as_labeled_estimates,
    average_over_predictors,
    covariate_values,
    family_data,
    posterior_groups,
    prior_unit_label,
    result_coordinates,
    sigma_label,
)
from causalgia.posterior.model_checks import errors_grow_with_effects, prior_conflict
from causalgia.posterior.posterior_tree import CHAINS, Tree, as_tree
from causalgia.posterior.shared_effects import infer_across_tasks
from causalgia.schema import check_no_average_map
from causalgia.streams import RNG, root_key
from causalgia.types import Client, GivenTable
from causalgia.workers import mapped

_LEAST_RATIO, _MOST_RATIO = 1e-100, 1e12  # of standard errors to the scale of the prior
_PREDICTORS = (
    "a level: ace is the mean over retrainings of the predictor; errors of the units "
    "are shared by predictors"
)


@usual_errors
def infer(
    estimates: GivenTable,
    *,
    prior: Prior | None = None,
    covariates: str | Sequence[str] | None = None,
    exchangeable: bool | None = None,
    n_draws: int = 4_000,
    rng: RNG,
    client: Client | None = None,
    across: Literal["task"] | None = None,
) -> Tree:
    """Draw from the posterior of effects that are exchangeable: hierarchical effect
    sizes, which shrink extreme estimates.

    The true effects of a task are draws from one law, and their estimates are
    ``N(delta, Sigma)``: the larger its error, the more an estimate shrinks. The
    estimand of an effect remains its ACE. The law of ten effects or more is a mixture
    of two normal scales with one center, ``delta_k = mu + x_k' beta + tau_j z_k``,
    whose scales and shares are learned from the data (`causalgia.decide` prints its
    mean, interval and local false sign rate beside every table; this verb is for draws
    and what is made of them). Verdicts do not depend on it.

    Parameters
    ----------
    estimates
        From `estimate`, or a table or a result of statsmodels as `from_effects` takes
        it. With the dim ``model``, predictors are a level of the model, and ``ace`` is the mean over
        retrainings of the predictor.
    prior
        What is known of the effects beforehand, such as from an earlier library: the
        law is then one normal scale with this prior. None: two scales; in a task with
        fewer than ten effects, and for a known covariance of more than one factor, one
        normal scale about a flat center, ``tau`` half-normal with scale five median
        standard errors.
    covariates
        Numeric coordinates on contrast, such as position or dose; they are centered.
    exchangeable
        True to treat contrasts of different kinds, such as simple effects and their
        mean, as draws from one law, which otherwise is an error.
    n_draws
        Total number of draws over four chains, rounded up to a multiple of four.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers infer tasks, with the same result.
    across
        ``"task"``: tasks borrow strength by adaptive shrinkage over patterns of effects
        (mash), if Stein's estimate of the risk says that this is better than each task
        by itself. It needs the correlation of the errors between tasks:
        ``estimate(effects, task_correlation=True)``. Moments do not depend on `rng`,
        draws do. The guide "Share strength across tasks" has the details.

    Returns
    -------
    DataTree
        Groups, on attrs["contrast_scale"]; the functions of ArviZ before 1.0 take
        ``cg.posterior.as_arviz`` of it. ``posterior``:
        ``ace (chain, draw, contrast, task)`` and the parameters of the law; NaN for
        placebos and for effects without an error. ``moments``: ``mean, sd, lfsr, shrinkage``, and
        ``lower_unshrunken, upper_unshrunken``, the 95 % interval of each effect by
        itself; across tasks also ``lfdr`` and ``mean_alone, sd_alone, lfsr_alone``, of
        each task by itself, and the group ``sharing``.
        ``observed_data, constant_data, log_likelihood``; predictors as a level, and
        sharing across tasks, have no log likelihood.

    Raises
    ------
    EstimateError
        If contrasts differ in kind, no effect has a standard error, contrasts of a
        known covariance repeat each other, the scale is a ratio, an se is far from the
        prior's scale, or a covariate is constant.
    StoreError
        If the cluster has no workers, loses them, or does not answer within the time
        limit.

    Warns
    -----
    DegenerateWarning
        If the mean or spread of the effects lies where the prior has less than 1 %.

    Notes
    -----
    Scales, shares and centers are integrated by quadrature: posterior means agree with
    brute force (12 effects) to .01 posterior sd. Draws are independent. Errors with few
    degrees of freedom are enlarged to normal scores (Efron 2010, section 2.1).
    `causalgia.posterior.to_pymc` returns the same law as a PyMC model. The page "What
    is estimated" has how the covariance of the estimates is used, and what
    leave-one-out measures (Merkle et al. 2019).

    References
    ----------
    Stephens (2017), doi:10.1093/biostatistics/kxw041. Gelman et al. (2013), Bayesian
    Data Analysis, chapter 5, doi:10.1201/b16018. Merkle, Furr & Rabe-Hesketh (2019),
    doi:10.1007/s11336-019-09679-0; Vehtari, Gelman & Gabry (2017),
    doi:10.1007/s11222-016-9696-4.

    Examples
    --------
    >>> import pandas as pd
    >>> schools = pd.DataFrame(
    ...     {
    ...         "effect": [28.0, 8, -3, 7, -1, 1, 18, 12],
    ...         "se": [15.0, 10, 16, 11, 9, 11, 10, 18],
    ...     }
    ... )
    >>> posterior = infer(schools, prior=Prior(mu_sd=20, tau_scale=10), rng=7)
    >>> posterior["posterior"]["ace"].dims
    ('chain', 'draw', 'contrast', 'task')
    >>> posterior["moments"]["mean"].values.ravel().round(1)
    array([9.8, 7.6, 6.4, 7.4, 5.5, 6.3, 9.5, 7.8])
    """
    check_draws(n_draws, usual=4000)
    check_no_average_map(estimates, "cg.infer")
    if not isinstance(prior, Prior | None):
        raise EstimateError(f"prior={quoted(prior)} is not a prior", argument="prior")
    names_of_x = as_names(covariates) or ()
    table = as_labeled_estimates(estimates, names_of_x)
    _check_null_value(table)
    _check_kinds(table, exchangeable)
    n, key = -(-n_draws // CHAINS) * CHAINS, root_key(rng)
    if across is not None:
        _check_across(across, {"prior": prior, "covariates": covariates})
        return infer_across_tasks(with_notes(table, *_few_df_note(table)), n_draws, key)
    names_of_x, x = covariate_values(table, names_of_x or None)
    families = family_data(table, x, prior)
    notes = (
        _law_note(table, families, prior)
        + _left_out_note(table, families)
        + _independence_note(table, families)
        + _few_df_note(table)
        + _growing_errors_note(table, families)
    )
    if prior is not None:
        _check_magnitude(table, families)
    coords = result_coordinates(table, names_of_x)
    draws = MergedDraws(families, coords)
    tasks = table["task"].to_numpy()
    posteriors = mapped(
        partial(fit_family, n_draws=n, key=key),
        families,
        what="infer",
        names=[f"task {tasks[family.task]!s}" for family in families],
        client=client,
        keep=draws.take,
    )
    if prior is not None:
        _warn_of_conflict(table, families)
    attrs = attributes(
        law=", ".join(dict.fromkeys(family.law for family in families)),
        prior="" if prior is None else json.dumps(asdict(prior)),
        prior_unit=prior_unit_label(table, prior),
        sigma=", ".join(
            dict.fromkeys(sigma_label(family.noise) for family in families)
        ),
        predictors=_PREDICTORS if families[0].by_predictor is not None else "",
        covariates=", ".join(names_of_x),
    ) | exploratory_attrs(table.attrs, prior=prior, across=None)
    tree = posterior_groups(table, families, posteriors, draws, coords)
    for name in ("posterior", "constant_data"):
        tree[name].attrs = dict(with_notes(table, *notes).attrs) | attrs
    return as_tree(tree)


def _law_note(
    table: xr.Dataset, families: list[FamilyData], prior: Prior | None
) -> list[str]:
    """Return a note on tasks whose effects do not show their law."""
    normal = [q for q in families if q.law == "normal"]
    if prior is not None or not normal:
        return []
    tasks = table["task"].to_numpy()
    few = [q for q in normal if len(q.rows) < LEAST_TO_SHRINK]
    named = first_of([str(tasks[q.task]) for q in few], 5) if few else ""
    notes = [
        f"fewer than {LEAST_TO_SHRINK} effects do not show their law: one normal scale "
        f"stands for it in {named}"
    ]
    return (notes if few else []) + (
        ["one normal scale was fitted, since a known covariance has several factors"]
        if len(few) < len(normal)
        else []
    )


def _left_out_note(table: xr.Dataset, families: list[FamilyData]) -> list[str]:
    """Return a note on effects without a standard error above 0."""
    used = sum(len(q.rows) for q in families)
    out = table.sizes["contrast"] * table.sizes["task"] - used
    if not out:
        return []
    return [
        f"{out} of {used + out} effects are placebos, of no kind, or without a "
        "standard error above 0, and were left out: their draws are NaN"
    ]


def _independence_note(table: xr.Dataset, families: list[FamilyData]) -> list[str]:
    """Return a note where a table of effects has no covariance."""
    unknown = any(
        sigma_label(q.noise) == "diagonal" and len(q.effect) > 1 for q in families
    )
    known = {"covariance", "factor"} & set(table) or has(table).predictor_fingerprint
    if not unknown or known or about(table, None).effect_on:
        return []
    return [
        "the errors of these effects were taken as independent, because no covariance "
        "is known; effects against one control share its error: give their covariance, "
        "cg.from_effects(..., covariance=)"
    ]


def _few_df_note(table: xr.Dataset) -> list[str]:
    """Return a note where standard errors have few degrees of freedom: they were
    widened to normal scores (`noises_of`), and are then taken as known.
    """
    df = typical_df(table)
    if table.sizes["contrast"] == 1 or df >= LEAST_DF:
        return []
    return [
        f"the standard errors have {df:.3g} degrees of freedom (median): each was "
        "widened until the normal p-value of its effect is that of its t, and then "
        "taken as known; intervals of the posterior are still too short, and large "
        "effects are shrunk more than they should be; cg.decide(estimates, ...) "
        "tests each effect by its own t"
    ]


def _growing_errors_note(table: xr.Dataset, families: list[FamilyData]) -> list[str]:
    """Return a note where larger effects have larger errors
    (`model_checks.errors_grow_with_effects`).
    """
    se = average_over_predictors(table)["se"].transpose("contrast", "task").to_numpy()
    if not any(
        errors_grow_with_effects(family.effect, se[family.rows, family.task])
        for family in families
    ):
        return []
    return [
        "standard errors grow with the effects, and the law of effects assumes that "
        "the two are unrelated: posterior intervals of the largest effects are too "
        "short and shrunk too far; cg.decide(estimates, ...) tests each effect"
    ]


def _check_null_value(table: xr.Dataset) -> None:
    if about(table, None).target == "next predictor":
        raise EstimateError(
            "target='next predictor': its standard errors are those of a prediction "
            "for one more network, not those of an effect",
            argument="target",
        )
    null = float(about(table, 0.0).null_value)
    if null == 0:
        return
    raise EstimateError(
        f"on {about(table, 'this scale').transform} no effect is {null:g}, and the "
        "hierarchical model assumes 0"
    )


def _check_magnitude(table: xr.Dataset, families: list[FamilyData]) -> None:
    """Raise where standard errors are so far from the scale of the prior that one of
    the two alone decides.
    """
    for family in families:
        scale, se = family.prior.tau_scale, float(np.sqrt(family.noise.marginal.max()))
        if not _LEAST_RATIO < se / scale < _MOST_RATIO:
            task = table["task"].to_numpy()[family.task]
            raise EstimateError(
                f"task {task}: a standard error of {se:.3g} is too far from the scale "
                f"of the prior (tau_scale={scale:.3g} in its unit)"
            )


def _check_kinds(table: xr.Dataset, exchangeable: bool | None) -> None:
    """Raise for contrasts that differ in kind: by `exchangeable`, or else by their
    weights.
    """
    if exchangeable is False and table.sizes["contrast"] > 1:
        raise EstimateError(
            "exchangeable=False: the effects differ in kind, and a law treats them as "
            "alike"
        )
    labels = set[str]()
    if EXCHANGEABLE in table.coords:
        kept = exchangeable_contrasts(table)
        labels = {*table[EXCHANGEABLE].to_numpy().astype(str)[kept]}
    if len(labels) > 1 and not exchangeable:
        raise EstimateError(
            f"the effects are of {len(labels)} kinds, {first_of(sorted(labels), 3)}, "
            "each a law of its own: select those of one"
        )
    if exchangeable or labels or "weight" not in table:
        return
    weight, names = weights_of(table), table["contrast"].to_numpy()
    pair = two_kinds(
        (names[k], weight.data[weight.indptr[k] : weight.indptr[k + 1]])
        for k in range(len(names))
    )
    if pair is not None:
        raise EstimateError(
            "the effects are treated as draws from one law, and contrasts "
            f"{quoted(pair[0])} and {quoted(pair[1])} are of different kinds: the "
            "weights of their arms differ"
        )


def _check_across(across: object, requested: dict[str, Any]) -> None:
    """Raise for another dim than task, and for settings of the law within a task."""
    if across != "task":
        raise EstimateError(
            f"across={quoted(across)}: effects are shared across='task', or not (None)",
            argument="across",
        )
    for name, value in requested.items():
        if value is not None:
            raise EstimateError(
                f"{name}={quoted(value)} is for the law of effects in one task, and "
                "across='task' has a law of all tasks together"
            )


def _warn_of_conflict(table: xr.Dataset, families: list[FamilyData]) -> None:
    for family in families:
        if conflict := prior_conflict(family.effect, family.noise, family.prior):
            task = table["task"].to_numpy()[family.task]
            warnings.warn(
                DegenerateWarning(f"task {task!s}: {conflict}"),
                stacklevel=caller_stacklevel(),
            )

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
from causalgia.choices import LAWS, LEAST_DF, Law, too_few_for_a_law
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation._from_effects import typical_df
from causalgia.expressions import two_kinds
from causalgia.inputs import as_pandas
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import weights_of
from causalgia.posterior.engines import (
    ENGINES,
    FEW,
    NU,
    FamilyPosterior,
    check_choice,
    choose_engine,
    fit_family,
    has_few_effects,
    has_log_likelihood,
    n_factors_for,
    resolve_law,
)
from causalgia.posterior.labeled_data import (
    FamilyData,
    MergedDraws,
    as_labeled_estimates,
    average_over_predictors,
    covariate_values,
    family_data,
    group_rows,
    posterior_groups,
    prior_unit_label,
    result_coordinates,
    sigma_label,
)
from causalgia.posterior.model_checks import errors_grow_with_effects, prior_conflict
from causalgia.posterior.nuts import CHAINS
from causalgia.posterior.posterior_tree import (
    Tree,
    as_tree,
    check_convergence,
    check_n_draws,
    diagnose,
)
from causalgia.posterior.shared_effects import infer_across_tasks
from causalgia.schema import check_no_average_map
from causalgia.streams import RNG, root_key
from causalgia.types import Client, Codes, GivenTable
from causalgia.workers import mapped

_LEAST_RATIO, _MOST_RATIO = 1e-100, 1e12  # of standard errors to the scale of the prior
_MOST_AUTO = 4_000_000  # numbers: 32 MB
# effects under an atom with a whole covariance: 10 s; the time grows with the cube
_MOST_WHOLE = 200
_PREDICTORS = (
    "a level: ace is the mean over retrainings of the predictor; errors of the units "
    "are shared by predictors"
)


@usual_errors
def infer(
    estimates: GivenTable,
    *,
    law: Law = "auto",
    prior: Prior = Prior(),  # noqa: B008  # frozen
    family: str | None = None,
    exchangeable: bool | None = None,
    covariates: str | Sequence[str] | None = None,
    engine: Literal["auto", "exact", "nuts"] = "auto",
    n_draws: int = 4_000,
    rng: RNG,
    log_likelihood: bool | Literal["auto"] = "auto",
    accept_unconverged: bool = False,
    client: Client | None = None,
    across: Literal["task"] | None = None,
) -> Tree:
    """Infer the effects of a family together by a hierarchical model, which shrinks
    extreme estimates.

    Use it for 30 or more exchangeable effects (a screen, variants, tiles);
    `causalgia.decide` follows. The true effects of a family in one task are draws from
    one law, ``delta_k = mu + x_k' beta + tau z_k``, and their estimates are
    ``N(delta, Sigma)``: the larger its error, the more an estimate shrinks. The
    estimand of an effect remains its ACE.

    Parameters
    ----------
    estimates
        From `estimate`, or a table or a result of statsmodels as `from_effects` takes
        it. With the dim ``model``, predictors are a level of the model, and ``ace`` is the mean over
        retrainings of the predictor.
    law
        Law of z, the distribution of true effects. ``"two_scales"``: a mixture of two
        normals with one center. ``"normal"``. ``"student_t"``: 4 degrees of freedom.
        ``"spike_and_slab"``: for families in which effects of exactly 0 exist.
        ``"auto"``: two scales for 30 effects or more, the normal law for 2 to 29, with
        a note; a single effect is not shrunken.
    prior
        Prior of mu and tau under the normal and the Student-t law, and of the sd of a
        single slab; in sd of the control arm if ``standardized`` and the estimates have
        ``control_sd``, else on the scale of the effects.
    family
        Coordinate on contrast; each of its values is a family with its own mu, tau and
        beta.
    exchangeable
        True to treat contrasts of different kinds, such as simple effects and their
        mean, as draws from one law, which otherwise is an error.
    covariates
        Numeric coordinates on contrast, such as position or dose; they are centered.
    engine
        ``"exact"``: quadrature and independent draws. ``"nuts"``: PyMC, through nutpie
        if it is installed. ``"auto"``: exact, except for the Student-t and the spike
        and slab with a known covariance of more than one shared factor. Two scales have
        only the exact engine.
    n_draws
        Total number of draws over four chains, rounded up to a multiple of four.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    log_likelihood
        Whether to include the pointwise log likelihood for ``az.loo``, which is as
        large as ``ace``. ``"auto"``: up to four million numbers (under an atom with a
        whole covariance 200 effects), if it has a closed form.
    accept_unconverged
        Return NUTS draws that have not converged, with a warning instead of an error.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers infer tasks and families, with the same result.
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
        ``ace (chain, draw, contrast, task)`` and the parameters of the law; from the
        exact spike and slab also ``ace_slab``, each effect given that it is not 0.
        ``moments``: ``mean, sd, lfsr, lfdr, shrinkage``, and
        ``lower_unshrunken, upper_unshrunken``, the 95 % interval of each effect by
        itself; across tasks also ``mean_alone, sd_alone, lfsr_alone``, of each task by
        itself, and the group ``sharing``.
        ``observed_data, constant_data, log_likelihood``; from NUTS also
        ``sample_stats`` and ``diagnostics``.

    Raises
    ------
    EstimateError
        If a choice is unknown, contrasts of a family differ in kind, an se is 0 or
        missing, contrasts of a known covariance repeat each other, the scale is a
        ratio, an se is far from the prior's scale, the posterior is improper, or
        ``log_likelihood=True`` has no closed form.
    EstimateError
        If NUTS diverges, an R-hat is above 1.01 or an effective sample size is below
        400, unless it is accepted.
    StoreError
        If the cluster has no workers, loses them, or does not answer within the time
        limit.

    Warns
    -----
    DegenerateWarning
        If the mean or spread of the effects lies where the prior has less than 1 %.
    DegenerateWarning
        If draws that have not converged were accepted.

    Notes
    -----
    The page "What is estimated" (many effects together) has what each law assumes, how
    the covariance of the estimates is used, why standard errors with few degrees of
    freedom are enlarged, and what leave-one-out measures (Merkle et al. 2019).

    References
    ----------
    Merkle, Furr & Rabe-Hesketh (2019), doi:10.1007/s11336-019-09679-0; Vehtari, Gelman
    & Gabry (2017), doi:10.1007/s11222-016-9696-4. Stephens (2017),
    doi:10.1093/biostatistics/kxw041. Gelman et al. (2013), Bayesian Data Analysis,
    chapter 5, doi:10.1201/b16018. Vehtari et al. (2021), doi:10.1214/20-BA1221.

    Examples
    --------
    >>> import pandas as pd
    >>> schools = pd.DataFrame(
    ...     {
    ...         "effect": [28.0, 8, -3, 7, -1, 1, 18, 12],
    ...         "se": [15.0, 10, 16, 11, 9, 11, 10, 18],
    ...     }
    ... )
    >>> posterior = infer(schools, law="normal", rng=7)
    >>> posterior["posterior"]["ace"].dims
    ('chain', 'draw', 'contrast', 'task')
    >>> posterior["moments"]["mean"].values.ravel().round(1)
    array([8. , 6.7, 5.9, 6.6, 5.4, 5.9, 8. , 6.8])
    """
    if log_likelihood != "auto" and not isinstance(log_likelihood, bool):
        raise EstimateError(
            f"log_likelihood={quoted(log_likelihood)} is not one of True, False "
            "and 'auto'"
        )
    check_choice(law, LAWS, "law")
    check_choice(engine, ENGINES, "engine")
    check_draws(n_draws, usual=4000)
    given: Any = as_pandas(estimates)
    _check_estimates(given, prior, family)
    names_of_x = as_names(covariates) or ()
    covariates = names_of_x or covariates
    names = [name for name in [family, *names_of_x] if isinstance(name, str)]
    table = as_labeled_estimates(given, names)
    _check_null_value(table)
    if across is not None:
        requested = {
            "law": law,
            "prior": prior,
            "family": family,
            "covariates": covariates,
            "engine": engine,
        }
        _check_across(
            across, requested | {"log_likelihood": log_likelihood, "client": client}
        )
        _check_kinds(table, [np.arange(table.sizes["contrast"])], exchangeable)
        return infer_across_tasks(
            with_notes(table, *_few_df_note(table)), n_draws, root_key(rng)
        )
    labels, rows = group_rows(table, family)
    _check_kinds(table, rows, exchangeable)
    names_of_x, x = covariate_values(table, covariates)
    n, key = -(-n_draws // CHAINS) * CHAINS, root_key(rng)
    planned = exploratory_attrs(table.attrs, law=law, prior=prior, across=None)
    families, law_used = _families_and_law(table, rows, x, prior, law, engine)
    notes = (
        _law_note(law, law_used, rows)
        + _independence_note(table, families)
        + _few_df_note(table)
        + _growing_errors_note(table, families)
    )
    _check_magnitude(table, families, law_used)
    law = law_used  # type: ignore[assignment]  # one of the laws
    pointwise = _wants_log_likelihood(log_likelihood, families, law, engine, n)
    if "nuts" in [choose_engine(engine, law, family.noise) for family in families]:
        check_n_draws(n, accept_unconverged)
    coords = result_coordinates(table, labels, names_of_x)
    draws = MergedDraws(families, coords)
    tasks, label_of = (
        table["task"].to_numpy(),
        [""] if labels is None else [f", group {x!s}" for x in labels],
    )
    posteriors = mapped(
        partial(
            fit_family,
            law=law,
            engine=engine,
            n_draws=n,
            key=key,
            with_log_likelihood=pointwise,
        ),
        families,
        what="infer",
        names=[
            f"task {tasks[family.task]!s}{label_of[family.group]}"
            for family in families
        ],
        client=client,
        keep=draws.take,
    )
    _warn_of_conflict(table, families, law)
    attrs = _model_attrs(table, families, posteriors, law, prior) | attributes(
        law_family=family or "", covariates=", ".join(names_of_x)
    )
    attrs |= planned
    tree = posterior_groups(
        table, families, posteriors, draws, coords, with_log_likelihood=pointwise
    )
    if "sample_stats" in tree:
        divergences = int(tree["sample_stats"]["diverging"].sum())
        tree["diagnostics"] = diagnose(tree["posterior"], divergences)
        attrs |= check_convergence(tree["diagnostics"], accept_unconverged)
    for name in ("posterior", "constant_data"):
        tree[name].attrs = dict(with_notes(table, *notes).attrs) | attrs
    return as_tree(tree)


def _check_estimates(estimates: Any, prior: object, family: object) -> None:
    check_no_average_map(estimates, "cg.infer")
    if "divergence" in getattr(estimates, "attrs", {}):
        raise EstimateError(
            "these are distances between shapes (shape_change), never negative, and a "
            "law of effects about a mean does not hold for them"
        )
    if not isinstance(prior, Prior):
        raise EstimateError(
            f"prior={quoted(prior)} is not a prior",
            argument="prior",
        )
    if isinstance(family, str) and family in LAWS and family not in estimates:
        raise EstimateError(
            f"family={quoted(family)} is a law, and family= is a coordinate on contrast",
            argument="family",
        )


def _wants_log_likelihood(
    choice: bool | str, families: list[FamilyData], law: str, engine: str, n: int
) -> bool:
    closed = all(has_log_likelihood(family, law, engine) for family in families)
    if choice is True and not closed:
        raise EstimateError(
            "log_likelihood=True: leave-one-out needs draws of the law and a "
            "closed form given the law. Predictors as a level have none, and neither "
            "have the Student-t, or the spike and slab of fewer than 30 effects, where "
            "shared errors were sampled. Use law='two_scales' or 'normal' (with "
            "predictors, first cg.estimate(effects, target='population x "
            "predictors')), or leave log_likelihood= out"
        )
    slow = law == "spike_and_slab" and any(
        q.noise.whole is not None and len(q.rows) > _MOST_WHOLE for q in families
    )
    small = not slow and n * sum(len(q.rows) for q in families) <= _MOST_AUTO
    return closed and (choice is True or (choice == "auto" and small))


def _families_and_law(
    table: xr.Dataset, rows: list[Any], x: Any, prior: Prior, law: str, engine: str
) -> tuple[list[FamilyData], str]:
    """Return the families and the law; ``"auto"`` depends on the smallest family and on
    the form of Sigma.
    """
    used = resolve_law(law, [len(members) for members in rows])
    families = list(
        family_data(
            table,
            rows,
            x,
            prior,
            n_factors_for(used, engine, covariates=x is not None),
            law=used,
        )
    )
    if (
        law == "auto"
        and used == "two_scales"
        and (engine == "nuts" or any(q.noise.whole is not None for q in families))
    ):
        # the only law that is exact with any known covariance, and has NUTS
        used = "normal"
        families = list(
            family_data(
                table,
                rows,
                x,
                prior,
                n_factors_for(used, engine, covariates=x is not None),
            )
        )
    return families, used


def _law_note(law: str, used: str, rows: list[Any]) -> list[str]:
    """Return a note where the effects are too few to show their law."""
    least, most = min(map(len, rows)), max(map(len, rows))
    if most == 1:
        return (
            ["one effect alone cannot show a law: its posterior is not shrunken"]
            if law == "auto"
            else []
        )
    if least >= FEW:
        return []
    return [
        f"{too_few_for_a_law(least, used)}; the unshrunken 95 % interval of each "
        "effect is in moments (lower_unshrunken, upper_unshrunken)"
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


def _check_magnitude(table: xr.Dataset, families: list[FamilyData], law: str) -> None:
    """Raise where standard errors are so far from the scale of the prior that one of
    the two alone decides.
    """
    for family in families:
        mixed = law == "spike_and_slab" and not has_few_effects(family)
        if (law == "two_scales" and family.by_predictor is None) or mixed:
            continue  # as in `_warn_of_conflict`
        scale, se = family.prior.tau_scale, float(np.sqrt(family.noise.marginal.max()))
        if np.isfinite(scale) and not _LEAST_RATIO < se / scale < _MOST_RATIO:
            task = table["task"].to_numpy()[family.task]
            raise EstimateError(
                f"task {task}: a standard error of {se:.3g} is too far from the scale "
                f"of the prior (tau_scale={scale:.3g} in its unit)"
            )


def _check_kinds(
    table: xr.Dataset, rows: list[Codes], exchangeable: bool | None
) -> None:
    """Raise for families of contrasts that differ in kind: by `exchangeable`, or else
    by their weights.
    """
    if exchangeable is False and any(len(members) > 1 for members in rows):
        raise EstimateError(
            "exchangeable=False: the effects differ in kind, and a law treats them as "
            "alike"
        )
    if exchangeable or "weight" not in table:
        return
    weight, names = weights_of(table), table["contrast"].to_numpy()
    for members in rows:
        pair = two_kinds(
            (names[k], weight.data[weight.indptr[k] : weight.indptr[k + 1]])
            for k in members
        )
        if pair is not None:
            raise EstimateError(
                "the effects of a family are treated as draws from one law, and "
                f"contrasts {quoted(pair[0])} and {quoted(pair[1])} are of different "
                "kinds: the weights of their arms differ"
            )


_WITHOUT_SHARING = {
    "law": "auto",
    "prior": Prior(),
    "engine": "auto",
    "log_likelihood": "auto",
}


def _check_across(across: object, requested: dict[str, Any]) -> None:
    """Raise for another dim than task, and for settings of laws within a task."""
    if across != "task":
        raise EstimateError(
            f"across={quoted(across)}: effects are shared across='task', or not (None)",
            argument="across",
        )
    for name, value in requested.items():
        if value != _WITHOUT_SHARING.get(name) and not (
            name == "engine" and value == "exact"
        ):
            raise EstimateError(
                f"{name}={quoted(value)} is for the law of effects in one task, and "
                "across='task' has a law of all tasks together"
            )


def _model_attrs(
    table: xr.Dataset,
    families: list[FamilyData],
    posteriors: list[FamilyPosterior],
    law: str,
    prior: Prior,
) -> dict[str, str | int | float]:
    few, many = (
        "spike and slab, integrated",
        "grid of scales, weights at their penalized maximum",
    )
    atoms = (
        [few if has_few_effects(family) else many for family in families]
        if law == "spike_and_slab"
        else []
    )
    return {
        "law": law,
        "engine": _join_unique([a.engine for a in posteriors]),
        "sampler": _join_unique([a.sampler for a in posteriors if a.sampler]),
        "prior": json.dumps(asdict(prior)),
        "prior_unit": prior_unit_label(table, prior, law),
        "atom": _join_unique(atoms),
        "sigma": _join_unique([sigma_label(family.noise) for family in families]),
        "predictors": _PREDICTORS if families[0].by_predictor is not None else "",
    }


def _join_unique(words: list[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _warn_of_conflict(table: xr.Dataset, families: list[FamilyData], law: str) -> None:
    nu, mixed = NU if law == "student_t" else None, law == "spike_and_slab"
    for family in families:
        if law == "two_scales" or (mixed and not has_few_effects(family)):
            # priors in units of the standard errors, or a grid of scales taken from the
            # effects
            continue
        conflict = prior_conflict(
            family.effect, family.noise, family.prior, nu=nu, about_zero=mixed
        )
        if conflict:
            task = table["task"].to_numpy()[family.task]
            warnings.warn(
                DegenerateWarning(f"task {task!s}: {conflict}"),
                stacklevel=caller_stacklevel(),
            )

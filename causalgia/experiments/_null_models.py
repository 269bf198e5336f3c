"""Sensitivity to the null model: the same contrasts under several, the agreement of
their order, and their sizes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import attributes
from causalgia.design import NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    EstimateError,
    SequenceError,
    caller_stacklevel,
    quoted,
    type_in_words,
)
from causalgia.experiments.kit.answer import Answer
from causalgia.experiments.kit.experiment import Experiment
from causalgia.notes import Said, said_to_json
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.types import Array

_ROWS_AT_ONCE = 256


def null_models(
    experiment: Experiment, *, nulls: Mapping[str, NullModel]
) -> dict[str, Experiment]:
    """Return an experiment under several null models: the same arms and contrasts on
    other backgrounds.

    Parameters
    ----------
    experiment
        Any experiment of the catalogue.
    nulls
        Name -> null model: a profile, shuffles, a Markov chain, real sequences
        (`Genomic`: knock-in). What sites are compared with is that of `experiment`
        under all of them: give it ``control="placebo"`` where real sequences are among
        them.

    Raises
    ------
    DesignError
        If there are fewer than two null models, two are equal, or one is incompatible
        with the arms; the message names it.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> skewed = [
    ...     "ACGUUUUUACGAUUGCAUUUACGAUUUAAUGCCAUUUAGUA",
    ...     "GGCUUAUUAGCUUAUUUUCGAUUAUUUCUUAGGAUUUUCUA",
    ... ]
    >>> nulls = {
    ...     "uniform": cg.Uniform(length=41),
    ...     "Markov": cg.Markov(of=skewed, order=1),
    ... }
    >>> under = null_models(cg.experiments.copies(n_units=200), nulls=nulls)
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> answers = {
    ...     name: each.analyze(cg.run(each, oracle, rng=0), rng=0)
    ...     for name, each in under.items()
    ... }
    >>> round(agreement(answers)["tau"].sel(null="uniform", null_="Markov").item(), 3)
    0.929
    """
    if not isinstance(experiment, Experiment):
        raise DesignError(
            f"null_models takes an experiment, not {type_in_words(experiment)}"
        )
    if not isinstance(nulls, Mapping) or len(nulls) < 2:
        raise DesignError(
            "nulls= names two null models or more: {'uniform': "
            "cg.Uniform(...), 'profile': ...}"
        )
    experiments: dict[str, Experiment] = {}
    for name, null in nulls.items():
        as_null_model(null, place=f"null {quoted(name)}")
        if null.length != experiment.null.length:
            raise DesignError(
                f"null {quoted(name)} has {null.length} bp, and the experiment "
                f"{experiment.null.length}"
            )
        try:
            experiments[str(name)] = replace(experiment, null=null)
        except (DesignError, SequenceError) as error:
            raise type(error)(f"null {quoted(name)}: {error}") from error
    for one, other in combinations(experiments, 2):
        if experiments[one].null == experiments[other].null:
            raise DesignError(
                f"nulls {quoted(one)} and {quoted(other)} are the same null model; "
                "give it once"
            )
    return experiments


def agreement(
    found: Mapping[str, Answer | xr.Dataset],
    *,
    min_tau: float = 0.8,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Measure the agreement of several null models: the order of the contrasts, and the
    size of each.

    Kendall's tau of two null models is the share of pairs of contrasts in the same
    order minus that in the opposite order. Its interval is for the tau of the true
    effects: pairs whose order is clear under both null models count as observed, all
    others both ways, ``(C - D -+ U) / N``. "Clear" is at ``ci_prob`` simultaneously for
    all pairs and both null models (Bonferroni, t, with the covariance of the
    estimates), so the interval is valid under any dependence and wide for noisy
    estimates.

    The effects of each contrast follow a random-effects model over the null models,
    ``ace_m ~ N(delta_m, se_m^2)``, ``delta_m ~ N(mean, between_sd^2)`` (Paule and
    Mandel; Q-profile interval). Null models from the same parents with the same
    ``rng=`` share errors, which makes ``p`` conservative.

    Parameters
    ----------
    found
        Null model -> answer or estimates of the same contrasts. Contrasts of placebos,
        whose order is noise, are left out.
    min_tau
        Threshold of tau below which the order depends on the null model.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``tau, tau_lower, tau_upper`` and ``clear``, the share of pairs of contrasts
        whose order is clear under both ``(null, null_, task)``;
        ``ace, se (null, contrast, task)``;
        ``mean, between_sd, between_sd_lower, between_sd_upper`` and ``p`` of Cochran's
        Q for equal effects (contrast, task). attrs["sentences"] has a sentence for each
        task.

    Raises
    ------
    DataError
        If there are fewer than two null models, or a value is neither an answer nor
        estimates.
    EstimateError
        If null models have other contrasts or tasks.
    EstimateError
        If there are fewer than three contrasts (without placebos), all effects are
        equal, or there is no standard error.

    Warns
    -----
    DegenerateWarning
        If a tau is below `min_tau`; the message says whether errors of the estimates
        could explain that.

    References
    ----------
    Kendall (1938), doi:10.1093/biomet/30.1-2.81. Paule & Mandel (1982),
    doi:10.6028/jres.087.022. Viechtbauer (2007), doi:10.1002/sim.2514.

    Examples
    --------
    >>> import causalgia as cg
    >>> profile = cg.from_effects(
    ...     [2.0, 1.0, 0.1], se=0.05, names=["UGCAUG", "AGCAUG", "UACAUG"]
    ... )
    >>> shuffle = cg.from_effects(
    ...     [2.1, 0.9, 0.1], se=0.05, names=["UGCAUG", "AGCAUG", "UACAUG"]
    ... )
    >>> table = agreement({"profile": profile, "shuffle": shuffle})
    >>> (
    ...     table["tau"].sel(null="profile", null_="shuffle").item(),
    ...     table["tau_lower"].min().item(),
    ... )
    (1.0, 1.0)
    """
    import xarray as xr

    from causalgia.checks import as_ci_prob

    ci_prob = as_ci_prob(ci_prob)
    tables = _aligned_estimates(found)
    names, tasks = list(tables), next(iter(tables.values()))["task"].to_numpy()
    per_task = [
        _taus([table.isel(task=[t]) for table in tables.values()], ci_prob)
        for t in range(len(tasks))
    ]
    columns = zip(
        ("tau", "tau_lower", "tau_upper", "clear"),
        np.stack(per_task, axis=-1),
        strict=True,
    )
    orders = xr.Dataset(
        {name: (("null", "null_", "task"), values) for name, values in columns},
        coords={"null": names, "null_": names, "task": tasks},
    )
    table = xr.merge([orders, _variation_between_nulls(tables, ci_prob)]).assign_attrs(
        ci_prob=ci_prob, min_tau=min_tau
    )
    low = _least_agreeing(table)
    table.attrs.update(
        attributes(
            sentences=said_to_json(
                _agreement_sentence(task, row, min_tau) for task, row in low.items()
            )
        )
    )
    for task, row in low.items():
        if row["tau"] < min_tau:
            warnings.warn(
                DegenerateWarning(_agreement_sentence(task, row, min_tau)),
                stacklevel=caller_stacklevel(),
            )
    return table


def _aligned_estimates(
    found: Mapping[str, Answer | xr.Dataset],
) -> dict[str, xr.Dataset]:
    """Return the estimates under each null model, with contrasts and tasks in the order
    of the first.
    """
    from causalgia.estimation._from_effects import as_estimates
    from causalgia.estimation.crossover_estimates import is_placebo
    from causalgia.estimation.request import check_has_errors

    if not isinstance(found, Mapping) or len(found) < 2:
        raise DataError(
            "agreement takes two null models or more: {'uniform': answer, 'profile': "
            "answer}"
        )
    estimates = {
        str(k): as_estimates(v.estimates if isinstance(v, Answer) else v)
        for k, v in found.items()
    }
    tables = {
        name: table.isel(contrast=~is_placebo(table))
        for name, table in estimates.items()
    }
    name, first = next(iter(tables.items()))
    for other, table in tables.items():
        check_has_errors(table)
        if "model" in table.dims:
            raise DataError(
                f"{quoted(other)} has several predictors on the dim 'model'; select "
                "one, or their mean"
            )
        for dim in ("contrast", "task"):
            apart = sorted(
                set(map(str, first[dim].to_numpy()))
                ^ set(map(str, table[dim].to_numpy()))
            )
            if apart:
                raise EstimateError(
                    f"{dim} {quoted(apart[0])} is not under both {quoted(name)} and "
                    f"{quoted(other)}; select the same"
                )
    if first.sizes["contrast"] < 3:
        raise EstimateError(
            f"{first.sizes['contrast']} contrasts have no order to compare; Kendall's "
            "tau takes three or more"
            + " beside placebos"
            * (first.sizes["contrast"] < estimates[name].sizes["contrast"])
        )
    rows = {dim: first[dim].to_numpy() for dim in ("contrast", "task")}
    return {name: as_estimates(table.sel(rows)) for name, table in tables.items()}


def _taus(tables: list[xr.Dataset], ci_prob: float) -> Array:
    """Return tau-b of the estimates, limits of the tau of the true effects, and the
    share of clear pairs.

    Of one task under M null models: (4, M, M), all 1 on the diagonal.
    """
    from scipy.stats import kendalltau

    k = tables[0].sizes["contrast"]
    pairs = k * (k - 1) // 2
    effects = [table["ace"].to_numpy().ravel() for table in tables]
    found = np.ones((4, len(tables), len(tables)))
    # of pairs that are clear under two null models: concordant minus discordant, and
    # all
    sums, alpha = np.zeros((2, len(tables), len(tables))), (1 - ci_prob) / (2 * pairs)
    for signs in zip(*(_clear_signs(table, alpha) for table in tables), strict=True):
        flat = np.stack([block.ravel() for block in signs])
        sums += np.stack([flat @ flat.T, np.abs(flat) @ np.abs(flat).T])
    for i, j in combinations(range(len(tables)), 2):
        tau = float(kendalltau(effects[i], effects[j]).statistic)
        if not np.isfinite(tau):
            raise EstimateError(
                "all contrasts have one effect under a null model; there is no order "
                "to compare"
            )
        agree, clear = sums[:, i, j]
        doubt = pairs - clear
        found[:, i, j] = found[:, j, i] = (
            tau,
            (agree - doubt) / pairs,
            (agree + doubt) / pairs,
            clear / pairs,
        )
    return found


def _clear_signs(
    estimates: xr.Dataset, alpha: float
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the sign of each difference of two effects where it is significant at
    two-sided `alpha`, else 0.

    Blocks of contrasts against all, (rows, K), with each pair counted once.
    """
    from scipy.stats import t as student

    ace, se = (estimates[name].to_numpy().ravel() for name in ("ace", "se"))
    df = (
        estimates["df"].to_numpy().ravel()
        if "df" in estimates
        else np.full(len(ace), np.inf)
    )
    # of a difference: that of the fewer degrees of freedom
    critical = np.asarray(student.isf(alpha / 2, df))
    covariance, rounding = (
        _covariance_rows(estimates),
        DIFFERENCE_ROUNDING * np.abs(ace).max(),
    )
    for start in range(0, len(ace), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(ace)))
        spread = np.maximum(se[rows, None] ** 2 + se**2 - 2 * covariance(rows), 0.0)
        difference = ace[rows, None] - ace
        limit = np.maximum(critical[rows, None], critical) * np.sqrt(spread) + rounding
        clear = (np.abs(difference) > limit) & (rows[:, None] < np.arange(len(ace)))
        yield np.where(clear, np.sign(difference), 0.0).astype(np.float32)


def _covariance_rows(estimates: xr.Dataset) -> Any:
    """Return a function from rows to their covariance with all contrasts, off the
    diagonal, (rows, K).
    """
    if "covariance" in estimates:
        matrix = (
            estimates["covariance"]
            .transpose("contrast", "contrast_", ...)
            .to_numpy()[:, :, 0]
        )
        return lambda rows: matrix[rows]
    if "factor" in estimates:
        factor = (
            estimates["factor"]
            .transpose("cluster", "contrast", ...)
            .to_numpy()[:, :, 0]
        )
        return lambda rows: factor[:, rows].T @ factor
    return lambda rows: np.zeros((len(rows), estimates.sizes["contrast"]))


def _variation_between_nulls(
    tables: Mapping[str, xr.Dataset], ci_prob: float
) -> xr.Dataset:
    """Return all effects under all null models, and the variation of each contrast
    between them.
    """
    import xarray as xr

    from causalgia.estimation._random_effects import random_effects

    ace, se = (
        np.stack(
            [
                table[v].transpose("contrast", "task").to_numpy()
                for table in tables.values()
            ]
        )
        for v in ("ace", "se")
    )
    least = (
        1e-8 * np.maximum(np.abs(ace).max(axis=0), np.finfo(float).tiny ** 0.25)
    ) ** 2
    found = np.empty((5, *ace.shape[1:]))
    for at in np.ndindex(ace.shape[1:]):
        cell = (slice(None), *at)
        fit = random_effects(
            ace[cell],
            np.maximum(se[cell] ** 2, least[at]),
            method="PM",
            ci_prob=ci_prob,
        )
        found[cell] = fit.beta[0], fit.tau2, fit.tau2_lower, fit.tau2_upper, fit.Q_p
    found[1:4] = np.sqrt(found[1:4])
    names = ("mean", "between_sd", "between_sd_lower", "between_sd_upper", "p")
    first = next(iter(tables.values()))
    return xr.Dataset(
        {
            name: (("contrast", "task"), values)
            for name, values in zip(names, found, strict=True)
        }
        | {
            "ace": (("null", "contrast", "task"), ace),
            "se": (("null", "contrast", "task"), se),
        },
        coords={
            "null": list(tables),
            **{dim: first[dim].to_numpy() for dim in ("contrast", "task")},
        },
    )


def _least_agreeing(table: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return for each task the two null models that agree least, and the contrast that
    may differ most between them.

    The contrast is the one whose sd between null models has the largest upper limit.
    """
    rows: dict[str, dict[str, Any]] = {}
    for task in table["task"].to_numpy():
        one = table.sel(task=task)
        tau, most = (
            one["tau"].to_numpy(),
            one.isel(contrast=int(one["between_sd_upper"].argmax("contrast"))),
        )
        i, j = min(combinations(range(len(tau)), 2), key=lambda pair: tau[pair])
        names = ("tau", "tau_lower", "tau_upper", "clear")
        sd, lower, upper = (
            most[v].item()
            for v in ("between_sd", "between_sd_lower", "between_sd_upper")
        )
        rows[str(task)] = {
            **{name: one[name].to_numpy()[i, j].item() for name in names},
            "n": one.sizes["null"],
            "pair": f"'{one['null'].to_numpy()[i]}' and '{one['null'].to_numpy()[j]}'",
            "contrast": str(most["contrast"].item()),
            "spread": f"{sd:.2g} [{lower:.2g}, {upper:.2g}]",
        }
    return rows


def _agreement_sentence(task: str, row: dict[str, Any], min_tau: float) -> str:
    order = (
        f"Kendall's tau {row['tau']:.2f} [{row['tau_lower']:.2f}, "
        f"{row['tau_upper']:.2f}]"
    )
    spread = (
        "the sd between null models has its largest upper limit for "
        f"'{row['contrast']}', {row['spread']}"
    )
    if row["tau"] >= min_tau:
        same = (
            "the same order within error"
            if row["tau_upper"] >= 1 - DIFFERENCE_ROUNDING
            else "nearly the same order"
        )
        same = "the same order" if row["tau"] >= 1 - DIFFERENCE_ROUNDING else same
        return Said(
            f"the {row['n']} null models give {same} (least alike {row['pair']}, {order}); "
            f"{spread}.",
            task,
        )
    why = (
        "the answer depends on the null model"
        if row["tau_upper"] < min_tau
        else (
            f"the order of {100 * (1 - row['clear']):.0f} % of the pairs of contrasts "
            "is not clear; use more units"
        )
    )
    return Said(
        f"{row['pair']} give different orders ({order}): {why}; {spread}.", task
    )

"""Sensitivity to the null model: the same contrasts under several, the agreement of
their order, and their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.design import Design, Genomic, NullModel
from causalgia.errors import DataError, DesignError, EstimateError, quoted
from causalgia.experiments.kit.answer import Answer
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.predict import Predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, Seed
from causalgia.types import Array

_ROWS_AT_ONCE = 256


def null_models(
    experiment: Design,
    predictor: Predictor,
    *,
    nulls: Mapping[str, NullModel | Source],
    rng: RNG,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Run an experiment under several null models, and measure how far its answers
    agree: the same arms and contrasts on other backgrounds.

    Parameters
    ----------
    experiment
        Any experiment of the catalogue, or a design with ``contrasts=``; its own null
        model is not among those that are run. What sites are compared with is the same
        under all: give it ``control="placebo"`` where real sequences are among them.
    predictor
        A predictor.
    nulls
        Name -> null model, or sequences, which are then the backgrounds themselves
        (`causalgia.Genomic`): as many as the units, or all where there are fewer.
    rng
        Seed (0 is a seed), Generator or SeedSequence, of the trial under each null
        model.
    ci_prob
        As in `agreement`.

    Returns
    -------
    Dataset
        As `agreement` returns it. ``cg.report`` says it in sentences.

    Raises
    ------
    DesignError
        If a null model has another length, or is incompatible with the arms.
    DataError, EstimateError
        As in `agreement`.

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
    >>> table = null_models(
    ...     cg.experiments.copies(
    ...         cg.Uniform(length=41), "UGCAUG", at=[4, 12, 20], n_units=200
    ...     ),
    ...     cg.zoo.oracle("rbfox1_like"),
    ...     nulls={
    ...         "uniform": cg.Uniform(length=41),
    ...         "Markov": cg.Markov(of=skewed, order=1),
    ...     },
    ...     rng=0,
    ... )
    >>> round(table["tau"].sel(null="uniform", null_="Markov").item(), 3)
    1.0
    """
    from causalgia._run import run
    from causalgia.effects import contrast
    from causalgia.estimation import estimate

    seed, found = Seed.parse(rng), dict[str, xr.Dataset]()
    for name, given in nulls.items():
        null = given if isinstance(given, NullModel) else Genomic(of=given)
        if null.length != experiment.null.length:
            raise DesignError(
                f"null {quoted(name)} has {null.length} bp, and the experiment "
                f"{experiment.null.length}",
                argument="nulls",
            )
        n = experiment.n_units
        n = min(n, null.available) if isinstance(null, Genomic) else n
        design = replace(experiment, null=null, n_units=n)
        outcomes = run(design, predictor, rng=seed, progress=False)  # type: ignore[arg-type]
        found[str(name)] = estimate(contrast(outcomes))
    return agreement(found, ci_prob=ci_prob)


def agreement(
    found: Mapping[str, Answer | xr.Dataset],
    *,
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
    estimates. Orders differ where a difference of two effects is stated under one null
    model, and reversed under another: ``(1 - tau_upper) / 2`` of the pairs.

    The effects of each contrast follow a random-effects model over the null models,
    ``ace_m ~ N(delta_m, se_m^2)``, ``delta_m ~ N(mean, between_sd^2)`` (Paule and
    Mandel; Q-profile interval). Null models from the same parents with the same
    ``rng=`` share errors, which makes ``p`` conservative.

    Parameters
    ----------
    found
        Null model -> answer or estimates of the same contrasts. Contrasts of placebos,
        whose order is noise, are left out.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``tau, tau_lower, tau_upper`` and ``clear``, the share of pairs of contrasts
        whose order is clear under both ``(null, null_, task)``;
        ``ace, se (null, contrast, task)``;
        ``mean, between_sd, between_sd_lower, between_sd_upper`` and ``p`` of Cochran's
        Q for equal effects (contrast, task).

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
    return xr.merge([orders, _variation_between_nulls(tables, ci_prob)]).assign_attrs(
        ci_prob=ci_prob
    )


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
            ci_prob=ci_prob,
        )
        found[cell] = fit.mean, fit.tau2, fit.tau2_lower, fit.tau2_upper, fit.Q_p
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

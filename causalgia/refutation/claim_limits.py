"""Checks of the generality of a claim: order of doses, other null models, and tipping
points.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from causalgia.design import (
    Design,
    DinucleotideShuffle,
    Markov,
    NullModel,
    Profile,
    Shuffle,
    Uniform,
)
from causalgia.errors import CausalgiaError, CausalgiaWarning
from causalgia.estimation._random_effects import random_effects
from causalgia.experiments import agreement
from causalgia.notes import Finding
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    Claim,
    NotApplicableError,
    Status,
    arms_of,
    refutation,
    row_of,
    upper_tail,
)
from causalgia.verdicts import tipping_point

REVERSED, SHIFT_WARN, SHIFT_FAIL = 0.25, 0.5, 0.25


def dose_reversal(claim: Claim) -> xr.Dataset:
    """Test whether the outcome reverses as a dose increases: the largest step against
    the whole effect.

    A dose (copies, strength, affinity; a numeric factor of the arms with three levels
    or more) that causes the outcome changes it in one direction, or levels off. Use it
    for arms that are doses of one treatment.

    The value is the largest step between neighboring doses against the direction from
    the lowest to the highest, over that whole effect; passes up to .25.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row: the worst factor and task.

    Notes
    -----
    *Level*: fails where a one-sided t test at .0025 (Bonferroni over steps, factors and
    tasks) finds a step back of more than a quarter of the whole effect. Arms that share
    a level of the factor are averaged.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = {
    ...     k: cg.Arm(
    ...         f"{k} sites",
    ...         sum(
    ...             (cg.Embed("UGCAUG", at=12 * i + 2) for i in range(k)),
    ...             cg.Untreated(),
    ...         ),
    ...         {"sites": k},
    ...     )
    ...     for k in range(4)
    ... }
    >>> trial = cg.Design(
    ...     null=cg.Uniform(length=50),
    ...     arms=list(sites.values()),
    ...     n_units=200,
    ...     contrasts="0 sites",
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> dose_reversal(cg.refutation.Claim(cg.run(trial, oracle, rng=0), rng=1))[
    ...     "status"
    ... ].item()
    'pass'
    """
    return refutation(claim, "dose reversal", _steps_back)


def _steps_back(claim: Claim) -> list[Finding]:
    claim.check_claimed()
    outcomes, rows = claim.averaged, []
    factors = [
        str(name)
        for name, c in outcomes.coords.items()
        if c.dims == ("arm",)
        and name not in ("arm", "do", "kind", "random")
        and c.dtype.kind in "fiu"
    ]
    for factor in factors:
        levels = outcomes[factor].to_numpy().astype(float)
        doses = np.unique(levels[np.isfinite(levels)])
        if len(doses) < 3:
            continue
        names = [outcomes["arm"].to_numpy()[levels == dose].tolist() for dose in doses]
        steps = {
            f"{k}": {
                **dict.fromkeys(names[k + 1], 1 / len(names[k + 1])),
                **dict.fromkeys(names[k], -1 / len(names[k])),
            }
            for k in range(len(doses) - 1)
        }
        whole = {
            **dict.fromkeys(names[-1], 1 / len(names[-1])),
            **dict.fromkeys(names[0], -1 / len(names[0])),
        }
        over = claim.estimated(claim.contrasted(outcomes, contrasts={"whole": whole}))
        for task in map(str, outcomes["task"].to_numpy()):
            total = row_of(over, "whole", task)[0]
            if total == 0 or float(over["p"].sel(contrast="whole", task=task)) > 0.05:
                continue
            sign = np.sign(total)
            table = {
                name: {
                    arm: -sign * row.get(arm, 0.0)
                    - REVERSED * sign * whole.get(arm, 0.0)
                    for arm in {*row, *whole}
                }
                for name, row in steps.items()
            }
            beyond = claim.estimated(claim.contrasted(outcomes, contrasts=table))
            back = claim.estimated(claim.contrasted(outcomes, contrasts=steps))
            for k, name in enumerate(steps):
                p = upper_tail(*row_of(beyond, name, task))
                size = -sign * row_of(back, name, task)[0] / abs(total)
                rows.append(
                    (float(size), p, factor, float(doses[k]), float(doses[k + 1]), task)
                )
    if not rows:
        raise NotApplicableError(
            "no numeric factor of the arms has three doses with an effect from the "
            "lowest to the highest"
        )
    failed = [row for row in rows if row[1] <= FAIL_LEVEL / len(rows)]
    size, _, factor, low, high, task = max(failed or rows)
    status: Status = "fail" if failed else "warn" if size > REVERSED else "pass"
    return [
        Finding(
            "dose reversal",
            status,
            max(size, 0.0),
            REVERSED,
            {
                "factor": factor,
                "low": low,
                "high": high,
                "task": task,
                "size": size,
            },
        )
    ]


def tipping_shift(claim: Claim) -> xr.Dataset:
    """Find the smallest shift in GC content of the backgrounds that changes a claimed
    effect.

    `causalgia.tipping_point` reweights the predicted units; this check uses its nearest
    tipping point over all claims.

    The value is the smallest shift of the mean GC content, in sd, at which the effect
    itself leaves its side (of 0, or of the planned ROPE); if none does, the largest
    shift that the units allow. Passes from .5, or from that shift if it is less.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row.

    Notes
    -----
    *Level*: fails where the effect turns within .25 sd. For a claim (an effect of three
    standard errors and more) the error of the slope would have to be twelve standard
    errors, or the effect to change with GC.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> tipping_shift(cg.refutation.Claim(cg.run(design, oracle, rng=0), rng=1))[
    ...     "status"
    ... ].item()
    'pass'
    """
    return refutation(claim, "tipping shift", _nearest_turn)


def _nearest_turn(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    if "gc" not in claim.averaged.coords:
        raise NotApplicableError(
            "the units have no GC content; a column gc of the table is one"
        )
    region = claim.analysis.region
    rope = region if region is not None and region.kind == "numbers" else 0
    names = list(dict.fromkeys(name for name, _ in claimed))
    rows = {name: claim.weights[name] for name in names}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = tipping_point(
                claim.averaged, contrast=rows, rope=rope, scale=claim.analysis.scale
            )
    except CausalgiaError as error:
        raise NotApplicableError(str(error)) from error
    turns = [
        (abs(float(one["leaving_shift"])), bool(one["leaves"]), side, name, task)
        for name, task in claimed
        for side in ("down", "up")
        for one in [found.sel(contrast=name, task=task, side=side)]
    ]
    leaving = [row for row in turns if row[1]]
    shift, leaves, side, name, task = min(leaving or turns)
    status: Status = (
        "pass"
        if not leaves or shift >= SHIFT_WARN
        else "fail"
        if shift < SHIFT_FAIL
        else "warn"
    )
    return [
        Finding(
            "tipping shift",
            status,
            shift,
            # as far as the units can tell, where that is less
            SHIFT_WARN if leaves else min(shift, SHIFT_WARN),
            {
                "name": name,
                "task": task,
                "shift": shift,
                "leaves": leaves,
                "side": side,
            },
        )
    ]


N_NULLS = 3
"""Other null models that the claimed effects are estimated under."""
ORDER, RANGE, SPREAD = 0.8, 0.5, 0.5
_LEAST_UNITS_A_NULL = 20
_MOST_UNITS_A_NULL = 500


def other_null_models(claim: Claim) -> xr.Dataset:
    r"""Repeat the claimed contrasts under three other null models: their order, their
    range, and the sd between.

    An effect is an average over the backgrounds of one null model. Use it before
    claiming that a motif acts in general, not only in these backgrounds.

    Three rows, over the trial and the other null models. *Other null models*: the
    smallest effect under another null model over that of the trial; passes from .5.
    *Order of effects*: the smallest Kendall's tau of two null models, of three claimed
    contrasts or more; passes from .8. *Sd between null models*: that of the
    random-effects model, over the mean; passes up to .5.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", two or three rows; the worst of the claimed effects.

    Notes
    -----
    The null models are the first three that are not the trial's of: dinucleotide
    shuffles, a first-order Markov chain, uniform sequences, a profile, shuffles, each
    of the real sequences. *Level*: the range fails where a one-sided t test at .0025
    (Bonferroni over effects and null models) finds the other sign; the order where the
    simultaneous interval at .995 excludes a tau of .8; the sd where its lower limit at
    .0025 lies above the mean itself.

    References
    ----------
    Paule & Mandel (1982), doi:10.6028/jres.087.022; Kendall (1938),
    doi:10.1093/biomet/30.1-2.81.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> real = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(60, rng=5)["sequence"].values
    ... )
    >>> design = cg.Design(
    ...     null=cg.DinucleotideShuffle(of=real),
    ...     arms=arms,
    ...     n_units=300,
    ...     contrasts="control",
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> other_null_models(claim)["status"].values.tolist()
    ['pass', 'pass']
    """
    return refutation(claim, "other null models", _repeated_trials)


def _repeated_trials(claim: Claim) -> list[Finding]:
    claimed, design = claim.check_claimed(), claim.check_design()
    claim.check_predictor()
    nulls = _other_nulls(claim, design)
    names = list(dict.fromkeys(name for name, _ in claimed))
    while True:
        arms = dict.fromkeys(arm for name in names for arm in claim.weights[name])
        a_unit = len(arms) * len(nulls)
        if len(names) == 1 or _LEAST_UNITS_A_NULL * a_unit <= 0.3 * claim.budget:
            break
        names = names[:-1]
    n = claim.n_units(
        0.3, a_unit=a_unit, least=_LEAST_UNITS_A_NULL, most=_MOST_UNITS_A_NULL
    )
    tables: dict[str, xr.Dataset] = {}
    for label, null in nulls.items():
        try:
            outcomes = claim.fresh(arms_of(claim, arms), n, f"null {label}", null=null)
        except CausalgiaError as error:
            raise NotApplicableError(
                f"an arm does not go with {label}: {error}"
            ) from error
        rows = {name: claim.weights[name] for name in names}
        tables[label] = claim.estimated(claim.contrasted(outcomes, contrasts=rows))
    effects = [(name, task) for name, task in claimed if name in names]
    found = [_range_finding(claim, tables, effects, n * a_unit)]
    if len(names) >= 3:
        found.append(_order_finding(claim, tables, names))
    return [*found, _spread_finding(claim, tables, effects)]


def _other_nulls(claim: Claim, design: Design) -> dict[str, NullModel]:
    """Return three null models other than the trial's, made of the real sequences."""
    real = claim.real_sequences
    if real is None:
        raise NotApplicableError(
            "no real sequences were given to make other null models of: real="
        )
    made: dict[str, Any] = {
        "dinucleotide shuffles": lambda: DinucleotideShuffle(of=real),
        "a Markov chain": lambda: Markov(of=real, order=1),
        "uniform sequences": lambda: Uniform(length=design.null.length),
        "a profile": lambda: Profile(of=real),
        "shuffles": lambda: Shuffle(of=real),
    }
    nulls: dict[str, NullModel] = {}
    for name, make in made.items():
        try:
            null = make()
        except (
            CausalgiaError
        ):  # sequences too few or too alike for this one; another takes its place
            continue
        if null != design.null and len(nulls) < N_NULLS:
            nulls[name] = null
    if len(nulls) < N_NULLS:
        raise NotApplicableError(
            f"the real sequences give {len(nulls)} other null models, and {N_NULLS} "
            "are the least"
        )
    return nulls


def _range_finding(
    claim: Claim,
    tables: Mapping[str, xr.Dataset],
    effects: list[tuple[str, str]],
    n_predictions: int,
) -> Finding:
    rows = []
    for name, task in effects:
        whole = claim.ace(name, task)
        for label, table in tables.items():
            ace, se, df = row_of(table, name, task)
            rows.append(
                (
                    ace / whole,
                    upper_tail(-ace * np.sign(whole), se, df),
                    label,
                    name,
                    task,
                )
            )
    failed = [row for row in rows if row[1] <= FAIL_LEVEL / len(rows)]
    share, _, label, name, task = min(failed or rows)
    status: Status = "fail" if failed else "pass" if share >= RANGE else "warn"
    sizes = [
        float(table["ace"].sel(contrast=name, task=task)) for table in tables.values()
    ]
    return Finding(
        "other null models",
        status,
        share,
        RANGE,
        {
            "name": name,
            "task": task,
            "least": min(sizes),
            "most": max(sizes),
            "nulls": list(tables),
            "ace": claim.ace(name, task),
            "label": label,
        },
        n_predictions=n_predictions,
    )


def _order_finding(
    claim: Claim, tables: Mapping[str, xr.Dataset], names: list[str]
) -> Finding:
    own = claim.estimates.sel(contrast=names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = agreement({"the trial": own, **tables}, ci_prob=1 - 2 * FAIL_LEVEL)
    tau, upper = found["tau"].to_numpy(), found["tau_upper"].to_numpy()
    i, j, t = np.unravel_index(np.argmin(tau), tau.shape)
    labels, task = found["null"].to_numpy(), str(found["task"].to_numpy()[t])
    failed = bool(upper.min() < ORDER)
    value = float(tau[i, j, t])
    status: Status = "fail" if failed else "pass" if value >= ORDER else "warn"
    return Finding(
        "order of effects",
        status,
        value,
        ORDER,
        {
            "n": len(names),
            "task": task,
            "one": labels[i],
            "other": labels[j],
            "most": float(upper[i, j, t]),
        },
    )


def _spread_finding(
    claim: Claim, tables: Mapping[str, xr.Dataset], effects: list[tuple[str, str]]
) -> Finding:
    rows = []
    for name, task in effects:
        cells = [
            row_of(table, name, task) for table in (claim.estimates, *tables.values())
        ]
        ace = np.array([cell[0] for cell in cells])
        variance = np.maximum(
            [cell[1] ** 2 for cell in cells], (1e-8 * np.abs(ace).max()) ** 2
        )
        fit = random_effects(ace, variance, ci_prob=1 - 2 * FAIL_LEVEL / len(effects))
        size = max(abs(fit.mean), 1e-12 * np.abs(ace).max())
        rows.append(
            (
                np.sqrt(fit.tau2) / size,
                np.sqrt(fit.tau2_lower) / size,
                np.sqrt(fit.tau2),
                name,
                task,
            )
        )
    failed = [row for row in rows if row[1] > 1]
    ratio, _, sd, name, task = max(failed or rows)
    status: Status = "fail" if failed else "warn" if ratio > SPREAD else "pass"
    return Finding(
        "sd between null models",
        status,
        float(ratio),
        SPREAD,
        {
            "name": name,
            "task": task,
            "sd": sd,
            "n": len(tables) + 1,
        },
    )

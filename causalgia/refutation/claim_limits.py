"""Checks of how far a claim reaches: the order of doses, and the null model at which a verdict turns."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from causalgia.errors import CausalgiaError, CausalgiaWarning
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    Claim,
    Finding,
    NotApplicableError,
    Status,
    refutation,
    row_of,
    upper_tail,
)
from causalgia.verdicts import tipping_point

REVERSED, SHIFT_WARN, SHIFT_FAIL = 0.25, 0.5, 0.25


def dose_reversal(claim: Claim) -> xr.Dataset:
    """Ask whether the outcome goes back where a dose goes on: the largest step against the whole effect.

    A dose (copies, strength, affinity; a numeric factor of the arms with three levels or more) that causes the outcome
    moves it one way, or levels off. Use it for arms that are doses of one thing.

    The value is the largest step between neighboring doses against the direction from the lowest to the highest, over
    that whole effect; passes up to .25.

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
    *Level*: fails where a one-sided t test at .0025 (Bonferroni over steps, factors and tasks) finds a step back of
    more than a quarter of the whole effect. Arms that share a level of the factor are averaged.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = {k: cg.Arm(f"{k} sites", sum((cg.Embed("UGCAUG", at=12 * i + 2) for i in range(k)), cg.Untreated()),
    ...     {"sites": k}) for k in range(4)}
    >>> trial = cg.Design(null=cg.Uniform(length=50), arms=list(sites.values()), n_units=200, contrasts="0 sites")
    >>> oracle = cg.zoo.oracle("additive")
    >>> cg.refutation.dose_reversal(cg.refutation.Claim(cg.run(trial, oracle, rng=0), rng=1))["status"].item()
    'pass'
    """
    return refutation(claim, "dose reversal", _steps_back)


def _steps_back(claim: Claim) -> list[Finding]:
    claim.check_claimed()
    outcomes, rows = claim.averaged, []
    factors = [
        str(name)
        for name, c in outcomes.coords.items()
        if c.dims == ("arm",) and name not in ("arm", "do", "kind", "random") and c.dtype.kind in "fiu"
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
        whole = {**dict.fromkeys(names[-1], 1 / len(names[-1])), **dict.fromkeys(names[0], -1 / len(names[0]))}
        over = claim.estimated(claim.contrasted(outcomes, contrasts={"whole": whole}))
        for task in map(str, outcomes["task"].to_numpy()):
            total = row_of(over, "whole", task)[0]
            if total == 0 or float(over["p"].sel(contrast="whole", task=task)) > 0.05:
                continue
            sign = np.sign(total)
            table = {
                name: {arm: -sign * row.get(arm, 0.0) - REVERSED * sign * whole.get(arm, 0.0) for arm in {*row, *whole}}
                for name, row in steps.items()
            }
            beyond = claim.estimated(claim.contrasted(outcomes, contrasts=table))
            back = claim.estimated(claim.contrasted(outcomes, contrasts=steps))
            for k, name in enumerate(steps):
                p = upper_tail(*row_of(beyond, name, task))
                size = -sign * row_of(back, name, task)[0] / abs(total)
                rows.append((float(size), p, factor, float(doses[k]), float(doses[k + 1]), task))
    if not rows:
        raise NotApplicableError(
            "no numeric factor of the arms has three doses with an effect from the lowest to the highest"
        )
    failed = [row for row in rows if row[1] <= FAIL_LEVEL / len(rows)]
    size, _, factor, low, high, task = max(failed or rows)
    status: Status = "fail" if failed else "warn" if size > REVERSED else "pass"
    return [
        Finding(
            check="dose reversal",
            figure="largest step back between neighboring doses over the whole effect",
            value=max(size, 0.0),
            threshold=REVERSED,
            status=status,
            reason=f"{factor} {low:g} to {high:g} on {task}: {'goes back' if size > 0 else 'goes on'} by "
            f"{abs(size):.0%} of the whole effect",
            cure="" if status == "pass" else "claim no monotone response; cg.experiments.dose_response tests the shape",
        )
    ]


def tipping_shift(claim: Claim) -> xr.Dataset:
    """Ask how little the GC content of the backgrounds must move before a claimed effect is another.

    `causalgia.tipping_point` weights the units that were predicted; this check takes its nearest turn of all claims.

    The value is the smallest shift of the mean GC content, in sd, at which the effect itself leaves its side (of 0, or
    of the planned ROPE); where none does, the last shift that the units can tell, or .5 if less. Passes from .5.

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
    *Level*: fails where the effect turns within .25 sd. For a claim (an effect of three standard errors and more) the
    error of the slope would have to be twelve standard errors, or the effect to change with GC.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"control": cg.Placebo("UGCAUG", at=17), "UGCAUG": cg.Embed("UGCAUG", at=17)}
    >>> design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts="control")
    >>> oracle = cg.zoo.oracle("additive")
    >>> cg.refutation.tipping_shift(cg.refutation.Claim(cg.run(design, oracle, rng=0), rng=1))["status"].item()
    'pass'
    """
    return refutation(claim, "tipping shift", _nearest_turn)


def _nearest_turn(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    if "gc" not in claim.averaged.coords:
        raise NotApplicableError("the units have no GC content; a column gc of the table is one")
    rope = claim.analysis.region if isinstance(claim.analysis.region, tuple) else 0
    names = list(dict.fromkeys(name for name, _ in claimed))
    rows = {name: claim.weights[name] for name in names}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            found = tipping_point(claim.averaged, contrast=rows, rope=rope, scale=claim.analysis.scale)
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
    status: Status = "pass" if not leaves or shift >= SHIFT_WARN else "fail" if shift < SHIFT_FAIL else "warn"
    way = "fewer" if side == "down" else "more"
    said = (
        f"turns {shift:.2f} sd of GC content away, towards {way} G and C"
        if leaves
        else (f"holds as far as the units can tell, {shift:.2f} sd towards {way} G and C")
    )
    return [
        Finding(
            check="tipping shift",
            figure="shift of the mean GC content, in sd, at which an effect turns",
            value=shift if leaves else max(shift, SHIFT_WARN),
            threshold=SHIFT_WARN,
            status=status,
            reason=f"'{name}' on {task} {said}",
            cure="" if status == "pass" else "claim it of these backgrounds alone, and report the tipping point",
        )
    ]

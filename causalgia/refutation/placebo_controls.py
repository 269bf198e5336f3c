"""Checks against placebos: of the claimed effects, of the control, of a positive
control, and of fresh units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.design import Arm, Embed, Genomic, Insert
from causalgia.design.intervention import Intervention, steps_of
from causalgia.design.pattern_interventions import FixedPlacebo, Placebo, placebos
from causalgia.errors import DesignError
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    N_PLACEBOS,
    WARN_LEVEL,
    Claim,
    Finding,
    NotApplicableError,
    Status,
    arms_of,
    permutation_p,
    refutation,
    row_of,
    upper_tail,
)
from causalgia.streams import derive
from causalgia.tell.table_formats import format_p, p_clause

SPECIFIC, LEAKS = 0.5, 0.25
_COST_OF_PLACEBOS = 0.4
_COST_BESIDE_POSITIVE = 0.25  # of placebos, where a known motif is tested too
_COST_OF_KNOWN_MOTIF = 0.3
_LEAST_UNITS_A_PLACEBO = 6
_MOST_UNITS_A_PLACEBO = 200


@dataclass(frozen=True, eq=False)
class PlaceboTrial:
    """Fresh units under the arms and the control of some contrasts, and under placebos
    of each arm.

    `pairs` has contrast -> (arm, control), `motifs` arm -> names of its placebos,
    `n_predictions` the sequences that it took.
    """

    outcomes: xr.Dataset
    pairs: dict[str, tuple[str, str]]
    placebos: dict[str, list[str]]
    n_units: int
    n_predictions: int
    n_left_out: int


def placebo_trial(claim: Claim) -> PlaceboTrial:
    """Return the trial of placebos that the checks of a claim share.

    Raises
    ------
    NotApplicableError
        If no contrast is one written motif minus a control, or the budget does not
        allow the trial.
    """
    if "motif trial" not in claim.shared:
        claim.shared["motif trial"] = _run_placebo_trial(claim)
    found: PlaceboTrial = claim.shared["motif trial"]
    return found


def _first_count(claim: Claim) -> int:
    """Return the predictions of the shared trial where no row has counted them yet,
    else 0.
    """
    counted = claim.shared.get("motifs counted", False)
    claim.shared["motifs counted"] = True
    return 0 if counted else placebo_trial(claim).n_predictions


def _run_placebo_trial(claim: Claim) -> PlaceboTrial:
    design = claim.check_design()
    claim.check_predictor()
    steps = {arm.name: arm.intervention for arm in design.named_arms}
    by_size = np.argsort(
        -abs(claim.estimates["ace"]).max("task").to_numpy(), kind="stable"
    )
    others = [str(name) for name in claim.estimates["contrast"].to_numpy()[by_size]]
    names = list(dict.fromkeys([name for name, _ in claim.effects_claimed] + others))
    pairs, made, why = {}, {}, ""
    for name in names:
        weights = claim.weights[name]
        if sorted(weights.values()) != [-1.0, 1.0]:
            why = why or f"contrast '{name}' is not one arm minus another"
            continue
        treated, control = sorted(weights, key=weights.__getitem__, reverse=True)
        try:
            made[name] = _placebo_arms(steps[treated])
        except DesignError as error:
            why = why or f"arm '{treated}': {error}"
            continue
        pairs[name] = treated, control
    if not pairs:
        raise NotApplicableError(
            f"no contrast is a written motif minus a control ({why})"
        )
    there = (
        design.drawn.available
        if isinstance(design.drawn, Genomic)
        else _MOST_UNITS_A_PLACEBO
    )
    for n_pairs in range(min(len(pairs), 3), 0, -1):
        chosen = dict(list(pairs.items())[:n_pairs])
        own = dict.fromkeys(arm for pair in chosen.values() for arm in pair)
        a_unit = len(own) + N_PLACEBOS * n_pairs
        try:
            share = (
                _COST_OF_PLACEBOS if claim.positive is None else _COST_BESIDE_POSITIVE
            )
            least = min(_LEAST_UNITS_A_PLACEBO if n_pairs == 1 else 24, there)
            n = claim.n_units(
                share,
                a_unit=a_unit,
                least=least,
                most=min(_MOST_UNITS_A_PLACEBO, there),
            )
            break
        except NotApplicableError:
            if n_pairs == 1:
                raise
    arms, of_arm = arms_of(claim, own), {}
    for name, (arm, _) in chosen.items():
        of_arm[arm] = [f"{arm}: {placebo}" for placebo in made[name]]
        arms += [Arm(f"{arm}: {placebo}", one) for placebo, one in made[name].items()]
    return PlaceboTrial(
        claim.fresh(arms, n, "placebo words"),
        chosen,
        of_arm,
        n,
        n * a_unit,
        len(pairs) - n_pairs,
    )


def _placebo_arms(treated: Intervention) -> dict[str, Intervention]:
    """Return placebos written as an arm writes its own motif.

    Raises
    ------
    DesignError
        If the arm does not write one string or motif, or that has too few
        rearrangements.
    """
    steps = steps_of(treated)
    if (
        len(steps) != 1
        or not isinstance(steps[0], Embed | Insert)
        or isinstance(steps[0], FixedPlacebo | Placebo)
    ):
        raise DesignError(f"{treated} does not write one motif")
    step: Any = steps[0]
    made = placebos(
        step.written.source, at=step.at, n_placebos=N_PLACEBOS, strand=step.strand
    )
    if isinstance(step, Insert):
        return {
            name: Insert(placebo.written.source, at=step.at, strand=step.strand)  # type: ignore[attr-defined]
            for name, placebo in made.items()
        }
    return made


def _compared(
    claim: Claim, trial: PlaceboTrial, rows: dict[str, dict[str, float]]
) -> xr.Dataset:
    """Return estimates of contrasts of the fresh units."""
    return claim.estimated(claim.contrasted(trial.outcomes, contrasts=rows))


def _minus_placebos(
    trial: PlaceboTrial, arm: str, weights: dict[str, float]
) -> dict[str, float]:
    """Return a contrast of weights minus the mean over an arm's placebos, times
    the sum of the weights.
    """
    total = sum(weights.values())
    return weights | dict.fromkeys(trial.placebos[arm], -total / N_PLACEBOS)


def _placebo_spread(claim: Claim, trial: PlaceboTrial, arm: str, task: str) -> float:
    """Return the sd between the estimates of an arm's placebos."""
    rows = {
        placebo: {placebo: 1.0, trial.placebos[arm][0]: -1.0}
        for placebo in trial.placebos[arm][1:]
    }
    ace = _compared(claim, trial, rows)["ace"].sel(task=task).to_numpy()
    return float(np.r_[0.0, ace].std(ddof=1))


def beyond_placebos(claim: Claim) -> xr.Dataset:
    r"""Compare the claimed effects with those of fixed placebos, on fresh units:
    by rank, and by share.

    80 % of random sequences of six letters have a "significant" effect on a real
    network, so an effect other than 0 means little. Use it for every claim that a
    network reads a motif.

    Two rows. *Placebos*: the rank p-value
    ``(1 + #{motifs with the arm's effect or more}) / (M + 1)`` in the direction of the
    claim, M = 19; passes at .05 (no motif). *Specific share*:
    ``(Y(arm) - mean over motifs) / (Y(arm) - Y(control))``, the part of the effect that
    depends on the order of the letters; passes where it is .5 or more.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations"; the worst of the effects tested: those of the three
        clearest contrasts, or fewer.

    Notes
    -----
    *Level*: the rank fails where so many motifs lie clearly beyond the arm (one-sided t
    test at .05 each) that the arm cannot lie beyond 95 % of all motifs: at most .0025
    of claims that do. The share fails where a one-sided t test at .0025 (Bonferroni
    over effects) rejects that it is .5 or more; its error counts units, and motifs as
    draws, with 18 degrees of freedom.

    References
    ----------
    Phipson & Smyth (2010), doi:10.2202/1544-6115.1585: rank p-values. Clark (1973),
    doi:10.1016/S0022-5371(73)80014-3: motifs are draws.

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
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> found = beyond_placebos(claim)
    >>> (
    ...     found["status"].values.tolist(),
    ...     float(found["value"].sel(check="beyond placebos")),
    ... )
    (['pass', 'pass'], 0.05)
    """
    return refutation(claim, "beyond placebos", _rank_and_share)


def _rank_and_share(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    trial = placebo_trial(claim)
    tested = [(name, task) for name, task in claimed if name in trial.pairs]
    if not tested:
        raise NotApplicableError(
            "no claimed contrast is a written motif minus a control"
        )
    ranks, shares, m = [], [], len(tested)
    for name, task in tested:
        arm, control = trial.pairs[name]
        sign = np.sign(claim.ace(name, task))
        rows = {placebo: {arm: sign, placebo: -sign} for placebo in trial.placebos[arm]}
        over = _compared(claim, trial, rows)
        ahead = [row_of(over, placebo, task) for placebo in trial.placebos[arm]]
        n_beyond = sum(ace <= 0 for ace, _, _ in ahead)
        n_clear = sum(
            ace < 0 and upper_tail(-ace, se, df) <= WARN_LEVEL for ace, se, df in ahead
        )
        ranks.append(((1 + n_beyond) / (N_PLACEBOS + 1), n_beyond, n_clear, name, task))
        shares.append(
            (*_specific(claim, trial, arm, control, float(sign), task), name, task)
        )
    return [
        _rank_finding(ranks, trial, m, _first_count(claim)),
        _share_finding(shares, m),
    ]


def _rank_finding(
    ranks: list[tuple[float, int, int, str, str]],
    trial: PlaceboTrial,
    m: int,
    n_predictions: int,
) -> Finding:
    from scipy import stats

    most = next(
        k
        for k in range(N_PLACEBOS + 1)
        if stats.binom.sf(k - 1, N_PLACEBOS, 2 * WARN_LEVEL) <= FAIL_LEVEL / m
    )
    p, n_beyond, n_clear, name, task = max(ranks, key=lambda row: (row[2], row[0]))
    status: Status = (
        "fail"
        if n_clear >= most
        else "pass"
        if max(row[0] for row in ranks) <= WARN_LEVEL
        else "warn"
    )
    if status == "warn":
        p, n_beyond, n_clear, name, task = max(ranks)
    left = f"; contrasts not tested: {trial.n_left_out}" if trial.n_left_out else ""
    return Finding(
        check="beyond placebos",
        figure="rank p-value of the effect among 19 placebos",
        value=p,
        threshold=WARN_LEVEL,
        status=status,
        reason=(
            f"{n_beyond} of {N_PLACEBOS} placebos have the effect of '{name}' on "
            f"{task} or more, {n_clear} of them clearly ({trial.n_units:,} fresh "
            f"units){left}"
        ),
        cure=""
        if status == "pass"
        else ("claim no more than placebos show: rope='placebo' with 40 placebos"),
        n_predictions=n_predictions,
    )


def _specific(
    claim: Claim, trial: PlaceboTrial, arm: str, control: str, sign: float, task: str
) -> tuple[float, float]:
    """Return the specific share, and the p-value of a share of `SPECIFIC` or more."""
    rows = {
        "specific": _minus_placebos(trial, arm, {arm: sign}),
        "whole": {arm: sign, control: -sign},
        "short": _minus_placebos(
            trial, arm, {arm: (1 - SPECIFIC) * sign, control: SPECIFIC * sign}
        ),
    }
    found = _compared(claim, trial, rows)
    specific, whole = (row_of(found, name, task)[0] for name in ("specific", "whole"))
    short, se, df = row_of(found, "short", task)
    error = float(
        np.hypot(se, _placebo_spread(claim, trial, arm, task) / np.sqrt(N_PLACEBOS))
    )
    share = specific / whole if whole > 0 else 0.0
    return share, upper_tail(-short, error, min(df, N_PLACEBOS - 1))


def _share_finding(shares: list[tuple[float, float, str, str]], m: int) -> Finding:
    failed = [row for row in shares if row[1] <= FAIL_LEVEL / m]
    share, p, name, task = min(failed or shares)
    status: Status = "fail" if failed else "pass" if share >= SPECIFIC else "warn"
    return Finding(
        check="specific share",
        figure="share of the effect beyond the mean of placebos",
        value=share,
        threshold=SPECIFIC,
        status=status,
        reason=_specific_share_in_words(share, p, f"effect of '{name}' on {task}"),
        cure=""
        if status == "pass"
        else "compare with cg.Placebo, which has the same composition, as control",
    )


def _specific_share_in_words(share: float, p: float, effect: str) -> str:
    """Return how much of an effect is due to the order of letters.

    Examples
    --------
    >>> _specific_share_in_words(1.0, 1.0, "effect of 'GATA1' on K562")
    "nothing of the effect of 'GATA1' on K562 is due to its composition"
    >>> _specific_share_in_words(0.3, 1e-6, "effect of 'GATA1' on K562")[:60]
    "70 % of the effect of 'GATA1' on K562 is that of its letters"
    """
    other = round(1 - share, 2)
    if other <= 0:
        return f"nothing of the {effect} is due to its composition"
    return (
        f"{100 * other:.0f} % of the {effect} is that of its letters in another order "
        f"({p_clause(p)}, of half or less)"
    )


def another_control(claim: Claim) -> xr.Dataset:
    """Compare the control with placebos of the arm, to find whether it has part of
    the effect itself.

    A control that contains the pattern, or a weaker one, hides the effect; one that
    differs from the arm in more than the motif (GC, length) creates one. Use it where
    the control is not a `causalgia.Placebo`.

    The value is ``|Y(control) - mean over motifs| / |Y(arm) - mean over motifs|``; it
    passes below .25.

    Parameters
    ----------
    claim
        What is to be refuted; contrasts without a claimed effect are tested as well,
        since a control can hide one.

    Returns
    -------
    Dataset
        Of the kind "refutations"; the worst of the contrasts tested, in their task of
        largest effect.

    Notes
    -----
    *Level*: fails where a one-sided t test at .0025 (Bonferroni over contrasts and both
    directions) rejects that the value is .25 or less. An arm that does not itself
    differ from its motifs (two-sided p above .05) is not tested.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Embed("UGCAUG", at=5),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> another_control(claim)["status"].values.tolist()
    ['fail']
    """
    return refutation(claim, "another control", _control_among_placebos)


def _control_among_placebos(claim: Claim) -> list[Finding]:
    trial = placebo_trial(claim)
    tasks = [str(task) for task in trial.outcomes["task"].to_numpy()]
    rows = []
    for name, (arm, control) in trial.pairs.items():
        basic = {
            "arm": _minus_placebos(trial, arm, {arm: 1.0}),
            "control": _minus_placebos(trial, arm, {control: 1.0}),
        }
        found = _compared(claim, trial, basic)
        task = max(tasks, key=lambda one: abs(row_of(found, "arm", one)[0]))
        of_arm, se, df = row_of(found, "arm", task)
        spread = _placebo_spread(claim, trial, arm, task) / np.sqrt(N_PLACEBOS)
        if (
            2
            * upper_tail(
                abs(of_arm), float(np.hypot(se, spread)), min(df, N_PLACEBOS - 1)
            )
            > WARN_LEVEL
        ):
            continue
        side, way = np.sign(of_arm), np.sign(row_of(found, "control", task)[0]) or 1.0
        excess = _minus_placebos(
            trial, arm, {control: float(way), arm: float(-LEAKS * side)}
        )
        beyond, se, df = row_of(
            _compared(claim, trial, {"excess": excess}), "excess", task
        )
        p = upper_tail(beyond, float(np.hypot(se, spread)), min(df, N_PLACEBOS - 1))
        rows.append(
            (p, abs(row_of(found, "control", task)[0] / of_arm), name, control, task)
        )
    if not rows:
        raise NotApplicableError(
            "no arm differs from its own placebos, so that there is nothing to "
            "compare with"
        )
    failed = [row for row in rows if row[0] <= FAIL_LEVEL / (2 * len(rows))]
    p, share, name, control, task = max(failed or rows, key=lambda row: row[1])
    status: Status = "fail" if failed else "warn" if share > LEAKS else "pass"
    return [
        Finding(
            check="another control",
            figure=("effect of the control over that of the arm"),
            value=share,
            threshold=LEAKS,
            status=status,
            reason=(
                f"'{control}', the control of '{name}', lies {100 * share:.0f} % of the arm's "
                f"effect on {task} away from placebos (p of {100 * LEAKS:.0f} % or less: "
                f"{format_p(p)})"
            ),
            cure=""
            if status == "pass"
            else "take cg.Placebo of the arm's motif at the arm's place as control",
            n_predictions=_first_count(claim),
        )
    ]


def positive_control(claim: Claim) -> xr.Dataset:
    """Test whether the predictor recognizes a string or motif that is known to act, by
    rank among placebos.

    A network with input rows in the wrong order, or with the wrong weights, gives
    plausible predictions; only a known effect reveals the fault. Use it before anything
    else. Without ``positive=`` in the claim it is the clearest effect of the trial, on
    fresh units.

    With ``positive=`` the value is the rank p-value of ``|effect|`` among 19 placebos,
    all embedded in the middle of the backgrounds, in the task where it is smallest;
    passes at .05. Without, it is the effect on fresh units over that of the trial;
    passes from .5.

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
    *Level*: a positive control is a motif whose effect lies beyond that of 99.99 % of
    placebos by 3.5 standard errors or more; such a motif fails with probability
    .0025 at most. Without ``positive=`` it fails where a one-sided t test at .0025
    rejects that half of the effect is there.

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
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, positive="AGAAUG"
    ... )
    >>> positive_control(claim)["status"].values.tolist()
    ['pass']
    """
    return refutation(
        claim,
        "positive control",
        _known_motif if claim.positive is not None else _clearest_again,
    )


def _known_motif(claim: Claim) -> list[Finding]:
    design = claim.check_design()
    claim.check_predictor()
    given: Any = claim.positive
    known = Embed(
        given, at=max(0, (design.null.length - len(Embed(given, at=0).written)) // 2)
    )
    arms = _placebo_arms(known)
    there = (
        design.drawn.available
        if isinstance(design.drawn, Genomic)
        else _MOST_UNITS_A_PLACEBO
    )
    n = claim.n_units(
        _COST_OF_KNOWN_MOTIF,
        a_unit=len(arms) + 1,
        least=min(_LEAST_UNITS_A_PLACEBO, there),
        most=min(_MOST_UNITS_A_PLACEBO, there),
    )
    outcomes = claim.fresh({"known": known, **arms}, n, "positive control")
    center = dict.fromkeys(arms, -1.0 / N_PLACEBOS)
    rows = {
        name: center | {name: center.get(name, 0.0) + 1.0} for name in ("known", *arms)
    }
    over = claim.estimated(claim.contrasted(outcomes, contrasts=rows))
    size = abs(over["ace"])
    of_known = size.sel(contrast="known")
    beside = (size.sel(contrast=list(arms)) >= of_known).sum("contrast").to_numpy()
    clear = (
        over["p"].sel(contrast="known") <= WARN_LEVEL / size.sizes["task"]
    ).to_numpy()
    n_beyond = np.where(clear, beside, N_PLACEBOS)
    task, n_least = str(size["task"].to_numpy()[n_beyond.argmin()]), int(n_beyond.min())
    found = n_least == 0
    label = known.written.label
    return [
        Finding(
            check="positive control",
            figure="rank p-value of the known motif among 19 placebos",
            value=(1 + n_least) / (N_PLACEBOS + 1),
            threshold=WARN_LEVEL,
            status="pass" if found else "fail",
            reason=(
                f"{n_least} of {N_PLACEBOS} placebos have the effect of '{label}' or "
                f"more, in {task} where they are fewest ({n:,} units)"
            )
            if clear.any()
            else (
                f"'{label}' has no clear effect compared with its placebos in any "
                f"task ({n:,} units)"
            ),
            cure=""
            if found
            else (
                "the predictor does not recognize the motif: check the order of its "
                "channels (alphabet=), its weights, its tasks, and at cg.check(design, "
                "predictor)"
            ),
            n_predictions=n * (N_PLACEBOS + 1),
        )
    ]


def _clearest_again(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    trial = placebo_trial(claim)
    name, task = next((one for one in claimed if one[0] in trial.pairs), ("", ""))
    if not name:
        raise NotApplicableError(
            "no claimed contrast is a written motif minus a control; name a motif: "
            "positive="
        )
    arm, control = trial.pairs[name]
    before, se_before, _ = row_of(claim.estimates, name, task)
    sign = float(np.sign(before))
    again, se, df = row_of(
        _compared(claim, trial, {"again": {arm: sign, control: -sign}}), "again", task
    )
    share = again / abs(before)
    p = upper_tail(abs(before) / 2 - again, float(np.hypot(se, se_before / 2)), df)
    status: Status = (
        "fail" if p <= FAIL_LEVEL else "pass" if share >= SPECIFIC else "warn"
    )
    return [
        Finding(
            check="positive control",
            figure="clearest effect on fresh units over the trial's",
            value=share,
            threshold=SPECIFIC,
            status=status,
            reason=(
                f"'{name}' on {task}: {again * sign:.3g} on {trial.n_units:,} fresh "
                f"units, {before:.3g} in the trial"
            ),
            cure=""
            if status == "pass"
            else (
                "the outcomes are not those of this predictor on these backgrounds, or "
                "of chosen units: run again"
            ),
            n_predictions=_first_count(claim),
        )
    ]


def identical_arms(claim: Claim) -> xr.Dataset:
    """Compare the control with itself on fresh units: an A/A trial.

    Two samples of units under one arm differ by chance alone. If they differ more, the
    outcomes come from other units or another predictor, or their units are not
    independent. Use it for outcomes that come from a store or a table.

    The value is the p-value of a permutation test between the control of the trial and
    the control on fresh units of the same null model: of the largest difference in
    means over tasks, in sd. Where units share parents, each parent gives its first
    unit, so that both samples have rows of one kind. Uniform where nothing is wrong.

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
    *Level*: fails with p at most .0025, warns with p at most .05. Fresh shuffles of the
    same parents resemble the first ones, so that the test is conservative there. A null
    model that is a list of real sequences has no fresh ones.

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
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> identical_arms(claim)["status"].values.tolist()
    ['pass']
    """
    return refutation(claim, "identical arms", _control_twice)


def _control_twice(claim: Claim) -> list[Finding]:
    design = claim.check_design()
    if isinstance(design.drawn, Genomic):
        raise NotApplicableError(
            "the null model is a list of real sequences, which has no fresh ones"
        )
    outcomes, n_predictions = _fresh_control(claim)
    control = _control(claim)
    first = _of_arm(claim.averaged, control)
    fresh = _of_arm(outcomes, control)
    tasks = [str(task) for task in first["task"].to_numpy()]
    one, other = (
        _one_each(y).transpose("unit", "task").to_numpy().astype(np.float64)
        for y in (first, fresh)
    )
    value, worst = permutation_p(one, other, key=derive(claim.key, "identical arms"))
    status: Status = (
        "fail" if value <= FAIL_LEVEL else "warn" if value <= WARN_LEVEL else "pass"
    )
    before, again = (float(y.sel(task=tasks[worst]).mean()) for y in (first, fresh))
    return [
        Finding(
            check="identical arms",
            figure="p-value of the control against itself on fresh units",
            value=value,
            threshold=WARN_LEVEL,
            status=status,
            reason=(
                f"'{control}' on {tasks[worst]}: mean {before:.4g} in the trial, "
                f"{again:.4g} on {fresh.sizes['unit']:,} fresh units"
            ),
            cure=""
            if status == "pass"
            else (
                "run the trial again with this predictor and null model; units that "
                "share a source need parent="
            ),
            n_predictions=n_predictions,
        )
    ]


def _one_each(outcomes: xr.DataArray) -> xr.DataArray:
    """Return the first unit of each parent; means of several units vary less than
    single ones.
    """
    if "parent" not in outcomes.coords:
        return outcomes
    return outcomes.isel(
        unit=np.sort(
            np.unique(outcomes["parent"].to_numpy().astype(str), return_index=True)[1]
        )
    )


def _control(claim: Claim) -> str:
    """Return the arm that most contrasts subtract."""
    minus = [arm for row in claim.weights.values() for arm, w in row.items() if w < 0]
    return max(dict.fromkeys(minus), key=minus.count)


def _fresh_control(claim: Claim) -> tuple[xr.Dataset, int]:
    """Return fresh units under the control: those of the placebos, where there are
    some.
    """
    control = _control(claim)
    try:
        trial = placebo_trial(claim)
        if control in trial.outcomes["arm"].values:
            return trial.outcomes, _first_count(claim)
    except NotApplicableError:
        pass
    design = claim.check_design()
    n = claim.n_units(0.1, a_unit=2, least=10, most=_MOST_UNITS_A_PLACEBO)
    other = next(arm.name for arm in design.named_arms if arm.name != control)
    return claim.fresh(arms_of(claim, [control, other]), n, "identical arms"), 2 * n


def _of_arm(outcomes: xr.Dataset, arm: str) -> xr.DataArray:
    """Return the outcomes of units under an arm, (unit, task)."""
    if "arm" in outcomes["outcome"].dims:
        return outcomes["outcome"].sel(arm=arm)
    return outcomes["outcome"].isel(unit=(outcomes["assigned"] == arm).to_numpy())

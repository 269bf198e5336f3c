"""Checks against placebos: of the claimed effects, of the control, of a positive
control, and of fresh units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.design import Arm, Embed, Genomic
from causalgia.design.intervention import Intervention
from causalgia.design.pattern_interventions import placebos
from causalgia.design.placebo_contrasts import (
    N_ORDERS,
    Dealt,
    in_another_order,
    motifs_of_contrast,
    other_orders,
    reach_of_orders,
)
from causalgia.errors import DesignError
from causalgia.notes import Finding
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    WARN_LEVEL,
    Claim,
    NeededPredictions,
    NotApplicableError,
    Status,
    arms_of,
    permutation_p,
    refutation,
    row_of,
    upper_tail,
)
from causalgia.streams import derive
from causalgia.types import Array, Codes

SPECIFIC, LEAKS = 0.5, 0.25
N_DEALT = 12
"""Orders of the letters of each motif of a rule, dealt over the units."""
_MOST_CONTRASTS, _MOST_UNITS, _LEAST_UNITS = 3, 300, 6
_LEAST_UNITS_OF_SEVERAL = 24
_COST_OF_KNOWN_MOTIF = 0.3


@dataclass(frozen=True)
class Placebos:
    """Placebos of one motif of a contrast: arm -> the arm with each order of its
    letters; where orders are dealt over the units, one arm has them all.
    """

    contrast: str
    weights: dict[str, float]
    motif: str
    arms: tuple[dict[str, str], ...]
    n_orders: int

    @property
    def made(self) -> list[str]:
        """The arms with placebos."""
        return [name for one in self.arms for name in one.values()]

    @property
    def dealt(self) -> bool:
        """Whether each unit has one order."""
        return len(self.arms) < self.n_orders

    def minus(
        self, weights: dict[str, float], k: int | None = None
    ) -> dict[str, float]:
        """Return weights of arms minus those with placebo k, or their mean, in place of
        the arms that have the motif; other arms cancel.
        """
        used = self.arms if k is None else [self.arms[k]]
        left = {arm: w for arm, w in weights.items() if arm in used[0]}
        return left | {
            one[arm]: -w / len(used) for one in used for arm, w in left.items()
        }


@dataclass(frozen=True, eq=False)
class PlaceboTrial:
    """Fresh units under the arms of some contrasts, and under placebos of each."""

    outcomes: xr.Dataset
    placebos: tuple[Placebos, ...]
    n_units: int
    n_predictions: int
    n_left_out: int

    @property
    def pairs(self) -> Iterator[tuple[Placebos, str, str]]:
        """Contrasts that are one arm minus another, with these."""
        for one in self.placebos:
            if sorted(one.weights.values()) == [-1.0, 1.0]:
                arm, control = sorted(one.weights, key=one.weights.__getitem__)[::-1]
                if arm in one.arms[0]:
                    yield one, arm, control


def placebo_trial(claim: Claim) -> PlaceboTrial:
    """Return the trial of placebos that the checks of a claim share.

    Raises
    ------
    NotApplicableError
        If no contrast writes a motif whose letters have other orders, or there are too
        few units.
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
    by_size = np.argsort(
        -abs(claim.estimates["ace"]).max("task").to_numpy(), kind="stable"
    )
    others = [str(name) for name in claim.estimates["contrast"].to_numpy()[by_size]]
    names = list(dict.fromkeys([name for name, _ in claim.effects_claimed] + others))
    # arms by what they do, so that contrasts share those that are alike
    known = {arm.intervention.fingerprint: arm for arm in design.named_arms}
    made, why = dict[str, list[Placebos]](), ""
    for name in names:
        try:
            made[name] = _placebos_of(claim, name, known)
        except DesignError as error:
            why = why or f"contrast '{name}': {error}"
    if not made:
        raise NotApplicableError(
            f"no contrast writes a motif that has placebos ({why})"
        )
    there = design.drawn.available if isinstance(design.drawn, Genomic) else _MOST_UNITS
    n_trial = min(claim.outcomes.sizes["unit"], _MOST_UNITS, there)
    budget = max(claim.budget, n_trial * (N_ORDERS + 2))
    for n_contrasts in range(min(len(made), _MOST_CONTRASTS), 0, -1):
        chosen = list(made)[:n_contrasts]
        used = {arm for name in chosen for arm in claim.weights[name]}
        used |= {arm for name in chosen for one in made[name] for arm in one.made}
        n = min(n_trial, budget // len(used))
        if n >= _LEAST_UNITS_OF_SEVERAL:
            break
    if n < min(_LEAST_UNITS, there):
        raise NotApplicableError(f"it takes {_LEAST_UNITS} units, and there are {n}")
    n_predictions = n * len(used)
    claimed = {name for name, _ in claim.effects_claimed}
    if claim.shared.get("only needed"):
        raise NeededPredictions(n_predictions)
    return PlaceboTrial(
        claim.fresh(
            [arm for arm in known.values() if arm.name in used], n, "placebo words"
        ),
        tuple(one for name in chosen for one in made[name]),
        n,
        n_predictions,
        len((claimed | {*made}).difference(chosen)),
    )


def _placebos_of(claim: Claim, name: str, known: dict[str, Arm]) -> list[Placebos]:
    """Return the placebos of each motif of a contrast, whose arms are added to those
    that are known by their fingerprint.

    Raises
    ------
    DesignError
        If it writes no motif, or one whose letters have no other orders.
    """
    weights = claim.weights[name]
    steps = {arm.name: arm.intervention for arm in arms_of(claim, weights)}
    motifs, found = motifs_of_contrast(steps.values()), list[Placebos]()
    if not motifs:
        raise DesignError("its arms differ in no written motif")
    single = len(weights) == 2 and len(motifs) == 1
    for motif in motifs:
        beside = [other for other in motifs if other != motif]
        words = other_orders(motif, N_ORDERS if single else N_DEALT, beside=beside)
        of_word = [
            {arm: in_another_order(step, motif, word) for arm, step in steps.items()}
            for word in words
        ]
        has = [arm for arm, step in steps.items() if of_word[0][arm] != step]
        made = dict(zip(words, of_word, strict=True))
        if not single:
            dealt: dict[str, Intervention] = {
                arm: Dealt(tuple(one[arm] for one in of_word)) for arm in has
            }
            made = {f"{len(words)} orders of {motif.label}": dealt}
        named = []
        for word, one in made.items():
            for arm in has:
                new = Arm(f"{arm}: {word} ({name})", one[arm])
                known.setdefault(one[arm].fingerprint, new)
            named.append({arm: known[one[arm].fingerprint].name for arm in has})
        found.append(Placebos(name, weights, motif.label, tuple(named), len(words)))
    return found


def _compared(
    claim: Claim, trial: PlaceboTrial, rows: dict[str, dict[str, float]]
) -> xr.Dataset:
    """Return estimates of contrasts of the fresh units."""
    return claim.estimated(claim.contrasted(trial.outcomes, contrasts=rows))


def _over_each(claim: Claim, trial: PlaceboTrial, one: Placebos, task: str) -> Array:
    """Return the contrast minus each of its placebos."""
    if not one.dealt:
        rows = {str(k): one.minus(one.weights, k) for k in range(one.n_orders)}
        return _compared(claim, trial, rows)["ace"].sel(task=task).to_numpy()
    ice, turn = _dealt_units(claim, trial, one, task)
    return np.bincount(turn, ice) / np.bincount(turn)


def _dealt_units(
    claim: Claim, trial: PlaceboTrial, one: Placebos, task: str
) -> tuple[Array, Codes]:
    """Return the contrast minus its placebo of each unit, and the order that it has."""
    effects = claim.contrasted(
        trial.outcomes, contrasts={"beyond": one.minus(one.weights)}
    )
    ice = effects["ice"].sel(contrast="beyond", task=task).to_numpy()
    return ice, effects["unit"].to_numpy().astype(np.int64) % one.n_orders


def _spread(claim: Claim, trial: PlaceboTrial, one: Placebos, task: str) -> float:
    """Return the sd between the effects of placebos on all units.

    Of orders that are dealt it is ``sqrt(tau^2 + s^2 / n)``, with tau^2 the variance
    between orders and s^2 that inside them, by mean squares.
    """
    each = _over_each(claim, trial, one, task)
    if not one.dealt:
        return float(each.std(ddof=1))
    ice, turn = _dealt_units(claim, trial, one, task)
    size = np.bincount(turn)
    inside = ((ice - each[turn]) ** 2).sum() / max(len(ice) - len(size), 1)
    between = (size * (each - ice.mean()) ** 2).sum() / (len(size) - 1)
    tau2 = max(between - inside, 0.0) * len(size) / len(ice)
    return float(np.sqrt(tau2 + inside / len(ice)))


def beyond_placebos(claim: Claim) -> xr.Dataset:
    r"""Compare the claimed effects with those of placebos, on fresh units: by distance,
    and by share.

    80 % of random sequences of six letters have a "significant" effect on a real
    network, so an effect other than 0 means little. Use it for every claim that a
    network reads a motif, or a rule of motifs.

    The placebo of a contrast has its weights, and one motif replaced by its own letters
    in another order in every arm that has it: M = 19 orders on all units, or, of each
    motif of a contrast of several, 12 dealt over the units. Orders have as many CG and
    hold no site of a motif of the contrast. Two rows. *Beyond placebos*: D, the contrast
    minus the mean of its placebos unit by unit, passes where its 95 % interval lies
    beyond the 95 % prediction limits of a placebo,
    :math:`t_{.975, M-1} s \sqrt{1 + 1/M}` with s their sd, and fails where it lies inside
    or on the other side; its value is the rank p-value
    ``(1 + #{placebos with the effect or more}) / (M + 1)``. *Specific share*: D over the
    contrast, the part of the effect that depends on the order of the letters; passes
    where it is .5 or more.

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
    *Level*: an effect that lies 3 sd of its placebos or more beyond their mean fails in
    at most .05. The share fails where a one-sided t test at .0025 (Bonferroni over
    effects) rejects that it is .5 or more; its error counts units, and orders as draws,
    with M - 1 degrees of freedom. Contrasts without a motif (of composition, of a
    deletion) have no placebo.

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
    tested = [
        (one, name, task)
        for name, task in claimed
        for one in trial.placebos
        if one.contrast == name
    ]
    if not tested:
        raise NotApplicableError("no claimed contrast writes a motif that has placebos")
    rows = [_Beside(claim, trial, one, task) for one, _, task in tested]
    return [
        _distance_finding(rows, trial, _first_count(claim)),
        _share_finding(rows, len(tested)),
    ]


class _Beside:
    """A claimed effect in one task beside placebos of one of its motifs, in the
    direction of the claim.
    """

    def __init__(
        self, claim: Claim, trial: PlaceboTrial, one: Placebos, task: str
    ) -> None:
        sign = float(np.sign(claim.ace(one.contrast, task)))
        whole = {arm: sign * w for arm, w in one.weights.items()}
        beyond = one.minus(whole)
        short = dict(beyond)
        for arm, w in whole.items():
            short[arm] = short.get(arm, 0.0) - SPECIFIC * w
        short = {arm: w for arm, w in short.items() if w}
        found = _compared(
            claim, trial, {"beyond": beyond, "whole": whole, "short": short}
        )
        self.name, self.task, self.placebos = one.contrast, task, one
        at = found["ace"].sel(task=task)
        self.beyond, self.effect = (
            float(at.sel(contrast=k)) for k in ("beyond", "whole")
        )
        self.lower, self.upper = (
            float(found[end].sel(contrast="beyond", task=task))
            for end in ("lower", "upper")
        )
        m = one.n_orders
        spread = _spread(claim, trial, one, task)
        self.limit = reach_of_orders(spread, m)
        n_beyond = int((sign * _over_each(claim, trial, one, task) <= 0).sum())
        self.rank = (1 + n_beyond) / (m + 1)
        self.share = self.beyond / self.effect if self.effect > 0 else 0.0
        size, se, df = row_of(found, "short", task)
        error = float(np.hypot(se, spread / np.sqrt(m)))
        self.p_share = upper_tail(-size, error, min(df, m - 1))

    @property
    def status(self) -> Status:
        """Where the interval of the distance lies: beyond the limits, not beyond, or
        both.
        """
        if self.lower > self.limit:
            return "pass"
        return "fail" if self.upper <= self.limit else "warn"

    @property
    def label(self) -> str:
        """The effect, in words."""
        return f"effect of '{self.name}' on {self.task}"


_WORST = {"fail": 0, "warn": 1, "pass": 2}


def _distance_finding(
    rows: list[_Beside], trial: PlaceboTrial, n_predictions: int
) -> Finding:
    one = min(rows, key=lambda row: (_WORST[row.status], row.lower - row.limit))
    m = one.placebos.n_orders
    return Finding(
        "beyond placebos",
        one.status,
        one.rank,
        WARN_LEVEL,
        {
            "effect": one.label,
            "m": m,
            "motif": one.placebos.motif,
            "few": m < (N_DEALT if one.placebos.dealt else N_ORDERS),
            "beyond": one.beyond,
            "lower": one.lower,
            "upper": one.upper,
            "limit": one.limit,
            "n_units": trial.n_units,
            "n_failed": sum(row.status == "fail" for row in rows),
            "n": len(rows),
            "n_left_out": trial.n_left_out,
        },
        n_predictions=n_predictions,
    )


def _share_finding(rows: list[_Beside], m: int) -> Finding:
    failed = [row for row in rows if row.p_share <= FAIL_LEVEL / m]
    one = min(failed or rows, key=lambda row: row.share)
    status: Status = "fail" if failed else "pass" if one.share >= SPECIFIC else "warn"
    return Finding(
        "specific share",
        status,
        one.share,
        SPECIFIC,
        {
            "share": one.share,
            "p": one.p_share,
            "effect": one.label,
        },
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
    for one, arm, control in trial.pairs:
        basic = {
            "arm": one.minus({arm: 1.0}),
            "control": {control: 1.0} | one.minus({arm: 1.0}) | {arm: 0.0},
        }
        found = _compared(claim, trial, basic)
        task = max(tasks, key=lambda of: abs(row_of(found, "arm", of)[0]))
        of_arm, se, df = row_of(found, "arm", task)
        m = one.n_orders
        spread = _spread(claim, trial, one, task) / np.sqrt(m)
        error = float(np.hypot(se, spread))
        if 2 * upper_tail(abs(of_arm), error, min(df, m - 1)) > WARN_LEVEL:
            continue
        side, way = np.sign(of_arm), np.sign(row_of(found, "control", task)[0]) or 1.0
        # the control's distance from placebos, less a part of the arm's
        excess = {
            name: way * w - LEAKS * side * basic["arm"].get(name, 0.0)
            for name, w in basic["control"].items()
        }
        beyond, se, df = row_of(
            _compared(claim, trial, {"excess": excess}), "excess", task
        )
        p = upper_tail(beyond, float(np.hypot(se, spread)), min(df, m - 1))
        share = abs(row_of(found, "control", task)[0] / of_arm)
        rows.append((p, share, one.contrast, control, task))
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
            "another control",
            status,
            share,
            LEAKS,
            {
                "control": control,
                "name": name,
                "share": share,
                "task": task,
                "least": LEAKS,
                "p": p,
            },
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
    arms = placebos(known.written.source, at=known.at, n_placebos=N_ORDERS)
    there = design.drawn.available if isinstance(design.drawn, Genomic) else _MOST_UNITS
    n = claim.n_units(
        _COST_OF_KNOWN_MOTIF,
        a_unit=len(arms) + 1,
        least=min(_LEAST_UNITS, there),
        most=min(_MOST_UNITS, there),
    )
    outcomes = claim.fresh({"known": known, **arms}, n, "positive control")
    center = dict.fromkeys(arms, -1.0 / N_ORDERS)
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
    n_beyond = np.where(clear, beside, N_ORDERS)
    task, n_least = str(size["task"].to_numpy()[n_beyond.argmin()]), int(n_beyond.min())
    label = known.written.label
    return [
        Finding(
            "positive control",
            "fail" if n_least else "pass",
            (1 + n_least) / (N_ORDERS + 1),
            WARN_LEVEL,
            {
                "clear": bool(clear.any()),
                "n_least": n_least,
                "n_orders": N_ORDERS,
                "label": label,
                "task": task,
                "n": n,
            },
            n_predictions=n * (N_ORDERS + 1),
        )
    ]


def _clearest_again(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    trial = placebo_trial(claim)
    weights = {one.contrast: one.weights for one in trial.placebos}
    name, task = next((one for one in claimed if one[0] in weights), ("", ""))
    if not name:
        raise NotApplicableError(
            "no claimed contrast writes a motif that has placebos; name a motif: "
            "positive="
        )
    before, se_before, _ = row_of(claim.estimates, name, task)
    sign = float(np.sign(before))
    again, se, df = row_of(
        _compared(
            claim,
            trial,
            {"again": {arm: sign * w for arm, w in weights[name].items()}},
        ),
        "again",
        task,
    )
    share = again / abs(before)
    p = upper_tail(abs(before) / 2 - again, float(np.hypot(se, se_before / 2)), df)
    status: Status = (
        "fail" if p <= FAIL_LEVEL else "pass" if share >= SPECIFIC else "warn"
    )
    return [
        Finding(
            "positive control",
            status,
            share,
            SPECIFIC,
            {
                "name": name,
                "task": task,
                "again": again * sign,
                "n_units": trial.n_units,
                "before": before,
            },
            words="clearest effect",
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
            "identical arms",
            status,
            value,
            WARN_LEVEL,
            {
                "control": control,
                "task": tasks[worst],
                "before": before,
                "again": again,
                "n": fresh.sizes["unit"],
            },
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
    n = claim.n_units(0.1, a_unit=2, least=10, most=200)
    other = next(arm.name for arm in design.named_arms if arm.name != control)
    return claim.fresh(arms_of(claim, [control, other]), n, "identical arms"), 2 * n


def _of_arm(outcomes: xr.Dataset, arm: str) -> xr.DataArray:
    """Return the outcomes of units under an arm, (unit, task)."""
    if "arm" in outcomes["outcome"].dims:
        return outcomes["outcome"].sel(arm=arm)
    return outcomes["outcome"].isel(unit=(outcomes["assigned"] == arm).to_numpy())

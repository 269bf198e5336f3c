"""Checks of the predictor: repeated answers, the numerical floor, the other strand, the
members of an ensemble.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.notes import Finding
from causalgia.predict._torch_network import torch_network
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    Claim,
    NotApplicableError,
    Status,
    refutation,
)
from causalgia.sequences.alphabet import reverse_complement
from causalgia.streams import derive
from causalgia.trial.turns import draw_backgrounds
from causalgia.types import Array, Tokens

NOISE_WARN, NOISE_FAIL = 1e-3, 1e-2
"""Difference between two answers to one sequence, in sd of the answers, from which a
check warns and fails.
"""
FLOORS = 10.0
"""An effect below this many times its numerical floor is flagged."""
N_COPIES = 3
"""Networks with shuffled parameters beside the trained one."""
_REPEATED = 64


def numerical_floor(claim: Claim) -> xr.Dataset:
    """Predict the same sequences again, in another order, and compare the difference
    with the claimed effects.

    The predictions of a network with dropout on, or that depend on batch mates, are not
    reproducible; rounding alone can make an effect of 1e-6 "significant". Use it for
    every new network.

    Two rows. *Same answers*: root mean square difference between two answers to one
    sequence, and from the stored outcomes where the units can be drawn again, in sd of
    the answers over units; passes below .001. *Numerical floor*: the smallest claimed
    effect over its floor, the root mean square difference of a contrast of one unit
    between two answers (or the floor stored with the trial, where that is larger);
    passes from 10.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", two rows; one where nothing is claimed.

    Notes
    -----
    *Level*: no chance is involved where a sequence has one answer. The first row fails
    from .01 sd, the second below 1.

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
    >>> numerical_floor(claim)["status"].values.tolist()
    ['pass', 'pass']
    """
    return refutation(claim, "same answers", _repeated)


def _repeated(claim: Claim) -> list[Finding]:
    design = claim.check_design()
    claim.check_predictor()
    own, key = claim.units, derive(claim.key, "numerical floor")
    arms = _arms_of_clearest(claim)
    a_unit = 2 * len(arms)
    n_own = claim.outcomes.sizes["unit"]
    n = claim.n_units(
        0.05, a_unit=a_unit, least=min(4, n_own), most=min(_REPEATED, n_own)
    )
    units = draw_backgrounds(
        design, 0, n, key=claim.trial_key if own is not None else key
    )
    tokens = {
        arm: claim.sequences(
            arm, units, key=claim.trial_key if own is not None else key
        )
        for arm in arms
    }
    by_arm = {arm: claim.answers(rows) for arm, rows in tokens.items()}
    again = {arm: claim.answers(rows[::-1])[::-1] for arm, rows in tokens.items()}
    first, second = (np.stack(list(answers.values())) for answers in (by_arm, again))
    scale = np.where(
        (sd := first.reshape(-1, first.shape[-1]).std(axis=0)) > 0, sd, 1.0
    )
    gap = float((np.sqrt(((second - first) ** 2).mean(axis=(0, 1))) / scale).max())
    twice, of_trial = gap, None
    if own is not None and "arm" in claim.averaged["outcome"].dims:
        stored = (
            claim.averaged["outcome"]
            .transpose("arm", "unit", "task")
            .sel(arm=arms)
            .isel(unit=slice(n))
            .to_numpy()
        )
        of_trial = float(
            (np.sqrt(((first - stored) ** 2).mean(axis=(0, 1))) / scale).max()
        )
        gap = max(twice, of_trial)
    status: Status = (
        "fail" if gap >= NOISE_FAIL else "warn" if gap >= NOISE_WARN else "pass"
    )
    rows = [
        Finding(
            "same answers",
            status,
            gap,
            NOISE_WARN,
            {
                "n": n,
                "n_arms": len(arms),
                "twice": twice,
                "stored": of_trial,
            },
            n_predictions=n * a_unit,
        )
    ]
    if claim.effects_claimed:
        rows.append(_floor_finding(claim, second - first, arms))
    return rows


def _floor_finding(claim: Claim, error: Array, arms: list[str]) -> Finding:
    """Return the smallest claimed effect over its floor, from the differences between
    answers (arm, unit, task).
    """
    tasks = [str(task) for task in claim.estimates["task"].to_numpy()]
    at = {arm: i for i, arm in enumerate(arms)}
    noise = np.sqrt((error**2).mean(axis=(0, 1)))
    identity = claim.analysis.scale == "identity"
    rows = []
    for name, task in claim.effects_claimed:
        weights, j = claim.weights[name], tasks.index(task)
        floor = 0.0
        if identity and set(weights) <= set(at):
            combined = sum(w * error[at[arm], :, j] for arm, w in weights.items())
            floor = float(np.sqrt(np.mean(np.square(combined))))
        elif identity:
            floor = float(noise[j] * np.sqrt(sum(w * w for w in weights.values())))
        if "floor" in claim.estimates:
            floor = max(
                floor, float(claim.estimates["floor"].sel(contrast=name, task=task))
            )
        rows.append((abs(claim.ace(name, task)), floor, name, task))
    size, floor, name, task = min(
        rows, key=lambda row: row[0] / max(row[1], 1e-15 * row[0])
    )
    ratio = size / max(floor, 1e-15 * size)
    status: Status = "fail" if ratio < 1 else "warn" if ratio < FLOORS else "pass"
    return Finding(
        "numerical floor",
        status,
        ratio,
        FLOORS,
        {
            "name": name,
            "task": task,
            "size": size,
            "floor": floor,
        },
    )


def _arms_of_clearest(claim: Claim) -> list[str]:
    """Return the arms of the clearest contrast, in the order of the outcomes."""
    names = [name for name, _ in claim.effects_claimed] or list(claim.weights)
    return [
        str(arm)
        for arm in claim.outcomes["arm"].to_numpy()
        if str(arm) in claim.weights[names[0]]
    ]


def strand(claim: Claim) -> xr.Dataset:
    """Run the clearest effects on the reverse complement of each sequence.

    Most tasks on DNA are not strand-specific: an effect on one strand alone is an
    artifact of training, unless the task has a strand (RNA, initiation of
    transcription). The check never fails, because the right answer depends on the task.

    The value is the smallest ratio of the effect on the reverse complements to that on
    the sequences; passes from .5.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row: the clearest contrast.

    Notes
    -----
    *Level*: warns at most, below .5.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("TGASTCA".replace("S", "C"), at=90),
    ...     "AP-1": cg.Embed("TGACTCA", at=90),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=200), arms=arms, n_units=300, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("gata1_like")
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> strand(claim)["status"].item()
    'pass'
    """
    return refutation(claim, "strand", _other_strand)


def _other_strand(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    design = claim.check_design()
    claim.check_predictor()
    if claim.analysis.scale != "identity":
        raise NotApplicableError(
            "it compares effects on the scale of the predictor, and these are on "
            "another"
        )
    arms, key = _arms_of_clearest(claim), derive(claim.key, "strand")
    n_own = claim.outcomes.sizes["unit"]
    n = claim.n_units(
        0.1, a_unit=2 * len(arms), least=min(6, n_own), most=min(200, n_own)
    )
    units = draw_backgrounds(design, 0, n, key=key)
    tokens: dict[str, Tokens] = {
        arm: claim.sequences(arm, units, key=key) for arm in arms
    }
    forward = {arm: claim.answers(rows) for arm, rows in tokens.items()}
    backward = {
        arm: claim.answers(reverse_complement(rows)) for arm, rows in tokens.items()
    }
    name, tasks = (
        claimed[0][0],
        [str(task) for task in claim.estimates["task"].to_numpy()],
    )
    rows = []
    for task in (task for contrast, task in claimed if contrast == name):
        j, weights = tasks.index(task), claim.weights[name]
        one, other = (
            float(sum(w * answers[arm][:, j].mean() for arm, w in weights.items()))
            for answers in (forward, backward)
        )
        if one != 0:
            rows.append((other / one, one, other, task))
    if not rows:
        raise NotApplicableError("the effect is 0 on the units that were predicted")
    ratio, one, other, task = min(rows)
    return [
        Finding(
            "strand",
            "pass" if ratio >= 0.5 else "warn",
            ratio,
            0.5,
            {
                "name": name,
                "task": task,
                "one": one,
                "other": other,
                "n": n,
            },
            n_predictions=2 * n * len(arms),
        )
    ]


def randomized_weights(claim: Claim) -> xr.Dataset:
    """Run the clearest effects on the network with shuffled parameters: what remains is
    not learned.

    An effect that networks without training show as well comes from the architecture,
    the read-out or the backgrounds. Use it for a network of layers
    (`causalgia.TorchPredictor`); each of the three copies takes as much memory.

    The value is the rank of the network among its copies,
    ``(1 + #{copies with the effect or more}) / (1 + 3)``, by the size of the effect in
    sd of the control over units, since copies answer on scales of their own; passes at
    .25 (none).

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row: the clearest contrast, in its clearest task.

    Notes
    -----
    *Level*: fails where two copies of three or more have the effect or more: at most
    .0025 of networks whose effect is beyond that of 97.1 % of their copies.

    References
    ----------
    Adebayo et al. (2018), arXiv:1810.03292 (doi:10.48550/arXiv.1810.03292).

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
    >>> network = cg.zoo.load("rbfox1_like", member=0)
    >>> claim = cg.refutation.Claim(cg.run(design, network, rng=0), network, rng=1)
    >>> randomized_weights(claim)["status"].item()
    'pass'
    """
    return refutation(claim, "randomized weights", _beside_copies)


def _beside_copies(claim: Claim) -> list[Finding]:
    claimed, predictor = claim.check_claimed(), claim.check_predictor()
    if torch_network(predictor) is None:
        raise NotApplicableError(
            "it shuffles the parameters of one network of layers, a cg.TorchPredictor"
        )
    from causalgia.attribution import randomized

    name, task = claimed[0]
    weights, arms = claim.weights[name], _arms_of_clearest(claim)
    n = claim.n_units(0.2, a_unit=len(arms) * (N_COPIES + 1), least=6, most=100)
    both = randomized(
        predictor, n_draws=N_COPIES, rng=derive(claim.key, "randomized weights")
    )
    units = draw_backgrounds(
        claim.check_design(),
        0,
        n,
        key=(key := derive(claim.key, "randomized weights", "units")),
    )
    answers = {
        arm: both.predict(claim.sequences(arm, units, key=key)).astype(np.float64)[
            :, claim.columns
        ]
        for arm in arms
    }
    j = [str(one) for one in claim.estimates["task"].to_numpy()].index(task)
    effects = sum(
        (w * answers[arm][:, j].mean(axis=0) for arm, w in weights.items()),
        np.zeros(N_COPIES + 1),
    )
    control = next(arm for arm in arms if weights[arm] < 0)
    sd = answers[control][:, j].std(axis=0, ddof=1)
    size = np.abs(effects) / np.where(sd > 0, sd, 1.0)
    n_beyond = int((size[1:] >= size[0]).sum())
    status: Status = "fail" if n_beyond >= 2 else "warn" if n_beyond else "pass"
    return [
        Finding(
            "randomized weights",
            status,
            (1 + n_beyond) / (1 + N_COPIES),
            1 / (1 + N_COPIES),
            {
                "name": name,
                "task": task,
                "sizes": size,
                "n": n,
            },
            n_predictions=n * len(arms) * (N_COPIES + 1),
        )
    ]


def predictor_disagreement(claim: Claim) -> xr.Dataset:
    """Compare the claimed effects between the members of an ensemble: signs, and the sd
    between members.

    Networks of one architecture retrained on the same data differ by several standard
    errors; a claim about what "the network" has learned is a claim about retrainings.

    The value is the smallest share of members whose effect has the sign of the mean;
    passes from .8.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations"; the worst of the claimed effects.

    Notes
    -----
    *Level*: fails where the share is below .8 and a member has the other sign by a
    one-sided t test at .0025 (Bonferroni over members and effects).

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=100, contrasts="control"
    ... )
    >>> networks = {
    ...     "one": cg.zoo.oracle("additive"),
    ...     "other": cg.zoo.oracle("saturating"),
    ... }
    >>> both = cg.Ensemble(networks, differ_by="architectures")
    >>> predictor_disagreement(cg.refutation.Claim(cg.run(design, both, rng=0), rng=1))[
    ...     "status"
    ... ].item()
    'pass'
    """
    return refutation(claim, "predictor disagreement", _members)


def _members(claim: Claim) -> list[Finding]:
    from scipy import stats

    if "model" not in claim.outcomes["outcome"].dims:
        raise NotApplicableError(
            "there is one predictor; run the trial on a cg.Ensemble of retrained "
            "networks"
        )
    claimed = claim.check_claimed()
    found = claim.estimated(
        claim.contrasted(
            claim.outcomes, control=claim.control, contrasts=claim.contrasts
        )
    )
    n_models = found.sizes["model"]
    rows = []
    for name, task in claimed:
        one = found.sel(contrast=name, task=task)
        sign = float(np.sign(claim.ace(name, task)))
        ace, se = (one[v].to_numpy() for v in ("ace", "se"))
        df = one["df"].to_numpy()
        share = float((sign * ace > 0).mean())
        opposite = np.where(
            sign * ace < 0,
            stats.t.sf(np.abs(ace) / np.maximum(se, 1e-12 * np.abs(ace) + 1e-300), df),
            1.0,
        )
        rows.append((share, float(opposite.min()), float(ace.std(ddof=1)), name, task))
    failed = [
        row
        for row in rows
        if row[0] < 0.8 and row[1] <= FAIL_LEVEL / (n_models * len(rows))
    ]
    share, _, sd, name, task = min(failed or rows)
    status: Status = "fail" if failed else "pass" if share >= 0.8 else "warn"
    return [
        Finding(
            "predictor disagreement",
            status,
            share,
            0.8,
            {
                "name": name,
                "task": task,
                "share": share,
                "n": n_models,
                "mean": claim.ace(name, task),
                "sd": sd,
            },
        )
    ]

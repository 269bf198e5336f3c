"""Checks of the units of a trial: distinct draws, parts of the units, balance of arms,
sites at junctions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.design import Delete, Embed, EmbedEach, Insert, KletShuffle
from causalgia.design.intervention import Intervention, Layout, steps_of
from causalgia.design.patterns import named_patterns
from causalgia.errors import DesignError, quoted
from causalgia.notes import Finding
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    Claim,
    NotApplicableError,
    Status,
    cluster_means,
    permutation_p,
    refutation,
    row_of,
    upper_tail,
)
from causalgia.sequences.instance_changes import instance_changes
from causalgia.sequences.shuffles import log_degeneracy
from causalgia.streams import derive
from causalgia.types import Ints, Mask, Units

DISTINCT, REPEATED = 0.9, 0.75
"""Effective number of distinct units, as a share of the independent ones, below which a
check warns and fails.
"""
_WARN = 0.05
_SHUFFLED, _FEWEST_COPIES = 50, 20


def degenerate_draws(claim: Claim) -> xr.Dataset:
    r"""Compare the number of distinct units with the number of independent units in the
    standard error.

    A shuffle with few possible sequences, or a list with copies, gives the same unit
    several times, and the standard error is too small. Use it for shuffles of short or
    repetitive sequences, and for lists from files.

    The value is Kish's effective number of distinct backgrounds,
    ``(sum m)^2 / sum m^2`` for multiplicities m, over that of the clusters of the
    estimates, for their sizes; it passes from .9. Where units cannot be drawn again (a
    table, joined stores), equal rows of outcomes and GC content are counted.

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
    *Level*: no chance is involved; it fails below .75. Random sequences of 20 bp or
    more have no copies. Equal rows of outcomes fail where each occurs twice or more,
    and warn otherwise, because a predictor of few values makes some.

    References
    ----------
    Kandel, Matias, Unger & Winkler (1996), doi:10.1016/S0166-218X(97)81456-4: the
    number of sequences that a shuffle reaches (BEST theorem).

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
    >>> float(degenerate_draws(claim)["value"][0])
    1.0
    """
    return refutation(claim, "degenerate draws", _distinct_units)


def _distinct_units(claim: Claim) -> list[Finding]:
    clusters = about(claim.estimates, "").cluster
    sizes = np.ones(claim.outcomes.sizes["unit"], np.intp)
    if clusters in claim.effects.coords:
        sizes = np.unique(
            claim.effects[clusters].to_numpy().astype(str), return_counts=True
        )[1]
    n = _effective(sizes)
    if claim.units is None:
        counts, sure = _equal_rows(claim)
    else:
        counts, sure = (
            np.unique(claim.units.tokens, axis=0, return_counts=True)[1],
            True,
        )
    effective = _effective(counts)
    share = min(1.0, effective / n)
    status: Status = (
        "pass" if share >= DISTINCT else "fail" if share < REPEATED and sure else "warn"
    )
    null, least = None if claim.design is None else claim.design.null, None
    if isinstance(null, KletShuffle):
        least = min(
            log_degeneracy(row, null.k) for row in null.parents_given.tokens[:_SHUFFLED]
        )
    return [
        Finding(
            "degenerate draws",
            status,
            share,
            DISTINCT,
            {
                "rows": claim.units is None,
                "n_distinct": len(counts),
                "effective": effective,
                "n": len(sizes),
                "n_effective": n,
                "least": least,
            },
        )
    ]


def _effective(counts: npt.NDArray[np.intp]) -> float:
    """Return Kish's effective number of groups of these sizes."""
    return float(counts.sum() ** 2 / (counts.astype(float) ** 2).sum())


def _equal_rows(claim: Claim) -> tuple[npt.NDArray[np.intp], bool]:
    """Return how often each row of outcomes and covariates occurs, and whether copies
    are certain: none occurs once.

    A predictor of few values gives equal rows to different sequences, but hardly to
    each of them.
    """
    outcomes = claim.averaged
    columns = [
        outcomes["outcome"]
        .transpose("unit", ...)
        .to_numpy()
        .reshape(outcomes.sizes["unit"], -1)
    ]
    if "assigned" in outcomes:
        columns.append(
            np.unique(outcomes["assigned"].to_numpy(), return_inverse=True)[1][:, None]
        )
    if "gc" in outcomes.coords:
        columns.append(outcomes["gc"].to_numpy()[:, None])
    counts = np.unique(np.concatenate(columns, axis=1), axis=0, return_counts=True)[1]
    return counts, bool(counts.min() > 1 and len(counts) >= _FEWEST_COPIES)


def subset_of_units(claim: Claim) -> xr.Dataset:
    """Compare each claimed effect between the first and the second half of the units.

    Units are exchangeable, and so their halves agree within error. They do not agree if
    the predictor changed during the trial, if a store joins two trials, or if few units
    carry the effect.

    The value is the p-value of a permutation test of the largest difference between
    halves over the claimed effects, in sd; uniform where nothing is wrong. In a
    parallel trial it is that of a t test, by Bonferroni over effects, with the smaller
    degrees of freedom of both halves. Of a parent with units in both halves, those of
    one half count.

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
    *Level*: fails with p at most .0025, warns with p at most .05; exact for
    exchangeable units of a crossover.

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
    >>> subset_of_units(cg.refutation.Claim(cg.run(design, oracle, rng=0), rng=1))[
    ...     "status"
    ... ].item()
    'pass'
    """
    return refutation(claim, "subset of units", _halves)


def _halves(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    n = claim.outcomes.sizes["unit"]
    if n < 20:
        raise NotApplicableError(f"{n} units are too few to halve; 20 are the least")
    first, second = _parts(claim.effects)
    if "ice" in claim.effects:
        columns = [
            claim.effects["ice"].sel(contrast=name, task=task).to_numpy()
            for name, task in claimed
        ]
        values = np.stack(columns, axis=1).astype(np.float64)
        one, other = (
            cluster_means(claim.effects.isel(unit=part), values[part])
            for part in (first, second)
        )
        if (few := min(len(one), len(other))) < 10:
            raise NotApplicableError(
                f"{few} parents in a half are too few to compare; 10 are the least"
            )
        value, worst = permutation_p(
            one, other, key=derive(claim.key, "subset of units")
        )
        one_ace, other_ace = one[:, worst].mean(), other[:, worst].mean()
    else:
        value, worst, one_ace, other_ace = _parts_of_arms(claim, first, second)
    name, task = claimed[worst]
    status: Status = (
        "fail" if value <= FAIL_LEVEL else "warn" if value <= _WARN else "pass"
    )
    return [
        Finding(
            "subset of units",
            status,
            value,
            _WARN,
            {
                "name": name,
                "task": task,
                "one": one_ace,
                "other": other_ace,
            },
        )
    ]


def _parts(units: xr.Dataset) -> tuple[Mask, Mask]:
    """Return the units of the first and of the second half of a trial; of a parent in
    both halves, only those of one.

    Every other such parent stands for the first half, so that both parts have parents
    of one kind and none in common.
    """
    n = units.sizes["unit"]
    first = np.arange(n) < n // 2
    if "parent" not in units.coords:
        return first, ~first
    codes = pd.factorize(units["parent"].to_numpy().astype(str))[0]
    for_first = np.isin(np.arange(codes.max() + 1), codes[first])
    for_first[np.intersect1d(codes[first], codes[~first])[1::2]] = False
    return first & for_first[codes], ~first & ~for_first[codes]


def _parts_of_arms(
    claim: Claim, first: Mask, second: Mask
) -> tuple[float, int, float, float]:
    """Return the p-value of a difference between both parts of a parallel trial, and
    the effect that differs most.
    """
    arms = {arm for name, _ in claim.effects_claimed for arm in claim.weights[name]}
    for part in (first, second):
        if (few := _fewest(claim, arms, part)) < 10:
            raise NotApplicableError(
                f"half of the units has {few} of an arm; 10 are the least"
            )
    parts = [claim.estimated(claim.effects.isel(unit=part)) for part in (first, second)]
    rows = []
    for i, (name, task) in enumerate(claim.effects_claimed):
        (one, se, df), (other, other_se, other_df) = (
            row_of(part, name, task) for part in parts
        )
        p = 2 * upper_tail(
            abs(one - other), float(np.hypot(se, other_se)), min(df, other_df)
        )
        rows.append((p, i, one, other))
    p, worst, one, other = min(rows)
    return min(1.0, p * len(rows)), worst, one, other


def _fewest(claim: Claim, arms: Iterable[str], units: Mask) -> int:
    """Return the number of units of a parallel trial in the arm, among these, that has
    fewest; of a crossover, all.
    """
    if "assigned" not in claim.effects.coords:
        return int(units.sum())
    assigned = claim.effects["assigned"].to_numpy()[units]
    return min(int((assigned == arm).sum()) for arm in arms)


def balance(claim: Claim) -> xr.Dataset:
    """Compare the backgrounds of the arms of a parallel trial, before any intervention.

    Randomization balances arms up to chance, so this is a check of the software and of
    the table.

    The value is the smallest p-value of Welch's t test of a covariate between an arm
    and all others, times the number of tests; the reason has the standardized mean
    difference. Covariates are the GC content and numeric coordinates of the units.

    Parameters
    ----------
    claim
        What is to be refuted.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row; not applicable to a crossover, where each
        unit has every arm.

    Notes
    -----
    *Level*: fails with p at most .0025, warns with p at most .05.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> null = cg.Uniform(length=41)
    >>> design = cg.Design(
    ...     null=null,
    ...     arms=arms,
    ...     n_units=300,
    ...     assignment="parallel",
    ...     contrasts="control",
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> balance(cg.refutation.Claim(cg.run(design, oracle, rng=0), rng=1))[
    ...     "status"
    ... ].item()
    'pass'
    """
    return refutation(claim, "balance", _balanced)


def _balanced(claim: Claim) -> list[Finding]:
    from scipy import stats

    outcomes = claim.outcomes
    if "assigned" not in outcomes:
        raise NotApplicableError(
            "in a crossover each unit has every arm, so that arms are balanced by "
            "construction"
        )
    covariates = {
        str(name): c.to_numpy().astype(float)
        for name, c in outcomes.coords.items()
        if c.dims == ("unit",)
        and name not in ("unit", "parent", "block", "assigned")
        and c.dtype.kind in "fiu"
    }
    covariates = {name: x for name, x in covariates.items() if np.ptp(x) > 0}
    if not covariates:
        raise NotApplicableError(
            "the units have no covariate, such as gc, on which arms could differ"
        )
    assigned, rows = outcomes["assigned"].to_numpy(), []
    for name, x in covariates.items():
        for arm in np.unique(assigned):
            one, rest = x[assigned == arm], x[assigned != arm]
            if min(len(one), len(rest)) < 2 or one.std() + rest.std() == 0:
                continue
            smd = float(
                (one.mean() - rest.mean())
                / np.sqrt((one.var(ddof=1) + rest.var(ddof=1)) / 2)
            )
            rows.append(
                (
                    float(stats.ttest_ind(one, rest, equal_var=False).pvalue),
                    smd,
                    name,
                    str(arm),
                )
            )
    if not rows:
        raise NotApplicableError("no arm has two units and a covariate that varies")
    p, smd, name, arm = min(rows)
    value = min(1.0, p * len(rows))
    status: Status = (
        "fail" if value <= FAIL_LEVEL else "warn" if value <= _WARN else "pass"
    )
    return [
        Finding(
            "balance",
            status,
            value,
            _WARN,
            {
                "smd": smd,
                "covariate": name,
                "arm": arm,
                "n": len(rows),
            },
        )
    ]


def junction_sites(claim: Claim) -> xr.Dataset:
    """Estimate the claimed effects without the units in which an arm makes or destroys
    a site at its junctions.

    The letters that an arm writes and the adjacent bases may form a site that neither
    contains: the effect is then that of another motif. Use it with ``motifs=``, the
    sites that the predictor reads; without, those that the arms write, placebos
    apart.

    The value is the share of the effect that goes without these units:
    ``1 - ACE(other units) / ACE``, 1 where there are no other units; passes up to .5.

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
    *Level*: fails where a one-sided t test at .0025 (Bonferroni over effects) rejects
    that half of the effect is left; and where fewer than 3 units are left of an arm
    that makes a site in nine of ten units: no chance is involved there. Units are
    dropped by their sequence, not by their outcome; the estimand is the ACE over
    backgrounds in which no site arises.

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
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, motifs=["GCUGG", "ACUAAC"]
    ... )
    >>> junction_sites(claim)["status"].item()
    'pass'
    """
    return refutation(claim, "junction sites", _without_sites)


def _without_sites(claim: Claim) -> list[Finding]:
    claimed = claim.check_claimed()
    touched = _touched_units(claim)
    rows: list[tuple[float, float, float, str, str]] = []
    for name, task in claimed:
        out = np.logical_or.reduce([touched[arm] for arm in claim.weights[name]])
        rate, whole = float(out.mean()), claim.ace(name, task)
        if not out.any():
            rows.append((1.0, 0.0, rate, name, task))
        elif _fewest(claim, claim.weights[name], ~out) < 3:
            rows.append((0.0, 1.0, rate, name, task))
        else:
            rest = claim.estimated(claim.effects.isel(unit=~out)).sel(
                contrast=name, task=task
            )
            left = float(rest["ace"]) * np.sign(whole)
            p = upper_tail(abs(whole) / 2 - left, float(rest["se"]), float(rest["df"]))
            rows.append((p, 1 - left / abs(whole), rate, name, task))
    failed = [row for row in rows if row[0] <= FAIL_LEVEL / len(rows)]
    p, share, rate, name, task = max(failed or rows, key=lambda row: (row[1], row[2]))
    status: Status = "fail" if failed else "warn" if share > 0.5 else "pass"
    return [
        Finding(
            "junction sites",
            status,
            share,
            0.5,
            {
                "name": name,
                "task": task,
                "rate": rate,
                "share": share,
            },
        )
    ]


def _touched_units(claim: Claim) -> dict[str, Mask]:
    """Return for each arm the units in which it makes or destroys an instance of a
    motif outside of what it writes.
    """
    units, design, key = claim.check_units(), claim.check_design(), claim.trial_key
    motifs = claim.motifs
    if motifs is None:
        written = dict.fromkeys(
            step.written.reads
            for arm in design.named_arms
            for step in steps_of(arm.intervention)
            if isinstance(step, Embed | Insert)
            and len(step.written) >= 4
            and claim.kinds.get(arm.name) != "fixed_placebo"
        )
        motifs = list(written)
        if not motifs:
            raise NotApplicableError(
                "the arms write no motif, and no motifs were given; name them: "
                "motifs=[...]"
            )
    searched = named_patterns(motifs).values()
    found: dict[str, Mask] = {}
    for arm in design.named_arms:
        after = claim.sequences(arm.name, units, key=key)
        if after.shape[1] != units.tokens.shape[1]:
            raise NotApplicableError(f"arm {quoted(arm.name)} changes the length")
        spans = _written_spans(arm.intervention, units.tokens.shape[1], units.ids)
        changes = [
            instance_changes(units.tokens, after, spans, one) for one in searched
        ]
        found[arm.name] = np.logical_or.reduce(
            [change.made | change.lost for change in changes]
        )
    return found


def _written_spans(intervention: Intervention, length: int, units: Units) -> Ints:
    """Return the (start, stop) that each step writes, (n, steps, 2), or (1, steps, 2)
    where all units share them.
    """
    steps = steps_of(intervention)
    each = [step for step in steps if isinstance(step, EmbedEach)]
    laid = [step.lay(Layout(length)) for step in steps if step not in each]
    if not each:
        laid = [intervention.lay(Layout(length))]
    written = [(one.start, one.stop) for layout in laid for one in layout.written]
    spans = np.array(written, np.int64).reshape(1, -1, 2)
    if not each:
        return spans
    if any(isinstance(step, Insert | Delete) for step in steps):
        raise DesignError(
            f"{intervention}: places of each sequence's own are not followed through a "
            "change of length"
        )
    own = [
        np.array(step.sites)[(units // np.uint64(step.n_draws)).astype(np.int64)]
        for step in each
    ]
    wide = np.broadcast_to(spans, (len(units), *spans.shape[1:]))
    return np.concatenate([np.stack(own, axis=1), wide], axis=1)

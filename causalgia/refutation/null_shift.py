"""Checks of the null model against real sequences: composition, classifier, kernel
distance, range of predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, spatial

from causalgia.design import Genomic, KletShuffle
from causalgia.design.null_model import FromParents
from causalgia.notes import Finding
from causalgia.refutation.claim import (
    FAIL_LEVEL,
    WARN_LEVEL,
    Claim,
    NotApplicableError,
    Status,
    refutation,
    upper_tail,
)
from causalgia.sequences.fasta import Name
from causalgia.sequences.parents import parent_rows
from causalgia.streams import derive
from causalgia.trial.design_notes import auroc
from causalgia.trial.turns import draw_backgrounds
from causalgia.types import Array, Tokens

K = 3
"""Length of the k-mers whose frequencies describe a sequence."""
AUC_WARN, AUC_FAIL = 0.7, 0.9
OUTSIDE_WARN, OUTSIDE_FAIL = 0.2, 0.5
LEAST_EFFECTIVE = 50
_LEAST_SAMPLE = 25
_LEAST_PREDICTED = 10
_MOST_SAMPLE = 300
_N_PERMUTATIONS = 999
_FOLDS = 5


def kmer_frequencies(tokens: Tokens, k: int = K) -> Array:
    """Return the share of each k-mer of k letters in each sequence, (n, 4^k).

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> kmer_frequencies(encode(["AAAC"]), k=1)[0].tolist()
    [0.75, 0.25, 0.0, 0.0]
    """
    n, length = tokens.shape
    codes = np.zeros((n, length - k + 1), np.int64)
    for i in range(k):
        codes = 4 * codes + tokens[:, i : length - k + 1 + i]
    rows = codes + np.arange(n)[:, None] * 4**k
    counts = np.bincount(rows.ravel(), minlength=n * 4**k).reshape(n, 4**k)
    shares: Array = counts / codes.shape[1]
    return shares


@dataclass(frozen=True, eq=False)
class TwoSamples:
    """Backgrounds drawn afresh and real sequences, one of each parent and no parent in
    both: independent rows.
    """

    units: Tokens
    real: Tokens

    @property
    def features(self) -> Array:
        """MotifCount frequencies of the units and, below, of the real sequences."""
        return np.concatenate(
            [kmer_frequencies(self.units), kmer_frequencies(self.real)]
        )

    @property
    def is_real(self) -> Array:
        """0 for units, 1 for real sequences."""
        return np.repeat([0.0, 1.0], [len(self.units), len(self.real)])


def two_samples(claim: Claim) -> TwoSamples:
    """Return backgrounds and real sequences of a claim, of one parent not both.

    Raises
    ------
    NotApplicableError
        If there are no real sequences, the units are real sequences, or there are fewer
        than 25 of either.
    """
    if "two samples" not in claim.shared:
        claim.shared["two samples"] = _draw_samples(
            claim, least=_LEAST_SAMPLE, apart=True
        )
    found: TwoSamples = claim.shared["two samples"]
    return found


def _draw_samples(claim: Claim, *, least: int, apart: bool) -> TwoSamples:
    """Return one background of each parent, and real sequences; `apart`: none of a
    parent that has a background.
    """
    design = claim.check_design()
    if isinstance(design.null, Genomic) and claim.real is None:
        raise NotApplicableError(
            "the units are real sequences themselves; give others to compare them "
            "with: real="
        )
    if claim.real_sequences is None:
        raise NotApplicableError(
            "no real sequences were given, and the null model is not made of any: real="
        )
    key = derive(claim.key, "null-model shift")
    rng = np.random.default_rng(key)
    drawn = draw_backgrounds(design, 0, min(design.n_units, 4 * _MOST_SAMPLE), key=key)
    parents = drawn.parents.astype(str)
    units = np.sort(np.unique(parents, return_index=True)[1])
    given, null = claim.real_sequences, design.drawn
    tokens, names, own = given.tokens, given.names, tuple[Name, ...]()
    if isinstance(null, FromParents):
        own = null.parent_names
        tokens = np.concatenate([null.parents_given.tokens, tokens])
        names = (*null.parents_given.names, *names)
    # one of each parent, in the order of their letters
    first = np.unique(given.tokens, axis=0, return_index=True)[1]
    parent = parent_rows(tokens, names)[len(own) :][first]
    of_parent = np.sort(np.unique(parent, return_index=True)[1])
    real = given.tokens[first[of_parent]]
    here = np.array(
        [str(own[row]) if row < len(own) else "" for row in parent[of_parent]]
    )
    if apart and (here != "").any():
        half = list(rng.permutation(np.unique(parents[units]))[: len(units) // 2])
        units = units[np.isin(parents[units], half)]
        real = real[~np.isin(here, half)]
    if min(len(units), len(real)) < least:
        of = " of other parents" if apart else ""
        raise NotApplicableError(
            f"{len(units):,} independent backgrounds and {len(real):,} real "
            f"sequences{of} are too few to compare; {least} of each are the least"
        )
    return TwoSamples(
        drawn.tokens[units[:_MOST_SAMPLE]], rng.permutation(real, axis=0)[:_MOST_SAMPLE]
    )


def kmer_composition(claim: Claim) -> xr.Dataset:
    r"""Compare the k-mer frequencies of backgrounds and real sequences by their
    Jensen-Shannon divergence.

    Effects on backgrounds unlike real sequences may not hold for real ones. This check
    measures the difference in composition, `classifier` how easily it is detected, and
    `prediction_range` whether the network responds to it.

    The value is the divergence in bits of the pooled frequencies of k-mers of three
    letters; it passes below its 95 % quantile when sequences are exchanged between both
    samples (999 permutations).

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row.

    Notes
    -----
    *Level*: warns in 5 % of null models with the composition of the real sequences;
    never fails, because with many sequences every difference is found.

    References
    ----------
    Lin (1991), doi:10.1109/18.61115.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=200, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> real = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(60, rng=5)["sequence"].values
    ... )
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> bool(kmer_composition(claim)["value"] < 0.02)
    True
    """
    return refutation(claim, "k-mer composition", _divergence)


def _divergence(claim: Claim) -> list[Finding]:
    samples = two_samples(claim)
    x, labels = samples.features, samples.is_real
    rng = np.random.default_rng(derive(claim.key, "word composition"))

    def bits(of: Array) -> float:
        p, q = x[of == 0].mean(axis=0), x[of == 1].mean(axis=0)
        return float(spatial.distance.jensenshannon(p, q, base=2) ** 2)

    value = bits(labels)
    chance = np.array([bits(rng.permutation(labels)) for _ in range(_N_PERMUTATIONS)])
    p = (1 + np.sum(chance >= value * (1 - 1e-9))) / (_N_PERMUTATIONS + 1)
    status: Status = "warn" if p <= WARN_LEVEL else "pass"
    return [
        Finding(
            "k-mer composition",
            status,
            value,
            float(np.quantile(chance, 0.95)),
            {
                "k": K,
                "n": len(samples.units),
                "m": len(samples.real),
                "chance": chance.mean(),
                "p": p,
                "shuffled": _shuffled(claim),
            },
        )
    ]


def _shuffled(claim: Claim) -> bool:
    """Return whether the real sequences are those that the trial shuffled already."""
    return (
        claim.real is None
        and claim.design is not None
        and isinstance(claim.design.null, KletShuffle)
    )


def log_odds(x: Array, y: Array, new: Array) -> Array:
    """Return the log odds of label 1 for new rows, by a logistic regression on
    standardized columns (ridge, C = 1).

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> log_odds(x, np.array([0.0, 1.0, 0.0, 1.0]), np.array([[1.5], [3.0]])).round(
    ...     2
    ... ).tolist()
    [0.0, 0.61]
    """
    center, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    z = np.c_[np.ones(len(x)), (x - center) / sd]
    signs = 2 * y - 1

    def loss(beta: Array) -> tuple[float, Array]:
        margin = signs * (z @ beta)
        slope = z.T @ (-signs / (1 + np.exp(np.clip(margin, -500, 500))))
        value = np.logaddexp(0, -margin).sum() + 0.5 * (beta[1:] ** 2).sum()
        return float(value), slope + np.r_[0.0, beta[1:]]

    beta = optimize.minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B").x
    odds: Array = np.c_[np.ones(len(new)), (new - center) / sd] @ beta
    return odds


def auc_limits(auc: float, n: int, m: int, *, alpha: float) -> tuple[float, float]:
    """Return the two-sided 1 - alpha score interval of an area under the ROC curve, of
    n and m independent scores.

    The limits solve ``|auc - theta| = z sd(theta)`` with the variance of Hanley &
    McNeil at theta, so that an area of 1 has a lower limit below 1.

    References
    ----------
    Hanley & McNeil (1982), doi:10.1148/radiology.143.1.7063747; Newcombe (2006),
    doi:10.1002/sim.2324 (method 5).

    Examples
    --------
    >>> [round(limit, 3) for limit in auc_limits(0.9, 50, 50, alpha=0.05)]
    [0.816, 0.946]
    >>> [round(limit, 3) for limit in auc_limits(1.0, 50, 50, alpha=0.05)]
    [0.96, 1.0]
    """
    from scipy import stats

    z, mean = float(stats.norm.isf(alpha / 2)), (n + m) / 2 - 1

    def sd(theta: float) -> float:
        q1, q2 = (1 - theta) / (2 - theta), theta / (1 + theta)
        return float(
            np.sqrt(max(theta * (1 - theta) * (1 + mean * (q1 + q2)) / (n * m), 0.0))
        )

    def root(low: float, high: float) -> float:
        return float(optimize.brentq(lambda t: abs(auc - t) - z * sd(t), low, high))

    lower = (
        0.0
        if auc <= 0
        else root(1e-12, auc - 1e-12)
        if auc - z * sd(1e-12) > 0
        else 0.0
    )
    upper = (
        1.0
        if auc >= 1
        else root(auc + 1e-12, 1 - 1e-12)
        if 1 - auc > z * sd(1 - 1e-12)
        else 1.0
    )
    return lower, upper


def classifier(claim: Claim) -> xr.Dataset:
    """Test whether a classifier distinguishes backgrounds from real sequences: a
    two-sample test with a size.

    The value is the area under the ROC curve of a logistic regression on the
    frequencies of k-mers of three letters, averaged over five folds, each scored by a
    classifier of the others; .5 where both are alike, 1 where they do not overlap.
    Passes up to .7.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row, with a 95 % interval in the reason.

    Notes
    -----
    *Level*: fails where the lower limit at .0025 (one-sided) is above .9. No parent has
    a sequence in both samples, since a shuffle resembles its parent.

    References
    ----------
    Lopez-Paz & Oquab (2017), arXiv:1610.06545: classifier two-sample tests.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=200, contrasts="control"
    ... )
    >>> rng, oracle = np.random.default_rng(0), cg.zoo.oracle("additive")
    >>> real = [
    ...     "".join(rng.choice(list("ACGT"), 41, p=[0.47, 0.03, 0.03, 0.47]))
    ...     for _ in range(60)
    ... ]
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> classifier(claim)["status"].item()
    'fail'
    """
    return refutation(claim, "classifier", _area)


def _area(claim: Claim) -> list[Finding]:
    auc, n, m = classifier_auc(claim, two_samples(claim))
    low, high = auc_limits(auc, n, m, alpha=0.05)
    lowest = auc_limits(auc, n, m, alpha=2 * FAIL_LEVEL)[0]
    status: Status = (
        "fail" if lowest > AUC_FAIL else "warn" if auc > AUC_WARN else "pass"
    )
    return [
        Finding(
            "classifier",
            status,
            auc,
            AUC_WARN,
            {
                "auc": auc,
                "low": low,
                "high": high,
                "k": K,
                "n": n,
                "m": m,
                "shuffled": _shuffled(claim),
            },
        )
    ]


def classifier_auc(claim: Claim, samples: TwoSamples) -> tuple[float, int, int]:
    """Return the cross-fitted area under the ROC curve, and the numbers of backgrounds
    and real sequences.
    """
    x, y = samples.features, samples.is_real
    rng = np.random.default_rng(derive(claim.key, "classifier"))
    n, m = len(samples.units), len(samples.real)
    folds = np.concatenate([rng.permutation(size) % _FOLDS for size in (n, m)])
    score = np.empty(len(x))
    for fold in np.unique(folds):  # each by a classifier of the other folds
        out = folds == fold
        score[out] = log_odds(x[~out], y[~out], x[out])
    areas = [
        auroc(score[(folds == fold) & (y == 0)], score[(folds == fold) & (y == 1)])
        for fold in range(_FOLDS)
    ]
    return float(np.mean(areas)), n, m


def kernel_distance(claim: Claim) -> xr.Dataset:
    r"""Test whether backgrounds and real sequences have one distribution, by their
    maximum mean discrepancy.

    ``MMD^2 = E k(u, u') + E k(r, r') - 2 E k(u, r)``, with a Gaussian kernel on the
    frequencies of k-mers of three letters whose squared width is the median squared
    distance. The value is its permutation p-value (999 permutations); passes above .05.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row.

    Notes
    -----
    *Level*: exact; warns in 5 % of null models with the distribution of the real
    sequences; never fails, as `kmer_composition`.

    References
    ----------
    Gretton et al. (2012), JMLR 13, 723-773.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=200, contrasts="control"
    ... )
    >>> rng, oracle = np.random.default_rng(0), cg.zoo.oracle("additive")
    >>> real = [
    ...     "".join(rng.choice(list("ACGT"), 41, p=[0.47, 0.03, 0.03, 0.47]))
    ...     for _ in range(60)
    ... ]
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> kernel_distance(claim)["value"].item()
    0.001
    """
    return refutation(claim, "kernel distance", _discrepancy)


def _discrepancy(claim: Claim) -> list[Finding]:
    samples = two_samples(claim)
    value, p = mmd_test(
        samples.features, samples.is_real, key=derive(claim.key, "kernel distance")
    )
    status: Status = "warn" if p <= WARN_LEVEL else "pass"
    return [
        Finding(
            "kernel distance",
            status,
            p,
            WARN_LEVEL,
            {
                "squared": value,
                "n": len(samples.units),
                "m": len(samples.real),
                "shuffled": _shuffled(claim),
            },
        )
    ]


def mmd_test(x: Array, second: Array, *, key: int) -> tuple[float, float]:
    """Return the squared maximum mean discrepancy (V-statistic) of two samples of rows,
    and its permutation p-value.
    """
    squared = spatial.distance.squareform(spatial.distance.pdist(x, "sqeuclidean"))
    width = np.median(squared[np.triu_indices(len(x), 1)])
    kernel = np.exp(-squared / (width if width > 0 else 1.0))
    rng = np.random.default_rng(key)
    n, m = int((second == 0).sum()), int((second != 0).sum())
    weights = np.where(second != 0, 1 / m, -1 / n)
    every = np.stack(
        [weights, *(rng.permutation(weights) for _ in range(_N_PERMUTATIONS))]
    )
    found = np.einsum("ij,ij->i", every @ kernel, every)
    beyond = np.sum(found[1:] >= found[0] * (1 - 1e-9))
    return float(found[0]), float((1 + beyond) / (_N_PERMUTATIONS + 1))


def prediction_range(claim: Claim) -> xr.Dataset:
    """Count the untreated backgrounds whose prediction lies outside the range of real
    sequences.

    Effects are added to the predictions for backgrounds: if these are far from those of
    every real sequence, the trial measures the network outside its training range.

    The value is the share of backgrounds outside the central 95 % of the predictions of
    real sequences, in the task where it is largest. Its ends are 95 % limits, or the
    least and largest where these are few: by chance 2 % of a task are outside with 200
    real sequences, 8 % with 25, and 18 % with 10.
    Passes up to .2.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row.

    Notes
    -----
    *Level*: fails where an exact binomial test at .0025 (Bonferroni over tasks) rejects
    that at most half of the backgrounds lie outside.

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
    >>> real = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(60, rng=5)["sequence"].values
    ... )
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> prediction_range(claim)["status"].item()
    'pass'
    """
    return refutation(claim, "prediction range", _outside)


def _outside(claim: Claim) -> list[Finding]:
    from scipy import stats

    units, real = untreated_predictions(claim)
    n = len(units)
    # 95 % limits of the ends, or all sequences where these are few: an end is uncertain,
    # and predictions that are equal lie on both its sides
    k = max(int(stats.binom.ppf(0.05, len(real), 0.025)) - 1, 0)
    low, high = np.sort(real, axis=0)[[k, -1 - k]]
    outside = ((units < low) | (units > high)).mean(axis=0)
    j = int(outside.argmax())
    share, task = float(outside[j]), str(claim.outcomes["task"].to_numpy()[j])
    p = float(stats.binom.sf(round(share * n) - 1, n, OUTSIDE_FAIL)) * len(outside)
    status: Status = (
        "fail" if p <= FAIL_LEVEL else "warn" if share > OUTSIDE_WARN else "pass"
    )
    one, other = units[:, j], real[:, j]
    apart = one.max() < other.min() or other.max() < one.min()
    area = auroc(one, other)
    return [
        Finding(
            "prediction range",
            status,
            share,
            OUTSIDE_WARN,
            {
                "task": task,
                "least": one.min(),
                "most": one.max(),
                "mean": one.mean(),
                "real": other.mean(),
                "sd": other.std(ddof=1),
                "area": None if apart or not 0.01 < area < 0.99 else area,
                "n": n,
            },
            n_predictions=2 * n,
        )
    ]


def untreated_predictions(claim: Claim) -> list[Array]:
    """Return predictions of as many backgrounds as real sequences, (n, task), the mean
    of an ensemble's.
    """
    claim.check_predictor()
    samples = _draw_samples(claim, least=_LEAST_PREDICTED, apart=False)
    most = min(200, len(samples.units), len(samples.real))
    n = claim.n_units(0.1, a_unit=2, least=_LEAST_PREDICTED, most=most)
    return [claim.answers(rows[:n]) for rows in (samples.units, samples.real)]


def reweighted_effect(claim: Claim) -> xr.Dataset:
    r"""Estimate the claimed effects under weights that make the backgrounds look like
    real sequences.

    A classifier's odds of being real estimate the ratio of both densities, as far as
    dinucleotides determine it: weighted by them, the units represent backgrounds with
    the composition of real sequences. `causalgia.tipping_point` gives the effect for
    all intermediate weights.

    The value is the weighted effect over that of the trial, the smallest of the claimed
    effects; passes from .5, if the weights leave 50 effective units.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        Of the kind "refutations", one row.

    Notes
    -----
    *Estimand*: ``sum_u w_u ICE_u / sum_u w_u``, w the cross-fitted odds (5 folds of
    parents). *Level*: fails where a one-sided t test at .0025 (Bonferroni over effects)
    finds the other sign; the error is that of the ratio, by cluster, given the weights.
    With fewer than 50 effective units it warns at most.

    References
    ----------
    Bickel, Brückner & Scheffer (2009), JMLR 10, 2137-2155: weights by discriminative
    learning.

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
    >>> real = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(200, rng=5)["sequence"].values
    ... )
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> reweighted_effect(claim)["status"].item()
    'pass'
    """
    return refutation(claim, "reweighted effect", _weighted)


def _weighted(claim: Claim) -> list[Finding]:
    claimed, units, samples = (
        claim.check_claimed(),
        claim.check_units(),
        two_samples(claim),
    )
    if "ice" not in claim.effects:
        raise NotApplicableError(
            "in a parallel trial each unit shows one arm; this check takes a crossover"
        )
    parents = pd.factorize(units.parents.astype(str))[0]
    folds_of_parent = np.random.default_rng(
        derive(claim.key, "reweighted effect")
    ).permutation(parents.max() + 1)
    of_real, of_unit = (
        np.arange(len(samples.real)) % _FOLDS,
        folds_of_parent[parents] % _FOLDS,
    )
    x, x_real = (
        kmer_frequencies(tokens, k=2) for tokens in (units.tokens, samples.real)
    )
    odds = np.empty(len(x))
    for fold in np.unique(of_unit):
        train, real = x[of_unit != fold], x_real[of_real != fold]
        labels = np.repeat([0.0, 1.0], [len(train), len(real)])
        odds[of_unit == fold] = log_odds(
            np.concatenate([train, real]), labels, x[of_unit == fold]
        )
    w = np.exp(odds - odds.max())
    w /= w.sum()
    effective = float(1 / (np.bincount(parents, weights=w) ** 2).sum())
    rows = []
    for name, task in claimed:
        ice = (
            claim.effects["ice"]
            .sel(contrast=name, task=task)
            .to_numpy()
            .astype(np.float64)
        )
        ace = float(w @ ice)
        influence = np.bincount(parents, weights=w * (ice - ace))
        n = len(influence)
        se = float(np.sqrt((influence**2).sum() * n / max(n - 1, 1)))
        whole = claim.ace(name, task)
        p = upper_tail(-ace * np.sign(whole), se, max(effective - 1, 1.0))
        rows.append((ace / whole, p, ace, name, task))
    failed = [
        row
        for row in rows
        if row[1] <= FAIL_LEVEL / len(rows) and effective >= LEAST_EFFECTIVE
    ]
    share, _, ace, name, task = min(failed or rows)
    few = effective < LEAST_EFFECTIVE
    status: Status = "fail" if failed else "warn" if few or share < 0.5 else "pass"
    return [
        Finding(
            "reweighted effect",
            status,
            share,
            0.5,
            {
                "name": name,
                "task": task,
                "ace": ace,
                "whole": claim.ace(name, task),
                "effective": effective,
                "few": few,
                "shuffled": _shuffled(claim),
            },
        )
    ]

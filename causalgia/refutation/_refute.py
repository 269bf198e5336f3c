"""The verb `refute`: all checks that can refute a claim, and the comparison of its null
model with real sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import xarray as xr

from causalgia._run import run
from causalgia.analysis import as_result
from causalgia.attributes import about, attributes
from causalgia.checks import in_order, is_not_among
from causalgia.design import Design
from causalgia.design.patterns import Motifs
from causalgia.effects.contrast_weights import Contrasts
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.refutation.claim import Claim, NeededPredictions
from causalgia.refutation.claim_limits import (
    dose_reversal,
    other_null_models,
    tipping_shift,
)
from causalgia.refutation.null_shift import (
    classifier,
    kernel_distance,
    kmer_composition,
    prediction_range,
    reweighted_effect,
)
from causalgia.refutation.placebo_controls import (
    another_control,
    beyond_placebos,
    identical_arms,
    positive_control,
)
from causalgia.refutation.predictor_faults import (
    numerical_floor,
    predictor_disagreement,
    randomized_weights,
    strand,
)
from causalgia.refutation.unit_faults import (
    balance,
    degenerate_draws,
    junction_sites,
    subset_of_units,
)
from causalgia.sequences.fasta import Source
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, derive, root_key

CHECKS: dict[str, Callable[[Claim], xr.Dataset]] = {
    "positive_control": positive_control,
    "beyond_placebos": beyond_placebos,
    "another_control": another_control,
    "identical_arms": identical_arms,
    "other_null_models": other_null_models,
    "kmer_composition": kmer_composition,
    "classifier": classifier,
    "kernel_distance": kernel_distance,
    "prediction_range": prediction_range,
    "reweighted_effect": reweighted_effect,
    "tipping_shift": tipping_shift,
    "dose_reversal": dose_reversal,
    "degenerate_draws": degenerate_draws,
    "subset_of_units": subset_of_units,
    "balance": balance,
    "junction_sites": junction_sites,
    "numerical_floor": numerical_floor,
    "randomized_weights": randomized_weights,
    "strand": strand,
    "predictor_disagreement": predictor_disagreement,
}
"""Checks by the name of their function, in the order in which they are reported."""

_PREDICT = [
    "positive_control",
    "beyond_placebos",
    "another_control",
    "identical_arms",
    "other_null_models",
]
_PREDICT += ["prediction_range", "numerical_floor", "randomized_weights", "strand"]


def predictions_needed(claim: Claim) -> dict[str, int]:
    """Return the number of sequences that each check would predict, by the name of the
    check; nothing is predicted.

    Checks that predict nothing, or that do not apply, have 0. The checks of placebos
    share predictions, so together they need fewer than the sum.

    Parameters
    ----------
    claim
        What is to be refuted.

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
    >>> needed = predictions_needed(claim)
    >>> needed["beyond_placebos"], needed["strand"], needed["degenerate_draws"]
    (6300, 60, 0)
    """
    needed = dict.fromkeys(CHECKS, 0)
    claim.shared["only needed"] = True
    try:
        for name in _PREDICT:
            try:
                CHECKS[name](claim)
            except NeededPredictions as found:
                needed[name] = found.n
    finally:
        del claim.shared["only needed"]
    return needed


@usual_errors
def refute(
    outcomes: xr.Dataset | Design,
    predictor: Predictor | None,
    *,
    rng: RNG,
    checks: Iterable[str] | str | None = None,
    control: str | None = None,
    contrasts: Contrasts | None = None,
    real: Source | None = None,
    motifs: Motifs | None = None,
    positive: str | Motif | None = None,
) -> xr.Dataset:
    """Try to refute the claims of a trial: controls that pass, warn or fail, each with
    its reason and cure.

    A claim is a contrast whose effect differs from none (Bonferroni, .05). Each check
    examines one way in which it could be wrong: the motif, the control, the null model,
    the units, the network, its arithmetic. Use it before a claim is published;
    `causalgia.report` prints the result.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `causalgia.from_frame`; or a design or experiment, which
        is run first.
    predictor
        The predictor of the trial; None for outcomes alone, with the checks that
        predict nothing.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For fresh units, placebos and
        permutations.
    checks
        Keys of `causalgia.refutation.CHECKS`, such as
        ``["beyond_placebos", "strand"]``, or names that the result prints, such as
        ``"randomized weights"``. None: all. Placebos of a motif take 19 predictions for
        each unit beside those of its arms, of 300 units at most; of a contrast of
        several motifs, twice or thrice those of its arms. The other checks take some as
        many as the trial, or the least that they need.
    control, contrasts
        As in `causalgia.contrast`. None: those of the stored analysis or of the design.
    real
        Natural sequences of the length of the backgrounds. None: the sequences that the
        null model was made of.
    motifs
        Sites that the predictor reads, which must not arise at a junction. None: the
        motifs that the arms write.
    positive
        A string or motif that the predictor must recognize. None: the clearest effect
        of the trial.

    Returns
    -------
    Dataset
        ``value, threshold, status, figure, reason, cure, n_predictions (check)``.
        attrs["not_applicable"] has a line for each check that does not apply, with the
        reason; attrs["claims"] is a JSON list of the claims.

    Raises
    ------
    DataError
        If there are no outcomes, or they are curves.
    DesignError
        If a check is unknown, or real sequences have another length.
    EstimateError
        If there is no contrast to check; name a control.
    PredictorError
        If the predictor is not that of the trial.

    Notes
    -----
    *Level*: the docstring of each check states when it fails, and with what probability
    it does so by chance: .0025 at most, so that any check fails in at most 5 % of sound
    trials. "warn" is for figures beyond a threshold that chance or a choice can
    explain.

    References
    ----------
    Sharma, Syrgkanis, Zhang & Kiciman (2021), arXiv:2108.13518: refutation of causal
    estimates.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=400, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> found = refute(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> (
    ...     found["status"].sel(check="beyond placebos").item(),
    ...     found.attrs["n_predictions"],
    ... )
    ('pass', 6420)
    """
    key, names = root_key(rng), _as_checks(checks)
    if isinstance(outcomes, Design):
        if predictor is None:
            raise DesignError("predictor=None: a design is run first, which takes one")
        outcomes = run(outcomes, predictor, rng=derive(key, "trial"), progress=False)
    claim = Claim(
        outcomes,
        predictor,
        rng=derive(key, "checks"),
        control=control,
        contrasts=contrasts,
        real=real,
        motifs=motifs,
        positive=positive,
    )
    parts, failures = [], []
    for name in names:
        try:
            parts.append(CHECKS[name](claim))
        except CausalgiaError as error:
            if checks is not None:
                raise
            failures.append(f"{name.replace('_', ' ')}: {error}")
    return _joined(parts, failures)


def _as_checks(checks: Iterable[str] | str | None) -> list[str]:
    """Return names of checks; DesignError for an unknown one."""
    if checks is None:
        return list(CHECKS)
    names = list(map(_function_of, in_order(checks) or ()))
    for name in names:
        if name not in CHECKS:
            raise DesignError(
                f"checks={quoted(name)} {is_not_among(str(name), list(CHECKS), 'check')}"
            )
    if not names:
        raise DesignError(f"checks={quoted(checks)} names no check")
    return list(dict.fromkeys(names))


_CHECK_OF_ROW = {
    "same answers": "numerical_floor",
    "specific share": "beyond_placebos",
    "order of effects": "other_null_models",
    "sd between null models": "other_null_models",
}
"""Rows of the result -> the check whose row has another name."""


def _function_of(name: Any) -> Any:
    """Return the name of a check from the name that is printed; any other as it is.

    Examples
    --------
    >>> _function_of("k-mer composition"), _function_of("same answers")
    ('kmer_composition', 'numerical_floor')
    """
    if not isinstance(name, str):
        return name
    words = " ".join(name.split())
    function = _CHECK_OF_ROW.get(words, words.replace("-", "").replace(" ", "_"))
    return function if function in CHECKS else name


def _joined(parts: list[xr.Dataset], failures: list[str]) -> xr.Dataset:
    """Return the rows of all checks, with what did not apply, and what they took
    together.
    """
    found = xr.concat(parts, dim="check", combine_attrs="override")
    lines = [line for part in parts for line in about(part).not_applicable.splitlines()]
    found.attrs |= attributes(
        not_applicable="\n".join([*lines, *failures]),
        n_predictions=int(found["n_predictions"].sum()),
    )
    return as_result(found, "refutations")

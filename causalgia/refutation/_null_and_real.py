"""Word frequencies and predictions of the null model beside real sequences."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr
from scipy import spatial

from causalgia.errors import OutcomesError
from causalgia.refutation.claim import Claim, NotApplicableError
from causalgia.refutation.null_shift import (
    K,
    auc_limits,
    classifier_auc,
    two_samples,
    untreated_predictions,
    word_frequencies,
)

_ABOUT = ("name", "predictor", "predictor_fingerprint", "scale", "null")


def null_and_real(claim: Claim) -> xr.Dataset:
    """Return word frequencies and predictions of backgrounds and of real sequences, for `causalgia.plot.null_shift`.

    Use it where `word_composition`, `classifier` or `prediction_range` warns, to see what differs.

    Parameters
    ----------
    claim
        What is to be refuted, with ``real=``, or a null model made of real sequences.

    Returns
    -------
    Dataset
        ``word_share (sample, word)``, ``prediction (sample, sequence, task)`` of as many sequences of either sample,
        ``divergence`` in bits, and ``auc, auc_lower, auc_upper`` (95 %), as the checks compute them; `sample` is
        ``"null"`` and ``"real"``.

    Raises
    ------
    OutcomesError
        If there are no real sequences, the units are real sequences themselves, or there are too few of
        either sample.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"control": cg.Placebo("UGCAUG", at=17), "UGCAUG": cg.Embed("UGCAUG", at=17)}
    >>> design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=100, contrasts="control")
    >>> real = cg.sequences.decode(cg.Uniform(length=41).sample(60, rng=5)["sequence"].values)
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1, real=real)
    >>> found = null_and_real(claim)
    >>> dict(found["word_share"].sizes), round(float(found["word_share"].sum()), 6)
    ({'sample': 2, 'word': 64}, 2.0)
    """
    try:
        samples, answers = two_samples(claim), untreated_predictions(claim)
    except NotApplicableError as error:
        raise OutcomesError(f"null_and_real: {error}") from error
    auc, n, m = classifier_auc(claim, samples)
    low, high = auc_limits(auc, n, m, alpha=0.05)
    shares = np.stack([word_frequencies(rows).mean(axis=0) for rows in (samples.units, samples.real)])
    divergence = float(spatial.distance.jensenshannon(shares[0], shares[1], base=2) ** 2)
    words = ["".join(letters) for letters in product("ACGT", repeat=K)]
    predictor = claim.check_predictor()
    about = {name: claim.outcomes.attrs[name] for name in _ABOUT if name in claim.outcomes.attrs}
    return xr.Dataset(
        {
            "word_share": (("sample", "word"), shares),
            "prediction": (("sample", "sequence", "task"), np.stack(answers)),
            "divergence": divergence,
            "auc": auc,
            "auc_lower": low,
            "auc_upper": high,
        },
        {"sample": ["null", "real"], "word": words, "task": [str(task) for task in predictor.tasks]},
        about,
    )

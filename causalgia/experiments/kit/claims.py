"""Which kind of claim an experiment makes, and the analysis that goes with it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from causalgia.analysis import Analysis, Rope, is_of_placebos

Claims: TypeAlias = Literal["confirmatory", "screening"]
"""Each verdict holds at its own truth; or verdicts hold on average over effects like these."""

LEAST_FOR_SCREENING = 30
"""Contrasts of one kind from which the law of their effects can be learned."""


def analysis_for(claims: Claims, *, rope: Rope, n_contrasts: int = 0, **settings: Any) -> Analysis:
    """Return the analysis of an experiment that makes this kind of claim.

    Contrasts of different kinds (an effect, an interaction, a rise) have no law in common, and neither have contrasts
    that are ordered, such as interactions along a distance: each is tested by itself, on its unshrunken estimate, with
    the false discovery rate over all of them. So are fewer than 30 contrasts of one kind. From 30 exchangeable
    contrasts on, such as variants, a posterior shares what they have in common, and its verdicts hold on average over
    effects like these. Where placebo words say what no effect looks like (``rope="placebo"`` or
    ``"placebo tail"``), they are that law, and the words beyond it are found by tests with the false
    discovery rate over the screen.

    Parameters
    ----------
    claims
        ``"confirmatory"`` or ``"screening"``.
    rope
        Region of practical equivalence.
    n_contrasts
        How many contrasts are of the one kind that is screened, placebo words not counted; of no matter where each is
        tested by itself.
    **settings
        Further fields of `causalgia.Analysis`.

    Examples
    --------
    >>> analysis_for("confirmatory", rope=(-0.1, 0.1))
    Analysis(rope=(-0.1, 0.1), error='bh', exchangeable=False)
    >>> analysis_for("screening", rope="placebo", n_contrasts=4_096)
    Analysis(rope='placebo', error='bh', exchangeable=True)
    >>> analysis_for("screening", rope=(-0.1, 0.1), n_contrasts=29).error
    'bh'
    >>> analysis_for("screening", rope=(-0.1, 0.1), n_contrasts=30).error
    'local'
    """
    screens = claims == "screening"
    by_posterior = screens and n_contrasts >= LEAST_FOR_SCREENING and not is_of_placebos(rope)
    error = "local" if by_posterior else "bh"
    return Analysis(rope=rope, error=error, exchangeable=screens, **settings)

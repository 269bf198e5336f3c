"""What a causal reading of an effect assumes, and how to check it: part of the
methods of a paper, and of the page on estimands.
"""

from __future__ import annotations

_ROWS = (
    (
        "Units",
        "a unit is one background; those made of one sequence are one independent draw",
        "`n_clusters`, by which errors are clustered; degenerate draws",
    ),
    (
        "Consistency",
        "the outcome under an arm is the prediction for the sequence that this arm wrote, "
        "the same at every call, and the arm made no other site",
        "`cg.check` (determinism, rounding); same answers, identical arms, junction sites",
    ),
    (
        "No interference",
        "a prediction does not depend on the other sequences of its batch",
        "`cg.check` (batch mates); same answers",
    ),
    (
        "Ignorability",
        "arms are assigned blind to the outcomes: all to every unit, or one at random",
        "it holds by design; balance, of parallel groups",
    ),
    (
        "Positivity",
        "every unit can receive every arm",
        "`cg.Design` refuses an arm that does not fit the backgrounds",
    ),
    (
        "The control",
        "it differs from the arm in the pattern alone, not in what was overwritten",
        "`cg.Placebo` in the same place; another control, beyond placebos",
    ),
    (
        "Effect modification",
        "none is assumed away: a mean holds for its units, and may hide two populations",
        "`cg.moderation`, `leverage`, `reversal`; subset of units",
    ),
    (
        "Transport to real sequences",
        "what holds in backgrounds holds in the sequences that the network is used for",
        "`cg.run(..., real=)`; classifier, prediction range, reweighted effect, other null "
        "models",
    ),
    (
        "Transport to other networks",
        "what this training learned, the next one learns, and no untrained network shows",
        '`cg.Ensemble` and `target="next predictor"`; predictor disagreement, randomized '
        "weights",
    ),
    (
        "Transport to the cell",
        "assumed by no number here",
        "the same design at the bench, `cg.mpra.library` and `cg.mpra.concordance`",
    ),
)


def assumptions() -> str:
    """Return the assumptions as a list in Markdown; what stands behind the last
    semicolon of a line are checks of `causalgia.refute`.

    Examples
    --------
    >>> print(next(line for line in assumptions().splitlines() if "Positivity" in line))
    - Positivity: every unit can receive every arm. To check: `cg.Design` refuses ...
    """
    return "\n".join(f"- {name}: {says}. To check: {how}." for name, says, how in _ROWS)

"""Whether a design can answer what an analysis asks, checked before anything is predicted."""

from __future__ import annotations

from collections.abc import Sequence

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.errors import DesignError


def check_analysis(analysis: Analysis, design: Design, tasks: Sequence[str] | None = None) -> None:
    """Refuse an analysis that names what the outcomes of a design will not have.

    Parameters
    ----------
    analysis
        What will be asked.
    design
        What is done to which units.
    tasks
        Of the predictor; None where they are not known before the first answer.

    Raises
    ------
    DesignError
        If it names an arm, factor, task or coordinate of the units that there is not, has a region of placebo words
        without 40 of them, or in a crossover asks for blocks or covariates.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100)
    >>> check_analysis(cg.Analysis(control="untreated", cluster="chromosome"), design)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [analysis]: cluster = 'chromosome', which is not a coordinate of the units; ...
    """
    blocks = () if design.blocks is None else ("block",)
    words = [arm.name for arm in design.named_arms if arm.intervention.kind == "placebo_word"]
    analysis.check(design.arm_names, design.factors, units=("parent", "gc", *blocks), words=words, tasks=tasks)
    for name in ("block", "covariates"):
        if design.assignment == "crossover" and getattr(analysis, name):
            raise DesignError(
                f"[analysis]: {name} is for assignment = 'parallel'; in a crossover each unit is compared with itself: "
                "leave it out"
            )

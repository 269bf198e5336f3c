"""Checklist of what a paper that claims "the network learned X" must report, filled in from a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from causalgia.choices import VERDICTS
from causalgia.errors import OutcomesError, printable
from causalgia.estimation.crossover_estimates import is_placebo_word
from causalgia.reporting._trial_report import count_clause
from causalgia.reporting.effect_rows import as_reportable
from causalgia.reporting.table_formats import markdown_table
from causalgia.reporting.verdict_sentences import is_decided

if TYPE_CHECKING:
    from causalgia.experiments import Answer


class Item(NamedTuple):
    """A line of the checklist: its section, what a paper reports, what produces it, and how a result tells it."""

    section: str
    what: str
    made_by: str
    found: Callable[[xr.Dataset], str]


def _attribute(name: str) -> Callable[[xr.Dataset], str]:
    return lambda effects: str(effects.attrs.get(name, ""))


def _control(effects: xr.Dataset) -> str:
    if effects.attrs.get("control") or "do" not in effects.variables:
        return str(effects.attrs.get("control", ""))
    return "named by each contrast: see its do-notation"


def _interventions(effects: xr.Dataset) -> str:
    if "do" not in effects.variables:
        return ""
    shown = [str(do) for do, word in zip(effects["do"].to_numpy(), is_placebo_word(effects), strict=True) if not word]
    more = len(shown) - 3
    return "; ".join(shown[:3]) + (f"; and {more:,} more" if more > 0 else "")


def _number(effects: xr.Dataset) -> str:
    stopped = effects.attrs.get("stopped")
    return f"{count_clause(effects) or ''}{f'; {stopped}' if stopped else ''}"


def _plan(effects: xr.Dataset) -> str:
    locked, planned = effects.attrs.get("protocol"), effects.attrs.get("analysis")
    if locked and effects.attrs.get("protocol_changed"):
        return f"locked: {locked}; the outcomes were changed after the run"
    return f"locked: {locked}" if locked else "stored with the outcomes" if planned else ""


def _deviations(effects: xr.Dataset) -> str:
    if "analysis" not in effects.attrs:  # nothing to deviate from
        return ""
    return str(effects.attrs.get("exploratory") or "none")


def _multiplicity(effects: xr.Dataset) -> str:
    attrs = effects.attrs
    if is_decided(effects):
        families = attrs.get("families")
        return f"{attrs['error']} at {1 - float(attrs['level']):.3g}{f', {families}' if families else ''}"
    return f"{attrs['adjust']}, {attrs['family']}" if "adjust" in attrs else ""


def _sizes(effects: xr.Dataset) -> str:
    n = int((~is_placebo_word(effects)).sum()) * effects["ace"].size // effects.sizes["contrast"]
    return f"{n:,} effect{'s' if n != 1 else ''} with interval{'s' if n != 1 else ''}" if "lower" in effects else ""


def _verdicts(effects: xr.Dataset) -> str:
    if not is_decided(effects):
        return ""
    found = effects["verdict"].isel(contrast=~is_placebo_word(effects)).to_numpy()
    return ", ".join(f"{int((found == word).sum()):,} {word}" for word in VERDICTS)


def _rare(effects: xr.Dataset) -> str:
    parts = []
    if "leverage" in effects:
        whose = "unit" if effects.attrs.get("cluster", "unit") == "unit" else "cluster"
        most = 100 * float(effects["leverage"].max())
        parts.append(f"one {whose} carries up to {most:.0f} % of the variance of an effect")
    if "missed_share" in effects:
        parts.append(f"effects on fewer than {100 * float(effects['missed_share'].max()):.2g} % could be missed")
    return "; ".join(parts)


def _placebo(effects: xr.Dataset) -> str:
    n = int(is_placebo_word(effects).sum())
    return f"{n} fixed placebo words" if n else ""


def _software(effects: xr.Dataset) -> str:
    names = ("causalgia", "python", "numpy", "rng")
    return ", ".join(f"{name} {effects.attrs[name]}" for name in names if name in effects.attrs)


def _author(_: xr.Dataset) -> str:
    return ""


ITEMS = (
    Item("Question", "the question, and the estimand that answers it", "`cg.methods`", _attribute("estimand")),
    Item(
        "Question", "that the claim is about the network, and what evidence would extend it to the cell", "you", _author
    ),
    Item("Design", "the network: architecture, training data, held-out performance", "you", _author),
    Item("Design", "the weights, by their fingerprint", "`cg.run`", _attribute("predictor_fingerprint")),
    Item("Design", "the null model of the backgrounds", "`cg.Design(null=)`", _attribute("null")),
    Item("Design", "every arm, in do-notation", "`cg.Design(arms=)`", _interventions),
    Item("Design", "the control, and why it is the right one", "`cg.contrast(control=)`", _control),
    Item("Design", "the number of backgrounds, and how it was chosen", "`cg.sample_size`, `cg.Precision`", _number),
    Item("Design", "crossover, or parallel groups with their blocks", "`cg.Design`", _attribute("assignment")),
    Item("Analysis", "the analysis, fixed before the outcomes", "`cg.Analysis`, `causalgia lock`", _plan),
    Item("Analysis", "every deviation from it, called exploratory", "`cg.analyze`, `causalgia verify`", _deviations),
    Item("Analysis", "the estimator of the standard error, with its clusters", "`cg.estimate`", _attribute("method")),
    Item(
        "Analysis", "the region of practical equivalence, and why it has that size", "`cg.decide`", _attribute("rope")
    ),
    Item("Analysis", "the error rate, and the family that it holds for", "`cg.decide`, `cg.adjust`", _multiplicity),
    Item("Results", "every effect that was asked for, with size and interval", "`cg.table`", _sizes),
    Item("Results", "which effects are negligible and which are undecided", "`cg.decide`", _verdicts),
    Item("Results", "effects that few backgrounds carry, and those that could be missed", "`cg.report`", _rare),
    Item("Refutation", "placebo words: how large the effects of rearranged letters are", "`cg.placebos`", _placebo),
)
_LAST = (
    Item("Reproduction", "versions and seed", "`cg.run`", _software),
    Item("Reproduction", "the design, in one file", "`causalgia reproduce`", _attribute("design_fingerprint")),
)
_REFUTE = Item("Refutation", "how the finding could have been wrong", "`cg.refute`", _author)


def checklist(x: xr.Dataset | Answer | None = None, *, refutation: xr.Dataset | None = None) -> str:
    """Return the checklist for a paper that claims "the network learned X", as Markdown, filled in from a result.

    Each line has an item, its value in this result, and the function that produces it. "say it" marks items that
    only the authors know, and "missing" those that the result does not have.

    Parameters
    ----------
    x
        Estimates, decisions or the `~causalgia.experiments.Answer` of an experiment. None: the empty checklist.
    refutation
        Checks of `causalgia.refute`: a line each, with status and reason.

    Raises
    ------
    OutcomesError
        If there are no effects in it.

    References
    ----------
    In the spirit of CONSORT: Schulz, Altman & Moher (2010), doi:10.1136/bmj.c332.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> lines = checklist(from_effects([1.4], se=[0.1], names=["GATA1"])).splitlines()
    >>> [line for line in lines if "interval" in line]
    ['| Results | every effect that was asked for, with size and interval | 1 effect with interval | cg.table |']
    """
    decisions: Any = x if x is None or isinstance(x, xr.Dataset) else getattr(x, "decisions", x)
    effects = None if decisions is None else as_reportable(decisions)
    checks = [_REFUTE] if refutation is None else _refuted(refutation)
    header = ["section", "report", *([] if effects is None else ["in this result"]), "made by"]
    lines = [_line(item, effects) for item in (*ITEMS, *checks, *_LAST)]
    return markdown_table(header, lines, [], names=set(header))


def _line(item: Item, effects: xr.Dataset | None) -> list[str]:
    made_by = item.made_by.replace("`", "")
    if effects is None:
        return [item.section, item.what, made_by]
    measured = effects.attrs.get("effect_on") == "measured activity"
    if measured and ("network" in item.what or item.what.startswith("the weights")):
        return [item.section, item.what, "does not apply: these effects were measured", made_by]
    found = item.found(effects) or ("say it" if item.made_by == "you" else "missing")
    return [item.section, item.what, printable(found), made_by]


def _refuted(refutation: Any) -> list[Item]:
    """Return an item for each check of a refutation, with its status and reason."""
    if not isinstance(refutation, xr.Dataset) or not {"status", "reason"} <= set(refutation.variables):
        raise OutcomesError("refutation= takes the checks of cg.refute(outcomes, predictor, rng=0)")

    def stated(text: str) -> Callable[[xr.Dataset], str]:
        return lambda _: text

    texts = (refutation[name].to_numpy().astype(str) for name in ("check", "status", "reason"))
    return [
        Item("Refutation", check, "`cg.refute`", stated(f"{status}: {reason}"))
        for check, status, reason in zip(*texts, strict=True)
    ]

"""The checklist of a paper that claims "the network learned X", a row for each item, in
the spirit of CONSORT (Schulz, Altman & Moher 2010, doi:10.1136/bmj.c332).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import xarray as xr

from causalgia.attributes import about, has, of_sequences
from causalgia.choices import VERDICTS
from causalgia.errors import DataError, first_of, printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.tell._trial_report import count_clause
from causalgia.tell.table_formats import markdown_table
from causalgia.tell.verdict_sentences import (
    family_in_words,
    is_decided,
    region_in_words,
    weakest_verdict,
)


class Item(NamedTuple):
    """An item: section, what a paper reports, what produces it, its value in a result,
    and what it is about: of a measured effect neither network nor trial apply.
    """

    section: str
    what: str
    made_by: str
    found: Callable[[xr.Dataset], str]
    of: str = "effects"


def _attribute(name: str) -> Callable[[xr.Dataset], str]:
    return lambda effects: str(effects.attrs.get(name, ""))


def _said_by_authors(_: xr.Dataset) -> str:
    return ""


def _control(effects: xr.Dataset) -> str:
    if about(effects, None).control or "do" not in effects.variables:
        return about(effects, "").control
    return "named by each contrast: see its do-notation"


def _interventions(effects: xr.Dataset) -> str:
    if "do" not in effects.variables:
        return ""
    shown = effects["do"].to_numpy()[~is_placebo(effects)].astype(str).tolist()
    return first_of(shown, 3, sep="; ")


def _number(effects: xr.Dataset) -> str:
    found = (count_clause(effects), about(effects, None).stopped)
    return "; ".join(text for text in found if text)


def _plan(effects: xr.Dataset) -> str:
    here = about(effects, None)
    if not here.protocol:
        return "stored with the outcomes" if here.analysis else ""
    changed = "; the outcomes were changed after the run" * bool(here.protocol_changed)
    return f"locked: {here.protocol}{changed}"


def _deviations(effects: xr.Dataset) -> str:
    # without an analysis there is nothing to deviate from
    return about(effects, "none").exploratory if has(effects).analysis else ""


def _region(effects: xr.Dataset) -> str:
    return region_in_words(effects) if is_decided(effects) else ""


def _error_rate(effects: xr.Dataset) -> str:
    if not is_decided(effects):
        return ""
    level = 1 - float(about(effects, 0.95).ci_prob)
    over = family_in_words(effects)
    rate = f"{about(effects, 'fdr').error} at {level:.3g}"
    return f"{rate}, over {over}" if over else rate


def _sizes(effects: xr.Dataset) -> str:
    if "lower" not in effects:
        return ""
    n = effects["ace"].isel(contrast=~is_placebo(effects)).size
    return f"{n:,} effects with intervals" if n != 1 else "1 effect with interval"


def _verdicts(effects: xr.Dataset) -> str:
    if not is_decided(effects):
        return ""
    found = effects["verdict"].isel(contrast=~is_placebo(effects)).to_numpy()
    n = Counter(found.ravel().astype(str).tolist())
    return ", ".join(f"{n[word]:,} {word}" for word in VERDICTS if n[word])


def _rare(effects: xr.Dataset) -> str:
    parts = [weakest_verdict(effects)] if is_decided(effects) else []
    if "leverage" in effects:
        whose = "unit" if about(effects, "unit").cluster == "unit" else "cluster"
        most = 100 * float(effects["leverage"].max())
        parts = [
            f"one {whose} carries up to {most:.0f} % of the variance of an effect",
            *parts,
        ]
    return "; ".join(part for part in parts if part)


def _placebos(effects: xr.Dataset) -> str:
    n = int(is_placebo(effects).sum())
    return f"{n} fixed placebos" if n else ""


def _software(effects: xr.Dataset) -> str:
    names = ("causalgia", "python", "numpy", "rng")
    attrs = effects.attrs
    return ", ".join(f"{name} {attrs[name]}" for name in names if name in attrs)


_YOU, _REFUTE = "you", "cg.refute"
_BEFORE = (
    Item(
        "Question",
        "the question, and the estimand that answers it",
        "cg.contrast",
        _attribute("estimand"),
    ),
    Item(
        "Question",
        "that the claim is about the network, and what evidence would extend it to the "
        "cell",
        _YOU,
        _said_by_authors,
        "network",
    ),
    Item(
        "Design",
        "the network: architecture, training data, held-out performance",
        _YOU,
        _said_by_authors,
        "network",
    ),
    Item(
        "Design",
        "the weights, by their fingerprint",
        "cg.run",
        _attribute("predictor_fingerprint"),
        "network",
    ),
    Item(
        "Design",
        "the null model of the backgrounds",
        "cg.Design(null=)",
        _attribute("null"),
        "trial",
    ),
    Item(
        "Design",
        "every arm, in do-notation",
        "cg.Design(arms=)",
        _interventions,
        "trial",
    ),
    Item(
        "Design",
        "the control, and why it is the right one",
        "cg.contrast(control=)",
        _control,
    ),
    Item(
        "Design",
        "the number of backgrounds, and how it was chosen",
        "cg.sample_size, cg.Decided",
        _number,
    ),
    Item(
        "Design",
        "crossover, or parallel groups with their blocks",
        "cg.Design",
        _attribute("assignment"),
    ),
    Item(
        "Analysis",
        "the analysis, fixed before the outcomes",
        "cg.Analysis, causalgia lock",
        _plan,
    ),
    Item(
        "Analysis",
        "every deviation from it, called exploratory",
        "cg.analyze, causalgia verify",
        _deviations,
    ),
    Item(
        "Analysis",
        "the estimator of the standard error, with its clusters",
        "cg.estimate",
        _attribute("method"),
    ),
    Item(
        "Analysis",
        "the region of practical equivalence, and why it has that size",
        "cg.decide",
        _region,
    ),
    Item(
        "Analysis",
        "the error rate, and the family that it holds for",
        "cg.decide",
        _error_rate,
    ),
    Item(
        "Results",
        "every effect that was asked for, with size and interval",
        "cg.report",
        _sizes,
    ),
    Item(
        "Results",
        "which effects are negligible and which are undecided",
        "cg.decide",
        _verdicts,
    ),
    Item(
        "Results",
        "effects that few backgrounds carry, and what unseen ones would have to do",
        "cg.report",
        _rare,
    ),
    Item(
        "Refutation",
        "placebos: how large the effects of rearranged letters are",
        "cg.placebos",
        _placebos,
        "trial",
    ),
)
_CHECKS = Item(
    "Refutation",
    "how the finding could have been wrong",
    _REFUTE,
    _said_by_authors,
    "trial",
)
_AFTER = (
    Item("Reproduction", "versions and seed", "cg.run", _software, "trial"),
    Item(
        "Reproduction",
        "the design, in one file",
        "causalgia reproduce",
        _attribute("design_fingerprint"),
        "trial",
    ),
)


def checklist(
    effects: xr.Dataset | None = None, refutations: xr.Dataset | None = None
) -> str:
    """Return the checklist as Markdown, empty or with what effects and checks say.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> lines = checklist(from_effects([1.4], se=[0.1], names=["GATA1"])).splitlines()
    >>> [line for line in lines if "interval" in line]
    ['| Results | every effect that was asked for, with size and interval | 1 effect with interval | cg.report |']
    """
    checks = [_CHECKS] if refutations is None else _of_checks(refutations)
    header = ["section", "report", "in this result", "made by"]
    lines = [_line(item, effects) for item in (*_BEFORE, *checks, *_AFTER)]
    if effects is None:  # there is no result to say anything of
        del header[2]
        lines = [[section, what, made_by] for section, what, _, made_by in lines]
    return markdown_table(header, lines, [], names=set(header))


def _line(item: Item, effects: xr.Dataset | None) -> list[str]:
    if effects is None:
        return [item.section, item.what, "", item.made_by]
    what, absent = item.what, "say it" if item.made_by == _YOU else "missing"
    measured = about(effects, None).effect_on == "measured activity"
    if measured and item.of == "network":
        absent = "does not apply: these effects were measured"
    if not measured and not of_sequences(effects):
        what = what.replace("backgrounds", "units")
        if item.of != "effects":
            absent = "does not apply to a table that no network made"
    return [item.section, what, printable(item.found(effects) or absent), item.made_by]


def _of_checks(refutations: Any) -> list[Item]:
    """Return an item for each check of a claim."""
    try:
        columns = [
            refutations[name].to_numpy().astype(str)
            for name in ("check", "status", "reason")
        ]
    except (KeyError, TypeError, AttributeError):
        raise DataError("refutations= are no checks of cg.refute") from None

    def stated(text: str) -> Callable[[xr.Dataset], str]:
        return lambda _: text

    return [
        Item("Refutation", check, _REFUTE, stated(f"{status}: {reason}"))
        for check, status, reason in zip(*columns, strict=True)
    ]

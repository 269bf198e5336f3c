"""The checklist of a paper that claims "the network learned X", a row for each item, in
the spirit of CONSORT (Schulz, Altman & Moher 2010, doi:10.1136/bmj.c332).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import xarray as xr

from causalgia._audit.named import LEVEL
from causalgia.attributes import about, has, of_sequences
from causalgia.choices import VERDICTS
from causalgia.errors import DataError, first_of, printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.tell._trial_report import count_clause
from causalgia.tell.audit_answers import Audited
from causalgia.tell.table_formats import markdown_table
from causalgia.tell.verdict_sentences import (
    family_in_words,
    is_decided,
    region_in_words,
    verdict_word,
    weakest_verdict,
)

if TYPE_CHECKING:
    import pandas as pd


class Item(NamedTuple):
    """An item: section, what a paper reports, the value that says it ("": the authors
    do), what produces it, and what it is about: of a measured effect neither network
    nor trial apply.
    """

    section: str
    what: str
    value: str = ""
    made_by: str = "you"
    of: str = "effects"


_EFFECTS = (
    Item(
        "Question",
        "the question, and the estimand that answers it",
        "estimand",
        "cg.contrast",
    ),
    Item(
        "Question",
        "that the claim is about the network, and what evidence would extend it to the "
        "cell",
        of="network",
    ),
    Item(
        "Design",
        "the network: architecture, training data, held-out performance",
        of="network",
    ),
    Item(
        "Design",
        "the weights, by their fingerprint",
        "predictor_fingerprint",
        "cg.run",
        "network",
    ),
    Item(
        "Design",
        "the null model of the backgrounds",
        "null",
        "cg.Design(null=)",
        "trial",
    ),
    Item("Design", "every arm, in do-notation", "do", "cg.Design(arms=)", "trial"),
    Item(
        "Design",
        "the control, and why it is the right one",
        "control",
        "cg.contrast(control=)",
    ),
    Item(
        "Design",
        "the number of backgrounds, and how it was chosen",
        "number",
        "cg.sample_size, cg.Decided",
    ),
    Item(
        "Design",
        "crossover, or parallel groups with their blocks",
        "assignment",
        "cg.Design",
    ),
    Item(
        "Analysis",
        "the analysis, fixed before the outcomes",
        "plan",
        "cg.Analysis, causalgia lock",
    ),
    Item(
        "Analysis",
        "every deviation from it, called exploratory",
        "deviations",
        "cg.analyze, causalgia verify",
    ),
    Item(
        "Analysis",
        "the estimator of the standard error, with its clusters",
        "method",
        "cg.estimate",
    ),
    Item(
        "Analysis",
        "the region of practical equivalence, and why it has that size",
        "region",
        "cg.decide",
    ),
    Item(
        "Analysis",
        "the error rate, and the family that it holds for",
        "error rate",
        "cg.decide",
    ),
    Item(
        "Results",
        "every effect that was asked for, with size and interval",
        "sizes",
        "cg.report",
    ),
    Item(
        "Results",
        "which effects are negligible and which are undecided",
        "verdicts",
        "cg.decide",
    ),
    Item(
        "Results",
        "effects that few backgrounds carry, and what unseen ones would have to do",
        "rare",
        "cg.report",
    ),
    Item(
        "Refutation",
        "placebos: how large the effects of rearranged letters are",
        "placebos",
        "cg.placebos",
        "trial",
    ),
    Item(
        "Refutation",
        "how the finding could have been wrong",
        "checks",
        "cg.refute",
        "trial",
    ),
    Item("Reproduction", "versions and seed", "software", "cg.run", "trial"),
    Item(
        "Reproduction",
        "the design, in one file",
        "design_fingerprint",
        "causalgia reproduce",
        "trial",
    ),
)
_AUDIT = (
    Item("Question", "the question", "question"),
    Item("Network", "architecture, training data, held-out performance"),
    Item("Network", "the weights, by their fingerprint", "predictor"),
    Item("Sequences", "which, and why these"),
    Item("Sequences", "how they were split", "split"),
    Item("Design", "the null model", "null"),
    Item("Design", "what a motif is compared with", "control"),
    Item("Analysis", "the error rate, and the family it holds for", "error rate"),
    Item("Results", "the share of the predictions that is explained", "share"),
    Item("Results", "every motif and rule, also those that do not hold", "tables"),
    Item("Refutation", "how rules could have been wrong", "checks"),
    Item("Reproduction", "versions and seed", "software"),
    Item("Reproduction", "what was left out", "left out"),
    Item("Biology", "what was measured in cells"),
)
ITEMS = ["section", "report", "in this audit"]
"""Headings of the checklist of an audit."""


class _Candidate(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def motif(self) -> Any: ...


class Pictured(Audited, Protocol):
    """What the page is of: the answer of `causalgia.audit`."""

    @property
    def question(self) -> str: ...
    @property
    def pairs(self) -> pd.DataFrame: ...
    @property
    def candidates(self) -> Sequence[_Candidate]: ...


def _of_effects(effects: xr.Dataset) -> dict[str, str]:
    """Return what effects say, by the value of an item."""
    return {str(name): str(value) for name, value in effects.attrs.items()} | {
        "do": _interventions(effects),
        "control": _control(effects),
        "number": _number(effects),
        "plan": _plan(effects),
        "deviations": _deviations(effects),
        "region": _region(effects),
        "error rate": _error_rate(effects),
        "sizes": _sizes(effects),
        "verdicts": _verdicts(effects),
        "rare": _rare(effects),
        "placebos": _placebos(effects),
        "software": _software(effects),
        "checks": "",
    }


def _of_audit(found: Pictured) -> dict[str, str]:
    """Return what an audit says, by the value of an item."""
    made, n, rules = found.settings, found.counts, found.rules
    n_checked = rules[["pass", "warn", "fail"]].to_numpy().sum() if len(rules) else 0
    return {
        "question": found.question,
        "predictor": made.get("predictor", ""),
        "split": f"{n['proposing']:,} : {n['testing']:,} : {n['reserved']:,}, by parent",
        "null": "dinucleotide shuffles of the sequences",
        "control": "other orders of its letters",
        "error rate": (
            f"false discovery rate {LEVEL:g} over motifs, tasks and both tests; then the "
            "tree of motifs and rules on the reserved sequences"
        ),
        "share": "first line of the answer",
        "tables": "tables motifs and rules",
        "checks": f"{int(n_checked):,} checks of cg.refute",
        "software": f"causalgia {made.get('causalgia', '')}, seed {made.get('rng', '')}",
        "left out": f"{len(found.left_out):,} tests, named",
    }


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
    lower = effects["lower"].isel(contrast=~is_placebo(effects))
    n = int(lower.notnull().sum())
    return f"{n:,} effects with intervals" if n != 1 else "1 effect with interval"


def _verdicts(effects: xr.Dataset) -> str:
    if not is_decided(effects):
        return ""
    names = ("verdict", "rope_lower", "rope_upper")
    asked = effects.isel(contrast=~is_placebo(effects))
    columns = xr.broadcast(*(asked[name] for name in names))
    rows = zip(*(x.to_numpy().ravel().tolist() for x in columns), strict=True)
    n = Counter(
        verdict_word(dict(zip(names, row, strict=True)), effects.attrs)
        for row in rows
        if row[0]
    )
    words = dict.fromkeys([*VERDICTS, *n])
    return ", ".join(f"{n[word]:,} {word}" for word in words if n[word])


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
    if effects is None:  # there is no result to say anything of
        lines = [[item.section, item.what, item.made_by] for item in _EFFECTS]
        return _as_markdown(["section", "report", "made by"], lines)
    values, items = _of_effects(effects), list(_EFFECTS)
    if refutations is not None:
        checks = _of_checks(refutations)
        at = next(i for i, item in enumerate(items) if item.value == "checks")
        items[at : at + 1] = [
            Item("Refutation", name, f"check {name}", "cg.refute") for name in checks
        ]
        values |= {f"check {name}": text for name, text in checks.items()}
    known = about(effects, None).effect_on == "measured activity"
    lines = []
    for item in items:
        what, absent = item.what, ""
        if known and item.of == "network":
            absent = "does not apply: these effects were measured"
        if not known and not of_sequences(effects):
            what = what.replace("backgrounds", "units")
            if item.of != "effects":
                absent = "does not apply to a table that no network made"
        lines.append([item.section, what, _cell(item, values, absent), item.made_by])
    return _as_markdown(["section", "report", "in this result", "made by"], lines)


def audit_items(found: Pictured) -> list[list[str]]:
    """Return the rows of the checklist of a paper that reports an audit."""
    values = _of_audit(found)
    return [[item.section, item.what, _cell(item, values)] for item in _AUDIT]


def audit_checklist(found: Pictured) -> str:
    """Return the checklist of a paper that reports an audit, as Markdown."""
    return _as_markdown(ITEMS, audit_items(found))


def _as_markdown(header: list[str], lines: list[list[str]]) -> str:
    return markdown_table(header, lines, [], names=set(header))


def _cell(item: Item, values: Mapping[str, str], absent: str = "") -> str:
    otherwise = absent or ("missing" if item.value else "say it")
    return printable(values.get(item.value) or otherwise)


def _of_checks(refutations: Any) -> dict[str, str]:
    """Return what each check of a claim says."""
    try:
        checks, status, reason = (
            refutations[name].to_numpy().astype(str).tolist()
            for name in ("check", "status", "reason")
        )
    except (KeyError, TypeError, AttributeError):
        raise DataError("refutations= are no checks of cg.refute") from None
    return {
        name: f"{one}: {why}"
        for name, one, why in zip(checks, status, reason, strict=True)
    }

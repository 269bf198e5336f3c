"""A result as one self-contained HTML page: the finding, the effects, the checks and
the provenance.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.choices import VERDICTS
from causalgia.effect_table import has_positions, select_tasks, tasks_in_table
from causalgia.errors import OutcomesError, printable, quoted, reason_of
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import check_no_pipe, parse_json
from causalgia.notes import notes_of
from causalgia.paper._methods import methods
from causalgia.paper.page_pictures import (
    bench_pictures,
    effect_pictures,
    outcome_pictures,
    saved_picture,
)
from causalgia.reporting import cells, sentences, tasks_in_words
from causalgia.reporting._trial_report import check_same_trial, estimand, shape_lines
from causalgia.reporting.effect_rows import as_reportable, sentences_on_tasks
from causalgia.reporting.table_formats import NAMES, with_minus
from causalgia.reporting.verdict_sentences import (
    CHANGED_OUTCOMES,
    check_value,
    is_decided,
)

if TYPE_CHECKING:
    from causalgia.experiments import Answer

_FEW_SENTENCES, _WITHOUT_SCRIPT, _MOST_ROWS = 6, 500, 20_000
_LIGHTS = {"fail": "✗", "warn": "!", "pass": "✓"}
_FINGERPRINTS = (
    "design_fingerprint",
    "null_fingerprint",
    "predictor_fingerprint",
    "analysis_fingerprint",
    "protocol",
)
_TOLD = {"exploratory", "notes", "caution", "answer", "question", "estimand"}
_LONG, _LINE, _LONGEST = 200, 2_000, 50_000
# sentences of the estimand that have a place of their own
_ELSEWHERE = ("Note:", "Caution:", "Exploratory")
_CHECK = ("value", "threshold", "status", "reason")


@dataclass(frozen=True, kw_only=True)
class PageParts:
    """What a page is written from: a result, and what else is known of its trial.

    Attributes
    ----------
    result
        Estimates, decisions, outcomes, or a result of the bench.
    text
        The result as text, for what has no effects.
    answer
        The answer of an experiment, whose figure is drawn.
    question, sentences
        Question and answer of an experiment, in sentences.
    outcomes
        Outcomes or effects of single units, for their distributions.
    refutations
        Checks of the claim: ``value, threshold, status, reason (check)``.
    diagnostics
        Convergence of draws: R-hat and effective sample sizes, as `causalgia.infer`
        keeps them.
    saved
        Pictures already drawn: caption -> PNG.
    """

    result: xr.Dataset
    text: str = ""
    answer: Answer | None = None
    question: str = ""
    sentences: Sequence[str] = ()
    outcomes: xr.Dataset | None = None
    refutations: xr.Dataset | None = None
    diagnostics: xr.Dataset | None = None
    saved: Mapping[str, bytes] = field(default_factory=dict)


def write_page(
    path: Path, parts: PageParts, *, task: str | Sequence[str] | None = None
) -> Path:
    """Write a page, and return its path.

    Raises
    ------
    OutcomesError
        If the page cannot be written, or the refutations are none.
    ContrastError
        If there is no such task.
    """
    check_no_pipe(path, OutcomesError)
    html = _render(_page(parts, task))
    try:
        path.write_text(html, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise OutcomesError(
            f"{path}: the page cannot be written ({reason_of(error)}); choose another "
            "place"
        ) from error
    return path


def _render(context: dict[str, Any]) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("causalgia.paper") / "page"
    style, script = (
        (folder / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
    )
    return environment.get_template("page.html.jinja").render(
        **context,
        style=Markup(style),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _page(parts: PageParts, task: str | Sequence[str] | None) -> dict[str, Any]:
    """Return what the template shows."""
    import causalgia

    for name, part in (
        ("outcomes", parts.outcomes),
        ("refutations", parts.refutations),
    ):
        check_same_trial(name, part, parts.result)
    curves = "ace" in parts.result and has_positions(parts.result)
    has_effects = "ace" in parts.result and not curves and not parts.text
    of_checks = {"check", *_CHECK} <= set(parts.result.variables)
    if has_effects:
        parts = replace(parts, result=as_reportable(parts.result))
    parts = parts if task is None else _of_tasks(parts, task)
    result = parts.result
    pictures = [saved_picture(caption, png) for caption, png in parts.saved.items()]
    if has_effects:
        pictures += effect_pictures(result, answer=parts.answer)
    else:
        pictures += bench_pictures(parts.result)
    outcomes = parts.result if parts.outcomes is None else parts.outcomes
    pictures += outcome_pictures(outcomes, effects=result if has_effects else None)
    found = methods(result) if has_effects else None
    context = {
        "version": causalgia.__version__,
        "title": _title(result, parts),
        "question": parts.question,
        "facts": _facts(outcomes),
        "finding": _finding(result, parts, found.results)
        if found is not None
        else _finding_in_text(parts),
        "marks": _count(_named(result)["verdict"].to_numpy().ravel(), VERDICTS)
        if has_effects and is_decided(result)
        else [],
        "asked": [
            _cut(t)
            for t in estimand(result).split("\n")
            if not t.startswith(_ELSEWHERE)
        ]
        if has_effects
        else [],
        "beforehand": _beforehand(result.attrs),
        "deviations": [
            _cut(line)
            for line in str(result.attrs.get("exploratory", "")).split("; ")
            if line
        ],
        "effects_heading": "Effects" if has_effects or curves else "Pictures",
        "pictures": pictures,
        "text": "" if has_effects else parts.text,
        "convergence": _convergence(result, parts.diagnostics)
        + [_cut(line) for line in (shape_lines(result) if has_effects else [])],
        "provenance": _provenance(result.attrs),
        "long_provenance": [
            (name, _cut(str(value), _LONGEST))
            for name, value in result.attrs.items()
            if len(str(value)) > _LONG and name not in _TOLD
        ],
        **_checks(
            parts.refutations
            if parts.refutations is not None or not of_checks
            else result,
            result,
        ),
        **(_row_context(result) if has_effects else _NO_TABLE),
        "methods": _cut(found.methods) if found is not None else "",
        "works": [str(work) for work in found.works] if found is not None else [],
        "bibtex": found.bibtex if found is not None else "",
    }
    return context | {"sections": _sections(context)}


def _of_tasks(parts: PageParts, task: str | Sequence[str]) -> PageParts:
    """Return the parts of a page with these tasks alone; outcomes of none of them are
    those that a task is made of.
    """
    result = select_tasks(parts.result, task, place="report: ")
    shown, outcomes = tasks_in_table(result), parts.outcomes
    if outcomes is not None:
        there = [name for name in tasks_in_table(outcomes) if name in shown]
        outcomes = select_tasks(outcomes, there or None)
    about = sentences_on_tasks(parts.sentences, shown, tasks_in_table(parts.result))
    return replace(parts, result=result, outcomes=outcomes, sentences=about)


def _cut(text: str, most: int = _LINE) -> str:
    """Return a text up to a length, with a word on what is left out."""
    left = len(text) - most
    return (
        text
        if left <= 0
        else (
            f"{text[:most]}… ({left:,} more characters are in the attributes of the "
            "Dataset)"
        )
    )


def _sections(context: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("finding", "Finding"), ("question", "Question and protocol")]
    found += (
        [("effects-section", context["effects_heading"])]
        if context["pictures"] or context["columns"]
        else []
    )
    found += [("table-heading", "Table of effects")] if context["columns"] else []
    found += [("text", "Report in text")] if context["text"] else []
    found += [
        ("refutations", "How it could be wrong"),
        ("convergence", "Convergence"),
        ("provenance", "Provenance"),
    ]
    return [
        *found,
        *([("cite", "Methods, and how to cite")] if context["methods"] else []),
    ]


def _title(result: xr.Dataset, parts: PageParts) -> str:
    attrs = result.attrs
    name = attrs.get("name") or (
        attrs.get("experiment") if isinstance(attrs.get("experiment"), str) else ""
    )
    on = attrs.get("effect_on") or attrs.get("predictor") or ""
    if name:
        return f"{name}: effects on {on}" if on else str(name)
    if "ace" not in result and parts.text:
        kinds = {
            "outcome": "Outcomes of a trial",
            "tipping_shift": "Tipping points of a trial",
            "cure": "Refutations",
        }
        return next(
            (title for variable, title in kinds.items() if variable in result),
            "Report of the bench",
        )
    return (
        f"Effects on {on}"
        if on
        else "Effects"
        if "predictor_fingerprint" not in attrs
        else "Effects on a predictor"
    )


def _facts(result: xr.Dataset) -> str:
    """Return tasks, scale, units and population in a line."""
    attrs, facts = result.attrs, []
    if "task" in result.coords:
        facts.append(tasks_in_words(result))
    if scale := attrs.get("contrast_scale") or attrs.get("scale"):
        facts.append(f"on {scale}")
    if "unit" in result.sizes or "n_units" in result:
        counts = (
            [result.sizes["unit"]]
            if "unit" in result.sizes
            else np.unique(result["n_units"].to_numpy())
        )
        least, most = int(min(counts)), int(max(counts))
        facts.append(
            f"n = {least:,}" + (f" to {most:,}" if most > least else "") + " units"
        )
    if attrs.get("null"):
        facts.append(f"of {attrs['null']}")
    return ", ".join(map(str, facts))


def _named(effects: xr.Dataset) -> xr.Dataset:
    """Return the effects without those of fixed placebos."""
    return effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))


def _finding(effects: xr.Dataset, parts: PageParts, results: str) -> list[str]:
    if parts.sentences:
        return list(parts.sentences)
    lines = [results]
    if not is_decided(effects):
        lines.append(
            "These are estimates without verdicts: cg.decide(estimates, rope=...) says "
            "which effects are large enough to matter."
        )
    elif _named(effects)["ace"].size <= _FEW_SENTENCES:
        lines = sentences(effects)
    return lines


def _finding_in_text(parts: PageParts) -> list[str]:
    if "outcome" in parts.result or "ice" in parts.result:
        return [
            "No effect has been estimated yet: cg.analyze(outcomes, rng=0), or "
            "causalgia analyze DIR, does that. Below is what was run."
        ]
    about, *found = parts.text.split("\n\n")
    # what it is of, then
    first = (
        found[:1]
        if "tipping_shift" in parts.result or has_positions(parts.result)
        else []
    )
    return [line for block in (*first, about) for line in block.split("\n")]


def _count(found: Iterable[Any], names: Iterable[str]) -> list[tuple[str, str]]:
    counts = Counter(map(str, found))
    return [(name, f"{counts[name]:,}") for name in names if counts[name]]


def _beforehand(attrs: Mapping[Any, Any]) -> list[str]:
    """Return what was fixed before the outcomes were seen."""
    lines = []
    if attrs.get("protocol"):
        lines.append(f"A protocol was locked before the trial: {attrs['protocol']}.")
        lines += [CHANGED_OUTCOMES] if attrs.get("protocol_changed") else []
    else:
        lines.append("No locked protocol is recorded.")
    if attrs.get("analysis"):
        lines.append(f"Analysis: {_analysis_in_words(str(attrs['analysis']))}.")
    if not attrs.get("exploratory") and attrs.get("analysis"):
        lines.append(
            "No deviation from the analysis that is stored with the outcomes is "
            "recorded."
        )
    for name, words in (
        ("stopped", "Sequential trial"),
        ("confirms", "Confirmation"),
        ("reserved", "Reserved"),
    ):
        if attrs.get(name):
            lines.append(f"{words}: {attrs[name]}.")
    return lines


def _analysis_in_words(text: str) -> str:
    """Return the settings of a stored analysis, of many contrasts their number;
    provenance has them in full.
    """
    settings = parse_json(text, OutcomesError, source="attrs['analysis']")
    if not isinstance(settings, dict):
        return _cut(text)
    words = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
    if len(words.get("contrasts", "")) > _LONG:
        words["contrasts"] = f"{len(settings['contrasts']):,}, in full under Provenance"
    return _cut(
        "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in words.items())
    )


def _row_context(effects: xr.Dataset) -> dict[str, Any]:
    """Return header, rows as compact JSON and the rows that are shown without a
    script.
    """
    names, lines = cells(effects)
    numeric = [name not in NAMES for name in names]
    lines = [
        [
            with_minus(cell) if number else printable(cell)
            for number, cell in zip(numeric, line, strict=True)
        ]
        for line in lines
    ]
    n, notes = len(lines), []
    if n > _MOST_ROWS:
        at = (
            names.index("ACE")
            if "ACE" in names
            else next(i for i, name in enumerate(names) if name not in NAMES)
        )
        sizes = [
            abs(float(line[at].split()[0].replace(",", "").replace("−", "-") or 0))
            for line in lines
        ]
        size = np.argsort(-np.array(sizes), kind="stable")[:_MOST_ROWS]
        lines = [lines[i] for i in sorted(size)]
        notes.append(
            f"The {_MOST_ROWS:,} largest of {n:,} effects; all are in the table of "
            "cg.tidy."
        )
    from markupsafe import Markup

    plain = {
        "columns": [printable(name) for name in names],
        "numeric": numeric,
        "rows": lines,
    }
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    there = (
        [line[names.index("verdict")] for line in lines] if "verdict" in names else []
    )
    return {
        "columns": names,
        "numeric": numeric,
        "shown": lines[:_WITHOUT_SCRIPT],
        "n_rows": len(lines),
        "rows": Markup(text),
        "verdicts": [
            verdict
            for verdict in VERDICTS
            if any(cell.startswith(verdict) for cell in there)
        ],
        "table_notes": notes,
    }


_NO_TABLE: dict[str, Any] = {
    "columns": [], "numeric": [], "shown": [], "n_rows": 0, "rows": "", "verdicts": [], "table_notes": []
}  # fmt: skip


def _checks(refutations: xr.Dataset | None, result: xr.Dataset) -> dict[str, Any]:
    """Return the checks as rows, the failed ones first, and what else speaks against
    the finding.
    """
    doubts = (
        [f"Caution: {_cut(str(result.attrs['caution']))}."]
        if result.attrs.get("caution")
        else []
    )
    doubts += [
        f"Note: {note[:1].upper()}{note[1:].rstrip('.')}." for note in notes_of(result)
    ]
    if refutations is None:
        doubts.append(
            "No checks were given: cg.refute(outcomes, predictor, rng=0), or causalgia "
            "refute, runs those of a claim."
        )
        return {"checks": [], "lights": [], "doubts": doubts}
    if not isinstance(refutations, xr.Dataset) or not {"check", *_CHECK} <= set(
        refutations.variables
    ):
        raise OutcomesError(
            f"refutations={quoted(refutations)} are not checks (check): "
            f"{', '.join(_CHECK)}; give those of cg.refute"
        )
    rows = []
    for i, name in enumerate(refutations["check"].to_numpy()):
        one = {
            key: refutations[key].to_numpy()[i]
            for key in (*_CHECK, "cure", "figure")
            if key in refutations
        }
        status = str(one["status"])
        if status not in _LIGHTS:
            raise OutcomesError(
                f"status {quoted(status)} of the check {quoted(str(name))} is not one "
                f"of {', '.join(map(quoted, _LIGHTS))}; give the checks of cg.refute"
            )
        rows.append(
            {
                "name": str(name),
                "sign": _LIGHTS[status],
                "value": check_value(one["value"], str(one.get("figure", "")), _short),
                "threshold": _short(one["threshold"]),
                **{
                    key: str(one.get(key, ""))
                    for key in ("status", "reason", "cure", "figure")
                },
            }
        )
    rows.sort(key=lambda row: list(_LIGHTS).index(row["status"]))
    left_out = refutations.attrs.get("not_applicable")
    doubts += (
        [f"Does not apply: {line}." for line in str(left_out).rstrip(".").split("\n")]
        if left_out
        else []
    )
    return {
        "checks": rows,
        "lights": _count(refutations["status"].to_numpy(), _LIGHTS),
        "doubts": doubts,
    }


def _short(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return (
            f"{value:.3g}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else ""
        )
    return str(value)


def _convergence(result: xr.Dataset, diagnostics: xr.Dataset | None) -> list[str]:
    """Return how the numbers were computed, and whether draws have converged."""
    attrs = result.attrs
    if diagnostics is not None:
        missing = {"rhat_max", "ess_bulk_min", "ess_tail_min", "divergences"} - set(
            diagnostics.attrs
        )
        if missing:
            raise OutcomesError(
                f"the diagnostics have no {', '.join(sorted(missing))}; give "
                "posterior['diagnostics'] of cg.infer"
            )
        from causalgia.posterior.posterior_tree import convergence_failures

        at = diagnostics.attrs
        lines = [
            f"Draws: largest R-hat {at['rhat_max']:.4g} (limit 1.01), smallest "
            f"effective sample size {at['ess_bulk_min']:,.0f} in the bulk and "
            f"{at['ess_tail_min']:,.0f} in the tails (limit 400), "
            f"{at['divergences']:,} divergent transitions."
        ]
        failed = convergence_failures(diagnostics)
        return (
            [*lines, *(f"Not converged: {line}." for line in failed)]
            if failed
            else [*lines, "They have converged."]
        )
    if attrs.get("error") == "posterior":
        engine = attrs.get("engine")
        if engine == "exact":
            return [
                "The posterior was computed by quadrature with independent draws: "
                "there is no chain to converge."
            ]
        return [
            f"The posterior was sampled{f' by {engine}' if engine else ''}; its "
            "diagnostics are not part of this result: keep the draws (--keep-draws, or "
            "cg.infer) to show them."
        ]
    if "ace" in result:
        return [
            "Estimates have a closed form; nothing was sampled, so there is no chain "
            "to converge."
        ]
    return ["Nothing has been estimated."]


def _provenance(attrs: Mapping[Any, Any]) -> list[tuple[str, str]]:
    first = ("causalgia", "python", "numpy", "rng", *_FINGERPRINTS)
    short = {
        str(name): str(value)
        for name, value in attrs.items()
        if len(str(value)) <= _LONG and name not in _TOLD
    }
    order = [name for name in first if name in short] + [
        name for name in short if name not in first
    ]
    return [(name.replace("_", " "), short[name]) for name in order if short[name]]

"""A result as one self-contained HTML page: the finding, the effects, the checks and
the provenance.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.attributes import about, has, of_sequences
from causalgia.choices import VERDICTS
from causalgia.effect_table import has_positions, select_tasks, tasks_in_table
from causalgia.errors import DataError, printable, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import not_written, parse_json
from causalgia.notes import notes_of
from causalgia.tell._methods import methods
from causalgia.tell._trial_report import (
    check_same_trial,
    scale_text,
    sentences,
    task_contrast_text,
)
from causalgia.tell.answer_sentences import cut, in_words
from causalgia.tell.answers import (
    AnswerParts,
    all_lines,
    answer_parts,
)
from causalgia.tell.effect_rows import as_reportable
from causalgia.tell.figures.style import letters_wide, shortened
from causalgia.tell.foot import arm_lines, sentences_on_tasks
from causalgia.tell.page_pictures import (
    Figure,
    Picture,
    bench_pictures,
    finding_figure,
    outcome_pictures,
    saved_picture,
    screen_pictures,
)
from causalgia.tell.table_formats import NAMES, with_minus
from causalgia.tell.verdict_sentences import (
    CHANGED_OUTCOMES,
    check_value,
    is_decided,
)

if TYPE_CHECKING:
    from markupsafe import Markup

    from causalgia.experiments import Answer

_TABLE_ROWS = 20_000
_ON_FIRST_SCREEN = 1_000  # letters of an answer
_MOST_LINES = 200  # of a fold
_FIRST_ROWS = 40
_LONGEST_NAME = 60.0
_LIGHTS = {"fail": "✗", "warn": "!", "pass": "✓"}
_FINGERPRINTS = (
    "design_fingerprint",
    "null_fingerprint",
    "predictor_fingerprint",
    "analysis_fingerprint",
    "protocol",
)
_TOLD = {
    "exploratory",
    "notes",
    "caution",
    "answer",
    "details",
    "question",
    "estimand",
}
_LONG_VALUE = 200
_LINE_LETTERS = 2_000
_VALUE_LETTERS = 50_000
# words of these scripts, with what stands between them
_RIGHT_TO_LEFT_LETTERS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_BETWEEN = "\u0300-\u036f \u2026'.-"
_RIGHT_TO_LEFT = re.compile(
    f"[{_RIGHT_TO_LEFT_LETTERS}](?:[{_RIGHT_TO_LEFT_LETTERS}{_BETWEEN}]*[{_RIGHT_TO_LEFT_LETTERS}\u2026])?"
)
_HISTORY = "Exploratory, chosen after the outcomes were seen: "
_CHECK = ("value", "threshold", "status", "reason")
ELEMENTS = {"contrast": "element", "task": "contrast"}
"""Headings of effects on elements, which are contrasts of a trial on arms."""


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
    question, sentences, details
        Question and answer of an experiment, in sentences; and what else it found.
    about
        What else is known of the method, in sentences.
    outcomes
        Outcomes or effects of single units, for their distributions.
    refutations
        Checks of the claim: ``value, threshold, status, reason (check)``.
    figures
        The figures of an experiment, already drawn: caption -> PNG.
    headings
        Column of the table -> its heading, where that is another word.
    saved
        Further pictures already drawn: caption -> PNG.
    laid_out
        An answer that is laid out already, whose table, foot and notes the page has in
        place of those of the effects.
    """

    result: xr.Dataset
    text: str = ""
    answer: Answer | None = None
    question: str = ""
    sentences: Sequence[str] = ()
    details: Sequence[str] = ()
    about: Sequence[str] = ()
    outcomes: xr.Dataset | None = None
    refutations: xr.Dataset | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    saved: Mapping[str, bytes] = field(default_factory=dict)
    laid_out: AnswerParts | None = None


def write_page(
    path: Path, parts: PageParts, *, task: str | Sequence[str] | None = None
) -> Path:
    """Write a page, and return its path.

    Raises
    ------
    DataError
        If the page cannot be written, or the refutations are none.
    EstimateError
        If there is no such task.
    """
    html = _render(_page(parts, task))
    try:
        path.write_text(html, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise not_written(path, error, DataError) from error
    return path


def _render(context: dict[str, Any]) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("causalgia.tell") / "page"
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
    environment.filters["isolated"] = isolated
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
    laid_out = parts.laid_out
    has_effects = "ace" in parts.result and not (curves or parts.text or laid_out)
    of_checks = {"check", *_CHECK} <= set(parts.result.variables)
    if has_effects:
        parts = _with_fit(parts)
        parts = replace(parts, result=as_reportable(parts.result))
    parts = parts if task is None else _of_tasks(parts, task)
    result = parts.result
    outcomes = parts.result if parts.outcomes is None else parts.outcomes
    context: dict[str, Any] = {
        "version": causalgia.__version__,
        "title": _title(result, parts),
        "convergence": _computed(result),
        "provenance": _provenance(result.attrs),
        "long_provenance": [
            (name, _cut(str(value), _VALUE_LETTERS))
            for name, value in result.attrs.items()
            if len(str(value)) > _LONG_VALUE and name not in _TOLD
        ],
    }
    if has_effects:
        context |= _of_effects(result, outcomes, parts)
    elif laid_out is not None:
        context |= _of_answer(parts, laid_out)
    else:
        context |= _of_text(outcomes, parts)
    sentences_of_page = (*context["foot"], *context["notes"])
    context["beforehand"] = _beforehand(result.attrs, sentences_of_page)
    return context | _checks(
        parts.refutations if parts.refutations is not None or not of_checks else result,
        result,
        sentences_of_page,
    )


def _with_fit(parts: PageParts) -> PageParts:
    """Return the parts with what the report of a fit says: on the effects as sentences
    of the answer, on the fit as notes.
    """
    if parts.sentences or not {"n_barcodes", "weight"} <= set(parts.result.variables):
        return parts
    from causalgia.mpra.text_reports import fit_parts, fit_question

    fit = fit_parts(parts.result)
    return replace(
        parts,
        question=parts.question or fit_question(parts.result),
        sentences=fit.sentences,
        about=(*fit.foot, *fit.notes, *parts.about),
        headings=ELEMENTS,
    )


def _of_effects(
    effects: xr.Dataset, outcomes: xr.Dataset, parts: PageParts
) -> dict[str, Any]:
    """Return what a page of estimates or decisions shows."""
    noted_lines = answer_parts(
        effects,
        answer=parts.sentences or None,
        details=parts.details,
        every="All rows",
        noted="under Method",
    )
    figure = finding_figure(
        effects,
        contrasts=noted_lines.contrasts,
        answer=parts.answer,
        saved=parts.figures,
    )
    found = methods(effects)
    first, more = _first_sentences(noted_lines.sentences)
    foot = list(noted_lines.foot)
    if not is_decided(effects):
        foot.append(
            "These are estimates without verdicts: cg.decide(estimates, rope=...) says "
            "which effects are large enough to matter."
        )
    pictures = [saved_picture(caption, png) for caption, png in parts.saved.items()]
    pictures += screen_pictures(effects)
    pictures += outcome_pictures(outcomes, effects=effects)
    return {
        "question": parts.question or _question(effects),
        "answer": [_cut(line) for line in first],
        "more_answer": [_cut(line) for line in (*more, *noted_lines.further)],
        "text": "",
        "foot": [_cut(line) for line in foot],
        "notes": [_cut(line) for line in (*parts.about, *noted_lines.notes)],
        "arms": _counted(arm_lines(effects), "cg.report(x, arms=True)"),
        "each": _counted(_each(effects, noted_lines), "cg.report(x, sentences=True)"),
        "figure": figure,
        "pictures": pictures,
        "methods": _cut(found.methods.replace(_HISTORY, _HISTORY[13:].capitalize())),
        "works": [str(work) for work in found.works],
        "bibtex": found.bibtex,
        **_table(effects, noted_lines, parts.headings),
    }


def _of_answer(parts: PageParts, laid_out: AnswerParts) -> dict[str, Any]:
    """Return what a page shows of an answer that is laid out already."""
    found = methods(parts.result)
    first, more = _first_sentences(laid_out.sentences)
    own = [saved_picture(caption, png) for caption, png in parts.figures.items()]
    named = [name not in laid_out.words for name in laid_out.header]
    lines = [
        [
            with_minus(cell) if number else _name(cell)
            for number, cell in zip(named, line, strict=True)
        ]
        for line in laid_out.lines
    ]
    table = (
        _shown_table(
            laid_out.header,
            named,
            lines,
            lines,
            [laid_out.left_out] * bool(laid_out.left_out),
        )
        if lines
        else {}
    )
    return _NO_TABLE | {
        "question": parts.question,
        "answer": [_cut(line) for line in first],
        "more_answer": [_cut(line) for line in more],
        "text": "",
        "foot": [_cut(line) for line in (*parts.details, *laid_out.foot)],
        "notes": [_cut(line) for line in (*parts.about, *laid_out.notes)],
        "arms": _counted(laid_out.arms, "cg.report(x, arms=True)"),
        "each": _counted(laid_out.each, "cg.report(x, sentences=True)"),
        "figure": _one_figure(own),
        "methods": _cut(found.methods.replace(_HISTORY, _HISTORY[13:].capitalize())),
        "works": [str(work) for work in found.works],
        "bibtex": found.bibtex,
        **table,
    }


def has_no_estimate(parts: PageParts) -> bool:
    """Return whether a page is about outcomes or individual effects alone."""
    return "outcome" in parts.result or "ice" in parts.result


def _of_text(outcomes: xr.Dataset, parts: PageParts) -> dict[str, Any]:
    """Return what a page shows of a result that is a text: outcomes, a curve, a result
    of the bench.
    """
    before = has_no_estimate(parts)
    about, *found = parts.text.split("\n\n")
    if before:
        answer = [
            "No effect has been estimated yet: cg.analyze(outcomes, rng=0), or "
            "causalgia analyze DIR, does that. Below is what was run."
        ]
        rest = parts.text
    elif has_positions(parts.result):
        answer, rest = [about], "\n\n".join(found)
    elif "tipping_shift" in parts.result:
        answer = found[:1]  # what it is of, then
        rest = "\n\n".join([about, *found[1:]])
    else:
        answer, rest = [], parts.text
    pictures = [saved_picture(caption, png) for caption, png in parts.saved.items()]
    pictures += bench_pictures(parts.result)
    pictures += outcome_pictures(outcomes, effects=None)
    own = [saved_picture(caption, png) for caption, png in parts.figures.items()]
    return _NO_TABLE | {
        "question": parts.question if parts.question != _title(outcomes, parts) else "",
        "answer": [line for block in answer for line in block.split("\n")],
        "text": rest,
        "figure": _one_figure([*own, *pictures]),
    }


def _one_figure(pictures: Sequence[Picture]) -> Figure | None:
    """Return one figure of pictures, each under its caption if there are several."""
    if not pictures:
        return None
    return Figure(tuple(pictures), captions=True)


def _first_sentences(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the sentences of an answer that have room on the first screen, and the
    others.
    """
    first: list[str] = []
    letters = 0
    for line in lines:
        letters += len(line)
        if first and letters > _ON_FIRST_SCREEN:
            break
        first.append(line)
    return first, list(lines[len(first) :])


def _question(effects: xr.Dataset) -> str:
    """Return the question that a trial answers, in a sentence."""
    names = list(dict.fromkeys(map(str, _named(effects)["contrast"].to_numpy())))
    attrs, decided = effects.attrs, is_decided(effects)
    tasks = tasks_in_table(effects)
    where = task_contrast_text(effects)[0].removeprefix(", ")
    if not where and tasks != ["effect"]:
        short = len(tasks) == 1 or len("".join(tasks)) <= _LONGEST_NAME
        where = in_words(tasks) if short else f"{len(tasks):,} tasks"
    where = f" in {where}" if where else ""
    known = about(attrs, None).contrast_scale or about(attrs, None).scale
    on = f" on {cut(scale_text(attrs))}" if known else ""
    than = (
        f", compared with {cut(about(attrs).control)}"
        if about(attrs, None).control
        else ""
    )
    if not has(attrs).control:
        if len(names) == 1:
            return f"How large is the effect of {cut(names[0])}{on}{where}?"
        if decided:
            return f"Which of {len(names):,} effects{on}{where} are large enough to matter?"
        return f"How large are {len(names):,} effects{on}{where}?"
    changed = f" {cut(scale_text(attrs))}" if known else " the outcome"
    if len(names) == 1:
        verb = "Does" if decided else "How much does"
        return f"{verb} {cut(names[0])} change{changed}{where}{than}?"
    some = "Which of" if decided else "How much do"
    return f"{some} {len(names):,} arms change{changed}{where}{than}?"


def _each(effects: xr.Dataset, noted_lines: AnswerParts) -> list[str]:
    """Return a sentence for each effect in the table, and for the placebos."""
    names = effects["contrast"].to_numpy().astype(str)
    keep = np.isin(names, noted_lines.contrasts) | is_placebo(effects)
    shown = effects.isel(contrast=np.flatnonzero(keep))
    shown.attrs = {k: v for k, v in effects.attrs.items() if k != "exploratory"}
    return sentences(shown, every=True)


def _counted(lines: Sequence[str], every: str) -> list[str]:
    """Return the lines of a fold, and how to see what is left out of a long one."""
    left = len(lines) - _MOST_LINES
    shown = [_cut(line) for line in lines[:_MOST_LINES]]
    return [*shown, f"And {left:,} more: {every} prints all."] if left > 0 else shown


def _of_tasks(parts: PageParts, task: str | Sequence[str]) -> PageParts:
    """Return the parts of a page with these tasks alone; outcomes of none of them are
    those that a task is made of.
    """
    result = select_tasks(parts.result, task, place="report: ")
    shown, outcomes = tasks_in_table(result), parts.outcomes
    if outcomes is not None:
        there = [name for name in tasks_in_table(outcomes) if name in shown]
        outcomes = select_tasks(outcomes, there or None)
    return replace(
        parts,
        result=result,
        outcomes=outcomes,
        sentences=sentences_on_tasks(parts.sentences, shown),
        details=sentences_on_tasks(parts.details, shown),
    )


def _cut(text: str, most: int = _LINE_LETTERS) -> str:
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


def _title(result: xr.Dataset, parts: PageParts) -> str:
    attrs = result.attrs
    name = about(attrs, None).name or (
        about(attrs, None).experiment
        if isinstance(about(attrs, None).experiment, str)
        else ""
    )
    on = about(attrs, None).effect_on or about(attrs, None).predictor or ""
    if name:
        return f"{name}: effects on {on}" if on else str(name)
    if "ace" not in result and parts.text:
        if parts.question and "outcome" not in result:
            return parts.question
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
        if not has(attrs).predictor_fingerprint
        else "Effects on a predictor"
    )


def _named(effects: xr.Dataset) -> xr.Dataset:
    """Return the effects without those of fixed placebos."""
    return effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))


def _count(found: Iterable[Any], names: Iterable[str]) -> list[tuple[str, str]]:
    counts = Counter(map(str, found))
    return [(name, f"{counts[name]:,}") for name in names if counts[name]]


def _beforehand(
    attrs: Mapping[Any, Any], sentences_of_page: Sequence[str]
) -> list[str]:
    """Return what was fixed before the outcomes were seen, without what the page has
    said.
    """
    lines = []
    if about(attrs, None).protocol:
        lines.append(
            f"A protocol was locked before the trial: {about(attrs).protocol}."
        )
        lines += [CHANGED_OUTCOMES] if about(attrs, None).protocol_changed else []
    else:
        lines.append("No locked protocol is recorded.")
    if about(attrs, None).analysis:
        lines.append(f"Analysis: {_analysis_in_words(about(attrs).analysis)}.")
    if not about(attrs, None).exploratory and about(attrs, None).analysis:
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
    printed = " ".join(sentences_of_page)
    return [
        line
        for line in lines
        if line not in printed and f"{line.split(': ')[0]}: " not in printed
    ]


def _analysis_in_words(text: str) -> str:
    """Return the settings of a stored analysis, of many contrasts their number;
    provenance has them in full.
    """
    settings = parse_json(text, DataError, source="attrs['analysis']")
    if not isinstance(settings, dict):
        return _cut(text)
    words = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
    if len(words.get("contrasts", "")) > _LONG_VALUE:
        words["contrasts"] = f"{len(settings['contrasts']):,}, in full under Provenance"
    return _cut(
        "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in words.items())
    )


def _table(
    effects: xr.Dataset, noted_lines: AnswerParts, headings: Mapping[str, str]
) -> dict[str, Any]:
    """Return the lines of the report as they are shown at first, and every line as
    compact JSON for the button "All rows".
    """
    names, lines = all_lines(effects)
    numeric = [name not in NAMES for name in names]

    def printed(lines: Sequence[Sequence[str]]) -> list[list[str]]:
        return [
            [
                with_minus(cell) if number else _name(cell)
                for number, cell in zip(numeric, line, strict=True)
            ]
            for line in lines
        ]

    few = noted_lines.lines[:_FIRST_ROWS]
    cells_of = (dict(zip(noted_lines.header, line, strict=True)) for line in few)
    shown = printed([[cell.get(name, "") for name in names] for cell in cells_of])
    n, left = len(lines), len(noted_lines.lines) - len(few)
    notes = [f"{left:,} rows of these contrasts are not shown."] if left else []
    notes += [noted_lines.left_out] if noted_lines.left_out else []
    words = [i for i, number in enumerate(numeric) if not number]
    if any(letters_wide(line[i]) > _LONGEST_NAME for line in lines for i in words):
        notes.append("Long names are cut (…); cg.tidy has them in full.")
    if n > _TABLE_ROWS:
        lines = lines[:_TABLE_ROWS]
        notes.append(
            f"All rows are the first {_TABLE_ROWS:,} of {n:,}; cg.tidy has every one."
        )
    columns = [headings.get(name, name) for name in names]
    return _shown_table(columns, numeric, shown, printed(lines), notes)


def _shown_table(
    names: Sequence[str],
    numeric: Sequence[bool],
    shown: list[list[str]],
    every: list[list[str]],
    notes: list[str],
) -> dict[str, Any]:
    """Return a table as the template takes it: the rows that are shown at first, and
    every row as compact JSON.
    """
    from markupsafe import Markup

    plain: dict[str, Any] = {
        "columns": [printable(name) for name in names],
        "numeric": numeric,
        "rows": every,
    }
    if every != shown:
        plain["first"] = shown
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    there = {line[names.index("verdict")] for line in every if "verdict" in names}
    return {
        "columns": list(names),
        "numeric": numeric,
        "shown": shown,
        "n_rows": len(every),
        "all_shown": every == shown,
        "rows": Markup(text),
        "verdicts": [
            verdict
            for verdict in VERDICTS
            if any(cell.startswith(verdict) for cell in there)
        ],
        "table_notes": notes,
    }


def _name(text: str) -> str:
    """Return a name of a table, of a long one the beginning and the end."""
    if letters_wide(text) > _LONGEST_NAME:
        return shortened(text, _LONGEST_NAME)
    return printable(text)


def isolated(text: str) -> Markup:
    """Return a text whose words in right-to-left scripts do not turn around the numbers
    beside them.

    Examples
    --------
    >>> str(isolated("<b> أب جد: 1.5 [1, 2]")).count("<bdi>")
    1
    """
    from markupsafe import Markup, escape

    return Markup(_RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(printable(text)))))


_NO_TABLE: dict[str, Any] = {
    "columns": [],
    "numeric": [],
    "shown": [],
    "n_rows": 0,
    "all_shown": True,
    "rows": "",
    "verdicts": [],
    "table_notes": [],
    "more_answer": [],
    "foot": [],
    "notes": [],
    "arms": [],
    "each": [],
    "pictures": [],
    "methods": "",
    "works": [],
    "bibtex": "",
}


def _checks(
    refutations: xr.Dataset | None,
    result: xr.Dataset,
    sentences_of_page: Sequence[str],
) -> dict[str, Any]:
    """Return the checks as rows, the failed ones first, and what else speaks against
    the finding, without what the page has said.
    """
    doubts: list[str] = []
    if caution := str(about(result, None).caution or ""):
        line = f"Caution: {_cut(caution)}."
        doubts += [line] if line not in " ".join(sentences_of_page) else []
    if not sentences_of_page:  # a result without effects has no place for its notes
        doubts += [
            f"Note: {note[:1].upper()}{note[1:].rstrip('.')}."
            for note in notes_of(result)
        ]
    if refutations is None:
        doubts.append(
            "These effects are of a table, which does not say how units came to their "
            "arms: they are causal where that was at random."
            if "ace" in result and not of_sequences(result)
            else "No checks were given: cg.refute(outcomes, predictor, rng=0), or "
            "causalgia refute, runs those of a claim."
        )
        return {"checks": [], "lights": [], "doubts": doubts}
    if not isinstance(refutations, xr.Dataset) or not {"check", *_CHECK} <= set(
        refutations.variables
    ):
        raise DataError(
            f"refutations= are not checks, which have check, {', '.join(_CHECK)}; "
            "give those of cg.refute"
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
            raise DataError(
                f"status {quoted(status)} of the check {quoted(str(name))} is not one "
                f"of {', '.join(map(quoted, _LIGHTS))}; give the checks of "
                "cg.refute"
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
    left_out = about(refutations, None).not_applicable
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


def _computed(result: xr.Dataset) -> list[str]:
    """Return how the numbers were computed."""
    if "ace" not in result:
        return []
    return [
        "Estimates have a closed form; nothing was sampled, so there is no chain to "
        "converge."
    ]


def _provenance(attrs: Mapping[Any, Any]) -> list[tuple[str, str]]:
    first = ("causalgia", "python", "numpy", "rng", *_FINGERPRINTS)
    short = {
        str(name): str(value)
        for name, value in attrs.items()
        if len(str(value)) <= _LONG_VALUE and name not in _TOLD
    }
    order = [name for name in first if name in short] + [
        name for name in short if name not in first
    ]
    return [(name.replace("_", " "), short[name]) for name in order if short[name]]

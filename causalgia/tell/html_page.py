"""A result as one self-contained HTML page: the finding, what could be wrong, and
folded how it was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from causalgia.attributes import about, has, of_sequences
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.errors import DataError, printable, quoted, type_in_words
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import not_written, parse_json
from causalgia.notes import notes_of
from causalgia.tell._methods import paragraph_of
from causalgia.tell._trial_report import (
    check_same_trial,
    scale_text,
    task_contrast_text,
)
from causalgia.tell.answer_kinds import (
    KINDS,
    Asked,
    Told,
    is_before_estimates,
    is_curve,
    told,
)
from causalgia.tell.answer_sentences import in_words
from causalgia.tell.answers import AnswerParts, answer_parts
from causalgia.tell.citations import works
from causalgia.tell.effect_rows import as_reportable, readable
from causalgia.tell.folded_text import cut
from causalgia.tell.page_pictures import (
    Figure,
    Picture,
    bench_pictures,
    finding_figure,
    outcome_pictures,
    saved_picture,
    screen_pictures,
)
from causalgia.tell.small_answers import refutation_parts
from causalgia.tell.table_formats import NAMES, with_minus
from causalgia.tell.verdict_sentences import CHANGED_OUTCOMES, is_decided

if TYPE_CHECKING:
    from markupsafe import Markup

    from causalgia.experiments import Answer

_MOST_ROWS, _FIRST_ROWS = 20_000, 40
_LONGEST_TASKS, _LONG_SETTING = 60, 100
_IN_FULL = "in full under Provenance"
_FIRST_OF_PROVENANCE = (
    *("causalgia", "python", "numpy", "rng"),
    *("design_fingerprint", "null_fingerprint", "predictor_fingerprint"),
    *("analysis_fingerprint", "protocol"),
)
_SAID_ELSEWHERE = {
    *("exploratory", "notes", "caution", "answer", "details", "question", "estimand"),
}
# words of these scripts, with what stands between them
_LETTERS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_RIGHT_TO_LEFT = re.compile(
    f"[{_LETTERS}](?:[{_LETTERS}\u0300-\u036f \u2026'.-]*[{_LETTERS}\u2026])?"
)
ELEMENTS = {"contrast": "element", "task": "contrast"}
"""Headings of effects on elements, which are contrasts of a trial on arms."""


@dataclass(frozen=True, kw_only=True)
class PageParts:
    """What a page is made from: a result, and what else is known of its trial.

    Attributes
    ----------
    result
        The Dataset whose attributes and figure the page has.
    answer
        The answer of an experiment, whose figure is drawn.
    question, sentences, details
        Question and answer of an experiment, in sentences; and what else it found.
    about
        What else is known of the method, in sentences.
    outcomes, refutations
        Outcomes or effects of single units, and checks of the claim.
    figures, saved
        The figures of an experiment and further ones, already drawn: caption -> PNG.
    headings
        Column of the table -> its heading, where that is another word.
    """

    result: xr.Dataset
    answer: Answer | None = None
    question: str = ""
    sentences: Sequence[str] = ()
    details: Sequence[str] = ()
    about: Sequence[str] = ()
    outcomes: xr.Dataset | None = None
    refutations: xr.Dataset | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    saved: Mapping[str, bytes] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_effects(self) -> bool:
        """Whether the page has a table of estimates or decisions."""
        return "ace" in self.result and not is_curve(self.result)


def parts_of(
    x: Any,
    *,
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
) -> PageParts:
    """Return the parts of a page of a result."""
    if outcomes is not None and not is_before_estimates(outcomes):
        raise DataError("outcomes= has no outcomes of cg.run or cg.from_frame")
    more: dict[str, Any] = {"outcomes": outcomes, "refutations": refutations}
    if hasattr(x, "decisions"):
        more |= {
            name: getattr(x, name) for name in ("question", "sentences", "details")
        }
        return PageParts(result=x.decisions, answer=x, **more)
    result = readable(x)
    if not isinstance(result, xr.Dataset):
        raise DataError(f"there is no page of {type_in_words(x)}; print its report")
    return PageParts(result=result, **more)


def write_page(
    path: Path, parts: PageParts, *, task: str | Sequence[str] | None = None
) -> Path:
    """Write a page, and return its path."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"path={quoted(str(path))}: a page ends in .html")
    return write_html(path, render(_page(parts, task)))


def write_html(path: Path, html: str) -> Path:
    """Write a page, and return its path."""
    try:
        path.write_text(html, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise not_written(path, error, DataError) from error
    return path


@dataclass
class _Table:
    """A table: the rows that are shown at first, and every row as JSON."""

    columns: list[str]
    numeric: list[bool]
    shown: list[list[str]]
    every: list[list[str]]
    notes: list[str]

    @property
    def rows(self) -> Markup:
        """Every row as JSON that no markup ends."""
        from markupsafe import Markup

        plain: dict[str, Any] = {
            "columns": [printable(name) for name in self.columns],
            "numeric": self.numeric,
            "rows": self.every,
        }
        plain |= {} if self.every == self.shown else {"first": self.shown}
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        for letter in "<>&\u2028\u2029":
            text = text.replace(letter, f"\\u{ord(letter):04x}")
        return Markup(text)


def render(page: dict[str, Any], template: str = "page.html.jinja") -> str:
    """Return a page as text: a template with the style and the script of all."""
    from jinja2 import Environment, FunctionLoader
    from markupsafe import Markup

    import causalgia

    folder = resources.files("causalgia.tell") / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    script = read("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        loader=FunctionLoader(read),
    )
    environment.filters["isolated"] = isolated
    return environment.get_template(template).render(
        **page,
        version=causalgia.__version__,
        style=Markup(read("page.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _page(parts: PageParts, task: str | Sequence[str] | None) -> dict[str, Any]:
    """Return what the template shows."""
    from markupsafe import Markup

    if parts.has_effects:
        parts = _with_fit(parts)
        parts = replace(parts, result=as_reportable(parts.result))
    for name in ("outcomes", "refutations"):
        check_same_trial(name, getattr(parts, name), parts.result)
    said, every = said_of(parts, task)
    whole = parts.result
    parts = parts if task is None else _of_tasks(parts, task)
    result, attrs = parts.result, parts.result.attrs
    effects = (
        as_reportable(result) if "ace" in result and not is_curve(result) else None
    )
    of_answer = said if isinstance(said, AnswerParts) else None
    page: dict[str, Any] = {
        "title": _title(whole),
        "question": parts.question or ("" if effects is None else _question(effects)),
        "said": of_answer,
        "table": of_answer and _table(of_answer, every, parts.headings),
        "text": "" if of_answer else Markup(said.html()),  # its names are escaped
        "about": parts.about,
        "before_estimates": is_before_estimates(result),
        "without_verdicts": parts.has_effects and not is_decided(result),
        "beforehand": _beforehand(attrs),
        "doubts": _doubts(parts, result, said=of_answer is not None),
        "provenance": _provenance(attrs),
    }
    page["figure"], page["pictures"] = _pictures(parts, said)
    if effects is not None:
        page |= {"methods": paragraph_of(effects), "works": works(effects)}
    if parts.refutations is not None:
        found = refutation_parts(parts.refutations, requested=("each", "notes"))
        skipped = found.notes if has(parts.refutations).not_applicable else ()
        page |= {"checks": _table(found, found, {}), "checked": found.sentences}
        page["reasons"] = (*found.each, *skipped)
    return page


def said_of(
    parts: PageParts, task: str | Sequence[str] | None, *, in_print: bool = False
) -> tuple[Told, AnswerParts | None]:
    """Return what a page or a print says, and the same with every row of a table."""
    if not parts.has_effects:
        said = told(parts.result, Asked(task=task, notes=not in_print))
        every = told(parts.result, Asked(rows="all", task=task))
        return said, every if isinstance(every, AnswerParts) else None
    of: dict[str, Any] = {"answer": parts.sentences or None, "details": parts.details}
    of |= {"task": task, "every": "All rows", "noted": "under Method"}
    if in_print:
        return answer_parts(parts.result, **of | {"every": "--all", "noted": ""}), None
    return (
        answer_parts(parts.result, requested=("arms", "each"), **of),
        answer_parts(parts.result, rows="all", **of),
    )


def _with_fit(parts: PageParts) -> PageParts:
    """Return the parts with what the report of a fit says of its effects."""
    if parts.sentences or not {"n_barcodes", "weight"} <= set(parts.result.variables):
        return parts
    from causalgia.tell.bench_answers import fit_parts, fit_question

    fit = fit_parts(parts.result)
    return replace(
        parts,
        question=parts.question or fit_question(parts.result),
        sentences=fit.sentences,
        about=(*fit.foot, *fit.notes, *parts.about),
        headings=ELEMENTS,
    )


def _of_tasks(parts: PageParts, task: str | Sequence[str]) -> PageParts:
    """Return the parts with these tasks alone; outcomes of none of them are those that
    a task is made of.
    """
    result, outcomes = (
        select_tasks(parts.result, task, place="report: "),
        parts.outcomes,
    )
    if outcomes is not None:
        of_both = [x for x in tasks_in_table(outcomes) if x in tasks_in_table(result)]
        outcomes = select_tasks(outcomes, of_both or None)
    one = result.sizes.get("task") == parts.result.sizes.get("task")
    figures = parts.figures if one else {}  # they do not say of which task they are
    return replace(parts, result=result, outcomes=outcomes, figures=figures)


def _pictures(parts: PageParts, said: Told) -> tuple[Figure | None, list[Picture]]:
    """Return the figure of the finding, and those that are folded."""
    result = parts.result
    outcomes = result if parts.outcomes is None else parts.outcomes
    more = [saved_picture(caption, png) for caption, png in parts.saved.items()]
    if parts.has_effects and isinstance(said, AnswerParts):
        figure = finding_figure(
            result,
            contrasts=said.contrasts,
            answer=parts.answer,
            saved=parts.figures,
        )
        more += screen_pictures(result)
        return figure, [*more, *outcome_pictures(outcomes, effects=result)]
    own = [saved_picture(caption, png) for caption, png in parts.figures.items()]
    own += [*more, *bench_pictures(result)]
    own += outcome_pictures(outcomes, effects=None)
    return Figure(tuple(own), captions=True) if own else None, []


def _table(
    said: AnswerParts, every: AnswerParts | None, headings: Mapping[str, str]
) -> _Table | None:
    """Return the table: the first rows of the report, and every row."""
    whole = every or said
    if not said.lines:
        return None
    numeric = [name not in (*NAMES, *whole.words) for name in whole.header]

    def printed(
        header: Sequence[str], lines: Sequence[Sequence[str]]
    ) -> list[list[str]]:
        cells = (dict(zip(header, line, strict=True)) for line in lines)
        return [
            [
                with_minus(line.get(name, ""))
                if number
                else printable(line.get(name, ""))
                for name, number in zip(whole.header, numeric, strict=True)
            ]
            for line in cells
        ]

    left, n = len(said.lines) - _FIRST_ROWS, len(whole.lines)
    notes = [f"{left:,} rows of these contrasts are not shown."] if left > 0 else []
    notes += [said.left_out] if said.left_out else []
    if n > _MOST_ROWS:
        notes.append(
            f"All rows are the first {_MOST_ROWS:,} of {n:,}; cg.tidy has every one."
        )
    return _Table(
        [headings.get(name, name) for name in whole.header],
        numeric,
        printed(said.header, said.lines[:_FIRST_ROWS]),
        printed(whole.header, whole.lines[:_MOST_ROWS]),
        notes,
    )


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


def _title(result: xr.Dataset) -> str:
    """Return the name of the trial, or what the result is."""
    here = about(result, None)
    name = here.name or here.experiment
    if isinstance(name, str) and name:
        return name
    what = next((kind.what for kind in KINDS if kind.known(result)), "results")
    return f"{what[0].upper()}{what[1:]}"


def _question(effects: xr.Dataset) -> str:
    """Return the question that a trial answers, in a sentence."""
    here = about(effects, None)
    named = effects["contrast"].to_numpy()[~is_placebo(effects)].astype(str)
    tasks = tasks_in_table(effects)
    where = task_contrast_text(effects)[0].removeprefix(", ")
    if not where and tasks != ["effect"]:
        where = in_words(tasks)
        where = f"{len(tasks):,} tasks" if len(where) > _LONGEST_TASKS else where
    known = here.contrast_scale or here.scale
    what = f"are the effects of {len(named):,} arms"
    if len(named) == 1:
        what = f"is the effect of {cut(named[0])}"
    on = f" on {cut(scale_text(effects.attrs)) if known else 'the outcome'}"
    than = f", compared with {cut(here.control)}" if here.control else ""
    return f"How large {what}{on}{f' in {where}' if where else ''}{than}?"


def _beforehand(attrs: Mapping[Any, Any]) -> list[str]:
    """Return what was fixed before the outcomes were seen."""
    here = about(attrs, None)
    of_network = bool(here.predictor_fingerprint)
    lines = ["No locked protocol is recorded."] * of_network
    if here.protocol:
        lines = [f"A protocol was locked before the trial: {here.protocol}."]
        lines += [CHANGED_OUTCOMES] if here.protocol_changed else []
    if here.analysis:
        settings = parse_json(here.analysis, DataError, source="attrs['analysis']")
        shown = (
            f"{name}: {value if len(str(value)) <= _LONG_SETTING else _IN_FULL}"
            for name, value in settings.items()
        )
        lines.append(f"Analysis: {'; '.join(shown)}.")
        lines += [] if here.exploratory else ["No deviation from it is recorded."]
    return [*lines, *([f"Reserved: {here.reserved}."] if here.reserved else [])]


def _doubts(parts: PageParts, result: xr.Dataset, *, said: bool) -> list[str]:
    """Return what speaks against the finding besides the checks; a result without a
    table has no other place for its notes.
    """
    doubts = [] if said else [f"Note: {note.rstrip('.')}." for note in notes_of(result)]
    caution = about(result, None).caution
    if caution and not is_decided(result):  # the notes of verdicts have it
        doubts.append(f"Caution: {caution}.")
    if "ace" in result and not of_sequences(result):
        return [*doubts, _OF_A_TABLE]
    unchecked = parts.refutations is None and about(result, None).predictor_fingerprint
    return [*doubts, _NO_CHECKS] if unchecked else doubts


_OF_A_TABLE = (
    "These effects are of a table, which does not say how units came to their arms: they "
    "are causal where that was at random."
)
_NO_CHECKS = (
    "No checks were given: cg.refute(outcomes, predictor, rng=0), or causalgia refute, "
    "runs those of a claim."
)


def _text_of(name: str, value: object) -> str:
    """Return an attribute as text; of the file of a null model the name alone.

    Examples
    --------
    >>> _text_of("design", '{"null": {"of": "/home/me/a.fa"}, "arms": {"a/b/c": []}}')
    '{"null": {"of": "a.fa"}, "arms": {"a/b/c": []}}'
    """
    if name != "design":
        return str(value)
    design = parse_json(str(value), DataError, source="attrs['design']")
    null = design.get("null") if isinstance(design, dict) else None
    while isinstance(null, dict):  # that of matched variants is in the "of" of another
        if isinstance(of := null.get("of"), str):
            null["of"] = re.split(r"[/\\]", of)[-1]
        null = of
    return json.dumps(design, ensure_ascii=False)


def _provenance(attrs: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Return the attributes, without folders of the user."""
    order = [*(n for n in _FIRST_OF_PROVENANCE if n in attrs), *attrs]
    shown = {
        str(name).replace("_", " "): _text_of(str(name), attrs[name])
        for name in order
        if name not in _SAID_ELSEWHERE and str(attrs[name])
    }
    return list(shown.items())

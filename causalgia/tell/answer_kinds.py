"""What an answer is told from: one table, a row for each kind of result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple, TypeAlias

import xarray as xr

from causalgia.choices import Rows, requested_parts
from causalgia.effect_table import has_positions, select_tasks
from causalgia.errors import DataError, printable, quoted, type_in_words
from causalgia.notes import Statement
from causalgia.schema import keeps_effects, with_selected_dims
from causalgia.tell._trial_report import describe_outcomes
from causalgia.tell.activity_answers import activity_parts
from causalgia.tell.answers import AnswerParts, answer_parts
from causalgia.tell.audit_answers import audit_answer, audit_tables
from causalgia.tell.count_answers import describe_counts, quality_parts
from causalgia.tell.curve_answers import curve_parts
from causalgia.tell.effect_rows import is_posterior, readable
from causalgia.tell.small_answers import (
    OF_AGREEMENT,
    agreement_parts,
    is_size,
    moderation_parts,
    posterior_parts,
    refutation_parts,
    size_parts,
    tipping_parts,
)
from causalgia.tell.statements import said
from causalgia.tell.swap_answers import swap_parts
from causalgia.tell.table_formats import escaped


@dataclass(frozen=True)
class Asked:
    """What a reader asks for besides the answer."""

    rows: Rows = "summary"
    task: str | Sequence[str] | None = None
    order: Literal["size", "file"] = "size"
    arms: bool = False
    sentences: bool = False
    notes: bool = False
    in_print: bool = False

    @property
    def noted(self) -> str:
        """How the notes are asked for, where that is said."""
        return "" if self.in_print else "notes=True"

    @property
    def requested(self) -> tuple[str, ...]:
        """What is printed besides."""
        return requested_parts(
            arms=self.arms, sentences=self.sentences, notes=self.notes
        )

    @property
    def every(self) -> bool:
        """Whether each row is asked for."""
        return self.rows == "all"


@dataclass(frozen=True)
class Plain:
    """An answer without a table: text, the same in every rendering."""

    body: str

    def text(self) -> str:
        """Return it as text."""
        return printable(self.body)

    def html(self) -> str:
        """Return it as HTML."""
        from causalgia.inputs import as_html

        return f"<pre>{as_html(self.body)}</pre>"

    def markdown(self) -> str:
        """Return it as Markdown: a block that keeps its lines."""
        return "\n".join(f"    {line}".rstrip() for line in self.text().split("\n"))

    def latex(self) -> str:
        """Return it as LaTeX, a line for each of its own."""
        return escaped(self.text(), "latex").replace("\n", "\\\\\n")


@dataclass(frozen=True)
class Several:
    """Answers one after the other."""

    parts: tuple[AnswerParts | Plain, ...]

    def text(self) -> str:
        """Return them as text."""
        return "\n\n".join(part.text() for part in self.parts)

    def html(self) -> str:
        """Return them as HTML."""
        return "\n".join(part.html() for part in self.parts)

    def markdown(self) -> str:
        """Return them as Markdown."""
        return "\n\n".join(part.markdown() for part in self.parts)

    def latex(self) -> str:
        """Return them as LaTeX."""
        return "\n\n".join(part.latex() for part in self.parts)


Told: TypeAlias = AnswerParts | Plain | Several


class Kind(NamedTuple):
    """A kind of result: in words, how it is known, how it is told, whether by task."""

    what: str
    known: Callable[[Any], bool]
    tell: Callable[[Any, Asked], Told]
    by_task: bool = False


def _has(*names: str) -> Callable[[Any], bool]:
    wanted = frozenset(names)
    return lambda x: isinstance(x, xr.Dataset) and wanted <= set(x.variables)


def _is(name: str) -> Callable[[Any], bool]:
    return lambda x: any(kind.__name__ == name for kind in type(x).__mro__)


def _function(where: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return a function, or that of another room by its place."""
    if not isinstance(where, str):
        return where
    module, _, name = where.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"causalgia.{module}"), name)
    return found


def _text(where: str | Callable[..., Any]) -> Callable[[Any, Asked], Told]:
    """Return how a text is told by this function."""
    return lambda x, _: Plain(str(_function(where)(x)))


def _parts(
    where: str | Callable[..., Any], *passed: str, every: str = "every_row"
) -> Callable[[Any, Asked], Told]:
    """Return how an answer is told by this function, which takes these arguments."""

    def tell(x: Any, asked: Asked) -> Told:
        more = {name: getattr(asked, name) for name in passed} | {every: asked.every}
        parts: AnswerParts = _function(where)(x, requested=asked.requested, **more)
        return parts

    return tell


def _curve(x: xr.Dataset, asked: Asked) -> Told:
    shown = select_tasks(x, asked.task, place="report: ")
    return curve_parts(shown, requested=asked.requested)


def _outcomes(x: xr.Dataset, asked: Asked) -> Told:
    kept = next((name for name in ("ice", "ice_mean") if name in x), "outcome")
    kinds = {"ice": "effects", "ice_mean": "moments", "outcome": "outcomes"}
    whole = with_selected_dims(x, kinds[kept])  # type: ignore[arg-type]
    shown = select_tasks(whole, asked.task, place="report: ")
    return Plain(describe_outcomes(shown, every_arm=asked.every))


def _effects(x: xr.Dataset, asked: Asked) -> Told:
    return answer_parts(
        x,
        rows=asked.rows,
        task=asked.task,
        order=asked.order,
        noted=asked.noted,
        requested=asked.requested,
    )


def _search(x: xr.Dataset, asked: Asked) -> Told:
    of_task = Statement((("search", x.isel(task=0)),), str(x["task"].item()))
    return answer_parts(
        x,
        rows=asked.rows,
        order=asked.order,
        answer=[said(of_task)],
        noted=asked.noted,
        requested=asked.requested,
    )


def _answer(x: Any, asked: Asked) -> Told:
    return answer_parts(
        x.decisions,
        rows=asked.rows,
        task=asked.task,
        order=asked.order,
        answer=x.sentences,
        details=x.details,
        noted=asked.noted,
        requested=asked.requested,
    )


def _fit(x: xr.Dataset, asked: Asked) -> Told:
    found = _parts("tell.bench_answers:fit_parts", every="every")(x, asked)
    if not asked.every or not isinstance(found, AnswerParts):
        return found
    return Several((found, answer_parts(x, rows="all")))


def _audit(x: Any, asked: Asked) -> Told:
    lines = Plain(audit_answer(x))
    return Several((lines, *audit_tables(x))) if asked.every else lines


def is_audit(x: object) -> bool:
    """Return whether this is the answer of `causalgia.audit`."""
    return _is("Audit")(x)


def is_curve(x: object) -> bool:
    """Return whether these are effects along a sequence."""
    return isinstance(x, xr.Dataset) and "ace" in x and has_positions(x)


def is_before_estimates(x: object) -> bool:
    """Return whether these are outcomes, or effects of single units."""
    return isinstance(x, xr.Dataset) and (
        keeps_effects(x) or ("outcome" in x and "ace" not in x)
    )


def is_effects(x: object) -> bool:
    """Return whether these are effects; one selected contrast is a coordinate."""
    return (
        isinstance(x, xr.Dataset)
        and "ace" in x
        and bool({"contrast", "element"} & {*x["ace"].dims, *x["ace"].coords})
    )


_is_moderation = _has("sd_lower", "quantiles")
_BENCH, _PLANS = "tell.bench_answers", "tell.plan_answers"
KINDS = (
    Kind("the answer of an experiment", _is("Answer"), _answer, True),
    Kind("an audit", is_audit, _audit),
    Kind("a check of a design", _is("Check"), lambda x, _: Plain(str(x))),
    Kind("an account", _is("Account"), lambda x, _: Plain(str(x))),
    Kind("a protocol", _is("Protocol"), _parts(f"{_PLANS}:protocol_parts")),
    Kind(
        "a comparison with the bench",
        _has("noise_ceiling"),
        _parts(f"{_BENCH}:concordance_parts", every="every"),
    ),
    Kind("activities", _has("activity", "se"), _parts(activity_parts)),
    Kind("a fit", _has("ace", "n_barcodes", "weight"), _fit),
    Kind(
        "a look at counts",
        _has("check", "threshold", "found"),
        _parts(quality_parts, every="every"),
    ),
    Kind("counts", _has("oligo_index"), _text(describe_counts)),
    Kind("a library", _has("oligo", "insert"), _text(f"{_BENCH}:describe_library")),
    Kind(
        "power at the bench",
        _has("half_width", "power", "alpha", "lost"),
        _parts(f"{_PLANS}:power_parts", every="every"),
    ),
    Kind(
        "tipping points",
        _has("tipping_shift"),
        _parts(tipping_parts, "task"),
        True,
    ),
    Kind(
        "checks of a claim",
        _has("figure", "status", "cure"),
        _parts(refutation_parts),
    ),
    Kind(
        "agreement of null models",
        _has(*OF_AGREEMENT),
        _parts(agreement_parts, "task"),
        True,
    ),
    Kind(
        "a context swap",
        _has("share", "below_zero"),
        _parts(swap_parts, "task"),
        True,
    ),
    Kind("a plan", is_size, _parts(size_parts)),
    Kind(
        "a moderation of effects",
        _is_moderation,
        _parts(moderation_parts, "task"),
        True,
    ),
    Kind(
        "a posterior",
        is_posterior,
        _parts(posterior_parts, "task", "order"),
        True,
    ),
    Kind("a search of spans", _has("p_adjusted", "finest"), _search),
    Kind("curves", is_curve, _curve, True),
    Kind("outcomes", is_before_estimates, _outcomes, True),
    Kind("effects", is_effects, _effects, True),
)
"""Every kind of result that is told; the first that fits a result is its kind."""


def told(x: Any, asked: Asked) -> Told:
    """Return what there is to say of a result.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> told(from_effects([1.4], se=[0.1], names=["GATA1"]), Asked()).table.lines[0][:2]
    ['GATA1', '1.40']
    """
    given = x if is_posterior(x) or _is_moderation(x) else readable(x)
    kind = next((row for row in KINDS if row.known(given)), None)
    if kind is None:
        holds = ", ".join(map(str, getattr(x, "data_vars", ())))
        of = f" of {holds}" if holds else ""
        raise DataError(f"report takes results, and this is {type_in_words(x)}{of}")
    if asked.task is not None and not kind.by_task:
        raise DataError(
            f"task={quoted(asked.task)} does not apply to {kind.what}", argument="task"
        )
    return kind.tell(given, asked)

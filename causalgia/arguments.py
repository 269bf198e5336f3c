"""The fields of an analysis, a row each: what a value must be, what it means, and the
option of the shell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from causalgia.checks import (
    NAME,
    are_texts,
    as_ci_prob,
    check_value,
    is_number,
    is_table,
    is_text,
    one_of,
)
from causalgia.choices import (
    ERRORS,
    ROPE_IN_WORDS,
    SCALES,
    TARGETS,
    Error,
)
from causalgia.errors import DesignError, EstimateError, quoted
from causalgia.expressions import (
    EMPTY_NAME,
    KEYWORDS,
    fault_of_weights,
    weights_in_text,
)
from causalgia.ropes import Rope


class Option(NamedTuple):
    """How the command line takes an argument: its metavar, the type of its text, and
    its help if that is not the meaning of the argument.
    """

    metavar: str = "NAME"
    type: type = str
    help: str = ""


class Argument(NamedTuple):
    """An argument: the test of a value, what the value must be in words, what it means,
    the verbs that take it, its option, and the parser that all verbs share, which takes
    the place of the test.
    """

    is_valid: Callable[[Any], bool] | None
    need: str
    meaning: str
    verbs: tuple[str, ...] = ()
    option: Option | None = None
    parse: Callable[[Any], Any] | None = None

    @property
    def help(self) -> str:
        """The help of its option."""
        return (self.option and self.option.help) or self.meaning


Arguments: TypeAlias = Mapping[str, Argument]


def _as_contrasts(value: Any, *, of: str = "arm") -> Any:
    """Return contrasts of arms, or of tasks, as weights by name.

    The arms are not known here: `causalgia.contrast` compares the names with them.
    """
    rows = weights_in_text(value, of=of)
    if (
        not isinstance(rows, dict)
        or not rows
        or (of == "task" and set(rows) & set(KEYWORDS))
    ):
        key = "contrasts" if of == "arm" else "tasks"
        raise DesignError(
            f"{key}={quoted(value)} must be {ANALYSIS[key].need}",
            argument=key,
        )
    for name, weights in rows.items():
        if not str(name).strip():
            raise DesignError(EMPTY_NAME)
        if fault := fault_of_weights(weights, of=of):
            raise DesignError(f"contrast {quoted(name)}{fault}")
    return rows


def _is_largest(value: Any) -> bool:
    sizes = list(value.values()) if isinstance(value, dict) else [value]
    return bool(sizes) and all(is_number(size) and size > 0 for size in sizes)


def _as_error(value: Any) -> Error:
    """Return an error rate of verdicts."""
    check_value(value, {"error": one_of(*ERRORS)}, "error", error=EstimateError)
    rate: Error = value
    return rate


def _are_factors(value: object) -> bool:
    return (
        isinstance(value, list)
        and are_texts(value)
        and len(set(value)) == len(value) >= 2
    )


_TARGETS = ", ".join(f"'{name}'" if " " in name else name for name in TARGETS)

ANALYSIS: Arguments = {
    "control": Argument(
        is_text,
        'text that is not empty: the name of an arm, such as "0"',
        "The arm subtracted from every other arm.",
        verbs=("contrast",),
        option=Option("ARM"),
    ),
    "contrasts": Argument(
        None,
        "tables of arm = weight, or text such as 'A - B', each with a name and finite "
        "weights that sum to 0",
        "Contrasts of arms, in place of a control.",
        ("contrast",),
        parse=_as_contrasts,
    ),
    "interaction": Argument(
        _are_factors,
        "a list of two or more different factors",
        "Two or more factors of the arms, in place of a control.",
        verbs=("contrast",),
    ),
    "tasks": Argument(
        None,
        "tables of task = weight, or text such as 'K562 - HepG2', each with a name (no "
        "keyword such as 'pairwise') and finite weights that are not all 0",
        "Contrasts between tasks.",
        ("contrast",),
        Option(
            "CONTRAST",
            help="Contrast between tasks, such as 'K562 - HepG2', or a pattern; '*' is "
            "each task.",
        ),
        partial(_as_contrasts, of="task"),
    ),
    "scale": Argument(
        *one_of(*SCALES),
        "Scale on which effects are taken.",
        ("contrast",),
    ),
    "cluster": Argument(
        is_text,
        '"auto", "none", or the name of a coordinate of the units, such as "parent"',
        "Units that vary together.",
        ("estimate",),
        Option(help="auto, none, or a coordinate of the units."),
    ),
    "block": Argument(
        *NAME,
        "Coordinate inside which arms of a parallel trial were randomized.",
        verbs=("estimate",),
    ),
    "covariates": Argument(
        are_texts,
        'a list of coordinates of the units, such as ["gc"]',
        "Coordinates of the units that adjust the estimates of a parallel trial.",
        ("estimate",),
    ),
    "target": Argument(
        *one_of(*TARGETS),
        "Population over which effects are averaged.",
        ("estimate",),
        Option(help=f"{_TARGETS}."),
    ),
    "ci_prob": Argument(
        None,
        "a number from 0.5 to below 1, such as 0.95",
        "Probability of the intervals.",
        ("estimate", "decide"),
        Option("P", float),
        as_ci_prob,
    ),
    "weights": Argument(
        *one_of("units", "clusters"),
        "What is weighted equally in a mean.",
        ("estimate",),
    ),
    "family": Argument(
        is_text,
        '"task", or the name of a coordinate of the contrasts (a factor of the arms)',
        "Rows among which an error rate holds.",
        ("decide",),
        Option(help="Rows that share q: task, or a factor of the arms; default: all."),
    ),
    "question": Argument(
        are_texts,
        "a list of names of contrasts, or of patterns of them",
        "Contrasts that answer the question.",
    ),
    "across": Argument(
        *one_of("task"),
        "Whether tasks borrow strength from each other.",
        ("infer",),
        Option(help="task: tasks borrow strength from each other; draws sharing.png."),
    ),
    "rope": Argument(
        None,
        ROPE_IN_WORDS,
        "Region of practical equivalence.",
        ("decide",),
        Option(
            "ROPE",
            help="Region of practical equivalence: -0.1,0.1 (or --rope -0.1 0.1), "
            "of one side -inf,0.5, "
            "placebo, 'placebo outliers', '0.2 sd', by task "
            "'K562=-0.1,0.1;HepG2=-1,1', or 0 for direction alone.",
        ),
        Rope.parse,
    ),
    "error": Argument(
        None,
        one_of(*ERRORS)[1],
        "Error rate of the verdicts.",
        ("decide",),
        Option("RATE", help=f"Error of verdicts: {', '.join(ERRORS)}."),
        _as_error,
    ),
    "largest": Argument(
        _is_largest,
        "a positive number, the largest effect on any background, or one for each task",
        "Bound on the effect on any background.",
        ("decide",),
        Option("SIZE", float, "Largest effect that any background can have."),
    ),
    "shrink": Argument(
        is_table,
        "a cg.Shrinkage, or a table of prior, all_rows and variances",
        "Prior of the hierarchical effect sizes, and moderated variances.",
        ("infer", "estimate"),
    ),
}
"""The fields of `causalgia.Analysis`."""

"""The fields of an analysis, a row each: what a value must be."""

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


class Argument(NamedTuple):
    """An argument: the test of a value, what the value must be in words, and the parser
    that all verbs share, which takes the place of the test.
    """

    is_valid: Callable[[Any], bool] | None
    need: str
    parse: Callable[[Any], Any] | None = None


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


ANALYSIS: Arguments = {
    "control": Argument(
        is_text, 'text that is not empty: the name of an arm, such as "0"'
    ),
    "contrasts": Argument(
        None,
        "tables of arm = weight, or text such as 'A - B', each with a name and finite "
        "weights that sum to 0",
        _as_contrasts,
    ),
    "interaction": Argument(_are_factors, "a list of two or more different factors"),
    "tasks": Argument(
        None,
        "tables of task = weight, or text such as 'K562 - HepG2', each with a name (no "
        "keyword such as 'pairwise') and finite weights that are not all 0",
        partial(_as_contrasts, of="task"),
    ),
    "scale": Argument(*one_of(*SCALES)),
    "cluster": Argument(
        is_text,
        '"auto", "none", or the name of a coordinate of the units, such as "parent"',
    ),
    "block": Argument(*NAME),
    "covariates": Argument(
        are_texts, 'a list of coordinates of the units, such as ["gc"]'
    ),
    "target": Argument(*one_of(*TARGETS)),
    "ci_prob": Argument(None, "a number from 0.5 to below 1, such as 0.95", as_ci_prob),
    "weights": Argument(*one_of("units", "clusters")),
    "family": Argument(
        is_text,
        '"task", or the name of a coordinate of the contrasts (a factor of the arms)',
    ),
    "question": Argument(
        are_texts, "a list of names of contrasts, or of patterns of them"
    ),
    "across": Argument(*one_of("task")),
    "rope": Argument(None, ROPE_IN_WORDS, Rope.parse),
    "error": Argument(None, one_of(*ERRORS)[1], _as_error),
    "largest": Argument(
        _is_largest,
        "a positive number, the largest effect on any background, or one for each task",
    ),
    "shrink": Argument(
        is_table, "a cg.Shrinkage, or a table of prior, all_rows and variances"
    ),
}
"""The fields of `causalgia.Analysis`."""

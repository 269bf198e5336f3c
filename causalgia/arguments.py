"""The arguments that Python, trial files and the command line share, a row each: what a
value must be, what it means, and the option of the shell.

Keys of a trial file are checked by these rows, its page in the guide is written from
them, and so are the options of `causalgia estimate` and `causalgia analyze`.
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
    further words of the reference page, the verbs that take it, its option, and the
    parser that all verbs share, which takes the place of the test.
    """

    is_valid: Callable[[Any], bool] | None
    need: str
    meaning: str
    more: str = ""
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
        "`{name = {arm = weight, ...}}`, weights that sum to 0; or text, "
        '`"GATA1 - (mutant + scrambled)/2"`, one or several in a list.',
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
        'text, `"K562 - HepG2"`, one or several in a list; or `{"K562 minus HepG2" = '
        '{K562 = 1, HepG2 = -1}}`; a pattern, `"DNASE:*"`, is each task that it '
        "matches. Verdicts are then on these, no longer on each task.",
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
        '`"identity"`, `"log"`, `"log2"` or `"logit"`, applied to every outcome; or, '
        'applied to means: `"log_of_means"`, `"ratio"`; or `"sd"`, effects in sd of the '
        "control arm of each task.",
        ("contrast",),
    ),
    "cluster": Argument(
        is_text,
        '"auto", "none", or the name of a coordinate of the units, such as "parent"',
        "Units that vary together.",
        '`"auto"`, `"none"`, or a coordinate of the units such as `"parent"`.',
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
        'a list such as `["gc"]`.',
        ("estimate",),
    ),
    "target": Argument(
        *one_of(*TARGETS),
        "Population over which effects are averaged.",
        "a target of the list below.",
        ("estimate",),
        Option(help=f"{_TARGETS}."),
    ),
    "ci_prob": Argument(
        None,
        "a number from 0.5 to below 1, such as 0.95",
        "Probability of the intervals.",
        "Verdicts have the error rate `1 - ci_prob`.",
        ("estimate", "decide"),
        Option("P", float),
        as_ci_prob,
    ),
    "weights": Argument(
        *one_of("units", "clusters"),
        "What is weighted equally in a mean.",
        '`"units"` or `"clusters"`.',
        ("estimate",),
    ),
    "family": Argument(
        is_text,
        '"task", or the name of a coordinate of the contrasts (a factor of the arms)',
        "Rows among which an error rate holds.",
        '`"task"`, those of one task, or a factor of the arms; if left out, all rows '
        "of the table.",
        ("decide",),
        Option(help="Rows that share q: task, or a factor of the arms; default: all."),
    ),
    "question": Argument(
        are_texts,
        "a list of names of contrasts, or of patterns of them",
        "Contrasts that answer the question.",
        'names, or patterns such as `"interaction at *"`, over which q is; every other '
        "contrast is judged by itself. If left out, every contrast answers it.",
    ),
    "across": Argument(
        *one_of("task"),
        "Whether tasks borrow strength from each other.",
        '`"task"`, with 20 contrasts or more; see [share strength across '
        "tasks](share_across_tasks.md).",
        ("infer",),
        Option(help="task: tasks borrow strength from each other; draws sharing.png."),
    ),
    "rope": Argument(
        None,
        ROPE_IN_WORDS,
        "Region of practical equivalence.",
        "`[lower, upper]` on the scale of the contrasts (or a table of these by task), "
        '`"placebo"`, `"placebo outliers"`, sd of the control arm such as `"0.2 sd"`, '
        "or 0 (direction alone).",
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
        '`"fdr"` (expected share of false verdicts), `"fwer"` '
        '(probability of any false verdict) or `"each"` (error rate of each verdict by '
        "itself).",
        ("decide",),
        Option("RATE", help=f"Error of verdicts: {', '.join(ERRORS)}."),
        _as_error,
    ),
    "largest": Argument(
        _is_largest,
        "a positive number, the largest effect on any background, or one for each task",
        "Bound on the effect on any background.",
        "On the scale of the contrasts, or a table of these by task; a verdict then "
        "requires enough backgrounds to show that those that could have been missed are "
        "too few to undo it.",
        ("decide",),
        Option("SIZE", float, "Largest effect that any background can have."),
    ),
    "shrink": Argument(
        is_table,
        "a cg.Shrinkage, or a table of prior, all_rows and variances",
        "Prior of the hierarchical effect sizes, and moderated variances.",
        "`[analysis.shrink]`: `prior`, the fields of `cg.Prior`, `{mu_sd, tau_scale, "
        "standardized}`, of one normal scale in place of two; `all_rows`, `true` for "
        "tables of more than 5,000 rows; `variances`, `true` or `false`: whether "
        "variances are moderated over 10 or more rows, as limma's are.",
        ("infer", "estimate"),
    ),
}
"""Keys of ``[analysis]``, the fields of `causalgia.Analysis`."""

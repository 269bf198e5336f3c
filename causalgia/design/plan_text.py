"""What a trial will do, as text: the comparison, the units and the number of
predictions; its arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from causalgia.errors import NAMES_SHOWN, printable
from causalgia.inputs import wide

if TYPE_CHECKING:
    from causalgia.design.design import Design

_NAME_WIDTH = 40
_LINE_WIDTH = 100
MOST_ARMS = 20
"""Arms in a table; the number of the others is said."""


def plan_sentence(
    *,
    arms: Sequence[str],
    contrasts: Sequence[str],
    control: str | None,
    null: str,
    n_units: int,
    assignment: str,
    n_networks: int = 1,
    most: bool = False,
) -> str:
    """Return what a trial compares, on what, and what it takes.

    Parameters
    ----------
    arms, contrasts, control
        Names; the control is None where contrasts are others than of each arm with it.
    null, n_units, assignment
        The backgrounds in words, their number, and who gets what.
    n_networks
        Networks that answer each sequence.
    most
        Whether a rule may stop the trial earlier.

    Examples
    --------
    >>> print(
    ...     plan_sentence(
    ...         arms=["none", "GATA1"],
    ...         contrasts=["GATA1"],
    ...         control="none",
    ...         null="uniform random sequences of 41 bp",
    ...         n_units=1000,
    ...         assignment="crossover",
    ...     )
    ... )
    This trial compares GATA1 with none, both on each of 1,000 uniform random sequences of 41 bp: 2,000 predictions.
    """
    n_arms, crossover = len(arms), assignment == "crossover"
    if control is not None:
        what = f"compares {_listed(contrasts, 'arms')} with {_cut(control)}"
    elif contrasts:
        what = f"asks for {_listed(contrasts, 'contrasts')} of {n_arms:,} arms"
    else:
        what = (
            f"has the arms {_listed(arms, 'arms')}"
            if n_arms <= NAMES_SHOWN
            else f"has {n_arms:,} arms"
        )
    every = "both" if n_arms == 2 else "all arms"
    units = f"{n_units:,} {null}"
    if null.startswith("the "):
        units = f"{n_units:,} units ({null})"
    elif null[:1].isdigit():
        units = f"{n_units:,} units of {null}"
    where = (
        f"{every} on each of {units}" if crossover else f"one arm on each of {units}"
    )
    n = n_units * (n_arms if crossover else 1) * n_networks
    by = f" by {n_networks:,} networks" if n_networks > 1 else ""
    return (
        f"This trial {what}, {where}: {n:,} prediction{'s' * (n != 1)}{by}"
        f"{' at most' if most else ''}."
    )


def arm_rows(
    names: Sequence[str], do: Sequence[str], *, every_row: bool = False
) -> tuple[list[list[str]], str]:
    """Return a line for each arm with its do-notation, cut where it is long, and what
    the table leaves out.

    Examples
    --------
    >>> arm_rows(["none", "G" * 60], ["do()", "do(x[3:5] = GC)"])[1]
    'Names end after 40 letters (…).'
    """
    shown = len(names) if every_row else MOST_ARMS
    rows = [
        [_cut(name), _cut(text, _LINE_WIDTH - _NAME_WIDTH)]
        for name, text in zip(names[:shown], do[:shown], strict=True)
    ]
    is_cut = any(len(name) > _NAME_WIDTH for name in names[:shown])
    is_cut |= any(len(text) > _LINE_WIDTH - _NAME_WIDTH for text in do[:shown])
    more = len(names) - len(rows)
    left = [
        f"Names end after {_NAME_WIDTH} letters (…)." if is_cut else "",
        f"{more:,} more arm{'s' * (more != 1)}." if more else "",
    ]
    return rows, " ".join(filter(None, left))


def design_text(design: Design) -> str:
    """Return a design as text: what `causalgia plan` prints of it.

    Parameters
    ----------
    design
        A design or an experiment.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> print(
    ...     design_text(cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100))
    ... )
    This trial has the arms none and GATA, both on each of 100 uniform random sequences of 50 bp: 200
    predictions.
    <BLANKLINE>
    arm   intervention
    none  do()
    GATA  do(x[20:24] = GATA)
    """
    contrasts = design.named_contrasts
    control = None if contrasts is None else contrasts.control_of(design.arm_names)
    question = str(getattr(design, "question", ""))
    answer = plan_sentence(
        arms=design.arm_names,
        contrasts=list(contrasts or ()),
        control=control,
        null=design.drawn.describe(),
        n_units=design.n_units,
        assignment=design.assignment,
    )
    rows, more = arm_rows(
        design.arm_names, [str(arm.intervention) for arm in design.named_arms]
    )
    first = max(wide(row[0]) for row in (["arm"], *rows))
    table = [
        f"{name}{' ' * (first - wide(name))}  {do}"
        for name, do in (["arm", "intervention"], *rows)
    ]
    foot = design_foot(design.reserve, blocked=design.blocks is not None)
    notes = "".join(f" {note}." for note in getattr(design, "notes", ()))
    parts = [
        _folded(f"{question} {answer}{notes}".strip()),
        "\n".join([*table, *([more] if more else [])]),
    ]
    return printable("\n\n".join([*parts, *([foot] if foot else [])]))


def design_foot(reserve: float, *, blocked: bool = False) -> str:
    """Return what else a design fixes; empty where nothing.

    Examples
    --------
    >>> design_foot(0.25)
    '25 % of the source sequences are kept back for a confirmation.'
    """
    lines = [
        f"{100 * reserve:.3g} % of the source sequences are kept back for a confirmation."
        if reserve
        else "",
        "Arms are balanced within blocks." if blocked else "",
    ]
    return " ".join(filter(None, lines))


def _listed(names: Sequence[str], what: str) -> str:
    if len(names) > NAMES_SHOWN:
        return f"{len(names):,} {what}"
    *others, last = map(_cut, names)
    return f"{', '.join(others)} and {last}" if others else last


def _cut(name: str, most: int = _NAME_WIDTH) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _folded(text: str) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer) > _LINE_WIDTH and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)

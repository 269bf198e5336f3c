"""Tables of the page on trial files: keys, null models, arms and targets, written from
the code that reads them.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields
from pathlib import Path

from causalgia.analysis import Analysis
from causalgia.arguments import TABLES, Argument
from causalgia.choices import TARGETS
from causalgia.design.arms import INTERVENTIONS
from causalgia.design.null_distributions import NULL_MODELS

FOLDER = Path(__file__).parent / "howto"


def tables() -> dict[str, str]:
    """Return each table by the name of its file.

    Examples
    --------
    >>> [
    ...     line
    ...     for line in tables()["_null_models.md"].splitlines()
    ...     if "`uniform`" in line
    ... ]
    ['| `uniform` | `length` | Every base drawn independently, A C G T with probability 1/4 each. |']
    """
    nulls = [
        f"| `{kind}` | {_keys(model)} | {_first_sentences(model)} |"
        for kind, model in NULL_MODELS.items()
    ]
    arms = []
    for verb, kind in INTERVENTIONS.items():
        options = _keys(kind, but=kind.main_field)
        arms.append(
            f"| `{verb}` = {kind.main_field}{options and ', '}{options} | "
            f"{_first_sentences(kind)} |"
        )
    targets = ", ".join(f'`"{target}"`' for target in TARGETS)
    keys = {
        f"_{table.strip('[]') or 'top'}.md": _table(
            "| key | takes |", [_row(name, row) for name, row in arguments.items()]
        )
        for table, arguments in TABLES.items()
        if table != "[analysis]"
    }
    plan = [
        f"{_row(one.name, TABLES['[analysis]'][one.name], one.default)} "
        f"{_verbs(TABLES['[analysis]'][one.name])} |"
        for one in fields(Analysis)
    ]
    return {
        **keys,
        "_analysis.md": _table("| key | takes | goes to |", plan),
        "_null_models.md": _table("| `kind` | takes | units |", nulls),
        "_arms.md": _table("| keys | what is done |", arms),
        "_targets.md": _table("| key | values |", [f"| `target` | {targets} |"]),
    }


def _row(name: str, argument: Argument, default: object = None) -> str:
    """Return the row of a key, with its default if that is a name or a number."""
    usual = f" ({json.dumps(default)})" if isinstance(default, str | float) else ""
    first, more = argument.meaning, argument.more
    if more[:1] == "`" or more[:1].islower():
        first = first.rstrip(".") + ("," if more.startswith("such as") else ":")
    return f"| `{name}`{usual} | {f'{first} {more}'.rstrip()} |"


def _verbs(argument: Argument) -> str:
    return ", ".join(f"`{verb}`" for verb in argument.verbs)


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]) + "\n"


def _keys(kind: type, but: str = "") -> str:
    """Return the fields of a class as keys, with the default of each that has one."""
    taken = [field for field in fields(kind) if field.init and field.name != but]
    plain = [field.name for field in taken if field.default is MISSING]
    usual = [
        (field.name, field.default) for field in taken if field.default is not MISSING
    ]
    words = [f"`{name}`" for name in plain]
    words += [
        f"`{name}`" if value is None else f"`{name}` ({json.dumps(value)})"
        for name, value in usual
    ]
    return ", ".join(words)


def _first_sentences(kind: type) -> str:
    """Return the first paragraph of a docstring in Markdown."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()).replace(
        "``", "`"
    )


def write() -> None:
    """Write the tables beside the page."""
    for name, text in tables().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

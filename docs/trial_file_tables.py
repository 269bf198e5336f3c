"""Tables of the page on trial files: keys, null models, arms and targets, written from
the classes and functions that the keys go to.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from inspect import Parameter
from pathlib import Path
from typing import Any

import docstring_parser

import causalgia as cg
from causalgia.choices import TARGETS
from causalgia.design.arms import INTERVENTIONS
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.mpra import BarcodeRules, Controls, OligoRules, library
from causalgia.mpra.libraries.barcode_sets import barcodes
from causalgia.trial_file.tables import (
    Placebos,
    PredictorSpec,
    TrialFile,
    library_keys,
    taken_by,
)

FOLDER = Path(__file__).parent
VERBS = (cg.contrast, cg.estimate, cg.infer, cg.decide)


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
        f"| `{kind}` | {_keys(model)} | {_summary(model)} |"
        for kind, model in NULL_MODELS.items()
    ]
    arms = []
    for verb, kind in INTERVENTIONS.items():
        options = _keys(kind, but=kind.main_field)
        arms.append(
            f"| `{verb}` = {kind.main_field}{options and ', '}{options} | "
            f"{_summary(kind)} |"
        )
    made = {"": library, "rules": OligoRules, "controls": Controls}
    of_mpra = []
    for key, (argument, part) in library_keys().items():
        taken = made.get(part and argument, BarcodeRules)
        said = barcodes if taken is BarcodeRules else taken
        of_mpra.append(_row(key, taken, part or key, said))
    targets = ", ".join(f'`"{target}"`' for target in TARGETS)
    return {
        **{
            f"_{name}.md": _table(
                "| key | takes |", [_row(key, kind) for key in taken_by(kind)]
            )
            for name, kind in (
                ("top", TrialFile),
                ("predictor", PredictorSpec),
                ("placebos", Placebos),
            )
        },
        "_mpra.md": _table("| key | takes |", of_mpra),
        "_analysis.md": _table(
            "| key | takes | argument of |",
            [
                f"{_row(key, cg.Analysis)} {_verbs(key)} |"
                for key in taken_by(cg.Analysis)
            ],
        ),
        "_null_models.md": _table("| `kind` | takes | units |", nulls),
        "_arms.md": _table("| keys | what is done |", arms),
        "_targets.md": _table("| key | values |", [f"| `target` | {targets} |"]),
    }


def _row(
    key: str,
    make: Callable[..., Any],
    name: str = "",
    said: Callable[..., Any] | None = None,
) -> str:
    """Return the row of a key: its default, and what the docstring says of it."""
    default = taken_by(make)[name or key][1]
    usual = (
        f" ({json.dumps(default)})" if isinstance(default, str | int | float) else ""
    )
    described = docstring_parser.parse(inspect.getdoc(said or make) or "").params
    (text,) = (
        one.description
        for one in described
        if (name or key) in one.arg_name.split(", ")
    )
    return f"| `{key}`{usual} | {_in_markdown(text or '')} |"


def _verbs(key: str) -> str:
    taking = (verb.__name__ for verb in VERBS if key in taken_by(verb))
    return ", ".join(f"`{verb}`" for verb in taking)


def _table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]) + "\n"


def _keys(kind: type, but: str = "") -> str:
    """Return the arguments of a class as keys, with the default of each that has one."""
    return ", ".join(
        f"`{name}`"
        if default is Parameter.empty or default is None
        else f"`{name}` ({json.dumps(default)})"
        for name, (_, default) in taken_by(kind).items()
        if name != but
    )


def _summary(kind: type) -> str:
    """Return the first paragraph of a docstring in Markdown."""
    return _in_markdown((inspect.getdoc(kind) or "").split("\n\n")[0])


def _in_markdown(text: str) -> str:
    plain = " ".join(text.split()).replace("``", "`").replace("|", "\\|")
    return plain.replace("None: ", "Left out: ")  # a file has no None


def write() -> None:
    """Write the tables beside the page."""
    for name, text in tables().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

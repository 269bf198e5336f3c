"""Options that several commands have, each written once, and groups of them that a
command takes as one value.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import typer

from causalgia.arguments import ANALYSIS, Option
from causalgia.choices import requested_parts
from causalgia.cli.output import output

OutOption: TypeAlias = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Output folder; created if missing."),
]
ForceOption: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Overwrite existing files.")
]
SentencesOption: TypeAlias = Annotated[
    bool, typer.Option("--sentences", help="Print a sentence for each contrast, too.")
]
ArmsOption: TypeAlias = Annotated[
    bool, typer.Option("--arms", help="Print the definition of each arm, too.")
]
NotesOption: TypeAlias = Annotated[
    bool, typer.Option("--notes", help="Print the notes on method and data, too.")
]
DeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="auto, cpu, cuda, cuda:1, mps; overrides the file."
    ),
]
DaskOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="A Dask scheduler whose workers predict: tcp://host:8786.",
    ),
]
WorkersOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Predict in N processes on this machine, at least 1.",
    ),
]


class OptionGroup:
    """Options that a command takes as one value: each is a field, or a row of the table
    of arguments.
    """

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Return the options, as parameters of a command."""
        return list(inspect.signature(cls, eval_str=True).parameters.values())


@dataclass(frozen=True, kw_only=True)
class Printed(OptionGroup):
    """What of an answer is printed: tasks, rows, parts beside the answer, and the order
    of rows; and the columns of the table that is written.
    """

    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Show these tasks alone: a name or a pattern such as 'DNASE:*'.",
        ),
    ] = None
    all_rows: Annotated[
        bool, typer.Option("--all", help="Print a line for each arm and placebo.")
    ] = False
    all_columns: Annotated[
        bool,
        typer.Option(
            "--all-columns", help="Give the table of effects every column there is."
        ),
    ] = False
    sentences: SentencesOption = False
    arms: ArmsOption = False
    notes: NotesOption = False
    order: Annotated[
        Literal["size", "file"],
        typer.Option(
            "--order",
            help="Order of rows: directions by size, undecided, negligible; or as in "
            "the file.",
        ),
    ] = "size"

    @property
    def requested(self) -> tuple[str, ...]:
        """Parts of the report beside the answer."""
        return requested_parts(
            arms=self.arms, sentences=self.sentences, notes=self.notes
        )


class AnalysisOptions(OptionGroup, dict[str, Any]):
    """Fields of the analysis that are given as options, by name; the options are those
    rows of `causalgia.arguments.ANALYSIS` that have one and go to the verbs of the
    command.

    Examples
    --------
    >>> AnalysisOptions(control="placebo", largest=3.0, rope=None)
    {'control': 'placebo', 'largest': 3.0}
    >>> [parameter.name for parameter in EstimateOptions.parameters()]
    ['control', 'tasks', 'cluster', 'target', 'ci_prob', 'family']
    """

    verbs: ClassVar[tuple[str, ...]] = ("decide", "infer", "contrast", "estimate")
    """The verbs, in the order of the options."""

    def __init__(self, **given: Any) -> None:
        given = {name: value for name, value in given.items() if value is not None}
        super().__init__(given)

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Return the options, in the order of the verbs that they go to."""
        return [
            _parameter(name, row.option, row.help)
            for verb in cls.verbs
            for name, row in ANALYSIS.items()
            if row.option is not None and row.verbs[0] == verb
        ]


class EstimateOptions(AnalysisOptions):
    """Options of `causalgia estimate`; the family is that of verdicts to come."""

    verbs = ("contrast", "estimate")

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Return the options of contrasts and estimates, and the family."""
        all_ = {one.name: one for one in AnalysisOptions.parameters()}
        return [*super().parameters(), all_["family"]]


def _parameter(name: str, option: Option, text: str) -> Parameter:
    made = typer.Option(metavar=option.metavar, help=text)
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[option.type | None, made],
    )


@dataclass(frozen=True, kw_only=True)
class _Output(OptionGroup):
    """How every command prints."""

    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document: the text, its numbers, and the files "
            "written.",
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print nothing but warnings and errors."),
    ] = False


def with_option_groups(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with each option of its groups as an option of its own, and with
    ``--json`` and ``--quiet``.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())
    groups = {one.name: one.annotation for one in own if _is_group(one.annotation)}
    names = {
        name: [parameter.name for parameter in group.parameters()]
        for name, group in groups.items()
    }

    @wraps(function)
    def command(*args: Any, as_json: bool, quiet: bool, **options: Any) -> Any:
        now = output()
        now.as_json, now.quiet = as_json, quiet
        made = {
            name: group(**{one: options.pop(one) for one in names[name]})
            for name, group in groups.items()
        }
        return function(*args, **options, **made)

    def spread() -> Iterator[Parameter]:
        for one in own:
            yield from groups[one.name].parameters() if one.name in groups else [one]
        yield from _Output.parameters()

    parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in spread()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _is_group(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, OptionGroup)

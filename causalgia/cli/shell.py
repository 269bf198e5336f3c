"""The shell: how a command is written, called and ended.

A command is a function of this folder, named in `causalgia.cli.commands`. Its positional
parameters are arguments, its keywords options; types are read from the annotations, and
help from the docstring in numpydoc: to add an option, add a keyword and its lines under
``Parameters``. It imports what is heavy in its body, calls public verbs, prints by
`causalgia.cli.output`, and returns its exit code, None for 0. An error of the library is
printed in one line; ``--json``, ``--quiet`` and ``--help`` are those of every command.
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import App, CycloptsError, Parameter, Token
from docstring_parser import parse

import causalgia
from causalgia.checks import nearest
from causalgia.cli.output import Output, echo, emit, finish_output, start_output
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DesignError,
    printable,
    quoted,
)

_PLAIN: dict[str, Any] = {"help_flags": (), "version_flags": ()}
app = App(
    name="causalgia",
    result_action="return_value",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
    **_PLAIN,
)
app.meta.default_parameter = app.default_parameter
app.meta.suppress_keyboard_interrupt = False


def group(name: str, text: str, commands: dict[str, str]) -> None:
    """Add a group of commands: name -> ``"module:function"``."""
    made = App(name=name, help=text, **_PLAIN)
    for command, place in commands.items():
        made.command(place, name=command)
    app.command(made)


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)  # 3.7 is no seed
    except ValueError as error:
        raise ValueError(f"{quoted(tokens[0].value)} is no whole number") from error


Whole = Annotated[int, Parameter(converter=_whole)]
"""A whole number."""

Device = Annotated[
    str | None,
    Parameter(help="auto, cpu, cuda, cuda:1, mps; overrides the file."),
]
Dask = Annotated[
    str | None,
    Parameter(help="A Dask scheduler whose workers predict: tcp://host:8786."),
]
Workers = Annotated[
    int | None,
    Parameter(converter=_whole, help="Predict in so many processes on this machine."),
]
Force = Annotated[bool, Parameter(help="Overwrite existing files.")]
All = Annotated[bool, Parameter(name="--all")]
Sentences = Annotated[bool, Parameter(help="Print a sentence for each contrast, too.")]
Arms = Annotated[bool, Parameter(help="Print the definition of each arm, too.")]
Notes = Annotated[bool, Parameter(help="Print the notes on method and data, too.")]


STDIN = Path("/dev/stdin")
"""Standard input, ``-`` in the shell."""
_OF_EVERY_COMMAND = 3  # of the options of _launch: --json, --quiet and --help


def options_of(call: Callable[..., Any], *names: str) -> Any:
    """Return these arguments of a public callable as a group of options, None where one
    is not given: help is the first sentence of the argument.

    A number, a choice and a switch are read as such; anything else is text that the
    callable itself reads.
    """
    hints = get_type_hints(call)
    texts = {
        name: one.description or ""
        for one in parse(inspect.getdoc(call) or "").params
        for name in one.arg_name.split(", ")
    }
    rows = []
    for name in names:
        told = re.split(r"(?<=\.)\s", " ".join(texts[name].split()))[0]
        kind: Any = Annotated[
            _in_text(hints[name]) | None,
            Parameter(help=re.sub('`+"?|"?`+', "", told)),
        ]
        rows.append((name, kind, None))
    made = make_dataclass(
        "Options", rows, kw_only=True, namespace={"__module__": __name__}
    )
    return Parameter(name="*")(made)


def _in_text(hint: Any) -> Any:
    """Return the type as which the value of an option is read."""
    found = (hint, *get_args(hint))
    choices = [one for one in found if get_origin(one) is Literal]
    if choices and str not in found:
        return functools.reduce(operator.or_, choices)
    return next((one for one in (float, int) if one in found and str not in found), str)


@app.meta.default
def _launch(
    *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"))] = False,
    help_: Annotated[bool, Parameter(name=("--help", "-h"))] = False,
    version: bool = False,
    install_completion: bool = False,
    show_completion: bool = False,
) -> int:
    """Call a command.

    Parameters
    ----------
    as_json
        Print one JSON document: the text, its numbers, and the files written.
    quiet
        Print nothing but warnings and errors.
    help_
        Show this message and exit.
    version
        Print the version and exit.
    install_completion
        Install completion for the current shell.
    show_completion
        Print the completion of the current shell, to copy it.
    """
    start_output(Output(as_json, quiet))
    names, apps, _ = app.parse_commands(words)
    command, code = " ".join(("causalgia", *names)), 0
    if not names and words and words[0].startswith("-"):
        own = [
            name
            for one in app.meta.assemble_argument_collection()
            for name in one.names
        ]
        raise DesignError(
            f"there is no option {quoted(words[0])}{nearest(words[0], own)}"
        )
    if version:
        echo(f"causalgia {causalgia.__version__}")
    elif install_completion:
        echo(f"Wrote {app.install_completion()}")
    elif show_completion:
        emit(app.generate_completion())
    elif help_ or (apps[-1].default_command is None and len(names) == len(words)):
        emit(_help(command, apps[-1]))
    else:
        code = app(words, exit_on_error=False, print_error=False, help_on_error=False)
    finish_output(command)
    return int(code or 0)


def run(words: Sequence[str]) -> int:
    """Run a command; return its exit code: 2 after an error of one line, 130 if
    interrupted.
    """
    try:
        with _warnings_as_lines():
            code: int = app.meta(
                _checked(words),
                exit_on_error=False,
                print_error=False,
                help_on_error=False,
            )
            sys.stdout.flush()
        return code
    except (CycloptsError, CausalgiaError, OSError) as error:
        return _fail(str(error), 2)
    except MemoryError as error:
        return _fail(str(error) or "not enough memory", 2)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted", 130)
    finally:
        start_output(Output())


def _fail(message: str, code: int) -> int:
    print(f"error: {' '.join(printable(message).split())}", file=sys.stderr)
    return code


def _checked(words: Sequence[str]) -> list[str]:
    """Return the words, ``--rope -0.1 0.1`` and ``--rope -0.1,0.1`` as one, and ``-`` as
    the path of standard input.

    Raises
    ------
    DesignError
        If one is empty: as a folder it would be the working folder.
    """
    for after, word in zip(("causalgia", *words), words, strict=False):
        if not word.strip() or (word.startswith("--") and word.endswith("=")):
            raise DesignError(f"there is an empty text after {quoted(after)}")
    words = [
        str(STDIN) if word == "-" and before != "--out" else word
        for before, word in zip(("", *words), words, strict=False)
    ]
    at = words.index("--rope") if "--rope" in words else len(words)
    ends = words[at + 1 : at + 3]
    n = 2 if len(ends) == 2 and all(map(_is_number, ends)) else 1
    if n == 2 or re.match(r"-[.\di]", "".join(ends[:1])):
        return [*words[:at], f"--rope={','.join(ends[:n])}", *words[at + 1 + n :]]
    return list(words)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalgiaWarning)
        warnings.showwarning = show
        yield


def _help(name: str, here: App) -> str:
    """Return the help of a command or group, in the width of the terminal."""
    width = shutil.get_terminal_size().columns
    own = [] if here.default_command is None else _arguments(here)
    given = [one for one in own if one[0][0] != "-"]
    common = _arguments(app.meta)
    options = [one for one in own if one[0][0] == "-"]
    options += common if here is app else common[:_OF_EVERY_COMMAND]
    commands = [(str(each), _text_of(here[each]).partition("\n\n")[0]) for each in here]
    takes = ["COMMAND"] if here.default_command is None else [word for word, _ in given]
    blocks = [f"Usage: {' '.join((name, *takes))} [OPTIONS]"]
    for paragraph in _text_of(here).split("\n\n"):
        if not paragraph.startswith(" "):
            paragraph = textwrap.fill(
                paragraph, width, break_on_hyphens=False, break_long_words=False
            )
        blocks.append(paragraph)
    for title, rows in (
        ("Arguments", given),
        ("Commands", commands),
        ("Options", options),
    ):
        if rows:
            blocks.append("\n".join([f"{title}:", *_columns(rows, width)]))
    return "\n\n".join(blocks)


def _text_of(here: App) -> str:
    """Return what a docstring says before its parameters."""
    call: Callable[..., Any] | None = here.default_command
    text = here.help if call is None else inspect.getdoc(call) or ""
    return text.partition("\n\nParameters\n---")[0]


_NO_DEFAULT = inspect.Parameter.empty


def _arguments(here: App) -> list[tuple[str, str]]:
    rows = []
    for one in here.assemble_argument_collection(
        default_parameter=app.default_parameter, parse_docstring=True
    ):
        if not one.show:
            continue
        names = sorted(one.names, key=len)
        named = ", ".join(names)
        if named[0] == "-":
            named += _value(one.hint, names[-1])
        default, more = one.field_info.default, ""
        if one.required and named[0] == "-":
            more = "  [required]"
        elif not isinstance(default, bool) and default not in (None, "", _NO_DEFAULT):
            more = f"  [default: {default}]"
        rows.append((named, f"{one.parameter.help or ''}{more}"))
    return rows


def _value(hint: Any, name: str) -> str:
    """Return how the value of an option is written: its choices, or its name."""
    if hint is bool:
        return ""
    choices = [
        str(x)
        for one in (hint, *get_args(hint))
        if get_origin(one) is Literal
        for x in get_args(one)
    ]
    return f" {'|'.join(choices) or name.strip('-').upper()}"


def _columns(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    wide = min(max(len(first) for first, _ in rows), 24)
    for first, text in rows:
        lines = textwrap.wrap(
            " ".join(text.split()), max(width - wide - 4, 20), break_on_hyphens=False
        )
        if len(first) > wide:
            yield f"  {first}"
            first = ""
        for place, line in enumerate(lines or [""]):
            yield f"  {first if place == 0 else '':<{wide}}  {line}".rstrip()

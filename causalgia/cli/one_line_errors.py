"""One-line errors and warnings for all commands."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from causalgia.cli.shell_words import in_shell, set_options
from causalgia.errors import CausalgiaError, CausalgiaWarning, DesignError, as_message, quoted

_PLAIN = {  # message of the parser -> plain message
    "Value error, ": "",
    "Input should be a valid integer.*": "give a whole number, such as 10",
    "Input should be a valid number.*": "give a number, such as 0.5",
    r"'[^']*' is not a valid integer( range)?": "give a whole number, such as 10",
    r"'[^']*' is not a valid float( range)?": "give a number, such as 0.5",
    r"\S+ is not in the range x>=([\d.]*\d)": r"give \1 or more",
    r"Input should be greater than or equal to (\S+)": r"give \1 or more",
}


class OneLineGroup(TyperGroup):
    """Group of commands with one-line errors and no traceback: exit code 2, or 130 if interrupted."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        del standalone_mode
        try:
            with _warnings_as_lines():
                code = super().main(*args, **{**extra, "standalone_mode": False}) or 0
        except StoppedError as error:
            sys.exit(_print_error(in_shell(str(error)), 130))
        except CausalgiaError as error:
            code = _print_error(in_shell(str(error)), 2)
        except (MemoryError, OSError) as error:
            code = _print_error(_system_message(error), 2)
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            code = _print_error(_usage_message(error), 2)
        if code == 130:
            _print_error("interrupted", 130)
        sys.exit(code)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = super().resolve_command(ctx, args)
        set_options(frozenset(name for parameter in getattr(found[1], "params", ()) for name in parameter.opts))
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for place, arg in enumerate(args):
            if not arg.strip() or (arg.startswith("--") and arg.endswith("=")):  # as a folder: the working folder
                after = args[place - 1] if place else "causalgia"
                raise DesignError(
                    f"an empty text stands after {quoted(after)} on the command line; give a name, or leave it out"
                )
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with the first paragraph of their help."""
        rows = [(name, _first_paragraph(self.commands[name].help or "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class StoppedError(CausalgiaError):
    """Ctrl-C with a message; the message of a plain interrupt is not shown."""


class RopeCommand(TyperCommand):
    """Command whose ``--rope`` accepts two limits: ``--rope -0.1 0.1`` is ``--rope=-0.1,0.1``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--rope" in args:
            at = args.index("--rope")
            if len(args) > at + 2 and all(map(_is_number_text, args[at + 1 : at + 3])):
                args = [*args[:at], f"--rope={args[at + 1]},{args[at + 2]}", *args[at + 3 :]]
        return super().parse_args(ctx, args)


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _is_number_text(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _print_error(message: str, code: int) -> int:
    typer.echo(f"error: {' '.join(as_message(message).split())}", err=True)
    return code


def _usage_message(error: Any) -> str:
    """Return the message for a wrong command line, with a pointer to the help."""
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "causalgia"
    message = str(error.format_message()).rstrip(".")
    for pattern, plain in _PLAIN.items():
        message = re.sub(pattern, plain, message)
    return f"{message}; see `{path} --help`"


def _system_message(error: MemoryError | OSError) -> str:
    """Return the message of an error of the system: memory, disk space, permission or missing file."""
    if isinstance(error, MemoryError):
        return f"not enough memory ({str(error).rstrip('.') or 'none is left'}); take fewer units or arms"
    culprit = f"{error.filename}: " if error.filename is not None else ""
    if isinstance(error, FileNotFoundError):
        return f"{culprit}{error.strerror or error}; check the path"
    return f"{culprit}{error.strerror or error}; free some space, or choose another place that can be read and written"


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        typer.echo(f"warning: {' '.join(in_shell(str(message)).split())}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalgiaWarning)
        warnings.showwarning = show
        yield

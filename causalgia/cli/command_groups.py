"""Groups of commands: made at their first use, with errors and warnings of one line and
an exit code.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from causalgia.cli.option_groups import with_option_groups
from causalgia.cli.output import finish_output, fresh_output
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DesignError,
    printable,
    quoted,
)

_command: ContextVar[str] = ContextVar("command", default="causalgia")


class Commands(Mapping[str, Any]):
    """Commands by name, each made at its first use: the parameters of all together take
    typer longer than the help.
    """

    def __init__(self) -> None:
        self._apps: dict[str, Callable[[], typer.Typer]] = {}
        self._made: dict[str, Any] = {}
        self.helps: dict[str, str] = {}

    def add(self, name: str, app: Callable[[], typer.Typer], text: str) -> None:
        self._apps[name], self.helps[name] = app, inspect.cleandoc(text)

    def sort(self, *names: str) -> None:
        """Set the order in which the help lists all commands."""
        self._apps = {name: self._apps.pop(name) for name in names} | self._apps

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            app = self._apps[name]()
            make = (
                typer.main.get_group
                if isinstance(app, LazyTyper)
                else typer.main.get_command
            )
            self._made[name] = make(app)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._apps)

    def __len__(self) -> int:
        return len(self._apps)


class LazyTyper(typer.Typer):
    """Application that makes a command when it is asked for."""

    def __init__(self, **settings: Any) -> None:
        self.lazy = Commands()
        cls = type("Group", (OneLineGroup,), {"lazy": self.lazy})
        self._plain: dict[str, Any] = {
            "add_completion": False,
            "pretty_exceptions_enable": False,
            "rich_markup_mode": None,
        }
        super().__init__(cls=cls, **{**self._plain, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        def register(function: Any) -> Any:
            def make() -> typer.Typer:
                alone = typer.Typer(**self._plain)
                alone.command(name, **settings)(with_option_groups(function))
                return alone

            self.lazy.add(name or function.__name__, make, function.__doc__)
            return function

        return register


class OneLineGroup(TyperGroup):
    """Group of commands with one-line errors and no traceback: exit code 2, or 130 if
    interrupted.
    """

    lazy: ClassVar[Commands]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = self.lazy  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(self.lazy)

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        del standalone_mode
        with fresh_output():
            return self._run(*args, **extra)

    def _run(self, *args: Any, **extra: Any) -> Any:
        try:
            _command.set("causalgia")
            with _warnings_as_lines():
                code = super().main(*args, **{**extra, "standalone_mode": False}) or 0
            finish_output(_command.get())
        except CausalgiaError as error:
            code = _print_error(str(error), 2)
        except (MemoryError, OSError) as error:
            code = _print_error(str(error) or "not enough memory", 2)
        except StoppedError as error:
            sys.exit(_print_error(str(error), 130))
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            if (
                type(error).__name__ == "NoArgsIsHelpError"
            ):  # its message is the whole help
                typer.echo(error.format_message())
                sys.exit(0)
            code = _print_error(error.format_message(), 2)
        if code == 130:  # typer takes a KeyboardInterrupt and its message away
            _print_error("interrupted", 130)
        sys.exit(code)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = super().resolve_command(ctx, args)
        _command.set(f"{ctx.command_path} {found[0]}")
        _check_given_once(found[1], found[2])
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for place, arg in enumerate(args):
            if not arg.strip() or (
                arg.startswith("--") and arg.endswith("=")
            ):  # as a folder: the working folder
                after = args[place - 1] if place else "causalgia"
                raise DesignError(f"there is an empty text after {quoted(after)}")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with the first paragraph of their help."""
        del ctx
        rows = [
            (name, " ".join(self.lazy.helps[name].split("\n\n")[0].split()))
            for name in self.lazy
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _check_given_once(command: Any, args: list[str]) -> None:
    """Raise DesignError for an option of one value that is given twice: only the last
    would be taken.
    """
    words = args[: args.index("--")] if "--" in args else args
    names = [word.partition("=")[0] for word in words if word.startswith("--")]
    for one in getattr(command, "params", ()):
        name = next((x for x in one.opts if names.count(x) > 1), "")
        if not name or getattr(one, "is_flag", True) or one.multiple:
            continue
        raise DesignError(f"{name} is given {names.count(name)} times")


class StoppedError(Exception):
    """Ctrl-C with a message, such as how to resume."""


class RopeCommand(TyperCommand):
    """Command whose ``--rope`` accepts two limits: ``--rope -0.1 0.1`` is
    ``--rope=-0.1,0.1``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--rope" in args:
            at = args.index("--rope")
            if len(args) > at + 2 and all(map(_is_number_text, args[at + 1 : at + 3])):
                args = [
                    *args[:at],
                    f"--rope={args[at + 1]},{args[at + 2]}",
                    *args[at + 3 :],
                ]
        return super().parse_args(ctx, args)


def _is_number_text(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _print_error(message: str, code: int) -> int:
    typer.echo(f"error: {' '.join(printable(message).split())}", err=True)
    return code


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        typer.echo(f"warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalgiaWarning)
        warnings.showwarning = show
        yield

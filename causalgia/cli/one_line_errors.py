"""One-line errors and warnings for all commands, in the words of the shell."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from causalgia.checks import nearest_key
from causalgia.choices import RENAMED_ERRORS
from causalgia.cli.option_groups import with_option_groups
from causalgia.cli.output import finish_output, fresh_output
from causalgia.errors import (
    NOT_GIVEN,
    CausalgiaError,
    CausalgiaWarning,
    DesignError,
    PredictorError,
    Setting,
    as_message,
    quoted,
)
from causalgia.former_names import LATER

_NUMBER_PATTERN = r"-?\d[\d.e+-]*(?<=\d)|-?(?:nan|inf)\b"
_VALUE = rf"""(?:\([^()=]*\)|\[[^][=]*\]|\{{[^{{}}]*\}}|'[^']*'|"[^"]*"|{_NUMBER_PATTERN}|True|False|None|\.\.\.)"""
_ARGUMENT = re.compile(rf"(?<![\w.\[-])([a-z][a-z_]*)=({_VALUE})?(?![\w=])")
_FIRST_ARGUMENT = re.compile(
    r"\A[a-z][a-z_]*(?=: )"
)  # an argument that a message begins with; in a trial file its path is first
_GIVEN = r"\((?:[^()]|\([^()]*\))*\)"
_CALL = re.compile(rf"(?:null=)?\bcg\.((?:[a-z]+\.)*\w+)({_GIVEN}(?:\.\w+{_GIVEN})*)?")
_COMMANDS = {
    **{
        name: name
        for name in (
            "run",
            "check",
            "estimate",
            "analyze",
            "mpra.power",
            "mpra.cheapest",
        )
    },
    **dict.fromkeys(("decide", "infer", "adjust"), "analyze"),
    "open": "show",
    **dict.fromkeys(("mpra.library", "mpra.write_library"), "mpra design"),
    **dict.fromkeys(("mpra.fit", "mpra.filter"), "mpra analyze"),
    "mpra.virtual_trial": "mpra predict",
    "mpra.calls": "mpra calls",
    "mpra.concordance": "mpra compare",
}
_OPTIONS_OF_CALLS = (
    "store",
    "keep",
    "rope",
    "error",
    "law",
    "ci_prob",
    "target",
    "min_dna",
    "min_barcodes",
)
_OPTION_NAMES = {  # arguments whose option has another name in some command
    **{
        f"n_{name}": (name, f"max-{name}")
        for name in ("oligos", "barcodes", "replicates", "backgrounds", "controls")
    },
    "max_oligos": ("oligos",),
    "overwrite": ("force",),
    "barcode_dispersion": ("random-barcodes",),
    "contrasts": ("contrasts", "contrast"),
    "pairs": ("contrast",),
    "true_effect": ("effect",),
    "arm_names": ("arms",),
    "checks": ("check",),
}
# arguments that are several keys
_KEYS = {"barcode_rules": "barcode_length, min_distance and seeds in [mpra]"}
# fields of these are options, or keys of the trial file, of their own
_FIELDS = re.compile(
    r"\b(?:noise|rules|controls|contrast|library)=cg\.mpra\.[A-Z]\w+\(([^()]*)\)"
)
# of two ways, the one of Python
_OF_PYTHON = re.compile(r"\bcg\.placebos\([^()]*\) or (?=\[placebos\])")
# no option can
_TWO_NAMES = re.compile(r", or say which belong together: pairs=\{[^{}]*\}")

_options: ContextVar[frozenset[str]] = ContextVar("options", default=frozenset())


def set_options(options: frozenset[str]) -> None:
    """Set the options of the running command, such as ``"--rope"``."""
    _options.set(options)


_command: ContextVar[str] = ContextVar("command", default="causalgia")


def in_shell(text: str, *, of_predictor: bool = False, begins: bool = True) -> str:
    """Return a message with Python arguments and functions replaced by options,
    trial-file keys and commands.

    Keys that several tables of the trial file have (tasks, scale, weights) are those of
    the predictor in its errors. A text that `begins` a message may begin with an
    argument, ``tau: it is -1``; after the name of a file, it is a key there.

    Examples
    --------
    >>> set_options(
    ...     frozenset(
    ...         {"--half-width", "--budget", "--oligos", "--rope", "--error", "--tau"}
    ...     )
    ... )
    >>> in_shell("give a goal (half_width=) or a limit (budget= or max_oligos=)")
    'give a goal (--half-width) or a limit (--budget or --oligos)'
    >>> in_shell("rope=(1, -1) is reversed; decide by error='fdr'")
    '--rope=1,-1 is reversed; decide by --error fdr'
    >>> in_shell(
    ...     "tau is not given; give noise=cg.mpra.NoiseModel(tau=...), 0 if all are alike"
    ... )
    'tau is not given; give --tau, 0 if all are alike'
    >>> in_shell("effect=nan is not a number; name the others: rope={...}")
    'effect=nan is not a number; name the others: --rope'
    >>> (
    ...     in_shell("tau: it is -1"),
    ...     in_shell("trial.toml: tau: it is -1"),
    ...     in_shell("effects: there are none"),
    ... )
    ('--tau: it is -1', 'trial.toml: tau: it is -1', 'effects: there are none')
    >>> in_shell("one at a time: rope=[-1.0, 1.0]; error=['fdr', 'fwer']")
    'one at a time: --rope=-1.0,1.0; --error=fdr,fwer'
    >>> in_shell("give positive controls, controls=cg.mpra.Controls(positives=...)")
    'give positive controls, positives in [mpra]'
    >>> in_shell("the same cg.run(..., store=) resumes it")
    'the same causalgia run --store resumes it'
    >>> in_shell(
    ...     "a placebo of its own motif: cg.Placebo of the same pattern; or null=cg.Genomic(of=...)"
    ... )
    'a placebo of its own motif: placebo = of the same pattern; or [null] kind = "genomic"'
    >>> in_shell("these are effects already; run the trial without keep=")
    'these are effects already; run the trial without --keep'
    >>> in_shell("split the barcodes (cg.mpra.split_duplicates of the counts)")
    'split the barcodes (causalgia.mpra.split_duplicates, in Python, of the counts)'
    >>> in_shell("write a new lock with cg.Protocol(...).lock(path)")
    'write a new lock with causalgia.Protocol(...).lock(path), in Python'
    """
    text = _FIELDS.sub(_missing_fields, _OF_PYTHON.sub("", _TWO_NAMES.sub("", text)))
    if begins:
        text = _FIRST_ARGUMENT.sub(
            lambda found: (
                name if (name := _option_name(found[0])) in _options.get() else found[0]
            ),
            text,
        )
    return _ARGUMENT.sub(
        partial(_shell_argument, of_predictor=of_predictor),
        _CALL.sub(_shell_call, text),
    )


def error_in_shell(error: CausalgiaError) -> str:
    """Return the message of an error with the words of the shell: its arguments are
    options of the running command, or keys of the trial file.

    Examples
    --------
    >>> set_options(frozenset({"--rope", "--pilot-arms"}))
    >>> need = "is one number"
    >>> error = CausalgiaError(argument="rope", value=95, need=need, example=(-1, 1))
    >>> error_in_shell(error.at("counts.tsv"))
    'counts.tsv: --rope 95 is one number; for example --rope=-1,1'
    >>> error_in_shell(error.replace(argument="scale", value="ln", example="log"))
    'scale = "ln" in [analysis] is one number; for example scale = "log" in [analysis]'
    """
    of_predictor = isinstance(error, PredictorError)

    def words(part: str | Setting) -> str:
        if isinstance(part, str):
            return in_shell(part, of_predictor=of_predictor, begins=not error.places)
        if part.in_toml:
            return str(part)
        shown = _setting_in_shell(part.name, part.value, of_predictor=of_predictor)
        return str(part) if shown is None else shown

    return error.text(words)


def _missing_fields(found: re.Match[str]) -> str:
    """Return the fields that a message asks for; each is an option of its own, so those
    that it only repeats are left out.
    """
    parts = found[1].split(", ")
    return ", ".join([one for one in parts if one.endswith("=...")] or parts)


def _shell_call(found: re.Match[str]) -> str:
    name, arguments = found[1], found[2] or ""
    if name == "placebos" and (n := re.search(r"n_placebos=(\d+)", arguments)):
        return f"[placebos], of = pattern, at = and n = {n[1]}"
    if name == "motif" and arguments.startswith("('"):  # a word of the trial file
        return '{file = "motifs.meme", motif = "GATA1"}'
    if (key := _trial_file_key(name)) is not None:
        return key
    if name not in _COMMANDS:
        more = found.string[found.end() : found.end() + 2]
        return f"causalgia.{name}{arguments}, in Python" + (
            "," if more[:1] == " " and more[1:].isalpha() else ""
        )
    command = _COMMANDS[name].replace(".", " ")
    options = [
        _option_text(key, _literal(value))
        for key, value in _ARGUMENT.findall(arguments)
        if key in _OPTIONS_OF_CALLS
    ]
    return " ".join(["causalgia", command, *options])


def _trial_file_key(name: str) -> str | None:
    """Return the trial-file key of a name of the library, or None."""
    if name[:1].islower():
        return "[placebos]" if name == "placebos" else None
    from causalgia.design.arms import INTERVENTIONS
    from causalgia.design.null_distributions import NULL_MODELS

    kinds = {
        kind.__name__: f'[null] kind = "{key}"' for key, kind in NULL_MODELS.items()
    }
    verbs = {kind.__name__: f"{key} =" for key, kind in INTERVENTIONS.items()}
    return (kinds | verbs | {"Analysis": "[analysis]"}).get(name)


def _shell_argument(found: re.Match[str], *, of_predictor: bool) -> str:
    """Return an argument that a text mentions as an option, as a key, or unchanged."""
    value = _literal(found[2] or "")
    shown = _setting_in_shell(found[1], value, of_predictor=of_predictor)
    return found[0] if shown is None else shown


def _setting_in_shell(name: str, value: Any, *, of_predictor: bool) -> str | None:
    """Return an argument as an option of the running command or as a trial-file key;
    None if it is neither.
    """
    from causalgia.arguments import TABLES
    from causalgia.trial_file import toml_value

    if name in _KEYS:
        return _KEYS[name]
    if (
        _option_name(name) in _options.get() or name == "keep"
    ):  # an option of causalgia run, whose trials are read
        return _option_text(name, value)
    order = ["", "[analysis]", "[predictor]", "[mpra]"]
    if of_predictor:
        order.insert(0, "[predictor]")
    for table in order:
        if name in TABLES[table]:
            place = f" in {table}" if table else ""
            if value is NOT_GIVEN:
                return f"{name}{place}"
            plain = list(value) if isinstance(value, tuple) else value
            return f"{name} = {toml_value(plain)}{place}"
    return None


def _option_name(name: str) -> str:
    """Return the option of an argument: the first name that the command has, else the
    last.
    """
    names = [f"--{one.replace('_', '-')}" for one in _OPTION_NAMES.get(name, (name,))]
    return next((one for one in names if one in _options.get()), names[-1])


def _option_text(name: str, value: Any) -> str:
    """Return ``--name value`` as typed in a shell.

    Examples
    --------
    >>> (
    ...     _option_text("rope", (-0.1, 0.1)),
    ...     _option_text("target", "next predictor"),
    ...     _option_text("store", NOT_GIVEN),
    ... )
    ('--rope=-0.1,0.1', "--target 'next predictor'", '--store')
    >>> _option_text("checks", NOT_GIVEN), _option_text("seed", 1)
    ('--check', '--seed 1')
    """
    option = _option_name(name)
    if value is None or value is NOT_GIVEN or value is True:
        return option
    if isinstance(value, dict) and name == "rope":
        return f"{option} {value}"
    if isinstance(value, tuple | list | dict):
        return f"{option}={','.join(map(str, value))}"
    word = str(value)
    return f"{option} '{word}'" if " " in word else f"{option} {word}"


def _literal(text: str) -> Any:
    """Return the value of a Python literal; NOT_GIVEN of none, and of ``...``."""
    if text.strip("{}[]") == "...":
        return NOT_GIVEN
    if text.lstrip("-") in ("nan", "inf"):
        return float(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return NOT_GIVEN


_PLAIN_MESSAGES = {  # message of the parser -> plain message
    "Value error, ": "",
    "Input should be a valid integer.*": "give a whole number, such as 10",
    "Input should be a valid number.*": "give a number, such as 0.5",
    r"'[^']*' is not a valid integer( range)?": "give a whole number, such as 10",
    r"'[^']*' is not a valid float( range)?": "give a number, such as 0.5",
    r"\S+ is not in the range x>=([\d.]*\d)": r"give \1 or more",
    r"Input should be greater than or equal to (\S+)": r"give \1 or more",
    r"\. Did you mean ([^?]*\?).*": r"; did you mean \1",  # some versions say it twice
}


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
        except StoppedError as error:
            sys.exit(_print_error(error_in_shell(error), 130))
        except CausalgiaError as error:
            code = _print_error(error_in_shell(error), 2)
        except (MemoryError, OSError) as error:
            code = _print_error(_system_message(error), 2)
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
            context = getattr(error, "ctx", None)
            path = _command.get() if context is None else context.command_path
            message = str(error.format_message()).rstrip(".")
            if (
                context is not None
                and hasattr(error, "option_name")
                and hasattr(error, "possibilities")
            ):
                options = [
                    name
                    for parameter in context.command.params
                    for name in parameter.opts
                ]
                message = _unknown_option(str(error.option_name), options, path)
            message += _name_now(message)
            for pattern, plain in _PLAIN_MESSAGES.items():
                message = re.sub(pattern, plain, message)
            code = _print_error(
                f"{message}{' See' if message.endswith('?') else '; see'} `{path} "
                "--help`",
                2,
            )
        if code == 130:
            _print_error("interrupted", 130)
        sys.exit(code)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = super().resolve_command(ctx, args)
        _command.set(f"{ctx.command_path} {found[0]}")
        set_options(
            frozenset(
                name
                for parameter in getattr(found[1], "params", ())
                for name in parameter.opts
            )
        )
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for place, arg in enumerate(args):
            if not arg.strip() or (
                arg.startswith("--") and arg.endswith("=")
            ):  # as a folder: the working folder
                after = args[place - 1] if place else "causalgia"
                raise DesignError(
                    f"there is an empty text after {quoted(after)} on the command "
                    "line; give a name, or leave it out"
                )
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


class StoppedError(CausalgiaError):
    """Ctrl-C with a message; the message of a plain interrupt is not shown."""


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


def _name_now(message: str) -> str:
    """Return the name that took the place of one that a message refuses; "" for none.

    Examples
    --------
    >>> _name_now("'bh' is not one of 'fdr', 'fwer'")
    "; 'bh' has another name: 'fdr'"
    """
    value = re.search(r"'(\w+)' is not one of", message)
    if value and value[1] in RENAMED_ERRORS:
        return f"; '{value[1]}' has another name: {RENAMED_ERRORS[value[1]]}"
    return ""


def _unknown_option(option: str, options: list[str], command: str) -> str:
    name = option.lstrip("-").replace("-", "_")
    if later := LATER.get(command, {}).get(name):
        return f"there is no {option} yet: {later}"
    hint = nearest_key(
        name,
        [name[2:].replace("-", "_") for name in options if name.startswith("--")],
    )
    return f"No such option: {option}" + re.sub(
        r"'(\w+)'", lambda name: "--" + name[1].replace("_", "-"), hint
    )


def _print_error(message: str, code: int) -> int:
    typer.echo(f"error: {' '.join(as_message(message).split())}", err=True)
    return code


def _system_message(error: MemoryError | OSError) -> str:
    """Return the message of an error of the system: memory, disk space, permission or
    missing file.
    """
    if isinstance(error, MemoryError):
        return (
            f"not enough memory ({str(error).rstrip('.') or 'none is left'}); ask for "
            "less: fewer units, arms or oligos"
        )
    culprit = f"{error.filename}: " if error.filename is not None else ""
    if isinstance(error, FileNotFoundError):
        return f"{culprit}{error.strerror or error}; check the path"
    return (
        f"{culprit}{error.strerror or error}; free some space, or choose another place "
        "that can be read and written"
    )


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        typer.echo(f"warning: {' '.join(in_shell(str(message)).split())}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalgiaWarning)
        warnings.showwarning = show
        yield

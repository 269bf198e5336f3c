"""Messages of the parser of the command line (click, typer) and of the system, in plain
words: those of other libraries, which have only text.
"""

from __future__ import annotations

import re
from typing import Any

from causalgia.checks import nearest_key
from causalgia.choices import RENAMED_ERRORS
from causalgia.cli.shell_words import in_shell
from causalgia.errors import DesignError, first_words
from causalgia.former_names import LATER

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


def parser_message(error: Any, command: str) -> str:
    """Return an error of the parser with the help to see.

    Examples
    --------
    >>> import click
    >>> parser_message(
    ...     click.BadParameter("'x' is not a valid integer."), "causalgia run"
    ... )
    'Invalid value: give a whole number, such as 10; see `causalgia run --help`'
    """
    context = getattr(error, "ctx", None)
    if (
        context is not None
        and hasattr(error, "option_name")
        and hasattr(error, "possibilities")
    ):
        options = [
            name for parameter in context.command.params for name in parameter.opts
        ]
        message = _unknown_option(str(error.option_name), options, command)
    else:
        message = str(error.format_message()).rstrip(".")
    message += _name_now(message)
    for pattern, plain in _PLAIN_MESSAGES.items():
        message = re.sub(pattern, plain, message)
    return f"{message}{' See' if message.endswith('?') else '; see'} `{command} --help`"


def check_whole(text: str, option: str) -> None:
    """Raise DesignError for a number that is not written in digits, although it may be
    whole; any other text is left to the parser.

    Examples
    --------
    >>> check_whole("7", "--rng")
    >>> check_whole("7.0", "--rng")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: --rng 7.0 is not written as a whole number; give it in digits alone: --rng 7
    """
    if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        return
    try:
        number = float(text)
    except ValueError:
        return
    if number.is_integer() and abs(number) < 2**53:
        raise DesignError(
            f"{option} {text} is not written as a whole number; give it in digits "
            f"alone: {option} {number:.0f}"
        )


def _name_now(message: str) -> str:
    """Return the name that took the place of one that a message refuses; "" for none.

    Examples
    --------
    >>> _name_now("'bh' is not one of 'fdr', 'fwer'")
    "; 'bh' has another name: 'fdr'"
    """
    value = re.search(r"'(\w+)' is not one of", message)
    if value and value[1] in RENAMED_ERRORS:
        return f"; '{value[1]}' has another name: {in_shell(RENAMED_ERRORS[value[1]])}"
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


def system_message(error: MemoryError | OSError) -> str:
    """Return the message of an error of the system: memory, disk space, permission or
    missing file.
    """
    if isinstance(error, MemoryError):
        words = f": {first_words(error)}" if error.args else ""
        return (
            "not enough memory; ask for less, such as fewer units, arms or "
            f"oligos{words}"
        )
    culprit = f"{error.filename}: " if error.filename is not None else ""
    if isinstance(error, FileNotFoundError):
        return f"{culprit}{error.strerror or error}; check the path"
    return (
        f"{culprit}{error.strerror or error}; free some space, or choose another place "
        "that can be read and written"
    )

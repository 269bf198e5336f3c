"""Follow the cure that an error names: the text of the message itself is what is done
next.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import causalgia as cg
from causalgia import cli
from causalgia.cli import command_groups
from causalgia.errors import CausalgiaError

VCF_HEAD = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
READ_BY_PYTHON = {"cg": cg, "causalgia": cg, "np": np, "pandas": pd}


class Cases(list[Callable[..., Any]]):
    """The cases of a file: functions that follow a cure by hand, and return whether the
    answer is the right one. ``@case`` of ``case = Cases()`` adds one.
    """

    def __call__(self, one: Callable[..., Any]) -> Callable[..., Any]:
        self.append(one)
        return one

    @property
    def each(self) -> pytest.MarkDecorator:
        """Decorates the test to which each ``case`` is given."""
        return pytest.mark.parametrize("case", self, ids=lambda one: one.__name__)


def refusal(call: Callable[..., Any], *args: Any, **given: Any) -> str:
    """Return the message with which a call is refused."""
    with pytest.raises(CausalgiaError) as error:
        call(*args, **given)
    observe(error.value)
    return str(error.value)


def observe(error: CausalgiaError) -> None:
    """See an error whose cure is applied next; `cures_census` counts these."""


def shell_refusal(*command: Any, lines: int = 0) -> str:
    """Return the message with which a command is refused: one line, in the words of the
    shell, after at most some lines of output.
    """
    words = shlex.split(command[0]) if len(command) == 1 else [str(x) for x in command]

    def in_shell(error: CausalgiaError) -> str:
        observe(error)
        return words_of(error)

    words_of = command_groups.in_shell
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_groups, "in_shell", in_shell)
        found = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    assert found.exit_code == 2, found.output
    assert found.stdout.count("\n") <= lines, found.stdout
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr.removeprefix("error: ").rstrip("\n")


def cure_in(text: str, cure: str, fill: Mapping[str, str] = {}) -> str:
    """Return what the message says to do: the first group of `cure`, where the
    placeholders of the message are filled in.
    """
    found = re.search(cure, text)
    assert found, text
    named = found[1]
    for placeholder, value in fill.items():
        assert placeholder in named, named
        named = named.replace(placeholder, value)
    return named


def number_in(text: str, pattern: str) -> int:
    """Return the whole number that a message names."""
    return int(cure_in(text, pattern).replace(",", ""))


def arguments(named: str, **names: Any) -> dict[str, Any]:
    """Return arguments as a message writes them, such as ``rope=(-0.1, 0.1)``."""
    return eval(f"dict({named})", READ_BY_PYTHON | names)


def cured(
    call: Callable[..., Any],
    given: Mapping[str, Any],
    cure: str,
    *,
    fill: Mapping[str, str] = {},
    **names: Any,
) -> Any:
    """Call, be refused, call again as the message says, and return the answer.

    What `cure` captures are arguments (``rope=(-0.1, 0.1)``), or the name of one that
    is to be left out.
    """
    named = cure_in(refusal(call, **given), cure, fill)
    if re.fullmatch(r"\w+", named):
        assert named in given
        return call(**{name: given[name] for name in given if name != named})
    return call(**{**given, **arguments(named, **names)})


def evaluated(
    call: Callable[..., Any],
    given: Mapping[str, Any],
    cure: str,
    *,
    fill: Mapping[str, str] = {},
    **names: Any,
) -> Any:
    """Call, be refused, and return what the expression in the message is: ``names`` are
    those that it uses.
    """
    return eval(
        cure_in(refusal(call, **given), cure, fill), READ_BY_PYTHON | given | names
    )

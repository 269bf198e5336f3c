"""What --help prints of every command: each word that was written for it, brackets
included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from causalgia import cli

#: wide enough that no help text is broken into lines
WIDE = {"COLUMNS": "500", "TERMINAL_WIDTH": "500"}


def commands(
    group: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every command and group of commands with its words on the command line."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


ALL = dict(commands(typer.main.get_command(cli.app)))


def written(command: Any) -> list[str]:
    """Return the texts that were written for a command's help; ``\\[`` is a bracket
    that is printed.
    """
    texts = [
        command.help,
        *(getattr(parameter, "help", None) for parameter in command.params),
    ]
    return [text.replace(r"\[", "[") for text in texts if text]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_prints_every_word_that_was_written_for_it(path):
    found = CliRunner().invoke(cli.app, [*path, "--help"], env=WIDE)
    assert found.exit_code == 0
    printed = " ".join(re.sub("[│╭╮╰╯─]", " ", found.output).split())
    for text in written(ALL[path]):
        for part in re.split(r"\n\s*\n", text):
            assert " ".join(part.split()) in printed


def test_commands_are_listed_in_the_order_of_use():
    listed = re.findall(
        r"^  (\w+)  ",
        CliRunner()
        .invoke(cli.app, ["--help"], env=WIDE)
        .output.partition("Commands:")[2],
        re.M,
    )
    assert listed[:7] == ["demo", "experiments", "init", "check", "plan", "lock", "run"]
    assert listed == list(typer.main.get_command(cli.app).commands)


@pytest.mark.parametrize("group", [(), ("mpra",)])
def test_a_group_without_a_command_prints_its_help(group):
    found, help_text = (
        CliRunner().invoke(cli.app, [*group, *more], env=WIDE)
        for more in ((), ("--help",))
    )
    assert (found.exit_code, found.stdout.rstrip()) == (0, help_text.stdout.rstrip())


def test_all_commands_are_looked_at():
    assert {(), ("run",), ("mpra",), ("mpra", "design"), ("mpra", "compare")} <= set(
        ALL
    )
    assert any("[mpra]" in text for text in written(ALL["mpra", "design"]))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_to_type_and_a_sentence_are_never_one_paragraph(path):
    for part in re.split(r"\n\s*\n", (ALL[path].help or "").replace("\b", "")):
        lines = [line for line in part.splitlines() if line.strip()]
        typed = [
            line.startswith(("        causalgia", "    causalgia")) for line in lines
        ]
        assert all(typed) or not any(typed), part


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_value_has_a_name_and_not_a_type_of_the_language(path):
    found = CliRunner().invoke(cli.app, [*path, "--help"], env=WIDE).output
    assert not re.search(
        r"--[a-z-]+ +(<(str|int|float|path|list)|TEXT|INTEGER|FLOAT|PATH)", found
    )

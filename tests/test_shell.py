# Imports from the inside: the mechanism by which a function becomes a command.
"""Commands are made from signatures and docstrings."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.cli import shell
from causalgia.cli.commands import run
from causalgia.cli.shell import Whole, app, options_of

assert run  # which fills `app`


def commands():
    """Return the words of every command and group."""
    for name in app:
        here = app[name]
        yield (name,)
        if here.default_command is None:
            yield from ((name, one) for one in here)


def _helped(*words):
    found = invoke(*words, "--help", env={"COLUMNS": "80"})
    assert (found.exit_code, found.stderr) == (0, "")
    return found.stdout.splitlines()


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_help_of_a_command_has_two_screens_at_most(words):
    lines = _helped(*words)
    assert len(lines) <= 100
    assert lines[0].startswith(" ".join(("Usage: causalgia", *words)))


def test_the_program_alone_prints_its_help():
    assert invoke().stdout == invoke("--help").stdout


def test_usage_names_what_is_taken():
    usage = {words: _helped(*words)[0] for words in (("mpra",), ("demo",), ("show",))}
    assert usage == {
        ("mpra",): "Usage: causalgia mpra COMMAND [OPTIONS]",
        ("demo",): "Usage: causalgia demo [OPTIONS]",
        ("show",): "Usage: causalgia show FOLDER [OPTIONS]",
    }


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_argument_and_option_has_help(words):
    here = app
    for word in words:
        here = here[word]
    if here.default_command is None:
        return
    for one in here.assemble_argument_collection(parse_docstring=True):
        assert one.parameter.help or not one.show, one.names


def try_out(folder: Path, /, *, times: Whole = 1, tag: list[str] | None = None) -> int:
    """Do something.

    Parameters
    ----------
    folder
        A folder.
    times
        How often.
    tag
        A tag; may be repeated.
    """
    print(folder.name, times, tag)
    return times - 1


@pytest.fixture
def registered(monkeypatch):
    app.command(try_out, name="try-out")
    yield
    del app["try-out"]


@pytest.mark.usefixtures("registered")
def test_a_keyword_and_its_lines_are_an_option():
    text = " ".join(" ".join(_helped("try-out")).split())
    assert "--times TIMES" in text
    assert "How often. [default: 1]" in text
    done = invoke("try-out", "a", "--times", 3, "--tag", "x", "--tag=y")
    assert (done.exit_code, done.stdout) == (2, "a 3 ['x', 'y']\n")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "words",
    [
        ("try-out",),
        ("try-out", "a", "b"),
        ("try-out", ""),
        ("try-out", "a", "--times="),
        ("try-out", "a", "--times", ""),
        ("try-out", "a", "--times", "3.7"),
        ("try-out", "a", "--times", "3", "--times", "4"),
        ("try-out", "a", "--times"),
        ("try-out", "a", "--no-json"),
        ("try-ou", "a"),
        ("--verbose",),
    ],
)
def test_what_is_wrong_is_one_line(words):
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("try-out", "a", "--time", "3"), "--times"),
        (("try-uot", "a"), "try-out"),
        (("--verson",), "--version"),
        (("report", "a", "--as", "htm"), "html"),
    ],
)
def test_the_nearest_is_named(words, near):
    assert near in invoke(*words).stderr


def test_options_come_from_a_public_callable():
    made = options_of(cg.Analysis, "control", "ci_prob", "error")
    assert vars(made()) == {"control": None, "ci_prob": None, "error": None}
    text = " ".join(_helped("analyze"))
    assert "--error fdr|fwer|each" in text
    assert "Probability of the intervals." in text


@pytest.mark.parametrize("words", [("analyze", "--help"), ("--help",), ("--version",)])
def test_nothing_heavy_is_loaded_for_help(words):
    code = (
        "import sys\n"
        "from causalgia.cli import run\n"
        f"run({list(words)})\n"
        "heavy = {'numpy', 'xarray', 'pandas', 'scipy', 'matplotlib', 'rich'}\n"
        "assert not heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_message_of_an_interrupt_is_printed(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt("the same command resumes")

    monkeypatch.setattr(shell, "_checked", interrupted)
    done = invoke("show", "results")
    assert (done.exit_code, done.stderr) == (130, "error: the same command resumes\n")


@pytest.mark.simulation
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_an_interrupt_at_any_time_leaves_a_folder_as_it_was(results, share):
    words = [sys.executable, "-m", "causalgia", "analyze", str(results)]
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    whole = time.perf_counter() - began

    def contents():
        return {path.name: path.read_bytes() for path in results.rglob("*")}

    before = contents()
    process = subprocess.Popen([*words, "--ci-prob", "0.8"], stderr=subprocess.PIPE)
    time.sleep(whole * share)
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert b"Traceback" not in error
    if process.returncode == 130:
        assert contents() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk")
def test_a_full_disk_is_one_line(results):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "causalgia", "show", str(results)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_closed_output_stops_nothing(results):
    code = f"{sys.executable} -m causalgia show {results} >&-"
    done = subprocess.run(["bash", "-c", code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")

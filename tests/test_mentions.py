"""Arguments and calls that messages mention are values: no mark is printed, stored or
sent, and none is forgotten in a raise.
"""

import ast
import pickle
import re
import warnings
from pathlib import Path

import pytest
import typer
import xarray as xr
from house import nodes

import causalgia as cg
from causalgia._check.findings import Finding
from causalgia.arguments import TABLES
from causalgia.cli.commands import app
from causalgia.cli.shell_words import (
    in_shell,
    parts_in_shell,
    set_commands,
    set_options,
)
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DesignError,
    OutcomesError,
    PredictorError,
    as_message,
)
from causalgia.mentions import (
    MARK,
    Mention,
    Wording,
    in_words,
    mentions_written_by,
    plain,
    with_mentions,
)
from causalgia.notes import notes_of, notes_to_read, with_notes

PACKAGE = Path(cg.__file__).parent
TEXT = "give ``rope=(-1, 1)``, or ``cg.run(..., store=)``"
PLAIN = "give rope=(-1, 1), or cg.run(..., store=)"

FIELDS = ("need", "cure", "then")


@pytest.mark.parametrize("kind", [CausalgiaError, DesignError, PredictorError])
@pytest.mark.parametrize("field", ["", *FIELDS])
def test_an_error_shows_no_mark_wherever_it_goes(kind, field):
    error = kind(**{field: TEXT}) if field else kind(TEXT)
    placed = error.at("trial.toml", then=" or ``ci_prob=``", error=OutcomesError)
    nested = CausalgiaError(need=("it failed: ", placed))
    for one in (error, placed, nested, placed.as_key(), placed.renamed({"rope": "by"})):
        again = pickle.loads(pickle.dumps(one))
        for made in (one, again):
            shown = [str(made), repr(made), made.text(), f"{made}", str(made.args)]
            assert MARK not in "".join([*shown, repr(made.__dict__)])
    assert PLAIN in str(error)
    assert PLAIN in str(nested)
    assert "by=(-1, 1)" in str(placed.renamed({"rope": "by"}))


def test_a_warning_shows_no_mark():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.warn(TEXT, CausalgiaWarning, stacklevel=1)
        warnings.warn(CausalgiaWarning(TEXT), stacklevel=1)
    for one in found:
        again = pickle.loads(pickle.dumps(one.message))
        assert str(one.message) == str(again) == PLAIN
        assert MARK not in repr(one.message) + repr(again.__dict__)


def test_notes_and_findings_are_stored_without_marks():
    noted = with_notes(xr.Dataset(), TEXT)
    assert notes_of(noted) == notes_to_read(noted) == [PLAIN]
    assert Finding("answers", "note", TEXT).text == PLAIN


def test_a_long_message_is_cut_as_without_marks():
    words = "``rope=" + "x" * 200 + "`` " + "``budget=`` is needed " * 300
    assert str(CausalgiaError(words)) == as_message(plain(words))
    name = "arm " + "y" * 200
    short = f"{name}: ``rope='{'x' * 100}'``"
    assert str(CausalgiaError(short)) == as_message(plain(short))


@pytest.mark.parametrize("name", ["a``b", "``", "`a b` - `c`", "x`", "'``'"])
def test_backticks_of_the_users_own_stay(name):
    assert str(CausalgiaError(f"no arm {name}")) == f"no arm {name}"


def test_a_command_writes_the_same_error_in_its_own_words():
    set_options(["--rope"])
    set_commands({"run": ["--store"]}.get)
    error = CausalgiaError(
        need=(TEXT, Wording(", or a mapping")), cure="see ``cg.report(x)`` for more"
    )
    assert str(error) == f"{PLAIN}, or a mapping; see cg.report(x) for more"
    assert in_shell(error) == (
        "give --rope=-1,1, or causalgia run --store; see causalgia.report(x), in "
        "Python, for more"
    )
    assert in_shell(CausalgiaWarning(TEXT)) == in_shell(TEXT)
    assert in_words(TEXT) == PLAIN
    with mentions_written_by(parts_in_shell):
        assert in_words(TEXT) == in_shell(TEXT)
        noted = with_notes(xr.Dataset(), TEXT)
        assert notes_of(noted) == [PLAIN]
        assert notes_to_read(noted) == ["give rope=(-1, 1), or causalgia run --store"]
    assert in_words(TEXT) == PLAIN


@pytest.mark.parametrize(
    ("mention", "argument", "value"),
    [
        ("rope=(-0.1, 0.1)", "rope", (-0.1, 0.1)),
        ("n_units=1,000", "n_units", "1,000"),
        ("effect=nan", "effect", pytest.approx(float("nan"), nan_ok=True)),
        ("rope={'a': (0, 1)}", "rope", {"a": (0, 1)}),
        ("reduce=lambda y: y", "reduce", "lambda y: y"),
        ("cg.Uniform(length=9)", "", "cg.Uniform(length=9)"),
    ],
)
def test_a_mention_has_a_name_and_a_value(mention, argument, value):
    (one,) = with_mentions(f"``{mention}``")
    assert isinstance(one, Mention)
    assert (one.argument, one.value) == (argument, value)
    assert pickle.loads(pickle.dumps(one)) == one == mention


def texts_of(raised):
    """Return the texts in a raise, with a placeholder for each value."""
    inner = {
        part
        for node in ast.walk(raised)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(raised):
        if node in inner:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "0"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


UNMARKED = re.compile(r"(?<![\w.`(/])[a-z]\w*=(?=[\s,;:)\d]|$)|(?<![\w.`=(])cg\.\w")
NOT_LOOKED_AT = re.compile(r"``.*?``|\w\([^()]*\)", re.DOTALL)  # marks, other calls
EXEMPT = ("errors.py", "mentions.py", "lazy_names.py", "former_names.py")


def unmarked(module_nodes):
    """Return what raises mention without marks."""
    return [
        text
        for node in module_nodes
        if isinstance(node, ast.Raise) and node.exc is not None
        for text in texts_of(node.exc)
        if UNMARKED.search(NOT_LOOKED_AT.sub("", text))
    ]


def test_a_forgotten_mark_is_found():
    assert unmarked(ast.walk(ast.parse("raise E('give budget= or cg.run(x)')")))
    assert unmarked(ast.walk(ast.parse("raise E(f'n_units={n} is none')")))
    assert not unmarked(
        ast.walk(ast.parse("raise E(f'``n_units={n}`` is none; see ``cg.run(x=1)``')"))
    )


def test_raises_mark_what_they_mention():
    found = {
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in PACKAGE.rglob("*.py")
        if path.name not in EXEMPT
        for text in unmarked(nodes(path))
    }
    assert not found


def test_a_warning_is_made_before_it_is_given_so_that_filters_see_its_words():
    """`warnings.filterwarnings(message=)` reads the text that `warn` is given."""
    wrong = []
    for path in sorted(Path(cg.__file__).parent.rglob("*.py")):
        for node in nodes(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
                made = ast.unparse(node.args[0]).partition("(")[0]
                if len(node.args) > 1 or not made.endswith(("Warning", "category")):
                    wrong.append(f"{path.name}:{node.lineno}: {made}")
    assert wrong == []


def option_names():
    """Return the arguments that are options of some command."""
    program = typer.main.get_command(app)
    bench = [f"mpra {name}" for name in program.lazy["mpra"].lazy]
    return {
        option.removeprefix("--").replace("-", "_")
        for command in [*program.lazy, *bench]
        for option in program.options_of(command) or ()
        if option.startswith("--")
    }


def bare_names(module_nodes, names):
    """Return the texts in raises that begin with the bare name of an argument."""
    return [
        text
        for node in module_nodes
        if isinstance(node, ast.Raise) and node.exc is not None
        for text in texts_of(node.exc)
        if (begin := re.match(r"([a-z]\w*): ", text)) and begin[1] in names
    ]


def test_a_bare_name_is_found():
    assert bare_names(ast.walk(ast.parse("raise E('rope: it is a point')")), {"rope"})
    assert bare_names(
        ast.walk(ast.parse("raise E(need=f'rope: {x} is a point')")), {"rope"}
    )
    assert not bare_names(
        ast.walk(ast.parse("raise E(f'``rope``: {x} is a point')")), {"rope"}
    )
    assert not bare_names(
        ast.walk(ast.parse("raise E('volcano: there are no verdicts')")), {"rope"}
    )


def test_raises_that_begin_with_an_argument_mark_its_name():
    names = {name for table in TABLES.values() for name in table} | option_names()
    assert {"interaction", "n_units", "contrasts", "min_dna", "pilot"} <= names
    found = {
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in PACKAGE.rglob("*.py")
        for text in bare_names(nodes(path), names)
    }
    assert not found


@pytest.mark.parametrize(
    ("options", "shell"),
    [
        ([], "contrasts"),
        (["--contrasts"], "--contrasts"),
        (["--contrast"], "--contrast"),
    ],
)
def test_a_message_that_begins_with_an_argument_begins_with_its_option(options, shell):
    set_options(options)
    with pytest.raises(DesignError) as found:
        cg.Design(
            null=cg.Uniform(length=20),
            arms={"0": cg.Untreated(), "A": cg.Embed("GATA", at=3)},
            n_units=2,
            contrasts="B",
        )
    assert str(found.value).startswith("contrasts: the control 'B' is not an arm")
    assert in_shell(found.value).startswith(f"{shell}: the control 'B' is not an arm")

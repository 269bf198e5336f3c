"""Errors carry fields: Python, the shell and trial files write the same error in words
of their own, and no function reads or edits the text of another's error.
"""

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest
from house import nodes

import causalgia as cg
from causalgia.checks import as_ci_prob, as_int, check_draws, check_flag
from causalgia.cli.shell_words import in_shell, set_options
from causalgia.design.arms import intervention_from_dict, null_from_dict
from causalgia.errors import (
    NOT_GIVEN,
    ArgumentOf,
    CausalgiaError,
    DecisionError,
    DesignError,
    EstimateError,
    InferenceError,
    MissingExtraError,
    OutcomesError,
    PredictorError,
    RandomnessError,
    Setting,
    ShortNumber,
    StoreError,
    TrialInterruptedError,
)
from causalgia.estimation.request import check_cluster_name
from causalgia.predict import NonFiniteError
from causalgia.ropes import Rope
from causalgia.streams import root_key

PACKAGE = Path(cg.__file__).parent

EDITS = {
    *("replace", "split", "rsplit", "splitlines", "partition", "rpartition"),
    *("removeprefix", "removesuffix", "strip", "lstrip", "rstrip"),
    *("startswith", "endswith", "find", "index"),
}
READERS = ("str", "_lines_of", "first_words", "message_line")
OF_OTHER_LIBRARIES = {
    # how a message of any library is made one line
    ("errors.py", "_lines_of"),
    # click
    ("cli/parser_messages.py", "parser_message"),
    # PyTorch
    ("predict/answer_checks.py", "causes_of_failure"),
    ("predict/_load_predictor.py", "_cure_of_weights"),
}


def errors_of(function):
    """Return the names that are exceptions in a function."""
    names = {
        node.name
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and node.name
    }
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        kind = "" if argument.annotation is None else ast.unparse(argument.annotation)
        if kind.endswith(("Error", "Exception")) and "[" not in kind:
            names.add(argument.arg)
    return names


def formats_messages(function):
    return any(
        "format_message" in (getattr(node, "attr", ""), getattr(node, "id", ""))
        for node in ast.walk(function)
    )


def edits_of_errors(module_nodes):
    """Return the functions that cut, search or replace the text of an error."""
    found = set()
    for function in module_nodes:
        if not isinstance(function, ast.FunctionDef):
            continue
        names = errors_of(function)
        if not names and not formats_messages(function):
            continue  # it has no text of an error
        texts = set()

        def is_text(node, names=names, texts=texts):
            if isinstance(node, ast.Name):
                return node.id in texts
            if isinstance(node, ast.Attribute):
                return node.attr == "args" and ast.unparse(node.value) in names
            if isinstance(node, ast.Subscript):
                return is_text(node.value)
            if not isinstance(node, ast.Call):
                return False
            name = ast.unparse(node.func)
            if name.endswith("format_message"):
                return True
            return name in READERS and (
                ast.unparse(node.args[0]) in names or is_text(node.args[0])
            )

        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                pairs = zip(
                    node.targets[0].elts, getattr(node.value, "elts", ()), strict=False
                )
            elif isinstance(node, ast.Assign):
                pairs = [(node.targets[0], node.value)]
            else:
                continue
            texts |= {
                target.id
                for target, value in pairs
                if isinstance(target, ast.Name) and is_text(value)
            }
        for node in ast.walk(function):
            edited = (
                isinstance(node, ast.Attribute)
                and node.attr in EDITS
                and is_text(node.value)
            )
            cut = isinstance(node, ast.Subscript) and (
                isinstance(node.value, ast.Call) and is_text(node.value)
            )
            searched = isinstance(node, ast.Compare) and any(
                isinstance(operator, ast.In | ast.NotIn) and is_text(text)
                for operator, text in zip(node.ops, node.comparators, strict=True)
            )
            matched = (
                isinstance(node, ast.Call)
                and ast.unparse(node.func)
                .rpartition(".")[2]
                .startswith(("sub", "search", "match", "fullmatch", "findall"))
                and any(is_text(argument) for argument in node.args)
            )
            if edited or cut or searched or matched:
                found.add(function.name)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "str(error).replace('a', 'b')",
        "str(error).split(';')[0]",
        "'a' in str(error)",
        "re.sub('a', 'b', str(error))",
        "str(error)[:200]",
        "error.args[0].removeprefix('a')",
    ],
)
def test_an_edit_is_found(line):
    source = f"def f():\n try:\n  g()\n except E as error:\n  return {line}"
    assert edits_of_errors(ast.walk(ast.parse(source))) == {"f"}


def test_an_error_that_is_passed_on_is_no_edit():
    source = (
        "def f():\n try:\n  g()\n except E as error:\n  raise error.at('a') from error"
    )
    assert not edits_of_errors(ast.walk(ast.parse(source)))


def test_only_texts_of_other_libraries_are_read():
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in edits_of_errors(nodes(path))
    }
    assert found == OF_OTHER_LIBRARIES


OPTIONS = frozenset({"--rope", "--target", "--pilot-arms", "--out", "--oligos"})


@pytest.mark.parametrize(
    ("name", "value", "python", "shell"),
    [
        ("rope", 95, "rope=95", "--rope 95"),
        ("rope", (-0.1, 0.1), "rope=(-0.1, 0.1)", "--rope=-0.1,0.1"),
        ("rope", NOT_GIVEN, "rope=", "--rope"),
        ("rope", None, "rope=None", "--rope"),
        ("rope", ShortNumber(1), "rope=1", "--rope 1"),
        (
            "target",
            "next predictor",
            "target='next predictor'",
            "--target 'next predictor'",
        ),
        ("scale", "ln", "scale='ln'", 'scale = "ln" in [analysis]'),
        ("ci_prob", 95, "ci_prob=95", "ci_prob = 95 in [analysis]"),
        (
            "contrasts",
            {"a": {"b": 1}},
            "contrasts={'a': {'b': 1}}",
            "contrasts = {a = {b = 1}}",
        ),
        ("n_oligos", 9, "n_oligos=9", "--oligos 9"),
        ("unknown_one", "x", "unknown_one='x'", "unknown_one='x'"),
    ],
)
def test_a_setting_in_python_and_in_the_shell(name, value, python, shell):
    set_options(OPTIONS)
    error = CausalgiaError(argument=name, value=value, need="is wrong")
    assert str(error) == f"{python} is wrong"
    in_need = CausalgiaError(need=("give ", Setting(name, value)))
    assert str(in_need) == f"give {python}"
    assert in_shell(error) == f"{shell} is wrong"
    assert in_shell(in_need) == f"give {shell}"


def test_a_key_of_a_trial_file_is_written_as_toml_everywhere():
    set_options(OPTIONS)
    with pytest.raises(DesignError) as found:
        cg.Analysis.from_dict({"ci_prob": 0.2})
    error = found.value
    assert (error.argument, error.value, error.places) == (
        "ci_prob",
        0.2,
        ("[analysis]",),
    )
    assert str(error).endswith(
        "it is the probability of the interval, not its error: give ci_prob = 0.8"
    )
    assert in_shell(error) == str(error)


def test_all_parts_of_a_message_are_in_order():
    error = CausalgiaError(
        argument="rope",
        value=1,
        need=("is one number, not ", Setting("target", "units")),
        cure="give two",
        example=(-1, 1),
        then="; or none",
        places=("trial.toml", "[analysis]"),
    )
    assert str(error) == (
        "trial.toml: [analysis]: rope=1 is one number, not target='units'; give two; "
        "for example rope=(-1, 1); or none"
    )
    set_options(OPTIONS)
    assert in_shell(error) == (
        "trial.toml: [analysis]: --rope 1 is one number, not --target units; give two; "
        "for example --rope=-1,1; or none"
    )


@pytest.mark.parametrize(
    ("function", "kind", "argument", "value", "example"),
    [
        (lambda: Rope.parse(95), DecisionError, "rope", 95, NOT_GIVEN),
        (lambda: Rope.parse("wide"), DecisionError, "rope", "wide", NOT_GIVEN),
        (lambda: Rope.parse((1, 2, 3)), DecisionError, "rope", (1, 2, 3), (-0.1, 0.1)),
        (lambda: as_ci_prob(95), EstimateError, "ci_prob", 95, 0.95),
        (lambda: as_ci_prob(0.05), EstimateError, "ci_prob", 0.05, NOT_GIVEN),
        (lambda: root_key(None), RandomnessError, "rng", NOT_GIVEN, 0),
        (lambda: check_draws(0, usual=9), InferenceError, "n_draws", 0, 9),
        (
            lambda: check_flag(1, "track", error=EstimateError),
            EstimateError,
            "track",
            1,
            NOT_GIVEN,
        ),
        (lambda: as_int(2.5, "k"), PredictorError, "k", 2.5, NOT_GIVEN),
        (
            lambda: check_cluster_name(3, of_units=True),
            EstimateError,
            "cluster",
            3,
            NOT_GIVEN,
        ),
    ],
)
def test_guards_name_the_argument_and_its_value(
    function, kind, argument, value, example
):
    with pytest.raises(kind) as found:
        function()
    error = found.value
    assert (error.argument, error.value, error.example) == (argument, value, example)


@pytest.mark.parametrize(
    "kind",
    [
        DesignError,
        StoreError,
        MissingExtraError,
        TrialInterruptedError,
        RandomnessError,
    ],
)
def test_where_it_happened_is_added_and_all_else_stays(kind):
    error = kind(argument="rng", value=-1, need="is negative", example=0, code="sign")
    placed = error.at("trial.toml", "arm 'A'", then=", or leave it out")
    assert type(placed) is kind
    assert str(placed) == (
        "trial.toml: arm 'A': rng=-1 is negative; for example rng=0, or leave it out"
    )
    assert (placed.argument, placed.value, placed.code) == ("rng", -1, "sign")
    assert str(error) == "rng=-1 is negative; for example rng=0"
    again = pickle.loads(pickle.dumps(placed))
    assert (type(again), str(again)) == (kind, str(placed))
    assert (again.argument, again.example, again.places) == (
        "rng",
        0,
        ("trial.toml", "arm 'A'"),
    )


def test_another_type_and_a_type_with_fields_of_its_own():
    error = NonFiniteError("sequence 3, task 'a': nan", row=3, task="a", value=np.nan)
    placed = error.at("arm 'A'")
    assert isinstance(placed, NonFiniteError)
    assert (str(placed), placed.row) == ("arm 'A': sequence 3, task 'a': nan", 3)
    other = error.replace(error=OutcomesError)
    assert (type(other), str(other)) == (OutcomesError, str(error))


def test_an_error_holds_no_data_and_no_empty_values():
    data = np.arange(5)
    error = EstimateError(argument="covariates", value=data, need="are numbers")
    assert error.value == "array([0, 1, 2, 3, 4])"
    assert str(error) == "covariates=array([0, 1, 2, 3, 4]) are numbers"
    lazy = EstimateError(argument="over", value=lambda: 0, need="is a function")
    assert pickle.loads(pickle.dumps(lazy)).argument == "over"
    missing = pickle.loads(pickle.dumps(EstimateError(argument="over", need="lacks")))
    assert missing.value is NOT_GIVEN


def test_arguments_that_have_another_name_further_out():
    inner = EstimateError(need=("give ", Setting("arms")), cure=("or ", Setting("tau")))
    error = EstimateError(argument="arms", value=1, need=(": ", inner))
    renamed = error.renamed({"arms": "pilot_arms"})
    assert str(renamed) == "pilot_arms=1: give pilot_arms=; or tau="


def test_places_move_from_a_class_to_its_table():
    with pytest.raises(DesignError, match=r"^Genomic\(of=\.\.\.\): ") as found:
        cg.Genomic(of=["ACGT", "ACG!"])
    place = found.value.places[0]
    assert isinstance(place, ArgumentOf)
    assert (place.owner, place.argument) == ("Genomic", "of")
    assert pickle.loads(pickle.dumps(found.value)).places[0].argument == "of"


@pytest.mark.parametrize(
    ("read", "plain", "message"),
    [
        (null_from_dict, {"kind": "uniform"}, "null 'uniform': 'length' is missing"),
        (
            null_from_dict,
            {"kind": "uniform", "length": 9, "lenght": 1},
            "null 'uniform': there is no key 'lenght'; did you mean 'length'?",
        ),
        (
            intervention_from_dict,
            {"embed": "GATA", "at": 3, "strnd": "-"},
            "embed: there is no key 'strnd'; did you mean 'strand'?",
        ),
        (
            intervention_from_dict,
            {"delete": [3, 5], "zzz": 1},
            "delete: there is no key 'zzz'; it takes delete",
        ),
    ],
)
def test_keys_of_a_table_are_compared_with_the_signature(read, plain, message):
    with pytest.raises(DesignError) as found:
        read(plain)
    assert str(found.value).startswith(message)


@pytest.mark.parametrize("places", [("Analysis",), ("[null]",), ()])
def test_an_error_in_a_file_is_another_one_than_its_cause(places) -> None:
    """One that was its own cause would be walked for ever."""
    error = DesignError(argument="rope", value=1, need="is odd", places=places)
    assert error.in_file() is not error
    in_python = error.text()
    assert error.in_file().text() == (
        "[analysis]: rope = 1 is odd" if "Analysis" in places else in_python
    )
    with pytest.raises(DesignError) as caught:
        cg.Analysis.from_dict({"contrl": "a"})
    assert caught.value.__cause__ is not caught.value


def test_a_plan_is_refused_in_the_shell_by_its_settings() -> None:
    with pytest.raises(DesignError) as caught:
        cg.Analysis(rope=(1, -1))
    set_options({})
    assert in_shell(caught.value).startswith("rope = [1, -1] in [analysis] is reversed")

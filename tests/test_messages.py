"""What messages quote of values: at most 80 characters, escaped, by one function, in
every verb.
"""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from house import nodes, tree

import causalgia as cg
from causalgia.errors import (
    CausalgiaError,
    OutcomesError,
    StoreError,
    printable,
    quoted_apart,
    type_in_words,
)
from causalgia.trial.archive import Archive

_PACKAGE = Path(cg.__file__).parent
_WRITES_CODE = {
    "__repr__",
    "extra_repr",
    "fingerprint",
    "fingerprint_parts",
    "toml_value",
}
"""Functions whose text is read by Python again, or by a hash."""
_BOUNDED = {
    "errors.py": {"quoted", "quoted_apart", "quoted_path", "__getattr__"},
    "design/null_model.py": {"_extras"},
    "_run/_run.py": {"_run_until"},
    "lazy_names.py": {"unknown_name"},
    "predict/fingerprint.py": {"read", "_array"},
    "experiments/_variants.py": {"_in_call"},  # the call that takes the place of one
    "stopping/stopping_rules.py": {"_as_text"},  # read again as literals
}


_CHECKED = {"kind", "', '.join(missing)"}
"""Values that a list was searched for before."""


def _inside(module: ast.Module) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Yield each node with the names of the functions that it is in."""
    rest: list[tuple[ast.AST, tuple[str, ...]]] = [(module, ())]
    while rest:
        node, functions = rest.pop()
        if isinstance(node, ast.FunctionDef):
            functions = (*functions, node.name)
        yield node, functions
        rest += [(child, functions) for child in ast.iter_child_nodes(node)]


def _is_repr(node: ast.AST) -> bool:
    if isinstance(node, ast.FormattedValue):
        return node.conversion in (ord("r"), ord("a"))
    return isinstance(node, ast.Name) and node.id in ("repr", "ascii")


def test_code_quotes_values_by_one_function_alone():
    found = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        name = path.relative_to(_PACKAGE).as_posix()
        allowed = _WRITES_CODE | _BOUNDED.get(name, set())
        for node, functions in _inside(tree(path)):
            if _is_repr(node) and not allowed & set(functions):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")  # type: ignore[attr-defined]
    assert not found, (
        "quote values in messages by causalgia.errors.quoted:\n" + "\n".join(found)
    )


def _between_quotes(node: ast.AST) -> Iterator[str]:
    """Return what an f-string puts between quotes of its own."""
    if isinstance(node, ast.JoinedStr):
        for before, value, after in zip(
            node.values, node.values[1:], node.values[2:], strict=False
        ):
            texts = [
                part.value if isinstance(part, ast.Constant) else ""
                for part in (before, after)
            ]
            if (
                isinstance(value, ast.FormattedValue)
                and texts[0].endswith((" '", "='"))
                and texts[1].startswith("'")
            ):
                yield ast.unparse(value.value)


def test_errors_put_no_value_between_quotes_of_their_own():
    found = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        for raised in nodes(path):
            if isinstance(raised, ast.Raise):
                quotes = [
                    value
                    for node in ast.walk(raised)
                    for value in _between_quotes(node)
                ]
                found += [
                    f"{path.name}:{raised.lineno}: '{{{value}}}'"
                    for value in quotes
                    if value not in _CHECKED
                ]
    assert not found, (
        "quote values in messages by causalgia.errors.quoted:\n" + "\n".join(found)
    )


_BEFORE_A_TYPE = (" a ", " an ", " is ", " not ", " but ", " returned ", " be ", "=")
_AFTER_A_TYPE = (" is not a", " is neither a")


def _types_by_hand(node: ast.AST) -> Iterator[str]:
    """Return the types of values that an f-string names without
    `causalgia.errors.type_in_words`.
    """
    if isinstance(node, ast.JoinedStr):
        for before, value, after in zip(
            [None, *node.values], node.values, [*node.values[1:], None], strict=False
        ):
            texts = [
                str(part.value) if isinstance(part, ast.Constant) else ""
                for part in (before, after)
            ]
            if (
                isinstance(value, ast.FormattedValue)
                and re.fullmatch(r"type\(.+\)\.__name__", ast.unparse(value.value))
                and (
                    f" {texts[0]}".endswith(_BEFORE_A_TYPE)
                    or texts[1].startswith(_AFTER_A_TYPE)
                )
            ):
                yield ast.unparse(value.value)


def test_messages_name_the_type_of_a_value_by_one_function_alone():
    found = [
        f"{path.relative_to(_PACKAGE)}:{node.lineno}: {{{by_hand}}}"  # type: ignore[attr-defined]
        for path in sorted(_PACKAGE.rglob("*.py"))
        for node in nodes(path)
        for by_hand in _types_by_hand(node)
    ]
    assert not found, (
        "name the type of a value by causalgia.errors.type_in_words:\n"
        + "\n".join(found)
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "an int"),
        (OrderedDict(), "an OrderedDict"),
        (np.zeros(2), "an ndarray"),
        (np.int64(3), "an int64"),
        (cg.Uniform(length=9), "a Uniform"),
        (cg.Untreated(), "an Untreated"),
        (None, "None"),
        (b"ACGT", "bytes"),
        (len, "a function"),
        (cg.Uniform, "the class Uniform"),
    ],
)
def test_a_type_is_named_as_it_is_spoken(value, words):
    assert type_in_words(value) == words


LONG = {
    "words": "x y " * 2_500,
    "word": "x" * 10_000,
    "escapes": "\x1b[31m red \x07" * 1_000,
    "digits": 10**5_000,
    "array": np.array(["x y"] * 10_000),
    "numbers": [0] * 10_000,
    "table": {f"x y {i}": "\x1b[0m" for i in range(2_000)},
}
_NULL = cg.Uniform(length=30)
_ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=9)}


def _design(**given):
    return cg.Design(**{"null": _NULL, "arms": _ARMS, "n_units": 12} | given)


def _predictor(**given):
    return cg.FunctionPredictor(
        lambda x: x[:, 0].sum(1), **{"tasks": ["A"], "fingerprint": "A"} | given
    )


@pytest.fixture(scope="module")
def outcomes():
    return cg.run(_design(), _predictor(), rng=0)


@pytest.fixture(scope="module")
def estimates(outcomes):
    return cg.estimate(cg.contrast(outcomes, control="none"))


def _name(value):
    return value if isinstance(value, str) else LONG["words"]


VERBS = {
    "Embed": lambda value, *_: cg.Embed(value, at=9),
    "Embed at": lambda value, *_: cg.Embed("GATA", at=value),
    "Placebo strand": lambda value, *_: cg.Placebo("GATA", at=9, strand=value),
    "Scramble": lambda value, *_: cg.Scramble(value),
    "Ablate fill": lambda value, *_: cg.Ablate((3, 9), fill=value),
    "motif": lambda value, *_: cg.motif(value),
    "Uniform": lambda value, *_: cg.Uniform(length=value),
    "Design n_units": lambda value, *_: _design(n_units=value),
    "Design assignment": lambda value, *_: _design(assignment=value),
    "Design contrasts": lambda value, *_: _design(contrasts=value),
    "Design contrasts by weights": lambda value, *_: _design(
        contrasts={"c": {"GATA": value, "none": -1}}
    ),
    "Design name of a contrast": lambda value, *_: _design(
        contrasts={_name(value): {"GATA": 1, "none": 1}}
    ),
    "Design name of an arm": lambda value, *_: _design(
        arms={**_ARMS, _name(value): cg.Embed("GATA", at=9)}
    ),
    "Design arms": lambda value, *_: _design(arms={**_ARMS, "odd": value}),
    "FunctionPredictor tasks": lambda value, *_: _predictor(tasks=value),
    "Ensemble": lambda value, *_: cg.Ensemble(value),
    "oracle": lambda value, *_: cg.zoo.oracle(value),
    "run keep": lambda value, *_: cg.run(_design(), _predictor(), rng=0, keep=value),
    "run until": lambda value, *_: cg.run(_design(), _predictor(), rng=0, until=value),
    "run rng": lambda value, *_: cg.run(
        _design(), _predictor(), rng=value if isinstance(value, str) else [value]
    ),
    "check": lambda value, *_: cg.check(_design(), value),
    "contrast": lambda value, outcomes, _: cg.contrast(outcomes, control=value),
    "contrast scale": lambda value, outcomes, _: cg.contrast(
        outcomes, control="none", scale=value
    ),
    "contrast by weights": lambda value, outcomes, _: cg.contrast(
        outcomes, contrasts={"c": {"GATA": value, "none": -1}}
    ),
    "estimate": lambda value, outcomes, _: cg.estimate(
        cg.contrast(outcomes, control="none"), cluster=value
    ),
    "estimate ci_prob": lambda value, outcomes, _: cg.estimate(
        cg.contrast(outcomes, control="none"), ci_prob=value
    ),
    "adjust": lambda value, _, estimates: cg.adjust(estimates, method=value),
    "infer": lambda value, _, estimates: cg.infer(estimates, rng=0, law=value),
    "decide": lambda value, _, estimates: cg.decide(estimates, rope=value),
    "hypotheses": lambda value, _, estimates: cg.estimation.hypotheses(
        estimates, value
    ),
    "Analysis control": lambda value, *_: (
        _design() and cg.Analysis(control=value, rope=(-0.1, 0.1))
    ),
    "Analysis error": lambda value, *_: cg.Analysis(control="none", error=value),
    "from_effects": lambda value, *_: cg.from_effects([0.5, value], [0.1, 0.1]),
    "open": lambda value, *_: cg.open(
        value if isinstance(value, str) else str(LONG["words"])
    ),
    "library": lambda value, *_: cg.mpra.library(
        _design(), rng=0, adapters=value, oligo_length=200
    ),
    "mpra.read_igvf": lambda value, *_: cg.mpra.read_igvf("x.tsv", value),
    "experiments.copies": lambda value, *_: cg.experiments.copies(at=value),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("verb", VERBS)
def test_a_long_value_is_quoted_in_80_characters(verb, kind, outcomes, estimates):
    try:
        VERBS[verb](LONG[kind], outcomes, estimates)
    except CausalgiaError as error:
        text = str(error)
    else:
        return  # taken for what it is, as a name may be
    assert printable(text) == text
    assert "x y " * 21 not in text, text
    assert "0, " * 27 not in text, text
    assert text.count("red") <= 12, text
    assert len(text) < 1_000, text


def test_a_scale_that_is_no_text_is_refused_in_few_letters(outcomes):
    effects = outcomes.assign_attrs(scale=10**5_000)
    with pytest.raises(
        OutcomesError, match="is an int with more digits than can be"
    ) as no:
        cg.report(cg.estimate(cg.contrast(effects, control="none")))
    assert len(str(no.value)) < 400


@pytest.mark.parametrize(
    ("there", "now", "shown"),
    [
        ("conv 1; " * 40 + "relu", "conv 1; " * 40 + "gelu", ("relu'", "gelu'")),
        (
            "a" * 500 + "\x1b[31m" + "b" * 500,
            "a" * 500 + "\u202e" + "b" * 500,
            (r"\x1b[31m", r"\u202e"),
        ),
        ("p" * 81, "p" * 82, ("p'", "pp'")),
        ("x", "y" * 400, ("'x'", "'yyy")),
    ],
)
def test_what_tells_two_long_values_apart_is_shown_in_80_characters(there, now, shown):
    found = quoted_apart(there, now)
    assert len(set(found)) == 2
    for text, part in zip(found, shown, strict=True):
        assert part in text
        assert len(text) <= 80
        assert text.isprintable()


def test_a_store_of_another_trial_shows_where_long_settings_differ(tmp_path):
    path, long = tmp_path / "a.zarr", {"plan": "conv 1; " * 60 + "relu\x1b[31m"}
    call = {
        "fields": (),
        "turn_ends": [4],
        "turns_a_chunk": 1,
        "frame": xr.Dataset(attrs={"scale": "log counts"}),
    }
    Archive.create(path, identity=long, parts={"versions": "1" * 300}, **call).close()
    with pytest.raises(StoreError) as caught:
        Archive.resume(path, identity={"plan": "conv 1; " * 60 + "gelu"})
    said = str(caught.value).replace(str(path), "")
    assert r"relu\x1b[31m' there, ..." in said
    assert "gelu' now" in said
    assert len(said) < 300

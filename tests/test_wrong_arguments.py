"""A wrong value for an argument of a public call ends in an error that names it: never in
one of Python or of another library, never in NaN, never in a call without an end.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from working_calls import methods, public
from wrong_arguments import endings

import causalgia as cg
from causalgia import store
from causalgia.declared_types import contradiction
from causalgia.errors import ArgumentError

ALLOWED = {
    ("tipping_point", "by"): "a function of the user's fails by itself",
    ("multiplicity.hierarchical_q", "p"): "a missing p-value has a missing q",
    ("paper.View", "effects"): "a notebook's view of whatever it is given",
    ("mpra.Controls", "positives"): "read with the library, which refuses them",
}
"""Arguments whose wrong values may end otherwise, and why."""


def callables() -> Iterator[tuple[str, Any, Any]]:
    """Yield each public callable with what has examples of it, if it has none itself."""
    for name, value in public():
        yield name, value, None
        if isinstance(value, type):
            for key, function in methods(name, value):
                has_own = ">>>" in (function.__doc__ or "")
                yield key, function, None if has_own else value


@pytest.fixture
def each_file_read_in_a_child_once(monkeypatch):
    """Hundreds of calls read one file: a child process of each takes most of a second."""
    read, sound = store._read_in_child, set[tuple[str, bytes]]()

    def once(path: Path, size: int, kind: str = "netCDF") -> None:
        if (key := (kind, path.read_bytes())) not in sound:
            read(path, size, kind)
            sound.add(key)

    monkeypatch.setattr(store, "_read_in_child", once)


@pytest.mark.usefixtures("each_file_read_in_a_child_once")
@pytest.mark.rotating
@pytest.mark.parametrize(
    ("name", "value", "of"), [pytest.param(*one, id=one[0]) for one in callables()]
)
def test_a_wrong_value_is_named(name, value, of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "TorchPredictor":  # its imports take longer than a call may
        with warnings.catch_warnings(action="ignore"):
            torch.compile(torch.nn.Identity())
    wrong = [
        f"{one.argument}: {one.wrong} is {one.what}: {one.error!r}"
        for one in endings(value, of)
        if one.what not in ("typed", "taken") and (name, one.argument) not in ALLOWED
    ]
    assert not wrong, "\n".join(wrong[:20])


def test_every_exception_is_one_of_a_callable():
    assert {name for name, _ in ALLOWED} <= {name for name, _, _ in callables()}


def test_an_error_of_a_wrong_kind_has_its_cause_and_its_fields():
    contrasts: Any = {"a": 1}
    with pytest.raises(ArgumentError) as error:
        cg.motif("GATA1", release=contrasts)
    assert error.value.argument == "release"
    assert error.value.value == contrasts
    assert str(error.value) == "motif: release={'a': 1} must be text or None"
    assert isinstance(error.value.__cause__, TypeError)


def test_an_error_of_a_users_function_stays_what_it_is():

    predictor = cg.FunctionPredictor(lambda x: x[:, 0].sum(1), tasks=["t"])
    outcomes = cg.run(
        cg.Design(
            null=cg.Uniform(length=9),
            arms={"a": cg.Untreated(), "b": cg.Embed("ACG", at=2)},
            n_units=5,
        ),
        predictor,
        rng=0,
    )
    with pytest.raises(ZeroDivisionError):
        cg.tipping_point(outcomes, control="a", rope=0, by=lambda _: 1 / 0)


def _takes(
    *steps: int,
    motif: str | None = None,
    at: Sequence[int] = (),
    strand: Literal["+", "-"] = "+",
    span: tuple[int, int] = (0, 1),
    weights: Mapping[str, float] | None = None,
    share: float = 0.5,
) -> None:
    """Take values of many kinds."""


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("motif", 3, "text or None"),
        ("at", "12", "a list of whole numbers"),
        ("at", {1, 2}, "a list of whole numbers"),
        ("at", [1.5], "a list of whole numbers"),
        ("strand", "x", 'one of "+", "-"'),
        ("span", (1,), "a tuple (a whole number, a whole number)"),
        ("weights", {"a": "b"}, "a dict of finite numbers or None"),
        ("share", float("nan"), "a finite number"),
        ("share", True, "a finite number"),
        ("share", 10**400, "a finite number"),
    ],
)
def test_a_value_is_compared_with_the_signature(name, value, words):
    error = contradiction(_takes, (), {name: value})
    assert error is not None
    assert error.argument == name
    assert str(error).endswith(f"must be {words}")


def test_values_of_the_declared_kinds_are_never_named():
    import numpy as np
    import pandas as pd

    for given in (
        {"motif": np.str_("A"), "share": np.float32(0.5), "weights": {"a": 1}},
        {"at": np.arange(3), "span": [0, 4], "strand": "-"},
        {"at": pd.Series([1, 2]), "weights": pd.Series({"a": 1.0}).to_dict()},
        {"at": range(3), "motif": None},
    ):
        assert contradiction(_takes, (1, 2), given) is None
    assert contradiction(_takes, (1, "2"), {}) is not None

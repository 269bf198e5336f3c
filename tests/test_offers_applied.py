"""A cure that does not cure is found in whatever test meets it, and others are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import applied_cures
import pytest
from applied_cures import LONG, not_cured, refusals_noted
from test_offered_values import callables

from causalgia.errors import DesignError, Setting
from causalgia.lazy_names import naming_arguments

HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Plan:
    """A value with a field that is checked by the call which takes it."""

    n: int = 0


@naming_arguments
def inner(n: int, *, least: int = 1) -> int:
    if n < least:
        raise DesignError(argument="n", value=n, need="is too few", example=1)
    return n


@naming_arguments
def outer(plan: Plan, *, least: int = 1, way: str = "") -> int:
    if way == "wrong":
        raise DesignError(f"``way={way!r}`` is no way; give ``way='wrong'``")
    if way == "known":
        raise DesignError("no columns; ``way='known'`` has the columns a, b")
    if way == "short":
        raise DesignError("too short; give ``cg.outer(..., way='long')``")
    if way == "two":
        raise DesignError(
            need="too few", cure=("give ", Setting("least", 0), " and ``way='long'``")
        )
    return inner(plan.n, least=least if way != "long" else 0)


def refused(*args: Any, **given: Any) -> list[str]:
    """Return what the check says of one call that is refused."""
    with refusals_noted() as notes, pytest.raises(DesignError):
        outer(*args, **given)
    assert len(notes.refused) == 1
    return not_cured(notes, HERE)


@pytest.mark.parametrize(
    ("given", "again"),
    [
        pytest.param({"way": "wrong"}, "way='wrong'", id="a mention"),
        pytest.param({"least": 2}, "n=0 is too few", id="an example"),
    ],
)
def test_a_cure_that_is_refused_again_is_found(given, again):
    (found,) = refused(Plan(), **given)
    assert again in found


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="a field of an argument"),
        pytest.param({"way": "short"}, id="a call"),
        pytest.param({"way": "known"}, id="a statement"),
        pytest.param({"way": "two"}, id="two settings"),
    ],
)
def test_a_cure_that_is_taken_is_not(given):
    assert not refused(Plan(), **given)


def test_the_error_of_an_inner_call_is_noted_once_with_both_calls():
    with refusals_noted() as notes, pytest.raises(DesignError):
        outer(Plan())
    (one,) = notes.refused
    assert [level.name for level in one.levels] == ["outer", "inner"]
    assert applied_cures.taker(one, "n") is one.levels[0]
    assert applied_cures.taker(one, "least") is one.levels[0]
    assert applied_cures.taker(one, "no such name") is None


def test_the_setting_that_was_given_is_changed_where_two_arguments_have_it():
    @naming_arguments
    def both(first: Plan, second: Plan) -> int:
        return inner(first.n or 1) + inner(second.n)

    with refusals_noted() as notes, pytest.raises(DesignError):
        both(Plan(), Plan(-1))
    (one,) = notes.refused
    (offer,) = applied_cures.offers_made(one)
    assert applied_cures.applied(one, *offer).outcome == applied_cures.ACCEPTED


def test_what_is_caught_within_a_call_is_no_refusal():
    @naming_arguments
    def caught() -> int:
        try:
            return inner(0)
        except DesignError:
            return 0

    with refusals_noted() as notes:
        assert caught() == 0
    assert not notes.refused


def test_every_long_function_is_one():
    names = {part for name, _ in callables() for part in name.split(".")}
    assert names >= LONG

"""The table of arguments: one row for a field of the plan, a key of a trial file and an
option of the shell.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

import causalgia as cg
from causalgia.analysis import AnalysisFields
from causalgia.arguments import ANALYSIS, TABLES
from causalgia.checks import check_value
from causalgia.errors import CausalgiaError


def test_the_plan_has_the_fields_of_the_table_in_its_order() -> None:
    assert [field.name for field in fields(cg.Analysis)] == list(ANALYSIS)
    assert list(AnalysisFields.__annotations__) == list(ANALYSIS)


def test_the_docstring_of_the_plan_says_what_the_table_says() -> None:
    text = inspect.getdoc(cg.Analysis) or ""
    section = text.split("Parameters\n----------\n")[1].split("\nRaises\n")[0]
    entries = re.findall(r"^(\w.*)\n((?: .*\n?|\n)+)", section, re.M)
    described = {
        name: " ".join(words.split())
        for names, words in entries
        for name in names.split(", ")
    }
    assert set(described) == set(ANALYSIS)
    for name, words in described.items():
        if not words.startswith("As in `causalgia."):
            assert words.startswith(ANALYSIS[name].meaning.rstrip(".")), name


@pytest.mark.parametrize("table", TABLES)
def test_a_row_says_what_is_needed_and_what_it_means(table: str) -> None:
    for name, row in TABLES[table].items():
        assert re.fullmatch(r"\S.*[^.]", row.need), name
        assert re.fullmatch(r"[^ `].*\.", row.meaning), name
        assert not row.more or row.more.endswith("."), name
        assert (row.is_valid is None) == (row.parse is not None), name
        with pytest.raises(CausalgiaError):
            check_value(object(), TABLES[table], name)


def test_what_a_verb_takes_by_name_is_an_argument_of_the_verb() -> None:
    verbs = {verb for row in ANALYSIS.values() for verb in row.verbs}
    for verb in verbs:
        taken = inspect.signature(getattr(cg, verb)).parameters
        for name, row in ANALYSIS.items():
            if verb in row.verbs and name != "shrink":
                assert name in taken, f"{verb}({name}=)"

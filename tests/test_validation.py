"""The validation table with fewer trials: every promise inside its band, every method shown failing outside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validate import CHECKS, page, table

pytestmark = pytest.mark.long
EACH = 0.001 / len(CHECKS)


def test_names_are_different() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_what_is_promised_happens(check) -> None:
    row = check.row(check.quick)
    assert row.n_trials >= check.quick
    assert row.passes(EACH), f"{row.name}: {row.value:.4f}, band {row.band(EACH)}"


def test_the_page_says_yes_and_no() -> None:
    rows = [check.row(50) for check in CHECKS[:2]]
    text = page(table(rows), [check.section for check in CHECKS[:2]])
    assert CHECKS[0].name in text
    assert "| yes |" in text

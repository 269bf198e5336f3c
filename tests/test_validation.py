"""The validation table with fewer trials: every promise inside its band, every method shown failing outside it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from validate import CHECKS, FIGURES, page, table

from causalgia.calibration import Row

pytestmark = pytest.mark.long
EACH = 0.001 / len(CHECKS)
FEW = 8
"""Up to so many trials say next to nothing of their own spread: with 2, the band of Student's t has 80,000 errors."""
KEPT = json.loads(FIGURES.read_text(encoding="utf-8"))
REPORTED = 2
"""Trials of a row without a promise: it has no band, and passes unless the trials fail or give no number."""


def with_known_spread(row: Row) -> Row:
    """Return a row of few trials with the spread between trials that those of the page had."""
    kept = KEPT.get(row.name)
    if row.n_trials > FEW or row.kind != "mean" or kept is None:
        return row
    sd = kept["mcse"] * kept["n_trials"] ** 0.5
    return replace(row, mcse=sd / row.n_trials**0.5, n_trials=kept["n_trials"])


def test_names_are_different() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_what_is_promised_happens(check) -> None:
    n = REPORTED if check.claim == "reported" and check.quick > FEW else check.quick
    row = check.row(n)
    assert row.n_trials >= n
    row = with_known_spread(row)
    assert row.passes(EACH), f"{row.name}: {row.value:.4f}, band {row.band(EACH)}"


def test_the_page_says_yes_and_no() -> None:
    rows = [check.row(50) for check in CHECKS[:2]]
    text = page(table(rows), [check.section for check in CHECKS[:2]])
    assert CHECKS[0].name in text
    assert "| yes |" in text

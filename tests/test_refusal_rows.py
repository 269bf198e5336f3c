"""What is refused because a number would be wrong in silence, a file half read, or the
failure would come an hour later: the class of the error, and the argument in its text.
"""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import refusal_rows
from refusal_rows import Row

ROWS = [
    pytest.param(row, id=f"{module.name}: {row.id}")
    for module in pkgutil.iter_modules(refusal_rows.__path__)
    for row in importlib.import_module(f"refusal_rows.{module.name}").ROWS
]


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_value_is_refused(row: Row) -> None:
    with pytest.raises(row.error) as caught:
        row.call()
    assert row.argument in str(caught.value)

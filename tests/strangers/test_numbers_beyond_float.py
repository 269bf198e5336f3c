"""Numbers near the largest of float64 in plans."""

from __future__ import annotations

import numpy as np
import pytest

from causalgia.planning import (
    power,
)


def test_numbers_that_a_float_holds_are_numbers() -> None:
    largest = int(np.finfo(float).max)
    found = power(sd=1e150, n_units=np.int64(10), rope=(-1, 1), true_effect=largest)
    assert found["power"] == pytest.approx(1)

# Imports from the inside: kernels of a log, an exponential and erfc, against the C
# library's.
"""Functions of kernels that compile to vector code, against the C library's."""

import math

import numpy as np
import pytest

from causalgia.posterior.scale_mixture import LOG2E, erfc, exp2, inverse_root, log2


@pytest.mark.parametrize(
    ("ours", "reference", "where", "right"),
    [
        (exp2, lambda x: 2.0**x, -np.linspace(0, 1000, 5_001), 1e-11),
        (
            inverse_root,
            lambda x: 1 / math.sqrt(x),
            np.geomspace(1e-300, 1e300, 5_001),
            4e-11,
        ),
        (log2, math.log2, np.geomspace(2, 1e300, 5_001), 1e-13),
        (log2, math.log2, np.geomspace(1e-300, 0.5, 5_001), 1e-13),
        (erfc, math.erfc, np.linspace(0, 26, 5_001), 3e-11),
        (erfc, math.erfc, np.geomspace(1e-12, 1, 501), 3e-11),
    ],
)
def test_each_is_as_right_as_it_says(ours, reference, where, right):
    error = [abs(ours(x) / reference(x) - 1) for x in where.tolist()]
    assert max(error) < right


def test_the_constant_is_that_of_the_logarithm():
    assert math.log2(math.e) == LOG2E


@pytest.mark.parametrize("x", [27.0, 1e3, 1e6])
def test_erfc_beyond_what_a_double_holds_is_next_to_nothing(x):
    assert 0 < erfc(x) < 1e-300


def test_the_logarithm_is_right_where_its_series_is_longest():
    """Over one power of 2 about 1, where the series is all there is, as far from 1 as
    it goes.
    """
    x = np.sqrt(0.5) * np.linspace(1, 2, 4_001)[:-1]
    assert max(abs(log2(v) - math.log2(v)) for v in x.tolist()) < 1e-13

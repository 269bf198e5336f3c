# Imports from the inside: adjusted p-values of arrays, against statsmodels.
"""Adjusted p-values: those of statsmodels to the bit, whatever the ties, the zeros and
the number of tests.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from causalgia.choices import STEPWISE
from causalgia.multiplicity.adjusted_p import stepwise

_THEIRS = {
    "bh": "fdr_bh",
    "holm": "holm",
}


@pytest.mark.parametrize("method", STEPWISE)
@pytest.mark.parametrize("count", [1, 2, 5, 200, 3_000])
def test_adjusted_p_values_are_those_of_statsmodels_to_the_bit(method, count):
    rng = np.random.default_rng(count)
    p = np.where(rng.random(count) < 0.3, rng.random(count) ** 20, rng.random(count))
    p[rng.random(count) < 0.1] = 1.0
    p[rng.random(count) < 0.05] = 0.0
    for values in (p, np.round(p, 2)):
        assert np.array_equal(
            stepwise(values, method), multipletests(values, method=_THEIRS[method])[1]
        )


def test_adjusting_loads_no_statistics_package():
    code = (
        "import sys, numpy as np\n"
        "from causalgia.multiplicity.adjusted_p import stepwise\n"
        "stepwise(np.array([0.1, 0.2]), 'bh')\n"
        "assert not {'statsmodels', 'scipy.stats'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_missing_is_no_question() -> None:
    p = np.array([0.001, np.nan, 0.2, 0.9])
    for method in STEPWISE:
        whole = stepwise(p, method)
        assert np.isnan(whole[1])
        np.testing.assert_array_equal(
            np.delete(whole, 1), stepwise(np.delete(p, 1), method)
        )

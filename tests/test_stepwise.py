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
from causalgia.errors import EstimateError
from causalgia.multiplicity.adjusted_p import stepwise

_THEIRS = {
    "bh": "fdr_bh",
    "by": "fdr_by",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "bonferroni": "bonferroni",
}


@pytest.mark.parametrize("method", STEPWISE)
@pytest.mark.parametrize("count", [1, 2, 7, 100, 5_000])
def test_adjusted_p_values_are_those_of_statsmodels_to_the_bit(method, count):
    rng = np.random.default_rng(count)
    p = np.where(rng.random(count) < 0.3, rng.random(count) ** 20, rng.random(count))
    p[rng.random(count) < 0.1] = 1.0
    p[rng.random(count) < 0.05] = 0.0
    for values in (p, np.round(p, 2)):
        assert np.array_equal(
            stepwise(values, method), multipletests(values, method=_THEIRS[method])[1]
        )


@pytest.mark.parametrize("method", ["fdr_bh", "BH", "storey", "", None])
def test_an_unknown_method_is_no_benjamini_yekutieli(method):
    with pytest.raises(
        EstimateError, match="is not one of bh, by, holm, hochberg, bonferroni"
    ):
        stepwise(np.array([0.1, 0.2]), method)


def test_adjusting_loads_no_statistics_package():
    code = (
        "import sys, numpy as np\n"
        "from causalgia.multiplicity.adjusted_p import stepwise\n"
        "stepwise(np.array([0.1, 0.2]), 'bh')\n"
        "assert not {'statsmodels', 'scipy.stats'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

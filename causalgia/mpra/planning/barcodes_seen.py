"""How many of the planned barcodes are seen, and what their uneven numbers cost."""

from __future__ import annotations

import numpy as np

from causalgia.types import Array

LEAST = 2
_TAIL = 1e-12


def inverse_of_seen(planned: Array, recovery: float, dispersion: float | None) -> tuple[Array, Array]:
    """Return the mean of 1 / B over the oligos that keep two barcodes or more, and the share of oligos that do not.

    Parameters
    ----------
    planned
        Barcodes that an oligo should have; one dim.
    recovery
        Share of them that is seen after loss and filters.
    dispersion
        None: every oligo has exactly ``recovery`` of its barcodes, as synthesised ones do; 0: Poisson; above: negative
        binomial with variance ``m + dispersion m^2``, as random barcodes have.

    Examples
    --------
    >>> inverse_of_seen(np.array([10.0]), 1.0, None)
    (array([0.1]), array([0.]))
    >>> inverse, lost = inverse_of_seen(np.array([10.0]), 1.0, 0.0)
    >>> inverse.round(4), lost.round(5)
    (array([0.1126]), array([0.0005]))
    """
    mean = planned * recovery
    if dispersion is None:
        return 1 / mean, np.zeros_like(mean)
    found = [_averaged(float(m), dispersion) for m in mean]
    return np.array([inverse for inverse, _ in found]), np.array([lost for _, lost in found])


def _averaged(mean: float, dispersion: float) -> tuple[float, float]:
    from scipy import stats  # not at the door: where a torch cannot be loaded, neither can scipy.stats

    law = stats.poisson(mean) if dispersion == 0 else stats.nbinom(1 / dispersion, 1 / (1 + mean * dispersion))
    numbers = np.arange(LEAST, int(law.isf(_TAIL)) + LEAST + 1)
    share = law.pmf(numbers)
    return float((share / numbers).sum() / share.sum()), float(law.cdf(LEAST - 1))

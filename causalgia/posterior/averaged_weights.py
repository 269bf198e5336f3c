"""Weights of a mixture with fixed components, averaged over their posterior.

Weights at their maximum are taken for known, and intervals given them are too short
where few contrasts settle them. Here ``pi ~ Dirichlet(a)`` is integrated by collapsed
Gibbs sampling: the components of contrasts are drawn in turn, each given the others.
"""

from __future__ import annotations

import numpy as np

from causalgia.compiled import njit
from causalgia.posterior.scale_mixture import summed
from causalgia.types import Array

_SPIKE, _SLABS = 0.5, 3.0  # prior counts of no effect, and of all other components
_LEAST_SWEEPS, _BURN_IN = 100, 50
RARE = 1e-5
"""Posterior probability below which a component is left out."""


def visible_counts(scale: Array, variance: float) -> Array:
    """Return prior counts a, (C,): .5 for no effect, and 3 shared by the others.

    These have theirs in proportion to ``w^2 / (w^2 + v)``, the part of an estimate that
    is effect: a scale far below the errors is hardly told from no effect, and many of
    them would be many counts for it.

    Parameters
    ----------
    scale
        w of each component, (C,); 0 for no effect.
    variance
        v, of a typical error.

    Examples
    --------
    >>> visible_counts(np.array([0.0, 0.5, 2.0]), 1.0).round(3)
    array([0.5, 0.6, 2.4])
    """
    visible = scale**2 / (scale**2 + variance)
    return np.where(scale == 0, _SPIKE, _SLABS * visible / visible.sum())


def averaged_weights(
    log_density: Array,
    counts: Array,
    n_drawn: int,
) -> tuple[Array, Array]:
    """Return the posterior means of the weights and of the components of contrasts.

    For ``x_j ~ sum_c pi_c f_c`` with ``pi ~ Dirichlet(a)``: ``E(pi | x)``, (C,), the
    law of one more contrast, and ``P(c_j = c | x)``, (n, C). Given its component, a
    contrast does not depend on pi, so that these are all that its posterior takes. They
    are averages of ``P(c_j | c of the others, x)`` over sweeps. Sweeps take contrasts
    in the order of their first densities and have one seed, so that neither the order
    of the contrasts nor a caller's seed matters.

    Parameters
    ----------
    log_density
        ``log f_c(x_j)``, (n, C); what a row has in common does not matter.
    counts
        a, (C,), positive.
    n_drawn
        Components to draw in all sweeps together, of which there are at least 100.

    References
    ----------
    Diebolt & Robert (1994), doi:10.1111/j.2517-6161.1994.tb01985.x; MacEachern (1994),
    doi:10.1080/03610919408813196 (weights integrated).

    Examples
    --------
    Eight contrasts, six of which are plainly of the first component:

    >>> density = np.log([[1.0, 1e-9]] * 6 + [[1e-9, 1.0]] * 2)
    >>> weight, share = averaged_weights(density, np.ones(2), 1_000)
    >>> weight.round(3), share[0].round(3)
    (array([0.7, 0.3]), array([1., 0.]))
    """
    n = len(log_density)
    order = np.argsort(log_density[:, 0], kind="stable")
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))[order]
    component = (density * counts).argmax(axis=1)
    sweeps = max(-(-n_drawn // n), _LEAST_SWEEPS)
    burn_in = _BURN_IN + sweeps // 4
    uniform = np.random.default_rng(0).random((burn_in + sweeps, n))
    share = np.zeros_like(density)
    taken = counts + np.bincount(component, minlength=len(counts))
    _sweep_kernel(density, taken, component, uniform, burn_in, share)
    share /= share.sum(axis=1, keepdims=True)
    weight = (counts + share.sum(axis=0)) / (n + counts.sum())
    share[share < RARE] = 0.0
    out = np.empty_like(share)
    out[order] = share / share.sum(axis=1, keepdims=True)
    return weight, out


@njit(nogil=True, error_model="numpy")
def _sweep_kernel(  # type: ignore[no-untyped-def]
    density, taken, component, uniform, burn_in, share
):
    """Draw the component of each contrast given the others; add up probabilities."""
    n, size = density.shape
    term = np.empty(size)
    for turn in range(len(uniform)):
        for j in range(n):
            taken[component[j]] -= 1.0
            for c in range(size):
                term[c] = density[j, c] * taken[c]
            total = summed(term)
            left = uniform[turn, j] * total
            chosen = 0
            while chosen < size - 1 and left >= term[chosen]:
                left -= term[chosen]
                chosen += 1
            component[j] = chosen
            taken[chosen] += 1.0
            if turn >= burn_in:
                inverse = 1.0 / total
                for c in range(size):
                    share[j, c] += term[c] * inverse

"""Limits of weighted sums of proportions, by arm combined (MOVER)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import first_row, of_effects, rows_measured
from causalgia.effects.two_values import COUNTS, WEIGHT
from causalgia.errors import EstimateError
from causalgia.types import Array, Mask

_LARGEST_Z = 40.0
_BISECTIONS = 60


@dataclass(frozen=True)
class Proportions:
    r"""Effects that are weighted sums of proportions of the same or of other units.

    With :math:`m_a` the distance from :math:`w_a \hat p_a` to its Wilson limit on the
    side that is asked, the limit of :math:`\sum_a w_a p_a` is

    .. math:: \hat\theta \mp \sqrt{\textstyle\sum_{ab} \operatorname{sign}(w_a w_b)
              R_{ab} m_a m_b}, \qquad
              R_{ab} = \varphi_{ab}\, n_{ab} / \sqrt{n_a n_b},

    1 for a = b, with :math:`\varphi` the correlation of the :math:`n_{ab}` units that
    two arms share, after :math:`z^2/2` units are added to each discordant cell. Of two
    independent arms this is Newcombe's method 10.

    Attributes
    ----------
    known
        Which effects are such sums, of the shape of ``ace``.
    weight, counts
        Those of the r effects that are, as of `causalgia.effects.two_values.TwoValues`:
        ``(r, m)`` and ``(r, m, m, 4)``.

    References
    ----------
    Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    Zou & Donner (2008), doi:10.1002/sim.3095: the combination. Tang, Ling & Tian
    (2010), doi:10.1002/sim.3976: of shared units.
    """

    known: Mask
    weight: Array
    counts: Array

    @classmethod
    def of(cls, estimates: xr.Dataset) -> Proportions | None:
        """Return those of estimates over a population, None where there are none.

        Examples
        --------
        >>> counts = [[[5, 0, 0, 95], [0, 5, 0, 95]], [[0, 0, 5, 95], [0, 0, 0, 100]]]
        >>> table = xr.Dataset(
        ...     {
        ...         "ace": ("contrast", [0.05]),
        ...         "two_valued_weight": (("contrast", "own"), [[1.0, -1.0]]),
        ...         "two_valued_counts": (
        ...             ("contrast", "own", "own_", "cell"),
        ...             [counts],
        ...         ),
        ...     }
        ... )
        >>> found = Proportions.of(table)
        >>> lower, upper = found.limits(table["ace"].to_numpy(), 0.95)
        >>> lower.round(4), upper.round(4)
        (array([0.0025]), array([0.1118]))
        >>> found.one_sided_p(table["ace"].to_numpy(), 0.0, 1).round(4)
        array([0.0212])
        """
        if "two_valued" in estimates:
            marked = rows_measured(estimates)
            marked = marked & (of_effects(estimates, "two_valued") == 1)
            if marked.any():
                raise EstimateError(
                    f"contrast {first_row(estimates, marked)}: its outcomes take two "
                    "values, and a table does not say how many units show which; give "
                    "the estimates it was made of"
                )
        sampled = about(estimates, "population").target == "population"
        if WEIGHT not in estimates or COUNTS not in estimates or not sampled:
            return None
        dims = estimates["ace"].dims
        weight = estimates[WEIGHT].transpose(*dims, "own").to_numpy()
        counts = estimates[COUNTS].transpose(*dims, "own", "own_", "cell").to_numpy()
        known = (weight != 0).any(axis=-1)
        if not known.any():
            return None
        return cls(known, weight[known], counts[known].astype(np.float64))

    def reach(self, z: Array | float, side: Array | int) -> Array:
        """Return the distance of a limit from the effect, at a normal deviate z >= 0;
        `side` is 1 for the upper limit, -1 for the lower.
        """
        w, z = self.weight, np.asarray(z, dtype=float)[..., None]
        side = np.asarray(side)[..., None]
        own = np.einsum("...aac->...ac", self.counts)
        n = np.maximum(own[..., 0] + own[..., 3], 1.0)
        p = own[..., 0] / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        away = np.where(side * w > 0, middle + half - p, p - middle + half)
        both, one, other, none = np.moveaxis(self.counts, -1, 0)
        shared = both + one + other + none
        more = z[..., None] ** 2 / 2
        one, other = one + more, other + more
        margins = (both + one) * (other + none) * (both + other) * (one + none)
        phi = np.divide(
            both * none - one * other,
            np.sqrt(margins),
            out=np.zeros(margins.shape),
            where=(margins > 0) & (shared > 0),
        )
        R = phi * shared / np.sqrt(n[..., :, None] * n[..., None, :])
        each = np.arange(w.shape[-1])
        R[..., each, each] = 1.0
        signed = w * away
        square = np.einsum("...a,...ab,...b->...", signed, R, signed)
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    def limits(self, ace: Array, ci_prob: Array | float) -> tuple[Array, Array]:
        """Return the limits of all effects; of those that are not `known` the effect."""
        z = -scipy.special.ndtri((1 - np.asarray(ci_prob)) / 2)
        z = np.broadcast_to(z, ace.shape)[self.known]
        lower, upper = ace.copy(), ace.copy()
        lower[self.known] -= self.reach(z, -1)
        upper[self.known] += self.reach(z, 1)
        return lower, upper

    def one_sided_p(self, ace: Array, end: Array | float, sign: int) -> Array:
        """Return the p of "the effect is at most the end" (sign 1) or "at least" (-1):
        that of the least z whose limit reaches the end; 0 of effects that are not
        `known`.
        """
        distance = (sign * (ace - end))[self.known]
        z = self._least_z(np.abs(distance), np.where(distance >= 0, -sign, sign))
        p = np.zeros(ace.shape)
        p[self.known] = scipy.special.ndtr(np.where(distance >= 0, -z, z))
        return p

    def _least_z(self, distance: Array, side: Array) -> Array:
        low, high = np.zeros(distance.shape), np.full(distance.shape, _LARGEST_Z)
        for _ in range(_BISECTIONS):
            z = (low + high) / 2
            short = self.reach(z, side) < distance
            low, high = np.where(short, z, low), np.where(short, high, z)
        return high

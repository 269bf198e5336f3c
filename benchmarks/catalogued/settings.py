"""Sites, places and gaps of Koo et al. (2018), doi:10.1101/418459, and the names of the
rows that they make.
"""

from __future__ import annotations

LENGTH = 41
RBFOX1, WEAK = "UGCAUG", "AGAAUG"
PLACES = (2, 8, 14, 20, 26, 32)
PUBLISHED = (4, 12, 20)
"""Starts of three copies, two bases apart."""
APART = (7, 17, 27)
"""Starts of three copies, four bases apart."""
GAPS, CENTER = (-2, 0, 3), 18
"""Bases between two sites of six, whose starts are 4, 6 and 9 apart about a center."""
EXCESS = "excess over single sites"


def interaction_at(gap: int, site: str = RBFOX1) -> str:
    """Return the name of the interaction of two sites.

    Examples
    --------
    >>> interaction_at(-2)
    'interaction, UGCAUG+ then UGCAUG+, gap -2'
    """
    return f"interaction, {site}+ then {site}+, gap {gap}"

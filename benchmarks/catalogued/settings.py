"""Sites, places and gaps of Koo et al. (2018), doi:10.1101/418459, and the names of the
rows that they make.
"""

from __future__ import annotations

from collections.abc import Mapping

LENGTH = 41
RBFOX1, WEAK, VTS1 = "UGCAUG", "AGAAUG", "GCUGG"
KD: Mapping[str, float] = {
    "UGCAUGU": 0.83,
    "AGCAUGU": 4.8,
    "CGCAUGU": 6.1,
    "UGUAUGU": 280.0,
    "UACAUGU": 350.0,
    "UGCACGU": 4.9,
    "UGCAUAU": 1830.0,
}
"""Dissociation constants of the RRM of Fox-1 (Auweter et al., 2006,
doi:10.1038/sj.emboj.7600918), nM."""
ALONG_GC = "GC 30 to 70 %"
"""The slope of the outcome along GC."""
PLACES = (2, 8, 14, 20, 26, 32)
PUBLISHED = (4, 12, 20)
"""Starts of three copies, two bases apart."""
APART = (7, 17, 27)
"""Starts of three copies, four bases apart."""
GAPS, CENTER = (-2, 0, 3), 18
"""Bases between two sites of six, whose starts are 4, 6 and 9 apart about a center."""
KD = {
    "UGCAUGU": 0.83,
    "AGCAUGU": 4.8,
    "CGCAUGU": 6.1,
    "UGUAUGU": 280.0,
    "UACAUGU": 350.0,
    "UGCACGU": 4.9,
    "UGCAUAU": 1830.0,
}
"""K_D in nM: Auweter et al. (2006), doi:10.1038/sj.emboj.7600918."""
EXCESS = "excess over single sites"


def interaction_at(gap: int, site: str = RBFOX1) -> str:
    """Return the name of the interaction of two sites.

    Examples
    --------
    >>> interaction_at(-2)
    'interaction, UGCAUG+ then UGCAUG+, gap -2'
    """
    return f"interaction, {site}+ then {site}+, gap {gap}"

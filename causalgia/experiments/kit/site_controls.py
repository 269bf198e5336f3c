"""What an embedded site is compared with: the background as it was drawn, or a placebo
in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.choices import CONTROLS, Control
from causalgia.design import (
    Embed,
    Genomic,
    Intervention,
    NullModel,
    Placebo,
    Untreated,
)
from causalgia.errors import DesignError, quoted

UNTREATED = "untreated"


@dataclass(frozen=True)
class SiteControl:
    """What stands where a site is absent.

    Writing a site also removes what was there. In backgrounds drawn letter by letter
    nothing of note is removed, and an absent site is the background. In real sequences
    the letters removed may be a site themselves, and an absent site is a placebo, so
    that the arms of every contrast overwrite the same bases.

    Attributes
    ----------
    kind
        ``"placebo"`` or ``"untreated"``.
    """

    kind: Control

    @property
    def placebos(self) -> bool:
        """Whether absent sites are placebos."""
        return self.kind == "placebo"

    def absent(self, *sites: Embed) -> Intervention:
        """Return what stands where sites are absent.

        Examples
        --------
        >>> print(SiteControl("placebo").absent(Embed("AGATAAG", at=3)))
        do(x[3:10] ~ rearranged AGATAAG)
        >>> print(SiteControl("untreated").absent(Embed("AGATAAG", at=3)))
        do()
        """
        done: Intervention = Untreated()
        for site in sites if self.placebos else ():
            done = done + Placebo(
                site.pattern, at=site.at, strand=site.strand, instance=site.instance
            )
        return done


def as_site_control(control: object, null: NullModel) -> SiteControl:
    """Return what a site is compared with; None: by the null model.

    Examples
    --------
    >>> import causalgia as cg
    >>> as_site_control(None, cg.Uniform(length=41)).kind
    'untreated'
    >>> as_site_control(None, cg.Genomic(of={"a": "ACGT", "b": "CCGT"})).kind
    'placebo'
    """
    if control is None:
        return SiteControl("placebo" if isinstance(null, Genomic) else "untreated")
    for kind in CONTROLS:
        if isinstance(control, str) and control == kind:
            return SiteControl(kind)
    raise DesignError(
        f"control={quoted(control)} must be 'placebo' (a rearrangement of the "
        "site in its place), 'untreated' (the background as it was drawn), or "
        "None: by the null model",
        argument="control",
    )

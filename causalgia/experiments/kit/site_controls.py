"""What an embedded site is compared with: the background as it was drawn, or a placebo
in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from causalgia.choices import CONTROLS, Control
from causalgia.design import (
    Design,
    Embed,
    Genomic,
    Intervention,
    NullModel,
    Placebo,
    Untreated,
)
from causalgia.design.intervention import steps_of
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry

UNTREATED = "untreated"


class Factorial(NamedTuple):
    """The arms of two sites that both arms of a contrast overwrite alike: each without
    the other, and neither.
    """

    first: Intervention
    second: Intervention
    neither: Intervention


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

    def arm(self, placebo: str) -> str:
        """Return the name of the arm that is subtracted: `placebo`, or ``"untreated"``.

        Examples
        --------
        >>> SiteControl("placebo").arm("placebo at 3")
        'placebo at 3'
        >>> SiteControl("untreated").arm("placebo at 3")
        'untreated'
        """
        return placebo if self.placebos else UNTREATED

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

    def present(self, sites: Sequence[Embed], which: Collection[int]) -> Intervention:
        """Return some of the sites, by their numbers, with the others absent.

        Examples
        --------
        >>> sites = [Embed("AGATAAG", at=place) for place in (3, 20)]
        >>> print(SiteControl("placebo").present(sites, {1}))
        do(x[3:10] ~ rearranged AGATAAG, x[20:27] = AGATAAG)
        """
        done: Intervention = Untreated()
        for number, site in enumerate(sites):
            done = done + (site if number in which else self.absent(site))
        return done

    def factorial(self, one: Embed, other: Embed) -> Factorial:
        """Return the arms with either of two sites alone, and with neither.

        Examples
        --------
        >>> pair = Embed("AGATAAG", at=3), Embed("CAGCTG", at=20)
        >>> print(SiteControl("placebo").factorial(*pair).first)
        do(x[3:10] = AGATAAG, x[20:26] ~ rearranged CAGCTG)
        """
        return Factorial(
            one + self.absent(other),
            self.absent(one) + other,
            self.absent(one, other),
        )

    def entry(self, entry: Entry, estimand: str) -> Entry:
        """Return an entry of the catalogue, with `estimand` where absent sites are
        placebos.
        """
        return replace(entry, estimand=estimand) if self.placebos else entry


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


def against_placebos(design: Design) -> str:
    """Return the beginning of a sentence on effects of sites: ``"against placebos, "``,
    or nothing where they are against untreated backgrounds.
    """
    rows: Mapping[str, Mapping[str, float]] = design.named_contrasts or {}
    subtracted = {arm for row in rows.values() for arm, w in row.items() if w < 0}
    return (
        "against placebos, "
        if any(
            isinstance(step, Placebo)
            for arm in design.named_arms
            if arm.name in subtracted
            for step in steps_of(arm.intervention)
        )
        else ""
    )

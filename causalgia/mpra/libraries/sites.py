"""Restriction sites by name or letters, how often each is meant, and what methylation keeps an enzyme from cutting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from causalgia.errors import LibraryError, quoted
from causalgia.mpra.libraries.arguments import several, whole
from causalgia.mpra.libraries.tables import row_of, table
from causalgia.sequences.alphabet import IUPAC, parse_word


@dataclass(frozen=True)
class Site:
    """A restriction site: its enzyme's name, or the letters again, and its letters 5' to 3' (IUPAC)."""

    name: str
    word: str

    @property
    def methylation(self) -> str:
        """``"dam"`` where the enzyme does not cut a site that a site methylated by dam overlaps; else empty.

        Examples
        --------
        >>> site("XbaI").methylation, site("KpnI").methylation
        ('dam', '')
        """
        rows = table("sites")
        return next((str(kind) for name, kind in rows["blocked"].items() if rows["words"][name] == self.word), "")

    @property
    def blocked(self) -> tuple[str, ...]:
        """The site with an overlapping methylated one: words that hold the site, and that the enzyme does not cut.

        Examples
        --------
        >>> site("XbaI").blocked
        ('GATCTAGA', 'TCTAGATC')
        """
        return _overlaps(self.word, table("sites")["methylation"][self.methylation]) if self.methylation else ()


def _overlaps(word: str, other: str) -> tuple[str, ...]:
    """Return every word in which two IUPAC words stand so that they share letters."""
    letters = {bases: letter for letter, bases in IUPAC.items() if letter != "U"}
    found = []
    for shift in range(1 - len(other), len(word)):
        places = range(min(shift, 0), max(len(word), shift + len(other)))
        both = ["".join(b for b in "ACGT" if b in _bases(word, i) and b in _bases(other, i - shift)) for i in places]
        if all(both):
            found.append("".join(letters[bases] for bases in both))
    return tuple(found)


def _bases(word: str, place: int) -> str:
    return IUPAC[word[place]] if 0 <= place < len(word) else IUPAC["N"]


def site(name_or_word: str) -> Site:
    """Return a restriction site by the name of its enzyme, in any capitals, or by its IUPAC letters.

    Raises
    ------
    LibraryError
        If it is neither; the message has the nearest enzyme.

    Examples
    --------
    >>> site("ecori"), site("GGTCTC").name
    (Site(name='EcoRI', word='GAATTC'), 'GGTCTC')
    """
    if not isinstance(name_or_word, str) or not name_or_word:
        raise LibraryError(
            f"avoid= has {quoted(name_or_word)}; a site is an enzyme such as 'EcoRI' or letters such as 'GAATTC'"
        )
    if all(letter.upper() in IUPAC for letter in name_or_word):
        return Site(name_or_word.upper(), parse_word(name_or_word)[0])
    name, word = row_of(
        table("sites")["words"], name_or_word, "restriction enzyme", cure="give its letters, for example 'GAATTC'"
    )
    return Site(name, word)


def sites(avoid: str | Iterable[str]) -> tuple[Site, ...]:
    """Return the sites of names or letters, each once.

    Raises
    ------
    LibraryError
        If one is neither an enzyme that is known nor IUPAC letters.

    Examples
    --------
    >>> [s.name for s in sites(["EcoRI", "SbfI", "EcoRI"])]
    ['EcoRI', 'SbfI']
    """
    return tuple(dict.fromkeys(map(site, several(avoid, "avoid", "enzymes or letters of sites"))))


def intended_sites(avoid: str | Iterable[str] | Mapping[str, int]) -> dict[Site, int]:
    """Return how often each site is meant to stand in an oligo: 0 unless a mapping says otherwise.

    Raises
    ------
    LibraryError
        If a site is not known, or a number is not a whole one of at least 0.

    Examples
    --------
    >>> {s.name: n for s, n in intended_sites({"KpnI": 1, "EcoRI": 0}).items()}
    {'KpnI': 1, 'EcoRI': 0}
    """
    meant = avoid if isinstance(avoid, Mapping) else {}
    names = several(avoid, "avoid", "enzymes or letters of sites")
    return {site(name): whole(meant.get(name, 0), f"avoid[{quoted(name)}]", least=0) for name in names}

"""Restriction sites by name or letters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from causalgia.errors import LibraryError
from causalgia.mpra.ordering.arguments import several
from causalgia.mpra.ordering.tables import row_of, table
from causalgia.sequences.alphabet import IUPAC, parse_word


@dataclass(frozen=True)
class Site:
    """A restriction site: its enzyme's name, or the letters again, and its letters 5' to 3' (IUPAC)."""

    name: str
    word: str


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
            f"avoid= has {name_or_word!r}; a site is an enzyme such as 'EcoRI' or letters such as 'GAATTC'"
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

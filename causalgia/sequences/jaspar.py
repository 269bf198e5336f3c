"""Profiles of the JASPAR database by name or matrix identifier, read offline from the copy inside pyjaspar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import NoReturn

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import BASES
from causalgia.sequences.motifs import Motif

_IDENTIFIER = re.compile(r"([A-Z]{2}\d{4})(?:\.(\d+))?", re.IGNORECASE)
_QUERY = (
    "select BASE_ID, VERSION, NAME, COLLECTION, VAL from MATRIX "
    "left join MATRIX_ANNOTATION on MATRIX_ANNOTATION.ID = MATRIX.ID and TAG = 'tax_group'"
)


@dataclass(frozen=True)
class Profile:
    """One version of one profile: accession and version, the factor's name, its collection and taxonomic group."""

    base: str
    version: int
    name: str
    collection: str
    taxon: str | None

    @property
    def identifier(self) -> str:
        """Accession with version, such as ``MA0035.5``."""
        return f"{self.base}.{self.version}"

    @property
    def place(self) -> str:
        """Identifier and where it stands: the taxon of CORE, or another collection."""
        return f"{self.identifier} ({self.taxon if self.collection == 'CORE' else self.collection})"


def find_profile(what: str, *, taxon: str | None, release: str) -> Profile | None:
    """Return the profile of an identifier or of a name, or None; the rule is said in `causalgia.motif`.

    Raises
    ------
    SequenceError
        If the taxon is unknown, a known accession lacks the version, or a name has profiles of several taxa.
    """
    _check_taxon(taxon, release)
    identified = _IDENTIFIER.fullmatch(what)
    versions = [x for x in profiles(release) if identified and x.base == identified[1].upper()]
    if identified and versions:
        return _of_version(what, versions, identified[2], release)
    return _first(what, [x for x in _namesakes(what, release) if x.collection == "CORE" and taxon in (None, x.taxon)])


def refuse_unknown(what: str, *, taxon: str | None, release: str) -> NoReturn:
    """Raise the SequenceError of a name that `find_profile` does not find, with what is near or elsewhere."""
    elsewhere = ", ".join(names_elsewhere(what, release=release))
    among = "" if taxon is None else f" among {taxon}"
    near = _near(what, taxon, release, widely=not elsewhere)
    known = [f"it names {elsewhere}: give an identifier, or taxon="] if elsewhere else []
    cure = "; ".join([*known, *([f"did you mean {near}?"] if near else [])]) or "no name is near it"
    msg = (
        f"{quoted(what)} is no name of {release}{among}, no file and no IUPAC word; {cure} (a motif is a name of "
        "JASPAR, which is a gene symbol: POU5F1, not Oct4; or an identifier, a word, a path or a table of counts)"
    )
    raise SequenceError(msg)


def names_elsewhere(what: str, *, release: str) -> tuple[str, ...]:
    """Return where the whole database, every taxon and collection, knows a name: identifiers with their places."""
    return tuple(x.place for x in _namesakes(what, release))


def fetch(profile: Profile, *, release: str) -> Motif:
    """Read a profile's counts and return its motif, without a pseudocount."""
    from pyjaspar import jaspardb

    database = jaspardb(release)
    with closing(database.conn):
        counts = database.fetch_motif_by_id(profile.identifier).counts
    rows = list(zip(*(counts[base] for base in BASES), strict=True))
    return Motif.from_counts(profile.name, rows, identifier=profile.identifier, source=release)


def checked_release(release: str | None) -> str:
    """Return the release, the newest that pyjaspar has for None.

    Raises
    ------
    SequenceError
        If pyjaspar does not have it.
    """
    import pyjaspar

    if release is None:
        return str(pyjaspar.JASPAR_LATEST_RELEASE)
    if release not in pyjaspar.jaspar_releases:
        msg = f"release={quoted(release)}; pyjaspar {pyjaspar.__version__} has {', '.join(pyjaspar.jaspar_releases)}"
        raise SequenceError(msg)
    return release


@cache
def profiles(release: str) -> tuple[Profile, ...]:
    """Return every version of every profile of a release, by accession and version."""
    from pyjaspar import jaspardb

    with closing(jaspardb(release).conn) as connection:
        rows = connection.execute(_QUERY).fetchall()
    return tuple(sorted((Profile(*row) for row in rows), key=lambda x: (x.base, x.version)))


@cache
def _newest(release: str) -> tuple[Profile, ...]:
    """Return the newest version of each profile, by accession."""
    return tuple({x.base: x for x in profiles(release)}.values())


def _namesakes(what: str, release: str) -> list[Profile]:
    return [x for x in _newest(release) if x.name.casefold() == what.casefold()]


def _check_taxon(taxon: str | None, release: str) -> None:
    known = sorted({x.taxon for x in profiles(release) if x.taxon and x.collection == "CORE"})
    if taxon is not None and taxon not in known:
        msg = f"taxon={quoted(taxon)}; {release} has {', '.join(known)}; None searches them all"
        raise SequenceError(msg)


def _of_version(what: str, versions: list[Profile], version: str | None, release: str) -> Profile:
    if version is None:
        return versions[-1]
    found = [x for x in versions if str(x.version) == version.lstrip("0")]
    if not found:
        shown = ", ".join(x.identifier for x in versions)
        msg = f"{quoted(what)} is not in {release}, which has {shown}; give one of them, or another release="
        raise SequenceError(msg)
    return found[0]


def _first(what: str, found: list[Profile]) -> Profile | None:
    """Return the profile of the lowest accession, if all are of one taxon."""
    if len({x.taxon for x in found}) > 1:
        msg = f"{quoted(what)} names factors of several taxa: {_listed(found)}; give one identifier, or taxon="
        raise SequenceError(msg)
    return found[0] if found else None


def _listed(found: Iterable[Profile]) -> str:
    return ", ".join(x.place for x in found)


def _near(what: str, taxon: str | None, release: str, *, widely: bool) -> str:
    """Say which names are near: of the taxon, or if there are none there and it is asked `widely`, of all."""
    core = [x for x in _newest(release) if x.collection == "CORE"]
    for pool in ([x for x in core if taxon in (None, x.taxon)], core if widely else []):
        names = {x.name.casefold(): x for x in reversed(pool)}
        near = [names[key] for key in _similar(what.casefold(), list(names))]
        if near:
            return " or ".join(f"{quoted(x.name)} ({x.identifier}, {x.taxon})" for x in near)
    return ""


def _similar(what: str, names: list[str]) -> list[str]:
    """Return three names at most: those with it in them, the shortest first, and then those spelled like it."""
    within = sorted((name for name in names if len(what) > 2 and what in name), key=lambda name: (len(name), name))
    return list(dict.fromkeys([*within, *get_close_matches(what, names, n=3)]))[:3]

"""Motifs by name: a JASPAR name, a string, a file or a table of counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from os import PathLike
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from causalgia.checks import similar_names
from causalgia.choices import BASES
from causalgia.errors import (
    CausalgiaError,
    MissingExtraError,
    SequenceError,
    first_of,
    install_command,
    quoted,
)
from causalgia.inputs import is_file
from causalgia.sequences.alphabet import IUPAC
from causalgia.sequences.motif_files import read_motifs
from causalgia.sequences.motifs import Motif, as_motif_table

_PLAIN = frozenset((*BASES, "U"))
_SUFFIXES = (".meme", ".jaspar", ".cb", ".pcm", ".pfm", ".txt", ".gz")

#: what `motif` takes
MotifLike: TypeAlias = (
    str | PathLike[str] | Motif | ArrayLike | Mapping[str, Sequence[float]]
)
#: a file, a mapping name -> motif, a list, or "JASPAR"
MotifList: TypeAlias = (
    str | PathLike[str] | Mapping[str, MotifLike] | Iterable[MotifLike]
)


def motif(
    what: MotifLike,
    *,
    taxon: str | None = "vertebrates",
    release: str | None = None,
    name: str | None = None,
) -> Motif:
    r"""Return the motif for a name, an identifier, a string, a file or a table.

    A string is looked up in this order; the first match counts:

    1. a path, if it ends in .meme, .jaspar, .cb, .pcm, .pfm, .txt or .gz;
    2. a matrix identifier of JASPAR, ``"MA0035.4"``, or an accession, ``"MA0035"``, for
       its newest version;
    3. a name of the CORE collection within `taxon`, in any case: database names come
       before strings, so ``"SRY"`` and ``"AR"`` are factors (`Motif.from_iupac` makes
       strings of them). Of several profiles of one name, as CTCF has for its binding
       modes, the one with the lowest accession is taken, in its newest version;
    4. the path of a file that exists, or any string with a ``/``;
    5. a string of IUPAC letters, `Motif.from_iupac`; one with ambiguous letters that is
       a name in another taxon or collection is refused, as either may be meant.

    The result records the choice: ``identifier`` is the accession with its version,
    ``source`` the release or the path. Counts become probabilities without a
    pseudocount. JASPAR is read from the copy inside pyjaspar (``pip install
    'causalgia[jaspar]'``): nothing is downloaded.

    Parameters
    ----------
    what
        A string as above; a path of a text file, as `causalgia.sequences.read_motifs`
        takes it; a motif, which is returned; a motif of Biopython; or a table of counts
        or of probabilities (which sum to 1 at each position): an array or a tensor of
        w rows of A, C, G, T, or of four rows (4 x 4 is read by rows, unless it is the
        columns that have one sum), or a table with labels, which is read by them: a
        mapping letter -> numbers, a DataFrame or DataArray of which one axis is labeled
        with A, C, G and T (or U), in any order.
    taxon
        Taxonomic group in which a name is looked up; None looks in all. It does not
        restrict identifiers.
    release
        Release of JASPAR, such as ``"JASPAR2024"``; by default the newest that pyjaspar
        has.
    name
        The motif of a file with several, by name or identifier; or the name of a
        table's motif, by default ``"PFM "`` and its consensus.

    Raises
    ------
    SequenceError
        If the name is unknown (the message lists similar names, and the taxa or
        collections that have it), a name has profiles of several taxa, a file of
        several motifs comes without `name`, `name` is given where it has no meaning, or
        a table is invalid or its labels do not identify the bases.
    MissingExtraError
        If pyjaspar is not installed, and `what` is a name, an identifier or a string
        with ambiguous letters, which might be a name.

    References
    ----------
    JASPAR, https://jaspar.elixir.no. Release of 2024: Rauluseviciute et al. (2024),
    doi:10.1093/nar/gkad1059.

    Examples
    --------
    >>> motif("GATA1").name
    'GATA1'
    >>> gata1 = motif("gata1", release="JASPAR2024")
    >>> gata1.identifier, gata1.consensus, gata1.source
    ('MA0035.5', 'CTAATCT', 'JASPAR2024')
    >>> motif("UGCAUG").consensus
    'TGCATG'
    >>> motif([[0, 0, 9, 1], [8, 1, 1, 0]], name="toy").consensus
    'GA'
    >>> motif({"T": [1, 0], "G": [9, 1], "C": [0, 1], "A": [0, 8]}).consensus
    'GA'
    >>> motif(np.array([[0, 8], [0, 1], [9, 1], [1, 0]])).consensus  # (4, w)
    'GA'
    """
    if isinstance(what, str) and not what.endswith(_SUFFIXES):
        if find_spec("pyjaspar") is None and release is None:
            if is_file(what) or "/" in what:
                return _from_file(what, name)
            if what and taxon == "vertebrates" and set(what.upper()) <= _PLAIN:
                _check_no_name(name, quoted(what))  # none of its names is such a string
                return Motif.from_iupac(what)
        return _from_string(what, taxon, as_release(release, what), name)
    if isinstance(what, str | PathLike):
        return _from_file(what, name)
    if isinstance(what, Motif):
        _check_no_name(name, f"motif {quoted(what.name)}")
        return what
    if (counts := _counts_of(what)) is not None:
        return _from_table(counts, name or getattr(what, "name", None) or None)
    return _from_table(what, name)


def as_string_or_motif(what: MotifLike) -> str | Motif:
    """Return a string of IUPAC letters as it is, in upper case, and of anything else
    that `motif` takes the motif.

    A string of IUPAC letters is a string, even where a factor has that name.

    Raises
    ------
    SequenceError
        As `motif`.

    Examples
    --------
    >>> as_string_or_motif("ugcaug"), as_string_or_motif("GATA1").name
    ('UGCAUG', 'GATA1')
    """
    if isinstance(what, str) and what and set(what.upper()) <= set(IUPAC):
        return what.upper()
    return motif(what)


def _counts_of(what: object) -> Mapping[str, Any] | None:
    """Return the table of a motif of Biopython; None of other values."""
    counts = getattr(what, "counts", None)
    return counts if isinstance(counts, Mapping) else None


def _from_string(what: str, taxon: str | None, release: str, name: str | None) -> Motif:
    profile = find_profile(what, taxon=taxon, release=release)
    elsewhere = () if profile is not None else names_elsewhere(what, release=release)
    if profile is None and (is_file(what) or ("/" in what and not elsewhere)):
        return _from_file(what, name)
    _check_no_name(name, quoted(what))
    if profile is not None:
        return fetch(profile, release=release)
    # a string's motif; SequenceError if it may be a factor's name in another taxon
    if not what.isascii() or not what or not set(what.upper()) <= set(IUPAC):
        raise_unknown_name(what, taxon=taxon, release=release)
    if elsewhere and not set(what.upper()) <= {*BASES, "U"}:
        msg = (
            f"{quoted(what)} is a string of IUPAC letters and, outside {taxon}, a "
            f"name: {', '.join(elsewhere)}; give that identifier, or the string as "
            f"Motif.from_iupac({quoted(what)})"
        )
        raise SequenceError(msg)
    return Motif.from_iupac(what)


def _from_file(path: str | PathLike[str], name: str | None) -> Motif:
    found = read_motifs(path)
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    chosen = [
        x
        for key, x in found.items()
        if name is not None and name in (key, x.name, x.identifier)
    ]
    if len(chosen) != 1:
        shown = first_of(map(quoted, found), 8)
        flaw = (
            f"{len(found)} motifs"
            if name is None
            else f"{len(chosen)} motifs called {quoted(name)}"
        )
        msg = f"{path}: has {flaw}; choose one with name=: {shown}"
        raise SequenceError(msg)
    return chosen[0]


def _check_no_name(name: str | None, what: str) -> None:
    if name is not None:
        msg = (
            f"name={quoted(name)} chooses a motif of a file, or names a table's; "
            f"{what} is neither: leave it out"
        )
        raise SequenceError(msg)


def _from_table(table: Any, name: str | None) -> Motif:
    """Return the motif of counts or probabilities."""
    label = "PFM" if name is None else name
    if not hasattr(table, "__len__"):
        raise SequenceError(
            "a motif is a JASPAR name, a string, a path, a Motif, or a table of A, C, "
            f"G, T for each position, not {quoted(table)}"
        )
    rows = as_motif_table(table, "a motif's numbers", by_sums=True)
    if not np.isfinite(rows).all() or rows.min() < 0:
        cure = (
            "correct the matrix"
            if np.isnan(rows).any() or np.isposinf(rows).any()
            else "Motif.from_pwm() takes log-odds"
        )
        msg = (
            f"a motif's table has finite counts or probabilities, none negative; {cure}"
        )
        raise SequenceError(msg)
    are_counts = bool((rows.sum(axis=1) >= 2).any() or (rows == np.round(rows)).all())
    made = Motif.from_counts(label, rows) if are_counts else Motif(label, rows.tolist())
    return (
        made if name is not None else Motif(f"PFM {made.consensus}", made.probabilities)
    )


_IDENTIFIER = re.compile(r"([A-Z]{2}\d{4})(?:\.(\d+))?", re.IGNORECASE)
_QUERY = (
    "select BASE_ID, VERSION, NAME, COLLECTION, VAL from MATRIX left join "
    "MATRIX_ANNOTATION on MATRIX_ANNOTATION.ID = MATRIX.ID and TAG = 'tax_group'"
)

_COUNTS = (
    "select BASE_ID, VERSION, col, row, MATRIX_DATA.val from MATRIX join MATRIX_DATA "
    "on MATRIX_DATA.ID = MATRIX.ID where COLLECTION = 'CORE'"
)

_CLASSES = (
    "select BASE_ID, VERSION, TAG, VAL from MATRIX join MATRIX_ANNOTATION on "
    "MATRIX_ANNOTATION.ID = MATRIX.ID where TAG in ('class', 'family')"
)


@dataclass(frozen=True)
class Profile:
    """One version of one profile: accession and version, the factor's name, its
    collection and taxonomic group.
    """

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
        """Identifier and its origin: the taxon of CORE, or another collection."""
        return (
            f"{self.identifier} "
            f"({self.taxon if self.collection == 'CORE' else self.collection})"
        )


def find_profile(what: str, *, taxon: str | None, release: str) -> Profile | None:
    """Return the profile of an identifier or of a name, or None; see `causalgia.motif`
    for the rule.

    Raises
    ------
    SequenceError
        If the taxon is unknown, a known accession lacks the version, or a name has
        profiles of several taxa.
    """
    known = sorted(
        {x.taxon for x in profiles(release) if x.taxon and x.collection == "CORE"}
    )
    if taxon is not None and taxon not in known:
        msg = (
            f"taxon={quoted(taxon)}; {release} has {', '.join(known)}; None "
            "searches them all"
        )
        raise SequenceError(msg)
    identified = _IDENTIFIER.fullmatch(what)
    versions = [
        x for x in profiles(release) if identified and x.base == identified[1].upper()
    ]
    if identified and versions:
        version = identified[2]
        if version is None:
            return versions[-1]
        found = [x for x in versions if str(x.version) == version.lstrip("0")]
        if not found:
            shown = ", ".join(x.identifier for x in versions)
            msg = (
                f"{quoted(what)} is not in {release}, which has {shown}; give one of "
                "them, or another release="
            )
            raise SequenceError(msg)
        return found[0]
    found = [
        x
        for x in _namesakes(what, release)
        if x.collection == "CORE" and taxon in (None, x.taxon)
    ]
    if len({x.taxon for x in found}) > 1:
        names = ", ".join(x.place for x in found)
        raise SequenceError(
            f"{quoted(what)} names factors of several taxa: {names}; give one "
            "identifier, or taxon="
        )
    return found[0] if found else None  # that of the lowest accession


def raise_unknown_name(what: str, *, taxon: str | None, release: str) -> NoReturn:
    """Raise SequenceError for an unknown name, with similar names and other taxa or
    collections that have it.
    """
    elsewhere = ", ".join(names_elsewhere(what, release=release))
    among = "" if taxon is None else f" among {taxon}"
    near = _near(what, taxon, release, widely=not elsewhere)
    known = (
        [f"it names {elsewhere}: give an identifier, or taxon="] if elsewhere else []
    )
    cure = (
        "; ".join([*known, *([f"did you mean {near}?"] if near else [])])
        or "no name is near it"
    )
    msg = (
        f"{quoted(what)} is not a name of {release}{among}, a file or an IUPAC string; "
        f"{cure} (a motif is a name of JASPAR, which is a gene symbol: POU5F1, not "
        "Oct4; or an identifier, a string, a path or a table of counts)"
    )
    raise SequenceError(msg)


def names_elsewhere(what: str, *, release: str) -> tuple[str, ...]:
    """Return the profiles of a name in the whole database, every taxon and collection,
    as identifiers.
    """
    return tuple(x.place for x in _namesakes(what, release))


def fetch(profile: Profile, *, release: str) -> Motif:
    """Read a profile's counts and return its motif, without a pseudocount."""
    database = _database(release)
    with closing(database.conn):
        counts = database.fetch_motif_by_id(profile.identifier).counts
    rows = list(zip(*(counts[base] for base in BASES), strict=True))
    return Motif.from_counts(
        profile.name, rows, identifier=profile.identifier, source=release
    )


@cache
def core_motifs(
    taxon: str | None = "vertebrates", release: str | None = None
) -> tuple[Motif, ...]:
    """Return the newest motif of each profile of the CORE collection of JASPAR, by
    accession.

    Raises
    ------
    SequenceError
        If the taxon or the release is unknown.

    Examples
    --------
    >>> len(core_motifs("vertebrates", "JASPAR2024")) > 800
    True
    """
    version = as_release(release)
    find_profile("", taxon=taxon, release=version)  # refuses an unknown taxon
    newest = {x.base: x.version for x in profiles(version)}  # the last of each
    chosen = {
        x.identifier: x
        for x in profiles(version)
        if x.collection == "CORE"
        and x.version == newest[x.base]
        and taxon in (None, x.taxon)
    }
    # one query for all: pyjaspar's own takes ten for each motif
    with closing(_database(version).conn) as connection:
        rows = connection.execute(_COUNTS).fetchall()
    counts: dict[str, list[tuple[int, str, float]]] = {name: [] for name in chosen}
    for base, number, position, letter, count in rows:
        if (name := f"{base}.{number}") in counts:
            counts[name].append((int(position), letter, count))
    return tuple(
        Motif.from_counts(
            chosen[name].name,
            np.reshape([count for *_, count in sorted(found)], (-1, len(BASES))),
            identifier=name,
            source=version,
        )
        for name, found in sorted(counts.items())
    )


class FactorClass(NamedTuple):
    """Class and family of a factor's DNA-binding domain, as a database names them."""

    tf_class: str
    tf_family: str


def factor_class(one: Motif) -> FactorClass:
    """Return the class and family of a motif: those of its file, if it has any, else
    of its entry in JASPAR, by its identifier; both empty for other motifs, and where
    pyjaspar is not installed.

    A matrix of JASPAR that was read from a file has those of its accession, in the
    newest version if the copy inside pyjaspar lacks its own. Several of one entry, as
    those of a dimer, are joined by ``"::"``.

    Examples
    --------
    >>> factor_class(motif("GATA1"))
    FactorClass(tf_class='Other C4 zinc finger-type factors', tf_family='C4-GATA-related')
    >>> factor_class(Motif.from_iupac("AGATAAG")).tf_family
    ''
    """
    if one.tf_class or one.tf_family:
        return FactorClass(one.tf_class, one.tf_family)
    identified = _IDENTIFIER.fullmatch(one.identifier or "")
    if not identified:
        return FactorClass("", "")
    if find_spec("pyjaspar") is None:  # a matrix of the user's own file
        return FactorClass("", "")
    entries = _factor_classes(as_release(None))
    base = identified[1].upper()
    return entries.get(
        f"{base}.{identified[2]}", entries.get(base, FactorClass("", ""))
    )


@cache
def _factor_classes(release: str) -> dict[str, FactorClass]:
    """Return the classes of all entries, by identifier and by accession (the newest)."""
    with closing(_database(release).conn) as connection:
        rows = connection.execute(_CLASSES).fetchall()
    values: dict[tuple[str, int], dict[str, list[str]]] = {}
    for base, version, tag, value in sorted(rows):
        of_entry = values.setdefault((base, version), {"class": [], "family": []})
        if value and value not in of_entry[tag]:
            of_entry[tag].append(value)
    found: dict[str, FactorClass] = {}
    for (base, version), tags in values.items():  # the newest version last
        entry = FactorClass(*("::".join(tags[tag]) for tag in ("class", "family")))
        found[f"{base}.{version}"] = found[base] = entry
    return found


def jaspar_motifs(taxon: str | None) -> dict[str, Motif]:
    """Return the motifs of `core_motifs` by identifier and name,
    ``"MA0035.5 GATA1"``.
    """
    return {f"{one.identifier} {one.name}": one for one in core_motifs(taxon)}


def named_motifs(
    motifs: MotifList,
    argument: str = "motifs",
    *,
    taxon: str | None = "vertebrates",
    error: type[CausalgiaError] = SequenceError,
) -> dict[str, Motif]:
    """Return motifs by name: of a file, a mapping name -> anything that `motif` takes,
    a list of such, or ``"JASPAR"``. Names are looked up in `taxon`.

    Raises
    ------
    SequenceError
        If a motif or the file cannot be read.
    CausalgiaError
        Of class `error`: if it is not one of these, has no motif, or two of one name.

    Examples
    --------
    >>> named_motifs({"GATA": "AGATAAG"})["GATA"].consensus
    'AGATAAG'
    >>> list(named_motifs(["AGATAAG", "GATA1"]))
    ['AGATAAG', 'GATA1']
    """
    if is_jaspar(motifs):
        return jaspar_motifs(taxon)
    if (of_file := motifs_of_file(motifs)) is not None:
        return of_file
    if is_one_motif(motifs):
        raise error(
            f"{argument}= is one motif, and a list of motifs is needed: give it "
            f"with a name, {argument}={{'motif 1': motif}}"
        )
    if isinstance(motifs, str) or not isinstance(motifs, Iterable):
        alone = (
            "; of JASPAR the newest release is read"
            if isinstance(motifs, str) and motifs.upper().startswith("JASPAR")
            else f"; one motif is given as {argument}=[{quoted(motifs)}]"
            if isinstance(motifs, str) and motifs
            else ""
        )
        raise error(
            f"{argument}={quoted(motifs)} is no list of motifs; give a file, a "
            f"mapping name -> motif, a list, or 'JASPAR'{alone}"
        )
    if isinstance(motifs, Mapping):
        named = {}
        for name, of in motifs.items():
            try:
                named[str(name)] = motif(of, taxon=taxon)
            except SequenceError as flaw:
                raise type(flaw)(f"{argument}=: {quoted(str(name))}: {flaw}") from flaw
    else:
        made = [motif(one, taxon=taxon) for one in motifs]
        names = [one.name for one in made]
        twice = next((x for i, x in enumerate(names) if x in names[:i]), None)
        if twice is not None:
            raise error(
                f"{argument}: two motifs are called {quoted(twice)}; give a "
                "mapping name -> motif, with names of your own"
            )
        named = dict(zip(names, made, strict=True))
    if not named:
        raise error(f"{argument}= has no motif; give one or more")
    return named


def is_jaspar(motifs: object) -> bool:
    """Return whether motifs are those of JASPAR: its name in any case, unless a file
    is called so.

    Examples
    --------
    >>> is_jaspar("JASPAR"), is_jaspar("jaspar"), is_jaspar(["JASPAR"])
    (True, True, False)
    """
    return isinstance(motifs, str) and (
        motifs == "JASPAR" or (motifs.upper() == "JASPAR" and not is_file(motifs))
    )


def is_pattern(what: object) -> bool:
    """Return whether a value is one string or motif, not a list of them."""
    return isinstance(what, str) or is_one_motif(what)


def is_one_motif(what: object) -> bool:
    """Return whether a value is one motif, or its table, where a list is expected.

    Examples
    --------
    >>> (
    ...     is_one_motif(np.eye(4)),
    ...     is_one_motif({"A": [1], "C": [0], "G": [0], "T": [0]}),
    ... )
    (True, True)
    >>> is_one_motif([np.eye(4)]), is_one_motif({"A": "GATAAG"}), is_one_motif(["A"])
    (False, False, False)
    """
    if isinstance(what, Motif) or _counts_of(what) is not None:
        return True
    if isinstance(what, Mapping):
        letters = {str(x).upper().replace("U", "T") for x in what}
        return letters == set(BASES) and not any(
            isinstance(x, str) for x in what.values()
        )
    if isinstance(what, list | tuple):
        return bool(what) and all(
            isinstance(row, list | tuple)
            and row
            and not np.ndim(row[0])
            and isinstance(row[0], int | float)
            for row in what
        )
    return getattr(what, "ndim", 0) == 2


def motifs_of_file(what: object) -> dict[str, Motif] | None:
    """Return the motifs of a file by name; None for what is no path.

    A text is a path if it ends in .meme, .jaspar, .cb, .pcm, .pfm, .txt or .gz, has a ``/``, or is
    the name of a file and no string of IUPAC letters.

    Examples
    --------
    >>> motifs_of_file("AGATAAG") is None
    True
    """
    if isinstance(what, PathLike):
        return read_motifs(what)
    if not isinstance(what, str):
        return None
    is_path = (
        what.endswith(_SUFFIXES)
        or "/" in what
        or (not set(what.upper()) <= set(IUPAC) and is_file(what))
    )
    return read_motifs(what) if is_path else None


def _pyjaspar(what: str = "") -> Any:
    """Return the package that holds the copy of JASPAR; `what` is looked up in it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pyjaspar
    except ImportError as error:
        raise MissingExtraError(
            f"{(quoted(what) if what else 'JASPAR')} is looked up in pyjaspar, which "
            f"is not installed: {install_command('jaspar')}",
        ) from error
    return pyjaspar


def _database(release: str) -> Any:
    return _pyjaspar().jaspardb(release)


def as_release(release: str | None, what: str = "") -> str:
    """Return the release; for None the newest that pyjaspar has.

    Raises
    ------
    SequenceError
        If pyjaspar does not have it.
    MissingExtraError
        If pyjaspar is not installed; the message names `what`.
    """
    pyjaspar = _pyjaspar(what)
    if release is None:
        return str(pyjaspar.JASPAR_LATEST_RELEASE)
    if release not in pyjaspar.jaspar_releases:
        msg = (
            f"release={quoted(release)}; pyjaspar {pyjaspar.__version__} has "
            f"{', '.join(pyjaspar.jaspar_releases)}"
        )
        raise SequenceError(msg)
    return release


@cache
def profiles(release: str) -> tuple[Profile, ...]:
    """Return every version of every profile of a release, by accession and version."""
    with closing(_database(release).conn) as connection:
        rows = connection.execute(_QUERY).fetchall()
    return tuple(
        sorted((Profile(*row) for row in rows), key=lambda x: (x.base, x.version))
    )


@cache
def _newest(release: str) -> tuple[Profile, ...]:
    """Return the newest version of each profile, by accession."""
    return tuple({x.base: x for x in profiles(release)}.values())


def _namesakes(what: str, release: str) -> list[Profile]:
    return [x for x in _newest(release) if x.name.casefold() == what.casefold()]


def _near(what: str, taxon: str | None, release: str, *, widely: bool) -> str:
    """Return similar names: of the taxon, or, if there are none and `widely` is set, of
    all taxa.

    At most three: those that contain the name, the shortest first, then those with
    similar spelling.
    """
    text = what.casefold()
    core = [x for x in _newest(release) if x.collection == "CORE"]
    for pool in ([x for x in core if taxon in (None, x.taxon)], core if widely else []):
        names = {x.name.casefold(): x for x in reversed(pool)}
        within = sorted(
            (name for name in names if len(text) > 2 and text in name),
            key=lambda name: (len(name), name),
        )
        alike = dict.fromkeys([*within, *similar_names(text, list(names), most=3)])
        near = [names[key] for key in list(alike)[:3]]
        if near:
            return " or ".join(
                f"{quoted(x.name)} ({x.identifier}, {x.taxon})" for x in near
            )
    return ""

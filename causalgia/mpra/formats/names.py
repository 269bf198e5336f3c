"""Oligo names that vendors and mappers accept, and sequences that can be told apart in a pool."""

from __future__ import annotations

import re
from collections.abc import Sequence

from causalgia.errors import LibraryError, quoted

NAME = re.compile(r"[A-Za-z][A-Za-z0-9+=_.:-]*")
_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")
_SHOWN = 3


def check_names(names: Sequence[str], place: str) -> None:
    """Raise LibraryError for names that vendors or mappers do not accept, or that appear twice.

    Raises
    ------
    LibraryError
        If a name does not begin with a letter, has another character than letters, digits and ``+ = _ . : -``, or is
        shared.
    """
    odd = [name for name in dict.fromkeys(names) if NAME.fullmatch(name) is None]
    if odd:
        raise LibraryError(
            f"{place}: {_first_names(odd)}: a name begins with a letter and has letters, digits and + = _ . : - only; "
            "rename (vendor_name() writes other characters as =HH, and given_name() reads them back)"
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise LibraryError(f"{place}: {quoted(twice)} names two sequences; names are unique: rename one")


def vendor_name(name: str) -> str:
    """Return a text as a name that vendors and mappers accept; `given_name` inverts it.

    Characters other than letters, digits and ``+ _ . : -`` become ``=HH``, two hexadecimal digits a byte of UTF-8, and
    names that do not start with a letter get the prefix ``n==``; distinct texts get distinct names.

    Examples
    --------
    >>> vendor_name("chr1:5-11(+)"), given_name("chr1:5-11=28+=29")
    ('chr1:5-11=28+=29', 'chr1:5-11(+)')
    >>> vendor_name("7 copies")
    'n==7=20copies'
    """
    text = "".join(c if NAME.fullmatch("n" + c) and c != "=" else _hex_escape(c) for c in name)
    return text if NAME.fullmatch(text) else f"n=={text}"


def given_name(name: str) -> str:
    """Return the text from which `vendor_name` made a name.

    Raises
    ------
    LibraryError
        If the name is not one of `vendor_name`.
    """
    body = name.removeprefix("n==")
    raw = re.sub(rb"=([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), body.encode())
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"{quoted(name)} is not a name that vendor_name() wrote ({error.reason}); it is as it was given"
        ) from error


def check_distinguishable(sequences: Sequence[str], names: Sequence[str], exempt: Sequence[bool], place: str) -> None:
    """Raise LibraryError for sequences that are equal or reverse complements of each other.

    Parameters
    ----------
    sequences, names
        Sequences as ordered, and their names.
    exempt
        Which are declared duplicates, and may repeat another sequence in its own orientation.
    place
        Name of the output, for errors.

    Raises
    ------
    LibraryError
        With the names of the pairs.
    """
    seen: dict[str, str] = {}
    clashes: list[str] = []
    for sequence, name, declared in zip(sequences, names, exempt, strict=True):
        letters = sequence.upper()
        minus = letters.translate(_COMPLEMENT)[::-1]
        if not declared and letters in seen:
            clashes.append(f"{quoted(seen[letters])} and {quoted(name)} are one sequence")
        elif minus != letters and minus in seen:
            clashes.append(f"{quoted(name)} is the reverse complement of {quoted(seen[minus])}")
        if not declared:
            seen.setdefault(letters, name)
    if clashes:
        more = f", and {len(clashes) - _SHOWN:,} more pairs" if len(clashes) > _SHOWN else ""
        raise LibraryError(
            f"{place}: {'; '.join(clashes[:_SHOWN])}{more}: their reads cannot be told apart. Drop the unit in every "
            "arm, draw its background anew, or declare the copies duplicates (group 'duplicate')"
        )


def _hex_escape(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode())


def _first_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(quoted, names[:_SHOWN])) + more

"""The records of a FASTA text: names and letters."""

from __future__ import annotations

import re
from itertools import pairwise

from causalgia.errors import SequenceError, quoted


def parse_fasta(
    text: bytes, *, source: str, empty: bool = False
) -> tuple[tuple[str, ...], list[bytes]]:
    """Return the names and the letters of the records of a FASTA text, without their
    line ends; `empty` says whether a record may lack letters or a name.

    Raises
    ------
    SequenceError
        If there is no record, or one lacks a name or letters.
    """
    starts = [found.start() for found in re.finditer(rb"^>", text, re.MULTILINE)]
    lead = text[: starts[0]] if starts else text
    if lead.strip() or not starts:
        number, line = next(
            ((i, x) for i, x in enumerate(lead.split(b"\n"), 1) if x.strip()), (1, b"")
        )
        raise SequenceError(
            f"{source}: line {number}: {quoted(line[:30].decode('utf-8', 'replace'))}; "
            "a FASTA begins with a line '>name'"
        )
    names, letters = list[str](), list[bytes]()
    for start, stop in pairwise([*starts, len(text)]):
        end = text.find(b"\n", start, stop)
        head = text[start + 1 : stop if end < 0 else end].decode("utf-8", "replace")
        name = next(iter(head.split(maxsplit=1)), "")
        body = b"" if end < 0 else text[end:stop].translate(None, b"\n\t ")
        if not empty and not (name and body):
            line_of = text.count(b"\n", 0, start) + 1
            flaw = (
                f"record {quoted(name)} has no letters" if name else "no name after '>'"
            )
            raise SequenceError(
                f"{source}: line {line_of}: {flaw}; skip='empty' leaves it out"
            )
        names.append(name)
        letters.append(body)
    return tuple(names), letters

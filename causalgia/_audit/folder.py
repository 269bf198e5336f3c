"""The files of an audit's folder."""

from __future__ import annotations

from pathlib import Path

ANSWER, PAGE, PROTOCOL = "answer.txt", "report.html", "protocol.toml"
SITES, MATRICES, LIBRARY = "sites.bed", "motifs.meme", "library"
ASKED = "inputs/audit.toml"  # of the command
MARK = (
    "# An audit by causalgia: what it was made of, what it spent, and digests of its "
    "tables.\n"
)
"""First line of the protocol of an audit."""


def is_audit(folder: Path) -> bool:
    """Return whether a folder is that of an audit, finished or not."""
    try:
        with (folder / PROTOCOL).open("rb") as file:
            marked = file.read(len(MARK)) == MARK.encode()
    except OSError:
        marked = False
    return marked or (folder / ASKED).is_file()

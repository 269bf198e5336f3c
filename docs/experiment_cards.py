"""A card for each experiment of the catalogue: its picture, its name and its question,
linked to its place on the page.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent / "catalogue.md"
_FIGURE = re.compile(r"(?m)^!\[(\w+): ([^]]+)\]\((catalogue/[^)]+)\)$")


def text() -> str:
    """Return the cards, for Sphinx, in the order of the page.

    Examples
    --------
    >>> print(*text().splitlines()[3:10], sep="\\n")
    :::{grid-item-card} `kmer_screen`
    :link: catalogue-kmer_screen
    :link-type: ref
    :img-top: catalogue/kmer_screen.png
    :img-alt: The figure of kmer_screen
    Which k-mers have effects beyond those of random sequences?
    :::
    """
    cards = [
        f":::{{grid-item-card}} `{name}`\n:link: catalogue-{name}\n:link-type: ref\n"
        f":img-top: {path}\n:img-alt: The figure of {name}\n{question}\n:::\n"
        for name, question, path in _FIGURE.findall(PAGE.read_text(encoding="utf-8"))
    ]
    return "::::{grid} 1 2 2 3\n:gutter: 2\n\n" + "".join(cards) + "::::\n"

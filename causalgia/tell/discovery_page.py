"""The page of a discovery: families of motifs with their logos, names, effects, places
and partners, and what could be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalgia.tell.answers import AnswerParts
from causalgia.tell.discovery_answers import discovery_parts
from causalgia.tell.figures.style import PNG_DPI, image_of
from causalgia.tell.html_page import PageParts

if TYPE_CHECKING:
    from causalgia._discover import Discovery

_CAPTION = (
    "Families of confirmed motifs: a logo of the instances of each in the sequences, its "
    "effects by task, and where its sites stand."
)


def discovery_page(found: Discovery) -> PageParts:
    """Return the parts of a page of a discovery: a row for each family, and folded a
    sentence on each motif and pair.
    """
    about: dict[str, Any] = {"question": found.question, "sentences": found.sentences}
    laid_out = discovery_parts(
        found,
        of_page=True,
        requested=("arms", "each"),
        tables=("motifs.tsv", "pairs.tsv", "families.tsv"),
        noted="under Method",
    )
    figures = {}
    if len(found.confirmed) and found.logos is not None:
        figures[_CAPTION] = image_of(found.draw(), "png", dpi=PNG_DPI)
    if found.decisions is None:  # no motif was proposed
        told = AnswerParts(sentences=tuple(found.sentences))
        return PageParts(result=found.proposals, told=told, **about)
    return PageParts(result=found.decisions, told=laid_out, figures=figures, **about)

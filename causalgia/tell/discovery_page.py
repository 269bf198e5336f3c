"""The page of a discovery: families of motifs with their logos, names, effects, places
and partners, and what could be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from causalgia.effect_table import selected_tasks
from causalgia.tell.discovery_answers import (
    discovery_parts,
    discovery_sentences,
)
from causalgia.tell.figures.style import PNG_DPI, image_of
from causalgia.tell.html_page import PageParts

if TYPE_CHECKING:
    from causalgia._discover import Discovery

_CAPTION = (
    "Families of confirmed motifs: a logo of the instances of each in the sequences, its "
    "effects by task, and where its sites stand."
)


def discovery_page(
    found: Discovery, task: str | Sequence[str] | None = None
) -> PageParts:
    """Return the parts of a page of a discovery, of these tasks.

    The table has a row for each family; a sentence on each motif and pair, pairs
    included, is folded.
    """
    about: dict[str, Any] = {"question": found.question, "sentences": found.sentences}
    decisions = found.decisions
    if decisions is None:  # no motif was proposed
        return PageParts(
            result=found.proposals, text="\n".join(found.sentences), **about
        )
    if task is not None:
        tasks = selected_tasks(
            list(dict.fromkeys(found.table["task"])), task, place="report: "
        )
        table, pairs = (of[of["task"].isin(tasks)] for of in (found.table, found.pairs))
        found = replace(found, table=table, pairs=pairs)
        held = found.confirmed
        found = replace(found, sentences=tuple(discovery_sentences(table, held, pairs)))
    figures = {}
    if len(found.confirmed) and found.logos is not None:
        figures[_CAPTION] = image_of(found.draw(), "png", dpi=PNG_DPI)
    laid_out = discovery_parts(
        found,
        of_page=True,
        tables=("motifs.tsv", "pairs.tsv", "families.tsv"),
        noted="under Method",
    )
    about["sentences"] = found.sentences
    return PageParts(result=decisions, laid_out=laid_out, figures=figures, **about)

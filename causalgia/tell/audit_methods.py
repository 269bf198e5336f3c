"""The methods of a paper on an audit: the paragraph, what to cite, and the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from causalgia._audit.named import LEVEL
from causalgia.errors import printable
from causalgia.tell.audit_answers import Audited
from causalgia.tell.citations import WORKS, Work, software
from causalgia.tell.table_formats import markdown_table

if TYPE_CHECKING:
    import pandas as pd

ITEMS = ["section", "report", "in this audit"]
_CITED = (
    *("koo2021global", "altschul1985significance", "benjamini1995controlling"),
    "meinshausen2008hierarchical",
)


class _Candidate(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def motif(self) -> Any: ...


class Pictured(Audited, Protocol):
    """What the page is of: the answer of `causalgia.audit`."""

    @property
    def question(self) -> str: ...
    @property
    def pairs(self) -> pd.DataFrame: ...
    @property
    def candidates(self) -> Sequence[_Candidate]: ...


def audit_methods(found: Pictured) -> tuple[str, tuple[Work, ...]]:
    """Return the methods of a paper on an audit: the paragraph, what to cite and the
    checklist; and the works.
    """
    rows = [[printable(cell) for cell in row] for row in items(found)]
    cited = "\n".join(f"- {work}" for work in works())
    table = markdown_table(ITEMS, rows, [], names=set(ITEMS)).rstrip("\n")
    return (
        f"Methods\n\n{audit_paragraph(found)}\n\nTo cite\n\n{cited}\n\nChecklist\n\n{table}",
        works(),
    )


def audit_paragraph(found: Pictured) -> str:
    """Return the paragraph of a paper's methods."""
    n, made = found.counts, found.settings
    return (
        f"{n['distinct']:,} different sequences of {made.get('length', '?')} bp were split "
        f"by parent into {n['proposing']:,} that propose, {n['testing']:,} that test and "
        f"{n['reserved']:,} that confirm. Attribution maps of {found.plan.n_mapped:,} of the "
        f"first proposed {n['proposed']:,} motifs. Each was tested in two ways: by "
        "overwriting its sites in the testing sequences by their own letters in another "
        "order, and by embedding it in dinucleotide shuffles of these sequences. It is "
        "read where what is lost exceeds a fifth of the standard deviation of predictions, or "
        "what it does alone lies three tenths of it beyond the 95 % prediction limits of 19 "
        "words of its letters in other orders "
        f"(false discovery rate {LEVEL:g}, Benjamini-Hochberg, over motifs, tasks and both "
        "tests). Pairs of motifs were embedded at every gap, order and strand, with each "
        "motif alone at its place; rules are runs of gaps whose interaction has one sign. "
        f"Motifs and rules were tested again on the {n['reserved']:,} reserved sequences and "
        "their shuffles, with p-values of a tree of hypotheses, in which a rule stands below "
        "one of its motifs (Meinshausen 2008). The share of the variance of predictions on the "
        "reserved sequences was that of ridge regression on counts of sites, composition and "
        "occurrences of rules, with coefficients from the other sequences. Software: "
        f"causalgia {made.get('causalgia', '')}, seed {made.get('rng', '')}."
    )


def works() -> tuple[Work, ...]:
    """Return the works to cite."""
    return (software(), *(WORKS[key] for key in _CITED))


def items(found: Pictured) -> list[list[str]]:
    """Return the checklist of a paper that reports an audit."""
    made, n = found.settings, found.counts
    say = "say it"
    checked = (
        int(found.rules[["pass", "warn", "fail"]].to_numpy().sum())
        if len(found.rules)
        else 0
    )
    return [
        ["Question", "the question", found.question],
        ["Network", "architecture, training data, held-out performance", say],
        [
            "Network",
            "the weights, by their fingerprint",
            made.get("predictor", "missing"),
        ],
        ["Sequences", "which, and why these", say],
        [
            "Sequences",
            "how they were split",
            f"{n['proposing']:,} : {n['testing']:,} : {n['reserved']:,}, by parent",
        ],
        ["Design", "the null model", "dinucleotide shuffles of the sequences"],
        [
            "Design",
            "what a motif is compared with",
            "other orders of its letters",
        ],
        [
            "Analysis",
            "the error rate, and the family it holds for",
            f"false discovery rate {LEVEL:g} over motifs, tasks and both tests; then the "
            "tree of motifs and rules on the reserved sequences",
        ],
        [
            "Results",
            "the share of the predictions that is explained",
            "first line of the answer",
        ],
        [
            "Results",
            "every motif and rule, also those that do not hold",
            "tables motifs and rules",
        ],
        [
            "Refutation",
            "how rules could have been wrong",
            f"{checked:,} checks of cg.refute",
        ],
        [
            "Reproduction",
            "versions and seed",
            f"causalgia {made.get('causalgia', '')}, seed {made.get('rng', '')}",
        ],
        ["Reproduction", "what was left out", f"{len(found.left_out):,} tests, named"],
        ["Biology", "what was measured in cells", say],
    ]

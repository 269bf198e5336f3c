"""Named oracles: one for each story of the founding papers, with rounded effects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalgia.checks import nearest
from causalgia.errors import PredictorError, quoted
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import Strand
from causalgia.zoo.grammar import Oracle
from causalgia.zoo.terms import Bump, EndGC, Gate, Hill, Saturating, Slope, Term, Word

#: length of the sequences of the trained networks: that of an RNAcompete probe
LENGTH = 41

_RBFOX1_SITES = {
    **{"UGCAUG": 3.6, "AGCAUG": 3.2, "CGCAUG": 2.8, "UGCACG": 2.0, "AGAAUG": 1.5},
    **{"UGUAUG": 0.4, "UGCAUA": 0.3, "UACAUG": -0.1},
}


def rbfox1_like() -> Oracle:
    """RNAcompete-like RBFOX1 (41 nt): a strong word and weak ones, steric exclusion, position slope, 3' GC bias.

    The clash of two UGCAUG falls with the distance of their starts: 1.25 at 4, .85 at 6, 0 from 8 on, the differences
    of the published totals of 6.6 and 7.0 from 7.85 (at 9). After Koo, Anand, Paul & Eddy (2018, doi:10.1101/418459)
    and Koo et al. (2021, doi:10.1371/journal.pcbi.1008925); weights follow the order of the measured affinities.
    """
    words = [Word(word, weight, gain=Slope(-0.005)) for word, weight in _RBFOX1_SITES.items()]
    crowded = Pair("UGCAUG", "UGCAUG", clash=((4, -1.25), (6, -0.85)), min_distance=8)
    return Oracle(*words, crowded, EndGC(-0.8, last=8), tasks=["RBFOX1"], scale="log intensity", intercepts=[-0.5])


def vts1_like() -> Oracle:
    """RNAcompete-like VTS1 (41 nt): GCUGG, best in the loop of a hairpin, weaker in the open, weakest in a stem.

    Effects also fade away from the middle, and CNGG is a weak word. The word lies in a stem where its reverse
    complement lies 8 to 32 bases up- or downstream; it is in a loop where five pairs close 5 to 7 bases around it.
    After the Smaug recognition element: Aviv et al. (2003, doi:10.1038/nsb956), Koo, Anand, Paul & Eddy (2018,
    doi:10.1101/418459).
    """
    terms = [
        Word("GCUGG", 1.5, gain=Bump(25.0)),
        Word("CNGG", 0.2),
        Hairpin("GCUGG", bonus=1.2, stem=5, loop=(5, 6, 7), wobble=True),
        Pair("GCUGG", "CCAGC", bonus=-0.5, min_distance=8, reach=32),
    ]
    return Oracle(*terms, tasks=["VTS1"], scale="log intensity")


def gata1_like() -> Oracle:
    """Regulatory DNA in two cell types (200 bp): GATA with partners and helical phase; HNF4 acts in HepG2 alone."""
    gata, ebox = "AGATAAG", "CAGCTG"
    terms: list[tuple[Term, float, float]] = [
        (Word(gata, 0.8, "both", gain=Bump(60.0)), 1.0, 0.1),
        (Word("AGATAA", 0.25, "both"), 1.0, 0.2),
        (Word(ebox, 0.2, "both"), 1.0, 0.4),
        (Word("TGASTCA", 0.9, "both"), 1.0, 0.7),
        (Word("CCGGAAGT", 0.7, "both"), 0.8, 1.0),
        (Word("CAAAGTCCA", 1.2, "both"), 0.0, 1.0),
        (Word("CAGGTG", -0.3, "both"), 0.6, 1.0),
        (Pair(gata, ebox, bonus=0.9, decay=40.0, phase=0.5, min_distance=8, clash=-0.4, strand="both"), 1.0, 0.0),
        (Pair(gata, gata, bonus=0.4, decay=60.0, min_distance=8, clash=-0.4, strand="both"), 1.0, 0.0),
    ]
    return Oracle(
        *[term for term, _, _ in terms],
        tasks=["K562", "HepG2"],
        scale="log2 activity",
        weights=[[k562 for _, k562, _ in terms], [hepg2 for _, _, hepg2 in terms]],
        intercepts=[-0.2, 0.1],
    )


def additive() -> Oracle:
    """Additive words without interactions or dependence on position."""
    words = [Word("UGCAUG", 3.0), Word("AGAAUG", 1.5), Word("GCUGG", -1.0), Word("ACUAAC", 0.5)]
    return Oracle(*words, scale="log intensity")


def saturating() -> Oracle:
    """Saturating copies of UGCAUG and the weaker AGAAUG: half of the largest effect at two strong copies."""
    return Oracle(
        Saturating((Word("UGCAUG", 1.0), Word("AGAAUG", 0.5)), Hill(top=8.0, half=2.0)), scale="log intensity"
    )


def pairs_like() -> Oracle:
    """BPNet-like pluripotency factors (any length): soft syntax of pairs, each in the task of one factor.

    Nanog works best beside Nanog, at multiples of 10.5 bp (helical phase that fades over 60 bp). Sox2 helps Nanog on
    the same strand, three times as much from upstream as from downstream; Nanog does nothing for Sox2. Oct4-Sox2 helps
    Nanog and Klf4 over some 80 bp; Klf4 and Nanog do not interact. Partners less than 2 bp apart clash. After Avsec et
    al. (2021, doi:10.1038/s41588-021-00782-6).
    """
    nanog, oct4_sox2, sox2, klf4 = "AGCCATCA", "TTTGCATAACAA", "GAACAATGG", "CCACGCCC"
    pairs = {
        "Nanog": [
            _soft_pair(nanog, nanog, 0.8, decay=60.0, phase=0.8),
            *_directed_pairs(sox2, nanog, 0.9),
            *_directed_pairs(nanog, sox2, 0.3),
            _soft_pair(oct4_sox2, nanog, 0.7, decay=80.0),
        ],
        "Klf4": [_soft_pair(oct4_sox2, klf4, 0.5, decay=80.0)],
    }
    # share of each word's effect in Oct4, Sox2, Nanog and Klf4
    words: list[tuple[Term, list[float]]] = [
        (Word(oct4_sox2, 1.4, "both"), [1.0, 0.8, 0.4, 0.2]),
        (Word(sox2, 0.8, "both"), [0.2, 1.0, 0.4, 0.0]),
        (Word(nanog, 0.6, "both"), [0.0, 0.0, 1.0, 0.0]),
        (Word(klf4, 0.9, "both"), [0.0, 0.0, 0.0, 1.0]),
    ]
    tasks = ["Oct4", "Sox2", "Nanog", "Klf4"]
    terms = words + [(pair, [float(task == own) for task in tasks]) for own in pairs for pair in pairs[own]]
    return Oracle(
        *[term for term, _ in terms],
        tasks=tasks,
        scale="log counts",
        weights=np.transpose([shares for _, shares in terms]).tolist(),
        intercepts=[2.0] * 4,
    )


def _soft_pair(first: str, second: str, bonus: float, *, decay: float, phase: float = 0.0) -> Pair:
    """Return a pair in any order and orientation, with a clash below 2 bp apart."""
    apart = max(len(first), len(second)) + 2
    return Pair(
        first, second, bonus=bonus, clash=-0.5, min_distance=apart, decay=decay, phase=phase, reach=500, strand="both"
    )


def _directed_pairs(upstream: str, downstream: str, bonus: float) -> tuple[Pair, Pair]:
    """Return the pair in one order along the strand of both words, for each of the two strands."""

    def forward(first: str, second: str, strand: Strand) -> Pair:
        return Pair(
            first,
            second,
            bonus=bonus,
            clash=-0.5,
            min_distance=len(first) + 2,
            decay=50.0,
            reach=500,
            direction="forward",
            strand=strand,
        )

    return forward(upstream, downstream, "+"), forward(downstream, upstream, "-")


def gated() -> Oracle:
    """Context gates (any length): an effect of GATA and a CACCC box together, of either one, and their sum.

    In task ``AND`` each word is necessary and none sufficient; in ``OR`` each is sufficient and none necessary; in
    ``sum`` each copy of either adds up without interaction. After Buchler, Gerland & Hwa (2003,
    doi:10.1073/pnas.0930314100); GATA1 with KLF1 as in the globin promoters.
    """
    words = ("AGATAAGG", "CCACACCC")
    return Oracle(
        Gate(words, bonus=2.0, logic="and", strand="both"),
        Gate(words, bonus=2.0, logic="or", strand="both"),
        *[Word(word, 1.0, "both") for word in words],
        tasks=["AND", "OR", "sum"],
        scale="log2 activity",
        weights=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]],
    )


def long_range() -> Oracle:
    """Enhancers that act on a promoter over kilobases (5 to 200 kb): activity falls to 1/e in 5 kb.

    The TATA word alone gives 0.2. A strong (NF-E2) and a weak (GATA) enhancer word act on it from either side, in
    either orientation, each copy alike, and do nothing without it; a silencer word (RE1) takes some away over 20 kb.
    After the context, distance and multiplicity experiments of Toneyan & Koo (2024, doi:10.1038/s41588-024-01923-3)
    and the decay measured by Zuin et al. (2022, doi:10.1038/s41586-022-04570-y).
    """
    promoter = "GGCTATAAAAGG"
    act = {"ATGCTGAGTCAT": (5.0, 5_000.0), "CCAGATAAGGAC": (2.5, 5_000.0), "CAGCACCACGGA": (-0.15, 20_000.0)}
    return Oracle(
        Word(promoter, 0.2, "both"),
        *[Pair(word, promoter, bonus=bonus, decay=decay, strand="both") for word, (bonus, decay) in act.items()],
        scale="activity",
    )


_STORIES = (rbfox1_like, gata1_like, vts1_like, additive, saturating, pairs_like, gated, long_range)
_NAMED: dict[str, Callable[[], Oracle]] = {story.__name__: story for story in _STORIES}


def names() -> tuple[str, ...]:
    """Return the names that `oracle` takes.

    Examples
    --------
    >>> names()
    ('rbfox1_like', 'gata1_like', 'vts1_like', 'additive', 'saturating', 'pairs_like', 'gated', 'long_range')
    """
    return tuple(_NAMED)


def oracle(name: str) -> Oracle:
    """Return a named oracle: a predictor with `true_ace(design)`.

    Raises
    ------
    PredictorError
        If there is none of that name; the message suggests near names.

    Examples
    --------
    >>> oracle("gata1_like").tasks
    ('K562', 'HepG2')
    """
    if not isinstance(name, str) or name not in _NAMED:
        hint = nearest(quoted(name), _NAMED, most=2) or f"; there are {', '.join(_NAMED)}"
        raise PredictorError(f"zoo has no oracle {quoted(name)}{hint}")
    return _NAMED[name]()

"""The placebo of a contrast: its weights, with one motif replaced by its own letters in
another order in every arm that has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from causalgia.design.intervention import Intervention, Layout, Untreated, steps_of
from causalgia.design.pattern_interventions import (
    MOST_ENUMERATED,
    Embed,
    FixedPlacebo,
    Insert,
    admissible,
    count_orders,
    rearrangements,
)
from causalgia.design.patterns import Pattern
from causalgia.errors import DesignError, quoted
from causalgia.sequences.alphabet import decode, encode
from causalgia.streams import derive, root_key
from causalgia.types import Tokens, Units

N_ORDERS = 19
"""Orders of a motif's letters beside a single effect: the fewest whose smallest rank p-value
is .05."""
_PREDICTED = 0.95
_DRAWS, _BATCH = 20, 256


def motifs_of_contrast(arms: Iterable[Intervention]) -> list[Pattern]:
    """Return the motifs that make the arms of a contrast differ, in order: those that
    some of them write where not all do.

    Examples
    --------
    >>> a, b = Embed("AGATAAG", at=3), Embed("CAGCTG", at=20)
    >>> [motif.label for motif in motifs_of_contrast([Untreated(), a, b, a + b])]
    ['AGATAAG', 'CAGCTG']
    >>> [motif.label for motif in motifs_of_contrast([b, a + b])]
    ['AGATAAG']
    """
    sites = [
        [(step.kind, step.at, step.strand, step.written) for step in _written(arm)]
        for arm in arms
    ]
    own = [
        site for of_arm in sites for site in of_arm if not all(site in s for s in sites)
    ]
    found: list[Pattern] = []
    for *_, motif in own:
        if motif not in found:
            found.append(motif)
    return found


def _written(arm: Intervention) -> list[Any]:
    """Return the steps of an arm that write a motif."""
    return [step for step in steps_of(arm) if _writes(step)]


def _writes(step: Intervention) -> bool:
    return isinstance(step, Embed | Insert) and not isinstance(step, FixedPlacebo)


def in_another_order(arm: Intervention, motif: Pattern, word: str) -> Intervention:
    """Return an arm with a word wherever it writes the motif, on the motif's strand.

    Examples
    --------
    >>> arm = Embed("AGATAAG", at=3, strand="-") + Embed("CAGCTG", at=20)
    >>> print(in_another_order(arm, Embed("AGATAAG", at=0).written, "GATAAGA"))
    do(x[3:10] = rc(GATAAGA), x[20:26] = CAGCTG)
    """
    made: Intervention = Untreated()
    for step in steps_of(arm):
        if _writes(step) and step.written == motif:  # type: ignore[attr-defined]
            step = replace(step, pattern=word)  # type: ignore[type-var]
        made = made + step
    return made


def other_orders(
    motif: Pattern, n: int, *, beside: Iterable[Pattern] = ()
) -> list[str]:
    """Return n words of a motif's letters in other orders, with as many CG (of a motif
    that is drawn, as one draw) and without a site of it, or of others beside it, on
    either strand; all of them where there are fewer.

    Raises
    ------
    DesignError
        If there are fewer than two, between which nothing could vary.

    Examples
    --------
    >>> len(other_orders(Embed("AGATAAG", at=0).written, 19))
    19
    >>> len(other_orders(Embed("TGASTCA", at=0).written, 19))
    19
    >>> other_orders(Embed("AAAAAA", at=0).written, 19)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: 'AAAAAA': its letters have 0 other orders with as many CG
    """
    from causalgia.sequences.motif_scores import holds_site

    key = derive(root_key(0), "other orders", str(motif.identity))
    letters = motif.consensus.replace("U", "T")
    if not motif.random and count_orders(letters) <= MOST_ENUMERATED:
        words = np.random.default_rng(key).permutation(admissible(letters))
    else:
        units = np.arange(_BATCH, dtype=np.uint64)
        drawn = [rearrangements(motif, units, derive(key, k)) for k in range(_DRAWS)]
        words = np.concatenate(drawn)
    rng = np.random.default_rng(key)  # of letters that stand for several bases
    kept = _count_cg(words) == _count_cg(encode(letters, ambiguous="draw", rng=rng))
    for other in beside:
        kept &= ~holds_site(words, other.reads)
    found = list(dict.fromkeys(decode(words[kept])))
    if len(found) < 2:
        raise DesignError(
            f"{quoted(motif.label)}: its letters have {len(found)} other orders with as "
            "many CG"
        )
    return found[:n]


def reach_of_orders(spread: float, n: int) -> float:
    r"""Return how far from the mean of n orders one more reaches at a probability of .95:
    :math:`t_{.975, n - 1}\, s \sqrt{1 + 1 / n}`.

    Examples
    --------
    >>> round(reach_of_orders(1.0, 19), 3)
    2.156
    """
    from scipy import special

    t = float(special.stdtrit(n - 1, (1 + _PREDICTED) / 2))
    return t * spread * float(np.sqrt(1 + 1 / n))


def _count_cg(words: Tokens) -> Tokens:
    return np.asarray(((words[:, :-1] == 1) & (words[:, 1:] == 2)).sum(axis=1))


@dataclass(frozen=True, repr=False)
class Dealt(Intervention):
    """One of several interventions for each unit, in turn by its number.

    Examples
    --------
    >>> dealt = Dealt((Embed("A", at=0), Embed("C", at=0)))
    >>> dealt.apply(np.full((3, 1), 2, np.uint8), units=np.arange(3), key=0).ravel()
    array([0, 1, 0], dtype=uint8)
    """

    options: tuple[Intervention, ...]
    kind: ClassVar[str] = "dealt"
    main_field: ClassVar[str] = "options"

    @property
    def random(self) -> bool:
        return any(option.random for option in self.options)

    @property
    def terms(self) -> tuple[str, ...]:
        return (f"one of {len(self.options)} in turn", *self.options[0].terms)

    def lay(self, layout: Layout) -> Layout:
        for option in self.options[1:]:
            option.lay(layout)
        return self.options[0].lay(layout)

    def apply(self, tokens: Tokens, *, units: Units, key: int) -> Tokens:
        turn = units % len(self.options)
        pieces = [
            option.apply(tokens[turn == k], units=units[turn == k], key=key)
            for k, option in enumerate(self.options)
        ]
        out = np.empty((len(tokens), *pieces[0].shape[1:]), tokens.dtype)
        for k, piece in enumerate(pieces):
            out[turn == k] = piece
        return out

    def to_dict(self) -> dict[str, Any]:
        return {self.kind: [option.to_dict() for option in self.options]}

"""Inserts judged in their construct: which rule each breaks, before it is known which barcode it will have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalgia.errors import LibraryError, quoted
from causalgia.mpra.libraries.constructs import Construct, Oligos
from causalgia.mpra.libraries.rules import GCContent, Rule, SimpleRepeats, SiteCount, broken_by
from causalgia.sequences.alphabet import decode, encode
from causalgia.sequences.composition import word_hits
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Mask, Tokens

_AT_ONCE = 1 << 14  # oligos put together at a time
_OF_INSERTS = (GCContent, SimpleRepeats)
_FILLERS = 200  # that are drawn, of which the first good one is taken


@dataclass(frozen=True)
class Judge:
    """A construct and the rules that its oligos keep.

    Parameters
    ----------
    construct
        What stands around an insert.
    rules
        What the oligos keep.
    """

    construct: Construct
    rules: tuple[Rule, ...]

    @property
    def names(self) -> list[str]:
        """What reports call the rules."""
        return [rule.name for rule in self.rules]

    def broken(self, inserts: Tokens, barcodes: Tokens | None = None) -> Mask:
        """Return which rule which oligo breaks, (n_rules, n); inserts and barcodes are (n, length)."""
        found = np.empty((len(self.rules), len(inserts)), bool)
        for start in range(0, len(inserts), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            found[:, rows] = broken_by(self._oligos(inserts, barcodes, rows), self.rules)
        return found

    def _oligos(self, inserts: Tokens, barcodes: Tokens | None, rows: slice) -> Oligos:
        return self.construct.assemble(inserts[rows], None if barcodes is None else barcodes[rows])

    def without_barcodes(self) -> Judge:
        """Return the judge of what is there of barcoded oligos before the barcode: left + insert + junction."""
        before = replace(self.construct, right=self.construct.junction, junction="")
        return Judge(before, tuple(_intended_in(before, rule) for rule in self.rules))

    def of_promoter(self, halves: tuple[str, str], length: int, *, key: int) -> Judge:
        """Return the judge of the promoter alone: no insert, and a filler between the cloning sites of the junction.

        Parameters
        ----------
        halves
            The junction before and after the filler.
        length
            Letters of the filler.
        key
            Root key of the library.

        Raises
        ------
        LibraryError
            If no filler keeps the rules.
        """
        before, after = halves
        around = Construct(left=self.construct.left + before, right=after)
        judge = Judge(around, tuple(_intended_in(around, rule) for rule in self.rules))
        dice = random_words(derive(key, "filler"), np.arange(_FILLERS, dtype=np.uint64), length)
        fillers = (dice & np.uint64(3)).astype(np.uint8)
        broken = judge.broken(fillers)
        good = np.flatnonzero(~broken.any(axis=0))
        if not good.size:
            rule = self.rules[int(broken.sum(axis=1).argmax())]
            raise LibraryError(
                f"promoter_only=: not one of {_FILLERS} fillers of {length} bases between {before} and {after} was "
                f"good; broken most often: {rule.name}. Order no promoter alone (promoter_only=0), or {rule.cure}"
            )
        filled = replace(self.construct, junction=before + decode(fillers[good[0]])[0] + after)
        return Judge(filled, tuple(rule for rule in self.rules if not isinstance(rule, _OF_INSERTS)))

    def require(self, tokens: Tokens, names: Sequence[str], what: str) -> None:
        """Refuse given sequences that break a rule: they cannot be drawn anew.

        Raises
        ------
        LibraryError
            Names the first of them, its rule and the cure.
        """
        broken = self.broken(tokens)
        if broken.any():
            i = int(broken.any(axis=0).argmax())
            rule, n = self.rules[int(broken[:, i].argmax())], int(broken.any(axis=0).sum())
            others = f" ({n} of {len(names)} break one)" if n > 1 else ""
            raise LibraryError(
                f"{what} {quoted(names[i])} breaks a rule: {rule.name}{others}; leave it out, or {rule.cure}"
            )


def _intended_in(part: Construct, rule: Rule) -> Rule:
    """Return a rule with the sites that stand in these constant parts on purpose."""
    if not isinstance(rule, SiteCount) or not rule.intended:
        return rule
    hits = sum(int(word_hits(encode(letters), rule.word)[0][0]) for letters in part.parts.values())
    return replace(rule, intended=hits)

"""Inserts judged in their construct: which rule each breaks, before it is known which barcode it will have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalgia.errors import LibraryError
from causalgia.mpra.ordering.constructs import Construct, Oligos
from causalgia.mpra.ordering.rules import Mask, Rule, SiteCount, broken_by
from causalgia.sequences.alphabet import Tokens, encode
from causalgia.sequences.composition import word_hits

_AT_ONCE = 1 << 14  # oligos put together at a time


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
            raise LibraryError(f"{what} '{names[i]}' breaks a rule: {rule.name}{others}; leave it out, or {rule.cure}")


def _intended_in(part: Construct, rule: Rule) -> Rule:
    """Return a rule with the sites that stand in these constant parts on purpose."""
    if not isinstance(rule, SiteCount) or not rule.intended:
        return rule
    hits = sum(int(word_hits(encode(letters), rule.word)[0][0]) for letters in part.parts.values())
    return replace(rule, intended=hits)

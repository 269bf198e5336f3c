"""Rules for oligos: frozen values that check assembled oligos and name the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int, as_number, as_texts, is_real
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.mpra.libraries.constructs import Construct, Oligos, intended_sites
from causalgia.sequences.alphabet import decode, encode, parse_iupac, reverse_complement
from causalgia.sequences.composition import (
    gc_extremes,
    iupac_hits,
    longest_runs,
    number_distinct,
    repeat_shares,
)
from causalgia.sequences.motif_names import (
    MotifLike,
    as_string_or_motif,
    is_pattern,
    motifs_of_file,
)
from causalgia.sequences.motif_scores import find_instances
from causalgia.sequences.motifs import Motif
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Mask, Tokens


class Rule(Protocol):
    """A rule: its name, its cure, and the oligos that break it."""

    @property
    def name(self) -> str:
        """Name in reports and messages."""
        ...

    @property
    def cure(self) -> str:
        """What to do if no background meets it."""
        ...

    def broken(self, oligos: Oligos) -> Mask:
        """Return which oligos break the rule, shape ``(n,)``."""
        ...


@dataclass(frozen=True, kw_only=True)
class SiteCount:
    """A restriction site occurs in the whole oligo, junctions included, exactly as
    often as intended.

    Parameters
    ----------
    enzyme
        Name of the site in messages.
    letters
        IUPAC letters; both strands are searched.
    intended
        Number of sites that the constant parts contain on purpose.
    cure
        What to change, in the message about backgrounds that break the rule.
    """

    enzyme: str
    letters: str
    intended: int = 0
    cure: str = (
        "let another enzyme cut, which rules=cg.mpra.OligoRules(avoid=...) names, or "
        "allow other backgrounds"
    )

    @property
    def name(self) -> str:
        return f"site {self.enzyme}"

    def broken(self, oligos: Oligos) -> Mask:
        counts, _ = iupac_hits(oligos.tokens, self.letters)
        broken: Mask = counts != self.intended
        return broken


@dataclass(frozen=True, kw_only=True)
class BlockedSite:
    """No methylation site overlaps a site to be cut, which would block it in plasmids
    from common strains.

    Parameters
    ----------
    enzyme
        Name of the site in messages.
    methylation
        Methylation, ``"dam"`` or ``"dcm"``.
    strings
        The site with an overlapping methylation site, IUPAC letters; both strands are
        searched.
    cure
        What to change, in the message about backgrounds that break the rule.
    """

    enzyme: str
    methylation: str
    strings: tuple[str, ...]
    cure: str = (
        "put other letters beside the site, or let another enzyme cut, which "
        "rules=cg.mpra.OligoRules(avoid=...) names"
    )

    @property
    def name(self) -> str:
        return f"site {self.enzyme} blocked by {self.methylation}"

    def broken(self, oligos: Oligos) -> Mask:
        broken = np.zeros(len(oligos.tokens), bool)
        for recognized in self.strings:
            broken |= iupac_hits(oligos.tokens, recognized)[0] > 0
        return broken


@dataclass(frozen=True, kw_only=True)
class Homopolymers:
    """No run of one base in the whole oligo, junctions included, is longer than
    `longest`.
    """

    longest: int = 10
    cure: str = (
        "allow longer runs, rules=cg.mpra.OligoRules(homopolymer=...), or choose a "
        "null model with fewer"
    )

    @property
    def name(self) -> str:
        return f"homopolymer above {self.longest}"

    def broken(self, oligos: Oligos) -> Mask:
        return longest_runs(oligos.tokens) > self.longest


@dataclass(frozen=True, kw_only=True)
class GCContent:
    """The share of G and C in the insert is at least `low` and at most `high`."""

    low: float = 0.25
    high: float = 0.65
    cure: str = (
        "widen rules=cg.mpra.OligoRules(gc=...), or choose a null model of another GC "
        "content"
    )

    @property
    def name(self) -> str:
        return f"GC outside {self.low:g}-{self.high:g}"

    def broken(self, oligos: Oligos) -> Mask:
        inserts = oligos.tokens[:, oligos.insert]
        lowest, highest = gc_extremes(inserts, inserts.shape[1])
        return (lowest < self.low) | (highest > self.high)


@dataclass(frozen=True, kw_only=True)
class GCWindows:
    """No window of `width` bases of the whole oligo has a share of G and C below `low`
    or above `high`.
    """

    width: int = 50
    low: float = 0.30
    high: float = 0.70
    cure: str = (
        "synthesis and PCR are uneven there: leave it as a flag, or choose other "
        "backgrounds"
    )

    @property
    def name(self) -> str:
        return f"GC outside {self.low:g}-{self.high:g} in {self.width} nt"

    def broken(self, oligos: Oligos) -> Mask:
        lowest, highest = gc_extremes(oligos.tokens, self.width)
        return (lowest < self.low) | (highest > self.high)


@dataclass(frozen=True, kw_only=True)
class SimpleRepeats:
    """At most `share` of the insert's bases lie in simple tandem repeats
    (`causalgia.sequences.composition`).
    """

    share: float = 0.25
    cure: str = (
        "allow more, rules=cg.mpra.OligoRules(repeats=...), or mask repeats in the "
        "sequences of the backgrounds"
    )

    @property
    def name(self) -> str:
        return f"simple repeats above {self.share:g}"

    def broken(self, oligos: Oligos) -> Mask:
        return repeat_shares(oligos.tokens[:, oligos.insert]) > self.share


@dataclass(frozen=True, kw_only=True)
class JunctionMotif:
    """No instance of a string or a motif spans an end of the insert or of the barcode,
    on either strand.

    Instances inside a part belong to the design; one across a junction is an artifact
    of the construct.

    Parameters
    ----------
    motif
        A string of IUPAC letters or a `Motif`.
    threshold
        p-value threshold of the motif score; None: as in
        `causalgia.sequences.find_instances`.
    cure
        What to change, in the message about backgrounds that break the rule.
    """

    motif: str | Motif
    threshold: float | None = None
    cure: str = "choose other adapters, or take the motif off the list"

    @property
    def name(self) -> str:
        return (
            f"{self.motif if isinstance(self.motif, str) else self.motif.name} across "
            "a junction"
        )

    def broken(self, oligos: Oligos) -> Mask:
        reach = (
            len(parse_iupac(self.motif)[1])
            if isinstance(self.motif, str)
            else len(self.motif)
        ) - 1
        hit = np.zeros(len(oligos.tokens), bool)
        for boundary in oligos.boundaries:
            around = oligos.tokens[:, max(boundary - reach, 0) : boundary + reach]
            if reach and around.shape[1] > reach:
                found = find_instances(
                    around, self.motif, threshold=self.threshold, overlapping=True
                )
                hit[found.row] = True
        return hit


@dataclass(frozen=True, kw_only=True)
class OligoRules:
    """Rules that the oligos of a library must satisfy, in addition to those of the
    construct.

    Attributes
    ----------
    avoid
        Enzymes (``"EcoRI"``) or sites, as letters, that no oligo may contain on either
        strand, junctions and barcodes included, besides those of the construct's
        cloning steps. A mapping gives how often adapters and junction contain a site on
        purpose: ``{"KpnI": 1, "XbaI": 1, "EcoRI": 0}``. Such a site is kept free of the
        dam or dcm methylation that would block its enzyme in common E. coli strains.
    gc
        Lowest and highest share of G and C in an insert.
    homopolymer
        Longest run of one base in the oligo, junctions included.
    repeats
        Largest share of an insert in simple repeats.
    motifs
        Strings or motifs that must not arise across a junction; a mapping, or a file of
        motifs.

    Raises
    ------
    DesignError
        If a site is unknown, `gc` or `repeats` are not shares, or `homopolymer` or
        `motifs` have the wrong type.

    Examples
    --------
    >>> OligoRules(avoid="EcoRI", gc=[0.3, 0.6])
    OligoRules(avoid=('EcoRI',), gc=(0.3, 0.6), homopolymer=10, repeats=0.25, motifs=())
    """

    avoid: str | Iterable[str] | Mapping[str, int] = ()
    gc: tuple[float, float] = (0.25, 0.65)
    homopolymer: int = 10
    repeats: float = 0.25
    motifs: Iterable[MotifLike] | Mapping[str, MotifLike] | MotifLike = ()

    def __post_init__(self) -> None:
        intended_sites(self.avoid)
        if isinstance(self.avoid, str) or not isinstance(self.avoid, Mapping):
            avoid = as_texts(
                self.avoid, "avoid", "enzymes or letters of sites", error=DesignError
            )
            object.__setattr__(self, "avoid", avoid)
        object.__setattr__(self, "gc", as_share_range(self.gc, "gc"))
        as_int(self.homopolymer, "homopolymer", error=DesignError)
        as_number(self.repeats, "repeats", least=0, most=1, error=DesignError)
        object.__setattr__(self, "motifs", _as_strings_or_motifs(self.motifs))

    def of_construct(self, construct: Construct) -> tuple[Rule, ...]:
        """Return these rules and those of a construct, whose intended sites are
        counted, not refused.

        Examples
        --------
        >>> from causalgia.mpra.libraries.constructs import construct
        >>> [rule.name for rule in OligoRules().of_construct(construct("lentimpra"))][
        ...     :3
        ... ]
        ['site EcoRI', 'site SbfI', 'homopolymer above 10']
        """
        cut = intended_sites(
            {name: dict(construct.intended).get(name, 0) for name in construct.avoid}
        )
        known = {site.letters: site for site in cut}
        for intended, n in intended_sites(self.avoid).items():
            site = known.setdefault(intended.letters, intended)
            cut[site] = max(n, cut.get(site, 0))
        return (
            *(
                SiteCount(enzyme=s.name, letters=s.letters, intended=n)
                for s, n in cut.items()
            ),
            *(
                BlockedSite(enzyme=s.name, methylation=s.methylation, strings=s.blocked)
                for s, n in cut.items()
                if n and s.methylation
            ),
            Homopolymers(longest=int(self.homopolymer)),
            GCContent(low=self.gc[0], high=self.gc[1]),
            SimpleRepeats(share=float(self.repeats)),
            *(
                JunctionMotif(motif=motif)
                for motif in _as_strings_or_motifs(self.motifs)
            ),
        )


def as_share_range(pair: Any, name: str) -> tuple[float, float]:
    """Return a lowest and a highest share, or raise DesignError naming the argument.

    Examples
    --------
    >>> as_share_range([0, 0.5], "gc")
    (0.0, 0.5)
    """
    if (
        isinstance(pair, tuple | list | np.ndarray)
        and len(pair) == 2
        and all(map(is_real, pair))
    ):
        low, high = map(float, pair)
        if 0 <= low <= high <= 1:
            return low, high
    raise DesignError(
        f"{name}={quoted(pair)} is not a pair of shares: two numbers between 0 and "
        "1, the lowest first; 0.25 is 25 per cent"
    )


def _as_strings_or_motifs(motifs: Any) -> tuple[str | Motif, ...]:
    of_file = motifs_of_file(motifs)
    motifs = motifs if of_file is None else of_file
    if isinstance(motifs, Mapping) and not is_pattern(motifs):
        motifs = tuple(motifs.values())
    given = (motifs,) if is_pattern(motifs) else motifs
    try:
        return tuple(map(as_string_or_motif, given))
    except (SequenceError, TypeError) as error:
        raise DesignError(f"motifs={quoted(motifs)}: {error}") from error


def default_flags() -> tuple[Rule, ...]:
    """Return the rules that are only counted in the report: such oligos are synthesized
    less evenly.
    """
    return (Homopolymers(longest=6), GCWindows())


def broken_by(oligos: Oligos, rules: Sequence[Rule]) -> Mask:
    """Return the mask of oligos that break each rule, shape ``(n_rules, n)``."""
    if not rules:
        return np.zeros((0, len(oligos.tokens)), bool)
    return np.stack([rule.broken(oligos) for rule in rules])


def check_construct(of: Construct, rules: Sequence[Rule], *, barcoded: bool) -> None:
    """Raise DesignError where the constant parts of a construct break a rule by
    themselves.

    Parameters
    ----------
    of
        The construct.
    rules
        The rules.
    barcoded
        Whether oligos contain a barcode, and so the junction.

    Raises
    ------
    DesignError
        With the part, the site, the position and the cure.
    """
    parts = {part: x for part, x in of.parts.items() if barcoded or part != "junction"}
    for rule in rules:
        if isinstance(rule, SiteCount):
            _check_site(rule, parts)
        if isinstance(rule, BlockedSite):
            for part, letters in parts.items():
                if any(
                    iupac_hits(encode(letters), recognized)[0][0]
                    for recognized in rule.strings
                ):
                    raise DesignError(
                        f"the {part} {letters} breaks a rule by itself: {rule.name}; "
                        f"{rule.cure}"
                    )
        if isinstance(rule, Homopolymers):
            for part, letters in parts.items():
                run = int(longest_runs(encode(letters))[0])
                if run > rule.longest:
                    raise DesignError(
                        f"the {part} {letters} has a run of {run} of one base; "
                        "allow such runs, "
                        f"rules=cg.mpra.OligoRules(homopolymer={run}), or choose "
                        f"another {part}"
                    )


def _check_site(rule: SiteCount, parts: dict[str, str]) -> None:
    found = {
        part: iupac_hits(encode(letters), rule.letters)
        for part, letters in parts.items()
    }
    total = sum(int(counts[0]) for counts, _ in found.values())
    if total > rule.intended:
        part, at = next(
            (part, int(first[0])) for part, (_, first) in found.items() if first[0] >= 0
        )
        raise DesignError(
            f"the {part} {parts[part]} carries {rule.enzyme} ({rule.letters}) at {at} "
            f"itself ({total} in the constant parts, {rule.intended} intended), so "
            "every oligo would be cut there; choose another enzyme or another adapter; "
            "if it is meant to be cut there, "
            f"rules=cg.mpra.OligoRules(avoid={{'{rule.enzyme}': {total}}})"
        )
    if total < rule.intended:
        raise DesignError(
            f"avoid= expects {rule.intended} site{'s' * (rule.intended != 1)} of "
            f"{rule.enzyme} ({rule.letters}) in the constant parts, and they have "
            f"{total}; correct the adapters, or give the number that is there, "
            f"rules=cg.mpra.OligoRules(avoid={{'{rule.enzyme}': {total}}})"
        )


def first_duplicates(tokens: Tokens) -> NDArray[np.int64]:
    """Return the first row with the same sequence in either orientation, shape
    ``(n,)``.

    Mappers cannot tell reads of an oligo from reads of its reverse complement, so a
    pool contains each once.

    Examples
    --------
    >>> first_duplicates(encode(["AACC", "ACGA", "GGTT", "AACC"]))
    array([0, 1, 0, 0])
    """
    if not tokens.size:
        return np.arange(len(tokens))
    opposite = reverse_complement(tokens)
    first = (tokens != opposite).argmax(axis=1)
    rows = np.arange(len(tokens))
    later = tokens[rows, first] > opposite[rows, first]
    one_way = np.where(later[:, None], opposite, tokens)
    numbers, fresh = number_distinct(one_way)
    return fresh[numbers]


OLIGOS_A_BLOCK = 1 << 14  # oligos assembled at a time
_OF_INSERTS = (GCContent, SimpleRepeats)
_FILLERS = 200  # drawn; the first good one is used


@dataclass(frozen=True)
class RuleChecker:
    """A construct with the rules for its oligos.

    Parameters
    ----------
    construct
        Constant parts around an insert.
    rules
        Rules for the oligos.
    """

    construct: Construct
    rules: tuple[Rule, ...]

    @property
    def names(self) -> list[str]:
        """Names of the rules in reports."""
        return [rule.name for rule in self.rules]

    def broken(self, inserts: Tokens, barcodes: Tokens | None = None) -> Mask:
        """Return the mask of oligos that break each rule, (n_rules, n); inserts and
        barcodes are (n, length).
        """
        found = np.empty((len(self.rules), len(inserts)), bool)
        for start in range(0, len(inserts), OLIGOS_A_BLOCK):
            rows = slice(start, start + OLIGOS_A_BLOCK)
            oligos = self.construct.assemble(
                inserts[rows], None if barcodes is None else barcodes[rows]
            )
            found[:, rows] = broken_by(oligos, self.rules)
        return found

    def without_barcodes(self) -> RuleChecker:
        """Return the checker of barcoded oligos before the barcode: left + insert +
        junction.
        """
        before = replace(self.construct, right=self.construct.junction, junction="")
        return RuleChecker(
            before, tuple(_intended_in(before, rule) for rule in self.rules)
        )

    def for_promoter(
        self, halves: tuple[str, str], length: int, *, key: int
    ) -> RuleChecker:
        """Return the checker of the promoter alone, with a filler between the cloning
        sites of the junction.

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
        DesignError
            If no filler meets the rules.
        """
        before, after = halves
        around = Construct(left=self.construct.left + before, right=after)
        checker = RuleChecker(
            around, tuple(_intended_in(around, rule) for rule in self.rules)
        )
        dice = random_words(
            derive(key, "filler"), np.arange(_FILLERS, dtype=np.uint64), length
        )
        fillers = (dice & np.uint64(3)).astype(np.uint8)
        broken = checker.broken(fillers)
        good = np.flatnonzero(~broken.any(axis=0))
        if not good.size:
            rule = self.rules[int(broken.sum(axis=1).argmax())]
            raise DesignError(
                f"n_promoter_only=: not one of {_FILLERS} fillers of {length} "
                f"bases between {before} and {after} was good; broken most often: "
                f"{rule.name}. Order no promoter alone, "
                f"controls=cg.mpra.Controls(n_promoter_only=0), or {rule.cure}"
            )
        filled = replace(
            self.construct, junction=before + decode(fillers[good[0]])[0] + after
        )
        return RuleChecker(
            filled,
            tuple(rule for rule in self.rules if not isinstance(rule, _OF_INSERTS)),
        )

    def check_given(self, tokens: Tokens, names: Sequence[str], what: str) -> None:
        """Raise DesignError for given sequences that break a rule, since they cannot
        be redrawn.

        Raises
        ------
        DesignError
            With the first of them, its rule and the cure.
        """
        broken = self.broken(tokens)
        if broken.any():
            i = int(broken.any(axis=0).argmax())
            rule, n = (
                self.rules[int(broken[:, i].argmax())],
                int(broken.any(axis=0).sum()),
            )
            others = f" ({n} of {len(names)} break one)" if n > 1 else ""
            raise DesignError(
                f"{what} {quoted(names[i])} breaks a rule: {rule.name}{others}; leave "
                f"it out, or {rule.cure}"
            )


def _intended_in(part: Construct, rule: Rule) -> Rule:
    """Return a rule with the number of intended sites in these constant parts."""
    if not isinstance(rule, SiteCount) or not rule.intended:
        return rule
    hits = sum(
        int(iupac_hits(encode(letters), rule.letters)[0][0])
        for letters in part.parts.values()
    )
    return replace(rule, intended=hits)

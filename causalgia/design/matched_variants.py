"""Null variants: a distribution over variants that match given variants in the chosen
keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_count, in_list, is_whole
from causalgia.choices import LEAST_MATCHED_NULLS
from causalgia.design.arms import null_from_dict
from causalgia.design.null_distributions import Genomic
from causalgia.design.null_model import Choice, NullModel, reads
from causalgia.design.null_variant_draws import (
    IDS_A_ROUND,
    KEYS,
    NullVariants,
    Wanted,
    draw_by_proposals,
    draw_in_finite,
    draw_in_genome,
    joined,
)
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences.alphabet import encode, reverse_complement
from causalgia.sequences.fasta import Source
from causalgia.sequences.genome import Genome
from causalgia.sequences.windowed_variants import (
    Change,
    VariantWindows,
    distance_class,
    variant_changes,
)
from causalgia.streams import derive

Population: TypeAlias = Source | NullModel | Literal["genome", "variants"]
MATCH = ("substitution", "context:3", "distance", "length")
MOST_IN_A_SEQUENCE, SEQUENCES_FOR_SEVERAL = 10, 1_000


@dataclass(frozen=True, kw_only=True, repr=False)
class MatchedVariants(Choice):
    """The null model of variants: variants elsewhere that match the given ones in the
    chosen keys.

    Use it to test whether a variant's effect is large:
    ``cg.experiments.variants(vcf, fasta, length=..., null=cg.MatchedVariants())``. A
    variant's effect in its own sequence is exact for a predictor; its null distribution
    is that of variants exchangeable with it.

    Parameters
    ----------
    of
        The population of sequences that null variants lie in: ``"genome"``, random loci
        of the genome of the variants; ``"variants"``, random positions of the variants'
        own windows, each in the middle of a window of its own (with a read-out, in the
        variant's window); None, both are drawn, and for each task those at random loci
        are used unless half of the variants' references predict more, or less, than the
        central 90 % of theirs; sequences (a FASTA file of records of one
        length, strings, tokens, `causalgia.sequences.from_bed` for other loci), at
        least as long as the windows, of which the middle is used; or a null model such
        as ``cg.DinucleotideShuffle(of=...)``, a sequence for each.
    match
        What a null variant has in common with the variant that it is drawn for:

        - ``"substitution"``: the letters removed and added, on either strand;
        - ``"context:3"``: the bases beside them, here one on each side
          (``"context:5"``: two);
        - ``"distance"``: the side and the power of two of the distance from the middle
          of the window, the read-out (0, 1, 2 to 3, 4 to 7, ... bases);
        - ``"length"``: how many bases are removed and added. Null variants have the
          length of theirs in any case; without this key they serve variants of other
          lengths as well;
        - ``"reference"``: what the predictor answers to the reference window. Within
          each stratum null variants are ordered by it, for each task, and cut into as
          many groups as have `min_nulls`; a variant is ranked in the group that has its
          prediction. Of random loci few may be as active as the variants: then many
          null variants, few of the other keys and a `min_nulls` of 100 are needed.
    min_nulls
        Null variants that a stratum needs. Where there are fewer, strata are pooled:
        context is dropped first, then the substitution, then the distance; the length
        never. By default 2,000, which resolve the p-values of variants of which 5 % are
        real.
    seed
        Seed of the null variants.

    Raises
    ------
    DesignError
        If `of` is no population, a key is unknown or given twice, or `min_nulls` or
        `seed` is no whole number.

    Notes
    -----
    Where effects grow with what a window predicts, as on a scale of counts, idle
    variants of active windows have larger effects than null variants at silent loci.
    Those of the same windows, or matched by the reference's prediction, do not differ
    in this; but they hit true sites as often as a random position there does, so that
    ranks among them are conservative. Measured with 119 idle variants in active windows
    of three sites (12 % of the positions) and one real one, at q <= .05:

    ==================================  ===============  ==============  =============
    null variants                       false share      found: larger   found: breaks
                                        of discoveries   than any site   a site
    ==================================  ===============  ==============  =============
    ``of="genome"``                     .99              1.00            1.00
    ``of="variants"``                   .00              1.00            .00
    ``of="genome"``, ``"reference"``    .00              1.00
    None                                .00              1.00
    ==================================  ===============  ==============  =============

    Of these 8,000 were drawn (of 4,000 the real one was found in 0 of 3 trials), and
    64,000 to be matched by the reference's prediction, since 4 % of the genome are as
    active. Trials share a genome and four draws of null variants.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244: conformal
    p-values among matched nulls.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.MatchedVariants(of="genome")
    MatchedVariants(of='genome')
    >>> cg.MatchedVariants(
    ...     of=cg.Uniform(length=200), match=("substitution", "length")
    ... ).describe()
    'variants with the same substitution and length in uniform random sequences of 200 bp'
    """

    of: Population | None = None
    match: Sequence[str] = MATCH
    min_nulls: int = 2_000
    seed: int = 0
    kind: ClassVar[str] = "matched_variants"

    def __post_init__(self) -> None:
        if not (self.of is None or isinstance(self.of, NullModel)) and not (
            isinstance(self.of, str) and self.of in ("genome", "variants")
        ):
            try:
                object.__setattr__(self, "of", Genomic(of=self.of))
            except (DesignError, SequenceError) as error:
                raise DesignError(f"MatchedVariants(of=...): {error}") from error
        object.__setattr__(self, "match", _as_keys(self.match))
        object.__setattr__(self, "min_nulls", as_count(self.min_nulls, "min_nulls"))
        if self.min_nulls < LEAST_MATCHED_NULLS:
            raise DesignError(
                f"min_nulls={self.min_nulls} is below {LEAST_MATCHED_NULLS}, the "
                "null variants that a p of .05 takes"
            )
        if not is_whole(self.seed) or self.seed < 0:
            raise DesignError(
                f"seed={quoted(self.seed)} is not a whole number of at least 0"
            )

    @property
    def flank(self) -> int:
        """Bases on each side of a change that are matched."""
        context = [key for key in self.match if key.startswith("context")]
        return int(context[0].partition(":")[2]) // 2 if context else 0

    @property
    def matched(self) -> tuple[str, ...]:
        """The keys that are matched, in the order in which they are dropped."""
        return tuple(
            key
            for key in KEYS
            if any(one.partition(":")[0] == key for one in self.match)
        )

    @property
    def by_reference(self) -> bool:
        """Whether null variants are matched by the prediction of their reference."""
        return "reference" in self.match

    def describe(self, dropped: Collection[str] = ()) -> str:
        """Return the null model as text, for reports.

        Parameters
        ----------
        dropped
            Keys on which too few null variants were alike, so that ranks do not match
            them.
        """
        words = [
            f"{2 * self.flank + 1}-mer context" if key == "context" else key
            for key in self.matched[::-1]
            if key not in dropped
        ]
        words = sorted(words, key=lambda x: x != "substitution")
        words += ["prediction of the reference"] * self.by_reference
        alike = in_list(words)
        place = {
            "genome": "at random loci of the genome",
            "variants": "in the variants' own windows",
            None: "at random loci of the genome, or in the variants' own windows where "
            "those predict otherwise",
        }
        where = (
            place[self.of]
            if self.of is None or isinstance(self.of, str)
            else f"in {self.of.describe()}"  # type: ignore[union-attr]
        )
        return (
            f"variants with the same {alike} {where}" if words else f"variants {where}"
        )

    def to_dict(self) -> dict[str, Any]:
        of: Any = self.of
        of = of.to_dict() if isinstance(of, NullModel) else of
        return {
            "kind": self.kind,
            **({} if of is None else {"of": of}),
            "match": list(self.match),
            "min_nulls": self.min_nulls,
            "seed": self.seed,
        }

    def identity(self) -> dict[str, Any]:
        of: Any = self.of
        of = of.identity() if isinstance(of, NullModel) else of
        # "least" is the key of `min_nulls` in the fingerprints of stored results
        return {
            "kind": self.kind,
            "of": of,
            "match": list(self.match),
            "least": self.min_nulls,
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        given = {"of": None, "match": MATCH, "min_nulls": 2_000, "seed": 0}
        more = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name, x in given.items()
            if getattr(self, name) != x
        )
        return f"MatchedVariants({more})"

    def keys_of(
        self, windows: VariantWindows
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return codes of the matched keys of each variant, (V, keys), and their names,
        in the order of dropping.
        """
        columns: dict[str, list[Any]] = {key: [] for key in self.matched}
        whole, alike = (
            "substitution" in columns,
            dict[tuple[str, ...], dict[str, Any]](),
        )
        for change in variant_changes(windows, flank=self.flank):
            words = change.removed, change.added, change.left, change.right
            if (of_words := alike.get(words)) is None:
                both = change, change.on_other_strand
                of_words = alike[words] = {
                    "context": min(
                        (x.left, x.right, *((x.removed, x.added) if whole else ()))
                        for x in both
                    ),
                    "substitution": min((x.removed, x.added) for x in both),
                    "length": change.size,
                }
            cells = {
                **of_words,
                "distance": distance_class(change.at - windows.reference.shape[1] // 2),
            }
            for key, column in columns.items():
                column.append(cells[key])
        names = (
            self.matched if self.matched[-1:] == ("length",) else (*self.matched, "any")
        )
        columns.setdefault(names[-1], [0] * len(windows))
        coded = []
        for name in names:
            code: dict[Any, int] = {}
            coded.append([code.setdefault(cell, len(code)) for cell in columns[name]])
        return np.array(coded, np.int64).T, names

    def draw(
        self,
        windows: VariantWindows,
        *,
        n_null: int,
        genome: str | PathLike[str],
        read_out: bool = False,
    ) -> NullVariants:
        """Draw null variants for the variants of these windows.

        Each null variant is drawn for one of the variants, so that together they have
        the variants' substitutions, contexts and distances in the same proportions.
        Half of them are spread evenly over the lengths of changes, so that a rare
        length has null variants of its own.

        Parameters
        ----------
        windows
            The variants, with their windows.
        n_null
            How many: one in each sequence, or up to ten where there are 1,000 sequences
            or more. Of two populations so many of each, first those at random loci.
        genome
            The FASTA or .2bit file of the variants, for ``of="genome"`` and ``of="variants"``.
        read_out
            Whether each window has a site in its middle, which null variants of
            ``of="variants"`` share.

        Raises
        ------
        DesignError
            If there are too few sequences for `n_null`, the context is wider than the
            windows, or sequences are shorter than the windows and what a deletion takes
            from beyond them.
        """
        n_null = as_count(n_null, "n_null")
        key = derive(int(self.fingerprint, 16), "matched variants", self.seed)
        changes = variant_changes(windows, flank=self.flank)
        length = windows.reference.shape[1]
        if 2 * self.flank + 1 > length:
            raise DesignError(
                f"match='context:{2 * self.flank + 1}' is wider than the windows "
                f"of {length} bases"
            )
        matched = _variants_to_match(changes, n_null, key)
        wanted = Wanted(changes, matched, self.matched, length, windows.align, key)
        if isinstance(self.of, str) or self.of is None:
            drawn = []
            if self.of != "variants":
                drawn.append(draw_in_genome(wanted, genome))
            if self.of != "genome":
                own = wanted.in_windows(windows.reference, read_out=read_out)
                beside = _draw_at_sites if read_out else _draw_beside
                drawn.append(beside(own, windows, genome))
            return joined(drawn)
        of: Any = self.of
        if of.length < (needed := length + 2 * wanted.beyond):
            raise DesignError(
                f"MatchedVariants(of=...): sequences of {of.length} bases; windows of "
                f"{length}, and what deletions take beyond them, need {needed}"
            )
        if isinstance(of, Genomic):
            given = of.parents_given
            names = [str(name) for name in given.names]
            return draw_in_finite(
                wanted,
                given.tokens,
                names,
                per_sequence=_in_a_sequence(n_null, len(given)),
            )
        units = derive(key, "null")
        return draw_by_proposals(
            wanted,
            of.length,
            lambda ids: of.draw(ids, key=units, n_units=n_null),
            [of.describe()] * n_null,
        )


def _draw_beside(
    wanted: Wanted, windows: VariantWindows, genome: str | PathLike[str]
) -> NullVariants:
    """Draw null variants at random positions of the variants' windows, each with a
    window around it.
    """
    spans = [
        (x.chromosome, first)
        for x, first in zip(windows.variants, windows.first.tolist(), strict=True)
    ]
    return draw_in_genome(wanted, genome, near=spans)


def _draw_at_sites(
    wanted: Wanted, windows: VariantWindows, genome: str | PathLike[str]
) -> NullVariants:
    """Draw null variants in the variants' windows as they stand, around their sites."""
    length, beyond = wanted.length, wanted.beyond
    wide = np.zeros((len(windows), length + 2 * beyond), np.uint8)
    with Genome(genome) as records:
        for row, variant in enumerate(windows.variants):
            start = int(windows.first[row]) - beyond
            place = f"variant {quoted(variant.name)}, for null variants in its window"
            letters = records.letters(
                variant.chromosome, start, start + wide.shape[1], place=place
            )
            text = letters.decode("latin-1").upper()
            wide[row] = encode([text], names=[variant.name])[0]
    minus = windows.on_minus
    wide[minus] = reverse_complement(wide[minus])
    return draw_by_proposals(
        wanted,
        wide.shape[1],
        lambda ids: wide[wanted.matched[ids % np.uint64(IDS_A_ROUND)]],
        [windows.variants[i].name for i in wanted.matched],
    )


def _as_keys(match: Any) -> tuple[str, ...]:
    given = (
        (match,)
        if isinstance(match, str)
        else tuple(match)
        if isinstance(match, Sequence)
        else ()
    )
    kinds = []
    for one in given:
        kind, _, size = one.partition(":") if isinstance(one, str) else ("", "", "")
        known = kind in (*KEYS, "reference") and (
            not size if kind != "context" else size.isdecimal() and int(size) % 2 == 1
        )
        if not known:
            raise DesignError(
                f"match: {quoted(one)} is not one of 'substitution', 'context:3' (an "
                "odd number of bases, the changed one in their middle), 'distance', "
                "'length', 'reference'"
            )
        kinds.append(kind)
    if len(set(kinds)) < len(kinds) or (not given and match is not given):
        raise DesignError(
            f"match={quoted(match)}: name different keys, such as ('substitution', "
            "'context:3', 'length')"
        )
    return given


def _in_a_sequence(n_null: int, n_sequences: int) -> int:
    """Return how many null variants each sequence gets at most, or raise
    DesignError.
    """
    if n_null <= n_sequences:
        return 1
    several = n_sequences >= SEQUENCES_FOR_SEVERAL
    most = n_sequences * (MOST_IN_A_SEQUENCE if several else 1)
    if n_null > most:
        raise DesignError(
            f"n_null={n_null:,} null variants in {n_sequences:,} sequences: at most "
            f"{most:,} are taken, since several in a sequence are not independent"
        )
    return -(-n_null // n_sequences)


def _variants_to_match(
    changes: list[Change], n_null: int, key: int
) -> NDArray[np.int64]:
    """Return the variant that each null is drawn for: half by variant, half by length
    and then by variant.
    """
    from causalgia.sequences.random import random_words

    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, change in enumerate(changes):
        by_size[change.size].append(i)
    words = random_words(derive(key, "variant"), np.arange(n_null, dtype=np.uint64), 3)
    u = (words >> np.uint64(11)) * 2.0**-53  # uniform between 0 and 1
    sizes = list(by_size.values())
    of_all = np.minimum((u[:, 2] * len(changes)).astype(np.int64), len(changes) - 1)
    size = np.minimum((u[:, 1] * len(sizes)).astype(np.int64), len(sizes) - 1)
    of_size = np.array(
        [
            sizes[s][min(int(x * len(sizes[s])), len(sizes[s]) - 1)]
            for s, x in zip(size, u[:, 2], strict=True)
        ]
    )
    return np.where(u[:, 0] < 0.5, of_all, of_size)


@reads(MatchedVariants)
def _matched_variants_from(plain: Any) -> MatchedVariants:
    known = ("kind", "of", "match", "min_nulls", "seed")
    if not isinstance(plain, Mapping) or any(key not in known for key in plain):
        raise DesignError(
            f"matched variants are a table with {', '.join(known)}, not {quoted(plain)}"
        )
    of = plain.get("of")
    if isinstance(of, Mapping) and "kind" in of:
        of = null_from_dict(of)
    return MatchedVariants(
        **{**{key: x for key, x in plain.items() if key != "kind"}, "of": of}
    )

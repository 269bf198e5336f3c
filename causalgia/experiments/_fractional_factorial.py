"""Screening designs: many two-level factors in few arms, as regular fractional
factorials with their aliases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.checks import as_position, is_whole
from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.design.arms import Level, intervention_from_dict
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
)
from causalgia.experiments.kit.sites import as_string_or_motif, evenly_spaced_starts
from causalgia.experiments.kit.variance import effect_in_words
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

if TYPE_CHECKING:
    import xarray as xr


Pattern: TypeAlias = str | Motif

_EXAMPLE = {"strong": "UGCAUG", "weak": "AGAAUG", "near": "UGCAUG", "rich": "GCGCGC"}
_GRAMMAR = ("first", "second", "order", "spacing", "first_strand", "second_strand")
_EFFECTS_NAMED = 6
_ROMAN = (
    "",
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
)


def arrangement_screen(
    null: NullModel = Uniform(length=200),  # noqa: B008 - a frozen value
    motifs: Sequence[Pattern] = ("AGATAAG", "TGACTCA"),
    other: Sequence[Pattern] = ("CAGCTG", "CCGGAAGT"),
    *,
    spacing: Sequence[int] = (4, 40),
    generators: Sequence[str] = ("E=ABC", "F=BCD"),
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the screening experiment on a pair of sites: motifs, order, spacing and
    strands.

    Six two-level factors: A ``first`` and B ``second``, the motif of each site; C
    ``order``, the first site upstream or downstream of the second; D ``spacing``; E
    ``first_strand`` and F ``second_strand``. A quarter of the 64 combinations is run,
    centered in the same backgrounds. An effect is the mean outcome over the runs where
    the product of its factors' levels is high minus that over the others; an
    interaction of two factors is thus half the difference of the effect of one at the
    two levels of the other. Aliased effects share one contrast, which estimates their
    sum and lists them.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motifs, other
        The two motifs that the first and the second site may be, low level first:
        strings, or what `causalgia.motif` takes.
    spacing
        Bases between the two sites: near, far.
    generators
        Factors whose levels are products of others, such as ``"E=ABC"``; the default
        has resolution IV (no main effect is aliased with an interaction of two
        factors); none: all 64 combinations.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the runs at the low level.

    Returns
    -------
    Experiment
        Arms named by the letters at the high level, ``"(1)"``, ``"ae"``, ...; contrasts
        ``"first"``, ..., ``"first x order"``, ...; coordinates ``term`` (the effect in
        letters) and ``aliases``.

    Raises
    ------
    DesignError
        If a factor lacks two different levels, sites do not fit the background, or a
        generator is invalid.
    SequenceError
        If there is no motif of a name.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.arrangement_screen(n_units=100)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[-1])
    Of aliased effects only the sum is known: first x second = order x first_strand; first x ...
    """
    as_null_model(null)
    sites = {
        "first": _as_two_motifs(motifs, "motifs"),
        "second": _as_two_motifs(other, "other"),
    }
    gaps = (
        tuple(as_position(gap, "spacing") for gap in spacing)
        if isinstance(spacing, Sequence)
        else ()
    )
    if len(gaps) != 2 or gaps[0] == gaps[1]:
        raise DesignError(
            f"spacing={quoted(spacing)}: give two different numbers of bases "
            "between the sites: near, far"
        )
    _check_pair_fits(null, sites, gaps)
    screen = fraction(len(_GRAMMAR), generators)
    return _screening_experiment(
        null=null,
        screen=screen,
        names=_GRAMMAR,
        arms=[_grammar_arm(null, sites, gaps, row) for row in _high_levels(screen)],
        entry=ARRANGEMENT_SCREEN,
        n_units=n_units,
        rope=rope,
    )


def fractional_factorial(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    factors: Mapping[str, Intervention | Mapping[str, object]] | None = None,
    generators: Sequence[str] = (),
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the screening experiment on interventions, each absent or present, in a
    fraction of their factorial.

    An effect is the mean outcome over the runs where the product of its factors' levels
    (present 1, absent -1) is high minus that over the others: for one factor, its mean
    effect over the levels of the others; for two, half the difference of the effect of
    one with and without the other.

    Parameters
    ----------
    null
        The null model of backgrounds.
    factors
        Factor -> intervention at its high level; they are A, B, C, ... in this order.
        None: four RNA sites, spread evenly over the background.
    generators
        Factors whose levels are products of others, such as ``"D=ABC"``; none: the full
        factorial.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the runs at the low level.

    Returns
    -------
    Experiment
        Arms named by the factors present, ``"untreated"`` where none is; contrasts
        named by factors, ``"near"`` and ``"near x far"``; coordinates ``term`` (the
        effect in letters) and ``aliases``.

    Raises
    ------
    DesignError
        If there are no factors, two of them change the same bases, or a generator is
        invalid.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = {f"at {at}": cg.Embed("UGCAUG", at=at) for at in (2, 10, 18, 26)}
    >>> experiment = cg.experiments.fractional_factorial(
    ...     factors=sites, generators=["D=ABC"], n_units=200
    ... )
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("saturating"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: of 7 effects, 7 matter (at 18: 1...
    """
    as_null_model(null)
    if factors is None:  # each site in the middle of a quarter of the background
        starts = evenly_spaced_starts(null.length, 6, len(_EXAMPLE))
        if min(b - a for a, b in pairwise(starts)) < 6:
            raise DesignError(
                f"the {len(_EXAMPLE)} sites of the example overlap in backgrounds of "
                f"{null.length} bases; use backgrounds of at least "
                f"{6 * (len(_EXAMPLE) + 1)}, or give factors="
            )
        factors = {
            name: Embed(word, at=at)
            for (name, word), at in zip(_EXAMPLE.items(), starts, strict=True)
        }
    interventions = _as_interventions(factors)
    screen = fraction(len(interventions), generators)
    return _screening_experiment(
        null=null,
        screen=screen,
        names=tuple(interventions),
        arms=[_factorial_arm(interventions, row) for row in _high_levels(screen)],
        entry=FRACTIONAL_FACTORIAL,
        n_units=n_units,
        rope=rope,
    )


def _screening_experiment(
    *,
    null: NullModel,
    screen: Fraction,
    names: tuple[str, ...],
    arms: list[Arm],
    entry: Entry,
    n_units: int,
    rope: RopeLike,
) -> Experiment:
    runs = [arm.name for arm in arms]
    strings = screen.strings()
    effects = {_word_name(word, names): word for word in strings}
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts={
            name: dict(zip(runs, screen.weights(word).tolist(), strict=True))
            for name, word in effects.items()
        },
        entry=replace(entry, read=partial(_read_screen, screen)),
        analysis=Analysis(rope=rope),
        labels={
            "term": {name: str(word) for name, word in effects.items()},
            "aliases": {
                name: " = ".join(_word_name(other, names) for other in strings[word])
                for name, word in effects.items()
            },
        },
    )


def _word_name(word: Word, names: tuple[str, ...]) -> str:
    """Return the name of a word by its factors, ``-first x order``."""
    return ("-" if word.sign < 0 else "") + " x ".join(
        names[i] for i in sorted(word.factors)
    )


def _high_levels(screen: Fraction) -> list[list[bool]]:
    rows: list[list[bool]] = (screen.signs > 0).tolist()
    return rows


def _as_two_motifs(patterns: Any, name: str) -> tuple[Pattern, Pattern]:
    listed = (
        [patterns] if isinstance(patterns, str | Motif | Mapping) else list(patterns)
    )
    if len(listed) != 2:
        raise DesignError(
            f"{name}={quoted(patterns)}: give the two motifs that this site may "
            "be, such as ('GATA', 'CACC')"
        )
    low, high = (as_string_or_motif(pattern, name) for pattern in listed)
    return low, high


def _check_pair_fits(
    null: NullModel, sites: Mapping[str, tuple[Pattern, Pattern]], gaps: tuple[int, ...]
) -> None:
    patterns = [as_pattern(pattern) for pair in sites.values() for pattern in pair]
    twice = next((p.label for i, p in enumerate(patterns) if p in patterns[:i]), None)
    if twice is not None:
        raise DesignError(
            f"motifs and other: {twice} is given twice; the four motifs must differ"
        )
    needed = max(map(len, patterns[:2])) + max(map(len, patterns[2:])) + max(gaps)
    if needed > null.length:
        raise DesignError(
            f"spacing={gaps}: two sites and {max(gaps)} bases between them take "
            f"{needed} bases, and backgrounds have {null.length}; bring them nearer, "
            "or use longer backgrounds"
        )


def _grammar_arm(
    null: NullModel,
    sites: Mapping[str, tuple[Pattern, Pattern]],
    gaps: tuple[int, ...],
    high: Sequence[bool],
) -> Arm:
    """Return the arm of these levels: two sites about the center of the background."""
    chosen = [
        as_pattern(pair[level])
        for pair, level in zip(sites.values(), high, strict=False)
    ]
    gap = gaps[high[3]]
    strands: list[Any] = ["-" if minus else "+" for minus in high[4:]]
    placed = list(zip(chosen, strands, strict=True))
    upstream, downstream = reversed(placed) if high[2] else placed
    start = (null.length - len(upstream[0]) - gap - len(downstream[0])) // 2
    behind = start + len(upstream[0]) + gap
    both = Embed(upstream[0], at=start, strand=upstream[1]) + Embed(
        downstream[0], at=behind, strand=downstream[1]
    )
    order = "second, first" if high[2] else "first, second"
    levels: list[Level] = [chosen[0].label, chosen[1].label, order, gap, *strands]
    name = "".join(LETTERS[i].lower() for i, level in enumerate(high) if level) or "(1)"
    return Arm(name, both, dict(zip(_GRAMMAR, levels, strict=True)))


def _as_interventions(factors: Any) -> dict[str, Intervention]:
    if not isinstance(factors, Mapping) or not factors:
        raise DesignError(
            f"factors={quoted(factors)}: name at least one, such as {{'A': "
            "cg.Embed('GATA', at=10)}"
        )
    interventions = {
        str(name): intervention_from_dict(value)
        if isinstance(value, Mapping)
        else value
        for name, value in factors.items()
    }
    wrong = [
        name
        for name, v in interventions.items()
        if not isinstance(v, Intervention) or v == Untreated()
    ]
    if wrong:
        raise DesignError(
            f"factors: {quoted(wrong[0])} is {quoted(interventions[wrong[0]])}, no "
            "intervention such as cg.Embed('GATA', at=10)"
        )
    return interventions


def _factorial_arm(
    interventions: Mapping[str, Intervention], high: Sequence[bool]
) -> Arm:
    """Return the arm in which the factors at their high level are present."""
    combined: Intervention = Untreated()
    for intervention, level in zip(interventions.values(), high, strict=True):
        combined = combined + intervention if level else combined
    present = [name for name, level in zip(interventions, high, strict=True) if level]
    return Arm(
        " + ".join(present) or "untreated",
        combined,
        dict(zip(interventions, map(int, high), strict=True)),
    )


def _read_screen(screen: Fraction, found: TrialResults) -> Finding:
    runs, aliases = len(screen.signs), found.experiment.labels["aliases"]
    design = f"{screen.notation}: all {runs} runs"
    if screen.resolution is not None:
        of = 2**screen.n_factors
        design = (
            f"{screen.notation} of resolution {_ROMAN[screen.resolution]}: {runs} of "
            f"{of:,} runs"
        )
    shared = [f"{name} = {others}" for name, others in aliases.items() if others]
    alias = "No effect of one or two factors is aliased with another of them"
    if shared:
        alias = f"Aliased effects, of which only the sum is known: {'; '.join(shared)}"
    effects = finding_by_task(found, _important_effects_text).sentences
    verdicts = found.steps.decisions["verdict"].isin(DIRECTIONS)
    others = [dim for dim in verdicts.dims if dim != "contrast"]
    names = verdicts["contrast"].to_numpy().astype(str)
    matter = names[verdicts.any(others).to_numpy()].tolist()
    confounded = [f"{name} = {aliases[name]}" for name in matter if aliases.get(name)]
    if confounded:  # what these effects are
        sums = f"Of aliased effects only the sum is known: {'; '.join(confounded)}."
        effects = (*effects, sums)
    return Finding(sentences=effects, details=(f"{design}. {alias}.",))


def _important_effects_text(decisions: xr.Dataset) -> str:
    """List the effects with a clear sign, the largest first, and count the negligible
    and undecided ones.
    """
    verdicts = decisions["verdict"].to_numpy()
    clear = [
        i
        for i in np.argsort(-abs(decisions["ace"].to_numpy()), kind="stable")
        if verdicts[i] in DIRECTIONS
    ]
    rows = [decisions.isel(contrast=i) for i in clear[:_EFFECTS_NAMED]]
    named = "; ".join(
        f"{row['contrast'].item()}: {effect_in_words(row)}" for row in rows
    )
    shown = (
        f" ({named}{'; ...' if len(clear) > _EFFECTS_NAMED else ''})" if rows else ""
    )
    rest = [
        f"{n} {word}"
        for word in ("negligible", "undecided")
        if (n := int((verdicts == word).sum()))
    ]
    return f"{', '.join([f'of {len(verdicts)} effects, {len(clear)} matter{shown}', *rest])}."


ARRANGEMENT_SCREEN = Entry(
    name="arrangement_screen",
    question=(
        "Which of motifs, order, spacing and strands matter for a pair of sites, in a "
        "screen of few arms?"
    ),
    estimand=(
        "E[mean Y of the runs at the high level - mean Y of the runs at the low "
        "level], over the null model."
    ),
    doi="10.1080/00401706.1961.10489951",
    zoo="gata1_like",
)
FRACTIONAL_FACTORIAL = Entry(
    name="fractional_factorial",
    question=(
        "Which of many interventions and of their interactions matter, estimated from "
        "a fraction of all arms?"
    ),
    estimand=(
        "E[mean Y of the runs at the high level - mean Y of the runs at the low "
        "level], over the null model."
    ),
    doi="10.1080/00401706.1961.10489951",
)


LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # without I, the identity
_MOST_BASE = _MOST_GENERATORS = 12
_GENERATOR = re.compile(r"\s*([A-HJ-Z])\s*=\s*([+-]?)\s*([A-HJ-Z]+)\s*")


@dataclass(frozen=True)
class Word:
    """A product of factors with its sign, as in ``-ABC``.

    Attributes
    ----------
    factors
        Indices of the factors, from 0.
    sign
        1 or -1.

    Examples
    --------
    >>> print(Word(frozenset([0, 1]), -1) * Word(frozenset([1, 2])))
    -AC
    """

    factors: frozenset[int]
    sign: int = 1

    def __mul__(self, other: Word) -> Word:
        return Word(self.factors ^ other.factors, self.sign * other.sign)

    def __len__(self) -> int:
        return len(self.factors)

    def __str__(self) -> str:
        return ("-" if self.sign < 0 else "") + "".join(
            LETTERS[i] for i in sorted(self.factors)
        )


@dataclass(frozen=True, eq=False)
class Fraction:
    """A regular fraction 2^(k-p): k two-level factors in 2^(k-p) runs.

    Attributes
    ----------
    signs
        (runs, k) of -1 (low) and 1 (high), in standard order: the first factor changes
        fastest.
    made
        Each of the p generated factors with its generator, the word whose column it
        has.
    """

    signs: NDArray[np.int64]
    made: tuple[tuple[int, Word], ...]

    @property
    def n_factors(self) -> int:
        """Number of factors, k."""
        return int(self.signs.shape[1])

    @property
    def relation(self) -> tuple[Word, ...]:
        """The defining relation: the 2^p - 1 words whose column is 1 in every run,
        shortest first.
        """
        words = [Word(frozenset())]
        for factor, word in self.made:
            words += [before * word * Word(frozenset([factor])) for before in words]
        return tuple(
            sorted(words[1:], key=lambda word: (len(word), sorted(word.factors)))
        )

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word of the defining relation; None for a full
        factorial.
        """
        return min(map(len, self.relation), default=None)

    @property
    def notation(self) -> str:
        """Usual notation: ``2^(6-2)``, or ``2^6`` for a full factorial."""
        return (
            f"2^({self.n_factors}-{len(self.made)})"
            if self.made
            else f"2^{self.n_factors}"
        )

    def column(self, word: Word) -> NDArray[np.int64]:
        """Return the product of the columns of a word's factors, with its sign, (runs,)
        of -1 and 1.
        """
        product: NDArray[np.int64] = word.sign * np.prod(
            self.signs[:, sorted(word.factors)], axis=1
        )
        return product

    def weights(self, word: Word) -> NDArray[np.float64]:
        """Return the weight of each run in an effect, (runs,): mean where its column is
        1 minus mean where it is -1.
        """
        return 2.0 * self.column(word) / len(self.signs)

    def strings(self, order: int = 2) -> dict[Word, tuple[Word, ...]]:
        """Return the alias strings of effects of up to `order` factors: first effect ->
        its aliases.

        The first effect of a string has the fewest factors and comes first by letters.
        Aliases carry the sign with which they enter; the estimable quantity is the sum
        of the string.
        """
        found: dict[frozenset[int], list[Word]] = {}
        for size in range(1, min(order, self.n_factors) + 1):
            for factors in map(frozenset, combinations(range(self.n_factors), size)):
                # to become the product of ungenerated factors with the same column
                same = Word(factors)
                for factor, word in self.made:
                    same = (
                        same * word * Word(frozenset([factor]))
                        if factor in same.factors
                        else same
                    )
                found.setdefault(same.factors, []).append(Word(factors, same.sign))
        return {
            Word(first.factors): tuple(
                Word(word.factors, word.sign * first.sign) for word in others
            )
            for first, *others in found.values()
        }


def fraction(n_factors: int, generators: Sequence[str] = ()) -> Fraction:
    """Return the runs of a two-level fractional factorial from its generators.

    Parameters
    ----------
    n_factors
        Factors, 1 to 25: A, B, C, ... (I is left out: it is the identity).
    generators
        Factors that are products of others, such as ``["E=ABC", "F=-BCD"]``; none: the
        full factorial.

    Raises
    ------
    DesignError
        If a generator is malformed, names an unknown or generated factor, or generates
        one twice; if two factors have the same levels (resolution II); or if there are
        more than 4,096 runs.

    References
    ----------
    Box & Hunter (1961), The 2^(k-p) fractional factorial designs,
    doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> half = fraction(3, ["C=AB"])
    >>> half.signs.tolist(), half.resolution, [str(word) for word in half.relation]
    ([[-1, -1, 1], [1, -1, -1], [-1, 1, -1], [1, 1, 1]], 3, ['ABC'])
    """
    if not is_whole(n_factors) or not 1 <= n_factors <= len(LETTERS):
        raise DesignError(
            f"n_factors={quoted(n_factors)} must be a whole number from 1 to "
            f"{len(LETTERS)}"
        )
    if isinstance(generators, str) or not all(
        isinstance(text, str) for text in generators
    ):
        raise DesignError(
            f"generators={quoted(generators)} must be a list such as ['E=ABC', 'F=BCD']"
        )
    made = _parse_generators(generators, int(n_factors))
    base = [i for i in range(n_factors) if i not in dict(made)]
    if len(base) > _MOST_BASE or len(made) > _MOST_GENERATORS:
        raise DesignError(
            f"{n_factors} factors with {len(made)} generators have 2^{len(base)} runs; "
            f"at most 2^{_MOST_BASE} runs and {_MOST_GENERATORS} generators can be "
            "had: give more generators, or fewer factors"
        )
    signs = np.ones((2 ** len(base), int(n_factors)), np.int64)
    signs[:, base] = (
        2 * (np.arange(len(signs))[:, None] >> np.arange(len(base)) & 1) - 1
    )
    for factor, word in made:
        signs[:, factor] = word.sign * np.prod(signs[:, sorted(word.factors)], axis=1)
    found = Fraction(signs, made)
    short = [word for word in found.relation if len(word) < 3]
    if short:
        names = " and ".join(LETTERS[i] for i in sorted(short[0].factors))
        raise DesignError(
            f"generators make {names} change together in every run (I = {short[0]}), "
            "so that their effects cannot be separated; generate them from other "
            "products"
        )
    return found


def aliases(
    generators: Sequence[str], n_factors: int, *, order: int = 2
) -> dict[str, tuple[str, ...]]:
    """Return the alias table of a fractional factorial: each effect with the effects it
    is confounded with.

    Parameters
    ----------
    generators
        As `fraction` takes them.
    n_factors
        Number of factors.
    order
        Largest number of factors of the listed effects.

    Returns
    -------
    dict
        Effect -> its aliases, in letters; a minus sign marks an alias that enters with
        opposite sign.

    Raises
    ------
    DesignError
        As `fraction`.

    Examples
    --------
    >>> aliases(["D=ABC"], 4)
    {'A': (), 'B': (), 'C': (), 'D': (), 'AB': ('CD',), 'AC': ('BD',), 'AD': ('BC',)}
    """
    if not is_whole(order) or order < 1:
        raise DesignError(f"order={quoted(order)} must be a whole number of at least 1")
    strings = fraction(n_factors, generators).strings(int(order))
    return {str(effect): tuple(map(str, others)) for effect, others in strings.items()}


def _parse_generators(
    generators: Sequence[str], n_factors: int
) -> tuple[tuple[int, Word], ...]:
    """Return each generated factor with the word that it equals."""
    made = []
    for text in generators:
        found = _GENERATOR.fullmatch(text.upper())
        if found is None or len(set(found[3])) < len(found[3]):
            raise DesignError(
                f"generator {quoted(text)} is not of the form 'E=ABC' or 'E=-ABC', "
                "each letter once and never I"
            )
        left, sign, right = found.groups()
        beyond = [
            letter for letter in left + right if LETTERS.index(letter) >= n_factors
        ]
        if beyond:
            raise DesignError(
                f"generator {quoted(text)}: there is no factor {beyond[0]}; the "
                f"factors are {LETTERS[:n_factors]}"
            )
        word = Word(frozenset(map(LETTERS.index, right)), -1 if sign == "-" else 1)
        made.append((LETTERS.index(left), word))
    factors = [factor for factor, _ in made]
    for (factor, word), text in zip(made, generators, strict=True):
        if factors.count(factor) > 1:
            raise DesignError(
                f"generators: {LETTERS[factor]} is generated twice; generate each "
                "factor once"
            )
        circular = sorted(word.factors & set(factors))
        if circular:
            raise DesignError(
                f"generator {quoted(text)}: {LETTERS[circular[0]]} is generated "
                "itself; use the other factors"
            )
    return tuple(made)

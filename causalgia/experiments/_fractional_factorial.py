"""Screening designs: many two-level factors in few arms, with their aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from causalgia.analysis import Rope
from causalgia.checks import as_position
from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated, intervention_from_dict
from causalgia.design.arms import Level
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults, analysis_for
from causalgia.experiments.kit.fractions import LETTERS, Fraction, Word, fraction
from causalgia.experiments.kit.sites import as_null_model, as_word_or_motif, evenly_spaced_starts
from causalgia.experiments.kit.variance import effect_in_words, sentences_by_task
from causalgia.sequences import Motif

if TYPE_CHECKING:
    import xarray as xr

Pattern: TypeAlias = str | Motif

_EXAMPLE = {"strong": "UGCAUG", "weak": "AGAAUG", "near": "UGCAUG", "rich": "GCGCGC"}
_GRAMMAR = ("first", "second", "order", "spacing", "first_strand", "second_strand")
_MOST_NAMED = 6
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII")


def grammar_screen(
    null: NullModel = Uniform(length=200),  # noqa: B008 - a frozen value
    *,
    first: Sequence[Pattern] = ("AGATAAG", "TGACTCA"),
    second: Sequence[Pattern] = ("CAGCTG", "CCGGAAGT"),
    spacing: Sequence[int] = (4, 40),
    generators: Sequence[str] = ("E=ABC", "F=BCD"),
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the screening experiment on a pair of sites: motifs, order, spacing and strands.

    Six two-level factors: A ``first`` and B ``second``, the motif of each site; C ``order``, the first site upstream or
    downstream of the second; D ``spacing``; E ``first_strand`` and F ``second_strand``. A quarter of the 64
    combinations is run, centered in the same backgrounds. An effect is the mean outcome over the runs where the product
    of its factors' levels is high minus that over the others; an interaction of two factors is thus half the difference
    of the effect of one at the two levels of the other. Aliased effects share one contrast, which estimates their sum
    and lists them.

    Parameters
    ----------
    null
        The null model of backgrounds.
    first, second
        The two motifs that each site may be, low level first: words, or what `causalgia.motif` takes.
    spacing
        Bases between the two sites: near, far.
    generators
        Factors whose levels are products of others, such as ``"E=ABC"``; the default has resolution IV (no main effect
        is aliased with an interaction of two factors); none: all 64 combinations.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every effect, on the predictor's scale; sd of the runs at the low level.

    Returns
    -------
    Experiment
        Arms named by the letters at the high level, ``"(1)"``, ``"ae"``, ...; contrasts ``"first"``, ..., ``"first x
        order"``, ...; coordinates ``effect`` (in letters) and ``aliases``.

    Raises
    ------
    DesignError
        If a factor lacks two different levels, sites do not fit the background, or a generator is invalid.
    SequenceError
        If there is no motif of a name.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.grammar_screen(n_units=100)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[-1])
    2^(6-2) of resolution IV: 16 of 64 runs. Aliased, so that only their sum is known: first x second = order x ...
    """
    as_null_model(null)
    sites = {"first": _as_two_motifs(first, "first"), "second": _as_two_motifs(second, "second")}
    gaps = tuple(as_position(gap, "spacing") for gap in spacing) if isinstance(spacing, Sequence) else ()
    if len(gaps) != 2 or gaps[0] == gaps[1]:
        raise DesignError(
            f"spacing={quoted(spacing)}: give two different numbers of bases between the sites: near, far"
        )
    _check_pair_fits(null, sites, gaps)
    screen = fraction(len(_GRAMMAR), generators)
    return _screening_experiment(
        null=null,
        screen=screen,
        names=_GRAMMAR,
        arms=[_grammar_arm(null, sites, gaps, row) for row in _high_levels(screen)],
        entry=GRAMMAR_SCREEN,
        n_units=n_units,
        rope=rope,
    )


def fractional_factorial(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    *,
    factors: Mapping[str, Intervention | Mapping[str, Any]] | None = None,
    generators: Sequence[str] = (),
    n_units: int = 1_000,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the screening experiment on interventions, each absent or present, in a fraction of their factorial.

    An effect is the mean outcome over the runs where the product of its factors' levels (present 1, absent -1) is high
    minus that over the others: for one factor, its mean effect over the levels of the others; for two, half the
    difference of the effect of one with and without the other.

    Parameters
    ----------
    null
        The null model of backgrounds.
    factors
        Factor -> intervention at its high level; they are A, B, C, ... in this order. None: four RNA sites, spread
        evenly over the background.
    generators
        Factors whose levels are products of others, such as ``"D=ABC"``; none: the full factorial.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every effect, on the predictor's scale; sd of the runs at the low level.

    Returns
    -------
    Experiment
        Arms named by the factors present, ``"untreated"`` where none is; contrasts named by factors, ``"near"`` and
        ``"near x far"``; coordinates ``effect`` (in letters) and ``aliases``.

    Raises
    ------
    DesignError
        If there are no factors, two of them change the same bases, or a generator is invalid.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = {f"at {at}": cg.Embed("UGCAUG", at=at) for at in (2, 10, 18, 26)}
    >>> experiment = cg.experiments.fractional_factorial(factors=sites, generators=["D=ABC"], n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("saturating"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: of 7 effects 7 matter (at 18: 1...
    """
    as_null_model(null)
    if factors is None:  # each site in the middle of a quarter of the background
        starts = evenly_spaced_starts(null.length, 6, len(_EXAMPLE))
        factors = {name: Embed(word, at=at) for (name, word), at in zip(_EXAMPLE.items(), starts, strict=True)}
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
    rope: Rope,
) -> Experiment:
    runs = [arm.name for arm in arms]
    strings = screen.strings()
    effects = {_word_name(word, names): word for word in strings}
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts={name: dict(zip(runs, screen.weights(word).tolist(), strict=True)) for name, word in effects.items()},
        entry=replace(entry, read=partial(_read_screen, screen)),
        analysis=analysis_for("confirmatory", rope=rope),
        labels={
            "effect": {name: str(word) for name, word in effects.items()},
            "aliases": {
                name: " = ".join(_word_name(other, names) for other in strings[word]) for name, word in effects.items()
            },
        },
    )


def _word_name(word: Word, names: tuple[str, ...]) -> str:
    """Return the name of a word by its factors, ``-first x order``."""
    return ("-" if word.sign < 0 else "") + " x ".join(names[i] for i in sorted(word.factors))


def _high_levels(screen: Fraction) -> list[list[bool]]:
    rows: list[list[bool]] = (screen.signs > 0).tolist()
    return rows


def _as_two_motifs(patterns: Any, name: str) -> tuple[Pattern, Pattern]:
    listed = [patterns] if isinstance(patterns, str | Motif | Mapping) else list(patterns)
    if len(listed) != 2:
        raise DesignError(
            f"{name}={quoted(patterns)}: give the two motifs that this site may be, such as ('GATA', 'CACC')"
        )
    low, high = (as_word_or_motif(pattern, name) for pattern in listed)
    return low, high


def _check_pair_fits(null: NullModel, sites: Mapping[str, tuple[Pattern, Pattern]], gaps: tuple[int, ...]) -> None:
    patterns = [as_pattern(pattern) for pair in sites.values() for pattern in pair]
    twice = next((p.label for i, p in enumerate(patterns) if p in patterns[:i]), None)
    if twice is not None:
        raise DesignError(f"first and second: {twice} is given twice; the four motifs must differ")
    needed = max(map(len, patterns[:2])) + max(map(len, patterns[2:])) + max(gaps)
    if needed > null.length:
        raise DesignError(
            f"spacing={gaps}: two sites and {max(gaps)} bases between them take {needed} bases, and backgrounds have "
            f"{null.length}; bring them nearer, or use longer backgrounds"
        )


def _grammar_arm(
    null: NullModel, sites: Mapping[str, tuple[Pattern, Pattern]], gaps: tuple[int, ...], high: Sequence[bool]
) -> Arm:
    """Return the arm of these levels: two sites about the center of the background."""
    chosen = [as_pattern(pair[level]) for pair, level in zip(sites.values(), high, strict=False)]
    gap = gaps[high[3]]
    strands: list[Any] = ["-" if minus else "+" for minus in high[4:]]
    placed = list(zip(chosen, strands, strict=True))
    upstream, downstream = reversed(placed) if high[2] else placed
    start = (null.length - len(upstream[0]) - gap - len(downstream[0])) // 2
    behind = start + len(upstream[0]) + gap
    both = Embed(upstream[0], at=start, strand=upstream[1]) + Embed(downstream[0], at=behind, strand=downstream[1])
    order = "second, first" if high[2] else "first, second"
    levels: list[Level] = [chosen[0].label, chosen[1].label, order, gap, *strands]
    name = "".join(LETTERS[i].lower() for i, level in enumerate(high) if level) or "(1)"
    return Arm(name, both, dict(zip(_GRAMMAR, levels, strict=True)))


def _as_interventions(factors: Any) -> dict[str, Intervention]:
    if not isinstance(factors, Mapping) or not factors:
        raise DesignError(f"factors={quoted(factors)}: name at least one, such as {{'A': cg.Embed('GATA', at=10)}}")
    interventions = {
        str(name): intervention_from_dict(value) if isinstance(value, Mapping) else value
        for name, value in factors.items()
    }
    wrong = [name for name, v in interventions.items() if not isinstance(v, Intervention) or v == Untreated()]
    if wrong:
        raise DesignError(
            f"factors: {quoted(wrong[0])} is {quoted(interventions[wrong[0]])}, no intervention "
            "such as cg.Embed('GATA', at=10)"
        )
    return interventions


def _factorial_arm(interventions: Mapping[str, Intervention], high: Sequence[bool]) -> Arm:
    """Return the arm in which the factors at their high level are present."""
    combined: Intervention = Untreated()
    for intervention, level in zip(interventions.values(), high, strict=True):
        combined = combined + intervention if level else combined
    present = [name for name, level in zip(interventions, high, strict=True) if level]
    return Arm(" + ".join(present) or "untreated", combined, dict(zip(interventions, map(int, high), strict=True)))


def _read_screen(screen: Fraction, found: TrialResults) -> Finding:
    runs, aliases = len(screen.signs), found.experiment.labels["aliases"]
    design = f"{screen.notation}: all {runs} runs"
    if screen.resolution is not None:
        of = 2**screen.n_factors
        design = f"{screen.notation} of resolution {_ROMAN[screen.resolution]}: {runs} of {of:,} runs"
    shared = [f"{name} = {others}" for name, others in aliases.items() if others]
    alias = "No effect of one or two factors is aliased with another of them"
    if shared:
        alias = f"Aliased, so that only their sum is known: {'; '.join(shared)}"
    return Finding(
        sentences=(*sentences_by_task(found.steps.decisions, _important_effects_text), f"{design}. {alias}.")
    )


def _important_effects_text(decisions: xr.Dataset) -> str:
    """List the effects with a clear sign, the largest first, and count the negligible and undecided ones."""
    verdicts = decisions["verdict"].to_numpy()
    clear = [i for i in abs(decisions["ace"]).argsort().to_numpy()[::-1] if verdicts[i] in DIRECTIONS]
    rows = [decisions.isel(contrast=i) for i in clear[:_MOST_NAMED]]
    named = "; ".join(f"{row['contrast'].item()}: {effect_in_words(row)}" for row in rows)
    shown = f" ({named}{'; ...' if len(clear) > _MOST_NAMED else ''})" if rows else ""
    rest = [f"{n} {word}" for word in ("negligible", "undecided") if (n := int((verdicts == word).sum()))]
    return f"{', '.join([f'of {len(verdicts)} effects {len(clear)} matter{shown}', *rest])}."


GRAMMAR_SCREEN = Entry(
    name="grammar_screen",
    question="Which of motifs, order, spacing and strands matter to a pair of sites, in few arms?",
    estimand="E[mean Y of the runs at the high level - mean Y of the runs at the low level], over the null model.",
    doi="10.1080/00401706.1961.10489951",
    zoo="gata1_like",
)
FRACTIONAL_FACTORIAL = Entry(
    name="fractional_factorial",
    question="Which of many interventions, and which pairs of them, change the outcome, in a fraction of all arms?",
    estimand="E[mean Y of the runs at the high level - mean Y of the runs at the low level], over the null model.",
    doi="10.1080/00401706.1961.10489951",
)

"""Screening designs: many two-level factors in few arms, with what they cannot tell apart said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from causalgia.analysis import Rope
from causalgia.checks import as_position
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated, intervention_from_dict
from causalgia.design.arms import Level
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, Labels, analysis_for
from causalgia.experiments.kit.fractions import LETTERS, Fraction, Word, fraction
from causalgia.experiments.kit.given_sequences import sought
from causalgia.experiments.kit.settings import background, spread
from causalgia.experiments.kit.variance import by_task, effect_in_words
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
    """Return the screening experiment of a pair of sites: which motifs, which order, how far apart, which strands.

    Six factors of two levels: A ``first`` and B ``second``, which motif each site is; C ``order``, the first site
    upstream or downstream of the second; D ``spacing``; E ``first_strand`` and F ``second_strand``. A quarter of the 64
    combinations is run, each on the same backgrounds and centred in them. An effect is the mean outcome over the runs
    where the product of its factors' levels is high minus that over the others; so an interaction of two factors is
    half the difference of one's effect at the two levels of the other. Effects that share their runs' signs are
    aliased: one contrast estimates the sum of them all, and says which they are.

    Parameters
    ----------
    null
        The null model of backgrounds.
    first, second
        The two motifs that each site may be, low level first: words, or what `causalgia.motif` takes.
    spacing
        Bases between the two sites: near, far.
    generators
        Which factors' levels are products of others', such as ``"E=ABC"``; the default has resolution IV (no main
        effect is aliased with an interaction of two factors); none: all 64 combinations.
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
        If a factor has not two different levels, sites do not fit the background, or a generator is wrong.
    SequenceError
        If nothing has a motif's name.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.grammar_screen(n_units=100)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[-1])
    2^(6-2) of resolution IV: 16 of 64 runs. Aliased, so that only their sum is known: first x second = order x ...
    """
    background(null)
    sites = {"first": _two(first, "first"), "second": _two(second, "second")}
    gaps = _gaps(spacing)
    _check_fit(null, sites, gaps)
    screen = fraction(len(_GRAMMAR), generators)
    return _experiment(
        null=null,
        screen=screen,
        names=_GRAMMAR,
        arms=[_pair(null, sites, gaps, row) for row in _high(screen)],
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
    """Return the screening experiment of interventions, each absent or present, in a fraction of their factorial.

    An effect is the mean outcome over the runs where the product of its factors' levels is high (present is 1, absent
    -1) minus that over the others: for one factor its mean effect over the other factors' levels, for two half the
    difference of one's effect with and without the other.

    Parameters
    ----------
    null
        The null model of backgrounds.
    factors
        Factor -> the intervention that is its present level; they are A, B, C, ... in this order. None: four sites of
        RNA, spread over the background.
    generators
        Which factors' levels are products of others', such as ``"D=ABC"``; none: the full factorial.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence for every effect, on the predictor's scale; sd of the runs at the low level.

    Returns
    -------
    Experiment
        Arms named by what is present, ``"untreated"`` where nothing is; contrasts named by factors, ``"near"`` and
        ``"near x far"``; coordinates ``effect`` (in letters) and ``aliases``.

    Raises
    ------
    DesignError
        If there are no factors, two of them touch the same bases, or a generator is wrong.

    References
    ----------
    Box & Hunter (1961), doi:10.1080/00401706.1961.10489951.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = {f"at {at}": cg.Embed("UGCAUG", at=at) for at in (2, 10, 18, 26)}
    >>> experiment = cg.experiments.fractional_factorial(factors=sites, generators=["D=ABC"], n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("saturating"), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[0])
    Task outcome: of 7 effects 7 matter (at 18: 1...
    """
    background(null)
    done = _interventions(_example(null.length) if factors is None else factors)
    screen = fraction(len(done), generators)
    return _experiment(
        null=null,
        screen=screen,
        names=tuple(done),
        arms=[_present(done, row) for row in _high(screen)],
        entry=FRACTIONAL_FACTORIAL,
        n_units=n_units,
        rope=rope,
    )


def _example(length: int) -> dict[str, Intervention]:
    """Return the sites of the default, each in the middle of a quarter of the background."""
    starts = spread(length, 6, len(_EXAMPLE))
    return {name: Embed(word, at=at) for (name, word), at in zip(_EXAMPLE.items(), starts, strict=True)}


def _experiment(
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
    weights = {_called(word, names): screen.weights(word).tolist() for word in strings}
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts={name: dict(zip(runs, row, strict=True)) for name, row in weights.items()},
        entry=replace(entry, read=partial(_read, screen)),
        analysis=analysis_for("confirmatory", rope=rope),
        labels=_labels(strings, names),
    )


def _labels(strings: Mapping[Word, tuple[Word, ...]], names: tuple[str, ...]) -> Labels:
    called = {word: _called(word, names) for word in strings}
    return {
        "effect": {name: str(word) for word, name in called.items()},
        "aliases": {name: " = ".join(_called(other, names) for other in strings[w]) for w, name in called.items()},
    }


def _called(word: Word, names: tuple[str, ...]) -> str:
    """Return a word by the names of its factors, ``-first x order``."""
    return ("-" if word.sign < 0 else "") + " x ".join(names[i] for i in sorted(word.factors))


def _high(screen: Fraction) -> list[list[bool]]:
    rows: list[list[bool]] = (screen.signs > 0).tolist()
    return rows


def _two(patterns: Any, name: str) -> tuple[Pattern, Pattern]:
    listed = [patterns] if isinstance(patterns, str | Motif | Mapping) else list(patterns)
    if len(listed) != 2:
        raise DesignError(
            f"{name}={quoted(patterns)}: give the two motifs that this site may be, such as ('GATA', 'CACC')"
        )
    low, high = (sought(pattern, name) for pattern in listed)
    return low, high


def _gaps(spacing: Any) -> tuple[int, int]:
    gaps = [as_position(gap, "spacing") for gap in spacing] if isinstance(spacing, Sequence) else []
    if len(gaps) != 2 or gaps[0] == gaps[1]:
        raise DesignError(
            f"spacing={quoted(spacing)}: give two different numbers of bases between the sites: near, far"
        )
    return gaps[0], gaps[1]


def _check_fit(null: NullModel, sites: Mapping[str, tuple[Pattern, Pattern]], gaps: tuple[int, int]) -> None:
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


def _pair(
    null: NullModel, sites: Mapping[str, tuple[Pattern, Pattern]], gaps: tuple[int, int], high: Sequence[bool]
) -> Arm:
    """Return the run of these levels: two sites about the centre of the background."""
    chosen = [as_pattern(pair[level]) for pair, level in zip(sites.values(), high, strict=False)]
    gap, strands = gaps[high[3]], ["-" if minus else "+" for minus in high[4:]]
    placed = list(zip(chosen, strands, strict=True))
    upstream, downstream = reversed(placed) if high[2] else placed
    start = (null.length - len(upstream[0]) - gap - len(downstream[0])) // 2
    done = _site(*upstream, at=start) + _site(*downstream, at=start + len(upstream[0]) + gap)
    order = "second, first" if high[2] else "first, second"
    levels: list[Level] = [chosen[0].label, chosen[1].label, order, gap, *strands]
    name = "".join(LETTERS[i].lower() for i, level in enumerate(high) if level) or "(1)"
    return Arm(name, done, dict(zip(_GRAMMAR, levels, strict=True)))


def _site(pattern: Any, strand: Any, *, at: int) -> Intervention:
    return Embed(pattern, at=at, strand=strand)


def _interventions(factors: Any) -> dict[str, Intervention]:
    if not isinstance(factors, Mapping) or not factors:
        raise DesignError(f"factors={quoted(factors)}: name at least one, such as {{'A': cg.Embed('GATA', at=10)}}")
    read = {
        str(name): intervention_from_dict(given) if isinstance(given, Mapping) else given
        for name, given in factors.items()
    }
    wrong = [name for name, given in read.items() if not isinstance(given, Intervention) or given == Untreated()]
    if wrong:
        raise DesignError(
            f"factors: {quoted(wrong[0])} is {quoted(read[wrong[0]])}, no intervention such as cg.Embed('GATA', at=10)"
        )
    return read


def _present(done: Mapping[str, Intervention], high: Sequence[bool]) -> Arm:
    """Return the run in which the factors at their high level are present."""
    made: Intervention = Untreated()
    for intervention, level in zip(done.values(), high, strict=True):
        made = made + intervention if level else made
    present = [name for name, level in zip(done, high, strict=True) if level]
    return Arm(" + ".join(present) or "untreated", made, dict(zip(done, map(int, high), strict=True)))


def _read(screen: Fraction, found: Found) -> Finding:
    said = [f"{of}: {_matter(rows)}." for of, rows in by_task(found.steps.decisions)]
    return Finding(sentences=(*said, f"{_in_words(screen)}. {_aliased(found.experiment.labels['aliases'])}."))


def _matter(decisions: xr.Dataset) -> str:
    """Say which effects matter, the largest first, and how many do not or are not known."""
    verdicts = decisions["verdict"].to_numpy()
    clear = [i for i in abs(decisions["ace"]).argsort().to_numpy()[::-1] if verdicts[i] in ("increases", "decreases")]
    rows = [decisions.isel(contrast=i) for i in clear[:_MOST_NAMED]]
    named = "; ".join(f"{row['contrast'].item()}: {effect_in_words(row)}" for row in rows)
    shown = f" ({named}{'; ...' if len(clear) > _MOST_NAMED else ''})" if rows else ""
    rest = [f"{n} {word}" for word in ("negligible", "undecided") if (n := int((verdicts == word).sum()))]
    return ", ".join([f"of {len(verdicts)} effects {len(clear)} matter{shown}", *rest])


def _in_words(screen: Fraction) -> str:
    runs, of = len(screen.signs), 2**screen.n_factors
    if screen.resolution is None:
        return f"{screen.notation}: all {runs} runs"
    return f"{screen.notation} of resolution {_ROMAN[screen.resolution]}: {runs} of {of:,} runs"


def _aliased(aliases: Mapping[str, str]) -> str:
    shared = [f"{name} = {others}" for name, others in aliases.items() if others]
    if not shared:
        return "No effect of one or two factors is aliased with another of them"
    return f"Aliased, so that only their sum is known: {'; '.join(shared)}"


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

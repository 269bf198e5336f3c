"""The account: how much of the variance of predictions named bases carry, whatever they do,
and where the rest lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import special

from causalgia._audit.explained import LEAST_EFFECTIVE, effective_number, varying
from causalgia._audit.named import LEAST_FATHERS
from causalgia._audit.network import mean_answers
from causalgia.design.patterns import Motifs, named_patterns
from causalgia.errors import SequenceError
from causalgia.estimation.standard_errors import regress
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.fasta import Source, as_sequences
from causalgia.streams import RNG, Seed, derive
from causalgia.tell.account_answers import account_answer
from causalgia.trial.stages import Stages
from causalgia.types import Array, Codes, Mask, Tokens

FLANKS = (3, 10, 20)
"""Bases on each side of a site that are asked for."""
COLUMNS = ("task", "line", "share", "lower", "upper", "bases", "effective", "half")
_LEAST_UNITS, _MOST_WITH_SITES = 10, 0.9
_DRAWN, _LEAST_DRAWS, _PARTS = 800, 2, 10
_ROUNDS, _SHIFTS, _ALIKE = 5, 24, 40


@dataclass(frozen=True, eq=False, repr=False)
class Account:
    """How much of the variance of predictions named bases carry: the answer of
    `causalgia.account`.

    Attributes
    ----------
    table
        A row a task and line: ``share``, with its 95 % interval ``lower, upper`` (of lines
        on bases beside the sites 98.3 %: three together 95 %); ``bases``, the share of bases
        that are kept; ``effective``, how many independent sequences of equal weight the
        variance is as good as; ``half``, how many sequences have half of it. A difference
        of two lines has no ``bases``. Where fewer than 12 are effective, there are no
        intervals (NaN); where predictions do not vary, no share.
    counts
        Numbers of ``sequences``, independent ``units``, ``motifs`` and ``length``.
    without
        Motifs that have no site in the sequences, and no part in the account.
    """

    table: pd.DataFrame
    counts: Mapping[str, int]
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return account_answer(self.table, self.counts, self.without)

    __repr__ = __str__


@usual_errors
def account(
    predictor: Predictor,
    sequences: Source,
    *,
    motifs: Motifs | None = None,
    progress: bool = False,
    rng: RNG,
) -> Account:
    r"""Return how much of the variance of predictions the sites of motifs carry, whatever
    they do there, and where the rest lies.

    No model is fitted. A hybrid :math:`H` has the bases in sites of one sequence
    :math:`X` and all others of another, :math:`X'`, whose own sites have their letters in
    another order. The sites carry

    .. math:: C = \frac{\mathrm{Cov}(f(X), f(H))}{\mathrm{Var} f(X)},

    the slope of the predictions for hybrids on those for the sequences that gave the
    sites, as heritability is a slope on one parent; on the other parent, that of all
    other bases; and what neither carries alone needs both. Where sites and other bases are
    independent, :math:`C` is the closed Sobol index of the sites: the most that any
    function of these bases explains.

    Parameters
    ----------
    predictor
        The network; of an `causalgia.Ensemble` the mean over its members.
    sequences
        Ten or more of one length, without overlap. Of those that overlap, or are copies,
        each stretch counts once. Of fewer than 40, all other bases are their own in
        another order.
    motifs
        Strings, which are found as they are, or motifs, which are found at p = 1e-4
        (`causalgia.sequences.find_instances`), on both strands; a list, a mapping or a
        file. None: composition and tenths of the length alone.
    progress
        Whether a line for each line of the account is printed to stderr.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    Account
        Printed, the answer; ``table`` has each line: the sites, each motif's own, what
        lies 3, 10 or 20 bases beside them and in as many bases elsewhere, composition
        alone, and each tenth of the length.

    Raises
    ------
    SequenceError
        If there are fewer than ten independent sequences, of unlike lengths, or with
        other letters than A, C, G, T.
    PredictorError
        If it is no predictor, or does not take sequences of this length.

    Notes
    -----
    Standard errors are CR2 by independent sequence, with Satterthwaite's degrees of
    freedom. Each line takes 800 predictions, or two a sequence if that is more.

    References
    ----------
    Sobol' (2001), doi:10.1016/S0378-4754(00)00270-6. Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> import causalgia as cg
    >>> rows = cg.Uniform(length=60).sample(160, rng=1)["sequence"].values
    >>> drawn = cg.sequences.decode(rows)
    >>> peaks = [x[:9] + "TGCATG" + x[15:] for x in drawn[:80]] + drawn[80:]
    >>> found = cg.account(cg.zoo.oracle("additive"), peaks, motifs=["TGCATG"], rng=0)
    >>> found.table.set_index("line")["share"].round(2).head(3).to_dict()
    {'sites': 0.95, 'all other bases': 0.04, 'needs both': 0.01}
    """
    check_predictor(predictor, "account(predictor, sequences)")
    given = as_sequences(sequences)
    units = pd.factorize(np.array(given.parents).astype(str))[0]
    n = int(units.max()) + 1
    if n < _LEAST_UNITS:
        raise SequenceError(
            f"{len(given):,} sequences, {n:,} of them independent (without overlap): an "
            f"account takes {_LEAST_UNITS} or more"
        )
    searched = {} if motifs is None else named_patterns(motifs)
    every = {label: Named(one) for label, one in searched.items()}
    named = {x: one for x, one in every.items() if one.mark(given.tokens).any()}
    stages = Stages(20 + len(named), show=progress)

    def answers(line: str, tokens: Tokens, _: Codes) -> Array:
        with stages.stage(line):
            return mean_answers(predictor, tokens)

    table = account_table(
        given.tokens,
        units,
        mean_answers(predictor, given.tokens),
        [str(task) for task in predictor.tasks],
        named,
        answers=answers,
        key=Seed.parse(rng).key,
    )
    numbers = {"sequences": len(given), "units": n, "motifs": len(named)}
    without = tuple(label for label in every if label not in named)
    return Account(table, numbers | {"length": given.length}, without)


@dataclass(frozen=True)
class Named:
    """A motif whose sites are named: how its sites are found, and on which strands."""

    pattern: str | Motif
    threshold: float | None = None
    strands: str = "both"

    def mark(self, tokens: Tokens, flank: int = 0) -> Mask:
        """Return which bases lie in a site, or so near to one."""
        found = find_instances(
            tokens,
            self.pattern,
            threshold=self.threshold,
            overlapping=True,
            both_strands=self.strands != "+",
        )
        own = np.isin(
            found.strand, ["+", "-"] if self.strands == "both" else [self.strands]
        )
        row, start = found.row[own], found.start[own]
        n, length = tokens.shape
        ends = np.zeros((n, length + 1), int)
        np.add.at(ends, (row, np.maximum(start - flank, 0)), 1)
        np.add.at(ends, (row, np.minimum(start + found.width + flank, length)), -1)
        inside: Mask = ends[:, :-1].cumsum(axis=1) > 0
        return inside


@dataclass(frozen=True)
class _Line:
    """Hybrids: what is kept of a sequence, what stands elsewhere, (draws, n, length), of
    which sequence that is, (draws, n), and the motifs of which no further site is left
    there.
    """

    name: str
    keep: Mask
    others: Tokens
    fathers: Codes
    motifs: Mapping[str, Named]
    by_circle: bool = True
    """Whether these are any other sequences but itself."""


@dataclass(frozen=True)
class _Share:
    """A share, what each independent unit moves it by, and degrees of freedom."""

    value: float
    influence: Array
    df: float

    def __sub__(self, other: _Share) -> _Share:
        influence = self.influence - other.influence
        return _Share(self.value - other.value, influence, min(self.df, other.df))

    def interval(self, ci_prob: float) -> tuple[float, float]:
        half = special.stdtrit(self.df, 0.5 + ci_prob / 2)
        half *= np.sqrt(np.sum(self.influence**2))
        return self.value - half, self.value + half


@dataclass(frozen=True, eq=False)
class _Hybrids:
    """The hybrids of sequences with named motifs."""

    tokens: Tokens
    units: Codes
    motifs: Mapping[str, Named]
    key: int
    whole: bool

    def rng(self, *purpose: str | int) -> np.random.Generator:
        return np.random.default_rng(derive(self.key, *purpose))

    @property
    def n_draws(self) -> int:
        return max(_LEAST_DRAWS, -(-_DRAWN // len(self.tokens)))

    def marked(self, motifs: Mapping[str, Named], flank: int = 0) -> Mask:
        """Return the bases in sites of motifs, or so near to one."""
        inside = np.zeros(self.tokens.shape, bool)
        for one in motifs.values():
            inside |= one.mark(self.tokens, flank)
        return inside

    @cached_property
    def fathers(self) -> Codes:
        """Another sequence for each, (draws, n), none of the same unit: by a random
        circle.
        """
        n, rng = len(self.tokens), self.rng("fathers")
        order = rng.permutation(n)
        rank = np.argsort(order)
        made = np.array([order[(rank + d) % n] for d in range(1, self.n_draws + 1)])
        return self._no_kin(made, rng)

    def alike(self) -> Codes:
        """Fathers among those whose GC is nearest."""
        n, rng = len(self.tokens), self.rng("alike")
        gc = np.isin(self.tokens, (1, 2)).mean(axis=1)
        order = np.lexsort((rng.random(n), gc))
        rank, near = np.argsort(order), max(3, n // _ALIKE)
        step = rng.integers(1, near + 1, (self.n_draws, n))
        step *= rng.choice([-1, 1], step.shape)
        there = (rank + step >= 0) & (rank + step < n)
        return self._no_kin(order[np.where(there, rank + step, rank - step) % n], rng)

    def _no_kin(self, fathers: Codes, rng: np.random.Generator) -> Codes:
        while (kin := self.units[fathers] == self.units).any():
            fathers[kin] = rng.integers(0, len(self.units), kin.sum())
        return fathers

    @property
    def itself(self) -> Codes:
        return np.tile(np.arange(len(self.tokens)), (self.n_draws, 1))

    def filled(
        self, fathers: Codes, motifs: Mapping[str, Named]
    ) -> tuple[Tokens, Codes]:
        """Return the sequences of fathers, with the sites of motifs scrambled; of few
        units each its own, scrambled.
        """
        if len(np.unique(self.units)) < LEAST_FATHERS:
            return self.shuffled, self.itself
        rng = self.rng("clean", *motifs)
        return _scrambled(self.tokens, ~self.marked(motifs), rng)[fathers], fathers

    @cached_property
    def shuffled(self) -> Tokens:
        """Each sequence with all its letters in another order, (draws, n, length)."""
        none = np.zeros(self.tokens.shape, bool)
        return np.stack(
            [
                _scrambled(self.tokens, none, self.rng("scrambled", d))
                for d in range(self.n_draws)
            ]
        )

    def lines(self) -> Iterator[_Line]:
        """Yield every line, those of sites first."""
        none: Mask = np.zeros(self.tokens.shape, bool)
        if self.motifs:
            yield from self._of_sites()
        own = (self.shuffled, self.itself)
        yield _Line("composition alone", none, *own, {}, by_circle=False)
        if not self.whole:
            return
        length = self.tokens.shape[1]
        others = (self.tokens[self.fathers], self.fathers)
        for part in np.array_split(np.arange(length), min(_PARTS, length)):
            keep = none.copy()
            keep[:, part] = True
            yield _Line(f"bases {part[0]} to {part[-1]}", keep, *others, {})

    def _of_sites(self) -> Iterator[_Line]:
        sites, motifs = self.marked(self.motifs), self.motifs
        clean = self.filled(self.fathers, motifs)
        yield _Line("sites", sites, *clean, motifs)
        elsewhere = _moved(sites, sites, self.rng("moved", 0))
        # what nearly all sequences have does not vary with them, and yet may act
        if elsewhere is not None and sites.any(axis=1).mean() <= _MOST_WITH_SITES:
            yield _Line("as many bases elsewhere", elsewhere, *clean, motifs)
        if len(motifs) > 1 and self.whole:
            for label in motifs:
                own = {label: motifs[label]}
                others = self.filled(self.fathers, own)
                yield _Line(f"sites of {label}", self.marked(own), *others, own)
        for flank in FLANKS if self.whole else (FLANKS[1],):
            near = self.marked(motifs, flank)
            moved = _moved(sites, near, self.rng("moved", flank))
            if moved is not None:
                yield _Line(f"sites and {flank} bp", near, *clean, motifs)
                yield _Line(f"sites, {flank} bp elsewhere", moved, *clean, motifs)
        alike = self.filled(self.alike(), motifs)
        yield _Line("sites, others of the same GC", sites, *alike, motifs, False)

    def parents(self, line: _Line) -> Codes:
        """Return the sequences that the parts of each hybrid are of, (2, draws n)."""
        return np.stack([self.itself.ravel(), line.fathers.ravel()])

    def mended(self, line: _Line) -> Tokens:
        """Return the hybrids of a line, (draws n, length): bases besides the kept that
        wrote a site are drawn again.
        """
        rng = self.rng("mended", line.name)
        keep = np.tile(line.keep, (len(line.others), 1))
        made = np.where(
            keep,
            np.tile(self.tokens, (len(line.others), 1)),
            line.others.reshape(keep.shape),
        )
        for _ in range(_ROUNDS):
            written = np.zeros(keep.shape, bool)
            for one in line.motifs.values():
                written |= one.mark(made)
            written &= ~keep
            if not written.any():
                break
            made[written] = rng.choice(made[~keep], written.sum())
        return made


def _scrambled(tokens: Tokens, keep: Mask, rng: np.random.Generator) -> Tokens:
    """Return sequences with the bases that are not kept in random order."""
    drawn = np.argsort(
        np.where(keep, 2.0, rng.random(tokens.shape)), axis=1, kind="stable"
    )
    places, made = np.argsort(keep, axis=1, kind="stable"), tokens.copy()
    np.put_along_axis(made, places, np.take_along_axis(tokens, drawn, 1), 1)
    return made


def _moved(sites: Mask, near: Mask, rng: np.random.Generator) -> Mask | None:
    """Return the sites and as many other bases as their flanks have, far from these; where
    they have none, as many bases as they have themselves, elsewhere. None where that is
    over half of the bases in no site.
    """
    flanks = near & ~sites
    kept = sites & flanks.any()
    flanks = flanks if flanks.any() else sites
    if flanks.sum() > (~sites).sum() / 2:
        return None
    for i, own in enumerate(flanks):
        free, pattern = np.flatnonzero(~sites[i]), np.flatnonzero(own)
        n = min(len(pattern), len(free))
        tried = (pattern + rng.integers(0, len(own), (_SHIFTS, 1))) % max(len(free), 1)
        taken = own[free[tried]].sum(axis=1) if n else np.zeros(1)
        chosen = np.unique(tried[int(taken.argmin())])[:n]
        others = np.setdiff1d(np.arange(len(free)), chosen)
        more = rng.choice(others, n - len(chosen), replace=False)
        kept[i, free[np.concatenate([chosen, more])]] = True
    return kept


def account_table(
    tokens: Tokens,
    units: Codes,
    predictions: Array,
    tasks: Sequence[str],
    motifs: Mapping[str, Named],
    *,
    answers: Callable[[str, Tokens, Codes], Array],
    key: int,
    whole: bool = True,
) -> pd.DataFrame:
    r"""Return how much of the variance of predictions bases carry, a row a task and line.

    Parameters
    ----------
    tokens, units, predictions
        Sequences, which of them descend from one, and what is predicted of them,
        (n, tasks).
    tasks, motifs
        Names of the tasks; and the motifs whose sites are named.
    answers
        Takes the name of a line, its hybrids and the two sequences that each is of,
        (2, n); returns predictions, (n, tasks).
    key
        Of the random numbers.
    whole
        Whether each motif, bases 3 and 20 bp beside the sites, and tenths of the length
        are asked as well.
    """
    made = _Hybrids(tokens, units, motifs, key, whole)
    hybrids, bases = dict[str, Array](), dict[str, float]()
    by_circle = dict[str, bool]()
    for line in made.lines():
        hybrids[line.name] = answers(line.name, made.mended(line), made.parents(line))
        bases[line.name] = float(line.keep.mean())
        by_circle[line.name] = line.by_circle
    varies = varying(predictions)
    rows = []
    for k, task in enumerate(tasks):
        if not varies[k]:
            rows.append((task, "sites", *[np.nan] * 4, 0.0, 0))
            continue
        shares = _shares(
            made,
            predictions[:, k],
            {x: y[:, k] for x, y in hybrids.items()},
            by_circle,
        )
        effective = effective_number(predictions[:, k], units)
        half = _half_of_variance(predictions[:, k])
        for name, one in _compared(shares):
            beside = name.startswith("sites and ")
            level = 1 - 0.05 / len(FLANKS) if beside else 0.95
            ends = one.interval(level)
            if effective < LEAST_EFFECTIVE:
                ends = (np.nan, np.nan)
            part = bases.get(name, np.nan)
            rows.append((task, name, one.value, *ends, part, effective, half))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _half_of_variance(values: Array) -> int:
    """Return how many of the values, at least, have half of their sum of squares.

    Examples
    --------
    >>> _half_of_variance(np.array([0.0, 0, 0, 0, 9, 8, 1]))
    2
    """
    squares = np.sort((values - values.mean()) ** 2)[::-1].cumsum()
    return int(np.searchsorted(squares, squares[-1] / 2)) + 1


def n_predictions(n: int, n_motifs: int, *, whole: bool) -> int:
    """Return the predictions of an account of n sequences."""
    lines = 6 if not whole else 20 + n_motifs * (n_motifs > 1)
    return n * max(_LEAST_DRAWS, -(-_DRAWN // n)) * lines


def _shares(
    made: _Hybrids,
    f: Array,
    hybrids: Mapping[str, Array],
    by_circle: Mapping[str, bool],
) -> dict[str, _Share]:
    """Return the share of each line: the slope of hybrids on the predictions of the
    sequences that gave the kept bases.
    """
    names, m = list(hybrids), int(made.units.max()) + 1
    draws = made.n_draws

    def slopes(x: Array, of: Codes, lines: Sequence[str]) -> list[_Share]:
        codes, of = np.unique(of, return_inverse=True)
        y = np.stack([hybrids[name] for name in lines], 1)
        fit = regress(
            np.column_stack([np.ones(len(x)), x]), y, np.array([0.0, 1.0]), of
        )
        found = []
        for j, name in enumerate(lines):
            # nobody is his own father
            shrink = (m - 1) / m if by_circle[name] else 1.0
            influence = np.zeros(m)
            influence[codes] = fit.influence[:, j] * shrink
            value = 1 - (1 - float(fit.estimate[j])) * shrink
            found.append(_Share(value, influence, fit.df))
        return found

    every = slopes(np.tile(f, draws), np.tile(made.units, draws), names)
    shares = dict(zip(names, every, strict=True))
    if "sites" in shares and len(np.unique(made.units)) >= LEAST_FATHERS:
        fathers = made.fathers.ravel()
        (rest,) = slopes(f[fathers], made.units[fathers], ["sites"])
        shares["all other bases"] = rest
    return shares


def _compared(shares: Mapping[str, _Share]) -> Iterator[tuple[str, _Share]]:
    """Yield every share, and the differences that say where to look."""
    one = dict(shares)
    if not (sites := one.pop("sites", None)):
        yield from one.items()
        return
    whole = _Share(1.0, np.zeros_like(sites.influence), sites.df)
    yield "sites", sites
    if rest := one.pop("all other bases", None):
        yield "all other bases", rest
        yield "needs both", whole - sites - rest
    if elsewhere := one.pop("as many bases elsewhere", None):
        yield "sites, less as many bases elsewhere", sites - elsewhere
    of_each = [name for name in one if name.startswith("sites of ")]
    if of_each:
        left = sites
        for name in of_each:
            yield name, one[name]
            left -= one.pop(name)
        yield "between motifs", left
    for flank in FLANKS:
        name, moved = f"sites and {flank} bp", f"sites, {flank} bp elsewhere"
        if near := one.pop(name, None):
            yield name, near
            yield f"{name}, less sites", near - sites
            yield f"{name}, less as many bases elsewhere", near - one.pop(moved)
    if alike := one.pop("sites, others of the same GC", None):
        yield "sites, others of the same GC less any", alike - sites
    yield from one.items()

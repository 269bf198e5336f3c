"""Networks of simulated grammars: words or matrices, their response, and rules of
spacing, drawn anew with each seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from causalgia.predict.predictor import Predictor, Progress
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.types import Array, Tokens

from .known import MASK, Known, Planted, Word, aligned, counted

LENGTH = 200
Letters = Literal["words", "degenerate", "matrices"]
Response = Literal["additive", "multiplicative", "saturating"]


@dataclass(frozen=True)
class Kind:
    """How a grammar is drawn."""

    name: str
    n_motifs: int
    letters: Letters = "words"
    both: bool = True
    response: Response = "additive"
    rule: str = ""
    partner: bool = False
    """The second motif of the rule does nothing alone."""
    place: bool = False
    gc: float = 0.0
    tasks: int = 1
    n: int = 500
    rough: float = 0.0
    """Standard deviation of a random table of 4-mers, beside the motifs."""
    alike: bool = False
    """The second motif has five letters of the first."""
    context: bool = False
    """The last motif acts in AT-rich bases alone."""


KINDS: tuple[Kind, ...] = (  # by turns: those an audit was mended on, and those unseen
    Kind("words, one strand", 2, both=False, n=300),
    Kind("words, one strand", 4, both=False, n=600, rough=0.15),
    Kind("words", 3, n=400),
    Kind("words", 5, n=1000, rough=0.15),
    Kind("degenerate words", 3, "degenerate", n=500),
    Kind("degenerate words", 4, "degenerate", n=800, tasks=2),
    Kind("matrices", 3, "matrices", n=600),
    Kind("matrices", 5, "matrices", n=1000, tasks=2, rough=0.15),
    Kind("multiplicative", 3, response="multiplicative", n=500),
    Kind("multiplicative", 4, "matrices", response="multiplicative", n=800),
    Kind("saturating", 2, response="saturating", n=500),
    Kind("saturating", 4, "degenerate", response="saturating", n=800),
    Kind("spacing", 2, both=False, rule="++", n=500),
    Kind("spacing", 3, both=False, rule="++", n=800, tasks=2, rough=0.15),
    Kind("spacing, both strands", 3, "degenerate", rule="+-", n=600),
    Kind("spacing, both strands", 4, "matrices", rule="++", n=1000, tasks=2),
    Kind("spacing, a silent partner", 2, rule="++", partner=True, n=500),
    Kind("spacing, a silent partner", 3, "degenerate", rule="-+", partner=True, n=800),
    Kind("place", 2, place=True, n=500),
    Kind("place", 3, "matrices", place=True, n=800),
    Kind("composition", 3, gc=6.0, n=500),
    Kind("composition", 3, "degenerate", gc=-6.0, n=800, tasks=2),
    Kind("all of these", 4, "degenerate", rule="++", place=True, gc=3.0, tasks=3, n=1000, rough=0.1),
    Kind("all of these", 5, "matrices", rule="+-", place=True, gc=-3.0, tasks=3, n=1000, rough=0.1),
    Kind("five letters in common", 2, alike=True, rule="++", n=500),
    Kind("five letters in common", 3, "matrices", alike=True, rule="+-", n=800),
    Kind("in AT-rich bases alone", 2, context=True, n=500),
    Kind("in AT-rich bases alone", 3, "matrices", context=True, tasks=2, n=800),
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A motif that reads windows: 0 at `low` or below, 1 at the best score."""

    scores: Array
    low: float

    @property
    def turned(self) -> Reader:
        """The reader of the reverse complement."""
        return Reader(self.scores[::-1, ::-1], self.low)


@numba.njit(cache=True)
def _activities(
    tokens: Any, scores: Any, widths: Any, lows: Any, places: Any, active: Any
) -> None:
    """Write the activity of each motif at each start into `active` (motifs, n, length).

    A window is left as soon as its best remaining letters cannot reach `low`.
    """
    for k in range(len(widths)):
        wide = widths[k]
        rest = np.zeros(wide + 1)
        for j in range(wide - 1, -1, -1):
            rest[j] = rest[j + 1] + scores[k, j].max()
        for row in range(len(tokens)):
            last = min(places[k, 1], tokens.shape[1] - wide + 1)
            for at in range(places[k, 0], last):
                total = 0.0
                for j in range(wide):
                    total += scores[k, j, tokens[row, at + j]]
                    if total + rest[j + 1] <= lows[k]:
                        break
                else:
                    active[k, row, at] = (total - lows[k]) / (rest[0] - lows[k])


@dataclass(frozen=True)
class Gaps:
    """A rule: readers a and b on strands, at gaps from and to."""

    a: int
    b: int
    strands: str
    gap_from: int
    gap_to: int


@dataclass(frozen=True, eq=False)
class Grammar(Predictor):
    """A network that is a grammar: activities of motifs and rules, weighed by task, and
    a response.
    """

    readers: tuple[Reader, ...]
    places: tuple[tuple[int, int], ...]
    both: bool
    rules: tuple[Gaps, ...]
    weights: Array
    bonus: Array
    gc: Array
    rough: Array
    response: Response
    seed: str
    context: bool = False
    scale = "log activity"
    precision = np.dtype(np.float64)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(f"task {k}" for k in range(len(self.weights)))

    @property
    def fingerprint(self) -> str:
        return hashlib.blake2b(self.seed.encode(), digest_size=16).hexdigest()

    def resolve_batch_size(self, length: int) -> int:
        return max(1, 2**18 // length)

    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        rows, size = np.asarray(tokens), self.resolve_batch_size(np.shape(tokens)[1])
        parts = []
        for start in range(0, len(rows), size):
            parts.append(self._answer(rows[start : start + size]))
            if progress is not None:
                progress(len(parts[-1]))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tasks)))

    def active(
        self, tokens: Tokens
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return the activity of each motif on both strands, (n, places)."""
        readers = [*self.readers, *(one.turned for one in self.readers)]
        readers = readers if self.both else readers[: len(self.readers)]
        scores = np.zeros((len(readers), max(len(x.scores) for x in readers), 4))
        for k, one in enumerate(readers):
            scores[k, : len(one.scores)] = one.scores
        n, length = tokens.shape
        active = np.zeros((2 * len(self.readers), n, length), np.float32)
        _activities(
            tokens,
            scores,
            np.array([len(x.scores) for x in readers]),
            np.array([x.low for x in readers]),
            np.array(self.places * 2),
            active,
        )
        if self.context:
            wide = len(self.readers[-1].scores)
            active[len(self.readers) - 1 :: len(self.readers)] *= at_rich(tokens, wide)
        return list(zip(active[: len(self.readers)], active[len(self.readers) :], strict=True))  # fmt: skip

    def ruled(self, active: Any, n: int) -> Array:
        """Return whether each rule is there, (n, rules)."""
        found = np.zeros((n, len(self.rules)))
        for k, rule in enumerate(self.rules):
            way = (rule.a, rule.b, rule.strands)
            ways = [way]
            if self.both:  # the same on the other strand
                turned = "".join("-+"[x == "-"] for x in rule.strands[::-1])
                ways.append((rule.b, rule.a, turned))
            for a, b, strands in ways:
                one, two = active[a]["+-".index(strands[0])], active[b]["+-".index(strands[1])]  # fmt: skip
                wide = len(self.readers[a].scores)
                for gap in range(rule.gap_from, rule.gap_to + 1):
                    both = one[:, : -wide - gap] * two[:, wide + gap :]
                    found[:, k] = np.maximum(found[:, k], both.max(axis=1, initial=0))
        return found

    def _answer(self, tokens: Tokens) -> Array:
        active = self.active(tokens)
        counts = np.column_stack([p.sum(1) + m.sum(1) for p, m in active])
        z = counts @ self.weights.T + self.ruled(active, len(tokens)) @ self.bonus.T
        if self.gc.any():
            gc = ((tokens == 1) | (tokens == 2)).mean(axis=1)
            z += (gc - 0.5)[:, None] * self.gc
        if self.rough.any():
            z += self.rough[fourmers(tokens)[:, :-3]].mean(axis=1)
        if self.response == "multiplicative":
            return np.exp(z)
        if self.response == "saturating":
            return 3 * z / (z + 1.0)
        return z


def at_rich(tokens: Tokens, wide: int) -> NDArray[np.float32]:
    """Return by how much a motif acts at each start: from all where a fifth of the bases
    of it and 20 beside it are G or C, to nothing from three fifths on.
    """
    beside = 20
    gc = np.pad(((tokens == 1) | (tokens == 2)).cumsum(axis=1), ((0, 0), (1, 0)))
    starts = np.arange(tokens.shape[1])
    first = np.maximum(starts - beside, 0)
    last = np.minimum(starts + wide + beside, tokens.shape[1])
    share = (gc[:, last] - gc[:, first]) / (last - first)
    found: NDArray[np.float32] = np.clip((0.6 - share) / 0.4, 0, 1).astype(np.float32)
    return found


def fourmers(tokens: Tokens) -> NDArray[np.intp]:
    """Return the code of the 4-mer at each base; three bases A follow the last."""
    wide = np.pad(tokens, ((0, 0), (0, 3))).astype(np.intp)
    n = tokens.shape[1]
    return sum(wide[:, k : k + n] << 2 * (3 - k) for k in range(4))  # type: ignore[return-value]


def known(number: int, seed: int, *, length: int = LENGTH) -> Known:
    """Return the grammar of a row of `KINDS` as it is drawn with a seed, and sequences."""
    kind, rng = KINDS[number], np.random.default_rng([66, number, seed])
    words = _words(kind.n_motifs, kind.letters, rng)
    if kind.alike:
        words[1] = _like(words[0], words[2:], rng)
    readers = [_reader(word, kind.letters, rng) for word in words]
    places = [(0, length)] * kind.n_motifs
    if kind.place:
        start = int(rng.integers(20, 90))
        places[-1] = (start, start + 80)
    weights = rng.uniform(0.6, 1.5, (kind.tasks, kind.n_motifs))
    if kind.response == "additive" and kind.n_motifs > 2:
        weights[:, 1] *= -1
    if kind.response == "multiplicative":
        weights *= 0.5
    for task in range(1, kind.tasks):  # a motif that this task does not read
        weights[task, int(rng.integers(kind.n_motifs))] = 0.0
    rules = []
    bonus = np.zeros((kind.tasks, 1 if kind.rule else 0))
    if kind.rule:
        first = int(rng.integers(0, 10))
        last = first + int(rng.integers(2, 7))
        rules = [Gaps(0, kind.n_motifs - 1 if kind.partner else 1, kind.rule, first, last)]  # fmt: skip
        bonus[0, 0] = rng.uniform(1.2, 2.0)
        weights[:, 0] = np.abs(weights[:, 0])
        if kind.partner:
            weights[:, -1] = 0.0
    grammar = Grammar(
        tuple(readers), tuple(places), kind.both, tuple(rules), weights, bonus,
        np.full(kind.tasks, kind.gc),
        kind.rough * 14 * rng.normal(size=(256, kind.tasks)) if kind.rough else np.zeros((256, 1)),
        kind.response, f"grammar {number} {seed}", kind.context,
    )  # fmt: skip
    sequences = _planted(kind, grammar, length, rng)
    named: Mapping[str, Word] = {
        word: Word(
            "".join("ACGT"[k] for k in one.scores.argmax(axis=1)),
            _admitted(one),
            None if place == (0, length) else sum(place) // 2 - len(word) // 2,
        )
        for word, one, place in zip(words, readers, places, strict=True)
    }
    planted = tuple(
        Planted(words[r.a], words[r.b], r.strands, r.gap_from, r.gap_to, "task 0")
        for r in rules
    )

    def features(tokens: Tokens) -> dict[str, Array]:
        wide = Grammar(**{**grammar.__dict__, "places": ((0, length),) * len(words)})
        active = wide.active(tokens)
        columns = [counted(p, m) for p, m in active]
        pairs = [wide.ruled(active, len(tokens))]
        if kind.response != "additive":
            counts = [p.sum(1) + m.sum(1) for p, m in active]
            pairs += [
                (one * two if j > i else one * (one - 1) / 2)[:, None]
                for i, one in enumerate(counts)
                for j, two in enumerate(counts)
                if j >= i
            ]
        return {"motifs": np.column_stack(columns), "rules": np.column_stack(pairs)}

    return Known(
        kind.name, grammar, sequences, named, planted, features, both_strands=kind.both
    )


def _words(n: int, letters: Letters, rng: Any) -> list[str]:
    """Return words of 6 to 12 bp that share no five bases, on either strand."""
    found: list[str] = []
    while len(found) < n:
        wide = int(rng.integers(8 if letters == "matrices" else 6, 13))
        word = "".join(rng.choice(list("ACGT"), wide))
        held = [
            x for one in (*found, reverse_complement_iupac(word))
            for x in (one, reverse_complement_iupac(one))
        ]  # fmt: skip
        parts = {word[k : k + 5] for k in range(wide - 4)}
        turned = reverse_complement_iupac(word)
        others = [x for x in held if x not in (word, turned)]
        if any(part in x for part in parts for x in (*others, turned)):
            continue
        if len({*word}) < 3 or len(parts) < wide - 4:
            continue
        found.append(word)
    if letters != "degenerate":
        return found
    two = {"A": "RWM", "C": "YSM", "G": "RSK", "T": "YWK"}
    mixed = []
    for word in found:
        at = rng.choice(len(word), size=min(2, len(word) - 5), replace=False)
        mixed.append(
            "".join(
                str(rng.choice(list(two[x]))) if k in at else x
                for k, x in enumerate(word)
            )
        )
    return mixed


def _like(word: str, others: list[str], rng: Any) -> str:
    """Return a word of 10 to 12 bp with a run of five letters of another, and no other run
    of five of it or of others on either strand.
    """
    turned = [reverse_complement_iupac(one) for one in (word, *others)]
    while True:
        start, wide = int(rng.integers(len(word) - 4)), int(rng.integers(10, 13))
        letters, at = rng.choice(list("ACGT"), wide), int(rng.integers(1, wide - 5))
        letters[at : at + 5] = list(word[start : start + 5])
        found = "".join(letters)
        own = _fives(found)
        apart = all(not own & _fives(x) for x in (*others, *turned))
        apart &= not own & _fives(reverse_complement_iupac(found))
        is_one = aligned(Motif.from_iupac(found), Word.of(word))
        if apart and len(own & _fives(word)) == 1 and is_one is None:
            return found


def _fives(word: str) -> set[str]:
    return {word[k : k + 5] for k in range(len(word) - 4)}


def _reader(word: str, letters: Letters, rng: Any) -> Reader:
    """Return what reads a word: each base that it admits, or the log-odds of a matrix of
    strong and weak columns of which 70 % of the best score begin to count.
    """
    admits = np.array([[MASK[x] >> k & 1 for k in range(4)] for x in word], float)
    if letters != "matrices":
        return Reader(admits, len(word) - 1.0)
    strength = rng.choice([0.94, 0.88, 0.7], size=len(word), p=[0.5, 0.3, 0.2])
    p = np.where(admits > 0, strength[:, None], (1 - strength[:, None]) / 3)
    scores = np.log2(p / 0.25)
    return Reader(scores, 0.7 * float(scores.max(axis=1).sum()))


def _admitted(reader: Reader) -> Array:
    """Return which letters each column admits: those of half of its best score."""
    best = reader.scores.max(axis=1, keepdims=True)
    return (reader.scores >= best / 2).astype(float)


def _planted(kind: Kind, grammar: Grammar, length: int, rng: Any) -> Tokens:
    """Return sequences of 35 to 65 % GC in which each motif is written in half, the pair
    of a rule in two fifths more.
    """
    gc = rng.uniform(0.35, 0.65, kind.n)
    tokens = np.empty((kind.n, length), np.uint8)
    for row, share in enumerate(gc):
        p = [(1 - share) / 2, share / 2, share / 2, (1 - share) / 2]
        tokens[row] = rng.choice(4, length, p=p)
        free = np.ones(length, bool)
        pieces = [
            ([(k, "-" if kind.both and rng.random() < 0.5 else "+")], 0)
            for k in range(kind.n_motifs)
            for _ in range(1 + (rng.random() < 0.2))
            if rng.random() < 0.5
        ]
        for rule in grammar.rules:
            if rng.random() < 0.4:
                both = [(rule.a, rule.strands[0]), (rule.b, rule.strands[1])]
                if kind.both and rng.random() < 0.5:
                    both = [(k, "-+"[s == "-"]) for k, s in both[::-1]]
                gap = int(rng.integers(rule.gap_from, rule.gap_to + 1))
                pieces.insert(0, (both, gap))
        for piece, gap in pieces:
            letters = _written(piece, gap, grammar, rng)
            start, stop = 0, length
            place = grammar.places[piece[0][0]]
            if len(piece) == 1 and place != (0, length) and rng.random() < 0.6:
                start, stop = place
            at = int(rng.integers(start, min(stop, length - len(letters) + 1)))
            if free[at : at + len(letters)].all():
                base = tokens[row, at : at + len(letters)]
                tokens[row, at : at + len(letters)] = np.where(
                    letters < 4, letters, base
                )
                free[at : at + len(letters)] = False
    return tokens


def _written(piece: Any, gap: int, grammar: Grammar, rng: Any) -> Any:
    """Return tokens of one motif or of two at a gap; 4 leaves a base as it is."""
    parts = []
    for k, strand in piece:
        scores = grammar.readers[k].scores
        p = 2.0**scores if scores.min() < 0 else scores
        word = np.array([rng.choice(4, p=one / one.sum()) for one in p])
        parts += [word if strand == "+" else 3 - word[::-1], np.full(gap, 4)]
    return np.concatenate(parts[: 2 * len(piece) - 1])

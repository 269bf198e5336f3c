"""Null models: distributions over background sequences, as frozen values.

Every null model draws unit i from a stream of its own, so the first 100 units of a
1,000-unit trial are the 100-unit trial, whatever the batch size, the order or the
number of threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_count, check_flag, is_whole
from causalgia.design.matched_windows import Predicts, Statistic, matched_windows
from causalgia.design.null_model import (
    FromParents,
    FromSequences,
    NullModel,
    frequencies,
    markov_chain,
    parent_labels,
    random_order,
)
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences.fasta import (
    FilePath,
    Name,
    Sequences,
    Source,
    as_sequences,
    as_shuffled,
)
from causalgia.sequences.parents import LEAST_OVERLAP, overlapping_rows
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens, Units


@dataclass(frozen=True, kw_only=True)
class Uniform(NullModel):
    """Every base drawn independently, A C G T with probability 1/4 each.

    Parameters
    ----------
    length
        Bases in a background.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.Uniform(length=200)
    Uniform(length=200)
    """

    length: int
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", as_count(self.length, "length"))

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:  # noqa: ARG002
        from causalgia.sequences.samplers import sample_uniform

        return sample_uniform(key, units, self.length)

    def log_reachable(self, n_units: int) -> float:  # noqa: ARG002
        return float(self.length * np.log(4))

    def describe(self) -> str:
        return f"uniform random sequences of {self.length} bp"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "length": self.length}

    identity = to_dict


@dataclass(frozen=True, kw_only=True, repr=False)
class Profile(FromSequences):
    """Each position drawn independently from the base frequencies of that position in
    the parents.

    This is the profile null of global importance analysis (Koo et al. 2021,
    doi:10.1371/journal.pcbi.1008925): composition by position is kept, everything else
    is broken.

    Parameters
    ----------
    of
        Sequences of equal length: strings, a FASTA path, a token array (n, length), or
        `cg.read_sequences(...)`.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.Profile(of=["ACGT", "AGGT"]).sample(2, rng=0)["sequence"].values[:, 0]
    array([0, 0], dtype=uint8)
    """

    kind: ClassVar[str] = "profile"

    def probabilities(self) -> NDArray[np.float64]:
        """Return the base frequencies by position, (length, 4)."""
        return frequencies(self)

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:  # noqa: ARG002
        from causalgia.sequences.samplers import sample_profile

        return sample_profile(key, units, self.probabilities())

    def log_reachable(self, n_units: int) -> float:  # noqa: ARG002
        return float(np.log((self.probabilities() > 0).sum(axis=1)).sum())

    def _words(self) -> str:
        return "sequences from the position-wise base frequencies of"


@dataclass(frozen=True, kw_only=True, repr=False)
class Markov(FromSequences):
    """A Markov chain of the given order m: each next base by the parents' transition
    frequencies.

    A background starts with an m-mer drawn from the m-mers at every position
    of the parents, and continues with the maximum-likelihood transitions (the share of
    each base after each m-mer). The chain is not stationary in general: base
    frequencies can change along a background, most where the parents are few and short.

    Parameters
    ----------
    of
        Sequences of equal length, as for `Profile`.
    order
        How many preceding bases decide the next one; 0 is independent bases.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.Markov(of=["ACACACAC"], order=1).sample(1, rng=0)["sequence"].shape
    (1, 8)
    """

    order: int
    kind: ClassVar[str] = "markov"

    def __post_init__(self) -> None:
        super().__post_init__()
        order = self.order
        if not is_whole(order) or not 0 <= order <= 10:
            raise DesignError(
                f"Markov(order={quoted(order)}): the order is a whole number from 0 to "
                "10"
            )
        if order >= self.length:
            raise DesignError(
                f"Markov(order={order}) needs parents longer than {order} bp; these "
                f"have {self.length}"
            )
        object.__setattr__(self, "order", int(order))

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:  # noqa: ARG002
        from causalgia.sequences.samplers import sample_markov

        return sample_markov(key, units, markov_chain(self, self.order), self.length)

    def _extras(self) -> dict[str, Any]:
        return {"order": self.order}

    def _words(self) -> str:
        return f"sequences from an order-{self.order} Markov chain fitted to"


# above this length the determinant of long k-mers takes seconds
_LONGEST_FOR_DETERMINANT = 1_000
_PARENTS_COUNTED = 64


@dataclass(frozen=True, kw_only=True, repr=False)
class KletShuffle(FromParents):
    """Shuffles of the parents, exactly uniform over all rearrangements with the same
    k-let counts.

    Unit i is a fresh shuffle of parent ``i mod n`` in a random order of the n parents,
    which depends on the seed of the trial: parents are balanced, and fewer units than
    parents are a random sample of them. Uniformity is exact: Wilson's loop-erased walk
    draws the last-exit tree, the other edges are put in random order (Kandel et al.
    1996, doi:10.1016/S0166-218X(97)81456-4; Wilson 1996, doi:10.1145/237814.237880).

    Parameters
    ----------
    of
        Sequences of equal length, as for `Profile`.
    k
        Length of the k-mers whose counts are kept: 1 keeps composition, 2
        dinucleotides, 3 codon-like triplets.
    keep_n
        Whether N and other ambiguous letters keep their places. Each stretch between
        them is shuffled by itself, so that its k-let counts are exactly kept, and in
        each unit they are bases drawn anew, uniformly from those that the letter
        admits. False: such letters are refused.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.KletShuffle(of=["ACGTTGCAACGT"], k=3).sample(4, rng=0)["parent"].values
    array([0, 0, 0, 0])
    """

    k: int
    keep_n: bool = False
    kind: ClassVar[str] = "klet_shuffle"

    def __post_init__(self) -> None:
        check_flag(self.keep_n, "keep_n", error=DesignError)
        super().__post_init__()
        k = as_count(self.k, "k")
        if k > 10:
            raise DesignError(f"{type(self).__name__}(k={k}): k is at most 10")
        if k > self.length:
            raise DesignError(
                f"{type(self).__name__}(k={k}): parents have only {self.length} bp"
            )
        object.__setattr__(self, "k", k)

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:  # noqa: ARG002
        return self._shuffled(units, key, key)

    def redraw(
        self, units: Units, *, key: int, again: int, n_units: int
    ) -> tuple[Tokens, NDArray[Any]]:
        parents = self.parents(units, key=key, n_units=n_units)
        return self._shuffled(units, key, again), parents

    def _shuffled(self, units: Units, key: int, again: int) -> Tokens:
        from causalgia.sequences.shuffles import klet_shuffle, klet_shuffle_between

        given, parent = self.parents_given, self._parent_index(units, key)
        if given.ambiguous is not None:
            return klet_shuffle_between(
                again, units, given.tokens, given.ambiguous, self.k, parent=parent
            )
        return klet_shuffle(again, units, given.tokens, self.k, parent=parent)

    def _read(self, of: Source) -> Sequences:
        return as_shuffled(of, keep_n=self.keep_n)

    def parents(self, units: Units, *, key: int, n_units: int) -> NDArray[Any]:  # noqa: ARG002
        return parent_labels(self)[self._parent_index(units, key)]

    def notes(self, n_units: int) -> list[str]:
        n, shared = len(self.parents_given), super().notes(n_units)
        odd = self.parents_given.ambiguous
        if odd is not None:
            shared.append(
                f"letters that are not bases, such as N, keep their places in "
                f"{int((odd > 0).any(axis=1).sum()):,} of {n:,} sequences; in each unit "
                "they are bases drawn at random"
            )
        if n_units >= n:
            return shared
        few = (
            f"{n_units:,} of {n:,} sequences are shuffled, drawn at random: there are "
            "fewer units than sequences"
        )
        return [*shared, few]

    def _parent_index(self, units: Units, key: int) -> NDArray[np.int64]:
        n = len(self.parents_given)
        return random_order(n, derive(key, "parents"))[
            (units % np.uint64(n)).astype(np.int64)
        ]

    def log_reachable(self, n_units: int) -> float:
        """Natural log of the number of distinct sequences, counted until it exceeds the
        units; else infinity.
        """
        from causalgia.sequences.shuffles import log_degeneracy, log_reachable_between

        odd = self.parents_given.ambiguous
        if odd is not None:
            rows = zip(self.parents_given.tokens, odd, strict=True)
            each = [log_reachable_between(row, at, self.k) for row, at in rows]
            return float(np.logaddexp.reduce(each))
        if self.k > 4 and self.length > _LONGEST_FOR_DETERMINANT:
            return np.inf
        parents = self.parents_given.tokens  # any of them may be drawn
        classes = {}
        for row in parents[
            :_PARENTS_COUNTED
        ]:  # by their letters and k-lets, which shuffles of each other share
            kmers = np.lib.stride_tricks.sliding_window_view(row, self.k)
            klets = kmers[np.lexsort(kmers.T)].tobytes()
            classes[np.sort(row).tobytes() + klets + row[: self.k - 1].tobytes()] = row
        total = -np.inf
        for row in classes.values():
            total = np.logaddexp(total, log_degeneracy(row, self.k))
            if total > np.log(n_units):
                break
        return float(total) if len(parents) <= _PARENTS_COUNTED else np.inf

    def _extras(self) -> dict[str, Any]:
        # these have it in their kind
        in_kind = self.kind in ("shuffle", "dinucleotide_shuffle")
        return ({} if in_kind else {"k": self.k}) | (
            {"keep_n": True} if self.keep_n else {}
        )

    def _words(self) -> str:
        return f"{self.k}-let shuffles of"


@dataclass(frozen=True, kw_only=True, repr=False)
class Shuffle(KletShuffle):
    """Shuffles of the parents that keep each one's base composition: uniform over all
    rearrangements.

    Parameters
    ----------
    of
        Sequences of equal length, as for `Profile`.
    keep_n
        Whether N and other ambiguous letters keep their places, as in `KletShuffle`.

    Examples
    --------
    >>> import causalgia as cg
    >>> sorted(cg.Shuffle(of=["AACG"]).sample(1, rng=0)["sequence"].values[0].tolist())
    [0, 0, 1, 2]
    """

    k: int = field(default=1, init=False, repr=False)
    kind: ClassVar[str] = "shuffle"

    def _words(self) -> str:
        return "mononucleotide shuffles of"


@dataclass(frozen=True, kw_only=True, repr=False)
class DinucleotideShuffle(KletShuffle):
    """Shuffles of the parents that keep each one's dinucleotide counts, exactly uniform
    over all such sequences.

    Parameters
    ----------
    of
        Sequences of equal length, as for `Profile`.
    keep_n
        Whether N and other ambiguous letters keep their places, as in `KletShuffle`.

    References
    ----------
    Altschul & Erickson (1985), doi:10.1093/oxfordjournals.molbev.a040370; Wilson
    (1996), doi:10.1145/237814.237880.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.DinucleotideShuffle(of=["ACGTACGATCA"]).sample(2, rng=0)["sequence"].values[
    ...     :, 0
    ... ]
    array([0, 0], dtype=uint8)
    """

    k: int = field(default=2, init=False, repr=False)
    kind: ClassVar[str] = "dinucleotide_shuffle"

    def _words(self) -> str:
        return "dinucleotide shuffles of"


@dataclass(frozen=True, kw_only=True, repr=False)
class Genomic(FromParents):
    """The given sequences themselves (knock-in): every unit is a real sequence, none is
    altered.

    Units are in the given order if `n_units` equals the number of sequences (times
    `n_draws`); otherwise they are a random subset without replacement, and a smaller
    trial uses the first part of a larger one. With ``n_draws=2`` or more every sequence
    is that many units in a row: arms that draw (a scramble, a sampled motif) then have
    several draws for each sequence, which a standard error for ``target="units"``
    needs.

    Parameters
    ----------
    of
        Sequences of equal length, as for `Profile`.
    n_draws
        Units made from each sequence.
    parent
        Name of the parent of each sequence; units of one parent are one cluster, and
        are reserved together. By default sequences are one parent, under the name of
        the first, if they overlap on either strand, by the places in their names or by
        a quarter of their letters, are copies, or have equal dinucleotide counts
        (shuffles of one another); a note says how many there are. Names that are all
        different make each sequence a parent of its own.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.Genomic(of={"peak1": "ACGT", "peak2": "TTTT"}).sample(2, rng=0)[
    ...     "parent"
    ... ].values.tolist()
    ['peak1', 'peak2']
    >>> sites = cg.Genomic(
    ...     of={"site1": "ACGA", "site2": "ACGA", "site3": "TTTT"},
    ...     parent=["peak1", "peak1", "peak2"],
    ... )
    >>> sites.sample(3, rng=0)["parent"].values.tolist()
    ['peak1', 'peak1', 'peak2']
    """

    n_draws: int = 1
    parent: Sequence[str | int] | None = None
    kind: ClassVar[str] = "genomic"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "n_draws", as_count(self.n_draws, "n_draws"))
        if self.parent is None:
            return
        named = not isinstance(self.parent, str) and isinstance(
            self.parent, Sequence | np.ndarray
        )
        names = np.asarray(self.parent, object).tolist() if named else []
        known = all(
            isinstance(name, str | int) and not isinstance(name, bool) for name in names
        )
        if len(names) != (n := len(self.parents_given)) or not known:
            raise DesignError(
                f"Genomic: parent={quoted(self.parent)} must name the parent of "
                f"each of the {n:,} sequences, in order"
            )
        object.__setattr__(self, "parent", tuple(map(str, names)))

    @classmethod
    def matched(
        cls,
        peaks: Source,
        genome: FilePath,
        *,
        length: int | None = None,
        by: str | Statistic = "gc",
        tolerance: float = 0.02,
        quiet: Predicts | None = None,
        rng: RNG,
    ) -> Genomic:
        r"""Return the null model of genomic windows that lie off the peaks and match
        them in GC, as the negatives of ChromBPNet, bpnet-lite and tangermeme do.

        The chromosomes that have peaks are cut into tiles from a random place on. Each
        peak gets a tile of its own at random, without replacement, among those that
        touch no peak, have no letter but A C G T, and lie in its bin of the statistic.
        Peaks whose bin has too few tiles get none: ``parents_given.skipped`` lists
        them, and a note of the trial counts them. Windows are named by their places,
        and are in the order of the peaks.

        Parameters
        ----------
        peaks
            A BED file or its table, or sequences whose names say their places, such as
            ``chr1:100-300``, as `causalgia.sequences.from_bed` returns them. Whole
            intervals of a BED file are left out, not their middle alone.
        genome
            The FASTA or .2bit file.
        length
            Bases of a window, for a BED file: of the peaks around the middle, and of
            the backgrounds. Sequences have their own.
        by
            What is matched: ``"gc"``, the share of G and C; ``"cpg"``, CpG observed
            over expected; or a function from tokens (n, length) to (n,) numbers.
        tolerance
            Width of the bins of the statistic, on its scale.
        quiet
            A predictor. Four tiles are drawn for each peak and predicted, and the
            quarter with the lowest predictions is kept, within each bin, so that quiet
            windows still match. With several tasks it is the quarter with the lowest
            of their largest ranks over the tasks: quiet in all of them. Positions of a
            track and members of an ensemble are averaged.
        rng
            Seed (0 is a seed), Generator or SeedSequence.

        Raises
        ------
        DesignError
            If `by` or `tolerance` is none, a peak has no place, or no peak has a
            window.
        SequenceError
            If a file cannot be read, or as `causalgia.sequences.from_bed`.

        References
        ----------
        Pampari et al. (2025), doi:10.1101/2024.12.25.630221 (ChromBPNet). Schreiber
        (2025), doi:10.1101/2025.08.08.669296 (tangermeme).

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import causalgia as cg
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> letters = cg.Uniform(length=2_000).sample(1, rng=0)["sequence"].values
        >>> text = cg.sequences.decode(letters)[0]
        >>> _ = (folder / "genome.fa").write_text(f">chr1\n{text}\n")
        >>> _ = (folder / "peaks.bed").write_text("chr1\t400\t420\nchr1\t900\t920\n")
        >>> null = cg.Genomic.matched(
        ...     folder / "peaks.bed", folder / "genome.fa", length=20, rng=0
        ... )
        >>> null.describe()
        'the real sequences themselves: 2 sequences of 20 bp'
        """
        return cls(
            of=matched_windows(
                peaks,
                genome,
                length=length,
                by=by,
                tolerance=tolerance,
                quiet=quiet,
                key=derive(root_key(rng), "matched"),
            )
        )

    def check(self, n_units: int) -> None:
        if n_units > self.available:
            raise DesignError(
                f"Genomic: {n_units:,} units from {len(self.parents_given):,} "
                f"sequences x {self.n_draws} draws, which have {self.available:,}"
            )
        if n_units % self.n_draws:
            raise DesignError(
                f"Genomic(n_draws={self.n_draws}): n_units={n_units} must be a "
                f"multiple of {self.n_draws}"
            )

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:
        return self.parents_given.tokens[self.rows(units, key, n_units)]

    def redraw(
        self,
        units: Units,
        *,
        key: int,
        again: int,  # noqa: ARG002
        n_units: int,
    ) -> tuple[Tokens, NDArray[Any]]:
        return self.draw_with_parents(units, key=key, n_units=n_units)

    def parents(self, units: Units, *, key: int, n_units: int) -> NDArray[Any]:
        return parent_labels(self)[self.rows(units, key, n_units)]

    def names(self, units: Units, *, key: int, n_units: int) -> NDArray[Any]:
        """Return the name of each unit's sequence, as text."""
        return (
            np.array(self.parents_given.names, object)[self.rows(units, key, n_units)]
            .astype(str)
            .astype(object)
        )

    @property
    def available(self) -> int:
        """The number of units: each given sequence in every draw."""
        return len(self.parents_given) * self.n_draws

    @property
    def parent_names(self) -> tuple[Name, ...]:
        """The parent of each given sequence: as named, else as given."""
        return super().parent_names if self.parent is None else tuple(self.parent)

    def notes(self, n_units: int) -> list[str]:
        return super().notes(n_units) if self.parent is None else self._skip_notes()

    def _of_rows(self, chosen: NDArray[np.bool_], **more: Any) -> NullModel:
        parent = None if self.parent is None else tuple(compress(self.parent, chosen))
        return super()._of_rows(chosen, parent=parent, **more)

    def log_reachable(self, n_units: int) -> float:  # noqa: ARG002
        """Natural log of the number of distinct sequences; of all of them if `parent`
        says that some are equal.
        """
        # a sequence as one value: many times faster than by columns
        whole = np.dtype((np.void, self.length))
        rows = np.ascontiguousarray(self.parents_given.tokens).view(whole)
        return float(np.log(len(np.unique(rows) if self.parent is None else rows)))

    def rows(self, units: Units, key: int, n_units: int) -> NDArray[np.int64]:
        """Return which of the given sequences each unit is, (n,)."""
        n, rank = (
            len(self.parents_given),
            (units // np.uint64(self.n_draws)).astype(np.int64),
        )
        return rank if n_units == n * self.n_draws else random_order(n, key)[rank]

    def identity(self) -> dict[str, Any]:
        """Return the content that keys the choice of reserved parents; `n_draws` has
        its first name in it.
        """
        return {
            "draws" if key == "n_draws" else key: value
            for key, value in super().identity().items()
        }

    def _extras(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"n_draws": self.n_draws} if self.n_draws > 1 else {}
        return plain if self.parent is None else {**plain, "parent": list(self.parent)}

    def _words(self) -> str:
        draws = f", {self.n_draws} draws each" if self.n_draws > 1 else ""
        return f"the real sequences themselves{draws}:"


_BLOCK = 64
"""Units that a function of one's own draws in a call."""
_PROBE = derive(0, "drawn")
"""Key of the sequences by which two such functions are told apart."""
_LONGEST_LABEL = 64
"""Letters of the name of a parent; a store needs one type for those of all units."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Drawn(NullModel):
    """Sequences from a function of one's own, such as a generative network or a
    simulator.

    The function is called for 64 units at a time with a generator that is derived from
    the seed of the trial and the number of that block, so that a unit is the same
    whatever the batch size. Two null models are equal if they draw the same sequences
    of the same parents; a trial file cannot hold one, and outcomes do not store their
    design.

    Where the sequences are made from a list of others, such as peaks, units of one
    source are not independent of each other, and the function names the sources. They
    are the ``parent`` of the units, as for `Shuffle`.

    Parameters
    ----------
    fn
        ``fn(rng, n)`` returns n sequences: strings, or tokens (n, length), 0 1 2 3 = A
        C G T. It draws from `rng`, a `numpy.random.Generator`, alone. Or it returns
        ``(sequences, parents)``, with the name or number of the source of each, the
        same in every call.
    length
        Bases in a background.
    words
        What the sequences are, for the estimand: "promoters of a language model".

    Raises
    ------
    DesignError
        If `fn` returns another number of sequences, another length or other letters,
        parents that are no name or number for each sequence, or draws other sequences
        from the same generator.

    Examples
    --------
    >>> import causalgia as cg
    >>> null = cg.design.Drawn(
    ...     lambda rng, n: rng.integers(1, 3, (n, 30)), length=30, words="GC alone"
    ... )
    >>> null, null.sample(2, rng=0)["gc"].values.tolist()
    (<Drawn: GC alone, 30 bp>, [1.0, 1.0])
    >>> peaks = cg.Uniform(length=30).sample(5, rng=0)["sequence"].values
    >>> def reversed_peaks(rng, n):
    ...     source = rng.integers(5, size=n)
    ...     return peaks[source, ::-1], source
    >>> null = cg.design.Drawn(reversed_peaks, length=30, words="5 peaks, reversed")
    >>> null.sample(4, rng=0)["parent"].values.tolist()
    ['3', '4', '0', '3']
    """

    fn: Callable[[np.random.Generator, int], Any] = field(kw_only=False, compare=False)
    length: int
    words: str
    digest: str = field(init=False)
    """Fingerprint of 64 sequences of a fixed generator, and of their parents."""
    has_parents: bool = field(init=False)
    """Whether the function names them."""
    kind: ClassVar[str] = "drawn"

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", as_count(self.length, "length"))
        twice = [self._block(_PROBE, 0) for _ in range(2)]
        text, again = (
            b"".join(part.tobytes() for part in block if part is not None)
            for block in twice
        )
        if text != again:
            raise DesignError(
                "Drawn: fn draws other sequences from the same generator; it draws "
                "from rng alone",
                argument="fn",
            )
        digest = hashlib.blake2b(text, digest_size=16).hexdigest()
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "has_parents", twice[0][1] is not None)

    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:
        return self.draw_with_parents(units, key=key, n_units=n_units)[0]

    def parents(self, units: Units, *, key: int, n_units: int) -> NDArray[Any]:
        if not self.has_parents:
            return super().parents(units, key=key, n_units=n_units)
        return self.draw_with_parents(units, key=key, n_units=n_units)[1]

    def draw_with_parents(
        self, units: Units, *, key: int, n_units: int
    ) -> tuple[Tokens, NDArray[Any]]:
        made = np.empty((len(units), self.length), np.uint8)
        parent: NDArray[Any] = np.empty(len(units), f"<U{_LONGEST_LABEL}")
        block, row = (
            part.astype(np.int64) for part in divmod(units, np.uint64(_BLOCK))
        )
        for number in np.unique(block).tolist():
            own = block == number
            tokens, names = self._block(key, number)
            if (names is not None) != self.has_parents:
                raise DesignError(
                    "Drawn: fn returns parents in some calls and none in others",
                    argument="fn",
                )
            made[own] = tokens[row[own]]
            if names is not None:
                parent[own] = names[row[own]]
        if not self.has_parents:
            parent = super().parents(units, key=key, n_units=n_units)
        return made, parent

    def _block(self, key: int, number: int) -> tuple[Tokens, NDArray[Any] | None]:
        rng = np.random.default_rng(derive(key, "drawn", number))
        drawn, parents = self.fn(rng, _BLOCK), None
        if isinstance(drawn, tuple) and len(drawn) == 2:
            drawn, parents = drawn[0], _labels(drawn[1])
        try:
            made = as_sequences(drawn).tokens
        except SequenceError as error:
            raise DesignError(f"Drawn: fn: {error}", argument="fn") from error
        if made.shape != (_BLOCK, self.length):
            raise DesignError(
                f"Drawn: fn(rng, {_BLOCK}) is {made.shape[0]} sequences of "
                f"{made.shape[1]} bp, not {_BLOCK} of {self.length}",
                argument="fn",
            )
        return made, parents

    def notes(self, n_units: int) -> list[str]:  # noqa: ARG002
        if self.has_parents or self.length < LEAST_OVERLAP:
            return []
        first = overlapping_rows(self._block(_PROBE, 0)[0])
        n = int((np.bincount(first)[first] > 1).sum())
        note = (
            f"{n} of {_BLOCK} sequences that the function draws are copies of others or "
            "overlap them, and it names no parents: every unit counts as independent"
        )
        return [note] if n else []

    def describe(self) -> str:
        return f"{self.words}, {self.length} bp"

    def __repr__(self) -> str:
        return f"<Drawn: {self.describe()}>"

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "fn": self.fn,
            "length": self.length,
            "words": self.words,
        }

    def identity(self) -> dict[str, Any]:
        return {**self.to_dict(), "fn": self.digest}


def _labels(parents: Any) -> NDArray[np.str_]:
    """Return the parents of a block as text, or raise DesignError."""
    names = np.asarray(parents, object)
    if names.shape != (_BLOCK,):
        raise DesignError(
            f"Drawn: fn(rng, {_BLOCK}) returns parents of shape {names.shape}, not one "
            f"for each of {_BLOCK} sequences",
            argument="fn",
        )
    for name in names.tolist():
        if not (isinstance(name, str) or is_whole(name)) or name == "":
            raise DesignError(
                f"Drawn: fn: the parent {quoted(name)} is neither a name nor a whole "
                "number",
                argument="fn",
            )
        if len(str(name)) > _LONGEST_LABEL:
            raise DesignError(
                f"Drawn: fn: the parent {quoted(name)} has {len(str(name))} letters; "
                f"{_LONGEST_LABEL} are the most",
                argument="fn",
            )
    return names.astype(f"<U{_LONGEST_LABEL}")


NULL_MODELS: dict[str, type[NullModel]] = {
    model.kind: model
    for model in (
        Uniform,
        Profile,
        Markov,
        Shuffle,
        DinucleotideShuffle,
        KletShuffle,
        Genomic,
    )
}

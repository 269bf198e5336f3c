"""Frozen choices of a design, and null models among them: distributions of background
sequences, drawn unit by unit.

A choice has equality by value, a fingerprint, and conversion to TOML and JSON.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import compress
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import as_count
from causalgia.errors import (
    CausalgiaError,
    DesignError,
    SequenceError,
    quoted,
    type_in_words,
    with_article,
)
from causalgia.inputs import parse_json, parse_toml
from causalgia.sequences.fasta import Name, Sequences, Source, as_sequences
from causalgia.sequences.skipped_inputs import skip_sentence
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens, Units

if TYPE_CHECKING:
    from causalgia.sequences.samplers import MarkovChain


Made = TypeVar("Made", bound="Choice")


class Choice(ABC):
    """A frozen decision about a trial: compared by value, fingerprinted, written to and
    read from plain data.
    """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the choice as TOML-ready data: tables, lists, strings and numbers."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return the content that makes two choices equal: as `to_dict`, with contents
        (not paths) of sequences.
        """

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that equal choices share in every process, and unequal
        ones do not.
        """
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @classmethod
    def from_dict(cls, plain: Any) -> Self:
        """Return the choice that `to_dict` wrote; DesignError says what is wrong with
        the data.
        """
        read = next(_READERS[kind] for kind in cls.__mro__ if kind in _READERS)
        made = read(plain)
        if not isinstance(made, cls):
            raise DesignError(
                f"this is {type_in_words(made)}, not {with_article(cls.__name__)}: "
                f"{quoted(made)}"
            )
        return made

    def to_toml(self) -> str:
        """Return the choice as TOML text."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Return the choice that `to_toml` wrote."""
        return cls.from_dict(parse_toml(text, DesignError))

    def to_json(self) -> str:
        """Return the choice as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the choice that `to_json` wrote."""
        return cls.from_dict(parse_json(text, DesignError))


_Reader = Callable[[Any], Choice]
_READERS: dict[type[Any], _Reader] = {}


def reads(kind: type[Any]) -> Callable[[Callable[[Any], Made]], Callable[[Any], Made]]:
    """Register the function that reads a kind of choice from plain data, for its
    `from_dict`.
    """

    def declare(read: Callable[[Any], Made]) -> Callable[[Any], Made]:
        _READERS[kind] = read
        return read

    return declare


_LETTERS_IN_REPR = 200  # letters shown in a repr


class NullModel(Choice):
    """A distribution of backgrounds: `sample` draws units from it; a `Design` says what
    is done to them.

    Examples
    --------
    >>> import causalgia as cg
    >>> null = cg.Uniform(length=50)
    >>> isinstance(null, cg.design.NullModel), null.describe()
    (True, 'uniform random sequences of 50 bp')
    """

    kind: ClassVar[str]
    length: int
    """Length of a background in bases."""
    n_draws: int = 1
    """Units per draw of a background; more than one if the same sequence is used for
    several units.
    """
    has_parents: bool = False
    """Whether units may share a parent; otherwise each is drawn independently."""

    @abstractmethod
    def draw(self, units: Units, *, key: int, n_units: int) -> Tokens:
        """Return the backgrounds of the given unit ids, (len(units), length) tokens; a
        function of (key, unit).
        """

    def draw_with_parents(
        self, units: Units, *, key: int, n_units: int
    ) -> tuple[Tokens, NDArray[Any]]:
        """Return the backgrounds of the given unit ids, and the parent of each."""
        return (
            self.draw(units, key=key, n_units=n_units),
            self.parents(units, key=key, n_units=n_units),
        )

    def redraw(
        self,
        units: Units,
        *,
        key: int,  # noqa: ARG002
        again: int,
        n_units: int,
    ) -> tuple[Tokens, NDArray[Any]]:
        """Return other backgrounds of the given units, from the streams of the key
        `again`, and the parent of each; draws of given sequences keep their parents.
        """
        return self.draw_with_parents(units, key=again, n_units=n_units)

    @abstractmethod
    def describe(self) -> str:
        """Return the population as text, for the estimand: 'dinucleotide shuffles of
        500 sequences'.
        """

    def attributes(self) -> dict[str, Any]:
        """Return what Datasets say of this population: in words, its kind and its
        numbers.
        """
        return attributes(
            null=self.describe(),
            null_kind=self.kind,
            null_fingerprint=self.fingerprint,
            null_length=self.length,
            **self.numbers(),
        )

    def numbers(self) -> dict[str, int]:
        """Return the numbers of sequences, parents and draws, as attributes."""
        return {}

    def parents(self, units: Units, *, key: int, n_units: int) -> NDArray[Any]:  # noqa: ARG002
        """Return the parent of each unit id: by default the unit itself."""
        return units.astype(np.int64)

    def check(self, n_units: int) -> None:
        """Raise DesignError if this null model cannot give `n_units` units."""

    def notes(self, n_units: int) -> list[str]:  # noqa: ARG002
        """Return notes on the parents of `n_units` units for a report, a sentence each;
        by default none.
        """
        return []

    def split(self, reserve: float) -> tuple[NullModel, NullModel]:
        """Return this null model without a share of its parents, and the one of these
        parents alone.

        Raises
        ------
        DesignError
            If its units are independent draws, which are always fresh.
        """
        raise DesignError(
            f"reserve={reserve}: {self.describe()} are drawn anew for every "
            "trial, and have no given sequences to reserve"
        )

    def log_reachable(self, n_units: int) -> float:  # noqa: ARG002
        """Natural log of the number of distinct sequences that can be drawn; infinity
        if it is unknown.
        """
        return np.inf

    def sample(self, n_units: int, *, rng: RNG) -> xr.Dataset:
        """Draw `n_units` backgrounds.

        Parameters
        ----------
        n_units
            How many.
        rng
            Seed (0 is a seed), Generator or SeedSequence. `cg.run` with the same `rng`
            draws the same units.

        Returns
        -------
        Dataset
            ``sequence (unit, position)`` uint8 tokens, 0 1 2 3 = A C G T;
            ``parent (unit)`` the source sequence of each unit (its FASTA name, else its
            index); ``gc (unit)`` its share of G and C.

        Raises
        ------
        DesignError
            If `n_units` is not positive, or more units are asked for than a finite null
            model has.

        Examples
        --------
        >>> import causalgia as cg
        >>> cg.Uniform(length=20).sample(3, rng=0)["sequence"].shape
        (3, 20)
        """
        import xarray as xr

        n_units = as_count(n_units, "n_units")
        self.check(n_units)
        key = derive(root_key(rng), "null")
        units = np.arange(n_units, dtype=np.uint64)
        try:
            tokens, parents = self.draw_with_parents(units, key=key, n_units=n_units)
        except MemoryError as error:
            raise DesignError(
                f"n_units={n_units:,}: sequences of {self.length:,} bp do not fit "
                "into memory"
            ) from error
        dataset = xr.Dataset(
            {"sequence": (("unit", "position"), tokens)},
            coords={
                "unit": units.astype(np.int64),
                "position": np.arange(tokens.shape[1]),
                "parent": ("unit", parents),
                "gc": ("unit", gc_content(tokens)),
            },
            attrs=self.attributes(),
        )
        return as_result(dataset, "sequences", *self.notes(n_units))


def gc_content(tokens: Tokens) -> NDArray[np.float64]:
    """Return the share of G and C in each sequence, (n,)."""
    return np.asarray(np.mean((tokens == 1) | (tokens == 2), axis=1), np.float64)


@dataclass(frozen=True, kw_only=True, repr=False)
class FromSequences(NullModel):
    """Base of null models made from given sequences: `of` is normalized once and
    compared by content.
    """

    of: Source
    length: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "of", self._read(self.of))
        except SequenceError as error:
            place = f"{type(self).__name__}(of=...)"
            raise DesignError(f"{place}: {error}") from error
        object.__setattr__(self, "length", self.parents_given.length)

    def _read(self, of: Source) -> Sequences:
        return as_sequences(of)

    @property
    def parents_given(self) -> Sequences:
        """The sequences in `of`."""
        return self.of if isinstance(self.of, Sequences) else self._read(self.of)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "of": _plain_sequences(self.parents_given),
            **self._extras(),
        }

    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "of": self.parents_given.digest, **self._extras()}

    def _extras(self) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        few = (
            self.parents_given.source is not None
            or self.parents_given.tokens.size <= _LETTERS_IN_REPR
        )
        of = _plain_sequences(self.parents_given) if few else self.parents_given
        extras = "".join(
            f", {name}={value!r}" for name, value in self._extras().items()
        )
        return f"{type(self).__name__}(of={of!r}{extras})"

    def describe(self) -> str:
        n = len(self.parents_given)
        return (
            f"{self._words()} {n:,} sequence{'s' if n != 1 else ''} of {self.length} bp"
        )

    @abstractmethod
    def _words(self) -> str: ...

    def numbers(self) -> dict[str, int]:
        given = self.parents_given
        different = len({row.tobytes() for row in given.tokens})
        return {
            "null_sequences": different,
            "null_rows": len(given),
            "null_draws": self.n_draws,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class FromParents(FromSequences):
    """Base of null models whose every unit descends from one of the given sequences,
    its parent.

    Given sequences that overlap, are equal or are shuffles of one another are one
    parent together, with the name of the first (`causalgia.sequences.parents`).
    """

    has_parents = True

    def split(self, reserve: float) -> tuple[NullModel, NullModel]:
        """Return this null model without a share of its parents, and the one of these
        parents alone.

        The reserved parents are the first in a random order that depends on the null
        model's fingerprint: a random sample of the parents, the same one for all arms
        and seeds of a trial.
        """
        from causalgia.sequences.random import random_words

        names = {
            name: number for number, name in enumerate(dict.fromkeys(self.parent_names))
        }
        n = len(names)
        n_reserved = round(n * reserve)
        if not 1 <= n_reserved < n:
            raise DesignError(
                f"reserve={reserve} of {n:,} sequences reserves {n_reserved:,}; "
                "both the trial and its confirmation need one or more"
            )
        key = derive(int(self.fingerprint, 16), "reserve")
        order = np.argsort(
            random_words(key, np.arange(n, dtype=np.uint64), 1)[:, 0], kind="stable"
        )
        chosen = np.zeros(n, bool)
        chosen[order[:n_reserved]] = True
        rows = chosen[[names[name] for name in self.parent_names]]
        return self._of_rows(~rows), self._of_rows(rows)

    @property
    def parent_names(self) -> tuple[Name, ...]:
        """The parent of each given sequence."""
        return self.parents_given.parents

    def describe(self) -> str:
        n = len(set(self.parent_names))
        if n == len(self.parents_given):
            return super().describe()
        return f"{super().describe()}, {n:,} parent{'s' if n != 1 else ''}"

    def numbers(self) -> dict[str, int]:
        return super().numbers() | {"null_parents": len(set(self.parent_names))}

    def notes(self, n_units: int) -> list[str]:  # noqa: ARG002
        n, n_parents = len(self.parents_given), len(set(self.parent_names))
        if n_parents == n:
            return self._skip_notes()
        return [
            *self._skip_notes(),
            f"{n:,} sequences, {n_parents:,} parent{'s' if n_parents != 1 else ''}: "
            "sequences that overlap on either strand, copies, and shuffles of one "
            "another (equal dinucleotide counts) are not independent of each other",
        ]

    def _skip_notes(self) -> list[str]:
        """Return how many of the file's sequences were left out, by reason."""
        of = self.parents_given
        sentence = skip_sentence(of.skipped, len(of), "sequences")
        return [sentence] if sentence else []

    def _of_rows(self, chosen: NDArray[np.bool_], **more: Any) -> NullModel:
        given = self.parents_given
        names = tuple(compress(given.names, chosen))
        odd = None if given.ambiguous is None else given.ambiguous[chosen]
        of = Sequences(given.tokens[chosen], names, None, (), odd)
        return replace(self, of=of, **more)


def _plain_sequences(of: Sequences) -> str | list[str] | dict[str, str]:
    """Return the sequences as plain data: a path, strings (named 0 to n - 1), or a
    table of names.
    """
    if of.source is not None:
        return of.source
    strings = of.strings
    if of.names == tuple(range(len(of))):
        return strings
    return dict(zip(map(str, of.names), strings, strict=True))


@lru_cache(maxsize=2)
def frequencies(null: FromSequences) -> NDArray[np.float64]:
    """Return the base frequencies of the given sequences by position, (length, 4)."""
    from causalgia.sequences.samplers import fit_profile

    return _read_only(fit_profile(null.parents_given.tokens))


@lru_cache(maxsize=2)
def markov_chain(null: FromSequences, order: int) -> MarkovChain:
    """Return the Markov chain of the given sequences."""
    from causalgia.sequences.samplers import fit_markov

    return fit_markov(null.parents_given.tokens, order)


def as_null_model(
    null: object,
    *,
    what: str = "a null model",
    other: str = "sequences are one as cg.Genomic(of=...)",
    place: str = "",
    error: type[CausalgiaError] = DesignError,
) -> NullModel:
    """Return the null model, to be validated before the settings that depend on it, or
    raise an error of the given type, which ends with `other`.

    Examples
    --------
    >>> as_null_model("peaks.fa")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: null='peaks.fa' is not a null model, such as cg.Uniform(length=200); ...
    """
    if isinstance(null, NullModel):
        return null
    if isinstance(null, str | PathLike):
        file = str(null)
        other = (
            f"a file of sequences is one as cg.Genomic(of={quoted(file)}), its shuffles "
            f"as cg.DinucleotideShuffle(of={quoted(file)})"
        )
    given = (
        f"null={quoted(null)} is"
        if isinstance(null, str | int | float | Choice | None)
        else f"null= is {type_in_words(null)},"
    )
    raise error(
        f"{place}{': ' * bool(place)}{given} not {what}, such as cg.Uniform(length=200); {other}",
    )


@lru_cache(maxsize=2)
def parent_labels(null: FromParents) -> NDArray[Any]:
    """Return the parent of each given sequence, (n,)."""
    return _read_only(np.asarray(null.parent_names))


@lru_cache(maxsize=2)
def random_order(n: int, key: int) -> NDArray[np.int64]:
    """Return a random order of n sequences; a trial uses the first part."""
    from causalgia.sequences.random import random_words

    return _read_only(
        np.argsort(
            random_words(key, np.arange(n, dtype=np.uint64), 1)[:, 0], kind="stable"
        )
    )


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    values.setflags(write=False)
    return values

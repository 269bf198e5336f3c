"""Oracles: predictors defined by a grammar, with known effects and known bases that
they read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import as_int, as_number
from causalgia.design import Design
from causalgia.errors import (
    MissingExtraError,
    PredictorError,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.predict.predictor import (
    Predictor,
    Progress,
    as_distinct_names,
    as_scale_in_words,
    as_token_rows,
    check_finite,
)
from causalgia.streams import RNG
from causalgia.types import Array, Ints, Tokens
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import (
    ANY,
    NoClosedForm,
    Reading,
    Site,
    expected_exp,
    total,
)
from causalgia.zoo.terms import EndGC, Gate, Linear, Saturating, Term

_BASES_A_BATCH = 2**20


@dataclass(frozen=True, init=False, repr=False)
class Oracle(Predictor):
    """A predictor with known average causal effects:
    ``link(intercept + sum_k weight_k * term_k(sequence))``.

    It is computed in float64, each sequence independently of its batch; `module` is the
    same function as a PyTorch network. Oracles are compared by value.

    Parameters
    ----------
    *terms
        `MotifCount`, `EndGC`, `Pair`, `Gate`, `Hairpin`, `Saturating`.
    tasks
        Names of the outputs.
    scale
        Scale of the outputs, such as ``"log2 activity"``.
    weights
        For each task, the weight of each term; 1 everywhere by default.
    intercepts
        For each task, the value without any term; 0 by default.
    link
        ``"identity"``, or ``"exp"`` for outcomes on a positive scale.
    length
        The only admitted length of sequences; None: any.

    Raises
    ------
    PredictorError
        If there is no term, a name is repeated, or the number of weights or intercepts
        is wrong.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo import MotifCount
    >>> gata = Oracle(
    ...     MotifCount("GATA", 2.0),
    ...     tasks=["K562", "HepG2"],
    ...     scale="log2",
    ...     weights=[[1], [0.5]],
    ... )
    >>> gata.predict(encode(["GATAGATA", "ACACACAC"]))
    array([[4., 2.],
           [0., 0.]])
    """

    terms: tuple[Term, ...]
    scale: str
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    link: Literal["identity", "exp"]
    length: int | None
    tasks: tuple[str, ...] = ("outcome",)
    precision = np.dtype(np.float64)

    def __init__(
        self,
        *terms: Term,
        tasks: Sequence[str] = ("outcome",),
        scale: str = "outcome",
        weights: Sequence[Sequence[float]] | None = None,
        intercepts: Sequence[float] | None = None,
        link: Literal["identity", "exp"] = "identity",
        length: int | None = None,
    ) -> None:
        names = as_distinct_names(tasks, "task")
        rows = [[1.0] * len(terms)] * len(names) if weights is None else weights
        if len(rows) != len(names):
            raise PredictorError(
                f"weights has {len(rows)} rows for {len(names)} tasks",
                argument="weights",
            )
        given: tuple[object, ...] = terms
        odd = [term for term in given if not isinstance(term, Term)]
        if odd or not terms:
            raise PredictorError(
                "an oracle is made of terms such as zoo.MotifCount('GATA'), not "
                f"{quoted(odd[0] if odd else 'none')}"
            )
        values = {
            "terms": terms,
            "tasks": names,
            "scale": as_scale_in_words(
                scale,
                "scale",
                "what the outputs are measured on, such as 'log2 activity'",
            ),
            "weights": tuple(
                _as_coefficients(row, len(terms), f"task '{t}': weights")
                for t, row in zip(names, rows, strict=True)
            ),
            "intercepts": _as_coefficients(
                [0.0] * len(names) if intercepts is None else intercepts,
                len(names),
                "intercepts",
            ),
            "link": link,
            "length": None if length is None else as_int(length, "length"),
        }
        if link not in ("identity", "exp"):
            raise PredictorError(f"link={quoted(link)} must be 'identity' or 'exp'")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        named = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name != "terms"
        ]
        return f"Oracle({', '.join([*map(repr, self.terms), *named])})"

    @property
    def fingerprint(self) -> str:
        """Digest of all parameters of the oracle."""
        return hashlib.blake2b(
            f"zoo oracle 1 {self!r}".encode(), digest_size=16
        ).hexdigest()

    def resolve_batch_size(self, length: int) -> int:
        """Return the number of sequences in a batch: about a million bases."""
        return max(1, _BASES_A_BATCH // length)

    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        """Return the outputs for tokens (n, length): (n, tasks) float64, on `scale`.

        Raises
        ------
        PredictorError
            If tokens are not (n, length) of 0 1 2 3, or a term does not take their
            length.
        """
        rows = as_token_rows(tokens)
        self.check(rows.shape[1])
        size, parts = self.resolve_batch_size(rows.shape[1]), []
        for start in range(0, len(rows), size):
            parts.append(self._answer(rows[start : start + size]))
            check_finite(parts[-1], tasks=self.tasks, start=start)
            if progress is not None:
                progress(len(parts[-1]))
        return np.concatenate(parts)

    def check(self, length: int) -> None:
        """Raise PredictorError if the oracle does not take sequences of this length."""
        if self.length not in (None, length):
            raise PredictorError(
                f"this oracle answers sequences of {self.length} bases; these have "
                f"{length}"
            )
        for term in self.terms:
            term.check(length)

    def _answer(self, tokens: Tokens) -> Array:
        reading = Reading(tokens)
        answer = np.tile(self.intercepts, (len(tokens), 1))
        for term, weights in zip(self.terms, np.transpose(self.weights), strict=True):
            answer += term.score(reading)[:, None] * weights
        if self.link == "identity":
            return answer
        with np.errstate(over="ignore"):
            exponential: Array = np.exp(answer)
        return exponential

    def expected(self, columns: Array, task: str) -> Array:
        """Return a task's exact expectation under each of m distributions with
        independent positions, (m,).

        Raises
        ------
        NoClosedForm
            If a term of the task has no closed form.
        """
        which = self.tasks.index(task)
        used = [
            (w, term)
            for w, term in zip(self.weights[which], self.terms, strict=True)
            if w != 0
        ]
        if self.link == "exp":
            sites = []
            for weight, term in used:
                if not isinstance(term, Linear):
                    raise NoClosedForm(
                        f"the exponential of {type(term).__name__} has no closed form"
                    )
                site, vector = term.weighted_site(columns.shape[1])
                sites.append((site, weight * vector))
            expected = expected_exp(columns, sites) if sites else np.ones(len(columns))
            return total([float(np.exp(self.intercepts[which])) * expected])
        constant = np.full(len(columns), self.intercepts[which])
        return total([constant, *(w * term.expected(columns) for w, term in used)])

    def true_ace(
        self,
        design: Design,
        control: str | None = None,
        *,
        contrasts: Mapping[str, Mapping[str, float]] | None = None,
        n_units: int = 200_000,
        rng: RNG = 0,
    ) -> xr.DataArray:
        """Return the true average causal effect of each contrast; see `true_ace`."""
        from causalgia.zoo._true_ace import true_ace

        return true_ace(
            design, self, control, contrasts=contrasts, n_units=n_units, rng=rng
        )

    def module(self) -> Any:
        """Return the same function as a ``torch.nn.Module`` on one-hot (n, 4, length), in
        the dtype of its input.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        """
        try:
            from causalgia.zoo.torch_networks import Twin
        except ImportError as error:
            raise MissingExtraError(
                f"an oracle as a network needs torch: {install_command('torch')}"
            ) from error
        return Twin(self)


def _as_coefficients(values: Sequence[float], n: int, name: str) -> tuple[float, ...]:
    if len(values) != n:
        raise PredictorError(f"{name}: {len(values)} numbers, {n} are needed")
    return tuple(as_number(value, name) for value in values)


Bases: TypeAlias = NDArray[np.bool_]


def read_by(oracle: Oracle, tokens: Tokens) -> xr.DataArray:
    """Return which bases the terms of an oracle read in these sequences: the truth that
    a map can be compared with.

    A base is read for a task if it belongs to an occurrence that has an effect in that
    task: a window of a motif whose weight there is not 0; both windows of a pair at a
    distance with an effect; the motif and the stem of a hairpin; the motifs of an open
    gate. Sites that can replace each other (OR), or that saturate, are read. `EndGC`
    reads all its positions. Sites that a substitution would create are not counted.

    Parameters
    ----------
    oracle
        From `oracle`, or one of your own.
    tokens
        Sequences (n, length), 0 1 2 3 = A C G T.

    Returns
    -------
    DataArray
        bool (unit, position, task).

    Raises
    ------
    PredictorError
        If it is no `Oracle`, a term is not of the zoo, or the tokens are none that the
        oracle takes.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo import Oracle
    >>> from causalgia.zoo.terms import Gate
    >>> either = Oracle(Gate(("GATA", "CACG"), bonus=2.0, logic="or"))
    >>> "".join(
    ...     ".#"[base]
    ...     for base in read_by(either, encode(["AGATAATTCACGA"]))
    ...     .values[0, :, 0]
    ...     .astype(int)
    ... )
    '.####...####.'
    """
    import xarray as xr

    if not isinstance(oracle, Oracle):
        raise PredictorError(
            "read_by takes a zoo.Oracle, whose terms are known, not "
            f"{type_in_words(oracle)}"
        )
    rows = as_token_rows(tokens)
    oracle.check(rows.shape[1])
    reading, n_tasks = Reading(rows), len(oracle.tasks)
    read = np.zeros((*rows.shape, n_tasks), dtype=bool)
    for term, weights in zip(oracle.terms, np.transpose(oracle.weights), strict=True):
        if weights.any():
            read |= _of_term(term, reading)[:, :, None] & (weights != 0)
    return xr.DataArray(
        read,
        {
            "unit": np.arange(reading.n),
            "position": np.arange(reading.length),
            "task": list(oracle.tasks),
        },
        ("unit", "position", "task"),
        name="read",
    )


def _of_term(term: Term, reading: Reading) -> Bases:
    """Return the bases that a term reads, (n, length)."""
    match term:
        case EndGC():
            read = np.zeros((reading.n, reading.length), dtype=bool)
            read[:, -term.last :] = term.weight != 0
            return read
        case Linear():
            rows, starts = reading.places(term.site())
            acts = term.vector(reading.length)[starts] != 0
            return _of_windows(reading, term.site(), rows[acts], starts[acts])
        case Saturating():
            return _of_response(term, reading)
        case Gate():
            return _of_gate(term, reading)
        case Pair():
            return _of_pair(term, reading)
        case Hairpin():
            return _of_hairpin(term, reading)
    raise PredictorError(
        f"{type(term).__name__} is no term of causalgia.zoo, so that what it reads is "
        "not known"
    )


def _of_windows(reading: Reading, site: Site, rows: Ints, starts: Ints) -> Bases:
    """Return the bases of windows that match a site: those of each pattern that matches
    there, without N.
    """
    read = np.zeros((reading.n, reading.length), dtype=bool)
    for pattern in site.patterns:
        letters = [(k, bases) for k, bases in enumerate(pattern) if bases != ANY]
        matches = np.ones(len(rows), dtype=bool)
        for k, bases in letters:
            matches &= (
                bases >> reading.tokens[rows, starts + k].astype(np.int64) & 1
            ).astype(bool)
        for k, _ in letters:
            read[rows[matches], starts[matches] + k] = True
    return read


def _of_response(term: Saturating, reading: Reading) -> Bases:
    """Return the bases that the terms of a response read, where some of the sum's parts
    move the response.
    """
    parts = np.zeros((2, reading.n))
    read = np.zeros((reading.n, reading.length), dtype=bool)
    for part in term.terms:
        rows, starts = reading.places(part.site())
        weights = part.vector(reading.length)[starts]
        parts[0] += np.bincount(rows, np.maximum(weights, 0), reading.n)
        parts[1] += np.bincount(rows, np.minimum(weights, 0), reading.n)
        read |= _of_term(part, reading)
    responses = term.response.of(np.vstack([parts, np.zeros(reading.n)]))
    read[np.ptp(responses, axis=0) == 0] = False
    return read


def _of_gate(term: Gate, reading: Reading) -> Bases:
    present = np.array([reading.present(site) for site in term.sites()])
    opened = present.all(axis=0) if term.logic == "and" else present.any(axis=0)
    read = np.zeros((reading.n, reading.length), dtype=bool)
    for site in term.sites():
        read |= _of_windows(reading, site, *reading.places(site))
    read[~opened if term.bonus else slice(None)] = False
    return read


def _of_pair(term: Pair, reading: Reading) -> Bases:
    h = term.by_distance(reading.length)
    read = np.zeros((reading.n, reading.length), dtype=bool)
    for upstream, downstream in term.orders():
        (rows, at), (rows_, at_) = reading.places(upstream), reading.places(downstream)
        begin, end = (
            np.searchsorted(rows_, rows, "left"),
            np.searchsorted(rows_, rows, "right"),
        )
        which = np.repeat(np.arange(len(rows)), end - begin)
        partner = (
            np.arange(len(which))
            - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
            + begin[which]
        )
        distance = at_[partner] - at[which]
        acts = (distance > 0) & (h[np.maximum(distance, 0)] != 0)
        read |= _of_windows(reading, upstream, rows[which[acts]], at[which[acts]])
        read |= _of_windows(
            reading, downstream, rows_[partner[acts]], at_[partner[acts]]
        )
    return read


def _of_hairpin(term: Hairpin, reading: Reading) -> Bases:
    read = np.zeros((reading.n, reading.length), dtype=bool)
    if term.bonus == 0:
        return read
    site = Site.of(term.motif)
    rows, at = reading.places(site)
    for loop in term.loops:
        for place in term.places(loop):
            there = term.closed(reading, rows, at - place, loop)
            read |= _of_windows(reading, site, rows[there], at[there])
            for pair in term.stem_pairs(loop):
                for k in pair:
                    read[rows[there], at[there] - place + k] = True
    return read

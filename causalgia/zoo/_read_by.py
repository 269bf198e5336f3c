"""`read_by`: which bases of a sequence the terms of an oracle read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import PredictorError, quoted
from causalgia.predict.predictor import as_token_rows
from causalgia.types import Ints, Tokens
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import ANY, Reading, Site
from causalgia.zoo.grammar import Oracle
from causalgia.zoo.terms import EndGC, Gate, Linear, Saturating, Term

if TYPE_CHECKING:
    import xarray as xr

Bases: TypeAlias = NDArray[np.bool_]


def read_by(oracle: Oracle, tokens: Tokens) -> xr.DataArray:
    """Return which bases the terms of an oracle read in these sequences: the truth that a map can be compared with.

    A base is read for a task if it belongs to an occurrence that has an effect in that task: a window of a word whose
    weight there is not 0; both windows of a pair at a distance with an effect; the word and the stem of a hairpin; the
    words of an open gate. Sites that stand in for each other (OR), or that saturate, are read. `EndGC` reads all its
    positions. What a substitution would create is not read.

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
        If it is no `Oracle`, a term is not of the zoo, or the tokens are none that the oracle takes.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo import Gate, Oracle
    >>> either = Oracle(Gate(("GATA", "CACG"), bonus=2.0, logic="or"))
    >>> "".join(".#"[base] for base in read_by(either, encode(["AGATAATTCACGA"])).values[0, :, 0].astype(int))
    '.####...####.'
    """
    import xarray as xr

    if not isinstance(oracle, Oracle):
        raise PredictorError(
            f"read_by takes a zoo.Oracle, whose terms are known, not {quoted(type(oracle).__name__)}; of a network "
            "give the oracle that it was trained on"
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
        {"unit": np.arange(reading.n), "position": np.arange(reading.length), "task": list(oracle.tasks)},
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
    raise PredictorError(f"{type(term).__name__} is no term of causalgia.zoo, so that what it reads is not known")


def _of_windows(reading: Reading, site: Site, rows: Ints, starts: Ints) -> Bases:
    """Return the bases of windows that match a site: those of each pattern that matches there, without N."""
    read = np.zeros((reading.n, reading.length), dtype=bool)
    for pattern in site.patterns:
        letters = [(k, bases) for k, bases in enumerate(pattern) if bases != ANY]
        matches = np.ones(len(rows), dtype=bool)
        for k, bases in letters:
            matches &= (bases >> reading.tokens[rows, starts + k].astype(np.int64) & 1).astype(bool)
        for k, _ in letters:
            read[rows[matches], starts[matches] + k] = True
    return read


def _of_response(term: Saturating, reading: Reading) -> Bases:
    """Return the bases that the terms of a response read, where some of the sum's parts move the response."""
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
        begin, end = np.searchsorted(rows_, rows, "left"), np.searchsorted(rows_, rows, "right")
        which = np.repeat(np.arange(len(rows)), end - begin)
        partner = np.arange(len(which)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[which]
        distance = at_[partner] - at[which]
        acts = (distance > 0) & (h[np.maximum(distance, 0)] != 0)
        read |= _of_windows(reading, upstream, rows[which[acts]], at[which[acts]])
        read |= _of_windows(reading, downstream, rows_[partner[acts]], at_[partner[acts]])
    return read


def _of_hairpin(term: Hairpin, reading: Reading) -> Bases:
    read = np.zeros((reading.n, reading.length), dtype=bool)
    if term.bonus == 0:
        return read
    site = Site.of(term.word)
    rows, at = reading.places(site)
    for loop in term.loops:
        for place in term.places(loop):
            there = term.closed(reading, rows, at - place, loop)
            read |= _of_windows(reading, site, rows[there], at[there])
            for pair in term.stem_pairs(loop):
                for k in pair:
                    read[rows[there], at[there] - place + k] = True
    return read

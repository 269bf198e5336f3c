"""Exact expectations of a nonlinear response to a sum of site weights, where positions are independent.

A finite automaton tracks all sites at once (the determinized shift-and automaton, which for plain words is that of
Aho and Corasick). Its state is a Markov chain along the sequence, so the distribution of the weighted sum follows
from a recursion over positions.

References
----------
Aho & Corasick (1975), doi:10.1145/360825.360855; Baeza-Yates & Gonnet (1992), doi:10.1145/135239.135243;
Nuel (2008), Pattern Markov chains, doi:10.1239/jap/1208358964.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from causalgia.types import Array
from causalgia.zoo.windows import Site

WeightedSite: TypeAlias = tuple[Site, Array]
"""A site and its weight in each window, (windows,)."""

_MOST_STATES, _MOST_CELLS, _NEGLIGIBLE = 5_000, 200_000, 1e-18


class NoClosedForm(Exception):  # noqa: N818 - not an error: the zoo then uses large n
    """Raised where there is no exact expectation; the message gives the reason."""


@dataclass(frozen=True)
class Automaton:
    """Automaton whose states record the sites that have begun.

    Attributes
    ----------
    step
        Sparse (states, 4 states) transition matrix: the next state for each base (A first) and state.
    ends
        Whether a site ends in a state, (sites, states).
    """

    step: Any
    ends: NDArray[np.bool_]


def automaton(sites: Sequence[Site]) -> Automaton:
    """Return the automaton of several sites.

    Raises
    ------
    NoClosedForm
        If it would have more than 5,000 states.

    Examples
    --------
    >>> automaton([Site.of("ACA")]).ends.sum(axis=1)
    array([1])
    """
    patterns = [pattern for site in sites for pattern in site.patterns]
    starts = np.cumsum([0, *map(len, patterns)]).tolist()
    begin = sum(1 << start for start in starts[:-1])
    admits = [sum(1 << i for i, bases in enumerate(sum(patterns, ())) if bases >> b & 1) for b in range(4)]
    states, following = {0: 0}, []
    for state in _visit_states(states):
        after = [((state << 1) | begin) & admit for admit in admits]
        following.append([states.setdefault(s, len(states)) for s in after])
    last = iter(stop - 1 for stop in starts[1:])
    finals = [sum(1 << next(last) for _ in site.patterns) for site in sites]
    ends = np.array([[bool(state & final) for state in states] for final in finals])
    target = np.array(following).T.ravel()
    n = len(target)
    return Automaton(sp.csr_array((np.ones(n), (target, np.arange(n))), shape=(len(states), n)), ends)


def _visit_states(states: dict[int, int]) -> Iterator[int]:
    """Yield every state, including those added during the iteration."""
    visited = 0
    while visited < len(states):
        if len(states) > _MOST_STATES:
            raise NoClosedForm(f"the words need an automaton of more than {_MOST_STATES:,} states")
        fresh = list(states)[visited:]
        visited = len(states)
        yield from fresh


def _move_mass(machine: Automaton, columns: Array, t: int, mass: Array) -> Array:
    """Move probability mass (states, values, m) by the base at position t."""
    read = columns[:, t].T[:, None, None] * mass
    moved: Array = (machine.step @ read.reshape(4 * len(mass), -1)).reshape(mass.shape)
    return moved


def _emitted_weights(machine: Automaton, sites: Sequence[WeightedSite], t: int) -> Array:
    """Return the weight that each state adds to the sum at position t: those of the windows that end there."""
    added = np.zeros(machine.ends.shape[1])
    for (site, weights), ends in zip(sites, machine.ends, strict=True):
        start = t - site.width + 1
        if start >= 0:
            added[ends] += weights[start]
    return added


def expected_exp(columns: Array, sites: Sequence[WeightedSite]) -> Array:
    """Return E[exp(sum of the weights of all windows that match their site)], (m,), exactly.

    Examples
    --------
    >>> one = expected_exp(np.full((1, 1, 4), 0.25), [(Site.of("A"), np.array([1.0]))])
    >>> bool(np.isclose(one[0], 0.75 + 0.25 * np.e))
    True
    """
    machine = automaton([site for site, _ in sites])
    mass = _initial_mass(machine, columns)
    for t in range(columns.shape[1]):
        mass = _move_mass(machine, columns, t, mass) * np.exp(_emitted_weights(machine, sites, t))[:, None, None]
    expected: Array = mass.sum(axis=(0, 1))
    return expected


def _initial_mass(machine: Automaton, columns: Array) -> Array:
    mass = np.zeros((machine.ends.shape[1], 1, len(columns)))
    mass[0] = 1
    return mass


def distribution(columns: Array, sites: Sequence[WeightedSite]) -> tuple[Array, Array]:
    """Return the exact distribution of the sum of the weights of all windows that match their site.

    Sums within 1e-10 are one value; values with a probability below 1e-18 at some position are dropped.

    Returns
    -------
    values
        (values,), increasing.
    probabilities
        (m, values); rows sum to 1.

    Raises
    ------
    NoClosedForm
        If there are too many values.

    Examples
    --------
    >>> values, probabilities = distribution(np.full((1, 2, 4), 0.25), [(Site.of("A"), np.ones(2))])
    >>> values.tolist(), probabilities.tolist()
    ([0.0, 1.0, 2.0], [[0.5625, 0.375, 0.0625]])
    """
    machine = automaton([site for site, _ in sites])
    values, mass = np.zeros(1), _initial_mass(machine, columns)
    for t in range(columns.shape[1]):
        values, mass = _add_emissions(
            values, _move_mass(machine, columns, t, mass), _emitted_weights(machine, sites, t)
        )
    return values, mass.sum(axis=0).T


def _add_emissions(values: Array, mass: Array, added: Array) -> tuple[Array, Array]:
    """Shift the sums in the states that emit, and merge equal sums: mass (states, values, m)."""
    steps, group = np.unique(added, return_inverse=True)
    shifted = values[None, :] + steps[:, None]
    _, first, where = np.unique(np.round(shifted, 10), return_index=True, return_inverse=True)
    if len(mass) * len(first) > _MOST_CELLS:
        raise NoClosedForm("the words' weights can sum to too many different values")
    grown = np.zeros((len(mass), len(first), mass.shape[2]))
    for i, at in enumerate(where.reshape(shifted.shape)):
        states = np.flatnonzero(group == i)
        grown[np.ix_(states, at)] = mass[states]
    kept = grown.sum(axis=0).max(axis=1) > _NEGLIGIBLE
    return shifted.reshape(-1)[first][kept], grown[:, kept]

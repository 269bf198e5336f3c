"""Negative binomial regression of RNA reads on arms and replicates, DNA reads as the offset, many elements at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from causalgia.mpra.counts.summing import group_sums
from causalgia.types import Array, Ints, Mask

_ROUNDS, _ENOUGH, _OF_THETA = 200, 1e-10, 1e-4
_FARTHEST, _LONGEST, _LEAST_THETA, _MOST_THETA = 60.0, 3.0, 1e-4, 1e8
_POISSON = 1e-4  # variance beyond Poisson's, relative to it, below which Newton steps of theta are rounding


@dataclass(frozen=True)
class Regression:
    """Fits of E elements under A arms in R replicates; all logs natural.

    Attributes
    ----------
    arm
        Log activity of each arm, shape ``(E, A)``; contrasts of it are what the model estimates.
    covariance
        Of arms and replicates by the expected information, shape ``(E, A + R, A + R)``; of contrasts alone it says
        something.
    theta
        Size of the negative binomial: variance ``mu + mu^2 / theta``, shape ``(E,)``, or ``(E, A)`` of each arm.
    score, weight
        Derivative of the log likelihood in the linear predictor and its information, in every cell, ``(B, R)``.
    converged
        Which elements have a maximum, shape ``(E,)``.
    """

    arm: Array
    covariance: Array
    theta: Array
    score: Array
    weight: Array
    converged: Mask

    def influence(self, weights: Array, group: Ints) -> Array:
        """Return what each cell moves contrasts ``(K, A)`` by, to first order, shape ``(B, R, K)``."""
        E, A = self.arm.shape
        rows = np.einsum("ka,eap->ekp", weights, self.covariance[:, :A])
        of_arm, of_replicate = (
            np.moveaxis(rows[:, :, :A], 1, 2).reshape(E * A, 1, -1),
            np.moveaxis(rows[:, :, A:], 1, 2),
        )
        return np.asarray(self.score[:, :, None] * (of_arm[group] + of_replicate[group // A]))


def regress(
    rna: Array, dna: Array, used: Mask, group: Ints, shape: tuple[int, int], *, theta_by_arm: bool = False
) -> Regression:
    """Fit ``log E[rna] = log dna + arm + replicate`` with one theta an element or an arm, all by maximum likelihood.

    Rounds of a Fisher step for arms and replicates and a Newton step for log theta, in all elements that have not
    converged. Replicates without a read of RNA say nothing of arms and are left out. An element of which an arm has
    none has no maximum, nor has one whose arms share no replicate, not even by way of others.

    Parameters
    ----------
    rna, dna, used
        Reads, and which cells count (DNA above 0), shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, not falling, shape ``(B,)``.
    shape
        (E, A).
    theta_by_arm
        Whether each arm of an element has its own theta; else they share one, as in `MASS::glm.nb`.

    References
    ----------
    Lawless (1987), doi:10.2307/3314912.
    """
    A, R = shape[1], rna.shape[1]
    n_theta = A if theta_by_arm else 1
    reads = group_sums(rna * used, group, shape)
    cells = np.where(used & (reads.sum(axis=1) > 0)[group // A], 1.0, 0.0)
    seen: Mask = np.greater(group_sums(cells, group, shape), 0)
    able = (reads.sum(axis=2) > 0).all(axis=1) & _connected(seen)
    state = _State(
        np.log(np.maximum(reads.sum(axis=2), 0.5)), np.zeros((shape[0], R)), np.full((shape[0], n_theta), 10.0)
    )
    state.arm -= np.log(np.maximum(group_sums(dna * cells, group, shape).sum(axis=2), 1.0))
    going = np.flatnonzero(able)
    for _ in range(_ROUNDS):
        if not len(going):
            break
        rows = np.flatnonzero(np.isin(group // A, going)) if len(going) < shape[0] else np.arange(len(group))
        local = np.searchsorted(going, group[rows] // A) * A + group[rows] % A
        part = _Cells(rna[rows], dna[rows], cells[rows], local, (len(going), A))
        moved = state.step(part, going)
        going = going[moved > _ENOUGH]
    converged = able.copy()
    converged[going] = False
    whole = _Cells(rna, dna, cells, group, shape)
    score, weight, information = whole.at(state.arm, state.replicate, state.theta)
    information[~able] = np.eye(A + R)
    inverse: Array = np.linalg.inv(information).astype(np.float64)
    theta = state.theta if theta_by_arm else state.theta[:, 0]
    return Regression(state.arm, inverse, theta, score, weight, converged)


@dataclass(frozen=True)
class _Cells:
    """Cells of some elements: reads and 1 or 0 for which count, ``(B, R)``, and their groups."""

    rna: Array
    dna: Array
    used: Array
    group: Ints
    shape: tuple[int, int]

    def mean(self, arm: Array, replicate: Array) -> Array:
        """Return expected RNA, shape ``(B, R)``."""
        log = arm.reshape(-1)[self.group][:, None] + replicate[self.group // self.shape[1]]
        return np.asarray(self.dna * np.exp(np.clip(log, -_FARTHEST, _FARTHEST)))

    def of_theta(self, theta: Array) -> Ints:
        """Return the place of each row's theta in ``theta.ravel()``, of shape ``(E, A)`` or ``(E, 1)``."""
        return self.group if theta.shape[1] > 1 else self.group // self.shape[1]

    def at(self, arm: Array, replicate: Array, theta: Array) -> tuple[Array, Array, Array]:
        """Return score and information in every cell, and the information of arms and replicates, made regular."""
        mu = self.mean(arm, replicate)
        shrunk = self.used / (1 + mu / theta.reshape(-1)[self.of_theta(theta)][:, None])
        weight = mu * shrunk
        return (self.rna - mu) * shrunk, weight, _information(group_sums(weight, self.group, self.shape))

    def towards_theta(self, mu: Array, theta: Array) -> tuple[Array, Array]:
        """Return first and second derivative of the log likelihood in theta, of its shape each."""
        of_theta = self.of_theta(theta)
        t = theta.reshape(-1)[of_theta][:, None]
        total, over = t + self.rna, t + mu
        first = special.digamma(total) - special.digamma(t) + np.log(t / over) + 1 - total / over
        second = special.zeta(2, total) - special.zeta(2, t) + 1 / t - 2 / over + total / over**2
        both = ((self.used * x).sum(axis=1) for x in (first, second))
        d1, d2 = (group_sums(x, of_theta, theta.shape) for x in both)
        return d1, d2


@dataclass
class _State:
    """Where the search is: arms ``(E, A)``, replicates ``(E, R)`` and theta ``(E, A)`` or ``(E, 1)``."""

    arm: Array
    replicate: Array
    theta: Array

    def step(self, cells: _Cells, elements: Ints) -> Array:
        """Move some elements, whose cells these are, by one round; return by how much the farthest number moved."""
        A = cells.shape[1]
        arm, replicate, theta = self.arm[elements], self.replicate[elements], self.theta[elements]
        score, _, information = cells.at(arm, replicate, theta)
        sums = group_sums(score, cells.group, cells.shape)
        right = np.concatenate([sums.sum(axis=2), sums.sum(axis=1)], axis=1)
        move = np.clip(np.linalg.solve(information, right[..., None])[..., 0], -_LONGEST, _LONGEST)
        arm, replicate = arm + move[:, :A], replicate + move[:, A:]
        mu = cells.mean(arm, replicate)
        first, second = cells.towards_theta(mu, theta)
        slope, bend = theta * first, theta**2 * second + theta * first
        newton = np.where(bend < 0, -slope / np.where(bend < 0, bend, 1.0), np.sign(slope))
        later = np.clip(theta * np.exp(np.clip(newton, -1.5, 1.5)), _LEAST_THETA, _MOST_THETA)
        largest = group_sums(mu * cells.used, cells.group, cells.shape).max(axis=2)
        largest = largest if theta.shape[1] > 1 else largest.max(axis=1, keepdims=True)
        later = np.where(largest < _POISSON * later, _MOST_THETA, later)
        self.arm[elements], self.replicate[elements], self.theta[elements] = arm, replicate, later
        matters = np.minimum(largest / theta, 1.0)
        of_theta = (np.abs(np.log(later / theta)) * matters * _OF_THETA).max(axis=1)
        return np.asarray(np.maximum(np.abs(move).max(axis=1), of_theta))


def _connected(seen: Mask) -> Mask:
    """Return in which elements, ``(E, A, R)``, arms can be compared: each shares replicates with others, in a chain."""
    edges = seen.astype(np.int64)
    arms = np.zeros(seen.shape[:2], dtype=np.int64)
    arms[:, 0] = 1
    for _ in range(seen.shape[1]):
        replicates = (edges * arms[:, :, None]).max(axis=1)
        arms = np.maximum(arms, (edges * replicates[:, None, :]).max(axis=2))
    return np.asarray(arms.min(axis=1) > 0)


def _information(weight: Array) -> Array:
    """Return the information of arms and replicates from that of their cells, ``(E, A, R)``, made regular.

    Adding to all arms what is taken from all replicates changes nothing; that direction, and replicates without
    information, are given some, which no contrast of arms sees.
    """
    _, A, R = weight.shape
    full = np.zeros((len(weight), A + R, A + R))
    diagonal = np.concatenate([weight.sum(axis=2), weight.sum(axis=1)], axis=1)
    full[:, :A, A:], full[:, A:, :A] = weight, np.swapaxes(weight, 1, 2)
    full[:, np.arange(A + R), np.arange(A + R)] = np.where(diagonal > 0, diagonal, 1.0)
    size = np.maximum(weight.sum(axis=(1, 2)), 1e-8) / (A + R)
    seen = np.where(diagonal > 0, np.repeat([1.0, -1.0], [A, R]), 0.0)
    return np.asarray(full + size[:, None, None] / (A + R) * seen[:, :, None] * seen[:, None, :])

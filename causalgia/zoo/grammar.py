"""Oracles: predictors defined by a grammar, whose effects are known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int, as_number
from causalgia.errors import MissingExtraError, PredictorError, quoted
from causalgia.predict.predictor import (
    Predictor,
    Progress,
    as_distinct_names,
    as_nonempty_text,
    as_token_rows,
    check_finite,
)
from causalgia.types import Array, Tokens
from causalgia.zoo.automaton import NoClosedForm, Reading, expected_exp, total
from causalgia.zoo.terms import Linear, Term

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.design import Design
    from causalgia.streams import RNG
    from causalgia.zoo.twin import Twin

_BASES_AT_ONCE = 2**20


@dataclass(frozen=True, init=False, repr=False)
class Oracle(Predictor):
    """A predictor with known average causal effects: ``link(intercept + sum_k weight_k * term_k(sequence))``.

    It is computed in float64, each sequence independently of its batch; `module` is the same function as a PyTorch
    network. Oracles are compared by value.

    Parameters
    ----------
    *terms
        `Word`, `EndGC`, `Pair`, `Gate`, `Hairpin`, `Saturating`.
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
        If there is no term, a name is repeated, or the number of weights or intercepts is wrong.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> from causalgia.zoo import Word
    >>> gata = Oracle(Word("GATA", 2.0), tasks=["K562", "HepG2"], scale="log2", weights=[[1], [0.5]])
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
            raise PredictorError(f"weights= has {len(rows)} rows for {len(names)} tasks; give one row for each task")
        values = {
            "terms": _as_terms(terms),
            "tasks": names,
            "scale": as_nonempty_text(scale, "scale", "what the outputs are measured on, such as 'log2 activity'"),
            "weights": tuple(
                _as_coefficients(row, len(terms), f"task '{t}': weights") for t, row in zip(names, rows, strict=True)
            ),
            "intercepts": _as_coefficients(
                [0.0] * len(names) if intercepts is None else intercepts, len(names), "intercepts"
            ),
            "link": link,
            "length": None if length is None else as_int(length, "length"),
        }
        if link not in ("identity", "exp"):
            raise PredictorError(f"link={quoted(link)} must be 'identity' or 'exp'")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        named = [f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.name != "terms"]
        return f"Oracle({', '.join([*map(repr, self.terms), *named])})"

    @property
    def fingerprint(self) -> str:
        """Digest of all parameters of the oracle."""
        return hashlib.blake2b(f"zoo oracle 1 {self!r}".encode(), digest_size=16).hexdigest()

    @property
    def precision(self) -> np.dtype[Any]:
        """float64."""
        return np.dtype(np.float64)

    def resolve_batch_size(self, length: int) -> int:
        """Return the number of sequences in a batch: about a million bases."""
        return max(1, _BASES_AT_ONCE // length)

    def predict(self, tokens: Tokens, *, progress: Progress | None = None) -> NDArray[Any]:
        """Return the outputs for tokens (n, length): (n, tasks) float64, on `scale`.

        Raises
        ------
        PredictorError
            If tokens are not (n, length) of 0 1 2 3, or a term does not take their length.
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
            raise PredictorError(f"this oracle answers sequences of {self.length} bases; these have {length}")
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
        """Return a task's exact expectation under each of m distributions with independent positions, (m,).

        Raises
        ------
        NoClosedForm
            If a term of the task has no closed form.
        """
        which = self.tasks.index(task)
        used = [(w, term) for w, term in zip(self.weights[which], self.terms, strict=True) if w != 0]
        if self.link == "exp":
            sites = []
            for weight, term in used:
                if not isinstance(term, Linear):
                    raise NoClosedForm(f"the exponential of {type(term).__name__} has no closed form")
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

        return true_ace(design, self, control, contrasts=contrasts, n_units=n_units, rng=rng)

    def module(self) -> Twin:
        """Return the same function as a PyTorch network on one-hot (n, 4, length), in the dtype of its input.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        """
        try:
            from causalgia.zoo.twin import Twin
        except ImportError as error:
            raise MissingExtraError("an oracle as a network needs torch: pip install 'causalgia[torch]'") from error
        return Twin(self)


def _as_terms(terms: tuple[object, ...]) -> tuple[Term, ...]:
    odd = [term for term in terms if not isinstance(term, Term)]
    if odd or not terms:
        raise PredictorError(
            f"an oracle is made of terms such as zoo.Word('GATA'), not {quoted(odd[0] if odd else 'none')}"
        )
    return terms  # type: ignore[return-value]  # checked above


def _as_coefficients(values: Sequence[float], n: int, name: str) -> tuple[float, ...]:
    if len(values) != n:
        raise PredictorError(f"{name}: {len(values)} numbers, {n} are needed")
    return tuple(as_number(value, name) for value in values)

"""What `causalgia.decide` is given, parsed once: the kind of evidence, and the question
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from causalgia.analysis_values import Shrinkage, as_field
from causalgia.checks import as_ci_prob
from causalgia.choices import Error
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.estimation._from_effects import estimates_of_given
from causalgia.estimation.given_table import Given, read_given
from causalgia.ropes import Rope
from causalgia.schema import check_no_average_map


def as_evidence(x: Any) -> Given:
    """Return what decisions are made on, of one of three kinds.

    Raises
    ------
    EstimateError
        If it is none of them.
    EstimateError
        If a table holds no estimates.

    Examples
    --------
    >>> as_evidence({"effect": [1.0], "se": [0.1]}).kind
    'estimates'
    >>> as_evidence({"posterior": xr.Dataset()}).kind
    'posterior'
    """
    given = read_given(x)
    check_no_average_map(given.data, "cg.decide")
    if given.kind == "effects":
        return given
    if given.kind == "posterior":
        alone = isinstance(given.data, xr.Dataset)
        return Given("posterior", {"posterior": given.data} if alone else given.data)
    if given.kind == "other" and not isinstance(given.data, xr.Dataset | pd.DataFrame):
        is_shown = given.data is None or isinstance(given.data, Mapping)
        raise EstimateError(
            "cg.decide takes estimates (of cg.estimate or cg.from_effects, "
            "a table with columns 'effect' and 'se', or a result of statsmodels), a "
            "posterior (of cg.infer) or effects (of cg.contrast), not "
            f"{quoted(given.data) if is_shown else type_in_words(given.data)}"
        )
    return Given("estimates", estimates_of_given(given))


@dataclass(frozen=True)
class Request:
    """What is to be decided, each part parsed; as the arguments of
    `causalgia.decide`.
    """

    rope: Rope
    error: Error
    ci_prob: float
    largest: float | tuple[tuple[str, float], ...] | None
    family: str | None
    shrink: Shrinkage | None

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of an `Analysis` among them."""
        names = ("family", "error", "largest", "ci_prob")
        return {"rope": self.rope.value} | {name: getattr(self, name) for name in names}


def as_request(
    given: Given,
    *,
    rope: Any,
    error: Any = None,
    ci_prob: Any = None,
    largest: Any = None,
    family: Any = None,
    shrink: Any = None,
) -> Request:
    """Return the arguments of `causalgia.decide`, parsed.

    Raises
    ------
    EstimateError
        If one is invalid, or does not go with the kind of evidence.

    Examples
    --------
    >>> one = as_evidence({"effect": [1.0], "se": [0.1]})
    >>> request = as_request(one, rope="-0.1,0.1")
    >>> request.rope.value, request.error, request.ci_prob
    ((-0.1, 0.1), 'fdr', 0.95)
    """
    rate = _as_error(error)
    _check_shrinkage(shrink)
    return Request(
        rope=Rope.parse(rope, given.null),
        error=rate,
        ci_prob=given.ci_prob
        if ci_prob is None
        else as_ci_prob(ci_prob, error=EstimateError),
        largest=as_field("largest", largest, error=EstimateError),
        family=family,
        shrink=shrink,
    )


def _as_error(error: Any) -> Any:
    """Return the error rate, by default the false discovery rate."""
    return "fdr" if error is None else as_field("error", error, error=EstimateError)


def _check_shrinkage(shrink: Any) -> None:
    """Raise EstimateError if `shrink` is no `Shrinkage`."""
    if not isinstance(shrink, Shrinkage | None):
        raise EstimateError(
            f"shrink={quoted(shrink)} is not a cg.Shrinkage; for example "
            "shrink=cg.Shrinkage(all_rows=True), or None for no hierarchical effect "
            "sizes",
            argument="shrink",
        )

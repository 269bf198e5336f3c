"""Values of the fields of an analysis plan: the allowed ones, as TOML writes them, and
frozen; prior and shrinkage among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from causalgia.arguments import ANALYSIS
from causalgia.checks import (
    check_flag,
    check_value,
    is_real,
)
from causalgia.errors import (
    CausalgiaError,
    DesignError,
    EstimateError,
    quoted,
)
from causalgia.expressions import weights_in_text
from causalgia.ropes import Rope


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Prior of one normal law of effects, ``delta_k ~ N(mu, tau^2)``: what is known of
    them beforehand.

    Parameters
    ----------
    mu_sd
        Standard deviation of the normal prior of mu (center 0); ``inf`` is flat.
    tau_scale
        Scale of the half-normal prior of tau.
    standardized
        Whether both scales are in sd of the control arm's outcomes (``control_sd`` of
        the estimates). If False, or for a table of effects, they are in the unit of the
        effects.

    Raises
    ------
    EstimateError
        If a scale is not positive, or that of tau not finite.

    References
    ----------
    Gelman (2006), doi:10.1214/06-BA117A.

    Examples
    --------
    >>> Prior(tau_scale=1)
    Prior(mu_sd=10.0, tau_scale=1.0, standardized=True)
    >>> Prior(tau_scale=-1)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: Prior: tau_scale=-1 must be a positive, finite number
    """

    mu_sd: float = 10.0
    tau_scale: float = 5.0
    standardized: bool = True

    def __post_init__(self) -> None:
        for name, kind in (
            ("mu_sd", "a positive number; inf is flat"),
            ("tau_scale", "a positive, finite number"),
        ):
            value = getattr(self, name)
            if (
                not is_real(value)
                or (isinstance(value, int) and value >= 2**63)
                or not float(value) > 0
                or (name == "tau_scale" and math.isinf(value))
            ):
                raise EstimateError(
                    f"Prior: {name}={quoted(value)} must be {kind}",
                    argument=name,
                )
            object.__setattr__(self, name, float(value))
        check_flag(self.standardized, "Prior: standardized", error=EstimateError)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, ready for TOML."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Prior:
        """Return the prior from `to_dict` or a user's TOML table.

        Raises
        ------
        EstimateError
            If a key is unknown.
        """
        known = list(asdict(cls()))
        for key in plain:
            if key not in known:
                raise EstimateError(
                    f"Prior: there is no {quoted(key)}; it takes {', '.join(known)}"
                )
        return cls(**plain)


@dataclass(frozen=True, kw_only=True)
class Shrinkage:
    """How a trial shrinks: effects toward each other, and the variances of few units
    toward each other.

    Hierarchical effect sizes stand beside the estimates of 10 or more exchangeable
    contrasts of a task, and decide nothing.

    Parameters
    ----------
    prior
        Prior of one normal scale of effects, as in `causalgia.infer`; None: two scales,
        learned from the effects.
    all_rows
        Whether tables of more than 5,000 rows are shrunken as well: a task takes some
        hundredths of a second.
    variances
        Whether the variances of rows are shrunken toward each other, as limma's are: for
        rows of few units or few predictors, 10 at the least
        (`causalgia.estimation.moderated_variances`).

    Raises
    ------
    EstimateError
        If the prior, `all_rows` or `variances` is of another kind.

    Examples
    --------
    >>> Shrinkage(all_rows=True)
    Shrinkage(prior=None, all_rows=True, variances=False)
    """

    prior: Prior | Mapping[str, str | float] | None = None
    all_rows: bool = False
    variances: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.prior, Mapping):
            object.__setattr__(self, "prior", Prior.from_dict(self.prior))
        if not isinstance(self.prior, Prior | None):
            raise EstimateError(
                f"Shrinkage: prior={quoted(self.prior)} is not a cg.Prior",
                argument="prior",
            )
        check_flag(self.all_rows, "Shrinkage: all_rows", error=EstimateError)
        check_flag(self.variances, "Shrinkage: variances", error=EstimateError)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, ready for TOML."""
        plain: dict[str, Any] = {"all_rows": True} if self.all_rows else {}
        plain |= (
            {} if not isinstance(self.prior, Prior) else {"prior": self.prior.to_dict()}
        )
        return plain | ({"variances": True} if self.variances else {})

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Shrinkage:
        """Return the settings from `to_dict` or a user's TOML table.

        Raises
        ------
        EstimateError
            If a key is unknown.
        """
        known = [field.name for field in fields(cls)]
        for key in plain:
            if key not in known:
                raise EstimateError(
                    f"Shrinkage: there is no {quoted(key)}; it takes {', '.join(known)}"
                )
        return cls(**plain)


Contrasts: TypeAlias = (
    Mapping[str, Mapping[str, float]]
    | tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
)
Shrinking: TypeAlias = Mapping[str, str | bool | Prior | Mapping[str, str | float]]
"""A table of the settings of `Shrinkage`."""
InText: TypeAlias = Mapping[str, Mapping[str, float] | str] | Sequence[str] | str


WEIGHTS = {"contrasts": "arm", "tasks": "task"}
"""Field of weights -> what is weighted."""


def as_plain(name: str, value: Any) -> Any:
    """Return the value of a field in TOML types: lists, tables, Python numbers."""
    if value is None:
        return None
    if name == "rope":
        return _plain_region(value)
    if name == "largest" and isinstance(value, Mapping | tuple):
        return {str(task): _as_python_number(x) for task, x in dict(value).items()}
    if name == "shrink":
        return value.to_dict() if isinstance(value, Shrinkage) else value
    if name in WEIGHTS:
        return _plain_weights(name, value)
    if name in ("interaction", "covariates", "question") and isinstance(value, str):
        return [value]
    return _plain_list(value)


def _plain_region(value: Any) -> Any:
    """Return a region in TOML types; what is none in those of an error, which shows
    it.
    """
    try:
        return Rope.parse(value).to_plain()
    except EstimateError:
        if isinstance(value, Mapping):
            return {str(task): _plain_list(ends) for task, ends in value.items()}
        return _plain_list(value)


def _plain_list(value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:
        import numpy as np

        if not isinstance(value, np.generic):
            return value  # an array of one number is neither a number nor a list
    if isinstance(value, Iterable) and not isinstance(
        value, str | Mapping | set | frozenset
    ):
        return [_as_python_number(item) for item in value]
    return _as_python_number(value)


def _as_python_number(value: Any) -> Any:
    one = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return value.item() if one else value


def _plain_weights(name: str, value: Any) -> Any:
    value = weights_in_text(value, of=WEIGHTS[name])
    if not isinstance(value, Mapping):
        return value
    rows = {
        str(of): {str(weighted): _as_python_number(w) for weighted, w in row.items()}
        if isinstance(row, Mapping)
        else row
        for of, row in value.items()
    }
    if len(rows) < len(value):
        raise DesignError(
            "Analysis: two contrasts have one name once they are text: "
            f"{quoted(list(value))}",
        )
    return rows


def as_frozen(name: str, value: Any) -> Any:
    """Return a checked plain value as the frozen field stores it."""
    if value is None:
        return None
    if name in WEIGHTS:
        return tuple(
            (k, tuple((arm, float(w)) for arm, w in row.items()))
            for k, row in value.items()
        )
    if name == "largest" and isinstance(value, Mapping):
        return tuple((str(task), float(size)) for task, size in value.items())
    if name in ("largest", "ci_prob"):
        return float(value)
    if name == "rope":
        return Rope.parse(value).value
    if name == "shrink":
        try:
            return Shrinkage.from_dict(value)
        except (EstimateError, TypeError) as error:
            raise DesignError(f"Analysis: shrink: {error}") from error
    return tuple(value) if isinstance(value, list) else value


def as_field(
    name: str, value: Any, *, error: type[CausalgiaError] = DesignError
) -> Any:
    """Return the value of a field of the plan as a verb takes it, parsed as the plan
    parses it.

    Raises
    ------
    DesignError
        If it is invalid (or `error`, of another kind).

    Examples
    --------
    >>> as_field("largest", {"K562": 3}), as_field("error", "fwer")
    ((('K562', 3.0),), 'fwer')
    """
    plain = as_plain(name, value)
    if plain is not None:
        check_value(plain, ANALYSIS, name, error=error)
    return as_frozen(name, plain)


def as_comparable(name: str, value: Any) -> Any:
    """Return the value of a field in a form for comparison: order of rows ignored,
    default shrinkage as None.

    Examples
    --------
    >>> as_comparable("interaction", ["A", "B"]) == as_comparable(
    ...     "interaction", ("B", "A")
    ... )
    True
    """
    plain = as_plain(name, value)
    frozen = as_frozen(name, plain)
    if name in WEIGHTS:
        return {
            contrast: {weighted: w for weighted, w in row if w}
            for contrast, row in frozen or ()
        }
    if name in ("interaction", "covariates", "question"):
        return frozenset(frozen or ())
    if name == "rope" and plain is not None:
        return Rope.parse(plain).argument
    return None if name == "shrink" and frozen == Shrinkage() else frozen

"""Prior of the hierarchical model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from causalgia.checks import check_flag, is_real
from causalgia.errors import InferenceError, quoted

TAUS = ("half_t", "half_normal", "half_cauchy", "uniform")


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Prior of the hierarchical model ``delta_k = mu + tau z_k``: location and spread of the effects.

    Parameters
    ----------
    mu_sd
        Standard deviation of the normal prior of mu (center 0); ``inf`` is flat.
    tau
        Prior of tau > 0: ``"half_t"`` (3 degrees of freedom), ``"half_normal"``, ``"half_cauchy"``, or ``"uniform"`` on
        (0, tau_scale).
    tau_scale
        Its scale; for ``"uniform"`` the upper end, and ``inf`` is flat.
    standardized
        Whether both scales are in sd of the control arm's outcomes (``control_sd`` of the estimates). If False, or for
        a table of effects, they are in the unit of the effects.

    Raises
    ------
    InferenceError
        If a scale is not positive, or tau is not one of the four.

    References
    ----------
    Gelman (2006), doi:10.1214/06-BA117A.

    Examples
    --------
    >>> Prior(tau="half_normal", tau_scale=1)
    Prior(mu_sd=10.0, tau='half_normal', tau_scale=1.0, standardized=True)
    >>> Prior(tau_scale=-1)
    Traceback (most recent call last):
    ...
    causalgia.errors.InferenceError: Prior: tau_scale=-1 must be a positive number; inf is flat
    """

    mu_sd: float = 10.0
    tau: Literal["half_t", "half_normal", "half_cauchy", "uniform"] = "half_t"
    tau_scale: float = 5.0
    standardized: bool = True

    def __post_init__(self) -> None:
        for name in ("mu_sd", "tau_scale"):
            object.__setattr__(self, name, _as_scale(name, getattr(self, name)))
        if self.tau not in TAUS:
            raise InferenceError(f"Prior: tau={quoted(self.tau)} is not one of {', '.join(TAUS)}")
        if np.isinf(self.tau_scale) and self.tau != "uniform":
            raise InferenceError(f"Prior: tau={quoted(self.tau)} needs a finite tau_scale; tau='uniform' can be flat")
        check_flag(self.standardized, "Prior: standardized", error=InferenceError)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, ready for TOML."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Prior:
        """Return the prior from `to_dict` or a user's TOML table.

        Raises
        ------
        InferenceError
            If a key is unknown.
        """
        known = list(asdict(cls()))
        for key in plain:
            if key not in known:
                raise InferenceError(f"Prior: there is no {quoted(key)}; it takes {', '.join(known)}")
        return cls(**plain)


def _as_scale(name: str, value: object) -> float:
    number = is_real(value)
    number = number and not (isinstance(value, int) and value >= 2**63)
    if not number or not float(value) > 0:  # type: ignore[arg-type]  # a number, as just seen
        raise InferenceError(f"Prior: {name}={quoted(value)} must be a positive number; inf is flat")
    return float(value)  # type: ignore[arg-type]

"""Named contrasts of a design: the weighted sums of arms that it was made to estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from causalgia.checks import is_real, nearest
from causalgia.errors import DesignError, quoted

Row: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class Contrasts(Mapping[str, Mapping[str, float]]):
    """Contrast -> arm -> weight, with weights that sum to zero; a read-only mapping that is compared by value.

    Attributes
    ----------
    rows
        Each contrast's name with its arms and their weights.

    Examples
    --------
    >>> asked = contrasts_of("control", ("control", "GATA"))
    >>> dict(asked), asked.control
    ({'GATA': {'GATA': 1.0, 'control': -1.0}}, 'control')
    """

    rows: tuple[tuple[str, Row], ...]

    @cached_property
    def _by_name(self) -> dict[str, dict[str, float]]:
        return {name: dict(row) for name, row in self.rows}

    def __getitem__(self, name: str) -> Mapping[str, float]:
        return dict(self._by_name[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.rows)

    def __hash__(self) -> int:
        return hash(frozenset(self._by_name))

    def __repr__(self) -> str:
        return repr(self.plain)

    def control_of(self, arms: Sequence[str]) -> str | None:
        """Return the control if the contrasts are all other arms against it, in order; else None."""
        control = self.control
        return control if control is not None and list(self) == [arm for arm in arms if arm != control] else None

    @cached_property
    def control(self) -> str | None:
        """The arm that every contrast subtracts from the arm in its name; None for other contrasts."""
        controls = {next((arm for arm, weight in row if weight == -1), None) for _, row in self.rows}
        control = controls.pop() if len(controls) == 1 else None
        simple = control is not None and all(dict(row) == {name: 1.0, control: -1.0} for name, row in self.rows)
        return control if simple else None

    @property
    def plain(self) -> dict[str, dict[str, float]]:
        """The contrasts as TOML-ready data."""
        return {name: dict(row) for name, row in self.rows}


def contrasts_of(given: object, arms: Sequence[str]) -> Contrasts:
    """Return contrasts from a mapping contrast -> arm -> weight, or from the name of the control.

    Raises
    ------
    DesignError
        If an arm is unknown, a weight is not a finite number, weights do not sum to zero, or nothing is compared.
    """
    known = frozenset(arms)
    if isinstance(given, Contrasts):
        given = dict(given)
    if isinstance(given, str):
        _check_arm_known(given, known, "contrasts: the control")
        return Contrasts(tuple((arm, ((arm, 1.0), (given, -1.0))) for arm in arms if arm != given))
    if not isinstance(given, Mapping) or not given:
        raise DesignError(
            f"contrasts={quoted(given)} must be a mapping contrast -> arm -> weight, or the control arm's name"
        )
    return Contrasts(
        tuple((_as_contrast_name(name), _as_contrast_row(str(name), row, known)) for name, row in given.items())
    )


def _as_contrast_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DesignError(f"contrast name {quoted(name)}: a name is a printable, non-empty string")
    return name


def _as_contrast_row(name: str, weights: Any, known: frozenset[str]) -> Row:
    if not isinstance(weights, Mapping):
        raise DesignError(
            f"contrast {quoted(name)}: {quoted(weights)} is not weights by arm, such as {{'A': 1, 'B': -1}}"
        )
    for arm, weight in weights.items():
        _check_arm_known(arm, known, f"contrast '{name}':")
        if not is_real(weight) or weight <= -(2**1000) or not weight < 2**1000:
            raise DesignError(
                f"contrast {quoted(name)}: the weight of arm {quoted(arm)} is {quoted(weight)}, not a finite number"
            )
    row = {str(arm): float(weight) for arm, weight in weights.items() if weight}
    total, size = math.fsum(row.values()), sum(map(abs, row.values()))
    if not row or abs(total) > 1e-9 * size:
        raise DesignError(
            f"contrast {quoted(name)}: the weights {row} sum to {total:g}; a contrast compares, and sums to 0"
        )
    return tuple(row.items())


def _check_arm_known(arm: object, known: frozenset[str], what: str) -> None:
    if arm not in known:
        raise DesignError(f"{what} {quoted(arm)} is not an arm{nearest(str(arm), sorted(known))}")

"""Text of a refutation: a line for each check, with its reason, and the cure if it does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import xarray as xr

from causalgia.checks import four_digits
from causalgia.errors import printable
from causalgia.reporting.table_formats import _LEAST_P, format_p
from causalgia.schema import validate

_WORDS = {"pass": "passed", "warn": "warned", "fail": "failed"}


def check_value(value: Any, figure: str, number: Callable[[Any], str] = four_digits) -> str:
    """Return the value of a check as text: p-values below 1e-4 as in tables of effects, all else by `number`.

    Examples
    --------
    >>> check_value(3.2e-41, "p-value of a difference"), check_value(0.2, "rank p-value"), check_value(3e-9, "sd")
    ('<1e-4', '0.2', '3e-09')
    """
    return format_p(float(value)) if "p-value" in figure and value < _LEAST_P else number(value)


def refutation_report(found: xr.Dataset) -> str:
    """Report checks as text: their number by status, a line for each, and those that do not apply.

    Parameters
    ----------
    found
        From `causalgia.refute`, or from a check of `causalgia.refutation`.

    Examples
    --------
    >>> columns = {"value": 0.2, "threshold": 0.05, "status": "warn", "figure": "rank p-value", "n_predictions": 40}
    >>> columns |= {"reason": "3 of 19 placebo words have the effect or more", "cure": "claim less"}
    >>> one = xr.Dataset({name: ("check", [x]) for name, x in columns.items()}, {"check": ["placebo words"]})
    >>> print(refutation_report(one.assign_attrs(claims="GATA1 on K562", not_applicable="balance: a crossover")))
    Refutation of: GATA1 on K562
    1 check: 0 passed, 1 warned, 0 failed; 40 predictions
    <BLANKLINE>
    warn  placebo words  0.2 (0.05)  rank p-value
          3 of 19 placebo words have the effect or more
          Cure: claim less
    <BLANKLINE>
    Not applicable:
      balance: a crossover
    """
    validate(found, "refutations")
    status = [str(one) for one in found["status"].to_numpy()]
    counts = ", ".join(f"{status.count(name)} {word}" for name, word in _WORDS.items())
    n, attrs = len(status), found.attrs
    claims = attrs.get("claims", "none")
    budget = f" (the trial: {attrs['budget']:,})" if "budget" in attrs else ""
    n_predictions = int(found["n_predictions"].sum())
    lines = [
        "No claim: no contrast has a significant effect" if claims == "none" else f"Refutation of: {claims}",
        f"{n:,} check{'' if n == 1 else 's'}: {counts}; {n_predictions:,} predictions{budget}",
        "",
    ]
    names = [str(name) for name in found["check"].to_numpy()]
    columns = (found[name].to_numpy() for name in ("value", "threshold", "figure"))
    numbers = [
        f"{check_value(value, str(figure))} ({four_digits(threshold)})"
        for value, threshold, figure in zip(*columns, strict=True)
    ]
    wide, far = max(map(len, names), default=0), max(map(len, numbers), default=0)
    for i, name in enumerate(names):
        row = found.isel(check=i)
        lines.append(f"{status[i]}  {name:<{wide}}  {numbers[i]:<{far}}  {row['figure'].item()}")
        lines.append(f"      {row['reason'].item()}")
        lines += [f"      Cure: {row['cure'].item()}"] if row["cure"].item() else []
    skipped = str(attrs.get("not_applicable", "")).splitlines()
    lines += ["", "Not applicable:", *(f"  {line}" for line in skipped)] if skipped else []
    return printable("\n".join(lines))

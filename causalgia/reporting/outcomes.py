"""Text summaries of outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.errors import printable
from causalgia.schema import keeps_effects, validate

if TYPE_CHECKING:
    import xarray as xr


def describe_outcomes(outcomes: xr.Dataset, *, every_arm: bool = False) -> str:
    """Describe a Dataset of outcomes: population, units, arms in do-notation, predictor, analysis, stopping.

    Parameters
    ----------
    outcomes
        From `causalgia.run` (or the effects or moments that it stored) or `causalgia.from_frame`.
    every_arm
        Whether each placebo word gets its own line.

    Returns
    -------
    str
        One fact a line.

    Raises
    ------
    OutcomesError
        If `outcomes` is not a Dataset of outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> do = ("arm", ["do()", "do(x[3:7] = GATA)"])
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [3.0]]])},
    ...     coords={"unit": [0], "arm": ["control", "GATA1"], "task": ["K562"], "do": do},
    ...     attrs={"scale": "log counts", "null": "uniform random sequences of 200 bp"},
    ... )
    >>> print(describe_outcomes(outcomes))
    population  uniform random sequences of 200 bp
    units       1
    outcome     task K562, on log counts
    2 arms:
      control  do()
      GATA1    do(x[3:7] = GATA)
    """
    of_effects = keeps_effects(outcomes)
    if not of_effects:
        validate(outcomes, "outcomes")
    n_units = outcomes.sizes["unit"] if "unit" in outcomes.sizes else int(outcomes["n_units"].max())
    attrs = outcomes.attrs
    assignment = f", {attrs['assignment']}" if "assignment" in attrs else ""
    digest = f" ({attrs['predictor_fingerprint']})" if "predictor_fingerprint" in attrs else ""
    facts = {
        "trial": attrs.get("name"),
        "population": attrs.get("null"),
        "units": f"{n_units:,}{assignment}",
        "kept": ("effects alone" if "ice" in outcomes else "moments of the effects alone") if of_effects else None,
        "outcome": f"{tasks_in_words(outcomes)}, on {attrs.get('scale', 'an unnamed scale')}",
        "predictor": f"{attrs.get('predictor', '')}{digest}".strip(),
        "design": attrs.get("design_fingerprint"),
        "reserved": attrs.get("reserved"),
        "seed": attrs.get("rng"),
        "confirms": attrs.get("confirms"),
        "stopped": attrs.get("stopped"),
        "analysis": attrs.get("analysis"),
    }
    lines = [*(f"{name:<12}{fact}" for name, fact in facts.items() if fact), *_arm_lines(outcomes, every_arm)]
    return printable("\n".join(lines))


def tasks_in_words(outcomes: xr.Dataset) -> str:
    """Return "tasks K562, HepG2"."""
    tasks = [str(task) for task in outcomes["task"].to_numpy()]
    few = ", ".join(tasks[:4]) + (f", ... ({len(tasks)})" if len(tasks) > 4 else "")
    return printable(f"task{'s' if len(tasks) > 1 else ''} {few}")


def _arm_lines(outcomes: xr.Dataset, every_arm: bool) -> list[str]:
    if "contrast" in outcomes.coords:
        names = [str(name) for name in outcomes["contrast"].to_numpy()]
        do = outcomes["do"].to_numpy() if "do" in outcomes.coords else [""] * len(names)
        width = max(map(len, names), default=0)
        lines = [f"  {name:<{width}}  {text}".rstrip() for name, text in zip(names, do, strict=True)]
        return [f"{len(names)} contrast{'s' if len(names) > 1 else ''}:", *lines]
    if "arm" not in outcomes.coords:
        return []
    arms = [str(arm) for arm in outcomes["arm"].to_numpy()]
    do = outcomes["do"].to_numpy() if "do" in outcomes.coords else [""] * len(arms)
    kinds = outcomes["kind"].to_numpy() if "kind" in outcomes.coords else [""] * len(arms)
    shown = [i for i, kind in enumerate(kinds) if every_arm or kind != "placebo_word"]
    width = max((len(arms[i]) for i in shown), default=0)
    lines = [f"  {arms[i]:<{width}}  {do[i]}".rstrip() for i in shown]
    left = len(arms) - len(shown)
    return [f"{len(arms)} arms:", *lines, *([f"  and {left} placebo words"] if left else [])]

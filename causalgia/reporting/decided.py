"""Verdicts in words: against what, with which error, and what an undecided effect would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from causalgia.reporting.numbers import format_p

_UNDECIDED = "undecided"
_SIDE = {"increases": "above", "decreases": "below", "negligible": "inside"}


def is_decided(dataset: xr.Dataset) -> bool:
    """Return whether a Dataset holds verdicts, of `causalgia.decide`."""
    return "verdict" in dataset and "rope_lower" in dataset


def against(decisions: xr.Dataset) -> str:
    """Return in words how verdicts were given: region, error rate, by what; and what a reader is to beware of.

    Examples
    --------
    >>> print(against(xr.Dataset(attrs={"rope": "-0.1 to 0.1", "level": 0.95, "error": "local", "evidence": "tests"})))
    Verdicts on the ROPE (region of practical equivalence), -0.1 to 0.1: each by one-sided tests at p <= 0.05.
    """
    attrs = decisions.attrs
    rope = str(attrs.get("rope", "that each effect names"))
    region = _direction(rope) if _is_point(rope) else f"ROPE (region of practical equivalence), {rope}"
    lines = [_model(attrs), f"Verdicts on the {region}: {_how(attrs)}.", *_beware(attrs)]
    return "\n".join(line for line in lines if line)


def _is_point(rope: str) -> bool:
    """Return whether the region is the value of no effect alone, which is then its name."""
    return rope.lstrip("-").replace(".", "", 1).isdigit()


def _direction(null: str) -> str:
    return "direction alone" if null == "0" else f"direction alone (no effect is {null})"


def _model(attrs: Mapping[Any, Any]) -> str:
    """Say that effects are shrunken, and by which model where it is one of ours."""
    if attrs.get("evidence") != "posterior":
        return ""
    said = ", ".join(f"{attrs[name]} {name}" for name in ("law", "engine") if attrs.get(name))
    return f"ACE here is the posterior mean of a hierarchical model{said and f' ({said})'}."


def _how(attrs: Mapping[Any, Any]) -> str:
    alpha = f"{1 - float(attrs.get('level', 0.95)):.3g}"
    within = f" within {attrs['families']}" if attrs.get("families") else ""
    if attrs.get("error") == "bootstrap_t":
        return f"by the simultaneous bootstrap-t band; the chance of one wrong verdict{within} is at most {alpha}"
    if attrs.get("error") == "bh":
        return f"one-sided tests adjusted by Benjamini-Hochberg at {alpha}{within}, directions and negligible apart"
    if attrs.get("error") == "bayes_fdr":
        return f"mean posterior error of the verdicts{within} at most {alpha}, directions and negligible apart"
    return (
        f"each by one-sided tests at p <= {alpha}"
        if attrs.get("evidence") == "tests"
        else (f"each with a posterior probability of error of at most {alpha}")
    )


def _beware(attrs: Mapping[Any, Any]) -> list[str]:
    lines = [f"Caution: {attrs['caution']}."] if attrs.get("caution") else []
    if attrs.get("converged") == "no":
        lines.append(f"Caution: the draws have not converged ({attrs.get('unconverged', 'accepted as they are')}).")
    if attrs.get("exact"):
        lines.append(f"Without spread: {attrs['exact']}.")
    return lines


def history(attrs: Mapping[Any, Any]) -> list[str]:
    """Return how the trial came about, and what was asked of it late, where that is not as usual.

    Examples
    --------
    >>> history({"exploratory": "control, rope"})
    ['Exploratory, asked after the outcomes were seen: control, rope.']
    """
    lines = [f"Confirmation: {attrs['confirms']}."] if attrs.get("confirms") else []
    if attrs.get("stopped"):
        holds = "; the intervals that hold over all looks are look_lower and look_upper of the outcomes"
        sequence = str(attrs.get("until")).startswith("Decided")
        lines.append(f"Sequential trial: {attrs['stopped']}{holds if sequence else ''}.")
    if attrs.get("exploratory"):
        lines.append(f"Exploratory, asked after the outcomes were seen: {attrs['exploratory']}.")
    return lines


def error_heading(attrs: Mapping[Any, Any]) -> str:
    """Return what the error of a verdict is called in a table."""
    if attrs.get("error") in ("bh", "bayes_fdr"):
        return f"q ({attrs['error']})"
    return "error" if attrs.get("evidence") == "posterior" else "one-sided p"


def error_of(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return the error of a row's verdict as text; nothing where it is the band's, the same for all."""
    if attrs.get("error") == "bootstrap_t":
        return ""
    name = "q" if attrs.get("error") in ("bh", "bayes_fdr") else "local_error"
    if row.get(name) is None:
        return ""
    if row[name] == 0 and attrs.get("evidence") == "posterior" and attrs.get("n_draws"):
        return f"<{1 / attrs['n_draws']:.1g}"
    return format_p(row[name], exact=bool(row.get("exact")))


def verdict_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return "increases, above the ROPE -0.1 to 0.1 (error 0.012)", or what would decide.

    Examples
    --------
    >>> row = {"verdict": "undecided", "rope_lower": -0.1, "rope_upper": 0.1, "n_units": 100, "more_units": 300}
    >>> verdict_in_words(row, {"error": "bootstrap_t"})
    'undecided on the ROPE -0.1 to 0.1; a new trial of about 400 units would decide it with even odds'
    """
    verdict, region = str(row["verdict"]), f"the ROPE {row['rope_lower']:.3g} to {row['rope_upper']:.3g}"
    direction_only = row["rope_lower"] == row["rope_upper"]
    if verdict == _UNDECIDED:
        return f"undecided on {'its direction' if direction_only else region}{_more(row)}"
    error = error_of(row, attrs)
    said = f" ({error_heading(attrs).partition(' (')[0]} {error})" if error else ""
    return f"{verdict}, {_SIDE[verdict]} {format(row['rope_lower'], '.3g') if direction_only else region}{said}"


def _more(row: Mapping[str, Any]) -> str:
    more = row.get("more_units", -1)
    if more is None or more < 0 or "n_units" not in row:
        return ""
    total = _rounded(row["n_units"] + more)
    return f"; a new trial of about {total:,} units would decide it with even odds"


def _rounded(n: int) -> int:
    """Return a number of units to two digits."""
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit


def exact_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return what is to be said where no unit differs: exact for these, and how many others may still differ."""
    n = row.get("n_clusters") or row.get("n_units")
    if not n or attrs.get("target") == "units":
        return " (exact: no unit differs)"
    return f" (exact: no unit differs; up to 3/n = {min(3 / n, 1):.2g} of the population may still differ, 95 %)"

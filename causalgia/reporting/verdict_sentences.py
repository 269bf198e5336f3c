"""Sentences on verdicts and tipping points, with regions, error rates and assumptions,
and the text of a refutation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import four_digits
from causalgia.errors import printable
from causalgia.multiplicity.bootstrap_t import missed_share_sentence
from causalgia.reporting.table_formats import (
    _LEAST_P,
    format_effect,
    format_p,
    format_share,
    p_clause,
)
from causalgia.schema import validate
from causalgia.verdicts.evidence import independent_draws
from causalgia.verdicts.rare_effects import few_real_sequences

_ROUNDING = 1e-9
_ON_AVERAGE = (
    "error rates hold on average over effects like these, draws from the fitted law, "
    "and not for each true effect"
)
_ATOM = (
    "The interval includes the probability P(0) that the effect is exactly 0; where "
    "P(0) is above its level, which would leave the point 0, it is extended to the "
    "interval of the effect if it is not 0, which is printed next to it."
)
_OF_SETS = ("bh", "holm", "bayes_fdr")
_UNDECIDED = "undecided"
_SIDE = {"increases": "above", "decreases": "below", "negligible": "inside"}


def is_decided(dataset: xr.Dataset) -> bool:
    """Return whether a Dataset holds verdicts, of `causalgia.decide`."""
    return "verdict" in dataset and "rope_lower" in dataset


def is_simultaneous(dataset: xr.Dataset) -> bool:
    """Return whether the intervals are those of `causalgia.multiplicity.simultaneous`,
    unchanged by a decision.
    """
    return "band" in dataset.attrs and not is_decided(dataset)


def verdict_method(decisions: xr.Dataset, *, model: bool = True) -> str:
    """Return in words how verdicts were reached: region, method and error rate, guarantees and assumptions.

    Parameters
    ----------
    decisions
        Decisions, of which the attributes are read.
    model
        Whether to begin with the hierarchical model, if there is one.

    Examples
    --------
    >>> import xarray as xr
    >>> attrs = {"rope": "-0.1 to 0.1", "level": 0.95, "error": "local", "evidence": "tests"}
    >>> print(verdict_method(xr.Dataset(attrs=attrs)))
    Verdicts on the ROPE (region of practical equivalence), -0.1 to 0.1: one-sided tests of the unshrunken effects, \
directions at p <= 0.025 a side and negligible at 0.05, not adjusted. Each interval is that of the test that gave the \
verdict.
    """
    attrs = decisions.attrs
    rope = str(attrs.get("rope", "that each effect names"))
    region = f"ROPE (region of practical equivalence), {rope}"
    if _is_point(rope):
        region = (
            "direction alone"
            if rope == "0"
            else f"direction alone (no effect is {rope})"
        )
    lines = [f"Verdicts on the {region}: {_error_control(attrs)}."]
    if model and attrs.get("evidence") == "posterior":
        law_and_engine = ", ".join(
            f"{attrs[name]} {name}" for name in ("law", "engine") if attrs.get(name)
        )
        of_model = law_and_engine and f" ({law_and_engine})"
        lines.insert(
            0, f"ACE here is the posterior mean of a hierarchical model{of_model}."
        )
    lines += [_ATOM] if "p_zero" in decisions else []
    lines += _missed_effect_notes(decisions)
    lines += [f"Caution: {attrs['caution']}."] if attrs.get("caution") else []
    if attrs.get("converged") == "no":
        lines.append(
            "Caution: the draws have not converged "
            f"({attrs.get('unconverged', 'accepted as they are')})."
        )
    lines += [f"Without spread: {attrs['exact']}."] if attrs.get("exact") else []
    return "\n".join(line for line in lines if line)


def _is_point(rope: str) -> bool:
    """Return whether the region is a single number, the value of no effect."""
    return rope.lstrip("-").replace(".", "", 1).isdigit()


def _error_control(attrs: Mapping[Any, Any]) -> str:
    level = float(attrs.get("level", 0.95))
    alpha = f"{1 - level:.3g}"
    within = f" within {attrs['families']}" if attrs.get("families") else ""
    if attrs.get("error") == "bootstrap_t":
        return (
            "by the simultaneous bootstrap-t band; the probability of any wrong "
            f"verdict{within} is at most {alpha}"
        )
    if attrs.get("error") == "sequence":
        return (
            "by the confidence sequence that monitored the trial, which holds at all "
            f"looks; the probability of any wrong verdict is at most {alpha}; the "
            "interval is the sequence's"
        )
    if attrs.get("evidence") == "posterior":
        bound = (
            f"mean posterior error of the verdicts{within} at most {alpha}, directions "
            "and negligible separately"
        )
        if attrs.get("error") != "bayes_fdr":
            bound = f"each with a posterior probability of error of at most {alpha}"
            return f"{bound}; {_ON_AVERAGE}"
        return (
            f"{bound}; {_ON_AVERAGE}; the interval of a single effect may cross an end "
            "of the ROPE"
        )
    if attrs.get("evidence") == "matched":
        return (
            "effects are exact; increases and decreases lie beyond it, and their rank "
            f"p among matched variants is at most {alpha} after adjustment "
            f"(Benjamini-Hochberg{within}); negligible ones lie inside it"
        )
    kinds = f"directions at p <= {(1 - level) / 2:.3g} a side"
    kinds += (
        "" if _is_point(str(attrs.get("rope", ""))) else f" and negligible at {alpha}"
    )
    apart = {"bh": "Benjamini-Hochberg", "holm": "Holm"}.get(str(attrs.get("error")))
    deciding = "Each interval is that of the test that gave the verdict"
    tests = f"one-sided tests of the unshrunken effects, {kinds}"
    if not apart:
        return f"{tests}, not adjusted. {deciding}"
    over = (
        "over "
        f"{str(attrs.get('families', 'all contrasts')).replace(' of one task', ' of a task')}"
    )
    how = f"Directions and 'negligible' are adjusted separately ({apart}, {over})"
    if _is_point(str(attrs.get("rope", ""))):
        how = f"Directions are adjusted ({apart}, {over})"
    return f"{tests}. {how}. {deciding}"


def _missed_effect_notes(decisions: xr.Dataset) -> list[str]:
    """Return sentences on effects that could have been missed, and on family error
    rates that do not hold.
    """
    attrs = decisions.attrs
    if "rare" not in attrs or _is_point(str(attrs.get("rope", ""))):
        return []
    if attrs["rare"] == "none" or "missed_share" not in decisions:
        if attrs.get("target") == "units":
            return []
        if not (few := few_real_sequences(decisions)):
            return ["Assuming no rare, large effects."]
        return [
            f"Assuming no rare, large effects: {few:,} real sequences cannot show "
            f"effects on fewer than {300 / few:.2g} % of such sequences."
        ]
    share = float(decisions["missed_share"].max())
    if not share > 0:
        return [
            "Assuming no rare, large effects: the number of independent backgrounds is "
            "not known."
        ]
    counts = {
        name: int(decisions[name].min())
        for name in ("n_units", "n_clusters")
        if name in decisions
    }
    sentence = _missed(share, counts)
    lines = [f"{sentence[:1].upper()}{sentence[1:]}."]
    rare, n, k = (
        float(attrs["rare"]),
        float(independent_draws(decisions).min()),
        decisions.sizes["contrast"],
    )
    needed = (3 + math.log(k)) / rare
    if attrs.get("error") in ("bh", "holm") and k > 1 and n < needed * (1 - _ROUNDING):
        lines.append(
            "The error rate holds for each verdict separately (false with probability "
            f"at most {1 - float(attrs['level']):.3g}); an error rate for the {k:,} "
            f"together takes {_round_up(math.ceil(needed)):,} independent backgrounds "
            f"where effects may be rare, and there are {n:,.0f}."
        )
    return lines


def _missed(share: float, row: Mapping[str, Any]) -> str:
    """Return a clause on effects that could be missed: 3/n of the population, or any
    part of it where that is all.
    """
    if share < 1 or "n_units" not in row:
        return missed_share_sentence(share)
    n = row.get("n_clusters", row["n_units"])
    noun = f"{'unit' if n == row['n_units'] else 'cluster'}{'s' if n != 1 else ''}"
    return (
        f"with {n:,} {noun}, effects confined to part of the population would be missed"
    )


CHANGED_OUTCOMES = (
    "The outcomes are not those that this run recorded: their values were changed "
    "afterward, which no protocol covers."
)


def trial_history(attrs: Mapping[Any, Any]) -> list[str]:
    """Return sentences on confirmation, stopping, protocol and exploratory choices of a
    trial.

    Examples
    --------
    >>> trial_history({"exploratory": "control, rope"})
    ['Exploratory, chosen after the outcomes were seen: control, rope.']
    """
    lines = [f"Confirmation: {attrs['confirms']}."] if attrs.get("confirms") else []
    if attrs.get("stopped"):
        holds = (
            "; the intervals that hold over all looks are look_lower and look_upper of "
            "the outcomes"
        )
        monitored = (
            str(attrs.get("until")).startswith("Decided")
            and attrs.get("error") != "sequence"
        )
        lines.append(
            f"Sequential trial: {attrs['stopped']}{holds if monitored else ''}."
        )
    if attrs.get("protocol"):
        times = (
            f"locked {attrs.get('protocol_locked')}, run from "
            f"{attrs.get('protocol_started')}"
        )
        lines.append(f"Protocol {str(attrs['protocol'])[:16]}..., {times}.")
        lines += [CHANGED_OUTCOMES] if attrs.get("protocol_changed") else []
    if attrs.get("exploratory"):
        lines.append(
            f"Exploratory, chosen after the outcomes were seen: {attrs['exploratory']}."
        )
    return lines


def error_heading(attrs: Mapping[Any, Any]) -> str:
    """Return the heading of the error of verdicts in a table."""
    if attrs.get("error") in _OF_SETS:
        return f"q ({attrs['error']})"
    return "error"


def error_text(
    row: Mapping[str, Any], attrs: Mapping[Any, Any], *, clause: bool = False
) -> str:
    """Return the error of a row's verdict for a cell, or as a clause; empty for a band,
    whose error all have.
    """
    name = "q" if attrs.get("error") in _OF_SETS else "local_error"
    if attrs.get("error") == "bootstrap_t" or row.get(name) is None:
        return ""
    below = (
        1 / attrs["n_draws"]
        if attrs.get("evidence") == "posterior" and attrs.get("n_draws")
        else None
    )
    exact = bool(row.get("exact"))
    if not clause:
        return format_p(row[name], exact=exact, below=below)
    return p_clause(
        row[name], name=name.removeprefix("local_"), exact=exact, below=below
    )


def verdict_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return "increases, above the ROPE -0.1 to 0.1 (error = 0.012)", or the units
    needed to decide.

    Examples
    --------
    >>> row = {
    ...     "verdict": "undecided",
    ...     "rope_lower": -0.1,
    ...     "rope_upper": 0.1,
    ...     "n_units": 100,
    ...     "more_units": 300,
    ... }
    >>> verdict_in_words(row, {"error": "bootstrap_t"})
    'undecided on the ROPE -0.1 to 0.1; a new trial of about 400 units would decide it with even odds'
    """
    verdict, (low, high) = (
        str(row["verdict"]),
        (four_digits(row[name]) for name in ("rope_lower", "rope_upper")),
    )
    direction_only, region = (
        row["rope_lower"] == row["rope_upper"],
        f"the ROPE {low} to {high}",
    )
    if verdict == _UNDECIDED:
        what = "its direction" if direction_only else region
        if _lacks_backgrounds(row, attrs):
            needed = math.ceil(3 / float(attrs["rare"]) - _ROUNDING)
            cure = (
                f": {_missed(row['missed_share'], row)}; it takes {needed:,} "
                "independent backgrounds"
            )
        else:
            cure = _more_units_clause(row, attrs)
        return f"undecided on {what}{cure}"
    error = error_text(row, attrs, clause=True)
    missable = verdict == "negligible" and bool(row.get("missed_share"))
    missed = f"; {_missed(row['missed_share'], row)}" if missable else ""
    return (
        f"{verdict}, {_SIDE[verdict]} "
        f"{low if direction_only else region}{error and f' ({error})'}{missed}"
    )


def _lacks_backgrounds(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> bool:
    """Return whether an effect is undecided only for lack of backgrounds: its interval
    is inside the region.
    """
    rare = attrs.get("rare", "none")
    if rare == "none" or not row.get("missed_share", 0.0) > float(rare) * (
        1 + _ROUNDING
    ):
        return False
    return bool(
        row["rope_lower"] < row.get("lower", -math.inf)
        and row.get("upper", math.inf) < row["rope_upper"]
    )


def _more_units_clause(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    more = row.get("more_units", -1)
    if more is None or more < 0 or "n_units" not in row:
        return ""
    total = _round_up(row["n_units"] + more)
    units = f"of about {total:,} units"
    if (
        attrs.get("assignment") == "parallel"
    ):  # whose effects count the units of their own arms
        units = f"with about {total:,} units in these arms"
    return f"; a new trial {units} would decide it with even odds"


def _round_up(n: int) -> int:
    """Return a number of units rounded up to two digits."""
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit


def exact_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return a clause on effects without variation, with the share of the population
    that may still differ.
    """
    n = row.get("n_clusters") or row.get("n_units")
    if not n or attrs.get("target") == "units":
        return " (exact: no unit differs)"
    if n <= 3:
        return f" (exact: no unit differs; {_missed(1.0, {'n_units': n, **row})})"
    return (
        f" (exact: no unit differs; up to 3/n = {3 / n:.2g} of the population may "
        "still differ, 95 %)"
    )


_MOST = 20


def tipping_report(found: xr.Dataset) -> str:
    """Report tipping points as text: the tilt, its range, and a sentence for each
    contrast and task.

    Parameters
    ----------
    found
        From `causalgia.tipping_point`.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = cg.FunctionPredictor(
    ...     lambda x: 2 * x[:, 1:3].mean((1, 2)) * (x[:, 0, 9] - x[:, 3, 9]),
    ...     tasks=["K562"],
    ... )
    >>> arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    >>> outcomes = cg.run(
    ...     cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=600), sites, rng=0
    ... )
    >>> print(
    ...     tipping_report(
    ...         cg.tipping_point(outcomes, contrast="A - T", rope=(-0.8, 0.8))
    ...     )
    ... )
    Tipping points: ACE on outcome over uniform random sequences of 20 bp, tilted along gc (mean 0.5054, sd 0.109),
    with the 600 units that were predicted.
    Range: -1.75 to +1.70 sd (gc 0.3147 to 0.6907), where 50 or more effective units of 600 are left; verdicts on the
    ROPE -0.8 to 0.8 by 95 % intervals.
    <BLANKLINE>
    A - T: increases, ACE 0.9603 [0.9432, 0.9774]. Downwards it turns to undecided at -0.70 sd (gc 0.4291, odds 0.4981
    per sd): ACE 0.8154 [0.7945, 0.8350], 373 effective units; the ACE itself leaves its region at -0.80 sd. Upwards
    it holds as far as these units can say, to +1.70 sd (gc 0.6907, odds 8.253 per sd).
    """
    validate(found, "tipping")
    attrs = found.attrs
    label, shifts = str(attrs["covariate"]), found["shift"].to_numpy()
    means = found["covariate_mean"].to_numpy()
    scale = attrs.get("contrast_scale") or attrs.get("scale") or ""
    groups = (
        "units" if attrs.get("cluster", "unit") == "unit" else f"{attrs['cluster']}s"
    )
    over = f" over {attrs['null']}" if attrs.get("null") else ""
    region = (
        f"the ROPE {attrs['rope']}"
        if (found["rope_lower"] < found["rope_upper"]).any()
        else "direction alone"
    )
    lines = [
        f"Tipping points: ACE{scale and f' on {scale}'}{over}, tilted along {label} "
        f"(mean {four_digits(attrs['covariate_at_0'])}, sd "
        f"{four_digits(attrs['covariate_sd'])}), with the {attrs['n_units']:,} units "
        "that were predicted.",
        f"Range: {_sd(shifts[0])} to {_sd(shifts[-1])} sd ({label} "
        f"{four_digits(means[0])} to {four_digits(means[-1])}), where "
        f"{attrs['least_ess']} or more effective {groups} of {attrs['n_clusters']:,} "
        f"are left; verdicts on {region} by {100 * attrs['ci_prob']:g} % intervals.",
        "",
    ]
    dims = [dim for dim in found["tilted_ace"].dims if dim != "shift"]
    every = list(product(*(range(found.sizes[dim]) for dim in dims)))
    lines += [
        _sentence(found, dict(zip(dims, at, strict=True)), label, groups)
        for at in every[:_MOST]
    ]
    if len(every) > _MOST:
        lines.append(
            f"{len(every) - _MOST:,} more: select contrasts or tasks, "
            "found.sel(task=[...]), and report again."
        )
    return printable("\n".join(lines))


def _sentence(found: xr.Dataset, at: dict[Any, int], label: str, groups: str) -> str:
    one = found.isel(at)
    shifts = one["shift"].to_numpy()
    names = [
        str(one[dim].item()) if dim in one.coords else str(i)
        for dim, i in at.items()
        if found.sizes[dim] > 1 or dim == "contrast"
    ]
    here = int(np.argmax(shifts == 0))
    text = (
        f"{', '.join(names)}: {one['tilted_verdict'].to_numpy()[here]}, "
        f"{_effect(one, here)}."
    )
    if not one["turns"].any() and (one["tipping_shift"] != 0).all():
        low, high = (
            four_digits(one["tipping_covariate"].sel(side=side).item())
            for side in ("down", "up")
        )
        holds = (
            "It stays undecided"
            if one["tilted_verdict"].to_numpy()[here] == "undecided"
            else "It holds"
        )
        return (
            f"{text} {holds} as far as these units can say, for {label} from {low} to "
            f"{high}."
        )
    for side, way in (("down", "Downwards"), ("up", "Upwards")):
        turn = one.sel(side=side)
        shift = turn["tipping_shift"].item()
        row = int(np.argmax(shifts == shift))
        odds = four_digits(turn["tipping_odds"].item())
        where = (
            f"{_sd(shift)} sd ({label} "
            f"{four_digits(turn['tipping_covariate'].item())}, odds {odds} per sd)"
        )
        if shift == 0:
            extreme = "lowest" if side == "down" else "highest"
            text += (
                f" {way} these units give no information: the {extreme} value of "
                f"{label} lies within 0.05 sd of its mean, or a few units have all of "
                "its spread; give its ranks or its logarithm as by=."
            )
            continue
        if not turn["turns"].item():
            text += f" {way} it holds as far as these units can say, to {where}."
            continue
        leaving = _sd(turn["leaving_shift"].item())
        text += (
            f" {way} it turns to {turn['turns_to'].item()} at {where}: "
            f"{_effect(one, row)}, {one['ess'].to_numpy()[row]:,.0f} effective "
            f"{groups}{_too_few(one, row)}; the ACE itself "
            f"{'leaves its region at' if turn['leaves'].item() else 'stays in its region to'} "
            f"{leaving} sd."
        )
    return text


def _too_few(one: xr.Dataset, row: int) -> str:
    """Return why a verdict is undecided although its interval lies inside the ROPE:
    rare effects could be missed.
    """
    lower, upper = (one[f"tilted_{end}"].to_numpy()[row] for end in ("lower", "upper"))
    inside = one["rope_lower"].item() < lower and upper < one["rope_upper"].item()
    outside = lower > one["rope_upper"].item() or upper < one["rope_lower"].item()
    rare = one.attrs["rare"]
    if one["tilted_verdict"].to_numpy()[row] != "undecided":
        return ""
    if outside:
        alpha = f"{1 - float(one.attrs['ci_prob']):.3g}".removeprefix("0")
        return f", where its q is above {alpha} among the contrasts asked for"
    if not inside or rare == "none":
        return ""
    return (
        ", too few to rule out effects on "
        f"{format_share(float(rare), 1).replace('.0', '')} of backgrounds"
    )


def _effect(one: xr.Dataset, row: int) -> str:
    columns = {
        name: float(one[f"tilted_{name}"].to_numpy()[row])
        for name in ("ace", "se", "lower", "upper")
    }
    ace, interval = format_effect(columns)
    return f"ACE {ace} {interval}"


def _sd(shift: float) -> str:
    return f"{shift:+.2f}" if shift else "0"


_WORDS = {"pass": "passed", "warn": "warned", "fail": "failed"}


def check_value(
    value: Any, figure: str, number: Callable[[Any], str] = four_digits
) -> str:
    """Return the value of a check as text: p-values below 1e-4 as in tables of effects,
    all else by `number`.

    Examples
    --------
    >>> (
    ...     check_value(3.2e-41, "p-value of a difference"),
    ...     check_value(0.2, "rank p-value"),
    ...     check_value(3e-9, "sd"),
    ... )
    ('<1e-4', '0.2', '3e-09')
    """
    return (
        format_p(float(value))
        if "p-value" in figure and value < _LEAST_P
        else number(value)
    )


def refutation_report(found: xr.Dataset) -> str:
    """Report checks as text: their number by status, a line for each, and those that do
    not apply.

    Parameters
    ----------
    found
        From `causalgia.refute`, or from a check of `causalgia.refutation`.

    Examples
    --------
    >>> columns = {
    ...     "value": 0.2,
    ...     "threshold": 0.05,
    ...     "status": "warn",
    ...     "figure": "rank p-value",
    ...     "n_predictions": 40,
    ... }
    >>> columns |= {
    ...     "reason": "3 of 19 placebo words have the effect or more",
    ...     "cure": "claim less",
    ... }
    >>> one = xr.Dataset(
    ...     {name: ("check", [x]) for name, x in columns.items()},
    ...     {"check": ["placebo words"]},
    ... )
    >>> print(
    ...     refutation_report(
    ...         one.assign_attrs(
    ...             claims="GATA1 on K562", not_applicable="balance: a crossover"
    ...         )
    ...     )
    ... )
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
        "No claim: no contrast has a significant effect"
        if claims == "none"
        else f"Refutation of: {claims}",
        f"{n:,} check{'' if n == 1 else 's'}: {counts}; {n_predictions:,} "
        f"predictions{budget}",
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
        lines.append(
            f"{status[i]}  {name:<{wide}}  {numbers[i]:<{far}}  {row['figure'].item()}"
        )
        lines.append(f"      {row['reason'].item()}")
        lines += [f"      Cure: {row['cure'].item()}"] if row["cure"].item() else []
    skipped = str(attrs.get("not_applicable", "")).splitlines()
    lines += (
        ["", "Not applicable:", *(f"  {line}" for line in skipped)] if skipped else []
    )
    return printable("\n".join(lines))

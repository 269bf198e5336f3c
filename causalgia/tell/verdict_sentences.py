"""Sentences on verdicts: region, error rate, what would undo a verdict, cautions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from causalgia.analysis import NOTHING_PLANNED
from causalgia.attributes import about, has, of_sequences
from causalgia.checks import four_digits
from causalgia.choices import (
    LEAST_FACTOR,
    NEGLIGIBLE,
    OPEN,
    PLACEBO_ROPES,
    VERDICT_WORDS,
)
from causalgia.effect_table import of_effects, tasks_in_table, unmeasured_in_words
from causalgia.errors import DataError, first_of
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.effect_intervals import independent_draws, missed_share_of
from causalgia.estimation.request import null_value
from causalgia.inputs import format_p, format_share, p_clause, parse_json, rough_percent
from causalgia.multiplicity.families import Family
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.tell.folded_text import cut

_FEW_TASKS = 3
_SIDES: dict[int | None, str] = {1: "above", -1: "below", 0: "inside"}
LEAST_TO_RUN_HIGH = 10
"""Effects of a task from which the largest are noticeably larger than they are true."""
_ANY_FALSE_BY_HOLM = {
    (20, 30): (0.04, 0.07, 0.23),
    (20, 100): (0.04, 0.04, 0.11),
    (20, 300): (0.05, 0.03, 0.06),
    (200, 30): (0.04, 0.28, 0.74),
    (200, 100): (0.04, 0.08, 0.32),
    (200, 300): (0.05, 0.04, 0.12),
}
"""(Rows of a family, units) -> share of tables with a false verdict at .05, of effects
of units with these skewnesses: the rows "Holm, K = ..." of docs/validation_rows.tsv.
"""
_SKEWNESSES = "skewness 0", "2", "6.2"


def kind_of_region(attrs: Mapping[Any, Any]) -> str:
    """Return the kind of region of decisions; it is a stated one where they do not
    say.

    Examples
    --------
    >>> kind_of_region({"rope_kind": "placebo"}), kind_of_region({})
    ('placebo', 'stated')
    """
    return about(attrs, "stated").rope_kind


def noun_of_region(attrs: Mapping[Any, Any]) -> str:
    """Return what the region of decisions is: "the ROPE", or a range of random
    sequences or of matched variants.
    """
    kind = kind_of_region(attrs)
    if kind == "matched":
        return "the range of matched variants"
    return "the range of random sequences" if kind in PLACEBO_ROPES else "the ROPE"


def is_decided(dataset: xr.Dataset) -> bool:
    """Return whether a Dataset holds verdicts, of `causalgia.decide`."""
    return "verdict" in dataset and "rope_lower" in dataset


def is_simultaneous(dataset: xr.Dataset) -> bool:
    """Return whether the intervals are a band of
    `causalgia.multiplicity.simultaneous`; those of verdicts never are.
    """
    return has(dataset).band and not is_decided(dataset)


def effect_heading(attrs: Mapping[Any, Any]) -> str:
    """Return "ACE", and "effect" for effects that nobody may have randomized.

    Examples
    --------
    >>> effect_heading({}), effect_heading({"effects_are": "coefficients"})
    ('ACE', 'effect')
    """
    return "effect" if about(attrs, None).effects_are else "ACE"


def verdict_method(decisions: xr.Dataset) -> str:
    """Return in words how verdicts were reached, and what the data could not show: the
    region and error rate, then what would undo the weakest verdict, and cautions.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> estimates = from_effects([1.4, 0.0], se=[0.1, 0.01])
    >>> print(verdict_method(decide(estimates, rope=(-0.1, 0.1))).splitlines()[0])
    Verdict: where the interval lies against ±0.1, if q <= .05 over these 2 rows.
    """
    further = (*verdict_facts(decisions), undone_by(decisions))
    lines = [rule_sentence(decisions), *further, *verdict_cautions(decisions)]
    return "\n".join(line for line in lines if line)


def verdict_facts(decisions: xr.Dataset) -> list[str]:
    """Return the sentences that stand under every table of these verdicts: how Holm's
    rate held, the largest effect that is assumed, rows without a verdict, independent
    errors.
    """
    here = about(decisions, None)
    largest = here.largest
    if largest and not isinstance(largest, str):
        largest = f"{largest:g}"
    together = here.errors_together == "independent" and decisions["verdict"].size > 1
    lines = [
        _holm_in_simulations(decisions),
        f"No unit is taken to have a larger effect than {largest}." if largest else "",
        *_withheld_verdicts(decisions),
        _alike(decisions),
        _without_estimate(decisions),
        "The errors of these rows were taken as independent." if together else "",
    ]
    return [line for line in lines if line]


def undone_by(decisions: xr.Dataset) -> str:
    """Return what would undo the weakest verdict, which is for the notes; empty where a
    largest effect is assumed.
    """
    return "" if about(decisions, None).largest else weakest_verdict(decisions)


def _without_estimate(decisions: xr.Dataset) -> str:
    if "measured" not in decisions or decisions["measured"].all():
        return ""
    return f"No estimate: {unmeasured_in_words(decisions['measured'])}."


def _holm_in_simulations(decisions: xr.Dataset) -> str:
    """Return how often simulated tables had a false verdict, those that have as many
    rows or more and as many units or fewer, if there are such; empty where Holm's rate is
    not asked for.
    """
    here = about(decisions, None)
    if here.error != "fwer" or "p_matched" in decisions:
        return ""
    n = independent_draws(decisions)
    if "skewness" not in decisions or not (n > 0).any():
        return (
            "Holm's rate holds if each p does: how skewed these rows are is not known."
        )
    rows = here.family_rows or decisions["ace"].size
    if here.family_by:
        of = decisions[here.family_by].to_numpy()
        rows = np.unique(of, return_counts=True)[1].max() * n.size // of.size
    known_rows, known_units = (
        sorted({*x}) for x in zip(*_ANY_FALSE_BY_HOLM, strict=True)
    )
    rows = next((x for x in known_rows if x >= rows), known_rows[-1])
    fewest = n[n > 0].min()
    units = max((x for x in known_units if x <= fewest), default=known_units[0])
    rates = zip(_ANY_FALSE_BY_HOLM[rows, units], _SKEWNESSES, strict=True)
    found = ", ".join(f"{rate:.2f} at {skewness}"[1:] for rate, skewness in rates)
    return f"Any false verdict, simulated at .05 ({rows} rows, n = {units}): {found}."


def _alike(decisions: xr.Dataset) -> str:
    """Return what it means that units are alike; empty where they differ."""
    if "exact" not in decisions or not decisions["exact"].any():
        return ""
    if about(decisions, None).target == "units":
        return ""
    noun = "sequence" if of_sequences(decisions.attrs) else "unit"
    return f"Alike: each {noun} shows this same effect."


def verdict_cautions(decisions: xr.Dataset) -> list[str]:
    """Return sentences on what limits these verdicts."""
    runs_high = decisions.sizes["contrast"] >= LEAST_TO_RUN_HIGH
    lines = [
        "The largest estimates run high (winner's curse): see shrunken."
        if runs_high and has_shrunken(decisions)
        else "",
        _count_note(decisions),
        *urgent_cautions(decisions),
    ]
    exact = about(decisions, None).exact
    lines += [f"Without spread: {exact}."] if exact else []
    return [line for line in lines if line]


def urgent_cautions(decisions: xr.Dataset) -> list[str]:
    """Return the cautions that stand under a table however long its foot is."""
    lines = []
    if is_decided(decisions) and kind_of_region(decisions.attrs) == "direction":
        null = float(about(decisions, 0.0).null_value)
        where = f", above or below {null:g}" if null else ""
        lines.append(
            f"Caution: rope=0 asks for the direction alone{where}: no effect is called "
            "negligible."
        )
    if caution := about(decisions, None).caution:
        lines.append(f"Caution: {caution}.")
    return [*lines, *truncation_sentence(decisions.attrs)]


def truncation_sentence(attrs: Mapping[Any, Any]) -> list[str]:
    """Return what a table of counts leaves out, and how far that shrinks effects; none
    of a table that leaves nothing out.

    Examples
    --------
    >>> attrs = {"truncation_reads": 1, "truncation_share": 0.36}
    >>> attrs |= {"truncation_factor": 0.552, "truncation_corrected": 0}
    >>> print(truncation_sentence(attrs)[0])
    Zero-truncated table (no cell has fewer than 1 RNA read, 36 % have just 1): effects
    come out at about 0.55 of their size, so their directions hold and their sizes do
    not.
    """
    here = about(attrs, None)
    if here.truncation_factor is None:
        return []
    n = int(here.truncation_reads or 1)
    factor = float(here.truncation_factor)
    size = f"at about {factor:.2f} of their size"
    then = (
        f"came out {size}, and were divided by it"
        if here.truncation_corrected
        else f"come out {size}"
        + (
            ", so their directions hold and their sizes do not"
            * (factor < LEAST_FACTOR)
        )
    )
    share = format_share(float(here.truncation_share or 0.0))
    return [
        f"{'Zero-truncated' if n == 1 else 'Truncated'} table (no cell has fewer than "
        f"{n} RNA read{'s' * (n > 1)}, {share} have just {n}): effects {then}."
    ]


def tasks_without_verdict(effects: xr.Dataset) -> list[str]:
    """Return the sentence on tasks whose region has no width, if there are any."""
    text = about(effects, "[]").no_verdict
    tasks = parse_json(text, DataError, source="attrs['no_verdict']")
    if not tasks:
        return []
    names = first_of(map(str, tasks), _FEW_TASKS)
    return [
        f"No verdict on {names}, where the region has no width; two numbers as rope= "
        "give one."
    ]


def _alpha(attrs: Mapping[Any, Any]) -> float:
    return 1 - float(about(attrs, 0.95).ci_prob)


def _short_alpha(attrs: Mapping[Any, Any]) -> str:
    return f"{_alpha(attrs):.3g}"[1:]


def region_of(lower: float, upper: float) -> str:
    """Return the ends of a region: "±0.1" where it is symmetric about 0, "at most 0.5"
    and "at least -0.5" where it has one end.

    Examples
    --------
    >>> region_of(-0.1, 0.1), region_of(-0.1, 0.25), region_of(0.0, 0.0)
    ('±0.1', '-0.1 to 0.25', '0 to 0')
    >>> region_of(-math.inf, 0.5), region_of(-0.5, math.inf)
    ('at most 0.5', 'at least -0.5')
    """
    if math.isinf(lower):
        return f"at most {four_digits(upper)}"
    if math.isinf(upper):
        return f"at least {four_digits(lower)}"
    low, high = four_digits(lower), four_digits(upper)
    return f"±{high}" if low == f"-{high}" else f"{low} to {high}"


def region_in_words(decisions: xr.Dataset) -> str:
    """Return the ends of the regions, and what made them where that is not the user.

    Examples
    --------
    >>> ends = {"rope_lower": ("contrast", [-0.3]), "rope_upper": ("contrast", [0.4])}
    >>> attrs = {"rope_kind": "placebo", "rope_placebos": 40}
    >>> region_in_words(xr.Dataset(ends, attrs=attrs))
    '-0.3 to 0.4 (the central 95 % of 40 placebos)'
    """
    ends, kind = "the region of each row", kind_of_region(decisions.attrs)
    if "rope_lower" in decisions:
        tasks = tasks_in_table(decisions)
        each = _region_of_tasks(decisions)
        if len({*each}) == 1 and all(each):
            ends = each[0]
        elif len(tasks) <= _FEW_TASKS and all(each):
            named = zip(each, tasks, strict=True)
            ends = ", ".join(f"{x} ({cut(str(task))})" for x, task in named)
    here = about(decisions, None)
    if kind == "matched":
        return f"{ends} ({here.rope or 'matched variants'})"
    if kind == "sd" and here.rope_sd:
        of = "the contrast of tasks in " if here.task_weights else ""
        of += here.control_sd_of or "the control arm"
        null = f" about {here.null_value:g}" if here.null_value else ""
        return f"{ends} ({here.rope_sd:g} sd of {of}{null})"
    if kind in PLACEBO_ROPES:
        which = "the central 95 %" if kind == "placebo" else "the usual range"
        n = f"{here.rope_placebos:,} " if here.rope_placebos else ""
        return f"{ends} ({which} of {n}placebos)"
    return ends


def _region_of_tasks(decisions: xr.Dataset) -> list[str]:
    """Return "±0.1" for each task whose regions are alike, else empty."""
    n = decisions.sizes.get("task", 1)
    ends = []
    for side in ("lower", "upper"):
        x = decisions[f"rope_{side}"]
        values = x.transpose("task", ...).to_numpy() if "task" in x.dims else x.values
        rows = values.reshape(n if "task" in x.dims else 1, -1)
        rows = np.where(np.isnan(rows), np.fmax.reduce(rows, 1, keepdims=True), rows)
        ends.append(np.broadcast_to(rows, (n, rows.shape[1])))
    alike = np.all([(x == x[:, :1]).all(axis=1) for x in ends], axis=0)
    first = zip(*(x[:, 0].tolist() for x in ends), strict=True)
    return [
        region_of(*pair) if same else ""
        for pair, same in zip(first, alike, strict=True)
    ]


def rule_sentence(decisions: xr.Dataset) -> str:
    """Return how verdicts were reached, with region and error rate."""
    attrs, region = decisions.attrs, region_in_words(decisions)
    alpha, error = _short_alpha(attrs), about(attrs, None).error
    if "p_matched" in decisions:
        n = decisions["n_matched"].to_numpy().ravel()
        among = f"{n.min():,}" + (f" to {n.max():,}" if n.min() < n.max() else "")
        return (
            f"Verdict: against {region}; beyond it if q of the rank among {among} of "
            f"them is <= {alpha}."
        )
    if error == "each" and "p" not in decisions and not decisions["se"].any():
        return f"Verdict: where the exact effect lies against {region}."
    where = f"where the interval lies against {region}"
    if kind_of_region(attrs) == "direction":
        null = float(about(attrs, 0.0).null_value)
        where = f"the side of {null:g} on which the interval lies"
    elif one_sided := _one_sided(decisions):
        side, end = one_sided
        where = (
            f"where the interval lies, {side} {end} or not {side} {end} "
            "(non-inferiority)"
        )
    if error == "sequence":
        return (
            f"Verdict: {where}; the intervals are of the confidence sequence that "
            "monitored the trial, and hold together at all looks."
        )
    if error == "each":
        return f"Verdict: {where}, each row by itself (p <= {alpha})."
    family = family_in_words(decisions)
    over = f" over {family}" if family else ""
    by_holm = " (Holm)" if error == "fwer" else ""
    return f"Verdict: {where}, if q <= {alpha}{over}{by_holm}."


def _one_sided(decisions: xr.Dataset) -> tuple[str, str] | None:
    """Return ("above", "0.5") for a region without a lower end that all rows share, and
    ("below", "-0.5") for one without an upper end.
    """
    if "rope_lower" not in decisions:
        return None
    ends = (decisions[f"rope_{end}"].to_numpy() for end in ("lower", "upper"))
    low, high = (x[~np.isnan(x)] for x in ends)  # a row that was not measured has none
    for side, end, open_end in (("above", high, low), ("below", low, high)):
        if len(end) and np.isinf(open_end).all() and (end == end.flat[0]).all():
            return side, four_digits(float(end.flat[0]))
    return None


def family_in_words(decisions: xr.Dataset) -> str:
    """Return over which rows q is: a part of a table says that these were more; empty
    where the table does not know.
    """
    here = about(decisions, None)
    if here.family_rows is None:
        return ""
    family = Family(here.family_rows, here.family_by or "", here.family_without or "")
    placebos = is_placebo(decisions)
    if not family.by and family.rows > 1 and family.without != "helpers":
        counted = (
            ~placebos if placebos.any() and not placebos.all() else placebos | True
        )
        family = family if placebos.any() else family._replace(without="")
        rows = decisions["ace"].isel(contrast=counted).notnull().sum()
        if int(rows) != family.rows:
            return f"all {family.rows:,} rows of the analysis"
    return str(family)


def _unit_noun(attrs: Mapping[Any, Any]) -> str:
    here = has(attrs)
    predicted = here.predictor_fingerprint or here.null_kind
    return "backgrounds" if predicted and not about(attrs, None).effect_on else "units"


def _asked(decisions: xr.Dataset) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which contrasts are of the question: no placebos, no helpers."""
    asked = ~is_placebo(decisions)
    if "of_question" in decisions.variables:
        asked &= decisions["of_question"].to_numpy()
    return asked


def weakest_verdict(decisions: xr.Dataset) -> str:
    """Return what would undo the verdict that effects of unseen units undo first;
    empty where decisions have no ``reversal``.

    Units of a share ``s0 = 1 - (1 - ci_prob)^(1/n)`` may be missed by chance, and
    ``reversal`` is the effect on these that would undo a verdict. The weakest is the
    verdict of the question whose ``|reversal| / largest_ice`` is smallest, or where
    that is not known ``|reversal|``.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(
    ...     from_effects([1.4, 0.8], se=[0.1, 0.1], names=["GATA1", "TAL1"]), rope=0
    ... )
    >>> columns = {"n_units": 1000, "reversal": -68.1, "largest_ice": 0.4}
    >>> weakest_verdict(
    ...     decided.assign(
    ...         {name: xr.full_like(decided["ace"], x) for name, x in columns.items()}
    ...     )
    ... )
    'To undo the weakest (GATA1), effects on 0.3 % of units would have to reach -68; the largest seen is 0.4.'
    """
    if "reversal" not in decisions or null_value(decisions):  # sizes are from 0
        return ""
    size = of_effects(decisions, "reversal")
    known = "largest_ice" in decisions
    seen = of_effects(decisions, "largest_ice") if known else np.zeros(size.shape)
    # of rows whose number of units is not known it is NaN
    named = np.isfinite(size) & _asked(decisions).reshape(-1, *[1] * (size.ndim - 1))
    if not named.any():
        return ""
    # units of one arm each show no effect
    of = np.where(named & (seen > 0)[named].all(), seen, 1.0)
    at = np.unravel_index(
        int(np.argmin(np.where(named, np.abs(size) / of, np.inf))), size.shape
    )
    n, ci_prob = independent_draws(decisions)[at], about(decisions, 0.95).ci_prob
    share = rough_percent(float(missed_share_of(np.asarray(n), float(ci_prob))))
    noun = "sequences" if of_sequences(decisions.attrs) else "units"
    if {"n_units", "n_clusters"} <= {*decisions.variables} and (
        of_effects(decisions, "n_units")[at] != of_effects(decisions, "n_clusters")[at]
    ):  # the share is of those that were drawn independently
        noun = f"{cluster_noun(decisions.attrs)}s"
    which = f"the weakest ({effect_name(decisions, at)})"
    largest = f"; the largest seen is {_two_digits(seen[at])}" if seen[at] > 0 else ""
    return (
        f"To undo {'this verdict' if size.size == 1 else which}, effects on {share} of "
        f"{noun} would have to reach {_two_digits(size[at])}{largest}."
    )


def _two_digits(x: float) -> str:
    return f"{float(f'{x:.2g}'):,.10g}"


def effect_name(effects: xr.Dataset, at: tuple[Any, ...]) -> str:
    """Return "GATA1 in HepG2"; task and model are left out where there is one.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> effect_name(xr.Dataset({"ace": ace}, {"contrast": ["GATA1"]}), (0, 0))
    'GATA1'
    """
    labels = {
        str(d): cut(str(effects[d].to_numpy()[i] if d in effects.coords else i))
        for d, i in zip(effects["ace"].dims, at, strict=True)
    }
    name = labels.pop("contrast")
    where = [label for d, label in labels.items() if effects.sizes[d] > 1]
    return " in ".join([name, *where])


def _withheld_verdicts(decisions: xr.Dataset) -> list[str]:
    """Return how many rows of the question have their interval in a region, and how
    many of these have a q that is too large for a verdict; nothing where none has.
    """
    if not is_decided(decisions) or not {"q", "lower"} <= set(decisions):
        return []
    table = decisions.isel(contrast=_asked(decisions))
    lower, upper, low, high = (
        table[name] for name in ("lower", "upper", "rope_lower", "rope_upper")
    )
    inside = (low < high) & (low <= lower) & (upper <= high)
    name, alpha = error_heading(decisions.attrs), _short_alpha(decisions.attrs)
    units = _unit_noun(decisions.attrs)
    lines = []
    for where, lies, lacks in (
        ("inside", inside, f"for {name} <= {alpha}, more {units} are needed by"),
        (
            "beyond",
            (lower > high) | (upper < low),
            f"{name} > {alpha} withholds the verdict of",
        ),
    ):
        withheld = int((lies & table["verdict"].isin(OPEN)).sum())
        if withheld:
            n = int(lies.sum())
            rows = f"{n:,} interval{'s' * (n > 1)} lie{'s' * (n == 1)} {where}"
            lines.append(f"{rows}; {lacks} {withheld:,} of them.")
    return lines


def has_shrunken(effects: xr.Dataset) -> bool:
    """Return whether hierarchical effect sizes stand beside effects."""
    return "shrunken" in effects and bool(effects["shrunken"].notnull().any())


def cluster_noun(attrs: Mapping[Any, Any]) -> str:
    """Return what units are clustered by, such as "parent".

    Examples
    --------
    >>> cluster_noun({"cluster": "parent"}), cluster_noun({"cluster": "unit"})
    ('parent', 'cluster')
    """
    cluster = str(about(attrs, None).cluster or "cluster")
    return "cluster" if cluster == "unit" else cluster


def _count_note(decisions: xr.Dataset) -> str:
    """Return the sentence on what n is, where units are clustered."""
    if not {"n_units", "n_clusters"} <= set(decisions.variables):
        return ""
    units, clusters = (decisions[name].to_numpy() for name in ("n_units", "n_clusters"))
    if (units == clusters).all():
        return ""
    return (
        f"n is the number of independent units ({clusters.max():,} "
        f"{cluster_noun(decisions.attrs)}s, of {units.max():,} units)."
    )


CHANGED_OUTCOMES = (
    "The outcomes are not those that this run recorded: their values were changed "
    "afterward, which no protocol covers."
)


def trial_history(attrs: Mapping[Any, Any]) -> list[str]:
    """Return sentences on confirmation, stopping, protocol and, where another analysis
    was planned, exploratory choices of a trial.

    Examples
    --------
    >>> trial_history({"exploratory": "control, rope"})
    ['Exploratory, chosen after the outcomes were seen: control, rope.']
    """
    here, lines = about(attrs, None), list[str]()
    if here.confirms:
        lines.append(f"Confirmation: {here.confirms}.")
    if here.stopped:
        monitored = here.until and here.error != "sequence"
        holds = (
            "; the intervals that hold over all looks are look_lower and look_upper of "
            "the outcomes"
        )
        lines.append(f"Sequential trial: {here.stopped}{holds if monitored else ''}.")
    if here.protocol:
        lines.append(
            f"Protocol {here.protocol[:16]}..., locked {here.protocol_locked}, run from "
            f"{here.protocol_started}."
        )
    return [*lines, *urgent_history(attrs)]


def urgent_history(attrs: Mapping[Any, Any]) -> list[str]:
    """Return what of its history stands under a table however long its foot is."""
    here = about(attrs, None)
    lines = [CHANGED_OUTCOMES] if here.protocol and here.protocol_changed else []
    if here.exploratory not in (None, "", NOTHING_PLANNED):
        lines.append(
            f"Exploratory, chosen after the outcomes were seen: {here.exploratory}."
        )
    return lines


def error_heading(attrs: Mapping[Any, Any]) -> str:
    """Return the heading of the error of verdicts in a table: q, or p where each row is
    decided by itself.
    """
    return "p" if about(attrs, None).error == "each" else "q"


def error_text(
    row: Mapping[str, Any], attrs: Mapping[Any, Any], *, clause: bool = False
) -> str:
    """Return the error of a row's verdict for a cell, or as a clause; empty where a
    confidence sequence bounds that of all. An undecided row has none, and a dash,
    unless its interval lies in a region.

    Examples
    --------
    >>> row = {"lower": 0.0, "upper": 0.4, "rope_lower": -0.1, "rope_upper": 0.1}
    >>> error_text(row | {"verdict": "undecided", "q": 0.3}, {"error": "fdr"})
    '–'
    """
    if row.get("q") is None:
        return ""
    if row["verdict"] in OPEN and not side_of_region(row):
        return "" if clause else "–"
    of_units = about(attrs, None).target == "units"
    exact = ("exact" if of_units else "alike") if row.get("exact") else ""
    if not clause:
        return format_p(row["q"], exact=exact)
    return p_clause(row["q"], name=error_heading(attrs), exact=exact)


def side_of_region(row: Mapping[str, Any]) -> str:
    """Return where the interval of a row lies: "above", "below" or "inside" its region,
    else empty.

    Examples
    --------
    >>> row = {"lower": 0.2, "upper": 0.4, "rope_lower": -0.1, "rope_upper": 0.1}
    >>> side_of_region(row)
    'above'
    """
    lower, upper = row.get("lower", -math.inf), row.get("upper", math.inf)
    low, high = row["rope_lower"], row["rope_upper"]
    if lower > high:
        return "above"
    if upper < low:
        return "below"
    return "inside" if low < high and low <= lower and upper <= high else ""


def _beyond(q: float, alpha: float) -> str:
    """Return q with the digits that show it larger than alpha."""
    texts = [f"{q:.{digits}g}" for digits in (2, 3, 4, 6)]
    return next((text for text in texts if float(text) > alpha), texts[-1])


def verdict_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return "increases, above the ROPE ±0.1 (q = 0.012)", or why an effect is
    undecided.

    Examples
    --------
    >>> row = {
    ...     "verdict": "undecided",
    ...     "rope_lower": -0.1,
    ...     "rope_upper": 0.1,
    ...     "n_units": 100,
    ...     "more_units": 300,
    ... }
    >>> verdict_in_words(row, {"error": "fdr"})
    'undecided relative to the ROPE ±0.1; about 400 units would be needed'
    >>> one_sided = {"rope_lower": -math.inf, "rope_upper": 0.5, "q": 0.01}
    >>> verdict_in_words(one_sided | {"verdict": "negligible"}, {"error": "fdr"})
    'not above 0.5 (q = 0.010)'
    """
    verdict = str(row["verdict"])
    low, high = row["rope_lower"], row["rope_upper"]
    end = four_digits(low if math.isinf(high) else high)
    single = low == high or math.isinf(high - low)
    region = end if single else f"{noun_of_region(attrs)} {region_of(low, high)}"
    if verdict in OPEN:
        what = "in direction" if low == high else f"relative to {region}"
        return f"{verdict} {what}{why_undecided(row, attrs)}"
    side, error = VERDICT_WORDS[verdict].side, error_text(row, attrs, clause=True)
    said = f"{verdict}, {_SIDES[side]} {region}"
    if single and side == 0:
        said = verdict_word(row, attrs)
    return f"{said}{error and f' ({error})'}"


def verdict_word(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return the verdict of a row; of a region of one side, what an effect inside is not:
    on its open side it may be large. Of a region without no effect, the side: an effect
    between them neither increases nor decreases, and one inside is not negligible.

    Examples
    --------
    >>> row = {"verdict": "negligible", "rope_lower": -math.inf, "rope_upper": 0.5}
    >>> verdict_word(row, {}), verdict_word(row | {"rope_lower": -0.5}, {})
    ('not above 0.5', 'negligible')
    >>> apart = {"rope_lower": 0.2, "rope_upper": 0.5}
    >>> [verdict_word({"verdict": x} | apart, {}) for x in ("decreases", "negligible")]
    ['below 0.2', 'within']
    """
    verdict = str(row["verdict"])
    low, high, side = row["rope_lower"], row["rope_upper"], VERDICT_WORDS[verdict].side
    null = float(about(attrs, 0.0).null_value)
    if side == 0 and math.isinf(high - low):
        where, end = ("above", high) if math.isinf(low) else ("below", low)
        return f"not {where} {four_digits(end)}"
    if verdict == NEGLIGIBLE and not low <= null <= high:
        return "within"
    if side == -1 and low > null:
        return f"below {four_digits(low)}"
    return f"above {four_digits(high)}" if side == 1 and high < null else verdict


def why_undecided(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return a clause on what an undecided effect lacks: units, or a small error where
    its interval lies in a region.
    """
    side = "" if row.get("q") is None else side_of_region(row)
    if side:
        what = "it" if row.get("p_matched") is not None else "its interval"
        q = f"{error_heading(attrs)} is {_beyond(row['q'], _alpha(attrs))}"
        largest = about(attrs, None).largest
        if largest and row.get("p_verdict", 0.0) > _alpha(attrs) * (
            1 + RELATIVE_ROUNDING
        ):
            size = largest if isinstance(largest, str) else f"{largest:g}"
            q = f"{_unit_noun(attrs)} with effects of up to {size} may have been missed"
        return f"; {what} lies {side}, but {q}"
    more, n = row.get("more_units", -1), row.get("n_units")
    if more is None or more < 0 or n is None or about(attrs, None).target == "units":
        return ""
    unit = int(10 ** max(len(str(n + more)) - 2, 0))
    total = f"{-(-(n + more) // unit) * unit:,}"  # rounded up to two digits
    if about(attrs, None).null_kind == "genomic":  # more of them cannot be drawn
        return f"; about {total} such sequences would be needed, and there are {n:,}"
    of_arms = " in these arms" if about(attrs, None).assignment == "parallel" else ""
    return f"; about {total} {_unit_noun(attrs)}{of_arms} would be needed"


def exact_in_words(row: Mapping[str, Any], attrs: Mapping[Any, Any]) -> str:
    """Return a clause on effects without variation: exact for these units, the same in
    all units of a sample.
    """
    n = row.get("n_clusters") or row.get("n_units")
    if not n or about(attrs, None).target == "units":
        return " (exact: no unit differs)"
    if n == 1:
        return " (of one unit)"
    return f" (the same in all {n:,} {_unit_noun(attrs)})"

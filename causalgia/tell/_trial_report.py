"""Populations and effects in words: clauses of reports, methods and pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalgia.attributes import about, has
from causalgia.choices import TARGET_MEANINGS, Rows
from causalgia.effect_table import (
    gaps_in_words,
    has_gaps,
    tasks_in_table,
)
from causalgia.effects.scales import stored_task_weights, task_weights_in_words
from causalgia.errors import DataError, printable, quoted
from causalgia.inputs import format_share, parse_json
from causalgia.outcome_values import n_selected
from causalgia.schema import keeps_effects, validate
from causalgia.tell.effect_rows import (
    Row,
    rows_of,
)
from causalgia.tell.table_formats import format_effect, is_large, shrunken_effect
from causalgia.tell.verdict_sentences import (
    effect_heading,
    effect_name,
    exact_in_words,
    is_decided,
    verdict_in_words,
)

if TYPE_CHECKING:
    import xarray as xr

_EFFECTS_LISTED = 6
_MEMBERS = {
    "seeds": ("retrainings of the predictor", "the next retraining of the predictor"),
    "folds": (
        "trainings on other folds of the data",
        "the next training on another fold of the data",
    ),
    "architectures": (
        "networks of other architectures",
        "a network of the next architecture",
    ),
}
"""Population of the members of an ensemble, and one more member, in words."""
_FROM_PARENTS = ("shuffle", "dinucleotide_shuffle", "klet_shuffle", "genomic")
"""Null models that may use a part of their sequences."""


def sentences(
    estimates: xr.Dataset, *, rows: Rows = "summary", every: bool = False
) -> list[str]:
    """Return a sentence for each effect (more than six only with verdicts, or if
    `every`), without those of placebos unless all `rows` are asked for.
    """
    effects = [
        row for row in rows_of(estimates) if rows == "all" or not row["is_placebo"]
    ]
    large = any(map(is_large, effects))
    if not every and len(effects) > _EFFECTS_LISTED and not is_decided(estimates):
        return []
    return [sentence(estimates, row, scientific=large) for row in effects]


def sentence(estimates: xr.Dataset, row: Row, *, scientific: bool = False) -> str:
    """Return one row of `rows` as a sentence: contrast, effect, verdict, units."""
    attrs = estimates.attrs
    where = "".join(
        f" in {row[name]}"
        for name in ("task", "model")
        if estimates.sizes.get(name, 1) > 1
    )
    where += task_contrast_text(estimates)[0] if estimates.sizes["task"] == 1 else ""
    control = about(attrs, None).control
    against = f" {versus(attrs)} {quote_if_spaced(control)}" if control else ""
    ace, interval = format_effect(row, scientific=scientific)
    alone = "known exactly" if row.get("exact") else "without a standard error"
    size = f"{ace} {interval}" if interval else f"{ace}, {alone}"
    if not math.isnan(row.get("shrunken", math.nan)):
        size += f", shrunken {' '.join(shrunken_effect(row, scientific=scientific))}"
    size += exact_in_words(row, attrs) if row.get("exact") and interval else ""
    name = quote_if_spaced(row["contrast"])
    claim = f"{name}{against}{where}: {effect_heading(attrs)} {size}"
    if not is_decided(estimates):
        return f"{claim}."
    n = row.get("n_units")
    units = "" if n is None else f"; {n:,} units"
    if n is not None and row.get("n_clusters", n) != n:
        units += f" in {row['n_clusters']:,} clusters"
    return f"{claim}; {verdict_in_words(row, attrs)}{units}."


def scale_text(attrs: Mapping[Any, Any]) -> str:
    """Return the scale of the effects, in the words of the predictor, on one line."""
    known = about(attrs, None).contrast_scale or about(attrs, None).scale or "outcome"
    return "the outcome" if known == "outcome" else in_one_line(known)


def task_contrast_text(estimates: xr.Dataset) -> tuple[str, str]:
    """Return contrasts between tasks as a clause, ", K562 - HepG2", and lines on names
    that are not their weights.
    """
    known = stored_task_weights(estimates)
    rows = {name: known[name] for name in tasks_in_table(estimates) if name in known}
    if not rows:
        return "", ""
    words = {name: task_weights_in_words({name: row}) for name, row in rows.items()}
    if len(rows) > 1:
        named = {name: text for name, text in words.items() if text != name}
        lines = (
            [f"{name}: {text}" for name, text in named.items()]
            if len(named) <= _EFFECTS_LISTED
            else []
        )
        return f", {task_weights_in_words(rows)}", "\n".join(lines)
    name, text = next(iter(words.items()))
    return f", {text}" if name == text else f", {name} ({text})", ""


def versus(attrs: Mapping[Any, Any]) -> str:
    """Return how an arm is compared with its control: "minus", or "divided by" for
    ratios.
    """
    return "divided by" if about(attrs, None).transform == "ratio" else "minus"


def population_text(estimates: xr.Dataset) -> str:
    """Return the population of the average effects as a clause: ", over uniform random
    sequences of 200 bp"; empty for effects as given, of which none is known.
    """
    here, known = has(estimates), about(estimates, None)
    if not (here.null or here.target or "n_units" in estimates):
        return ""
    null = known.null or "the population that the units were drawn from"
    null += part_used(estimates)
    draws, units = null, "units"
    if known.null_kind == "genomic":
        draws, units = (
            f"{real_sequences(estimates.attrs)}{part_used(estimates)}",
            "sequences",
        )
        of = "these" if known.null_sequences is None else draws
        null = f"the population that {of} represent"
        null = null.replace("these", "these sequences", 1) if of == "these" else null
        null = draws if known.null_sequences == 1 else null
    members, next_member = _MEMBERS.get(known.model_is or "seeds", _MEMBERS["seeds"])
    target = TARGET_MEANINGS.get(str(known.target), TARGET_MEANINGS["population"])
    return ", " + target.over.format(
        null=null, draws=draws, units=units, members=members, next_member=next_member
    )


def real_sequences(attrs: Mapping[Any, Any]) -> str:
    """Return the real sequences of a null model, with the draws of each.

    Examples
    --------
    >>> real_sequences({"null_sequences": 24, "null_length": 9, "null_draws": 5})
    '24 real sequences of 9 bp, 5 draws of each'
    >>> real_sequences({"null_sequences": 1, "null_length": 9, "null_draws": 5})
    '5 draws of one real sequence of 9 bp'
    """
    here = about(attrs, None)
    n, draws = here.null_sequences, here.null_draws or 1
    length = f" of {here.null_length} bp" if here.null_length else ""
    if n is None:
        return f"real sequences{length}"
    if n == 1:
        return f"{f'{draws} draws of ' if draws > 1 else ''}one real sequence{length}"
    parents = here.null_parents or n
    of = f", {parents:,} parent{'s' * (parents > 1)}" if parents < n else ""
    each = f", {draws} draws of each" if draws > 1 else ""
    return f"{n:,} real sequences{length}{of}{each}"


def selection_text(found: xr.Dataset) -> str:
    """Return "a selection: 128 of the 250 drawn" where units were left out after the
    draw.
    """
    n = n_selected(found)
    if n is None:
        return ""
    return f"a selection: {n:,} of the {about(found).n_drawn:,} drawn"


def part_of_draw(found: xr.Dataset) -> str:
    """Return the selection in parentheses; empty where all units are there."""
    text = selection_text(found)
    return text and f" ({text})"


def part_used(estimates: xr.Dataset) -> str:
    """Return " (20 used)" where units descend from a part of the sequences, or of the
    draw.
    """
    here = about(estimates, None)
    if part := part_of_draw(estimates):
        return part
    if here.null_kind not in _FROM_PARENTS or "n_units" not in estimates:
        return ""
    by_parent = here.cluster == "parent" and "n_clusters" in estimates
    of = here.null_parents if by_parent else here.null_rows
    used = estimates["n_clusters" if by_parent else "n_units"].to_numpy()
    if of is None or used.max() >= of * (1 if by_parent else here.null_draws or 1):
        return ""
    return f" ({_count_range(used)} used)"


def count_clause(estimates: xr.Dataset) -> str | None:
    """Return "5,000 units in 500 clusters (parent)", and of how many drawn they are a
    selection; None where the number is not known.
    """
    clause = units_clause(estimates)
    return clause and ", ".join(filter(None, [clause, selection_text(estimates)]))


def units_clause(estimates: xr.Dataset) -> str | None:
    """Return "5,000 units in 500 clusters (parent)", None where the number is not
    known.
    """
    if "n_units" not in estimates:
        return None
    clause = _counted(estimates["n_units"].to_numpy(), "unit")
    if is_clustered(estimates):
        clusters = _counted(estimates["n_clusters"].to_numpy(), "cluster")
        clause += f" in {clusters} ({about(estimates).cluster})"
    return clause


def is_clustered(estimates: xr.Dataset) -> bool:
    """Return whether several units may share a cluster."""
    by = about(estimates, None).cluster
    return "n_clusters" in estimates and by not in (None, "", "unit")


def _counted(counts: npt.NDArray[np.int64], what: str) -> str:
    return f"{_count_range(counts)} {what}{'s' if counts.max() != 1 else ''}"


def _count_range(counts: npt.NDArray[np.int64]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def in_one_line(text: object) -> str:
    """Return a text in one line: its line ends and tabs are escaped."""
    return printable(str(text)).replace("\n", r"\n").replace("\t", r"\t")


def quote_if_spaced(name: str) -> str:
    """Return a name, in quotes if it has a space.

    Examples
    --------
    >>> quote_if_spaced("wt"), quote_if_spaced("wild type")
    ('wt', "'wild type'")
    """
    return f"'{name}'" if " " in name else name


_HALF = 0.5


def shape_lines(estimates: xr.Dataset) -> list[str]:
    """Return the line on effects with half the variance from one unit, if any.

    Examples
    --------
    >>> import xarray as xr
    >>> columns = {"ace": 0.3, "leverage": 0.99, "n_units": 100}
    >>> table = xr.Dataset(
    ...     {name: (("contrast", "task"), [[x]]) for name, x in columns.items()}
    ... )
    >>> shape_lines(table.assign_coords(contrast=["GATA1"], task=["K562"]))
    ['One unit carries 99 % of the variance of GATA1.']
    """
    if "leverage" not in estimates:
        return []
    leverage = estimates["leverage"].transpose(*estimates["ace"].dims).to_numpy()
    n = int((leverage > _HALF).sum())
    if not n:
        return []
    at = np.unravel_index(int(np.nanargmax(leverage)), leverage.shape)
    most, name = format_share(leverage[at]), effect_name(estimates, at)
    by = about(estimates, "unit").cluster or "unit"
    have = "row has" if n == 2 else "rows have"
    others = f"; {n - 1:,} more {have} half or more from one" if n > 1 else ""
    return [f"One {by} carries {most} of the variance of {name}{others}."]


def describe_outcomes(outcomes: xr.Dataset, *, every_arm: bool = False) -> str:
    """Describe a Dataset of outcomes: population, units, arms in do-notation,
    predictor, analysis, stopping.

    Parameters
    ----------
    outcomes
        From `causalgia.run` (or the effects or moments that it stored) or
        `causalgia.from_frame`.
    every_arm
        Whether each placebo gets its own line.

    Returns
    -------
    str
        One fact a line.

    Raises
    ------
    DataError
        If `outcomes` is not a Dataset of outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> do = ("arm", ["do()", "do(x[3:7] = GATA)"])
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [3.0]]])},
    ...     coords={
    ...         "unit": [0],
    ...         "arm": ["control", "GATA1"],
    ...         "task": ["K562"],
    ...         "do": do,
    ...     },
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
        validate(outcomes, "outcomes", positions=True, gaps=True)
    n_units = (
        outcomes.sizes["unit"]
        if "unit" in outcomes.sizes
        else int(outcomes["n_units"].max())
    )
    attrs = outcomes.attrs
    assignment = f", {about(attrs).assignment}" if has(attrs).assignment else ""
    assignment += f" ({gaps_in_words(outcomes)})" if has_gaps(outcomes) else ""
    digest = about(attrs, "").predictor_fingerprint
    predictor = (
        f"{about(attrs).predictor}{digest and f' ({digest})'}"
        if has(attrs).predictor
        else digest
    )
    facts = {
        "trial": about(attrs, None).name,
        "population": about(attrs, None).null,
        "units": f"{n_units:,}{part_of_draw(outcomes)}{assignment}",
        "kept": (
            "effects alone" if "ice" in outcomes else "moments of the effects alone"
        )
        if of_effects
        else None,
        "outcome": (
            f"{tasks_in_words(outcomes)}, on "
            f"{in_one_line(about(attrs, 'an unnamed scale').scale)}"
        ),
        "predictor": predictor,
        "design": about(attrs, None).design_fingerprint,
        "sources": _sources_text(attrs),
        "reserved": about(attrs, None).reserved,
        "seed": about(attrs, None).rng,
        "confirms": about(attrs, None).confirms,
        "stopped": about(attrs, None).stopped,
        "planned": _analysis_text(about(attrs, None).analysis),
    }
    lines = [
        *(f"{name:<12}{fact}" for name, fact in facts.items() if fact),
        *_arm_lines(outcomes, of_effects, every_arm),
    ]
    return printable("\n".join(lines))


def _sources_text(attrs: Mapping[Any, Any]) -> str | None:
    """Return what was predicted beside the units: "the 10 source sequences, ..."."""
    if not has(attrs).source_sequences:
        return None
    n = int(about(attrs).source_predictions)
    return f"{about(attrs).source_sequences}, {n:,} predictions beside the units"


def _analysis_text(stored: str | None) -> str | None:
    """Return what an analysis in ``attrs["analysis"]`` says, as its arguments:
    "control='placebo', ci_prob=0.9".
    """
    if stored is None:
        return None
    plain = parse_json(stored, DataError, source="attrs['analysis'] of the outcomes")
    return (
        ", ".join(f"{name}={quoted(value)}" for name, value in plain.items())
        if isinstance(plain, dict)
        else stored
    )


def tasks_in_words(outcomes: xr.Dataset) -> str:
    """Return "tasks K562, HepG2"."""
    tasks = [str(task) for task in outcomes["task"].to_numpy()]
    few = ", ".join(tasks[:4]) + (f", ... ({len(tasks)})" if len(tasks) > 4 else "")
    return in_one_line(f"task{'s' if len(tasks) > 1 else ''} {few}")


def _arm_lines(outcomes: xr.Dataset, of_effects: bool, every_arm: bool) -> list[str]:
    # a sequential trial also has the contrasts of its looks, beside its arms
    what = "contrast" if of_effects else "arm"
    if what not in outcomes.coords:
        return []
    names = outcomes[what].to_numpy().astype(str).tolist()
    known = "do" in outcomes.coords and outcomes["do"].dims == (what,)
    do = outcomes["do"].to_numpy() if known else [""] * len(names)
    shown = list(zip(names, do, strict=True))
    if "kind" in outcomes.coords and not of_effects and not every_arm:
        fixed = outcomes["kind"].to_numpy() == "fixed_placebo"
        shown = [
            one for one, left_out in zip(shown, fixed, strict=True) if not left_out
        ]
    width = max((len(name) for name, _ in shown), default=0)
    left = len(names) - len(shown)
    return [
        f"{len(names)} {what}{'s' * (len(names) != 1)}:",
        *(f"  {name:<{width}}  {text}".rstrip() for name, text in shown),
        *([f"  and {left} placebos"] if left else []),
    ]


_IDENTITY = {
    "design_fingerprint": "design",
    "predictor_fingerprint": "predictor",
    "rng": "seed",
}


def check_same_trial(
    name: str,
    part: Any,
    result: Any,
    *,
    cure: str = "give those of this trial, or leave them out",
) -> None:
    """Raise DataError unless outcomes or checks are of the trial of a result, as
    far as both say.

    Design, predictor and seed are compared, and outcomes have the units that the
    effects are of.

    Examples
    --------
    >>> import xarray as xr
    >>> check_same_trial(
    ...     "outcomes", xr.Dataset(attrs={"rng": "3"}), xr.Dataset(attrs={"rng": "4"})
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: outcomes are of another seed (3) than the effects (4); give those of this trial, ...
    """
    for key, what in _IDENTITY.items():
        one, other = (str(getattr(x, "attrs", {}).get(key, "")) for x in (part, result))
        if one and other and one != other:
            raise DataError(
                f"{name} are of another {what} ({one}) than the effects ({other}); "
                f"{cure}"
            )
    there = getattr(part, "sizes", {}).get("unit")
    used = (
        int(result["n_units"].max())
        if "n_units" in getattr(result, "variables", ())
        else 0
    )
    if there is not None and used > there:
        raise DataError(
            f"{name} have {there:,} units, and the effects are of {used:,}; {cure}"
        )

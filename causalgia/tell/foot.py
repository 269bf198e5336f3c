"""What stands beside a table of effects: what is compared, on what, how verdicts were
reached, and the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about, has, of_sequences
from causalgia.checks import in_list
from causalgia.choices import TARGET_MEANINGS
from causalgia.effect_table import tasks_in_table
from causalgia.effects.scales import FUNCTION
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.notes import Said, as_said, notes_of
from causalgia.tell._trial_report import (
    count_clause,
    is_clustered,
    part_of_draw,
    part_used,
    population_text,
    quote_if_spaced,
    real_sequences,
    shape_lines,
    task_contrast_text,
    units_clause,
    versus,
)
from causalgia.tell.effect_rows import placebo_count
from causalgia.tell.folded_text import cut, fits, fitted_foot
from causalgia.tell.table_formats import percent
from causalgia.tell.verdict_sentences import (
    effect_heading,
    is_decided,
    is_simultaneous,
    rule_sentence,
    tasks_without_verdict,
    trial_history,
    undone_by,
    urgent_cautions,
    urgent_history,
    verdict_cautions,
    verdict_facts,
)

_FEW_CONTROLS, _MOST_WEIGHTS, _MOST_ARMS = 2, 2_000_000, 6
MOST_SENTENCES = 3
"""Tasks, or predictors of an ensemble, that have a sentence above the table."""
_IN_EXAMPLE = 20
"""Columns of a name in an example of what is subtracted."""
_ACE = "ACE: average causal effect."
_UNNAMED = "outcome"
_ASSIGNED = {
    "crossover": "every arm on each",
    "parallel": "each arm on {units} of its own",
    "incomplete": "some cells missing",
}


def in_task(sentence: str) -> str:
    """Return the sentence of an experiment with its task as part of it.

    Examples
    --------
    >>> in_task(Said("the pair is additive.", "K562")), in_task("All are.")
    ('In K562, the pair is additive.', 'All are.')
    """
    said = as_said(sentence)
    if said.task is None:
        return said.clause
    where = "this network" if said.task == _UNNAMED else cut(said.task)
    of_model = "" if said.model is None else f", {said.model}"
    return f"In {where}{of_model}, {said.clause}"


def in_tasks(sentences: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences of an experiment with their tasks as part of them; what is
    the same of several tasks once: "In K562 and HepG2, ...".
    """
    alike: dict[tuple[str, bool], list[Said]] = {}
    for said in map(as_said, sentences):
        whole = said.task is None or said.model is not None
        key = (str(said), True) if whole else (said.clause, False)
        alike.setdefault(key, []).append(said)
    return tuple(
        in_task(found[0])
        if len(found) == 1 or whole
        else f"In {in_list([cut(str(said.task)) for said in found])}, {text}"
        for (text, whole), found in alike.items()
    )


def sentences_on_tasks(found: Sequence[str], shown: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences of an answer without those on other tasks.

    Examples
    --------
    >>> found = [
    ...     Said("additive.", "RNA"),
    ...     Said("more.", "DNA"),
    ...     "Additive on the whole.",
    ... ]
    >>> sentences_on_tasks(found, ["DNA"])
    ('Task DNA: more.', 'Additive on the whole.')
    """
    return tuple(text for text in found if as_said(text).task in {None, *shown})


def first_sentences(
    found: Sequence[str], effects: xr.Dataset, tasks: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences of an answer that stand above the table, those on some tasks,
    and the others; of an ensemble three predictors and the mean over all have one there.

    Parameters
    ----------
    found
        Sentences, each with its task and model (`causalgia.notes.Said`).
    effects
        Estimates or decisions of all tasks.
    tasks
        Those that have a sentence above the table.
    """
    shown = sentences_on_tasks(found, tasks_in_table(effects))
    first = [as_said(text) for text in sentences_on_tasks(shown, tasks)]
    ensemble = any(said.model is not None for said in first)
    places = dict.fromkeys(
        (said.task, said.model)
        for said in first
        if (said.model if ensemble else said.task) is not None
    )
    later = set([*places][MOST_SENTENCES:])
    above = [said for said in first if (said.task, said.model) not in later]
    return tuple(above), tuple(text for text in shown if text not in above)


def foot_lines(
    effects: xr.Dataset,
    shown: set[str],
    pointer: str = "",
    others: int = 0,
    also: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Return what stands under a table: what the effects are and how verdicts were
    reached; in three lines of 100 columns also what else a reader has to know of these
    rows, or else where it is; and what is for the notes: what did not find room, and
    what would undo the weakest verdict.

    Parameters
    ----------
    effects
        Estimates or decisions.
    shown
        The contrasts in the table.
    pointer
        How notes are asked for; empty where they are printed.
    others
        How many notes there are besides.
    also
        What else stands there in any case.
    """
    attrs, decided = effects.attrs, is_decided(effects)
    names, placebos = effects["contrast"].to_numpy().astype(str), is_placebo(effects)
    rule = ""
    if decided:
        listed = shown & {*names[placebos].tolist()}
        in_one_row = placebos.any() and not (placebos.all() or listed)
        rule = rule_sentence(
            effects.isel(contrast=~placebos) if in_one_row else effects
        )
    elif is_simultaneous(effects):
        band = about(attrs).band.replace("_", "-")
        over = f", {about(attrs).family}" if about(attrs, None).family else ""
        rule = (
            f"{percent(float(about(attrs).ci_prob))} simultaneous interval "
            f"({band}{over}); p is of each contrast alone."
        )
    facts = verdict_facts(effects) if decided else []
    aside = [text for text in [undone_by(effects) if decided else ""] if text]
    urgent = [
        *urgent_cautions(effects),
        *urgent_history(attrs),
        *tasks_without_verdict(effects),
    ]
    in_table = np.isin(names, [*shown])
    last = [
        *also,
        *facts,
        *shape_lines(effects.isel(contrast=in_table) if in_table.any() else effects),
        *(verdict_cautions(effects) if decided else urgent_cautions(effects)),
        *trial_history(attrs),
        *tasks_without_verdict(effects),
    ]
    how: dict[str, Any] = {"pointer": pointer, "n_notes": others + len(aside)}
    how |= {"always": [*also, *facts, *urgent], "in_one_line": True}
    settings = _settings(effects)
    for setting in settings:  # the longest for which there is room
        first = [line for line in (setting, rule) if line]
        under_table, no_room = fitted_foot(first, last, **how)
        if setting == settings[-1]:
            break
        shortest = [line for line in (settings[-1], rule) if line]
        least = fitted_foot(shortest, last, **how)[1]
        if no_room == least and (fits(under_table) or not pointer):
            break
    return under_table, [*no_room, *aside]


def _settings(effects: xr.Dataset) -> list[str]:
    """Return the sentence on what effects are: with an example of the controls and with
    ACE spelt out, with one of both, and without.
    """
    plain, example = _setting(effects), _setting(effects, example=True)
    if not plain:
        as_given = f"Effects{' and standard errors' * ('se' in effects)} as given."
        return [""] if is_decided(effects) else [as_given]
    if effect_heading(effects.attrs) != "ACE":
        return [plain]
    longer = [f"{example} {_ACE}", example] if example != plain else []
    return [*longer, f"{plain} {_ACE}", plain]


def _setting(effects: xr.Dataset, *, example: bool = False) -> str:
    """Return what is compared, on what, and whether every arm is on each unit; empty
    where nothing is known.
    """
    attrs, here = effects.attrs, about(effects, None)
    compared = _compared(effects, example)
    units = "sequences" if of_sequences(attrs) else "units"
    n_moderated = int(here.moderated_rows or 0)
    parts = [
        compared,
        task_contrast_text(effects)[0][2:],
        _population(effects),
        _ASSIGNED.get(here.assignment or "", "").format(units=units),
        f"variances moderated over {n_moderated:,} rows" if n_moderated else "",
    ]
    text = ", ".join(part for part in parts if part)
    if not text:
        return ""
    text = f"{text}." if compared else f"{text[0].upper()}{text[1:]}."
    return f"Effect on {here.effect_on}. {text}" if here.effect_on else text


def _compared(effects: xr.Dataset, example: bool) -> str:
    """Return what is minus what, in all rows of the table; empty where nothing says
    it.
    """
    here, names = about(effects, None), effects["contrast"].to_numpy().astype(str)
    minus = versus(effects.attrs)
    if here.control:
        each = cut(names[0]) if len(names) == 1 else "Each"
        return f"{each} {minus} {quote_if_spaced(here.control)}"
    if here.constants or here.transform == FUNCTION or "weight" not in effects:
        said = here.estimand or ""
        return f"{said[:1].upper()}{said[1:]}"
    if effects["weight"].size > _MOST_WEIGHTS:
        return ""
    arms = effects["arm"].to_numpy().astype(str).tolist()
    weight = effects["weight"].transpose("contrast", "arm").to_numpy()
    helper = np.zeros(len(weight), bool)
    if "of_question" in effects.variables:
        helper = ~effects["of_question"].to_numpy()
    if len(weight) == 1 and minus == "minus":
        return _sum_of_arms(weight[0], arms)
    parts = []
    for which in (~helper, helper):
        rows = which & ~is_placebo(effects)
        if rows.any():
            what, tells_all = _rows_in_words(weight[rows], arms, minus)
            name = cut(names[rows][0], _IN_EXAMPLE)
            first = f" ({name}: {_sum_of_arms(weight[rows][0], arms)})"
            parts.append(
                f"{what}{first if example and minus == 'minus' and not tells_all else ''}"
            )
    if len({*parts}) < 2:
        return "".join(f"Each {part}" for part in parts[:1])
    return f"Each {parts[0]}; helpers: {parts[1]}"


def _rows_in_words(
    weight: npt.NDArray[np.float64], arms: Sequence[str], minus: str
) -> tuple[str, bool]:
    """Return what each row is, by its weights: "an arm minus untreated", and whether
    that says which arms.
    """
    signs = [(weight == 1), (weight == -1), (weight != 0)]
    counts = np.unique([which.sum(axis=1) for which in signs], axis=1).ravel().tolist()
    if counts == [1, 1, 2]:
        controls = dict.fromkeys(arms[i] for i in weight.argmin(axis=1).tolist())
        if len(controls) > _FEW_CONTROLS:
            return f"an arm {minus} its own control", False
        return f"an arm {minus} {' or '.join(map(_arm, controls))}", True
    if counts == [2, 2, 4] and minus == "minus":
        return "the sum of two arms minus that of two others", False
    return "a weighted sum of arms", False


def _arm(name: str) -> str:
    return "'none'" if name == "none" else quote_if_spaced(cut(name))


def _sum_of_arms(weight: npt.NDArray[np.float64], arms: Sequence[str]) -> str:
    """Return one row as a sum of arms, those that are added first."""
    order = [i for i in np.argsort(-weight, kind="stable").tolist() if weight[i]]
    terms = [
        f"{'- ' if weight[i] < 0 else '+ ' if i != order[0] else ''}"
        f"{'' if abs(weight[i]) == 1 else f'{abs(weight[i]):.3g} '}"
        f"{quote_if_spaced(cut(arms[i], _IN_EXAMPLE))}"
        for i in order[:_MOST_ARMS]
    ]
    return " ".join([*terms, *["..."] * (len(order) > _MOST_ARMS)])


def _population(effects: xr.Dataset) -> str:
    """Return what the effects are averaged over, with the number of units where it is
    one.
    """
    here, target = about(effects, None), about(effects, "population").target
    known = here.null is not None or here.target is not None or "n_units" in effects
    if not known or "p_matched" in effects:  # each variant in its own sequence
        return ""
    count, n = count_clause(effects) or "", _one_number(effects)
    if target == "units" and n is not None:
        return f"for exactly {'this unit' if n == 1 else f'these {count}'}"
    real, rows = here.null_kind == "genomic", here.null_rows or 0
    if real and rows and n is not None and target in ("population", "parents"):
        of = real_sequences(effects.attrs)
        if n == rows * (here.null_draws or 1):
            return f"on {of}{f', {n:,} units' * (rows != here.null_sequences)}"
        if rows == here.null_sequences and here.null_draws == 1:
            return f"on {n:,} of {of}{part_of_draw(effects)}"
    counted = n is not None and not is_clustered(effects) and not real
    if counted and here.null and here.null_kind and target == "population":
        both = " in the two arms" if here.assignment == "parallel" else ""
        return f"on {n:,} {here.null}{part_used(effects)}{both}"
    if target not in TARGET_MEANINGS or (not here.null and target == "population"):
        return count
    words, count = population_text(effects)[2:], units_clause(effects) or ""
    return "; ".join(part for part in (words, count) if part)


def _one_number(effects: xr.Dataset) -> int | None:
    """Return the number of units where it is that of all rows, else None."""
    n = effects["n_units"].to_numpy() if "n_units" in effects else np.zeros(0)
    return int(n.flat[0]) if n.size and (n == n.flat[0]).all() else None


def arm_lines(effects: xr.Dataset, *, every: bool = False) -> list[str]:
    """Return the definition of each contrast in do-notation, without those of placebos
    unless every one is asked for.
    """
    if "do" not in effects.variables:
        return []
    placebos = is_placebo(effects)
    if not every and not placebos.all():
        effects = effects.isel(contrast=~placebos)
    names = effects["contrast"].to_numpy().tolist()
    do = effects["do"].to_numpy().tolist()
    return [f"{name}: {text}" for name, text in zip(names, do, strict=True) if text]


def note_lines(effects: xr.Dataset) -> list[str]:
    """Return what is printed on request: units, assignment and method, and the notes
    that the verbs left.
    """
    here, method = about(effects, None), about(effects, None).method
    if method and is_simultaneous(effects):
        method = f"{method} (SE and p)"
    predicted = has(effects).predictor_fingerprint and not here.effect_on
    facts = [
        "effect on the predictor" if predicted else "",
        count_clause(effects),
        here.assignment,
        method,
    ]
    text = "; ".join(str(part) for part in facts if part)
    notes = [note.rstrip(".") for note in notes_of(effects)]
    defined = task_contrast_text(effects)[1]
    return [
        *([f"{text[0].upper()}{text[1:]}."] if text else []),
        *([defined] if defined else []),
        *(f"Note: {note[:1].upper()}{note[1:]}." for note in notes),
    ]


def columns_in_foot(effects: xr.Dataset) -> list[str]:
    """Return columns with one value in all rows, which the foot says."""
    one = _one_number(effects) is not None and not is_clustered(effects)
    found = ["n"] if one else []
    if "n_matched" in effects and np.ptp(effects["n_matched"].to_numpy()) == 0:
        found.append("null variants")
    return found


def placebos_in_words(effects: xr.Dataset) -> str:
    """Return the range of the placebos over several tasks; empty of one task."""
    placebos = is_placebo(effects)
    if effects.sizes.get("task", 1) < 2 or not placebos.any() or placebos.all():
        return ""
    ace = effects["ace"].isel(contrast=placebos).to_numpy()
    low, high = (f"{x:.2g}" for x in (np.nanmin(ace), np.nanmax(ace)))
    of_all = placebo_count(int(placebos.sum()))
    return f"{of_all} lie from {low} to {high} over all tasks."

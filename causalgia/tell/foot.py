"""What stands beside a table of effects: what is compared, on what, how verdicts were
reached, and the notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about, has, of_sequences
from causalgia.checks import in_list
from causalgia.choices import TARGET_MEANINGS
from causalgia.effect_table import has_gaps, tasks_in_table
from causalgia.effects.scales import stored_task_weights, task_weights_in_words
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import wide as wide
from causalgia.notes import notes_of
from causalgia.tell._trial_report import (
    count_clause,
    population_text,
    quote_if_spaced,
    shape_lines,
    task_contrast_text,
    versus,
)
from causalgia.tell.answer_sentences import cut
from causalgia.tell.effect_rows import (
    placebo_count,
    task_and_heading,
)
from causalgia.tell.folded_text import (
    fits,
    fitted_foot,
)
from causalgia.tell.table_formats import percent
from causalgia.tell.verdict_sentences import (
    CHANGED_OUTCOMES,
    effect_heading,
    is_decided,
    is_simultaneous,
    rule_sentence,
    trial_history,
    usual_range_note,
    verdict_cautions,
    verdict_facts,
)

_FEW_CONTROLS, _MOST_WEIGHTS = 2, 2_000_000


_OWN_CONTROL = "its own control"


_IN_EXAMPLE = 20
"""Columns of a name in an example of what is subtracted."""


_ACE = "ACE: average causal effect."


_LACKING = "no verdict on "
"""How a note on what was left out begins, which is printed where others are asked for."""


_ONE_PARENT_EACH = ("shuffle", "dinucleotide_shuffle", "klet_shuffle", "genomic")


_ASSIGNED = {
    "crossover": "every arm on each",
    "parallel": "each arm on {units} of its own",
    "incomplete": "not every arm on each",
}


def _tasks_of(sentences: Sequence[str], tasks: Sequence[str]) -> set[str]:
    """Return the tasks that sentences are on."""
    named = (task_and_heading(text, tasks)[0] for text in sentences)
    return {name for name in named if name is not None}


def in_tasks(sentences: Sequence[str], effects: xr.Dataset) -> tuple[str, ...]:
    """Return the sentences of an experiment with their tasks as part of them; what is
    the same of several tasks once: "In K562 and HepG2, ...".
    """
    tasks, of_text = tasks_in_table(effects), dict[str, list[str]]()
    for sentence in sentences:
        name, heading = task_and_heading(sentence, tasks)
        alone = name is None or heading != f"Task {name}"
        text = sentence if alone else sentence[len(heading) + 2 :]
        of_text.setdefault(text, []).extend([] if alone else [str(name)])
    return tuple(
        f"In {in_list([cut(name) for name in names])}, {text}"
        if len(names) > 1
        else in_task(f"Task {names[0]}: {text}" if names else text, effects)
        for text, names in of_text.items()
    )


def in_task(text: str, effects: xr.Dataset) -> str:
    """Return the sentence of an experiment with its task as part of it: "In K562, ..."
    in place of "Task K562: ...".
    """
    name, heading = task_and_heading(text, tasks_in_table(effects))
    model = heading.removeprefix(f"Task {name}")
    if name is None or not (model == "" or model.startswith(", model ")):
        return text
    where = "this network" if name == "outcome" else cut(name)
    return f"In {where}{model.replace('model ', '', 1)}, {text[len(heading) + 2 :]}"


def foot_lines(
    effects: xr.Dataset,
    shown: set[str],
    pointer: str = "",
    others: int = 0,
    also: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Return what stands under a table: what the effects are, how verdicts were reached
    and what would undo the weakest; in three lines of 100 columns also what else a
    reader has to know of these rows, or else where it is; and what did not find room,
    which is for the notes.

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
    decided = is_decided(effects)
    attrs = effects.attrs
    how: dict[str, Any] = {"pointer": pointer, "in_one_line": True}
    setting = _setting(effects)
    first = [setting or _as_given(effects)]
    if decided:
        placebos = is_placebo(effects)
        listed = shown & {*effects["contrast"].to_numpy()[placebos].astype(str)}
        in_one_row = placebos.any() and not (placebos.all() or listed)
        first.append(
            rule_sentence(effects.isel(contrast=~placebos) if in_one_row else effects)
        )
    elif is_simultaneous(effects):
        level = percent(float(about(attrs).ci_prob))
        band = about(attrs).band.replace("_", "-")
        over = f", {about(attrs).family}" if about(attrs, None).family else ""
        first.append(
            f"{level} simultaneous interval ({band}{over}); p is of each contrast "
            "alone."
        )
    first = [line for line in first if line]
    facts = verdict_facts(effects) if decided else []
    cautions = verdict_cautions(effects) if decided else []
    withheld = [
        f"N{note[1:]}." for note in notes_of(effects) if note.startswith(_LACKING)
    ]
    always = [
        *also,
        *facts,
        *(
            text
            for text in (*cautions, *trial_history(attrs), *withheld)
            if _is_always_printed(text)
        ),
    ]
    names = [str(name) for name in effects["contrast"].to_numpy()]
    of_shown = effects.isel(
        contrast=[i for i, name in enumerate(names) if name in shown] or slice(None)
    )
    last = [
        *also,
        *facts,
        *shape_lines(of_shown),
        *cautions,
        *trial_history(attrs),
        *withheld,
    ]
    how |= {"n_notes": others, "always": always}
    under_table, no_room = fitted_foot(first, last, **how)
    for longer in _longer_settings(setting, effects):  # where there is room
        spelled, as_before = fitted_foot([longer, *first[1:]], last, **how)
        if as_before == no_room and (fits(spelled) or not pointer):
            under_table = spelled
            break
    return under_table, no_room


def _longer_settings(setting: str, effects: xr.Dataset) -> list[str]:
    """Return the sentence on what effects are with ACE spelt out, and an example of the
    controls where each arm has its own; the most telling first.
    """
    if not setting or effect_heading(effects.attrs) != "ACE":
        return []
    example = ""
    if _OWN_CONTROL in setting:
        one = _differences(effects)[0]
        arms = effects["arm"].to_numpy()
        arm, control = (
            quote_if_spaced(cut(str(arms[i]), _IN_EXAMPLE))
            for i in (one.argmax(), one.argmin())
        )
        example = setting.replace(
            _OWN_CONTROL, f"{_OWN_CONTROL} ({arm} minus {control}, ...)", 1
        )
    found = [f"{example} {_ACE}", example] if example else []
    return [*found, f"{setting} {_ACE}"]


def _is_always_printed(text: str) -> bool:
    """Return whether a sentence has its place under the table however long that is."""
    return text.startswith(
        ("Caution: ", "Exploratory", CHANGED_OUTCOMES[:20], _LACKING.capitalize())
    )


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
    attrs = effects.attrs
    together = is_simultaneous(effects) and not is_decided(effects)
    method = about(attrs, None).method
    method = f"{method} (SE and p)" if together and method else method
    of_predictor = has(attrs).predictor_fingerprint and not about(attrs, None).effect_on
    facts = "; ".join(
        str(part)
        for part in (
            "effect on the predictor" if of_predictor else "",
            count_clause(effects),
            about(attrs, None).assignment,
            method,
        )
        if part
    )
    defined = task_contrast_text(effects)[1]
    cautions = about(attrs, "").caution.split("; ")
    notes = [
        "; ".join(part for part in note.rstrip(".").split("; ") if part not in cautions)
        for note in notes_of(effects)
    ]
    return [
        *([f"{facts[0].upper()}{facts[1:]}."] if facts else []),
        *([defined] if defined else []),
        *([usual] if (usual := usual_range_note(effects)) else []),
        *(
            f"Note: {note[:1].upper()}{note[1:]}."
            for note in notes
            if note and not note.startswith(_LACKING)
        ),
    ]


def _setting(effects: xr.Dataset) -> str:
    """Return what is compared, on what, and whether every arm is on each unit; empty
    where nothing is known.
    """
    attrs = effects.attrs
    compared = ""
    if about(attrs, None).control:
        control = about(attrs).control
        control = f"'{control}'" if " " in control else control
        names = effects["contrast"].to_numpy()
        first = cut(str(names[0])) if len(names) == 1 else "Each"
        compared = f"{first} {versus(attrs)} {control}"
    elif has(attrs).divergence or about(attrs, None).estimand:
        weights = stored_task_weights(effects)
        weighted = f"{task_weights_in_words(weights)}, of " if weights else ""
        words = about(attrs, "").estimand.removeprefix(weighted)
        words = words.removeprefix("the ")
        if words and not words.startswith("mean over units of the weighted sum"):
            compared = f"{words[0].upper()}{words[1:]}"
    compared = compared or _subtracted(effects)
    on_tasks = task_contrast_text(effects)[0].removeprefix(", ")
    where = _population(effects)
    assigned = str(about(attrs, None).assignment or "")
    assigned = _ASSIGNED.get(assigned, "" if has_gaps(effects) else assigned)
    assigned = assigned.format(units="sequences" if of_sequences(attrs) else "units")
    n_moderated = int(about(attrs, 0).moderated_rows)
    moderated = f"variances moderated over {n_moderated:,} rows" if n_moderated else ""
    parts = [p for p in (compared, on_tasks, where, assigned, moderated) if p]
    if not parts:
        return ""
    text = ", ".join(parts)
    on = about(attrs, None).effect_on
    text = f"{text[0].upper()}{text[1:]}." if parts[0] is not compared else f"{text}."
    return f"Effect on {on}. {text}" if on else text


def _subtracted(effects: xr.Dataset) -> str:
    """Return what is subtracted from arms, where contrasts are named: "Arms minus
    untreated"; empty where none is a difference of two arms, or too many are kept.
    """
    if "weight" not in effects or effects["weight"].size > _MOST_WEIGHTS:
        return ""
    controls = _differences(effects).argmin(axis=1)
    arms = effects["arm"].to_numpy().astype(str)[controls]
    names = [
        "'none'" if name == "none" else quote_if_spaced(name)
        for name in dict.fromkeys(arms.tolist())
    ]
    if not names:
        return ""
    if len(names) > _FEW_CONTROLS:
        return f"Each arm minus {_OWN_CONTROL}"
    return f"Arms minus {' or '.join(cut(name) for name in names)}"


def _differences(effects: xr.Dataset) -> npt.NDArray[np.float64]:
    """Return the weights, (contrast, arm), of the contrasts that are one arm minus
    another, without those of placebos.
    """
    weight = effects["weight"].transpose("contrast", "arm").to_numpy()
    weight = weight[~is_placebo(effects)]
    of_two = ((weight != 0).sum(axis=1) == 2) & (weight.min(axis=1) == -1)
    found: npt.NDArray[np.float64] = weight[of_two]
    return found


def _as_given(effects: xr.Dataset) -> str:
    """Return what effects from elsewhere are, where nothing else is known of them."""
    if is_decided(effects):
        return ""
    return f"Effects{' and standard errors' if 'se' in effects else ''} as given."


def _population(effects: xr.Dataset) -> str:
    """Return what the effects are averaged over, with the number of units where it is
    one.
    """
    attrs = effects.attrs
    known = has(attrs).null or has(attrs).target or "n_units" in effects
    if not known or "p_matched" in effects:  # each variant in its own sequence
        return ""
    null, kind = about(attrs, "").null, about(attrs, "").null_kind
    target = about(attrs, "population").target
    count = count_clause(effects) or ""
    n = re.fullmatch(r"([\d,]+) units?", count)
    shared = re.fullmatch(r"([\d,]+) units in ([\d,]+) clusters \(parent\)", count)
    if (n or shared) and target == "population" and null:
        if kind == "genomic" and " draws each" not in null:
            of = re.search(r"sequences? of ([\d,]+ \w+)", null)
            length = f" of {of[1]}" if of else ""
            used = (n or shared)[1]  # type: ignore[index]  # one of them is there
            parents = f", {shared[2]} parents" if shared else ""
            return f"on {used} real sequence{'s' * (used != '1')}{length}{parents}"
        if n and kind and kind not in _ONE_PARENT_EACH and not re.match(r"[\d,]", null):
            in_both = about(attrs, None).assignment == "parallel"
            return f"on {n[1]} {null}{' in the two arms' if in_both else ''}"
    if drawn := _draws_of_real_sequences(effects):
        return drawn
    words = population_text(effects).removeprefix(", ")
    if n and target == "units":
        return words.replace("these units", f"these {count}")
    if not null and target in ("population", ""):
        words = ""
    if target not in TARGET_MEANINGS:
        words = ""
    return "; ".join(part for part in (words, count) if part)


def _draws_of_real_sequences(effects: xr.Dataset) -> str:
    """Return "on 40 real sequences of 60 bp, 4 draws of each", where every sequence has
    all its draws; else empty.
    """
    found = re.fullmatch(
        r"the real sequences themselves, ([\d,]+) draws each: "
        r"([\d,]+) sequences? of ([\d,]+ \w+)(?:, ([\d,]+) parents?)?",
        about(effects, "").null,
    )
    count = re.fullmatch(
        r"([\d,]+) units(?: in ([\d,]+) clusters \(parent\))?",
        count_clause(effects) or "",
    )
    if not found or not count:
        return ""
    draws, sequences, length, parents = found.groups()
    of_one = about(effects, None).target == "parents"
    wanted = draws if of_one and sequences == "1" else None
    if about(effects, None).target == "population" and count[2] == (
        parents or sequences
    ):
        wanted = f"{int(draws.replace(',', '')) * int(sequences.replace(',', '')):,}"
    if count[1] != wanted:
        return ""
    if of_one:
        return f"on {draws} draws of one real sequence of {length}"
    of = f", {parents} parents" if parents else ""
    return f"on {sequences} real sequences of {length}{of}, {draws} draws of each"


def _one_count(effects: xr.Dataset) -> bool:
    """Return whether all effects are of the same number of units, each its own draw."""
    return re.fullmatch(r"[\d,]+ units?", count_clause(effects) or "") is not None


def _columns_in_foot(effects: xr.Dataset) -> list[str]:
    """Return columns with one value in all rows, which the foot says."""
    found = ["n"] if _one_count(effects) else []
    if "n_matched" in effects and np.ptp(effects["n_matched"].to_numpy()) == 0:
        found.append("null variants")
    return found


def _placebos_in_words(effects: xr.Dataset) -> str:
    """Return the range of the placebos over several tasks; empty of one task."""
    placebos = is_placebo(effects)
    if effects.sizes.get("task", 1) < 2 or not placebos.any() or placebos.all():
        return ""
    ace = effects["ace"].isel(contrast=placebos).to_numpy()
    low, high = (f"{x:.2g}" for x in (np.nanmin(ace), np.nanmax(ace)))
    of_all = placebo_count(int(placebos.sum()))
    return f"{of_all} lie from {low} to {high} over all tasks."

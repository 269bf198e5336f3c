"""Allowed keys and values in the tables of a `trial.toml`."""

from __future__ import annotations

from dataclasses import MISSING, fields

from causalgia.checks import (
    NAME,
    SUBTABLE,
    Keys,
    Table,
    are_texts,
    check_key,
    check_keys,
    is_count,
    is_int64,
    is_number,
    is_table,
    is_text,
    nearest,
    one_of,
    shown,
)
from causalgia.design.arms import INTERVENTIONS
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.errors import DesignError, quoted


def _are_block_labels(value: object) -> bool:
    plain = isinstance(value, list) and all(isinstance(x, str) or is_int64(x) for x in value)
    return value == "parent" or (plain and bool(value))


def _are_design_contrasts(value: object) -> bool:
    return is_text(value) or (is_table(value) and bool(value))


def _is_reserve(value: object) -> bool:
    return is_number(value) and 0 <= value < 1  # type: ignore[operator]


TOP: Keys = {
    "name": NAME,
    "n_units": (is_count, "a whole number of at least 1"),
    "rng": (lambda value: is_int64(value) and value >= 0, "a whole number of at least 0"),
    "assignment": one_of("crossover", "parallel"),
    "blocks": (_are_block_labels, '"parent", or a list with a label for each unit'),
    "reserve": (_is_reserve, "a share of the parents, 0 or more and below 1"),
    "contrasts": (_are_design_contrasts, "the name of the arm that is subtracted, or tables of arm = weight"),
    "null": SUBTABLE,
    "experiment": SUBTABLE,
    "predictor": SUBTABLE,
    "arms": SUBTABLE,
    "placebos": SUBTABLE,
    "analysis": SUBTABLE,
    "mpra": SUBTABLE,
}
PREDICTOR: Keys = {
    "zoo": NAME,
    "factory": NAME,
    "weights": NAME,
    "alphabet": NAME,
    "tasks": (are_texts, "a list of names"),
    "scale": NAME,
    "device": NAME,
    "batch_size": (lambda value: value == "auto" or is_count(value), 'a whole number of at least 1, or "auto"'),
}
PLACEBOS: Keys = {
    "of": (lambda value: is_text(value) or is_table(value), 'a word, or {file = "motifs.meme", motif = "GATA1"}'),
    "at": (is_int64, "a position, counted from 0"),
    "n": (is_count, "a whole number of at least 1"),
    "strand": one_of("+", "-"),
}


def check_null(plain: Table) -> None:
    """Raise DesignError if [null] has an unknown kind or option, or lacks a required option."""
    check_key(plain, "kind", "[null]")
    kind = plain["kind"]
    if not isinstance(kind, str) or kind not in NULL_MODELS:
        near = nearest(str(kind), NULL_MODELS)
        known = ", ".join(NULL_MODELS)
        raise DesignError(f"[null]: kind = {shown(kind)} is not a null model{near}; there are {known}")
    options = [field for field in fields(NULL_MODELS[kind]) if field.init]  # type: ignore[arg-type]
    check_keys(plain, "[null]", ["kind", *(field.name for field in options)])
    for field in options:
        if field.default is MISSING:
            check_key(plain, field.name, f"[null] of kind '{kind}'")


def check_arm(plain: object, place: str) -> Table:
    """Return the table of an arm after checking its keys; values are checked when the arm is created."""
    if not isinstance(plain, dict):
        raise DesignError(f'{place}: {quoted(plain)} is not a table such as {{embed = "AGATAAG", at = 1000}}')
    check_keys(plain, place, [*_arm_keys(plain), "levels"])
    if not isinstance(plain.get("levels", {}), dict):
        raise DesignError(f"{place}: levels = {shown(plain['levels'])} must be a table such as {{distance = 10}}")
    if "steps" in plain:
        if not isinstance(plain["steps"], list):
            raise DesignError(f"{place}: steps = {shown(plain['steps'])} must be a list of tables")
        for number, step in enumerate(plain["steps"], start=1):
            check_arm(step, f"{place}, step {number}")
    return plain


def _arm_keys(plain: Table) -> list[str]:
    """Return the keys allowed with the intervention of an arm; all interventions if it names none."""
    verb = next((verb for verb in plain if verb in INTERVENTIONS or verb == "steps"), None)
    if verb is None:
        return [*INTERVENTIONS, "steps"]
    if verb == "steps":
        return ["steps"]
    kind = INTERVENTIONS[verb]
    return [verb, *(field.name for field in fields(kind) if field.init and field.name != kind.main_field)]  # type: ignore[arg-type]

"""What may stand in the tables of a `trial.toml`: every key, what it takes, and the words for it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, TypeAlias

from causalgia.design import Ablate, Delete, Embed, Insert, Intervention, Mutate, Placebo, PlaceboWord, Scramble
from causalgia.design.null_models import NULL_MODELS
from causalgia.errors import DesignError

Table: TypeAlias = dict[str, Any]
#: key -> (whether a value will do, what will do in words)
Keys: TypeAlias = dict[str, tuple[Callable[[Any], bool], str]]

TARGETS = ("population", "parents", "units", "population x words", "population x predictors")
SCALES = ("identity", "log", "log2", "logit")
METHODS = ("bh", "by", "holm", "hochberg", "bonferroni")


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _whole(value) and value >= 1  # type: ignore[operator]


def _share(value: object) -> bool:
    return _number(value) and 0 < value < 1  # type: ignore[operator]


def _table(value: object) -> bool:
    return isinstance(value, dict)


def _one_of(*names: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: isinstance(value, str) and value in names), "one of " + ", ".join(f'"{n}"' for n in names)


def _weights(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(_zero_sum(row) for row in value.values())


def _zero_sum(row: object) -> bool:
    if not isinstance(row, dict) or not all(map(_number, row.values())):
        return False
    size = sum(map(abs, row.values()))
    return bool(size > 0 and abs(sum(row.values())) <= 1e-9 * size)


def _interval(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and bool(value[0] < value[1])


def _factors(value: object) -> bool:
    return isinstance(value, list) and _texts(value) and len(set(value)) == len(value) >= 2


def _labels(value: object) -> bool:
    plain = isinstance(value, list) and all(isinstance(x, str) or _whole(x) for x in value)
    return value == "parent" or (plain and bool(value))


_NAME = (_text, "text that is not empty")
_SUBTABLE = (_table, "a table")

TOP: Keys = {
    "name": _NAME,
    "n_units": (_count, "a whole number of at least 1"),
    "rng": (lambda value: _whole(value) and value >= 0, "a whole number of at least 0"),
    "assignment": _one_of("crossover", "parallel"),
    "blocks": (_labels, '"parent", or a list with a label for each unit'),
    "null": _SUBTABLE,
    "predictor": _SUBTABLE,
    "arms": _SUBTABLE,
    "placebos": _SUBTABLE,
    "analysis": _SUBTABLE,
}
PREDICTOR: Keys = {
    "zoo": _NAME,
    "factory": _NAME,
    "weights": _NAME,
    "alphabet": _NAME,
    "tasks": (_texts, "a list of names"),
    "scale": _NAME,
    "device": _NAME,
    "batch_size": (lambda value: value == "auto" or _count(value), 'a whole number of at least 1, or "auto"'),
}
PLACEBOS: Keys = {
    "of": (lambda value: _text(value) or _table(value), 'a word, or {file = "motifs.meme", motif = "GATA1"}'),
    "at": (_whole, "a position, counted from 0"),
    "n": (_count, "a whole number of at least 1"),
    "strand": _one_of("+", "-"),
}
ANALYSIS: Keys = {
    "control": _NAME,
    "contrasts": (_weights, "tables of arm = weight, each with finite weights that sum to 0"),
    "interaction": (_factors, "a list of two or more different factors"),
    "scale": _one_of(*SCALES),
    "cluster": (_text, '"auto", "none", or the name of a coordinate of the units, such as "parent"'),
    "block": _NAME,
    "covariates": (_texts, 'a list of coordinates of the units, such as ["gc"]'),
    "target": _one_of(*TARGETS),
    "ci_prob": (_share, "a number between 0 and 1"),
    "weights": _one_of("units", "clusters"),
    "adjust": _one_of(*METHODS),
    "family": _NAME,
    "rope": (lambda value: value == "placebo" or _interval(value), 'two numbers, the lower first, or "placebo"'),
    "error": _NAME,
    "level": (_share, "a number between 0 and 1"),
    "families": (lambda value: _text(value) or _texts(value) or _table(value), "a name, a list of names, or a table"),
    "prior": (lambda value: _text(value) or _table(value), "a name, or a table"),
}

_WRITTEN = {Embed: "pattern", Insert: "pattern", Placebo: "pattern", PlaceboWord: "pattern", Mutate: "to"}
_VERBS: dict[str, type[Intervention]] = {
    kind.kind: kind for kind in (Embed, Insert, Placebo, PlaceboWord, Delete, Scramble, Ablate, Mutate)
}


def check_table(plain: object, place: str, keys: Keys) -> Table:
    """Return a copy of a table after checking its keys and what they hold; `place` is how messages call it."""
    if not isinstance(plain, dict):
        raise DesignError(f"{place}: {plain!r} is not a table; write it as {place} followed by lines key = value")
    _refuse_unknown(plain, place, keys)
    for key, value in plain.items():
        check_value(value, keys, key, said=f"{place}{': ' if place else ''}{key}")
    return dict(plain)


def check_value(value: object, keys: Keys, key: str, *, said: str) -> None:
    """Raise DesignError where a key does not take a value; `said` is how the message calls the key."""
    will_do, words = keys[key]
    if not will_do(value):
        raise DesignError(f"{said} = {_shown(value)} must be {words}")


def check_null(plain: Table) -> None:
    """Raise DesignError where [null] has no known kind, an option that its kind lacks, or lacks one it needs."""
    require(plain, "kind", "[null]")
    kind = plain["kind"]
    if not isinstance(kind, str) or kind not in NULL_MODELS:
        near = nearest(str(kind), NULL_MODELS)
        known = ", ".join(NULL_MODELS)
        raise DesignError(f"[null]: kind = {_shown(kind)} is not a null model{near}; there are {known}")
    options = [field for field in fields(NULL_MODELS[kind]) if field.init]  # type: ignore[arg-type]
    _refuse_unknown(plain, "[null]", ["kind", *(field.name for field in options)])
    for field in options:
        if field.name != "draws":
            require(plain, field.name, f"[null] of kind '{kind}'")


def check_arm(plain: object, place: str) -> Table:
    """Return the table of an arm after checking its keys; what they hold is checked where the arm is made."""
    if not isinstance(plain, dict):
        raise DesignError(f'{place}: {plain!r} is not a table such as {{embed = "AGATAAG", at = 1000}}')
    _refuse_unknown(plain, place, [*_arm_keys(plain), "levels"])
    if not isinstance(plain.get("levels", {}), dict):
        raise DesignError(f"{place}: levels = {_shown(plain['levels'])} must be a table such as {{distance = 10}}")
    if "steps" in plain:
        if not isinstance(plain["steps"], list):
            raise DesignError(f"{place}: steps = {_shown(plain['steps'])} must be a list of tables")
        for number, step in enumerate(plain["steps"], start=1):
            check_arm(step, f"{place}, step {number}")
    return plain


def _arm_keys(plain: Table) -> list[str]:
    """Return the keys that go with the intervention which a table names; all interventions where it names none."""
    verb = next((verb for verb in plain if verb in _VERBS or verb == "steps"), None)
    if verb is None:
        return [*_VERBS, "steps"]
    if verb == "steps":
        return ["steps"]
    kind = _VERBS[verb]
    written = _WRITTEN.get(kind, "span")
    return [verb, *(field.name for field in fields(kind) if field.init and field.name != written)]  # type: ignore[arg-type]


def require(table: Table, key: str, what: str) -> None:
    """Raise DesignError where a table lacks a key."""
    if key not in table:
        raise DesignError(f"{what} needs '{key}'; it has {', '.join(table) or 'nothing'}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known name, or nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def _refuse_unknown(plain: Table, place: str, known: Iterable[str]) -> None:
    names = list(known)
    for key in plain:
        if key not in names:
            where = f"{place} has no key '{key}'" if place else f"there is no key '{key}' at the top"
            raise DesignError(where + (nearest(key, names) or f"; it takes {', '.join(names)}"))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Tables of a `trial.toml`: their allowed keys and values, and the paths in them."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from causalgia.checks import (
    NAME,
    SUBTABLE,
    Keys,
    Table,
    are_texts,
    check_key,
    check_keys,
    check_table,
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
from causalgia.design.matched_variants import MatchedVariants
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.errors import DesignError, quoted
from causalgia.trial_file.library_table import FILES, MPRA


def _are_block_labels(value: object) -> bool:
    plain = isinstance(value, list) and all(isinstance(x, str) or is_int64(x) for x in value)
    return value == "parent" or (plain and bool(value))


def _are_weights(value: object) -> bool:
    return is_text(value) or (are_texts(value) and len(set(value)) == len(value) > 1)  # type: ignore[call-overload,arg-type]


def _are_scales(value: object) -> bool:
    return is_text(value) or are_texts(value) or (is_table(value) and are_texts(list(value.values())))  # type: ignore[attr-defined]


def _are_design_contrasts(value: object) -> bool:
    return is_text(value) or (is_table(value) and bool(value))


def _is_reserve(value: object) -> bool:
    return is_number(value) and 0 <= value < 1  # type: ignore[operator]


_ENDINGS = re.compile(r"\.(fa|fasta|fna|fa\.gz|fasta\.gz|fna\.gz|vcf|vcf\.gz|meme|jaspar|pfm|bed|bed\.gz|txt|npz|npy)$")

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
    "weights": (_are_weights, "a file, or a list of two or more files, one for each retraining"),
    "alphabet": NAME,
    "tasks": (are_texts, "a list of names"),
    "scale": (
        _are_scales,
        'words, such as "log counts", or words for each task: {K562 = "log counts", DNase = "share"}',
    ),
    "device": NAME,
    "batch_size": (lambda value: value == "auto" or is_count(value), 'a whole number of at least 1, or "auto"'),
}
PLACEBOS: Keys = {
    "of": (lambda value: is_text(value) or is_table(value), 'a word, or {file = "motifs.meme", motif = "GATA1"}'),
    "at": (is_int64, "a position, counted from 0"),
    "n": (is_count, "a whole number of at least 1"),
    "strand": one_of("+", "-"),
}


def check_tables(plain: Table) -> None:
    """Raise DesignError if a trial file has an unknown key or a value of the wrong type, in any table but two.

    The table [analysis] is checked when the analysis is made, and [predictor] when the predictor is specified, since
    either may be read without the other tables.
    """
    check_table(plain, "", TOP)
    if "placebos" in plain:
        check_table(plain["placebos"], "[placebos]", PLACEBOS)
        for key in ("of", "at", "n"):
            check_key(plain["placebos"], key, "[placebos]")
    if "mpra" in plain:
        check_table(plain["mpra"], "[mpra]", MPRA)
    if "experiment" in plain:
        check_key(plain["experiment"], "kind", "[experiment]")
    if "null" in plain:
        experiment = plain.get("experiment", {}).get("kind")
        if plain["null"].get("kind") == MatchedVariants.kind and experiment != "variants":
            raise DesignError(
                f"[null]: kind = {quoted(MatchedVariants.kind)} is the null model of variants: it needs [experiment] "
                'with kind = "variants", vcf, fasta and length'
            )
        check_null(plain["null"])
    for name, arm in plain.get("arms", {}).items():
        check_arm(arm, f"[arms.{toml_key(name)}]")


def check_null(plain: Table, place: str = "[null]") -> None:
    """Raise DesignError if [null] has an unknown kind or option, or lacks a required option."""
    check_key(plain, "kind", place)
    kind = plain["kind"]
    kinds: dict[str, type] = dict(NULL_MODELS)
    if place == "[null]":
        kinds[MatchedVariants.kind] = MatchedVariants
    if not isinstance(kind, str) or kind not in kinds:
        near = nearest(str(kind), kinds)
        known = ", ".join(kinds)
        raise DesignError(f"{place}: kind = {shown(kind)} is not a null model{near}; there are {known}")
    options = [field for field in fields(kinds[kind]) if field.init]
    check_keys(plain, place, ["kind", *(field.name for field in options)])
    for field in options:
        if field.default is MISSING:
            check_key(plain, field.name, f"{place} of kind '{kind}'")
    if kind == MatchedVariants.kind and is_table(plain["of"]):
        check_null(plain["of"], "[null.of]")


def toml_key(key: str) -> str:
    """Return a key as written in TOML: quoted unless it is one word.

    Examples
    --------
    >>> toml_key("GATA1"), toml_key("GATA1, core broken")
    ('GATA1', '"GATA1, core broken"')
    """
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def check_arm(plain: object, place: str) -> Table:
    """Return the table of an arm after checking its keys; values are checked when the arm is created."""
    if not isinstance(plain, dict):
        raise DesignError(f'{place}: {quoted(plain)} is not a table such as {{embed = "AGATAAG", at = 1000}}')
    allowed = [*_arm_keys(plain), "levels"]
    verbs = [key for key in plain if key in INTERVENTIONS or key == "steps"]
    if any(verb not in allowed for verb in verbs):
        steps = ", ".join(f"{{{verb} = ...}}" for verb in verbs if verb != "steps")
        raise DesignError(
            f"{place} has {' and '.join(verbs)}: one intervention an arm; combine them with steps = [{steps}]"
        )
    check_keys(plain, place, allowed)
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


def with_absolute_paths(plain: Table, folder: Path) -> Table:
    """Return a checked trial file with absolute paths, except for those of [predictor].

    Parameters
    ----------
    plain
        The file, after `check_tables`.
    folder
        Folder that relative paths start from.
    """
    found = dict(plain)
    if "null" in plain:
        found["null"] = _with_absolute_source(plain["null"], folder)
    for name in (name for name in ("arms", "placebos") if name in plain):
        found[name] = _with_absolute_motif_files(plain[name], folder)
    if "experiment" in plain:
        settings = plain["experiment"].items()
        found["experiment"] = {k: v if k == "kind" else _with_absolute_files(v, folder) for k, v in settings}
    if "mpra" in plain:
        found["mpra"] = {k: str(folder / v) if k in FILES else v for k, v in plain["mpra"].items()}
    return found


def _with_absolute_source(null: Table, folder: Path) -> Table:
    """Return the table of a null model with an absolute path of its sequences."""
    of = null.get("of")
    if isinstance(of, dict):
        return {**null, "of": _with_absolute_source(of, folder)}
    if null.get("kind") == MatchedVariants.kind and of in ("genome", "variants"):
        return null
    if isinstance(of, str) and (re.fullmatch(r"[A-Za-z]+", of) is None or (folder / of).exists()):
        return {**null, "of": str(folder / of)}
    return null


def _with_absolute_motif_files(plain: Any, folder: Path) -> Any:
    """Return plain data with absolute paths of motif files."""
    if isinstance(plain, list):
        return [_with_absolute_motif_files(item, folder) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {"file", "motif"} and isinstance(plain["file"], str):
        return {**plain, "file": str(folder / plain["file"])}
    return {key: _with_absolute_motif_files(value, folder) for key, value in plain.items()}


def _with_absolute_files(value: Any, folder: Path) -> Any:
    """Return a setting with absolute paths for texts that have a known file extension or name an existing file.

    Examples
    --------
    >>> _with_absolute_files({"motif": "GATA1", "vcf": "a.vcf.gz"}, Path("/data"))
    {'motif': 'GATA1', 'vcf': '/data/a.vcf.gz'}
    """
    if isinstance(value, dict):
        return {key: _with_absolute_files(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_absolute_files(item, folder) for item in value]
    if not isinstance(value, str) or not value or re.fullmatch(r"[A-Za-z]+", value):
        return value
    return str(folder / value) if _ENDINGS.search(value) or _is_file(folder / value) else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text too long or too odd to be a path
        return False

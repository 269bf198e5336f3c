"""Oligo library in a trial file: its ``[mpra]`` table and design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalgia.analysis import Analysis
from causalgia.checks import (
    NAME,
    Keys,
    are_texts,
    check_key,
    check_table,
    is_count,
    is_int64,
    is_number,
    is_share,
    is_text,
)
from causalgia.design import Design
from causalgia.errors import DesignError, quoted

FILES = ("positives", "negatives")
#: keys that are fields of an argument of `causalgia.mpra.library`, by the names of the fields
_RULES = ("avoid", "gc", "homopolymer", "repeats", "motifs")
_CONTROLS = ("scrambles", "positives", "negatives", "duplicates", "promoter_only")
_BARCODES = {"barcode_length": "length", "min_distance": "min_distance", "seeds": "seeds"}


def _is_adapters(value: object) -> bool:
    # a junction, or an adapter, may be empty
    return is_text(value) or (
        isinstance(value, list) and len(value) in (2, 3) and all(isinstance(part, str) for part in value)
    )


def _is_sites(value: object) -> bool:
    counted = isinstance(value, dict) and value and all(is_int64(n) and n >= 0 for n in value.values())
    return is_text(value) or value == [] or are_texts(value) or bool(counted)


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(is_number(v) and 0 <= v <= 1 for v in value)


def _at_least(least: int) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: is_int64(value) and value >= least), f"a whole number of at least {least}"


MPRA: Keys = {
    "oligo_length": (is_count, "a whole number of at least 1: the whole oligo, adapters and barcode included"),
    "adapters": (_is_adapters, 'a construct such as "lentimpra", or a list: [left, right] or [left, junction, right]'),
    "avoid": (_is_sites, 'enzymes or letters of sites, ["EcoRI", "SbfI"]; or with how often each is meant, {KpnI = 1}'),
    "barcodes_per_oligo": (is_count, "a whole number of at least 1; left out, oligos carry none"),
    "n_replicates": (is_count, "a whole number of at least 1"),
    "max_oligos": (is_count, "a whole number of at least 1: the most oligos that may be ordered"),
    "vendor": NAME,
    "scrambles": _at_least(0),
    "positives": NAME,
    "negatives": NAME,
    "duplicates": _at_least(0),
    "promoter_only": _at_least(0),
    "gc": (_is_range, "two shares, such as [0.25, 0.65]"),
    "homopolymer": (is_count, "a whole number of at least 1"),
    "repeats": (lambda value: is_share(value) or value in (0, 1), "a share, 0 to 1"),
    "motifs": (are_texts, "a list of words"),
    "barcode_length": (is_count, "a whole number of at least 1"),
    "min_distance": (is_count, "a whole number of at least 1"),
    "seeds": (are_texts, "a list of miRNAs, or their seeds"),
    "redraws": _at_least(0),
}


@dataclass(frozen=True, kw_only=True)
class LibrarySpec:
    """Specification of an oligo library in a trial file.

    Parameters
    ----------
    name
        Name of the trial.
    design
        Design of the trial.
    rng
        Seed.
    analysis
        Analysis plan.
    options
        The ``[mpra]`` table as arguments of `causalgia.mpra.library`.
    """

    name: str
    design: Design
    rng: int
    analysis: Analysis
    options: dict[str, Any]


def library_options(plain: object, folder: Path) -> dict[str, Any]:
    """Return an ``[mpra]`` table as arguments of `causalgia.mpra.library`, with paths relative to `folder`.

    Raises
    ------
    DesignError
        If the table, a required key or a file is absent, a key is unknown, or a value is of the wrong type.

    Examples
    --------
    >>> library_options({"oligo_length": 230, "adapters": "lentimpra"}, Path())
    {'oligo_length': 230, 'adapters': 'lentimpra'}
    """
    if plain is None:
        raise DesignError(
            'there is no [mpra] table; add one: [mpra], oligo_length = 230, adapters = "lentimpra", and further keys '
            f"of {', '.join(MPRA)}"
        )
    table = check_table(plain, "[mpra]", MPRA)
    for key in ("oligo_length", "adapters"):
        check_key(table, key, "[mpra]")
    options: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    for key in (key for key in FILES if key in options):
        path = folder / table[key]
        if not path.is_file():
            raise DesignError(f"[mpra]: {key} = {quoted(table[key])}: no such file in {path.parent}; give a FASTA file")
        options[key] = str(path)
    from causalgia.mpra import BarcodeRules, Controls, OligoRules
    from causalgia.mpra.libraries.constructs import construct

    parts: dict[str, Any] = {}
    if rules := {key: options.pop(key) for key in _RULES if key in options}:
        parts["rules"] = OligoRules(**rules)
    if controls := {key: options.pop(key) for key in _CONTROLS if key in options}:
        parts["controls"] = Controls(**controls)
    if barcodes := {field: options.pop(key) for key, field in _BARCODES.items() if key in options}:
        length = construct(options["adapters"]).usual_barcode_length
        parts["barcode_rules"] = BarcodeRules(**{"length": length} | barcodes)
    return options | parts

"""A library as a Dataset, a row an oligo, with the record of how it was drawn."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import causalgia
from causalgia.design import Design
from causalgia.errors import LibraryError, quoted
from causalgia.mpra.libraries.backgrounds import Blocks
from causalgia.mpra.libraries.barcode_sets import Tags
from causalgia.mpra.libraries.constructs import Construct, Oligos
from causalgia.mpra.libraries.oligos import InsertList
from causalgia.mpra.libraries.order_plan import OrderNumbers
from causalgia.mpra.libraries.rules import default_flags
from causalgia.schema import annotate, validate
from causalgia.sequences.alphabet import decode
from causalgia.streams import RNG
from causalgia.trial.attributes import store_design
from causalgia.types import Array, Tokens

_AT_ONCE = 1 << 14
_WORDS = (1, 2, 3)
Names = NDArray[Any]


@dataclass(frozen=True)
class DrawnLibrary:
    """A drawn library, before it is a Dataset.

    Attributes
    ----------
    design, construct, promoter, numbers, blocks
        The request, the construct of the promoter alone (None without one), and the units.
    listed
        The inserts.
    tags
        The oligos with their barcodes; None without synthesized ones.
    control_broken
        Rule -> number of scramble draws that broke it.
    rules
        Names of the rules in reports.
    """

    design: Design
    construct: Construct
    promoter: Construct | None
    numbers: OrderNumbers
    blocks: Blocks
    listed: InsertList
    tags: Tags | None
    control_broken: dict[str, int]
    rules: Sequence[str]


def library_dataset(drawn: DrawnLibrary, attrs: dict[str, Any]) -> xr.Dataset:
    """Return a library as a Dataset of kind ``library``.

    Raises
    ------
    LibraryError
        If two oligos would have the same name.
    """
    rows, flagged = _row_variables(drawn)
    _check_unique_names(rows["name"])
    report = _report_variables(drawn)
    # fastpath: otherwise pandas copies every text, and the barcodes of an insert no longer share its string
    dataset = xr.Dataset({name: xr.Variable(("row",), values, fastpath=True) for name, values in rows.items()})
    dataset = dataset.assign({**report, "flagged": ("flag", flagged)})
    dataset = dataset.assign_coords(flag=[rule.name for rule in default_flags()])
    digest = hashlib.blake2b(digest_size=8)
    for name, oligo in zip(rows["name"], rows["oligo"], strict=True):
        digest.update(f"{name}\t{oligo}\n".encode())
    dataset = dataset.assign_attrs({**attrs, "library_fingerprint": digest.hexdigest()})
    if drawn.blocks.dropped:
        units, reasons = zip(*drawn.blocks.dropped.items(), strict=True)
        dataset = dataset.assign(why=("dropped", np.array(reasons, object))).assign_coords(dropped=list(units))
    dataset = store_design(dataset, drawn.design)
    return validate(annotate(dataset), "library")


def library_attributes(design: Design, construct: Construct, rng: RNG) -> dict[str, Any]:
    """Return the attributes that identify a library: design, null model, construct, seed and versions."""
    return {
        "assignment": design.assignment,
        "null": design.drawn.describe(),
        "null_kind": design.null.kind,
        "null_fingerprint": design.null.fingerprint,
        "design_fingerprint": design.fingerprint,
        **({"reserved": f"{design.reserved.describe()}, in no oligo"} if design.reserved else {}),
        "construct": construct.name,
        "left": construct.left,
        "junction": construct.junction,
        "right": construct.right,
        "rng": str(int(rng)) if isinstance(rng, int | np.integer) else type(rng).__name__,
        "causalgia": causalgia.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _row_variables(drawn: DrawnLibrary) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Return the variables of dim row, and the number of oligos with each flag."""
    listed, tags = drawn.listed, drawn.tags
    row = np.arange(len(listed)) if tags is None else tags.row
    inserts = np.array(decode(listed.inserts), object)
    parts = [_oligo_strings(drawn, drawn.construct, row, None if tags is None else tags.barcodes)]
    rows: dict[str, NDArray[Any]] = {
        name: getattr(listed, name)[row]
        for name in ("unit", "draw", "element", "arm", "group", "oligo_name", "parent", "source_name", "gc")
    }
    rows |= {"name": rows["oligo_name"], "insert": inserts[row]}
    if tags is not None:
        rows["name"] = rows["name"] + np.array([f"_b{i + 1}" for i in range(drawn.numbers.barcodes)], object)[tags.copy]
        rows["barcode"] = np.array(decode(tags.barcodes), object)
        if drawn.promoter is not None:
            parts.append(_oligo_strings(drawn, drawn.promoter, None, tags.promoter))
            alone = _promoter_rows(tags.promoter)
            rows = {name: np.concatenate([values, alone[name]]) for name, values in rows.items()}
    rows["oligo"] = np.concatenate([oligos for oligos, _ in parts])
    return rows, np.sum([flagged for _, flagged in parts], axis=0)


def _promoter_rows(barcodes: Tokens) -> dict[str, NDArray[Any]]:
    n = len(barcodes)
    words = {"element": "promoter", "arm": "promoter", "group": "promoter", "oligo_name": "promoter"}
    return {
        **{
            name: np.full(n, word, object)
            for name, word in {**words, "parent": "", "source_name": "", "insert": ""}.items()
        },
        "unit": np.full(n, -1),
        "draw": np.full(n, -1),
        "gc": np.zeros(n),
        "name": np.array([f"promoter_b{i + 1}" for i in range(n)], object),
        "barcode": np.array(decode(barcodes), object),
    }


def _oligo_strings(
    drawn: DrawnLibrary, of: Construct, row: NDArray[np.int64] | None, barcodes: Tokens | None
) -> tuple[Names, NDArray[np.int64]]:
    """Return whole oligos as strings, and the number with each flag; without `row`, oligos without insert."""
    n = len(row) if row is not None else len(barcodes) if barcodes is not None else 0
    oligos, flagged = np.empty(n, object), np.zeros(len(default_flags()), np.int64)
    for start in range(0, n, _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, n))
        inserts = np.empty((some.stop - start, 0), np.uint8) if row is None else drawn.listed.inserts[row[some]]
        whole: Oligos = of.assemble(inserts, None if barcodes is None else barcodes[some])
        oligos[some] = decode(whole.tokens)
        flagged += [int(rule.broken(whole).sum()) for rule in default_flags()]
    return oligos, flagged


def _check_unique_names(names: Names) -> None:
    seen: set[str] = set()
    for name in names.tolist():
        if name in seen:
            raise LibraryError(
                f"two oligos would be called {quoted(name)}; controls cannot have the names of units (u0.3fa2c1_...), "
                "scrambles, duplicates (aa0_...), the promoter, or each other: rename the control"
            )
        seen.add(name)


def _report_variables(drawn: DrawnLibrary) -> dict[str, Any]:
    """Return the numbers of the report as variables."""
    blocks, arms = drawn.blocks, drawn.design.arm_names
    rules = [*drawn.rules, *dict.fromkeys(rule for rule, _ in blocks.broken if rule not in drawn.rules)]
    by_arm = [[blocks.broken.get((rule, arm), 0) for arm in arms] for rule in rules]
    words = [k for k in _WORDS if k <= blocks.proposed.shape[1]]
    shifts = np.array([composition_shift(blocks.proposed, blocks.backgrounds, k=k) for k in words])
    of_barcodes = {} if drawn.tags is None else drawn.tags.broken
    return {
        "rule": np.array(rules, object),
        "judged_arm": np.array(arms, object),
        "k": words,
        "broken": (("rule", "judged_arm"), np.array(by_arm, np.int64).reshape(len(rules), len(arms))),
        "broken_scrambles": ("rule", np.array([drawn.control_broken.get(rule, 0) for rule in rules], np.int64)),
        "broken_barcodes": ("rule", np.array([of_barcodes.get(rule, 0) for rule in rules], np.int64)),
        "share_redrawn": ((), float(np.mean(blocks.draws > 0))),
        "n_draws": ((), blocks.n_draws),
        "gc_proposed": ((), _gc_share(blocks.proposed)),
        "gc_ordered": ((), _gc_share(blocks.backgrounds)),
        "shift": ("k", shifts[:, 0]),
        "shift_by_chance": ("k", shifts[:, 1]),
    }


def _gc_share(tokens: Tokens) -> float:
    return float(np.mean((tokens == 1) | (tokens == 2)))


_SEQUENCES_AT_ONCE = 1 << 13


def word_shares(tokens: Tokens, k: int) -> tuple[Array, int]:
    """Return the shares of k-letter words over all places of sequences (n, length), (4^k,), and the places."""
    counts = np.zeros(4**k, np.int64)
    for start in range(0, len(tokens), _SEQUENCES_AT_ONCE):
        rows = tokens[start : start + _SEQUENCES_AT_ONCE].astype(np.int64)
        width = rows.shape[1] - k + 1
        codes = sum(rows[:, i : i + width] << (2 * (k - 1 - i)) for i in range(k))
        counts += np.bincount(np.ravel(codes), minlength=4**k)
    total = int(counts.sum())
    return counts / max(total, 1), total


def jensen_shannon(p: Array, q: Array) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits, from 0 to 1.

    References
    ----------
    Lin (1991) Divergence measures based on the Shannon entropy, doi:10.1109/18.61115.

    Examples
    --------
    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _relative_entropy(p: Array, q: Array) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / q[some])))


def composition_shift(before: Tokens, after: Tokens, *, k: int) -> tuple[float, float]:
    """Return the divergence of k-letter words between two samples, and its expectation by chance.

    Two independent samples of m words each from one population diverge by about ``(4^k - 1) / (4 m ln 2)`` bits.

    Parameters
    ----------
    before, after
        Sequences, (n, length) and (m, length).
    k
        Letters of a word, at most the length.

    Returns
    -------
    tuple of float
        Jensen-Shannon divergence in bits, and that of two independent samples this large.
    """
    (p, n), (q, m) = word_shares(before, k), word_shares(after, k)
    return max(jensen_shannon(p, q), 0.0), (4**k - 1) / (4 * max(min(n, m), 1) * np.log(2))

"""The counts Dataset, and the fingerprints by which it is matched to its library."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.analysis import Analysis, analysis_in_attrs, as_result
from causalgia.attributes import about
from causalgia.checks import as_names
from causalgia.design.arms import Arm
from causalgia.effects.contrast_weights import requested_weights
from causalgia.errors import DataError, DesignError, comma_list, quoted
from causalgia.inputs import parse_json
from causalgia.mpra.counts.count_tables import MOST_READS
from causalgia.mpra.counts.side_formats import SIDE_COLUMNS, as_side_table
from causalgia.notes import design_question, unpack_text
from causalgia.trial.attributes import arm_coordinates
from causalgia.types import Ints, Mask

#: groups of oligos that are controls of the bench, not units of the design
CONTROLS = ("negative", "positive", "promoter", "duplicate")
_OF_LIBRARY = ("library_fingerprint", "design_fingerprint", "null_fingerprint")
_PRINTED = re.compile(r"(?P<stem>.+)\.(?P<print>[0-9a-f]{6})(?P<arm>_.+)?")
_OWN_CONTROL = re.compile(r"(scramble|aa|positive|negative)[0-9]+\.[0-9a-f]{6}")
_CODES = bytes.maketrans(b"ACGT", bytes(range(4)))


def library_attrs(arms: object) -> dict[str, Any]:
    """Return the attrs that counts inherit from their library: fingerprints of library,
    design and null model.
    """
    return (
        {name: arms.attrs[name] for name in _OF_LIBRARY if name in arms.attrs}
        if isinstance(arms, xr.Dataset)
        else {}
    )


def library_question(arms: object) -> dict[str, str]:
    """Return the attr of counts with the contrasts that their library was ordered for:
    an analysis with a control or weights; {} where it asks nothing.
    """
    if not isinstance(arms, xr.Dataset):
        return {}
    plan = analysis_in_attrs(arms.attrs).asking(design_question(arms))
    contrasts = plan.contrasts
    if plan.interaction is not None:
        factors = xr.Dataset(coords=arm_coordinates(design_arms(arms)))
        names = factors["arm"].to_numpy().astype(str).tolist()
        contrasts = requested_weights(factors, names, None, None, plan.interaction)
    asked = Analysis(control=plan.control, contrasts=contrasts)
    return {"analysis": asked.to_json()} if asked.asks else {}


def design_arms(library: xr.Dataset) -> tuple[Arm, ...]:
    """Return the arms of the design of a library, in its order.

    Raises
    ------
    DataError
        If the library carries no design.
    """
    text = unpack_text(library, "design")
    if text is None:
        raise DataError(
            "the library carries no design, so its arms are not known; take it from "
            "cg.mpra.library"
        )
    plain = parse_json(text, DataError, source="the library's design")
    if not isinstance(plain, dict) or not isinstance(plain.get("arms"), dict):
        raise DataError(
            "the library's design names no arms; take the library from cg.mpra.library"
        )
    return tuple(Arm.from_dict(name, plain) for name, plain in plain["arms"].items())


def check_one_condition(counts: xr.Dataset) -> None:
    """Raise DataError where replicates are of several conditions."""
    names = np.unique(counts["condition"]) if "condition" in counts else ()
    if len(names) > 1:
        raise DataError(
            f"the replicates are of {len(names)} conditions, {comma_list(names)}, and one "
            "is analyzed at a time",
            argument="condition",
        )


def of_batches(counts: xr.Dataset) -> xr.Dataset:
    """Return counts whose replicates are the batches of theirs, the reads summed.

    An oligo has noise of its own in a batch (a transfection, a day), which the batch's
    replicates share: they are no independent measurements, and their sum is one.

    Raises
    ------
    DataError
        If a batch has replicates of several conditions.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> counts = simulated().assign_coords(batch=("replicate", ["x", "x", "y"]))
    >>> of_batches(counts)["replicate"].values.tolist()
    ['x', 'y']
    """
    if "batch" not in counts.coords:
        return counts
    code, names = pd.factorize(counts["batch"].to_numpy().astype(str))
    first = np.unique(code, return_index=True)[1]
    if "condition" in counts.coords:
        condition = counts["condition"].to_numpy().astype(str)
        if (apart := condition != condition[first][code]).any():
            raise DataError(
                f"batch {quoted(names[code[apart][0]])} has replicates of several "
                "conditions; a batch is in one"
            )
    into = (code[:, None] == np.arange(len(names))).astype(np.int64)
    dna, rna, dna_seen, rna_seen = (
        counts[name].to_numpy()
        for name in ("dna", "rna", "dna_observed", "rna_observed")
    )
    used = (dna_seen & (dna > 0)).reshape(len(rna), -1)
    cells = {
        "rna": (rna * used) @ into,
        "rna_observed": (rna_seen & used) @ into > 0,
        "rna_total": counts["rna_total"].to_numpy() @ into,
    }
    if dna.ndim == 2:
        cells |= {
            "dna": dna @ into,
            "dna_observed": dna_seen @ into > 0,
            "dna_total": counts["dna_total"].to_numpy() @ into,
        }
    made = counts.isel(replicate=first).assign_coords(replicate=names.astype(str))
    return made.drop_vars("batch").assign(
        {name: (counts[name].dims, x) for name, x in cells.items()}
    )


def other_library(name: str, known: Iterable[str]) -> str:
    """Return a hint if `name` is known with another fingerprint, else an empty string.

    Units of a library are named ``u0.3fa2c1`` and their oligos ``u0.3fa2c1_GATA1``, a
    scramble ``scramble0.6380f7``; after the point comes the fingerprint of the inserts.

    Examples
    --------
    >>> other_library("u0.3fa2c1_GATA1", ["u0.77ab01_placebo", "u0.77ab01_GATA1"])
    "; it has 'u0.77ab01_GATA1', which is another sequence: these are two libraries"
    >>> other_library("u0.3fa2c1_GATA1", ["u1.77ab01_GATA1"])
    ''
    >>> other_library(
    ...     "peak.120500", ["peak.120700"]
    ... )  # numbers, as positions, are hardly ever fingerprints
    ''
    """
    found = _PRINTED.fullmatch(name)
    if found is None or found["print"].isdigit():
        return ""
    same = re.compile(
        f"{re.escape(found['stem'])}\\.[0-9a-f]{{6}}{re.escape(found['arm'] or '')}"
    )
    other = next((one for one in known if same.fullmatch(one)), None)
    return (
        ""
        if other is None
        else (
            f"; it has {quoted(other)}, which is another sequence: these are two "
            "libraries"
        )
    )


def insert_fingerprint(inserts: Sequence[str]) -> str:
    """Return the fingerprint of an element's inserts: of a unit, in the order of the
    arms; of a control, its one.

    Examples
    --------
    >>> insert_fingerprint(["ACGT", "ACGA"])
    '71765c'
    """
    return hashlib.blake2b(
        "".join(inserts).encode().translate(_CODES), digest_size=3
    ).hexdigest()


def check_fingerprints(library: xr.Dataset, arms: Sequence[str]) -> None:
    """Raise DesignError where a unit or control has other inserts than those whose
    fingerprint is in its name.

    Counts, fits and virtual trials are matched by names, so that a changed unit under
    its old name would be compared with another sequence. Elements with a name of the
    user's own, and units that lack an arm, have nothing to compare.

    Parameters
    ----------
    library
        Of kind ``library``.
    arms
        Arms of its design, in order.

    Raises
    ------
    DesignError
        With the element and the name that would be right.
    """
    every = pd.DataFrame(
        {name: library[name].to_numpy() for name in ("element", "arm", "insert")}
    )
    test = library["group"].to_numpy() == "test"
    controls = every[~test].drop_duplicates()
    for name, insert in zip(
        controls["element"].tolist(), controls["insert"].tolist(), strict=True
    ):
        if _OWN_CONTROL.fullmatch(str(name)):
            _check_fingerprint(str(name), [insert])
    if (
        about(library, None).assignment == "parallel"
    ):  # the fingerprint is of all arms, and a unit is under one
        return
    rows = every[test & every["arm"].isin(arms)].drop_duplicates()
    unit, names = pd.factorize(rows["element"])
    place = pd.Categorical(rows["arm"], categories=list(arms)).codes
    inserts = rows["insert"].to_numpy()[np.lexsort((place, unit))].tolist()
    ends = np.cumsum(np.bincount(unit, minlength=len(names))).tolist()
    for name, start, end in zip(names.tolist(), [0, *ends], ends, strict=False):
        if end - start == len(arms):
            _check_fingerprint(str(name), inserts[start:end])


def _check_fingerprint(name: str, inserts: Sequence[str]) -> None:
    printed, found = _PRINTED.fullmatch(name), insert_fingerprint(inserts)
    if printed is not None and not printed["arm"] and found != printed["print"]:
        raise DesignError(
            f"element {quoted(name)} has other inserts than those that its name is the "
            "fingerprint of; effects are matched by name, and this is another "
            "sequence: give the element and its oligos another name, such as "
            f"{quoted(printed['stem'] + '.' + found)}"
        )


def _labels(values: Any, name: str, what: str) -> NDArray[Any]:
    """Return names as texts, or raise DataError; whole numbers are names, too."""
    try:
        labels = np.asarray(values)
    except (TypeError, ValueError):  # ragged, or a Dataset
        labels = np.array(None)
    if labels.dtype.kind in "iuSU" and labels.ndim == 1:
        return labels.astype(str)
    found = None if isinstance(values, str) else as_names(values)
    if found is None:
        raise DataError(
            f"{name}={quoted(values)} is no list of texts; give {what}",
            argument=name,
        )
    return np.array(found, dtype=str)


def counts_of(
    dna: ArrayLike,
    rna: ArrayLike,
    *,
    barcodes: Sequence[str] | NDArray[Any],
    oligos: Sequence[str] | NDArray[Any],
    side_table: pd.DataFrame | xr.Dataset,
    replicates: Sequence[str] | None = None,
    dna_observed: ArrayLike | None = None,
    rna_observed: ArrayLike | None = None,
    n_bc: ArrayLike | None = None,
    batch: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return barcode counts as a Dataset of kind ``counts``.

    Parameters
    ----------
    dna
        DNA reads, shape ``(n_barcodes, n_replicates)``, or ``(n_barcodes,)`` for one
        plasmid pool; whole numbers, at least 0.
    rna
        RNA reads, shape ``(n_barcodes, n_replicates)``.
    barcodes, oligos
        Letters of each barcode, unique, and the name of its oligo, shape
        ``(n_barcodes,)``.
    side_table
        Columns ``oligo_name element arm`` and optionally ``group`` (else ``test``), a
        row an oligo; or the ordered library. Oligos without barcodes stay on the oligo
        dim.
    replicates
        Names of the replicates; None: ``"1"``, ``"2"``, ...
    dna_observed, rna_observed
        Whether a cell held a count, shapes as `dna` and `rna`; None: all that are not
        NaN.
    n_bc
        Of sums, the number of barcodes behind each, shape ``(n_barcodes,)``.
    batch
        Batch of each replicate (a transfection, a day), in which an oligo has noise that
        its replicates share; None: replicates are independent.

    Returns
    -------
    Dataset
        ``dna, rna, dna_observed, rna_observed (barcode, replicate)``,
        ``oligo_index (barcode)``, ``n_bc (barcode)`` where it is given, ``dna_total, rna_total (replicate)``, and
        ``element, arm, group (oligo)``; see `causalgia.schema`.

    Raises
    ------
    DataError
        If there is no barcode, a barcode has an unknown oligo or appears twice, a count
        is negative or fractional, shapes disagree, or a library (DNA or RNA of a
        replicate) has no reads.

    Examples
    --------
    >>> side = pd.DataFrame(
    ...     {
    ...         "oligo_name": ["a"],
    ...         "element": ["u1"],
    ...         "arm": ["GATA1"],
    ...         "group": ["test"],
    ...     }
    ... )
    >>> counts_of([[9]], [[12]], barcodes=["ACGT"], oligos=["a"], side_table=side)[
    ...     "rna_total"
    ... ].values
    array([12])
    """
    side = as_side_table(side_table)
    letters = _labels(barcodes, "barcodes", "the letters of each barcode")
    oligos = _labels(oligos, "oligos", "the oligo of each barcode")
    if len(letters) == 0 or len(oligos) != len(letters):
        raise DataError(
            f"{len(letters)} barcodes and {len(oligos)} names of oligos; give one "
            "oligo to each barcode"
        )
    of, known = pd.factorize(oligos)
    places = pd.Index(side["oligo_name"]).get_indexer(pd.Index(known).astype(str))
    if (places < 0).any():
        i = int(np.argmax(places[of] < 0))
        raise DataError(
            f"barcode {letters[i]}: its oligo {quoted(oligos[i])} is not in the side "
            "table"
        )
    place = np.asarray(places[of], dtype=np.int64)
    dna_cells, observed_dna = _as_count_cells(dna, dna_observed, "dna", letters)
    rna_cells, observed_rna = _as_count_cells(rna, rna_observed, "rna", letters)
    if rna_cells.ndim != 2 or dna_cells.shape not in (
        rna_cells.shape,
        rna_cells.shape[:1],
    ):
        raise DataError(
            f"dna has shape {dna_cells.shape} and rna {rna_cells.shape}; give both "
            "(n_barcodes, n_replicates), or dna (n_barcodes,) where one plasmid pool "
            "serves all replicates"
        )
    of_dna = ("barcode", "replicate")[: dna_cells.ndim]
    names = (
        [str(r + 1) for r in range(rna_cells.shape[1])]
        if replicates is None
        else _labels(replicates, "replicates", "the name of each replicate").tolist()
    )
    if len(names) != rna_cells.shape[1]:
        raise DataError(
            f"replicates={quoted(names)} names {len(names)}, and rna has "
            f"{rna_cells.shape[1]} columns; name each replicate once",
            argument="replicates",
        )
    counts = xr.Dataset(
        {
            "dna": (of_dna, dna_cells),
            "rna": (("barcode", "replicate"), rna_cells),
            "dna_observed": (of_dna, observed_dna),
            "rna_observed": (("barcode", "replicate"), observed_rna),
            "oligo_index": ("barcode", place),
            "dna_total": (of_dna[1:], dna_cells.sum(axis=0)),
            "rna_total": ("replicate", rna_cells.sum(axis=0)),
        },
        coords={
            "barcode": letters,
            "replicate": np.array(names),
            "oligo": side["oligo_name"].to_numpy().astype(str),
            **{
                name: ("oligo", side[name].to_numpy().astype(str))
                for name in SIDE_COLUMNS[1:]
            },
        },
    )
    if n_bc is not None:
        each = np.asarray(n_bc, dtype=np.float64)
        if each.shape != letters.shape or not (each >= 1).all():
            raise DataError(
                f"n_bc: {quoted(n_bc)} is not a number of 1 or more for each of the "
                f"{len(letters):,} sums",
                argument="n_bc",
            )
        counts["n_bc"] = ("barcode", each)
    if batch is not None:
        of = _labels(batch, "batch", "the batch of each replicate")
        if len(of) != len(names):
            raise DataError(
                f"batch={quoted(batch)} has {len(of)} names for {len(names)} replicates",
                argument="batch",
            )
        counts = counts.assign_coords(batch=("replicate", of))
    for name in ("dna", "rna"):
        total = counts[f"{name}_total"]
        if not total.all():
            i = int(np.argmin(total.to_numpy()))
            whole = (
                f"replicate {counts['replicate'].to_numpy()[i]}"
                if total.ndim
                else "the plasmid pool"
            )
            raise DataError(
                f"{name.upper()} of {whole} has no read at all; leave the replicate "
                "out, or correct its column"
            )
    attrs = library_attrs(side_table) | library_question(side_table)
    return as_result(counts.assign_attrs(attrs), "counts")


def _as_count_cells(
    values: ArrayLike, observed: ArrayLike | None, name: str, barcodes: NDArray[np.str_]
) -> tuple[Ints, Mask]:
    """Return counts as integers, 0 where not observed, and the mask of observed
    cells.
    """
    cells = np.asarray(values)
    if cells.dtype.kind not in "iuf":
        raise DataError(
            f"{name} is of dtype {cells.dtype}, and counts are numbers; cast it"
        )
    if cells.ndim == 0 or len(cells) != len(barcodes):
        raise DataError(
            f"{name} has shape {cells.shape} for {len(barcodes)} barcodes; give a row "
            "to each barcode"
        )
    present = (cells == cells) if observed is None else np.asarray(observed, bool)
    if present.shape != cells.shape:
        raise DataError(
            f"{name}_observed has shape {present.shape}, not {cells.shape} as {name} "
            "has"
        )
    cells = np.where(present, cells, 0)
    wrong = (cells < 0) | (cells >= MOST_READS)
    if cells.dtype.kind == "f":
        wrong |= ~np.isfinite(cells) | (cells != np.floor(cells))
    if wrong.any():
        i = tuple(np.argwhere(wrong)[0])
        raise DataError(
            f"barcode {barcodes[i[0]]}: {name} is {cells[i]:g}; give the reads as they "
            "were counted (whole, at least 0, below 2^53), not normalized"
        )
    return cells.astype(np.int64), present

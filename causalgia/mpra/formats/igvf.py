"""IGVF reporter-assay tables: made from a library, counts or a fit, written and
read.
"""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.attributes import about
from causalgia.errors import (
    NAMES_LISTED,
    DataError,
    DesignError,
    first_of,
    quoted,
)
from causalgia.mpra.counts._activity import aggregate
from causalgia.mpra.fits import activity
from causalgia.mpra.formats._variant_tiles import ANNOTATION
from causalgia.mpra.formats.text_tables import (
    Format,
    construct_table,
    given_name,
    layout_of,
    read_table,
    write_table,
)
from causalgia.schema import validate
from causalgia.types import Array


def igvf_table(
    data: xr.Dataset,
    format: Format,
    *,
    library: xr.Dataset | None = None,
    counts: xr.Dataset | None = None,
    contrast: str | None = None,
) -> pd.DataFrame:
    """Return a library, counts or a fit as a table of an IGVF or related format.

    ==========================================  ====================  ==================================================
    format                                      data                  also needed
    ==========================================  ====================  ==================================================
    ``reporter_sequence_design``                library
    ``reporter_barcode_to_element_mapping``     library
    ``labels`` (of MPRAsnakeflow)               library
    ``side_table`` (our own)                    library
    ``reporter_experiment_barcode``             counts
    ``reporter_experiment``                     counts
    ``reporter_element``                        counts                negative controls in them
    ``reporter_genomic_element``                counts                `library` of variant tiles: its ``ref`` oligos
    ``reporter_variant``                        fit                   `counts`, `library` of variant tiles
    ``reporter_genomic_variant``                fit                   `counts`, `library` of variant tiles
    ==========================================  ====================  ==================================================

    Parameters
    ----------
    data
        A library, counts, or a fit (`causalgia.mpra.fit`).
    format
        Name of the format.
    library
        The library, annotated by `causalgia.mpra.formats.VariantTiles.annotate`.
    counts
        The counts of the fit.
    contrast
        Contrast of the fit; None: its only one.

    Returns
    -------
    DataFrame
        Columns in the format's order. Arrays are tuples; None is an unobserved count.

    Raises
    ------
    DesignError, DataError
        If the format is unknown, something that it needs is not given, or the data do
        not fit it.

    Examples
    --------
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> igvf_table(two_arms(), "reporter_sequence_design")[
    ...     ["name", "category", "class"]
    ... ].head(2)
             name   category class
    0  u1:control  synthetic  test
    1    u1:GATA1  synthetic  test
    """
    layout_of(format)
    if format in _OF_LIBRARY:
        return _OF_LIBRARY[format](data)
    if format in _OF_COUNTS:
        return _OF_COUNTS[format](data)
    if library is None or (counts is None and format != "reporter_genomic_element"):
        needed = (
            "library="
            if format == "reporter_genomic_element"
            else "counts= and library="
        )
        raise DataError(
            f"{format} needs {needed}: the library of variant tiles that was ordered, "
            "annotated"
        )
    if format == "reporter_genomic_element":
        if "SPDI" not in library:
            raise DesignError(
                "the library does not say where its oligos lie on the genome: "
                "tiles.annotate(library) does"
            )
        # oligos with genomic sequence: the reference alleles of variant tiles
        names = ("oligo_name", "allele", "chromosome", "start", "end")
        rows = pd.DataFrame(
            {name: library[name].to_numpy() for name in names}
        ).drop_duplicates("oligo_name")
        rows = rows[rows["allele"] == "ref"].set_index("oligo_name")
        table = elements(data)
        table = table[table["oligo_name"].isin(rows.index)].reset_index(drop=True)
        rows = rows.loc[table["oligo_name"]].reset_index(drop=True)
        places = rows[["chromosome", "start", "end"]].set_axis(
            ["chrom", "chromStart", "chromEnd"], axis=1
        )
        return bed_track(table, places, name="oligo_name")
    assert counts is not None
    known = data["contrast"].to_numpy().tolist()
    if contrast is None and len(known) > 1:
        raise DataError(
            f"the fit has {len(known)} contrasts, {first_of(map(quoted, known), NAMES_LISTED)}: say "
            "contrast="
        )
    table = variants(
        data, counts, library, contrast=str(known[0]) if contrast is None else contrast
    )
    if format == "reporter_variant":
        return table
    chromosome = dict(
        zip(library["SPDI"].to_numpy(), library["chromosome"].to_numpy(), strict=True)
    )
    change = [spdi.split(":") for spdi in table["variant_id"]]
    starts = [int(cells[1]) for cells in change]
    stops = [
        start + max(len(cells[2]), 1)
        for start, cells in zip(starts, change, strict=True)
    ]
    chroms = [chromosome[spdi] for spdi in table["variant_id"]]
    loci = pd.DataFrame({"chrom": chroms, "chromStart": starts, "chromEnd": stops})
    return bed_track(table, loci, name="variant_id")


def to_igvf(
    data: xr.Dataset | pd.DataFrame,
    path: str | PathLike[str],
    format: Format,
    *,
    library: xr.Dataset | None = None,
    counts: xr.Dataset | None = None,
    contrast: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a table of a format: one made by `igvf_table` from a Dataset, or a
    DataFrame with its columns.

    Tab-separated, numbers with 4 decimals; the same data give the same bytes, also
    compressed (``.gz``). All cells are checked before anything is written.

    Parameters
    ----------
    data
        A Dataset as for `igvf_table`, or a DataFrame with the columns of the format.
    path
        Output file.
    format, library, counts, contrast
        As for `igvf_table`.
    overwrite
        Whether to overwrite an existing file.

    Raises
    ------
    DesignError, DataError
        As `igvf_table`; or if a cell does not match the format, or the file exists.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.orders import two_arms
    >>> path = to_igvf(
    ...     two_arms(),
    ...     Path(tempfile.mkdtemp()) / "design.tsv.gz",
    ...     "reporter_sequence_design",
    ... )
    >>> read_igvf(path, "reporter_sequence_design")["name"][0]
    'u1:control'
    """
    if isinstance(data, pd.DataFrame):
        table = data
    else:
        table = igvf_table(
            data, format, library=library, counts=counts, contrast=contrast
        )
    return write_table(table, path, format, overwrite=overwrite)


def read_igvf(path: str | PathLike[str], format: Format) -> pd.DataFrame:
    r"""Read a table of a format, plain or gzip-compressed, and check every cell.

    Lines are not stripped: an empty cell at the end of a line is a cell.
    `causalgia.mpra.read_counts` reads barcode counts as a Dataset.

    Parameters
    ----------
    path
        The file.
    format
        Name of the format; see `igvf_table`.

    Returns
    -------
    DataFrame
        As from `igvf_table`; writing it again gives the same file.

    Raises
    ------
    DesignError, DataError
        If the file cannot be read, or does not match the format; the message names
        file, line, column and cure.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.tsv"
    >>> _ = path.write_text("u1:control\tcontrol\n")
    >>> read_igvf(path, "labels")
       oligo_name    label
    0  u1:control  control
    """
    return read_table(path, format)


_SOURCE = "causalgia"
_LOCUS = re.compile(
    r"(?P<chromosome>[^\s:]+):(?P<start>[0-9]{1,12})-(?P<end>[0-9]{1,12})(?:\((?P<strand>[+-])\))?"
)
#: group -> class; other groups are tests
_CLASSES = {
    "positive": "element active control",
    "negative": "element inactive control",
    "promoter": "element inactive control",
}


def sequence_design(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_sequence_design``, a row a construct.

    The sequence is the insert. Category: ``variant`` for units and duplicates of
    variant tiles, ``scrambled`` for negatives whose arm is a scramble or shuffle,
    ``element`` for other negatives, positives, and units of `Genomic` (real sequences,
    whatever the arm), else ``synthetic``. Class: by group; promoters are inactive
    controls. The variant columns are those of `causalgia.mpra.formats.VariantTiles.annotate`.
    Without them they are NA, and the place comes from the name, as in ``chr1:100-300``
    of `causalgia.sequences.from_bed` or bedtools, with ``(-)`` for the minus strand, if
    its length is that of the insert; else it is NA, from 0 to the length. ``info`` is a
    JSON object: fingerprints of design and library, element, arm, group, and the name
    of the sequence or parent. A promoter without an insert has no row.
    """
    rows = construct_table(library, "reporter_sequence_design")
    rows = rows[rows["insert"] != ""].reset_index(drop=True)
    rows = rows.assign(
        **{name: none for name, none in ANNOTATION.items() if name not in rows}
    )
    sure = rows["SPDI"] != ""
    real = "element" if about(library, None).null_kind == "genomic" else "synthetic"
    tested = "variant" if sure.any() else real
    names = _source_names(rows)
    places = [
        _locus_from_name(name, len(insert))
        for name, insert in zip(names, rows["insert"], strict=True)
    ]
    prints = {
        name: str(library.attrs.get(f"{name}_fingerprint", ""))
        for name in ("design", "library")
    }
    table = pd.DataFrame({"name": rows["oligo_name"], "sequence": rows["insert"]})
    pairs = zip(rows["group"], rows["arm"], strict=True)
    table["category"] = [_category(group, arm, tested) for group, arm in pairs]
    table["class"] = [_CLASSES.get(group, "test") for group in rows["group"]]
    table["source"] = _SOURCE
    table["ref"] = rows["assembly"].where(rows["assembly"] != "", "NA")
    table["chr"] = rows["chromosome"].where(
        sure, [place.chromosome for place in places]
    )
    table["start"] = rows["start"].where(sure, [place.start for place in places])
    table["end"] = rows["end"].where(sure, [place.end for place in places])
    table["strand"] = np.where(sure, "+", [place.strand for place in places])
    for name in ("variant_class", "variant_pos", "SPDI", "allele"):
        table[name] = [
            (value,) if known else ()
            for value, known in zip(rows[name], sure, strict=True)
        ]
    labels = rows[["element", "arm", "group"]].assign(source_name=names)
    table["info"] = [_info_json(prints, row) for row in labels.itertuples(index=False)]
    return table


class _Locus(NamedTuple):
    """A genomic interval, from 0, end excluded."""

    chromosome: str
    start: int
    end: int
    strand: str


def _source_names(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the source sequence of the background of each construct; for controls,
    their own name.
    """
    own = (
        rows["element"]
        .where(rows["group"].isin(("positive", "negative")), "")
        .map(_decoded_name)
    )
    return (
        own
        if "source_name" not in rows
        else rows["source_name"].where(rows["source_name"] != "", own)
    )


def _decoded_name(name: str) -> str:
    try:
        return given_name(name)
    except DesignError:  # not written by vendor_name: used as it is
        return name


def _locus_from_name(name: str, length: int) -> _Locus:
    """Return the place in a name, if its length is that of the insert; else NA, from 0
    to the length.

    Examples
    --------
    >>> _locus_from_name("chr1:100-300(-)", 200), _locus_from_name("chr1:100-300", 60)
    (_Locus(chromosome='chr1', start=100, end=300, strand='-'), _Locus(chromosome='NA', start=0, end=60, strand='+'))
    """
    found = _LOCUS.fullmatch(name)
    if found is None or int(found["end"]) - int(found["start"]) != length:
        return _Locus("NA", 0, length, "+")
    return _Locus(
        found["chromosome"],
        int(found["start"]),
        int(found["end"]),
        found["strand"] or "+",
    )


def barcode_mapping(library: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_barcode_to_element_mapping``: the construct of
    each synthesized barcode.

    Raises
    ------
    DesignError
        If the oligos carry no barcodes; random ones need association sequencing.
    """
    validate(library, "library")
    if "barcode" not in library:
        raise DesignError(
            "the oligos carry no barcodes: random ones are known only from association "
            "sequencing. Write the inserts to map reads to: to_fasta(library, path, "
            "sequence='insert')"
        )
    return pd.DataFrame(
        {
            "barcode": library["barcode"].to_numpy(),
            "oligoName": library["oligo_name"].to_numpy(),
        }
    )


def labels(library: xr.Dataset) -> pd.DataFrame:
    """Return each construct's label for the plots of MPRAsnakeflow: the arm of a test,
    else the group.
    """
    rows = construct_table(library, "labels")
    label = rows["arm"].where(rows["group"] == "test", rows["group"])
    return pd.DataFrame({"oligo_name": rows["oligo_name"], "label": label})


def side_table(library: xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group``, a row a construct, which the field's
    formats have no columns for.
    """
    return construct_table(library, "side table")[
        ["oligo_name", "element", "arm", "group"]
    ]


def _category(group: str, arm: str, tested: str) -> str:
    if group == "negative" and ("scramble" in arm.lower() or "shuffle" in arm.lower()):
        return "scrambled"
    if group in ("negative", "positive"):
        return "element"
    return "synthetic" if group == "promoter" else tested


def _info_json(prints: dict[str, str], row: Any) -> str:
    known = {name: value for name, value in prints.items() if value}
    named = (
        {"source_name": row.source_name}
        if row.source_name and row.source_name != row.element
        else {}
    )
    info = {
        **known,
        "element": row.element,
        "arm": row.arm,
        "group": row.group,
        **named,
    }
    return json.dumps(info, ensure_ascii=False)


_LN10 = float(np.log(10))
_OF_EXPERIMENT = (
    "dna_counts",
    "rna_counts",
    "dna_normalized",
    "rna_normalized",
    "log2_ratio",
    "n_bc",
)


def barcode_counts(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment_barcode``; unobserved counts are
    None, an empty cell.

    One DNA pool for all replicates is one column, ``dna_count_<first replicate>``, as
    in `causalgia.mpra.read_counts`.
    """
    validate(counts, "counts")
    names = counts["replicate"].to_numpy().tolist()
    pooled = "replicate" not in counts["dna"].dims
    oligos = counts["oligo"].to_numpy()[counts["oligo_index"].to_numpy()]
    columns: dict[str, object] = {
        "barcode": counts["barcode"].to_numpy(),
        "oligo_name": oligos,
    }
    for r, name in enumerate(names):
        for kind in ("dna", "rna"):
            if kind == "dna" and pooled and r:
                continue
            cells = (counts[kind], counts[f"{kind}_observed"])
            values, observed = (
                x.to_numpy() if x.ndim == 1 else x.to_numpy()[:, r] for x in cells
            )
            columns[f"{kind}_count_{name}"] = pd.Series(values, dtype=object).where(
                observed, None
            )
    return pd.DataFrame(columns)


def experiment(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment``: oligos in each replicate that has
    DNA of their barcodes.

    From `causalgia.mpra.counts.aggregate`, whose ``log2_ratio`` is the log2 fold change.
    """
    sums = aggregate(counts).transpose("replicate", "oligo")
    columns = {name: sums[name].to_numpy().ravel() for name in _OF_EXPERIMENT}
    replicates, oligos = counts["replicate"].to_numpy(), counts["oligo"].to_numpy()
    keys = {
        "replicate": np.repeat(replicates, len(oligos)),
        "oligo_name": np.tile(oligos, len(replicates)),
    }
    table = pd.DataFrame({**keys, **columns}).rename(
        columns={"log2_ratio": "log2FoldChange"}
    )
    return table[table["n_bc"] > 0].reset_index(drop=True)


def elements(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_element``: activity of each oligo, with
    one-sided p against a quantile of the negatives.

    From `causalgia.mpra.activity`; q is over the oligos that are no controls, and 1 for
    these.

    Raises
    ------
    DataError
        If there are too few negative controls.
    """
    found = activity(counts)
    if "p" not in found:
        raise DataError("there are no negative controls; 20 or more are needed for p")
    sums = aggregate(counts).mean("replicate").sel(oligo=found["oligo"])
    tested = found["q"].notnull().to_numpy()
    log_q = np.zeros(len(tested))
    log_q[tested] = log_bh(found["log_p"].to_numpy()[tested])
    return pd.DataFrame(
        {
            "oligo_name": found["oligo"].to_numpy(),
            "log2FoldChange": found["activity"].to_numpy(),
            "inputCount": sums["dna_normalized"].to_numpy(),
            "outputCount": sums["rna_normalized"].to_numpy(),
            "minusLog10PValue": minus_log10(found["log_p"].to_numpy()),
            "minusLog10QValue": minus_log10(log_q),
        }
    )


def variants(
    fit: xr.Dataset, counts: xr.Dataset, library: xr.Dataset, *, contrast: str
) -> pd.DataFrame:
    """Return the columns of ``reporter_variant``: the effect of each tile's alternate
    allele, from a fit.

    A variant in several windows has a row for each, distinguished by ``variantPos``.
    ``postProbEffect`` is the empirical Bayes probability of an effect: a share of the
    elements has none, the effects of the others are normal around 0, and both are
    estimated from the fit.

    Parameters
    ----------
    fit
        From `causalgia.mpra.fit`.
    counts
        The counts of the fit.
    library
        The ordered library, with `causalgia.mpra.formats.VariantTiles.annotate`.
    contrast
        Contrast of the fit.

    Raises
    ------
    DataError
        If the contrast is absent, or no element of the fit is a variant of the library.
    """
    if contrast not in fit["contrast"]:
        known = first_of(map(quoted, fit["contrast"].to_numpy().tolist()), NAMES_LISTED)
        raise DataError(f"the fit has no contrast {quoted(contrast)}; it has {known}")
    one = fit.sel(contrast=contrast)
    names = ("element", "oligo_name", "SPDI", "allele", "variant_pos")
    if "SPDI" not in library:
        raise DataError(
            "the library does not say which variants its oligos carry: "
            "tiles.annotate(library) does"
        )
    carried = pd.DataFrame({name: library[name].to_numpy() for name in names})
    carried = carried[carried["SPDI"] != ""].drop_duplicates("oligo_name")
    first = carried[carried["allele"] == "ref"].set_index("element")[
        ["SPDI", "variant_pos"]
    ]
    alleles = first.join(
        carried.pivot(index="element", columns="allele", values="oligo_name")
    )
    one = one.sel(
        element=[e for e in one["element"].to_numpy().tolist() if e in alleles.index]
    )
    if not one.sizes["element"]:
        raise DataError(
            "no element of the fit is a variant of the library; annotate it: "
            "tiles.annotate(library)"
        )
    rows = alleles.loc[one["element"].to_numpy()]
    table = pd.DataFrame(
        {"variant_id": rows["SPDI"].to_numpy(), "log2FoldChange": one["ace"].to_numpy()}
    )
    sums, oligos = (
        aggregate(counts).mean("replicate"),
        pd.Index(counts["oligo"].to_numpy()),
    )
    for allele in ("ref", "alt"):
        of = oligos.get_indexer(rows[allele])
        table[f"inputCount{allele.title()}"] = sums["dna_normalized"].to_numpy()[of]
        table[f"outputCount{allele.title()}"] = sums["rna_normalized"].to_numpy()[of]
    log_p = one["log_p"].to_numpy()
    table["minusLog10PValue"], table["minusLog10QValue"] = (
        minus_log10(log_p),
        minus_log10(log_bh(log_p)),
    )
    ace, se, df = (one[name].to_numpy() for name in ("ace", "se", "df"))
    half = special.stdtrit(df, 0.975) * se
    table["postProbEffect"] = probability_of_an_effect(ace, se)
    table["CI_lower_95"], table["CI_upper_95"] = ace - half, ace + half
    table["variantPos"] = rows["variant_pos"].to_numpy()
    change = [spdi.split(":") for spdi in table["variant_id"]]
    table["refAllele"], table["altAllele"] = (
        [cells[i] or "0" for cells in change] for i in (2, 3)
    )
    return table


def bed_track(table: pd.DataFrame, places: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Return a table of effects as a BED track: six columns of place before its own,
    sorted by place.

    The score (shade in a browser) is 1000 for the largest absolute log2 fold change.

    Parameters
    ----------
    table
        Effects, a row a feature.
    places
        ``chrom chromStart chromEnd``, row by row.
    name
        Column of the table that names the features.
    """
    size = table["log2FoldChange"].abs().to_numpy()
    score = np.rint(1000 * (size / max(size.max(initial=0.0), 1e-300))).astype(int)
    bed = places.assign(name=table[name], score=score, strand="+")
    whole = pd.concat([bed, table.drop(columns=name)], axis=1)
    return whole.sort_values(
        ["chrom", "chromStart", "chromEnd", "name"], kind="stable"
    ).reset_index(drop=True)


def minus_log10(log_p: Array) -> Array:
    """Return -log10 p from the natural logarithm of p, never -0."""
    return np.abs(log_p) / _LN10


def log_bh(log_p: Array) -> Array:
    """Return the natural logarithm of Benjamini-Hochberg's adjusted p from that of
    p.
    """
    order = np.argsort(log_p)
    raised = log_p[order] + np.log(len(log_p) / np.arange(1, len(log_p) + 1))
    adjusted = np.empty_like(raised)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 0.0)
    return adjusted


_EM_STEPS = 500
_EM_TOLERANCE = 1e-8
_LEAST_SHARE = 1e-12


def probability_of_an_effect(effect: Array, se: Array) -> Array:
    """Return P(effect is not 0) of each element, (E,), by empirical Bayes.

    ``effect ~ share N(0, se^2 + tau^2) + (1 - share) N(0, se^2)``: the share of
    elements with an effect and its sd tau are estimated by expectation-maximization (a
    generalized step for tau).

    References
    ----------
    Efron, Tibshirani, Storey & Tusher (2001), doi:10.1198/016214501753382129.

    Examples
    --------
    >>> effect, se = np.r_[np.zeros(50), 3.0], np.full(51, 0.5)
    >>> bool(probability_of_an_effect(effect, se)[-1] > 0.95)
    True
    """
    variance = np.maximum(se**2, _LEAST_SHARE)
    share, tau2 = (
        0.5,
        max(float(np.mean(effect**2 - variance)), float(np.mean(variance))),
    )
    chance = np.full(len(effect), share)
    for _ in range(_EM_STEPS):
        wide = variance + tau2
        odds = (
            np.log(share / (1 - share))
            - 0.5 * np.log(wide / variance)
            + 0.5 * effect**2 * (1 / variance - 1 / wide)
        )
        updated = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
        # of the effect itself, where there is one
        moment = (tau2 * effect / wide) ** 2 + tau2 * variance / wide
        share = float(np.clip(updated.mean(), _LEAST_SHARE, 1 - _LEAST_SHARE))
        tau2 = max(
            float((updated * moment).sum() / max(updated.sum(), _LEAST_SHARE)),
            _LEAST_SHARE,
        )
        change, chance = float(np.abs(updated - chance).max()), updated
        if change < _EM_TOLERANCE:
            break
    return chance


_OF_LIBRARY = {
    "reporter_sequence_design": sequence_design,
    "reporter_barcode_to_element_mapping": barcode_mapping,
    "labels": labels,
    "side_table": side_table,
}
_OF_COUNTS = {
    "reporter_experiment_barcode": barcode_counts,
    "reporter_experiment": experiment,
    "reporter_element": elements,
}

"""One door to IGVF's reporter-assay formats: their tables made from a library, counts or a fit, written and read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd
import xarray as xr

from causalgia.errors import CountsError, LibraryError, quoted
from causalgia.mpra.formats import designed, measured
from causalgia.mpra.formats.columns import Format
from causalgia.mpra.formats.tables import layout_of, read_table, write_table

_OF_LIBRARY = {
    "reporter_sequence_design": designed.sequence_design,
    "reporter_barcode_to_element_mapping": designed.barcode_mapping,
    "labels": designed.labels,
    "side_table": designed.side_table,
}
_OF_COUNTS = {
    "reporter_experiment_barcode": measured.barcode_counts,
    "reporter_experiment": measured.experiment,
    "reporter_element": measured.elements,
}


def igvf_table(
    data: xr.Dataset,
    format: Format,
    *,
    library: xr.Dataset | None = None,
    counts: xr.Dataset | None = None,
    contrast: str | None = None,
) -> pd.DataFrame:
    """Return the table of a format of the field: a library, counts or a fit in its columns.

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
        A library, counts, or what `causalgia.mpra.fit` answered.
    format
        Name of the format.
    library
        Annotated by `causalgia.mpra.VariantTiles.annotate`.
    counts
        That the fit was made from.
    contrast
        Of the fit; None: its only one.

    Returns
    -------
    DataFrame
        Columns in the format's order, a row a line. Arrays are tuples; None is a count that was not observed.

    Raises
    ------
    LibraryError, CountsError
        If the format is unknown, something that it needs is not given, or the data cannot be told in it.

    Examples
    --------
    >>> from causalgia.mpra.formats.example_library import two_arms
    >>> igvf_table(two_arms(), "reporter_sequence_design")[["name", "category", "class"]].head(2)
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
        needed = "library=" if format == "reporter_genomic_element" else "counts= and library="
        raise CountsError(f"{format} needs {needed}: the library of variant tiles that was ordered, annotated")
    if format == "reporter_genomic_element":
        return _placed_elements(data, library)
    assert counts is not None
    table = measured.variants(data, counts, library, contrast=_contrast(data, contrast))
    return (
        table if format == "reporter_variant" else measured.genomic(table, _places(table, library), name="variant_id")
    )


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
    """Write a file of a format of the field: what `igvf_table` makes of a Dataset, or a table with its columns.

    Tab-separated, numbers with 4 decimals; the same data give the same bytes, also compressed (``.gz``). Every cell is
    checked before anything is written.

    Parameters
    ----------
    data
        A Dataset as for `igvf_table`, or a DataFrame with the columns of the format.
    path
        Where to.
    format, library, counts, contrast
        As for `igvf_table`.
    overwrite
        Whether to write over a file that is there.

    Raises
    ------
    LibraryError, CountsError
        As `igvf_table`; if a cell of a table does not hold what the format says, or the file is there already.

    Examples
    --------
    >>> import tempfile
    >>> from causalgia.mpra.formats.example_library import two_arms
    >>> path = to_igvf(two_arms(), Path(tempfile.mkdtemp()) / "design.tsv.gz", "reporter_sequence_design")
    >>> read_igvf(path, "reporter_sequence_design")["name"][0]
    'u1:control'
    """
    if isinstance(data, pd.DataFrame):
        table = data
    else:
        table = igvf_table(data, format, library=library, counts=counts, contrast=contrast)
    return write_table(table, path, format, overwrite=overwrite)


def read_igvf(path: str | PathLike[str], format: Format) -> pd.DataFrame:
    r"""Read a file of a format of the field, plain or gzip-compressed, and check every cell of it.

    Lines are not stripped: an empty cell at the end of a line is a cell. Barcode counts are read as Datasets by
    `causalgia.mpra.read_counts`.

    Parameters
    ----------
    path
        The file.
    format
        Name of the format; see `igvf_table`.

    Returns
    -------
    DataFrame
        As `igvf_table` makes; written again, it is the same file.

    Raises
    ------
    LibraryError, CountsError
        If the file cannot be read, or is not as the format says; the message names file, line, column and cure.

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


def _contrast(fit: xr.Dataset, contrast: str | None) -> str:
    known = fit["contrast"].to_numpy().tolist()
    if contrast is None and len(known) > 1:
        raise CountsError(f"the fit has {len(known)} contrasts, {', '.join(map(quoted, known))}: say contrast=")
    return str(known[0]) if contrast is None else contrast


def _places(table: pd.DataFrame, library: xr.Dataset) -> pd.DataFrame:
    """Return where on the genome the variants of a table are."""
    chromosome = dict(zip(library["SPDI"].to_numpy(), library["chromosome"].to_numpy(), strict=True))
    change = [spdi.split(":") for spdi in table["variant_id"]]
    starts = [int(cells[1]) for cells in change]
    stops = [start + max(len(cells[2]), 1) for start, cells in zip(starts, change, strict=True)]
    chroms = [chromosome[spdi] for spdi in table["variant_id"]]
    return pd.DataFrame({"chrom": chroms, "chromStart": starts, "chromEnd": stops})


def _placed_elements(counts: xr.Dataset, library: xr.Dataset) -> pd.DataFrame:
    """Return the track of the oligos that are the genome as it stands: the reference alleles of variant tiles."""
    if "SPDI" not in library:
        raise LibraryError("the library does not say where its oligos lie on the genome: tiles.annotate(library) does")
    names = ("oligo_name", "allele", "chromosome", "start", "end")
    rows = pd.DataFrame({name: library[name].to_numpy() for name in names}).drop_duplicates("oligo_name")
    rows = rows[rows["allele"] == "ref"].set_index("oligo_name")
    table = measured.elements(counts)
    table = table[table["oligo_name"].isin(rows.index)].reset_index(drop=True)
    rows = rows.loc[table["oligo_name"]].reset_index(drop=True)
    places = rows[["chromosome", "start", "end"]].set_axis(["chrom", "chromStart", "chromEnd"], axis=1)
    return measured.genomic(table, places, name="oligo_name")

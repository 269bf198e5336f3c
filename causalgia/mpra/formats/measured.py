"""The tables of measurements: barcode counts, oligos in each replicate, and what elements and variants do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.errors import CountsError, quoted
from causalgia.mpra.counts._aggregate import aggregate, calls
from causalgia.mpra.formats.two_groups import probability_of_an_effect
from causalgia.schema import validate
from causalgia.types import Array

_LN10 = float(np.log(10))
_OF_EXPERIMENT = ("dna_counts", "rna_counts", "dna_normalized", "rna_normalized", "log2_ratio", "n_bc")


def barcode_counts(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment_barcode``; what was not observed is None, an empty cell.

    One pool of DNA for all replicates is one column, ``dna_count_<first replicate>``, as `causalgia.mpra.read_counts`
    reads it.
    """
    validate(counts, "counts")
    names = counts["replicate"].to_numpy().tolist()
    pooled = "replicate" not in counts["dna"].dims
    oligos = counts["oligo"].to_numpy()[counts["oligo_index"].to_numpy()]
    columns: dict[str, object] = {"barcode": counts["barcode"].to_numpy(), "oligo_name": oligos}
    for r, name in enumerate(names):
        for kind in ("dna", "rna"):
            if kind == "dna" and pooled and r:
                continue
            cells = (counts[kind], counts[f"{kind}_observed"])
            values, seen = (x.to_numpy() if x.ndim == 1 else x.to_numpy()[:, r] for x in cells)
            columns[f"{kind}_count_{name}"] = pd.Series(values, dtype=object).where(seen, None)
    return pd.DataFrame(columns)


def experiment(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_experiment``: oligos in each replicate where any of their barcodes has DNA.

    As `causalgia.mpra.aggregate` has them; the log2 fold change is its ``log2_ratio``.
    """
    sums = aggregate(counts).transpose("replicate", "oligo")
    columns = {name: sums[name].to_numpy().ravel() for name in _OF_EXPERIMENT}
    replicates, oligos = counts["replicate"].to_numpy(), counts["oligo"].to_numpy()
    keys = {"replicate": np.repeat(replicates, len(oligos)), "oligo_name": np.tile(oligos, len(replicates))}
    table = pd.DataFrame({**keys, **columns}).rename(columns={"log2_ratio": "log2FoldChange"})
    return table[table["n_bc"] > 0].reset_index(drop=True)


def elements(counts: xr.Dataset) -> pd.DataFrame:
    """Return the columns of ``reporter_element``: each oligo's activity, and p of no more than the negative controls'.

    As `causalgia.mpra.calls` has them, by sums over barcodes: p is one-sided.

    Raises
    ------
    CountsError
        If there are too few negative controls, or an oligo has no barcode with DNA in some replicate.
    """
    found, sums = calls(counts), aggregate(counts)
    log_p = special.log_ndtr(-found["z"].to_numpy())
    return pd.DataFrame(
        {
            "oligo_name": counts["oligo"].to_numpy(),
            "log2FoldChange": found["activity"].to_numpy(),
            "inputCount": sums["dna_normalized"].mean("replicate").to_numpy(),
            "outputCount": sums["rna_normalized"].mean("replicate").to_numpy(),
            "minusLog10PValue": minus_log10(log_p),
            "minusLog10QValue": minus_log10(log_bh(log_p)),
        }
    )


def variants(fit: xr.Dataset, counts: xr.Dataset, library: xr.Dataset, *, contrast: str) -> pd.DataFrame:
    """Return the columns of ``reporter_variant``: the effect of each tile's alternate allele, from a fit.

    A variant in several windows has a row for each, told apart by ``variantPos``. ``postProbEffect`` is the empirical
    Bayes probability that the effect is not 0: a share of the elements has none, the others' effects are normal around
    0; both are estimated from the fit.

    Parameters
    ----------
    fit
        From `causalgia.mpra.fit`.
    counts
        That it was made from.
    library
        What was ordered, with `causalgia.mpra.VariantTiles.annotate`.
    contrast
        Which contrast of the fit.

    Raises
    ------
    CountsError
        If the contrast is absent, or no element of the fit is a variant of the library.
    """
    one = fit.sel(contrast=contrast) if contrast in fit["contrast"] else _refuse_contrast(fit, contrast)
    alleles = _alleles(library)
    one = one.sel(element=[e for e in one["element"].to_numpy().tolist() if e in alleles.index])
    if not one.sizes["element"]:
        raise CountsError("no element of the fit is a variant of the library; annotate it: tiles.annotate(library)")
    rows = alleles.loc[one["element"].to_numpy()]
    table = pd.DataFrame({"variant_id": rows["SPDI"].to_numpy(), "log2FoldChange": one["ace"].to_numpy()})
    sums, oligos = aggregate(counts).mean("replicate"), pd.Index(counts["oligo"].to_numpy())
    for allele in ("ref", "alt"):
        of = oligos.get_indexer(rows[allele])
        table[f"inputCount{allele.title()}"] = sums["dna_normalized"].to_numpy()[of]
        table[f"outputCount{allele.title()}"] = sums["rna_normalized"].to_numpy()[of]
    log_p = one["log_p"].to_numpy()
    table["minusLog10PValue"], table["minusLog10QValue"] = minus_log10(log_p), minus_log10(log_bh(log_p))
    ace, se, df = (one[name].to_numpy() for name in ("ace", "se", "df"))
    half = special.stdtrit(df, 0.975) * se
    table["postProbEffect"] = probability_of_an_effect(ace, se)
    table["CI_lower_95"], table["CI_upper_95"] = ace - half, ace + half
    table["variantPos"] = rows["variant_pos"].to_numpy()
    change = [spdi.split(":") for spdi in table["variant_id"]]
    table["refAllele"], table["altAllele"] = ([cells[i] or "0" for cells in change] for i in (2, 3))
    return table


def genomic(table: pd.DataFrame, places: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Return a table of effects as a BED track: six columns of place before its own, sorted by place.

    The score, which is how dark a browser draws it, is 1000 for the largest absolute log2 fold change.

    Parameters
    ----------
    table
        Effects, a row a feature.
    places
        ``chrom chromStart chromEnd``, row by row.
    name
        The table's column that names the features.
    """
    size = table["log2FoldChange"].abs().to_numpy()
    score = np.rint(1000 * (size / max(size.max(initial=0.0), 1e-300))).astype(int)
    bed = places.assign(name=table[name], score=score, strand="+")
    whole = pd.concat([bed, table.drop(columns=name)], axis=1)
    return whole.sort_values(["chrom", "chromStart", "chromEnd", "name"], kind="stable").reset_index(drop=True)


def _alleles(library: xr.Dataset) -> pd.DataFrame:
    """Return SPDI, variant_pos and the two oligos of each element that is a variant."""
    names = ("element", "oligo_name", "SPDI", "allele", "variant_pos")
    if "SPDI" not in library:
        raise CountsError("the library does not say which variants its oligos carry: tiles.annotate(library) does")
    table = pd.DataFrame({name: library[name].to_numpy() for name in names})
    table = table[table["SPDI"] != ""].drop_duplicates("oligo_name")
    oligos = table.pivot(index="element", columns="allele", values="oligo_name")
    first = table[table["allele"] == "ref"].set_index("element")[["SPDI", "variant_pos"]]
    return first.join(oligos)


def _refuse_contrast(fit: xr.Dataset, contrast: str) -> xr.Dataset:
    known = ", ".join(map(quoted, fit["contrast"].to_numpy().tolist()))
    raise CountsError(f"the fit has no contrast {quoted(contrast)}; it has {known}")


def minus_log10(log_p: Array) -> Array:
    """Return -log10 of p from its natural logarithm, never -0."""
    return np.abs(log_p) / _LN10


def log_bh(log_p: Array) -> Array:
    """Return the natural logarithm of Benjamini and Hochberg's adjusted p, from that of p."""
    order = np.argsort(log_p)
    raised = log_p[order] + np.log(len(log_p) / np.arange(1, len(log_p) + 1))
    adjusted = np.empty_like(raised)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 0.0)
    return adjusted

"""Imports the fits of elements from the inside: R gives each layer of a fit by itself,
and `cg.mpra.fit` the last one.

Fits of barcode counts, digit by digit against R (limma, MASS and sandwich, metafor),
whose scripts lie beside.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from shared_folder import SHARED

from causalgia.mpra import average, filter as mpra_filter, fit, read_counts
from causalgia.mpra.fits.element_effects import (
    FittedEffects,
    barcode_layer,
    barcode_means,
    fit_request,
    ratio_cells,
)

pytestmark = pytest.mark.real

FOLDER = SHARED / "reference" / "mpra"
TWO_ARMS = ("allelic_clean", "allelic_barcode")
ARMS = ["none", "A", "B", "AB"]
FACTORIAL = {
    "A_without_B": (-1, 1, 0, 0),
    "B_without_A": (-1, 0, 1, 0),
    "A_with_B": (0, 0, -1, 1),
    "A_main": (-0.5, 0.5, -0.5, 0.5),
    "B_main": (-0.5, -0.5, 0.5, 0.5),
    "interaction": (1, -1, -1, 1),
}


@cache
def counts_of_case(case):
    return read_counts(
        FOLDER / case / "counts.tsv.gz", side_table=FOLDER / case / "arms.tsv"
    )


@cache
def asked(case):
    if case == "factorial":
        contrasts = {
            name: dict(zip(ARMS, w, strict=True)) for name, w in FACTORIAL.items()
        }
        return fit_request(counts_of_case(case), contrasts=contrasts)
    return fit_request(counts_of_case(case), control="control")


@cache
def cells(case):
    return ratio_cells(counts_of_case(case), asked(case))


def expected(case, name, contrast=None):
    table = pd.read_csv(FOLDER / case / "expected" / f"{name}.tsv", sep="\t")
    if contrast is not None:
        table = table[table["contrast"] == contrast]
    key = "background" if "background" in table else "element"
    return table.set_index(key).loc[asked(case).elements]


def agrees(found, theirs, rtol, k=0):
    for ours, name in (("ace", "logFC"), ("se", "se"), ("df", "df")):
        np.testing.assert_allclose(
            np.asarray(getattr(found, ours))[:, k], theirs[name], rtol=rtol, atol=rtol
        )


def moderated(cells, weights):
    """Return effects by barcode means with moderated variances, limma's analysis."""
    means = barcode_means(cells)
    variance, df = barcode_layer(means, weights).moderated()
    return FittedEffects(means.mean @ weights.T, np.sqrt(variance), df)


@pytest.mark.parametrize("case", TWO_ARMS)
def test_barcode_means(case):
    theirs = expected(case, "barcode_moderated")
    agrees(moderated(cells(case), asked(case).weights), theirs, 1e-8)
    np.testing.assert_allclose(
        barcode_means(cells(case)).pooled, theirs["s2"], rtol=1e-8
    )


@pytest.mark.parametrize("case", TWO_ARMS)
def test_two_way(case):
    fitted, theirs = (
        fit(counts_of_case(case), control="control", method="two_way"),
        expected(case, "twoway_moderated"),
    )
    agrees(fitted, theirs, 1e-8)
    for name in ("p", "v_barcode", "v_replicate", "v_residual"):
        np.testing.assert_allclose(fitted[name][:, 0], theirs[name], rtol=1e-8)


def test_factorial_contrasts():
    by_barcode = moderated(cells("factorial"), asked("factorial").weights)
    for k, name in enumerate(FACTORIAL):
        agrees(
            by_barcode,
            expected("factorial", "factorial_barcode_moderated", name),
            1e-8,
            k,
        )


@cache
def backgrounds():
    theirs = expected("backgrounds", "backgrounds_each")
    dims = ("element", "contrast")
    table = xr.Dataset(
        {"ace": (dims, theirs[["effect"]]), "se": (dims, theirs[["se"]])},
        coords={"contrast": ["treated"]},
    )
    return table.assign_coords(
        element=theirs.index, motif=("element", theirs["motif"].to_numpy())
    )


def test_averages_over_backgrounds():
    found = average(backgrounds(), by="motif")
    theirs = pd.read_csv(
        FOLDER / "backgrounds" / "expected" / "backgrounds.tsv", sep="\t"
    )
    theirs = (
        theirs[theirs["method"] == "mean_over_backgrounds"]
        .set_index("motif")
        .loc[found["contrast"].values]
    )
    for ours, column in [("ace", "effect"), ("se", "se"), ("p", "p")]:
        np.testing.assert_allclose(
            found[ours][:, 0], theirs[column], rtol=1e-8, atol=1e-9
        )


@cache
def photoreceptor():
    folder = FOLDER.parent / "mpra_real" / "library1"
    counts = read_counts(folder / "counts.tsv.gz", side_table=folder / "arms.tsv")
    return mpra_filter(counts, min_dna=10, min_barcodes=2), folder / "expected"


def test_wild_types_and_mutants_of_a_real_library():
    counts, folder = photoreceptor()
    asking = fit_request(counts, control="MUT-allCrxSites", arm_names=["WT"])
    found = moderated(ratio_cells(counts, asking), asking.weights)
    theirs = pd.read_csv(folder / "barcode_moderated.tsv.gz", sep="\t").set_index(
        "element"
    )
    assert set(theirs.index) == set(asking.elements)
    agrees(found, theirs.loc[asking.elements], 1e-7)


def test_sums_find_in_a_real_library_what_both_layers_do_not():
    counts, folder = photoreceptor()
    summary = json.loads((folder / "summary.json").read_text())
    limma = pd.read_csv(folder / "limma_paired.tsv.gz", sep="\t")
    of_sums = int((stats.false_discovery_control(limma["p"]) < 0.05).sum())
    found = fit(counts, control="MUT-allCrxSites", arm_names=["WT"], method="two_way")
    hits = int((stats.false_discovery_control(found["p"][:, 0]) < 0.05).sum())
    assert found.sizes["element"] == summary["n_pairs"]
    # metafor knows no replicates
    alone = found.drop_vars(["replicate_shift", "replicate_within"])
    overall, theirs = average(alone, by=None), summary["average_effect"]
    assert average(found, by=None)["se"].item() >= overall["se"].item()
    assert overall["ace"].item() == pytest.approx(theirs["effect"])
    assert overall["se"].item() == pytest.approx(theirs["se"])
    assert overall["tau"].item() == pytest.approx(theirs["tau"], rel=0.05)
    assert hits < 0.6 * of_sums

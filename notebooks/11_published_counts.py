# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a published table of counts to an answer
#
# Which variants change the activity of the sequence they lie in? Tewhey et al. (2016,
# [doi:10.1016/j.cell.2016.04.027](https://doi.org/10.1016/j.cell.2016.04.027)) measured
# thousands of human variants, both alleles, in lymphoblastoid cells. Their counts are in
# the R package mpra
# ([github.com/hansenlab/mpra](https://github.com/hansenlab/mpra), `mpraSetAllelicExample`,
# Artistic-2.0), one sum of reads for each oligo and replicate. The 60 variants used here
# are read from the folder that `CAUSALGIA_SHARED` names, with what mpralm found in the
# whole library. Without that folder, counts of sixty variants are simulated instead,
# twelve of which double activity; the text describes the published ones.

# %%
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import causalgia as cg

copies = os.environ.get("CAUSALGIA_SHARED")
folder = Path(copies) / "data" / "mpra_public" if copies else None
print(
    "the published counts are read"
    if folder
    else "CAUSALGIA_SHARED names no folder: simulated counts of 60 variants take their place"
)

# %% [markdown]
# ## Read
#
# Two tables are needed: the reads, a row an oligo, and what each oligo is: the variant
# (the *element*) and the allele (the *arm*). The excerpt has a column of invented
# barcodes; without it the table is recognized as sums. It is saved with commas to show
# that the layout does not matter.

# %%
if folder:
    table = pd.read_csv(folder / "tewhey60_sums.tsv", sep="\t").drop(columns="barcode")
    sums = Path(tempfile.mkdtemp(), "sums.csv")
    table.to_csv(sums, index=False)
    print("\n".join(line[:88] for line in sums.read_text().splitlines()[:3]))
    print((folder / "tewhey60_side.tsv").read_text()[:180])

# %%
if folder:
    counts = cg.mpra.read_counts(sums, side_table=folder / "tewhey60_side.tsv")
else:
    pairs = [(f"variant {i}", arm) for i in range(60) for arm in ("A", "B")]
    truth = pd.DataFrame(pairs, columns=["element", "arm"])
    truth["oligo_name"] = truth["element"] + " " + truth["arm"]
    is_real = truth["element"].isin([f"variant {i}" for i in range(12)])
    truth["log2"] = (is_real & (truth["arm"] == "B")).astype(float)
    counts = cg.mpra.simulate(truth, n_barcodes=30, rng=0)
print(cg.report(counts))

# %% [markdown]
# ## Look
#
# First the replicates: do they agree? Is one a copy of another, shifted by a row, or cut
# off at a number of reads?

# %%
print(cg.report(cg.mpra.quality(counts)))

# %% [markdown]
# ## Answer
#
# The effect of a variant is the difference of log2(RNA/DNA) between its alleles. With one
# sum for each oligo, the five replicates show how precise these sums are, but not how much
# other barcodes of the same oligo would differ. The first words of the answer say so.

# %%
fitted = cg.mpra.fit(counts, control="A")
print(cg.report(fitted))

# %% [markdown]
# Which variants have an effect worth following? Here effects within a quarter of a
# doubling are too small to matter; that limit is for the reader to choose. A variant is
# called where its interval lies beyond the limit and the false discovery rate over all 60
# is at most .05.

# %%
decisions = cg.decide(fitted, rope=(-0.25, 0.25))
print(cg.report(decisions))

# %% [markdown]
# ## Compare
#
# mpralm, the usual method for such sums, was run on the whole library. Effects and
# verdicts are nearly the same:

# %%
if folder:
    published = pd.read_csv(folder / "tewhey60_mpralm_full_library.tsv", sep="\t")
    both = fitted.isel(contrast=0)[["ace", "p"]].to_dataframe()
    both = both.join(published.set_index("id"))
    r = np.corrcoef(both["ace"], both["logFC"])[0, 1]
    hits = pd.crosstab(
        (both["p"] < 1e-3).rename("p < .001 here"),
        (both["P.Value"] < 1e-3).rename("by mpralm"),
    )
    print(f"correlation of effects: {r:.4f}")
    print(hits)
else:
    rows = cg.tidy(decisions).set_index("term")
    real = rows.index.isin(truth.loc[is_real, "element"])
    print(pd.crosstab(rows["verdict"], real, colnames=["doubles activity"]))

# %% [markdown]
# These calls hold for the barcodes that were measured. An effect of the allele itself
# needs a table with a row for each barcode, as most pipelines write it; it is read by the
# same call, and the error then includes the differences between barcodes.

# %% [markdown]
# ## Barcodes
#
# Zheng et al. (2024) counted each barcode of sequences with homeodomain motifs, intact
# and mutated ([github.com/YiqiaoZHENG/CRXHD_mpra](https://github.com/YiqiaoZHENG/CRXHD_mpra),
# MIT). One of their four RNA libraries holds hardly any read. It is left out before any
# noise is estimated, and named first; with barcodes the answer is about other barcodes,
# too.

# %%
if folder:
    by_barcode = cg.mpra.read_counts(
        folder / "zheng120_rhom.tsv", side_table=folder / "zheng120_side.tsv"
    )
    wild, arm = "WT", "mutM"
else:
    by_barcode = cg.mpra.simulate(truth, n_barcodes=8, rng=1)
    wild, arm = "A", "B"
print(cg.report(cg.mpra.fit(by_barcode, control=wild)))

# %% [markdown]
# ## Activity
#
# How active is each sequence by itself? Its interval includes the noise of barcodes and
# of replicates. Where the library has negative controls, each oligo is compared with a
# quantile of them as well.

# %%
activity = cg.mpra.activity(by_barcode)
print(cg.report(activity))

# %% [markdown]
# ## Conditions
#
# The same library in two kinds of cells, or before and after a stimulus: where barcodes
# are shared, each is compared with itself, and what a barcode adds to both cancels. Here
# such a library is drawn: barcodes differ by .6 (sd of log2), and of 200 sequences 20
# respond by .5 more than the library as a whole.

# %%
rng = np.random.default_rng(0)
n, n_barcodes, n_replicates = 200, 8, 3
oligo = np.repeat(np.arange(n), n_barcodes)
of_barcode = rng.normal(0, 1, n)[oligo] + rng.normal(0, 0.6, len(oligo))
amount = 200 * rng.lognormal(0, 0.5, (len(oligo), 1))
names = np.array([f"sequence {i}" for i in range(n)])
side = pd.DataFrame({"oligo_name": names, "element": names, "arm": "intact"})
codes = ["".join("ACGT"[i >> 2 * j & 3] for j in range(8)) for i in range(len(oligo))]
both = {}
for condition, response in (("rest", 0.0), ("stimulated", 0.5)):
    level = of_barcode + response * (oligo < 20)
    noise = rng.normal(0, 0.2, (len(oligo), n_replicates))
    both[condition] = cg.mpra.counts_of(
        rng.poisson(amount * np.ones(n_replicates)),
        rng.poisson(amount * 2 ** (level[:, None] + noise)),
        barcodes=codes,
        oligos=names[oligo],
        side_table=side,
    )
compared = cg.mpra.conditions(both, control="rest")
print(cg.report(compared))
found = compared["element"].values[compared["q"].values[:, 0] <= 0.05]
print(f"{np.isin(found, names[:20]).sum()} of the {len(found)} found respond")

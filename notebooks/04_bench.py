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
# # From the predictor to the bench and back
#
# A network predicts that a GATA1 site raises activity, and by how much in each
# background. Here the same design is ordered as an oligo library, measured (in a
# simulation whose true effects are known), analyzed with the same contrast, and
# compared with the virtual trial. The results are then used to plan the next library.

# %%
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import causalgia as cg

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The design
#
# The predictor responds to one motif, and more strongly if a second motif is near, so
# the effect differs between backgrounds. The control is a placebo: the same letters in
# an order drawn anew for every background.

# %%
predictor = cg.zoo.Oracle(
    cg.zoo.MotifCount(motif="AGATAAG", weight=0.4, strand="both"),
    cg.zoo.Pair(first="AGATAAG", second="TGAC", bonus=0.6, decay=60.0, strand="both"),
    scale="log counts",
    tasks=("K562",),
)
design = cg.Design(
    null=cg.Uniform(length=200),
    arms={"placebo": cg.Placebo("AGATAAG", at=96), "GATA1": cg.Embed("AGATAAG", at=96)},
    n_units=1_000,
    contrasts="placebo",
)

# %% [markdown]
# ## The library
#
# A thousand backgrounds are deliberately more than we can pay for: all are predicted,
# and a random sample of them is ordered. Whole oligos, including their junctions, are
# searched for sites of the cloning enzymes. If a background has such a site under any
# arm, it is replaced under all arms, and the report states how this changed the null
# model.

# %%
candidates = cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
print(cg.report(candidates))

# %% [markdown]
# The virtual trial predicts exactly these inserts.

# %%
virtual = cg.contrast(cg.mpra.virtual_trial(candidates, predictor))
ice = virtual["ice"].to_numpy().ravel()
print(
    f"{len(ice):,} backgrounds: mean effect {ice.mean():.2f}, sd between backgrounds "
    f"{ice.std(ddof=1):.2f} log counts"
)

# %% [markdown]
# How many of them should be ordered? The virtual trial gives the spread between
# backgrounds, on the scale of the predictor. Without an earlier library, the conversion
# to the scale of the measurement is unknown. The table has the half widths for a slope
# of 1 (`slope=1`) and the noise of published libraries:

# %%
noise = cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, sd_count=0.5)
plan = cg.mpra.power(
    virtual=virtual,
    slope=1.0,
    n_backgrounds=[25, 50, 100],
    n_barcodes=[5, 15],
    n_replicates=4,
    noise=noise,
)
print(plan["half_width"].squeeze(drop=True).to_pandas().round(3))

# %% [markdown]
# Four times as many backgrounds halve the interval; three times as many barcodes
# shorten it by a fifth. A hundred backgrounds are drawn at random, *without* looking at
# their predictions.

# %%
rng = np.random.default_rng(1)
units = virtual["unit"].to_numpy().astype(str)
drawn = rng.choice(units, 100, replace=False)
rows = np.isin(candidates["element"].to_numpy().astype(str), drawn) | (
    candidates["group"].to_numpy() == "negative"
)
library = candidates.isel(row=rows)
for path in cg.mpra.write_library(library, folder / "LIB"):
    print(path.name)
print(
    "\nto order:",
    *(folder / "LIB" / "oligos.csv").read_text().splitlines()[:3],
    sep="\n",
)

# %% [markdown]
# ## The measurement
#
# In this simulation a measured effect is 1.3 times the predicted one, plus a part that
# the predictor misses. Each barcode has its own deviation in activity, the same in
# every replicate, and barcodes share noise within a replicate. The result is a table of
# counts by barcode.

# %% mystnb={"image": {"alt": "A point for each oligo, its activity in one replicate against that in another, along the line on which both are equal"}}
nature = pd.Series(-0.1 + 1.3 * ice + rng.normal(0, 0.25, len(ice)), index=units)
truth = nature.mean()
oligos = (
    library[["oligo_name", "element", "arm", "group"]]
    .to_dataframe()
    .reset_index(drop=True)
)
elements = oligos["element"].unique()
background = pd.Series(rng.normal(0, 0.8, len(elements)), index=elements)
effect = np.where(
    oligos["arm"] == "GATA1", oligos["element"].map(nature).fillna(0.0), 0.0
)
oligos["log2"] = background[oligos["element"]].to_numpy() + effect
counts = cg.mpra.simulate(oligos, n_barcodes=15, n_replicates=4, rng=3)

looked = cg.mpra.quality(counts)
print(cg.report(looked))
print(
    "correlation of replicates",
    looked["correlation_activity"].to_numpy()[np.triu_indices(4, 1)].round(2),
)
axes = cg.plot.scatter(looked)

# %% [markdown]
# The replicates agree, but that says nothing about the noise of barcodes, which are the
# same in every replicate. The fit includes both sources of noise and estimates their
# variances from all elements together.

# %%
counts = cg.mpra.filter(counts, min_dna=10, min_barcodes=3)
print(counts.attrs["filters"])
fit = cg.mpra.fit(counts, control="placebo", arm_names=["GATA1"])
measured = nature[fit["element"].to_numpy().astype(str)].to_numpy()
inside = (fit["lower"].to_numpy().ravel() <= measured) & (
    measured <= fit["upper"].to_numpy().ravel()
)
print(
    f"{100 * inside.mean():.0f} % of the true effects are inside their 95 % intervals"
)

# %% [markdown]
# ## Predicted and measured effects

# %% mystnb={"image": {"alt": "A point for each element, its measured against its virtual effect, with its interval, the means of bins, a fitted line in a band, and two elements off the line by name"}}
agreement = cg.mpra.concordance(virtual, fit)
print(cg.report(agreement))
axes = cg.plot.scatter(agreement)

# %% [markdown]
# Two things keep the correlation below 1, and the report separates them: the noise of
# the measurement, which sets the ceiling given beside the correlation, and the effects
# that the predictor misses, which also lower the correlation of the true effects. The
# slope converts one unit of the predictor to log2; its true value is 1.3.
#
# ## Both together
#
# The trial is about the average effect over the *population* of backgrounds. A hundred
# backgrounds were measured; for nine hundred more there is only the prediction.
# Prediction-powered inference corrects the predicted mean by the average error of the
# predictor on the measured backgrounds. Its conditions are checked and listed:

# %%
both = cg.mpra.prediction_powered(
    virtual, fit, library=library, trained_on_measured=False
)
for condition, said in json.loads(both.attrs["conditions"]).items():
    print(f"{condition}: {said}")
classical = [both[f"classical_{name}"].item() for name in ("ace", "lower", "upper")]
powered = [both[name].item() for name in ("ace", "lower", "upper")]
print(
    f"truth {truth:.3f}\n"
    f"measured alone {classical[0]:.3f} [{classical[1]:.3f}, {classical[2]:.3f}]"
)
print(
    f"with predictions {powered[0]:.3f} [{powered[1]:.3f}, {powered[2]:.3f}], "
    f"{both['width_ratio'].item():.2f} as wide"
)
print(cg.report(cg.decide(both, rope=(-0.2, 0.2))))

# %% [markdown]
# If the backgrounds with the largest predictions had been ordered instead, the function
# would raise an error:

# %%
strongest = units[np.argsort(-ice)[: fit.sizes["element"]]]
try:
    cg.mpra.prediction_powered(
        virtual, fit.assign_coords(element=strongest), trained_on_measured=False
    )
except cg.errors.CausalgiaError as error:
    print(error)

# %% [markdown]
# ## The next library
#
# The results are used in the next trial: the slope converts its predicted effects to
# log2, the spread of the measured effects sets the scale of its prior, and the noise of
# this library is used to plan the next one.

# %%
line = agreement.isel(contrast=0).sel(line="errors_and_scatter")
slope, tau = line["slope"].item(), line["tau"].sel(side="measured").item()
prior = cg.Prior(mu_sd=1.0, tau_scale=tau / slope, standardized=False)

site = cg.Embed("AGATAAG", at=96)
next_design = cg.Design(
    null=cg.Uniform(length=200),
    arms={
        "placebo": cg.Placebo("AGATAAG", at=96),
        "center": site,
        "edge": cg.Embed("AGATAAG", at=4),
        "two": site + cg.Embed("AGATAAG", at=126),
        "next to a partner": site + cg.Embed("TGAC", at=110),
    },
    n_units=200,
    contrasts="placebo",
)
next_virtual = cg.contrast(cg.run(next_design, predictor, rng=11, progress=False))
estimates = cg.estimate(next_virtual)
verdicts = cg.decide(estimates, rope=(-0.2 / slope, 0.2 / slope))["verdict"]
posterior = cg.infer(estimates, prior=prior, rng=1)["posterior"]
sizes = slope * posterior["ace"].quantile([0.5, 0.025, 0.975], dim=("chain", "draw"))
for arm in verdicts["contrast"].to_numpy():
    expected, lower, upper = sizes.sel(contrast=arm).to_numpy().ravel()
    print(
        f"{arm}: {verdicts.sel(contrast=arm).item()}, about {expected:.2f} "
        f"[{lower:.2f}, {upper:.2f}] on log2 if the slope holds"
    )

# %%
pilot = cg.mpra.components(counts, control="placebo", arm_names=["GATA1"])
planned = cg.mpra.power(
    virtual=next_virtual.sel(contrast=["two"]),
    slope=slope,
    pilot=pilot,
    n_backgrounds=[25, 50, 100],
    n_barcodes=8,
    n_replicates=4,
)
print(planned["half_width"].squeeze(drop=True).to_pandas().round(3))

# %% [markdown]
# ## A mean that hides two groups
#
# Of 400 enhancers with and without a site, the site activates one in four, represses as
# many, and does nothing in the others. Its mean effect is small:

# %%
PAIR = ["intact", "broken"]
nature = np.random.default_rng(5).choice([1.5, -1.5, 0.0, 0.0], 400)
of_enhancers = pd.DataFrame(
    {
        "element": np.repeat([f"enhancer{i}" for i in range(400)], 2),
        "arm": np.tile(PAIR, 400),
        "group": "test",
        "log2": np.column_stack([nature, np.zeros(400)]).ravel(),
    }
)
measured_pairs = cg.mpra.simulate(of_enhancers, n_barcodes=10, n_replicates=3, rng=6)
in_all = (measured_pairs["dna"] > 0).all("replicate") & measured_pairs[
    "rna_observed"
].all("replicate")
measured_pairs = measured_pairs.isel(barcode=np.flatnonzero(in_all))
effects = cg.mpra.fit(measured_pairs, control="broken", arm_names=["intact"])
print(cg.report(cg.mpra.average(effects, by=None)))


# %% [markdown]
# The two groups are found by selecting sequences with large effects, but an estimate
# from the same barcodes would be biased by the selection. So the barcodes are split: one
# barcode of each oligo is used for selection, the others for estimation.

# %%
rank = (
    pd.Series(np.random.default_rng(2).random(measured_pairs.sizes["barcode"]))
    .groupby(measured_pairs["oligo_index"].to_numpy())
    .rank()
)


def of(barcodes):
    outcomes = cg.mpra.outcomes(
        measured_pairs.isel(barcode=np.flatnonzero(barcodes)), arm_names=PAIR
    )
    ice = cg.contrast(outcomes, control="broken")["ice"].mean("model")
    return pd.Series(ice.to_numpy().ravel(), index=ice["unit"].to_numpy())


chooses, estimates = of((rank == 1).to_numpy()), of((rank > 1).to_numpy())
for name, group in (
    ("sites activate", chooses > 1),
    ("sites repress", chooses < -1),
):
    own, fresh = chooses[group], estimates[group[group].index]
    se = fresh.std(ddof=1) / np.sqrt(len(fresh))
    print(
        f"{name}: {len(fresh):,} sequences, {own.mean():+.2f} on the selecting "
        f"barcode, {fresh.mean():+.2f} ± {se:.2f} on the others"
    )

# %% [markdown]
# There are two large groups with opposite signs, both confirmed on barcodes that were
# not used for the selection. The selecting barcode overestimates the effect in each.
# The others estimate the mean of the group as it was selected: it holds sequences in
# which the site does nothing, which the noise of one barcode put there, and so lies
# nearer to 0 than the true effects of 1.5 and -1.5. (± is the standard error over
# sequences.)

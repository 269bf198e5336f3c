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
# # A first trial: does the network know GATA1?
#
# A network that predicts activity from sequence makes a prediction for any sequence we
# write. So we can experiment on it as a laboratory experiments on a cell: prepare many
# backgrounds, treat each, keep a control, and compare. This notebook does so with an
# oracle, whose rules we know, so that every answer can be checked. The notebook on a
# published network asks one whose rules we do not know.

# %%
# %matplotlib inline
import warnings

import numpy as np
from matplotlib.figure import Figure

import causalgia as cg
from causalgia.plot import forest

# %% [markdown]
# ## An oracle, whose rules are known
#
# `gata1_like` is a predictor with two tasks, which stand for two cell types. In both,
# `AGATAAG` raises activity, more in K562 than in HepG2. The trial has five kinds of
# arms: untreated backgrounds; a *fresh* rearrangement of the motif for every unit (the
# placebo); the motif; the motif with its core broken; and forty *fixed* rearrangements
# (placebos), which show the effect of writing any seven bases.

# %%
oracle = cg.zoo.oracle("gata1_like")
at = 96
design = cg.Design(
    null=cg.Uniform(length=200),
    arms={
        "untreated": cg.Untreated(),
        "placebo": cg.Placebo("AGATAAG", at=at),
        "GATA1": cg.Embed("AGATAAG", at=at),
        "broken core": cg.Embed("AGCGAAG", at=at),
        **cg.placebos("AGATAAG", at=at, n_placebos=40),
    },
    n_units=1_000,
)
outcomes = cg.run(design, oracle, rng=7, progress=False)
effects = cg.contrast(outcomes, control="untreated")
estimates = cg.estimate(effects)
print(cg.report(estimates))

# %% [markdown]
# Every unit received every arm, so each has an individual effect, and the comparison is
# paired. How much precision did pairing gain? If the same outcomes are treated as two
# independent samples, the standard error is larger:

# %%
y = outcomes["outcome"].sel(task="K562")
unpaired = np.sqrt(
    (y.sel(arm="GATA1").var(ddof=1) + y.sel(arm="untreated").var(ddof=1))
    / y.sizes["unit"]
).item()
paired = estimates["se"].sel(contrast="GATA1", task="K562").item()
print(
    f"standard error unpaired {unpaired:.4f}, paired {paired:.4f}: "
    f"{unpaired / paired:.1f} times smaller"
)

# %% [markdown]
# The oracle adds up contributions of windows of the sequence, so its true effects can
# be computed exactly and drawn beside the estimates. The gray band is the central 95 %
# of the forty placebos; the lowest and the highest of them lie outside it.

# %% mystnb={"image": {"alt": "A row for each arm in K562: its estimated effect with its interval, and the true effect"}}
truth = oracle.true_ace(design, control="untreated")
print(
    "how the truth was computed:", sorted(set(truth["method"].values.ravel().tolist()))
)
z = (estimates["ace"] - truth) / estimates["se"]
print(f"largest |estimate - truth| / se of {z.size} effects: {abs(z).max().item():.2f}")
axes = forest(estimates, task="K562", truth=truth)

# %% [markdown]
# In the table above, neither the broken core nor the fresh placebo differs
# significantly from zero: this oracle responds to a few motifs, and seven other letters
# in random sequence have little effect on it. Single placebos do have effects: some
# contain part of a motif that the oracle responds to, and others overwrite one that was
# there by chance.

# %%
words = [
    name
    for name in estimates["contrast"].values.tolist()
    if name.startswith("placebo ")
]
n_significant = (estimates["p"].sel(contrast=words) < 0.05).sum("contrast")
print(
    f"placebos with p < 0.05, of {len(words)}:",
    n_significant.to_pandas().to_dict(),
)

# %% [markdown]
# On trained networks most placebos have an effect. Writing any bases
# removes those that were there and adds others that may have a function of their own.
# So the control for a motif is a placebo, which does both, and not the untreated arm:

# %%
against_placebo = cg.estimate(
    cg.contrast(outcomes, contrasts={"GATA1": {"GATA1": 1, "placebo": -1}})
)
print(cg.report(against_placebo))

# %% [markdown]
# ## Two sites: an interaction
#
# Two interventions give a factorial design with four arms. The additive interaction is
# the difference of differences AB − A − B + 0, computed within each unit. The oracle
# rewards GATA and an E-box together, most where they lie on the same face of the helix.
# Distances are from start to start: GATA is 7 bp long, so at a distance of 10 there are
# 3 bp between the sites.

# %%
pairs = []
for gap in range(10, 62, 2):
    arms = cg.factorial(
        {"GATA": cg.Embed("AGATAAG", at=60), "E-box": cg.Embed("CAGCTG", at=60 + gap)}
    )
    trial = cg.run(
        cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=300),
        oracle,
        rng=0,
        progress=False,
    )
    interaction = cg.contrast(trial, interaction=["GATA", "E-box"]).sel(task=["K562"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)  # said once, below
        pairs.append(cg.estimate(interaction).squeeze())
exact = sum(pair["exact"].item() for pair in pairs)
print(f"{exact} of {len(pairs)} interactions are exact")

# %% [markdown]
# *Exact* means that all 300 units have the same interaction: its standard error is 0.
# That is a statement about these units: if 300 units agree, up to 1 % of the population
# may still differ (95 % confidence). The interval allows for a difference as large as
# the largest individual effect in the trial, on that share of backgrounds. Where the
# standard error is not 0, a few backgrounds contain a site of their own where a motif
# is written, or overlapping its edge.

# %% mystnb={"image": {"alt": "The interaction of GATA and the E-box against their distance, every second base from 10 to 60: waves of ten bases that become smaller, all above 0"}}
figure = Figure(figsize=(6.5, 2.8), layout="constrained")
axes = figure.subplots()
gaps = np.arange(10, 62, 2)
ace = np.array([pair["ace"].item() for pair in pairs])
half = ace - np.array([pair["lower"].item() for pair in pairs])
axes.errorbar(gaps, ace, yerr=half, fmt="o-", ms=3, lw=0.8, color="#1f4e79")
axes.axhline(0, color="0.6", lw=0.8)
axes.set(
    xlabel="distance from start to start (bp)",
    ylabel="interaction (log2 activity)",
    title="GATA x E-box, K562",
)
figure

# %% [markdown]
# ## What no map of single edits can show
#
# The oracle `gated` has three tasks: either of two motifs is enough (OR), both are
# needed (AND), or they add up. In a sequence with both motifs, single substitutions
# detect both sites for AND and for the sum, and nothing for OR: whichever base is
# changed, the other motif is still there.

# %%
gate = cg.zoo.oracle("gated")
both = "TCTCTTTC" + "AGATAAGG" + "TCTCTTTCTCTC" + "CCACACCC" + "TCTTTCTC"
single_edits = cg.attribute([both], gate, method="ism")
baselines = cg.Uniform(length=len(both))
paths = cg.attribute(
    [both], gate, method="shapley", baselines=baselines, n_baselines=64, rng=0
)
sites = {"GATA": slice(8, 16), "CACCC": slice(28, 36)}
for name, place in sites.items():
    for method, map_ in (("mutagenesis", single_edits), ("Shapley", paths)):
        score = (
            cg.attribution.contributions(map_)
            .isel(unit=0, position=place)
            .mean("position")
        )
        print(
            f"{name:6} {method:12}",
            *(f"{task} {value:5.2f}  " for task, value in score.to_series().items()),
        )

# %% [markdown]
# Shapley values, which average over many combined edits, detect the sites in every
# task, but their sizes do not distinguish OR from AND or the sum. Four arms do: neither
# motif, each alone, and both, on the same hundred backgrounds. The interaction, the
# effect of both beyond the sum of each alone, is about 2 if both are needed, -2 if one
# is enough, and 0 if they add up.

# %% mystnb={"image": {"alt": "Three panels, AND, OR and sum: the outcome without and with GATA, a line without and one with CACCC; parallel for the sum alone"}}
arms = cg.factorial(
    {"GATA": cg.Embed("AGATAAGG", at=8), "CACCC": cg.Embed("CCACACCC", at=28)}
)
outcomes = cg.run(
    cg.Design(null=baselines, arms=arms, n_units=100), gate, rng=0, progress=False
)
means = outcomes["outcome"].mean("unit")
figure = Figure(figsize=(6.6, 2.6), layout="constrained")
for axes, task in zip(
    figure.subplots(1, 3, sharey=True), means["task"].values, strict=True
):
    each = means.sel(task=task)
    for k, (without, with_) in enumerate(
        (("untreated", "GATA"), ("CACCC", "GATA + CACCC"))
    ):
        pair = [float(each.sel(arm=without)), float(each.sel(arm=with_))]
        axes.plot(
            [0, 1],
            pair,
            marker="o",
            color=f"C{k}",
            label=("without CACCC", "with CACCC")[k],
        )
    axes.set(title=task, xticks=[0, 1], xlim=(-0.3, 1.3))
    axes.set_xticklabels(["no GATA", "GATA"])
figure.axes[0].set_ylabel("outcome")
figure.axes[0].legend(frameon=False, fontsize=8)
figure

# %%
interaction = cg.estimate(cg.contrast(outcomes, interaction=["GATA", "CACCC"]))
columns = ["ace", "lower", "upper"]
print(
    interaction[columns].isel(contrast=0).to_dataframe()[columns].round(2).to_string()
)

# %% [markdown]
# The comparison of a map with a trial shows where the map is blind. `against_trial`
# compares the effect of single substitutions with the average effect of the motif
# alone: a site is "redundant" if the former is below 5 % of the latter, "saturated" if
# below 25 %. For AND, the motif alone has no effect to compare with.

# %%
alone = cg.estimate(cg.contrast(outcomes, contrasts=["GATA - untreated"]))
compared = cg.attribution.against_trial(single_edits, alone, "AGATAAGG")
print(compared["flag"].isel(site=0).to_series().to_string())

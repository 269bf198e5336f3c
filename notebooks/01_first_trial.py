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
# oracle, whose rules we know, and then with a published network, whose rules we do not.

# %%
# %matplotlib inline
import os
import warnings
from pathlib import Path

import numpy as np

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
# On the published network below, most placebos have an effect. Writing any bases
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
from matplotlib.figure import Figure

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
# ## A published network
#
# DeepSTARR (de Almeida et al. 2022,
# [doi:10.1038/s41588-022-01048-5](https://doi.org/10.1038/s41588-022-01048-5)) predicts
# developmental and housekeeping enhancer activity of 249 bp of fly DNA. `cg.networks.load`
# downloads it once from its deposit
# ([doi:10.5281/zenodo.5502060](https://doi.org/10.5281/zenodo.5502060)), or takes it from
# the mirror that `CAUSALGIA_NETWORKS` names. Where neither is reached, a network of the
# zoo takes its place. The ten example enhancers of the paper are at
# [github.com/bernardo-de-almeida/DeepSTARR](https://github.com/bernardo-de-almeida/DeepSTARR),
# and are read from the folder that `CAUSALGIA_SHARED` names; without it, ten random
# sequences are shuffled. The text describes DeepSTARR and the
# enhancers.

# %%
try:
    predictor, length, at = cg.networks.load("deepstarr"), 249, 120
    motifs = {"AP-1": "ATGACTCAT", "GATA": "AGATAAGA", "Dref": "TATCGATA"}
except (cg.errors.PredictorError, cg.errors.MissingExtraError) as error:
    print(error)
    predictor, length, at = cg.zoo.load("rbfox1_like"), 41, 16
    motifs = {"RBFOX1": "TGCATG", "weaker site": "AGAATG"}
copies = os.environ.get("CAUSALGIA_SHARED")
fasta = Path(copies, "data/sequences/fly_249/enhancers.fasta.gz") if copies else None
sources = cg.Uniform(length=length).sample(10, rng=0)["sequence"]
origin = "ten random ones"
if fasta and length == 249:
    sources, origin = str(fasta), fasta.name
print(f"tasks {', '.join(predictor.tasks)}; sequences: {origin}")

# %%
real = cg.Design(
    null=cg.DinucleotideShuffle(of=sources),
    arms={
        "untreated": cg.Untreated(),
        **{name: cg.Embed(word, at=at) for name, word in motifs.items()},
        **cg.placebos(next(iter(motifs.values())), at=at, n_placebos=40),
    },
    n_units=300,
)
real_outcomes = cg.run(real, predictor, rng=0, progress=False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", cg.errors.CausalgiaWarning)
    real_estimates = cg.estimate(cg.contrast(real_outcomes, control="untreated"))
for warning in caught:
    print("warning:", warning.message)
print(cg.report(real_estimates))

# %% [markdown]
# Three things are worth noting. The motifs of the paper have effects far outside the
# range of the forty placebos, each in its own task: AP-1 and GATA in the
# developmental one, Dref in the housekeeping one. The effects of placebos are
# neither zero nor alike: if units are taken as independent, most random sequences are
# "significantly" different from zero (the second output below), so that test is
# uninformative. And the units are shuffles of only ten enhancers: the standard error
# counts ten parents, not three hundred units, and is larger accordingly (see the
# warning above and the ratios below).

# %%
naive = cg.estimate(cg.contrast(real_outcomes, control="untreated"), cluster="none")
ratio = (real_estimates["se"] / naive["se"]).sel(contrast=list(motifs))
print(ratio.to_pandas().round(2).to_string())
t = abs(naive["ace"] / naive["se"])
placebo = [
    str(name) for name in t["contrast"].values if str(name).startswith("placebo")
]
share = (t.sel(contrast=placebo) > 1.96).mean("contrast")
print(
    "share of placebos with |t| > 1.96, units taken as independent:",
    share.to_pandas().round(2).to_dict(),
)

# %% mystnb={"image": {"alt": "A row for each motif in the first task: its effect with its interval, beside the range of the placebos"}}
axes = forest(real_estimates, task=predictor.tasks[0])

# %% mystnb={"image": {"alt": "A row for each motif in the last task: its effect with its interval, beside the range of the placebos"}}
axes = forest(real_estimates, task=predictor.tasks[-1])

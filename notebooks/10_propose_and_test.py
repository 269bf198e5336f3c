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
# # Maps propose, trials test
#
# Which motifs does a trained network respond to? An attribution map shows which bases
# the prediction for one sequence depends on. It is not an average effect over
# sequences, and it has no p-value: in a sequence with a site, scores rise even at bases
# away from it. So maps are a source of hypotheses, and a trial on other sequences tests
# them. The network here is from the zoo, trained on an oracle's outputs with added
# noise; the oracle responds to UGCAUG and weaker motifs, so we know what there is to
# find.

# %%
# %matplotlib inline
import warnings

import numpy as np
from matplotlib.figure import Figure

import causalgia as cg

# an oracle has no noise: some of its effects do not vary
warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
network = cg.zoo.load("rbfox1_like", member=0)
generator = np.random.default_rng(1)
tokens = generator.integers(0, 4, (300, 41)).astype(np.uint8)
for row, word in zip(
    tokens, cg.sequences.encode(["TGCATG", "AGAATG"] * 150), strict=True
):
    at = generator.integers(0, 36)
    row[at : at + 6] = word
proposing, testing = tokens[:100], tokens[100:]

# %% [markdown]
# The data are three hundred random RNAs, half with UGCAUG and half with AGAAUG at
# random positions. They are split first: on the sequences from which a motif was
# proposed, the test of that motif would be circular.
#
# ## A map of one sequence
#
# In silico mutagenesis predicts every single-base change: 124 predictions for 41 bases
# (123 changes and the sequence itself). Each score is exactly an individual causal
# effect. The logo shows the contribution of each observed base, relative to the mean of
# the other three.

# %% mystnb={"image": {"alt": "The map of one sequence as a logo: the letters of the motif are tall, many others small"}}
maps = cg.attribute(proposing, network, method="ism")
axes = cg.plot.map(maps, unit=0)

# %% [markdown]
# Many bases outside the site have scores as well. How large are scores where nothing
# was planted? The figure compares the largest score of each sequence among those with
# UGCAUG, those with AGAAUG, and random ones, some of which contain a motif by chance:

# %% mystnb={"image": {"alt": "Cumulative shares of sequences by their largest score: a curve for those with UGCAUG, those with AGAAUG, and random ones"}}
plain = cg.attribute(cg.Uniform(length=41).sample(100, rng=2), network, method="ism")
largest = {
    "UGCAUG": cg.attribution.contributions(maps).isel(unit=slice(0, None, 2)),
    "AGAAUG": cg.attribution.contributions(maps).isel(unit=slice(1, None, 2)),
    "random": cg.attribution.contributions(plain),
}
figure = Figure(figsize=(4.8, 3.0), layout="constrained")
axes = figure.subplots()
for name, each in largest.items():
    axes.plot(
        np.sort(abs(each.isel(task=0)).max("position")),
        np.linspace(0, 1, each.sizes["unit"]),
        label=name,
    )
axes.set(
    xlabel="largest absolute score of a sequence",
    ylabel="cumulative share of sequences",
)
axes.legend(frameon=False)
figure

# %% [markdown]
# ## From maps to motifs
#
# Windows whose scores are larger than those in maps of null sequences become proposals;
# they are trimmed to the bases with large scores and merged. `level` sets how many
# windows are proposed; it is not an error rate.

# %%
proposed = cg.propose(maps, predictor=network, rng=0)
words = [str(word) for word in proposed["consensus"].values]
print(f"{len(words)} motifs:", *words)

# %% [markdown]
# ## The trial
#
# Each motif is written into dinucleotide shuffles of the two hundred other sequences
# and compared with random sequences of the same width on the same backgrounds. The
# random sequences show the effect of writing any letters at this position; a motif is
# confirmed only if its effect lies beyond theirs.

# %% mystnb={"image": {"alt": "The effects of the proposed motifs with their intervals, and the range of random sequences"}}
trial = cg.experiments.proposals(
    proposed, cg.DinucleotideShuffle(of=testing), n_units=200
)
answer = trial.analyze(cg.run(trial, network, rng=1, progress=False), rng=0)
print("\n".join(answer.sentences))
axes = answer.draw()

# %%
verdicts = answer.decisions.isel(task=0)
holding = verdicts.sel(contrast=verdicts["verdict"].isin(["increases", "decreases"]))
columns = ["ace", "lower", "upper", "q", "verdict"]
print(holding[columns].to_dataframe()[columns].sort_values("ace").round(3).to_string())

# %% [markdown]
# Both planted motifs are confirmed, and so are two motifs that differ from UGCAUG in
# one letter, to which the oracle responds as well. Two random sequences also lie beyond
# the fences: CATGTATG contains UGUAUG, a weak motif of the oracle, and becomes AGCAUG,
# CGCAUG or UGCAUG where the background before it ends in AG, CG or UG; TAGCAT becomes
# AGCAUG where the next base of the background is G. They were drawn at random, and the
# network does respond to them. The other 27 of 31 proposals are not confirmed, although
# each had a window with large scores on some map. That is why the trial is needed.
# `cg.discover(network, tokens)` does all of this in one call, and combines the maps if
# there are several networks.
#
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

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
# A network was trained, and we want to know what it reads. A map of one sequence says which bases its answer depends on *there*. It is no
# effect over sequences, and it has no p-value: scores away from a site rise in sequences that have one. So maps are where hypotheses come
# from. A trial on other sequences tests them. The network here is one of the zoo's, trained on noisy answers of an oracle that reads
# UGCAUG and weaker words; so we know what there is to find.

# %%
# %matplotlib inline
import warnings

import numpy as np
from matplotlib.figure import Figure

import causalgia as cg

warnings.simplefilter("ignore", cg.errors.DegenerateWarning)  # an oracle has no noise: some of its effects do not vary
network = cg.zoo.load("rbfox1_like", member=0)
generator = np.random.default_rng(1)
tokens = generator.integers(0, 4, (300, 41)).astype(np.uint8)
for row, word in zip(tokens, cg.sequences.encode(["TGCATG", "AGAATG"] * 150), strict=True):
    at = generator.integers(0, 36)
    row[at : at + 6] = word
proposing, testing = tokens[:100], tokens[100:]

# %% [markdown]
# Three hundred random RNAs, half with UGCAUG and half with AGAAUG, anywhere. The split comes first: the sequences that propose a word would
# confirm it for the reason that they proposed it.
#
# ## A map of one sequence
#
# In-silico mutagenesis asks the network for every single-base change: 124 answers for 41 bases. Each score is an individual causal effect,
# exactly. The logo shows what each observed base contributes, against the mean of the other three.

# %%
maps = cg.attribute(proposing, network, method="ism")
cg.plot.map_logo(maps, unit=0).figure

# %% [markdown]
# Many bases beside the site have scores too. How large are scores where nothing was planted? The largest score of each sequence, in those
# with UGCAUG and AGAAUG, and in plain random ones, some of which hold a word by accident:

# %%
plain = cg.attribute(cg.Uniform(length=41).sample(100, rng=2), network, method="ism")
largest = {
    "UGCAUG": cg.attribution.contributions(maps).isel(unit=slice(0, None, 2)),
    "AGAAUG": cg.attribution.contributions(maps).isel(unit=slice(1, None, 2)),
    "random": cg.attribution.contributions(plain),
}
figure = Figure(figsize=(4.8, 3.0), layout="constrained")
axes = figure.subplots()
for name, each in largest.items():
    axes.plot(np.sort(abs(each.isel(task=0)).max("position")), np.linspace(0, 1, each.sizes["unit"]), label=name)
axes.set(xlabel="largest score of a sequence", ylabel="share of sequences")
axes.legend(frameon=False)
figure

# %% [markdown]
# ## From maps to words
#
# Windows whose scores are larger than those on maps of null sequences become proposals, trimmed to the bases that matter and merged.
# `level` is a rate of proposing, and no error rate.

# %%
proposed = cg.propose(maps, predictor=network, rng=0)
words = [str(word) for word in proposed["consensus"].values]
print(f"{len(words)} words:", *words)

# %% [markdown]
# ## The trial
#
# Each word is written into dinucleotide shuffles of the two hundred other sequences and compared with placebo words of the same width on
# the same backgrounds. What any letters at this place do is part of the placebo words, so that a word holds only where it does more.

# %%
trial = cg.experiments.proposals(proposed, cg.DinucleotideShuffle(of=testing), n_units=200)
answer = trial.analyze(cg.run(trial, network, rng=1, progress=False), rng=0)
print("\n".join(answer.sentences))
answer.draw().figure

# %%
verdicts = answer.decisions.isel(task=0)
holding = verdicts.sel(contrast=verdicts["verdict"].isin(["increases", "decreases"]))
columns = ["ace", "lower", "upper", "q", "verdict"]
print(holding[columns].to_dataframe()[columns].sort_values("ace").round(3).to_string())

# %% [markdown]
# Both planted words hold, and so do relatives of UGCAUG with one letter changed, which the oracle reads as well. Two placebo words lie
# beyond the fences, too: CATGTATG holds UGUAUG, a weak word of the oracle, and becomes AGCAUG, CGCAUG or UGCAUG where the
# background before it ends in AG, CG or UG; TAGCAT becomes AGCAUG where the background goes on with G. They were drawn at random, and the network does read them. Most proposals do not hold. That is what a trial is for: every one of them had a window on a map that looked as good as a site. `cg.discover(network, tokens)` does all of this
# in one call, with maps of several networks where there are several.
#
# ## What no map of single edits can see
#
# The oracle `gated` answers in three tasks: either of two words is enough (OR), both are needed (AND), or they add up. In a sequence with
# both words, substitutions find both sites in AND and in the sum, and nothing in OR: whichever base is changed, the other word is still
# there.

# %%
gate = cg.zoo.oracle("gated")
both = "TCTCTTTC" + "AGATAAGG" + "TCTCTTTCTCTC" + "CCACACCC" + "TCTTTCTC"
single_edits = cg.attribute([both], gate, method="ism")
baselines = cg.Uniform(length=len(both))
paths = cg.attribute([both], gate, method="shapley", baselines=baselines, n_baselines=64, rng=0)
sites = {"GATA": slice(8, 16), "CACCC": slice(28, 36)}
for name, place in sites.items():
    for method, map_ in (("mutagenesis", single_edits), ("Shapley", paths)):
        score = cg.attribution.contributions(map_).isel(unit=0, position=place).mean("position")
        print(f"{name:6} {method:12}", *(f"{task} {value:5.2f}  " for task, value in score.to_series().items()))

# %% [markdown]
# Shapley values, which take many edits together, see the sites in every task, and their sizes cannot tell OR from AND or the sum. Four arms
# can: neither word, each alone, and both, on the same hundred backgrounds. What both do beyond the sum of each is 2 where both are needed,
# -2 where one is enough, and nothing where they add up.

# %%
arms = cg.factorial({"GATA": cg.Embed("AGATAAGG", at=8), "CACCC": cg.Embed("CCACACCC", at=28)})
outcomes = cg.run(cg.Design(null=baselines, arms=arms, n_units=100), gate, rng=0, progress=False)
means = outcomes["outcome"].mean("unit")
figure = Figure(figsize=(6.6, 2.6), layout="constrained")
for axes, task in zip(figure.subplots(1, 3, sharey=True), means["task"].values, strict=True):
    each = means.sel(task=task)
    for k, (without, with_) in enumerate((("untreated", "GATA"), ("CACCC", "GATA + CACCC"))):
        pair = [float(each.sel(arm=without)), float(each.sel(arm=with_))]
        axes.plot([0, 1], pair, marker="o", color=f"C{k}", label=("without CACCC", "with CACCC")[k])
    axes.set(title=task, xticks=[0, 1], xlim=(-0.3, 1.3))
    axes.set_xticklabels(["no GATA", "GATA"])
figure.axes[0].set_ylabel("outcome")
figure.axes[0].legend(frameon=False, fontsize=8)
figure

# %%
interaction = cg.estimate(cg.contrast(outcomes, interaction=["GATA", "CACCC"]))
columns = ["ace", "lower", "upper"]
print(interaction[columns].isel(contrast=0).to_dataframe()[columns].round(2).to_string())

# %% [markdown]
# Beside its trial, a map says itself where it is blind. `against_trial` compares what one substitution changes with the average effect of
# the word alone: "redundant" where that is below 5 % of the effect, "saturated" below 25 %. Under AND the word alone has no effect to compare with.

# %%
alone = cg.estimate(cg.contrast(outcomes, contrasts=["GATA - untreated"]))
compared = cg.attribution.against_trial(single_edits, alone, "AGATAAGG")
print(compared["flag"].isel(site=0).to_series().to_string())

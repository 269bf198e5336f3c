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
# # Variants and splice sites in five retrainings of one network
#
# OpenSpliceAI (Chao et al. 2025,
# [doi:10.7554/eLife.107454](https://doi.org/10.7554/eLife.107454)) predicts for each
# base whether an exon ends or begins there. Which variants in a list have large effects
# on its predictions? The effect of a variant in its own sequence has no sampling error,
# so it is compared with the effects of *matched null variants*: the same substitution
# between the same neighbors, elsewhere in the genome. Five retrainings that differ only
# in their random seed show how much of a result is an accident of training.
#
# The weights are public at
# [github.com/Kuanhao-Chao/OpenSpliceAI](https://github.com/Kuanhao-Chao/OpenSpliceAI)
# under GPL-3.0 and are not part of causalgia: copies as safetensors are read from
# the folder that `CAUSALGIA_SHARED` names. Without that folder, five oracles of the zoo
# take their place: one rule of splice sites, whose weights differ from seed to seed
# as those of retrained networks do. What the text says of OpenSpliceAI by name holds
# for that network; all else holds for both.

# %%
# %matplotlib inline
import importlib.util
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import causalgia as cg

SEEDS = (10, 11, 12, 13, 14)
copies = os.environ.get("CAUSALGIA_SHARED")
weights = Path(copies, "data/models/openspliceai_mane_80") if copies else None
print(
    "OpenSpliceAI found: five retrainings"
    if weights
    else "OpenSpliceAI is absent (public: github.com/Kuanhao-Chao/OpenSpliceAI): five "
    "oracles of the zoo take its place"
)

# %% [markdown]
# ## A genome whose splice sites are known
#
# The simulated genome is random, with a splice site every 8,000 bases (about as often
# as in the human genome): a donor CAG|GTAAGT or an acceptor, a stretch of pyrimidines
# before CAG|G. Of 300 variants, 45 change one of the two bases of a GT or AG; the
# others lie more than 30 bases away from these.

# %%
DONOR, ACCEPTOR, APART, N = "CAGGTAAGT", "TTTTCTTTTCTTTCTTTTGCAGG", 8_000, 400_000
rng, folder = np.random.default_rng(1), Path(tempfile.mkdtemp())
letters, core = rng.choice(list("ACGT"), N), []
for at in range(APART // 2, N - 200, APART):
    word, offset = (DONOR, 3) if at // APART % 2 else (ACCEPTOR, len(ACCEPTOR) - 3)
    letters[at : at + len(word)] = list(word)
    core += [at + offset, at + offset + 1]
(folder / "genome.fa").write_text(">g\n" + "".join(letters) + "\n")
broken = rng.permutation(core)[:45].tolist()
near = {at + d for at in core for d in range(-30, 31)}
others = [
    at for at in rng.permutation(np.arange(300, N - 300)).tolist() if at not in near
][:255]
rows = []
for at in sorted(broken + others):
    alternate = rng.choice([base for base in "ACGT" if base != letters[at]])
    rows.append(f"g\t{at + 1}\t.\t{letters[at]}\t{alternate}\t.\tPASS\t.\n")
(folder / "calls.vcf").write_text("##fileformat=VCFv4.3\n" + "".join(rows))
is_broken = np.isin(sorted(broken + others), broken)

# %% [markdown]
# ## The readout and the five networks
#
# A window of 181 bases is centered on the variant. The readout is the probability of a
# splice site: OpenSpliceAI predicts a profile of log odds, of which the strongest site,
# donor or acceptor, within 20 bases of the variant is read. On the log odds scale, a
# change from one in a million to one in a thousand would be as large as the loss of a
# site, and the loss of a site would not stand out.
#
# The oracles add up what words of the two signals and of their surroundings weigh in
# the window; the probability is a steep function of that sum.


# %%
def published(seed):
    """Return a retraining of OpenSpliceAI."""

    def strongest(logits):
        odds = arch.log_odds(logits)
        middle = odds.shape[2] // 2
        return odds[:, :, middle - 20 : middle + 21].amax((1, 2)).sigmoid()

    net = arch.load(weights / f"member_{seed}.safetensors")
    return cg.TorchPredictor(
        net,
        tasks=["strongest site"],
        scale="probability",
        reduce=strongest,
        device="cpu",
    )


def rule(seed):
    """Return an oracle whose weights differ from those of another seed."""
    draws = np.random.default_rng(seed)
    signals = {
        **{"GGTRAG": 1.5, "AGGTAAGT": 1.0, "CAGGTAAG": 0.5},
        **{"YNYYNCAGG": 1.0, "TTYTTTTGCAG": 1.0, "YTTTTGCAGG": 1.0},
    }
    context = ["GAAG", "CTTC", "GGGG", "TAGG", "ATTT"]
    words = [
        *(cg.zoo.MotifCount(w, x * draws.normal(1, 0.15)) for w, x in signals.items()),
        *(cg.zoo.MotifCount(w, draws.normal(0, 0.4)) for w in context),
    ]
    steep = cg.zoo.terms.Hill(top=1, half=2.3, power=6)
    return cg.zoo.Oracle(
        cg.zoo.Saturating(tuple(words), steep),
        tasks=["strongest site"],
        scale="probability",
    )


if weights:
    spec = importlib.util.spec_from_file_location("openspliceai", weights / "arch.py")
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
networks = cg.Ensemble(
    [published(seed) if weights else rule(seed) for seed in SEEDS],
    names=[f"seed {seed}" for seed in SEEDS],
)

# %% [markdown]
# ## Ranks among matched null variants
#
# Null variants lie at random loci of the same genome. Before the run, the experiment
# states which matching keys were dropped because there were too few null variants, and
# how small its p-values can be. Since 15 % of these variants are real, 1,500 null
# variants are enough for discoveries at a false discovery rate of 5 %.

# %%
experiment = cg.experiments.variants(
    folder / "calls.vcf",
    folder / "genome.fa",
    length=181,
    null=cg.MatchedVariants(of="genome"),
    n_null=1_500,
)
print(experiment)
for note in experiment.notes:
    print("-", note)

# %%
effects = cg.run(experiment, networks, rng=0, keep="outcomes")
answer = experiment.analyze(effects)
print("\n\n".join(answer.sentences))

# %% [markdown]
# In the next table a site counts only for a seed that calls it (probability above .5 in
# the reference); a site that is not called cannot be lost. The nominal false discovery
# rate is 5 %, and of the variants found, 6 % or fewer are elsewhere. Random loci of this
# genome hit a splice site now and then, so a few null variants have effects as large as
# a broken GT. Among 1,500 null variants their number varies by chance, and one seed may
# find far fewer sites than the others. With 10,000 null variants and 1,000 variants,
# four seeds of OpenSpliceAI found .974, .971, .957 and .950 of the sites that they call
# (`python benchmarks/validation/matched.py`).

# %%
found = (
    (answer.estimates["q_matched"] <= 0.05)
    .squeeze("task")
    .transpose("model", "contrast")
    .to_numpy()
)
reference = (
    effects["outcome"]
    .sel(arm="reference")
    .squeeze("task")
    .transpose("model", "unit")
    .to_numpy()
)
called = (reference[:, : len(is_broken)] > 0.5) & is_broken
table = pd.DataFrame(
    {
        "sites called": called.sum(1),
        "share of these found": (found & called).sum(1) / called.sum(1),
        "share of found that is elsewhere": (found & ~is_broken).sum(1) / found.sum(1),
    },
    index=[f"seed {seed}" for seed in SEEDS],
)
print(table.round(3))

# %% [markdown]
# The null distribution shows why a z-score would fail here: nearly all null variants
# have no effect, and a few, which hit or create a site by chance, have large ones.

# %% mystnb={"image": {"alt": "The share of variants with at least a given change, on logarithmic axes: a curve for matched null variants, for variants elsewhere and for those that break a GT or AG"}}
null = (
    answer.findings["null variants"]["effect"].squeeze("task").isel(model=0).to_numpy()
)
mine = answer.estimates["ace"].squeeze("task").isel(model=0).to_numpy()
figure = Figure(figsize=(7, 3), layout="constrained")
ax = figure.subplots()
for values, label, color in (
    (null, "matched null variants", "#999999"),
    (mine[~is_broken], "variants elsewhere", "#1f4e79"),
    (mine[is_broken], "variants that break a GT or AG", "#c55a11"),
):
    size = np.sort(np.maximum(np.abs(values), 1e-6))
    ax.plot(size, 1 - np.arange(len(size)) / len(size), label=label, color=color)
ax.set(
    xscale="log",
    yscale="log",
    xlabel="|change in probability| (seed 10)",
    ylabel="share of variants at least as large",
)
ax.legend(frameon=False)
excess = ((null - null.mean()) ** 4).mean() / null.var() ** 2 - 3
print(f"excess kurtosis of the null effects: {excess:.0f}")
figure

# %% [markdown]
# ## Would another retraining give the same result?
#
# On half of the broken sites or more all five seeds agree; most others are found by some
# seeds and missed by others. The mean effect of the broken sites has a predictive
# interval for one more retraining (`target="next predictor"`), which includes the
# variation between retrainings. Of the oracles there can be any number more, so there
# the interval is compared with the effects in twenty other seeds; a 95 % interval
# contains 95 % of them on average over such trials, not in each trial.

# %%
by_seeds = found[:, is_broken].sum(0)
print(
    "number of broken sites, by how many seeds find them:",
    dict(enumerate(np.bincount(by_seeds, minlength=6).tolist())),
)
ice = cg.contrast(effects).isel(unit=np.flatnonzero(is_broken))
each = cg.estimate(ice, cluster="none").squeeze()
following = cg.estimate(ice, cluster="none", target="next predictor").squeeze()
print("mean effect of each seed:", each["ace"].to_numpy().round(3))
print(
    f"in one more retraining: {following['ace'].item():.3f} "
    f"[{following['lower'].item():.3f}, {following['upper'].item():.3f}]"
)
if weights:
    print("OpenSpliceAI has five retrainings, and no other to compare with")
else:
    others = cg.Ensemble({f"seed {i}": rule(i) for i in range(100, 120)})
    more = cg.run(experiment, others, rng=0, keep="outcomes", progress=False)
    more = cg.contrast(more).isel(unit=np.flatnonzero(is_broken))
    means = more["ice"].mean("unit").to_numpy().ravel()
    inside = (means > following["lower"].item()) & (means < following["upper"].item())
    print(
        f"in twenty other seeds: {means.min():.3f} to {means.max():.3f}, "
        f"{inside.sum()} of them inside"
    )

# %% [markdown]
# ## Into files
#
# The result can be written as a tidy table, or as the VCF with the values in INFO
# fields that its header declares. From the shell, `causalgia variants calls.vcf
# --genome genome.fa --predictor net.toml --length 181 --out scored` does all of this.

# %%
print(
    cg.experiments.variant_frame(answer)
    .query("q_matched <= 0.05")
    .head(5)
    .to_string(index=False)
)
path = cg.experiments.write_variants(
    answer, folder / "scored.vcf", like=folder / "calls.vcf"
)
print(path.read_text().splitlines()[1])

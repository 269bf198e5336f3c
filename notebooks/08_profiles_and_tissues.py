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
# # Profiles and tissues
#
# Some predictors return more than one number per sequence: a profile along the
# sequence, or a prediction for each of many tissues. Then the question is where along
# the sequence an effect lies, and in which tissue.

# %%
# %matplotlib inline
import os
from pathlib import Path

import numpy as np

import causalgia as cg

copies = os.environ.get("CAUSALGIA_SHARED")
folder = Path(copies) / "data" if copies else None
print(
    "the published network is read"
    if folder
    else "CAUSALGIA_SHARED names no folder: a small rule takes the place of the network"
)

# %% [markdown]
# ## A profile that is known
#
# The oracle predicts accessibility at each base. Its motif leaves a footprint between
# two shoulders, whose depth depends on the bases that follow the motif. The true mean
# profile has a closed form.

# %%
WORD = "AGATAAG"
oracle = cg.zoo.footprint(WORD)
design = cg.Design(
    null=cg.Uniform(length=200),
    arms={
        "placebo": cg.Placebo(WORD, at=96),
        "one site": cg.Embed(WORD, at=96),
        "two sites": cg.Embed(WORD, at=96) + cg.Embed(WORD, at=120),
    },
    n_units=500,
    contrasts="placebo",
)
outcomes = cg.run(design, oracle, rng=7)
outcomes["outcome"].sizes

# %% [markdown]
# The effect has an estimate at every position. Of two hundred separate 95 % intervals,
# ten are expected to miss the true value; the 95 % band covers the whole curve at once.

# %% mystnb={"image": {"alt": "Bands of the footprints of one site and of two: each site a dip below zero, a shoulder on either side, and zero elsewhere"}}
effects = cg.contrast(outcomes)
band = cg.simultaneous(effects, over="position", rng=7)
print(cg.report(band))
axes = cg.plot.curve(band)

# %% [markdown]
# The true curves lie inside their bands.

# %%
truth = oracle.true_curve(design)
inside = (band["lower"] <= truth) & (truth <= band["upper"])
inside.all("position").to_series()

# %% [markdown]
# ## Windows of a profile
#
# A window summarizes a region as one number, to which every function of the library
# applies. Functions that need one number per task raise an error when they are given a
# profile:

# %%
try:
    cg.decide(cg.estimate(effects), rope=0)
except cg.errors.DataError as error:
    print(error)

# %%
read = cg.FunctionPredictor(
    lambda x: oracle.predict(x.argmax(1).astype(np.uint8))[..., 0],
    track=cg.Track(origin=100),
    reduce=[
        cg.Window("footprint", -12, 12, "log sum"),
        cg.Window("all", -60, 60, "log sum"),
    ],
    scale="counts",
    dtype="float64",
    fingerprint="footprint",
)
totals = cg.run(
    design, read, rng=7, analysis=cg.Analysis(control="placebo", rope=(-0.05, 0.05))
)
print(cg.report(cg.analyze(totals, rng=7)))

# %% [markdown]
# ## Change of shape
#
# This statistic is the share of counts that lies at other positions than under the
# control, whatever happens to the total. It is never negative, so it cannot be tested
# against 0 and is compared with placebos: forty rearrangements of the same
# letters.

# %%
arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed(WORD, at=96)}
arms |= cg.placebos(WORD, at=96, n_placebos=40, rng=7)
words = cg.run(
    cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=200), oracle, rng=7
)
shape = cg.multiplicity.placebo_rank(
    cg.estimation.shape_change(words, control="untreated")
)
shape[["ace", "lower", "upper", "p_placebo_above"]].sel(contrast="GATA1").to_dataframe()

# %% [markdown]
# ## Two strands
#
# Transcription starts belong to a strand. The promoter oracle predicts both strands. A
# network of yours that is averaged over strands is told which tasks change places:
# `cg.TorchPredictor(net, rc_average=True, opposite=[("plus", "minus")], ...)`.

# %%
promoter = cg.zoo.promoter("TATAAA")
starts = cg.Design(
    null=cg.Uniform(length=200),
    arms={"placebo": cg.Placebo("TATAAA", at=90), "TATA": cg.Embed("TATAAA", at=90)},
    n_units=300,
    contrasts="placebo",
)
print(
    cg.report(
        cg.simultaneous(
            cg.contrast(cg.run(starts, promoter, rng=7)), over="position", rng=7
        )
    )
)

# %% [markdown]
# ## 56 tissues
#
# MTSplice (Cheng et al. 2021,
# [doi:10.1186/s13059-021-02273-7](https://doi.org/10.1186/s13059-021-02273-7)) predicts
# how the inclusion of an exon in each of 56 tissues differs from the mean over tissues,
# in log odds. RBFOX proteins bind TGCATG; bound downstream of an exon, they promote its
# inclusion where they are expressed: in brain, muscle and heart. Does the network
# predict this, and is the effect *specific* to the brain?
#
# The network is public (MIT, `gagneurlab/MMSplice_MTSplice` on GitHub) and not part of
# causalgia: a copy is read from the folder that `CAUSALGIA_SHARED` names. Without that
# folder, a rule of eight tissues and four variations takes its place, in which TGCATG
# acts in brain and muscle; the text describes the network.

# %%
if folder:
    at = folder / "models" / "mtsplice"
    scope: dict = {}
    exec((at / "arch.py").read_text(), scope)
    tissues = list(scope["TASKS"])
    brain = [t for t in tissues if t.endswith("- Brain")]
    members = [
        cg.load_predictor(
            f"{at / 'arch.py'}:load",
            weights=at / f"member_{i}.safetensors",
            tasks=tissues,
            scale="log odds of inclusion",
            announce=None,
        )
        for i in range(4)
    ]
else:
    weights = {
        "Cerebellum - Brain": 0.3,
        "Hypothalamus - Brain": 0.25,
        "Cortex - Brain": 0.3,
        "Skeletal - Muscle": 0.2,
        "Left Ventricle - Heart": 0.1,
        "Liver": 0.01,
        "Testis": 0.01,
        "Suprapubic - Skin": 0.01,
    }
    tissues, brain = list(weights), list(weights)[:3]
    size = np.array(list(weights.values()))
    site = np.array(["ACGT".index(base) for base in "TGCATG"])

    def rule(i):
        """Return member i: sites downstream of the exon, more in GC-rich sequences."""
        strength = size * np.random.default_rng(i).normal(1, 0.1, size.size)

        def log_odds(one_hot):
            letters = one_hot[:, :, 500:].argmax(1)
            windows = np.lib.stride_tricks.sliding_window_view(letters, 6, axis=1)
            n_sites = (windows == site).all(2).sum(1)
            gc = one_hot[:, 1:3].mean((1, 2)) * 2
            return (n_sites * (0.5 + gc))[:, None] * strength

        return cg.FunctionPredictor(
            log_odds,
            tasks=tissues,
            scale="log odds of inclusion",
            dtype="float64",
            fingerprint=f"rule {i}",
        )

    members = [rule(i) for i in range(4)]
network = cg.Ensemble(members, names=[f"member {i}" for i in range(4)])
print(f"{len(tissues)} tissues, {len(brain)} of them in the brain")

# %% [markdown]
# Each background is a random sequence with the two splice sites of an exon of 200
# bases, which all arms have. Two RBFOX sites are written 30 bases downstream of the
# exon; the placebo is the same letters, in an order drawn anew for each background.
#
# The analysis is fixed first: three contrasts between tissues, and a region of
# practical equivalence. "Brain" is the mean over the brain tissues minus the mean over
# all others, given as one set of weights.

# %%
exon = cg.Embed("TTTCTTTTCTTTCTTTTGCAG", at=279) + cg.Embed("CAGGTAAGT", at=497)
sites = "TGCATGTTTTGCATG"
design = cg.Design(
    null=cg.Uniform(length=800),
    arms={
        "placebo": exon + cg.Placebo(sites, at=530),
        "RBFOX": exon + cg.Embed(sites, at=530),
    },
    n_units=200,
)
others = [t for t in tissues if t not in brain]
tasks = {
    "brain": {t: 1 / len(brain) if t in brain else -1 / len(others) for t in tissues},
    "muscle": "`Skeletal - Muscle` - `Liver`",
    "cerebellum in brain": "`Cerebellum - Brain` - `Hypothalamus - Brain`",
}
plan = cg.Analysis(
    control="placebo",
    tasks=tasks,
    rope=(-0.02, 0.02),
    target="population x predictors",
)
outcomes = cg.run(design, network, rng=0, analysis=plan, progress=False)
print(cg.report(cg.analyze(outcomes, rng=0)))

# %% [markdown]
# Two sites promote inclusion in the brain more than elsewhere, and in muscle more than
# in liver. The standard error is that of the *difference*: all tissues are predicted
# for the same backgrounds, and the four networks count as a sample of retrainings.
#
# The effect in each tissue by itself was not part of the plan, and the result is marked
# as exploratory. Of 56 tissues the report shows 20, directions first. Each interval is
# that of its tissue alone, and does not depend on the number of tissues. Twelve brain
# tissues and the retina increase; with four networks their `q` over 56 tissues is .036,
# and three more, whose intervals lie beyond the region, too, have a `q` above .05.

# %%
import warnings

warnings.simplefilter("ignore", cg.errors.ExploratoryWarning)
from dataclasses import replace

each = cg.analyze(outcomes, replace(plan, tasks=None), rng=0)
print(cg.report(each).split("\n\n")[1])

# %% [markdown]
# A figure can be limited to a selection of tasks, here the brain tissues, by a pattern,
# and tissues in which RBFOX is known to act or to be absent.

# %% mystnb={"image": {"alt": "A row for each of the selected tissues: its effect with its interval, and the region of equivalence"}}
axes = cg.plot.forest(
    each, task=["*Brain", "*Muscle", "*Heart", "Liver", "Testis", "*Skin"]
)

# %% [markdown]
# Is the effect specific to any one tissue? Each is compared with the mean of the 55
# others, and `q` is over these 56 contrasts. The same brain tissues stand out, and none
# of them alone: all differ from the mean of the others, of which the rest of the brain is
# a part. A claim about a single tissue would need a contrast planned beforehand, such as
# that of the cerebellum with another part of the brain above.

# %%
alone = {
    f"{t}, alone": {s: 1 if s == t else -1 / (len(tissues) - 1) for s in tissues}
    for t in tissues
}
specific = cg.analyze(outcomes, replace(plan, tasks=alone), rng=0)
print(cg.report(specific).split("\n\n")[1])

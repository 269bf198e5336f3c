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
# # For the referee: one claim, from protocol to report
#
# The claim is that in the published DeepSTARR network (de Almeida et al. 2022,
# [doi:10.1038/s41588-022-01048-5](https://doi.org/10.1038/s41588-022-01048-5)) an AP-1
# site raises developmental enhancer activity. The question and its analysis are fixed
# beforehand, the result is tested by refutations, and everything is written to one
# page. Then the same is done with a false claim, from a network that was loaded with
# its input channels in the wrong order; a refutation detects it.
#
# The network is downloaded once by `cg.networks.load`, from its deposit
# ([doi:10.5281/zenodo.5502060](https://doi.org/10.5281/zenodo.5502060)), or is taken from
# the mirror that `CAUSALGIA_NETWORKS` names. Where neither is reached, the same is done
# with a network of the zoo and the RBFOX1 motif. The ten enhancers are at
# [github.com/bernardo-de-almeida/DeepSTARR](https://github.com/bernardo-de-almeida/DeepSTARR),
# and are read from the folder that `CAUSALGIA_SHARED` names; without it, ten random
# sequences take their place. The text describes DeepSTARR and
# the enhancers.

# %%
# %matplotlib inline
import os
import tempfile
import warnings
from pathlib import Path

from IPython.display import display

import causalgia as cg

# ten parents: see the report
warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
try:
    network, WORD, FALSE_WORD = cg.networks.load("deepstarr"), "TGACTCA", "GTACGCA"
    length, at = 249, 120
except (cg.errors.PredictorError, cg.errors.MissingExtraError) as error:
    print(error)
    network, WORD, FALSE_WORD = cg.zoo.load("rbfox1_like"), "TGCATG", "GTCAGT"
    length, at = 41, 17
copies = os.environ.get("CAUSALGIA_SHARED")
fasta = Path(copies, "data/sequences/fly_249/enhancers.fasta.gz") if copies else None
if fasta and length == 249:
    enhancers, origin = cg.read_sequences(fasta), fasta.name
else:
    enhancers = cg.Uniform(length=length).sample(10, rng=0)["sequence"]
    origin = "ten random ones"
print(f"tasks {', '.join(network.tasks)}; sequences: {origin}")
out = Path(tempfile.mkdtemp())

# %% [markdown]
# ## What is fixed beforehand
#
# The null model is dinucleotide shuffles of ten enhancers. In one arm the motif is
# written into the middle of each shuffle; its control is a placebo, a fresh
# rearrangement of the same letters at the same position. Effects between -.2 and .2 are
# too small to matter. The lock file contains all of this with the fingerprint of the
# network and the time, under one SHA-256.


# %%
def design_of(word):
    """Return the trial of one motif."""
    arms = {
        "untreated": cg.Untreated(),
        "placebo": cg.Placebo(word, at=at),
        word: cg.Embed(word, at=at),
    }
    return cg.Design(null=cg.DinucleotideShuffle(of=enhancers), arms=arms, n_units=300)


design, analysis = design_of(WORD), cg.Analysis(control="placebo", rope=(-0.2, 0.2))
lock = cg.Protocol(design, analysis, predictor=network, rng=1).lock(out / "lock.toml")
display(design)
print(lock)

# %% [markdown]
# ## The trial
#
# The trial is run from the lock. `verify` compares the results with the protocol:
# nothing was changed, so nothing is exploratory.

# %%
outcomes = lock.run(design, network, progress=False)
decisions = cg.analyze(outcomes, rng=0)
print(cg.verify(out / "lock.toml", outcomes))
print(cg.verify(out / "lock.toml", decisions))
display(cg.report(decisions))

# %% [markdown]
# AP-1 raises both activities, the developmental one more, and the placebo itself changes
# them negligibly. Ten parents are few: effects that occur in fewer than 26 % of
# enhancers could be missed. The last lines say how large these would have to be to undo
# the weakest verdict, and that a single sequence has a larger effect.
#
# Deviations are listed. Here is the same trial, decided with another region of
# practical equivalence after the outcomes were seen:

# %%
later = cg.decide(
    cg.estimate(cg.contrast(outcomes, control="placebo")),
    rope=(-0.5, 0.5),
)
print(cg.verify(out / "lock.toml", later))

# %% [markdown]
# ## How could it be wrong?
#
# `refute` runs every check that applies, with no more predictions than the trial
# itself. One check fails, and rightly: the predictions for all shuffles are below those
# for real enhancers, so these effects were measured far from the activities of real
# enhancers. That does not mean that the network ignores AP-1 sites; it limits the
# backgrounds for which the effect was shown.

# %%
refutation = cg.refute(outcomes, network, rng=0, real=enhancers, positive=WORD)
print(cg.report(refutation))

# %% [markdown]
# The suggested cure is another null model: the enhancers themselves instead of their
# shuffles. Ten sequences give ten units, and the effect is found there as well:

# %%
arms = {"placebo": cg.Placebo(WORD, at=at), WORD: cg.Embed(WORD, at=at)}
natural = cg.Design(null=cg.Genomic(of=enhancers), arms=arms, n_units=10)
again = cg.run(natural, network, rng=2, progress=False)
print(cg.report(cg.estimate(cg.contrast(again, control="placebo"))))

# %% [markdown]
# ## A claim that is false
#
# The channels of the one-hot input are A C G T in this network. Others were trained
# with A C T G, and nothing in a file of weights states which. Loaded with the wrong
# order, the network reads every G as T and every T as G, and a trial finds, with an
# interval no wider than that of AP-1, that GTACGCA raises developmental activity.

# %%
exchanged = cg.TorchPredictor(
    network.module, tasks=network.tasks, scale=network.scale, alphabet="ACTG"
)
false_outcomes = cg.run(
    design_of(FALSE_WORD), exchanged, rng=1, analysis=analysis, progress=False
)
false_claim = cg.analyze(false_outcomes, rng=0)
print(cg.report(false_claim, task=network.tasks[0]))

# %% [markdown]
# The interval is correct for this predictor; the predictor is wrong. It does not
# respond to a motif that every such network must know, and the positive control detects
# that:

# %%
refuted = cg.refute(false_outcomes, exchanged, rng=0, real=enhancers, positive=WORD)
failed = refuted.isel(check=(refuted["status"] == "fail").values)
for check in failed["check"].values:
    row = failed.sel(check=check)
    print(f"{check}: {row['reason'].item()}\n    {row['cure'].item()}")

# %% [markdown]
# ## The page
#
# The page is one file that needs no internet connection: the finding, the question, the
# effects, the checks and the provenance. Sentences for the paper are made from the same
# attributes, and the checklist lists what a referee would ask for.

# %%
page = cg.report(decisions, path=out / "report.html")
print(f"{page.name}: {page.stat().st_size / 2**20:.1f} MiB")
print(cg.report(decisions, as_="methods", refutations=refutation))
display(cg.report(decisions, as_="html"))

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
# # Before a referee: one claim, from protocol to page
#
# The claim: in the published DeepSTARR network (de Almeida et al. 2022,
# [doi:10.1038/s41588-022-01048-5](https://doi.org/10.1038/s41588-022-01048-5)) an AP-1 site raises developmental enhancer activity. What is
# asked is fixed before it is answered, the answer is attacked, and everything ends on one page. Then the same is done to a claim that is
# false, because the network was loaded with two rows of its one-hot exchanged, and the attack finds it.
#
# The weights are at [doi:10.5281/zenodo.5502060](https://doi.org/10.5281/zenodo.5502060), the ten enhancers at
# [github.com/bernardo-de-almeida/DeepSTARR](https://github.com/bernardo-de-almeida/DeepSTARR). Copies are read from a folder `shared` beside
# the repository; where it is absent the notebook runs and shows nothing.

# %%
# %matplotlib inline
import tempfile
import warnings
from pathlib import Path

from IPython.display import HTML, display

import causalgia as cg

warnings.simplefilter("ignore", cg.errors.FewClustersWarning)  # ten parents: said in the report
folder = next((p / "shared" / "data" for p in Path.cwd().parents if (p / "shared" / "data").is_dir()), None)
print("published network found" if folder else "the folder 'shared' is absent: the notebook has nothing to show")
out = Path(tempfile.mkdtemp())

# %% [markdown]
# ## What is fixed beforehand
#
# The null model is dinucleotide shuffles of ten enhancers. In one arm the word stands in the middle of each shuffle; its control is a placebo,
# a fresh rearrangement of the same letters at the same place. Effects within .2 of none are too small to matter. The lock holds all of this,
# the fingerprint of the network and the time, under one SHA-256.

# %%
WORD, AT = "TGACTCA", 120


def design_of(word):
    """Return the trial of one word."""
    arms = {"untreated": cg.Untreated(), "placebo": cg.Placebo(word, at=AT), word: cg.Embed(word, at=AT)}
    return cg.Design(null=cg.DinucleotideShuffle(of=enhancers), arms=arms, n_units=300)


if folder:
    at = folder / "models" / "deepstarr"
    network = cg.load_predictor(
        f"{at / 'arch.py'}:load",
        weights=at / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )
    enhancers = cg.read_sequences(folder / "sequences" / "fly_249" / "enhancers.fasta.gz")
    design, analysis = design_of(WORD), cg.Analysis(control="placebo", rope=(-0.2, 0.2))
    lock = cg.Protocol(design, analysis, predictor=network, rng=1).lock(out / "lock.toml")
    display(design)
    print(lock)

# %% [markdown]
# ## The trial
#
# It is run from the lock. `verify` compares what came with what was fixed: nothing was changed, and nothing has to be called exploratory.

# %%
if folder:
    outcomes = lock.run(design, network, progress=False)
    decisions = cg.analyze(outcomes, rng=0)
    print(cg.verify(out / "lock.toml", outcomes))
    print(cg.verify(out / "lock.toml", decisions))
    display(cg.paper.View(decisions))

# %% [markdown]
# AP-1 raises both activities, the developmental one more. The verdict on the untreated arm is "undecided" although its interval is narrow:
# ten parents cannot exclude effects on a tenth of all enhancers.
#
# A deviation is named. Here is the same trial, decided with another region of practical equivalence after the outcomes were seen:

# %%
if folder:
    later = cg.decide(cg.adjust(cg.estimate(cg.contrast(outcomes, control="placebo"))), rope=(-0.5, 0.5))
    print(cg.verify(out / "lock.toml", later))

# %% [markdown]
# ## How could it be wrong?
#
# Every check that applies, within the predictions that the trial itself took. One fails, and it is true: all answers to shuffles lie below
# those to real enhancers, so that these effects are far from the sequences on which the network was trained and is used. It does not say that
# AP-1 is not read; it says where that was shown.

# %%
if folder:
    refutation = cg.refute(outcomes, network, rng=0, real=enhancers, positive=WORD)
    print(cg.report(refutation))

# %% [markdown]
# The cure that is named is another null model: the enhancers themselves, in place of their shuffles. Ten sequences are ten units, and the
# effect is there as well:

# %%
if folder:
    arms = {"placebo": cg.Placebo(WORD, at=AT), WORD: cg.Embed(WORD, at=AT)}
    natural = cg.Design(null=cg.Genomic(of=enhancers), arms=arms, n_units=10)
    again = cg.run(natural, network, rng=2, progress=False)
    print(cg.table(cg.estimate(cg.contrast(again, control="placebo"))))

# %% [markdown]
# ## A claim that is false
#
# The rows of a one-hot input are A C G T in this network. Others were trained with A C T G, and nothing in a file of weights says which.
# Loaded with the wrong order, the network reads every G as T and every T as G, and a trial on it finds, with the same small error, that
# GTACGCA raises developmental activity.

# %%
if folder:
    exchanged = cg.TorchPredictor(network.module, tasks=["dev", "hk"], scale="log2 enrichment", alphabet="ACTG")
    false_outcomes = cg.run(design_of("GTACGCA"), exchanged, rng=1, analysis=analysis, progress=False)
    false_claim = cg.analyze(false_outcomes, rng=0)
    print(cg.methods(false_claim, task="dev").results)

# %% [markdown]
# The interval is right: this is what this predictor does. What is wrong is the predictor. A word that every such network must know is missed,
# and that is the check that says so:

# %%
if folder:
    refuted = cg.refute(false_outcomes, exchanged, rng=0, real=enhancers, positive=WORD)
    failed = refuted.isel(check=(refuted["status"] == "fail").values)
    for check in failed["check"].values:
        row = failed.sel(check=check)
        print(f"{check}: {row['reason'].item()}\n    {row['cure'].item()}")

# %% [markdown]
# ## The page
#
# One file, which needs no network: the finding, the question, effects, checks, provenance. Sentences for the paper come from the same
# attributes, and the checklist says what a referee would miss.

# %%
if folder:
    page = cg.report(decisions, path=out / "report.html")
    print(f"{page.name}: {page.stat().st_size / 2**20:.1f} MiB")
    print(cg.methods(decisions).methods)
    print()
    print(cg.paper.checklist(decisions, refutation=refutation))
    display(HTML(cg.table(decisions, format="html")))

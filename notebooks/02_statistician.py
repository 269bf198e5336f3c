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
# # From a table of effects to verdicts
#
# This notebook is for statisticians who need the inference alone: no network, no
# sequence, no torch. The input is a table with two columns, an effect and its standard
# error. The output is a verdict about the *size* of every effect, with a controlled
# error rate.

# %%
# %matplotlib inline
import sys
import warnings

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm

import causalgia as cg
from causalgia.plot import forest

# %% [markdown]
# ## Eight schools
#
# This is the textbook example of a hierarchical model (Rubin 1981). One call infers all
# effects together, by quadrature and independent draws: there is no Markov chain that
# could fail to converge. Eight effects are too few to show their law: one normal scale
# with a stated prior stands for it.

# %%
schools = pd.DataFrame(
    {
        "effect": [28.0, 8, -3, 7, -1, 1, 18, 12],
        "se": [15.0, 10, 16, 11, 9, 11, 10, 18],
    },
    index=list("ABCDEFGH"),
)
prior = cg.Prior(mu_sd=20, tau_scale=10)
posterior = cg.infer(schools, prior=prior, rng=1)
print(cg.report(posterior))

# %% [markdown]
# The result is a DataTree in ArviZ's format (`as_arviz` is for ArviZ before 1.0).

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    summary = az.summary(
        cg.posterior.as_arviz(posterior), var_names=["mu", "tau", "ace"], kind="stats"
    )
summary.iloc[:, :2]

# %% [markdown]
# The same law is a PyMC model, and `pm.sample` of it gives the same posterior means
# within Monte Carlo error; here are the differences, in units of that error:

# %%
with warnings.catch_warnings(), cg.posterior.to_pymc(schools, prior=prior):
    warnings.simplefilter("ignore")
    sampled = pm.sample(target_accept=0.95, random_seed=2, progressbar=False)
theirs = az.summary(sampled, var_names=["ace"], round_to=5)
(
    (posterior["moments"]["mean"].values.ravel() - theirs["mean"]) / theirs["mcse_mean"]
).round(1)

# %% [markdown]
# ## Two thousand effects, most of them zero
#
# Now a simulated screen: nineteen rows in twenty have no effect, the others have
# effects of all sizes, and standard errors differ by up to a factor of four. Since the
# data are simulated, the true effects are known.

# %%
rng = np.random.default_rng(0)
n = 2_000
truth = np.where(rng.random(n) < 0.05, rng.normal(0, 1, n), 0.0)
se = rng.uniform(0.1, 0.4, n)
screen = pd.DataFrame(
    {"effect": truth + se * rng.normal(size=n), "se": se},
    index=[f"row {i}" for i in range(n)],
)

by_p = cg.decide(screen, rope=0, shrink=None)
mixture = cg.infer(screen, rng=1)
lfsr = mixture["moments"]["lfsr"].values.ravel()
found = {
    "BH, q < .05": by_p["q"].values.ravel() < 0.05,
    "lfsr < .05": lfsr < 0.05,
}
pd.DataFrame(
    {
        name: {"found": which.sum(), "of which no effect": (truth[which] == 0).sum()}
        for name, which in found.items()
    }
)

# %% [markdown]
# `lfsr` promises nothing about rows without an effect: it is the probability of a wrong
# sign *if no effect is exactly 0*, and decides nothing.
#
# The largest raw effects are overestimates on average: they were selected for large
# errors as well as for large effects (the winner's curse). Shrinkage corrects for this,
# by an amount that is estimated from the table itself.

# %%
top = np.argsort(-np.abs(screen["effect"].to_numpy()))[:20]
shrunken = mixture["moments"]["mean"].values.ravel()


def rmse(guess: np.ndarray) -> float:
    """Root mean squared error over the twenty largest raw effects."""
    return float(np.sqrt(((guess - truth)[top] ** 2).mean()))


{
    "raw": round(rmse(screen["effect"].to_numpy()), 3),
    "shrunken": round(rmse(shrunken), 3),
}

# %% [markdown]
# If effects are no larger than their errors, shrinkage is stronger. With four thousand
# effects of sd 1, measured with a standard error of 1, half of each estimate is error
# on average, in the largest forty as in all others; the intervals of these forty still
# cover the truth at close to their nominal rate.

# %%
small = rng.normal(size=4_000)
noisy = small + rng.normal(size=4_000)
learned = cg.infer(cg.from_effects(noisy, 1.0), rng=2)
forty = np.argsort(-np.abs(noisy))[:40]
middle = learned["moments"]["mean"].values.ravel()
low, high = np.quantile(
    learned["posterior"]["ace"].values.reshape(-1, 4_000)[:, forty],
    [0.05, 0.95],
    axis=0,
)
{
    "RMSE raw": round(float(np.sqrt(((noisy - small)[forty] ** 2).mean())), 2),
    "RMSE shrunken": round(float(np.sqrt(((middle - small)[forty] ** 2).mean())), 2),
    "90 % intervals that cover": float(
        ((low <= small[forty]) & (small[forty] <= high)).mean()
    ),
}

# %% mystnb={"image": {"alt": "Points of true effects against their estimates: raw in gray, shrunken in blue, with the diagonal"}}
figure, axes = plt.subplots(figsize=(5, 4))
axes.axline((0, 0), slope=1, color="0.8", lw=1)
axes.scatter(screen["effect"], truth, s=4, color="0.7", label="raw")
axes.scatter(shrunken, truth, s=4, color="C0", label="shrunken")
axes.set(xlabel="estimate", ylabel="truth")
axes.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# ## Verdicts about size
#
# A discovery says that an effect is not 0, which with enough data can be shown of
# nearly every effect. A verdict compares an effect with a region of practical
# equivalence (ROPE) that *you* state. It is where the ordinary 95 % interval of that
# effect lies: above the region (increases), below it (decreases) or inside
# (negligible). Of two thousand intervals many lie in a region by chance. So a verdict
# also needs a `q` of at most .05, adjusted for directions (increases and decreases) and
# for negligible effects separately: many easy negligible effects do not make up for
# wrong directions.

# %%
decisions = cg.decide(screen, rope=(-0.5, 0.5))
region = np.where(
    truth > 0.5, "increases", np.where(truth < -0.5, "decreases", "negligible")
)


def against_truth(decided):
    """Count verdicts against the region in which the true effect lies."""
    verdict = pd.Series(decided["verdict"].values.ravel(), name="verdict")
    return pd.crosstab(verdict, pd.Series(region, name="truth"))


against_truth(decisions)

# %% [markdown]
# Rows are verdicts, columns the truth. Wrong verdicts are the counts off the diagonal:
# on average at most 5 % of the directions, and at most 5 % of the negligible effects.
# The remaining effects are undecided; if the table gives numbers of units, the result
# also states how many more would decide each.
#
# The six largest effects, with their hierarchical size in the column *shrunken*. It
# decides nothing:

# %%
strongest = decisions.isel(contrast=top[:6])
print(cg.report(strongest))

# %%
axes = forest(strongest)
# %% [markdown]
# ## Correlated errors
#
# Contrasts with the same control share its error. A covariance matrix that you give is
# taken as known and is used in full. Here two hundred effects share a control whose
# error is as large as their own; with the covariance, the model does not mistake the
# common shift for an effect in every row.

# %%
k = 200
shared = 0.3**2
V = shared + np.diag(np.full(k, 0.3**2))
effects = rng.multivariate_normal(np.zeros(k), V)
together = cg.from_effects(effects, covariance=V)
alone = cg.from_effects(effects, np.sqrt(np.diag(V)))
{
    name: int((cg.infer(table, rng=3)["moments"]["lfsr"] < 0.05).sum())
    for name, table in {
        "errors taken as independent": alone,
        "covariance known": together,
    }.items()
}

# %% [markdown]
# Simultaneous bands use the covariance as well: their critical value is a quantile of
# the largest of two hundred correlated statistics, which is smaller than for
# independent ones.

# %%
{
    name: round(
        cg.multiplicity.simultaneous(table, method="dunnett")["critical"].item(0), 3
    )
    for name, table in {"independent": alone, "one control": together}.items()
}

# %% [markdown]
# This notebook needed no network:

# %%
assert "torch" not in sys.modules

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
# # A large trial: kept on disk, killed, resumed, and carried by workers that die
#
# A trial of a million sequences takes hours on a slow network. Machines are rebooted in that time, queues have limits,
# disks fill up. This notebook does all of that to one trial on purpose, and ends each time with the same numbers.

# %%
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

import causalgia as cg

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The trial
#
# The predictor is a network that ships with the library. The design is an ordinary one: nothing in it depends on how a large trial is
# stored. Predictor and design are written as a script, so that other processes can make the same trial.

# %%
script = folder / "trial.py"
script.write_text("""
import sys

import torch

import causalgia as cg

torch.set_num_threads(1)  # a sum over other numbers of threads may round its last bit otherwise
design = cg.Design(
    null=cg.Uniform(length=41),
    arms={
        "untreated": cg.Untreated(),
        "placebo": cg.Placebo("UGCAUG", at=17),
        "UGCAUG": cg.Embed("UGCAUG", at=17),
    },
    n_units=40_000,
    contrasts="placebo",
)
predictor = cg.zoo.load("rbfox1_like", member=0)

if __name__ == "__main__":
    cg.run(design, predictor, rng=7, store=sys.argv[1], progress=False)
""")
sys.path.insert(0, str(folder))
from trial import design, predictor

# %% [markdown]
# `causalgia check` (here `cg.check`) shows what to expect: whether the predictor is accurate enough for a contrast, how fast it is, and how
# much time and disk space the planned trial will take. Every line is explained in the guide to checking a predictor.

# %%
print(cg.check(design, predictor))

# %% [markdown]
# ## Kept on disk, and killed
#
# With `store=` outcomes go to a zarr store as they are predicted. The script is started, and after a while it is killed: not
# interrupted, not asked to stop, but `kill -9`.

# %%
store = folder / "trial.zarr"
running = subprocess.Popen([sys.executable, str(script), str(store)])
while not any((store / "outcome").glob("c/**/[0-9]*")):
    time.sleep(0.2)
running.send_signal(signal.SIGKILL)
running.wait()

try:
    cg.open(store)
except cg.errors.CausalgiaError as error:
    print(error)

# %% [markdown]
# The same call resumes the trial. Committed files are verified by their hashes and kept.

# %%
start = time.perf_counter()
outcomes = cg.run(design, predictor, rng=7, store=store)
print(f"the rest took {time.perf_counter() - start:.0f} s")
outcomes

# %% [markdown]
# The result is lazy: values are read on first use. Every verb accepts it, with bit-identical results.

# %%
in_memory = cg.run(design, predictor, rng=7)
xr.testing.assert_identical(outcomes.compute(), in_memory)

estimates = cg.estimate(cg.contrast(outcomes))
xr.testing.assert_identical(estimates, cg.estimate(cg.contrast(in_memory)))
print(estimates[["ace", "se"]].to_dataframe().round(4))

# %% [markdown]
# Another design is another trial, and is refused by this store:

# %%
from dataclasses import replace

try:
    cg.run(replace(design, n_units=30_000), predictor, rng=7, store=store)
except cg.errors.CausalgiaError as error:
    print(error)

# %% [markdown]
# ## A bit flips
#
# Disks corrupt data, rarely. One bit of one file is flipped; the next run finds it by its hash and computes that part again.

# %%
file = next(path for path in sorted((store / "outcome").glob("c/**/*")) if path.is_file())
data = bytearray(file.read_bytes())
data[1_000] ^= 1
file.write_bytes(data)

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    mended = cg.run(design, predictor, rng=7, store=store)
print(said[0].message)
xr.testing.assert_identical(mended.compute(), in_memory)

# %% [markdown]
# ## Moments alone
#
# A trial of 10^9 sequences has 4 GB of outcomes, which are not read one by one. `keep="moments"` keeps what the estimates need: means,
# covariances, quantiles of the individual effects. Memory does not grow with the number of units.

# %%
moments = cg.run(design, predictor, rng=7, keep="moments")
of_moments = cg.estimate(moments)
np.testing.assert_allclose(of_moments["ace"], estimates["ace"], rtol=1e-9)
np.testing.assert_allclose(of_moments["se"], estimates["se"], rtol=1e-9)
print(f"{moments.nbytes / 1e3:,.0f} kB instead of {outcomes.nbytes / 1e3:,.0f} kB")

# %% [markdown]
# ## On several workers, one of which dies
#
# Any Dask cluster works; this one is two processes on this machine. In the middle of the run one of them is killed. Dask gives its turns to
# the other (and starts a new one), and the outcomes are the same again: units belong to the trial, not to who carries it out.

# %%
import logging
import threading

from distributed import Client, LocalCluster

here = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
with LocalCluster(**here) as cluster, Client(cluster) as client:
    workers = client.run(os.getpid)
    victim = next(iter(workers.values()))
    threading.Timer(2, os.kill, (victim, signal.SIGKILL)).start()
    by_workers = cg.run(design, predictor, rng=7, client=client)
    lost = victim not in client.run(os.getpid).values()

print(f"worker {victim} was lost: {lost}")
xr.testing.assert_identical(by_workers, in_memory)

# %% [markdown]
# The same from the command line, with the trial in a file:
#
# ```text
# causalgia check trial.toml
# causalgia run trial.toml --out results --store --workers 2
# causalgia analyze results
# ```
#
# What a trial of 10^12 predictions would take is worked out in the guide to scale.

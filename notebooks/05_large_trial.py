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
# # A large trial: stored on disk, killed, resumed, and run on workers that die
#
# A trial of a million sequences takes hours on a slow network. In that time machines
# are rebooted, queue limits are reached, and disks corrupt data. In this notebook a
# trial is killed, one of its files is damaged, and one of its workers dies; each time
# the results are the same.

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
# The predictor is a network that ships with the library. The design is an ordinary one:
# nothing in it depends on how the trial is stored. Predictor and design are written to
# a script, so that other processes can run the same trial.

# %%
script = folder / "trial.py"
script.write_text("""
import sys

import torch

import causalgia as cg

torch.set_num_threads(1)  # with another number of threads, the last bit of a sum may round differently
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
# `causalgia check` (here `cg.check`) shows what to expect: whether the predictor's
# rounding error is small enough for each contrast, how fast it is, and how much time
# and disk space the planned trial will take. Every line is explained in the guide to
# checking a predictor.

# %%
print(cg.check(design, predictor))

# %% [markdown]
# ## Stored on disk, and killed
#
# With `store=`, outcomes are written to a zarr store as they are predicted. The script
# is started, and after a while it is killed with `kill -9`, which gives it no chance to
# clean up.

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
# The same call resumes the trial. Committed files are verified by their hashes and
# kept.

# %%
start = time.perf_counter()
outcomes = cg.run(design, predictor, rng=7, store=store)
print(f"the rest took {time.perf_counter() - start:.0f} s")
outcomes

# %% [markdown]
# The result is lazy: values are read on first use. Every function of the library
# accepts it and gives bit-identical results.

# %%
in_memory = cg.run(design, predictor, rng=7)
xr.testing.assert_identical(outcomes.compute(), in_memory)

estimates = cg.estimate(cg.contrast(outcomes))
xr.testing.assert_identical(estimates, cg.estimate(cg.contrast(in_memory)))
print(estimates[["ace", "se"]].to_dataframe().round(4))

# %% [markdown]
# A store belongs to one trial. A run with another design raises an error:

# %%
from dataclasses import replace

try:
    cg.run(replace(design, n_units=30_000), predictor, rng=7, store=store)
except cg.errors.CausalgiaError as error:
    print(error)

# %% [markdown]
# ## A bit flips
#
# Disks rarely corrupt data, but they do. Here one bit of one file is flipped; the next
# run detects it by the hash of the file and computes that part again.

# %%
file = next(
    path for path in sorted((store / "outcome").glob("c/**/*")) if path.is_file()
)
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
# A trial of 10^9 sequences has 4 GB of outcomes, which nobody reads one by one.
# `keep="moments"` keeps what the estimates need: means, covariances, and quantiles of
# the individual effects. Memory does not grow with the number of units.

# %%
moments = cg.run(design, predictor, rng=7, keep="moments")
of_moments = cg.estimate(moments)
np.testing.assert_allclose(of_moments["ace"], estimates["ace"], rtol=1e-9)
np.testing.assert_allclose(of_moments["se"], estimates["se"], rtol=1e-9)
print(f"{moments.nbytes / 1e3:,.0f} kB instead of {outcomes.nbytes / 1e3:,.0f} kB")

# %% [markdown]
# ## On several workers, one of which dies
#
# Any Dask cluster works; this one consists of two processes on this machine. In the
# middle of the run one of them is killed. Dask passes its turns (ranges of units) to
# the other and starts a new process. The outcomes are the same again, since the random
# draws of a unit do not depend on the worker that computes it.

# %%
import logging
import threading

from distributed import Client, LocalCluster

here = {
    "n_workers": 2,
    "threads_per_worker": 1,
    "dashboard_address": "127.0.0.1:0",
    "silence_logs": logging.CRITICAL,
}
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

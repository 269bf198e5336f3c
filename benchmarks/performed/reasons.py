"""Why a figure misses its target, by benchmark and name of the figure: a miss without a
reason fails the tests.
"""

from __future__ import annotations

_FORWARDS = (
    "tangermeme makes 20 forward passes of the backgrounds where a trial needs 11, and "
    "no more can be gained while both run the same network in eager mode: the bare "
    "forward passes alone are 1.7 to 1.8 x faster than tangermeme"
)
_EDITS = (
    "a run has a fixed cost of .2 to .25 s, which is not negligible for ten words on "
    "1,000 backgrounds: .22 to .29 x in all measurements"
)

_WAITS = (
    "measured when one thread prepared the next turn while the other gathered the "
    "answers of this one; since then turns are prepared by as many threads as it takes "
    "and gathered by another (`host` measures that without a GPU), and no GPU was at "
    "hand to measure it on"
)

REASONS: dict[str, str] = {
    "accelerator: run / bare forwards on the GPU, DeepSTARR": _WAITS,
    "accelerator: share of the time in which the GPU idles, DeepSTARR": _WAITS,
    "memory: effects": (
        "60 MiB more for 909,000 units, 69 bytes each: their identifiers, sequences of "
        "origin and shares of G and C, and turns that are prepared ahead; the effects "
        "themselves are in the store"
    ),
    "store: store / raw": (
        "zarr writes through an event loop of its own and checks each chunk: .115 s for "
        "ten million outcomes, which take a network ten seconds or more"
    ),
    "startup: show": (
        "importing xarray (most of which is pandas) and reading one file with it take "
        "three quarters of this by themselves; if dask is installed, a third of that is "
        "`dask.array`, which xarray imports with its first Dataset. Only text that was "
        "kept could be shown sooner, and what is shown depends on the width of the "
        "terminal and on whether the files still belong together"
    ),
    "marginalize: tangermeme / run, ResidualBind": _FORWARDS,
    "marginalize: tangermeme / run, DeepSTARR": _FORWARDS,
    "marginalize: tangermeme / run, BPNet": _FORWARDS,
    "incremental: incremental run / bare forwards, DeepSTARR": _EDITS,
    "incremental: incremental run / bare forwards, BPNet": _EDITS,
    "mutagenesis: few and short, the slowest / full passes": (
        "the slowest is a dense network on 60 sequences of 20 letters, which take it 0.3 "
        "ms, beside 0.05 ms of a session; of the four networks with convolutions none "
        "was slower than 1.04 x (measured on two shared cores of an AMD EPYC)"
    ),
    "verbs: across_predictors, predictors, share of linear": (
        "an estimate takes a worker some 30 ms, and the 1.1 MB of outcomes that it "
        "reads are sent twice (to the scheduler, and on to the worker): sending "
        "outcomes, reading estimates and combining them take the calling process, "
        "which shares the two cores with the workers, a sixth of the time of the call; "
        "by processor time, 0.84 is the most that two cores allow"
    ),
    "variant_scores: variants / bare forwards": (
        "measured at a load of 9 on 4 cores; on a quieter day the ratio was 1.09 with "
        "the same number of passes"
    ),
    "variant_scores: many variants / bare forwards": (
        "a forward pass of this network takes some 20 to 40 microseconds per sequence; "
        "reading the file, cutting windows, writing alleles, drawing null variants "
        "from the genome (thirty positions are tried for each) and ranking take some "
        "100 microseconds per variant besides its two passes, row by row in Python, "
        "which is little beside the passes of a network of DeepSTARR's size"
    ),
}

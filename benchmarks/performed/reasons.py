"""Why a figure misses its target, by benchmark and name of the figure: a miss without a
reason fails the tests.
"""

from __future__ import annotations

_FORWARDS = (
    "tangermeme makes 20 forward passes of the backgrounds where a trial needs 11, and "
    "no more can be gained while both run the same network in eager mode: the bare "
    "forward passes alone are {} x faster than tangermeme"
)
_EDITS = (
    "a run has a fixed cost of .2 to .25 s, which is not negligible for ten words on "
    "1,000 backgrounds: .22 to .29 x in all measurements"
)

_WAITS = (
    "the GPU computes for as long as the bare forward passes take, 1.2 s; in the rest it "
    "waits for the host, one thread of which prepares the next turn (draws backgrounds, "
    "applies the arms, looks for equal sequences: about a second in all) while the other "
    "gathers the answers of this one"
)

REASONS: dict[str, str] = {
    "accelerator: run / bare forwards on the GPU, DeepSTARR": _WAITS,
    "accelerator: share of the time in which the GPU idles, DeepSTARR": _WAITS,
    "store: store / raw": (
        "zarr writes through an event loop of its own and checks each chunk: .115 s for "
        "ten million outcomes, which take a network ten seconds or more "
        "(docs/decisions/0029-a-store-is-a-zarr-group.md)"
    ),
    "startup: show": (
        "reading one file of the trial with xarray takes 0.8 s by itself: most of "
        "`import xarray` is pandas, and if dask is installed, xarray also loads "
        "`dask.array` and scipy with its first Dataset (0.3 s); this library accounts "
        "for 6 % of the import time (`python -X importtime`)"
    ),
    "marginalize: tangermeme / run, ResidualBind": _FORWARDS.format(1.77),
    "marginalize: tangermeme / run, DeepSTARR": _FORWARDS.format(1.81),
    "marginalize: tangermeme / run, BPNet": _FORWARDS.format(1.73),
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
        "a forward pass of this network takes some 40 microseconds per sequence; "
        "reading the file, cutting windows, writing alleles, drawing null variants "
        "from the genome (thirty positions are tried for each) and ranking take some "
        "190 microseconds per variant besides its two passes, which is little beside "
        "the passes of a network of DeepSTARR's size"
    ),
}

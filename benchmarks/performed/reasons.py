"""Why a figure misses its target, by benchmark and name of the figure: a miss without a reason fails the tests."""

from __future__ import annotations

_FORWARDS = (
    "tangermeme makes 20 forwards of the backgrounds where a trial needs 11, which is all there is to gain while both "
    "run the same eager network: the bare forwards, with nothing around them, are {} x faster than tangermeme"
)
_EDITS = (
    "a run has a fixed cost of .2 to .25 s, which 1,000 backgrounds of ten words do not spread thin: .22 to .29 x in "
    "all measurements"
)

REASONS: dict[str, str] = {
    "startup: show": (
        "xarray that reads one file of the trial takes 0.8 s by itself: pandas is most of `import xarray`, and where "
        "dask is installed xarray loads `dask.array` and scipy with its first Dataset (0.3 s); of the time that all "
        "imports take (`python -X importtime`) 6 % is this library's"
    ),
    "marginalize: tangermeme / run, ResidualBind": _FORWARDS.format(1.77),
    "marginalize: tangermeme / run, DeepSTARR": _FORWARDS.format(1.81),
    "marginalize: tangermeme / run, BPNet": _FORWARDS.format(1.73),
    "incremental: incremental run / bare forwards, DeepSTARR": _EDITS,
    "incremental: incremental run / bare forwards, BPNet": _EDITS,
    "verbs: across_predictors, predictors, share of linear": (
        "an estimate takes some 30 ms of a worker, and the outcomes that it reads are 1.1 MB, sent twice (to the "
        "scheduler, and on): sending, reading estimates and putting them together take the process that asks, which "
        "shares the two cores with the workers, a fifth of the time of the call"
    ),
    "variant_scores: variants / bare forwards": (
        "measured at a load of 9 on 4 cores, where it read 1.09 on a quieter day with the same passes"
    ),
    "variant_scores: many variants / bare forwards": (
        "a pass of this network takes some 40 microseconds a sequence; to read the file, cut windows, write alleles, "
        "draw nulls from the genome (thirty places are looked at for each) and rank takes some 190 a variant beside "
        "its two passes, which a network of DeepSTARR's size hides"
    ),
}

"""What is promised of speed and size, and which benchmark measures it: one table, from
which the page is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING, Any

import numpy as np
from shared_folder import IS_NAMED

if TYPE_CHECKING:
    from timing import Figure

AT_LEAST, AT_MOST = ">=", "<="


@dataclass(frozen=True)
class Target:
    """A promise: what, against what, and the name of its figure among those that the
    benchmark returns.
    """

    what: str
    against: str
    key: str
    sense: str
    bound: float
    unit: str = "x"
    peer: str = ""
    """Package, or program on the path, that is measured beside ours and is no
    dependency.
    """

    def holds(self, measured: Figure) -> bool:
        """Return whether a figure, or the median of its repeats, keeps the promise."""
        middle = np.median(measured)
        return bool(
            middle >= self.bound if self.sense == AT_LEAST else middle <= self.bound
        )


_SHUFFLE = "exact dinucleotide shuffle"
_TANGERMEME = "tangermeme 1.6, same one-hot output"


def _shuffles() -> tuple[Target, ...]:
    return (
        *(
            Target(
                f"{_SHUFFLE} of {length:,} bp, one of each of many sequences",
                _TANGERMEME,
                f"tangermeme / ours, L = {length}",
                AT_LEAST,
                7,
                peer="tangermeme",
            )
            for length in (41, 249, 2_114)
        ),
        *(
            Target(
                f"{_SHUFFLE}, 1 to 100, {name}, 41 to 2,114 bp, the worst of 15",
                _TANGERMEME,
                f"tangermeme / ours, few, {name}",
                AT_LEAST,
                1,
                peer="tangermeme",
            )
            for name in ("n of one", "one of n")
        ),
        Target(
            f"{_SHUFFLE} of 249 bp",
            "seqpro",
            "seqpro / ours, L = 249",
            AT_LEAST,
            3,
            peer="seqpro",
        ),
        Target(
            f"{_SHUFFLE} of 249 bp",
            "2 threads against 1",
            "1 thread / 2, L = 249",
            AT_LEAST,
            1.8,
        ),
    )


_FRESH = "a fresh process"
_NAMES = ("ResidualBind", "DeepSTARR", "BPNet")


def _sizes(
    what: str,
    against: str,
    key: str,
    sense: str,
    bound: float,
    peer: str = "",
    names: tuple[str, ...] = _NAMES,
) -> tuple[Target, ...]:
    """Return the same promise for each size of network; `key` has a place for its
    name.
    """
    return tuple(
        Target(f"{what}, {n} size", against, key.format(n), sense, bound, peer=peer)
        for n in names
    )


_MOTIFS = "10 motifs x 1,000 backgrounds (BPNet: 96), every layer recomputed"
_PART = "the same, only what an edit reaches recomputed"
_FORWARDS = "bare forwards, control once, best batch"
_PEER = "tangermeme `marginalize`, its best batch"


PARTS: dict[str, tuple[Target, ...]] = {
    "startup": (
        Target(
            "`import causalgia`",
            "`import numpy`",
            "import causalgia / import numpy",
            AT_MOST,
            2,
        ),
        Target("`causalgia --help`", _FRESH, "--help", AT_MOST, 0.15, "s"),
        Target(
            "`causalgia show` of the first trial, analyzed",
            _FRESH,
            "show",
            AT_MOST,
            0.6,
            "s",
        ),
        Target(
            "`causalgia analyze` of the first trial", _FRESH, "analyze", AT_MOST, 2, "s"
        ),
        Target(
            "`causalgia run` of the first trial",
            f"{_FRESH}, numba's cache empty",
            "first run",
            AT_MOST,
            3,
            "s",
        ),
        Target(
            "the same on dinucleotide shuffles",
            f"{_FRESH}, numba's cache empty",
            "first run, shuffles",
            AT_MOST,
            3,
            "s",
        ),
    ),
    "shuffle": _shuffles(),
    "across_tasks": (
        Target(
            "effects shared across tasks, 10,000 x 56",
            "20 s on 2 cores",
            "processor time / 40 s",
            AT_MOST,
            1,
        ),
    ),
    "shrunken": tuple(
        Target(
            f"decide of {arms} arms x {tasks} tasks with hierarchical sizes",
            "normal densities at 2,500 laws, numpy",
            f"{arms} x {tasks}",
            AT_MOST,
            bound,
        )
        for arms, tasks, bound in ((100, 100, 5), (50, 300, 12))
    ),
    "marginalize": (
        *_sizes(_MOTIFS, _PEER, "tangermeme / run, {}", AT_LEAST, 1.8, "tangermeme"),
        *_sizes(_MOTIFS, _FORWARDS, "run / bare forwards, {}", AT_MOST, 1.05),
    ),
    "incremental": (
        *_sizes(
            _PART,
            _PEER,
            "tangermeme / incremental run, {}",
            AT_LEAST,
            5,
            "tangermeme",
            _NAMES[1:],
        ),
        *_sizes(
            _PART,
            _FORWARDS,
            "incremental run / bare forwards, {}",
            AT_MOST,
            0.2,
            names=_NAMES[1:],
        ),
    ),
    "mutagenesis": (
        *(
            Target(
                f"{what}, {name} size",
                "full passes",
                f"{key} / full passes, {name}",
                AT_MOST,
                bound,
            )
            for what, key, name, bound in (
                (
                    "all substitutions of 1 sequence, session",
                    "substitutions of 1, session",
                    "DeepSTARR",
                    0.15,
                ),
                ("of 4 sequences", "substitutions of 4, session", "DeepSTARR", 0.12),
                ("of 16 sequences", "substitutions of 16, session", "DeepSTARR", 0.12),
                ("the same as a trial", "substitutions of 16, run", "DeepSTARR", 0.25),
                (
                    "100 words x 200 backgrounds",
                    "100 words x 200, run",
                    "DeepSTARR",
                    0.15,
                ),
                (
                    "all pairs of 60 positions of 1 sequence",
                    "pairs of 60 positions, interactions",
                    "DeepSTARR",
                    0.15,
                ),
                (
                    "all substitutions of 1 sequence, session",
                    "substitutions of 1, session",
                    "ResidualBind, 200 bp",
                    0.2,
                ),
                (
                    "all substitutions of 1 sequence, session",
                    "substitutions of 1, session",
                    "BPNet",
                    0.2,
                ),
            )
        ),
        Target(
            "all substitutions of 1 to 16 sequences of 20 to 120 bp, the slowest of 5 networks",
            "full passes",
            "few and short, the slowest / full passes",
            AT_MOST,
            1.05,
        ),
    ),
    "motif_screen": (
        Target(
            "which of 1,165 motifs a network of fly enhancers reads, 500 backgrounds",
            "60 s",
            "processor time / 60 s",
            AT_MOST,
            1,
        ),
        Target(
            "the same: 2,380 arms, random sequences and verdicts included",
            "bare forwards",
            "screen / bare forwards",
            AT_MOST,
            0.15,
        ),
    ),
    "kmer_screen": (
        Target(
            "1,024 words x 1,000 backgrounds of 41 bp, small network (one convolution), "
            "what a run does beside its predictions",
            "its predictions",
            "beside the predictions / predictions",
            AT_MOST,
            1,
        ),
    ),
    "variant_scores": (
        Target(
            "3,000 variants x 2 alleles beside 300 matched null variants, to q-values, "
            "DeepSTARR size",
            "bare forwards",
            "variants / bare forwards",
            AT_MOST,
            1.1,
        ),
        Target(
            "100,000 variants beside 10,000 matched null variants, small network (one "
            "convolution)",
            "bare forwards",
            "many variants / bare forwards",
            AT_MOST,
            1.1,
        ),
        Target(
            "its memory for each variant",
            "beyond the network",
            "many variants, kB each",
            AT_MOST,
            2,
            "kB",
        ),
    ),
    "passes": (
        Target(
            "passes beside the trial's own, 196,608 bp",
            "none",
            "beside the trial",
            AT_MOST,
            3,
            "passes",
        ),
    ),
    "profiles": (
        Target(
            "trial on a network of 500 positions x 2 tasks",
            "bare forwards",
            "run / bare forwards",
            AT_MOST,
            1.1,
        ),
        Target(
            "its moments by position, 20,000 units",
            "2,000 units",
            "memory, ten times the units",
            AT_MOST,
            1.2,
        ),
    ),
    "batch": _sizes(
        "automatic batch, its throughput",
        "best batch found by hand",
        "{}",
        AT_LEAST,
        0.9,
    ),
    "analyze": (
        Target(
            "a warm `analyze`, two contrasts x two tasks, 1,000 units",
            "processor time",
            "analyze, ms",
            AT_MOST,
            25,
            "ms",
        ),
    ),
    "tasks": (
        Target(
            "one contrast in 5,313 tasks, 500 units, outcomes to report",
            "processor time",
            "5,313 tasks",
            AT_MOST,
            20,
            "s",
        ),
        Target(
            "its memory, 5,313 tasks",
            "the effects in float64",
            "arrays, 5,313 tasks",
            AT_MOST,
            8,
            "arrays",
        ),
    ),
    "report_page": (
        Target(
            "page of 10,000 effects, its size",
            "with verdicts",
            "10,000 effects, MB",
            AT_MOST,
            10,
            "MB",
        ),
        Target(
            "the same, opened",
            "an empty page",
            "10,000 effects, opened",
            AT_MOST,
            3,
            "s",
            peer="chromium",
        ),
    ),
    "store": (
        Target(
            "store write, 10 million outcomes",
            "raw file write, fsync in both",
            "store / raw",
            AT_MOST,
            2,
        ),
    ),
    "fits": (
        Target(
            "two-way fit, 4 million cells",
            "log ratios and their sums",
            "two_way / one pass",
            AT_MOST,
            60,
        ),
    ),
    "hierarchical": (
        Target(
            "hierarchical fit, 4 million cells",
            "the two-way closed form",
            "hierarchical / two_way",
            AT_MOST,
            150,
        ),
    ),
    "library": (
        Target(
            "12,000 oligos x 20 barcodes, made and written",
            "60 s",
            "seconds / 60, 20 nt",
            AT_MOST,
            1,
        ),
        Target("its memory", "1 GiB", "GiB, 20 nt", AT_MOST, 1),
    ),
    "memory": tuple(
        Target(
            f'memory of 10^7 predictions, keep="{keep}"', "of 10^5", keep, AT_MOST, 1.2
        )
        for keep in ("outcomes", "effects", "moments")
    ),
    "barcodes": (
        Target(
            "10,000 barcodes of 15 nt at Levenshtein distance 3",
            "as many that are only different",
            "distance 3 / all different",
            AT_MOST,
            10,
        ),
        Target(
            "10,000 barcodes of 15 nt at Levenshtein distance 3",
            "every pair by rapidfuzz",
            "rapidfuzz / ours",
            AT_LEAST,
            20,
            peer="rapidfuzz",
        ),
    ),
    "reading": (
        Target(
            "1.2 million barcode rows, read and checked",
            "pandas.read_csv of the same file",
            "read_counts / pandas.read_csv",
            AT_MOST,
            10,
        ),
    ),
    "resume": (
        Target(
            "killed at 50 % and resumed, both parts",
            "uninterrupted",
            "killed and resumed / uninterrupted",
            AT_MOST,
            1.05,
        ),
    ),
    "workers": (
        Target(
            "2 local workers on 2 cores, against 1",
            "2 bare processes against 1",
            "share of what the machine gives to two processes",
            AT_LEAST,
            0.85,
        ),
    ),
    "verbs": tuple(
        Target(
            f"{name}, over 2 local workers",
            "2 bare processes",
            f"{name}, share of linear",
            AT_LEAST,
            0.85,
        )
        for name in (
            "infer, tasks",
            "across_predictors, predictors",
        )
    ),
    "host": (
        Target(
            "11 arms x 40,000 backgrounds of 249 bases, 10 µs a sequence",
            "the predictor, which only waits, alone",
            "run / 10 us a sequence",
            AT_MOST,
            1.05,
        ),
        Target(
            "11 arms x 40,000 backgrounds of 249 bases, 2 µs a sequence",
            "the predictor, which only waits, alone",
            "run / 2 us a sequence",
            AT_MOST,
            1.1,
        ),
        *(
            Target(
                f"the same, {what}",
                "a sequence, one thread",
                f"us a sequence, {stage}",
                AT_MOST,
                bound,
                "µs",
            )
            for stage, what, bound in (
                ("draw", "backgrounds drawn", 0.1),
                ("arms", "arms applied", 0.2),
                ("distinct", "equal sequences found", 0.2),
                ("gather", "answers gathered, units described", 0.1),
                ("prepare", "a turn prepared: the first three, with copies", 0.5),
            )
        ),
    ),
    "accelerator": (
        Target(
            "10 motifs x 60,000 backgrounds on a GPU, DeepSTARR size",
            "11 bare forwards on the GPU, best batch",
            "run / bare forwards on the GPU, DeepSTARR",
            AT_MOST,
            1.05,
        ),
        Target(
            "10 motifs x 60,000 backgrounds on a GPU, DeepSTARR size",
            "share of the time in which the GPU idles",
            "share of the time in which the GPU idles, DeepSTARR",
            AT_MOST,
            0.05,
            "of the time",
        ),
    ),
}
"""The benchmarks by the name of their module in this folder; its `main(argv)` returns
figures by name.
"""

SECTIONS: dict[str, tuple[str, ...]] = {
    "Commands and verbs": ("startup", "analyze", "tasks", "shrunken", "report_page"),
    "A trial": (
        *("marginalize", "batch", "profiles", "passes"),
        *("host", "accelerator"),
    ),
    "Edits of a sequence, in part": ("incremental", "mutagenesis"),
    "Screens and variants": ("kmer_screen", "motif_screen", "variant_scores"),
    "Shuffles": ("shuffle",),
    "Large trials": ("memory", "store", "resume", "workers", "verbs", "across_tasks"),
    "Barcodes and their counts": (
        *("library", "barcodes", "reading"),
        *("fits", "hierarchical"),
    ),
}
"""The benchmarks by the heading that their rows stand under."""


def measurable(*, quick: bool = False) -> list[str]:
    """Return the benchmarks that can run here: without a GPU, all but that of one;
    without a folder of real networks, all but that on one of them, unless it is a quick
    one.
    """
    import torch

    can_run = {
        "accelerator": torch.cuda.is_available(),
        "motif_screen": quick or IS_NAMED,
    }
    return [name for name in PARTS if can_run.get(name, True)]


def _is_absent(peer: str) -> bool:
    return bool(peer) and find_spec(peer) is None and which(peer) is None


def measured(name: str, *, quick: bool = False) -> dict[str, Any]:
    """Run a benchmark and return the figures that its targets are about, each a number
    or a list of one of each repeat; a quick one may lack an absent peer's.
    """
    found = import_module(name).main(["--quick"] if quick else [])
    wanted = [
        target.key for target in PARTS[name] if not (quick and _is_absent(target.peer))
    ]
    absent = [key for key in wanted if key not in found]
    if absent:
        raise SystemExit(
            f"{name} did not measure {', '.join(absent)}: is a peer missing, or was a "
            "name changed?"
        )
    return {key: np.asarray(found[key], float).tolist() for key in wanted}

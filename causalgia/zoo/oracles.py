"""Named oracles: one for each result of the founding papers, and those that predict a
track.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import attributes
from causalgia.checks import as_number, is_whole
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.errors import PredictorError, quoted
from causalgia.predict.predictor import (
    Predictor,
    Progress,
    as_distinct_names,
    as_scale_in_words,
    as_token_rows,
)
from causalgia.predict.track import Track
from causalgia.types import Array, Tokens
from causalgia.zoo._true_ace import arm_components, requested_contrasts, weights_by_arm
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import Site, Strand, site_probability
from causalgia.zoo.grammar import Oracle
from causalgia.zoo.terms import (
    Bump,
    EndGC,
    Gate,
    Hill,
    MotifCount,
    Saturating,
    Slope,
    Term,
)

_RBFOX1_SITES = {
    **{"UGCAUG": 3.6, "AGCAUG": 3.2, "CGCAUG": 2.8, "UGCACG": 2.0, "AGAAUG": 1.5},
    **{"UGUAUG": 0.4, "UGCAUA": 0.3, "UACAUG": -0.1},
}


def rbfox1_like() -> Oracle:
    """RNAcompete-like RBFOX1 (41 nt): a strong motif and weak ones, steric exclusion,
    position slope, 3' GC bias.

    The clash of two UGCAUG falls with the distance of their starts: 1.25 at 4, .85 at
    6, 0 from 8 on, the differences of the published totals of 6.6 and 7.0 from 7.85 (at
    9). After Koo, Anand, Paul & Eddy (2018, doi:10.1101/418459) and Koo et al. (2021,
    doi:10.1371/journal.pcbi.1008925); weights follow the order of the measured
    affinities.
    """
    motifs = [
        MotifCount(motif, weight, gain=Slope(-0.005))
        for motif, weight in _RBFOX1_SITES.items()
    ]
    crowded = Pair("UGCAUG", "UGCAUG", clash=((4, -1.25), (6, -0.85)), min_distance=8)
    return Oracle(
        *motifs,
        crowded,
        EndGC(-0.8, last=8),
        tasks=["RBFOX1"],
        scale="log intensity",
        intercepts=[-0.5],
    )


def vts1_like() -> Oracle:
    """RNAcompete-like VTS1 (41 nt): GCUGG, best in the loop of a hairpin, weaker in the
    open, weakest in a stem.

    Effects also fade away from the middle, and CNGG is a weak motif. The motif lies in
    a stem where its reverse complement lies 8 to 32 bases up- or downstream; it is in a
    loop where five pairs close 5 to 7 bases around it. After the Smaug recognition
    element: Aviv et al. (2003, doi:10.1038/nsb956), Koo, Anand, Paul & Eddy (2018,
    doi:10.1101/418459).
    """
    terms = [
        MotifCount("GCUGG", 1.5, gain=Bump(25.0)),
        MotifCount("CNGG", 0.2),
        Hairpin("GCUGG", bonus=1.2, stem=5, loop=(5, 6, 7), wobble=True),
        Pair("GCUGG", "CCAGC", bonus=-0.5, min_distance=8, reach=32),
    ]
    return Oracle(*terms, tasks=["VTS1"], scale="log intensity")


def gata1_like() -> Oracle:
    """Regulatory DNA in two cell types (200 bp): GATA with partners and helical phase;
    HNF4 acts in HepG2 alone.
    """
    gata, ebox = "AGATAAG", "CAGCTG"
    terms: list[tuple[Term, float, float]] = [
        (MotifCount(gata, 0.8, "both", gain=Bump(60.0)), 1.0, 0.1),
        (MotifCount("AGATAA", 0.25, "both"), 1.0, 0.2),
        (MotifCount(ebox, 0.2, "both"), 1.0, 0.4),
        (MotifCount("TGASTCA", 0.9, "both"), 1.0, 0.7),
        (MotifCount("CCGGAAGT", 0.7, "both"), 0.8, 1.0),
        (MotifCount("CAAAGTCCA", 1.2, "both"), 0.0, 1.0),
        (MotifCount("CAGGTG", -0.3, "both"), 0.6, 1.0),
        (
            Pair(
                gata,
                ebox,
                bonus=0.9,
                decay=40.0,
                phase=0.5,
                min_distance=8,
                clash=-0.4,
                strand="both",
            ),
            1.0,
            0.0,
        ),
        (
            Pair(
                gata,
                gata,
                bonus=0.4,
                decay=60.0,
                min_distance=8,
                clash=-0.4,
                strand="both",
            ),
            1.0,
            0.0,
        ),
    ]
    return Oracle(
        *[term for term, _, _ in terms],
        tasks=["K562", "HepG2"],
        scale="log2 activity",
        weights=[[k562 for _, k562, _ in terms], [hepg2 for _, _, hepg2 in terms]],
        intercepts=[-0.2, 0.1],
    )


def additive() -> Oracle:
    """Additive motifs without interactions or dependence on position."""
    motifs = [
        MotifCount("UGCAUG", 3.0),
        MotifCount("AGAAUG", 1.5),
        MotifCount("GCUGG", -1.0),
        MotifCount("ACUAAC", 0.5),
    ]
    return Oracle(*motifs, scale="log intensity")


def saturating() -> Oracle:
    """Saturating copies of UGCAUG and the weaker AGAAUG: half of the largest effect at
    two strong copies.
    """
    return Oracle(
        Saturating(
            (MotifCount("UGCAUG", 1.0), MotifCount("AGAAUG", 0.5)),
            Hill(top=8.0, half=2.0),
        ),
        scale="log intensity",
    )


def pairs_like() -> Oracle:
    """BPNet-like pluripotency factors (any length): soft syntax of pairs, each in the
    task of one factor.

    Nanog works best beside Nanog, at multiples of 10.5 bp (helical phase that fades
    over 60 bp). Sox2 helps Nanog on the same strand, three times as much from upstream
    as from downstream; Nanog does nothing for Sox2. Oct4-Sox2 helps Nanog and Klf4 over
    some 80 bp; Klf4 and Nanog do not interact. Partners less than 2 bp apart clash.
    After Avsec et al. (2021, doi:10.1038/s41588-021-00782-6).
    """
    nanog, oct4_sox2, sox2, klf4 = "AGCCATCA", "TTTGCATAACAA", "GAACAATGG", "CCACGCCC"
    pairs = {
        "Nanog": [
            _soft_pair(nanog, nanog, 0.8, decay=60.0, phase=0.8),
            *_directed_pairs(sox2, nanog, 0.9),
            *_directed_pairs(nanog, sox2, 0.3),
            _soft_pair(oct4_sox2, nanog, 0.7, decay=80.0),
        ],
        "Klf4": [_soft_pair(oct4_sox2, klf4, 0.5, decay=80.0)],
    }
    # share of each motif's effect in Oct4, Sox2, Nanog and Klf4
    motifs: list[tuple[Term, list[float]]] = [
        (MotifCount(oct4_sox2, 1.4, "both"), [1.0, 0.8, 0.4, 0.2]),
        (MotifCount(sox2, 0.8, "both"), [0.2, 1.0, 0.4, 0.0]),
        (MotifCount(nanog, 0.6, "both"), [0.0, 0.0, 1.0, 0.0]),
        (MotifCount(klf4, 0.9, "both"), [0.0, 0.0, 0.0, 1.0]),
    ]
    tasks = ["Oct4", "Sox2", "Nanog", "Klf4"]
    terms = motifs + [
        (pair, [float(task == own) for task in tasks])
        for own in pairs
        for pair in pairs[own]
    ]
    return Oracle(
        *[term for term, _ in terms],
        tasks=tasks,
        scale="log counts",
        weights=np.transpose([shares for _, shares in terms]).tolist(),
        intercepts=[2.0] * 4,
    )


def _soft_pair(
    first: str, second: str, bonus: float, *, decay: float, phase: float = 0.0
) -> Pair:
    """Return a pair in any order and orientation, with a clash below 2 bp apart."""
    apart = max(len(first), len(second)) + 2
    return Pair(
        first,
        second,
        bonus=bonus,
        clash=-0.5,
        min_distance=apart,
        decay=decay,
        phase=phase,
        reach=500,
        strand="both",
    )


def _directed_pairs(upstream: str, downstream: str, bonus: float) -> tuple[Pair, Pair]:
    """Return the pair in one order along the strand of both motifs, for each of the two
    strands.
    """

    def forward(first: str, second: str, strand: Strand) -> Pair:
        return Pair(
            first,
            second,
            bonus=bonus,
            clash=-0.5,
            min_distance=len(first) + 2,
            decay=50.0,
            reach=500,
            direction="forward",
            strand=strand,
        )

    return forward(upstream, downstream, "+"), forward(downstream, upstream, "-")


def gated() -> Oracle:
    """Context gates (any length): an effect of GATA and a CACCC box together, of either
    one, and their sum.

    In task ``AND`` each motif is necessary and none sufficient; in ``OR`` each is
    sufficient and none necessary; in ``sum`` each copy of either adds up without
    interaction. After Buchler, Gerland & Hwa (2003, doi:10.1073/pnas.0930314100); GATA1
    with KLF1 as in the globin promoters.
    """
    motifs = ("AGATAAGG", "CCACACCC")
    return Oracle(
        Gate(motifs, bonus=2.0, logic="and", strand="both"),
        Gate(motifs, bonus=2.0, logic="or", strand="both"),
        *[MotifCount(motif, 1.0, "both") for motif in motifs],
        tasks=["AND", "OR", "sum"],
        scale="log2 activity",
        weights=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]],
    )


def long_range() -> Oracle:
    """Enhancers that act on a promoter over kilobases (5 to 200 kb): activity falls to
    1/e in 5 kb.

    The TATA motif alone gives 0.2. A strong (NF-E2) and a weak (GATA) enhancer motif
    act on it from either side, in either orientation, each copy alike, and do nothing
    without it; a silencer motif (RE1) takes some away over 20 kb. After the context,
    distance and multiplicity experiments of Toneyan & Koo (2024,
    doi:10.1038/s41588-024-01923-3) and the decay measured by Zuin et al. (2022,
    doi:10.1038/s41586-022-04570-y).
    """
    promoter = "GGCTATAAAAGG"
    act = {
        "ATGCTGAGTCAT": (5.0, 5_000.0),
        "CCAGATAAGGAC": (2.5, 5_000.0),
        "CAGCACCACGGA": (-0.15, 20_000.0),
    }
    return Oracle(
        MotifCount(promoter, 0.2, "both"),
        *[
            Pair(motif, promoter, bonus=bonus, decay=decay, strand="both")
            for motif, (bonus, decay) in act.items()
        ],
        scale="activity",
    )


_STORIES = (
    rbfox1_like,
    gata1_like,
    vts1_like,
    additive,
    saturating,
    pairs_like,
    gated,
    long_range,
)
_ORACLE_OF_NAME: dict[str, Callable[[], Oracle]] = {
    story.__name__: story for story in _STORIES
}


def names() -> tuple[str, ...]:
    """Return the names that `oracle` takes.

    Examples
    --------
    >>> names()
    ('rbfox1_like', 'gata1_like', 'vts1_like', 'additive', 'saturating', 'pairs_like', 'gated', 'long_range')
    """
    return tuple(_ORACLE_OF_NAME)


def oracle(name: str) -> Oracle:
    """Return a named oracle: a predictor with `true_ace(design)`.

    Raises
    ------
    PredictorError
        If there is none of that name; the message suggests near names.

    Examples
    --------
    >>> oracle("gata1_like").tasks
    ('K562', 'HepG2')
    """
    if not isinstance(name, str) or name not in _ORACLE_OF_NAME:
        raise PredictorError(
            f"zoo has no oracle {quoted(name)}, only {', '.join(_ORACLE_OF_NAME)}"
        )
    return _ORACLE_OF_NAME[name]()


_BASES_A_BATCH = 2**18


@dataclass(frozen=True)
class Imprint:
    """What each copy of a motif adds to the track of a task, in positions relative to
    the motif's first base.

    A copy at position i adds ``heights[j] * (1 + flank_gain * (s - f / 2))`` at
    ``i + start + j``, with s the number of G and C among the f bases of its flank:
    copies differ with their context, so that effects vary.

    Parameters
    ----------
    task
        The task of the track.
    motif
        Letters A C G T (U); IUPAC letters admit several bases.
    heights
        What is added, position by position; negative for a footprint.
    start
        Position of the first of them relative to the motif's first base.
    flank_gain
        Change of the amplitude by each G or C of the flank.
    flank
        Bases of the flank: downstream of the motif, or, where negative, upstream.

    Examples
    --------
    >>> Imprint("counts", "TATAAA", heights=(2.0, 8.0, 2.0), start=29).motif
    'TATAAA'
    """

    task: str
    motif: str
    heights: tuple[float, ...]
    start: int = 0
    flank_gain: float = 0.0
    flank: int = 4

    def __post_init__(self) -> None:
        Site.of(self.motif, "+")
        heights = tuple(
            as_number(height, "Imprint: heights") for height in self.heights
        )
        if not heights:
            raise PredictorError(f"the imprint of {quoted(self.motif)} has no heights")
        object.__setattr__(self, "heights", heights)
        if not is_whole(self.flank):
            raise PredictorError(
                f"Imprint: flank={quoted(self.flank)} is not a whole number of bases"
            )

    def turned(self, task: str) -> Imprint:
        """Return the imprint of the reverse complement, on another task."""
        letters = str.maketrans("ACGTUMRWSYKVHDBN", "TGCAAKYWSRMBDHVN")
        start = len(self.motif) - self.start - len(self.heights)
        motif = self.motif.upper().translate(letters)[::-1]
        return Imprint(
            task, motif, self.heights[::-1], start, self.flank_gain, -self.flank
        )

    def expected(self, columns: Array) -> Array:
        """Return the expected track under m distributions with independent positions,
        (m, length).
        """
        copies = np.asarray(
            site_probability(columns, Site.of(self.motif, "+")), dtype=np.float64
        )
        length, n = columns.shape[1], copies.shape[1]
        if self.flank_gain:
            reach = abs(self.flank)
            excess = np.pad(
                columns[:, :, 1] + columns[:, :, 2] - 0.5, ((0, 0), (reach, reach))
            )
            first = reach + (len(self.motif) if self.flank > 0 else -reach)
            copies = copies * (
                1
                + self.flank_gain
                * sum(excess[:, first + d : first + d + n] for d in range(reach))
            )
        track = np.zeros((len(columns), length))
        for j, height in enumerate(self.heights):
            to = np.arange(n) + self.start + j
            inside = (to >= 0) & (to < length)
            track[:, to[inside]] += height * copies[:, inside]
        return track


class ProfileOracle(Predictor):
    """A predictor of a track whose true effects at every position are known.

    The track of a task is its baseline plus the imprints of all copies of its motifs;
    see `true_curve`.

    Parameters
    ----------
    *imprints
        What the motifs add.
    baseline
        The track without any motif.
    track
        Origin of the positions.
    scale
        The scale of the track, in words.

    Raises
    ------
    PredictorError
        If there is no imprint, or the track has bins.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> dip = ProfileOracle(
    ...     Imprint("counts", "GATA", heights=(-1.0, -2.0, -1.0)), baseline=5.0
    ... )
    >>> dip.predict(encode(["AAGATAAA"]))[0, :, 0]
    array([5., 5., 4., 3., 4., 5., 5., 5.])
    """

    dims = ("position", "task")
    bin = 1
    precision = np.dtype(np.float64)

    def __init__(
        self,
        *imprints: Imprint,
        baseline: float = 10.0,
        track: Track | None = None,
        scale: str = "counts",
    ) -> None:
        if not imprints or not all(
            isinstance(imprint, Imprint) for imprint in imprints
        ):
            raise PredictorError(
                "a profile oracle is made of imprints: zoo.Imprint('counts', 'GATA', "
                "heights=(-1, -2))"
            )
        self.imprints, self.track = imprints, track or Track()
        self.scale = as_scale_in_words(
            scale, "scale", "what the track is measured in, such as 'counts'"
        )
        if self.track.bin != 1:
            raise PredictorError(
                f"a profile oracle answers single bases, not bins of {self.track.bin}"
            )
        self.baseline = as_number(baseline, "baseline")
        self._tasks = as_distinct_names(
            list(dict.fromkeys(imprint.task for imprint in imprints)), "task"
        )
        self._length: int | None = None

    def __repr__(self) -> str:
        made = ", ".join(map(repr, self.imprints))
        return (
            f"ProfileOracle({made}, baseline={self.baseline!r}, track={self.track!r}, "
            f"scale={self.scale!r})"
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tracks."""
        return self._tasks

    @property
    def positions(self) -> NDArray[np.int64]:
        """The position of each base; PredictorError before the first answer."""
        if self._length is None:
            raise PredictorError(
                "the positions of a track are not known before the first answer"
            )
        return self.track.positions(self._length)

    @property
    def fingerprint(self) -> str:
        """Digest of all parameters of the oracle."""
        return hashlib.blake2b(
            f"zoo profile oracle 1 {self!r}".encode(), digest_size=16
        ).hexdigest()

    def resolve_batch_size(self, length: int) -> int:
        """Return the number of sequences in a batch: about a quarter of a million
        bases.
        """
        return max(1, _BASES_A_BATCH // length)

    def predict(
        self, tokens: Tokens, *, progress: Progress | None = None
    ) -> NDArray[Any]:
        """Return the tracks for tokens (n, length): (n, length, tasks) float64, on
        `scale`.
        """
        rows = as_token_rows(tokens)
        self._length = rows.shape[1]
        size, parts = self.resolve_batch_size(rows.shape[1]), []
        for start in range(0, len(rows), size):
            letters = rows[start : start + size, :, None] == np.arange(4)
            parts.append(self.expected(letters.astype(np.float64)))
            if progress is not None:
                progress(len(parts[-1]))
        return np.concatenate(parts)

    def expected(self, columns: Array) -> Array:
        """Return the expected tracks under m distributions with independent positions,
        (m, length, tasks).
        """
        found = np.full((*columns.shape[:2], len(self.tasks)), self.baseline)
        for imprint in self.imprints:
            found[:, :, self.tasks.index(imprint.task)] += imprint.expected(columns)
        return found

    def true_curve(
        self,
        design: Design,
        control: str | None = None,
        *,
        contrasts: Mapping[str, Mapping[str, float]] | None = None,
    ) -> xr.DataArray:
        """Return the true effect of each contrast at every position, (contrast,
        position, task), in closed form.

        Parameters
        ----------
        design
            The trial: its null model has independent positions (`Uniform`, `Profile`,
            `Markov` of order 0), and its arms keep the length.
        control, contrasts
            As in `true_ace`.

        Raises
        ------
        PredictorError
            If an arm has no closed form.
        """
        means, request = self._true_means(design, control, contrasts)
        weights = weights_by_arm(request.contrasts, design.arm_names)
        curves = np.einsum("ka,apt->kpt", weights.toarray(), means)
        coords = {
            "contrast": list(request.contrasts),
            "position": self.track.positions(means.shape[1]),
            "task": list(self.tasks),
        }
        return xr.DataArray(
            curves,
            dims=tuple(coords),
            coords=coords,
            name="true_curve",
            attrs=attributes(scale=self.scale),
        )

    def true_mean(self, design: Design) -> xr.DataArray:
        """Return the true mean track of each arm, (arm, position, task); the arguments
        of `true_curve`.
        """
        means, _ = self._true_means(design, design.arm_names[0], None)
        coords = {
            "arm": design.arm_names,
            "position": self.track.positions(means.shape[1]),
            "task": list(self.tasks),
        }
        return xr.DataArray(
            means, dims=tuple(coords), coords=coords, attrs=attributes(scale=self.scale)
        )

    def _true_means(
        self, design: Design, control: Any, contrasts: Any
    ) -> tuple[Array, Any]:
        check_design(design, self, "true_curve(design)")
        request = requested_contrasts(design, control, contrasts)
        arms = [arm.intervention for arm in design.named_arms]
        means = np.zeros((len(arms), design.null.length, len(self.tasks)))
        share = np.zeros(len(arms))
        for i, columns, weight in arm_components(design.null, arms):
            if columns.shape[1] != design.null.length:
                raise PredictorError(
                    f"arm {quoted(design.arm_names[i])} changes the length; a track "
                    "has one length"
                )
            means[i] += weight * self.expected(columns).sum(axis=0)
            share[i] += weight * len(columns)
        if not np.allclose(share, 1):
            name = design.arm_names[int(np.argmin(share))]
            raise PredictorError(
                f"arm {quoted(name)} on {design.null.describe()} has no closed form"
            )
        return means, request


def footprint(
    motif: str = "AGATAAG", *, length: int = 200, depth: float = 4.0, width: float = 8.0
) -> ProfileOracle:
    """Return an oracle of accessibility with a smooth footprint at a motif between two
    shoulders.

    Parameters
    ----------
    motif
        The motif that is bound.
    length
        Length of the sequences; position 0 is their center.
    depth, width
        Depth of the footprint, in counts of a baseline of 10, and its standard
        deviation in bp.

    Examples
    --------
    >>> footprint().predict(np.zeros((1, 200), np.uint8)).shape
    (1, 200, 1)
    """
    x = np.arange(-40, 41)
    dip = -depth * np.exp(-0.5 * (x / width) ** 2)
    shoulders = (
        0.35
        * depth
        * (np.exp(-0.5 * ((x - 24) / 6) ** 2) + np.exp(-0.5 * ((x + 24) / 6) ** 2))
    )
    heights = tuple((dip + shoulders).round(6).tolist())
    imprint = Imprint(
        "accessibility",
        motif,
        heights,
        start=len(motif) // 2 - 40,
        flank_gain=0.15,
        flank=6,
    )
    return ProfileOracle(imprint, track=Track(origin=length // 2))


def promoter(
    motif: str = "TATAAA", *, length: int = 200, height: float = 30.0
) -> ProfileOracle:
    """Return an oracle of initiation, with sharp peaks on two strands: a motif starts
    transcription 30 bp downstream.

    Parameters
    ----------
    motif
        The motif; its reverse complement does the same on the other strand.
    length
        Length of the sequences; position 0 is their center.
    height
        Counts at the main start; neighbors have a third and a tenth, over a baseline
        of 1.

    Examples
    --------
    >>> promoter().tasks
    ('plus', 'minus')
    """
    spikes: Sequence[float] = (0.1, 0.0, 1.0, 0.33, 0.0, 0.0, 0.1)
    forward = Imprint(
        "plus",
        motif,
        tuple(round(height * spike, 6) for spike in spikes),
        28,
        flank_gain=0.2,
    )
    track = Track(origin=length // 2)
    return ProfileOracle(forward, forward.turned("minus"), baseline=1.0, track=track)

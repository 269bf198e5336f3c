"""Notes on a design: unequal controls, close sites, motifs in the flanks, and null
models unlike real sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design, Embed, EmbedEach, Insert
from causalgia.design.intervention import Layout, WrittenSpan, steps_of
from causalgia.design.null_model import FromSequences
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import NAMES_SHOWN, DesignError, first_of
from causalgia.notes import Edit, first_findings, notes_of_controls
from causalgia.predict import Predictor
from causalgia.sequences.alphabet import parse_iupac
from causalgia.sequences.fasta import Sequences
from causalgia.streams import derive
from causalgia.trial.attributes import apply_arm
from causalgia.trial.source_sequences import as_real_sequences, named_contrasts
from causalgia.trial.turns import DrawnUnits, draw_backgrounds
from causalgia.types import Tokens

NEAR = 5
"""Bases between two sites below which their junction is scanned."""
OFTEN = 0.1
"""Share of the units from which a motif in the flanks is noted."""
_ALWAYS = 0.95
"""Share of the units from which the mean number of copies is given, since nearly all
have one.
"""
_LEAST_BITS = 4.0
"""Information of the shortest motif that is searched for, in bits: two fixed bases."""
APART = 0.95
"""AUROC, in either direction, from which a note says that null model and real sequences
hardly overlap.
"""
_PREDICTED = 200
_UNITS_SCANNED = 256
_BASES_SCANNED = 2**20
_MOTIFS_SCANNED = 16
_SELDOM_SHARE = 0.01


def notes_of_design(
    design: Design,
    analysis: Analysis,
    edits: Mapping[str, tuple[Edit, ...]],
    *,
    key: int,
) -> list[str]:
    """Return notes on a design that a reader of its results needs, a sentence each;
    empty if there are none.

    Checked are the contrasts that the analysis names: arms that differ in the place,
    number or length of their edits, or in composition, and placebos of another motif
    (`causalgia.notes.notes_of_controls`). On up to 256 units of the trial (fewer of
    long backgrounds, a million bases in all, at least 16) two more are checked: sites
    with fewer than 5 bases between them, with the motifs of the design that arise at
    the junction; and embedded motifs that at least a tenth of the units have elsewhere
    too, with the share of these units or, where all but a twentieth have one, the mean
    number of further copies. Searched for are the first 16 motifs that arms embed, if
    they carry at least the information of two fixed bases (IUPAC letters count as the
    bases that they admit); motifs are not.

    Parameters
    ----------
    design
        The arms.
    analysis
        Their contrasts: the analysis, completed by those of the design.
    edits
        The edits of each arm.
    key
        Root key of the trial.
    """
    contrasts = {} if analysis.interaction else named_contrasts(design, analysis)
    arms = {
        arm.name: _ArmSites.of(arm, design.null.length) for arm in design.named_arms
    }
    motifs = _searched_motifs(arms.values())
    near = {name: close for name, sites in arms.items() if (close := sites.close)}
    sentences: list[str] = []
    if near or motifs:
        n_units = min(
            design.n_units,
            _UNITS_SCANNED,
            max(16, _BASES_SCANNED // design.null.length),
        )
        units = draw_backgrounds(design, 0, n_units, key=key)
        again = [
            text
            for motif in motifs[:_MOTIFS_SCANNED]
            if (text := _flank_note(motif, arms, contrasts, units, key))
        ]
        sentences += [_junction_note(near, arms, units, motifs, key)] if near else []
        sentences += (
            [f"{first_findings(again, 'motif')}: {_FLANK_CURE}"] if again else []
        )
    return [*notes_of_controls(contrasts, edits), *sentences]


_FLANK_CURE = (
    "the effect there is that of one more copy; a longer motif, or a null model that "
    "lacks it, asks for the first"
)


@dataclass(frozen=True)
class _ArmSites:
    """What an arm writes: its spans by their start, and the motifs that it embeds or
    inserts.

    `reads` has all of them, `motifs` those that are no placebos; `spans` is empty
    where each unit has places of its own. `rna` says whether one is written with U.
    """

    arm: Arm
    spans: tuple[WrittenSpan, ...]
    reads: tuple[object, ...]
    motifs: tuple[str, ...]
    rna: bool

    @classmethod
    def of(cls, arm: Arm, length: int) -> _ArmSites:
        """Return the sites of an arm on backgrounds of this length."""
        steps = steps_of(arm.intervention)
        own_places = any(isinstance(step, EmbedEach) for step in steps)
        spans = () if own_places else arm.intervention.lay(Layout(length)).written
        written = [step for step in steps if isinstance(step, Embed | Insert)]
        return cls(
            arm,
            tuple(sorted(spans, key=lambda span: span.start)),
            tuple(step.written.reads for step in written),
            tuple(
                step.written.reads
                for step in written
                if not isinstance(step, FixedPlacebo)
                and isinstance(step.written.reads, str)
            ),
            any("U" in step.written.label.upper() for step in written),
        )

    @property
    def close(self) -> list[tuple[WrittenSpan, WrittenSpan]]:
        """Neighboring sites with fewer than 5 bases between them; single bases count as
        mutations.
        """
        spans = [span for span in self.spans if span.stop - span.start > 1]
        return [(a, b) for a, b in pairwise(spans) if 0 <= b.start - a.stop < NEAR]

    def copies_elsewhere(
        self, motif: _SearchedMotif, units: DrawnUnits, key: int
    ) -> NDArray[np.int64]:
        """Return the number of instances of a motif in each unit that overlap nothing
        the arm wrote, (n,).
        """
        after = apply_arm(self.arm, units.tokens, units.ids, key)
        if len(motif.reads) > after.shape[1]:
            return np.zeros(len(after), np.int64)
        row, start = motif.instances(after)
        free = np.ones(len(row), bool)
        for span in self.spans:
            free &= (start >= span.stop) | (start + len(motif.reads) <= span.start)
        return np.bincount(row[free], minlength=len(after))


@dataclass(frozen=True)
class _SearchedMotif:
    """A motif, with the bases that each of its letters admits as bits, (w,), for each
    strand to be searched.
    """

    reads: str
    strands: tuple[NDArray[np.uint8], ...]

    def __str__(self) -> str:
        return self.reads if len(self.strands) > 1 else self.reads.replace("T", "U")

    def instances(self, tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows and starts of the motif on the strands that are searched."""
        bits = np.left_shift(np.uint8(1), tokens, dtype=np.uint8)
        n_starts = tokens.shape[1] - len(self.reads) + 1
        found = np.zeros((len(tokens), n_starts), bool)
        for strand in self.strands:
            here = np.ones_like(found)
            for i, admitted in enumerate(strand):
                here &= (bits[:, i : i + n_starts] & admitted) != 0
            found |= here
        row, start = np.nonzero(found)
        return row, start


def _searched_motifs(arms: Iterable[_ArmSites]) -> list[_SearchedMotif]:
    """Return the motifs that arms embed, IUPAC strings among them, without placebos
    and very short ones.

    A motif with U is single-stranded: its reverse complement does not count.
    """
    arms = list(arms)
    rna = any(sites.rna for sites in arms)
    found = []
    for reads in dict.fromkeys(motif for sites in arms for motif in sites.motifs):
        letters = parse_iupac(reads)[1]
        if sum(2 - np.log2(len(bases)) for bases in letters) >= _LEAST_BITS:
            forward = np.array(
                [sum(1 << base for base in bases) for bases in letters], np.uint8
            )
            reverse = np.array(
                [sum(1 << (3 - base) for base in bases) for bases in reversed(letters)],
                np.uint8,
            )
            found.append(
                _SearchedMotif(reads, (forward,) if rna else (forward, reverse))
            )
    return found


def _junction_note(
    near: Mapping[str, list[tuple[WrittenSpan, WrittenSpan]]],
    arms: Mapping[str, _ArmSites],
    units: DrawnUnits,
    motifs: list[_SearchedMotif],
    key: int,
) -> str:
    """Say which arms have such close sites, and which motifs of the design arise there
    in what share of the units.
    """
    arising: list[tuple[float, str]] = []
    for name, junctions in near.items():
        after = apply_arm(arms[name].arm, units.tokens, units.ids, key)
        for motif in motifs:
            share = float(np.mean(_spans_junction(after, motif, junctions)))
            if share >= _SELDOM_SHARE:
                arising.append(
                    (
                        share,
                        f"{motif} arises in {100 * share:.0f} % of the units of "
                        f"'{name}'",
                    )
                )
    gaps = [b.start - a.stop for junctions in near.values() for a, b in junctions]
    some = first_of((f"'{name}'" for name in near), NAMES_SHOWN, thing="arm")
    apart = f"{min(gaps)}" if min(gaps) == max(gaps) else f"{min(gaps)} to {max(gaps)}"
    head = f"two sites lie {apart} base{'' if apart == '1' else 's'} apart in {some}"
    if not arising:
        return (
            f"{head}; embedding creates no other motif of the design (in under 1 % of "
            f"{len(units.ids):,} sequences)"
        )
    worst = "; ".join(text for _, text in sorted(arising, reverse=True)[:NAMES_SHOWN])
    return f"{head}: at the junction {worst}; put them further apart"


def _spans_junction(
    after: Tokens,
    motif: _SearchedMotif,
    junctions: list[tuple[WrittenSpan, WrittenSpan]],
) -> NDArray[np.bool_]:
    """Return in which sequences a motif spans a junction and does not lie inside one of
    its sites.
    """
    flags, width = np.zeros(len(after), bool), len(motif.reads)
    for a, b in junctions:
        first = max(0, a.start - width + 1)
        window = after[:, first : b.stop + width - 1]
        if window.shape[1] < width:
            continue
        row, start = motif.instances(window)
        start, stop = start + first, start + first + width
        across = (start < b.start) & (stop > a.stop)
        inside = ((start >= a.start) & (stop <= a.stop)) | (
            (start >= b.start) & (stop <= b.stop)
        )
        flags[row[across & ~inside]] = True
    return flags


def _flank_note(
    motif: _SearchedMotif,
    arms: Mapping[str, _ArmSites],
    contrasts: Mapping[str, Mapping[str, float]],
    units: DrawnUnits,
    key: int,
) -> str:
    """Say in how many units an embedded motif occurs elsewhere, under the arm and under
    the first one compared to it.
    """
    treated = next(sites for sites in arms.values() if motif.reads in sites.reads)
    copies = treated.copies_elsewhere(motif, units, key)
    share = float(np.mean(copies > 0))
    if share < OFTEN:
        return ""

    def mean(numbers: NDArray[np.int64]) -> str:
        return f", on average {np.mean(numbers):.1f} times" if share >= _ALWAYS else ""

    found = (
        f"in {100 * share:.0f} % of the units{mean(copies)} under '{treated.arm.name}'"
    )
    compared = (
        weights
        for weights in contrasts.values()
        if weights.get(treated.arm.name, 0) > 0
    )
    control = next(
        (arm for weights in compared for arm, weight in weights.items() if weight < 0),
        None,
    )
    if control is not None:
        there = arms[control].copies_elsewhere(motif, units, key)
        found += f" (under '{control}' {100 * np.mean(there > 0):.0f} %{mean(there)})"
    return f"{motif} is in the flanks too, {found}"


def auroc(units: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Return the probability that a real sequence scores higher than a unit, ties
    counting half (Mann-Whitney U / nm).

    Examples
    --------
    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy import stats

    ranks = stats.rankdata(np.concatenate([units, real]))[len(units) :]
    n, m = len(units), len(real)
    return float((ranks.sum() - m * (m + 1) / 2) / (n * m))


def overlap_notes(design: Design, predictor: Predictor, real: Any) -> list[str]:
    """Return the note of `told_apart`, if there is one."""
    found = told_apart(design, predictor, real)
    return [] if found is None else [found.note]


@dataclass(frozen=True)
class ToldApart:
    """That a network tells untreated units from real sequences: the note on it, and the
    AUROC of the first such task.
    """

    note: str
    auroc: float


def told_apart(design: Design, predictor: Predictor, real: Any) -> ToldApart | None:
    """Return on which tasks untreated units and real sequences are separated: AUROC
    >= .95 or <= .05.

    Up to 200 units, drawn by a key of their own, and up to 200 of the real sequences,
    spread evenly, are predicted. An average effect over units that look unlike every
    real sequence to the network is an extrapolation.

    Parameters
    ----------
    design, predictor
        The trial.
    real
        Sequences (a path, strings, or a table of names) of the length of the
        backgrounds; or ``"parents"``, the sequences of the null model.

    Raises
    ------
    DesignError
        If `real` is not one of these, or of another length.
    PredictorError
        If the predictor cannot answer.
    """
    key = derive(0, "overlap", design.fingerprint)
    units = draw_backgrounds(design, 0, min(_PREDICTED, design.n_units), key=key)
    tokens = _real_tokens(design, real)
    real_answers = predictor.predict(tokens).astype(np.float64)
    unit_answers = predictor.predict(units.tokens).astype(np.float64)
    found, areas = [], []
    labels = [predictor.coordinates[dim] for dim in predictor.dims]
    for at in np.ndindex(*real_answers.shape[1:]):
        one, other = unit_answers[:, *at], real_answers[:, *at]
        area = auroc(one, other)
        if not 1 - APART < area < APART:
            names = [str(of_dim[i]) for of_dim, i in zip(labels, at, strict=True)]
            areas.append(area)
            found.append(
                f"AUROC {area:.2f} in {', '.join(names)} (units {one.mean():.3g}, sd "
                f"{one.std():.2g}; real {other.mean():.3g}, sd {other.std():.2g})"
            )
    if not found:
        return None
    return ToldApart(
        f"predictions for untreated units and for {len(tokens):,} real sequences hardly "
        f"overlap: {first_findings(found, 'task')}; "
        "the effects are measured on sequences unlike real ones: repeat the trial on "
        "cg.Genomic(of=...)",
        areas[0],
    )


def _real_tokens(design: Design, real: Any) -> NDArray[np.uint8]:
    """Return up to 200 real sequences, evenly spread."""
    if isinstance(real, str) and real == "parents":
        if not isinstance(design.null, FromSequences):
            raise DesignError(f"real='parents': {design.null.describe()} have none")
        given: Sequences = design.null.parents_given
    else:
        given = as_real_sequences(design, real)
    places = np.unique(
        np.linspace(0, len(given) - 1, min(len(given), _PREDICTED)).round().astype(int)
    )
    return np.asarray(given.tokens[places])

"""Trial of proposed motifs on fresh units, compared with random sequences."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from causalgia.attributes import about
from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Embed, Genomic, NullModel
from causalgia.design.null_model import FromParents, as_null_model
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import DataError, DesignError, quoted
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.screens import (
    PLACEBO,
    draw_screen,
    random_placebos,
    read_screen,
    screen_of_arms,
)
from causalgia.experiments.kit.sites import start_of_widest
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.schema import validate
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.fasta import sequence_fingerprints
from causalgia.streams import Seed, derive

_USUAL_UNITS = 1_000
_NARROWEST_CLASS = 6
_LEAST_HELD = 5


def proposals(
    null: NullModel,
    proposals: xr.Dataset,
    *,
    n_placebos: int = 100,
    at: int | None = None,
    n_units: int | None = None,
    rope: RopeLike = "placebo outliers",
) -> Experiment:
    """Return the experiment that tests proposed motifs on other units.

    Every proposed motif is embedded at one place of the same backgrounds, and compared
    with the untreated arm and with random sequences. Proposals are the extremes of a
    search, which exist in random networks as well, so a verdict of a direction
    requires more than a rank beyond most random sequences: the effect must lie beyond
    five of their standard deviations. The false discovery rate over the proposals is
    at most .05 (Benjamini-Hochberg). Motifs differ in width after trimming, and wide random
    sequences have larger effects than narrow ones; each motif is compared with random
    sequences of its own width, or one base wider: 6, 8, 10 or 12. No random sequence
    contains a proposed motif of five bases or more, on either strand if the predictor
    reads both.

    Directions are relative to the random sequences. Where these lower the outcome, as
    on natural sequences with sites in the middle, a motif with no effect
    "increases" it;
    the answer names such motifs.

    The sequences that proposed the motifs would confirm them for the reason that they
    were chosen. They are refused, by fingerprints of both strands: as parents of the
    null model here, and as drawn backgrounds when the trial is analyzed.

    Parameters
    ----------
    null
        The null model of backgrounds, not from sequences that proposed.
    proposals
        From `causalgia.propose`.
    n_placebos
        Random sequences of each width, 40 or more.
    at
        0-based start; None: the center.
    n_units
        Backgrounds; None: all sequences of a `causalgia.Genomic`, 1,000 of other null
        models.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. As in `causalgia.experiments.kmer_screen`.

    Returns
    -------
    Experiment
        Arms named after their motifs, ``"placebo ..."`` and ``"untreated"``; a contrast
        of each with the last; coordinates ``is_placebo``, ``placebo_class``, the width
        of the random sequences that a motif is compared with, and ``strength``, the
        mean contribution (of the task where it is largest) with which a motif was
        proposed.

    Raises
    ------
    DesignError
        If there is no proposal, the null model has sequences that proposed, or a motif
        leaves the sequence.
    DataError
        If they are no proposals; or, from ``analyze``, if the trial has drawn
        backgrounds that proposed.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> import causalgia as cg
    >>> additive = cg.zoo.oracle("additive")
    >>> null = cg.Uniform(length=41)
    >>> drawn = cg.sequences.decode(null.sample(60, rng=1)["sequence"].values)
    >>> peaks = [row[:15] + "TGCATG" + row[21:] for row in drawn]
    >>> proposed = cg.propose(cg.attribute(peaks, additive), predictor=additive, rng=0)
    >>> experiment = cg.experiments.proposals(null, proposed, n_units=200)
    >>> answer = experiment.analyze(cg.run(experiment, additive, rng=2))
    >>> answer.decisions["verdict"].sel(contrast="TGCATG").values.item()
    'increases'
    """
    as_null_model(null)
    table = validate(proposals, "proposals")
    motifs = list(dict.fromkeys(map(str, table["consensus"].to_numpy())))
    if not motifs:
        raise DesignError(
            "the proposals have no pattern, and there is nothing to test; propose with "
            "a larger null_share="
        )
    looked_at = frozenset(table["sequence_fingerprint"].to_numpy().tolist())
    check_fresh_parents(null, looked_at)
    classes = {
        motif: min(max(_NARROWEST_CLASS, len(motif) + len(motif) % 2), null.length)
        for motif in motifs
    }
    width = max(*classes.values(), *map(len, motifs))
    start = start_of_widest(null, at, width, f"a motif of {width} bases")
    if n_units is None:
        n_units = null.available if isinstance(null, Genomic) else _USUAL_UNITS
    arms = [
        *(
            Arm(motif, Embed(motif, at=start + (width - len(motif)) // 2))
            for motif in motifs
        ),
    ]
    strands = (
        [*motifs, *map(reverse_complement_iupac, motifs)]
        if about(table, None).both_strands
        else motifs
    )
    for wide in sorted(set(classes.values())):
        others = [motif for motif in strands if len(motif) >= min(_LEAST_HELD, wide)]
        for motif in random_placebos(wide, n_placebos, "ACGT", other_than=others):
            arms.append(
                Arm(
                    PLACEBO + motif, FixedPlacebo(motif, at=start + (width - wide) // 2)
                )
            )
            classes[PLACEBO + motif] = wide
    strength = table["strength"].to_numpy()
    largest = strength[np.arange(len(strength)), np.abs(strength).argmax(axis=1)]
    # motifs that maps chose are no draws from one law of effects: tests, whatever
    # their number
    return screen_of_arms(
        null,
        arms,
        n_units=n_units,
        rope=rope,
        entry=replace(PROPOSALS, read=partial(_read_proposals, looked_at=looked_at)),
        placebo_class=classes,
        strength=dict(
            zip(
                map(str, table["consensus"].to_numpy()),
                map(float, largest),
                strict=True,
            )
        ),
    )


def check_fresh_parents(null: NullModel, looked_at: frozenset[str]) -> None:
    """Raise DesignError if a parent of the null model is one of the sequences that
    proposed, by fingerprint.
    """
    if not isinstance(null, FromParents):
        return
    given = null.parents_given
    same = [
        name
        for name, one in zip(
            given.names, sequence_fingerprints(given.tokens), strict=True
        )
        if one in looked_at
    ]
    if same:
        raise DesignError(
            f"null=: {len(same):,} of {len(given):,} sequences proposed the "
            f"motifs, such as {quoted(same[0])}, and a trial is on fresh ones; propose "
            "on one part of the sequences and test on the other, as cg.audit does"
        )


def check_fresh_draws(found: TrialResults, looked_at: frozenset[str]) -> None:
    """Raise DataError if a background of the trial proposed: draw them again, where
    the seed is known.
    """
    design, source = (
        found.experiment,
        found.steps.estimates if found.outcomes is None else found.outcomes,
    )
    seed = Seed.stored(about(source, "").rng)
    if seed is not None and not isinstance(design.drawn, FromParents):
        units = np.arange(design.n_units, dtype=np.uint64)
        key = derive(seed.key, "null")
        drawn = sequence_fingerprints(
            design.drawn.draw(units, key=key, n_units=design.n_units)
        )
        same = sum(one in looked_at for one in drawn.tolist())
        if same:
            raise DataError(
                f"{same:,} of {design.n_units:,} backgrounds of this trial proposed "
                "the motifs: the same null model with the same seed draws the same "
                f"sequences; run it with another one, rng={int(seed.words) + 1}"
            )


def _read_proposals(found: TrialResults, *, looked_at: frozenset[str]) -> Reading:
    """Return the finding of the screen, after a check that none of its backgrounds
    proposed.
    """
    check_fresh_draws(found, looked_at)
    finding = read_screen(found)
    return replace(
        finding,
        states=(*finding.states, *_relative_directions(found.steps.decisions)),
    )


def _relative_directions(decisions: xr.Dataset) -> list[Statement]:
    """Return a statement on motifs whose verdict is not the sign of their effect; none
    if there are none.
    """
    motifs = decisions.sel(contrast=~decisions["is_placebo"])
    verdict, ace = motifs["verdict"], motifs["ace"]
    up, down = (verdict == one for one in DIRECTIONS)
    relative = (up & (ace <= 0)) | (down & (ace >= 0))
    named = (
        motifs["contrast"]
        .to_numpy()[relative.any([dim for dim in relative.dims if dim != "contrast"])]
        .tolist()
    )
    return [Statement((("relative to random sequences", named),))] * bool(named)


PROPOSALS = Entry(
    name="proposals",
    question="Which proposed motifs have an effect on fresh units?",
    estimand=(
        "E[Y(motif at a place) - Y(untreated)] of each motif, over the null model, "
        "against the random sequences'."
    ),
    doi="10.1371/journal.pcbi.1008925",
    read=read_screen,
    draw=draw_screen,
    claims="screening",
)

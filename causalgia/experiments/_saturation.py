"""Saturation of a sequence: each other base at each of its places, and deletions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from causalgia.checks import Span, as_count, as_span
from causalgia.design import EmbedEach, Genomic, Mutate
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Reading, mean_over_models
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import shape_table, shapes_along
from causalgia.experiments.kit.sites import as_genomic
from causalgia.experiments.kit.stated import Shape
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences.alphabet import IUPAC, decode
from causalgia.sequences.fasta import Source, is_path
from causalgia.sequences.windowed_variants import shared_stretches

if TYPE_CHECKING:
    from causalgia.tell.figures.axes import Axes

_BASES = "ACGT"
_LETTERS = {frozenset(bases): letter for letter, bases in reversed(IUPAC.items())}


def saturation(
    sequences: Source | Genomic,
    *,
    span: Span | None = None,
    deletions: bool | int = False,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what each base of a sequence does, by each other
    base at each of its places, as in saturation mutagenesis.

    Estimands: ``Y(x[i] = b) - Y`` of each place i and base b; the mean of the three
    changes of each place; and ``Y(deleted at i) - Y`` of each deletion. All are one
    family.

    Of one sequence they are the predictor's own answers, known exactly: there is no
    standard error, p or q, and a verdict is where the effect lies against the region.
    They say nothing of other sequences. Counts of the same arms
    (`causalgia.mpra.library`, `causalgia.mpra.fit`) have errors. Several sequences are
    a sample of those like them, place by place, and effects are means over them: of a
    base that some have already, over these as well, with no effect.

    Parameters
    ----------
    sequences
        A sequence, or several of one length: strings, a FASTA file, or
        ``cg.Genomic(of=..., parent=...)``.
    span
        Places that are changed, ``(start, stop)``, 0-based, stop excluded; None: all.
    deletions
        True: each base is deleted as well; a number: that many from each place on. The
        bases behind move up, and those deleted close the sequence in reverse order, so
        that length and composition stay. Deletions that leave the same sequence are one
        arm, named by the first place.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one change (of several
        sequences at least 0.2 sd of them).

    Returns
    -------
    Experiment
        Contrasts ``"G96A"`` (place 96, counted from 0, from G to A; several bases at a
        place have their IUPAC letter), ``"96 changed"``, the mean of its three changes,
        and ``"96 deleted"``. Coordinates ``position`` and ``base`` of changes;
        ``place`` and ``deleted`` (how many bases; 0: changed) of the others, whose runs are
        the finding ``shapes``.

    Raises
    ------
    DesignError
        If sequences differ in length, have other letters than A C G T (U), or are
        none; or the span or a deletion leaves them.

    References
    ----------
    Patwardhan, Lee, Litvin, Young, Pe'er & Shendure (2009), doi:10.1038/nbt.1589;
    Kircher et al. (2019), doi:10.1038/s41467-019-11526-w.

    Examples
    --------
    >>> import causalgia as cg
    >>> element = "ACGTTGCCAT" * 3 + "AGATAAG" + "TACCGTTGCA" * 3
    >>> experiment = cg.experiments.saturation(element)
    >>> experiment
    <Experiment saturation: 202 arms, 268 contrasts, 1 unit of the real ...>
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> answer = experiment.analyze(outcomes, rng=0)
    >>> print(answer.sentences[0])
    Task K562: changing a base lowers the outcome at 30 to 36 (...); ...
    """
    if isinstance(sequences, str) and not is_path(sequences):
        sequences = [sequences]
    null = replace(as_genomic(sequences, "sequences"), n_draws=1)
    start, stop = (0, null.length) if span is None else as_span(span)
    if stop > null.length:
        raise DesignError(
            f"span={start}-{stop} leaves the sequence of {null.length:,} bp",
            argument="span",
        )
    width = deletions and as_count(1 if deletions is True else deletions, "deletions")
    if width > stop - start:
        raise DesignError(
            f"deletions={width}: only {stop - start} places are changed",
            argument="deletions",
        )
    given = decode(null.parents_given.tokens)
    trial = Trial(null, control="untreated", entry=SATURATION)
    nothing = trial.untreated()
    for i in range(start, stop):
        here = {sequence[i] for sequence in given}
        effects = Weights()
        for base in _BASES:
            if here == {base}:
                continue
            name = f"{_LETTERS[frozenset(here)]}{i}{base}"
            effect = trial.intervention(name, Mutate(at=i, bases=base)) - nothing
            trial.row(name, effect, position=i, base=base, single=True)
            effects += effect * (1 / 3)
        trial.row(f"{i} changed", effects, place=i, deleted=0)
    seen = {tuple(given)}
    for i in range(start, stop - width + 1) if width else ():
        left = [s[i + width :] + s[i : i + width][::-1] for s in given]
        whole = tuple(s[:i] + end for s, end in zip(given, left, strict=True))
        if whole not in seen:
            seen.add(whole)
            name = f"{i if width == 1 else f'{i}-{i + width - 1}'} deleted"
            shared = shared_stretches(i, width, 0, null.length, right=False)
            moved = EmbedEach(left, at=i)
            gone = trial.intervention(name, moved, aligned=[shared]) - nothing
            trial.row(name, gone, place=i, deleted=width, single=True)
    return trial.experiment(
        n_units=null.available,
        rope=rope,
        target="units" if null.available == 1 else "population",
    )


def _read(found: TrialResults) -> Reading:
    """Return the runs of places changed, and deleted, and the largest changes."""
    states: list[Statement] = []
    every: list[tuple[tuple[str, str | None], Shape]] = []
    for task, rows in rows_by_task(found.steps.decisions):
        clauses: list[tuple[object, ...]] = []
        for n in dict.fromkeys(found.experiment.labels["deleted"].values()):
            own = rows.isel(contrast=rows["deleted"].to_numpy() == n)
            shapes = shapes_along(own, found.experiment.entry.axis)
            every += [
                (task, replace(shape, group=f"{n} deleted" if n else ""))
                for shape in shapes
            ]
            clauses.append(("places", shapes, n))
        changes = rows.isel(contrast=rows["base"].to_numpy().astype(str) != "")
        states.append(Statement((*clauses, ("single bases", changes)), *task))
    return Reading(datasets={"shapes": shape_table(every)}, states=tuple(states))


def _draw(answer: Answer) -> Axes:
    """Draw the effect of each base at each place."""
    from causalgia.tell.figures import heatmap

    rows = mean_over_models(answer.decisions[["ace", "lower", "upper"]])
    return heatmap(rows.sortby("base"), rows="base", columns="position")


SATURATION = Entry(
    name="saturation",
    question="What does each base of a sequence do?",
    estimand=(
        "Y(another base at a place) - Y of each base and place, of this sequence or the "
        "mean over several."
    ),
    doi="10.1038/nbt.1589",
    example={"sequences": "ACGTTGCCAT" * 3 + "AGATAAG" + "TACCGTTGCA" * 3},
    zoo="gata1_like",
    axis="place",
    read=_read,
    draw=_draw,
)

"""Screens: many motifs at one place, on each strand, compared with random sequences
there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.checks import as_count
from causalgia.choices import DIRECTIONS, LEAST_PLACEBOS, placebos_for_ranks
from causalgia.design import Arm, Embed, NullModel, Untreated
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import start_of_widest
from causalgia.experiments.kit.stated import Acting, Screened
from causalgia.experiments.kit.unasked import motifs_left_out
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.motif_alignments import apart_by_class, motif_families
from causalgia.sequences.motif_names import factor_class
from causalgia.sequences.motif_scores import holds_site
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

CONTROL, PLACEBO = "untreated", "placebo "
_STREAM = 2018  # random key of the random sequences, which are fixed by the design
_ATTEMPTS = 1_000
_WIDER = 1.2
_LEAST_HELD = 5
"""Letters of a motif, at least, that no random sequence may hold; shorter ones are in
most.
"""


def screen(
    null: NullModel,
    motifs: Mapping[str, str | Motif],
    *,
    at: int | None,
    n_placebos: int,
    n_units: int,
    rope: RopeLike,
    entry: Entry,
    both_strands: bool = True,
    all_of_them: bool = False,
    left_out: Sequence[str] = (),
) -> Experiment:
    """Return the experiment that compares each motif, on each strand, with the untreated
    arm, and with random sequences of about its width at the same place.

    Motifs of one width stand about one middle, each as its consensus. A palindrome has
    one strand, and so have all where one is spelled with U; motifs that write the same letters share an arm.
    Widths that differ by at most a fifth (`width_classes`) share `n_placebos` random
    sequences, of each width as many; none holds a motif that is compared with it, unless
    the motifs are all k-mers (`all_of_them`).
    """
    spelled = {
        name: one.consensus if isinstance(one, Motif) else one
        for name, one in motifs.items()
    }
    widths = sorted({len(word) for word in spelled.values()})
    start = start_of_widest(null, at, widths[-1], f"a motif of {widths[-1]} bases")
    letters = "ACGU" if any("U" in word for word in spelled.values()) else "ACGT"
    both_strands = both_strands and not all_of_them and letters == "ACGT"
    rows: dict[str, dict[str, str]] = {}
    arms: dict[str, Arm] = {}
    labels: dict[str, dict[str, Any]] = {"motif": {}, "strand": {}, "core": {}}
    classes: dict[str, int] = {}
    for name, word in spelled.items():
        strands = _strands(word) if both_strands else "+"
        for strand in strands:
            row = name if len(strands) == 1 else f"{name} {strand}"
            reads = word if strand == "+" else reverse_complement_iupac(word)
            site = Embed(word, at=start + (widths[-1] - len(word)) // 2, strand=strand)  # type: ignore[arg-type]
            arm = arms.setdefault(reads.replace("U", "T"), Arm(row, site)).name
            rows.setdefault(name, {})[strand] = arm
            if arm == row:
                classes[row] = len(word)
                for label, value in (
                    ("motif", name),
                    ("strand", strand),
                    ("core", word),
                ):
                    labels[label][row] = value
    placebos = list[Arm]()
    for of_class in width_classes(widths):
        others = {
            name: one
            for name, one in motifs.items()
            if len(spelled[name]) in of_class and not all_of_them
        }
        for rank, wide in enumerate(reversed(of_class)):
            words = random_placebos(
                wide,
                n_placebos,
                letters,
                other_than=_spellings([spelled[x] for x in others], both_strands),
                sites=[one for one in others.values() if isinstance(one, Motif)],
            )
            for word in words[: len(range(rank, n_placebos, len(of_class)))]:
                place = start + (widths[-1] - wide) // 2
                placebos.append(Arm(PLACEBO + word, FixedPlacebo(word, at=place)))
                classes[PLACEBO + word] = wide
        classes |= {
            name: of_class[-1] for name, wide in classes.items() if wide in of_class
        }
    read = partial(read_screen, rows=rows, motifs=motifs, both_strands=both_strands)
    return screen_of_arms(
        null,
        [*arms.values(), *placebos],
        n_units=n_units,
        rope=rope,
        entry=replace(entry, read=read),
        unasked=motifs_left_out(left_out),
        placebo_class=classes,
        **labels,
    )


def _strands(word: str) -> str:
    """Return the strands on which a string is two things."""
    return "+" if reverse_complement_iupac(word) == word else "+-"


def _spellings(words: Sequence[str], both_strands: bool) -> list[str]:
    turned = (reverse_complement_iupac(x) for x in words if len(_strands(x)) > 1)
    return [*words, *(turned if both_strands else ())]


def screen_of_arms(
    null: NullModel,
    arms: Sequence[Arm],
    *,
    n_units: int,
    rope: RopeLike,
    entry: Entry,
    unasked: tuple[str, ...] = (),
    **labels: Mapping[str, Any],
) -> Experiment:
    """Return the experiment that compares each arm with the untreated one; arms of a
    fixed placebo are the random sequences.

    Raises
    ------
    DesignError
        If verdicts are by ranks, and the random sequences of a class are too few.
    """
    placebos = [arm.name for arm in arms if isinstance(arm.intervention, FixedPlacebo)]
    classes = labels.get("placebo_class", {})
    fewest = min(Counter(classes.get(name) for name in placebos).values(), default=0)
    needed = placebos_for_ranks(len(arms) - len(placebos))
    if Rope.parse(rope).kind == "placebo" and fewest < needed:
        raise DesignError(
            f"rope='placebo' needs {needed:,} random sequences of each width for "
            f"{len(arms) - len(placebos):,} arms, and there are {fewest:,}",
            argument="rope",
        )
    return Experiment(
        null=null,
        arms=[Arm(CONTROL, Untreated()), *arms],
        n_units=n_units,
        contrasts=CONTROL,
        entry=entry,
        analysis=Analysis(rope=rope),
        unasked=unasked,
        labels={
            "is_placebo": {
                arm.name: isinstance(arm.intervention, FixedPlacebo) for arm in arms
            },
            **labels,
        },
    )


def width_classes(widths: Iterable[int]) -> list[list[int]]:
    """Return widths in classes that share random sequences, narrow ones first: the
    widest of a class is at most a fifth wider than the narrowest.

    The effect of a random sequence is a sum over its positions, more or less, and its
    standard deviation grows with the root of the width: within a class by .095 at most.
    (On DeepSTARR, from 6 to 20 bases, it over the root of the width is .027 to .036.)
    Either side of the range of 50 normal effects has a standard error of .18.

    Examples
    --------
    >>> width_classes([6, 7, 8, 10, 12, 6, 22])
    [[6, 7], [8], [10, 12], [22]]
    """
    classes = list[list[int]]()
    for width in sorted(set(widths)):
        if classes and width <= _WIDER * classes[-1][0]:
            classes[-1].append(width)
        else:
            classes.append([width])
    return classes


def random_placebos(
    width: int,
    n: int,
    letters: str,
    *,
    other_than: Sequence[str],
    sites: Sequence[Motif] = (),
) -> list[str]:
    """Draw distinct k-mers uniformly, from a stream that is the same in every design;
    none holds one of the other strings (of five letters or more), or a site of a motif.

    Raises
    ------
    DesignError
        If there are fewer than 40 or fewer than `n` such k-mers.
    """
    from causalgia.sequences.random import random_integers

    n = as_count(n, "n_placebos")
    least = min(_LEAST_HELD, width)
    taken = {x.replace("U", "T") for x in other_than if least <= len(x) <= width}
    left = 4**width - sum(len(kmer) == width for kmer in taken)
    if not LEAST_PLACEBOS <= n <= left:
        raise DesignError(
            f"n_placebos={n}: give {LEAST_PLACEBOS} or more; there are {left:,} other "
            f"strings of {width} bases",
            argument="n_placebos",
        )
    found: dict[str, None] = {}
    spelling, lengths = np.array(list(letters)), {len(kmer) for kmer in taken}
    for attempt in range(_ATTEMPTS):
        key = derive(_STREAM, "placebo words", width, attempt)
        drawn = random_integers(
            key, np.arange(4 * n, dtype=np.uint64), np.full(width, 4)
        )
        free = ~np.any(
            [holds_site(drawn.astype(np.uint8), one) for one in sites]
            or [np.zeros(len(drawn), bool)],
            axis=0,
        )
        spelled = ("".join(row) for row in spelling[drawn[free]])
        found.update(
            dict.fromkeys(
                kmer
                for kmer in spelled
                if taken.isdisjoint(_parts(kmer.replace("U", "T"), lengths))
            )
        )
        if len(found) >= n:
            return list(found)[:n]
    raise DesignError(
        f"nearly every string of {width} bases holds one of the motifs; ask fewer"
    )


def _parts(kmer: str, lengths: Set[int]) -> set[str]:
    """Return the parts of a k-mer that have these lengths."""
    return {kmer[i : i + n] for n in lengths for i in range(len(kmer) - n + 1)}


def read_screen(
    found: TrialResults,
    *,
    rows: Mapping[str, Mapping[str, str]] | None = None,
    motifs: Mapping[str, str | Motif] | None = None,
    both_strands: bool = True,
) -> Reading:
    """Return the finding ``motifs``, each by its better strand, and a sentence for each
    task; `rows`: motif -> strand -> contrast, every contrast by itself if None.
    """
    decisions = found.steps.decisions
    asked = decisions["contrast"].to_numpy()[~decisions["is_placebo"].to_numpy()]
    rows = rows or {str(name): {"+": str(name)} for name in asked}
    table = by_better_strand(decisions, rows)
    cores = {
        name: one if isinstance(one, Motif) else Motif.from_iupac(one)
        for name, one in (motifs or {name: name for name in rows}).items()
    }
    table = table.assign(family=_families(table, cores, both_strands=both_strands))
    table = table.assign_coords(
        core=("motif", [one.consensus for one in cores.values()]),
        width=("motif", [len(one) for one in cores.values()]),
    )
    states, further = list[Statement](), list[Statement]()
    places = zip(
        rows_by_task(table.rename(effect="ace")), rows_by_task(decisions), strict=True
    )
    for (begins, part), (_, of_task) in places:
        what = _screened(part, of_task, found.experiment.entry.name)
        states.append(Statement((("screen", what, of_task),), *begins))
        further.append(Statement((("families", what, of_task),), *begins))
    return Reading(
        datasets={
            "motifs": table.assign_attrs(
                estimand=found.experiment.estimand, scale=about(decisions, "").scale
            )
        },
        states=tuple(states),
        further=tuple(further),
    )


def by_better_strand(
    decisions: xr.Dataset, rows: Mapping[str, Mapping[str, str]]
) -> xr.Dataset:
    """Return the effect of each motif on the strand that acts: the one with a verdict of
    a direction, of two such the larger one; and the effect on the other.
    """
    import xarray as xr

    names = list(rows)
    strands = [
        decisions.sel(contrast=[list(of.values())[k] for of in rows.values()])
        .reset_coords(drop=True)
        .assign_coords(contrast=names)
        for k in (0, -1)
    ]
    acts = [of["verdict"].isin(DIRECTIONS) for of in strands]
    larger = np.abs(strands[1]["ace"]) > np.abs(strands[0]["ace"])
    second = (acts[1] & ~acts[0]) | ((acts[1] == acts[0]) & larger)
    columns = ("lower", "upper", "q", "verdict", "rope_lower", "rope_upper")
    kept = ["ace", *(c for c in columns if c in decisions)]
    one, other = (of[kept] for of in strands)
    table = other.where(second, one).rename(
        ace="effect", rope_lower="range_lower", rope_upper="range_upper"
    )
    two = xr.DataArray([len(of) > 1 for of in rows.values()], {"contrast": names})
    strand = np.where(second, "-", "+")
    return table.assign(
        strand=second.copy(data=strand),
        other_strand=one["ace"].where(second, other["ace"]).where(two),
        inside=(table["effect"] >= table["range_lower"])
        & (table["effect"] <= table["range_upper"]),
    ).rename(contrast="motif")


def _families(
    table: xr.Dataset, cores: Mapping[str, Motif], *, both_strands: bool
) -> xr.DataArray:
    """Return the leader of each motif's family, by task: motifs of one direction
    and one class.
    """
    effect = table["effect"].transpose("motif", ...)
    values = effect.to_numpy().reshape(len(cores), -1)
    verdict = table["verdict"].transpose("motif", ...).to_numpy().reshape(values.shape)
    names, motifs = list(cores), list(cores.values())
    leaders = np.full(values.shape, "", dtype=object)
    for column in range(values.shape[1]):
        for direction in DIRECTIONS:
            rows = np.flatnonzero(verdict[:, column] == direction)
            rows = rows[np.argsort(-np.abs(values[rows, column]), kind="stable")]
            of = [motifs[i] for i in rows]
            led = apart_by_class(
                motif_families(of, both_strands=both_strands),
                [factor_class(one).tf_class for one in of],
            )
            for i, k in zip(rows, led, strict=True):
                leaders[i, column] = names[rows[k]]
    return effect.copy(data=leaders.astype(str).reshape(effect.shape))


def _screened(part: xr.Dataset, decisions: xr.Dataset, entry: str) -> Screened:
    """Return what the sentence of one task is made from."""
    ace = part["ace"].to_numpy()
    acts = np.isin(part["verdict"].to_numpy(), DIRECTIONS)
    names, leaders = part["motif"].to_numpy(), part["family"].to_numpy()
    order: NDArray[np.int64] = np.argsort(-np.abs(ace), kind="stable")

    def acting(i: int) -> Acting:
        row = part.isel(motif=i)
        return Acting(
            name=str(names[i]),
            core=str(row["core"].item()),
            strand=str(row["strand"].item()),
            effect=float(ace[i]),
            lower=float(row["lower"].item()),
            upper=float(row["upper"].item()),
            other_strand=float(row["other_strand"].item()),
            members=tuple(
                str(names[k]) for k in order if leaders[k] == names[i] and k != i
            ),
        )

    placebo = decisions["is_placebo"].to_numpy()
    beyond = np.isin(decisions["verdict"].to_numpy(), DIRECTIONS)
    return Screened(
        noun="k-mer" if entry == "kmer_screen" else "motif",
        n_asked=len(names),
        n_acting=int(acts.sum()),
        families=tuple(
            acting(int(i)) for i in order if acts[i] and leaders[i] == names[i]
        ),
        largest=acting(int(order[0])),
        n_inside=int((part["inside"].to_numpy() & ~acts).sum()),
        n_random=int(placebo.sum()),
        n_random_acting=int((beyond & placebo).sum()),
        range_lower=float(part["range_lower"].min()),
        range_upper=float(part["range_upper"].max()),
    )


def draw_screen(answer: Answer) -> Axes:
    """Draw the first motifs of the table above the random sequences."""
    from causalgia.tell.figures import forest

    return forest(answer.decisions)

"""A site outside of an RNA hairpin, in its loop, and in its stem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from causalgia.analysis import Analysis
from causalgia.checks import as_count, as_position
from causalgia.design import (
    Arm,
    Copy,
    Embed,
    Intervention,
    NullModel,
    Uniform,
    Untreated,
)
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer
from causalgia.experiments.kit.experiment import Entry, Experiment, finding_by_task
from causalgia.experiments.kit.sites import as_site, centered_starts
from causalgia.experiments.kit.variance import effect_in_words
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

_BASE_PAIRS = frozenset({"AT", "TA", "GC", "CG", "GT", "TG"})
_LEAST_LOOP = 3

UNTREATED, OPEN, FOLDED, LOOP, STEM = "untreated", "open", "hairpin", "loop", "stem"
BESIDE, COMPLEMENT = "open, where the stem was", "complement in the open"


def hairpin(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "GCUGG",
    *,
    at: int | None = None,
    stem: int | Sequence[str] = 9,
    loop: int = 7,
    start: int | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that compares the effects of a site outside of a hairpin,
    in its loop, and in its stem.

    The stem is made of each unit's own bases: those of the 3' arm become the reverse
    complement of the 5' arm. The effect of the motif is estimated against the same fold
    without the motif: in the open, in the loop (at the same place), and in the stem
    (one base into its 5' arm, with its complement in the other); and also in the open
    at the place that it has in the stem, so that structure is not confounded with
    position.

    ``motif x loop`` is the effect in the loop minus that in the open. A motif in the
    stem comes with its complement, which can have an effect of its own in any fold
    (CAUGCA after UG completes another UGCAUG). The complement therefore has an arm by
    itself in the open, and ``motif x stem`` is the effect in the stem minus the single
    effects of motif and complement; without structure (additive motifs) it is 0 over a
    uniform null model. ``hairpin`` is the effect of the fold itself; ``loop - open``
    and ``open - stem`` compare outcomes of whole arms, including the effects of fold
    and complement. The motif is compared with untreated backgrounds or folds: over real
    sequences (`causalgia.Genomic`) what it overwrites is part of its effect.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site.
    at
        0-based start of the motif in the open and in the loop; None: the first base of
        the loop.
    stem
        Base pairs of the stem; or its two arms as motifs, 5' arm first, each 5' to 3',
        with Watson-Crick or G-U pairs. With a stem shorter than the motif, the arms
        with the motif in the stem are left out.
    loop
        Bases between the arms of the stem.
    start
        0-based start of the hairpin. None: the motif is the first of the loop; without
        `at` either, the hairpin lies in the center of the background. In 41 bases, as
        published, the arms of the stem are then at 8 and 24, the motif at 17 in the
        loop from 17 to 24, and at 9 in the stem.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Arms ``"untreated"``, ``"open"``, ``"hairpin"``, ``"loop"``, ``"stem"``,
        ``"open, where the stem was"``, ``"complement in the open"``, with the factors
        ``fold`` and ``site``; contrasts ``"motif in the open"``,
        ``"motif in the loop"``, ``"motif in the stem"``,
        ``"motif in the open, where the stem was"``, ``"complement in the open"``,
        ``"hairpin"``, ``"motif x loop"``, ``"motif x stem"``, ``"loop - open"``,
        ``"open - stem"``.

    Raises
    ------
    DesignError
        If the stem cannot pair (the message names the first mismatch), the loop has
        fewer than three bases or cannot hold the motif, or the hairpin leaves the
        sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.hairpin(n_units=200)
    >>> print(experiment.named_arms[3].intervention)
    do(x[17:22] = GCUGG, x[24:33] = rc(x[8:17]))
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task VTS1: loop > open > stem: ...
    """
    as_null_model(null)
    site, (n_pairs, stem_arms) = as_site(motif, "motif"), _as_stem(stem)
    bases = as_count(loop, "loop", least=_least_loop(site))
    if start is not None:
        left = as_position(start, "start")
    elif at is not None:
        left = as_position(at, "at") - n_pairs
    else:
        left = centered_starts(null.length, 2 * n_pairs + bases)[0]
    fold = _Fold(
        site,
        left + n_pairs if at is None else as_position(at, "at"),
        n_pairs,
        stem_arms,
        bases,
        left,
    )
    fold.check(null.length)
    return Experiment(
        null=null,
        arms=_hairpin_arms(fold),
        n_units=n_units,
        contrasts=_hairpin_contrasts(fold),
        entry=HAIRPIN,
        analysis=Analysis(rope=rope),
        asked=_IN_STEM + _WITHOUT_STEM if fold.holds_motif else _WITHOUT_STEM,
    )


@dataclass(frozen=True)
class _Fold:
    """Positions of a motif and of the arms of a hairpin."""

    motif: str | Motif
    at: int
    stem: int
    arms: tuple[str, str] | None
    loop: int
    left: int
    """Start of the 5' arm; negative where it leaves the sequence."""

    @property
    def width(self) -> int:
        """Width of the motif."""
        return len(as_pattern(self.motif))

    @property
    def right(self) -> int:
        """Start of the 3' arm."""
        return self.left + self.stem + self.loop

    @property
    def inside(self) -> int:
        """Start of the motif in the 5' arm: after one pair, if the stem is longer than
        the motif.
        """
        return self.left + min(1, self.stem - self.width)

    @property
    def opposite(self) -> int:
        """Start of the complement of the motif in the 3' arm."""
        return self.right + self.stem - (self.inside - self.left) - self.width

    @property
    def holds_motif(self) -> bool:
        """Whether the stem is long enough for the motif."""
        return self.stem >= self.width

    def check(self, length: int) -> None:
        """Raise DesignError if the motif leaves the loop, or the hairpin leaves the
        sequence.
        """
        least = _least_loop(self.motif)
        if self.loop < least:
            why = (
                f"cannot hold {self._name}"
                if least == self.width
                else "is too short for a hairpin to turn"
            )
            raise DesignError(
                f"loop={quoted(self.loop)} {why}; it takes {least} bases or more; for "
                f"example loop={quoted(least)}",
                argument="loop",
            )
        stop = self.right + self.stem
        if stop - self.left > length:
            raise DesignError(
                f"a hairpin with a stem of {self.stem} and a loop of {self.loop} has "
                f"{2 * self.stem + self.loop} bases, more than the {length}-bp "
                "background; shorten stem= or loop="
            )
        first, last = self.left + self.stem, self.right - self.width
        inside = first <= self.at <= last
        last_start = length - stop + self.left
        last_at = last_start + self.stem
        if self.left < 0 or stop > length:
            raise DesignError(
                f"a hairpin at {self.left} to {stop} leaves the {length}-bp "
                f"background; start=0 to {last_start} fit with at= left out, "
                f"or at={self.stem} to {last_at} with start= left out"
            )
        if not inside:
            cure = f"at={first} to {last} fit"
            if self.stem <= self.at <= last_at:
                cure += ", and start=None puts the loop where the motif is"
            raise DesignError(
                f"{self._name} at {self.at} is not in the loop from {first} to "
                f"{self.right} of the hairpin that starts at {self.left}; {cure}"
            )

    @property
    def _name(self) -> str:
        return f"'{as_pattern(self.motif).label}'"

    def folded(self) -> Intervention:
        """Return the intervention that makes the hairpin."""
        if self.arms is None:
            return self._paired(self.left, self.right, self.stem)
        return Embed(self.arms[0], at=self.left) + Embed(self.arms[1], at=self.right)

    def with_motif_inside(self) -> Intervention:
        """Return the intervention that makes the hairpin with the motif in its 5' arm
        and the complement opposite.
        """
        motif = Embed(self.motif, at=self.inside)
        if self.arms is None:
            return motif + self.folded()
        before, after = (
            self.inside - self.left,
            self.left + self.stem - self.inside - self.width,
        )
        rest = [
            (self.arms[0][:before], self.left),
            (self.arms[0][self.stem - after :], self.inside + self.width),
            (self.arms[1][:after], self.right),
            (self.arms[1][self.stem - before :], self.opposite + self.width),
        ]
        fold: Intervention = motif
        for piece, start in rest:
            fold = fold + Embed(piece, at=start) if piece else fold
        return fold + self._paired(self.inside, self.opposite, self.width)

    @staticmethod
    def _paired(left: int, right: int, width: int) -> Intervention:
        return Copy((left, left + width), at=right, strand="-")


def _least_loop(motif: str | Motif) -> int:
    """Return the fewest bases of a loop that turns and holds the motif."""
    return max(_LEAST_LOOP, len(as_pattern(motif)))


def _as_stem(stem: object) -> tuple[int, tuple[str, str] | None]:
    """Return the length of the stem and its arms as motifs; None where they are made of
    each unit's bases.
    """
    if isinstance(stem, str):
        raise DesignError(
            f"stem={quoted(stem)}: a stem is a number of base pairs, or its two "
            "arms, such as ('GGCGC', 'GCGCC')"
        )
    if not isinstance(stem, Sequence):
        return as_count(stem, "stem"), None
    arms = []
    for pattern in map(as_pattern, stem):
        if not isinstance(pattern.source, str) or pattern.random:
            raise DesignError(
                f"stem: {quoted(pattern.label)} is not a string of A C G T (U)"
            )
        arms.append(pattern.source)
    if len(arms) != 2:
        raise DesignError(
            f"stem={quoted(stem)}: a stem is a number of base pairs, or its two "
            "arms, such as ('GGCGC', 'GCGCC')"
        )
    if len(arms[0]) != len(arms[1]):
        raise DesignError(
            f"a stem that cannot pair: its arms {arms} have {len(arms[0])} and "
            f"{len(arms[1])} bases"
        )
    for i, (five, three) in enumerate(zip(arms[0], reversed(arms[1]), strict=True)):
        if (five + three).replace("U", "T") not in _BASE_PAIRS:
            raise DesignError(
                f"a stem that cannot pair: base {i} of {quoted(arms[0])} is {five}, "
                f"opposite base {len(arms[1]) - 1 - i} of {quoted(arms[1])}, {three} "
                "(counted from 0); A-U, G-C and G-U pair"
            )
    return len(arms[0]), (arms[0], arms[1])


def _hairpin_arms(fold: _Fold) -> list[Arm]:
    motif, folded = Embed(fold.motif, at=fold.at), fold.folded()
    arms: list[tuple[str, Intervention, str, str]] = [
        (UNTREATED, Untreated(), "open", "none"),
        (OPEN, motif, "open", "loop"),
        (FOLDED, folded, "hairpin", "none"),
        (LOOP, motif + folded, "hairpin", "loop"),
    ]
    if fold.holds_motif:
        arms += [
            (STEM, fold.with_motif_inside(), "hairpin", "stem"),
            (BESIDE, Embed(fold.motif, at=fold.inside), "open", "stem"),
            (
                COMPLEMENT,
                Embed(fold.motif, at=fold.opposite, strand="-"),
                "open",
                "complement",
            ),
        ]
    return [
        Arm(name, done, {"fold": state, "site": site})
        for name, done, state, site in arms
    ]


_MOTIF = {place: f"motif in the {place}" for place in (OPEN, LOOP, STEM, BESIDE)}
_WITHOUT_STEM = (_MOTIF[OPEN], _MOTIF[LOOP], "motif x loop")
_IN_STEM = (_MOTIF[STEM], "motif x stem")


def _hairpin_contrasts(fold: _Fold) -> dict[str, dict[str, float]]:
    places = {OPEN: UNTREATED, LOOP: FOLDED} | (
        {STEM: FOLDED, BESIDE: UNTREATED} if fold.holds_motif else {}
    )
    rows = {
        _MOTIF[place]: {place: 1.0, without: -1.0} for place, without in places.items()
    }
    rows[FOLDED] = {FOLDED: 1.0, UNTREATED: -1.0}
    rows["motif x loop"] = {LOOP: 1.0, FOLDED: -1.0, OPEN: -1.0, UNTREATED: 1.0}
    rows["loop - open"] = {LOOP: 1.0, OPEN: -1.0}
    if fold.holds_motif:
        rows[COMPLEMENT] = {COMPLEMENT: 1.0, UNTREATED: -1.0}
        rows["motif x stem"] = {
            STEM: 1.0,
            FOLDED: -1.0,
            BESIDE: -1.0,
            COMPLEMENT: -1.0,
            UNTREATED: 2.0,
        }
        rows["open - stem"] = {BESIDE: 1.0, STEM: -1.0}
    return rows


def _draw_hairpin(answer: Answer) -> Axes:
    """Draw the effects place by place: open and loop, then beside and stem, each with
    its differences.
    """
    from causalgia.tell.figures import forest

    order = [_MOTIF[OPEN], _MOTIF[LOOP], "loop - open", "motif x loop"]
    order += [
        _MOTIF[BESIDE],
        COMPLEMENT,
        _MOTIF[STEM],
        "open - stem",
        "motif x stem",
        FOLDED,
    ]
    known = answer.decisions["contrast"].to_numpy().tolist()
    return forest(
        answer.decisions.sel(contrast=[name for name in order if name in known]),
        sort="given",
    )


# relation of loop to open by the verdict on motif x loop, and of open to stem by that
# on motif x stem
_LOOP_TO_OPEN = {
    "increases": ">",
    "decreases": "<",
    "negligible": "=",
    "undecided": "?",
}
_OPEN_TO_STEM = {
    "increases": "<",
    "decreases": ">",
    "negligible": "=",
    "undecided": "?",
}


def _hairpin_text(rows: xr.Dataset) -> str:
    """Return the order of loop, open and stem by the verdicts on the two interactions,
    with all effects.
    """
    text = {
        str(name): effect_in_words(rows.sel(contrast=name))
        for name in rows["contrast"].to_numpy()
    }
    verdict = {name: rows["verdict"].sel(contrast=name).item() for name in text}
    relations = {
        ("loop", "open"): _LOOP_TO_OPEN[verdict["motif x loop"]],
        ("open", "stem"): _OPEN_TO_STEM.get(verdict.get("motif x stem", ""), ""),
    }
    if "?" in relations.values():
        order = "; ".join(
            f"the data do not decide between {left} and {right}"
            if sign == "?"
            else f"{left} {sign} {right}"
            for (left, right), sign in relations.items()
            if sign
        )
        if set(relations.values()) == {"?"}:
            order = "the data do not decide between loop, open and stem"
    else:
        order = "loop" + "".join(
            f" {sign} {right}" for (_, right), sign in relations.items() if sign
        )
    because = (
        f"the effect of the motif is {text[_MOTIF[LOOP]]} in the loop "
        f"({text[_MOTIF[OPEN]]} in the open at that place)"
    )
    if "motif x stem" not in text:
        return f"{order}: {because}; the stem is too short to hold the motif."
    return (
        f"{order}: {because} and {text[_MOTIF[STEM]]} in the stem "
        f"({text[_MOTIF[BESIDE]]} in the open at that place)."
    )


def _hairpin_details(rows: xr.Dataset) -> str:
    """Return the differences between places, and the complement in the stem."""
    text = {
        str(name): effect_in_words(rows.sel(contrast=name))
        for name in rows["contrast"].to_numpy()
    }
    verdict = {name: rows["verdict"].sel(contrast=name).item() for name in text}
    of_loop = f"loop minus open {text['motif x loop']}, {verdict['motif x loop']}"
    if "motif x stem" not in text:
        return f"{of_loop}."
    return (
        f"{of_loop}; the stem holds motif and complement, and the complement in the "
        f"open has an effect of {text[COMPLEMENT]} (stem minus motif and complement in "
        f"the open {text['motif x stem']}, {verdict['motif x stem']})."
    )


HAIRPIN = Entry(
    name="hairpin",
    question="Does a site work in the open, in the loop of a hairpin, or in its stem?",
    estimand=(
        "E[Y(fold, motif) - Y(fold, no motif)] in the open, the loop and the stem, and "
        "the differences of these at the same place, the motif's complement by itself "
        "taken off, over the null model."
    ),
    doi="10.1101/418459",
    read=partial(finding_by_task, text=_hairpin_text, details=_hairpin_details),
    draw=_draw_hairpin,
    zoo="vts1_like",
)

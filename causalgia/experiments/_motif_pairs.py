"""Interactions of two motifs by distance, orientation and order, for one pair or for
all pairs of many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from glob import escape
from itertools import product
from typing import Any

from causalgia.analysis import Analysis
from causalgia.checks import as_position
from causalgia.choices import Control
from causalgia.design import Arm, Embed, Intervention, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment, weighted_sum
from causalgia.experiments.kit.joint_effects import SINGLE
from causalgia.experiments.kit.pair_interactions import (
    ORDERS,
    draw_pair,
    draw_pairs,
    read_pair,
    read_pairs,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    SiteControl,
    as_site_control,
)
from causalgia.experiments.kit.sites import as_positions, as_string_or_motif
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.motif_names import MotifList, motifs_of_file

ORIENTATIONS = ("++", "+-", "-+", "--")
PLURIPOTENCY = {
    "Oct4-Sox2": "TTTGCATAACAA",
    "Sox2": "GAACAATGG",
    "Nanog": "AGCCATCA",
    "Klf4": "CCACGCCC",
}
"""Strings of Avsec et al. (2021)."""


@dataclass(frozen=True)
class _Cell:
    """An arrangement of the two sites (strands, order, distance) and its arms."""

    orientation: str
    order: str
    distance: int
    placebos: bool

    @property
    def both(self) -> str:
        return f"{self.orientation} {self.order} {self.distance}"

    @property
    def first(self) -> str:
        if self.placebos:
            return f"first, {self.both}"
        return f"first {self.orientation[0]}"

    @property
    def second(self) -> str:
        if self.placebos:
            return f"second, {self.both}"
        return f"second {self.orientation[1]} {self.order} {self.distance}"

    @property
    def neither(self) -> str:
        return f"neither, {self.both}" if self.placebos else UNTREATED

    @property
    def row(self) -> dict[str, float]:
        """Weights of both minus each plus neither."""
        weights = 1.0, -1.0, -1.0, 1.0
        arms = self.both, self.first, self.second, self.neither
        return dict(zip(arms, weights, strict=True))

    @property
    def levels(self) -> dict[str, str | int]:
        return {
            "orientation": self.orientation,
            "order": self.order,
            "distance": self.distance,
        }


def motif_pair(
    null: NullModel = Uniform(length=1_000),  # noqa: B008 - a frozen value
    motif: str | Motif = "AGCCATCA",
    other: str | Motif = "GAACAATGG",
    *,
    distances: Sequence[int] = range(11, 161),
    orientations: Sequence[str] = ORIENTATIONS,
    orders: Sequence[str] = ORDERS,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 128,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates the interaction of two motifs by distance,
    orientation and order.

    The first motif stays at one place and the second moves downstream or upstream of
    it, each on either strand. Every cell of distance, orientation and order is a 2 x 2
    factorial (neither, first, second, both) on the same backgrounds. Every place of the
    second motif has its own control without the first, so that distance is not
    confounded with position.

    Contrasts of every cell: ``"pair, ..."``, the joint effect AB - 0; the additive
    interaction AB - A - B + 0; and the effect of each site alone, ``"first alone, ..."``
    and ``"second alone, ..."``. The answer first gives the cells where the pair changes
    the outcome, then what the sites do together (`causalgia.experiments.joint_effect`):
    an interaction above 0 is synergy of sites that raise the outcome, and saturation of
    sites that lower it.
    Further contrasts: the ``direction`` of each orientation, the mean over distances of
    the interaction downstream minus upstream; and each orientation against the first
    one, the mean over distances and orders of the difference of interactions.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif, other
        The first and the second: a string or a motif each, or what `causalgia.motif` takes: a name, a path, a PFM
        (defaults: Nanog and Sox2).
    distances
        Bases from the start of the upstream site to the start of the downstream one.
    orientations
        Strands of the first and of the second motif: ``"++"``, ``"+-"``, ``"-+"``,
        ``"--"``.
    orders
        ``"downstream"``: the second motif lies downstream of the first; ``"upstream"``:
        upstream of it.
    at
        0-based start of the first motif; None: the center.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of each absent site for each unit at
        its place, so that the four arms of a cell overwrite the same bases.
        None: ``"placebo"`` over `causalgia.Genomic`, whose sequences have sites of
        their own to overwrite, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Arms ``"++ downstream 15"`` with ``"untreated"``, ``"first +"`` and ``"second +
        downstream 15"``, or with placebos ``"neither, ++ downstream 15"``, ``"first, ++
        downstream 15"`` and ``"second, ++ downstream 15"``, four for every cell.
        Coordinates of the contrasts: ``distance``, ``orientation``, ``order`` and
        ``asks`` (``"pair"``, ``"interaction"``, ``"first"``, ``"second"``,
        ``"direction"``, ``"orientation"``) and ``site``, the motif of a site alone.
        Finding of the answer: ``scales``, the interaction of every cell on all scales
        that the outcomes allow; it needs outcomes, and moments have none.

    Raises
    ------
    DesignError
        If a distance is shorter than the upstream motif, a site leaves the sequence, an
        orientation or order is invalid, or a palindromic motif is given two
        orientations.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6. De Almeida et al. (2022),
    doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif_pair(
    ...     cg.Uniform(length=200),
    ...     distances=[15, 26],
    ...     orientations=["++"],
    ...     orders=["downstream"],
    ...     n_units=200,
    ... )
    >>> syntax = cg.zoo.Oracle(
    ...     cg.zoo.MotifCount("S", 0.1),
    ...     cg.zoo.Pair("ATCAS", "SGAAC", bonus=4.0, decay=40.0),
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, syntax, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: of 2 interactions of AGCCATCA and GAACAATGG, 2 are more than the sum (both ...
    """
    beside = as_site_control(control, as_null_model(null))
    motif, other = _as_pair_motif(motif, "motif"), _as_pair_motif(other, "other")
    reach = _as_distances(distances, orders, (motif, other))
    strands = _as_choices(orientations, ORIENTATIONS, "orientations")
    _check_palindromes(strands, (motif, other))
    center = (
        (null.length - len(as_pattern(motif))) // 2
        if at is None
        else as_position(at, "at")
    )
    cells = [
        _Cell(*parts, placebos=beside.placebos)
        for parts in product(strands, _as_choices(orders, ORDERS, "orders"), reach)
    ]
    _check_room(
        null.length,
        center,
        len(as_pattern(motif)),
        reach,
        upstream=len(as_pattern(other)) if "upstream" in orders else None,
        downstream=len(as_pattern(other)) if "downstream" in orders else None,
    )
    named = _direction_contrasts(cells) | _orientation_contrasts(cells)
    labels = as_pattern(motif).label, as_pattern(other).label
    alone = _single_contrasts(cells, labels)
    pairs = [(f"pair, {cell.both}", cell) for cell in cells]
    both = {name: {cell.both: 1.0, cell.neither: -1.0} for name, cell in pairs}
    of_cell = [(name, cell) for pair, cell in pairs for name in (pair, cell.both)]
    asks = dict.fromkeys(both, "pair") | dict.fromkeys(
        (cell.both for cell in cells), "interaction"
    )
    return Experiment(
        null=null,
        arms=list(_pair_arms(cells, motif, other, center, beside)),
        n_units=n_units,
        contrasts=both
        | {cell.both: cell.row for cell in cells}
        | {name: row for name, (row, _, _) in alone.items()}
        | {name: row for name, (row, _, _) in named.items()},
        entry=beside.entry(
            MOTIF_PAIR,
            "E[Y(both) - Y(neither)] and E[Y(both) - Y(first) - Y(second) + "
            "Y(neither)] by distance, orientation and order, with placebos for absent "
            "sites, over the null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=[f"{strand} *" for strand in strands],
        labels={
            "distance": {name: cell.distance for name, cell in of_cell},
            "orientation": {name: cell.orientation for name, cell in of_cell}
            | {k: o for k, (_, _, o) in named.items()},
            "order": {name: cell.order for name, cell in of_cell},
            "asks": asks
            | {name: kind for name, (_, kind, _) in alone.items()}
            | {name: kind for name, (_, kind, _) in named.items()},
            "site": {name: site for name, (_, _, site) in alone.items()},
        },
    )


def _as_choices(
    values: Sequence[str], known: Sequence[str], name: str
) -> tuple[str, ...]:
    chosen = (values,) if isinstance(values, str) else tuple(values)
    odd = [value for value in chosen if value not in known]
    if odd or not chosen or len(set(chosen)) < len(chosen):
        raise DesignError(
            f"{name}={quoted(values)} must be different ones of "
            f"{', '.join(map(quoted, known))}"
        )
    return chosen


def _as_distances(
    distances: Sequence[int],
    orders: Sequence[str],
    sites: tuple[str | Motif, str | Motif],
) -> tuple[int, ...]:
    """Return the distances, checked to be at least the width of the upstream motif."""
    reach = as_positions(distances, "distances")
    for order, which, upstream in zip(ORDERS, ("first", "second"), sites, strict=True):
        width = len(as_pattern(upstream))
        if order in orders and min(reach) < width:
            raise DesignError(
                f"distances: {min(reach)} is shorter than the {which} motif "
                f"({width} bases), which lies upstream in orders = {quoted(order)}: "
                f"the sites would collide; distances are between starts, {width} or "
                "more"
            )
    return reach


def _check_room(
    length: int,
    center: int,
    central: int,
    reach: tuple[int, ...],
    *,
    upstream: int | None = None,
    downstream: int | None = None,
) -> None:
    """Raise DesignError if the farthest site, upstream or downstream of the center and
    of the width given, leaves the background.

    Parameters
    ----------
    length
        Of a background.
    center, central
        Start and width of the site that stays.
    reach
        Distances.
    upstream, downstream
        Width of the other site on that side; None: it never lies there.
    """
    far = max(reach)
    left = 0 if upstream is None else far
    right = central if downstream is None else max(far + downstream, central)
    sides = {
        side: (width, room)
        for side, width, room in (
            ("upstream", upstream, center),
            ("downstream", downstream, length - center - (downstream or 0)),
        )
        if width is not None
    }
    most = min(room for _, room in sides.values())
    for side, (width, room) in sides.items():
        if far > room:
            shorter = f"distances of at most {most}, or " if most >= width else ""
            elsewhere = (
                f"at={left} to {length - right}"
                if left + right <= length
                else f"backgrounds of {left + right:,} bp or more with at={left}"
            )
            raise DesignError(
                f"distances: {far} {side} of at={center} leaves the "
                f"{length:,}-bp background; use {shorter}{elsewhere}"
            )


def _check_palindromes(strands: Sequence[str], sites: Sequence[str | Motif]) -> None:
    for index, (name, motif) in enumerate(zip(("motif", "other"), sites, strict=True)):
        pattern = as_pattern(motif)
        palindrome = (
            not pattern.random
            and reverse_complement_iupac(pattern.consensus) == pattern.consensus
        )
        if palindrome and len({strand[index] for strand in strands}) > 1:
            once = [strand for strand in strands if strand[index] == strands[0][index]]
            raise DesignError(
                f"{name}={quoted(pattern.label)} reads the same on both strands, "
                f"so that orientations={list(strands)} define some cells twice; "
                f"give orientations={once}"
            )


def _pair_arms(
    cells: Sequence[_Cell],
    first: str | Motif,
    second: str | Motif,
    at: int,
    beside: SiteControl,
) -> Iterator[Arm]:
    none: dict[str, Intervention] = {UNTREATED: Untreated()}
    one: dict[str, Intervention] = {}
    other: dict[str, Intervention] = {}
    both: list[Arm] = []
    for cell in cells:
        sites = (
            Embed(first, at=at, strand=_cell_strand(cell, 0)),
            Embed(
                second,
                at=at
                + (cell.distance if cell.order == "downstream" else -cell.distance),
                strand=_cell_strand(cell, 1),
            ),
        )
        alone = beside.factorial(*sites)
        one[cell.first], other[cell.second] = alone.first, alone.second
        none[cell.neither] = alone.neither
        both.append(Arm(cell.both, sites[0] + sites[1], cell.levels))
    yield from (Arm(name, done) for name, done in (none | one | other).items())
    yield from both


def _cell_strand(cell: _Cell, which: int) -> Any:
    return cell.orientation[which]


_NamedContrasts = dict[str, tuple[dict[str, float], str, str]]
"""Contrast -> its weights, kind and orientation, or site."""


def _single_contrasts(
    cells: Sequence[_Cell], labels: tuple[str, str]
) -> _NamedContrasts:
    """Return the effect of each site alone, once for each arm that has it."""
    found: _NamedContrasts = {}
    for which, label in zip(SINGLE, labels, strict=True):
        for cell in cells:
            arm = cell.first if which == "first" else cell.second
            where = cell.both if cell.placebos else arm.removeprefix(f"{which} ")
            name = f"{which} alone, {label} {where}"
            found[name] = {arm: 1.0, cell.neither: -1.0}, which, label
    return found


def _direction_contrasts(cells: Sequence[_Cell]) -> _NamedContrasts:
    """Return for each orientation the mean over distances of the interaction downstream
    minus upstream.
    """
    if len({cell.order for cell in cells}) < 2:
        return {}
    found: _NamedContrasts = {}
    for orientation in dict.fromkeys(cell.orientation for cell in cells):
        chosen = [cell for cell in cells if cell.orientation == orientation]
        share = Fraction(2, len(chosen))
        signed = [
            (share if cell.order == "downstream" else -share, cell.row)
            for cell in chosen
        ]
        found[f"direction {orientation}"] = (
            weighted_sum(signed),
            "direction",
            orientation,
        )
    return found


def _orientation_contrasts(cells: Sequence[_Cell]) -> _NamedContrasts:
    """Return the interaction of each orientation minus that of the first, averaged over
    distances and orders.
    """
    by = {
        o: [cell for cell in cells if cell.orientation == o]
        for o in dict.fromkeys(cell.orientation for cell in cells)
    }
    base, *others = by
    found: _NamedContrasts = {}
    for orientation in others:
        signed = [
            (Fraction(1, len(by[orientation])), cell.row) for cell in by[orientation]
        ]
        signed += [(Fraction(-1, len(by[base])), cell.row) for cell in by[base]]
        found[f"orientation {orientation} against {base}"] = (
            weighted_sum(signed),
            "orientation",
            orientation,
        )
    return found


def motif_pairs(
    null: NullModel = Uniform(length=1_000),  # noqa: B008 - a frozen value
    motifs: MotifList = PLURIPOTENCY,
    *,
    distances: Sequence[int] = range(12, 162),
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 128,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates the interactions of all pairs of many
    motifs, at every distance.

    Each motif on either strand stays at one place, with every motif on either strand
    downstream of it: 2M x 2M ordered pairs, all orders and orientations of M motifs, at
    each distance, with shared single sites and untreated backgrounds. Verdicts are by
    tests with the Benjamini-Hochberg false discovery rate. 11 motifs at 150 distances
    are 72,600 interactions on 75,923 arms; ``causalgia.run(..., keep="moments")``
    estimates them without storing outcomes.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motifs
        Name -> string or motif, a list of these, or a file of motifs; two or more
        (default: four of the eleven of the paper).
    distances
        Bases between starts. (Those of the paper begin at 11, where a site of 12 bases
        would overlap the next.)
    at
        0-based start of the upstream site; None: the center.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of each absent site for each unit at
        its place, so that the four arms of an interaction overwrite the same bases,
        and no two interactions share any.
        None: ``"placebo"`` over `causalgia.Genomic`, whose sequences have sites of
        their own to overwrite, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Contrasts ``"Nanog+ Sox2- 24"``, with coordinates ``upstream``, ``downstream``
        (names with strands) and ``distance``, and the effect of each site alone,
        ``"Nanog+ upstream"`` and ``"Sox2- alone at +24"``; coordinates ``asks``
        (``"interaction"``, ``"first"``, ``"second"``) and ``site``. Finding:
        ``strongest``, the distance of the largest interaction of each pair.

    Raises
    ------
    DesignError
        As `motif_pair`; or if a name is empty or ends in + or -, or there are fewer
        than two motifs.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif_pairs(distances=[20, 40], n_units=100)
    >>> experiment
    <Experiment motif_pairs: 153 arms, 152 contrasts, 100 units of uniform random sequences of 1000 bp>
    """
    beside = as_site_control(control, as_null_model(null))
    sites = _motifs_on_strands(motifs)
    reach = as_positions(distances, "distances")
    wide = max(sites, key=lambda name: len(as_pattern(sites[name][0])))
    longest = len(as_pattern(sites[wide][0]))
    if min(reach) < longest:
        raise DesignError(
            f"distances: {min(reach)} is shorter than {quoted(wide[:-1])} "
            f"({longest} bases): the sites would collide; distances are between "
            f"starts, {longest} or more"
        )
    center = (null.length - longest) // 2 if at is None else as_position(at, "at")
    _check_room(null.length, center, longest, reach, downstream=longest)
    still: dict[str, Embed] = {
        name: Embed(motif, at=center, strand=strand)
        for name, (motif, strand) in sites.items()
    }
    moved: dict[tuple[str, int], Embed] = {
        (name, d): Embed(motif, at=center + d, strand=strand)
        for (name, (motif, strand)), d in product(sites.items(), reach)
    }
    cells = {f"{a} {b} {d}": (a, b, d) for a, b, d in product(sites, sites, reach)}
    arms = [Arm(UNTREATED, Untreated())]
    if not beside.placebos:  # the arms of single sites are shared by all pairs
        arms += [Arm(f"{name} upstream", done) for name, done in still.items()]
        arms += [
            Arm(f"{name} alone at +{d}", done) for (name, d), done in moved.items()
        ]
    rows: dict[str, dict[str, float]] = {}
    alone: dict[str, tuple[str, str]] = {}
    for name, (a, b, d) in cells.items():
        without = f"{a} upstream", f"{b} alone at +{d}", UNTREATED
        if beside.placebos:
            without = f"first, {name}", f"second, {name}", f"neither, {name}"
            arms += map(Arm, without, beside.factorial(still[a], moved[b, d]))
        rows[name] = {name: 1.0, **dict(zip(without, (-1.0, -1.0, 1.0), strict=True))}
        alone |= {without[0]: ("first", a), without[1]: ("second", b)}
        rows |= {one: {one: 1.0, without[2]: -1.0} for one in without[:2]}
    arms += [Arm(name, still[a] + moved[b, d]) for name, (a, b, d) in cells.items()]
    parts = {"upstream": 0, "downstream": 1, "distance": 2}
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=rows,
        entry=beside.entry(
            MOTIF_PAIRS,
            "E[Y(both) - Y(one) - Y(other) + Y(neither)] of every ordered and oriented "
            "pair at each distance, with placebos for absent sites.",
        ),
        analysis=Analysis(rope=rope),
        asked=[f"{escape(name)} *[+-] [0-9]*" for name in sites],
        labels={
            key: {name: cell[i] for name, cell in cells.items()}
            for key, i in parts.items()
        }
        | {
            "asks": dict.fromkeys(cells, "interaction")
            | {name: which for name, (which, _) in alone.items()},
            "site": {name: site for name, (_, site) in alone.items()},
        },
    )


def _motifs_on_strands(
    motifs: MotifList,
) -> dict[str, tuple[str | Motif, Any]]:
    """Return name with strand -> motif and strand; a palindrome is listed once."""
    of_file = motifs_of_file(motifs)
    motifs = motifs if of_file is None else of_file
    if isinstance(motifs, Sequence) and not isinstance(motifs, str):
        motifs = {
            as_pattern(one).label: one
            for one in (_as_pair_motif(given, "motifs") for given in motifs)
        }
    if not isinstance(motifs, Mapping) or len(motifs) < 2:
        raise DesignError(
            f"motifs={quoted(motifs)} must name two motifs or more, such as "
            "{'Nanog': 'AGCCATCA', 'GATA': 'AGATAAG'}"
        )
    found: dict[str, tuple[str | Motif, Any]] = {}
    for name, given in motifs.items():
        if not isinstance(name, str) or not name.strip():
            raise DesignError(f"motifs: the name {quoted(name)} is empty")
        if name.endswith(("+", "-")):
            raise DesignError(
                f"motifs: the name {quoted(name)} ends in a strand, which is "
                "written behind names; rename it"
            )
        motif = _as_pair_motif(given, f"motifs: {name}")
        pattern = as_pattern(motif)
        palindrome = (
            not pattern.random
            and reverse_complement_iupac(pattern.consensus) == pattern.consensus
        )
        found |= {
            f"{name}{strand}": (motif, strand)
            for strand in ("+" if palindrome else "+-")
        }
    return found


def _as_pair_motif(given: object, name: str) -> str | Motif:
    try:
        return as_string_or_motif(given, name)
    except SequenceError as error:
        raise DesignError(str(error)) from error


MOTIF_PAIR = Entry(
    name="motif_pair",
    question=(
        "Do two motifs interact, and how does the interaction depend on their "
        "arrangement?"
    ),
    estimand=(
        "E[Y(both) - Y(neither)] and E[Y(both) - Y(first) - Y(second) + Y(neither)] by "
        "distance, orientation and order, over the null model."
    ),
    doi="10.1038/s41588-021-00782-6",
    read=read_pair,
    draw=draw_pair,
    zoo="pairs_like",
)
MOTIF_PAIRS = Entry(
    name="motif_pairs",
    question="Which of many motifs interact, and in which order, orientation and distance?",
    estimand=(
        "E[Y(both) - Y(one) - Y(other) + Y(neither)] of every ordered and oriented "
        "pair at each distance."
    ),
    doi="10.1038/s41588-021-00782-6",
    read=read_pairs,
    draw=draw_pairs,
    zoo="pairs_like",
)

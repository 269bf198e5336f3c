"""Two sites together: their interaction by gap, order and strands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from os import PathLike
from typing import Any

from causalgia.checks import as_position, in_list, is_whole
from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.shapes import draw_shapes, read_shapes
from causalgia.experiments.kit.sites import as_site
from causalgia.experiments.kit.stated import GROUP
from causalgia.experiments.kit.trial import ROPE, Trial, Weights, strands_of
from causalgia.experiments.kit.unasked import gaps_of_pairs
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.motif_names import MotifList, named_motifs

GAPS = (*range(31), 40, 60, 100)
"""Bases between two sites that are asked by default."""
ORDERS = ("downstream", "upstream")
ORIENTATIONS = ("++", "+-", "-+", "--")


def pair(
    null: NullModel,
    motif: str | Motif,
    other: str | Motif,
    *,
    gaps: Sequence[int] = GAPS,
    orientations: Sequence[str] = ORIENTATIONS,
    orders: Sequence[str] = ORDERS,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks whether two motifs act together, over all gaps,
    orders and strands.

    The first motif stays at one place and the second moves about it. Every setting is a
    2 x 2 factorial on the same backgrounds, with the second motif alone at each of its
    places, so that the gap is not confounded with the place. Estimand:
    ``E[Y(both) - Y(first) - Y(second) + Y(neither)]`` of each setting, over the null
    model. The answer is the runs of neighboring gaps with one sign (finding
    ``shapes``), of each arrangement and task.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif, other
        The two sites: a string of IUPAC letters, or a motif (anything that
        `causalgia.motif` accepts).
    gaps
        Bases between the two sites; below 0 they overlap, where their letters agree.
        Settings that do not fit the sequence are counted and left out.
    orientations
        Strands of the first and of the second motif. Of a palindrome one strand is
        asked.
    orders
        ``"downstream"``: the second motif lies downstream of the first;
        ``"upstream"``: upstream of it.
    at
        0-based start of the first motif; None: the center.
    control
        What stands where a site is absent: ``"untreated"``, the background;
        ``"placebo"``, a fresh rearrangement of it for each unit. None: ``"placebo"``
        over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one of the sites,
        at least 0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        Contrasts ``"interaction, A+ then B+, gap 5"``, ..., which answer the question;
        ``"pair, A+ then B+, gap 5"`` against neither, and each site alone; coordinates
        ``gap``, ``arrangement``, ``asks`` (``"interaction"``, ``"pair"``, ``"first"``,
        ``"second"``) and ``site``.

    Raises
    ------
    DesignError
        If no setting fits the sequence, or an orientation or order is none.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6. De Almeida et al. (2022),
    doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.pair(
    ...     cg.Uniform(length=200),
    ...     "AGCCATCA",
    ...     "GAACAATGG",
    ...     gaps=range(5, 9),
    ...     orientations=["++"],
    ...     n_units=100,
    ... )
    >>> syntax = cg.zoo.Oracle(
    ...     cg.zoo.MotifCount("S", 0.1),
    ...     cg.zoo.Pair("ATCAS", "SGAAC", bonus=4.0, decay=40.0),
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, syntax, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: AGCCATCA and GAACAATGG do more than their sum, ...
    """
    sites = as_site(motif, "motif"), as_site(other, "other")
    trial = Trial(null, control=control, entry=replace(PAIR, of=_both(sites)))
    start = trial.center(sites[0]) if at is None else as_position(at, "at")
    chosen = _choices(orientations, ORIENTATIONS, "orientations")
    asked = _gaps(gaps)
    of_each = strands_of(sites[0]), strands_of(sites[1])
    ways = _choices(orders, ORDERS, "orders")
    if as_pattern(sites[0]) == as_pattern(sites[1]):
        ways = ("downstream",)  # the other order has the same arrangements
    for strands in dict.fromkeys(
        (way[0] if way[0] in of_each[0] else "+")
        + (way[1] if way[1] in of_each[1] else "+")
        for way in chosen
    ):
        first = Embed(sites[0], at=start, strand=strands[0])  # type: ignore[arg-type]
        for order, gap in product(ways, asked):
            second = _beside(first, sites[1], strands[1], order, gap)
            if second is None or not trial.fits(first, second):
                trial.left_out += 1
                continue
            add_setting(trial, first, second, gap, asked=True)
    return trial.experiment(n_units=n_units, rope=rope)


def spacing(
    null: NullModel,
    motif: str | Motif,
    other: str | Motif | None = None,
    *,
    gaps: Sequence[int] = GAPS,
    strands: str = "++",
    center: int | None = None,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks how two sites act together by the gap between
    them, in one arrangement.

    Both sites start symmetrically about `center` (half a base to its left), and each
    place has an arm with that site alone. Estimand and answer are those of
    `causalgia.experiments.pair`, of which this is one arrangement about a fixed center.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif, other
        The upstream site and the downstream one (None: the same).
    gaps
        Bases between the two sites; below 0 they overlap, where their letters agree.
        Gaps that do not fit the sequence are counted and left out.
    strands
        Strands of the two sites.
    center
        Base about which both start; None: such that the sites are centered.
    control, n_units, rope
        As for `causalgia.experiments.pair`.

    Returns
    -------
    Experiment
        As of `causalgia.experiments.pair`.

    Raises
    ------
    DesignError
        If no gap fits the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.spacing(
    ...     cg.Uniform(length=41), "UGCAUG", gaps=range(4), n_units=200
    ... )
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: ...
    """
    first = as_site(motif, "motif")
    second = first if other is None else as_site(other, "other")
    (way,) = _choices([strands], ORIENTATIONS, "strands")
    trial = Trial(
        null, control=control, entry=replace(SPACING, of=_both((first, second)))
    )
    length, width = trial.null.length, len(as_pattern(first))
    middle = (
        (length - len(as_pattern(second)) + 1) // 2
        if center is None
        else as_position(center, "center")
    )
    for gap in sorted(_gaps(gaps)):
        left = middle - (width + gap + 1) // 2
        if left >= 0 and gap > -width:
            one = Embed(first, at=left, strand=way[0])  # type: ignore[arg-type]
            two = _beside(one, second, way[1], "downstream", gap)
            if two is not None and trial.fits(one, two):
                add_setting(trial, one, two, gap, asked=True)
                continue
        trial.left_out += 1
    return trial.experiment(n_units=n_units, rope=rope)


def pairs(
    null: NullModel,
    motifs: MotifList,
    *,
    gaps: Sequence[int] = GAPS[::3],
    with_self: bool = False,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks which of several motifs act together: every third
    gap, both orders, all strands.

    Each pair is a `causalgia.experiments.pair`; that one asks again over all gaps, with
    fresh units, what shows here, and tells a wave, for which every third gap is too few. Estimand:
    ``E[Y(both) - Y(first) - Y(second) + Y(neither)]`` of each setting, over the null
    model.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motifs
        Two or more: a file of motifs, a list, or a mapping name -> motif.
    gaps
        Bases between the two sites; those that do not fit are counted and left out.
    with_self
        Whether a motif is also paired with itself.
    at
        0-based start of the first motif of a pair; None: the center.
    control, n_units, rope
        As for `causalgia.experiments.pair`.

    Returns
    -------
    Experiment
        As of `causalgia.experiments.pair`, for each pair.

    Raises
    ------
    DesignError
        If there is only one motif, or no setting fits the sequence.

    References
    ----------
    De Almeida et al. (2022), doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.pairs(
    ...     cg.Uniform(length=120), ["TGAGTCA", "CATTCCA", "CAGGTG"], gaps=[3, 6]
    ... )
    >>> len(experiment.named_contrasts)
    116
    """
    given = named_motifs(motifs) if isinstance(motifs, str | PathLike) else motifs
    named = (
        {name: as_site(motif, f"motifs[{name}]") for name, motif in given.items()}
        if isinstance(given, Mapping)
        else {
            as_pattern(site).label: site
            for site in (as_site(motif, "motifs") for motif in given)
        }
    )
    if len(named) < 2 - with_self:
        raise DesignError(
            f"motifs={quoted(list(named))}: name two or more that differ",
            argument="motifs",
        )
    asked = _gaps(gaps)
    trial = Trial(
        null,
        control=control,
        entry=replace(PAIRS, of=f"pairs of {in_list(list(named))}"),
        unasked=[gaps_of_pairs(asked)],
    )
    own = [(name, name) for name in named] if with_self else []
    for (x, a), (y, b) in (
        ((x, named[x]), (y, named[y])) for x, y in [*combinations(named, 2), *own]
    ):
        start = trial.center(a) if at is None else as_position(at, "at")
        for s, t, order, gap in product(strands_of(a), strands_of(b), ORDERS, asked):
            if x == y and order == "upstream":
                continue  # the same settings in the other order
            first = Embed(a, at=start, strand=s)
            second = _beside(first, b, t, order, gap)
            if second is None or not trial.fits(first, second):
                trial.left_out += 1
                continue
            add_setting(trial, first, second, gap, names=(x, y), asked=True)
    return trial.experiment(n_units=n_units, rope=rope)


def add_setting(
    trial: Trial,
    first: Embed,
    second: Embed,
    gap: int,
    *,
    names: tuple[str, str] | None = None,
    asked: bool,
    **further: Any,
) -> Weights:
    """Add the rows of one setting of two sites to a trial, with further labels; return
    its interaction.
    """
    both, one, two, none = trial.factorial(first, second)
    labels = names or (first.written.label, second.written.label)
    written = [
        (site.at, f"{label}{site.strand}")
        for site, label in zip((first, second), labels, strict=True)
    ]
    arrangement = " then ".join(text for _, text in sorted(written, key=lambda w: w[0]))
    setting: dict[str, Any] = {GROUP: arrangement, "gap": gap, **further}
    where = f"{arrangement}, gap {gap}"
    trial.row(f"pair, {where}", both - none, asks="pair", **setting)
    for which, site, label, effect in (
        ("first", first, labels[0], one - none),
        ("second", second, labels[1], two - none),
    ):
        name = f"{label}{site.strand} alone at {site.at}"
        if trial.beside.placebos:
            name += f", {where}"
        if not trial.has(name):
            trial.row(name, effect, asks=which, site=label, single=True)
    return trial.row(
        f"interaction, {where}",
        both - one - two + none,
        asked=asked,
        asks="interaction",
        **setting,
    )


def _beside(
    first: Embed, pattern: str | Motif, strand: str, order: str, gap: int
) -> Embed | None:
    """Return the second site, `gap` bases from the first; None where it would start
    before the sequence or on the other side.
    """
    one, two = len(as_pattern(first.pattern)), len(as_pattern(pattern))
    at = first.at + one + gap if order == "downstream" else first.at - two - gap
    if at < 0 or gap <= -min(one, two):  # before the sequence, or one past the other
        return None
    return Embed(pattern, at=at, strand=strand)  # type: ignore[arg-type]


def _both(sites: Iterable[str | Motif]) -> str:
    first, second = (as_pattern(site).label for site in sites)
    return f"two {first} sites" if first == second else f"{first} and {second}"


def _gaps(values: Sequence[int]) -> tuple[int, ...]:
    gaps = tuple(values)
    if not gaps or len(set(gaps)) < len(gaps) or not all(map(is_whole, gaps)):
        raise DesignError(
            f"gaps={quoted(list(gaps))} are one or more different whole numbers",
            argument="gaps",
        )
    return gaps


def _choices(values: Sequence[str], known: Sequence[str], name: str) -> tuple[str, ...]:
    chosen = (values,) if isinstance(values, str) else tuple(values)
    if not chosen or any(value not in known for value in chosen):
        raise DesignError(
            f"{name}={quoted(values)} must be of {', '.join(map(quoted, known))}",
            argument=name,
        )
    return tuple(dict.fromkeys(chosen))


PAIR = Entry(
    name="pair",
    question="Do two motifs act together, and in which arrangement?",
    estimand=(
        "E[Y(both) - Y(first) - Y(second) + Y(neither)] by gap, order and strands, "
        "over the null model."
    ),
    doi="10.1038/s41588-021-00782-6",
    example={"motif": "AGCCATCA", "other": "GAACAATGG", "rope": [-0.1, 0.1]},
    axis="gap",
    read=read_shapes,
    draw=draw_shapes,
    zoo="pairs_like",
)
SPACING = replace(
    PAIR,
    name="spacing",
    question="How do two sites act together by the gap between them?",
    estimand=(
        "E[Y(both) - Y(first) - Y(second) + Y(neither)] by gap, over the null model."
    ),
    doi="10.1101/418459",
    zoo="rbfox1_like",
    example={"motif": "UGCAUG"},
)
PAIRS = replace(
    PAIR,
    name="pairs",
    question="Which of several motifs act together?",
    doi="10.1038/s41588-022-01048-5",
    example={
        "motifs": {"Nanog": "AGCCATCA", "Sox2": "GAACAATGG"},
        "rope": [-0.1, 0.1],
    },
)

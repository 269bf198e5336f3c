"""Trial of pairs of sites proposed by pair mutagenesis: AND, OR or sum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about
from causalgia.checks import as_count, nearest
from causalgia.choices import Control
from causalgia.design import Embed, Genomic, NullModel
from causalgia.design.null_model import as_null_model
from causalgia.errors import DesignError, quoted
from causalgia.experiments._pair import add_setting
from causalgia.experiments._proposals import check_fresh_draws, check_fresh_parents
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import read_shapes
from causalgia.experiments.kit.sites import start_of_widest
from causalgia.experiments.kit.trial import ROPE, Trial
from causalgia.ropes import RopeLike
from causalgia.schema import validate
from causalgia.types import Array

_USUAL_UNITS = 500
_LEAST_STRENGTH_SHARE = 0.2
_REACH = 2


def site_pairs(
    null: NullModel,
    interactions: xr.Dataset,
    *,
    n_pairs: int = 3,
    task: str | None = None,
    at: int | None = None,
    control: Control | None = None,
    n_units: int | None = None,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that tests the pairs of sites whose bases interact most in
    sequences, on fresh units.

    Pair mutagenesis proposes: the strongest pair of positions, with the positions
    around both that interact at a fifth of its strength or more, is a pair of sites.
    Each pair is a 2 x 2 factorial of the two motifs, as far apart as in the sequences,
    embedded in the same backgrounds: neither, first, second, both, as one setting of
    `causalgia.experiments.pair`, which asks all gaps, orders and strands.

    Parameters
    ----------
    null
        The null model of backgrounds, not from sequences that proposed.
    interactions
        From `causalgia.attribution.interactions`.
    n_pairs
        Pairs to test, at most; fewer where no other pair has a fifth of the strongest
        one's interaction.
    task
        The task whose interactions propose; None: all of them, overlapping pairs once,
        by the strongest task.
    at
        0-based start of the first site; None: each pair in the center.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of each absent site for each unit at
        its place, so that the four arms of a pair overwrite the same bases.
        None: ``"placebo"`` over `causalgia.Genomic`, whose sequences have sites of
        their own to overwrite, else ``"untreated"``.
    n_units
        Backgrounds; None: all sequences of a `causalgia.Genomic`, 500 of other null
        models. "negligible" takes 300 or more: fewer could miss effects on 1 % of
        backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one of the sites, at least
        0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        As of `causalgia.experiments.pair`: contrasts ``"interaction, A+ then B+, gap
        12"``, which answer the question, the pair and each site alone; and the
        coordinate ``proposed``, the mean interaction that proposed the pair.

    Raises
    ------
    DesignError
        If no two sites interact, the null model has sequences that proposed, or a pair
        does not fit.
    DataError
        If these are no interactions; or, from ``analyze``, if the trial has drawn
        backgrounds that proposed.

    Notes
    -----
    Sites closer than 3 bp to each other are one site, as are the bases of one motif,
    which interact wherever the motif acts as a whole. Motifs are the most frequent
    letters at those positions.

    References
    ----------
    Greenside et al. (2018), doi:10.1093/bioinformatics/bty575.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo.terms import Gate
    >>> gate = cg.zoo.Oracle(Gate(("GATAA", "CACCC"), bonus=2.0, logic="or"))
    >>> drawn = cg.sequences.decode(
    ...     cg.Uniform(length=40).sample(20, rng=1)["sequence"].values
    ... )
    >>> rows = [row[:8] + "GATAA" + row[13:28] + "CACCC" + row[33:] for row in drawn]
    >>> found = cg.attribution.interactions(rows, gate)
    >>> experiment = cg.experiments.site_pairs(
    ...     cg.Uniform(length=40), found, n_units=100, rope=(-0.1, 0.1)
    ... )
    >>> print(experiment.analyze(cg.run(experiment, gate, rng=2)).sentences[0])
    Task outcome: GATAA and CACCC do less than their sum, -1.84 for GATAA+ then ...
    """
    as_null_model(null)
    table = validate(interactions, "effects")
    if about(table, None).map_method != "pair mutagenesis" or not {
        "first",
        "second",
    } <= set(table.coords):
        raise DesignError(
            "these effects are not of pairs of positions; give those of "
            "cg.attribution.interactions"
        )
    looked_at = frozenset(table["sequence_fingerprint"].to_numpy().tolist())
    check_fresh_parents(null, looked_at)
    pairs = _proposed(table, as_count(n_pairs, "n_pairs"), task)
    if n_units is None:
        n_units = null.available if isinstance(null, Genomic) else _USUAL_UNITS
    of = f"{pairs[0].first} and {pairs[0].second}" if len(pairs) == 1 else "the pairs"
    read = partial(_read_pairs, looked_at=looked_at)
    trial = Trial(null, control=control, entry=replace(SITE_PAIRS, read=read, of=of))
    for pair in pairs:
        wide = pair.distance + len(pair.second)
        start = start_of_widest(null, at, wide, f"{pair.name} of {wide} bases")
        add_setting(
            trial,
            Embed(pair.first, at=start),
            Embed(pair.second, at=start + pair.distance),
            pair.distance - len(pair.first),
            asked=True,
            proposed=pair.strength,
        )
    return trial.experiment(n_units=n_units, rope=rope)


@dataclass(frozen=True)
class _Pair:
    """Two motifs, the distance of their starts, and the mean interaction that proposed
    them.
    """

    first: str
    second: str
    distance: int
    strength: float

    @property
    def name(self) -> str:
        return f"{self.first} {self.distance} {self.second}"


def _proposed(table: xr.Dataset, n_pairs: int, task: str | None) -> list[_Pair]:
    tasks = table["task"].to_numpy().tolist()
    if task is not None and task not in tasks:
        raise DesignError(
            f"task={quoted(task)} is not one of the interactions{nearest(str(task), map(str, tasks)) or ''}",
            argument="task",
        )
    mean = table["ice"].mean(
        [dim for dim in ("unit", "model") if dim in table["ice"].dims]
    )
    first, second = (
        table[name].to_numpy().astype(np.int64) for name in ("first", "second")
    )
    begin, consensus = (
        int(about(table).consensus_start),
        about(table).consensus,
    )
    found: list[_Block] = []
    for one in tasks if task is None else [task]:
        grid = np.zeros((len(consensus), len(consensus)))
        grid[first - begin, second - begin] = mean.sel(task=one).to_numpy()
        found += _blocks(grid, least=float(table["floor"].max()))
    pairs: list[_Pair] = []
    taken: list[_Block] = []
    least = _LEAST_STRENGTH_SHARE * max(
        (abs(block.strength) for block in found), default=0.0
    )
    for block in sorted(found, key=lambda block: -abs(block.strength)):
        left, right = block.rows, block.columns
        pair = _Pair(
            consensus[slice(*left)],
            consensus[slice(*right)],
            right[0] - left[0],
            block.strength,
        )
        again = any(
            _is_shared(left, other.rows) and _is_shared(right, other.columns)
            for other in taken
        )
        if (
            not again
            and abs(block.strength) >= least
            and pair.name not in [other.name for other in pairs]
        ):
            pairs.append(pair)
            taken.append(block)
    pairs = pairs[:n_pairs]
    if not pairs:
        raise DesignError(
            "no two sites interact: all interactions are 0, or are between bases of "
            "one site (3 bp or less apart), so that there is nothing to test; give "
            "sequences that have both sites, or test given motifs: "
            "cg.experiments.pair"
        )
    return pairs


class _Block(NamedTuple):
    """Rows and columns (start, stop) of a block of interactions, and the strongest of
    them.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    strength: float


def _blocks(grid: Array, least: float) -> Iterator[_Block]:
    """Yield the blocks of rows and columns around the strongest cells, strongest first,
    if they are two sites.

    Cells of `least` or below are none, and so are those below a fifth of the strongest
    block of two sites.

    Examples
    --------
    >>> grid = np.zeros((20, 20))
    >>> grid[2:5, 12:16] = -1.0
    >>> grid[2:5, 2:5] = 2.0  # within the first site
    >>> list(_blocks(grid, 1e-6))
    [_Block(rows=(2, 5), columns=(12, 16), strength=-1.0)]
    """
    left = grid.copy()
    while np.abs(left).max() > least:
        seed = np.unravel_index(int(np.abs(left).argmax()), left.shape)
        strength = float(left[seed])
        candidates = left * np.sign(strength) >= _LEAST_STRENGTH_SHARE * abs(strength)
        block = np.zeros_like(candidates)
        block[seed] = True
        while (grown := _near(block) & candidates).sum() > block.sum():
            block = grown
        rows, columns = (np.flatnonzero(block.any(axis=axis)) for axis in (1, 0))
        left[block] = 0
        spans = (
            (int(rows[0]), int(rows[-1]) + 1),
            (int(columns[0]), int(columns[-1]) + 1),
        )
        if spans[0][1] <= spans[1][0]:
            least = max(least, _LEAST_STRENGTH_SHARE * abs(strength))
            yield _Block(*spans, strength)


def _is_shared(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _near(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells within two rows and columns of some cells."""
    padded = np.pad(cells, _REACH)
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (2 * _REACH + 1, 2 * _REACH + 1)
    )
    return np.asarray(windows.any(axis=(2, 3)))


def _read_pairs(found: TrialResults, *, looked_at: frozenset[str]) -> Reading:
    """Return how each pair acts, after a check that no background proposed."""
    check_fresh_draws(found, looked_at)
    return read_shapes(found)


SITE_PAIRS = Entry(
    name="site_pairs",
    question=(
        "Do the sites that interact in sequences need each other, replace each other, "
        "or add up?"
    ),
    estimand=(
        "E[Y(both) - Y(first) - Y(second) + Y(neither)] of each pair of motifs, over "
        "the null model."
    ),
    doi="10.1093/bioinformatics/bty575",
    axis="gap",
)

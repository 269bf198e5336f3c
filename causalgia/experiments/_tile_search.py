"""Where in a sequence an effect lies, down to a few bases, with one error rate over the whole search."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalgia.analysis import Rope
from causalgia.checks import as_count
from causalgia.choices import is_placebo_rope
from causalgia.design import Ablate, Arm, Design, Genomic, Untreated
from causalgia.design.intervention import Span
from causalgia.design.span_interventions import FILLS
from causalgia.errors import DegenerateWarning, DesignError, quoted
from causalgia.experiments.kit.tile_contexts import (
    analysis_of,
    chosen_task,
    claim,
    in_words,
    real_sequences,
    require_task,
    spans_inside,
)
from causalgia.experiments.kit.variance import effect_in_words
from causalgia.streams import RNG, derive, root_key

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.predict import Predictor

WILD_TYPE = "wild type"
_KEPT = ("ace", "se", "df", "p", "exact")
_LEAST = {"uniform": 1, "shuffle": 2, "dinucleotide_shuffle": 4}


def tile_search(
    sequences: Any,
    predictor: Predictor,
    *,
    rng: RNG,
    tiles: Sequence[Span] | None = None,
    least: int = 10,
    fill: str = "uniform",
    fwer: float = 0.05,
    task: str | None = None,
    draws: int = 20,
    rope: Rope = "0.2 sd",
    client: Client | None = None,
) -> xr.Dataset:
    """Halve spans again and again where replacing their bases changes the outcome, and say where the change lies.

    A span's effect is ``Y(its bases replaced) - Y(wild type)``, its necessity in its own context. The predictor is
    asked level by level: the halves of every span that was found, on the same sequences and draws. A span is found
    where the hypothesis that its effect lies inside the region of practical equivalence is rejected (two one-sided t
    tests, p doubled) at ``fwer width / total width``, and all spans that hold it were found. Whatever the dependence
    between spans, P(any span is found whose effect lies inside) is at most `fwer` over the whole search, as far as each
    t test holds its level. Effects that cancel within a span (an enhancer beside a silencer) hide each other, and where
    one of two parts is enough neither is necessary: begin from smaller `tiles` then.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several stand for the population they come
        from, and errors are between sequences. One stands for itself, and errors are between its draws.
    predictor
        What is asked.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    tiles
        (start, stop) of the spans to begin with, which do not overlap; None: the whole sequence.
    least
        Least width of a span: none is halved into narrower ones.
    fill
        What replaces a span: ``"uniform"`` random bases, ``"shuffle"`` or ``"dinucleotide_shuffle"`` of its own (which
        leave narrow spans nearly as they are).
    fwer
        Bound on the family-wise error rate of the search.
    task
        Whose outcome is searched; None where there is one alone.
    draws
        Replacements of each span in each sequence. Where all draws (of one sequence) or all sequences agree exactly no
        t test exists, and p is ``2^(1 - n)`` of a sign test: narrow spans then need more of them.
    rope
        Region of practical equivalence, on the predictor's scale; sd of the wild type; 0 for any effect at all.
    client
        Of a Dask cluster (`distributed.Client`) whose workers answer; None: this process.

    Returns
    -------
    Dataset
        One contrast for each span that was asked, the whole before its halves: ``ace, se, df, p, p_adjusted, lower,
        upper, found, finest (contrast, task)``. ``found`` where ``p_adjusted <= fwer``; ``finest`` where none of its
        halves were. Intervals have probability ``1 - fwer width / total width``: those of spans fixed beforehand that
        do not overlap hold together. Coordinates ``start``, ``stop``, ``depth`` and ``within``, the span that it is a
        half of; attrs["sentence"].

    Raises
    ------
    DesignError
        If tiles overlap or leave the sequence, `least` is too narrow for the fill or wider than a tile, there is no
        such task, or one sequence is given with a single draw or a rope in sd.
    ClusterError
        As `causalgia.run`.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3. Meinshausen (2008), doi:10.1093/biomet/asn007. Goeman &
    Solari (2010), doi:10.1214/10-AOS829.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> random = decode(cg.Uniform(length=640).sample(20, rng=0)["sequence"].values)
    >>> sequences = [s[:200] + "ATGCTGAGTCAT" + s[212:500] + "GGCTATAAAAGG" + s[512:] for s in random]
    >>> found = cg.experiments.tile_search(
    ...     sequences, cg.zoo.oracle("long_range"), rng=0, tiles=[(0, 480)], rope=(-0.5, 0.5), draws=2
    ... )
    >>> found["contrast"].values[found["finest"].squeeze().values].tolist()
    ['195-210', '210-225']
    """
    import xarray as xr

    null = real_sequences(sequences, draws, rope, fixed_control=True)
    roots = ((0, null.length),) if tiles is None else spans_inside(tiles, "tiles", null.length)
    _check(roots, least, fill, fwer, rope)
    require_task(predictor, task)
    search = _Search(null, predictor, fill, rope, root_key(rng), client)
    nodes = [Node(span, 0, -1) for span in roots]
    p, tables, new = np.empty(0), list[xr.Dataset](), list(range(len(nodes)))
    while new:
        table = search.level([nodes[i].span for i in new], task)
        tables.append(table)
        p = np.concatenate([p, table["p"].to_numpy()[:, 0]])
        adjusted = _adjusted(p, nodes)
        new = _halved(nodes, [i for i in new if adjusted[i] <= fwer], least)
    whole = xr.concat(tables, dim="contrast")
    return _told(whole, nodes, _adjusted(p, nodes), fwer, null)


class Node(NamedTuple):
    """A span of the tree, how often it was halved, and the number of the span that it is a half of."""

    span: Span
    depth: int
    parent: int

    @property
    def width(self) -> int:
        return self.span[1] - self.span[0]


def _check(roots: Sequence[Span], least: int, fill: str, fwer: float, rope: object) -> None:
    if fill not in FILLS:
        raise DesignError(
            f"fill={quoted(fill)} must be one of {', '.join(FILLS)}: an error is between random replacements"
        )
    if as_count(least, "least") < _LEAST[fill]:
        raise DesignError(f"least={least}: fill={quoted(fill)} changes nothing below {_LEAST[fill]} bp; use 'uniform'")
    narrow = min(roots, key=lambda span: span[1] - span[0])
    if narrow[1] - narrow[0] < least:
        raise DesignError(f"tile {in_words(narrow)} is narrower than least={least}; widen it, or lower least")
    if isinstance(fwer, bool) or not isinstance(fwer, int | float) or not 0 < fwer < 1:
        raise DesignError(f"fwer={quoted(fwer)} must be a number between 0 and 1")
    if is_placebo_rope(rope):
        raise DesignError(f"rope={quoted(rope)} needs placebo words, and a search has none; give rope=(-0.1, 0.1)")


@dataclass(frozen=True)
class _Search:
    """What every level of a search shares."""

    null: Genomic
    predictor: Predictor
    fill: str
    rope: Rope
    key: int
    client: Client | None

    def design(self, spans: Sequence[Span]) -> Design:
        """Return the trial of one level: each span replaced, against the wild type."""
        arms = [Arm(in_words(span), Ablate(span, fill=self.fill), {"start": span[0]}) for span in spans]
        return Design(
            null=self.null, arms=[Arm(WILD_TYPE, Untreated()), *arms], n_units=self.null.available, contrasts=WILD_TYPE
        )

    def level(self, spans: Sequence[Span], task: str | None) -> xr.Dataset:
        """Return the estimates of one level, with p of the hypothesis that an effect lies inside the region."""
        from causalgia.effects import contrast
        from causalgia.estimation import estimate
        from causalgia.trial import run

        rng = derive(self.key, "search")
        outcomes = run(self.design(spans), self.predictor, rng=rng, client=self.client, progress=False)
        if "model" in outcomes.dims:
            outcomes = outcomes.mean("model", keep_attrs=True)
        target = analysis_of(self.null, self.rope).target
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)  # effects without spread have a p of their own
            found = estimate(contrast(outcomes), target=target)
        chosen = chosen_task(outcomes["task"].to_numpy(), task)
        tested = found.assign(p=(found["ace"].dims, _p(found, self.rope)))[list(_KEPT)].sel(task=[chosen])
        return tested.drop_vars([name for name in tested.coords if name not in tested.dims])


def _p(estimates: xr.Dataset, rope: Rope) -> Any:
    """Return p of an effect inside the region, (contrast, task): twice the smaller of the one-sided tests."""
    from causalgia.multiplicity.tost import tails
    from causalgia.verdicts.rope import region

    inside = region(rope, estimates)
    tests = tails(estimates, inside.lower, inside.upper)
    p = np.minimum(1.0, 2 * np.minimum(tests.above, tests.below))
    agreeing = 2.0 ** (1.0 - estimates["n_clusters"].to_numpy())
    return np.where(estimates["exact"], np.maximum(p, agreeing), p)


def _adjusted(p: Any, nodes: Sequence[Node]) -> Any:
    from causalgia.multiplicity import hierarchical_p

    asked = nodes[: len(p)]
    return hierarchical_p(p, np.array([node.parent for node in asked]), [node.width for node in asked])


def _halved(nodes: list[Node], found: Sequence[int], least: int) -> list[int]:
    """Add the halves of the spans that were found to the tree; return their numbers."""
    first = len(nodes)
    for i in found:
        (start, stop), depth = nodes[i].span, nodes[i].depth + 1
        middle = (start + stop) // 2
        if middle - start >= least:
            nodes += [Node((start, middle), depth, i), Node((middle, stop), depth, i)]
    return list(range(first, len(nodes)))


def _told(whole: xr.Dataset, nodes: Sequence[Node], adjusted: Any, fwer: float, null: Genomic) -> xr.Dataset:
    """Return the table of a search: what was found, where it ends, intervals, the tree and the sentence."""
    import xarray as xr
    from scipy.special import stdtrit

    width, dims = np.array([node.width for node in nodes]), ("contrast", "task")
    total = sum(node.width for node in nodes if node.parent < 0)
    half = stdtrit(whole["df"], 1 - fwer * width[:, None] / total / 2) * whole["se"]
    found = adjusted <= fwer
    halved = {node.parent for node, mine in zip(nodes, found, strict=True) if mine}
    finest = found & ~np.isin(np.arange(len(nodes)), list(halved))
    table = xr.Dataset(
        {name: whole[name] for name in _KEPT}
        | {"lower": whole["ace"] - half, "upper": whole["ace"] + half}
        | {name: (dims, v[:, None]) for name, v in (("p_adjusted", adjusted), ("found", found), ("finest", finest))},
        attrs=whole.attrs,
    )
    table = table.assign_coords(_coords(nodes))
    attrs = {
        "fwer": fwer,
        "p_adjusted_by": "hierarchical: p total width / width, no smaller than that of what holds it",
    }
    return table.assign_attrs(attrs | {"sentence": _sentence(table, null, fwer)})


def _coords(nodes: Sequence[Node]) -> dict[str, Any]:
    names = [in_words(node.span) for node in nodes]
    return {
        "start": ("contrast", [node.span[0] for node in nodes]),
        "stop": ("contrast", [node.span[1] for node in nodes]),
        "depth": ("contrast", [node.depth for node in nodes]),
        "within": ("contrast", ["" if node.parent < 0 else names[node.parent] for node in nodes]),
    }


def _sentence(table: xr.Dataset, null: Genomic, fwer: float) -> str:
    rows = table.isel(task=0)
    ends = rows.isel(contrast=rows["finest"].to_numpy()).sortby("start")
    task, bound = rows["task"].item(), f"family-wise error at most {fwer:g} over {rows.sizes['contrast']} spans asked"
    if not ends.sizes["contrast"]:
        return f"Task {task}: no span was found ({bound}), {claim(null)}."
    listed = [ends.isel(contrast=i) for i in range(ends.sizes["contrast"])]
    said = "; ".join(f"{row['contrast'].item()}: {effect_in_words(row)}" for row in listed)
    return f"Task {task}: replacing the bases changes the outcome in {said} ({bound}), {claim(null)}."

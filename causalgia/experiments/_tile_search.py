"""Search for the bases that carry an effect, by halving spans, with one family-wise
error rate.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from causalgia.attributes import attributes
from causalgia.checks import as_count, as_probability
from causalgia.design import Ablate, Arm, Design, Genomic, Untreated
from causalgia.design.intervention import Span
from causalgia.design.span_interventions import FILLS
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    quoted,
)
from causalgia.experiments.kit.tile_contexts import (
    as_spans_inside,
    as_task,
    as_tile_sequences,
    check_task,
    span_name,
    tile_analysis,
)
from causalgia.predict import Predictor
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Client

WILD_TYPE = "wild type"
_TEST_VARIABLES = ("ace", "se", "df", "p", "exact")
_LEAST_WIDTH_OF_FILL = {"uniform": 1, "shuffle": 2, "dinucleotide_shuffle": 4}


def tile_search(
    sequences: Source | Genomic,
    predictor: Predictor,
    *,
    rng: RNG,
    tiles: Sequence[Span] | None = None,
    min_width: int = 10,
    fill: str = "uniform",
    alpha: float = 0.05,
    task: str | None = None,
    n_draws: int = 20,
    rope: RopeLike = "0.2 sd",
    client: Client | None = None,
) -> xr.Dataset:
    """Locate the bases that carry an effect, by repeatedly halving spans whose
    replacement changes the outcome.

    The effect of a span is ``Y(its bases replaced) - Y(wild type)``, its necessity in
    its own context. Each level tests the halves of the spans found at the level above,
    on the same sequences and draws. A span is found if the hypothesis that its effect
    lies inside the ROPE is rejected (two one-sided t tests, p doubled) at
    ``alpha width / total width``, and all spans that contain it were found. The
    probability of any false finding is at most `alpha` over the whole search under any
    dependence, as far as each t test holds its level. Effects that cancel within a span
    (an enhancer beside a silencer) mask each other, and where one of two parts is
    enough neither is necessary: start from smaller `tiles` then.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its draws.
    predictor
        The predictor.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    tiles
        (start, stop) of the initial spans, without overlap; None: the whole sequence.
    min_width
        Smallest width of a span.
    fill
        Replacement of a span: ``"uniform"`` random bases, or a ``"shuffle"`` or
        ``"dinucleotide_shuffle"`` of its own bases (which changes narrow spans little).
    alpha
        Bound on the family-wise error rate of the search.
    task
        Task whose outcome is searched; None for a predictor with a single task.
    n_draws
        Replacements of each span in each sequence. Where all draws (of one sequence) or
        all sequences agree exactly, there is no t test and p is ``2^(1 - n)`` of a sign
        test: narrow spans then need more draws.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the wild type; 0 is any effect at all.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers predict.

    Returns
    -------
    Dataset
        One contrast for each tested span, a span before its halves: ``ace, se, df, p,
        p_adjusted, lower, upper, found, finest (contrast, task)``. ``found`` where
        ``p_adjusted <= alpha``; ``finest`` where neither half was found. Intervals have
        probability ``1 - alpha width / total width``, so that those of prespecified
        disjoint spans hold simultaneously. Coordinates ``start``, ``stop``, ``depth``
        and ``within`` (the parent span). ``cg.report`` says it in a sentence.

    Raises
    ------
    DesignError
        If tiles overlap or leave the sequence, `min_width` is too narrow for the fill
        or wider than a tile, there is no such task, or one sequence is given with a
        single draw or a rope in sd.
    StoreError
        As `causalgia.run`.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3. Meinshausen (2008),
    doi:10.1093/biomet/asn007. Goeman & Solari (2010), doi:10.1214/10-AOS829.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.sequences import decode
    >>> random = decode(cg.Uniform(length=640).sample(20, rng=0)["sequence"].values)
    >>> sequences = [
    ...     s[:200] + "ATGCTGAGTCAT" + s[212:500] + "GGCTATAAAAGG" + s[512:]
    ...     for s in random
    ... ]
    >>> found = cg.experiments.tile_search(
    ...     sequences,
    ...     cg.zoo.oracle("long_range"),
    ...     rng=0,
    ...     tiles=[(0, 480)],
    ...     rope=(-0.5, 0.5),
    ...     n_draws=2,
    ... )
    >>> found["contrast"].values[found["finest"].squeeze().values].tolist()
    ['195-210', '210-225']
    """
    import xarray as xr

    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region, fixed_control=True)
    roots = (
        ((0, null.length),)
        if tiles is None
        else as_spans_inside(tiles, "tiles", null.length)
    )
    _check_search_arguments(roots, min_width, fill, region)
    alpha = as_probability(alpha, "alpha", error=DesignError)
    check_task(predictor, task)
    search = _Search(null, predictor, fill, region, root_key(rng), client)
    nodes = [Node(span, 0, -1) for span in roots]
    p, tables, new = np.empty(0), list[xr.Dataset](), list(range(len(nodes)))
    while new:
        table = search.level([nodes[i].span for i in new], task)
        tables.append(table)
        p = np.concatenate([p, table["p"].to_numpy()[:, 0]])
        adjusted = _adjusted_p(p, nodes)
        found, new = [i for i in new if adjusted[i] <= alpha], []
        for i in found:
            (start, stop), depth = nodes[i].span, nodes[i].depth + 1
            middle = (start + stop) // 2
            if middle - start >= min_width:
                new += [len(nodes), len(nodes) + 1]
                nodes += [
                    Node((start, middle), depth, i),
                    Node((middle, stop), depth, i),
                ]
    whole = xr.concat(tables, dim="contrast")
    return _search_table(whole, nodes, _adjusted_p(p, nodes), alpha, null)


class Node(NamedTuple):
    """A span of the search tree, its depth, and the index of its parent span (-1:
    none).
    """

    span: Span
    depth: int
    parent: int

    @property
    def width(self) -> int:
        return self.span[1] - self.span[0]


def _check_search_arguments(
    roots: Sequence[Span], min_width: int, fill: str, rope: Rope
) -> None:
    if fill not in FILLS:
        raise DesignError(
            f"fill={quoted(fill)} must be one of {', '.join(FILLS)}: an error is "
            "between random replacements"
        )
    if as_count(min_width, "min_width") < _LEAST_WIDTH_OF_FILL[fill]:
        raise DesignError(
            f"min_width={min_width}: fill={quoted(fill)} changes nothing below "
            f"{_LEAST_WIDTH_OF_FILL[fill]} bp; use 'uniform'"
        )
    narrow = min(roots, key=lambda span: span[1] - span[0])
    if narrow[1] - narrow[0] < min_width:
        raise DesignError(
            f"tile {span_name(narrow)} is narrower than min_width={min_width}; "
            "widen it, or lower min_width"
        )
    if rope.of_placebos:
        raise DesignError(
            f"rope={quoted(rope.value)} needs placebos, and a search has none; give "
            "rope=(-0.1, 0.1)",
            argument="rope",
        )


@dataclass(frozen=True)
class _Search:
    """Settings that all levels of a search share."""

    null: Genomic
    predictor: Predictor
    fill: str
    rope: Rope
    key: int
    client: Client | None

    def design(self, spans: Sequence[Span]) -> Design:
        """Return the trial of one level: the replacement of each span, against the wild
        type.
        """
        arms = [
            Arm(span_name(span), Ablate(span, fill=self.fill), {"start": span[0]})
            for span in spans
        ]
        return Design(
            null=self.null,
            arms=[Arm(WILD_TYPE, Untreated()), *arms],
            n_units=self.null.available,
            contrasts=WILD_TYPE,
        )

    def level(self, spans: Sequence[Span], task: str | None) -> xr.Dataset:
        """Return the estimates of one level, with p-values of the hypothesis that an
        effect lies inside the ROPE.

        They are twice the smaller one-sided p.
        """
        from causalgia._run import run
        from causalgia.effects import contrast
        from causalgia.estimation import estimate
        from causalgia.estimation.effect_intervals import one_sided_p
        from causalgia.estimation.request import null_value
        from causalgia.multiplicity.regions import rope_region

        rng = derive(self.key, "search")
        outcomes = run(
            self.design(spans),
            self.predictor,
            rng=rng,
            client=self.client,
            progress=False,
        )
        if "model" in outcomes.dims:
            outcomes = outcomes.mean("model", keep_attrs=True)
        target = tile_analysis(self.null, self.rope).target
        with warnings.catch_warnings():
            # constant effects have a p-value of their own
            warnings.simplefilter("ignore", DegenerateWarning)
            found = estimate(contrast(outcomes), target=target)
        chosen = as_task(outcomes["task"].to_numpy(), task)
        inside = rope_region(self.rope, found, null_value(found))
        tests = one_sided_p(found, inside.lower, inside.upper)
        p = np.minimum(1.0, 2 * np.minimum(tests.above, tests.below))
        agreeing = 2.0 ** (1.0 - found["n_clusters"].to_numpy())
        p = np.where(found["exact"], np.maximum(p, agreeing), p)
        tested = found.assign(p=(found["ace"].dims, p))[list(_TEST_VARIABLES)].sel(
            task=[chosen]
        )
        return tested.drop_vars(
            [name for name in tested.coords if name not in tested.dims]
        )


def _adjusted_p(p: Any, nodes: Sequence[Node]) -> Any:
    from causalgia.multiplicity.adjusted_p import hierarchical_p

    tested = nodes[: len(p)]
    return hierarchical_p(
        p, np.array([node.parent for node in tested]), [node.width for node in tested]
    )


def _search_table(
    whole: xr.Dataset, nodes: Sequence[Node], adjusted: Any, alpha: float, null: Genomic
) -> xr.Dataset:
    """Return the table of a search: findings, intervals and the tree."""
    import xarray as xr
    from scipy.special import stdtrit

    width, dims = np.array([node.width for node in nodes]), ("contrast", "task")
    total = sum(node.width for node in nodes if node.parent < 0)
    half = stdtrit(whole["df"], 1 - alpha * width[:, None] / total / 2) * whole["se"]
    found = adjusted <= alpha
    halved = {node.parent for node, mine in zip(nodes, found, strict=True) if mine}
    finest = found & ~np.isin(np.arange(len(nodes)), list(halved))
    table = xr.Dataset(
        {name: whole[name] for name in _TEST_VARIABLES}
        | {"lower": whole["ace"] - half, "upper": whole["ace"] + half}
        | {
            name: (dims, v[:, None])
            for name, v in (
                ("p_adjusted", adjusted),
                ("found", found),
                ("finest", finest),
            )
        },
        attrs=whole.attrs,
    )
    names = [span_name(node.span) for node in nodes]
    tree = {
        "start": [node.span[0] for node in nodes],
        "stop": [node.span[1] for node in nodes],
        "depth": [node.depth for node in nodes],
        "within": ["" if node.parent < 0 else names[node.parent] for node in nodes],
    }
    table = table.assign_coords(
        {name: ("contrast", values) for name, values in tree.items()}
    )
    attrs = attributes(
        alpha=alpha,
        p_adjusted_by=(
            "hierarchical: p total width / width, no smaller than that of the span "
            "that contains it"
        ),
    )
    parents = set(null.parent_names)
    drawn = attributes(
        n_sequences=len(null.parents_given),
        n_parents=len(parents),
        n_draws=null.n_draws,
    )
    return table.assign_attrs(attrs | drawn)

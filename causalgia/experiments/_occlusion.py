"""Occlusion of motif instances in real sequences: the necessity of each instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.attributes import about, attributes
from causalgia.checks import as_count, in_list
from causalgia.choices import DIRECTIONS
from causalgia.design import AblateEach, Arm, Genomic, Untreated
from causalgia.design.null_model import NullModel
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import (
    Sites,
    as_genomic,
    as_string_or_motif,
    motif_sites,
)
from causalgia.experiments.kit.variance import (
    DOES,
    effect_in_words,
    nested_split,
    rows_by_task,
    split_in_words,
)
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Sequences, Source

if TYPE_CHECKING:
    import xarray as xr

CONTROL = "untreated"
_LEAST_FOR_DISTRIBUTION = 3  # least number of instances to describe their distribution


def occlusion(
    sequences: Source | NullModel,
    motif: str | Motif,
    *,
    fills: Sequence[str] = ("uniform", "shuffle"),
    n_draws: int = 5,
    threshold: float | None = None,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that overwrites each instance of a motif in real sequences,
    and estimates the loss.

    Each instance has `n_draws` units with fresh fills, and instances of one sequence
    are one cluster. Each fill is an arm with a placebo, since overwriting any bases of
    a real sequence may have an effect: a span of the same width in the same sequence,
    away from every instance, with the same fill (another span for every draw, fixed by
    the design). Contrasts: ``"<fill>"``, the instance occluded minus untreated;
    ``"<fill>, placebo span"``; and the paired ``"<fill> minus placebo"``, the effect of
    the motif itself.

    Parameters
    ----------
    sequences
        Real sequences of one length: a FASTA file, strings, tokens, or
        ``cg.Genomic(of=..., parent=...)`` where several descend from one.
    motif
        A string of IUPAC letters (found exactly, on both strands), or what
        `causalgia.motif` takes: a name, a file, a table.
    fills
        Replacements of the instances, as in `causalgia.AblateEach`; none holds the
        motif.
    n_draws
        Fills of each instance in each arm, and placebo spans.
    threshold
        p-value of the lowest score of an instance of a motif, by default 1e-4; not
        allowed for a string.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Coordinates of the contrasts: ``fill``; ``span`` ("motif", "placebo" or "motif
        minus placebo"). Findings: ``instances``, the mean effect of
        each instance over its draws with its standard error, sequence, start, strand,
        score and placebo spans; ``beyond``, the distribution of the instances' effects
        minus placebo and the share beyond the ROPE; ``components``, the sd between
        sequences, between instances of a sequence, and between draws (of fill and of
        placebo span).

    Raises
    ------
    DesignError
        If no sequence has an instance (the message names the nearest window), there is
        only one instance, a sequence has no room for a placebo span, a fill is invalid,
        or all instances are in one sequence and the rope is in sd.
    SequenceError
        If the motif is longer than the sequences, or there is no motif of that name.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, Oracle, MotifCount
    >>> sampled = cg.Uniform(length=200).sample(400, rng=0)["sequence"].values
    >>> experiment = cg.experiments.occlusion(
    ...     sampled, motif="AGATAA", fills=["uniform"], n_draws=2
    ... )
    >>> outcomes = cg.run(
    ...     experiment,
    ...     Oracle(MotifCount("AGATAA", 0.9, "both"), EndGC(-1.0, last=150)),
    ...     rng=0,
    ... )
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: overwriting AGATAA, against overwriting a placebo span, decreases the outcome ...
    """
    null, pattern = (
        as_genomic(sequences, "sequences"),
        as_string_or_motif(motif, "motif"),
    )
    n_draws = as_count(n_draws, "n_draws")
    if null.n_draws not in (1, n_draws):
        raise DesignError(
            f"sequences: Genomic(n_draws={null.n_draws}); the draws are of the "
            f"occlusion: give it n_draws={null.n_draws}"
        )
    null = replace(null, n_draws=1)
    listed = (
        (fills,)
        if isinstance(fills, str)
        else tuple(fills)
        if isinstance(fills, Iterable)
        else ()
    )
    if not listed or len(set(listed)) < len(listed):
        raise DesignError(
            f"fills={quoted(fills)}: name one or more different fills, such as "
            "['uniform', 'shuffle']"
        )
    fills = tuple(map(str, listed))
    sites = motif_sites(null, pattern, threshold, n_draws=n_draws)
    analysis = Analysis(rope=rope)
    region = analysis.region
    if sites.n_with == 1 and region is not None and not region.is_fixed:
        raise DesignError(
            f"rope={quoted(region.value)}: the untreated outcome of one sequence "
            "has no sd; give rope=(-0.1, 0.1)",
            argument="rope",
        )
    rows = null.parents_given.tokens[sites.found.row]
    arms = [Arm(CONTROL, Untreated())]
    units = np.arange(len(rows) * n_draws, dtype=np.uint64)
    for fill in fills:
        for name, spans in (
            (fill, sites.spans),
            (_placebo_name(fill), sites.placebo_spans),
        ):
            done = AblateEach(
                spans, fill=fill, without=pattern, threshold=threshold, n_draws=n_draws
            )
            # refuses a fill that cannot be free of the motif
            done.apply(np.repeat(rows, n_draws, axis=0), units=units, key=0)
            arms.append(Arm(name, done))
    contrasts: dict[str, dict[str, float]] = {}
    labels: dict[str, dict[str, Any]] = {"fill": {}, "span": {}}
    for fill in fills:
        placebo_name, net = _placebo_name(fill), _net_name(fill)
        contrasts[fill] = {fill: 1.0, CONTROL: -1.0}
        contrasts[placebo_name] = {placebo_name: 1.0, CONTROL: -1.0}
        contrasts[net] = {fill: 1.0, placebo_name: -1.0}
        labels["fill"] |= dict.fromkeys((fill, placebo_name, net), fill)
        labels["span"] |= {
            fill: "motif",
            placebo_name: "placebo",
            net: "motif minus placebo",
        }
    return Experiment(
        null=Genomic(
            of=Sequences(rows, sites.names), parent=sites.cluster, n_draws=n_draws
        ),
        arms=arms,
        n_units=len(rows) * n_draws,
        contrasts=contrasts,
        entry=replace(OCCLUSION, read=partial(_read_occlusion, sites)),
        analysis=analysis,
        asked=[_net_name(fill) for fill in fills],
        labels=labels,
    )


def _placebo_name(fill: str) -> str:
    return f"{fill}, placebo span"


def _net_name(fill: str) -> str:
    return f"{fill} minus placebo"


def _read_occlusion(sites: Sites, found: TrialResults) -> Finding:
    fills = list(dict.fromkeys(found.experiment.labels["fill"].values()))
    sentences, details = list[str](), list[str]()
    for task, rows in rows_by_task(found.steps.decisions):
        sentences.append(Said(f"{_fills_in_words(rows, fills, sites.label)}.", *task))
        for fill in fills:
            own, placebo = (
                rows.sel(contrast=name) for name in (fill, _placebo_name(fill))
            )
            details.append(
                Said(
                    f"{sites.label} occluded ({fill}) changes the outcome by "
                    f"{effect_in_words(own)}, a placebo span by "
                    f"{effect_in_words(placebo)}.",
                    *task,
                )
            )
    counted = [_instance_count_sentence(sites, found.experiment.null.n_draws)]
    effects = found.steps.effects
    if effects is None:
        return Finding(sentences=tuple(sentences), details=(*details, *counted))
    n_draws, nets = found.experiment.null.n_draws, [_net_name(fill) for fill in fills]
    datasets = {"instances": _instance_table(sites, effects, n_draws)}
    of_mean = _mean_over_predictors(effects.sel(contrast=nets))
    mean = _effects_by_draw(of_mean["ice"], n_draws).mean("draw")
    first = of_mean.isel(unit=slice(None, len(mean) * n_draws, n_draws))
    # instances are the units
    by_row = first.assign(
        ice=(
            first["ice"].dims,
            mean.transpose("row", *first["ice"].dims[1:]).to_numpy(),
        )
    )
    if by_row.sizes["unit"] >= _LEAST_FOR_DISTRIBUTION:
        datasets["beyond"] = _share_beyond_rope(by_row, found.steps.decisions)
        groups = {
            "sequence": of_mean["parent"].to_numpy(),
            "instance": np.arange(of_mean.sizes["unit"]) // n_draws,
        }
        ci_prob = about(found.steps.estimates).ci_prob
        datasets["components"] = split = nested_split(
            of_mean["ice"], groups, each="draw", ci_prob=ci_prob
        )
        tasks = found.steps.decisions["task"].to_numpy().tolist()
        details += [
            _spread_sentence(datasets, task, name) for task in tasks for name in nets
        ]
        failed = [name for name in nets if name not in split["contrast"]]
        details += [
            f"{name}: how its effects differ could not be split (no maximum of the "
            "likelihood)."
            for name in failed
        ]
    return Finding(
        datasets=datasets, sentences=tuple(sentences), details=(*details, *counted)
    )


_VERDICT_PHRASES = DOES | {"undecided": "cannot be told from a negligible one"}


def _fills_in_words(rows: xr.Dataset, fills: Sequence[str], label: str) -> str:
    """Return what overwriting a motif does beyond overwriting a placebo span, by
    verdict: with each fill its effect.
    """
    by_verdict: dict[str, list[str]] = {}
    for fill in fills:
        net = rows.sel(contrast=_net_name(fill))
        words = fill.replace("_", " ")
        filled = {"uniform": "uniform bases"}.get(fill, words)
        filled = f"a {words}" if "shuffle" in fill else filled
        by_verdict.setdefault(str(net["verdict"].item()), []).append(
            f"{filled} ({effect_in_words(net)})"
        )
    does = {
        verdict: f"{_VERDICT_PHRASES[verdict]} with {in_list(of)}"
        for verdict, of in by_verdict.items()
    }
    clear = [text for verdict, text in does.items() if verdict in DIRECTIONS]
    others = [text for verdict, text in does.items() if verdict not in DIRECTIONS]
    what = f"overwriting {label}, against overwriting a placebo span,"
    if not clear:
        return f"the effect of {what} {in_list(others)}"
    also = f"; its effect {in_list(others)}" if others else ""
    return f"{what} {in_list(clear)}{also}"


def _mean_over_predictors(effects: xr.Dataset) -> xr.Dataset:
    """Return the individual effects, averaged over the predictors of an ensemble;
    constant effects exactly equal.
    """
    import xarray as xr

    ice = effects["ice"].transpose("unit", ...)
    if "constant" in effects:
        ice = ice.where(~effects["constant"], ice.isel(unit=0, drop=True))
    ice = ice.mean("model") if "model" in ice.dims else ice
    return xr.Dataset(
        {"ice": ice.drop_vars([n for n in ice.coords if "arm" in ice[n].dims])},
        attrs=effects.attrs,
    )


def _effects_by_draw(ice: xr.DataArray, n_draws: int) -> xr.DataArray:
    """Return effects as (row, draw, ...), for instances with all their draws."""
    import xarray as xr

    whole = ice.sizes["unit"] // n_draws
    whole_sites = ice.isel(unit=slice(whole * n_draws)).transpose("unit", ...)
    return xr.DataArray(
        whole_sites.to_numpy().reshape(whole, n_draws, *whole_sites.shape[1:]),
        dims=("row", "draw", *whole_sites.dims[1:]),
    )


def _instance_table(sites: Sites, effects: xr.Dataset, n_draws: int) -> xr.Dataset:
    import xarray as xr

    drawn = _effects_by_draw(effects["ice"], n_draws).rename(row="instance")
    columns = {"effect": drawn.mean("draw")}
    if n_draws > 1:
        columns["se"] = drawn.std("draw", ddof=1) / np.sqrt(n_draws)
    n = drawn.sizes["instance"]
    about: dict[str, Any] = {
        "instance": list(sites.names),
        "sequence": list(sites.sequence),
        "start": sites.found.start,
        "strand": sites.found.strand,
        "score": sites.found.score,
    }
    coords = {
        str(k): c
        for k, c in effects.coords.items()
        if set(c.dims) <= {"contrast", "task", "model"} and c.dims
    }
    coords["placebo_start"] = (("instance", "draw"), sites.placebo[:n])
    return xr.Dataset(
        columns,
        {k: ("instance", v[:n]) for k, v in about.items()} | coords,
        attributes(n_draws=n_draws),
    )


def _share_beyond_rope(by_row: xr.Dataset, decisions: xr.Dataset) -> xr.Dataset:
    """Return the distribution of the instances' effects, with the share beyond the ROPE
    of each contrast.
    """
    import xarray as xr

    from causalgia.verdicts import heterogeneity

    tables = []
    for task in decisions["task"].to_numpy():  # those with a region
        for contrast in by_row["contrast"].to_numpy():
            ends = [
                decisions[end].sel(contrast=contrast, task=task).mean().item()
                for end in ("rope_lower", "rope_upper")
            ]
            found = heterogeneity(
                by_row.sel(contrast=[contrast], task=[task]), rope=(ends[0], ends[1])
            )
            tables.append(
                found.drop_attrs(deep=False).assign_attrs(ci_prob=about(found).ci_prob)
            )
    n = by_row.sizes["contrast"]
    per_task = [
        xr.concat(tables[i : i + n], "contrast", combine_attrs="override")
        for i in range(0, len(tables), n)
    ]
    return xr.concat(per_task, "task", combine_attrs="override")


def _spread_sentence(datasets: dict[str, xr.Dataset], task: Any, contrast: str) -> str:
    beyond, split = (
        datasets["beyond"].sel(contrast=contrast, task=task),
        datasets["components"],
    )
    share, low, high = (
        100 * beyond[name].item() for name in ("beyond", "beyond_lower", "beyond_upper")
    )
    parts = (
        f"; {split_in_words(split.sel(contrast=contrast, task=task))}"
        if contrast in split["contrast"]
        else ""
    )
    return Said(
        f"{contrast}: {share:.0f} % [{low:.0f}, {high:.0f}] of instances lie beyond "
        f"the region{parts}.",
        str(task),
    )


def _instance_count_sentence(sites: Sites, n_draws: int) -> str:
    without = sites.n_sequences - sites.n_with
    left_out = (
        f"; {without:,} {'sequence has' if without == 1 else 'sequences have'} none"
        if without
        else ""
    )
    alone = (
        ""
        if len(set(sites.cluster)) < len(sites) or sites.n_with > 1
        else ", and intervals do not extend to others"
    )
    return (
        f"{len(sites):,} instances of {sites.label} in {sites.n_with:,} of "
        f"{sites.n_sequences:,} sequences{alone}, {n_draws} "
        f"{'draw' if n_draws == 1 else 'draws'} of each fill{left_out}."
    )


OCCLUSION = Entry(
    name="occlusion",
    question="What is lost when the instances of a motif in real sequences are overwritten?",
    estimand=(
        "E[Y(instance filled) - Y(placebo span filled)] over instances, draws of the "
        "fill, and sequences."
    ),
    doi="10.1038/s41588-021-00782-6",
    read=_read_occlusion,  # type: ignore[arg-type]  # `occlusion` gives it the sites
)

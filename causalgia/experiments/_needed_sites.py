"""Necessity of the sites of a motif: what sequences lose with each, beside what it does
alone in random ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.attributes import attributes
from causalgia.checks import as_count
from causalgia.design import AblateEach, EmbedEach, Genomic, Scramble
from causalgia.design.null_model import NullModel
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.neighbors import moderated_by_units
from causalgia.experiments.kit.sites import (
    Sites,
    as_genomic,
    as_string_or_motif,
    motif_sites,
)
from causalgia.experiments.kit.trial import Trial
from causalgia.experiments.kit.unit_effects import quantiles_of
from causalgia.experiments.kit.variance import at_place, rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Sequences, Source
from causalgia.tell import figures

if TYPE_CHECKING:
    import xarray as xr

SHUFFLED, ALONE = "all shuffled", "alone in shuffles"
LOST, ASKED_ALONE = "lost", "alone"


def needed_sites(
    sequences: Source | NullModel,
    motif: str | Motif,
    *,
    fills: Sequence[str],
    threshold: float | None,
    n_draws: int,
    k: int,
    rope: RopeLike,
) -> Experiment:
    """Return `causalgia.experiments.necessity` of the sites of a motif."""
    given = replace(as_genomic(sequences, "sequences"), n_draws=1)
    pattern = as_string_or_motif(motif, "motif")
    n_draws = as_count(n_draws, "n_draws")
    if not fills:
        raise DesignError("fills=(): name a fill, such as 'shuffle'", argument="fills")
    every = motif_sites(given, pattern, threshold)

    def filled(sites: Sites, fill: str) -> AblateEach:
        return AblateEach(
            sites.spans,
            fill=fill,
            without=pattern,
            threshold=threshold,
            n_draws=n_draws,
        )

    tokens = np.repeat(given.parents_given.tokens[every.found.row], n_draws, axis=0)
    units = np.arange(len(tokens), dtype=np.uint64)
    free = [filled(every, x).can_be_free(tokens, units=units, key=0) for x in fills]
    whole = np.all(free, axis=0).reshape(-1, n_draws).all(axis=1)
    sites = every.take(np.flatnonzero(whole))
    if len(sites) < 2:
        raise DesignError(
            f"fills={quoted(fills)}: {len(sites)} of {len(every):,} instances of "
            f"{every.label} have a fill free of it, and an average needs two or more",
            argument="fills",
        )
    region = Rope.parse(rope, error=DesignError)
    if sites.n_with == 1 and not region.is_fixed:
        raise DesignError(
            f"rope={quoted(region.value)}: the untreated outcome of one sequence has "
            "no sd; give rope=(-0.1, 0.1)",
            argument="rope",
        )
    rows = given.parents_given.tokens[sites.found.row]
    null = Genomic(
        of=Sequences(rows, sites.names), parent=sites.cluster, n_draws=n_draws
    )
    read = partial(_read_sites, sites, len(every) - len(sites))
    trial = Trial(null, control="untreated", entry=replace(NEEDED_SITES, read=read))
    for fill in fills:
        trial.row(
            fill,
            trial.intervention(fill, filled(sites, fill)) - trial.untreated(),
            asked=True,
            asks=LOST,
            fill=fill,
        )
    shuffled = Scramble((0, given.length), k=k)
    letters = [
        word[start:stop]
        for word, (start, stop) in zip(decode(rows), sites.spans, strict=True)
    ]
    alone = EmbedEach(letters, at=sites.found.start.tolist(), n_draws=n_draws)
    trial.row(
        ALONE,
        trial.intervention(ALONE, shuffled + alone)
        - trial.intervention(SHUFFLED, shuffled),
        asks=ASKED_ALONE,
    )
    return trial.experiment(n_units=null.available, rope=region)


def _stated(found: TrialResults) -> dict[str, str]:
    """Return the rows that are stated, and the fill of each; that of sites alone is
    empty.
    """
    labels = found.experiment.labels
    overwritten = (name for name, asks in labels["asks"].items() if asks == LOST)
    return {name: labels["fill"][name] for name in overwritten} | {ALONE: ""}


def _read_sites(sites: Sites, n_left_out: int, found: TrialResults) -> Reading:
    effects, decisions = found.steps.effects, found.steps.decisions
    stated, datasets = _stated(found), dict[str, "xr.Dataset"]()
    if effects is not None:
        table = _instance_table(sites, effects, found.experiment.null.n_draws)
        each = table["effect"].sel(contrast=[*stated])
        datasets = {"instances": table, "quantiles": quantiles_of(each, decisions)}
    states = []
    for place, rows in rows_by_task(decisions):
        for name, fill in stated.items():
            spread = None
            if datasets:
                at = {"contrast": name} | at_place(place)
                spread = datasets["quantiles"]["quantiles"].sel(at)
            of = sites.label, fill, len(sites), sites.n_with
            clause = ("sites", rows.sel(contrast=name), spread, *of)
            states.append(Statement((clause,), *place))
    left_out = ("sites left out", n_left_out, len(sites) + n_left_out, sites.label)
    further = [Statement((left_out,))] * bool(n_left_out)
    by = moderated_by_units(effects, [*stated])
    return Reading(
        datasets={**datasets, **by.datasets},
        states=tuple(states),
        further=(*further, *by.further),
    )


def _instance_table(sites: Sites, effects: xr.Dataset, n_draws: int) -> xr.Dataset:
    """Return the mean effect of each site over its draws, with its standard error."""
    import xarray as xr

    ice = effects["ice"].transpose("unit", ...)
    n = ice.sizes["unit"] // n_draws
    drawn = xr.DataArray(
        ice[: n * n_draws].to_numpy().reshape(n, n_draws, *ice.shape[1:]),
        dims=("instance", "draw", *ice.dims[1:]),
    )
    columns = {"effect": drawn.mean("draw")}
    if n_draws > 1:
        columns["se"] = drawn.std("draw", ddof=1) / np.sqrt(n_draws)
    about: dict[str, Any] = {
        "instance": list(sites.names),
        "sequence": list(sites.sequence),
        "start": sites.found.start,
        "strand": sites.found.strand,
        "score": sites.found.score,
    }
    coords = {
        str(name): c
        for name, c in effects.coords.items()
        if c.dims and set(c.dims) <= {"contrast", "task", "model"}
    }
    return xr.Dataset(
        columns,
        {name: ("instance", values[:n]) for name, values in about.items()} | coords,
        attributes(n_draws=n_draws),
    )


def _draw_sites(answer: Answer) -> figures.Axes:
    """Draw the effect of each site: lost from its sequence, and alone."""
    if "instances" not in answer.findings:
        return figures.forest(answer.decisions)
    table = answer.findings["instances"]
    each = table["effect"]
    each = each.mean("model") if "model" in each.dims else each
    return figures.distribution(
        each.rename(instance="unit")
        .to_dataset(name="ice")
        .assign_attrs(answer.estimates.attrs)
    )


NEEDED_SITES = Entry(
    name="necessity",
    question="What do sequences lose with each site of a motif, and what does it do alone?",
    estimand=(
        "E[Y(site in another order of its own letters) - Y] over sites, orders and "
        "sequences; E[Y(site in shuffles) - Y(shuffles)] beside it."
    ),
    doi="10.1038/s41588-021-00782-6",
    draw=_draw_sites,
)

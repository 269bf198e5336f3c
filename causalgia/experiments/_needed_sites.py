"""Necessity of the sites of a motif: what each loses in its own context, beside what it
does alone in random ones.
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
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.neighbors import moderated_by_units
from causalgia.experiments.kit.populations import effects_at, populations
from causalgia.experiments.kit.shapes import shape_table
from causalgia.experiments.kit.sites import (
    Sites,
    as_genomic,
    as_string_or_motif,
    motif_sites,
)
from causalgia.experiments.kit.trial import Trial, Weights
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Said
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import decode
from causalgia.sequences.fasta import Sequences, Source
from causalgia.tell import figures
from causalgia.tell.populations import (
    counted_sites,
    population_sentence,
    spread_sentence,
)

if TYPE_CHECKING:
    import xarray as xr

SHUFFLED, ALONE = "shuffled", "alone in shuffles"
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
    beside: Sequence[tuple[Motif, float]] = (),
) -> Experiment:
    """Return `causalgia.experiments.necessity` of the sites of a motif."""
    given = replace(as_genomic(sequences, "sequences"), n_draws=1)
    pattern = as_string_or_motif(motif, "motif")
    n_draws = as_count(n_draws, "n_draws")
    if not fills:
        raise DesignError("fills=(): name a fill, such as 'uniform'", argument="fills")
    sites = motif_sites(given, pattern, threshold, n_draws=n_draws, beside=beside)
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
    read = partial(_read_sites, sites)
    trial = Trial(null, control="untreated", entry=replace(NEEDED_SITES, read=read))

    units = np.arange(len(rows) * n_draws, dtype=np.uint64)

    def filled(name: str, spans: Any, fill: str) -> Weights:
        done = AblateEach(
            spans, fill=fill, without=pattern, threshold=threshold, n_draws=n_draws
        )
        # refuses a fill that cannot be free of the motif
        done.apply(np.repeat(rows, n_draws, axis=0), units=units, key=0)
        return trial.intervention(name, done)

    for fill in fills:
        own = filled(fill, sites.spans, fill)
        placebo = filled(f"{fill}, placebo span", sites.placebo_spans, fill)
        trial.row(fill, own - trial.untreated(), span="motif", fill=fill)
        trial.row(
            f"{fill}, placebo span",
            placebo - trial.untreated(),
            span="placebo",
            fill=fill,
        )
        trial.row(
            f"{fill} minus placebo",
            own - placebo,
            asked=True,
            span="motif minus placebo",
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


def _said(found: TrialResults, label: str) -> dict[str, str]:
    """Return the rows that have a sentence, and the subject of each."""
    lost = [name for name, of in found.experiment.labels["asks"].items() if of == LOST]
    fill, what = found.experiment.labels["fill"], f"overwriting {label}"
    by = {
        name: f" by {fill[name].replace('_', ' ')}" * (len(lost) > 1) for name in lost
    }
    return {
        **{name: f"{what}{by[name]} rather than a placebo span" for name in lost},
        ALONE: f"{label} alone in shuffles of the sequences",
    }


def _read_sites(sites: Sites, found: TrialResults) -> Finding:
    effects = found.steps.effects
    counted = counted_sites(len(sites), sites.n_with)
    table = None
    if effects is not None:
        table = _instance_table(sites, effects, found.experiment.null.n_draws)
    shapes, sentences, details = [], list[str](), list[str]()
    for task, rows in rows_by_task(found.steps.decisions):
        for name, what in _said(found, sites.label).items():
            row = rows.sel(contrast=name)
            each = row["ace"].to_numpy()[None]
            if table is not None:
                each = effects_at(table["effect"], name, task)
            own = populations(
                each,
                (row["rope_lower"].item(), row["rope_upper"].item()),
                str(row["verdict"].item()),
                axis="site",
                group=name,
            )
            shapes += [(task, shape) for shape in own]
            mean = {end: row[end].item() for end in ("ace", "lower", "upper")}
            text = population_sentence(own, mean, what=what, units=counted)
            sentences.append(Said(text, *task))
            if table is not None:
                details.append(Said(spread_sentence(each, of=what), *task))
    if table is None:
        return Finding(sentences=tuple(sentences), details=tuple(details))
    n = ("shape", [sites.n_with] * len(shapes))
    by = moderated_by_units(effects, [*_said(found, sites.label)])
    return Finding(
        datasets={
            "instances": table,
            "shapes": shape_table(shapes).assign(n_sequences=n),
            **by.datasets,
        },
        sentences=tuple(sentences),
        details=(*details, *by.details),
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
    coords["placebo_start"] = (("instance", "draw"), sites.placebo[:n])
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
    named = [str(name) for name in answer.decisions["contrast"].to_numpy()]
    said = [n for n in named if n.endswith(" minus placebo") or n == ALONE]
    each = table["effect"].sel(contrast=said)
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
        "E[Y(site filled) - Y(placebo span filled)] over sites, draws of the fill, and "
        "sequences; E[Y(site in shuffles) - Y(shuffles)] beside it."
    ),
    doi="10.1038/s41588-021-00782-6",
    draw=_draw_sites,
)

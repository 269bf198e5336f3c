"""Occlusion of motif instances in real sequences: what each instance is necessary for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Rope
from causalgia.checks import as_count, shown
from causalgia.design import AblateEach, Arm, Genomic, Untreated
from causalgia.design.null_model import NullModel
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, analysis_for
from causalgia.experiments.kit.given_sequences import real_sequences, sought
from causalgia.experiments.kit.instance_sites import Sites, share_with_motif, sites_in
from causalgia.experiments.kit.variance import by_task, effect_in_words, nested_split, split_in_words
from causalgia.sequences import Motif, Sequences
from causalgia.sequences.fasta import Source

if TYPE_CHECKING:
    import xarray as xr

CONTROL = "untreated"
_LEAST = 3  # instances from which one speaks of their distribution


def occlusion(
    sequences: Source | NullModel,
    *,
    motif: str | Motif,
    fills: Sequence[str] = ("uniform", "shuffle", "dinucleotide_shuffle"),
    draws: int = 5,
    threshold: float | None = None,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks what is lost when each instance of a motif in real sequences is overwritten.

    Every instance is a row, with `draws` units of fresh fills, and rows of one sequence are one cluster. Each fill is
    an arm; and since overwriting anything in a real sequence may cost something, each has a placebo: a span of the same
    width in the same sequence, away from every instance, with the same fill; another span for every draw, at places of
    the design's own. Contrasts: ``"<fill>"``, the instance occluded minus untreated; ``"<fill>, placebo span"``; and
    ``"<fill> minus placebo"``, paired, which is the motif's own.

    Parameters
    ----------
    sequences
        Real sequences of one length: a FASTA file, strings, tokens, or ``cg.Genomic(of=..., parent=...)`` where
        several descend from one.
    motif
        A word of IUPAC letters (found exactly, on both strands), or what `causalgia.motif` takes: a name, a file, a
        table.
    fills
        What instances are overwritten with, as `causalgia.design.AblateEach` takes it.
    draws
        Fills of each instance in each arm, and placebo spans.
    threshold
        p-value of the lowest score of an instance of a motif, by default 1e-4; a word takes none.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Coordinates of the contrasts: ``fill``; ``span`` ("motif", "placebo" or "motif minus placebo"); ``with_motif``,
        the share of draws after which the changed span still (or newly) reads the motif, in draws of the design's own.
        Findings: ``instances``, each one's effect, the mean over its draws with the standard error over draws, beside
        its sequence, start, strand, score and placebo spans; ``beyond``, the distribution of the instances' effects
        minus placebo and the share beyond the region; ``components``, the sd between sequences, instances in a
        sequence, and draws (of fill, and of placebo span).

    Raises
    ------
    DesignError
        If no sequence has an instance (the nearest window is named), there is only one instance, a sequence has no room
        for a placebo span, a fill is none, or instances are all in one sequence and the region is in sd.
    SequenceError
        If the motif is longer than the sequences, or nothing has its name.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, Oracle, Word
    >>> sampled = cg.Uniform(length=200).sample(400, rng=0)["sequence"].values
    >>> experiment = cg.experiments.occlusion(sampled, motif="AGATAA", fills=["uniform"], draws=2)
    >>> outcomes = cg.run(experiment, Oracle(Word("AGATAA", 0.9, "both"), EndGC(-1.0, last=150)), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[0])
    Task outcome: AGATAA occluded (uniform) changes the outcome by -0.9...; motif minus placebo -0.9...
    """
    given, pattern = real_sequences(sequences, "sequences"), sought(motif, "motif")
    if given.draws > 1:
        raise DesignError(f"sequences: Genomic(draws={given.draws}); give draws={given.draws} to the occlusion instead")
    draws, fills = as_count(draws, "draws"), _distinct(fills)
    sites = sites_in(given, pattern, threshold, draws=draws)
    if sites.n_with == 1 and isinstance(rope, str):
        raise DesignError(
            f"rope={quoted(rope)}: the untreated outcome of one sequence has no sd; give rope=(lower, upper)"
        )
    rows = given.parents_given.tokens[sites.found.row]
    arms, left = [Arm(CONTROL, Untreated())], {}
    for fill in fills:
        own = AblateEach(sites.spans, fill=fill, draws=draws)
        placebo = AblateEach(sites.placebo_spans, fill=fill, draws=draws)
        for name, arm in ((fill, own), (_placebo(fill), placebo)):
            arms.append(Arm(name, arm))
            left[name] = share_with_motif(arm.sites, fill, np.repeat(rows, arm.turns, axis=0), pattern, threshold)
    return Experiment(
        null=Genomic(of=Sequences(rows, sites.names), parent=sites.cluster, draws=draws),
        arms=arms,
        n_units=len(rows) * draws,
        contrasts=_contrasts(fills),
        entry=replace(OCCLUSION, read=partial(_read, sites)),
        analysis=analysis_for("confirmatory", rope=rope),
        labels=_labels(fills, left),
    )


def _placebo(fill: str) -> str:
    return f"{fill}, placebo span"


def _net(fill: str) -> str:
    return f"{fill} minus placebo"


def _distinct(fills: object) -> tuple[str, ...]:
    listed = (fills,) if isinstance(fills, str) else tuple(fills) if isinstance(fills, Iterable) else ()
    if not listed or len(set(listed)) < len(listed):
        raise DesignError(f"fills={shown(fills)}: name one or more different fills, such as ['uniform', 'shuffle']")
    return tuple(map(str, listed))


def _contrasts(fills: tuple[str, ...]) -> dict[str, dict[str, float]]:
    rows = {}
    for fill in fills:
        rows[fill] = {fill: 1.0, CONTROL: -1.0}
        rows[_placebo(fill)] = {_placebo(fill): 1.0, CONTROL: -1.0}
        rows[_net(fill)] = {fill: 1.0, _placebo(fill): -1.0}
    return rows


def _labels(fills: tuple[str, ...], left: dict[str, float]) -> dict[str, dict[str, Any]]:
    labels: dict[str, dict[str, Any]] = {"fill": {}, "span": {}, "with_motif": {}}
    for fill in fills:
        for name, span in ((fill, "motif"), (_placebo(fill), "placebo"), (_net(fill), "motif minus placebo")):
            labels["fill"][name], labels["span"][name] = fill, span
            labels["with_motif"][name] = left.get(name, left[fill])
    return labels


def _read(sites: Sites, found: Found) -> Finding:
    fills = list(dict.fromkeys(found.experiment.labels["fill"].values()))
    said = [_occluded(sites, rows, task, fill) for task, rows in by_task(found.steps.decisions) for fill in fills]
    counted = [_counted(sites, found.experiment.null.draws), *_still_there(sites, found, fills)]
    effects = found.steps.effects
    if effects is None:
        return Finding(sentences=(*said, *counted))
    draws, net = found.experiment.null.draws, [_net(fill) for fill in fills]
    datasets = {"instances": _instances(sites, effects, draws)}
    of_mean = _over_models(effects.sel(contrast=net))
    by_row = _by_row(of_mean, draws)
    if by_row.sizes["unit"] >= _LEAST:
        datasets["beyond"] = _beyond(by_row, found.steps.decisions)
        datasets["components"] = split = _components(of_mean, draws, found.steps.estimates.attrs["ci_prob"])
        said += [_spread(datasets, task, name) for task in _tasks(found) for name in net]
        lost = [name for name in net if name not in split["contrast"]]
        said += [f"{name}: how its effects differ could not be split (no maximum of the likelihood)." for name in lost]
    return Finding(datasets=datasets, sentences=(*said, *counted))


def _tasks(found: Found) -> list[Any]:
    return list(found.steps.decisions["task"].to_numpy().tolist())


def _over_models(effects: xr.Dataset) -> xr.Dataset:
    """Return the individual effects alone: of an ensemble the mean of its predictors'; one where all are one."""
    import xarray as xr

    ice = effects["ice"].transpose("unit", ...)
    if "constant" in effects:
        ice = ice.where(~effects["constant"], ice.isel(unit=0, drop=True))
    ice = ice.mean("model") if "model" in ice.dims else ice
    return xr.Dataset({"ice": ice.drop_vars([n for n in ice.coords if "arm" in ice[n].dims])}, attrs=effects.attrs)


def _rows(ice: xr.DataArray, draws: int) -> xr.DataArray:
    """Return effects as (row, draw, ...), for rows with all their draws."""
    import xarray as xr

    whole = ice.sizes["unit"] // draws
    kept = ice.isel(unit=slice(whole * draws)).transpose("unit", ...)
    return xr.DataArray(kept.to_numpy().reshape(whole, draws, *kept.shape[1:]), dims=("row", "draw", *kept.dims[1:]))


def _by_row(effects: xr.Dataset, draws: int) -> xr.Dataset:
    """Return each instance's effect, the mean over its draws, as one unit."""
    mean = _rows(effects["ice"], draws).mean("draw")
    first = effects.isel(unit=slice(None, len(mean) * draws, draws))
    return first.assign(ice=(first["ice"].dims, mean.transpose("row", *first["ice"].dims[1:]).to_numpy()))


def _instances(sites: Sites, effects: xr.Dataset, draws: int) -> xr.Dataset:
    import xarray as xr

    drawn = _rows(effects["ice"], draws).rename(row="instance")
    columns = {"effect": drawn.mean("draw")}
    if draws > 1:
        columns["se"] = drawn.std("draw", ddof=1) / np.sqrt(draws)
    n = drawn.sizes["instance"]
    about: dict[str, Any] = {
        "instance": list(sites.names),
        "sequence": list(sites.sequence),
        "start": sites.found.start,
        "strand": sites.found.strand,
        "score": sites.found.score,
    }
    kept = {str(k): c for k, c in effects.coords.items() if set(c.dims) <= {"contrast", "task", "model"} and c.dims}
    kept["placebo_start"] = (("instance", "draw"), sites.placebo[:n])
    return xr.Dataset(columns, {k: ("instance", v[:n]) for k, v in about.items()} | kept, {"draws": draws})


def _beyond(by_row: xr.Dataset, decisions: xr.Dataset) -> xr.Dataset:
    """Return the distribution of the instances' effects, with the share beyond each contrast's own region."""
    import xarray as xr

    from causalgia.estimation import heterogeneity

    tables = []
    for task in decisions["task"].to_numpy():  # those with a region
        for contrast in by_row["contrast"].to_numpy():
            ends = [
                decisions[end].sel(contrast=contrast, task=task).mean().item() for end in ("rope_lower", "rope_upper")
            ]
            found = heterogeneity(by_row.sel(contrast=[contrast], task=[task]), rope=(ends[0], ends[1]))
            tables.append(found.drop_attrs(deep=False).assign_attrs(ci_prob=found.attrs["ci_prob"]))
    n = by_row.sizes["contrast"]
    by_task = [xr.concat(tables[i : i + n], "contrast", combine_attrs="override") for i in range(0, len(tables), n)]
    return xr.concat(by_task, "task", combine_attrs="override")


def _components(effects: xr.Dataset, draws: int, ci_prob: float) -> xr.Dataset:
    row = np.arange(effects.sizes["unit"]) // draws
    groups = {"sequence": effects["parent"].to_numpy(), "instance": row}
    return nested_split(effects["ice"], groups, each="draw", ci_prob=ci_prob)


def _occluded(sites: Sites, rows: xr.Dataset, task: str, fill: str) -> str:
    own, placebo, net = (rows.sel(contrast=name) for name in (fill, _placebo(fill), _net(fill)))
    return (
        f"{task}: {sites.label} occluded ({fill}) changes the outcome by {effect_in_words(own)}, a placebo span "
        f"by {effect_in_words(placebo)}; motif minus placebo {effect_in_words(net)}: {net['verdict'].item()}."
    )


def _spread(datasets: dict[str, xr.Dataset], task: Any, contrast: str) -> str:
    beyond, split = datasets["beyond"].sel(contrast=contrast, task=task), datasets["components"]
    share, low, high = (100 * beyond[name].item() for name in ("beyond", "beyond_lower", "beyond_upper"))
    parts = f"; {split_in_words(split.sel(contrast=contrast, task=task))}" if contrast in split["contrast"] else ""
    return f"Task {task}, {contrast}: {share:.0f} % [{low:.0f}, {high:.0f}] of instances lie beyond the region{parts}."


def _counted(sites: Sites, draws: int) -> str:
    without = sites.n_sequences - sites.n_with
    left_out = f"; {without:,} {'sequence has' if without == 1 else 'sequences have'} none" if without else ""
    alone = "" if len(set(sites.cluster)) < len(sites) or sites.n_with > 1 else ", and intervals say nothing of others"
    return (
        f"{len(sites):,} instances of {sites.label} in {sites.n_with:,} of {sites.n_sequences:,} sequences{alone}, "
        f"{draws} {'draw' if draws == 1 else 'draws'} of each fill{left_out}."
    )


def _still_there(sites: Sites, found: Found, fills: list[str]) -> list[str]:
    """Say which fills put the motif back, or make one in a placebo span."""
    share, said = found.experiment.labels["with_motif"], []
    for fill in fills:
        for name, what in ((fill, "leaves"), (_placebo(fill), "makes")):
            if share[name] > 0:
                said.append(f"{name}: {what} {sites.label} in {100 * share[name]:.2g} % of its draws.")
    return said


OCCLUSION = Entry(
    name="occlusion",
    question="What is lost when the instances of a motif in real sequences are overwritten?",
    estimand="E[Y(instance filled) - Y(placebo span filled)] over instances, draws of the fill, and sequences.",
    doi="10.1038/s41588-021-00782-6",
    read=_read,  # type: ignore[arg-type]  # `occlusion` gives it the sites
)

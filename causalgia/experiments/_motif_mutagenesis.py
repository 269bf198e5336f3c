"""Saturation mutagenesis of a motif: all its single-base changes, and the motif
itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from causalgia.analysis import Analysis
from causalgia.choices import DIRECTIONS, Control
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.experiments.kit.answer import Answer, Finding, mean_over_models
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    finding_by_task,
)
from causalgia.experiments.kit.site_controls import (
    UNTREATED,
    against_placebos,
    as_site_control,
)
from causalgia.experiments.kit.sites import as_start, as_strings
from causalgia.experiments.kit.variance import DOES, effect_in_words
from causalgia.ropes import RopeLike

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

PLACEBO = "placebo"


def motif_mutagenesis(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str = "UGCAUG",
    *,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates the effect of each letter of a motif, by all
    its single-base changes.

    Contrasts: the motif and each of its ``3 w`` mutants against the `control`,
    named by their letters; and each mutant against the motif, ``"change G1A"`` (letter,
    0-based position in the motif, new letter). The finding ``logo`` has the effect of
    the motif with each base at each position; at its own letters that is the effect of
    the motif. The figure draws each base minus the mean of its column, so that the
    height of a position shows how much its letters differ; for an ensemble it draws the
    mean over models.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        A string of A C G T (U).
    at
        0-based start; None: the center.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of the motif for each unit at the
        same place, which its mutants are compared with as well.
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
        ``3 w + 2`` arms (and ``"placebo"``) and ``6 w + 1`` contrasts; coordinates ``position`` (0-based in
        the motif) and ``base`` of the mutants.

    Raises
    ------
    DesignError
        If `motif` is not a string of A C G T (U), or leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif_mutagenesis(motif="GCUGG", at=18, n_units=200)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0)
    >>> answer = experiment.analyze(outcomes, rng=0)
    >>> print(answer.sentences[0])
    Task VTS1: GCUGG increases the outcome (1.7...); each of its 15 single-base changes weakens ...
    >>> answer.findings["logo"]["ace"].sizes["base"]
    4
    """
    beside = as_site_control(control, as_null_model(null))
    (whole,) = as_strings([motif], "motif")
    start = as_start(at, "at", null.length, len(whole))
    mutants = {
        whole[:i] + base + whole[i + 1 :]: (i, base)
        for i in range(len(whole))
        for base in _alphabet_of(whole)
        if base != whole[i]
    }
    arms = [
        Arm(UNTREATED, Untreated()),
        *(Arm(name, Embed(name, at=start)) for name in (whole, *mutants)),
    ]
    if beside.placebos:
        arms.append(Arm(PLACEBO, beside.absent(Embed(whole, at=start))))
    none = beside.arm(PLACEBO)
    changes = {
        f"change {whole[i]}{i}{base}": {name: 1.0, whole: -1.0}
        for name, (i, base) in mutants.items()
    }
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts={name: {name: 1.0, none: -1.0} for name in (whole, *mutants)}
        | changes,
        entry=beside.entry(
            MOTIF_MUTAGENESIS,
            "E[Y(mutant) - Y(placebo of the motif)] and E[Y(mutant) - Y(motif)] of "
            "every single-base change, over the null model.",
        ),
        analysis=Analysis(rope=rope),
        asked=("change *",),
        labels={
            "position": {name: i for name, (i, _) in mutants.items()},
            "base": {name: base for name, (_, base) in mutants.items()},
        },
    )


def _alphabet_of(motif: str) -> str:
    return "ACGU" if "U" in motif else "ACGT"


def _read_mutagenesis(found: TrialResults) -> Finding:
    motif = found.experiment.arm_names[1]
    against = against_placebos(found.experiment)
    finding = finding_by_task(
        found, lambda rows: against + _mutagenesis_text(rows, motif)
    )
    return replace(
        finding, datasets={"logo": _logo_table(found.steps.estimates, motif)}
    )


def _logo_table(estimates: xr.Dataset, motif: str) -> xr.Dataset:
    """Return the effects of the motif with each base at each position, its own letters
    included.
    """
    import xarray as xr

    columns = ("ace", "lower", "upper", "se")
    spelled = np.array(
        [
            [motif[:i] + base + motif[i + 1 :] for base in _alphabet_of(motif)]
            for i in range(len(motif))
        ]
    )
    names = xr.DataArray(spelled, dims=("position", "base"))
    table = (
        estimates[[name for name in columns if name in estimates]]
        .sel(contrast=names)
        .reset_coords(drop=True)
    )
    dims = [name for name in ("task", "model") if name in estimates["ace"].dims]
    coords = {
        "position": range(len(motif)),
        "base": list(_alphabet_of(motif)),
        "motif": (("position", "base"), spelled),
    }
    return table.assign_coords(
        coords | {name: estimates[name].to_numpy() for name in dims}
    ).transpose("position", "base", *dims)


_CHANGES = {
    "weakens": ("weakens this effect", "weaken this effect"),
    "strengthens": ("strengthens it", "strengthen it"),
    "reverses": ("reverses it", "reverse it"),
    "decreases": ("lowers the outcome", "lower the outcome"),
    "increases": ("raises the outcome", "raise the outcome"),
    "negligible": ("is negligible", "are negligible"),
    "undecided": ("is undecided", "are undecided"),
}


def _mutagenesis_text(rows: xr.Dataset, motif: str) -> str:
    whole = rows.sel(contrast=motif)
    changes = rows.isel(
        contrast=[
            str(name).startswith("change ") for name in rows["contrast"].to_numpy()
        ]
    )
    kinds = np.array(_kinds_of_changes(rows, changes, motif))
    counts = [
        (n, one, many)
        for kind, (one, many) in _CHANGES.items()
        if (n := int((kinds == kind).sum()))
    ]
    every = f"its {len(kinds)} single-base changes"
    of_changes = f"of {every}, " + ", ".join(
        f"{n} {one if n == 1 else many}" for n, one, many in counts
    )
    if len(counts) == 1:
        of_changes = f"each of {every} {counts[0][1]}"
    order = np.argsort(np.abs(changes["ace"].to_numpy()), kind="stable")
    least, most = (
        f"{str(row['contrast'].item()).removeprefix('change ')}, {effect_in_words(row)}"
        for row in (changes.isel(contrast=int(order[k])) for k in (0, -1))
    )
    return (
        f"{motif} {DOES[str(whole['verdict'].item())]} ({effect_in_words(whole)}); "
        f"{of_changes} (least {least}; most {most})."
    )


def _kinds_of_changes(rows: xr.Dataset, changes: xr.Dataset, motif: str) -> list[str]:
    """Return what each change does to the effect of the motif, where that has a
    direction, else to the outcome.
    """
    names = set(rows["contrast"].to_numpy().astype(str).tolist())
    of_motif = str(rows["verdict"].sel(contrast=motif).item())
    kinds = []
    for name in changes["contrast"].to_numpy().astype(str).tolist():
        kind = str(changes["verdict"].sel(contrast=name).item())
        if kind in DIRECTIONS and of_motif in DIRECTIONS:
            change = name.removeprefix("change ")
            at = int(change[1:-1])
            mutant = f"{motif[:at]}{change[-1]}{motif[at + 1 :]}"
            left = (
                str(rows["verdict"].sel(contrast=mutant).item())
                if mutant in names
                else ""
            )
            reverses = left in DIRECTIONS and left != of_motif
            kind = "strengthens" if kind == of_motif else "weakens"
            kind = "reverses" if reverses else kind
        kinds.append(kind)
    return kinds


def _draw_logo(answer: Answer) -> Axes:
    from causalgia.tell.figures import logo

    table = answer.findings["logo"]
    table = mean_over_models(table[["ace"]]) if "model" in table.dims else table
    about = (
        answer.decisions.attrs
        | table.attrs
        | {name: answer.decisions.attrs.get(name, "") for name in ("name", "question")}
    )
    return logo(
        table.assign_attrs(about).assign(n_units=answer.decisions["n_units"].max()),
        centered=True,
    )


MOTIF_MUTAGENESIS = Entry(
    name="motif_mutagenesis",
    question="Which letters of a motif matter?",
    estimand=(
        "E[Y(mutant) - Y(untreated)] and E[Y(mutant) - Y(motif)] of every single-base "
        "change, over the null model."
    ),
    doi="10.1101/418459",
    read=_read_mutagenesis,
    draw=_draw_logo,
)

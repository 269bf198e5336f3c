"""Letters of a motif: all its single-base changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.experiments.kit.answer import Answer, Reading, mean_over_models
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import read_shapes
from causalgia.experiments.kit.sites import as_start, as_strings
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.ropes import RopeLike

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes


def motif_mutagenesis(
    null: NullModel,
    motif: str,
    *,
    at: int | None = None,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks which letters of a motif matter, by all its
    single-base changes.

    Estimands, over the null model: ``E[Y(letter i another) - Y(motif)]`` of each letter,
    the mean over its three changes, which answer the question (finding ``shapes``); each
    change by itself; and ``E[Y(mutant) - Y(control)]`` of the motif and every mutant,
    which the finding ``logo`` has by position and base.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        A string of A C G T (U).
    at
        0-based start; None: the center.
    control
        What the motif and its mutants are compared with: ``"untreated"``, the background
        as it was drawn; ``"placebo"``, a fresh rearrangement of the motif for each unit.
        None: ``"placebo"`` over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the effect of the motif.

    Returns
    -------
    Experiment
        Contrasts ``"letter 1 (U) changed"``, ..., which answer the question; ``"letter 1
        (U) to A"``, ...; and the motif and its ``3 w`` mutants, by their letters.
        Coordinates ``letter`` and, of changes, ``base``.

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
    >>> experiment = cg.experiments.motif_mutagenesis(cg.Uniform(length=41), "GCUGG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0)
    >>> answer = experiment.analyze(outcomes, rng=0)
    >>> print(answer.sentences[0])
    Task VTS1: changing any one of letters 1 to 5 of GCUGG lowers the outcome (-1.6...
    >>> answer.findings["logo"]["ace"].sizes["base"]
    4
    """
    (whole,) = as_strings([motif], "motif")
    trial = Trial(null, control=control, entry=replace(MOTIF_MUTAGENESIS, of=whole))
    start = as_start(at, "at", trial.null.length, len(whole))
    none = trial.arm(absent=[Embed(whole, at=start)])
    trial.row(whole, trial.arm(Embed(whole, at=start)) - none, single=True)
    for i, base in changes_of(whole):
        mutant = _spelled(whole, i, base)
        trial.row(mutant, trial.arm(Embed(mutant, at=start)) - none)
    for i, base in changes_of(whole):
        here = trial.arm(Embed(_spelled(whole, i, base), at=start))
        trial.row(
            f"letter {i + 1} ({whole[i]}) to {base}",
            here - trial.arm(Embed(whole, at=start)),
            base=base,
        )
    add_letters(trial, whole, start)
    return trial.experiment(n_units=n_units, rope=rope)


def add_letters(trial: Trial, letters: str, start: int) -> None:
    """Add a row for each fixed letter of a motif: the mean of its three changes."""
    whole = trial.arm(Embed(letters, at=start))
    rows: dict[int, Weights] = {}
    for i, base in changes_of(letters):
        changed = trial.arm(Embed(_spelled(letters, i, base), at=start))
        rows[i] = rows.get(i, whole * -1.0) + changed * (1 / 3)
    for i, row in rows.items():
        name = f"letter {i + 1} ({letters[i]}) changed"
        trial.row(name, row, asked=True, letter=i + 1)


def changes_of(letters: str) -> list[tuple[int, str]]:
    """Return position and new base of every change of a fixed letter.

    Examples
    --------
    >>> changes_of("NG")
    [(1, 'A'), (1, 'C'), (1, 'T')]
    """
    bases = "ACGU" if "U" in letters else "ACGT"
    return [
        (i, base)
        for i, letter in enumerate(letters)
        for base in bases
        if letter in bases and base != letter
    ]


def _spelled(letters: str, i: int, base: str) -> str:
    return letters[:i] + base + letters[i + 1 :]


def _read_letters(found: TrialResults) -> Reading:
    motif = found.experiment.entry.of
    reading = read_shapes(found, after=lambda rows: (("letters", rows, motif),))
    logo = _logo_table(found.steps.estimates, motif)
    return replace(reading, datasets={**reading.datasets, "logo": logo})


def _logo_table(estimates: xr.Dataset, motif: str) -> xr.Dataset:
    """Return the effects of the motif with each base at each position, its own letters
    included.
    """
    import xarray as xr

    bases = list("ACGU" if "U" in motif else "ACGT")
    spelled = np.array(
        [[_spelled(motif, i, base) for base in bases] for i in range(len(motif))]
    )
    names = [name for name in ("ace", "lower", "upper", "se") if name in estimates]
    dims = [name for name in ("task", "model") if name in estimates["ace"].dims]
    return (
        estimates[names]
        .sel(contrast=xr.DataArray(spelled, dims=("position", "base")))
        .reset_coords(drop=True)
        .assign_coords(
            position=range(len(motif)),
            base=bases,
            motif=(("position", "base"), spelled),
        )
        .assign_coords({name: estimates[name].to_numpy() for name in dims})
        .transpose("position", "base", *dims)
    )


def _draw_logo(answer: Answer) -> Axes:
    """Draw each base minus the mean of its column; of an ensemble the mean over
    models.
    """
    from causalgia.tell.figures import logo

    table = answer.findings["logo"]
    table = mean_over_models(table[["ace"]]) if "model" in table.dims else table
    about = answer.decisions.attrs | table.attrs
    about |= {
        name: answer.decisions.attrs.get(name, "") for name in ("name", "question")
    }
    return logo(
        table.assign_attrs(about).assign(n_units=answer.decisions["n_units"].max()),
        centered=True,
    )


MOTIF_MUTAGENESIS = Entry(
    name="motif_mutagenesis",
    question="Which letters of a motif matter?",
    estimand=(
        "E[Y(letter i another) - Y(motif)] of each letter, the mean over its three "
        "changes, over the null model."
    ),
    doi="10.1101/418459",
    example={"motif": "UGCAUG"},
    axis="letter",
    read=_read_letters,
    draw=_draw_logo,
)

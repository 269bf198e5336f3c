"""Confirmation of the selected arms of a screen on fresh units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia._run import run
from causalgia.analysis import Analysis, fixed_placebo_contrasts, stored_analysis
from causalgia.attributes import about
from causalgia.checks import as_names, nearest
from causalgia.choices import (
    DIRECTIONS,
    LEAST_PLACEBOS,
    LEAST_TO_SHARE,
    placebos_for_ranks,
)
from causalgia.design import Design, Genomic, NullModel
from causalgia.errors import (
    DesignError,
    EstimateError,
    PredictorError,
    quoted,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.schema import check_dataset
from causalgia.streams import RNG, Seed, derive, root_key
from causalgia.trial.attributes import load_design
from causalgia.types import Client

RESERVED = "fresh units from parents reserved before the screen"
SAME = (
    "fresh units from the same parents as the screen's: a claim about these parents, "
    "not about new ones"
)
INDEPENDENT = "fresh units, drawn independently"

CONTROLS = ("untreated", "placebo")
"""Kinds of arms that serve as controls if the analysis of the screen names none."""


@usual_errors
def confirm(
    screen: xr.Dataset,
    *,
    select: str | Iterable[str] | xr.Dataset,
    predictor: Predictor,
    rng: RNG,
    n_units: int | None = None,
    design: Design | None = None,
    other_predictor: bool = False,
    client: Client | None = None,
) -> xr.Dataset:
    """Rerun the selected arms of a screen, with its controls, on fresh units, and
    return the outcomes.

    Estimates of selected arms are inflated, because they were selected for being large.
    Units come from parents reserved before the screen (``Design(reserve=0.25)``); null
    models without parents draw independently.

    Parameters
    ----------
    screen
        Outcomes of the screen, from `causalgia.run`; or its decisions, from
        `causalgia.analyze`.
    select
        Names of arms or contrasts; or decisions, of which those with a direction are
        taken: "increases" or "decreases".
    predictor
        The predictor of the screen.
    rng
        Seed (0 is a seed), Generator or SeedSequence. The seed of the screen gives
        other units, too.
    n_units
        Units of the confirmation; None: as many as in the screen, or as many as were
        reserved if fewer.
    design
        The design of the screen, if the Dataset does not contain it.
    other_predictor
        Whether to allow a predictor other than that of the screen.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers predict.

    Returns
    -------
    Dataset
        Outcomes, as `causalgia.run` returns them, with the screen's analysis of the
        selected contrasts (``error="fdr"`` in place of a posterior of fewer than 10)
        and ``attrs["confirms"]``: the origin of the units and the
        fingerprint of the screen's design.

    Raises
    ------
    DesignError
        If a selected name is not an arm or contrast of the screen, or no sequences are
        left for confirmation.
    EstimateError
        If the decisions to select from have no directional verdict.
    PredictorError
        If the predictor is not the screen's.
    DataError
        If the screen contains no design and none is given.
    StoreError
        As `causalgia.run`.

    Notes
    -----
    Fresh units do not remove the inflation if units share parents: new shuffles of the
    *same* parents "confirm" 27 to 81 % of nulls at 2.5 %. If no parents were reserved,
    the trial uses the same parents and says so: its analysis has ``target="parents"``,
    a claim about these parents alone (if each has two units or more).

    References
    ----------
    Benjamini & Yekutieli (2005), doi:10.1198/016214504000001907: intervals of selected
    effects are too short.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={
    ...         "untreated": cg.Untreated(),
    ...         "GC": cg.Embed("GCGCGC", at=12),
    ...         "AT": cg.Embed("ATATAT", at=12),
    ...     },
    ...     n_units=50,
    ... )
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share"
    ... )
    >>> screen = cg.run(design, share, rng=0)
    >>> fresh = cg.confirm(screen, select="GC", predictor=share, rng=0)
    >>> fresh["arm"].values.tolist(), fresh.attrs["confirms"]
    (['untreated', 'GC'], 'fresh units, drawn independently; selected from the trial ...: GC')
    """
    check_dataset(screen, "outcomes")
    whole = load_design(screen) if design is None else design
    expected = about(screen, whole.fingerprint).design_fingerprint
    if design is not None and design.fingerprint != expected:
        raise DesignError(
            f"design= has the fingerprint {design.fingerprint}, and the screen was "
            f"run with {expected}"
        )
    expected = about(screen, predictor.fingerprint).predictor_fingerprint
    if predictor.fingerprint != expected and not other_predictor:
        raise PredictorError(
            f"the predictor {predictor.fingerprint} is not the one of the screen, "
            f"{expected}, and other_predictor=False"
        )
    analysis = (stored_analysis(screen) or Analysis()).asking(whole.analysis_fields)
    names = _selected_names(select)
    arms = _arms_to_confirm(whole, analysis, names)
    null, units = _fresh_null_model(whole)
    if whole.blocks not in (None, "parent"):
        raise DesignError(
            "blocks= of the screen labels its own units; without blocks or by "
            "'parent' it can be confirmed"
        )
    if n_units is None:
        n_units = min(
            null.available if isinstance(null, Genomic) else whole.n_units,
            whole.n_units,
        )
    remaining = [arm for arm in whole.named_arms if arm.name in arms]
    again = Design(
        null=null,
        arms=remaining,
        n_units=n_units,
        assignment=whole.assignment,
        blocks=whole.blocks,
    )
    # the selected names, and contrasts of single placebos if these define the
    # region
    placebos = {
        arm.name for arm in remaining if arm.intervention.kind == "fixed_placebo"
    }
    rows = analysis.weights_by_contrast if _is_against_placebos(analysis) else {}
    here = {name: row for name, row in rows.items() if set(row) <= set(again.arm_names)}
    seed = Seed.parse(rng)
    fresh = derive(seed.key, "confirm")
    planned = _confirmation_analysis(
        analysis,
        list(dict.fromkeys([*names, *fixed_placebo_contrasts(here, placebos)])),
        of_parents=units == SAME and _have_two_units_each(again, root_key(fresh)),
    )
    outcomes = run(
        again,
        predictor,
        rng=fresh,
        analysis=planned,
        client=client,
    )
    confirms = (
        f"{units}; selected from the trial {whole.fingerprint}: {', '.join(names)}"
    )
    return outcomes.assign_attrs(confirms=confirms, rng=str(seed))


def _selected_names(select: str | Iterable[str] | xr.Dataset) -> list[str]:
    """Return the unique selected names, or the contrasts of decisions that have a
    direction.
    """
    if isinstance(select, xr.Dataset):
        if "verdict" not in select:
            raise EstimateError("select= is a Dataset without 'verdict'")
        verdicts = select["verdict"].transpose("contrast", ...).to_numpy().astype(str)
        directional = (
            np.isin(verdicts, DIRECTIONS).reshape(len(verdicts), -1).any(axis=1)
        )
        if not directional.any():
            raise EstimateError("select= has no verdict of a direction")
        return [str(name) for name in select["contrast"].to_numpy()[directional]]
    names = list(dict.fromkeys(as_names(select) or ()))
    if not names:
        raise DesignError(
            f"select={quoted(select)} is neither names of arms or contrasts nor "
            "decisions",
            argument="select",
        )
    return names


def _arms_to_confirm(design: Design, analysis: Analysis, names: list[str]) -> list[str]:
    """Return the arms of the selected contrasts and the controls of the screen, in the
    screen's order.
    """
    contrasts = analysis.weights_by_contrast
    known = [*design.arm_names, *contrasts]
    wanted: set[str] = set()
    for name in names:
        if name not in known:
            raise DesignError(
                f"select={quoted(name)} is not an arm or contrast of the "
                f"screen{nearest(name, known)}"
            )
        wanted |= (
            {arm for arm, weight in contrasts[name].items() if weight}
            if name in contrasts
            else {name}
        )
    controls = _controls(design, analysis)
    if not wanted - set(controls):
        raise DesignError(f"select={quoted(names)} names only controls of the screen")
    # placebos identical to a selected motif must not be part of its reference
    # distribution, where enough remain
    does = {arm.name: str(arm.intervention) for arm in design.named_arms}
    selected = {does[name] for name in wanted}
    placebos = [
        arm.name
        for arm in design.named_arms
        if arm.intervention.kind == "fixed_placebo"
    ]
    twins = {name for name in placebos if does[name] in selected and name not in wanted}
    by_rank = analysis.region is not None and analysis.region.kind == "placebo"
    n = len(wanted - set(controls))
    needed = placebos_for_ranks(n) if by_rank else LEAST_PLACEBOS
    if len(placebos) - len(twins) < needed:
        twins = set()
    wanted |= set(controls)
    return [name for name in design.arm_names if name in wanted and name not in twins]


def _controls(design: Design, analysis: Analysis) -> list[str]:
    """Return the control of the analysis, else arms of kinds `CONTROLS`, else the first
    arm; and placebos.
    """
    kinds = {arm.name: arm.intervention.kind for arm in design.named_arms}
    placebos = [
        name
        for name, kind in kinds.items()
        if kind == "fixed_placebo" and _is_against_placebos(analysis)
    ]
    if analysis.control is not None:
        return [analysis.control, *placebos]
    if analysis.contrasts is not None:
        return placebos
    return [
        name for name, kind in kinds.items() if kind in CONTROLS
    ] + placebos or design.arm_names[:1]


def _is_against_placebos(analysis: Analysis) -> bool:
    return analysis.has_placebo_region


def _fresh_null_model(design: Design) -> tuple[NullModel, str]:
    """Return the null model of the confirmation and a description of its units."""
    if design.reserved is not None:
        return design.reserved, RESERVED
    if isinstance(design.null, Genomic):
        raise DesignError(
            "all sequences were used in the screen, so none is left for "
            "confirmation; Design(reserve=0.25) keeps some"
        )
    return design.null, SAME if design.null.has_parents else INDEPENDENT


def _have_two_units_each(design: Design, key: int) -> bool:
    """Return whether every parent of a trial has two units or more."""
    ids, stream = np.arange(design.n_units, dtype=np.uint64), derive(key, "null")
    parents = design.drawn.parents(ids, key=stream, n_units=design.n_units)
    return bool(np.unique(parents, return_counts=True)[1].min() > 1)


def _confirmation_analysis(
    analysis: Analysis, names: list[str], *, of_parents: bool
) -> Analysis | None:
    """Return the screen's analysis restricted to the selected contrasts; None if it had
    none.
    """
    if analysis == Analysis():
        return None
    changes: dict[str, object] = {}
    if analysis.contrasts is not None:
        rows = analysis.weights_by_contrast
        changes["contrasts"] = {
            name: rows[name] for name in names if name in rows
        } or None
    if len(names) < LEAST_TO_SHARE:  # too few to learn from what tasks share
        changes["across"] = None
    if of_parents and analysis.target == "population":
        changes["target"] = "parents"
    return replace(analysis, **changes)  # type: ignore[arg-type]  # fields of Analysis

"""Select, then confirm: what a screen selected, once more on units that the screen never saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from causalgia.analysis import LEAST_PLACEBO_WORDS, Analysis, is_of_placebos, kept_analysis, of_one_word
from causalgia.checks import nearest
from causalgia.design import Design, Genomic, NullModel
from causalgia.design.null_model import FromParents
from causalgia.errors import DecisionError, DesignError, PredictorError, quoted
from causalgia.predict import Predictor
from causalgia.schema import require_dataset
from causalgia.streams import RNG, derive, root_key
from causalgia.trial import run
from causalgia.trial.stored_design import load_design

if TYPE_CHECKING:
    from distributed import Client

RESERVED = "fresh units from parents reserved before the screen"
SAME = "fresh units from the same parents as the screen's: a claim about these parents, not about new ones"
INDEPENDENT = "fresh units, drawn independently"

CONTROLS = ("untreated", "placebo")
"""The kinds of arms that are a screen's controls, where its analysis does not say."""


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
    """Run the selected arms of a screen once more, with its controls, on fresh units; the outcomes of that new trial.

    Winners of a screen are inflated: their estimates were selected for being large. Fresh units alone do not cure that
    where units share parents: new shuffles of the *same* parents "confirm" 27 to 81 % of nulls at 2.5 %. So units come
    from the parents that were reserved before the screen (``Design(reserve=0.25)``); null models without parents draw
    independently. Where none were reserved, the trial is on the same parents, and is labelled so: its analysis has
    ``target="parents"``, a claim about these parents alone (where each has two units or more).

    Parameters
    ----------
    screen
        Outcomes of the screen, from `causalgia.run`; or its decisions, from `causalgia.analyze`.
    select
        Names of arms or contrasts; or decisions, of which those called "increases" or "decreases" are taken.
    predictor
        The predictor of the screen.
    rng
        Seed (0 is a seed), Generator or SeedSequence; even the screen's own seed draws other units.
    n_units
        Units of the confirmation; None: as many as the screen's design, as far as the reserved sequences go.
    design
        The design of the screen, where the Dataset does not carry it.
    other_predictor
        Whether the predictor is another one than the screen's, on purpose.
    client
        Of a Dask cluster (`distributed.Client`) whose workers answer; None: this process.

    Returns
    -------
    Dataset
        Outcomes, as `causalgia.run` gives them, with the screen's analysis of the selected contrasts kept with them,
        and ``attrs["confirms"]``: which units these are, and the design that selected them.

    Raises
    ------
    DesignError
        If a selected name is no arm or contrast of the screen, or its sequences are all used and none is reserved.
    DecisionError
        If the decisions to select from have no directional verdict.
    PredictorError
        If the predictor is not the screen's.
    OutcomesError
        If the screen carries no design and none is given.
    ClusterError
        As `causalgia.run`.

    References
    ----------
    Benjamini & Yekutieli (2005), doi:10.1198/016214504000001907: intervals of selected effects are too short.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12), "AT": cg.Embed("ATATAT", at=12)},
    ...     n_units=50,
    ... )
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> screen = cg.run(design, share, rng=0)
    >>> fresh = cg.confirm(screen, select="GC", predictor=share, rng=0)
    >>> fresh["arm"].values.tolist(), fresh.attrs["confirms"]
    (['untreated', 'GC'], 'fresh units, drawn independently; selected from the trial ...: GC')
    """
    require_dataset(screen, "outcomes")
    whole = load_design(screen) if design is None else _checked(design, screen)
    _check_predictor(screen, predictor, other_predictor)
    analysis = (kept_analysis(screen) or Analysis()).asking(whole.asked)
    names = _names(select)
    arms = _arms(whole, analysis, names)
    null, units = _fresh(whole)
    again = _design(whole, null, arms, n_units)
    kept = _analysis(analysis, _judges(again, analysis, names), of_parents=units == SAME and _two_a_parent(again))
    outcomes = run(again, predictor, rng=derive(root_key(rng), "confirm"), analysis=kept, client=client)
    said = f"{units}; selected from the trial {whole.fingerprint}: {', '.join(names)}"
    seed = str(int(rng)) if isinstance(rng, int | np.integer) else type(rng).__name__
    return outcomes.assign_attrs(confirms=said, rng=seed)


def _checked(design: object, screen: xr.Dataset) -> Design:
    if not isinstance(design, Design):
        raise DesignError(f"design={quoted(design)} is no cg.Design; give the one that the screen was run with")
    if design.fingerprint != screen.attrs.get("design_fingerprint", design.fingerprint):
        raise DesignError(
            f"design= has the fingerprint {design.fingerprint}, and the screen was run with "
            f"{screen.attrs['design_fingerprint']}; give that one, or leave design= out"
        )
    return design


def _check_predictor(screen: xr.Dataset, predictor: object, other: bool) -> None:
    if not isinstance(predictor, Predictor):
        raise PredictorError(f"predictor={type(predictor).__name__} is no predictor; give the one of the screen")
    asked = screen.attrs.get("predictor_fingerprint", predictor.fingerprint)
    if predictor.fingerprint != asked and not other:
        raise PredictorError(
            f"the predictor {predictor.fingerprint} is not the one of the screen, {asked}; give that one, or say "
            "other_predictor=True for a confirmation on another"
        )


def _names(select: str | Iterable[str] | xr.Dataset) -> list[str]:
    """Return the names that were selected, each once."""
    if isinstance(select, xr.Dataset):
        return _directional(select)
    names = [select] if isinstance(select, str) else list(dict.fromkeys(map(str, select)))
    if not names:
        raise DesignError("select= names nothing; give names of arms or contrasts, or decisions")
    return names


def _directional(decisions: xr.Dataset) -> list[str]:
    if "verdict" not in decisions:
        raise DecisionError("select= is a Dataset without 'verdict'; give names, or decisions from cg.analyze")
    verdicts = decisions["verdict"].transpose("contrast", ...).to_numpy().astype(str)
    directional = np.isin(verdicts, ("increases", "decreases")).reshape(len(verdicts), -1).any(axis=1)
    if not directional.any():
        raise DecisionError("select= has no verdict 'increases' or 'decreases', so nothing is left to confirm")
    return [str(name) for name in decisions["contrast"].to_numpy()[directional]]


def _arms(design: Design, analysis: Analysis, names: list[str]) -> list[str]:
    """Return the arms of the selected contrasts and the controls of the screen, in the screen's order."""
    contrasts = analysis.weights_by_contrast
    known = [*design.arm_names, *contrasts]
    wanted: set[str] = set()
    for name in names:
        if name not in known:
            raise DesignError(
                f"select= names {quoted(name)}, which is no arm or contrast of the screen{nearest(name, known)}"
            )
        wanted |= {arm for arm, weight in contrasts[name].items() if weight} if name in contrasts else {name}
    if not wanted - set(_controls(design, analysis)):
        raise DesignError(f"select= names only controls of the screen ({', '.join(names)}); name arms to confirm")
    twins = _placebo_twins(design, wanted)
    wanted |= set(_controls(design, analysis))
    return [name for name in design.arm_names if name in wanted and name not in twins]


def _placebo_twins(design: Design, chosen: set[str]) -> set[str]:
    """Return the placebo words that are a selected word: where all words are screened, the others judge it.

    None where fewer than the 40 that a region takes would be left.
    """
    does = {arm.name: str(arm.intervention) for arm in design.named_arms}
    selected = {does[name] for name in chosen}
    words = [arm.name for arm in design.named_arms if arm.intervention.kind == "placebo_word"]
    twins = {name for name in words if does[name] in selected and name not in chosen}
    return twins if len(words) - len(twins) >= LEAST_PLACEBO_WORDS else set()


def _controls(design: Design, analysis: Analysis) -> list[str]:
    """Return the control of the analysis, or the arms of such kinds, or the first arm; placebo words if they judge."""
    kinds = {arm.name: arm.intervention.kind for arm in design.named_arms}
    words = [name for name, kind in kinds.items() if kind == "placebo_word" and is_of_placebos(analysis.rope)]
    if analysis.control is not None:
        return [analysis.control, *words]
    if analysis.contrasts is not None:
        return words
    return [name for name, kind in kinds.items() if kind in CONTROLS] + words or design.arm_names[:1]


def _fresh(design: Design) -> tuple[NullModel, str]:
    """Return the null model of the confirmation, and in words what its units are."""
    if design.reserved is not None:
        return design.reserved, RESERVED
    if isinstance(design.null, Genomic):
        raise DesignError(
            "the screen was on these sequences themselves and none was reserved, so that none is left to confirm on; "
            "run the screen with Design(reserve=0.25)"
        )
    return design.null, SAME if isinstance(design.null, FromParents) else INDEPENDENT


def _design(design: Design, null: NullModel, arms: list[str], n_units: int | None) -> Design:
    most = null.available if isinstance(null, Genomic) else design.n_units
    kept = [arm for arm in design.named_arms if arm.name in arms]
    if design.blocks not in (None, "parent"):
        raise DesignError("blocks= of the screen labels its own units; confirm a screen without blocks, or by 'parent'")
    n = min(most, design.n_units) if n_units is None else n_units
    return Design(null=null, arms=kept, n_units=n, assignment=design.assignment, blocks=design.blocks)


def _two_a_parent(design: Design) -> bool:
    return isinstance(design.null, FromParents) and design.n_units >= 2 * len(design.null.parents_given)


def _judges(design: Design, analysis: Analysis, names: list[str]) -> list[str]:
    """Return the selected names, and the contrasts of single placebo words where these are the region that judges."""
    words = {arm.name for arm in design.named_arms if arm.intervention.kind == "placebo_word"}
    rows = analysis.weights_by_contrast if is_of_placebos(analysis.rope) else {}
    here = {name: row for name, row in rows.items() if set(row) <= set(design.arm_names)}
    return list(dict.fromkeys([*names, *of_one_word(here, words)]))


def _analysis(analysis: Analysis, names: list[str], *, of_parents: bool) -> Analysis | None:
    """Return the screen's analysis of what was selected; None where it asked nothing."""
    if analysis == Analysis():
        return None
    changes: dict[str, object] = {}
    if analysis.contrasts is not None:
        rows = analysis.weights_by_contrast
        changes["contrasts"] = {name: rows[name] for name in names if name in rows} or None
    if of_parents and analysis.target == "population":
        changes["target"] = "parents"
    return replace(analysis, **changes)  # type: ignore[arg-type]  # fields of Analysis

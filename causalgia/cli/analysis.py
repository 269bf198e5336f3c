"""From outcomes to estimates as an analysis says: the file's, with the options of the command line in its place."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia.cli.folder import SPEC
from causalgia.errors import CausalgiaWarning, DesignError

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.trial.choices import AnalysisSpec


def analysis_of(folder: Path, outcomes: xr.Dataset) -> AnalysisSpec:
    """Return the analysis in the folder's trial.toml; warn where it is not the one fixed before the outcomes."""
    from causalgia.trial.choices import AnalysisSpec
    from causalgia.trial.spec import read_analysis

    fixed = outcomes.attrs.get("analysis")
    if not (folder / SPEC).is_file():
        return AnalysisSpec.from_dict(json.loads(fixed) if fixed else {})
    analysis = read_analysis(folder / SPEC)
    if fixed is not None and analysis.to_json() != fixed:
        text = f"[analysis] in {folder / SPEC} was changed after the outcomes were seen; it was {fixed}"
        warnings.warn(text, CausalgiaWarning, stacklevel=2)
    return analysis


def chosen(analysis: AnalysisSpec, given: dict[str, Any]) -> AnalysisSpec:
    """Return the analysis with the options of the command line in the place of what the file says."""
    from causalgia.trial.tables import ANALYSIS, check_value

    options = {key: value for key, value in given.items() if value is not None}
    plain = analysis.to_dict()
    if "control" in options:
        plain = {key: value for key, value in plain.items() if key not in ("contrasts", "interaction")}
    for key, value in options.items():
        check_value(value, ANALYSIS, key, said=f"--{key.replace('_', '-')}")
    found = analysis.from_dict({**plain, **options})
    if found.control is None and found.contrasts is None and found.interaction is None:
        raise DesignError("which arm is the control? say --control NAME, or control = in [analysis] of the trial.toml")
    return found


def estimated(outcomes: xr.Dataset, analysis: AnalysisSpec) -> xr.Dataset:
    """Return the estimates that an analysis asks for."""
    from causalgia.effects import contrast
    from causalgia.estimation import estimate as estimate_effects
    from causalgia.multiplicity import adjust as adjust_p

    effects = contrast(
        outcomes,
        control=analysis.control,
        contrasts=analysis.contrasts,
        interaction=analysis.interaction,
        scale=analysis.scale,  # type: ignore[arg-type]  # checked when the analysis was read
    )
    estimates = estimate_effects(
        effects,
        cluster=None if analysis.cluster == "none" else analysis.cluster,
        block=analysis.block,
        covariates=analysis.covariates,
        target=analysis.target,
        ci_prob=analysis.ci_prob,
        weights=analysis.weights,  # type: ignore[arg-type]  # checked when the analysis was read
    )
    if analysis.adjust is None:
        return estimates
    return adjust_p(estimates, method=analysis.adjust, family=analysis.family)  # type: ignore[arg-type]  # checked

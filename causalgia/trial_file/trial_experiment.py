"""The tables of an experiment in a `trial.toml`: one of the catalogue, or
``kind = "trial"``, the question that the arms and contrasts of the file ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import Parameter
from typing import Any

from causalgia import experiments
from causalgia.analysis import Analysis
from causalgia.checks import Table, check_key, nearest
from causalgia.design import Arm, Design, NullModel
from causalgia.design.matched_variants import MatchedVariants
from causalgia.errors import DesignError, quoted
from causalgia.experiments import Experiment
from causalgia.experiments.kit.experiment import check_experiment_name
from causalgia.experiments.kit.trial import ROPE, Trial
from causalgia.expressions import matched
from causalgia.ropes import RopeLike
from causalgia.trial_file.tables import (
    TrialFile,
    arguments,
    read_null,
    sequences_of,
    taken_by,
)

_OWN, _OWN_TABLES = "trial", ("arms", "contrasts")


def own_trial(
    null: NullModel,
    *,
    arms: Mapping[str, Table],
    contrasts: str | Mapping[str, Mapping[str, float]],
    question: str = "",
    estimand: str = "",
    axis: str = "",
    of: str = "",
    asked: Sequence[str] = (),
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the `causalgia.experiments.Trial` that ``kind = "trial"`` describes: the
    arms and contrasts of the file, and what its answer is made from.

    Examples
    --------
    >>> from causalgia.design import Uniform
    >>> asked = own_trial(
    ...     Uniform(length=41),
    ...     arms={"site": {"embed": "UGCAUG", "at": 5}, "untreated": {}},
    ...     contrasts="untreated",
    ...     labels={"place": {"site": 5}},
    ...     axis="place",
    ...     n_units=100,
    ... )
    >>> asked.labels
    {'place': {'site': 5}}
    """
    trial = Trial(null, question=question, estimand=estimand, axis=axis, of=of)
    made = [Arm.from_dict(name, arm) for name, arm in arms.items()]
    design = Design(null=null, arms=made, n_units=n_units, contrasts=contrasts)
    for arm in design.named_arms:
        trial.intervention(arm.name, arm.intervention, **arm.factors)
    rows: Mapping[str, Mapping[str, float]] = design.named_contrasts or {}
    labels = labels or {}
    found = {pattern: matched(pattern, rows) for pattern in asked}
    labeled = {name: name in rows for label in labels.values() for name in label}
    for name, known in (*found.items(), *labeled.items()):
        if not known:
            raise DesignError(f"no contrast is {quoted(name)}{nearest(name, rows)}")
    chosen = {name for names in found.values() for name in names}
    for name, row in rows.items():
        own = {label: each[name] for label, each in labels.items() if name in each}
        trial.row(name, row, asked=name in chosen, **own)
    return trial.experiment(n_units=n_units, rope=rope)


def function_of(kind: object) -> Callable[..., Experiment]:
    """Return the function that makes an experiment of the catalogue.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.

    Examples
    --------
    >>> function_of("copies").__name__
    'copies'
    """
    if kind == _OWN:
        return own_trial
    check_experiment_name(kind)
    made: Callable[..., Experiment] = getattr(experiments, str(kind))
    return made


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """Specification of an experiment in a trial file.

    Parameters
    ----------
    kind
        Its name in the catalogue.
    settings
        Other keys of ``[experiment]``, with absolute paths.
    null
        Null model in ``[null]``; None for the experiment's default.
    n_units, reserve
        Keys at the top of the file; None if left out.
    analysis
        Keys of ``[analysis]``, which override the experiment's defaults, including the
        region of practical equivalence wherever it is written.

    Examples
    --------
    >>> from causalgia.design import Uniform
    >>> spec = ExperimentSpec(
    ...     kind="copies",
    ...     settings={"motif": "UGCAUG", "at": [4, 12]},
    ...     null=Uniform(length=41),
    ...     analysis={"ci_prob": 0.9},
    ... )
    >>> spec.build().analysis
    Analysis(ci_prob=0.9, rope='0.1 of largest')
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    null: NullModel | MatchedVariants | None = None
    n_units: int | None = None
    reserve: float | None = None
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Experiment:
        """Return the experiment, with the analysis of the file overriding its own.

        Raises
        ------
        DesignError
            If a setting is wrong, or the analysis asks for contrasts.
        """
        make = function_of(self.kind)
        analysis = dict(self.analysis)
        settings = {
            key: sequences_of(value, place=f"[experiment.{key}]", rng=0)
            for key, value in self.settings.items()
        }
        if self.null is not None:
            settings[_null_argument(make)] = self.null
        if self.n_units is not None:
            settings["n_units"] = self.n_units
        if "rope" in analysis and "rope" in taken_by(make):
            settings["rope"] = Analysis.from_dict({"rope": analysis.pop("rope")}).region
        try:
            experiment = make(**settings)
        except (TypeError, ValueError, AttributeError) as error:
            raise DesignError(f"[experiment]: {error}") from error
        if self.reserve is not None:
            experiment = replace(experiment, reserve=self.reserve)
        if not analysis:
            return experiment
        plan = Analysis.from_dict(experiment.analysis.to_dict() | analysis)
        return replace(experiment, analysis=plan)

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as TOML-ready data."""
        top = {"n_units": self.n_units, "reserve": self.reserve}
        own = {key: self.settings[key] for key in _OWN_TABLES if self.kind == _OWN}
        settings = {key: x for key, x in self.settings.items() if key not in own}
        return {
            **{key: value for key, value in top.items() if value is not None},
            **({} if self.null is None else {"null": self.null.to_dict()}),
            "experiment": {"kind": self.kind, **settings},
            **own,
            **({"analysis": dict(self.analysis)} if self.analysis else {}),
        }


def read_experiment(file: TrialFile) -> ExperimentSpec:
    """Return the specification of the experiment in a trial file.

    Raises
    ------
    DesignError
        If the experiment is unknown, lacks a setting, or is combined with keys that it
        does not allow.
    """
    settings, analysis = dict(file.experiment or {}), dict(file.analysis)
    check_key(settings, "kind", "[experiment]")
    kind = settings.pop("kind")
    make = function_of(kind)
    own = _OWN_TABLES if kind == _OWN else ()
    for key in ("placebos", "blocks", "assignment", *_OWN_TABLES):
        if getattr(file, key) not in (None, "crossover") and key not in own:
            raise DesignError(
                f"{key} is not for an experiment, which makes its own arms and "
                "contrasts, and gives every unit every arm"
            )
    for key in ("control", "contrasts", "interaction"):
        if key in analysis:
            raise DesignError(
                f"[analysis]: {key} is not for an experiment, whose contrasts are its "
                "own"
            )
    if "rope" in settings:
        region = settings.pop("rope")
        if analysis.setdefault("rope", region) != region:
            raise DesignError("rope is in [experiment] and another is in [analysis]")
    takes, given = taken_by(make), _null_argument(make)
    if file.n_units is not None and "n_units" not in takes:
        raise DesignError(f"n_units: experiment '{kind}' takes the units given")
    for key in ("null", "n_units", "rng", "reserve", *_OWN_TABLES):
        if key in settings:
            raise DesignError(f"[experiment]: {key} is a key at the top of the file")
    if file.null is not None and given in settings:
        raise DesignError(
            f"[experiment]: {given} and [null] are both given; keep one of them"
        )
    if file.null is None and given == "null" and takes[given][1] is Parameter.empty:
        raise DesignError(f"experiment '{kind}' needs a table [null]")
    elsewhere = ("null", "n_units", *own, *(() if file.null is None else (given,)))
    arguments(make, settings, "[experiment]", but=elsewhere)
    return ExperimentSpec(
        kind=kind,
        settings=settings | {key: file.need(key) for key in own},
        null=None if file.null is None else read_null(file.null, file.rng or 0),
        n_units=file.n_units,
        reserve=file.reserve,
        analysis=analysis,
    )


def _null_argument(make: Callable[..., Any]) -> str:
    """Return the argument set by `[null]`: the null model, or the sequences of an
    experiment without one.
    """
    takes = taken_by(make)
    return "null" if "null" in takes else next(iter(takes))

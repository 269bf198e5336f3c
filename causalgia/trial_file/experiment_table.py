"""Experiment of the catalogue in a trial file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter
from typing import Any

from causalgia import experiments
from causalgia.analysis import Analysis
from causalgia.checks import Table, nearest, shown
from causalgia.design import MatchedVariants, NullModel
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.experiments import Experiment, build, entries

_FIXED_KEYS = ("control", "contrasts", "interaction")
_TOP_KEYS = ("n_units", "reserve")


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
        Keys of ``[analysis]``, which override the experiment's defaults, including the region of practical equivalence
        wherever it is written.

    Examples
    --------
    >>> spec = ExperimentSpec(kind="copies", settings={"at": [4, 12]}, n_units=100, analysis={"level": 0.9})
    >>> spec.build().analysis
    Analysis(rope='0.2 sd', level=0.9, error='bh', exchangeable=False)
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
            If there is no such experiment or setting, one is missing or wrong, or the analysis asks for contrasts.
        """
        takes = experiment_parameters(self.kind)
        settings = dict(self.settings)
        if self.null is not None:
            settings[_null_parameter(takes)] = self.null
        by_position = [name for name, parameter in takes.items() if parameter.kind is not Parameter.KEYWORD_ONLY]
        arguments = [settings.pop(name) for name in by_position if name in settings]
        if self.n_units is not None:
            settings["n_units"] = self.n_units
        if "rope" in self.analysis and "rope" in takes:
            settings["rope"] = Analysis.from_dict({"rope": self.analysis["rope"]}).region
        try:
            experiment = build(self.kind, *arguments, settings=settings)
        except CausalgiaError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise DesignError(
                f"[experiment]: a setting is of the wrong type ({error}); `causalgia experiments {self.kind}` says "
                "what they take"
            ) from error
        if self.reserve is not None:
            experiment = replace(experiment, reserve=self.reserve)
        given = {key: value for key, value in self.analysis.items() if key != "rope" or "rope" not in takes}
        if not given:
            return experiment
        return replace(experiment, analysis=Analysis.from_dict({**experiment.analysis.to_dict(), **given}))

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as TOML-ready data."""
        top = {key: getattr(self, key) for key in _TOP_KEYS if getattr(self, key) is not None}
        null = {} if self.null is None else {"null": self.null.to_dict()}
        asked = {"analysis": dict(self.analysis)} if self.analysis else {}
        return {**top, **null, "experiment": {"kind": self.kind, **self.settings}, **asked}


def read_experiment(table: Table, null: NullModel | MatchedVariants | None) -> ExperimentSpec:
    """Return the specification of the experiment in a trial file.

    Parameters
    ----------
    table
        The whole file, with checked keys and absolute paths.
    null
        Null model of ``[null]``.

    Raises
    ------
    DesignError
        If the experiment is unknown, lacks a setting, or is combined with keys that it does not allow.
    """
    settings = dict(table["experiment"])
    kind = settings.pop("kind")
    takes = experiment_parameters(kind)
    analysis = dict(table.get("analysis", {}))
    _check_other_tables(table, kind, takes, settings, analysis)
    if "rope" in settings:
        analysis["rope"] = settings.pop("rope")
    _check_settings(kind, takes, settings, null)
    top = {key: table[key] for key in _TOP_KEYS if key in table}
    return ExperimentSpec(kind=kind, settings=settings, null=null, analysis=analysis, **top)


def experiment_parameters(kind: object) -> dict[str, Parameter]:
    """Return the parameters of an experiment by name, the positional one first.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.

    Examples
    --------
    >>> list(experiment_parameters("copies"))
    ['null', 'word', 'at', 'n_units', 'rope']
    """
    known = entries()
    if not isinstance(kind, str) or kind not in known:
        near = nearest(str(kind), known) or f"; there are {', '.join(known)}"
        raise DesignError(f"there is no experiment {shown(kind)}{near}")
    return dict(inspect.signature(getattr(experiments, kind)).parameters)


def _check_other_tables(
    table: Table, kind: str, takes: Mapping[str, Parameter], settings: Table, analysis: Table
) -> None:
    for key in ("arms", "placebos", "blocks", "contrasts"):
        if key in table:
            raise DesignError(f"[experiment] makes its own arms and contrasts: leave {key} out, or [experiment]")
    if table.get("assignment", "crossover") != "crossover":
        raise DesignError(f"experiment '{kind}' gives every unit every arm: leave assignment out")
    for key in _FIXED_KEYS:
        if key in analysis:
            raise DesignError(
                f"[analysis]: {key} is not for an experiment, whose contrasts are its own; leave it out, or write the "
                "trial with [arms]"
            )
    for key in ("null", *_TOP_KEYS):
        if key in settings:
            raise DesignError(
                f"[experiment]: {key} stands {'in [null]' if key == 'null' else 'at the top of the file'}"
            )
    if "rope" in settings and settings["rope"] != analysis.get("rope", settings["rope"]):
        raise DesignError("rope stands in [experiment] and another one in [analysis]; keep one of them")
    if "n_units" in table and "n_units" not in takes:
        several = " and its draws" if "n_draws" in takes else ""
        raise DesignError(f"n_units: experiment '{kind}' has the units of its sequences{several}; leave n_units out")
    if table.get("n_units", 2) < 2:
        raise DesignError(f"n_units = {table['n_units']}: the answer needs standard errors, and these 2 units or more")


def _check_settings(
    kind: str, takes: Mapping[str, Parameter], settings: Table, null: NullModel | MatchedVariants | None
) -> None:
    standing_in = _null_parameter(takes)
    if null is not None and standing_in in settings:
        raise DesignError(f"[experiment]: {standing_in} and [null] are both given; keep one of them")
    for key in settings:
        if key not in takes:
            known = [name for name in takes if name not in ("null", "n_units")]
            hint = nearest(key, known) or f"; it takes {', '.join(known)}"
            raise DesignError(f"experiment '{kind}' has no {quoted(key)}{hint}")
    for name, parameter in takes.items():
        given = name in settings or (name == standing_in and null is not None)
        if parameter.default is Parameter.empty and not given:
            where = "a table [null]" if name == "null" else f"'{name}' in [experiment]"
            raise DesignError(f"experiment '{kind}' needs {where}; `causalgia experiments {kind}` lists its settings")


def _null_parameter(takes: Mapping[str, Parameter]) -> str:
    """Return the parameter set by `[null]`: the null model, or the sequences of an experiment without one."""
    return "null" if "null" in takes else next(iter(takes))

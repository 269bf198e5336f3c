"""Analysis plan of a trial, fixed before the outcomes are seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from causalgia.analysis_values import (
    WEIGHTS,
    Contrasts,
    InText,
    Shrinkage,
    Shrinking,
    as_comparable,
    as_frozen,
    as_plain,
)
from causalgia.arguments import ANALYSIS
from causalgia.attributes import about
from causalgia.checks import check_keys, check_value, is_not_among, nearest
from causalgia.choices import (
    LEAST_PLACEBOS,
    LEAST_TO_SHARE,
    Error,
    Scale,
    Target,
    placebos_for_ranks,
)
from causalgia.errors import (
    CausalgiaError,
    DataError,
    DesignError,
    quoted,
)
from causalgia.expressions import (
    first_dependent,
    is_pattern,
    matched,
    without_patterns,
)
from causalgia.inputs import as_html, parse_json, parse_toml
from causalgia.notes import design_question, with_notes
from causalgia.ropes import Rope, RopeLike

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.variables import Kind

__all__ = ["Analysis", "AnalysisFields", "Contrasts", "with_fields"]


class AnalysisFields(TypedDict, total=False):
    """Fields of an `Analysis`, given one by one beside outcomes."""

    control: str | None
    contrasts: Contrasts | InText | None
    interaction: Sequence[str] | None
    tasks: Contrasts | InText | None
    scale: Scale
    cluster: str
    block: str | None
    covariates: Sequence[str] | None
    target: Target
    ci_prob: float
    weights: Literal["units", "clusters"]
    family: str | None
    question: Sequence[str] | str | None
    across: Literal["task"] | None
    rope: RopeLike | None
    error: Error
    largest: float | Mapping[str, float] | None
    shrink: Shrinkage | Shrinking


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Analysis plan: contrasts, intervals, families, region of practical equivalence,
    error rate.

    It is fixed before the outcomes are seen (in a ``trial.toml``, or
    ``cg.run(..., analysis=)``) and stored with them. `causalgia.analyze` carries it out
    and marks deviations as exploratory.

    Parameters
    ----------
    control
        The arm subtracted from every other arm.
    contrasts
        Contrasts of arms, in place of a control: contrast -> arm -> weight, with
        weights that sum to 0; or text over names of arms, such as
        ``"GATA1 - scrambled"``, alone, in a list or by name, as in
        `causalgia.contrast`.
    interaction
        Two or more factors of the arms, in place of a control.
    tasks
        Contrasts between tasks, such as ``"K562 - HepG2"``, or a pattern; ``"*"`` is
        each task. Also ``{"K562 minus HepG2": {"K562": 1, "HepG2": -1}}``, as in
        `causalgia.contrast`: verdicts are then on these, and no longer on each task. A
        region by task names them. A pattern (``"DNASE:*"``) is each task that it matches, in a sum their
        mean.
    scale
        Scale on which effects are taken: ``"identity"``, ``"log"``, ``"log2"`` or
        ``"logit"``, applied to every outcome; or ``"log_of_means"``, ``"ratio"`` or
        ``"sd"``, as in `causalgia.contrast`.
    cluster
        Units that vary together: ``"auto"``, ``"none"`` (units are independent), or a
        coordinate of the units, such as ``"parent"``.
    block
        Coordinate inside which arms of a parallel trial were randomized.
    covariates
        Coordinates of the units, such as ``["gc"]``, that adjust the estimates of a
        parallel trial.
    target
        Population over which effects are averaged, as in `causalgia.estimate`.
    weights
        What is weighted equally in a mean: ``"units"`` or ``"clusters"``.
    ci_prob
        Probability of the intervals. From 0.5 to below 1; verdicts have the error rate
        ``1 - ci_prob``.
    family
        Rows among which an error rate holds: ``"task"``, or a factor of the arms; all
        if left out. ``"task"``: those of one task; or a coordinate of the contrasts (for
        a factor of the arms, each contrast has the level of its treatment arm).
    question
        Names of the contrasts that answer the question, or patterns of them
        (``"interaction at *"``): these are the family, and every other contrast is
        judged by itself. None: every contrast answers it.
    across
        Whether tasks borrow strength from each other. ``"task"``, as in
        `causalgia.infer`; for 20 contrasts or more in two tasks or more.
    rope
        Region of practical equivalence: ``(lower, upper)`` on the scale of the
        contrasts, or one for each task; ``"placebo"``, ``"placebo outliers"``, in sd of
        the control arm ``"0.2 sd"``, or 0 for direction alone. `causalgia.decide` says
        what each means, `causalgia.Rope.parse` reads them.
    error
        Error rate of the verdicts, as in `causalgia.decide`: ``"fdr"`` (expected share
        of false verdicts), ``"fwer"`` (probability of any false verdict) or ``"each"``
        (error rate of each verdict by itself).
    largest
        Largest effect that any background can have. One number, or one for each task,
        as in `causalgia.decide`.
    shrink
        The hierarchical effect sizes that stand beside the table, and moderated
        variances: a `causalgia.Shrinkage`, or a table of its fields, ``prior`` (a table
        of those of `causalgia.Prior`), ``all_rows`` and ``variances``.

    Raises
    ------
    DesignError
        If a value is invalid, or more than one of control, contrasts and interaction is
        given.

    Examples
    --------
    >>> Analysis(control="placebo", rope=(-0.1, 0.1), error="fwer")
    Analysis(control='placebo', rope=(-0.1, 0.1), error='fwer')
    >>> Analysis(control="placebo", rope=(0.1, -0.1))
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: Analysis: rope=(0.1, -0.1) is reversed; the lower end comes first
    """

    control: str | None = None
    contrasts: Contrasts | InText | None = None
    interaction: Sequence[str] | None = None
    tasks: Contrasts | InText | None = None
    scale: Scale = "identity"
    cluster: str = "auto"
    block: str | None = None
    covariates: Sequence[str] | None = None
    target: Target = "population"
    ci_prob: float = 0.95
    weights: Literal["units", "clusters"] = "units"
    family: str | None = None
    question: Sequence[str] | str | None = None
    across: Literal["task"] | None = None
    rope: RopeLike | None = None
    error: Error = "fdr"
    largest: float | Mapping[str, float] | None = None
    shrink: Shrinkage | Shrinking = Shrinkage()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: as_plain(name, value) for name, value in given.items()}
        table = {
            f.name: plain[f.name]
            for f in fields(self)
            if plain[f.name] is not None or f.default is not None
        }
        for name, value in table.items():
            check_value(
                value,
                ANALYSIS,
                name,
                given=None if name in WEIGHTS else given[name],
                place="Analysis",
            )
        questions = [
            key for key in ("control", "contrasts", "interaction") if key in table
        ]
        if len(questions) > 1:
            raise DesignError(
                f"Analysis: {' and '.join(questions)} ask different questions",
            )
        for name, value in plain.items():
            object.__setattr__(self, name, as_frozen(name, value))
        self._check_region_of_ratios()
        self._check_prediction()
        self._check_sharing()

    def _check_region_of_ratios(self) -> None:
        """Raise DesignError for a region of ratios that does not contain no effect."""
        if self.scale != "ratio" or self.region is None:
            return
        for low, high in self.region.stated_ends:
            if not low <= 1 <= high:
                raise DesignError(
                    f"Analysis: rope={quoted((low, high))} does not contain 1, which "
                    "is no effect on scale='ratio'",
                    argument="rope",
                )

    def _check_prediction(self) -> None:
        """Raise DesignError if a method for the effect in a new network resamples units
        or needs a posterior.
        """
        if self.target == "next predictor" and self.error == "fwer":
            raise DesignError(
                f"Analysis: error={quoted(self.error)} does not go with target='next "
                "predictor', whose interval is a prediction from few networks",
                argument="error",
            )

    def _check_sharing(self) -> None:
        """Raise DesignError if tasks are to share strength, and a setting is of the law
        of one task.
        """
        if self.across is None:
            return
        others = {
            "shrink": replace(self.shrink, variances=False) == Shrinkage(),  # type: ignore[type-var]
            "scale": self.scale != "ratio",
            "target": self.target != "next predictor",
        }
        for name in (name for name, fits in others.items() if not fits):
            raise DesignError(
                f"Analysis: {name}={quoted(getattr(self, name))} does not go with "
                "across='task', where one law holds for all contrasts in all tasks",
                argument=name,
            )

    def check(
        self,
        arms: Sequence[str],
        factors: Sequence[str],
        *,
        units: Sequence[str] | None = None,
        placebos: Sequence[str] | None = None,
        tasks: Sequence[str] | None = None,
    ) -> None:
        """Raise DesignError if a design lacks names that the analysis uses.

        Parameters
        ----------
        arms
            Names of the arms of the design.
        factors
            Names of their factors.
        units
            Names of the coordinates that its units have; None leaves cluster, block and
            covariates unchecked.
        placebos
            Which arms are placebos; None leaves their number unchecked.
        tasks
            Names of the tasks; None leaves them unchecked.

        Raises
        ------
        DesignError
            If one is lacking; names the nearest.
        """
        if self.control is not None:
            _check_known(self.control, arms, "arm", "control")
        for name, weights in self.weights_by_contrast.items():
            for arm in weights:
                _check_known(arm, arms, "arm", "contrasts", name)
        for factor in self.interaction or ():
            _check_known(factor, factors, "factor", "interaction")
        if self.contrasts is not None:
            rows_of_question(self.question, list(self.weights_by_contrast))
        elif self.control is not None:
            treated = [arm for arm in arms if arm != self.control]
            rows_of_question(self.question, treated)
        if self.family not in (None, "task", "arm"):
            _check_known(str(self.family), factors, "factor", "family")
        self._check_units(units)
        for name, weights in (
            self.weights_by_task_contrast.items() if tasks is not None else ()
        ):
            for task in weights:
                if not matched(task, tasks or ()):
                    _check_known(task, tasks or (), "task", "tasks", name)
        names = self._names_of_tasks(tasks)
        self._check_rope(arms, placebos, names)
        if self.across is not None:
            self._check_number(arms, names, tasks)

    def _check_number(
        self,
        arms: Sequence[str],
        tasks: Sequence[str] | None,
        known: Sequence[str] | None,
    ) -> None:
        """Raise DesignError where too little is planned for tasks to share strength."""
        n = (
            len(arms) - 1
            if self.control is not None
            else len(self.weights_by_contrast) or 1
        )
        if tasks is not None and len(tasks) < 2:
            raise _of_tasks(", and there is one task and nothing to share")
        rows = self.weights_by_task_contrast
        if known is not None:
            rows = without_patterns(rows, known)
        if dependent := first_dependent(rows):
            raise _of_tasks(
                f", and the contrast of tasks {quoted(dependent)} is a sum of those "
                "before it: its errors follow from theirs, and nothing is shared with "
                "it",
            )
        if self.asks and n < LEAST_TO_SHARE:
            raise _of_tasks(
                f"takes {LEAST_TO_SHARE} contrasts, from which it learns what tasks "
                f"share, and there are {n}"
            )

    def _names_of_tasks(self, tasks: Sequence[str] | None) -> Sequence[str] | None:
        """Return the tasks that results will have; None where they are not known
        yet.
        """
        if self.tasks is None:
            return tasks
        if tasks is None:
            named = list(self.weights_by_task_contrast)
            patterns = any(
                is_pattern(task)
                for row in self.weights_by_task_contrast.values()
                for task in row
            )
            return None if patterns else named
        return list(without_patterns(self.weights_by_task_contrast, tasks))

    def _check_units(self, units: Sequence[str] | None) -> None:
        named = [("covariates", name) for name in self.covariates or ()]
        if self.cluster not in ("auto", "none"):
            named.append(("cluster", self.cluster))
        if self.block is not None:
            named.append(("block", self.block))
        for field, name in named if units is not None else []:
            # a share of letters is a covariate, and no group of units
            known = [one for one in units or () if field == "covariates" or one != "gc"]
            if name not in (units or ()):
                _check_known(name, known, "coordinate of the units", field)

    def _check_rope(
        self,
        arms: Sequence[str],
        placebos: Sequence[str] | None,
        tasks: Sequence[str] | None,
    ) -> None:
        region = self.region
        if region is None:
            return
        if region.of_placebos and placebos is not None:
            self._check_placebos(region, arms, placebos)
        if tasks is None or region.kind != "by task":
            return
        for task in region.argument:
            _check_known(task, tasks, "task", "rope")
        for task in tasks:
            if task not in region.argument:
                raise DesignError(
                    f"Analysis: rope: there is no region for the task {quoted(task)}",
                )

    def _check_placebos(
        self, region: Rope, arms: Sequence[str], placebos: Sequence[str]
    ) -> None:
        """Raise DesignError where a region of placebos has too few of them."""
        contrasts = [arm for arm in arms if arm != str(self.control)]
        of_placebos = [arm for arm in contrasts if arm in set(placebos)]
        if self.contrasts is not None or self.interaction is not None:
            contrasts = list(self.weights_by_contrast)
            of_placebos = fixed_placebo_contrasts(
                self.weights_by_contrast, set(placebos)
            )
        asked = rows_of_question(self.question, contrasts)
        of_question = {one for one, it in zip(contrasts, asked, strict=True) if it}
        n, k = len(of_placebos), len(of_question - set(of_placebos))
        needed = placebos_for_ranks(k) if region.kind == "placebo" else LEAST_PLACEBOS
        if n < needed:
            raise DesignError(
                f"Analysis: rope={quoted(region.value)} needs {needed:,} placebos for "
                f"{k:,} contrast{'s' * (k != 1)}, and there are {n:,}",
                argument="rope",
            )

    @property
    def weights_by_contrast(self) -> dict[str, dict[str, float]]:
        """The contrasts as a mapping contrast -> arm -> weight; empty if there are
        none.
        """
        rows: Any = self.contrasts or ()  # pairs or mapping
        return {name: dict(weights) for name, weights in dict(rows).items()}

    @property
    def weights_by_task_contrast(self) -> dict[str, dict[str, float]]:
        """The contrasts between tasks as a mapping name -> task -> weight; empty if
        there are none.
        """
        rows: Any = self.tasks or ()  # pairs or mapping
        return {name: dict(weights) for name, weights in dict(rows).items()}

    @property
    def asks(self) -> bool:
        """Whether contrasts are defined: by a control, weights or an interaction."""
        return not (
            self.control is None and self.contrasts is None and self.interaction is None
        )

    def asking(self, question: Mapping[str, Any]) -> Analysis:
        """Return the analysis, with a design's ``{"control": ...}`` or
        ``{"contrasts": ...}`` if it has none, and with the rows of its question.

        Examples
        --------
        >>> Analysis(rope=0).asking({"control": "placebo"})
        Analysis(control='placebo', rope=0)
        """
        if self.asks:
            return self
        own = {} if self.question is None else {"question": self.question}
        return replace(self, **{**question, **own})

    @property
    def contrasting(self) -> dict[str, Any]:
        """Arguments of `causalgia.contrast`: control, contrasts or interaction, the
        scale, and contrasts of tasks.

        Examples
        --------
        >>> Analysis(control="placebo").contrasting
        {'control': 'placebo', 'contrasts': None, 'interaction': None, 'scale': 'identity', 'tasks': None}
        """
        question: dict[str, Any] = {
            "control": self.control,
            "contrasts": self.weights_by_contrast or None,
        }
        question |= {"interaction": self.interaction, "scale": self.scale}
        return question | {"tasks": self.weights_by_task_contrast or None}

    @cached_property
    def region(self) -> Rope | None:
        """The region of practical equivalence as a `causalgia.Rope`; None without
        one.
        """
        return None if self.rope is None else Rope.parse(self.rope)

    @property
    def has_placebo_region(self) -> bool:
        """Whether effects are compared with the range of random sequences.

        Examples
        --------
        >>> Analysis(rope="placebo").has_placebo_region, Analysis().has_placebo_region
        (True, False)
        """
        return self.region is not None and self.region.of_placebos

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits, equal for equal analyses."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def differs(self, other: Analysis) -> tuple[str, ...]:
        """Return the names of the fields in which two analyses differ.

        Examples
        --------
        >>> Analysis(control="placebo").differs(
        ...     Analysis(control="placebo", ci_prob=0.9)
        ... )
        ('ci_prob',)
        """
        return tuple(
            f.name
            for f in fields(self)
            if getattr(self, f.name) != getattr(other, f.name)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults as TOML-ready data."""
        return {
            field.name: as_plain(field.name, value)
            for field, value in self._fields_set()
        }

    def to_json(self) -> str:
        """Return `to_dict` as one line of JSON, as stored with the outcomes."""
        return json.dumps(self.to_dict())

    def to_toml(self) -> str:
        """Return `to_dict` as TOML text, the content of ``[analysis]``."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, plain: object) -> Analysis:
        """Return the analysis from `to_dict` or a user's TOML table.

        Raises
        ------
        DesignError
            If a key is unknown or a value is invalid.
        """
        if not isinstance(plain, dict):
            raise DesignError(
                f"an analysis is a table, not {quoted(plain)}",
            )
        check_keys(plain, "[analysis]", ANALYSIS)
        return cls(**plain)

    @classmethod
    def from_json(cls, text: str) -> Analysis:
        """Return the analysis from the text of `to_json`."""
        return cls.from_dict(parse_json(text, DesignError, source="[analysis]"))

    @classmethod
    def from_toml(cls, text: str) -> Analysis:
        """Return the analysis from the text of `to_toml`."""
        return cls.from_dict(parse_toml(text, DesignError, source="[analysis]"))

    def _fields_set(self) -> list[tuple[Field[Any], Any]]:
        pairs = [(field, getattr(self, field.name)) for field in fields(self)]
        return [(field, value) for field, value in pairs if value != field.default]

    def __repr__(self) -> str:
        return f"Analysis({', '.join(f'{field.name}={value!r}' for field, value in self._fields_set())})"

    def _repr_html_(self) -> str:
        """Return the settings that were chosen as a table, for notebooks."""
        left = "style='text-align: left'"
        rows = "\n".join(
            f"<tr><th scope='row' {left}>{field.name}</th><td "
            f"{left}>{as_html(quoted(value))}</td></tr>"
            for field, value in self._fields_set()
        )
        return (
            "<table><caption>Analysis plan; all other settings are the "
            "defaults</caption>\n"
            f"{rows}\n"
            "</table>"
        )


_QUESTIONS = ("control", "contrasts", "interaction")


def with_fields(
    analysis: Analysis | None, fields_: Mapping[str, Any], place: str
) -> Analysis:
    """Return an analysis with some of its fields replaced; without one, the analysis of
    these fields alone.

    Another question (control, contrasts or interaction) takes the place of the one
    that the analysis has.

    Raises
    ------
    DesignError
        If there is no such field, named with the nearest or with the one that took its
        place, or a value is invalid; `place` names the call in the message.

    Examples
    --------
    >>> with_fields(Analysis(control="wt", rope=0), {"rope": (-1, 1)}, "analyze")
    Analysis(control='wt', rope=(-1.0, 1.0))
    >>> with_fields(None, {"rop": 0}, "analyze")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: analyze: there is no argument 'rop'; did you mean 'rope'?
    """
    known = [field.name for field in fields(Analysis)]
    for name in fields_:
        if name not in known:
            raise DesignError(
                f"{place}: there is no argument {quoted(name)}"
                f"{nearest(name, known, cutoff=0.6)}"
            )
    given = dict(fields_)
    if any(given.get(name) is not None for name in _QUESTIONS):
        given = dict.fromkeys((*_QUESTIONS, "question")) | given
    return replace(Analysis() if analysis is None else analysis, **given)


def rows_of_question(
    question: Sequence[str] | None,
    contrasts: Sequence[str],
    *,
    error: type[CausalgiaError] = DesignError,
) -> list[bool]:
    """Return whether each contrast is one that a question names; None names all.

    Raises
    ------
    DesignError
        If a name, or a pattern, is that of no contrast (or `error`, of another kind).

    Examples
    --------
    >>> rows_of_question(("interaction at *",), ["pair at 4", "interaction at 4"])
    [False, True]
    """
    if question is None:
        return [True] * len(contrasts)
    asked = set[str]()
    for name in question:
        found = matched(name, contrasts)
        if not found:
            raise error(
                f"question: {quoted(name)} {is_not_among(name, contrasts, 'contrast')}",
                argument="question",
            )
        asked.update(found)
    return [name in asked for name in contrasts]


def fixed_placebo_contrasts(
    rows: Mapping[str, Mapping[str, float]], placebos: Collection[str]
) -> list[str]:
    """Return the contrasts whose only positive weight is on a placebo.

    Examples
    --------
    >>> fixed_placebo_contrasts(
    ...     {"a": {"GATAAGA": 1, "none": -1}, "b": {"GATA1": 1, "none": -1}},
    ...     {"GATAAGA"},
    ... )
    ['a']
    """
    positive = {
        name: [arm for arm, weight in row.items() if weight > 0]
        for name, row in rows.items()
    }
    return [
        name
        for name, arms in positive.items()
        if len(arms) == 1 and arms[0] in placebos
    ]


def analysis_in_attrs(attrs: Mapping[Any, Any]) -> Analysis:
    """Return the analysis in the attrs of a result, or the default `Analysis`.

    Text that is not a JSON table, which users may have stored, counts as no analysis.

    Raises
    ------
    DataError
        If it is not text, or is a JSON table but not that of an analysis.

    Examples
    --------
    >>> (
    ...     analysis_in_attrs({"analysis": Analysis(rope=0).to_json()}),
    ...     analysis_in_attrs({}),
    ... )
    (Analysis(rope=0), Analysis())
    """
    text = about(attrs, "").analysis.strip()
    return _plan_from_json(text) if text.startswith("{") else Analysis()


@lru_cache(maxsize=64)
def _plan_from_json(text: str) -> Analysis:
    """Return the analysis in an attribute; every verb of a trial asks for it."""
    try:
        return Analysis.from_json(text)
    except CausalgiaError as error:
        raise DataError(
            f"attrs['analysis'] is {quoted(text)}, and the JSON of a cg.Analysis is "
            f"needed ({error})"
        ) from error


def stored_analysis(outcomes: xr.Dataset) -> Analysis | None:
    """Return the analysis stored with the outcomes before they were seen, or None.

    Examples
    --------
    >>> import xarray as xr
    >>> ask = Analysis(control="placebo", rope=0)
    >>> (
    ...     stored_analysis(xr.Dataset(attrs={"analysis": ask.to_json()})) == ask,
    ...     stored_analysis(xr.Dataset()),
    ... )
    (True, None)
    """
    planned = analysis_in_attrs(outcomes.attrs)
    if planned == Analysis():
        return None
    return planned if planned.asks else planned.asking(design_question(outcomes))


NOTHING_PLANNED = "the whole analysis: none was kept with the outcomes"
"""The attribute ``exploratory`` of a result for which no analysis was planned."""


def exploratory_attrs(attrs: Mapping[Any, Any], **fields: Any) -> dict[str, str]:
    """Return the attribute ``exploratory`` of a result: arguments of a verb that differ
    from the stored analysis.

    Parameters
    ----------
    attrs
        Of the Dataset given to the verb; without a stored analysis nothing is marked.
    **fields
        Fields of `Analysis`, and of its `Shrinkage`, as given to the verb.

    Examples
    --------
    >>> exploratory_attrs(
    ...     {"analysis": Analysis(control="placebo").to_json()},
    ...     control="untreated",
    ...     scale="identity",
    ... )
    {'exploratory': 'control'}
    """
    planned = analysis_in_attrs(attrs)
    if of_shrinkage := {
        name: fields.pop(name) for name in ("prior", "variances") if name in fields
    }:
        fields["shrink"] = replace(planned.shrink, **of_shrinkage)  # type: ignore[type-var]  # frozen above
    other = [
        name
        for name, value in fields.items()
        if as_comparable(name, getattr(planned, name)) != as_comparable(name, value)
    ]
    known = [
        name
        for name in str(
            about(attrs, about(attrs, "").protocol_deviations).exploratory
        ).split(", ")
        if name
    ]
    marked = dict.fromkeys([*known, *(other if planned != Analysis() else [])])
    return {"exploratory": ", ".join(marked)} if marked else {}


def as_result(
    dataset: xr.Dataset,
    kind: Kind,
    *sentences: str,
    settings: Mapping[str, Any] | None = None,
    positions: bool = False,
    gaps: bool = False,
) -> xr.Dataset:
    """Return what a verb made as its result: with its notes, marked where its settings
    are not the planned ones, each variable with its meaning, checked.

    Parameters
    ----------
    dataset
        With the attrs of what the verb was given.
    kind
        What it holds, a kind of the schema.
    *sentences
        Notes on it.
    settings
        Fields of `Analysis`, and of its `Shrinkage`, as given to the verb
        (`exploratory_attrs`); None marks nothing.
    positions, gaps
        As in `causalgia.schema.validate`.

    Raises
    ------
    DataError
        If it is not of the schema.

    Examples
    --------
    >>> import xarray as xr
    >>> made = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.0]])},
    ...     {"contrast": ["GATA1"], "task": ["K562"]},
    ...     {"analysis": Analysis(control="placebo").to_json()},
    ... )
    >>> found = as_result(made, "estimates", "10 parents", settings={"ci_prob": 0.9})
    >>> found.attrs["notes"], found.attrs["exploratory"], found["ace"].attrs["meaning"]
    ('10 parents', 'ci_prob', "average causal effect, on attrs['contrast_scale']")
    """
    from causalgia.schema import annotate, validate

    marks = exploratory_attrs(dataset.attrs, **settings) if settings else {}
    marked = with_notes(dataset, *sentences)
    marked = marked.assign_attrs(marks) if marks else marked
    return validate(annotate(marked), kind, positions=positions, gaps=gaps)


def _check_known(
    name: str, known: Sequence[str], what: str, field: str, row: str = ""
) -> None:
    """Raise DesignError for a name in a field of the plan that a design lacks; `row` is
    the contrast that names it.
    """
    if name in known:
        return
    raise DesignError(
        f"Analysis: {field}: {f'{quoted(row)} names ' if row else ''}{quoted(name)}, "
        f"which {is_not_among(name, known, what)}",
        argument="" if row or field in ("interaction", "covariates", "rope") else field,
    )


def _of_tasks(need: str) -> DesignError:
    """Return the error of a plan whose tasks cannot share strength."""
    return DesignError(
        f"Analysis: across='task' {need}",
        argument="across",
    )

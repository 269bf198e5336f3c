"""The design of a trial as one frozen value, with its named contrasts and its
drawing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.checks import (
    as_count,
    as_share,
    check_arm,
    nearest,
)
from causalgia.design.arms import Arm, as_arms, check_blocks, null_from_dict
from causalgia.design.intervention import Intervention, Layout, steps_of
from causalgia.design.null_model import Choice, NullModel, as_null_model
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    caller_stacklevel,
    quoted,
    type_in_words,
)
from causalgia.expressions import fault_of_weights
from causalgia.inputs import as_html

Row: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class Contrasts(Mapping[str, Mapping[str, float]]):
    """Contrast -> arm -> weight, with weights that sum to zero; a read-only mapping
    that is compared by value.

    Attributes
    ----------
    rows
        Each contrast's name with its arms and their weights.

    Examples
    --------
    >>> asked = contrasts_of("control", ("control", "GATA"))
    >>> dict(asked), asked.control
    ({'GATA': {'GATA': 1.0, 'control': -1.0}}, 'control')
    """

    rows: tuple[tuple[str, Row], ...]

    @cached_property
    def _by_name(self) -> dict[str, dict[str, float]]:
        return {name: dict(row) for name, row in self.rows}

    def __getitem__(self, name: str) -> Mapping[str, float]:
        return dict(self._by_name[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.rows)

    def __hash__(self) -> int:
        return hash(frozenset(self._by_name))

    def __repr__(self) -> str:
        return repr(self.plain)

    def control_of(self, arms: Sequence[str]) -> str | None:
        """Return the control if the contrasts are all other arms against it, in order;
        else None.
        """
        control = self.control
        return (
            control
            if control is not None
            and list(self) == [arm for arm in arms if arm != control]
            else None
        )

    @cached_property
    def control(self) -> str | None:
        """The arm that every contrast subtracts from the arm in its name; None for
        other contrasts.
        """
        controls = {
            next((arm for arm, weight in row if weight == -1), None)
            for _, row in self.rows
        }
        control = controls.pop() if len(controls) == 1 else None
        simple = control is not None and all(
            dict(row) == {name: 1.0, control: -1.0} for name, row in self.rows
        )
        return control if simple else None

    @property
    def plain(self) -> dict[str, dict[str, float]]:
        """The contrasts as TOML-ready data."""
        return {name: dict(row) for name, row in self.rows}


def contrasts_of(given: object, arms: Sequence[str]) -> Contrasts:
    """Return contrasts from a mapping contrast -> arm -> weight, or from the name of
    the control.

    Raises
    ------
    DesignError
        If an arm is unknown, a weight is not a finite number, weights do not sum to
        zero, or nothing is compared.
    """
    if isinstance(given, Contrasts):
        given = dict(given)
    if isinstance(given, str):
        what = "contrasts: the control"
        check_arm(given, arms, what, error=DesignError)
        return Contrasts(
            tuple((arm, ((arm, 1.0), (given, -1.0))) for arm in arms if arm != given)
        )
    if not isinstance(given, Mapping) or not given:
        raise DesignError(
            f"contrasts={quoted(given)} must be a mapping contrast -> arm -> "
            "weight, or the control arm's name",
            argument="contrasts",
        )
    return Contrasts(
        tuple(_as_contrast_row(name, row, tuple(arms)) for name, row in given.items())
    )


def _as_contrast_row(
    name: object, weights: Any, known: Sequence[str]
) -> tuple[str, Row]:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DesignError(
            f"contrast name {quoted(name)}: a name is a printable, non-empty string"
        )
    for arm in weights if isinstance(weights, Mapping) else ():
        check_arm(arm, known, f"contrast {quoted(name)}:", error=DesignError)
    if fault := fault_of_weights(weights):
        raise DesignError(f"contrast {quoted(name)}{fault}")
    return name, tuple((str(arm), float(w)) for arm, w in weights.items() if w)


_DRAWING_WIDTH = 420.0
_ROW_HEIGHT = 18
_ARMS_DRAWN = 20
_SPANS_DRAWN = 50
_LEAST_BOX_WIDTH = 2.0
_WRITTEN, _CHANGED = "#4c78a8", "#e0a33a"
_IN_PLACE = {"delete", "scramble", "ablate"}


def ruler(design: Design) -> str:
    """Return a design as HTML: a row for each arm with its do-notation, drawn on the
    length of a background.

    Blue boxes are written by the intervention, orange ones changed in place (scrambled,
    ablated, deleted). The first 20 arms are drawn, and the number of the others is
    said.

    Parameters
    ----------
    design
        The design. Positions of interventions that vary by sequence are drawn for the
        first 50 of them.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> page = ruler(cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100))
    >>> "do(x[20:24] = GATA)" in page, page.count("<rect")
    (True, 1)
    """
    length = design.null.length
    arms = design.named_arms
    rows = [
        "<tr><th scope='row' style='text-align: "
        f"left'>{as_html(arm.name)}</th><td>{_drawing(arm.intervention, length)}</td><td "
        "style='text-align: "
        f"left'><code>{as_html(str(arm.intervention))}</code></td></tr>"
        for arm in arms[:_ARMS_DRAWN]
    ]
    more = len(arms) - _ARMS_DRAWN
    rows += (
        [f"<tr><td colspan='3'>and {more:,} more arms</td></tr>"] if more > 0 else []
    )
    units = f"{design.n_units:,} unit{'s' if design.n_units != 1 else ''}"
    caption = f"{design.assignment}; {units}; {design.null.describe()}"
    axis = f"<tr><td></td><td>{_axis(length)}</td><td></td></tr>"
    return (
        f"<table><caption>{as_html(caption)}</caption>\n"
        + "\n".join([axis, *rows])
        + "\n</table>"
    )


def _drawing(intervention: Intervention, length: int) -> str:
    """Return the background as a line, with a box for each span; inserted bases make
    the line longer.
    """
    layout, changed = Layout(length), []
    for step in steps_of(intervention):
        if step.kind in _IN_PLACE:
            changed.append(step.span)  # type: ignore[attr-defined]
        layout = step.lay(layout)
    scale = _DRAWING_WIDTH / max(length, layout.length, 1)
    boxes = [_box(span, scale, _CHANGED, f"x[{span[0]}:{span[1]}]") for span in changed]
    boxes += [
        _box((w.start, w.stop), scale, _WRITTEN, w.label)
        for w in layout.written[:_SPANS_DRAWN]
    ]
    line = (
        f"<line x1='0' x2='{layout.length * scale:.1f}' y1='9' y2='9' "
        "stroke='currentColor' stroke-width='1.5'/>"
    )
    if not boxes and steps_of(intervention):
        at = _DRAWING_WIDTH / 2
        boxes = [
            f"<text x='{at}' y='7' font-size='9' fill='currentColor' "
            "text-anchor='middle'>varies by unit</text>"
        ]
    return _svg("".join([line, *boxes]), str(intervention))


def _box(span: tuple[int, int], scale: float, color: str, label: str) -> str:
    x, width = span[0] * scale, max((span[1] - span[0]) * scale, _LEAST_BOX_WIDTH)
    return (
        f"<rect x='{x:.1f}' y='3' width='{width:.1f}' height='12' fill='{color}'>"
        f"<title>{as_html(label)} at {span[0]}</title></rect>"
    )


def _axis(length: int) -> str:
    """Return a scale of the positions with ticks at round numbers."""
    step = 10 ** math.floor(math.log10(max(length, 1)))
    step = next(
        s for s in (step, step // 2 or 1, step // 5 or 1) if length / s >= 2 or s == 1
    )
    ticks, scale = range(0, length + 1, step), _DRAWING_WIDTH / max(length, 1)
    marks = "".join(
        f"<line x1='{t * scale:.1f}' x2='{t * scale:.1f}' y1='12' y2='18' "
        f"stroke='currentColor'/><text x='{t * scale:.1f}' y='10' font-size='10' "
        "fill='currentColor' "
        f"text-anchor='{'start' if t == 0 else 'end' if t * scale > _DRAWING_WIDTH - 12 else 'middle'}'>{t:,}</text>"
        for t in ticks
    )
    return _svg(marks, f"positions 0 to {length:,}")


def _svg(inside: str, label: str) -> str:
    size = f"width='{_DRAWING_WIDTH:.0f}' height='{_ROW_HEIGHT}' viewBox='0 0 {_DRAWING_WIDTH:.0f} {_ROW_HEIGHT}'"
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' role='img' "
        f"aria-label='{as_html(label)}' {size}>{inside}</svg>"
    )


Assignment = Literal["crossover", "parallel"]
_OPTIONS = ("assignment", "blocks", "reserve", "contrasts")


@dataclass(frozen=True, kw_only=True)
class Design(Choice):
    """Units and arms of a trial: treatment and control arms on backgrounds from one
    null model.

    Parameters
    ----------
    null
        The null model that every arm's units come from.
    arms
        Name -> intervention, or a sequence of `Arm` (with factor levels). At least two.
    n_units
        Number of backgrounds.
    assignment
        ``"crossover"``: every unit gets every arm, so individual effects are computed;
        ``"parallel"``: each unit is randomized to one arm, as on a bench.
    blocks
        Parallel only: strata inside which arms are balanced: None, ``"parent"``, or a
        label for each unit.
    reserve
        Share of the null model's parents that `causalgia.run` never uses, so that
        `causalgia.confirm` has fresh ones. The selection depends on the null model
        alone. Null models without parents need none: their draws are fresh.
    contrasts
        Contrasts that the trial was designed for: contrast -> arm -> weight, weights
        that sum to 0; or the name of the arm that is subtracted from every other one.
        Stored as a read-only mapping; the default of `causalgia.contrast` and
        `causalgia.analyze`. None: the analysis names them.

    Raises
    ------
    DesignError
        If there are fewer than two arms, an arm does not fit the backgrounds (the arm
        is named), two arms of a crossover are the same intervention, a name is taken,
        every unit would be the same sequence, parents are reserved where there are none
        or too few, or a contrast names an unknown arm or does not sum to 0.

    Warns
    -----
    DegenerateWarning
        If the null model can reach fewer than half as many distinct sequences as there
        are units.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=50),
    ...     arms={"control": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)},
    ...     n_units=100,
    ... )
    >>> cg.Design.from_toml(design.to_toml()) == design
    True
    """

    null: NullModel
    arms: Mapping[str, Intervention] | Sequence[Arm]
    n_units: int
    assignment: Assignment = "crossover"
    blocks: str | Sequence[str | int] | None = None
    reserve: float = 0.0
    contrasts: Mapping[str, Mapping[str, float]] | str | None = None
    least_arms: ClassVar[int] = 2

    def __post_init__(self) -> None:
        null: object = self.null
        as_null_model(null)
        object.__setattr__(self, "arms", as_arms(self.arms))
        object.__setattr__(self, "n_units", as_count(self.n_units, "n_units"))
        if self.blocks is not None and not isinstance(self.blocks, str):
            labels = np.asarray(self.blocks)
            if labels.ndim != 1 or labels.dtype.kind not in "iufUTOb":
                raise DesignError(
                    f"blocks={quoted(self.blocks)} must be None, 'parent', or a "
                    "label for each unit"
                )
            object.__setattr__(self, "blocks", tuple(labels.tolist()))
        object.__setattr__(self, "reserve", as_share(self.reserve, "reserve"))
        if len(self.arms) < self.least_arms:
            raise DesignError(
                f"a trial compares at least two arms; this has {len(self.arms)}"
            )
        drawn = self.drawn
        for arm in self.named_arms:
            try:
                arm.intervention.lay(Layout(self.null.length))
                arm.intervention.check_units(drawn, self.n_units)
                if arm.aligned and self.n_units % len(arm.aligned):
                    raise DesignError(
                        f"aligned= has {len(arm.aligned):,} rows, and there are "
                        f"{self.n_units:,} units"
                    )
            except DesignError as error:
                raise type(error)(f"arm {quoted(arm.name)}: {error}") from error
        self._check_assignment()
        if self.contrasts is not None:
            object.__setattr__(
                self, "contrasts", contrasts_of(self.contrasts, self.arm_names)
            )
        self.drawn.check(self.n_units)
        self._check_degeneracy()

    def _check_assignment(self) -> None:
        if not isinstance(self.assignment, str) or self.assignment not in (
            "crossover",
            "parallel",
        ):
            raise DesignError(
                f"assignment={quoted(self.assignment)} must be 'crossover' or "
                "'parallel'"
            )
        if self.assignment == "parallel":
            self.block_labels(key=0)
            return
        if self.blocks is not None:
            raise DesignError(
                "blocks= is for assignment='parallel'; in a crossover every "
                "unit is its own block"
            )
        seen: dict[Intervention, str] = {}
        for arm in self.named_arms:
            if arm.intervention in seen:
                raise DesignError(
                    f"arms {quoted(seen[arm.intervention])} and {quoted(arm.name)} are "
                    f"the same intervention {arm.intervention}: their individual "
                    "effects are 0 by construction"
                )
            seen[arm.intervention] = arm.name

    def _check_degeneracy(self) -> None:
        backgrounds = self.n_units // self.drawn.n_draws
        reachable = self.drawn.log_reachable(backgrounds)
        if backgrounds == 1 or reachable > np.log(backgrounds):
            return
        distinct = round(np.exp(reachable))
        if distinct <= 1:
            raise DesignError(
                f"all {self.n_units:,} units would be one sequence: "
                f"{self.drawn.describe()} reach no other"
            )
        if distinct < backgrounds / 2:
            warnings.warn(
                DegenerateWarning(
                    f"{self.drawn.describe()}: only about {distinct:,} distinct sequences "
                    f"for {self.n_units:,} units"
                ),
                stacklevel=caller_stacklevel(),
            )

    def __str__(self) -> str:
        from causalgia.design.plan_text import design_text

        return design_text(self)

    def _repr_html_(self) -> str:
        """Return the arms drawn on the length of a background, for notebooks."""
        return ruler(self)

    def block_labels(self, *, key: int) -> NDArray[Any] | None:
        """Return the block of each unit, (n_units,), or None; `key` is the null
        model's, as in `NullModel.draw`.
        """
        if self.blocks is None:
            labels = None
        elif self.blocks == "parent":
            self.drawn.check(self.n_units)
            labels = self.drawn.parents(
                np.arange(self.n_units, dtype=np.uint64), key=key, n_units=self.n_units
            )
        else:
            labels = np.asarray(self.blocks)
        check_blocks(labels, n_units=self.n_units, n_arms=len(self.arms))
        return labels

    @property
    def drawn(self) -> NullModel:
        """The null model without its reserved parents, from which units are drawn."""
        return self._halves[0]

    @property
    def reserved(self) -> NullModel | None:
        """The null model of the reserved parents, for a confirmation; None if none are
        reserved.
        """
        return self._halves[1]

    @cached_property
    def _halves(self) -> tuple[NullModel, NullModel | None]:
        return self.null.split(self.reserve) if self.reserve else (self.null, None)

    @property
    def arm_names(self) -> list[str]:
        """The names of the arms, in order."""
        return [arm.name for arm in self.named_arms]

    @property
    def factors(self) -> list[str]:
        """The names of all factors of the arms."""
        return list(
            dict.fromkeys(factor for arm in self.named_arms for factor in arm.factors)
        )

    @property
    def named_contrasts(self) -> Contrasts | None:
        """The contrasts of the design; None if it names none."""
        return self.contrasts  # type: ignore[return-value]  # made in __post_init__

    @property
    def analysis_fields(self) -> dict[str, Any]:
        """The contrasts as arguments of an `Analysis`: ``{"control": ...}``,
        ``{"contrasts": ...}``, or {}.
        """
        if self.named_contrasts is None:
            return {}
        control = self.named_contrasts.control_of(self.arm_names)
        return (
            {"contrasts": self.named_contrasts.plain}
            if control is None
            else {"control": control}
        )

    def planned(self) -> Analysis | None:
        """Return the planned analysis: none here; an experiment of the catalogue has
        one.
        """
        return None

    @property
    def named_arms(self) -> tuple[Arm, ...]:
        """The arms as a tuple of `Arm`, in order."""
        return self.arms  # type: ignore[return-value]

    def to_dict(self) -> dict[str, Any]:
        arms = {arm.name: arm.to_dict() for arm in self.named_arms}
        return {**self._numbers(), "null": self.null.to_dict(), "arms": arms}

    def identity(self) -> dict[str, Any]:
        arms = [[arm.name, arm.identity()] for arm in self.named_arms]
        return {**self._numbers(), "null": self.null.identity(), "arms": arms}

    def _numbers(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"n_units": self.n_units, "assignment": self.assignment}
        if self.blocks is not None:
            plain["blocks"] = (
                self.blocks if isinstance(self.blocks, str) else list(self.blocks)
            )
        if self.reserve:
            plain["reserve"] = self.reserve
        if self.named_contrasts is not None:
            plain["contrasts"] = next(iter(self.analysis_fields.values()))
        return plain

    @classmethod
    def from_dict(cls, plain: Any) -> Design:
        """Return the design that `to_dict` wrote.

        Raises
        ------
        DesignError
            If a key is missing, unknown or wrong; the message names it.
        """
        if not isinstance(plain, Mapping):
            raise DesignError(
                "a design is a table with null, arms and n_units, not "
                f"{type_in_words(plain)}"
            )
        for key in ("null", "arms", "n_units"):
            if key not in plain:
                raise DesignError(f"a design needs {quoted(key)}")
        known = ["null", "arms", "n_units", *_OPTIONS]
        for key in plain:
            if key not in known:
                raise DesignError(
                    f"a design has no {quoted(key)}{nearest(str(key), known, cutoff=0.6)}"
                )
        if not isinstance(plain["arms"], Mapping):
            raise DesignError(
                f"arms: a table of arms by name, not {quoted(plain['arms'])}",
            )
        rest = {key: plain[key] for key in ("n_units", *_OPTIONS) if key in plain}
        arms = [Arm.from_dict(name, arm) for name, arm in plain["arms"].items()]
        return Design(null=null_from_dict(plain["null"]), arms=arms, **rest)


def check_design(value: object, _second: object, call: str) -> None:
    """Raise DesignError unless the first argument of a call is a design.

    Examples
    --------
    >>> check_design(3, 4, "run(design, predictor)")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: run(design, predictor): the first argument is an int, not a cg.Design
    """
    if not isinstance(value, Design):
        raise DesignError(
            f"{call}: the first argument is {type_in_words(value)}, not a cg.Design"
        )

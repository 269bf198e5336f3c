"""Notes of estimates on the source sequences of a null model.

They say whether backgrounds answer like the sequences they were made of, and whether
effects in these are those on the backgrounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import about
from causalgia.checks import four_digits
from causalgia.effects.source_effects import MOST_BACKGROUNDS, QUANTILES
from causalgia.errors import NAMES_SHOWN, comma_list, quoted
from causalgia.notes import notes_of
from causalgia.types import Array

LEVEL = 0.01
"""Probability of a note in a trial where source sequences are as backgrounds are."""
_LEAST_DIFFERENCE = 0.1
"""Least difference that is noted in a task whose backgrounds answer unlike the source
sequences, as a share of the larger of both effects."""
_UNSURE_LEVEL = 0.05
_LEAST_BACKGROUNDS = 40


def source_notes(estimates: xr.Dataset, effects: xr.Dataset) -> list[str]:
    r"""Return up to two sentences on the source sequences that a trial predicted.

    *Backgrounds answer unlike them*: k of the m source sequences lie outside the
    central 95 % of the backgrounds under the same arm (untreated, or the control), and
    for sequences drawn as backgrounds are, k or more would have probability at most .01
    over the number of tasks (and models). With n backgrounds the number outside is
    beta-binomial, :math:`\mathrm{BB}(m, 2r, n + 1 - 2r)`, r = .025 (n - 1) + 1.

    *The effect in them is another one*: with :math:`\bar d` and s the mean and sd of
    the effects in the m sequences, each paired within its sequence, :math:`\bar d` lies
    outside the interval of the ACE, and either (a) the difference from the ACE is
    significant at .01 over the number of contrasts x tasks, both by Welch's t (standard
    errors :math:`s / \sqrt m` and that of the ACE) and with the sd of the effects on
    the backgrounds in place of s; or (b) backgrounds answer unlike the sequences in
    that task, the difference is a tenth or more of the larger effect, and one of the
    two means differs from 0 at .01 over the same number. A difference that Welch's t
    does not show at .05 over that number is said to be within the error of so few
    sequences.

    Parameters
    ----------
    estimates
        With intervals, (contrast, task[, model]).
    effects
        What they were estimated from, with ``source_effect`` and, for the first
        sentence, ``source_answer`` and ``background_answer``.
    """
    failure = about(effects, None).source_failure
    if failure:
        return [str(failure)]
    unlike, answers = _unlike_answers(effects)
    rows = _other_effects(estimates, effects, unlike)
    who = about(effects, "the source sequences").source_sequences
    found = []
    if answers and not any("hardly overlap" in note for note in notes_of(effects)):
        found.append(_answers_sentence(answers))
    if rows:
        found.append(_effects_sentence(rows, who, estimates))
    return found


@dataclass(frozen=True)
class _Answers:
    """A task in which backgrounds answer unlike source sequences."""

    label: str
    background: float
    source: float
    n_outside: int
    n: int
    apart: float


def _unlike_answers(effects: xr.Dataset) -> tuple[xr.DataArray | None, list[_Answers]]:
    """Return where backgrounds answer unlike source sequences, the furthest first."""
    if not {"source_answer", "background_answer"} <= set(effects.variables):
        return None, []
    answer = effects["source_answer"]
    others = answer.dims[1:]
    y = answer.to_numpy()
    q = (
        effects["background_answer"]
        .transpose("background_quantile", *others)
        .to_numpy()
    )
    n, m = min(_n_units(effects), MOST_BACKGROUNDS), len(y)
    if n < _LEAST_BACKGROUNDS:
        return None, []
    from scipy import stats  # slow to import

    r = QUANTILES[0] * (n - 1) + 1
    outside = ((y < q[0]) | (y > q[2])).sum(axis=0)
    p = stats.betabinom.sf(outside - 1, m, 2 * r, n + 1 - 2 * r)
    unlike = p <= LEVEL / max(p.size, 1)
    median = np.median(y, axis=0)
    width = np.where(q[2] > q[0], q[2] - q[0], 1.0)
    far = np.abs(median - q[1]) / width
    rows = [
        _Answers(
            _label(answer, at),
            float(q[1][at]),
            float(median[at]),
            int(outside[at]),
            m,
            float(far[at]),
        )
        for at in zip(*np.nonzero(unlike), strict=True)
    ]
    rows.sort(key=lambda row: -row.apart)
    coords = {dim: answer[dim] for dim in others if dim in answer.coords}
    return xr.DataArray(unlike, coords, others), rows


def _answers_sentence(rows: list[_Answers]) -> str:
    parts = [
        f"median {_short(row.background)} against {_short(row.source)}"
        f"{row.label and f' in {row.label}'} ({row.n_outside} of {row.n} outside the "
        "central 95 % of backgrounds)"
        for row in rows[:NAMES_SHOWN]
    ]
    more = len(rows) - NAMES_SHOWN
    rest = f"; and in {more:,} more tasks" if more > 0 else ""
    made = "the sequences they were made from"
    return (
        f"predictions on backgrounds differ from those on {made}: "
        f"{'; '.join(parts)}{rest}"
    )


@dataclass(frozen=True)
class _Effects:
    """An effect whose mean in source sequences lies outside its interval."""

    name: str
    source: tuple[float, float, float]
    backgrounds: tuple[float, float, float]
    p: float
    unsure: bool
    apart: float


def _other_effects(
    estimates: xr.Dataset, effects: xr.Dataset, unlike: xr.DataArray | None
) -> list[_Effects]:
    """Return the effects that are noted, the smallest p first."""
    if "source_effect" not in effects or not {"lower", "se"} <= set(
        estimates.variables
    ):
        return []
    if float(about(estimates, 0.0).null_value) != 0:
        return []
    dims = [str(dim) for dim in estimates["ace"].dims]
    d = effects["source_effect"]
    if "model" in d.dims and "model" not in dims:
        d = d.mean("model")
    rows = {str(name): i for i, name in enumerate(estimates["contrast"].to_numpy())}
    names = [str(name) for name in d["source_contrast"].to_numpy()]
    pairs = [(i, rows[name]) for i, name in enumerate(names) if name in rows]
    if not pairs or d.sizes["task"] != estimates.sizes["task"]:
        return []
    here, there = map(list, zip(*pairs, strict=True))
    others = dims[1:]
    values = d.isel(source_contrast=here).transpose(
        "source_sequence", "source_contrast", *others
    )
    x = values.to_numpy().astype(np.float64)

    def column(name: str) -> Array:
        found = estimates[name].isel(contrast=there).transpose(*dims)
        return np.asarray(found.to_numpy(), np.float64)

    ace, se, df, lower, upper = map(column, ("ace", "se", "df", "lower", "upper"))
    m = len(x)
    mean, error = x.mean(axis=0), x.std(axis=0, ddof=1) / np.sqrt(m)
    half = special.stdtrit(m - 1, (1 + float(about(estimates, 0.95).ci_prob)) / 2)
    low, high = mean - half * error, mean + half * error
    away = np.abs(mean - ace)
    floor = column("floor") if "floor" in estimates else np.zeros_like(ace)
    rounding = np.maximum(2 * floor, 1e-6 * np.maximum(np.abs(ace), np.abs(mean)))
    outside = ((mean < lower) | (mean > upper)) & (away > rounding)
    p = _welch(away, error, m - 1, se, df)
    spread = _sd_on_backgrounds(effects, there, others, ace.shape)
    both = np.maximum(p, _welch(away, spread / np.sqrt(m), 1e9, se, df))
    apart = away / np.maximum(np.maximum(np.abs(ace), np.abs(mean)), 1e-300)
    noted = outside & (both <= LEVEL / p.size)
    if unlike is not None:
        over = [dim for dim in unlike.dims if dim not in others]
        where = unlike.any(over).transpose(*others).to_numpy()
        known = np.minimum(
            _welch(np.abs(ace), se, np.maximum(df, 1), np.zeros_like(se), df),
            _welch(np.abs(mean), error, m - 1, np.zeros_like(se), df),
        )
        known_effect = known <= LEVEL / p.size
        noted |= outside & where & known_effect & (apart >= _LEAST_DIFFERENCE)
    found = [
        _Effects(
            _effect_name(values, at),
            (float(mean[at]), float(low[at]), float(high[at])),
            (float(ace[at]), float(lower[at]), float(upper[at])),
            float(p[at]),
            bool(p[at] > _UNSURE_LEVEL / p.size),
            float(apart[at]),
        )
        for at in zip(*np.nonzero(noted), strict=True)
    ]
    return sorted(found, key=lambda row: (row.p, -row.apart))


def _welch(away: Array, one: Array, df_one: Any, other: Array, df: Array) -> Array:
    """Return two-sided p of differences between means, by Welch's t.

    It is 0 where neither mean has an error and they differ.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = one**2 + other**2
        df_both = variance**2 / (one**4 / df_one + other**4 / np.maximum(df, 1))
        p = 2 * special.stdtr(np.maximum(df_both, 1), -away / np.sqrt(variance))
    return np.where(variance > 0, p, np.where(away > 0, 0.0, 1.0))


def _sd_on_backgrounds(
    effects: xr.Dataset, there: list[int], others: list[str], shape: tuple[int, ...]
) -> Array:
    """Return the sd of individual effects on the first backgrounds; 0 if unknown."""
    if "ice_sd" in effects:
        sd = effects["ice_sd"].isel(contrast=there)
    elif "ice" in effects and effects.sizes["unit"] > 1:
        some = effects["ice"].isel(unit=slice(MOST_BACKGROUNDS), contrast=there)
        sd = some.std("unit", ddof=1)
    else:
        return np.zeros(shape)
    over = [dim for dim in sd.dims if dim not in ("contrast", *others)]
    return np.asarray(sd.max(over).transpose("contrast", *others).to_numpy())


def _effects_sentence(rows: list[_Effects], who: str, estimates: xr.Dataset) -> str:
    control = about(estimates, None).control
    minus = f" minus {_name(control)}" if control else ""
    parts = []
    for i, row in enumerate(rows[:NAMES_SHOWN]):
        verb = "averages " if i == 0 else ""
        contrast, _, where = row.name.partition("\t")
        of = f"the effect of {_name(contrast)}{minus if i == 0 else ''}"
        here = f"{of if i == 0 else f'that of {_name(contrast)}'}{where}"
        unsure = f" (within the error of {_count(who)})" if row.unsure else ""
        parts.append(
            f"{here} {verb}{_interval(row.source)}, and "
            f"{_interval(row.backgrounds)} on the backgrounds{unsure}"
        )
    more = len(rows) - NAMES_SHOWN
    rest = [f"{more:,} more effects lie outside their intervals"] if more > 0 else []
    return f"in {who} themselves {'; '.join([*parts, *rest])}"


def _count(who: str) -> str:
    number = next((word for word in who.split() if word[:1].isdigit()), "so few")
    return f"{number} sequences"


def _name(name: Any) -> str:
    text = str(name)
    return quoted(text) if " " in text else text


def _interval(three: tuple[float, float, float]) -> str:
    middle, low, high = map(_short, three)
    return f"{middle} [{low}, {high}]"


def _short(value: float) -> str:
    """Return a number with two or three digits, such as "0.92" or "12.3"."""
    return four_digits(float(f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"))


def _effect_name(values: xr.DataArray, at: tuple[np.intp, ...]) -> str:
    """Return the contrast, a tab, and " in K562" where there are several tasks."""
    contrast = str(values["source_contrast"].to_numpy()[at[0]])
    label = _label(values.isel(source_contrast=0), at[1:])
    return f"{contrast}\t{label and f' in {label}'}"


def _label(array: xr.DataArray, at: tuple[Any, ...]) -> str:
    """Return "K562" or "K562, model 2"; nothing for a dim of one."""
    dims = [dim for dim in array.dims if dim in ("task", "model")]
    named = []
    for dim, i in zip(dims, at, strict=True):
        if array.sizes[dim] > 1:
            named.append(str(array[dim].to_numpy()[i] if dim in array.coords else i))
    return comma_list(named)


def _n_units(effects: xr.Dataset) -> int:
    if "unit" in effects.sizes:
        return int(effects.sizes["unit"])
    return int(np.max(effects["n_units"].to_numpy())) if "n_units" in effects else 0

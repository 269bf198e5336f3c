"""Figures of an HTML page: by kind of result, as inline SVG with a text alternative, or
as PNG if large.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from causalgia import plot
from causalgia.effect_table import has_positions, tasks_in_table
from causalgia.errors import printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import null_value
from causalgia.plot.forest_plot import forest_of_tasks
from causalgia.plot.style import UNNAMED_TASK, image_of
from causalgia.reporting.effect_rows import largest_tasks

if TYPE_CHECKING:
    from markupsafe import Markup

    from causalgia.experiments import Answer
    from causalgia.plot import Axes

_MOST_TASKS, _MOST_ROWS, _MOST_CURVES, _MOST_UNITS = 4, 40, 4, 20_000
_LARGEST_SVG, _DPI = 250_000, 130
_MOST_CLOUDS = 24  # contrasts whose single units are drawn
_LEVELS = 4  # distinct numbers of a curve


class Picture(NamedTuple):
    """A picture of a page: its markup, and its caption, which is also its text
    alternative.
    """

    markup: Markup
    caption: str


def drawn(axes: Axes, caption: str) -> Picture:
    """Return a picture inline as SVG, or as PNG if the SVG is larger than 250 kB.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["<b>"], "task": ["K562"]}
    ... )
    >>> picture = drawn(plot.forest(estimates), "effect of <b>")
    >>> str(picture.markup)[:48], "<b>" in picture.markup
    ('<svg role="img" aria-label="effect of &lt;b&gt;"', False)
    """
    from markupsafe import Markup

    text = image_of(axes, "svg", dpi=_DPI).decode("utf-8")
    if len(text) > _LARGEST_SVG:
        return saved_picture(caption, image_of(axes, "png", dpi=_DPI))
    text = re.sub(
        r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>",
        "",
        text,
        flags=re.DOTALL,
    )
    # ids of several pictures share one page
    own = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(
        r'(\bid="|href="#|url\(#)',
        rf"\g<1>p{own}-",
        text[text.index("<svg") + len("<svg") :],
    )
    opening = Markup('<svg role="img" aria-label="{}"').format(printable(caption))
    return Picture(opening + Markup(re.sub(r"\n\s*", "\n", text).rstrip()), caption)


def saved_picture(caption: str, png: bytes) -> Picture:
    """Return a picture from a PNG."""
    from markupsafe import Markup

    data = base64.b64encode(png).decode()
    return Picture(
        Markup('<img alt="{}" src="data:image/png;base64,{}">').format(
            printable(caption), data
        ),
        caption,
    )


def effect_pictures(
    effects: xr.Dataset, *, answer: Answer | None = None
) -> list[Picture]:
    """Return the pictures that apply to effects, none of which repeats another: that of
    the experiment for each task, or a forest plot of all tasks, with curves and grids.

    Of more than four tasks, the four with the largest effects are drawn, which the
    captions say.
    """
    every = tasks_in_table(effects)
    shown = (
        every
        if len(every) <= _MOST_TASKS
        else tasks_in_table(largest_tasks(effects, most=1))[:_MOST_TASKS]
    )
    own = answer is not None and answer.figure is not None
    found = []
    if not own:
        some = (
            effects
            if len(every) == len(shown)
            else effects.isel(task=[every.index(task) for task in shown])
        )
        some, few = _largest(some)
        of = (
            ""
            if len(every) == len(shown)
            else f"; {_MOST_TASKS} of {len(every):,} tasks, with the largest effects"
        )
        asked = "" if answer is None else f"{answer.question} "
        found.append(
            drawn(
                forest_of_tasks(some),
                f"{asked}Effects with intervals, from the highest to the "
                f"lowest{few}{of}.",
            )
        )
    for task in shown:
        one = effects.isel(task=[every.index(task)])
        of = f"task {task}" + ("" if len(every) == 1 else f", one of {len(every):,}")
        of += (
            ""
            if len(shown) == len(every)
            else f" ({_MOST_TASKS} with the largest effects are drawn)"
        )
        of = "" if every == [UNNAMED_TASK] else of
        if own and answer is not None:
            found.append(
                drawn(
                    answer.draw(task=task),
                    f"{answer.question} {of[:1].upper()}{of[1:]}".rstrip(),
                )
            )
        else:
            found += [
                drawn(axes, f"{caption}{of and '; '}{of}.")
                for axes, caption in _of_task(one)
            ]
    return found


def _of_task(effects: xr.Dataset) -> Iterator[tuple[Axes, str]]:
    """Yield each further picture of one task, with its caption."""
    n = effects.sizes["contrast"]
    if "model" in effects["ace"].dims:
        return
    if n > _MOST_ROWS and {"log_p", "p", "lfsr"} & set(effects.variables):
        yield (
            plot.volcano(effects),
            f"p-value of no effect against size, {n:,} effects; outside the shaded "
            "ROPE matters",
        )
    for name in _curve_names(effects):
        yield (
            plot.profile(effects, along=name),
            f"Effects along {name.replace('_', ' ')}",
        )
    for rows, columns in _grid_names(effects):
        words = f"{rows.replace('_', ' ')} and {columns.replace('_', ' ')}"
        yield plot.heatmap(effects, rows=rows, columns=columns), f"Effects by {words}"


def _largest(effects: xr.Dataset) -> tuple[xr.Dataset, str]:
    """Return the placebos and up to 40 other contrasts with the largest effects,
    and what was left out.
    """
    placebos = is_placebo(effects)
    n = int((~placebos).sum())
    if n <= _MOST_ROWS:
        return effects, ""
    size = np.abs(
        effects["ace"].transpose("contrast", ...).to_numpy() - null_value(effects)
    )
    size = np.where(placebos, np.inf, size.reshape(len(placebos), -1).max(axis=1))
    shown = np.sort(
        np.argsort(-size, kind="stable")[: int(placebos.sum()) + _MOST_ROWS]
    )
    pairs = [
        name
        for name, variable in effects.variables.items()
        if "contrast_" in variable.dims
    ]
    return effects.drop_vars(pairs).isel(
        contrast=shown
    ), f", the {_MOST_ROWS} largest of {n:,}"


def _coordinates(effects: xr.Dataset) -> dict[str, list[Any]]:
    """Return the coordinates of the contrasts by which an experiment names them."""
    names = [str(name) for name, c in effects.coords.items() if c.dims == ("contrast",)]
    left_out = {"contrast", "do", "is_placebo", "asks"}
    return {
        name: effects[name].to_numpy().tolist()
        for name in names
        if name not in left_out and not name.endswith("_se")
    }


def _known(value: Any) -> bool:
    return value == value and value not in ("", None)


def _curve_names(effects: xr.Dataset) -> list[str]:
    """Return coordinates of numbers along which effects are a curve: one contrast at
    each of four or more numbers.
    """
    found = []
    for name, values in _coordinates(effects).items():
        there = [value for value in values if _known(value)]
        numbers = all(
            isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v)
            for v in there
        )
        if numbers and len(set(there)) == len(there) >= _LEVELS:
            found.append(name)
    return found


def _grid_names(effects: xr.Dataset) -> list[tuple[str, str]]:
    """Return the first two coordinates whose levels name each contrast once and fill at
    least half a grid.
    """
    coordinates = _coordinates(effects)
    for rows, columns in combinations(coordinates, 2):
        pairs = [
            pair
            for pair in zip(coordinates[rows], coordinates[columns], strict=True)
            if all(map(_known, pair))
        ]
        levels = [len(set(side)) for side in zip(*pairs, strict=True)]
        full = (
            len(set(pairs)) == len(pairs)
            and levels
            and min(levels) >= 2
            and max(levels) >= 3
        )
        if (
            full
            and 2 * len(pairs) >= levels[0] * levels[1]
            and len(pairs) > max(levels)
        ):
            return [(rows, columns)]
    return []


def bench_pictures(result: xr.Dataset) -> list[Picture]:
    """Return the pictures of profiles, of the bench and of a tipping point."""
    found: list[Picture] = []
    variables = set(result.variables)
    if "ace" in result and has_positions(result):
        tasks, names = (
            tasks_in_table(result),
            [str(name) for name in result["contrast"].to_numpy()],
        )
        if "model" in result["ace"].dims:
            return []
        for task in tasks[:_MOST_TASKS]:
            some = (
                ""
                if len(names) <= _MOST_CURVES
                else f", the first {_MOST_CURVES} of {len(names):,} contrasts"
            )
            some += (
                ""
                if len(tasks) <= _MOST_TASKS
                else f"; the first {_MOST_TASKS} of {len(tasks):,} tasks are drawn"
            )
            axes = plot.band(result, contrast=names[:_MOST_CURVES], task=task)
            found.append(
                drawn(
                    axes, f"Effect along the profile, with its band; task {task}{some}."
                )
            )
    elif "noise_ceiling" in variables:
        for name in np.atleast_1d(result["contrast"].to_numpy())[:_MOST_CURVES]:
            found.append(
                drawn(
                    plot.concordance(result, contrast=str(name)),
                    f"Measured against virtual effects, {name}.",
                )
            )
    elif "tipping_shift" in variables and "model" not in result.dims:
        for task in tasks_in_table(result)[:_MOST_TASKS]:
            for name in result["contrast"].to_numpy()[:_MOST_CURVES]:
                axes = plot.tipping_point(result, contrast=str(name), task=task)
                found.append(
                    drawn(axes, f"{name} as the null model shifts; task {task}.")
                )
    elif {"n_barcodes", "activity"} <= variables and "oligo" in result[
        "n_barcodes"
    ].dims:
        found.append(
            drawn(plot.barcodes(result), "Barcodes with DNA of each oligo, by arm.")
        )
        if result.sizes.get("replicate", 0) > 1:
            found.append(
                drawn(
                    plot.replicates(result), "Activity of each oligo in two replicates."
                )
            )
    elif "oligo_index" in variables:
        found.append(
            drawn(plot.dna_counts(result), "DNA reads of each barcode, by replicate.")
        )
    return found


def outcome_pictures(
    outcomes: xr.Dataset, *, effects: xr.Dataset | None
) -> list[Picture]:
    """Return the distributions of outcomes by arm, and of the effects of single units,
    where they were kept.

    Of more than 20,000 units the first are drawn, and of more than four tasks the first
    four, which captions say.
    """
    name = next((name for name in ("outcome", "ice") if name in outcomes), None)
    if name is None or has_positions(outcomes) or "model" in outcomes[name].dims:
        return []
    tasks, n = tasks_in_table(outcomes), outcomes.sizes["unit"]
    outcomes = outcomes.isel(unit=slice(_MOST_UNITS))
    some = (
        f"; the first {_MOST_TASKS} of {len(tasks):,} tasks are drawn"
        if len(tasks) > _MOST_TASKS
        else ""
    )
    some += f"; the first {_MOST_UNITS:,} of {n:,} units" if n > _MOST_UNITS else ""
    each = outcomes if name == "ice" else _units(outcomes, effects)
    of_all = int((~is_placebo(effects)).sum()) if effects is not None else 0
    few = (
        f"; the first {_MOST_CLOUDS} of {of_all:,} contrasts"
        if each is not None and of_all > _MOST_CLOUDS
        else ""
    )
    found = []
    for task in tasks[:_MOST_TASKS]:
        if name == "outcome":
            axes = plot.boxes(outcomes, task=task)
            found.append(
                drawn(
                    axes, f"Predictions of each arm over sequences; task {task}{some}."
                )
            )
        if each is not None:
            axes = plot.raincloud(each, task=task)
            found.append(
                drawn(axes, f"Effect on each sequence (ICE); task {task}{some}{few}.")
            )
    return found


def _units(outcomes: xr.Dataset, effects: xr.Dataset | None) -> xr.Dataset | None:
    """Return the effects of single units of a crossover, of the first 24 contrasts that
    are weighted sums of arms.
    """
    if (
        effects is None
        or "arm" not in outcomes["outcome"].dims
        or "weight" not in effects
        or effects.attrs.get("transform") != "identity"
    ):
        return None
    shown = effects.isel(contrast=np.flatnonzero(~is_placebo(effects))[:_MOST_CLOUDS])
    shown = shown.isel(
        arm=np.flatnonzero((shown["weight"] != 0).any("contrast").to_numpy())
    )
    if set(map(str, shown["arm"].to_numpy())) - set(
        map(str, outcomes["arm"].to_numpy())
    ):
        return None
    outcome = (
        outcomes["outcome"]
        .sel(arm=shown["arm"].to_numpy())
        .transpose("unit", "task", "arm")
        .to_numpy()
    )
    weight = shown["weight"].transpose("contrast", "arm").to_numpy()
    ice = (("unit", "task", "contrast"), outcome @ weight.T)
    keep = {
        name: shown.attrs[name]
        for name in ("scale", "contrast_scale", "control", "predictor")
        if name in shown.attrs
    }
    names = {
        "contrast": shown["contrast"].to_numpy(),
        "task": outcomes["task"].to_numpy(),
    }
    return xr.Dataset({"ice": ice}, coords=names, attrs=keep).transpose(
        "unit", "contrast", "task"
    )

"""Figures of an HTML page: by kind of result, as inline SVG with a text alternative, or
as PNG if large.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.effect_table import has_gaps, has_positions, tasks_in_table
from causalgia.errors import printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.tell import figures as plot
from causalgia.tell.effect_rows import first_of
from causalgia.tell.figures.forest_plot import forest_of_tasks
from causalgia.tell.figures.style import UNNAMED_TASK, image_of, interval_label

if TYPE_CHECKING:
    from markupsafe import Markup

    from causalgia.experiments import Answer
    from causalgia.tell.figures.axes import Axes

_TASKS_DRAWN = 4
_ROWS_NAMED = 40
_CURVES_DRAWN = 4
_UNITS_DRAWN = 20_000
_SVG_BYTES = 250_000
_PAGE_DPI = 130
_MOST_CLOUDS = 24  # contrasts whose single units are drawn
_NARROW = 3.6  # inches of a figure for phones
_ROWS_WIDE, _ROWS_NARROW = 6.1, 14.0  # inches
# what a page says around its figure
_SAID_ABOVE = {"name", "question", "predictor", "effect_on"}


class Picture(NamedTuple):
    """A picture of a page: its markup, and its caption, which is also its text
    alternative.
    """

    markup: Markup
    caption: str


class Figure(NamedTuple):
    """One figure of a page: a picture, or one for each task; the same for narrow
    screens, where there is one; and a caption, or the caption of each picture under it.
    """

    pictures: tuple[Picture, ...]
    caption: str = ""
    narrow: tuple[Picture, ...] = ()
    captions: bool = False


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

    text = image_of(axes, "svg", dpi=_PAGE_DPI).decode("utf-8")
    if len(text) > _SVG_BYTES:
        return saved_picture(caption, image_of(axes, "png", dpi=_PAGE_DPI))
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


def finding_figure(
    effects: xr.Dataset,
    *,
    contrasts: Collection[str],
    answer: Answer | None = None,
    saved: Mapping[str, bytes] | None = None,
) -> Figure:
    """Return the figure of effects: that of the experiment, or a forest plot of all
    tasks, wide and narrow.

    Parameters
    ----------
    effects
        Estimates or decisions.
    contrasts
        Those in the table beside it, which a forest plot shows.
    answer
        The answer of an experiment, whose own figure is drawn for up to four tasks, the
        first of the table.
    saved
        The figures of an experiment that were drawn before: caption -> PNG.
    """
    if saved:
        # their headings say of what they are
        return Figure(tuple(saved_picture(text, png) for text, png in saved.items()))
    if answer is not None and answer.figure is not None:
        return _figure_of_answer(answer, effects)
    shown, few = _of_contrasts(effects, contrasts)
    shown = shown.drop_vars(["do", "n_units"], errors="ignore")
    shown.attrs = {k: v for k, v in shown.attrs.items() if k not in _SAID_ABOVE}
    n = len(tasks_in_table(effects))
    what = "Effects with intervals" if interval_label(effects) else "Effects"
    caption = f"{what}, in the order of the table{few}."
    if n > 1:
        caption = f"{caption[:-1]}; {n:,} tasks."
    wide = forest_of_tasks(shown, rows_within=_ROWS_WIDE)
    narrow = forest_of_tasks(shown, width=_NARROW, rows_within=_ROWS_NARROW)
    return Figure((drawn(wide, caption),), caption, (drawn(narrow, caption),))


def _figure_of_answer(answer: Answer, effects: xr.Dataset) -> Figure:
    """Return the figure of an experiment for each task, of more than four for the
    first in the order of the table.
    """
    every = tasks_in_table(effects)
    shown = [every[i] for i in first_of(effects, "task", _TASKS_DRAWN)]
    attrs = {k: v for k, v in answer.decisions.attrs.items() if k not in _SAID_ABOVE}
    decisions = answer.decisions.drop_attrs(deep=False).assign_attrs(attrs)
    plain = replace(answer, question="", name="", decisions=decisions)
    pictures = []
    for task in shown:
        of = "" if every == [UNNAMED_TASK] else f" Task {task}."
        pictures.append(drawn(plain.draw(task=task), f"{answer.question}{of}"))
    few = len(shown) < len(every)
    caption = (
        f"{len(shown)} tasks of {len(every):,}, in the order of the table."
        if few
        else ""
    )
    return Figure(tuple(pictures), caption)


def _of_contrasts(
    effects: xr.Dataset, contrasts: Collection[str]
) -> tuple[xr.Dataset, str]:
    """Return the placebos and these contrasts, and words on what was left out."""
    placebos = is_placebo(effects)
    names = effects["contrast"].to_numpy().astype(str)
    keep = placebos | np.isin(names, list(contrasts))
    few, n = int((keep & ~placebos).sum()), int((~placebos).sum())
    if few in (0, n):
        return effects.copy(), ""
    pairs = [
        name
        for name, variable in effects.variables.items()
        if "contrast_" in variable.dims
    ]
    cut = effects.drop_vars(pairs).isel(contrast=np.flatnonzero(keep))
    return cut, f"; the {few} contrasts of the table, of {n:,}"


def screen_pictures(effects: xr.Dataset) -> list[Picture]:
    """Return p against size of every effect of each task, where these are too many for
    the figure of the finding.
    """
    named = effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))
    tested = {"log_p", "p", "lfsr"} & set(named.variables)
    n, tasks = named.sizes["contrast"], tasks_in_table(named)
    if n <= _ROWS_NAMED or not tested or "model" in named["ace"].dims:
        return []
    largest = [tasks[i] for i in first_of(named, "task", _TASKS_DRAWN)]
    found = []
    for task in largest:
        of = "" if tasks == [UNNAMED_TASK] else f"; task {task}"
        if len(tasks) > len(largest):
            of += f", one of {len(tasks):,}"
        caption = f"p of no effect against size, all {n:,} contrasts{of}."
        axes = plot.volcano(named.isel(task=[tasks.index(task)]))
        found.append(drawn(axes, caption))
    return found


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
        for task in tasks[:_TASKS_DRAWN]:
            some = (
                ""
                if len(names) <= _CURVES_DRAWN
                else f", the first {_CURVES_DRAWN} of {len(names):,} contrasts"
            )
            some += (
                ""
                if len(tasks) <= _TASKS_DRAWN
                else f"; the first {_TASKS_DRAWN} of {len(tasks):,} tasks are drawn"
            )
            axes = plot.band(result, contrast=names[:_CURVES_DRAWN], task=task)
            found.append(
                drawn(
                    axes, f"Effect along the profile, with its band; task {task}{some}."
                )
            )
    elif "noise_ceiling" in variables:
        for name in np.atleast_1d(result["contrast"].to_numpy())[:_CURVES_DRAWN]:
            found.append(
                drawn(
                    plot.concordance(result, contrast=str(name)),
                    f"Measured against virtual effects, {name}.",
                )
            )
    elif "tipping_shift" in variables and "model" not in result.dims:
        for task in tasks_in_table(result)[:_TASKS_DRAWN]:
            for name in result["contrast"].to_numpy()[:_CURVES_DRAWN]:
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
    four, and of a table with gaps the units that have every arm; captions say so.
    """
    from causalgia.tell.figures.distribution_plots import boxes

    name = next((name for name in ("outcome", "ice") if name in outcomes), None)
    if name is None or has_positions(outcomes) or "model" in outcomes[name].dims:
        return []
    tasks, whole = tasks_in_table(outcomes), ""
    if has_gaps(outcomes):
        every = outcomes.sizes["unit"]
        outcomes = outcomes.dropna("unit")
        whole = f"; the {outcomes.sizes['unit']:,} of {every:,} units with every arm"
    n = outcomes.sizes["unit"]
    if not n:
        return []
    outcomes = outcomes.isel(unit=slice(_UNITS_DRAWN))
    some = (
        f"; the first {_TASKS_DRAWN} of {len(tasks):,} tasks are drawn"
        if len(tasks) > _TASKS_DRAWN
        else ""
    )
    some += whole
    some += f"; the first {_UNITS_DRAWN:,} of {n:,} units" if n > _UNITS_DRAWN else ""
    each = outcomes if name == "ice" else _units(outcomes, effects)
    of_all = int((~is_placebo(effects)).sum()) if effects is not None else 0
    few = (
        f"; the first {_MOST_CLOUDS} of {of_all:,} contrasts"
        if each is not None and of_all > _MOST_CLOUDS
        else ""
    )
    predicted = has(outcomes).predictor_fingerprint
    what = "Predictions" if predicted else "Outcomes"
    unit = "sequence" if predicted else "unit"
    found = []
    for task in tasks[:_TASKS_DRAWN]:
        if name == "outcome":
            caption = f"{what} of each arm over {unit}s; task {task}{some}."
            found.append(drawn(boxes(outcomes, task=task), caption))
        if each is not None:
            caption = f"Effect on each {unit} (ICE); task {task}{some}{few}."
            found.append(drawn(plot.raincloud(each, task=task), caption))
    return found


def _units(outcomes: xr.Dataset, effects: xr.Dataset | None) -> xr.Dataset | None:
    """Return the effects of single units of a crossover, of the first 24 contrasts that
    are weighted sums of arms.
    """
    if (
        effects is None
        or "arm" not in outcomes["outcome"].dims
        or "weight" not in effects
        or about(effects, None).transform != "identity"
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

"""Pictures of a page: of the rows of its table, and of what it is about, as inline SVG
with a text alternative, or as PNG if large.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.effect_table import has_gaps, has_positions, tasks_in_table
from causalgia.errors import printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.tell import figures
from causalgia.tell.effect_rows import first_rows
from causalgia.tell.figures.forest_plot import draw_forest
from causalgia.tell.figures.style import (
    UNNAMED_TASK,
    effects_in,
    image_of,
    interval_label,
    rows_of,
)

if TYPE_CHECKING:
    from markupsafe import Markup

    from causalgia.experiments import Answer

_TASKS_DRAWN = 4
_CURVES_DRAWN = 4
_ROWS_NAMED = 40
_SVG_BYTES = 250_000
_PAGE_DPI = 130
_NARROW = 3.6  # inches of a figure for phones
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


def drawn(axes: figures.Axes, caption: str) -> Picture:
    """Return a picture inline as SVG, or as PNG if the SVG is larger than 250 kB.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["<b>"], "task": ["K562"]}
    ... )
    >>> picture = drawn(figures.forest(estimates), "effect of <b>")
    >>> str(picture.markup)[:48], "<b>" in picture.markup
    ('<svg role="img" aria-label="effect of &lt;b&gt;"', False)
    """
    from markupsafe import Markup

    text = image_of(axes, "svg", dpi=_PAGE_DPI).decode("utf-8")
    if len(text) > _SVG_BYTES:
        return saved_picture(caption, image_of(axes, "png", dpi=_PAGE_DPI))
    invisible = r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>"
    text = re.sub(invisible, "", text[text.index("<svg") + 4 :], flags=re.DOTALL)
    # ids of several pictures share one page
    own = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>p{own}-", text)
    opening = Markup('<svg role="img" aria-label="{}"').format(printable(caption))
    return Picture(opening + Markup(re.sub(r"\n\s*", "\n", text).rstrip()), caption)


def saved_picture(caption: str, png: bytes) -> Picture:
    """Return a picture from a PNG."""
    from markupsafe import Markup

    image = '<img alt="{}" src="data:image/png;base64,{}">'
    data = base64.b64encode(png).decode()
    return Picture(Markup(image).format(printable(caption), data), caption)


def finding_figure(
    effects: xr.Dataset,
    *,
    contrasts: Collection[str],
    answer: Answer | None = None,
    saved: Mapping[str, bytes] | None = None,
) -> Figure:
    """Return the figure of effects: that of the experiment, for up to four tasks, or
    that was drawn before (caption -> PNG), or a forest plot of the contrasts in the
    table, wide and narrow.
    """
    if saved:
        return Figure(tuple(saved_picture(text, png) for text, png in saved.items()))
    if answer is not None and answer.figure is not None:
        attrs = _not_said(answer.decisions)
        decisions = answer.decisions.drop_attrs(deep=False).assign_attrs(attrs)
        plain = replace(answer, question="", decisions=decisions)
        pictures = [
            drawn(plain.draw(task=task), f"{answer.question}{words}")
            for task, words in _tasks_drawn(effects)
        ]
        return Figure(tuple(pictures))
    names = effects["contrast"].to_numpy().astype(str)
    placebo, asked = is_placebo(effects), np.isin(names, list(contrasts))
    n, few = int((~placebo).sum()), int((asked & ~placebo).sum())
    shown = effects.copy()
    caption = "Effects with intervals" if interval_label(effects) else "Effects"
    if 0 < few < n:
        pairs = [key for key, of in effects.variables.items() if "contrast_" in of.dims]
        shown = shown.drop_vars(pairs).isel(contrast=np.flatnonzero(asked | placebo))
        caption += f", {few} of {n:,} contrasts"
    if (tasks := len(tasks_in_table(effects))) > 1:
        caption += f", {tasks:,} tasks"
    caption += ", in the order of the table."
    shown = shown.drop_vars("n_units", errors="ignore")
    shown.attrs = _not_said(effects)
    found = effects_in(shown)
    rows = rows_of(found)
    wide, narrow = (
        drawn(draw_forest(found, rows, None, *width), caption)
        for width in ((), (_NARROW,))
    )
    return Figure((wide,), caption, (narrow,))


def _not_said(table: xr.Dataset) -> dict[str, object]:
    return {str(k): v for k, v in table.attrs.items() if k not in _SAID_ABOVE}


def _tasks_drawn(effects: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Yield the first four tasks in the order of the table, each with its words in a
    caption.
    """
    tasks = tasks_in_table(effects)
    first = range(len(tasks))
    if "ace" in effects and not has_positions(effects) and len(tasks) > 1:
        first = first_rows(effects, "task", _TASKS_DRAWN).tolist()
    of = f", one of {len(tasks):,}" if len(tasks) > _TASKS_DRAWN else ""
    for at in first[:_TASKS_DRAWN]:
        yield tasks[at], "" if tasks[at] == UNNAMED_TASK else f" Task {tasks[at]}{of}."


def screen_pictures(effects: xr.Dataset) -> list[Picture]:
    """Return p against size of every effect of each task, where these are too many for
    the figure of the finding.
    """
    named = effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))
    n = named.sizes["contrast"]
    if n <= _ROWS_NAMED or "model" in named["ace"].dims or "p" not in named:
        return []
    return [
        drawn(
            figures.scatter(named, task=task),
            f"p of no effect against size, all {n:,} contrasts.{words}",
        )
        for task, words in _tasks_drawn(named)
        if named["p"].notnull().any()
    ]


def bench_pictures(result: xr.Dataset) -> list[Picture]:
    """Return the pictures of profiles, of the bench and of a tipping point."""
    known = set(result.variables)
    if "model" in result.dims:
        return []
    if "ace" in result and has_positions(result):
        names = result["contrast"].to_numpy()[:_CURVES_DRAWN]
        few = result.isel(contrast=slice(_CURVES_DRAWN))
        first = (
            f" The first {len(names)} contrasts." if few.sizes != result.sizes else ""
        )
        return [
            drawn(
                figures.curve(few, task=task),
                f"Effect along the profile, with its band.{words}{first}",
            )
            for task, words in _tasks_drawn(result)
        ]
    if "noise_ceiling" in known:
        return [
            drawn(figures.scatter(one), f"Measured against virtual effects, {name}.")
            for name, one in _each_contrast(result)
        ]
    if "tipping_shift" in known:
        return [
            drawn(
                figures.curve(one, task=task),
                f"{name} as the null model shifts.{words}",
            )
            for task, words in _tasks_drawn(result)
            for name, one in _each_contrast(result)
        ]
    if {"n_barcodes", "activity"} <= known and "oligo" in result["n_barcodes"].dims:
        own = [
            drawn(
                figures.distribution(result), "Barcodes with DNA of an oligo, by arm."
            )
        ]
        if result.sizes.get("replicate", 0) > 1:
            own.append(
                drawn(
                    figures.scatter(result), "Activity of each oligo in two replicates."
                )
            )
        return own
    if "oligo_index" in known:
        return [
            drawn(figures.distribution(result), "DNA reads of a barcode, by replicate.")
        ]
    return []


def _each_contrast(result: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    for at, name in enumerate(result["contrast"].to_numpy()[:_CURVES_DRAWN]):
        yield str(name), result.isel(contrast=[at])


def outcome_pictures(
    outcomes: xr.Dataset, *, effects: xr.Dataset | None
) -> list[Picture]:
    """Return the distributions of outcomes by arm, and of the effects of single units,
    where they were kept; of a table with gaps, of the units that have every cell.
    """
    name = next((name for name in ("outcome", "ice") if name in outcomes), None)
    if name is None or has_positions(outcomes) or "model" in outcomes[name].dims:
        return []
    gaps = has_gaps(outcomes)
    if gaps:
        outcomes = outcomes.dropna("unit")
    if not outcomes.sizes["unit"]:
        return []
    whole = " Units with every cell." if gaps else ""
    each = outcomes if name == "ice" else _units(outcomes, effects)
    predicted = has(outcomes).predictor_fingerprint
    unit = "sequence" if predicted else "unit"
    found = []
    for task, words in _tasks_drawn(outcomes):
        if name == "outcome":
            what = "Predictions" if predicted else "Outcomes"
            caption = f"{what} of each arm over {unit}s.{words}{whole}"
            found.append(drawn(figures.distribution(outcomes, task=task), caption))
        if each is not None:
            caption = f"Effect on each {unit} (ICE).{words}{whole}"
            found.append(drawn(figures.distribution(each, task=task), caption))
    return found


def _units(outcomes: xr.Dataset, effects: xr.Dataset | None) -> xr.Dataset | None:
    """Return the effects of single units of a crossover, of contrasts that are weighted
    sums of arms.
    """
    if (
        effects is None
        or "arm" not in outcomes["outcome"].dims
        or "weight" not in effects
        or about(effects, None).transform != "identity"
    ):
        return None
    shown = effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))
    used = shown["weight"].isel(
        arm=np.flatnonzero((shown["weight"] != 0).any("contrast"))
    )
    if not used["arm"].isin(outcomes["arm"]).all():
        return None
    outcome = outcomes["outcome"].sel(arm=used["arm"].to_numpy()).drop_vars("arm")
    ice: xr.DataArray = xr.dot(outcome, used.drop_vars("arm"), dim="arm")
    about_it = ("scale", "contrast_scale", "control", "predictor")
    keep = {key: shown.attrs[key] for key in about_it if key in shown.attrs}
    return ice.to_dataset(name="ice").assign_attrs(keep)

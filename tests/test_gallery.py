"""Imports simultaneous_limits from the inside: the band of ranks, against simulation.

Every picture holds what it owes its reader, and looks as it did when it was looked
at.

``python tests/test_gallery.py`` writes what they look like now into ``gallery.json``;
look at them first: ``python tests/gallery.py FOLDER``.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from figure_checks import faults
from gallery import LONG, ROOM, claim, drawn, effects
from matplotlib import rc_context
from scipy import stats

import causalgia as cg
from causalgia import plot
from causalgia.posterior.posterior_tree import import_quietly
from causalgia.refutation.null_shift import classifier, kmer_composition
from causalgia.tell.figures import distribution_plots
from causalgia.tell.figures.distribution_plots import simultaneous_limits
from causalgia.tell.figures.style import shortened

KEPT = Path(__file__).with_name("gallery.json")


CELLS, MOST = 24, 20.0


"""Cells a side of the gray thumbnail of a picture, and the most that one may differ,
of 255.
"""


# matplotlib brings it along
DEFAULT = {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]}


def thumbnail(axes):
    """Return mean grays of a picture in cells."""
    figure = axes.get_figure(root=True)
    figure.set_dpi(60)
    figure.canvas.draw()
    gray = np.asarray(figure.canvas.buffer_rgba())[..., :3].mean(axis=2)
    edges = [np.linspace(0, n, CELLS + 1) for n in gray.shape]
    for axis, ends in enumerate(
        edges
    ):  # exact means, wherever the ends of the cells lie
        total = np.cumsum(np.insert(gray, 0, 0.0, axis=axis), axis=axis)
        at = np.arange(total.shape[axis])
        gray = np.diff(
            np.apply_along_axis(
                lambda one, at=at, ends=ends: np.interp(ends, at, one), axis, total
            ),
            axis=axis,
        )
        gray /= np.diff(ends)[0]
    return gray


def as_text(gray):
    return gray.round().clip(0, 255).astype(np.uint8).tobytes().hex()


def as_gray(text):
    return (
        np.frombuffer(bytes.fromhex(text), np.uint8).reshape(CELLS, CELLS).astype(float)
    )


def shown_ticks(axis, low, high):
    low, high = min(low, high), max(low, high)
    pairs = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
    return [
        label for place, label in pairs if low <= place <= high and label.get_text()
    ]


def check_texts(axes):
    """Hold every text to the page, and those of one kind, headings and legends apart
    from each other.
    """
    figure = axes.get_figure(root=True)
    figure.draw_without_rendering()
    renderer, page = figure.canvas.get_renderer(), figure.bbox
    across = shown_ticks(axes.xaxis, *axes.get_xlim())
    down = shown_ticks(axes.yaxis, *axes.get_ylim())
    legends = [*figure.legends, *([axes.get_legend()] if axes.get_legend() else [])]
    heading = axes._left_title
    found = [*axes.texts, *across, *down, axes.xaxis.label, axes.yaxis.label, heading]
    found += [bar.yaxis.label for bar in figure.axes if bar is not axes]
    boxes = [
        (t.get_text(), t.get_window_extent(renderer))
        for t in found
        if t.get_text() and t.get_visible()
    ]
    boxes += [("legend", one.get_window_extent(renderer)) for one in legends]
    out = [
        text
        for text, b in boxes
        if not (
            b.x0 >= page.x0 - 1
            and b.x1 <= page.x1 + 1
            and b.y0 >= page.y0 - 1
            and b.y1 <= page.y1 + 1
        )
    ]
    assert not out
    apart = [heading, axes.xaxis.label, axes.yaxis.label, *legends]
    for some in (axes.texts, across, down, apart):
        boxed = [
            one.get_window_extent(renderer)
            for one in some
            if not hasattr(one, "get_text") or one.get_text()
        ]
        for a, b in itertools.combinations(boxed, 2):
            assert not a.padded(-1).overlaps(b.padded(-1)), (a, b)


@pytest.mark.simulation
@pytest.mark.parametrize("name", ROOM)
def test_a_picture_looks_as_it_did(name):
    with rc_context(DEFAULT):
        axes = drawn(name)
        check_texts(axes)
        assert not faults(axes.get_figure(root=True))
        kept = as_gray(json.loads(KEPT.read_text())[name])
        assert np.abs(thumbnail(axes) - kept).max() <= MOST, (
            "look: python tests/gallery.py FOLDER"
        )


@pytest.mark.simulation
def test_pictures_of_other_effects_look_different():
    with rc_context(DEFAULT):
        kept = {
            name: as_gray(text) for name, text in json.loads(KEPT.read_text()).items()
        }
        assert set(kept) == set(ROOM)
        for draw, name in (
            (plot.equivalence, "equivalence"),
            (plot.volcano, "volcano"),
        ):
            table = effects({"equivalence": 12, "volcano": 100}[name])
            turned = table.assign(
                ace=-table["ace"], lower=-table["upper"], upper=-table["lower"]
            )
            assert np.abs(thumbnail(draw(turned)) - kept[name]).max() > MOST
        unnamed = drawn("forest")
        unnamed.get_legend().remove()
        assert np.abs(thumbnail(unnamed) - kept["forest"]).max() > MOST


def test_long_names_with_one_beginning_are_told_apart():
    assert len({shortened(f"{LONG} {i}") for i in range(10)}) == 10
    assert all(36 <= len(shortened(f"{LONG} {i}")) <= 40 for i in range(10))


def test_a_null_shift_has_the_numbers_of_the_checks():
    made = claim()
    samples = cg.refutation.null_and_real(made)
    assert float(samples["auc"]) == classifier(made)["value"].item()
    assert float(samples["divergence"]) == pytest.approx(
        kmer_composition(made)["value"].item()
    )
    words, _ = distribution_plots.null_shift(samples).figure.axes
    points = np.asarray(words.collections[0].get_offsets())
    np.testing.assert_array_equal(
        points, samples["kmer_share"].sel(sample=["real", "null"]).T
    )


@pytest.mark.simulation
def test_the_band_of_ranks_holds_all_uniform_ones_as_often_as_it_says():
    at = np.arange(1, 100) / 100
    low, high = simultaneous_limits(400, at, 0.95)
    ecdf_utils = import_quietly("arviz.stats.ecdf_utils")
    other = ecdf_utils.ecdf_confidence_band(
        400, np.arange(99), at, prob=0.95, method="optimized"
    )
    assert np.abs(np.array([low, high]) - other).max() <= 1.001 / 400
    trials = (
        np.random.default_rng(5)
        .multinomial(400, np.full(100, 0.01), 2_000)
        .cumsum(axis=1)[:, :-1]
        / 400
    )
    inside = ((trials >= low - 1e-12) & (trials <= high + 1e-12)).all(axis=1).sum()
    least, most = stats.binom(2_000, 0.95).ppf([0.005, 0.995])
    assert least <= inside <= most


def test_wrong_ranks_are_seen():
    narrow = drawn("ranks of narrow posteriors")
    (bars,) = [p for p in narrow.patches if p.get_label() == "trials"]
    (band,) = [c for c in narrow.collections if "uniform ranks" in c.get_label()]
    assert bars.get_data().values.max() > band.get_paths()[0].vertices[:, 1].max()


def test_logos_have_the_errors_they_are_given():
    bars = [
        line.get_segments()
        for name in ("logo", "logo, centered")
        for line in drawn(name).collections
        if hasattr(line, "get_segments")
    ]
    half = [
        {round(float(np.ptp(segment[:, 1])) / 2, 6) for segment in segments}
        for segments in bars
    ]
    assert half == [{0.1}, {round(0.75 * 0.1 + 3 * 0.025, 6)}]


if __name__ == "__main__":
    with rc_context(DEFAULT):
        KEPT.write_text(
            json.dumps(
                {name: as_text(thumbnail(drawn(name))) for name in ROOM}, indent=0
            )
            + "\n"
        )

"""Imports forest_of_tasks and style from the inside: figures that pages alone draw.

Every figure that anything saves can be printed: texts apart, on the canvas, of a size
that can be read, rows named. `conftest.py` looks at what the other tests save; here are
names and numbers that are hard to draw, and the check itself.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from figure_checks import faults, visible_texts
from matplotlib.text import Text

import causalgia as cg
from causalgia import plot
from causalgia.tell.figures import curves, forest_plot, grids, style, verdict_plots

LONG = "a motif " * 25


NAMES = {
    "long": [f"{LONG}{i}" for i in range(6)],
    "wide": [f"{'転写因子結合部位' * 25}{i}" for i in range(6)],
    "right to left": [f"{'موقع الربط ' * 18}{i}" for i in range(6)],
    "marks": ["e\u0301" * 100 + str(i) for i in range(6)],
}


def estimates(names, tasks=("K562",), *, do=False, placebos=0, seed=0, **attrs):
    """Estimates as a trial gives them, with do-notation and placebos."""
    rng = np.random.default_rng(seed)
    all_names = [*names, *(f"placebo {i}" for i in range(placebos))]
    shape = len(all_names), len(tasks)
    ace = rng.normal(size=shape)
    ace[len(names) :] *= 0.02
    se = np.full(shape, 0.1)
    dims = ("contrast", "task")
    coords = {
        "contrast": all_names,
        "task": list(tasks),
        "is_placebo": ("contrast", np.arange(shape[0]) >= len(names)),
        "distance": ("contrast", np.arange(shape[0], dtype=float)),
        "first": ("contrast", [f"{name} a" for name in all_names]),
        "second": ("contrast", [f"{name} b" for name in all_names]),
    }
    if do:
        coords["do"] = (
            "contrast",
            [f"do(x[10:{17 + i}] = {n[:20]}) − do()" for i, n in enumerate(all_names)],
        )
    return xr.Dataset(
        {
            "ace": (dims, ace),
            "se": (dims, se),
            "df": (dims, np.full(shape, 99.0)),
            "p": (dims, np.clip(np.exp(-abs(ace) * 20), 1e-200, 1)),
            "lower": (dims, ace - 0.2),
            "upper": (dims, ace + 0.2),
        },
        coords,
        {
            "scale": "log2 activity",
            "control": "placebo",
            "predictor": "zoo: gata1_like",
            "question": "Does the effect of a motif depend on what is beside it?",
            "ci_prob": 0.95,
        }
        | attrs,
    )


def decided(*given, **settings):
    """Verdicts on them, with hierarchical sizes beside."""
    found = estimates(*given, **settings)
    low, high = found["lower"], found["upper"]
    verdict = xr.where(
        low > 0.2,
        "increases",
        xr.where(
            high < -0.2,
            "decreases",
            xr.where((low > -0.25) & (high < 0.25), "negligible", "undecided"),
        ),
    )
    return found.assign(
        verdict=verdict,
        q=found["p"],
        rope_lower=xr.full_like(low, -0.2),
        rope_upper=xr.full_like(low, 0.2),
        shrunken=0.8 * found["ace"],
        shrunken_lower=0.8 * low,
        shrunken_upper=0.8 * high,
    )


def test_the_check_finds_what_is_wrong():
    axes = style.new_figure(4.0, 3.0).add_subplot()
    axes.text(0.5, 0.5, "one")
    axes.text(0.51, 0.5, "other")
    axes.text(0.1, 3.0, "far away", in_layout=False)
    axes.text(0.1, 0.1, "tiny", fontsize=5)
    axes.text(0.1, 0.1, "unseen", visible=False)
    found = " ".join(faults(axes.figure))
    assert "'one' and 'other' overlap" in found
    assert "'far away' leaves the canvas" in found
    assert "'tiny' has 5.0 points" in found
    assert "unseen" not in found


def test_ticks_beyond_the_limits_are_not_seen():
    axes = style.new_figure(4.0, 3.0).add_subplot()
    axes.set_xticks([0, 0.5, 40], ["a", "b", "out of view"])
    axes.set_xlim(0, 1)
    assert "out of view" not in {one.text for one in visible_texts(axes.figure)}
    assert not faults(axes.figure)


def test_a_row_without_a_name_is_found():
    axes = forest_plot.forest(estimates(["a", "b", "c"]))
    axes.set_yticks([0, 1])
    assert "row 2 has no name" in faults(axes.figure)


def for_phones(table):
    """The forest plot of a page on a narrow screen."""
    return forest_plot.forest_of_tasks(table, width=3.6, rows_within=14.0)


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_two_hundred_letters_collide_nowhere(kind):
    names = NAMES[kind]
    tasks = [f"{name} task" for name in names]
    table = decided(names, tasks[:2], do=True, placebos=40)
    first = forest_plot.forest_of_tasks(table)
    assert not faults(first.figure)
    assert not faults(for_phones(table).figure)
    assert all(len(tick.get_text()) < 90 for tick in first.get_yticklabels())
    if kind == "wide":
        one = table.isel(task=[0], contrast=slice(6))
        for axes in (
            plot.equivalence(one),
            plot.volcano(one),
            verdict_plots.ranked(one),
            grids.heatmap(one, rows="first", columns="second"),
        ):
            assert not faults(axes.figure), axes


@pytest.mark.simulation
@pytest.mark.parametrize("n", [1, 21, 5_000])
@pytest.mark.filterwarnings("error")
def test_any_number_of_arms_collides_nowhere(n):
    names = [f"motif {i}, core broken" for i in range(n)]
    table = decided(names, ("K562", "HepG2"), do=n < 30, placebos=40)
    axes = plot.forest(table, task="K562")
    assert not faults(axes.figure)
    assert not faults(forest_plot.forest_of_tasks(table).figure)
    assert not faults(forest_plot.forest_of_tasks(table, rows_within=6.0).figure)
    assert not faults(for_phones(table).figure)
    if n > 100:
        assert len(axes.get_yticklabels()) == 101
    assert not faults(verdict_plots.ranked(table, task="K562").figure)


@pytest.mark.simulation
@pytest.mark.parametrize("n", [1, 12, 919])
def test_any_number_of_tasks_collides_nowhere(n):
    tasks = [f"DNASE: cell line number {i}" for i in range(n)]
    table = decided(["GATA1", "GATA1, core broken", "untreated"], tasks, do=True)
    axes = forest_plot.forest_of_tasks(table)
    assert not faults(axes.figure)
    assert axes.figure.get_figwidth() <= style.PAGE
    narrow = for_phones(table)
    assert not faults(narrow.figure)
    assert narrow.figure.get_figwidth() == pytest.approx(3.6)


def test_tasks_share_names_titles_and_one_legend():
    table = decided(["GATA1", "untreated"], ("K562", "HepG2"), do=True, placebos=40)
    figure = forest_plot.forest_of_tasks(table).figure
    assert [axes.get_title("left") for axes in figure.axes] == ["K562", "HepG2"]
    tops = [axes._left_title.get_window_extent().y0 for axes in figure.axes]
    assert tops[0] == pytest.approx(tops[1], abs=0.5)
    assert [axes.get_legend() for axes in figure.axes] == [None, None]
    assert len(figure.legends) == 1
    seen = [one.text for one in visible_texts(figure)]
    assert seen.count("GATA1") == 1


@pytest.mark.simulation
def test_rows_keep_their_distance_whatever_they_carry():
    for do in (False, True):
        distances = []
        for n in (1, 20):
            axes = plot.forest(decided([f"motif {i}" for i in range(n)], do=do))
            axes.figure.draw_without_rendering()
            inches = axes.get_window_extent().height / axes.figure.dpi
            low, high = axes.get_ylim()
            distances.append(inches / (low - high))
        assert max(distances) < 1.25 * min(distances)


def test_a_screen_names_what_is_beyond_random_sequences():
    names = [f"{'ACGU'[i % 4]}{i:05d}" for i in range(4_096)]
    table = decided(names)
    table["verdict"] = table["verdict"].where(abs(table["ace"]) > 2.5, "within")
    axes = verdict_plots.ranked(table)
    named = {text.get_text() for text in axes.texts}
    largest = abs(table["ace"]).to_series().sort_values().index[-3:]
    assert {name for name, _ in largest} <= named
    assert len(named) <= 12
    assert not faults(axes.figure)


def names_on_lines(axes):
    """Names in the axes of which another's leader line crosses the letters."""
    axes.figure.draw_without_rendering()
    texts = [text for text in axes.texts if text.arrow_patch is not None]
    boxes = [Text.get_window_extent(text) for text in texts]
    found = []
    for text in texts:
        path = text.arrow_patch.get_path()
        ends = text.arrow_patch.get_transform().transform(path.vertices)
        (x0, y0), (x1, y1) = ends[0], ends[-1]
        on_line = [
            (x0 + s * (x1 - x0), y0 + s * (y1 - y0)) for s in np.linspace(0, 1, 200)
        ]
        for other, box in zip(texts, boxes, strict=True):
            inside = any(
                box.x0 + 1 < x < box.x1 - 1 and box.y0 + 2 < y < box.y1 - 2
                for x, y in on_line
            )
            if other is not text and inside:
                found.append((text.get_text(), other.get_text()))
    return found


@pytest.mark.simulation
@pytest.mark.parametrize("n", [40])
@pytest.mark.parametrize(
    "law", ["one size", "all up", "both ways", "all down", "one far"]
)
def test_the_names_of_a_ranked_plot_lie_on_no_line(n, law):
    rng = np.random.default_rng(n)
    ace = {
        "one size": 1 + 0.01 * rng.normal(size=n),
        "all up": 1 + rng.exponential(size=n),
        "both ways": rng.normal(size=n),
        "all down": -1 - rng.exponential(size=n),
        "one far": np.r_[9.0, rng.normal(size=n - 1)],
    }[law]
    names = [f"GATA1, site {i}" for i in range(n)]
    given = cg.from_effects(ace, np.full(n, 0.01), names=names)
    axes = verdict_plots.ranked(cg.decide(given, rope=(-0.02, 0.02)))
    assert len(axes.texts) == 12
    assert not names_on_lines(axes)
    assert not faults(axes.figure)


@pytest.mark.simulation
@pytest.mark.parametrize("dpi", [50, 72, 80, 100])
def test_the_label_of_an_axis_fits_whatever_the_resolution(dpi):
    table = decided([f"at {i}" for i in range(5)]).assign_attrs(
        scale="log of the counts of reads at the promoters", control="none"
    )
    for axes in (
        curves.profile(
            table, along="distance", label="excess over the sum of both sites alone"
        ),
        verdict_plots.ranked(table),
    ):
        axes.figure.set_dpi(dpi)
        assert not faults(axes.figure)


def test_a_letter_of_a_logo_is_as_high_as_the_axis_says():
    heights = np.array([[0.5, 0.0, 0.25, -0.2], [0.1, 0.9, 0.1, -0.4]])
    table = xr.Dataset(
        {"ace": (("position", "base"), heights)},
        {"position": [0, 1], "base": list("ACGT")},
    )
    axes = plot.logo(table)
    drawn = sorted(patch.get_path().get_extents().height for patch in axes.patches)
    assert drawn == pytest.approx(sorted(abs(heights[heights != 0])))
    assert not faults(axes.figure)


def _seen_by(color, matrix):
    """Return a color in CIE L*a*b* as a reader with a color vision deficiency sees it
    (Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113).
    """
    rgb = np.array(mpl.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
    x = (np.array(to_xyz) @ linear) / np.array([0.9505, 1.0, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


READERS = {
    "all cones": np.eye(3),
    "without red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("reader", READERS)
def test_verdicts_and_lines_differ_for_readers_who_lack_a_cone(reader):
    matrix = READERS[reader]
    verdicts = dict.fromkeys(style.VERDICTS.values())
    for colors in (verdicts, style.MODELS):
        seen = [_seen_by(color, matrix) for color in colors]
        apart = [
            float(np.linalg.norm(a - b)) for i, a in enumerate(seen) for b in seen[:i]
        ]
        assert min(apart) > 12, dict(zip(colors, seen, strict=True))
    for color in (*verdicts, style.INK, style.GRAY):  # against white, and dark paper
        lightness = _seen_by(color, np.eye(3))[0]
        assert lightness < 65


@pytest.mark.simulation
def test_vector_formats_keep_their_texts_apart(tmp_path):
    axes = plot.forest(decided(["GATA1", "GATA1, core broken"], do=True, placebos=9))
    for ending in ("pdf", "svg"):
        path = plot.save_figure(axes, tmp_path / f"forest.{ending}")
        assert path.stat().st_size > 5_000
    assert not faults(axes.figure)


def test_dark_figures_have_light_texts_and_the_same_marks(tmp_path):
    style.use_style("dark")
    try:
        figure = forest_plot.forest_of_tasks(
            decided(["GATA1", "untreated"], ("K562", "HepG2"), do=True, placebos=40)
        ).figure
    finally:
        style.use_style("light")
    figure.canvas.draw()
    paper = mpl.colors.to_hex(figure.get_facecolor())
    assert _seen_by(paper, np.eye(3))[0] < 12
    for one in visible_texts(figure):
        assert _seen_by(one.of.get_color(), np.eye(3))[0] > 60, one.text
    assert not faults(figure)
    plot.save_figure(figure.axes[0], tmp_path / "dark.pdf")
    plain = style.new_figure(2.0, 1.0)
    assert mpl.colors.to_hex(plain.get_facecolor()) == "#ffffff"


def test_a_table_that_was_decided_is_drawn():
    found = cg.decide(
        cg.from_effects([0.0, 3.0], [0.1, 0.1], names=["a", "b"]), rope=(-1, 1)
    )
    assert not faults(plot.forest(found).figure)

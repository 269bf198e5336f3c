"""Figures of the catalogue: profiles, scatters, logos and grids show the numbers they
are given, where they are.
"""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PathCollection

from causalgia import plot
from causalgia.tell.figures import curves, grids

pytestmark = pytest.mark.usefixtures("every_figure_can_be_printed")


EFFECT = ("contrast", "task")


ALONG = [8.0, 2.0, 5.0, np.nan]


def table(
    aces=(1.0, -0.5, 0.02, 9.0), *, half=0.1, decided=True, tasks=("K562",), **coords
):
    ace = np.repeat(np.array(aces, dtype=float)[:, None], len(tasks), axis=1)
    names = [f"c{i}" for i in range(len(aces))]
    along = {"distance": ("contrast", ALONG[: len(aces)])} | coords
    found = xr.Dataset(
        {
            "ace": (EFFECT, ace),
            "lower": (EFFECT, ace - half),
            "upper": (EFFECT, ace + half),
        },
        coords={"contrast": names, "task": list(tasks), **along},
        attrs={"scale": "log counts", "control": "placebo"},
    )
    if not decided:
        return found
    low, high = found["lower"], found["upper"]
    verdict = xr.where(
        low > 0.2, "increases", xr.where(high < -0.2, "decreases", "undecided")
    )
    band = {"rope_lower": xr.full_like(low, -0.2), "rope_upper": xr.full_like(low, 0.2)}
    return found.assign(verdict=verdict, **band)


def points(axes, label):
    (found,) = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_label() == label
    ]
    return np.asarray(found.get_offsets())


def test_a_profile_has_its_effects_in_order_and_leaves_out_the_others():
    axes = curves.profile(table(), along="distance")
    assert points(axes, "_decided") == pytest.approx(
        np.array([[2, -0.5], [5, 0.02], [8, 1.0]])
    )
    assert points(axes, "_undecided") == pytest.approx(np.array([[5, 0.02]]))
    (joined,) = [line for line in axes.lines if line.get_label() == "_joined"]
    assert joined.get_xdata().tolist() == [2, 5, 8]
    bars = next(
        c for c in axes.collections if isinstance(c, LineCollection)
    ).get_segments()
    assert [bar[:, 1].tolist() for bar in bars] == [
        pytest.approx([y - 0.1, y + 0.1]) for y in (-0.5, 0.02, 1.0)
    ]
    (rope,) = [patch for patch in axes.patches if patch.get_label() == "ROPE"]
    assert (rope.get_y(), rope.get_y() + rope.get_height()) == pytest.approx(
        (-0.2, 0.2)
    )
    assert {"increases", "decreases", "undecided"} <= {
        text.get_text() for text in axes.get_legend().get_texts()
    }
    assert [line.get_ydata()[0] for line in axes.lines if line not in (joined,)] == [
        0.0
    ]


def test_ropes_that_differ_go_along_and_no_rope_is_no_band():
    own = table().assign(rope_upper=(EFFECT, np.array([[0.3], [0.1], [0.2], [0.2]])))
    assert [
        c
        for c in curves.profile(own, along="distance").collections
        if c.get_label() == "ROPE"
    ]
    none = table().assign(rope_upper=table()["rope_lower"])
    axes = curves.profile(none, along="distance")
    assert not [
        c for c in [*axes.collections, *axes.patches] if c.get_label() == "ROPE"
    ]


def test_effects_at_the_same_number_are_not_joined():
    twice = table((1.0, 2.0, 3.0), decided=False).assign_coords(
        distance=("contrast", [1, 1, 2])
    )
    assert not [
        line
        for line in curves.profile(twice, along="distance").lines
        if line.get_label() == "_joined"
    ]


def test_open_intervals_of_a_profile_end_in_arrows():
    found = table(decided=False)
    found["upper"][0, 0] = np.inf
    found["unbounded"] = (EFFECT, np.arange(4)[:, None] == 0)
    axes = curves.profile(found, along="distance")
    assert points(axes, "_unbounded")[0, 0] == 8.0
    assert points(axes, "_unbounded")[0, 1] > 1.1


def test_models_of_a_profile_have_a_line_each():
    two = table(decided=False)[["ace"]].expand_dims(model=["a", "b"], axis=-1)
    axes = curves.profile(two, along="distance")
    assert len([line for line in axes.lines if line.get_label() == "_joined"]) == 2
    assert len(points(axes, "a")) == len(points(axes, "b")) == 3


def test_a_scatter_has_the_error_of_both_and_a_line():
    measured = table(
        affinity=("contrast", [-1.0, -2.0, -3.0, np.nan]),
        affinity_se=("contrast", [0.1, 0.2, 0.3, np.nan]),
    )
    axes = curves.against(measured, x="affinity", line=(1.0, 0.5))
    assert points(axes, "_decided") == pytest.approx(
        np.array([[-3, 0.02], [-2, -0.5], [-1, 1.0]])
    )
    (line,) = [line for line in axes.lines if line.get_label().startswith("line ")]
    assert line.get_ydata().tolist() == pytest.approx([-0.5, 0.5])
    across = next(
        c for c in axes.collections if isinstance(c, LineCollection)
    ).get_segments()
    assert across[0][:, 0] == pytest.approx([-3 - 0.588, -3 + 0.588])
    assert [text.get_text() for text in axes.texts] == ["c2", "c1", "c0"]


def heights(values, bases="ACGT", **attrs):
    return xr.Dataset(
        {"ace": (("position", "base"), values)},
        coords={"base": list(bases)},
        attrs=attrs,
    ).assign_coords(position=np.arange(len(values)) + 10)


def boxes(axes):
    """Letter -> its (left, right, bottom, top), for letters that are there once."""
    found = {}
    for patch in axes.patches:
        box = patch.get_path().get_extents()
        found[patch.get_label()[1:]] = (box.x0, box.x1, box.y0, box.y1)
    return found


def test_letters_are_as_high_as_their_effects_and_stacked_outwards():
    axes = plot.logo(heights([[0.3, -0.2, 0.5, -0.4]]))
    found = boxes(axes)
    ends = {letter: box[2:] for letter, box in found.items()}
    assert ends["A"] == pytest.approx((0.0, 0.3))
    assert ends["G"] == pytest.approx((0.3, 0.8))
    assert ends["C"] == pytest.approx((-0.2, 0.0))
    assert ends["T"] == pytest.approx((-0.6, -0.2))
    assert all(box[:2] == pytest.approx((-0.46, 0.46)) for box in found.values())
    colors = {
        patch.get_label()[1:]: mpl.colors.to_hex(patch.get_facecolor())
        for patch in axes.patches
    }
    assert len(set(colors.values())) == 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10"]


def test_what_is_not_known_or_zero_has_no_letter():
    axes = plot.logo(
        heights([[0.3, np.nan, 0.0, 0.1], [0.1, 0.0, 0.0, 0.0]], bases="ACGU")
    )
    assert sorted(patch.get_label() for patch in axes.patches) == ["_A", "_A", "_U"]
    plot.logo(heights([[0.0, 0.0, 0.0, 0.0]]))
    plot.logo(heights([[np.nan, np.nan, np.nan, np.nan]]))


def test_a_logo_is_of_the_task_that_is_named():
    two = heights([[1.0, 0, 0, 0]]).expand_dims(task=["K562", "HepG2"])
    assert plot.logo(two, task="HepG2").get_title("left") == "HepG2"


def grid(**more):
    at = {
        "first": ("contrast", ["B", "A", "A", ""]),
        "step": ("contrast", [20, 20, 5, 5]),
    }
    return table((1.0, 2.0, -3.0, 7.0), **{**at, **more})


@pytest.mark.simulation
def test_a_heatmap_has_each_effect_in_its_cell_about_no_effect():
    axes = grids.heatmap(grid(), rows="first", columns="step")
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, [[np.nan, 1.0], [-3.0, 2.0]])
    assert axes.images[0].get_clim() == (-3.0, 3.0)
    assert mpl.colors.to_hex(axes.images[0].to_rgba(0.0)) == "#ffffff"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["B", "A"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "20"]
    assert sorted(
        float(text.get_text().replace("\N{MINUS SIGN}", "-")) for text in axes.texts
    ) == [-3.0, 1.0, 2.0]
    errors = (
        grid()
        .assign(se=(EFFECT, np.full((4, 1), 0.013)))
        .drop_vars(["lower", "upper"], errors="ignore")
    )
    precise = grids.heatmap(errors, rows="first", columns="step")
    assert sorted(text.get_text() for text in precise.texts) == [
        "1.000",
        "2.000",
        "\N{MINUS SIGN}3.000",
    ]
    assert len(axes.figure.axes) == 2
    numbers = grid(step=("contrast", [20.0, 1e5 / 3, 0.05401, 5.0]))
    texts = [
        label.get_text()
        for label in grids.heatmap(
            numbers, rows="first", columns="step"
        ).get_xticklabels()
    ]
    assert texts == ["0.05401", "20", "3.333e+04"]
    ratios = grid().assign_attrs(null_value=1.0)
    assert grids.heatmap(ratios, rows="first", columns="step").images[0].get_clim() == (
        -3.0,
        5.0,
    )
    other = grids.heatmap(
        ratios, rows="first", columns="step", value="rope_upper"
    ).images[0]
    assert other.get_clim() == (-0.2, 0.2)


def drawn():
    return [
        curves.profile(table(), along="distance"),
        curves.against(table(), x="distance", line=(0.0, 1.0)),
        plot.logo(heights([[0.3, -0.2, 0.5, -0.4]] * 60)),
        grids.heatmap(grid(), rows="first", columns="step"),
    ]


@pytest.mark.simulation
def test_every_figure_is_saved_and_takes_axes(tmp_path):
    for number, axes in enumerate(drawn()):
        path = plot.save_figure(axes, tmp_path / f"{number}.png")
        assert path.read_bytes().startswith(b"\x89PNG")
    axes = drawn()[0].figure.add_subplot()
    assert curves.profile(table(), along="distance", ax=axes) is axes
    assert grids.heatmap(grid(), rows="first", columns="step", ax=axes) is axes


def test_names_with_dollars_and_letters_that_the_font_lacks(tmp_path):
    odd = grid(first=("contrast", ["$x_1$", r"\frac{$", "転写因子", ""])).assign_coords(
        task=["$K$"]
    )
    plot.save_figure(
        grids.heatmap(odd, rows="first", columns="step"), tmp_path / "odd.png"
    )
    odd = odd.assign_coords(contrast=["$a", r"\nosuch$", "$$", "مرحبا"])
    plot.save_figure(curves.against(odd, x="step"), tmp_path / "odd.png")


@pytest.mark.simulation
def test_global_state_is_left_as_it_was():
    code = (
        "import sys, causalgia.tell.figures as plot, xarray as xr\n"
        "assert 'matplotlib' not in sys.modules\n"
        "e = xr.Dataset({'ace': (('contrast', 'task'), [[1.0]])}, coords={'contrast': "
        "['a'], 'task': ['t'], 'x': ('contrast', [1.0])})\n"
        "curves.profile(e, along='x'), grids.heatmap(e, rows='x', columns='x')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    before = dict(mpl.rcParams)
    drawn()
    assert dict(mpl.rcParams) == before


def test_eight_arms_of_barcodes_look_different():
    from causalgia.tell.figures import barcodes

    arms = [f"arm {i}" for i in range(8)]
    quality = xr.Dataset(
        {"n_barcodes": ("oligo", np.arange(8))}, coords={"arm": ("oligo", arms)}
    )
    axes = barcodes(quality)
    assert (
        len(
            {(line.get_edgecolor(), str(line.get_linestyle())) for line in axes.patches}
        )
        == 8
    )


def test_a_long_title_is_above_the_legend():
    from causalgia.tell.figures.style import legend, new_figure, write_heading

    axes = new_figure(4.0, 3.0).add_subplot()
    for name in ("slope 1.20 [1.10, 1.30]", "true effects, expected", "mean of a bin"):
        axes.plot([0, 1], [0, 1], label=name)
    write_heading(axes, "a long name of a contrast of GATA1")
    legend(axes)
    figure = axes.get_figure()
    figure.draw_without_rendering()
    heading, box = (
        axes._left_title.get_window_extent(),
        axes.get_legend().get_window_extent(),
    )
    assert not heading.overlaps(box)

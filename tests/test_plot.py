"""Forest plots: the right points in the right places, without matplotlib's global
state.
"""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from test_reporting import EFFECT, estimates

import causalgia as cg
from causalgia.tell.figures import forest
from causalgia.tell.figures.forest_plot import save_forest
from causalgia.tell.figures.style import axes_or_new, fit_to_page

pytestmark = pytest.mark.usefixtures("every_figure_can_be_printed")


def points(axes, label):
    (found,) = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_label() == label
    ]
    return np.asarray(found.get_offsets())


def labels(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


def band(axes):
    (found,) = [patch for patch in axes.patches if "placebos" in str(patch.get_label())]
    return found.get_x(), found.get_x() + found.get_width(), found.get_label()


def test_each_effect_is_a_point_and_each_word_too():
    axes = forest(estimates(40))
    assert isinstance(axes, Axes)
    assert points(axes, "estimate") == pytest.approx(
        np.array([[1.3812, 0], [-0.0213, 1]])
    )
    words = points(axes, "_placebo placebos")
    assert words[:, 0] == pytest.approx(np.linspace(-0.1, 0.1, 40))
    assert np.all(np.abs(words[:, 1] - 2) < 0.5)
    assert labels(axes) == ["GATA1", "core broken", "40 placebos"]
    assert axes.get_title("left") == "K562, n = 5,000"


def test_the_band_is_the_central_part_or_the_range():
    central = (
        pytest.approx(-0.095),
        pytest.approx(0.095),
        "central 95 % of placebos",
    )
    assert band(forest(estimates(40))) == central
    assert band(forest(estimates(39))) == (
        pytest.approx(-0.1),
        pytest.approx(0.1),
        "range of placebos",
    )


def test_intervals_are_drawn_where_they_are():
    axes = forest(estimates())
    (lines,) = axes.containers
    segments = lines[2][0].get_segments()
    assert segments[0][:, 0] == pytest.approx([1.3812 - 0.0091, 1.3812 + 0.0091])


def open_ratio():
    """The first effect is a ratio whose denominator may be 0."""
    found = estimates(transform="ratio", null_value=1.0)
    first = xr.DataArray(
        [True] + [False] * (found.sizes["contrast"] - 1), dims="contrast"
    )
    found["unbounded"] = first.broadcast_like(found["ace"])
    found["lower"], found["upper"] = (
        found["lower"].where(~first, -np.inf),
        found["upper"].where(~first, np.inf),
    )
    return found


@pytest.mark.simulation
@pytest.mark.filterwarnings("error")
def test_open_intervals_end_in_arrows_and_ratios_stand_about_1(tmp_path):
    found = open_ratio()
    for table in (found, cg.decide(found, rope=(0.5, 9.0))):
        axes = forest(table)
        assert 1.0 in [line.get_xdata()[0] for line in axes.lines]
        assert 0.0 not in [line.get_xdata()[0] for line in axes.lines]
        below, above = (
            np.asarray(c.get_offsets())[0]
            for c in axes.collections
            if c.get_label() == "_unbounded"
        )
        least, most = (0.5, 9.0) if "rope_lower" in table else (1.0, 1.3812)
        least = min(
            least, float(table["lower"].where(np.isfinite(table["lower"])).min())
        )
        pad = 0.1 * (most - least)
        assert below == pytest.approx([least - pad, 0])
        assert above == pytest.approx([most + pad, 0])
        assert save_forest(table, tmp_path / "open.png").stat().st_size > 5_000


def test_every_interval_may_be_open():
    found = open_ratio().isel(contrast=[0])
    found["ace"][0] = 1.0
    axes = forest(found)
    ends = [
        np.asarray(c.get_offsets())[0, 0]
        for c in axes.collections
        if c.get_label() == "_unbounded"
    ]
    assert ends == [0.0, 2.0]


def test_what_was_done_is_written_where_it_is_short():
    texts = [text.get_text() for text in forest(estimates()).texts]
    assert texts == ["do(x[10:17] = GATA1)", "do(x[10:17] = core broken)"]


def test_truth_is_a_hollow_diamond():
    truth = xr.DataArray(
        [[1.4]], dims=EFFECT, coords={"contrast": ["GATA1"], "task": ["K562"]}
    )
    axes = forest(estimates(), truth=truth)
    assert points(axes, "truth") == pytest.approx(np.array([[1.4, 0]]))
    (diamonds,) = [c for c in axes.collections if c.get_label() == "truth"]
    assert not len(diamonds.get_facecolor())


def test_a_given_axes_is_used():
    axes = forest(estimates()).figure.add_subplot()
    assert forest(estimates(), ax=axes) is axes


def test_a_posterior_is_decided_first(tmp_path):
    posterior = cg.infer(cg.from_effects(np.arange(10.0), 0.1), n_draws=400, rng=0)
    assert forest(cg.decide(posterior, rope=(-0.1, 0.1))).get_lines()


def test_several_tasks_need_a_choice():
    two = estimates(tasks=("K562", "HepG2"))
    assert forest(two, task="HepG2").get_title("left") == "HepG2, n = 5,000"


def test_models_stand_side_by_side():
    models = (
        estimates()
        .drop_vars(["weight", "do", "n_units", "n_clusters"])
        .expand_dims(model=["a", "b"], axis=-1)
    )
    axes = forest(models.transpose("contrast", "task", "model", ...))
    assert points(axes, "a")[:, 1] == pytest.approx([-0.25, 0.75])
    assert points(axes, "b")[:, 1] == pytest.approx([0.25, 1.25])


def test_one_unit_gives_points_without_intervals():
    axes = forest(estimates()[["ace"]])
    assert len(points(axes, "estimate")) == 2
    assert not axes.containers


@pytest.mark.simulation
@pytest.mark.parametrize("n", [61, 400, 3000])
def test_many_contrasts_stay_legible(n):
    ace = np.sort(np.random.default_rng(0).normal(size=n))[:, None]
    many = xr.Dataset(
        {"ace": (EFFECT, ace)},
        coords={"contrast": [f"motif {i}" for i in range(n)], "task": ["K562"]},
    )
    axes = forest(many)
    kept = min(n, 100)
    assert len(points(axes, "estimate")) == kept
    largest = np.argsort(-abs(ace[:, 0]))[:kept]
    assert labels(axes) == [f"motif {i}" for i in sorted(largest, reverse=True)]
    title = axes.get_title("left")
    assert (f"the 100 largest of {n:,}" in title) == (n > 100)
    assert axes.figure.get_figheight() <= 15


@pytest.mark.simulation
def test_a_figure_of_every_task_is_saved(tmp_path):
    for name, start in (("forest.png", b"\x89PNG"), ("forest.pdf", b"%PDF")):
        path = save_forest(
            estimates(40, tasks=("K562", "HepG2", "HeLa", "A549")), tmp_path / name
        )
        assert path.read_bytes().startswith(start)
        assert path.stat().st_size > 10_000


def test_a_dollar_in_a_name_begins_no_formula(tmp_path):
    names = {
        "contrast": ["$GATA1", r"\frac{$x_1$", "a$^2$b"],
        "task": ["$K562$"],
        "model": ["$1$", "b$"],
    }
    do = ("contrast", ["do(x[1:3] = $A$)", "$", "$$"])
    ace = xr.Dataset(
        {"ace": (("contrast", "task", "model"), np.ones((3, 1, 2)))},
        coords={**names, "do": do},
    )
    odd = ace.assign_attrs(control="$c$", contrast_scale=r"log $\nosuch$ counts")
    assert save_forest(odd, tmp_path / "forest.png").stat().st_size > 5_000
    axes = forest(odd)
    axes.figure.savefig(tmp_path / "again.png")
    texts = [
        *axes.get_yticklabels(),
        *axes.texts,
        *axes.get_legend().get_texts(),
        axes.xaxis.label,
        axes.title,
    ]
    assert not any(text.get_parse_math() and "$" in text.get_text() for text in texts)
    assert labels(axes) == names["contrast"]
    assert axes.get_title("left") == "$K562$"


def test_a_letter_that_the_font_lacks_is_no_warning(tmp_path):
    one = xr.Dataset(
        {"ace": (EFFECT, [[1.0], [2.0]])},
        coords={"contrast": ["転写因子", "مرحبا"], "task": ["細胞"]},
    )
    save_forest(one, tmp_path / "forest.png")


def test_a_figure_of_many_tasks_is_not_too_large(tmp_path):
    tasks = [f"task {i}" for i in range(130)]
    many = xr.Dataset(
        {"ace": (EFFECT, np.ones((1, 130)))},
        coords={"contrast": ["GATA1"], "task": tasks},
    )
    pixels = mpl.image.imread(save_forest(many, tmp_path / "forest.png"))
    assert max(pixels.shape) <= 30_000


@pytest.mark.simulation
def test_matplotlib_is_left_as_it_was():
    code = (
        "import sys, causalgia.tell.figures, xarray as xr\n"
        "assert 'matplotlib' not in sys.modules\n"
        "e = xr.Dataset({'ace': (('contrast', 'task'), [[1.0]])}, coords={'contrast': "
        "['a'], 'task': ['t']})\n"
        "causalgia.tell.figures.forest(e)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    before = dict(mpl.rcParams)
    forest(estimates(40))
    assert dict(mpl.rcParams) == before


def decided(n_placebos=40, **choice):
    found = cg.decide(estimates(n_placebos), **{"rope": (-0.02, 0.02), **choice})
    beside = {"shrunken": 0.1, "shrunken_lower": 0.05, "shrunken_upper": 0.2}
    return found.assign({name: found["ace"] + by for name, by in beside.items()})


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_decisions_are_drawn_before_their_rope_beside_what_they_were():
    axes = forest(decided())
    (rope,) = [patch for patch in axes.patches if patch.get_label() == "ROPE"]
    assert (rope.get_x(), rope.get_x() + rope.get_width()) == pytest.approx(
        (-0.02, 0.02)
    )
    assert points(axes, "shrunken") == pytest.approx(
        np.array([[1.4812, -0.22], [0.0787, 0.78]])
    )
    assert points(axes, "_decided") == pytest.approx(
        np.array([[1.3812, 0], [-0.0213, 1]])
    )
    assert points(axes, "_undecided")[:, 1] == pytest.approx([1])
    assert {"ROPE", "increases", "undecided", "shrunken"} <= set(legend(axes))
    (beside,) = [
        lines.get_segments()
        for lines in axes.collections
        if isinstance(lines, LineCollection) and lines.get_alpha()
    ]
    assert beside[0][:, 0] == pytest.approx([1.3812 + 0.05, 1.3812 + 0.2])


def test_contrasts_that_are_not_shrunken_have_no_mark_beside():
    found = decided()
    found["shrunken"][1] = np.nan
    assert points(forest(found), "shrunken") == pytest.approx(
        np.array([[1.4812, -0.22]])
    )


def test_the_rope_of_placebo_words_takes_the_place_of_their_band():
    labels = [
        patch.get_label() for patch in forest(decided(79, rope="placebo")).patches
    ]
    assert labels == ["ROPE"]
    assert not [p for p in forest(decided(rope=0)).patches if p.get_label() == "ROPE"]


def test_the_band_of_placebo_words_is_seen_on_a_wider_rope():
    patches = {
        patch.get_label(): patch for patch in forest(decided(rope=(-5, 5))).patches
    }
    band = patches["central 95 % of placebos"]
    assert band.get_width() < patches["ROPE"].get_width()
    assert band.get_zorder() > patches["ROPE"].get_zorder()
    patches = {
        patch.get_label(): patch
        for patch in forest(decided(rope=(-1e-6, 1e-6))).patches
    }
    assert (
        patches["central 95 % of placebos"].get_zorder() < patches["ROPE"].get_zorder()
    )


def test_ropes_that_differ_are_bars():
    own = decided().assign(rope_upper=(EFFECT, np.linspace(0.1, 0.5, 42)[:, None]))
    axes = forest(own)
    bars = [
        patch
        for patch in axes.patches
        if patch.get_height() == 1.0 and patch.get_x() == -0.02
    ]
    assert [bar.get_x() + bar.get_width() for bar in bars] == pytest.approx(
        [0.1, np.linspace(0.1, 0.5, 42)[1]]
    )


def test_panels_of_decisions_are_saved(tmp_path):
    two = estimates(5, tasks=("K562", "HepG2"))
    assert (
        save_forest(cg.decide(two, rope=(-0.02, 0.02)), tmp_path / "forest.png")
        .stat()
        .st_size
        > 5_000
    )


@pytest.mark.parametrize(
    ("label", "times"), [("ACE", 1), ("a label as long as this one, again " * 4, 3)]
)
def test_a_page_is_laid_out_again_only_where_a_text_was_broken(
    monkeypatch, label, times
):
    """Laying out takes most of what a picture takes, and with nothing broken the next
    time would say the same.
    """
    axes, laid = axes_or_new(None, 4.0, 3.0), []
    axes.set_xlabel(label)
    lay_out = Figure.draw_without_rendering
    monkeypatch.setattr(
        Figure,
        "draw_without_rendering",
        lambda figure: (laid.append(figure), lay_out(figure)),
    )
    fit_to_page(axes)
    assert 1 <= len(laid) <= times
    assert ("\n" in axes.get_xlabel()) == (len(laid) > 1)

"""Imports the writer of files from the inside.

The seven figures: the right marks in the right places, in the order of the table, and
texts that can be read whatever the names are.
"""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from figure_checks import faults, visible_texts
from gallery import measured, mutants, two_populations
from matplotlib.collections import LineCollection, PathCollection, PolyCollection

import causalgia as cg
from causalgia import plot
from causalgia.choices import VERDICT_WORDS
from causalgia.tell.figures import style

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


def points(axes, label):
    found = [
        np.asarray(c.get_offsets())
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_label() == label
    ]
    return np.concatenate(found)


def patch(axes, label):
    (found,) = [one for one in axes.patches if one.get_label() == label]
    return found


def rows_of(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


def keys(axes):
    return [text.get_text() for one in axes.figure.legends for text in one.get_texts()]


def simple():
    """Three decided effects at distances, the last without one."""
    ace = np.array([1.0, -0.5, 0.02, 9.0])[:, None]
    found = xr.Dataset(
        {"ace": (("contrast", "task"), ace)},
        {
            "contrast": ["c0", "c1", "c2", "c3"],
            "task": ["K562"],
            "distance": ("contrast", [8.0, 2.0, 5.0, np.nan]),
        },
        {"scale": "log counts", "control": "placebo", "ci_prob": 0.95},
    )
    found = found.assign(lower=found["ace"] - 0.1, upper=found["ace"] + 0.1)
    verdict = ["increases", "decreases", "undecided", "increases"]
    found["verdict"] = (("contrast", "task"), np.array(verdict)[:, None])
    return found.assign(
        rope_lower=xr.full_like(found["ace"], -0.2),
        rope_upper=xr.full_like(found["ace"], 0.2),
    )


def test_seven_figures_and_nothing_else_are_public():
    names = {"forest", "curve", "heatmap", "logo", "scatter", "distribution", "map"}
    assert {name for name in dir(plot) if not name.startswith("_")} == names


def test_figures_are_those_of_pyplot(tmp_path):
    for draw in (
        lambda: plot.forest(decided(["a", "b"], ("K562", "HepG2"))),
        lambda: plot.curve(simple(), x="distance"),
        lambda: plot.logo(mutants()),
    ):
        axes = draw()
        assert plt.gcf() is axes.figure
        plt.savefig(tmp_path / "one.png")
        assert len(np.unique(plt.imread(tmp_path / "one.png"))) > 10
    axes = plt.subplots()[1]
    assert plot.forest(simple(), ax=axes) is axes
    assert plot.heatmap(pairs(), rows="first", columns="second", ax=axes) is axes
    assert plt.gcf() is axes.figure


@pytest.mark.simulation
def test_matplotlib_is_imported_by_a_figure_and_its_settings_stay():
    code = "import sys, causalgia; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    before = dict(mpl.rcParams)
    plot.forest(simple())
    assert dict(mpl.rcParams) == before


def test_rows_of_a_forest_are_those_of_the_table_in_its_order():
    table = decided([f"m{i}" for i in range(9)])
    frame = cg.tidy(table)
    shown = rows_of(plot.forest(table))
    of_report = str(cg.report(table)).partition("\n\n")[2].splitlines()
    places = [
        next(i for i, line in enumerate(of_report) if line.split()[:1] == [name])
        for name in shown
    ]
    assert places == sorted(places)
    assert rows_of(plot.forest(table, sort="given")) == frame["term"].tolist()
    at = points(plot.forest(table), "_decided")
    ace = frame.set_index("term")["estimate"]
    assert at == pytest.approx(np.c_[ace[shown], range(9)])


def test_a_forest_has_intervals_region_placebos_sizes_and_truth():
    table = decided(["a", "b"], placebos=40)
    truth = xr.DataArray(
        [[0.3]], {"contrast": ["b"], "task": ["K562"]}, dims=("contrast", "task")
    )
    axes = plot.forest(table, truth=truth, sort="given")
    bars = [c for c in axes.collections if isinstance(c, LineCollection)]
    ends = [line[:, 0].tolist() for c in bars for line in c.get_segments()]
    first = table.isel(contrast=0, task=0)
    assert [first["lower"].item(), first["upper"].item()] in [
        pytest.approx(pair) for pair in ends
    ]
    assert (patch(axes, "ROPE").get_x(), patch(axes, "ROPE").get_width()) == (
        pytest.approx((-0.2, 0.4))
    )
    placebos = table["ace"].to_numpy()[2:, 0]
    low, high = np.quantile(placebos, [0.025, 0.975])
    band = patch(axes, "central 95 % of placebos")
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((low, high))
    assert rows_of(axes) == ["a", "b", "40 placebos"]
    assert points(axes, "truth")[1] == pytest.approx([0.3, 1])
    assert points(axes, "shrunken")[:, 0] == pytest.approx(
        table["shrunken"].to_numpy()[:2, 0]
    )


def test_tasks_of_one_region_share_an_axis_and_others_have_their_own():
    table = decided(["a", "b"], ("K562", "HepG2"), placebos=40)
    figure = plot.forest(table).figure
    assert [axes.get_title() for axes in figure.axes] == ["K562", "HepG2"]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert len(figure.legends) == 1
    assert not faults(figure)
    half = xr.DataArray([1.0, 0.1], {"task": ["K562", "HepG2"]}, dims="task")
    own = table.assign(ace=table["ace"] * half, rope_upper=table["rope_upper"] * half)
    assert len({axes.get_xlim() for axes in plot.forest(own).figure.axes}) == 2
    many = decided(["a"], [f"task {i}" for i in range(6)])
    assert set(rows_of(plot.forest(many))) == {f"task {i}" for i in range(6)}
    assert rows_of(plot.forest(many, task="task [23]"))[:1] == ["a"]


def test_open_intervals_end_in_arrows_and_ratios_stand_about_1():
    table = decided(["a", "b"]).assign_attrs(transform="ratio", null_value=1.0)
    table["upper"][0] = np.inf
    table["unbounded"] = table["upper"] == np.inf
    axes = plot.forest(table)
    assert 1.0 in [line.get_xdata()[0] for line in axes.lines]
    arrows = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and len(c.get_offsets()) == 1
    ]
    assert any(
        np.asarray(c.get_offsets())[0, 0] > float(table["lower"].max()) for c in arrows
    )
    found = simple()
    found["upper"][0] = np.inf
    found["unbounded"] = found["upper"] == np.inf
    assert not faults(plot.curve(found, x="distance").figure)


def test_of_many_rows_the_first_are_drawn_and_counted():
    axes = plot.forest(decided([f"motif {i}" for i in range(10_000)]))
    assert len(rows_of(axes)) == 20
    title = " ".join(axes.figure.get_suptitle().split())
    assert title.endswith("the first 20 of 10,000 effects")
    assert not faults(axes.figure)


def test_models_have_a_color_each():
    table = decided(["a", "b"]).drop_vars("verdict")
    both = xr.concat([table, table], "model").assign_coords(model=["one", "other"])
    both = both.transpose("contrast", "task", "model").assign_attrs(table.attrs)
    axes = plot.forest(both)
    assert keys(axes)[-2:] == ["one", "other"]
    assert len(points(axes, "one")) == len(points(axes, "other")) == 2


def test_a_curve_has_its_effects_in_order_and_leaves_out_the_others():
    axes = plot.curve(simple(), x="distance")
    assert points(axes, "_decided") == pytest.approx(
        np.array([[2, -0.5], [5, 0.02], [8, 1.0]])
    )
    assert axes.lines[0].get_xdata().tolist() == [2, 5, 8]
    assert {"ROPE", "increases", "decreases", "undecided"} == set(keys(axes))
    twice = simple().assign_coords(distance=("contrast", [1.0, 1.0, 2.0, np.nan]))
    assert len(plot.curve(twice, x="distance").lines) == 1  # that of no effect
    own = simple().assign(rope_upper=simple()["ace"] * 0 + [[0.3], [0.1], [0.2], [0.2]])
    assert "ROPE" in keys(plot.curve(own, x="distance"))


def test_points_have_the_numbers_of_their_columns():
    table = decided(["a", "b", "c"])
    axes = plot.scatter(table)
    frame = cg.tidy(table).set_index("term")
    (drawn,) = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and len(c.get_offsets())
    ]
    found = {
        tuple(np.round(pair, 9)) for pair in np.asarray(drawn.get_offsets()).tolist()
    }
    wanted = frame[["estimate", "p_value"]].to_numpy().round(9).tolist()
    assert found == {tuple(pair) for pair in wanted}
    low, high = axes.get_ylim()
    assert low > high
    assert {text.get_text() for text in axes.texts} <= {"a", "b", "c"}
    along = plot.scatter(table, x="distance", y="shrunken")
    assert along.get_ylabel() == "shrunken"


def test_measured_effects_stand_beside_their_line():
    axes = plot.scatter(measured())
    assert any(key.startswith("slope ") for key in keys(axes))
    assert len(points(axes, "off the line")) >= 2


def test_units_that_differ_are_seen():
    table = two_populations()
    axes = plot.distribution(table)
    cloud = [
        c
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_zorder() == 3
    ]
    first = np.asarray(cloud[0].get_offsets())[:, 0]
    assert ((first < 0.25).mean(), len(first)) == (pytest.approx(1 / 3, abs=0.05), 400)
    means = [
        np.asarray(c.get_offsets())[0, 0]
        for c in axes.collections
        if isinstance(c, PathCollection) and c.get_zorder() == 5
    ]
    assert means == pytest.approx(table["ice"].mean("unit").to_numpy().ravel())
    assert "400 of 600 points a row" in axes.figure.get_suptitle()
    still = table.assign(ice=table["ice"] * 0 + 1.0)
    assert not faults(plot.distribution(still).figure)


def pairs():
    return decided(["x", "y", "z"]).assign_coords(
        first=("contrast", ["A", "A", "B"]), second=("contrast", [10, 5, 5])
    )


def test_a_heatmap_has_each_effect_in_its_cell_about_no_effect():
    axes = plot.heatmap(pairs(), rows="first", columns="second")
    ace = pairs()["ace"].to_numpy().ravel()
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, [[ace[1], ace[0]], [ace[2], np.nan]])
    assert mpl.colors.to_hex(axes.images[0].to_rgba(0.0)) == "#ffffff"
    assert rows_of(axes) == ["A", "B"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "10"]
    ratios = pairs().assign_attrs(null_value=1.0)
    low, high = (
        plot.heatmap(ratios, rows="first", columns="second").images[0].get_clim()
    )
    assert (low + high) / 2 == pytest.approx(1.0)
    share = xr.DataArray([[1.0, 0.5], [0.5, 1.0]], {"a": ["x", "y"]}, dims=("a", "b"))
    axes = plot.heatmap(share, rows="b", columns="a", label="share")
    assert [text.get_text() for text in axes.texts] == ["1", "0.5", "0.5", "1"]


def test_a_heatmap_of_tasks_has_the_rows_of_the_table():
    table = decided(["x", "y", "z", "u"], tasks=["a", "b"]).drop_vars("distance")
    table = table.assign_coords(term=("contrast", list("0123")))
    lines = cg.report(table, as_="md").splitlines()
    named = [line[2] for line in lines if line[:2] == "| " and line[3] == " "]
    order = list(dict.fromkeys(named))
    assert sorted(order) == ["u", "x", "y", "z"]
    axes = plot.heatmap(table)
    assert rows_of(axes) == order
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b"]
    ace = table["ace"].transpose("contrast", "task").sel(contrast=order)
    np.testing.assert_array_equal(axes.images[0].get_array(), ace)
    bold = sum(text.get_weight() == "bold" for text in axes.texts)
    assert bold == int(((table["lower"] > 0) | (table["upper"] < 0)).sum())
    assert rows_of(plot.heatmap(table, rows="task", columns="contrast")) == ["a", "b"]


def test_letters_are_as_high_as_their_effects_and_stacked_outwards():
    table = xr.Dataset(
        {"ace": (("position", "base"), [[0.3, -0.2, 0.5, -0.4], [np.nan, 0, 0, 0.1]])},
        {"position": [10, 11], "base": list("ACGT")},
    )
    axes = plot.logo(table)
    boxes = [one.get_path().get_extents() for one in axes.patches]
    ends = sorted((box.y0, box.y1) for box in boxes)
    assert np.array(ends) == pytest.approx(
        np.array([(-0.6, -0.2), (-0.2, 0.0), (0.0, 0.1), (0.0, 0.3), (0.3, 0.8)])
    )
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "11"]


def test_logos_have_the_errors_they_are_given():
    half = [
        {
            round(float(np.ptp(segment[:, 1])) / 2, 6)
            for line in plot.logo(mutants(), centered=centered).collections
            for segment in line.get_segments()
        }
        for centered in (False, True)
    ]
    assert half == [{0.1}, {round(0.75 * 0.1 + 3 * 0.025, 6)}]


def test_letters_of_a_long_sequence_stand_in_lines_that_can_be_read():
    rng = np.random.default_rng(0)
    table = xr.Dataset(
        {"ace": (("position", "base"), rng.normal(size=(200, 4)))},
        {"position": np.arange(200), "base": list("ACGT")},
    )
    panels = plot.logo(table).figure.axes
    assert [len(axes.patches) for axes in panels] == [200] * 4
    panels[0].figure.draw_without_rendering()
    wide = panels[0].get_window_extent().width / panels[0].figure.dpi / 50
    assert wide * 72 > 7  # points of a letter
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert not faults(panels[0].figure)


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_titles_of_experiments_name_their_motifs():
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), "AGATAAG", at=[10, 40], n_units=30, rope=(-0.1, 0.1)
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.load("gata1_like"), rng=0, progress=False), rng=0
    )
    title = answer.draw().figure.get_suptitle()
    assert title.startswith(experiment.question)
    assert "AGATAAG" in title


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_mutants_of_a_motif_are_no_motifs_in_a_title():
    experiment = cg.experiments.motif_mutagenesis(
        cg.Uniform(length=40), "AGATAAG", n_units=30
    )
    outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False)
    title = experiment.analyze(outcomes).draw(task=["K562", "HepG2"])
    assert "AGATAAG" in title.figure.get_suptitle()
    assert "other motifs" not in title.figure.get_suptitle()


def test_the_picture_of_a_hairpin_goes_place_by_place():
    experiment = cg.experiments.hairpin(cg.Uniform(length=41), "GCUGG", n_units=30)
    answer = experiment.analyze(cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0))
    rows = rows_of(answer.draw())
    assert rows[:4] == [
        "motif in the open",
        "motif in the loop",
        "loop - open",
        "motif x loop",
    ]
    assert sorted(rows) == sorted(answer.decisions["contrast"].to_numpy())


def test_the_check_finds_what_is_wrong():
    axes = plt.subplots(figsize=(4.0, 3.0))[1]
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
    axes = plot.forest(estimates(["a", "b", "c"]))
    axes.set_yticks([0, 1])
    assert "row 2 has no name" in faults(axes.figure)


ODD = {
    "markup": ["$x_1$", r"\frac{$", "<b>&amp;</b>", "a_b", "$$", "% _"],
    "lines": [f"one\nline {i}\t" for i in range(6)],
    "marks of direction": [f"\u202eGATA\u200f {i}" for i in range(6)],
}


@pytest.mark.parametrize("kind", [*NAMES, *ODD])
@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.filterwarnings("ignore:Matplotlib currently does not support")
def test_any_name_can_be_printed(kind, tmp_path):
    names = (NAMES | ODD)[kind]
    two = [f"{name} task" for name in names[:2]]
    table = decided(names, two, placebos=40, scale=names[0], control=names[1])
    one = table.isel(task=[0])
    figures = [
        plot.forest(table),
        plot.curve(one, x="distance"),
        plot.scatter(one),
        plot.heatmap(one.isel(contrast=slice(6)), rows="first", columns="second"),
    ]
    for axes in figures:
        assert not faults(axes.figure), kind
        for text in visible_texts(axes.figure):
            assert "\n\t" not in text.text
            if kind == "markup" and "$x_1$" in text.text:
                assert not text.of.get_parse_math()
        path = style.save_figure(axes, tmp_path / "odd.png")
        assert path.read_bytes().startswith(b"\x89PNG")


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
    verdicts = dict.fromkeys(word.color for word in VERDICT_WORDS.values())
    for colors in (verdicts, style.SERIES):
        seen = [_seen_by(color, matrix) for color in colors]
        apart = [
            float(np.linalg.norm(a - b)) for i, a in enumerate(seen) for b in seen[:i]
        ]
        assert min(apart) > 12, dict(zip(colors, seen, strict=True))
    for color in (*verdicts, style.INK, style.GRAY):  # against white, and dark paper
        lightness = _seen_by(color, np.eye(3))[0]
        assert lightness < 65


def test_pictures_have_an_opaque_white_ground(tmp_path):
    for name in ("one.png", "one.svg", "one.pdf"):
        style.save_figure(plot.forest(simple()), tmp_path / name)
    pixels = plt.imread(tmp_path / "one.png")
    assert pixels[0, 0].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert "fill: #ffffff" in (tmp_path / "one.svg").read_text()
    with pytest.raises(cg.errors.DataError):
        style.save_figure(plot.forest(simple()), tmp_path / "no" / "one.png")


def test_the_density_of_nine_units_in_a_hundred_is_a_hill_of_its_own():
    values = np.random.default_rng(0).normal(0, 0.04, (600, 1, 1))
    values[:54] -= 1.3
    names = {"contrast": ["GATA1"], "task": ["K562"]}
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), values)}, names)
    axes = plot.distribution(effects)
    (hills,) = [c for c in axes.collections if isinstance(c, PolyCollection)]
    at, height = hills.get_paths()[0].vertices.T
    high = height.max() - height
    few, main = high[at < -1].max(), high.max()
    assert 0.03 < few / main < 0.2
    assert high[(at > -0.9) & (at < -0.3)].max() < 1e-3 * main

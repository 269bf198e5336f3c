# Imports from the inside: the layout of answers, whose width no public call sets.
"""How the answer is laid out: the order of rows, tasks beside each other, the lines under
a table, and what a notebook shows.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.inputs import wide
from causalgia.notes import ReportText
from causalgia.tell import effect_rows
from causalgia.tell.answers import answer_parts
from causalgia.tell.folded_text import WIDTH

EFFECT = ("contrast", "task")


def decided(ace, se=0.01, names=None, tasks=("K562",), **choice):
    """Decisions of effects ``(contrast, task)`` on 1,000 units."""
    ace = np.asarray(ace, float)
    ace = ace[:, None] * np.ones(len(tasks)) if ace.ndim == 1 else ace
    names = names or [f"m{i}" for i in range(len(ace))]
    half = 1.96 * se * np.ones(ace.shape)
    effects = xr.Dataset(
        {
            "ace": (EFFECT, ace),
            "se": (EFFECT, half / 1.96),
            "lower": (EFFECT, ace - half),
            "upper": (EFFECT, ace + half),
            "n_units": (EFFECT, np.full(ace.shape, 1000)),
        },
        coords={"contrast": names, "task": list(tasks)},
        attrs={
            "scale": "log counts",
            "control": "none",
            "null": "uniform random sequences of 200 bp",
            "null_kind": "uniform",
            "target": "population",
            "assignment": "crossover",
            "ci_prob": 0.95,
        },
    )
    return cg.decide(effects, **{"rope": (-0.1, 0.1), "shrink": None, **choice})


def table_of(text):
    """The lines of the table, the second part of a report."""
    return text.split("\n\n")[1].splitlines()


def labels(text):
    return [line.split()[0] for line in table_of(text)[1:]]


def test_directions_come_first_then_undecided_then_negligible_rows():
    found = decided([0.0, 0.1, -0.5, 0.02, 0.9])
    verdicts = found["verdict"].to_numpy().ravel().tolist()
    assert verdicts == [
        "negligible", "undecided", "decreases", "negligible", "increases"
    ]  # fmt: skip
    text = cg.report(found)
    assert labels(text) == ["m4", "m2", "m1", "m3", "m0"]
    assert labels(cg.report(found, order="file")) == [f"m{i}" for i in range(5)]


def test_estimates_are_ordered_by_their_size():
    found = cg.from_effects([0.1, -2.0, 1.0], 0.1, names=["a", "b", "c"])
    assert labels(cg.report(found)) == ["b", "c", "a"]
    assert labels(cg.report(found, order="file")) == ["a", "b", "c"]


def test_tasks_stand_beside_each_other_where_they_fit():
    ace = [[1.0, 0.2], [0.0, 0.01]]
    text = cg.report(decided(ace, tasks=("K562", "HepG2"), names=["GATA1", "mutant"]))
    tasks, heading, first, second = table_of(text)
    assert tasks.split() == ["K562", "HepG2"]
    assert heading.count("ACE [95 % interval]") == heading.count("verdict") == 2
    assert first.startswith("GATA1 ")
    assert first.count("increases") == 2
    assert second.count("negligible") == 2
    assert all(line.index(name) for name in ("HepG2",) for line in [tasks])
    at = tasks.index("HepG2")
    assert heading[at - 1] == first[at - 1] == second[at - 1] == " "


@pytest.mark.parametrize("n_tasks", [2, 3, 4, 8])
def test_a_table_of_tasks_is_as_wide_as_asked_or_has_a_line_for_each(n_tasks):
    tasks = [f"task {i}" for i in range(n_tasks)]
    parts = answer_parts(decided([1.0, 0.0], tasks=tasks))
    for width in (60, WIDTH, 150, 400):
        lines = table_of(parts.text(width))
        beside = "contrast" not in lines[0]
        assert len(lines) == (4 if beside else 1 + 2 * n_tasks)
        assert max(map(wide, lines)) <= width
    assert "contrast" not in table_of(parts.text(1000))[0]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(
    "name",
    ["a motif " * 25, "転写因子結合部位" * 25, "موقع الربط " * 18, "GATA1, core"],
)
def test_a_table_is_no_wider_than_its_terminal(name, width):
    names = [f"{name}{i}" for i in range(3)]
    ace = [[1.0, 0.2], [0.5, 0.3], [0.0, 0.0]]
    found = decided(ace, names=names, tasks=("K562", f"{name} task"))
    for given in (found, found.isel(task=0)):
        text = answer_parts(given).text(width)
        assert max(map(wide, text.splitlines())) <= width
        whole = answer_parts(given).text(width, fold=False)
        assert names[0].strip() in whole


def test_the_column_of_q_gives_way_to_tasks_beside_each_other():
    parts = answer_parts(decided([1.0, 0.0], tasks=("K562", "HepG2")))
    wide_heading, narrow = (table_of(parts.text(w))[1] for w in (200, 85))
    assert " q" in wide_heading
    assert " q" not in narrow
    assert narrow.count("verdict") == 2


def test_only_what_is_asked_for_is_printed_below_the_foot():
    found = decided([1.0, 0.0]).assign_coords(
        do=("contrast", ["do(x[5:9] = GATA)", "do(x[5:9] = CCCC)"])
    )
    plain = cg.report(found)
    assert plain.count("\n\n") == 2
    assert "do(" not in plain
    arms = cg.report(found, arms=True)
    assert arms == f"{plain}\n\nm0: do(x[5:9] = GATA)\nm1: do(x[5:9] = CCCC)"


def test_a_report_is_a_string_that_a_prompt_and_a_notebook_show():
    text = cg.report(decided([1.0, 0.0], names=["<GATA1>", "mutant"]))
    assert isinstance(text, str)
    assert isinstance(text, ReportText)
    assert repr(text) == str(text) == "".join(text)
    page = text._repr_html_()
    assert page.count("<table") == 1
    assert "<GATA1>" not in page
    assert ReportText("a < b")._repr_html_() == "<pre>a &lt; b</pre>"


def test_a_table_of_effects_shows_its_report_and_the_dataset_in_a_fold():
    found = decided([1.0, 0.0])
    page = found._repr_html_()
    report, fold = page.split("<details><summary>as a Dataset</summary>")
    assert "<table" in report
    assert fold.endswith("</details>")
    assert "xr-wrap" in fold
    part = found[["se"]]  # of which there is no report
    assert "as a Dataset" not in part._repr_html_()


def test_a_selected_or_squeezed_table_has_the_rows_of_the_whole():
    found = decided([[1.0, 0.2], [0.0, 0.5]], tasks=("K562", "HepG2"))
    for one, same in (
        (found.sel(task="HepG2"), found.sel(task=["HepG2"])),
        (found.sel(contrast="m1"), found.sel(contrast=["m1"])),
        (found.isel(contrast=0, task=0), found.isel(contrast=[0], task=[0])),
        (found.isel(task=[1]).squeeze(), found.isel(task=[1])),
    ):
        assert effect_rows.rows_of(one) == effect_rows.rows_of(same)
        assert cg.report(one) == cg.report(same)
    estimates = found.drop_vars("verdict").isel(task=0)
    assert "m0" in cg.report(estimates)


def test_names_of_many_letters_are_cut_and_whole_in_html():
    name = "A" * 200
    text = cg.report(decided([1.0, 0.0], names=[name, "mutant"]))
    assert table_of(text)[1].startswith(f"{'A' * 39}…  ")
    assert name in text._repr_html_()
    two = cg.report(decided([1.0, 0.0], names=[name, "mutant"], tasks=("a", "b")))
    assert table_of(two)[0].split()[:2] == ["contrast", "task"]


def test_wide_letters_keep_the_columns():
    text = cg.report(decided([1.0, 0.0], names=["転写因子", "mutant"]))
    heading, first, second = table_of(text)
    at = heading.index("ACE") + 3
    for line, size in ((first, "1.000"), (second, "0.000")):
        assert wide(line[: line.index(size) + 5]) == at


@pytest.mark.parametrize("n_tasks", [1, 919])
def test_one_and_hundreds_of_tasks_have_short_reports(n_tasks):
    tasks = [f"task {i}" for i in range(n_tasks)]
    ace = np.array([np.linspace(0.5, 1.5, n_tasks), np.zeros(n_tasks)])
    text = cg.report(decided(ace, tasks=tasks, names=["GATA1", "mutant"]))
    if n_tasks == 1:
        assert "task 0" not in text
    else:
        assert "task 918" in text
        whole = cg.report(decided(ace, tasks=tasks), rows="all")
        assert len(whole.splitlines()) > 2 * 919


def test_twenty_of_many_contrasts_are_shown():
    ace = np.r_[np.linspace(0.5, 1.5, 30), np.zeros(10)]
    text = cg.report(decided(ace))
    lines = table_of(text)
    assert len(lines) == 1 + 20 + 1
    assert lines[1].startswith("m29 ")
    assert len(table_of(cg.report(decided(ace), rows="all"))) == 41

"""What is printed of a part of a table, of many tasks, and of names that are long: each
sentence is true of the numbers under it, and each line fits.
"""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.inputs import wide
from causalgia.reporting.answer_sentences import cut, cut_apart


def decided(
    effects: np.ndarray | list[float],
    *,
    tasks: list[str] | None = None,
    names: list[str] | None = None,
    n: int = 40,
) -> xr.Dataset:
    rng = np.random.default_rng(1)
    tasks = tasks or ["a"]
    names = names or [f"arm{i}" for i in range(len(effects))]
    y = rng.normal(size=(n, 1, len(tasks))) + 0.3 * rng.normal(
        size=(n, len(names) + 1, len(tasks))
    )
    y[:, 1:] += np.asarray(effects)[None, :, None]
    index = pd.MultiIndex.from_product(
        [range(n), ["wt", *names], tasks], names=["unit", "arm", "task"]
    )
    frame = pd.DataFrame({"outcome": y.ravel()}, index=index).reset_index()
    outcomes = cg.from_frame(
        frame, unit="unit", arm="arm", task="task", outcome="outcome"
    )
    return cg.analyze(outcomes, control="wt", rope=(-1, 1), rng=1)


def test_a_part_of_a_table_says_that_q_is_over_more_rows() -> None:
    whole = decided([-3.0, 2.0, 0.0], tasks=["a", "b"])
    assert "over these 6 rows" in cg.report(whole)
    for part in (whole.isel(task=0), whole.isel(contrast=[0]), whole.sel(task=["b"])):
        for text in (cg.report(part), cg.table(part), str(cg.methods(part))):
            assert "these 6 rows" not in text
            assert "over all 6 rows of the analysis" in " ".join(text.split())
    assert "all 6 rows" in " ".join(cg.report(whole, task="b").split())


def test_a_table_is_a_string_that_a_notebook_shows_as_html() -> None:
    found = decided([-3.0, 2.0])
    for form in ("markdown", "html", "latex", "csv"):
        text = cg.table(found, format=form)
        assert isinstance(text, str)
        assert repr(text) == str(text)
        assert pickle.loads(pickle.dumps(text)) == text
        html = text._repr_html_()
        assert ("<td" in html) == (form in ("markdown", "html"))
        assert ("<pre>" in html) == (form in ("latex", "csv"))


def test_the_answer_counts_the_effects_of_all_tasks() -> None:
    found = decided([2.0, -2.0], tasks=[f"t{i}" for i in range(40)])
    text = " ".join(cg.report(found).split())
    assert text.startswith("Of 80 effects (2 contrasts in 40 tasks), 40 raise")
    assert text.count("80 effects") == 1
    assert "20 tasks with the largest effects, of 40" in text


@pytest.mark.parametrize("letters", ["x", "漢", "ש", "é"])
def test_long_names_are_cut_and_stay_apart(letters: str) -> None:
    names = [letters * 200 + end for end in "abc"]
    found = decided(
        [3.0, -3.0, 0.0], names=names, tasks=[letters * 150 + "1", letters * 150 + "2"]
    )
    text = cg.report(found)
    assert max(map(wide, text.splitlines())) < 130
    assert text.count("Long names are cut") == 1
    rows = [line for line in text.splitlines() if " negligible " in line]
    assert len(set(rows)) == len(rows)
    assert names[0] in cg.report(found)._repr_html_()
    assert "Long names" not in cg.report(decided([3.0]))


def test_names_are_cut_by_columns() -> None:
    assert wide(cut("漢" * 80)) <= 60
    short = cut_apart(["a" * 50] + ["b" * 50 + str(i) for i in range(12)], 10)
    assert len(set(short.values())) == len(short)
    same_ends = cut_apart(["x" * 9 + c + "x" * 9 for c in "abc"], 8)
    assert len(set(same_ends.values())) == 3
    assert all(wide(name) <= 8 for name in same_ends.values())

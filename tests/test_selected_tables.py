# Imports from the inside: widths of names in a terminal.
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
from causalgia.errors import DataError
from causalgia.inputs import wide
from causalgia.tell.folded_text import cut, cut_apart


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
    return cg.analyze(outcomes, control="wt", rope=(-1, 1))


def test_a_part_of_a_table_has_the_number_of_rows_of_q() -> None:
    whole = decided([-3.0, 2.0, 0.0], tasks=["a", "b"])
    assert "6 rows" in cg.report(whole)
    for part in (whole.isel(task=0), whole.isel(contrast=[0]), whole.sel(task=["b"])):
        for text in (cg.report(part), cg.table(part), str(cg.methods(part))):
            assert "6 rows" in " ".join(text.split())
    assert "6 rows" in " ".join(cg.report(whole, task="b").split())


def test_a_table_is_a_string_that_a_notebook_shows_as_html() -> None:
    found = decided([-3.0, 2.0])
    for form in ("md", "html", "latex"):
        text = cg.report(found, as_=form)
        assert isinstance(text, str)
        assert repr(text) == str(text)
        assert pickle.loads(pickle.dumps(text)) == text
        html = text._repr_html_()
        assert ("<td" in html) == (form in ("md", "html"))
        assert ("<pre>" in html) == (form == "latex")


def test_the_answer_counts_the_effects_of_all_tasks() -> None:
    found = decided([2.0, -2.0], tasks=[f"t{i}" for i in range(40)])
    text = " ".join(cg.report(found).split())
    assert text.count("80 effects") == 1


@pytest.mark.parametrize("letters", ["x", "漢", "ש", "é"])
def test_long_names_are_cut_and_stay_apart(letters: str) -> None:
    names = [letters * 200 + end for end in "abc"]
    found = decided(
        [3.0, -3.0, 0.0], names=names, tasks=[letters * 150 + "1", letters * 150 + "2"]
    )
    text = cg.report(found)
    assert max(map(wide, text.splitlines())) < 130
    rows = [line for line in text.splitlines() if " negligible " in line]
    assert len(set(rows)) == len(rows)
    assert names[0] in cg.report(found)._repr_html_()


def test_names_are_cut_by_columns() -> None:
    assert wide(cut("漢" * 80)) <= 60
    short = cut_apart(["a" * 50] + ["b" * 50 + str(i) for i in range(12)], 10)
    assert len(set(short.values())) == len(short)
    same_ends = cut_apart(["x" * 9 + c + "x" * 9 for c in "abc"], 8)
    assert len(set(same_ends.values())) == 3
    assert all(wide(name) <= 8 for name in same_ends.values())


def count_of(length: int, motif: str, size: float) -> cg.FunctionPredictor:
    """Instances of a motif times a size, plus a number for each base of a place."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, length)) * 0.3
    tokens = ["ACGT".index(letter) for letter in motif]

    def answer(x: np.ndarray) -> np.ndarray:
        places = x.shape[2] - len(motif) + 1
        found = np.stack([x[:, c, i : i + places] for i, c in enumerate(tokens)])
        return size * found.all(0).sum(1) + (x * weights).sum((1, 2)) / length**0.5

    return cg.FunctionPredictor(answer, tasks=["t"], scale="log counts")


def answer_of(
    experiment: cg.experiments.Experiment, size: float, motif: str = "TGCATG"
):
    length = experiment.null.length or 60
    outcomes = cg.run(experiment, count_of(length, motif, size), rng=1, progress=False)
    return experiment.analyze(outcomes, rng=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [-2.0, 2.0])
def test_changes_of_a_motif_weaken_it_whatever_its_sign(size: float) -> None:
    experiment = cg.experiments.motif_mutagenesis(
        cg.Uniform(length=41), "UGCAUG", n_units=60
    )
    answer = answer_of(experiment, size)
    rows = answer.decisions.isel(task=0)
    changes = [x for x in map(str, rows["contrast"].values) if " to " in x]
    assert len(changes) == 18
    of_motif = {-2.0: "decreases", 2.0: "increases"}[size]
    weaker = {"decreases": "increases", "increases": "decreases"}[of_motif]
    assert rows["verdict"].sel(contrast="UGCAUG") == of_motif
    assert (rows["verdict"].sel(contrast=changes) == weaker).sum() >= 14


def real(n: int) -> list[str]:
    rng = np.random.default_rng(2)
    texts = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(n)]
    return [text[:20] + "TGCATG" + text[26:] for text in texts]


@pytest.mark.filterwarnings("ignore")
def test_regions_by_task_are_printed() -> None:
    whole = decided([3.0], tasks=["a", "b"])
    estimates = cg.estimate(
        cg.from_frame(
            pd.DataFrame(
                {
                    "unit": np.repeat(np.arange(30), 4),
                    "arm": ["wt", "wt", "x", "x"] * 30,
                    "task": ["a", "b"] * 60,
                    "y": np.random.default_rng(0).normal(size=120),
                }
            ),
            unit="unit",
            arm="arm",
            task="task",
            outcome="y",
        ),
        control="wt",
    )
    assert "±1," in " ".join(cg.report(whole).split())
    for regions, said in (
        ({"a": (-3, 3), "b": (-3, 3)}, ["±3,"]),
        ({"a": (-3, 3), "b": (-2, 4)}, ["±3 (a)", "-2 to 4 (b)"]),
    ):
        found = cg.decide(estimates, rope=regions)
        assert all(end in " ".join(cg.report(found).split()) for end in said)
        one = " ".join(cg.report(found.isel(task=0)).split())
        assert "±3," in one


@pytest.mark.parametrize("dim", ["contrast", "task"])
def test_a_page_and_a_figure_take_tables_that_the_text_takes(dim, tmp_path) -> None:
    found = decided([-3.0, 2.0], tasks=["a", "b"])
    unnamed = found.drop_vars(dim)
    assert cg.report(unnamed).startswith(("arm0 lowers", "0 lowers"))
    assert cg.report(unnamed, path=tmp_path / "a.html").exists()
    assert len(np.ravel(cg.plot.forest(unnamed))) >= 1
    for how in ({}, {"path": tmp_path / "b.html"}):
        with pytest.raises(DataError):
            cg.report(found.isel({dim: []}), **how)

"""What is printed of a part of a table, of many tasks, and of names that are long: each
sentence is true of the numbers under it, and each line fits.
"""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia._reporting.answer_sentences import cut, cut_apart
from causalgia.inputs import wide


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
    experiment = cg.experiments.motif_mutagenesis(motif="UGCAUG", n_units=60)
    answer = answer_of(experiment, size)
    said = re.sub(r"each of its (\d+) single-base changes", r"\1", answer.sentences[0])
    counted = {
        word: int(n)
        for n, word in re.findall(
            r"(\d+) (weaken|reverse|strengthen)s? (?:it|this)", said
        )
    }
    assert counted["weaken"] >= 14
    assert sum(counted.values()) == 18
    # a mutant that does the opposite of the motif reverses it
    verdicts = answer.decisions["verdict"].isel(task=0).to_series()
    mutants = verdicts[[not name.startswith("change ") for name in verdicts.index]]
    opposite = {"increases": "decreases", "decreases": "increases"}[verdicts["UGCAUG"]]
    assert (mutants == opposite).sum() == counted.get("reverse", 0)


@pytest.mark.filterwarnings("ignore")
def test_what_arises_at_junctions_is_a_note() -> None:
    answer = answer_of(
        cg.experiments.spacing(
            motif="UGCAUG", other="GCUGG", distances=(6, 9, 12), n_units=60
        ),
        -2.0,
    )
    junctions = [text for text in answer.details if "once more" in text]
    assert junctions
    assert "once more" not in str(answer)
    assert all(
        text in " ".join(answer.report(notes=True).split()) for text in junctions
    )
    assert len(str(answer).splitlines()) <= 20


def real(n: int) -> list[str]:
    rng = np.random.default_rng(2)
    texts = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(n)]
    return [text[:20] + "TGCATG" + text[26:] for text in texts]


@pytest.mark.filterwarnings("ignore")
def test_draws_of_real_sequences_are_counted_once() -> None:
    many = answer_of(cg.experiments.necessity(real(20), tile_width=20, n_draws=4), -2.0)
    text = " ".join(str(many).split())
    assert text.startswith("In t, of 3 tiles, 1 is holding the outcome down (20-40: ")
    assert "on 20 real sequences of 60 bp, 4 draws of each, every arm on each." in text
    assert text.count("20 real sequences") == 1
    assert "% of such sequences could be missed" in text
    one = answer_of(
        cg.experiments.tile_interactions(
            real(1), tiles=[(0, 15), (18, 28), (40, 50)], n_draws=20
        ),
        -2.0,
    )
    text = " ".join(str(one).split())
    assert "on 20 draws of one real sequence of 60 bp" in text
    assert "% of such draws could be missed" in text
    assert "1 term of three tiles or more" in one.details[0]


@pytest.mark.filterwarnings("ignore")
def test_a_share_of_all_draws_is_a_hundred_per_cent() -> None:
    answer = answer_of(cg.experiments.occlusion(real(12), motif="TGCATG"), -2.0)
    leaves = next(t for t in answer.details if t.startswith("dinucleotide_shuffle:"))
    assert leaves == "dinucleotide_shuffle: leaves TGCATG in 100 % of its draws."
    assert "instances" not in str(answer)


@pytest.mark.filterwarnings("ignore")
def test_a_screen_without_a_finding_names_three() -> None:
    experiment = cg.experiments.kmer_screen(k=3, n_units=30)
    answer = answer_of(experiment, 0.0)
    said = answer.sentences[0]
    assert said.startswith(
        "Task t: none of 64 k-mers has an effect beyond the usual range of 64 random"
    )
    assert answer.details[0].count("[") == 3


def test_skewed_effects_are_listed_by_name() -> None:
    columns = {"ace": 0.3, "skewness": 6.0, "leverage": 0.1, "n_units": 100}
    table = xr.Dataset(
        {
            name: (("contrast", "task"), np.full((2, 2), x))
            for name, x in columns.items()
        },
        coords={"contrast": ["GATA1", "GATA1, core broken"], "task": ["a", "b"]},
    ).isel(task=[0, 1], contrast=[0, 1])
    from causalgia._reporting._trial_report import shape_lines

    assert shape_lines(table.isel(task=[0]))[0].startswith(
        "GATA1 and 'GATA1, core broken' are skewed"
    )


def test_both_arms_of_a_parallel_trial_are_counted() -> None:
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"wt": cg.Untreated(), "GATA": cg.Embed("GATA", at=3)},
        n_units=40,
        assignment="parallel",
    )
    outcomes = cg.run(design, count_of(30, "GATA", 1.0), rng=0, progress=False)
    said = " ".join(cg.report(cg.estimate(outcomes, control="wt")).split())
    assert (
        "on 40 uniform random sequences of 30 bp in the two arms, each arm on" in said
    )


def test_a_methods_paragraph_gives_no_advice() -> None:
    texts = real(20)
    design = cg.Design(
        null=cg.Genomic(of=texts),
        arms={"wt": cg.Untreated(), "site": cg.Embed("TGCATG", at=40)},
        n_units=20,
    )
    outcomes = cg.run(design, count_of(60, "TGCATG", -1.0), rng=0, progress=False)
    decisions = cg.analyze(outcomes, control="wt", rope=(-0.1, 0.1), rng=0)
    said = cg.methods(decisions).methods
    assert "TGCATG is in the flanks too" in said
    assert "the effect there is that of one more copy." in said
    assert "a longer motif" not in said
    assert "a longer motif" in cg.report(decisions, notes=True)


def test_regions_by_task_are_said_once() -> None:
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
    assert "against ±1, if" in " ".join(cg.report(whole).split())
    for regions, said in (
        ({"a": (-3, 3), "b": (-3, 3)}, "against ±3, if"),
        ({"a": (-3, 3), "b": (-2, 4)}, "against ±3 (a), -2 to 4 (b), if"),
    ):
        found = cg.decide(estimates, rope=regions)
        assert said in " ".join(cg.report(found).split())
        one = " ".join(cg.report(found.isel(task=0)).split())
        assert "against ±3, if" in one

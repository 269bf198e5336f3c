"""Every experiment of the catalogue on an ensemble with two tasks: it answers about each, and over the predictors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.zoo import EndGC, Oracle, Pair, Word

MEMBERS = ("first", "second")
TASKS = ("a", "b")


def ensemble() -> cg.Ensemble:
    """Return two oracles with two tasks that agree in kind: words, a bias, and a pair."""
    terms = (
        Word("UGCAUG", 2.0),
        Word("GCUGG", 1.0),
        *(Word(letters, weight) for letters, weight in (("A", 0.05), ("C", -0.04), ("GG", 0.1))),
        EndGC(-0.5, last=8),
        Pair("UGCAUG", "GCUGG", bonus=0.5, min_distance=6, reach=20),
    )
    members = [
        Oracle(*terms, tasks=list(TASKS), weights=[[w] * len(terms), [w / 2] * len(terms)], scale="z")
        for w in (1.0, 0.8)
    ]
    return cg.Ensemble(members, names=list(MEMBERS))


def real(n: int = 40) -> list[str]:
    rows = ["".join(row) for row in np.random.default_rng(5).choice(list("ACGU"), (n, 41))]
    return [row[:10] + "UGCAUG" + row[16:26] + "GCUGG" + row[31:] for row in rows]


def negatives(n: int = 60) -> list[str]:
    rows = ("".join(row) for row in np.random.default_rng(6).choice(list("ACGU"), (2 * n, 41)))
    return [row for row in rows if "GCAUG" not in row and "CAUGC" not in row][:n]


TILES = [(8, 18), (18, 24), (24, 33)]
AT_41: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "word_screen": ([], {"words": ["UGCAUG", "AGCAUG", "GGCUGG"], "n_placebos": 40, "n_units": 80}),
    "word_mutagenesis": ([], {"word": "GCUGG"}),
    "position": ([], {}),
    "affinity": ([], {}),
    "copies": ([], {}),
    "spacing": ([], {}),
    "context_dependence": ([real()], {"element": (10, 16), "draws": 2}),
    "necessity": ([real()], {"tiles": TILES, "draws": 2}),
    "sufficiency": ([real()], {"tiles": TILES, "draws": 2}),
    "tile_placement": ([real()], {"tile": (9, 17), "at": [0, 9, 31], "tss": (18, 30), "draws": 2}),
    "tile_copies": ([real()], {"tile": (9, 17), "at": [0, 9, 31], "tss": (18, 30), "draws": 2}),
    "tile_interactions": ([real()], {"tiles": [(8, 18), (24, 33)], "draws": 2}),
    "greedy_round": ([real()], {"tiles": TILES, "chosen": [(18, 24)], "draws": 2}),
    "hairpin": ([], {}),
    "composition_bias": ([], {"at": [34, 2]}),
    "occlusion": ([real()], {"motif": "UGCAUG", "fills": ["uniform"], "draws": 2}),
    "knock_in": ([negatives()], {"motif": "UGCAUG"}),
    "flanks": ([], {"width": 3, "n_flanks": 6}),
    "motif_pair": ([cg.Uniform(length=41)], {"first": "UGCAUG", "second": "GCUGG", "distances": [7, 10, 13]}),
    "motif_pairs": ([cg.Uniform(length=41)], {"motifs": {"R": "UGCAUG", "V": "GCUGG"}, "distances": [8, 12]}),
    "variants": ([], {"length": 41}),
    "dose_response": ([], {}),
    "grammar_screen": ([cg.Uniform(length=41)], {"spacing": (2, 8)}),
    "fractional_factorial": ([], {}),
}


def made(name: str, folder: Path) -> cg.experiments.Experiment:
    arguments, settings = AT_41[name]
    if name == "variants":
        (folder / "genome.fa").write_text(">chr1\n" + "".join(real()).replace("U", "T") + "\n")
        (folder / "two.vcf").write_text("chr1\t422\trs1\tG\tA\nchr1\t519\trs2\tG\tA\n")
        arguments = [folder / "two.vcf", folder / "genome.fa"]
    if name not in ("variants", "word_screen") and not any(isinstance(one, list) for one in arguments):
        settings = {**settings, "n_units": 60}
    return cg.experiments.build(name, *arguments, settings=settings)


def test_all_of_the_catalogue_is_here() -> None:
    assert set(AT_41) == set(cg.experiments.entries())


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("name", AT_41)
def test_an_experiment_answers_about_each_task_of_each_member_and_is_drawn(name: str, tmp_path: Path) -> None:
    experiment = made(name, tmp_path)
    assert experiment.null.length == 41
    answer = experiment.analyse(cg.run(experiment, ensemble(), rng=0, progress=False), rng=0)
    own = [said for said in answer.sentences if ", over 2 predictors" not in said]
    assert answer.estimates["ace"].sizes["model"] == 2
    for task in TASKS:
        for member in MEMBERS:
            assert any(said.startswith(f"Task {task}, model {member}") for said in own), (task, member, own)
    assert "nan" not in " ".join(answer.sentences)
    assert answer.save(tmp_path / "figure.png", task="b").stat().st_size > 5_000

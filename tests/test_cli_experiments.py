# Imports from the inside: the folder of an answer, as the shell writes it.
"""Experiments on the command line: listed, begun with a file that runs as it is,
answered, drawn, analyzed again.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import xarray as xr
from test_cli import call, refused

import causalgia as cg
from causalgia import store
from causalgia.cli.results import write_answer
from causalgia.experiments import Answer, entries
from causalgia.experiments.kit.answer import largest_contrasts
from causalgia.trial_file import read_spec, starter
from causalgia.trial_file._starter import example_files, starter_files

#: settings of those whose defaults make hundreds of arms
SMALL = {
    "kmer_screen": {"k": 3, "n_placebos": 40, "motifs": ["UGC", "GCA", "AAA"]},
    "pair": {"gaps": [4, 7], "orientations": ["++"]},
    "pairs": {"gaps": [4]},
    "position": {"at": [2, 17, 30]},
}


def smaller(path):
    """Rewrite a starter file with few units, and few arms where there are very many."""
    plain = tomllib.loads(path.read_text())
    if "n_units" in plain:
        plain["n_units"] = 60
    plain["experiment"] |= SMALL.get(plain["experiment"]["kind"], {})
    path.write_text(tomli_w.dumps(plain))
    return path


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies")
    call("init", "--experiment", "copies", folder / "copies.toml")
    found = call("run", smaller(folder / "copies.toml"), "--out", folder / "results")
    return folder, found.stdout


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """One folder in which every experiment is begun."""
    return tmp_path_factory.mktemp("begun")


DRAWN = sorted(entries())[::4]
"""Experiments whose figure is drawn from the shell, too. All are drawn, and looked at,
in test_experiments_ensembles.py.
"""


def not_drawn(answer, path, *, task=None):
    """Take the place of `Answer.save`: the task is looked up, and the file written."""
    assert task is None or task in answer.tasks
    Path(path).write_bytes(b"\x89PNG of another run")
    return Path(path)


@pytest.mark.simulation
@pytest.mark.parametrize("name", sorted(entries()))
def test_the_file_of_each_runs_as_it_is(name, begun, tmp_path, monkeypatch):
    if name not in DRAWN:
        monkeypatch.setattr(Answer, "save", not_drawn)
    path = begun / f"{name}.toml"
    call("init", "--experiment", name, path)
    assert read_spec(path).design.entry.name == name
    spec = read_spec(smaller(path))
    assert read_spec_of(spec, begun) == spec
    call("run", path, "--out", tmp_path / "results")
    assert (tmp_path / "results" / "experiment.png").read_bytes().startswith(b"\x89PNG")
    decisions = store.load(tmp_path / "results" / "decisions.nc", "decisions")
    if name == "variants":  # whose rows are its variants
        assert decisions.sizes["contrast"] == 24
    else:
        assert set(decisions["contrast"].values) == set(spec.design.named_contrasts)
    assert np.isfinite(decisions["ace"]).all()
    if {"example.fa", "negatives.fa"} & {*example_files(name)}:
        # 60 sequences and more for each exact effect
        assert "undecided" not in decisions["verdict"].values


def test_example_files_of_ones_own_are_left_alone(tmp_path):
    (tmp_path / "genome.fa").write_text(">mine\nACGT\n")
    call("init", "--experiment", "variants", tmp_path / "snps.toml")
    assert (tmp_path / "genome.fa").read_text() == ">mine\nACGT\n"
    settings = tomllib.loads((tmp_path / "snps.toml").read_text())["experiment"]
    assert (settings["vcf"], settings["fasta"]) == ("example.vcf", "snps_genome.fa")
    assert read_spec(tmp_path / "snps.toml").design.n_units == 24 + 2_000
    (tmp_path / "snps.toml").unlink()
    (tmp_path / "snps_genome.fa").write_text(">mine too\n")
    refused(
        "init",
        "--experiment",
        "variants",
        tmp_path / "snps.toml",
    )


def read_spec_of(spec, folder):
    path = folder / "again.toml"
    path.write_text(spec.to_toml(), encoding="utf-8")
    return read_spec(path)


def test_the_starter_says_every_default(tmp_path):
    plain = tomllib.loads(starter("copies"))
    assert plain["n_units"] == 1_200
    assert plain["experiment"] == {"kind": "copies", "motif": "UGCAUG"}
    assert plain["null"] == {"kind": "uniform", "length": 41}
    path = tmp_path / "trial.toml"
    path.write_text(starter("copies"))
    assert read_spec(path).design == cg.experiments.copies(
        cg.Uniform(length=41), "UGCAUG"
    )


def test_run_answers_as_python_does(copies):
    folder, _ = copies
    experiment = cg.experiments.copies(cg.Uniform(length=41), "UGCAUG", n_units=60)
    outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    written = store.load(folder / "results" / "decisions.nc", "decisions")
    assert written["ace"].values == pytest.approx(answer.decisions["ace"].values)
    copies = written["copies"].values
    assert copies[np.isfinite(copies)].tolist() == [1, 2, 3, 4]
    kept = store.load(folder / "results" / "outcomes.nc", "outcomes")
    assert kept["outcome"].values == pytest.approx(outcomes["outcome"].values)
    assert kept.attrs["analysis"] == outcomes.attrs["analysis"]
    assert kept.attrs["design_fingerprint"] == experiment.fingerprint


@pytest.mark.simulation
def test_analyze_answers_again(copies):
    folder, _ = copies
    again = call("analyze", folder / "results")
    assert again.stderr == ""
    wider = call("analyze", folder / "results", "--rope=-5,5")
    assert "±5" in wider.stdout
    assert (folder / "results" / "experiment.png").is_file()
    call("analyze", folder / "results", "--control", "alone at 17")
    assert not (folder / "results" / "experiment.png").exists()
    refused("analyze", folder / "results", "--error", "posterior")


def test_results_are_not_written_over(copies, tmp_path):
    folder, _ = copies
    refused(
        "run",
        folder / "copies.toml",
        "--out",
        folder / "results",
    )
    (tmp_path / "experiment.png").write_bytes(b"mine")
    refused(
        "run",
        folder / "copies.toml",
        "--out",
        tmp_path,
    )
    refused("init", "--experiment", "copies", folder / "copies.toml")


NET = """
import numpy as np
def load():
    return lambda x: np.stack([x[:, 1:3].mean((1, 2)), x[:, 0, :20].mean(1)], 1)
"""


@pytest.mark.simulation
def test_every_task_has_its_figure(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    text = starter("copies").replace(
        'zoo = "rbfox1_like"', 'factory = "net.py:load"\ntasks = ["gc", "a"]'
    )
    path = tmp_path / "trial.toml"
    path.write_text(text)
    call("run", smaller(path), "--out", tmp_path / "results")
    assert (tmp_path / "results" / "experiment_2.png").is_file()
    plain = tomllib.loads(path.read_text())
    plain["predictor"] = {"factory": "one.py:load", "tasks": ["gc"]}
    path.write_text(tomli_w.dumps(plain))
    (tmp_path / "one.py").write_text(NET.replace(", 1)", ", 1)[:, :1]"))
    call("run", path, "--out", tmp_path / "results", "--force")
    assert not (tmp_path / "results" / "experiment_2.png").exists()


def test_a_design_that_names_its_contrasts_is_estimated_without_a_control(tmp_path):
    (tmp_path / "trial.toml").write_text(
        "n_units = 40\n"
        "rng = 0\n"
        "contrasts = {site = {GATA1 = 1, none = -1}}\n"
        "[null]\n"
        'kind = "uniform"\n'
        "length = 60\n"
        "[predictor]\n"
        'zoo = "gata1_like"\n'
        "[arms.none]\n"
        "[arms.GATA1]\n"
        'embed = "AGATAAG"\n'
        "at = 20\n"
    )
    call("run", tmp_path / "trial.toml", "--out", tmp_path / "results")
    assert "site" in call("analyze", tmp_path / "results").stdout


@pytest.mark.simulation
def test_very_many_contrasts_are_not_all_printed(tmp_path):
    arms = "".join(f'[arms."{i}"]\nembed = "AGATAAG"\nat = {i}\n' for i in range(104))
    (tmp_path / "trial.toml").write_text(
        "n_units = 30\n"
        "rng = 0\n"
        "[null]\n"
        'kind = "uniform"\n'
        "length = 112\n"
        "[predictor]\n"
        'zoo = "gata1_like"\n'
        "[arms.none]\n"
        f"{arms}[analysis]\n"
        'control = "none"\n'
        "rope = 0\n"
        'error = "fdr"\n'
    )
    call("run", tmp_path / "trial.toml", "--out", tmp_path / "results")
    call("analyze", tmp_path / "results")
    assert len(call("show", tmp_path / "results", "--all").stdout.splitlines()) > 208


@pytest.mark.simulation
def test_a_long_answer_prints_its_largest():
    ace = np.random.default_rng(0).normal(size=(4_096, 1))
    table = cg.from_effects(ace[:, 0], 0.1, names=[f"w{i}" for i in range(4_096)])
    decisions = cg.decide(table, rope=(-0.5, 0.5))
    answer = Answer(
        question="Which?",
        estimates=table,
        decisions=decisions,
        findings={},
        sentences=("So.",),
    )
    said = str(answer)
    shown = re.findall(r"^w\d+", said, flags=re.MULTILINE)
    assert shown == [f"w{i}" for i in np.argsort(-np.abs(ace[:, 0]))[:20]]
    assert len(largest_contrasts(decisions.isel(contrast=slice(30)))["contrast"]) == 30
    wide = xr.concat(
        [decisions.assign_coords(task=[f"t{i}"]) for i in range(40)], dim="task"
    )
    assert largest_contrasts(wide).sizes == {"contrast": 3, "task": 40}


@pytest.mark.simulation
def test_an_answer_is_drawn_task_by_task(tmp_path):
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="AGATAAG", n_units=600
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False), rng=0
    )
    assert answer.tasks == ["K562", "HepG2"]
    turned = replace(
        answer,
        decisions=answer.decisions.isel(task=[1, 0]),
        estimates=answer.estimates.isel(task=[1, 0]),
    )
    assert (turned.tasks[0], turned.clearest_task) == ("HepG2", "K562")
    write_answer(turned, tmp_path)
    first, second = (
        turned.save(tmp_path / f"{task}.png", task=task).read_bytes()
        for task in ("K562", "HepG2")
    )
    assert (tmp_path / "experiment.png").read_bytes() == first
    assert (tmp_path / "experiment_2.png").read_bytes() == second
    assert (
        answer.save(tmp_path / "two.pdf", task="HepG2").read_bytes().startswith(b"%PDF")
    )


def test_the_starter_of_variants_finds_those_in_the_motif_and_no_others(tmp_path):
    for place, text in starter_files(tmp_path / "trial.toml", "variants").items():
        place.write_text(text)
    spec = read_spec(tmp_path / "trial.toml")
    oracle = cg.zoo.oracle(entries()["variants"].zoo)
    outcomes = cg.run(spec.design, oracle, rng=spec.rng, progress=False)
    answer = spec.design.analyze(outcomes, rng=spec.rng)
    verdicts = answer.decisions["verdict"].squeeze("task").to_series()
    assert {*verdicts[:12]} == {"decreases"}
    assert {*verdicts[12:]} == {"within"}


def test_variants_are_asked_again_checked_and_locked(tmp_path):
    for place, text in starter_files(tmp_path / "snps.toml", "variants").items():
        place.write_text(text)
    scored, lock = tmp_path / "scored", tmp_path / "lock.toml"
    given = [tmp_path / "example.vcf", "--genome", tmp_path / "genome.fa"]
    given += ["--predictor", tmp_path / "snps.toml", "--length", 420]
    call("variants", *given, "--n-null", 2000, "--out", scored)
    call("reproduce", scored)
    call("refute", scored)
    assert (scored / "refutation.nc").is_file()
    call("lock", scored, "--out", lock)
    done = call("verify", scored, "--protocol", lock, code=1)
    assert "Exploratory: protocol." in done.stdout
    call("run", "--protocol", lock, "--out", tmp_path / "locked")
    call("verify", tmp_path / "locked", "--protocol", lock)
    path = tmp_path / "locked" / "decisions.nc"
    edited = store.load(path, "decisions")
    edited["ace"][3] += 1
    store.save(edited, path)
    done = call("verify", tmp_path / "locked", "--protocol", lock, code=1)
    assert "decisions: ace" in done.stdout

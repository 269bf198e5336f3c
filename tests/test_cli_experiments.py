"""Experiments on the command line: listed, begun with a file that runs as it is,
answered, drawn, analyzed again.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import xarray as xr
from rotation import due
from test_cli import call, refused

import causalgia as cg
from causalgia import store
from causalgia.cli.folder import write_answer
from causalgia.errors import ContrastError, DesignError, OutcomesError
from causalgia.experiments import Answer, entries
from causalgia.experiments.kit.answer import largest_contrasts
from causalgia.trial_file import read_spec, settings_of, starter
from causalgia.trial_file._starter import example_files

#: settings of those whose defaults make hundreds of arms
SMALL = {
    "kmer_screen": {"k": 3, "n_placebos": 40, "motifs": ["UGC", "GCA", "AAA"]},
    "motif_pair": {"distances": [12, 15], "orientations": ["++"]},
    "motif_pairs": {
        "distances": [15],
        "motifs": {"Sox2": "GAACAATGG", "Nanog": "AGCCATCA"},
    },
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


def test_the_catalogue_is_a_line_each():
    said, _, in_python = call("experiments").stdout.partition("\n\n")
    lines = said.splitlines()
    assert [line.split()[0] for line in lines] == list(entries())
    assert all(
        line.endswith(entry.question)
        for line, entry in zip(lines, entries().values(), strict=True)
    )
    head, *others = in_python.splitlines()
    assert head.startswith("In Python")
    for line in others:
        name, words = line.split(maxsplit=1)
        said = " ".join(getattr(cg.experiments, name).__doc__.split())
        assert said.startswith(words)
    assert {
        "null_models",
        "across_predictors",
        "tile_search",
        "greedy_tiles",
        "junctions",
    } == {line.split()[0] for line in others}


@pytest.mark.parametrize("name", sorted(entries()))
def test_each_says_its_settings(name):
    said = call("experiments", name).stdout
    assert entries()[name].question in said
    assert entries()[name].doi in said
    for setting in settings_of(name):
        assert setting.words, f"{name}: {setting.name} has no words in the docstring"
        assert f"  {setting.name} (" in said


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """One folder in which every experiment is begun."""
    return tmp_path_factory.mktemp("begun")


DRAWN = due(sorted(entries()), 4, lambda name: f"causalgia/experiments/_{name}.py")
"""Experiments whose figure is drawn from the shell, too: a quarter in each run. All are
drawn, and looked at, in test_experiments_ensembles.py.
"""


def not_drawn(answer, path, *, task=None):
    """Take the place of `Answer.save`: the task is looked up, and the file written."""
    assert task is None or task in answer.tasks
    Path(path).write_bytes(b"\x89PNG of another run")
    return Path(path)


@pytest.mark.rotating
@pytest.mark.parametrize("name", sorted(entries()))
def test_the_file_of_each_runs_as_it_is(name, begun, tmp_path, monkeypatch):
    if name not in DRAWN:
        monkeypatch.setattr(Answer, "save", not_drawn)
    path = begun / f"{name}.toml"
    call("init", "--experiment", name, path)
    assert f"causalgia run {name}.toml --out results" in path.read_text()
    assert read_spec(path).design.entry.name == name
    spec = read_spec(smaller(path))
    assert read_spec_of(spec, begun) == spec
    found = call("run", path, "--out", tmp_path / "results")
    kept = store.load(tmp_path / "results" / "decisions.nc", "decisions")
    said = str(kept.attrs["answer"]).split(": ", 1)[1]
    assert said[:40] in found.stdout
    assert len(found.stdout.splitlines()) < 300
    assert (tmp_path / "results" / "experiment.png").read_bytes().startswith(b"\x89PNG")
    decisions = store.load(tmp_path / "results" / "decisions.nc", "decisions")
    if name == "variant_screen":  # whose rows are its variants
        assert decisions.sizes["contrast"] == 24
    else:
        assert set(decisions["contrast"].values) == set(spec.design.named_contrasts)
    assert np.isfinite(decisions["ace"]).all()
    if {"example.fa", "negatives.fa"} & {*example_files(name)}:
        # 60 sequences and more for each exact effect
        assert "undecided" not in decisions["verdict"].values


def test_example_files_of_ones_own_are_left_alone(tmp_path):
    (tmp_path / "example.fa").write_text(">mine\nACGT\n")
    call("init", "--experiment", "variant_effects", tmp_path / "snps.toml")
    assert (tmp_path / "example.fa").read_text() == ">mine\nACGT\n"
    settings = tomllib.loads((tmp_path / "snps.toml").read_text())["experiment"]
    assert (settings["vcf"], settings["fasta"]) == ("example.vcf", "snps_example.fa")
    assert read_spec(tmp_path / "snps.toml").design.n_units == 24
    (tmp_path / "snps.toml").unlink()
    (tmp_path / "snps_example.fa").write_text(">mine too\n")
    refused(
        "init",
        "--experiment",
        "variant_effects",
        tmp_path / "snps.toml",
        said="snps_example.fa exists already",
    )


def read_spec_of(spec, folder):
    path = folder / "again.toml"
    path.write_text(spec.to_toml(), encoding="utf-8")
    return read_spec(path)


def test_the_starter_says_every_default(tmp_path):
    plain = tomllib.loads(starter("copies"))
    assert plain["n_units"] == 1000
    assert plain["experiment"] == {"kind": "copies", "motif": "UGCAUG"}
    assert plain["null"] == {"kind": "uniform", "length": 41}
    path = tmp_path / "trial.toml"
    path.write_text(starter("copies"))
    assert read_spec(path).design == cg.experiments.copies()


@pytest.mark.rotating(6)
def test_run_answers_as_python_does(copies):
    folder, said = copies
    experiment = cg.experiments.copies(n_units=60)
    outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0, progress=False)
    answer = experiment.analyze(outcomes, rng=0)
    written = store.load(folder / "results" / "decisions.nc", "decisions")
    assert written["ace"].values == pytest.approx(answer.decisions["ace"].values)
    assert written["copies"].values[:3].tolist() == [1, 2, 3]
    task, sentence = answer.sentences[0].split(": ", 1)
    assert f"In {task.removeprefix('Task ')}, {sentence}" in said
    assert (
        "Wrote outcomes.nc, trial.toml, estimates.nc, decisions.nc, answer.txt, "
        "effects.tsv, experiment.png in" in said
    )
    kept = store.load(folder / "results" / "outcomes.nc", "outcomes")
    assert kept["outcome"].values == pytest.approx(outcomes["outcome"].values)
    assert kept.attrs["analysis"] == outcomes.attrs["analysis"]
    assert kept.attrs["design_fingerprint"] == experiment.fingerprint


@pytest.mark.rotating
def test_show_has_the_sentences_and_analyze_answers_again(copies):
    folder, said = copies
    sentence = next(
        line for line in said.splitlines() if line.startswith("In RBFOX1, ")
    )
    assert sentence in call("show", folder / "results").stdout
    again = call("analyze", folder / "results")
    assert again.stderr == ""
    assert sentence in again.stdout
    wider = call("analyze", folder / "results", "--rope=-5,5")
    assert "rope" in wider.stderr
    assert "exploratory" in wider.stderr
    assert "±5" in wider.stdout
    assert (folder / "results" / "experiment.png").is_file()
    other = call("analyze", folder / "results", "--control", "alone at 17")
    assert "minus 'alone at 17'" in other.stdout
    assert not (folder / "results" / "experiment.png").exists()
    tested = call("analyze", folder / "results", "--keep-draws")
    assert "No draws to keep" in tested.output
    refused = call(
        "analyze", folder / "results", "--error", "local", "--keep-draws", code=2
    )
    assert "--error local has another name: 'posterior'" in refused.output
    few = call(
        "analyze", folder / "results", "--error", "posterior", "--keep-draws", code=2
    )
    assert "--error posterior takes 10 or more exchangeable contrasts" in " ".join(
        few.output.split()
    )
    assert "excess over single sites" in call("estimate", folder / "results").stdout


@pytest.mark.rotating(6)
def test_results_are_not_written_over(copies, tmp_path):
    folder, _ = copies
    refused(
        "run",
        folder / "copies.toml",
        "--out",
        folder / "results",
        said="holds outcomes already",
    )
    (tmp_path / "experiment.png").write_bytes(b"mine")
    refused(
        "run",
        folder / "copies.toml",
        "--out",
        tmp_path,
        said="holds another experiment.png already",
    )
    refused(
        "init", "--experiment", "copies", folder / "copies.toml", said="exists already"
    )


def test_unknown_experiments_are_one_line(tmp_path):
    refused(
        "experiments",
        "copys",
        said="there is no experiment 'copys'; did you mean 'copies'?",
    )
    refused(
        "init",
        "--experiment",
        "copys",
        tmp_path / "x.toml",
        said="did you mean 'copies'?",
    )
    assert not (tmp_path / "x.toml").exists()


NET = """
import numpy as np
def load():
    return lambda x: np.stack([x[:, 1:3].mean((1, 2)), x[:, 0, :20].mean(1)], 1)
"""


@pytest.mark.rotating(6)
def test_every_task_has_its_figure(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    text = starter("copies").replace(
        'zoo = "rbfox1_like"', 'factory = "net.py:load"\ntasks = ["gc", "a"]'
    )
    path = tmp_path / "trial.toml"
    path.write_text(text)
    found = call("run", smaller(path), "--out", tmp_path / "results")
    assert "experiment.png, experiment_2.png" in found.stdout
    assert "In gc, " in found.stdout
    assert "In a, " in found.stdout
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
    assert "site" in call("estimate", tmp_path / "results").stdout


@pytest.mark.rotating(6)
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
    short = call("analyze", tmp_path / "results").stdout
    assert "Not shown: 168 increases; causalgia show" in short
    assert len(short.splitlines()) < 200
    assert len(call("show", tmp_path / "results", "--all").stdout.splitlines()) > 208


@pytest.mark.rotating
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
    assert len(said.splitlines()) < 70
    assert said.startswith("So.\n")
    assert re.search(r'^Not shown: [\d,]+ \w+.*; rows="all" shows all', said, re.M)
    shown = re.findall(r"^w\d+", said, flags=re.MULTILINE)
    assert shown == [f"w{i}" for i in np.argsort(-np.abs(ace[:, 0]))[:20]]
    assert len(largest_contrasts(decisions.isel(contrast=slice(30)))["contrast"]) == 30
    wide = xr.concat(
        [decisions.assign_coords(task=[f"t{i}"]) for i in range(40)], dim="task"
    )
    assert largest_contrasts(wide).sizes == {"contrast": 3, "task": 40}


@pytest.mark.rotating
def test_an_answer_is_drawn_task_by_task(tmp_path):
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="AGATAAG", n_units=600
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False), rng=0
    )
    assert answer.tasks == ["K562", "HepG2"]
    heading = " ".join(answer.draw().get_title("left").split())
    assert heading == (
        f"{answer.question} K562, n = 600: task 1 of 2, with the largest effect"
    )
    other = " ".join(answer.draw(task="HepG2").get_title("left").split())
    assert other == f"{answer.question} HepG2, n = 600"
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
    with pytest.raises(
        ContrastError,
        match="task 'HeLa' is not there; say task= one of 'K562', 'HepG2'",
    ):
        answer.draw(task="HeLa")
    assert (
        answer.save(tmp_path / "two.pdf", task="HepG2").read_bytes().startswith(b"%PDF")
    )
    with pytest.raises(OutcomesError, match="the figure cannot be written"):
        answer.save(tmp_path / "two.xyz")


def test_one_unit_is_refused_when_the_design_is_made():
    copies = partial(cg.experiments.copies, cg.Uniform(length=60), motif="AGATAAG")
    with pytest.raises(
        DesignError, match="'copies' of one unit: an error needs two or more"
    ):
        copies(n_units=1)
    of_the_unit = replace(copies(n_units=2).analysis, target="units")
    assert replace(copies(n_units=2), n_units=1, analysis=of_the_unit).n_units == 1
    one = cg.Uniform(length=60).sample(1, rng=0)["sequence"].values
    with pytest.raises(
        DesignError, match="'knock_in' of the one sequence .* two sequences or more"
    ):
        cg.experiments.knock_in(one, motif="AGATAAG")
    with pytest.raises(
        DesignError, match="'knock_in' of the one sequence .* two sequences or more"
    ):
        cg.experiments.knock_in(
            cg.Genomic(of=one, n_draws=5), motif="AGATAAG", placebo="ACCTCCG"
        )

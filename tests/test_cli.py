"""The command line: six commands, one line for each error, no traceback."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import causalgia as cg
from causalgia import cli, store
from causalgia.analysis import Analysis
from causalgia.choices import ERRORS, TARGETS
from causalgia.cli.folder import results_of_page
from causalgia.errors import ExploratoryWarning, OutcomesError, StoreError
from causalgia.plot import save_figure
from causalgia.trial_file import read_spec

QUICK = """
n_units = 300
rng = 3
[null]
kind = "uniform"
length = 60
[predictor]
zoo = "gata1_like"
[arms.untreated]
[arms.placebo]
placebo = "AGATAAG"
at = 20
[arms.GATA1]
embed = "AGATAAG"
at = 20
[placebos]
of = "AGATAAG"
at = 20
n = 3
[analysis]
control = "placebo"
rope = [-0.1, 0.1]
"""

WORDS = [f"GATA{a}{b}" for a in "ACGT" for b in "ACG"]
MANY = QUICK.replace(
    "[placebos]",
    "".join(f'[arms.{word}]\nembed = "{word}"\nat = 20\n' for word in WORDS)
    + "[placebos]",
)
"""Enough contrasts to be shrunken."""

NET = """
import numpy as np
TASKS = ["gc", "a"]
def load():
    return lambda x: np.stack([x[:, 1:3].mean((1, 2)), x[:, 0].mean(1)], 1)
"""


def call(*args, code=0):
    found = CliRunner().invoke(
        cli.app, [str(arg) for arg in args], catch_exceptions=False
    )
    assert found.exit_code == code, found.output
    return found


def refused(*args, said):
    found = call(*args, code=2)
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1, found.stderr
    for words in [said] if isinstance(said, str) else said:
        assert words in found.stderr, found.stderr


def test_version_and_help():
    assert call("--version").stdout == f"causalgia {cg.__version__}\n"
    assert "causalgia run trial.toml --out results" in call("--help").stdout
    assert "Commands" in call().stdout
    for command in ("demo", "init", "run", "estimate", "analyze", "show"):
        assert "Example:" in call(command, "--help").stdout


def test_help_names_every_target():
    words = " ".join(call("estimate", "--help").stdout.replace("│", " ").split())
    said = re.search(r"--target \S+ (.*?)\. --ci-prob", words)[1]
    assert [name.removeprefix("or ").strip("'") for name in said.split(", ")] == list(
        TARGETS
    )


@pytest.mark.rotating(6)
def test_demo_agrees_with_the_truth(tmp_path):
    found = call("demo", "--out", tmp_path / "demo", "--n-units", 200)
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == [
        "answer.txt",
        "decisions.nc",
        "effects.tsv",
        "estimates.nc",
        "forest.png",
        "outcomes.nc",
        "trial.toml",
    ]
    assert (tmp_path / "demo" / "forest.png").read_bytes().startswith(b"\x89PNG")
    assert "40 placebos" in found.stdout
    header = next(
        line for line in found.stdout.splitlines() if line.startswith("contrast")
    )
    assert header.split() == [
        "contrast",
        "task",
        "ACE",
        "95",
        "%",
        "interval",
        "verdict",
        "q",
        "truth",
    ]
    truth = {}
    for line in found.stdout.splitlines():
        if re.search(r"(creases|negligible|undecided) .*\d$", line):
            name, task, *_, last = re.split(r"  +", line)
            truth[name, task] = float(last)
    assert len(truth) == 6
    estimates = store.load(tmp_path / "demo" / "estimates.nc", "estimates")
    for (name, task), value in truth.items():
        one = estimates.sel(contrast=name, task=task)
        assert abs(one["ace"].item() - value) < 4.5 * one["se"].item() + 1e-4
    spec = read_spec(tmp_path / "demo" / "trial.toml")
    assert (spec.name, spec.design.n_units, spec.rng) == ("demo", 200, 0)


@pytest.mark.rotating
@pytest.mark.once
def test_demo_writes_over_a_demo_alone(results, tmp_path):
    refused("demo", "--out", results, said=["holds outcomes already", "--force"])
    call("demo", "--out", tmp_path / "demo", "--n-units", 20)
    call("demo", "--out", tmp_path / "demo", "--n-units", 20, "--rng", 1)
    assert store.load(tmp_path / "demo" / "outcomes.nc", "outcomes").attrs["rng"] == "1"
    call("demo", "--out", results, "--n-units", 20, "--force")
    assert store.load(results / "outcomes.nc", "outcomes").attrs["name"] == "demo"


@pytest.mark.rotating(6)
def test_the_file_that_was_read_is_kept(trial, tmp_path):
    text = "# mine\n" + QUICK
    trial.write_text(text)
    found = call("run", trial, "--out", tmp_path)
    assert "Wrote outcomes.nc in" in found.stdout
    assert call("estimate", tmp_path).stderr == ""
    call("run", trial, "--out", tmp_path, "--force")
    assert trial.read_text() == text


@pytest.mark.rotating(6)
def test_a_file_that_we_did_not_write_is_not_written_over(trial, tmp_path):
    for name, command in (
        ("trial.toml", "run"),
        ("forest.png", "run"),
        ("estimates.nc", "run"),
        ("trial.toml", "demo"),
    ):
        folder = tmp_path / f"{command} {name}"
        folder.mkdir()
        (folder / name).write_text("mine")
        wrong = [
            command,
            *([trial] if command == "run" else ["--n-units", 20]),
            "--out",
            folder,
        ]
        refused(
            *wrong, said=[f"holds another {name} already", "--force to write over it"]
        )
        assert [path.read_text() for path in folder.iterdir()] == ["mine"]
        call(*wrong, "--force")
        assert read_spec(folder / "trial.toml").name == (
            "demo" if command == "demo" else "trial"
        )


def test_what_run_wrote_says_so_and_is_written_over(trial, results):
    first = (results / "trial.toml").read_text().splitlines()[0]
    assert first.startswith("# Written by `causalgia run`, which may write over it")
    (results / "outcomes.nc").unlink()
    trial.write_text(QUICK.replace("rng = 3", "rng = 4"))
    call("run", trial, "--out", results)
    assert read_spec(results / "trial.toml").rng == 4


def test_a_folder_in_the_place_of_a_file_is_one_line(trial, results):
    (results / "forest.png").mkdir()
    refused(
        "run",
        trial,
        "--out",
        results,
        "--force",
        said=["forest.png is a folder", "choose another --out"],
    )
    refused("demo", "--out", results, "--force", said="forest.png is a folder")
    found = call("estimate", results, code=2)
    assert "95 % interval" in found.stdout
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1
    assert "the figure cannot be written" in found.stderr


@pytest.mark.rotating(6)
@pytest.mark.parametrize("name", ["$", "$1$", "\\\\frac{$x_1$", "a$^2", "日本 $"])
def test_names_are_written_as_they_are(trial, tmp_path, name):
    trial.write_text(QUICK.replace("[arms.GATA1]", f'[arms."{name}"]'))
    call("run", trial, "--out", tmp_path / "results")
    found = call("estimate", tmp_path / "results")
    assert found.stderr == ""
    assert name.replace("\\\\", "\\") in found.stdout
    assert (tmp_path / "results" / "forest.png").stat().st_size > 5_000


def test_a_device_is_one_that_the_predictor_runs_on(trial, tmp_path):
    asked = ["run", trial, "--out", tmp_path / "x"]
    refused(
        *asked,
        "--device",
        "nonsense",
        said="--device 'nonsense' is not a device; say one of auto, cpu, cuda",
    )
    refused(
        *asked,
        "--device",
        "cuda",
        said="--device 'cuda': a predictor of the zoo runs on the CPU",
    )
    call(*asked, "--device", "cpu")


def test_a_machine_without_memory_or_space_is_one_line(monkeypatch, trial, results):
    wrongs = (
        (
            MemoryError("Unable to allocate 7 TiB."),
            "not enough memory; ask for less, such as fewer units, arms or oligos: "
            "Unable to allocate 7 TiB.",
        ),
        (MemoryError(), "not enough memory; ask for less, such as fewer"),
        (
            OSError(28, "No space left on device"),
            "No space left on device; free some space",
        ),
        (PermissionError(13, "Permission denied", "a.nc"), "a.nc: Permission denied; "),
        (
            FileNotFoundError(2, "No such file or directory", "a.tsv"),
            "a.tsv: No such file or directory; check the path",
        ),
    )
    for wrong, said in wrongs:

        def failing(*args, wrong=wrong, **kwargs):
            raise wrong

        monkeypatch.setattr(store, "load", failing)
        refused("show", results, said=said)


def test_the_commands_that_a_starter_names_can_be_pasted(tmp_path):
    path = tmp_path / "my trial.toml"
    call("init", path)
    text = path.read_text()
    assert "causalgia run 'my trial.toml' --out results" in text
    assert "causalgia mpra design 'my trial.toml' --out LIB" in text


@pytest.mark.rotating(6)
def test_what_init_writes_runs_and_is_estimated(tmp_path):
    path = tmp_path / "deep" / "trial.toml"
    assert f"causalgia run {path} --out results" in call("init", path).stdout
    text = path.read_text()
    path.write_text(text.replace("n_units = 1000", "n_units = 50"))
    call("run", path, "--out", tmp_path / "out")
    assert "GATA1" in call("estimate", tmp_path / "out").stdout
    refused("init", path, said=["exists already", "--force"])
    call("init", path, "--force")
    assert path.read_text() == text


def test_run_writes_what_python_computes(trial, tmp_path):
    found = call("run", trial, "--out", tmp_path / "results")
    assert "trial: 300 units, 6 arms, tasks K562, HepG2." in found.stdout
    assert f"Next: causalgia analyze {tmp_path / 'results'}" in found.stdout
    spec = read_spec(trial)
    outcomes = store.load(tmp_path / "results" / "outcomes.nc", "outcomes")
    again = cg.run(spec.design, cg.zoo.oracle("gata1_like"), rng=3)
    assert outcomes.identical(
        again.assign_attrs(cg.protocol.machine_attrs() | spec.attrs)
    )
    assert outcomes.attrs["analysis"] == '{"control": "placebo", "rope": [-0.1, 0.1]}'
    assert read_spec(tmp_path / "results" / "trial.toml") == spec


@pytest.mark.rotating(6)
def test_run_does_not_write_over_outcomes(trial, results):
    call("analyze", results)
    refused("run", trial, "--out", results, said=["holds outcomes already", "--force"])
    trial.write_text(QUICK.replace("rng = 3", "rng = 4"))
    call("run", trial, "--out", results, "--force")
    assert store.load(results / "outcomes.nc", "outcomes").attrs["rng"] == "4"
    for gone in ("estimates.nc", "decisions.nc", "forest.png"):
        assert not (results / gone).exists()


@pytest.mark.rotating(6)
def test_estimate_gives_what_the_verbs_give(results):
    found = call("estimate", results)
    outcomes = store.load(results / "outcomes.nc", "outcomes")
    expected = cg.estimate(cg.contrast(outcomes, control="placebo"))
    written = store.load(results / "estimates.nc", "estimates")
    for name in expected.data_vars:
        np.testing.assert_array_equal(written[name], expected[name])
    assert "3 placebos" in found.stdout
    assert " SE " in found.stdout
    assert (results / "forest.png").stat().st_size > 5_000
    noted = call("estimate", results, "--notes").stdout
    assert "effect on the predictor" in noted.lower()


@pytest.mark.rotating(6)
@pytest.mark.once
def test_options_win_over_the_file(results):
    call(
        "estimate",
        results,
        "--control",
        "untreated",
        "--ci-prob",
        "0.5",
        "--cluster",
        "none",
    )
    written = store.load(results / "estimates.nc", "estimates")
    assert written.attrs["control"] == "untreated"
    assert written.attrs["ci_prob"] == 0.5
    assert "p_adjusted" not in written
    assert "placebo AAGTAAG" not in call("estimate", results).stdout
    assert call("estimate", results, "--all").stdout.count("\nplacebo ") == 6


@pytest.mark.rotating
@pytest.mark.once
def test_removed_results_are_named(trial, results):
    assert "Removed" not in call("analyze", results).stdout
    # written anew, so nothing is gone
    assert "Removed" not in call("analyze", results).stdout
    assert "Removed" not in call("estimate", results).stdout
    assert (
        "Removed estimates.nc, decisions.nc, forest.png, answer.txt, effects.tsv: "
        in call("run", trial, "--out", results, "--force").stdout
    )
    trial.write_text(MANY)
    call("run", trial, "--out", results, "--force")
    call("analyze", results, "--error", "posterior", "--keep-draws")
    assert "Removed posterior.nc: " in call("analyze", results).stdout
    assert not (results / "posterior.nc").exists()


@pytest.mark.rotating
@pytest.mark.once
def test_a_page_of_other_results_is_moved_aside_and_one_of_the_same_results_kept(
    trial, results
):
    call("analyze", results)
    call("report", results)
    assert "Removed" not in call("analyze", results).stdout
    assert (results / "report.html").exists()
    page = (results / "report.html").read_bytes()
    names = [f"report.{n}.html" for n in (1, 2, 3)]
    for name, other in zip(
        names,
        (
            ("analyze", results, "--ci-prob", "0.8"),
            ("estimate", results, "--ci-prob", "0.5"),
            ("refute", results, "--check", "degenerate_draws"),
        ),
        strict=True,
    ):
        moved = f"Moved report.html to {name}: it is of other results."
        assert moved in call(*other).stdout
        assert not (results / "report.html").exists()
        call("report", results)
        assert not {"Removed", "Moved"} & {*call(*other).stdout.split()}
    assert (results / "report.1.html").read_bytes() == page


@pytest.mark.rotating(6)
@pytest.mark.once
def test_a_page_goes_with_its_first_changed_result_if_the_next_cannot_be_written(
    results,
):
    call("analyze", results)
    call("report", results)

    def fill_the_disk() -> None:
        with results_of_page(results, "estimates.nc", "decisions.nc"):
            (results / "estimates.nc").unlink()
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        fill_the_disk()
    assert not (results / "report.html").exists()


@pytest.mark.rotating
@pytest.mark.once
def test_what_a_deleted_trial_on_disk_left_is_removed(trial, tmp_path):
    out = tmp_path / "stored"
    call("run", trial, "--out", out, "--store")
    call("analyze", out)
    call("report", out)
    # complete already
    assert "Removed" not in call("run", trial, "--out", out, "--store").stdout
    shutil.rmtree(out / "trial.zarr")
    refused(
        "run",
        trial,
        "--out",
        out,
        "--store",
        said="holds another estimates.nc already; choose another --out",
    )
    said = call("run", trial, "--out", out, "--store", "--force").stdout
    removed = (
        "Removed estimates.nc, decisions.nc, forest.png, answer.txt, effects.tsv: "
    )
    assert removed in said
    assert "Moved report.html to report.1.html: " in said


@pytest.mark.rotating
@pytest.mark.once
def test_findings_of_an_experiment_go_with_its_answer(tmp_path):
    call("init", "--experiment", "flanks", tmp_path / "flanks.toml")
    out = tmp_path / "out"
    call("run", tmp_path / "flanks.toml", "--out", out)
    before = sorted(path.name for path in out.glob("finding_*.csv"))
    said = call("analyze", out, "--keep-draws").stdout  # of the contrasts alone
    assert before
    assert f"Removed experiment.png, {', '.join(before)}: " in said
    assert not list(out.glob("finding_*.csv"))


@pytest.mark.rotating
@pytest.mark.once
def test_tasks_share_strength_and_their_picture_is_drawn(trial, tmp_path):
    motifs = ["".join(x) for x in itertools.product("AC", "GT", "AG", "ACT")][:22]
    arms = "".join(f'[arms.{x}]\nembed = "{x}"\nat = 20\n' for x in motifs)
    text = QUICK.replace("[placebos]", arms + "[placebos]")
    trial.write_text(text)
    out = tmp_path / "shared"
    call("run", trial, "--out", out)
    call("analyze", out, "--across", "task")
    assert verdicts(out).attrs["error"] == "fdr"
    shared = verdicts(out)["shrunken"]
    call("analyze", out)
    assert not shared.equals(verdicts(out)["shrunken"])
    call("analyze", out, "--across", "task", "--error", "posterior")
    found = verdicts(out)
    assert found.attrs["across"] == "task"
    assert (found.attrs["error"], found.attrs["exploratory"]) == (
        "posterior",
        "across, error",
    )
    assert (out / "sharing.png").stat().st_size > 5_000
    assert "Removed sharing.png: " in call("analyze", out).stdout
    refused("analyze", out, "--across", "model", said="--across model must be one of")
    trial.write_text(text + 'across = "task"\nerror = "posterior"\n')
    call("run", trial, "--out", out, "--force")
    assert "Removed" not in call("analyze", out).stdout
    assert "exploratory" not in verdicts(out).attrs


@pytest.mark.rotating(6)
@pytest.mark.once
def test_a_pattern_takes_a_plan_of_a_contrast_of_tasks_back_to_each(trial, tmp_path):
    trial.write_text(QUICK + 'tasks = "K562 - HepG2"\n')
    out = tmp_path / "between"
    call("run", trial, "--out", out)
    call("analyze", out)
    assert verdicts(out)["task"].values.tolist() == ["K562 - HepG2"]
    call("analyze", out, "--tasks", "*")
    assert verdicts(out)["task"].values.tolist() == ["K562", "HepG2"]
    assert verdicts(out).attrs["exploratory"] == "tasks"


def verdicts(folder):
    return store.load(folder / "decisions.nc", "decisions")


@pytest.mark.rotating(6)
def test_analyze_gives_what_the_verb_gives(results):
    found = call("analyze", results, "--error", "each")
    outcomes = store.load(results / "outcomes.nc", "outcomes")
    ask = Analysis(control="placebo", rope=(-0.1, 0.1), error="each")
    with pytest.warns(
        ExploratoryWarning, match="in error: its results are exploratory"
    ):
        expected = cg.analyze(outcomes, ask, rng=3)
    written = verdicts(results)
    for name in expected.data_vars:
        np.testing.assert_array_equal(written[name], expected[name])
    assert written.attrs["analysis"] == ask.to_json()
    assert written.attrs["exploratory"] == "error"
    assert found.stderr.startswith(
        "warning: the analysis differs from the one kept with the outcomes in error"
    )
    for said in (
        "increases",
        "±0.1",
        "each row by itself (p <= .05)",
        "Exploratory",
    ):
        assert said in found.stdout
    assert (
        "Wrote estimates.nc, decisions.nc, forest.png, answer.txt, effects.tsv in"
        in found.stdout
    )
    assert (results / "forest.png").stat().st_size > 5_000
    shown = call("show", results).stdout
    assert "Verdict: where the interval lies against ±0.1" in shown
    assert "increases" in shown


@pytest.mark.rotating(6)
@pytest.mark.once
def test_analyze_as_the_file_says_is_not_exploratory(trial, tmp_path):
    trial.write_text(QUICK + 'error = "fwer"\n')
    call("run", trial, "--out", tmp_path / "out")
    found = call("analyze", tmp_path / "out")
    assert found.stderr == ""
    assert "xploratory" not in found.stdout
    assert "exploratory" not in verdicts(tmp_path / "out").attrs


@pytest.mark.rotating
def test_analyze_infers_and_keeps_draws_where_asked(trial, tmp_path):
    results = tmp_path / "many"
    trial.write_text(MANY)
    call("run", trial, "--out", results)
    assert "No draws to keep" in call("analyze", results, "--keep-draws").stdout
    call("analyze", results, "--error", "posterior", "--keep-draws", "--rng", "0")
    assert verdicts(results).attrs["error"] == "posterior"
    assert (results / "posterior.nc").stat().st_size > 10_000
    call("estimate", results)
    assert (results / "posterior.nc").exists()
    assert (results / "decisions.nc").exists()
    assert "Verdict: " in call("show", results).stdout
    (results / "decisions.nc").unlink()
    assert "No verdicts yet. Next: causalgia analyze" in call("show", results).stdout


@pytest.mark.rotating(6)
@pytest.mark.once
@pytest.mark.parametrize(
    ("said", "rope"),
    [
        (["--rope=-0.2,0.3"], "-0.2 to 0.3"),
        (["--rope", "-0.2", "0.3"], "-0.2 to 0.3"),
        (["--rope", "-0.2 0.3"], "-0.2 to 0.3"),
        (["--rope", "0"], "0"),
        (
            ["--rope", "K562=-0.2,0.2; HepG2=-0.1,0.1"],
            "-0.2 to 0.2 (K562); -0.1 to 0.1 (HepG2)",
        ),
        (
            ["--rope", "0.2 sd"],
            "0.2 sd of the control arm = ±0.03154 (K562), ±0.01136 (HepG2)",
        ),
    ],
)
def test_a_rope_is_said_in_several_ways(results, said, rope):
    call("analyze", results, *said)
    assert verdicts(results).attrs["rope"] == rope


def test_wrong_questions_are_one_line(trial, results, tmp_path):
    refused(
        "analyze",
        results,
        "--rope=0.1,-0.1",
        said="--rope=0.1,-0.1 is reversed; give the lower end first: --rope=-0.1,0.1",
    )
    refused(
        "analyze",
        results,
        "--rope",
        "small",
        said="--rope small is not a region; give --rope=-0.1,0.1",
    )
    for given, words in (
        ("placebo tail", "--rope 'placebo outliers' finds motifs"),
        ("K562=-1,1", "give a rope for each"),
        ("K562=-1,1;HepG2=wide", "task HepG2: --rope wide is not two numbers"),
    ):
        refused("analyze", results, "--rope", given, said=words)
    refused("analyze", results, "--error", "bh", said="has another name: 'fdr'")
    refused("analyze", results, "--error", "no", said="--error no must be one of")
    refused(
        "analyze",
        results,
        "--ci-prob",
        "95",
        said="--ci-prob 95 is not a number from 0.5 to below 1",
    )
    refused(
        "analyze",
        results,
        "--control",
        "GATA",
        said="control 'GATA' is not an arm; did you mean 'GATA1'",
    )
    refused("analyze", tmp_path / "no", said="is not a folder")
    trial.write_text(QUICK.replace("rope = [-0.1, 0.1]", ""))
    call("run", trial, "--out", tmp_path / "plain")
    refused(
        "analyze", tmp_path / "plain", said="a verdict compares an effect with a region"
    )
    assert not (tmp_path / "plain" / "estimates.nc").exists()


def test_help_names_every_way():
    words = call("analyze", "--help").stdout
    for name in (*ERRORS, "placebo"):
        assert name in words


@pytest.mark.rotating(6)
@pytest.mark.once
def test_an_analysis_changed_after_the_outcomes_is_said(results):
    path = results / "trial.toml"
    path.write_text(
        path.read_text().replace('control = "placebo"', 'control = "untreated"')
    )
    found = call("estimate", results)
    said = (
        "warning: the analysis differs from the one kept with the outcomes in control: "
        "its results are exploratory"
    )
    assert found.stderr.startswith(said)
    assert (
        store.load(results / "estimates.nc", "estimates").attrs["exploratory"]
        == "control"
    )
    assert found.stderr.count("\n") == 1
    path.unlink()
    assert call("estimate", results).stderr == ""
    assert (
        store.load(results / "estimates.nc", "estimates").attrs["control"] == "placebo"
    )


@pytest.mark.rotating
@pytest.mark.once
def test_interactions_and_contrasts_go_through(trial, tmp_path):
    arms = "".join(
        f'[arms."{a}{b}"]\n'
        f"steps = [{', '.join(s for s in steps if s)}]\n"
        f"levels = {{ A = {a}, B = {b} }}\n"
        for a in (0, 1)
        for b in (0, 1)
        for steps in [
            ['{ embed = "AGATAAG", at = 5 }' * a, '{ embed = "CAGCTG", at = 30 }' * b]
        ]
    )
    text = re.sub(r"(?s)\[arms\.untreated\].*", "", QUICK)
    trial.write_text(text + arms + '[analysis]\ninteraction = ["A", "B"]\n')
    call("run", trial, "--out", tmp_path / "a")
    assert "A:B" in call("estimate", tmp_path / "a").stdout
    trial.write_text(
        text + arms + '[analysis.contrasts]\nsimple = { "10" = 1, "00" = -1 }\n'
    )
    call("run", trial, "--out", tmp_path / "b")
    assert "simple" in call("estimate", tmp_path / "b").stdout
    trial.write_text(text + arms)
    call("run", trial, "--out", tmp_path / "c")
    refused(
        "estimate", tmp_path / "c", said=["which arm is the control?", "--control NAME"]
    )
    assert "11" in call("estimate", tmp_path / "c", "--control", "00").stdout


@pytest.mark.rotating(6)
@pytest.mark.once
def test_show_before_and_after_estimates(results):
    before = call("show", results).stdout
    arm = "GATA1      do(x[20:27] = AGATAAG)"
    for said in (
        "uniform random sequences of 60 bp",
        arm,
        "zoo: gata1_like",
        "rope=[-0.1, 0.1]",
    ):
        assert said in before
    assert "No estimates yet. Next: causalgia analyze" in before
    call("estimate", results)
    after = call("show", results).stdout
    assert "95 % interval" in after
    assert "No estimates yet" not in after
    assert "placebo A" in call("show", results, "--all").stdout


def test_the_users_own_file_is_named_before_it_is_imported(trial, tmp_path):
    (tmp_path / "my_net.py").write_text(
        "import sys\nprint('imported', file=sys.stderr)\n" + NET
    )
    trial.write_text(
        QUICK.replace(
            'zoo = "gata1_like"', 'factory = "my_net.py:load"\nscale = "share"'
        )
    )
    found = call("run", trial, "--out", tmp_path / "results", "--device", "cpu")
    assert str(tmp_path / "my_net.py") in found.stderr.split("imported")[0]
    assert (
        store.load(tmp_path / "results" / "outcomes.nc", "outcomes").attrs["scale"]
        == "share"
    )
    assert "tasks gc, a." in found.stdout


@pytest.mark.rotating(6)
def test_warnings_are_lines(trial, tmp_path):
    trial.write_text(
        QUICK.replace("n_units = 300", "n_units = 1").replace(
            'control = "placebo"', 'control = "untreated"'
        )
    )
    assert "trial: 1 unit, " in call("run", trial, "--out", tmp_path / "one").stdout
    found = call("estimate", tmp_path / "one", "--sentences")
    assert found.stderr.startswith("warning: one unit: ")
    assert found.stderr.count("\n") == 1
    assert "without a standard error" in found.stdout
    assert "without a standard error" not in call("estimate", tmp_path / "one").stdout


@pytest.mark.rotating(6)
def test_every_mistake_is_one_line(trial, results, tmp_path):
    refused(
        "shw", said="No such command 'shw'; did you mean 'show'? See `causalgia --help`"
    )
    refused("zzz", said="No such command 'zzz'; see `causalgia --help`")
    refused(
        "demo",
        "--seed",
        "3",
        said="No such option: --seed; did you mean --rng? See `causalgia demo --help`",
    )
    refused(
        "analyze",
        results,
        "--ci_prb",
        "0.9",
        said="No such option: --ci_prb; did you mean --ci-prob? See",
    )
    refused(
        "--versio",
        said="No such option: --versio; did you mean --version? See `causalgia --help`",
    )
    refused(
        "estimate", said=["Missing argument 'DIR'", "see `causalgia estimate --help`"]
    )
    refused("run", trial, said="--out")
    refused("run", trial, "--out", tmp_path / "x", "--fast", said="No such option")
    refused("demo", "--n-units", "many", said="--n-units")
    refused("demo", "--n-units", "1", said="--n-units")
    refused(
        "run",
        tmp_path / "no.toml",
        "--out",
        tmp_path / "x",
        said=["no such file", "causalgia init"],
    )
    refused(
        "show",
        tmp_path / "nowhere",
        said=["is not a folder", "causalgia run trial.toml --out"],
    )
    refused("show", tmp_path, said="holds no outcomes.nc")
    refused(
        "estimate",
        results,
        "--control",
        "GATA",
        said="control 'GATA' is not an arm; did you mean 'GATA1'",
    )
    refused(
        "estimate",
        results,
        "--ci-prob",
        "2",
        said="--ci-prob 2 is not a number from 0.5",
    )
    refused(
        "estimate",
        results,
        "--target",
        "people",
        said="--target people must be one of",
    )
    refused("estimate", results, "--cluster", "nobody", said="no coordinate 'nobody'")
    refused("init", trial / "deeper" / "t.toml", said="cannot be made a folder")
    trial.write_text(QUICK.replace("gata1_like", "gata2_like"))
    refused(
        "run",
        trial,
        "--out",
        tmp_path / "x",
        said=[
            "zoo has no oracle 'gata2_like'; did you mean 'gata1_like'",
            f"{trial}: [predictor]: ",
        ],
    )
    trial.write_text(QUICK.replace("n_units = 300", "n_units = x"))
    refused(
        "run", trial, "--out", tmp_path / "x", said=["line 2, column", "not valid TOML"]
    )
    assert not (tmp_path / "x").exists()
    (results / "outcomes.nc").write_bytes(b"rubbish")
    refused(
        "show",
        results,
        said=["outcomes.nc: no netCDF file: it is text", "make it anew"],
    )


def test_messages_name_options_and_commands_not_arguments_and_functions(
    trial, results, tmp_path
):
    (tmp_path / "empty" / "trial.zarr").mkdir(parents=True)
    refused(
        "show",
        tmp_path / "empty",
        said="no trial is stored there; causalgia run --store makes one",
    )
    refused(
        "mpra",
        "cheapest",
        said="give a goal (--half-width or --effect) or a limit (--budget or --oligos)",
    )
    text = QUICK + (
        "[arms.mutant]\n"
        'embed = "AGCGAAG"\n'
        "at = 20\n"
        "[mpra]\n"
        "oligo_length = 90\n"
        'adapters = "lentimpra"\n'
    )
    trial.write_text(text.replace("n_units = 300", "n_units = 20"))
    made = call("mpra", "design", trial, "--out", tmp_path / "library").stdout
    assert "active in your cells, positives in [mpra]" in made
    assert "(causalgia.mpra.split_duplicates, in Python, of the counts)" in made
    call("run", trial, "--out", tmp_path / "mutant")
    shown = call("estimate", tmp_path / "mutant", "--notes").stdout
    assert "Note: " in shown
    assert "cg." not in made + shown


def test_folders_and_broken_links_are_not_written_through(trial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ((), ("--force",)):
        refused(
            "init",
            ".",
            *more,
            said=". is a folder; give the name of a file, such as trial.toml",
        )
    (tmp_path / "target").mkdir()
    (tmp_path / "broken.toml").symlink_to(tmp_path / "target" / "t.toml")
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    for more in (
        ("init", "broken.toml"),
        ("init", "broken.toml", "--force"),
        ("run", "broken.toml", "--out", "x"),
    ):
        refused(
            *more,
            said=["broken.toml is a link to ", "t.toml, which is not there; remove it"],
        )
    assert not list((tmp_path / "target").iterdir())
    refused("run", trial, "--out", "out", said="out is a link to ")


def test_a_pipe_is_not_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    # without one, a writer waits for ever
    reader = os.open(tmp_path / "pipe.png", os.O_RDONLY | os.O_NONBLOCK)
    refused(
        "init",
        "--force",
        tmp_path / "pipe.png",
        said="pipe.png: is a pipe or a device, not a file",
    )
    ace = xr.Dataset(
        {"ace": (("contrast", "task"), [[1.5]])},
        coords={"contrast": ["GATA1"], "task": ["K562"]},
    )
    with pytest.raises(OutcomesError, match="is a pipe or a device"):
        save_figure(cg.plot.forest(ace), tmp_path / "pipe.png")
    os.close(reader)


def test_a_refused_run_leaves_no_folder(trial, tmp_path):
    refused(
        "run", trial, "--out", tmp_path / "a" / "b", "--workers", "0", said="0 workers"
    )
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    refused(
        "run", trial, "--out", tmp_path / "mine", "--workers", "0", said="0 workers"
    )
    assert (tmp_path / "mine").exists()


def test_a_run_refused_by_a_cluster_leaves_no_folder(trial, tmp_path):
    pytest.importorskip("distributed")
    refused("run", trial, "--out", tmp_path / "a", "--dask", "nowhere", said="nowhere")
    assert not (tmp_path / "a").exists()


def test_wrong_values_are_plain_words(trial, results):
    wrong = [
        ("run", trial, "--out", "x", "--keep", "all"),
        ("analyze", results, "--rng", "x"),
    ]
    said = ["'all' is not one of", "give a whole number"]
    wrong += [("demo", "--n-units", "1"), ("mpra", "power", "--alpha", "x")]
    said += ["give 2 or more", "give a number"]
    for command, words in zip(wrong, said, strict=True):
        found = call(*command, code=2).stderr
        assert words in found
        assert "Input should" not in found
        assert "Value error" not in found


def test_what_the_list_of_experiments_names_is_described():
    for name in ("null_models", "junctions"):
        assert f"causalgia.experiments.{name}" in call("experiments", name).stdout
    described = call("experiments", "spacing").stdout
    assert "None" not in described
    assert described.count("The second site") == described.count("The first site") == 1


def test_a_broken_network_file_is_one_line(trial, tmp_path):
    (tmp_path / "my_net.py").write_text("def load():\n    return 1 / 0\n")
    trial.write_text(QUICK.replace('zoo = "gata1_like"', 'factory = "my_net.py:load"'))
    found = call("run", trial, "--out", tmp_path / "x", code=2)
    assert "ZeroDivisionError" in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stderr.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "x").exists()


def test_an_interrupt_ends_with_130(monkeypatch, results):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "load", interrupted)
    found = call("show", results, code=130)
    assert found.stderr == "error: interrupted\n"


def test_a_fault_of_ours_is_not_hidden(monkeypatch, results):
    def faulty(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(store, "load", faulty)
    with pytest.raises(ZeroDivisionError):
        call("show", results)


@pytest.mark.rotating
def test_the_program_itself_leaves_no_traceback(tmp_path):
    program = [sys.executable, "-m", "causalgia"]
    (tmp_path / "trial.toml").write_text("n_unit = 3")
    found = subprocess.run(
        [*program, "run", "trial.toml", "--out", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr == (
        "error: trial.toml: there is no key 'n_unit' at the top; did you mean "
        "'n_units'?\n"
    )
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    demo = [*program, "demo", "--n-units", "400"]
    found = subprocess.run(
        demo, cwd=tmp_path, env=ascii_only, capture_output=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.rotating
def test_a_reader_that_goes_away_stops_no_figure(results):
    for command in ("show", "estimate"):
        read, write = os.pipe()
        os.close(read)
        program = [sys.executable, "-m", "causalgia", command, str(results), "--all"]
        closed = subprocess.run(
            program, stdout=write, stderr=subprocess.PIPE, check=False
        )
        os.close(write)
        assert (closed.returncode, closed.stderr) == (0, b"")
    assert (results / "forest.png").is_file()


def test_help_is_light():
    code = (
        "import sys\n"
        "from causalgia.cli.commands import app\n"
        "heavy = {'numpy', 'xarray', 'numba', 'torch', 'matplotlib', 'scipy', "
        "'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_program_is_declared():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())[
        "project"
    ]
    assert project["scripts"]["causalgia"] == "causalgia.cli:main"


@pytest.mark.rotating(6)
def test_what_was_written_is_opened(trial, results, tmp_path):
    opened = cg.open(results)
    assert opened.contents == ("outcomes",)
    xr.testing.assert_identical(
        opened.outcomes, store.load(results / "outcomes.nc", "outcomes")
    )
    with pytest.raises(
        OutcomesError, match=r"holds no decisions\.nc; make it with: causalgia analyze"
    ):
        opened.decisions  # noqa: B018
    trial.write_text(MANY)
    call("run", trial, "--out", results, "--force")
    call("analyze", results, "--error", "posterior", "--keep-draws")
    opened = cg.open(str(results))
    assert opened.contents == ("outcomes", "estimates", "decisions", "posterior")
    assert repr(opened).endswith("outcomes, estimates, decisions, posterior")
    for table in (opened.estimates, opened.decisions):
        assert (
            len(table.to_dataframe()) == table.sizes["contrast"] * table.sizes["task"]
        )
    again = cg.decide(opened.posterior, rope=(-0.1, 0.1))
    decided = opened.decisions.sel(contrast=again["contrast"])
    assert (again["verdict"].values == decided["verdict"].values).all()


def test_a_stored_trial_is_opened_with_its_folder(trial, tmp_path):
    call("run", trial, "--out", tmp_path / "stored", "--store")
    opened = cg.open(tmp_path / "stored")
    assert opened.contents == ("outcomes",)
    kept = cg.open(tmp_path / "stored" / "trial.zarr")
    np.testing.assert_array_equal(opened.outcomes["outcome"], kept["outcome"])
    assert "name" in opened.outcomes.attrs
    assert "name" not in kept.attrs


def test_a_stored_trial_of_other_settings_is_named_and_kept(trial, tmp_path):
    call("run", trial, "--out", tmp_path / "stored", "--store")
    kept = (tmp_path / "stored" / "trial.toml").read_text()
    other = tmp_path / "other.toml"
    other.write_text(
        re.sub(r"^rng = \d+", "rng = 4711", trial.read_text(), flags=re.MULTILINE)
    )
    words = ("other settings (rng ", "there, 4711 now); choose another --out")
    refused("run", other, "--out", tmp_path / "stored", "--store", said=words)
    assert (tmp_path / "stored" / "trial.toml").read_text() == kept
    call("run", trial, "--out", tmp_path / "stored", "--store")
    call("run", other, "--out", tmp_path / "free", "--store")


@pytest.mark.parametrize(
    "damage", [b"\n= [[[\n", b"\xff\xfe"], ids=["no TOML", "no UTF-8"]
)
def test_a_damaged_file_beside_a_stored_trial_hides_neither_trial(
    trial, tmp_path, damage
):
    """It is written anew where the trial goes on, and stays where another trial is
    refused.
    """
    call("run", trial, "--out", tmp_path / "stored", "--store")
    file, whole = (
        tmp_path / "stored" / "trial.toml",
        (tmp_path / "stored" / "trial.toml").read_bytes(),
    )
    file.write_bytes(whole + damage)
    other = tmp_path / "other.toml"
    other.write_text(
        re.sub(r"^rng = \d+", "rng = 4711", trial.read_text(), flags=re.MULTILINE)
    )
    refused(
        "run",
        other,
        "--out",
        tmp_path / "stored",
        "--store",
        said=("holds another trial: the rng differs",),
    )
    assert file.read_bytes() == whole + damage
    call("run", trial, "--out", tmp_path / "stored", "--store")
    assert file.read_bytes() == whole


def test_a_file_of_results_is_opened_by_its_folder(results):
    with pytest.raises(
        StoreError,
        match=(
            r"outcomes.nc is a file, and a trial is opened by its folder: "
            r"cg.open\('.*results'\)"
        ),
    ):
        cg.open(results / "outcomes.nc")


def test_a_file_deep_in_a_store_is_opened_by_its_folder(tmp_path):
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"a": cg.Untreated(), "b": cg.Embed("GATA", at=9)},
        n_units=8,
    )
    cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0, store=tmp_path / "trial.zarr")
    with pytest.raises(
        StoreError,
        match=r"is a file, and a trial is opened by its folder: cg.open\('.*trial.zarr'\)",
    ):
        cg.open(tmp_path / "trial.zarr" / "outcome" / "zarr.json")


def test_a_file_of_no_trial_is_not_opened(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(
        StoreError,
        match=r"notes.txt is a file, and in no folder of a trial; open the folder that ",
    ):
        cg.open(tmp_path / "notes.txt")


def test_a_folder_of_nothing_is_not_opened(tmp_path):
    with pytest.raises(
        StoreError,
        match=(
            r"holds no trial on disk, nor any of outcomes\.nc.*causalgia run "
            r"trial\.toml"
        ),
    ):
        cg.open(tmp_path)
    with pytest.raises(StoreError, match="no trial is stored there"):
        cg.open(tmp_path / "nowhere")
    (tmp_path / "posterior.nc").write_text("no netCDF")
    with pytest.raises(
        OutcomesError, match=r"posterior\.nc: no netCDF file: it is text"
    ):
        cg.open(tmp_path).posterior  # noqa: B018

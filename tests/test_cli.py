"""The command line: six commands, one line for each error, no traceback."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import xarray as xr
from in_shell import invoke

import causalgia as cg
from causalgia import store
from causalgia.analysis import Analysis
from causalgia.cli.folder import only_writer, written_whole
from causalgia.errors import ExploratoryWarning, StoreError
from causalgia.protocol import lock_file
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
    found = invoke(*args)
    assert found.exit_code == code, found.output
    return found


def refused(*args, said=None):
    found = call(*args, code=2)
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1, found.stderr


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


@pytest.mark.simulation
def test_demo_writes_over_a_demo_alone(results, tmp_path):
    refused("demo", "--out", results)
    call("demo", "--out", tmp_path / "demo", "--n-units", 20)
    call("demo", "--out", tmp_path / "demo", "--n-units", 20, "--rng", 1)
    assert store.load(tmp_path / "demo" / "outcomes.nc", "outcomes").attrs["rng"] == "1"
    call("demo", "--out", results, "--n-units", 20, "--force")
    assert store.load(results / "outcomes.nc", "outcomes").attrs["name"] == "demo"


@pytest.mark.simulation
def test_the_file_that_was_read_is_kept(trial, tmp_path):
    text = "# mine\n" + QUICK
    trial.write_text(text)
    call("run", trial, "--out", tmp_path)
    assert call("analyze", tmp_path).stderr == ""
    call("run", trial, "--out", tmp_path, "--force")
    assert trial.read_text() == text


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
        refused(*wrong)
        assert [path.read_text() for path in folder.iterdir()] == ["mine"]
        call(*wrong, "--force")
        assert read_spec(folder / "trial.toml").name == (
            "demo" if command == "demo" else "trial"
        )


def test_what_run_wrote_says_so_and_is_written_over(trial, results):
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
    )
    refused("demo", "--out", results, "--force")
    found = call("analyze", results, code=2)
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["$1$", "\\\\frac{$x_1$", "日本 $"])
def test_names_are_written_as_they_are(trial, tmp_path, name):
    trial.write_text(QUICK.replace("[arms.GATA1]", f'[arms."{name}"]'))
    call("run", trial, "--out", tmp_path / "results")
    found = call("analyze", tmp_path / "results")
    assert found.stderr == ""
    assert name.replace("\\\\", "\\") in found.stdout
    assert (tmp_path / "results" / "forest.png").stat().st_size > 5_000


def test_a_device_is_one_that_the_predictor_runs_on(trial, tmp_path):
    asked = ["run", trial, "--out", tmp_path / "x"]
    refused(
        *asked,
        "--device",
        "nonsense",
    )
    refused(
        *asked,
        "--device",
        "cuda",
    )
    call(*asked, "--device", "cpu")


def test_a_machine_without_memory_or_space_is_one_line(monkeypatch, trial, results):
    wrongs = (
        MemoryError("Unable to allocate 7 TiB."),
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied", "a.nc"),
        FileNotFoundError(2, "No such file or directory", "a.tsv"),
    )
    for wrong in wrongs:

        def failing(*args, wrong=wrong, **kwargs):
            raise wrong

        monkeypatch.setattr(store, "load", failing)
        refused("show", results)


def test_what_init_writes_runs_and_is_estimated(tmp_path):
    path = tmp_path / "deep" / "trial.toml"
    call("init", path)
    text = path.read_text()
    path.write_text(text.replace("n_units = 1000", "n_units = 50"))
    call("run", path, "--out", tmp_path / "out")
    assert "GATA1" in call("analyze", tmp_path / "out").stdout
    refused("init", path)
    call("init", path, "--force")
    assert path.read_text() == text


def test_run_writes_what_python_computes(trial, tmp_path):
    call("run", trial, "--out", tmp_path / "results")
    spec = read_spec(trial)
    outcomes = store.load(tmp_path / "results" / "outcomes.nc", "outcomes")
    again = cg.run(spec.design, cg.zoo.oracle("gata1_like"), rng=3)
    assert outcomes.identical(
        again.assign_attrs(lock_file.machine_attrs() | spec.attrs)
    )
    assert outcomes.attrs["analysis"] == '{"control": "placebo", "rope": [-0.1, 0.1]}'
    assert read_spec(tmp_path / "results" / "trial.toml") == spec


def test_run_does_not_write_over_outcomes(trial, results):
    call("analyze", results)
    refused("run", trial, "--out", results)
    trial.write_text(QUICK.replace("rng = 3", "rng = 4"))
    call("run", trial, "--out", results, "--force")
    assert store.load(results / "outcomes.nc", "outcomes").attrs["rng"] == "4"
    for gone in ("estimates.nc", "decisions.nc", "forest.png"):
        assert not (results / gone).exists()


def test_estimate_gives_what_the_verbs_give(results):
    call("analyze", results)
    outcomes = store.load(results / "outcomes.nc", "outcomes")
    expected = cg.estimate(cg.contrast(outcomes, control="placebo"))
    written = store.load(results / "estimates.nc", "estimates")
    for name in expected.data_vars:
        np.testing.assert_array_equal(written[name], expected[name])
    assert (results / "forest.png").stat().st_size > 5_000
    call("analyze", results, "--notes")


@pytest.mark.simulation
def test_options_win_over_the_file(results):
    call(
        "analyze",
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
    assert "placebo AAGTAAG" not in call("analyze", results).stdout
    assert call("analyze", results, "--all").stdout.count("\nplacebo ") == 3


@pytest.mark.simulation
def test_results_of_other_outcomes_are_removed(trial, results):
    call("analyze", results)
    call("run", trial, "--out", results, "--force")
    for gone in ("estimates.nc", "decisions.nc", "forest.png", "effects.tsv"):
        assert not (results / gone).exists()


@pytest.mark.simulation
def test_a_page_that_is_there_is_always_of_the_results_beside_it(results):
    call("analyze", results)
    assert not (results / "report.html").exists()
    call("report", results)
    before = (results / "report.html").read_bytes()
    call("analyze", results)
    assert (results / "report.html").read_bytes() == before
    call("analyze", results, "--ci-prob", "0.8")
    other = (results / "report.html").read_bytes()
    assert other != before
    call("report", results)
    assert (results / "report.html").read_bytes() == other
    call("refute", results, "--check", "degenerate_draws")
    checked = (results / "report.html").read_bytes()
    assert checked != other
    call("report", results)
    assert (results / "report.html").read_bytes() == checked


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("causalgia.store.save", KeyboardInterrupt()),
        ("causalgia.tell.figures.style.save_figure", OSError(28, "no space left")),
        ("causalgia.cli.folder.effects_text", KeyboardInterrupt()),
        ("causalgia.tell.html_page.write_page", MemoryError()),
    ],
)
def test_an_analysis_that_does_not_end_leaves_the_folder_as_it_was(
    monkeypatch, results, place, wrong
):
    call("analyze", results)
    (results / "report.html").write_text("a page")
    before = contents(results)

    def fails(*args, **kwargs):
        raise wrong

    monkeypatch.setattr(place, fails)
    code = 130 if isinstance(wrong, KeyboardInterrupt) else 2
    call("analyze", results, "--ci-prob", "0.8", code=code)
    assert contents(results) == before


def test_files_are_moved_into_a_folder_whole(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "kept").write_text("kept")
    for wrong in (ZeroDivisionError, KeyboardInterrupt):
        with suppress(wrong), written_whole(tmp_path, ["old"]) as new:
            (new / "one").write_text("1")
            raise wrong
    assert set(contents(tmp_path)) == {"old", "kept"}
    with written_whole(tmp_path, ["old"]) as new:
        (new / "one").write_text("1")
    assert set(contents(tmp_path)) == {"one", "kept"}
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()


@pytest.mark.simulation
def test_what_a_deleted_trial_on_disk_left_is_removed(trial, tmp_path):
    out = tmp_path / "stored"
    call("run", trial, "--out", out, "--store")
    call("analyze", out)
    call("report", out)
    # complete already
    call("run", trial, "--out", out, "--store")
    shutil.rmtree(out / "trial.zarr")
    refused("run", trial, "--out", out, "--store")
    call("run", trial, "--out", out, "--store", "--force")
    for gone in ("estimates.nc", "decisions.nc", "report.html"):
        assert not (out / gone).exists()


@pytest.mark.simulation
def test_findings_of_an_experiment_go_with_its_answer(tmp_path):
    call("init", "--experiment", "flanks", tmp_path / "flanks.toml")
    out = tmp_path / "out"
    call("run", tmp_path / "flanks.toml", "--out", out)
    before = sorted(path.name for path in out.glob("finding_*.csv"))
    call("analyze", out, "--control", "untreated")
    assert before
    assert not list(out.glob("finding_*.csv"))


@pytest.mark.simulation
def test_tasks_share_strength(trial, tmp_path):
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


@pytest.mark.simulation
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


@pytest.mark.simulation
def test_analyze_gives_what_the_verb_gives(results):
    call("analyze", results, "--error", "each")
    outcomes = store.load(results / "outcomes.nc", "outcomes")
    ask = Analysis(control="placebo", rope=(-0.1, 0.1), error="each")
    with pytest.warns(ExploratoryWarning):
        expected = cg.analyze(outcomes, ask)
    written = verdicts(results)
    for name in expected.data_vars:
        np.testing.assert_array_equal(written[name], expected[name])
    assert written.attrs["analysis"] == ask.to_json()
    assert written.attrs["exploratory"] == "error"
    assert (results / "forest.png").stat().st_size > 5_000
    shown = call("show", results).stdout
    assert "increases" in shown


@pytest.mark.simulation
def test_analyze_as_the_file_says_is_not_exploratory(trial, tmp_path):
    trial.write_text(QUICK + 'error = "fwer"\n')
    call("run", trial, "--out", tmp_path / "out")
    found = call("analyze", tmp_path / "out")
    assert found.stderr == ""
    assert "exploratory" not in verdicts(tmp_path / "out").attrs


@pytest.mark.parametrize(
    ("said", "rope"),
    [
        (["--rope", "-0.2", "0.3"], "-0.2 to 0.3"),
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
    )
    refused(
        "analyze",
        results,
        "--rope",
        "small",
    )
    for given in ("K562=-1,1", "K562=-1,1;HepG2=wide"):
        refused("analyze", results, "--rope", given)
    refused(
        "analyze",
        results,
        "--ci-prob",
        "95",
    )
    refused(
        "analyze",
        results,
        "--control",
        "GATA",
    )
    refused("analyze", tmp_path / "no")
    trial.write_text(QUICK.replace("rope = [-0.1, 0.1]", ""))
    call("run", trial, "--out", tmp_path / "plain")
    call("analyze", tmp_path / "plain")
    assert (tmp_path / "plain" / "estimates.nc").exists()
    assert not (tmp_path / "plain" / "decisions.nc").exists()


@pytest.mark.simulation
def test_an_analysis_changed_after_the_outcomes_is_said(results):
    path = results / "trial.toml"
    path.write_text(
        path.read_text().replace('control = "placebo"', 'control = "untreated"')
    )
    found = call("analyze", results)
    assert (
        store.load(results / "estimates.nc", "estimates").attrs["exploratory"]
        == "control"
    )
    assert found.stderr.count("\n") == 1
    path.unlink()
    assert call("analyze", results).stderr == ""
    assert (
        store.load(results / "estimates.nc", "estimates").attrs["control"] == "placebo"
    )


@pytest.mark.simulation
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
    assert "A:B" in call("analyze", tmp_path / "a").stdout
    trial.write_text(
        text + arms + '[analysis.contrasts]\nsimple = { "10" = 1, "00" = -1 }\n'
    )
    call("run", trial, "--out", tmp_path / "b")
    assert "simple" in call("analyze", tmp_path / "b").stdout
    trial.write_text(text + arms)
    call("run", trial, "--out", tmp_path / "c")
    refused("analyze", tmp_path / "c")
    assert "11" in call("analyze", tmp_path / "c", "--control", "00").stdout


def test_show_before_and_after_estimates(results):
    call("show", results)
    call("analyze", results)
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


@pytest.mark.simulation
def test_warnings_are_lines(trial, tmp_path):
    trial.write_text(
        QUICK.replace("n_units = 300", "n_units = 1").replace(
            'control = "placebo"\nrope = [-0.1, 0.1]', 'control = "untreated"'
        )
    )
    call("run", trial, "--out", tmp_path / "one")
    found = call("analyze", tmp_path / "one", "--sentences")
    assert found.stderr.count("\n") == 1
    call("analyze", tmp_path / "one")


def test_every_mistake_is_one_line(trial, results, tmp_path):
    refused("shw")
    refused("run", trial, "--out", tmp_path / "x", "--fast")
    refused("demo", "--n-units", "0")
    refused("demo", "--n-units", "20.5")
    refused(
        "run",
        tmp_path / "no.toml",
        "--out",
        tmp_path / "x",
    )
    refused(
        "show",
        tmp_path / "nowhere",
    )
    refused("show", tmp_path)
    refused("analyze", results, "--cluster", "nobody")
    trial.write_text(QUICK.replace("gata1_like", "gata2_like"))
    refused(
        "run",
        trial,
        "--out",
        tmp_path / "x",
    )
    trial.write_text(QUICK.replace("n_units = 300", "n_units = x"))
    refused("run", trial, "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (results / "outcomes.nc").write_bytes(b"rubbish")
    refused(
        "show",
        results,
    )


def test_a_refused_run_leaves_no_folder(trial, tmp_path):
    refused("run", trial, "--out", tmp_path / "a" / "b", "--workers", "0")
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    refused("run", trial, "--out", tmp_path / "mine", "--workers", "0")
    assert (tmp_path / "mine").exists()


def test_a_run_refused_by_a_cluster_leaves_no_folder(trial, tmp_path):
    pytest.importorskip("distributed")
    refused("run", trial, "--out", tmp_path / "a", "--dask", "nowhere")
    assert not (tmp_path / "a").exists()


def test_a_broken_network_file_is_one_line(trial, tmp_path):
    (tmp_path / "my_net.py").write_text("def load():\n    return 1 / 0\n")
    trial.write_text(QUICK.replace('zoo = "gata1_like"', 'factory = "my_net.py:load"'))
    found = call("run", trial, "--out", tmp_path / "x", code=2)
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


@pytest.mark.simulation
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
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    demo = [*program, "demo", "--n-units", "400"]
    found = subprocess.run(
        demo, cwd=tmp_path, env=ascii_only, capture_output=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.simulation
def test_a_reader_that_goes_away_stops_no_figure(results):
    for command in ("show", "analyze"):
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
        "from causalgia.cli import run\n"
        "run(['analyze', '--help'])\n"
        "heavy = {'numpy', 'xarray', 'numba', 'torch', 'matplotlib', 'scipy', "
        "'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_was_written_is_opened(trial, results, tmp_path):
    opened = cg.open(results)
    assert opened.contents == ("outcomes",)
    xr.testing.assert_identical(
        opened.outcomes, store.load(results / "outcomes.nc", "outcomes")
    )
    trial.write_text(MANY)
    call("run", trial, "--out", results, "--force")
    call("analyze", results)
    opened = cg.open(str(results))
    assert opened.contents == ("outcomes", "estimates", "decisions")
    for table in (opened.estimates, opened.decisions):
        assert (
            len(table.to_dataframe()) == table.sizes["contrast"] * table.sizes["task"]
        )


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
    refused("run", other, "--out", tmp_path / "stored", "--store")
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
    )
    assert file.read_bytes() == whole + damage
    call("run", trial, "--out", tmp_path / "stored", "--store")
    assert file.read_bytes() == whole


def test_a_folder_of_nothing_is_not_opened(tmp_path):
    with pytest.raises(
        StoreError,
    ):
        cg.open(tmp_path)
    with pytest.raises(StoreError):
        cg.open(tmp_path / "nowhere")


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_runs(tmp_path):
    with only_writer(tmp_path), pytest.raises(StoreError), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass
    assert not list(tmp_path.iterdir())

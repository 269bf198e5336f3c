"""What the shell gets: tables, one JSON document, silence, completion, and pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from test_cli import call, refused

import causalgia as cg
from causalgia.cli.output import records
from causalgia.cli.tables import EFFECT_COLUMNS, effects_frame


def table(path_or_text):
    """Return a table separated by tabs, from a file or from text."""
    text = path_or_text if isinstance(path_or_text, str) else path_or_text.read_text()
    return pd.read_csv(StringIO(text), sep="\t")


@pytest.fixture(scope="module")
def analyzed(once_run, tmp_path_factory):
    import shutil

    folder = tmp_path_factory.mktemp("analyzed") / "results"
    shutil.copytree(once_run, folder)
    call("analyze", folder)
    return folder


@pytest.mark.simulation
def test_analyze_writes_its_effects_and_its_answer_for_the_shell(analyzed):
    decisions = cg.open(analyzed).decisions
    found, tidy = table(analyzed / "effects.tsv"), cg.tidy(decisions)
    assert tuple(found) == EFFECT_COLUMNS
    assert found["term"].tolist() == tidy["term"].tolist()
    assert found["verdict"].tolist() == tidy["verdict"].tolist()
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "q", "n"):
        np.testing.assert_allclose(found[name], tidy[name], rtol=1e-12)


@pytest.mark.simulation
def test_every_column_of_tidy_on_request(results):
    call("analyze", results, "--all-columns")
    found, tidy = table(results / "effects.tsv"), cg.tidy(cg.open(results).decisions)
    assert tuple(found)[: len(EFFECT_COLUMNS)] == EFFECT_COLUMNS
    assert set(found) == {*tidy, *EFFECT_COLUMNS}


@pytest.fixture
def unbounded(trial, tmp_path):
    """A folder whose analysis has no region of practical equivalence."""
    trial.write_text(trial.read_text().replace("rope = [-0.1, 0.1]\n", ""))
    call("run", trial, "--out", tmp_path / "unbounded")
    return tmp_path / "unbounded"


@pytest.mark.simulation
def test_an_analysis_without_a_region_takes_the_place_of_one_with(unbounded):
    call("analyze", unbounded)
    assert table(unbounded / "effects.tsv")["verdict"].isna().all()
    assert cg.open(unbounded).contents == ("outcomes", "estimates")
    call("analyze", unbounded, "--rope", "0")
    assert table(unbounded / "effects.tsv")["verdict"].notna().all()
    call("analyze", unbounded)
    assert cg.open(unbounded).contents == ("outcomes", "estimates")


@pytest.mark.simulation
def test_an_answer_of_an_experiment_is_written_for_the_shell(tmp_path):
    call("init", "--experiment", "flanks", tmp_path / "flanks.toml")
    call("run", tmp_path / "flanks.toml", "--out", tmp_path / "out")
    found = table(tmp_path / "out" / "effects.tsv")
    decisions = cg.open(tmp_path / "out").decisions
    assert len(found) == decisions["ace"].size
    text = (tmp_path / "out" / "answer.txt").read_text()
    assert text


def test_curves_and_several_networks_keep_what_a_row_is_of():
    estimates = cg.from_effects([1.0, 2.0], se=0.1, names=["a", "b"])
    both = estimates.expand_dims(model=["x", "y"], axis=-1)
    assert list(effects_frame(both))[:4] == ["term", "task", "model", "estimate"]


@pytest.mark.simulation
def test_show_prints_the_table_alone(analyzed):
    text = call("show", analyzed, "--tsv").stdout
    assert text == (analyzed / "effects.tsv").read_text()
    one = table(call("show", analyzed, "--tsv", "--task", "K562").stdout)
    assert set(one["task"]) == {"K562"}
    wide = table(call("show", analyzed, "--tsv", "--all-columns", "-q").stdout)
    assert {"statistic", "df"} <= set(wide)


@pytest.mark.simulation
def test_show_of_estimates_and_of_neither(unbounded):
    results = unbounded
    refused("show", results, "--tsv")
    refused("show", results, "--all-columns")
    call("analyze", results)
    assert table(call("show", results, "--tsv").stdout)["verdict"].isna().all()
    refused("show", results, "--tsv", "--json")
    refused("show", results, "--tsv", "--task", "K563")


def document(*args, code=0):
    """Return the one document that a command prints."""
    found = call(*args, "--json", code=code).stdout
    assert found.count("\n") == 1
    return json.loads(found)


@pytest.mark.simulation
def test_json_has_the_text_the_numbers_and_the_files(results):
    said = call("analyze", results).stdout
    found = document("analyze", results)
    assert list(found) == ["command", "version", "text", "effects", "files"]
    assert found["command"] == "causalgia analyze"
    assert found["version"] == cg.__version__
    assert found["text"].split() == said.split()
    assert found["files"] == [
        str(results / name)
        for name in (
            *("estimates.nc", "decisions.nc", "forest.png"),
            *("answer.txt", "effects.tsv"),
        )
    ]
    tidy = cg.tidy(cg.open(results).decisions)
    assert [row["verdict"] for row in found["effects"]] == tidy["verdict"].tolist()
    assert [row["estimate"] for row in found["effects"]] == tidy["estimate"].tolist()
    assert found["effects"] == document("show", results)["effects"]


def test_json_of_the_commands_that_check(results, trial):
    checks = document("refute", results, "--check", "degenerate draws")["checks"]
    assert [row["check"] for row in checks] == ["degenerate draws"]
    assert checks[0]["status"] == "pass"
    assert document("check", trial)["ok"] is True
    assert document("reproduce", results)["ok"] is True


def test_json_of_the_bench():
    power = document(
        *("mpra", "power", "--true-effect", "0.5,1", "--n-barcodes", "10"),
        *(
            "--n-replicates",
            "3",
            "--sd-barcode",
            "1",
            "--sd-replicate",
            "0",
            "--tau",
            "0",
        ),
    )
    assert power["command"] == "causalgia mpra power"
    assert [row["true_effect"] for row in power["power"]] == [0.5, 1.0]
    assert all(0 < row["power"] < 1 for row in power["power"])


def test_a_mistake_is_one_line_with_json_as_well(results):
    refused("analyze", results, "--json", "--control", "zzz")


@pytest.mark.simulation
def test_a_quiet_command_prints_nothing_and_writes_the_same(results):
    said = call("analyze", results, "-q")
    assert (said.stdout, said.stderr) == ("", "")
    quiet = (results / "effects.tsv").read_bytes()
    call("analyze", results)
    assert (results / "effects.tsv").read_bytes() == quiet
    assert call("analyze", results).stdout  # the next one speaks again
    refused("analyze", results, "-q", "--control", "zzz")


def test_numbers_that_json_lacks():
    frame = pd.DataFrame(
        {"a": [np.nan, np.inf, -np.inf, 0.1], "b": [True, None, "x", np.int64(3)]},
        index=pd.Index([1, 2, 3, 4], name="row"),
    )
    found = records(frame)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [row["a"] for row in found] == [None, "Infinity", "-Infinity", 0.1]
    assert [row["b"] for row in found] == [True, None, "x", 3]
    assert found[0]["row"] == 1


NAME = "a long name of a task that no line may be broken in " * 6


def test_no_line_is_broken_in_a_pipe(capsys):
    from causalgia.cli.tables import print_answers

    estimates = cg.from_effects([1.0, 2.0], se=0.1, names=[NAME.strip(), "b"])
    print_answers(estimates)
    said = capsys.readouterr().out
    assert any(line.startswith(NAME.strip()) for line in said.splitlines())


@pytest.mark.parametrize(
    ("command", "code"),
    [("{0} show {1} --all | head -n 1", 0)],
)
def test_a_reader_that_goes_away_changes_no_exit_code(analyzed, command, code):
    """The code is that of the command's work: a closed pipe is no error."""
    program = f"{sys.executable} -m causalgia"
    script = command.format(program, analyzed, analyzed / "none")
    found = subprocess.run(
        ["bash", "-c", f"{script}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (code, b"")

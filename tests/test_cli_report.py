# Imports from the inside: simulated counts, whose fit is reported.
"""`causalgia report`: a folder of a trial, an experiment or the bench as a page, or as
text for a paper.
"""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_cli import QUICK, call, refused
from test_report_page import Page, checks

import causalgia as cg
from causalgia import store
from causalgia.mpra.counts._noise_model import simulated

EXPERIMENT = """
n_units = 40
rng = 0
[experiment]
kind = "hairpin"
motif = "GCUGG"
[null]
kind = "uniform"
length = 41
[predictor]
zoo = "vts1_like"
[analysis]
rope = [-0.1, 0.1]
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    where = tmp_path_factory.mktemp("trial")
    (where / "trial.toml").write_text(QUICK)
    call("run", where / "trial.toml", "--out", where / "out")
    return where / "out"


@pytest.fixture
def folder(trial, tmp_path):
    return shutil.copytree(trial, tmp_path / "out")


def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.mark.simulation
def test_a_trial_has_a_page_before_and_after_its_analysis(folder):
    call("report", folder)
    assert "44 arms" not in call("report", folder, "--as", "md").stdout
    call("analyze", folder)
    store.write_netcdf(folder / "refutation.nc", checks().to_netcdf)
    call("report", folder, "--as", "page")
    # of two tasks: one forest; folded, boxes and rainclouds of each
    assert page(folder).figures_seen == 1
    assert len(page(folder).all("figure")) == 5


@pytest.mark.simulation
def test_text_for_a_paper_is_printed_or_written(folder, tmp_path):
    call("analyze", folder)
    decisions = cg.open(folder).decisions
    printed = call("report", folder, "--as", "md").stdout
    assert cg.report(decisions, as_="md").splitlines()[2] in printed
    call(
        "report",
        folder,
        "--as",
        "latex",
        "--out",
        tmp_path / "table.tex",
        "--task",
        "K562",
    )
    text = (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular}" in text
    assert "HepG2" not in text.split(r"\end{table}")[0].split(r"\begin{tabular}")[1]


@pytest.mark.simulation
def test_the_checklist_is_filled_in_from_the_folder(folder, tmp_path):
    call("analyze", folder)
    printed = call("report", folder, "--as", "methods").stdout
    call("report", folder, "--as", "methods", "--out", tmp_path / "checklist.md")
    assert (tmp_path / "checklist.md").read_text(encoding="utf-8").rstrip(
        "\n"
    ) == printed.rstrip("\n")


def experiment_in(folder, text=EXPERIMENT):
    folder.mkdir(exist_ok=True)
    (folder / "trial.toml").write_text(text)
    call("run", folder / "trial.toml", "--out", folder / "out")
    call("analyze", folder / "out")
    return folder / "out"


@pytest.mark.simulation
def test_a_fit_and_a_comparison_have_pages(tmp_path):
    fitted, compared = tmp_path / "fitted", tmp_path / "compared"
    fitted.mkdir(), compared.mkdir()
    store.save(cg.mpra.fit(simulated(), control="control"), fitted / "fit.nc")
    call("report", fitted)
    assert "GATA1" in page(fitted).text()
    true = np.linspace(-1, 1, 40)
    pd.DataFrame({"element": np.arange(40), "effect": true}).to_csv(
        tmp_path / "v.csv", index=False
    )
    measured = true + np.random.default_rng(1).normal(0, 0.5, 40)
    pd.DataFrame({"element": np.arange(40), "effect": measured, "se": 0.5}).to_csv(
        tmp_path / "m.csv", index=False
    )
    call("mpra", "compare", tmp_path / "v.csv", tmp_path / "m.csv", "--out", compared)
    assert "noise_ceiling" in xr.load_dataset(compared / "concordance.nc")
    call("report", compared)
    assert page(compared).all("svg", role="img")
    call("report", compared, "--as", "md")
    call("report", compared, "--as", "latex")
    refused("report", compared, "--as", "methods")
    for bench in (fitted, compared):
        refused(
            "report",
            bench,
            "--task",
            "K562",
        )
    call("report", fitted, "--as", "methods")


def test_what_cannot_be_reported_is_said(folder, tmp_path):
    refused("report", tmp_path / "no")
    refused("report", tmp_path)
    refused("report", folder, "--as", "pdf")
    refused("report", folder, "--out", tmp_path / "page.pdf")
    refused("report", folder, "--out", tmp_path / "no" / "a.html")


@pytest.mark.simulation
def test_a_task_is_reported_alone_before_and_after_the_analysis(folder):
    for analysis in ((), ("analyze",)):
        if analysis:
            call(*analysis, folder)
        refused("report", folder, "--task", "HeLa")
        call("report", folder, "--task", "K562")
        alts = [
            alt
            for name, found in page(folder).tags
            if name == "svg"
            for alt in [found.get("aria-label")]
            if alt
        ]
        assert alts
        assert not any("HepG2" in alt for alt in alts)
        assert "HepG2" not in page(folder).text()
        refused("report", folder, "--as", "methods", "--task", "HeLa")
        refused("show", folder, "--task", "HeLa")
        assert "HepG2" in call("show", folder).stdout
        assert "HepG2" not in call("show", folder, "--task", "K562").stdout
    both, one = (
        call("report", folder, "--as", "methods", *task).stdout
        for task in ((), ("--task", "K562"))
    )
    assert "| 4 effects with interval" in both
    assert "| 2 effects with interval" in one


@pytest.mark.simulation
def test_an_answer_on_one_task_has_its_sentences_alone(tmp_path):
    two = (
        EXPERIMENT.replace("hairpin", "copies")
        .replace("rope", "# rope")
        .replace("vts1_like", "gata1_like")
    )
    folder = experiment_in(
        tmp_path, two.replace('"copies"', '"copies"\nmotif = "AGATAAG"')
    )
    call("show", folder)
    call("show", folder, "--task", "K562")
    call("report", folder, "--task", "K562")
    text = page(folder).before_folds()
    assert "HepG2" not in text
    assert not page(folder).all("img")
    call("report", folder)
    assert len(page(folder).all("img")) == 2


@pytest.mark.simulation
def test_results_of_another_trial_in_a_folder_are_neither_shown_nor_reported(tmp_path):
    """Verdicts of another seed, copied beside these outcomes, were shown and reported
    as theirs.
    """
    places = [tmp_path / "one", tmp_path / "other"]
    for place, seed in zip(places, (3, 4), strict=True):
        place.mkdir()
        (place / "trial.toml").write_text(QUICK.replace("rng = 3", f"rng = {seed}"))
        call("run", place / "trial.toml", "--out", place / "results")
        call("analyze", place / "results")
    one, other = (place / "results" for place in places)
    whole = (one / "decisions.nc").read_bytes()
    for name in ("decisions.nc", "estimates.nc"):
        (one / name).write_bytes((other / name).read_bytes())
        refused("show", one)
        for how in ("md", "latex", "methods", "page"):
            refused("report", one, "--as", how)
        (one / "decisions.nc").unlink(missing_ok=True)
    (one / "decisions.nc").write_bytes(whole[: len(whole) // 3])
    # before anything is printed
    refused("show", one)


@pytest.mark.simulation
def test_checks_and_pages_of_a_trial_do_not_outlive_it(tmp_path):
    """After a run of another seed with --force the page reported the checks of the
    former trial as this one's.
    """
    spec, folder = tmp_path / "trial.toml", tmp_path / "results"
    spec.write_text(QUICK)
    call("run", spec, "--out", folder)
    call("analyze", folder)
    call("refute", folder, "--check", "identical_arms")
    call("report", folder)
    checks_of_first = (folder / "refutation.nc").read_bytes()
    spec.write_text(QUICK.replace("rng = 3", "rng = 4"))
    refused("run", spec, "--out", folder)
    call("run", spec, "--out", folder, "--force")
    left = {path.name for path in folder.iterdir()}
    assert left == {"outcomes.nc", "trial.toml"}
    call("analyze", folder)
    (folder / "refutation.nc").write_bytes(checks_of_first)
    refused(
        "report",
        folder,
    )

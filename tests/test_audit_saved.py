"""The folder of an audit: what is read back is what was saved, the page has it all, and
the libraries ask the claims again.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from test_audit import AP1, NAMES, TEAD, _network, _sequences

import causalgia as cg
from causalgia._audit.folder import is_audit
from causalgia._audit.read_back import read_audit, read_claims
from causalgia.errors import DataError
from causalgia.sequences.fasta import Sequences


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    pytest.importorskip("memelite")
    named = {
        f"chr1:{1_000 * k}-{1_000 * k + 120}({'+-'[k % 2]})": x
        for k, x in enumerate(_sequences())
    }
    found = cg.audit(_network(), named, motifs=NAMES, progress=False, rng=0)
    folder = tmp_path_factory.mktemp("audit") / "found"
    files = found.save(folder, inputs={"network": "net.toml"})
    return found, folder, files


def test_what_was_saved_is_read(saved) -> None:
    found, folder, _ = saved
    again = read_audit(folder)
    for name in ("explained", "motifs", "rules", "pairs", "network", "composition"):
        pd.testing.assert_frame_equal(
            getattr(again, name), getattr(found, name), check_dtype=False
        )
    assert str(again) == str(found)
    assert again.plan == found.plan
    assert (again.counts, again.settings) == (found.counts, found.settings)
    for one, other in zip(again.candidates, found.candidates, strict=True):
        assert one.motif.probabilities == other.motif.probabilities
        assert one.threshold == other.threshold


def test_sites_stand_in_the_genome_where_names_say_it(saved) -> None:
    found, folder, _ = saved
    table = pd.read_csv(folder / "sites.bed", sep="\t")
    row = table[table["sequence"].str.endswith("(-)")].iloc[0]
    start = int(re.search(r":(\d+)-", row["sequence"])[1])
    assert row["#place"] == "chr1"
    assert row["start"] == start + 120 - row["start in it"] - 7
    assert row["strand"] == {"+": "-", "-": "+"}[row["strand in it"]]
    assert set(table["motif"]) == {AP1, TEAD}
    beyond = found.motifs.groupby("task")["region"].min()
    largest = table[["lost, muscle", "lost, liver"]].abs()
    assert (largest / [beyond["muscle"], beyond["liver"]] > 1).any(axis=1).all()


def test_the_matrices_are_motifs(saved) -> None:
    motifs = cg.sequences.read_motifs(saved[1] / "motifs.meme")
    assert [one.consensus for one in motifs.values()] == list(motifs)


def test_a_library_asks_its_claim(saved) -> None:
    found, folder, _ = saved
    claims = read_claims(folder)
    rule = claims[claims["claim"].str.startswith(f"{AP1}+ then {TEAD}+")].iloc[0]
    for row in (claims.iloc[0], rule):
        library = cg.mpra.read_library(folder / "library" / row["folder"])
        assert library.sizes["row"] == row["oligos"]
        outcomes = cg.mpra.virtual_trial(library, _network())
        effects = cg.estimate(cg.contrast(outcomes)).sel(task=row["task"])
        own, region = effects.isel(contrast=0), found.motifs["region"].max()
        assert own["lower"] < row["upper"] + region
        assert row["lower"] - region < own["upper"]
        assert abs(own["ace"]) > region
    beside = effects.sel(contrast="just beside")
    assert abs(beside["ace"].item()) < 0.1


def test_the_page_stands_alone_and_says_what_the_answer_says(saved) -> None:
    found, folder, files = saved
    html = (folder / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "<script>" not in html
    for name in (
        "reads",
        "rules",
        "consistency",
        "faithfulness",
        "biology",
        "overturn",
    ):
        assert f'<section id="{name}">' in html
    assert (
        html.count("<svg") >= found.motifs.loc[found.motifs["reads"], "motif"].nunique()
    )
    assert (folder / "answer.txt").read_text() == f"{found}\n"
    assert {path.name for path in files} >= {
        "report.html",
        "protocol.toml",
        "sites.bed",
    }


@pytest.mark.browser
def test_the_page_fits_a_phone(saved) -> None:
    from chromium import Chromium

    with Chromium() as browser:
        browser.screen(390, 800)
        browser.open(saved[1] / "report.html")
        assert browser.value("document.documentElement.scrollWidth") <= 390
        assert not browser.errors + browser.console


def test_an_audit_is_told_in_every_shape(saved, tmp_path) -> None:
    found = saved[0]
    for shape in ("text", "md", "html", "latex"):
        assert AP1 in cg.report(found, as_=shape)
    assert AP1 in cg.report(found, rows="all").split("\n\n")[1]
    assert "causalgia" in cg.report(found, as_="methods").bibtex
    assert cg.report(found, path=tmp_path / "page.html").exists()


def test_a_folder_that_was_changed_or_is_none_is_refused(saved, tmp_path) -> None:
    found, folder, _ = saved
    assert is_audit(folder)
    assert not is_audit(tmp_path)
    with pytest.raises(DataError):
        read_audit(tmp_path)
    for name, was, now in (
        ("rules.tsv", "muscle", "heart"),
        ("sites.bed", "muscle", "heart"),
        ("motifs.meme", "nsites= ", "nsites= 1"),
    ):
        file = folder / name
        text = file.read_text()
        file.write_text(text.replace(was, now))
        with pytest.raises(DataError):
            read_audit(folder)
        file.write_text(text)
    with pytest.raises(DataError):
        read_audit(folder).save(tmp_path / "again")
    assert not (tmp_path / "again").exists()
    before = (folder / "answer.txt").read_bytes()
    found.save(folder)
    assert (folder / "answer.txt").read_bytes() == before


def test_sequences_too_long_for_an_oligo_are_said_to_be(saved, tmp_path) -> None:
    found = saved[0]
    long = Sequences(np.tile(found.reserved.tokens, (1, 4)), found.reserved.names)
    dataclasses.replace(found, reserved=long).save(tmp_path / "long")
    claims = read_claims(tmp_path / "long")
    assert (claims["folder"] == "").all()
    assert (claims["why_not"] != "").all()


def test_many_tasks_and_motifs_have_twelve_lines_and_say_what_is_left(saved) -> None:
    found = saved[0]
    copies = [
        found.motifs.assign(motif=f"{'ACGT'[k % 4] * (6 + k)}", task=f"task {j}")
        for k in range(8)
        for j in range(5)
    ]
    rules = pd.concat(
        [found.rules.assign(gap_from=k, gap_to=k + 1) for k in range(9)],
        ignore_index=True,
    )
    account, along, explained = (
        pd.concat(
            [of[of["task"] == "muscle"].assign(task=f"task {j}") for j in range(5)],
            ignore_index=True,
        )
        for of in (found.account, found.along, found.explained)
    )
    many = dataclasses.replace(
        found,
        motifs=pd.concat(copies, ignore_index=True).drop_duplicates(["motif", "task"]),
        rules=rules,
        account=account,
        along=along,
        explained=explained,
        sites=found.sites.assign(**{f"lost, task {j}": 0.0 for j in range(5)}),
        left_out=("the pair A and C", "the pair A and G"),
    )
    still = account["task"] == "task 0"
    columns = ["share", "lower", "upper", "bases"]
    of_still = account[still].head(1).assign(**dict.fromkeys(columns, np.nan))
    account = pd.concat([of_still, account[~still]], ignore_index=True)
    lines = str(dataclasses.replace(many, account=account)).splitlines()
    assert "nan" not in lines[0]
    lines = str(many).splitlines()
    assert len(lines) <= 12
    assert "more motifs" in lines[-1]
    assert "more rules" in lines[-1]
    assert "A and C" in lines[-1]


def test_a_rule_of_every_arrangement_at_some_gaps_is_told_and_saved(
    saved, tmp_path
) -> None:
    found = saved[0]
    first, second = found.rules[["first", "second"]].iloc[0]
    rules = found.rules.head(1).assign(
        strands="", arrangement=f"{first} and {second}", gap_from=4, gap_to=9
    )
    any_way = dataclasses.replace(found, rules=rules)
    any_way.save(tmp_path / "found")
    (line,) = (x for x in str(any_way).splitlines() if "4 to 9 bp apart" in x)
    assert line.startswith(first)
    assert f" and {second}" in line
    assert str(read_audit(tmp_path / "found")) == str(any_way)
    claims = read_claims(tmp_path / "found")
    assert (claims["folder"] != "").iloc[-1]

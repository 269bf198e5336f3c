"""`causalgia audit`: files in, the answer and a folder out; and what commands do with that
folder: refute, reproduce, lock, verify, show, report.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_cli import call

import causalgia as cg
from causalgia.sequences import decode, encode

# effects of an oracle do not vary, here and there
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")


def refused(*words):
    """Return the line of an error, which no answer precedes."""
    done = call(*words, code=2)
    assert not done.stdout
    errors = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in done.stderr
    return errors[0]


def letters(n=120, seed=1, length=60):
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, 4, (n, length)).astype(np.uint8)
    for row, word in zip(tokens, encode(["TGCATG", "AGAATG"] * (n // 2)), strict=True):
        at = generator.integers(0, length - 6)
        row[at : at + 6] = word
    return decode(tokens)


def fasta(rows):
    return "".join(f">peak_{k}\n{row}\n" for k, row in enumerate(rows))


def written(folder):
    """Write a network and sequences, and return the words of the command."""
    network, peaks = folder / "net.toml", folder / "peaks.fa"
    network.write_text('[predictor]\nzoo = "additive"\n')  # sites of four factors
    peaks.write_text(fasta(letters()))
    return ["audit", network, "--sequences", peaks]


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """The folder of an audit, the words of its command, and what it printed."""
    place = tmp_path_factory.mktemp("audit")
    words = written(place)
    done = call(*words, "--out", place / "found")
    return place / "found", words, done


@pytest.fixture
def copied(audited, tmp_path):
    """A copy of that folder."""
    shutil.copytree(audited[0], tmp_path / "found")
    return tmp_path / "found"


def tables(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tsv"))}


def test_the_answer_is_printed_and_lies_in_the_folder(audited):
    folder, _, done = audited
    answer = (folder / "answer.txt").read_text()
    assert done.stdout.startswith(answer)
    assert len(answer.splitlines()) <= 12
    motifs = pd.read_csv(folder / "motifs.tsv", sep="\t")
    assert set(motifs[motifs["reads"]]["motif"]) >= {"TGCATG", "AGAATG"}
    for name in ("report.html", "rules.tsv", "explained.tsv", "sites.bed", "library"):
        assert (folder / name).exists()
    assert "maps of 60 sequences" in done.stderr
    assert call("show", folder).stdout == answer
    assert f"{cg.open(folder)}\n" == answer


def test_the_same_command_goes_on_from_what_is_there(audited, copied):
    before = tables(copied)
    done = call(*audited[1], "--out", copied, "--quiet")
    assert not done.output
    assert tables(copied) == before


def test_a_library_is_predicted_and_its_claim_analyzed(audited, tmp_path):
    folder, words, _ = audited
    claims = pd.read_csv(folder / "library" / "claims.tsv", sep="\t")
    row = claims[claims["claim"] == "sequences lose TGCATG"].iloc[0]
    library, virtual = folder / "library" / row["folder"], tmp_path / "virtual"
    call("mpra", "predict", words[1], "--design", library, "--out", virtual)
    call("analyze", virtual)
    effects = pd.read_csv(virtual / "effects.tsv", sep="\t")
    assert effects["term"].tolist() == ["lost"]
    assert effects["estimate"].iloc[0] == pytest.approx(row["effect"], abs=0.2)


def test_other_settings_are_refused_by_their_name(audited, copied, tmp_path):
    words, before = audited[1], tables(copied)
    asked = (copied / "inputs" / "audit.toml").read_text()
    others = {
        "rng": ["--rng", 1],
        "motifs": ["--motifs", tmp_path / "m.meme"],
    }
    (tmp_path / "m.meme").write_text("x")
    for name, more in others.items():
        assert name in refused(*words, "--out", copied, *more)
    (tmp_path / "other.fa").write_text(fasta(letters(seed=2)))
    text = refused(*words[:-1], tmp_path / "other.fa", "--out", copied)
    assert "sequences" in text
    (tmp_path / "other.toml").write_text('[predictor]\nzoo = "rbfox1_like"\n')
    more = ["audit", tmp_path / "other.toml", *words[2:], "--out", copied]
    assert "predictor" in refused(*more)
    assert tables(copied) == before
    assert (copied / "inputs" / "audit.toml").read_text() == asked


def test_other_minutes_keep_the_plan(audited, copied):
    before = tables(copied)
    call(*audited[1], "--out", copied, "--minutes", 0.01)
    assert tables(copied) == before


def test_claims_are_asked_again_under_checks(copied, tmp_path):
    done = call("refute", copied)
    table = pd.read_csv(copied / "refutation.tsv", sep="\t").set_index("claim")
    assert {"TGCATG", "AGAATG"} <= set(table.index)
    assert (table.loc[["TGCATG", "AGAATG"], "pass"] > 3).all()
    assert not table.loc[["TGCATG", "AGAATG"], "fail"].any()
    assert "TGCATG" in done.stdout
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, file, was, now in (
        (one, "audit.toml", '"additive"', '"rbfox1_like"'),
        (other, "sequences.fa", ">peak_0", ">first"),
    ):
        shutil.copytree(copied, folder)
        place = folder / "inputs" / file
        place.write_text(place.read_text().replace(was, now))
        assert file in refused("refute", folder)
    assert "--motif" in refused("refute", copied, "--motif", "TGCATG")


def test_an_audit_is_reproduced_and_an_edited_number_is_not(copied):
    call("reproduce", copied)
    table = (copied / "motifs.tsv").read_text()
    (copied / "motifs.tsv").write_text(table.replace("TGCATG", "TGCATC", 1))
    assert "motifs.tsv" in refused("reproduce", copied)


def test_a_lock_names_what_another_audit_does_otherwise(audited, copied, tmp_path):
    lock = tmp_path / "lock.toml"
    call("lock", audited[0], "--out", lock)
    call("verify", copied, "--protocol", lock)
    assert "lock.toml" in refused("lock", audited[0], "--out", lock)
    (tmp_path / "other.fa").write_text(fasta(letters(seed=2)))
    words = [*audited[1][:-1], tmp_path / "other.fa", "--out", tmp_path / "other"]
    call(*words, "--minutes", 0.01)
    done = call("verify", tmp_path / "other", "--protocol", lock, code=1)
    assert "settings: sequences" in done.stdout
    text = lock.read_text()
    lock.write_text(text.replace("TGCATG alone", "TGCATC alone", 1))
    assert "TGCATC" in refused("verify", copied, "--protocol", lock)


def test_a_page_is_made_again(copied):
    before = (copied / "report.html").read_bytes()
    (copied / "report.html").unlink()
    call("report", copied)
    assert (copied / "report.html").read_bytes() == before
    answer = (copied / "answer.txt").read_text()
    assert call("report", copied, "--as", "text").stdout == answer


def test_ctrl_c_leaves_what_the_same_command_goes_on_from(audited, tmp_path):
    words = [*audited[1], "--out", tmp_path / "found"]
    running = subprocess.Popen(
        [sys.executable, "-m", "causalgia", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    stages = tmp_path / "found" / "stages"
    while not list(stages.glob("alone*")) and running.poll() is None:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    assert "the same command goes on" in running.communicate()[1]
    assert running.returncode == 130
    kept = sorted(path.name for path in stages.iterdir())
    assert not (tmp_path / "found" / "answer.txt").exists()
    assert "interrupted" in refused("show", tmp_path / "found")
    call(*words)
    assert set(kept) <= {path.name for path in stages.iterdir()}
    here, there = tables(tmp_path / "found"), tables(audited[0])
    for name in ("motifs.tsv", "rules.tsv", "explained.tsv"):
        assert here[name] == there[name]


def test_bad_input_is_one_line_before_anything_is_predicted(tmp_path):
    words, out = written(tmp_path), tmp_path / "out"
    refused("audit", tmp_path / "no.toml", *words[2:], "--out", out)
    refused(*words[:-1], tmp_path / "no.fa", "--out", out)
    (tmp_path / "net.py").write_text(
        "def load():\n    raise ValueError('no weights')\n"
    )
    (tmp_path / "bad.toml").write_text('[predictor]\nfactory = "net.py:load"\n')
    refused("audit", tmp_path / "bad.toml", *words[2:], "--out", out)
    (tmp_path / "peaks.fa").write_text(fasta([*letters()[:-1], "ACGT"]))
    refused(*words, "--out", out)
    (tmp_path / "peaks.fa").write_text(fasta([*letters()[:-1], "ACGTN" * 12]))
    refused(*words, "--out", out)
    (tmp_path / "peaks.fa").write_text(fasta(letters()[:40]))
    refused(*words, "--out", out)
    (tmp_path / "peaks.fa").write_text(fasta(letters()))
    refused(*words, "--minutes", 1e-9, "--out", out)
    assert not out.exists()


def test_what_is_skipped_is_listed(audited, tmp_path):
    (tmp_path / "peaks.fa").write_text(fasta(["ACGTN" * 12]))
    words = [*audited[1][:-1], tmp_path / "peaks.fa", "--skip", "N"]
    call(*words, "--out", tmp_path / "none", code=2)
    assert "peak_0" in (tmp_path / "none" / "skipped.tsv").read_text()


def test_a_folder_of_another_command_is_left_alone(tmp_path):
    words = written(tmp_path)
    for name in ("outcomes.nc", "answer.txt"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text("mine")
        assert name in refused(*words, "--out", folder)
        assert [path.name for path in folder.iterdir()] == [name]


def test_a_claim_that_fresh_units_do_not_make_fails(copied):
    from causalgia._audit.claims import claims, refuted
    from causalgia._audit.read_back import read_audit

    found = read_audit(copied)
    given = cg.sequences.read_sequences(copied / "inputs" / "sequences.fa")
    motifs = found.motifs.copy()
    of = motifs["motif"] == "TGCATG"
    for name in ("lost", "alone"):
        motifs.loc[of, name] *= -1
    motifs.loc[motifs["motif"] == "AGAATG", "confirmed_q"] = 0.2
    turned = replace(found, motifs=motifs)
    oracle = cg.zoo.oracle("additive")
    table = refuted(turned, given, oracle, rng=0).set_index("claim")
    assert table.loc["TGCATG", "fail"] == 1
    assert "AGAATG" not in table.index
    assert not any("AGAATG" in line for line in claims(turned))
    assert claims(turned)


def test_a_faster_machine_deviates_in_nothing(audited, tmp_path):
    from causalgia._audit.claims import deviations, lock
    from causalgia._audit.read_back import read_audit

    found = read_audit(audited[0])
    lock(found, tmp_path / "lock.toml")
    faster = replace(found.plan, n_predictions=2 * found.plan.n_predictions)
    explained = found.explained.assign(share=found.explained["share"] / 2)
    held = deviations(tmp_path / "lock.toml", replace(found, plan=faster))
    assert held.ok
    other = replace(found, plan=faster, explained=explained)
    assert not deviations(tmp_path / "lock.toml", other).ok

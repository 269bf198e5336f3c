# Imports from the inside: the discovery in Python, compared with its command.
"""`causalgia discover`: files in, the motifs that hold and those that do not out, and
every refusal with its cure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import call, refused
from test_report_page import Page, rows_of

from causalgia import _discover, run, store
from causalgia.attribution import _propose
from causalgia.cli.options import load_predictor_spec
from causalgia.sequences import decode, encode
from causalgia.trial_file import read_predictor_spec

# a site has the same effect in every unit
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


def letters(n=80, seed=1):
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, 4, (n, 41)).astype(np.uint8)
    for row, word in zip(tokens, encode(["TGCATG", "AGAATG"] * (n // 2)), strict=True):
        at = generator.integers(0, 36)
        row[at : at + 6] = word
    return decode(tokens)


@pytest.fixture
def given(tmp_path):
    """A file of a predictor and one of sequences."""
    network, peaks = tmp_path / "net.toml", tmp_path / "peaks.fa"
    network.write_text('[predictor]\nzoo = "additive"\n')  # sites of four factors
    peaks.write_text("".join(f">peak_{k}\n{row}\n" for k, row in enumerate(letters())))
    return network, peaks


@pytest.mark.simulation
def test_words_pairs_and_sites_are_written(given, tmp_path):
    network, peaks = given
    out = tmp_path / "motifs"
    call("discover", network, "--sequences", peaks, "--out", out, "--n-units", 100)
    table = pd.read_csv(out / "motifs.tsv", sep="\t")
    held = set(table[table["verdict"].isin(["increases", "decreases"])]["consensus"])
    assert {"TGCATG", "AGAATG"} <= held
    # those that do not hold are there, too
    assert len(set(table["consensus"])) > len(held)
    pairs = pd.read_csv(out / "pairs.tsv", sep="\t")
    assert len(pairs) > 0
    np.testing.assert_allclose(pairs["interaction"], 0.0, atol=1e-6)
    # "additive" takes more sequences where an interaction is the same in every unit
    assert set(pairs["reads"]) <= {"additive", "undecided"}
    sites = pd.read_csv(out / "sites.bed", sep="\t", header=None)
    rows = dict(zip([f"peak_{k}" for k in range(80)], letters(), strict=True))
    assert all(
        rows[row[0]][row[1] : row[2]] == row[3] for row in sites.itertuples(index=False)
    )
    assert store.load(out / "decisions.nc", "decisions").sizes["contrast"] > 100
    assert store.load(out / "proposals.nc", "proposals").sizes["pattern"] == len(
        set(table["consensus"])
    )
    families = pd.read_csv(out / "families.tsv", sep="\t")
    assert families["motif"].tolist()[0] == "TGCATG"
    assert families["n_motifs"].sum() == len(held)
    assert (out / "families.png").stat().st_size > 1_000
    call("report", out)
    html = (out / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert len(page.all("table")) == 1
    rows = rows_of(html)
    assert rows["columns"][0] == "motif"
    assert families["partners"].iloc[0] in page.text()
    assert [row[0] for row in rows["rows"]] == families["motif"].tolist()
    assert page.figures_seen == 1
    refused(
        "discover",
        network,
        "--sequences",
        peaks,
        "--out",
        out,
    )
    call(
        "discover",
        network,
        "--sequences",
        peaks,
        "--out",
        out,
        "--n-units",
        100,
        "--force",
    )


@pytest.mark.simulation
@pytest.mark.parametrize("stops_at", ["before the trial", "between trial and pairs"])
def test_a_run_that_was_stopped_goes_on(given, tmp_path, monkeypatch, stops_at):
    network, peaks = given
    options = (
        "discover",
        network,
        "--sequences",
        peaks,
        "--n-units",
        60,
        "--method",
        "seqlets",
        "--out",
    )
    call(*options, tmp_path / "whole")
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert names == {
        "motifs.tsv",
        "pairs.tsv",
        "sites.bed",
        "proposals.nc",
        "decisions.nc",
        *("families.tsv", "families.nc", "families.png"),
    }

    done = []

    def stopped(*args, **settings):
        if len(done) == (stops_at != "before the trial"):
            raise KeyboardInterrupt
        done.append(1)
        return run(*args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(_discover, "run", stopped)
        call(*options, tmp_path / "motifs", code=130)
    assert not (tmp_path / "motifs" / "motifs.tsv").exists()
    n_units = (
        "discover",
        network,
        "--sequences",
        peaks,
        "--n-units",
        50,
        "--method",
        "seqlets",
        "--out",
    )
    refused(
        *n_units,
        tmp_path / "motifs",
    )
    peaks.write_text(
        peaks.read_text().replace("peak_0", "peak_zero").replace("\nA", "\nC", 1)
    )
    refused(*options, tmp_path / "motifs")
    peaks.write_text("".join(f">peak_{k}\n{row}\n" for k, row in enumerate(letters())))

    def never(*_, **__):
        raise AssertionError("motifs were proposed anew")

    monkeypatch.setattr(_propose, "attribute", never)
    monkeypatch.setattr(_propose, "distinct_patterns", never)
    call(*options, tmp_path / "motifs")
    assert {path.name for path in (tmp_path / "motifs").iterdir()} == names
    for name in ("motifs.tsv", "pairs.tsv", "sites.bed"):
        assert (tmp_path / "motifs" / name).read_text() == (
            tmp_path / "whole" / name
        ).read_text()
    for kind in ("proposals", "decisions"):
        whole, resumed = (
            store.load(tmp_path / folder / f"{kind}.nc", kind)
            for folder in ("whole", "motifs")
        )
        assert whole.identical(resumed)


@pytest.mark.simulation
def test_a_run_that_was_stopped_between_its_files_goes_on(given, tmp_path, monkeypatch):
    network, peaks = given
    options = (
        "discover",
        network,
        "--sequences",
        peaks,
        "--n-units",
        60,
        "--method",
        "seqlets",
        "--out",
    )
    call(*options, tmp_path / "whole")
    save = store.save

    def stopped(dataset, path, *args, **settings):
        if path.name == "decisions.nc":
            raise KeyboardInterrupt
        return save(dataset, path, *args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(store, "save", stopped)
        call(*options, tmp_path / "motifs", code=130)
    assert [path.name for path in (tmp_path / "motifs").iterdir()] == ["discovery"]
    call(*options, tmp_path / "motifs")
    for name in ("motifs.tsv", "pairs.tsv", "sites.bed"):
        assert (tmp_path / "motifs" / name).read_text() == (
            tmp_path / "whole" / name
        ).read_text()
    assert (tmp_path / "motifs" / "decisions.nc").exists()
    refused(*options, tmp_path / "motifs")


@pytest.mark.simulation
def test_decisions_of_words_written_over_do_not_stay(given, tmp_path):
    network, peaks = given
    options = (
        "--sequences",
        peaks,
        "--n-units",
        60,
        "--method",
        "seqlets",
        "--out",
        tmp_path / "motifs",
    )
    call("discover", network, *options)
    network.write_text(
        '[predictor]\nfactory = "none.py:load"\nscale = "none"\ntasks = ["a"]\n'
    )
    (tmp_path / "none.py").write_text(
        "import numpy as np\n"
        "import causalgia as cg\n\n\n"
        "def load():\n"
        "    return cg.FunctionPredictor(lambda x: np.zeros(len(x)), tasks=['a'], "
        "scale='none')\n"
    )
    call("discover", network, *options, "--force")
    assert not (tmp_path / "motifs" / "decisions.nc").exists()


def test_that_nothing_is_proposed_is_an_answer(given, tmp_path):
    network, peaks = given
    network.write_text(
        '[predictor]\nfactory = "none.py:load"\nscale = "none"\ntasks = ["a"]\n'
    )
    (tmp_path / "none.py").write_text(
        "import numpy as np\n"
        "import causalgia as cg\n\n\n"
        "def load():\n"
        "    return cg.FunctionPredictor(lambda x: np.zeros(len(x)), tasks=['a'], "
        "scale='none')\n"
    )
    call("discover", network, "--sequences", peaks, "--out", tmp_path / "motifs")
    assert len(pd.read_csv(tmp_path / "motifs" / "motifs.tsv", sep="\t")) == 0


@pytest.mark.parametrize(
    "rows",
    [
        letters(20),
        letters()[:60] + [row[:-2] for row in letters()[60:]],
        [letters()[0][:5] + "N" + letters()[0][6:], *letters()[1:]],
        [],
    ],
)
def test_sequences_that_do_not_serve_are_refused_with_a_cure(given, tmp_path, rows):
    network, peaks = given
    peaks.write_text("".join(f">{k}\n{row}\n" for k, row in enumerate(rows)))
    refused(
        "discover",
        network,
        "--sequences",
        peaks,
        "--out",
        tmp_path / "motifs",
    )
    assert not (tmp_path / "motifs").exists()


@pytest.mark.simulation
def test_the_middles_of_longer_sequences_are_taken(given, tmp_path):
    network, peaks = given
    longer = [f"{'GT' * (k % 4 + 1)}{row}{'CA' * 4}" for k, row in enumerate(letters())]
    peaks.write_text("".join(f">{k}\n{row}\n" for k, row in enumerate(longer)))
    options = ("--n-units", 20, "--method", "seqlets")
    args = ("discover", network, "--sequences", peaks, *options)
    refused(*args, "--out", tmp_path / "none")
    call(*args, "--out", tmp_path / "cut", "--length", 41)
    middles = [row[(len(row) - 41) // 2 :][:41] for row in longer]
    sites = pd.read_csv(tmp_path / "cut" / "sites.bed", sep="\t", header=None)
    assert len(sites) > 40
    for name, start, stop, word, _, strand in sites.itertuples(index=False):
        site = middles[int(name)][start:stop]
        assert site == (word if strand == "+" else decode(3 - encode([word]))[0][::-1])
    refused(*args, "--out", tmp_path / "none", "--length", 60)


@pytest.mark.simulation
def test_n_keeps_its_place_or_is_drawn(given, tmp_path):
    network, peaks = given
    rows = letters()
    rows[:40] = ["NN" + row[2:] for row in rows[:40]]
    copy = "NN" + rows[3][2:]
    rows.append(copy.translate(str.maketrans("ACGTN", "TGCAN"))[::-1])
    peaks.write_text("".join(f">{k}\n{row}\n" for k, row in enumerate(rows)))
    args = ("discover", network, "--sequences", peaks, "--n-units", 20)
    args = (*args, "--method", "seqlets", "--notes")
    refused(*args, "--out", tmp_path / "none")
    call(*args, "--out", tmp_path / "kept", "--ambiguous", "keep")
    sites = pd.read_csv(tmp_path / "kept" / "sites.bed", sep="\t", header=None)
    assert len(sites) > 40
    for name, start, stop, word, _, strand in sites.itertuples(index=False):
        site = rows[int(name)][start:stop]
        assert site == (word if strand == "+" else decode(3 - encode([word]))[0][::-1])
    refused(*args, "--out", tmp_path / "x", "--ambiguous", "some")
    in_python = _discover.discover(
        load_predictor_spec(read_predictor_spec(network), network, "cpu"),
        str(peaks),
        n_units=20,
        method="seqlets",
        keep_n=True,
        progress=False,
        rng=0,
    )
    table = pd.read_csv(tmp_path / "kept" / "motifs.tsv", sep="\t")
    assert in_python.table["consensus"].tolist() == table["consensus"].tolist()
    np.testing.assert_allclose(in_python.table["ace"], table["ace"], rtol=1e-5)


@pytest.mark.torch
def test_several_weights_are_an_ensemble(tmp_path):
    import torch

    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef load(weights):\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 1))\n"
        "    net.load_state_dict(torch.load(weights))\n    return net\n"
    )
    for seed in (0, 1):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 1))
        torch.save(net.state_dict(), tmp_path / f"seed_{seed}.pt")
    path = tmp_path / "net.toml"
    path.write_text(
        "[predictor]\n"
        'factory = "net.py:load"\n'
        'scale = "s"\n'
        'weights = ["seed_0.pt", "seed_1.pt"]\n'
    )
    made = load_predictor_spec(read_predictor_spec(path), path, "cpu")
    assert made.models == ("seed_0", "seed_1")
    for weights in ('["seed_0.pt"]', '["seed_0.pt", "seed_0.pt"]', "[]"):
        path.write_text(f'[predictor]\nfactory = "net.py:load"\nweights = {weights}\n')
        refused(
            "discover",
            path,
            "--sequences",
            path,
            "--out",
            tmp_path / "o",
        )
    path.write_text(
        '[predictor]\nfactory = "net.py:load"\nweights = ["seed_0.pt", "seed_2.pt"]\n'
    )
    refused(
        "discover",
        path,
        "--sequences",
        path,
        "--out",
        tmp_path / "o",
    )

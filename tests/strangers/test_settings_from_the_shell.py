# Imports from the inside: the program, as a shell calls it.
"""What Python takes is taken by the shell and by a trial file; --force takes changed settings. A
user's report.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.errors import CausalgiaError
from causalgia.trial_file import read_spec

TRIAL = """\
n_units = 4
rng = 1
[null]
kind = "dinucleotide_shuffle"
of = %s
[predictor]
zoo = "gata1_like"
[arms.wt]
[arms.GATA1]
embed = "AGATAAG"
at = 20
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.fa").write_text(
        "".join(
            f">s{k}\n{'ACGTTGCANGACCAGT' * 4}{'ACGT' * k}{'TTGA' * (3 - k)}\n"
            for k in range(4)
        )
    )
    return tmp_path


def spec_of(folder: Path, of: str) -> object:
    path = folder / "trial.toml"
    path.write_text(TRIAL % of)
    return read_spec(path)


def test_letters_are_drawn_in_a_trial_file(folder):
    with pytest.raises(CausalgiaError):
        spec_of(folder, '"x.fa"')
    # asked for, what Python gives
    found = spec_of(folder, '{file = "x.fa", ambiguous = "draw"}')
    wanted = cg.read_sequences(folder / "x.fa", ambiguous="draw", rng=1)
    assert (found.design.null.parents_given.tokens == wanted.tokens).all()
    other = spec_of(folder, '{file = "x.fa", ambiguous = "draw", rng = 7}')
    assert (other.design.null.parents_given.tokens != wanted.tokens).any()


@pytest.mark.simulation
def test_force_takes_changed_settings(tmp_path):
    letters = "ACGTTGCATGACCAGTTAGACATTGACAGGATACCAGATTAGACCAGATTTAGACGGATAC" * 3
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    rows = [
        f"chr1\t{at}\t.\t{letters[at - 1]}\t{'A' if letters[at - 1] != 'A' else 'C'}"
        for at in (60, 75, 90, 105, 120)
    ]
    (tmp_path / "x.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n" + "\n".join(rows) + "\n"
    )
    (tmp_path / "net.toml").write_text('[predictor]\nzoo = "gata1_like"\n')

    def score(*more: str) -> object:
        given = [
            *("variants", str(tmp_path / "x.vcf"), "--genome", str(tmp_path / "g.fa")),
            *("--predictor", str(tmp_path / "net.toml"), "--null", "none"),
            *("--rope", "-0.1,0.1", "--out", str(tmp_path / "out"), *more),
        ]
        return invoke(*given)

    assert score("--length", "21").exit_code == 0
    forced = score("--length", "31", "--force")
    assert forced.exit_code == 0, forced.output

# Imports from the inside: annotated VCF as text, of which the shell writes a file.
"""The answer about variants in files: tables, annotated VCF, and the command that
writes them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import call

import causalgia as cg
from causalgia.sequences import Variant, decode, read_variants
from causalgia.sequences.variant_files import (
    InfoField,
    annotated_vcf,
    info_name,
)

LENGTH = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A genome, forty variants in a VCF with its own header and INFO, a predictor
    file.
    """
    path = tmp_path_factory.mktemp("files")
    letters = decode(cg.Uniform(length=9_000).sample(1, rng=3)["sequence"].values)[0]
    (path / "genome.fa").write_text(f">chr1\n{letters}\n")
    rng, lines = np.random.default_rng(0), []
    for i, at in enumerate(
        np.sort(rng.choice(np.arange(200, 8_800), 40, replace=False)).tolist()
    ):
        others = [x for x in "ACGT" if x != letters[at]]
        alternates = ",".join(others[: 2 if i == 3 else 1])
        lines.append(
            f"chr1\t{at + 1}\trs{i}\t{letters[at]}\t{alternates}\t50\tPASS\tAF=0.5\tGT\t0|1"
        )
    head = '##fileformat=VCFv4.2\n##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tsample\n"
    (path / "calls.vcf").write_text(head + columns + "\n".join(lines) + "\n")
    (path / "net.toml").write_text('[predictor]\nzoo = "gata1_like"\n')
    return path


def command(folder, out, *more):
    given = (
        "--genome",
        folder / "genome.fa",
        "--predictor",
        folder / "net.toml",
        "--length",
        LENGTH,
        "--out",
        out,
    )
    return call(
        "variants",
        folder / "calls.vcf",
        *given,
        "--n-null",
        300,
        "--match",
        "length",
        "--min-nulls",
        50,
        *more,
    )


@pytest.fixture(scope="module")
def scored(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("scored")
    return out, command(folder, out)


def test_the_command_writes_tables_and_a_vcf(scored, folder):
    out, done = scored
    assert "41 variants of" in done.stdout
    assert (
        "Wrote trial.zarr, variants.tsv, variants.vcf, answer.txt, effects.tsv, "
        "estimates.nc, decisions.nc, experiment.png" in done.stdout
    )
    table = pd.read_csv(out / "variants.tsv", sep="\t")
    assert len(table) == 41 * 2
    assert {
        "variant",
        "chromosome",
        "position",
        "effect",
        "p_matched",
        "q_matched",
        "n_matched",
        "verdict",
    } <= set(table)
    first = read_variants(folder / "calls.vcf")[0]
    assert table["position"][0] == first.position + 1
    estimates = cg.open(out).estimates
    np.testing.assert_allclose(
        table["p_matched"], estimates["p_matched"].to_numpy().ravel()
    )


def test_the_vcf_keeps_what_it_was_given(scored, folder):
    out, _ = scored
    before, after = (
        (path).read_text().splitlines()
        for path in (folder / "calls.vcf", out / "variants.vcf")
    )
    assert set(before[:3]) <= set(after)
    rows = [line.split("\t") for line in after if not line.startswith("#")]
    old = [line.split("\t") for line in before if not line.startswith("#")]
    for new, row in zip(rows, old, strict=True):
        assert new[:7] == row[:7]
        assert new[8:] == row[8:]
        assert new[7].startswith("AF=0.5;CG_K562_effect=")
    values = dict(part.split("=") for part in rows[3][7].split(";"))
    assert values["CG_K562_n"].count(",") == 1  # two alternates
    declared = {
        line.split("=<ID=")[1].split(",")[0]
        for line in after
        if line.startswith("##INFO")
    }
    used = {part.split("=")[0] for row in rows for part in row[7].split(";")}
    assert used <= declared
    assert len(read_variants(out / "variants.vcf")) == 41


def test_the_same_command_resumes_and_says_the_same(scored, folder):
    out, _ = scored
    before = (out / "variants.tsv").read_bytes()
    command(folder, out)
    assert (out / "variants.tsv").read_bytes() == before
    call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *(
            "--length",
            LENGTH + 2,
            "--out",
            out,
            "--n-null",
            300,
            "--match",
            "length",
            "--min-nulls",
            50,
        ),
        code=2,
    )
    call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *(
            "--length",
            LENGTH,
            "--out",
            out,
            "--n-null",
            300,
            "--match",
            "length",
            "--min-nulls",
            50,
            "--rope=-1,1",
        ),
        code=2,
    )
    assert (out / "variants.tsv").read_bytes() == before


def test_mismatches_are_listed_or_skipped(folder, tmp_path):
    lines = (folder / "calls.vcf").read_text().splitlines()
    row = lines[5].split("\t")
    row[3] = next(x for x in "ACGT" if x not in (row[3], row[4]))
    (tmp_path / "calls.vcf").write_text(
        "\n".join([*lines[:5], "\t".join(row), *lines[6:]]) + "\n"
    )
    given = (
        "--genome",
        folder / "genome.fa",
        "--predictor",
        folder / "net.toml",
        "--length",
        LENGTH,
    )
    few = (
        "--n-null",
        100,
        "--match",
        "length",
        "--min-nulls",
        50,
        "--out",
        tmp_path / "out",
    )
    call("variants", tmp_path / "calls.vcf", *given, *few, code=2)
    call("variants", tmp_path / "calls.vcf", *given, *few, "--skip", "mismatch")
    assert (tmp_path / "out/skipped.tsv").read_text().splitlines()[1].split("\t")[
        2
    ] == "rs2"
    rows = [
        line.split("\t")
        for line in (tmp_path / "out/variants.vcf").read_text().splitlines()
        if line[0] != "#"
    ]
    assert [row[7] for row in rows].count("AF=0.5") == 1


def test_files_of_others_are_not_overwritten(folder, tmp_path):
    (tmp_path / "variants.tsv").write_text("mine")
    call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *("--length", LENGTH, "--out", tmp_path),
        code=2,
    )
    assert (tmp_path / "variants.tsv").read_text() == "mine"


@pytest.mark.simulation
def test_own_contexts_alone(folder, tmp_path):
    call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *(
            "--length",
            LENGTH,
            "--out",
            tmp_path / "out",
            "--null",
            "none",
            "--rope",
            "-0.1",
            "0.1",
        ),
    )
    assert "p_matched" not in pd.read_csv(tmp_path / "out/variants.tsv", sep="\t")


# ---------------------------------------------------------------- trial files


TRIAL = """rng = 0
[experiment]
kind = "variants"
vcf = "calls.vcf"
fasta = "genome.fa"
length = 60
n_null = 300
[null]
kind = "matched_variants"
of = "genome"
match = ["length"]
min_nulls = 50
[predictor]
zoo = "gata1_like"
"""


@pytest.mark.simulation
def test_a_trial_file_gives_the_same_answer_by_both_commands(folder, scored, tmp_path):
    """As the options of `causalgia variants` do."""
    (folder / "trial.toml").write_text(TRIAL)
    call("variants", folder / "trial.toml", "--out", tmp_path / "scored")
    for name in ("variants.tsv", "variants.vcf"):
        assert (tmp_path / "scored" / name).read_text() == (
            scored[0] / name
        ).read_text()
    call("run", folder / "trial.toml", "--out", tmp_path / "run")
    one, other = cg.open(tmp_path / "run").estimates, cg.open(scored[0]).estimates
    for name in ("ace", "p_matched", "q_matched", "n_matched"):
        np.testing.assert_array_equal(one[name], other[name])
    call("analyze", tmp_path / "run", "--ci-prob", "0.9")


@pytest.mark.simulation
def test_a_population_of_null_variants_may_be_a_null_model(folder, tmp_path):
    text = TRIAL.replace(
        'of = "genome"', 'of = {kind = "uniform", length = 70}'
    ).replace("[null]", "tail = true\n[null]")
    (folder / "uniform.toml").write_text(text)
    call("variants", folder / "uniform.toml", "--out", tmp_path / "out")
    assert {"tail_p", "tail_by"} <= set(
        pd.read_csv(tmp_path / "out/variants.tsv", sep="\t")
    )


def test_a_trial_of_sequences_is_sent_to_run(folder, tmp_path):
    start = (
        TRIAL[: TRIAL.index("[null]")]
        .replace("n_null = 300", "n_null = 50")
        .replace("length = 60\n", "")
    )
    (folder / "contexts.toml").write_text(
        start
        + '[null]\nkind = "uniform"\nlength = 60\n[predictor]\nzoo = "gata1_like"\n'
    )
    call("variants", folder / "contexts.toml", "--out", tmp_path / "out", code=2)
    call("run", folder / "contexts.toml", "--out", tmp_path / "out")


# ---------------------------------------------------------------- VCF text


def test_texts_are_escaped_and_declared():
    chosen = [Variant("1", 4, "A", "G", "x"), Variant("1", 9, "C", "T")]
    fields = [
        InfoField(info_name("a task; =1"), "String", 'of "a\\b"\nc', ["p;q=1,2 3", ""]),
        InfoField("n", "Float", "n", [float("nan"), 1e-9]),
    ]
    text = annotated_vcf(chosen, fields).splitlines()
    assert (
        text[1]
        == '##INFO=<ID=a_task___1,Number=A,Type=String,Description="of \\"a\\\\b\\" c">'
    )
    assert text[4].split("\t") == [
        "1",
        "5",
        "x",
        "A",
        "G",
        ".",
        ".",
        "a_task___1=p%3Bq%3D1%2C2%203",
    ]
    assert text[5].split("\t")[2] == "."
    assert text[5].endswith("n=1e-09")


def test_a_second_annotation_replaces_the_first(tmp_path):
    chosen = [Variant("1", 4, "A", "G", "x")]
    path = tmp_path / "a.vcf"
    path.write_text(annotated_vcf(chosen, [InfoField("a", "Float", "first", [1.0])]))
    again = annotated_vcf(chosen, [InfoField("a", "Float", "second", [2.0])], like=path)
    assert again.count("##INFO=<ID=a,") == 1
    assert "a=2\n" in again
    assert "first" not in again


def test_endings_say_what_is_written(folder, tmp_path):
    experiment = cg.experiments.variants(
        folder / "calls.vcf", folder / "genome.fa", length=LENGTH
    )
    share = cg.FunctionPredictor(
        lambda x: x[:, :2, :40].sum((1, 2)) + x[:, 0].sum(1), tasks=["a"], scale="bases"
    )
    answer = experiment.analyze(cg.run(experiment, share, rng=0, progress=False), rng=0)
    path = cg.experiments.write_variants(answer, tmp_path / "a.csv")
    assert len(pd.read_csv(path)) == 41

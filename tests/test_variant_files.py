"""The answer about variants in files: tables, annotated VCF, and the command that
writes them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_cli import call

import causalgia as cg
from causalgia.errors import OutcomesError, SequenceError
from causalgia.sequences import Variant, decode
from causalgia.sequences.variant_files import (
    InfoField,
    annotated_vcf,
    info_name,
    read_vcf,
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


@pytest.mark.rotating(6)
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
    first = read_vcf(folder / "calls.vcf")[0]
    assert table["position"][0] == first.position + 1
    estimates = cg.open(out).estimates
    np.testing.assert_allclose(
        table["p_matched"], estimates["p_matched"].to_numpy().ravel()
    )


@pytest.mark.rotating(6)
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
    assert len(read_vcf(out / "variants.vcf")) == 41


@pytest.mark.rotating(6)
def test_the_same_command_resumes_and_says_the_same(scored, folder):
    out, _ = scored
    before = (out / "variants.tsv").read_bytes()
    command(folder, out)
    assert (out / "variants.tsv").read_bytes() == before
    other = call(
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
    said = (
        f"holds a trial with other settings (--length {LENGTH} there, {LENGTH + 2} "
        "now); choose another --out"
    )
    assert said in other.stderr
    rope = call(
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
    assert "(--rope not given there, '-1,1' now)" in rope.stderr
    assert (out / "variants.tsv").read_bytes() == before


@pytest.mark.rotating(6)
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
    refused = call("variants", tmp_path / "calls.vcf", *given, *few, code=2)
    assert "1 of 41 variants have another reference allele" in refused.stderr
    assert "rs2 has" in refused.stderr
    assert "--skip-mismatches leaves them out" in refused.stderr
    done = call("variants", tmp_path / "calls.vcf", *given, *few, "--skip-mismatches")
    assert "40 variants of" in done.stdout
    assert "1 skipped" in done.stdout
    assert (tmp_path / "out/skipped.tsv").read_text().splitlines()[1].split("\t")[
        2
    ] == "rs2"
    rows = [
        line.split("\t")
        for line in (tmp_path / "out/variants.vcf").read_text().splitlines()
        if line[0] != "#"
    ]
    assert [row[7] for row in rows].count("AF=0.5") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--null", "nowhere.fa"), "--null nowhere.fa is neither a file"),
        (("--match", "gc"), "error: --match: 'gc' is not one of"),
        (("--n-null", 3), "--n-null"),
        (("--schema", "bed"), "schema"),
        (
            ("--rope", "1,0"),
            "--rope=1,0 is reversed; give the lower end first: --rope=0,1",
        ),
        (
            ("--null", "none", "--tail"),
            "--tail is of null variants, and --null none has none",
        ),
    ],
)
def test_bad_options_are_refused_in_one_line(folder, tmp_path, more, message):
    done = call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *("--length", LENGTH, "--out", tmp_path / "out", *more),
        code=2,
    )
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_files_of_others_are_not_overwritten(folder, tmp_path):
    (tmp_path / "variants.tsv").write_text("mine")
    refused = command_refused(folder, tmp_path)
    assert "holds another variants.tsv already" in refused.stderr
    (tmp_path / "net.toml").write_text("rng = 0\n")
    no_table = call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            tmp_path / "net.toml",
        ),
        *("--length", LENGTH, "--out", tmp_path / "out"),
        code=2,
    )
    assert "needs 'predictor'" in no_table.stderr


def command_refused(folder, out):
    return call(
        *(
            "variants",
            folder / "calls.vcf",
            "--genome",
            folder / "genome.fa",
            "--predictor",
            folder / "net.toml",
        ),
        *("--length", LENGTH, "--out", out),
        code=2,
    )


@pytest.mark.rotating(6)
def test_own_contexts_alone(folder, tmp_path):
    done = call(
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
    assert "in their own contexts" in done.stdout
    assert "p_matched" not in pd.read_csv(tmp_path / "out/variants.tsv", sep="\t")


# ---------------------------------------------------------------- trial files


TRIAL = """rng = 0
[experiment]
kind = "variant_screen"
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


@pytest.mark.rotating
def test_a_trial_file_gives_the_same_answer_by_both_commands(folder, scored, tmp_path):
    """As the options of `causalgia variants` do."""
    (folder / "trial.toml").write_text(TRIAL)
    done = call("variants", folder / "trial.toml", "--out", tmp_path / "scored")
    assert "41 variants of" in done.stdout
    for name in ("variants.tsv", "variants.vcf"):
        assert (tmp_path / "scored" / name).read_text() == (
            scored[0] / name
        ).read_text()
    call("run", folder / "trial.toml", "--out", tmp_path / "run")
    one, other = cg.open(tmp_path / "run").estimates, cg.open(scored[0]).estimates
    for name in ("ace", "p_matched", "q_matched", "n_matched"):
        np.testing.assert_array_equal(one[name], other[name])
    again = call("analyze", tmp_path / "run", "--ci-prob", "0.9")
    assert "than matched variants (q <= .1)" in again.stdout


@pytest.mark.rotating(6)
def test_a_population_of_null_variants_may_be_a_null_model(folder, tmp_path):
    text = TRIAL.replace(
        'of = "genome"', 'of = {kind = "uniform", length = 70}'
    ).replace("[null]", "tail = true\n[null]")
    (folder / "uniform.toml").write_text(text)
    call("variants", folder / "uniform.toml", "--out", tmp_path / "out")
    assert {"tail_p", "tail_by"} <= set(
        pd.read_csv(tmp_path / "out/variants.tsv", sep="\t")
    )


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (("length = 60", "length = 60"), ("--n-null", 50), "--n-null beside"),
        (
            ('kind = "variant_screen"', 'kind = "copies"'),
            (),
            'it needs [experiment] with kind = "variant_screen"',
        ),
        (
            ('kind = "variant_screen"', 'kind = "variants"'),
            (),
            "no experiment 'variants'; it is three now: 'variant_screen' (with null v",
        ),
        (
            ('kind = "variant_screen"', 'kind = "variant_effects"'),
            (),
            'it needs [experiment] with kind = "variant_screen"',
        ),
        (('of = "genome"', "n = 3"), (), "n"),
        (
            ('of = "genome"', 'of = {kind = "uniforn", length = 70}'),
            (),
            "[null.of]: kind = 'uniforn' is not a null model",
        ),
        (
            ('of = "genome"', 'of = {kind = "uniform"}'),
            (),
            "[null.of] of kind 'uniform' needs 'length'",
        ),
        (('of = "genome"', 'of = "nowhere.fa"'), (), "nowhere.fa"),
        (
            ('match = ["length"]', 'match = ["gc"]'),
            (),
            "flawed.toml: match: 'gc' is not one of",
        ),
        (
            ('kind = "matched_variants"', 'kind = "matched"'),
            (),
            "did you mean 'matched_variants'?",
        ),
        (
            (
                'kind = "variant_screen"\n',
                'kind = "variant_screen"\nread_out = "none.bed"\n',
            ),
            (),
            "none.bed",
        ),
        (
            (
                'kind = "variant_screen"\n',
                'kind = "variant_screen"\nschema = "excel"\n',
            ),
            (),
            "schema",
        ),
    ],
)
def test_flaws_of_a_trial_file_are_named_in_one_line(
    folder, tmp_path, change, more, message
):
    assert change[0] in TRIAL
    (folder / "flawed.toml").write_text(TRIAL.replace(*change))
    done = call(
        "variants", folder / "flawed.toml", "--out", tmp_path / "out", *more, code=2
    )
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.rotating(6)
def test_a_trial_of_sequences_is_sent_to_run(folder, tmp_path):
    start = (
        TRIAL[: TRIAL.index("[null]")]
        .replace("n_null = 300\n", "")
        .replace("variant_screen", "variants_across_contexts")
        .replace("length = 60\n", "")
    )
    (folder / "contexts.toml").write_text(
        "n_units = 50\n"
        + start
        + '[null]\nkind = "uniform"\nlength = 60\n[predictor]\nzoo = "gata1_like"\n'
    )
    done = call("variants", folder / "contexts.toml", "--out", tmp_path / "out", code=2)
    assert "causalgia run" in done.stderr
    call("run", folder / "contexts.toml", "--out", tmp_path / "out")


def test_notes_are_printed_once(scored):
    said = scored[1].stdout
    assert said.count("variants are real") == 2  # what is resolved, and what would be
    notes = cg.open(scored[0]).estimates.attrs["notes"]
    assert "p is at least" in notes  # and stand in the files


def test_what_the_command_needs_is_named(folder, tmp_path):
    done = call(
        "variants", folder / "calls.vcf", "--out", tmp_path, "--length", 60, code=2
    )
    assert "give --genome FASTA and --predictor TOML, or a trial.toml" in done.stderr


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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([("1a", [1.0])], "INFO field '1a': a name has letters"),
        ([("a", [1.0, 2.0])], "2 values for 1 variants"),
        ([("a", [1.0]), ("a", [1.0])], "two INFO fields are called 'a'"),
    ],
)
def test_fields_that_a_vcf_cannot_hold_are_refused(fields, message):
    with pytest.raises(SequenceError, match=message):
        annotated_vcf(
            [Variant("1", 4, "A", "G")],
            [InfoField(name, "Float", "", x) for name, x in fields],
        )


def test_endings_say_what_is_written(folder, tmp_path):
    experiment = cg.experiments.variant_effects(
        folder / "calls.vcf", folder / "genome.fa", length=LENGTH
    )
    share = cg.FunctionPredictor(
        lambda x: x[:, :2, :40].sum((1, 2)) + x[:, 0].sum(1), tasks=["a"], scale="bases"
    )
    answer = experiment.analyze(cg.run(experiment, share, rng=0, progress=False), rng=0)
    path = cg.experiments.write_variants(answer, tmp_path / "a.csv")
    assert len(pd.read_csv(path)) == 41
    for name, more, message in (
        ("a.txt", {}, "'.txt' is not an extension of a file of variants"),
        ("a.csv", {"like": folder / "calls.vcf"}, "is for a VCF file"),
        ("none/a.csv", {}, "cannot be written"),
    ):
        with pytest.raises(OutcomesError, match=message):
            cg.experiments.write_variants(answer, tmp_path / name, **more)
    other = replace(answer, findings={})
    with pytest.raises(OutcomesError, match="no finding 'variants'"):
        cg.experiments.write_variants(other, tmp_path / "b.csv")


def test_a_vcf_to_be_annotated_has_positions(tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text("#CHROM\tPOS\tID\tREF\tALT\nchr1\n")
    with pytest.raises(SequenceError, match=r"x\.vcf: POS '\.' is not a whole number"):
        annotated_vcf([], [], like=path)

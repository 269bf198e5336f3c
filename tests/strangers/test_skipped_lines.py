# Imports from the inside: readers of one format each.
"""Lines that cannot be used are left out on request, each with its reason
(openvax/varcode#88: a symbolic allele stops a list; kundajelab/bpnet#40: so does a window
beyond its chromosome).
"""

import numpy as np
import pytest
from test_cli import call

import causalgia as cg
from causalgia.errors import CausalgiaError, SequenceError
from causalgia.sequences import read_fasta, read_sequences, read_variants
from causalgia.sequences.fasta import from_bed
from causalgia.trial_file import read_spec

BASES = np.random.default_rng(3).choice(list("ACGT"), 220)
GENOME = "".join(BASES)
GENOME = GENOME[:57] + "AGATAAG" + GENOME[64:100] + "CACACACA" + GENOME[108:]


def other(at):
    return next(b for b in "ACGT" if b != GENOME[at - 1])


def vcf(path, rows):
    lines = "".join(f"c\t{p}\tv{i}\t{r}\t{a}\t.\t.\t.\n" for i, (p, r, a) in rows)
    path.write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + lines
    )
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "g.fa").write_text(f">c\n{GENOME}\n>n\n{GENOME[:100]}N{GENOME[100:]}\n")
    return tmp_path


GOOD = [(p, GENOME[p - 1], other(p)) for p in range(60, 160, 10)]
BAD = {
    "symbolic": (100, GENOME[99], "*"),
    "edge": (5, GENOME[4], other(5)),
    "mismatch": (90, other(90), GENOME[89]),
    "N": (95, GENOME[94], "N"),
    "unchanged": (96, GENOME[95], GENOME[95]),
    "long": (97, GENOME[96:170], GENOME[96]),
    "repeated": GOOD[0],
}


@pytest.mark.parametrize("reason", BAD)
def test_a_variant_is_refused_or_left_out(folder, reason):
    path = vcf(folder / "v.vcf", enumerate([*GOOD, BAD[reason]]))
    with pytest.raises(CausalgiaError):
        cg.experiments.variants(path, folder / "g.fa", length=61)
    experiment = cg.experiments.variants(
        path, folder / "g.fa", length=61, skip=reason, rope=(-0.1, 0.1)
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0
    )
    skipped = answer.findings["skipped"].to_dataframe()
    assert skipped[["name", "reason", "line"]].values.tolist() == [["v10", reason, 13]]
    rows = answer.findings["variants"].sizes["variant"]
    assert rows == 10
    written = cg.experiments.write_variants(answer, folder / "o.vcf", like=path)
    last = written.read_text().splitlines()[-1].split("\t")
    if reason != "repeated":  # its line has the values of the first
        assert last[7] == "."


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_lines_with_a_letter_in_the_window_or_without_a_chromosome(folder):
    path = folder / "v.vcf"
    rows = "".join(f"c\t{p}\tv{p}\t{r}\t{a}\n" for p, r, a in GOOD)
    path.write_text(rows + f"n\t90\tw\t{GENOME[89]}\t{other(90)}\nx\t90\ty\tA\tC\n")
    with pytest.raises(CausalgiaError):
        cg.experiments.variants(path, folder / "g.fa", length=61, skip="N")
    with pytest.raises(CausalgiaError):
        cg.experiments.variants(path, folder / "g.fa", length=61, skip="chromosome")
    for settings in (
        {"length": 61},
        {"null": cg.Uniform(length=61), "n_null": 10},
        {
            "length": 61,
            "null": cg.MatchedVariants(
                of=cg.Uniform(length=61), match=("length",), min_nulls=39
            ),
            "n_null": 50,
        },
    ):
        experiment = cg.experiments.variants(
            path, folder / "g.fa", skip="all", rope=(-0.1, 0.1), **settings
        )
        answer = experiment.analyze(
            cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0
        )
        n = 2 if "length" in settings else 1  # flanks of 10 have no N
        assert answer.findings["skipped"].sizes["row"] == n


def test_windows_of_intervals(folder):
    bed = folder / "p.bed"
    bed.write_text("c\t50\t60\nc\t0\t4\nn\t95\t105\nx\t5\t9\nc\t50\t60\n")
    for reason in ("edge", "N", "chromosome", "repeated"):
        others = {"edge", "N", "chromosome", "repeated"} - {reason}
        with pytest.raises(CausalgiaError):
            from_bed(bed, folder / "g.fa", length=10, skip=tuple(others))
    found = read_sequences(bed, genome=folder / "g.fa", length=10, skip="all")
    assert found.names == ("c:50-60",)
    assert [(x.line, x.reason) for x in found.skipped] == [
        *((2, "edge"), (3, "N"), (4, "chromosome"), (5, "repeated"))
    ]


def test_records_of_fasta_and_rows_of_arrays(folder):
    path = folder / "r.fa"
    path.write_text(">a\nACGT\n>b\nACNT\n>c\nACGTA\n>d\n>e\nTTTT\n>a\nCCCC\n")
    found = read_fasta(path, skip="all")
    assert found.names == ("a", "e")
    assert [(x.line, x.reason) for x in found.skipped] == [
        *((3, "N"), (5, "length"), (7, "empty"), (10, "repeated"))
    ]
    null = cg.DinucleotideShuffle(of=found)
    assert "4 of 6 " in null.notes(10)[0]
    np.save(folder / "x.npy", np.eye(5, 4)[[[0, 1, 2, 3], [0, 4, 2, 3]]])
    rows = read_sequences(folder / "x.npy", layout="NLC", skip="N")
    assert len(rows) == 1
    assert rows.skipped[0].name == "1"


@pytest.mark.simulation
def test_from_the_shell_and_in_a_trial_file(folder):
    path = vcf(folder / "v.vcf", enumerate([*GOOD, BAD["symbolic"], BAD["edge"]]))
    (folder / "net.toml").write_text('[predictor]\nzoo = "gata1_like"\n')
    options = ("--length", 61, "--null", "none", "--rope=-0.1,0.1")
    files = ("--genome", folder / "g.fa", "--predictor", folder / "net.toml")
    given = (path, *files, *options, "--out", folder / "out")
    call("variants", *given, code=2)
    call("variants", *given, "--skip", "symbolic,edge")
    table = (folder / "out" / "skipped.tsv").read_text().splitlines()
    assert [line.split("\t")[5] for line in table] == ["reason", "symbolic", "edge"]
    rows = (GENOME[:60], GENOME[60:119] + "N", GENOME[120:180])
    (folder / "r.fa").write_text(
        "".join(f">{name}\n{row}\n" for name, row in zip("abc", rows, strict=True))
    )
    (folder / "t.toml").write_text(
        "rng = 0\nn_units = 10\n[null]\nkind = 'dinucleotide_shuffle'\nof = 'r.fa'\n"
        "skip = ['N']\n[arms]\nnone = {}\nmotif = {embed = 'GA', at = 1}\n"
        "[predictor]\nzoo = 'gata1_like'\n"
    )
    null = read_spec(folder / "t.toml").design.null
    assert [x.name for x in null.of.skipped] == ["b"]


@pytest.mark.parametrize("row", ["c\tabc\tx\tA\tC", "c\t0\tx\tA\tC", "c\t70"])
def test_a_line_that_cannot_be_parsed(folder, row):
    path = vcf(folder / "v.vcf", enumerate(GOOD))
    path.write_text(path.read_text() + f"{row}\n")
    with pytest.raises(CausalgiaError):
        read_variants(path)
    for reasons in ("malformed", "all", ["all", "N"]):
        found = read_variants(path, skip=reasons)
        assert len(found) == len(GOOD)
        assert [(x.line, x.reason) for x in found.skipped] == [(13, "malformed")]
    experiment = cg.experiments.variants(
        path, folder / "g.fa", length=61, skip="all", rope=(-0.1, 0.1)
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0), rng=0
    )
    written = cg.experiments.write_variants(answer, folder / "o.vcf", like=path)
    last = written.read_text().splitlines()[-1].split("\t")
    assert last[:2] == row.split("\t")[:2]
    assert last[7] == "."


def test_intervals_and_tables_that_cannot_be_parsed(folder):
    bed = folder / "p.bed"
    bed.write_text("c\t50\t60\nc\t-5\t4\nc\tx\t9\nc\t9\t9\nc\t1\n")
    with pytest.raises(CausalgiaError):
        from_bed(bed, folder / "g.fa", length=10)
    found = from_bed(bed, folder / "g.fa", length=10, skip="malformed")
    assert found.names == ("c:50-60",)
    assert [x.line for x in found.skipped] == [2, 3, 4, 5]
    table = folder / "t.tsv"
    table.write_text("c\t60\trs1\tA\tG\nc\t?\trs2\tA\tG\nc\t70\n")
    rows = read_variants(table, skip="malformed")
    assert [x.name for x in rows] == ["rs1"]
    assert [x.line for x in rows.skipped] == [2, 3]


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"length": 61},
        {"null": cg.Uniform(length=80), "n_null": 10},
        {
            "length": 61,
            "null": cg.MatchedVariants(
                of=cg.Uniform(length=80), match=("length",), min_nulls=39
            ),
            "n_null": 50,
        },
    ],
    ids=["own", "sampled", "matched"],
)
def test_an_indel_in_a_repeat_that_its_window_does_not_show(folder, settings):
    genome = GENOME[:120] + "G" + "CA" * 60 + "T" + GENOME
    (folder / "r.fa").write_text(f">c\n{genome}\n")
    path = vcf(folder / "v.vcf", enumerate([*GOOD[:5], (121, "GCA", "G")]))
    with pytest.raises(CausalgiaError):
        cg.experiments.variants(path, folder / "r.fa", **settings)
    experiment = cg.experiments.variants(
        path, folder / "r.fa", skip="unchanged", rope=(-0.1, 0.1), **settings
    )
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False), rng=0
    )
    assert answer.findings["variants"].sizes["variant"] == len(GOOD[:5])
    skipped = answer.findings["skipped"].to_dataframe()
    assert skipped[["name", "reason", "line"]].values.tolist() == [
        ["v5", "unchanged", 8]
    ]
    written = cg.experiments.write_variants(answer, folder / "o.vcf", like=path)
    assert written.read_text().splitlines()[-1].split("\t")[7] == "."


def test_an_indel_in_a_repeat_that_its_insert_does_not_show(folder):
    genome = GENOME[:120] + "G" + "CA" * 60 + "T" + GENOME
    (folder / "r.fa").write_text(f">c\n{genome}\n")
    path = vcf(folder / "v.vcf", enumerate([*GOOD[:5], (121, "GCA", "G")]))
    at = {"insert_length": 60, "offsets": (0, -9)}
    with pytest.raises(CausalgiaError):
        cg.mpra.variant_tiles(path, folder / "r.fa", **at)
    tiles = cg.mpra.variant_tiles(path, folder / "r.fa", skip="all", **at)
    assert tiles.skipped[["name", "reason", "line"]].values.tolist() == [
        ["v5", "unchanged", 8]
    ]
    assert tiles.n_units == 2 * len(GOOD[:5])


def test_records_without_a_name_and_summits_outside_are_left_out(folder):
    path = folder / "n.fa"
    path.write_text(">a\nACGT\nACGT\n>\nCCCCCCCC\n\n>d desc\n>b\nTTTT\nGGGG\n")
    with pytest.raises(SequenceError):
        read_fasta(path)
    found = read_fasta(path, skip="empty")
    assert found.names == ("a", "b")
    assert [(x.line, x.detail) for x in found.skipped] == [
        *((4, "no name"), (7, "no letters"))
    ]
    with pytest.raises(SequenceError):
        read_sequences(path, length=4, center="summit")
    peaks = folder / "p.narrowPeak"
    rows = [
        f"c\t{50 + i}\t60\tp\t0\t.\t1\t1\t1\t{at}\n" for i, at in enumerate((3, 70))
    ]
    peaks.write_text("".join(rows))
    options = {"genome": folder / "g.fa", "length": 10, "center": "summit"}
    with pytest.raises(SequenceError):
        read_sequences(peaks, **options)
    found = read_sequences(peaks, skip="summit", **options)
    assert len(found.names) == 1
    assert [(x.reason, x.detail[:9]) for x in found.skipped] == [
        ("summit", "summit 70")
    ]


USABLE = {"none": [], "one": GOOD[6:7], "two": GOOD[6:8]}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("usable", USABLE)
def test_reasons_are_listed_also_where_nothing_comes_of_the_rest(folder, usable):
    # nothing to run; one number; answers that do not vary
    rows = [BAD[x] for x in ("symbolic", "edge", "N", "unchanged")] + USABLE[usable]
    path, net, out = folder / "v.vcf", folder / "net.toml", folder / "o"
    vcf(path, enumerate(rows))
    net.write_text('[predictor]\nzoo = "gata1_like"\n')
    command = (
        *("variants", path, "--genome", folder / "g.fa", "--predictor", net),
        *("--length", 61, "--skip", "all", "--out", out),
    )
    code = 0 if usable == "one" else 2
    call(*command, "--null", "none", code=code)
    listed = [x.split("\t") for x in (out / "skipped.tsv").read_text().splitlines()]
    at = listed[0].index("reason")
    assert [x[at] for x in listed[1:]] == ["symbolic", "edge", "N", "unchanged"]
    # the list is no reason to refuse the next run
    call(*command, "--null", "none", code=code)


def test_a_file_of_the_user_with_that_name_is_left_alone(folder):
    path, net, out = folder / "v.vcf", folder / "net.toml", folder / "o"
    vcf(path, enumerate([*GOOD, BAD["symbolic"]]))
    net.write_text('[predictor]\nzoo = "gata1_like"\n')
    out.mkdir()
    (out / "skipped.tsv").write_text("mine\n")
    call(
        *("variants", path, "--genome", folder / "g.fa", "--predictor", net),
        *("--length", 61, "--skip", "all", "--null", "none", "--out", out),
        code=2,
    )
    assert (out / "skipped.tsv").read_text() == "mine\n"


FLAWED = {
    "N": ">a\nACGTAC\n>b\nACNTAC\n",
    "repeated": ">a\nACGTAC\n>a\nACTTAC\n",
    "length": ">a\nACGTAC\n>c\nACTTAC\n>b\nACG\n",
    "empty": ">a\nACGTAC\n>b\n\n",
}


@pytest.mark.parametrize("reason", FLAWED)
def test_a_record_is_refused_or_left_out(tmp_path, reason):
    path = tmp_path / "s.fa"
    path.write_text(FLAWED[reason])
    with pytest.raises(SequenceError):
        cg.read_sequences(path)
    left = cg.read_sequences(path, skip=reason)
    assert [x.reason for x in left.skipped] == [reason]
    assert len(left) + len(left.skipped) == path.read_text().count(">")


TRIAL_OF_N = """rng = 0
n_units = 4
[null]
kind = "shuffle"
of = {of}
[arms]
plain = {arm}
site = {{embed = "AGATAAG", at = 9}}
[predictor]
zoo = "gata1_like"
"""


def test_a_trial_that_leaves_sequences_out_accounts_for_them(folder):
    # the page alone counted them, and no file had the lines
    (folder / "p.bed").write_text("c\t50\t60\nc\t0\t4\nx\t5\t9\nc\t80\t90\nc\tx\t9\n")
    trial, out = folder / "trial.toml", folder / "out"
    of = '{file = "p.bed", genome = "g.fa", length = 40, skip = "all"}'
    trial.write_text(TRIAL_OF_N.format(of=of, arm="{}"))
    call("run", trial, "--out", out)
    listed = [x.split("\t") for x in (out / "skipped.tsv").read_text().splitlines()]
    assert [(x[1], x[3]) for x in listed] == [
        *(("reason", "line"), ("edge", "2"), ("chromosome", "3"), ("malformed", "5"))
    ]
    trial.write_text(TRIAL_OF_N.format(of='"g.fa"\nskip = "length"', arm="{}"))
    call("run", trial, "--out", out, "--force")
    trial.write_text(TRIAL_OF_N.format(of=f'["{GENOME[:50]}"]', arm="{}"))
    call("run", trial, "--out", out, "--force")
    assert not (out / "skipped.tsv").exists()  # of another trial

"""The command line does as it says: counts are true, hints run as printed, and nothing
is lost unsaid.
"""

from __future__ import annotations

import shlex
import shutil

import numpy as np
import pytest
from test_cli import MANY, QUICK, call, refused

import causalgia as cg

TRIAL = """
name = "bench"
n_units = 40
rng = 7
null = {kind = "uniform", length = 200}
predictor = {zoo = "gata1_like"}
analysis = {control = "placebo"}
mpra = {oligo_length = 230, adapters = "lentimpra", n_scrambles = 20}
[arms]
placebo = {placebo = "AGATAAG", at = 96}
"GATA1, far" = {embed = "AGATAAG", at = 36}
"GATA1, near" = {embed = "AGATAAG", at = 66}
GATA1 = {embed = "AGATAAG", at = 96}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A library of four arms, and its counts analyzed."""
    where = tmp_path_factory.mktemp("bench")
    (where / "trial.toml").write_text(TRIAL)
    call("mpra", "design", where / "trial.toml", "--out", where / "LIB")
    library = cg.mpra.read_library(where / "LIB")
    frame = (
        library[["oligo_name", "element", "arm", "group"]]
        .to_dataframe()
        .drop_duplicates("oligo_name")
    )
    frame = frame.assign(log2=np.where(frame["arm"] == "GATA1", 1.0, 0.0))
    counts = cg.mpra.simulate(
        frame,
        n_barcodes=12,
        n_replicates=3,
        noise=cg.mpra.NoiseModel(sd_barcode=0.4, sd_replicate=0.1),
        rng=5,
    )
    cg.mpra.to_igvf(counts, where / "counts.tsv.gz", "reporter_experiment_barcode")
    return where


@pytest.fixture(scope="module")
def analyzed(bench):
    """The folder of the analyzed counts, and what was printed."""
    printed = call(
        "mpra",
        "analyze",
        bench / "counts.tsv.gz",
        "--design",
        bench / "LIB",
        "--out",
        bench / "measured",
    )
    return bench / "measured", printed.stdout


@pytest.mark.rotating(6)
def test_the_number_of_elements_printed_is_the_number_named(analyzed):
    _, printed = analyzed
    answer, table, foot = printed.split("\n\n")[:3]
    assert "'GATA1, near'" in answer  # a name with a comma
    rows = table.splitlines()[1:-1]
    assert 1 <= len(rows) <= 20
    assert table.splitlines()[-1].startswith("Not shown: ")
    assert "over these 120 rows" in foot


@pytest.mark.rotating
def test_estimates_leave_the_verdicts_where_they_are(trial, results):
    trial.write_text(MANY)
    call("run", trial, "--out", results, "--force")
    call("analyze", results, "--error", "posterior", "--keep-draws")
    kept = {
        name: (results / name).read_bytes() for name in ("decisions.nc", "posterior.nc")
    }
    printed = call("estimate", results).stdout
    assert "Removed" not in printed
    assert "Kept" not in printed
    other = call("estimate", results, "--control", "untreated").stdout
    assert (
        "Kept decisions.nc: its verdicts are of another analysis than these estimates: "
        "they differ in control." in other
    )
    assert kept == {name: (results / name).read_bytes() for name in kept}
    shown = call("show", results).stdout
    assert shown.index("minus untreated") < shown.index(
        "The verdicts in decisions.nc are of another analysis"
    )
    assert shown.index("The verdicts in decisions.nc") < shown.index(
        "minus placebo", shown.index("minus untreated")
    )
    assert shown.count("Verdict: where the interval lies") == 1


@pytest.mark.rotating(6)
def test_a_hint_at_more_contrasts_runs_as_printed(trial, tmp_path):
    out = tmp_path / "many words"
    arms = [f'[arms.m{i}]\nembed = "AGATAAG"\nat = {i}\n' for i in range(21, 46)]
    trial.write_text(
        QUICK.replace("n_units = 300", "n_units = 20").replace(
            "[arms", "".join(arms) + "[arms", 1
        )
    )
    call("run", trial, "--out", out)
    printed = call("analyze", out).stdout
    hint = next(line for line in printed.splitlines() if line.startswith("Not shown: "))
    command = shlex.split(hint.partition("; ")[2].removesuffix(" shows all."))
    assert command[0] == "causalgia"
    assert call(*command[1:]).stdout.count("\nm") >= 25


def test_a_library_is_shown_and_nothing_is_run_into_it(bench):
    shown = call("show", bench / "LIB").stdout
    assert shown.startswith("180 oligos of 230 nt")
    assert shown.endswith(
        f"Next: causalgia mpra predict trial.toml --design {bench / 'LIB'} --out "
        "virtual\n"
    )
    refused(
        "estimate",
        bench / "LIB",
        said=["oligo library without outcomes", "causalgia mpra predict"],
    )


@pytest.mark.rotating(6)
def test_measured_effects_are_pointed_at(analyzed):
    folder, _ = analyzed
    shown = call("show", folder).stdout
    assert "No estimates yet" not in shown
    assert (folder / "answer.txt").read_text() in shown
    call(*shlex.split(shown.splitlines()[-1].partition(": causalgia ")[2]))


@pytest.mark.rotating(6)
def test_measured_effects_without_virtual_ones_lead_to_these_and_to_both(
    bench, analyzed, monkeypatch
):
    """What `mpra analyze` prints last runs in the folder of the trial (two tasks here,
    of which one was measured); where the virtual effects are there already, it goes to
    the comparison.
    """
    folder, printed = analyzed
    compare = f"causalgia mpra compare virtual {folder}"
    predict = (
        f"causalgia mpra predict trial.toml --design {bench / 'LIB'} --out virtual"
    )
    which = "if the network has several tasks, add --task NAME"
    assert printed.splitlines()[-1] == f"Next: {predict}, and then {compare}; {which}"
    monkeypatch.chdir(bench)
    call(*shlex.split(predict)[1:])
    compared = call(*shlex.split(compare)[1:], "--task", "K562").stdout
    assert "measured" in compared
    again = ("--design", bench / "LIB", "--out", folder, "--force")
    shown = call("mpra", "analyze", bench / "counts.tsv.gz", *again).stdout
    assert shown.splitlines()[-1] == f"Next: {compare}; {which}"


@pytest.mark.parametrize("rope", ["abc", "placebo", "0.2 sd", "0.1,-0.1"])
def test_a_region_of_the_bench_is_on_log2(bench, tmp_path, rope):
    asked = (
        "mpra",
        "analyze",
        bench / "counts.tsv.gz",
        "--design",
        bench / "LIB",
        "--out",
        tmp_path / "x",
    )
    found = call(*asked, f"--rope={rope}", code=2)
    ways = "give the lower end first" if "," in rope else "give two numbers"
    assert ways in found.stderr
    assert "--rope placebo," not in found.stderr
    assert not (tmp_path / "x").exists()


def test_an_option_without_its_value_points_at_its_command():
    refused(
        "mpra",
        "analyze",
        "c.tsv",
        "--design",
        "LIB",
        "--rope",
        said="see `causalgia mpra analyze --help`",
    )
    refused("--bogus", said="see `causalgia --help`")


TWO_TASKS = QUICK.replace(
    "rope = [-0.1, 0.1]", "rope = {K562 = [-0.1, 0.1], HepG = [-0.1, 0.1]}"
)


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_region_for_an_unknown_task_is_refused_first(trial, tmp_path, verb):
    trial.write_text(TWO_TASKS)
    out = ("--out", tmp_path / "out") if verb == "run" else ()
    refused(verb, trial, *out, said=[str(trial), "[analysis]: rope", "'HepG'", "HepG2"])
    assert not (tmp_path / "out").exists()


@pytest.mark.rotating(6)
def test_one_unit_is_told_a_cure_that_works(trial, tmp_path):
    trial.write_text(QUICK.replace("n_units = 300", "n_units = 1"))
    call("run", trial, "--out", tmp_path / "drawn")
    warned = call("estimate", tmp_path / "drawn").stderr
    assert "draw more units\n" in warned
    trial.write_text(
        trial.read_text().replace('placebo = "AGATAAG"\nat', 'embed = "AGCTAAG"\nat')
    )
    call("run", trial, "--out", tmp_path / "fixed")
    warned = call("estimate", tmp_path / "fixed").stderr
    assert "or ask --target units" in warned
    call("estimate", tmp_path / "fixed", "--target", "units")


def test_one_error_rate_of_a_planned_test():
    refused(
        "mpra",
        "power",
        "--q",
        "0.1",
        "--alpha",
        "0.05",
        said="--alpha 0.05 and --q 0.1 are two error rates of one test; leave --alpha or --q out",
    )
    assert "Error rate of the two-sided test" in " ".join(
        call("mpra", "power", "--help").stdout.split()
    )


_ONE_ARM = (
    "n_units = 50\n"
    "rng = 3\n"
    'null = {kind = "uniform", length = 60}\n'
    'predictor = {zoo = "gata1_like"}\n'
)


@pytest.mark.parametrize(
    ("text", "said", "unsaid"),
    [
        (
            '[arms."GATA1, core broken"]\nembed = "GATA"\ndelete = [1, 3]\nat = 3',
            '[arms."GATA1, core broken"] has embed and delete: one intervention an '
            "arm; combine them with "
            "steps = [{embed = ...}, {delete = ...}]",
            "levels",
        ),
        ('[arms."a b"]\nembedd = "GATA"', '[arms."a b"] has no key', "arms.a b"),
        (
            '[arms.X]\nembed = "AGAXAAG"\nat = 3',
            'a motif by its name or file is {file = "motifs.meme", motif = "GATA1"}',
            "in Python",
        ),
    ],
)
def test_errors_of_arms_are_in_the_words_of_the_file(trial, text, said, unsaid):
    trial.write_text(f"{_ONE_ARM}[arms.untreated]\n{text}\n")
    found = call("check", trial, code=2).stderr
    assert said in found
    assert unsaid not in found


def test_a_missing_file_of_sequences_is_named_by_its_table(trial):
    shuffled = _ONE_ARM.replace(
        'kind = "uniform", length = 60',
        'kind = "dinucleotide_shuffle", of = "peaks.fa"',
    )
    trial.write_text(f"{shuffled}[arms.untreated]\n")
    found = call("check", trial, code=2).stderr
    assert "[null]: of: " in found
    assert "peaks.fa: no such file" in found
    assert "Shuffle(" not in found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('"4"', "a position counted from 0, or a list such as [4, 12]"),
        ("[]", "give 1 position or more"),
    ],
)
def test_positions_are_a_list(tmp_path, given, said):
    path = tmp_path / "spacing.toml"
    call("init", "--experiment", "spacing", path)
    path.write_text(
        path.read_text().replace("distances = [4, 6, 9]", f"distances = {given}")
    )
    refused("check", path, said=said)


def test_an_unknown_control_has_one_wording_and_a_hint(results, bench):
    refused(
        "estimate",
        results,
        "--control",
        "gata1",
        said="control 'gata1' is not an arm; did you mean 'GATA1'? The",
    )
    asked = (
        "mpra",
        "analyze",
        bench / "counts.tsv.gz",
        "--design",
        bench / "LIB",
        "--out",
        bench / "none",
    )
    refused(
        *asked,
        "--control",
        "gata1",
        said="control 'gata1' is not an arm; did you mean 'GATA1'",
    )
    refused(*asked, "--contrasts", "GATA1 -", said="for example '`GATA1, near` - ")


@pytest.mark.rotating(6)
def test_a_plan_is_in_words_and_says_where_it_ends():
    asked = ("mpra", "cheapest", "--oligos", "1000")
    printed = call(*asked, "--max-replicates", "3").stdout
    assert "n_backgrounds" not in printed
    assert "price, USD" in printed
    assert "the largest numbers tried: replicates (--max-replicates)" in printed
    assert "(--depth)" not in call(*asked, "--depth", "100").stdout


def test_names_with_commas_are_quoted_in_lists(bench):
    printed = call("show", bench / "LIB").stdout
    assert "40 'placebo', 40 'GATA1, far', 40 'GATA1, near', 40 'GATA1'" in printed


def test_an_empty_table_is_called_empty(tmp_path, analyzed):
    (tmp_path / "empty.csv").write_text("\n")
    refused(
        "mpra",
        "compare",
        tmp_path / "empty.csv",
        analyzed[0],
        said="empty.csv: is empty; give columns",
    )


def test_a_new_folder_is_named(tmp_path):
    assert (
        f"in the new folder {tmp_path / 'new'}."
        in call("init", tmp_path / "new" / "x.toml").stdout
    )
    assert "new folder" not in call("init", tmp_path / "y.toml").stdout


def test_the_parts_of_a_measured_report_are_one_line_apart(analyzed):
    assert "Counts: " in analyzed[1].split("\n\n")[2]
    assert "\n\n\n" not in analyzed[1]


def test_a_file_in_the_place_of_a_folder_is_named_with_the_folder_to_give(
    tmp_path, monkeypatch
):
    """`analyze trial.toml` advised `run trial.toml --out trial.toml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my trial.toml").write_text(QUICK)
    call("run", "my trial.toml", "--out", "my results")
    for command in ("analyze", "estimate", "show", "refute", "reproduce"):
        refused(
            command,
            "my trial.toml",
            said="such as: causalgia run 'my trial.toml' --out results",
        )
        refused(
            command,
            "my results/outcomes.nc",
            said="is a file; give the folder that it lies in, 'my results'",
        )


@pytest.mark.parametrize(
    ("file", "what"),
    [("motifs.tsv", "the motifs that"), ("concordance.nc", "a comparison of")],
)
def test_a_folder_without_a_trial_is_not_advised_to_run_one_in_it(tmp_path, file, what):
    (tmp_path / file).write_text("")
    for command in ("show", "analyze"):
        refused(
            command,
            tmp_path,
            said=[
                f"holds {what}",
                f"and no trial; see it with: causalgia report {tmp_path}",
            ],
        )


def test_a_check_that_is_none_is_named_as_an_option(tmp_path):
    (tmp_path / "trial.toml").write_text(QUICK)
    call("run", tmp_path / "trial.toml", "--out", tmp_path / "results")
    refused(
        "refute",
        tmp_path / "results",
        "--check",
        "nosuch",
        said="--check nosuch is not a check; use one of positive",
    )


def test_an_empty_table_of_counts_is_said_to_be_empty(bench, tmp_path):
    (tmp_path / "counts.tsv").write_text("")
    said = "counts.tsv: line 1 is empty; the table is tab-separated (or has commas"
    refused(
        "mpra",
        "analyze",
        tmp_path / "counts.tsv",
        "--design",
        bench / "LIB",
        "--out",
        tmp_path / "out",
        said=said,
    )


@pytest.mark.rotating
def test_the_price_list_to_copy_is_where_the_error_says(tmp_path):
    (tmp_path / "prices.toml").write_text("")
    error = call(
        "mpra",
        "cheapest",
        "--half-width",
        "0.1",
        "--price",
        tmp_path / "prices.toml",
        code=2,
    ).stderr
    packaged = error.partition("copy the packaged one (")[2].partition(")")[0]
    shutil.copy(packaged, tmp_path / "prices.toml")
    assert (
        "Prices of "
        in call(
            "mpra",
            "cheapest",
            "--half-width",
            "0.1",
            "--price",
            tmp_path / "prices.toml",
        ).stdout
    )


OWN = """
n_units = 60
rng = 1
null = {kind = "dinucleotide_shuffle", of = "peaks.fa"}
predictor = {factory = "net.py:load", tasks = ["gc"], scale = "share"}
arms = {none = {}, GC = {embed = "GCGCGC", at = 10}}
analysis = {control = "none"}
"""


@pytest.fixture
def own(tmp_path):
    """A trial of a network of one's own, on shuffles of sequences that have a run of A
    in their middle.
    """
    rows = np.random.default_rng(0).choice(list("ACGT"), (60, 30))
    rows[:, 10:20] = "A"
    (tmp_path / "peaks.fa").write_text(
        "".join(f">{i}\n{''.join(row)}\n" for i, row in enumerate(rows))
    )
    (tmp_path / "net.py").write_text(
        "def load():\n    return lambda x: x[:, 1:3].mean((1, 2))\n"
    )
    (tmp_path / "trial.toml").write_text(OWN)
    return tmp_path


def test_tasks_of_a_network_are_a_key_of_its_own_table(own):
    """`tasks` are in two tables, and the error named the other one."""
    (own / "trial.toml").write_text(OWN.replace('["gc"]', '["gc", "at"]'))
    said = (
        "the network has 1 output and tasks in [predictor] names 2: ['gc', 'at']; name "
        "each output"
    )
    found = call("run", own / "trial.toml", "--out", own / "results", code=2)
    assert said in found.stderr


@pytest.mark.rotating(6)
def test_cures_of_checks_can_be_followed(own):
    """A trial on shuffles was advised to repeat on shuffles, and a check that was left
    out to be `checks=[...]`.
    """
    call("run", own / "trial.toml", "--out", own / "results")
    found = call("refute", own / "results", "--notes").stdout
    assert "ask for it by name: --check.\n" in found
    found = call(
        "refute", own / "results", "--check", "classifier", "--check", "kernel_distance"
    ).stdout
    assert (
        "repeat the trial on the sequences themselves, which it shuffled: [null] kind "
        '= "genomic"' in found
    )
    assert "dinucleotide_shuffle" not in found


def test_a_plan_is_on_the_scale_that_the_file_says(own, tmp_path):
    """The plan loads no predictor, and called every scale "outcome"."""
    said = "Estimand: mean over units of outcome under 'GC' minus outcome under 'none'"
    found = call("plan", own / "trial.toml", "--notes").stdout
    assert f"{said}, on share.\n" in found
    (tmp_path / "zoo.toml").write_text(QUICK)
    assert ", on outcome" not in call("plan", tmp_path / "zoo.toml", "--notes").stdout

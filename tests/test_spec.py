# Imports from the inside: the predictor of a trial file, and the names of the zoo.
"""A trial as a file: what is read, and the way back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import causalgia as cg
from causalgia.analysis import Analysis
from causalgia.errors import DesignError
from causalgia.mpra import BarcodeRules, Controls, OligoRules, library
from causalgia.trial_file import (
    TrialSpec,
    read_analysis,
    read_library_spec,
    read_spec,
    starter,
)
from causalgia.trial_file.trial_spec import PredictorSpec
from causalgia.zoo.oracles import names as zoo_names

MINIMAL = """
n_units = 20
rng = 0
[null]
kind = "uniform"
length = 60
[predictor]
zoo = "gata1_like"
[arms.untreated]
[arms.GATA1]
embed = "AGATAAG"
at = 20
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "peaks.fa").write_text(
        ">a\nACGTACGATCAGCATCAGCA\n>b\nACCGTTGACGATTTACCATG\n"
    )
    (tmp_path / "my_net.py").write_text(
        "def load():\n    raise RuntimeError('not to be imported here')\n"
    )
    (tmp_path / "net.safetensors").write_bytes(b"")
    (tmp_path / "motifs.meme").write_text(
        "MEME version 4\n\n"
        "ALPHABET= ACGT\n\n"
        "MOTIF GATA1\n"
        "letter-probability matrix: alength= 4 w= 4\n"
        "0.1 0.1 0.7 0.1\n"
        "0.9 0.05 0.02 0.03\n"
        "0.1 0.1 0.1 0.7\n"
        "0.9 0.05 0.02 0.03\n"
    )
    return tmp_path


def written(folder, text, name="trial.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def with_line(line, *, after="rng = 0"):
    assert after in MINIMAL
    return MINIMAL.replace(after, f"{after}\n{line}", 1)


def test_minimal_trial_is_read(folder):
    spec = read_spec(written(folder, MINIMAL))
    assert spec.name == "trial"
    assert spec.design == cg.Design(
        null=cg.Uniform(length=60),
        arms={"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)},
        n_units=20,
    )
    assert spec.predictor == PredictorSpec(zoo="gata1_like")
    assert spec.analysis == Analysis()


def test_starter_is_a_whole_trial_that_comes_back(folder):
    spec = read_spec(written(folder, starter()))
    assert (
        sum(arm.intervention.kind == "fixed_placebo" for arm in spec.design.named_arms)
        == 40
    )
    assert spec.analysis.control == "placebo"
    assert spec.predictor.zoo in zoo_names()


def test_every_commented_alternative_of_the_starter_is_understood(folder):
    (folder / "peaks.fa.gz").write_bytes(
        __import__("gzip").compress((folder / "peaks.fa").read_bytes(), mtime=0)
    )
    swaps = [
        (
            'kind = "uniform"\nlength = 200',
            'kind = "dinucleotide_shuffle"\nof = "peaks.fa.gz"',
        ),
        ("at = 100", "at = 5"),
        ("n_units = 1000", "n_units = 60"),
        (
            'zoo = "gata1_like"',
            'factory = "my_net.py:load"\n'
            'weights = "net.safetensors"\n'
            'alphabet = "ACGT"',
        ),
        ('assignment = "crossover"', 'assignment = "parallel"\nblocks = "parent"'),
        ("\nn = 40 ", "\nn = 4 "),
        ("ci_prob = 0.95", "ci_prob = 0.9"),
        ('# error = "fdr"  ', 'error = "fwer"  '),
        ("# largest = 6.0", "largest = 6.0"),
        ("# [analysis.shrink]", "[analysis.shrink]"),
        ("# all_rows = true", "all_rows = true"),
        ("# [analysis.shrink.prior]", "[analysis.shrink.prior]"),
        ("# tau_scale = 1.0", "tau_scale = 1.0"),
        ('# [arms."GATA1 motif"]', '[arms."GATA1 motif"]'),
        (
            '# embed = { file = "motifs.meme", motif = "GATA1" }\n# at = 5',
            'embed = { file = "motifs.meme", motif = "GATA1" }\nat = 5',
        ),
        ("# levels = { site = 100 }", "levels = { site = 100 }"),
    ]
    text = starter()
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new)
    spec = read_spec(written(folder, text))
    assert spec.design.assignment == "parallel"
    assert spec.analysis == Analysis(
        control="placebo",
        rope=(-0.1, 0.1),
        error="fwer",
        ci_prob=0.9,
        shrink=cg.Shrinkage(all_rows=True, prior=cg.Prior(tau_scale=1)),
        largest=6,
    )
    assert spec.design.named_arms[-5].factors == {"site": 100}


@pytest.mark.real
def test_the_shared_sketch_parses(shared, folder):
    parents = "".join(f">{i}\n{'ACGTTGCATCAG' * 100}\n" for i in range(3))
    (folder / "peaks.fa.gz").write_bytes(
        __import__("gzip").compress(parents.encode(), mtime=0)
    )
    text = (
        shared / "design" / "trial.toml"
    ).read_text()  # older than two names, and of too few contrasts
    for old, new in (("bayes_fdr", "fdr"), ("level = 0.95", "ci_prob = 0.95")):
        assert old in text or new in text
        text = text.replace(old, new)
    spec = read_spec(written(folder, text))
    names = [arm.name for arm in spec.design.named_arms]
    assert names[:4] == ["untreated", "placebo", "GATA1", "GATA1 x2"]
    assert len(names) == 44
    assert (
        str(spec.design.named_arms[3].intervention)
        == "do(x[1000:1007] = AGATAAG, x[1030:1037] = AGATAAG)"
    )
    assert spec.analysis == Analysis(
        control="placebo", rope=(-0.1, 0.1), error="fdr", ci_prob=0.95
    )
    assert spec.predictor.tasks == ("K562", "HepG2")


def test_placebos_are_those_of_the_function(folder):
    text = MINIMAL + '[placebos]\nof = "AGATAAG"\nat = 20\nn = 5\nstrand = "-"\n'
    spec = read_spec(written(folder, text))
    words = cg.placebos("AGATAAG", at=20, n_placebos=5, strand="-")
    assert {arm.name: arm.intervention for arm in spec.design.named_arms[2:]} == words


def test_files_are_found_beside_the_trial_and_nothing_is_imported(
    folder, monkeypatch, tmp_path_factory
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    text = MINIMAL.replace(
        'kind = "uniform"\nlength = 60', 'kind = "shuffle"\nof = "peaks.fa"'
    ).replace("at = 20", "at = 3")
    text = text.replace(
        'zoo = "gata1_like"',
        'factory = "my_net.py:load"\nweights = "net.safetensors"\nscale = "log counts"',
    )
    text += '[arms.motif]\nembed = { file = "motifs.meme", motif = "GATA1" }\nat = 2\n'
    spec = read_spec(written(folder, text))
    assert spec.predictor.factory == f"{folder / 'my_net.py'}:load"
    assert spec.predictor.weights == str(folder / "net.safetensors")
    assert spec.design.null.parents_given.names == ("a", "b")
    assert read_spec(written(folder / "..", spec.to_toml(), "copy.toml")) == spec


def test_a_reserve_is_read_and_written(folder):
    null = 'kind = "shuffle"\nof = "peaks.fa"'
    text = (
        with_line("reserve = 0.5")
        .replace('kind = "uniform"\nlength = 60', null)
        .replace("at = 20", "at = 3")
    )
    spec = read_spec(written(folder, text))
    assert spec.design.reserve == 0.5
    assert (
        len(spec.design.drawn.parents_given)
        == len(spec.design.reserved.parents_given)
        == 1
    )
    assert read_spec(written(folder, spec.to_toml(), "copy.toml")) == spec


def test_letters_are_letters_unless_a_file_has_that_name(folder):
    text = MINIMAL.replace(
        'kind = "uniform"\nlength = 60',
        'kind = "shuffle"\nof = "ACGTACGTAACCGGTTACGTACGTAACCGGTTACGT"',
    )
    assert read_spec(written(folder, text)).design.null.length == 36
    (folder / "ACGT").write_text(">x\n" + "ACGTC" * 12 + "\n")
    text = MINIMAL.replace(
        'kind = "uniform"\nlength = 60', 'kind = "shuffle"\nof = "ACGT"'
    )
    assert read_spec(written(folder, text)).design.null.length == 60


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12
)


@settings(
    max_examples=settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    rng=st.integers(0, 2**62),
    ci_prob=st.floats(0.5, 0.99),
    rope=st.none()
    | st.just("0.2 sd")
    | st.tuples(st.floats(-5, -0.1), st.floats(0.1, 5)),
)
def test_toml_round_trip(tmp_path, names, rng, ci_prob, rope):
    arms = {name: cg.Embed("GATA", at=at) for at, name in enumerate(names)}
    spec = TrialSpec(
        name=names[0],
        design=cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=10),
        rng=rng,
        predictor=PredictorSpec(zoo="additive"),
        analysis=Analysis(
            control=names[-1],
            ci_prob=ci_prob,
            rope=rope,
            shrink=cg.Shrinkage(prior=cg.Prior(mu_sd=float("inf"))),
        ),
    )
    path = written(tmp_path, spec.to_toml())
    assert read_spec(path) == spec
    assert read_analysis(path) == spec.analysis
    assert Analysis.from_dict(json.loads(spec.attrs["analysis"])) == spec.analysis


def test_analysis_is_read_without_the_files_of_the_trial(folder):
    text = MINIMAL.replace(
        'kind = "uniform"\nlength = 60', 'kind = "shuffle"\nof = "gone.fa"'
    )
    path = written(
        folder, text + '[analysis]\ncontrol = "anything"\ncluster = "none"\n'
    )
    assert read_analysis(path) == Analysis(control="anything", cluster="none")


def test_a_byte_order_mark_is_no_key(folder):
    path = folder / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + starter().encode())
    assert read_spec(path).design == read_spec(written(folder, starter())).design
    assert read_analysis(path).control == "placebo"


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:12"])
def test_devices(device):
    assert PredictorSpec(factory="my_net.py:load", device=device).device == device
    if device in ("auto", "cpu"):
        assert PredictorSpec(zoo="gata1_like", device=device).device == device
    else:
        with pytest.raises(DesignError):
            PredictorSpec(zoo="gata1_like", device=device)


# the page about the file


def sections() -> dict[str, str]:
    page = (Path(__file__).parents[1] / "docs" / "trial_file.md").read_text()
    parts = page.split("\n## ")[1:]
    return {part.split("\n")[0].strip("`"): part for part in parts}


def test_the_interaction_of_the_page_is_understood(tmp_path):
    example = re.search(r"```toml\n(.*?)```", sections()["[arms.<name>]"], re.DOTALL)[1]
    head = (
        "n_units = 10\n"
        "rng = 0\n"
        'null = {kind = "uniform", length = 200}\n'
        'predictor = {zoo = "gata1_like"}\n'
    )
    (tmp_path / "trial.toml").write_text(head + example)
    spec = read_spec(tmp_path / "trial.toml")
    assert spec.analysis.interaction == ("GATA", "ebox")
    outcomes = cg.run(spec.design, cg.zoo.oracle("gata1_like"), rng=0, progress=False)
    assert (
        cg.contrast(outcomes, interaction=spec.analysis.interaction).sizes["contrast"]
        == 1
    )


# an experiment of the catalogue

WITHOUT_NULL = """
rng = 0
[experiment]
kind = "copies"
motif = "UGCAUG"
at = [4, 12]
[predictor]
zoo = "rbfox1_like"
"""
EXPERIMENT = f'{WITHOUT_NULL}[null]\nkind = "uniform"\nlength = 41\n'


def with_setting(line):
    return EXPERIMENT.replace("at = [4, 12]", f"at = [4, 12]\n{line}")


def at_the_top(line):
    return f"{line}\n{WITHOUT_NULL}"


def test_an_experiment_is_the_function_of_its_name(folder):
    spec = read_spec(written(folder, EXPERIMENT))
    assert spec.design == cg.experiments.copies(
        cg.Uniform(length=41), "UGCAUG", at=(4, 12)
    )
    assert spec.analysis == spec.design.analysis == Analysis(rope="0.1 of largest")
    text = (
        at_the_top("n_units = 50\nname = 'two'")
        + '[null]\nkind = "uniform"\nlength = 60\n'
    )
    spec = read_spec(written(folder, text))
    assert spec.design == cg.experiments.copies(
        cg.Uniform(length=60), "UGCAUG", at=(4, 12), n_units=50
    )
    assert spec.attrs["name"] == "two"
    contrasts = json.loads(spec.attrs["analysis"])["contrasts"]
    assert contrasts["2 copies"] == {
        "UGCAUG at 4, UGCAUG at 12": 1.0,
        "untreated": -1.0,
    }


@pytest.mark.parametrize(
    "text",
    [
        EXPERIMENT,
        with_setting("rope = [-0.1, 0.1]"),
        at_the_top("n_units = 50\nassignment = 'crossover'")
        + '[null]\nkind = "shuffle"\nof = "long.fa"\n',
        EXPERIMENT + '[analysis]\nerror = "fdr"\nci_prob = 0.9\nrope = 0\n',
        EXPERIMENT
        + (
            "[analysis]\n"
            'error = "fwer"\n'
            "largest = 6\n"
            "[analysis.shrink]\n"
            "prior = {tau_scale = 2}\n"
        ),
        EXPERIMENT.replace('"UGCAUG"', '{file = "motifs.meme", motif = "GATA1"}'),
    ],
)
def test_an_experiment_comes_back(folder, monkeypatch, tmp_path_factory, text):
    (folder / "long.fa").write_text(
        "".join(f">{i}\n{'ACGTTGCATCAG' * 5}\n" for i in range(3))
    )
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    spec = read_spec(written(folder, text))
    again = read_spec(written(tmp_path_factory.mktemp("other"), spec.to_toml()))
    assert again == spec
    assert again.design.analysis == spec.analysis
    assert "arms" not in spec.to_dict()


def test_the_analysis_of_the_file_wins_over_the_experiments_own(folder):
    path = written(
        folder,
        EXPERIMENT + '[analysis]\nrope = [-0.3, 0.3]\nerror = "fwer"\n',
    )
    spec = read_spec(path)
    assert spec.design.analysis == Analysis(rope=(-0.3, 0.3), error="fwer")
    assert read_spec(
        written(folder, with_setting("rope = [-0.3, 0.3]"), "rope.toml")
    ).analysis.rope == (-0.3, 0.3)
    kept = Analysis(control="untreated", rope="0.2 sd", ci_prob=0.9)
    assert read_analysis(path, stored=kept) == Analysis(
        control="untreated",
        rope=(-0.3, 0.3),
        error="fwer",
        ci_prob=0.9,
    )
    assert (
        read_analysis(written(folder, MINIMAL, "arms.toml"), stored=kept) == Analysis()
    )


def test_sequences_are_a_setting_or_a_genomic_null(folder):
    letters = ["ACGATGCATGCCATTGACCA", "ACCGTTGACGATTTACCATG", "TTGACATTGCATGCCAGTAC"]
    (folder / "real.fa").write_text(
        "".join(f">{i}\n{row}\n" for i, row in enumerate(letters))
    )
    head = (
        "rng = 0\n"
        "[predictor]\n"
        'zoo = "additive"\n'
        "[analysis]\n"
        "rope = 0\n"
        "[experiment]\n"
        'kind = "sufficiency"\n'
    )
    made = cg.experiments.sufficiency(letters, tiles=[(5, 11)], rope=0)
    for sequences in ('"real.fa"', json.dumps(letters)):
        spec = read_spec(
            written(folder, f"{head}tiles = [[5, 11]]\nsequences = {sequences}\n")
        )
        assert spec.design.named_contrasts == made.named_contrasts
        assert spec.design.n_units == made.n_units
    null = 'tiles = [[5, 11]]\n[null]\nkind = "genomic"\nof = "real.fa"\n'
    spec = read_spec(written(folder, head + null))
    assert spec.design.n_units == made.n_units
    assert read_spec(written(folder, spec.to_toml(), "again.toml")) == spec


def test_a_design_that_names_its_contrasts_comes_back(folder):
    text = with_line("contrasts = {site = {GATA1 = 1, untreated = -1}}")
    spec = read_spec(written(folder, text))
    assert dict(spec.design.named_contrasts) == {"site": {"GATA1": 1, "untreated": -1}}
    assert read_spec(written(folder, spec.to_toml(), "again.toml")) == spec


def test_the_experiment_of_the_page_is_understood(folder):
    example = re.search(r"```toml\n(.*?)```", sections()["[experiment]"], re.DOTALL)[1]
    spec = read_spec(written(folder, example))
    assert (spec.design.n_units, spec.analysis.ci_prob) == (500, 0.9)


def test_the_mpra_table_is_grouped_as_the_arguments_of_a_library(tmp_path):
    more = (
        "gc = [0.2, 0.8]\n"
        'motifs = ["CACGTG"]\n'
        "n_scrambles = 5\n"
        "min_distance = 2\n"
        'seeds = ["ACGTAC"]'
    )
    (tmp_path / "trial.toml").write_text(BENCH + more)
    options = read_library_spec(tmp_path / "trial.toml").options
    assert options["rules"] == OligoRules(
        avoid=["EcoRI"], gc=(0.2, 0.8), motifs=["CACGTG"]
    )
    assert options["controls"] == Controls(n_scrambles=5)
    assert options["barcode_rules"] == BarcodeRules(
        length=15, min_distance=2, seeds=["ACGTAC"]
    )


BENCH = """
name = "bench"
n_units = 40
rng = 7
null = {kind = "uniform", length = 100}
arms = {placebo = {placebo = "AGATAAG", at = 46}, GATA1 = {embed = "AGATAAG", at = 46}}
analysis = {control = "placebo"}

[mpra]
oligo_length = 130
adapters = "lentimpra"
avoid = ["EcoRI"]
"""


def test_a_library_is_read_without_a_predictor(tmp_path):
    (tmp_path / "trial.toml").write_text(BENCH)
    spec = read_library_spec(tmp_path / "trial.toml")
    assert spec.options == {
        "oligo_length": 130,
        "adapters": "lentimpra",
        "rules": OligoRules(avoid=["EcoRI"]),
    }
    assert (spec.rng, spec.design.arm_names, spec.analysis.control) == (
        7,
        ["placebo", "GATA1"],
        "placebo",
    )
    assert (
        library(spec.design, rng=spec.rng, **spec.options).sizes["row"] == 40 * 2 + 100
    )


def test_sites_that_are_meant_are_a_table_and_a_junction_may_be_empty(tmp_path):
    own = 'adapters = ["ACGTA", "", "TTGCA"]\navoid = {EcoRI = 0, XbaI = 1}'
    text = BENCH[: BENCH.index("adapters")] + own
    (tmp_path / "trial.toml").write_text(
        text.replace("[mpra]", 'predictor = {zoo = "gata1_like"}\n[mpra]')
    )
    spec = read_library_spec(tmp_path / "trial.toml")
    assert spec.options["adapters"] == ("ACGTA", "", "TTGCA")
    assert spec.options["rules"].avoid == {"EcoRI": 0, "XbaI": 1}
    (tmp_path / "again.toml").write_text(read_spec(tmp_path / "trial.toml").to_toml())
    assert read_library_spec(tmp_path / "again.toml").options == spec.options
    (tmp_path / "trial.toml").write_text(text.replace("XbaI = 1", "XbaI = -1"))
    with pytest.raises(DesignError):
        read_library_spec(tmp_path / "trial.toml")


def test_a_trial_keeps_its_mpra_table(tmp_path):
    text = BENCH.replace(
        "[mpra]", 'predictor = {zoo = "gata1_like"}\n[mpra]\npositives = "some.fa"'
    )
    (tmp_path / "trial.toml").write_text(text)
    spec = read_spec(tmp_path / "trial.toml")
    assert spec.mpra["positives"] == str(tmp_path / "some.fa")
    (tmp_path / "again.toml").write_text(spec.to_toml())
    assert read_spec(tmp_path / "again.toml") == spec


def test_a_predictor_is_described_without_folders():
    spec = PredictorSpec(factory="/a/folder/net.py:load", weights="/a/folder/w.pt")
    assert spec.describe() == "net.py:load with w.pt"

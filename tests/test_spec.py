"""A trial as a file: what is read, what is refused and in which words, and the way
back.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import causalgia as cg
from causalgia.analysis import Analysis
from causalgia.arguments import MPRA, TABLES
from causalgia.choices import ERRORS, LAWS, SCALES, TARGETS
from causalgia.design.arms import INTERVENTIONS
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.effects.scales import _TRANSFORMS, OF_MEANS
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
from causalgia.trial_file.trial_tables import _arm_keys
from causalgia.zoo.oracles import names as zoo_names

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import trial_file_tables

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

SHARED = Path(__file__).parents[2] / "shared" / "design" / "trial.toml"


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


def refused(folder, text, *said):
    path = written(folder, text)
    with pytest.raises(DesignError) as caught:
        read_spec(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for words in said:
        assert words in message, message


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
        ("# rare = 0.01", "rare = 0.02"),
        ("# largest = 6.0", "largest = 6.0"),
        ("# [analysis.shrink]", "[analysis.shrink]"),
        ('# law = "student_t"', 'law = "student_t"'),
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
        shrink=cg.Shrinkage(law="student_t", prior=cg.Prior(tau_scale=1)),
        rare=0.02,
        largest=6,
    )
    assert spec.design.named_arms[-5].factors == {"site": 100}


def test_the_shared_sketch_parses(folder):
    if not SHARED.exists():
        pytest.skip("the sketch lies beside the repository")
    parents = "".join(f">{i}\n{'ACGTTGCATCAG' * 100}\n" for i in range(3))
    (folder / "peaks.fa.gz").write_bytes(
        __import__("gzip").compress(parents.encode(), mtime=0)
    )
    text = SHARED.read_text()  # older than two names, and of too few contrasts
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
            shrink=cg.Shrinkage(
                law="normal", prior=cg.Prior(tau="half_normal", mu_sd=float("inf"))
            ),
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


def test_what_the_file_may_say_is_what_the_verbs_take():
    assert set(SCALES) == {*_TRANSFORMS, *OF_MEANS} - {"bliss"}


UNKNOWN_KEYS = [
    (with_line("n_unit = 5"), "no key 'n_unit' at the top; did you mean 'n_units'?"),
    (with_line("seed = 5"), "no key 'seed' at the top; did you mean 'rng'?"),
    (
        MINIMAL + "[analysis]\nalpha = 0.05\n",
        "[analysis] has no key 'alpha'; did you mean 'ci_prob'?",
    ),
    (with_line("zzz = 5"), "no key 'zzz' at the top; it takes name, n_units, rng"),
    (
        with_line("of = 'x.fa'", after="length = 60"),
        "[null] has no key 'of'; it takes kind, length",
    ),
    (
        with_line("lenght = 60", after="length = 60"),
        "[null] has no key 'lenght'; did you mean 'length'?",
    ),
    (
        with_line("weight = 'x'", after='zoo = "gata1_like"'),
        "[predictor] has no key 'weight'; did you mean 'weights'?",
    ),
    (
        with_line("strnd = '-'", after="at = 20"),
        "[arms.GATA1] has no key 'strnd'; did you mean 'strand'?",
    ),
    (
        with_line("fill = 'A'", after="at = 20"),
        "[arms.GATA1] has no key 'fill'; it takes embed, at, strand",
    ),
    (
        MINIMAL.replace("embed", "embd"),
        "[arms.GATA1] has no key 'embd'; did you mean 'embed'?",
    ),
    (
        MINIMAL + "[placebos]\nof = 'AGATAAG'\nat = 20\nnumber = 5\n",
        "[placebos] has no key 'number'",
    ),
    (
        MINIMAL + "[analysis]\ncontorl = 'untreated'\n",
        "[analysis] has no key 'contorl'; did you mean 'control'?",
    ),
    (
        MINIMAL + "[analyses]\ncontrol = 'untreated'\n",
        "no key 'analyses' at the top; did you mean 'analysis'?",
    ),
    (
        MINIMAL.replace(
            'embed = "AGATAAG"\nat = 20',
            "steps = [{ embed = 'GATA', at = 1 }, { delete = [9, 12], too = 3 }]",
        ),
        "[arms.GATA1], step 2 has no key 'too'",
    ),
]

WRONG_VALUES = [
    (
        MINIMAL.replace("n_units = 20", 'n_units = "20"'),
        "n_units = '20' must be a whole number of at least 1",
    ),
    (
        MINIMAL.replace("n_units = 20", "n_units = true"),
        "n_units = True must be a whole number",
    ),
    (MINIMAL.replace("n_units = 20", "n_units = 0"), "n_units = 0 must be"),
    (
        MINIMAL.replace("rng = 0", "rng = -1"),
        "rng = -1 must be a whole number of at least 0",
    ),
    (MINIMAL.replace("rng = 0", "rng = 1.5"), "rng = 1.5 must be"),
    (with_line("name = 3"), "name = 3 must be text"),
    (with_line('assignment = "paralel"'), '"crossover", "parallel"'),
    (
        with_line("reserve = 1"),
        "reserve = 1 must be a share of the parents, 0 or more and below 1",
    ),
    (with_line("reserve = 0.5"), "have no parents to reserve; leave reserve= out"),
    (with_line("blocks = 3"), 'blocks = 3 must be "parent", or a list'),
    (with_line("arms = 3").split("[arms.untreated]")[0], "arms = 3 must be a table"),
    (
        MINIMAL.replace('kind = "uniform"', 'kind = "unifrom"'),
        "kind = 'unifrom' is not a null model; did you mean 'uniform'?",
    ),
    (MINIMAL.replace('kind = "uniform"', "kind = 3"), "kind = 3 is not a null model"),
    (
        MINIMAL.replace("length = 60", 'length = "60"'),
        "length='60' must be a whole number",
    ),
    (
        MINIMAL.replace("length = 60", ""),
        "[null] of kind 'uniform' needs 'length'; it has kind",
    ),
    (MINIMAL.replace('kind = "uniform"', ""), "[null] needs 'kind'"),
    (MINIMAL.replace('zoo = "gata1_like"', ""), 'either zoo = "..." or factory'),
    (
        with_line('factory = "a.py:f"', after='zoo = "gata1_like"'),
        'either zoo = "..." or factory',
    ),
    (
        with_line('weights = "x"', after='zoo = "gata1_like"'),
        "'weights' is for a factory",
    ),
    (
        MINIMAL.replace('zoo = "gata1_like"', 'factory = "my_net.load"'),
        "must be a file and a function",
    ),
    (
        MINIMAL.replace('zoo = "gata1_like"', 'factory = "nope.py:load"'),
        "factory = 'nope.py': no such file",
    ),
    (
        MINIMAL.replace(
            'zoo = "gata1_like"', 'factory = "my_net.py:load"\nweights = "w.pt"'
        ),
        "weights = 'w.pt': no such file",
    ),
    (
        MINIMAL.replace(
            'zoo = "gata1_like"', 'factory = "my_net.py:load"\ntasks = ["K562", 3]'
        ),
        "tasks = ['K562', 3] must be a list",
    ),
    (
        MINIMAL.replace(
            'zoo = "gata1_like"', 'factory = "my_net.py:load"\nbatch_size = 0'
        ),
        "batch_size = 0 must be",
    ),
    (
        MINIMAL.replace("at = 20", 'at = "20"'),
        "arm 'GATA1': at='20' must be a whole number",
    ),
    (MINIMAL.replace("at = 20", "at = 55"), "arm 'GATA1': "),
    (MINIMAL.replace("at = 20", ""), "arm 'GATA1': embed needs at"),
    (MINIMAL.replace('embed = "AGATAAG"', 'embed = "AGAXAAG"'), "arm 'GATA1': "),
    (
        MINIMAL.replace(
            'embed = "AGATAAG"', 'embed = { file = "no.meme", motif = "GATA1" }'
        ),
        "no.meme",
    ),
    (
        MINIMAL.replace(
            'embed = "AGATAAG"', 'embed = { file = "motifs.meme", motif = "TAL1" }'
        ),
        "no motif 'TAL1'; it has GATA1",
    ),
    (
        MINIMAL.replace('embed = "AGATAAG"\nat = 20', "delete = 3"),
        "a span is (start, stop), not 3",
    ),
    (
        MINIMAL.replace('embed = "AGATAAG"\nat = 20', "steps = 3"),
        "steps = 3 must be a list of tables",
    ),
    (with_line("levels = 3", after="at = 20"), "levels = 3 must be a table"),
    (MINIMAL + "[arms]\nother = 3\n", "[arms.other]: 3 is not a table such as"),
    (MINIMAL.replace("[arms.untreated]\n", ""), "at least two arms"),
    (MINIMAL + "[placebos]\nof = 'AGATAAG'\nat = 20\n", "[placebos] needs 'n'"),
    (
        MINIMAL + "[placebos]\nof = 'AGATAAG'\nat = 20\nn = 0\n",
        "n = 0 must be a whole number of at least 1",
    ),
    (MINIMAL + "[placebos]\nof = 'AAAA'\nat = 20\nn = 3\n", "[placebos]: "),
    (
        MINIMAL + "[placebos]\nof = 'AGATAAG'\nat = 20\nn = 3\nstrand = 'x'\n",
        "strand = 'x' must be one of",
    ),
    (
        MINIMAL + "[analysis]\ncontrol = 'GATA'\n",
        "control = 'GATA', which is not an arm; did you mean 'GATA1'?",
    ),
    (
        MINIMAL + "[analysis]\ncontrol = ['untreated']\n",
        "control = ['untreated'] must be text",
    ),
    (
        MINIMAL + "[analysis]\ncontrol = 'GATA1'\ninteraction = ['A', 'B']\n",
        "control and interaction ask different questions",
    ),
    (
        MINIMAL + "[analysis]\ninteraction = ['A', 'B']\n",
        "interaction names 'A', which is not a factor",
    ),
    (
        MINIMAL + "[analysis.contrasts]\nx = { GATA1 = 1, untreated = -0.5 }\n",
        "weights that sum to 0",
    ),
    (
        MINIMAL + "[analysis.contrasts]\nx = { GATA1 = 1, nobody = -1 }\n",
        "'x' names 'nobody', which is not an arm",
    ),
    (MINIMAL + "[analysis]\nci_prob = 95\n", "ci_prob = 95 is not a number from 0.5"),
    (
        MINIMAL + "[analysis]\nrope = [0.1, -0.1]\n",
        "rope = [0.1, -0.1] is reversed; give the lower end first: rope = [-0.1, 0.1]",
    ),
    (MINIMAL + "[analysis]\nrope = [-inf, 0.1]\n", "rope = "),
    (MINIMAL + "[analysis]\ntarget = 'people'\n", "target = 'people' must be one of"),
    (MINIMAL + "[analysis]\nadjust = 'bh'\n", "there is no 'adjust'; it is the error"),
    (MINIMAL + "[analysis]\nerror = 'bh'\n", "error = 'bh' has another name: 'fdr'"),
    (MINIMAL + "[analysis]\nscale = 'ln'\n", "scale = 'ln' must be one of"),
    (MINIMAL + "[analysis]\nlevel = 0.9\n", "there is no 'level'; it is ci_prob"),
    (MINIMAL + "[analysis]\nci_prob = '95 %'\n", "ci_prob = '95 %' is not a number"),
    (MINIMAL.replace("n_units = 20", ""), "a trial needs 'n_units'"),
    (MINIMAL.replace("rng = 0", ""), "a trial needs 'rng'"),
    (
        MINIMAL.replace("rng = 0", "rng = "),
        "not valid TOML: Invalid value (at line 3, column 7)",
    ),
]


@pytest.mark.parametrize(
    ("text", "said"),
    UNKNOWN_KEYS + WRONG_VALUES,
    ids=[said for _, said in UNKNOWN_KEYS + WRONG_VALUES],
)
def test_what_is_not_understood_is_refused(folder, text, said):
    assert text != MINIMAL
    refused(folder, text, said)


def test_a_missing_fasta_is_named(folder):
    text = MINIMAL.replace(
        'kind = "uniform"\nlength = 60', 'kind = "shuffle"\nof = "no.fa"'
    )
    refused(folder, text, str(folder / "no.fa"))


def test_files_that_are_no_text(folder):
    with pytest.raises(DesignError, match=r"gone\.toml: no such file; `causalgia init"):
        read_spec(folder / "gone.toml")
    with pytest.raises(DesignError, match="is a folder; give the path of one file"):
        read_spec(folder)
    (folder / "latin.toml").write_bytes("name = 'é'".encode("latin-1"))
    with pytest.raises(
        DesignError, match=re.escape("not a text file in UTF-8 (byte 8)")
    ):
        read_spec(folder / "latin.toml")


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
        with pytest.raises(
            DesignError, match="a predictor of the zoo runs on the CPU; say cpu or auto"
        ):
            PredictorSpec(zoo="gata1_like", device=device)


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "CPU", "cpu\n"])
def test_no_device(folder, device):
    text = starter().replace(
        'zoo = "gata1_like"', f"zoo = 'gata1_like'\ndevice = {json.dumps(device)}"
    )
    with pytest.raises(
        DesignError,
        match=r"\[predictor\]: device = '.*' (is not a device|must be text)",
    ):
        read_spec(written(folder, text))


# the page about the file


def sections() -> dict[str, str]:
    page = (Path(__file__).parents[1] / "docs" / "howto" / "trial_file.md").read_text()
    parts = page.split("\n## ")[1:]
    return {part.split("\n")[0].strip("`"): part for part in parts}


def cells_of(section: str, column: int) -> set[str]:
    lines = [
        line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")
    ][1:]
    return {key for cells in lines for key in re.findall(r"`(\w+)`", cells[column])}


@pytest.mark.parametrize(
    ("section", "table"),
    [("At the top", ""), *((table, table) for table in TABLES if table)],
)
def test_the_page_has_every_key_and_no_other(section, table):
    name = f"_{table.strip('[]') or 'top'}.md"
    assert f"```{{include}} {name}\n```" in sections()[section]
    assert cells_of(trial_file_tables.tables()[name], 0) == set(TABLES[table])


def test_the_page_has_every_null_model_and_intervention():
    assert all(
        f"```{{include}} {name}\n" in "".join(sections().values())
        for name in trial_file_tables.tables()
    )
    null = trial_file_tables.tables()["_null_models.md"]
    assert cells_of(null, 0) == set(NULL_MODELS)
    options = {
        field.name
        for kind in NULL_MODELS.values()
        for field in fields(kind)
        if field.init
    }
    assert cells_of(null, 1) == options
    arms = trial_file_tables.tables()["_arms.md"]
    assert {key for verb in INTERVENTIONS for key in _arm_keys({verb: 1})} == cells_of(
        arms, 0
    )
    assert all(
        f"`{key} = " in sections()["[arms.<name>]"] for key in ("steps", "levels")
    )


def test_the_page_has_every_value_that_is_one_of_a_few():
    tables = trial_file_tables.tables()
    page = tables["_analysis.md"] + tables["_targets.md"]
    assert all(f'"{value}"' in page for value in (*TARGETS, *SCALES, *LAWS, *ERRORS))


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

EXPERIMENT = """
rng = 0
[experiment]
kind = "copies"
at = [4, 12]
[predictor]
zoo = "rbfox1_like"
"""


def with_setting(line):
    return EXPERIMENT.replace("at = [4, 12]", f"at = [4, 12]\n{line}")


def at_the_top(line):
    return f"{line}\n{EXPERIMENT}"


def test_an_experiment_is_the_function_of_its_name(folder):
    spec = read_spec(written(folder, EXPERIMENT))
    assert spec.design == cg.experiments.copies(at=(4, 12))
    assert spec.analysis == spec.design.analysis == Analysis(rope="0.2 sd", error="fdr")
    text = (
        at_the_top("n_units = 50\nname = 'two'")
        + '[null]\nkind = "uniform"\nlength = 60\n'
    )
    spec = read_spec(written(folder, text))
    assert spec.design == cg.experiments.copies(
        cg.Uniform(length=60), at=(4, 12), n_units=50
    )
    assert spec.attrs["name"] == "two"
    assert json.loads(spec.attrs["analysis"])["contrasts"]["linear trend"] == {
        "untreated": -1.0,
        "2 copies": 1.0,
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
            'law = "normal"\n'
            "prior = {tau_scale = 2}\n"
        ),
        with_setting('motif = {file = "motifs.meme", motif = "GATA1"}'),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            EXPERIMENT.replace('"copies"', '"copis"'),
            "there is no experiment 'copis'; did you mean 'copies'?",
        ),
        (
            EXPERIMENT.replace('kind = "copies"\n', ""),
            "[experiment] needs 'kind'; it has at",
        ),
        (EXPERIMENT.replace('"copies"', "3"), "there is no experiment 3; there are "),
        (
            with_setting("wrod = 'UGCAUG'"),
            "experiment 'copies' has no 'wrod'; it takes motif, at",
        ),
        (
            with_setting("zzz = 1"),
            "experiment 'copies' has no 'zzz'; it takes motif, at, control, rope",
        ),
        (
            with_setting("n_units = 5"),
            "[experiment]: n_units belongs at the top of the file",
        ),
        (
            with_setting("null = {kind = 'uniform'}"),
            "[experiment]: null belongs in [null]",
        ),
        (with_setting("motif = 3"), "motif"),
        (with_setting("rope = 'x'"), "rope = 'x' is not a region"),
        (
            with_setting("rope = 0") + "[analysis]\nrope = [-1, 1]\n",
            "rope is in [experiment] and another one is in",
        ),
        (EXPERIMENT.replace("[4, 12]", "[4, 6]"), "overlap"),
        (EXPERIMENT.replace("[4, 12]", "[4, 38]"), "38"),
        (at_the_top("n_units = 1"), "n_units = 1: the answer needs standard errors"),
        (at_the_top("n_units = 0"), "n_units = 0 must be a whole number"),
        (
            at_the_top("assignment = 'parallel'"),
            "gives every unit every arm: leave assignment out",
        ),
        (at_the_top("blocks = 'parent'"), "leave blocks out"),
        (at_the_top("contrasts = 'untreated'"), "leave contrasts out"),
        (
            EXPERIMENT + "[arms.untreated]\n",
            "[experiment] makes its own arms and contrasts: leave arms out",
        ),
        (
            EXPERIMENT + "[placebos]\nof = 'AGATAAG'\nat = 2\nn = 5\n",
            "leave placebos out",
        ),
        (
            EXPERIMENT + "[analysis]\ncontrol = 'untreated'\n",
            "[analysis]: control is not for an experiment",
        ),
        (
            EXPERIMENT + "[analysis]\ncontrasts = {x = {a = 1, b = -1}}\n",
            "[analysis]: contrasts is not for",
        ),
        (
            EXPERIMENT + "[analysis]\ninteraction = ['a', 'b']\n",
            "[analysis]: interaction is not for",
        ),
        (EXPERIMENT + "[analysis]\ncontrl = 'x'\n", "[analysis] has no key 'contrl'"),
        (
            EXPERIMENT + "[analysis]\ncluster = 'chromosome'\n",
            "not a coordinate of the units",
        ),
        (EXPERIMENT.replace("rng = 0\n", ""), "a trial needs 'rng'"),
        (
            EXPERIMENT.replace("[experiment]", "[experimnt]"),
            "no key 'experimnt' at the top; did you mean 'experiment'?",
        ),
        (EXPERIMENT + '[null]\nkind = "uniform"\nlength = 10\n', "12"),
    ],
)
def test_what_does_not_go_with_an_experiment_is_refused(folder, text, said):
    refused(folder, text, said)


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
        'kind = "context_dependence"\n'
    )
    made = cg.experiments.context_dependence(letters, element=(5, 11), rope=0)
    for sequences in ('"real.fa"', json.dumps(letters)):
        spec = read_spec(
            written(folder, f"{head}element = [5, 11]\nsequences = {sequences}\n")
        )
        assert spec.design.named_contrasts == made.named_contrasts
        assert spec.design.n_units == made.n_units
    null = 'element = [5, 11]\n[null]\nkind = "genomic"\nof = "real.fa"\n'
    spec = read_spec(written(folder, head + null))
    assert spec.design.n_units == made.n_units
    assert read_spec(written(folder, spec.to_toml(), "again.toml")) == spec
    refused(
        folder,
        head + 'sequences = "real.fa"\n' + null,
        "sequences and [null] are both given",
    )
    refused(folder, head + "element = [5, 11]\n", "needs 'sequences' in [experiment]")
    refused(
        folder,
        head + 'sequences = "gone.fa"\nelement = [5, 11]\n',
        str(folder / "gone.fa"),
    )
    refused(
        folder,
        "n_units = 9\n" + head + 'sequences = "real.fa"\nelement = [5, 11]\n',
        "leave n_units out",
    )


def test_a_design_that_names_its_contrasts_comes_back(folder):
    text = with_line("contrasts = {site = {GATA1 = 1, untreated = -1}}")
    spec = read_spec(written(folder, text))
    assert dict(spec.design.named_contrasts) == {"site": {"GATA1": 1, "untreated": -1}}
    assert read_spec(written(folder, spec.to_toml(), "again.toml")) == spec
    refused(
        folder, with_line("contrasts = {site = {GATA = 1, untreated = -1}}"), "GATA"
    )
    refused(
        folder, with_line("contrasts = 3"), "contrasts = 3 must be the name of the arm"
    )


def test_the_experiment_of_the_page_is_understood(folder):
    example = re.search(r"```toml\n(.*?)```", sections()["[experiment]"], re.DOTALL)[1]
    spec = read_spec(written(folder, example))
    assert (spec.design.n_units, spec.analysis.ci_prob) == (500, 0.9)


def test_the_mpra_table_has_every_option_of_a_library():
    options = {
        name
        for name, p in signature(library).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    }
    options -= {"rng", "rules", "controls", "barcode_rules"}
    options |= {field.name for kind in (OligoRules, Controls) for field in fields(kind)}
    assert set(MPRA) == options | {"barcode_length", "min_distance", "seeds"}


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
    with pytest.raises(DesignError, match="avoid = .* with how often each is meant"):
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


@pytest.mark.parametrize(
    ("mpra", "said"),
    [
        ("", r"there is no \[mpra\] table; add one"),
        ("[mpra]\noligo_length = 130", r"\[mpra\] needs 'adapters'"),
        (
            "[mpra]\noligo_lenght = 130",
            r"\[mpra\] has no key 'oligo_lenght'; did you mean 'oligo_length'",
        ),
        (
            '[mpra]\noligo_length = 130\nadapters = ["A"]',
            r"adapters = \['A'\] must be a construct",
        ),
        ('[mpra]\noligo_length = 130\nadapters = "x"\ngc = [0.2]', "two shares"),
        (
            '[mpra]\noligo_length = 130\nadapters = "x"\npositives = "no.fa"',
            "no such file",
        ),
    ],
)
def test_a_library_that_is_not_understood(tmp_path, mpra, said):
    path = tmp_path / "trial.toml"
    path.write_text(BENCH[: BENCH.index("[mpra]")] + mpra)
    with pytest.raises(DesignError, match=said) as caught:
        read_library_spec(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "table", ["experiment = 3", "experiment = []", "analysis = 3", "no_such = 1"]
)
def test_an_analysis_is_not_read_from_tables_of_another_kind(tmp_path, table):
    path = tmp_path / "trial.toml"
    path.write_text(table)
    with pytest.raises(
        DesignError, match=r"trial\.toml: .*(must be a table|no key 'no_such')"
    ):
        read_analysis(path, stored=Analysis())

"""What check, refute and the quality of counts advise is read from their words and done,
and the finding is gone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import cures
import numpy as np
import pytest
import xarray as xr
from cures import arguments, cure_in
from test_cli import call
from test_mpra_findings import again, reads, simulated, verdicts
from test_refutation import AT, WORD, claim_of, design, status

import causalgia as cg
from causalgia.mpra.formats.igvf import to_igvf
from causalgia.refutation.claim import Claim, NotApplicableError
from causalgia.refutation.null_shift import (
    _draw_samples,
    classifier,
    kernel_distance,
    kmer_composition,
    prediction_range,
)
from causalgia.refutation.placebo_controls import _clearest_again, positive_control
from causalgia.refutation.predictor_faults import _members, numerical_floor, strand
from causalgia.refutation.unit_faults import (
    _touched_units,
    degenerate_draws,
    junction_sites,
)
from causalgia.zoo import MotifCount, Oracle

RICH = np.random.default_rng(0).choice(list("ACGT"), (200, 41), p=(0.1, 0.4, 0.4, 0.1))
REAL = ["".join(row) for row in RICH]
ORDER = [1, 0, 2, 3]


def words(found: xr.Dataset, check: str) -> str:
    one = found.sel(check=check)
    return " ".join(str(one[name].item()) for name in ("what", "cure") if name in one)


def line(found: cg.Check, name: str) -> object:
    return next(one for one in found.findings if one.name == name)


# ---- the quality of counts


def copied(dna: np.ndarray, rna: np.ndarray) -> None:
    rna[:, 3] = rna[:, 1]


def apart(dna: np.ndarray, rna: np.ndarray) -> None:
    noise = 2 ** np.random.default_rng(0).normal(0, 3, len(rna) // 8)
    rna[:, 2] = np.rint(rna[:, 2] * np.repeat(noise, 8))


def two_kinds(dna: np.ndarray, rna: np.ndarray) -> None:
    noise = 2 ** np.random.default_rng(0).normal(0, 3, len(rna) // 8)
    for column in (2, 3):
        rna[:, column] = np.rint(rna[:, column] * np.repeat(noise, 8))


def doubled(dna: np.ndarray, rna: np.ndarray) -> None:
    rna[:, 1] *= 2


COUNTS: dict[str, tuple[Callable[..., None], str, list[list[str]]]] = {
    # what is wrong, what the finding advises, and the replicates that are read then
    "a copy": (copied, r"(leave one of the two out)", [["1", "2", "3"]]),
    "a replicate apart": (apart, r"or (leave it out)", [["1", "2", "4"]]),
    "two groups": (
        two_kinds,
        r"read one at a time \((replicates=)\)",
        [["1", "2"], ["3", "4"]],
    ),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", COUNTS)
def test_replicates_are_left_out_as_advised(case):
    spoil, cure, groups = COUNTS[case]
    counts = simulated()
    dna, rna = reads(counts)
    spoil(dna, rna)
    spoiled = again(counts, dna, rna)
    assert verdicts(spoiled)
    cure_in(" ".join(cg.report(cg.mpra.quality(spoiled)).split()), cure)
    for group in groups:
        assert verdicts(spoiled.sel(replicate=group)) == []


def test_raw_counts_are_given_as_advised():
    counts = simulated()
    dna, rna = reads(counts)
    doubled(dna, rna)
    spoiled = cg.mpra.quality(again(counts, dna, rna))
    cure_in(" ".join(cg.report(spoiled).split()), r"(give the raw counts)")
    assert verdicts(again(counts, *reads(counts))) == []


@pytest.mark.rotating
def test_a_replicate_is_left_out_in_the_shell_as_advised(tmp_path, monkeypatch):
    """The advice is in the words of the command, whose option is then given."""
    monkeypatch.chdir(tmp_path)
    counts = simulated()
    dna, rna = reads(counts)
    two_kinds(dna, rna)
    spoiled = again(counts, dna, rna)
    to_igvf(spoiled, "counts.tsv.gz", "reporter_experiment_barcode")
    side = spoiled[["element", "arm", "group"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv("arms.tsv", sep="\t")
    command = [
        "mpra",
        "analyze",
        "counts.tsv.gz",
        "--design",
        "arms.tsv",
        "--control",
        "c",
        "--out",
        "x",
    ]
    call(*command)
    text = " ".join((tmp_path / "x" / "quality.txt").read_text().split())
    option = cure_in(text, r"read one at a time \((\S+)\)")
    call(*command, "--force", option, "1,2")
    assert "two groups" not in (tmp_path / "x" / "quality.txt").read_text()


# ---- refutations


def test_backgrounds_unlike_real_sequences_are_replaced_as_advised():
    oracle = cg.zoo.oracle("additive")
    checks = {
        "k-mer composition": kmer_composition,
        "classifier": classifier,
        "kernel distance": kernel_distance,
    }
    uniform = claim_of(design(), oracle, real=REAL)
    for name, check in checks.items():
        found = check(uniform)
        assert status(found, name) != "pass", name
        null = cure_in(words(found, name), r"or on these: (cg\.Genomic\(of=\.\.\.\))")
        null = eval(null.replace("...", "REAL"), {"cg": cg, "REAL": REAL})
        again_ = check(claim_of(design(len(REAL), null), oracle, real=REAL))
        assert status(again_, name) == "pass", name


def test_a_range_beyond_real_sequences_is_cured_as_advised():
    oracle = Oracle(MotifCount("CG", 1.0))
    found = prediction_range(claim_of(design(), oracle, real=REAL))
    name = found["check"].values[0]
    if status(found, name) == "pass":
        pytest.fail(words(found, name))
    cure_in(words(found, name), r"repeat the trial on (cg\.Genomic)")
    null = cg.Genomic(of=REAL)
    cured = prediction_range(claim_of(design(len(REAL), null), oracle, real=REAL))
    assert status(cured, name) == "pass"


def test_channels_in_another_order_are_put_right_as_advised():
    def additive(x: np.ndarray) -> np.ndarray:
        word = np.stack(
            [
                x[:, "ACGT".index(base.replace("U", "T")), AT + i]
                for i, base in enumerate(WORD)
            ]
        )
        return word.all(0) + 0.01 * x[:, 0].mean(1)

    settings = {"tasks": ["a"], "fingerprint": "order"}
    wrong = cg.FunctionPredictor(lambda x: additive(x[:, ORDER]), **settings)
    found = positive_control(claim_of(design(), wrong, positive=WORD))
    assert status(found, "positive control") == "fail"
    named = cure_in(words(found, "positive control"), r"channels \((alphabet=)\)")
    right = cg.FunctionPredictor(
        lambda x: additive(x[:, ORDER]), **settings, **{named[:-1]: "CAGT"}
    )
    found = positive_control(claim_of(design(), right, positive=WORD))
    assert status(found, "positive control") == "pass"


@pytest.mark.rotating(6)
def test_both_strands_are_averaged_as_advised():
    def gata(x: np.ndarray) -> np.ndarray:
        return x[:, 0].mean(1) + 2 * x[:, 2, AT]

    settings = {"tasks": ["a"], "fingerprint": "strand"}
    found = strand(claim_of(design(), cg.FunctionPredictor(gata, **settings)))
    assert status(found, "strand") != "pass"
    given = arguments(cure_in(words(found, "strand"), r"(rc_average=True)"))
    cured = strand(claim_of(design(), cg.FunctionPredictor(gata, **settings, **given)))
    assert status(cured, "strand") == "pass"
    noted = cg.check(design(), cg.FunctionPredictor(gata, **settings))
    text = line(noted, "strand symmetry").text
    assert arguments(cure_in(text, r"(rc_average=True) averages both")) == given
    fine = cg.check(design(), cg.FunctionPredictor(gata, **settings, **given))
    assert line(fine, "strand symmetry").state == "ok"


def test_copies_are_removed_as_advised():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(60), oracle, rng=0, progress=False)
    rows = np.repeat(np.arange(60), 3)
    copies = outcomes.isel(unit=rows).assign_coords(unit=np.arange(180))
    found = degenerate_draws(cg.refutation.Claim(copies, oracle, rng=1))
    name = str(found["check"].values[0])
    assert status(found, name) != "pass"
    cure_in(words(found, name), r"(remove copies), or name them as one parent")
    found = degenerate_draws(cg.refutation.Claim(outcomes, oracle, rng=1))
    assert status(found, name) == "pass"


def test_a_motif_is_moved_from_its_junction_as_advised():
    oracle = Oracle(MotifCount("GAUU", 1.0))

    def trial(motif: str) -> cg.Design:
        arms = {"control": cg.Embed("C" + motif[1:-1] + "A", at=AT)}
        arms |= {"motif": cg.Embed(motif, at=AT)}
        return cg.Design(
            null=cg.Uniform(length=41), arms=arms, n_units=900, contrasts="control"
        )

    found = junction_sites(claim_of(trial("AUUA"), oracle, motifs=["GAUU"]))
    assert status(found, "junction sites") == "fail"
    cure_in(words(found, "junction sites"), r"(change its flanks)")
    found = junction_sites(claim_of(trial("CAUUAC"), oracle, motifs=["GAUU"]))
    assert found.sizes["check"] == 0 or status(found, "junction sites") == "pass"


def test_a_predictor_with_dropout_is_mended_as_advised():
    rng = np.random.default_rng(0)
    noise = {"sd": 0.0}

    def answer(x: np.ndarray) -> np.ndarray:
        return x[:, 0].mean(1) + x[:, 2, AT] + rng.normal(0, noise["sd"], len(x))

    predictor = cg.FunctionPredictor(answer, tasks=["a"], fingerprint="dropout")
    outcomes = cg.run(design(), predictor, rng=0, progress=False)
    noise["sd"] = 0.5
    claim = cg.refutation.Claim(outcomes, predictor, rng=1)
    found = numerical_floor(claim)
    assert status(found, "same answers") == "fail"
    cure_in(words(found, "same answers"), r"(switch dropout off)")
    noise["sd"] = 0.0
    assert status(numerical_floor(claim), "same answers") == "pass"


# ---- check


WEIGHTS = np.random.default_rng(0).normal(size=4 * 41)


def linear(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1) @ WEIGHTS


@pytest.mark.rotating(6)
def test_half_precision_is_made_float32_as_advised():
    settings = {"tasks": ["a"], "fingerprint": "half"}
    half = cg.FunctionPredictor(
        lambda x: linear(x).astype(np.float16).astype(np.float32), **settings
    )
    found = line(cg.check(design(), half), "digits")
    assert found.state == "warn"
    dtype = cure_in(found.text, r"compute in (float32)$")
    whole = cg.FunctionPredictor(lambda x: linear(x).astype(dtype), **settings)
    assert "digits" not in {one.name for one in cg.check(design(), whole).findings}


def test_a_command_shows_advice_that_it_can_be_given(tmp_path):
    """Whatever a check of the shell notes is in its words, and no error."""
    (tmp_path / "trial.toml").write_text(
        'n_units = 20\nrng = 1\nnull = {kind = "uniform", length = 41}\n'
        'predictor = {zoo = "additive"}\narms = {a = {}, b = {embed = "AGAATG", at = 9}}'
    )
    found = json.loads(call("check", tmp_path / "trial.toml", "--json").stdout)
    assert "cg." not in json.dumps(found)


# ---- checks that do not apply, and say when they would


def inapplicable(check: Callable[..., object], *given: object, **more: object) -> str:
    """Return why a check has nothing to say of a claim."""
    with pytest.raises(NotApplicableError) as error:
        check(*given, **more)
    cures.observe(error.value)
    return str(error.value)


def test_outcomes_come_first_as_the_message_says():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(60), oracle, rng=0, progress=False)
    given = {"rng": 1, "checks": ["subset_of_units"]}
    text = cures.refusal(cg.refute, oracle, outcomes, **given)
    assert cure_in(text, r"are swapped: give the (outcomes) first$")
    assert cg.refute(outcomes, oracle, **given).sizes["check"] == 1


def test_a_motif_with_too_few_orders_is_replaced_as_the_message_says():
    oracle = cg.zoo.oracle("additive")
    text = cures.refusal(claim_of, design(60), oracle, positive="AAAAAAAG")
    n = int(cure_in(text, r"name a motif with (\d+) other orders of its letters$"))
    assert len(set(itertools.permutations(WORD))) > n
    found = positive_control(claim_of(design(), oracle, positive=WORD))
    assert status(found, "positive control") == "pass"


def test_a_check_beyond_the_budget_is_done_where_it_is_named():
    oracle = cg.zoo.oracle("additive")
    outcomes = cg.run(design(40), oracle, rng=0, progress=False)
    given = {"share": 0.2, "a_unit": 10, "least": 20, "most": 100}
    frugal = Claim(outcomes, oracle, rng=1, frugal=True)
    text = inapplicable(frugal.n_units, **given)
    named = cure_in(text, r"ask for it by name: (checks=\[)\.\.\.\]$") + "'strand']"
    assert Claim(outcomes, oracle, rng=1).n_units(**given) == 20
    found = cg.refute(outcomes, oracle, rng=1, **arguments(named))
    assert found["check"].values.tolist() == ["strand"]


def test_units_of_a_generator_are_drawn_from_a_number_as_the_message_says():
    oracle = cg.zoo.oracle("additive")

    def drawn(rng: object) -> object:
        outcomes = cg.run(design(60), oracle, rng=rng, progress=False)
        return Claim(outcomes, oracle, rng=1).check_units

    text = inapplicable(drawn(np.random.default_rng(0)))
    named = cure_in(text, r"run it with (rng=) a whole number$") + "3"
    assert len(drawn(**arguments(named))().gc) == 60


def test_a_motif_is_named_where_no_contrast_writes_one():
    oracle = cg.zoo.oracle("additive")
    arms = {"control": cg.Untreated(), "idle": cg.Embed("CACGTC", at=AT)}
    arms |= {"late": cg.Embed(WORD, at=AT + 9), WORD: cg.Embed(WORD, at=AT)}
    weights = {"both": {WORD: 0.5, "late": 0.5, "control": -1.0}}
    weights |= {"idle": {"idle": 1.0, "control": -1.0}}
    trial = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts=weights
    )
    text = inapplicable(_clearest_again, claim_of(trial, oracle))
    named = cure_in(text, r"name a motif: (positive=)$") + "WORD"
    claim = claim_of(trial, oracle, **arguments(named, WORD=WORD))
    assert status(positive_control(claim), "positive control") == "pass"


def test_members_are_compared_of_an_ensemble_as_the_message_says():
    oracles = {name: cg.zoo.oracle(name) for name in ("additive", "saturating")}
    text = inapplicable(_members, claim_of(design(60), oracles["additive"]))
    ensemble = eval(cure_in(text, r"run the trial on a (cg\.Ensemble)"), {"cg": cg})
    both = ensemble(oracles, differ_by="architectures")
    assert len(_members(claim_of(design(60), both))) == 1


def test_motifs_are_named_where_the_arms_write_none():
    oracle = cg.zoo.oracle("additive")
    arms = {"control": cg.Untreated(), "out": cg.Ablate((AT, AT + 6), fill="uniform")}
    trial = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=60, contrasts="control"
    )
    text = inapplicable(_touched_units, claim_of(trial, oracle))
    named = cure_in(text, r"name them: (motifs=\[)\.\.\.\]$") + "WORD]"
    claim = claim_of(trial, oracle, **arguments(named, WORD=WORD))
    assert _touched_units(claim).keys() == {"control", "out"}


def test_real_units_are_compared_with_others_as_the_message_says():
    oracle = cg.zoo.oracle("additive")
    trial = design(60, cg.Genomic(of=REAL[:60]))
    given = {"least": 10, "apart": False}
    text = inapplicable(_draw_samples, claim_of(trial, oracle), **given)
    named = cure_in(text, r"give others to compare them with: (real=)$") + "REAL[60:]"
    claim = claim_of(trial, oracle, **arguments(named, REAL=REAL))
    assert _draw_samples(claim, **given) is not None

"""Calls of the former `variants`, recorded while it existed: each is answered with the
call that took its place, which makes the same design and the same numbers.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.experiments._variant_effects import variant_effects
from causalgia.experiments._variant_screen import variant_screen
from causalgia.experiments._variants_across_contexts import variants_across_contexts
from causalgia.trial_file import starter

NULL = cg.MatchedVariants(of="genome", match=("length",), min_nulls=30)
RANDOM = cg.MatchedVariants(
    of=cg.Uniform(length=70), match=("substitution", "length"), min_nulls=30
)
#: settings, the function that has them now, fingerprint of the design, and the effects
#: of the first task, or their ranks (p_matched)
RECORDED = {
    "own contexts": (
        {"length": 60},
        variant_effects,
        "6ca0bed7d20c6f38",
        (
            -1.048640046122155,
            -1.0493058568765405,
            -1.0497500390584313,
            -1.0499722227044697,
            -1.0499722227044697,
            -1.0497500390584313,
            -0.7993058568765405,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ),
    ),
    "a region in numbers": (
        {"length": 61, "align": "right", "rope": (-0.1, 0.1), "null": None},
        variant_effects,
        "da3b84b2e3a7ce69",
        (
            -1.0490006247396648,
            -1.0495556789894864,
            -1.049888896604581,
            -1.05,
            -1.049888896604581,
            -1.0495556789894864,
            -0.7990006247396648,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ),
    ),
    "null variants of the genome": (
        {"length": 60, "null": NULL, "n_null": 200},
        variant_screen,
        "e4ad63985f0f1b81",
        (
            0.029850746268656716,
            0.029850746268656716,
            0.024875621890547265,
            0.014925373134328358,
            0.014925373134328358,
            0.024875621890547265,
            0.029850746268656716,
            1.0,
            1.0,
            1.0,
            1.0,
            1.0,
            1.0,
        ),
    ),
    "null variants in random sequences": (
        {"length": 60, "null": RANDOM, "n_null": 300, "rope": "0.2 sd", "tail": True},
        variant_screen,
        "3f064f3caa69957e",
        (
            0.009523809523809525,
            0.02564102564102564,
            0.011363636363636364,
            0.011363636363636364,
            0.025,
            0.011363636363636364,
            0.030303030303030304,
            1.0,
            1.0,
            1.0,
            1.0,
            1.0,
            1.0,
        ),
    ),
    "random contexts": (
        {"null": cg.Uniform(length=60), "n_units": 100},
        variants_across_contexts,
        "a9d9eec42ce339ba",
        (
            -1.0559252229407776,
            -1.0574639411657423,
            -1.0579582201234217,
            -1.057309913366662,
            -1.0557394891570304,
            -1.053695612251153,
            -0.8016917142144022,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ),
    ),
    "short flanks": (
        {"null": cg.Uniform(length=80), "flank": 4, "n_units": 60},
        variants_across_contexts,
        "d29b366fa146efb2",
        (
            -0.2097858579242106,
            -0.3832916731764052,
            -1.0705297373453806,
            -1.0682074347975186,
            -1.0645911789062263,
            -0.367257049906789,
            -0.03993200230610775,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ),
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    letters = np.random.default_rng(4).choice(list("ACGT"), 2_000)
    sites = range(298, 1_800, 250)
    for at in sites:
        letters[at : at + 7] = list("AGATAAG")
    places = [*(at + i for i, at in enumerate(sites)), *range(440, 1_800, 250)]
    rows = []
    for i, at in enumerate(places):
        alternate = [base for base in "ACGT" if base != letters[at]][i % 3]
        rows.append(f"c\t{at + 1}\tv{i}\t{letters[at]}\t{alternate}\n")
    (folder / "g.fa").write_text(f">c\n{''.join(letters)}\n")
    (folder / "v.vcf").write_text("".join(rows))
    return str(folder / "v.vcf"), str(folder / "g.fa")


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("name", RECORDED)
def test_a_former_call_is_answered_with_one_that_gives_the_same(files, name):
    settings, function, fingerprint, recorded = RECORDED[name]
    with pytest.raises(DesignError) as refused:
        cg.experiments.variants(*files, **settings)
    (call,) = re.findall(r"did you mean (cg\..*\))\?$", str(refused.value))
    assert call.startswith(f"cg.experiments.{function.__name__}('")
    experiment = eval(call, {"cg": cg})  # as a user would paste it
    assert experiment == function(
        *files, **{key: x for key, x in settings.items() if x is not None}
    )
    assert experiment.fingerprint == fingerprint
    outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False)
    table = experiment.analyze(outcomes, rng=0).findings["variants"]
    column = "p_matched" if "p_matched" in table else "effect"
    np.testing.assert_allclose(
        table[column].isel(task=0), recorded, rtol=1e-12, atol=1e-12
    )


def test_what_the_new_call_lacks_is_named(files):
    with pytest.raises(
        DesignError, match=r"contexts\(.*, null=cg.Uniform\(.*It has no length="
    ):
        cg.experiments.variants(*files, null=cg.Uniform(length=60), length=60)
    with pytest.raises(DesignError, match=r"effects\(.*length=\.\.\.\)\? It has no fl"):
        cg.experiments.variants(*files, flank=3)
    with pytest.raises(DesignError, match=r"effects\(\.\.\., '.*, length=60\)\?$"):
        cg.experiments.variants([], files[1], length=60)


def test_a_former_kind_is_answered_in_a_file_and_by_name():
    for ask in (
        lambda: cg.experiments.build("variants", settings={}),
        lambda: starter("variants"),
    ):
        with pytest.raises(DesignError, match="no experiment 'variants'; it is three"):
            ask()


def test_every_setting_has_a_meaning_in_its_function():
    """None of one question is taken by the function of another."""
    own, screen, contexts = (
        set(inspect.signature(function).parameters)
        for function in (variant_effects, variant_screen, variants_across_contexts)
    )
    shared = {"vcf", "fasta", "schema", "rope", "skip"}
    assert own == shared | {"length", "read_out", "align"}
    assert screen == own | {"null", "n_null", "tail"}
    assert contexts == shared | {"null", "flank", "n_units"}

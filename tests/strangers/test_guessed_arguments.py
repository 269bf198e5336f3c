"""Arguments that users guess: every public callable names the one that was meant. A user's report
(spacing(distance=) raised a TypeError of Python).
"""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import ArgumentError, CausalgiaError, MissingExtraError

NAMES = (
    "attribution calibration design effects estimation experiments mpra "
    "multiplicity paper planning plot posterior predict protocol refutation "
    "schema sequences stopping store verdicts zoo"
)
ROOMS = ["causalgia", *(f"causalgia.{room}" for room in NAMES.split())]


def public() -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in getattr(module, "__all__", ()):
            try:
                value = getattr(module, name)
            except MissingExtraError:
                continue
            is_class = isinstance(value, type) and not issubclass(value, BaseException)
            if (inspect.isfunction(value) or is_class) and id(value) not in seen:
                seen.add(id(value))
                yield f"{room}.{name}", value


def takes_any(value: Any) -> bool:
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.kind is one.VAR_KEYWORD for one in found)


def test_no_public_callable_answers_a_wrong_name_with_an_error_of_python():
    raw, n = [], 0
    for name, value in public():
        if (
            takes_any(value)
            or inspect.isabstract(value)
            or hasattr(value, "_is_protocol")
        ):
            continue
        n += 1
        try:
            value(no_such_argument=1)
        except CausalgiaError:
            continue
        except TypeError as error:
            raw.append(f"{name}: {error}")
    assert n > 220
    assert not raw


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: cg.experiments.spacing(
                cg.Uniform(length=60), "A", "C", distance=[3]
            ),
            "spacing: there is no argument 'distance'; did you mean 'distances'?",
        ),
        (
            lambda: cg.Design(nul=cg.Uniform(length=60)),
            "Design: there is no argument 'nul'; did you mean 'null'?",
        ),
        (
            lambda: cg.Uniform(length=60).sample(3, seed=1),
            "Uniform.sample: there is no argument 'seed'; did you mean 'rng'?",
        ),
        (
            lambda: cg.Embed("ACGT", position=3),
            "Embed: there is no argument 'position'; did you mean 'at'?",
        ),
        (
            lambda: cg.store.load("x.nc"),
            "load: 'kind' is missing; give kind=",
        ),
        (
            lambda: cg.check(1, 2, rng=3),
            "check: there is no argument 'rng'; it takes design, predictor",
        ),
    ],
)
def test_the_argument_that_was_meant_is_named(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
    assert isinstance(error.value, TypeError)


def test_signatures_pickles_and_documents_are_as_they_were():
    assert "rng" in inspect.signature(cg.run).parameters
    assert (cg.run.__module__, cg.run.__name__) == ("causalgia._run._run", "run")
    assert cg.run.__doc__
    assert cg.run is cg._run.run
    assert pickle.loads(pickle.dumps(cg.run)) is cg.run
    null = cg.Uniform(length=9)
    assert pickle.loads(pickle.dumps(null)) == null
    assert "length" in inspect.signature(cg.Uniform).parameters


def test_an_error_inside_of_a_call_stays_what_it_is():
    def fails(_: object) -> object:
        raise TypeError("of the user's own")

    from causalgia.lazy_names import naming_arguments

    with pytest.raises(TypeError, match="of the user's own"):
        naming_arguments(fails)(3)


@pytest.mark.rotating(6)
def test_methods_of_what_a_call_returns_name_the_argument(tmp_path):
    """The class itself may never be looked up by name: each in a process of its own."""
    script = """
import numpy as np
import causalgia as cg
from causalgia.errors import ArgumentError
tokens = np.zeros((1, 60), np.uint8)
for call in (
    lambda: cg.zoo.oracle("gata1_like").predict(x=tokens),
    lambda: cg.zoo.oracle("gata1_like").true_ace(desing=None),
    lambda: cg.sequences.read_motifs("m.txt")["m"].reverse_complement(strand=1),
):
    try:
        call()
    except ArgumentError as error:
        print(error)
"""
    (tmp_path / "m.txt").write_text(">m\n5 5 0 0\n0 0 0 10\n10 0 0 0\n")
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split(";")[0] for line in ran.stdout.splitlines()] == [
        "Oracle.predict: there is no argument 'x'",
        "Oracle.true_ace: there is no argument 'desing'",
        "Motif.reverse_complement: there is no argument 'strand'",
    ]


GUESSES = [
    (cg.experiments.motif_pair, "spacing", "distances"),
    (cg.experiments.motif_pair, "motif2", "other"),
    (cg.experiments.motif_screen, "database", "motifs"),
    (cg.experiments.motif_screen, "species", "taxon"),
    (cg.experiments.kmer_screen, "kmers", "motifs"),
    (cg.experiments.necessity, "window", "tile_width"),
    (cg.experiments.variant_effects, "genome", "fasta"),
    (cg.experiments.variant_effects, "window", "length"),
    (cg.Embed, "motif", "pattern"),
    (cg.Embed, "start", "at"),
    (cg.Uniform, "seq_len", "length"),
    (cg.Shuffle, "fasta", "of"),
    (cg.Genomic, "sequences", "of"),
    (cg.contrast, "baseline", "control"),
    (cg.estimate, "conf_level", "ci_prob"),
    (cg.decide, "equivalence", "rope"),
    (cg.TorchPredictor, "cuda", "device"),
    (cg.FunctionPredictor, "names", "tasks"),
    (cg.Ensemble, "models", "predictors"),
    (cg.calibrate, "reps", "n_trials"),
    (cg.mpra.fit, "ref", "control"),
    (cg.mpra.read_counts, "design", "side_table"),
    (cg.mpra.filter, "min_count", "min_dna"),
    (cg.mpra.variant_tiles, "length", "insert_length"),
    (cg.from_frame, "data", "frame"),
    (cg.from_frame, "y", "outcome"),
    (cg.sequences.from_bed, "summit", "center"),
    (cg.sequences.Motif, "pwm", "probabilities"),
    (cg.zoo.oracle, "kind", "name"),
    (cg.experiments.kmer_screen, "kmer", "k"),
    (cg.KletShuffle, "kmer", "k"),
    (cg.Uniform, "L", "length"),
    (cg.attribute, "target", "tasks"),
    (cg.TorchPredictor, "targets", "tasks"),
    (cg.sample_size, "power", "assurance"),
    (cg.mpra.library, "barcodes", "barcodes_per_oligo"),
]


@pytest.mark.parametrize(("value", "guess", "meant"), GUESSES)
def test_other_words_of_the_field_lead_to_the_argument(value, guess, meant):
    with pytest.raises(ArgumentError, match=f"did you mean '{meant}'"):
        value(**{guess: 1})


@pytest.mark.parametrize(
    ("value", "guess"),
    [
        (cg.experiments.copies, "counts"),  # not n_units
        (cg.discover, "n_motifs"),  # not motifs
        (cg.mpra.library, "n_barcodes"),  # not barcode_rules
        (cg.mpra.power, "min_x"),
    ],
)
def test_a_number_is_not_taken_for_something_else(value, guess):
    with pytest.raises(ArgumentError, match="it takes ") as error:
        value(**{guess: 1})
    assert "did you mean" not in str(error.value)


def test_a_method_is_named_after_the_class_of_the_user():
    design = cg.Design(
        null=cg.Uniform(length=20),
        arms={"a": cg.Untreated(), "b": cg.Embed("ACG", at=3)},
        n_units=4,
    )
    with pytest.raises(ArgumentError, match=r"^Design\.to_json: "):
        design.to_json(indent=2)


@pytest.mark.parametrize(
    ("guess", "meant"),
    [("benjamini-hochberg", "bh"), ("fdr_bh", "bh"), ("fdr_by", "by")],
)
def test_methods_of_other_packages_lead_to_the_same_method(guess, meant):
    frame = pd.DataFrame(
        [(i, arm, float(i % 3) + (arm == "b") * i) for i in range(9) for arm in "ab"],
        columns=["unit", "arm", "y"],
    )
    effects = cg.contrast(
        cg.from_frame(frame, outcome="y", arm="arm", unit="unit"), control="a"
    )
    with pytest.raises(CausalgiaError, match=f"did you mean '{meant}'"):
        cg.adjust(cg.estimate(effects), method=guess)


@pytest.mark.parametrize(
    ("guess", "meant"),
    [
        ("deepshap", "deeplift"),
        ("DeepLiftShap", "deeplift"),
        ("saliency", "gradient"),
        ("IG", "integrated_gradients"),
        ("in_silico_mutagenesis", "ism"),
    ],
)
def test_maps_of_other_packages_lead_to_the_same_method(guess, meant):
    with pytest.raises(CausalgiaError, match=f"did you mean '{meant}'"):
        cg.attribute(["ACGT" * 5], cg.zoo.oracle("additive"), method=guess)

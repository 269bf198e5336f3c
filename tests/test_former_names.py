"""Former names are refused by the names that took their place, wherever they are asked."""

from __future__ import annotations

import pandas as pd
import pytest

import causalgia as cg
from causalgia import _reporting
from causalgia.errors import ArgumentError, DesignError, EstimateError
from causalgia.former_names import FORMER_NAMES, new_name
from causalgia.trial_file import read_spec


@pytest.mark.parametrize(
    ("module", "name", "now"),
    [
        (cg.experiments, "word_screen", "kmer_screen"),
        (cg.experiments, "word_mutagenesis", "motif_mutagenesis"),
        (cg.experiments, "grammar_screen", "arrangement_screen"),
        (cg.zoo, "Word", "MotifCount"),
        (cg.design, "PlaceboWord", "FixedPlacebo"),
        (_reporting, "placebo_words", "placebo_contrasts"),
    ],
)
def test_a_module_names_what_took_the_place_of_a_name(module, name, now):
    with pytest.raises(AttributeError, match=f"; '{name}' is '{now}' now$"):
        getattr(module, name)
    assert hasattr(module, now)


@pytest.mark.parametrize(
    ("name", "given", "now"),
    [
        ("affinity", {"words": ["UGCAUG"]}, "words= is motifs= now"),
        ("arrangement_screen", {"first": ["A", "C"]}, "first= is motifs= now"),
        ("arrangement_screen", {"second": ["A", "C"]}, "second= is other= now"),
        ("composition_bias", {"word": "UGCAUG"}, "word= is motif= now"),
        ("composition_bias", {"word_at": 3}, "word_at= is motif_at= now"),
        ("copies", {"word": "UGCAUG"}, "word= is motif= now"),
        ("flanks", {"word": "UGCAUG"}, "word= is motif= now"),
        ("hairpin", {"word": "UGCAUG"}, "word= is motif= now"),
        ("kmer_screen", {"words": ["UGCAUG"]}, "words= is motifs= now"),
        ("motif_mutagenesis", {"word": "UGCAUG"}, "word= is motif= now"),
        ("motif_pair", {"first": "UGCAUG"}, "first= is motif= now"),
        ("motif_pair", {"second": "UGCAUG"}, "second= is other= now"),
        ("position", {"word": "UGCAUG"}, "word= is motif= now"),
        ("spacing", {"word": "UGCAUG"}, "word= is motif= now"),
    ],
)
def test_an_experiment_names_what_took_the_place_of_an_argument(name, given, now):
    with pytest.raises(DesignError, match=f"^{name}: {now}$"):
        getattr(cg.experiments, name)(**given)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("mpra.to_csv", "from causalgia.mpra.formats.orders import to_csv"),
        (
            "refutation.strand",
            "from causalgia.refutation.predictor_faults import strand",
        ),
        ("estimation.clustered", "from causalgia.estimation.parallel import clustered"),
    ],
)
def test_what_left_a_door_says_where_it_is(name, cure):
    room, _, last = name.partition(".")
    with pytest.raises(AttributeError, match="it is not public") as refused:
        getattr(getattr(cg, room), last)
    assert str(refused.value).endswith(cure)
    exec(cure)


def test_models_are_compared_by_a_verb_of_their_own():
    with pytest.raises(ArgumentError, match=r"'over'; .*cg\.contrast_models\("):
        cg.contrast(None, over="model", control="m0")
    with pytest.raises(AttributeError, match="benchmarks/interpreted"):
        _ = cg.benchmark


def test_other_functions_name_what_took_the_place_of_an_argument():
    with pytest.raises(DesignError, match="^placebos: n_words= is n_placebos= now$"):
        cg.placebos("AGATAAG", at=3, n_words=2)  # type: ignore[call-arg]


def test_an_argument_that_never_was_is_refused_as_ever():
    with pytest.raises(TypeError, match="no argument 'motiv'; did you mean 'motif'"):
        cg.experiments.copies(motiv="UGCAUG")  # type: ignore[call-arg]


def test_motifs_are_positional_after_the_null_model():
    null = cg.Uniform(length=60)
    pair = cg.experiments.motif_pair(
        null, "AGATAAG", "CAGGTG", distances=[12], n_units=5
    )
    named = cg.experiments.motif_pair(
        null, motif="AGATAAG", other="CAGGTG", distances=[12], n_units=5
    )
    assert pair.fingerprint == named.fingerprint


_TRIAL = """
name = "old"
rng = 0

[predictor]
zoo = "additive"

[null]
kind = "uniform"
length = 41
"""


@pytest.mark.parametrize(
    ("tables", "now"),
    [
        (
            '[experiment]\nkind = "word_screen"\n',
            "there is no experiment 'word_screen'; 'word_screen' is 'kmer_screen' now",
        ),
        (
            '[experiment]\nkind = "copies"\nword = "UGCAUG"\n',
            "experiment 'copies' has no 'word'; 'word' is 'motif' now",
        ),
    ],
)
def test_a_trial_file_names_what_took_the_place_of_a_key(tmp_path, tables, now):
    path = tmp_path / "trial.toml"
    path.write_text(_TRIAL + tables)
    with pytest.raises(DesignError, match=now):
        read_spec(path)


def test_a_table_names_what_took_the_place_of_its_column():
    table = pd.DataFrame(
        {"effect": [0.0, 1.0], "se": 0.1, "placebo_word": [True, False]}
    )
    with pytest.raises(EstimateError, match="placebo_word is is_placebo now"):
        cg.decide(table, rope=(-1, 1))


def test_what_was_removed_is_refused_with_what_does_its_work():
    with pytest.raises(
        AttributeError, match=r"'infer_counts' was removed: cg.mpra.fit\(counts"
    ):
        _ = cg.mpra.infer_counts  # type: ignore[attr-defined]
    truth = pd.DataFrame({"element": ["u", "u"], "arm": ["a", "b"], "log2": 0.0})
    counts = cg.mpra.simulate(truth, rng=0)
    with pytest.raises(
        EstimateError, match="'precision' was removed: of one sum an oligo, 'hier"
    ):
        cg.mpra.fit(counts, control="a", method="precision")  # type: ignore[arg-type]


def test_a_former_name_is_nobodys_name():
    for old, new in FORMER_NAMES.items():
        assert old not in FORMER_NAMES.values()
        assert all(new_name(old, [one]) == one for one in new)
        assert not new_name(old, [])

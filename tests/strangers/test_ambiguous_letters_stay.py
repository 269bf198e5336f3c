# Imports from the inside: null models read back, and letters of the other strand.
"""A shuffle keeps N in its place where that is asked for (jmschrei/tangermeme#42), and
other letters that are no base (jmschrei/tangermeme#7): else they are refused.
"""

from collections import Counter

import numpy as np
import pytest

import causalgia as cg
from causalgia.design.arms import null_from_dict
from causalgia.errors import CausalgiaError, DesignError
from causalgia.sequences import decode
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.trial_file import read_spec

RNG = np.random.default_rng(17)
TEXTS = {
    "a": "".join(RNG.choice(list("ACGT"), 60)),
    "b": "".join(RNG.choice(list("AACGTT"), 60)),
    "c": "".join(RNG.choice(list("ACGT"), 60)),
}
TEXTS["a"] = TEXTS["a"][:20] + "NNN" + TEXTS["a"][23:41] + "R" + TEXTS["a"][42:]
TEXTS["c"] = "n" + TEXTS["c"][1:59] + "N"
STRETCHES = {"a": [(0, 20), (23, 41), (42, 60)], "b": [(0, 60)], "c": [(1, 59)]}
KINDS = {
    "shuffle": (cg.Shuffle, 1, {}),
    "dinucleotide_shuffle": (cg.DinucleotideShuffle, 2, {}),
    "klet_shuffle": (cg.KletShuffle, 3, {"k": 3}),
}


def kmers(text, k):
    return Counter(text[i : i + k] for i in range(len(text) - k + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_counts_between_the_letters_are_exactly_kept(kind):
    make, k, more = KINDS[kind]
    null = make(of=TEXTS, keep_n=True, **more)
    drawn = null.sample(300, rng=0)
    moved = 0
    for name, text in zip(
        drawn["parent"].values, decode(drawn["sequence"].values), strict=True
    ):
        for start, stop in STRETCHES[name]:
            own = TEXTS[name][start:stop]
            assert kmers(text[start:stop], k) == kmers(own, k)
            moved += text[start:stop] != own
    assert moved > 300
    of_a = drawn["sequence"].values[drawn["parent"].values == "a"]
    counts = [np.bincount(of_a[:, at], minlength=4) for at in (20, 21, 22)]
    assert min(x.min() for x in counts) >= 8  # of 100 draws each
    assert set(of_a[:, 41].tolist()) == {0, 2}  # R is A or G
    # units are what they are in any batch
    assert (null.sample(7, rng=0)["parent"] == drawn["parent"][:7]).all()
    units = np.array([250, 3], np.uint64)
    whole = null.draw(np.arange(300, dtype=np.uint64), key=5, n_units=300)
    np.testing.assert_array_equal(null.draw(units, key=5, n_units=300), whole[[250, 3]])


def test_a_stretch_without_the_letter_is_shuffled_as_ever():
    with_n = cg.DinucleotideShuffle(of={"b": TEXTS["b"]}, keep_n=True)
    plain = cg.DinucleotideShuffle(of={"b": TEXTS["b"]})
    units = np.arange(20, dtype=np.uint64)
    np.testing.assert_array_equal(
        with_n.draw(units, key=1, n_units=20), plain.draw(units, key=1, n_units=20)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_design_spells_the_letters(kind, tmp_path):
    make, _, more = KINDS[kind]
    null = make(of=TEXTS, keep_n=True, **more)
    again = null_from_dict(null.to_dict())
    assert again == null
    assert again.fingerprint == null.fingerprint
    assert null.to_dict()["of"]["a"] == TEXTS["a"]
    assert null.fingerprint != make(of={"b": TEXTS["b"]}, **more).fingerprint
    path = tmp_path / "p.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in TEXTS.items()))
    assert make(of=path, keep_n=True, **more) == null
    (tmp_path / "t.toml").write_text(
        f'n_units = 8\nrng = 0\n[null]\nkind = "{kind}"\nof = "p.fa"\nkeep_n = true\n'
        + "".join(f"{key} = {value}\n" for key, value in more.items())
        + '[predictor]\nzoo = "rbfox1_like"\n[arms.untreated]\n[arms.motif]\n'
        'embed = "TGCATG"\nat = 5\n[analysis]\ncontrol = "untreated"\n'
    )
    assert read_spec(tmp_path / "t.toml").design.null == null
    parts = null.split(0.34)
    assert sum(len(part.parents_given) for part in parts) == 3
    assert all(part.keep_n for part in parts)


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_trial_runs_and_the_rest_is_refused():
    null = cg.DinucleotideShuffle(of=TEXTS, keep_n=True)
    design = cg.Design(
        null=null,
        arms={"control": cg.Untreated(), "motif": cg.Embed("TGCATG", at=5)},
        n_units=30,
        contrasts="control",
    )
    outcomes = cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0, progress=False)
    assert np.isfinite(outcomes["outcome"]).all()
    with pytest.raises(DesignError):
        cg.DinucleotideShuffle(of=TEXTS)
    with pytest.raises(DesignError):
        cg.Profile(of=null.parents_given)
    with pytest.raises(CausalgiaError):
        cg.attribute(null.parents_given, cg.zoo.oracle("rbfox1_like"))
    with pytest.raises(DesignError):
        cg.Shuffle(of=["AC-GT"], keep_n=True)


def test_the_number_of_sequences_is_that_of_the_draws():
    null = cg.Shuffle(of=["AACNR"], keep_n=True)
    assert np.exp(null.log_reachable(10**6)) == pytest.approx(3 * 4 * 2)
    drawn = null.sample(2_000, rng=0)["sequence"].values
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 24
    assert counts.min() > 40  # of 83 each


GENOME = "ACGTACGTAANNNRACGTTGCATTACGGAT"


@pytest.fixture
def peaks(tmp_path):
    (tmp_path / "genome.fa").write_text(f">chr1\n{GENOME}\n")
    (tmp_path / "peaks.bed").write_text(
        "chr1\t2\t22\ta\t0\t+\nchr1\t4\t24\tb\t0\t-\nchr1\t9\t29\tc\t0\t+\n"
    )
    return tmp_path


def of_peaks(folder, **options):
    return cg.read_sequences(
        folder / "peaks.bed",
        genome=folder / "genome.fa",
        length=20,
        stranded=True,
        **options,
    )


def test_windows_of_a_genome_keep_the_letters_on_both_strands(peaks):
    with pytest.raises(CausalgiaError):
        of_peaks(peaks)
    windows = of_peaks(peaks, ambiguous="keep")
    spelled = [
        GENOME[2:22],
        reverse_complement_iupac(GENOME[4:24]),
        GENOME[9:29],
    ]
    saved = cg.DinucleotideShuffle(of=windows, keep_n=True).to_dict()["of"]
    assert list(saved.values()) == spelled
    with pytest.raises(CausalgiaError):
        cg.DinucleotideShuffle(of=windows)
    drawn = cg.Shuffle(of=windows, keep_n=True).sample(60, rng=0)["sequence"].values
    assert drawn.shape == (60, 20)


def test_a_trial_file_and_arrays_keep_the_letters(peaks):
    of = of_peaks(peaks, ambiguous="keep")
    (peaks / "trial.toml").write_text(
        "n_units = 12\nrng = 1\n[null]\nkind = 'shuffle'\nkeep_n = true\n"
        "of = {file = 'peaks.bed', genome = 'genome.fa', length = 20, stranded = true,"
        " ambiguous = 'keep'}\n"
        "[arms]\nuntreated = {}\nsite = {embed = 'TGCATG', at = 2}\n"
        "[predictor]\nzoo = 'rbfox1_like'\n"
    )
    null = read_spec(peaks / "trial.toml").design.null
    assert null == cg.Shuffle(of=of, keep_n=True)
    one_hot = np.eye(4)[np.random.default_rng(0).integers(0, 4, (3, 12))]
    one_hot[1, 4] = 0.0
    np.save(peaks / "x.npy", one_hot)
    read = cg.read_sequences(peaks / "x.npy", ambiguous="keep")
    assert chr(read.ambiguous[1, 4]) == "N"
    assert (read.ambiguous > 0).sum() == 1

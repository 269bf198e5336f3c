# Imports from the inside: families of strings, whose errors are counted on drawn sites.
"""One core with other flanks is one family, without a database of motifs: a network of
AP-1, two forkheads and GATA had three families of GATA (stuart-lab/signac#1967).
"""

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.attribution.distinct_patterns import EditedBackgrounds, effects_by_base
from causalgia.attribution.motif_families import family_leaders, family_logos
from causalgia.sequences import decode, encode
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.motif_alignments import effect_families, motif_core

FACTORS = {
    "AP-1": ["FOS::JUN"],
    "forkhead": ["FOXA1", "FOXO3"],
    "GATA": ["GATA2"],
    "CTCF": ["CTCF"],
    "ETS": ["ELK1"],
    "E-box": ["MAX"],
}
LENGTH = 44
CORES = {
    name: motif_core(cg.motif(name)).probabilities
    for names in FACTORS.values()
    for name in names
}


def occupancy(names, curve=lambda x: x):
    """Return a network that adds up how well matrices bind a sequence, on both
    strands, beyond .7 of their best score.
    """
    weights = [np.log((np.array(CORES[name]) * 0.94 + 0.015) / 0.25) for name in names]

    def answers(onehot):
        total = np.zeros(len(onehot))
        for one in weights:
            windows = np.lib.stride_tricks.sliding_window_view(onehot, len(one), axis=1)
            scores = [
                np.tensordot(windows, w.T, axes=([2, 3], [0, 1]))
                for w in (one, one[::-1, ::-1])
            ]
            best = np.logaddexp.reduce(np.concatenate(scores, axis=1), axis=1)
            total += np.logaddexp(0, best - 0.7 * one.max(axis=1).sum())
        return curve(total)

    return cg.FunctionPredictor(
        answers, layout="NLC", scale="occupancy", fingerprint=", ".join(names)
    )


def site(name, generator):
    """Return a site drawn from a matrix, on a random strand."""
    letters = [generator.choice(4, p=np.array(p) / np.sum(p)) for p in CORES[name]]
    tokens = np.array(letters, np.uint8)
    return tokens if generator.random() < 0.5 else 3 - tokens[::-1]


def effects_of(strings, predictor, generator):
    backgrounds = generator.integers(0, 4, (16, LENGTH)).astype(np.uint8)
    edited = EditedBackgrounds(predictor, backgrounds)
    return {one: effects_by_base(encode([one])[0], edited, task=0) for one in strings}


def families_of(strings, effects=None):
    rows = [(one, "a", "increases") for one in strings]
    table = pd.DataFrame(rows, columns=["consensus", "task", "verdict"])
    return family_leaders(table, None, effects)


def errors(families, factors):
    """Return the share of pairs of one factor in two families, and of pairs of two
    factors in one.
    """
    family, factor = np.array(families), np.array(factors)
    upper = np.triu(np.ones((len(family), len(family)), bool), 1)
    same = (factor[:, None] == factor) & upper
    other = (factor[:, None] != factor) & upper
    together = family[:, None] == family
    return float((~together)[same].mean()), float(together[other].mean())


def test_the_gata_words_of_a_report_are_one_family():
    generator = np.random.default_rng(0)
    gata = ["AAGAGATAAA", "AGATAACG", "CTTTATCTGC"]
    others = ["TGACTCA", "TGTTTAC", "GTAAACAT"]
    network = occupancy(["FOS::JUN", "FOXA1", "FOXO3", "GATA2"])
    effects = effects_of([*gata, *others], network, generator)
    assert len(set(families_of(gata))) > 1  # by their letters
    found = families_of([*gata, *others], effects)
    assert found == ["AAGAGATAAA"] * 3 + ["TGACTCA", "TGTTTAC", "TGTTTAC"]


@pytest.mark.simulation
@pytest.mark.parametrize("curve", [lambda x: x, lambda x: np.exp(x / 4)])
def test_both_errors_are_rare_for_drawn_sites_with_other_flanks(curve):
    """Sites of seven matrices with flanks of 0 to 4 random letters on either side: some
    3 % of the pairs of one factor are in two families, none of two factors in one.
    """
    generator = np.random.default_rng(3)
    network = occupancy(list(CORES), curve)
    backgrounds = generator.integers(0, 4, (16, LENGTH)).astype(np.uint8)
    edited = EditedBackgrounds(network, backgrounds)
    words = {}
    for factor, names in FACTORS.items():
        for name in names * (10 // len(names)):
            flanks = [generator.integers(0, 4, generator.integers(0, 5)) for _ in "53"]
            tokens = np.concatenate([flanks[0], site(name, generator), flanks[1]])
            words[decode(tokens.astype(np.uint8))[0]] = factor
    at = {one: (LENGTH - len(one)) // 2 for one in words}
    size = {
        one: edited.answers(encode([one]), at=at[one], task=0).mean()
        - edited.untreated[0]
        for one in words
    }
    acting = sorted((one for one in words if size[one] > 1), key=lambda x: -size[x])
    factors = [words[one] for one in acting]
    effects = {one: effects_by_base(encode([one])[0], edited, task=0) for one in acting}
    split, merged = errors(families_of(acting, effects), factors)
    split_by_letters, _ = errors(families_of(acting), factors)
    assert len(acting) >= 20
    assert split <= 0.08
    assert merged <= 0.02
    assert split_by_letters >= 0.5  # each letter of a flank counts like one of the core


def test_random_strings_are_rarely_one_family():
    """2,000 pairs of strings of 6 to 10 letters with random effects: .1 % are one."""
    generator = np.random.default_rng(0)

    def carried():
        letters = generator.integers(0, 4, generator.integers(6, 11))
        return (np.eye(4)[letters] - 0.25) * generator.gamma(2, 1, len(letters))[
            :, None
        ]

    one = [effect_families([carried(), carried()]) == [0, 0] for _ in range(2000)]
    assert np.mean(one) <= 0.005


def test_a_motif_without_effects_of_single_letters_is_like_none():
    none, some = np.zeros((6, 4)), np.eye(4)[[0, 1, 2, 3, 3, 1]] - 0.25
    assert effect_families([some, none, none, 1e-9 * some]) == [0, 1, 2, 0]
    turned = some[::-1, ::-1]
    assert effect_families([some, turned]) == [0, 0]
    assert effect_families([some, turned], both_strands=False) == [0, 1]
    # three positions in common are too few, and one position of the largest effect
    assert effect_families([some[:3], some]) != [0, 0]


@pytest.mark.simulation
def test_a_discovery_without_a_database_has_a_family_for_each_factor():
    generator = np.random.default_rng(0)
    names = ["FOS::JUN", "FOXA1", "FOXO3", "GATA2"]
    tokens = generator.integers(0, 4, (120, LENGTH)).astype(np.uint8)
    for row in tokens:
        for at in (4, 24):
            one = site(names[generator.integers(4)], generator)
            row[at : at + len(one)] = one
    found = cg.discover(
        occupancy(names),
        decode(tokens),
        method="seqlets",
        n_units=60,
        rng=0,
        progress=False,
    )
    assert len(found.families) == 3
    by_letters = family_leaders(found.table)
    assert len(set(by_letters) - {""}) > 3


def test_a_logo_aligns_instances_by_the_effects():
    """AGATAAG and TTGATAC share GATA, and the network reads no more of either."""
    leader, other = "AGATAAG", "TTGATAC"
    effects = {
        leader: (np.eye(4)[encode([leader])[0]] - 0.25)
        * np.array([0, 4, 4, 4, 4, 0, 0])[:, None],
        other: (np.eye(4)[encode([other])[0]] - 0.25)
        * np.array([0, 0, 4, 4, 4, 4, 0])[:, None],
    }
    tokens = np.tile(encode(["CCCC" + other + "CCCCC"]), (20, 1))
    of = Sequences(tokens, tuple(f"s{k}" for k in range(20)))
    sites = pd.DataFrame(
        [(f"s{k}", 4, 11, other, "+") for k in range(20)],
        columns=["sequence", "start", "stop", "motif", "strand"],
    )
    table = pd.DataFrame({"consensus": [leader, other], "family": leader})
    logo = family_logos(table, sites, [of], effects).sel(family=leader)
    core = logo["frequency"].sel(motif_position=[1, 2, 3, 4]).values
    assert decode(core.argmax(axis=1)[None].astype(np.uint8)) == ["GATA"]

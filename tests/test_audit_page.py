"""The page of audits is that of its results, and what judges them is right; inside of the
audit, motifs, strands and rules of grammars that are known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia._audit.candidates import Candidate, candidates, reads_both_strands
from causalgia._audit.rules import Rule, Sites, occurrences, rules_of, trial_of
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import (
    encode,
    reverse_complement,
    reverse_complement_iupac,
)
from causalgia.sequences.motif_scores import find_instances

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import audit_page as maker
from audited import grammars
from audited.judged import aligned
from audited.known import Word

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
DEGENERATE, ONE_STRAND, PLACE = 4, 12, 18


def test_the_page_is_what_was_found() -> None:
    assert maker.PAGE.read_text(encoding="utf-8") == maker.written(maker.kept()), (
        "run: python benchmarks/audit_page.py --write"
    )


def test_a_grammar_counts_its_words() -> None:
    known = grammars.known(DEGENERATE, 0)
    active = known.predictor.active(known.sequences)
    for word, (plus, minus) in zip(known.words, active, strict=True):
        found = find_instances(
            known.sequences, word, overlapping=True, both_strands=False
        )
        assert plus.sum() == len(found.row)
        found = find_instances(
            reverse_complement(known.sequences),
            word,
            overlapping=True,
            both_strands=False,
        )
        assert minus.sum() == len(found.row)


@pytest.mark.parametrize(
    ("letters", "is_one"),
    [("TGAGTCA", True), ("TGACTCA", True), ("GAGTC", True), ("TGATTTA", False), ("CATTCCA", False)],
)  # fmt: skip
def test_a_motif_is_a_word_where_their_letters_agree(letters, is_one) -> None:
    found = aligned(Motif.from_iupac(letters), Word.of("TGASTCA"))
    assert (found is not None) == is_one


@pytest.fixture(scope="module")
def degenerate():
    known = grammars.known(DEGENERATE, 0)
    maps = cg.attribute(known.sequences[:120], known.predictor, progress=False)
    return known, maps, cg.propose(maps, predictor=known.predictor, rng=0)


def test_a_motif_with_letters_of_two_is_one_candidate(degenerate) -> None:
    known, maps, proposed = degenerate
    found = candidates(proposed, maps, np.ones(1), both_strands=True)[
        : len(known.words)
    ]
    words = [
        [w for w, x in known.words.items() if aligned(one.motif, x)] for one in found
    ]
    assert sorted(w for one in words for w in one) == sorted(known.words)
    for one, (word,) in zip(found, words, strict=True):
        two = sum(letter not in "ACGT" for letter in word)
        mixed = np.asarray(one.motif.probabilities).max(axis=1) < 0.8
        assert mixed.sum() == two


@pytest.mark.parametrize(("number", "both"), [(PLACE, True), (ONE_STRAND, False)])
def test_strands_are_told_by_sites_and_not_by_places(number, both) -> None:
    known = grammars.known(number, 0)
    proposed = xr.Dataset({"consensus": ("pattern", list(known.words))})
    answers = known.predictor.predict
    assert reads_both_strands(proposed, known.sequences, answers, rng=0) == both


def _sites(word: str, tokens: np.ndarray) -> Sites:
    found = find_instances(tokens, word, overlapping=True)
    return Sites(
        found.row, found.start, found.strand == "-", found.score, found.width, len(tokens)
    )  # fmt: skip


@pytest.mark.parametrize("strands", ["++", "+-", ""])
def test_a_rule_of_both_strands_is_counted_on_either(strands) -> None:
    tokens = grammars.known(14, 0).sequences
    words = list(grammars.known(14, 0).words)[:2]
    rule = Rule(*words, strands, 0, 40, 41, "y", 1.0, both_strands=True)
    counts = [
        occurrences([rule], {word: _sites(word, rows) for word in words}, len(rows))
        for rows in (tokens, reverse_complement(tokens))
    ]
    assert counts[0].sum() > 0
    np.testing.assert_array_equal(*counts)


def test_a_site_where_two_motifs_meet_does_not_hide_their_rule() -> None:
    words = ("CTCCGG", "TAGCCT")  # TAGC CTCCGG is a third

    def answer(one_hot):
        tokens = one_hot.argmax(axis=1).astype(np.uint8)
        n = sum(
            np.bincount(find_instances(tokens, word).row, minlength=len(tokens))
            for word in words
        )
        return np.exp(0.7 * n)[:, None]

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    motifs = {word: Motif.from_iupac(word) for word in words}
    trial = cg.experiments.pair(
        cg.Uniform(length=160),
        *motifs.values(),
        gaps=range(6),
        n_units=60,
        rope=(-0.3, 0.3),
    )
    found = {
        word: Candidate(motif, 2.5e-4, "", 1.0, 9, 9) for word, motif in motifs.items()
    }
    answered = trial.analyze(cg.run(trial, network, rng=0, progress=False))
    (rule,) = rules_of(answered, words, found, both_strands=True)
    assert rule.anywhere
    assert rule.size == pytest.approx(np.expm1(0.7) ** 2, rel=0.2)


def test_a_part_of_a_motif_with_an_effect_of_its_own_is_a_candidate() -> None:
    sizes = {"CATTGTAAC": 1.5, "CATTGT": 0.6, "TGTAAC": 0.5}
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, (150, 90)).astype(np.uint8)
    for row in tokens:
        for part, word in enumerate(sizes):
            if rng.random() < 0.5:
                at = 30 * part + int(rng.integers(0, 20))
                row[at : at + len(word)] = encode([word])[0]

    def answer(one_hot):
        rows = one_hot.argmax(axis=1).astype(np.uint8)
        found = {word: find_instances(rows, word, overlapping=True) for word in sizes}
        return sum(
            size * np.bincount(found[word].row, minlength=len(rows))
            for word, size in sizes.items()
        )[:, None]

    network = cg.FunctionPredictor(answer, tasks=["y"], scale="y")
    maps = cg.attribute(tokens, network, progress=False)
    proposed = cg.propose(maps, predictor=network, rng=0)
    found = candidates(proposed, maps, np.ones(1), both_strands=True)
    labels = {one.label for one in found}
    for word in sizes:
        assert labels & {word, reverse_complement_iupac(word)}, (word, labels)


def _law_of_gap(words, law, ways=None):
    """Return a network in which two words act, and together by their gap, in
    arrangements (upstream word, strands); None: in all.
    """
    letters = {
        (k, strand): tuple("ACGT".index(x) for x in (word if strand == "+" else _turned(word)))
        for k, word in enumerate(words)
        for strand in "+-"
    }  # fmt: skip

    def answer(one_hot):
        tokens = one_hot.argmax(axis=1)
        n = tokens.shape[1] - len(words[0]) + 1
        hits = {
            key: np.all([tokens[:, i : n + i] == x for i, x in enumerate(word)], 0)
            for key, word in letters.items()
        }
        y = 0.5 * sum(hit.sum(axis=1) for hit in hits.values())
        for (k, s), one in hits.items():
            for t in "+-":
                other = hits[1 - k, t]
                if ways is not None and (k, s + t) not in ways:
                    continue
                for gap, size in enumerate(law):
                    at = len(words[0]) + gap
                    y = y + size * (one[:, :-at] & other[:, at:]).sum(axis=1)
        return y[:, None]

    return cg.FunctionPredictor(answer, tasks=["y"], scale="y")


def _turned(word):
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


def _rules_of_law(law, ways=None):
    words = ("TGTTTACT", "ATGCAAAT")
    motifs = {word: Motif.from_iupac(word) for word in words}
    trial = cg.experiments.pair(
        cg.Uniform(length=130), *motifs.values(), n_units=40, rope=(-0.05, 0.05)
    )
    network = _law_of_gap(words, law, ways)
    answered = trial.analyze(cg.run(trial, network, rng=0, progress=False))
    found = {
        word: Candidate(motif, 2.5e-5, "", 1.0, 9, 9) for word, motif in motifs.items()
    }
    return (
        rules_of(answered, words, found, both_strands=True),
        answered,
        motifs,
        network,
    )


GAPS_OF_LAW = np.arange(60.0)


@pytest.mark.parametrize(
    ("period", "law", "ways"),
    [
        (9.3, np.exp(-GAPS_OF_LAW / 40) * (1.2 + np.cos(2 * np.pi * GAPS_OF_LAW / 9.3)), None),
        (11.6, 0.8 * np.cos(2 * np.pi * (GAPS_OF_LAW - 4) / 11.6), {(0, "+-"), (1, "+-")}),
    ],
)  # fmt: skip
def test_a_wave_is_one_rule_and_is_confirmed_with_its_amplitude(
    period, law, ways
) -> None:
    rules, answered, motifs, network = _rules_of_law(law, ways)
    told = answered.findings["waves"]
    np.testing.assert_allclose(told["period"], period, atol=0.2)
    assert f"period of {told['period'].values[0]:g} bp" in answered.sentences[0]
    assert len(rules) == 1
    for rule in rules:
        assert rule.period == pytest.approx(period, abs=0.2)
        trial, contrasts = trial_of(rule, motifs, cg.Uniform(length=130), n_units=40)
        effects = cg.contrast(
            cg.run(trial, network, rng=1, progress=False), contrasts=contrasts
        )
        size = 0.8 if ways else 1.0
        assert effects["ice"].mean().item() == pytest.approx(size, abs=0.03)


@pytest.mark.parametrize(
    "law",
    [
        np.isin(GAPS_OF_LAW, range(4, 21)) * 0.9,
        np.exp(-GAPS_OF_LAW / 8),
        np.isin(GAPS_OF_LAW, [5]) * 1.0,
        np.isin(GAPS_OF_LAW, range(3, 13)) * 0.7 - np.isin(GAPS_OF_LAW, [0, 1]),
    ],
)
def test_runs_of_one_arrangement_are_one_rule_and_no_wave(law) -> None:
    rules, answered, motifs, network = _rules_of_law(law)
    (rule,) = rules
    assert not rule.is_wave
    assert "waves" not in answered.findings
    trial, contrasts = trial_of(rule, motifs, cg.Uniform(length=130), n_units=40)
    effects = cg.contrast(
        cg.run(trial, network, rng=1, progress=False), contrasts=contrasts
    )
    for run in rule.runs:
        size = law[run.gap_from : run.gap_to + 1].mean()
        of_run = effects["ice"].sel(contrast=run.label).mean().item()
        assert of_run == pytest.approx(size, abs=0.1)
    assert len(rule.further) == (law.min() < 0)

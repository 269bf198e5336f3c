"""How much of the variance of predictions named bases carry."""

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import SequenceError

WORD = np.array([2, 0, 3, 3, 0, 1, 0, 2])  # GATTACAG


def _network(answer, tasks=("y",)):
    return cg.FunctionPredictor(
        lambda x: np.stack(answer(x.argmax(axis=1)), axis=1).astype(float),
        tasks=list(tasks),
        scale="y",
    )


def _hits(tokens, word=WORD):
    windows = np.lib.stride_tricks.sliding_window_view(tokens, len(word), axis=1)
    return (windows == word).all(axis=2)


def _planted(n, length, seed, word=WORD, share=0.6):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (n, length))
    for row in tokens:
        if rng.random() < share:
            at = int(rng.integers(0, length - len(word)))
            row[at : at + len(word)] = word
    return tokens


def _lines(found, task="y"):
    table = found.table
    return table[table["task"] == task].set_index("line")


def test_the_interval_covers_what_places_carry() -> None:
    rng, inside = np.random.default_rng(3), []
    for _ in range(25):
        weights = rng.normal(size=(40, 4))
        truth = weights.var(axis=1).reshape(10, 4).sum(axis=1)
        network = _network(lambda t, w=weights: [w[np.arange(40), t].sum(axis=1)])
        tokens = rng.integers(0, 4, (60, 40))
        found = cg.account(
            network, cg.sequences.decode(tokens), rng=int(rng.integers(99))
        )
        rows = _lines(found).filter(regex=r"^bases", axis=0)
        truth = truth / truth.sum()
        inside += [((rows["lower"] <= truth) & (truth <= rows["upper"])).to_numpy()]
    assert 0.91 <= np.mean(inside) <= 0.985  # of 250


def test_what_sites_and_the_bases_beside_them_carry_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(61)
    beside, everywhere = rng.normal(size=(6, 4)), 0.04 * rng.normal(size=(80, 4))

    def answer(tokens):
        hits = _hits(tokens)
        more = np.zeros(hits.shape)
        for j, d in enumerate((-3, -2, -1, 8, 9, 10)):
            at = np.clip(np.arange(hits.shape[1]) + d, 0, 79)
            more += beside[j][tokens[:, at]]
        of_sites = (hits * (1 + 0.35 * more)).sum(axis=1)
        return [of_sites + everywhere[np.arange(80), tokens].sum(axis=1)]

    tokens = _planted(240, 80, 61)
    y = answer(tokens)[0]

    def carried(flank):
        keep = np.zeros(tokens.shape, bool)
        for row, at in zip(*np.nonzero(_hits(tokens)), strict=True):
            keep[row, max(at - flank, 0) : at + 8 + flank] = True
        drawn = [
            answer(np.where(keep, tokens, rng.integers(0, 4, tokens.shape)))[0]
            for _ in range(40)
        ]
        return np.cov(y, np.mean(drawn, axis=0))[0, 1] / y.var(ddof=1)

    found = _lines(
        cg.account(
            _network(answer), cg.sequences.decode(tokens), motifs=["GATTACAG"], rng=0
        )
    )
    for line, flank in (("sites", 0), ("sites and 3 bp", 3), ("sites and 20 bp", 20)):
        assert found.loc[line, "share"] == pytest.approx(carried(flank), abs=0.05)
    less = found.loc["sites and 3 bp, less as many bases elsewhere"]
    assert less["lower"] > 0.1
    assert "longer than named" in str(
        cg.account(
            _network(answer), cg.sequences.decode(tokens), motifs=["GATTACAG"], rng=0
        )
    )


def test_words_that_are_all_of_a_saturating_network_carry_it() -> None:
    tokens = _planted(200, 50, 5, word=WORD[:4], share=0.5)
    network = _network(lambda t: [_hits(t, WORD[:4]).any(axis=1)])
    rows = _lines(
        cg.account(network, cg.sequences.decode(tokens), motifs=["GATT"], rng=1)
    )
    assert rows.loc["sites", "share"] == pytest.approx(1.0, abs=1e-9)
    assert abs(rows.loc["all other bases", "share"]) < 0.1


def test_what_is_correlated_and_not_read_carries_nothing() -> None:
    decoy = WORD[::-1].copy()
    tokens = _planted(300, 60, 7)
    rng = np.random.default_rng(8)
    for row in np.flatnonzero(_hits(tokens).any(axis=1)):
        if rng.random() < 0.8:
            at = 0 if _hits(tokens[row : row + 1])[0].argmax() > 20 else 45
            tokens[row, at : at + 8] = decoy
    network = _network(lambda t: [_hits(t).sum(axis=1)])
    rows = _lines(
        cg.account(network, cg.sequences.decode(tokens), motifs=["GACATTAG"], rng=0)
    )
    # a site of it may lie on one of the father's, so that it is a little below 0
    assert -0.15 < rows.loc["sites", "share"] < 0.05
    assert rows.loc["all other bases", "share"] > 0.9


def test_a_rule_lies_between_its_motifs() -> None:
    other = np.array([3, 2, 0, 1, 3, 1, 0])  # TGACTCA
    tokens = _planted(400, 60, 9, share=0.5)
    rng = np.random.default_rng(10)
    for row in tokens:
        if rng.random() < 0.5:
            at = int(rng.integers(0, 53))
            row[at : at + 7] = other
    network = _network(lambda t: [_hits(t).any(axis=1) & _hits(t, other).any(axis=1)])
    rows = _lines(
        cg.account(
            network,
            cg.sequences.decode(tokens),
            motifs=["GATTACAG", "TGACTCA"],
            rng=0,
        )
    )
    assert rows.loc["sites", "share"] == pytest.approx(1.0, abs=0.02)
    assert rows.loc["between motifs", "lower"] > 0.1


def test_each_task_has_its_account_and_the_same_seed_gives_the_same() -> None:
    sequences = cg.sequences.decode(_planted(120, 50, 11))
    network = _network(
        lambda t: [_hits(t).sum(axis=1), np.isin(t, (1, 2)).sum(axis=1), 0.0 * t[:, 0]],
        tasks=("motif", "gc", "none"),
    )
    found = cg.account(network, sequences, motifs=["GATTACAG"], rng=4)
    again = cg.account(network, sequences, motifs=["GATTACAG"], rng=4)
    assert found.table.equals(again.table)
    assert _lines(found, "motif").loc["sites", "share"] > 0.9
    gc = _lines(found, "gc")
    assert gc.loc["composition alone", "share"] == pytest.approx(1.0, abs=1e-9)
    assert not gc.loc["sites, less as many bases elsewhere", "lower"] > 0
    assert _lines(found, "none")["share"].isna().all()
    assert "nan" not in str(found).lower()
    assert "do not vary" in str(found)
    assert str(cg.report(found)) == str(found)


def test_where_few_sequences_have_the_variance_there_is_no_interval() -> None:
    tokens = _planted(100, 50, 13, share=0.02)
    network = _network(lambda t: [50.0 * _hits(t).sum(axis=1)])
    found = cg.account(network, cg.sequences.decode(tokens), motifs=["GATTACAG"], rng=0)
    assert found.table["lower"].isna().all()
    assert (found.table["effective"] < 12).all()
    assert "[" not in str(found)


def test_relatives_are_no_fathers_and_count_once() -> None:
    tokens = _planted(40, 60, 15)
    windows = np.concatenate([tokens[:, k : k + 50] for k in (0, 5, 10)])
    names = [f"chr{i}:{1 + k}-{k + 50}" for k in (0, 5, 10) for i in range(40)]
    sequences = dict(zip(names, cg.sequences.decode(windows), strict=True))
    network = _network(lambda t: [_hits(t).sum(axis=1)])
    found = cg.account(network, sequences, motifs=["GATTACAG"], rng=0)
    assert found.counts["units"] == 40
    assert (found.table["effective"] <= 40).all()


def test_of_few_sequences_all_other_bases_are_their_own_in_another_order() -> None:
    network = _network(lambda t: [_hits(t).sum(axis=1) + 0.1 * t[:, 0]])
    sequences = cg.sequences.decode(_planted(30, 50, 17))
    rows = _lines(cg.account(network, sequences, motifs=["GATTACAG"], rng=0))
    assert rows.loc["sites", "share"] > 0.7
    assert "all other bases" not in rows.index
    with pytest.raises(SequenceError):
        cg.account(network, sequences[:9], motifs=["GATTACAG"], rng=0)


def test_a_motif_without_a_site_has_no_part_and_is_named() -> None:
    network = _network(lambda t: [_hits(t).sum(axis=1)])
    sequences = cg.sequences.decode(_planted(60, 50, 19))
    one = cg.account(network, sequences, motifs=["GATTACAG"], rng=0)
    two = cg.account(network, sequences, motifs=["GATTACAG", "CCCCCCCCCCC"], rng=0)
    assert two.table.equals(one.table)
    assert two.without == ("CCCCCCCCCCC",)
    assert "CCCCCCCCCCC" in str(two)

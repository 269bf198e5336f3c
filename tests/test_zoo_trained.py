# Imports from the inside: files and cards of the trained networks.
"""The trained networks: files, cards, and whether the published findings come out on
every member.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.predict.answer_comparisons import check_batch_mates
from causalgia.sequences import encode
from causalgia.zoo.oracles import names
from causalgia.zoo.trained import (
    ARCHITECTURES,
    MEMBERS,
    STORIES,
    WEIGHTS,
    card_path,
    file_digest,
    read_card,
)

torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from zoo_training.ensembles import PLANS, Fit, train_ensemble, train_member  # noqa: E402
from zoo_training.simulation import LIBRARIES, simulate  # noqa: E402

pytestmark = pytest.mark.torch

BOTH = pytest.mark.parametrize("network", ARCHITECTURES)
ALL = pytest.mark.parametrize(
    ("name", "network"), list(product(STORIES, ARCHITECTURES))
)
BACKGROUNDS = np.random.default_rng(5).integers(0, 4, (250, 41)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def five(name: str, network: str) -> cg.Ensemble:
    return cg.zoo.ensemble(name, architecture=network)


def embedded(*sites: tuple[str, int]) -> np.ndarray:
    tokens = BACKGROUNDS.copy()
    for word, at in sites:
        tokens[:, at : at + len(word)] = encode(word)
    return tokens


def closed(tokens: np.ndarray) -> np.ndarray:
    """Pair 8 ... 16 with 24 ... 32: a stem of nine pairs about a loop of seven bases,
    17 ... 23.
    """
    tokens = tokens.copy()
    tokens[:, 24:33] = 3 - tokens[:, 16:7:-1]
    return tokens


def difference(
    predictor: cg.Ensemble, treated: np.ndarray, control: np.ndarray = BACKGROUNDS
):
    """Mean individual effect and its standard error for each member, two arrays
    (5,).
    """
    ice = predictor.predict(treated)[:, 0] - predictor.predict(control)[:, 0]
    return ice.mean(axis=0), ice.std(axis=0, ddof=1) / np.sqrt(len(ice))


@ALL
def test_a_member_is_a_predictor_of_the_oracles_task_on_its_scale(
    name: str, network: str
) -> None:
    oracle, loaded = (
        cg.zoo.oracle(name),
        cg.zoo.load(name, member=0, architecture=network),
    )
    assert isinstance(loaded, cg.TorchPredictor)
    assert (loaded.tasks, loaded.scale) == (oracle.tasks, oracle.scale)
    assert loaded.predict(BACKGROUNDS).shape == (250, 1)
    check_batch_mates(loaded, BACKGROUNDS)
    assert (
        loaded.fingerprint
        == cg.zoo.load(name, member=np.int64(0), architecture=network).fingerprint
    )
    assert five(name, network).models == tuple(f"member {i}" for i in range(5))
    assert len({member.fingerprint for member in five(name, network).members}) == 5


def test_residual_is_the_architecture_unless_another_is_named() -> None:
    assert (
        cg.zoo.load("vts1_like", member=1).fingerprint
        == five("vts1_like", "residual").members[1].fingerprint
    )
    assert (
        cg.zoo.ensemble("vts1_like").fingerprint
        == five("vts1_like", "residual").fingerprint
    )


def test_all_weights_together_are_less_than_five_megabytes_and_those_of_the_cards() -> (
    None
):
    files = sorted(WEIGHTS.glob("*.safetensors"))
    assert len(files) == len(STORIES) * len(ARCHITECTURES) * MEMBERS
    assert sum(file.stat().st_size for file in files) < 5_000_000
    cards = [
        cg.zoo.card(name, architecture=network)
        for name in STORIES
        for network in ARCHITECTURES
    ]
    assert {file_digest(file) for file in files} == {
        digest for card in cards for digest in card.digests
    }


@pytest.mark.simulation
@ALL
def test_the_cards_r2_comes_out_on_sequences_simulated_anew(
    name: str, network: str
) -> None:
    known = cg.zoo.card(name, architecture=network)
    fresh = simulate(name, 3_000, noise=known.noise, key=2026)
    answers = five(name, network).predict(fresh.tokens)[:, 0].T
    for y, written in (
        (fresh.labels, known.test_r2),
        (fresh.truth, known.test_r2_noise_free),
    ):
        around = (y - y.mean()) ** 2 / y.var()
        lost = (y - answers) ** 2 / y.var()
        r2 = 1 - lost.mean(axis=1)
        influence = lost - (1 - r2)[:, None] * around
        se = influence.std(axis=1) * np.sqrt(1 / len(y) + 1 / known.n_test)
        assert (np.abs(r2 - written) < 4 * se + 1e-4).all()  # the card has four digits
    assert min(known.test_r2_noise_free) > max(known.test_r2)


@ALL
def test_members_disagree_by_more_than_the_error_of_their_effects(
    name: str, network: str
) -> None:
    predictor, word = five(name, network), LIBRARIES[name].motifs[0]
    untreated, largest = predictor.predict(BACKGROUNDS)[:, 0], []
    for at in (4, 10, 17, 24, 30):
        ice = predictor.predict(embedded((word, at)))[:, 0] - untreated
        apart = ice - ice.mean(axis=1, keepdims=True)
        t = apart.mean(axis=0) / (apart.std(axis=0, ddof=1) / np.sqrt(len(apart)))
        largest.append(np.abs(t).max())
    # of 25 t values with 249 degrees of freedom: p < 1e-5 by chance
    assert max(largest) > 5


@pytest.mark.simulation
@BOTH
def test_ugcaug_is_first_among_its_neighbors_and_random_words(network: str) -> None:
    neighbors = {
        "UGCAUG"[:i] + base + "UGCAUG"[i + 1 :] for i in range(6) for base in "ACGU"
    } - {"UGCAUG"}
    drawn = {
        "".join(word) for word in np.random.default_rng(3).choice(list("ACGU"), (60, 6))
    } - {"UGCAUG"}
    strongest = five("rbfox1_like", network).predict(embedded(("UGCAUG", 17)))[:, 0]
    for word in sorted(neighbors | drawn):
        other = five("rbfox1_like", network).predict(embedded((word, 17))[:100])[:, 0]
        assert (strongest[:100].mean(axis=0) > other.mean(axis=0)).all(), word


@BOTH
def test_copies_add(network: str) -> None:
    copies = [embedded(*[("UGCAUG", at) for at in (4, 12, 20)[:n]]) for n in (1, 2, 3)]
    one, two, three = (
        difference(five("rbfox1_like", network), tokens)[0] for tokens in copies
    )
    assert (np.diff([one, two, three], axis=0) > 3).all()
    assert (np.abs(three - 3 * one) < 0.1 * three).all()


@pytest.mark.simulation
@BOTH
@pytest.mark.parametrize(
    ("places", "crowded"),
    [((16, 20), True), ((15, 21), True), ((13, 22), False), ((11, 25), False)],
)
def test_near_copies_lose_and_far_ones_do_not(
    places: tuple[int, int], crowded: bool, network: str
) -> None:
    predictor = five("rbfox1_like", network)
    pair, _ = difference(predictor, embedded(*[("UGCAUG", at) for at in places]))
    alone = sum(difference(predictor, embedded(("UGCAUG", at)))[0] for at in places)
    assert ((pair - alone < -0.4) if crowded else (np.abs(pair - alone) < 0.4)).all()


@BOTH
def test_gc_matters_at_the_3_prime_end_alone_and_where_it_was_simulated(
    network: str,
) -> None:
    at_34, at_2 = (
        difference(five("rbfox1_like", network), embedded(("GCGCGC", at)))[0]
        for at in (34, 2)
    )
    assert (
        np.maximum(at_34, at_34 - at_2) < -0.15
    ).all()  # truth -0.3: six of the last eight are G or C, not three on average
    assert at_34.mean() < -0.2
    assert np.abs(at_2.mean()) < 0.1  # over networks: one of them may err by more
    for at in (34, 2):
        effect, _ = difference(five("vts1_like", network), embedded(("GCGCGC", at)))
        assert (np.abs(effect) < 0.15).all()


@BOTH
def test_vts1_prefers_a_loop_to_the_open_and_the_open_to_a_stem(network: str) -> None:
    predictor, word = five("vts1_like", network), "GCUGG"
    loop, loop_se = difference(
        predictor, closed(embedded((word, 17))), closed(BACKGROUNDS)
    )
    open_, _ = difference(predictor, embedded((word, 17)))
    in_loop, se = difference(
        predictor, closed(embedded((word, 17))), embedded((word, 17))
    )
    in_stem, se_ = difference(
        predictor, closed(embedded((word, 10))), embedded((word, 10))
    )
    assert (in_loop > 5 * se).all()
    assert (in_stem < -5 * se_).all()
    assert (loop - open_ > 2 * loop_se).all()


@pytest.mark.parametrize("name", sorted({*names()} - {*STORIES}))
def test_a_name_without_trained_networks_is_its_oracle(name: str) -> None:
    found = cg.zoo.load(name)
    assert found == cg.zoo.oracle(name)
    assert cg.zoo.load(name, member=0, architecture="residual") == found


def test_damaged_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in WEIGHTS.glob("rbfox1_like_residual*"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-4])
    monkeypatch.setattr("causalgia.zoo.trained.WEIGHTS", tmp_path)
    (tmp_path / "rbfox1_like_residual.json").write_bytes(
        (WEIGHTS / "rbfox1_like_residual.json").read_bytes()
    )
    with pytest.raises(PredictorError):
        cg.zoo.load("rbfox1_like", member=0)


@pytest.mark.simulation
def test_without_torch_the_card_is_there_and_the_network_is_not() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import causalgia as cg\n"
        "print(cg.zoo.card('rbfox1_like').loss)\n"
        "try:\n"
        "    cg.zoo.load('rbfox1_like', member=0)\n"
        "except cg.errors.MissingExtraError as error:\n"
        "    print('refused')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == [cg.zoo.card("rbfox1_like").loss, "refused"]


def test_labels_are_the_oracles_answers_and_noise_of_the_sd_that_was_asked() -> None:
    data = simulate("vts1_like", 20_000, noise=0.5, key=3)
    np.testing.assert_array_equal(
        data.truth, cg.zoo.oracle("vts1_like").predict(data.tokens)[:, 0]
    )
    errors = data.labels - data.truth
    assert abs(errors.mean()) < 4 * data.noise_sd / np.sqrt(20_000)
    assert abs(errors.std() / (0.5 * data.truth.std()) - 1) < 4 / np.sqrt(40_000)
    assert abs(np.corrcoef(errors, data.truth)[0, 1]) < 4 / np.sqrt(20_000)
    assert (simulate("vts1_like", 20_000, noise=0.5, key=4).tokens != data.tokens).any()


@pytest.mark.simulation
def test_the_script_gives_the_same_weights_twice_and_a_card_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(
        PLANS["rbfox1_like"],
        n_train=2_000,
        n_test=400,
        fit=Fit(epochs=2, batch_size=100, learning_rate=0.004),
    )
    monkeypatch.setitem(PLANS, "rbfox1_like", small)
    said: list[str] = []
    made = train_ensemble("rbfox1_like", "exponential", tmp_path, said.append)
    assert made == read_card(card_path(tmp_path, "rbfox1_like", "exponential"))
    assert (
        train_member("rbfox1_like", "exponential", 3, tmp_path).digest
        == made.digests[3]
    )
    assert len(set(made.digests)) == len(said) == 5
    assert min(made.test_r2_noise_free) > 0.2

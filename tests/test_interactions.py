"""Imports Gate from the inside: networks with known interactions.

Interactions of pairs of positions: against loops over all edits, their truth, their
trial, and what is refused.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from test_map_averages import starting_at

import causalgia as cg
from causalgia.attribution import dfim, interactions, map_scores
from causalgia.errors import (
    DataError,
    DesignError,
)
from causalgia.experiments import site_pairs
from causalgia.sequences import decode, encode
from causalgia.zoo.terms import Gate

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.*not vary at all",
        "ignore:one unit",
        "ignore:. clusters",
        "ignore:.*gives the same answer",
    ),
]
GATA, CACCC = "AGATAAGG", "CCACACCC"
gate = cg.zoo.oracle("gated")


def _random_function(length, *, seed=0, tasks=("a", "b")):
    """A smooth function of all bases together, whose interactions are all different."""
    weights = (
        np.random.default_rng(seed).normal(size=(len(tasks), 4, length)) / length**0.5
    )
    return cg.FunctionPredictor(
        lambda x: np.tanh(np.einsum("ncl,tcl->nt", x, weights)),
        tasks=list(tasks),
        scale="y",
        fingerprint=f"{seed}",
    )


def _by_loop(predictor, letters, i, j):
    """The interaction of two positions of one sequence, edit by edit."""

    def answer(*edits):
        edited = letters.copy()
        for place, base in edits:
            edited[place] = base
        return predictor.predict(edited[None])[0].astype(float)

    others = [[base for base in range(4) if base != letters[place]] for place in (i, j)]
    one, other = (
        np.mean([answer((p, base)) for base in some], 0)
        for p, some in zip((i, j), others, strict=True)
    )
    both = np.mean([answer((i, a), (j, b)) for a, b in product(*others)], 0)
    return answer() - one - other + both


def _with_sites(n, *, seed=1, length=60, at=(16, 36), words=(GATA, CACCC)):
    drawn = cg.Uniform(length=length).sample(n, rng=seed)["sequence"].to_numpy().copy()
    for start, word in zip(at, words, strict=True):
        drawn[:, start : start + len(word)] = encode([word])[0]
    return decode(drawn)


def test_all_pairs_are_the_loop_over_all_edits():
    predictor, sample = _random_function(7), cg.Uniform(length=7).sample(3, rng=2)
    found = interactions(sample, predictor)
    tokens = sample["sequence"].to_numpy()
    for k, (i, j) in enumerate(combinations(range(7), 2)):
        assert (
            found["contrast"].values[k],
            found["first"].values[k],
            found["second"].values[k],
        ) == (f"{i}:{j}", i, j)
        expected = np.stack([_by_loop(predictor, row, i, j) for row in tokens])
        np.testing.assert_allclose(found["ice"][:, k], expected, atol=1e-12)
    assert found.attrs["null"] == sample.attrs["null"]
    assert found["parent"].values.tolist() == sample["parent"].values.tolist()


def test_pairs_and_positions_select_from_all_of_them():
    predictor, sample = _random_function(7), cg.Uniform(length=7).sample(2, rng=2)
    whole = interactions(sample, predictor)["ice"]
    some = interactions(sample, predictor, positions=[5, 1, 3])["ice"]
    assert some["contrast"].values.tolist() == ["1:3", "1:5", "3:5"]
    np.testing.assert_allclose(
        some, whole.sel(contrast=some["contrast"].values), atol=1e-12
    )
    given = interactions(sample, predictor, pairs=[(6, 2), (0, 4)], tasks="b")["ice"]
    assert given["contrast"].values.tolist() == ["0:4", "2:6"]
    np.testing.assert_allclose(
        given, whole.sel(contrast=["0:4", "2:6"], task=["b"]), atol=1e-12
    )


def test_tasks_without_names_are_numbered():
    nameless = cg.FunctionPredictor(
        lambda x: x[:, :2].sum(axis=2) ** 2, scale="y", fingerprint="nameless"
    )
    found = interactions(["ACGTAC"], nameless, pairs=[(0, 4)])
    assert found["task"].values.tolist() == list(nameless.tasks)
    # each exchange: -1 A, +1/3 C
    np.testing.assert_allclose(found["ice"][0, 0], [2, 2 / 9], atol=1e-12)


def test_blocks_of_mutants_change_nothing(monkeypatch):
    predictor, sample = _random_function(9), cg.Uniform(length=9).sample(4, rng=2)
    whole = interactions(sample, predictor)
    for rows in (1, 50):
        monkeypatch.setattr(map_scores, "_SEQUENCES_A_CALL", rows)
        np.testing.assert_allclose(
            interactions(sample, predictor)["ice"], whole["ice"], atol=1e-14
        )


@pytest.mark.torch
def test_networks_answer_in_part_or_in_full_alike():
    pytest.importorskip("torch")
    net = cg.zoo.load("rbfox1_like")
    sample = cg.Uniform(length=41).sample(2, rng=0)
    pairs = [(0, 40), (3, 17), (20, 21)]
    full, part = (
        interactions(
            sample,
            cg.TorchPredictor(net.module, tasks=["y"], incremental=way),
            pairs=pairs,
        )
        for way in (False, True)
    )
    np.testing.assert_allclose(part["ice"], full["ice"], atol=5e-6)
    expected = [
        [_by_loop(net, row, i, j) for i, j in pairs]
        for row in sample["sequence"].to_numpy()
    ]
    np.testing.assert_allclose(full["ice"], expected, atol=5e-6)
    both = interactions(
        sample, cg.Ensemble([net, cg.zoo.load("rbfox1_like", member=1)]), pairs=pairs
    )
    assert both["ice"].dims == ("unit", "contrast", "task", "model")
    np.testing.assert_allclose(both["ice"].isel(model=0), full["ice"], atol=5e-6)


def test_gates_have_the_interactions_of_their_truth_tables():
    found = interactions(_with_sites(3), gate, pairs=[(17, 20), (17, 40), (17, 30)])[
        "ice"
    ].mean("unit")
    expected = {"17:20": (2, 0, 1), "17:30": (0, 0, 0), "17:40": (2, -2, 0)}
    for pair, truth in expected.items():
        np.testing.assert_allclose(found.sel(contrast=pair), truth, atol=1e-12)


def test_averages_over_units_are_clustered_by_parent():
    predictor = _random_function(8, tasks=("y",))
    rows = cg.Uniform(length=8).sample(6, rng=2)
    rows = rows.assign_coords(parent=("unit", [0, 0, 1, 1, 2, 3]))
    found = interactions(rows, predictor, pairs=[(1, 5)])
    mean, ice = cg.estimate(found), found["ice"].to_numpy().ravel()
    assert mean["n_clusters"].item() == 4
    assert mean["ace"].item() == pytest.approx(ice.mean())
    alone = cg.estimate(found, cluster="none")
    assert alone["se"].item() == pytest.approx(ice.std(ddof=1) / 6**0.5)
    one = cg.estimate(interactions(rows.isel(unit=[0]), predictor, pairs=[(1, 5)]))
    # one sequence is a description
    assert not {"p", "se", "lower"} & set(one.variables)


@pytest.mark.torch
def test_what_rounding_makes_is_no_interaction():
    torch = pytest.importorskip("torch")

    class Additive(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(
                torch.randn(4 * 12, generator=torch.Generator().manual_seed(0))
            )

        def forward(self, x):
            return (x.flatten(1) @ self.weight).exp().log()[:, None]

    found = interactions(
        cg.Uniform(length=12).sample(50, rng=0),
        cg.TorchPredictor(Additive(), tasks=["y"]),
    )
    mean = cg.estimate(found)
    assert abs(found["ice"]).max() > 0
    assert (mean["p"] == 1).all()
    assert abs(mean["ace"]).max() < mean["floor"].max() < 1e-3


def test_the_largest_t_over_pairs_is_that_of_draws_in_numpy():
    """Adjusted p and half-widths against 100,000 draws of the largest |t|, of
    interactions by loop.
    """
    rng, n, length, n_draws = np.random.default_rng(3), 14, 6, 100_000
    letters = rng.integers(0, 4, (n, length)).astype(np.uint8)
    letters[:, [1, 4]] = np.where(rng.random((n, 2)) < 0.85, [2, 0], letters[:, [1, 4]])
    f = _random_function(length, seed=4, tasks=("a",))
    pairs = list(combinations(range(length), 2))
    ice = np.array([[_by_loop(f, row, i, j)[0] for i, j in pairs] for row in letters])
    root = np.linalg.svd(
        (ice - ice.mean(axis=0)) / ice.std(axis=0, ddof=1) / (n - 1) ** 0.5,
        full_matrices=False,
    )
    normal = rng.normal(size=(n_draws, len(root[1]))) @ (root[1][:, None] * root[2])
    largest = (
        abs(normal) / np.sqrt(rng.chisquare(n - 1, n_draws) / (n - 1))[:, None]
    ).max(axis=1)

    found = interactions(letters, f)
    band = cg.simultaneous(found, method="dunnett", rng=0)
    half = (
        (band["upper"] - band["lower"]).values[:, 0]
        / 2
        / (ice.std(axis=0, ddof=1) / n**0.5)
    )
    np.testing.assert_allclose(half, half[0], rtol=1e-6)
    beyond = (largest > half[0]).mean()
    assert abs(beyond - 0.05) <= 4 * (0.05 * 0.95 * (1 / n_draws + 1 / 65_535)) ** 0.5


@pytest.mark.simulation
@pytest.mark.parametrize("threshold", [None, 1.0])
def test_the_largest_t_keeps_the_familywise_error_without_interactions(threshold):
    """Over uniform sequences each average interaction is 0 by symmetry: 200 trials of
    28 pairs and 40 units.

    Above a threshold, few units interact at all.
    """
    rng, n_trials = np.random.default_rng(11), 200
    false = 0
    for trial in range(n_trials):
        weights = 0.5 * np.random.default_rng(trial).normal(size=(4, 8))

        def answers(x, weights=weights):
            total = (x * weights).sum(axis=(1, 2))
            return (
                np.tanh(total)
                if threshold is None
                else np.maximum(total - threshold, 0)
            )[:, None]

        predictor = cg.FunctionPredictor(
            answers, tasks=["y"], scale="y", fingerprint=f"{trial} {threshold}"
        )
        found = interactions(rng.integers(0, 4, (40, 8)).astype(np.uint8), predictor)
        band = cg.simultaneous(found, method="dunnett")
        false += bool(((band["lower"] > 0) | (band["upper"] < 0)).any())
    assert false / n_trials <= 0.05 + 3 * (0.05 * 0.95 / n_trials) ** 0.5


def test_a_feature_interaction_map_is_the_loop_over_exchanges():
    net, sample = cg.zoo.load("rbfox1_like"), cg.Uniform(length=41).sample(2, rng=3)
    found = dfim(sample, net, 20)
    contributions = []
    for step in range(4):
        tokens = sample["sequence"].to_numpy().copy()
        tokens[:, 20] = (tokens[:, 20] + step) % 4
        maps = cg.attribute(tokens, net)
        contributions.append(cg.attribution.contributions(maps).to_numpy())
    expected = contributions[0] - np.mean(contributions[1:], axis=0)
    expected[:, 20] = 0
    np.testing.assert_allclose(found["score"], expected, atol=1e-6)


def test_by_substitutions_it_is_pair_mutagenesis():
    predictor, sample = _random_function(9), cg.Uniform(length=9).sample(3, rng=1)
    found = dfim(sample, predictor, 4)
    pairs = interactions(sample, predictor, pairs=[(4, j) for j in range(9) if j != 4])
    np.testing.assert_allclose(
        found["score"].isel(position=[*range(4), *range(5, 9)]),
        pairs["ice"],
        atol=1e-12,
    )
    one = dfim(sample, predictor, (4, 6))["score"]  # all nine exchanges, without a seed
    assert one.equals(dfim(sample, predictor, (4, 6), rng=8)["score"])


def test_partners_of_a_site_stand_out_in_a_map():
    rows = _with_sites(4)
    found = dfim(rows, gate, (16, 24), rng=0)
    score = found["score"].sel(unit=0)
    np.testing.assert_allclose(
        score.isel(position=range(36, 44)).mean("position"), [2, -2, 0], atol=1e-12
    )
    assert abs(score.isel(position=[*range(24, 36), *range(46, 60)])).max() < 0.7
    assert (score.isel(position=range(16, 24)) == 0).all()
    mean = cg.attribution.average(found, starting_at([36] * 4, 8))
    assert not {"p", "log_p"} & set(mean.variables)


def _noisy_gate(seed=0):
    """The gates beside noise of each sequence, sd .07: effects of units differ."""
    weights = np.random.default_rng(seed).normal(size=(4, 60))

    def answers(x):
        noise = 0.1 * np.sin(50 * (x * weights).sum(axis=(1, 2)))
        return gate.predict(x.argmax(axis=1).astype(np.uint8)) + noise[:, None]

    return cg.FunctionPredictor(
        answers,
        tasks=["AND", "OR", "sum"],
        scale="log2 activity",
        fingerprint=f"noise {seed}",
    )


@pytest.mark.parametrize("predictor", [_noisy_gate()], ids=["with noise"])
def test_a_pair_of_sites_is_told_and_or_sum(predictor):
    """Issue 17, acceptance 4."""
    found = interactions(_with_sites(20), predictor)
    trial = site_pairs(
        cg.Uniform(length=60), found, n_pairs=1, n_units=100, rope=(-0.1, 0.1)
    )
    name = f"interaction, {GATA}+ then {CACCC}+, gap 12"
    answer = trial.analyze(cg.run(trial, predictor, rng=2))
    row = answer.decisions.sel(contrast=name)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (row["ace"] / abs(answer.estimates["se"].sel(contrast=name))).to_numpy()
    assert z[0] > 50
    assert z[1] < -50
    assert row["verdict"].sel(task="AND") == "increases"
    assert row["verdict"].sel(task="OR") == "decreases"
    assert -0.1 < row["lower"].sel(task="sum") <= row["upper"].sel(task="sum") < 0.1


@pytest.fixture(scope="module")
def trained_gate():
    """A small network trained on the gates, in ten seconds: R2 above .99 in each
    task.
    """
    torch = pytest.importorskip("torch")
    rng, n, steps = np.random.default_rng(0), 20_000, 1_500
    tokens = rng.integers(0, 4, (n, 60)).astype(np.uint8)
    starts = np.stack([rng.integers(0, 22, n), rng.integers(30, 52, n)], axis=1)
    starts = rng.permuted(starts, axis=1)
    for word, at in zip((GATA, CACCC), starts.T, strict=True):
        holds = np.flatnonzero(rng.random(n) < 0.6)
        tokens[holds[:, None], at[holds, None] + np.arange(8)] = encode([word])[0]

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.filters = torch.nn.Conv1d(4, 32, 10)
            self.dense = torch.nn.Sequential(
                torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)
            )

        def forward(self, x):
            return self.dense(self.filters(x).relu().amax(2))

    x = (
        torch.nn.functional.one_hot(torch.from_numpy(tokens.astype(np.int64)), 4)
        .transpose(1, 2)
        .float()
    )
    y = torch.from_numpy(gate.predict(tokens)).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Pooled()
        optimizer = torch.optim.Adam(net.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 1e-2, total_steps=steps
        )
        for _ in range(steps):
            some = torch.randint(0, n - 2_000, (128,))
            optimizer.zero_grad()
            ((net(x[some]) - y[some]) ** 2).mean().backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        missed = ((net(x[-2_000:]) - y[-2_000:]) ** 2).mean(0) / y[-2_000:].var(0)
    assert (missed < 0.02).all()
    return cg.TorchPredictor(
        net.eval(), tasks=["AND", "OR", "sum"], scale="log2 activity"
    )


@pytest.mark.simulation
@pytest.mark.torch
def test_the_gates_of_a_trained_network_are_told_by_a_trial_of_their_pair(trained_gate):
    found = interactions(_with_sites(20), trained_gate)
    trial = site_pairs(
        cg.Uniform(length=60), found, n_pairs=1, n_units=100, rope=(-0.1, 0.1)
    )
    name = f"interaction, {GATA}+ then {CACCC}+, gap 12"
    answer = trial.analyze(cg.run(trial, trained_gate, rng=2))
    row = answer.estimates.sel(contrast=name)
    z = (row["ace"] / row["se"]).to_series().to_dict()
    assert z["AND"] > 50
    assert z["OR"] < -50
    np.testing.assert_allclose(row["ace"], [2, -2, 0], atol=0.1)
    summed = answer.decisions.sel(contrast=name, task="sum")
    assert -0.1 < summed["lower"].item() < summed["upper"].item() < 0.1


def test_sites_that_interact_are_proposed_each_pair_once():
    words = ("GATAA", "CACCC", "TTGCC")
    oracle = cg.zoo.Oracle(
        Gate(words[:2], bonus=2.0, logic="or"),
        Gate(words[1:], bonus=-1.0, logic="and"),
        tasks=["y"],
        scale="y",
    )
    found = interactions(_with_sites(8, length=50, at=(5, 20, 35), words=words), oracle)
    trial = site_pairs(cg.Uniform(length=60), found)
    interaction = [
        name for name, asks in trial.labels["asks"].items() if asks == "interaction"
    ]
    assert interaction == [
        "interaction, GATAA+ then CACCC+, gap 10",
        "interaction, CACCC+ then TTGCC+, gap 10",
    ]
    proposed = [trial.labels["proposed"][name] for name in interaction]
    np.testing.assert_allclose(proposed, [-2, -1], atol=0.2)
    assert len(trial.named_arms) == 7
    assert len(site_pairs(cg.Uniform(length=60), found, n_pairs=1).named_arms) == 4


def test_a_trial_of_pairs_is_on_fresh_sequences_that_hold_them():
    rows = _with_sites(12)
    found = interactions(rows, gate, positions=range(14, 46), tasks="OR")
    for call, error in (
        (lambda: site_pairs(cg.Genomic(of=rows), found), DesignError),
        (lambda: site_pairs(cg.Uniform(length=25), found), DesignError),
        (lambda: site_pairs(cg.Uniform(length=60), found, at=40), DesignError),
        (lambda: site_pairs(cg.Uniform(length=60), found, task="AND"), DesignError),
        (lambda: site_pairs(cg.Uniform(length=60), found, n_pairs=0), DesignError),
        (
            lambda: site_pairs(cg.Uniform(length=60), cg.attribute(rows[:1], gate)),
            DataError,
        ),
        (
            lambda: site_pairs(
                cg.Uniform(length=60), cg.contrast(_outcomes(), control="none")
            ),
            DesignError,
        ),
    ):
        with pytest.raises(error):
            call()
    count = cg.FunctionPredictor(
        lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count", fingerprint="G"
    )
    one_site = interactions(
        _with_sites(3, at=(16,), words=(GATA,)),
        gate,
        positions=range(14, 30),
        tasks="AND",
    )
    for nothing in (interactions(rows, count, positions=range(14, 46)), one_site):
        with pytest.raises(DesignError):
            site_pairs(cg.Uniform(length=60), nothing)
    null = cg.Uniform(length=60)
    same = interactions(
        null.sample(12, rng=4), cg.zoo.oracle("pairs_like"), positions=range(20, 30)
    )
    same = same.assign(ice=same["ice"] * 0 + (abs(same["second"] - same["first"]) > 7))
    trial = site_pairs(null, same, n_units=12, rope=(-0.1, 0.1))
    outcomes = cg.run(trial, cg.zoo.oracle("pairs_like"), rng=4)
    with pytest.raises(DataError):
        trial.analyze(outcomes)


def _outcomes():
    arms = {"none": cg.Untreated(), "GATA": cg.Embed(GATA, at=20)}
    return cg.run(
        cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=4), gate, rng=0
    )


@pytest.mark.simulation
def test_the_picture_has_the_estimates_bold_where_intervals_exclude_0():
    found = interactions(
        _with_sites(25), _noisy_gate(), positions=[15, 17, 20, 38, 41, 50]
    )
    table = cg.simultaneous(found, method="dunnett")
    axes = cg.plot.heatmap(table, rows="first", columns="second", task="OR")
    grid = axes.images[0].get_array()
    assert grid.shape == (5, 5)
    ace = table["ace"].sel(task="OR")
    assert grid[1, 2] == pytest.approx(ace.sel(contrast="17:38").item())
    assert grid.mask[2, 0]
    bold = {t.get_position() for t in axes.texts if t.get_weight() == "bold"}
    beyond = ((table["lower"] > 0) | (table["upper"] < 0)).sel(task="OR")
    assert len(bold) == beyond.sum() == 4
    assert bold == set(product((2, 3), (1, 2)))


def _auroc(scores, truth):
    one, other = scores[truth], scores[~truth]
    return np.mean((one[:, None] > other) + 0.5 * (one[:, None] == other))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("method", "or_gate", "means"),
    [
        ("ism", 0.5, {"AND": 2.0, "OR": 0.0, "sum": 1.0, "alone": 2.0}),
        (
            "integrated_gradients",
            1.0,
            {"AND": 0.125, "OR": 0.125, "sum": 0.125, "alone": 0.25},
        ),
    ],
)
def test_maps_of_an_or_gate_are_blind_or_cannot_tell_it_from_and(
    method, or_gate, means
):
    """Area under the curve of the sites of gates in 60 bp, and the mean score at a
    site; both sites, or one alone.
    """
    pytest.importorskip("torch")
    from causalgia.zoo.torch_networks import Twin

    net = cg.TorchPredictor(
        Twin(gate), tasks=["AND", "OR", "sum"], scale="log2 activity"
    )
    options = {} if method in ("ism", "gradient") else {"n_baselines": 64, "rng": 0}
    sites = {"both": [*range(16, 24), *range(36, 44)], "alone": [*range(16, 24)]}
    area, score = {}, {}
    for case, places in sites.items():
        rows = (
            _with_sites(6)
            if case == "both"
            else _with_sites(6, at=(16,), words=(GATA,))
        )
        truth = np.isin(np.arange(60), places)
        tasks = ("AND", "OR", "sum") if case == "both" else ("OR",)
        maps = cg.attribution.contributions(
            cg.attribute(rows, net, method=method, tasks=tasks, **options)
        )
        for task in tasks:
            found = maps.sel(task=task).to_numpy()
            name = task if case == "both" else "alone"
            area[name], score[name] = (
                np.mean([_auroc(row, truth) for row in found]),
                found[:, truth].mean(),
            )
    assert min(area["AND"], area["sum"], area["alone"]) >= 0.99
    assert area["OR"] == pytest.approx(or_gate, abs=0.005)
    assert {name: score[name] for name in means} == pytest.approx(means, abs=0.01)


def test_pairs_see_both_sites_of_an_or_gate_that_single_substitutions_miss():
    rows, truth = (
        _with_sites(2),
        np.isin(np.arange(60), [*range(16, 24), *range(36, 44)]),
    )
    single = cg.attribution.contributions(
        cg.attribute(rows, gate, tasks="OR")
    ).to_numpy()[..., 0]
    assert [_auroc(row, truth) for row in single] == [0.5, 0.5]
    found = interactions(
        rows, gate, positions=[*range(14, 26), *range(34, 46)], tasks="OR"
    )
    first, second = found["first"].to_numpy(), found["second"].to_numpy()
    across = truth[first] & truth[second] & (second - first > 8)
    assert min(_auroc(-row, across) for row in found["ice"].to_numpy()[..., 0]) == 1


def test_what_stands_in_for_a_redundant_site_is_seen_in_its_feature_interaction_map():
    rows = _with_sites(3)
    trial = cg.Design(
        null=cg.Uniform(length=60),
        arms={"none": cg.Untreated(), "GATA": cg.Embed(GATA, at=20)},
        n_units=50,
    )
    effect = cg.estimate(cg.contrast(cg.run(trial, gate, rng=0), control="none"))
    maps = cg.attribute(rows, gate)
    flagged = cg.attribution.against_trial(maps, effect, GATA, both_strands=False)[
        "flag"
    ].sel(task="OR")
    assert flagged.values.tolist() == ["redundant"] * 3
    for_site = (
        dfim(rows, gate, (16, 24), rng=0, tasks="OR")["score"].isel(task=0).to_numpy()
    )
    assert (for_site.argmin(axis=1) >= 36).all()
    np.testing.assert_allclose(for_site[:, 36:44], -2, atol=1e-12)


def test_copies_that_saturate_are_flagged_and_interact_as_the_curve_of_their_response_says():
    """UGCAUG, 8 n / (n + 2) for n copies: single substitutions show 2.67, 1.33, .80 and
    .53 of an effect of 2.67.
    """
    oracle, word = cg.zoo.oracle("saturating"), "TGCATG"
    arms = {"none": cg.Untreated(), "one": cg.Embed(word, at=27)}
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=300), oracle, rng=0
    )
    effect = cg.estimate(cg.contrast(outcomes, control="none"))
    response = [8 * n / (n + 2) for n in range(5)]
    for n in range(1, 5):
        row = ("CCTCC" + "CTCTCC".join([word] * n)).ljust(60, "C")
        found = cg.attribution.against_trial(
            cg.attribute([row], oracle), effect, word, both_strands=False
        )
        np.testing.assert_allclose(
            found["largest_contribution"], response[n] - response[n - 1], atol=1e-5
        )
        assert set(found["flag"].values.ravel()) == {"saturated" if n == 4 else ""}
        if n > 1:
            # of the first and second copy
            between = interactions([row], oracle, pairs=[(7, 19)])["ice"].item()
            assert between == pytest.approx(
                response[n] - 2 * response[n - 1] + response[n - 2], abs=1e-5
            )

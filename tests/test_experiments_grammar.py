"""The catalogue on networks whose training grammar is known: answers right in words and
numbers, and none of nothing.

Networks of DragoNN's simulations (Kundaje Lab, MIT): one motif, its number, its place,
a spaced pair, one of three. What each data set held is in `truth.json` beside them;
three of the networks learned nothing of it.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache

import numpy as np
import pytest
from shared_folder import SHARED

import causalgia as cg
from causalgia.predict import load_predictor
from causalgia.sequences import decode

FOLDER = SHARED / "data" / "models" / "dragonn_simulated"
pytestmark = [
    pytest.mark.real,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning"),
]
ROPE = (-0.5, 0.5)  # logits: less than what a network makes of one weak site
NOTHING = ("single_n1000", "counting_n1000", "heterodimer_n1000")
COUNTING = ("counting_n2000", "counting_n6000", "counting_n12000", "counting_filters20")
LOCALIZATION = (
    "localization_n1000",
    "localization_n4000",
    "localization_n12000",
    "localization_filters20",
)
PAIRS = (
    "heterodimer_n5000",
    "heterodimer_n8000",
    "heterodimer_n12000",
    "heterodimer_filters20",
)
# those that tell a gap of 2 from one of 1
SHARP = ("heterodimer_n12000", "heterodimer_filters20")


@cache
def truth():
    return json.loads((FOLDER / "truth.json").read_text())


def word(motif: str) -> str:
    return truth()["motifs"][motif]["consensus"]


def network(name: str):
    known = truth()["networks"][name]
    weights = FOLDER / f"{name}.safetensors"
    loader = f"{FOLDER / 'arch.py'}:load"
    return load_predictor(
        loader, weights=weights, announce=None, tasks=known["tasks"], scale="logit"
    )


def backgrounds(name: str):
    length = truth()["grammars"][truth()["networks"][name]["grammar"]]["length"]
    return cg.Genomic(
        of=decode(np.load(FOLDER / "backgrounds.npz")[f"tokens_{length}"])
    )


def fresh(name: str):
    """Return fresh backgrounds, drawn base by base as those of training were."""
    return cg.Markov(of=backgrounds(name).of, order=0)


def matrix(motif: str) -> cg.sequences.Motif:
    counts = np.array(truth()["motifs"][motif]["probabilities_ACGT"]) + 0.001
    return cg.sequences.Motif.from_counts(motif, counts)


def asked(name: str, experiment: cg.experiments.Experiment):
    outcomes = cg.run(experiment, network(name), rng=0, progress=False)
    return outcomes, experiment.analyze(outcomes, rng=0)


def verdict(answer, contrast, task=None):
    rows = answer.decisions["verdict"].sel(contrast=contrast)
    return (rows.squeeze() if task is None else rows.sel(task=task)).item()


def rows_of(answer, **labels):
    """Return the rows with these labels."""
    rows = answer.decisions.squeeze("task")
    for name, value in labels.items():
        rows = rows.isel(contrast=rows[name].to_numpy() == value)
    return rows


def counted(name: str):
    places = [100, 300, 500, 700, 900]
    settings = {
        "motif": word("TAL1_known4"),
        "at": places,
        "n_units": 200,
        "rope": ROPE,
    }
    experiment = cg.experiments.copies(backgrounds(name), **settings)
    return experiment, *asked(name, experiment)


def placed(name: str, at=None):
    settings = {"motif": word("TAL1_known4"), "at": at, "n_units": 200, "rope": ROPE}
    return asked(name, cg.experiments.position(backgrounds(name), **settings))[1]


# --- one motif ------------------------------------------------------------------------


# of their last bases, pooling leaves these out
END = {"single": 469, "counting": 994}
FILTER = 15


def increases_everywhere(name: str) -> bool:
    """Whether a site raises the logit at each of 25 places, but where the network reads
    no base or a filter only a part of the site.
    """
    answer = placed(name)
    end = END[truth()["networks"][name]["grammar"]]
    rows = answer.decisions.squeeze("task")
    place = rows["place"].to_numpy()
    read = (place >= FILTER) & (place + len(word("TAL1_known4")) <= end)
    assert len(place) == 25
    assert read.sum() >= 22
    return bool((rows["verdict"].to_numpy()[read] == "increases").all())


@pytest.mark.parametrize("name", ["single_n6000", "single_n12000"])
def test_a_single_site_raises_the_logit_wherever_it_lies_and_on_either_strand(name):
    assert increases_everywhere(name)
    site = word("TAL1_known4")
    arms = {
        "none": cg.Untreated(),
        **{s: cg.Embed(site, at=240, strand=s) for s in "+-"},
    }
    design = cg.Design(null=backgrounds(name), arms=arms, n_units=200)
    outcomes = cg.run(design, network(name), rng=0, progress=False)
    found = cg.estimate(cg.contrast(outcomes, control="none"))
    assert (found["lower"] > 2).all()


def test_letters_of_the_site_matter_and_no_change_makes_it_much_better():
    experiment = cg.experiments.motif_mutagenesis(
        backgrounds("single_n12000"), motif=word("TAL1_known4"), n_units=200, rope=ROPE
    )
    _, answer = asked("single_n12000", experiment)
    assert verdict(answer, word("TAL1_known4")) == "increases"
    logo = answer.findings["logo"].squeeze()["ace"]
    matrix = np.array(truth()["motifs"]["TAL1_known4"]["probabilities_ACGT"])
    effects = logo.sel(base=list("ACGT")).transpose("position", "base").to_numpy()
    certain = matrix.max(axis=1) == 1  # positions that allow one letter
    best = effects.argmax(axis=1)
    assert (best[certain] == matrix.argmax(axis=1)[certain]).all()
    gap = np.sort(effects, axis=1)
    assert (gap[certain, 3] - gap[certain, 2]).min() > 1


# --- number ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", COUNTING)
def test_the_logit_rises_with_the_number_of_sites_and_crosses_0_between_two_and_three(
    name,
):
    experiment, outcomes, answer = counted(name)
    added = rows_of(answer, asks="added")
    assert list(added["copies"]) == [1, 2, 3, 4, 5]
    assert (added["verdict"] == "increases").all()
    effect = (
        answer.decisions["ace"]
        .squeeze()
        .sel(contrast=["1 copy", *(f"{n} copies" for n in range(2, 6))])
    )
    assert (np.diff(effect, prepend=0) > 1).all()
    level = outcomes["outcome"].mean("unit").squeeze()
    two, three = (
        [arm for arm, weight in experiment.named_contrasts[row].items() if weight > 0]
        for row in ("2 copies", "3 copies")
    )
    assert level.sel(arm=two) < 0.1  # one of the four says .51 for two sites
    assert level.sel(arm=three) > 1


@pytest.mark.parametrize("name", COUNTING[1:])
def test_where_the_counted_sites_are_does_not_matter(name):
    assert increases_everywhere(name)


# --- place ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOCALIZATION)
def test_a_site_in_the_center_raises_the_logit_and_one_outside_lowers_it(name):
    low, high = truth()["grammars"]["localization"]["centre"]
    places = [50, 150, 250, 350, 450, 500, 550, 650, 850, 950]
    answer = placed(name, places)
    for at in places:
        assert verdict(answer, f"at {at}") == (
            "increases" if low <= at < high - 10 else "decreases"
        ), at


@pytest.mark.parametrize("name", LOCALIZATION)
def test_position_at_its_defaults_raises_in_the_center_and_lowers_elsewhere(name):
    low, high = truth()["grammars"]["localization"]["centre"]
    null = fresh(name)
    _, answer = asked(name, cg.experiments.position(null, word("TAL1_known4")))
    shapes = answer.findings["shapes"]
    assert int(shapes["n"].sum()) == 25
    above, below = (shapes.isel(shape=shapes["sign"].values == s) for s in (1, -1))
    assert above.sizes["shape"] == 1
    assert low <= int(above["start"].item()) <= int(above["stop"].item()) <= high - 10
    assert ((below["stop"] < low) | (below["start"] > high - 10)).all()
    # all places but those that the network does not read whole, and one of the first
    assert int(above["n"].sum() + below["n"].sum()) >= 22


# --- two motifs -----------------------------------------------------------------------


FIRST, SECOND = "SPI1_known4", "IRF_known20"
NEAR, FAR = (0, 1, 2, 3, 4, 5, 6), (8, 20)


def paired(name: str, **settings):
    experiment = cg.experiments.pair(
        backgrounds(name),
        word(FIRST),
        word(SECOND),
        n_units=150,
        rope=(-1, 1),
        **settings,
    )
    return asked(name, experiment)[1]


def together(answer) -> dict[str, set[int]]:
    """Return arrangement -> gaps at which the pair itself increases the outcome."""
    rows = rows_of(answer, asks="pair", verdict="increases")
    found: dict[str, set[int]] = {}
    for arrangement, gap in zip(
        rows["arrangement"].to_numpy(), rows["gap"].to_numpy(), strict=True
    ):
        found.setdefault(str(arrangement), set()).add(int(gap))
    return found


@pytest.mark.simulation
@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_raises_the_logit_in_one_order_at_gaps_of_2_to_5_alone(name):
    low, high = truth()["grammars"]["heterodimer"]["gap"]
    gaps = set(range(low, high + 1))
    answer = paired(name, gaps=[*NEAR, *FAR])
    found = together(answer)
    first, second = word(FIRST), word(SECOND)
    planted = f"{first}+ then {second}+", f"{second}- then {first}-"
    reversed_order = f"{first}- then {second}-"
    assert set(found) <= {*planted, reversed_order}
    # half-trained networks answer to a base more or less
    spilled = set() if name in SHARP else {low - 1, high + 1}
    for arrangement in planted:
        assert gaps <= found[arrangement] <= gaps | spilled
    assert len(found.get(reversed_order, ())) <= (name not in SHARP)
    interactions = rows_of(answer, asks="interaction", arrangement=planted[0])
    inside = np.isin(interactions["gap"], sorted(gaps))
    assert (interactions["verdict"].to_numpy()[inside] == "increases").all()


@pytest.mark.parametrize("name", SHARP)
def test_two_sites_too_far_apart_lower_the_logit_though_they_are_not_below_their_sum(
    name,
):
    experiment = cg.experiments.spacing(
        backgrounds(name),
        word(FIRST),
        word(SECOND),
        gaps=[2, 5, 8, 15],
        n_units=200,
        control="untreated",
        rope=(-1, 1),
    )
    _, answer = asked(name, experiment)
    both = rows_of(answer, asks="pair").sortby("gap")["verdict"]
    assert list(both) == ["increases"] * 2 + ["decreases"] * 2
    # above the sum of two sites that each lower it
    sums = rows_of(answer, asks="interaction", gap=8)["verdict"]
    assert list(sums) == ["increases"]


@pytest.mark.parametrize(
    "name",
    [
        "heterodimer_n12000",
        *(
            pytest.param(name, marks=pytest.mark.simulation)
            for name in PAIRS
            if name != "heterodimer_n12000"
        ),
    ],
)
def test_pair_at_its_defaults_finds_what_was_planted_and_nothing_else_of_a_quarter(
    name,
):
    low, high = truth()["grammars"]["heterodimer"]["gap"]
    null = cg.Uniform(length=truth()["grammars"]["heterodimer"]["length"])
    _, answer = asked(name, cg.experiments.pair(null, word(FIRST), word(SECOND)))
    rows = rows_of(answer, asks="interaction")
    assert rows.sizes["contrast"] == 8 * 34
    quarter = float(abs(rows["ace"]).max()) / 4
    large = rows.isel(contrast=(abs(rows["ace"]) >= quarter).to_numpy())
    assert (large["verdict"] == "increases").all()
    planted = (
        f"{word(FIRST)}+ then {word(SECOND)}+",
        f"{word(SECOND)}- then {word(FIRST)}-",
    )
    found = {
        (str(a), int(gap))
        for a, gap in zip(large["arrangement"].values, large["gap"].values, strict=True)
    }
    # the others answer a little to a base more or less
    spill = 0 if name == "heterodimer_n12000" else 1
    least, most = (
        {(a, g) for a in planted for g in range(low - more, high + 1 + more)}
        for more in (0, spill)
    )
    assert least <= found <= most
    shapes = answer.findings["shapes"]
    named = shapes.isel(shape=(abs(shapes["size"]) >= quarter).to_numpy())
    assert sorted(named["group"].values) == sorted(planted)
    assert (named["sign"] == 1).all()
    assert (abs(named["start"] - low) <= spill).all()
    assert (abs(named["stop"] - high) <= spill).all()


# --- for whom ---


@pytest.fixture(scope="module")
def labelled():
    """1,000 fresh sequences of the heterodimer's grammar, half with a pair."""
    path = FOLDER / "simulate.py"
    spec = importlib.util.spec_from_file_location("simulate", path)
    simulation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulation)
    return simulation.simulate("heterodimer", np.random.default_rng(0), 500)[0]


@pytest.mark.parametrize("name", [*PAIRS, "heterodimer_n1000"])
def test_moderation_names_the_partner_of_a_site_where_a_network_learned_it(
    name, labelled
):
    experiment = cg.experiments.necessity(labelled, motif=matrix(FIRST), n_draws=1)
    outcomes, answer = asked(name, experiment)
    effects = cg.contrast(outcomes).sel(contrast=["shuffle"])
    strand = answer.findings["instances"]["strand"].values
    effects = effects.assign_coords(site_strand=("unit", strand))
    jaspar = SHARED / "data" / "motifs" / "jaspar2020_subset.meme"
    motifs = cg.sequences.read_motifs(jaspar) | {
        m: matrix(m) for m in truth()["motifs"]
    }
    found = cg.moderation(effects, motifs=motifs).squeeze()
    if name == "heterodimer_n1000":
        assert not found["named"]
        assert found["share"] <= 0.02
        return
    assert found["named"]
    assert [found[x].item() for x in ("name", "strand", "side")] == [
        SECOND,
        "same",
        "downstream",
    ]
    gaps = [found[x].item() for x in ("gap_from", "gap_to")]
    assert gaps == truth()["grammars"]["heterodimer"]["gap"]
    # orders of the letters of a purine-rich site keep part of it: single draws vary
    assert found["share"] > 0.5
    assert found["inside"] < -3 * abs(found["outside"])


# --- three tasks ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["multi_n12000", "multi_filters20"])
def test_each_task_answers_to_its_own_motif(name):
    for task, motif in zip(
        ("CTCF", "ZNF143", "SIX5"), truth()["grammars"]["multi"]["motifs"], strict=True
    ):
        given = matrix(motif)
        experiment = cg.experiments.knock_in(backgrounds(name), motif=given, rope=ROPE)
        _, answer = asked(name, experiment)
        assert verdict(answer, "motif minus placebo", task) == "increases"
        effect = answer.decisions["ace"].sel(contrast="motif minus placebo")
        others = [other for other in effect["task"].to_numpy() if other != task]
        # the rest: motifs came together
        assert (effect.sel(task=others) < 0.25 * effect.sel(task=task)).all()
        assert {
            verdict(answer, "placebo", other) for other in effect["task"].to_numpy()
        } == {"negligible"}


# --- nothing --------------------------------------------------------------------------


def test_a_bias_of_composition_that_was_not_there_is_not_found():
    for name in ("counting_n12000", "single_n12000"):
        length = backgrounds(name).length
        experiment = cg.experiments.position(
            backgrounds(name),
            "GCGCGC",
            at=[length // 4, length - 100],
            n_units=200,
            rope=ROPE,
        )
        _, answer = asked(name, experiment)
        assert set(answer.decisions["verdict"].to_numpy().ravel()) == {"negligible"}


@pytest.mark.simulation
@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_found_in_networks_that_learned_nothing(name):
    known = truth()["networks"][name]
    assert not any(known["learned"].values())
    null = backgrounds(name)
    site = word("TAL1_known4") if known["grammar"] != "heterodimer" else word(FIRST)
    spread = [int(null.length * share) for share in (0.1, 0.4, 0.7)]
    e, common = cg.experiments, {"n_units": 200, "rope": ROPE}
    experiments = [
        e.copies(null, motif=site, at=spread, **common),
        e.position(null, motif=site, **common),
        e.motif_mutagenesis(null, motif=site, **common),
        e.composition(null, site, **common),
        e.spacing(
            null,
            motif=word(FIRST),
            other=word(SECOND),
            gaps=[2, 5, 15],
            **common,
        ),
    ]
    for experiment in experiments:
        _, answer = asked(name, experiment)
        assert set(answer.decisions["verdict"].to_numpy().ravel()) == {"negligible"}, (
            experiment
        )


def test_no_pair_is_found_in_a_network_that_learned_nothing():
    answer = paired("heterodimer_n1000", gaps=[2, 5, 20])
    assert together(answer) == {}

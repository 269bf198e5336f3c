"""Refutations: sound trials that no check may fail, and trials with a planted fault
that one must find.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.design.placebo_contrasts import other_orders
from causalgia.errors import CausalgiaWarning
from causalgia.zoo import MotifCount, Oracle
from validation.checks import Check
from validation.draws import Rng

_LENGTH, _AT, _WORD, _WEAK = 41, 17, "UGCAUG", "UGCACG"
_UNIFORM, _RICH = (0.25, 0.25, 0.25, 0.25), (0.05, 0.45, 0.45, 0.05)


def sequences(rng: Rng, n: int, shares: tuple[float, ...] = _UNIFORM) -> np.ndarray:
    """Return random sequences as tokens."""
    return rng.choice(4, (n, _LENGTH), p=shares).astype(np.uint8)


def trial(
    null: cg.design.NullModel,
    n_units: int,
    control: cg.design.Intervention | None = None,
    weak: str = _WEAK,
    **options,
) -> cg.Design:
    """Return a trial of two motifs of the oracle beside a control."""
    control = control or cg.Placebo(_WORD, at=_AT)
    arms = {
        "control": control,
        "site": cg.Embed(_WORD, at=_AT),
        "weak site": cg.Embed(weak, at=_AT),
    }
    return cg.Design(
        null=null, arms=arms, n_units=n_units, contrasts="control", **options
    )


def sound(rng: Rng) -> xr.Dataset:
    """Return the refutation of a sound trial: of three null models, two oracles or a
    trained network.
    """
    real = sequences(rng, 120, tuple(rng.dirichlet((20, 20, 20, 20))))
    null = [
        cg.Uniform(length=_LENGTH),
        cg.DinucleotideShuffle(of=real),
        cg.Markov(of=real, order=1),
    ][rng.integers(3)]
    names = ["rbfox1_like", "additive", "trained"]
    name = str(rng.choice(names, p=[0.4, 0.4, 0.2]))
    predictor = (
        cg.zoo.oracle(name)
        if name != "trained"
        else cg.zoo.load("rbfox1_like", member=int(rng.integers(5)))
    )
    assignment = "parallel" if rng.random() < 0.2 else "crossover"
    weak = "AGAAUG" if name == "additive" else _WEAK  # that acts in the oracle
    of = trial(null, int(rng.integers(150, 401)), assignment=assignment, weak=weak)
    given = sequences(rng, 100) if isinstance(null, cg.Uniform) else None
    known = _WORD if rng.random() < 0.5 else None
    return refuted(of, predictor, rng, real=given, positive=known)


def refuted(
    of: cg.Design | xr.Dataset, predictor: cg.predict.Predictor, rng: Rng, **choices
) -> xr.Dataset:
    """Return a refutation without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return cg.refute(of, predictor, rng=int(rng.integers(2**62)), **choices)


@cache
def sound_trials(n: int) -> list[set[str]]:
    """Return the checks that failed in each of n sound trials; the rows of the table
    share them.
    """
    rng = np.random.default_rng(18)
    found = []
    for _ in range(n):
        checks = sound(rng)
        found.append(
            set(
                checks["check"]
                .to_numpy()[(checks["status"] == "fail").to_numpy()]
                .tolist()
            )
        )
    return found


_BY_CHANCE = ["identical_arms", "subset_of_units", "balance"]


@cache
def p_values(
    n: int, assignment: Literal["crossover", "parallel"]
) -> dict[str, np.ndarray]:
    """Return the p-values of the checks that fail by chance alone, in each of n sound
    trials on shuffles.
    """
    rng, oracle, found = np.random.default_rng(19), cg.zoo.oracle("rbfox1_like"), []
    for _ in range(n):
        null = cg.DinucleotideShuffle(of=sequences(rng, 60))
        of = trial(
            null, 200 if assignment == "crossover" else 500, assignment=assignment
        )
        found.append(refuted(of, oracle, rng, checks=_BY_CHANCE))
    return {
        name: np.array([one["value"].sel(check=name).item() for one in found])
        for name in _OF_CHANCE[assignment]
    }


def chance(
    check: str, assignment: Literal["crossover", "parallel"], level: float
) -> Callable[[Rng, int], np.ndarray]:
    """Return trials of whether the p-value of a check is at most a level in a sound
    trial.
    """
    return lambda _rng, n: p_values(n, assignment)[check] <= level


def wrong_channel_order(rng: Rng) -> xr.Dataset:
    """G and T change places before the network sees them; the motif that it must know
    is named.
    """
    oracle = cg.zoo.oracle("rbfox1_like")

    def swapped(one_hot: np.ndarray) -> np.ndarray:
        return oracle.predict(one_hot[:, [0, 1, 3, 2]].argmax(axis=1).astype(np.uint8))

    predictor = cg.FunctionPredictor(swapped, tasks=["RBFOX1"], fingerprint="swapped")
    return refuted(
        trial(cg.Uniform(length=_LENGTH), 400), predictor, rng, positive=_WORD
    )


def dropout_left_on(rng: Rng) -> xr.Dataset:
    """The stored outcomes carry noise of .4 that the network would give anew."""
    oracle = cg.zoo.oracle("rbfox1_like")
    outcomes = cg.run(
        trial(cg.Uniform(length=_LENGTH), 400),
        oracle,
        rng=int(rng.integers(2**62)),
        progress=False,
    )
    noisy = outcomes["outcome"] + rng.normal(0, 0.4, outcomes["outcome"].shape)
    return refuted(outcomes.assign(outcome=noisy), oracle, rng)


def gc_artifact(rng: Rng) -> xr.Dataset:
    """The network reads GC content, the motif is rich in it, and the control is the
    untreated background.
    """
    share = cg.FunctionPredictor(
        lambda x: 20 * x[:, 1:3].mean((1, 2)), tasks=["activity"], fingerprint="gc"
    )
    arms = {"control": cg.Untreated(), "site": cg.Embed("GGCGAC", at=_AT)}
    of = cg.Design(
        null=cg.Uniform(length=_LENGTH), arms=arms, n_units=400, contrasts="control"
    )
    return refuted(of, share, rng)


def leaky_control(rng: Rng) -> xr.Dataset:
    """The control carries a weaker motif of the same factor."""
    of = trial(cg.Uniform(length=_LENGTH), 400, control=cg.Embed("AGAAUG", at=_AT))
    return refuted(of, cg.zoo.oracle("rbfox1_like"), rng)


def junction_motif(rng: Rng) -> xr.Dataset:
    """All backgrounds have GT where the motif ends, and what acts is the motif with
    it.
    """
    tokens = sequences(rng, 300)
    tokens[:, _AT + 6 : _AT + 8] = (2, 3)
    arms = {"control": cg.Placebo(_WORD, at=_AT), "site": cg.Embed(_WORD, at=_AT)}
    of = cg.Design(
        null=cg.Genomic(of=cg.sequences.decode(tokens)),
        arms=arms,
        n_units=300,
        contrasts="control",
    )
    return refuted(of, Oracle(MotifCount("UGCAUGGU", 3.0)), rng, motifs=["UGCAUGGU"])


def shifted_null(rng: Rng) -> xr.Dataset:
    """Uniform backgrounds beside real sequences of 90 % G and C."""
    of = trial(cg.Uniform(length=_LENGTH), 400)
    return refuted(
        of,
        cg.zoo.oracle("rbfox1_like"),
        rng,
        real=cg.sequences.decode(sequences(rng, 200, _RICH)),
    )


def duplicated_units(rng: Rng) -> xr.Dataset:
    """A table in which each unit stands twice, under two names."""
    oracle = cg.zoo.oracle("rbfox1_like")
    outcomes = cg.run(
        trial(cg.Uniform(length=_LENGTH), 200),
        oracle,
        rng=int(rng.integers(2**62)),
        progress=False,
    )
    measured = outcomes.assign(
        outcome=outcomes["outcome"] + rng.normal(0, 0.1, outcomes["outcome"].shape)
    )
    frame = measured["outcome"].to_dataframe().reset_index()[["unit", "arm", "outcome"]]
    twice = [frame, frame.assign(unit=frame["unit"] + 1_000)]
    import pandas as pd

    table = cg.from_frame(pd.concat(twice), outcome="outcome", arm="arm", unit="unit")
    return refuted(table, None, rng, control="control")


def half_trained_weights(rng: Rng) -> xr.Dataset:
    """A trained network in which half of each weight is that of another position of its
    layer.
    """
    from copy import deepcopy

    import torch

    network = cg.zoo.load("rbfox1_like", member=int(rng.integers(5)))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    module = deepcopy(network.module)
    with torch.no_grad():
        for one in module.parameters():
            mixed = one.flatten()[
                torch.randperm(one.numel(), generator=generator)
            ].reshape(one.shape)
            one.copy_((one + mixed) / 2)
    half = cg.TorchPredictor(
        module,
        tasks=network.tasks,
        scale=network.scale,
        alphabet=network.alphabet,
        layout=network.layout,
    )
    return refuted(trial(cg.Uniform(length=_LENGTH), 400), half, rng, positive=_WORD)


_BINDER, _WORD_AT = "TGCATG", 17


def of_placebos(rng: Rng, sd: float) -> xr.Dataset:
    """A network that has a normal effect for each word of six letters at one place, and
    6 more for any order of the letters of one, which itself lies some sd of the effects
    of these beyond their mean; beside it a normal number of sd 3 for each sequence.
    """
    words = other_orders(cg.Embed(_BINDER, at=0).written, 10_000)
    place, table = 4 ** np.arange(6), rng.normal(size=4**6)
    orders = np.array([sorted(word) == sorted(_BINDER) for word in _ALL_WORDS])
    of_orders = table[cg.sequences.encode(words) @ place]
    table += orders * (6 - of_orders.mean())
    table[cg.sequences.encode([_BINDER])[0] @ place] = 6 + sd * of_orders.std(ddof=1)
    odd = rng.integers(1, 2**63, (_LENGTH, 4), dtype=np.uint64)

    def activity(one_hot: np.ndarray) -> np.ndarray:
        tokens = one_hot.argmax(axis=1)
        bits = odd[np.arange(_LENGTH), tokens].sum(axis=1, dtype=np.uint64)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits ^= bits >> np.uint64(27)
        normal = stats.norm.ppf(((bits >> np.uint64(11)).astype(float) + 0.5) / 2**53)
        here = tokens[:, _WORD_AT : _WORD_AT + 6] @ place
        return (table[here] + 3 * normal)[:, None]

    network = cg.FunctionPredictor(activity, tasks=["activity"], fingerprint="words")
    arms = {"control": cg.Untreated(), "word": cg.Embed(_BINDER, at=_WORD_AT)}
    of = cg.Design(
        null=cg.Uniform(length=_LENGTH), arms=arms, n_units=300, contrasts="control"
    )
    return refuted(of, network, rng, checks="beyond_placebos")


_ALL_WORDS = ["".join("ACGT"[n // 4**k % 4] for k in range(6)) for n in range(4**6)]


def placebos_say(status: str, sd: float) -> Callable[[Rng, int], np.ndarray]:
    """Return trials of whether a claim some sd of its placebos beyond their mean passes,
    or fails.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = [of_placebos(rng, sd)["status"] for _ in range(n)]
        return np.array(
            [one.sel(check="beyond placebos").item() == status for one in found]
        )

    return trials


_LETTERS = "AGATAAG"


def false_claim(rng: Rng, kind: str) -> xr.Dataset:
    """A network that a motif, or a rule, is claimed of, and that reads its letters in
    any order, or two of its bases.
    """
    single = {
        "control": cg.Untreated(),
        "word": cg.Embed(_LETTERS, at=_WORD_AT),
    }
    one, two = cg.Embed("CCGGAAGT", at=8), cg.Embed("TTAATTGC", at=20)
    crossed = {"none": cg.Untreated(), "A": one, "B": two, "AB": one + two}
    rule = {"rule": {"AB": 1.0, "A": -1.0, "B": -1.0, "none": 1.0}}
    motif = cg.sequences.encode(["TTAATTGC"])[0]
    at = slice(_WORD_AT, _WORD_AT + 7)

    def second(x: np.ndarray) -> np.ndarray:
        return (x.argmax(axis=1)[:, 20:28] == motif).all(axis=1) * 1.0

    laws: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "G and C": lambda x: 20 * x[:, 1:3].mean((1, 2)),
        "A": lambda x: x[:, 0].sum(1) / 4,
        "A and T": lambda x: -x[:, 1:3].sum((1, 2)) / 4,
        "two bases": lambda x: 5 * (x[:, 0, at.start + 2] + x[:, 2, at.start + 3]),
        "a rule: flanks poor in G and C": lambda x: (
            second(x) / (1 + np.exp(x[:, 1:3, 8:20].sum((1, 2)) - 6))
        ),
        "a rule: G and C of the partner": lambda x: (
            second(x) * x[:, 1:3, 8:16].sum((1, 2)) / 4
        ),
    }
    odd = rng.normal(size=(_LENGTH, 4))

    def activity(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, float)
        noise = np.sin(40 * np.einsum("ncl,lc->n", x, odd)) * 0.3
        return (laws[kind](x) + noise)[:, None]

    network = cg.FunctionPredictor(activity, tasks=["activity"], fingerprint=kind)
    of_rule = kind.startswith("a rule")
    of = cg.Design(
        null=cg.Uniform(length=_LENGTH),
        arms=crossed if of_rule else single,
        n_units=300,
        contrasts=rule if of_rule else "control",
    )
    return refuted(of, network, rng, checks="beyond_placebos")


FALSE_CLAIMS = [
    "G and C",
    "A",
    "A and T",
    "two bases",
    "a rule: flanks poor in G and C",
    "a rule: G and C of the partner",
]


def false_claims_fail(kind: str) -> Callable[[Rng, int], np.ndarray]:
    """Return trials of whether a check against placebos fails for a false claim."""
    return lambda rng, n: np.array(
        [bool((false_claim(rng, kind)["status"] == "fail").any()) for _ in range(n)]
    )


FAULTS: dict[str, Callable[[Rng], xr.Dataset]] = {
    "wrong channel order": wrong_channel_order,
    "dropout left on": dropout_left_on,
    "GC artifact": gc_artifact,
    "leaky control": leaky_control,
    "junction motif": junction_motif,
    "shifted null": shifted_null,
    "duplicated units": duplicated_units,
    "half-trained weights": half_trained_weights,
}
"""Trials with a fault that some check must find."""
FINDS = {
    "wrong channel order": "positive control",
    "dropout left on": "same answers",
    "GC artifact": "specific share",
    "leaky control": "another control",
    "junction motif": "junction sites",
    "shifted null": "classifier",
    "duplicated units": "degenerate draws",
    "half-trained weights": "positive control",
}
"""The check that is to find each of them."""


def finds(fault: str) -> Callable[[Rng, int], np.ndarray]:
    """Return trials of whether the check of a fault fails."""

    def trials(rng: Rng, n: int) -> np.ndarray:
        return np.array(
            [
                FAULTS[fault](rng)["status"].sel(check=FINDS[fault]).item() == "fail"
                for _ in range(n)
            ]
        )

    return trials


def fails(check: str | None) -> Callable[[Rng, int], np.ndarray]:
    """Return trials of whether a check, or any, fails in a sound trial."""
    return lambda _rng, n: np.array(
        [bool(found) if check is None else check in found for found in sound_trials(n)]
    )


_CHECKED = [
    *(
        "positive control",
        "beyond placebos",
        "specific share",
        "another control",
        "identical arms",
        "other null models",
    ),
    *(
        "sd between null models",
        "classifier",
        "prediction range",
        "reweighted effect",
        "tipping shift",
    ),
    *(
        "degenerate draws",
        "subset of units",
        "balance",
        "junction sites",
        "same answers",
        "numerical floor",
    ),
    "randomized weights",
]
_OF_CHANCE: dict[Literal["crossover", "parallel"], list[str]] = {
    "crossover": ["identical arms", "subset of units"],
    "parallel": ["identical arms", "subset of units", "balance"],
}
_SECTION = (
    "Refutations: checks that fail in sound trials, and planted faults that they detect"
)
CHECKS = [
    Check(
        _SECTION,
        "sound trials: any check fails",
        fails(None),
        0.05,
        "at most",
        full=200,
        quick=6,
    ),
    *(
        Check(
            _SECTION,
            f"sound trials: check '{check}' fails",
            fails(check),
            0.0025,
            "at most",
            full=200,
            quick=6,
        )
        for check in _CHECKED
    ),
    *(
        Check(
            _SECTION,
            f"sound {assignment} trials: check '{check}', p <= {level}",
            chance(check, assignment, level),
            level,
            "at most",
            full=500,
            quick=6,
        )
        for assignment, checks in _OF_CHANCE.items()
        for check in checks
        for level in (0.05, 0.0025)
    ),
    *(
        Check(
            _SECTION,
            f"planted {fault}: check '{FINDS[fault]}' fails",
            finds(fault),
            0.95,
            "at least",
            full=20,
            quick=2,
        )
        for fault in FAULTS
    ),
    *(
        Check(
            _SECTION,
            f"a claim {sd} sd of its placebos beyond their mean fails",
            placebos_say("fail", sd),
            0.05 if sd > 2 else 0.8,
            "at most" if sd > 2 else "reported" if sd else "at least",
            full=100,
            quick=2,
        )
        for sd in (0, 1, 2, 3, 5)
    ),
    Check(
        _SECTION,
        "a claim 5 sd of its placebos beyond their mean passes",
        placebos_say("pass", 5),
        0.8,
        "at least",
        full=100,
        quick=2,
    ),
    *(
        Check(
            _SECTION,
            f"a false claim of {kind}: a check against placebos fails",
            false_claims_fail(kind),
            0.8,
            "at least",
            full=50,
            quick=2,
        )
        for kind in FALSE_CLAIMS
    ),
]

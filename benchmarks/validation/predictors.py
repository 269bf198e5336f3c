"""The effect in the next network: predictive intervals from few retrainings, of known
law and of real networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import xarray as xr
from scipy import stats
from shared_folder import SHARED

import causalgia as cg
from causalgia.estimation.crossover import next_level
from validation.checks import Check, Rng

FOLDER = SHARED / "data" / "models"
SERIES = {"human": "openspliceai_mane_80", "mouse": "openspliceai_mouse_80"}
WORDS = {
    "CAGGTAAGT": (44, 84, 88, 92),
    "AAGGTGAGT": (70, 88),
    "TTTCTTTTCTTTCAGG": (60, 75),
    "TACTAAC": (60, 70),
}
WORDS |= {
    "TGCATG": (60, 100, 110),
    "GAAGAA": (70, 100),
    "TTAGGG": (70, 100),
    "TCTTTC": (70, 100),
}
FLY = {
    "ATGACTCAT": "AP-1",
    "AGATAAGA": "GATA",
    "TATCGATA": "Dref",
    "CCGGAAGT": "ETS",
    "GAGAGAGA": "Trl",
    "TCACGCGA": "bHLH",
}
DEEPSTARR = ("deepstarr", "deepstarr_retrained_1", "deepstarr_retrained_2")
N_UNITS, N_BACKGROUNDS, CI_PROB = 40, 100, 0.9
_SIMULATED = "Predictive intervals for the next network, 90 %: normal effects, 40 units"
_OTHERS = (
    "Predictive intervals for the next network, 90 %: leave-one-out, three DeepSTARR "
    "networks and ten small ones"
)
_REAL = (
    "Predictive intervals for the next network, 90 %: leave-one-out, five retrainings "
    "of two splicing networks"
)


def half_width(
    ice: np.ndarray, *, moderated: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the half width of the predictive interval of ICE (unit,
    network, contrast).
    """
    if not moderated:
        found = next_level(ice)
        return found.ace, stats.t.ppf((1 + CI_PROB) / 2, found.df) * found.se
    by_task = np.moveaxis(ice, 1, 2)[:, :, None]
    estimates = cg.estimate(
        xr.Dataset({"ice": (("unit", "contrast", "task", "model"), by_task)}),
        target="next predictor",
        variances=True,
        ci_prob=CI_PROB,
    )
    ace, lower, upper = (
        estimates[name].to_numpy()[:, 0] for name in ("ace", "lower", "upper")
    )
    return ace, (upper - lower) / 2


def covers(
    n_networks: int, n_contrasts: int, *, moderated: bool = False, residual: float = 0.3
) -> Callable[[Rng, int], np.ndarray]:
    """Whether, or in which share of contrasts, the ACE of the next network lies in the
    interval.

    Networks differ by sd .3 in the ACE (times a lognormal factor over contrasts where
    there are several), units by sd 1 alike in all networks, and by `residual` in each.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        if n_contrasts == 1:
            return hits(rng, np.full(n, 0.3))
        spread = 0.3 * np.exp(0.5 * rng.normal(size=(n, n_contrasts)))
        return np.array([hits(rng, row).mean() for row in spread])

    def hits(rng: Rng, spread: np.ndarray) -> np.ndarray:
        ace = 1 + spread * rng.normal(size=(n_networks + 1, len(spread)))
        own = residual * rng.normal(size=(N_UNITS, n_networks, len(spread)))
        center, half = half_width(
            ace[:n_networks] + own + rng.normal(size=(N_UNITS, 1, len(spread))),
            moderated=moderated,
        )
        return np.asarray(np.abs(ace[-1] - center) <= half)

    return trials


@cache
def series(name: str) -> np.ndarray:
    """Return the ICE of five retrainings, (unit, network, contrast): 19 motifs at
    places, two tasks.
    """
    folder = FOLDER / SERIES[name]
    arch = _architecture(folder)
    members = [
        cg.TorchPredictor(
            arch.load(path), tasks=arch.TASKS, scale="log odds", reduce=arch.at()
        )
        for path in sorted(folder.glob("member_*.safetensors"))
    ]
    tokens = np.load(folder / "backgrounds.npz")["tokens"][:N_BACKGROUNDS]
    arms = {"untreated": cg.Untreated()}
    arms |= {
        f"{word} at {at}": cg.Embed(word, at=at)
        for word, places in WORDS.items()
        for at in places
    }
    return _ice(
        cg.Genomic(of=tokens), arms, cg.Ensemble(members), n_units=N_BACKGROUNDS
    )


def _architecture(folder: Path) -> ModuleType:
    spec = spec_from_file_location(folder.name, folder / "arch.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder / "arch.py")
    arch = module_from_spec(spec)
    spec.loader.exec_module(arch)
    return arch


def _ice(
    null: cg.Genomic | cg.Uniform,
    arms: dict[str, object],
    networks: cg.Ensemble,
    n_units: int,
) -> np.ndarray:
    """Return the ICE of every arm against the untreated one, (unit, network, contrast),
    tasks side by side.
    """
    design = cg.Design(null=null, arms=arms, n_units=n_units)
    outcomes = cg.run(design, networks, rng=0, progress=False)
    ice = (
        cg.contrast(outcomes, control="untreated")["ice"]
        .transpose("unit", "model", "contrast", "task")
        .to_numpy()
    )
    return ice.reshape(*ice.shape[:2], -1).astype(np.float64)


@cache
def deepstarr() -> np.ndarray:
    """Return the ICE of three trainings of DeepSTARR, (unit, network, contrast): six
    motifs at two places, two tasks.
    """
    arch = _architecture(FOLDER / DEEPSTARR[0])
    members = [
        cg.TorchPredictor(
            arch.load(FOLDER / name / "model.safetensors"),
            tasks=list(arch.TASKS),
            scale="log2",
        )
        for name in DEEPSTARR
    ]
    shuffles = cg.read_sequences(
        FOLDER.parent / "sequences" / "fly_249" / "dinucleotide_shuffled.fasta.gz"
    )
    arms = {"untreated": cg.Untreated()}
    arms |= {
        f"{word} at {at}": cg.Embed(word, at=at) for word in FLY for at in (100, 160)
    }
    return _ice(cg.Genomic(of=shuffles), arms, cg.Ensemble(members), n_units=500)


@cache
def small(network: Literal["residual", "exponential"]) -> np.ndarray:
    """Return the ICE of five small networks that ship here, (unit, network, contrast):
    motifs at places and apart.
    """
    words = ("UGCAUG", "AGCAUG", "UGUAUG", "UACAUG", "GCGCGC", "AUAUAU")
    arms = {"untreated": cg.Untreated()}
    arms |= {
        f"{word} at {at}": cg.Embed(word, at=at) for word in words for at in (8, 17, 26)
    }
    null = cg.Uniform(length=41)
    return _ice(
        null, arms, cg.zoo.ensemble("rbfox1_like", architecture=network), n_units=1_000
    )


def left_out(
    ice: np.ndarray, truth: np.ndarray, n_networks: int, *, moderated: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each choice of networks and each one left out whether its `truth` was
    covered, and the half widths.
    """
    hits, widths = [], []
    for chosen in itertools.combinations(range(ice.shape[1]), n_networks):
        center, half = half_width(ice[:, list(chosen)], moderated=moderated)
        for other in set(range(ice.shape[1])) - set(chosen):
            hits.append(np.abs(truth[other] - center) <= half)
            widths.append(half)
    return np.array(hits), np.array(widths)


def networks_alone(ice: np.ndarray, n_networks: int) -> np.ndarray:
    """Return for each choice and each one left out whether its ACE over these same
    units was covered.

    The units are given, so the half width is that between networks alone:
    ``t_{J-1} s_b sqrt(1 + 1/J)``.
    """
    ace, hits = ice.mean(axis=0), []
    for chosen in itertools.combinations(range(len(ace)), n_networks):
        level = ace[list(chosen)]
        half = (
            stats.t.ppf((1 + CI_PROB) / 2, n_networks - 1)
            * level.std(axis=0, ddof=1)
            * np.sqrt(1 + 1 / n_networks)
        )
        hits += [
            np.abs(ace[other] - level.mean(axis=0)) <= half
            for other in set(range(len(ace))) - set(chosen)
        ]
    return np.array(hits)


def _drawn_of(rng: Rng, n: int, hits: list[np.ndarray]) -> np.ndarray:
    """Draw n of all cases at random: the figure is that of all cases, within
    sampling.
    """
    return rng.choice(np.concatenate([hit.ravel() for hit in hits]), n)


def drawn_units(
    networks: list[np.ndarray], n_networks: int, rng: Rng, *, moderated: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield ICE, hits and half widths of networks left out: 40 units drawn with
    replacement, ten times.

    The backgrounds at hand are the population, and the truth is the ACE over all of
    them: over the 40 units of the interval a network left out would share their error
    with the others.
    """
    for _ in range(10):
        for ice in networks:
            units = rng.integers(len(ice), size=N_UNITS)
            yield (
                ice,
                *left_out(
                    ice[units], ice.mean(axis=0), n_networks, moderated=moderated
                ),
            )


def printed(
    networks: Callable[[], list[np.ndarray]],
    n_networks: int,
    *,
    moderated: bool = False,
    widest: bool = False,
) -> Callable[[Rng, int], np.ndarray]:
    """Whether the printed interval covers the network left out; of the fifth with the
    largest sd if `widest`.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        found = []
        for ice, hits, _ in drawn_units(
            networks(), n_networks, rng, moderated=moderated
        ):
            sd = ice.mean(axis=0).std(axis=0, ddof=1)
            found.append(hits[:, sd >= np.quantile(sd, 0.8)] if widest else hits)
        return _drawn_of(rng, n, found)

    return trials


def narrower(
    networks: Callable[[], list[np.ndarray]], n_networks: int
) -> Callable[[Rng, int], np.ndarray]:
    """Mean width of the moderated intervals of one draw of units over that of the plain
    ones.
    """

    def trials(rng: Rng, n: int) -> np.ndarray:
        seed = int(rng.integers(2**31))
        both = (
            drawn_units(
                networks(), n_networks, np.random.default_rng(seed), moderated=moderated
            )
            for moderated in (True, False)
        )
        return rng.choice(
            [one[2].mean() / other[2].mean() for one, other in zip(*both, strict=True)],
            n,
        )

    return trials


def given_units(n_networks: int) -> Callable[[Rng, int], np.ndarray]:
    """Whether the part between networks covers the network left out, on these same
    units.
    """
    return lambda rng, n: _drawn_of(
        rng, n, [networks_alone(ice[:N_UNITS], n_networks) for ice in splicing()]
    )


def splicing() -> list[np.ndarray]:
    return [series(name) for name in SERIES]


def _covering(
    section: str, name: str, networks: Callable[[], list[np.ndarray]], n_networks: int
) -> list[Check]:
    """Return the rows of the plain interval: neither too narrow nor too wide."""
    trials = printed(networks, n_networks)
    return [
        Check(
            section, f"{name}, reported interval", trials, 0.87, "at least", 10_000, 300
        ),
        Check(
            section,
            f"{name}, reported interval: not too wide",
            trials,
            0.93,
            "at most",
            10_000,
            300,
        ),
    ]


CHECKS = [
    Check(
        _SIMULATED,
        f"next network, {J} retrainings, one contrast",
        covers(J, 1),
        CI_PROB,
        "at least",
        10_000,
        1_000,
    )
    for J in (2, 3, 5, 10)
]
CHECKS += [
    Check(
        _SIMULATED,
        f"next network, {J} retrainings, {K} contrasts, moderated sd: mean over "
        "contrasts",
        covers(J, K, moderated=True),
        0.86,
        "at least",
        2_000,
        100,
    )
    for K in (10, 30)
    for J in (3, 5)
]
CHECKS += [
    Check(
        _SIMULATED,
        f"next network, {J} retrainings, one contrast, effects of units differ between "
        "networks",
        covers(J, 1, residual=1.0),
        CI_PROB,
        "at least",
        10_000,
        1_000,
    )
    for J in (2, 3, 5)
]
_ON_REAL = []
for _J in (2, 3, 4):
    _ON_REAL += _covering(_REAL, f"{_J} seeds", splicing, _J)
    _ON_REAL.append(
        Check(
            _REAL,
            f"{_J} seeds, part for networks alone",
            given_units(_J),
            0.87,
            "at least",
        )
    )
for _J, _most in ((3, 0.75), (4, 0.85)):
    _name = f"{_J} seeds, moderated sd"
    _ON_REAL.append(
        Check(
            _REAL,
            _name,
            printed(splicing, _J, moderated=True),
            0.86,
            "at least",
            10_000,
            300,
        )
    )
    _widest = printed(splicing, _J, moderated=True, widest=True)
    _ON_REAL.append(
        Check(
            _REAL,
            f"{_name}: the fifth of contrasts with the largest sd",
            _widest,
            0.9,
            "reported",
            10_000,
            300,
        )
    )
    _less = narrower(splicing, _J)
    _ON_REAL.append(
        Check(
            _REAL,
            f"{_name}: width relative to the unmoderated interval",
            _less,
            _most,
            "at most",
            1_000,
            100,
        )
    )
_ON_REAL += _covering(_OTHERS, "DeepSTARR, 2 of 3 trainings", lambda: [deepstarr()], 2)
CHECKS += [replace(check, real=True) for check in _ON_REAL]
for _J in (2, 3, 4):
    CHECKS += _covering(
        _OTHERS,
        f"RBFOX1-like, {_J} of 5 seeds",
        lambda: [small("residual"), small("exponential")],
        _J,
    )

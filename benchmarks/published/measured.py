"""The experiments behind the statements: on oracles, on trained networks of the zoo,
and on the published network of fly enhancers.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import causalgia as cg
from causalgia.design import Design
from causalgia.estimation._helical_phase import mean_curve_wave, trend_basis
from causalgia.experiments import (
    Experiment,
    across_predictors,
    agreement,
    null_models,
    share_of_predictors,
)
from causalgia.predict import Predictor
from causalgia.sequences import decode
from causalgia.trial_file import TrialSpec, read_spec
from causalgia.zoo import EndGC, MotifCount, Oracle

from . import figures, predictors

Results = dict[str, Any]
FOLDER = Path(__file__).parent
RBFOX1 = "rbfox1_like"
ROPE = (-0.2, 0.2)  # log intensity: an eighteenth of the effect of one site
ARCHITECTURES = ("residual", "exponential")
PARTS = (
    "copies",
    "weak_copies",
    "copies_apart",
    "spacing",
    "position",
    "mutagenesis",
    "affinity",
    "gc",
    "gc_of_the_other",
    "hairpin",
    "weak_against_strong",
)
"""Trial files that the oracle of each and networks trained on it answer."""


def trial(name: str) -> TrialSpec:
    """Return the trial of a file of this folder."""
    return read_spec(FOLDER / f"{name}.toml")


def on_oracle(name: str) -> Results:
    """Return contrast -> effect, interval, verdict and truth, on the oracle."""
    asked = trial(name)
    oracle = cg.zoo.oracle(asked.predictor.zoo)
    truth = oracle.true_ace(asked.design).isel(task=0)
    rows = _rows(_decisions(asked, oracle).isel(task=0))
    for contrast, row in rows.items():
        row["truth"] = truth.sel(contrast=contrast).item()
        row["mcse"] = truth["mcse"].sel(contrast=contrast).item()
    return rows


def on_networks(name: str, architecture: Any) -> Results:
    """Return contrast -> effect, interval and verdict, of networks trained like these
    five.
    """
    asked = trial(name)
    ensemble = cg.zoo.ensemble(asked.predictor.zoo, architecture=architecture)
    found = _decisions(asked, ensemble, target="population x predictors")
    return _rows(found.isel(task=0))


def _decisions(asked: TrialSpec, predictor: Predictor, **analysis: Any) -> xr.Dataset:
    """Return what `causalgia run` decides, of this predictor."""
    plan = replace(asked.analysis, **analysis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        if isinstance(asked.design, Experiment):
            experiment = replace(asked.design, analysis=plan)
            outcomes = _outcomes(experiment, predictor)
            return experiment.analyze(outcomes, rng=0).decisions
        outcomes = cg.run(
            asked.design, predictor, rng=asked.rng, analysis=plan, progress=False
        )
        return cg.analyze(outcomes)


def _outcomes(design: Design, predictor: Predictor) -> xr.Dataset:
    return cg.run(design, predictor, rng=0, progress=False)


def _rows(decisions: xr.Dataset) -> Results:
    """Return the rows of a table but what each further copy adds, a difference of two
    of them.
    """
    names = ("ace", "se", "lower", "upper", "verdict")
    return {
        contrast: {
            name: decisions.sel(contrast=contrast)[name].item() for name in names
        }
        for contrast in decisions["contrast"].to_numpy().astype(str).tolist()
        if not contrast.endswith(" added")
    }


def definition() -> Results:
    """Return how far the ACE of UGCAUG is from the difference of two means, each of its
    own sequences (Eq. 1 and 2 of the paper).
    """
    design = trial("weak_against_strong").design
    outcomes = _outcomes(design, cg.zoo.oracle(RBFOX1))
    means = outcomes["outcome"].mean("unit").isel(task=0)
    ace = cg.estimate(cg.contrast(outcomes))["ace"]
    by_means = means.sel(arm="strong") - means.sel(arm="untreated")
    gap = abs(float(by_means) - ace.sel(contrast="strong").item())
    return {"largest_difference": gap}


def invariance() -> Results:
    """Return what elements do by their letters and by their arrangement, on a promoter
    that reads places and on a reader of A and T, with the shares of units in which they
    raise the outcome.
    """
    asked, found = trial("invariance"), {}
    for name in ("promoter", "at_content"):
        oracle = getattr(predictors, name)()
        outcomes = _outcomes(asked.design, oracle)
        above = (cg.contrast(outcomes)["ice"] > 0).mean("unit").isel(task=0)
        found[name] = {
            contrast: {**row, "share": above.sel(contrast=contrast).item()}
            for contrast, row in _rows(_decisions(asked, oracle).isel(task=0)).items()
        }
    return found


def synergy() -> Results:
    """Return the GC experiment on the oracle that was made after a plot."""
    return _rows(_decisions(trial("synergy"), predictors.synergy()).isel(task=0))


def factors(n: int = 244) -> Results:
    """Return the share of simulated factors with a bias of the 3' end, and the true
    one; a third have one.
    """
    generator = np.random.default_rng(3)
    simulated, n_biased = {}, 0
    for k in range(n):
        terms: list[Any] = [MotifCount("".join(generator.choice(list("ACGU"), 6)), 3.0)]
        if generator.random() < 1 / 3:
            slope = generator.uniform(-2.4, -0.2)
            terms.append(EndGC(slope, last=8))
            n_biased += (
                3 / 8 * slope < ROPE[0]
            )  # GCGCGC has three G or C more, of eight
        simulated[f"factor {k}"] = Oracle(*terms, scale="log intensity")
    ends = replace(trial("gc").design, n_units=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        each = across_predictors(
            {name: _outcomes(ends, one) for name, one in simulated.items()},
            contrast="composition at 34",
        )
        share = share_of_predictors(each, rope=ROPE, rng=0).isel(task=0)
    columns = ("share", "lower", "upper")
    rows = {
        str(side): {
            name: share[name].isel({share["share"].dims[0]: i}).item()
            for name in columns
        }
        for i, side in enumerate(share[share["share"].dims[0]].to_numpy())
    }
    return {"rows": rows, "truth": n_biased / n, "n": n}


def helix() -> Results:
    """Return the period of two Nanog sites on the oracle, and the direction of Sox2 and
    Nanog.
    """
    return _pairs(cg.zoo.oracle("pairs_like"), "period", "direction", "Nanog")


def _pairs(predictor: Predictor, same: str, directed: str, task: str) -> Results:
    design = trial(same).design
    assert isinstance(design, Experiment)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        turning = design.label(cg.contrast(_outcomes(design, predictor)))
        cells = turning["asks"].to_numpy() == "interaction"
        period = _period(turning.isel(contrast=cells).sel(task=[task]))
    order = _decisions(trial(directed), predictor).sel(task=task)
    return {"period": period, "direction": _rows(order)["direction ++"]}


def _period(curve: xr.Dataset) -> Results:
    """Return the period at which a wave beside a decay fits a curve of effects best,
    and p of one of 10.5 bp where units differ.
    """
    try:
        wave = cg.estimation.helical_phase(curve, distance="gap", trend="decay")
    except cg.errors.EstimateError:  # every unit has the same wave: nothing to test
        x = curve["gap"].to_numpy().astype(float)
        mean = curve["ice"].mean("unit").to_numpy().ravel()
        base = trend_basis(x, "decay")
        grid = np.round(np.arange(9.0, 12.05, 0.1), 1)
        fits = [mean_curve_wave(x, mean, base, float(P)).F for P in grid]
        return {"best_period": float(grid[np.argmax(fits)])}
    wave = wave.squeeze("task")
    return {"p": wave["p"].max().item(), "best_period": wave["best_period"].item()}


def orders_of_null_models() -> Results:
    """Return the agreement of six null models on one trained network of RBFOX1, five of
    them made from one list drawn letter by letter.
    """
    letters = np.random.default_rng(2).choice(
        list("ACGU"), p=[0.32, 0.18, 0.18, 0.32], size=(300, 41)
    )
    utrs = ["".join(row) for row in letters]
    nulls = {
        "uniform": cg.Uniform(length=41),
        "profile": cg.Profile(of=utrs),
        "shuffle": cg.KletShuffle(of=utrs, k=1),
        "dinucleotide shuffle": cg.DinucleotideShuffle(of=utrs),
        "Markov chain": cg.Markov(of=utrs, order=1),
        "the sequences": cg.Genomic(of=utrs),
    }
    network = cg.zoo.load(RBFOX1, member=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        table = null_models(
            replace(trial("affinity").design, n_units=300),
            network,
            nulls=nulls,
            rng=0,
        ).isel(task=0)
    ace = table["ace"].sel(contrast="UGCAUGU")
    return {
        "least_tau": float(table["tau"].min()),
        "effects": {name: ace.sel(null=name).item() for name in nulls},
    }


# --- the published network of fly enhancers, on real sequences ------------------------

WORDS = ("TGACTCAT", "AGATAAGA", "TATCGATA", "GAGAGAGA", "CACATGTT", "CACGTGAC")
AT = 120


def real_sequences(data: Path) -> dict[str, list[str]]:
    """Return 500 human elements, each made 249 bp long by the first bases of the next,
    and ten fly enhancers.
    """
    folder = data / "sequences"
    human = decode(
        cg.read_sequences(folder / "human_lentimpra_200" / "sequences.fasta.gz").tokens
    )
    fly = decode(cg.read_sequences(folder / "fly_249" / "enhancers.fasta.gz").tokens)
    return {
        "500 human elements": [
            one + after[: 249 - len(one)]
            for one, after in zip(human, human[1:] + human[:1], strict=True)
        ],
        "10 fly enhancers": list(fly),
    }


def null_models_of(sequences: list[str]) -> dict[str, Any]:
    """Return name -> null model: uniform, two shuffles of the sequences, and these."""
    return {
        "uniform": cg.Uniform(length=249),
        "shuffle": cg.Shuffle(of=sequences),
        "dinucleotide shuffle": cg.DinucleotideShuffle(of=sequences),
        "the sequences": cg.Genomic(of=sequences),
    }


def where_null_models_differ(
    data: Path, network: Predictor, *, n_units: int = 500
) -> Results:
    """Return what null models of two lists of real sequences answer."""
    return {
        name: under_null_models(sequences, network, n_units)
        for name, sequences in real_sequences(data).items()
    }


def under_null_models(
    sequences: list[str], network: Predictor, n_units: int
) -> Results:
    """Return the effect of TGACTCAT under each null model of some sequences, and how
    six words agree.
    """
    rows, tables = {}, {}
    for name, null in null_models_of(sequences).items():
        n = min(n_units, len(sequences)) if name == "the sequences" else n_units
        arms = {
            "untreated": cg.Untreated(),
            **{word: cg.Embed(word, at=AT) for word in WORDS},
            "placebo": cg.Placebo(WORDS[0], at=AT),
        }
        design = cg.Design(null=null, arms=arms, n_units=n)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
            outcomes = cg.run(design, network, rng=0, progress=False)
            tables[name] = cg.estimate(
                cg.contrast(
                    outcomes,
                    contrasts={w: {w: 1.0, "untreated": -1.0} for w in WORDS},
                )
            ).sel(task=["dev"])
            placebo = cg.estimate(
                cg.contrast(
                    outcomes, contrasts={WORDS[0]: {WORDS[0]: 1.0, "placebo": -1.0}}
                )
            ).sel(task="dev", contrast=WORDS[0])
        own = tables[name].sel(task="dev", contrast=WORDS[0])
        rows[name] = {
            "n_units": n,
            **{
                against: {
                    part: table[part].item() for part in ("ace", "se", "lower", "upper")
                }
                for against, table in (("untreated", own), ("placebo", placebo))
            },
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        table = agreement(tables).isel(task=0)
    return {
        "rows": rows,
        "p": table["p"].sel(contrast=WORDS[0]).item(),
        "least_tau": float(table["tau"].min()),
    }


def pairs_on_enhancers(network: Predictor) -> Results:
    """Return the period and the direction of AP-1 and GATA sites in the network of fly
    enhancers.
    """
    return _pairs(network, "period_of_enhancers", "direction_of_enhancers", "dev")


def importance_of_motifs(rows: Results) -> list[float]:
    """Return the effects of the seven motifs of measured affinity."""
    return [rows[motif]["ace"] for motif in figures.MOTIFS]

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
from causalgia.experiments import (
    Experiment,
    across_predictors,
    agreement,
    null_models,
    share_of_predictors,
)
from causalgia.predict import Predictor
from causalgia.sequences import decode
from causalgia.zoo import EndGC, MotifCount, Oracle, Pair

from . import figures

Results = dict[str, Any]
RBFOX1, VTS1 = "rbfox1_like", "vts1_like"
ROPE = (-0.2, 0.2)  # log intensity: an eighteenth of the effect of one site
ARCHITECTURES = ("residual", "exponential")
N_UNITS = 1_000
NANOG, SOX2 = "AGCCATCA", "GAACAATGG"
SYNERGY = Oracle(
    MotifCount("UUAUUU", 0.7),
    EndGC(1.6, last=8),
    Pair("UUAUUU", "GCGCGC", bonus=3.1, direction="forward"),
    scale="log intensity",
)
"""What the plots show of one of the three proteins: GC at the 3' end raises the
outcome, and together with the motif by more than both.
"""


def experiments(n_units: int = N_UNITS) -> dict[str, tuple[str, Experiment]]:
    """Return name -> story of the zoo and experiment."""
    e, own = cg.experiments, {"n_units": n_units, "rope": ROPE}
    return {
        "copies": (RBFOX1, e.copies(at="published", **own)),
        "weak copies": (RBFOX1, e.copies(motif="AGAAUG", at="published", **own)),
        "copies apart": (RBFOX1, e.copies(**own)),
        "spacing": (RBFOX1, e.spacing(**own)),
        "position": (RBFOX1, e.position(**own)),
        "mutagenesis": (RBFOX1, e.motif_mutagenesis(**own)),
        "affinity": (RBFOX1, e.affinity(**own)),
        "GC": (RBFOX1, e.composition_bias(motif="UGCAUG", at=[34, 2], **own)),
        "GC of the other": (VTS1, e.composition_bias(motif="GCUGG", at=[34, 2], **own)),
        "hairpin": (VTS1, e.hairpin(**own)),
    }


def strong_and_weak(n_units: int = N_UNITS) -> Design:
    """Return the design of three weak sites against one strong site."""
    arms = {
        "untreated": cg.Untreated(),
        "strong": cg.Embed("UGCAUG", at=17),
        "weak": cg.Embed("AGAAUG", at=4)
        + cg.Embed("AGAAUG", at=12)
        + cg.Embed("AGAAUG", at=20),
    }
    return cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=n_units)


def on_oracle(name: str, *, n_units: int = N_UNITS) -> Results:
    """Return contrast -> effect, interval, verdict and truth, on the oracle."""
    story, experiment = experiments(n_units)[name]
    oracle = cg.zoo.oracle(story)
    truth = oracle.true_ace(experiment).isel(task=0)
    rows = _rows(_decisions(experiment, oracle))
    for contrast, row in rows.items():
        row["truth"] = truth.sel(contrast=contrast).item()
        row["mcse"] = truth["mcse"].sel(contrast=contrast).item()
    return rows


def on_networks(name: str, architecture: Any, *, n_units: int = N_UNITS) -> Results:
    """Return contrast -> effect, interval and verdict, of networks trained like these
    five.
    """
    story, experiment = experiments(n_units)[name]
    experiment = replace(
        experiment,
        analysis=replace(experiment.analysis, target="population x predictors"),
    )
    ensemble = cg.zoo.ensemble(story, architecture=architecture)
    return _rows(_decisions(experiment, ensemble))


def _decisions(experiment: Experiment, predictor: Predictor) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        outcomes = cg.run(experiment, predictor, rng=0, progress=False)
        return experiment.analyze(outcomes, rng=0).decisions.isel(task=0)


def _rows(decisions: xr.Dataset) -> Results:
    names = ("ace", "se", "lower", "upper", "verdict")
    return {
        str(contrast): {
            name: decisions.sel(contrast=contrast)[name].item() for name in names
        }
        for contrast in decisions["contrast"].to_numpy()
    }


def weak_against_strong(
    predictor: Predictor, *, target: Any, n_units: int = N_UNITS
) -> Results:
    """Return three weak sites minus one strong site, on the same backgrounds."""
    contrasts = {"weak minus strong": "weak - strong", "strong": "strong - untreated"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        outcomes = cg.run(strong_and_weak(n_units), predictor, rng=0, progress=False)
        decisions = cg.analyze(
            outcomes, contrasts=contrasts, rope=ROPE, target=target, rng=0
        )
    return _rows(decisions.isel(task=0))


def definition(*, n_units: int = N_UNITS) -> Results:
    """Return how far the ACE of UGCAUG is from the difference of two means, each of its
    own sequences (Eq. 1 and 2 of the paper).
    """
    oracle, null = cg.zoo.oracle(RBFOX1), cg.Uniform(length=41)
    design = cg.Design(
        null=null,
        arms={"untreated": cg.Untreated(), "UGCAUG": cg.Embed("UGCAUG", at=17)},
        n_units=n_units,
    )
    outcomes = cg.run(design, oracle, rng=0, progress=False)
    means = outcomes["outcome"].mean("unit").isel(task=0)
    ace = cg.estimate(cg.contrast(outcomes, control="untreated"))["ace"]
    by_means = means.sel(arm="UGCAUG") - means.sel(arm="untreated")
    gap = abs(float(by_means) - ace.sel(contrast="UGCAUG").item())
    return {"largest_difference": gap}


def synergy(*, n_units: int = N_UNITS) -> Results:
    """Return the GC experiment on the oracle that was made after a plot."""
    experiment = cg.experiments.composition_bias(
        motif="UUAUUU", at=[34, 2], n_units=n_units, rope=ROPE
    )
    return _rows(_decisions(experiment, SYNERGY))


def factors(n: int = 244) -> Results:
    """Return the share of simulated factors with a bias of the 3' end, and the true
    one; a third have one.
    """
    generator = np.random.default_rng(3)
    oracles, n_biased = {}, 0
    for k in range(n):
        terms: list[Any] = [MotifCount("".join(generator.choice(list("ACGU"), 6)), 3.0)]
        if generator.random() < 1 / 3:
            slope = generator.uniform(-2.4, -0.2)
            terms.append(EndGC(slope, last=8))
            n_biased += (
                3 / 8 * slope < ROPE[0]
            )  # GCGCGC has three G or C more, of eight
        oracles[f"factor {k}"] = Oracle(*terms, scale="log intensity")
    ends = cg.experiments.composition_bias(n_units=200, rope=ROPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        each = across_predictors(
            {k: cg.run(ends, o, rng=0, progress=False) for k, o in oracles.items()},
            contrast="composition",
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
    null = cg.Uniform(length=200)
    same = cg.experiments.motif_pair(
        null,
        motif=NANOG,
        other=NANOG,
        distances=range(11, 53),
        orientations=["++"],
        orders=["downstream"],
        n_units=20,
        rope=(-0.1, 0.1),
    )
    directed = cg.experiments.motif_pair(
        null,
        motif=SOX2,
        other=NANOG,
        distances=[15, 25, 35],
        orientations=["++"],
        n_units=128,
        rope=(-0.1, 0.1),
    )
    return _pairs(cg.zoo.oracle("pairs_like"), same, directed, "Nanog")


def _pairs(
    predictor: Predictor, same: Experiment, directed: Experiment, task: str
) -> Results:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        turning = same.analyze(cg.run(same, predictor, rng=0, progress=False), rng=0)
        order = directed.analyze(
            cg.run(directed, predictor, rng=0, progress=False), rng=0
        )
    curve = f"++ downstream, {task}"
    curves = [str(name) for name in turning.findings["phase"]["curve"].to_numpy()]
    position = curves.index(curve) if curve in curves else 0
    phase, period = (
        turning.findings[name].isel(curve=position)
        if name in turning.findings
        else None
        for name in ("phase", "period")
    )
    found = {"p": phase["p"].item(), "best_period": phase["best_period"].item()}
    if period is not None:
        names = ("median", "lower", "upper")
        found |= {name: period[f"period_{name}"].item() for name in names}
        found["log_bayes_factor"] = period["log_bayes_factor"].item()
    row = order.decisions.sel(task=task, contrast="direction ++")
    names = ("ace", "se", "lower", "upper", "verdict")
    return {"period": found, "direction": {name: row[name].item() for name in names}}


def orders_of_null_models(n_units: int = 300) -> Results:
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
            cg.experiments.affinity(n_units=n_units, rope=ROPE),
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
    null = cg.Uniform(length=249)
    same = cg.experiments.motif_pair(
        null,
        motif="TGACTCAT",
        other="TGACTCAT",
        distances=range(11, 53),
        orientations=["++"],
        orders=["downstream"],
        n_units=128,
        rope=(-0.1, 0.1),
    )
    directed = cg.experiments.motif_pair(
        null,
        motif="TGACTCAT",
        other="AGATAAGA",
        distances=[15, 25, 35],
        orientations=["++"],
        n_units=400,
        rope=(-0.1, 0.1),
    )
    return _pairs(network, same, directed, "dev")


def importance_of_motifs(rows: Results) -> list[float]:
    """Return the effects of the seven motifs of measured affinity."""
    return [rows[motif]["ace"] for motif in figures.MOTIFS]

"""Every picture of the library on small known networks:
``python tests/gallery.py FOLDER`` saves them as PNG.

`test_gallery.py` holds each to what a picture owes its reader.
"""

from __future__ import annotations

import sys
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

import causalgia as cg
from causalgia import plot
from causalgia.errors import CausalgiaWarning
from causalgia.mpra import quality
from causalgia.mpra.counts._noise_model import simulated, two_arms
from causalgia.tell.figures.style import save_figure

LONG = "chr11:5,248,233-5,248,533 $HBB$ <b>promoter</b> of a long name & more"
LINES = [f"cell line {i} $of$ a long name, DNASE, replicate 1" for i in range(14)]


@cache
def trial():
    """Outcomes of a word at five places, of a broken word with a hostile name, and of
    placebos.
    """
    arms = {
        "untreated": cg.Untreated(),
        "placebo": cg.Placebo("GCATG", at=17),
        **{f"GCATG at {p}": cg.Embed("GCATG", at=p) for p in (5, 11, 17, 23, 29)},
        LONG: cg.Embed("GAATG", at=17),
    }
    design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=80)
    return cg.run(
        design, cg.zoo.oracle("rbfox1_like"), rng=0, progress=False
    ).assign_attrs(name="RBFOX1 along a transcript", predictor="rbfox1_like")


@cache
def along():
    """Decisions of the trial with the place of each word."""
    found = cg.decide(
        cg.estimate(cg.contrast(trial(), control="untreated")), rope=(-0.05, 0.05)
    )
    names = found["contrast"].to_numpy().tolist()
    place = [
        float(n.split()[-1]) if n.startswith("GCATG at") else np.nan for n in names
    ]
    strand = ["" if np.isnan(p) else "early" if p < 20 else "late" for p in place]
    return found.assign_coords(
        place=("contrast", place, {"units": "bp"}),
        half=("contrast", strand),
        level=("contrast", np.arange(len(place))),
    )


def effects(n, *, tasks=1, models=0, se=0.1, long=False):
    """Decisions of n made effects with known standard errors, in tasks and by
    models.
    """
    rng = np.random.default_rng(n)
    dims, shape = ("contrast", "task"), (n, tasks)
    names = [f"{LONG} {i}" if long else f"motif {i}" for i in range(n)]
    coords = {"contrast": names, "task": LINES[:tasks]}
    if models:
        dims, shape, coords["model"] = (
            (*dims, "model"),
            (*shape, models),
            [f"fold {k}" for k in range(models)],
        )
    ace = 0.5 * rng.standard_t(3, size=shape)
    low, high = ace - 1.96 * se, ace + 1.96 * se
    verdict = np.select(
        [low > 0.1, high < -0.1, (low > -0.1) & (high < 0.1)],
        ["increases", "decreases", "negligible"],
        "undecided",
    )
    columns = {
        "ace": ace,
        "se": np.full(shape, se),
        "lower": low,
        "upper": high,
        "verdict": verdict,
    }
    columns |= {"p": 2 * ndtr(-abs(ace) / se), "n_units": np.full(shape, 400)}
    columns |= {"rope_lower": np.full(shape, -0.1), "rope_upper": np.full(shape, 0.1)}
    about = {
        "name": "screen",
        "predictor": "Basenji2, human head",
        "scale": "log counts",
        "control": "placebo",
    }
    found = xr.Dataset({k: (dims, v) for k, v in columns.items()}, coords)
    return found.assign_attrs(about | {"ci_prob": 0.95, "rope": "-0.1 to 0.1"})


def curve():
    """A profile of 120 positions for two contrasts."""
    at = np.arange(-60, 60)
    ace = np.stack(
        [np.exp(-((at / 12.0) ** 2)), -0.5 * np.exp(-(((at - 20) / 8.0) ** 2))]
    )[:, :, None]
    dims = ("contrast", "position", "task")
    about = {
        "scale": "log counts",
        "control": "placebo",
        "predictor": "BPNet",
        "name": "footprints",
        "over": "position",
    }
    return xr.Dataset(
        {
            "ace": (dims, ace),
            "lower": (dims, ace - 0.1),
            "upper": (dims, ace + 0.1),
            "se": (dims, ace * 0 + 0.05),
        },
        {"contrast": ["GATA1", LONG], "position": at, "task": ["K562"]},
        {**about, "ci_prob": 0.95},
    )


def mutants():
    """Effects of single letters with their errors."""
    ace = np.random.default_rng(0).normal(size=(8, 4)) * 0.3
    about = {
        "scale": "log counts",
        "control": "untreated",
        "predictor": "Basenji2",
        "name": "mutants",
        "ci_prob": 0.95,
    }
    return xr.Dataset(
        {"ace": (("position", "base"), ace), "lower": (("position", "base"), ace - 0.1),
         "upper": (("position", "base"), ace + 0.1)},
        {"position": np.arange(17, 25), "base": list("ACGT"), "task": "K562"}, about,
    )  # fmt: skip


def maps():
    """Maps of two sequences by shuffled baselines, and by substitution."""
    count = cg.FunctionPredictor(
        lambda x: x[:, 2].sum(-1) + 0.5 * x[:, 1, 3], tasks=["G"], scale="count"
    )
    return cg.attribute(["ACGTTGCAGG", "GGCCATTGAC"], count, method="ism").assign_attrs(
        predictor="a count of G"
    )


def pairs():
    """Interactions of pairs of ten positions."""
    first, second = np.triu_indices(10, 1)
    ace = np.random.default_rng(1).normal(size=(len(first), 1))
    ace[::7] *= 4
    at = {"first": ("contrast", first + 5), "second": ("contrast", second + 5)}
    dims = ("contrast", "task")
    return xr.Dataset(
        {"ace": (dims, ace), "lower": (dims, ace - 2.0), "upper": (dims, ace + 2.0)},
        {
            "contrast": [
                f"{a + 5}:{b + 5}" for a, b in zip(first, second, strict=True)
            ],
            "task": ["K562"],
            **at,
        },
        {"scale": "log counts", "predictor": "BPNet"},
    )


def measured():
    """Agreement of 100 measured and virtual effects, one of them off the line."""
    rng = np.random.default_rng(1)
    true = rng.normal(size=100)
    virtual = pd.DataFrame(
        {"element": [f"{LONG} {i}" for i in range(100)], "effect": 0.5 * true}
    )
    values = true + rng.normal(0, 0.5, size=100)
    values[:2] += [5, -4]
    return cg.mpra.concordance(virtual, virtual.assign(effect=values, se=0.5))


def tipped():
    """An effect on a null model that is shifted in GC."""
    gc = cg.FunctionPredictor(
        lambda x: x[:, 1:3].mean((1, 2)) * x[:, 0, 9], tasks=["K562"]
    )
    arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=200),
        gc,
        rng=0,
        progress=False,
    )
    return cg.tipping_point(
        outcomes.assign_attrs(predictor="GC count", name="T for A"),
        contrast="A - T",
        rope=(-0.4, 0.4),
    )


def shares():
    """Sharing between 14 tasks."""
    rng = np.random.default_rng(2)
    share = rng.uniform(size=(14, 14))
    share = np.round((share + share.T) / 2, 2)
    coords = {"task": LINES, "task_": LINES}
    names = ("same_size", "same_sign", "n_either")
    return {
        "sharing": xr.Dataset(dict.fromkeys(names, (("task", "task_"), share)), coords)
    }


def grid(n=3, m=4, long=False):
    """Decisions in a grid of a name and a distance."""
    found = effects(n * m)
    sites = [f"{LONG} {i}" if long else f"site {i}" for i in range(n)]
    return found.assign_coords(
        site=("contrast", np.repeat(sites, m)),
        distance=("contrast", np.tile(10 * np.arange(m), n)),
    )


def two_populations():
    """Effects of single units, one of which a third of the units do not have."""
    rng = np.random.default_rng(3)
    ice = rng.normal(0, 0.1, size=(600, 2, 1)) + 0.5
    ice[:200, 0] -= 0.5
    names = {"contrast": ["GATA1", LONG], "task": ["K562"]}
    about = {"scale": "log counts", "control": "placebo", "predictor": "BPNet"}
    return xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, names, about)


def long_maps():
    """The map of a sequence of 200 bp."""
    letters = np.random.default_rng(4).choice(list("ACGT"), 200)
    weights = np.zeros((4, 200))
    weights[:, 90:100] = np.random.default_rng(5).normal(size=(4, 10))
    one = cg.FunctionPredictor(
        lambda x: (x * (weights + 0.02)).sum((1, 2)), tasks=["K562"], scale="log counts"
    )
    return cg.attribute(["".join(letters)], one, method="ism")


ROOM = {
    "forest": lambda: plot.forest(along()),
    "forest of one contrast": lambda: plot.forest(effects(1)),
    "forest of 10,000": lambda: plot.forest(effects(10_000)),
    "forest of long names": lambda: plot.forest(effects(4, long=True)),
    "forest of two tasks": lambda: plot.forest(effects(6, tasks=2)),
    "forest of tasks": lambda: plot.forest(effects(2, tasks=5)),
    "forest of models": lambda: plot.forest(effects(4, models=3)),
    "curve": lambda: plot.curve(along(), x="place"),
    "curve by strand": lambda: plot.curve(along(), x="place", by="half"),
    "curve of one contrast": lambda: plot.curve(
        effects(1).assign_coords(at=("contrast", [4])), x="at"
    ),
    "curve of positions": lambda: plot.curve(curve()),
    "curve of a shift": lambda: plot.curve(tipped()),
    "heatmap": lambda: plot.heatmap(grid(), rows="site", columns="distance"),
    "heatmap of long names": lambda: plot.heatmap(
        grid(4, 9, long=True), rows="site", columns="distance"
    ),
    "heatmap of contrasts": lambda: plot.heatmap(effects(30, tasks=12)),
    "heatmap of pairs": lambda: plot.heatmap(pairs(), rows="first", columns="second"),
    "heatmap of tasks": lambda: plot.heatmap(
        shares()["sharing"]["same_size"], rows="task", columns="task_", label="share"
    ),
    "logo": lambda: plot.logo(mutants()),
    "logo, centered": lambda: plot.logo(mutants(), centered=True),
    "map": lambda: plot.map(maps(), unit=maps()["unit"].to_numpy()[0]),
    "map of 200 bp": lambda: plot.map(long_maps()),
    "scatter": lambda: plot.scatter(effects(100)),
    "scatter of one contrast": lambda: plot.scatter(effects(1)),
    "scatter of 100,000": lambda: plot.scatter(effects(100_000)),
    "scatter of long names": lambda: plot.scatter(effects(10, long=True)),
    "scatter along": lambda: plot.scatter(along(), x="place", y="estimate"),
    "scatter of replicates": lambda: plot.scatter(quality(simulated())),
    "scatter of measured effects": lambda: plot.scatter(measured()),
    "distribution": lambda: plot.distribution(
        cg.contrast(trial(), control="untreated")
    ),
    "distribution of two populations": lambda: plot.distribution(two_populations()),
    "distribution of arms": lambda: plot.distribution(trial()),
    "distribution of barcodes": lambda: plot.distribution(quality(simulated())),
    "distribution of reads": lambda: plot.distribution(two_arms()),
}


def drawn(name):
    """Return the axes of one picture; warnings of small trials are not what is looked
    at.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        return ROOM[name]()


if __name__ == "__main__":
    for given in sys.argv[2:] or ROOM:
        save_figure(drawn(given), Path(sys.argv[1]) / f"{given}.png")

"""Errors of pictures: each is drawn as its message says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cures import cure_in, cured, evaluated, refusal
from gallery import along, shares, tipped
from test_applied_cures import ORACLE, STRINGS, effects, estimates, of_three
from test_applied_cures_of_figures_and_locks import drawn as of_lines, maps
from test_applied_cures_of_the_bench import counts
from test_curves import band_of

import causalgia as cg
from causalgia.errors import DegenerateWarning

plot = cg.plot


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def drawn(found: Any) -> bool:
    """Whether something is drawn on axes: lines, areas or an image."""
    return of_lines(found) or bool(getattr(found, "images", ()))


@cache
def quality() -> xr.Dataset:
    return cg.mpra.quality(counts())


def heights(**given: Any) -> xr.Dataset:
    """Return the heights of eight positions, and what is wrong with them."""
    values = np.random.default_rng(0).normal(size=(8, 4))
    coords = {"position": range(8), "base": list("ACGT")}
    return xr.Dataset({"ace": (("position", "base"), values)}, coords).assign(**given)


def placed() -> xr.Dataset:
    """Return estimates whose contrasts have a distance and an orientation."""
    table = estimates().sel(task=["K562"])
    return table.assign_coords(
        distance=("contrast", np.arange(table.sizes["contrast"]) + 4.0),
        orientation=("contrast", ["+"] * table.sizes["contrast"]),
    )


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- one task, model, contrast
    "a pattern of several tasks": (
        lambda: plot.forest(
            estimates(),
            task="*"
            if cure_in(
                refusal(plot.volcano, estimates(), task="*"),
                r"or draw several by (forest\(task=\))$",
            )
            else None,
        ),
        drawn,
    ),
    "several models of a volcano": (
        lambda: cured(
            plot.volcano,
            {
                "table": cg.estimate(cg.contrast(of_three(), control="none")),
                "task": "K562",
            },
            r"select one: (table\.sel\(model=\.\.\.\))$",
            fill={"table": "table=table", "...": "table['model'].values[0]"},
            table=cg.estimate(cg.contrast(of_three(), control="none")),
        ),
        drawn,
    ),
    "a contrast that is misspelled": (
        lambda: cured(
            plot.raincloud,
            {"effects": effects(), "task": "K562", "contrast": "GAT"},
            r"say contrast= some of .*('GATA')",
            fill={"'GATA'": "contrast='GATA'"},
        ),
        drawn,
    ),
    # ---- counts
    "counts in place of their quality": (
        lambda: plot.replicates(
            evaluated(
                plot.replicates,
                {"quality": counts()},
                r"give what (cg\.mpra\.quality\(counts\)) returns$",
                counts=counts(),
            )
        ),
        drawn,
    ),
    "a replicate that is none": (
        lambda: cured(
            plot.replicates,
            {"quality": quality(), "first": "9"},
            r"there are (\w+),",
            fill={str(quality()["replicate"].values[0]): "first=None"},
        ),
        drawn,
    ),
    "one replicate": (
        lambda: getattr(
            plot,
            cure_in(
                refusal(plot.replicates, quality().isel(replicate=[0])),
                r"draw (dna_counts)$",
            ),
        )(counts()),
        drawn,
    ),
    # ---- letters
    "effects in place of heights": (
        lambda: (
            cure_in(
                refusal(plot.logo, effects()),
                r"give (a Dataset with 'ace' \(position, base\)),",
            ),
            plot.logo(heights()),
        )[1],
        drawn,
    ),
    "heights of several models": (
        lambda: plot.logo(
            heights()
            .expand_dims(model=["a", "b"])
            .isel(
                {
                    cure_in(
                        refusal(plot.logo, heights().expand_dims(model=["a", "b"])),
                        r"has the dims (model) too; select one of each$",
                    ): 0
                }
            )
        ),
        drawn,
    ),
    "a height that is infinite": (
        lambda: plot.logo(
            infinite().where(
                np.isfinite(infinite()["ace"]),
                eval(
                    "np.nan"
                    if cure_in(
                        refusal(plot.logo, infinite()), r"leave it out as (NaN)$"
                    )
                    else "0"
                ),
            )
        ),
        drawn,
    ),
    "bases without their letters": (
        lambda: plot.logo(
            numbered().assign_coords(
                {
                    cure_in(
                        refusal(plot.logo, numbered()),
                        r"name the bases by a coordinate '(base)'$",
                    ): list("ACGT")
                }
            )
        ),
        drawn,
    ),
    "a map of another sequence": (
        lambda: (
            cure_in(
                refusal(plot.map_logo, maps(), unit=0, task="K562", minus=of_one(2)),
                r"(give maps of the same one)$",
            ),
            plot.map_logo(maps(), unit=0, task="K562", minus=maps()),
        )[1],
        drawn,
    ),
    "a model of maps of one": (
        lambda: cured(
            plot.map_logo,
            {"attributions": maps(), "unit": 0, "task": "K562", "model": "a"},
            r"the maps have no dim (model); leave it out$",
        ),
        drawn,
    ),
    "a unit that is none": (
        lambda: cured(
            plot.map_logo,
            {"attributions": maps(), "unit": 7, "task": "K562"},
            r"say unit= one of (0), 1$",
            fill={"0": "unit=0"},
        ),
        drawn,
    ),
    # ---- grids
    "a coordinate that is misspelled": (
        lambda: cured(
            plot.heatmap,
            {"table": placed(), "rows": "orientation", "columns": "distnce"},
            r"did you mean ('distance')",
            fill={"'distance'": "columns='distance'"},
        ),
        drawn,
    ),
    "two contrasts in a cell": (
        lambda: plot.heatmap(
            eval(
                cure_in(
                    refusal(
                        plot.heatmap, twice(), rows="orientation", columns="distance"
                    ),
                    r"some of the contrasts: (table\.sel\(contrast=\[\.\.\.\]\))$",
                ).replace("...", "table['contrast'].values[0]"),
                {"table": twice()},
            ),
            rows="orientation",
            columns="distance",
        ),
        drawn,
    ),
    "a variable that is no number": (
        lambda: (
            cure_in(
                refusal(
                    plot.heatmap,
                    cg.decide(placed(), rope=(-0.1, 0.1)),
                    rows="orientation",
                    columns="distance",
                    value="verdict",
                ),
                r"(choose another variable)$",
            ),
            plot.heatmap(
                placed(), rows="orientation", columns="distance", value="lower"
            ),
        )[1],
        drawn,
    ),
    "contrasts that are no pairs": (
        lambda: plot.interaction_map(
            evaluated(
                plot.interaction_map,
                {"table": estimates(), "task": "K562"},
                r"; give (cg\.estimate\(.*\))$",
                fill={"predictor": "predictor, pairs=[(3, 9), (4, 20)]"},
                sequences=STRINGS[:20],
                predictor=ORACLE,
            ),
            task="K562",
        ),
        drawn,
    ),
    "a coordinate that no contrast has": (
        lambda: cured(
            plot.profile,
            {"table": along(), "along": "plce", "task": along()["task"].values[0]},
            r"did you mean ('place')",
            fill={"'place'": "along='place'"},
        ),
        drawn,
    ),
    "shares by another name": (
        lambda: cured(
            plot.sharing,
            {"posterior": shares(), "by": "effect"},
            r"is neither ('size') nor 'sign'$",
            fill={"'size'": "by='size'"},
        ),
        drawn,
    ),
    "a curve of several contrasts": (
        lambda: cured(
            plot.band,
            {"curves": band_of(), "task": "t0", "contrast": "c9"},
            r"say contrast= up to \d of ('c0'),",
            fill={"'c0'": "contrast='c0'"},
        ),
        drawn,
    ),
    "a contrast without a tipping point": (
        lambda: cured(
            plot.tipping_point,
            {"found": tipped(), "contrast": "T - A"},
            r"say contrast= one of ('A - T')",
            fill={"'A - T'": "contrast='A - T'"},
        ),
        drawn,
    ),
    # ---- others
    "a style by another name": (
        lambda: cured(
            plot.use_style,
            {"name": "white"},
            r"is neither ('light') nor 'dark'$",
            fill={"'light'": "name='light'"},
        ),
        lambda found: found is None,
    ),
    "ranks beyond their draws": (
        lambda: cured(
            plot.ranks,
            {"values": np.arange(100), "n_draws": 50},
            r"from 0 to 50, not (99)$",
            fill={"99": "n_draws=99"},
        ),
        drawn,
    ),
    "draws that are no number": (
        lambda: cured(
            plot.ranks,
            {"values": np.arange(100), "n_draws": 0.5},
            r"a whole number from (1)$",
            fill={"1": "n_draws=199"},
        ),
        drawn,
    ),
    "outcomes of one unit": (
        lambda: plot.volcano(
            (
                cure_in(
                    refusal(
                        plot.volcano,
                        of_one_unit(),
                        task="K562",
                    ),
                    r"give estimates of (two or more units), from cg\.estimate",
                ),
                cg.estimate(effects().isel(unit=[0, 1])),
            )[1],
            task="K562",
        ),
        drawn,
    ),
}


def of_one_unit() -> xr.Dataset:
    with pytest.warns(DegenerateWarning, match="draw more units"):
        return cg.estimate(effects().isel(unit=[0]))


def infinite() -> xr.Dataset:
    table = heights()
    return table.where(table["ace"] != table["ace"].max(), np.inf)


def numbered() -> xr.Dataset:
    return heights().assign_coords(base=range(4))


def of_one(k: int) -> xr.Dataset:
    return cg.attribute(STRINGS[k : k + 1], ORACLE)


def twice() -> xr.Dataset:
    table = placed()
    return table.assign_coords(distance=("contrast", [4.0] * table.sizes["contrast"]))


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_drawn_as_the_message_says(case):
    apply, holds = CASES[case]
    assert holds(apply())

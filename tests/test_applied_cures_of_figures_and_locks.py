"""Errors of figures and of pre-registration: the figure is drawn, and the lock run and
verified, as each message says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cures import arguments, cure_in, cured, evaluated, refusal
from test_applied_cures import (
    ORACLE,
    STRINGS,
    answer,
    design,
    effects,
    equal,
    estimates,
    of_three,
    outcomes,
    run,
)

import causalgia as cg

plot = cg.plot
ASKED = cg.Analysis(control="none", rope=(-0.1, 0.1))


@pytest.fixture(autouse=True)
def close(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


@cache
def maps() -> xr.Dataset:
    return cg.attribute(STRINGS[:2], ORACLE)


def several() -> xr.Dataset:
    return cg.contrast(of_three(), control="none")


def protocol(**given: Any) -> cg.Protocol:
    settings = {"design": design(), "analysis": ASKED, "predictor": ORACLE, "rng": 1}
    return cg.Protocol(**settings | given)


def wrapped() -> cg.FunctionPredictor:
    return cg.FunctionPredictor(answer, tasks=["K562", "HepG2"], scale="log counts")


def drawn(found: Any) -> bool:
    """Whether something is drawn on axes."""
    axes = found if hasattr(found, "lines") else np.ravel(found)[0]
    return bool(axes.lines or axes.collections or axes.patches)


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- figures
    "several tasks": (
        lambda: cured(
            plot.raincloud,
            {"effects": effects()},
            r"say task= one of ('K562'),",
            fill={"'K562'": "task='K562'"},
        ),
        drawn,
    ),
    "a task that is misspelled": (
        lambda: cured(
            plot.raincloud,
            {"effects": effects(), "task": "K56"},
            r"did you mean ('K562')",
            fill={"'K562'": "task='K562'"},
        ),
        drawn,
    ),
    "estimates in place of effects": (
        lambda: plot.raincloud(
            evaluated(
                plot.raincloud,
                {"effects": estimates()},
                r"give those of (cg\.contrast\(outcomes, control=\.\.\.\))$",
                fill={"...": "'none'"},
                outcomes=outcomes(),
            ),
            task="K562",
        ),
        drawn,
    ),
    "several networks": (
        lambda: plot.raincloud(
            evaluated(
                plot.raincloud,
                {"effects": several()},
                r"select one: (effects\.sel\(model=\.\.\.\))$",
                fill={"...": "effects['model'].values[0]"},
            ),
            task="K562",
        ),
        drawn,
    ),
    "several networks of boxes": (
        lambda: plot.boxes(
            evaluated(
                plot.boxes,
                {"outcomes": of_three()},
                r"select one: (outcomes\.sel\(model=\.\.\.\))$",
                fill={"...": "outcomes['model'].values[0]"},
            ),
            task="K562",
        ),
        drawn,
    ),
    "effects in place of outcomes": (
        lambda: plot.boxes(
            evaluated(
                plot.boxes,
                {"outcomes": effects()},
                r"give those of (cg\.run\(design, predictor, rng=0\))$",
                design=design(),
                predictor=ORACLE,
            ),
            task="K562",
        ),
        drawn,
    ),
    "an arm that is none": (
        lambda: cured(
            plot.boxes,
            {"outcomes": outcomes(), "task": "K562", "arm": ["GAT"]},
            r"say arm= some of 'none', 'placebo', ('GATA')$",
            fill={"'GATA'": "arm=['GATA']"},
        ),
        drawn,
    ),
    "an order that is none": (
        lambda: cured(
            plot.forest,
            {"estimates": estimates(), "task": "K562", "sort": "effect"},
            r"is neither ('size') nor 'given'$",
            fill={"'size'": "sort='size'"},
        ),
        drawn,
    ),
    "verdicts against a point": (
        lambda: plot.equivalence(
            evaluated(
                plot.equivalence,
                {"table": cg.decide(estimates(), rope=0), "task": "K562"},
                r"decide with a region: (cg\.decide\(estimates, rope=\(-0\.1, 0\.1\)\))$",
                estimates=estimates(),
            ),
            task="K562",
        ),
        drawn,
    ),
    "estimates without verdicts": (
        lambda: plot.equivalence(
            evaluated(
                plot.equivalence,
                {"table": estimates(), "task": "K562"},
                r"(cg\.decide\(estimates, rope=\(-0\.1, 0\.1\)\)) gives them$",
                estimates=estimates(),
            ),
            task="K562",
        ),
        drawn,
    ),
    "outcomes in place of estimates": (
        lambda: plot.volcano(
            evaluated(
                plot.volcano,
                {"table": outcomes()},
                r"estimates = (cg\.estimate\(cg\.contrast\(outcomes, "
                r"control=\.\.\.\)\))$",
                fill={"...": "'none'"},
                outcomes=outcomes(),
            ),
            task="K562",
        ),
        drawn,
    ),
    "a plan of one size": (
        lambda: plot.power_curve(
            evaluated(
                plot.power_curve,
                {"plans": estimates()},
                r"number of units: (\[cg\.planning\.power\(.*\)\])$",
                pilot=estimates().sel(task=["K562"]),
            )
        ),
        drawn,
    ),
    "several sequences of maps": (
        lambda: cured(
            plot.map_logo,
            {"attributions": maps(), "task": "K562"},
            r"say unit= one of (0), 1$",
            fill={"0": "unit=0"},
        ),
        drawn,
    ),
    "a span that is too long": (
        lambda: cured(
            plot.map_logo,
            {"attributions": maps(), "task": "K562", "unit": 0, "span": (0, 90)},
            r"such as (\(0, 40\))$",
            fill={"(0": "span=(0"},
        ),
        drawn,
    ),
    # ---- protocols
    "no contrast of a protocol": (
        lambda: protocol(
            analysis=cg.Analysis(
                **arguments(
                    cure_in(
                        refusal(protocol, analysis=cg.Analysis(rope=0)),
                        r"give (control=),",
                        {"control=": "control='none'"},
                    )
                )
            )
        ),
        lambda found: found.analysis.control == "none",
    ),
    "no analysis of a protocol": (
        lambda: cured(
            protocol,
            {"analysis": None},
            r"give a (cg\.Analysis\(control=, rope=\))$",
            fill={
                "cg.": "analysis=cg.",
                "control=": "control='none'",
                "rope=": "rope=0",
            },
        ),
        lambda found: found.analysis.rope == 0,
    ),
    "a generator in place of a seed": (
        lambda: cured(
            protocol,
            {"rng": np.random.default_rng(1)},
            r"such as (rng=0);",
        ),
        lambda found: found.rng == 0,
    ),
    "a number as a rule of stopping": (
        lambda: cured(
            protocol,
            {"until": 5},
            r"takes (cg\.Precision\(half_width=\)) or",
            fill={"cg.": "until=cg.", "half_width=": "half_width=0.5"},
        ),
        lambda found: found.stopping_rule() == cg.Precision(half_width=0.5),
    ),
    "a function in place of a predictor": (
        lambda: cured(
            protocol,
            {"predictor": answer},
            r"such as (cg\.FunctionPredictor\(f, tasks=\[\.\.\.\], scale=\.\.\.\)),",
            fill={
                "cg.": "predictor=cg.",
                "[...]": "['K562', 'HepG2']",
                "scale=...": "scale='log counts'",
            },
            f=answer,
        ),
        lambda found: equal(
            cg.estimate(
                cg.contrast(
                    found.lock("lock.toml").run(design(), wrapped()),
                    control="none",
                )
            ),
            estimates(),
        ),
    ),
    # ---- stopping
    "units that are too few for a rare effect": (
        lambda: cured(
            lambda rare, n_units: cg.Decided(rope=(-0.1, 0.1), rare=rare).schedule(
                n_units
            ),
            {"rare": 0.05 / 5, "n_units": 120},
            r"or give a larger share, (rare=[\d.]+)$",
        ),
        lambda found: found[-1] == 120,
    ),
    "units that are too few, and more of them": (
        lambda: cured(
            lambda rare, n_units: cg.Decided(rope=(-0.1, 0.1), rare=rare).schedule(
                n_units
            ),
            {"rare": 0.05, "n_units": 40},
            r"plan (\d+) units or more$",
            fill={"100": "n_units=100"},
        ),
        lambda found: found[-1] == 100,
    ),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_a_figure_or_a_plan_is_applied_and_succeeds(case):
    apply, holds = CASES[case]
    assert holds(apply())


def test_a_lock_is_made_run_and_verified_as_each_message_says():
    plan = protocol()
    line = cure_in(
        refusal(plan.run, design(), ORACLE), r"(protocol\.lock\('lock\.toml'\)), then"
    )
    locked = eval(line, {"protocol": plan})
    found = locked.run(design(), ORACLE)
    assert equal(
        cg.estimate(cg.contrast(found, control="none")),
        estimates(),
    )

    swapped = cure_in(
        refusal(cg.verify, found, "lock.toml"),
        r"swapped: (cg\.verify\('lock\.toml', outcomes\))$",
    )
    assert "As locked" in str(eval(swapped, {"cg": cg, "outcomes": found}))
    unlocked = cure_in(
        refusal(cg.verify, plan, found), r"or (the path of a lock)$"
    ).replace("the path of a lock", "lock.toml")
    assert "As locked" in str(cg.verify(unlocked, found))
    listed = cure_in(
        refusal(cg.verify, "lock.toml", [found]),
        r"not a list: (cg\.verify\('lock\.toml', outcomes\))$",
    )
    assert "As locked" in str(eval(listed, {"cg": cg, "outcomes": found}))


def test_a_damaged_lock_is_written_anew_as_it_says():
    protocol().lock("lock.toml")
    path = Path("lock.toml")
    path.write_text(path.read_text().replace("GATA", "GATC", 1))
    line = cure_in(
        refusal(cg.Protocol.read, "lock.toml"),
        r"write a new lock with .* or (cg\.Protocol\(\.\.\.\)\.lock\(path\))",
        {"cg.Protocol(...)": "plan", "path": "'new.toml'"},
    )
    eval(line, {"plan": protocol()})
    assert cg.Protocol.read("new.toml").locked is not None


def test_a_lock_begins_a_store_of_its_own():
    run(design(), store="s.zarr")
    locked = protocol().lock("lock.toml")
    cure_in(
        refusal(locked.run, design(), ORACLE, store="s.zarr"),
        r"(choose another store)$",
    )
    found = locked.run(design(), ORACLE, store="other.zarr")
    assert np.array_equal(found["outcome"], outcomes()["outcome"])

"""Refusals of a value that is of another kind: what the message shows is given, and is
what was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cures import Cases, arguments, cure_in, refusal

import causalgia as cg
from causalgia import attribution, experiments, schema
from causalgia.mpra.comparisons.sides import effects_by_element

case = Cases()
EFFECTS, SE = [0.2, -0.1, 1.4, 0.3, 0.0, -0.2], [0.1, 0.2, 0.1, 0.3, 0.2, 0.1]


def estimates() -> Any:
    return cg.from_effects(EFFECTS, se=SE)


def inferred(**given: Any) -> Any:
    return cg.infer(estimates(), law="normal", rng=0, n_draws=200, **given)


def given_one_of(name: str, call: Callable[..., Any]) -> list[Any]:
    """Return the answers to each of the values that the message lists."""
    text = refusal(call, **{name: 3})
    listed = cure_in(text, r"is not one of (.*)$")
    values = [eval(one) for one in listed.replace(" and ", ", ").split(", ")]
    return [call(**{name: value}) for value in values]


@case
def a_likelihood_by_number(_folder: Path) -> Any:
    found = given_one_of("log_likelihood", inferred)
    return [one["posterior"].equals(found[0]["posterior"]) for one in found]


@case
def a_page_of_no_path(folder: Path) -> Any:
    answer = cg.decide(estimates(), rope=(-0.1, 0.1))
    text = refusal(cg.report, answer, path=3)
    name = arguments(cure_in(text, r"(path='report\.html')$"))["path"]
    return cg.report(answer, path=folder / name).is_file()


@case
def a_correlation_in_words(_folder: Path) -> Any:
    table = pd.DataFrame(
        {
            "contrast": ["a", "b"] * 2,
            "task": ["x", "x", "y", "y"],
            "effect": EFFECTS[:4],
            "se": SE[:4],
        }
    )
    given = {"estimates": table, "task_correlation": [["1", "high"], ["high", "1"]]}
    text = refusal(cg.from_effects, **given)
    assert cure_in(text, r"does not hold numbers; give a (matrix)$")
    given["task_correlation"] = np.array([[1.0, 0.8], [0.8, 1.0]])
    return cg.from_effects(**given).sizes["task"] == 2


@case
def a_name_in_place_of_a_predictor(_folder: Path) -> Any:
    rows = cg.Uniform(length=40).sample(4, rng=0)["sequence"].to_numpy()
    given = {
        "task": "K562",
        "rng": 0,
        "min_width": 20,
        "n_draws": 2,
        "rope": (-0.1, 0.1),
    }
    text = refusal(
        experiments.tile_search, cg.sequences.decode(rows), "gata1_like", **given
    )
    made = eval(cure_in(text, r"one of the zoo is (cg\..*?\)), wrap"), {"cg": cg})
    found = experiments.tile_search(cg.sequences.decode(rows), made, **given)
    return found["task"].item() == "K562"


@case
def a_list_in_place_of_a_dataset(_folder: Path) -> Any:
    text = refusal(schema.validate, EFFECTS, "effects")
    maker = cure_in(text, r"take one from (?:.* )?cg\.(contrast)\b")
    y = np.arange(12.0).reshape(6, 2)
    frame = pd.DataFrame(
        [(u, "ab"[a], y[u, a]) for u in range(6) for a in range(2)],
        columns=["unit", "arm", "y"],
    )
    outcomes = cg.from_frame(frame, outcome="y", arm="arm", unit="unit")
    effects = getattr(cg, maker)(outcomes, control="a")
    return schema.validate(effects, "effects") is not None


@case
def instances_of_a_motif_with_a_width(_folder: Path) -> Any:
    rows = cg.Uniform(length=40).sample(12, rng=0)["sequence"].to_numpy().copy()
    rows[:, 10:17] = cg.sequences.encode(["AGATAAG"])[0]
    maps = cg.attribute(
        cg.sequences.decode(rows), cg.zoo.oracle("gata1_like"), progress=False
    )
    given = {"attributions": maps, "anchor": "AGATAAG"}
    text = refusal(attribution.average, **given, width=8)
    assert cure_in(text, r"has its own: (leave it out)$")
    return set(attribution.average(**given)["motif_position"].to_numpy()) == set(
        range(7)
    )


@case
def effects_by_element_of_a_list(_folder: Path) -> Any:
    text = refusal(effects_by_element, EFFECTS, "measured")
    names = cure_in(text, r"a DataFrame with columns (.*)$").replace(" and ", ", ")
    columns = names.split(", ")
    table = pd.DataFrame(dict(zip(columns, ([*"abcdef"], EFFECTS, SE), strict=True)))
    return len(effects_by_element(table, "measured")) == 6


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@case.each
def test_the_value_that_is_shown_is_taken(case, tmp_path):
    assert np.all(case(tmp_path))

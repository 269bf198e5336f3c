"""Questions in other forms: text in an analysis, one contrast under two names,
estimates as a written table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import causalgia as cg


@pytest.fixture(scope="module")
def outcomes() -> Any:
    predictor = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 0].mean(-1), x[:, 1].mean(-1)], axis=1),
        tasks=["a", "c"],
    )
    arms = {
        "none": cg.Untreated(),
        "w 1": cg.Embed("ACAGA", at=10),
        "v": cg.Embed("CCCCC", at=10),
    }
    return cg.run(
        cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=60),
        predictor,
        rng=0,
        progress=False,
    )


# --- text in an analysis --------------------------------------------------------------


@pytest.mark.parametrize(
    ("contrasts", "rows"),
    [
        ("`w 1` - none", {"`w 1` - none": {"w 1": 1.0, "none": -1.0}}),
        (
            ["v - none", "v = `w 1`"],
            {
                "v - none": {"v": 1.0, "none": -1.0},
                "v = `w 1`": {"v": 1.0, "w 1": -1.0},
            },
        ),
        (
            {"mean": "(v + `w 1`) / 2 - none"},
            {"mean": {"v": 0.5, "w 1": 0.5, "none": -1.0}},
        ),
    ],
)
def test_an_analysis_takes_text_as_contrast_does(
    outcomes: Any, contrasts: Any, rows: Any
) -> None:
    analysis = cg.Analysis(contrasts=contrasts, rope=(-0.01, 0.01))
    assert analysis.weights_by_contrast == rows
    assert cg.Analysis.from_toml(analysis.to_toml()) == analysis
    assert (
        cg.Analysis.from_dict({"contrasts": contrasts, "rope": [-0.01, 0.01]})
        == analysis
    )
    asked, written = (
        cg.contrast(outcomes, **analysis.contrasting),
        cg.contrast(outcomes, contrasts=contrasts),
    )
    np.testing.assert_array_equal(asked["ice"], written["ice"])
    assert (
        asked["contrast"].values.tolist()
        == written["contrast"].values.tolist()
        == list(rows)
    )


# --- one contrast twice ---------------------------------------------------------------


# --- estimates as a table -------------------------------------------------------------


def test_estimates_written_as_a_table_are_read_again(outcomes: Any) -> None:
    estimates = cg.estimate(cg.contrast(outcomes, control="none"))
    frame = estimates.to_dataframe()
    for table in (frame, frame.reset_index()):
        decided = cg.decide(table, rope=(-0.02, 0.02))
        expected = cg.decide(estimates, rope=(-0.02, 0.02))
        assert (decided["verdict"] == expected["verdict"]).all()
        again = cg.from_effects(table)
        for name in ("ace", "se", "df", "p", "log_p", "lower", "upper"):
            np.testing.assert_allclose(again[name], estimates[name])
        assert cg.infer(table, n_draws=40, rng=0)["moments"]["mean"].shape == (2, 2)

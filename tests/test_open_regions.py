"""What is said of effects in regions that are open, or far, on one side; and of rows
without an estimate.
"""

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

WITHOUT_NAME = ["", " "]


def test_a_large_effect_on_the_open_side_is_not_called_negligible() -> None:
    effects = cg.from_effects([-5.0, 2.0], [0.1, 0.1], names=["a", "b"])
    for rope, said in (((-np.inf, 0.3), "not above 0.3"), ((-10, 0.3), "within -10")):
        answer = str(cg.report(cg.decide(effects, rope=rope))).split("Verdict:")[0]
        assert said in answer
    table = str(cg.report(cg.decide(effects, rope=(-np.inf, 0.3))))
    assert "negligible" not in table


def test_a_region_may_be_an_array_of_one_number() -> None:
    effects = cg.from_effects([1.0, 0.0], [0.1, 0.1])
    for rope in (np.array(0.3), np.float32(0.3), np.array(0)):
        one, other = (cg.decide(effects, rope=x) for x in (rope, float(rope)))
        assert (one["verdict"] == other["verdict"]).all()
    with pytest.raises(cg.errors.EstimateError):
        cg.decide(effects, rope=np.ma.masked)


def test_a_missing_effect_is_a_row_without_estimate_in_no_family() -> None:
    table = pd.DataFrame({"name": [*"abc"], "effect": [1, np.nan, 0.6], "se": 0.1})
    with pytest.warns(cg.errors.DegenerateWarning, match="b"):
        found = cg.decide(table, rope=0.3)
    rest = cg.decide(table.drop(1), rope=0.3)
    kept = found.sel(contrast=["a", "c"])
    assert found["measured"].values.ravel().tolist() == [True, False, True]
    np.testing.assert_array_equal(kept["q"], rest["q"])
    assert found.attrs["family_rows"] == 2
    assert "No estimate: 'b'" in " ".join(str(cg.report(found)).split())


@pytest.mark.parametrize("name", WITHOUT_NAME)
def test_a_name_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(cg.errors.EstimateError):
        cg.from_effects([1.0, 2.0], [0.1, 0.1], names=["a", name])
    frame = pd.DataFrame({"unit": [0, 0, 1, 1], "arm": [name, "b"] * 2, "y": 1.0})
    with pytest.raises(cg.errors.DataError):
        cg.from_frame(frame, unit="unit", arm="arm", outcome="y")

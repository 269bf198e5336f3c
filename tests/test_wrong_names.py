"""Names that a module does not have: the error says which one was meant."""

from __future__ import annotations

import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import OutcomesError


@pytest.mark.parametrize(
    ("module", "name", "meant"),
    [
        (cg.store, "loa", "'load'"),
        (cg.schema, "validat", "'validate'"),
        (cg.errors, "OutcomeError", "'OutcomesError'"),
        (cg, "equivalence", "causalgia.plot.equivalence"),
        (
            cg,
            "concordance",
            "causalgia.mpra.concordance, causalgia.plot.concordance",
        ),
        (cg, "library", "causalgia.mpra.library"),
        (cg, "describe", "'report'"),
        (cg, "estimat", "'estimate'"),
        (cg.experiments, "copys", "'copies'"),
    ],
)
def test_the_name_that_was_meant_is_suggested(module, name, meant):
    with pytest.raises(AttributeError) as error:
        getattr(module, name)
    assert str(error.value) == (
        f"module {module.__name__!r} has no attribute {name!r}; did you mean {meant}?"
    )


def test_names_of_python_itself_have_no_suggestion():
    for module in (cg, cg.store, cg.schema, cg.errors):
        assert not hasattr(module, "__wrapped__")
        with pytest.raises(AttributeError, match="no attribute '_loa'$"):
            module._loa  # noqa: B018


def test_what_is_no_dataset_is_not_saved(tmp_path):
    for given, kind in ((3, "int"), (pd.DataFrame({"x": [1.0]}), "DataFrame")):
        with pytest.raises(
            OutcomesError,
            match=f"this is an? {kind}; make one of a table with cg.from_frame",
        ):
            cg.store.save(given, tmp_path / "x.nc")


def test_an_unknown_kind_of_dataset_is_named_with_the_nearest():
    with pytest.raises(
        OutcomesError,
        match="kind='estimats' is not a kind of Dataset; did you mean 'estimates'",
    ):
        cg.schema.validate(xr.Dataset(), "estimats")
    with pytest.raises(
        OutcomesError,
        match="kind='xyz' is not a kind of Dataset; use one of 'sequences', 'outcomes'",
    ):
        cg.schema.validate(xr.Dataset(), "xyz")

"""`causalgia decide`: a table of effects of any program, from a file or a pipe."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from in_shell import invoke

import causalgia as cg

EFFECTS, ERRORS = np.array([0.05, 1.2, -0.6, 0.3]), np.array([0.03, 0.05, 0.05, 0.2])
NAMES = ["a", "b", "NA", "rs7"]
RIGHT = cg.decide(
    pd.DataFrame({"contrast": NAMES, "effect": EFFECTS, "se": ERRORS}), rope=(-0.2, 0.2)
)["verdict"].values.ravel()


@pytest.mark.parametrize("separator", [",", "\t", ";", " "])
@pytest.mark.parametrize(
    "columns",
    [
        ("contrast", "effect", "se"),
        ("term", "estimate", "std.error"),
        ("slab", "yi", "sei"),
        ("study", "yi", "vi"),
        ("SNP", "BETA", "SE"),
        ("rsid", "beta", "standard_error"),
        ("variant_id", "b", "stderr"),
        ("gene", "logFC", "t"),
    ],
)
def test_tables_of_other_programs_are_decided(tmp_path, columns, separator):
    name, effect, error = columns
    errors = {"vi": ERRORS**2, "t": EFFECTS / ERRORS}.get(error, ERRORS)
    table = pd.DataFrame({name: NAMES, effect: EFFECTS, error: errors})
    path = tmp_path / "effects.txt"
    table.to_csv(path, index=False, sep=separator)
    found = invoke("decide", str(path), "--rope=-0.2,0.2", "--json")
    assert found.exit_code == 0
    rows = json.loads(found.stdout)["effects"]
    assert [row["term"] for row in rows] == NAMES
    assert [row["verdict"] for row in rows] == RIGHT.tolist()
    assert (cg.decide(table, rope=(-0.2, 0.2))["verdict"].values.ravel() == RIGHT).all()


def test_a_label_that_is_called_b_is_no_effect():
    table = pd.DataFrame({"contrast": NAMES, "b": 5.0, "effect": EFFECTS, "se": ERRORS})
    assert (cg.decide(table, rope=(-0.2, 0.2))["verdict"].values.ravel() == RIGHT).all()
    with pytest.raises(cg.errors.EstimateError):
        cg.decide(table.rename(columns={"effect": "beta"}), rope=(-0.2, 0.2))


class Piped(io.StringIO):
    terminal = False

    def isatty(self):
        return self.terminal


def test_a_table_comes_from_standard_input(tmp_path, monkeypatch):
    table = pd.DataFrame({"term": NAMES, "estimate": EFFECTS, "std.error": ERRORS})
    out = tmp_path / "decisions.tsv"
    monkeypatch.setattr("sys.stdin", Piped(table.to_csv(index=False)))
    found = invoke("decide", "-", "--rope=-0.2,0.2", "--out", str(out))
    assert found.exit_code == 0
    written = pd.read_csv(out, sep="\t", keep_default_na=False)
    assert written["verdict"].tolist() == RIGHT.tolist()
    monkeypatch.setattr("sys.stdin", Piped())
    monkeypatch.setattr(Piped, "terminal", True)
    refused = invoke("decide", "-", "--rope=-0.2,0.2")
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("unit,arm,outcome\n1,a,3\n", ["'unit'", "'arm'", "'outcome'"]),
        ("term,estimat,std_err\na,1,2\n", ["'estimat'", "'std_err'"]),
        ("term,estimate,std.error\na,1,.1\nb,x,.1\n", ["line 3", "'x'"]),
    ],
)
def test_what_is_no_table_of_effects_is_refused_by_what_is_there(tmp_path, text, named):
    path = tmp_path / "table.csv"
    path.write_text(text)
    refused = invoke("decide", str(path), "--rope=-0.2,0.2")
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert all(word in refused.stderr for word in named)
    assert "did you mean" not in refused.stderr


def test_a_trial_without_a_store_says_what_keeps_it():
    def stopped(x):
        raise KeyboardInterrupt

    design = cg.Design(
        null=cg.Uniform(length=20),
        arms={"a": cg.Untreated(), "b": cg.Embed("GATA", at=3)},
        n_units=4,
    )
    predictor = cg.FunctionPredictor(stopped, tasks=["y"])
    with pytest.raises(KeyboardInterrupt, match="store="):
        cg.run(design, predictor, rng=0, progress=False)

# Imports from the inside: typed rows, which what is printed is made of.
"""The rows that are told are those of `causalgia.tidy`, whatever the result is, and every
rendering of an answer has the cells of one table.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

import causalgia as cg
from causalgia.tell.answers import answer_parts
from causalgia.tell.effect_rows import readable, rows_of

X = cg.experiments
COLUMN = {"ace": "estimate", "se": "std_error", "lower": "conf_low", "p": "p_value"}
COLUMN |= {"upper": "conf_high", "verdict": "verdict", "q": "q", "n": "n"}
COLUMN |= {"shrunken": "shrunken", "lfsr": "lfsr", "df": "df"}


def trial(keep="outcomes", placebos=0, **design):
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=30)}
    arms |= {f"at {at}": cg.Embed("AGATAAG", at=at) for at in (3, 12, 45)}
    if placebos:
        arms |= cg.placebos("AGATAAG", at=30, n_placebos=placebos, rng=0)
    made = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=40, **design)
    network = cg.zoo.oracle("gata1_like")
    return cg.run(made, network, rng=0, keep=keep, progress=False)


def estimates(**choice):
    return cg.estimate(cg.contrast(trial(), control="untreated"), **choice)


def given(n=12, tasks=1, **more):
    rng = np.random.default_rng(1)
    names = [f"effect {i}" for i in range(n)]
    ace, se = rng.normal(0, 0.5, (n, tasks)), rng.uniform(0.05, 0.3, (n, tasks))
    return cg.from_effects(
        ace if tasks > 1 else ace[:, 0],
        se=se if tasks > 1 else se[:, 0],
        names=names,
        **more,
    )


def asked(experiment):
    network = cg.zoo.oracle("rbfox1_like")
    found = cg.run(experiment, network, rng=0, progress=False)
    return experiment.analyze(found, rng=0).decisions


def of_two_tasks():
    return given(8, tasks=2)


RNA = cg.Uniform(length=41)
RESULTS = {
    "estimates": estimates,
    "estimates of a parallel trial": lambda: cg.estimate(
        cg.contrast(trial(assignment="parallel"), control="untreated")
    ),
    "moments": lambda: cg.estimate(trial("moments", contrasts="untreated")),
    "verdicts": lambda: cg.decide(estimates(), rope=(-0.1, 0.1)),
    "verdicts of directions": lambda: cg.decide(estimates(), rope=0),
    "verdicts one by one": lambda: cg.decide(
        estimates(), rope=(-0.1, 0.1), error="each"
    ),
    "verdicts without shrinkage": lambda: cg.decide(
        estimates(), rope=(-0.1, 0.1), shrink=None
    ),
    "one row": lambda: cg.decide(given(1), rope=(-0.1, 0.1)),
    "effects that were given": given,
    "verdicts on them": lambda: cg.decide(given(40), rope=(-0.1, 0.1)),
    "two tasks": of_two_tasks,
    "verdicts on two tasks": lambda: cg.decide(of_two_tasks(), rope=(-0.1, 0.1)),
    "regions by task": lambda: cg.decide(
        of_two_tasks(), rope={"0": (-0.1, 0.1), "1": (-0.2, 0.2)}
    ),
    "a large screen": lambda: cg.decide(given(400), rope=(-0.1, 0.1)),
    "a selected task": lambda: of_two_tasks().isel(task=1),
    "placebos": lambda: cg.decide(
        cg.estimate(cg.contrast(trial(placebos=19), control="untreated")),
        rope=(-0.1, 0.1),
    ),
    "a simultaneous band": lambda: cg.simultaneous(
        cg.contrast(trial(), control="untreated"), rng=0
    ),
    "a posterior": lambda: cg.infer(given(14), n_draws=200, rng=0),
    "positions": lambda: asked(X.position(RNA, "UGCAUG", n_units=20, rope=(-0.1, 0.1))),
    "spacing": lambda: asked(X.spacing(RNA, "UGCAUG", gaps=[0, 3], n_units=40)),
}


pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")


@pytest.mark.parametrize("name", RESULTS)
def test_rows_are_those_of_tidy(name):
    found = readable(RESULTS[name]())
    told, table = rows_of(found), cg.tidy(found)
    assert [row.contrast for row in told] == table["term"].tolist()
    assert [row.task for row in told] == table["task"].astype(str).tolist()
    for column, of_tidy in COLUMN.items():
        values = [getattr(row, column) for row in told]
        if of_tidy not in table or values[0] is None:
            known = of_tidy in table and table[of_tidy].notna().any()
            assert not known
            assert set(values) == {None}
        elif of_tidy == "verdict":
            assert values == table[of_tidy].tolist()
        else:
            np.testing.assert_array_equal(values, table[of_tidy].to_numpy(float))


def test_every_rendering_has_the_cells_of_one_table():
    names = ["GATA1 | <b>&", "a\nb", "‮abc", "x" * 300]
    found = cg.from_effects([1.4, 0.2, 0.0, -1], se=[0.1] * 4, names=names)
    parts = answer_parts(cg.decide(found, rope=(-0.1, 0.1)))
    cells = {cell for line in parts.lines for cell in line if cell[:1].isdigit()}
    assert len(parts.lines) == 4
    for told in (parts.text(), parts.markdown(), parts.html(), parts.latex()):
        assert "‮" not in told
        assert all(cell in told for cell in cells)
    assert parts.html().count("<tr>") == 5
    assert "<b>" not in parts.html()
    assert sum(line.startswith("|") for line in parts.markdown().splitlines()) == 6
    assert max(map(len, parts.text().splitlines())) <= 100


def test_settings_stand_in_their_order():
    found = asked(X.position(RNA, "UGCAUG", n_units=20, rope=(-0.1, 0.1)))
    parts = answer_parts(found)
    place = dict(zip(found["contrast"].values, found["place"].values, strict=True))
    shown = [place[name] for name in parts.contrasts if place[name] == place[name]]
    assert len(shown) > 3
    assert shown == sorted(shown)


@pytest.mark.parametrize(
    "name", ["rope_lower", "rope_upper", "lower", "upper", "shrunken_lower"]
)
def test_a_missing_variable_is_named(name):
    found = cg.decide(given(14), rope=(-0.1, 0.1))
    with pytest.raises(cg.errors.DataError, match=name):
        cg.report(found.drop_vars(name))


def test_what_else_was_removed_is_not_told():
    found = cg.decide(given(14), rope=(-0.1, 0.1))
    for name in ("se", "df", "p", "q", "shrunken", "lfsr", "more_units", "p_verdict"):
        assert cg.report(found.drop_vars(name, errors="ignore"))
    assert cg.report(found.drop_attrs(deep=False))


@pytest.mark.parametrize("tasks", [1, 4])
def test_ten_thousand_rows_take_two_seconds(tasks):
    n = 10_000 // tasks
    found = cg.decide(given(n, tasks=tasks), rope=(-0.1, 0.1), shrink=None)
    start = time.process_time()
    text = cg.report(found)
    assert time.process_time() - start < 2
    assert len(text.splitlines()) < 40
    whole = cg.report(found, rows="all")
    assert time.process_time() - start < 30
    assert len(whole.splitlines()) > n

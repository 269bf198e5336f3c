# Imports from the inside: pools of retrainings and matrices of one motif are compared
# without the audits before them, which take a minute.
"""Networks compared: planted differences are found, on one scale of errors, whatever
letters and strand each audit calls a motif by.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia._audit.candidates import Candidate
from causalgia._audit.compared import compare, union_of_motifs, union_of_rules
from causalgia._audit.rules import Rule
from causalgia.errors import CausalgiaWarning, PredictorError, StoreError
from causalgia.estimation.pools import over_pools
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Sequences

AP1, TEAD = "TGAGTCA", "CATTCCA"


def _sequences(n=120, length=100, seed=3):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (n, length)).astype(np.uint8)

    def write(row, at, word):
        tokens[row, at : at + len(word)] = ["ACGT".index(x) for x in word]

    for row in range(n):
        for word in (AP1, TEAD):
            if rng.random() < 0.5:
                write(row, int(rng.integers(2, 40)), word)
        if rng.random() < 0.4:
            at = int(rng.integers(50, 70))
            write(row, at, AP1)
            write(row, at + 7 + int(rng.integers(3, 9)), TEAD)
    return Sequences(tokens, tuple(f"s{k}" for k in range(n)))


def _present(one_hot, word):
    found = np.ones((len(one_hot), one_hot.shape[2] - len(word) + 1), bool)
    for k, letter in enumerate(word):
        found &= one_hot[:, "ACGT".index(letter), k : k + found.shape[1]] > 0
    return found


def _network(first=0.6, second=0.9, both=1.5, *, task="activity", scale="log counts"):
    """Return a network that adds up AP-1, TEAD, and one after the other at 3 to 8 bp."""

    def answer(one_hot):
        a, b = _present(one_hot, AP1), _present(one_hot, TEAD)
        pair = np.zeros(len(a), bool)
        for gap in range(3, 9):
            pair |= (a[:, : -7 - gap] & b[:, 7 + gap :]).any(axis=1)
        gc = 0.4 * one_hot[:, 1:3].sum(axis=1).mean(axis=1)
        return first * a.any(axis=1) + second * b.any(axis=1) + both * pair + gc

    return cg.FunctionPredictor(answer, tasks=[task], scale=scale)


NETWORKS = {"adult": _network(), "fetal": _network(second=0.0, both=0.75)}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "stages"
    made = cg.audit(NETWORKS, _sequences(), store=folder, progress=False, rng=0)
    return made, folder


def test_half_of_an_interaction_and_a_lost_motif_differ(found) -> None:
    rules = found[0].rules.set_index("arrangement")
    rule = rules.loc[f"{AP1}+ then {TEAD}+"]
    assert (rule["gap_from"], rule["gap_to"], rule["verdict"]) == (3, 8, "differs")
    assert rule["effect, adult"] == pytest.approx(1.5, abs=0.05)
    assert rule["effect, fetal"] == pytest.approx(0.75, abs=0.05)
    assert rule["lower"] <= 0.75 <= rule["upper"] + 0.01
    alone = found[0].motifs.query("asks == 'alone'").set_index("motif")
    assert alone.loc[TEAD, "verdict"] == "differs"
    assert alone.loc[TEAD, "difference"] == pytest.approx(0.9, abs=0.05)
    assert not alone.loc[TEAD, "reads, fetal"]


def test_what_is_alike_is_said_to_be(found) -> None:
    alone = found[0].motifs.query("asks == 'alone'").set_index("motif")
    assert alone.loc[AP1, "verdict"] == "negligible"
    assert alone.loc[AP1, "difference"] == pytest.approx(0, abs=0.05)


def test_the_answer_has_twelve_lines_at_most(found) -> None:
    lines = str(found[0]).splitlines()
    assert len(lines) <= 12
    assert lines[0].startswith("adult and fetal: ")
    assert lines[1].startswith(f"{AP1}+ then {TEAD}+, 3 to 8 bp apart")


def test_stages_are_kept_and_refuse_other_networks(found) -> None:
    made, folder = found
    assert list(made.audits) == ["adult", "fetal"]
    again = cg.audit(NETWORKS, _sequences(), store=folder, progress=False, rng=0)
    for table in ("motifs", "rules"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(made, table))
    other = NETWORKS | {"fetal": _network(both=0.0)}
    with pytest.raises(StoreError):
        cg.audit(other, _sequences(), store=folder, progress=False, rng=0)


def _claims(*, rule=True, words=(AP1, TEAD), task="activity"):
    """Return what an audit would have found: two motifs and, or not, the rule."""
    candidates = [
        Candidate(Motif.from_iupac(x), 1.01 * 4.0 ** -len(x.strip("N")), x, 1.0, 50, 50)
        for x in words
    ]
    first, second = words = [one.label for one in candidates]
    return SimpleNamespace(
        candidates=candidates,
        motifs=pd.DataFrame(
            {
                "motif": words,
                "name": "",
                "task": task,
                "reads": True,
                "strand": "+",
                "sites_on": "both",
                "alone": 1.0,
                "region": 0.1,
                "region_alone": 0.1,
            }
        ),
        rules=pd.DataFrame(
            {
                "first": [first],
                "second": second,
                "strands": "++",
                "arrangement": f"{first}+ then {second}+",
                "gap_from": 3,
                "gap_to": 8,
                "n_gaps": 6,
                "tested": 1.0,
                "both_strands": False,
                "anywhere": False,
                **dict.fromkeys(("period", "phase", "length"), np.nan),
                "further": "",
                "task": task,
                "interaction": 1.5,
                "holds": rule,
            }
        ),
        settings={"strands": "both"},
    )


def _compared(networks, claims, outcomes=None):
    """Return a comparison; its outcomes are kept by network and trial."""
    given, outcomes = _sequences(), {} if outcomes is None else outcomes

    def run_in(name, what, design):
        found = cg.run(design, networks[name], rng=0, progress=False)
        outcomes[name, what] = found
        return found

    reserved = Sequences(given.tokens[:40], given.names[:40])
    with warnings.catch_warnings():  # as `cg.audit`
        warnings.simplefilter("ignore", CausalgiaWarning)
        return compare(networks, claims, given.tokens, reserved, run_in=run_in)


def test_a_difference_is_that_of_contrast_models_though_few_units_differ() -> None:
    """AP-1 does more in one of them where the sequence begins with two A."""
    plain = _network()

    def where_rare(one_hot):
        rare = one_hot[:, 0, 0] * one_hot[:, 0, 1] * _present(one_hot, AP1).any(1)
        return plain.predict(one_hot.argmax(1).astype(np.uint8))[:, 0] + 0.5 * rare

    networks = {
        "one": cg.FunctionPredictor(where_rare, tasks=["activity"], scale="log counts"),
        "other": plain,
    }
    outcomes = {}
    found = _compared(networks, {name: _claims() for name in networks}, outcomes)
    row = found.motifs.query(f"motif == '{AP1}' and asks == 'alone'").iloc[0]
    both = xr.concat(
        [outcomes[name, f"alone {AP1}"] for name in networks],
        pd.Index(networks, name="model"),
        combine_attrs="override",
    ).transpose(..., "model")
    effects = cg.contrast_models(
        both, control="other", contrasts={"+": {"+": 1, "untreated": -1}}
    )
    decided = cg.decide(effects, rope=0, error="each", shrink=None)
    names = ("lower", "upper", "p")
    assert list(row[[*names]]) == pytest.approx([decided[x].item() for x in names])
    at, low, high = row[["difference", "lower", "upper"]]
    assert high - at > 1.1 * (at - low) > 0


def test_networks_that_differ_by_rounding_are_alike() -> None:
    one = _network()

    def rounded(one_hot):
        answers = one.predict(one_hot.argmax(1).astype(np.uint8))[:, 0]
        return answers * (1 + 1e-7 * (one_hot[:, 0].sum(1) % 2))

    networks = {
        "one": one,
        "same": one,
        "rounded": cg.FunctionPredictor(
            rounded, tasks=["activity"], scale="log counts"
        ),
    }
    found = _compared(networks, {name: _claims() for name in networks})
    rows = pd.concat([found.motifs, found.rules])
    assert (set(rows["verdict"]), set(rows["p"])) == ({"negligible"}, {1.0})
    assert set(rows.query("minus == 'one minus same'")["difference"]) == {0.0}


def test_pools_of_retrainings_differ_beyond_their_spread() -> None:
    rng = np.random.default_rng(0)
    sizes = {"one": rng.normal(1.5, 0.1, 4), "other": rng.normal(0.75, 0.1, 3)}
    pools = {
        name: cg.Ensemble([_network(both=x) for x in of]) for name, of in sizes.items()
    }
    found = _compared(pools, {name: _claims() for name in pools})
    rule = found.rules.iloc[0]
    tests = [stats.ttest_ind(*sizes.values(), equal_var=x) for x in (True, False)]
    limits = np.array([test.confidence_interval(0.95) for test in tests])
    low, high = limits[:, 0].min(), limits[:, 1].max()
    assert rule["difference"] == pytest.approx(
        sizes["one"].mean() - sizes["other"].mean(), abs=0.02
    )
    assert (rule["lower"], rule["upper"]) == pytest.approx((low, high), abs=0.03)
    assert rule["verdict"] == "differs"
    assert set(found.motifs.query("asks == 'alone'")["verdict"]) == {"negligible"}


@pytest.mark.parametrize("spreads", [(1.0, 1.0), (0.1, 1.0), (1.0, 0.1)])
def test_pools_are_independent_arms_where_units_say_nothing(spreads) -> None:
    rng = np.random.default_rng(1)
    first, second = (
        x * rng.normal(size=n) for x, n in zip(spreads, (2, 9), strict=True)
    )
    one = {
        "ace": first.mean() - second.mean(),
        "se": 0.0,
        "df": 49.0,
        "skewness": 3.0,
        "n_units": 50,
    }
    estimates = xr.Dataset(
        {name: (("contrast", "task"), [[x]]) for name, x in one.items()}
    )
    found = over_pools(estimates, first[:, None], second[:, None])
    decided = cg.decide(found, rope=0, error="each", shrink=None)
    tests = [stats.ttest_ind(first, second, equal_var=x) for x in (True, False)]
    limits = [test.confidence_interval(0.95) for test in tests]
    assert decided["p"].item() == pytest.approx(max(test.pvalue for test in tests))
    assert decided["lower"].item() == pytest.approx(min(x.low for x in limits))
    assert decided["upper"].item() == pytest.approx(max(x.high for x in limits))


def test_three_networks_are_compared_two_by_two() -> None:
    networks = {name: _network(both=x) for name, x in (("a", 0), ("b", 1), ("c", 1))}
    claims = {name: _claims(rule=name == "c") for name in networks}
    found = _compared(networks, claims)
    rules = found.rules.set_index("minus")
    assert rules["verdict"].to_dict() == {
        "a minus b": "differs",
        "a minus c": "differs",
        "b minus c": "negligible",
    }
    assert (
        rules[["holds, a", "holds, b", "holds, c"]].to_numpy().tolist()
        == [[False, False, True]] * 3
    )
    of_rule = [line for line in str(found).splitlines() if "3 to 8 bp" in line]
    assert len(of_rule) == 1
    assert all(pair in of_rule[0] for pair in rules.index)
    motifs = found.motifs.copy()
    of = (motifs["motif"] == AP1) & (motifs["asks"] == "alone")
    motifs.loc[of, "verdict"] = ["negligible", "negligible", "undecided"]
    lines = str(replace(found, motifs=motifs)).splitlines()
    (alike,) = (line for line in lines if line.startswith("The same"))
    (undecided,) = (line for line in lines if line.startswith("Undecided"))
    assert f"{AP1} alone" not in alike
    assert f"{AP1} alone on +, in activity (b minus c)" in undecided


def test_the_strand_of_a_motif_is_that_where_it_does_most_for_its_region() -> None:
    one = _claims()
    other = one.motifs.assign(task="loud", alone=2.0, strand="-", region_alone=10.0)
    one.motifs = pd.concat([one.motifs, other], ignore_index=True)
    motifs, _ = union_of_motifs({"one": one}, _sequences().tokens)
    assert {motif.strand for motif in motifs} == {"+"}


def test_single_tasks_are_compared_whatever_they_are_called() -> None:
    networks = {"one": _network(task="liver"), "other": _network(0.0, task="muscle")}
    claims = {"one": _claims(task="liver"), "other": _claims(task="muscle")}
    found = _compared(networks, claims)
    assert set(found.motifs["task"]) == {"liver, muscle"}
    alone = found.motifs.query("asks == 'alone'").set_index("motif")["verdict"]
    assert alone.to_dict() == {AP1: "differs", TEAD: "negligible"}


@pytest.mark.parametrize(
    ("words", "strands", "gaps"),
    [
        (("TGACTCA", TEAD), "-+", (3, 8)),
        (("NTGAGTCA", "CATTCCAN"), "++", (3, 8)),
        (("TGACTCAN", "NTGGAATG"), "--", (3, 8)),
        (("NTGACTCA", "TGGAATGN"), "--", (1, 6)),
        (("TGAGTCANN", "NCATTCCA"), "++", (0, 5)),
    ],
)
def test_a_rule_is_the_same_in_the_letters_of_another_audit(
    words, strands, gaps
) -> None:
    """On other strands, in longer matrices, and with other gaps between them."""
    given, other = _sequences(n=400), _claims(words=words)
    labels = [one.label for one in other.candidates]
    own = Rule(*labels, strands, *gaps, 6, "activity", 1.0)
    other.rules = other.rules.assign(
        strands=strands, gap_from=gaps[0], gap_to=gaps[1], arrangement=own.arrangement
    )
    audits = {"one": _claims(rule=False), "other": other}
    motifs, places = union_of_motifs(audits, given.tokens)
    assert [one.label for one in motifs] == [AP1, TEAD]
    ((rule, held),), left_out = union_of_rules(audits, places)
    assert (rule.arrangement, rule.gap_from, rule.gap_to, held, left_out) == (
        f"{AP1}+ then {TEAD}+",
        3,
        8,
        {"other": {"activity"}},
        [],
    )


def test_motifs_that_lie_beside_each_other_now_and_then_are_two() -> None:
    audits = {"one": _claims(), "other": _claims(words=("GAGTCAN", "TCCANNN"))}
    motifs, _ = union_of_motifs(audits, _sequences().tokens)
    assert {one.label for one in motifs} >= {AP1, TEAD}


def test_rules_whose_gaps_overlap_are_one() -> None:
    one, other = _claims(), _claims()
    other.rules = other.rules.assign(gap_from=6, gap_to=12, task="muscle")
    third = _claims()
    third.rules = third.rules.assign(gap_from=20, gap_to=22)
    audits = {"one": one, "other": other, "third": third}
    _, places = union_of_motifs(audits, _sequences().tokens)
    rules, _ = union_of_rules(audits, places)
    assert [(rule.gap_from, rule.gap_to, held) for rule, held in rules] == [
        (3, 12, {"one": {"activity"}, "other": {"muscle"}}),
        (20, 22, {"third": {"activity"}}),
    ]


WRONG = {
    "one network": {"a": _network()},
    "other scales": {"a": _network(), "b": _network(scale="counts")},
    "other scales of a task": {
        name: cg.FunctionPredictor(
            lambda x: x.sum(-1)[:, :2], tasks=["s", "t"], scale=["counts", scale]
        )
        for name, scale in (("a", "counts"), ("b", "log counts"))
    },
    "an ensemble and a network": {
        "a": cg.Ensemble([_network(0.1), _network(0.2)]),
        "b": _network(),
    },
    "no network": {"a": _network(), "b": print},
    "a name that is no folder": {"a/b": _network(), "b": _network(0.1)},
    "no task in common": {
        "a": cg.FunctionPredictor(lambda x: x.sum(-1)[:, :2], tasks=["s", "t"]),
        "b": cg.FunctionPredictor(lambda x: x.sum(-1)[:, :2], tasks=["u", "v"]),
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_networks_that_do_not_compare_are_refused(name: str) -> None:
    with pytest.raises(PredictorError):
        cg.audit(WRONG[name], _sequences(), progress=False, rng=0)

"""Pre-registration: locks, runs under a lock, deviations, and tamperings that are
planted and found.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings, strategies as st

import causalgia as cg
from causalgia.errors import (
    DataError,
    ExploratoryWarning,
    StoreError,
)
from causalgia.protocol import _protocol as room
from causalgia.protocol._verify import compare_runs

ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA1": cg.Embed("AGATAAG", at=20),
}


DESIGN = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=80)


ASK = cg.Analysis(control="placebo", rope=(-0.1, 0.1), error="fdr")


def net(slope=1.0):
    weights = np.full(4, slope) * [1, 0, 2, 0]
    return cg.FunctionPredictor(
        lambda x: (
            np.stack(
                [(x[:, :, 15:24].mean(2) * weights).sum(1), x[:, 0, 15:24].mean(1)], 1
            )
            * (1 + x[:, 1:3, 30:].mean((1, 2)))[:, None]
        ),
        tasks=["K562", "HepG2"],
        scale="log counts",
    )


@pytest.fixture
def locked(tmp_path):
    return cg.Protocol(DESIGN, ASK, predictor=net(), rng=7).lock(
        tmp_path / "lock.toml"
    ), tmp_path / "lock.toml"


def what(found):
    return [one.what for one in found.deviations]


def test_a_lock_reads_back_and_its_hash_is_that_of_the_lines_below(locked):
    protocol, path = locked
    body = path.read_bytes().partition(b"\n")[2]
    assert (
        cg.Protocol.read(path)
        == protocol
        == cg.Protocol(DESIGN, ASK, predictor=net(), rng=7)
    )
    assert (
        protocol.sha256
        == hashlib.sha256(body).hexdigest()
        == cg.Protocol.read(path).sha256
    )
    assert protocol.contrasts == ("untreated", "GATA1")


def test_line_ends_of_another_system_leave_a_lock_as_it_is(locked):
    _, path = locked
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert cg.Protocol.read(path).rng == 7


def test_a_lock_is_never_overwritten(locked):
    protocol, path = locked
    before = path.read_bytes()
    with pytest.raises(StoreError):
        protocol.lock(path)
    assert path.read_bytes() == before


def test_an_experiment_is_its_own_analysis(tmp_path):
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="GCATG", at=[17, 40], n_units=40
    )
    protocol = cg.Protocol(experiment, predictor=net(), rng=1).lock(
        tmp_path / "lock.toml"
    )
    outcomes = protocol.run(experiment, net())
    answer = experiment.analyze(outcomes, rng=1)
    assert cg.verify(protocol, outcomes).ok
    assert what(cg.verify(protocol, answer.decisions)) == []
    assert what(cg.verify(protocol, answer.estimates)) == []


def test_without_a_seed_it_follows_from_what_is_fixed():
    one, same, other = (
        cg.Protocol(DESIGN, ask, predictor="0f")
        for ask in (ASK, ASK, cg.Analysis(control="placebo"))
    )
    assert one.rng == same.rng != other.rng


def test_a_run_is_that_of_cg_run_and_every_result_is_as_locked(locked):
    protocol, path = locked
    outcomes = protocol.run(DESIGN, net())
    plain = cg.run(DESIGN, net(), rng=7, analysis=ASK)
    assert np.array_equal(outcomes["outcome"], plain["outcome"])
    decisions = cg.analyze(outcomes)
    estimates = cg.estimate(cg.contrast(outcomes, control="placebo"))
    for result in (outcomes, estimates, decisions):
        assert cg.verify(path, result).ok
        assert result.attrs["protocol"] == protocol.sha256
        assert "exploratory" not in result.attrs
    assert what(cg.verify(path, plain)) == ["protocol"]


def test_decisions_on_fewer_units_deviate_and_say_that_their_outcomes_are_unseen(
    locked,
):
    protocol, path = locked
    outcomes = protocol.run(DESIGN, net())
    fewer = cg.analyze(outcomes.isel(unit=slice(None, None, 2)))
    assert what(cg.verify(path, fewer)) == ["n_units"]


def test_a_stopping_rule_is_locked_and_run(tmp_path):
    until = cg.Decided(rope=(-9, 9), min_clusters=100)
    design = dataclasses.replace(DESIGN, n_units=400)
    protocol = cg.Protocol(design, ASK, predictor=net(), rng=7, until=until).lock(
        tmp_path / "lock.toml"
    )
    outcomes = cg.Protocol.read(tmp_path / "lock.toml").run(design, net())
    assert cg.verify(protocol, outcomes).ok
    assert outcomes.sizes["unit"] < 400
    assert what(
        cg.verify(
            protocol, outcomes.assign_attrs(until="Decided(start=100, rope=(-8, 8))")
        )
    ) == ["until"]


def test_the_least_number_of_clusters_keeps_its_name_in_files(tmp_path):
    """A seed is made of the text of the rule, so that a renamed argument must not
    change the text.
    """
    until = cg.Decided(rope=(-9, 9), min_clusters=150)
    design = dataclasses.replace(DESIGN, n_units=400)
    protocol = cg.Protocol(design, ASK, predictor=net(), until=until).lock(
        tmp_path / "lock.toml"
    )
    locked = cg.Protocol.read(tmp_path / "lock.toml")
    text = "Decided(start=150, rope=(-9.0, 9.0))"
    assert protocol.until == locked.until == text
    assert (locked.stopping_rule(), locked.rng) == (until, protocol.rng)
    outcomes = locked.run(design, net())
    assert outcomes.attrs["until"] == protocol.until
    assert cg.verify(locked, outcomes).ok


def test_deviations_of_a_run_are_exploratory_in_every_result(locked):
    protocol, path = locked
    fewer = dataclasses.replace(DESIGN, n_units=40)
    with pytest.warns(ExploratoryWarning):
        outcomes = protocol.run(fewer, net(2.0), rng=8)
    expected = ["n_units", "predictor (weights)", "rng"]
    assert outcomes.attrs["protocol_deviations"].split(", ") == expected
    assert what(cg.verify(path, outcomes)) == ["n_units", "predictor", "rng"]
    for result in (
        cg.analyze(outcomes),
        cg.estimate(cg.contrast(outcomes, control="placebo")),
    ):
        assert result.attrs["exploratory"].split(", ") == expected


def test_another_rope_and_a_left_out_contrast_are_told_apart(locked):
    protocol, path = locked
    outcomes = protocol.run(DESIGN, net())
    with pytest.warns(ExploratoryWarning):
        wide = cg.analyze(
            outcomes, dataclasses.replace(ASK, rope=(-0.5, 0.5), ci_prob=0.9)
        )
    found = cg.verify(path, wide)
    assert [(one.what, one.there, one.here) for one in found.deviations] == [
        ("ci_prob", "0.95", "0.9"),
        ("rope", "[-0.1, 0.1]", "[-0.5, 0.5]"),
    ]
    less = cg.verify(path, cg.analyze(outcomes).sel(contrast=["GATA1"], task=["K562"]))
    assert what(less) == ["task 'HepG2'", "contrast 'untreated'"]
    assert less.exploratory == ()


def test_a_run_needs_a_lock_that_is_not_of_the_future(locked, monkeypatch):
    with pytest.raises(StoreError):
        cg.Protocol(DESIGN, ASK, predictor="0f").run(DESIGN, net())
    with pytest.raises(StoreError):
        cg.verify(cg.Protocol(DESIGN, ASK, predictor="0f"), xr.Dataset())
    monkeypatch.setattr(room, "utc_now", lambda: "2020-01-01T00:00:00Z")
    with pytest.raises(StoreError):
        locked[0].run(DESIGN, net())


def test_a_second_run_is_compared_bit_for_bit():
    first = cg.run(DESIGN, net(), rng=7)
    assert compare_runs(first, cg.run(DESIGN, net(), rng=7)).identical
    nudged = first.copy(deep=True)
    nudged["outcome"][0, 0, 0] = np.nextafter(
        nudged["outcome"].values[0, 0, 0], 9, dtype=nudged["outcome"].dtype
    )
    found = compare_runs(first, nudged)
    assert (found.identical, found.differs, found.n_different) == (False, None, 1)
    for again in (
        cg.run(DESIGN, net(), rng=8),
        cg.run(DESIGN, net(2.0), rng=7),
        cg.run(dataclasses.replace(DESIGN, n_units=60), net(), rng=7),
    ):
        found = compare_runs(first, again)
        assert not found.identical
        assert found.differs
    with pytest.raises(DataError):
        compare_runs(first, xr.Dataset())


# -- tamperings of a lock: what is changed in its text -> what the error names
LOCKS = {
    "rope": (b"    -0.1,\n", b"    -0.3,\n", "analysis.rope"),
    "units": (b"n_units = 80", b"n_units = 90", "design.n_units"),
    "error": (b'error = "fdr"', b'error = "fwer"', "analysis.error"),
    "seed": (b"rng = 7", b"rng = 8", "design.rng"),
    "time": (b'locked = "2', b'locked = "1', "protocol.locked"),
    "arm": (b"x[20:27] = AGATAAG", b"x[20:27] = TTTTTTT", "design.do"),
    "predictor": (
        b'[predictor]\nfingerprint = "',
        b'[predictor]\nfingerprint = "0',
        "predictor.fingerprint",
    ),
    "removed": (b'cluster = "auto"\n', b"", "analysis.cluster"),
    "added": (
        b'cluster = "auto"\n',
        b'cluster = "auto"\nblock = "parent"\n',
        "analysis.block",
    ),
    "comment": (b"[made_with]\n", b"# amended\n[made_with]\n", ""),
    "hash": (b'sha256 = "', b'sha256 = "0', ""),
    "cut": (b"[made_with]", b"[made_with", ""),
}


@pytest.mark.parametrize("tampering", LOCKS)
def test_a_tampered_lock_is_found_and_the_change_is_named(locked, tampering):
    path, (old, new, named) = locked[1], LOCKS[tampering]
    before = path.read_bytes()
    assert old in before
    path.write_bytes(before.replace(old, new, 1))
    with pytest.raises(StoreError) as caught:
        cg.Protocol.read(path)
    assert named in str(caught.value)
    path.write_bytes(before)
    assert cg.Protocol.read(path).rng == 7  # the cure


# -- tamperings of results
def _nudge(outcomes):
    outcomes["outcome"][3, 1, 0] += 0.5
    return outcomes


def _forged_lock(outcomes, path):
    path.unlink()
    cg.Protocol(
        DESIGN, dataclasses.replace(ASK, rope=(-0.5, 0.5)), predictor=net(), rng=7
    ).lock(path)
    return outcomes


RESULTS = {
    "an outcome": (lambda y: _nudge(y), ["values"]),
    "units dropped": (lambda y: y.isel(unit=slice(0, 60)), ["n_units", "values"]),
    "seed": (lambda y: y.assign_attrs(rng="9"), ["rng"]),
    "predictor": (lambda y: y.assign_attrs(predictor_fingerprint="0f"), ["predictor"]),
    "null model": (lambda y: y.assign_attrs(null_fingerprint="0f"), ["null model"]),
    "analysis": (
        lambda y: y.assign_attrs(
            analysis=dataclasses.replace(ASK, rope=(-0.5, 0.5)).to_json()
        ),
        ["rope"],
    ),
    "stored design": (
        lambda y: y.assign_attrs(
            design=y.attrs["design"].replace('"AGATAAG"', '"TTTTTTT"', 1)
        ),
        ["stored design"],
    ),
    "arm renamed": (
        lambda y: y.assign_coords(arm=["untreated", "GATA1", "placebo"]),
        ["arm 'placebo'", "arm 'GATA1'", "values"],
    ),
    "arms that changed places": (
        lambda y: y.assign_coords(
            {name: ("arm", y[name].values[::-1]) for name in ("arm", "do")}
        ),
        ["values"],
    ),
    "tasks that changed places": (
        lambda y: y.assign_coords(task=y["task"].values[::-1]),
        ["values"],
    ),
    "an outcome, without its digest": (
        lambda y: (
            _nudge(y)
            .drop_attrs(deep=False)
            .assign_attrs(
                {
                    name: value
                    for name, value in y.attrs.items()
                    if name != "protocol_values"
                }
            )
        ),
        ["values"],
    ),
    "scale": (lambda y: y.assign_attrs(scale="x"), ["scale"]),
    "begun at no time": (
        lambda y: y.assign_attrs(protocol_started="zebra"),
        ["order of time"],
    ),
    "begun before the lock": (
        lambda y: y.assign_attrs(protocol_started="2001-01-01T00:00:00Z"),
        ["order of time"],
    ),
    "no lock": (lambda y: y.drop_attrs(deep=False), None),
}


@pytest.mark.parametrize("tampering", RESULTS)
def test_tampered_outcomes_are_found(locked, tampering):
    protocol, path = locked
    change, expected = RESULTS[tampering]
    outcomes = protocol.run(DESIGN, net())
    assert cg.verify(path, outcomes).ok
    found = cg.verify(path, change(outcomes.copy(deep=True)))
    assert not found.ok
    assert found.exploratory
    assert expected is None or what(found) == expected


@pytest.mark.parametrize(
    ("keep", "name"), [("effects", "ice"), ("moments", "ice_mean")]
)
def test_edited_effects_and_moments_of_a_run_are_found(locked, keep, name):
    protocol, path = locked
    kept = protocol.run(DESIGN, net(), keep=keep)
    assert cg.verify(path, kept).ok
    assert cg.verify(path, cg.estimate(kept)).ok
    assert what(cg.verify(path, kept.assign({name: kept[name] * 3}))) == ["values"]


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_decisions_on_another_task_than_the_one_asked_for_are_named(tmp_path):
    two = cg.FunctionPredictor(
        lambda x: x[:, :2, 20:27].sum(2), tasks=["K562", "HepG2"], scale="counts"
    )
    ask = dataclasses.replace(ASK, tasks=["K562"])
    protocol = cg.Protocol(DESIGN, ask, predictor=two, rng=7).lock(
        tmp_path / "lock.toml"
    )
    decisions = cg.analyze(protocol.run(DESIGN, two))
    assert cg.verify(protocol, decisions).ok
    assert what(cg.verify(protocol, decisions.assign_coords(task=["HepG2"]))) == [
        "task 'HepG2'",
        "task 'K562'",
    ]


def test_units_that_changed_their_arm_in_a_parallel_trial_are_found(tmp_path):
    design = dataclasses.replace(DESIGN, assignment="parallel")
    protocol = cg.Protocol(design, ASK, predictor=net(), rng=7).lock(
        tmp_path / "lock.toml"
    )
    outcomes = protocol.run(design, net())
    assert cg.verify(protocol, outcomes).ok
    outcomes["assigned"] = outcomes["assigned"].dims, outcomes["assigned"].values[::-1]
    assert what(cg.verify(protocol, outcomes)) == ["values"]


def test_a_lock_that_was_forged_after_the_run_is_found(locked):
    protocol, path = locked
    outcomes = protocol.run(DESIGN, net())
    _forged_lock(outcomes, path)
    found = cg.verify(path, outcomes)
    assert {"protocol", "rope"} <= set(what(found))


EDITED = {
    "an estimate": (
        "estimates.nc",
        lambda x: x["ace"].__setitem__((0, 0), 3.0),
        "ace of",
    ),
    "a standard error": (
        "estimates.nc",
        lambda x: x["se"].__setitem__((1, 0), 1e-6),
        "se of",
    ),
    "a verdict": (
        "decisions.nc",
        lambda x: x["verdict"].__setitem__((0, 0), "negligible"),
        "verdict of",
    ),
    "an interval": (
        "decisions.nc",
        lambda x: x["lower"].__setitem__((1, 1), 0.5),
        "lower of",
    ),
}


@pytest.mark.simulation
@pytest.mark.parametrize("tampering", EDITED)
def test_edited_results_in_a_folder_are_found(locked, tmp_path, tampering):
    protocol, path = locked
    outcomes = protocol.run(DESIGN, net())
    folder = tmp_path / "results"
    folder.mkdir()
    cg.store.save(outcomes, folder / "outcomes.nc")
    effects = cg.contrast(outcomes, control="placebo")
    cg.store.save(cg.estimate(effects), folder / "estimates.nc")
    cg.store.save(cg.analyze(outcomes), folder / "decisions.nc")
    assert cg.verify(path, folder).ok, cg.verify(path, folder)
    name, edit, expected = EDITED[tampering]
    results = cg.store.load(folder / name, name.removesuffix(".nc"))
    edit(results)
    cg.store.save(results, folder / name)
    found = cg.verify(path, folder)
    assert len(found.deviations) == 1
    assert found.deviations[0].what.startswith(expected)
    assert found.deviations[0].where == name.removesuffix(".nc")


@st.composite
def analyses(draw):
    question = draw(
        st.sampled_from(
            [
                {"control": "placebo"},
                {
                    "contrasts": {
                        "b": {"GATA1": 1, "untreated": -1},
                        "a": {"GATA1": 1, "placebo": -1},
                    }
                },
                {"contrasts": ["GATA1 - placebo"]},
            ]
        )
    )
    rope = draw(
        st.sampled_from(
            [0, (-0.1, 0.3), "0.2 sd", {"K562": (-0.1, 0.1), "HepG2": (-1e-3, 2.0)}]
        )
    )
    error = draw(st.sampled_from(["fdr", "fwer", "each"]))
    level = draw(st.floats(0.51, 0.999))
    return cg.Analysis(**question, rope=rope, error=error, ci_prob=level)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ask=analyses(),
    n_units=st.integers(60, 70),
    rng=st.integers(0, 2**63 - 1),
    named=st.text("aβ \"'\\#=", max_size=5),
)
def test_any_protocol_reads_back_equal_and_its_run_is_as_locked(
    tmp_path, ask, n_units, rng, named
):
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    arms = {**ARMS, f"x{named}x": cg.Embed("GG", at=3)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=n_units)
    protocol = cg.Protocol(design, ask, predictor=net(), rng=rng).lock(
        folder / "lock.toml"
    )
    again = cg.Protocol.read(folder / "lock.toml")
    assert again == protocol
    outcomes = again.run(design, net(), progress=False)
    assert cg.verify(folder / "lock.toml", outcomes).ok
    assert cg.verify(folder / "lock.toml", cg.analyze(outcomes)).ok

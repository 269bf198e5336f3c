"""Errors of locks: what each message says is done, and the trial is run, read and verified
as it was locked.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cures import cure_in, refusal
from test_applied_cures import ORACLE, design, outcomes
from test_applied_cures_of_figures_and_locks import protocol
from test_cli import call

import causalgia as cg
from causalgia.protocol import _protocol
from causalgia.protocol.lock_file import lock_text, read_lock

pytestmark = pytest.mark.rotating(6)

TRIAL = """
n_units = 20
rng = 3
null = {kind = "uniform", length = 30}
predictor = {zoo = "gata1_like"}
analysis = {control = "untreated"}
[arms]
untreated = {}
GATA1 = {embed = "AGATAAG", at = 10}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(table: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content[table].__setitem__(key, value)


FORGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "a table that is a text": lambda content: content.__setitem__("question", "none"),
    "a value of another type": put("design", "n_units", "60"),
    "an optional value of another type": put("predictor", "tasks", "K562"),
    "arms of another number": put("design", "do", ["nothing"]),
    "no question": lambda content: content.__setitem__("analysis", {}),
    "a rule that is a program": put(
        "design", "until", "Precision(half_width=open('x'))"
    ),
}


def forged(change: Callable[[dict[str, Any]], None]) -> None:
    """Write a lock whose content is changed, and whose checksums are made anew."""
    content, _ = read_lock("lock.toml")
    change(content)
    del content["digests"]
    texts = [f'{key} = "{one}"\n' for key, one in content.items() if one == "none"]
    tables = {key: one for key, one in content.items() if one != "none"}
    body = "".join(texts) + lock_text(tables).partition("\n")[2]
    digest = hashlib.sha256(body.encode()).hexdigest()
    Path("lock.toml").write_text(f'sha256 = "{digest}"\n{body}')


@pytest.mark.parametrize("case", FORGED)
def test_a_lock_that_was_forged_is_taken_from_its_copy(case: str) -> None:
    protocol().lock("lock.toml")
    shutil.copy("lock.toml", "registered.toml")
    forged(FORGED[case])
    text = refusal(cg.Protocol.read, "lock.toml")
    assert cure_in(text, r"; (take the copy that was registered)")
    assert cg.Protocol.read("registered.toml").n_units == 60
    if case not in ("no question", "a rule that is a program"):
        line = cure_in(
            text,
            r"or write a new lock with .* or (cg\.Protocol\(\.\.\.\)\.lock\(path\))$",
            {"cg.Protocol(...)": "plan", "path": "'new.toml'"},
        )
        made = eval(line, {"plan": protocol()})
        assert cg.Protocol.read("new.toml").n_units == made.n_units == 60


def test_a_rule_of_numbers_of_numpy_is_locked() -> None:
    """``half_width=np.float32(0.1)`` was no rule that can be written down."""
    rule = cg.Precision(half_width=np.float32(0.25), control="none", every=np.int64(30))
    plan = protocol(until=rule)
    plan.lock("lock.toml")
    read = cg.Protocol.read("lock.toml").stopping_rule()
    assert read == cg.Precision(half_width=0.25, control="none", every=30)


def test_a_clock_that_is_late_is_set_right(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = protocol().lock("lock.toml")
    with monkeypatch.context() as patch:
        patch.setattr(_protocol, "utc_now", lambda: "2001-01-01T00:00:00Z")
        assert cure_in(refusal(locked.run, design(), ORACLE), r"(set the clock right)$")
    found = locked.run(design(), ORACLE)
    assert np.array_equal(found["outcome"], outcomes()["outcome"])


def test_a_folder_without_outcomes_is_filled_as_it_says() -> None:
    Path("trial.toml").write_text(TRIAL)
    call("lock", "trial.toml", "--out", "lock.toml")
    Path("r").mkdir()
    text = refusal(cg.verify, "lock.toml", "r")
    call(*cure_in(text, r"make them with: causalgia (run .* --out r)$").split())
    assert cg.verify("lock.toml", "r").ok


def test_a_lock_that_cannot_be_written_is_put_in_another_place() -> None:
    Path("notes.txt").write_text("mine")
    text = refusal(protocol().lock, "notes.txt/lock.toml")
    assert cure_in(text, r"; (choose another place)$")
    assert protocol().lock("lock.toml").locked is not None

"""What the suite shares out among commits: every part has its turn, what changed is
tried at once, and a command that runs all of it is named.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import rotation

NAMES = [f"tests/test_x.py::test[{i}]" for i in range(60)]


@pytest.fixture
def unchanged(monkeypatch):
    monkeypatch.setattr(rotation, "changed_files", frozenset)


@pytest.mark.parametrize("n_parts", [3, 9])
def test_over_all_parts_each_test_runs_once(unchanged, monkeypatch, n_parts):
    due = []
    for part in range(n_parts):
        monkeypatch.setenv("SUITE_PART", str(part))
        here = [name for name in NAMES if rotation.is_due(name, [], n_parts)]
        assert len(here) < 2 * len(NAMES) / n_parts
        due += here
    assert sorted(due) == sorted(NAMES)


def test_what_is_about_a_changed_file_is_due_whatever_the_part(monkeypatch):
    """An engine that `infer` calls, for a test that names `infer` alone."""
    about = rotation.about("tests/test_two_scales.py")
    for file, due in (
        ("tests/test_two_scales.py", True),
        ("causalgia/posterior/student_t.py", True),
        ("causalgia/verdicts/_decide.py", True),
        ("causalgia/mpra/libraries/_order.py", False),
        ("causalgia/errors.py", False),  # of the ground floor, which all name
    ):
        monkeypatch.setattr(rotation, "changed_files", lambda file=file: {file})
        assert all(rotation.is_due(name, about) for name in NAMES) == due, file


def test_names_lead_to_the_file_that_defines_them():
    found = rotation.about("tests/test_archive_killed.py")
    assert any(file.startswith("causalgia/trial/archive/") for file in found)
    assert all((rotation.ROOT / file).is_file() for file in found)


def items():
    def item(name, *marks):
        by_name = {mark.name: mark for mark in marks}
        path = rotation.ROOT / "tests" / "test_rotation.py"
        return SimpleNamespace(nodeid=name, path=path, get_closest_marker=by_name.get)

    return [
        item("always"),
        item("long", pytest.mark.long.mark),
        *(item(name, pytest.mark.rotating(6).mark) for name in NAMES),
    ]


def test_tests_out_of_turn_are_left_out_unless_all_are_run(unchanged, monkeypatch):
    monkeypatch.setenv("SUITE_PART", "1")
    monkeypatch.delenv("ROTATING", raising=False)
    out = [item.nodeid for item in rotation.out_of_turn(items())]
    assert out == [name for name in NAMES if not rotation.is_due(name, [], 6)]
    assert len(out) > len(NAMES) / 2
    monkeypatch.setenv("ROTATING", "all")
    assert rotation.out_of_turn(items()) == []


def test_what_runs_the_whole_is_named_where_contributors_read():
    make = (rotation.ROOT / "Makefile").read_text()
    assert "\nrotating: setup\n\tROTATING=all" in make
    assert "validate: setup $(if $(ONLY),,rotating)" in make
    for page in ("CONTRIBUTING.md", "docs/testing.md"):
        assert "make rotating" in (rotation.ROOT / page).read_text(), page

"""Results read as they did when `sentences.txt` was reviewed.

``python tests/sentences.py > tests/sentences.txt`` writes it anew.
"""

from __future__ import annotations

import difflib

import sentences


def test_results_read_as_they_did():
    kept = sentences.FILE.read_text(encoding="utf-8").splitlines()
    said = "".join(sentences.written()).splitlines()
    differs = "\n".join(difflib.unified_diff(kept, said, "kept", "now", lineterm=""))
    assert not differs, (
        f"{differs}\npython tests/sentences.py > tests/sentences.txt, if that is meant"
    )

"""What an audit claims: motifs that are read and rules that hold; asked again under
checks, fixed in a lock, and compared with one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from causalgia._audit.candidates import Candidate
from causalgia._audit.rules import rule_of, trial_of
from causalgia._audit.tested_motifs import LOST, alone_in, necessity_of
from causalgia.choices import DIRECTIONS
from causalgia.design import DinucleotideShuffle, Genomic
from causalgia.errors import CausalgiaWarning, StoreError, quoted
from causalgia.protocol.lock_file import (
    Deviation,
    differences,
    read_hashed,
    write_lock,
)
from causalgia.refutation import refute
from causalgia.sequences.fasta import Sequences
from causalgia.streams import derive, root_key

if TYPE_CHECKING:
    from causalgia._audit._audit import Audit
    from causalgia.predict import Predictor

VERSIONS = ("causalgia", "python", "numpy")
"""Settings that are of the machine: not locked, and named where numbers differ."""
_UNITS, _DRAWS = 200, 3
_OF_SHUFFLES = (
    *("k-mer composition", "classifier", "kernel distance"),
    "prediction range",
)
"""Checks of the backgrounds alone, which are the same for every claim on shuffles."""
SHUFFLES = "shuffles beside the sequences"
_LEVEL = 0.05
_STATUS = ("pass", "warn", "fail")
_MADE, _NOT_MADE = "claimed", "not claimed"


def claims(found: Audit) -> list[str]:
    """Return what an audit claims, a line each: a motif with its direction in a task,
    lost and alone apart, and a rule with its gaps.
    """
    lines = []
    for row in _read(found).to_dict("records"):
        for name, words in (("lost", "lost from sequences"), ("alone", "alone")):
            verdict = row[f"{name}_verdict"]
            if verdict in DIRECTIONS and row[f"{name}_q"] <= _LEVEL:
                lines.append(f"{row['motif']} {words} {verdict} {row['task']}")
    for row in _held(found).to_dict("records"):
        more = "more" if row["interaction"] > 0 else "less"
        lines.append(f"{rule_of(row).label}: {more} than their sum")
    return lines


def refuted(
    found: Audit, given: Sequences, predictor: Predictor, *, rng: int
) -> pd.DataFrame:
    """Return how many checks of `causalgia.refute` each claim passes, a row a claim: the
    trial of a motif alone where it acts so, else of its loss, and of a rule, on fresh
    shuffles of all sequences. Checks of how these differ from the sequences, whatever is
    claimed, have a row of their own, `SHUFFLES`.

    Columns are ``claim, pass, warn, fail, doubts``, the checks that warn or fail.
    """
    by_label = {one.label: one for one in found.candidates}
    motifs = {label: one.motif for label, one in by_label.items()}
    shuffles, key = DinucleotideShuffle(of=given), root_key(rng)
    asked: list[tuple[str, Any, Any]] = []
    read = _read(found)
    for label in dict.fromkeys(read["motif"]):
        asked.append((label, *_trial(by_label[label], read, given, shuffles)))
    seen = set[str]()
    for row in _held(found).to_dict("records"):
        rule = rule_of(row)
        if rule.label not in seen:
            seen.add(rule.label)
            trial, mean = trial_of(rule, motifs, shuffles, n_units=_UNITS)
            asked.append((rule.label, trial, mean))
    rows, of_shuffles = [], dict[str, str]()
    for claim, trial, contrasts in asked:
        with warnings.catch_warnings():  # the notes of each trial
            warnings.simplefilter("ignore", CausalgiaWarning)
            checks = refute(
                trial,
                predictor,
                rng=derive(key, "refute", claim),
                contrasts=contrasts,
            )
        found_so = dict(
            zip(
                checks["check"].to_numpy().astype(str).tolist(),
                checks["status"].to_numpy().astype(str).tolist(),
                strict=True,
            )
        )
        if isinstance(trial.null, DinucleotideShuffle):
            own = {
                name: found_so.pop(name) for name in _OF_SHUFFLES if name in found_so
            }
            of_shuffles = of_shuffles or own
        rows.append(_counted(claim, found_so))
    if of_shuffles:
        rows.append(_counted(SHUFFLES, of_shuffles))
    return pd.DataFrame(rows, columns=["claim", *_STATUS, "doubts"])


def _counted(claim: str, status: Mapping[str, str]) -> dict[str, Any]:
    counts = {word: list(status.values()).count(word) for word in _STATUS}
    doubts = (
        f"{name} ({word})"
        for word in ("fail", "warn")
        for name, so in status.items()
        if so == word
    )
    return {"claim": claim, **counts, "doubts": ", ".join(doubts)}


def _trial(
    one: Candidate, read: pd.DataFrame, given: Sequences, shuffles: DinucleotideShuffle
) -> tuple[Any, Any]:
    """Return the trial of a motif that is read, and the contrasts that are its claim."""
    rows = read[read["motif"] == one.label]
    row = rows.iloc[int(np.nanargmax(rows["alone"].abs()))]
    if rows["alone_verdict"].isin(DIRECTIONS).any():
        strand = str(row["strand"])
        trial = alone_in(one, shuffles, n_units=_UNITS)
        return trial, {one.label: {strand: 1.0, "untreated": -1.0}}
    necessity = necessity_of(one, Genomic(of=given), n_draws=_DRAWS)
    assert necessity is not None  # it was tested in a part of the sequences
    assert necessity.named_contrasts is not None
    return necessity, {one.label: necessity.named_contrasts.plain[LOST]}


def _read(found: Audit) -> pd.DataFrame:
    return found.motifs[found.motifs["reads"].astype(bool)]


def _held(found: Audit) -> pd.DataFrame:
    return found.rules[found.rules["holds"].astype(bool)]


def lock(found: Audit, path: Path) -> str:
    """Write a lock of an audit, and return its SHA-256: what it was made of, what it
    spent, and what it claims.

    The claims are then fixed before another network or other sequences are seen.
    """
    return write_lock(path, _content(found))


def _content(found: Audit) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "audit": {"format": 1, "locked": now},
        "settings": {k: v for k, v in found.settings.items() if k not in VERSIONS},
        "plan": {k: v for k, v in asdict(found.plan).items() if v is not None},
        "claims": dict.fromkeys(claims(found), _MADE),
        "shares": {
            f"{row['task']}, {row['step']}": float(row["share"])
            for row in found.explained.dropna(subset="share").to_dict("records")
        },
    }


@dataclass(frozen=True)
class Verification:
    """An audit beside a lock.

    Attributes
    ----------
    deviations
        What differs, in settings, spending, claims and, of the same audit, shares
        explained.
    n_claims, n_held
        Claims of the lock, and those that this audit makes too.
    locked
        When the lock was made, with its SHA-256.
    """

    deviations: tuple[Deviation, ...]
    n_claims: int
    n_held: int
    locked: str

    @property
    def ok(self) -> bool:
        """Whether nothing deviates."""
        return not self.deviations

    def __str__(self) -> str:
        held = f"{self.n_held} of {self.n_claims} locked claims are made here too"
        if self.ok:
            return f"As locked ({self.locked}): {held}."
        n = len(self.deviations)
        lines = [f"{n} deviation{'s' * (n > 1)} ({self.locked}); {held}:"]
        return "\n".join([*lines, *(f"- {one}" for one in self.deviations)])


def deviations(path: Path, found: Audit) -> Verification:
    """Return how an audit differs from a lock of one. Motifs are compared by their
    letters.

    Raises
    ------
    StoreError
        If it is no lock of an audit, or was changed.
    """
    there, sha256 = read_hashed(path)
    if "audit" not in there:
        raise StoreError(f"{path} is no lock of an audit")
    if there["audit"].get("format") != 1:
        raise StoreError(
            f"{path}: format {quoted(there['audit'].get('format'))} of a lock; this "
            "version of causalgia reads 1"
        )
    here, rows = _content(found), list[Deviation]()
    for name in ("settings", "plan"):
        rows += differences(there[name], here[name], name)
    same = not rows
    of_both = [there["claims"], here["claims"]]
    for claim in dict.fromkeys([*of_both[0], *of_both[1]]):
        was, now = (_MADE if claim in one else _NOT_MADE for one in of_both)
        if was != now:
            rows.append(Deviation(where="claims", what=claim, there=was, here=now))
    if same:
        rows += differences(there["shares"], here["shares"], "explained")
    return Verification(
        tuple(rows),
        len(of_both[0]),
        len(set(of_both[0]).intersection(of_both[1])),
        f"locked {there['audit']['locked']}, SHA-256 {sha256[:16]}...",
    )

"""What an audit claims: motifs that are read and confirmed, and rules that hold; asked
again under checks, fixed in a lock, and compared with one.
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
import xarray as xr

from causalgia._audit.candidates import Candidate
from causalgia._audit.compared import of_own_sites
from causalgia._audit.named import is_confirmed
from causalgia._audit.rules import rule_of, trial_of
from causalgia._audit.tested_motifs import BOTH, LOST, alone_in, necessity_of
from causalgia._run import run
from causalgia.choices import DIRECTIONS
from causalgia.design import Design, DinucleotideShuffle, Genomic
from causalgia.effects import contrast
from causalgia.errors import CausalgiaWarning, StoreError, quoted
from causalgia.estimation import estimate
from causalgia.experiments import Experiment
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
    from numpy.typing import NDArray

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
_SPEED = ("n_predictions", "minutes")
"""Of the plan, what the measured speed allowed; what was spent stands beside it."""
_FRESH = "the claim on fresh units"
_LEVEL = 0.05
_STATUS = ("pass", "warn", "fail")
_MADE, _NOT_MADE = "claimed", "not claimed"


def claims(found: Audit) -> list[str]:
    """Return what an audit claims, a line each: a motif with its direction in a task,
    lost and alone apart, and a rule with its gaps.
    """
    lines = []
    read = _read(found)
    directed = {name: _directed(read, name) for name in ("lost", "alone")}
    words = {"lost": "lost from sequences", "alone": "alone"}
    for k, row in enumerate(read.to_dict("records")):
        lines += [
            f"{row['motif']} {words[name]} {row[f'{name}_verdict']} {row['task']}"
            for name in words
            if directed[name][k]
        ]
    for row in _held(found).to_dict("records"):
        first, *further = rule_of(row).runs
        for one, size in [(first, row["interaction"]), *((x, x.size) for x in further)]:
            more = "more" if size > 0 else "less"
            what = "a wave" if one.is_wave else f"{more} than their sum"
            lines.append(f"{one.label}: {what}")
    return lines


def refuted(
    found: Audit, given: Sequences, predictor: Predictor, *, rng: int
) -> pd.DataFrame:
    """Return how many checks of `causalgia.refute` each claim passes, a row a claim: the
    trial of a motif alone where it acts so, else of its loss, and of a rule, on fresh
    shuffles of all sequences. Checks of how these differ from the sequences, whatever is
    claimed, have a row of their own, `SHUFFLES`.

    The first check is whether the fresh units make the claim, in the task where it is
    largest: a motif has its sign beyond the region of practical equivalence, and a rule
    its sign with an interval off 0. Of a network that reads one strand, sites on it.

    Columns are ``claim, pass, warn, fail, doubts``, the checks that warn or fail.
    """
    by_label = {one.label: one for one in found.candidates}
    motifs = {label: one.motif for label, one in by_label.items()}
    shuffles, key = DinucleotideShuffle(of=given), root_key(rng)
    asked = list[_Asked]()
    read = _read(found)
    for label in dict.fromkeys(read["motif"]):
        asked.append(_of_motif(by_label[label], found, given, shuffles))
    for row in _held(found).to_dict("records"):
        for k, rule in enumerate(rule_of(row).runs):
            trial, mean = trial_of(rule, motifs, shuffles, n_units=_UNITS)
            sign = float(np.sign(rule.size if k else row["interaction"]))
            asked.append(_Asked(rule.label, trial, mean, rule.task, sign))
    rows, of_shuffles = [], dict[str, str]()
    for one in asked:
        own = derive(key, "refute", one.claim)
        with warnings.catch_warnings():  # the notes of each trial
            warnings.simplefilter("ignore", CausalgiaWarning)
            outcomes = run(
                one.trial, predictor, rng=derive(root_key(own), "trial"), progress=False
            )
            of_task = outcomes.sel(task=[one.task])
            checks = refute(of_task, predictor, rng=own, contrasts=one.contrasts)
            holds = _holds(one, outcomes)
        found_so = {_FRESH: "pass" if holds else "fail"} | dict(
            zip(
                checks["check"].to_numpy().astype(str).tolist(),
                checks["status"].to_numpy().astype(str).tolist(),
                strict=True,
            )
        )
        if isinstance(one.trial.null, DinucleotideShuffle):
            alike = {
                name: found_so.pop(name) for name in _OF_SHUFFLES if name in found_so
            }
            of_shuffles = of_shuffles or alike
        rows.append(_counted(one.claim, found_so))
    if of_shuffles:
        rows.append(_counted(SHUFFLES, of_shuffles))
    return pd.DataFrame(rows, columns=["claim", *_STATUS, "doubts"])


@dataclass(frozen=True)
class _Asked:
    """A claim to ask again: its trial and contrasts, and its task, sign and region there;
    of a rule, no region; of sites, the strands that they lie on.
    """

    claim: str
    trial: Design
    contrasts: Any
    task: str
    sign: float
    region: float | None = None
    sites_on: str = BOTH


def _holds(one: _Asked, outcomes: xr.Dataset) -> bool:
    """Return whether outcomes of fresh units make a claim."""
    effects = contrast(outcomes, contrasts=one.contrasts).sel(task=[one.task])
    if isinstance(one.trial, Experiment):
        effects = of_own_sites(
            one.trial, outcomes, effects, one.sites_on, n_draws=_DRAWS
        )
    if "model" in effects["ice"].dims:
        mean = effects["ice"].mean("model", keep_attrs=True)
        rest = [name for name, x in effects.variables.items() if "model" in x.dims]
        effects = effects.drop_vars(rest).assign(ice=mean)
    if one.region is not None:
        return bool(one.sign * effects["ice"].mean().item() > one.region)
    row = estimate(effects)
    return bool(one.sign * row["lower" if one.sign > 0 else "upper"].item() > 0)


def _counted(claim: str, status: Mapping[str, str]) -> dict[str, Any]:
    counts = {word: list(status.values()).count(word) for word in _STATUS}
    doubts = (
        f"{name} ({word})"
        for word in ("fail", "warn")
        for name, so in status.items()
        if so == word
    )
    return {"claim": claim, **counts, "doubts": ", ".join(doubts)}


def _of_motif(
    one: Candidate, found: Audit, given: Sequences, shuffles: DinucleotideShuffle
) -> _Asked:
    """Return the claim of a motif that is read, with its trial."""
    rows = _read(found).query("motif == @one.label")
    alone = _directed(rows, "alone")
    name = "alone" if alone.any() else "lost"
    rows = rows[alone if alone.any() else _directed(rows, "lost")]
    least = "region_alone" if name == "alone" else "region"
    row = rows.iloc[int(np.argmax(rows[name].abs() / rows[least]))]
    region = float(row[least])
    of_claim = (str(row["task"]), float(np.sign(row[name])), region)
    if name == "alone":
        strand = str(row["strand"])
        trial = alone_in(one, shuffles, n_units=_UNITS)
        contrasts = {one.label: {strand: 1.0, "untreated": -1.0}}
        return _Asked(one.label, trial, contrasts, *of_claim)
    necessity = necessity_of(one, Genomic(of=given), n_draws=_DRAWS)
    assert necessity is not None  # it was tested in a part of the sequences
    assert necessity.named_contrasts is not None
    contrasts = {one.label: necessity.named_contrasts.plain[LOST]}
    return _Asked(one.label, necessity, contrasts, *of_claim, str(row["sites_on"]))


def _read(found: Audit) -> pd.DataFrame:
    """Return the rows of motifs that are read and confirmed."""
    return found.motifs[is_confirmed(found.motifs)]


def _directed(rows: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Return in which rows what is lost, or alone, has a direction."""
    if not len(rows):
        return np.zeros(0, bool)
    directed = rows[f"{name}_verdict"].isin(DIRECTIONS)
    found: NDArray[np.bool_] = (directed & (rows[f"{name}_q"] <= _LEVEL)).to_numpy(bool)
    return found


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
        "plan": {k: v for k, v in asdict(found.plan).items() if k not in _SPEED},
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

"""What of an audit is named: motifs that are read and confirmed, tasks whose variance
their sites carry, sites that act.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from causalgia.experiments.kit.stated import wave_in_words
from causalgia.types import Mask

SAID = 0.05
"""Share of the variance from which on it is said where to look for it, or what has it."""
LEAST_CARRIED = 0.05
"""What others carry, or what needs both, at its lower limit, from which on it is said."""
MOST_IN_ACCOUNT = 800
"""Sequences of which the account is, at most."""
LEAST_FATHERS = 40
"""Independent sequences from which on others fill what is not kept."""
LEVEL = 0.05
LOST_IN = "lost, "
"""What the columns of the effects of sites begin with."""


def beyond_elsewhere(rows: Any) -> bool:
    """Return whether sites are shown to carry more than as many bases elsewhere; True
    where that could not be asked.
    """
    name = "sites, less as many bases elsewhere"
    if name not in rows.index or not np.isfinite(rows.loc[name, "lower"]):
        return True
    return bool(rows.loc[name, "lower"] > 0)


def others_carry(rows: Any) -> bool:
    """Return whether bases in no named site are shown to carry some of the variance."""
    if "all other bases" in rows.index:
        return bool(rows.loc["all other bases", "lower"] > LEAST_CARRIED)
    return "sites" not in rows.index


def tasks_not_carried(account: pd.DataFrame) -> list[str]:
    """Return the tasks in which the sites of motifs are not shown to carry more than as
    many bases elsewhere.
    """
    return [
        str(task)
        for task, rows in account.groupby("task", sort=False)
        if not beyond_elsewhere(rows.set_index("line"))
    ]


def of_read(motifs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Return the rows of each motif that is read in any task."""
    for _, rows in motifs.groupby("motif", sort=False):
        if rows["reads"].astype(bool).any():
            yield rows


def is_confirmed(motifs: pd.DataFrame) -> Mask:
    """Return in which rows, tasks, a motif is read and holds on the reserved sequences."""
    if "confirmed_q" not in motifs:
        return np.zeros(len(motifs), bool)
    q = motifs["confirmed_q"].astype(float)
    return np.asarray(motifs["reads"].astype(bool) & (q <= LEVEL))


def confirmed_motifs(found: Any) -> list[str]:
    """Return the motifs that are read and hold on the reserved sequences, in any task."""
    return list(map(str, found.motifs["motif"][is_confirmed(found.motifs)].unique()))


def n_with_sites(motifs: pd.DataFrame) -> int:
    """Return how many motifs hold on the reserved sequences: those of the account."""
    if "confirmed_q" not in motifs or not len(motifs):
        return 0
    q = motifs["confirmed_q"].astype(float)
    return int(motifs.loc[q <= LEVEL, "motif"].nunique())


def acting_sites(found: Any) -> pd.DataFrame:
    """Return the sites whose overwriting changes a prediction by more than the region of
    their motif, of motifs that are confirmed.
    """
    sites: pd.DataFrame = found.sites
    if not len(sites):
        return sites
    acts = np.zeros(len(sites), bool)
    for row in found.motifs[is_confirmed(found.motifs)].to_dict("records"):
        column = f"{LOST_IN}{row['task']}"
        if column not in sites:
            continue
        own = (sites["motif"] == row["motif"]).to_numpy()
        acts |= own & (sites[column].abs() > row["region"]).to_numpy()
    return sites[acts].reset_index(drop=True)


def gap_in_words(row: Any) -> str:
    """Return the gaps of a rule."""
    ends = sorted({int(row["gap_from"]), int(row["gap_to"])})
    if np.isfinite(row["period"]):
        return wave_in_words(row["period"], row["length"], ends[-1])
    gaps = f"{' to '.join(map(str, ends))} bp"
    return f"at nearly all gaps of {gaps}" if row["anywhere"] else f"{gaps} apart"


class FurtherRun(NamedTuple):
    """A smaller run of gaps of a rule, with its interaction."""

    gap_from: int
    gap_to: int
    interaction: float
    lower: float
    upper: float


def further_runs(row: Any) -> list[FurtherRun]:
    """Return the smaller runs of a rule, the largest first."""
    return [FurtherRun(*run) for run in json.loads(row["further"] or "[]")]

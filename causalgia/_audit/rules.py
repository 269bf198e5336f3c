"""Rules of an audit: pairs of motifs in arrangements and at gaps, proposed by what moves
the effects of sites, and tested at every gap, order and strand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia._audit.candidates import Candidate
from causalgia._moderation import moderation
from causalgia.design import NullModel
from causalgia.errors import EstimateError
from causalgia.experiments import Answer, Experiment, pair
from causalgia.experiments._pair import GAPS
from causalgia.experiments.kit.shapes import shapes_along
from causalgia.experiments.kit.stated import NAMED_SHARE
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import encode
from causalgia.sequences.motif_scores import find_instances
from causalgia.types import Array, Tokens

_MAX_GAP = 40
"""Of the motifs that moderate the effects of sites."""
_MANY = 0.75
"""Share of the arrangements in which a rule is so in any."""
_FEW_GAPS = 5
"""At which a rule of any strands is confirmed."""
_WHOLE = 0.8
"""Share of the gaps asked that a run covers, from which it is told as all gaps."""


@dataclass(frozen=True)
class Rule:
    """Two motifs in one arrangement, or in any, at a run of gaps, in a task.

    Attributes
    ----------
    first, second
        Labels of the upstream and the downstream motif.
    strands
        Their strands, such as ``"+-"``; empty where it is so on any strands and in either
        order.
    gap_from, gap_to
        Bases between them, inclusive.
    n_gaps
        How many of these gaps were asked.
    task
        In which the interaction was found.
    size
        Its mean over the gaps, on the shuffles of the testing sequences.
    both_strands
        Whether it is the same on the opposite strand: the downstream motif first, either
        on its other strand.
    anywhere
        Whether this is so at nearly all gaps, on any strands and in either order.
    """

    first: str
    second: str
    strands: str
    gap_from: int
    gap_to: int
    n_gaps: int
    task: str
    size: float
    both_strands: bool = False
    anywhere: bool = False

    @property
    def arrangement(self) -> str:
        """The two motifs with their strands, as ``"A+ then B-"``, or without, as ``"A
        and B"``.
        """
        if not self.strands:
            return f"{self.first} and {self.second}"
        return f"{self.first}{self.strands[0]} then {self.second}{self.strands[1]}"

    @property
    def label(self) -> str:
        """Arrangement, gaps and task, which no two rules share."""
        return f"{self.arrangement}, gap {self.gaps}, {self.task}"

    @property
    def gaps(self) -> str:
        """The gaps, as ``"3 to 8"``."""
        ends = sorted({self.gap_from, self.gap_to})
        return " to ".join(map(str, ends))

    @property
    def ways(self) -> list[tuple[str, str, str]]:
        """Upstream motif, downstream motif and their strands (empty: any), of each of
        its arrangements.
        """
        own = (self.first, self.second, self.strands)
        if self.strands:
            return list(dict.fromkeys([own, _turned(own)][: 1 + self.both_strands]))
        return list(dict.fromkeys([own, (self.second, self.first, "")]))


def _turned(way: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return an arrangement as it is read on the opposite strand."""
    first, second, strands = way
    return second, first, "".join("-" if x == "+" else "+" for x in strands[::-1])


def rule_of(row: Mapping[Any, Any]) -> Rule:
    """Return the rule of a row of the table of rules."""
    names = [one.name for one in fields(Rule) if one.name != "size"]
    return Rule(**{name: row[name] for name in names}, size=row["tested"])


def moderators_of(
    effects: xr.Dataset, motifs: Mapping[str, Motif], *, rng: int
) -> list[tuple[str, float]]:
    """Return the motifs that move the effects of the sites of one, in any task, with the
    share of the variance of effects: what is near a site and explains most of it.
    """
    try:
        found = moderation(effects, by=(), motifs=motifs, max_gap=_MAX_GAP, rng=rng)
    except EstimateError:  # too few sites for two halves
        return []
    shares: dict[str, float] = {}
    named = found["named"].to_numpy().ravel()
    for name, share, holds in zip(
        found["name"].to_numpy().ravel(),
        found["share"].to_numpy().ravel(),
        named,
        strict=True,
    ):
        if holds and str(name) in motifs:
            shares[str(name)] = max(float(share), shares.get(str(name), 0.0))
    return sorted(shares.items(), key=lambda one: -one[1])


def rules_of(
    answer: Answer,
    labels: tuple[str, str],
    read: Mapping[str, Candidate],
    *,
    both_strands: bool,
) -> list[Rule]:
    """Return the rules in the answer of a trial of pairs, the largest first: runs of gaps
    with a sign, of a quarter of the largest interaction in any task, or more.

    What is so in three quarters of the arrangements at much the same gaps is one rule, and
    so is an arrangement with that of the opposite strand. An arrangement that writes a
    site of any motif that is read (the two are among these) where the two meet is not
    asked there.
    """
    rows = _interactions(answer)
    arrangements = np.unique(rows["arrangement"].to_numpy())
    ways = {str(x): _way(str(x)) for x in arrangements}
    meeting = [
        x
        for x, way in ways.items()
        if made_at_junction(*way, read, both_strands=both_strands)
    ]
    meet = (rows["gap"].to_numpy() == 0) & rows["arrangement"].isin(meeting).values
    rows = rows.isel(contrast=~meet)
    n_gaps = len(np.unique(rows["gap"].to_numpy()))
    acting = [
        (str(task), shape)
        for (task, _), of in rows_by_task(rows)
        for shape in shapes_along(of, "gap")
        if shape.sign in (-1, 1)
    ]
    least = NAMED_SHARE * max((abs(shape.size) for _, shape in acting), default=0.0)
    by_sign: dict[tuple[str, int], list[Rule]] = {}
    for task, shape in acting:
        if abs(shape.size) < least:
            continue
        run = Rule(
            *_way(shape.group),
            int(shape.start),
            int(shape.stop),
            shape.n,
            task,
            shape.size,
        )
        by_sign.setdefault((task, int(shape.sign or 0)), []).append(run)
    rules = list[Rule]()
    for runs in by_sign.values():
        runs.sort(key=lambda run: -abs(run.size))
        while runs:
            one = runs[0]
            alike = {one.arrangement: one}
            for other in runs[1:]:
                if _alike(one, other):
                    alike.setdefault(other.arrangement, other)
            opposite = [x for x in alike.values() if x.ways[0] == _turned(one.ways[0])]
            whole = one.n_gaps >= _WHOLE * n_gaps
            if (whole or len(arrangements) > 1) and (
                len(alike) >= _MANY * len(arrangements)
            ):
                merged = _in_any(labels, list(alike.values()), n_gaps)
                if meeting and merged.gap_from == 0 < merged.gap_to:
                    # trials ask every strand: not where one of them meets a site
                    merged = replace(merged, gap_from=1, n_gaps=merged.n_gaps - 1)
            else:
                alike = {x.arrangement: x for x in (one, *opposite)}
                merged = one
            rules.append(replace(merged, both_strands=both_strands and len(alike) > 1))
            runs = [x for x in runs if x not in alike.values()]
    return sorted(rules, key=lambda rule: -abs(rule.size))


def _interactions(answer: Answer) -> xr.Dataset:
    of_pairs = answer.decisions["asks"].to_numpy() == "interaction"
    return answer.decisions.isel(contrast=of_pairs)


def settings_of(answer: Answer) -> pd.DataFrame:
    """Return the interaction of every setting of a trial of pairs, a row a task."""
    rows = _interactions(answer)
    tables = [
        pd.DataFrame(
            {
                "arrangement": of["arrangement"].to_numpy().astype(str),
                "gap": of["gap"].to_numpy().astype(int),
                "task": task,
                "interaction": of["ace"].to_numpy(),
                "lower": of["lower"].to_numpy(),
                "upper": of["upper"].to_numpy(),
                "verdict": of["verdict"].to_numpy().astype(str),
            }
        )
        for task in answer.tasks
        for of in [rows.sel(task=task)]
    ]
    return pd.concat(tables, ignore_index=True)


def _way(arrangement: str) -> tuple[str, str, str]:
    one, two = (part.strip() for part in arrangement.split(" then "))
    return one[:-1], two[:-1], one[-1] + two[-1]


def _alike(one: Rule, other: Rule) -> bool:
    """Return whether two runs share half of their gaps, and one is no more than twice the
    other.
    """
    shared = min(one.gap_to, other.gap_to) - max(one.gap_from, other.gap_from) + 1
    both = max(one.gap_to, other.gap_to) - min(one.gap_from, other.gap_from) + 1
    sizes = sorted(abs(x.size) for x in (one, other))
    return 2 * shared >= both and 2 * sizes[0] >= sizes[1]


def _in_any(labels: tuple[str, str], runs: Sequence[Rule], n_gaps: int) -> Rule:
    """Return the rule of runs in nearly all arrangements: size and gaps are medians, of
    one at nearly all gaps the first and the last.
    """
    of = {
        name: np.array([getattr(run, name) for run in runs])
        for name in ("gap_from", "gap_to", "n_gaps", "size")
    }
    anywhere = bool(np.median(of["n_gaps"]) >= _WHOLE * n_gaps)
    at = (0.0, 1.0) if anywhere else (0.5, 0.5)
    first, last = (  # gaps that were asked
        int(np.quantile(of[name], q, method="lower"))
        for name, q in zip(("gap_from", "gap_to"), at, strict=True)
    )
    return Rule(
        *labels,
        strands="",
        gap_from=first,
        gap_to=last,
        n_gaps=int(np.median(of["n_gaps"])),
        task=runs[0].task,
        size=float(np.median(of["size"])),
        anywhere=anywhere,
    )


def trial_of(
    rule: Rule, motifs: Mapping[str, Motif], null: NullModel, *, n_units: int
) -> tuple[Experiment, dict[str, dict[str, float]]]:
    """Return the trial of one rule, and the contrast that is the mean interaction over
    its gaps.
    """
    inside = [gap for gap in GAPS if rule.gap_from <= gap <= rule.gap_to]
    asked: dict[str, Any] = {
        "gaps": inside,
        "orientations": [rule.strands],
        "orders": ["downstream"],
    }
    if not rule.strands:
        few = np.unique(np.linspace(0, len(inside) - 1, _FEW_GAPS).round().astype(int))
        asked = {"gaps": [inside[k] for k in few]}
        asked |= {} if rule.both_strands else {"orientations": ["++"]}
    experiment = pair(
        null, motifs[rule.first], motifs[rule.second], n_units=n_units, **asked
    )
    assert experiment.named_contrasts is not None
    rows = experiment.named_contrasts.plain
    return experiment, {rule.label: mean_of([rows[name] for name in experiment.asked])}


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of contrasts, given by the weights of their arms."""
    mean: dict[str, float] = {}
    for row in rows:
        for arm, weight in row.items():
            mean[arm] = mean.get(arm, 0.0) + weight / len(rows)
    return mean


def occurrences(rules: Sequence[Rule], sites: Mapping[str, Sites], n: int) -> Array:
    """Return how often each of n sequences has each arrangement at its gaps, (n, columns),
    each arrangement and run of gaps once, whatever the task; of two motifs anywhere their
    pairs, and whether there is one.
    """
    columns: list[Array] = [np.zeros((n, 0))]
    for rule in unique_arrangements(rules):
        column = np.zeros(n)
        if rule.anywhere:
            a, b = (
                np.bincount(sites[x].row, minlength=n).astype(float)
                for x in (rule.first, rule.second)
            )
            both = a * (a - 1) / 2 if rule.first == rule.second else a * b
            columns += [both, (both > 0).astype(float)]
            continue
        for upstream, downstream, strands in rule.ways:
            first, second = sites[upstream], sites[downstream]
            one, two = np.ones(len(first.row), bool), np.ones(len(second.row), bool)
            if strands:
                one = first.minus == (strands[0] == "-")
                two = second.minus == (strands[1] == "-")
            ends, starts = first.start[one] + first.width, second.start[two]
            for row, end in zip(first.row[one].tolist(), ends.tolist(), strict=True):
                gap = starts[second.row[two] == row] - end
                column[row] += np.count_nonzero(
                    (gap >= rule.gap_from) & (gap <= rule.gap_to)
                )
        columns.append(column)
    return np.column_stack(columns)


def unique_arrangements(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules without those of the same arrangement and gaps in other tasks."""
    seen: dict[tuple[str, int, int], Rule] = {}
    for rule in rules:
        seen.setdefault((rule.arrangement, rule.gap_from, rule.gap_to), rule)
    return list(seen.values())


@dataclass(frozen=True, eq=False)
class Sites:
    """The sites of a motif in n sequences."""

    row: np.ndarray
    start: np.ndarray
    minus: np.ndarray
    score: np.ndarray
    width: int
    n_sequences: int

    def within(self, first: float, last: float) -> Sites:
        """Return the sites that start from `first` to `last`."""
        here = (self.start >= first) & (self.start <= last)
        names = ("row", "start", "minus", "score")
        return replace(self, **{name: getattr(self, name)[here] for name in names})

    def counts(self) -> Array:
        """Return how many sites each sequence has on either strand, whether any, and the
        sum of their scores, (n, 4).
        """
        n = self.n_sequences
        plus = np.bincount(self.row[~self.minus], minlength=n)
        minus = np.bincount(self.row[self.minus], minlength=n)
        scores = np.bincount(self.row, self.score, minlength=n)
        columns = [plus, minus, plus + minus > 0, scores]
        return np.column_stack(columns).astype(float)


def sites_of(one: Candidate, tokens: Tokens, *, both_strands: bool) -> Sites:
    """Return the sites of a candidate in sequences."""
    found = find_instances(
        tokens, one.motif, threshold=one.threshold, both_strands=both_strands
    )
    return Sites(
        found.row,
        found.start,
        found.strand == "-",
        found.score,
        found.width,
        len(tokens),
    )


def made_at_junction(
    upstream: str,
    downstream: str,
    strands: str,
    found: Mapping[str, Candidate],
    *,
    both_strands: bool,
) -> bool:
    """Return whether two motifs, side by side, write a site of a candidate that neither
    has: an effect of that site, and no rule of two.

    Examples
    --------
    >>> word = Candidate(Motif.from_iupac("TGCATG"), 2.5e-4, "", 1.0, 9, 9)
    >>> of = {"TGCATG": word}
    >>> made_at_junction("TGCATG", "TGCATG", "-+", of, both_strands=True)
    True
    """
    parts = [
        found[label].motif if strand == "+" else found[label].motif.reverse_complement()
        for label, strand in zip((upstream, downstream), strands, strict=True)
    ]
    first, second = (encode([part.consensus])[0] for part in parts)
    both = np.concatenate([first, second])[None]
    for one in found.values():
        if len(one.motif) > both.shape[1]:
            continue
        sites = find_instances(
            both,
            one.motif,
            threshold=one.threshold,
            both_strands=both_strands,
            overlapping=True,
        )
        starts, stops = sites.start, sites.start + sites.width
        if bool(
            (
                (starts > 0)
                & (starts < len(first))
                & (stops > len(first))
                & (stops < both.shape[1])
            ).any()
        ):
            return True
    return False

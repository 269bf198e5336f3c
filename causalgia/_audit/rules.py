"""Rules of an audit: pairs of motifs in arrangements and at gaps, proposed by what moves
the effects of sites, and tested at every gap, order and strand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia._audit.candidates import Candidate
from causalgia._audit.named import FurtherRun, further_runs
from causalgia._moderation import moderation
from causalgia.choices import DIRECTIONS
from causalgia.design import NullModel
from causalgia.errors import EstimateError
from causalgia.estimation._helical_phase import Periodic
from causalgia.experiments import Answer, Experiment, pair
from causalgia.experiments._pair import GAPS
from causalgia.experiments.kit.curves import Run, Wave, merged_runs, waves_along
from causalgia.experiments.kit.shapes import shapes_along
from causalgia.experiments.kit.stated import NAMED_SHARE
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import encode
from causalgia.sequences.motif_scores import find_instances
from causalgia.types import Array, Tokens

_MAX_GAP = 40
"""Of the motifs that moderate the effects of sites."""
_FEW_GAPS = 5
"""At which a rule of any strands is confirmed."""
_TURNS = 6
"""Peaks and troughs at which a wave is confirmed."""


@dataclass(frozen=True)
class Rule:
    """Two motifs in one arrangement, or in any, in a task, at a run of gaps and further
    ones, or in a wave over them.

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
        Its mean over the gaps, on the shuffles of the testing sequences; of a wave its
        amplitude.
    both_strands
        Whether it is the same on the opposite strand: the downstream motif first, either
        on its other strand.
    anywhere
        Whether this is so at nearly all gaps, on any strands and in either order.
    period, phase, length
        Of a wave: its period, the gap of its first peak, and over which bases it falls to
        1/e (infinite: it does not); NaN of a run.
    further
        Smaller runs of the same arrangement and task, each a rule of its gaps.
    curve
        Of a wave, as it was fitted.
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
    period: float = np.nan
    phase: float = np.nan
    length: float = np.nan
    further: tuple[Rule, ...] = ()
    curve: Periodic | None = None

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
        wave = f", period {self.period:g}" if self.is_wave else ""
        return f"{self.arrangement}, gap {self.gaps}{wave}, {self.task}"

    @property
    def is_wave(self) -> bool:
        """Whether it is a wave."""
        return bool(np.isfinite(self.period))

    @property
    def runs(self) -> tuple[Rule, ...]:
        """The rule and its smaller runs, each alone."""
        return (replace(self, further=()), *self.further)

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


OF_RULE = (
    *("first", "second", "strands", "gap_from", "gap_to", "both_strands", "anywhere"),
    *("period", "phase", "length"),
)
"""Columns of a rule in tables, with ``n_gaps, task``."""


def rule_of(row: Mapping[Any, Any]) -> Rule:
    """Return the rule of a row of the table of rules."""
    names = (*OF_RULE, "n_gaps", "task")
    rule = Rule(**{name: row[name] for name in names}, size=row["tested"])
    further = [
        replace(
            rule,
            gap_from=run.gap_from,
            gap_to=run.gap_to,
            n_gaps=sum(run.gap_from <= gap <= run.gap_to for gap in GAPS),
            size=run.interaction,
            anywhere=False,
        )
        for run in further_runs(row)
    ]
    return replace(rule, further=tuple(further))


def confirmed_runs(decided: Sequence[xr.Dataset], rule: Rule) -> str:
    """Return the further runs of a rule as JSON, each with its interaction, the largest
    first, up to the first that has no direction, or another sign than it was found with.
    """
    runs = list[FurtherRun]()
    of = {one.label: one for one in rule.further}
    for row in decided:
        one, size = of[str(row["contrast"].item())], row["ace"].item()
        if row["verdict"].item() not in DIRECTIONS or size * one.size < 0:
            break
        ends = row["lower"].item(), row["upper"].item()
        runs.append(FurtherRun(one.gap_from, one.gap_to, size, *ends))
    return json.dumps(runs) if runs else ""


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
    arrangements = np.unique(rows["arrangement"].to_numpy()).astype(str).tolist()
    ways = {x: _way(x) for x in arrangements}
    meeting = [
        x
        for x, way in ways.items()
        if made_at_junction(*way, read, both_strands=both_strands)
    ]
    meet = (rows["gap"].to_numpy() == 0) & rows["arrangement"].isin(meeting).values
    rows = rows.isel(contrast=~meet)
    n_gaps = len(np.unique(rows["gap"].to_numpy()))
    acting = {
        str(task): [x for x in shapes_along(of, "gap") if x.sign in (-1, 1)]
        for (task, _), of in rows_by_task(rows)
    }
    every = [abs(shape.size) for shapes in acting.values() for shape in shapes]
    least = NAMED_SHARE * max(every, default=0.0)
    rules = list[Rule]()
    for (task, _), of in rows_by_task(rows):
        shapes = [x for x in acting[str(task)] if abs(x.size) >= least]
        waves = waves_along(
            of,
            dict.fromkeys(x.group for x in shapes),
            len(arrangements),
            both_strands=both_strands,
        )
        in_waves = {name for wave in waves for name in wave.groups}
        shapes = [x for x in shapes if x.group not in in_waves]
        found: dict[str, list[Rule]] = {}
        runs = merged_runs(shapes, arrangements, n_gaps)
        both: list[tuple[Wave | Run, Rule]] = [
            *((wave, _of_wave(wave, labels, str(task))) for wave in waves),
            *((run, _of_run(run, labels, str(task))) for run in runs),
        ]
        for one, rule in both:
            if meeting and one.many and rule.gap_from == 0 < rule.gap_to:
                # trials ask every strand: not where one of them meets a site
                rule = replace(rule, gap_from=1, n_gaps=rule.n_gaps - 1)
            turned_too = both_strands and len(one.groups) > 1
            rule = replace(rule, both_strands=turned_too)
            found.setdefault(rule.arrangement, []).append(rule)
        for same in found.values():
            first, *further = sorted(
                same,
                key=lambda run: (not run.is_wave, not run.anywhere, -abs(run.size)),
            )
            rules.append(replace(first, further=tuple(further)))
    return sorted(rules, key=lambda rule: -abs(rule.size))


def _of_run(run: Run, labels: tuple[str, str], task: str) -> Rule:
    shape = run.shape
    return Rule(
        *((*labels, "") if run.many else _way(shape.group)),
        gap_from=int(shape.start),
        gap_to=int(shape.stop),
        n_gaps=shape.n,
        task=task,
        size=shape.size,
        anywhere=run.whole,
    )


def _of_wave(wave: Wave, labels: tuple[str, str], task: str) -> Rule:
    fit = wave.fit
    return Rule(
        *((*labels, "") if wave.many else _way(wave.groups[0])),
        gap_from=int(fit.start),
        gap_to=int(fit.stop),
        n_gaps=len(fit.trend),
        task=task,
        size=fit.amplitude,
        period=fit.period,
        phase=fit.phase,
        length=fit.length,
        curve=fit,
    )


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


def trial_of(
    rule: Rule, motifs: Mapping[str, Motif], null: NullModel, *, n_units: int
) -> tuple[Experiment, dict[str, dict[str, float]]]:
    """Return the trial of a rule, and the contrast that is the mean interaction over the
    gaps of each of its runs; of a wave its amplitude, from gaps near its first peaks and
    troughs.
    """
    inside = {run.label: _asked(run) for run in rule.runs}
    ways: dict[str, Any] = {"orientations": [rule.strands], "orders": ["downstream"]}
    if not rule.strands:
        ways = {} if rule.both_strands else {"orientations": ["++"]}
    experiment = pair(
        null,
        motifs[rule.first],
        motifs[rule.second],
        n_units=n_units,
        gaps=sorted(set().union(*inside.values())),
        **ways,
    )
    assert experiment.named_contrasts is not None
    rows, gap_of = experiment.named_contrasts.plain, experiment.labels["gap"]
    contrasts = {}
    for label, gaps in inside.items():
        own = [name for name in experiment.asked if gap_of[name] in gaps]
        if not own:
            continue
        weights = np.full(len(own), 1 / len(own))
        if rule.is_wave:
            weights = _amplitude(rule, np.array([gap_of[name] for name in own], float))
        contrasts[label] = _sum_of([rows[name] for name in own], weights)
    return experiment, contrasts


def _asked(rule: Rule) -> list[int]:
    """Return the gaps at which a rule is confirmed."""
    inside = [gap for gap in GAPS if rule.gap_from <= gap <= rule.gap_to]
    if rule.is_wave:  # peaks and troughs
        half = rule.period / 2
        turns = rule.phase % half + half * np.arange(_TURNS)
        turns = turns[turns <= rule.gap_to]
        nearest = abs(np.array(inside) - turns[:, None]).argmin(axis=1)
        return [inside[k] for k in np.unique(nearest)]
    if not rule.strands:
        few = np.unique(np.linspace(0, len(inside) - 1, _FEW_GAPS).round().astype(int))
        inside = [inside[k] for k in few]
    return inside


def _amplitude(rule: Rule, gaps: Array) -> Array:
    """Return the weights of interactions at gaps that sum to the amplitude of a wave at its
    first gap, beside a constant and what dies with the wave.
    """
    dying = np.exp(-(gaps - rule.gap_from) / rule.length)
    wave = dying * np.cos(2 * np.pi * (gaps - rule.phase) / rule.period)
    columns = np.column_stack([wave, np.ones(len(gaps)), dying])
    return np.asarray(np.linalg.pinv(columns, rtol=1e-9)[0])


def _sum_of(rows: Sequence[Mapping[str, float]], weights: Array) -> dict[str, float]:
    """Return the weighted sum of contrasts, given by the weights of their arms."""
    total: dict[str, float] = {}
    for row, share in zip(rows, weights.tolist(), strict=True):
        for arm, weight in row.items():
            total[arm] = total.get(arm, 0.0) + share * weight
    return total


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of contrasts, given by the weights of their arms."""
    return _sum_of(rows, np.ones(len(rows)) / len(rows))


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
        last = np.inf if rule.curve is not None else rule.gap_to
        for upstream, downstream, strands in rule.ways:
            first, second = sites[upstream], sites[downstream]
            one, two = np.ones(len(first.row), bool), np.ones(len(second.row), bool)
            if strands:
                one = first.minus == (strands[0] == "-")
                two = second.minus == (strands[1] == "-")
            ends, starts = first.start[one] + first.width, second.start[two]
            for row, end in zip(first.row[one].tolist(), ends.tolist(), strict=True):
                gap = starts[second.row[two] == row] - end
                gap = gap[(gap >= rule.gap_from) & (gap <= last)]
                column[row] += (
                    len(gap) if rule.curve is None else rule.curve.at(gap).sum()
                )
        columns.append(column)
    return np.column_stack(columns)


def unique_arrangements(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules without those of the same arrangement and gaps in other tasks."""
    seen: dict[tuple[str, int, int, float, float], Rule] = {}
    for one in (run for rule in rules for run in rule.runs):
        wave = (0.0, 0.0) if one.curve is None else (one.period, one.phase)
        seen.setdefault((one.arrangement, one.gap_from, one.gap_to, *wave), one)
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

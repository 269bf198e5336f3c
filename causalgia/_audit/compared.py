"""Audits of several predictors side by side, and which of their motifs and rules differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from causalgia._audit.candidates import Candidate
from causalgia._audit.rules import OF_RULE, Rule, rule_of, trial_of
from causalgia._audit.tested_motifs import (
    BOTH,
    LOST,
    alone_in,
    necessity_of,
    on_strands,
)
from causalgia.choices import DIRECTIONS
from causalgia.design import Design, DinucleotideShuffle, Genomic
from causalgia.effects import contrast
from causalgia.errors import PredictorError, quoted
from causalgia.estimation import estimate
from causalgia.estimation.pools import over_pools
from causalgia.experiments import Experiment
from causalgia.experiments._pair import GAPS
from causalgia.predict import Ensemble, Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.motif_scores import find_instances
from causalgia.tell.audit_comparisons import comparison_answer
from causalgia.types import Tokens
from causalgia.verdicts import decide

RunIn: TypeAlias = Callable[[str, str, Design], xr.Dataset]
"""Runs a trial, of a name, in the predictor of a name."""
_UNITS, _DRAWS, _LEAST_PARENTS = 200, 3, 4
_SD_SHARE = 0.2
_SAME_SITES = 0.5
"""Share of the sites of each of two matrices that lie as those of the other, from which
they are one motif."""


class Audited(Protocol):
    """What is compared: answers of `causalgia.audit`."""

    @property
    def motifs(self) -> pd.DataFrame: ...
    @property
    def rules(self) -> pd.DataFrame: ...
    @property
    def candidates(self) -> Sequence[Candidate]: ...
    @property
    def settings(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What several networks learned, and what differs between them: the answer of
    `causalgia.audit` of two predictors or more.

    Attributes
    ----------
    audits
        Predictor -> its `Audit`.
    motifs
        A row a motif that any of them reads, a task in which one does, and two
        predictors: ``asks``, ``"lost"`` from the sites of the reserved sequences (their
        letters in another order) or ``"alone"`` in shuffles of these, on ``strand``;
        ``"reads, NAME"`` and ``"effect, NAME"`` of each predictor; ``minus``, which is
        subtracted from which, ``difference`` with ``lower, upper, p, q`` and ``verdict``.
    rules
        A row a rule that holds in any of them, likewise: its arrangement, gaps and
        task; ``"holds, NAME"``; ``"effect, NAME"``, the mean interaction over the gaps,
        on shuffles of the reserved sequences; and the difference.
    n_reserved
        Reserved sequences.
    left_out
        What was not compared, and why.
    """

    audits: Mapping[str, Audited]
    motifs: pd.DataFrame
    rules: pd.DataFrame
    n_reserved: int
    left_out: tuple[str, ...] = field(default=())

    @property
    def question(self) -> str:
        """The question that it answers."""
        return "What did these networks learn, and what differs?"

    def __str__(self) -> str:
        return comparison_answer(self)

    def __repr__(self) -> str:
        return (
            f"<Comparison of {', '.join(self.audits)}: {len(self.motifs)} rows of "
            f"motifs, {len(self.rules)} of rules>"
        )


def check_comparable(predictors: Mapping[str, Predictor], tokens: Tokens) -> None:
    """Raise PredictorError where predictors have no task in common, are on different
    scales, or some are ensembles and others are not.
    """
    if len(predictors) < 2:
        raise PredictorError(
            f"audit({{name: predictor}}, sequences) compares two predictors or more, and "
            f"there is {len(predictors)}"
        )
    for name, one in predictors.items():
        if not isinstance(name, str) or name in (".", "..") or Path(name).name != name:
            raise PredictorError(
                f"{quoted(name)} is no name of a predictor (and folder)"
            )
        check_predictor(one, f"audit, predictor {quoted(name)}")
        one.predict(tokens[:1])  # names tasks
    ensembles = [name for name, one in predictors.items() if isinstance(one, Ensemble)]
    if 0 < len(ensembles) < len(predictors):
        raise PredictorError(
            f"of {quoted(list(predictors))} only {quoted(ensembles)} are Ensembles: give "
            "retrainings of each, or of none"
        )
    shared = shared_tasks(predictors)
    if not shared:
        raise PredictorError(
            f"no task is in all of {quoted(list(predictors))}: tasks are compared by name"
        )
    for task, own in shared.items():
        scales = {name: _scale_of(one, own[name]) for name, one in predictors.items()}
        if len(set(scales.values())) > 1:
            raise PredictorError(
                f"task {quoted(task)} is on different scales, {quoted(scales)}: a "
                "difference of effects means nothing"
            )


def _scale_of(predictor: Predictor, task: str) -> str:
    if predictor.task_scales is None:
        return predictor.scale
    return predictor.task_scales[[str(x) for x in predictor.tasks].index(task)]


def shared_tasks(predictors: Mapping[str, Predictor]) -> dict[str, dict[str, str]]:
    """Return task -> predictor -> its name there: of those that all have, and of
    predictors of one task, whatever it is called.
    """
    tasks = {name: [str(x) for x in one.tasks] for name, one in predictors.items()}
    if all(len(own) == 1 for own in tasks.values()):
        of = {name: own[0] for name, own in tasks.items()}
        return {", ".join(dict.fromkeys(of.values())): of}
    first, *others = tasks.values()
    common = [task for task in first if all(task in own for own in others)]
    return {task: dict.fromkeys(predictors, task) for task in common}


def compare(
    predictors: Mapping[str, Predictor],
    audits: Mapping[str, Audited],
    tokens: Tokens,
    reserved: Sequences,
    *,
    run_in: RunIn,
) -> Comparison:
    """Return the audits of predictors with what differs between them.

    Each motif that one reads and each rule that holds in one is measured in all, on the
    same shuffles and sites. Of single networks, the difference of the effects of each
    unit is averaged; of ensembles, units and retrainings are random
    (`causalgia.estimation.pools.over_pools`). The region of practical
    equivalence is a fifth of the sd of predictions, in the network where that is less.

    Parameters
    ----------
    predictors, audits
        By name.
    tokens
        All sequences, of which sites say which matrices are one motif.
    reserved
        Sequences that had no part in what is compared.
    run_in
        Runs a trial in a predictor, with the same units whichever it is.
    """
    tasks = shared_tasks(predictors)
    motifs, places = union_of_motifs(audits, tokens)
    rules, left_out = union_of_rules(audits, places)
    region = _regions(predictors, tasks, tokens)
    shuffles = DinucleotideShuffle(of=reserved)
    found = dict[str, list[_Row]](motifs=[], rules=[])

    def outcomes(what: str, design: Design) -> dict[str, xr.Dataset]:
        return {name: run_in(name, what, design) for name in predictors}

    def add(
        table: str,
        columns: Mapping[str, Any],
        effects: Mapping[str, xr.Dataset],
        label: str,
        claimed: Mapping[str, set[str]],
    ) -> None:
        """Add the effects of a contrast, in the tasks in which one predictor has it."""
        for task, own in tasks.items():
            claims = {name: own[name] in claimed.get(name, ()) for name in predictors}
            if any(claims.values()):
                each = {
                    name: _ice(one.sel(contrast=label, task=own[name]))
                    for name, one in effects.items()
                }
                row = _Row({**columns, "task": task}, claims, each, region[task])
                found[table].append(row)

    for one in motifs:
        columns = {"motif": one.label, "name": one.name}
        lost = _lost(one, Genomic(of=reserved), outcomes)
        if lost is None:
            left_out.append(
                f"{one.label} in the reserved sequences, too few of which have it"
            )
        else:
            columns |= {"asks": "lost", "strand": ""}
            add("motifs", columns, lost, LOST, one.tasks)
        alone = outcomes(
            f"alone {one.label}", alone_in(one.candidate, shuffles, n_units=_UNITS)
        )
        columns |= {"asks": "alone", "strand": one.strand}
        effects = {name: contrast(of) for name, of in alone.items()}
        add("motifs", columns, effects, one.strand, one.tasks)
    matrices = {one.label: one.candidate.motif for one in motifs}
    for rule, held in rules:
        trial, mean = trial_of(rule, matrices, shuffles, n_units=_UNITS)
        (label,) = mean
        effects = {
            name: contrast(of, contrasts=mean)
            for name, of in outcomes(
                f"rule {rule.arrangement} {rule.gap_from} {rule.gap_to}", trial
            ).items()
        }
        columns = {name: getattr(rule, name) for name in _OF_RULES}
        add("rules", columns, effects, label, held)
    tables = _decided(found, list(predictors))
    return Comparison(
        dict(audits), tables["motifs"], tables["rules"], len(reserved), tuple(left_out)
    )


_OF_RULES = ("arrangement", *OF_RULE)
_OF_UNITS = ("unit", "parent")
_DIFFERENCE = ("minus", "difference", "lower", "upper", "p", "q", "verdict")
_OF_DECISION = ("ace", "lower", "upper", "p", "q", "verdict")


def _regions(
    predictors: Mapping[str, Predictor],
    tasks: Mapping[str, Mapping[str, str]],
    tokens: Tokens,
) -> dict[str, float]:
    """Return by task the difference that is too small to matter."""
    sd: dict[str, list[float]] = {task: [] for task in tasks}
    for name, one in predictors.items():
        answers = one.predict(tokens).astype(np.float64)
        each = answers.reshape(len(tokens), len(one.tasks), -1).mean(axis=2).std(axis=0)
        own = dict(zip(map(str, one.tasks), each.tolist(), strict=True))
        for task, of in tasks.items():
            sd[task] += [own[of[name]]] if own[of[name]] > 0 else []
    return {
        task: _SD_SHARE * min(own, default=1 / _SD_SHARE) for task, own in sd.items()
    }


class _Row(NamedTuple):
    """A quantity in a task: what it is, which predictors have it, and its individual
    effects in each.
    """

    columns: dict[str, Any]
    claims: dict[str, bool]
    effects: dict[str, xr.DataArray]
    region: float


def _ice(effects: xr.Dataset) -> xr.DataArray:
    """Return individual effects, with the largest that rounding alone produces."""
    if "floor" not in effects:
        return effects["ice"]
    return effects["ice"].assign_coords(floor=float(effects["floor"].max()))


def _decided(
    found: Mapping[str, Sequence[_Row]], names: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the tables, with differences of each two predictors and verdicts, at one
    false discovery rate over all rows.
    """
    every = [row for rows in found.values() for row in rows]
    pairs = list(combinations(names, 2))
    asked = [(row, *pair) for row in every for pair in pairs]
    verdicts = iter(_verdicts(asked))
    tables = {}
    for table, rows in found.items():
        verb = "reads" if table == "motifs" else "holds"
        lines = [
            {
                **row.columns,
                **{f"{verb}, {name}": row.claims[name] for name in names},
                **{
                    f"effect, {name}": float(row.effects[name].mean()) for name in names
                },
                **next(verdicts),
            }
            for row in rows
            for _ in pairs
        ]
        of = ("motif", "name", "asks", "strand") if table == "motifs" else _OF_RULES
        of = (*of, "task", *(f"{x}, {k}" for x in (verb, "effect") for k in names))
        tables[table] = pd.DataFrame(lines, columns=[*of, *_DIFFERENCE])
    return tables


def _verdicts(asked: Sequence[tuple[_Row, str, str]]) -> list[dict[str, Any]]:
    """Return the difference of each row with its verdict: a row is a task."""
    if not asked:
        return []
    alike: dict[Any, list[int]] = {}
    for k, (row, *pair) in enumerate(asked):
        sizes = [row.effects[name].sizes for name in pair]
        units = row.effects[pair[0]].coords
        of = [units[name].to_numpy().tolist() for name in _OF_UNITS if name in units]
        alike.setdefault(str((sizes, of)), []).append(k)
    estimates = [_estimated({str(k): asked[k] for k in of}) for of in alike.values()]
    decided = decide(
        xr.concat(estimates, "task", combine_attrs="override"),
        rope={str(k): (-row.region, row.region) for k, (row, *_) in enumerate(asked)},
        error="fdr",
        shrink=None,
    )
    decided = decided.sel(contrast="difference", task=[*map(str, range(len(asked)))])
    columns = [decided[name].to_numpy().tolist() for name in _OF_DECISION]
    lines = []
    for (_, one, other), *numbers, verdict in zip(asked, *columns, strict=True):
        verdict = "differs" if verdict in DIRECTIONS else verdict
        values = (f"{one} minus {other}", *numbers, verdict)
        lines.append(dict(zip(_DIFFERENCE, values, strict=True)))
    return lines


def _estimated(asked: Mapping[str, tuple[_Row, str, str]]) -> xr.Dataset:
    """Return estimates of differences on the same units, each a task: the mean effect of
    one network minus that of another; of ensembles, over retrainings.
    """
    pairs = [[row.effects[name] for name in pair] for row, *pair in asked.values()]
    first, second = (
        np.stack([x.transpose("unit", ...).to_numpy() for x in side], axis=-1)
        .astype(np.float64)
        .reshape(side[0].sizes["unit"], -1, len(asked))
        for side in zip(*pairs, strict=True)
    )  # unit, model, task
    ice = first.mean(axis=1) - second.mean(axis=1)
    floor = [sum(float(x.coords.get("floor", 0)) for x in pair) for pair in pairs]
    one = pairs[0][0]
    units = {name: one[name].variable for name in _OF_UNITS if name in one.coords}
    effects = xr.Dataset(
        {
            "ice": (("unit", "contrast", "task"), ice[:, None]),
            "floor": (("contrast", "task"), [floor]),
        },
        {"contrast": ["difference"], "task": list(asked), **units},
    )
    estimates = estimate(effects)
    if "model" not in one.dims:
        return estimates
    return over_pools(estimates, first.mean(axis=0), second.mean(axis=0))


def _lost(
    one: Shared,
    sequences: Genomic,
    outcomes: Callable[[str, Design], dict[str, xr.Dataset]],
) -> dict[str, xr.Dataset] | None:
    """Return in each predictor the effects of overwriting the sites of a motif; None where
    too few sequences have one.
    """
    trial = necessity_of(one.candidate, sequences, n_draws=_DRAWS)
    if trial is None:
        return None
    each = outcomes(f"lost {one.label}", trial)
    effects = {name: contrast(of) for name, of in each.items()}
    effects = {
        name: of_own_sites(trial, each[name], of, one.sites_on, n_draws=_DRAWS)
        for name, of in effects.items()
    }
    parents = next(iter(effects.values()))["parent"].to_numpy()
    return effects if len(np.unique(parents)) >= _LEAST_PARENTS else None


def of_own_sites(
    trial: Experiment,
    outcomes: xr.Dataset,
    effects: xr.Dataset,
    sites_on: str,
    *,
    n_draws: int,
) -> xr.Dataset:
    """Return the effects of the sites on the strands on which a motif has them."""
    if sites_on == BOTH:
        return effects
    answer = trial.analyze(outcomes, rng=0)
    mine = on_strands(answer.findings["instances"]["strand"].to_numpy(), sites_on)
    return effects.isel(unit=np.repeat(mine, n_draws))


@dataclass(frozen=True, eq=False)
class Shared:
    """A motif that a network reads, or that is part of a rule, as the first audit has it.

    Attributes
    ----------
    candidate, name, strand
        Its matrix, the name of a known motif, and the strand on which it does most alone.
    sites_on
        Strands on which it has sites.
    tasks
        Predictor -> the tasks in which it reads it.
    """

    candidate: Candidate
    name: str
    strand: str
    sites_on: str
    tasks: dict[str, set[str]]

    @property
    def label(self) -> str:
        """Letters of its core."""
        return self.candidate.label


@dataclass(frozen=True)
class Place:
    """Where a motif lies beside another matrix of it: the label, `offset` bases after
    its start, on the other strand if `flipped`; and the widths of both.
    """

    label: str
    offset: int
    flipped: bool
    width: int
    other_width: int

    def ends(self, strand: str) -> tuple[int, int]:
        """Return how far its start and its end lie after those of the other matrix, of
        which a site is on `strand`.
        """
        at = self.offset
        if strand == "-":
            at = self.other_width - at - self.width
        return at, at + self.width - self.other_width

    def strand(self, other: str) -> str:
        """Return its strand where the other matrix has a site on a strand."""
        return {"+": "-", "-": "+"}[other] if self.flipped else other


Places: TypeAlias = dict[tuple[str, str], Place]
"""(predictor, label of a candidate) -> where the shared motif lies."""


def union_of_motifs(
    audits: Mapping[str, Audited], tokens: Tokens
) -> tuple[list[Shared], Places]:
    """Return the motifs that any network reads, or that a rule of it has, each once, and
    where those of each audit lie beside them.

    Matrices of two audits are one motif if half of the sites of each lie at one distance
    from those of the other.
    """
    motifs, places = list[Shared](), Places()
    sites = dict[str, pd.DataFrame]()
    for name, found in audits.items():
        read = found.motifs[found.motifs["reads"].astype(bool)]
        held = found.rules[found.rules["holds"].astype(bool)]
        named = {*read["motif"], *held["first"], *held["second"]}
        for one in (x for x in found.candidates if x.label in named):
            own = _sites(one, tokens)
            place = next(
                (
                    x
                    for label in sites
                    if (x := _beside(one.label, own, label, sites[label]))
                ),
                None,
            )
            if place is None:
                place = Place(one.label, 0, False, len(one.motif), len(one.motif))
                sites[one.label] = own
                motifs.append(_shared(one, found))
            places[name, one.label] = place
            tasks = set(map(str, read.loc[read["motif"] == one.label, "task"]))
            shared = next(x for x in motifs if x.label == place.label)
            shared.tasks.setdefault(name, set()).update(tasks)
    return motifs, places


def _shared(one: Candidate, found: Audited) -> Shared:
    rows = found.motifs[found.motifs["motif"] == one.label]
    share = (rows["alone"] / rows["region_alone"]).abs()
    best = rows.iloc[int(np.nanargmax(share.to_numpy(float)))]
    name, strand, sites_on = (str(best[x]) for x in ("name", "strand", "sites_on"))
    return Shared(one, name, strand, sites_on, {})


def _sites(one: Candidate, tokens: Tokens) -> pd.DataFrame:
    found = find_instances(tokens, one.motif, threshold=one.threshold)
    minus = found.strand == "-"
    return pd.DataFrame(
        {"row": found.row, "start": found.start, "minus": minus, "width": found.width}
    )


def _beside(
    label: str, own: pd.DataFrame, other: str, sites: pd.DataFrame
) -> Place | None:
    """Return where another motif lies beside one, None where they are two motifs."""
    if label == other:
        return Place(other, 0, False, len(other), len(label))
    both = own.merge(sites, on="row", suffixes=("", "_other"))
    offset = np.where(
        both["minus"],
        both["start"] + both["width"] - both["start_other"] - both["width_other"],
        both["start_other"] - both["start"],
    )
    both = both.assign(offset=offset, flipped=both["minus"] != both["minus_other"])
    near = (offset < both["width"]) & (offset > -both["width_other"])
    counts = both[near].groupby(["offset", "flipped"]).size()
    least = _SAME_SITES * max(len(own), len(sites))
    if not len(counts) or counts.max() < least:
        return None
    at, flipped = counts.index.to_frame().iloc[int(counts.to_numpy().argmax())]
    return Place(other, int(at), bool(flipped), len(other), len(label))


def union_of_rules(
    audits: Mapping[str, Audited], places: Places
) -> tuple[list[tuple[Rule, dict[str, set[str]]]], list[str]]:
    """Return the rules that hold in any network, with the tasks in which they hold in
    each, and those that cannot be written with the shared motifs.

    Rules of one arrangement whose gaps overlap are one, at the gaps of both; waves, the
    first.
    """
    every, left_out = list[tuple[Rule, str, str]](), list[str]()
    for name, found in audits.items():
        for row in found.rules[found.rules["holds"].astype(bool)].to_dict("records"):
            for rule in rule_of(row).runs:
                of = places[name, rule.first], places[name, rule.second]
                moved = _moved(rule, *of)
                if any(moved.gap_from <= gap <= moved.gap_to for gap in GAPS):
                    every.append((moved, name, rule.task))
                else:
                    left_out.append(
                        f"{rule.label} of {name}, whose motifs overlap in another"
                    )
    merged = list[tuple[Rule, dict[str, set[str]]]]()
    for rule, name, task in sorted(every, key=lambda one: one[0].gap_from):
        for k, (other, held) in enumerate(merged):
            same = rule.arrangement == other.arrangement
            same &= rule.is_wave == other.is_wave
            if same and rule.gap_from <= other.gap_to:
                to = max(rule.gap_to, other.gap_to)
                merged[k] = (replace(other, gap_to=to), held)
                held.setdefault(name, set()).add(task)
                break
        else:
            merged.append((rule, {name: {task}}))
    return merged, left_out


def _moved(rule: Rule, first: Place, second: Place) -> Rule:
    """Return a rule written with the shared motifs."""
    if rule.anywhere or not rule.strands:  # in either order, on any strands
        labels = sorted([first.label, second.label])
        wider = sum(one.width - one.other_width for one in (first, second))
        by = 0 if rule.anywhere else -round(wider / 2)
        return replace(
            rule,
            first=labels[0],
            second=labels[1],
            gap_from=max(0, rule.gap_from + by),
            gap_to=rule.gap_to + by,
            phase=(rule.phase + by) % rule.period,
        )
    one, two = rule.strands[0], rule.strands[1]
    by = second.ends(two)[0] - first.ends(one)[1]
    return replace(
        rule,
        first=first.label,
        second=second.label,
        strands=first.strand(one) + second.strand(two),
        gap_from=max(0, rule.gap_from + by),
        gap_to=rule.gap_to + by,
        phase=(rule.phase + by) % rule.period,
    )

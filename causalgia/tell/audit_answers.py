"""The answer of `causalgia.audit` as text: how much of the network the list is, what it
reads, and by which rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from causalgia._audit.named import (
    MOST_IN_ACCOUNT,
    SAID,
    beyond_elsewhere,
    confirmed_motifs,
    further_runs,
    gap_in_words,
    is_confirmed,
    n_with_sites,
    of_read,
)
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, INSIDE, VERDICT_WORDS
from causalgia.errors import printable
from causalgia.inputs import format_p
from causalgia.tell.account_answers import carried, percent_of, pointers, share_in_words
from causalgia.tell.answers import AnswerParts
from causalgia.tell.folded_text import cut
from causalgia.tell.table_formats import number
from causalgia.tell.text_tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from causalgia.types import Array

_MOST_LINES, _MOTIFS, _RULES = 12, 4, 4
"""Lines of the answer, and of motifs and rules among them, at most."""
_TASKS, _NAMED, _POINTERS = 2, 3, 2
"""Tasks that have a line of their own, that are named beside another; and sentences on
where to look.
"""
_PART_READ = 0.5
"""Share of the length from which on it is not said which part the maps read."""
WORDS = ("motif", "claim", "task", "rule", "which", "check", "result", "feature")
"""Headings of columns of words in the tables of an audit."""
_WHOLE = "motifs and rules of the audit have them whole"
_ALIKE = 0.1
"""Share of an effect by which a second copy may differ from adding nothing."""


class Audited(Protocol):
    """What the text is of: the answer of `causalgia.audit`."""

    @property
    def account(self) -> pd.DataFrame: ...
    @property
    def along(self) -> pd.DataFrame: ...
    @property
    def explained(self) -> pd.DataFrame: ...
    @property
    def motifs(self) -> pd.DataFrame: ...
    @property
    def rules(self) -> pd.DataFrame: ...
    @property
    def sites(self) -> pd.DataFrame: ...
    @property
    def network(self) -> pd.DataFrame: ...
    @property
    def composition(self) -> pd.DataFrame: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def settings(self) -> Mapping[str, str]: ...
    @property
    def plan(self) -> Any: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...


def audit_answer(found: Audited) -> str:
    """Return the answer, at most twelve lines."""
    motifs, rules = motif_lines(found), rule_lines(found)
    first = account_lines(found)
    if not motifs and not rules:
        acts = bool(found.composition["acts"].astype(bool).any())
        places = found.explained.loc[found.explained["step"] == "places", "share"]
        acts |= bool((places >= SAID).any())
        holds = "No motif holds" if acts else "Nothing holds"
        first.insert(0, f"{holds}: {_nothing(found)}.")
    last = [*not_confirmed(found), *composition_lines(found)]
    last += [*doubts_of_network(found), counts_line(found)]
    n_motifs, n_rules = min(len(motifs), _MOTIFS), min(len(rules), _RULES)
    while len(first) + n_motifs + n_rules + len(last) >= _MOST_LINES:
        n_motifs, n_rules = (
            (n_motifs, n_rules - 1) if n_rules >= n_motifs else (n_motifs - 1, n_rules)
        )
    others = [
        _counted(len(motifs) - n_motifs, "more motif", "motifs"),
        _counted(len(rules) - n_rules, "more rule", "rules"),
    ]
    rest = [f"Not printed: {in_list([x for x in others if x])}."] if any(others) else []
    if found.left_out:
        n = len(found.left_out) - 1
        also = f"; and {n:,} more" if n else ""
        rest += [f"Not tested: {found.left_out[0]}{also}."]
    lines = [*first, *motifs[:n_motifs], *rules[:n_rules], *last]
    lines += [" ".join(rest)] if rest else []
    return "\n".join(printable(line) for line in lines)


def _counted(n: int, what: str, where: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)} (table {where})" if n else ""


def _nothing(found: Audited) -> str:
    if act := n_with_sites(found.motifs):
        few = (
            "one acts, and its sites are"
            if act == 1
            else f"{act:,} act, and their sites are"
        )
        return (
            f"of {found.counts['proposed']:,} proposed motifs {few} not shown to carry more "
            "than as many bases elsewhere (table motifs)"
        )
    if not (n := found.counts["proposed"]):
        return "the maps proposed no motif"
    of = (
        "the one proposed motif is not" if n == 1 else f"none of {n} proposed motifs is"
    )
    return f"{of} shown to move the predictions by more than its letters do in other orders"


def account_lines(found: Audited) -> list[str]:
    """Return what the sites of motifs carry of the variance of predictions, and what the
    list explains, a line for each of two tasks, or one for all; and where to look for the
    rest, in the task where least is explained.
    """
    accounts = {
        str(task): of.set_index("line")
        for task, of in found.account.groupby("task", sort=False)
    }
    steps = dict(iter(found.explained.groupby("task", sort=False)))
    shares = pd.Series(
        {str(task): float(of["share"].iloc[-1]) for task, of in steps.items()}
    ).dropna()
    counts = counts_of_account(found)
    if len(accounts) <= _TASKS:
        lines = [
            f"{carried(task, rows, counts, and_more=_explained(found, steps[task]))}"
            for task, rows in accounts.items()
        ]
    else:
        lines = _over_tasks(found, accounts, shares, counts)
    if not (shares < 1 - SAID).any():
        return lines
    task = str(shares.idxmin())
    look = pointers(accounts[task], counts)
    if not confirmed_motifs(found) and not beyond_elsewhere(accounts[task]):
        look = look[1:]  # what is said of the motifs
    look = look[:_POINTERS]
    if look and len(accounts) > 1:
        look[0] = f"{cut(task)}: {look[0][:1].lower()}{look[0][1:]}"
    return [*lines, *([" ".join(look)] if look else [])]


def counts_of_account(found: Audited) -> dict[str, int]:
    """Return the numbers that the account is told with."""
    return {
        "sequences": min(found.counts["distinct"], MOST_IN_ACCOUNT),
        "motifs": n_with_sites(found.motifs),
        "length": int(found.settings.get("length", 0)),
    }


def _explained(found: Audited, steps: Any) -> str:
    """Return what the list explains of the predictions of sequences held out; and what
    the letter at each place explains besides.
    """
    rows = steps.set_index("step")
    last = rows.loc["rules"]
    if not np.isfinite(last["share"]):
        return ""
    of = f"of that of {found.counts['reserved']:,} held out"
    said = f"what follows explains {share_in_words(last)} {of}"
    if not last["n_features"]:
        said = f"nothing below explains any {of}"
    elif last["share"] < 0:
        said += " (below 0: worse than their mean)"
    if "places" in rows.index:
        by_place = rows.loc["places"]
        said += f", with the letter at each place {share_in_words(by_place)}"
    return f"; {said}"


def _over_tasks(
    found: Audited,
    accounts: Mapping[str, Any],
    shares: Any,
    counts: Mapping[str, int],
) -> list[str]:
    """Return the account of many tasks in a line: the least, the most and the median."""
    if not len(shares):
        return [
            f"The predictions for {counts['sequences']:,} sequences do not vary in any of "
            f"{len(accounts)} tasks."
        ]
    said = []
    whole = pd.Series(
        {
            task: float(rows.loc["sites", "share"])
            for task, rows in accounts.items()
            if "sites" in rows.index
        }
    ).dropna()
    if len(whole):
        n = counts["motifs"]
        bases = float(accounts[str(whole.index[0])].loc["sites", "bases"])
        said.append(
            f"the sites of {n:,} motif{'s' * (n != 1)} ({percent_of(bases)} % of the bases) "
            f"carry {_range_of(whole)}"
        )
    n_places = found.explained.loc[
        found.explained["step"] == "places", "task"
    ].nunique()
    by_place = f", in {n_places:,} of them with the letter at each place" * bool(
        n_places
    )
    said.append(f"what follows explains {_range_of(shares)}{by_place}")
    if still := len(accounts) - len(shares):
        said.append(f"in {still:,} more they do not vary")
    return [
        f"Of the variance of {counts['sequences']:,} predictions, over {len(shares):,} tasks: "
        f"{'; '.join(said)}."
    ]


def _range_of(shares: Any) -> str:
    low, high = str(shares.idxmin()), str(shares.idxmax())
    return (
        f"{percent_of(shares[low])} % ({cut(low)}) to {percent_of(shares[high])} % "
        f"({cut(high)}; median {percent_of(float(shares.median()))} %)"
    )


def motif_lines(found: Audited) -> list[str]:
    """Return what each motif that is read and confirmed does, in the task where it does
    most.
    """
    return [
        f"{named(row)} in {cut(str(row['task']))}: {'; '.join(_does(row, found.settings))}."
        f"{_along(found, row)}{_once(found, row)}{_elsewhere(rows, row)}{_members(row)}"
        for rows in of_confirmed(found)
        for row in [largest(rows)]
    ]


def not_confirmed(found: Audited) -> list[str]:
    """Return the motifs that are read and not confirmed, in a line."""
    confirmed = confirmed_motifs(found)
    rest = [
        str(rows["motif"].iloc[0])
        for rows in of_read(found.motifs)
        if rows["motif"].iloc[0] not in confirmed
    ]
    if not rest:
        return []
    of = in_list(rest[:_NAMED], n=len(rest))
    return [f"Not confirmed on the reserved sequences: {of}."]


def _along(found: Audited, row: Any) -> str:
    """Return how the effect of a motif goes with GC, where it does."""
    of = found.along
    own = of[(of["motif"] == row["motif"]) & (of["task"] == row["task"])]
    own = own[own["holds"].astype(bool)]
    if not len(own):
        return ""
    one = own.iloc[0]
    ends = [name for name in of.columns if str(name).startswith("at ")]
    first, last = (float(one[name]) for name in (ends[0], ends[-1]))
    most = max(abs(first), abs(last))
    low, high = (number(x, most, signed=True) for x in (first, last))
    where = str(one["along"]).removeprefix("GC of ")
    return f" With {where} at {ends[0][3:]} GC it does {low}, at {ends[-1][3:]} {high}."


def _once(found: Audited, row: Any) -> str:
    """Return that a second copy adds nothing, where it does not."""
    return " A second copy adds nothing." * (row["motif"] in _copies_of_nothing(found))


def _copies_of_nothing(found: Audited) -> list[str]:
    """Return the motifs of which two anywhere do what one does: their interaction takes
    back what a second copy would add.
    """
    held = found.rules[found.rules["holds"].astype(bool)]
    twice = held[(held["first"] == held["second"]) & held["anywhere"].astype(bool)]
    found_so = []
    for row in twice.to_dict("records"):
        (one, *_) = _alone(found.motifs, row)
        low, high = sorted(-float(row[end]) for end in ("lower", "upper"))
        if one and low - _ALIKE * abs(one) <= one <= high + _ALIKE * abs(one):
            found_so.append(str(row["first"]))
    return found_so


def _alone(motifs: pd.DataFrame, rule: Any) -> list[float]:
    """Return what the motifs of a rule do alone in its task, 0 where that has no
    direction.
    """
    of_task = motifs[motifs["task"] == rule["task"]].set_index("motif")
    return [
        float(row["alone"]) if row["alone_verdict"] in DIRECTIONS else 0.0
        for label in (rule["first"], rule["second"])
        for _, row in of_task.loc[of_task.index == label].iterrows()
    ] or [0.0]


def of_confirmed(found: Audited) -> Iterator[pd.DataFrame]:
    """Return the rows of each motif that is read, and holds on the reserved
    sequences, in any task.
    """
    confirmed = confirmed_motifs(found)
    for rows in of_read(found.motifs):
        if rows["motif"].iloc[0] in confirmed:
            yield rows


def largest(rows: pd.DataFrame) -> pd.Series:
    """Return the row of a motif in the task where it does most for what matters there, of
    those in which it is confirmed if it is in any.
    """
    of = rows[is_confirmed(rows)] if is_confirmed(rows).any() else rows
    return of.iloc[int(np.argmax(sizes(of)))]


def sizes(rows: pd.DataFrame) -> Array:
    """Return the larger of what a motif does, lost and alone, over what is too small to
    matter: 0 where it has no direction.
    """
    effects = [
        np.where(rows[f"{name}_verdict"].isin(DIRECTIONS), rows[name].abs(), 0.0)
        / rows[region].to_numpy(float)
        for name, region in (("lost", "region"), ("alone", "region_alone"))
    ]
    found: Array = np.max(effects, axis=0)
    return found


def named(row: Any) -> str:
    """Return a motif with the name of its nearest known one."""
    return f"{row['motif']} ({row['name']})" if row["name"] else str(row["motif"])


def _does(row: Any, settings: Mapping[str, str]) -> list[str]:
    parts = []
    if row["lost_verdict"] in DIRECTIONS:
        verb = "costs" if row["lost"] < 0 else "adds"
        parts.append(
            f"overwriting a site {verb} {in_size(row, 'lost', absolute=True)} on average "
            f"over {_sites(row)} (5 % and 95 % quantile "
            f"{' and '.join(_quantiles(row, absolute=True))})"
        )
    elif np.isfinite(row["lost"]):
        parts.append(
            f"overwriting a site changes the prediction by {in_size(row, 'lost')} on average "
            f"over {_sites(row)} ({row['lost_verdict']}; 5 % and 95 % quantile "
            f"{' and '.join(_quantiles(row))})"
        )
    if row["alone_verdict"] in DIRECTIONS:
        verb = "adds" if row["alone"] > 0 else "costs"
        how = " on the other strand" if row["strand"] == "-" else ""
        alone = f"alone in shuffles{how} it {verb} "
        alone += in_size(row, "alone", absolute=True)
        if np.isfinite(row["other_strand"]):
            other = number(row["other_strand"], row["alone"], signed=True)
            alone += f" ({'as written' if how else 'other strand'} {other})"
        where = placed(row, settings)
        parts.append(f"{alone} if it starts at {where}" if where else alone)
    else:
        where, size = placed(row, settings), in_size(row, "alone")
        alone = f"alone in the middle of shuffles: {row['alone_verdict']} ({size})"
        if row["alone_verdict"] in INSIDE and abs(row["alone"]) > row["region"]:
            alone = f"alone in the middle of shuffles {size}, as its letters do in other orders"
        parts.append(alone + f", but it acts if it starts at {where}" * bool(where))
    return parts


def placed(row: Any, settings: Mapping[str, str]) -> str:
    """Return the starts between which a motif acts alone; empty where that is every
    place.
    """
    if not np.isfinite(row["place_from"]):
        return ""
    last = int(settings.get("length", 0)) - len(row["motif"])
    if row["place_from"] == 0 and row["place_to"] == last:
        return ""
    return f"{row['place_from']:.0f} to {row['place_to']:.0f}"


def _sites(row: Any) -> str:
    """Return how many sites a motif has, and on which strand."""
    on = "" if row["sites_on"] == "both" else f" on {row['sites_on']}"
    return f"{int(row['n_sites']):,} sites{on}"


def _quantiles(row: Any, *, absolute: bool = False) -> tuple[str, str]:
    """Return the 5 % and 95 % quantile of what single sites lose."""
    low, high = float(row["lost_5"]), float(row["lost_95"])
    if absolute and row["lost"] < 0:
        low, high = -high, -low
    of = max(abs(low), abs(high))
    return number(low, of), number(high, of)


def _elsewhere(rows: pd.DataFrame, shown: Any) -> str:
    others = rows[is_confirmed(rows) & (rows["task"] != shown["task"])]
    tasks: dict[bool, list[str]] = {}
    for row in others.to_dict("records"):
        same = _side(row) == _side(shown)
        tasks.setdefault(same, []).append(cut(str(row["task"])))
    words = {True: "Also acts in", False: "Acts the other way in"}
    return "".join(
        f" {words[same]} {in_list(of[:_NAMED], n=len(of))}."
        for same, of in sorted(tasks.items(), reverse=True)
    )


def _side(row: Any) -> int | None:
    """Return 1 where a motif raises the prediction, -1 where it lowers it."""
    if row["alone_verdict"] in DIRECTIONS:
        return VERDICT_WORDS[row["alone_verdict"]].side
    side = VERDICT_WORDS[row["lost_verdict"]].side
    return side and -side


def _members(row: Any) -> str:
    of = members(row)
    return f" In {of} retrainings." if of else ""


def rule_lines(found: Audited) -> list[str]:
    """Return each rule that holds, with its tasks, but those of two copies that are told
    at the motif.
    """
    names = dict(zip(found.motifs["motif"], found.motifs["name"], strict=True))
    once = _copies_of_nothing(found)
    return [
        f"{arrangement(first, names)}, {gap_in_words(first)}, in {_interactions(rows)}"
        f"{beside_sum(first, found.motifs)}; {checks_in_words(rows)}.{_members(first)}"
        for rows in held_rules(found.rules)
        for first in [rows.iloc[0]]
        if not (first["first"] == first["second"] in once and first["anywhere"])
    ]


def beside_sum(row: Any, motifs: pd.DataFrame) -> str:
    """Return how two motifs together compare with the sum of each, where that is one way
    at all gaps.
    """
    size = float(row["interaction"])
    signs = [run.interaction * size for run in further_runs(row)]
    if np.isfinite(row["period"]) or min(signs, default=0.0) < 0:
        return ""
    alone = _alone(motifs, row)
    if all(one * size < 0 for one in alone) and abs(size) < abs(sum(alone)):
        verb = "lower" if size > 0 else "raise"
        whole = "twice one" if row["first"] == row["second"] else "their sum"
        return f", saturating: two {verb} by that much less than {whole}"
    return f", {'more' if size > 0 else 'less'} than their sum"


def by_arrangement(rules: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each arrangement and sign, a row a task."""
    names = ["arrangement", "gap_from", "gap_to", "period"]
    keys = [*(rules[name] for name in names), rules["tested"] > 0]
    return [of for _, of in rules.groupby(keys, sort=False, dropna=False)]


def held_rules(rules: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each arrangement and sign that holds, a row a task."""
    return by_arrangement(rules[rules["holds"].astype(bool)])


def arrangement(row: Any, names: Mapping[str, str]) -> str:
    """Return the motifs of a rule with their strands, where it has them, and names."""
    strands = row["strands"] or ("", "")
    parts = [
        f"{label}{strand}" + (f" ({names[label]})" if names.get(label) else "")
        for label, strand in zip((row["first"], row["second"]), strands, strict=True)
    ]
    return (" then " if row["strands"] else " and ").join(parts)


def _interactions(rows: pd.DataFrame) -> str:
    said = [
        f"{cut(str(row['task']))} {in_size(row, 'interaction', 'lower', 'upper')}"
        f"{further_in_words(row)}"
        for _, row in rows.head(_NAMED).iterrows()
    ]
    return in_list(said, n=len(rows))


def further_in_words(row: Any) -> str:
    """Return the smaller runs of a rule, in brackets."""
    runs, said = further_runs(row), list[str]()
    for run in runs[:_NAMED]:
        gaps = " to ".join(map(str, sorted({run.gap_from, run.gap_to})))
        ends = f"[{run.lower:.3g}, {run.upper:.3g}]"
        said.append(f"{gaps} bp {run.interaction:+.3g} {ends}")
    return f" ({in_list(said, n=len(runs))})" if said else ""


def checks_in_words(rows: pd.DataFrame) -> str:
    """Return how many checks of rules pass, warn and fail."""
    n = {word: int(rows[word].sum()) for word in ("pass", "warn", "fail")}
    said = [f"{n[word]} {word}" for word in n if n[word] or word == "fail"]
    return f"of {sum(n.values())} checks {in_list(said)}"


def composition_lines(found: Audited) -> list[str]:
    """Return which composition and technical features move predictions."""
    table = found.composition
    moved = table[table["acts"].astype(bool)]
    if not len(moved):
        n = table["feature"].nunique()
        return [
            f"Of {n} features of composition and technical sequences, none is shown to act."
        ]
    said = [
        f"{row['feature']} in {cut(str(row['task']))} "
        f"{in_size(row, 'effect', 'lower', 'upper')}"
        for _, row in moved.head(_NAMED).iterrows()
    ]
    return [
        f"Composition and technical sequences that act: {in_list(said, n=len(moved))}."
    ]


def doubts_of_network(found: Audited) -> list[str]:
    """Return the checks of the network that warn or fail, in a line."""
    table = found.network
    values = table.set_index("check")["value"]
    said = [
        f"{100 * row['value']:.0f} % of the shuffles have predictions outside the middle "
        "95 % of those of the sequences, so that alone and rules are measured in unlike ones"
        if str(row["check"]).startswith("prediction range")
        else f"{row['check']} {number(row['value'], row['value'])}"
        for _, row in table[table["status"].isin(("warn", "fail"))].iterrows()
        if not str(row["check"]).startswith("k-mer composition")  # in the table
    ]
    ends = values.reindex(["first position read", "last position read"]).to_numpy()
    length = int(found.settings.get("length", 0))
    if ends[1] - ends[0] + 1 <= _PART_READ * length:
        said.append(f"the maps read bases {ends[0]:.0f} to {ends[1]:.0f} of {length:,}")
    return [f"Caution: {'; '.join(said)}."] if said else []


def counts_line(found: Audited) -> str:
    """Return how many sequences and claims there were at each stage."""
    counts, confirmed = found.counts, len(confirmed_motifs(found))
    held, tried = len(held_rules(found.rules)), len(by_arrangement(found.rules))
    copies = counts["given"] - counts["distinct"]
    scale, minutes = found.settings.get("scale", ""), found.plan.minutes
    planned = f" Planned for {minutes:g} minutes on this machine." * bool(minutes)
    return (
        f"{counts['given']:,} sequences"
        f"{f' ({copies:,} copies left out)' if copies else ''}: {counts['proposing']:,} "
        f"proposed {counts['proposed']:,} motif{'s' * (counts['proposed'] != 1)}; "
        f"{counts['testing']:,} others tested them ({counts['read']:,} read); on the "
        f"{counts['reserved']:,} reserved {confirmed:,} motif{'s' * (confirmed != 1)} and "
        f"{held:,} of {tried:,} rule{'s' * (tried != 1)} held. Effects "
        f"{f'in {cut(scale)} ' if scale else ''}with 95 % intervals.{planned}"
    )


def audit_tables(found: Audited) -> tuple[AnswerParts, ...]:
    """Return every motif and every rule, each in a table."""
    names = [
        "rule",
        "task",
        "interaction",
        "tested",
        "q",
        "pass",
        "warn",
        "fail",
    ]
    rules = [
        [
            f"{row['arrangement']}, {gap_in_words(row)}"
            + " (does not hold)" * (not row["holds"]),
            str(row["task"]),
            in_size(row, "interaction", "lower", "upper"),
            number(row["tested"], row["tested"], signed=True),
            format_p(row["q"]),
            *(str(row[name]) for name in ("pass", "warn", "fail")),
        ]
        for row in found.rules.to_dict("records")
    ]
    tables = (motif_table(found.motifs, with_motif=True), (names, rules))
    return tuple(
        AnswerParts(table=Table(header=header, lines=lines, words=WORDS), whole=_WHOLE)
        for header, lines in tables
        if lines
    )


def motif_table(
    rows: pd.DataFrame, *, with_motif: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return the header and a line for each motif and task."""
    columns = [
        "motif",
        "task",
        "sites",
        "lost, mean",
        "lost, 5 % to 95 %",
        "alone",
    ]
    columns += ["other strand", "lost, reserved", "q, reserved", "retrainings"]
    lines = []
    for row in rows.to_dict("records"):
        other, again = row["other_strand"], row.get("confirmed_lost", np.nan)
        q = row.get("confirmed_q", np.nan)
        lines.append(
            [
                row["motif"] if with_motif else "",
                str(row["task"]),
                f"{int(row['n_sites']):,}",
                _judged(row, "lost"),
                " to ".join(_quantiles(row)) if np.isfinite(row["lost"]) else "",
                _judged(row, "alone"),
                number(other, row["alone"], signed=True) if np.isfinite(other) else "",
                number(again, again, signed=True) if np.isfinite(again) else "",
                format_p(q) if np.isfinite(q) else "",
                members(row),
            ]
        )
    keep = [k for k in range(len(columns)) if any(line[k] for line in lines)]
    return [columns[k] for k in keep], [[line[k] for k in keep] for line in lines]


def _judged(row: Any, name: str) -> str:
    """Return an effect with its interval, and its verdict where it has no direction."""
    if not np.isfinite(row[name]):
        return ""
    verdict = row[f"{name}_verdict"]
    return in_size(row, name) + f" {verdict}" * (verdict not in DIRECTIONS)


def members(row: Any) -> str:
    """Return in how many retrainings a claim holds; empty of one network."""
    held = row.get("members_hold", np.nan)
    return f"{held:.0f} of {row['n_members']:.0f}" if np.isfinite(held) else ""


def in_size(
    row: Any, name: str, lower: str = "", upper: str = "", *, absolute: bool = False
) -> str:
    """Return an effect with its interval, to three digits of the effect.

    Examples
    --------
    >>> row = {"lost": -0.8134, "lost_lower": -0.936, "lost_upper": -0.697}
    >>> in_size(row, "lost"), in_size(row, "lost", absolute=True)
    ('-0.813 [-0.936, -0.697]', '0.813 [0.697, 0.936]')
    """
    ends = [float(row[lower or f"{name}_lower"]), float(row[upper or f"{name}_upper"])]
    value = float(row[name])
    if absolute and value < 0:
        value, ends = -value, [-x for x in reversed(ends)]
    of = max(abs(value), *(abs(x) for x in ends if math.isfinite(x)), 0.0)
    low, high = (number(x, of) for x in ends)
    return f"{number(value, of, signed=not absolute)} [{low}, {high}]"

"""The answer of `causalgia.discover` as text: which motifs the network reads, and what
pairs of them do together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from causalgia.attributes import about
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, VERDICT_WORDS
from causalgia.inputs import wide
from causalgia.tell.answer_sentences import in_words, size_in_words
from causalgia.tell.answers import AnswerParts, short_answer
from causalgia.tell.folded_text import WIDTH, cut
from causalgia.tell.foot import arm_lines
from causalgia.tell.table_formats import format_effect, format_p, percent
from causalgia.tell.text_tables import table_within

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_WORD_COLUMNS = ("motif", "name", "task", "verdict", "one letter from", "family")
_VERB = {verdict: VERDICT_WORDS[verdict].verb for verdict in DIRECTIONS}
_FEW_PAIRS = 2
_MOST_BESIDE = 3
_MOST_BESIDE_ON_PAGE = 2
"""Tasks whose effects stand beside each other."""
_TEXT_LETTERS, _PAGE_LETTERS = 40, 120
_IN_WORDS = {
    "middle": "where sites stand",
    "in sequences": "how many sequences have one",
}
_GIVE_WAY = tuple(_IN_WORDS)
"""Columns that a table of families leaves out where it is too wide, the first first."""


class Found(Protocol):
    """What the text is of: the answer of `causalgia.discover`."""

    @property
    def table(self) -> pd.DataFrame: ...
    @property
    def confirmed(self) -> pd.DataFrame: ...
    @property
    def families(self) -> pd.DataFrame: ...
    @property
    def effects_by_task(self) -> pd.DataFrame: ...
    @property
    def pairs(self) -> pd.DataFrame: ...
    @property
    def decisions(self) -> xr.Dataset | None: ...
    @property
    def n_proposing(self) -> int: ...
    @property
    def foot(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


def discovery_parts(
    found: Found,
    *,
    every_row: bool = False,
    requested: Sequence[str] = (),
    tables: tuple[str, str, str] = ("found.table", "found.pairs", "found.families"),
    every: str = 'rows="all"',
    noted: str = "notes=True",
    of_page: bool = False,
) -> AnswerParts:
    """Return the parts of the answer of a discovery.

    Parameters
    ----------
    found
        From `causalgia.discover`.
    every_row
        Whether the table has a row for each motif and task, also for motifs that are
        not confirmed, in place of one for each family.
    requested
        Of ``"arms"``, ``"each"`` and ``"notes"``, what is printed besides.
    tables
        Where all motifs, all pairs, and all of the families are.
    every, noted
        How to see all rows, and the notes.
    of_page
        Whether the table is of a page, whose picture has shares, places and partners.
    """
    shown = found.table if every_row else found.confirmed
    decided = found.decisions
    left_out: tuple[str, ...] = ()
    if every_row:
        header, lines = _motif_lines(found)
    elif of_page:
        header, lines = _family_lines(found, of_page=True)
    else:
        header, lines, left_out = _family_lines_within(found, WIDTH)
    n_others = found.table["consensus"].nunique() - shown["consensus"].nunique()
    n_more = shown["consensus"].nunique() - len(found.families)
    rest = [
        f"{n_more:,} other motif{'s' * (n_more != 1)} of these families: {every}"
        * bool(n_more and not every_row and not of_page),
        f"{n_others:,} motif{'s' * (n_others != 1)} not confirmed: {tables[0]}"
        * bool(n_others),
        f"interactions of pairs: {tables[1]}" * bool(len(found.pairs)),
        f"{in_words(left_out)}: {tables[2]}" if left_out else "",
    ]
    more = "; ".join(part for part in rest if part)
    return short_answer(
        discovery_sentences(found.table, found.confirmed, found.pairs),
        header,
        lines,
        words=_WORD_COLUMNS,
        foot=[
            *([f"Intervals: {_level(decided)}."] if of_page else []),
            *found.foot,
        ],
        more=f"{more[:1].upper()}{more[1:]}." if more else "",
        arms=[] if decided is None else arm_lines(decided),
        each=[
            *(_family_sentences(found.families) if of_page else []),
            *_motif_sentences(shown),
            *_pair_sentences(found.pairs),
        ],
        letters=_PAGE_LETTERS if of_page else _TEXT_LETTERS,
        notes=found.notes,
        requested=requested,
        every_row=every_row,
        pointers={"every": every, "noted": noted, "whole": f"whole in {tables[0]}"},
    )


def _motif_lines(found: Found) -> tuple[list[str], list[list[str]]]:
    """Return the header and a line for each motif and task."""
    decided = found.decisions
    n_networks = 1 if decided is None else decided.sizes.get("model", 1)
    several = found.table["task"].nunique() > 1
    header = ["motif", "name", "task", "verdict", "ACE", f"{_level(decided)} interval"]
    header += ["q", "networks", "proposed by", "one letter from", "family"]
    return header, [
        [
            str(row["consensus"]),
            str(row["name"]),
            str(row["task"]) if several else "",
            str(row["verdict"]),
            *_effect(row),
            "–" if row["verdict"] == "undecided" else format_p(float(row["q"])),
            f"{row['members']} of {n_networks}" if n_networks > 1 else "",
            f"{row['sequences']:,} of {found.n_proposing:,}",
            str(row["variant_of"]),
            str(row["family"]) if row["family"] != row["consensus"] else "",
        ]
        for _, row in found.table.iterrows()
    ]


def _family_lines_within(
    found: Found, width: int
) -> tuple[list[str], list[list[str]], tuple[str, ...]]:
    """Return the header and a line for each family that fits into so many columns, its
    names being cut, and what was left out for that: where sites stand, their share, the
    tasks beside each other.
    """
    for most in (_MOST_BESIDE, 0):
        header, lines = _family_lines(found, most_beside=most)
        for n in range(len(_GIVE_WAY) + 1):
            left_out = _GIVE_WAY[:n]
            keep = [
                i
                for i, name in enumerate(header)
                if name not in left_out and any(line[i] for line in lines)
            ]
            head = [header[i] for i in keep]
            rows = [[cut(line[i], _TEXT_LETTERS) for i in keep] for line in lines]
            table, _ = table_within(head, rows, width, _WORD_COLUMNS)
            if len(table) == len(rows) + 1 and max(map(wide, table)) <= width:
                shown = [[line[i] for i in keep] for line in lines]
                return head, shown, tuple(_IN_WORDS[name] for name in left_out)
    return *_family_lines(found, most_beside=0), ()


def _family_lines(
    found: Found, *, of_page: bool = False, most_beside: int = _MOST_BESIDE_ON_PAGE
) -> tuple[list[str], list[list[str]]]:
    """Return the header and a line for each family: its effect in each of a few tasks,
    else in the one where it is largest.
    """
    tasks = list(dict.fromkeys(found.table["task"]))
    by_task = found.effects_by_task
    level = _level(found.decisions)
    header = ["motif", "name", "motifs"]
    beside = 1 < len(tasks) <= most_beside
    if beside:
        of = "" if of_page else f" ({level})"
        header += [f"ACE in {cut(str(task))}{of}" for task in tasks]
    else:
        header += ["task", "of tasks", "ACE", f"{level} interval", "q"]
    header += ["networks"]
    header += [] if of_page else ["in sequences", "middle"]
    decided = found.decisions
    n_networks = 1 if decided is None else decided.sizes.get("model", 1)
    lines = []
    for _, family in found.families.iterrows():
        own = by_task[by_task["family"] == family["motif"]].set_index("task")
        line = [
            str(family["motif"]),
            str(family["name"]),
            f"{family['n_motifs']:,}",
        ]
        if beside:
            line += [
                " ".join(_effect(own.loc[task])) if task in own.index else ""
                for task in tasks
            ]
        else:
            several = len(tasks) > 1
            line += [
                str(family["task"]) if several else "",
                f"{len(own):,} of {len(tasks):,}" if several else "",
                *_effect(family),
                format_p(float(family["q"])),
            ]
        networks = f"{family['members']} of {n_networks}" if n_networks > 1 else ""
        line += [networks]
        line += [] if of_page else [f"{100 * family['share']:.0f} %", _places(family)]
        lines.append(line)
    return header, lines


def _level(decided: xr.Dataset | None) -> str:
    return "95 %" if decided is None else percent(float(about(decided).ci_prob))


def _places(family: pd.Series) -> str:
    """Return where the sites of a family stand: the median of their middles, and its
    quartiles.
    """
    if not family["n_sites"]:
        return ""
    return (
        f"{family['middle']:.0f} ({family['middle_lower']:.0f} to "
        f"{family['middle_upper']:.0f})"
    )


def _family_sentences(families: pd.DataFrame) -> list[str]:
    """Return where each family stands, and its partners, in a sentence."""
    lines = []
    for _, family in families.iterrows():
        where = f"in {100 * family['share']:.0f} % of sequences"
        places = _places(family)
        parts = [where, f"the middle of its sites at {places}" if places else ""]
        parts.append(str(family["partners"]))
        lines.append(f"{family['motif']}: {'; '.join(x for x in parts if x)}.")
    return lines


def discovery_sentences(
    table: pd.DataFrame, confirmed: pd.DataFrame, pairs: pd.DataFrame
) -> list[str]:
    """Return the answer: how many of the proposed motifs are confirmed, the largest of
    them with its effect, and what pairs do together.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "consensus": ["TGACTCA", "CCCC"],
    ...         "task": ["K562", "K562"],
    ...         "ace": [1.38, 0.0],
    ...         "lower": [1.29, -0.1],
    ...         "upper": [1.47, 0.1],
    ...         "verdict": ["increases", "within"],
    ...         "variant_of": ["", ""],
    ...         "family": ["TGACTCA", ""],
    ...     }
    ... )
    >>> print(*discovery_sentences(rows, rows[:1], rows[:0]))
    The network reads 1 of 2 proposed motifs: TGACTCA raises K562 (1.38 [1.29, 1.47]).
    """
    n, n_read = table["consensus"].nunique(), confirmed["consensus"].nunique()
    if not n:
        return [
            "No motif is proposed by the maps of these sequences, and none was tested."
        ]
    if not n_read:
        within = table[table["verdict"] == "within"]["consensus"].nunique()
        of = "the one proposed motif" if n == 1 else f"any of {n:,} proposed motifs"
        range_ = "the range of random sequences of the same length"
        why = f"{within:,} {'has an effect' if within == 1 else 'have effects'} within"
        return [
            f"No evidence that the network reads {of}"
            + (f": {why} {range_}." if within else ".")
        ]
    first = confirmed.iloc[0]
    of = (
        "the one proposed motif"
        if n == n_read == 1
        else (
            f"all {n:,} proposed motifs"
            if n == n_read
            else f"{n_read:,} of {n:,} proposed motifs"
        )
    )
    near = confirmed.loc[confirmed["variant_of"] != "", "consensus"].nunique()
    near_to = f", {near:,} of them one letter from a larger one" if near else ""
    n_families = confirmed["family"].nunique()
    families = f"{n_families:,} famil{'y' if n_families == 1 else 'ies'}"
    near_to += f", in {families}" if n_families < n_read else ""
    task = str(first["task"])
    task = "the outcome" if task == "outcome" else cut(task)
    return [
        f"The network reads {of}{near_to}: {cut(str(first['consensus']))} "
        f"{_VERB[str(first['verdict'])]} {task}{' most' if n_read > 1 else ''} "
        f"({size_in_words(_size(first))}).",
        *_pairs_in_words(pairs),
    ]


def foot_of_discovery(
    *,
    n_units: int,
    n_fresh: int,
    n_proposing: int,
    rate: float,
    placebos: Sequence[str],
    apart: float | None,
    n_members: int = 0,
) -> list[str]:
    """Return what stands under the table: how motifs were confirmed, and a caution where
    the network tells the backgrounds from real sequences, with the AUROC `apart`.

    Examples
    --------
    >>> about = {"n_units": 200, "n_fresh": 60, "n_proposing": 60, "rate": 0.05}
    >>> print(foot_of_discovery(**about, placebos=[], apart=1.0)[1])
    Caution: the network tells untreated shuffles from real sequences (AUROC 1.00)...
    """
    also = "".join(f" {one}" for one in placebos)
    if n_members:
        also = (
            f" in more than half of the {n_members} networks; effect, interval and q are "
            f"those of the median network.{also}"
        )
    else:
        also = f".{also}"
    lines = [
        f"On {n_units:,} shuffles of {n_fresh:,} sequences; motifs are from maps of "
        f"{n_proposing:,} others. Confirmed: an effect beyond those of random sequences "
        f"of the same length (false discovery rate {rate:.2g}){also}"
    ]
    if apart is not None:
        lines.append(
            "Caution: the network tells untreated shuffles from real sequences (AUROC "
            f"{apart:.2f}), far from which these effects are measured."
        )
    return lines


def _size(row: Any) -> Any:
    return {name: float(row[name]) for name in ("ace", "lower", "upper")}


def _effect(row: Any) -> tuple[str, str]:
    return format_effect(_size(row))


def _pairs_in_words(pairs: pd.DataFrame) -> list[str]:
    """Return how many pairs do what together, and which, where they are few.

    Examples
    --------
    >>> import pandas as pd
    >>> reads = ["synergistic", "additive", "additive", "undecided"]
    >>> pairs = pd.DataFrame(
    ...     {"first": ["TGACTCA"] * 4, "second": "GGTGCTGAACTAGGAC", "reads": reads}
    ... )
    >>> _pairs_in_words(pairs.assign(task="epi"))[0].split("(")[-1]
    'TGACTCA with GGTGCTGAACTAGGAC; TGACTCA with GGTGCTGAACTAGGAC) and 1 is undecided.'
    """
    if not len(pairs):
        return []
    named = []
    n = len(pairs)
    for way, of_way in pairs.groupby("reads", sort=False):
        names = (
            f"{cut(str(row['first']))} with {cut(str(row['second']))}"
            for _, row in of_way.iterrows()
        )
        is_named = way != "undecided" and len(of_way) <= _FEW_PAIRS
        which = f" ({'; '.join(names)})" if is_named else ""
        named.append((len(of_way), f"{way}{which}"))
    what = "pairs" if pairs["task"].nunique() == 1 else "pairs by task"
    if len(named) == 1:
        way = named[0][1]
        of = f"the {n:,} {what}" if n > 1 else "the pair"
        if way == "undecided":
            does = "do" if n > 1 else "does"
            return [f"What {of} of the largest {does} together is undecided."]
        of = f"All {n:,} {what}" if n > 1 else "The pair"
        return [f"{of} of the largest {'are' if n > 1 else 'is'} {way}."]
    parts = [f"{k:,} {'is' if k == 1 else 'are'} {way}" for k, way in named]
    return [f"Of {n:,} {what} of the largest, {in_list(parts)}."]


def _motif_sentences(table: pd.DataFrame) -> list[str]:
    answer = []
    for _, row in table.iterrows():
        verb = _VERB.get(str(row["verdict"]))
        size, task = size_in_words(_size(row)), row["task"]
        does = (
            f"{verb} {task}: {size}" if verb else f"is not confirmed in {task}: {size}"
        )
        answer.append(
            f"{row['consensus']} {does} (q {format_p(float(row['q']))}; proposed by "
            f"{row['methods']})."
        )
    return answer


def _pair_sentences(pairs: pd.DataFrame) -> list[str]:
    answer = []
    for _, row in pairs.iterrows():
        alone = [f"{float(row[name]):.3g}" for name in ("first_alone", "second_alone")]
        inter = {"ace": float(row["interaction"]), **_limits(row)}
        answer.append(
            f"{row['first']} and {row['second']} are {row['reads']} in {row['task']}: "
            f"interaction {size_in_words(inter)}, beside {alone[0]} and {alone[1]} alone."
        )
    return answer


def _limits(row: Any) -> dict[str, float]:
    return {name: float(row[name]) for name in ("lower", "upper")}

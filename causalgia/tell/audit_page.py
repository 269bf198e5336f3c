"""The page of an audit: the answer, what the network reads, the rules, and what speaks for
and against each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from causalgia._audit.named import (
    confirmed_motifs,
    further_runs,
    gap_in_words,
    of_read,
)
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS
from causalgia.errors import DataError, printable, quoted
from causalgia.inputs import format_p
from causalgia.tell._checklist import ITEMS, Pictured, audit_items
from causalgia.tell._methods import audit_paragraph
from causalgia.tell.account_answers import percent_of, share_in_words
from causalgia.tell.audit_answers import (
    WORDS,
    account_lines,
    arrangement,
    audit_answer,
    beside_sum,
    by_arrangement,
    further_in_words,
    held_rules,
    in_size,
    largest,
    members,
    motif_table,
    named,
    of_confirmed,
    placed,
    sizes,
)
from causalgia.tell.citations import audit_works
from causalgia.tell.html_page import render, write_html
from causalgia.tell.page_pictures import Picture, drawn
from causalgia.tell.table_formats import number, with_minus

if TYPE_CHECKING:
    from causalgia.types import Array

_TASKS_OF_MOTIF, _TASKS_DRAWN, _TASKS_NAMED = 6, 4, 3
_MADE_OF = {
    "causalgia": "causalgia",
    "python": "Python",
    "numpy": "NumPy",
    "rng": "seed (rng)",
    "predictor": "fingerprint of the predictor",
    "sequences": "digest of the sequences",
    "motifs": "known motifs",
    "length": "length of the sequences",
    "strands": "strands that were read",
    "scale": "scale of the predictions",
}


class Grid(NamedTuple):
    """A table of the page."""

    columns: list[str]
    numeric: list[bool]
    shown: list[list[str]]

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        words: Collection[str] = (),
    ) -> Grid | None:
        """Return the table, whose columns of `words` are texts; None without rows. Columns
        that are empty in all rows are left out.
        """
        lines = [[with_minus(str(cell)) for cell in row] for row in rows]
        keep = [k for k in range(len(columns)) if any(line[k] for line in lines)]
        if not lines:
            return None
        return cls(
            [columns[k] for k in keep],
            [columns[k] not in words for k in keep],
            [[printable(line[k]) for k in keep] for line in lines],
        )


def write_audit_page(
    path: Path, found: Pictured, claims: pd.DataFrame | None = None
) -> Path:
    """Write the page of an audit, and return its path.

    Parameters
    ----------
    path
        The file, which ends in .html.
    found
        The audit.
    claims
        The list of its libraries, where these were made.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"path={quoted(str(path))}: a page ends in .html")
    answer = [with_minus(line) for line in audit_answer(found).split("\n")]
    page: dict[str, Any] = {
        "title": "Audit of a network",
        "question": found.question,
        "answer": answer,
        **_reads(found),
        **_rules(found),
        **_consistency(found),
        **_faithfulness(found),
        **_biology(found, claims),
        "overturn": [with_minus(line) for line in _overturn(found, claims)],
        "flow": _flow(found),
        "left_out": found.left_out,
        "checklist": Grid.of(ITEMS, audit_items(found), words=ITEMS),
        **_again(found),
        "methods": audit_paragraph(found),
        "works": audit_works(),
    }
    return write_html(path, render(page, "audit.html.jinja"))


def _reads(found: Pictured) -> dict[str, Any]:
    """Return a row for each motif that is read, and the table of those that are not."""
    of = {one.label: one for one in found.candidates}
    motifs = []
    for k, rows in enumerate(of_confirmed(found), 1):
        first = largest(rows)
        label = str(first["motif"])
        order = np.argsort(-sizes(rows), kind="stable")
        shown = rows.iloc[np.sort(order[:_TASKS_OF_MOTIF])]
        left = len(rows) - len(shown)
        motifs.append(
            {
                "id": f"motif-{k}",
                "title": named(first),
                "logo": _logo(of[label].motif.probabilities, label),
                "lines": _about_motif(rows, found),
                "table": Grid.of(*motif_table(shown), words=WORDS),
                "more": f"{left:,} more task{'s' * (left != 1)}: table motifs"
                * bool(left),
            }
        )
    read = {str(of_motif["motif"].iloc[0]) for of_motif in of_confirmed(found)}
    others = found.motifs[[x not in read for x in found.motifs["motif"]]]
    n = others["motif"].nunique()
    return {
        "motifs": motifs,
        "reads_words": (
            "Lost: what a site changes in its own sequence when its letters are put in "
            "another order. Alone: what the motif changes in the middle of a shuffle. A motif may be "
            "needed and not suffice, or the reverse. What is lost matters beyond a fifth of "
            "the sd of predictions, what is added alone beyond what other orders of the "
            "motif's letters add; others are negligible or undecided."
        ),
        "unread": Grid.of(*motif_table(others, with_motif=True), words=WORDS),
        "unread_words": f"{n:,} proposed motif{'s' * (n != 1)} not read, or not confirmed",
    }


def _logo(probabilities: Array, label: str) -> Picture:
    from causalgia.tell.figures.audit_panels import matrix_logo

    return drawn(matrix_logo(probabilities), f"logo of {label}, in bits")


def _about_motif(rows: pd.DataFrame, found: Pictured) -> list[str]:
    row = largest(rows)
    label = str(row["motif"])
    partners = [
        f"{_other(of.iloc[0], label)} {gap_in_words(of.iloc[0])}"
        f"{beside_sum(of.iloc[0], found.motifs)}"
        for of in held_rules(found.rules)
        if label in (of["first"].iloc[0], of["second"].iloc[0])
    ]
    beyond = [
        f"lost {number(one['region'], one['region'])}, "
        f"alone {number(one['region_alone'], one['region_alone'])}"
        f"{f' in {one_task}' if len(rows) > 1 else ''}"
        for one in rows.head(_TASKS_NAMED).to_dict("records")
        for one_task in [one["task"]]
    ]
    said = [
        f"Next nearest names: {row['runners_up']}" if row.get("runners_up") else "",
        _places_and_copies(row, found),
        f"Partners: {'; '.join(dict.fromkeys(partners))}" if partners else "",
        f"Too small to matter: below {in_list(beyond, n=len(rows))}",
    ]
    return [f"{line}." for line in said if line]


def _places_and_copies(row: Any, found: Pictured) -> str:
    """Return where a motif acts alone, and how far copies add."""
    if row["alone_verdict"] not in DIRECTIONS:
        return ""
    where = placed(row, found.settings)
    said = f"Alone in {row['task']}: at {'starts of ' if where else ''}"
    said += where or "every place tried"
    n = row.get("copies", np.nan)
    if not np.isfinite(n):
        return said
    if n <= 1:
        return f"{said}; no effect of a second copy is shown"
    return f"{said}; each copy up to number {n:.0f} acts"


def _other(row: Any, label: str) -> str:
    return str(row["second"] if row["first"] == label else row["first"])


def _rules(found: Pictured) -> dict[str, Any]:
    """Return a row for each rule that holds."""
    names = dict(zip(found.motifs["motif"], found.motifs["name"], strict=True))
    rules = []
    for rows in held_rules(found.rules):
        row = rows.iloc[0]
        rules.append(
            {
                "title": f"{arrangement(row, names)}, {gap_in_words(row)}",
                "first": row["first"],
                "second": row["second"],
                "names": [names.get(row[one], "") for one in ("first", "second")],
                "strands": tuple(row["strands"]) or ("", ""),
                "gap": gap_in_words(row).replace(" apart", ""),
                "picture": _gap_picture(found, rows),
                "lines": [
                    with_minus(_of_rule(one, found.motifs))
                    for _, one in rows.iterrows()
                ],
            }
        )
    n = len(found.rules)
    return {
        "rules": rules,
        "rules_words": (
            "A rule is an interaction: what both motifs do together, minus what each does "
            "alone at its place, in shuffles. In the pictures, the gaps of the rule are "
            "shaded, and the other arrangements of the two motifs are gray."
        ),
        "no_rules": (
            "No pair of motifs that was tested holds a rule."
            if n or len(found.pairs)
            else "No pair of motifs was tested."
        ),
    }


def _of_rule(row: Any, motifs: pd.DataFrame) -> str:
    what = beside_sum(row, motifs)
    if np.isfinite(row["period"]):
        what = ", its amplitude"
    doubts = f": {row['doubts']}" if row["doubts"] else ""
    of_networks = members(row)
    return (
        f"{row['task']}: {in_size(row, 'interaction', 'lower', 'upper')}"
        f"{further_in_words(row)}{what} "
        f"(q {format_p(row['q'])}; {number(row['tested'], row['tested'], signed=True)} on "
        f"the testing sequences); {row['pass']} checks pass, {row['warn']} warn, "
        f"{row['fail']} fail{doubts}."
        + f" In {of_networks} retrainings."
        * bool(of_networks)
    )


def _gap_picture(found: Pictured, rows: pd.DataFrame) -> Picture | None:
    from causalgia.tell.figures.audit_panels import gap_plot

    row, pairs = rows.iloc[0], found.pairs
    if not len(pairs):
        return None
    both = {row["first"], row["second"]}
    mine = [
        {first, second} == both
        for first, second in zip(pairs["first"], pairs["second"], strict=True)
    ]
    tasks = rows["task"].tolist()[:_TASKS_DRAWN]
    settings = pairs[np.array(mine) & pairs["task"].isin(tasks).to_numpy()]
    if not len(settings):
        return None
    own = str(row["arrangement"]) if row["strands"] else ""
    scale = found.settings.get("scale", "")
    made = gap_plot(
        settings,
        own,
        [
            (int(row["gap_from"]), int(row["gap_to"])),
            *((run.gap_from, run.gap_to) for run in further_runs(row)),
        ],
        f"interaction{f', {scale}' if scale else ''}",
    )
    return drawn(made, f"interaction of {row['arrangement']} by gap")


def _consistency(found: Pictured) -> dict[str, Any]:
    """Return what was tested beside the same on the reserved sequences."""
    lines = []
    for rows in of_read(found.motifs):
        row = largest(rows)
        again = row.get("confirmed_lost", np.nan)
        q = row.get("confirmed_q", np.nan)
        lines.append(
            [
                f"{named(row)}: lost, alone",
                str(row["task"]),
                f"lost {number(row['lost'], row['lost'], signed=True)}"
                if np.isfinite(row["lost"])
                else f"alone {number(row['alone'], row['alone'], signed=True)}",
                f"lost {number(again, again, signed=True)}"
                if np.isfinite(again)
                else "",
                format_p(q) if np.isfinite(q) else "",
                members(row),
            ]
        )
    lines += [
        [
            f"{rule['arrangement']}, {gap_in_words(rule)}"
            + " (does not hold)" * (not rule["holds"]),
            str(rule["task"]),
            number(rule["tested"], rule["tested"], signed=True),
            number(rule["interaction"], rule["interaction"], signed=True),
            format_p(rule["q"]),
            members(rule),
        ]
        for rule in found.rules.to_dict("records")
    ]
    n = found.counts
    columns = ("claim", "task", "testing sequences", "reserved sequences", "q")
    return {
        "consistency": Grid.of((*columns, "retrainings"), lines, words=WORDS),
        "consistency_words": "Nothing holds that could be confirmed."
        if not lines
        else (
            f"Every claim was found on {n['testing']:,} sequences and asked again on "
            f"{n['reserved']:,} that had no part in finding it. q is of the reserved "
            "sequences, over the tree of claims, a rule below its motif: both of a motif's "
            "tests count. "
            + (
                "Retrainings: in how many of the networks given the claim holds by itself."
                if any(line[-1] for line in lines)
                else "One network was given, so nothing is said of other trainings of it."
            )
        ),
    }


def _faithfulness(found: Pictured) -> dict[str, Any]:
    """Return the share explained by task and step, and the checks."""
    table = found.explained
    steps = list(dict.fromkeys(table["step"]))
    rows = []
    for task, of in table.groupby("task", sort=False):
        shares = of.set_index("step")
        if shares["share"].isna().any():
            rows.append([str(task), *(["does not vary"] * len(steps)), ""])
            continue
        left = 1 - max(float(shares["share"].iloc[-1]), 0.0)
        rows.append(
            [
                str(task),
                *(
                    share_in_words(shares.loc[x]) if x in shares.index else ""
                    for x in steps
                ),
                f"{100 * left:.0f} %",
            ]
        )
    with_ = [f"{'with ' * (k > 0)}{step}" for k, step in enumerate(steps)]
    checks = [
        [
            f"{row['arrangement']}, {gap_in_words(row)}, {row['task']}",
            *(str(row[word]) for word in ("pass", "warn", "fail")),
            row["doubts"],
        ]
        for row in found.rules.to_dict("records")
    ]
    return {
        "faithful_words": (
            "The share of the variance of predictions on the "
            f"{found.counts['reserved']:,} reserved sequences that the list explains, step "
            "by step, with 95 % intervals. What is unexplained the network takes from "
            "elsewhere, or from how these act together."
        ),
        "account_words": " ".join(account_lines(found)),
        "explained": Grid.of(("task", *with_, "unexplained"), rows, words=WORDS),
        "account": _rows_of(
            found.account.dropna(subset="share"),
            ("task", "bases", "share", "of the bases"),
            lambda row: [
                row["task"],
                row["line"],
                share_in_words(row),
                f"{percent_of(row['bases'])} %" if np.isfinite(row["bases"]) else "",
            ],
        ),
        "checks": Grid.of(
            ("rule", "pass", "warn", "fail", "which"), checks, words=WORDS
        ),
        "network": _rows_of(
            found.network,
            ("check", "result", "value"),
            lambda row: [
                row["check"],
                row["status"],
                number(row["value"], row["value"]) if np.isfinite(row["value"]) else "",
            ],
        ),
        **_composition(found.composition),
    }


def _composition(table: pd.DataFrame) -> dict[str, Any]:
    """Return the features of composition and of the bench that act, and the others."""

    def rows(of: pd.DataFrame) -> Grid | None:
        return _rows_of(
            of,
            ("feature", "task", "effect", "verdict", "q"),
            lambda row: [
                row["feature"],
                str(row["task"]),
                in_size(row, "effect", "lower", "upper"),
                row["verdict"],
                format_p(row["q"]),
            ],
        )

    acts = table["acts"].astype(bool)
    n = int((~acts).sum())
    return {
        "acting": rows(table[acts]),
        "others": rows(table[~acts]),
        "others_words": f"{n:,} effect{'s' * (n != 1)} not shown to act",
    }


def _rows_of(
    table: pd.DataFrame | None,
    columns: Sequence[str],
    cells: Callable[[Any], Sequence[str]],
) -> Grid | None:
    rows = [] if table is None else table.to_dict("records")
    return Grid.of(columns, map(cells, rows), words=(*WORDS, "verdict"))


def _biology(found: Pictured, claims: pd.DataFrame | None) -> dict[str, Any]:
    """Return the names, and what can be measured."""
    read = [largest(rows) for rows in of_confirmed(found)]
    with_name = [named(row) for row in read if row["name"]]
    without = [str(row["motif"]) for row in read if not row["name"]]
    said = [
        "These are statements about the network; no cell was measured.",
        f"Motifs with a name have it from the nearest known one: {in_list(with_name)}."
        if with_name
        else "",
        f"Without a name: {in_list(without)}." if without else "",
    ]
    lines = []
    if claims is not None and len(claims):
        said.append(
            "Each folder in library/ is an order of oligos by which a massively parallel "
            "reporter assay can measure a claim; causalgia mpra analyze reads the counts. "
            "The effect is that of the network, on its scale."
        )
        lines = [
            [
                row["claim"],
                row["task"],
                in_size(row, "effect", "lower", "upper"),
                f"{row['oligos']:,}" if row["folder"] else "none",
                f"library/{row['folder']}" if row["folder"] else row["why_not"],
            ]
            for row in claims.to_dict("records")
        ]
    columns = ("claim", "task", "effect", "oligos", "order, or why there is none")
    return {
        "biology_words": " ".join(x for x in said if x),
        "library": Grid.of(columns, lines, words=(*WORDS, columns[-1])),
    }


def _overturn(found: Pictured, claims: pd.DataFrame | None) -> list[str]:
    """Return what speaks against claims, or would."""
    said = []
    for task, of in found.explained.groupby("task", sort=False):
        share = float(of["share"].iloc[-1])
        if np.isfinite(share) and share < 0.9:
            said.append(
                f"{100 * (1 - max(share, 0.0)):.0f} % of the variance in {task} is not this "
                "list: a motif or rule that is missing here, and whose sequences predict it."
            )
    confirmed = confirmed_motifs(found)
    read = [str(rows["motif"].iloc[0]) for rows in of_read(found.motifs)]
    if weak := [one for one in read if one not in confirmed]:
        said.append(f"Not confirmed on the reserved sequences: {in_list(weak)}.")
    for row in found.rules.to_dict("records"):
        if row["holds"] and row["fail"]:
            said.append(
                f"{row['arrangement']}, {gap_in_words(row)}, in {row['task']} fails checks: "
                f"{row['doubts']}."
            )
    if claims is not None and (claims["folder"] != "").any():
        said.append(
            "At the bench: a measurement of one of the libraries whose interval lies on the "
            "other side of 0, or about 0 and within what is too small to matter there. The "
            "claim is then true of the network and not of the cell."
        )
    if read and (
        "members_hold" not in found.motifs
        or not found.motifs["members_hold"].notna().any()
    ):
        said.append(
            "A network trained again that does not hold a claim: cg.audit takes an "
            "Ensemble of retrainings."
        )
    said.append(
        "Sequences unlike those given: every claim is about these sequences and their "
        "shuffles."
    )
    return said


def _flow(found: Pictured) -> list[tuple[str, list[str]]]:
    """Return how many sequences, motifs and rules there were at each stage."""
    n = found.counts
    copies = n["given"] - n["distinct"]
    n_settings = (
        found.pairs[["arrangement", "gap"]].drop_duplicates().shape[0]
        if len(found.pairs)
        else 0
    )
    confirmed = len(confirmed_motifs(found))
    return [
        (
            "Sequences",
            [
                f"{n['given']:,} given",
                f"{copies:,} copies left out" if copies else "no copies",
                f"{n['proposing']:,} propose motifs ({found.plan.n_mapped:,} mapped)",
                f"{n['testing']:,} test them",
                f"{n['reserved']:,} confirm",
            ],
        ),
        (
            "Motifs",
            [
                f"{n['proposed']:,} proposed and tested",
                f"{n['read']:,} read",
                f"{confirmed:,} confirmed",
            ],
        ),
        (
            "Rules",
            [
                f"{n_settings:,} settings of pairs tested",
                f"{len(by_arrangement(found.rules)):,} rules proposed",
                f"{len(held_rules(found.rules)):,} confirmed",
            ],
        ),
    ]


def _again(found: Pictured) -> dict[str, Any]:
    made = found.settings
    plan = {
        name.removeprefix("n_").replace("_", " "): value
        for name, value in vars(found.plan).items()
    }
    rows = [
        (words, made[name]) for name, words in _MADE_OF.items() if made.get(name)
    ] + [(f"plan: {name}", str(value)) for name, value in plan.items()]
    return {
        "again": (
            f"cg.audit(predictor, sequences, rng={made.get('rng', '...')}) with these "
            "settings gives the same tables; protocol.toml has their digests."
        ),
        "provenance": rows,
    }

"""The answer of `causalgia.audit` as text: how much of the network the list is, what it
reads, and by which rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from causalgia.checks import in_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_TASKS, _MOTIFS, _RULES = 2, 4, 4
"""Lines of each, at most."""


class Audited(Protocol):
    """What the text is of: the answer of `causalgia.audit`."""

    @property
    def explained(self) -> pd.DataFrame: ...
    @property
    def motifs(self) -> pd.DataFrame: ...
    @property
    def rules(self) -> pd.DataFrame: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...


def audit_answer(found: Audited) -> str:
    """Return the answer, at most twelve lines."""
    read = found.motifs[found.motifs["reads"].astype(bool)]
    held = found.rules[found.rules["holds"].astype(bool)]
    counts = found.counts
    lines = _explained(found, n_rules=len(held))
    if not len(read) and not len(held):
        lines = [
            f"Nothing holds: of {counts['proposed']} motifs that maps proposed, none has "
            "an effect beyond that of random sequences."
        ]
    labels = list(dict.fromkeys(read["motif"]))
    lines += [_motif(read[read["motif"] == one]) for one in labels[:_MOTIFS]]
    if len(labels) > _MOTIFS:
        lines.append(f"and {in_list(labels[_MOTIFS:])}.")
    lines += [_rule(row) for _, row in held.head(_RULES).iterrows()]
    if len(held) > _RULES:
        lines.append(f"and {len(held) - _RULES} more rules.")
    lines.append(
        f"{counts['given']:,} sequences, {counts['given'] - counts['distinct']:,} of them "
        f"copies: {counts['proposing']:,} proposed, {counts['testing']:,} tested, "
        f"{counts['reserved']:,} confirmed; {counts['proposed']} motifs proposed, "
        f"{counts['read']} read."
    )
    if found.left_out:
        lines.append(f"Not tested: {'; '.join(found.left_out)}.")
    return "\n".join(lines)


def _explained(found: Audited, *, n_rules: int) -> list[str]:
    lines = []
    tasks = list(dict.fromkeys(found.explained["task"]))
    for task in tasks[:_TASKS]:
        of = found.explained[found.explained["task"] == task].set_index("step")
        if of["share"].isna().any():
            lines.append(f"{task}: the predictions do not vary.")
            continue
        steps = [
            ("motifs explain", of.loc["motifs"]),
            ("with composition", of.loc["composition"]),
        ]
        if n_rules:
            steps.append((f"with {n_rules} rule{'s' * (n_rules > 1)}", of.loc["rules"]))
        shares = ", ".join(
            f"{words} {_percent(row['share'])} [{_percent(row['lower'])}, "
            f"{_percent(row['upper'])}]"
            for words, row in steps
        )
        lines.append(
            f"{task}: {shares} % of the variance of predictions on "
            f"{found.counts['reserved']:,} held-out sequences."
        )
    if len(tasks) > _TASKS:
        lines.append(f"{len(tasks) - _TASKS} more tasks: explained.")
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _motif(rows: pd.DataFrame) -> str:
    """Return what a motif does, in the task where it does most."""
    size = np.fmax(
        rows["lost"].abs().to_numpy(float), rows["alone"].abs().to_numpy(float)
    )
    row = rows.iloc[int(np.nanargmax(size))]
    name = f" ({row['name']})" if row["name"] else ""
    parts = []
    if np.isfinite(row["lost"]):
        parts.append(
            f"lost from {int(row['n_sites'])} sites {row['lost']:+.3g} "
            f"[{row['lost_lower']:.3g}, {row['lost_upper']:.3g}]"
        )
    alone = f"alone {row['alone']:+.3g} [{row['alone_lower']:.3g}, {row['alone_upper']:.3g}]"
    if np.isfinite(row["other_strand"]):
        alone += f", on the other strand {row['other_strand']:+.3g}"
    parts.append(alone)
    if np.isfinite(row["place_from"]):
        parts.append(f"acts at {int(row['place_from'])} to {int(row['place_to'])}")
    return f"{row['motif']}{name} in {row['task']}: {'; '.join(parts)}."


def _rule(row: pd.Series) -> str:
    more = "more" if row["interaction"] > 0 else "less"
    gap = (
        "anywhere"
        if row["anywhere"]
        else f"{row['gap_from']} to {row['gap_to']} bp apart"
        if row["gap_from"] != row["gap_to"]
        else f"{row['gap_from']} bp apart"
    )
    checks = f"{row['pass']} checks pass"
    if row["fail"] or row["warn"]:
        checks += f", {row['doubts']}"
    return (
        f"{row['arrangement']}, {gap}, in {row['task']}: {row['interaction']:+.3g} "
        f"[{row['lower']:.3g}, {row['upper']:.3g}], {more} than their sum; {checks}."
    )

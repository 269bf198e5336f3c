"""The page of the claims, from what was fixed before and what was kept."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Results = dict[str, Any]
_BEFORE, _THEN = "bcf7f241", "3afad50f"


def holds(claim: Results, rows: Mapping[str, Results]) -> str:
    """Return whether a claim holds: every row has the verdict that it needs; a row that
    has another is against it, and one that is undecided leaves it open.
    """
    found = []
    for contrast, task, says in claim["rows"]:
        verdict = rows[f"{contrast}|{task}"]["verdict"]
        if verdict == "undecided":
            found.append("undecided")
        elif verdict == says or (says == "no increase" and verdict != "increases"):
            found.append("holds")
        else:
            found.append("does not hold")
    order = ("does not hold", "undecided", "holds")
    return next(one for one in order if one in found)


def page(plan: Results, folder: Path, read: Mapping[str, Results]) -> str:
    """Return the page."""
    claims = [claim for claim in plan["claim"] if claim["trial"] in read]
    ends = {
        claim["name"]: holds(claim, read[claim["trial"]]["rows"]) for claim in claims
    }
    said = Counter(ends.values())
    cited = sum(claim["basis"] == "cited" for claim in claims)
    checks = [
        status
        for found in read.values()
        for one in found["checks"].values()
        for status in one.values()
    ]
    head = _HEAD.format(
        n=len(claims),
        holds=said["holds"],
        not_hold=said["does not hold"],
        undecided=said["undecided"],
        cited=cited,
        general=len(claims) - cited,
        before=_BEFORE,
        then=_THEN,
        networks=len(_networks(folder, read)),
        n_refuted=sum(len(found["checks"]) for found in read.values()),
        fail=sum(
            "fail" in one.values()
            for f in read.values()
            for one in f["checks"].values()
        ),
        n_checks=len(checks),
        chance=0.0025 * len(checks),
    )
    parts = [head]
    parts += [_of_trial(name, folder, claims, ends, read[name]) for name in read]
    missing = [
        f"- {one['name']}, {one['statement']}: {one['why']}."
        for one in plan["not_asked"]
    ]
    parts.append("## Not asked\n\n" + "\n".join(missing))
    return "\n\n".join(parts) + "\n"


def _networks(folder: Path, read: Mapping[str, Results]) -> set[str]:
    return {
        tomllib.loads((folder / f"{name}.toml").read_text())["predictor"][
            "network"
        ].partition("/")[0]
        for name in read
    }


def _of_trial(
    name: str,
    folder: Path,
    claims: list[Results],
    ends: Mapping[str, str],
    found: Results,
) -> str:
    """Return the section of a trial: its population, region and claims."""
    trial = tomllib.loads((folder / f"{name}.toml").read_text())
    of, null = trial["predictor"]["network"], trial["null"]
    letters = {
        "uniform": f"uniform sequences of {null.get('length', 0):,} bases",
        "markov": f"sequences of {len(null.get('of', [''])[0]):,} independent bases, "
        "A and T .3, C and G .2 each",
    }[null["kind"]]
    over = ", for a further training" * (
        trial["analysis"].get("target") == "next predictor"
    )
    upper = trial["analysis"]["rope"][1]
    lines = [
        f"## {of}",
        "",
        f"`{name}.toml`: {found['units']} {letters}, every arm on each; region ±{upper:g}"
        f"{over}; q over the {len(found['rows'])} effects of this trial.",
        "",
        "| | claim | effect [95 %] | q | answer | refuted? |",
        "|---|---|---|---|---|---|",
    ]
    for claim in claims:
        if claim["trial"] == name:
            lines.append(_row(claim, ends[claim["name"]], found))
    return "\n".join(lines)


def _row(claim: Results, end: str, found: Results) -> str:
    """Return the row of a claim: at most three effects, those against it first."""
    asked = []
    for contrast, task, says in claim["rows"]:
        row = found["rows"][f"{contrast}|{task}"]
        one = {"rows": [[contrast, task, says]]}
        at = ("does not hold", "undecided", "holds").index(holds(one, found["rows"]))
        asked.append((at, contrast, task, row))
    asked.sort(key=lambda one: one[0])
    effects = [
        f"{contrast}, {task}: {_number(row['estimate'])} "
        f"[{_number(row['conf_low'])}, {_number(row['conf_high'])}]"
        for _, contrast, task, row in asked[:2]
    ]
    if len(asked) > 2:
        effects.append(
            f"{len(asked) - 2} more as needed"
            if end == "holds"
            else f"{len(asked) - 2} more"
        )
    largest = max(row["q"] for *_, row in asked)
    source = f" {claim['source']}." if claim["source"] else ""
    mark = "*Cited*:" if claim["basis"] == "cited" else "*General knowledge*."
    seen = " A figure of it was known." * claim.get("seen", False)
    checks = found["checks"].get(claim["name"])
    return (
        f"| {claim['name']} | {claim['statement']}. {mark}{source}{seen} "
        f"| {'; '.join(effects)} | {_q(largest)} | **{end}**{_why(claim, found)} "
        f"| {_checked(checks, end)} |"
    )


def _why(claim: Results, found: Results) -> str:
    """Return how an effect that is against a claim differs from what was said of it."""
    for contrast, task, says in claim["rows"]:
        row = found["rows"][f"{contrast}|{task}"]
        if holds({"rows": [[contrast, task, says]]}, found["rows"]) != "does not hold":
            continue
        beyond = {"increases": row["conf_low"], "decreases": -row["conf_high"]}
        if beyond.get(says, -1) > 0:
            return ": of that sign, and within the region"
        largest = max(
            abs(one["estimate"])
            for key, one in found["rows"].items()
            if key.endswith(f"|{task}")
        )
        share = abs(row["estimate"]) / largest
        return f": {share:.0%} of the largest effect in {task}".replace("%", " %")
    return ""


def _checked(checks: Mapping[str, str] | None, end: str) -> str:
    if checks is None:
        return "" if end != "holds" else "not asked"
    bad = [
        f"{check} {status}s"
        for check, status in checks.items()
        if status in ("fail", "warn")
    ]
    n = len(checks)
    return f"{n - len(bad)} of {n} pass" + "".join(f"; {one}" for one in bad)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _q(value: float) -> str:
    return "<1e-4" if value < 1e-4 else f"{value:.2g}"


_HEAD = """\
# Published claims, asked again

Of {n} claims about {networks} published networks and groups of networks {holds} hold, of which `refute` fails
{fail}, {not_hold} do not, and {undecided} are undecided.

What papers say that a network learned, or what biology has settled and a network is said to know, is asked here of
the networks themselves, as their authors left them, each by one trial: with its error, corrected p and region. A
claim *holds* where each effect that it is about has the verdict that it needs, beyond the region that was stated
before, or inside of it where something is said to do nothing; it *does not hold* where one has another verdict; else
it is *undecided* ([verdicts](verdicts.md)). An answer is about these networks on random sequences of these lengths.
It is not about cells; and where it differs from a paper, the paper may speak of other sequences, or of measurements.

{cited} statements are *cited*: the text was read, mostly an abstract. {general} are *general knowledge* of the
factor; where a paper stands beside one, it was not read again. Arms, populations, regions, seeds and the verdicts
that each claim needs were fixed in commit {before}, before any trial was run (the independence of DragoNN's units in
{then}); of some claims a figure was known before, and these say so. None was left out because of its answer.

Of the {n_refuted} claims that hold and are about an increase or decrease in an output of the network,
[`refute`](howto/defend_a_claim.md) fails {fail} in a check or more. A sound claim fails a check with a probability of
.0025 at most, so of {n_checks:,} checks {chance:.0f} may fail by chance; one that fails *beyond placebos* is an
effect of its letters in any order. Where both arms of a claim have a motif, the checks of placebos and of the control
are not asked, and of transcribed sequences not that of the strand.

To ask one again, with [the networks](howto/own_network.md#published-networks) in a folder: `CAUSALGIA_NETWORKS=folder
causalgia run benchmarks/claims/mmsplice.toml --out results`. The page is written by `python
benchmarks/claims_page.py`."""

"""The page of audits as Markdown, from kept results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from catalogued.writing import table
from scipy import stats

from . import grammars, oracles, public

Results = dict[str, Any]
_NEAR = 0.05
_FIRST_UNSEEN = 2
"""Seed of the first grammars of unseen kinds."""


def page(runs: Sequence[Results]) -> str:
    """Return the page."""
    of = {
        family: [run for run in runs if run["family"] == family]
        for family in ("grammars", "oracles", "nothing", "public", "long")
    }
    old = [
        run for run in runs if all("contexts" not in x for x in run["share"].values())
    ]
    parts = [
        _HEAD,
        _promises(of),
        _OLD.format(old=len(old), runs=len(runs)),
        _HOW,
        f"## By kind of grammar\n\n{_KINDS}\n\n{_by_kind(of['grammars'])}",
        f"## The oracles of the zoo\n\n{_ORACLES}\n\n{_by_oracle(of['oracles'])}",
        f"## Networks that learned nothing\n\n{_NOTHING}\n\n{_of_nothing(of['nothing'])}",
        f"## Published networks\n\n{_PUBLIC}\n\n{_of_public(of['public'])}",
        f"## Sequences of 2,114 bp\n\n{_LONG}\n\n{_of_long(of['long'])}",
        f"## Time, memory and length\n\n{_costs(runs)}",
        f"## What fails, and when\n\n{_missed(of)}\n\n{_FAILS}",
    ]
    return "\n\n".join(parts) + "\n"


def _rate(hits: int, n: int) -> str:
    """Return a count, its share and the exact 95 % interval."""
    if not n:
        return "none"
    lower = stats.beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    upper = stats.beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return f"{hits:,} of {n:,}: {hits / n:.2f} [{lower:.2f}, {upper:.2f}]"


def _half(run: Results) -> str:
    unseen = int(run["name"]) % 2 == 1 and run["seed"] >= _FIRST_UNSEEN
    return "unseen" if unseen else "mended on"


def shares_near(run: Results) -> list[tuple[float, float]]:
    """Return the share explained by the audit and by the truth, of each task."""
    return [
        (own["rules"][0], run["true_share"][task]["rules"][0])
        for task, own in run["share"].items()
        if "true_share" in run
    ]


def counts(runs: Sequence[Results]) -> dict[str, tuple[int, int]]:
    """Return hits and trials of each promise over runs with a known truth."""
    shares = [pair for run in runs for pair in shares_near(run)]
    planted = [one for run in runs for one in run["planted"]]
    return {
        "due": (sum(r["due_named"] for r in runs), sum(r["due"] for r in runs)),
        "false": (sum(len(r["false_names"]) for r in runs), sum(r["named"] for r in runs)),
        "twice": (sum(r["doubles"] for r in runs), sum(r["named"] for r in runs)),
        "planted": (sum(one["named"] for one in planted), len(planted)),
        "gaps": (sum(one["gaps_right"] for one in planted), len(planted)),
        "false rules": (
            sum(len(r["false_rules"]) for r in runs),
            sum(len(r["rules_told"]) for r in runs),
        ),
        "strands": (sum(r["strands_right"] for r in runs), len(runs)),
        "share": (sum(abs(a - b) <= _NEAR for a, b in shares), len(shares)),
    }  # fmt: skip


def _promises(of: dict[str, list[Results]]) -> str:
    halves = {
        half: [run for run in of["grammars"] if _half(run) == half]
        for half in ("unseen", "mended on")
    }
    known = {**halves, "oracles": of["oracles"]}
    rows = []
    for name, what, promised in (
        ("due", "words whose own effect is two bounds or more: named", ">= .95"),
        ("false", "motifs named that are no word", "<= .05"),
        ("twice", "motifs named that are a word named before, or a variant of it", ""),
        ("planted", "rules of spacing: named", ""),
        ("gaps", "rules of spacing: both ends within 1 bp", ">= .95"),
        (
            "false rules",
            "rules told that are not so, above a quarter of the largest",
            "<= .05",
        ),
        ("strands", "whether it reads one strand or both: told right", ""),
        ("share", "tasks whose share explained is within .05 of the truth's", ""),
    ):
        counted = {half: counts(runs)[name] for half, runs in known.items()}
        rows.append([what, promised, *(_rate(*one) for one in counted.values())])
    nothing = of["nothing"]
    for name in dict.fromkeys(run["name"] for run in nothing):
        runs = [run for run in nothing if run["name"] == name]
        hits = sum(run["nothing"] for run in runs)
        rows.append(
            [f'{name}: "nothing holds"', ">= .95", _rate(hits, len(runs)), "", ""]
        )
    head = ["", "wanted", "grammars, unseen", "grammars mended on", "oracles"]
    return f"## In one table\n\n{_TABLE}\n\n{table(head, rows)}"


def _by_kind(runs: Sequence[Results]) -> str:
    head = ["grammar", "networks", "words named", "false", "rules named", "gaps right"]
    head += ["rules told", "false", "share, truth", "share, audit", "seconds"]
    rows = []
    for kind in dict.fromkeys(kind.name for kind in grammars.KINDS):
        own = [run for run in runs if run["kind"] == kind]
        if own:
            rows.append([kind, f"{len(own)}", *_cells(own)])
    return table(head, rows)


def _cells(runs: Sequence[Results]) -> list[str]:
    found = counts(runs)
    pairs = [pair for run in runs for pair in shares_near(run)]

    def of(name: str) -> str:
        hits, n = found[name]
        return f"{hits} of {n}" if n else "-"

    return [
        of("due"),
        f"{found['false'][0]}",
        of("planted"),
        of("gaps"),
        f"{found['false rules'][1]}",
        f"{found['false rules'][0]}",
        _few(b for _, b in pairs),
        _few(a for a, _ in pairs),
        f"{np.median([run['cpu_seconds'] for run in runs]):.0f}",
    ]


def _few(values: Iterable[float]) -> str:
    """Return the smallest and the largest share."""
    shares = sorted(values)
    ends = [f"{x:.2f}".removeprefix("0") for x in shares[:1] + shares[-1:]] or ["-"]
    return " to ".join(dict.fromkeys(ends))


def _by_oracle(runs: Sequence[Results]) -> str:
    head = ["oracle", "audits", "words named", "false", "rules told", "false"]
    head += ["share, truth", "share, audit", "seconds"]
    rows = []
    for name in oracles.NAMES:
        own = [run for run in runs if run["name"] == name]
        if own:
            cells = _cells(own)
            rows.append([f"`{name}`", f"{len(own)}", *cells[:2], *cells[4:]])
    return table(head, rows)


def _of_nothing(runs: Sequence[Results]) -> str:
    head = ["network", "audits", '"nothing holds"', "motifs named", "rules told"]
    rows = []
    for name in dict.fromkeys(run["name"] for run in runs):
        own = [run for run in runs if run["name"] == name]
        hits = sum(run["nothing"] for run in own)
        rows.append(
            [
                name,
                f"{len(own)}",
                _rate(hits, len(own)),
                f"{sum(r['n_read'] for r in own)}",
                f"{sum(r['n_rules'] for r in own)}",
            ]
        )
    return table(head, rows)


def _of_public(runs: Sequence[Results]) -> str:
    parts = []
    for run in runs:
        factors = [
            f"{name} ({', '.join(labels)})"
            for name, labels in run["factors"].items()
            if labels
        ]
        absent = [name for name, labels in run["factors"].items() if not labels]
        shares = [
            f"{task} {own['rules'][0]:.2f} [{own['rules'][1]:.2f}, {own['rules'][2]:.2f}]"
            for task, own in run["share"].items()
        ]
        lines = [
            f"**{run['name']}**, {public.SEQUENCES[run['name']]}; "
            f"{run['cpu_seconds']:.0f} s of processor time.",
            f"Share of variance explained: {'; '.join(shares)}.",
            f"Known factors named: {'; '.join(factors) or 'none'}. "
            f"Not named: {', '.join(absent) or 'none'}. "
            f"Other motifs: {', '.join(run['others']) or 'none'}.",
            f"Rules that hold: {'; '.join(run['rules']) or 'none'}.",
        ]
        answer = "\n".join(run["answer"])
        parts.append("\n".join(lines) + f"\n\n```text\n{answer}\n```")
    return "\n\n".join(parts) if parts else "Not measured yet."


def _of_long(runs: Sequence[Results]) -> str:
    head = ["network", "words named", "false", "gaps right", "share, audit", "minutes"]
    rows = []
    for run in runs:
        named, false, _, gaps, *_ = _cells([run])
        share = _few(own["rules"][0] for own in run["share"].values())
        cost = [f"{run['cpu_seconds'] / 60:.0f}", f"{run['peak_mib_more']:,}"]
        rows.append([run["name"], named, false, gaps, share, *cost])
    return table([*head, "MiB"], rows) if rows else "Not measured yet."


def _costs(runs: Sequence[Results]) -> str:
    at_200 = [run for run in runs if run["family"] in ("grammars", "oracles")]
    if not at_200:
        return "Not measured yet."
    cpu = [run["cpu_seconds"] for run in at_200]
    # a process that made several has the peak of the largest
    more = [run["peak_mib_more"] for run in runs if run["peak_mib_more"] is not None]
    lines = [run["lines"] for run in runs]
    return (
        f"Processor time of an audit of a grammar or an oracle, 300 to 1,000 sequences of "
        f"41 to 200 bp: {np.median(cpu):.0f} s in the middle, {max(cpu):.0f} s at most (five "
        f"minutes wanted). Memory beside that of the process before, of the {len(more)} of "
        f"2,114 bp: {max(more):,} MiB at most. Lines printed: "
        f"{np.median(lines):.0f} in the middle, {max(lines)} at most (12 wanted); "
        f"{sum(x > 12 for x in lines)} of {len(lines)} audits printed more."
    )


def _missed(of: dict[str, list[Results]]) -> str:
    """Return what was missed or false, run by run."""
    rows = []
    for run in (*of["grammars"], *of["oracles"]):
        what = [f"missed {x}" for x in run["missed"]]
        what += [f"{x} is no word" for x in run["false_names"]]
        what += [f"{x} is not so" for x in run["false_rules"]]
        what += [
            f"{one['rule']}: " + ("gaps " + " to ".join(map(str, one["gaps"])) if one["named"] else "not named")
            for one in run["planted"]
            if not one["gaps_right"]
        ]  # fmt: skip
        what += [] if run["strands_right"] else ["the other strand"]
        what += [
            f"explains {a:.2f}, the truth {b:.2f}"
            for a, b in shares_near(run)
            if abs(a - b) > _NEAR
        ]
        if what:
            half = f" ({_half(run)})" if run["family"] == "grammars" else ""
            rows.append([f"{run['kind']}{half}", f"{run['seed']}", "; ".join(what)])
    head = ["network", "seed", "what"]
    return table(head, rows) if rows else "Nothing was missed, and nothing false named."


_HEAD = """# Audits of networks whose grammar is known

`cg.audit` says which motifs a network reads, by which rules two act together, and how
much of its predictions that is. Here it is given networks of which this is known, and
networks that learned nothing. Written by `python benchmarks/audit_page.py --write` from
`benchmarks/audited/results.json`, which has a row for each audit, with what it missed.

## What is claimed

1. **Motifs.** A word that alone, in 3,000 fresh shuffles, moves a task by two bounds or
   more is named. What is named is such a word. The bound is that of the audit: three
   tenths of the standard deviation of predictions beyond the 95 % prediction limits of 19
   words of its letters in other orders.
2. **Rules.** Two words that act together in a window of gaps are named with the window,
   both ends within 1 bp. Nothing else is told above a quarter of the largest interaction.
3. **Share explained.** On sequences that had no part in it, the audit's list explains
   within .05 of what the true words and rules explain in the same regression.
4. **Nothing.** Of a network with random weights, or trained on shuffled labels, it says
   that nothing holds."""
_TABLE = """Counts, shares and their exact 95 % intervals. Audits of one grammar with
several seeds are different networks. Grammars stand in two parts: those on which the
method was mended while the failures were looked at one by one, and those that had no part
in it, of other kinds and seeds. What is wanted was fixed before the first audit, and no test enforces it;
where the interval excludes it, it is missed."""
_OLD = """{old} of the {runs} audits, of 2,114 bp, was run before audits had an account: its share knows neither
contexts nor how well a motif is matched, and motifs were read whatever their sites carry."""
_HOW = """## How it was tried

**Grammars.** Two to five motifs of 6 to 12 bp, drawn at random with each seed: words,
words of which two letters admit another base, or matrices whose weak windows count in
part; on one strand or both. The answer is their weighed sum, its exponential, or a
saturating function of it. Some have a rule of spacing (a pair at gaps of a window of three
to seven, in one order and orientation, adds 1.2 to 2.0, once a sequence), a partner that
does nothing alone, a motif that acts in one window of 80 bp, or less the more of the 40
bases around are G or C, two motifs with five letters in common, a slope on GC, two or three
tasks that weigh the motifs differently, or a random table of words of four letters beside
them. 300 to 1,000 sequences of 200 bp with 35 to 65 % GC, each motif in about half.

**Judging.** A named motif is a word if their letters agree over three fifths of the
shorter, at five positions or more (one letter may differ of six or more), or if its
matrix has a site where the word stands in nine of ten random sequences. The interaction of
a told rule is computed from the network with the *true* words at the same gaps on fresh
shuffles: a rule is false if that is below a quarter of the largest planted one, or has the
other sign. The share that can be reached is that of the true words' counts on each
strand, their presence, GC and CpG, and the true rules, by the same regression on the
same sequences: place and saturation are no features of it, so that an audit, which counts
motifs where they act, may explain more.

**Oracles.** Each of `cg.zoo` on 400 random sequences in which its words, and pairs of them
at random gaps, were written."""
_KINDS = """Words named: of those with an effect of two bounds. Shares: the smallest and the
largest over networks and tasks. Seconds: processor time, the middle one."""
_ORACLES = """Their rules have no windows but decays, phases and clashes, so that windows are not
judged. Shares as above; the truth has the oracle's own pair terms as features."""
_NOTHING = """Small convolutional networks (two convolutions, two dense layers) with random
weights, or trained for 15 rounds on predictions of a grammar that were shuffled over
sequences. Their sequences have the motifs of a grammar."""
_PUBLIC = """The factors are those that the networks' authors or others report for these
proteins or cells; the words by which they are recognized are set in `benchmarks/audited/public.py`.
A motif that is not among these may be true: here the truth is not known."""
_LONG = """Minutes of processor time (60 wanted). The answer of "dilated convolutions" is the
words of a grammar beside a trunk of nine dilated convolutions of 64 channels, which
predicts as slowly as networks of chromatin accessibility do: `minutes=30` bounds how often
it is asked. "words" and "spacing, both strands", where there is a row, are the grammars
above at 2,114 bp. "dilated convolutions" was run before the bound was that of orders of a
motif's letters, and before sites were overwritten by these."""
_FAILS = """The reasons, as far as they were found:

- **Smooth syntax.** Interactions that decay or need a hairpin are told as windows of gaps,
  or not at all, and a window explains less than the curve. Those that follow the helical
  turn are told as waves.
- **Many weak sites.** A word of four letters, or one whose effect is below the bound, is
  not named, however many copies there are; together they may explain much.
- **Weak and strong sites.** The regression has the number of sites, whether there are any,
  and the sum of their scores. A network that saturates in the affinity of a single site
  differs.
- **A third site.** Two motifs with one base between them may write a site of a third in a
  quarter of the backgrounds; its effect is told as a rule at 1 bp. Side by side, where they
  write it in all, they are not asked.
- **What is not in the sequences** is not proposed: a word in few of them is not found."""

"""The page of interpretation methods, from the kept results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from interpreted.gates import GATES, MAPS
from interpreted.grammars import LARGEST, METHODS as ON_GRAMMARS, ON_ONE
from interpreted.methods import METHODS
from interpreted.zoo import PROMISED

Results = dict[str, Any]
Row = tuple[str, str, str, float, float, int]
RATE, NOMINAL, CHANCE = 0.1, 2.0, 0.5
_SCORES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "precision_at_k": "precision@k",
    "sign": "sign",
    "attenuation": "attenuation",
    "fdp": "false discoveries",
    "recall": "recall",
}
_TABLES = ("auroc", "precision_at_k", "attenuation", "fdp", "recall")


def page(results: Results) -> str:
    """Return the page."""
    of_zoo = {
        name: results[f"zoo: {name}"]["found"]
        for name in METHODS
        if f"zoo: {name}" in results
    }
    grammars = {
        name: results[f"grammars: {name}"]["found"]
        for name in ON_GRAMMARS
        if f"grammars: {name}" in results
    }
    parts = [_HEAD]
    parts += [_gates(results["gates"]["found"])] if "gates" in results else []
    parts += (
        [_confounded(results["confounded"]["found"])] if "confounded" in results else []
    )
    parts += [_words(results["motifs"]["found"])] if "motifs" in results else []
    parts += [_zoo(of_zoo)] if of_zoo else []
    parts += [_grammars(grammars)] if grammars else []
    parts.append(_missed(results, {"zoo": of_zoo, "grammars": grammars}))
    seconds = sum(one["seconds"] for one in results.values())
    parts.append(
        "## What it cost\n\n"
        f"{seconds / 60:.0f} minutes of processor time, {_longest(results)}."
    )
    return "\n\n".join(parts) + "\n"


def promised(found: Results) -> list[tuple[str, str, float, float, float, float]]:
    """Return method, network, AUROC and precision@k with the least that is promised of
    each.
    """
    listed = []
    for method, (_, _, least_auroc, least_precision) in PROMISED.items():
        by: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for case, network, score, value, *_ in found.get(method, ()):
            by[case, network][score] = value
        listed += [
            (
                method,
                f"{case}, {network}",
                one["auroc"],
                least_auroc,
                one["precision_at_k"],
                least_precision,
            )
            for (case, network), one in by.items()
        ]
    return listed


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(rows: Sequence[Row]) -> str:
    """Return the mean over networks, with the standard error over sequences of one
    network (root mean square).
    """
    if not rows:
        return "-"
    value, se = (
        np.mean([row[3] for row in rows]),
        np.sqrt(np.mean([row[4] ** 2 for row in rows])),
    )
    return f"{_short(float(value))} ({_short(float(se))})"


def _short(value: float) -> str:
    """Return a number to three digits after the point, without a leading 0, and never
    as minus nothing.

    Examples
    --------
    >>> _short(0.5), _short(-0.0001), _short(1.25), _short(-0.25)
    ('.500', '.000', '1.250', '-.250')
    """
    text = f"{value:.3f}"
    text = "0.000" if text == "-0.000" else text
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _grid(found: dict[str, Results], score: str) -> str:
    cases = list(dict.fromkeys(row[0] for one in found.values() for row in one["rows"]))
    refused = {
        name: {case for case, *_ in one["refused"]} for name, one in found.items()
    }
    body = []
    for case in cases:
        cells = []
        for name, one in found.items():
            rows = [row for row in one["rows"] if row[0] == case and row[2] == score]
            cells.append(
                "refused" if not rows and case in refused[name] else _cell(rows)
            )
        body.append([case, *cells])
    return _table(
        ["case", *found],
        [row for row in body if any(cell not in ("-", "refused") for cell in row[1:])],
    )


def _zoo(found: dict[str, Results]) -> str:
    head = [
        "method",
        *_SCORES.values(),
        "agreement",
        "interaction error",
        "forwards",
        "refused",
    ]
    body = []
    for name, one in found.items():
        cells = []
        for score in (*_SCORES, "agreement", "interaction_error"):
            by_case = defaultdict(list)
            for row in one["rows"]:
                if row[2] == score:
                    by_case[row[0]].append(
                        abs(row[3]) if score == "interaction_error" else row[3]
                    )
            means = [float(np.mean(values)) for values in by_case.values()]
            cells.append(_short(float(np.mean(means))) if means else "-")
        forwards = [
            row[3]
            for row in one["rows"]
            if row[2] == "forwards" and row[0].startswith("rbfox1_like,")
        ]
        cells.append(f"{np.mean(forwards):,.0f}" if forwards else "-")
        body.append([name, *cells, str(len(one["refused"])) if one["refused"] else ""])
    summary = _table(head, body)
    grids = "\n\n".join(
        f"### {_SCORES[score]}\n\n{_SAID[score]}\n\n{_grid(found, score)}"
        for score in _TABLES
    )
    return f"## Methods over the zoo\n\n{_ZOO}\n\n{summary}\n\n{grids}"


def _gates(found: Results) -> str:
    body = []
    for method in MAPS:
        if method not in found["maps"]:
            continue
        rows, cells = found["maps"][method]["rows"], []
        refused = {
            (case, network) for case, network, _ in found["maps"][method]["refused"]
        }
        for gate in GATES:
            cell = []
            for network in ("oracle", "CNN"):
                one = {
                    row[2]: row[3]
                    for row in rows
                    if row[0] == gate and row[1] == network
                }
                none = "refused" if (gate, network) in refused else "-"
                cell.append(
                    f"{_short(one['auroc'])} ({_short(one['attenuation'])})"
                    if one
                    else none
                )
            cells.append(" / ".join(cell))
        body.append([method, *cells])
    for network, one in found["trial"].items():
        cells = [f"{one[gate][0]:.3f} ({abs(one[gate][1]):.3f})" for gate in GATES]
        body.append([f"**trial, {network}**", *cells[:3], f"effect {cells[3]}"])
    r2 = (
        f"R2 {min(found['r2'].values()):.3f} to {max(found['r2'].values()):.3f} on new "
        "sequences"
    )
    return (
        "## Why a trial follows a map\n\n"
        f"{_GATES.format(r2=r2)}\n\n"
        f"{_table(['', *GATES], body)}\n\n"
        f"{_GATES_SAY}"
    )


def _confounded(found: Results) -> str:
    rows = [
        [name, f"{value:.3f}", f"{se:.3f}" if se else "exact"]
        for name, (value, se) in found.items()
    ]
    return (
        "## Regression on observed sequences\n\n"
        f"{_CONFOUNDED}\n\n"
        f"{_table(['estimate', 'effect', 'SE'], rows)}"
    )


def _words(found: Results) -> str:
    by: dict[tuple[str, str], list[tuple[float, float, float, float]]] = defaultdict(
        list
    )
    for method, network, *figures in promised(found):
        by[method, network.split(",")[0]].append(tuple(figures))  # type: ignore[arg-type]  # four numbers
    rows = []
    for (method, networks), figures in by.items():
        auroc, least, precision, least_precision = np.array(figures).T
        held = int(((auroc >= least) & (precision >= least_precision)).sum())
        rows.append([
            method, networks, f"{_short(auroc.min())} to {_short(auroc.max())}", f"{least[0]:g}",
            f"{_short(precision.min())} to {_short(precision.max())}", f"{least_precision[0]:g}",
            f"{held} of {len(figures)}" if held == len(figures) else f"**{held} of {len(figures)}**",
        ])  # fmt: skip
    head = [
        "method",
        "networks",
        "AUROC",
        "at least",
        "precision@k",
        "at least",
        "reached",
    ]
    return f"## UGCAUG in ten networks\n\n{_WORDS}\n\n{_table(head, rows)}"


def _grammars(found: dict[str, Results]) -> str:
    one_each = {
        name: one
        | {"rows": [row for row in one["rows"] if row[1] == LARGEST], "refused": []}
        for name, one in found.items()
    }
    shown = "auroc", "precision_at_k", "sign"
    grids = "\n\n".join(
        f"### {_SCORES[score]}\n\n{_grid(one_each, score)}" for score in shown
    )
    on_all = {name: one for name, one in found.items() if name not in ON_ONE}
    by_network = {
        name: one
        | {
            "rows": [(f"{row[0]}, {row[1]}", *row[1:]) for row in one["rows"]],
            "refused": [],
        }
        for name, one in on_all.items()
    }
    nothing = [
        f"{name} calls {'bases in ' + '; '.join(wrong) if wrong else 'nothing'}"
        for name, one in on_all.items()
        for wrong in [
            [
                row[0]
                for row in one["rows"]
                if "not learned" in row[0] and row[2] == "fdp" and row[3] > 0
            ]
        ]
    ]
    return (
        "## Networks of simulated grammars\n\n"
        f"{_GRAMMARS}\n\n"
        f"{grids}\n\n"
        "### AUROC in every network\n\n"
        f"{_grid(by_network, 'auroc')}\n\n"
        "In networks that did not learn, where nothing is to be found: "
        f"{', '.join(nothing)}."
    )


def _missed(results: Results, found: dict[str, dict[str, Results]]) -> str:
    lines = []
    if "motifs" in results:
        for method, network, auroc, least, precision, least_precision in promised(
            results["motifs"]["found"]
        ):
            if auroc < least or precision < least_precision:
                lines.append(
                    f"{method} of UGCAUG, {network}: AUROC {auroc:.3f} (at least "
                    f"{least:g}), precision@k {precision:.3f} (at least "
                    f"{least_precision:g})."
                )
    if "gates" in results:
        found = found | {"gates": results["gates"]["found"]["maps"]}
    above: dict[str, list[str]] = defaultdict(list)
    for place, methods in found.items():
        for method, one in methods.items():
            by_case = defaultdict(list)
            networks = Counter(row[0] for row in one["rows"] if row[2] == "fdp")
            for row in one["rows"]:
                if (
                    place != "gates"
                    and row[2] == "fdp"
                    and "not learned" not in row[0]
                    and row[3] - NOMINAL * row[4] > RATE
                ):
                    by_case[row[0]].append(row[3])
            nothing = [
                row[:2]
                for row in one["rows"]
                if row[2] == "auroc" and row[3] == CHANCE and place == "zoo"
            ]
            blind = [
                case if network == "oracle" else f"{case}, {network}"
                for case, network in nothing
            ]
            lines += (
                [f"{method} finds nothing in {'; '.join(blind)} (AUROC {CHANCE:g})."]
                if blind
                else []
            )
            above[method] += [
                _largest_above(case, values, networks[case])
                for case, values in by_case.items()
            ]
            by_reason: dict[str, list[str]] = defaultdict(list)
            for case, network, why in one["refused"]:
                by_reason[why.split(";")[0]].append(f"{case}, {network}")
            lines += [
                f"{method} refuses {'; '.join(cases)} ({place}): {_one_line(why)}."
                for why, cases in by_reason.items()
            ]
    lines += [
        f"{method}: false discoveries above the nominal {RATE:g}, by more than two "
        f"standard errors: {'; '.join(cases)}."
        for method, cases in above.items()
        if cases
    ]
    text = "\n".join(f"- {line}" for line in lines) or "- Everything above is."
    return f"## What is not reached\n\n{text}"


def _largest_above(case: str, values: list[float], n_networks: int) -> str:
    if n_networks == 1:
        return f"{case} {values[0]:.2f}"
    return (
        f"{case} {max(values):.2f} (largest of {n_networks} networks, {len(values)} "
        "above)"
    )


def _one_line(text: str, most: int = 160) -> str:
    text = " ".join(text.split()).replace("_", r"\_").rstrip(".")
    return text if len(text) <= most else f"{text[:most]} ..."


def _longest(results: Results) -> str:
    longest = sorted((-one["seconds"], name) for name, one in results.items())[:3]
    return "most of it for " + ", ".join(
        f"{name} ({-seconds / 60:.1f})" for seconds, name in longest
    )


_HEAD = """# Methods of interpretation against known truth

Maps, marginalization and trials, each where the truth is known: for choosing a method. Your own method can be
evaluated on the same cases by `interpretation(method)` of `benchmarks/interpreted`: see
[how](howto/own_interpretation_method.md). The page is written by `python benchmarks/interpretation.py`.

A case is a set of sequences in which sites were planted, and networks that read them. The bases that are read are
known from the oracle (`cg.zoo.read_by`) or from the simulation; the effect of a site is computed from predictions
with and without it. Figures are means over 40 sequences, with their standard error in brackets; for several
networks, the mean over them, with the standard error for one network. Methods that average over baselines use 16
dinucleotide shuffles, unless another number is given. ISM is in silico mutagenesis, IG integrated gradients, and
AUROC the area under the ROC curve."""
_GATES = """Two sites in 60 bp: AUROC of their bases and, in brackets, the attenuation (1: as much as a
single site counts; 0: nothing), of the oracle `gated` / of a CNN trained on it ({r2}). The last rows are the
interaction of the two motifs in a trial of four arms on 100 units, with its standard error."""
_GATES_SAY = """If either of two sites is enough, single substitutions show almost nothing of them. Integrated
gradients show them, but give each site half of its effect under both AND and OR, so they do not distinguish these
gates. A trial with four arms does."""
_CONFOUNDED = """The effect of AGATAAG in the oracle `gata1_like` (task K562). Half of 4,000 sequences are
enhancers, in which this motif and three others are each present with probability .6; in the other sequences, with
probability .1. Regression on the presence of the motif attributes the effects of the other motifs to it. With these as
covariates it errs in the other direction, because the oracle is not additive. The trial embeds the motif in 1,000
random sequences; the truth is in closed form."""
_WORDS = """AUROC and precision@k (k = 6) of the six bases of UGCAUG, planted once in 41-nt sequences, of
the networks `rbfox1_like`: the smallest and the largest of five networks; 64 baselines. All other bases count as
not read."""
_ZOO = """Means over the cases and networks that a method accepts (a family of networks is one case); absolute
interaction errors, relative to the largest effect of a site; forward passes per sequence of 41 bp, a backward pass
counted as two. "propose, test" uses half of the sequences for proposals by integrated gradients and half for the
trial, with a region of a tenth of the difference between sequences and their shuffles, and the four strongest motifs
tested in pairs as well."""
_SAID = {
    "auroc": "Of the absolute scores: .5 is chance.",
    "precision_at_k": (
        "Share of bases that are read among the k with the largest scores (k bases are "
        "read)."
    ),
    "attenuation": (
        "Score per unit of effect of sites, relative to single sites of an additive "
        "oracle."
    ),
    "fdp": """Share of false calls among the bases called at a nominal false discovery rate of .1, by Benjamini-Hochberg
against maps of shuffled sequences. This rate is not guaranteed: those maps lack the scores that a site adds to
adjacent bases. Where nothing is called (recall 0) it is 0.""",
    "recall": """Share of the bases read that are called. Shuffles of a sequence with many copies of a motif contain
some of them, and these score higher than copies that saturate.""",
}
_GRAMMARS = """Networks of DragoNN (github.com/kundajelab/dragonn, MIT), trained by others on simulated sequences whose
rules are known. Sites are drawn from the motifs; bases of columns with one bit or more count as read, and the other
bases of a site are not evaluated; 8 baselines. The tables are for the networks trained on 12,000 sequences; gradient
and DeepLIFT were run on all 24. A site counts where it was written: in the center or beside it (localization, where
its sign turns), three times (counting), at a gap of 3 (heterodimer), beside motifs of other tasks (multi)."""

"""The page of the catalogue as Markdown, from kept results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from causalgia.experiments import Entry, entries
from causalgia.tell.table_formats import format_number, format_se

from . import trained

Results = dict[str, Any]
HEAD = Path(__file__).with_name("head.md")


def page(results: Results, *, real: str = "") -> str:
    """Return the page; `real` is a section about real networks, written elsewhere."""
    known = entries()
    parts = [
        _head(),
        _overview(
            {
                name: results["oracle"][name]
                for name in known
                if name in results["oracle"]
            }
        ),
    ]
    if "planted" in results:
        parts.append(_planted(results["planted"]))
    if "trained" in results:
        parts.append(_findings(trained.findings(results)))
    parts += [real.strip()] if real else []
    parts += [
        _section(name, entry, results)
        for name, entry in known.items()
        if name in results["oracle"]
    ]
    if "trained" in results:
        parts.append(_null_models(results["trained"]["nulls"]))
    if "controls" in results:
        parts.append(_controls(results["controls"]))
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    """Return the guide at the top of the page, with a row for each entry."""
    text = HEAD.read_text(encoding="utf-8").strip()
    rows = "\n".join(
        f"| {entry.question} | [`{name}`](#catalogue-{name}) |"
        for name, entry in entries().items()
    )
    return text.replace("{entries}", rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a Markdown table.

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "2|3"]]))
    | a | b |
    |---|---|
    | 1 | 2\|3 |
    """
    lines = [list(head), ["---"] * len(head), *rows]
    made = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    ]
    made[1] = f"|{'---|' * len(head)}"
    return "\n".join(made)


def _number(value: float, against: float) -> str:
    return format_number(value, against) if value else "0"


def _effect(row: Results) -> list[str]:
    size = row["se"] or abs(row["ace"]) / 1000 or 1e-3
    return [_number(row[name], size) for name in ("truth", "ace")] + [
        format_se(row["se"])
    ]


def _short(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def _interval(row: Results) -> str:
    size = (
        row["se"] or (row["upper"] - row["lower"]) / 4 or abs(row["ace"]) / 1000 or 1e-3
    )
    return f"[{_number(row['lower'], size)}, {_number(row['upper'], size)}]"


def _overview(oracle: Results) -> str:
    head = [
        "experiment",
        "effects",
        "largest |z|",
        "bound",
        "verdicts checked",
        "wrong",
        "verdicts due",
        "missed",
    ]
    rows = [
        [
            f"[{name}](#catalogue-{name})",
            f"{one['n_contrasts']:,}",
            f"{one['largest_z']:.2f}",
            f"{one['limit']:.2f}",
            f"{one['n_clear']:,}",
            f"{one['n_wrong']}",
            f"{one['n_due']:,}",
            f"{one['n_missed']}",
        ]
        for name, one in oracle.items()
    ]
    return f"## Known effects are recovered\n\n{_OVERVIEW}\n\n{table(head, rows)}"


def _planted(found: Results) -> str:
    names = ("seeds", "planted", "missed", "false", "raises", "lowers")
    names += ("nothing", "negligible", "lines")
    rows = [[name, *(f"{one[key]:,}" for key in names)] for name, one in found.items()]
    head = ["entry", *names]
    return f"## A planted grammar is found\n\n{_PLANTED}\n\n{table(head, rows)}"


def _findings(found: list[Results]) -> str:
    rows = [
        [one["finding"], "yes" if one["holds"] else "**NO**", one["by"]]
        for one in found
    ]
    evidence = table(["finding", "found", "evidence"], rows)
    return f"## Findings of the papers, on trained networks\n\n{_TRAINED}\n\n{evidence}"


def _section(name: str, entry: Entry, results: Results) -> str:
    one = results["oracle"][name]
    parts = [
        f"(catalogue-{name})=\n## {name}",
        f"**{entry.question}** After [doi:{entry.doi}](https://doi.org/{entry.doi}).",
        f"- Estimand: {entry.estimand}\n- Design: {one['design']}.",
        f"![{name}: {entry.question}](catalogue/{name}.png)",
        _said(one["sentences"]),
        _against_truth(one),
    ]
    parts += [
        _members(key, found)
        for key, found in results.get("trained", {}).get("experiments", {}).items()
        if key.split(" ")[0] == name
    ]
    return "\n\n".join(part for part in parts if part)


def _said(sentences: Sequence[str], most: int = 10) -> str:
    """Return sentences as a quotation, those about an effect that is exactly none
    last.
    """
    shown = sorted(sentences, key=lambda text: "0 [0, 0]" in text)[:most]
    more = len(sentences) - len(shown)
    lines = [f"> {text}" for text in shown] + (
        [f"> ... and {more:,} more sentences."] if more else []
    )
    return "\n>\n".join(lines).replace("*", r"\*").replace("_", r"\_")


def _against_truth(one: Results) -> str:
    several = len({row["task"] for row in one["rows"]}) > 1
    head = [
        "contrast",
        *(["task"] if several else []),
        "truth",
        "ACE",
        "SE",
        "z",
        "95 % interval",
        "verdict",
    ]
    rows = [
        [
            row["contrast"],
            *([row["task"]] if several else []),
            *_effect(row),
            "" if row["z"] is None else f"{row['z']:.2f}",
            _interval(row),
            row["verdict"],
        ]
        for row in one["rows"]
    ]
    of = (
        f"of all {one['n_contrasts']:,} effects"
        if one["n_contrasts"] > 1
        else "of the one effect"
    )
    said = f"Largest |z| {of} {one['largest_z']:.2f} (bound {one['limit']:.2f}); "
    said += (
        f"wrong verdicts {one['n_wrong']} of {one['n_clear']:,}, missed "
        f"{one['n_missed']} of {one['n_due']:,}; truth by "
        f"{' and '.join(one['truth_by'])}."
    )
    if len(rows) < one["n_contrasts"]:
        said = (
            f"{len(rows)} of {one['n_contrasts']:,} effects are shown, the largest that "
            "answer the question. " + said
        )
    if one["n_exact"]:
        are = "effect is" if one["n_exact"] == 1 else "effects are"
        said += (
            f" {one['n_exact']:,} {are} the same in all units, or all but 8 at most, and "
            "without a z; the "
            f"largest distance from the truth is {_short(one['largest_exact_miss'])}."
        )
    warned = (
        "".join(f"\n\nIts warning: {text}" for text in one["warned"][:2])
        .replace("_", r"\_")
        .replace("*", r"\*")
    )
    return f"{table(head, rows)}\n\n{said}{warned}"


def _members(key: str, one: Results) -> str:
    head = [
        "contrast",
        "truth",
        "mean",
        "95 % interval",
        "members",
        "sd between",
        "paired SE",
        "verdict",
    ]
    rows = [
        [
            row["contrast"],
            f"{row['truth']:.2f}",
            f"{row['ace']:.2f}",
            f"[{row['lower']:.2f}, {row['upper']:.2f}]" if "lower" in row else "",
            ", ".join(f"{x:.2f}" for x in row["members"]),
            f"{row['between_sd']:.3f}",
            f"{row['paired_se']:.3f}",
            row.get("verdict", ""),
        ]
        for row in one["rows"]
    ]
    if not any("lower" in row for row in one["rows"]):
        keep = [
            i for i, name in enumerate(head) if name not in ("95 % interval", "verdict")
        ]
        head, rows = [head[i] for i in keep], [[row[i] for i in keep] for row in rows]
    title = (
        f"On five trained `{one['story']}` networks, {key.replace('_', ' ').replace('kmer', 'k-mer')}, "
        f"{one['n_units']:,} units:"
    )
    return f"{title}\n\n{table(head, rows)}\n\n{_said(one['sentences'], most=2)}"


def _null_models(one: Results) -> str:
    rows = [
        [name, f"{tau:.3f}"] for name, tau in zip(one["nulls"], one["tau"], strict=True)
    ]
    asked = table(["null model", "Kendall's tau with uniform"], rows)
    return f"## Null models\n\n{_NULLS}\n\n{asked}\n\n{_said(one['sentences'])}"


def _controls(controls: Results) -> str:
    words, same = controls["random_sequences"], controls["same_arms"]
    members = [
        [
            f"member {i}",
            f"{row['inside']} of {words['n_placebos']}",
            str(row["claimed"]),
            str(row["wrong"]),
        ]
        for i, row in enumerate(words["members"])
    ]
    placebo = table(
        ["network", "estimates inside the central 95 %", "claims", "wrong claims"],
        members,
    )
    again = (
        f"Two identical arms, with {same['n_units']} fresh units in each, on a trained "
        f"network: of {same['n_trials']:,} trials, {same['rejected']} have p < 0.05 "
        f"(99.9 % range of chance: {same['band'][0]} to {same['band'][1]}). A "
        f"Kolmogorov-Smirnov test of uniform p-values has p = {same['uniform_p']:.2f}."
    )
    none = table(
        ["experiment", "interaction", "effect", "region", "verdict"],
        [
            [
                row["experiment"],
                row["contrast"],
                f"{row['ace']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}]",
                f"{row['rope_lower']:.3f} to {row['rope_upper']:.3f}",
                row["verdict"],
            ]
            for row in controls["no_interaction"]
        ],
    )
    return (
        "## Control tests\n\n"
        "### Random sequences\n\n"
        f"{_PLACEBOS.format(**words)}\n\n"
        f"{placebo}\n\n"
        "### A against A\n\n"
        f"{again}\n\n"
        "### No interaction\n\n"
        f"{_NONE}\n\n"
        f"{none}"
    )


_OVERVIEW = """Each experiment is run on an oracle of the zoo, whose effects are known. An effect is a
contrast in one task. z is (estimate - truth) / SE; by chance, the largest |z| of that many effects exceeds the bound
with a probability of at most 1 in 10,000. A verdict is where the 95 % interval of an effect lies, if its q is at most
.05 ([the rule](verdicts.md)). It is checked if the truth lies more than five standard errors from
both bounds of the region of practical equivalence. It is due if the truth is two bounds or more and the estimate lies
eight standard errors or more beyond a bound; a verdict that is due and "undecided" is missed. If the region comes from
random sequences, the mean error that all motifs share is subtracted first."""
_PLANTED = """Each entry is run at its defaults, from several seeds, on a network whose grammar was written into it
(`benchmarks/catalogued/planted_networks.py`): mostly AP-1 (0.6; up to three copies add), TEAD (0.05, and 1.5 more at
gaps of 3 to 8 after AP-1 on the same strand), an inhibitor that lowers the outcome in the middle half of the sequence
and raises it elsewhere, GC, and noise that no motif explains; a second task has AP-1, GC and the noise alone. A
statement is a shape of the answer (with its places, gaps, copies or letters), the 5 % or 95 % quantile of the effects
of sites or sequences (to within .2), or the verdict on a row of the question. Over all seeds, `planted` counts the
statements that are true and name an effect, `missed` those of them that an answer lacks; `false` the statements that
are not true, of an effect that is not there or with another sign, or of nothing where there is an effect; `raises` and
`lowers` the true ones of each sign (of `context_swap`, `moderation` and `null_models` one that there is); `nothing` the
rows and quantiles without an effect, `negligible` those of them that are told as such (the rest are
undecided). In screens, a row has an effect if its true one lies two half-widths or more from the middle of the range
of random sequences, and none inside of it. Of `context_swap` and `across_predictors`, an interval that does not
hold the true share is false as well, as one in twenty may be, and one that does is counted with `negligible`. In
`position`, the inhibitor adds .01 by its own GC, half of the region, to the task that does not read it. Among
matched variants, q <= .05 allows that 5 % of the directions are false. `lines` is the length of the longest answer, on
one to three tasks (`python -m benchmarks.catalogued.planted`)."""
_TRAINED = """Five small networks were trained on the outputs of each oracle with added noise, from different seeds
(`cg.zoo.ensemble("rbfox1_like")` and `("vts1_like")`). Intervals and verdicts are about the mean over networks
trained in this way (`target="population x predictors"`): they include the disagreement between the five, which is
usually several times the paired standard error within one. The region of practical equivalence is -0.2 to 0.2 log
intensity, an eighteenth of the effect of one site of RBFOX1."""
_NULLS = """Do five null models, four of them made from sequences rich in A and U, give the same order of effects?
The effects are those of UGCAUG, of its 18 single-base changes, and their differences, on one trained network."""
_PLACEBOS = """{n_placebos} random sequences are tested as if they were treatments, against 100 random sequences
({n_units:,} units, false discovery rate 5 %). A claim is wrong if the true effect of the motif lies inside the
central 95 % of the random sequences."""
_NONE = """The oracle `additive` adds the effects of motifs and has no interactions. Every experiment that estimates an
interaction must find it negligible, with a region of 0.2 sd of the control. The last row is a true interaction:
copies at 4, 12 and 20, as published, leave two bases between them, and where these are CA they complete one more
UGCAUG across the gap, which neither copy creates alone."""

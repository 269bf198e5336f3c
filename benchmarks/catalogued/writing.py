"""The page of the catalogue as Markdown, from kept results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from causalgia.experiments import Entry, entries
from causalgia.reporting import format_number, format_se

from . import trained

Results = dict[str, Any]


def page(results: Results, *, real: str = "") -> str:
    """Return the page; `real` is a section about real networks, written elsewhere."""
    known = entries()
    parts = [_HEAD, _overview({name: results["oracle"][name] for name in known if name in results["oracle"]})]
    if "trained" in results:
        parts.append(_findings(trained.findings(results)))
    parts += [real.strip()] if real else []
    parts += [_section(name, entry, results) for name, entry in known.items() if name in results["oracle"]]
    if "trained" in results:
        parts.append(_null_models(results["trained"]["nulls"]))
    parts.append(_pairing(results["oracle"]))
    if "controls" in results:
        parts.append(_controls(results["controls"]))
    return "\n\n".join(parts) + "\n"


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
    made = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
    made[1] = f"|{'---|' * len(head)}"
    return "\n".join(made)


def _number(value: float, against: float) -> str:
    return format_number(value, against) if value else "0"


def _effect(row: Results) -> list[str]:
    size = row["se"] or abs(row["ace"]) / 1000 or 1e-3
    return [_number(row[name], size) for name in ("truth", "ace")] + [format_se(row["se"])]


def _short(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def _interval(row: Results) -> str:
    size = row["se"] or (row["upper"] - row["lower"]) / 4 or abs(row["ace"]) / 1000 or 1e-3
    return f"[{_number(row['lower'], size)}, {_number(row['upper'], size)}]"


def _overview(oracle: Results) -> str:
    head = ["experiment", "contrasts", "largest |z|", "bound", "verdicts judged", "wrong"]
    rows = [
        [
            f"[{name}](#catalogue-{name})",
            f"{one['n_contrasts']:,}",
            f"{one['largest_z']:.2f}",
            f"{one['limit']:.2f}",
            f"{one['n_clear']:,}",
            f"{one['n_wrong']}",
        ]
        for name, one in oracle.items()
    ]
    return f"## Known effects are recovered\n\n{_OVERVIEW}\n\n{table(head, rows)}"


def _findings(found: list[Results]) -> str:
    rows = [[one["finding"], "yes" if one["holds"] else "**NO**", one["by"]] for one in found]
    return f"## What the papers found, on trained networks\n\n{_TRAINED}\n\n{table(['finding', '', 'by'], rows)}"


def _section(name: str, entry: Entry, results: Results) -> str:
    one = results["oracle"][name]
    parts = [
        f"(catalogue-{name})=\n## {name}",
        f"**{entry.question}** First asked in [doi:{entry.doi}](https://doi.org/{entry.doi}).",
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
    """Return sentences as a quotation, those about an effect that is exactly none last."""
    shown = sorted(sentences, key=lambda text: "0 [0, 0]" in text)[:most]
    more = len(sentences) - len(shown)
    lines = [f"> {text}" for text in shown] + ([f"> ... and {more:,} more sentences."] if more else [])
    return "\n>\n".join(lines).replace("*", r"\*").replace("_", r"\_")


def _against_truth(one: Results) -> str:
    several = len({row["task"] for row in one["rows"]}) > 1
    head = ["contrast", *(["task"] if several else []), "truth", "ACE", "SE", "z", "95 % interval", "verdict"]
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
    more = one["n_contrasts"] - len(rows)
    said = f"Largest |z| of all {one['n_contrasts']:,} effects {one['largest_z']:.2f} (bound {one['limit']:.2f}); "
    said += f"wrong verdicts {one['n_wrong']} of {one['n_clear']:,}; truth by {' and '.join(one['truth_by'])}."
    if more:
        said = f"The largest {len(rows)}; {more:,} more. " + said
    if one["n_exact"]:
        said += (
            f" {one['n_exact']:,} are the same in every unit and have no z: they miss the truth by "
            f"{_short(one['largest_exact_miss'])} at most."
        )
    warned = "".join(f"\n\nIt warns: {text}" for text in one["warned"][:2]).replace("_", r"\_").replace("*", r"\*")
    return f"{table(head, rows)}\n\n{said}{warned}"


def _members(key: str, one: Results) -> str:
    head = ["contrast", "truth", "mean", "95 % interval", "members", "between sd", "paired SE", "verdict"]
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
        keep = [i for i, name in enumerate(head) if name not in ("95 % interval", "verdict")]
        head, rows = [head[i] for i in keep], [[row[i] for i in keep] for row in rows]
    title = f"On five trained `{one['story']}` networks, {key.replace('_', ' ')}, {one['n_units']:,} units:"
    return f"{title}\n\n{table(head, rows)}\n\n{_said(one['sentences'], most=2)}"


def _null_models(one: Results) -> str:
    rows = [[name, f"{tau:.3f}"] for name, tau in zip(one["nulls"], one["tau"], strict=True)]
    warned = f"\n\nIt warns: {one['warned'][0]}" if one["warned"] else ""
    asked = table(["null model", "Kendall's tau with uniform"], rows)
    return f"## Null models\n\n{_NULLS}\n\n{asked}\n\n{_said(one['sentences'])}{warned}"


def _pairing(oracle: Results) -> str:
    head = ["experiment", "contrast", "SE paired", "SE unpaired", "gain", "in units"]
    rows = [
        [
            name,
            row["contrast"] + (f" ({row['of']})" if "of" in row else ""),
            _short(row["se"]),
            _short(row["unpaired_se"]),
            f"{row['gain']:.1f}",
            f"{row['gain'] ** 2:,.1f}",
        ]
        for name, one in oracle.items()
        for row in one.get("pairing", ())
    ]
    return f"## The gain from pairing\n\n{_PAIRING}\n\n{table(head, rows)}"


def _controls(controls: Results) -> str:
    words, same = controls["placebo_words"], controls["same_arms"]
    members = [
        [f"member {i}", f"{row['inside']} of {words['n_words']}", str(row["claimed"]), str(row["wrong"])]
        for i, row in enumerate(words["members"])
    ]
    placebo = table(["network", "inside the placebo words", "claimed", "claimed wrongly"], members)
    again = (
        f"Two arms that are the same, {same['n_units']} fresh units in each, on a trained network: in "
        f"{same['n_trials']:,} trials {same['rejected']} have p < 0.05 (by chance alone {same['band'][0]} to "
        f"{same['band'][1]}, at 0.001); "
        f"the p-values are uniform, Kolmogorov-Smirnov p = {same['uniform_p']:.2f}."
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
        f"## Control tests\n\n### Placebo words\n\n{_PLACEBOS.format(**words)}\n\n{placebo}\n\n"
        f"### A against A\n\n{again}\n\n### No interaction\n\n{_NONE}\n\n{none}"
    )


_HEAD = """# The catalogue of experiments

Written by `python benchmarks/catalogue_page.py`. Each experiment is one function, `cg.experiments.<name>(...)`,
with the settings of its paper as defaults; `outcomes = cg.run(experiment, predictor, rng=0)` runs it, and
`experiment.analyze(outcomes, rng=0)` gives the tables, sentences and figures below."""
_OVERVIEW = """Each experiment is run on an oracle of the zoo, whose effects are known. z is (estimate - truth) /
SE; the bound is the quantile, at 1 in 10,000, of the largest |z| of that many contrasts. Verdicts are checked where
the truth lies more than five standard errors from both bounds of the region of practical equivalence; if the region
comes from placebo words, the mean error common to all words is subtracted first."""
_TRAINED = """Five small networks were trained on noisy answers of each oracle, from different seeds, and disagree
as retrained networks do (`cg.zoo.ensemble("rbfox1_like")`, `("vts1_like")`). Intervals and verdicts are about a
network that would be trained again (`target="population x predictors"`): they include the disagreement of the five,
which is several times the paired standard error of each. The region of practical equivalence is 0.2 log intensity,
an eighteenth of the effect of one site."""
_NULLS = """All 18 single-letter changes of UGCAUG, its effect, and their differences, on one trained network,
under five null models of which four are made from sequences rich in A and U. Do they give the same order of effects?"""
_PAIRING = """Interactions, trends and all other contrasts of more than two arms, on the oracles. Paired: all arms
on the same backgrounds. Unpaired: as many fresh backgrounds in every arm, `sqrt(sum w^2 var / n)`. The gain is the
ratio of the two standard errors (`cg.experiments.pairing_gain`); its square says how many times more backgrounds an
unpaired trial needs in each arm. It is largest for interactions, where most of the variation between backgrounds
cancels. It can be below 1 for a mean over many arms, which an unpaired trial takes over that many times more
backgrounds. Contrasts that do not vary at all are left out: their gain has no bound."""
_PLACEBOS = """{n_words} random words, judged as if they were treatments, against 100 placebo words ({n_units:,}
units, false discovery rate 5 %). A claim is wrong where the word's true effect lies inside the central 95 % of
the placebo words."""
_NONE = """The oracle `additive` adds words and has no interactions. Every experiment that estimates one must call
it negligible, with a region of 0.2 sd of the control. The last line is a true interaction: copies at 4, 12 and 20,
as published, are two bases apart, and where these read CA there is one more UGCAUG across the gap, which neither
copy makes alone."""

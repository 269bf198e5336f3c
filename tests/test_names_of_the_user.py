"""No sentence changes with the names that a user gives: words of the library's own
sentences, markup, line ends, right-to-left marks and 300 letters are said as any name.

Each case takes a result, replaces all its names by such words, and compares what is
printed with the same under plain names of as many columns, names put back. By hand:
``python tests/test_names_of_the_user.py 10000``.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import printable, quoted
from causalgia.notes import Said
from causalgia.tell._trial_report import in_one_line
from causalgia.tell.answers import answer_parts

HOUSE = """placebo arm|within|Task: liver|these 9 rows|matched pairs|lowers|control|
0.3 sd|note|placebo-treated K562|variants HepG2|rare variants of HepaRG|sd of placebos|
at 12 minus mean|Caution|Caution: x|of 3 elements|shrunken|-0.2 to 0.2|-0.1 to 0.1|
Verdict: x|more than the sum|everything|all 7|placebos|Exploratory|no verdict on K562|
No verdict on x|Note: y|increases|decreases|negligible|undecided|raises|is undecided|
the real sequences themselves, 5 draws each: 24 sequences of 9 bp|these 9 rows without
placebos|five robust sd about the median of 40 placebos, or their outermost|mean over
units of the weighted sum|the ROPE|at most 0.5|-inf to 0.5|Task K562|Task K562, model a|
model b|over predictors like these 3|1,000 units|20 units in 4 clusters (parent)|
total|10-40, total|helpers, each by itself:|Each minus none|minus|divided by|inf|nan|
None|q <= .05|p < 1e-4|[0.1, 0.2]|95 % interval|contrast|ACE|effect|estimand|
ACE: average causal effect.|cg.report|notes=True|1 note (notes=True).|uniform|genomic|
40 placebos|the usual range of placebos|crossover|population|parent|unit|cluster"""
MARKUP = ["<b>", "$x_1$", "a|b", "x\ny", "\u202eabc\u202c", "\\alpha", "**b**", "`x`"]
MARKUP += ["&amp;", "%s {0}", "{task}", "a\tb", "[x](y)", "<script>", "#", "~", "_i_"]
NAMES = [" ".join(name.split()) for name in HOUSE.split("|")] + MARKUP + ["L" * 300]


def calm(name: str, number: int) -> str:
    """A plain name of as many columns, with the spaces, figures and marks of the other;
    its letter stands in no sentence.
    """
    return re.sub("[A-Za-z]", "жфщэюядб"[number], name)


def measured() -> xr.Dataset:
    rng = np.random.default_rng(1)
    base = rng.normal(0, 0.5, (30, 1, 2))
    more = 0.6 + 0.2 * rng.normal(size=base.shape)
    y = np.concatenate([base, base + more, base + 0.01 * more], axis=1)
    rows = [
        (u, arm, task, y[u, i, j])
        for u in range(30)
        for i, arm in enumerate("CXY")
        for j, task in enumerate("PQ")
    ]
    frame = pd.DataFrame(rows, columns=["unit", "arm", "task", "y"])
    return cg.from_frame(frame, outcome="y", arm="arm", unit="unit", task="task")


def told(found: xr.Dataset, choice: int) -> str:
    """One of the texts on a result."""
    if choice % 3 == 0:
        return str(cg.report(found))
    if choice % 3 == 1:
        return str(cg.methods(found))
    return str(cg.report(found, notes=True, arms=True, sentences=True, rows="all"))


Y = measured()
MANY = cg.decide(cg.from_effects(np.linspace(-1, 1, 14), 0.1), rope=(-0.2, 0.2))
PLACEBOS = xr.Dataset(
    {
        "ace": (
            ("contrast", "task"),
            np.r_[np.linspace(-1, 1, 159), 40.0, 0.1][:, None],
        ),
        "se": (("contrast", "task"), np.full((161, 1), 0.1)),
    },
    {
        "contrast": [f"c{i}" for i in range(161)],
        "task": ["K562"],
        "is_placebo": ("contrast", np.arange(161) < 159),
    },
    {"null": "sequences", "target": "population"},
)
WITHIN = {
    rope: cg.decide(PLACEBOS, rope=rope) for rope in ("placebo", "placebo outliers")
}


def of_trial(names: list[str], choice: int) -> str:
    task, other, control, arm, third = names[:5]
    y = Y.assign_coords(task=[task, other], arm=[control, arm, third])
    rope = {task: (-0.1, 0.1), other: (-0.2, 0.2)}
    ropes = ((-0.1, 0.1), rope, "0.3 sd", 0, (-np.inf, 0.5), None)
    effects = cg.contrast(y, control=control)
    estimates = cg.estimate(effects)
    if (asked := ropes[choice % len(ropes)]) is None:
        return told(estimates, choice)
    return told(
        cg.decide(estimates, rope=asked, error=["fdr", "each"][choice % 2]), choice
    )


def decided(*rows: dict[str, float]) -> xr.Dataset:
    contrasts = dict(zip("ab", rows, strict=True))
    return cg.decide(cg.estimate(cg.contrast(Y, contrasts=contrasts)), rope=(-0.1, 0.1))


ONE, OTHER = {"X": 1.0, "C": -1.0}, {"Y": 1.0, "C": -1.0}
WEIGHTED = [decided(ONE, OTHER), decided(ONE, {"Y": 2.0, "C": -1.0, "X": -1.0})]
WEIGHTED += [decided(ONE, {"Y": 1.0, "X": -1.0})]
CONTROLLED = cg.decide(cg.estimate(cg.contrast(Y, control="C")), rope=(-0.1, 0.1))


def of_weights(names: list[str], choice: int) -> str:
    task, other, control, arm, third, row, beside = names[:7]
    table = WEIGHTED[choice % 3].assign_coords(
        task=[task, other], arm=[control, arm, third], contrast=[row, beside]
    )
    return told(table, choice // 3)


def of_tasks(names: list[str], choice: int) -> str:
    """A contrast between tasks, which has a name of its own."""
    task, other, control, arm, third, between = names[:6]
    y = Y.assign_coords(task=[task, other], arm=[control, arm, third])
    tasks = {between: {task: 1.0, other: -1.0}}
    effects = cg.contrast(y, control=control, tasks=tasks)
    return told(cg.decide(cg.estimate(effects), rope=(-0.1, 0.1)), choice)


def of_many(names: list[str], choice: int) -> str:
    rows = [*names, *(f"c{i}" for i in range(14 - len(names)))][:14]
    table = MANY.assign_coords(contrast=rows)
    if choice % 2:  # more than twenty rows, with a null model in a user's words
        table = xr.concat(
            [table, table.assign_coords(contrast=list("ABCDEFGHIJKLMN"))], "contrast"
        )
    attrs = {"null": names[0], "target": "population", "n_units": 7}
    return told(table.assign_attrs(attrs if choice % 5 else {}), choice)


def of_placebos(names: list[str], choice: int) -> str:
    rows = [f"c{i}" for i in range(159)] + names[:2]
    table = WITHIN[("placebo", "placebo outliers")[choice % 2]]
    return told(
        table.assign_coords(contrast=rows, task=[names[2]]).assign_attrs(null=names[3]),
        choice,
    )


def of_answer(names: list[str], choice: int) -> str:
    """Sentences of an experiment, on tasks and on the models of an ensemble."""
    task, other, arm, third, model, more = names[:6]
    found = CONTROLLED.assign_coords(task=[task, other], contrast=[arm, third])
    of = (None, None) if choice % 2 else (model, more)
    said = [Said("additive.", task, of[0]), Said("additive.", other, of[1]), "Whole."]
    details = [Said(f"{arm} is more.", task), Said("less.", other)]
    parts = answer_parts(found, answer=said, details=details, requested=("notes",))
    return parts.text()


PLACES: list[Callable[[list[str], int], str]] = [
    of_trial,
    of_weights,
    of_tasks,
    of_many,
    of_placebos,
    of_answer,
]


def flat(text: str) -> str:
    """The text without spaces and line ends, quotes and the backslashes of Markdown."""
    return re.sub(r"\s+", "", re.sub(r"['`\\]", "", text))


def put_back(text: str, names: list[str]) -> str:
    """The text under plain names with the names that they stand for."""
    pairs: dict[str, str] = {}
    for i, name in enumerate(names):
        plain = calm(name, i)
        for form in (str, printable, in_one_line, quoted):
            pairs[flat(form(plain))] = flat(form(name))
            for k in range(1, len(name)):  # cut at its end
                pairs[flat(f"{form(plain[:k])}…")] = flat(f"{form(name[:k])}…")
    own = {one: name for one, name in pairs.items() if set(one) & set("жфщэюядб")}
    found = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
    return re.sub(found, lambda match: own[match[0]], text)


def cases(n: int, seed: int) -> Iterator[tuple[int, list[str], int]]:
    """Places, their names, which begin differently, and a number that chooses more."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        chosen = {NAMES[k][:7]: NAMES[k] for k in rng.permutation(len(NAMES))}
        yield i % len(PLACES), [*chosen.values()][:8], int(rng.integers(90))


def differing(n: int, seed: int = 0) -> list[tuple[str, list[str], str, str]]:
    """The cases whose text is another under plain names: where the two part."""
    found = []
    for place, names, choice in cases(n, seed):
        say = PLACES[place]
        try:
            told_ = flat(say(names, choice))
        except cg.errors.CausalgiaError:  # a name may be refused, as "" is
            told_ = ""
        quiet = [calm(name, i) for i, name in enumerate(names)]
        other = put_back(flat(say(quiet, choice)), names) if told_ else ""
        if told_ != other:
            pairs = zip(told_, other, strict=False)
            at = next((k for k, (a, b) in enumerate(pairs) if a != b), 0)
            at = max(0, at - 60)
            found.append(
                (say.__name__, names, told_[at : at + 140], other[at : at + 140])
            )
    return found


@pytest.mark.filterwarnings("ignore")
def test_no_sentence_changes_with_the_names_of_a_user():
    assert not differing(240)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    bad = differing(int(sys.argv[1]), seed=1)
    for one in bad[:12]:
        print(*one, sep="\n  ")
    print(f"{len(bad)} of {int(sys.argv[1]):,} texts change with a name")

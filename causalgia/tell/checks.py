"""What checks say: of each a row, with the words of its statistic, reason and cure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from causalgia.inputs import format_p, p_clause
from causalgia.notes import Finding

Words: TypeAlias = "str | Callable[..., str]"
"""Text with the names of values in braces, or a function of the values."""


class Check(NamedTuple):
    """The words of a check: its statistic, what was found, what to do where it does not
    pass, and whether it passes up to its threshold.
    """

    figure: Words
    reason: Words
    cure: Words
    at_most: bool = False


def said(finding: Finding) -> Finding:
    """Return a finding with its words.

    Examples
    --------
    >>> values = {"name": "GATA1", "task": "K562", "one": 1.0, "other": 0.2}
    >>> said(Finding("subset of units", "pass", 0.5, 0.05, values)).text
    "'GATA1' on K562: 1 in the first half, 0.2 in the second"
    """
    row = CHECKS[finding.words or finding.name]
    values = {**finding.values, "state": finding.state}
    figure, text, cure = (
        words.format(**values) if isinstance(words, str) else words(**values)
        for words in (row.figure, row.reason, row.cure)
    )
    cure = "" if finding.state == "pass" else cure
    return replace(finding, figure=figure, text=text, cure=cure)


def _again(*, shuffled: bool, **_: Any) -> str:
    """Return on what to repeat a trial, whose own real sequences may be shuffled."""
    if shuffled:
        return (
            "repeat the trial on the sequences themselves, which it shuffled: "
            "cg.Genomic(of=...)"
        )
    return (
        "repeat the trial on shuffles of real sequences, "
        "cg.DinucleotideShuffle(of=...), or on these: cg.Genomic(of=...)"
    )


def _dose_reversal(
    *, factor: str, low: float, high: float, task: str, size: float, **_: Any
) -> str:
    does = "reverses" if size > 0 else "continues"
    return (
        f"{factor} {low:g} to {high:g} on {task}: {does} by {100 * abs(size):.0f} % of "
        "the whole effect"
    )


def _tipping_shift(
    *, name: str, task: str, shift: float, leaves: bool, side: str, **_: Any
) -> str:
    way = f"towards {'fewer' if side == 'down' else 'more'} G and C"
    if leaves:
        return f"'{name}' on {task} changes at {shift:.2f} sd of GC content, {way}"
    return (
        f"'{name}' on {task} holds as far as the units can tell, {shift:.2f} sd {way}"
    )


def _other_nulls(
    *,
    name: str,
    task: str,
    least: float,
    most: float,
    nulls: Sequence[str],
    ace: float,
    label: str,
    **_: Any,
) -> str:
    return (
        f"'{name}' on {task}: {least:.3g} to {most:.3g} under {', '.join(nulls)}; "
        f"{ace:.3g} in the trial (least: {label})"
    )


def _range(*, area: float | None, **of: Any) -> str:
    overlap = "they do not overlap" if area is None else f"AUROC {area:.2f}"
    return (
        "{task}: backgrounds {least:.3g} to {most:.3g} (mean {mean:.3g}), real sequences "
        "{real:.3g}, sd {sd:.2g}; {overlap} ({n:,} of each)"
    ).format(overlap=overlap, **of)


def _reweighted(*, few: bool, **of: Any) -> str:
    return (
        "'{name}' on {task}: {ace:.3g} weighted, {whole:.3g} in the trial; "
        "{effective:,.0f} effective units"
    ).format(**of) + ", too few to tell" * few


def _beyond_placebos(
    *, m: int, few: bool, n_failed: int, n: int, n_left_out: int, **of: Any
) -> str:
    all_there = f", all that there are, on {m - 1} degrees of freedom" * few
    several = f"; {n_failed} of {n} effects fail" if n_failed > 1 else ""
    left = f"; contrasts not tested: {n_left_out}" if n_left_out else ""
    return (
        "the {effect} exceeds the mean of {m} orders of the letters of {motif}{few} by "
        "{beyond:.3g} [{lower:.3g}, {upper:.3g}], and single orders by up to {limit:.3g} "
        "({n_units:,} fresh units){several}{left}"
    ).format(m=m, few=all_there, several=several, left=left, **of)


def _specific_share(*, share: float, p: float, effect: str, **_: Any) -> str:
    """Return how much of an effect is due to the order of letters.

    Examples
    --------
    >>> _specific_share(share=1.0, p=1.0, effect="effect of 'GATA1' on K562")
    "nothing of the effect of 'GATA1' on K562 is due to its composition"
    >>> _specific_share(share=5.4, p=1.0, effect="effect of 'GATA1' on K562")
    "the letters of the effect of 'GATA1' on K562 do the opposite in another order (4.4 times it)"
    >>> _specific_share(share=0.3, p=1e-6, effect="effect of 'GATA1' on K562")[:60]
    "70 % of the effect of 'GATA1' on K562 is that of its letters"
    """
    other = round(1 - share, 2)
    if other <= -0.1:
        return (
            f"the letters of the {effect} do the opposite in another order "
            f"({-other:.2g} times it)"
        )
    if other <= 0:
        return f"nothing of the {effect} is due to its composition"
    return (
        f"{100 * other:.0f} % of the {effect} is that of its letters in another order "
        f"({p_clause(p)}, of half or less)"
    )


def _another_control(*, share: float, least: float, p: float, **of: Any) -> str:
    return (
        "'{control}', the control of '{name}', lies {share:.0f} % of the arm's effect on "
        "{task} away from placebos (p of {least:.0f} % or less: {p})"
    ).format(share=100 * share, least=100 * least, p=format_p(p), **of)


def _known_motif(*, clear: bool, **of: Any) -> str:
    if clear:
        return (
            "{n_least} of {n_orders} placebos have the effect of '{label}' or more, in "
            "{task} where they are fewest ({n:,} units)"
        ).format(**of)
    return (
        "'{label}' has no clear effect compared with its placebos in any task ({n:,} units)"
    ).format(**of)


def _same_answers(
    *, n: int, n_arms: int, twice: float, stored: float | None, **_: Any
) -> str:
    beside = (
        "" if stored is None else f" ({twice:.2g}), and of the trial ({stored:.2g})"
    )
    return f"{n:,} units under {n_arms} arms, predicted twice{beside}"


def _copies(*, name: str, task: str, sizes: Sequence[float], n: int, **_: Any) -> str:
    copies = ", ".join(f"{x:.2g}" for x in sizes[1:])
    return (
        f"'{name}' on {task}: {sizes[0]:.2g} sd of the control, {copies} in the copies "
        f"({n:,} units)"
    )


def _disagreement(*, share: float, **of: Any) -> str:
    return (
        "'{name}' on {task}: {share:.0f} % of {n} predictors, mean {mean:.3g}, sd between "
        "them {sd:.2g}"
    ).format(share=100 * share, **of)


def _degenerate(*, rows: bool, least: float | None, **of: Any) -> str:
    reach = (
        ""
        if least is None
        else f"; the shuffle with the fewest reaches {np.exp(min(least, 700)):.3g} sequences"
    )
    return (
        "{n_distinct:,} distinct {what} (effectively {effective:,.0f}) behind {n:,} "
        "independent units (effectively {n_effective:,.0f})"
    ).format(what="rows of outcomes" if rows else "sequences", **of) + reach


def _junction_sites(
    *, name: str, task: str, rate: float, share: float, **_: Any
) -> str:
    return (
        f"a site is made or destroyed in {100 * rate:.1f} % of the units of '{name}'; "
        f"without them {100 * max(share, 0.0):.0f} % of the effect on {task} is gone"
    )


CHECKS = {
    "dose reversal": Check(
        "largest step back between doses over the effect",
        _dose_reversal,
        "claim no monotone response",
        at_most=True,
    ),
    "tipping shift": Check(
        "shift of GC content, in sd, that turns an effect",
        _tipping_shift,
        "restrict the claim to these backgrounds, and report the tipping point",
    ),
    "other null models": Check(
        "smallest effect of null models over the trial's",
        _other_nulls,
        "name the null model in the claim, or claim the range",
    ),
    "order of effects": Check(
        "smallest Kendall's tau of two null models",
        "{n} contrasts on {task}, between {one} and {other}; of the true effects at most "
        "{most:.2f}",
        "claim no order, or use more units: many contrasts may have similar effects",
    ),
    "sd between null models": Check(
        "sd of the effect between null models over its mean",
        "'{name}' on {task}: sd {sd:.3g} between {n} null models",
        "find what in the backgrounds changes the effect: cg.tipping_point, "
        "cg.experiments.context_swap",
        at_most=True,
    ),
    "k-mer composition": Check(
        "Jensen-Shannon divergence of k-mers of {k} letters, in bits",
        "{n:,} backgrounds and {m:,} real sequences; by chance {chance:.2g}, p {p:.2g}",
        _again,
        at_most=True,
    ),
    "classifier": Check(
        "AUROC of real sequences against backgrounds",
        "{auc:.2f} [{low:.2f}, {high:.2f}] by k-mers of {k} letters, {n:,} backgrounds "
        "and {m:,} real sequences",
        _again,
        at_most=True,
    ),
    "kernel distance": Check(
        "permutation p-value of the maximum mean discrepancy",
        "squared discrepancy {squared:.2g} between {n:,} backgrounds and {m:,} real "
        "sequences",
        _again,
    ),
    "prediction range": Check(
        "share of backgrounds outside 95 % of real ones",
        _range,
        "these effects are measured far from real sequences: repeat the trial on "
        "cg.Genomic(of=...)",
        at_most=True,
    ),
    "reweighted effect": Check(
        "effect on weighted backgrounds over the trial's", _reweighted, _again
    ),
    "beyond placebos": Check(
        "rank p-value of the effect among {m} placebos",
        _beyond_placebos,
        lambda state, **_: (
            "run more units"
            if state == "warn"
            else "claim no more than placebos show: rope='placebo' with 40 placebos"
        ),
        at_most=True,
    ),
    "specific share": Check(
        "share of the effect beyond the mean of placebos",
        _specific_share,
        "compare with cg.Placebo, which has the same composition, as control",
    ),
    "another control": Check(
        "effect of the control over that of the arm",
        _another_control,
        "take cg.Placebo of the arm's motif at the arm's place as control",
        at_most=True,
    ),
    "positive control": Check(
        "rank p-value of the known motif among 19 placebos",
        _known_motif,
        "the predictor does not recognize the motif: check the order of its channels "
        "(alphabet=), its weights, its tasks, and at cg.check(design, predictor)",
        at_most=True,
    ),
    "clearest effect": Check(
        "clearest effect on fresh units over the trial's",
        "'{name}' on {task}: {again:.3g} on {n_units:,} fresh units, {before:.3g} in the "
        "trial",
        "the outcomes are not those of this predictor on these backgrounds, or of chosen "
        "units: run again",
    ),
    "identical arms": Check(
        "p-value of the control against itself on fresh units",
        "'{control}' on {task}: mean {before:.4g} in the trial, {again:.4g} on {n:,} fresh "
        "units",
        "run the trial again with this predictor and null model; units that share a "
        "source need parent=",
    ),
    "same answers": Check(
        "difference of answers to one sequence, in sd",
        _same_answers,
        "switch dropout off (module.eval()), fix what depends on batch mates, run again",
        at_most=True,
    ),
    "numerical floor": Check(
        "smallest claimed effect over its numerical floor",
        "'{name}' on {task}: effect {size:.3g}, floor {floor:.2g}",
        "predict in float64, or set a ROPE above the floor",
    ),
    "strand": Check(
        "effect on reverse complements over the trial's",
        "'{name}' on {task}: {one:.3g}, and {other:.3g} on the other strand ({n:,} units)",
        "average both strands, rc_average=True; for RNA and stranded tasks a difference "
        "is right, and needs no remedy",
    ),
    "randomized weights": Check(
        "rank among networks of shuffled parameters",
        _copies,
        "check the weights that were loaded; claim no effect that untrained copies show",
        at_most=True,
    ),
    "predictor disagreement": Check(
        "share of predictors with the sign of the mean effect",
        _disagreement,
        'claim it for the population of trainings: target="population x predictors"',
    ),
    "degenerate draws": Check(
        "effective distinct backgrounds over independent units",
        _degenerate,
        "remove copies, or name them as one parent; use more parents, a smaller k, or "
        "fewer units",
    ),
    "subset of units": Check(
        "p-value of first against second half of units",
        "'{name}' on {task}: {one:.4g} in the first half, {other:.4g} in the second",
        "look for what changed during the trial: the predictor, a joined store, sorted "
        "units",
    ),
    "balance": Check(
        "p-value of an arm's backgrounds against others",
        "standardized mean difference {smd:.2f} of {covariate} for '{arm}', the largest of "
        "{n:,} by p",
        "check how units were assigned; give block= or covariates= to cg.estimate",
    ),
    "junction sites": Check(
        "share of the effect from sites made or destroyed",
        _junction_sites,
        "move the motif, change its flanks, or claim the site that arises",
        at_most=True,
    ),
}
"""Every check of a claim, by its name in `cg.refute`, or of its second statistic."""

"""Text reports of a fit, and the answer of a measured trial: which elements each arm
changes, and by how much on average.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about, attributes, has
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, VERDICTS, Rows
from causalgia.errors import NAMES_SHOWN, first_of, quoted_if_commas
from causalgia.inputs import format_p, format_share
from causalgia.mpra.comparisons.sides import with_contrast_dim
from causalgia.mpra.counts.counts_table import CONTROLS
from causalgia.mpra.fits.fit_summaries import asked_elements, with_summary
from causalgia.notes import notes_of
from causalgia.tell.answer_sentences import (
    in_words,
    region_words,
    size_in_words,
)
from causalgia.tell.answers import (
    AnswerParts,
    answer_parts,
    short_answer,
)
from causalgia.tell.count_answers import counts_in_words
from causalgia.tell.effect_rows import rows_of
from causalgia.tell.folded_text import WIDTH, cut
from causalgia.tell.foot import arm_lines
from causalgia.tell.table_formats import format_effect, percent
from causalgia.tell.verdict_sentences import truncation_sentence
from causalgia.types import Mask

_NOISE = {
    "sd_barcode": "between barcodes of an oligo",
    "sd_replicate": "of an oligo between replicates",
    "sd_cell": "of single cells",
    "sd_residual": "of single cells",
}
_METHOD_WORDS = {"two_way": "two-way"}
_ARMS_LISTED = 3
_SHARES_LISTED = 12
_FEW_READS = 10
_OF_EFFECT = ("ace", "se", "lower", "upper")
_OTHER_BARCODES = (
    "No interval includes how much other barcodes of an oligo would differ from these."
)
_HEADING_OF_DIM = {"contrast": "element", "task": "contrast"}


def fit_parts(
    fit: xr.Dataset, *, requested: Sequence[str] = (), every: bool = False
) -> AnswerParts:
    """Return the parts of the text of a fit.

    Parameters
    ----------
    fit
        From `causalgia.mpra.fit`.
    requested, every
        What is printed besides, and whether every contrast is.
    """
    fit = with_summary(with_contrast_dim(fit).transpose("element", "contrast", ...))
    test = asked_elements(fit)
    if test.sum() == 1 and fit.sizes["contrast"] > 1:
        return _parts_of_one_element(
            fit.isel(element=test), requested=requested, every=every
        )
    columns = {name: fit[name].to_numpy() for name in _OF_SUMMARY if name in fit}
    found = [_Summary(columns, k) for k in range(fit.sizes["contrast"])]
    controls = fit["control"].to_numpy().tolist() if "control" in fit.dims else []
    level = percent(float(about(fit).ci_prob))
    header = ["contrast", "elements", "up", "down", "average", f"{level} interval"]
    header += ["sd", "SE", *(f"{group} controls" for group in controls)]
    control = str(about(fit, None).control or "")
    against = _compared_with(fit, control)
    answer = [f"{against}{one.sentence()}" for one in found]
    if len(found) > 1:
        most = max(found, key=lambda one: one.n_changed)
        least = min(found, key=lambda one: one.n_changed)
        others = f"; {cut(least.name)}, {least.n_changed:,}"
        rest = f"{others if least is not most else ''}."
        answer = [f"{against}{most.sentence()[:-1]}{rest}"]
    return short_answer(
        [*_first_of_fit(fit), *answer, *_spread_of_z(fit)],
        header,
        [one.line() for one in found],
        words=["contrast"],
        foot=_fit_foot(
            fit, controls=bool(controls), averaged=any(any(x.mean) for x in found)
        ),
        arms=_compared(fit),
        each=[one.sentence() for one in found],
        notes=[*_left_out_of_fit(fit), *notes_of_fit(fit)],
        requested=requested,
        every_row=every,
    )


def _first_of_fit(fit: xr.Dataset) -> list[str]:
    """Return how far a truncated table shrinks effects, which replicates were left out,
    and how many elements have the arms of each contrast, where they differ.
    """
    few = str(about(fit, "").replicates_left_out)
    found = truncation_sentence(fit.attrs)
    found += [f"Replicates left out: {few}, of too few reads."] if few else []
    if "median_reads" in fit:
        n = fit["median_reads"].to_series()
        shallow = [f"{cut(str(name))} {k:g}" for name, k in n[n < _FEW_READS].items()]
        found += [
            f"Reads of the median cell are few ({', '.join(shallow)}), and effects come "
            "out too small."
        ] * bool(shallow)
    if "library_shift" in fit:
        moved = fit["library_shift"].to_series()
        each = [f"{k:.3g} in {cut(str(name))}" for name, k in moved.items()]
        found.append(
            f"Relative to the median oligo, which moved on log2 by {', '.join(each)}."
        )
    if has(fit).excess_error:
        found.append(
            "Barcodes of an oligo disagree: intervals are "
            f"{float(about(fit).excess_error):.1f} times as wide as their usual spread "
            "gives, as where some barcodes are silenced or of another oligo."
        )
    if "measured" not in fit:
        return found
    n = fit["measured"].to_numpy()[asked_elements(fit)].sum(axis=0).tolist()
    names = fit["contrast"].to_numpy().astype(str).tolist()
    each = [f"{cut(name)} {k:,}" for name, k in zip(names, n, strict=True)]
    return [*found, f"Elements with both arms: {first_of(each, NAMES_SHOWN)}."]


_OF_SUMMARY = (
    *("contrast", "n_elements", "n_up", "n_down", "average", "average_lower"),
    *("average_upper", "sd_effects", "median_se", "n_controls", "n_controls_changed"),
)


@dataclass(frozen=True)
class _Summary:
    """A contrast of the columns of a fit that has `with_summary`."""

    columns: dict[str, NDArray[Any]]
    at: int

    @property
    def name(self) -> str:
        return str(self.columns["contrast"][self.at])

    def number(self, name: str) -> Any:
        return self.columns[name][..., self.at]

    @property
    def n_changed(self) -> int:
        return int(self.number("n_up") + self.number("n_down"))

    @property
    def mean(self) -> tuple[str, str]:
        """The average and its interval as text, empty where there is none."""
        names = ("average", "average_lower", "average_upper")
        value, lower, upper = map(self.number, names)
        known = np.isfinite(value)
        return (f"{value:.2f}", f"[{lower:.2f}, {upper:.2f}]") if known else ("", "")

    def line(self) -> list[str]:
        """Return the row of the contrast."""
        controls = (
            zip(
                self.number("n_controls_changed"),
                self.number("n_controls"),
                strict=True,
            )
            if "n_controls" in self.columns
            else ()
        )
        between = self.number("sd_effects")
        return [
            self.name,
            *(f"{int(self.number(n)):,}" for n in ("n_elements", "n_up", "n_down")),
            *self.mean,
            f"{between:.2f}" if any(self.mean) else "",
            f"{self.number('median_se'):.2f}",
            *(f"{k:,} of {n:,}" for k, n in controls),
        ]

    def sentence(self) -> str:
        """Return how many elements the contrast changes, and its average effect."""
        up, down, n = (int(self.number(x)) for x in ("n_up", "n_down", "n_elements"))
        mean = (
            f", on average by {' '.join(self.mean)} on log2" if any(self.mean) else ""
        )
        of = f"{n:,} element{'s' * (n != 1)}"
        if not up + down:
            return f"{cut(self.name)}{mean}: no effect of {of} is called by itself."
        which = f" ({up:,} up, {down:,} down)"
        return f"{cut(self.name)} changes {up + down:,} of {of}{which}{mean}."


_OVER_GROUPS = "averaged over two groups of replicates that disagree, "


def _compared_with(fit: xr.Dataset, control: str) -> str:
    """Return how a sentence on a fit begins: what its claim is limited to, and the
    control.
    """
    null = about(fit, "").null
    limits = ["for these barcodes, "] if _of_these_barcodes(fit) else []
    limits += ["in this replicate alone, "] if null.endswith("replicate alone") else []
    limits += [_OVER_GROUPS] if has(fit).replicate_groups else []
    against = f"compared with {_named(control)}, " if control else ""
    start = "".join(limits) + against
    return f"{start[:1].upper()}{start[1:]}"


def _of_these_barcodes(fit: xr.Dataset) -> bool:
    return about(fit, "").null.startswith("these barcodes")


def _on_sums(fit: xr.Dataset) -> list[str]:
    """Return which barcodes the errors of a table of one sum an oligo are about."""
    if _of_these_barcodes(fit):
        return [_OTHER_BARCODES]
    sd = about(fit, 0.0).sd_barcode
    return (
        [f"Intervals are those of other barcodes, which differ by sd {sd:g} (given)."]
        if has(fit).sd_z
        else []
    )


def _spread_of_z(fit: xr.Dataset) -> list[str]:
    """Return how far effects of one sum an oligo spread beyond their errors."""
    sd = about(fit, None).sd_z
    return (
        []
        if sd is None
        else [f"The robust sd of z is {sd:.2f}: 1 would be errors alone."]
    )


def _barcodes_each(fit: xr.Dataset) -> str:
    """Return how many barcodes an oligo has; where it has one, that the number may be a
    sum and that barcodes are not compared.
    """
    n = float(np.median(fit["n_barcodes"]))
    if has(fit).n_several:
        return f"{n:g} barcodes a variant (median)"
    return (
        "one barcode (or sum) an oligo"
        if n == 1
        else f"{n:g} barcodes an oligo (median)"
    )


def _of_several(fit: xr.Dataset) -> list[str]:
    """Return how many barcodes carry several variants, and what is made of that."""
    if not has(fit).n_several:
        return []
    n, undetermined = int(about(fit).n_several), int(about(fit).n_undetermined)
    lost = (
        f" Left out: {undetermined:,} variant{'s' * (undetermined != 1)} in no barcode, "
        "or in those of others alone."
    )
    return [
        f"{n:,} of {int(about(fit).n_fitted_barcodes):,} barcodes carry several variants, "
        "whose effects add up on log2; interactions between them are not in the model."
        f"{lost * bool(undetermined)}"
    ]


def _parts_of_one_element(
    fit: xr.Dataset, *, requested: Sequence[str], every: bool
) -> AnswerParts:
    """Return the parts of the text of a fit of one element under several arms, as of a
    saturation mutagenesis: a line for each contrast, the largest effects with a q at
    the level first.
    """
    one = fit.isel(element=0)
    one = one.isel(contrast=np.flatnonzero(np.isfinite(one["ace"].to_numpy())))
    q = one["q"].to_numpy()
    names = one["contrast"].to_numpy().astype(str).tolist()
    ace = one["ace"].to_numpy()
    hit = q <= (1 - float(about(fit).ci_prob)) * (1 + 1e-9)
    up, down = (int(one[name].sum()) for name in ("n_up", "n_down"))
    control = str(about(fit, None).control or "")
    what = "arms" if control else "contrasts"
    which = f" ({up:,} up, {down:,} down)" if up + down else ""
    level = percent(float(about(fit).ci_prob))
    lines = [
        [
            names[k],
            *format_effect(
                {column: one[column].to_numpy()[k] for column in _OF_EFFECT}
            ),
            f"{one['se'].to_numpy()[k]:.2f}",
            format_p(float(q[k])),
        ]
        for k in sorted(range(len(names)), key=lambda k: (not hit[k], -abs(ace[k])))
    ]
    return short_answer(
        [
            *_first_of_fit(fit.drop_vars("measured", errors="ignore")),
            f"{_compared_with(fit, control)}{up + down:,} of "
            f"{len(names):,} {what} change {cut(str(one['element'].item()))}{which}.",
            *_spread_of_z(fit),
        ],
        ["contrast", "effect", f"{level} interval", "SE", "q"],
        lines,
        words=["contrast"],
        foot=_fit_foot(fit, controls=False, averaged=False),
        arms=_compared(fit),
        notes=[*_left_out_of_fit(fit), *notes_of_fit(fit)],
        requested=requested,
        every_row=every,
    )


def _fit_foot(fit: xr.Dataset, *, controls: bool, averaged: bool) -> list[str]:
    """Return what the columns are, and how the fit was made."""
    replicates = int(about(fit).n_replicates)
    method = _METHOD_WORDS.get(about(fit).method, about(fit).method)
    n_test = int(asked_elements(fit).sum())
    n_effects = int(np.isfinite(fit["p"].to_numpy()[asked_elements(fit)]).sum())
    level = f"{1 - float(about(fit).ci_prob):.4g}"
    columns = f"Up, down: q <= {level} over {n_effects:,} effects."
    if averaged:
        columns += " Sd: of true effects between elements."
    if controls:
        columns += f" Controls: p < {level}."
    lost = int(about(fit).n_left_out)
    return [
        f"{columns}{' SE: median.' * (n_test > 1)} {method[0].upper()}{method[1:]} fit of "
        f"{fit.sizes['element']:,} element{'s' * (fit.sizes['element'] != 1)}, "
        f"{replicates:,} replicate{'s' * (replicates != 1)}, {_barcodes_each(fit)}.",
        *_of_several(fit),
        *_on_sums(fit),
        *([f"Left out: {lost:,} element{'s' * (lost != 1)}."] if lost else []),
        *_noise_in_words(fit),
    ]


def _noise_in_words(fit: xr.Dataset) -> list[str]:
    """Return the noise that a fit found, in a sentence."""
    found = {name: fit.attrs[name] for name in _NOISE if name in fit.attrs}
    if has(fit).sd_z:
        found.pop("sd_barcode", None)
    sds = ", ".join(f"{float(sd):.2f} {_NOISE[name]}" for name, sd in found.items())
    return [f"Noise, sd on log2: {sds}."] if sds else []


def _left_out_of_fit(fit: xr.Dataset) -> list[str]:
    """Return which elements and arms a fit has not, and of what groups the others
    are.
    """
    lost = int(about(fit).n_left_out)
    reasons = [
        f"{lost:,} element{'s' * (lost > 1)} without both arms of a contrast"
    ] * bool(lost)
    reasons += [
        f"arms {about(fit).arms_left_out}, which no element has beside the control"
    ] * bool(about(fit).arms_left_out)
    groups, n = np.unique(fit["group"].to_numpy().astype(str), return_counts=True)
    by_group = ", ".join(f"{k:,} {group}" for group, k in zip(groups, n, strict=True))
    under = in_words(quoted_if_commas(fit["arm"].to_numpy()))
    return [
        f"Elements: {by_group}; under {under}.",
        *([f"Left out: {'; '.join(reasons)}."] if reasons else []),
    ]


def notes_of_fit(fit: xr.Dataset) -> list[str]:
    """Return the notes on a fit, with the cells that count as silent."""
    lines = []
    if "silent" in fit:
        by_arm = fit["silent"].mean("element", skipna=True).to_series()
        shares = [f"{format_share(x, 1)} in {arm}" for arm, x in by_arm.items()]
        some = first_of(shares, _SHARES_LISTED)
        lines.append(f"Cells counted as silent, not as weak: {some}.")
    return [*lines, *(f"Note: {note}." for note in notes_of(fit))]


def _compared(fit: xr.Dataset) -> list[str]:
    if "do" in fit.variables:
        return arm_lines(fit)
    control = about(fit, None).control
    return [
        f"{name}: {name} − {control}"
        for name in fit["contrast"].to_numpy().astype(str).tolist()
        if control
    ]


def fit_question(fit: xr.Dataset) -> str:
    """Return the question that a fit answers.

    Examples
    --------
    >>> from causalgia.mpra import fit
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> fit_question(fit(simulated(), control="control", method="two_way"))
    'How much does GATA1 change measured activity in 20 elements?'
    """
    names = [cut(str(name)) for name in np.atleast_1d(fit["contrast"])]
    some = in_words(names) if len(names) <= _ARMS_LISTED else f"{len(names):,} arms"
    n = int((~np.isin(fit["group"].to_numpy().astype(str), CONTROLS)).sum())
    n = n or fit.sizes["element"]  # controls alone
    return (
        f"How much {'does' if len(names) == 1 else 'do'} {some} change "
        f"{about(fit, 'the activity').effect_on} in {n:,} element{'s' * (n != 1)}?"
    )


def measured_parts(
    fit: xr.Dataset,
    decisions: xr.Dataset,
    counts: xr.Dataset | None = None,
    *,
    rows: Rows = "summary",
    requested: Sequence[str] = (),
    width: int = WIDTH,
    every: str = 'rows="all"',
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the answer of a measured trial: in how many elements each contrast changes
    activity, and its average; a line for each element, the largest directions first.

    Of one element, and of more than three contrasts, there is a line for each contrast.
    Control oligos are counted in the foot, and have no line.

    Parameters
    ----------
    fit
        From `causalgia.mpra.fit`.
    decisions
        Its verdicts, from `causalgia.decide`.
    counts
        The counts of the fit, if they are there.
    rows, requested, width, every, noted
        As in `causalgia.tell.answers.answer_parts`.
    """
    fit = with_summary(with_contrast_dim(fit).transpose("element", "contrast", ...))
    groups = fit["group"].sel(element=decisions["contrast"].to_numpy())
    is_control = np.isin(groups.to_numpy().astype(str), CONTROLS)
    test = ~is_control if not is_control.all() else is_control
    shown = decisions.isel(contrast=np.flatnonzero(test))
    control = str(about(fit, None).control or "")
    arm = str(shown["task"].to_numpy()[0]) if shown.sizes["task"] == 1 else "each arm"
    said = ("effect_on", "caution", "truncation_factor")
    attrs = {k: v for k, v in shown.attrs.items() if k not in said}
    one_element = shown.sizes["contrast"] == 1
    if one_element:
        if "measured" in shown:
            there = shown["measured"].to_numpy()[0]
            shown = shown.isel(task=np.flatnonzero(there)).drop_vars("measured")
        of = cut(str(shown["contrast"].to_numpy()[0]))
        attrs |= attributes(scale=f"log2 activity of {of}") | (
            attributes(control=control) if control else {}
        )
    elif control:
        attrs.update(
            attributes(estimand=f"{cut(arm)} minus {cut(control)}, in each element")
        )
    shown = shown.drop_attrs(deep=False).assign_attrs(attrs)
    means = {} if one_element else _averages(fit)
    also = [
        *([] if counts is None else [counts_in_words(counts)]),
        *_called_controls(decisions, groups.to_numpy().astype(str), is_control),
    ]
    if int(about(fit).n_replicates) == 1:
        also.append("One replicate was measured: this is about that replicate alone.")
    also += _of_several(fit)
    also += _on_sums(fit)
    caution = about(decisions, None).caution
    notes = [
        *([f"{caution[:1].upper()}{caution[1:]}."] if caution else []),
        "\n".join(_compared(fit)),
        *_left_out_of_fit(fit),
        *_noise_in_words(fit),
        *notes_of_fit(fit),
    ]
    if one_element:
        shown = shown.rename(contrast="task", task="contrast").transpose(
            "contrast", ...
        )
    parts = answer_parts(
        shown,
        rows=rows,
        answer=None
        if one_element
        else [
            *_first_of_fit(fit),
            *_measured_sentences(shown, fit, means),
            *_spread_of_z(fit),
        ],
        requested=requested,
        width=width,
        every=every,
        noted=noted,
        foot=also,
        notes=[line for line in notes if line],
    )
    if one_element:
        return parts
    if shown.sizes["task"] > _ARMS_LISTED and rows == "summary":
        return _of_contrasts(parts, shown, means, every)
    header = [_HEADING_OF_DIM.get(name, name) for name in parts.header]
    words = (*parts.words, *_HEADING_OF_DIM.values())
    return replace(parts, table=replace(parts.table, header=header, words=words))


def _averages(fit: xr.Dataset) -> dict[str, dict[str, float]]:
    """Return the average over test elements by contrast, where there is one."""
    return {
        str(name): dict(zip(("ace", "lower", "upper"), row, strict=True))
        for name, *row in zip(
            fit["contrast"].to_numpy(),
            *(fit[x].to_numpy() for x in ("average", "average_lower", "average_upper")),
            strict=True,
        )
        if np.isfinite(row[0])
    }


def _measured_sentences(
    shown: xr.Dataset, fit: xr.Dataset, means: dict[str, dict[str, float]]
) -> list[str]:
    """Return in how many elements each contrast changes activity, of more than three
    those that change most and fewest.
    """
    names = [str(name) for name in shown["task"].to_numpy()]
    counts = _verdicts_of_tasks(shown)
    ends = _ends_of_regions(shown)
    control = str(about(fit, None).control or "")
    than = _compared_with(fit, control)
    n = {name: sum(counts[name][word] for word in VERDICTS) for name in names}
    if len(names) <= _ARMS_LISTED:
        found: list[str] = []
        for name in names:
            named, given, mean = _named(name), counts[name], means.get(name)
            begin = "" if found else than
            if given["undecided"] and not any(given[word] for word in DIRECTIONS):
                found.append(_none_called(begin, named, given, n[name], ends, mean))
                continue
            text = _one_contrast(named, given, n[name], ends, shown, bool(control))
            of = f" The average effect is {size_in_words(mean)}." if mean else ""
            found.append(f"{begin}{text}.{of}")
        return found

    def changed(name: str) -> int:
        return sum(counts[name][word] for word in DIRECTIONS)

    most, least = max(names, key=changed), min(names, key=changed)
    found = [
        f"{than}no effect of {sum(n.values()):,} in {len(names):,} contrasts is "
        "called by itself."
        if not changed(most)
        else f"{than}{_named(most)} changes log2 activity in {changed(most):,} of {n[most]:,} "
        f"elements, the most of {len(names):,} contrasts, and {_named(least)} in "
        f"{changed(least):,}, the fewest."
    ]
    if means:
        top = max(means, key=lambda name: abs(means[name]["ace"]))
        size = size_in_words(means[top])
        found.append(f"The largest average effect is that of {_named(top)}: {size}.")
    return found


def _none_called(
    begin: str,
    name: str,
    counts: Counter[str],
    n: int,
    ends: list[dict[str, float]],
    mean: dict[str, float] | None,
) -> str:
    """Return the average effect of a contrast of which no element has a direction, and
    some are undecided: few barcodes call none, whatever the effects are.
    """
    of, rest = f"{n:,} element{'s' * (n != 1)}", _other_verdicts(counts, n)
    if mean is None:
        text = f"no effect of {name} is called in {of}; {rest}."
    else:
        low, high = ends[0]["rope_lower"], ends[-1]["rope_upper"]
        bound = "0" if low == high else "the region"
        beyond = {"above": mean["lower"] > high, "below": mean["upper"] < low}
        where = next((f"{side} {bound}" for side, is_so in beyond.items() if is_so), "")
        text = (
            f"the average effect of {name} on log2 activity is {size_in_words(mean)}, "
            f"{where or 'undecided'}; of {of} by themselves, {rest}."
        )
    return f"{begin}{text}" if begin else f"{text[0].upper()}{text[1:]}"


def _verdicts_of_tasks(shown: xr.Dataset) -> dict[str, Counter[str]]:
    """Return how many contrasts have each verdict, by task."""
    rows = shown["verdict"].transpose("task", ...).to_numpy().astype(str)
    each = rows.reshape(len(rows), -1).tolist()
    names = map(str, shown["task"].to_numpy())
    return {name: Counter(row) for name, row in zip(names, each, strict=True)}


def _ends_of_regions(shown: xr.Dataset) -> list[dict[str, float]]:
    """Return the ends of the regions of effects, each once."""
    ends = {(row["rope_lower"], row["rope_upper"]) for row in rows_of(shown)}
    return [{"rope_lower": low, "rope_upper": high} for low, high in sorted(ends)]


def _named(name: str) -> str:
    """Return a name in a sentence: cut, and between quotes where it has a comma."""
    return quoted_if_commas([cut(name)])[0]


def _one_contrast(
    name: str,
    counts: Counter[str],
    n: int,
    ends: list[dict[str, float]],
    shown: xr.Dataset,
    of_arms: bool,
) -> str:
    """Return in how many elements a contrast changes activity, and the other
    verdicts.
    """
    up, down = (counts[word] for word in DIRECTIONS)
    of = f"of {n:,} element{'s' * (n != 1)}"
    point = all(end["rope_lower"] == end["rope_upper"] for end in ends)
    where = "" if point else f" {region_words(ends, shown.attrs, 'beyond')}"
    if of_arms:
        sides, what = [("raises", up), ("lowers", down)], f"log2 activity{where}"
    else:
        sides, what = [("positive", up), ("negative", down)], where.strip()
    if not up and not down:
        verb = f"changes {what}" if of_arms else f"is not 0{where}"
        sentence = f"{name} {verb} in none {of}"
    else:
        sides.sort(key=lambda side: -side[1])
        (first, k), (second, other) = sides
        it = " it" if of_arms else ""
        name = name if of_arms else f"{name} is"
        sentence = (
            f"{name} {f'{first} {what}'.strip()} in {k:,} {of} and "
            f"{second}{it} in {f'{other:,}' if other else 'none'}"
        )
    rest = _other_verdicts(counts, n)
    return f"{sentence}; {rest}" if rest else sentence


def _other_verdicts(counts: Counter[str], n: int) -> str:
    """Return how many elements have a verdict that is no direction."""
    return in_list(
        [
            f"{'all' if counts[word] == n > 1 else f'{counts[word]:,}'} "
            f"{'is' if counts[word] == 1 else 'are'} {word}"
            for word in VERDICTS
            if word not in DIRECTIONS and counts[word]
        ]
    )


def _called_controls(
    decisions: xr.Dataset, groups: NDArray[np.str_], is_control: Mask
) -> list[str]:
    """Return how many control oligos have an effect, by group, in a sentence."""
    if not is_control.any() or is_control.all():
        return []
    verdict = decisions["verdict"].transpose("contrast", ...).to_numpy().astype(str)
    called = np.isin(verdict, DIRECTIONS)
    parts = [
        f"{int(called[groups == group].sum()):,} of {called[groups == group].size:,} "
        f"{group}"
        for group in dict.fromkeys(groups[is_control].tolist())
    ]
    return [f"Controls with an effect: {', '.join(parts)}."]


def _of_contrasts(
    parts: AnswerParts,
    shown: xr.Dataset,
    means: dict[str, dict[str, float]],
    every: str,
) -> AnswerParts:
    """Return an answer with a line for each contrast, those that change most elements
    on top, in place of one for each element.
    """
    counted = _verdicts_of_tasks(shown)
    some = {*DIRECTIONS}.union(
        *counted.values()
    )  # none is a number of a direction, too
    words = [word for word in VERDICTS if word in some]
    level = percent(float(about(shown).ci_prob))
    lines = []
    for name, counts in counted.items():
        mean = format_effect(means[name]) if name in means else ("", "")
        changed = sum(counts[word] for word in DIRECTIONS)
        lines.append(
            (-changed, [name, *(f"{counts[word]:,}" for word in words), *mean])
        )
    lines.sort(key=lambda line: line[0])
    table = short_answer(
        (),
        ["contrast", *words, "average", f"{level} interval"],
        [line for _, line in lines],
        words=["contrast"],
        more=f"Elements: {every}, effects.tsv.",
        pointers={"every": every},
    )
    return replace(parts, table=table.table, beside=None, more=table.more)

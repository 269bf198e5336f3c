"""Text reports of libraries, counts, fits and concordances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import in_list
from causalgia.errors import (
    DataError,
    DesignError,
    first_of,
    printable,
    quoted_if_commas,
)
from causalgia.inputs import format_share, p_clause, parse_json
from causalgia.mpra.libraries.constructs import data_table
from causalgia.notes import notes_of
from causalgia.schema import validate
from causalgia.sequences.alphabet import encode
from causalgia.sequences.composition import iupac_hits
from causalgia.tell.answers import AnswerParts, short_answer
from causalgia.tell.fit_answers import (
    fit_parts as fit_parts,
    fit_question as fit_question,
    measured_parts as measured_parts,
)
from causalgia.tell.folded_text import cut

_SHOWN_ELEMENTS = 3
_AT_THE_BOUND = (
    "the correlation is above its ceiling, so that of the true effects is at its bound, "
    "by chance or because the standard errors are too large"
)
_NOTHING_LEFT = (
    "effects of one side vary no more than their errors, so the correlation of the "
    "true effects cannot be estimated"
)
_SHOWN_RULES = 5
_ARMS_SHOWN = 12


def concordance_parts(
    concordance: xr.Dataset,
    *,
    requested: Sequence[str] = (),
    every: bool = False,
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the parts of the text of a concordance.

    Parameters
    ----------
    concordance
        From `causalgia.mpra.concordance`.
    requested, every, noted
        What is printed besides, whether every contrast is, and how notes are asked for.

    Raises
    ------
    DataError
        If it is not a concordance.
    """
    if "noise_ceiling" not in concordance:
        raise DataError(
            "no concordance: there is no 'noise_ceiling'; give "
            "cg.mpra.concordance(virtual, measured)"
        )
    lost = parse_json(
        str(about(concordance, None).lost),
        DataError,
        source="attrs['lost'] of the concordance",
    )
    two = bool(about(concordance, None).of_two_fits)
    names = concordance["contrast"].to_numpy().astype(str).tolist()
    each = [concordance.sel(contrast=name) for name in names]
    several = len(names) > 1
    header = ["contrast", "elements", "correlation", "ceiling", "true effects"]
    clear = "clear effects" if two else "hits"
    header += ["slope", clear, "off line"]
    lines = [
        [
            name,
            f"{one['n'].item():,}",
            _with_ci(one, "pearson"),
            f"{one['noise_ceiling'].item():.2f}",
            _of_truth(one),
            _with_ci(one.sel(line="errors_and_scatter"), "slope"),
            f"{one['n_hits'].item():,}",
            f"{_off_the_line(one).sizes['element']:,}",
        ]
        for name, one in zip(names, each, strict=True)
    ]
    left_out = [
        f"{f'{name}: ' if several else ''}left out: {text}."
        for name in names
        if (text := _left_out(lost[printable(name)], two))
    ]
    ceilings: dict[str, list[str]] = {}
    for name, one in zip(names, each, strict=True):
        if text := _about_ceiling(one):
            ceilings.setdefault(text, []).append(name)
    cautions = [
        f"{_some(found)}: {text}." if several else f"{text[0].upper()}{text[1:]}."
        for text, found in ceilings.items()
    ]
    off = [
        text
        for name, one in zip(names, each, strict=True)
        if (text := _off_in_words(one, name if several else ""))
    ]
    sentences = [
        f"{f'{name}: ' if several else ''}{text}"
        for name, one in zip(names, each, strict=True)
        for text in (*_agreement(one), *_line_in_words(one))
    ]
    answer = _agreements(names, each) if several else _agreement(each[0])
    more_notes = [
        f"{f'{name}: ' if several else ''}{text}"
        for name, one in zip(names, each, strict=True)
        for text in _numbers_of(one)
    ]
    return short_answer(
        answer,
        header,
        lines,
        words=["contrast"],
        foot=[
            "Ceiling: what this noise allows. Slope: corrected for noise. "
            + (
                "Clear effects: of the second."
                if two
                else "Hits: clear measured effects."
            ),
            *cautions,
            *off,
            *(f"{text[0].upper()}{text[1:]}" for text in left_out),
        ],
        arms=[
            f"{'Effects of the first' if two else 'Virtual effects'} are on "
            f"{about(concordance).virtual_scale}, "
            f"{'those of the second' if two else 'measured ones'} on "
            f"{about(concordance).measured_scale}."
        ],
        each=sentences,
        notes=[*more_notes, *(f"Note: {note}." for note in notes_of(concordance))],
        requested=requested,
        every_row=every,
        pointers={"noted": noted},
    )


def _agreement(one: xr.Dataset) -> list[str]:
    """Return how virtual and measured effects of a contrast agree, and the line."""
    n, n_parents = one["n"].item(), one["n_clusters"].item()
    of = f" of {n_parents:,} source sequences" if n_parents < n else ""
    true = _of_truth(one)
    best = one.sel(line="errors_and_scatter")
    off = _off_the_line(one).sizes["element"]
    which = f"{off:,}" if off else "no"
    elements = "elements lie" if off > 1 else "element lies"
    slope = _with_ci(best, "slope")
    times = (
        f"Those of the second are {slope} times those of the first"
        if about(one, None).of_two_fits
        else f"Measured effects are {slope} times the virtual ones"
    )
    return [
        f"{_sides(one)} of {n:,} elements{of} correlate at r = "
        f"{_with_ci(one, 'pearson')}"
        + (f" ({true} corrected for noise)." if true else "."),
        f"{times}, and {which} {elements} significantly off that line.",
    ]


def _sides(one: xr.Dataset) -> str:
    """Return what is compared: a virtual with a measured trial, or two measured ones."""
    return (
        "The effects measured in two libraries"
        if about(one, None).of_two_fits
        else "Virtual and measured effects"
    )


def _agreements(names: list[str], each: list[xr.Dataset]) -> list[str]:
    """Return how virtual and measured effects of several contrasts agree, of more than
    three the least and the most.
    """
    n = sorted({one["n"].item() for one in each})
    elements = f"{n[0]:,}" + (f" to {n[-1]:,}" if len(n) > 1 else "")
    begin = f"{_sides(each[0])} of {elements} elements correlate"
    if len(names) <= _SHOWN_ELEMENTS:
        parts = [
            f"{_with_ci(one, 'pearson')} in {cut(name)}"
            for name, one in zip(names, each, strict=True)
        ]
        return [f"{begin} at r = {in_list(parts)}."]
    order = np.argsort([one["pearson"].item() for one in each], kind="stable")
    low, high = (
        f"{_with_ci(each[i], 'pearson')} ({cut(names[i])})"
        for i in (order[0], order[-1])
    )
    return [f"{begin} at r = {low} to {high} in {len(names):,} contrasts."]


def _some(names: list[str]) -> str:
    """Return up to three names, and the number of others."""
    return in_list(list(map(cut, names[:_SHOWN_ELEMENTS])), n=len(names))


def _of_truth(one: xr.Dataset) -> str:
    """Return the correlation of the true effects; empty where noise is all there is."""
    return _with_ci(one, "pearson_disattenuated") if one["noise_ceiling"].item() else ""


def _about_ceiling(one: xr.Dataset) -> str:
    correlation, ceiling = abs(one["pearson"].item()), one["noise_ceiling"].item()
    if correlation > ceiling > 0:
        return _AT_THE_BOUND
    return _NOTHING_LEFT if ceiling == 0 else ""


def _left_out(dropped: dict[str, Any], two: bool) -> str:
    """Return the elements that were not compared, of two measured sides if `two`."""
    called = {
        "only virtual": "only in the first",
        "only measured": "only in the second",
    }
    left_out = [
        f"{k:,} {called.get(what, what) if two else what}"
        for what, k in dropped.items()
        if not isinstance(k, dict) and k
    ]
    if isinstance(dropped["controls"], dict):
        left_out += [
            f"{k:,} {group} controls" for group, k in dropped["controls"].items()
        ]
    return ", ".join(left_out)


def _with_ci(one: xr.Dataset, name: str) -> str:
    value, lower, upper = (one[name + end].item() for end in ("", "_lower", "_upper"))
    return f"{value:.2f} [{lower:.2f}, {upper:.2f}]"


def _line_in_words(one: xr.Dataset) -> list[str]:
    """Return the line, its scatter, and what the hits say."""
    best = one.sel(line="errors_and_scatter")
    slope = _with_ci(best, "slope")
    slope = f"({slope})" if best["slope"].item() < 0 else slope

    scatter = best["scatter"].item()
    spread = (
        f"scatter about the line by {scatter:.2g}"
        if scatter
        else "do not scatter about the line"
    )
    y, x, _ = _side_names(one)
    lines = [
        f"{y} = {best['intercept'].item():.3g} + {slope} x {x}; true effects {spread}."
    ]
    if one["line_p"].item() < 0.05:
        p = p_clause(one["line_p"].item())
        lines.append(
            f"The errors alone do not explain the distances from the line ({p})."
        )
    return lines


def _numbers_of(one: xr.Dataset) -> list[str]:
    """Return the line, the spread of true effects, ranks and hits."""
    spread, reliability = (
        [one[name].sel(side=side).item() for side in ("virtual", "measured")]
        for name in ("tau", "reliability")
    )
    n = one["n_hits"].item()
    y, x, two = _side_names(one)
    of_y, of_x = (f"the {y}", f"the {x}") if two else (y, x)
    plural = "s" if n != 1 else ""
    if n == 0:
        hits = (
            "No effect of the second is clear."
            if two
            else "No measured effect is a hit."
        )
    elif two:
        hits = (
            f"{n:,} clear effect{plural} of the second: sign as in the first in "
            f"{_with_ci(one, 'sign_agreement')}, found by the size of the first's effect "
            f"with AUROC {_with_ci(one, 'auroc')}."
        )
    else:
        hits = (
            f"{n:,} measured hit{plural}: sign as predicted in "
            f"{_with_ci(one, 'sign_agreement')}, found by the size of the virtual effect "
            f"with AUROC {_with_ci(one, 'auroc')}."
        )
    return [
        *(f"{text[0].upper()}{text[1:]}" for text in _line_in_words(one)),
        f"True effects spread by {spread[0]:.3g} ({of_x}) and {spread[1]:.3g} "
        f"({of_y}); reliability {max(reliability[0], 0):.2f} and "
        f"{max(reliability[1], 0):.2f}; correlation of ranks "
        f"{one['spearman'].item():.2f}.",
        hits,
    ]


def _side_names(one: xr.Dataset) -> tuple[str, str, bool]:
    """Return what the two sides are called, y and x, and whether both were measured."""
    if about(one, None).of_two_fits:
        return "second", "first", True
    return "measured", "virtual", False


def _off_the_line(one: xr.Dataset) -> xr.Dataset:
    """Return the elements off the line by more than the errors."""
    return one.isel(element=np.flatnonzero(one["q_off"].to_numpy() < 0.05))


def _off_in_words(one: xr.Dataset, name: str) -> str:
    off = _off_the_line(one)
    if not off.sizes["element"]:
        return ""
    worst = off.isel(
        element=np.argsort(off["p_off"].to_numpy(), kind="stable")[:_SHOWN_ELEMENTS]
    )
    two = _side_names(one)[2]
    of_y, expected = (
        ("in the second", "by the line") if two else ("measured", "expected")
    )
    parts = [
        f"{cut(str(element))} ({measured:+.2f} {of_y}, {predicted:+.2f} {expected})"
        for element, measured, predicted in zip(
            worst["element"].to_numpy(),
            worst["measured"].to_numpy(),
            worst["predicted"].to_numpy(),
            strict=True,
        )
    ]
    rest = ", ..." if off.sizes["element"] > _SHOWN_ELEMENTS else ""
    of = f" in {cut(name)}" if name else ""
    return f"Off the line{of} (q < .05): {', '.join(parts)}{rest}."


def describe_library(library: xr.Dataset) -> str:
    """Return a text report of a library: oligos, rules, and the shift from the null
    model.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`.

    Returns
    -------
    str
        Oligos by arm, the oligo and its parts, the rules and by arm the draws that
        broke them, the share of redrawn units, and GC content before and after.

    Raises
    ------
    DataError
        If it is not a library.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(
    ...     cg.report(
    ...         cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    ...     )
    ... )
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...
    """
    if not validate(library, "library").sizes["row"]:
        raise DataError("the library has no oligo to report; select rows that it has")
    before, after = (
        format_share(library[name].item(), 2) for name in ("gc_proposed", "gc_ordered")
    )

    parts = [
        _oligo_counts_lines(library),
        _oligo_parts_lines(library),
        _rule_lines(library),
        _dropped_lines(library),
        [f"null model: GC {before} as drawn first, {after} as ordered"],
    ]
    return "\n".join(line for part in parts for line in part)


def _oligo_counts_lines(library: xr.Dataset) -> list[str]:
    arms, groups = (
        library["arm"].to_numpy().astype(str),
        library["group"].to_numpy().astype(str),
    )
    dropped = library["dropped_arm"].to_numpy() if "dropped_arm" in library else ()
    tests = [
        (arm, "test") for arm in library["judged_arm"].to_numpy() if arm not in dropped
    ]
    kinds = dict.fromkeys([*tests, *zip(arms, groups, strict=True)])
    counts = [
        (arm, group, int(((arms == arm) & (groups == group)).sum()))
        for arm, group in kinds
    ]
    if len(tests) > _ARMS_SHOWN:
        n = int((groups == "test").sum())
        counts = [
            (f"under {len(tests):,} arms", "test", n),
            *(row for row in counts if row[1] != "test"),
        ]
    shown = ", ".join(
        f"{n:,} {name}{f' ({group})' if group not in ('test', arm) else ''}"
        for name, (arm, group, n) in zip(
            quoted_if_commas(arm for arm, _, _ in counts), counts, strict=True
        )
    )
    lines = [f"{len(arms):,} oligos of {about(library).oligo_length} nt: {shown}"]
    if "pool" in library:
        test = library.isel(row=groups == "test")
        sizes = np.unique(library["pool"].to_numpy(), return_counts=True)[1]
        of = pd.crosstab(test["element"].to_numpy(), test["pool"].to_numpy()) > 0
        shared = int(of.all(axis=1).sum())
        lines.append(
            f"{len(sizes)} pools of {in_list([f'{n:,}' for n in sizes])} oligos: "
            f"{shared:,} of {len(of):,} elements and all controls are in each"
        )
    if "positive" not in groups:
        lines.append(
            "no positive control: give sequences that are active in your cells, "
            "controls=cg.mpra.Controls(positives=...)"
        )
    if "barcode" not in library:
        lines.append(
            "no A/A pair (an oligo twice) and no promoter alone, since barcodes are "
            "added at random after the synthesis: for an A/A comparison, name two "
            "halves of the barcodes of an oligo as two arms; for the promoter alone, "
            "clone it without an insert"
        )
    elif "promoter" not in groups:
        lines.append("no promoter alone: clone it by itself")
    if has(library).promoter_junction:
        lines.append(
            "the promoter alone carries no insert, but a filler of "
            f"{max(map(len, library['insert'].to_numpy()))} nt, which is cut out of "
            "the junction when the reporter is put in"
        )
    return lines


def _oligo_parts_lines(library: xr.Dataset) -> list[str]:
    attrs = library.attrs
    length = max(map(len, library["insert"].to_numpy()))
    middle = [f"insert ({length})"]
    if "barcode" in library:
        middle += [about(attrs).junction] if about(attrs).junction else []
        middle += [
            f"barcode ({about(attrs).barcode_length}, Levenshtein distance at least "
            f"{about(attrs).min_distance})"
        ]
    name = f"{about(attrs).construct}: " if about(attrs).construct else ""
    return [
        f"oligo: {name}{' + '.join([about(attrs).left, *middle, about(attrs).right])}",
        f"{about(attrs).assignment} of {about(attrs).null}",
    ]


def _rule_lines(library: xr.Dataset) -> list[str]:
    n_draws, broken = int(library["n_draws"]), library["broken"].to_numpy()
    rules = _rule_names(library)
    lines = [f"rules: {', '.join(rules)}", *_uncounted_sites(library)]
    redrawn = format_share(library["share_redrawn"].item(), 1)
    lines.append(f"{redrawn} of the units were drawn anew ({n_draws:,} draws in all)")
    for rule, by_arm in zip(library["rule"].to_numpy(), broken, strict=True):
        if by_arm.any():
            order = np.argsort(-by_arm, kind="stable")[:_SHOWN_RULES]
            each = [
                f"{by_arm[i]:,} {library['judged_arm'].to_numpy()[i]}"
                for i in order
                if by_arm[i]
            ]
            n_arms = int(np.count_nonzero(by_arm))
            arms = first_of(each, _SHOWN_RULES, n=n_arms, thing="arm")
            lines.append(f"  {rule}: draws that broke it, by arm: {arms}")
    for name, one, many in (
        ("broken_scrambles", "scramble", "scrambles"),
        ("broken_barcodes", "barcode in its oligo", "barcodes in their oligo"),
    ):
        total = int(library[name].sum())
        exchanged = (
            f"{one} broke a rule and was"
            if total == 1
            else f"{many} broke a rule and were"
        )
        lines += [f"  {total:,} {exchanged} exchanged"] if total else []
    flags = [
        f"{int(n):,} with {flag}"
        for flag, n in zip(
            library["flag"].to_numpy(), library["flagged"].to_numpy(), strict=True
        )
        if n
    ]
    return [
        *lines,
        *(
            [f"kept, although vendors synthesize them less evenly: {', '.join(flags)}"]
            if flags
            else []
        ),
    ]


def _rule_names(library: xr.Dataset) -> list[str]:
    source = "attrs['rules'] of the library"
    return list(parse_json(str(about(library, None).rules), DesignError, source=source))


def _uncounted_sites(library: xr.Dataset) -> list[str]:
    """Return the enzymes with a site in custom adapters that no rule keeps out of
    inserts and barcodes.
    """
    if about(library).construct:
        return []
    rules = set(_rule_names(library))
    parts = [
        encode(library.attrs[part])
        for part in ("left", "junction", "right")
        if library.attrs[part]
    ]
    found = {}
    for enzyme, recognized in data_table("sites")["sites"].items():
        n = sum(
            int(iupac_hits(part, recognized)[0][0])
            for part in parts
            if part.shape[1] >= len(recognized)
        )
        if n and not rules & {f"site {enzyme}", f"site {recognized}"}:
            found[enzyme] = n
    return [
        (
            f"the adapters carry {', '.join(found)}, and inserts may too: where the "
            f"protocol cuts there, give rules=cg.mpra.OligoRules(avoid={found})"
        )
    ] * bool(found)


def _dropped_lines(library: xr.Dataset) -> list[str]:
    if "why_arm" in library:
        why = library["why_arm"].to_series()
        return [
            f"arms left out, since they break a rule: {len(why):,}",
            *(f"  {arm}: {rule}" for arm, rule in why.head(_SHOWN_RULES).items()),
            *[f"  and {len(why) - _SHOWN_RULES:,} more"] * (len(why) > _SHOWN_RULES),
        ]
    if "why" not in library:
        return []
    dropped = dict(
        zip(
            library["dropped"].to_numpy().tolist(),
            library["why"].to_numpy().tolist(),
            strict=True,
        )
    )
    lines = [
        f"{len(dropped):,} units are in no arm: no draw of them met the rules, "
        "whatever their arm would have been"
    ]
    lines += [
        f"  unit {unit}: {why}" for unit, why in list(dropped.items())[:_SHOWN_RULES]
    ]
    return lines + (
        [f"  and {len(dropped) - _SHOWN_RULES:,} more"]
        if len(dropped) > _SHOWN_RULES
        else []
    )

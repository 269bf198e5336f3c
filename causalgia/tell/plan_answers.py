"""The power of a library as text: sentences on the designs and what they assume, and one
table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import in_list
from causalgia.design.plan_text import arm_rows, design_foot, plan_sentence
from causalgia.errors import comma_list
from causalgia.inputs import format_share
from causalgia.notes import notes_of
from causalgia.tell.answers import ROWS_SHOWN, AnswerParts, short_answer
from causalgia.tell.folded_text import cut
from causalgia.tell.table_formats import percent
from causalgia.tell.verdict_sentences import truncation_sentence

if TYPE_CHECKING:
    from causalgia.protocol import Protocol

ENOUGH = 0.8
"""Power from which a design is called enough."""
_EFFECTS_SHOWN = 3
_LEAST_LOST = 0.005  # of smaller shares 0 % is printed
_SETTINGS = {
    "n_backgrounds": ("background", "backgrounds"),
    "n_barcodes": ("barcode of each oligo", "barcodes of each oligo"),
    "n_replicates": ("replicate", "replicates"),
    "depth": ("read of a barcode", "reads of a barcode"),
}
_HEADINGS = {
    "true_effect": "effect",
    "n_backgrounds": "backgrounds",
    "n_barcodes": "barcodes",
    "n_replicates": "replicates",
    "depth": "reads a barcode",
    "se": "SE",
    "half_width": "half width",
    "power": "power",
    "power_shared": "with {:g} shared",
    "lost": "lost",
}
_LAYERS = {
    "sd_barcode": "between barcodes",
    "sd_replicate": "between replicates",
    "sd_count": "of a cell by counting",
    "tau": "of the effect between backgrounds",
    "sd_shared": "shared by an arm's elements in a replicate",
}
_LOSSES = {
    "missing": "of cells missing",
    "p_silent": "of cells silent",
    "outliers": "of barcodes outliers",
}


def assumptions_in_words(found: xr.Dataset) -> str:
    """Return what a plan assumes: its layers of noise, where they are not from the noise
    model, and its losses.

    Examples
    --------
    >>> from causalgia.mpra import NoiseModel, power
    >>> noise = NoiseModel(sd_barcode=0.6, sd_replicate=0.15, sd_count=0.5)
    >>> found = power(0.5, n_barcodes=20, n_replicates=4, noise=noise)
    >>> print(assumptions_in_words(found))
    sd on log2 0.6 between barcodes, 0.15 between replicates, 0.5 of a cell by counting, 0
    shared by an arm's elements in a replicate; elements alike in noise; 0 % of barcodes
    lost, 0 % of cells missing, 0 % of cells silent, 0 % of barcodes outliers
    """
    layers = []
    for name, what in _LAYERS.items():
        if name in found:
            source = about(found[name]).source
            of = "" if source == "noise" else f" ({source})"
            layers.append(f"{_sizes(found[name])} {what}{of}")
    uneven, far = float(found["sd_noisiness"]), float(found["sd_outlier"])
    losses = [f"{format_share(1 - float(found['recovery']))} of barcodes lost"]
    losses += [f"{format_share(float(found[x]))} {of}" for x, of in _LOSSES.items()]
    losses[-1] += f" (a further sd of {far:.3g})" if float(found["outliers"]) else ""
    elements = f"differ in noise by a factor of {np.exp(uneven):.2g}"
    return (
        f"sd on log2 {', '.join(layers)}; elements "
        f"{elements if uneven else 'alike in noise'}; {', '.join(losses)}"
    )


def _sizes(values: xr.DataArray) -> str:
    """Return one size, two, or the range of several."""
    sizes = [f"{x:.3g}" for x in np.unique(values.to_numpy())]
    return (" or " if len(sizes) < 3 else " to ").join(
        dict.fromkeys(sizes[:: max(len(sizes) - 1, 1)])
    )


def power_parts(
    found: xr.Dataset,
    *,
    requested: Sequence[str] = (),
    every: bool = False,
    pointer: str = 'rows="all"',
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the parts of the text of `causalgia.mpra.power`; what is printed besides,
    whether every design is, and how to see all, and notes.
    """
    dims = [str(dim) for dim in found["power"].dims]
    shared = float(about(found).shared_error)
    columns = ["se", "half_width", "power", "power_shared", "lost"]
    cells = found[[*columns, "sd_shared"]]
    cells = cells if dims else cells.expand_dims("design")
    table = cells.to_dataframe(dim_order=dims or ["design"]).reset_index()
    fixed = {name: found.attrs[name] for name in _SETTINGS if name in found.attrs}
    effects = [dim for dim in dims if dim not in _SETTINGS]
    designs = [dim for dim in dims if dim in _SETTINGS]
    groups = [x for _, x in table.groupby(effects, sort=False)] if effects else [table]
    groups.sort(key=lambda group: float(group["power"].max()))
    shown = groups if len(groups) <= _EFFECTS_SHOWN else groups[:1]
    answer = [_finding(found, group.assign(**fixed), designs) for group in shown]
    if more := len(groups) - len(shown):
        answer.append(f"The other {more:,} effects are easier.")
    answer.append(f"Assumed: {assumptions_in_words(found)}.")
    answer += [f"The pilot: {note}." for note in notes_of(found)]
    if len(table) > ROWS_SHOWN and not every:
        table = table.sort_values("power", ascending=False, kind="stable")
    if (table["sd_shared"] >= shared).all():
        columns.remove("power_shared")
    if table["lost"].max() < _LEAST_LOST:
        columns.remove("lost")
    names = [*dims, *columns]
    kept = in_list([_counted(*x) for x in fixed.items()]) if designs else ""
    test = (
        f"False discovery rate {about(found).q:g} where "
        f"{format_share(about(found).share_true)} of elements have the effect"
        if has(found).q
        else f"Two-sided test at {float(found['alpha'].max()):.3g}{_of_t(found)}"
    )
    lost = ["Lost: oligos with fewer than two barcodes."] * ("lost" in columns)
    return short_answer(
        [*truncation_sentence(found.attrs), *answer],
        [_HEADINGS.get(name, name).format(shared) for name in names],
        [[_cell(name, row[name]) for name in names] for _, row in table.iterrows()],
        words=[dim for dim in dims if dim in ("contrast", "task")],
        foot=[f"{test}{'; ' * bool(kept)}{kept}.", *lost],
        requested=requested,
        every_row=every,
        pointers={"every": pointer, "noted": noted},
    )


def _finding(found: xr.Dataset, cells: pd.DataFrame, designs: list[str]) -> str:
    """Return which designs find one effect, or how likely the one design does."""
    enough, n = cells[cells["power"] >= ENOUGH], len(cells)
    if len(enough):
        effort = enough[designs].prod(axis=1)
        best = enough[effort == effort.min()]
    else:
        best = cells
    one = best.loc[best["power"].idxmax()]
    average = about(found, None).question != "one element"
    size = one.get("true_effect", about(found, None).true_effect)
    what = "the virtual effect" if size is None else f"a log2 effect of {size:,g}"
    of = [cut(str(one[x])) for x in ("contrast", "task") if x in one]
    what += f" of {' in '.join(of)}" if of else ""
    what += " on average over backgrounds" if average else " in one element"
    settings = designs or [name for name in _SETTINGS if name in one]
    design = in_list([_counted(name, one[name]) for name in settings])
    chance = _chance(one["power"])
    if one["sd_shared"] < (shared := float(about(found).shared_error)):
        chance += f", and {_chance(one['power_shared'])} under a shared error of "
        chance += f"{shared:g}"
    if n == 1:
        level = percent(float(about(found).ci_prob))
        return (
            f"{design[:1].upper()}{design[1:]} find {what} with a power of {chance}; a "
            f"{level} interval has a half width of {one['half_width']:.2g}."
        )
    if not len(enough):
        return (
            f"None of {n:,} designs finds {what} with a power of {ENOUGH:g}: the best "
            f"has {design} ({chance})."
        )
    return (
        f"Of {n:,} designs, {len(enough):,} find{'s' * (len(enough) == 1)} {what} with "
        f"a power of {ENOUGH:g} or more: {'it' if len(enough) == 1 else 'the smallest'} "
        f"has {design} ({chance})."
    )


def _of_t(found: xr.Dataset) -> str:
    """Return the degrees of freedom of the t tests, as a clause to append; empty where
    the tests are normal.
    """
    df = found["df"].to_numpy()
    if not np.isfinite(df).all():
        return ""
    least, most = f"{df.min():.3g}", f"{df.max():.3g}"
    several = f" to {most}" if most != least else ""
    return f", by a t with {least}{several} degrees of freedom"


def _chance(power: float) -> str:
    return f"{power:.2g}" if power < 0.995 else "over 0.99"


def _counted(name: str, value: float) -> str:
    one, many = _SETTINGS[name]
    return f"{value:,g} {one if value == 1 else many}"


def _cell(name: str, value: Any) -> str:
    if name == "lost":
        return format_share(value)
    if isinstance(value, str):
        return value
    return (
        f"{value:,g}" if name in _SETTINGS or name == "true_effect" else f"{value:.3g}"
    )


def protocol_parts(
    protocol: Protocol,
    *,
    also: Sequence[str] = (),
    question: str = "",
    scale: str = "",
    predictor: str = "",
    n_networks: int = 1,
    every_row: bool = False,
    requested: Sequence[str] = (),
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the parts of the text of a plan.

    Parameters
    ----------
    also, question
        More sentences, and the one that an experiment asks.
    scale, predictor
        The scale that a trial file says, and the predictor in words.
    n_networks
        Networks that answer each sequence.
    every_row, requested, noted
        Whether all arms are shown, what is printed besides, and how notes are asked
        for.
    """
    plan = protocol.analysis
    control = getattr(plan, "control", None)
    answer = plan_sentence(
        arms=protocol.arms,
        contrasts=protocol.contrasts,
        control=control if isinstance(control, str) else None,
        null=protocol.null,
        n_units=protocol.n_units,
        assignment=protocol.assignment,
        n_networks=n_networks,
        most=protocol.until is not None,
    )
    lines, more = arm_rows(protocol.arms, protocol.do, every_row=every_row)
    estimand = protocol.estimand.removesuffix(", on outcome")
    on = f", on {scale}" if scale and estimand != protocol.estimand else ""
    verdicts = (
        "No verdict: no region of practical equivalence"
        if plan.region is None
        else f"Verdicts: against {plan.region.argument}; error rate {plan.error}, "
        f"{1 - plan.ci_prob:.3g}"
    )
    until = "" if protocol.until is None else f" Until {protocol.stopping_rule()}."
    locked = (
        "Not locked."
        if protocol.locked is None
        else f"Locked {protocol.locked}, SHA-256 {str(protocol.sha256)[:16]}..."
    )
    stored = design_foot(protocol.reserve)
    return short_answer(
        [*([question] if question else []), answer, *also],
        ["arm", "intervention"],
        lines,
        words=("arm", "intervention"),
        letters=max((len(cell) for line in lines for cell in line), default=1),
        foot=[
            f"{verdicts}; {100 * plan.ci_prob:.4g} % intervals. Seed {protocol.rng}."
            f"{until} {locked}",
            *([f"Predictor: {predictor}."] if predictor else []),
            *([stored] if stored else []),
        ],
        more=more,
        notes=[
            f"Estimand: {estimand}{on}.",
            f"Contrasts: {comma_list(protocol.contrasts)}.",
            f"Predictor: {protocol.predictor_fingerprint}.",
            f"Design: {protocol.design_fingerprint}; null model: {protocol.null_fingerprint}.",
        ],
        every_row=True,
        requested=requested,
        pointers={"noted": noted},
    )

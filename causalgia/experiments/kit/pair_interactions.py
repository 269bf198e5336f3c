"""Interactions of two motifs on every scale, and their text and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalgia.attributes import about
from causalgia.checks import first_of, in_list
from causalgia.errors import EstimateError, quoted
from causalgia.experiments.kit.answer import Answer, Finding, mean_over_models
from causalgia.experiments.kit.experiment import Experiment, TrialResults
from causalgia.experiments.kit.joint_effects import (
    SINGLE,
    UNDECIDED,
    ScalesTried,
    bounded_sentences,
    interactions_in_words,
    is_departure,
    joint_effects,
    pair_in_words,
    same_side,
    scales_in,
    scales_tried,
    single_sites_text,
)
from causalgia.experiments.kit.site_controls import against_placebos
from causalgia.experiments.kit.variance import (
    effect_in_words,
    rows_by_task,
)
from causalgia.notes import Said

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.effects.scales import MeansFunction
    from causalgia.tell.figures.axes import Axes
    from causalgia.types import Array


ORDERS = ("downstream", "upstream")
SCALES = ("identity", "log_of_means", "logit")


class _OfFourMeans(NamedTuple):
    """A function of the means of four arms, relative to what it is without interaction.

    Parameters
    ----------
    function
        As `causalgia.contrast` takes it.
    none
        What is added for its usual form.
    of_log2
        Whether it is of outcomes in log2; of others, it is of none in logarithms.
    linear
        Whether it is a quotient of two sums, which has limits wherever its divisor may
        be 0.
    """

    function: MeansFunction
    none: float
    of_log2: bool = False
    linear: bool = False


def _cooperativity(none: Array, a: Array, b: Array, both: Array) -> tuple[Array, Array]:
    below = np.exp2(a - both) + np.exp2(b - both) - np.exp2(none - both)
    return 1 - below, below


OF_FOUR_MEANS = {
    "excess_over_multiplicative": _OfFourMeans(
        lambda none, a, b, both: (both * none - a * b, none), 0.0
    ),
    "bpnet": _OfFourMeans(
        lambda none, a, b, both: (both - a - b + none, a), 1.0, linear=True
    ),
    "cooperativity": _OfFourMeans(_cooperativity, 1.0, of_log2=True),
}
"""Interactions of other papers: AB - A B / 0; (AB - (B - 0)) / A (Avsec et al. 2021);
2^AB / (2^A + 2^B - 2^0) (de Almeida et al. 2022)."""
_MOST_ON_SCALES = 5_000
"""Interactions, at most, that are tried on further scales where all pairs of many
motifs are asked."""
_ESTIMATE_COLUMNS = ["ace", "se", "df", "p", "lower", "upper"]
_ENDS = ("ace", "lower", "upper")


def read_pair(found: TrialResults) -> Finding:
    """Return the interactions on every scale, with sentences on them."""
    datasets: dict[str, xr.Dataset] = {}
    if found.outcomes is not None:
        datasets["scales"] = across_scales(found.outcomes, found.experiment)
    sentences, details = _pair_sentences(found, datasets)
    return Finding(
        datasets=datasets,
        sentences=(*sentences, *bounded_sentences(found.outcomes)),
        details=tuple(details),
    )


def across_scales(outcomes: xr.Dataset, experiment: Experiment) -> xr.Dataset:
    """Estimate the interaction of every cell on every scale that the outcomes allow.

    Parameters
    ----------
    outcomes
        ``cg.run(experiment, ...)``.
    experiment
        From `causalgia.experiments.motif_pair`.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (scale, contrast, task[, model])``, each on its
        own scale, and ``null_value (scale)``; ``survives (contrast, task[, model])``,
        whether the intervals of all scales lie on one side of no effect.
        ``attrs["left_out"]`` lists the scales that the outcomes do not allow, with the
        reason.

    References
    ----------
    Loftus (1978), doi:10.3758/BF03197461.
    """
    import xarray as xr

    from causalgia.effects._contrast import cell_interactions
    from causalgia.effects.scales import measured_on
    from causalgia.estimation import estimate
    from causalgia.estimation.ratios import clear_from

    by_scale, left_out = {}, []
    asks = experiment.labels["asks"]
    rows: Mapping[str, Mapping[str, float]] = experiment.named_contrasts or {}
    cells: dict[str, tuple[str, str, str, str]] = {}
    for name, row in rows.items():
        if asks[name] == "interaction":
            both, first, second, none = row
            cells[name] = (none, second, first, both)
    functions = {name: one.function for name, one in OF_FOUR_MEANS.items()}
    for scale, given in ({one: one for one in SCALES} | functions).items():
        if why := _not_on(scale, measured_on(outcomes)):
            left_out.append(why)
            continue
        try:
            found = estimate(cell_interactions(outcomes, cells, scale=given))  # type: ignore[arg-type]  # scales
        except EstimateError as error:
            left_out.append(str(error))
            continue
        if scale in functions and not OF_FOUR_MEANS[scale].linear:
            # a quotient of products whose divisor may be 0 has no limits
            unclear = (
                found["divisor_variance"]
                * clear_from(found["df"].to_numpy(), 0.95) ** 2
            )
            if bool(((unclear > 1) & (found["se"] > 0)).any()):
                left_out.append(f"{scale}: what it divides by may be 0")
                continue
        by_scale[scale] = found
    nulls = [
        OF_FOUR_MEANS[name].none
        if name in functions
        else float(about(e, 0.0).null_value)
        for name, e in by_scale.items()
    ]
    tables = []
    for name, e in by_scale.items():
        table = e[_ESTIMATE_COLUMNS].reset_coords(drop=True).drop_attrs()
        if name in functions:
            usual = {end: table[end] + OF_FOUR_MEANS[name].none for end in _ENDS}
            table = table.assign(usual)
        tables.append(table)
    out = xr.concat(tables, dim="scale").assign_coords(
        scale=list(by_scale), null_value=("scale", nulls)
    )
    survives = same_side(list(by_scale.values()))
    out["survives"] = (survives.dims, survives.to_numpy())
    return experiment.label(out).assign_attrs(left_out="; ".join(left_out))


def _not_on(scale: str, measured_on: str) -> str:
    """Return why outcomes measured on a scale have no function of four means; "" if they
    have.
    """
    from causalgia.effects.scales import is_log, is_log2

    if scale in SCALES:
        return ""
    of_log2 = OF_FOUR_MEANS[scale].of_log2
    if measured_on == "outcome" or (
        is_log2(measured_on) if of_log2 else not is_log(measured_on)
    ):
        return ""
    needed = "log2 outcomes" if of_log2 else "outcomes that are no logarithms"
    return f"{scale} needs {needed}, and these are on {quoted(measured_on)}"


def _pair_sentences(
    found: TrialResults, datasets: dict[str, xr.Dataset]
) -> tuple[list[str], list[str]]:
    """Return the answer of each task, and further sentences."""
    sentences, details = list[str](), list[str]()
    decisions, against = found.steps.decisions, against_placebos(found.experiment)
    scales = datasets.get("scales")
    tried = None if scales is None else scales_in(scales)
    for begins, table in rows_by_task(decisions):
        asks = table["asks"].to_numpy()
        cells = table.isel(contrast=asks == "interaction")
        pairs = table.isel(contrast=asks == "pair")
        alone = table.isel(contrast=np.isin(asks, SINGLE))
        pair = pair_in_words(table) or "the two motifs"
        sentences.append(
            Said(f"{against}{interactions_text(table, cells, found, tried)}.", *begins)
        )
        details.append(
            Said(
                f"{against}{_pair_verdicts_text(pairs, pair)}; "
                f"{single_sites_text(alone)}.",
                *begins,
            )
        )
        directions = table["contrast"].to_numpy()[
            table["asks"].to_numpy() == "direction"
        ]
        for name in (
            directions if cells["ace"].any() else ()
        ):  # where all interactions are 0, so are their differences
            row = table.sel(contrast=name)
            details.append(
                Said(
                    f"interaction downstream minus upstream, "
                    f"{str(name).removeprefix('direction ')}: {effect_in_words(row)}, "
                    f"{row['verdict'].item()}.",
                    *begins,
                )
            )
    details.append(
        "Arrangements: the strands of the first and the second motif (+ or -), the "
        "place of the second (downstream or upstream of the first), and the distance "
        "from start to start in bp."
    )
    return sentences, details


_PAIR_VERBS = {
    "increases": "increase the outcome in",
    "decreases": "decrease the outcome in",
    "negligible": "change the outcome negligibly in",
    "undecided": "are undecided in",
}
_GROUPS_NAMED = 4


def _pair_verdicts_text(pairs: xr.Dataset, pair: str) -> str:
    """Describe where a pair of motifs changes the outcome, whatever each site does
    alone.
    """
    verdicts = pairs["verdict"].to_numpy().astype(str)
    parts = [
        f"{does} {_arrangements_text(pairs.isel(contrast=verdicts == verdict))}"
        for verdict, does in _PAIR_VERBS.items()
        if (verdicts == verdict).any()
    ]
    return f"together {pair} {in_list(parts)}"


def _arrangements_text(cells: xr.Dataset) -> str:
    """List the first few arrangements with their distances, and count the others."""
    sides = list(
        zip(cells["orientation"].to_numpy(), cells["order"].to_numpy(), strict=True)
    )
    placed = list(zip(cells["distance"].to_numpy(), sides, strict=True))
    found = {
        side: [distance for distance, of in placed if of == side] for side in sides
    }
    shown = [
        f"{way} {order} at {ranges_text(at)}" for (way, order), at in found.items()
    ]
    return first_of(shown, _GROUPS_NAMED, thing="arrangement")


def ranges_text(distances: Sequence[float]) -> str:
    """Return distances as text, three or more consecutive ones as a range.

    Examples
    --------
    >>> ranges_text([2, 3, 4, 5, 8]), ranges_text([4])
    ('2 to 5 and 8', '4')
    """
    runs: list[list[int]] = []
    for d in sorted(int(x) for x in distances):
        if runs and d == runs[-1][-1] + 1:
            runs[-1].append(d)
        else:
            runs.append([d])
    parts = [
        part
        for run in runs
        for part in (
            [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(d) for d in run]
        )
    ]
    return in_list(parts)


def interactions_text(
    table: xr.Dataset,
    cells: xr.Dataset,
    found: TrialResults,
    tried: ScalesTried | None = None,
) -> str:
    """Return how many pairs of each kind there are, how many of them are on every
    scale, and the strongest interaction with its kind.
    """
    names = cells["contrast"].to_numpy().astype(str).tolist()
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    kinds = joint_effects(table, contrasts, names)
    departing = [name for name in names if is_departure(kinds[name])]
    if tried is None and len(departing) <= _MOST_ON_SCALES:
        tried = scales_tried(
            found.outcomes, {name: contrasts[name] for name in departing}
        )
    on_scales = "" if tried is None else tried.text(departing, table)
    row = cells.isel(contrast=int(np.abs(cells["ace"].to_numpy()).argmax()))
    strongest = str(row["contrast"].item())
    size = effect_in_words(row)
    if len(names) == 1:
        return f"{strongest} is {kinds[strongest]}{on_scales} (interaction {size})"
    largest = "all estimates are 0, from too few sequences to call them negligible"
    if row["ace"].item() != 0:
        largest = (
            f"the strongest is that of {strongest} ({size}, {kinds[strongest].word})"
        )
    pair = pair_in_words(table)
    of = f"{len(names):,} interactions{pair and f' of {pair}'}"
    if not departing and all(kind.word == UNDECIDED for kind in kinds.values()):
        return f"none of {of} is decided; {largest}"
    return f"of {of}, {interactions_in_words(kinds.values(), on_scales)}; {largest}"


def draw_pair(answer: Answer) -> Axes:
    """Draw interactions by distance, downstream beside upstream, in the orientation
    with the largest one.
    """
    from causalgia.tell.figures import curve

    table = answer.decisions
    cells = table.isel(contrast=table["asks"].to_numpy() == "interaction")
    size = (
        np.abs(cells["ace"].transpose("contrast", ...).to_numpy())
        .reshape(cells.sizes["contrast"], -1)
        .max(axis=1)
    )
    orientation = cells["orientation"].to_numpy()
    largest = cells.isel(contrast=orientation == orientation[size.argmax()])
    if (n := len(set(orientation.tolist()))) > 1:
        largest = largest.assign_attrs(
            shown=(
                f"orientation {orientation[size.argmax()]}, with the largest "
                f"interaction of {n}"
            )
        )
    return curve(
        largest,
        x="distance",
        by="order",
        label="Excess over the sum of both sites alone",
    )


def read_pairs(found: TrialResults) -> Finding:
    """Return the distance of the largest interaction of each pair of motifs, with
    sentences.
    """
    decisions = found.steps.decisions
    cells = decisions["asks"].to_numpy() == "interaction"
    sides = ["upstream", "downstream"]
    at = (
        decisions.isel(contrast=cells)
        .set_coords(sides)
        .set_index(contrast=[*sides, "distance"])
        .unstack("contrast")
    )
    where = abs(at["ace"]).argmax("distance")
    best = (
        at[["ace", "lower", "upper", "verdict"]]
        .isel(distance=where)
        .reset_coords("distance")
    )
    best = best.drop_vars(
        [name for name in ("do", "is_placebo", "asks", "site") if name in best.coords]
    )
    against = against_placebos(found.experiment)
    sentences, details = list[str](), list[str]()
    for begin, table in rows_by_task(decisions):
        of_pairs = interactions_text(table, table.isel(contrast=cells), found)
        sentences.append(Said(f"{against}{of_pairs}.", *begin))
        alone = single_sites_text(table.isel(contrast=~cells))
        details.append(Said(f"{against}{alone}.", *begin))
    return Finding(
        datasets={"strongest": best},
        sentences=(*sentences, *bounded_sentences(found.outcomes)),
        details=tuple(details),
    )


def draw_pairs(answer: Answer) -> Axes:
    """Draw the largest interaction of each pair of motifs, upstream by downstream, for
    one task.
    """
    from causalgia.tell.figures import heatmap

    best = (
        mean_over_models(answer.findings["strongest"])
        .isel(task=[0])
        .stack(contrast=["upstream", "downstream"])
        .transpose("contrast", ...)
    )
    names = [f"{a} {b}" for a, b in best["contrast"].to_numpy()]
    sides: dict[Any, Any] = {
        side: ("contrast", best[side].to_numpy()) for side in ("upstream", "downstream")
    }
    flat = best.drop_vars(["contrast", "upstream", "downstream"]).assign_coords(
        contrast=names, **sides
    )
    table = answer.decisions
    cells = table["asks"].to_numpy() == "interaction"
    n = len(np.unique(table["distance"].to_numpy()[cells]))
    effect = (
        f"Interaction, the largest over {n:,} distances," if n > 1 else "Interaction"
    )
    return heatmap(
        flat.assign_attrs(answer.decisions.attrs),
        rows="upstream",
        columns="downstream",
        label=effect,
    )

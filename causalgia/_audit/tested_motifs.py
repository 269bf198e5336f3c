"""What each candidate of an audit does: lost from sequences, alone in shuffles, by strand,
place and copies, in every task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia._audit.candidates import Candidate
from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Design, DinucleotideShuffle, Embed, Genomic, Untreated
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.design.placebo_contrasts import (
    N_ORDERS,
    other_orders,
    reach_of_orders,
)
from causalgia.errors import DesignError
from causalgia.estimation import estimate
from causalgia.experiments import Answer, Experiment
from causalgia.experiments._needed_sites import needed_sites
from causalgia.experiments.kit.screens import random_placebos, width_classes
from causalgia.ropes import Ends
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.types import Mask
from causalgia.verdicts import decide

_WORDS, _WORD_UNITS, _SPREADS = 60, 50, 5.0
ORDER_UNITS, _BEYOND = 100, 1.5
"""Units of an order of a motif's letters, and how far beyond the limits of orders an effect
alone is one of its own, in effects that are too small to matter.
"""
BOTH = "both"
_ENDS = (0.05, 0.95)
LOST = "shuffle"
OF_LOST = (
    *("n_sites", "lost", "lost_lower", "lost_upper", "lost_5", "lost_95"),
    *("lost_verdict", "lost_p"),
)


def random_words(
    null: DinucleotideShuffle, motifs: Sequence[Motif]
) -> tuple[Design, dict[str, int]]:
    """Return the trial of random sequences of about the widths of motifs, none of which
    holds one, and the width of each arm.
    """
    arms, widths = [Arm("untreated", Untreated())], dict[str, int]()
    words = [one.consensus for one in motifs]
    held = [*words, *map(reverse_complement_iupac, words)]
    for of_class in width_classes(len(one) for one in motifs):
        wide = of_class[-1]
        for word in random_placebos(wide, _WORDS, "ACGT", other_than=held):
            at = (null.length - wide) // 2
            arms.append(Arm(f"random {word}", FixedPlacebo(word, at=at)))
            widths |= {arms[-1].name: wide}
    return Design(
        null=null, arms=arms, n_units=_WORD_UNITS, contrasts="untreated"
    ), widths


def regions(
    effects: xr.Dataset, widths: Mapping[str, int], least: Mapping[str, float]
) -> dict[int, dict[str, Ends]]:
    """Return, by width and task, the effects that are too small to matter: five standard
    deviations of those of random sequences, and no less than `least`.

    The standard deviation is 1.4826 times the median of the distances from the median.
    """
    found: dict[int, dict[str, Ends]] = {}
    for wide in dict.fromkeys(widths.values()):
        names = [name for name, of in widths.items() if of == wide]
        ace = effects["ice"].sel(contrast=names).mean("unit")
        for task, least_of in least.items():
            values = ace.sel(task=task).to_numpy()
            spread = 1.4826 * np.median(np.abs(values - np.median(values)))
            half = max(least_of, _SPREADS * float(spread))
            found.setdefault(wide, {})[task] = (-half, half)
    return found


def region_of(width: int, found: Mapping[int, dict[str, Ends]]) -> dict[str, Ends]:
    """Return the region of motifs of a width: that of the next class of widths."""
    return found[min((w for w in found if w >= width), default=max(found))]


def orders_alone(motif: Motif, null: DinucleotideShuffle) -> Design | None:
    """Return the trial of a motif's letters in other orders, in the middle of shuffles;
    None where there are fewer than two.
    """
    try:
        words = other_orders(Embed(motif, at=0).written, N_ORDERS)
    except DesignError:
        return None
    at = (null.length - len(motif)) // 2
    arms = [
        Arm("untreated", Untreated()),
        *(Arm(word, Embed(word, at=at)) for word in words),
    ]
    return Design(null=null, arms=arms, n_units=ORDER_UNITS, contrasts="untreated")


def region_alone(effects: xr.Dataset, least: Mapping[str, float]) -> dict[str, Ends]:
    r"""Return, by task, the effects of a motif alone that are no more than its letters
    have in any order: what lies within the prediction limits of the orders
    (`causalgia.design.placebo_contrasts.reach_of_orders`), or less than 1.5 times `least`
    beyond them or from 0.
    """
    found = dict[str, Ends]()
    for task, least_of in least.items():
        each = effects["ice"].sel(task=task).mean("unit").to_numpy()
        n, mean, least_of = len(each), float(each.mean()), _BEYOND * least_of
        half = reach_of_orders(float(each.std(ddof=1)), n) + least_of
        found[task] = (min(-least_of, mean - half), max(least_of, mean + half))
    return found


def necessity_of(
    one: Candidate, sequences: Genomic, *, n_draws: int
) -> Experiment | None:
    """Return the trial of the sites of a candidate, overwritten by their own letters in
    another order; None where too few sequences have one that has such an order.
    """
    try:
        return needed_sites(
            sequences,
            one.motif,
            fills=(LOST,),
            threshold=one.threshold,
            n_draws=n_draws,
            k=2,
            rope=0,
        )
    except DesignError:
        return None


def alone_in(one: Candidate, null: DinucleotideShuffle, *, n_units: int) -> Design:
    """Return the trial of a candidate in the middle of shuffles, on both strands."""
    at = (null.length - len(one.motif)) // 2
    strands: tuple[Literal["+", "-"], ...] = ("+", "-")
    arms = [
        Arm("untreated", Untreated()),
        *(Arm(strand, Embed(one.motif, at=at, strand=strand)) for strand in strands),
    ]
    return Design(null=null, arms=arms, n_units=n_units, contrasts="untreated")


def judged(effects: xr.Dataset, region: Mapping[str, Ends]) -> xr.Dataset:
    """Return estimates and verdicts on effects, each by itself."""
    return decide(estimate(effects, target=None), rope=dict(region), error="each")


def lost_rows(
    effects: xr.Dataset, region: Mapping[str, Ends], sites: pd.DataFrame
) -> pd.DataFrame:
    """Return what sequences lose with a site, a row a task: the mean, and quantiles over
    sites.
    """
    row = judged(effects, region).isel(contrast=0)
    tasks = row["task"].to_numpy()
    low, high = np.quantile(sites[[f"lost, {task}" for task in tasks]], _ENDS, axis=0)
    return pd.DataFrame(
        {
            "task": tasks,
            "n_sites": len(sites),
            "lost": row["ace"].to_numpy(),
            "lost_lower": row["lower"].to_numpy(),
            "lost_upper": row["upper"].to_numpy(),
            "lost_5": low,
            "lost_95": high,
            "lost_verdict": row["verdict"].to_numpy(),
            "lost_p": row["p_verdict"].to_numpy(),
        }
    )


def alone_rows(answer: Answer, *, both_strands: bool) -> pd.DataFrame:
    """Return what a motif does alone, a row a task: in the middle, as it is written or,
    of a network that reads both strands, on its better one; where it acts; and in how
    many copies.
    """
    decisions = answer.decisions
    strands = [
        str(name)
        for name, strand in zip(
            decisions["contrast"].to_numpy(),
            decisions["strand"].to_numpy(),
            strict=True,
        )
        if str(strand) in "+-" and str(strand)
    ]
    tried = len(strands) if both_strands else 1
    shapes = answer.findings["shapes"]
    rows = []
    for task in answer.tasks:
        of = decisions.sel(task=task, contrast=strands)
        best = int(np.abs(of["ace"].to_numpy()[:tried]).argmax())
        one = of.isel(contrast=best)
        verdict = str(one["verdict"].item())
        sign = float(np.sign(one["ace"])) if verdict in DIRECTIONS else 0.0
        table = shapes.isel(shape=shapes["task"].to_numpy() == task).to_dataframe()
        runs = table[table["sign"].abs() == 1.0]
        places, copies = runs[runs["axis"] == "place"], runs[runs["axis"] == "copies"]
        if not sign and len(places):  # it acts elsewhere than in the middle
            largest = int(np.abs(places["size"].to_numpy(float)).argmax())
            sign = float(places["sign"].to_numpy(float)[largest])
            copies = copies[:0]
        places, copies = (x[x["sign"] == sign] for x in (places, copies))
        rows.append(
            {
                "task": task,
                "strand": str(one["strand"].item()),
                "alone": float(one["ace"]),
                "alone_lower": float(one["lower"]),
                "alone_upper": float(one["upper"]),
                "alone_verdict": verdict,
                "alone_p": min(1.0, tried * float(one["p_verdict"])),
                "other_strand": float(of.isel(contrast=1 - best)["ace"])
                if len(strands) == 2
                else np.nan,
                "place_from": float(places["start"].min()),
                "place_to": float(places["stop"].max()),
                "copies": float(copies["stop"].max()),
            }
        )
    return pd.DataFrame(rows)


def strand_of_sites(table: pd.DataFrame, region: Mapping[str, Ends]) -> str:
    """Return the strands on which a motif has sites, from what it does alone: one where
    it acts on that strand, and nowhere by more than the region on the other; else both.

    Examples
    --------
    >>> one = {"task": "y", "strand": "+", "alone": 0.9, "other_strand": 0.01}
    >>> table = pd.DataFrame([one | {"alone_verdict": "increases"}])
    >>> (
    ...     strand_of_sites(table, {"y": (-0.1, 0.1)}),
    ...     strand_of_sites(table, {"y": (0, 0)}),
    ... )
    ('+', 'both')
    """
    acts = table[table["alone_verdict"].isin(DIRECTIONS)]
    ends = np.array([region[task] for task in acts["task"]]).reshape(-1, 2)
    other = acts["other_strand"].to_numpy(float)
    idle = (ends[:, 0] <= other) & (other <= ends[:, 1])
    strands = set(acts["strand"])
    return str(strands.pop()) if len(strands) == 1 and idle.all() else BOTH


def on_strands(strand: NDArray[np.str_], which: str) -> Mask:
    """Return which sites lie on the strands on which a motif has sites."""
    return np.asarray((strand == which) | (which == BOTH))

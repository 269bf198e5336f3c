"""Libraries of oligos for the claims of an audit: sequences with a site and with the same
site overwritten, and each rule at its gaps and just beside them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from causalgia import mpra
from causalgia._audit.candidates import Candidate
from causalgia._audit.named import gap_in_words, is_confirmed
from causalgia._audit.rules import mean_of, rule_of, trial_of
from causalgia._audit.tested_motifs import LOST, on_strands
from causalgia.choices import DIRECTIONS
from causalgia.design import (
    AblateEach,
    Design,
    DinucleotideShuffle,
    Genomic,
    Untreated,
)
from causalgia.errors import CausalgiaError, CausalgiaWarning
from causalgia.experiments import pair
from causalgia.experiments.kit.sites import Sites, motif_sites
from causalgia.mpra.formats.orders import FILES
from causalgia.mpra.libraries.constructs import construct
from causalgia.sequences.fasta import Sequences
from causalgia.streams import Seed, derive

if TYPE_CHECKING:
    from causalgia._audit._audit import Audit

CLAIMS = "claims.tsv"
COLUMNS = ("claim", "task", "effect", "lower", "upper", "oligos", "folder", "why_not")
_ADAPTERS, _LONGEST = "lentimpra", 350
"""Construct, and letters of the longest oligo that a vendor of the table makes."""
_SITES, _SHUFFLES, _GAPS, _SCRAMBLES = 100, 30, 6, 20


def libraries(found: Audit, folder: Path) -> pd.DataFrame:
    """Write a library for each claim that can be measured, and return the list.

    Of a motif that sequences lose: up to 100 sites in the reserved sequences, each as it
    is, and with its letters in another order; the claim is ``"lost"``.
    Of a rule: both motifs, each alone, and neither, in 30 shuffles of the
    reserved sequences, at up to six of its gaps, and at the gap before and after.

    Returns
    -------
    DataFrame
        A row a claim: the effect that the network has, in the task where it is largest,
        the number of oligos and the folder, or why it has none.
    """
    folder.mkdir()
    of = {one.label: one for one in found.candidates}
    rows = []
    for label, row in _lost(found.motifs[is_confirmed(found.motifs)]).items():
        rows.append(
            {
                "claim": f"sequences lose {label}",
                "task": row["task"],
                **_effect(row, "lost", "lost_lower", "lost_upper"),
                **_written(folder, f"{label}_lost", found, of[label]),
            }
        )
    made: dict[tuple[str, str], dict[str, Any]] = {}
    held = found.rules[found.rules["holds"].astype(bool)]
    for rule in held.to_dict("records"):
        # that of several tasks is one trial
        claim = (rule["arrangement"], gap_in_words(rule))
        if claim not in made:
            made[claim] = _written(folder, f"rule_{len(made) + 1}", found, rule)
        rows.append(
            {
                "claim": ", ".join(claim),
                "task": rule["task"],
                **_effect(rule, "interaction", "lower", "upper"),
                **made[claim],
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def files_of_libraries(folder: Path) -> list[str]:
    """Return the files of the libraries in a folder, by their path in it."""
    names = [CLAIMS, *(f"*/{name}" for name in FILES)]
    return [str(path.relative_to(folder)) for one in names for path in folder.glob(one)]


def _lost(motifs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the row of each motif that sequences lose, in the task where they lose most,
    relative to the region.
    """
    if not len(motifs):
        return {}
    lost = motifs[motifs["lost_verdict"].isin(DIRECTIONS)]
    share = (lost["lost"] / lost["region"]).abs()
    order = lost.loc[share.sort_values(ascending=False, kind="stable").index]
    return {
        str(label): order[order["motif"] == label].iloc[0].to_dict()
        for label in dict.fromkeys(lost["motif"])
    }


def _effect(row: Mapping[Any, Any], *names: str) -> dict[str, float]:
    values = (float(row[name]) for name in names)
    return dict(zip(("effect", "lower", "upper"), values, strict=True))


def _written(
    folder: Path, name: str, found: Audit, claim: Candidate | Mapping[Any, Any]
) -> dict[str, object]:
    """Return how many oligos a library has, and its folder, or why it has none."""
    assert found.reserved is not None
    try:
        design = (
            _without_sites(claim, found, found.reserved)
            if isinstance(claim, Candidate)
            else _of_rule(claim, found, found.reserved)
        )
        adapters = construct(_ADAPTERS)
        length = len(adapters.left) + found.reserved.length + len(adapters.right)
        if length > _LONGEST:
            return _none(f"oligos of {length:,} nt; vendors make up to {_LONGEST}")
        with (
            warnings.catch_warnings()
        ):  # the report of the library says what it leaves out
            warnings.simplefilter("ignore", CausalgiaWarning)
            made = mpra.library(
                design,
                oligo_length=length,
                adapters=adapters,
                controls=mpra.Controls(n_scrambles=_SCRAMBLES),
                rng=derive(_key(found), "library", name),
            )
        mpra.write_library(made.assign_attrs(name=name), folder / name)
    except CausalgiaError as error:
        return _none(str(error))
    return {"oligos": made.sizes["row"], "folder": name, "why_not": ""}


def _key(found: Audit) -> int:
    seed = Seed.stored(found.settings["rng"])
    return 0 if seed is None else seed.key


def _none(why: str) -> dict[str, object]:
    return {"oligos": 0, "folder": "", "why_not": why}


def _without_sites(one: Candidate, found: Audit, reserved: Sequences) -> Design:
    """Return the design of sites of a motif, the first of each sequence: as they are, and
    with their letters in another order.
    """
    sites = motif_sites(Genomic(of=reserved), one.motif, one.threshold)

    def shuffled(of: Sites) -> AblateEach:
        return AblateEach(
            of.spans, fill=LOST, without=one.motif, threshold=one.threshold
        )

    own = found.motifs.loc[found.motifs["motif"] == one.label, "sites_on"]
    asked = on_strands(sites.found.strand, str(own.iloc[0]))
    asked &= shuffled(sites).can_be_free(
        reserved.tokens[sites.found.row],
        units=np.arange(len(sites), dtype=np.uint64),
        key=0,
    )
    _, first = np.unique(sites.found.row[asked], return_index=True)
    chosen = sites.take(np.flatnonzero(asked)[first][:_SITES])
    return Design(
        null=Genomic(of=Sequences(reserved.tokens[chosen.found.row], chosen.sequence)),
        arms={"untreated": Untreated(), "shuffled": shuffled(chosen)},
        n_units=len(chosen),
        contrasts={"lost": {"shuffled": 1.0, "untreated": -1.0}},
    )


def _of_rule(row: Mapping[Any, Any], found: Audit, reserved: Sequences) -> Design:
    """Return the design of a rule at its gaps, and at the gap on either side of them; of a
    wave at its peaks and troughs.
    """
    of = {one.label: one.motif for one in found.candidates}
    if (rule := rule_of(row)).is_wave:
        one_way = replace(rule, strands=rule.strands or "++", further=())
        trial, contrasts = trial_of(
            one_way, of, DinucleotideShuffle(of=reserved), n_units=_SHUFFLES
        )
        return Design(
            null=trial.null,
            arms=trial.arms,
            n_units=_SHUFFLES,
            contrasts={"rule": next(iter(contrasts.values()))},
        )
    inside = np.arange(row["gap_from"], row["gap_to"] + 1)
    if len(inside) > _GAPS:
        inside = inside[np.linspace(0, len(inside) - 1, _GAPS).round().astype(int)]
    ends = [] if row["anywhere"] else [row["gap_from"] - 1, row["gap_to"] + 1]
    trial = pair(
        DinucleotideShuffle(of=reserved),
        of[row["first"]],
        of[row["second"]],
        gaps=[*inside.tolist(), *(gap for gap in ends if gap >= 0)],
        orientations=[row["strands"] or "++"],
        orders=["downstream"],
        n_units=_SHUFFLES,
    )
    assert trial.named_contrasts is not None
    gap_of, rows = trial.labels["gap"], trial.named_contrasts.plain
    contrasts = {
        name: mean_of(
            [rows[one] for one in trial.asked if (gap_of[one] in inside) == own]
        )
        for name, own in (("rule", True), ("just beside", False))
    }
    return Design(
        null=trial.null,
        arms=trial.arms,
        n_units=_SHUFFLES,
        contrasts={name: weights for name, weights in contrasts.items() if weights},
    )

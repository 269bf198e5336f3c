"""Families of motifs that a network reads: their members, where they stand, their
logos, effects and partners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.choices import BASES, DIRECTIONS
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.motif_alignments import (
    alignment,
    apart_by_class,
    effect_alignment,
    effect_families,
    motif_families,
)
from causalgia.sequences.motifs import Motif

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FAMILY_COLUMNS = (
    *("motif", "name", "task", "ace", "lower", "upper", "q", "verdict"),
    *("members", "n_motifs", "others", "n_sites", "share", "middle", "middle_lower"),
    *("middle_upper", "partners"),
)
_OF_LEADER = ("task", "ace", "lower", "upper", "q", "verdict", "members")
_FLANK = 2
"""Positions on either side of the leader of a family in its logo."""
_LEAST_INSTANCES = 20
"""Instances from which the positions beside the leader are counted."""


def family_leaders(
    table: pd.DataFrame,
    matched: Mapping[str, Set[str]] | None = None,
    effects: Mapping[str, NDArray[np.float64]] | None = None,
    classes: Mapping[str, str] | None = None,
) -> list[str]:
    """Return, for each row of motif and task, the leader of its family: the motif of the
    largest effect; empty for rows that are not confirmed.

    Motifs whose shared positions carry the effects of both, on either strand, are one
    family in all tasks, if their largest effects have one direction: by the effect of
    each base of each motif (`effects`, `effect_families`), or without them by their
    letters (`motif_families`). The leader is the first in the table, whose rows stand
    by the size of their effect. Families whose leaders match one matrix of the database
    (`matched`, the targets that each motif is like beyond doubt) are one as well: such
    strings are variants of one motif that differ by two letters or more. A member whose
    name is of another class than the leader's (`classes`) leaves the family.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [
    ...     ("TGTTTAC", "a", "increases"),
    ...     ("GTAAACA", "b", "increases"),
    ...     ("TGTTTGC", "a", "decreases"),
    ...     ("TGACTCA", "a", "within"),
    ... ]
    >>> family_leaders(pd.DataFrame(rows, columns=["consensus", "task", "verdict"]))
    ['TGTTTAC', 'TGTTTAC', 'TGTTTGC', '']
    """
    rows = table[table["verdict"].isin(DIRECTIONS)]
    largest = rows.drop_duplicates("consensus")
    leaders: dict[str, str] = {}
    for _, of in largest.groupby("verdict", sort=False):
        strings = of["consensus"].tolist()
        led = (
            motif_families([Motif.from_iupac(one) for one in strings])
            if effects is None
            else effect_families([effects[one] for one in strings])
        )
        first = _of_one_matrix([strings[k] for k in dict.fromkeys(led)], matched or {})
        led = apart_by_class(
            [strings.index(first[strings[k]]) for k in led],
            [(classes or {}).get(one, "") for one in strings],
        )
        leaders |= {one: strings[k] for one, k in zip(strings, led, strict=True)}
    return [
        leaders[letters] if verdict in DIRECTIONS else ""
        for letters, verdict in zip(table["consensus"], table["verdict"], strict=True)
    ]


def _of_one_matrix(
    leaders: Sequence[str], matched: Mapping[str, Set[str]]
) -> dict[str, str]:
    """Return, for each leader, the first one that matches a matrix which it matches, of
    those that lead; itself where there is none.

    Examples
    --------
    >>> matched = {"TGACTCA": {"FOS", "JUN"}, "ATTAGTCAT": {"JUN"}, "CACGTG": {"MAX"}}
    >>> _of_one_matrix(["ATTAGTCAT", "CACGTG", "TGACTCA"], matched)
    {'ATTAGTCAT': 'ATTAGTCAT', 'CACGTG': 'CACGTG', 'TGACTCA': 'ATTAGTCAT'}
    """
    found: dict[str, str] = {}
    for letters in leaders:
        own = matched.get(letters, frozenset())
        heads = (one for one in found if found[one] == one)
        found[letters] = next(
            (one for one in heads if own & matched.get(one, frozenset())), letters
        )
    return found


def family_table(
    confirmed: pd.DataFrame,
    sites: pd.DataFrame,
    pairs: pd.DataFrame,
    n_sequences: int,
) -> pd.DataFrame:
    """Return a row for each family, the largest effect first, as
    `causalgia.discover` describes it.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for family, of in confirmed.groupby("family", sort=False):
        lead = of[of["consensus"] == family].iloc[0]
        members = list(dict.fromkeys(of["consensus"]))
        own = sites[sites["motif"].isin(members)]
        middles = (own["start"] + own["stop"]).to_numpy(float) / 2
        quartiles = (
            np.quantile(middles, [0.25, 0.5, 0.75]) if len(own) else [np.nan] * 3
        )
        names = [name for name in of["name"] if name]
        row = {name: lead[name] for name in _OF_LEADER}
        rows.append(
            {
                "motif": family,
                **row,
                "name": str(lead["name"]) or next(iter(names), ""),
                "n_motifs": len(members),
                "others": ", ".join(one for one in members if one != family),
                "n_sites": len(own.drop_duplicates(["sequence", "start"])),
                "share": own["sequence"].nunique() / max(n_sequences, 1),
                "middle": quartiles[1],
                "middle_lower": quartiles[0],
                "middle_upper": quartiles[2],
                "partners": "; ".join(_partners(pairs, members)),
            }
        )
    return pd.DataFrame(rows, columns=list(FAMILY_COLUMNS))


def family_effects(confirmed: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each family and task in which it acts: the largest effect of its
    motifs there.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [
    ...     ("TGACTCA", "dev", 2.0),
    ...     ("TGAGTCA", "dev", 1.0),
    ...     ("TGAGTCA", "hk", 0.5),
    ... ]
    >>> table = pd.DataFrame(rows, columns=["consensus", "task", "ace"])
    >>> family_effects(table.assign(family="TGACTCA"))[
    ...     ["task", "consensus"]
    ... ].values.tolist()
    [['dev', 'TGACTCA'], ['hk', 'TGAGTCA']]
    """
    order = np.argsort(-confirmed["ace"].abs().to_numpy(float), kind="stable")
    return (
        confirmed.iloc[order]
        .drop_duplicates(["family", "task"])
        .sort_index()
        .reset_index(drop=True)
    )


def _partners(pairs: pd.DataFrame, members: Sequence[str]) -> list[str]:
    """Return what a family does together with the motifs that it was tested with, those
    of one answer together.
    """
    with_each: dict[str, list[str]] = {}
    for row in pairs.itertuples(index=False):
        for one, other in ((row.first, row.second), (row.second, row.first)):
            if one in members:
                partners = with_each.setdefault(str(row.reads), [])
                if str(other) not in partners:
                    partners.append(str(other))
    order = sorted(with_each, key=lambda reads: reads == "undecided")
    return [f"{reads} with {', '.join(with_each[reads])}" for reads in order]


def family_logos(
    confirmed: pd.DataFrame,
    sites: pd.DataFrame,
    parts: Sequence[Sequences],
    effects: Mapping[str, NDArray[np.float64]] | None = None,
) -> xr.Dataset:
    """Return the base frequencies of the instances of each family in sequences.

    Instances are the sites of its motifs, each aligned with the leader, as in
    `family_leaders`, and counted once;
    positions are those of the leader, and two on either side (1/4 each
    where there are fewer than 20 instances), counted from its first. A
    family without a site has that of its leader's letters and ``n_instances`` of 0.

    Returns
    -------
    Dataset
        ``frequency (family, motif_position, base)``, NaN outside of a family's
        positions, ``n_instances`` and ``width (family)``.
    """
    import xarray as xr

    tokens_of = {
        str(name): tokens
        for of in parts
        for name, tokens in zip(of.names, of.tokens, strict=True)
    }
    families = list(dict.fromkeys(confirmed["family"]))
    widest = max(map(len, families), default=1) + 2 * _FLANK
    frequency = np.full((len(families), widest, 4), np.nan)
    n_instances = np.zeros(len(families), dtype=np.int64)
    for i, family in enumerate(families):
        leader = Motif.from_iupac(family)
        wide = len(family) + 2 * _FLANK
        counts = np.zeros((wide, 4))
        places = set[tuple[str, int]]()
        members = dict.fromkeys(
            confirmed.loc[confirmed["family"] == family, "consensus"]
        )
        for letters in [family, *(one for one in members if one != family)]:
            at = (
                alignment(Motif.from_iupac(letters), leader)
                if effects is None
                else effect_alignment(effects[letters], effects[family]).place
            )
            own = sites[sites["motif"] == letters]
            for row in own.itertuples(index=False):
                opposite = (row.strand == "-") != at.turned
                start = (
                    int(row.stop) + at.start - len(family)
                    if opposite
                    else int(row.start) - at.start
                )
                if (str(row.sequence), start) in places:
                    continue
                places.add((str(row.sequence), start))
                window = _window(tokens_of[str(row.sequence)], start - _FLANK, wide)
                counts += window[::-1, ::-1] if opposite else window
        n_instances[i] = len(places)
        if (
            len(places) < _LEAST_INSTANCES
        ):  # what stands beside a few is no part of the motif
            counts[:_FLANK] = counts[wide - _FLANK :] = 0.0
        if not places:
            counts[_FLANK : _FLANK + len(family)] = leader.probabilities
        total = counts.sum(axis=1, keepdims=True)
        frequency[i, :wide] = np.where(
            total > 0, counts / np.maximum(total, 1e-12), 0.25
        )
    return xr.Dataset(
        {
            "frequency": (("family", "motif_position", "base"), frequency),
            "n_instances": ("family", n_instances),
            "width": ("family", [len(one) + 2 * _FLANK for one in families]),
        },
        {
            "family": np.array(families, dtype=np.str_),
            "motif_position": np.arange(widest) - _FLANK,
            "base": list(BASES),
        },
    )


def _window(tokens: NDArray[np.uint8], start: int, wide: int) -> NDArray[np.float64]:
    """Return the letters of a window as one-hot rows; 0 outside of the sequence."""
    rows = np.zeros((wide, 4))
    inside = np.arange(max(start, 0), min(start + wide, len(tokens)))
    rows[inside - start, tokens[inside]] = 1.0
    return rows

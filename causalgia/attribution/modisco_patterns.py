"""Patterns of TF-MoDISco (modisco-lite), as groups of windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.attribution._match import threads_of_torch
from causalgia.attribution.seqlets import NO_LETTER, Group, Windows, group_of, windows_at
from causalgia.errors import AttributionError, MissingExtraError
from causalgia.sequences.pattern_files import trimmed
from causalgia.types import Tokens

_SHARE = 0.3
_LONGER_THAN = 50
"""Positions of a pattern of modisco-lite: a window of 30 and 10 on either side."""
_RUNS = 2
"""Runs of its clustering, as on its command line."""


def check_modisco() -> None:
    """Raise MissingExtraError unless modisco-lite is installed."""
    try:
        import modiscolite  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("method='modisco' needs modisco-lite: pip install 'causalgia[modisco]'") from error


def modisco_groups(
    tokens: Tokens, hypothetical: NDArray[np.float64], contributions: NDArray[np.float64], *, both_strands: bool
) -> list[tuple[Windows, Group]]:
    """Return the patterns of each task, both signs, with the instances of each as windows.

    modisco-lite runs with the settings of its command line. A pattern is cut to the positions that have 0.3 or more of
    its largest mean contribution, as in `causalgia.sequences.read_patterns`. It aligns both strands; if they are not
    read alike, the instances on each are a group.

    Parameters
    ----------
    tokens
        Sequences (n, length).
    hypothetical
        Contribution that each base would have, (n, length, 4, tasks).
    contributions
        Of the observed bases, (n, length, tasks).
    both_strands
        Whether a word and its reverse complement are one.

    Raises
    ------
    AttributionError
        If sequences are too short, or modisco-lite stops on them.
    """
    from modiscolite.tfmodisco import TFMoDISco

    if tokens.shape[1] <= _LONGER_THAN:
        raise AttributionError(
            f"patterns of modisco have {_LONGER_THAN} positions, and sequences {tokens.shape[1]}; use method='seqlets'"
        )
    one_hot = np.eye(4, dtype=np.float32)[tokens]
    found = []
    for task in range(contributions.shape[2]):
        if not contributions[:, :, task].any():
            continue
        try:
            with threads_of_torch():
                signs = TFMoDISco(one_hot, hypothetical[..., task].astype(np.float32), n_leiden_runs=_RUNS)
        except Exception as error:  # where all seqlets are alike, or none is left
            raise AttributionError(
                f"modisco-lite stopped in task {task} ({type(error).__name__}: {error}): it takes some hundred seqlets "
                "that are not all alike; give more sequences, or use method='seqlets'"
            ) from error
        for pattern in [one for patterns in signs for one in patterns or []]:
            found += _groups_of(pattern, tokens, contributions, task, both_strands=both_strands)
    return found


def _groups_of(
    pattern: Any, tokens: Tokens, contributions: NDArray[np.float64], task: int, *, both_strands: bool
) -> list[tuple[Windows, Group]]:
    """Return the instances of a pattern as one group, or as one for each strand."""
    first, stop = trimmed(pattern.contrib_scores, _SHARE)
    opposite: dict[tuple[int, int], bool] = {}
    for seqlet in pattern.seqlets:
        start = seqlet.end - stop if seqlet.is_revcomp else seqlet.start + first
        opposite.setdefault((int(seqlet.example_idx), int(start)), bool(seqlet.is_revcomp))
    sides = [list(opposite)] if both_strands else [[at for at in opposite if opposite[at] == side] for side in (0, 1)]
    found = []
    for places in filter(None, sides):
        unit, start = np.array(places, dtype=np.int64).T
        of = windows_at(tokens, contributions, unit, start, np.full(len(unit), task), stop - first)
        if both_strands:
            turned = np.array([opposite[at] for at in zip(of.unit.tolist(), of.start.tolist(), strict=True)])
            complement = np.where(of.letters == NO_LETTER, NO_LETTER, 3 - of.letters)[:, ::-1]
            letters = np.where(turned[:, None], complement, of.letters)
            values = np.where(turned[:, None], of.contributions[:, ::-1], of.contributions)
            of = replace(of, letters=letters, contributions=values)
        found.append((of, group_of(np.arange(len(unit)), of.letters)))
    return found

"""The text of calls of active oligos."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.errors import DataError, quoted
from causalgia.notes import notes_of
from causalgia.tell.text_tables import laid_out

_ROWS = 20
_DEFAULT_Q = 0.05
_HEADER = ["oligo", "element", "arm", "activity", "SE", "p", "q"]


def calls_table(found: xr.Dataset) -> pd.DataFrame:
    """Return a row for each oligo, the lowest p first: its names, ``activity``, ``se``,
    ``z``, ``p``, ``q`` (empty for negatives), as `causalgia.mpra.calls` found them.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> from causalgia.mpra.counts.active_calls import calls
    >>> list(calls_table(calls(simulated())))[:4]
    ['oligo', 'element', 'arm', 'group']
    """
    names = ["element", "arm", "group", "activity", "se", "z", "p", "q"]
    table = found[names].to_dataframe()[names].reset_index()
    return table.sort_values(["p", "z"], ascending=[True, False], kind="stable")


def describe_calls(
    found: xr.Dataset,
    *,
    q: float = _DEFAULT_Q,
    every: bool = False,
    notes: bool = False,
    pointer: str = "every=True",
    noted: str = "notes=True",
) -> str:
    """Return how many oligos are more active than the negative controls, a table of
    these, and on request a line for each oligo, and the notes.

    Parameters
    ----------
    found
        From `causalgia.mpra.calls`.
    q
        False discovery rate of the calls.
    every, notes
        What is printed besides.
    pointer, noted
        How these are asked for.

    Raises
    ------
    DataError
        If q is not between 0 and 1.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> from causalgia.mpra.counts.active_calls import calls
    >>> print(describe_calls(calls(simulated())).split(".")[0])
    None of 40 oligos is more active than the 20 negative controls (q <= 0
    """
    if not 0 < q < 1:
        raise DataError(f"q={quoted(q)} is a false discovery rate, between 0 and 1")
    table = calls_table(found)
    called = (table["q"] <= q).to_numpy()
    n, n_tested = int(called.sum()), int(table["q"].notna().sum())
    n_negative = int(about(found, 0).n_negative)
    how_many = "None" if not n else f"{n:,}"
    text = [
        f"{how_many} of {n_tested:,} oligos {'is' if n < 2 else 'are'} more active than "
        f"the {n_negative:,} negative controls (q <= {q:g})."
    ]
    shown = table if every else table[called].head(_ROWS)
    if len(shown):
        lines = [
            [
                *(str(row[name]) for name in ("oligo", "element", "arm")),
                f"{row['activity']:.2f}",
                f"{row['se']:.2f}",
                f"{row['p']:.2g}",
                "" if np.isnan(row["q"]) else f"{row['q']:.2g}",
            ]
            for row in shown.to_dict("records")
        ]
        words = ("oligo", "element", "arm")
        text += ["", *laid_out([_HEADER, *lines], words)]
    if n > len(shown):
        text.append(f"Not shown: {n - len(shown):,} more; {pointer} shows every oligo.")
    own = notes_of(found)
    text += [
        "",
        "Activity: mean log2(RNA/DNA) over replicates; SE: of other barcodes of the "
        "oligo. p: rank among the negative controls."
        if about(found, None).tail == "rank"
        else "Activity: mean log2(RNA/DNA) over replicates; SE: of other barcodes of the "
        "oligo. p: by a Student law of the negative controls.",
    ]
    if own and (notes or not n):  # they say why there may be none
        text += ["", *own]
    elif own:
        text.append(f"{len(own)} note{'s' * (len(own) > 1)}: {noted}.")
    return "\n".join(text)

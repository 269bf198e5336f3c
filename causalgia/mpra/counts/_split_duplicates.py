"""A/A comparisons with random barcodes: the barcodes of one oligo, split at random into two arms."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.checks import as_int
from causalgia.errors import CountsError
from causalgia.schema import annotate, validate
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Ints

ARMS = ("duplicate 1", "duplicate 2")


def split_duplicates(counts: xr.Dataset, *, n: int | None = None, min_barcodes: int = 2, rng: RNG) -> xr.Dataset:
    """Split the barcodes of oligos at random into two arms, between which there is no difference.

    A library with synthesized barcodes has A/A pairs, one insert under two names; with random barcodes an insert has
    one name. Its barcodes are then split at random into halves (the larger first if their number is odd): element
    ``aa0`` under arms ``duplicate 1`` and ``duplicate 2``, and so on, as in `library`. The true effects of `fit` on
    these, with ``control="duplicate 1"``, are 0: about 5 % should have p below 0.05.

    The halves are one oligo, so noise that all its barcodes share in a replicate cancels between them. The comparison
    thus checks the noise of barcodes, but not the arm-by-replicate noise, which pairs ordered under two names have as
    well; a method that always allows for such noise is conservative here.

    Parameters
    ----------
    counts
        Of kind ``counts``; oligos of group ``test`` are split.
    n
        Number of oligos, sampled at random; None: all with enough barcodes.
    min_barcodes
        Fewest barcodes of a half; oligos with fewer than twice as many are left out.
    rng
        Seed, Generator or SeedSequence. The split does not depend on the order of rows.

    Returns
    -------
    Dataset
        Of kind ``counts``, with these elements only and ``split_from (oligo)``, the oligo that was split. Library
        totals are unchanged. ``attrs["split"]`` is a JSON object: ``oligos`` split, ``too_few`` with too
        few barcodes, ``not_chosen``.

    Raises
    ------
    CountsError
        If an option is not a whole number, or fewer than `n` oligos have enough barcodes.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalgia.mpra import fit, simulate
    >>> table = pd.DataFrame({"element": [f"u{i}" for i in range(50)], "arm": "GATA1", "log2": 1.0})
    >>> halves = split_duplicates(simulate(table, n_barcodes=20, rng=0), rng=0)
    >>> halves["element"].values[:2].tolist(), halves["arm"].values[:2].tolist()
    (['aa0', 'aa0'], ['duplicate 1', 'duplicate 2'])
    >>> bool((fit(halves, control="duplicate 1")["p"] < 0.05).mean() < 0.15)
    True
    """
    validate(counts, "counts")
    as_int(min_barcodes, "min_barcodes", error=CountsError)
    tests = np.flatnonzero(counts["group"].to_numpy().astype(str) == "test")
    of = counts["oligo_index"].to_numpy()
    size = np.bincount(of, minlength=counts.sizes["oligo"])
    enough = tests[size[tests] >= 2 * min_barcodes]
    if n is not None:
        as_int(n, "n", error=CountsError)
    if not len(enough) or (n is not None and n > len(enough)):
        wanted = "" if n is None else f", and n={n} are asked for"
        raise CountsError(
            f"{len(enough)} of {len(tests)} test oligos have the {2 * min_barcodes} barcodes of two halves of "
            f"{min_barcodes}{wanted}; ask for fewer, or for smaller halves (min_barcodes=)"
        )
    key = root_key(rng)
    chosen = enough
    if n is not None:
        luck = _random_by_name(counts["oligo"].to_numpy().astype(str)[enough], derive(key, "split", "oligos"))
        chosen = np.sort(enough[np.argsort(luck)[:n]])
    numbers = {"oligos": len(chosen), "too_few": len(tests) - len(enough), "not_chosen": len(enough) - len(chosen)}
    return _split_halves(counts, chosen, derive(key, "split", "barcodes")).assign_attrs(split=json.dumps(numbers))


def _split_halves(counts: xr.Dataset, chosen: Ints, key: int) -> xr.Dataset:
    """Return the counts of these oligos (places), each split into two arms."""
    of = counts["oligo_index"].to_numpy()
    place = np.full(counts.sizes["oligo"], -1)
    place[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(place[of] >= 0)
    mine = place[of[rows]]
    order = np.lexsort((_random_by_name(counts["barcode"].to_numpy().astype(str)[rows], key), mine))
    begins = np.searchsorted(mine[order], np.arange(len(chosen)))
    half = np.empty(len(rows), np.int64)
    half[order] = (np.arange(len(rows)) - begins[mine[order]]) % 2
    both = np.repeat(chosen, 2)
    element = np.array([f"aa{i}" for i in range(len(chosen))]).repeat(2)
    halves = counts.isel(barcode=rows, oligo=both).assign_coords(
        split_from=("oligo", counts["oligo"].to_numpy()[both]),
        oligo=np.array([f"{name}_{i % 2 + 1}" for i, name in enumerate(element.tolist())]),
        element=("oligo", element),
        arm=("oligo", np.tile(ARMS, len(chosen))),
        group=("oligo", np.full(len(both), "duplicate")),
    )
    halves["oligo_index"] = ("barcode", 2 * mine + half)
    return validate(annotate(halves), "counts")


def _random_by_name(names: NDArray[np.str_], key: int) -> NDArray[np.float64]:
    """Return a random number for each name, independent of their order."""
    luck = np.empty(len(names))
    luck[np.argsort(names, kind="stable")] = np.random.default_rng(key).random(len(names))
    return luck

"""`match`: motifs of a database that filters or other motifs are like."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_real
from causalgia.errors import AttributionError, MissingExtraError, quoted
from causalgia.schema import annotate, validate
from causalgia.sequences import motif
from causalgia.sequences.motif_names import core_motifs
from causalgia.sequences.motifs import Motif

if TYPE_CHECKING:
    import xarray as xr

Motifs: TypeAlias = "xr.Dataset | Mapping[str, Any] | Sequence[Any]"
_FEWEST = 50
_RANDOM = 20


def match(
    motifs: Motifs, database: str | Motifs = "JASPAR", *, trim: float = 0.25, taxon: str | None = "vertebrates"
) -> xr.Dataset:
    """Return how alike motifs are to those of a database: Tomtom p-values, and q-values over all pairs.

    Tomtom takes the columns of a motif for independent draws from those of the database. Columns of little information
    then match the gaps of long motifs too well: of 100 filters drawn at random 6 to 100 had a q of .1 or less, most
    for the 34-bp motifs of CTCF. So each motif is also compared as 20 random ones, with the bases of each column in
    random order, and p is raised to the power ``1 / max(1, mean of -log p of these)``: exact if -log p is exponential.
    Of 400 random filters at each of four strengths, .3 to 4.8 % then had a motif with a q of .1 or less.

    Parameters
    ----------
    motifs
        Filters from `filters`; or a mapping name -> motif, or a list, of anything that `causalgia.motif` takes.
    database
        ``"JASPAR"``: the CORE collection inside pyjaspar, newest versions; or motifs. The p-value of a pair depends on
        the columns of the whole database: fewer than 50 motifs are compared beside those of JASPAR.
    trim
        Flanks of `motifs` with fewer bits than this are cut off. With the flanks of 32 filters, 4 to 7 of them with
        their columns in random order had a q below .05; without, none of 96.
    taxon
        Taxonomic group of JASPAR; None: all.

    Returns
    -------
    Dataset
        ``match_p`` (calibrated as above) and ``match_q (motif, target)``, with the names of targets as coordinate
        ``name``, and ``nearest`` and ``nearest_q (motif)``. A motif without a position of `trim` bits, as of a filter
        without sites, has p and q of 1.

    Raises
    ------
    AttributionError
        If there is no motif, two have one name, or `trim` is not 0 to 2 bits.
    SequenceError
        If `causalgia.motif` does not know a motif.
    MissingExtraError
        If memelite is not installed.

    References
    ----------
    Gupta et al. (2007), doi:10.1186/gb-2007-8-2-r24: Tomtom, here by memelite. Benjamini and Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> import causalgia as cg
    >>> match({"a filter": cg.motif("CTCF")})["nearest"].values.tolist()
    ['MA0139.2 CTCF']
    """
    try:
        from memelite import tomtom
    except ImportError as error:
        raise MissingExtraError("cg.attribution.match needs memelite: pip install 'causalgia[attribution]'") from error
    from scipy.stats import false_discovery_control

    queries = _by_name(motifs, "motifs")
    of_jaspar = isinstance(database, str) and database == "JASPAR"
    targets = _of_jaspar(taxon) if of_jaspar else _by_name(database, "database")
    beside = _of_jaspar(taxon) if len(targets) < _FEWEST else {}
    tables = [_columns(one) for one in (*targets.values(), *beside.values())]
    if not is_real(trim) or not 0 <= trim < 2:
        raise AttributionError(f"trim={quoted(trim)}; give bits from 0 up to 2, such as 0.25")
    # a column of no information at all has no Tomtom score
    held = [np.flatnonzero(one.information > max(trim, 1e-9)) for one in queries.values()]
    informative = [i for i, positions in enumerate(held) if len(positions)]
    p = np.ones((len(queries), len(targets)))
    if informative:
        columns = [_columns(one) for one in queries.values()]
        asked = [np.ascontiguousarray(columns[i][:, held[i][0] : held[i][-1] + 1]) for i in informative]
        # a motif's p-values do not depend on the motifs beside it: each has its own stream of the same seed
        streams = [np.random.default_rng(0) for _ in asked]
        random = [rng.permuted(one, axis=0) for _ in range(_RANDOM) for rng, one in zip(streams, asked, strict=True)]
        with threads_of_torch():
            found = np.clip(tomtom([*asked, *random], tables, n_jobs=1)[0][:, : len(targets)], 0.0, 1.0)
        of_random = found[len(asked) :].reshape(_RANDOM, len(asked), -1)
        nats = -np.log(np.maximum(of_random, np.finfo(float).tiny)).mean(0)
        p[informative] = found[: len(asked)] ** (1 / np.maximum(nats, 1.0))
    q = false_discovery_control(p, axis=None, method="bh").reshape(p.shape)
    return _matches_dataset(queries, targets, p, q, {"database": "JASPAR" if of_jaspar else "motifs as given"})


@contextmanager
def threads_of_torch() -> Iterator[None]:
    """Give torch its number of threads back: numba's parallel kernels set it to all cores, for the whole process."""
    torch = sys.modules.get("torch")
    n = None if torch is None else torch.get_num_threads()
    yield
    if torch is not None:
        torch.set_num_threads(n)


def _matches_dataset(
    queries: Mapping[str, Motif],
    targets: Mapping[str, Motif],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    attrs: dict[str, str],
) -> xr.Dataset:
    import xarray as xr

    best = p.argmin(1)
    variables = {
        "match_p": (("motif", "target"), p),
        "match_q": (("motif", "target"), q),
        "nearest": ("motif", np.asarray(list(targets))[best]),
        "nearest_q": ("motif", q[np.arange(len(p)), best]),
    }
    names = [one.name for one in targets.values()]
    coords = {"motif": list(queries), "target": list(targets), "name": ("target", names)}
    return validate(annotate(xr.Dataset(variables, coords, attrs)), "matches")


def _columns(one: Motif) -> NDArray[np.float64]:
    """Return probabilities as (4, width), as memelite takes them."""
    return np.ascontiguousarray(np.array(one.probabilities, np.float64).T)


def _of_jaspar(taxon: str | None) -> dict[str, Motif]:
    return {f"{one.identifier} {one.name}": one for one in core_motifs(taxon)}


def _by_name(motifs: Any, argument: str) -> dict[str, Motif]:
    """Return motifs by name; the channels of filters by their numbers."""
    import xarray as xr

    if isinstance(motifs, xr.Dataset):
        found = validate(motifs, "filters")
        channels = found["channel"].to_numpy()
        table = found["frequency"].transpose("channel", "motif_position", "base").to_numpy()
        return {str(c): Motif(str(c), rows.tolist()) for c, rows in zip(channels, table, strict=True)}
    if isinstance(motifs, str) or not isinstance(motifs, Mapping | Sequence):
        known = ", or 'JASPAR'" if argument == "database" else ""
        raise AttributionError(
            f"{argument}={quoted(motifs)}; give filters from cg.attribution.filters, a list of motifs, or name -> "
            f"motif{known}"
        )
    made = [motif(one) for one in (motifs.values() if isinstance(motifs, Mapping) else motifs)]
    names = [str(name) for name in motifs] if isinstance(motifs, Mapping) else [one.name for one in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not names:
        flaw = "there is no motif" if not names else f"two motifs are called {quoted(twice)}"
        raise AttributionError(f"{argument}: {flaw}; give a mapping of different names to motifs")
    return dict(zip(names, made, strict=True))

"""Elements, arms and contrasts of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.effects.contrast_weights import Contrasts, requested_weights
from causalgia.errors import ContrastError, CountsError, quoted
from causalgia.mpra.counts._activity import parallel_oligos
from causalgia.mpra.counts.log_ratios import dna_observed
from causalgia.types import Array, Ints


@dataclass(frozen=True)
class FitRequest:
    """Elements, arms and contrasts to fit, as arrays.

    Attributes
    ----------
    elements, arms, contrasts
        Names, (E,), (A,) and (K,).
    weights
        Weight of each arm in each contrast, shape ``(K, A)``; rows sum to 0.
    oligos
        Place of each element's oligo under each arm on the oligo dim of the counts, shape ``(E, A)``.
    element, arm
        Element and arm codes of each barcode, shape ``(n_barcodes,)``; -1 for unused barcodes.
    n_left_out
        Elements of the counts that lack one of the arms.
    arms_left_out
        Arms that no element has besides the control, such as a promoter alone.
    """

    elements: NDArray[np.str_]
    arms: NDArray[np.str_]
    contrasts: tuple[str, ...]
    weights: Array
    oligos: Ints
    element: Ints
    arm: Ints
    n_left_out: int = 0
    arms_left_out: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Elements and contrasts, (E, K)."""
        return len(self.elements), len(self.contrasts)


def fit_request(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arm_names: Sequence[str] | None = None,
    contrasts: Contrasts | None = None,
) -> FitRequest:
    """Return the elements and contrasts to fit: every arm (or `arm_names`) against `control`, or `contrasts`.

    Elements are those with an oligo under *every* arm of the contrasts. Without `arm_names` the treatments are the arms
    that some element has besides the control. Elements with the control and some of the treatments raise an error
    unless `arm_names` is given. What is left out is counted.

    Raises
    ------
    ContrastError
        If an arm is unknown, the weights of a contrast do not sum to 0, each element has one arm (a parallel library),
        or the elements have different arms and `arm_names` is not given.
    CountsError
        If an element has two oligos in an arm, or an oligo has no barcode with DNA left.
    """
    known = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
    if parallel_oligos(counts) is not None:
        raise ContrastError(
            "each element has one arm, as in a parallel library, so that no element has an effect of its own; the "
            "average over elements is cg.estimate(cg.contrast(cg.mpra.activity(counts), control=...)). Where arms "
            "share their backgrounds, let the side table give those one name of an element"
        )
    all_arms = arm_names is None and contrasts is None
    alone = _arms_without_control(counts, control) if all_arms else ()
    weights = _contrast_weights([a for a in known if a not in alone], control, arm_names, contrasts)
    names = list(dict.fromkeys(arm for row in weights.values() for arm in row))
    places = _oligo_by_arm(counts, names)
    complete = (places >= 0).all(axis=1)
    if all_arms:
        _check_same_arms(places, names, complete)
    if not complete.any():
        raise ContrastError(f"no element has an oligo under every one of {', '.join(names)}; ask for fewer arms")
    elements, oligos = places.index[complete].to_numpy().astype(str), places[complete].to_numpy().astype(np.int64)
    element = np.full(counts.sizes["oligo"], -1, dtype=np.int64)
    arm = element.copy()
    element[oligos] = np.arange(len(elements))[:, None]
    arm[oligos] = np.arange(len(names))
    of = counts["oligo_index"].to_numpy()
    W = np.array([[row.get(a, 0.0) for a in names] for row in weights.values()])
    left_out = len(set(counts["element"].to_numpy().tolist())) - len(elements)
    request = FitRequest(
        elements, np.array(names), tuple(weights), W, oligos, element[of], arm[of], left_out, tuple(alone)
    )
    _check_dna_read(counts, request)
    return request


def _contrast_weights(known: list[str], control: Any, arms: Any, contrasts: Any) -> dict[str, dict[str, float]]:
    if (control is None) == (contrasts is None):
        raise ContrastError(f"give control= (one of {', '.join(known)}) or contrasts=, and not both")
    if isinstance(arms, str):
        raise ContrastError(f"arm_names={quoted(arms)}: give a list of arms, of {', '.join(known)}")
    if contrasts is not None:
        in_text = isinstance(contrasts, str) or (isinstance(contrasts, list | tuple) and len(contrasts) > 0)
        weights = (
            requested_weights(xr.Dataset(), known, None, contrasts, None) if in_text else _as_named_weights(contrasts)
        )
    elif str(control) not in known:
        raise ContrastError(f"control={quoted(control)}: no arm {quoted(control)}; the arms are {', '.join(known)}")
    else:
        treated = [a for a in known if a != control] if arms is None else [str(a) for a in arms if a != control]
        weights = {a: {str(control): -1.0, a: 1.0} for a in treated}
    for name, row in weights.items():
        if not str(name).strip():
            raise ContrastError("a contrast has an empty name; give each a name, by which it is printed")
        for a in row:
            if a not in known:
                raise ContrastError(f"contrast {quoted(name)}: no arm {quoted(a)}; the arms are {', '.join(known)}")
        if not np.isclose(sum(row.values()), 0.0) or not any(row.values()):
            raise ContrastError(f"contrast {quoted(name)}: its weights sum to {sum(row.values()):g}, not to 0")
    if not weights:
        raise ContrastError(f"no arm beside the control {quoted(control)}; the arms are {', '.join(known)}")
    return weights


def _as_named_weights(contrasts: Any) -> dict[str, dict[str, float]]:
    try:
        found = {str(name): {str(a): float(w) for a, w in row.items()} for name, row in contrasts.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ContrastError(
            f"contrasts={quoted(contrasts)}: give name -> arm -> weight, as {{'GATA1': {{'control': -1, 'GATA1': 1}}}}"
        ) from error
    if not found:
        raise ContrastError("contrasts= is empty; give name -> arm -> weight, or control=")
    return found


def _arms_without_control(counts: xr.Dataset, control: str | None) -> tuple[str, ...]:
    """Return the arms that no element has besides the control."""
    arm, element = counts["arm"].to_numpy(), counts["element"].to_numpy()
    if control is None or control not in arm:
        return ()
    beside = set(arm[np.isin(element, element[arm == control])].tolist())
    return tuple(a for a in dict.fromkeys(arm.tolist()) if a not in beside)


def _oligo_by_arm(counts: xr.Dataset, names: list[str]) -> pd.DataFrame:
    """Return the place of each element's oligo under each arm, -1 where absent."""
    table = pd.DataFrame({name: counts[name].to_numpy() for name in ("element", "arm")})
    table["place"] = np.arange(len(table))
    table = table[table["arm"].isin(names)]
    twice = table.duplicated(["element", "arm"])
    if twice.any():
        row = table[twice].iloc[0]
        raise CountsError(
            f"element {quoted(row['element'])} has two oligos in arm {quoted(row['arm'])}; give them elements of "
            "their own"
        )
    wide = table.pivot(index="element", columns="arm", values="place").reindex(columns=names).fillna(-1)
    return wide.loc[list(dict.fromkeys(table["element"]))].astype(np.int64)


def _check_same_arms(places: pd.DataFrame, names: list[str], complete: Any) -> None:
    """Raise ContrastError where elements have the control and only some of the treatments."""
    some = (places[names[0]] >= 0) & (places[names[1:]] >= 0).any(axis=1) & ~complete
    if some.any():
        first = places[some].iloc[0]
        absent = [name for name in names if first[name] < 0]
        there = [name for name in names[1:] if name not in absent]
        raise ContrastError(
            f"element {quoted(first.name)} has no oligo in arm {', '.join(map(quoted, absent))}, and "
            f"{int(some.sum()) - 1:,} more elements lack some arm; say which are compared: arm_names={quoted(there)}"
        )


def _check_dna_read(counts: xr.Dataset, request: FitRequest) -> None:
    """Raise CountsError where an oligo has no barcode with DNA."""
    n = n_barcodes(counts)[request.oligos]
    if n.all():
        return
    e, a = np.argwhere(n == 0)[0]
    raise CountsError(
        f"element {quoted(request.elements[e])}, arm {quoted(request.arms[a])}: no barcode with DNA is left, as in "
        f"{int((n == 0).sum()) - 1:,} more oligos; leave such elements out, in every arm: cg.mpra.filter(counts, "
        "min_barcodes=1)"
    )


def n_barcodes(counts: xr.Dataset) -> Ints:
    """Return the barcodes of each oligo with DNA in some replicate, shape ``(n_oligos,)``."""
    read = (dna_observed(counts) & (counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0)).any(axis=1)
    return np.bincount(counts["oligo_index"].to_numpy()[read], minlength=counts.sizes["oligo"])


def element_blocks(n: int, *, most: int) -> list[tuple[int, int]]:
    """Return the first element and the end of each block of at most `most` elements.

    Examples
    --------
    >>> element_blocks(5, most=2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(first, min(first + most, n)) for first in range(0, n, most)]


def block_names(bounds: Sequence[tuple[int, int]]) -> list[str]:
    """Return names of blocks of elements, for messages."""
    return [f"elements {first:,} to {last - 1:,}" for first, last in bounds]


@dataclass(frozen=True)
class FittedEffects:
    """Effects of E elements in K contrasts.

    Attributes
    ----------
    ace, se, df
        Effect on log2, its standard error and degrees of freedom (``inf`` is normal), shape ``(E, K)`` each.
    variables
        Further variables of the method: name -> (dims, values), dims out of ``element, contrast, arm, replicate``.
    attrs
        Further results for all elements together: numbers and text.
    estimated
        Mask of the requested elements that have estimates; None: all.
    """

    ace: Array
    se: Array
    df: Array
    variables: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(default_factory=dict)
    attrs: Mapping[str, float | int | str] = field(default_factory=dict)
    estimated: NDArray[np.bool_] | None = None

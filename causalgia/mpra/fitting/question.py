"""What is asked of the counts: which elements, under which arms, in which contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import ContrastError, CountsError

Array: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """The question as arrays.

    Attributes
    ----------
    elements, arms, contrasts
        Names, (E,), (A,) and (K,).
    weights
        Weight of each arm in each contrast, shape ``(K, A)``; rows sum to 0.
    oligos
        Place of each element's oligo under each arm on the oligo dim of the counts, shape ``(E, A)``.
    element, arm
        Of each barcode, shape ``(n_barcodes,)``; -1 for a barcode that the question does not use.
    """

    elements: NDArray[np.str_]
    arms: NDArray[np.str_]
    contrasts: tuple[str, ...]
    weights: Array
    oligos: Ints
    element: Ints
    arm: Ints


def asked_of(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arms: Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
) -> Asked:
    """Read the question: every arm (or `arms`) against `control`, or the named `contrasts`.

    The elements are those that the side table has under *every* arm of the question. Elements that have the control
    and some treatments, but not all, are refused where the arms were not named: nothing is left out in silence.

    Raises
    ------
    ContrastError
        If an arm is unknown, the weights of a contrast do not sum to 0, or the elements have different arms and `arms`
        does not say which are meant.
    CountsError
        If an element has two oligos in an arm, or an oligo of the question has no barcode left.
    """
    known = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
    weights = _weights(known, control, arms, contrasts)
    names = list(dict.fromkeys(arm for row in weights.values() for arm in row))
    places = _places(counts, names)
    complete = (places >= 0).all(axis=1)
    if arms is None and contrasts is None:
        _refuse_ragged(places, names, complete)
    if not complete.any():
        raise ContrastError(f"no element has an oligo under every one of {', '.join(names)}; ask for fewer arms")
    elements, oligos = places.index[complete].to_numpy().astype(str), places[complete].to_numpy().astype(np.int64)
    element = np.full(counts.sizes["oligo"], -1, dtype=np.int64)
    arm = element.copy()
    element[oligos] = np.arange(len(elements))[:, None]
    arm[oligos] = np.arange(len(names))
    of = counts["oligo_index"].to_numpy()
    W = np.array([[row.get(a, 0.0) for a in names] for row in weights.values()])
    asked = Asked(elements, np.array(names), tuple(weights), W, oligos, element[of], arm[of])
    _refuse_empty(counts, asked)
    return asked


def _weights(known: list[str], control: Any, arms: Any, contrasts: Any) -> dict[str, dict[str, float]]:
    if (control is None) == (contrasts is None):
        raise ContrastError(f"give control= (one of {', '.join(known)}) or contrasts=, and not both")
    if contrasts is not None:
        weights = {str(name): {str(a): float(w) for a, w in row.items()} for name, row in contrasts.items()}
    else:
        treated = [a for a in known if a != control] if arms is None else [str(a) for a in arms if a != control]
        weights = {a: {str(control): -1.0, a: 1.0} for a in treated}
    for name, row in weights.items():
        for a in row:
            if a not in known:
                raise ContrastError(f"contrast '{name}': no arm '{a}'; the arms are {', '.join(known)}")
        if not np.isclose(sum(row.values()), 0.0) or not any(row.values()):
            raise ContrastError(f"contrast '{name}': its weights sum to {sum(row.values()):g}, not to 0")
    if not weights:
        raise ContrastError(f"no arm beside the control '{control}'; the arms are {', '.join(known)}")
    return weights


def _places(counts: xr.Dataset, names: list[str]) -> pd.DataFrame:
    """Return the place of each element's oligo under each arm, -1 where it has none."""
    table = pd.DataFrame({name: counts[name].to_numpy() for name in ("element", "arm")})
    table["place"] = np.arange(len(table))
    table = table[table["arm"].isin(names)]
    twice = table.duplicated(["element", "arm"])
    if twice.any():
        row = table[twice].iloc[0]
        raise CountsError(
            f"element '{row['element']}' has two oligos in arm '{row['arm']}'; give them elements of their own"
        )
    wide = table.pivot(index="element", columns="arm", values="place").reindex(columns=names).fillna(-1)
    return wide.loc[list(dict.fromkeys(table["element"]))].astype(np.int64)


def _refuse_ragged(places: pd.DataFrame, names: list[str], complete: Any) -> None:
    """Refuse elements that have the control and only some of the treatments."""
    some = (places[names[0]] >= 0) & (places[names[1:]] >= 0).any(axis=1) & ~complete
    if some.any():
        first = places[some].iloc[0]
        absent = [name for name in names if first[name] < 0]
        raise ContrastError(
            f"element '{first.name}' has no oligo in arm {', '.join(map(repr, absent))}, and {int(some.sum()) - 1:,} "
            f"more elements lack some arm; say which arms are compared: arms={[n for n in names[1:] if n not in absent]!r}"
        )


def _refuse_empty(counts: xr.Dataset, asked: Asked) -> None:
    n = np.bincount(counts["oligo_index"].to_numpy(), minlength=counts.sizes["oligo"])[asked.oligos]
    if n.all():
        return
    e, a = np.argwhere(n == 0)[0]
    raise CountsError(
        f"element '{asked.elements[e]}', arm '{asked.arms[a]}': no barcode is left, as in "
        f"{int((n == 0).sum()) - 1:,} more oligos; leave such elements out, in every arm: cg.mpra.filter(counts, min_barcodes=1)"
    )

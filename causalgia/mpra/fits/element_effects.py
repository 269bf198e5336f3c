"""Effects of arms in every element: the contrasts of a fit, and their estimates from
barcodes and replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from causalgia.analysis import analysis_in_attrs
from causalgia.checks import listed
from causalgia.effects.contrast_weights import (
    Contrasts,
    as_control,
    weights_as_given,
)
from causalgia.errors import (
    NAMES_LISTED,
    DataError,
    EstimateError,
    first_of,
    quoted,
)
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.mpra.counts._activity import (
    no_element_with_two,
    parallel_oligos,
)
from causalgia.mpra.counts.barcodes import (
    as_arms,
    cell_ratios,
    dna_observed,
    group_sums,
)
from causalgia.mpra.counts.condition_arms import check_arms_of_one_library
from causalgia.types import Array, Ints, Mask

_MANY_READS = 10.0
_LEAST_EQUAL = 3
_LEAST_EQUAL_SHARE = 0.1


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
        Place of each element's oligo under each arm on the oligo dim of the counts,
        shape ``(E, A)``; -1 where it has none, or none with DNA.
    element, arm
        Element and arm codes of each barcode, shape ``(n_barcodes,)``; -1 for unused
        barcodes.
    n_left_out
        Elements of the counts without a contrast of which they have every arm.
    arms_left_out
        Arms that no element has besides the control, such as a promoter alone.
    control
        The control arm; None for contrasts.
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
    control: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Elements and contrasts, (E, K)."""
        return len(self.elements), len(self.contrasts)

    @cached_property
    def measured(self) -> Mask:
        """Whether an element has every arm of a contrast, shape ``(E, K)``."""
        return has_arms(self.oligos, self.few_weights)

    @cached_property
    def few_weights(self) -> csr_array:
        """The weights of contrasts, without those of 0: of many arms most are."""
        return csr_array(self.weights)

    @property
    def compared(self) -> list[Ints]:
        """Places of the arms of each contrast, (K,)."""
        W = self.few_weights
        return np.split(W.indices.astype(np.int64), W.indptr[1:-1])

    @property
    def first_oligos(self) -> Ints:
        """Place of the first oligo of each element, shape ``(E,)``."""
        at = (self.oligos >= 0).argmax(axis=1)
        return np.asarray(self.oligos[np.arange(len(at)), at])


def has_arms(oligos: Ints, weights: csr_array) -> Mask:
    """Return whether an element, of these oligos (E, A), has every arm of a contrast, of
    these weights (K, A); shape ``(E, K)``.
    """
    ones = np.ones(weights.nnz, dtype=np.int64)
    used = csr_array((ones, weights.indices, weights.indptr), weights.shape)
    return np.asarray((used @ (oligos < 0).astype(np.int64).T).T == 0)


_ONE_ARM = "an effect compares two arms; `mpra activity` estimates one"


def fit_request(
    counts: xr.Dataset,
    *,
    control: str | float | None = None,
    arm_names: str | Sequence[str] | None = None,
    contrasts: Contrasts | None = None,
) -> FitRequest:
    """Return the elements and contrasts to fit: every arm (or `arm_names`) against
    `control`, or `contrasts`; of neither, those that the library was ordered for.

    An element is estimated in each contrast of which it has every arm, an oligo with
    barcodes that have DNA. Without `arm_names` the treatments are the arms that some
    element has besides the control. What is left out is counted.

    Raises
    ------
    EstimateError
        If an arm is unknown, the weights of a contrast do not sum to 0, each element
        has one arm (a parallel library), or no element has the arms of a contrast.
    DataError
        If an element has two oligos in an arm, the barcodes of most oligos have the same
        counts (sums that were repeated), two arms of a contrast were read in different
        replicates that no oligo links, or they are conditions, each a library of its
        own.
    """
    known = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
    if len(known) == 1:
        raise EstimateError(f"the counts have one arm, {quoted(known[0])}; {_ONE_ARM}")
    if parallel_oligos(counts) is not None:
        raise EstimateError(
            "each element has one arm, as in a parallel library, so that no element "
            "has an effect of its own; the average over elements is "
            "cg.estimate(cg.contrast(cg.mpra.outcomes(counts), control=...)). "
            "Where arms share their backgrounds, let the side table give those one "
            "name of an element"
        )
    if control is None and contrasts is None:
        plan = analysis_in_attrs(counts.attrs)
        control = plan.control
        if arm_names is None:
            contrasts = plan.weights_by_contrast or None
    control = None if control is None else as_control(control, known)
    all_arms = arm_names is None and contrasts is None
    alone = _arms_without_control(counts, control) if all_arms else ()
    weights = contrast_weights(
        [a for a in known if a not in alone], control, arm_names, contrasts
    )
    names = list(dict.fromkeys(arm for row in weights.values() for arm in row))
    places = _oligo_by_arm(counts, names)
    places = places.where(n_barcodes(counts)[places] > 0, -1)
    W = np.zeros((len(weights), len(names)))
    at = {arm: i for i, arm in enumerate(names)}
    for of_contrast, row in zip(W, weights.values(), strict=True):
        of_contrast[[at[arm] for arm in row]] = [*row.values()]
    measured = has_arms(places.to_numpy(), csr_array(W))
    several = int((places >= 0).sum(axis=1).max()) > 1
    if not several:
        raise EstimateError(no_element_with_two(names))
    if not measured.any():
        raise EstimateError(
            "no element has barcodes with DNA under every arm of a contrast; the arms "
            f"compared are {first_of(map(quoted, names), NAMES_LISTED)}"
        )
    some = np.asarray(measured.any(axis=1))
    elements, oligos = (
        places.index[some].to_numpy().astype(str),
        places[some].to_numpy().astype(np.int64),
    )
    element = np.full(counts.sizes["oligo"] + 1, -1, dtype=np.int64)
    arm = element.copy()
    element[oligos] = np.arange(len(elements))[:, None]
    arm[oligos] = np.arange(len(names))
    element[-1] = arm[-1] = -1  # where -1 was written
    of = counts["oligo_index"].to_numpy()
    left_out = len(set(counts["element"].to_numpy().tolist())) - len(elements)
    request = FitRequest(
        elements,
        np.array(names),
        tuple(weights),
        W,
        oligos,
        element[of],
        arm[of],
        left_out,
        tuple(alone),
        control,
    )
    _check_barcodes_differ(counts, request)
    _check_arms_linked(counts, request)
    check_arms_of_one_library(
        counts,
        request.arms,
        request.compared,
        request.oligos,
    )
    return request


def activity_request(counts: xr.Dataset) -> FitRequest:
    """Return each oligo with DNA as an element of one arm, whose level is its activity.

    Raises
    ------
    DataError
        If no oligo has DNA, or the barcodes of most have the same counts.
    """
    seen = np.flatnonzero(n_barcodes(counts) > 0)
    if not len(seen):
        raise DataError("no barcode of any oligo has DNA")
    element = np.full(counts.sizes["oligo"], -1, dtype=np.int64)
    element[seen] = np.arange(len(seen))
    of = element[counts["oligo_index"].to_numpy()]
    request = FitRequest(
        counts["oligo"].to_numpy()[seen].astype(str),
        np.array(["oligo"]),
        ("activity",),
        np.ones((1, 1)),
        seen[:, None],
        of,
        np.minimum(of, 0),
    )
    _check_barcodes_differ(counts, request)
    return request


def contrast_weights(
    known: list[str], control: Any, arms: Any, contrasts: Any
) -> dict[str, dict[str, float]]:
    """Return contrast -> arm -> weight, of a control or as given."""
    if (control is None) == (contrasts is None):
        raise EstimateError(
            f"give control= (one of {listed(known)}) or contrasts=, and not both"
        )
    if contrasts is not None:
        if arms is not None:
            raise EstimateError(
                "contrasts= names the arms itself; leave arm_names= out"
            )
        return weights_as_given(contrasts, known)
    compared = known if arms is None else as_arms(arms, known, error=EstimateError)
    weights = {a: {control: -1.0, a: 1.0} for a in compared if a != control}
    if not weights:
        raise EstimateError(
            f"no arm beside the control {quoted(control)}; the arms are "
            f"{', '.join(known)}; {_ONE_ARM}"
        )
    return weights


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
        raise DataError(
            f"element {quoted(row['element'])} has two oligos in arm "
            f"{quoted(row['arm'])}; give them elements of their own"
        )
    wide = (
        table.pivot(index="element", columns="arm", values="place")
        .reindex(columns=names)
        .fillna(-1)
    )
    return wide.loc[list(dict.fromkeys(table["element"]))].astype(np.int64)


def _check_barcodes_differ(counts: xr.Dataset, request: FitRequest) -> None:
    """Raise DataError where the barcodes of most oligos have the same counts in all
    columns, many of them.

    These are sums of the oligo that stand in a row for each of its barcodes, and their
    noise would count as if it were measured as often as there are rows.
    """
    n = counts.sizes["oligo"]
    of = counts["oligo_index"].to_numpy()
    both = [counts[name].to_numpy().reshape(len(of), -1) for name in ("dna", "rna")]
    table = np.concatenate(both, axis=1).astype(np.float64)
    size = np.bincount(of, minlength=n)
    mean = group_sums(table, of, (n,)) / np.maximum(size, 1)[:, None]
    apart = group_sums(np.abs(table - mean[of]).sum(axis=1), of, (n,))
    several = np.zeros(n, dtype=bool)
    several[request.oligos[request.oligos >= 0]] = True
    # few reads are often equal by chance
    several &= (size > 1) & (mean.mean(axis=1) >= _MANY_READS)
    equal = several & (apart < 1e-6)
    least = max(
        _LEAST_EQUAL,
        0.5 * several.sum(),
        _LEAST_EQUAL_SHARE * (request.oligos >= 0).sum(),
    )
    if equal.sum() < least:
        return
    first = int(equal.argmax())
    raise DataError(
        f"the {size[first]} barcodes of oligo {quoted(counts['oligo'].to_numpy()[first])} "
        f"have the same counts in every column, as in {int(equal.sum()) - 1:,} more "
        "oligos: they are sums of the oligo, repeated for each barcode. Give the counts "
        "of each barcode, or one row an oligo with the sum"
    )


def _check_arms_linked(counts: xr.Dataset, request: FitRequest) -> None:
    """Raise DataError where arms of a contrast were read in replicates whose levels
    nothing compares.

    A log ratio is the activity of an oligo plus the level of its replicate's library,
    so a difference of two oligos is identified exactly where they are linked in the
    graph whose edges are the pairs (oligo, replicate) that were read (Weeks & Williams
    1964, doi:10.1080/00401706.1964.10490188).
    """
    cells = dna_observed(counts) & (
        counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0
    )
    cells = cells & counts["rna_observed"].to_numpy()
    cells &= ~_arms_without_rna(counts)
    of = counts["oligo_index"].to_numpy()
    oligo, replicate = np.nonzero(group_sums(cells, of, (counts.sizes["oligo"],)))
    n, R = counts.sizes["oligo"], counts.sizes["replicate"]
    edges = csr_array((np.ones(len(oligo)), (oligo, n + replicate)), (n + R, n + R))
    part = connected_components(edges, directed=False)[1][request.oligos]
    # an oligo that was read in no replicate is refused, or called silent, elsewhere
    read = np.isin(request.oligos, oligo)
    for k, compared in enumerate(request.compared):
        first = part[:, compared[:1]]
        apart = (
            (part[:, compared] != first) & read[:, compared] & read[:, compared[:1]]
        ).any(1) & request.measured[:, k]
        if apart.any():
            e = int(apart.argmax())
            at = [replicate[oligo == o] for o in request.oligos[e, compared]]
            other = int((part[e, compared] != first[e]).argmax())
            names = counts["replicate"].to_numpy()
            here, there = (
                f"arm {quoted(request.arms[compared[i]])} was read in "
                f"{'replicate' if len(at[i]) == 1 else 'replicates'} "
                f"{', '.join(map(str, names[at[i]]))}"
                for i in (0, other)
            )
            more = int(apart.sum()) - 1
            raise DataError(
                f"element {quoted(request.elements[e])}: {here}, and {there}; no oligo "
                "was read in both, so that a difference between these arms cannot be "
                "distinguished from one between their libraries"
                + (f", as in {more:,} more elements" if more else "")
                + ". Both arms have to be measured in one replicate; other elements "
                "can be fitted without these"
            )


def _arms_without_rna(counts: xr.Dataset) -> Mask:
    """Return the cells of arms that have no RNA at all in a replicate, shape
    ``(barcode, replicate)``: they were not transfected there, and a table that was
    joined has 0 for them.
    """
    codes, names = pd.factorize(counts["arm"].to_numpy())
    arm = codes[counts["oligo_index"].to_numpy()]
    reads = group_sums(counts["rna"].to_numpy().astype(np.float64), arm, (len(names),))
    return np.asarray((reads == 0)[arm])


def n_barcodes(counts: xr.Dataset) -> Ints:
    """Return the barcodes of each oligo with DNA in some replicate, shape
    ``(n_oligos,)``.
    """
    read = (
        dna_observed(counts)
        & (counts["dna"].to_numpy().reshape(counts.sizes["barcode"], -1) > 0)
    ).any(axis=1)
    return np.bincount(
        counts["oligo_index"].to_numpy()[read], minlength=counts.sizes["oligo"]
    )


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
        Effect on log2, its standard error and degrees of freedom (``inf`` is normal),
        shape ``(E, K)`` each.
    variables
        Further variables of the method: name -> (dims, values), dims out of
        ``element, contrast, arm, replicate``.
    attrs
        Further results for all elements together: numbers and text.
    """

    ace: Array
    se: Array
    df: Array
    variables: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(
        default_factory=dict
    )
    attrs: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A variance component: its estimate in each element, and its factor in the
    variance of a contrast.

    Attributes
    ----------
    s2, df
        Variance and its degrees of freedom, shape ``(E,)`` each.
    factor
        Variance of a contrast at unit variance of the layer, shape ``(E, K)``.
    """

    s2: Array
    df: Array
    factor: Array

    def moderated(self) -> tuple[Array, Array]:
        """Return the variance that the layer adds to each contrast, and its df,
        moderated over elements, ``(E, K)``.
        """
        found = moderate_variances(self.s2, self.df)
        return found.variance[:, None] * self.factor, np.broadcast_to(
            found.df[:, None], self.factor.shape
        )


def two_way(cells: RatioCells, weights: Array) -> FittedEffects:
    """Compare arms by the means of their barcodes, with the noise of barcodes and of
    replicates.

    In a crossed layout the mean over barcodes and replicates has the variance
    ``V_barcode + V_replicate - V_residual``: the first two both contain the noise of
    single cells, which counts once. All three come from sums of squares moderated over
    elements; the variance is never below the larger of the first two, and its degrees
    of freedom are Satterthwaite's. The replicates' mean square is one of all arms of an
    element, and includes the cells' noise of the average arm: where arms differ in
    barcodes, as a reference of thousands beside variants of ten, each contrast gets
    that of its own arms instead.

    Parameters
    ----------
    cells
        Cells of E elements under A arms.
    weights
        Weights of the arms in each contrast, shape ``(K, A)``.

    Returns
    -------
    FittedEffects
        Besides the effects ``v_barcode, v_replicate, v_residual (element, contrast)``,
        and in ``attrs`` the standard deviations of barcodes and of replicates over all
        elements, on log2.

    Raises
    ------
    EstimateError
        If no element has two barcodes in an arm, or two replicates.

    References
    ----------
    Cameron, Gelbach & Miller (2011), doi:10.1198/jbes.2010.07136. Smyth (2004),
    doi:10.2202/1544-6115.1027.
    """
    means = barcode_means(cells)
    variance, df, vb, vr, ve = combine_layers(
        [barcode_layer(means, weights)], [library_layers(cells, weights)]
    )
    dims = ("element", "contrast")
    variables = {
        "v_barcode": (dims, vb),
        "v_replicate": (dims, vr),
        "v_residual": (dims, ve),
    }
    return FittedEffects(
        means.mean @ weights.T, np.sqrt(variance), df, variables, noise_sds(cells)
    )


def _average_arm(cells: RatioCells, weights: Array) -> Array:
    """Return the factor of the residual variance in contrasts whose arms have the cells
    of the element's average arm, shape ``(E, K)``.
    """
    each = _over(cells.sums(cells.used.sum(axis=1).astype(np.float64)))
    there = (each > 0).sum(axis=1)
    return np.asarray(np.outer(each.sum(axis=1) / there, (weights**2).sum(axis=1)))


def _over(n: Array) -> Array:
    """Return 1 / n, and 0 for arms without barcodes, which no measured contrast has."""
    return np.asarray(np.divide(1.0, n, out=np.zeros(n.shape), where=n > 0))


@dataclass(frozen=True)
class LibraryLayers:
    """Noise of the libraries of one condition: between replicates, and of cells.

    Attributes
    ----------
    replicate, residual
        The layers.
    residual_in_replicate
        The part of the residual variance that the replicates' mean square includes,
        above 1 where it is from arms with fewer barcodes than those of the contrast;
        shape ``(E, K)``.
    """

    replicate: Layer
    residual: Layer
    residual_in_replicate: Array


def library_layers(cells: RatioCells, weights: Array) -> LibraryLayers:
    """Return the noise of the libraries in which these cells were read."""
    residual = residual_layer(cells, weights)
    with np.errstate(divide="ignore", invalid="ignore"):  # no barcodes: not measured
        share = _average_arm(cells, weights) / residual.factor
    return LibraryLayers(replicate_layer(cells, weights), residual, share)


def combine_layers(
    barcode: Sequence[Layer], libraries: Sequence[LibraryLayers]
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the variance of each contrast, its df, and the moderated components, shape
    ``(E, K)`` each.

    Barcodes have one layer for all arms, or one for each arm, or none, and conditions
    layers of their own; all are moderated separately and added. ``V_replicate`` is
    returned with all of ``V_residual``, and no more.

    Raises
    ------
    EstimateError
        If no element has two barcodes in an arm, or two replicates.
    """
    if not all(layer.df.any() for layer in barcode):
        raise EstimateError(
            "no element has two barcodes in an arm, and one barcode has no spread; use "
            "more barcodes, or method='hierarchical', which fits sums of oligos "
            "for these barcodes"
        )
    if not all(one.replicate.df.any() for one in libraries):
        raise EstimateError(
            "no element has two replicates of every arm, and one has no spread; use "
            "more replicates"
        )
    each = [layer.moderated() for layer in barcode]
    vb, vr, ve = (np.zeros(libraries[0].replicate.factor.shape) for _ in range(3))
    for v, _ in each:
        vb = vb + v
    for one in libraries:
        replicate, cells = one.replicate.moderated(), one.residual.moderated()
        each += [replicate, cells]
        own = replicate[0] + cells[0] * (1 - one.residual_in_replicate)
        vr, ve = vr + np.maximum(own, 0.0), ve + cells[0]
    variance = np.maximum(np.maximum(vb + vr - ve, vb), vr)
    parts = [np.where(d > 0, v**2 / np.where(d > 0, d, 1.0), 0.0) for v, d in each]
    return variance, variance**2 / sum(parts), vb, vr, ve


def barcode_layer(means: BarcodeMeans, weights: Array) -> Layer:
    """Return the variance of barcodes' means within arms, pooled over arms."""
    return Layer(means.pooled, means.df, _over(means.n) @ (weights**2).T)


def replicate_layer(cells: RatioCells, weights: Array) -> Layer:
    """Return the variance of the arms' means over replicates, shifts shared by all arms
    of a replicate removed.

    For two arms it is half the variance over replicates of their difference. Only
    replicates with every arm are used.
    """
    n = cells.sums(cells.used)
    cell = cells.sums(cells.ratio) / np.maximum(n, 1)
    arms = np.asarray(n.any(axis=2))
    A = arms.sum(axis=1)
    present = np.asarray(((n > 0) | ~arms[:, :, None]).all(axis=1))
    R = present.sum(axis=1)
    used = arms[:, :, None] & present[:, None]
    apart = (cell - cell.sum(axis=1, keepdims=True) / A[:, None, None]) * used
    apart = (
        apart - apart.sum(axis=2, keepdims=True) / np.maximum(R, 1)[:, None, None]
    ) * used
    df = np.maximum((A - 1) * (R - 1), 0).astype(np.float64)
    s2 = (apart**2).sum(axis=(1, 2)) / np.maximum(df, 1)
    return Layer(s2, df, (weights**2).sum(axis=1) / np.maximum(R, 1)[:, None])


def residual_layer(cells: RatioCells, weights: Array) -> Layer:
    """Return the residual variance of cells about barcodes and replicates in each arm,
    pooled over arms.
    """
    squares, df = residual_squares(cells)
    n = cells.sums(cells.used.sum(axis=1).astype(np.float64))
    return Layer(
        squares.sum(axis=1) / np.maximum(df.sum(axis=1), 1),
        df.sum(axis=1),
        _over(n) @ (weights**2).T,
    )


def residual_squares(cells: RatioCells) -> tuple[Array, Array]:
    """Return the residual sum of squares about barcode + replicate by element and arm,
    and its df, ``(E, A)``.

    Barcodes are eliminated first; the R remaining equations an arm are solved for all
    elements at once.
    """
    u = cells.used.astype(np.float64)
    m = u.sum(axis=1)
    left = (cells.ratio - (cells.ratio.sum(axis=1) / m)[:, None]) * u
    right = cells.sums(left)
    R = u.shape[1]
    normal = -np.stack(
        [cells.sums(u * (u[:, r] / m)[:, None]) for r in range(R)], axis=-1
    )
    normal[..., np.arange(R), np.arange(R)] += cells.sums(u)
    values, vectors = np.linalg.eigh(normal)
    solvable = values > 1e-9 * np.maximum(values[..., -1:], 1.0)
    turned = np.einsum("earj,ear->eaj", vectors, right)
    explained = np.where(
        solvable, turned**2 / np.where(solvable, values, 1.0), 0.0
    ).sum(axis=-1)
    total = cells.sums((left**2).sum(axis=1))
    df = cells.sums(m - 1) - solvable.sum(axis=-1)
    return np.maximum(total - explained, 0.0), df


def noise_sds(cells: RatioCells) -> dict[str, float]:
    """Return the sd of barcodes, replicates and residuals over all elements, by
    moments, of those layers that repeat; 0 where negative.
    """
    ones, means = np.ones((1, cells.shape[1])), barcode_means(cells)
    replicate, residual = replicate_layer(cells, ones), residual_layer(cells, ones)
    share = float((1 / cells.used.sum(axis=1)).mean())
    noise = _pooled_variance(residual)
    across = float((1 / np.maximum(cells.sums(cells.used), 1)).mean())
    barcode = barcode_layer(means, ones)
    variances = {
        "sd_barcode": (barcode, _pooled_variance(barcode) - share * noise),
        "sd_replicate": (replicate, _pooled_variance(replicate) - across * noise),
        "sd_residual": (residual, noise),
    }
    return {
        name: sd_or_zero(variance)
        for name, (layer, variance) in variances.items()
        if layer.df.any()
    }


def _pooled_variance(layer: Layer) -> float:
    return float((layer.s2 * layer.df).sum() / max(layer.df.sum(), 1.0))


def sd_or_zero(variance: float) -> float:
    """Return the square root of an estimated variance, 0 where the estimate is
    negative.
    """
    return float(np.sqrt(max(variance, 0.0)))


@dataclass(frozen=True)
class BarcodeMeans:
    """Means of barcodes of E elements under A arms.

    Attributes
    ----------
    mean
        Over the barcodes, each counting once, shape ``(E, A)``.
    n
        Number of barcodes, shape ``(E, A)``.
    squares
        Sum of squares about the mean, shape ``(E, A)``.
    """

    mean: Array
    n: Array
    squares: Array

    @property
    def df(self) -> Array:
        """Degrees of freedom of the pooled variance of each element, shape ``(E,)``."""
        return np.asarray(self.n.sum(axis=1) - (self.n > 0).sum(axis=1))

    @property
    def pooled(self) -> Array:
        """Variance of barcodes within arms, pooled over the arms of each element, shape
        ``(E,)``; 0 on 0 df.
        """
        return np.asarray(self.squares.sum(axis=1) / np.maximum(self.df, 1))


def barcode_means(cells: RatioCells) -> BarcodeMeans:
    """Return the means over barcodes of their mean log ratio ``y_b``, for each element
    and arm.

    The barcode is the unit assigned to an arm, and its own activity repeats in every
    replicate, so its mean over replicates is one observation.
    """
    return means_of(cells.ratio.sum(axis=1) / cells.used.sum(axis=1), cells)


def means_of(y: Array, cells: RatioCells) -> BarcodeMeans:
    """Return the means over barcodes of their values y, shape ``(B,)``."""
    n = cells.sums(np.ones_like(y))
    mean = cells.sums(y) / np.maximum(n, 1)
    return BarcodeMeans(mean, n, cells.sums((y - cells.at(mean)) ** 2))


@dataclass(frozen=True)
class RatioCells:
    """Log ratios of B barcodes in R replicates, each barcode of one element under one
    arm.

    Attributes
    ----------
    ratio
        log2(RNA/DNA), 0 where missing, shape ``(B, R)``.
    used
        Mask of the ratios present, shape ``(B, R)``; every barcode has at least one.
    group
        ``element * A + arm`` of each barcode, shape ``(B,)``.
    shape
        Elements and arms, (E, A).
    """

    ratio: Array
    used: Mask
    group: Ints
    shape: tuple[int, int]

    def sums(self, values: Array | Mask) -> Array:
        """Sum values of barcodes, shape ``(B, ...)``, by element and arm,
        ``(E, A, ...)``.
        """
        return group_sums(values, self.group, self.shape)

    def at(self, means: Array) -> Array:
        """Return values of elements and arms, ``(E, A, ...)``, at each barcode,
        ``(B, ...)``.
        """
        return means.reshape(-1, *means.shape[2:])[self.group]


def ratio_cells(counts: xr.Dataset, request: FitRequest) -> RatioCells:
    """Return the log ratios of the requested barcodes that have DNA somewhere."""
    ratio, used = cell_ratios(counts)
    keep = (request.element >= 0) & used.any(axis=1)
    E, A = request.oligos.shape
    return RatioCells(
        ratio[keep], used[keep], request.element[keep] * A + request.arm[keep], (E, A)
    )

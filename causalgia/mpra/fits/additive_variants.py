r"""Effects of the variants of a saturation mutagenesis whose barcodes carry several, by
additive least squares on log2(RNA/DNA).

With :math:`y_{br}` the log ratio of barcode b in replicate r,

.. math:: y_{br} = \mu_r + \sum_{v \in b} (\beta_v + \delta_{vr}) + u_b + e_{br},

where :math:`u_b` is the barcode's own activity, the same in every replicate, and
:math:`\delta_{vr}` what all barcodes of a variant share in a replicate. A barcode counts
once, however many replicates have it, with a weight by its DNA.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize, sparse
from scipy.linalg import lapack

from causalgia.attributes import attributes
from causalgia.effects.contrast_weights import Contrasts
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.mpra.counts.barcodes import cell_ratios
from causalgia.mpra.counts.variant_haplotypes import arms_compared
from causalgia.mpra.fits.element_effects import contrast_weights, sd_or_zero
from causalgia.mpra.fits.fit_summaries import effects_dataset
from causalgia.types import Array, Ints, Mask

_RANK, _ALIASED = 1e-9, 1e-6
_ALONE = 0.99  # leverage of a barcode that alone decides an effect
_FLOOR, _TINY = 0.05, 1e-12
_ROWS, _STEPS = 64, 20


def carries_several(counts: xr.Dataset) -> bool:
    """Return whether barcodes carry several variants."""
    return "variant_index" in counts


def additive(
    counts: xr.Dataset,
    *,
    control: str | float | None,
    arm_names: str | list[str] | None,
    contrasts: Contrasts | None,
    ci_prob: float,
) -> xr.Dataset:
    """Return the effects of variants, as `causalgia.mpra.fit` does.

    Raises
    ------
    EstimateError
        If barcodes are of several elements, there is one replicate, an arm is no
        variant, or no contrast is determined.
    """
    elements = np.unique(counts["element"].to_numpy()[counts["oligo_index"].to_numpy()])
    if len(elements) > 1:
        raise EstimateError(
            f"barcodes with several variants are of {len(elements)} elements, "
            f"{quoted(elements[0])}, ...; the additive fit takes one"
        )
    R = counts.sizes["replicate"]
    if R < 2:
        raise EstimateError("the additive fit takes two replicates or more, not one")
    arms = np.array(arms_compared(counts))
    asked = contrast_weights(arms.tolist(), control, arm_names, contrasts)
    weights = np.array([[row.get(arm, 0.0) for arm in arms] for row in asked.values()])
    place = pd.Index(counts["variant"].to_numpy()).get_indexer(arms[1:])
    W = np.zeros((len(weights), counts.sizes["variant"]))
    W[:, place] = weights[:, 1:]
    cells = _cells(counts)
    found = _solve(cells, np.ones(len(cells.depth)))
    weight = _weights(cells, found)
    found = _solve(cells, weight)
    known = found.determined[R:]
    fitted = ~(W != 0)[:, ~known].any(axis=1)
    if not fitted.any():
        raise EstimateError(
            "no contrast is determined: its variants are in no barcode with DNA, or in "
            "the same barcodes as others"
        )
    # the noise is learned from all variants, whichever are asked
    rows = np.concatenate([np.eye(len(known))[known], W[fitted]])
    variance, df, sds = _errors(cells, found, weight, rows, int(known.sum()))
    n_of = cells.carried.sum(axis=1)
    n = [(n_of == 0).sum(), *cells.carried.sum(axis=0)[place]]
    return effects_dataset(
        counts,
        ((W[fitted] @ found.beta[R:])[None], np.sqrt(variance)[None], df[None]),
        np.ones((1, int(fitted.sum())), dtype=bool),
        ci_prob,
        variables={
            "n_barcodes": (("element", "arm"), np.array(n, dtype=np.int64)[None]),
            "weight": (("contrast", "arm"), weights[fitted]),
        },
        coords={
            "element": elements,
            "contrast": np.array([*asked])[fitted],
            "arm": arms,
        },
        group=counts["group"].to_numpy()[:1],
        attrs={
            **attributes(
                method="additive",
                moderated_rows=int(known.sum()),
                estimand=(
                    "contrast of log2(RNA/DNA) between variants, whose effects add up, "
                    "over the barcodes that might carry them"
                ),
                null="the barcodes that a variant might have",
                n_left_out=0,
                arms_left_out="",
                n_several=int((n_of > 1).sum()),
                n_fitted_barcodes=len(n_of),
                n_undetermined=int((~fitted).sum()),
                **sds,
            ),
            **({} if control is None else attributes(control=control)),
        },
    )


@dataclass(frozen=True)
class _Cells:
    """Log ratios of B barcodes in R replicates, N cells, with V variants.

    Attributes
    ----------
    ratio, replicate
        Of each cell, shape ``(N,)``.
    carried
        Which barcode carries which variant, shape ``(B, V)``.
    mean
        Mean over the cells of a barcode, shape ``(B, N)``.
    design
        Replicate and variants of each cell, shape ``(N, R + V)``.
    depth
        Variance of a barcode's mean by counting DNA, up to a factor, shape ``(B,)``.
    """

    ratio: Array
    replicate: Ints
    carried: sparse.csr_array
    mean: sparse.csr_array
    design: sparse.csr_array
    depth: Array


def _cells(counts: xr.Dataset) -> _Cells:
    """Return the cells with DNA."""
    ratios, used = cell_ratios(counts)
    some = np.asarray(used.any(axis=1))
    ratios, used = ratios[some], used[some]
    dna = counts["dna"].to_numpy().reshape(len(some), -1)[some]
    index = counts["variant_index"].to_numpy()[some]
    rows, places = np.nonzero(index >= 0)
    carried = sparse.csr_array(
        (np.ones(len(rows)), (rows, index[rows, places])),
        (len(index), counts.sizes["variant"]),
    )
    barcode, replicate = np.nonzero(used)
    N, m = len(barcode), used.sum(axis=1)
    at = sparse.csr_array((np.ones(N), (np.arange(N), replicate)), (N, used.shape[1]))
    return _Cells(
        ratio=ratios[used],
        replicate=replicate,
        carried=carried,
        mean=sparse.csr_array((1 / m[barcode], (barcode, np.arange(N))), (len(m), N)),
        design=sparse.csr_array(sparse.hstack([at, carried[barcode]])),
        depth=(used / np.maximum(dna, 1)).sum(axis=1) / m**2,
    )


@dataclass(frozen=True)
class _Solution:
    """Weighted least squares: the inverse of the normal equations, which coefficients
    they determine, and the coefficients; residuals of cells, their means over barcodes,
    and the leverage of barcodes.
    """

    inverse: Array
    determined: Mask
    beta: Array
    left: Array
    of_barcode: Array
    leverage: Array


def _solve(cells: _Cells, weight: Array) -> _Solution:
    """Fit the cells, each barcode with a weight that its cells share."""
    weighted = sparse.csr_array((cells.design * (cells.mean.T @ weight)[:, None]).T)
    inverse, determined = _inverse((weighted @ cells.design).toarray())
    beta = inverse @ (weighted @ cells.ratio)
    left = cells.ratio - cells.design @ beta
    Z = sparse.csr_array(cells.mean @ cells.design)
    leverage = [
        ((part @ inverse) * part.toarray()).sum(axis=1)
        for part in (Z[i : i + 1024] for i in range(0, Z.shape[0], 1024))
    ]
    return _Solution(
        *(inverse, determined, beta, left),
        *(cells.mean @ left, weight * np.concatenate(leverage)),
    )


def _inverse(normal: Array) -> tuple[Array, Mask]:
    """Return a generalized inverse of normal equations, and which coefficients they
    determine, by Cholesky's method with pivots.

    Examples
    --------
    >>> design = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 1]])
    >>> _inverse(design.T @ design)[1]
    array([ True,  True, False, False])
    """
    size = np.sqrt(np.diag(normal))
    scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    scaled = normal * scale * scale[:, None]
    _, pivots, rank, _ = lapack.dpstrf(scaled, tol=_RANK)
    first, rest = pivots[:rank] - 1, pivots[rank:] - 1
    within = np.linalg.inv(scaled[np.ix_(first, first)])
    inverse = np.zeros_like(normal)
    inverse[np.ix_(first, first)] = within * scale[first] * scale[first, None]
    determined = np.zeros(len(normal), dtype=bool)
    aliases = within @ scaled[np.ix_(first, rest)]
    determined[first] = (np.abs(aliases) < _ALIASED).all(axis=1)
    return inverse, determined


def _weights(cells: _Cells, found: _Solution) -> Array:
    """Return weights of barcodes, the inverse of their variance: what all have, and
    what is in proportion to the noise of counting their DNA.
    """
    terms = np.column_stack([np.ones_like(cells.depth), cells.depth])
    free = found.leverage < _ALONE
    squares = found.of_barcode[free] ** 2 / (1 - found.leverage[free])
    variance = terms @ optimize.nnls(terms[free], squares)[0]
    return np.asarray(1 / np.maximum(variance, _FLOOR * squares.mean() + _TINY))


def _errors(
    cells: _Cells, found: _Solution, weight: Array, rows: Array, n_learned: int
) -> tuple[Array, Array, dict[str, float]]:
    """Return the variances of weighted sums of variants and their df, of the rows after
    the first `n_learned`, from which they are learned; and the sds of the layers of
    noise.

    As in `causalgia.mpra.fits.element_effects.two_way`, ``V_barcode + V_replicate -
    V_residual``, of which the first two both have the noise of single cells. V_barcode
    is the sandwich by barcode (HC2), over that of the weights moderated over rows;
    V_replicate is the sandwich by replicate, over the sum of V_residual and of one
    variance of ``delta`` moderated over rows.

    References
    ----------
    MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7. Cameron, Gelbach & Miller
    (2011), doi:10.1198/jbes.2010.07136. Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    R = cells.design.shape[1] - cells.carried.shape[1]
    C = rows @ found.inverse[R:]
    Z = (cells.mean @ cells.design).T
    spread = found.of_barcode**2 / np.maximum(1 - found.leverage, 1 - _ALONE)
    by_weight, sandwich, n = np.empty((3, len(rows)))
    for some in (slice(i, i + _ROWS) for i in range(0, len(rows), _ROWS)):
        part = (C[some] @ Z) ** 2 * weight
        by_weight[some], sandwich[some] = part.sum(axis=1), part @ (weight * spread)
        n[some] = by_weight[some] ** 2 / (part**2).sum(axis=1)
    # a barcode that alone carries a variant has no residual
    of_barcodes, df_barcodes = _moderated(
        sandwich / by_weight, np.where(n < 2, 0.0, n - 1), n_learned
    )
    of_barcodes = of_barcodes * by_weight[n_learned:]

    m = np.asarray((cells.mean > 0).sum(axis=1))
    within = found.left - cells.mean.T @ (m * found.of_barcode)
    noise = (cells.mean @ within**2) * m / np.maximum(m - 1, 1)
    noise = np.where(m > 1, noise, noise[m > 1].mean() if (m > 1).any() else 0.0)
    share = cells.mean.T @ weight
    residual, of_shared = (
        ((C @ ((cells.design * (share**2 * x)[:, None]).T @ cells.design)) * C).sum(1)
        for x in (cells.mean.T @ (m * noise), cells.design.sum(axis=1) - 1.0)
    )
    scores = np.column_stack(
        [
            cells.design.T @ np.where(cells.replicate == r, share * found.left, 0.0)
            for r in range(R)
        ]
    )
    by_replicate = R / (R - 1) * ((C @ scores) ** 2).sum(axis=1)
    # the cells of a barcode differ by delta as well, as often as it carries variants
    shared, factor = 0.0, (rows**2).sum(axis=1)
    free = np.maximum(factor - R * of_shared, 0.0)
    free[n_learned:] = 0.0
    for _ in range(_STEPS):
        precision = free / (factor * shared + residual + _TINY) ** 2
        excess = (precision * (by_replicate - residual)).sum()
        shared = max(float(excess / max((precision * free).sum(), _TINY)), 0.0)
    residual = np.maximum(residual - R * shared * of_shared, 0.0)
    expected = factor * shared + residual + _TINY
    of_replicates, df_replicates = _moderated(
        by_replicate / expected, np.full(len(rows), R - 1.0), n_learned
    )
    of_replicates = of_replicates * expected[n_learned:]
    variance = np.maximum.reduce(
        [of_barcodes + of_replicates - residual[n_learned:], of_barcodes, of_replicates]
    )
    df = variance**2 / (of_barcodes**2 / df_barcodes + of_replicates**2 / df_replicates)
    sds = {
        "sd_barcode": sd_or_zero(float((spread - noise / m).mean())),
        "sd_replicate": float(np.sqrt(shared * R)),
        "sd_residual": float(np.sqrt(noise.mean())),
    }
    return variance, df, sds


def _moderated(s2: Array, df: Array, n_learned: int) -> tuple[Array, Array]:
    """Return moderated variances and their df, of the rows after the first `n_learned`,
    whose prior is that of the first.
    """
    first = moderate_variances(s2[:n_learned], df[:n_learned])
    if not first.df.all():
        raise EstimateError(
            "fewer than two variants are carried by two barcodes each, so that nothing "
            "shows how much barcodes differ"
        )
    d0, s0 = first.prior_df, first.prior_variance[0]
    own = df[n_learned:]
    variance = s0 if np.isinf(d0) else (d0 * s0 + own * s2[n_learned:]) / (d0 + own)
    return (
        np.broadcast_to(variance, own.shape),
        np.maximum(np.minimum(own + d0, df[:n_learned].sum()), own),
    )

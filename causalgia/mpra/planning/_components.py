"""Variance components of an assay: estimated from a pilot, and at the depth of a
planned library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import about, attributes, has
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.mpra.counts._activity import truncation_of
from causalgia.mpra.counts._noise_model import NoiseModel
from causalgia.mpra.counts.barcodes import cell_ratios, dna_observed
from causalgia.mpra.fits.element_effects import FitRequest, fit_request, sd_or_zero
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array

_OF_PILOT = ("sd_barcode", "sd_replicate", "sd_noisiness")
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_MOST_REPLICATES = 200  # of more, 1 / C is that of the mean C


def check_pilot(pilot: Any) -> None:
    """Raise EstimateError where `pilot` holds no variance components.

    Examples
    --------
    >>> check_pilot(xr.Dataset())
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: pilot: no variance components; give cg.mpra.components(counts, control=...)
    """
    if (
        not isinstance(pilot, xr.Dataset)
        or not has(pilot).plasmid
        or not set(_OF_PILOT) <= set(pilot.variables)
    ):
        raise EstimateError(
            "pilot: no variance components; give cg.mpra.components(counts, "
            "control=...)"
        )


_NOISE_TO_GIVE = {
    "sd_barcode": "the sd of log2 activity between barcodes, 0.3 to 1.0",
    "sd_replicate": "the sd of log2 activity between replicates, about 0.15",
    "tau": "the sd of the effect between backgrounds, usually the largest part of the "
    "error of an average; 0 if all are alike",
}


def _noise_with(names: list[str], noise: NoiseModel) -> str:
    """Return the noise that lacks fields, with the fields that were given, as it is
    written in Python.

    Examples
    --------
    >>> _noise_with(["tau"], NoiseModel(sd_barcode=0.4))
    'noise=cg.mpra.NoiseModel(sd_barcode=0.4, tau=...)'
    """
    given = [
        f"{field.name}={quoted(getattr(noise, field.name))}"
        for field in fields(noise)
        if getattr(noise, field.name) != field.default
    ]
    lacking = [f"{name}=..." for name in names]
    return f"noise=cg.mpra.NoiseModel({', '.join([*given, *lacking])})"


def check_noise_known(
    noise: NoiseModel, pilot: xr.Dataset | None, *, counted: bool, average: bool
) -> None:
    """Raise EstimateError where neither the noise nor a pilot gives a part of it, with
    all parts that lack; assuming 0 would be optimistic.

    Parameters
    ----------
    noise, pilot
        What is known.
    counted
        Whether a depth says what counting adds.
    average
        Whether an average over backgrounds is planned, so that its spread between them
        matters.

    Examples
    --------
    >>> known = NoiseModel(sd_barcode=0.6, sd_replicate=0.15)
    >>> check_noise_known(known, None, counted=True, average=False)
    >>> check_noise_known(known, None, counted=False, average=False)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: the counting noise is not given: say depth= (mean ...
    """
    if pilot is not None:
        return
    lacking = [
        name
        for name in _NOISE_TO_GIVE
        if getattr(noise, name) is None and (average or name != "tau")
    ]
    uncounted = noise.sd_count is None and not counted
    depth = "depth= (mean reads per barcode)"
    if not lacking:
        if uncounted:
            raise EstimateError(
                f"the counting noise is not given: say {depth} or "
                + _noise_with(["sd_count"], noise)
            )
        return
    first, *more = lacking
    need = f"{first} is not given ({_NOISE_TO_GIVE[first]})" + "".join(
        f", nor {name} ({_NOISE_TO_GIVE[name]})" for name in more
    )
    them = "them" if more or uncounted else "it"
    raise EstimateError(
        f"{need}{', nor the counting noise' if uncounted else ''}; take {them} from a "
        "pilot, pilot=cg.mpra.components(counts, control=...), or give "
        f"{_noise_with(lacking, noise)}{f' and {depth}' if uncounted else ''}"
    )


def layers_at_depth(
    noise: NoiseModel,
    pilot: xr.Dataset | None,
    weights: tuple[float, ...],
    depth: xr.DataArray | None,
    depth_dna: xr.DataArray | None,
    *,
    average: bool,
) -> Layers:
    """Return the noise layers at a sequencing depth, for a contrast with these weights
    of arms, of an `average` over backgrounds or of one element.

    Raises
    ------
    EstimateError
        If neither the noise nor a pilot gives the sd of barcodes, of replicates, or of
        counting, or both describe counting.
    """
    if pilot is not None:
        check_pilot(pilot)
        if beside := noise.counting_values():
            name, value = next(iter(beside.items()))
            raise EstimateError(
                f"noise=cg.mpra.NoiseModel({name}={quoted(value)}) gives the "
                f"counting noise, as does pilot=; leave {name} out"
            )
    plasmid = (
        bool(about(pilot).plasmid)
        if noise.plasmid is None and pilot is not None
        else bool(noise.plasmid)
    )
    check_noise_known(noise, pilot, counted=depth is not None, average=average)
    found: dict[str, float] = {
        name: _given_or_pilot_sd(name, noise, pilot) for name in _OF_PILOT
    }
    rna, dna = _counting_variances(noise, pilot, depth, depth_dna)
    assumed = (0.0, 0.0) if pilot is None else (pilot["tau"], pilot["sd_common"])
    tau = assumed[0] if noise.tau is None else float(noise.tau)
    common = assumed[1] if noise.sd_common is None else float(noise.sd_common)
    return Layers(
        barcode=found["sd_barcode"] ** 2,
        replicate=found["sd_replicate"] ** 2,
        rna=rna,
        dna=dna,
        tau2=tau**2,
        common=common**2,
        noisiness=found["sd_noisiness"] ** 2,
        plasmid=plasmid,
        weights=float(np.square(weights).sum()),
        missing=_missing(noise, pilot),
        arms=int(np.count_nonzero(weights)),
    )


def _missing(noise: NoiseModel, pilot: xr.Dataset | None) -> float:
    if noise.missing is not None:
        return float(noise.missing)
    # pilots that were written before have no such variable
    return 0.0 if pilot is None else float(pilot.get("missing", xr.DataArray(0.0)))


def as_weights(weights: Any) -> tuple[float, ...]:
    """Return the weights of the arms in a contrast, which sum to 0, or raise
    EstimateError.
    """
    numbers = np.asarray(weights)
    if numbers.dtype.kind not in "iuf" or numbers.ndim != 1:
        raise EstimateError(
            f"weights={quoted(weights)}: give numbers that sum to 0; weights=(-1, "
            "1) is a difference of two arms",
            argument="weights",
        )
    if len(numbers) < 2 or not np.isclose(sum(numbers), 0) or not numbers.any():
        raise EstimateError(
            f"weights={quoted(weights)} do not sum to 0; weights=(-1, 1) is a "
            "difference of two arms",
            argument="weights",
        )
    return tuple(numbers.tolist())


def _given_or_pilot_sd(name: str, noise: NoiseModel, pilot: xr.Dataset | None) -> float:
    value = getattr(noise, name)
    if value is not None:
        return float(value)
    if pilot is not None:
        return float(pilot[name])
    return 0.0  # sd_noisiness: `check_noise_known` has refused the others


def _counting_variances(
    noise: NoiseModel, pilot: xr.Dataset | None, depth: Any, depth_dna: Any
) -> tuple[Values, Values]:
    """Return the variances that counting RNA and DNA add to one barcode in one
    replicate.
    """
    if noise.sd_count is not None:
        if depth is not None:
            raise EstimateError(
                f"noise=cg.mpra.NoiseModel(sd_count={quoted(noise.sd_count)}) "
                "gives the counting noise, and so does depth=; give one of them"
            )
        return float(noise.sd_count) ** 2, 0.0
    if pilot is not None:
        rna, dna = float(pilot["sd_rna"]) ** 2, float(pilot["sd_dna"]) ** 2
        if depth is None:
            return rna, dna
        more_rna = float(pilot["bought_rna"]) * (float(pilot["reads_rna"]) / depth - 1)
        more_dna = float(pilot["bought_dna"]) * (
            float(pilot["reads_dna"]) / depth_dna - 1
        )
        return rna + more_rna, dna + more_dna
    counted = counting_variance(depth, noise.disp_rna, noise.sd_abundance)
    silent = (
        silent_variance(depth, noise.p_silent, noise.sd_abundance)
        if noise.p_silent
        else 0.0
    )
    return counted + silent, counting_variance(
        depth_dna, noise.disp_dna, noise.sd_abundance
    )


Values: TypeAlias = float | xr.DataArray
LN2 = float(np.log(2.0))


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Variances of log2(RNA/DNA), one for each layer of the count model.

    Numbers or DataArrays that broadcast by name.

    Attributes
    ----------
    barcode
        Between barcodes of one oligo; the same in every replicate.
    replicate
        Between replicates of one (element, arm); shared by its barcodes.
    rna, dna
        Counting noise of one barcode in one replicate, silent cells included.
    tau2
        Of the effect between backgrounds.
    common
        Of the contrast between replicates, shared by all backgrounds.
    noisiness
        Variance of ``log h``: the barcode and replicate variances of an element are
        ``h^2`` times those above.
    plasmid
        Whether one DNA library serves all replicates; its noise is then the same in
        every replicate.
    weights
        Sum of the squared weights of the arms: 2 for a difference, 4 for an
        interaction.
    missing
        Probability that a barcode is missing from a replicate, each by itself.
    arms
        Number of arms that are compared.
    """

    barcode: Values
    replicate: Values
    rna: Values
    dna: Values
    tau2: Values = 0.0
    common: Values = 0.0
    noisiness: float = 0.0
    plasmid: bool = False
    weights: float = 2.0
    missing: float = 0.0
    arms: int = 2

    @property
    def sd_noisy(self) -> float:
        """Return the sd of ``log h``."""
        return float(np.sqrt(self.noisiness))

    def unit(
        self, inverse: Values, replicates: Values, h2: Values | None = None
    ) -> Values:
        """Return the squared standard error of one element's effect.

        ``w [h^2 (sd_b^2 / B + sd_r^2 / R) + sd_rna^2 / (B R) + sd_dna^2 / (B R)]``, the
        last term over B alone where one plasmid library serves all replicates. Where
        barcodes are missing, B is the number of those in some replicate, over whose law
        1 / B is averaged; 1 / R in the terms of counting is the mean of 1 / C over
        barcodes in C replicates; and replicates do not weigh alike, so that their term
        has ``1 / R + (mean(1 / C) - 1 / R) / B``.

        Parameters
        ----------
        inverse
            1 / B, or its mean where the number of barcodes varies.
        replicates
            R.
        h2
            Squared noisiness of the element; None: its mean.

        Examples
        --------
        >>> layers = Layers(barcode=0.36, replicate=0.0225, rna=0.25, dna=0.0)
        >>> round(float(np.sqrt(layers.unit(1 / 10, 4))), 6)
        0.309435
        """
        h2 = np.exp(2 * self.noisiness) if h2 is None else h2
        cells, seen = mean_inverse_cells(replicates, self.missing)
        inverse = mean_inverse_present(inverse, seen)
        weighed = 1 / replicates + (cells - 1 / replicates) * inverse
        noisy = h2 * (self.barcode * inverse + self.replicate * weighed)
        counted = inverse * (
            self.rna * cells + (self.dna if self.plasmid else self.dna * cells)
        )
        return self.weights * (noisy + counted)

    def between_replicates(self, inverse: Values, replicates: Values) -> Values:
        """Return the part of the squared standard error of one element's effect that
        differs between replicates, and shows in their spread.

        Where barcodes are missing, those of one replicate are not those of another, so
        that their own activities differ between replicates, too. With k barcodes of B in
        a replicate it is ``w [h^2 sd_r^2 + h^2 sd_b^2 (E[1 / k] - 1 / B) + (sd_rna^2 +
        sd_dna^2) E[1 / k]] / R``, because two replicates share ``k k' / B`` barcodes on
        average.

        Parameters
        ----------
        inverse, replicates
            As for `unit`.

        Examples
        --------
        >>> layers = Layers(barcode=0.36, replicate=0.0225, rna=0.25, dna=0.0)
        >>> round(float(layers.between_replicates(1 / 10, 4)), 6)
        0.02375
        """
        h2 = float(np.exp(2 * self.noisiness))
        counted = self.rna + (0.0 if self.plasmid else self.dna)
        present = mean_inverse_present(inverse, 1 - self.missing)
        shared: Values = h2 * self.replicate + present * counted
        shared = shared + h2 * self.barcode * (present - inverse)
        return self.weights * shared / replicates

    def whole(self, inverse: Values, replicates: Values) -> Values:
        """Return the share of elements with a barcode under every arm in every
        replicate, whose spread over replicates the fit sees.

        Parameters
        ----------
        inverse, replicates
            As for `unit`.

        Examples
        --------
        >>> layers = Layers(barcode=0.36, replicate=0.0225, rna=0.25, dna=0.0)
        >>> (
        ...     layers.whole(1 / 10, 4),
        ...     round(
        ...         Layers(
        ...             barcode=0.36, replicate=0.0225, rna=0.25, dna=0.0, missing=0.5
        ...         ).whole(1 / 4, 3),
        ...         3,
        ...     ),
        ... )
        (1.0, 0.679)
        """
        if self.missing == 0:
            return 1.0
        here: Values = (1 - self.missing ** (1 / inverse)) ** (self.arms * replicates)
        return here


def mean_inverse_present(inverse: Values, share: Values) -> Values:
    r"""Return the mean of 1 / k over oligos with k of B barcodes, one at least, each
    present with a probability by itself.

    .. math:: \frac{\int_0^1 [(1 - s + s t)^B - (1 - s)^B] / t \, dt}{1 - (1 - s)^B},

    which is above ``1 / (s B)``, by a third at 3 of 8 barcodes.

    Parameters
    ----------
    inverse
        1 / B.
    share
        s, above 0.

    Examples
    --------
    >>> mean_inverse_present(1 / 8, 1.0)
    0.125
    >>> round(
    ...     float(mean_inverse_present(1 / 2, 0.5)), 4
    ... )  # (2/4 * 1 + 1/4 * 1/2) / (3/4)
    0.8333
    """
    if not isinstance(share, xr.DataArray) and share == 1:
        return inverse
    mean: Values = xr.apply_ufunc(_mean_inverse_present, inverse, share)
    return mean


def _mean_inverse_present(inverse: Any, share: Any) -> Any:
    """Return the mean of arrays without names, whose sums of many terms are fast."""
    B, absent = 1 / inverse, 1 - share
    none = absent**B
    total = 0.0
    for t, w in zip((_NODES + 1) / 2, _WEIGHTS / 2, strict=True):
        total = total + w / t * ((absent + share * t) ** B - none)
    return total / (1 - none)


def mean_inverse_cells(replicates: Values, missing: float) -> tuple[Values, Values]:
    """Return the mean of 1 / C over barcodes that are in C of R replicates, one at
    least, and the share of such barcodes.

    Examples
    --------
    >>> mean_inverse_cells(4.0, 0.0)
    (0.25, 1.0)
    >>> cells, seen = mean_inverse_cells(2.0, 0.5)
    >>> cells.round(4).item(), seen.item()
    (0.8333, 0.75)
    """
    if missing == 0:
        return 1 / replicates, 1.0
    labeled = xr.DataArray(replicates)
    R = np.atleast_1d(labeled.to_numpy().astype(np.float64))
    from scipy import stats  # imported here: slow to load

    seen = 1 - missing**R
    cells = 1 / (R * (1 - missing))
    for few in np.unique(R[R <= _MOST_REPLICATES]):  # many splits have the same
        n, here = np.arange(1.0, few + 1), few == R
        present = stats.binom.pmf(n, few, 1 - missing)
        cells[here] = (present / n).sum() / seen[here]
    return (
        labeled.copy(data=cells.reshape(labeled.shape)),
        labeled.copy(data=seen.reshape(labeled.shape)),
    )


def counting_variance(depth: Values, dispersion: Values, sd_abundance: float) -> Values:
    """Return the variance of log2 of a negative-binomial count, by the delta method.

    ``(dispersion + E[1 / m]) / log(2)^2``, with m log-normal between barcodes about the
    mean depth: ``E[1 / m] = exp((sd_abundance log 2)^2) / depth``. A fair approximation
    from ten reads a barcode on.

    Parameters
    ----------
    depth
        Mean reads of a barcode in one library.
    dispersion
        Of the negative binomial, whose variance is ``m + dispersion m^2``.
    sd_abundance
        Spread of m between barcodes, an sd of log2.

    Examples
    --------
    >>> round(float(counting_variance(100.0, 0.1, 0.0)), 4)
    0.229
    """
    thin: float = np.exp((sd_abundance * LN2) ** 2)
    return (dispersion + thin / depth) / LN2**2


def silent_variance(depth: Values, p_silent: float, sd_abundance: float) -> Values:
    """Return the variance that silent cells add to one barcode in one replicate.

    ``p (1 - p) E[D^2]`` with ``D = log2((m + 1/2) / (1/2))``, the fall of the log ratio
    when RNA is missing. Averages of log ratios pay this price; a model of silent cells
    pays less.

    Parameters
    ----------
    depth
        Mean reads of RNA of a barcode in one replicate.
    p_silent
        Probability that the RNA of a barcode is not seen in a replicate, whatever its
        depth.
    sd_abundance
        As in `counting_variance`.

    Examples
    --------
    >>> round(float(silent_variance(90.0, 0.02, 1.0)), 2)
    1.02
    """
    median = depth * np.exp(-((sd_abundance * LN2) ** 2) / 2)
    fall: Values = np.log2(2 * median + 1)
    return p_silent * (1 - p_silent) * (fall**2 + sd_abundance**2)


_EXPECTED = 10.0
_LEAST_FOR_NOISINESS = 3


@dataclass(frozen=True, eq=False)
class ReplicatePair:
    """Moments of each group over the barcodes that two replicates share, all of shape
    ``(E, A)``.
    """

    n: Array
    """Barcodes in both."""
    shift: Array
    """Mean over them of the difference between the replicates."""
    mean: Array
    """Mean over them of the mean of the two."""
    within: Array
    """Sum of squares of that difference about its mean."""
    shared: Array
    """Sum of products of the two about their means."""


@usual_errors
def components(
    counts: xr.Dataset,
    *,
    control: str | float | None = None,
    arm_names: str | Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
) -> xr.Dataset:
    """Estimate the variance components of a pilot, for planning the next library.

    With ``y_br`` the log2 ratio of barcode b in replicate r, each pair of replicates
    (r, s) is compared on the barcodes of an (element, arm) that both have. The
    covariance of ``y_br`` and ``y_bs`` over barcodes is ``sd_barcode^2``; half the
    variance of ``y_br - y_bs`` is the counting noise of one cell,
    ``sd_rna^2 + sd_dna^2``; the remaining spread of the mean difference is that of
    replicates. Each estimate is unbiased for any numbers of barcodes, also with missing
    cells.

    Parameters
    ----------
    counts
        Of kind ``counts``, filtered as those of the next library will be.
    control, arm_names, contrasts
        Contrasts, as in `causalgia.mpra.fit`.

    Returns
    -------
    Dataset
        Standard deviations of log2. ``sd_barcode`` and ``sd_replicate`` of an element
        of median noisiness; times ``exp(sd_noisiness^2)`` they are root mean squares
        over elements. ``sd_rna, sd_dna`` of one barcode in one replicate at the pilot's
        depth, ``reads_rna, reads_dna`` (mean reads of a barcode) and
        ``bought_rna, bought_dna``, the variance that more reads reduce;
        ``sd_noisiness``, of the natural logarithm of an element's noise; ``p_silent``,
        the share of cells without RNA where the other replicates predict ten reads or
        more (their variance is in ``sd_rna``); ``missing``, the probability that a
        barcode of the table is missing from a replicate, each by itself.
        ``tau (contrast)``, the spread of true
        effects over the elements of group test; ``sd_common (contrast)``, between
        replicates, shared by all elements; ``se (contrast)``, the typical standard
        error of an element's effect. attrs ``plasmid``: one DNA library serves all
        replicates; only the part of its noise that reads reduce can be separated from
        that of barcodes.

    Raises
    ------
    DataError
        If there is one replicate, or no oligo has two barcodes that two replicates
        share.
    EstimateError
        As `causalgia.mpra.fit`.

    Notes
    -----
    A negative variance estimate is set to 0. Noisiness is the covariance over elements
    of the noise of two arms, relative to its mean; hundreds of elements are needed to
    estimate it.

    References
    ----------
    Searle, Casella & McCulloch (1992), Variance Components, doi:10.1002/9780470316856,
    chapter 5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> import pandas as pd
    >>> side = pd.DataFrame(
    ...     {"element": np.repeat(np.arange(40), 2).astype(str), "arm": ["a", "b"] * 40}
    ... )
    >>> side["oligo_name"] = side["element"] + side["arm"]
    >>> rate = 100 * 2 ** (
    ...     0.6 * rng.normal(size=(80, 8, 1)) + 0.2 * rng.normal(size=(80, 1, 3))
    ... )
    >>> from causalgia.mpra import counts_of
    >>> rna, dna = rng.poisson(rate).reshape(640, 3), rng.poisson(100, (640, 3))
    >>> names = [f"b{i}" for i in range(640)]
    >>> counts = counts_of(
    ...     dna,
    ...     rna,
    ...     barcodes=names,
    ...     oligos=np.repeat(side["oligo_name"], 8).to_list(),
    ...     side_table=side,
    ... )
    >>> found = components(counts, control="a")
    >>> bool(0.5 < found["sd_barcode"] * np.exp(found["sd_noisiness"] ** 2) < 0.7)
    True
    """
    validate(counts, "counts")
    if counts.sizes["replicate"] < 2:
        raise DataError(
            "one replicate cannot separate its noise from that of barcodes; components "
            "needs two or more"
        )
    request = fit_request(
        counts, control=control, arm_names=arm_names, contrasts=contrasts
    )
    ratios, used = cell_ratios(counts)
    pairs = [
        _replicate_pair(ratios, used, request, r, s)
        for r, s in combinations(range(counts.sizes["replicate"]), 2)
    ]
    df = sum(float(np.maximum(p.n - 1, 0).sum()) for p in pairs)
    if df < 1:
        raise DataError(
            "no oligo has two barcodes that two replicates share; a pilot needs several"
        )
    cell = sum(float(p.within.sum()) for p in pairs) / (2 * df)
    barcode = max(sum(float(p.shared.sum()) for p in pairs) / df, 0.0)
    replicate, common = _replicate_variances(pairs, request, cell)
    uneven = _sd_noisiness(pairs, cell, counts.sizes["replicate"])
    counted, attrs = _counting_components(counts, request, used, cell)
    known = {
        "sd_barcode": sd_or_zero(barcode) / np.exp(uneven**2),
        "sd_replicate": sd_or_zero(replicate) / np.exp(uneven**2),
    }
    # the share of cells without RNA where the other replicates predict ten reads or
    # more
    rows = request.element >= 0
    rna, cells = counts["rna"].to_numpy()[rows], used[rows]
    scaled = np.where(cells, rna / counts["rna_total"].to_numpy(), 0.0)
    others = (scaled.sum(axis=1, keepdims=True) - scaled) / np.maximum(
        cells.sum(axis=1, keepdims=True) - cells, 1
    )
    expected = cells & (others * counts["rna_total"].to_numpy() >= _EXPECTED)
    silent = float((rna[expected] == 0).mean()) if expected.any() else 0.0
    shares = {"p_silent": silent, "missing": _missing_share(cells)}
    out = xr.Dataset(known | counted | {"sd_noisiness": uneven} | shares)
    effects = _effect_spread(ratios, used, request, (barcode, replicate, cell), counts)
    out = out.assign(effects | {"sd_common": ("contrast", np.sqrt(common))})
    return out.assign_coords(contrast=list(request.contrasts)).assign_attrs(
        attrs
        | attributes(n_elements=len(request.elements))
        | truncation_of(counts, "barcodes")
    )


def _missing_share(used: NDArray[np.bool_]) -> float:
    """Return the probability that a barcode is missing from a replicate.

    Barcodes that miss all of them are not counted in the share of cells that are used,
    ``(1 - m) / (1 - m^R)``, which is solved for m.

    Examples
    --------
    >>> used = np.array([[True, False], [True, True], [False, True]])
    >>> round(_missing_share(used), 3)
    0.5
    """
    R = used.shape[1]
    cells = used.sum(axis=1)
    share = float(cells[cells > 0].mean()) / R if cells.any() else 1.0
    if share >= 1:
        return 0.0
    grid = np.linspace(0.0, 1.0, 1_000, endpoint=False)
    of_grid = (1 - grid) / (1 - grid**R)
    return float(np.interp(-share, -of_grid, grid))


def _replicate_pair(
    ratios: Array, used: NDArray[np.bool_], request: FitRequest, r: int, s: int
) -> ReplicatePair:
    shape = (len(request.elements), len(request.arms))
    rows = np.flatnonzero((request.element >= 0) & used[:, r] & used[:, s])
    group = request.element[rows] * shape[1] + request.arm[rows]
    x, y = ratios[rows, r], ratios[rows, s]
    n = np.bincount(group, minlength=shape[0] * shape[1])
    mean_x, mean_y = (np.bincount(group, v, len(n)) / np.maximum(n, 1) for v in (x, y))
    dx, dy = x - mean_x[group], y - mean_y[group]
    sums = [
        np.bincount(group, v, len(n)).reshape(shape) for v in ((dx - dy) ** 2, dx * dy)
    ]
    within, shared = (np.asarray(x, dtype=np.float64) for x in sums)
    shift, mean = (
        (mean_x - mean_y).reshape(shape),
        ((mean_x + mean_y) / 2).reshape(shape),
    )
    return ReplicatePair(
        n.reshape(shape).astype(np.float64), shift, mean, within, shared
    )


def _replicate_variances(
    pairs: list[ReplicatePair], request: FitRequest, cell: float
) -> tuple[float, Array]:
    """Return the variance between replicates of an (element, arm), and of each contrast
    over all elements.
    """
    top, bottom, common = 0.0, 0.0, []
    square = (request.weights**2).sum(axis=1)
    for pair in pairs:
        for k, w in enumerate(request.weights):
            here = (pair.n[:, w != 0] > 0).all(axis=1)
            if here.sum() < 2:
                continue
            moved = pair.shift[here] @ w
            counted = (
                2 * cell * (w[w != 0] ** 2 / pair.n[here][:, w != 0]).sum(axis=1).mean()
            )
            spread = moved.var(ddof=1)
            top += float(spread - counted)
            bottom += 2 * square[k]
            common.append((k, (moved.mean() ** 2 - spread / len(moved)) / 2))
    found = np.array(
        [np.mean([v for j, v in common if j == k] or [0.0]) for k in range(len(square))]
    )
    return max(top / bottom, 0.0) if bottom else 0.0, np.maximum(found, 0.0)


def _sd_noisiness(pairs: list[ReplicatePair], cell: float, replicates: int) -> float:
    """Return the sd of log h, from the covariance over elements of the noise of two
    arms.
    """
    enough = np.all([p.n >= _LEAST_FOR_NOISINESS for p in pairs], axis=0)
    df, n = (np.mean([p.n - k for p in pairs], axis=0) for k in (1, 0))
    barcode = np.mean([p.shared for p in pairs], axis=0) / np.maximum(df, 1)
    shifts = [
        p.shift - p.shift[enough].mean() if enough.any() else p.shift for p in pairs
    ]
    between = np.mean(
        [
            d**2 / 2 - cell / np.maximum(p.n, 1)
            for d, p in zip(shifts, pairs, strict=True)
        ],
        axis=0,
    )
    noise = barcode / np.maximum(n, 1) + between / replicates
    both = enough[:, 0] & enough[:, 1]
    if both.sum() <= _LEAST_FOR_NOISINESS:
        return 0.0
    share = float(np.cov(noise[both, 0], noise[both, 1])[0, 1])
    mean = float(noise[both][:, :2].mean())
    return float(np.sqrt(np.log1p(max(share, 0.0) / mean**2)) / 2) if mean > 0 else 0.0


def _counting_components(
    counts: xr.Dataset, request: FitRequest, used: NDArray[np.bool_], cell: float
) -> tuple[dict[str, float], dict[str, int]]:
    """Split the counting noise between RNA and DNA, and return the part of each that
    more reads reduce.
    """
    rows = request.element >= 0
    rna, plasmid = counts["rna"].to_numpy(), "replicate" not in counts["dna"].dims
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    has_dna = dna_observed(counts) & (dna > 0)
    inverse_rna, reads_rna = _mean_inverse_reads(rna[rows], used[rows])
    inverse_dna, reads_dna = _mean_inverse_reads(dna[rows], has_dna[rows])
    of_dna = (
        inverse_dna
        if plasmid
        else min(max(_dna_cell_variance(dna[rows], has_dna[rows]), inverse_dna), cell)
    )
    of_rna = cell if plasmid else cell - of_dna
    found = {
        "sd_rna": sd_or_zero(of_rna),
        "sd_dna": sd_or_zero(of_dna),
        "reads_rna": reads_rna,
        "reads_dna": reads_dna,
    }
    found |= {
        "bought_rna": min(inverse_rna, of_rna),
        "bought_dna": min(inverse_dna, of_dna),
    }
    return found, {"plasmid": int(plasmid), "n_replicates": counts.sizes["replicate"]}


def _mean_inverse_reads(
    reads: NDArray[np.int64], used: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the mean over cells of ``1 / (m log(2)^2)``, m a barcode's mean over
    replicates, and the mean reads.
    """
    mean = np.where(used, reads, 0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    mean = np.broadcast_to(np.maximum(mean, 0.5)[:, None], reads.shape)[used]
    return float((1 / mean).mean() / LN2**2), float(reads[used].mean())


def _dna_cell_variance(dna: NDArray[np.int64], has_dna: NDArray[np.bool_]) -> float:
    """Return half the variance of log2 DNA differences between replicates, over
    barcodes that both have.
    """
    logs = np.log2(dna + 0.5)
    top = bottom = 0.0
    for r, s in combinations(range(dna.shape[1]), 2):
        both = has_dna[:, r] & has_dna[:, s]
        if both.sum() > 1:
            top += (
                float(np.var(logs[both, r] - logs[both, s], ddof=1))
                / 2
                * int(both.sum())
            )
            bottom += int(both.sum())
    return top / bottom if bottom else 0.0


def _effect_spread(
    ratios: Array,
    used: NDArray[np.bool_],
    request: FitRequest,
    variances: tuple[float, float, float],
    counts: xr.Dataset,
) -> dict[str, tuple[str, Array]]:
    """Return the sd of true effects: variance of differences of barcode means less
    their sampling variance.
    """
    rows = np.flatnonzero((request.element >= 0) & used.any(axis=1))
    shape = (len(request.elements), len(request.arms))
    group = request.element[rows] * shape[1] + request.arm[rows]
    cells = used[rows].sum(axis=1)
    y = np.where(used[rows], ratios[rows], 0.0).sum(axis=1) / cells
    n = np.bincount(group, minlength=shape[0] * shape[1]).reshape(shape)
    mean, thin = (
        np.bincount(group, v, n.size).reshape(shape) / np.maximum(n, 1)
        for v in (y, 1 / cells)
    )
    barcode, replicate, cell = variances
    n_least, R = np.maximum(n, 1), used.shape[1]
    # replicates do not weigh alike where cells are missing
    error = (
        barcode / n_least
        + replicate * (1 / R + (thin - 1 / R) / n_least)
        + cell * thin / n_least
    )
    test = (counts["group"].to_numpy()[request.oligos] == "test").all(axis=1)
    tau, se = np.zeros(len(request.weights)), np.zeros(len(request.weights))
    for k, w in enumerate(request.weights):
        here = test & (n[:, w != 0] > 0).all(axis=1)
        here = here if here.sum() > 1 else (n[:, w != 0] > 0).all(axis=1)
        squared = (error[here] @ w**2).mean() if here.any() else 0.0
        se[k] = np.sqrt(squared)
        tau[k] = (
            sd_or_zero(float((mean[here] @ w).var(ddof=1)) - squared)
            if here.sum() > 1
            else 0.0
        )
    return {"tau": ("contrast", tau), "se": ("contrast", se)}

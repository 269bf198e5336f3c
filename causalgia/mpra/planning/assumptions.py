"""What a plan assumes of the assay, and the error of its effects that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.errors import EstimateError, quoted
from causalgia.mpra.counts.noise import NoiseModel

Values: TypeAlias = Any
"""A number, or a DataArray that broadcasts by name."""
LN2 = float(np.log(2.0))
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_MOST_REPLICATES = 200  # of more, 1 / C is that of the mean C
_OF_PILOT = (
    *("sd_barcode", "sd_replicate", "sd_noisiness", "sd_shared", "tau"),
    *("missing", "recovery", "p_silent", "sd_rna", "sd_dna", "sd_silent"),
)
_NEEDED = ("sd_barcode", "sd_replicate")


def check_pilot(pilot: Any) -> None:
    """Raise EstimateError where `pilot` lacks variance components."""
    if (
        not isinstance(pilot, xr.Dataset)
        or not has(pilot).plasmid
        or not set(_OF_PILOT) <= set(pilot.variables)
    ):
        raise EstimateError(
            "pilot: no variance components; give those of cg.mpra.components"
        )


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What a plan assumes: fields of the noise model, each from it, from a pilot or from
    a virtual trial; and the variances ``rna, dna, silent`` that counting RNA, counting
    DNA and silent cells add to the log ratio of one barcode in one replicate.
    """

    sd_barcode: Values
    sd_replicate: Values
    sd_noisiness: float
    sd_shared: Values
    tau: Values
    missing: float
    p_silent: float
    outliers: float
    sd_outlier: float
    recovery: float
    barcode_dispersion: float | None
    plasmid: bool
    rna: Values
    dna: Values
    silent: Values
    sources: dict[str, str]

    def columns(self, *, average: bool) -> dict[str, xr.DataArray]:
        """Return the assumptions as variables of a plan, each with its source."""
        names = [
            *("sd_barcode", "sd_replicate", "sd_noisiness", "sd_shared"),
            *("recovery", "missing", "p_silent", "outliers", "sd_outlier"),
        ]
        values = {name: getattr(self, name) for name in names}
        values["sd_count"] = (self.rna + self.dna) ** 0.5
        if average:
            values["tau"] = self.tau
        return {
            name: xr.DataArray(value).assign_attrs(
                source=self.sources.get(name, "noise")
            )
            for name, value in values.items()
        }


def assume(
    noise: NoiseModel,
    pilot: xr.Dataset | None,
    depth: xr.DataArray | None,
    depth_dna: xr.DataArray | None,
    *,
    average: bool,
    predicted: xr.DataArray | None,
) -> Assumed:
    """Return what a plan assumes; `predicted` is the spread between backgrounds of a
    virtual trial.

    Raises
    ------
    EstimateError
        If neither the noise nor a pilot gives the sd of barcodes, of replicates, of
        counting, or (of an average) tau, since 0 would be optimistic; or two describe
        counting.
    """
    if pilot is not None:
        check_pilot(pilot)
    found, sources = {}, {}
    for name in _OF_PILOT[:7]:
        value, source = getattr(noise, name), "noise"
        if value is None and name == "tau" and predicted is not None:
            value, source = predicted, "virtual trial"
        elif value is None and pilot is not None:
            value, source = pilot[name], "pilot"
            value = value if value.dims else value.item()
        elif value is None and (name in _NEEDED or (average and name == "tau")):
            raise EstimateError(
                f"{name} is not given: take it from a pilot, pilot=, or give "
                f"noise=cg.mpra.NoiseModel({name}=...)"
            )
        if value is None:
            value = 1.0 if name == "recovery" else 0.0
        found[name], sources[name] = value, source
    plasmid = noise.plasmid
    if plasmid is None:
        plasmid = pilot is not None and bool(about(pilot).plasmid)
    p_silent = noise.p_silent if pilot is None else float(pilot["p_silent"])
    sources["p_silent"] = "noise" if pilot is None else "pilot"
    given = noise.sd_count is not None or pilot is None
    sources["sd_count"] = "noise" if given else "pilot"
    rna, dna, silent = _counting_variances(noise, pilot, depth, depth_dna)
    return Assumed(
        **found,
        p_silent=p_silent,
        outliers=noise.outliers,
        sd_outlier=noise.sd_outlier,
        barcode_dispersion=noise.barcode_dispersion,
        plasmid=bool(plasmid),
        rna=rna,
        dna=dna,
        silent=silent,
        sources=sources,
    )


def _counting_variances(
    noise: NoiseModel, pilot: xr.Dataset | None, depth: Any, depth_dna: Any
) -> tuple[Values, Values, Values]:
    """Return the variances that counting RNA and DNA, and silent cells, add to one
    barcode in one replicate.
    """
    if pilot is not None and (beside := noise.counting_values()):
        name, value = next(iter(beside.items()))
        raise EstimateError(
            f"{name}={quoted(value)} of the noise describes counting, as does pilot=; "
            "give one of them"
        )
    if noise.sd_count is not None:
        if depth is not None:
            raise EstimateError(
                f"sd_count={quoted(noise.sd_count)} of the noise describes counting, as "
                "does depth=; give one of them"
            )
        return noise.sd_count**2, 0.0, 0.0
    if pilot is not None:
        rna, dna, silent = (
            float(pilot[name]) ** 2 for name in ("sd_rna", "sd_dna", "sd_silent")
        )
        if depth is None:
            return rna - silent, dna, silent
        more, more_dna = (
            float(pilot[f"bought_{kind}"]) * (float(pilot[f"reads_{kind}"]) / at - 1)
            for kind, at in (("rna", depth), ("dna", depth_dna))
        )
        return rna - silent + more, dna + more_dna, silent
    if depth is None:
        raise EstimateError(
            "the counting noise is not given: say depth= (mean reads per barcode), or "
            "noise=cg.mpra.NoiseModel(sd_count=...)"
        )
    return (
        counting_variance(depth, noise.disp_rna, noise.sd_abundance),
        counting_variance(depth_dna, noise.disp_dna, noise.sd_abundance),
        silent_variance(depth, noise.p_silent, noise.sd_abundance),
    )


def counting_variance(depth: Values, dispersion: Values, sd_abundance: float) -> Values:
    """Return the variance of log2 of a negative-binomial count, by the delta method.

    ``(dispersion + E[1 / m]) / log(2)^2``, with m log-normal between barcodes about the
    mean depth: ``E[1 / m] = exp((sd_abundance log 2)^2) / depth``. A fair approximation
    from ten reads a barcode on.

    Examples
    --------
    >>> round(float(counting_variance(100.0, 0.1, 0.0)), 4)
    0.229
    """
    thin: float = np.exp((sd_abundance * LN2) ** 2)
    return (dispersion + thin / depth) / LN2**2


def silent_variance(depth: Values, p_silent: float, sd_abundance: float) -> Values:
    """Return the variance that silent cells add to the log ratio of one barcode in one
    replicate: ``p (1 - p) E[D^2]`` with ``D = log2((m + 1/2) / (1/2))``.

    Examples
    --------
    >>> round(float(silent_variance(90.0, 0.02, 1.0)), 2)
    1.02
    """
    median = depth * np.exp(-((sd_abundance * LN2) ** 2) / 2)
    fall: Values = np.log2(2 * median + 1)
    return p_silent * (1 - p_silent) * (fall**2 + sd_abundance**2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """A design under its assumptions, and the variances of its effects.

    Attributes
    ----------
    assumed
        The noise.
    weights
        Of the arms.
    inverse, R
        Mean of 1 / B over oligos, and replicates.
    """

    assumed: Assumed
    weights: tuple[float, ...]
    inverse: Values
    R: Values

    @property
    def squares(self) -> float:
        """Sum of the squared weights: 2 for a difference, 4 for an interaction."""
        return float(np.square(self.weights).sum())

    @property
    def arms(self) -> int:
        """Number of arms that are compared."""
        return int(np.count_nonzero(self.weights))

    def element(self, h2: Values | None = None, far: Values | None = None) -> Values:
        """Return the squared error of an element's effect by its own noise.

        ``w [h^2 (sd_b^2 / B + sd_r^2 / R) + sd_rna^2 / (B R) + sd_dna^2 / (B R)]``, the
        last term over B alone where one plasmid library serves all replicates; sd_b^2
        has the outliers' share of their variance. Silent cells are lost to the fit, which
        leaves them out. Where cells are lost, B is the number of barcodes in some
        replicate, over whose law 1 / B is averaged; 1 / R in the terms of counting is
        the mean of 1 / C over barcodes in C replicates; and replicates do not weigh
        alike, so that their term has ``1 / R + (mean(1 / C) - 1 / R) / B``.

        Parameters
        ----------
        h2
            Squared noisiness of the element; None: its mean.
        far
            Outliers among its barcodes; None: their mean number.
        """
        a = self.assumed
        h2 = np.exp(2 * a.sd_noisiness**2) if h2 is None else h2
        lost = 1 - (1 - a.missing) * (1 - a.p_silent)
        cells, seen = mean_inverse_cells(self.R, lost)
        inverse = mean_inverse_present(self.inverse, seen)
        share = a.outliers if far is None else far * inverse / self.arms
        weighed = 1 / self.R + (cells - 1 / self.R) * inverse
        noisy = h2 * (a.sd_barcode**2 * inverse + a.sd_replicate**2 * weighed)
        counted = inverse * (a.rna * cells + (a.dna if a.plasmid else a.dna * cells))
        return self.squares * (noisy + share * a.sd_outlier**2 * inverse + counted)

    def shared(self) -> Values:
        """Return the squared error that all elements share."""
        return self.squares * self.assumed.sd_shared**2 / self.R

    def between_replicates(self) -> Values:
        """Return the part of an element's squared error that differs between
        replicates, and shows in the spread of their plain means.

        Where barcodes are missing, those of one replicate are not those of another, so
        that their own activities differ between replicates, too. With k barcodes of B in
        a replicate it is ``w [h^2 sd_r^2 + h^2 sd_b^2 (E[1 / k] - 1 / B) + (sd_rna^2 +
        sd_dna^2) E[1 / k]] / R``, because two replicates share ``k k' / B`` barcodes on
        average. Plain means keep silent cells, with their variance.
        """
        a = self.assumed
        h2 = np.exp(2 * a.sd_noisiness**2)
        counted = a.rna + a.silent + (0.0 if a.plasmid else a.dna)
        present = mean_inverse_present(self.inverse, 1 - a.missing)
        barcode = h2 * a.sd_barcode**2 + a.outliers * a.sd_outlier**2
        noisy = h2 * a.sd_replicate**2 + barcode * (present - self.inverse)
        return self.squares * (noisy + present * counted) / self.R

    def whole(self) -> Values:
        """Return the share of elements with a barcode under every arm in every
        replicate, whose spread over replicates the fit sees.
        """
        if self.assumed.missing == 0:
            return 1.0
        here = 1 - self.assumed.missing ** (1 / self.inverse)
        return here ** (self.arms * self.R)


def mean_inverse_present(inverse: Values, share: Values) -> Values:
    r"""Return the mean of 1 / k over oligos with k of B barcodes, one at least, each
    present with a probability `share` by itself.

    .. math:: \frac{\int_0^1 [(1 - s + s t)^B - (1 - s)^B] / t \, dt}{1 - (1 - s)^B},

    which is above ``1 / (s B)``, by a third at 3 of 8 barcodes.

    Examples
    --------
    >>> mean_inverse_present(1 / 8, 1.0)
    0.125
    >>> float(mean_inverse_present(1 / 2, 0.5).round(4))  # (2/4 + 1/4 * 1/2) / (3/4)
    0.8333
    """
    if not isinstance(share, xr.DataArray) and share == 1:
        return inverse
    return xr.apply_ufunc(_mean_inverse_present, inverse, share)


def _mean_inverse_present(inverse: Any, share: Any) -> Any:
    B, absent = 1 / inverse, 1 - share
    none, total = absent**B, 0.0
    for t, w in zip((_NODES + 1) / 2, _WEIGHTS / 2, strict=True):
        total = total + w / t * ((absent + share * t) ** B - none)
    return total / (1 - none)


def mean_inverse_cells(replicates: Values, missing: float) -> tuple[Values, Values]:
    """Return the mean of 1 / C over barcodes that are in C of R replicates, one at
    least, and the share of such barcodes.

    Examples
    --------
    >>> cells, seen = mean_inverse_cells(2.0, 0.5)
    >>> cells.round(4).item(), seen.item()
    (0.8333, 0.75)
    """
    if missing == 0:
        return 1 / replicates, 1.0
    from scipy import stats  # imported here: slow to load

    labeled = xr.DataArray(replicates)
    R = np.atleast_1d(labeled.to_numpy().astype(np.float64))
    seen = 1 - missing**R
    cells = 1 / (R * (1 - missing))
    for few in np.unique(R[R <= _MOST_REPLICATES]):
        n, here = np.arange(1.0, few + 1), few == R
        present = stats.binom.pmf(n, few, 1 - missing)
        cells[here] = (present / n).sum() / seen[here]
    cells, seen = (x.reshape(labeled.shape) for x in (cells, seen))
    return labeled.copy(data=cells), labeled.copy(data=seen)


LEAST = 2
_TAIL = 1e-12


def mean_inverse_barcodes(
    planned: float, recovery: float, dispersion: float | None
) -> tuple[float, float]:
    """Return the mean of 1 / B over oligos with two barcodes or more, and the share of
    the other oligos.

    Parameters
    ----------
    planned
        Planned barcodes an oligo; between whole numbers, some have one more.
    recovery
        Share of them that remains after loss and filters.
    dispersion
        None: each planned barcode remains or is lost by itself (synthesized; binomial
        numbers, all of them at a recovery of 1); 0: Poisson; above 0: negative binomial
        with variance ``m + dispersion m^2`` (random barcodes).

    Raises
    ------
    EstimateError
        If no oligo can have two barcodes.

    Examples
    --------
    >>> mean_inverse_barcodes(10.0, 1.0, None)
    (0.1, 0.0)
    >>> round(mean_inverse_barcodes(3.0, 0.7, None)[1], 3)
    0.216
    """
    if dispersion is None and recovery == 1:
        return 1 / planned, 0.0
    from scipy import stats  # imported here: slow to load

    if dispersion is None:
        low = int(planned)
        numbers, more = np.arange(low + 2.0), planned - low
        share = (1 - more) * stats.binom.pmf(numbers, low, recovery)
        share = share + more * stats.binom.pmf(numbers, low + 1, recovery)
    else:
        mean = planned * recovery
        law = (
            stats.nbinom(1 / dispersion, 1 / (1 + mean * dispersion))
            if dispersion
            else stats.poisson(mean)
        )
        numbers = np.arange(int(law.isf(_TAIL)) + LEAST + 1.0)
        share = law.pmf(numbers)
    enough = numbers >= LEAST
    total = share[enough].sum()
    if total == 0:
        raise EstimateError(
            f"n_barcodes={planned:g} with recovery={recovery:g}: no oligo has the "
            f"{LEAST} barcodes that it needs"
        )
    inverse = (share[enough] / numbers[enough]).sum() / total
    return float(inverse), float(share[~enough].sum())

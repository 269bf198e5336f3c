"""The layers of noise of one measured effect, and the standard errors that a design makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import xarray as xr

Values: TypeAlias = "float | xr.DataArray"
LN2 = float(np.log(2.0))


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Variances on log2 of RNA over DNA, one for each layer of the count model.

    Numbers or DataArrays that broadcast by name.

    Attributes
    ----------
    barcode
        Between barcodes of one oligo, the same in every replicate.
    replicate
        Between replicates of one (element, arm), shared by its barcodes.
    rna, dna
        Of one barcode in one replicate, by counting its RNA and its DNA, silent cells included.
    tau2
        Of the effect between backgrounds.
    common
        Of the contrast between replicates, shared by all backgrounds.
    noisiness
        Variance of ``log h``: barcode and replicate layers of an element are ``h^2`` times those above.
    plasmid
        One DNA library serves all replicates, and its noise stays with the barcode.
    weights
        Sum of the squared weights of the arms: 2 for a difference, 4 for an interaction.
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

    @property
    def sd_noisy(self) -> float:
        """Return the sd of ``log h``."""
        return float(np.sqrt(self.noisiness))

    def with_tau(self, tau: Values) -> Layers:
        """Return the same layers with another spread between backgrounds."""
        return replace(self, tau2=tau**2)

    def unit(self, inverse: Values, replicates: Values, h2: Values | None = None) -> Values:
        """Return the squared standard error of one element's effect.

        ``w [h^2 (sd_b^2 / B + sd_r^2 / R) + sd_rna^2 / (B R) + sd_dna^2 / (B R)]``, the last term over B alone where
        one plasmid library serves all replicates.

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
        noisy = h2 * (self.barcode * inverse + self.replicate / replicates)
        counted = inverse * (self.rna / replicates + (self.dna if self.plasmid else self.dna / replicates))
        return self.weights * (noisy + counted)


def counting_variance(depth: Values, dispersion: Values, sd_reads: float) -> Values:
    """Return the variance of log2 of a negative-binomial count, by the delta method.

    ``(dispersion + E[1 / m]) / log(2)^2``, with m log-normal between barcodes about the mean depth: ``E[1 / m] =
    exp((sd_reads log 2)^2) / depth``. A fair approximation from ten reads a barcode on.

    Parameters
    ----------
    depth
        Mean reads of a barcode in one library.
    dispersion
        Of the negative binomial, whose variance is ``m + dispersion m^2``.
    sd_reads
        Spread of m between barcodes, an sd of log2.

    Examples
    --------
    >>> round(float(counting_variance(100.0, 0.1, 0.0)), 4)
    0.229
    """
    thin: float = np.exp((sd_reads * LN2) ** 2)
    return (dispersion + thin / depth) / LN2**2


def silent_variance(depth: Values, p_silent: float, sd_reads: float) -> Values:
    """Return what cells that fall silent add to the variance of one barcode in one replicate.

    ``p (1 - p) E[D^2]`` with ``D = log2((m + 1/2) / (1/2))``, how far a log ratio falls when the RNA is not seen. It
    is the price that averages of log ratios pay; a model that knows of silent cells pays less.

    Parameters
    ----------
    depth
        Mean reads of RNA of a barcode in one replicate.
    p_silent
        Probability that the RNA of a barcode is not seen in a replicate, whatever its depth.
    sd_reads
        As in `counting_variance`.

    Examples
    --------
    >>> round(float(silent_variance(90.0, 0.02, 1.0)), 2)
    1.02
    """
    median = depth * np.exp(-((sd_reads * LN2) ** 2) / 2)
    fall: Values = np.log2(2 * median + 1)
    return p_silent * (1 - p_silent) * (fall**2 + sd_reads**2)

"""Noise of a reporter assay: what barcodes, replicates and counting add to a log2 activity, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.checks import as_number
from causalgia.errors import EstimateError, quoted


@dataclass(frozen=True, kw_only=True)
class NoiseModel:
    """Noise and losses of a reporter assay, for `simulate`, `power` and `cheapest`.

    Standard deviations are of log2 unless another scale is named. None leaves a value to the verb: `power` and
    `cheapest` take it from the pilot and refuse to plan where there is none; `simulate` takes a typical value.

    Attributes
    ----------
    sd_barcode
        Between barcodes of one oligo, the same in every replicate (typically 0.3 to 1.0; `simulate`: 0.5).
    sd_replicate
        Between replicates of one (element, arm), shared by its barcodes (`simulate`: 0.15).
    sd_noisiness
        Between elements in their noise: sd of ``log h`` (natural log, mean 0), where h multiplies `sd_barcode` and
        `sd_replicate` (`simulate`: 0.4; without a pilot, planning takes 0).
    sd_count
        Counting noise of one barcode in one replicate, for planning where no depth is given; in place of
        `sd_abundance`, `disp_rna`, `disp_dna` and `p_silent`, which are refused beside it.
    sd_abundance
        Between barcodes in their reads: their abundance in the pool, and in planning also their activity.
    disp_rna, disp_dna
        Negative-binomial dispersions; the variance of a count is ``m + dispersion m^2``, and 0 is Poisson.
    p_silent
        Probability that a barcode has no RNA in a replicate whatever its depth. A pilot includes this and the other
        values of counting (`sd_abundance`, `disp_rna`, `disp_dna`), which are refused beside it.
    plasmid
        Whether one DNA library (of the plasmid pool) serves all replicates, so that its noise falls with the number of
        barcodes alone; None: as in the pilot, else no.
    tau
        Sd of the true effect between backgrounds, for planning an average over them. That of a virtual trial lacks what
        the predictor misses; a pilot gives a wider one, ``tau=pilot["tau"].item()``.
    sd_common
        Sd of a contrast between replicates, shared by all backgrounds; for planning.
    recovery
        Share of the planned barcodes that remains after loss and filters; for planning.
    barcode_dispersion
        For planning. None: synthesized barcodes, the same number for every oligo. 0: random barcodes, whose numbers
        are Poisson; above 0: with variance ``m + dispersion m^2``.

    Raises
    ------
    EstimateError
        If a value is out of range, or counting noise is given twice; the message names it.

    Examples
    --------
    >>> noise = NoiseModel(sd_barcode=0.6, sd_replicate=0.15)
    >>> noise.disp_rna, noise.sd_count is None
    (0.1, True)
    >>> NoiseModel(recovery=70)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: recovery=70 is not a share above 0 and at most 1; for example recovery=0.8
    """

    sd_barcode: float | None = None
    sd_replicate: float | None = None
    sd_noisiness: float | None = None
    sd_count: float | None = None
    sd_abundance: float = 1.0
    disp_rna: float = 0.1
    disp_dna: float = 0.03
    p_silent: float = 0.0
    plasmid: bool | None = None
    tau: float | None = None
    sd_common: float | None = None
    recovery: float = 1.0
    barcode_dispersion: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "plasmid" or (value is None and self.__dataclass_fields__[name].default is None):
                continue
            as_number(value, name, least=0, error=EstimateError)
        if self.p_silent >= 1:
            raise EstimateError(f"p_silent={quoted(self.p_silent)} is not a probability below 1")
        if not 0 < self.recovery <= 1:
            raise EstimateError(
                f"recovery={quoted(self.recovery)} is not a share above 0 and at most 1; for example recovery=0.8"
            )
        if self.plasmid is not None and not isinstance(self.plasmid, bool | np.bool_):
            raise EstimateError(
                f"plasmid={quoted(self.plasmid)}: True where one DNA library serves all replicates, else False"
            )
        if self.sd_count is not None and (beside := self.counting_values()):
            raise EstimateError(
                f"sd_count={quoted(self.sd_count)} is all that counting adds, so {', '.join(beside)} would have no "
                "effect; leave sd_count out and give depth=, or leave the others out"
            )

    def counting_values(self) -> dict[str, float]:
        """Return the values of the counting noise that are not the default.

        Examples
        --------
        >>> NoiseModel(disp_rna=0.2).counting_values()
        {'disp_rna': 0.2}
        """
        names = ("sd_abundance", "disp_rna", "disp_dna", "p_silent")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(NoiseModel, name)}


def as_noise(noise: object, *, with_pilot: bool) -> NoiseModel:
    """Return a noise model, the default one for None, or raise EstimateError; some verbs have a `pilot` too."""
    if noise is None:
        return NoiseModel()
    if not isinstance(noise, NoiseModel):
        pilot = "components of a pilot are given as pilot=" if with_pilot else "write the sds of a pilot there"
        raise EstimateError(f"noise= is a {type(noise).__name__}; give cg.mpra.NoiseModel(sd_barcode=...); {pilot}")
    return noise

"""Noise of a reporter assay; nothing that computes is loaded by it."""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.checks import as_number
from causalgia.errors import EstimateError, quoted, type_in_words


@dataclass(frozen=True, kw_only=True)
class NoiseModel:
    """Noise and losses of a reporter assay, for `simulate` and `power`.

    Standard deviations are of log2 unless another scale is named. None leaves a value
    to the verb: `power` takes it from the pilot and refuses to plan where
    there is none; `simulate` takes a typical value.

    Attributes
    ----------
    sd_barcode
        Sd between barcodes of an oligo, the same in every replicate. Typically 0.3 to 1.0;
        `simulate`: 0.5.
    sd_replicate
        Sd between replicates of an oligo, shared by its barcodes. `simulate`: 0.15.
    sd_noisiness
        Sd between elements in their noise, that of ``log h`` (natural log, mean 0), where h
        multiplies `sd_barcode` and `sd_replicate`. `simulate`: 0.4; without a pilot,
        planning takes 0.
    sd_count
        Sd by counting of one barcode in one replicate, where no depth is given. For
        planning, in place of `sd_abundance`, `disp_rna`, `disp_dna` and `p_silent`,
        which are refused beside it.
    sd_abundance
        Sd between barcodes in their reads. This is their abundance in the pool, and in
        planning also their activity.
    disp_rna, disp_dna
        Negative-binomial dispersion of counts: variance ``m + dispersion m^2``, 0 is
        Poisson.
    p_silent
        Probability that a barcode has no RNA in a replicate whatever its depth. A pilot
        includes this and the other values of counting (`sd_abundance`, `disp_rna`,
        `disp_dna`), which are refused beside it.
    plasmid
        Whether one DNA library (of the plasmid pool) serves all replicates, so that its
        noise falls with the number of barcodes alone; None: as in the pilot, else no.
    tau
        Sd of the true effect between backgrounds, for planning an average over them.
        That of a virtual trial lacks what the predictor misses; a pilot gives a wider
        one, ``tau=pilot["tau"].item()``.
    sd_shared
        Sd of an arm between replicates, shared by all its elements. It does not average out
        over them. `simulate` and, without a pilot, planning: 0.
    outliers
        Share of barcodes whose own activity is an outlier, the same in every replicate.
    sd_outlier
        Sd of an outlier, besides `sd_barcode`. That of a pilot includes outliers.
    recovery
        Share of the planned barcodes that remains after loss and filters. Each is lost
        by itself; a barcode without RNA in any replicate is lost as well. For planning;
        None: as in the pilot, which knows the latter, else 1.
    missing
        Probability that a barcode that remains is missing from a replicate. Each is by
        itself; for planning (``p_missing`` of `simulate`). None: as in the pilot, else
        0.
    barcode_dispersion
        Dispersion of random barcodes, whose numbers vary between oligos: 0 is Poisson, above it
        the variance is ``m + dispersion m^2``. For planning; None: synthesized
        barcodes, the same number planned for every oligo.

    Raises
    ------
    EstimateError
        If a value is out of range, or counting noise is given twice; the message names
        it.

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
    sd_shared: float | None = None
    outliers: float = 0.0
    sd_outlier: float = 2.0
    recovery: float | None = None
    missing: float | None = None
    barcode_dispersion: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "plasmid" or (
                value is None and self.__dataclass_fields__[name].default is None
            ):
                continue
            as_number(value, name, least=0, error=EstimateError)
        for name in ("p_silent", "missing", "outliers"):
            if (getattr(self, name) or 0.0) >= 1:
                raise EstimateError(
                    f"{name}={quoted(getattr(self, name))} is not a probability below 1"
                )
        if self.recovery is not None and not 0 < self.recovery <= 1:
            raise EstimateError(
                f"recovery={quoted(self.recovery)} is not a share above 0 and at "
                "most 1; for example recovery=0.8"
            )
        if self.plasmid not in (None, True, False):
            raise EstimateError(
                f"plasmid={quoted(self.plasmid)}: True where one DNA library "
                "serves all replicates, else False"
            )
        if self.sd_count is not None and (beside := self.counting_values()):
            raise EstimateError(
                f"sd_count={quoted(self.sd_count)} is the whole counting noise, so "
                f"{', '.join(beside)} would have no effect; leave sd_count out and "
                "give depth=, or leave the others out"
            )

    def counting_values(self) -> dict[str, float]:
        """Return the values of the counting noise that are not the default.

        Examples
        --------
        >>> NoiseModel(disp_rna=0.2).counting_values()
        {'disp_rna': 0.2}
        """
        names = ("sd_abundance", "disp_rna", "disp_dna", "p_silent")
        return {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) != getattr(NoiseModel, name)
        }


def as_noise(noise: object) -> NoiseModel:
    """Return a noise model, the default one for None, or raise EstimateError."""
    if noise is None:
        return NoiseModel()
    if not isinstance(noise, NoiseModel):
        raise EstimateError(
            f"noise= is {type_in_words(noise)}, not a cg.mpra.NoiseModel"
        )
    return noise

"""Negative binomial model of barcode counts of DNA and RNA, with DNA measured with
error; arrays in, draws out.

The abundance of a barcode is a parameter that its DNA counts measure, not a divisor.
Latent values are centered where their counts are more informative than their prior, and
non-centered elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from causalgia.analysis_values import Prior
from causalgia.posterior.nuts import Sampled, sample_nuts
from causalgia.posterior.posterior_tree import import_quietly
from causalgia.types import Array, Ints, Mask

LN2 = float(np.log(2.0))
_T_DF = 3
_DISPERSION = 0.1  # for starting values; the model estimates its own
_CENTER_SD = 5.0
_SPREAD = 1.0
_SILENT = (1.0, 20.0)


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Counts of N barcodes in R replicates, with element and arm of each barcode; logs
    are base 2.
    """

    dna: Ints
    """Reads, (N, R), or (N, 1) where one library serves all replicates."""
    rna: Ints
    """Reads, (N, R)."""
    dna_observed: Mask
    """Which cells of DNA are data, shape of `dna`."""
    rna_observed: Mask
    """Which cells of RNA are data, (N, R)."""
    dna_size: Array
    """Log size of each DNA library, (R,) or (1,)."""
    rna_size: Array
    """Log size of each RNA library, (R,)."""
    element: Ints
    """Element of each barcode, (N,), from 0."""
    arm: Ints
    """Arm of each barcode, (N,), from 0, the control."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of elements and of arms."""
        return int(self.element.max()) + 1, int(self.arm.max()) + 1


def count_model(data: CellCounts, prior: Prior, *, silent: bool) -> Any:
    """Return the model of barcode counts with DNA as an offset that is measured with
    error.

    For barcode b of element e and arm a in replicate r::

        log2 A_b   ~ N(mu_A, sd_abundance^2)
        theta_e0   ~ N(mu_0, sd_base^2),    theta_ea = theta_e0 + d_ea,    d_ea ~ N(mu_a, tau_a^2)
        v_b        ~ N(0, sd_barcode^2),    w_ear ~ N(0, sd_replicate^2)
        DNA_br     ~ NB(size_r A_b, dispersion_dna)
        RNA_br     ~ NB(size_r A_b 2^(theta_ea + v_b + w_ear), dispersion_rna),  or 0 with probability p_silent

    with NB variance ``m + dispersion m^2``. Silent cells are summed out.

    Parameters
    ----------
    data
        Counts.
    prior
        Of every mu_a and tau_a, on log2. Other spreads and dispersions are half normal
        with sd 1, p_silent Beta(1, 20).
    silent
        Whether barcodes may be silent: RNA 0 whatever the DNA.

    Returns
    -------
    pymc.Model
        With ``mu (A - 1,), tau (A - 1,), d (E, A - 1)``, the spreads, and the latent
        values.

    References
    ----------
    Ashuach et al. (2019), doi:10.1186/s13059-019-1787-z (DNA and RNA as a nested pair).
    Papaspiliopoulos, Roberts & Skoeld (2007), doi:10.1214/088342307000000014.

    Examples
    --------
    >>> four = np.array([[9, 8], [7, 9], [8, 5], [3, 6]])
    >>> observed, size = four > 0, np.zeros(2)
    >>> data = CellCounts(
    ...     four,
    ...     four,
    ...     observed,
    ...     observed,
    ...     size,
    ...     size,
    ...     np.array([0, 0, 1, 1]),
    ...     np.array([0, 1, 0, 1]),
    ... )
    >>> model = count_model(data, Prior(), silent=False)
    >>> sorted(v.name for v in model.free_RVs)[:3]
    ['abundance', 'base', 'dispersion_dna']
    """
    pm = import_quietly("pymc")
    start = _starting_values(data)
    with pm.Model() as model:
        sd = {
            name: pm.HalfNormal(name, _SPREAD)
            for name in ("sd_barcode", "sd_replicate", "sd_abundance", "sd_base")
        }
        alpha = {
            kind: 1 / pm.HalfNormal(f"dispersion_{kind}", _SPREAD, initval=_DISPERSION)
            for kind in ("dna", "rna")
        }
        mu_a = pm.Normal(
            "mu_abundance",
            float(start.dna.mean()),
            _CENTER_SD,
            initval=float(start.dna.mean()),
        )
        abundance = _latent_variable(
            "abundance", mu_a, sd["sd_abundance"], start.dna, True
        )
        theta = _arm_activities(data.shape, prior, sd, start)
        w = sd["sd_replicate"] * pm.Normal("w", shape=(*data.shape, data.rna.shape[1]))
        # belongs to the level, which counts determine well; the rest is between
        # replicates
        average = w.mean(axis=2)
        center = abundance + (theta + average)[data.element, data.arm]
        level = _latent_variable(
            "level", center, sd["sd_barcode"], start.rna, start.barcodes_differ
        )
        _add_count_likelihood(
            "dna",
            data.dna,
            data.dna_observed,
            abundance[:, None] + data.dna_size,
            alpha["dna"],
            None,
        )
        between = w - average[:, :, None] + data.rna_size
        p = pm.Beta("p_silent", *_SILENT, initval=0.02) if silent else None
        _add_count_likelihood(
            "rna",
            data.rna,
            data.rna_observed,
            level[:, None] + between[data.element, data.arm],
            alpha["rna"],
            p,
        )
    return model


def sample_counts(
    data: CellCounts, prior: Prior, *, silent: bool, n_draws: int, key: int
) -> Sampled:
    """Sample `count_model` by NUTS; see `causalgia.posterior.nuts.sample_nuts`.

    Returns
    -------
    Sampled
        ``mu, tau (chain, draw, A - 1), d (chain, draw, E, A - 1)`` and ``sd_barcode,
        sd_replicate, sd_abundance, sd_base, dispersion_dna, dispersion_rna[, p_silent]
        (chain, draw)``.
    """
    names = ("mu", "tau", "d", "sd_barcode", "sd_replicate", "sd_abundance", "sd_base")
    names = (
        *names,
        "dispersion_dna",
        "dispersion_rna",
        *(("p_silent",) if silent else ()),
    )
    return sample_nuts(
        count_model(data, prior, silent=silent), names, n_draws=n_draws, key=key
    )


def _log_levels(counts: Ints, observed: Mask, size: Array) -> tuple[Array, Array]:
    """Return the log level of each barcode from its own counts and its variance, each
    (N,).
    """
    total, exposure = (
        np.where(observed, counts, 0).sum(axis=1),
        np.where(observed, 2.0**size, 0.0).sum(axis=1),
    )
    cells = np.maximum(observed.sum(axis=1), 1)
    level = np.log2(total + 0.5) - np.log2(
        np.where(exposure > 0, exposure, (2.0**size).sum())
    )
    return level, (1 / (total + 0.5) + _DISPERSION / cells) / LN2**2


@dataclass(frozen=True, eq=False)
class _StartingValues:
    """Starting values of the chains, and which latent values are better determined by
    counts than by their prior.
    """

    dna: Array
    """Log abundance of each barcode by its DNA, (N,)."""
    rna: Array
    """Log level of each barcode by its RNA, (N,)."""
    theta: Array
    """Log activities, (E, A)."""
    barcodes_differ: bool
    effects_differ: bool


def _starting_values(data: CellCounts) -> _StartingValues:
    positive = data.rna_observed & (data.rna > 0)
    used = np.where(positive.any(axis=1, keepdims=True), positive, data.rna_observed)
    (dna, dna_error), (rna, rna_error) = (
        _log_levels(data.dna, data.dna_observed, data.dna_size),
        _log_levels(data.rna, used, data.rna_size),
    )
    E, A = data.shape
    group, ratio, error = data.element * A + data.arm, rna - dna, rna_error + dna_error
    n = np.bincount(group, minlength=E * A)
    theta = np.bincount(group, ratio, E * A) / n
    within = float(((ratio - theta[group]) ** 2).sum() / max(len(ratio) - E * A, 1))
    theta, n = theta.reshape(E, A), n.reshape(E, A)
    effect = theta[:, 1:] - theta[:, :1]
    noise = float((within * (1 / n[:, 1:] + 1 / n[:, :1])).mean())
    apart = within - float(error.mean()) > float(rna_error.mean())
    return _StartingValues(
        dna, rna, theta, apart, float(effect.var(axis=0, ddof=1).mean()) > 5 * noise
    )


def _latent_variable(
    name: str, center: Any, sd: Any, start: Array, centered: bool
) -> Any:
    """Return latent values ~ N(center, sd^2), centered or non-centered."""
    pm = import_quietly("pymc")
    if centered:
        return pm.Normal(name, center, sd, shape=start.shape, initval=start)
    return pm.Deterministic(
        name,
        center
        + sd * pm.Normal(f"z_{name}", shape=start.shape, initval=np.zeros(start.shape)),
    )


def _arm_activities(
    shape: tuple[int, int], prior: Prior, sd: dict[str, Any], start: _StartingValues
) -> Any:
    """Return theta, (E, A): log activities of each element under each arm."""
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")
    first, others = start.theta[:, 0], start.theta[:, 1:]
    mu_0 = pm.Normal(
        "mu_base", float(first.mean()), _CENTER_SD, initval=float(first.mean())
    )
    base = _latent_variable("base", mu_0, sd["sd_base"], first, True)
    mu = pm.Normal(
        "mu",
        0.0,
        prior.mu_sd,
        shape=shape[1] - 1,
        initval=(others - first[:, None]).mean(axis=0),
    )
    d = _latent_variable(
        "d",
        mu,
        _arm_tau(prior, shape[1] - 1),
        others - first[:, None],
        start.effects_differ,
    )
    return pt.concatenate([base[:, None], base[:, None] + d], axis=1)


def _arm_tau(prior: Prior, n: int) -> Any:
    pm, start = import_quietly("pymc"), np.full(n, min(0.3, prior.tau_scale / 2))
    if prior.tau == "half_t":
        return pm.HalfStudentT(
            "tau", nu=_T_DF, sigma=prior.tau_scale, shape=n, initval=start
        )
    if prior.tau == "half_normal":
        return pm.HalfNormal("tau", prior.tau_scale, shape=n, initval=start)
    if prior.tau == "half_cauchy":
        return pm.HalfCauchy("tau", prior.tau_scale, shape=n, initval=start)
    return pm.Uniform("tau", 0.0, prior.tau_scale, shape=n, initval=start)


def _add_count_likelihood(
    name: str, counts: Ints, observed: Mask, level: Any, alpha: Any, silent: Any
) -> None:
    """Add the likelihood of the cells that are data to the model."""
    pm, pt = import_quietly("pymc"), import_quietly("pytensor.tensor")
    reads = np.where(observed, counts, 0).astype(np.float64)
    odds = LN2 * level - pt.log(alpha)
    logp = pt.gammaln(reads + alpha) - pt.gammaln(alpha) - gammaln(reads + 1)
    logp = logp + reads * odds - (reads + alpha) * pt.softplus(odds)
    if silent is not None:
        spoken = pt.log1p(-silent) + logp
        logp = pt.where(reads == 0, pt.logaddexp(pt.log(silent), spoken), spoken)
    pm.Potential(name, (observed * logp).sum())

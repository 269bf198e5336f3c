"""Posterior of effects of arms from barcode counts, with DNA counts modeled instead of
divided by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from causalgia.analysis_values import Prior
from causalgia.checks import check_draws, check_flag
from causalgia.errors import CountsError, InferenceError, quoted
from causalgia.mpra.counts.barcodes import dna_observed
from causalgia.mpra.fits.element_effects import FitRequest, fit_request
from causalgia.posterior.count_model import CellCounts, sample_counts
from causalgia.posterior.nuts import CHAINS, Sampled
from causalgia.posterior.posterior_tree import (
    Tree,
    as_tree,
    check_convergence,
    check_n_draws,
    diagnose,
)
from causalgia.schema import validate
from causalgia.streams import RNG, derive, root_key

TASK = "log2(RNA/DNA)"
ON_LOG2 = Prior(mu_sd=5.0, tau_scale=1.0, standardized=False)
_SCALARS = (
    "sd_barcode",
    "sd_replicate",
    "sd_abundance",
    "sd_base",
    "dispersion_dna",
    "dispersion_rna",
    "p_silent",
)


def infer_counts(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arm_names: Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
    prior: Prior = ON_LOG2,
    silent: bool = True,
    n_draws: int = 4_000,
    rng: RNG,
    accept_unconverged: bool = False,
) -> Tree:
    """Infer the effects of arms from barcode counts by a negative-binomial hierarchical
    model.

    ``RNA ~ NB(size A 2^(activity + barcode + replicate))`` and ``DNA ~ NB(size A)``:
    the abundance A of a barcode is known only as well as its DNA counts allow, so few
    DNA reads neither bias an activity nor make it look more certain. Both layers of
    noise are modeled: a barcode's own activity, the same in every replicate, and the
    deviation of an arm in a replicate, shared by its barcodes.
    ``effect_ea = mu_a + tau_a z``.

    Parameters
    ----------
    counts
        Of kind ``counts``. Unobserved DNA is unknown; missing RNA where DNA was read
        is 0.
    control, arm_names, contrasts
        Contrasts, as in `causalgia.mpra.fit`.
    prior
        Prior of mu and tau of every arm, on log2.
    silent
        Whether RNA may be silent in an inferred share of cells (marginalized cell by
        cell).
    n_draws
        Total over four chains; rounded up to a multiple of four.
    rng
        Source of randomness.
    accept_unconverged
        Return draws that have not converged, with a warning instead of an error.

    Returns
    -------
    DataTree
        As the installed ArviZ and `decide` read it. ``posterior``:
        ``ace (chain, draw, contrast, task)``, the mean of the effect over the
        population that the elements come from, on log2;
        ``tau (chain, draw, contrast, task)``, its spread between elements (of a
        contrast of several arms: as if their effects varied independently);
        ``effect (chain, draw, element, contrast)``, of each element; and ``sd_barcode,
        sd_replicate, sd_abundance, sd_base, dispersion_dna, dispersion_rna, p_silent
        (chain, draw)``. ``constant_data``: ``n_barcodes (element, arm)``.
        ``sample_stats`` and ``diagnostics``. attrs ``left_out``: barcodes without DNA
        reads.

    Raises
    ------
    ContrastError
        As `causalgia.mpra.fit`.
    CountsError
        If there are fewer than two elements, or an oligo has no barcode whose DNA was
        read.
    InferenceError
        If the prior is flat, or `n_draws` is not a whole number from 1 to 10^8.
    ConvergenceError
        If NUTS diverges, an R-hat is above 1.01 or an effective sample size below 400,
        and it was not accepted.

    Notes
    -----
    Thousands of cells take minutes; for more use ``fit(method="hierarchical")`` and
    `causalgia.infer` of its effects. For verdicts on the elements, pass their draws to
    `decide` as contrasts::

        each = (
            tree["posterior"]["effect"]
            .sel(contrast="GATA1", drop=True)
            .rename(element="contrast")
        )
        cg.decide({"posterior": each.to_dataset(name="ace")}, rope=(-0.2, 0.2))

    References
    ----------
    Ashuach et al. (2019), doi:10.1186/s13059-019-1787-z. Carroll, Ruppert, Stefanski &
    Crainiceanu (2006), Measurement Error in Nonlinear Models,
    doi:10.1201/9781420010138.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "element": ["a", "a", "b", "b"],
    ...         "arm": ["control", "GATA1"] * 2,
    ...         "log2": [0, 1, 0, 1],
    ...     }
    ... )
    >>> counts = cg.mpra.simulate(table, n_barcodes=4, n_replicates=2, rng=0)
    >>> infer_counts(counts, control="scramble", rng=1)
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: ...
    """
    validate(counts, "counts")
    if (
        not isinstance(prior, Prior)
        or not np.isfinite([prior.mu_sd, prior.tau_scale]).all()
    ):
        raise InferenceError(
            f"prior={quoted(prior)}: give a Prior with finite scales on log2, such as "
            "Prior(tau_scale=1)"
        )
    check_draws(n_draws, usual=4000)
    check_flag(silent, "silent", error=InferenceError)
    n, key = -(-n_draws // CHAINS) * CHAINS, root_key(rng)
    check_n_draws(n, accept_unconverged)
    request = fit_request(
        counts, control=control, arm_names=arm_names, contrasts=contrasts
    )
    data, left_out = model_counts(counts, request)
    found = sample_counts(
        data, prior, silent=silent, n_draws=n, key=derive(key, "infer_counts")
    )
    groups = _posterior_groups(found, request, data)
    groups["diagnostics"] = diagnose(
        groups["posterior"], int(found.stats["diverging"].sum())
    )
    attrs = check_convergence(groups["diagnostics"], accept_unconverged)
    attrs |= {
        "engine": "nuts",
        "sampler": found.sampler,
        "scale": "log2",
        "contrast_scale": TASK,
        "left_out": left_out,
    }
    attrs["estimand"] = (
        "mean over the population of elements of the difference of log2(RNA/DNA) "
        "between arms"
    )
    for name in ("posterior", "constant_data"):
        groups[name].attrs = attrs
    return as_tree(groups)


def model_counts(counts: xr.Dataset, request: FitRequest) -> tuple[CellCounts, int]:
    """Return the counts of the requested barcodes as arrays, and the number left out
    for lack of DNA reads.

    Raises
    ------
    CountsError
        If there are fewer than two elements.
    """
    if len(request.elements) < 2:
        raise CountsError(
            "one element has no spread of effects to infer; infer_counts needs two or "
            "more"
        )
    rna = counts["rna"].to_numpy()
    dna, observed = counts["dna"].to_numpy().reshape(len(rna), -1), dna_observed(counts)
    has_dna = (observed & (dna > 0)).any(axis=1)
    rows = np.flatnonzero((request.element >= 0) & has_dna)
    mean = float(counts["dna_total"].to_numpy().mean())
    data = CellCounts(
        dna=dna[rows],
        rna=rna[rows],
        dna_observed=observed[rows],
        rna_observed=(counts["rna_observed"].to_numpy() | observed)[rows],
        dna_size=np.log2(np.atleast_1d(counts["dna_total"].to_numpy()) / mean),
        rna_size=np.log2(counts["rna_total"].to_numpy() / mean),
        element=request.element[rows],
        arm=request.arm[rows],
    )
    return data, int(((request.element >= 0) & ~has_dna).sum())


def _posterior_groups(
    found: Sampled, request: FitRequest, data: CellCounts
) -> dict[str, xr.Dataset]:
    values, W = found.values, request.weights[:, 1:]
    on = ("chain", "draw", "contrast", "task")
    tau = np.sqrt(np.einsum("cda,ka->cdk", values["tau"] ** 2, W**2))
    posterior = xr.Dataset(
        {
            "ace": (on, np.einsum("cda,ka->cdk", values["mu"], W)[..., None]),
            "tau": (on, tau[..., None]),
            "effect": (
                ("chain", "draw", "element", "contrast"),
                np.einsum("cdea,ka->cdek", values["d"], W),
            ),
            **{
                name: (("chain", "draw"), values[name])
                for name in _SCALARS
                if name in values
            },
        },
        coords={
            "chain": np.arange(tau.shape[0]),
            "draw": np.arange(tau.shape[1]),
            "contrast": list(request.contrasts),
            "task": [TASK],
            "element": request.elements,
        },
    )
    n = np.zeros((len(request.elements), len(request.arms)), dtype=np.int64)
    np.add.at(n, (data.element, data.arm), 1)
    constant = xr.Dataset(
        {"n_barcodes": (("element", "arm"), n)},
        coords={"element": request.elements, "arm": request.arms},
    )
    stats = xr.Dataset(
        {name: (("chain", "draw"), v) for name, v in found.stats.items()}
    )
    return {"posterior": posterior, "constant_data": constant, "sample_stats": stats}

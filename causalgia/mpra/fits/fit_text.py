"""Text report of a fit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.mpra.comparisons.sides import with_contrast_dim
from causalgia.mpra.counts.side_table import CONTROLS
from causalgia.mpra.fits._average import average
from causalgia.multiplicity import weighted_bh

LEVEL = 0.05
_NOISE = {
    "sd_barcode": "between barcodes of an oligo",
    "sd_replicate": "of an oligo between replicates",
    "sd_cell": "of single cells",
    "sd_residual": "of single cells",
}


def describe_fit(fit: xr.Dataset) -> str:
    """Return a text report of a fit: noise, average effects, and numbers of elements with an effect.

    Parameters
    ----------
    fit
        From `causalgia.mpra.fit`.

    Examples
    --------
    >>> from causalgia.mpra import fit
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> print(describe_fit(fit(simulated(), control="control", method="two_way")))
    two_way fit of 30 elements (10 negative, 20 test) under control and GATA1, in 3 replicates; 8 barcodes an oligo ...
    ...
    """
    fit = with_contrast_dim(fit)
    lines = [_fit_header(fit), *_left_out_lines(fit), *_noise_lines(fit)]
    for name in fit["contrast"].to_numpy().astype(str).tolist():
        lines += _contrast_lines(fit.sel(contrast=[name]), name)
    return "\n".join(lines)


def _fit_header(fit: xr.Dataset) -> str:
    groups, n = np.unique(fit["group"].to_numpy().astype(str), return_counts=True)
    by_group = ", ".join(f"{k:,} {group}" for group, k in zip(groups, n, strict=True))
    arms = fit["arm"].to_numpy().astype(str).tolist()
    under = f"{', '.join(arms[:-1])} and {arms[-1]}"
    replicates = int(fit.attrs["n_replicates"])
    return (
        f"{fit.attrs['method']} fit of {fit.sizes['element']:,} elements ({by_group}) under {under}, in "
        f"{replicates} replicate{'s' if replicates > 1 else ''}; {np.median(fit['n_barcodes']):g} barcodes an oligo "
        "(median)"
    )


def _left_out_lines(fit: xr.Dataset) -> list[str]:
    lost = {"without some arm": fit.attrs["n_left_out"], "without an answer": fit.attrs["n_not_fitted"]}
    reasons = [f"{int(n):,} element{'s' if n > 1 else ''} {why}" for why, n in lost.items() if n]
    reasons += [f"arms {fit.attrs['arms_left_out']}, which no element has beside the control"] * bool(
        fit.attrs["arms_left_out"]
    )
    return [f"  left out: {'; '.join(reasons)}"] if reasons else []


def _noise_lines(fit: xr.Dataset) -> list[str]:
    found = {name: fit.attrs[name] for name in _NOISE if name in fit.attrs}
    sds = ", ".join(f"{float(sd):.2f} {_NOISE[name]}" for name, sd in found.items())
    lines = [f"  sd on log2: {sds}"] if sds else []
    if "silent" in fit:
        by_arm = fit["silent"].mean("element")
        arms = ", ".join(f"{100 * float(by_arm.sel(arm=arm)):.1f} % in {arm}" for arm in by_arm["arm"].to_numpy())
        lines.append(f"  taken for silent, and not for weak: {arms} of the cells")
    return lines


def _contrast_lines(one: xr.Dataset, name: str) -> list[str]:
    groups = one["group"].to_numpy().astype(str)
    test = ~np.isin(groups, CONTROLS)
    p, ace = one["p"].to_numpy()[:, 0], one["ace"].to_numpy()[:, 0]
    hit = weighted_bh(p, np.ones_like(p)) < LEVEL
    up, down = int((hit & test & (ace > 0)).sum()), int((hit & test & (ace < 0)).sum())
    lines = [
        f"{name}: {up + down:,} of {test.sum():,} elements have an effect at a false discovery rate of {LEVEL:g} "
        f"({up:,} up, {down:,} down); standard errors {np.median(one['se']):.2f} (median)"
    ]
    if test.sum() > 1:
        mean = average(one.isel(element=test), by=None, ci_prob=float(one.attrs["ci_prob"]))
        value, lower, upper, tau = (mean[c].item() for c in ("ace", "lower", "upper", "tau"))
        lines.append(
            f"  average over them {value:.2f} [{lower:.2f}, {upper:.2f}]; true effects differ by {tau:.2f} (sd) "
            "between them"
        )
    for group in dict.fromkeys(groups[~test].tolist()):
        own = groups == group
        lines.append(f"  {group} controls: {int((p[own] < LEVEL).sum()):,} of {own.sum():,} have p < {LEVEL:g}")
    return lines

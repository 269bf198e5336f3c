"""Text report of a concordance."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.errors import OutcomesError, printable
from causalgia.inputs import parse_json

_SHOWN = 5
_AT_THE_BOUND = (
    "  the correlation as seen is above its ceiling, so that of the true effects is at its bound: by chance, or the "
    "standard errors are too large"
)
_NOTHING_LEFT = (
    "  errors explain all that effects of one side differ, so the correlation of the true effects is not known; in its "
    "place stands the one as seen"
)


def describe_concordance(concordance: xr.Dataset) -> str:
    """Return a text report of a concordance: agreement, noise, line, hits and outlying elements.

    Parameters
    ----------
    concordance
        From `causalgia.mpra.concordance`.

    Returns
    -------
    str
        Some lines for each contrast.

    Raises
    ------
    OutcomesError
        If it is not a concordance.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalgia.mpra.comparisons import concordance
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=100)
    >>> virtual = pd.DataFrame({"element": np.arange(100), "effect": 0.5 * true})
    >>> measured = pd.DataFrame({"element": np.arange(100), "effect": true + rng.normal(0, 0.5, size=100), "se": 0.5})
    >>> print(describe_concordance(concordance(virtual, measured)))
    effect: 100 elements, virtual effects on the predictor's scale, measured ones on log2
      correlation 0.86 [0.80, 0.90] as seen, of at most 0.86 with this noise; of the true effects 1.00 [0.95, 1.00]; ...
    """
    if "noise_ceiling" not in concordance:
        raise OutcomesError("no concordance: there is no 'noise_ceiling'; give cg.mpra.concordance(virtual, measured)")
    lost = parse_json(str(concordance.attrs.get("lost")), OutcomesError, source="attrs['lost'] of the concordance")
    lines: list[str] = []
    for name in concordance["contrast"].to_numpy().astype(str):
        one = concordance.sel(contrast=name)
        lines += [
            _concordance_header(one, name, concordance),
            *_left_out_line(lost[printable(name)]),
            *_noise_lines(one),
            *_slope_lines(one),
            *_hits_line(one),
            *_outlying_elements_line(one),
        ]
    return "\n".join(lines)


def _with_ci(one: xr.Dataset, name: str) -> str:
    value, lower, upper = (one[name + end].item() for end in ("", "_lower", "_upper"))
    return f"{value:.2f} [{lower:.2f}, {upper:.2f}]"


def _concordance_header(one: xr.Dataset, name: str, whole: xr.Dataset) -> str:
    n, n_parents = one["n"].item(), one["n_clusters"].item()
    of = f" of {n_parents:,} parents" if n_parents < n else ""
    return (
        f"{name}: {n:,} elements{of}, virtual effects on {whole.attrs['virtual_scale']}, measured ones on "
        f"{whole.attrs['measured_scale']}"
    )


def _left_out_line(lost: dict[str, int | dict[str, int]]) -> list[str]:
    controls = lost["controls"]
    said = [f"{n:,} {what}" for what, n in lost.items() if not isinstance(n, dict) and n]
    said += [f"{n:,} {group} controls" for group, n in controls.items()] if isinstance(controls, dict) else []
    return [f"  left out: {', '.join(said)}"] if said else []


def _noise_lines(one: xr.Dataset) -> list[str]:
    sides = [one[name].sel(side=side).item() for name in ("tau", "reliability") for side in ("virtual", "measured")]
    seen, ceiling = abs(one["pearson"].item()), one["noise_ceiling"].item()
    return [
        f"  correlation {_with_ci(one, 'pearson')} as seen, of at most {one['noise_ceiling'].item():.2f} with this "
        f"noise; of the true effects {_with_ci(one, 'pearson_disattenuated')}; of ranks {one['spearman'].item():.2f}",
        f"  true effects spread by {sides[0]:.3g} (virtual) and {sides[1]:.3g} (measured); reliability {sides[2]:.2f} "
        f"and {sides[3]:.2f}",
        *([_AT_THE_BOUND] if seen > ceiling > 0 else [_NOTHING_LEFT] if ceiling == 0 else []),
    ]


def _slope_lines(one: xr.Dataset) -> list[str]:
    best = one.sel(line="errors_and_scatter")
    lines = [
        f"  measured = {best['intercept'].item():.3g} + {_with_ci(best, 'slope')} x virtual, true effects scatter "
        f"about it by {best['scatter'].item():.2g}; {best['coverage'].item():.0%} inside their predictive intervals",
    ]
    if one["line_p"].item() < 0.05:
        lines.append(f"  the errors alone do not explain the distances from the line (p = {one['line_p'].item():.1g})")
    return lines


def _hits_line(one: xr.Dataset) -> list[str]:
    n = one["n_hits"].item()
    if n == 0:
        return ["  no measured effect is a hit"]
    return [
        f"  {n:,} measured hits: sign as predicted in {_with_ci(one, 'sign_agreement')}, found by the size of the "
        f"virtual effect with AUROC {_with_ci(one, 'auroc')}"
    ]


def _outlying_elements_line(one: xr.Dataset) -> list[str]:
    off = one.isel(element=np.flatnonzero(one["q_off"].to_numpy() < 0.05))
    if not off.sizes["element"]:
        return ["  no element is off the line by more than the errors"]
    worst = off.isel(element=np.argsort(off["p_off"].to_numpy(), kind="stable")[:_SHOWN])
    said = [
        f"{name} ({measured:+.2f} measured, {predicted:+.2f} expected)"
        for name, measured, predicted in zip(
            worst["element"].to_numpy(), worst["measured"].to_numpy(), worst["predicted"].to_numpy(), strict=True
        )
    ]
    n, more = off.sizes["element"], ", ..." if off.sizes["element"] > _SHOWN else ""
    count = f"{n:,} elements are" if n > 1 else "1 element is"
    return [f"  {count} off the line by more than the errors (q < .05): {', '.join(said)}{more}"]

"""Sentences on tipping points: how far the null model must move before a verdict turns."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import four_digits
from causalgia.errors import printable
from causalgia.reporting.rounded_numbers import format_effect, format_share
from causalgia.schema import validate

_MOST = 20


def tipping_report(found: xr.Dataset) -> str:
    """Report tipping points as text: the tilt, its range, and a sentence for each contrast and task.

    Parameters
    ----------
    found
        From `causalgia.tipping_point`.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = cg.FunctionPredictor(lambda x: 2 * x[:, 1:3].mean((1, 2)) * (x[:, 0, 9] - x[:, 3, 9]), tasks=["K562"])
    >>> arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    >>> outcomes = cg.run(cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=600), sites, rng=0)
    >>> print(tipping_report(cg.tipping_point(outcomes, contrast="A - T", rope=(-0.8, 0.8))))
    Tipping points: ACE on outcome over uniform random sequences of 20 bp, tilted along gc (mean 0.5054, sd 0.109),
    with the 600 units that were predicted.
    Range: -1.75 to +1.70 sd (gc 0.3147 to 0.6907), where 50 or more effective units of 600 are left; verdicts on the
    ROPE -0.8 to 0.8 at level 0.95.
    <BLANKLINE>
    A - T: increases, ACE 0.9603 [0.9432, 0.9774]. Downwards it turns to undecided at -0.70 sd (gc 0.4291, odds 0.4981
    per sd): ACE 0.8154 [0.7945, 0.8339], 373 effective units; the ACE itself leaves its region at -0.80 sd. Upwards
    it holds as far as these units can say, to +1.70 sd (gc 0.6907, odds 8.253 per sd).
    """
    validate(found, "tipping")
    attrs = found.attrs
    label, shifts = str(attrs["covariate"]), found["shift"].to_numpy()
    means = found["covariate_mean"].to_numpy()
    scale = attrs.get("contrast_scale") or attrs.get("scale") or ""
    groups = "units" if attrs.get("cluster", "unit") == "unit" else f"{attrs['cluster']}s"
    over = f" over {attrs['null']}" if attrs.get("null") else ""
    region = f"the ROPE {attrs['rope']}" if (found["rope_lower"] < found["rope_upper"]).any() else "direction alone"
    lines = [
        f"Tipping points: ACE{scale and f' on {scale}'}{over}, tilted along {label} (mean "
        f"{four_digits(attrs['covariate_at_0'])}, sd {four_digits(attrs['covariate_sd'])}), with the "
        f"{attrs['n_units']:,} units that were predicted.",
        f"Range: {_sd(shifts[0])} to {_sd(shifts[-1])} sd ({label} {four_digits(means[0])} to "
        f"{four_digits(means[-1])}), where {attrs['least_ess']} or more effective {groups} of "
        f"{attrs['n_clusters']:,} are left; verdicts on {region} at level {attrs['level']:g}.",
        "",
    ]
    dims = [dim for dim in found["tilted_ace"].dims if dim != "shift"]
    every = list(product(*(range(found.sizes[dim]) for dim in dims)))
    lines += [_sentence(found, dict(zip(dims, at, strict=True)), label, groups) for at in every[:_MOST]]
    if len(every) > _MOST:
        lines.append(
            f"{len(every) - _MOST:,} more: select contrasts or tasks, found.sel(task=[...]), and report again."
        )
    return printable("\n".join(lines))


def _sentence(found: xr.Dataset, at: dict[Any, int], label: str, groups: str) -> str:
    one = found.isel(at)
    shifts = one["shift"].to_numpy()
    names = [
        str(one[dim].item()) if dim in one.coords else str(i)
        for dim, i in at.items()
        if found.sizes[dim] > 1 or dim == "contrast"
    ]
    here = int(np.argmax(shifts == 0))
    text = f"{', '.join(names)}: {one['tilted_verdict'].to_numpy()[here]}, {_effect(one, here)}."
    if not one["turns"].any() and (one["tipping_shift"] != 0).all():
        low, high = (four_digits(one["tipping_covariate"].sel(side=side).item()) for side in ("down", "up"))
        holds = "It stays undecided" if one["tilted_verdict"].to_numpy()[here] == "undecided" else "It holds"
        return f"{text} {holds} as far as these units can say, for {label} from {low} to {high}."
    for side, way in (("down", "Downwards"), ("up", "Upwards")):
        turn = one.sel(side=side)
        shift = turn["tipping_shift"].item()
        row = int(np.argmax(shifts == shift))
        odds = four_digits(turn["tipping_odds"].item())
        where = f"{_sd(shift)} sd ({label} {four_digits(turn['tipping_covariate'].item())}, odds {odds} per sd)"
        if shift == 0:
            extreme = "lowest" if side == "down" else "highest"
            text += (
                f" {way} these units say nothing: the {extreme} value of {label} lies within 0.05 sd of its mean, or a "
                "few units hold all of its spread; give its ranks or its logarithm as by=."
            )
            continue
        if not turn["turns"].item():
            text += f" {way} it holds as far as these units can say, to {where}."
            continue
        leaving = _sd(turn["leaving_shift"].item())
        text += (
            f" {way} it turns to {turn['turns_to'].item()} at {where}: {_effect(one, row)}, "
            f"{one['ess'].to_numpy()[row]:,.0f} effective {groups}{_too_few(one, row)}; the ACE itself "
            f"{'leaves its region at' if turn['leaves'].item() else 'stays in its region to'} {leaving} sd."
        )
    return text


def _too_few(one: xr.Dataset, row: int) -> str:
    """Return why a verdict is undecided although its interval lies inside the ROPE: rare effects could be missed."""
    lower, upper = (one[f"tilted_{end}"].to_numpy()[row] for end in ("lower", "upper"))
    inside = one["rope_lower"].item() < lower and upper < one["rope_upper"].item()
    outside = lower > one["rope_upper"].item() or upper < one["rope_lower"].item()
    rare = one.attrs["rare"]
    if one["tilted_verdict"].to_numpy()[row] != "undecided":
        return ""
    if outside:
        return ", too few for a direction where effects do not vary"
    if not inside or rare == "none":
        return ""
    return f", too few to rule out effects on {format_share(float(rare), 1).replace('.0', '')} of backgrounds"


def _effect(one: xr.Dataset, row: int) -> str:
    columns = {name: float(one[f"tilted_{name}"].to_numpy()[row]) for name in ("ace", "se", "lower", "upper")}
    ace, interval = format_effect(columns)
    return f"ACE {ace} {interval}"


def _sd(shift: float) -> str:
    return f"{shift:+.2f}" if shift else "0"

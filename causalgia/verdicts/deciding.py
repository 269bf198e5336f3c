"""The labelled verb: a posterior, or estimates, and a region of practical equivalence -> a verdict on every effect."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import beyond
from causalgia.errors import DecisionError
from causalgia.estimation import as_estimates
from causalgia.estimation.moments import Array, Codes
from causalgia.multiplicity.bands import simultaneous
from causalgia.multiplicity.families import families, in_words
from causalgia.multiplicity.placebo import words_of
from causalgia.multiplicity.questions import has_effects, unbounded
from causalgia.multiplicity.tost import few_for_exact
from causalgia.schema import annotate, validate
from causalgia.streams import RNG, root_key
from causalgia.verdicts.banded import band_error
from causalgia.verdicts.evidence import Evidence, distance, from_estimates, from_posterior, z_of
from causalgia.verdicts.further import more_units
from causalgia.verdicts.rules import CLAIMS, UNDECIDED, rule

Error = Literal["local", "bayes_fdr", "bh", "bootstrap_t"]
_ERRORS = ("local", "bayes_fdr", "bh", "bootstrap_t")


def decide(
    x: Any,
    *,
    rope: tuple[float, float] | str | int | Mapping[str, tuple[float, float]] | None = None,
    level: float = 0.95,
    error: Error = "local",
    ci_prob: float | None = None,
    family: str | None = None,
    cluster: str | None = "auto",
    rng: RNG | None = None,
) -> xr.Dataset:
    """Say of each effect whether it increases, decreases, is negligible, or undecided: size against what matters.

    The error of a claim is 1 minus the posterior probability of its region (above, below, or inside the region of
    practical equivalence, ROPE); or, for estimates, the p of its one-sided test (the larger of two for "negligible").
    A verdict is the claim of least error, where the error rate that was asked is at most ``1 - level``; else
    ``"undecided"``, which says that the data do not tell, and not that there is no effect.

    Parameters
    ----------
    x
        A posterior (from `causalgia.infer`, or anybody's with ``posterior/ace (chain, draw, contrast[, task])``);
        estimates, or a table with columns ``effect`` and ``se``; or, for ``error="bootstrap_t"``, effects
        ``ice (unit, contrast, task)``.
    rope
        The effects too small to matter: ``(lower, upper)`` on the scale of the contrast, or these for each task;
        ``"0.2 sd"`` of the control arm's outcomes, on both sides of no effect; ``"placebo"``, the central 95 % of 40
        or more placebo words; or 0, the direction alone, which is never negligible. No effect is attrs["null_value"],
        1 for ratios, else 0; a ratio has the sd relative to the control's mean.
    level
        1 minus the bound on the error rate; also the probability of the intervals, unless `ci_prob` is given.
    error
        ``"local"``: each verdict's own error is at most ``1 - level``. ``"bayes_fdr"`` (posterior): the mean error of
        the verdicts is, for directional and for negligible ones apart. ``"bh"`` (estimates): p-values adjusted by
        Benjamini-Hochberg, again apart. ``"bootstrap_t"`` (effects): verdicts by the simultaneous band, so that with
        probability `level` not one of a family's is wrong.
    ci_prob
        Probability of the intervals (equal-tailed for a posterior). An interval of probability ``2 level - 1`` is the
        one that excludes the ends of the ROPE where a verdict is given.
    family
        What counts as one set of verdicts, unless `error` is ``"local"``: None, the contrasts of one task (and model);
        the name of a coordinate on contrast, whose values are the families inside one task; or ``"all"``. With
        ``rope="placebo"`` the placebo words are ranked apart from the others, unless `error` is ``"bootstrap_t"``.
    cluster, rng
        For ``error="bootstrap_t"``: what is resampled whole, as in `causalgia.estimate`; and the seed.

    Returns
    -------
    Dataset
        On (contrast, task[, model]): ``verdict``; ``ace`` (the posterior mean; the estimate), ``lower, upper``;
        ``lfsr``, of the side of no effect; ``p_rope, p_above, p_below``, the probability of each region (for estimates
        of the confidence distribution, which is the posterior under a flat prior); ``local_error`` of the best claim;
        ``q``, the error rate of the set of verdicts that ends with this one (for ``"bootstrap_t"`` the least
        ``1 - level`` whose band decides: p against the nearest end of the ROPE, adjusted for the family);
        ``rope_lower, rope_upper``;
        ``more_units``, about how many units more than this trial's a new trial would need to decide, with even odds
        if the effect is what it seems (-1 where decided or nothing can be said); ``raw`` and ``se``, effect and
        standard error before the posterior shrank it. attrs["exploratory"] names what was asked beyond the analysis
        that was kept with the outcomes.

    Raises
    ------
    DecisionError
        If there is no ROPE or an impossible one, `level` is no probability, `error` does not go with `x`, or draws are
        too few for `level` or beside data of other effects (groups are joined by the names of contrasts and tasks).
    InferenceError
        If a posterior lacks ``ace``.
    ConvergenceError
        If draws that `causalgia.infer` did not vouch for have divergent transitions, or chains that disagree.
    EstimateError
        If estimates have no standard error, or there are too few placebo words.

    Notes
    -----
    ``rope=0`` at level .95 gives up to 10 % of false directions by p where effects are 0, since each side is tested
    at 5 %; attrs["caution"] and the report say so. Where nothing varies among the units (``exact``) the verdict is the
    point's, and up to 3/n of the population may still differ: with fewer than ``3 / (1 - level)`` independent units (60
    at .95) such an effect is undecided, its error 3/n, unless ``target="units"`` asks for exactly these.

    References
    ----------
    Kruschke (2018), doi:10.1177/2515245918771304. Schuirmann (1987), doi:10.1007/BF01068419. Mueller, Parmigiani,
    Robert & Rousseau (2004), doi:10.1198/016214504000001646. Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> estimates = from_effects([1.38, 0.01, 0.12], se=[0.02, 0.02, 0.03], names=["GATA1", "mutant", "TAL1"])
    >>> decisions = decide(estimates, rope=(-0.1, 0.1))
    >>> decisions["verdict"].values.ravel().tolist()
    ['increases', 'negligible', 'undecided']
    """
    level = _probability(level, "level")
    interval = level if ci_prob is None else _probability(ci_prob, "ci_prob")
    attrs = {"level": level, "ci_prob": interval, "error": error}
    if error not in _ERRORS:
        raise DecisionError(f"error={error!r} is none of {', '.join(map(repr, _ERRORS))}")
    if isinstance(x, xr.Dataset) and {"chain", "draw"} <= set(x.dims):
        x = {"posterior": x}
    if has_effects(x) and ci_prob is not None:
        raise DecisionError("effects are decided by a band of probability `level`: say level=, and not ci_prob=")
    out = _given(x, rope, attrs, family=family, cluster=cluster, rng=rng)
    return out.assign_attrs(beyond(out.attrs, **_asked(out, rope, ci_prob, family)))


def _asked(out: xr.Dataset, rope: Any, ci_prob: float | None, family: str | None) -> dict[str, Any]:
    """Return what was asked, of all that has a bearing on these verdicts, by the names of an `Analysis`."""
    error, varies = out.attrs["error"], "se" not in out or bool((out["se"] != 0).any())
    asked = {"rope": rope, "level": out.attrs["level"]} | ({"error": error} if varies else {})
    asked |= {"families": family} if error != "local" else {}
    return asked | ({"ci_prob": ci_prob} if ci_prob is not None else {})


def _given(
    x: Any, rope: Any, attrs: dict[str, Any], *, family: str | None, cluster: str | None, rng: RNG | None
) -> xr.Dataset:
    """Decide by the band of effects, by tests of estimates, or by the draws of a posterior."""
    error = attrs["error"]
    if has_effects(x):
        return _by_band(x, rope, attrs, family=family, cluster=cluster, rng=rng)
    if error == "bootstrap_t":
        raise DecisionError("error='bootstrap_t' resamples units: give the effects of cg.contrast, or use error='bh'")
    if isinstance(x, xr.Dataset | pd.DataFrame):
        return _by_tests(x, rope, attrs, family)
    if error == "bh":
        raise DecisionError("error='bh' adjusts p-values, and a posterior has none; use error='bayes_fdr'")
    found = from_posterior(x, rope, level=attrs["level"], ci_prob=attrs["ci_prob"])
    return _ruled(found, attrs | {"evidence": "posterior"}, family)


def _probability(value: Any, name: str) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0.5 < value < 1:
        raise DecisionError(f"{name}={value!r} is not between 0.5 and 1; for example {name}=0.95")
    return float(value)


def _by_tests(table: Any, rope: Any, attrs: dict[str, Any], family: str | None) -> xr.Dataset:
    if attrs["error"] == "bayes_fdr":
        raise DecisionError(
            "error='bayes_fdr' takes a posterior: cg.decide(cg.infer(estimates, rng=0), ...); estimates take error='bh'"
        )
    estimates = as_estimates(table)
    if "placebo_word" in table and "placebo_word" not in estimates.variables:
        estimates = estimates.assign_coords(placebo_word=("contrast", np.asarray(table["placebo_word"])))
    found = _short_of_units(from_estimates(estimates, rope, ci_prob=attrs["ci_prob"]), attrs["level"])
    return _ruled(found, attrs | {"evidence": "tests"}, family)


def _short_of_units(found: Evidence, level: float) -> Evidence:
    """Give exact effects of too few units for the level the error 3/n, whatever is claimed of them."""
    few = few_for_exact(found.effects, level)
    if not few.any():
        return found
    n = found.effects["n_clusters" if "n_clusters" in found.effects else "n_units"]
    unseen = np.where(few > 0, 3 / np.maximum(n.transpose(*found.effects["ace"].dims).to_numpy(), 1), 0.0)
    return replace(found, errors=np.maximum(found.errors, np.minimum(unseen, 1.0)))


def _ruled(found: Evidence, attrs: dict[str, Any], family: str | None) -> xr.Dataset:
    """Give the verdicts of "local", "bayes_fdr" or "bh", family by family."""
    shape, level = found.errors.shape[1:], attrs["level"]
    flat = found.errors.reshape(3, -1)
    verdict, local_error, q = np.empty(flat.shape[1], dtype="<U10"), np.empty(flat.shape[1]), np.empty(flat.shape[1])
    for members in _sets(found, family):
        ruled = rule(flat[:, members], alpha=1 - level, error=attrs["error"])
        verdict[members], local_error[members], q[members] = ruled.verdict, ruled.local_error, ruled.q
    if attrs["evidence"] == "tests" and attrs["error"] == "local":
        q = local_error
    said = {"verdict": verdict, "local_error": local_error, "q": q}
    columns = {name: values.reshape(shape) for name, values in said.items()}
    apart = ", placebo words apart" if found.region.of_placebos else ""
    attrs = attrs | {"families": in_words(family, found.effects["ace"]) + apart}
    return _decisions(found, columns, z_of(level), attrs)


def _sets(found: Evidence, family: str | None) -> list[Codes]:
    """Return each family's members; the words that made the region are a set apart, easy to call negligible."""
    shape = found.errors.shape[1:]
    sets = families(found.effects, family, shape)
    if not found.region.of_placebos:
        return sets
    word = np.repeat(words_of(found.effects), int(np.prod(shape[1:])))
    return [part for members in sets for part in (members[~word[members]], members[word[members]]) if len(part)]


def _by_band(
    effects: xr.Dataset, rope: Any, attrs: dict[str, Any], *, family: str | None, cluster: str | None, rng: RNG | None
) -> xr.Dataset:
    error, level = attrs["error"], attrs["level"]
    if error != "bootstrap_t":
        raise DecisionError(
            f"these are effects of single units; error={error!r} takes cg.estimate(effects), and error='bootstrap_t' "
            "resamples them as they are"
        )
    if rng is None:
        raise DecisionError("error='bootstrap_t' draws at random, and randomness is asked for: rng=0")
    key = root_key(deepcopy(rng))  # a Generator draws the band's own resamples again
    band = simultaneous(effects, ci_prob=level, family=family, cluster=cluster, rng=rng)
    found = from_estimates(band, rope, ci_prob=level)
    dims = band["ace"].dims
    lower, upper, critical = (band[name].transpose(*dims).to_numpy() for name in ("lower", "upper", "critical"))
    inside = (lower > found.region.lower) & (upper < found.region.upper)
    claims = [unbounded(band), upper < found.region.lower, inside, lower > found.region.upper]
    verdict = np.select(claims, [UNDECIDED, *CLAIMS], UNDECIDED)
    local_error = np.minimum(found.errors.min(axis=0), 1.0)
    q = band_error(effects, found.region, level=level, family=family, cluster=cluster, key=key)
    # rare effects have their band and their p from two bounds; the band decides
    q = np.where(verdict == UNDECIDED, np.maximum(q, np.nextafter(1 - level, 1)), np.minimum(q, 1 - level))
    said = {"verdict": verdict, "local_error": local_error, "q": q, "lower": lower, "upper": upper}
    attrs = attrs | {"evidence": "simultaneous band", "families": in_words(family, band["ace"])}
    return _decisions(found, said, critical, attrs)


def _decisions(found: Evidence, said: dict[str, Any], z: Array | float, attrs: dict[str, Any]) -> xr.Dataset:
    ends_of = {"rope_lower": found.region.lower, "rope_upper": found.region.upper}
    columns = {**found.columns, **said, **ends_of, "more_units": _more(found, said["verdict"], z, attrs["level"])}
    ace = found.effects["ace"]
    out = found.effects.assign({name: (ace.dims, np.asarray(values)) for name, values in columns.items()})
    if found.region.direction_only:
        attrs = attrs | {"caution": _caution(attrs, found.region.said)}
    return validate(annotate(out.assign_attrs(attrs, rope=found.region.said)), "decisions")


def _more(found: Evidence, verdict: npt.NDArray[np.str_], z: Array | float, level: float) -> npt.NDArray[np.int64]:
    effects = found.effects
    if "se" not in effects or "n_units" not in effects:
        return np.full(verdict.shape, -1)
    se, n = (effects[name].transpose(*effects["ace"].dims).to_numpy() for name in ("se", "n_units"))
    more = more_units(distance(found), found.sd, se, n.astype(np.int64), z=z)
    few = few_for_exact(effects, level).astype(np.int64)
    return np.where(verdict == UNDECIDED, np.where(few > 0, few, more), -1)


def _caution(attrs: dict[str, Any], null: str) -> str:
    about = "" if null == "0" else f", above or below {null}"
    said = f"rope=0 asks for the direction alone{about}: no effect is called negligible"
    if attrs["evidence"] != "tests":
        return said
    of_what = (
        "verdicts have a false direction" if attrs["error"] == "bh" else f"effects that are {null} get a direction"
    )
    return f"{said}, and at level {attrs['level']:g} up to {200 * (1 - attrs['level']):.3g} % of {of_what} by p"

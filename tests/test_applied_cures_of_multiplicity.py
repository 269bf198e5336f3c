"""Errors of `causalgia.multiplicity`: the cure that each names is taken from its text and
applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, evaluated, number_in, refusal
from test_applied_cures import many

import causalgia as cg
from causalgia.multiplicity import selected_intervals, weighted_bh
from causalgia.multiplicity.adjusted_p import (
    fcr_ci_prob,
    hierarchical_q,
    stepwise,
    storey_q,
)
from causalgia.multiplicity.bootstrap_t import missed_share, missed_share_sentence
from causalgia.multiplicity.joint_methods import sign_flip_max_t
from causalgia.multiplicity.maxima import against_maxima
from causalgia.multiplicity.multivariate_t import equicoordinate, multivariate_t_max
from causalgia.multiplicity.placebo import placebo_region
from causalgia.multiplicity.rank_sets import rank_intervals

pytestmark = pytest.mark.rotating(6)

P = np.array([0.01, 0.04, 0.03, 0.6])
ICE = np.random.default_rng(0).normal([0.5, 0.0], size=(12, 2))
case = Cases()


# ---- p-values


@case
def a_method_that_is_no_text() -> Any:
    name = cure_in(
        refusal(cg.adjust, P, method=2), r"is not a text; one of auto, (\w+)"
    )
    return np.allclose(cg.adjust(P, method=name), stepwise(P, name))


@case
def a_family_of_p_values_alone() -> Any:
    said = refusal(cg.adjust, P, method="holm", family="motif")
    name = cure_in(said, r"or give a Dataset with 'p' and the coordinate '(\w+)' on co")
    table = xr.Dataset(
        {"p": ("contrast", P)}, {name: ("contrast", ["x", "x", "y", "y"])}
    )
    found = cg.adjust(table, method="holm", family=name)
    return np.allclose(found["p_adjusted"], [0.02, 0.04, 0.06, 0.6])


@case
def p_values_that_are_masked() -> Any:
    p = np.ma.masked_array(P, [False, True, False, False])
    cure_in(refusal(cg.adjust, p, method="holm"), r"(leave them out before adjusting)")
    found = cg.adjust(p.compressed(), method="holm")
    return np.allclose(found, cg.adjust(P[[0, 2, 3]], method="holm"))


@case
def a_p_value_that_is_a_word() -> Any:
    p = [0.01, "n.s.", 0.03]
    k = number_in(
        refusal(cg.adjust, p, method="holm"),
        r"entry (\d+): p is 'n.s.', not a number; leave it out",
    )
    p.pop(k)
    return np.allclose(cg.adjust(p, method="holm"), [0.02, 0.03])


@case
def p_values_as_text() -> Any:
    p = ["0.01", "0.04"]
    found = evaluated(
        cg.adjust,
        {"estimates": p, "method": "holm"},
        r"convert them: (np.asarray\(p, float\))",
        p=p,
    )
    return np.allclose(cg.adjust(found, method="holm"), [0.02, 0.04])


@case
def p_values_of_two_dims() -> Any:
    cure_in(refusal(cg.adjust, P[:, None], method="holm"), r"give a (list) of K p-val")
    found = cg.adjust(P[:, None].ravel().tolist(), method="holm")
    return np.allclose(found, cg.adjust(P, method="holm"))


@case
def an_unknown_step() -> Any:
    name = cure_in(refusal(stepwise, P, "bhq"), r"did you mean '(\w+)'")
    return np.allclose(stepwise(P, name), [0.04, 4 / 75, 4 / 75, 0.6])


def two_tasks() -> xr.Dataset:
    draw = np.random.default_rng(3)
    dims = ("contrast", "task")
    table = xr.Dataset(
        {
            "effect": (dims, draw.normal(size=(30, 2))),
            "se": (dims, np.full((30, 2), 0.3)),
        },
        {"contrast": [f"c{i}" for i in range(30)], "task": ["x", "y"]},
    )
    return cg.from_effects(table)


@case
def storey_over_tasks() -> Any:
    given = {"estimates": _with_covariance(two_tasks()), "family": "all"}
    said = refusal(cg.adjust, **given, method="storey")
    named = cure_in(said, r"take each task as a family \((family=None)\)")
    found = cg.adjust(**given | arguments(named), method="storey")
    return (found["p_adjusted"] <= 1).all()


def _with_covariance(table: xr.Dataset) -> xr.Dataset:
    n = table.sizes["contrast"]
    V = np.eye(n)[:, :, None] * (table["se"].to_numpy()[0] ** 2)
    return table.assign(covariance=(("contrast", "contrast_", "task"), V))


@case
def storey_over_tasks_by_another_method() -> Any:
    given = {"estimates": _with_covariance(two_tasks()), "family": "all"}
    found = cured(cg.adjust, given | {"method": "storey"}, r"or use (method='bh')")
    return (found["p_adjusted"] <= 1).all()


@case
def weights_of_fewer_p_values() -> Any:
    n = number_in(
        refusal(weighted_bh, P, np.ones(3)), r"for (\d+) p-values; give one number"
    )
    return np.allclose(weighted_bh(P, np.ones(n)), cg.adjust(P, method="bh"))


@case
def weights_that_are_all_0() -> Any:
    w = np.zeros(4)
    words = cure_in(refusal(weighted_bh, P, w), r"all weights are 0; (at least one)")
    w[: {"at least one": 1}[words]] = 1.0
    return np.allclose(weighted_bh(P, w), [0.01, 1, 1, 1])


@case
def codes_of_fewer_p_values() -> Any:
    n = number_in(
        refusal(hierarchical_q, P, np.zeros(3, int)),
        r"family codes for (\d+) p-values; give one for each",
    )
    return hierarchical_q(P, np.zeros(n, int)).q.shape == (4,)


@case
def families_by_name() -> Any:
    names = np.array(["x", "x", "y", "y"])
    codes = evaluated(
        hierarchical_q,
        {"p": P, "family_codes": names},
        r"for each: (pandas.factorize\(names\)\[0\])",
        names=names,
    )
    found = hierarchical_q(P, codes)
    return np.array_equal(found.q, hierarchical_q(P, np.array([0, 0, 1, 1])).q)


@case
def intervals_of_no_tests() -> Any:
    given = {"n_selected": 5, "n_tests": 4.5}
    named = cure_in(
        refusal(fcr_ci_prob, **given), r"must be a whole number of at least (\w+),"
    )
    return np.isclose(fcr_ci_prob(5, given[named]), 0.95)


@case
def more_selected_than_tested() -> Any:
    n = number_in(refusal(fcr_ci_prob, 5, 4), r"select from 1 to (\d+) to have inte")
    return np.isclose(fcr_ci_prob(n, 4), 0.95)


@case
def p_values_of_another_shape() -> Any:
    found = cured(storey_q, {"p": 0.01}, r"give a list of p-values, (p=\[.*\])")
    return np.allclose(found[0], storey_q([0.01, 0.2])[0])


@case
def a_share_of_nulls_above_1() -> Any:
    found = cured(storey_q, {"p": P, "pi0": 1.5}, r"for example (pi0=1)")
    return found[1] == 1 and np.allclose(found[0], cg.adjust(P, method="bh"))


@case
def an_unknown_share_of_nulls() -> Any:
    p = np.linspace(0.001, 1, 200)
    found = cured(
        storey_q,
        {"p": p, "pi0": "lambda"},
        r"is not one of ('\w+')",
        fill={"'bootstrap'": "pi0='bootstrap'"},
    )
    return found[1] == storey_q(p, pi0="bootstrap")[1]


# ---- selections and draws


@case
def a_mask_over_another_dim() -> Any:
    mask = xr.DataArray(np.arange(15) < 2, dims="motif")
    dims = cure_in(
        refusal(selected_intervals, many(), select=mask), r"give a mask over (.*)$"
    ).split(", ")
    found = selected_intervals(many(), select=mask.rename(motif=dims[0]))
    return found.sizes["contrast"] == 2


@case
def a_mask_of_fewer_effects() -> Any:
    n = number_in(
        refusal(selected_intervals, many(), select=np.ones(9, bool)),
        r"and the effects \((\d+), \d+\); give one for each",
    )
    select = np.arange(n) < 2
    return selected_intervals(many(), select=select).sizes["contrast"] == 2


@case
def a_mask_that_lacks_a_contrast() -> Any:
    names = many()["contrast"]
    mask = xr.DataArray(np.arange(15) < 2, {"contrast": names}, ["contrast"])
    said = refusal(selected_intervals, many(), select=mask.isel(contrast=slice(0, 9)))
    cure_in(said, r"(give one for each)")
    whole = mask.isel(contrast=slice(0, 9)).reindex(contrast=names, fill_value=False)
    return selected_intervals(many(), select=whole).sizes["contrast"] == 2


@case
def no_backgrounds() -> Any:
    words = cure_in(refusal(missed_share, 0), r"needs (at least one)$")
    return missed_share({"at least one": 1}[words]) == 1


@case
def a_share_of_backgrounds_above_1() -> Any:
    found = cured(missed_share_sentence, {"share": 1.5}, r"for example (share=0.01)")
    return found == missed_share_sentence(0.01)


@case
def an_unknown_statistic() -> Any:
    given = {"ice": ICE, "statistic": "t", "alternative": "two_sided", "rng": 0}
    said = refusal(sign_flip_max_t, **given)
    statistic, side = (
        cure_in(said, pattern) for pattern in (r"give '(\w+)'", r"and '([\w-]+)' or")
    )
    found = sign_flip_max_t(**given | {"statistic": statistic, "alternative": side})
    return np.array_equal(found.p_raw, sign_flip_max_t(ICE, rng=0).p_raw)


@case
def draws_too_few_for_a_level() -> Any:
    draws = np.random.default_rng(0).normal(size=(2, 99))
    given = {"observed": np.array([2.0, 1.0]), "ci_prob": 0.95, "exact": False}
    n = number_in(
        refusal(against_maxima, blocks=[draws[:, :9]], slack=1e-9, **given),
        r"take (\d+) or more",
    )
    found = against_maxima(blocks=[draws[:, :n]], slack=1e-9, **given)
    return np.isfinite(found.critical)


@case
def ice_of_one_contrast() -> Any:
    ice = ICE[:, 0]
    found = evaluated(sign_flip_max_t, {"ice": ice, "rng": 0}, r"(ice\[:, None\]) for")
    return 0 < sign_flip_max_t(found, rng=0).p_step_down[0] <= 1


@case
def clusters_by_name() -> Any:
    names = np.array([f"p{i // 2}" for i in range(12)])
    codes = evaluated(
        sign_flip_max_t,
        {"ice": ICE, "cluster": names, "rng": 0},
        r"none left out: (pandas.factorize\(names\)\[0\])",
        names=names,
    )
    found = sign_flip_max_t(ICE, codes, rng=0)
    right = sign_flip_max_t(ICE, np.arange(12) // 2, rng=0)
    return np.array_equal(found.p_raw, right.p_raw)


@case
def ice_as_text() -> Any:
    made = cure_in(refusal(sign_flip_max_t, ICE.astype(str)), r"; (give floats)$")
    found = sign_flip_max_t(ICE.astype(str).astype(made.removeprefix("give ")[:-1]))
    return np.array_equal(found.p_raw, sign_flip_max_t(ICE).p_raw)


@case
def ice_of_a_unit_that_is_a_word() -> Any:
    ice = ICE.astype(object)
    ice[3, 1] = "n.d."
    unit = number_in(
        refusal(sign_flip_max_t, ice),
        r"unit (\d+), contrast \d+: the ICE is 'n.d.'; leave the unit out",
    )
    found = sign_flip_max_t(np.delete(ice, unit, 0).astype(float))
    return np.array_equal(found.p_raw, sign_flip_max_t(np.delete(ICE, 3, 0)).p_raw)


@case
def a_number_of_draws_that_is_none() -> Any:
    found = cured(
        cg.simultaneous,
        {"estimates": estimates_of_units(), "method": "bootstrap_t", "n_draws": 2.5}
        | {"rng": 0},
        r"for example (n_draws=\S+)$",
    )
    return found.attrs["n_draws"] == 9_999


def estimates_of_units() -> xr.Dataset:
    from test_applied_cures import effects

    return effects().isel(task=[0])


@case
def too_few_draws() -> Any:
    n = number_in(
        refusal(
            cg.simultaneous,
            estimates_of_units(),
            method="bootstrap_t",
            n_draws=5,
            rng=0,
        ),
        r"n_draws=5 is too few .*take (\d+) or more",
    )
    found = cg.simultaneous(
        estimates_of_units(), method="bootstrap_t", n_draws=n, rng=0
    )
    return (found["lower"] < found["upper"]).all()


# ---- the maximum of correlated t, and placebos

R = np.array([[1.0, 0.5], [0.5, 1.0]])


@case
def a_correlation_that_is_not_square() -> Any:
    cure_in(refusal(equicoordinate, R[:1]), r"give a (square) matrix of numbers")
    return equicoordinate(R) > 1.9


@case
def statistics_of_fewer_contrasts() -> Any:
    said = refusal(multivariate_t_max, np.ones(3), R)
    cure_in(said, r"give (\(K,\) and \(G, K\))")
    found = multivariate_t_max(np.ones(R.shape[1]), R)
    return ((found.p_single_step > 0) & (found.p_single_step <= 1)).all()


@case
def degrees_of_freedom_below_0() -> Any:
    found = cured(
        multivariate_t_max,
        {"t": np.ones(2), "factor": R, "df": -1},
        r"example (df=\d+)",
    )
    right = multivariate_t_max(np.ones(2), R, df=20)
    return np.allclose(found.p_raw, right.p_raw)


@case
def a_level_above_1() -> Any:
    found = cured(
        multivariate_t_max,
        {"t": np.ones(2), "factor": R, "ci_prob": 95},
        r"for example (ci_prob=\S+)$",
    )
    return np.isclose(found.critical, multivariate_t_max(np.ones(2), R).critical)


@case
def a_contrast_without_variance() -> Any:
    t, factor = np.ones(3), np.column_stack([R, np.zeros(2)])
    k = number_in(
        refusal(multivariate_t_max, t, factor),
        r"contrast (\d+) has no variance, .*leave it out",
    )
    found = multivariate_t_max(np.delete(t, k), np.delete(factor, k, 1))
    return np.allclose(found.p_raw, multivariate_t_max(t[:2], R).p_raw)


def with_placebos(**coords: Any) -> xr.Dataset:
    draw = np.random.default_rng(1)
    found = cg.from_effects(
        draw.normal(size=81), se=np.full(81, 0.1), names=[f"c{i}" for i in range(81)]
    )
    return found.assign_coords(is_placebo=("contrast", np.arange(81) > 0), **coords)


@case
def placebos_of_two_classes() -> Any:
    table = with_placebos(
        placebo_class=("contrast", ["", *["GATA"] * 40, *["TAL"] * 40])
    )
    found = evaluated(
        placebo_region,
        {"estimates": table},
        r"select those of one, (estimates.sel\(contrast=.* == \.\.\.\))",
        fill={"...": "'GATA'"},
    )
    region = placebo_region(found)
    return int(region["n_placebos"]) == 40 and (region["lower"] < region["upper"]).all()


@case
def a_share_of_95() -> Any:
    found = cured(
        placebo_region, {"estimates": with_placebos(), "share": 95}, r"(share=0.95)"
    )
    return found.equals(placebo_region(with_placebos(), share=0.95))


@case
def ice_that_is_missing() -> Any:
    ice = np.where(np.arange(24).reshape(12, 2) == 7, np.nan, ICE)
    unit = number_in(
        refusal(sign_flip_max_t, ice), r"unit (\d+), contrast \d+: .*leave the unit out"
    )
    found = sign_flip_max_t(np.delete(ice, unit, 0))
    return np.array_equal(found.p_raw, sign_flip_max_t(np.delete(ICE, 3, 0)).p_raw)


@case
def a_statistic_that_is_missing() -> Any:
    t = np.array([1.0, np.nan])
    cure_in(refusal(multivariate_t_max, t, R), r"(leave the contrast out) or")
    has = np.isfinite(t)
    found = multivariate_t_max(t[has], R[:, has])
    return np.isclose(found.p_raw[0], 0.3173, atol=1e-3)


@case
def a_band_whose_ends_are_exchanged() -> Any:
    band = cg.simultaneous(many(), method="bonferroni")
    crossed = band.assign(lower=band["upper"], upper=band["lower"])
    verb = cure_in(
        refusal(rank_intervals, crossed), r"take the band as (cg\.\S+) returned"
    )
    found = rank_intervals(eval(verb, {"cg": cg})(many(), method="bonferroni"))
    return (found["rank_lower"] <= found["rank_upper"]).all()


@case
def p_values_in_lists_of_their_own() -> Any:
    said = refusal(cg.adjust, [[0.01], [0.2, 0.3]], method="holm")
    named = cure_in(said, r"give a list of p-values, such as (\[.*\])$")
    return np.allclose(cg.adjust(eval(named), method="holm"), [0.02, 0.2])


@case.each
def test_the_cure_of_a_family_of_tests_is_applied_and_succeeds(case):
    assert np.all(case())

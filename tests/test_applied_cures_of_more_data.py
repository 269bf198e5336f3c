"""Errors that more data, another name or the result of another call cures: what the
message asks for is drawn, named or made, and the same call answers.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import with_noise
from cures import Cases, arguments, cure_in, refusal
from test_across_tasks import estimates_of
from test_applied_cures import (
    ARMS,
    ORACLE,
    PLAIN,
    STRINGS,
    design,
    effects,
    estimates,
    many,
    outcomes,
    parallel,
    run,
)
from test_applied_cures_of_the_bench import fitted, library as ordered, simulated

import causalgia as cg
from causalgia.estimation import (
    from_effects,
    from_incomplete,
    variance_components,
)
from causalgia.estimation.joint_tests import interaction_across_scales
from causalgia.estimation.lines import errors_in_variables, weighted_line
from causalgia.estimation.standard_errors import regress
from causalgia.experiments import across_predictors
from causalgia.experiments._null_models import agreement
from causalgia.mpra.formats.text_tables import LAYOUTS, read_table
from causalgia.multiplicity.matched_ranks import match_strata
from causalgia.posterior.error_covariance import as_usable_se
from causalgia.posterior.posterior_tree import tree_datasets, tree_group
from causalgia.sequences.variant_files import InfoField, annotated_vcf
from causalgia.trial.setup import TrialSetup
from causalgia.verdicts.posterior_evidence import _as_draws

pytestmark = pytest.mark.rotating(6)

case = Cases()
ex, mpra = cg.experiments, cg.mpra


def with_more(call: Callable[[Any], Any], few: Any, more: Any, cure: str) -> Any:
    """Call with too few, be refused as `cure` says, and call with more."""
    assert cure_in(refusal(call, few), rf"({cure})")
    return call(more)


def of_one_unit() -> xr.Dataset:
    return effects().isel(unit=[0])


# ---- more units


@case
def estimates_of_one_unit() -> Any:
    """One unit has no error, whichever verb asks for it."""
    for call, cure in {
        cg.estimation.covariance: "one unit gives none; use more units$",
        partial(cg.adjust, method="holm"): "; use more units$",
        as_usable_se: "one unit gives none; draw more units$",
    }.items():
        few, more = cg.estimate(of_one_unit()), cg.estimate(effects())
        assert with_more(call, few, more, cure) is not None
    return True


@case
def components_of_one_unit() -> Any:
    found = with_more(
        partial(variance_components, control="none"),
        outcomes().isel(unit=[0]),
        outcomes(),
        "1 unit gives no variance; draw more units$",
    )
    return len(found.data_vars) > 0


@case
def scales_of_one_unit() -> Any:
    few = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.exp(np.arange(8.0)).reshape(2, 4, 1))},
        coords={
            "arm": ["0", "A", "B", "AB"],
            "a": ("arm", [0, 1, 0, 1]),
            "b": ("arm", [0, 0, 1, 1]),
            "task": ["K562"],
        },
    )
    call = partial(interaction_across_scales, interaction=["a", "b"])
    cure = "so nothing is known of other scales; draw more units$"
    found = with_more(call, few.isel(unit=[0]), few, cure)
    named = cure_in(
        refusal(call, few, scales=["identity"]),
        r"two or more different scales, such as ('.*')$",
    )
    return found.equals(call(few, scales=list(eval(named))))


@case
def one_cluster_of_a_coefficient() -> Any:
    def fitted(clusters: int) -> Any:
        n = 3 * clusters
        y, of = np.arange(float(n))[:, None] ** 2, np.repeat(range(clusters), 3)
        return regress(np.ones((n, 1)), y, np.ones(1), of, kind="CR2")

    return (
        with_more(fitted, 1, 4, "its spread is unknown; use more clusters$") is not None
    )


@case
def few_units_of_covariates() -> Any:
    table = cg.contrast(parallel(), control="none")
    x = np.random.default_rng(0).normal(size=(2, table.sizes["unit"]))
    table = table.assign_coords(x=("unit", x[0]), z=("unit", x[1]))
    arm = table["assigned"].to_numpy()
    few = table.isel(
        unit=np.r_[np.flatnonzero(arm != "GATA"), np.flatnonzero(arm == "GATA")[:3]]
    )
    call = partial(cg.estimate, covariates=("x", "z"))
    found = with_more(call, few, table, "use fewer covariates or more units$")
    fewer = cg.estimate(few, covariates=("x",))
    return np.isfinite(found["se"]).all() and np.isfinite(fewer["se"]).all()


@case
def a_control_that_does_not_vary() -> Any:
    alike = outcomes().copy(deep=True)
    alike["outcome"][:, list(alike["arm"].values).index("none")] = 1.0
    call = partial(cg.decide, rope="0.2 sd")
    few = cg.estimate(cg.contrast(alike, control="none"))
    return "verdict" in with_more(call, few, estimates(), "use more units, or give")


@case
def checks_of_one_unit() -> Any:
    given = {"rng": 0, "control": "none", "checks": ["identical_arms"]}
    text = refusal(cg.refute, run(design(n_units=1)), ORACLE, **given)
    more = arguments(cure_in(text, r"run it with more, (n_units=\d+)$"))
    return cg.refute(run(design(**more)), ORACLE, **given) is not None


@case
def a_rule_that_meets_one_parent() -> Any:
    given = {"until": cg.Precision(half_width=100)}

    def of(parents: list[str]) -> Any:
        null = cg.DinucleotideShuffle(of=parents)
        return run(design(null=null, n_units=300), **given)

    found = with_more(of, STRINGS[:1], STRINGS, "draw more parents$")
    return "stopped" in found.attrs


@case
def an_experiment_on_one_sequence() -> Any:
    def of(strings: list[str]) -> Any:
        null = cg.Genomic(of=strings, n_draws=5)
        return ex.knock_in(null, motif="AGATAAG", placebo="ACCTCCG")

    return with_more(of, STRINGS[:1], STRINGS[:2], "two sequences or more$").n_units > 2


@case
def backgrounds_that_proposed() -> Any:
    null = cg.Uniform(length=60)
    oracle = cg.zoo.oracle("pairs_like")
    same = cg.attribution.interactions(
        null.sample(12, rng=4), oracle, positions=range(20, 30)
    )
    same = same.assign(ice=same["ice"] * 0 + (abs(same["second"] - same["first"]) > 7))
    trial = ex.site_pairs(same, null, n_units=12, rope=(-0.1, 0.1))
    text = refusal(trial.analyze, cg.run(trial, oracle, rng=4))
    seed = arguments(cure_in(text, r"another one, (rng=\d+)$"))
    return trial.analyze(cg.run(trial, oracle, **seed)) is not None


@case
def clusters_that_are_too_few_to_resample() -> Any:
    few, simultaneous = effects().isel(unit=slice(4)), cg.multiplicity.simultaneous
    for call in (simultaneous, cg.adjust):
        resampled = partial(call, method="bootstrap_t", rng=0)
        text = refusal(resampled, few)
        least = int(cure_in(text, r"resample: (\d) or more are needed; draw more, or"))
        assert resampled(effects().isel(unit=slice(least))) is not None
        named = arguments(cure_in(text, r", or use (method='dunnett')$"))
        exact = call(few, **named)
        assert (exact["ace"] == cg.estimate(few)["ace"]).all()
    return (exact["p_adjusted"] >= cg.estimate(few)["p"] - 1e-12).all()


@case
def degrees_of_freedom_that_are_too_few_to_integrate() -> Any:
    def of(df: float) -> xr.Dataset:
        alike = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
        return cg.from_effects([0.0, 1.0, 4.0], covariance=alike, df=df)

    for call in (cg.multiplicity.simultaneous, cg.adjust):
        for df in (0.02, 0.09):
            text = refusal(call, of(df), method="dunnett")
            named = arguments(cure_in(text, r"draw more units, or use (method=.*)$"))
            wide = call(of(df), **named)
            assert np.isfinite(wide["ace"]).all()
        exact = call(of(30), method="dunnett")
    return (exact["p_adjusted"] <= call(of(30), **named)["p_adjusted"]).all()


def means(n: int, sign: float = 1.0) -> xr.Dataset:
    """Return outcomes whose control is near 0 where there are few units."""
    draw = np.random.default_rng(0)
    y = [draw.normal(m, 2, n) for m in (1.5, 4.5, 3 * sign)]
    return xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.stack(y, 1)[:, :, None])},
        coords={"arm": ["none", "placebo", "GATA"], "task": ["K562"]},
    )


@case
def a_ratio_without_limits_in_a_family() -> Any:
    def of(outcomes: xr.Dataset, scale: str = "ratio") -> xr.Dataset:
        return cg.contrast(outcomes, control="none", scale=scale)

    band = partial(cg.multiplicity.simultaneous, method="dunnett")
    few, negative = of(means(20)), of(means(400, sign=-1))
    text = refusal(band, few)
    found = [band(of(means(400)))]
    assert cure_in(text, r"; or (draw more units), or use scale=")
    for place in (
        r"Use (scale='identity'), leave",
        r", or use (scale='log_of_means')$",
    ):
        found.append(band(of(means(20), **arguments(cure_in(text, place)))))
    for table, made in ((few, means(20)), (negative, means(400, sign=-1))):
        text = refusal(band, table)
        name = cure_in(text, r"^contrast (\w+): ")
        if name == "GATA":  # the other one has limits
            found.append(band(table.drop_sel(contrast=name)))
        call = cure_in(text, r"adjust p: (cg\.adjust\(estimates, method='holm'\))")
        held = eval(call, {"cg": cg, "estimates": cg.estimate(table)})
        assert np.isfinite(held["p_adjusted"]).all()
        found.append(band(of(made, "identity")))
    return [bool((one["lower"] < one["upper"]).all()) for one in found]


@case
def a_pilot_of_an_unclear_ratio() -> Any:
    def plan(outcomes: xr.Dataset, scale: str = "ratio") -> Any:
        effects = cg.contrast(outcomes, control="none", scale=scale)
        return cg.sample_size(effects, half_width=0.2)["n_units"]

    text = refusal(plan, means(20))
    assert cure_in(text, r"nothing can be predicted .*; (draw more units), or")
    assert (plan(means(400)) > 20).all()
    scales = re.findall(r"scale='(\w+)'", text)
    assert scales == ["log_of_means", "identity"]
    assert all((plan(means(20), scale) > 20).all() for scale in scales)
    # no number of units, and no logarithm, mends a ratio below 0
    text = refusal(plan, means(400, sign=-1))
    named = arguments(cure_in(text, r"no logarithm to plan on; contrast with (.*)$"))
    return (plan(means(400, sign=-1), **named) > 20).all()


@case
def effects_that_no_float_squares() -> Any:
    def table(effects: list[float], se: float = 0.5) -> xr.Dataset:
        return cg.from_effects(effects, se=se, names=list("abcd")[: len(effects)])

    infer = partial(cg.infer, rng=0)
    text = refusal(infer, table([1e151, 5e150, 3e150, 0.0], 5e149))
    assert cure_in(text, r"; give effects and standard errors in (another unit), or")
    found = infer(table([10, 5, 3, 0.0]))["moments"]["mean"]  # in units of 1e150
    assert np.allclose(found.squeeze(), [10, 5, 3, 0], atol=0.2)
    odd = table([10, 5, 3, 1e160])
    text = refusal(infer, odd)
    name = cure_in(
        text, r"contrast (d): .* square of their ratio; leave the contrast out$"
    )
    left = infer(odd.drop_sel(contrast=name))["moments"]["mean"]
    return np.allclose(left, infer(table([10, 5, 3]))["moments"]["mean"])


# ---- more elements, points and parents


@case
def points_of_a_vertical_line() -> Any:
    x, y = np.tile([-1.0, 1.0], 10), np.repeat([-1.0, 1.0], 10)

    def fit(apart: Any) -> Any:
        return errors_in_variables(
            apart * x,
            y + apart * x,
            y_covariance=np.full(20, 0.5),
            x_covariance=np.full(20, 4.0),
        )

    found = with_more(fit, 1e-3, 10, "give points farther apart$")
    return np.isfinite(found.slope)


@case
def parents_of_a_line() -> Any:
    draw = np.random.default_rng(0).normal(size=12)

    def fit(parents: int) -> Any:
        x = np.arange(12.0)
        return weighted_line(x, x + draw, None, np.arange(12) % parents)

    cure = "2 parents give no standard error of a line; take elements of three or more$"
    return with_more(fit, 2, 3, cure) is not None


def virtual_and_measured(n: int, parents: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(1)
    x = draw.normal(size=n)
    names = {"element": [f"u{i}" for i in range(n)], "contrast": "c", "se": 0.1}
    if parents:
        names["parent"] = [f"p{i % parents}" for i in range(n)]
    virtual = pd.DataFrame({**names, "effect": x + 0.1 * draw.normal(size=n)})
    measured = pd.DataFrame({**names, "effect": x + 0.1 * draw.normal(size=n)})
    return virtual, measured


@case
def few_elements_of_both_trials() -> Any:
    def compare(n: int) -> Any:
        return mpra.concordance(*virtual_and_measured(n))

    cure = "order a library of more backgrounds, which has more elements$"
    return with_more(compare, 8, 30, cure) is not None


@case
def elements_of_two_parents() -> Any:
    def compare(parents: int) -> Any:
        return mpra.concordance(*virtual_and_measured(30, parents))

    cure = "2 parents give no standard error.*; take elements of three or more$"
    return with_more(compare, 2, 5, cure) is not None


@case
def nulls_of_a_stratum() -> Any:
    def matched(n: int, names: tuple[str, ...] = ("context", "length")) -> Any:
        keys = [[0, 0][: len(names)], [0, 1][: len(names)]]
        return match_strata(keys, list(names), np.repeat([0, 1], n), least=10)

    found = with_more(matched, 18, 60, "draw more nulls")
    text = refusal(matched, 18)
    assert cure_in(text, r"or leave '(length)' out of match=$") == "length"
    pooled = matched(18, ("context",))
    assert "match=" not in refusal(matched, 5), "all of them are too few"
    return len(found.nulls[0]) == 60 and len(pooled.nulls[0]) == 36


# ---- another name


@case
def a_field_that_is_named_twice() -> Any:
    variant = cg.sequences.Variant("chr1", 3, "A", "C", "v")

    def make(name: Any) -> Any:
        return annotated_vcf(
            [variant],
            [InfoField("a", "Float", "d", [1.0]), InfoField(name, "Float", "d", [2.0])],
        )

    text = with_more(make, "a", "b", "two INFO fields are called 'a'; rename one$")
    return "a=1;b=2" in text


@case
def a_contrast_of_arms_of_two_families() -> Any:
    arms = [
        cg.Arm(name, do, {"class": of})
        for (name, do), of in zip(ARMS.items(), ("none", "few", "many"), strict=True)
    ]
    plan = cg.Analysis(
        contrasts={"x": {"GATA": 0.5, "placebo": 0.5, "none": -1}},
        rope=0,
        family="class",
    )
    table = run(design(arms=arms))
    text = refusal(cg.analyze, table, plan, rng=0)
    assert cure_in(text, r"(give the family of each contrast as a coordinate), or")
    made = cg.contrast(table, contrasts=plan.contrasts)
    made = made.assign_coords({"class": ("contrast", ["both"])})
    first = cg.adjust(cg.estimate(made), method="holm", family="class")
    name = cure_in(text, r", or leave (\w+) out$")
    second = cg.analyze(table, replace(plan, **{name: None}), rng=0)
    return np.array_equal(first["ace"], second["ace"])


@case
def measurements_that_are_twice() -> Any:
    rows = [(u, a, d, u + d) for u in range(6) for a in "cx" for d in (0.0, 1.0)]
    table = pd.DataFrame(rows, columns=["unit", "arm", "draw", "y"])
    table["y"] += (table["arm"] == "x") * (1 + table["unit"] / 10)
    given = {"unit": "unit", "arm": "arm", "outcome": "y", "control": "c"}
    call = partial(from_incomplete, **given)
    assert cure_in(refusal(call, table), r"more than once; (average them)")
    mean = table.groupby(["unit", "arm"], as_index=False)["y"].mean()
    return np.isclose(call(mean)["ace"].item(), 1.25, atol=1e-6)


@case
def contrasts_that_are_in_one_null_model() -> Any:
    four = cg.from_effects([1.0, 2.0, 3.0, 4.0], se=0.1, names=list("abcd"))
    found = {"x": four, "y": four.isel(contrast=[0, 1, 3])}
    name = cure_in(
        refusal(agreement, found), r"contrast '(\w)' is not .*; select the same$"
    )
    same = {k: one.drop_sel(contrast=name, errors="ignore") for k, one in found.items()}
    return agreement(same) is not None


@case
def covariates_by_names_that_are_taken() -> Any:
    table = pd.DataFrame(
        {
            "seq": list(STRINGS[:6]) * 2,
            "arm": ["c"] * 6 + ["x"] * 6,
            "y": np.arange(12.0),
        }
    )
    given = {"outcome": "y", "arm": "arm", "unit": "seq", "control": "c"}

    def read(name: str) -> Any:
        return cg.from_frame(
            table.assign(**{name: [0.1, 0.3, 0.2, 0.6, 0.5, 0.4] * 2}),
            **{k: v for k, v in given.items() if k != "control"},
            covariates=[name],
        )

    return "length" in with_more(read, "model", "length", "rename the column$")


@case
def strings_that_are_given_twice() -> Any:
    text = refusal(ex.kmer_screen, PLAIN, motifs=["ACGT", "TTTT", "ACGT"], n_units=9)
    name = cure_in(text, r"motifs: (\w+) is given twice; name each string once$")
    once = [*dict.fromkeys(["ACGT", "TTTT", name])]
    return ex.kmer_screen(PLAIN, motifs=once, n_units=9).n_units == 9


@case
def affinities_of_one_motif_in_two_spellings() -> Any:
    given = {"motifs": ["UGCAUGU", "UGUAUGU", "UACAUGU"], "n_units": 9}
    kd = {"UGCAUGU": 0.8, "UGUAUGU": 280.0, "UACAUGU": 350.0}
    text = refusal(ex.affinity, **given, kd=kd | {"TGCATGT": 0.8})
    alike = cure_in(
        text, r"(\w+ and \w+) are one motif \(U is T\); name each motif once$"
    )
    second = alike.split(" and ")[1]
    once = {k: v for k, v in (kd | {"TGCATGT": 0.8}).items() if k != second}
    return ex.affinity(**given, kd=once).n_units == 9


@case
def fills_that_are_given_twice() -> Any:
    sited = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:3]]
    given = {"sequences": sited, "motif": "AGATAAG"}
    text = refusal(ex.occlusion, **given, fills=["uniform", "uniform"])
    fills = eval(cure_in(text, r"different fills, such as (\[.*\])$"))
    return ex.occlusion(**given, fills=fills).n_units > 0


@case
def elements_without_what_names_them() -> Any:
    virtual, measured = virtual_and_measured(30, 5)
    wrongs: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.DataFrame]]] = {
        "no column 'effect', only .*; rename it$": (
            measured.rename(columns={"effect": "logFC_of_mine"}),
            lambda table: table.rename(columns={"logFC_of_mine": "effect"}),
        ),
        "the parent of element 'u0' is empty; name it, or": (
            measured.assign(parent=[None, *measured["parent"][1:]]),
            lambda table: table.assign(parent=measured["parent"]),
        ),
        "is empty; name it, or drop the column$": (
            measured.assign(parent=[None, *measured["parent"][1:]]),
            lambda table: table.drop(columns="parent"),
        ),
        "df of element 'u0' is 0.0; correct it$": (
            measured.assign(df=[0.0, *np.full(29, 9.0)]),
            lambda table: table.assign(df=9.0),
        ),
    }
    for cure, (wrong, mend) in wrongs.items():
        assert cure_in(refusal(mpra.concordance, virtual, wrong), f"({cure})")
        assert mpra.concordance(virtual, mend(wrong)) is not None
    return True


@case
def activities_whose_arms_are_not_text() -> Any:
    table = pd.DataFrame({"element": ["a", "a"], "arm": ["x", 0.5], "log2": [1.0, 2.0]})
    call = partial(mpra.simulate, n_replicates=2, n_barcodes=5, rng=0)
    named = table.assign(arm=["x", "y"])
    found = with_more(call, table, named, "arm 0.5 is not text; name each arm$")
    text = refusal(call, named, n_barcodes=0)
    least = int(cure_in(text, r"no oligo a barcode; give (\d) or more to some oligo$"))
    return found is not None and call(named, n_barcodes=least) is not None


@case
def a_truth_without_names() -> Any:
    from causalgia.calibration._calibrate import _check_truth

    truth = xr.DataArray([[0.5]], dims=("contrast", "task"), coords={"task": ["K562"]})
    name = cure_in(
        refusal(_check_truth, truth), r"no coordinate (\w+); name each contrast$"
    )
    return _check_truth(truth.assign_coords({name: ["GATA"]})) is None


@case
def names_that_are_one_once_they_are_text() -> Any:
    from causalgia.effects.contrast_weights import as_unique

    call = partial(as_unique, what="contrasts")
    return with_more(call, ["1", "1"], ["1", "2"], "once they are text; rename them$")


@case
def a_covariate_of_units_that_is_named_twice() -> Any:
    gc = np.random.default_rng(0).uniform(size=effects().sizes["unit"])
    table = effects().assign_coords(gc=("unit", gc))
    call = partial(cg.estimation.modification, table)
    named = arguments(cure_in(refusal(call, by=["gc", "gc"]), r"such as (by='gc')"))
    return "slope" in call(**named)


@case
def a_covariance_that_none_has() -> Any:
    table = cg.from_effects(
        [1.0, 2.0], covariance=np.diag([1.0, 2.0]), names=["a", "b"]
    )
    odd = table.copy(deep=True)
    odd["covariance"][{"contrast": 0, "contrast_": 1}] = 3.0
    odd["covariance"][{"contrast": 1, "contrast_": 0}] = 3.0
    call = partial(cg.multiplicity.simultaneous, method="dunnett")
    text = refusal(call, odd)
    verb = cure_in(text, r"take it as (cg\.estimate) gave it, or repair it")
    two = eval(verb, {"cg": cg})(effects().sel(task=["K562"]))
    return call(two) is not None and call(table) is not None


@case
def a_control_beside_contrasts() -> Any:
    oracle, trial = cg.zoo.oracle("additive"), design()
    given = {"control": "none", "contrasts": {"x": {"GATA": 1, "none": -1}}}
    text = refusal(oracle.true_ace, trial, **given)
    names = cure_in(text, r"give (control= or contrasts=), not both").split(" or ")
    found = [oracle.true_ace(trial, **{n[:-1]: given[n[:-1]]}) for n in names]
    return found[0].sel(contrast="GATA").values == found[1].sel(contrast="x").values


@case
def draws_with_another_dim() -> Any:
    right = tree_group(cg.infer(estimates(), rng=0), "posterior", "ace")["ace"]
    text = refusal(_as_draws, right.rename(contrast="motif"), 0.95)
    name = cure_in(text, r"rename the dim of your effects to '(\w+)', and pick")
    again = _as_draws(right.rename(contrast="motif").rename(motif=name), 0.95)
    more = right.expand_dims(model=2)
    cure = r"and (pick one of every other)$"
    assert cure_in(refusal(_as_draws, more, 0.95), cure)
    one = _as_draws(more.isel(model=0), 0.95)
    return again.equals(one)


@case
def a_column_with_a_name_of_the_library() -> Any:
    wrong = estimates().assign_coords(
        kind=("contrast", ["a"] * estimates().sizes["contrast"])
    )
    text = refusal(cg.infer, wrong, rng=0)
    new = arguments(cure_in(text, r"another name: \.rename\((kind=.*)\)$"))
    found = cg.infer(wrong.rename(new), family=new["kind"], rng=0)
    return "ace" in found["posterior"]


@case
def tasks_of_a_posterior_that_are_not_compared() -> Any:
    text = refusal(cg.plot.sharing, cg.infer(estimates(), rng=0))
    several = estimates_of("equal", n=20, size=2)[1]
    found = eval(cure_in(text, r"(cg\.infer\(.*\))$"), {"cg": cg, "estimates": several})
    return len(cg.plot.sharing(found).images) == 1


@case
def a_limit_that_does_not_help() -> Any:
    split = partial(cg.planning.cheapest_split, half_width=1e-3)
    limits = {"max_parents": 10, "max_units_per_parent": 3}
    name = cure_in(refusal(split, effects(), **limits), r": raise (\w+)$")
    return split(effects(), **limits | {name: None})["n_units"].min() > 10


@case
def a_law_for_a_posterior() -> Any:
    posterior = cg.infer(many(), rng=0)
    given = {"rope": (-0.1, 0.1), "shrink": cg.Shrinkage(law="normal")}
    text = refusal(cg.decide, posterior, **given)
    call = cure_in(text, r"(cg\.infer\(.*\))$")
    found = eval(call, {"cg": cg, "estimates": many()})
    return cg.decide(found, rope=given["rope"]).sizes["contrast"] == 15


@case
def one_file_of_no_trial() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = str(cg.store.save(estimates(), f"{folder}/mine.nc"))
        text = refusal(cg.open, path)
        found = eval(cure_in(text, r"is read by (cg\.store\..*)$"), {"cg": cg})
        tree = cg.store.read_tree(path)
    assert np.array_equal(tree["ace"], found["ace"])
    return np.array_equal(found["ace"], estimates()["ace"])


@case
def a_constant_covariate() -> Any:
    wrong = many().assign_coords(
        at=("contrast", np.arange(15.0)), gc=("contrast", np.full(15, 0.4))
    )
    names, given = ["at", "gc"], {"rng": 0}
    text = refusal(cg.infer, wrong, covariates=names, **given)
    left_out = cure_in(text, r"covariate '(\w+)' is constant .*; leave it out of")
    names.remove(left_out)
    return "ace" in cg.infer(wrong, covariates=names, **given)["posterior"]


@case
def variables_of_other_dims() -> Any:
    turned = outcomes()["outcome"].transpose("arm", "unit", "task")
    call = partial(cg.contrast, control="none")
    wrong = outcomes().assign(outcome=turned)
    right = outcomes().assign(outcome=turned.transpose("unit", "arm", "task"))
    found = with_more(call, wrong, right, "transpose or rename them$")
    return found["ice"].equals(effects()["ice"])


@case
def families_without_a_coordinate() -> Any:
    table = many()
    text = refusal(cg.adjust, table, method="hierarchical")
    name = cure_in(text, r"name the coordinate on contrast that makes them with (\w+)=")
    size = table.sizes["contrast"]
    table = table.assign_coords(motif=("contrast", [f"m{i % 2}" for i in range(size)]))
    return "p_adjusted" in cg.adjust(table, method="hierarchical", **{name: "motif"})


# ---- the result of another call


@case
def a_covariance_of_other_columns() -> Any:
    v = xr.DataArray(np.diag([4.0, 9.0, 1.0]), dims=("x", "y"))
    text = refusal(aligned_covariance_of, v[:2])
    assert cure_in(text, r"select on both: (isel\(x=\.\.\., y=\.\.\.\))$")
    assert aligned_covariance_of(v.isel(x=[0, 1], y=[0, 1])).shape == (2, 2)
    named = v.assign_coords(x=list("abc"), y=list("abc"))
    text = refusal(aligned_covariance_of, named.sel(y=["a", "b"]))
    assert cure_in(text, r"no column; (select the same on both)$")
    both = named.sel(x=["a", "b"], y=["a", "b"])
    return np.array_equal(aligned_covariance_of(both), np.diag([4.0, 9.0]))


def aligned_covariance_of(matrix: xr.DataArray) -> xr.DataArray:
    from causalgia.estimation.given_effects import aligned_covariance

    return aligned_covariance(matrix, "x", "y")


@case
def components_of_estimates() -> Any:
    text = refusal(variance_components, estimates())
    verb = cure_in(text, r"give the effects of (cg\.contrast) behind them$")
    made = eval(verb, {"cg": cg})(outcomes(), control="none")
    return variance_components(made) is not None


@case
def a_posterior_of_another_kind() -> Any:
    made = cg.infer(estimates(), rng=0)
    for call, wrong, cure in (
        (tree_datasets, 5, r"not an int; take one from (cg\.infer)$"),
        (
            lambda tree: tree_group(tree, "posterior", "ace"),
            {"prior": xr.Dataset()},
            r"only prior; take one from (cg\.infer)$",
        ),
    ):
        verb = cure_in(refusal(call, wrong), cure)
        assert call(eval(verb, {"cg": cg})(estimates(), rng=0)) is not None
    group = tree_group(made, "posterior", "ace")
    odd = {"posterior": group.rename(ace="effect")}
    name = cure_in(
        refusal(tree_group, odd, "posterior", "ace"), r"or rename yours to '(\w+)'$"
    )
    right = {"posterior": odd["posterior"].rename(effect=name)}
    return tree_group(right, "posterior", "ace")["ace"].equals(group["ace"])


@case
def estimates_in_place_of_units_that_are_weighted() -> Any:
    tip = partial(cg.tipping_point, rope=(-0.1, 0.1))
    text = refusal(tip, estimates())
    run_, made = re.findall(r"(cg\.\w+)", text)
    given = {"outcomes": outcomes(), "table": effects()}
    assert eval(run_, {"cg": cg}) is cg.run
    made = eval(f"{made}(outcomes, control='none')", {"cg": cg} | given)
    found = tip(made)
    return found.equals(tip(outcomes(), control="none"))


@case
def positions_whose_correlation_is_not_known() -> Any:
    draw = np.random.default_rng(0)
    ice = draw.normal(size=(30, 1, 1, 1)) + 0.5 * draw.normal(size=(30, 1, 6, 1))
    made = xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task"), ice)},
        {"contrast": ["GATA"], "position": range(6), "task": ["K562"]},
    )
    band = partial(cg.simultaneous, over="position", rng=0)
    text = refusal(band, cg.estimate(made).drop_vars("factor"))
    verb = cure_in(text, r"give estimates from (cg\.estimate\(effects\)), or")
    found = band(eval(verb, {"cg": cg, "effects": made}))
    assert cure_in(text, r", or the effects from (cg\.contrast)$")
    return found.equals(band(made))


@case
def estimates_near_the_least_float() -> Any:
    band = partial(cg.multiplicity.simultaneous, method="dunnett")
    tiny = effects().assign(ice=effects()["ice"] * 1e-200)
    text = refusal(band, cg.estimate(tiny))
    assert cure_in(text, r"; measure the outcome in a (smaller unit), or")
    right = band(estimates())["critical"]
    assert np.allclose(band(cg.estimate(effects()))["critical"], right, rtol=1e-6)
    assert cure_in(text, r", or give the effects from (cg\.contrast)$")
    return np.allclose(band(tiny)["critical"], right, rtol=1e-6)


@case
def components_of_instances_in_a_split() -> Any:
    table = effects().assign_coords(motif=("contrast", ["x"] * 2))
    split = partial(cg.planning.cheapest_split, half_width=0.5)
    text = refusal(split, variance_components(table, instance="motif"))
    assert cure_in(text, r"component '(instance)' has no place")
    call = cure_in(text, r"components without others, (cg\..*\(effects\))$")
    found = split(eval(call, {"cg": cg, "effects": table}))
    assert cure_in(text, r"give (the effects), or")
    return found.equals(split(table))


@case
def a_check_of_a_predictor_by_name() -> Any:
    refute = partial(cg.refute, outcomes(), rng=0, control="none")
    text = refusal(refute, "net 0")
    kind = cure_in(text, r"give the one of the trial, such as a (cg\.\w+), or")
    assert issubclass(eval(kind, {"cg": cg}), cg.predict.Predictor)
    both = refute(ORACLE, checks=["strand", "degenerate_draws"])
    given = eval(cure_in(text, r", or (None) for the checks that predict nothing$"))
    alone = refute(given, checks=["strand", "degenerate_draws"])
    assert both["check"].values.tolist() == ["strand", "degenerate draws"]
    return alone["check"].item() == "degenerate draws" and alone["status"] == "pass"


@case
def groups_of_a_posterior_without_names() -> Any:
    tree = cg.infer(many(), rng=0)
    named = {name: tree[name].to_dataset() for name in tree.children}
    groups = {
        name: one.isel(contrast=slice(12)) if name == "posterior" else one
        for name, one in named.items()
    }
    bare = {name: one.drop_vars("contrast") for name, one in groups.items()}
    decide = partial(cg.decide, rope=(-0.5, 0.5))
    right = decide(tree)["verdict"].to_numpy()[:12]
    text = refusal(decide, xr.DataTree.from_dict(bare))
    assert cure_in(text, r"; (select the same in all), or leave them out$")
    same = {name: one.isel(contrast=slice(12)) for name, one in bare.items()}
    assert (decide(xr.DataTree.from_dict(same))["verdict"] == right).all()
    groups = cure_in(
        text, r"in the posterior: ([\w', ]*) \(15 on 'contrast' for the 12 "
    )
    left = {name: one for name, one in bare.items() if name not in groups}
    assert {*bare} - {*left} == {"observed_data", "constant_data", "moments"}
    return (decide(xr.DataTree.from_dict(left))["verdict"] == right).mean() > 0.8


@case
def coefficients_of_two_equations() -> Any:
    class Fit:
        params = np.array([[1.0, 2.0], [0.5, 0.1]])

        def cov_params(self) -> Any:
            return np.diag([0.1, 0.2, 0.3, 0.4])

    text = refusal(from_effects, Fit())
    assert cure_in(text, r"give the effects of (one equation) as arrays, with")
    name = cure_in(text, r", with (covariance)=$")
    found = from_effects(Fit.params[:, 0], **{name: np.diag([0.1, 0.2])})
    return np.allclose(found["se"].squeeze(), np.sqrt([0.1, 0.2]))


@case
def one_predictor_of_one_task() -> Any:
    def compared(members: list[xr.Dataset]) -> Any:
        return across_predictors(
            dict(zip("ab", members, strict=False)), contrast="GATA"
        )

    trial = design(contrasts={"GATA": {"GATA": 1, "none": -1}})
    one, other = (run(trial).sel(task=[task]) for task in ("K562", "HepG2"))
    return with_more(compared, [one], [one, other], "; give two or more$") is not None


# ---- the bench


def power(**given: Any) -> Any:
    settings = {"n_replicates": 3, "sd_barcode": 0.5, "tau": 0.5, "n_backgrounds": 30}
    settings |= {"sd_replicate": 0.15, "sd_count": 0.5}
    return mpra.power(0.5, **with_noise(settings | given))


@case
def barcodes_that_are_lost() -> Any:
    def of(n: int) -> Any:
        return power(n_barcodes=n, recovery=0.7)

    def of_backgrounds(n: int, n_barcodes: int = 3) -> Any:
        return power(n_backgrounds=n, n_barcodes=n_barcodes, recovery=0.3)

    cure = "plan more backgrounds, or more barcodes$"
    found = [
        with_more(of, 1, 10, "the 2 barcodes that it needs; plan more of them$"),
        with_more(of_backgrounds, 3, 100, cure),
        of_backgrounds(3, n_barcodes=30),
    ]
    return [bool((one["se"] > 0).all()) for one in found]


@case
def flanks_in_one_text() -> Any:
    from causalgia.mpra.comparisons._virtual_trial import _add_flanks

    inserts = np.array(["ACGT", "TTTT"])
    text = refusal(_add_flanks, inserts, "ACGT")
    named = eval(cure_in(text, r"to the right: (\('ACGT', 'ACGT'\))$"))
    return _add_flanks(inserts, named).shape == (2, 12)


@case
def barcodes_that_are_too_short() -> Any:
    text = refusal(mpra.BarcodeRules, length=4, min_distance=5)
    name = cure_in(text, r"make barcodes longer \((\w+)=\)$")
    return mpra.BarcodeRules(**{name: 12}, min_distance=5).length == 12


@case
def inserts_that_adapters_leave_no_room() -> Any:
    def of(length: int) -> Any:
        return ordered(
            oligo_length=length,
            design=cg.Design(null=cg.Uniform(length=160), arms=ARMS, n_units=6),
        )

    return (
        with_more(of, 30, 200, "leaves no insert: .*; order longer oligos$") is not None
    )


@case
def controls_with_the_names_of_the_library() -> Any:
    taken = str(ordered()["oligo_name"].values[0])
    letters = ordered()["insert"].values.astype(str)[0][::-1]

    def of(name: str) -> Any:
        return ordered(controls=mpra.Controls(positives={name: letters}))

    cure = "[:;] rename (?:it|the control)$"
    found = [with_more(of, one, "mine", cure) for one in (taken, "u0", "1 odd name")]
    return ["mine" in one["element"] for one in found]


@case
def an_arm_with_the_name_of_controls() -> Any:
    def of(name: str) -> Any:
        arms = {name: cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
        trial = cg.Design(null=cg.Uniform(length=160), arms=arms, n_units=4)
        return ordered(design=trial, controls=mpra.Controls(n_scrambles=3))

    found = with_more(
        of, "scramble", "plain", "rename the arm, or order none of those$"
    )
    arms = {"scramble": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
    trial = cg.Design(null=cg.Uniform(length=160), arms=arms, n_units=4)
    bare = ordered(design=trial, controls=mpra.Controls(n_scrambles=0))
    return found.sizes["row"] == bare.sizes["row"] + 3


@case
def barcodes_and_replicates_that_repeat_nothing() -> Any:
    more = simulated(noise=mpra.NoiseModel(sd_barcode=0.1, sd_replicate=0.1))
    more = more.isel(barcode=(more["dna"].min("replicate") > 0).values)
    first = np.unique(more["oligo_index"], return_index=True)[1]
    few = more.isel(barcode=first)
    one = few.isel(replicate=[0])
    two_way = partial(mpra.fit, control="ref", method="two_way")
    cure = "one barcode has no spread; use more barcodes, or"
    found = [with_more(two_way, few, more, cure)]
    text = refusal(two_way, few)
    method = arguments(cure_in(text, r"or (method='hierarchical'), which"))
    sums = partial(mpra.fit, control="ref", **method)
    found += [sums(few)]
    cure = "give more barcodes or more replicates$"
    found += [with_more(sums, one, few, cure), sums(more.isel(replicate=[0]))]
    cure = "no element has two replicates.*; use more replicates$"
    found += [with_more(two_way, more.isel(replicate=[0]), more, cure)]
    return [bool(np.isfinite(one["ace"]).all()) for one in found]


@case
def a_selection_without_elements() -> Any:
    none = fitted().isel(element=[])
    text = refusal(mpra.average, none)
    words = cure_in(text, r"no element is left; .*: select at least (two)$")
    assert words == "two"
    return "ace" in mpra.average(fitted().isel(element=[0, 1]))


# ---- sequences, tiles and texts


@case
def tiles_that_are_all_chosen() -> Any:
    given = {"chosen": [(0, 10), (10, 20)], "n_draws": 2, "rope": (-0.1, 0.1)}

    def of(tiles: list[tuple[int, int]]) -> Any:
        return ex.greedy_round(STRINGS[:4], tiles=tiles, **given)

    tiles = [(0, 10), (10, 20), (20, 30)]
    return with_more(of, tiles[:2], tiles, "give more tiles, or stop$").n_units > 0


@case
def one_sequence_in_one_shuffle() -> Any:
    from causalgia.experiments.kit.tile_contexts import as_tile_sequences
    from causalgia.ropes import Rope

    call = partial(as_tile_sequences, STRINGS[:1], rope=Rope.parse((-0.1, 0.1)))
    named = arguments(cure_in(refusal(call, n_draws=1), r"give (n_draws=\d+)$"))
    return call(**named).n_draws == 10


@case
def sequences_full_of_a_motif() -> Any:
    short = ["AGATAAGCCA", "TTAGATAAGC"]
    long = [one + "C" * 10 for one in short]

    def call(given: Any) -> Any:
        return ex.occlusion(given, "AGATAAG")

    cure = "for a placebo span; drop it, or take longer sequences"
    return with_more(call, short, long, cure).n_units > 0


@case
def a_task_in_which_only_the_control_was_measured() -> Any:
    rows = [(u, a, t, u + (a == "x")) for u in range(6) for a in "cx" for t in "st"]
    table = pd.DataFrame(rows, columns=["unit", "arm", "task", "y"])
    table["y"] += np.random.default_rng(0).normal(size=len(table))
    wrong = table[(table["task"] != "t") | (table["arm"] != "x")]
    given = {"unit": "unit", "arm": "arm", "outcome": "y", "task": "task"}
    call = partial(from_incomplete, control="c", **given)
    name = cure_in(
        refusal(call, wrong), r"task '(\w)'; leave that arm or that task out$"
    )
    found = [call(table), call(wrong[wrong["task"] != name])]
    same = [one.sel(task="s")["ace"].item() for one in found]
    return same[0] == same[1]


@case
def names_that_nothing_prints_or_stores() -> Any:
    from causalgia.trial.archive.files import encode_values

    def make(name: Any) -> Any:
        return encode_values(np.array(["b", name]))

    assert with_more(make, "a\ud800", "a", "cannot be stored; rename it$").size
    table = pd.DataFrame({"unit": ["u", "v"] * 2, "y": range(4)})

    def read(arm: Any) -> Any:
        return cg.from_frame(
            table.assign(arm=["c", "c", arm, arm]), outcome="y", arm="arm", unit="unit"
        )

    cure = "which cannot be printed; rename it$"
    return "x" in with_more(read, "x\x07", "x", cure)["arm"].values


@case
def names_of_motifs_that_end_in_a_strand() -> Any:
    def of(name: str) -> Any:
        motifs = {"Nanog": "AGCCATCA", name: "ATTTGCATA"}
        return ex.motif_pairs(cg.Uniform(length=400), motifs, n_units=9)

    cure = "ends in a strand, which is written behind names; rename it$"
    return with_more(of, "Nanog+", "Nanog 2", cure).n_units == 9


@case
def names_that_are_one_or_twice() -> Any:
    from causalgia.mpra.counts.counts_table import side_table_from_design
    from causalgia.mpra.formats.text_tables import check_names

    check = partial(check_names, place="library")
    cure = "'a' names two sequences; names are unique: rename one$"
    assert with_more(check, ["a", "a"], ["a", "b"], cure) is None
    spdi = ['["NC_000001.11:300:A:G"]'] * 2
    table = pd.DataFrame({"category": "variant", "class": "test", "SPDI": spdi})
    table["allele"] = ['["ref"]', '["alt"]']

    def read(names: Any) -> Any:
        return side_table_from_design(table.assign(name=names), "the design")

    found = with_more(read, ["v 1", "v_1"], ["v 1", "v 2"], "in counts; rename one$")
    return found["oligo_name"].tolist() == ["v_1", "v_2"]


@case
def a_direction_of_a_pair() -> Any:
    from causalgia.zoo.arrangements import Pair

    given = {"first": "GATA", "second": "CACG", "bonus": 1.0}
    text = refusal(Pair, **given, direction="back")
    names = cure_in(text, r"must be ('either' or 'forward')$").split(" or ")
    made = [Pair(**given, direction=eval(one)).direction for one in names]
    return made == ["either", "forward"]


@case
def a_network_by_a_name_that_is_misspelled() -> Any:
    from causalgia.networks.deposits import deposit_of

    name = cure_in(refusal(deposit_of, "deepstar"), r"did you mean '(\w+)'")
    return len(deposit_of(name)["tasks"]) == 2


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@case.each
def test_what_a_message_asks_for_is_given(case):
    assert np.all(case())


# ---- files of counts


HEADER = "barcode\toligo_name"
COLUMNS = ("dna_count_1", "rna_count_1", "dna_count_2", "rna_count_2")
SIDE = pd.DataFrame(
    {"oligo_name": ["a", "b"], "element": ["u1", "u1"], "arm": ["control", "GATA1"]}
)


def read(path: Path, *rows: str, columns: tuple[str, ...] = COLUMNS) -> xr.Dataset:
    """Write a table of two barcodes, and read it."""
    lines = ["\t".join([HEADER, *columns])]
    lines += [
        "\t".join([*one, *row.split()])
        for one, row in zip(("Aa", "Cb"), rows, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return mpra.read_counts(path, side_table=SIDE)


def test_reads_are_counted_and_not_normalized(tmp_path):
    def call(row: Any) -> Any:
        return read(tmp_path / "c.tsv", "5 1 2 3", row)

    cure = "give the reads as they were counted .*, not normalized$"
    assert with_more(call, "2 9.5 2 3", "2 9 2 3", cure)["rna"].sum() == 16


def test_a_replicate_without_reads_is_left_out_or_corrected(tmp_path):
    path = tmp_path / "c.tsv"
    text = refusal(read, path, "0 1 2 3", "0 9 2 3")
    assert cure_in(text, r"no read at all; (leave the replicate out), or")
    left = read(path, "2 3", "2 3", columns=COLUMNS[2:])
    assert cure_in(text, r", or (correct its column)$")
    whole = read(path, "5 1 2 3", "2 9 2 3")
    assert whole.isel(replicate=[1])["rna"].sum() == left["rna"].sum() == 6


def test_replicates_are_named_where_their_files_are_not(tmp_path):
    files = [tmp_path / "a-1.tsv", tmp_path / "a_1.tsv"]
    for path in files:
        read(path, "5 1", "2 9", columns=("dna_count", "rna_count"))
    text = refusal(mpra.read_counts, files, side_table=SIDE)
    named = cure_in(text, r"name them, (\{.*?\}) \(on the command line")
    left = iter(files)
    named = re.sub(r"\bfile\b", lambda _: repr(str(next(left))), named)
    found = mpra.read_counts(eval(named), side_table=SIDE)
    assert found["replicate"].values.tolist() == ["1", "2"]


def test_a_line_and_a_cell_are_corrected(tmp_path):
    letters = STRINGS[0] * 3
    (tmp_path / "genome.fa").write_text(f">chr1\n{letters}\n")
    row = "chr1\t{}\trs1\t" + letters[9] + "\t" + ("A" if letters[9] != "A" else "C")

    def variants(position: str) -> Any:
        (tmp_path / "v.vcf").write_text(row.format(position) + "\t.\t.\t.\n")
        return cg.sequences.read_variants(tmp_path / "v.vcf")

    cure = "POS 'ten' is not a whole number; correct the line"
    assert with_more(variants, "ten", "10", cure)[0].position == 9
    path = tmp_path / "counts.tsv"

    def counts(dna: str) -> Any:
        columns = list(LAYOUTS["reporter_experiment"].columns)
        values = ["1", "a", dna, "3", "0.5", "0.5", "0", "2"][: len(columns)]
        path.write_text("\t".join(columns) + "\n" + "\t".join(values) + "\n")
        return read_table(path, "reporter_experiment")

    cure = "column 'dna_counts': 'five' is not a whole number.*; correct the cell$"
    assert with_more(counts, "five", "5", cure)["dna_counts"].tolist() == [5]


# ---- files and stores


def test_parts_of_a_page_are_those_of_the_calls_that_it_names(tmp_path):
    page = partial(cg.report, estimates(), path=tmp_path / "page.html")
    text = refusal(page, outcomes=estimates())
    call = cure_in(text, r"effects are of, (cg\.run\(.*\))$", {"rng=0": "rng=1"})
    made = eval(call, {"cg": cg, "design": design(), "predictor": ORACLE})
    assert page(outcomes=made).read_text().count("<html")
    text = refusal(page, refutations=estimates())
    assert "EffectTable" not in text
    refute = eval(cure_in(text, r"give those of (cg\.refute)$"), {"cg": cg})
    checks = refute(outcomes(), None, rng=0, control="none")
    shown = page(refutations=checks).read_text()
    assert all(name in shown for name in checks["check"].values if name)


def test_the_design_of_a_screen_is_given_where_its_file_changed(tmp_path):
    path = tmp_path / "peaks.fa"
    path.write_text("".join(f">s{i}\n{one}\n" for i, one in enumerate(STRINGS)))
    screened = design(null=cg.DinucleotideShuffle(of=str(path)), contrasts="none")
    screen = run(screened)
    confirm = partial(
        cg.confirm, screen, select="GATA", predictor=ORACLE, rng=2, n_units=20
    )
    right = confirm()
    path.write_text("".join(f">s{i}\n{one[::-1]}\n" for i, one in enumerate(STRINGS)))
    name = cure_in(refusal(confirm), r"give the design of the screen as (design)=$")
    assert confirm(**{name: screened})["outcome"].equals(right["outcome"])


def test_another_path_is_given_for_a_store(tmp_path, monkeypatch):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x.txt").write_text("mine")
    text = refusal(run, design(), store=tmp_path / "notes")
    name = cure_in(text, r"other things in it; give the path of a new one as (store)=$")
    right = run(design())["outcome"]
    assert run(design(), **{name: tmp_path / "a"})["outcome"].equals(right)
    plain = TrialSetup.identity
    with monkeypatch.context() as patch:  # of a version that tells more trials apart
        patch.setattr(
            TrialSetup, "identity", lambda *given: plain(*given) | {"padding": "N"}
        )
        run(design(), store=tmp_path / "b")
    text = refusal(run, design(), store=tmp_path / "b")
    name = cure_in(
        text, r"has 'padding' and this one has not; give another path as (.*)="
    )
    assert run(design(), **{name: tmp_path / "c"})["outcome"].equals(right)


def test_the_schema_that_the_file_has_is_given(tmp_path):
    path = tmp_path / "v.tsv"
    path.write_text("chr1\t9\t10\tA\tC\tv1\nchr1\t19\t20\tG\tT\tv2\n")
    text = refusal(cg.sequences.read_variants, path, schema="original")
    found = cg.sequences.read_variants(
        path, **arguments(cure_in(text, r"; give (.*)$"))
    )
    assert [(one.name, one.position) for one in found] == [("v1", 9), ("v2", 19)]

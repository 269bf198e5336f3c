"""Virtual effects beside measured ones: against the R reference, arithmetic, and truth
by simulation.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

import causalgia as cg
from causalgia.errors import (
    ContrastError,
    DegenerateWarning,
    EstimateError,
    LibraryError,
    OutcomesError,
)
from causalgia.estimation import errors_in_variables
from causalgia.estimation.lines import FittedLine, errors_in_both, weighted_line
from causalgia.mpra.comparisons._concordance import (
    auroc,
    calibration_bins,
    disattenuated,
    pearson,
    reliability as reliability_of,
    residuals,
    sign_agreement,
)
from causalgia.mpra.text_reports import describe_concordance
from causalgia.notes import notes_of

FIT = {"ace": "effect", "se": "se"}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def case(shared, name):
    folder = shared / "reference" / "mpra" / name
    virtual = pd.read_csv(folder / "virtual.tsv", sep="\t")
    measured = pd.read_csv(
        folder / "expected" / "barcode_moderated.tsv", sep="\t"
    ).rename(columns={"logFC": "effect"})
    groups = pd.read_csv(folder / "arms.tsv", sep="\t")[
        ["element", "group"]
    ].drop_duplicates()
    return (
        virtual,
        measured.merge(groups, on="element"),
        json.loads((folder / "expected" / "compare.json").read_text()),
    )


def simulated(rng, n=60, sd=0.3, slope=2.0, sx=0.0):
    true = rng.normal(size=n)
    names = [f"u{i}" for i in range(n)]
    virtual = pd.DataFrame(
        {"element": names, "effect": true / slope + rng.normal(0, sx, n), "se": sx}
    )
    measured = pd.DataFrame(
        {"element": names, "effect": true + rng.normal(0, sd, n), "se": sd}
    )
    return virtual, measured


# --- against the reference


@pytest.mark.parametrize("name", ["allelic_clean", "allelic_barcode"])
def test_agrees_with_the_reference(shared, name):
    virtual, measured, wanted = case(shared, name)
    found = cg.mpra.concordance(virtual, measured).isel(contrast=0)
    assert found["n"].item() == wanted["n"]
    assert found["n_hits"].item() == wanted["n_hits"]
    lines = {"ols": "ols", "wls": "weighted", "eiv": "errors_in_both"}
    pairs = {
        key: found[key].item()
        for key in ("pearson", "spearman", "pearson_disattenuated")
    }
    pairs |= {
        "reliability_virtual": found["reliability"].sel(side="virtual").item(),
        "reliability_measured": found["reliability"].sel(side="measured").item(),
        "sign_concordance_hits": found["sign_agreement"].item(),
        "auroc_hits": found["auroc"].item(),
        "wls_slope_se": found["slope_se"].sel(line="weighted").item(),
        "eiv_objective": found["line_chi2"].item(),
    }
    for theirs, ours in lines.items():
        for what in ("intercept", "slope"):
            pairs[f"{theirs}_{what}"] = found[what].sel(line=ours).item()
    for key, value in pairs.items():
        assert value == pytest.approx(wanted[key], rel=1e-6), key
    limits = [found["pearson_lower"].item(), found["pearson_upper"].item()]
    assert limits == pytest.approx(wanted["pearson_ci"], rel=1e-6)
    assert json.loads(found.attrs["lost"])["effect"]["controls"] == {"negative": 20}


@pytest.mark.parametrize("scatter", [False, True])
def test_the_line_is_that_of_any_covariance(rng, scatter):
    x, y = rng.normal(size=40), rng.normal(size=40)
    y = y + 3 * x
    vx, vy = rng.uniform(0, 0.2, 40), rng.uniform(0.1, 0.5, 40)
    fast = errors_in_both(x, y, vx, vy, scatter=scatter)
    slow = errors_in_variables(x, y, x_covariance=vx, y_covariance=vy, scatter=scatter)
    assert [fast.slope, fast.intercept, fast.scatter] == pytest.approx(
        [slow.slope, slow.intercept, slow.scatter], rel=1e-9
    )


def test_without_errors_the_scattered_line_is_least_squares(rng):
    x, y, exact = rng.normal(size=30), rng.normal(size=30), np.zeros(30)
    fitted, plain = (
        errors_in_both(x, y, exact, exact, scatter=True),
        weighted_line(x, y),
    )
    assert [fitted.slope, fitted.intercept] == pytest.approx(
        [plain.slope, plain.intercept], rel=1e-9
    )
    assert fitted.covariance == pytest.approx(plain.covariance, rel=1e-6)


def test_auroc_is_that_of_mann_and_whitney(rng):
    score, hit = rng.integers(0, 9, size=80).astype(float), rng.random(80) < 0.3
    U = stats.mannwhitneyu(score[hit], score[~hit]).statistic
    assert auroc(score, hit).value == pytest.approx(
        U / (hit.sum() * (~hit).sum()), rel=1e-12
    )


def test_sign_limits_are_clopper_and_pearsons():
    x, y, hit = np.ones(20), np.r_[np.ones(17), -np.ones(3)], np.ones(20, bool)
    found, wanted = sign_agreement(x, y, hit), stats.binomtest(17, 20).proportion_ci()
    assert [found.lower, found.upper] == pytest.approx(
        [wanted.low, wanted.high], rel=1e-9
    )


# --- what it reads, and what it says


def test_reads_trials_fits_and_tables_alike(rng):
    virtual, measured = simulated(rng, sx=0.0)
    names = virtual["element"].to_numpy()
    trial = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "task"),
                virtual["effect"].to_numpy()[:, None, None],
            )
        },
        coords={"unit": names, "contrast": ["GATA1"], "task": ["K562"]},
        attrs={"contrast_scale": "log counts"},
    )
    fit = xr.Dataset(
        {
            "ace": (("element", "contrast"), measured["effect"].to_numpy()[:, None]),
            "se": (("element", "contrast"), measured["se"].to_numpy()[:, None]),
        },
        coords={"element": names, "contrast": ["GATA1"]},
        attrs={"scale": "log2"},
    )
    of_sets, of_tables = (
        cg.mpra.concordance(trial, fit),
        cg.mpra.concordance(virtual, measured),
    )
    assert of_sets["contrast"].item() == "GATA1"
    assert of_sets.attrs["virtual_scale"] == "log counts"
    assert of_sets["slope"].values == pytest.approx(
        of_tables["slope"].values, rel=1e-12
    )
    shuffled = fit.isel(element=rng.permutation(fit.sizes["element"]))
    again = cg.mpra.concordance(trial, shuffled)
    assert again["pearson_disattenuated"].values == pytest.approx(
        of_sets["pearson_disattenuated"].values, rel=1e-12
    )


def test_an_ensemble_has_the_error_of_its_mean(rng):
    virtual, measured = simulated(rng)
    effect = virtual["effect"].to_numpy()[:, None, None, None] + rng.normal(
        0, 0.1, size=(60, 1, 1, 3)
    )
    trial = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), effect)},
        coords={
            "unit": virtual["element"].to_numpy(),
            "contrast": ["GATA1"],
            "task": ["K562"],
            "model": [0, 1, 2],
        },
    )
    found = cg.mpra.concordance(trial, measured)
    assert found["virtual"].values[0] == pytest.approx(effect.mean(axis=(1, 2, 3)))
    assert found["virtual_se"].values[0] == pytest.approx(
        effect[:, 0, 0].std(axis=1, ddof=1) / np.sqrt(3)
    )


def test_counts_what_is_on_one_side_only(rng):
    virtual, measured = simulated(rng)
    controls = pd.DataFrame(
        {"element": ["n1", "n2"], "effect": 0.0, "se": 0.1, "group": "negative"}
    )
    measured = pd.concat([measured.iloc[5:].assign(group="test"), controls])
    found = cg.mpra.concordance(virtual.iloc[:57], measured)
    assert json.loads(found.attrs["lost"]) == {
        "effect": {"only virtual": 5, "only measured": 3, "controls": {"negative": 2}}
    }
    assert found["n"].item() == 52
    text = describe_concordance(found, notes=True).replace("\n", " ")
    assert "Left out: 5 only virtual, 3 only measured, 2 negative controls." in text
    assert text.startswith(
        "Virtual and measured effects of 52 elements correlate at r = "
    )


def test_contrasts_of_several_arms_are_compared_by_name(rng):
    tables = [simulated(rng) for _ in range(2)]
    virtual, measured = (
        pd.concat(
            [t[side].assign(contrast=c) for t, c in zip(tables, "AB", strict=True)]
        )
        for side in (0, 1)
    )
    found = cg.mpra.concordance(virtual, measured)
    assert found["contrast"].values.tolist() == ["A", "B"]
    said = cg.report(found)
    assert said.startswith(
        "Virtual and measured effects of 60 elements correlate at r = "
    )
    assert re.search(r"\] in A and 0\.\d\d \[.*\] in B\.", " ".join(said.split()))
    assert len(said.split("\n\n")) == 3
    assert "B: measured = " in describe_concordance(found, sentences=True)
    one = cg.mpra.concordance(*tables[1])
    assert found["slope"].sel(contrast="B").values == pytest.approx(
        one["slope"].values[0], rel=1e-12
    )
    crossed = cg.mpra.concordance(virtual, measured, pairs={"A": "B"})
    assert crossed["virtual_contrast"].values.tolist() == ["B"]


def test_finds_the_element_that_is_off_the_line(rng):
    virtual, measured = simulated(rng, n=200)
    measured.loc[17, "effect"] -= 4.0
    found = cg.mpra.concordance(virtual, measured).isel(contrast=0)
    assert found["element"].values[found["q_off"].values < 0.05].tolist() == ["u17"]
    text = cg.report(found.expand_dims("contrast"))
    assert "Off the line (q < .05): u17 (" in text
    assert "1 element lies significantly off that line" in text.replace("\n", " ")


def test_draws_elements_bins_and_the_line(rng):
    virtual, measured = simulated(rng, n=200)
    measured.loc[17, "effect"] -= 4.0
    found = cg.mpra.concordance(virtual, measured)
    axes = cg.plot.concordance(found)
    assert [text.get_text() for text in axes.texts] == ["u17"]
    sizes = {
        c.get_label(): len(c.get_offsets())
        for c in axes.collections
        if hasattr(c, "get_offsets")
    }
    assert (sizes["element"], sizes["off the line"]) == (199, 1)
    (line,) = [one for one in axes.lines if str(one.get_label()).startswith("slope")]
    ends = found["intercept"].values[0, -1] + found["slope"].values[0, -1] * np.asarray(
        line.get_xdata()
    )
    assert np.asarray(line.get_ydata()) == pytest.approx(ends)
    with pytest.raises(ContrastError, match="'x' is not there"):
        cg.plot.concordance(found, contrast="x")
    with pytest.raises(OutcomesError, match="no such table"):
        cg.plot.concordance(virtual)


def test_bins_hold_all_elements_and_follow_the_line(rng):
    found = cg.mpra.concordance(*simulated(rng, n=203), n_bins=7).isel(contrast=0)
    assert found["bin_n"].sum() == 203
    assert (np.diff(found["bin_virtual"]) > 0).all()
    assert (
        abs(found["bin_measured"] - found["bin_predicted"]) < 4.5 * found["bin_se"]
    ).all()
    assert cg.mpra.concordance(*simulated(rng, n=12)).sizes["bin"] == 2


def test_parents_count_once(rng):
    """Copies of an element are no new evidence: errors are those of the elements
    themselves.
    """
    virtual, measured = simulated(rng, n=50)
    copies = [
        pd.concat(
            [
                table.assign(
                    element=table["element"] + f"_{k}", parent=table["element"]
                )
                for k in range(4)
            ]
        )
        for table in (virtual, measured)
    ]
    one, four = cg.mpra.concordance(virtual, measured), cg.mpra.concordance(*copies)
    assert four["n_clusters"].item() == 50
    ratio = (
        four["slope_se"].sel(line="ols").item() / one["slope_se"].sel(line="ols").item()
    )
    assert 0.7 < ratio < 1.4
    naive = cg.mpra.concordance(*(table.drop(columns="parent") for table in copies))
    assert naive["slope_se"].sel(line="ols").item() == pytest.approx(
        one["slope_se"].sel(line="ols").item() / 2, rel=0.05
    )
    width = [(t["pearson_upper"] - t["pearson_lower"]).item() for t in (one, four)]
    assert 0.5 < width[1] / width[0] < 2


def test_nothing_left_of_a_variance_is_said_and_not_divided_by(rng):
    virtual, measured = simulated(rng, n=40)
    found = cg.mpra.concordance(virtual, measured.assign(se=5.0)).isel(contrast=0)
    assert found["reliability"].sel(side="measured").item() < 0
    assert [
        found["pearson_disattenuated_lower"].item(),
        found["pearson_disattenuated_upper"].item(),
    ] == [-1.0, 1.0]
    assert found["noise_ceiling"].item() == 0
    said = cg.report(cg.mpra.concordance(virtual, measured.assign(se=5.0)))
    assert "and the true ones" not in said
    said = said.replace("\n", " ")
    assert "so the correlation of the true effects cannot be estimated" in said
    assert all(
        np.isfinite(found[name]).all()
        for name in found.data_vars
        if found[name].dtype.kind == "f"
    )


def test_refuses_what_it_cannot_compare(rng):
    virtual, measured = simulated(rng)
    with pytest.raises(OutcomesError, match="'effect'"):
        cg.mpra.concordance(virtual.drop(columns="effect"), measured)
    with pytest.raises(EstimateError, match="no column 'se'"):
        cg.mpra.concordance(virtual, measured.drop(columns="se"))
    with pytest.raises(OutcomesError, match="element 'u3' .* is nan"):
        cg.mpra.concordance(
            virtual,
            measured.assign(effect=measured["effect"].where(measured.index != 3)),
        )
    with pytest.raises(OutcomesError, match="0 elements are both virtual"):
        cg.mpra.concordance(virtual.assign(element=virtual["element"] + "x"), measured)
    with pytest.raises(OutcomesError, match="'u0' appears twice"):
        cg.mpra.concordance(pd.concat([virtual, virtual]), measured)
    with pytest.raises(EstimateError, match="all virtual effects are 0"):
        cg.mpra.concordance(virtual.assign(effect=0.0), measured)
    with pytest.raises(EstimateError, match="u0"):
        cg.mpra.concordance(virtual, measured.assign(se=0.0))
    with pytest.raises(ContrastError, match="share no name"):
        cg.mpra.concordance(
            virtual.assign(contrast="A"),
            pd.concat([measured.assign(contrast=c) for c in ("B", "C")]),
        )
    with pytest.raises(OutcomesError, match="no effects by element"):
        cg.mpra.concordance(virtual, np.zeros(3))
    with pytest.raises(OutcomesError, match="no probability"):
        cg.mpra.concordance(virtual, measured.assign(p=2.0))
    with pytest.raises(EstimateError, match="n_bins=0"):
        cg.mpra.concordance(virtual, measured, n_bins=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.iloc[:0], "the table has no rows"),
        (lambda t: t.assign(df="many"), "df of element 'u0' is many"),
        (lambda t: t.assign(df=0.0), "df of element 'u0' is 0.0"),
        (lambda t: t.assign(q="low"), "q of element 'u0' is low"),
        (
            lambda t: t.assign(parent=np.where(t.index == 3, None, "a")),
            "parent of element 'u3' is empty",
        ),
    ],
)
def test_refuses_columns_that_cannot_be_read(rng, change, said):
    virtual, measured = simulated(rng)
    with pytest.raises(OutcomesError, match=said):
        cg.mpra.concordance(virtual, change(measured))


@pytest.mark.parametrize("alpha", [0, 2, np.nan, "a", True])
def test_refuses_an_error_rate_that_is_none(rng, alpha):
    with pytest.raises(EstimateError, match=r"alpha=.* is not between 0 and 1"):
        cg.mpra.concordance(*simulated(rng), alpha=alpha)


def test_a_level_is_no_error_rate_of_hits(rng):
    with pytest.raises(
        EstimateError, match=r"alpha=0.95 is an error rate of 0.5 or more; alpha=0.05"
    ):
        cg.mpra.concordance(*simulated(rng), alpha=0.95)


@pytest.mark.parametrize("pairs", [{}, "effect", ["effect"]])
def test_refuses_pairs_that_are_no_mapping(rng, pairs):
    with pytest.raises(
        ContrastError, match="measured name -> virtual name: {'effect': 'effect'}"
    ):
        cg.mpra.concordance(*simulated(rng), pairs=pairs)


def test_reads_one_selected_contrast_of_a_fit(rng):
    virtual, measured = simulated(rng)
    columns = {
        name: (("element", "contrast"), measured[[column]].to_numpy())
        for name, column in FIT.items()
    }
    fit = xr.Dataset(columns, {"element": measured["element"], "contrast": ["effect"]})
    found, wanted = (
        cg.mpra.concordance(virtual, fit.isel(contrast=0)),
        cg.mpra.concordance(virtual, fit),
    )
    xr.testing.assert_equal(found, wanted)
    with pytest.raises(ContrastError, match="without drop"):
        cg.mpra.concordance(virtual, fit.isel(contrast=0, drop=True))
    with pytest.raises(EstimateError, match="no 'se'"):
        cg.mpra.concordance(virtual, fit.drop_vars("se"))


def test_refuses_a_parallel_trial(rng):
    arms = {
        "unit": np.arange(40),
        "arm": np.tile(["placebo", "GATA1"], 20),
        "y": rng.normal(size=40),
    }
    outcomes = cg.from_frame(
        pd.DataFrame(arms), outcome="y", arm="arm", unit="unit", scale="x"
    )
    virtual, (_, measured) = cg.contrast(outcomes, control="placebo"), simulated(rng)
    with pytest.raises(
        OutcomesError, match="virtual: in a parallel trial each unit is under one arm"
    ):
        cg.mpra.concordance(virtual, measured)
    with pytest.raises(
        OutcomesError, match="virtual: in a parallel trial each unit is under one arm"
    ):
        cg.mpra.prediction_powered(virtual, virtual)


def test_flanks_are_two():
    arms = {"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=4)
    library = cg.mpra.library(
        design,
        oligo_length=90,
        adapters="lentimpra",
        controls=cg.mpra.Controls(n_scrambles=0),
        rng=1,
    )
    with pytest.raises(
        LibraryError, match="give two, the letters to the left and to the right"
    ):
        cg.mpra.virtual_trial(library, cg.zoo.oracle("gata1_like"), flanks="AC")


def test_of_many_contrasts_the_least_and_the_most_agreement_are_said(rng):
    tables = {f"C{i}": simulated(rng, sd=0.1) for i in range(5)}
    sides = [
        pd.concat([t[side].assign(contrast=c) for c, t in tables.items()])
        for side in (0, 1)
    ]
    said = " ".join(cg.report(cg.mpra.concordance(*sides)).split())
    found = cg.mpra.concordance(*sides)["pearson"]
    least, most = (f"{x.item():.2f}" for x in (found.min(), found.max()))
    assert re.match(
        rf"Virtual and measured effects of 60 elements correlate at r = {least} \[.*\] "
        rf"\(C\d\) to {most} \[.*\] \(C\d\) in 5 contrasts\.",
        said,
    )


def test_says_when_the_correlation_is_above_its_ceiling(rng):
    virtual, measured = simulated(rng, sd=0.1)
    said = (
        "is above its ceiling, so that of the true effects is at its bound, by chance "
        "or because"
    )
    for se, is_said in ((0.6, True), (0.01, False)):
        found = cg.mpra.concordance(virtual, measured.assign(se=se))
        assert (said in cg.report(found).replace("\n", " ")) == is_said


def test_refuses_a_vertical_line():
    x, y = np.tile([-1.0, 1.0], 10), np.repeat([-1.0, 1.0], 10)
    with pytest.raises(EstimateError, match="do not vary beyond"):
        errors_in_both(x, y, np.full(20, 2.0), np.full(20, 0.5))


# --- truth by simulation


def trials(rng, n_trials, n, reliability, scatter):
    """Yield sparse true effects with errors on both sides: x, y, sx, sy of
    ``y = 0.3 + 1.5 x + scatter``.
    """
    for _ in range(n_trials):
        size = rng.choice([0.25, 0.5, 1, 2], n) * rng.choice([-1, 1], n)
        true = np.where(rng.random(n) < 0.6, 0.0, size)
        sx = np.sqrt(0.53 * (1 / reliability - 1)) * rng.uniform(0.6, 1.3, n)
        sy = 0.4 * rng.uniform(0.5, 2.0, n)
        x = true + rng.normal(0, sx)
        yield (
            x,
            0.3 + 1.5 * true + rng.normal(0, scatter, n) + rng.normal(0, sy),
            sx,
            sy,
        )


def band(level, n, rows):
    tail = 0.001 / rows / 2
    return stats.binom.ppf([tail, 1 - tail], n, level) / n


@pytest.mark.rotating
@pytest.mark.parametrize("reliability", [0.7, 0.95])
@pytest.mark.parametrize("scatter", [0.0, 0.3])
@pytest.mark.long
def test_slope_and_correlation_of_true_effects_are_found(reliability, scatter):
    """Unbiased to 4 Monte-Carlo errors and the bias of order 1/n of a ratio; intervals
    cover what they say.
    """
    rng, n, n_trials = (
        np.random.default_rng(int(100 * (reliability + scatter))),
        250,
        800,
    )
    spread = 0.4 * np.mean([0.25**2, 0.5**2, 1, 4])
    slope, r = 1.5, 1.5 * np.sqrt(spread / (1.5**2 * spread + scatter**2))
    rows = []
    for x, y, sx, sy in trials(rng, n_trials, n, reliability, scatter):
        line = errors_in_both(x, y, sx**2, sy**2, scatter=scatter > 0)
        half = special.stdtrit(line.df, 0.975) * np.sqrt(line.covariance[1, 1])
        found, uncut = (
            disattenuated(x, y, sx, sy),
            pearson(x, y).value
            / np.sqrt(reliability_of(x, sx) * reliability_of(y, sy)),
        )
        assert found.value == pytest.approx(min(uncut, 1.0), rel=1e-12)
        covers = abs(line.slope - slope) <= half, found.lower <= r <= found.upper
        rows.append(
            (line.slope, uncut, *covers, weighted_line(x, y).slope, pearson(x, y).value)
        )
    mean, mcse = np.mean(rows, axis=0), np.std(rows, axis=0) / np.sqrt(n_trials)
    assert abs(mean[0] - slope) < 4 * mcse[0] + 2 * slope / n
    assert abs(mean[1] - r) < 4 * mcse[1] + 2 / n
    low, high = band(0.95, n_trials, 8)
    assert low <= mean[2] <= high
    # at a correlation of 1 no limit is above the truth
    assert low <= mean[3] <= (high if scatter else 1.0)
    assert mean[4] < slope * (reliability + 0.03)
    assert mean[5] < r - 0.02


@pytest.mark.rotating(6)
@pytest.mark.parametrize("reliable", [0.5, 0.9])
@pytest.mark.parametrize("r", [0.0, 0.6, 1.0, -1.0])
@pytest.mark.parametrize("n", [30, 100])
def test_the_correlation_of_true_effects_is_one_and_lies_within_its_limits(
    n, r, reliable
):
    """At 1 the ratio passes the bound in half of the trials; limits cover .95 less four
    Monte-Carlo errors.
    """
    rng, se, n_trials = (
        np.random.default_rng(n),
        np.full(n, np.sqrt(1 / reliable - 1)),
        300,
    )
    covered = beyond = 0
    for _ in range(n_trials):
        u, rest = rng.normal(size=(2, n))
        true = r * u + np.sqrt(1 - r**2) * rest
        x, y = u + rng.normal(0, se), true + rng.normal(0, se)
        found = disattenuated(x, y, se, se)
        assert -1 <= found.lower <= found.value <= found.upper <= 1
        assert found.lower < found.upper
        covered += found.lower <= r <= found.upper
        beyond += abs(found.value) == 1
    assert covered / n_trials > 0.95 - 4 * np.sqrt(0.95 * 0.05 / n_trials)
    if abs(r) == 1:
        assert 0.35 < beyond / n_trials < 0.75


def test_elements_of_one_virtual_effect_are_in_one_bin():
    x = np.repeat([0.0, 1.0, 2.0], [4, 40, 16])
    y = np.arange(60.0)
    off = residuals(
        x,
        y,
        0 * x,
        0 * x + 1,
        0 * x + np.inf,
        FittedLine(0.0, 1.0, np.zeros((2, 2)), 58.0, 1.0, 0.0),
    )
    found = calibration_bins(x, y, off, 10)
    assert found.n.tolist() == [44, 16]
    np.testing.assert_allclose(found.measured, [y[:44].mean(), y[44:].mean()])


def several(
    x: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides of contrasts with these virtual effects; true ones are the
    same, measured to .3.
    """
    sides = []
    for noise in (0.0, 0.3):
        tables = [
            pd.DataFrame(
                {"element": [f"e{i}" for i in range(len(v))], "contrast": name}
            ).assign(
                effect=v + rng.normal(0, noise, len(v)),
                **({"se": noise} if noise else {}),
            )
            for name, v in x.items()
        ]
        sides.append(pd.concat(tables))
    return sides[0], sides[1]


def test_contrasts_whose_virtual_effects_tie_are_compared_beside_others(rng):
    """Effects of two values have two bins, and had been refused as "measured on
    different elements".
    """
    x = {"smooth": rng.normal(size=100), "tied": np.repeat([0.0, 1.0], 50)}
    virtual, measured = several(x, rng)
    found = cg.mpra.concordance(virtual, measured)
    assert (found["bin_n"] > 0).sum("bin").values.tolist() == [10, 2]
    assert (found["bin_n"].sum("bin") == 100).all()
    for name in x:
        sides = (side[side["contrast"] == name] for side in (virtual, measured))
        alone = cg.mpra.concordance(*sides)
        for column in ("pearson", "slope", "coverage", "z"):
            np.testing.assert_array_equal(
                found[column].sel(contrast=name), alone[column].isel(contrast=0)
            )
        n = alone.sizes["bin"]
        np.testing.assert_array_equal(
            found["bin_measured"].sel(contrast=name)[:n], alone["bin_measured"][0]
        )
        assert np.isfinite(found["bin_se"]).all()
    axes = cg.plot.concordance(found, contrast="tied")
    assert (
        sum(
            len(box[0].get_xdata())
            for box in axes.containers
            if box.get_label() == "mean of a bin"
        )
        == 2
    )


def test_contrasts_of_different_elements_are_named(rng):
    virtual, measured = several(
        {"a": rng.normal(size=40), "b": rng.normal(size=40)}, rng
    )
    short = measured[(measured["contrast"] == "a") | (measured["element"] != "e3")]
    with pytest.raises(
        EstimateError,
        match=r"different elements \('a' has 40, 39 are in every contrast\)",
    ):
        cg.mpra.concordance(virtual, short)


@pytest.mark.parametrize("side", ["virtual", "measured"])
def test_contrasts_whose_elements_do_not_differ_are_left_out_by_name(rng, side):
    """One contrast of constant effects stopped the comparison of all."""
    sides = dict(
        zip(
            ("virtual", "measured"),
            several({k: rng.normal(size=40) for k in "abc"}, rng),
            strict=True,
        )
    )
    alone = cg.mpra.concordance(**sides, pairs={"a": "a", "c": "c"})
    sides[side] = sides[side].assign(
        effect=sides[side]["effect"].where(sides[side]["contrast"] != "b", 0.0)
    )
    said = (
        "not compared, because elements that do not differ cannot agree: 'b' (all "
        f"{side} effects are 0)"
    )
    with pytest.warns(DegenerateWarning) as caught:
        found = cg.mpra.concordance(**sides)
    assert [str(warning.message) for warning in caught] == [said]
    assert caught[0].filename == __file__
    assert notes_of(found) == [said]
    text = describe_concordance(found, notes=True).replace("\n  ", " ")
    assert text.endswith(f"Note: {said}.")
    xr.testing.assert_equal(found, alone)
    assert list(json.loads(found.attrs["lost"])) == ["a", "c"]
    with pytest.raises(
        EstimateError,
        match=rf"contrast 'b': all {side} effects are 0, .* name the others: pairs=",
    ):
        cg.mpra.concordance(**sides, pairs={"a": "a", "b": "b"})
    assert not notes_of(cg.mpra.concordance(**sides, pairs={"a": "a"}))


def test_contrasts_none_of_which_has_spread_are_refused(rng):
    virtual, measured = several(
        {"a": rng.normal(size=40), "b": rng.normal(size=40)}, rng
    )
    cure = (
        "contrast 'a': all virtual effects are 0, .* cannot agree; compare elements "
        "that do differ"
    )
    with pytest.raises(EstimateError, match=cure):
        cg.mpra.concordance(virtual.assign(effect=0.0), measured)


def test_contrasts_whose_virtual_effects_vary_less_than_their_errors_are_left_out_by_name(
    rng,
):
    """One such contrast stopped the comparison of all, with an error that named
    none.
    """
    vertical, y = np.tile([-1.0, 1.0], 20), np.repeat([-1.0, 1.0], 20)
    virtual, measured = several({k: rng.normal(size=40) for k in "abc"}, rng)
    of_b = virtual["contrast"] == "b"
    virtual.loc[of_b, "effect"], virtual["se"] = vertical, np.where(of_b, 1.5, 0.1)
    measured.loc[of_b, "effect"] = y
    alone = cg.mpra.concordance(virtual, measured, pairs={"a": "a", "c": "c"})
    said = (
        "not compared, because virtual effects do not vary beyond their own standard "
        "errors: 'b'"
    )
    with pytest.warns(DegenerateWarning) as caught:
        found = cg.mpra.concordance(virtual, measured)
    assert [str(warning.message) for warning in caught] == [said]
    assert caught[0].filename == __file__
    assert notes_of(found) == [said]
    xr.testing.assert_equal(found, alone)
    assert list(json.loads(found.attrs["lost"])) == ["a", "c"]
    why = (
        "contrast 'b': the virtual effects do not vary beyond their own standard "
        "errors, .* more precisely"
    )
    with pytest.raises(EstimateError, match=f"{why}, or name the others: pairs="):
        cg.mpra.concordance(virtual, measured, pairs={"a": "a", "b": "b"})
    with pytest.raises(EstimateError, match=f"{why}$"):
        cg.mpra.concordance(virtual[of_b], measured[of_b])


def test_other_errors_of_a_contrast_name_it(rng):
    virtual, measured = several(
        {"a": rng.normal(size=40), "b": rng.normal(size=40)}, rng
    )
    measured.loc[measured["contrast"] == "b", "se"] = 0.0
    with pytest.raises(
        EstimateError, match="contrast 'b': measured: the se of element 'e0' is 0"
    ):
        cg.mpra.concordance(virtual, measured)


@pytest.mark.parametrize("scatter", [False, True])
def test_measured_effects_that_are_all_equal_lie_on_a_level_line(scatter):
    x = np.array([0.0, 1.0, 2.0, 5.0])
    line = errors_in_both(
        x, np.full(4, 3.0), np.full(4, 0.01), np.full(4, 0.04), scatter=scatter
    )
    assert (line.intercept, line.slope, line.scatter) == pytest.approx(
        (3.0, 0.0, 0.0), abs=1e-9
    )


@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_a_line_in_other_units_is_the_same_line(rng, scatter, clustered):
    x = rng.normal(size=40)
    y = 0.5 + 1.5 * x + rng.normal(0, 1.0 if scatter else 0.5, 40)
    vx, vy = rng.uniform(0.01, 0.1, 40), rng.uniform(0.05, 0.2, 40)
    cluster = np.arange(40) // 4 if clustered else None
    line = errors_in_both(x, y, vx, vy, scatter=scatter, cluster=cluster)
    a, b, c, d = 1e4, -3.0, 1e-5, 20.0
    moved = errors_in_both(
        a * x + b, c * y + d, a**2 * vx, c**2 * vy, scatter=scatter, cluster=cluster
    )
    slope = c / a * line.slope
    assert moved.slope == pytest.approx(slope, rel=1e-6)
    assert moved.intercept == pytest.approx(
        c * line.intercept + d - slope * b, rel=1e-9
    )
    assert (moved.objective, moved.df, moved.scatter) == pytest.approx(
        (line.objective, line.df, c * line.scatter), rel=1e-6
    )
    back = c * np.array([[1.0, -b / a], [0.0, 1.0 / a]])
    np.testing.assert_allclose(
        moved.covariance, back @ line.covariance @ back.T, rtol=1e-4
    )
    w = 1 / (vy + line.scatter**2 + line.slope**2 * vx)
    left = y - line.intercept - line.slope * x
    assert (w * left**2).sum() == pytest.approx(line.objective, rel=1e-8)
    if scatter:
        assert line.objective == pytest.approx(38, rel=1e-5)
    assert (w * left).sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_covariance_of_a_line_is_its_sandwich_by_hand(rng, scatter, clustered):
    """A^-1 B A^-1: sums of w z z' over adjusted points, less what errors of x add;
    scores of clusters, if there are.
    """
    n = 36
    x = rng.normal(size=n)
    y = 1.5 * x + rng.normal(0, 1.0 if scatter else 0.3, n)
    x, y = ((v - v.mean()) / v.std() for v in (x, y))
    vx, vy = rng.uniform(0.02, 0.1, n), rng.uniform(0.05, 0.2, n)
    cluster = np.arange(n) // 3 if clustered else None
    line = errors_in_both(x, y, vx, vy, scatter=scatter, cluster=cluster)
    b, extra = line.slope, line.scatter**2
    assert (extra > 0) == scatter
    w = 1 / (vy + extra + b**2 * vx)
    left = y - line.intercept - b * x
    place = x + b * vx * w * left
    A, B, sums = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((12, 2))
    by_scatter = b * (vx * w**2).sum() / w.sum() if scatter else 0.0
    for i in range(n):
        z = np.array([1.0, place[i]])
        B += w[i] * np.outer(z, z)
        A += w[i] * np.outer(z, z) - np.diag(
            [0.0, w[i] * vx[i] * (1 - b**2 * vx[i] * w[i])]
        )
        sums[i // 3] += w[i] * left[i] * z - [
            0.0,
            by_scatter * (w[i] * left[i] ** 2 - (n - 2) / n),
        ]
    B = (
        sums.T @ sums * 12 / 11
        if clustered
        else B + np.diag([0.0, 2 * n * by_scatter**2])
    )
    inverse = np.linalg.inv(A)
    np.testing.assert_allclose(line.covariance, inverse @ B @ inverse.T, rtol=1e-5)
    assert line.df == (11 if clustered else n - 2)


# --- tables of others


@pytest.mark.parametrize("name", [np.nan, None, "", pd.NA])
@pytest.mark.parametrize("column", ["element", "contrast"])
def test_rows_without_a_name_are_not_matched_with_each_other(rng, name, column):
    """An empty name was the element 'nan' on both sides: two different elements were
    compared as one.
    """
    sides = [
        side.assign(contrast="A").astype({column: object}) for side in simulated(rng)
    ]
    for side, row in zip(sides, (3, 5), strict=True):
        side.loc[row, column] = name
    with pytest.raises(
        OutcomesError, match=f"virtual: row 4 of the table has no {column}"
    ):
        cg.mpra.concordance(*sides)
    fitted = xr.Dataset(
        {
            name: (("element", "contrast"), sides[1][[old]].to_numpy())
            for name, old in (("ace", "effect"), ("se", "se"))
        },
        coords={
            "element": sides[1]["element"].to_numpy().astype(object),
            "contrast": ["A"],
        },
    )
    if column == "element":
        with pytest.raises(OutcomesError, match="measured: element 6 has no name"):
            cg.mpra.concordance(simulated(rng)[0], fitted)


def test_a_column_that_is_there_twice_and_complex_numbers_are_refused(rng):
    virtual, measured = simulated(rng)
    with pytest.raises(
        OutcomesError, match="measured: the table has the column 'effect' twice"
    ):
        cg.mpra.concordance(
            virtual, pd.concat([measured, measured[["effect"]]], axis=1)
        )
    with pytest.raises(OutcomesError, match="'effect' holds complex numbers"):
        cg.mpra.concordance(virtual, measured.assign(effect=measured["effect"] + 1j))


@pytest.mark.parametrize("column", ["effect", "se"])
@pytest.mark.parametrize("value", [1e300, np.inf])
def test_numbers_whose_squares_leave_the_floats_are_named(rng, column, value):
    """A se of 1e300 was refused as 'all virtual effects are equal'."""
    virtual, measured = simulated(rng)
    measured.loc[7, column] = value
    with pytest.raises(
        OutcomesError, match=f"{column} of element 'u7' in contrast 'effect' is "
    ):
        cg.mpra.concordance(virtual, measured)
    tiny = measured.assign(effect=virtual["effect"], se=1e-300)
    with pytest.raises(
        OutcomesError, match="se of element 'u0' in contrast 'effect' is 1e-300"
    ):
        cg.mpra.concordance(virtual, tiny)


def test_contrasts_of_one_side_alone_are_named(rng):
    """Of A and B against A and C only A was compared, without a word on B and C."""
    virtual, measured = simulated(rng)
    sides = [
        pd.concat([side.assign(contrast=name) for name in names])
        for side, names in ((virtual, ["A", "B"]), (measured, ["A", "C"]))
    ]
    found = cg.mpra.concordance(*sides)
    assert found["contrast"].values.tolist() == ["A"]
    said = "not compared, because one side alone has them: virtual 'B'; measured 'C'"
    assert notes_of(found) == [said]
    text = describe_concordance(found, notes=True).replace("\n  ", " ")
    assert text.endswith(f"Note: {said}.")
    # those that were asked for
    assert not notes_of(cg.mpra.concordance(*sides, pairs={"A": "A"}))
    assert not notes_of(cg.mpra.concordance(virtual, measured))


def test_a_side_of_controls_alone_is_named(rng):
    virtual, measured = simulated(rng)
    with pytest.raises(
        OutcomesError, match="measured: every element is a control of the bench"
    ):
        cg.mpra.concordance(virtual, measured.assign(group="negative"))

"""One unit that carries nearly all of the variance is said under every table of
effects.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.cli.option_groups import Printed
from causalgia.cli.tables import print_answers


def effects(n_contrasts: int) -> xr.Dataset:
    """Return ICE of 100 units, of which one is 30 and the others near 0: leverage
    .99.
    """
    ice = np.random.default_rng(0).normal(size=(100, n_contrasts, 1)) * 0.1
    ice[7] += 30
    names = [f"word{k:02d}" for k in range(n_contrasts)]
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": names, "task": ["K562"]},
        attrs={"scale": "s", "contrast_scale": "s"},
    )


def says_both(text: str, n_contrasts: int) -> bool:
    text = " ".join(text.split())
    skewed = "skewed; with 100 units" in text and "would do)" in text
    if n_contrasts == 1:
        return skewed and "One unit carries 99 % of the variance of word00." in text
    half = "One unit carries half or more of the variance of word"
    return skewed and half in text and " more (up to 99 %)." in text


@pytest.mark.parametrize("n_contrasts", [1, 35])
def test_every_report_says_it(
    n_contrasts: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ice = effects(n_contrasts)
    estimates = cg.estimate(ice)
    assert estimates["leverage"].min() > 0.98
    rope = (-0.1, 0.1)
    tested = cg.decide(estimates, rope=rope)
    adjusted = cg.adjust(ice, method="auto", rng=0)
    for table in (
        estimates,
        tested,
        adjusted,
        cg.multiplicity.simultaneous(ice, rng=0),
    ):
        assert says_both(cg.report(table, notes=True), n_contrasts)
    for answers in ((estimates,), (estimates, tested)):
        print_answers(*answers, printed=Printed(notes=True))
        assert says_both(" ".join(capsys.readouterr().out.split()), n_contrasts)


def test_a_trial_that_kept_moments_says_it() -> None:
    def answer(x: np.ndarray) -> np.ndarray:
        seldom = (
            (x[:, 2, 20:24].sum(1) == 4)
            & (x[:, 0, :5].sum(1) == 5)
            & (x[:, 3, 24] == 1)
        )
        return x[:, 1, 5:].sum(1) * 0.001 * (1 + x[:, 0, 0]) + 1000.0 * seldom

    arms = {"control": cg.Embed("CCCCC", at=0), "A": cg.Embed("AAAAA", at=0)}
    design = cg.Design(
        null=cg.Uniform(length=40), arms=arms, n_units=400, contrasts="control"
    )
    predictor = cg.FunctionPredictor(
        answer, tasks=["y"], scale="s", fingerprint="seldom"
    )
    ask = cg.Analysis(rope=(-0.1, 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        moments = cg.run(
            design, predictor, rng=5, progress=False, keep="moments", analysis=ask
        )
        outcomes = cg.run(design, predictor, rng=5, progress=False, analysis=ask)
        tables = [cg.estimate(moments), cg.analyze(outcomes, rng=0)]
    for table in tables:
        said = " ".join(cg.report(table, notes=True).split())
        assert "One unit carries 100 % of the variance of A." in said
        assert "A is skewed; with 400 units" in said


def test_an_effect_that_one_unit_carries_is_said_to_be_missable() -> None:
    """Where the unit was drawn, its skewness and leverage are said; where it was not,
    nothing shows it, and the foot says which effects could be missed.
    """
    ice = np.random.default_rng(0).normal(0.0, 0.01, size=(100, 2, 1))
    ice[0, 0] += 5.0
    coords = {"contrast": ["carried", "none"], "task": ["K562"]}
    whole = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)
    found = cg.decide(whole, rope=(-0.02, 0.02))
    assert found["verdict"].values.ravel().tolist() == ["undecided", "negligible"]
    text = " ".join(str(cg.report(found)).split())
    assert "carried is skewed; with 100 units" in text
    assert "Effects present in fewer than 3 % of units could be missed." in text
    assert "One unit carries 99 %" in str(cg.report(cg.estimate(whole))).replace(
        "\n", " "
    )
    undrawn = cg.decide(whole.isel(unit=slice(1, None)), rope=(-0.02, 0.02))
    text = " ".join(str(cg.report(undrawn)).split())
    assert "Effects present in fewer than 3 % of units could be missed." in text


@pytest.mark.rotating(6)
def test_skewed_rows_of_a_long_table_take_more_units() -> None:
    """Of 1,000 verdicts the first is decided further in the tail than of 10."""
    rng = np.random.default_rng(1)
    ice = rng.normal(0.0, 1.0, size=(60, 1_000, 1))
    ice[:, 0, 0] = rng.lognormal(size=60)
    coords = {"contrast": [f"c{i}" for i in range(1_000)], "task": ["K562"]}
    whole = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)

    def enough(table: xr.Dataset) -> int:
        text = " ".join(str(cg.report(table, notes=True)).split())
        return int(text.split("(about ")[1].split(" would")[0].replace(",", ""))

    few = whole.isel(contrast=slice(0, 10))
    long, short = (enough(cg.decide(one, rope=(-0.1, 0.1))) for one in (whole, few))
    assert long == pytest.approx(1.58 * short, rel=0.02)

# Imports from the inside: tables of text, whose width no public call sets.
"""Every answer that the package gives is reported, whole or in part, or refused with an
error that says what to do.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.tell import text_tables
from causalgia.tell.effect_rows import as_reportable

LETTERS = {"n": cg.Untreated(), "A": cg.Embed("A", at=9)}
ARMS = {
    "untreated": cg.Untreated(),
    "GATA1": cg.Embed("AGATAAG", at=30),
    "core": cg.Embed("AGCTAAG", at=30),
}


@pytest.fixture(scope="module")
def outcomes():
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, progress=False)


def test_rounds_of_a_search_are_contrasts():
    dims = ("round", "contrast", "task")
    ace = np.array([[[-2.0], [-2.0]], [[-1.0], [-3.0]]])
    found = xr.Dataset(
        {"ace": (dims, ace), "lower": (dims, ace - 0.1), "upper": (dims, ace + 0.1)},
        {
            "round": [1, 2],
            "tile": ("round", ["10-40", "60-90"]),
            "contrast": ["added", "total"],
            "task": ["K562"],
        },
    ).assign(choosing=(("round", "task"), [[-1.9], [-0.8]]))
    names = as_reportable(found)["contrast"].to_numpy().tolist()
    assert names == ["10-40, added", "10-40, total", "60-90, added", "60-90, total"]
    assert cg.tidy(found)["estimate"].tolist() == [-2.0, -2.0, -1.0, -3.0]
    unnamed = as_reportable(found.drop_vars("tile"))
    assert unnamed["contrast"].to_numpy()[2] == "round 2, added"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_an_answer_and_a_check_are_reported(outcomes):
    experiment = cg.experiments.position(
        cg.Uniform(length=41), "UGCAUG", n_units=20, rope=(-0.1, 0.1)
    )
    network = cg.zoo.oracle("rbfox1_like")
    answer = experiment.analyze(cg.run(experiment, network, rng=0), rng=0)
    assert cg.report(answer) == answer.report()
    assert cg.report(answer, notes=True) == answer.report(notes=True)
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=20)
    check = cg.check(design, cg.zoo.oracle("gata1_like"))
    assert cg.report(check) == str(check)


def test_a_posterior_and_the_spread_of_effects_are_reported(outcomes):
    table = cg.from_effects(np.linspace(-1, 2, 14), se=np.full(14, 0.3))
    tree = cg.infer(table, n_draws=400, rng=0)
    lines = str(cg.report(tree, rows="all")).splitlines()
    assert len([line for line in lines if line[:1].isdigit()]) == 14
    tau = tree["posterior"]["tau"].quantile([0.5, 0.025, 0.975]).values
    assert f"sd of {tau[0]:.2f} [{tau[1]:.2f}, {tau[2]:.2f}]" in lines[0]
    for alone in (tree["posterior"], tree["posterior"].to_dataset()):
        assert "credible" in cg.report(alone)
    spread = cg.moderation(cg.contrast(outcomes, control="untreated"))
    assert "GATA1" in cg.report(spread, task="K562")


def test_columns_give_way_to_names():
    header = ["contrast", "ACE", "95 % interval", "verdict", "q", "shrunken"]
    line = ["GATA1, core broken", "1.4", "[1.3, 1.5]", "increases", "<1e-4", "1.39"]
    shown = {
        width: text_tables.table_within(header, [line], width)[0]
        for width in (80, 60, 50)
    }
    assert shown[80][0].split()[-1] == "shrunken"
    assert " q" not in shown[60][0]
    assert shown[50][0].split()[-1] == "verdict"
    assert shown[50][1].startswith("GATA1, core broken ")


def reads_any_letter(seed=0):
    weights = np.random.default_rng(seed).normal(size=(4, 60))

    def answers(x):
        return np.exp((x * weights).sum((1, 2)) / 20)

    return cg.FunctionPredictor(answers, tasks=["K562"])


@pytest.fixture(scope="module")
def varied():
    design = cg.Design(null=cg.Uniform(length=60), arms=ARMS, n_units=40)
    return cg.run(design, reads_any_letter(), rng=0, progress=False)


@pytest.fixture(scope="module")
def decided(varied):
    estimates = cg.estimate(cg.contrast(varied, control="untreated"))
    return cg.decide(estimates, rope=(-0.1, 0.1))


@pytest.mark.parametrize("as_", ["md", "html", "latex"])
def test_every_rendering_has_the_answer_and_its_numbers(decided, as_):
    text, shown = cg.report(decided), cg.report(decided, as_=as_)
    numbers = {n for n in text.replace("-", "−").split() if n[0].isdigit() and "." in n}
    assert len(numbers) >= 2
    plain = shown.replace("$-$", "−").replace("&lt;", "<")
    plain = plain.replace("{[}", "[").replace("{]}", "]")
    assert all(number.rstrip(".,;") in plain for number in numbers)


@pytest.mark.parametrize(
    "asked",
    [
        {"as_": "pdf"},
        {"as_": "page"},
        {"as_": "methods", "notes": True},
        {"as_": "md", "path": "report.html"},
        {"rows": "some"},
        {"task": "HeLa", "as_": "methods"},
    ],
)
def test_what_a_rendering_does_not_have_is_refused(decided, asked):
    with pytest.raises(cg.errors.CausalgiaError):
        cg.report(decided, **asked)


def test_outcomes_serve_a_page_alone(decided, varied, tmp_path):
    with pytest.raises(cg.errors.DataError):
        cg.report(decided, outcomes=varied)
    page = cg.report(decided, as_="page", path=tmp_path / "a.html", outcomes=varied)
    assert page.is_file()


def test_text_without_a_table_is_escaped_in_every_rendering():
    profile = cg.FunctionPredictor(
        lambda x: x[:, :2], track=cg.Track(axis=-1), tasks=["a_1", "<b>"]
    )
    design = cg.Design(null=cg.Uniform(length=20), arms=LETTERS, n_units=9)
    run = cg.run(design, profile, rng=0, progress=False)
    assert "&lt;b&gt;" in cg.report(run, as_="html")
    assert r"a\_1" in cg.report(run, as_="latex")
    lines = cg.report(run, as_="md").rstrip().splitlines()
    assert all(line.startswith("    ") for line in lines if line)


def test_the_design_on_a_page_names_files_without_their_folders(tmp_path):
    folder = tmp_path / "of_somebody"
    folder.mkdir()
    letters = np.random.default_rng(0).choice(list("ACGT"), (30, 60))
    (folder / "peaks.fa").write_text(
        "".join(f">p{i}\n{''.join(row)}\n" for i, row in enumerate(letters))
    )
    null = cg.DinucleotideShuffle(of=folder / "peaks.fa")
    arms = ARMS | {"+ /core/ x": cg.Embed("TTTT", at=20)}
    design = cg.Design(null=null, arms=arms, n_units=20, contrasts="untreated")
    run = cg.run(design, reads_any_letter(), rng=0, progress=False)
    made = cg.analyze(run, rope=(-0.1, 0.1))
    html = cg.report(made, path=tmp_path / "a.html", outcomes=run).read_text("utf-8")
    assert "peaks.fa" in html
    assert html.count("&#34;+ /core/ x&#34;: {") == 1  # an arm of the design
    assert "of_somebody" not in html

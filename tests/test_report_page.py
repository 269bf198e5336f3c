# Imports from the inside: what a report has in it, which its page has too.
"""The page of a result: what is on it, that names are text, that it stands alone, and
that it works in a browser.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chromium import Chromium

import causalgia as cg
from causalgia.errors import DataError, EstimateError
from causalgia.estimation._from_effects import as_estimates
from causalgia.tell.answers import answer_parts
from causalgia.tell.html_page import isolated

pytestmark = pytest.mark.usefixtures("every_figure_can_be_printed")

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "</style><img src=x onerror='window.hacked = 1'>",
    '"\' onmouseover="window.hacked = 1',
    "javascript:window.hacked=1",
    "</title></head><!--",
    "]]>-->{{ 7 * 7 }}{% raw %}",
    "\x00\x1b[31m\u2028\u202e\ud800",
    "&lt;b&gt; &amp; $x_1$",
)
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, texts by the tag around them, and whether tags are
    nested as they should be.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.seen: list[str] = []  # what is read before a fold is opened
        self.figures_seen = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.figures_seen += tag == "figure" and "details" not in self.open
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))
        hidden = {"details", "script", "style", "head", "noscript"} & set(self.open)
        if not hidden or self.open[-1] == "summary":
            self.seen.append(data)

    def all(self, tag, **attrs):
        return [
            found
            for name, found in self.tags
            if name == tag and attrs.items() <= found.items()
        ]

    def before_folds(self):
        return " ".join(" ".join(self.seen).split())

    def text(self):
        return " ".join(
            data for tag, data in self.texts if tag not in ("script", "style")
        )


def decided(n=3, *, names=None, rope=(-0.1, 0.1), seed=0):
    effect = (
        np.linspace(1.4, -0.02, n)
        if names is None
        else np.linspace(1.4, -0.02, len(names))
    )
    names = [f"motif {i}" for i in range(n)] if names is None else list(names)
    return cg.decide(
        cg.from_effects(effect, se=np.full(len(effect), 0.02), names=names), rope=rope
    )


def checks(**attrs):
    names = ["A/A", "null shift", "strand"]
    columns = {
        "value": [0.03, 0.8, 0.4],
        "threshold": [0.05, 0.5, 0.1],
        "status": ["pass", "fail", "warn"],
        "reason": ["uniform p", "shuffles do not overlap enhancers", "strands differ"],
        "cure": ["", "Genomic(of=peaks)", "average both strands"],
        "figure": ["p-value of a difference", "area under a curve", "ratio"],
        "n_predictions": [10, 20, 30],
    }
    return xr.Dataset(
        {k: ("check", v) for k, v in columns.items()},
        coords={"check": names},
        attrs=attrs,
    )


@cache
def simulated_trial():
    arms = {
        "untreated": cg.Untreated(),
        "GCATG": cg.Embed("GCATG", at=12),
        "GCACG": cg.Embed("GCACG", at=12),
    }
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=40)
    analysis = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0, analysis=analysis)


def trial():
    """Outcomes that a test may change: the trial is run once in a process."""
    return simulated_trial().copy(deep=True)


def written(x, folder, **options):
    path = cg.report(x, path=folder / "report.html", **options)
    return path.read_text(encoding="utf-8")


def rows_of(html):
    return json.loads(
        re.search(
            r'<script type="application/json" id="rows">(.*?)</script>', html, re.DOTALL
        )[1]
    )


@cache
def starter(n_units=100):
    """The trial of `causalgia init`, with decisions: two tasks and forty placebos."""
    arms = {
        "untreated": cg.Untreated(),
        "placebo": cg.Placebo("AGATAAG", at=100),
        "GATA1": cg.Embed("AGATAAG", at=100),
        "GATA1, core broken": cg.Embed("AGCGAAG", at=100),
    }
    arms |= cg.placebos("AGATAAG", at=100, n_placebos=40, rng=0)
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=n_units)
    analysis = cg.Analysis(control="placebo", rope=(-0.1, 0.1))
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=7, analysis=analysis)
    return outcomes, cg.analyze(outcomes)


@pytest.fixture(scope="module")
def starter_page(tmp_path_factory):
    """The page of that trial with its outcomes, as text."""
    outcomes, decisions = starter()
    return written(decisions, tmp_path_factory.mktemp("starter"), outcomes=outcomes)


def fitted():
    from causalgia.mpra.counts._noise_model import simulated

    return cg.mpra.fit(simulated(), control="control")


def spaced():
    experiment = cg.experiments.spacing(
        cg.Uniform(length=41), motif="UGCAUG", distances=[4, 6, 9], n_units=60
    )
    return experiment.analyze(cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0))


def of_tasks(n, names=("GATA1", "GATA1, core broken", "untreated")):
    """Decisions in n tasks."""
    size = np.linspace(1.4, -0.02, len(names))[:, None] * np.linspace(1, 0.2, n)
    frame = pd.DataFrame(
        {
            "contrast": np.repeat(list(names), n),
            "task": [f"DNASE: cell line {i}" for i in range(n)] * len(names),
            "ace": size.ravel(),
            "se": 0.05,
        }
    ).set_index(["contrast", "task"])
    table = frame.to_xarray().transpose("contrast", "task")
    df = xr.full_like(table["ace"], 1_000.0)
    return cg.decide(as_estimates(table.assign(df=df)), rope=(-0.1, 0.1))


LONG = ("W" * 200, "転写因子" * 50, "عامل النسخ " * 20, "a\u0301" * 100)


@pytest.mark.simulation
def test_a_page_has_question_answer_figure_doubts_and_folds_in_this_order(tmp_path):
    outcomes = trial()
    html = written(
        cg.analyze(outcomes), tmp_path, outcomes=outcomes, refutations=checks()
    )
    page = Page(html)
    assert [found["id"] for found in page.all("section")] == [
        "finding",
        "refutations",
        "details",
    ]
    folds = [found["id"] for found in page.all("details") if "id" in found]
    assert folds == [
        "reasons",
        "method",
        "protocol",
        "arms",
        "each",
        "pictures",
        "provenance",
        "cite",
    ]
    assert not any("open" in found for found in page.all("details"))
    places = [
        html.index(f'id="{name}"')
        for name in ("question", "answer", "effects", "foot", "figure-1", *folds)
    ]
    assert places == sorted(places)
    text = page.text()
    assert outcomes.attrs["predictor_fingerprint"] in text
    assert len(html.encode()) < 2_000_000


def test_the_page_says_what_the_report_says_and_says_it_once(starter_page, tmp_path):
    _, decisions = starter()
    page = Page(starter_page)
    told = answer_parts(decisions, noted="under Method")
    seen = page.before_folds()
    assert " ".join(told.sentences) in seen
    assert " ".join(told.foot) in seen
    # what is copied into a paper is complete by itself
    own = starter_page.partition('id="cite"')[0]
    for line in (*told.sentences, *told.foot, *told.notes):
        assert len(line) > 20
        assert own.count(str(isolated(line))) == 1
    shown = rows_of(written(decisions, tmp_path))
    assert shown["columns"] == told.header
    plain = [[cell.replace("-", "−") for cell in line[2:4]] for line in told.lines]
    assert [row[2:4] for row in shown["first"]] == plain
    # directions first, the largest on top
    assert [row[0] for row in shown["rows"]][:2] == ["GATA1", "GATA1"]


def test_definitions_sentences_and_placebos_are_folded(starter_page):
    outcomes, decisions = starter()
    page = Page(starter_page)
    seen, text = page.before_folds(), page.text()
    for folded in (
        "do(x[100:107] = AGATAAG)",
        outcomes.attrs["predictor_fingerprint"],
    ):
        assert folded in text
        assert folded not in seen
    names = decisions["contrast"].to_numpy().astype(str)
    words = [name.removeprefix("placebo ") for name in names if "placebo " in name]
    assert len(words) == 40
    assert not any(word in seen for word in words)


@pytest.mark.simulation
def test_the_finding_has_one_figure_that_nothing_repeats(starter_page, tmp_path):
    """A forest, an equivalence plot and a volcano showed the same four effects."""
    page = Page(starter_page)
    assert page.figures_seen == 1
    drawn = [found["aria-label"] for found in page.all("svg", role="img")]
    assert drawn[0] == drawn[1]  # for wide and for narrow screens
    # of a screen the table and the figure have the largest, and all are in a fold
    many = Page(written(decided(60), tmp_path))
    assert many.figures_seen == 1
    assert len(many.all("figure")) == 2


def test_a_fit_has_one_figure(tmp_path):
    page = Page(written(fitted(), tmp_path))
    assert page.figures_seen == 1


def test_long_names_are_whole(tmp_path):
    page = Page(written(decided(names=LONG), tmp_path))
    assert {data for tag, data in page.texts if tag == "th"} >= set(LONG)


def test_numbers_beside_names_from_right_to_left_keep_their_order():
    text = isolated("GATA1 in عامل النسخ: 2.67 [2.01, 3.33] <b>")
    assert "<bdi>عامل النسخ</bdi>: 2.67 [2.01, 3.33] &lt;b&gt;" in text


@pytest.mark.simulation
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("n", "rows"), [(1, 20), (919, 3)])
def test_a_figure_has_every_task_or_says_how_many(n, rows, tmp_path):
    table = of_tasks(n, [f"motif {i}" for i in range(rows)])
    page = Page(written(table, tmp_path))
    label = page.all("svg", role="img")[0]["aria-label"]
    assert (f"{n} tasks" in label) == (n > 1)


@pytest.mark.simulation
def test_every_id_is_there_once_and_every_reference_has_one(tmp_path):
    outcomes = trial()
    html = written(cg.analyze(outcomes), tmp_path, outcomes=outcomes)
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = {
        value[1:]
        for _, attrs in page.tags
        for value in attrs.values()
        if value and value.startswith("#")
    }
    wanted = {name for name in wanted if not re.fullmatch(r"[0-9a-f]{6}", name)}
    assert wanted <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(ids)


def test_the_page_asks_for_nothing_from_elsewhere(tmp_path):
    html = written(decided(), tmp_path)
    page = Page(html)
    for tag, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)
    assert "@import" not in html
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")


def test_hostile_names_are_text(tmp_path):
    attrs = {
        "predictor": HOSTILE[0],
        "exploratory": HOSTILE[2],
        "notes": HOSTILE[1],
        "scale": HOSTILE[3],
    }
    table = decided(names=HOSTILE).assign_attrs(attrs)
    bad = checks(not_applicable=HOSTILE[0]).assign_coords(check=list(HOSTILE[:3]))
    bad["reason"] = ("check", list(HOSTILE[1:4]))
    html = written(table, tmp_path, refutations=bad)
    plain, page = Page(written(decided(9), tmp_path, refutations=checks())), Page(html)
    for tag in ("script", "style", "title", "head", "body", "table"):
        assert len(page.all(tag)) == len(plain.all(tag))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert HOSTILE[0] in page.text()
    assert "{{ 7 * 7 }}" in page.text()
    assert [row[0] for row in rows_of(html)["rows"]][:4] == list(HOSTILE[:4])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u2028\u202e]", html)


def test_the_rows_are_those_of_the_table(tmp_path):
    html = written(table := decided(), tmp_path)
    found = rows_of(html)
    markdown = [x for x in cg.table(table).splitlines() if x[0:1] == "|"][2:5]
    assert found["columns"][:3] == ["contrast", "effect", "95 % interval"]
    for row, line in zip(found["rows"], markdown, strict=True):
        assert [cell.strip() for cell in line.split("|")[1:-1]] == row
    shown = [data for tag, data in Page(html).texts if tag in ("td", "th")]
    assert {"motif 0", "1.400"} <= set(shown)


@pytest.mark.simulation
def test_ten_thousand_effects_are_rows_of_a_script(tmp_path):
    rng = np.random.default_rng(0)
    table = cg.decide(
        cg.from_effects(rng.normal(0, 0.3, 10_000), se=np.full(10_000, 0.1)),
        rope=(-0.1, 0.1),
    )
    html = written(table, tmp_path)
    assert len(rows_of(html)["rows"]) == 10_000
    Page(html)
    assert len(rows_of(html)["first"]) == 20
    assert len(html) < 10_000_000


def test_deviations_are_printed(tmp_path):
    found = decided().assign_attrs(
        exploratory="rope was (-0.2, 0.2); ci_prob was 0.9", protocol="sha256 of it"
    )
    page = Page(written(found, tmp_path))
    assert "sha256 of it" in page.text()
    assert "rope was (-0.2, 0.2); ci_prob was 0.9" in page.before_folds()


def test_checks_have_their_reasons(tmp_path):
    page = Page(
        written(
            decided(),
            tmp_path,
            refutations=checks(not_applicable="balance: no parallel trial"),
        )
    )
    assert "balance: no parallel trial" in page.text()
    assert "Genomic(of=peaks)" in page.text()


def test_an_answer_has_its_question_and_its_own_picture(tmp_path):
    experiment = cg.experiments.position(
        cg.Uniform(length=60), motif="GCATG", at=range(5, 50, 10), n_units=30
    )
    answer = experiment.analyze(cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0))
    page = Page(written(answer, tmp_path))
    assert answer.question in page.text()
    # of one task, which needs no heading
    assert page.figures_seen == len(page.all("figure")) == 1
    assert page.all("svg", role="img")[0]["aria-label"].startswith(answer.question)


@pytest.mark.parametrize(
    "kind", ["outcomes", "concordance", "counts", "quality", "library"]
)
def test_every_result_has_a_page(kind, tmp_path):
    from causalgia.mpra.counts._noise_model import simulated

    def concordance():
        true = np.linspace(-1, 1, 40)
        virtual = pd.DataFrame({"element": np.arange(40), "effect": true})
        measured = virtual.assign(
            se=0.5, effect=true + np.random.default_rng(1).normal(0, 0.5, 40)
        )
        return cg.mpra.concordance(virtual, measured)

    def library():
        arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
        design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=20)
        return cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)

    made = {
        "outcomes": trial,
        "concordance": concordance,
        "counts": simulated,
        "library": library,
    }
    result = cg.mpra.quality(simulated()) if kind == "quality" else made[kind]()
    page = Page(written(result, tmp_path))
    assert cg.report(result).splitlines()[0].strip() in page.text()
    assert bool(page.all("figure")) == (kind != "library")


@pytest.mark.simulation
def test_a_parallel_trial_draws_the_units_of_each_arm(tmp_path):
    arms = {
        "untreated": cg.Untreated(),
        "GATA1": cg.Embed("AGATAAG", at=96),
        "mutant": cg.Embed("AGCGAAG", at=96),
    }
    design = cg.Design(
        null=cg.Uniform(length=200), arms=arms, n_units=40, assignment="parallel"
    )
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan)
    Page(
        cg.report(
            cg.analyze(outcomes), path=tmp_path / "r.html", outcomes=outcomes
        ).read_text("utf-8")
    )
    axes = cg.plot.distribution(outcomes, task="K562")
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ["untreated", "GATA1", "mutant"]


def test_a_profile_is_found_before_it_is_described(tmp_path):
    word = {
        "placebo": cg.Placebo("AGATAAG", at=96),
        "GATA1": cg.Embed("AGATAAG", at=96),
    }
    design = cg.Design(
        null=cg.Uniform(length=200), arms=word, n_units=60, contrasts="placebo"
    )
    band = cg.simultaneous(
        cg.contrast(cg.run(design, cg.zoo.footprint(), rng=7)), over="position", rng=7
    )
    html = cg.report(band, path=tmp_path / "r.html").read_text("utf-8")
    page, text = Page(html), cg.report(band)
    assert len(page.all("figure")) == 1
    assert text.splitlines()[0] in page.text()
    assert "<table>" in cg.report(band, as_="html")


@pytest.mark.simulation
def test_a_tipping_point_is_found_before_it_is_described(tmp_path):
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=120)
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan)
    tipping = cg.tipping_point(outcomes)
    html = cg.report(tipping, path=tmp_path / "r.html").read_text("utf-8")
    page = Page(html)
    assert len(page.all("figure")) == 1
    assert len(page.all("svg", role="img")) == 2
    assert "<table>" in cg.report(tipping, as_="html")


@pytest.mark.simulation
def test_a_page_of_one_task_has_nothing_of_the_others(tmp_path):
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=120)
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan)
    curves = cg.FunctionPredictor(
        lambda x: np.stack([x[:, 0], x[:, 1]], 1),
        tasks=["K562", "HepG2"],
        track=cg.Track(axis=-1),
    )
    profile = cg.contrast(cg.run(design, curves, rng=0), control="untreated")
    band = cg.simultaneous(profile, over="position", rng=7)
    for found in (outcomes, cg.tipping_point(outcomes), band):
        assert "HepG2" in Page(written(found, tmp_path)).text()
        assert "HepG2" not in Page(written(found, tmp_path, task="K562")).text()
        assert "HepG2" in cg.report(found)
        assert "HepG2" not in cg.report(found, task="K562")
        for to in (None, tmp_path / "r.html"):
            with pytest.raises(EstimateError):
                cg.report(found, task="HeLa", path=to)
    decisions = cg.analyze(outcomes)
    assert (
        "HepG2"
        not in Page(written(decisions, tmp_path, task="K562", outcomes=outcomes)).text()
    )
    for to in (None, tmp_path / "r.html"):
        with pytest.raises(DataError):
            cg.report(checks(), task="K562", path=to)


def test_outcomes_and_checks_of_another_trial_are_refused(tmp_path):
    outcomes = trial()
    decided = cg.decide(
        cg.estimate(cg.contrast(outcomes, control="untreated")), rope=(-0.1, 0.1)
    )
    other = outcomes.assign_attrs(design_fingerprint="another")
    with pytest.raises(cg.errors.DataError):
        cg.report(decided, path=tmp_path / "r.html", outcomes=other)
    with pytest.raises(cg.errors.DataError):
        cg.report(
            decided, path=tmp_path / "r.html", outcomes=outcomes.assign_attrs(rng="77")
        )
    with pytest.raises(cg.errors.DataError):
        cg.report(
            decided, path=tmp_path / "r.html", outcomes=outcomes.isel(unit=slice(5))
        )
    with pytest.raises(cg.errors.DataError):
        cg.report(
            decided,
            path=tmp_path / "r.html",
            refutations=checks().assign_attrs(predictor_fingerprint="x"),
        )
    assert not (tmp_path / "r.html").exists()


def test_many_contrasts_of_an_analysis_are_kept_in_full(tmp_path):
    experiment = cg.experiments.motif_mutagenesis(
        cg.Uniform(length=41), "GCATG", n_units=400
    )
    answer = experiment.analyze(cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0))
    html = written(answer, tmp_path)
    fixed = html.partition('id="protocol"')[2].partition("</details>")[0]
    assert "contrasts: in full under Provenance" in fixed
    assert len(fixed) < 600
    assert "&#34;contrasts&#34;" in html.partition('id="provenance"')[2]


PAGES = {
    "trial": lambda: starter()[1],
    "experiment": spaced,
    "fit": fitted,
    "one": lambda: decided(1),
    "5,000": lambda: decided(5_000),
    "12 tasks": lambda: of_tasks(12),
    "919 tasks": lambda: of_tasks(919),
    "long names": lambda: decided(names=LONG),
}
"""What a page is of -> the result."""


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """The file of each of these pages, written when a test first opens it."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def path(name):
        return cg.report(PAGES[name](), path=folder / f"{list(PAGES).index(name)}.html")

    return path


@pytest.fixture(scope="module")
def browser():
    with Chromium() as found:
        yield found


@pytest.mark.browser
class TestInABrowser:
    def load(self, browser, path: Path) -> float:
        browser.errors.clear(), browser.console.clear(), browser.requests.clear()
        browser.screen(1200, 900)
        seconds = browser.open(path)
        assert browser.errors == []
        assert browser.console == []
        assert [
            url for url in browser.requests if not url.startswith(("file:", "data:"))
        ] == []
        assert sum(url.startswith("file:") for url in browser.requests) == 1
        return seconds

    def cells(self, browser, column=0):
        return browser.value(
            "[...document.querySelectorAll('#effects tbody tr')].map(r => "
            f"r.cells[{column}].innerText)"
        )

    @pytest.mark.simulation
    def test_all_pictures_are_there_and_the_table_sorts_and_filters(
        self, browser, tmp_path
    ):
        outcomes = trial()
        path = cg.report(
            cg.analyze(outcomes),
            path=tmp_path / "a.html",
            outcomes=outcomes,
            refutations=checks(),
        )
        self.load(browser, path)
        browser.value("document.getElementById('pictures').open = true")
        sizes = browser.value(
            "[...document.querySelectorAll('figure svg, figure img')].map(e => "
            "e.getBoundingClientRect().width).filter(w => w > 0)"
        )
        assert len(sizes) == 3
        assert min(sizes) > 200
        self.load(browser, cg.report(decided(5), path=tmp_path / "b.html"))
        button = "document.querySelectorAll('#effects thead button')[{}]"
        browser.value(button.format(1) + ".click()")
        first = self.cells(browser)
        assert first == [f"motif {i}" for i in range(5)]
        assert (
            browser.value(
                "document.querySelectorAll('#effects th')[1].getAttribute('aria-sort')"
            )
            == "descending"
        )
        browser.value(button.format(1) + ".click()")
        assert self.cells(browser) == first[::-1]
        assert browser.value("document.getElementById('tools').hidden")
        self.load(browser, cg.report(decided(30), path=tmp_path / "c.html"))
        assert len(self.cells(browser)) == 20
        browser.value("document.getElementById('every').click()")
        assert len(self.cells(browser)) == 30
        browser.value(
            "const box = document.getElementById('filter'); box.value = 'motif "
            "13';box.dispatchEvent(new Event('input'))"
        )
        assert self.cells(browser) == ["motif 13"]
        assert "1 of 1 (30 without the filter)" in browser.value(
            "document.getElementById('status').textContent"
        )
        browser.value(
            "box.value = ''; const v = document.getElementById('verdict'); v.value = "
            "'negligible';v.dispatchEvent(new Event('change'))"
        )
        assert set(self.cells(browser, 3)) == {"negligible"}

    def test_the_keyboard_reaches_the_table(self, browser, tmp_path):
        self.load(browser, cg.report(decided(), path=tmp_path / "a.html"))
        browser.press("Tab")
        browser.value("document.querySelectorAll('#effects thead button')[0].focus()")
        browser.press("Enter")
        assert (
            browser.value(
                "document.querySelector('#effects th').getAttribute('aria-sort')"
            )
            == "ascending"
        )
        browser.press("Tab")
        assert browser.value("document.activeElement.textContent") == "effect"

    def test_hostile_names_do_nothing(self, browser, tmp_path):
        table = decided(names=HOSTILE).assign_attrs(
            predictor=HOSTILE[1], notes=HOSTILE[2]
        )
        self.load(browser, cg.report(table, path=tmp_path / "a.html"))
        assert browser.value("window.hacked") is None
        assert self.cells(browser)[:2] == list(HOSTILE[:2])

    def test_it_fits_a_phone_the_dark_and_paper(self, browser, tmp_path):
        path = cg.report(decided(), path=tmp_path / "a.html", refutations=checks())
        self.load(browser, path)
        browser.screen(390, 844, mobile=True)
        assert browser.value("document.documentElement.scrollWidth") <= 390
        background = "getComputedStyle(document.body).backgroundColor"
        light = browser.value(background)
        browser.screen(1200, 900, dark=True)
        assert browser.value(background) != light
        browser.screen(800, 900, print_=True)
        assert (
            browser.value("getComputedStyle(document.getElementById('tools')).display")
            == "none"
        )

    @pytest.mark.simulation
    @pytest.mark.parametrize("name", list(PAGES))
    def test_one_screen_has_question_answer_and_figure(self, name, browser, page_of):
        """Today's finding lay below the first screen."""
        self.load(browser, page_of(name))
        browser.screen(1280, 800)
        places = browser.value(
            "['#question', '#answer', '#figure-1'].map(name => {const r = document"
            ".querySelector(name).getBoundingClientRect(); return [r.left, r.top, "
            "r.right, r.bottom]})"
        )
        for left, top, right, bottom in places:
            assert left >= 0
            assert top >= 0
            assert right <= 1280
            assert bottom <= 800
        (question, answer, figure) = places
        assert question[3] <= answer[1]
        assert question[3] <= figure[1]
        assert answer[2] <= figure[0]
        letters = self.smallest_drawn_letter(browser)
        assert letters is None or letters >= 5

    def smallest_drawn_letter(self, browser):
        """Return the height in pixels of the lowest name of a tick; None of a PNG."""
        return browser.value(
            "(() => {const of = [...document.querySelectorAll('#figure-1 .wide svg "
            "[id*=ytick] [id*=text]')].map(e => e.getBoundingClientRect().height)"
            ".filter(h => h > 0); return of.length ? Math.min(...of) : null})()"
        )

    @pytest.mark.parametrize("name", ["12 tasks", "long names"])
    @pytest.mark.parametrize("width", [390, 1280])
    def test_no_verdict_is_broken_within_its_word(self, name, width, browser, page_of):
        """With long names beside them they read "increas", "es"."""
        self.load(browser, page_of(name))
        browser.screen(width, 800, mobile=width < 400)
        broken = browser.value(
            "[...document.querySelectorAll('#effects .mark')].filter(e => e.getClientRects"
            "().length && !e.textContent.includes(' ') && e.getBoundingClientRect()"
            ".height > 1.9 * parseFloat(getComputedStyle(e).fontSize)).length"
        )
        assert broken == 0

    @pytest.mark.parametrize("name", list(PAGES))
    def test_a_phone_cuts_nothing(self, name, browser, page_of):
        self.load(browser, page_of(name))
        browser.screen(390, 844, mobile=True)
        assert browser.value("document.documentElement.scrollWidth") <= 390
        wide = browser.value(
            "[...document.querySelectorAll('h1, p, figure, #figure-1 svg, #figure-1 "
            "img, #effects, #effects tr > *')].map(e => e.getBoundingClientRect())"
            ".filter(r => r.width > 0 && (r.left < 0 || r.right > 390)).length"
        )
        assert wide == 0
        drawn = browser.value(
            "[...document.querySelectorAll('#figure-1 svg, #figure-1 img')].map(e => "
            "e.getBoundingClientRect().width).filter(w => w > 0)"
        )
        assert drawn
        assert min(drawn) > 200

    @pytest.mark.simulation
    def test_ten_thousand_effects_page_by_page(self, browser, tmp_path):
        rng = np.random.default_rng(0)
        table = cg.decide(
            cg.from_effects(rng.normal(0, 0.3, 10_000), se=np.full(10_000, 0.1)),
            rope=(-0.1, 0.1),
        )
        self.load(browser, cg.report(table, path=tmp_path / "a.html"))
        assert len(self.cells(browser)) == 20
        browser.value("document.getElementById('every').click()")
        assert len(self.cells(browser)) == 200
        browser.value("document.querySelectorAll('#effects thead button')[1].click()")
        value = [float(cell.replace("−", "-")) for cell in self.cells(browser, 1)]
        assert value == sorted(value, reverse=True)
        assert value[0] == pytest.approx(float(table["ace"].max()), abs=0.01)
        browser.value("document.getElementById('after').click()")
        assert "Rows 201–400 of 10,000" in browser.value(
            "document.getElementById('status').textContent"
        )

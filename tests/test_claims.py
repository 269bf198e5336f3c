"""Published claims: the page is that of the kept results, and these are those of other
readers of the networks, with means and errors of numpy.
"""

import re
import runpy
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.trial_file import read_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import claims_page
from claims.writing import holds, page


@pytest.fixture(scope="module")
def kept():
    return claims_page.kept()


def test_the_page_is_that_of_the_kept_results(kept):
    assert page(claims_page.plan(), claims_page.HERE, kept) == (
        claims_page.PAGE.read_text()
    )


def test_the_counts_of_the_first_pages_are_those_of_the_page():
    first = " ".join(claims_page.PAGE.read_text().split("\n\n")[1].split())
    counts = re.findall(r"\d+", first)
    for path in ("README.md", "paper/paper.md"):
        said = (claims_page.PAGE.parents[1] / path).read_text().split("Of 120 claims")
        assert ["120", *re.findall(r"\d+", said[1])[: len(counts) - 1]] == counts


def test_every_claim_has_its_effects(kept):
    claims = claims_page.plan()["claim"]
    assert len({claim["name"] for claim in claims}) == len(claims)
    for claim in claims:
        assert holds(claim, kept[claim["trial"]]["rows"])


@pytest.mark.parametrize(
    ("says", "verdict", "end"),
    [
        ("increases", "increases", "holds"),
        ("increases", "negligible", "does not hold"),
        ("increases", "undecided", "undecided"),
        ("no increase", "decreases", "holds"),
        ("no increase", "increases", "does not hold"),
        ("negligible", "decreases", "does not hold"),
    ],
)
def test_a_claim_holds_where_every_effect_has_its_verdict(says, verdict, end):
    rows = {"a|t": {"verdict": verdict}, "b|t": {"verdict": "increases"}}
    claim = {"rows": [["b", "t", "increases"], ["a", "t", says]]}
    assert holds(claim, rows) == end


def other_reader(models, said):
    """Return functions of one-hot rows, one a training, of the networks as arch.py has
    them, and their tasks.
    """
    from causalgia.networks.deposits import deposit_of, part_of

    name, _, part = said["network"].partition("/")
    members = []
    for file in deposit_of(name)["converted"]:
        if part in ("", part_of(file)):
            folder = models / file.get("folder", name)
            reader = runpy.run_path(str(folder / "arch.py"))
            network = reader["load"](folder / file["file"])
            tasks = deposit_of(name)["tasks"] or list(network.tasks)
            reduce = reader["at"]() if "window" in said else None
            members.append((network, reduce))
    return members, list(tasks)


@pytest.mark.real
@pytest.mark.torch
@pytest.mark.parametrize("name", claims_page.trials())
def test_effects_are_those_of_another_reader(name, shared, kept):
    import torch

    trial = tomllib.loads((claims_page.HERE / f"{name}.toml").read_text())
    members, tasks = other_reader(shared / "data" / "models", trial["predictor"])

    def answers(x):
        with torch.no_grad():
            y = [network(torch.from_numpy(x)) for network, _ in members]
            y = [
                one if reduce is None else reduce(one)
                for one, (_, reduce) in zip(y, members, strict=True)
            ]
        return torch.stack(y).mean(0).numpy()

    spec = read_spec(claims_page.HERE / f"{name}.toml")
    predictor = cg.FunctionPredictor(
        answers, tasks=tasks, scale="as it is", batch_size=64
    )
    y = cg.run(spec.design, predictor, rng=spec.rng)["outcome"]
    analysis = trial["analysis"]
    contrasts = analysis.get("contrasts") or {
        arm: {arm: 1, analysis["control"]: -1} for arm in trial["arms"] if arm != "none"
    }
    of_tasks = analysis.get("tasks") or {task: {task: 1} for task in tasks}
    for key, row in list(kept[name]["rows"].items())[:12]:
        contrast, task = key.split("|")
        task = task.removeprefix("site: ")
        effect = sum(
            weight * share * y.sel(arm=arm, task=of).values
            for arm, weight in contrasts[contrast].items()
            for of, share in of_tasks[task].items()
        )
        se = effect.std(ddof=1) / np.sqrt(len(effect))
        assert row["estimate"] == pytest.approx(effect.mean(), abs=1e-4 + 0.002 * se)
        if analysis.get("target") is None:
            half = (row["conf_high"] - row["conf_low"]) / 2
            # Student's or Hall's interval, whose union is wider where effects are skewed
            assert 1.94 * se - 1e-5 <= half <= 4 * se + 1e-5

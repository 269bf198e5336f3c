"""Published claims about published networks, asked again, written to docs/claims.md:
`python benchmarks/claims_page.py`.

`claims/claims.toml` has the claims, and a trial file each network: they were committed
before any trial was run. Of each trial the effects, and what `refute` says of claims that
hold, are kept in `claims/results/`; a trial that is there is not run again. ``--only``
names trials, ``--write`` writes the page alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from claims.writing import holds, page

HERE = Path(__file__).resolve().parent / "claims"
PAGE = HERE.parents[1] / "docs" / "claims.md"
RESULTS = HERE / "results"
Results = dict[str, Any]
#: checks of the motif and of its control mean something where the control has no motif
_OF_A_MOTIF = {"beyond_placebos", "another_control"}


def plan() -> Results:
    """Return the claims, and those of the list that are not asked."""
    return tomllib.loads((HERE / "claims.toml").read_text())


def trials() -> list[str]:
    """Return the names of the trial files."""
    return list(dict.fromkeys(claim["trial"] for claim in plan()["claim"]))


def kept() -> dict[str, Results]:
    """Return what is kept, by the name of the trial."""
    return {
        name: json.loads((RESULTS / f"{name}.json").read_text())
        for name in trials()
        if (RESULTS / f"{name}.json").exists()
    }


def predictor_of(said: Results) -> Any:
    """Return the network of a trial file's table [predictor]."""
    import causalgia as cg

    window = said.get("window")
    reduce = None if window is None else cg.Window(**window)
    return cg.networks.load(said["network"], reduce=reduce)


def one_trial(name: str, out: Path) -> Results:
    """Run a trial as `causalgia run` does, and refute what holds of it."""
    import causalgia as cg

    folder = out / name
    for words in (["run", HERE / f"{name}.toml", "--out"], ["analyze"]):
        subprocess.run([sys.executable, "-m", "causalgia", *words, folder], check=True)
    trial = tomllib.loads((HERE / f"{name}.toml").read_text())
    found = cg.open(folder)
    columns = ["estimate", "conf_low", "conf_high", "q", "verdict"]
    table = cg.tidy(found.decisions).set_index(["term", "task"])[columns]
    rows = {f"{term}|{task}": row.to_dict() for (term, task), row in table.iterrows()}
    predictor = predictor_of(trial["predictor"])
    checks = {}
    for claim in plan()["claim"]:
        if claim["trial"] == name and holds(claim, rows) == "holds":
            checks[claim["name"]] = _refuted(claim, found.outcomes, trial, predictor)
    return {
        "rows": rows,
        "checks": {key: value for key, value in checks.items() if value},
        "units": found.outcomes.sizes["unit"],
    }


def _refuted(claim: Results, outcomes: Any, trial: Results, predictor: Any) -> Results:
    """Return what `refute` says of the effects of a claim: of those in a task of the
    network itself that increase or decrease.
    """
    import causalgia as cg

    arms = trial["analysis"].get("contrasts", {})
    tasks = trial["analysis"].get("tasks", {})
    asked = [
        (contrast, *tasks.get(task, {task: 1}))
        for contrast, task, says in claim["rows"]
        if says in ("increases", "decreases") and len(tasks.get(task, [task])) == 1
    ]
    if not asked:
        return {}
    control = trial["analysis"].get("control")
    names = dict.fromkeys(contrast for contrast, _ in asked)
    weights = {one: arms.get(one, {one: 1, control: -1}) for one in names}
    checks = set(cg.refutation.CHECKS)
    if not all(of.get("none") for of in weights.values()):
        checks -= _OF_A_MOTIF
    network = trial["predictor"]["network"].partition("/")[0]
    if cg.networks.list()["strand"][network] == "transcribed":
        checks.discard("strand")
    found = cg.refute(
        outcomes.sel(task=list(dict.fromkeys(task for _, task in asked))),
        predictor,
        rng=trial["rng"],
        contrasts=weights,
        checks=sorted(checks),
    )
    said = found["status"].to_series().groupby(found["check"].values).agg(list)
    return {check: statuses[0] for check, statuses in said.items()}


def main(argv: list[str]) -> None:
    """Run the trials that are not kept, and write the page."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--only", nargs="*", choices=trials())
    asked.add_argument("--write", action="store_true", help="the page alone")
    said = asked.parse_args(argv)
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="claims_") as folder:
        for name in [] if said.write else said.only or trials():
            path = RESULTS / f"{name}.json"
            if not path.exists():
                found = one_trial(name, Path(folder))
                path.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(plan(), HERE, kept()))


if __name__ == "__main__":
    main(sys.argv[1:])

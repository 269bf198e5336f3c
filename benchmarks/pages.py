"""Every figure of the pages, measured anew: `python benchmarks/pages.py [--check]`.

The pages are docs/validation.md (with the tables of docs/howto/plan_and_stop.md),
performance.md, catalogue.md, paper.md and interpretation.md. They are written
in turn, by the scripts that they name; hours on two cores. With ``--check`` the scripts
run in a copy, nothing of the repository changes, and what differs from the kept figures
is listed: rows of repeated trials by more than their standard error (the seeds
are the same, so that other versions move few trials), effects by more than a
thousandth, and of times, sizes and ratios those that no longer keep their promise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from performed import writing

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {
    "validation": ("validate.py", "validation/figures.json"),
    "catalogue": ("catalogue_page.py", "catalogued/results.json"),
    "paper": ("paper.py", "published/results.json"),
    "interpretation": ("interpretation.py", "interpreted/results.json"),
    "scale": ("scale_page.py", "performed/scale.json"),
    "performance": ("performance_page.py", "performed/results.json"),
}
"""Page -> the script that writes it, and the figures that it keeps."""
OF_THE_MACHINE = {"seconds", "load", "machine", "versions"}


def main(argv: list[str]) -> None:
    """Write the pages anew, or list in what they would differ."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument(
        "--check", action="store_true", help="write nothing; list what differs"
    )
    asked.add_argument("--only", nargs="*", choices=tuple(SCRIPTS), help="pages")
    asked.add_argument("--workers", default="2", help="processes, a core each")
    asked.add_argument(
        "--grammars",
        help=(
            "folder of the networks of simulated grammars, for docs/interpretation.md; "
            "without it their part is left as it is"
        ),
    )
    said = asked.parse_args(argv)
    options = {
        "validation": ["--workers", said.workers],
        "interpretation": [
            "--workers",
            said.workers,
            *(["--grammars", said.grammars] if said.grammars else []),
        ],
    }
    differing = []
    with tempfile.TemporaryDirectory(prefix="pages_") as folder:
        root = copied(Path(folder)) if said.check else ROOT
        for page in said.only or SCRIPTS:
            script, figures = SCRIPTS[page]
            print(f"\n== {page}: {script}", flush=True)
            before = json.loads((ROOT / "benchmarks" / figures).read_text())
            code = subprocess.run(
                [sys.executable, root / "benchmarks" / script, *options.get(page, [])],
                check=False,
            ).returncode
            if code:
                differing.append(f"{page}: {script} ended with {code}")
            if said.check:
                after = json.loads((root / "benchmarks" / figures).read_text())
                differing += [f"{page}: {x}" for x in differences(page, before, after)]
    print("", *differing, f"{len(differing)} differences", sep="\n")
    sys.exit(bool(differing))


def copied(folder: Path) -> Path:
    """Copy what the scripts read and write into a folder, and return where it is."""
    for name in ("benchmarks", "docs"):
        shutil.copytree(
            ROOT / name,
            folder / "repository" / name,
            ignore=shutil.ignore_patterns("_build", "__pycache__"),
        )
    return folder / "repository"


def differences(page: str, kept: Any, found: Any) -> list[str]:
    """Return in words which figures of a page are others than those that were kept."""
    if page == "performance":
        new = sorted(set(writing.missed(found)) - set(writing.missed(kept)))
        return [f"{name} misses its target" for name in new]
    if page == "scale":  # rates and sizes of one machine: the run itself is the test
        return []
    if page == "validation":
        return _moved_rows(kept, found)
    before, after = dict(_leaves(kept)), dict(_leaves(found))
    return [
        f"{name}: {before.get(name)} kept, {after.get(name)} found"
        for name in {**before, **after}
        if not _same(before.get(name), after.get(name))
    ]


def _moved_rows(kept: Any, found: Any) -> list[str]:
    said = []
    for name in {**kept, **found}:
        if name not in kept or name not in found:
            said.append(f"{name}: only {'found' if name in found else 'kept'}")
            continue
        old, new, se = kept[name]["value"], found[name]["value"], kept[name]["mcse"]
        if not abs(new - old) <= max(se, 1e-6 * abs(old)):
            said.append(f"{name}: {old:.4g} kept, {new:.4g} found, se {se:.2g}")
    return said


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of all that is no table and no list."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in OF_THE_MACHINE:
                yield from _leaves(part, f"{name}/{key}")
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _leaves(part, f"{name}/{i}")
    else:
        yield name, value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return one == other or abs(one - other) <= 1e-3 * max(abs(one), abs(other))
    return bool(one == other)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Seconds that each ten-minute page of the site takes: its examples, in a fresh process.

    python benchmarks/ten_minutes.py                # all five
    python benchmarks/ten_minutes.py statistician   # some

Blocks of Python without prompts need a published network: they run, and what they print
is compared with the block below, where the network is in the mirror or the cache.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import subprocess
import sys
import time
from pathlib import Path

from causalgia.errors import MissingExtraError, PredictorError

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "ten_minutes"
NAMES = ("biologist", "statistician", "referee", "lab", "cluster")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
_BLOCK = re.compile(r"```python\n(?!>>>)(.*?)```\n+```text\n(.*?)```", re.DOTALL)


def published_blocks(name: str) -> list[tuple[str, str]]:
    """Return the code and the printed text of each block that needs a published network."""
    return _BLOCK.findall((PAGES / f"{name}.md").read_text("utf-8"))


def printed(code: str) -> str:
    """Return what a block prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "page", "exec"), {})
    return out.getvalue()


def run_page(name: str) -> int:
    """Run the examples of a page, and then its other blocks; return the failures."""
    text = (PAGES / f"{name}.md").read_text("utf-8")
    test = doctest.DocTestParser().get_doctest(text, {"__name__": name}, name, name, 0)
    failed = doctest.DocTestRunner(optionflags=FLAGS).run(test).failed
    for code, expected in published_blocks(name):
        started = time.perf_counter()
        try:
            found = printed(code)
        except (MissingExtraError, PredictorError) as error:
            print(f"  {name}, published network: left out: {error}")
            continue
        agrees = doctest.OutputChecker().check_output(expected, found, FLAGS)
        took = time.perf_counter() - started
        print(
            f"  {name}, published network: {took:.1f} s"
            + ("" if agrees else f"; prints otherwise:\n{found}")
        )
        failed += not agrees
    return failed


def main(names: list[str]) -> int:
    """Time the pages, each in a process of its own."""
    failed = 0
    for name in names:
        started = time.perf_counter()
        page = subprocess.run([sys.executable, __file__, "--here", name], check=False)
        failed += page.returncode != 0
        took = time.perf_counter() - started
        print(f"{name:14}{took:6.1f} s{'' if page.returncode == 0 else '  FAILED'}")
    return failed


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--here", name]:
            sys.exit(run_page(name))
        case names:
            sys.exit(main(names or list(NAMES)))

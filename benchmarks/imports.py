"""What `import causalgia` costs, in units of `import numpy`: user + system time of
fresh interpreters, in turn.
"""

from __future__ import annotations

import resource
import subprocess
import sys


def cost(code: str) -> float:
    """Return the CPU seconds of one interpreter that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Print both costs above an empty interpreter, and return the ratio of whole
    interpreters.
    """
    repeats = 3 if "--quick" in (argv or []) else 15
    codes = ("pass", "import numpy", "import causalgia")
    times = {code: [] for code in codes}
    for _ in range(repeats):
        for code in codes:
            times[code].append(cost(code))
    empty, numpy, ours = (min(times[code]) for code in codes)
    print(
        f"import numpy {numpy - empty:.4f} s, import causalgia {ours - empty:.4f} s of "
        "CPU beyond an empty interpreter"
    )
    print(f"  causalgia / numpy, whole interpreters: {ours / numpy:.2f}; target <= 2")
    return {"import causalgia / import numpy": ours / numpy}


if __name__ == "__main__":
    main(sys.argv[1:])

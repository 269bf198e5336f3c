"""Fuzzed inputs are read in a child process, whose memory is limited, and which ends if
one of them hangs.

``python tests/fuzz/input_limits.py TARGET FIRST COUNT`` runs examples by hand, for
instance the one that a test names. An example is a seed, so that the same number is the
same input everywhere.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from random import Random

MEMORY = 500 * 2**20
"""What the process may take beyond what it has before the first input."""
HANGING, WAITING = 60, 240.0
"""Seconds of processor time, and of any time, after which an input is said to hang."""
# the inputs are files; on a disk a fifth of the time goes into opening them
_MEMORY = "/dev/shm"
_HERE = Path(__file__).parent


def examples(usual: int) -> int:
    """Return how many examples a target gets: `usual`, or what FUZZ_EXAMPLES says."""
    return int(os.environ.get("FUZZ_EXAMPLES", usual))


def run_limited(count: int, *targets: str) -> None:
    """Run `count` examples of targets (from FUZZ_FIRST on) in a child process; fail
    with what went wrong in which.
    """
    first = os.environ.get("FUZZ_FIRST", "0")
    command = [
        sys.executable,
        str(_HERE / "input_limits.py"),
        ",".join(targets),
        first,
        str(count),
    ]
    paths = [str(_HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    found = [
        json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"')
    ]
    wrong = [line for line in found if "error" in line]
    last = found[-1] if found else {}
    told = "\n".join(
        f"{line['target']} {line['example']}: {line['error']}" for line in wrong[:20]
    )
    hint = "python tests/fuzz/input_limits.py TARGET EXAMPLE 1"
    unread = [line["target"] for line in found if line.get("read") == 0]
    assert not wrong, (
        f"{len(wrong)} of {count} inputs ended in no error of ours ({hint}):\n{told}"
    )
    assert ended.returncode == 0, (
        f"{targets} died ({ended.returncode}) near {last}: {ended.stderr[-2000:]}"
    )
    assert last.get("done") == count, f"{targets}: {last}"
    assert not unread, (
        f"no input of {unread} was read: the target refuses what is valid, too"
    )


class HangsError(BaseException):
    """An input was not done after a minute."""


def _hangs(*_: object) -> None:
    raise HangsError


def _example(target: str, read: object, number: int, folder: Path) -> str | None:
    """Run one example; return what is wrong with how it ended, "" if it was read, or
    None if it was refused.
    """
    from causalgia.errors import CausalgiaError

    # code that looks for no signals ends with the process
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(
        resource.RLIMIT_CPU,
        (used + 2 * HANGING, resource.getrlimit(resource.RLIMIT_CPU)[1]),
    )
    signal.setitimer(signal.ITIMER_PROF, HANGING)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        read(Random(f"{target}:{number}"), folder)  # type: ignore[operator]
        return ""
    except CausalgiaError:
        return None
    except HangsError:
        return f"it hangs:\n{traceback.format_exc()[-1500:]}"
    except BaseException:
        return traceback.format_exc()[-2500:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _allow_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(
        resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1])
    )


def main(names: str, first: int, count: int) -> None:
    """Run examples and print a line of JSON for each that went wrong, and now and then
    how far it is.
    """
    sys.path.insert(0, str(_HERE))
    warnings.simplefilter("ignore")
    targets = importlib.import_module("input_targets")
    signal.signal(signal.SIGPROF, _hangs)
    signal.signal(signal.SIGALRM, _hangs)
    before = resource.getrlimit(resource.RLIMIT_AS)[0]
    for target in names.split(","):
        with tempfile.TemporaryDirectory(
            dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None
        ) as name:
            folder = Path(name)
            os.chdir(folder)
            resource.setrlimit(
                resource.RLIMIT_AS, (before, resource.getrlimit(resource.RLIMIT_AS)[1])
            )
            targets.warm(target, folder)
            _allow_memory(MEMORY)
            read = 0
            for number in range(first, first + count):
                wrong = _example(target, targets.TARGETS[target], number, folder)
                read += wrong == ""
                if wrong:
                    print(
                        json.dumps(
                            {"target": target, "example": number, "error": wrong}
                        ),
                        flush=True,
                    )
                if number % 100 == 0:
                    print(json.dumps({"target": target, "at": number}), flush=True)
            print(json.dumps({"target": target, "read": read}), flush=True)
            os.chdir(_HERE)
    print(json.dumps({"done": count}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

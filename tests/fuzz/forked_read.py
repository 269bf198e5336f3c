"""A read of an HDF5 file in a fork of this process, in place of the new process that
the library starts for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random
from types import SimpleNamespace
from typing import Any

from causalgia import store


def use(rng: Random) -> None:
    """Read foreign files in a fork, and one in a hundred in a new process, as the
    library does.
    """
    store.subprocess = subprocess if rng.random() < 0.01 else _FORKED  # type: ignore[assignment]


def _fork(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
    """Do what a new process does with a file in a copy of this one, which takes a
    twentieth of the time to start.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.dup2(write, 1)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
            store.report_damage(*command[-2:])
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(write)
    with open(read, "rb") as pipe:  # noqa: PTH123
        said = pipe.read()
    return subprocess.CompletedProcess(
        command, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said
    )


_FORKED = SimpleNamespace(
    run=_fork, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
)

"""Calls of the command line inside the process of a test."""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from causalgia import cli


class _Both(StringIO):
    """A stream whose text goes to a second one as well."""

    def __init__(self, both: StringIO) -> None:
        super().__init__()
        self.both = both

    def write(self, text: str) -> int:
        self.both.write(text)
        return super().write(text)


@dataclass
class Done:
    """What a command printed, to stdout, stderr and both, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str
    output: str


def invoke(*words: object, env: dict[str, str] | None = None) -> Done:
    """Run ``causalgia WORDS``."""
    both = StringIO()
    out, err = _Both(both), _Both(both)
    with redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ, env or {}):
        code = cli.run([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue(), both.getvalue())

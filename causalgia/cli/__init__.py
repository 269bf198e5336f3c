"""The command line: a thin skin over the public verbs. The body of a command is read, one verb, print."""

from __future__ import annotations

from causalgia.cli.commands import app, main

__all__ = ["app", "main"]

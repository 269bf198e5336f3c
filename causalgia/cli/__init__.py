"""The command line: a thin skin over the public verbs. The body of a command is read, one verb, print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.cli.commands import app, main
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["app", "main"]

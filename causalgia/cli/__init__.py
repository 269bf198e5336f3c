"""Command line: thin wrappers of the public verbs; each reads its arguments, calls one
verb and prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.cli.commands import app as app, main as main
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []

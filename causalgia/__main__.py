"""`python -m causalgia` is the program `causalgia`."""

from __future__ import annotations

from causalgia.cli import main

main()

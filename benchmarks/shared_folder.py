"""The folder of networks, sequences and counts of others: the variable
``CAUSALGIA_SHARED`` names it, and nothing looks for it elsewhere.

Tests marked `real` read it, and so do some figures of the pages. None of its files is
part of the repository; their sources are cited where they are used.
"""

from __future__ import annotations

import os
from pathlib import Path

IS_NAMED = bool(os.environ.get("CAUSALGIA_SHARED"))
SHARED = Path(
    os.environ.get("CAUSALGIA_SHARED") or "CAUSALGIA_SHARED names no folder"
).resolve()

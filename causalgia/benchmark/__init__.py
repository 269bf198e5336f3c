"""Benchmarks of interpretation methods, on oracles and trained networks whose words are
known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.benchmark._cases import Case, Site, cases
    from causalgia.benchmark._interpretation import Interpretation, interpretation
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Case", "Interpretation", "Site", "cases", "interpretation"]

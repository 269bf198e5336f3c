"""Archive of a trial: a zarr group on disk that grows by chunks, survives a kill, and
detects damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.trial.archive.files import place_of
    from causalgia.trial.archive.layout import UNIT, Field
    from causalgia.trial.archive.manifest import open_archive, verify
    from causalgia.trial.archive.writer import Archive
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["UNIT", "Archive", "Field", "open_archive", "place_of", "verify"]

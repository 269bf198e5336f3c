"""The archive of a trial: a zarr group on disk that grows by chunks, outlives a kill, and knows when it is hurt."""

from __future__ import annotations

from causalgia.trial.archive.files import place_of
from causalgia.trial.archive.layout import UNIT, Field
from causalgia.trial.archive.opening import open_archive, verify
from causalgia.trial.archive.writing import Archive

__all__ = ["UNIT", "Archive", "Field", "open_archive", "place_of", "verify"]

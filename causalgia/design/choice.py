"""What every choice has: equality by value, a fingerprint, and a plain form that TOML and JSON can hold."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Any


class Choice(ABC):
    """A frozen decision about a trial: compared by value, fingerprinted, written to and read from plain data."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the choice as TOML-ready data: tables, lists, strings and numbers."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return what makes two choices the same: as `to_dict`, with contents (not paths) of sequences."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that equal choices share in every process, and others do not."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""Base of all frozen choices: equality by value, a fingerprint, and conversion to TOML and JSON."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, Self, TypeVar

from causalgia.errors import DesignError, quoted
from causalgia.inputs import parse_json, parse_toml

Made = TypeVar("Made", bound="Choice")


class Choice(ABC):
    """A frozen decision about a trial: compared by value, fingerprinted, written to and read from plain data."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the choice as TOML-ready data: tables, lists, strings and numbers."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return the content that makes two choices equal: as `to_dict`, with contents (not paths) of sequences."""

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that equal choices share in every process, and unequal ones do not."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @classmethod
    def from_dict(cls, plain: Any) -> Self:
        """Return the choice that `to_dict` wrote; DesignError says what is wrong with the data."""
        read = next(_READERS[kind] for kind in cls.__mro__ if kind in _READERS)
        made = read(plain)
        if not isinstance(made, cls):
            raise DesignError(f"this is {type(made).__name__}, not {cls.__name__}: {quoted(made)}")
        return made

    def to_toml(self) -> str:
        """Return the choice as TOML text."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Return the choice that `to_toml` wrote."""
        return cls.from_dict(parse_toml(text, DesignError))

    def to_json(self) -> str:
        """Return the choice as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the choice that `to_json` wrote."""
        return cls.from_dict(parse_json(text, DesignError))


_Reader = Callable[[Any], Choice]
_READERS: dict[type[Any], _Reader] = {}


def reads(kind: type[Any]) -> Callable[[Callable[[Any], Made]], Callable[[Any], Made]]:
    """Register the function that reads a kind of choice from plain data, for its `from_dict`."""

    def declare(read: Callable[[Any], Made]) -> Callable[[Any], Made]:
        _READERS[kind] = read
        return read

    return declare

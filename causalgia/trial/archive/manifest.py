"""What a store is of: the trial, its turns and fields, and hashes of all that does not grow; kept twice."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from causalgia.errors import StoreError
from causalgia.trial.archive.documents import FORMAT, as_json
from causalgia.trial.archive.files import mark_at, mark_of, replace, replace_all, sealed, unsealed
from causalgia.trial.archive.layout import CONTROL, Field, Grid, control
from causalgia.trial.archive.states import SLOTS

_NAME, _COPY = "manifest.json", "copy"
_KIND = "causalgia trial"


@dataclass(frozen=True)
class Manifest:
    """What a store says of itself.

    `identity` names the trial (design, predictor, seed, ...); `texts` has the dtypes of the text variables without
    units; `static` the marks of the files that do not grow, by path; `settled` is what the trial settled on when it was
    begun, as JSON, for it to go on with.
    """

    identity: Mapping[str, str]
    grid: Grid
    texts: Mapping[str, str]
    static: Mapping[str, str]
    settled: Any = None

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON that has its own hash."""
        grid = {
            "fields": [asdict(field) for field in self.grid.fields],
            "turn_ends": self.grid.turn_ends,
            "turns_a_chunk": self.grid.turns_a_chunk,
        }
        said = {"identity": self.identity, "grid": grid, "texts": self.texts, "static": self.static}
        said["settled"] = self.settled
        told = {"kind": _KIND, "version": FORMAT, **said}
        return as_json(told | {"hash": _hash(told)})

    @classmethod
    def from_bytes(cls, data: bytes, path: Path) -> Manifest | None:
        """Read a manifest; None where it is damaged.

        Raises
        ------
        StoreError
            If it was written by another version of the layout.
        """
        try:
            told: dict[str, Any] = json.loads(data)
            version, mark = told["version"], told.pop("hash", None)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if version != FORMAT:
            raise StoreError(
                f"{path}: written in version {version} of the layout, this library reads version {FORMAT}; "
                "use the library that wrote it, or give another path as store="
            )
        return cls._of(told) if mark == _hash(told) else None

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Manifest:
        grid = told["grid"]
        fields = tuple(Field(f["name"], tuple(f["dims"]), tuple(f["shape"]), f["dtype"]) for f in grid["fields"])
        return cls(
            told["identity"],
            Grid(fields, tuple(grid["turn_ends"]), grid["turns_a_chunk"]),
            told["texts"],
            told["static"],
            told["settled"],
        )

    def require(self, identity: Mapping[str, str], path: Path) -> None:
        """Refuse to go on with another trial; says in which parts it differs, and how."""
        names = sorted(self.identity.keys() | identity.keys())
        differ = [name for name in names if self.identity.get(name) != identity.get(name)]
        if differ:
            said = "; ".join(
                f"{name}: {_short(self.identity.get(name))} there, {_short(identity.get(name))} now" for name in differ
            )
            raise StoreError(
                f"{path}: holds another trial, the {' and the '.join(differ)} differ{'s' * (len(differ) == 1)} "
                f"({said}); give another path as store=, or the same {' and '.join(differ)} to go on with this one"
            )


def write_manifest(path: Path, manifest: Manifest, static: Mapping[str, bytes]) -> None:
    """Write a copy of all that does not grow, and the manifest, with which the store is begun."""
    folder = control(path)
    data = manifest.to_bytes()
    replace_all({folder / _COPY: _copied(data, static), folder / _NAME: data})


def is_begun(path: Path) -> bool:
    """Return whether a trial was begun at a path: there is a manifest, or commits (or sums) and the copy of one."""
    folder = control(path)
    log = folder / "log"
    committed = (log.exists() and log.stat().st_size > 0) or any((folder / slot).exists() for slot in SLOTS)
    return (folder / _NAME).exists() or ((folder / _COPY).exists() and committed)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest, or where it is damaged its copy.

    Raises
    ------
    StoreError
        If both are damaged, or of another version.
    """
    file = control(path) / _NAME
    found = Manifest.from_bytes(file.read_bytes(), path) if file.exists() else None
    found = found or Manifest.from_bytes(_copies(path).get(_NAME, b""), path)
    if found is None:
        raise StoreError(f"{path}: the manifest and its copy are damaged; move the store away, and run the trial anew")
    return found


def damaged_static(path: Path, manifest: Manifest) -> list[str]:
    """Return the files that do not grow, and do not have the bytes that were written; as paths in the store."""
    hurt = [name for name, mark in manifest.static.items() if mark_at(path / name) != mark]
    if mark_at(control(path) / _NAME) != mark_of(manifest.to_bytes()):
        hurt.append(f"{CONTROL}/{_NAME}")
    copies, marks = _copies(path), {_NAME: mark_of(manifest.to_bytes()), **manifest.static}
    if {name: mark_of(data) for name, data in copies.items()} != marks:
        hurt.append(f"{CONTROL}/{_COPY}")
    return hurt


def repair_static(path: Path, manifest: Manifest) -> list[str]:
    """Make damaged files that do not grow again from their copy; return which they were.

    Raises
    ------
    StoreError
        If a file and its copy are both damaged.
    """
    hurt, copies = damaged_static(path, manifest), _copies(path)
    for name in manifest.static.keys() & set(hurt):
        if name not in copies or mark_of(copies[name]) != manifest.static[name]:
            raise StoreError(f"{path / name}: damaged, as is its copy; move the store away, and run the trial anew")
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        replace(path / name, copies[name])
    if hurt:
        write_manifest(path, manifest, {name: (path / name).read_bytes() for name in manifest.static})
    return hurt


def _copied(manifest: bytes, static: Mapping[str, bytes]) -> bytes:
    """Return all that does not grow as one sealed zip archive; the same bytes whenever it is made."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in {_NAME: manifest, **static}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return sealed(made.getvalue())


def _copies(path: Path) -> dict[str, bytes]:
    """Return the files of the copy; none where it is damaged."""
    file = control(path) / _COPY
    data = unsealed(file.read_bytes()) if file.exists() else None
    if data is None:
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _hash(told: Mapping[str, Any]) -> str:
    return mark_of(json.dumps(told, sort_keys=True).encode())


def _short(value: str | None) -> str:
    text = "not given" if value is None else repr(value)
    return text if len(text) <= 300 else f"{text[:200]}...{text[-60:]}"

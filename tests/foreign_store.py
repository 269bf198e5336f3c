"""Stores as somebody else may have made them: contents of any kind under hashes that
are right.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from causalgia.trial.archive.files import mark_of, seal
from causalgia.trial.archive.layout import CONTROL


def manifest_of(store: Path) -> dict[str, Any]:
    """Return what the manifest of a store says, without its hash."""
    content = json.loads((store / CONTROL / "manifest.json").read_bytes())
    del content["hash"]
    return content


def hashed(content: Any) -> bytes:
    """Return the bytes of a manifest with the hash that its content has."""
    mark = mark_of(json.dumps(content, sort_keys=True).encode())
    return json.dumps(
        {**content, "hash": mark} if isinstance(content, dict) else content
    ).encode()


def put_manifest(
    store: Path, content: Any, extra: Mapping[str, bytes] | None = None
) -> None:
    """Write a manifest under its right hash, and a copy that agrees with it; `extra`
    are more files of the copy.
    """
    data = hashed(content)
    static = content.get("static") if isinstance(content, dict) else None
    names = (
        [name for name in static if isinstance(name, str)]
        if isinstance(static, dict)
        else []
    )
    of_files = (
        name
        for name in names
        if ".." not in name and os.path.isfile(store / name)  # noqa: PTH113
    )
    there = {name: (store / name).read_bytes() for name in of_files}
    (store / CONTROL / "manifest.json").write_bytes(data)
    put_copy(store, {"manifest.json": data, **there, **(extra or {})})


def put_copy(
    store: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED
) -> None:
    """Write the copy of what does not grow, sealed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name or "nameless", data)
    (store / CONTROL / "copy").write_bytes(seal(made.getvalue()))


def put_static(store: Path, name: str, data: bytes) -> None:
    """Write a file that does not grow, and tell the manifest and the copy of it."""
    (store / name).write_bytes(data)
    content = manifest_of(store)
    content["static"][name] = mark_of(data)
    put_manifest(store, content)


def logged(text: bytes, store: Path) -> bytes:
    """Return a line of the log of a store under its right hash."""
    return b"\n" + mark_of(text, origin_of(store)).encode() + b" " + text + b"\n"


def origin_of(store: Path) -> str:
    """Return the digest with which the marks of commits and sums begin."""
    origin = manifest_of(store)["origin"]
    assert isinstance(origin, str)
    return origin


def records_of(store: Path) -> list[dict[str, Any]]:
    """Return the lines of the log of a store."""
    lines = (store / CONTROL / "log").read_bytes().split(b"\n")
    return [json.loads(line.partition(b" ")[2]) for line in lines if line]


def change_log(store: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every line of the log, each under its right hash; `change` returns
    another, or changes the one given.
    """
    lines = []
    for record in records_of(store):
        found = change(record)
        lines.append(
            logged(json.dumps(record if found is None else found).encode(), store)
        )
    (store / CONTROL / "log").write_bytes(b"".join(lines))

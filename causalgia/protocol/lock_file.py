"""Lock files: TOML whose first line is the SHA-256 of the lines below it; deviations
from what was locked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalgia.analysis import Analysis, exploratory_attrs
from causalgia.analysis_values import as_plain
from causalgia.checks import (
    Keys,
    Table,
    are_texts,
    check_key,
    check_keys,
    is_count,
    is_int64,
    is_number,
    is_table,
    is_text,
)
from causalgia.errors import (
    CausalgiaError,
    StoreError,
    comma_list,
    quoted,
)
from causalgia.inputs import not_written, parse_toml, read_text

FORMAT = 1
_CHECKSUM_LINE = re.compile(r'sha256 = "([0-9a-f]{64})"')
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
# tables of an analysis whose rows keep their order
_IN_ORDER = ("contrasts", "tasks", "rope")
_TEXT = (is_text, "text")
_TEXTS = (are_texts, "a list of texts")
_TABLES: dict[str, Keys] = {
    "protocol": {
        "format": (is_count, "a whole number"),
        "locked": (
            lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None,
            "a time in UTC",
        ),
    },
    "design": {
        "fingerprint": _TEXT,
        "null": _TEXT,
        "null_fingerprint": _TEXT,
        "n_units": (is_count, "a whole number of at least 1"),
        "assignment": _TEXT,
        "reserve": (is_number, "a number"),
        "arms": _TEXTS,
        "do": _TEXTS,
        "rng": (is_int64, "a whole number"),
    },
    "question": {"estimand": _TEXT, "contrasts": _TEXTS},
    "analysis": {},
    "predictor": {"fingerprint": _TEXT},
    "made_with": {},
    "digests": {},
}
_OPTIONAL: dict[str, Keys] = {
    "design": {"until": _TEXT},
    "predictor": {"parts": (is_table, "a table"), "tasks": _TEXTS, "scale": _TEXT},
}


def lock_text(content: Mapping[str, Any]) -> str:
    """Return the text of a lock: the SHA-256 of what follows, then the tables and a
    digest of each of their values.

    `tail -n +2 lock.toml | sha256sum` computes the same hash.

    Examples
    --------
    >>> print(lock_text({"design": {"n_units": 10}}))
    sha256 = "faba2e85bbcb62b0eb695552ee99c382356000415f72f2a617b17e1e98660750"
    [design]
    n_units = 10
    <BLANKLINE>
    [digests]
    "design.n_units" = "4a44dc15364204a8"
    <BLANKLINE>
    """
    import tomli_w

    body = tomli_w.dumps(
        _sorted({**content, "digests": _digests(content)}), multiline_strings=True
    )
    return f'sha256 = "{_sha256(body)}"\n{body}'


def write_lock(path: str | os.PathLike[str], content: Mapping[str, Any]) -> str:
    """Write a lock where no file is yet, and return its SHA-256.

    Raises
    ------
    StoreError
        If there is a file already, it cannot be written, or a name in it has a control
        character.
    """
    place, text = Path(path), lock_text(content)
    check_new(place)
    parse_toml(text, StoreError, source=str(place))  # what could not be read again
    try:
        with place.open("x", encoding="utf-8", newline="\n") as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    place.unlink()
                raise
    except (OSError, ValueError) as error:
        raise not_written(place, error, StoreError) from error
    return _sha256(text.partition("\n")[2])


def check_new(path: Path) -> None:
    """Raise StoreError if the path of a new lock exists."""
    if path.exists():
        raise StoreError(
            f"{path} exists already, and a lock is never overwritten; choose another "
            "name for this one"
        )


def read_lock(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Return the content of the lock of a trial and its SHA-256.

    Raises
    ------
    StoreError
        As `read_hashed`; or if it is the lock of something else.
    """
    content, sha256 = read_hashed(path)
    try:
        check_content(content)
    except CausalgiaError as error:
        raise StoreError(f"{path!s}: {error}") from error
    return content, sha256


def read_hashed(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Return the content of any lock and its SHA-256.

    Raises
    ------
    StoreError
        If there is no such file, it is not a lock, or it was changed after locking;
        names the values that changed.
    """
    text = read_text(path, StoreError)
    first, _, body = text.partition("\n")
    found = _CHECKSUM_LINE.fullmatch(first)
    if found is None:
        raise StoreError(
            f"{path}: the first line of a lock is sha256 = and 64 hexadecimal "
            f"digits, not {quoted(first)}: it is not a lock, or this line was "
            "changed",
        )
    if found[1] != _sha256(body):
        raise StoreError(
            f"{path}: {_damage(body)}",
        )
    return parse_toml(body, StoreError, source=str(path)), found[1]


def check_content(content: Table) -> None:
    """Raise if the tables of a lock are not those that `lock_text` writes."""
    check_key(content, "protocol", "a lock")
    version = (
        content["protocol"].get("format") if is_table(content["protocol"]) else None
    )
    if version != FORMAT:
        raise StoreError(
            f"a lock of format {quoted(version)}; this version of causalgia reads "
            f"format {FORMAT}"
        )
    check_keys(content, "a lock", [*_TABLES, "trial"])
    for table, keys in _TABLES.items():
        check_key(content, table, "a lock")
        if not is_table(content[table]):
            raise StoreError(f"{table} = {quoted(content[table])} must be a table")
        for key, (fits, what) in keys.items():
            check_key(content[table], key, f"[{table}]")
            if not fits(content[table][key]):
                raise StoreError(
                    f"[{table}]: {key} = {quoted(content[table][key])} must be {what}"
                )
        for key, (fits, what) in _OPTIONAL.get(table, {}).items():
            if key in content[table] and not fits(content[table][key]):
                raise StoreError(
                    f"[{table}]: {key} = {quoted(content[table][key])} must be {what}"
                )
    if len(content["design"]["arms"]) != len(content["design"]["do"]):
        raise StoreError("[design]: arms and do must be of one length")
    if content["digests"] != _digests(
        {name: rows for name, rows in content.items() if name != "digests"}
    ):
        raise StoreError("[digests] are not those of the other tables")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _digests(content: Mapping[str, Any]) -> dict[str, str]:
    """Return a short digest of each value of each table, so that a changed one can be
    named.
    """
    found = {}
    for table, rows in content.items():
        for key, value in rows.items():
            text = json.dumps(value, sort_keys=True, separators=(",", ":"))
            found[f"{table}.{key}"] = _sha256(text)[:16]
    return found


def _sorted(value: Any, *, name: str = "") -> Any:
    """Return plain data with the keys of its tables sorted, apart from rows whose order
    means something.
    """
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    keys = list(value) if name in _IN_ORDER else sorted(value)
    return {
        key: value[key] if name in _IN_ORDER else _sorted(value[key], name=key)
        for key in keys
    }


def _damage(body: str) -> str:
    """Return what is damaged in a lock whose hash is not that of its content."""
    try:
        content = parse_toml(body, StoreError)
    except StoreError as error:
        return f"the lock is damaged: {error}"
    digests = content.pop("digests", None)
    if not isinstance(digests, dict) or not all(
        isinstance(rows, dict) for rows in content.values()
    ):
        return (
            "the lock is damaged: a table is no table any more, or [digests] is not "
            "there"
        )
    there = _digests(content)
    changed = [
        name for name in there if name in digests and digests[name] != there[name]
    ]
    added, gone = (
        [name for name in there if name not in digests],
        [name for name in digests if name not in there],
    )
    parts = [
        *(
            f"{name} = {quoted(content[table][key])} is not what was locked"
            for name in changed
            for table, _, key in [name.partition(".")]
        ),
        *([f"{comma_list(added)} was added"] if added else []),
        *([f"{comma_list(gone)} was removed"] if gone else []),
    ]
    if parts:
        return f"the lock is damaged: {'; '.join(parts)}"
    return (
        "the lock is damaged: its values are those of [digests], and its first line is "
        "not the hash of the file; the first line, a comment, a blank line or the "
        "order of lines was changed, or a value with its digest"
    )


def machine_attrs() -> dict[str, str]:
    """Return what may change the last bits of a prediction: number of threads, and the
    PyTorch that is loaded.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return {
            "threads": str(torch.get_num_threads()),
            "torch": str(torch.__version__),
        }
    return {"threads": os.environ.get("OMP_NUM_THREADS", "") or str(os.cpu_count())}


NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference between a result and the protocol.

    Attributes
    ----------
    where
        The result: ``"outcomes"``, ``"estimates"``, ``"decisions"``, ``"run"``, or a
        file.
    what
        What differs: ``"n_units"``, a field of the analysis such as ``"rope"``,
        ``"predictor"``, ``"arm 'GATA1'"``.
    there
        In the lock, as text.
    here
        In the result, as text.
    exploratory
        Whether the result can no longer count as planned. A contrast or a task that was
        left out leaves the others as planned, and is to be reported.
    source
        What ``there`` was taken from, in words, where it is not the lock: numbers that
        were recomputed, or those of another file.
    """

    where: str
    what: str
    there: str
    here: str
    exploratory: bool = True
    source: str = "locked"

    def __str__(self) -> str:
        mark = "" if self.exploratory else " (the others stay as planned)"
        place = f"in {self.where}.nc" if self.source == RECOMPUTED else "here"
        return (
            f"{self.where}: {self.what}: {self.source} {self.there}, {place} "
            f"{self.here}{mark}"
        )


RECOMPUTED = "recomputed from the outcomes"


def differences(
    there: Mapping[str, Any], here: Mapping[str, Any], where: str
) -> list[Deviation]:
    """Return a deviation for each value that both name and that differs.

    Examples
    --------
    >>> print(*differences({"n_units": 100, "seed": 1}, {"n_units": 50}, "outcomes"))
    outcomes: n_units: locked 100, here 50
    """
    return [
        Deviation(
            where=where, what=name, there=as_text(there[name]), here=as_text(value)
        )
        for name, value in here.items()
        if name in there and there[name] != value
    ]


def arm_differences(
    there: Mapping[str, str], here: Mapping[str, str], where: str
) -> list[Deviation]:
    """Return a deviation for each arm that was added, left out, or is another
    intervention.
    """
    names = dict.fromkeys([*there, *here])
    return [
        Deviation(
            where=where,
            what=f"arm '{name}'",
            there=there.get(name, NOTHING),
            here=here.get(name, NOTHING),
        )
        for name in names
        if there.get(name) != here.get(name)
    ]


def analysis_differences(
    there: Analysis, here: Analysis, where: str
) -> list[Deviation]:
    """Return a deviation for each field in which two analyses differ; the order of
    contrasts is none.
    """
    fields = {name: getattr(here, name) for name in Analysis.__dataclass_fields__}
    names = exploratory_attrs({"analysis": there.to_json()}, **fields).get(
        "exploratory", ""
    )
    return [
        Deviation(
            where=where, what=name, there=_field(there, name), here=_field(here, name)
        )
        for name in names.split(", ")
        if name
    ]


def name_differences(
    what: str, there: Sequence[str], here: Iterable[str], where: str
) -> list[Deviation]:
    """Return a deviation for each contrast or task that was added (exploratory) or left
    out (to be reported).
    """
    found = list(here)
    known, present = set(there), set(found)
    added = [name for name in found if name not in known]
    left_out = [name for name in there if name not in present]
    return [
        *(
            Deviation(where=where, what=f"{what} '{name}'", there=NOTHING, here="added")
            for name in added
        ),
        *(
            Deviation(
                where=where,
                what=f"{what} '{name}'",
                there="planned",
                here="left out",
                exploratory=False,
            )
            for name in left_out
        ),
    ]


def as_text(value: Any) -> str:
    """Return a value as text of one line; None as ``nothing``."""
    return NOTHING if value is None else " ".join(str(value).split())


def _field(analysis: Analysis, name: str) -> str:
    value = as_plain(name, getattr(analysis, name))
    return as_text(value)

"""The files of published networks: their addresses, sums and cache."""

from __future__ import annotations

import hashlib
import os
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from causalgia.checks import nearest
from causalgia.errors import MissingExtraError, PredictorError, install_command, quoted

MIRROR = "CAUSALGIA_NETWORKS"


@cache
def deposits() -> dict[str, dict[str, Any]]:
    """Return what is known of each network, by name: ``deposits.toml``."""
    text = files("causalgia.networks").joinpath("deposits.toml").read_text("utf-8")
    return tomllib.loads(text)


def deposit_of(name: str) -> dict[str, Any]:
    """Return what is known of a network.

    Raises
    ------
    PredictorError
        If there is none of that name.
    """
    known = deposits()
    if not isinstance(name, str) or name not in known:
        hint = nearest(str(name), known)
        raise PredictorError(
            f"{quoted(name)} is none of the networks {', '.join(known)}{hint}"
        )
    return known[name]


def list() -> pd.DataFrame:
    """Return the published networks that `fetch` and `load` know, a row each.

    Returns
    -------
    DataFrame
        By name: ``what`` it predicts, ``length`` of its sequences in bases, number of
        ``tasks``, ``license``, ``doi``, what to ``cite``, its ``files``, and those of
        ``sequences`` published with it.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.networks.list()[["length", "tasks", "license"]]
                  length  tasks license
    deepstarr        249      2     MIT
    explainn         200      3     MIT
    mpra_dragonn     145     12     MIT
    """
    rows = {
        name: {
            "what": one["what"],
            "length": one["length"],
            "tasks": len(one["tasks"]),
            "license": one["license"],
            "doi": one["doi"],
            "cite": one["cite"],
            "files": ", ".join(file["file"] for file in one["files"]),
            "sequences": ", ".join(file["file"] for file in one.get("sequences", [])),
        }
        for name, one in deposits().items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def fetch(name: str) -> dict[str, Path]:
    """Return the files of a published network, and of sequences published with it,
    downloaded once and checked.

    Files are looked for in the mirror that the environment variable
    ``CAUSALGIA_NETWORKS`` names: a folder, or the address (http) of one, with a folder
    for each network. Without a mirror, or where it lacks a file, they are downloaded by
    pooch from the deposit into the cache of the user, and are there at the next call. A
    file whose sum is not the published one is never returned.

    Parameters
    ----------
    name
        A name of `list`.

    Returns
    -------
    dict
        Path by the published name of the file.

    Raises
    ------
    PredictorError
        If there is no network of that name, a file is neither in the mirror nor can be
        downloaded, or its sum differs.
    MissingExtraError
        If a file must be downloaded and pooch is not installed.

    References
    ----------
    Uieda et al. (2020), doi:10.21105/joss.01943.

    Examples
    --------
    >>> import causalgia as cg
    >>> paths = cg.networks.fetch("deepstarr")  # doctest: +SKIP
    >>> sorted(paths)  # doctest: +SKIP
    ['DeepSTARR.model.h5', 'DeepSTARR.model.json', 'Sequences_example.fa']
    """
    return files_of(name, "files") | files_of(name, "sequences")


def files_of(name: str, kind: str) -> dict[str, Path]:
    """Return the files of one kind: those of the network, or of sequences."""
    return {file["file"]: _file(name, file) for file in deposit_of(name).get(kind, [])}


def _file(name: str, file: dict[str, str]) -> Path:
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    if not mirror:
        return _downloaded(name, file, file["url"])
    in_mirror = f"{mirror}/{name}/{file['file']}"
    if mirror.startswith(("http://", "https://")):
        try:
            return _downloaded(name, file, in_mirror)
        except PredictorError as error:
            answer = getattr(error.__cause__, "response", None)
            if answer is None or answer.status_code != 404:
                raise
    elif not Path(mirror).is_dir():
        raise PredictorError(
            f"{MIRROR}={quoted(mirror)} is neither a folder nor an address that "
            "begins with http"
        )
    elif (path := Path(in_mirror)).is_file():
        _check_sum(path, file["sum"])
        return path
    return _downloaded(name, file, file["url"], lacking=mirror)


def _downloaded(name: str, file: dict[str, str], url: str, lacking: str = "") -> Path:
    """Return the file, downloaded; `lacking` is a mirror that does not have it."""
    path = f"{name}/{file['file']}"
    without = f"{MIRROR}={quoted(lacking)} has no {path}" if lacking else ""
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError(
            f"networks are downloaded by pooch: {install_command('networks')}; {MIRROR} "
            f"names a folder that has {path}"
        ) from error
    begin = f"{without}, and {url}" if lacking else url
    cache_folder = Path(pooch.os_cache("causalgia")) / "networks" / name
    try:
        return Path(
            pooch.retrieve(
                url, known_hash=file["sum"], fname=file["file"], path=cache_folder
            )
        )
    except ValueError as error:  # pooch's own, which removes what it downloaded
        raise PredictorError(
            f"{begin} is not the published file, whose sum is {file['sum']}"
        ) from error
    except OSError as error:
        known = vars(error)
        if (
            "response" not in known
        ):  # of the disk: what requests raises has one, or None
            why = error.strerror or type(error).__name__
            raise PredictorError(
                f"the cache {cache_folder} cannot be written ({why})"
            ) from error
        why = type(error).__name__
        if (answer := known["response"]) is not None:
            answer.close()  # pooch leaves its connection open
            why = f"the server answers {answer.status_code} {answer.reason}"
        raise PredictorError(f"{begin} cannot be downloaded ({why})") from error


def _check_sum(path: Path, published: str) -> None:
    kind, _, expected = published.partition(":")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if found != expected:
        raise PredictorError(
            f"{path}: its {kind} is {found}, and the published file's is {expected}"
        )

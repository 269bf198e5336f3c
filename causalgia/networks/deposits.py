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
        By name: ``what`` it predicts, ``length`` of its sequences in bases (0: any),
        number of ``tasks`` (0: as each file says), their ``scale``, the ``alphabet`` of
        its sequences, the ``strand`` that it takes, how many ``trainings`` there are,
        ``license``, ``doi``, what to ``cite``, its ``files``, those of ``sequences``
        published with it, and of which files those that a mirror has are ``converted``.

    Examples
    --------
    >>> import causalgia as cg
    >>> cg.networks.list()[["length", "tasks", "strand", "license"]].head(4)
                         length  tasks  strand license
    deepstarr               249      2  either     MIT
    explainn                200      3  either     MIT
    mpra_dragonn            145     12  either     MIT
    deepstarr_trainings     249      2  either     MIT
    """
    rows = {
        name: {
            "what": one["what"],
            "length": one["length"],
            "tasks": len(one["tasks"]),
            "scale": one["scale"],
            "alphabet": one["alphabet"],
            "strand": one["strand"],
            "trainings": len(one["converted"]) if one.get("retrainings") else 1,
            "license": one["license"],
            "doi": one["doi"],
            "cite": one["cite"],
            "files": ", ".join(file["file"] for file in one.get("files", [])),
            "sequences": ", ".join(file["file"] for file in one.get("sequences", [])),
            "converted": one.get("from", ""),
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

    Most networks are in files that other frameworks wrote. Of these a mirror has the
    weights converted to safetensors, with the sums that stand here; they are published
    nowhere else.

    Parameters
    ----------
    name
        A name of `list`; of a network of several converted files, ``"name/part"`` is one
        of them: the file without its ending, or its folder.

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
    found = converted_files(name) or files_of(name, "files")
    return found | files_of(name, "sequences")


def converted_files(name: str) -> dict[str, Path]:
    """Return the converted files of a network, in which `load` prefers to read it; none
    where the authors' own are all that there is, or the mirror has no others.
    """
    of, _, part = name.partition("/")
    one = deposit_of(of)
    listed = [file for file in one.get("converted", []) if part in ("", part_of(file))]
    if part and not listed:
        parts = [part_of(file) for file in one.get("converted", [])]
        raise PredictorError(
            f"{quoted(part)} is none of the files of {of}: {', '.join(parts)}"
        )
    if one.get("files") and not all(_in_folder(of, file) for file in listed):
        return {}
    return {_path_of(of, file): _file(of, file) for file in listed}


def part_of(file: dict[str, str]) -> str:
    """Return the name of one file of several: that of its folder, or its own."""
    return file.get("folder", Path(file["file"]).stem)


def files_of(name: str, kind: str) -> dict[str, Path]:
    """Return the files of one kind: those of the network, or of sequences."""
    name = name.partition("/")[0]
    return {file["file"]: _file(name, file) for file in deposit_of(name).get(kind, [])}


def _path_of(name: str, file: dict[str, str]) -> str:
    """Return where a file is in a mirror."""
    return f"{file.get('folder', name)}/{file['file']}"


def _in_folder(name: str, file: dict[str, str]) -> bool:
    """Return whether the mirror is a folder that has a file."""
    mirror = os.environ.get(MIRROR, "")
    return mirror != "" and Path(mirror, _path_of(name, file)).is_file()


def _file(name: str, file: dict[str, str]) -> Path:
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    path = _path_of(name, file)
    in_mirror = f"{mirror}/{path}"
    if "url" not in file and not (mirror.startswith("http") or _in_folder(name, file)):
        raise PredictorError(
            f"{path} was converted from {deposit_of(name)['from']}, and stands at no "
            f"address of its own: {MIRROR} names a folder, or the address of one, that "
            f"has it ({file['sum']})"
        )
    if not mirror:
        return _downloaded(name, file, file["url"])
    if mirror.startswith(("http://", "https://")):
        try:
            return _downloaded(name, file, in_mirror)
        except PredictorError as error:
            answer = getattr(error.__cause__, "response", None)
            if answer is None or answer.status_code != 404 or "url" not in file:
                raise
    elif not Path(mirror).is_dir():
        raise PredictorError(
            f"{MIRROR}={quoted(mirror)} is neither a folder nor an address that "
            "begins with http"
        )
    elif Path(in_mirror).is_file():
        _check_sum(Path(in_mirror), file["sum"])
        return Path(in_mirror)
    return _downloaded(name, file, file["url"], lacking=mirror)


def _downloaded(name: str, file: dict[str, str], url: str, lacking: str = "") -> Path:
    """Return the file, downloaded; `lacking` is a mirror that does not have it."""
    path = _path_of(name, file)
    without = f"{MIRROR}={quoted(lacking)} has no {path}" if lacking else ""
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError(
            f"networks are downloaded by pooch: {install_command('networks')}; {MIRROR} "
            f"names a folder that has {path}"
        ) from error
    begin = f"{without}, and {url}" if lacking else url
    cache_folder = Path(pooch.os_cache("causalgia")) / "networks" / Path(path).parent
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

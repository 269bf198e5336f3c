"""Datasets on disk, as netCDF files with a checksum; files of other programs are read
under guard.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, unquote

import numpy as np
import xarray as xr

from causalgia.choices import vocabulary
from causalgia.errors import (
    CausalgiaError,
    MissingExtraError,
    OutcomesError,
    first_line,
    first_words,
    quoted,
    type_in_words,
)
from causalgia.inputs import (
    BYTES_A_READ,
    check_no_pipe,
    open_regular_file,
    what_instead,
)
from causalgia.lazy_names import naming_arguments, of_module
from causalgia.numerics.row_blocks import is_lazy
from causalgia.schema import Kind, validate

__all__ = ["load", "read_netcdf", "read_tree", "save", "save_h5ad", "write_netcdf"]

_SEAL_MARK = b"\ncausalgia blake2b-256\n"
SEAL = len(_SEAL_MARK) + 32
_PADDING = 2**16
_LEAST_SECONDS = 10
_BYTES_A_SECOND = 10**7
_PATIENCE = 12
_FREE_ARRAY_BYTES = 2**28  # that a file may declare, however short it is
_DEFLATE_RATIO = 1_100
_ROOM = 2**30
_REFUSED, _NO_FILTER = 3, 4
_READING: dict[str, Any] = {
    "engine": "h5netcdf",
    "decode_times": False,
    "phony_dims": "access",
}


if not TYPE_CHECKING:  # which would take any name
    __getattr__, __dir__ = of_module(__name__)


@naming_arguments
def write_netcdf(path: Path, fill: Callable[[Path], object]) -> Path:
    """Write a netCDF file with a checksum at its end, atomically (by a temporary file
    in the same folder).

    Parameters
    ----------
    path
        Target file, in an existing folder.
    fill
        Function that writes the netCDF file at a given path.

    Raises
    ------
    OutcomesError
        If it cannot be written, or a pipe or a device is at the path.
    """
    check_hdf5_installed()
    check_no_pipe(path, OutcomesError)
    if not path.name or "\0" in path.name:
        raise OutcomesError(
            f"{quoted(str(path))} is not a name of a file; give a path such as "
            "outcomes.nc"
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fill(temporary)
        with temporary.open("r+b") as file:
            digest = _digest(file, temporary.stat().st_size)
            file.seek(0, os.SEEK_END)
            file.write(_SEAL_MARK + digest)
        temporary.replace(path)
    except OSError as error:
        # HDF5's message names the temporary file
        what = os.strerror(error.errno) if error.errno else str(error)
        cure = (
            f"give a file in it, such as {path / 'outcomes.nc'}"
            if isinstance(error, IsADirectoryError)
            else "choose a shorter name"
            if error.errno == errno.ENAMETOOLONG
            else "choose another folder"
        )
        msg = f"{path}: cannot be written ({what}); {cure}"
        raise OutcomesError(msg) from error
    finally:
        with suppress(OSError):  # nothing was written, such as for a name too long
            temporary.unlink(missing_ok=True)
    return path


@naming_arguments
def read_netcdf(path: str | Path) -> xr.Dataset:
    """Read a Dataset into memory after `check_file`, without decoding times.

    Raises
    ------
    OutcomesError
        As `check_file`; or if it is not a netCDF file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.nc"
    >>> dataset = xr.Dataset({"x": ("unit", [1.0, 2.0])})
    >>> read_netcdf(
    ...     write_netcdf(
    ...         path, lambda place: dataset.to_netcdf(place, engine="h5netcdf")
    ...     )
    ... ).identical(dataset)
    True
    >>> _ = path.write_bytes(path.read_bytes().replace(b"unit", b"Unit"))
    >>> read_netcdf(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.OutcomesError: ...x.nc: damaged: its bytes are not those that were written; make it anew
    """
    place = Path(path)
    check_file(place)
    with _as_damage_error(place):
        return xr.load_dataset(place, **_READING)


@naming_arguments
def read_tree(path: str | Path) -> xr.DataTree:
    """Read a tree of Datasets into memory, after `check_file`."""
    place = Path(path)
    check_file(place)
    with _as_damage_error(place):
        return xr.load_datatree(place, **_READING)


def check_hdf5_installed() -> None:
    """Raise MissingExtraError unless HDF5 files can be read and written here: the
    packages come with causalgia, but may be gone, or broken.
    """
    for name in ("h5py", "h5netcdf"):
        try:
            import_module(name)
        except ImportError as error:
            raise MissingExtraError(
                need=f"netCDF and HDF5 files need {name}, which cannot be imported here "
                f"({error})",
                cure="pip install h5py h5netcdf",
            ) from error


def check_file(path: Path) -> None:
    """Raise if a file is unsafe for HDF5.

    A file from `write_netcdf` is verified by the checksum at its end (or before the
    padding of a copy). Any other is first read by a child process, with ten seconds of
    processor time plus one for each 10 MB, and memory for the declared arrays. These
    may have at most 256 MiB or 1,100 times the size of the file, more than any
    compression achieves.

    Raises
    ------
    OutcomesError
        If the file is absent, a pipe or a device, changed since it was written,
        contains links or arrays in other files, or could not be read within these
        limits.
    """
    check_hdf5_installed()
    with open_regular_file(path, OutcomesError) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - SEAL - _PADDING, 0))
        end = file.read()
        at = _begin_of_seal(end)
        if (
            at is not None
            and _digest(file, size - len(end) + at)
            != end[at + len(_SEAL_MARK) : at + SEAL]
        ):
            raise OutcomesError(
                f"{path}: damaged: its bytes are not those that were written; make it "
                "anew"
            )
    if at is None:
        _read_in_child(path, size)
    with _as_damage_error(path):
        _declared_bytes(path)


def _begin_of_seal(end: bytes) -> int | None:
    """Return where the checksum begins in the last bytes of a file, cut short or padded
    as it may be; else None.
    """
    cut = next(
        (
            n
            for n in range(len(_SEAL_MARK) - 1, len(_SEAL_MARK) // 2, -1)
            if end.endswith(_SEAL_MARK[:n])
        ),
        0,
    )
    at = len(end) - cut if cut else end.rfind(_SEAL_MARK)
    return at if at >= 0 and not end[at + SEAL :].strip(b"\0\r\n") else None


def check_hdf5(path: Path) -> None:
    """Raise if an HDF5 file of any program is unsafe, as `check_file` does: a child
    process reads all its arrays first.

    Raises
    ------
    OutcomesError
        As `check_file`.
    """
    check_hdf5_installed()
    with open_regular_file(path, OutcomesError) as file:
        size = os.fstat(file.fileno()).st_size
    _read_in_child(path, size, kind="HDF5")
    with _as_damage_error(path, kind="HDF5"):
        _declared_bytes(path)


def read_within_limits(path: Path, kind: str = "netCDF") -> None:
    """Read a file within limits of memory and time that end the process."""
    _limit_time(_time_limit(path.stat().st_size))
    _limit_memory(_ROOM)
    _limit_memory(_ROOM + 2 * _declared_bytes(path))
    if kind == "netCDF":
        xr.load_datatree(path, **_READING)
    else:
        import h5py

        def read(
            _: str, found: Any
        ) -> None:  # whatever else it returned would end the visit
            dict(found.attrs)
            if isinstance(found, h5py.Dataset):
                found[()]

        with h5py.File(path, "r") as file:
            dict(file.attrs)
            file.visititems(read)


def _read_in_child(path: Path, size: int, kind: str = "netCDF") -> None:
    seconds = _time_limit(size)
    code = (
        "import sys; sys.path.append(sys.argv[1]); from causalgia import store; "
        "store.report_damage(*sys.argv[2:])"
    )
    # whose filters this process has, and the child needs
    if sys.modules.get("hdf5plugin") is not None:
        code = f"import hdf5plugin; {code}"
    command = [
        sys.executable,
        "-P",
        "-c",
        code,
        str(Path(__file__).parents[1]),
        os.fspath(path),
        kind,
    ]
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE * seconds,
            env=os.environ
            | {
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "HDF5_PLUGIN_PRELOAD": "::",
            },
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = (
            f"{path}: damaged, or on a disk that does not answer: not read in "
            f"{_PATIENCE * seconds} s; make it anew"
        )
        raise OutcomesError(message) from error
    if -ended.returncode == getattr(signal, "SIGXCPU", None):
        raise OutcomesError(
            f"{path}: damaged: it was not read in {seconds} s of processor time; make "
            "it anew"
        )
    if ended.returncode in (_REFUSED, _NO_FILTER):
        raise OutcomesError(
            ended.stdout.decode(errors="replace"),
            places=(str(path),),
            code="filter" if ended.returncode == _NO_FILTER else "",
        )
    if ended.returncode:
        why = (
            f"signal {-ended.returncode}"
            if ended.returncode < 0
            else f"exit code {ended.returncode}"
        )
        raise OutcomesError(
            f"{path}: damaged or no {kind} file (reading it ended with {why}); make it "
            "anew"
        )


def report_damage(path: str, kind: str = "netCDF") -> None:
    """Read a file in a child process; print the error, if any, and exit with code
    `_REFUSED` or `_NO_FILTER`.
    """
    try:
        with _as_damage_error(Path(path), kind):
            read_within_limits(Path(path), kind)
    except OutcomesError as error:
        sys.stdout.write(error.replace(places=()).text())
        sys.exit(_NO_FILTER if error.code == "filter" else _REFUSED)


_HEAD, _SIGNATURES = 512, (b"\x89HDF", b"CDF")


@contextmanager
def _as_damage_error(path: Path, kind: str = "netCDF") -> Iterator[None]:
    try:
        yield
    except OutcomesError:
        raise
    except Exception as error:  # damaged files raise any exception
        with open_regular_file(path, OutcomesError) as file:
            head = file.read(_HEAD)
        other = (
            "" if head.startswith(_SIGNATURES) else what_instead(head, "make it anew")
        )
        if other:
            raise OutcomesError(
                places=(str(path),), need=f"no {kind} file: it {other}"
            ) from error
        raise OutcomesError(
            places=(str(path),),
            need=f"damaged or no {kind} file ({first_words(error)})",
            cure="make it anew",
            code="filter" if _needs_absent_filter(path) else "",
        ) from error


def _needs_absent_filter(path: Path) -> bool:
    """Return whether an array of a file was written through a filter that HDF5 has not
    here; False where the file is too damaged to tell.
    """
    import h5py

    def needs(_: str, found: Any) -> bool | None:
        if not isinstance(found, h5py.Dataset):
            return None
        made = found.id.get_create_plist()
        numbers = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
        return None if all(map(h5py.h5z.filter_avail, numbers)) else True

    try:
        with h5py.File(path, "r") as file:
            return bool(file.visititems(needs))
    except Exception:  # as above
        return False


def _declared_bytes(path: Path) -> int:
    """Return the declared bytes of all arrays of a file, without reading them or
    following links.
    """
    import h5py

    total, seen = 0, set()
    with h5py.File(path, "r") as file:
        left = [file["/"]]
        while left:
            group = left.pop()
            place = h5py.h5o.get_info(group.id).addr
            if place in seen:
                raise OutcomesError(
                    places=(str(path),),
                    need=f"damaged: group {quoted(group.name)} contains itself",
                    cure="make it anew",
                )
            seen.add(place)
            for name in group:
                _check_link(path, name, group.get(name, getlink=True))
                found = group[name]
                if isinstance(found, h5py.Group):
                    left.append(found)
                elif isinstance(found, h5py.Dataset):
                    _check_stored_inside(path, found)
                    total += math.prod(found.shape or ()) * found.dtype.itemsize
    size = path.stat().st_size
    if total > max(_FREE_ARRAY_BYTES, _DEFLATE_RATIO * size):
        raise OutcomesError(
            places=(str(path),),
            need=f"damaged: declares arrays of {total:,} bytes and has {size:,}, less "
            "than any compression leaves",
            cure="make it anew",
        )
    return total


def _check_link(path: Path, name: str, link: object) -> None:
    import h5py

    if not isinstance(link, h5py.HardLink):
        raise OutcomesError(
            places=(str(path),),
            need=f"{quoted(name)} is a link to another place",
            cure="write the file anew with the values in it, if you trust it",
        )


def _check_stored_inside(path: Path, array: Any) -> None:
    if array.external or array.is_virtual:
        raise OutcomesError(
            places=(str(path),),
            need=f"the values of {quoted(array.name)} are in other files",
            cure="write the file anew with the values, if you trust it",
        )


def _time_limit(size: int) -> int:
    """Return the processor time (s) allowed for reading a file of so many bytes."""
    return _LEAST_SECONDS + size // _BYTES_A_SECOND


def _limit_time(more: int) -> None:
    """Limit this process to so many more seconds of processor time, if the system
    supports it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    used = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = used + more
    resource.setrlimit(
        resource.RLIMIT_CPU,
        (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard),
    )


def _limit_memory(more: int) -> None:
    """Limit this process to so many more bytes of memory, if the system supports it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    pages = (
        int(Path("/proc/self/statm").read_text().split()[0])
        if Path("/proc/self/statm").exists()
        else 0
    )
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(
        resource.RLIMIT_AS,
        (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard),
    )


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    found = blake2b(digest_size=32)
    while size > 0 and (block := file.read(min(BYTES_A_READ, size))):
        found.update(block)
        size -= len(block)
    return found.digest()


_OF_OTHER_FORMATS = (".csv", ".tsv", ".txt", ".xlsx", ".json", ".zip", ".zarr", ".npz")


@naming_arguments
def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write a Dataset as netCDF-4, atomically.

    An interrupted write leaves the previous file unchanged. The file ends in a
    checksum, which `load` verifies.

    Parameters
    ----------
    dataset
        Sequences, outcomes, effects or estimates; its attrs are text or numbers.
    path
        Target file, in an existing folder.

    Raises
    ------
    OutcomesError
        If it is not a Dataset, the path has the ending of another format, an attribute
        or a name cannot be stored, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> dataset = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5]])},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ... )
    >>> load(save(dataset, folder / "estimates.nc"), "estimates").identical(dataset)
    True
    """
    if not isinstance(dataset, xr.Dataset):
        raise OutcomesError(
            f"save writes an xarray Dataset, and this is {type_in_words(dataset)}; "
            "make one of a table with ``cg.from_frame`` (outcomes) or "
            "``cg.from_effects`` (effects with standard errors)"
        )
    target = Path(path)
    if target.suffix.lower() in _OF_OTHER_FORMATS:
        raise OutcomesError(
            f"{path}: save writes netCDF, and {target.suffix} is the ending of another "
            f"format; call it {quoted(target.stem + '.nc')}, or write a table by "
            "``cg.tidy(dataset).to_csv(path)``"
        )
    levels = next((n for n, i in dataset.indexes.items() if i.nlevels > 1), None)
    if levels is not None:
        name = quoted(str(dataset.indexes[levels].name or levels))
        raise OutcomesError(
            f"{path}: HDF5 cannot store {name}, an index of several levels; make "
            f"columns of them: .reset_index({name})"
        )
    _check_attrs(dataset, target)
    try:
        plain = dataset.rename(
            {name: quote(str(name), safe="") for name in _all_names(dataset)}
        )
        return write_netcdf(target, lambda place: _fill_netcdf(plain, place))
    except (CausalgiaError, OSError, MemoryError):
        raise
    except Exception as error:  # xarray, h5netcdf and h5py each have kinds of their own
        raise _storage_error(target, error) from error


def _fill_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write what ``to_netcdf`` does, without loading `distributed` for a lock that
    numbers in memory do not need.
    """
    if any(is_lazy(variable) for variable in dataset.variables.values()):
        dataset.to_netcdf(path, engine="h5netcdf", format="NETCDF4")
        return
    target = xr.backends.H5NetCDFStore.open(
        path, mode="w", format="NETCDF4", lock=False
    )
    try:
        dataset.dump_to_store(target)
    finally:
        target.close()


def _storage_error(path: str | Path, error: Exception) -> OutcomesError:
    """Return the error for what HDF5 cannot store: a zero byte, half a surrogate pair,
    names that differ in a slash.
    """
    return OutcomesError(
        f"{path}: HDF5 cannot store a name or a value of it ({first_line(error)}); "
        "rename or drop it"
    )


@naming_arguments
def load(path: str | Path, kind: Kind) -> xr.Dataset:
    """Read a Dataset written by `save` into memory and check it against the schema.

    Other netCDF files are first read by a child process with limits on time and memory;
    a file that refers to other files raises an error.

    Parameters
    ----------
    path
        The file.
    kind
        Expected kind: ``"sequences"``, ``"outcomes"``, ``"effects"`` or
        ``"estimates"``.

    Raises
    ------
    OutcomesError
        If the file is absent, damaged or not a Dataset of this kind; the message begins
        with the path.
    """
    source = Path(path)
    try:
        read = read_netcdf(source)
    except OutcomesError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        msg = (
            f"{source}: no such file; causalgia.store.save writes it, as does "
            "`causalgia run`"
        )
        raise OutcomesError(msg) from error
    names = {name: unquote(str(name)) for name in _all_names(read)}
    if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise OutcomesError(
            f"{source}: two variables or dims are both named {quoted(min(twice))}; "
            "rename one"
        )
    read = read.rename(names)
    read.attrs = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in read.attrs.items()
    }
    objects = [array for array in read.coords.values() if array.dtype.kind == "O"]
    read = read.assign_coords(
        {
            array.name: array.copy(data=array.to_numpy().astype(np.str_))
            for array in objects
        }
    )
    try:
        return validate(read, kind, positions=True, gaps=True)
    except OutcomesError as error:
        raise error.at(str(source)) from error


VERDICT_CODES = {"decreases": -1, "negligible": 0, "increases": 1, "undecided": 2}
VERDICT_CODES |= {"lower": -1, "within": 0, "higher": 1, "larger": 1}


@naming_arguments
def save_h5ad(table: xr.Dataset, path: str | Path) -> Path:
    """Write estimates or decisions as an AnnData file (h5ad), which scanpy and its
    relatives open.

    Contrasts are the observations, tasks the variables, and the ACE is ``X``. Needs no
    anndata.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`, of one predictor.
    path
        Target file, in an existing folder; written atomically.

    Returns
    -------
    Path
        The file: every other number on (contrast, task) is a layer, coordinates of
        contrasts and tasks are columns of ``obs`` and ``var``, the weights of the arms
        ``obsm["weight"]``, attrs ``uns``. Verdicts are a layer of whole numbers, by
        ``uns["verdict_codes"]``: -1 decreases, 0 negligible, 1 increases, 2 undecided.
        A slash in a name becomes a vertical bar. The covariance between contrasts is
        left to `save`.

    Raises
    ------
    OutcomesError
        If it is neither estimates nor decisions, has several predictors, or the file
        cannot be written.

    References
    ----------
    Virshup et al. (2024), doi:10.21105/joss.04371: AnnData. The layout is version 0.1.0
    of its format on disk.

    Examples
    --------
    >>> import h5py, tempfile
    >>> import causalgia as cg
    >>> estimates = cg.from_effects(
    ...     [1.38, -0.62], se=[0.03, 0.04], names=["GATA1", "TAL1"]
    ... )
    >>> path = save_h5ad(
    ...     cg.decide(estimates, rope=(-0.1, 0.1)),
    ...     Path(tempfile.mkdtemp()) / "screen.h5ad",
    ... )
    >>> with h5py.File(path) as file:
    ...     file["X"][:, 0], file["layers/verdict"][:, 0]
    (array([ 1.38, -0.62]), array([ 1, -1], dtype=int8))
    """
    table = validate(
        table,
        "decisions"
        if isinstance(table, xr.Dataset) and "verdict" in table
        else "estimates",
    )
    if "model" in table.dims:
        raise OutcomesError(
            f"{path}: several predictors, and AnnData has contrasts and tasks; select "
            "one, .sel(model=...)"
        )
    _check_attrs(table, Path(path))
    verdicts = np.unique(table["verdict"].astype(str)) if "verdict" in table else ()
    odd = [verdict for verdict in verdicts if verdict not in VERDICT_CODES]
    if odd:
        known = ", ".join(VERDICT_CODES)
        raise OutcomesError(
            f"{path}: verdict {quoted(odd[0])} is not one of {known}; give what "
            "``cg.decide`` returns"
        )
    try:
        return write_netcdf(Path(path), lambda place: _fill_h5ad(table, place))
    except OutcomesError:
        raise
    except (TypeError, ValueError) as error:
        raise _storage_error(path, error) from error


def _fill_h5ad(table: xr.Dataset, place: Path) -> None:
    import h5py

    dims = ("contrast", "task")
    layers = {
        str(k): v.transpose(*dims).to_numpy()
        for k, v in table.variables.items()
        if set(v.dims) == {*dims}
    }
    ace, uns = layers.pop("ace"), dict(table.attrs)
    if "verdict" in layers:
        words = vocabulary(layers["verdict"].ravel().tolist())
        layers["verdict"] = np.vectorize(VERDICT_CODES.get)(layers["verdict"]).astype(
            np.int8
        )
        uns["verdict_codes"] = {
            x: code for x, code in VERDICT_CODES.items() if x in words
        }
    obsm = (
        {"weight": table["weight"].transpose("contrast", "arm").to_numpy()}
        if "weight" in table
        else {}
    )
    if obsm:
        uns["arms"] = (
            table["arm"].to_numpy().astype(str)
            if "arm" in table.coords
            else np.arange(table.sizes["arm"])
        )
    with h5py.File(place, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        _write_h5ad(file, "X", ace)
        for name, dim in (("obs", "contrast"), ("var", "task")):
            _write_h5ad_frame(file, name, table, dim)
        for name, items in (("layers", layers), ("obsm", obsm), ("uns", uns)):
            _write_h5ad(file, name, items)
        for name in ("varm", "obsp", "varp"):
            _write_h5ad(file, name, {})


def _write_h5ad_frame(file: Any, name: str, table: xr.Dataset, dim: str) -> None:
    group = file.create_group(name)
    columns = {
        str(k): c.to_numpy()
        for k, c in table.coords.items()
        if c.dims == (dim,) and k != dim
    }
    index = (
        table[dim].to_numpy() if dim in table.coords else np.arange(table.sizes[dim])
    )
    for key, values in {dim: index.astype(str), **columns}.items():
        _write_h5ad(group, key, values)
    order = np.array([key.replace("/", "|") for key in columns], dtype=object)
    group.attrs.update(
        {"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": dim}
    )
    group.attrs.create("column-order", order, dtype=_h5ad_text())


def _write_h5ad(group: Any, name: str, value: Any) -> None:
    """Write a table of items, an array or a scalar with the attributes by which anndata
    knows its kind.
    """
    name = name.replace("/", "|")
    if isinstance(value, dict):
        inner = group.create_group(name)
        inner.attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})
        for key, item in value.items():
            _write_h5ad(inner, str(key), item)
        return
    array = np.asarray(value)
    text = array.dtype.kind not in "fiub"
    data = np.asarray(array.astype(str), dtype=object) if text else array
    made = group.create_dataset(
        name,
        data=data if array.ndim else data.item(),
        dtype=_h5ad_text() if text else None,
    )
    kind = (
        ("string-array" if text else "array")
        if array.ndim
        else ("string" if text else "numeric-scalar")
    )
    made.attrs.update({"encoding-type": kind, "encoding-version": "0.2.0"})


def _h5ad_text() -> Any:
    import h5py

    return h5py.string_dtype("utf-8")


def _all_names(dataset: xr.Dataset) -> list[Any]:
    return list({*dataset.variables, *dataset.dims})


def _check_attrs(dataset: xr.Dataset, target: Path) -> None:
    for name, value in dataset.attrs.items():
        if "\0" in str(name):  # after which HDF5 would cut it
            raise _storage_error(
                target, ValueError(f"a zero byte in attrs[{quoted(name)}]")
            )
        if isinstance(value, bool | np.bool_) or not isinstance(
            value, str | int | float | np.number
        ):
            raise OutcomesError(
                f"{target}: attrs[{quoted(name)}] is {type_in_words(value)}; attributes are "
                "text or numbers: convert it"
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise OutcomesError(
                f"{target}: attrs[{quoted(name)}] = {quoted(value)} is beyond 64 bits, "
                "which no file holds; drop it"
            )

"""Sequences from any file that holds them: FASTA, intervals of a genome, one-hot and
token arrays.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, first_words, quoted
from causalgia.inputs import LARGEST, check_path, open_regular_file
from causalgia.sequences.alphabet import Layout, ReadAmbiguous, or_other_layout
from causalgia.sequences.fasta import (
    FilePath,
    Name,
    Sequences,
    flaw_of_letters,
    from_bed,
    read_fasta,
    read_letters,
)
from causalgia.sequences.intervals import is_bed_header
from causalgia.sequences.skipped_inputs import (
    Skip,
    Skipped,
    as_skip,
    check_any_left,
)
from causalgia.sequences.text_files import text_head
from causalgia.streams import RNG

# bytes that a zip file may unpack to, and how many times its own; one-hot letters in
# float64 pack by less than 130
_FREE_ZIP_BYTES = 2**28
_ZIP_RATIO = 200
_LONGEST_HEADER = 1 << 16  # of an array, in bytes
_NPY, _ZIP, _HDF5 = b"\x93NUMPY", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_LETTER_OF_TOKEN = np.frombuffer(b"ACGTN", np.uint8)
_OF_FINEMO = "sequences"


def read_sequences(
    path: FilePath,
    *,
    genome: FilePath | None = None,
    length: int | None = None,
    center: Literal["middle", "summit"] = "middle",
    stranded: bool = False,
    key: str | None = None,
    layout: Layout | None = None,
    ambiguous: ReadAmbiguous = "refuse",
    rng: RNG | None = None,
    skip: Skip = (),
) -> Sequences:
    r"""Read sequences of one length from a file in any common format, for the ``of=``
    of a null model.

    The format is known by its content: FASTA (plain or gzip-compressed); intervals in
    BED or narrowPeak, with a genome; NumPy ``.npy`` or ``.npz`` of one-hot sequences,
    (n, 4, length) or (n, length, 4), or of tokens, (n, length), 0 to 3 for A, C, G, T.

    Parameters
    ----------
    path
        The file.
    genome, length
        BED: the FASTA or .2bit file of the genome, and the bases of each window; both
        are required. FASTA of records of unequal lengths: `length` bases from the middle of
        each, as in `causalgia.sequences.read_fasta`.
    center, stranded
        BED: as in `causalgia.sequences.from_bed`; ``center="summit"`` takes column 10
        of narrowPeak.
    key
        npz: name of the array, where there are several and none is called "sequences",
        as in FiNeMo's regions.
    layout
        One-hot: ``"NCL"`` for (n, 4, length) or ``"NLC"`` for (n, length, 4); taken
        from the shape unless both have 4. Channels are A, C, G, T.
    ambiguous
        ``"draw"`` draws the letters N (in one-hot: positions of four zeros or four
        quarters) by `rng`; ``"keep"`` is for shuffles with ``keep_n=True``, in which
        they keep their places; by default they are refused, as in
        `causalgia.sequences.encode`.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    skip
        Reasons for which records, intervals or rows are left out, and listed in
        ``skipped`` of what is returned, instead of refused: those of
        `causalgia.sequences.read_fasta`, of `causalgia.sequences.from_bed`, or ``"N"``
        for arrays.

    Returns
    -------
    Sequences
        Named after FASTA records or windows (``chrom:start-end``);
        else 0 to n - 1.

    Raises
    ------
    SequenceError
        If the file is absent, of no such format, malformed, or larger than 8 GiB;
        sequences differ in length or hold other letters; an array is neither one-hot
        nor tokens; or an option is missing or does not go with the format.
    TypeError
        If letters are to be drawn and `rng` is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> np.savez(
    ...     folder / "x.npz", np.eye(4, dtype=np.int8)[None, [2, 0, 3, 3, 0, 1, 0]]
    ... )
    >>> found = read_sequences(folder / "x.npz")
    >>> found, found.tokens[0].tolist()
    (<Sequences: 1 of 7 bp, 0>, [2, 0, 3, 3, 0, 1, 0])
    >>> _ = (folder / "genome.fa").write_text(">chr1\nAACCGGTTACGTACGT\n")
    >>> _ = (folder / "peaks.bed").write_text("chr1\t6\t10\n")
    >>> read_sequences(
    ...     folder / "peaks.bed", genome=folder / "genome.fa", length=6
    ... ).names
    ('chr1:5-11',)
    """
    check_path(path, "peaks.fa", SequenceError)
    kind = _kind_of_file(path, with_genome=genome is not None)
    of_bed = {
        "genome": genome,
        "length": length,
        "center": center == "summit" or None,
        "stranded": stranded or None,
    }
    of_arrays = {"key": key, "layout": layout}
    for others, file in ((of_bed, "BED"), (of_arrays, "arrays")):
        given = [
            name
            for name, value in others.items()
            if value is not None and not (kind == "FASTA" and name == "length")
        ]
        if given and kind != file:
            if (
                kind == "FASTA"
                and genome is not None
                and Path(genome).is_file()
                and _kind_of_file(genome, with_genome=False) == "BED"
            ):
                raise SequenceError(
                    f"{path}: this is FASTA, and genome={quoted(str(genome))} is "
                    "BED; swap the two"
                )
            raise SequenceError(
                f"{path}: {given[0]}= is for {_SAID[file]}, and this is "
                f"{_SAID[kind]}; leave it out"
            )
    if kind == "FASTA":
        return read_fasta(path, length=length, ambiguous=ambiguous, rng=rng, skip=skip)
    if kind == "arrays":
        arrays = load_arrays(path)
        name = _array_name(arrays, key, path)
        place = f"{path}: {name}" if name else str(path)
        tokens = as_letters(arrays[name], layout, place)
        names: tuple[Name, ...] = tuple(range(len(tokens)))
        letters, skipped = _LETTER_OF_TOKEN[tokens], tuple[Skipped, ...]()
        if as_skip(skip, ("N",), what="rows"):
            flaws = [flaw_of_letters(row.tobytes(), ambiguous) for row in letters]
            skipped = tuple(
                Skipped(str(name), "N", flaw, i + 1)
                for i, (name, flaw) in enumerate(zip(names, flaws, strict=True))
                if flaw
            )
            usable = [i for i, flaw in enumerate(flaws) if not flaw]
            check_any_left(len(usable), skipped, place, "rows")
            letters, names = letters[usable], tuple(str(names[i]) for i in usable)
        read, spelled = read_letters(
            letters, names, ambiguous=ambiguous, rng=rng, source=place
        )
        return Sequences(read, names, None, skipped, spelled)
    arguments = {
        "genome": "genome= (its FASTA or .2bit file)",
        "length": "length= (that of the network's input)",
    }
    missing = [words for name, words in arguments.items() if of_bed[name] is None]
    if genome is None or length is None:
        raise SequenceError(
            f"{path}: intervals have places and no bases; give {' and '.join(missing)}"
        )
    return from_bed(
        path,
        genome,
        length=length,
        center=center,
        stranded=stranded,
        ambiguous=ambiguous,
        rng=rng,
        skip=skip,
    )


_SAID = {
    "FASTA": "FASTA",
    "BED": "BED or narrowPeak",
    "arrays": "NumPy arrays (.npy, .npz)",
}


def _kind_of_file(path: FilePath, *, with_genome: bool) -> str:
    """Return what a file is, by its first bytes; text that is not FASTA is BED if there
    is a genome to it, and arrays that were not saved as such if it is called so.
    """
    with open_regular_file(path, SequenceError) as file:
        head = file.read(8)
    if head.startswith((_NPY, _ZIP)):
        return "arrays"
    if head == _HDF5:
        raise SequenceError(
            f"{path}: is HDF5, which has no one layout for sequences; "
            "cg.read_patterns reads the patterns of tfmodisco; of other files take "
            "the array (h5py.File(path)[name][:]) and give its tokens"
        )
    text = text_head(path).lstrip()
    if Path(path).suffix in (".npy", ".npz") and not text.startswith(b">"):
        return "arrays"
    if text.startswith(b"##fileformat=VCF"):
        raise SequenceError(
            f"{path}: is VCF; cg.sequences.read_variants reads variants, and "
            "cg.experiments.variants ranks them"
        )
    lines = (line.split() for line in text.decode("utf-8", "replace").splitlines())
    first = next(
        (words for words in lines if words and not words[0].startswith("#")), []
    )
    if (
        len(first) >= 3
        and (first[1].isdigit() or is_bed_header(first))
        and not first[0].startswith(">")
    ):
        return "BED"
    is_bed = first[:1] in (["track"], ["browser"]) or (
        with_genome and not text.startswith(b">")
    )
    return "BED" if is_bed else "FASTA"


def _array_name(
    arrays: Mapping[str, NDArray[Any]], key: str | None, path: FilePath
) -> str:
    if key is not None and (not isinstance(key, str) or key not in arrays):
        held = (
            f"the arrays {quoted(sorted(arrays))}"
            if "" not in arrays
            else "one array without a name: leave key= out"
        )
        raise SequenceError(
            f"{path}: key={quoted(key)} is not there; the file has {held}"
        )
    if key is not None:
        return key
    if len(arrays) == 1:
        return next(iter(arrays))
    if _OF_FINEMO in arrays:
        return _OF_FINEMO
    raise SequenceError(
        f"{path}: has the arrays {quoted(sorted(arrays))}; say which by key="
    )


def as_letters(
    array: NDArray[Any], layout: Layout | None, place: str
) -> NDArray[np.uint8]:
    """Return tokens, (n, length), of one-hot or token sequences; 4 where a position
    holds no base.

    Raises
    ------
    SequenceError
        If it is neither, or its layout is not clear.

    Examples
    --------
    >>> one_hot = np.zeros((1, 2, 4))
    >>> one_hot[0, 0, 2] = 1
    >>> as_letters(one_hot, None, "x.npy")
    array([[2, 4]], dtype=uint8)
    """
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3) or not array.size:
        raise SequenceError(
            f"{place}: an array of {array.dtype} and shape {array.shape}; give one-hot "
            "(n, 4, length) or (n, length, 4), or tokens (n, length)"
        )
    if array.ndim == 2:
        if np.isin(array, (0, 1)).all() and any(
            array.shape[axis] == 4 and array.any() and (array.sum(axis) <= 1).all()
            for axis in (0, 1)
        ):
            raise SequenceError(
                f"{place}: shape {array.shape} is one-hot of one sequence, not tokens "
                "(n, length); give it an axis of sequences: array[None]"
            )
        if array.dtype.kind in "fb" or array.min() < 0 or array.max() > 3:
            raise SequenceError(
                f"{place}: an array (n, length) of {array.dtype} from {array.min():g} "
                f"to {array.max():g}; tokens are whole numbers from 0 to 3 (A, C, G, "
                "T)"
            )
        return array.astype(np.uint8)
    if layout not in (None, "NCL", "NLC"):
        raise SequenceError(
            f"layout={quoted(layout)} is not a choice; use 'NCL' for (n, 4, "
            "length), 'NLC' for (n, length, 4)"
        )
    axis = {"NCL": 1, "NLC": 2}.get(str(layout)) or _channel_axis(array.shape, place)
    if array.shape[axis] != 4:
        raise SequenceError(
            f"{place}: shape {array.shape} has no 4 channels where "
            f"layout={quoted(layout)} puts them{or_other_layout(array, layout)}"
        )
    hot = np.moveaxis(array, axis, 2)
    tokens = np.full(hot.shape[:2], 4, dtype=np.uint8)
    known = np.zeros(hot.shape[:2], dtype=np.int64)
    for base in range(4):
        here = hot[..., base] == 1
        tokens[here] = base
        known += here
    others = (hot != 0).sum(axis=2) - known
    no_base = (known == 0) & ((others == 0) | (hot == 0.25).all(axis=2))
    wrong = ~(((known == 1) & (others == 0)) | no_base)
    if wrong.any():
        n, at = map(int, np.argwhere(wrong)[0])
        raise SequenceError(
            f"{place}: sequence {n}, position {at} is {hot[n, at].tolist()}; one-hot "
            "is one 1 and three 0 (contributions and averages are not sequences)"
        )
    return tokens


def _channel_axis(shape: tuple[int, ...], place: str) -> int:
    found = [axis for axis in (1, 2) if shape[axis] == 4]
    if len(found) == 1:
        return found[0]
    why = (
        "fits both layouts; say layout='NCL' or layout='NLC'"
        if found
        else "has no axis of 4 channels (A, C, G, T)"
    )
    raise SequenceError(f"{place}: shape {shape} {why}")


def load_arrays(path: FilePath) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file by name, or that of an ``.npy`` file as
    ``""``; pickles are not opened.

    Raises
    ------
    SequenceError
        If the file cannot be read, holds objects, or its arrays have more than 8 GiB.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.zeros((1, 4, 2)))
    >>> {name: array.shape for name, array in load_arrays(path).items()}
    {'': (1, 4, 2)}
    """
    with open_regular_file(path, SequenceError) as file:
        objects = False
        try:
            head = file.read(512)
            first = head[:6]
            if not head:
                raise SequenceError(
                    f"{path}: is empty; write arrays by np.save or np.savez"
                )
            if first[:4] != _ZIP and first != _NPY:
                raise SequenceError(
                    f"{path}: is not a file of NumPy arrays, it begins with "
                    f"{quoted(first.decode('latin-1'))}; write arrays by np.save or "
                    "np.savez (numbers of a text file: np.loadtxt)"
                )
            if first[:4] == _ZIP:
                with zipfile.ZipFile(file) as packed:
                    unpacked = sum(item.file_size for item in packed.infolist())
            size = file.seek(0, 2)
            _check_size(size, path)
            if first[:4] == _ZIP:
                _check_size(unpacked, path)
                if unpacked > max(_FREE_ZIP_BYTES, _ZIP_RATIO * size):
                    raise SequenceError(
                        f"{path}: {size:,} bytes of zip unpack to {unpacked:,}; if "
                        "that is meant, save the arrays by np.savez, which does not "
                        "pack them"
                    )
            objects = _holds_objects(file)
            file.seek(0)
            found = np.load(file, allow_pickle=False)
            arrays = (
                {name: found[name] for name in found.files}
                if hasattr(found, "files")
                else {"": found}
            )
            other = next(
                (
                    name
                    for name, array in arrays.items()
                    if not isinstance(array, np.ndarray)
                ),
                None,
            )
            if other is not None or not arrays:
                raise SequenceError(
                    f"{path}: a zip file with {quoted(other or 'nothing')} in it, which "
                    "is not a NumPy array; unpack it, and give the file in it"
                )
            return arrays
        except SequenceError:
            raise
        except MemoryError as error:
            raise SequenceError(
                f"{path}: does not fit into the memory that is free; split the file"
            ) from error
        except Exception as error:  # damaged files raise any exception
            of = "it holds Python objects, which are never opened: " if objects else ""
            raise SequenceError(
                f"{path}: {of}no NumPy arrays can be read ({first_words(error)}); save "
                "them anew"
            ) from error


def _holds_objects(file: BinaryIO) -> bool:
    """Return whether an array in a file of NumPy arrays is of Python objects, as the
    header of the array says.
    """
    file.seek(0)
    if file.read(4) != _ZIP:
        file.seek(0)
        return _is_of_objects(file.read(_LONGEST_HEADER))
    with zipfile.ZipFile(file) as packed:
        for name in packed.namelist():
            with packed.open(name) as array:
                if _is_of_objects(array.read(_LONGEST_HEADER)):
                    return True
    return False


def _is_of_objects(data: bytes) -> bool:
    """Return whether the bytes that an array begins with say that it is of objects.

    Examples
    --------
    >>> from io import BytesIO
    >>> held = [np.zeros(2), np.array([None]), np.zeros(2, "f8, O")]
    >>> files = [BytesIO() for _ in held]
    >>> for file, array in zip(files, held):
    ...     np.save(file, array)
    >>> [_is_of_objects(file.getvalue()) for file in files]
    [False, True, True]
    """
    if not data.startswith(_NPY):
        return False
    end = 10 if data[6:7] == b"\x01" else 12  # the length has 2 bytes, later 4
    length = int.from_bytes(data[8:end], "little")
    return b"'|O'" in data[end : end + length]


def _check_size(size: int, path: FilePath) -> None:
    if size > LARGEST:
        raise SequenceError(
            f"{path}: its arrays have {size:,} bytes, and at most {LARGEST:,} are "
            "read; split the file"
        )

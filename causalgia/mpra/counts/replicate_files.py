"""Files of counts of one replicate each, and the names of their replicates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from causalgia.errors import DataError, quoted, type_in_words

_ENDS = re.compile(r"(\.(gz|bz2|xz|zst|tsv|csv|txt|tab))+$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


def named_files(
    files: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
) -> dict[str, Path]:
    """Return replicate -> its file; a single file that is not named is under "".

    Parameters
    ----------
    files
        One file, which may hold several replicates; a mapping of replicates to files;
        or several files, whose replicates are named by what differs between their
        names (between their folders, where all files are called alike).

    Raises
    ------
    DataError
        If there is no file, something else than a path, a file twice, or two files
        whose names differ in nothing but punctuation.

    Examples
    --------
    >>> list(named_files(["HepG2_1_counts.tsv.gz", "HepG2_2_counts.tsv.gz"]))
    ['1', '2']
    >>> list(named_files(["rep1/counts.tsv", "rep2/counts.tsv"]))
    ['rep1', 'rep2']
    >>> list(named_files(["TERT-GBM_1_counts.tsv", "TERT-HEK_1_counts.tsv"]))
    ['GBM', 'HEK']
    """
    if isinstance(files, Mapping):
        named = {str(name): one for name, one in files.items()}
        given = list(named.values())
    else:
        given = [files] if isinstance(files, str | Path) else _as_list(files)
        named = {}
    wrong = next((one for one in given if not isinstance(one, str | Path)), None)
    if not given:
        raise DataError(
            "no files of counts are given; give one for each replicate, such as "
            "['rep1_counts.tsv', 'rep2_counts.tsv']"
        )
    if wrong is not None:
        raise DataError(
            f"read_counts reads files, not {type_in_words(wrong)}; for arrays of counts use "
            "cg.mpra.counts_of(dna, rna, barcodes=, oligos=, side_table=)"
        )
    paths = [Path(one) for one in given]
    twice = next((one for i, one in enumerate(paths) if one in paths[:i]), None)
    if twice is not None:
        raise DataError(
            f"{twice}: the file is given for two replicates; give each its own"
        )
    if named:
        return dict(zip(named, paths, strict=True))
    if len(paths) == 1:
        return {"": paths[0]}
    names = _differences([_ENDS.sub("", one.name) for one in paths])
    if len({*names}) < len(names):
        names = _differences([_ENDS.sub("", str(one)) for one in paths])
    first: dict[str, Path] = {}
    for name, one in zip(names, paths, strict=True):
        if name in first:
            raise DataError(
                f"{first[name]} and {one}: nothing in the names of these files tells "
                f"replicates apart (both are {quoted(name)}); name them, "
                '{"1": file, "2": file} (on the command line 1=FILE 2=FILE)'
            )
        first[name] = one
    return first


def _as_list(files: object) -> list[str | Path]:
    if isinstance(files, Sequence) and not isinstance(files, bytes):
        return list(files)
    return [files]  # type: ignore[list-item]


def _differences(names: list[str]) -> list[str]:
    """Return the words of each name without those that all begin or end with.

    Examples
    --------
    >>> _differences(["K562_rep1_counts", "K562_rep2_counts", "K562_rep10_counts"])
    ['rep1', 'rep2', 'rep10']
    """
    words = [_WORD.findall(name) or [name] for name in names]
    for end in (0, -1):
        while min(map(len, words)) > 1 and len({one[end] for one in words}) == 1:
            words = [one[1:] if end == 0 else one[:-1] for one in words]
    return ["_".join(one) for one in words]

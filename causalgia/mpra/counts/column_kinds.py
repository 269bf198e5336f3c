"""What the columns of a count table are, by their names: DNA or RNA, and of which
replicate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_END = r"(?=counts?|reads?|umis?|rep|r[0-9]|(?![a-z]))"
_NUCLEIC = re.compile(rf"(?<![a-z])([gp]?dna|cdna|m?rna){_END}", re.IGNORECASE)
#: words that say DNA or RNA where no other does
_POOL = re.compile(rf"(?<![a-z])(plasmids?|inputs?){_END}", re.IGNORECASE)
_OUTPUT = re.compile(rf"(?<![a-z])(outputs?){_END}", re.IGNORECASE)
_OF_RNA = ("rna", "mrna", "cdna")
_COUNT_WORDS = re.compile(
    r"(?<![a-z])(counts?|reads?|umis?|condition|replicate)(?![a-z])", re.IGNORECASE
)
_REPLICATE_WORD = re.compile(
    r"(?<![a-z])(replicate|rep|r|bio)_?(?=[0-9])", re.IGNORECASE
)
#: MPRAnalyze's columns of barcodes: ``DNA_X_1_12`` (compiler), ``MT.1.0012`` (esMPRA)
_OF_ONE_BARCODE = re.compile(r"(.*[._])?[0-9]+[._][0-9]+")


def kind_of_column(name: str) -> tuple[str, str] | None:
    """Return dna or rna, and the replicate that a column of counts is of; None if its
    name says neither, or both.

    Examples
    --------
    >>> [kind_of_column(name) for name in ("plasmid_1", "cDNA_rep1", "DNA Rep 2")]
    [('dna', '1'), ('rna', 'rep1'), ('dna', 'Rep_2')]
    >>> [kind_of_column(name) for name in ("K562_mRNACount_1", "inputCount", "gc")]
    [('rna', 'K562_1'), ('dna', ''), None]
    """
    words = [word.lower() for word in _NUCLEIC.findall(name)]
    kinds = {"rna" if word in _OF_RNA else "dna" for word in words}
    if not kinds:
        pool, output = _POOL.search(name), _OUTPUT.search(name)
        kinds = {"dna"} if pool and not output else set()
        kinds |= {"rna"} if output and not pool else set()
    if len(kinds) != 1:
        return None
    rest = name
    for words_of in (_NUCLEIC, _POOL, _OUTPUT):
        rest = words_of.sub(" ", rest)
    rest = _COUNT_WORDS.sub(" ", rest)
    return kinds.pop(), "_".join(re.findall(r"[^\W_]+", rest))


def is_count_word(name: str) -> bool:
    """Return whether a column is called counts and nothing else.

    Examples
    --------
    >>> is_count_word("Counts"), is_count_word("dna_count"), is_count_word("reads")
    (True, False, True)
    """
    return _COUNT_WORDS.fullmatch(name) is not None


def is_of_pool(name: str) -> bool:
    """Return whether a column is of plasmids, which are one pool before transfection.

    Examples
    --------
    >>> is_of_pool("plasmid_2"), is_of_pool("pDNA_2"), is_of_pool("gDNA_2")
    (True, True, False)
    """
    words = [word.lower() for word in _NUCLEIC.findall(name)]
    return bool(_POOL.search(name)) or "pdna" in words


def paired_replicates(
    counts: Mapping[str, tuple[str, str]],
) -> dict[str, tuple[str, str]]:
    """Return columns with the DNA of a replicate under the name that its RNA has, where
    they differ in the word for a replicate alone.

    Examples
    --------
    >>> paired_replicates(
    ...     {
    ...         "DNA_1": ("dna", "1"),
    ...         "DNA_2": ("dna", "2"),
    ...         "RNA_rep1": ("rna", "rep1"),
    ...         "RNA_rep2": ("rna", "rep2"),
    ...     }
    ... )["DNA_2"]
    ('dna', 'rep2')
    """
    dna, rna = (
        [place[1] for place in counts.values() if place[0] == kind]
        for kind in ("dna", "rna")
    )
    plain = {_plain(name): name for name in rna}
    if set(dna) == set(rna) or len(dna) != len(rna) or len(plain) < len(rna):
        return dict(counts)
    if len({_plain(name) for name in dna} & set(plain)) < len(plain):
        return dict(counts)
    return {
        name: (kind, plain[_plain(of)] if kind == "dna" else of)
        for name, (kind, of) in counts.items()
    }


def _plain(replicate: str) -> str:
    return _REPLICATE_WORD.sub("", replicate).lower()


def is_matrix_of_barcodes(columns: Iterable[str]) -> bool:
    """Return whether columns are the barcodes of MPRAnalyze's matrix, in which a row is
    an oligo.

    Examples
    --------
    >>> is_matrix_of_barcodes(["DNA_X_1_1", "DNA_X_1_2"])
    True
    >>> is_matrix_of_barcodes(["MT.1.0001", "MT.1.0002", "MT.1.0003"])
    True
    >>> is_matrix_of_barcodes(["DNA_1", "RNA_1"])
    False
    """
    names = list(columns)
    kinds = {place[0] for name in names if (place := kind_of_column(name))}
    return (
        len(names) > 1
        and len(kinds) < 2
        and all(_OF_ONE_BARCODE.fullmatch(name) for name in names)
    )

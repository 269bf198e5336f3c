"""Variants read from VCF files and tables, checked against a genome, and VCF files with
values of variants.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal, TypeAlias

import pandas as pd

from causalgia.checks import check_text_or_none, is_whole
from causalgia.choices import VARIANT_SKIPS
from causalgia.errors import (
    MissingExtraError,
    SequenceError,
    first_words,
    install_command,
    quoted,
)
from causalgia.inputs import as_pandas, parse_int, read_bytes
from causalgia.sequences.allele_mismatches import mismatch_in_words
from causalgia.sequences.alphabet import BASE_LETTERS
from causalgia.sequences.genome import htslib_is_silent
from causalgia.sequences.skipped_inputs import (
    Skip,
    Skipped,
    as_skip,
    check_any_left,
    parsed_or_left_out,
)
from causalgia.sequences.text_files import as_text, check_not_fasta, numbered_lines


@dataclass(frozen=True)
class Variant:
    """A reference allele at a position of a genome, and the alternate that replaces it.

    Parameters
    ----------
    chromosome
        Name of the chromosome, as the genome has it.
    position
        0-based start of the reference allele (a VCF counts from 1).
    reference, alternate
        Two different strings of A, C, G, T, in either case; kept in upper case. Indels
        are written as VCF does, with a base that both alleles share.
    name
        Name in reports; by default ``chromosome:POS:reference>alternate`` with the
        VCF's POS, counted from 1.

    Raises
    ------
    SequenceError
        If the chromosome is blank, the position is negative, an allele has another
        letter or none, or both are equal.

    Examples
    --------
    >>> Variant("chr1", 41, "A", "g").name
    'chr1:42:A>G'
    """

    chromosome: str
    position: int
    reference: str
    alternate: str
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.chromosome, str) or not self.chromosome.strip():
            msg = (
                f"chromosome={quoted(self.chromosome)}; give its name in the "
                "genome, such as 'chr1'"
            )
            raise SequenceError(msg)
        at = self.position
        if (type(at) is not int and not is_whole(at)) or at < 0:
            msg = (
                f"position={quoted(at)} on {self.chromosome}; give a whole number, "
                "counted from 0 (POS - 1 of a VCF)"
            )
            raise SequenceError(msg)
        for what in ("reference", "alternate"):
            letters = getattr(self, what)
            if (
                not isinstance(letters, str)
                or not letters
                or not BASE_LETTERS.issuperset(letters)
            ):
                object.__setattr__(
                    self, what, _allele(letters, f"{self._label}: {what} allele")
                )
        if self.reference == self.alternate:
            msg = (
                f"{self._label}: both alleles are {quoted(self.reference)}; a variant "
                "changes something: drop it"
            )
            raise SequenceError(msg)
        object.__setattr__(self, "position", int(self.position))
        check_text_or_none(self.name, "name", error=SequenceError)
        object.__setattr__(self, "name", self.name or self.written)

    @property
    def _label(self) -> str:
        return (
            f"variant {quoted(self.name or f'{self.chromosome}:{self.position + 1}')}"
        )

    @property
    def written(self) -> str:
        """``chromosome:POS:reference>alternate``, POS counted from 1 as VCF does."""
        return (
            f"{self.chromosome}:{self.position + 1}:{self.reference}>{self.alternate}"
        )


class VariantList(tuple[Variant, ...]):
    """The variants of a file, in its order: a tuple that knows what was left out.

    Attributes
    ----------
    skipped
        Lines, or single alternates of them, that ``skip=`` left out.
    lines
        Line of each variant in the file, from 1.
    """

    skipped: tuple[Skipped, ...] = ()
    lines: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        variants: Iterable[Variant],
        skipped: Iterable[Skipped],
        lines: Iterable[int],
    ) -> VariantList:
        """Return variants as a list with their lines and what was left out."""
        found = cls(variants)
        found.skipped, found.lines = tuple(skipped), tuple(lines)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return VariantList.of, (tuple(self), self.skipped, self.lines)


VariantTable: TypeAlias = (
    str
    | PathLike[str]
    | pd.DataFrame
    | Mapping[str, Any]
    | Variant
    | Iterable[Variant | str | Mapping[str, Any]]
)
"""Variants in any form that `read_variants` reads."""
_COLUMNS = ("chrom", "pos", "id", "ref", "alt")
_NEEDED = {*_COLUMNS} - {"id"}


def read_variants(source: VariantTable, *, skip: Skip = ()) -> VariantList:
    r"""Read variants in the form in which they are held, in their order: a VCF file, a
    table, or a list.

    Files are plain, or compressed by gzip or bgzip; BCF is read where pysam is installed
    (the extra ``genome``). A table is a file separated by tabs (or by blanks on lines
    without tabs) or a DataFrame, whose header has the columns ``chrom``, ``pos`` (counted
    from 1), ``ref``, ``alt`` and perhaps ``id``, in either case, perhaps after a ``#``.
    Without a header the columns are those of a VCF file. Others are not looked at (QUAL,
    FILTER, genotypes), so filter the file first.

    A list has `Variant` values, rows as mappings with those columns, records of pysam,
    or strings, which a file may have too, one in a line: ``chr1:42:A:G``,
    ``chr1-42-A-G``, ``chr1_42_A_G``, ``chr1:42:A>G``, ``chr1:g.42A>G``. They count from
    1, as VCF does. SPDI, which has the accession of its sequence
    (``NC_000001.11:41:A:G``), counts from 0. A string is the name of its variant.

    Several alternates in one cell, separated by commas, are a variant each. Chromosomes
    keep their spelling. A variant is named by its ID; one without (``.``), or whose ID is
    shared, is named ``chromosome:POS:reference>alternate``. The genome tells whether
    reference alleles are right (`causalgia.experiments.variants`).

    Parameters
    ----------
    source
        The file, the table, or the list; or one variant.
    skip
        Reasons for which an alternate is left out, and listed in ``skipped`` of what is
        returned, instead of refused: ``"symbolic"`` (``<DEL>``, breakends, ``*``,
        ``.``), ``"N"`` (other letters than A, C, G, T), ``"unchanged"`` (both alleles
        are equal), ``"repeated"``, ``"malformed"`` (a line that cannot be parsed), or
        ``"all"`` of these. Those that a genome tells
        (`causalgia.experiments.variants`) are accepted and mean nothing here.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no variants, a column is not there, a line is
        malformed, an allele is not a string of A, C, G, T, or a variant is repeated, and
        `skip` does not leave it out; or nothing is left. The message names file and line.
        A name of dbSNP has no alleles, and a tuple, or an empty allele of what is not
        SPDI, does not say from where it counts.
    MissingExtraError
        If the file is BCF and pysam is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.vcf"
    >>> _ = path.write_text(
    ...     "chr1\t42\trs1\tA\tG\t.\tPASS\t.\nchr1\t50\t.\tCA\tC\t.\tPASS\t.\n"
    ... )
    >>> [(v.name, v.position) for v in read_variants(path)]
    [('rs1', 41), ('chr1:50:CA>C', 49)]
    >>> read_variants([{"chrom": 1, "pos": 9, "ref": "A", "alt": "T"}])[0].name
    '1:9:A>T'
    >>> [v.position for v in read_variants(["chr1:42:A:G", "NC_000001.11:41:A:G"])]
    [41, 41]
    """
    reasons, skipped = as_skip(skip, VARIANT_SKIPS, what="variants"), list[Skipped]()
    if isinstance(source, VariantList):
        return source
    source = _as_source(source)
    if isinstance(source, list) and all(isinstance(x, Variant) for x in source):
        return VariantList(as_variants(source))
    place, unit, names, rows = _cells_of(source)
    where = f"{place}: {unit}"
    if missing := [x for x in _COLUMNS if x in _NEEDED and x not in names]:
        raise SequenceError(
            f"{place}: no column {missing[0]} among {quoted(names)}; a table of variants "
            "has chrom, pos (counted from 1), ref, alt, and maybe id"
        )
    if twice := [x for x in _COLUMNS if names.count(x) > 1]:
        raise SequenceError(f"{place}: {names.count(twice[0])} columns {twice[0]}")
    at = [names.index(x) if x in names else -1 for x in _COLUMNS]
    found = [
        (number, variant)
        for number, row in rows
        for variant in _variants(row, at, f"{where} {number}", number, reasons, skipped)
    ]
    check_any_left(len(found), skipped, place)
    if not found:
        raise SequenceError(f"{place}: no variants")
    return _each_once(found, skipped, reasons, place, unit)


def _as_source(source: Any) -> Any:
    """Return variants as a path, a table, or a list of items."""
    if isinstance(source, str):
        return [source] if _NAME.fullmatch(source) or _RS.fullmatch(source) else source
    if isinstance(source, PathLike):
        return source
    if isinstance(source, Mapping):
        columns = any(map(pd.api.types.is_list_like, source.values()))
        return pd.DataFrame(source if columns else [source])
    if hasattr(source, "columns"):
        return as_pandas(source)
    items = list(source) if isinstance(source, Iterable) else [source]
    rows = items and all(isinstance(x, Mapping) for x in items)
    return pd.DataFrame(items) if rows else items


def _cells_of_item(item: Any) -> list[str]:
    """Return the cells of a row of a list: those of its columns, or its name."""
    if isinstance(item, str):
        return [item.strip()]
    if isinstance(item, Variant):
        name = "." if item.name == item.written else item.name
        at = str(item.position + 1)
        return [item.chromosome, at, name, item.reference, item.alternate]
    if all(hasattr(item, name) for name in ("chrom", "pos", "id", "ref", "alts")):
        alts = ",".join(item.alts or ".")  # a record of pysam, from 1
        return [item.chrom, str(item.pos), item.id or ".", item.ref, alts]
    if isinstance(item, Mapping):
        raise SequenceError(f"variants: {quoted(item)} beside items of another form")
    raise SequenceError(
        f"variants: {quoted(item)} is none: give 'chr1:42:A:G' (from 1), a row with "
        "chrom, pos, ref, alt (from 1), or cg.sequences.Variant (from 0)"
    )


# chr1:42:A:G, chr1-42-A-G, chr1_42_A_G(_b38), chr1:42:A>G, chr1:42A>G, chr1:g.42A>G
_BASE = "[ACGTURYKMSWBDHVN]"
_NAME = re.compile(
    rf"(.+)[:_-](?:g\.)?([0-9]{{1,18}})[:_ -]?({_BASE}*)[:_/>-]({_BASE}[{_BASE[1:-1]},]*|[*.]?|"
    r"<[^>]+>)(?:[:_]b3[78])?",
    re.ASCII | re.IGNORECASE,
)
_RS, _SPDI = (
    re.compile("rs[0-9]+"),
    re.compile(r"[A-Z]{2}_[0-9]+\.[0-9]+:[^:]*:\w*:\w*"),
)


def _cells_of_name(name: str) -> list[str]:
    """Return chromosome, POS from 1, name, reference and alternates of a variant that is
    written as one string.
    """
    if _RS.fullmatch(name):
        raise SequenceError(
            f"{quoted(name)} is a name of dbSNP, which has no alleles: give the line of "
            "its VCF"
        )
    if (found := _NAME.fullmatch(name)) is None:
        raise SequenceError(
            f"{quoted(name)} is no variant such as 'chr1:42:A:G', counted from 1"
        )
    chromosome, pos, reference, alternates = found.groups()
    spdi = _SPDI.fullmatch(name) is not None
    if not (reference and alternates):
        why = (
            "SPDI is read with letters in both alleles, such as 'NC_000001.11:41:A:G'"
            if spdi
            else "an empty allele is that of SPDI, which counts from 0, but the name is "
            "no accession; write it as VCF does"
        )
        raise SequenceError(f"{quoted(name)}: {why}")
    return [chromosome, str(int(pos) + spdi), name, reference, alternates]


def _cells_of(
    source: Any,
) -> tuple[str, str, list[str], list[tuple[int, list[str]]]]:
    """Return the place, what its rows are called, the names of the columns and the
    cells of each row.
    """
    if isinstance(source, list):
        items = enumerate(map(_cells_of_item, source), 1)
        return "variants", "row", list(_COLUMNS), [*items]
    if not isinstance(source, str | PathLike):
        table = source.convert_dtypes().astype(object)
        values = table.where(table.notna(), ".").to_numpy().tolist()
        names = [str(x).lower().removeprefix("#") for x in table.columns]
        cells = enumerate(([str(x) for x in row] for row in values), 1)
        return "variants", "row", names, [*cells]
    text = vcf_text(source)
    check_not_fasta(
        text, source, "give the variants first, then the FASTA file of the genome"
    )
    header, names = _header(text, source)
    most = 1 + max(map(names.index, {*_COLUMNS} & {*names}), default=-1)
    for number, line in numbered_lines(text):
        again = _names(line) if number > header and line.startswith("#") else []
        if _NEEDED.issubset(again) and again[:most] != names[:most]:
            raise SequenceError(f"{source}: line {number}: a header of other columns")
    rows = [
        (number, _cells(line)[:most])  # without genotypes
        for number, line in numbered_lines(text)
        if not line.startswith("#") and number != header
    ]
    return str(source), "line", names, rows


def _header(text: bytes, place: str | PathLike[str]) -> tuple[int, list[str]]:
    """Return the line of a header, 0 if there is none, and the names of the columns,
    those of VCF if there is none.

    Raises
    ------
    SequenceError
        If a comment above the first row has cells as a header has, and is none.
    """
    comments = list[tuple[int, str]]()
    for number, line in numbered_lines(text):
        if line.startswith("##"):
            continue
        names = _names(line)
        if _NEEDED.issubset(names):
            return number, names
        if line.startswith("#"):
            comments.append((number, line))
            continue
        if len(names) > 1 and not re.match(r"[-+]?\d", names[1]):
            return number, names  # a header, and not of variants
        for at, comment in comments:
            if "\t" in comment or len(_cells(comment[1:])) == len(names):
                raise SequenceError(
                    f"{place}: line {at}: {quoted(comment)} is above the rows, and does "
                    "not name the columns chrom, pos, ref, alt; name them so, or drop it"
                )
        break
    return 0, list(_COLUMNS)


def vcf_text(path: str | PathLike[str]) -> bytes:
    """Return the text of a VCF file, plain or compressed; of BCF, as VCF.

    Raises
    ------
    SequenceError
        If the file cannot be read, or is cut short.
    MissingExtraError
        If it is BCF and pysam is not installed.
    """
    data = read_bytes(path, SequenceError, unpack=True)
    if not data.startswith(b"BCF"):
        return as_text(data, path)
    try:
        import pysam
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: BCF is read by pysam: {install_command('genome')}"
        ) from error
    try:
        with htslib_is_silent(), pysam.VariantFile(str(path)) as file:
            return (str(file.header) + "".join(map(str, file))).encode()
    except (OSError, ValueError, NotImplementedError) as error:
        raise SequenceError(
            f"{path}: BCF cannot be read ({first_words(error)})"
        ) from error


def is_vcf(path: str | PathLike[str]) -> bool:
    """Say whether the columns of a file are those of VCF, under its header or none."""
    text = vcf_text(path)
    header, names = _header(text, path)
    rows = (row for row in numbered_lines(text) if not row[1].startswith("#"))
    number, line = next(rows, (-1, ""))
    of_names = not header and len(_cells(line)) == 1
    of_table = of_names or number == header
    return names[:5] == list(_COLUMNS) and not of_table


def _names(line: str) -> list[str]:
    """Return the names of columns that a line has if it is a header."""
    return _cells(line.lower().lstrip("# "))


def _cells(line: str) -> list[str]:
    return [x.strip() for x in (line.split("\t") if "\t" in line else line.split())]


def _each_once(
    found: Sequence[tuple[int, Variant]],
    skipped: list[Skipped],
    reasons: frozenset[str],
    place: str,
    unit: str,
) -> VariantList:
    """Return variants that are listed once, under names of their own."""
    seen: dict[str, int] = {}
    once: list[Variant] = []
    for number, variant in found:
        if variant.written not in seen:
            seen[variant.written] = number
            once.append(variant)
        elif "repeated" in reasons:
            detail = f"the variant of {unit} {seen[variant.written]}"
            skipped.append(skipped_variant(variant, "repeated", detail, line=number))
        else:
            raise SequenceError(
                f"{place}: {unit} {number}: variant {variant.written} is that of {unit} "
                f"{seen[variant.written]}; skip='repeated' leaves it out"
            )
    shared = Counter(variant.name for variant in once)
    return VariantList.of(
        (x if shared[x.name] == 1 else replace(x, name="") for x in once),
        sorted(skipped, key=lambda x: x.line),
        seen.values(),
    )


def skipped_variant(
    variant: Variant, reason: str, detail: str = "", *, line: int = 0
) -> Skipped:
    """Return the row of a variant that is left out.

    Examples
    --------
    >>> skipped_variant(Variant("chr1", 41, "A", "G", "rs1"), "edge").position
    42
    """
    return Skipped(
        variant.name,
        reason,
        detail,
        line,
        variant.chromosome,
        variant.position + 1,
        variant.reference,
        variant.alternate,
    )


def flaw_of_alleles(reference: str, alternate: str) -> str:
    """Return the reason for which two alleles of a file are no variant; empty if they
    are one.
    """
    alleles = [x.upper() for x in (reference, alternate)]
    for letters in alleles:
        if not BASE_LETTERS.issuperset(letters) or not letters:
            return "N" if letters.isalpha() else "symbolic"
    return "unchanged" if alleles[0] == alleles[1] else ""


def _allele(letters: str, place: str) -> str:
    allele = letters.upper() if isinstance(letters, str) else ""
    if allele and set(allele) <= BASE_LETTERS:
        return allele
    raise SequenceError(
        f"{place} is {quoted(letters)}; an allele is a string of A, C, G, T"
    )


def _variants(
    cells: list[str],
    at: Sequence[int],
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
) -> Iterator[Variant]:
    """Yield a variant for each alternate of a line that is not left out."""
    row = parsed_or_left_out(
        lambda: _parsed(cells, at), place, number, reasons, skipped
    )
    if row is None:
        return
    chromosome, position, name, reference, alternates = row
    for alternate in alternates.split(","):
        flaw = flaw_of_alleles(reference, alternate)
        if flaw and flaw in reasons:
            written = f"{chromosome}:{position + 1}:{reference}>{alternate}"
            detail = f"alleles {quoted(reference)} and {quoted(alternate)}"
            skipped.append(
                Skipped(
                    *(name or written, flaw, detail, number),
                    *(chromosome, position + 1, reference, alternate),
                )
            )
            continue
        try:
            yield Variant(chromosome, position, reference, alternate, name)
        except SequenceError as error:
            raise type(error)(f"{place}: {error}") from error


def _parsed(cells: list[str], at: Sequence[int]) -> tuple[str, int, str, str, str]:
    """Return chromosome, position from 0, name, reference and alternates of a line."""
    if len(cells) == 1:
        cells, at = _cells_of_name(cells[0]), range(5)
    if len(cells) <= max(at):
        raise SequenceError(f"{len(cells)} columns, fewer than the header has")
    chromosome, pos, name, reference, alternates = (
        cells[i] if i >= 0 else "." for i in at
    )
    position = parse_int(pos, SequenceError, source="POS")
    if chromosome in ("", "."):
        raise SequenceError("has no chromosome")
    if position < 1:
        raise SequenceError(f"POS {quoted(pos)} is below 1; positions count from 1")
    return chromosome, position - 1, "" if name == "." else name, reference, alternates


def as_variants(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return variants as a tuple: at least one, with different names."""
    chosen = tuple(variants) if isinstance(variants, Iterable) else (variants,)
    odd = [x for x in chosen if not isinstance(x, Variant)]
    if not chosen or odd:
        msg = (
            "variants= are values such as cg.sequences.Variant('chr1', 1000, 'A', 'G'), "
            f"at least one, not {quoted(odd[0] if odd else chosen)}"
        )
        raise SequenceError(msg)
    twice = [
        name for name, count in Counter(x.name for x in chosen).items() if count > 1
    ]
    if twice:
        msg = (
            f"more than one variant is called {quoted(twice[0])}; names tell variants "
            "apart: rename or drop one"
        )
        raise SequenceError(msg)
    return chosen


def check_alleles(
    variants: Sequence[Variant],
    letters: Sequence[str],
    fasta: str | PathLike[str],
    *,
    before: Sequence[str] = (),
) -> None:
    """Raise SequenceError for variants whose reference allele differs from the genome.

    Parameters
    ----------
    variants
        The variants.
    letters
        Of the genome, from the position of each variant on.
    fasta
        Where these are from.
    before
        The letter before each, to tell whether positions are counted from another
        number.
    """
    pairs = zip(variants, letters, before or [""] * len(variants), strict=True)
    wrong = [
        (x, found, one) for x, found, one in pairs if not found.startswith(x.reference)
    ]
    if not wrong:
        return
    variant, found, _ = wrong[0]
    alike = mismatch_in_words([(x, after) for x, after, _ in wrong], len(variants))
    found = found[: len(variant.reference)]
    right = all(after[1:].startswith(x.reference) for x, after, _ in wrong)
    left = all((one + after).startswith(x.reference) for x, after, one in wrong)
    cure = (
        "is the FASTA another assembly than that of the variants, or are all positions "
        "off by one?"
    )
    if alike:
        cure = alike if ";" in alike else f"{cure} Or {alike}"
    if len(wrong) > 2 and 2 * len(wrong) > len(variants) and (right or left):
        cure = (
            "it has all alleles one base to the right, as where positions are counted "
            "from 0 and were taken as counted from 1; add 1 to each"
            if right
            else "it has all alleles one base to the left, as where positions are counted "
            "from 1 and were taken as counted from 0; subtract 1 from each"
        )
    place = f"{variant.chromosome}:{variant.position} (counted from 0)"
    msg = (
        f"variant {quoted(variant.name)}: its reference allele at {place} is "
        f"{quoted(variant.reference)}, but {fasta} has {quoted(found)} there "
        f"({len(wrong)} of {len(variants)} variants differ): {cure}"
        + ("; skip='mismatch' leaves it out" if 2 * len(wrong) <= len(variants) else "")
    )
    raise SequenceError(msg)


_POSITION = re.compile(r"[0-9]{1,18}", re.ASCII)
_VCF_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_RESERVED = re.compile(r"[%;:=,\s]")


@dataclass(frozen=True)
class InfoField:
    """A field of INFO with one value for each alternate allele.

    Parameters
    ----------
    name
        Its ID in the file: letters, digits, ``_`` and ``.``; `info_name` makes one of
        any text.
    kind
        ``"Float"``, ``"Integer"`` or ``"String"``.
    description
        What it is, for the header.
    values
        Value of each variant; a missing value is written as ``.``.
    """

    name: str
    kind: Literal["Float", "Integer", "String"]
    description: str
    values: Sequence[float | int | str]

    def __post_init__(self) -> None:
        if re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", self.name) is None:
            raise SequenceError(
                f"INFO field {quoted(self.name)}: a name has letters, digits, '_' and "
                "'.', and begins with a letter; for example "
                f"{quoted(info_name(self.name))}"
            )

    @property
    def declaration(self) -> str:
        """The line of the header."""
        text = (
            " ".join(self.description.split()).replace("\\", r"\\").replace('"', r"\"")
        )
        return f'##INFO=<ID={self.name},Number=A,Type={self.kind},Description="{text}">'


def info_name(text: str) -> str:
    """Return a name for INFO made of any text: other characters become ``_``.

    Examples
    --------
    >>> info_name("DNASE:K562"), info_name("3' end")
    ('DNASE_K562', '_3__end')
    """
    name = re.sub(r"[^0-9A-Za-z_.]", "_", text)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def info_value(value: float | int | str) -> str:
    """Return a value as INFO text: special characters as percent codes, NaN and empty
    text as ``.``.

    Examples
    --------
    >>> info_value(0.1234567891), info_value("a;b = 5 %"), info_value(float("nan"))
    ('0.123457', 'a%3Bb%20%3D%205%20%25', '.')
    """
    if isinstance(value, str):
        return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", value) or "."
    if isinstance(value, float) and not math.isfinite(value):
        return "."
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def annotated_vcf(
    variants: Sequence[Variant],
    fields: Sequence[InfoField],
    *,
    like: str | PathLike[str] | None = None,
) -> str:
    r"""Return VCF text with a value of each field for each variant.

    Parameters
    ----------
    variants
        The V variants that the values belong to.
    fields
        Fields of V values each.
    like
        The VCF file of the variants: its lines, columns and header are kept, fields of
        these names are replaced, and alleles that are not among `variants` get ``.``.
        None: a line for each variant.

    Raises
    ------
    SequenceError
        If a field has another number of values, two have one name, or the file cannot
        be read or is not VCF.

    Examples
    --------
    >>> effect = InfoField("CG_effect", "Float", 'Change of "K562"', [0.5])
    >>> print(annotated_vcf([Variant("chr1", 41, "A", "G", "rs1")], [effect]))
    ##fileformat=VCFv4.3
    ##INFO=<ID=CG_effect,Number=A,Type=Float,Description="Change of \"K562\"">
    #CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
    chr1	42	rs1	A	G	.	.	CG_effect=0.5
    <BLANKLINE>
    """
    names = [field.name for field in fields]
    for field in fields:
        if len(field.values) != len(variants):
            raise SequenceError(
                f"INFO field {quoted(field.name)}: {len(field.values):,} values for "
                f"{len(variants):,} variants; give one for each"
            )
        if names.count(field.name) > 1:
            raise SequenceError(
                f"two INFO fields are called {quoted(field.name)}; rename one"
            )
    of = {
        (x.chromosome, x.position, x.reference, x.alternate): i
        for i, x in enumerate(variants)
    }
    head, rows = list[str](), list[list[str]]()
    if like is None:
        for x in variants:
            name = "." if x.name == x.written else re.sub(r"[;\s]", "_", x.name)
            rows.append(
                [
                    x.chromosome,
                    str(x.position + 1),
                    name,
                    x.reference,
                    x.alternate,
                    ".",
                    ".",
                    ".",
                ]
            )
    elif not isinstance(like, str | PathLike):
        raise SequenceError(f"like={quoted(like)} is not the path of a VCF file")
    elif not is_vcf(like):
        raise SequenceError(f"{like}: is a table, and like= is a VCF file")
    else:
        lines = [line for _, line in numbered_lines(vcf_text(like))]
        head = [line for line in lines if line.startswith("#")]
        cells = [
            line.split("\t") if "\t" in line else line.split()
            for line in lines
            if not line.startswith("#")
        ]
        rows = [
            [cell.strip() for cell in row] + ["."] * (8 - len(row)) for row in cells
        ]
    # a line without a position was left out, and has no values
    places = [int(row[1]) - 1 if _POSITION.fullmatch(row[1]) else -1 for row in rows]
    if rows and max(places) < 0:  # no VCF
        parse_int(rows[0][1], SequenceError, source=f"{like}: POS")
    own = tuple(f"##INFO=<ID={name}," for name in names)
    meta = [line for line in head if line.startswith("##") and not line.startswith(own)]
    if not any(line.startswith("##fileformat=") for line in meta):
        meta.insert(0, "##fileformat=VCFv4.3")
    columns = next(
        (line for line in head if _NEEDED.issubset(_names(line))),
        "\t".join(_VCF_COLUMNS),
    )
    body = [
        _with_info(row, place, fields, of)
        for row, place in zip(rows, places, strict=True)
    ]
    return (
        "\n".join([*meta, *(field.declaration for field in fields), columns, *body])
        + "\n"
    )


def _with_info(
    row: list[str],
    position: int,
    fields: Sequence[InfoField],
    of: Mapping[tuple[str, int, str, str], int],
) -> str:
    keys = [
        (row[0], position, row[3].upper(), alternate.upper())
        for alternate in row[4].split(",")
    ]
    which = [of.get(key) for key in keys]
    names = {field.name for field in fields}
    info = [
        part
        for part in row[7].split(";")
        if part not in ("", ".") and part.partition("=")[0] not in names
    ]
    for field in fields:
        values = ["." if i is None else info_value(field.values[i]) for i in which]
        if set(values) != {"."}:
            info.append(f"{field.name}={','.join(values)}")
    return "\t".join([*row[:7], ";".join(info) or ".", *row[8:]])

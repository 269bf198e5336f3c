"""VCF files with values of variants in INFO fields, which the header declares."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal

from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
from causalgia.sequences.text_files import numbered_lines, read_text
from causalgia.sequences.vcf import Variant

_HEAD = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_RESERVED = re.compile(r"[%;:=,\s]")


@dataclass(frozen=True)
class InfoField:
    """A field of INFO with one value for each alternate allele.

    Parameters
    ----------
    name
        Its ID in the file: letters, digits, ``_`` and ``.``; `info_name` makes one of any text.
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
                f"INFO field {quoted(self.name)}: a name has letters, digits, '_' and '.', and begins with a letter; "
                f"for example {quoted(info_name(self.name))}"
            )

    @property
    def declaration(self) -> str:
        """The line of the header."""
        text = " ".join(self.description.split()).replace("\\", r"\\").replace('"', r"\"")
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
    """Return a value as INFO text: special characters as percent codes, NaN and empty text as ``.``.

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
    variants: Sequence[Variant], fields: Sequence[InfoField], *, like: str | PathLike[str] | None = None
) -> str:
    r"""Return VCF text with a value of each field for each variant.

    Parameters
    ----------
    variants
        The V variants that the values belong to.
    fields
        Fields of V values each.
    like
        The VCF file of the variants: its lines, columns and header are kept, fields of these names are replaced, and
        alleles that are not among `variants` get ``.``. None: a line for each variant.

    Raises
    ------
    SequenceError
        If a field has another number of values, two have one name, or the file cannot be read or is not VCF.

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
                f"INFO field {quoted(field.name)}: {len(field.values):,} values for {len(variants):,} variants; give "
                "one for each"
            )
        if names.count(field.name) > 1:
            raise SequenceError(f"two INFO fields are called {quoted(field.name)}; rename one")
    of = {(x.chromosome, x.position, x.reference, x.alternate): i for i, x in enumerate(variants)}
    head, rows = _lines_of(variants) if like is None else _lines_like(like)
    places = [parse_int(row[1], SequenceError, source=f"{like}: POS") - 1 for row in rows]
    own = tuple(f"##INFO=<ID={name}," for name in names)
    meta = [line for line in head if line.startswith("##") and not line.startswith(own)]
    if not any(line.startswith("##fileformat=") for line in meta):
        meta.insert(0, "##fileformat=VCFv4.3")
    columns = next((line for line in head if not line.startswith("##")), "\t".join(_HEAD))
    body = [_with_info(row, place, fields, of) for row, place in zip(rows, places, strict=True)]
    return "\n".join([*meta, *(field.declaration for field in fields), columns, *body]) + "\n"


def _lines_of(variants: Sequence[Variant]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for x in variants:
        name = "." if x.name == x.written else re.sub(r"[;\s]", "_", x.name)
        rows.append([x.chromosome, str(x.position + 1), name, x.reference, x.alternate, ".", ".", "."])
    return [], rows


def _lines_like(path: str | PathLike[str]) -> tuple[list[str], list[list[str]]]:
    lines = [line for _, line in numbered_lines(read_text(path))]
    head = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines if not line.startswith("#")]
    return head, [[cell.strip() for cell in row] + ["."] * (8 - len(row)) for row in rows]


def _with_info(
    row: list[str], position: int, fields: Sequence[InfoField], of: Mapping[tuple[str, int, str, str], int]
) -> str:
    keys = [(row[0], position, row[3].upper(), alternate.upper()) for alternate in row[4].split(",")]
    which = [of.get(key) for key in keys]
    names = {field.name for field in fields}
    kept = [part for part in row[7].split(";") if part not in ("", ".") and part.partition("=")[0] not in names]
    for field in fields:
        values = ["." if i is None else info_value(field.values[i]) for i in which]
        if set(values) != {"."}:
            kept.append(f"{field.name}={','.join(values)}")
    return "\t".join([*row[:7], ";".join(kept) or ".", *row[8:]])

"""Files of the answer about variants: a tidy table as TSV or CSV, and an annotated VCF."""

from __future__ import annotations

from itertools import product
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from causalgia.errors import OutcomesError, quoted
from causalgia.experiments.kit.answer import Answer
from causalgia.inputs import check_no_pipe
from causalgia.sequences.variant_tables import InfoField, annotated_vcf, info_name
from causalgia.sequences.vcf import Variant
from causalgia.spreadsheet import to_csv

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_COLUMNS: dict[str, tuple[str, Literal["Float", "Integer", "String"], str]] = {
    "effect": ("effect", "Float", "Y(alternate) - Y(reference)"),
    "p_matched": ("p", "Float", "rank p among matched null variants"),
    "q_matched": ("q", "Float", "p adjusted by Benjamini-Hochberg over the variants of the task"),
    "n_matched": ("n", "Integer", "matched null variants of the stratum"),
    "tail_p": ("tail_p", "Float", "p extrapolated by a law of the largest null effects: a model"),
    "tail_by": ("tail_by", "String", "origin of tail_p: rank, tail (the model) or no fit (by rank)"),
    "lfdr_matched": ("lfdr", "Float", "local false discovery rate by two groups"),
    "p_adjusted": ("p_adjusted", "Float", "p adjusted over the variants of the task"),
    "verdict": ("verdict", "String", "increases, decreases, negligible or undecided"),
}
_FIRST = ("variant", "chromosome", "position", "reference", "alternate", "task", "model")


def variant_frame(answer: Answer) -> pd.DataFrame:
    """Return the answer of `causalgia.experiments.variants` as a tidy table: a row for each variant, task and model.

    Columns ``variant, task, chromosome, position`` (counted from 1, as in a VCF), ``reference, alternate`` and the
    variables of the finding ``"variants"``.

    Raises
    ------
    OutcomesError
        If the answer has no rows for variants: it is of another experiment, or only moments were kept.
    """
    if "variants" not in answer.findings:
        raise OutcomesError(
            "the answer has no finding 'variants': it is that of cg.experiments.variants with keep='outcomes' or "
            "'effects'"
        )
    table = answer.findings["variants"]
    frame = table.to_dataframe().reset_index()
    frame["position"] += 1
    named = [name for name in _FIRST if name in frame]
    return frame[[*named, *(name for name in frame if name not in named)]]


def write_variants(answer: Answer, path: str | PathLike[str], *, like: str | PathLike[str] | None = None) -> Path:
    r"""Write the answer about variants as a table (``.tsv``, ``.csv``) or as an annotated VCF (``.vcf``).

    Parameters
    ----------
    answer
        From ``experiment.analyze`` of `causalgia.experiments.variants`.
    path
        File to write; its ending says what. Text in tables is escaped against spreadsheet formulas. In a VCF each task
        has fields such as ``CG_K562_effect`` and ``CG_K562_q``, one value for each alternate allele, declared in the
        header.
    like
        For a VCF: the VCF file that the variants were read from, whose lines, columns and header are kept.

    Raises
    ------
    OutcomesError
        If the ending is none of these, the answer has no rows for variants, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4)
    >>> _ = (folder / "two.vcf").write_text("chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n")
    >>> experiment = cg.experiments.variants(folder / "two.vcf", folder / "genome.fa", length=40)
    >>> answer = experiment.analyze(cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0))
    >>> path = cg.experiments.write_variants(answer, folder / "found.vcf", like=folder / "two.vcf")
    >>> path.read_text().splitlines()[-1].split("\t")[-1]
    'CG_K562_effect=0;CG_K562_verdict=negligible;CG_HepG2_effect=0;CG_HepG2_verdict=negligible'
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in (".tsv", ".csv", ".vcf"):
        raise OutcomesError(f"{target}: {quoted(ending)} is no ending of a file of variants; say .tsv, .csv or .vcf")
    if like is not None and ending != ".vcf":
        raise OutcomesError(f"like={quoted(str(like))} is for a VCF file, and {target} is a table; leave it out")
    frame = variant_frame(answer)
    if ending == ".vcf":
        text = annotated_vcf(_variants_of(answer), _fields(answer.findings["variants"]), like=like)
    else:
        text = to_csv(frame, index=False, tabs=ending == ".tsv")
    check_no_pipe(target, OutcomesError)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutcomesError(f"{target}: cannot be written ({error.strerror}); choose another place") from error
    return target


def _variants_of(answer: Answer) -> list[Variant]:
    table = answer.findings["variants"]
    columns = (
        table[name].to_numpy().tolist() for name in ("chromosome", "position", "reference", "alternate", "variant")
    )
    return [Variant(*row) for row in zip(*columns, strict=True)]


def _fields(table: xr.Dataset) -> list[InfoField]:
    """Return the INFO fields of every task, or task and model."""
    over = [str(dim) for dim in table["effect"].dims if dim != "variant"]
    levels = list(product(*(table[dim].to_numpy().tolist() for dim in over)))
    prefixes = [info_name("_".join(("CG", *map(str, level)))) for level in levels]
    fields = []
    for number, (level, prefix) in enumerate(zip(levels, prefixes, strict=True)):
        unique = prefix if prefixes.count(prefix) == 1 else f"{prefix}_{number + 1}"
        place = dict(zip(over, level, strict=True))
        where = ", ".join(f"{dim} {name}" for dim, name in place.items())
        for column, (ending, kind, meaning) in _COLUMNS.items():
            if column in table:
                values = table[column].sel(place).to_numpy().tolist()
                fields.append(InfoField(f"{unique}_{ending}", kind, f"{meaning}; {where}", values))
    return fields

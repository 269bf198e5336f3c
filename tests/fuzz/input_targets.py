"""What is fuzzed: each target makes one input from a seeded generator and reads it;
`TARGETS` lists them by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import format_targets
import input_mutation as mutation
import pandas as pd
import tomli_w
import xarray as xr

import causalgia as cg
from causalgia import mpra, store
from causalgia.cli.mpra_commands import read_effects
from causalgia.estimation._from_effects import as_estimates
from causalgia.mpra.counts import _read_counts as counting
from causalgia.mpra.counts._noise_model import two_arms as counts_of_two
from causalgia.mpra.counts.counts_table import as_side_table
from causalgia.mpra.formats.orders import two_arms as library_of_two
from causalgia.protocol.lock_file import lock_text
from causalgia.schema import validate
from causalgia.sequences import from_bed, read_fasta, read_motifs, read_variants
from causalgia.sequences.windowed_variants import variant_windows
from causalgia.trial_file._starter import starter, starter_files
from causalgia.trial_file.trial_spec import parse_spec, read_analysis, read_library_spec

FASTA = b">chr1 first\nACGTACGTACGTACGT\nACGTTTGACA\n>chr2\nGGGATTACAGGGATTACA\nAC\n"


SAME = b">a\nACGTACGT\n>b\nACGTTGCA\n>c x y\nTTGCAACC\n"


BED = b"track name=x\nchr1\t2\t10\tpeak1\t5\t+\t1.5\t2\t3\t4\nchr2\t4\t12\tpeak2\t0\t-\t1\t1\t1\t0\n#end\n"


VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\nchr1\t6\trs1\tC\tG,T\t.\nchr2\t4\t.\tAT\tA\t.\n"


MEME = b"""MEME version 4

ALPHABET= ACGT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF MA0035.4 GATA1
letter-probability matrix: alength= 4 w= 3 nsites= 20 E= 0
 0.1 0.2 0.3 0.4
 0.25 0.25 0.25 0.25
 1.0 0 0 0
URL http://example.org
"""


JASPAR = b">MA0035.4\tGATA1\nA  [ 1 2 30 ]\nC  [ 4 0 0 ]\nG  [ 5 20 0 ]\nT  [ 20 8 0 ]\n>two\n1 2\n3 4\n5 6\n7 8\n"


WIDE = (
    b"barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2\n"
    b"ACGT\ta\t9\t12\t\t\nTTGC\tb\t4\t0\t7\t3\n"
)


LONG = b"barcode\toligo_name\treplicate\tdna_count\trna_count\nACGT\ta\t1\t9\t12\nACGT\ta\t2\t3\t1\nTTGC\tb\t1\t4\t0\n"


SUMS = b'Oligo,DNA_1,RNA_1,DNA_2,RNA_2\na,100,"1,200",110,190\nb,300,200,310,290\n'


BCALM = WIDE.replace(b"barcode\toligo_name", b"Barcode\tname")


BCALM_MAP = b"ID\tREF\tALT\nrs1\ta\tb\n"


LABELS = b"a\tHNF4A\nb\tneg_control\n"


SIDE = b"oligo_name\telement\tarm\tgroup\na\tu1\tnone\ttest\nb\tu1\tGATA1\ttest\n"


DESIGN = (
    b"name\tsequence\tcategory\tclass\tsource\tref\tchr\tstart\tend\tstrand\tvariant_class\t"
    b'variant_pos\tSPDI\tallele\tinfo\na\tACGT\tvariant\ttest\tx\tGRCh38\tchr1\t5\t9\t+\t["SNV"]\t[2]\t["chr1:7:A:G"]\t'
    b'["ref"]\t\n'
)


EFFECTS = b"element,effect,se\nu1,0.5,0.1\nu2,-0.25,0.2\n"


FRAME = pd.DataFrame(
    {
        "unit": ["s1", "s1", "s2", "s2", "s3", "s3"],
        "arm": ["none", "GATA1"] * 3,
        "y": [1.0, 2.0, 1.5, 3.5, 0.5, 2.0],
        "task": ["K562"] * 6,
        "parent": ["p", "p", "q", "q", "q", "q"],
        "gc": [0.5, 0.5, 0.4, 0.4, 0.6, 0.6],
    }
)


ARMS = {
    "none": cg.Untreated(),
    "GATA1": cg.Embed("GATA", at=9),
    "placebo": cg.Placebo("GATA", at=9),
}


DESIGN = cg.Design(null=cg.Uniform(length=30), arms=ARMS, n_units=8, contrasts="none")


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def fasta(rng: Random, folder: Path) -> None:
    path = _file(folder, "x.fa", mutation.of_lines(rng.choice((FASTA, SAME)), rng))
    read_fasta(path, ambiguous=rng.choice(("refuse", "draw", "draw")), rng=0)  # type: ignore[arg-type]


def bed(rng: Random, folder: Path) -> None:
    genome, peaks = (
        (FASTA, mutation.of_lines(BED, rng))
        if rng.random() < 0.7
        else (mutation.of_lines(FASTA, rng), BED)
    )
    length = rng.choice((1, 4, 8, 10**12, 2**63, 0))
    stranded, center = rng.random() < 0.5, rng.choice(("middle", "summit"))
    from_bed(
        _file(folder, "x.bed", peaks),
        _file(folder, "g.fa", genome),
        length=length,
        stranded=stranded,
        center=center,
    )  # type: ignore[arg-type]


def vcf(rng: Random, folder: Path) -> None:
    genome, found = (
        (FASTA, mutation.of_lines(VCF, rng))
        if rng.random() < 0.7
        else (mutation.of_lines(FASTA, rng), VCF)
    )
    variants = read_variants(_file(folder, "x.vcf", found))
    variant_windows(
        variants, _file(folder, "g.fa", genome), length=rng.choice((6, 10, 10**12))
    )


def motifs(rng: Random, folder: Path) -> None:
    read_motifs(
        _file(folder, "x.meme", mutation.of_lines(rng.choice((MEME, JASPAR)), rng))
    )


def counts(rng: Random, folder: Path) -> None:
    table, side = (
        rng.choice((WIDE, LONG, SUMS, BCALM)),
        rng.choice((SIDE, DESIGN, BCALM_MAP, LABELS)),
    )
    if rng.random() < 0.7:
        table = mutation.of_lines(table, rng)
    else:
        side = mutation.of_lines(side, rng)
    name = rng.choice(
        ("side.tsv", "side.tsv.gz", "side.zip", "side.xz", "side.bz2", "side.zst")
    )
    found = mpra.read_counts(
        _file(folder, "counts.tsv", table), side_table=_file(folder, name, side)
    )
    cg.report(found)


def _side_once(path: Path) -> pd.DataFrame:
    """Read a side table that is as it was once: a changed table of counts is read
    beside it.
    """
    content = path.read_bytes()
    if content not in (SIDE, DESIGN):
        return as_side_table(path)
    if content not in _SIDES:
        _SIDES[content] = as_side_table(path)
    return _SIDES[content].copy()


_SIDES: dict[bytes, pd.DataFrame] = {}


def effects_file(rng: Random, folder: Path) -> None:
    as_estimates(
        read_effects(_file(folder, "effects.csv", mutation.of_lines(EFFECTS, rng)))
    )


_STARTER = starter()


_OF_BENCH = """rng = 1
n_units = 4
[null]
kind = "uniform"
length = 40
[arms.a]
[arms.b]
embed = ["GATA", "ACGT"]
at = [4, 12]
levels = { site = 4 }
[mpra]
oligo_length = 100
adapters = "lentimpra"
avoid = ["EcoRI"]
"""


_OF_ARMS = """rng = 1
n_units = 4
reserve = 0.5
assignment = "crossover"
[null]
kind = "shuffle"
of = { file = "x.fa", ambiguous = "draw", skip = "length" }
[predictor]
factory = "net.py:load"
weights = ["a.pt", "b.pt"]
tasks = ["K562", "HepG2"]
scale = { K562 = "log counts", HepG2 = "share" }
batch_size = 8
[placebos]
of = { file = "x.meme", motif = "GATA1" }
at = 3
n = 2
strand = "-"
[arms.untreated]
[arms.steps]
steps = [{ insert = "ACGT", at = 3 }, { delete = [9, 12] }, { copy = [1, 4], at = 8 }]
levels = { site = 4, named = "x", on = true }
[arms.ablated]
ablate = [2, 6]
fill = "uniform"
[arms.mutated]
mutate = "AC"
at = [1, 2]
[arms.scrambled]
scramble = [2, 9]
k = 2
[analysis.contrasts]
one = { mutated = 1, untreated = -1 }
"""
_BESIDE = {
    "x.fa": ">a\nACGTNACGTACGTA\n>b\nACGTTACGTAGGTA\n>c\nAC\n",
    "net.py": "",
    "a.pt": "",
    "b.pt": "",
    "x.meme": MEME.decode(),
}


_KINDS = ("copies", "spacing", "pair", "kmer_screen", "hairpin", "position")


def toml(rng: Random, folder: Path) -> None:
    text = rng.choice([_STARTER, _OF_BENCH, _OF_ARMS, *_experiments(folder)])
    for name, content in _BESIDE.items():
        (folder / name).write_text(content)
    changed = _as_toml(text, rng)
    read = rng.randrange(4)
    path = _file(folder, "trial.toml", changed.encode("utf-8", "surrogatepass"))
    if read == 0:
        read_analysis(path)
    elif read == 1:
        read_library_spec(path)
    else:
        parse_spec(changed, folder=folder)


def _experiments(folder: Path) -> list[str]:
    if not _FOUND:
        texts = [
            starter_files(folder / "experiment.toml", kind)[folder / "experiment.toml"]
            for kind in _KINDS
        ]
        _FOUND.extend(
            re.sub(r"(?s)gaps = \[.*?\]", "gaps = [0, 4, 9]", text) for text in texts
        )
        # of all 4,096 k-mers few say what all say
        _FOUND[:] = [text.replace("# k =", "k = 3") for text in _FOUND]
    return _FOUND


_FOUND: list[str] = []


def _as_toml(text: str, rng: Random) -> str:
    import tomllib

    if rng.random() < 0.6:
        try:
            return tomli_w.dumps(mutation.of_tree(tomllib.loads(text), rng))
        except (
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
        ):  # what TOML cannot hold
            pass
    return mutation.of_lines(text.encode(), rng).decode("utf-8", "surrogateescape")


def plain(rng: Random, folder: Path) -> None:
    kind = rng.choice((cg.Design, cg.Analysis))
    source = (
        DESIGN
        if kind is cg.Design
        else cg.Analysis(control="none", rope=(-0.1, 0.1), ci_prob=0.9)
    )
    tree = mutation.of_tree(source.to_dict(), rng)
    try:
        text = json.dumps(tree)
    except (TypeError, ValueError, RecursionError):
        text = "[" * rng.choice((90, 10**5))
    if rng.random() < 0.3:
        text = mutation.of_lines(text.encode(), rng).decode("utf-8", "surrogateescape")
    kind.from_json(text)


def lock(rng: Random, folder: Path) -> None:
    """A lock with a changed line; or changed content with hashes that fit, as only a
    forger writes it.
    """
    protocol = cg.Protocol(DESIGN, cg.Analysis(rope=(-0.1, 0.1)), predictor="0f", rng=1)
    content = protocol._content("2026-11-22T20:50:00Z", "n_units = 8\n")
    if rng.random() < 0.5:
        text = mutation.of_lines(lock_text(content).encode(), rng)
    else:
        try:
            text = lock_text(mutation.of_tree(content, rng)).encode(
                "utf-8", "surrogatepass"
            )
        except (
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
        ):  # which TOML cannot write
            text = b'sha256 = "'
    read = cg.Protocol.read(_file(folder, "lock.toml", text))
    if repr(read) and read.differences(protocol) == []:
        read.terms()


def frame(rng: Random, folder: Path) -> None:
    table = _changed_table(FRAME, rng)
    columns = {"outcome": "y", "arm": "arm", "unit": "unit"}
    for name in ("task", "parent", "model", "block"):
        if rng.random() < 0.4:
            columns[name] = rng.choice(["task", "parent", "gc", "none such", "arm"])
    covariates = rng.choice([(), "gc", ["gc"], ["gc", "y"]])
    found = cg.from_frame(table, **columns, covariates=covariates)
    cg.report(cg.estimate(cg.contrast(found, control=str(found["arm"].to_numpy()[0]))))


def _changed_table(table: pd.DataFrame, rng: Random) -> pd.DataFrame:
    """Return a table with one to three changes; where pandas does not make one, as it
    is.
    """
    try:
        return _table_changed(table, rng)
    except (TypeError, ValueError, OverflowError):
        return table


def _table_changed(table: pd.DataFrame, rng: Random) -> pd.DataFrame:
    table = table.astype(object) if rng.random() < 0.7 else table.copy()
    for _ in range(rng.randint(1, 3)):
        if not len(table.columns):  # two of one name were dropped
            return table
        kind, column = rng.randrange(7), rng.choice(list(table.columns))
        if kind == 0 and len(table.columns) > 1:
            table = table.drop(columns=column)
        elif kind == 1:
            table = table.rename(
                columns={column: rng.choice(["arm", "unit", "", 3, "\x1b", "se"])}
            )
        elif kind == 2:
            table = table.sample(
                frac=rng.choice((0, 0.5, 1, 2)),
                replace=True,
                random_state=rng.randrange(99),
            )
        elif kind == 3:
            table = table.astype(rng.choice((object, str, "string", "category")))
        else:
            table = table.astype(
                {column: object} if (table.columns == column).sum() == 1 else object
            )
            if len(table):
                value = rng.choice(mutation.VALUES)
                rows, i = range(len(table)), rng.randrange(len(table))
                cells = [
                    value if i == row or kind == 6 else table[column].iloc[row]
                    for row in rows
                ]
                if (table.columns == column).sum() == 1:
                    table[column] = pd.Series(cells, index=table.index, dtype=object)
    return table


def effects(rng: Random, folder: Path) -> None:
    table = pd.DataFrame(
        {"effect": [0.5, -0.2, 0.1], "se": [0.1, 0.2, 0.1]}, index=["a", "b", "c"]
    )
    cg.report(cg.from_effects(_changed_table(table, rng)))


OUTCOMES = cg.from_frame(
    FRAME, outcome="y", arm="arm", unit="unit", task="task", parent="parent"
)


def netcdf_ours(rng: Random, folder: Path) -> None:
    path = folder / "o.nc"
    if rng.random() < 0.5:  # bytes changed behind our back
        whole = _sealed(folder)
        path.write_bytes(
            mutation.of_bytes(whole[: -store.SEAL], rng) + whole[-store.SEAL :]
        )
    else:  # another content under a checksum that is right; one in ten goes through HDF5, which takes most of the time
        worse = mutation.of_dataset(rng.choice(_DATASETS), rng)
        if rng.random() < 0.9:
            _estimated(validate(worse, _kind(rng)))
            return
        store.save(worse, path)
    _estimated(store.load(path, _kind(rng)))


_DATASETS = (OUTCOMES, counts_of_two(), library_of_two())


_LABELS: tuple[Any, ...] = (
    "outcomes", "effects", "estimates", "counts", "library", "decisions", "moments", "sequences"
)  # fmt: skip


def _kind(rng: Random) -> Any:
    return rng.choice(_LABELS) if rng.random() < 0.3 else "outcomes"


def _estimated(found: xr.Dataset) -> None:
    if "outcome" in found:
        cg.report(
            cg.estimate(cg.contrast(found, control=str(found["arm"].to_numpy()[0])))
        )


def _sealed(folder: Path) -> bytes:
    if not _SEALED:
        _SEALED.append(store.save(OUTCOMES, folder / "sealed.nc").read_bytes())
    return _SEALED[0]


_SEALED: list[bytes] = []


TARGETS: dict[str, Callable[[Random, Path], None]] = {
    read.__name__: read
    for read in (
        fasta, bed, vcf, motifs, counts, effects_file, toml, plain, lock, frame, effects, netcdf_ours,
    )
} | format_targets.FORMATS  # fmt: skip


def warm(target: str, folder: Path) -> None:
    """Make the files that a target needs, load its modules, and compile its kernels, so
    that no input pays for it.
    """
    if target == "counts":
        counting.as_side_table = _side_once  # type: ignore[assignment]
    for number in range(30):
        try:
            TARGETS[target](Random(f"warm {number}"), folder)
        except Exception:  # what is wrong with it is found below, where it is counted
            continue

# Imports from the inside: the genome, letter by letter against another reader.
"""A genome in .2bit, as UCSC gives it, was named and had to be converted. A user's report."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO
from test_cli import call

import causalgia as cg
from causalgia import sequences
from causalgia.errors import SequenceError
from causalgia.sequences.genome import Genome


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int)))
    return [(int(a), int(b - a)) for a, b in edges.reshape(-1, 2)]


def two_bit(records: dict[str, str], order: str = "<") -> bytes:
    """Return a genome as faToTwoBit writes it."""

    def words(*numbers: int) -> bytes:
        return struct.pack(f"{order}{len(numbers)}I", *numbers)

    bodies = []
    for letters in records.values():
        each = np.frombuffer(letters.encode(), np.uint8)
        upper = each & 0xDF
        blocks = [runs(upper == ord("N")), runs(each != upper)]
        body = words(len(each))
        for block in blocks:
            body += words(len(block), *(a for a, _ in block), *(n for _, n in block))
        codes = np.zeros(-(-len(each) // 4) * 4, np.uint8)
        for code, base in enumerate(b"TCAG"):
            codes[: len(each)][upper == base] = code
        packed = (codes.reshape(-1, 4) << np.array([6, 4, 2, 0], np.uint8)).sum(1)
        bodies.append(body + words(0) + packed.astype(np.uint8).tobytes())
    at = 16 + sum(len(name) + 5 for name in records)
    index = b""
    for name, body in zip(records, bodies, strict=True):
        index += bytes([len(name)]) + name.encode() + words(at)
        at += len(body)
    return words(0x1A412743, 0, len(records), 0) + index + b"".join(bodies)


def chromosomes(seed: int = 0) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, n in {"chr1": 4_001, "chr2": 998, "chrUn_1": 7, "chrX": 1_200}.items():
        letters = rng.choice(list("ACGT"), n)
        for start in rng.integers(0, n, 8):
            letters[start : start + int(rng.integers(1, 60))] = "N"
        for start in rng.integers(0, n, 9):
            stop = start + int(rng.integers(1, 90))
            letters[start:stop] = [x.lower() for x in letters[start:stop]]
        found[name] = "".join(letters)
    return found


@pytest.fixture(params=["<", ">"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """One genome as FASTA and as .2bit of either byte order."""
    fasta, packed = tmp_path / "g.fa", tmp_path / "g.2bit"
    records = chromosomes()
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    packed.write_bytes(two_bit(records, request.param))
    return fasta, packed


def test_letters_are_those_of_fasta_and_of_another_reader(both):
    fasta, packed = both
    rng = np.random.default_rng(1)
    with Genome(fasta) as one, Genome(packed) as other, packed.open("rb") as file:
        assert one.lengths == other.lengths
        theirs = {x.id: x.seq for x in SeqIO.parse(file, "twobit")}
        for name, n in one.lengths.items():
            ends = np.sort(rng.integers(0, n + 1, (60, 2)), axis=1).tolist()
            for start, stop in [[0, n], [n - 1, n], [3, 3], *ends]:
                letters = other.letters(name, start, stop, place="x")
                assert letters == one.letters(name, start, stop, place="x")
                if stop > start:
                    assert letters == bytes(theirs[name][start:stop])


def test_windows_and_variants_are_those_of_fasta(both, tmp_path):
    records = chromosomes()
    bed, vcf = tmp_path / "x.bed", tmp_path / "x.vcf"
    rng = np.random.default_rng(2)
    rows, calls = [], []
    for name, text in records.items():
        for start in rng.integers(30, len(text) - 60, 40) if len(text) > 100 else []:
            if "N" in text[start - 30 : start + 60].upper():
                continue
            rows.append(f"{name}\t{start}\t{start + 20}\t.\t0\t{'+-'[start % 2]}\n")
            ref = text[start].upper()
            calls.append(
                f"{name}\t{start + 1}\t.\t{ref}\t{'CAAA'['ACGT'.index(ref)]}\n"
            )
    assert len(rows) > 20
    bed.write_text("".join(sorted(set(rows))))
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
    vcf.write_text(head + "".join(sorted(set(calls))))
    one, other = (
        sequences.from_bed(bed, genome, length=40, stranded=True) for genome in both
    )
    np.testing.assert_array_equal(one.tokens, other.tokens)
    assert list(one.names) == list(other.names)
    first, second = (cg.read_sequences(bed, genome=x, length=40) for x in both)
    np.testing.assert_array_equal(first.tokens, second.tokens)
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 2, ::3].sum(1), tasks=["y"], scale="score"
    )
    effects = [
        cg.run(
            cg.experiments.variants(vcf, genome, length=40),
            predictor,
            rng=0,
            progress=False,
        )["outcome"].to_numpy()
        for genome in both
    ]
    np.testing.assert_array_equal(*effects)


@pytest.mark.simulation
def test_the_shell_reads_it(tmp_path):
    both = tmp_path / "g.fa", tmp_path / "g.2bit"
    both[0].write_text("".join(f">{x}\n{y}\n" for x, y in chromosomes().items()))
    both[1].write_bytes(two_bit(chromosomes()))
    vcf, network = tmp_path / "x.vcf", tmp_path / "net.toml"
    text = chromosomes()["chr1"]
    places = [
        at for at in range(500, 3_000) if "N" not in text[at - 30 : at + 30].upper()
    ][::400]
    vcf.write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(
            f"chr1\t{at + 1}\t{at}\t{ref}\t{'CAAA'['ACGT'.index(ref)]}\t.\t.\t.\n"
            for at, ref in ((at, text[at].upper()) for at in places)
        )
    )
    (tmp_path / "net.py").write_text(
        "import causalgia as cg\n"
        "def load():\n"
        "    return cg.FunctionPredictor(lambda x: x[:, 2, ::3].sum(1), tasks=['y'],\n"
        "                                scale='score')\n"
    )
    network.write_text('[predictor]\nfactory = "net.py:load"\n')
    tables = []
    for genome in both:
        out = tmp_path / genome.suffix[1:]
        call(
            "variants",
            *(vcf, "--genome", genome, "--predictor", network, "--length", 41),
            *("--null", "none", "--out", out),
        )
        tables.append((out / "variants.tsv").read_text())
    assert tables[0] == tables[1]


WHOLE = two_bit(chromosomes())
WORD = struct.Struct("<I")
FLAWS = {
    "a header alone": WHOLE[:9],
    "no chromosome": two_bit({}),
    "an index cut short": WHOLE[:30],
    "a record cut short": WHOLE[:200],
    "bases cut short": WHOLE[:-40],
    "half of it": WHOLE[: len(WHOLE) // 2],
    "64-bit offsets": WHOLE[:4] + WORD.pack(1) + WHOLE[8:],
    "one name twice": WHOLE.replace(b"chr2", b"chr1", 1),
    "4 billion blocks": two_bit({"chrX": "ACGTACGT"})[:29]
    + WORD.pack(2**32 - 1)
    + bytes(8),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_damaged_files_are_refused(flaw, tmp_path):
    content = FLAWS[flaw]
    path = tmp_path / "g.2bit"
    path.write_bytes(content)

    def read() -> None:
        with Genome(path) as genome:
            for name, n in genome.lengths.items():
                genome.letters(name, 0, n, place="x")

    with pytest.raises(SequenceError):
        read()

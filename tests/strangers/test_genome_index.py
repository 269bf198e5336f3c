# Imports from the inside: the genome, letter by letter.
"""A genome is read in parts where a true index lies beside it or can be made, and whole
where not: letters are the same. A user's report.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from causalgia.errors import SequenceError
from causalgia.sequences.genome import Genome

LINES = ">chr1 first\nACGTA\nCGTTG\nCA\n>chr2\nGGGTT\nT\n"


@pytest.fixture(params=["pysam", "no pysam"])
def pysam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the extra is installed."""
    if request.param == "no pysam":
        monkeypatch.setitem(sys.modules, "pysam", None)
    else:
        pytest.importorskip("pysam")
    return request.param == "pysam"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "g.fa"
    path.write_text(LINES)
    return path


def write_index(path: Path, text: str = LINES) -> Path:
    rows = []
    for header, body in re.findall(r">(.*)\n([^>]*)", text):
        start = text.index(header) + len(header) + 1
        rows.append((header.split()[0], len(body.replace("\n", "")), start, 5, 6))
    index = Path(f"{path}.fai")
    index.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return index


def letters(path: Path) -> tuple[bytes, bytes, dict[str, int]]:
    with Genome(path) as genome:
        return (
            genome.letters("chr1", 3, 12, place="x"),
            genome.letters("chr2", 0, 6, place="x"),
            genome.lengths,
        )


WANTED = (b"TACGTTGCA", b"GGGTTT", {"chr1": 12, "chr2": 6})


def test_a_genome_is_read_with_and_without_an_index_and_none_is_written(place, pysam):
    assert letters(place) == WANTED
    assert [one.name for one in place.parent.iterdir()] == ["g.fa"]
    write_index(place)
    assert letters(place) == WANTED
    assert {one.name for one in place.parent.iterdir()} == {"g.fa", "g.fa.fai"}


def test_a_genome_that_changed_is_read_anew(place, pysam):
    assert letters(place) == letters(place) == WANTED
    place.write_text(LINES.replace("chr2", "chr9"))
    with Genome(place) as genome:
        assert list(genome.lengths) == ["chr1", "chr9"]


@pytest.mark.parametrize("flaw", ["older", "other names", "shifted", "text", "wider"])
def test_an_index_that_is_not_true_is_left_alone(place, flaw, pysam):
    index = write_index(place)
    rows = index.read_text()
    if flaw == "older":
        index.write_text(rows.replace("12\t12\t", "11\t12\t"))
        os.utime(index, ns=(1, 1))
    elif flaw == "other names":
        index.write_text(rows.replace("chr2", "chr3"))
    elif flaw == "shifted":
        index.write_text(rows.replace("\t12\t12\t", "\t12\t13\t"))
    elif flaw == "text":
        index.write_text("an index\n")
    else:
        index.write_text(rows.replace("\t5\t6", "\t6\t7"))
    assert letters(place) == WANTED


def test_an_index_that_a_replaced_genome_keeps_is_left_alone(place, pysam):
    index = write_index(place)
    place.write_text(LINES.replace("ACGTA\n", "ACGTA\nTTTTT\n"))
    os.utime(place, ns=(1, 1))  # unpacked from an archive, which keeps its time
    assert index.stat().st_mtime_ns > 1
    with Genome(place) as genome:
        assert genome.lengths == {"chr1": 17, "chr2": 6}
        assert genome.letters("chr1", 5, 12, place="x") == b"TTTTTCG"
        assert genome.letters("chr2", 0, 6, place="x") == b"GGGTTT"


def test_a_genome_of_bgzip_is_read_by_its_indexes_unless_they_are_older(tmp_path):
    pysam = pytest.importorskip("pysam")
    rng = np.random.default_rng(0)
    chromosome = "".join(rng.choice(list("ACGTNacgt"), 200_000))
    plain, packed = tmp_path / "g.fa", tmp_path / "g.fa.gz"
    plain.write_text(">a\n" + re.sub("(.{60})", r"\1\n", chromosome) + "\n")
    pysam.tabix_compress(str(plain), str(packed))

    def read() -> bytes:
        with Genome(packed) as genome:
            return genome.letters("a", 70_001, 190_000, place="x")

    assert read() == chromosome[70_001:190_000].encode()  # whole
    pysam.faidx(str(packed))
    assert read() == chromosome[70_001:190_000].encode()
    text = f">b\nACGT\n>a\n{chromosome}\n"
    packed.write_bytes(gzip.compress(text.encode(), mtime=0))
    later = packed.stat().st_mtime_ns + 10**9
    os.utime(packed, ns=(later, later))
    assert read() == chromosome[70_001:190_000].encode()


def pack(path: Path) -> Path:
    """Compress a file by bgzip, with both indexes."""
    pysam = pytest.importorskip("pysam")
    packed = Path(f"{path}.gz")
    pysam.tabix_compress(str(path), str(packed), force=True)
    pysam.faidx(str(packed))
    return packed


@pytest.mark.parametrize("end", [".fai", ".gzi"])
@pytest.mark.parametrize("flaw", ["of another genome", "empty", "text"])
def test_an_index_of_bgzip_that_is_not_true_is_left_alone(place, end, flaw, capfd):
    packed = pack(place)
    rng = np.random.default_rng(1)
    other = place.with_name("other.fa")
    body = "".join(rng.choice(list("ACGT"), 200_000))
    other.write_text(f">chr1\n{body}\n>chr2\nACGTACGT\n")
    index = Path(f"{pack(other)}{end}").read_bytes()
    given = {"of another genome": index, "empty": b"", "text": b"an index\n"}[flaw]
    Path(f"{packed}{end}").write_bytes(given)
    assert letters(packed) == WANTED
    assert capfd.readouterr().err == ""


def test_a_blank_within_a_line_of_bgzip_shifts_no_letter(place):
    place.write_text(">chr1\nACGT ACGTAC\nTTTTTGGGGGC\nCCCC\n")
    with Genome(pack(place)) as genome:
        assert genome.letters("chr1", 0, 16, place="x") == b"ACGTACGTACTTTTTG"


def test_bgzip_whose_indexes_cannot_tell_its_flaw_is_refused(place):
    packed = pack(place)
    packed.write_bytes(packed.read_bytes()[:-28])
    pack_time = packed.stat().st_mtime_ns
    for end in (".fai", ".gzi"):  # as if they were made of the file that is cut
        os.utime(f"{packed}{end}", ns=(pack_time, pack_time))
    with pytest.raises(SequenceError):
        Genome(packed)
    place.write_text(LINES.replace("chr2", "chr1"))
    with pytest.raises(SequenceError):
        Genome(pack(place))


@pytest.mark.parametrize(
    "text",
    ["", "ACGT\n", ">c\nAC\n>c\nAG\n", ">a\nAC\n>\nAG\n", "\0", ">a\nAC\0T\nACGT\n"],
)
def test_what_is_no_genome_is_refused(tmp_path, text, pysam):
    path = tmp_path / "g.fa"
    path.write_text(text)
    with pytest.raises(SequenceError):
        Genome(path)


def test_a_genome_in_a_folder_that_is_read_only(place, pysam):
    place.parent.chmod(0o500)
    try:
        assert letters(place) == WANTED
    finally:
        place.parent.chmod(0o700)

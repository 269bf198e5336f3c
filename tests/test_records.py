# Imports from the inside: sequences as a value, and the genome, letter by letter.
"""Sequences as a value, FASTA, BED, and everything that `of=` takes."""

from __future__ import annotations

import copy
import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st

from causalgia.errors import SequenceError
from causalgia.sequences import decode, encode, from_bed, read_fasta
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import Sequences, as_sequences
from causalgia.sequences.fasta_records import parse_fasta
from causalgia.sequences.genome import Genome


def written(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


# --- the value ------------------------------------------------------------------------


def test_sequences_are_compared_by_content():
    x, y = (
        Sequences(encode(["ACGT", "TTTT"]), ("a", "b"), "one.fa"),
        Sequences(encode(["ACGT", "TTTT"]), ("a", "b")),
    )
    assert x == y
    assert hash(x) == hash(y)
    assert x.digest == y.digest
    assert len({x, y}) == 1
    for other in [
        Sequences(encode(["ACGT", "TTTA"]), ("a", "b")),
        Sequences(encode(["ACGT", "TTTT"]), ("a", "c")),
        Sequences(encode(["ACGTTTTT"]), ("a",)),
    ]:
        assert x != other
        assert x.digest != other.digest
    assert x != "ACGT"
    assert Sequences(encode("A"), (0,)) != Sequences(encode("A"), ("0",))


@pytest.mark.parametrize(
    ("given_names", "names"),
    [
        ((0, 1), (0, 1)),
        ((1, 0), ("1", "0")),
        ((5, 7), ("5", "7")),
        ((0, "b"), ("0", "b")),
        (("0", "1"), ("0", "1")),
    ],
)
def test_names_are_0_to_n_or_else_strings(given_names, names):
    value = Sequences(TOKENS, given_names)
    assert value.names == names
    assert len(set(map(type, value.names))) == 1
    assert (
        as_sequences(dict(zip(given_names, STRINGS, strict=True)))
        == value
        == Sequences(TOKENS, names)
    )
    assert value.digest == Sequences(TOKENS, names).digest


def test_sequences_cannot_be_changed_from_outside():
    tokens = encode(["ACGT"])
    value = Sequences(tokens, ("a",))
    tokens[0, 0] = 3
    assert decode(value.tokens) == ["ACGT"]
    for x in (
        value,
        pickle.loads(pickle.dumps(value)),
        copy.deepcopy(value),
        as_sequences(["ACGT"]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            x.tokens[0, 0] = 1
    view = np.zeros((2, 3), np.uint8)[:]
    view.flags.writeable = False
    assert not np.shares_memory(Sequences(view, (0, 1)).tokens, view)


def test_the_digest_is_the_same_in_every_process():
    code = (
        "from causalgia.sequences.fasta import Sequences; "
        "from causalgia.sequences import encode; "
        "print(Sequences(encode(['ACGT', 'TTTT']), "
        "('a', 7)).digest)"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert fresh == Sequences(encode(["ACGT", "TTTT"]), ("a", 7)).digest
    assert len(fresh) == 32


def test_a_sequences_value_says_what_it_is():
    value = Sequences(encode(["ACGT", "TTTT"]), (np.str_("a"), np.int64(7)), "x.fa")
    assert (len(value), value.length, value.names) == (2, 4, ("a", "7"))
    assert [type(name) for name in value.names] == [str, str]
    assert [type(name) for name in Sequences(TOKENS, np.arange(2)).names] == [int, int]


# --- FASTA ----------------------------------------------------------------------------

TWO = ">a first record\nACGT\nac\n\n>b\nTTTTTU\n"


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz", "compressed_without_a_suffix.gz"])
@pytest.mark.parametrize(
    "text",
    [
        TWO,
        TWO.replace("\n", "\r\n"),
        TWO.replace("\n", "\r"),
        "\ufeff" + TWO,
        TWO.rstrip(),
    ],
)
def test_read_fasta(tmp_path, name, text):
    path = written(tmp_path / name, text)
    if name.startswith("compressed"):
        path = path.rename(tmp_path / "compressed")
    found = read_fasta(path)
    assert found.names == ("a", "b")
    assert decode(found.tokens) == ["ACGTAC", "TTTTTT"]
    assert found.source == str(path)
    assert read_fasta(str(path)) == found


RECORDS = st.integers(1, 30).flatmap(
    lambda n: st.lists(st.text("ACGT", min_size=n, max_size=n), min_size=1, max_size=5)
)


@given(RECORDS, st.integers(1, 9), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_fasta_lines_of_any_width_are_the_same_records(strings, width, end, compressed):
    lines = [
        f">s{i}{end}" + "".join(s[j : j + width] + end for j in range(0, len(s), width))
        for i, s in enumerate(strings)
    ]
    data = "".join(lines).encode()
    with TemporaryPath(gzip.compress(data, mtime=0) if compressed else data) as path:
        assert decode(read_fasta(path).tokens) == strings


class TemporaryPath:
    """A file for Hypothesis, which runs many examples within one tmp_path."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __enter__(self) -> Path:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "x"
        path.write_bytes(self.data)
        return path

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def test_ambiguous_letters_of_a_fasta_are_drawn_by_choice(tmp_path):
    path = written(tmp_path / "n.fa", ">a\nACGN\n>b\nNNNN\n")
    drawn = read_fasta(path, ambiguous="draw", rng=3)
    assert decode(drawn.tokens)[0][:3] == "ACG"
    assert drawn == read_fasta(path, ambiguous="draw", rng=3)
    with pytest.raises(TypeError):
        read_fasta(path, ambiguous="draw")


def test_parse_fasta_keeps_only_letters():
    assert parse_fasta(b">a b\nAC GT\t\n\nA\n", source="x") == (("a",), [b"ACGTA"])


# --- BED ------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
CHROMOSOMES = {
    name: "".join(RNG.choice(list("ACGTacgt"), n))
    for name, n in [("chr1", 203), ("chr2", 60), ("chrM", 7)]
}


def fasta(width: int, *, end: str = "\n", last: str = "\n") -> str:
    lines = [
        f">{n} more{end}" + end.join(s[i : i + width] for i in range(0, len(s), width))
        for n, s in CHROMOSOMES.items()
    ]
    return end.join(lines) + last


@pytest.mark.parametrize("width", [1, 7, 10, 60, 203, 500])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
def test_any_window_of_a_genome_is_read(tmp_path, width, end, last):
    path = written(tmp_path / "g.fa", fasta(width, end=end, last=last))
    with Genome(path) as genome:
        for name, letters in CHROMOSOMES.items():
            for start in range(0, len(letters), 5):
                for stop in range(start + 1, len(letters) + 1, 6):
                    assert (
                        genome.letters(name, start, stop, place="here")
                        == letters[start:stop].encode()
                    )
            with pytest.raises(SequenceError):
                genome.letters(name, 0, len(letters) + 1, place="here")


@pytest.mark.parametrize(
    "text",
    [
        ">c\nACG\nTTACG\nA\n",
        ">c\nACGTT\n\nACGA\n",
        ">c\nACGTTA\nCGA\n",
        ">c\n\nACGTTACGA\n",
        ">c\nACG\nTT\nACG\nA\n",
        ">c\nACGT\r\nTACG\nA\n",
        ">c\nA CGTT\nACGA",
        ">c\nACGTTACGA",
        ">c\nACGTTACG\r\nA\r\n\r\n",
    ],
)
def test_uneven_lines_are_read_all_the_same(tmp_path, text):
    with Genome(written(tmp_path / "g.fa", text)) as genome:
        for start in range(9):
            for stop in range(start + 1, 10):
                assert (
                    genome.letters("c", start, stop, place="")
                    == b"ACGTTACGA"[start:stop]
                )
        with pytest.raises(SequenceError):
            genome.letters("c", 0, 10, place="")


@pytest.mark.parametrize("genome", ["g.fa", "g.fa.gz"])
@pytest.mark.parametrize("bed", ["b.bed", "b.bed.gz"])
def test_from_bed_cuts_windows_around_middles(tmp_path, genome, bed):
    rows = (
        "track name=x\n"
        "browser hide all\n"
        "# note\n"
        "\r\n"
        "chr1\t10\t20\tpeak\t0\t-\r\n"
        "chr2\t31\t42\n"
        "chr1 50 60\n"
    )
    found = from_bed(
        written(tmp_path / bed, rows), written(tmp_path / genome, fasta(13)), length=10
    )
    assert found.names == ("chr1:10-20", "chr2:31-41", "chr1:50-60")
    expected = [
        CHROMOSOMES["chr1"][10:20],
        CHROMOSOMES["chr2"][31:41],
        CHROMOSOMES["chr1"][50:60],
    ]
    assert decode(found.tokens) == [x.upper() for x in expected]
    assert found.source is None  # the genome is not these windows
    assert sorted(x.name for x in tmp_path.iterdir()) == sorted([genome, bed])


def test_the_length_of_windows_may_be_of_numpy(tmp_path):
    paths = (
        written(tmp_path / "b.bed", "chr1\t10\t20\n"),
        written(tmp_path / "g.fa", fasta(60)),
    )
    assert from_bed(*paths, length=np.int64(10)) == from_bed(*paths, length=10)
    with pytest.raises(SequenceError):
        from_bed(*paths, length=True)


def test_summits_of_one_peak_have_one_middle(tmp_path):
    rows = "".join(
        f"chr1\t100\t150\tp\t0\t.\t1\t1\t1\t{summit}\n" for summit in (7, 30)
    )
    paths = (
        written(tmp_path / "b.narrowPeak", rows),
        written(tmp_path / "g.fa", fasta(60)),
    )
    with pytest.raises(SequenceError):
        from_bed(*paths, length=10)
    assert from_bed(*paths, length=10, center="summit").names == (
        "chr1:102-112",
        "chr1:125-135",
    )
    written(paths[0], rows + rows)
    with pytest.raises(SequenceError):
        from_bed(*paths, length=10, center="summit")


@pytest.mark.parametrize(
    ("start", "end", "length", "window"),
    [(10, 21, 4, 13), (10, 21, 5, 13), (10, 20, 5, 13), (3, 4, 1, 3)],
)
def test_the_rounding_rule(tmp_path, start, end, length, window):
    found = from_bed(
        written(tmp_path / "b.bed", f"chr1\t{start}\t{end}\n"),
        written(tmp_path / "g.fa", fasta(60)),
        length=length,
    )
    assert found.names == (f"chr1:{window}-{window + length}",)


def test_from_bed_cuts_windows_around_summits_and_by_strand(tmp_path):
    rows = "chr1\t100\t150\tp\t0\t-\t1\t1\t1\t7\nchr1\t100\t150\tq\t0\t+\t1\t1\t1\t49\n"
    paths = written(tmp_path / "b.bed", rows), written(tmp_path / "g.fa", fasta(60))
    plain = from_bed(*paths, length=9, center="summit")
    stranded = from_bed(*paths, length=9, center="summit", stranded=True)
    assert plain.names == ("chr1:103-112", "chr1:145-154")
    assert stranded.names == ("chr1:103-112(-)", "chr1:145-154(+)")
    assert decode(plain.tokens)[0] == CHROMOSOMES["chr1"][103:112].upper()
    assert np.array_equal(stranded.tokens[0], reverse_complement(plain.tokens[0]))
    assert np.array_equal(stranded.tokens[1], plain.tokens[1])


PEAKS = pd.DataFrame(
    {"chrom": "chr1", "start": [100, 130], "end": [120, 150], "strand": ["-", "+"]}
)


@pytest.mark.parametrize(
    "held",
    [
        PEAKS,
        PEAKS.rename(columns=str.upper),
        PEAKS.rename(columns={"start": "chromStart", "end": "chromEnd"}),
        PEAKS.to_dict("records"),
        PEAKS.to_dict("list"),
        ["chr1:100-120(-)", "chr1:130-150(+)"],
        ["chr1:101-120(-)", "chr1:131-150(+)"],  # from 1, as samtools writes them
    ],
)
def test_intervals_are_read_however_they_are_held(tmp_path, held):
    rows = "chr1\t100\t120\ta\t0\t-\nchr1\t130\t150\tb\t0\t+\n"
    bed, genome = (
        written(tmp_path / "b.bed", rows),
        written(tmp_path / "g.fa", fasta(60)),
    )
    settings = {"length": 20, "stranded": True}
    assert from_bed(held, genome, **settings) == from_bed(bed, genome, **settings)


@pytest.mark.parametrize(
    "held",
    [
        ["chr1:100-130"],  # from 0 or from 1
        ["chr1"],
        [("chr1", 100, 120)],
        PEAKS.rename(columns={"chrom": "seqnames"}),  # of Bioconductor, from 1
        PEAKS.assign(start=[None, 130]),
        [],
    ],
)
def test_what_does_not_say_its_places_is_refused(tmp_path, held):
    genome = written(tmp_path / "g.fa", fasta(60))
    with pytest.raises(SequenceError):
        from_bed(held, genome, length=20)


def test_ambiguous_letters_of_a_window(tmp_path):
    paths = (
        written(tmp_path / "b.bed", "c\t1\t5\n"),
        written(tmp_path / "g.fa", ">c\nACGTNNACGT\n"),
    )
    with pytest.raises(SequenceError):
        from_bed(*paths, length=4)
    assert decode(from_bed(*paths, length=4, ambiguous="draw", rng=0).tokens)[
        0
    ].startswith("CGT")


# --- of= ------------------------------------------------------------------------------

STRINGS = ["ACGT", "TTTT"]
TOKENS = encode(STRINGS)


@pytest.mark.parametrize(
    "of",
    [
        STRINGS,
        tuple(STRINGS),
        (s.lower() for s in STRINGS),
        np.array(STRINGS),
        pd.Series(STRINGS, index=["x", "y"]),
        pd.Series(STRINGS).astype("string"),
        TOKENS,
        TOKENS.astype(np.int64),
        xr.DataArray(TOKENS, dims=("unit", "position")),
        Sequences(TOKENS, (0, 1)),
    ],
    ids=lambda of: type(of).__name__,
)
def test_every_form_of_of_is_the_same_value(of):
    assert as_sequences(of) == Sequences(TOKENS, (0, 1))


def test_of_takes_names_paths_and_single_sequences(tmp_path):
    path = written(tmp_path / "x.fa", ">a\nACGT\n>b\nTTTT\n")
    named = Sequences(TOKENS, ("a", "b"))
    assert (
        as_sequences({"a": "ACGT", "b": "TTTT"})
        == as_sequences(path)
        == as_sequences(str(path))
        == named
    )
    assert (
        as_sequences("acgu")
        == as_sequences(encode("ACGT")[0])
        == Sequences(encode("ACGT"), (0,))
    )
    assert as_sequences("ACGT" * 5_000).length == 20_000


def test_a_file_whose_name_is_made_of_letters_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert decode(as_sequences("GATTACA").tokens) == ["GATTACA"]
    written(tmp_path / "GATTACA", ">a\nCC\n")
    assert decode(as_sequences("GATTACA").tokens) == ["CC"]


def test_an_array_of_tokens_is_copied():
    mine = TOKENS.copy()
    value = as_sequences(mine)
    mine[:] = 0
    assert np.array_equal(value.tokens, TOKENS)


def test_short_tokens_are_not_taken_for_one_hot():
    assert decode(as_sequences(np.array([[0, 0, 0, 1]])).tokens) == ["AAAC"]

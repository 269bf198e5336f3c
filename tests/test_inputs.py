"""Imports parsers of cells, JSON and TOML from the inside: every reader of files uses them.

Whatever is read from elsewhere is bounded, and refused by an error of ours.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from in_shell import invoke

import causalgia as cg
from causalgia import mpra, store
from causalgia.errors import (
    CausalgiaError,
    DataError,
    DesignError,
    SequenceError,
)
from causalgia.inputs import (
    as_cell,
    from_cell,
    inflate,
    parse_int,
    parse_json,
    parse_toml,
    read_bytes,
    to_csv,
)
from causalgia.notes import pack_text, unpack_text
from causalgia.sequences import from_bed, read_fasta, read_motifs, read_variants
from causalgia.sequences.genome import Genome
from causalgia.trial_file import read_spec
from causalgia.trial_file.trial_spec import parse_spec

SIDE = pd.DataFrame({"oligo_name": ["a"], "element": ["u"], "arm": ["x"]})


READERS = {
    "fasta": read_fasta,
    "motifs": read_motifs,
    "patterns": cg.read_patterns,
    "sequences": cg.read_sequences,
    "vcf": read_variants,
    "bed": lambda path: from_bed(path, path, length=4),
    "counts": lambda path: mpra.read_counts(path, side_table=SIDE),
    "side": lambda path: mpra.read_counts(path, side_table=path),
    "trial": read_spec,
    "netcdf": lambda path: cg.store.load(path, "outcomes"),
}


@pytest.fixture
def odd_files(tmp_path):
    """A folder, and a file of a terabyte that takes no space."""
    (tmp_path / "vast").touch()
    os.truncate(tmp_path / "vast", 10**12)
    return {
        "folder": tmp_path,
        "vast": tmp_path / "vast",
    }


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(odd_files, reader):
    for name in ("folder", "vast"):
        with pytest.raises(CausalgiaError):
            READERS[reader](odd_files[name])


def test_a_file_that_is_cut_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path, real = tmp_path / "a.fa", os.fstat
    path.write_text(">a\n" + "ACGT" * 1_000)

    def cut(number):
        found = real(number)
        os.truncate(path, found.st_size // 2)
        return found

    monkeypatch.setattr(os, "fstat", cut)
    with pytest.raises(SequenceError):
        read_fasta(path)


def test_a_genome_that_is_cut_while_it_is_open_is_refused(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\n" + ("ACGT" * 20 + "\n") * 5_000)
    with Genome(path) as genome:
        assert genome.letters("chr1", 0, 4, place="first") == b"ACGT"
        os.truncate(path, 1_000)
        with pytest.raises(SequenceError):
            genome.letters("chr1", 399_000, 399_004, place="last")


def bomb(mebibytes):
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(
        [*(packed.compress(b"A" * 2**20) for _ in range(mebibytes)), packed.flush()]
    )


@pytest.mark.simulation
def test_a_bomb_is_refused_and_memory_stays_small(tmp_path):
    path = tmp_path / "bomb.fa.gz"
    path.write_bytes(bomb(1_024))
    assert path.stat().st_size < 2**21
    code = (
        "import resource, sys\n"
        "from causalgia.errors import SequenceError\n"
        "from causalgia.inputs import read_bytes\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "limit = pages * resource.getpagesize() + 500 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try:\n"
        "    read_bytes(sys.argv[1], SequenceError, unpack=True)\n"
        "except SequenceError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout


def test_a_text_that_packs_well_is_no_bomb(tmp_path):
    path = tmp_path / "n.fa.gz"
    # a hundred million N in a row, as an unplaced chromosome has them
    path.write_bytes(bomb(100))
    assert len(read_bytes(path, SequenceError, unpack=True)) == 100 * 2**20
    plain = np.random.default_rng(0).integers(0, 256, 10**6, np.uint8).tobytes()
    path.write_bytes(
        gzip.compress(plain[:1_000], mtime=0) + gzip.compress(plain, mtime=0)
    )
    assert read_bytes(path, SequenceError, unpack=True) == plain[:1_000] + plain


@pytest.mark.simulation
def test_arrays_that_unpack_to_far_more_than_any_sequences_are_refused(tmp_path):
    """By the sizes that the zip states: it is not unpacked, and zipfile reads no more
    than they say.
    """
    for name, n in (("bomb.npz", 2**29), ("sparse.npz", 2**26)):
        with (
            zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as packed,
            packed.open("x.npy", "w") as file,
        ):
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|i1", "fortran_order": False, "shape": (1, 4, n // 4)}
            )
            for _ in range(n // 2**22):
                file.write(bytes(2**22))
    with pytest.raises(SequenceError):
        cg.read_sequences(tmp_path / "bomb.npz")
    with pytest.raises(SequenceError):  # read
        cg.read_sequences(tmp_path / "sparse.npz")


def test_a_header_of_many_columns_is_read_in_one_pass(tmp_path):
    """A name that is counted, or looked for, among all others for each of 200,000 takes
    an hour.
    """
    columns = "\t".join(
        f"{kind}_count_{i}" for i in range(100_000) for kind in ("dna", "rna")
    )
    (tmp_path / "counts.tsv").write_text(f"barcode\toligo_name\t{columns}\n")
    with pytest.raises(CausalgiaError):
        mpra.read_counts(tmp_path / "counts.tsv", side_table=SIDE)


def test_a_packed_design_is_bounded():
    assert (
        unpack_text(pack_text(xr.Dataset(), "design", "x" * 10**6), "design")
        == "x" * 10**6
    )
    for packed in (
        zlib.compress(b"x" * 2**28, 9),
        b"rubbish",
    ):
        with pytest.raises(DataError):
            inflate(packed, DataError, source="design")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10**5,
        "a = " + "[" * 150 + "]" * 150,
        ".".join("a" * 2_000) + " = 1",
        ".".join("a" * 1_000_000) + " = 1",  # tomllib: hours
        "x = {" + " . ".join(['"a"'] * 100_000) + " = 1}",
        "a = " + "9" * 5_000,
        f"a = {2**63}",
        f"a = [1, {-(2**63) - 1}]",
        'a = "\\u001b[31m"',
        '"\\u001b" = 1',
        "a = 1\nb =",
    ],
)
def test_toml_that_nobody_means_is_refused(tmp_path, text):
    for read in (
        lambda: parse_toml(text, DesignError, source="x.toml"),
        lambda: parse_spec(text, folder=tmp_path, source="x.toml"),
        lambda: cg.Analysis.from_toml(text),
        lambda: cg.Design.from_toml(text),
    ):
        with pytest.raises(DesignError):
            read()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**5,
        "[" * 10**6,
        '{"a":' * 10**6,
        "[" * 150 + "]" * 150,
        '{"a": ' + "9" * 5_000 + "}",
        '{"a": 18446744073709551616}',
        '{"a": "\\ud800"}',
        '{"a": "\\u0007"}',
        "{",
    ],
)
def test_json_that_nobody_means_is_refused(text):
    for read in (
        lambda: parse_json(text, DesignError),
        lambda: cg.Analysis.from_json(text),
        lambda: cg.Design.from_json(text),
    ):
        with pytest.raises(DesignError):
            read()
    assert parse_json(
        '{"a": [9223372036854775807, -9223372036854775808, 1.5, null, "\\n"]}',
        DesignError,
    )


@pytest.mark.parametrize("opened", ["[", '{"a":', '[{"[": ['])
def test_nesting_of_json_is_bounded_where_other_packages_raise_the_limit_of_recursion(
    opened,
):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)  # PyMC: 10^4
    try:
        for text in (
            opened * 10**6,
            (opened * 10**6).encode(),
            (opened * 10**6).encode("utf-16"),
        ):
            with pytest.raises(DesignError):
                parse_json(text, DesignError)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_within_strings_of_json_are_letters():
    plain = {
        "[" * 500: ['"' + "{" * 500, "\\" + "[" * 500],
        "b": [[x, {"a": [x]}] for x in range(300)],
    }
    deep: list = []
    for _ in range(98):
        deep = [deep, "]"]
    for value in (plain, deep):
        assert parse_json(json.dumps(value), DesignError) == value
        assert parse_json(json.dumps(value).encode("utf-16"), DesignError) == value
    for more in ([[deep]], {"a": {"b": deep}}):
        with pytest.raises(DesignError):
            parse_json(json.dumps(more), DesignError)


NO_WHOLE = [
    "9" * 5_000,
    "9223372036854775808",
    "-9223372036854775809",
    "٣",
    "²",
    "1_0",
    "1.0",
    "",
]


@pytest.mark.parametrize("text", NO_WHOLE)
def test_a_cell_that_is_no_whole_number_of_64_bits_is_refused(tmp_path, text):
    with pytest.raises(SequenceError):
        parse_int(text, SequenceError, source="line 1: start")
    path, genome = tmp_path / "x.bed", tmp_path / "g.fa"
    genome.write_text(">chr1\nACGTACGT\n")
    path.write_text(f"chr1\t{text}\t5\n")
    with pytest.raises(SequenceError):
        from_bed(path, genome, length=4)
    path.write_text(f"chr1\t{text}\t.\tA\tC\n")
    with pytest.raises(SequenceError):
        read_variants(path)


@pytest.mark.parametrize(
    "text", ["0", "9223372036854775807", "-9223372036854775808", "+5", " 7 ", "007"]
)
def test_whole_numbers_of_64_bits_are_read(text):
    assert parse_int(text, SequenceError, source="x") == int(text)


FRAME = pd.DataFrame(
    {"u": [0, 0, 1, 1], "a": ["c", "t", "c", "t"], "y": [1.0, 2.0, 3.0, 4.5]}
)


def frame(**columns):
    objects = {name: pd.Series(cells, dtype=object) for name, cells in columns.items()}
    return cg.from_frame(FRAME.assign(**objects), outcome="y", arm="a", unit="u")


@pytest.mark.parametrize("odd", ["a\ud800", "a\0b"])
def test_text_that_no_file_holds_is_refused_where_it_is_saved(tmp_path, odd):
    for made in (
        frame().assign_coords(task=[odd]),
        frame().assign_attrs(scale=odd),
        frame().assign_attrs({odd: "x"}),
        *(
            [frame().assign({odd: 1.0})] if "\0" not in odd else []
        ),  # which is escaped, and comes back
    ):
        with pytest.raises(DataError):
            store.save(made, tmp_path / "x.nc")
    assert not list(tmp_path.iterdir())


def test_reports_do_nothing_to_a_terminal():
    outcomes = (
        frame()
        .assign_coords(task=["\x1b[31mred"])
        .assign_attrs(null="\x1b]0;title\x07", predictor="\x9b1m")
    )
    estimates = cg.estimate(cg.contrast(outcomes, control="c"))
    for text in (cg.report(estimates), cg.report(outcomes)):
        assert "\\x1b" in text
        assert not {"\x1b", "\x07", "\x9b"} & set(text)


CELLS = [
    "=1+1",
    "+x",
    "-GATA",
    "@x",
    "\t=1",
    "\r",
    "'=1",
    "''-",
    "'quoted'",
    "GATA1",
    "",
    "u1:none",
    "−",
]


@pytest.mark.parametrize("text", CELLS)
def test_cells_come_back(text):
    assert from_cell(as_cell(text)) == text


def test_exported_tables_hold_names_as_they_are(tmp_path):
    table = pd.DataFrame(
        {"=sum": [-1.5], "arm": ["=1+1"]}, index=pd.Index(["-GATA"], name="contrast")
    )
    assert to_csv(table) == "contrast,=sum,arm\n-GATA,-1.5,=1+1\n"
    arms = {"none": cg.Untreated(), "=GATA": cg.Embed("GATA", at=9)}
    design = cg.Design(null=cg.Uniform(length=100), arms=arms, n_units=4)
    library = mpra.library(design, oligo_length=130, adapters="lentimpra", rng=0)
    mpra.write_library(library, tmp_path)
    assert "=GATA" in set(pd.read_csv(tmp_path / "arms.tsv", sep="\t")["arm"])


@pytest.mark.parametrize(
    "args",
    [
        ["demo", "--out", ""],
        ["demo", "--out="],
        ["run", "", "--out", "x"],
        ["show", " "],
    ],
)
def test_an_empty_text_on_the_command_line_is_refused(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    assert invoke(*args).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_side_table_with_a_column_twice_is_refused(tmp_path):
    counts, side = tmp_path / "counts.tsv", tmp_path / "side.tsv"
    counts.write_text("barcode\toligo_name\tdna_count_1\trna_count_1\nACGT\ta\t5\t6\n")
    side.write_text("oligo_name\telement\tarm\tarm\na\tu1\tnone\tnone\n")
    with pytest.raises(CausalgiaError):
        mpra.read_counts(counts, side_table=side)

"""Whatever is read from elsewhere is bounded, and whatever is wrong with it is said in
an error of ours.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia import mpra, store
from causalgia.cli.commands import app
from causalgia.errors import (
    CausalgiaError,
    DegenerateWarning,
    DesignError,
    EstimateError,
    InferenceError,
    OutcomesError,
    PredictorError,
    RandomnessError,
    SequenceError,
    StoreError,
    as_message,
    quoted,
)
from causalgia.estimation import from_incomplete
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
from causalgia.mpra.planning._cheapest import read_prices
from causalgia.notes import pack_text, unpack_text
from causalgia.sequences import from_bed, read_fasta, read_motifs
from causalgia.sequences.genome import Genome
from causalgia.sequences.variant_files import read_vcf
from causalgia.trial.archive.files import encode_values, parse_json as parse_stored_json
from causalgia.trial_file import read_library_spec, read_spec
from causalgia.trial_file.trial_spec import parse_spec, read_analysis

SIDE = pd.DataFrame({"oligo_name": ["a"], "element": ["u"], "arm": ["x"]})
READERS = {
    "fasta": read_fasta,
    "motifs": read_motifs,
    "patterns": cg.read_patterns,
    "sequences": cg.read_sequences,
    "vcf": read_vcf,
    "bed": lambda path: from_bed(path, path, length=4),
    "counts": lambda path: mpra.read_counts(path, side_table=SIDE),
    "side": lambda path: mpra.read_counts(path, side_table=path),
    "igvf": lambda path: mpra.read_igvf(path, "labels"),
    "prices": read_prices,
    "trial": read_spec,
    "netcdf": lambda path: cg.store.load(path, "outcomes"),
}


@pytest.fixture
def odd_files(tmp_path):
    """A pipe that nobody writes to, an endless device, a folder, and a file of a
    terabyte that takes no space.
    """
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "vast").touch()
    os.truncate(tmp_path / "vast", 10**12)
    return {
        "pipe": tmp_path / "pipe",
        "device": "/dev/zero",
        "folder": tmp_path,
        "vast": tmp_path / "vast",
    }


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(odd_files, reader):
    for name, said in (
        ("pipe", "pipe or a device"),
        ("device", "pipe or a device"),
        ("folder", "is a folder"),
    ):
        with pytest.raises(CausalgiaError, match=said):
            READERS[reader](odd_files[name])
    with pytest.raises(CausalgiaError, match=r"1,000,000,000,000 bytes|no netCDF"):
        READERS[reader](odd_files["vast"])


_OF_THE_SYSTEM = (
    "/proc/kmsg",
    "/proc/self/mem",
    "/proc/self/pagemap",
    "/proc/self/environ",
    "/dev/full",
    "/dev/tty",
)
_MORE_READERS = {
    "null model": lambda path: cg.DinucleotideShuffle(of=path),
    "real sequences": lambda path: cg.Genomic(of=path),
    "Markov chain": lambda path: cg.Markov(order=1, of=path),
    "motif": cg.motif,
    "genome": lambda path: Genome(path),
    "analysis": read_analysis,
    "library of a trial": read_library_spec,
    "library": mpra.read_library,
    "estimates": lambda path: cg.store.load(path, "estimates"),
    "tree": lambda path: store.read_tree(Path(path)),
    "folder": cg.open,
    "network": lambda path: cg.predict.PredictorFactory(f"{path}:load"),
}


@pytest.fixture
def odder_files(tmp_path):
    """What is opened and then not read, ends nowhere, leads nowhere, or is not a
    name.
    """
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    named = ("socket", "broken", "loop", "file/below", "x" * 300)
    return [
        *(tmp_path / name for name in named),
        *(path for path in _OF_THE_SYSTEM if os.path.lexists(path)),
    ]


@pytest.mark.parametrize("reader", [*READERS, *_MORE_READERS])
def test_what_is_opened_and_not_read_is_refused(odder_files, reader):
    for path in odder_files:
        with pytest.raises(CausalgiaError):
            (READERS | _MORE_READERS)[reader](path)


def test_a_file_that_is_cut_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path, real = tmp_path / "a.fa", os.fstat
    path.write_text(">a\n" + "ACGT" * 1_000)

    def cut(number):
        found = real(number)
        os.truncate(path, found.st_size // 2)
        return found

    monkeypatch.setattr(os, "fstat", cut)
    with pytest.raises(
        SequenceError,
        match=r"a\.fa: was written to while it was read; read it again when it is whole",
    ):
        read_fasta(path)


def test_a_genome_that_is_cut_while_it_is_open_is_refused(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\n" + ("ACGT" * 20 + "\n") * 5_000)
    with Genome(path) as genome:
        assert genome.letters("chr1", 0, 4, place="first") == b"ACGT"
        os.truncate(path, 1_000)
        with pytest.raises(SequenceError, match="was written to while it was read"):
            genome.letters("chr1", 399_000, 399_004, place="last")


def bomb(mebibytes):
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(
        [*(packed.compress(b"A" * 2**20) for _ in range(mebibytes)), packed.flush()]
    )


@pytest.mark.rotating
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
    assert (
        "unpack to more than 134,217,728; if that is meant, unpack the file with gunzip"
        in ended.stdout
    )


@pytest.mark.rotating(6)
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


@pytest.mark.rotating
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
    with pytest.raises(
        SequenceError,
        match=r"bytes of zip unpack to 536,871,\d+; if that is meant, .* np.savez",
    ):
        cg.read_sequences(tmp_path / "bomb.npz")
    with pytest.raises(SequenceError, match="letter 'N' at position 0"):  # read
        cg.read_sequences(tmp_path / "sparse.npz")


def test_draws_that_nobody_can_keep_are_refused():
    estimates = cg.from_effects([0.5, 0.2], se=[0.1, 0.1])
    for n in (10**8 + 1, 10**12, 2**70):
        with pytest.raises(
            InferenceError,
            match=f"n_draws={n} is not a positive whole number of at most 100,000,000",
        ):
            cg.infer(estimates, rng=0, n_draws=n)


def test_a_header_of_many_columns_is_read_in_one_pass(tmp_path):
    """A name that is counted, or looked for, among all others for each of 200,000 takes
    an hour.
    """
    columns = "\t".join(
        f"{kind}_count_{i}" for i in range(100_000) for kind in ("dna", "rna")
    )
    (tmp_path / "counts.tsv").write_text(f"barcode\toligo_name\t{columns}\n")
    with pytest.raises(CausalgiaError, match="no row below the header"):
        mpra.read_counts(tmp_path / "counts.tsv", side_table=SIDE)


@pytest.mark.rotating(6)
def test_a_packed_design_is_bounded():
    assert (
        unpack_text(pack_text(xr.Dataset(), "design", "x" * 10**6), "design")
        == "x" * 10**6
    )
    for packed, said in (
        (zlib.compress(b"x" * 2**28, 9), "unpacks to more"),
        (b"rubbish", "is damaged"),
    ):
        with pytest.raises(OutcomesError, match=said):
            inflate(packed, OutcomesError, source="design")


@pytest.mark.rotating(6)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 10**5, "nested deeper than 100 levels"),
        ("a = " + "[" * 150 + "]" * 150, "nested deeper than 100 levels"),
        (".".join("a" * 2_000) + " = 1", "nested deeper than 100 levels"),
        (
            ".".join("a" * 1_000_000) + " = 1",
            "line 1: a dotted key is nested deeper than 100 levels",
        ),  # tomllib: hours
        (
            "x = {" + " . ".join(['"a"'] * 100_000) + " = 1}",
            "line 1: a dotted key is nested deeper than 100 levels",
        ),
        ("a = " + "9" * 5_000, "a whole number is beyond 64 bits"),
        (f"a = {2**63}", "a = 9223372036854775808 is beyond 64 bits"),
        (f"a = [1, {-(2**63) - 1}]", "a = -9223372036854775809 is beyond 64 bits"),
        ('a = "\\u001b[31m"', r"a = '\x1b[31m' holds the control character '\x1b'"),
        ('"\\u001b" = 1', r"key '\x1b' holds the control character"),
        ("a = 1\nb =", "not valid TOML: Invalid value"),
    ],
)
def test_toml_that_nobody_means_is_refused(tmp_path, text, said):
    for read in (
        lambda: parse_toml(text, DesignError, source="x.toml"),
        lambda: parse_spec(text, folder=tmp_path, source="x.toml"),
        lambda: cg.Analysis.from_toml(text),
        lambda: cg.Design.from_toml(text),
    ):
        with pytest.raises(DesignError) as caught:
            read()
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 10**5, "nested deeper than 100 levels"),
        ("[" * 10**6, "nested deeper than 100 levels"),
        ('{"a":' * 10**6, "nested deeper than 100 levels"),
        ("[" * 150 + "]" * 150, "nested deeper than 100 levels"),
        ('{"a": ' + "9" * 5_000 + "}", "a whole number is beyond 64 bits"),
        ('{"a": 18446744073709551616}', "a = 18446744073709551616 is beyond 64 bits"),
        ('{"a": "\\ud800"}', r"a = '\ud800' holds the control character"),
        ('{"a": "\\u0007"}', r"holds the control character '\x07'"),
        ("{", "not valid JSON: Expecting property name"),
    ],
)
def test_json_that_nobody_means_is_refused(text, said):
    for read in (
        lambda: parse_json(text, DesignError),
        lambda: cg.Analysis.from_json(text),
        lambda: cg.Design.from_json(text),
    ):
        with pytest.raises(DesignError) as caught:
            read()
        assert said in str(caught.value)
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
            with pytest.raises(
                DesignError,
                match="not valid JSON: nested deeper than 100 levels; write it flat",
            ):
                parse_json(text, DesignError)
        assert parse_stored_json((opened * 10**6).encode()) is None
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
        with pytest.raises(DesignError, match="nested deeper than 100 levels"):
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
    with pytest.raises(
        SequenceError,
        match=r"line 1: start .* is (beyond 64 bits|not a whole number); correct",
    ):
        parse_int(text, SequenceError, source="line 1: start")
    path, genome = tmp_path / "x.bed", tmp_path / "g.fa"
    genome.write_text(">chr1\nACGTACGT\n")
    path.write_text(f"chr1\t{text}\t5\n")
    with pytest.raises(SequenceError, match="x.bed: line 1"):
        from_bed(path, genome, length=4)
    path.write_text(f"chr1\t{text}\t.\tA\tC\n")
    with pytest.raises(SequenceError, match="x.bed: line 1: POS"):
        read_vcf(path)


@pytest.mark.parametrize(
    "text", ["0", "9223372036854775807", "-9223372036854775808", "+5", " 7 ", "007"]
)
def test_whole_numbers_of_64_bits_are_read(text):
    assert parse_int(text, SequenceError, source="x") == int(text)


def test_messages_are_short_and_escaped():
    error = StoreError(
        "/a/b/"
        + "c" * 200
        + ": "
        + "x y " * 2_000
        + "\x1b[31m\x00\ud800\u202e; take another"
    )
    assert len(str(error)) <= 2_000
    assert "\\x1b[31m\\x00\\ud800\\u202e; take another" in str(error)
    assert str(error).startswith("/a/b/ccc")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(DegenerateWarning("\x1b")) == "\\x1b"
    assert str(CausalgiaError("é − α\tb\nc")) == "é − α\tb\nc"
    with pytest.raises(DesignError) as caught:
        cg.Analysis.from_dict({"x" * 5_000: 1})
    assert "'" + "x" * 50 in str(caught.value)
    assert "x" * 81 not in str(caught.value)
    path = "/" + "/".join(["folder"] * 100)
    assert as_message(f"{path}: no such file") == f"{path}: no such file"
    assert len(quoted("x" * 5_000)) == 80
    assert quoted([10**5_000]) == "a list with more digits than can be written"
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert quoted(nested) == "a list nested too deeply to be written"


ARMS = {"a": cg.Untreated(), "b": cg.Embed("G", at=1)}
FRAME = pd.DataFrame(
    {"u": [0, 0, 1, 1], "a": ["c", "t", "c", "t"], "y": [1.0, 2.0, 3.0, 4.5]}
)


def frame(**columns):
    objects = {name: pd.Series(cells, dtype=object) for name, cells in columns.items()}
    return cg.from_frame(FRAME.assign(**objects), outcome="y", arm="a", unit="u")


def test_the_edges_of_a_design_are_typed():
    real = cg.Genomic(of=["ACGTACGT", "CCGTACGT"])
    with pytest.raises(DesignError, match="4 units from 2 sequences x 1 draws"):
        cg.Design(
            null=real, arms=ARMS, n_units=4, assignment="parallel", blocks="parent"
        )
    with pytest.raises(DesignError, match=r"kind = \[\] must be one of"):
        cg.Design.from_dict({"null": {"kind": []}, "arms": {}, "n_units": 3})
    for length in (10**12, 2**63, 10**5_000):
        with pytest.raises(DesignError, match="length="):
            cg.Uniform(length=length)
    with pytest.raises(DesignError, match="below 2\\^48"):
        cg.Embed("G", at=10**5_000)
    with pytest.raises(DesignError, match="ci_prob="):
        cg.Analysis(ci_prob=10**5_000)
    with pytest.raises(InferenceError, match="mu_sd="):
        cg.Prior(mu_sd=10**5_000)
    with pytest.raises(RandomnessError, match="below 2"):
        cg.Uniform(length=5).sample(2, rng=10**5_000)
    with pytest.raises(
        SequenceError, match="length=an int with more digits than can be written"
    ):
        from_bed("x.bed", "g.fa", length=-(10**5_000))
    with pytest.raises(DesignError, match="order=an int with more digits"):
        cg.Markov(of=["ACGTACGT"], order=10**5_000)
    for levels in ({"\x1b": 1}, {"x": "\x1b"}, {"x": 10**30}):
        with pytest.raises(DesignError, match="arm 'a'"):
            cg.Arm("a", cg.Untreated(), levels)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"a": [["c"], ["t"]] * 2},
            r"row 0: column 'a' holds \['c'\]; a cell holds one number or one text",
        ),
        ({"u": [{}, {}, [], []]}, "row 0: column 'u' holds {}"),
        ({"a": ["c", "\ud800"] * 2}, r"column 'a' (holds|has) '\\ud800'"),
        (
            {"a": ["c", "\x1b[31mt"] * 2},
            r"column 'a' has '\\x1b\[31mt', which cannot be printed",
        ),
        ({"y": [1.0, 2.0, 3.0, 10**400]}, "column 'y' is not numeric"),
    ],
)
def test_cells_of_a_table_that_are_no_values_are_refused(columns, said):
    with pytest.raises(OutcomesError, match=said):
        frame(**columns)


@pytest.mark.parametrize("dim", ["arm", "task"])
def test_a_selection_that_leaves_nothing_is_refused(dim):
    with pytest.raises(OutcomesError, match=f"no {dim} at all"):
        cg.contrast(frame().isel({dim: []}), control="c")


def test_a_task_without_a_name_is_refused():
    for names in ([np.nan], np.array([None], dtype=object)):
        with pytest.raises(OutcomesError, match="task 0 has no name"):
            cg.contrast(frame().assign_coords(task=names), control="c")


@pytest.mark.parametrize("name", [("t",), ["t"], {"t"}, 3j, str], ids=repr)
def test_a_name_that_is_no_text_and_no_number_is_refused(name):
    names = np.empty(1, object)
    names[0] = name
    if isinstance(name, complex):
        assert (
            cg.contrast(frame().assign_coords(task=names), control="c").sizes["task"]
            == 1
        )
        return
    with pytest.raises(
        OutcomesError, match="task 0 is .*, and names are text or numbers; rename it"
    ):
        cg.contrast(frame().assign_coords(task=names), control="c")


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
        with pytest.raises(
            OutcomesError,
            match=r"x\.nc: HDF5 cannot store a name or a value of it .*; rename or drop",
        ):
            store.save(made, tmp_path / "x.nc")
    assert not list(tmp_path.iterdir())


def test_half_a_surrogate_pair_in_a_task_is_refused(tmp_path):
    with pytest.raises(
        PredictorError,
        match=(
            r"task 'a\\ud800' holds half a surrogate pair, which cannot be stored; "
            r"rename it"
        ),
    ):
        cg.FunctionPredictor(lambda x: x[:, 0, 0], tasks=["a\ud800"])
    with pytest.raises(
        StoreError,
        match=r"'a\\ud800' holds half a surrogate pair, which cannot be stored; rename it",
    ):
        encode_values(np.array(["b", "a\ud800"]))


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
def test_formulas_are_escaped_and_come_back(text):
    assert from_cell(as_cell(text)) == text
    assert not as_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_exported_tables_hold_no_formula(tmp_path):
    table = pd.DataFrame(
        {"=sum": [-1.5], "arm": ["=1+1"]}, index=pd.Index(["-GATA"], name="contrast")
    )
    assert to_csv(table) == "contrast,'=sum,arm\n'-GATA,-1.5,'=1+1\n"
    arms = {"none": cg.Untreated(), "=GATA": cg.Embed("GATA", at=9)}
    design = cg.Design(null=cg.Uniform(length=100), arms=arms, n_units=4)
    library = mpra.library(design, oligo_length=130, adapters="lentimpra", rng=0)
    mpra.write_library(library, tmp_path)
    for path in tmp_path.glob("*.?sv"):
        cells = [
            cell
            for line in path.read_text().splitlines()
            for cell in line.replace(",", "\t").split("\t")
        ]
        assert not [cell for cell in cells if cell[:1] in ("=", "@") and cell], path
    assert "=GATA" in set(mpra.read_igvf(tmp_path / "arms.tsv", "side_table")["arm"])


@pytest.mark.parametrize(
    "args",
    [
        ["demo", "--out", ""],
        ["demo", "--out="],
        ["run", "", "--out", "x"],
        ["show", " "],
    ],
)
def test_an_empty_text_on_the_command_line_is_refused(
    tmp_path, monkeypatch, capsys, args
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        app(args)
    assert ended.value.code == 2
    assert "there is an empty text after" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_side_table_with_a_column_twice_is_refused(tmp_path):
    counts, side = tmp_path / "counts.tsv", tmp_path / "side.tsv"
    counts.write_text("barcode\toligo_name\tdna_count_1\trna_count_1\nACGT\ta\t5\t6\n")
    side.write_text("oligo_name\telement\tarm\tarm\na\tu1\tnone\tnone\n")
    with pytest.raises(CausalgiaError, match="has the column 'arm' twice"):
        mpra.read_counts(counts, side_table=side)


def test_cells_of_an_incomplete_table_are_refused_as_those_of_a_whole_one():
    how = {"outcome": "y", "arm": "a", "unit": "u", "control": "c", "model": "m"}
    for columns, said in (
        ({"u": [{}, {}, [], []]}, "row 0: column 'u' holds {}"),
        ({"u": ["s", "s", "\ud800", "\ud800"]}, r"row 2: column 'u' holds '\\ud800'"),
        (
            {"a": ["c", 10**5_000] * 2},
            "row 1: column 'a' holds an int with more digits",
        ),
    ):
        objects = {
            name: pd.Series(cells, dtype=object) for name, cells in columns.items()
        }
        with pytest.raises(OutcomesError, match=said):
            from_incomplete(FRAME.assign(m="net", **objects), **how)
    cells = {"u": [0, 0, 1, 1] * 2, "m": ["p"] * 4 + ["q"] * 4, "a": ["c", "t"] * 4}
    both = pd.DataFrame(cells).assign(y=np.arange(8.0) ** 2)
    two = pd.concat(
        [both.assign(k="one"), both[both["a"] == "c"].assign(k="two")],
        ignore_index=True,
    )
    with pytest.raises(EstimateError, match="task 'two': only 'c' was measured"):
        from_incomplete(two, task="k", **how)

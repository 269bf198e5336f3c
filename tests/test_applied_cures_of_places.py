"""Errors of places that cannot be read or written, of memory and of clusters: another
place, other rights, smaller files or another client are given as the message says.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cures import Cases, cure_in, refusal
from test_applied_cures import ORACLE, estimates
from test_applied_cures_of_the_bench import library

import causalgia as cg
from causalgia import inputs
from causalgia._run._run import protocol_marks, write_protocol_marks
from causalgia.cli import folder as command_folder
from causalgia.errors import DesignError
from causalgia.mpra.formats.orders import read_library, to_csv, write_library
from causalgia.sequences.genome import Genome
from causalgia.workers import local_cluster
from causalgia.workers.clusters import check_client

pytestmark = pytest.mark.rotating(6)

case = Cases()
RECORDS = ">a\nACGTACGT\n>b\nTTTTACGT\n>c\nGGGGACGT\n"


def in_another_place(
    write: Callable[[Path], Any], folder: Path, name: str = "written", cure: str = ""
) -> Path:
    """Write below a file, be refused, write in another place, and return that."""
    (folder / "notes.txt").write_text("mine")
    text = refusal(write, folder / "notes.txt" / name)
    assert cure_in(text, cure or r"(choose another place)$")
    assert (folder / "notes.txt").read_text() == "mine"
    write(folder / name)
    return folder / name


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user whose rights are looked at."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


# ---- files that are read


@case
def a_file_without_permission(_folder: Path) -> Any:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        path = Path(place) / "a.fa"
        path.write_text(RECORDS)
        path.chmod(0o000)
        with without_rights():
            text = refusal(cg.sequences.read_fasta, path)
        assert cure_in(text, r"check the path and its (permissions)$")
        path.chmod(0o644)
        with without_rights():
            return cg.sequences.read_fasta(path).names == ("a", "b", "c")


@case
def a_path_below_a_file(folder: Path) -> Any:
    path = folder / "a.fa"
    path.write_text(RECORDS)
    text = refusal(cg.sequences.read_fasta, path / "a.fa")
    assert cure_in(text, r"check the (path) and its permissions$")
    return cg.sequences.read_fasta(path).names == ("a", "b", "c")


@case
def a_file_that_fails_while_it_is_read(folder: Path) -> Any:
    memory = "/proc/self/mem"
    if not Path(memory).exists():
        pytest.skip("no /proc")
    text = refusal(inputs.read_bytes, memory, DesignError)
    assert cure_in(text, r"check the (path) and its permissions$")
    (folder / "a.txt").write_bytes(b"text")
    return inputs.read_bytes(folder / "a.txt", DesignError) == b"text"


@case
def a_library_without_permission(_folder: Path) -> Any:
    with tempfile.TemporaryDirectory() as place:
        made = library()
        folder = Path(place) / "lib"
        write_library(made, folder)
        Path(place).chmod(0o700)
        if os.geteuid() == 0:
            with without_rights():
                text = refusal(read_library, folder)
            assert cure_in(text, r"check the path and its (permissions)$")
        Path(place).chmod(0o755)
        with without_rights():
            return read_library(folder).identical(made)


@case
def a_disk_that_fails_once(folder: Path) -> Any:
    (folder / "g.fa").write_text(">chr1\nACGTACGTAC\n")

    def read() -> bytes:
        with Genome(folder / "g.fa") as genome:
            if failing:
                genome._data.file.close()
            return genome.letters("chr1", 2, 6, place="here")

    failing = True
    assert cure_in(refusal(read), r"check the disk, and (read it again)$")
    failing = False
    return read() == b"GTAC"


# ---- memory


def halves(folder: Path) -> list[Path]:
    records = RECORDS.split(">")[1:]
    for i, some in enumerate((records[:2], records[2:])):
        (folder / f"{i}.fa").write_text("".join(f">{one}" for one in some))
    return [folder / "0.fa", folder / "1.fa"]


@case
def a_file_that_memory_does_not_hold(folder: Path) -> Any:
    check_size = inputs.check_size

    def in_memory(*given: Any) -> int:
        size = check_size(*given)
        if size > 30:
            raise MemoryError
        return size

    (folder / "all.fa").write_text(RECORDS)
    read = partial(inputs.read_bytes, error=DesignError)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "check_size", in_memory)
        assert cure_in(refusal(read, folder / "all.fa"), r"free; (split the file)$")
        parts = [read(path) for path in halves(folder)]
    return b"".join(parts) == RECORDS.encode()


@case
def arrays_that_memory_does_not_hold(folder: Path) -> Any:
    one_hot = np.eye(4, dtype=np.int8)[:, [0, 2, 3, 1, 0]]
    arrays = np.stack([one_hot, one_hot[:, ::-1], one_hot])
    load = np.load

    def in_memory(*given: Any, **settings: Any) -> Any:
        found = load(*given, **settings)
        if found.nbytes > 2 * one_hot.nbytes:
            raise MemoryError
        return found

    np.save(folder / "all.npy", arrays)
    np.save(folder / "0.npy", arrays[:2])
    np.save(folder / "1.npy", arrays[2:])
    right = cg.read_sequences(folder / "all.npy").strings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "load", in_memory)
        text = refusal(cg.read_sequences, folder / "all.npy")
        assert cure_in(text, r"the memory that is free; (split the file)$")
        parts = [cg.read_sequences(folder / f"{i}.npy").strings for i in (0, 1)]
    return (*parts[0], *parts[1]) == tuple(right)


# ---- files that are written


@case
def marks_of_a_lock_beside_a_store(folder: Path) -> Any:
    path = in_another_place(
        lambda path: write_protocol_marks(path, {"protocol": "a"}), folder, "s.zarr"
    )
    return protocol_marks(path) == {"protocol": "a"}


@case
def a_text_of_a_command(folder: Path) -> Any:
    path = in_another_place(
        lambda path: command_folder.write_text(path, "text"), folder
    )
    return path.read_text() == "text"


@case
def a_library_below_a_file(folder: Path) -> Any:
    made = library()
    path = in_another_place(lambda path: write_library(made, path), folder)
    return read_library(path).identical(made)


@case
def an_order_below_a_file(folder: Path) -> Any:
    made = library()
    (folder / "none").mkdir()
    path = folder / "none" / "a.csv"
    (folder / "none").rmdir()
    text = refusal(to_csv, made, path)
    assert cure_in(text, r"is not a folder; (make it first)")
    path.parent.mkdir()
    first = Path(to_csv(made, path)).read_text()
    assert cure_in(text, r", or (choose another place)$")
    other = Path(to_csv(made, folder / "a.csv")).read_text()
    name = "x" * 250 + ".csv"  # and no name of a part is longer
    text = refusal(to_csv, made, folder / name)
    assert cure_in(text, r"cannot be written .*; (choose another place)$")
    return first == other


@case
def a_network_of_a_name_that_is_too_long(folder: Path) -> Any:
    pytest.importorskip("onnxruntime")
    nn = pytest.importorskip("torch").nn
    network = nn.Sequential(nn.Flatten(), nn.Linear(160, 1))
    export = partial(cg.predict.export_onnx, network, length=40)
    text = refusal(export, folder / ("x" * 250 + ".onnx"))
    assert cure_in(text, r"cannot be written .*; (choose another place)$")
    return export(folder / "net.onnx").predict(np.zeros((2, 40), int)).shape[0] == 2


@case
def a_page_below_a_file(folder: Path) -> Any:
    decided = cg.decide(estimates(), rope=(-0.1, 0.1))
    path = in_another_place(
        lambda path: cg.report(decided, path=path), folder, "report.html"
    )
    return "GATA" in path.read_text()


@case
def a_table_of_variants_below_a_file(folder: Path) -> Any:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 120))
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n")
    rows = [f"chr1\t{i}\trs{i}\t{letters[i - 1]}\t" for i in (43, 61)]
    text = "".join(row + ("A\n" if row[-2] != "A" else "C\n") for row in rows)
    (folder / "two.vcf").write_text(text)
    experiment = cg.experiments.variant_effects(
        folder / "two.vcf", folder / "genome.fa", length=40
    )
    answer = experiment.analyze(cg.run(experiment, ORACLE, rng=0))
    path = in_another_place(
        lambda path: cg.experiments.write_variants(answer, path), folder, "a.tsv"
    )
    return path.read_text().count("rs43") == len(ORACLE.tasks)


@case
def a_discovery_that_is_kept(folder: Path) -> Any:
    tokens = np.random.default_rng(3).integers(0, 4, (44, 30)).astype(np.uint8)
    tokens[:, 12:18] = cg.sequences.encode(["TGCATG"])[0]
    oracle = cg.zoo.oracle("additive")
    call = partial(
        cg.discover, oracle, cg.sequences.decode(tokens), method="kmer", rng=0
    )
    given = {"n_units": 20, "progress": False}
    (folder / "notes.txt").write_text("mine")
    text = refusal(call, **given, store=folder / "notes.txt")
    name = cure_in(text, r"kept in a folder; give another (store)=$")
    right = call(**given, **{name: folder / "found"}).confirmed
    text = refusal(call, **given | {"n_units": 30}, store=folder / "found")
    assert cure_in(text, r"holds another discovery.*; .*, or (these settings again)$")
    return call(**given, store=folder / "found").confirmed.equals(right)


# ---- clusters


@case
def a_client_inside_a_coroutine(_folder: Path) -> Any:
    distributed = pytest.importorskip("distributed")
    with local_cluster(1) as client:
        address = client.scheduler.address

        async def asynchronous() -> str:
            async with distributed.Client(address, asynchronous=True) as odd:
                return refusal(check_client, odd)

        text = asyncio.run(asynchronous())
        made = cure_in(text, r"one made by (distributed\.Client\(address\)), outside")
        with eval(made, {"distributed": distributed, "address": address}) as right:
            return check_client(right) is None


@case.each
def test_another_place_is_taken_as_the_message_says(case, tmp_path):
    assert np.all(case(tmp_path))

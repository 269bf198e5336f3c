"""Errors of files that another program wrote, or that were damaged on the way: the file is
saved, copied or downloaded again as the message says, and what was meant is read.
"""

from __future__ import annotations

import gzip
import hashlib
import pickle
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import requests
from cures import Cases, cure_in, refusal
from test_applied_cures import estimates, outcomes
from test_netcdf import external_link, external_storage, vast
from test_pattern_files import write_pattern

import causalgia as cg
from causalgia import inputs, notes, store
from causalgia.errors import CausalgiaWarning, DesignError
from causalgia.mpra.counts.count_formats import read_table_bytes
from causalgia.networks import deposits
from causalgia.sequences.genome import Genome

pytestmark = pytest.mark.rotating(6)

case = Cases()
LETTERS = "ACGTTGCAACNNGGT" * 4


def made_anew(
    path: Path, damage: Callable[[Path], Any], read: Callable[[], Any], cure: str
) -> bool:
    """Read a file, damage it, be refused, write it once more as the message says, and
    return whether what is read is the same.
    """
    good = path.read_bytes()
    right = read()
    damage(path)
    assert cure_in(refusal(read), rf"({cure})")
    path.write_bytes(good)
    return bool(np.all(_same(read(), right)))


def _same(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return list(one) == list(other) and str(one) == str(other)
    return one.equals(other) if hasattr(one, "equals") else one == other


def of_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def in_hdf5(change: Callable[[h5py.File], Any]) -> Callable[[Path], Any]:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


# ---- texts


TEXTS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "peaks.fa": (">p\u00e9\nACGTACGT\n", cg.sequences.read_fasta),
    "counts.tsv": (
        "barcode\toligo_name\tdna_count\trna_count\nACGT\t\u00e9l\u00e9ment\t3\t5\n",
        read_table_bytes,
    ),
    "order.csv": (
        "name,sequence\n\u00e9,ACGT\n",
        partial(inputs.read_text, error=DesignError),
    ),
}


@case
def texts_in_latin_1(folder: Path) -> Any:
    for name, (text, read) in list(TEXTS.items())[1:]:  # FASTA may have any names
        path = folder / name
        path.write_text(text, encoding="latin-1")
        encoding = cure_in(
            refusal(read, path), r"; save (?:it|the table) as (UTF-8)( text)?$"
        )
        path.write_text(path.read_text("latin-1"), encoding)
        read(path)
    return True


@case
def texts_in_utf_16(folder: Path) -> Any:
    for name, (text, read) in TEXTS.items():
        path = folder / name
        path.write_text(text, encoding="utf-16")
        found = re.search(r"(UTF-16); save it as (UTF-8)", refusal(read, path))
        assert found, name
        path.write_text(path.read_text(found[1]), found[2])
        read(path)
    return True


# ---- netCDF


def table_at(folder: Path) -> Path:
    return Path(store.save(estimates(), folder / "a.nc"))


@case
def a_table_whose_bytes_changed(folder: Path) -> Any:
    path = table_at(folder)
    read = partial(store.load, path, "estimates")
    damage = of_bytes(lambda good: good[:200] + b"\x01" + good[201:])
    return made_anew(path, damage, read, "not those that were written; make it anew$")


@case
def a_table_of_another_program_that_was_cut(folder: Path) -> Any:
    path = folder / "b.nc"
    outcomes().to_netcdf(path, engine="h5netcdf")
    read = partial(store.load, path, "outcomes")
    damage = of_bytes(lambda good: good[: len(good) // 2])
    return made_anew(path, damage, read, "damaged or no netCDF file .*make it anew$")


@case
def a_table_that_takes_for_ever(folder: Path) -> Any:
    packed = Path(__file__).parent / "reference" / "hdf5" / "endless.nc.gz"
    path = folder / "b.nc"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_time_limit", lambda _: 1)
        text = refusal(store.load, path, "outcomes")
    assert cure_in(text, r"not read in .*; (make it anew)$")
    outcomes().to_netcdf(path, engine="h5netcdf")
    return store.load(path, "outcomes")["outcome"].equals(outcomes()["outcome"])


def read_here(path: Path) -> str:
    """Return the refusal of a file that no child process reads first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_read_in_child", lambda *_, **__: None)
        return refusal(store.load, path, "outcomes")


@case
def a_group_in_itself(folder: Path) -> Any:
    path = folder / "b.nc"
    outcomes().to_netcdf(path, engine="h5netcdf")
    read = partial(store.load, path, "outcomes")

    def damage(path: Path) -> None:
        in_hdf5(lambda file: file.create_group("g").__setitem__("g", file["/"]))(path)
        assert read_here(path).startswith(f"{path}: damaged: group '/g")

    return made_anew(path, damage, read, "contains itself; make it anew$")


@case
def a_file_that_declares_too_much(folder: Path) -> Any:
    path = folder / "b.nc"
    outcomes().to_netcdf(path, engine="h5netcdf")
    in_hdf5(lambda file: vast(file, folder))(path)
    assert cure_in(
        read_here(path), r"less than any compression leaves; (make it anew)$"
    )
    outcomes().to_netcdf(path, engine="h5netcdf")
    return store.load(path, "outcomes")["outcome"].equals(outcomes()["outcome"])


@case
def a_file_that_ends_the_process(folder: Path) -> Any:
    path = folder / "b.nc"
    outcomes().to_netcdf(path, engine="h5netcdf")
    with pytest.MonkeyPatch.context() as patch:
        ended = subprocess.CompletedProcess([], -signal.SIGSEGV, b"", b"")
        patch.setattr(store.subprocess, "run", lambda *_, **__: ended)
        text = refusal(store.load, path, "outcomes")
    assert cure_in(text, r"ended with signal 11\); (make it anew)$")
    outcomes().to_netcdf(path, engine="h5netcdf")
    return store.load(path, "outcomes")["outcome"].equals(outcomes()["outcome"])


@case
def values_in_other_files(folder: Path) -> Any:
    right = outcomes()
    right.to_netcdf(folder / "secret.nc", engine="h5netcdf")
    path = folder / "b.nc"
    for reach, values in {
        external_link: right["outcome"].to_numpy(),
        external_storage: np.frombuffer(b"12345678" * 4),
    }.items():
        right.to_netcdf(path, engine="h5netcdf")
        in_hdf5(lambda file, reach=reach: reach(file, folder))(path)
        said = refusal(store.load, path, "outcomes")
        assert cure_in(said, r"write the file (anew with the values)")
        assert read_here(path) == said
        with h5py.File(path, "r+") as file:
            del file["extra"]
            file["extra"] = values
        assert np.array_equal(store.load(path, "outcomes")["outcome"], right["outcome"])
    return True


@case
def a_packed_text(_folder: Path) -> Any:
    import zlib

    table = outcomes()
    packed = zlib.compress(b"ACGT" * 100)
    for wrong, cure in {
        packed[:-4]: r"cut short.*; (make it anew)$",
        b"no zlib": r"damaged.*; (make it anew)$",
    }.items():
        odd = table.assign(text=("byte", np.frombuffer(wrong, np.uint8)))
        assert cure_in(refusal(notes.unpack_text, odd, "text"), cure)
        again = table.assign(text=("byte", np.frombuffer(packed, np.uint8)))
        assert notes.unpack_text(again, "text") == "ACGT" * 100
    return True


# ---- patterns, arrays, genomes


def modisco(folder: Path) -> Path:
    path = folder / "modisco.h5"
    with h5py.File(path, "w") as file:
        write_pattern(file.create_group("pos_patterns"), "pattern_0")
    return path


def _replace(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        group = file["pos_patterns/pattern_0"]
        del group[name]
        group[name] = value

    return change


@case
def patterns_that_are_damaged(folder: Path) -> Any:
    path = modisco(folder)
    read = partial(cg.read_patterns, path)
    damages = {
        "tables of several lengths.*; make the file anew": _replace(
            "sequence", np.ones((9, 4))
        ),
        "has base frequencies.*: make the file anew": _replace(
            "sequence", np.zeros((10, 4))
        ),
        "is an array, and tfmodisco has a group there; make the file anew": _replace(
            "seqlets", np.ones(3)
        ),
        "is a group, and tfmodisco has an array there; make the file anew": lambda file: (
            file.move("pos_patterns/pattern_0/sequence", "sequence"),
            file.create_group("pos_patterns/pattern_0/sequence"),
        ),
        "is not one number of seqlets; make the file anew": _replace(
            "seqlets/n_seqlets", np.array([1, 2])
        ),
    }
    return [
        made_anew(path, in_hdf5(change), read, cure) for cure, change in damages.items()
    ]


@case
def patterns_with_a_damaged_block(folder: Path) -> Any:
    path = modisco(folder)
    name = "pos_patterns/pattern_0/contrib_scores"
    with h5py.File(path, "r+") as file:
        values = file[name][()]
        del file[name]
        packed = file.create_dataset(name, data=values, compression="gzip")
        block = packed.id.get_chunk_info(0)
    start, stop = block.byte_offset, block.byte_offset + block.size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_read_in_child", lambda *_, **__: None)
        return made_anew(
            path,
            of_bytes(lambda good: good[:start] + bytes(block.size) + good[stop:]),
            partial(cg.read_patterns, path),
            "it is damaged or was cut short; copy or make it anew$",
        )


@case
def regions_without_their_starts(folder: Path) -> Any:
    (folder / "hits.tsv").write_text(
        "chr\tstart\tend\tmotif_name\tstrand\tpeak_id\nchr1\t3\t9\tGATA\t+\t0\n"
    )
    path = folder / "regions.npz"
    sequences = np.moveaxis(
        np.eye(4, dtype=np.int8)[np.tile([0, 3, 2, 1], (1, 5))], 2, 1
    )
    held: dict[str, Any] = {
        "sequences": sequences,
        "contributions": np.ones((1, 20)),
        "chr": np.array(["chr1"]),
        "peak_region_start": np.array([0]),
        "peak_id": np.array([0]),
    }
    np.savez(path, **held)
    read = partial(cg.read_patterns, folder / "hits.tsv", regions=path)
    return made_anew(
        path,
        lambda path: np.savez(path, **held | {"peak_region_start": np.array([0.5])}),
        read,
        "a whole number for each of 1 regions: make the file anew$",
    )


@case
def arrays_that_were_cut(folder: Path) -> Any:
    path = folder / "x.npz"
    np.savez(path, x=np.eye(4, dtype=np.int8)[:, [0, 2, 3]][None])
    return made_anew(
        path,
        of_bytes(lambda good: good[:-30]),
        lambda: cg.read_sequences(path).strings,
        "no NumPy arrays can be read.*; save them anew$",
    )


@case
def a_genome_of_64_bit_offsets(folder: Path) -> Any:
    path = folder / "g.2bit"
    path.write_bytes(struct.pack("<IIIIB4sQ", 0x1A412743, 1, 1, 0, 4, b"chr1", 33))
    assert cure_in(
        refusal(lambda: Genome(path).lengths()), r"make FASTA of it with (twoBitToFa)$"
    )
    fasta = folder / "g.fa"  # what twoBitToFa writes
    fasta.write_text(f">chr1\n{LETTERS}\n")
    with Genome(fasta) as genome:
        return genome.letters("chr1", 0, 60, place="here").decode() == LETTERS


# ---- motifs


MEME = "MEME version 4\n\nALPHABET= ACGT\n\n"


def meme(motifs: dict[str, np.ndarray]) -> str:
    """Return motifs as programs of the MEME suite write them."""
    parts = [
        f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {len(rows)}\n"
        + "".join(" ".join(f"{x:.2f}" for x in row) + "\n" for row in rows)
        for name, rows in motifs.items()
    ]
    return MEME + "\n".join(parts)


@case
def motifs_without_positions(folder: Path) -> Any:
    path, read = folder / "m.meme", cg.sequences.read_motifs
    path.write_text(meme({"A": np.ones((0, 4)), "B": np.ones((0, 4))}))
    cure = (
        r"no motif has a position; (write the file again from motifs with positions)$"
    )
    assert cure_in(refusal(read, path), cure)
    gata = np.eye(4)[[2, 0, 3, 0]]
    path.write_text(meme({"GATA": gata, "B": np.ones((0, 4))}))
    with pytest.warns(CausalgiaWarning, match="1 of 2 motifs has no position"):
        (found,) = read(path).values()
    return found.consensus == "GATA" and np.array_equal(found.probabilities, gata)


@case
def a_row_of_homer_that_was_cut(folder: Path) -> Any:
    path, read = folder / "m.motif", cg.sequences.read_motifs
    rows = ["0.1\t0.1\t0.7\t0.1", "0.7\t0.1\t0.1\t0.1", "0.1\t0.1\t0.1\t0.7"]
    for wrong in ("0.7\t0.1\t0.1", "A\t0.7\t0.1\t0.1\t0.1"):
        lines = [">GAT\tGATA1(Zf)\t3.2", rows[0], wrong, rows[2]]
        path.write_text("\n".join(lines) + "\n")
        cure = (
            r"line (\d): .* four probabilities \(A, C, G, T\) for each .*; correct it$"
        )
        lines[int(cure_in(refusal(read, path), cure)) - 1] = rows[1]
        path.write_text("\n".join(lines) + "\n")
        (found,) = read(path).values()
        assert (found.name, found.consensus) == ("GATA1(Zf)", "GAT")
    return True


@case
def a_first_line_that_may_be_a_head(folder: Path) -> Any:
    path = folder / "box.csv"
    rows = ["9,1,1,1", "2,14,3,1", "1,1,1,30", "4,9,1,1", "7,1,1,1"]
    path.write_text("\n".join(["0,1,2,3", *rows]))
    text = refusal(cg.motif, path)
    line = int(cure_in(text, r"line (\d): .*; drop it if it is the former, else"))
    path.write_text("\n".join(["0,1,2,3", *rows][line:]))
    assert cg.motif(path).consensus == "ACTCA"
    names = cure_in(text, r"else name the columns above it \('([ACGT ]+)'\)$")
    path.write_text("\n".join([names.replace(" ", ","), "0,1,2,3", *rows]))
    return cg.motif(path).consensus == "TACTCA"


# ---- tables of counts


@case
def barcodes_in_a_pickle(folder: Path) -> Any:
    path = folder / "the barcodes of mine.pickle"
    path.write_bytes(pickle.dumps({"a": {"ACGTACGT", "TTGCATTG"}, "b": {"GGCATTAC"}}))
    (folder / "counts.tsv").write_text(
        "barcode\tdna_count_1\trna_count_1\nACGTACGT\t5\t7\nTTGCATTG\t6\t2\n"
        "GGCATTAC\t3\t9\n"
    )
    side = pd.DataFrame(
        {"oligo_name": ["a", "b"], "element": ["u"] * 2, "arm": ["ref", "alt"]}
    )
    read = partial(cg.mpra.read_counts, folder / "counts.tsv", side_table=side)
    text = refusal(read, assignment=path)
    command = cure_in(text, r"write it as text, and give that as assignment=: (.*)$")
    command = command.replace("python", shlex.quote(sys.executable), 1)
    subprocess.run(command, shell=True, cwd=folder, check=True)
    found = read(assignment=folder / cure_in(command, r"> (\S+)$"))
    names = found["oligo"].to_numpy()[found["oligo_index"].to_numpy()]
    return dict(zip(found["barcode"].to_numpy().tolist(), names, strict=True)) == {
        "ACGTACGT": "a",
        "TTGCATTG": "a",
        "GGCATTAC": "b",
    }


# ---- published networks


FILES = {"a.json": b"{}", "a.h5": b"weights"}


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A mirror with one network, a deposit that is downloaded from a folder, and an empty
    cache.
    """
    deposit = tmp_path / "deposit"
    deposit.mkdir()
    listed = []
    for name, content in FILES.items():
        (deposit / name).write_bytes(content)
        sum_ = f"sha256:{hashlib.sha256(content).hexdigest()}"
        listed.append({"file": name, "url": str(deposit / name), "sum": sum_})
    known = dict(deposits.deposits()["deepstarr"], files=listed)
    monkeypatch.setattr(deposits, "deposits", lambda: {"toy": known})

    def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
        """Download from a folder, as pooch does from an address."""
        if not Path(url).is_file():
            raise requests.ConnectionError(url)
        content = Path(url).read_bytes()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != known_hash:
            raise ValueError("the hash differs")
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(content)
        return str(path / fname)

    pooch = types.SimpleNamespace(retrieve=retrieve, os_cache=lambda _: tmp_path / "c")
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    mirror = tmp_path / "mirror"
    shutil.copytree(deposit, mirror / "toy")
    monkeypatch.setenv(deposits.MIRROR, str(mirror))
    return mirror


def fetched() -> bool:
    paths = cg.networks.fetch("toy")
    return {name: path.read_bytes() for name, path in paths.items()} == FILES


def test_a_mirror_that_is_no_folder_is_named_anew_or_unset(mirror, monkeypatch):
    monkeypatch.setenv(deposits.MIRROR, str(mirror / "toy" / "a.h5"))
    text = refusal(cg.networks.fetch, "toy")
    name = cure_in(text, r"^(\w+)=")
    assert (mirror / cure_in(text, r"give one that has (\S+),")).is_file()
    monkeypatch.setenv(name, str(mirror))
    assert fetched()
    assert cure_in(text, r"or (unset it) to download")
    monkeypatch.delenv(name)
    assert fetched()


def test_a_damaged_file_of_a_mirror_is_removed(mirror):
    (mirror / "toy" / "a.h5").write_bytes(b"cut o")
    path = cure_in(refusal(cg.networks.fetch, "toy"), r"^(.*a\.h5): .*: remove it, and")
    Path(path).unlink()
    assert fetched()


def test_a_download_that_was_cut_off_is_tried_again(mirror, monkeypatch):
    monkeypatch.delenv(deposits.MIRROR)
    deposit = mirror.parent / "deposit" / "a.h5"
    deposit.write_bytes(b"cut o")
    text = refusal(cg.networks.fetch, "toy")
    assert cure_in(text, r"the download was cut off, .*: (try again), or set")
    deposit.write_bytes(FILES["a.h5"])
    assert fetched()
    deposit.write_bytes(b"another version")  # or: the file from elsewhere
    text = refusal(cg.networks.fetch, "toy")
    found = re.search(r"or set (\w+) to a folder that has (\S+)$", text)
    assert found
    assert (mirror / found[2]).is_file()
    monkeypatch.setenv(found[1], str(mirror))
    assert fetched()


def test_a_cache_that_cannot_be_written_gets_room_or_is_left_alone(mirror, monkeypatch):
    """Write access was asked for where a file stands in the place of the folder."""
    monkeypatch.delenv(deposits.MIRROR)
    (mirror.parent / "c").write_text("a file")
    text = refusal(cg.networks.fetch, "toy")
    with monkeypatch.context() as patch:
        patch.setenv(cure_in(text, r"or set (\w+) to a folder that has"), str(mirror))
        assert fetched()
    Path(cure_in(text, r"; move the file (\S+) away, or")).unlink()
    assert fetched()

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pooch"], "retrieve", full)
        text = refusal(cg.networks.fetch, "toy")
    assert cure_in(text, r"\((No space left on device)\); give write access and space")
    assert fetched()


def test_without_a_connection_files_are_put_into_a_folder(mirror, monkeypatch):
    monkeypatch.delenv(deposits.MIRROR)
    deposit, away = mirror.parent / "deposit", mirror.parent / "away"
    deposit.rename(away)
    text = refusal(cg.networks.fetch, "toy")
    assert cure_in(text, r"(check the connection), or")
    found = re.search(r"or set (\w+) to a folder that has (\S+)$", text)
    assert found
    with monkeypatch.context() as patch:
        patch.setenv(found[1], str(mirror))
        assert fetched()
    (mirror / "toy" / "a.h5").unlink()  # and a folder that lacks one of them
    monkeypatch.setenv(found[1], str(mirror))
    place = cure_in(refusal(cg.networks.fetch, "toy"), r"or put the file at (\S+)$")
    shutil.copy(away / "a.h5", place)
    assert fetched()
    away.rename(deposit)


def test_without_pooch_files_are_saved_as_it_says(mirror, monkeypatch):
    retrieving = sys.modules["pooch"]
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delenv(deposits.MIRROR)
    shutil.rmtree(mirror / "toy")
    for _ in FILES:  # one file after the other
        text = refusal(cg.networks.fetch, "toy")
        found = re.search(
            r"save (\S+) as (\S+) in a folder, and set (\w+) to it$", text
        )
        if found is None:
            found = re.search(r"has no (\S+); save (\S+) there", text)
            assert found
            source, place = found[2], found[1]
        else:
            source, place = found[1], found[2]
            monkeypatch.setenv(found[3], str(mirror))
        (mirror / place).parent.mkdir(exist_ok=True)
        shutil.copy(source, mirror / place)
    assert fetched()
    (mirror / "toy" / "a.h5").unlink()  # or the package, as after pip
    assert "pip install 'causalgia[networks]'" in refusal(cg.networks.fetch, "toy")
    monkeypatch.setitem(sys.modules, "pooch", retrieving)
    assert fetched()


def test_packages_of_hdf5_are_installed_as_it_says(monkeypatch, tmp_path):
    path, right = table_at(tmp_path), estimates()
    for gone in ("h5py", "h5netcdf"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, gone, None)
            command = cure_in(
                refusal(store.load, path, "estimates"), r"; (pip install .*)$"
            )
        assert gone in command.split()  # and it is there again, as after pip
        assert store.load(path, "estimates")["ace"].equals(right["ace"])


@case.each
def test_a_file_is_made_anew_as_the_message_says(case, tmp_path):
    assert np.all(case(tmp_path))

"""What a file is, by its first bytes, in every reader. A user's report (a Git LFS pointer was called a
stranger's pickle, UTF-16 .2bit).
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import causalgia as cg
from causalgia import sequences
from causalgia.errors import CausalgiaError
from causalgia.inputs import no_text, stand_in
from causalgia.sequences.genome import Genome
from causalgia.trial_file import read_spec

VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t5\t.\tA\tC\n"
FASTA = ">chr1\nACGTACGTACGTACGTACGT\n"
BOX = ">box\n1 3 2 14\n13 0 0 7\n7 1 1 11\n20 0 0 0\n"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (
    b"a" * 64
)
STAND_INS = {
    "a Git LFS pointer": (LFS, "run git lfs pull"),
    "a pointer behind a mark": (b"\xef\xbb\xbf" + LFS, "run git lfs pull"),
    "a git-annex pointer": (
        b"/annex/objects/SHA256E-s12--ab.fa\n",
        "run git annex get",
    ),
    "a git-annex link": (b"../.git/annex/objects/x/y/SHA256E-s1--a", "git annex get"),
    "a web page": (b"<!DOCTYPE html>\n<html><title>404</title>", "web page"),
    "a web page without a head": (b"<script>location='/login'</script>", "web page"),
    "a web page in capitals": (b"\n<HTML><body>Not found", "web page"),
    "a refusal of S3": (
        b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code>',
        "a server's refusal",
    ),
    "a refusal of GitHub": (b"404: Not Found", "a server's refusal"),
    "a refusal in JSON": (b'{"message": "Not Found"}', "a server's refusal"),
}


def tar(text: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        entry = tarfile.TarInfo("x.txt")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()


def spreadsheet(_: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return held.getvalue()


NO_TEXTS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "UTF-16": (lambda text: text.encode("utf-16"), "UTF-16; save it as UTF-8"),
    "UTF-16 without a mark": (lambda text: text.encode("utf-16-le"), "UTF-16; save it"),
    "UTF-16, the other order": (lambda text: text.encode("utf-16-be"), "UTF-16; save"),
    "UTF-32": (lambda text: text.encode("utf-32"), "UTF-32; save it as UTF-8"),
    "BCF": (lambda _: b"BCF\2\2" + bytes(40), "bcftools view -O v"),
    "BCF, compressed": (
        lambda _: gzip.compress(b"BCF\2\2" + bytes(40), mtime=0),
        "BCF|gzip",
    ),
    "HDF5": (lambda _: b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    ".2bit": (lambda _: b"\x43\x27\x41\x1a" + bytes(30), "twoBitToFa"),
    "xz": (lambda _: b"\xfd7zXZ\0" + bytes(30), "xz -d"),
    "lz4": (lambda _: b"\x04\x22\x4d\x18" + bytes(30), "lz4 -d"),
    "Parquet": (lambda _: b"PAR1\x15\x04" + bytes(30), "is a Parquet table"),
    "Arrow": (lambda _: b"ARROW1\0\0" + bytes(30), "is an Arrow table"),
    "SQLite": (lambda _: b"SQLite format 3\0" + bytes(30), "SQLite database"),
    "a pickle": (lambda _: b"\x80\4\x95" + bytes(30), "is a pickle of Python"),
    "R": (
        lambda _: gzip.compress(b"X\n\0\0\0\3" + bytes(30), mtime=0),
        "R object|gzip",
    ),
    "tar": (tar, "is a tar archive|gunzip"),
    "tar, compressed": (
        lambda text: gzip.compress(tar(text), mtime=0),
        "is a tar archive|gunzip",
    ),
    "a spreadsheet": (spreadsheet, "is a spreadsheet"),
    "gzip in gzip": (
        lambda text: gzip.compress(gzip.compress(text.encode(), mtime=0), mtime=0),
        "gunzip",
    ),
}


def genome_of(path: Path) -> bytes:
    with Genome(path) as genome:
        return genome.letters("chr1", 0, 4, place="test")


def side_table(path: Path) -> object:
    return cg.mpra.read_counts(path, side_table=path)


def network(path: Path) -> object:
    return cg.load_predictor(f"{path}:load", tasks=["a"], scale="z", announce=None)


def weights(path: Path) -> object:
    code = path.with_name("net.py")
    code.write_text("import torch\ndef load(): return torch.nn.Conv1d(4, 2, 7)\n")
    return cg.load_predictor(
        f"{code}:load", weights=str(path), tasks=["a"], scale="z", announce=None
    )


TEXT_READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "FASTA": ("x.fa", FASTA, sequences.read_fasta),
    "genome": ("x.fa", FASTA, genome_of),
    "VCF": ("x.vcf", VCF, sequences.read_variants),
    "motifs": ("x.meme", BOX, sequences.read_motifs),
    "patterns": ("x.txt", BOX, cg.read_patterns),
    "counts": ("x.tsv", "barcode\toligo_name\n", side_table),
    "trial file": ("x.toml", "rng = 1\n", read_spec),
    "Python": ("x.py", "def load(): pass\n", network),
}
BINARY_READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "weights of torch": ("w.pt", weights),
    "safetensors": ("w.safetensors", weights),
    "ONNX": (
        "net.onnx",
        lambda path: cg.OnnxPredictor(path, tasks=["a"], scale="z"),
    ),
    "Keras": ("net.h5", cg.predict.from_keras_h5),
    "arrays": ("x.npz", sequences.read_sequences),
    "Dataset": ("x.nc", lambda path: cg.store.load(path, "outcomes")),
}


@pytest.mark.parametrize("what", STAND_INS)
@pytest.mark.parametrize("reader", [*TEXT_READERS, *BINARY_READERS])
def test_what_stands_in_for_a_file_is_named(tmp_path, reader, what):
    name, *_, read = TEXT_READERS.get(reader) or BINARY_READERS[reader]
    content, cure = STAND_INS[what]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CausalgiaError, match=cure):
        read(path)


@pytest.mark.rotating(6)
@pytest.mark.parametrize("what", NO_TEXTS)
@pytest.mark.parametrize("reader", TEXT_READERS)
def test_what_is_no_text_is_named(tmp_path, reader, what):
    name, text, read = TEXT_READERS[reader]
    encode, cure = NO_TEXTS[what]
    path = tmp_path / name
    path.write_bytes(encode(text))
    with pytest.raises(CausalgiaError, match=cure):
        read(path)


@pytest.mark.parametrize("reader", ["FASTA", "genome", "VCF", "motifs", "patterns"])
@pytest.mark.parametrize("how", ["gzip", "mark", "carriage returns"])
def test_text_is_read_by_its_content(tmp_path, reader, how):
    # gzip under another name, UTF-8 with a mark, and old line ends are read
    name, text, read = TEXT_READERS[reader]
    path, plain = tmp_path / name, tmp_path / f"plain_{name}"
    plain.write_text(text)
    path.write_bytes(
        {
            "gzip": gzip.compress(text.encode(), mtime=0),
            "mark": b"\xef\xbb\xbf" + text.encode(),
            "carriage returns": text.replace("\n", "\r").encode(),
        }[how]
    )
    made, wanted = read(path), read(plain)
    if reader == "FASTA":
        made, wanted = list(made.names), list(wanted.names)
    assert made == wanted


@pytest.mark.parametrize("reader", ["weights of torch", "safetensors", "ONNX", "Keras"])
@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (gzip.compress(b"x" * 99, mtime=0), "gunzip"),
        (b"", "is empty"),
        (b"layer,weight\nconv1,0.3\n", "is text"),
        ("layer,weight\n".encode("utf-16"), "is text"),
    ],
    ids=["gzip", "nothing", "text", "UTF-16"],
)
def test_what_is_no_network_is_named(tmp_path, reader, content, cure):
    name, read = BINARY_READERS[reader]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CausalgiaError, match=cure):
        read(path)


@pytest.mark.rotating(6)
@pytest.mark.parametrize("what", ["Parquet", "xz", "tar", "a spreadsheet", "SQLite"])
@pytest.mark.parametrize("reader", BINARY_READERS)
def test_what_is_another_program_s_is_named(tmp_path, reader, what):
    name, read = BINARY_READERS[reader]
    encode, cure = NO_TEXTS[what]
    path = tmp_path / name
    path.write_bytes(encode("x"))
    if what == "a spreadsheet" and reader == "Keras":
        cure = "is not a .keras archive"
    with pytest.raises(CausalgiaError, match=cure):
        read(path)


@pytest.mark.rotating(6)
@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"a,b\n1,2\n", "is text"), (b"BZh9" + bytes(30), "bunzip2")],
)
def test_what_is_no_dataset_is_named(tmp_path, content, words):
    path = tmp_path / "x.nc"
    path.write_bytes(content)
    with pytest.raises(CausalgiaError, match=words):
        cg.store.load(path, "outcomes")


def test_weights_are_known_by_their_content(tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Conv1d(4, 2, 7)
    cg.predict.save_weights(net, tmp_path / "net.safetensors")
    (tmp_path / "net.safetensors").rename(tmp_path / "w.pt")
    assert weights(tmp_path / "w.pt")
    torch.save(net.state_dict(), tmp_path / "w.safetensors")
    assert weights(tmp_path / "w.safetensors")
    # HDF5 under the name of torch's
    (tmp_path / "w.pt").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
    with pytest.raises(CausalgiaError, match="from_keras_h5"):
        weights(tmp_path / "w.pt")


def beside(path: Path, name: str, text: str) -> Path:
    """Return a sound file beside a false one."""
    place = path.with_name(name)
    place.write_text(text)
    return place


def genome_beside(path: Path) -> Path:
    return beside(path, "sound.fa", ">chr1\n" + "ACGT" * 60 + "\n")


def table_beside(path: Path) -> Path:
    return beside(path, "sound.tsv", "oligo_name\telement\tarm\na\te\tx\n")


def counts_beside(path: Path) -> Path:
    head = "barcode\tname\tdna_count_1\trna_count_1\n"
    return beside(path, "counts.tsv", head + "ACGT\ta\t3\t4\n")


def list_beside(path: Path, kind: str) -> Path:
    return (
        beside(path, "sound.bed", "chr1\t10\t50\n")
        if kind == "bed"
        else beside(path, "sound.vcf", VCF.replace("\t5\t", "\t101\t"))
    )


def controls(path: Path) -> object:
    arms = {"a": cg.Untreated(), "b": cg.Embed("ACG", at=2)}
    return cg.mpra.library(
        cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=4),
        controls=cg.mpra.Controls(positives=path, negatives=path),
        oligo_length=50,
        adapters=("ACGTACGTAC", "TTGCATTGCA"),
        rng=0,
    )


def with_counts(**given: Any) -> object:
    return cg.mpra.read_counts(**given)


MORE_READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "BED": ("x.bed", lambda x: sequences.from_bed(x, genome_beside(x), length=20)),
    "genome of BED": (
        "x.fa",
        lambda x: sequences.from_bed(list_beside(x, "bed"), x, length=20),
    ),
    "sequences of a text file": ("x.txt", cg.read_sequences),
    "sequences of a table": ("x.csv", cg.read_sequences),
    "2bit genome": (
        "x.2bit",
        lambda x: cg.read_sequences(list_beside(x, "bed"), genome=x, length=20),
    ),
    "a null model": ("x.fa", lambda x: cg.Shuffle(of=x)),
    "variants": (
        "x.vcf",
        lambda x: cg.experiments.variant_effects(x, genome_beside(x), length=20),
    ),
    "genome of variants": (
        "x.fa",
        lambda x: cg.experiments.variant_effects(list_beside(x, "vcf"), x, length=20),
    ),
    "tiles of variants": (
        "x.vcf",
        lambda x: cg.mpra.variant_tiles(x, genome_beside(x), insert_length=40),
    ),
    "a list of variants": (
        "x.tsv",
        lambda x: cg.mpra.variant_tiles(x, genome_beside(x), insert_length=40),
    ),
    "a motif": ("x.pfm", cg.motif),
    "motifs of a screen": ("x.meme", cg.experiments.motif_screen),
    "motifs of a library": ("x.jaspar", lambda x: cg.mpra.OligoRules(motifs=x)),
    "hits": ("hits.tsv", cg.read_patterns),
    "counts": (
        "x.tsv",
        lambda x: with_counts(path=x, side_table=table_beside(x)),
    ),
    "compressed counts": (
        "x.tsv.gz",
        lambda x: with_counts(path=x, side_table=table_beside(x)),
    ),
    "counts that are called Parquet": (
        "x.parquet",
        lambda x: with_counts(path=x, side_table=table_beside(x)),
    ),
    "an assignment": (
        "x.tsv",
        lambda x: with_counts(
            path=counts_beside(x), side_table=table_beside(x), assignment=x
        ),
    ),
    "conditions": (
        "x.tsv",
        lambda x: with_counts(
            path=counts_beside(x), side_table=table_beside(x), conditions=x
        ),
    ),
    "an experiment": (
        "experiment.csv",
        lambda x: with_counts(path=x, side_table=table_beside(x)),
    ),
    "controls": ("x.fa", controls),
    "prices": ("x.toml", lambda x: cg.mpra.PlannedLibrary(prices=x)),
    "IGVF": ("x.tsv", lambda x: cg.mpra.read_igvf(x, "reporter_element")),
    "IGVF, compressed": ("x.gz", lambda x: cg.mpra.read_igvf(x, "reporter_variant")),
    "IGVF, BED": ("x.bed", lambda x: cg.mpra.read_igvf(x, "reporter_genomic_element")),
    "a lock": ("lock.toml", cg.Protocol.read),
}
"""Readers of text, each called as one would call it, with sound files beside."""


def weights_of_keras(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    place = path.with_name("w.h5")
    with h5py.File(place, "w") as file:
        file["a"] = [1.0]
    return place


@pytest.mark.rotating(6)
@pytest.mark.parametrize("what", ["UTF-16", "a spreadsheet", "nothing"])
def test_a_graph_of_keras_that_is_none_is_named(tmp_path, what):
    encode, cure = NO_TEXTS.get(
        what, (lambda _: b"", r"is empty; write it by model\.to")
    )
    path = tmp_path / "net.json"
    path.write_bytes(encode("{}"))
    with pytest.raises(CausalgiaError, match=cure):
        cg.predict.from_keras_h5(weights_of_keras(path), config=path)


@pytest.mark.rotating(6)
@pytest.mark.parametrize("reader", MORE_READERS)
def test_every_reader_names_every_false_file(tmp_path, reader):
    name, read = MORE_READERS[reader]
    false = STAND_INS | {
        what: (encode("a\tb\n1\t2\n"), cure)
        for what, (encode, cure) in NO_TEXTS.items()
    }
    false["nothing"] = (
        b"",
        "empty|has no |holds no|no motif|no intervals|no variants|not ''",
    )
    false["zeros"] = (bytes(200), "binary|character|byte")
    if reader == "2bit genome":
        del false[".2bit"]  # is read, or is damaged
    unnamed = []
    for what, (content, cure) in false.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(CausalgiaError) as error:
            read(path)
        if not re.search(cure, str(error.value)):
            unnamed.append((what, str(error.value)))
    assert not unnamed


def test_ordinary_files_are_not_taken_for_others():
    for head in (b">html\nACGT", b"404\t5\t.\tA\tC", b'{"arms": 1}', b"<a>", b""):
        assert not stand_in(head)
        assert not no_text(head)


OF_TORCH = """import causalgia as cg
import torch


def load(weights):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 1))
    net.load_state_dict(torch.load(weights, weights_only=True))
    return cg.TorchPredictor(net, tasks=["a"], device="cpu")
"""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            gzip.compress(b"weights", mtime=0),
            "is compressed by gzip; unpack it with gunzip",
        ),
        (
            b"\x89HDF\r\n\x1a\n",
            "is HDF5, as Keras writes; read it with .*from_keras_h5",
        ),
        (b"PAR1", "is a Parquet table; give the file of weights"),
        (b"epoch\tloss\n1\t.2\n", "is text; give the file of weights"),
        (bytes(200), "is no file that torch.save wrote; give the file of weights"),
        (b"", "is empty; fetch or save it again"),
    ],
)
def test_weights_that_torch_cannot_read_are_named(tmp_path, content, says):
    # "re-running torch.load with weights_only set to False will likely succeed"
    torch = pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(OF_TORCH)
    weights = tmp_path / "w.pt"
    weights.write_bytes(content)
    with pytest.raises(CausalgiaError, match=rf"w\.pt: {says}") as error:
        cg.load_predictor(f"{tmp_path}/net.py:load", weights=weights, announce=False)
    assert "weights_only" not in str(error.value)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 1))
    torch.save(net.state_dict(), weights)  # the cure
    cg.load_predictor(f"{tmp_path}/net.py:load", weights=weights, announce=False)

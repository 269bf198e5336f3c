"""Stores that somebody else made: nothing is written outside of them, and no number of
theirs is believed.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_trial import begun, carry_out, files, in_memory
from foreign_store import (
    change_log,
    logged,
    manifest_of,
    origin_of,
    put_copy,
    put_manifest,
    put_static,
    records_of,
)

import causalgia as cg
from causalgia.errors import FallbackWarning, StoreError
from causalgia.trial.archive import open_archive, verify
from causalgia.trial.archive.files import checksum, mark_of, place_of, seal
from causalgia.trial.archive.journal import read_state
from causalgia.trial.archive.layout import CONTROL


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "trial.zarr"
    carry_out(path)
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "here" / "trial.zarr"))


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "arm/../../escaped",
        "/{folder}/escaped",
        "arm/c/../../../escaped",
        "./zarr.json",
        "arm//zarr.json",
        "arm\\c",
        f"{CONTROL}/log",
        f"{CONTROL}/manifest.json",
        f"{CONTROL}/c/0",
        "outcome/c/0/0/0/0",
        "arm/escaped",
        "escaped",
        "",
    ],
)
def test_names_outside_the_layout_are_refused_and_nothing_is_written(store, name):
    named = name.format(folder=str(store.parent).lstrip("/"))
    content = manifest_of(store)
    content["static"][named] = mark_of(b"theirs")
    put_manifest(store, content, {named: b"theirs"})
    before = files(store.parent)
    for call in (begun, open_archive, verify):
        with pytest.raises(StoreError):
            call(store)
    assert files(store.parent) == before


def test_the_store_itself_may_be_a_link(store, tmp_path):
    (tmp_path / "link").symlink_to(store)
    assert open_archive(tmp_path / "link").load().identical(in_memory())
    begun(tmp_path / "link").close()


def test_a_log_of_two_names_is_written_under_one(store):
    """A backup made of hard links keeps what it had."""
    shutil.rmtree(store / "outcome/c/1")
    os.link(store / CONTROL / "log", store.parent / "backup")
    before = (store.parent / "backup").read_bytes()
    with pytest.warns(FallbackWarning):
        carry_out(store)
    assert (store.parent / "backup").read_bytes() == before


def test_a_predictor_that_changes_the_working_folder_does_not_lead_the_store_astray(
    tmp_path, monkeypatch
):
    (tmp_path / "home").mkdir()
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "home")

    def share(x: np.ndarray) -> np.ndarray:
        os.chdir(tmp_path / "away")
        return x[:, 1:3].sum((1, 2)) / 30

    arms = {"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    design = cg.Design(
        null=cg.Uniform(length=30), arms=arms, n_units=20, contrasts="control"
    )
    predictor = cg.FunctionPredictor(share, tasks=["GC"])
    for keep in ("outcomes", "effects", "moments"):
        os.chdir(tmp_path / "home")
        found = cg.run(design, predictor, rng=0, store=f"{keep}.zarr", keep=keep)
        assert Path.cwd() == tmp_path / "away"
        assert found.load().sizes["task"] == 1
        assert not list((tmp_path / "away").iterdir())
        assert cg.open(tmp_path / "home" / f"{keep}.zarr").identical(found)


def test_a_home_that_is_nobodys_is_a_typed_error():
    with pytest.raises(StoreError):
        cg.open("~nobody-of-this-name/trial.zarr")


def replaced(
    path: Path, change: Callable[[np.ndarray], np.ndarray], dtype: str = "<f4"
) -> None:
    """Change the numbers of a chunk, under the checksum that they have then."""
    numbers = change(np.frombuffer(path.read_bytes()[:-4], dtype))
    data = np.frombuffer(numbers.astype(dtype).tobytes(), np.uint8)
    path.write_bytes(data.tobytes() + checksum(data))


def test_a_chunk_of_another_store_is_no_number(store):
    replaced(store / "outcome/c/0/0/0/1", lambda numbers: numbers + 1)
    with pytest.raises(
        StoreError,
    ):
        open_archive(store).load()
    assert verify(store) == ("outcome/c/0/0/0/1",)
    with pytest.warns(FallbackWarning):
        carry_out(store)
    assert open_archive(store).load().identical(in_memory())


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_commits_and_sums_of_another_seed_are_not_taken_for_its_own(tmp_path, keep):
    """Whole and intact, and of a trial that differs in its seed alone: chunks with
    their log, and sums.
    """
    mine, theirs = (
        cg.run(DESIGN, SHARE, rng=seed, store=tmp_path / str(seed), keep=keep).load()
        for seed in (0, 1)
    )
    assert not mine.identical(theirs)
    store, other = tmp_path / "0", tmp_path / "1"
    grown = [
        path.relative_to(other)
        for path in other.rglob("*")
        if "c" in path.relative_to(other).parts
    ]
    moved = [Path(CONTROL, name) for name in ("log", "state-0", "state-1")] + [
        p for p in grown if (other / p).is_file()
    ]
    for name in moved:
        if (other / name).exists():
            shutil.copy(other / name, store / name)
    with pytest.raises(StoreError):
        cg.open(store)
    with pytest.warns(FallbackWarning):
        found = cg.run(DESIGN, SHARE, rng=0, store=store, keep=keep)
    assert found.load().identical(mine)


def test_an_effect_cannot_be_moved_by_a_chunk_of_another_seed(tmp_path):
    arms = {"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=400)
    share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"])
    for seed in (0, 1):
        cg.run(design, share, rng=seed, store=tmp_path / f"{seed}.zarr")
    shutil.copyfile(
        tmp_path / "1.zarr/outcome/c/0/0/0", tmp_path / "0.zarr/outcome/c/0/0/0"
    )
    found = cg.open(tmp_path / "0.zarr")
    with pytest.raises(StoreError):
        cg.estimate(cg.contrast(found, control="control"))


# 100 levels are parsed
DEEP, TOO_DEEP = (json.loads("[" * n + "]" * n) for n in (90, 400))


MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda m: [m],
    "a number": lambda m: 7,
    "no grid": lambda m: m.pop("grid") and None,
    "no static": lambda m: m.pop("static") and None,
    "no identity": lambda m: m.pop("identity") and None,
    "no origin": lambda m: m.pop("origin") and None,
    "origin is a number": lambda m: m.update(origin=7),
    "origin is a text": lambda m: m.update(origin="\x1b" + "x" * 5_000),
    "no settled": lambda m: (m.pop("settled"), None)[1],
    "a key more": lambda m: m.update(more=1),
    "parts are a list": lambda m: m.update(parts=[]),
    "parts have numbers": lambda m: m["parts"].update(code=1),
    "more identity": lambda m: m["identity"].update({"\x1b[31m" + "x" * 5_000: "1"}),
    "grid is a text": lambda m: m.update(grid="grid"),
    "grid is deep": lambda m: m.update(grid=DEEP),
    "grid is too deep": lambda m: m.update(grid=TOO_DEEP),
    "identity is a list": lambda m: m.update(identity=["design"]),
    "identity has numbers": lambda m: m["identity"].update(design=1),
    "static is a list": lambda m: m.update(static=list(m["static"])),
    "static has numbers": lambda m: m["static"].update({"arm/zarr.json": 12}),
    "static has no mark": lambda m: m["static"].update({"arm/zarr.json": "12:xyz"}),
    "texts is a number": lambda m: m.update(texts=1),
    "texts of another dtype": lambda m: m["texts"].update(arm="<f8"),
    "texts of a huge width": lambda m: m["texts"].update(arm="<U999999999999"),
    "texts of nothing there": lambda m: m["texts"].update(nothing="<U3"),
    "no fields": lambda m: m["grid"].update(fields=[]),
    "a field without a name": lambda m: m["grid"]["fields"][1].pop("name") and None,
    "a field named by a number": lambda m: m["grid"]["fields"][1].update(name=3),
    "a field named ..": lambda m: m["grid"]["fields"][1].update(name=".."),
    "a field twice": lambda m: m["grid"]["fields"].append(m["grid"]["fields"][1]),
    "a field that is a list": lambda m: m["grid"]["fields"].append([]),
    "dims are a text": lambda m: m["grid"]["fields"][1].update(dims="unit"),
    "dims are numbers": lambda m: m["grid"]["fields"][1].update(dims=["unit", 1, 2, 3]),
    "another number of dims": lambda m: m["grid"]["fields"][1].update(dims=["unit"]),
    "a shape of texts": lambda m: m["grid"]["fields"][1].update(shape=["2", "1", "2"]),
    "a shape of 10^12": lambda m: m["grid"]["fields"][1].update(shape=[10**12, 1, 2]),
    "a shape of 10^4000": lambda m: m["grid"]["fields"][1].update(
        shape=[10**4000, 1, 2]
    ),
    "a negative shape": lambda m: m["grid"]["fields"][1].update(shape=[-2, 1, 2]),
    "10^12 models": lambda m: m["grid"]["fields"][1].update(shape=[2, 1, 10**12]),
    "a dtype of objects": lambda m: m["grid"]["fields"][1].update(dtype="O"),
    "a dtype of fields": lambda m: m["grid"]["fields"][1].update(dtype="f4,f4"),
    "a dtype that is none": lambda m: m["grid"]["fields"][1].update(dtype="float33"),
    "a dtype that is a list": lambda m: m["grid"]["fields"][1].update(dtype=["f4"]),
    "a wider dtype": lambda m: m["grid"]["fields"][1].update(dtype="<f8"),
    "turns are a text": lambda m: m["grid"].update(turn_ends="4, 8"),
    "turns are none": lambda m: m["grid"].update(turn_ends=[]),
    "turns are deep": lambda m: m["grid"].update(turn_ends=DEEP),
    "turns are too deep": lambda m: m["grid"].update(turn_ends=TOO_DEEP),
    "turns decrease": lambda m: m["grid"].update(turn_ends=[8, 4, 11]),
    "turns are fractions": lambda m: m["grid"].update(turn_ends=[4.0, 8.0, 11.0]),
    "turns are true": lambda m: m["grid"].update(turn_ends=[True, 8, 11]),
    "turns of 2^63": lambda m: m["grid"].update(turn_ends=[2**63, 2**64, 2**65]),
    "turns of 10^4000": lambda m: m["grid"].update(turn_ends=[10**4000]),
    "other turns": lambda m: m["grid"].update(turn_ends=[4, 8, 12]),
    "no turn a chunk": lambda m: m["grid"].update(turns_a_chunk=0),
    "a text of turns a chunk": lambda m: m["grid"].update(turns_a_chunk="2"),
    "10^4000 turns a chunk": lambda m: m["grid"].update(turns_a_chunk=10**4000),
    "version is a list": lambda m: m.update(version=[1] * 10_000),
    "kind is another": lambda m: m.update(kind="trial of another kind"),
}


@pytest.mark.parametrize("how", MANIFESTS)
def test_a_manifest_of_another_content_is_typed_damage(store, how):
    content = manifest_of(store)
    found = MANIFESTS[how](content)
    put_manifest(store, content if found is None else found)
    for call in (
        (begun,)
        if how == "more identity"
        else (lambda path: open_archive(path).load(), begun)
    ):
        with pytest.raises(StoreError):
            call(store)


RECORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda r: [r],
    "a number": lambda r: 7,
    "no chunk": lambda r: r.pop("chunk") and {},
    "a key more": lambda r: r.update(more=1),
    "a chunk beyond the last": lambda r: r.update(chunk=r["chunk"] + 7),
    "a chunk of 10^4000": lambda r: r.update(chunk=10**4000),
    "a chunk that is a text": lambda r: r.update(chunk="0"),
    "a chunk that is deep": lambda r: r.update(chunk=DEEP),
    "a chunk that is too deep": lambda r: r.update(chunk=TOO_DEEP),
    "a model that is a list": lambda r: r.update(model=[0]),
    "a model beyond the last": lambda r: r.update(model=9),
    "done is a number": lambda r: r.update(done=3),
    "done is not a number": lambda r: r.update(done="three"),
    "done is more than all": lambda r: r.update(done="0xffffffffff"),
    "files are a list": lambda r: r.update(files=list(r["files"])),
    "files are none": lambda r: r.update(files={}),
    "files are others": lambda r: r.update(
        files={f"../{name}": mark for name, mark in r["files"].items()}
    ),
    "marks are numbers": lambda r: r.update(files=dict.fromkeys(r["files"], 3)),
    "marks are none": lambda r: r.update(files=dict.fromkeys(r["files"], "many:bytes")),
    "marks of 10^4000 bytes": lambda r: r.update(
        files=dict.fromkeys(r["files"], "9" * 4500 + ":00000000")
    ),
}


@pytest.mark.parametrize("how", RECORDS)
def test_lines_of_the_log_of_another_content_are_typed_damage(store, finished, how):
    change_log(store, RECORDS[how])
    for call in (open_archive, lambda path: open_archive(path).load()):
        with pytest.raises(StoreError):
            call(store)
    with pytest.warns(FallbackWarning):
        carry_out(store)
    assert files(store) == files(finished)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b"{",
        b"\xff\xfe",
        b'{"chunk":' + b"9" * 5_000 + b"}",
        b"null",
        b"",
    ],
)
def test_lines_that_are_no_record_tell_nothing(store, finished, text):
    log = store / CONTROL / "log"
    log.write_bytes(log.read_bytes() + logged(text, store) + b"x" * (2**21))
    assert open_archive(store).load().identical(in_memory())
    carry_out(store)
    assert files(store) == files(finished)


def test_a_foreign_line_does_not_vouch_for_a_file_that_is_none(store):
    """The line, the file and its checksum agree, and the file is not a chunk of this
    field.
    """
    short = np.arange(3, dtype=np.uint8)
    (store / "gc/c/0").write_bytes(short.tobytes() + checksum(short))

    def tell(record: dict[str, Any]) -> None:
        if "gc/c/0" in record["files"]:
            record["files"]["gc/c/0"] = f"7:{checksum(short).hex()}"

    change_log(store, tell)
    with pytest.raises(StoreError):
        open_archive(store).load()


@pytest.mark.parametrize(
    "name", ["zarr.json", "arm/zarr.json", "spacing%20of%20%2F%20motifs/zarr.json"]
)
@pytest.mark.parametrize(
    "text",
    ["[]", "7", "{}", "[" * 50_000, '{"zarr_format": 3, "shape": [1e9]}', "\ud800"],
)
def test_metadata_of_another_content_is_typed_damage(store, name, text):
    put_static(store, name, text.encode("utf-8", "surrogatepass"))
    try:
        found = open_archive(store).load()
    except StoreError:
        pass
    else:
        assert name != "zarr.json"
        assert found.identical(in_memory())


GROUPS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no metadata": lambda g: g.pop("consolidated_metadata"),
    "attributes are a list": lambda g: g.update(attributes=[]),
    "attributes are deep": lambda g: g["attributes"].update(scale=DEEP),
    "attributes are too deep": lambda g: g["attributes"].update(scale=TOO_DEEP),
    "a shape of 10^12": lambda g: g["consolidated_metadata"]["metadata"]["arm"].update(
        shape=[10**12]
    ),
    "a shape of 10^9 of nothing": lambda g: g["consolidated_metadata"]["metadata"][
        "arm"
    ].update(
        shape=[10**9],
        chunk_grid={"name": "regular", "configuration": {"chunk_shape": [10**9]}},
    ),
    "a codec of its own": lambda g: g["consolidated_metadata"]["metadata"][
        "arm"
    ].update(
        codecs=[{"name": "vlen-utf8"}, {"name": "gzip", "configuration": {"level": 5}}]
    ),
    "a dtype of its own": lambda g: g["consolidated_metadata"]["metadata"][
        "design"
    ].update(data_type="float64"),
    "a dim of its own": lambda g: g["consolidated_metadata"]["metadata"]["arm"].update(
        dimension_names=["task"]
    ),
    "an array of its own": lambda g: g["consolidated_metadata"]["metadata"].update(
        own={}
    ),
    "an array less": lambda g: g["consolidated_metadata"]["metadata"].pop("arm"),
}


@pytest.mark.parametrize("how", GROUPS)
def test_a_group_of_another_content_is_typed_damage(store, how):
    group = json.loads((store / "zarr.json").read_bytes())
    GROUPS[how](group)
    put_static(store, "zarr.json", json.dumps(group).encode())
    with pytest.raises(StoreError):
        open_archive(store)


COPIES: dict[str, Callable[[Path], object]] = {
    "no zip": lambda s: (s / CONTROL / "copy").write_bytes(seal(b"PK\x03\x04 nothing")),
    "nothing": lambda s: (s / CONTROL / "copy").write_bytes(seal(b"")),
    "of other names": lambda s: put_copy(s, {"../escaped": b"theirs"}),
    "a bomb": lambda s: put_copy(
        s, {"manifest.json": b"\0" * 2**26}, zipfile.ZIP_DEFLATED
    ),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_another_content_is_made_again(store, finished, how):
    COPIES[how](store)
    assert verify(store) == (f"{CONTROL}/copy",)
    with pytest.warns(FallbackWarning):
        carry_out(store)
    assert files(store) == files(finished)
    (store / CONTROL / "manifest.json").unlink()
    COPIES[how](store)
    for call in (begun, open_archive):
        with pytest.raises(StoreError):
            call(store)


def test_records_have_the_marks_of_their_files(finished):
    assert {name for record in records_of(finished) for name in record["files"]} >= {
        "outcome/c/0/0/0/1",
        "unit/c/1",
    }


DESIGN = cg.Design(
    null=cg.Uniform(length=20),
    arms={"control": cg.Untreated(), "GC": cg.Embed("GCGC", at=8)},
    n_units=12,
    contrasts="control",
)


SHARE = cg.FunctionPredictor(
    lambda x: x[:, 1:3].sum((1, 2)) / 20, tasks=["GC"], fingerprint="share"
)


def packed(turns: bytes, arrays: dict[str, np.ndarray]) -> bytes:
    made = io.BytesIO()
    np.savez(made, allow_pickle=True, **arrays)
    return turns + b"\n" + made.getvalue()


def header(text: str) -> bytes:
    """Return an array in numpy's format with a header of one's own, and 8 bytes."""
    return (
        b"\x93NUMPY\x01\x00"
        + len(text).to_bytes(2, "little")
        + text.encode()
        + bytes(8)
    )


def zipped(data: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        archive.writestr("powers.npy", data)
    return b"1\n" + made.getvalue()


SUMS: dict[str, bytes | Callable[[], bytes]] = {
    "no zip": b"1\nPK\x03\x04",
    "no turns": b"one\n",
    "turns of 10^4000": b"9" * 4_000 + b"\n",
    "nothing": packed(b"1", {}),
    "objects": packed(b"1", {"powers": np.array([{}], object)}),
    "other names": packed(b"1", {"thing": np.zeros(3)}),
    "other shapes": packed(
        b"1",
        {
            "powers": np.zeros((3, 2)),
            "ice.origin": np.zeros(7),
            "answers.least": np.zeros(1),
        },
    ),
    "more turns": packed(b"99999", {"powers": np.zeros(1, np.int64)}),
    "10^12 numbers": zipped(
        header(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"
        )
    ),
    "a deep header": zipped(header("(" * 5_000 + "\n")),
    # a second, and no process but that of its test
    "a bomb": lambda: zipped(bytes(2**27), zipfile.ZIP_DEFLATED),
}


@pytest.mark.parametrize("keep", ["effects", "moments"])
@pytest.mark.parametrize("how", SUMS)
def test_sums_of_another_content_are_typed_damage(tmp_path, keep, how):
    store = tmp_path / "trial.zarr"
    whole = cg.run(DESIGN, SHARE, rng=0, store=store, keep=keep).load()
    content = SUMS[how]
    for slot in ("state-0", "state-1"):
        data = content() if callable(content) else content
        (store / CONTROL / slot).write_bytes(seal(data, origin_of(store)))
    with pytest.raises(StoreError):
        cg.open(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        try:
            found = cg.run(DESIGN, SHARE, rng=0, store=store, keep=keep)
        except StoreError:
            pass
        else:
            assert found.identical(whole)


@pytest.mark.parametrize("keep", ["effects", "moments"])
def test_sums_that_lack_one_of_their_arrays_are_typed_damage(tmp_path, keep):
    store = tmp_path / "trial.zarr"
    whole = cg.run(DESIGN, SHARE, rng=0, store=store, keep=keep).load()
    (turns, state), _ = read_state(store / CONTROL, origin_of(store))
    for lost in state:
        less = packed(
            str(turns).encode(),
            {name: values for name, values in state.items() if name != lost},
        )
        for call in (
            cg.open,
            lambda path: cg.run(DESIGN, SHARE, rng=0, store=path, keep=keep),
        ):
            for slot in ("state-0", "state-1"):
                (store / CONTROL / slot).write_bytes(seal(less, origin_of(store)))
            try:
                found = call(store)
            except StoreError:
                pass
            else:
                assert found.load().identical(whole), lost


def settled(**part: Any) -> list[dict[str, Any]]:
    return [{"batches": {}, "choices": {}} | part]


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], {}, "text", [{}], [1], DEEP, settled() * 2, settled(more=1)),
        *(
            settled(batches=batches)
            for batches in (
                [],
                {"x": 1},
                {"20": "8"},
                {"20": -1},
                {"20": True},
                {"20": 10**12},
            )
        ),
        *(settled(choices=choices) for choices in ([], {"20:4": 1})),
    ],
)
def test_batch_sizes_of_another_content_are_typed_damage(tmp_path, content):
    store = tmp_path / "trial.zarr"
    cg.run(DESIGN, SHARE, rng=0, store=store)
    put_manifest(store, manifest_of(store) | {"settled": content})
    with pytest.raises(
        StoreError,
    ):
        cg.run(DESIGN, SHARE, rng=0, store=store)
    cg.open(store)


def test_a_manifest_that_is_nested_too_deeply_is_damaged(tmp_path):
    store = tmp_path / "trial.zarr"
    cg.run(DESIGN, SHARE, rng=0, store=store)
    put_manifest(store, manifest_of(store) | {"settled": TOO_DEEP})
    for call in (
        lambda: cg.run(DESIGN, SHARE, rng=0, store=store),
        lambda: cg.open(store),
    ):
        with pytest.raises(
            StoreError,
        ):
            call()


def test_a_store_of_other_units_is_not_filled(tmp_path):
    """The identity is this trial's, and the plan another's: answers would be put where
    they do not belong.
    """
    store, other = (
        tmp_path / "trial.zarr",
        cg.Design(null=DESIGN.null, arms=DESIGN.arms, n_units=13, contrasts="control"),
    )
    cg.run(other, SHARE, rng=0, store=store)
    shutil.rmtree(store / "outcome/c")
    cg.run(DESIGN, SHARE, rng=0, store=tmp_path / "mine.zarr")
    put_manifest(
        store,
        manifest_of(store)
        | {"identity": manifest_of(tmp_path / "mine.zarr")["identity"]},
    )
    with (
        pytest.warns(FallbackWarning),
        pytest.raises(
            StoreError,
        ),
    ):
        cg.run(DESIGN, SHARE, rng=0, store=store)


def test_a_store_of_other_answers_is_not_filled(tmp_path):
    store = tmp_path / "trial.zarr"
    cg.run(DESIGN, SHARE, rng=0, store=store)
    shutil.rmtree(store / "outcome/c")
    other = cg.FunctionPredictor(
        lambda x: x[:, 1:3, :2].sum(1), tasks=["GC", "AT"], fingerprint="share"
    )
    cg.run(DESIGN, other, rng=0, store=tmp_path / "mine.zarr")
    put_manifest(
        store,
        manifest_of(store)
        | {"identity": manifest_of(tmp_path / "mine.zarr")["identity"]},
    )
    with (
        pytest.warns(FallbackWarning),
        pytest.raises(
            StoreError,
        ),
    ):
        cg.run(DESIGN, other, rng=0, store=store)


def test_half_a_surrogate_pair_in_a_name_is_no_manifest_of_ours(store):
    content = manifest_of(store)
    content["grid"]["fields"][1]["name"] = "\ud800"
    put_manifest(store, content)
    for read in (open_archive, verify, begun):
        with pytest.raises(StoreError):
            read(store)


def test_a_path_that_no_disk_can_hold_is_named():
    with pytest.raises(StoreError):
        place_of("\ud800")

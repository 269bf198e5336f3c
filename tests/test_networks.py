# Imports from the inside: the list of deposits, where a mirror of the test stands in it.
"""Published networks: from a mirror, from a server that serves it, from a cache, and
what is said where a file is absent, damaged or cannot be downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import runpy
import shutil
import sys
import threading

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DesignError, MissingExtraError, PredictorError
from causalgia.networks import deposits

FILES = {"a.json": b"{}", "a.h5": b"weights"}


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A mirror with one network of two files, and an empty cache."""
    listed = [
        {
            "file": name,
            "url": f"http://127.0.0.1:9/{name}",  # nobody listens there
            "sum": f"sha256:{hashlib.sha256(content).hexdigest()}",
        }
        for name, content in FILES.items()
    ]
    known = dict(
        deposits.deposits()["deepstarr"], files=listed[:1], sequences=listed[1:]
    )
    monkeypatch.setattr(deposits, "deposits", lambda: {"toy": known})
    folder = tmp_path / "mirror" / "toy"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(deposits.MIRROR, str(folder.parent))
    return folder


@pytest.fixture
def server(toy, monkeypatch):
    """A server of the mirror, on this machine; its requests are listed."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requests.append(self.path)

    handler = functools.partial(Handler, directory=str(toy.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        thread = threading.Thread(target=one.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv(deposits.MIRROR, f"http://127.0.0.1:{one.server_port}/")
        yield requests
        one.shutdown()
        thread.join()


def contents(paths):
    return {name: path.read_bytes() for name, path in paths.items()}


def test_a_mirror_is_read_in_place(toy):
    paths = cg.networks.fetch("toy")
    assert contents(paths) == FILES
    assert {path.parent for path in paths.values()} == {toy}


def test_a_server_is_asked_once_and_its_files_are_cached(toy, server, monkeypatch):
    assert contents(cg.networks.fetch("toy")) == FILES
    assert len(server) == 2
    assert contents(cg.networks.fetch("toy")) == FILES
    assert len(server) == 2
    monkeypatch.delenv(deposits.MIRROR)  # and then no mirror and no connection
    assert contents(cg.networks.fetch("toy")) == FILES


def test_an_older_file_in_the_cache_is_replaced(toy, server):
    path = cg.networks.fetch("toy")["a.h5"]
    path.write_bytes(b"an older version")
    assert contents(cg.networks.fetch("toy")) == FILES


def test_a_file_of_another_sum_is_refused(toy, server):
    (toy / "a.h5").write_bytes(b"other weights")
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")


def test_a_damaged_file_of_the_mirror_is_named(toy):
    (toy / "a.h5").write_bytes(b"cut o")
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    (toy / "a.h5").unlink()
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")  # nobody listens at the deposit of the test


def test_a_damaged_file_of_the_mirror_is_removed_and_downloaded_again(
    toy, server, monkeypatch
):
    deposit = {name: dict(one) for name, one in deposits.deposits().items()}
    address = os.environ[deposits.MIRROR] + "deposit"
    for kind in ("files", "sequences"):
        deposit["toy"][kind] = [
            one | {"url": f"{address}/{one['file']}"} for one in deposit["toy"][kind]
        ]
    monkeypatch.setattr(deposits, "deposits", lambda: deposit)
    monkeypatch.setenv(deposits.MIRROR, str(toy.parent))
    shutil.copytree(toy, toy.parent / "deposit")
    (toy / "a.h5").write_bytes(b"cut o")
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    (toy / "a.h5").unlink()
    assert contents(cg.networks.fetch("toy")) == FILES


def test_without_a_connection_or_a_mirror_the_message_says_what_to_set(
    toy, monkeypatch
):
    monkeypatch.delenv(deposits.MIRROR)
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    empty = toy / "empty"
    empty.mkdir()
    monkeypatch.setenv("CAUSALGIA_NETWORKS", str(empty))
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    monkeypatch.setenv("CAUSALGIA_NETWORKS", str(toy.parent))
    assert contents(cg.networks.fetch("toy")) == FILES


def test_a_file_that_a_server_lacks_is_downloaded_from_the_deposit(
    toy, server, monkeypatch
):
    """As from a folder that lacks it; other answers of a server are told."""
    (toy / "a.h5").unlink()
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    assert "/toy/a.h5" in server
    monkeypatch.setenv(deposits.MIRROR, os.environ[deposits.MIRROR] + "nothing/")
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")


def test_a_cache_that_cannot_be_written_is_named(toy, server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")


def test_without_pooch_the_extra_is_named(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert contents(cg.networks.fetch("toy")) == FILES  # a mirror needs none
    monkeypatch.delenv(deposits.MIRROR)
    with pytest.raises(MissingExtraError):
        cg.networks.fetch("toy")


def test_each_deposit_says_what_it_is():
    table = cg.networks.list()
    no_article = table.index == "dragonn_simulated"
    assert (table["doi"].str.match(r"10\.\d{4}") | no_article).all()
    assert table["strand"].isin(["either", "transcribed"]).all()
    for one in deposits.deposits().values():
        published = one.get("files", []) + one.get("sequences", [])
        assert published or one["from"]
        for file in published + one.get("converted", []):
            kind, _, digest = file["sum"].partition(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[kind]
        for file in published:
            assert file["url"].startswith("https://")


def test_a_converted_file_is_of_a_mirror_or_refused(toy, monkeypatch):
    whole = b"weights as safetensors"
    file = {"file": "one.safetensors", "folder": "there"}
    file["sum"] = f"sha256:{hashlib.sha256(whole).hexdigest()}"
    known = deposits.deposits()["toy"]
    only = {key: value for key, value in known.items() if key != "files"}
    both = {"only": only | {"from": "a repository"}, "toy": known}
    for one in both.values():
        one |= {"converted": [file], "sequences": [], "retrainings": False}
    monkeypatch.setattr(deposits, "deposits", lambda: both)
    with pytest.raises(PredictorError):
        cg.networks.fetch("only")
    assert contents(cg.networks.fetch("toy")) == {"a.json": FILES["a.json"]}
    place = toy.parent / "there" / "one.safetensors"
    place.parent.mkdir()
    place.write_bytes(whole)
    for name in both:  # where a mirror has it, it is read in place of the authors'
        assert contents(cg.networks.fetch(name)) == {"there/one.safetensors": whole}
    assert cg.networks.fetch("only/there") == cg.networks.fetch("only")
    with pytest.raises(PredictorError):
        cg.networks.fetch("only/two")
    place.write_bytes(whole[:-1])
    with pytest.raises(PredictorError):
        cg.networks.fetch("only")


def test_a_converted_file_is_asked_of_a_server(toy, server, monkeypatch):
    file = {
        "file": "b.safetensors",
        "sum": f"sha256:{hashlib.sha256(b'b').hexdigest()}",
    }
    of = {"from": "a repository", "retrainings": False, "converted": [file]}
    monkeypatch.setattr(deposits, "deposits", lambda: {"toy": of})
    with pytest.raises(PredictorError):
        cg.networks.fetch("toy")
    (toy / "b.safetensors").write_bytes(b"b")
    assert contents(cg.networks.fetch("toy")) == {"toy/b.safetensors": b"b"}


@pytest.mark.torch
def test_of_several_networks_one_is_named():
    with pytest.raises(PredictorError):
        cg.networks.load("dragonn_simulated")


@pytest.mark.real
@pytest.mark.torch
@pytest.mark.parametrize("name", deposits.deposits())
def test_a_converted_network_answers_as_its_other_reader_does(
    name, shared, monkeypatch
):
    import torch

    models = shared / "data" / "models"
    monkeypatch.setenv(deposits.MIRROR, str(models))
    one = deposits.deposits()[name]
    rng = np.random.default_rng(0)
    found, expected = [], []
    for file in one.get("converted", []):
        folder = models / file.get("folder", name)
        reader = runpy.run_path(str(folder / "arch.py"))
        network = reader["load"](folder / file["file"])
        length = one["length"] or getattr(network, "length", 320)
        tokens = rng.integers(0, 4, (6, length)).astype(np.uint8)
        x = torch.eye(4)[torch.from_numpy(tokens).long()].transpose(1, 2)
        with torch.no_grad():
            y = network(x)
        if "log_odds" in reader:
            y = reader["log_odds"](y).transpose(1, 2)
        expected.append(y.numpy())
        several = len(one["converted"]) > 1
        part = name + f"/{deposits.part_of(file)}" * several
        found.append(cg.networks.load(part, device="cpu").predict(tokens))
        if several and one["retrainings"]:
            whole = cg.networks.load(name, device="cpu").predict(tokens)
            np.testing.assert_array_equal(whole[..., len(found) - 1], found[-1])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.torch
def test_explainn_of_published_names_is_its_formula(tmp_path):
    import torch

    from causalgia.networks.torch_networks import explainn

    torch.manual_seed(0)
    units, width, pool, length, hidden = 3, 5, 7, 40, 4
    pooled = (length - width + 1) // pool
    shapes = {
        "linears.0": (units, 4, width), "linears.6": (units * hidden, pooled, 1),
        "linears.10": (units, hidden, 1), "final": (2, units),
    }  # fmt: skip
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape) * 0.3
        state[f"{name}.bias"] = torch.randn(shape[0]) * 0.3
    for name, size in (("1", units), ("7", units * hidden), ("11", units)):
        for kind in ("weight", "bias", "running_mean"):
            state[f"linears.{name}.{kind}"] = torch.randn(size) * 0.3
        state[f"linears.{name}.running_var"] = torch.rand(size) + 0.5
        state[f"linears.{name}.num_batches_tracked"] = torch.tensor(0)
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (6, length)), 4).mT.float()
    v = {name: value.double().numpy() for name, value in state.items()}

    def normalized(y, name, axes):
        of = [v[f"linears.{name}.{kind}"].reshape(axes) for kind in
              ("weight", "bias", "running_mean", "running_var")]  # fmt: skip
        return of[0] * (y - of[2]) / np.sqrt(of[3] + 1e-5) + of[1]

    onehot = x.double().numpy()
    scan = np.stack(
        [
            np.einsum("nci,uci->nu", onehot[:, :, i : i + width], v["linears.0.weight"])
            for i in range(length - width + 1)
        ],
        axis=2,
    ) + v["linears.0.bias"].reshape(1, -1, 1)
    responses = np.exp(normalized(scan, "1", (1, -1, 1)))[:, :, : pooled * pool]
    tops = responses.reshape(6, units, pooled, pool).max(axis=3)
    dense = v["linears.6.weight"][:, :, 0].reshape(units, hidden, pooled)
    h = np.einsum("nup,uhp->nuh", tops, dense).reshape(6, -1) + v["linears.6.bias"]
    h = np.maximum(normalized(h, "7", (1, -1)), 0).reshape(6, units, hidden)
    out = np.einsum("nuh,uh->nu", h, v["linears.10.weight"][:, :, 0])
    out = np.maximum(normalized(out + v["linears.10.bias"], "11", (1, -1)), 0)
    expected = out @ v["final.weight"].T + v["final.bias"]
    found = explainn(state)(x).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.real
@pytest.mark.torch
def test_deepstarr_of_the_published_files_is_the_converted_network(shared, monkeypatch):
    monkeypatch.setenv(deposits.MIRROR, str(shared / "data" / "networks"))
    published = cg.networks.load("deepstarr", device="cpu")
    folder = shared / "data/models/deepstarr"
    converted = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        device="cpu",
        announce=None,
    )
    tokens = cg.Uniform(length=249).sample(50, rng=0)["sequence"].values
    np.testing.assert_allclose(
        published.predict(tokens), converted.predict(tokens), rtol=0, atol=1e-5
    )


@pytest.mark.torch
def test_a_network_of_a_trial_file_brings_its_own(tmp_path, monkeypatch):
    from causalgia.cli.options import load_predictor_spec
    from causalgia.trial_file import PredictorSpec

    found = {}
    monkeypatch.setattr(
        cg.networks, "load", lambda name, **settings: found.update(settings) or name
    )
    window = {"name": "site", "start": 90, "stop": 91}
    spec = PredictorSpec.of({"network": "deepstarr", "window": window}, tmp_path)
    assert load_predictor_spec(spec, tmp_path / "trial.toml", "cpu") == "deepstarr"
    assert found["device"] == "cpu"
    assert found["reduce"] == [cg.Window("site", 90, 91)]
    for wrong in ({"tasks": ["a"]}, {"scale": "a"}, {"zoo": "gata1_like"}):
        with pytest.raises(DesignError):
            PredictorSpec.of({"network": "deepstarr", **wrong}, tmp_path)

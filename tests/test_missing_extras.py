"""Calls where their extra is absent: one line, typed, with a command that installs it."""

from __future__ import annotations

import json
import subprocess
import sys

import house
import pytest

PROGRAM = """
import json, os, pathlib, sys
import numpy as np
import causalgia as cg
oracle = cg.zoo.oracle("rbfox1_like")
design = cg.Design(
    null=cg.Uniform(length=41),
    arms={"none": cg.Untreated(), "w": cg.Embed("UGCAUG", at=9)},
    n_units=20,
    contrasts="none",
)
words = cg.Uniform(length=41).sample(8, rng=0)["sequence"].values
for line in sys.stdin:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    where, packages, before, call = json.loads(line)
    folder = pathlib.Path(where)
    sys.stdout, sys.stderr = open(folder / "said", "w"), open(folder / "faults", "w")
    exec(before)
    for hidden in packages.split():
        for name in [one for one in sys.modules if one.split(".")[0] == hidden]:
            del sys.modules[name]
        sys.modules[hidden] = None
    try:
        exec(call)
    except cg.errors.CausalgiaError as error:
        print(f"{type(error).__name__}: {error}")
    break
"""
"""Each case in a copy of one process that loaded the package."""
TABLE = "cg.from_effects([1.0, 2.0], se=[0.1, 0.1])"
# a call as the page names it -> the packages that are hidden, what is made before, the
# call
CASES = {
    "cg.TorchPredictor": ("torch", "", "cg.TorchPredictor"),
    "cg.predict.load_weights": (
        "torch safetensors",
        "",
        "cg.predict.load_weights(None, 'net.safetensors')",
    ),
    "cg.predict.from_keras": ("keras", "", "cg.predict.from_keras('net.keras')"),
    "cg.networks.fetch": (
        "pooch",
        "import os; os.environ.pop('CAUSALGIA_NETWORKS', None)",
        "cg.networks.fetch('deepstarr')",
    ),
    'cg.experiments.motif_screen("JASPAR")': (
        "pyjaspar",
        "",
        "cg.experiments.motif_screen(cg.Uniform(length=41), 'JASPAR')",
    ),
    'cg.attribute(method="deeplift")': (
        "tangermeme",
        "import torch; net = cg.TorchPredictor(torch.nn.Sequential(torch.nn.Flatten(),"
        " torch.nn.Linear(164, 1)), tasks=['a'])",
        "cg.attribute(words, net, method='deeplift', rng=0)",
    ),
    "cg.attribution.match": ("memelite", "", "cg.attribution.match({'a': 'TGACTCA'})"),
    'cg.propose(method="modisco")': (
        "modiscolite",
        "maps = cg.attribute(words, oracle)",
        "cg.propose(maps, predictor=oracle, method='modisco', rng=0)",
    ),
    "cg.OnnxPredictor": (
        "onnxruntime",
        "(folder / 'net.onnx').write_bytes(b'')",
        "cg.OnnxPredictor(folder / 'net.onnx', tasks=['a'])",
    ),
    "cg.sequences.read_variants": (
        "pysam",
        "(folder / 'x.bcf').write_bytes(b'BCF')",
        "cg.sequences.read_variants(folder / 'x.bcf')",
    ),
    "cg.store.write_bigwig": (
        "pyBigWig",
        "band = cg.simultaneous(cg.estimate(cg.contrast(cg.run(design, "
        "cg.FunctionPredictor(lambda x: x[:, 0], track=cg.Track(), tasks=['a']), "
        "rng=0))), over='position')",
        "cg.store.write_bigwig(band, folder / 'band.bw', chromosome='chr1', "
        "origin=1_000, chrom_sizes={'chr1': 9_000})",
    ),
    "cg.run(client=)": ("distributed", "", "cg.run(design, oracle, rng=0, client=1)"),
}


@pytest.fixture(scope="module")
def started():
    """A process that waits for cases."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=house.ROOT / "tests",
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def said(started, tmp_path):
    """A function that returns what a call prints where packages are hidden."""

    def said(packages, before, call):
        print(
            json.dumps([str(tmp_path), packages, before, call]),
            file=started.stdin,
            flush=True,
        )
        code = started.stdout.readline()
        assert code == "0\n", (tmp_path / "faults").read_text()
        return (tmp_path / "said").read_text()

    return said


@pytest.mark.torch
@pytest.mark.parametrize("call", CASES)
def test_without_its_extra_a_call_says_in_one_line_how_to_install_it(said, call):
    (line,) = said(*CASES[call]).splitlines()
    assert line.startswith("MissingExtraError: ")
    assert "pip install" in line


@pytest.mark.parametrize(
    "call",
    [
        *(
            f"cg.attribute(words, oracle, method='{method}', rng=0)"
            for method in ("gradient", "integrated_gradients", "deeplift")
        ),
        "cg.attribution.filters(oracle, 'first', words)",
        "cg.attribution.attention(oracle, 'first', words)",
    ],
)
def test_without_torch_what_has_no_layers_is_refused_as_with_it(said, call):
    """To install torch would not give an oracle a gradient."""
    (line,) = said("torch", "", call).splitlines()
    assert line.startswith("PredictorError: ")


@pytest.mark.parametrize("name", ["h5py", "h5netcdf"])
@pytest.mark.parametrize(
    "call",
    [
        f"cg.store.save({TABLE}, folder / 'x.nc')",
        "cg.store.load(folder / 'x.nc', 'estimates')",
    ],
    ids=["save", "load"],
)
def test_without_hdf5_a_file_of_results_says_so(said, name, call):
    line = said(name, "", call)
    assert name in line
    assert "pip install" in line

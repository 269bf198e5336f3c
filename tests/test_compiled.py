# Imports from the inside: compiled kernels, whose cache is refused or damaged.
"""Kernels where numba finds no place for its cache: compiled without one, in this
process and in workers.
"""

from __future__ import annotations

import errno
import importlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import causalgia
from causalgia.compiled import njit
from causalgia.errors import PredictorError

_TRIAL = """
import causalgia as cg
from causalgia.design import KletShuffle

null = KletShuffle(of=["ACGTTGCAACGGTACCATGCAT" * 3] * 4, k=3)  # compiled from the first, as few others are
arms = {"untreated": cg.Untreated(), "placebo": cg.Placebo("GCATG", at=12), "GCATG": cg.Embed("GCATG", at=12)}
design = cg.Design(null=null, arms=arms, n_units=60)
predictor = cg.zoo.oracle("rbfox1_like")
"""
_RUN = (
    _TRIAL
    + "print(float(cg.run(design, predictor, rng=0)['outcome'].sum()), cg.__file__)"
)
_RUN_ON_WORKERS = (
    "from distributed import Client, LocalCluster\nif __name__ == '__main__':\n    "
    + (
        _TRIAL
        + (
            "with LocalCluster(n_workers=1, threads_per_worker=1, "
            "dashboard_address=None) as cluster:\n"
            "    with Client(cluster) as client:\n"
            "        print(float(cg.run(design, predictor, rng=0, "
            "client=client)['outcome'].sum()), cg.__file__)"
        )
    )
    .strip()
    .replace("\n", "\n    ")
)


@pytest.fixture(scope="module")
def read_only(tmp_path_factory):
    """A copy of the package beside whose files nothing can be written, by root neither,
    and a home that is none.
    """
    site = tmp_path_factory.mktemp("site")
    package = Path(causalgia.__file__).parent
    shutil.copytree(
        package, site / "causalgia", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in [
        site / "causalgia",
        *(f for f in (site / "causalgia").rglob("*") if f.is_dir()),
    ]:
        (folder / "__pycache__").write_text(
            "a file where numba and Python would make a folder"
        )
    return site


def run_in(site: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "trial.py"
    script.write_text(code)
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("NUMBA", "XDG", "PYTHON"))
    }
    env |= {"PYTHONPATH": str(site), "HOME": os.devnull}
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=env,
        cwd=folder,
        check=False,
    )


@pytest.mark.simulation
def test_an_installation_that_cannot_be_written_runs_uncached(read_only, tmp_path):
    done = run_in(read_only, _RUN, tmp_path)
    assert done.returncode == 0, done.stderr
    value, where = done.stdout.split()
    assert where.startswith(str(read_only))
    expected = subprocess.run(
        [sys.executable, "-c", _RUN], capture_output=True, text=True, check=True
    ).stdout.split()
    assert value == expected[0]
    assert not list(read_only.rglob("*.nbi"))


@pytest.mark.simulation
def test_workers_of_such_an_installation_run_uncached_too(read_only, tmp_path):
    done = run_in(read_only, _RUN_ON_WORKERS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1].startswith(str(read_only))


_NO_SPACE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # machine code is longer, and fails as on a full disk
"""


@pytest.mark.simulation
@pytest.mark.parametrize(
    "code",
    [_RUN, pytest.param(_RUN_ON_WORKERS)],
    ids=["one process", "workers"],
)
def test_a_full_disk_runs_uncached(tmp_path, code):
    pytest.importorskip("resource", reason="limits of a process are those of POSIX")
    script, cache = tmp_path / "trial.py", tmp_path / "cache"
    script.write_text(_NO_SPACE + code)
    env = os.environ | {
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(Path(causalgia.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = subprocess.run(
        [sys.executable, "-c", _RUN], capture_output=True, text=True, check=True
    ).stdout.split()
    assert done.stdout.split()[0] == expected[0]
    assert list(cache.iterdir()), "numba did not try this folder"
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A function that writes a source file and compiles what it holds, as a new process
    would.
    """
    from numba.core import config

    monkeypatch.setattr(config, "CACHE_DIR", "")

    def compiled(factor: int):
        source = tmp_path / "kernel.py"
        source.write_text(f"def scaled(x):\n    return {factor}.0 * x\n")
        os.utime(source, ns=(factor, factor))
        names: dict[str, object] = {"__name__": "kernel"}
        exec(compile(source.read_text(), str(source), "exec"), names)
        return njit()(names["scaled"])

    return compiled


@pytest.mark.simulation
@pytest.mark.parametrize("verb", ["_save_index", "_save_data"])
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=errno.errorcode.get
)
def test_code_that_cannot_be_saved_runs_and_leaves_no_index(
    monkeypatch, kernel, tmp_path, verb, number
):
    from numba.core.caching import IndexDataCacheFile

    # an older source, of which the code is kept under the name that the next one takes
    assert kernel(2)(3) == 6
    with monkeypatch.context() as patch:

        def fails(*_):
            raise OSError(number, os.strerror(number))

        patch.setattr(IndexDataCacheFile, verb, fails)
        assert kernel(5)(3) == 15
        assert kernel(5)(3.0) == 15.0
    assert not list(tmp_path.rglob("*.tmp.*"))
    assert kernel(5)(3) == 15


@pytest.mark.parametrize("left", [b"", b"\0" * 99, None], ids=["empty", "zeros", "cut"])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_cache_that_is_damaged_is_not_read(kernel, tmp_path, left, kind):
    assert kernel(2)(3) == 6
    (file,) = tmp_path.rglob(f"*.{kind}")
    file.write_bytes(file.read_bytes()[:-9] if left is None else left)
    assert kernel(2)(3) == 6


_NOWHERE = "from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []"
_LONG = """
from causalgia import compiled
from causalgia.posterior.lattice import tilted_quantile
compiled._LONG = {seconds}
{then}
tilted_quantile(6.0, 0.5)
tilted_quantile(6, 0.5)
"""


def test_a_long_compilation_is_announced_once(tmp_path):
    def said(seconds: float, then: str = "") -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _LONG.format(seconds=seconds, then=then)],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr.splitlines()

    assert not said(60.0, _NOWHERE)
    assert len(said(0.0, _NOWHERE)) == 1
    assert len(said(0.0)) == 1
    assert not said(0.0)  # from the cache


def test_another_error_of_numba_is_not_hidden(monkeypatch):
    import numba

    def broken(**options):
        raise RuntimeError("no LLVM")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError):
        njit(nogil=True)(lambda x: x)(1)


def test_a_kernel_keeps_its_name_its_words_and_its_source():
    from causalgia.sequences.random import mix

    assert (mix.__name__, mix.__module__) == ("mix", "causalgia.sequences.random")
    assert callable(mix.py_func)
    assert pickle.loads(pickle.dumps(mix)) is mix


@pytest.mark.simulation
def test_a_posterior_is_inferred_where_the_cache_folder_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    script = """
import numpy as np, pandas as pd
import causalgia as cg
table = pd.DataFrame({"effect": [1.0, 2.0, 3.0], "se": 1.0}, index=list("abc"))
print(float(cg.infer(table, rng=0)["posterior"]["ace"].mean()))
"""
    nowhere = str(tmp_path / "file" / "cache")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": nowhere, "XDG_CACHE_HOME": nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_package_that_numba_cannot_cache_is_imported_all_the_same(monkeypatch):
    """memelite compiles at import, and would end in numba's "cannot cache function" on
    a read-only system.
    """
    pytest.importorskip("memelite")
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    for name in [name for name in sys.modules if name.partition(".")[0] == "memelite"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeError):
        importlib.import_module("memelite")
    with pytest.raises(PredictorError):  # which is asked after the import
        causalgia.attribution.match({"AP-1": "TGACTCA"}, expected="no factor")


_FOLDERS = """
import os, sys
from pathlib import Path
if sys.argv[1:]:  # a user without an entry, and without HOME
    del os.environ["HOME"]
    def no_home():
        raise RuntimeError("Could not determine home directory.")
    Path.home = no_home
from causalgia.posterior.posterior_tree import import_quietly
config = import_quietly("pytensor").config
import_quietly("pytensor.link.numba.dispatch")
print(config.base_compiledir, config.compiledir, repr(config.cxx))
"""


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("flags", "options"), [("", []), ("cxx=", []), ("", ["no home"])]
)
def test_pytensor_compiles_elsewhere_where_the_home_cannot_be_written(
    flags, options, tmp_path
):
    done = subprocess.run(
        [sys.executable, "-c", _FOLDERS, *options],
        env=os.environ
        | {"HOME": os.devnull, "TMPDIR": str(tmp_path), "PYTENSOR_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    base, folder, compiler = done.stdout.split()
    assert base.startswith(str(tmp_path))
    assert folder.startswith(base)
    assert not flags or compiler == "''"
    assert not list(tmp_path.glob("causalgia-pytensor-*")), (
        "it is removed at the end of the process"
    )

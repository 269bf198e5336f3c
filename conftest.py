"""What tests and examples share: benchmarks can be imported, and tests are about the
CPU, but those about a GPU, which are asked for by name.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# the tests and pages on methods of interpretation are about what is in benchmarks
sys.path.append(str(Path(__file__).parent / "benchmarks"))

# it writes pages where it is imported
collect_ignore_glob = ["docs/conf.py"]
named = any("test_torch_cuda" in word for word in sys.argv)
if not named and "PYTEST_XDIST_WORKER" not in os.environ:
    # predictors would choose a GPU, and tests compare bits with those of a CPU
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
if not (
    os.environ.get("CUDA_VISIBLE_DEVICES", "0") and Path("/dev/nvidiactl").exists()
):
    collect_ignore_glob.append("tests/test_torch_cuda.py")


def pytest_collection_finish() -> None:
    """Take the modules and the tests out of garbage collection, whose every full round
    would look at them again.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    """Close the figures that a test or an example leaves with pyplot."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")

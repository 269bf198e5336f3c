"""Where torch is not installed, the files about torch are not collected; where no GPU
is, those about one are not. What lives to the end is looked at by no collection of
garbage.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path

import pytest

# the page on methods of interpretation is about what is in benchmarks
sys.path.append(str(Path(__file__).parent / "benchmarks"))

# it writes pages where it is imported, which the leg that builds them may be reading
collect_ignore_glob = ["docs/conf.py"]
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob += [
        "causalgia/predict/incremental/*.py",
        "benchmarks/interpreted/*.py",
        "causalgia/predict/onnx.py",
        "causalgia/predict/_from_keras_h5.py",
        "causalgia/predict/keras_layers.py",
        "causalgia/predict/torch_*.py",
        "causalgia/attribution/gradients.py",
        "causalgia/attribution/layers.py",
        "causalgia/attribution/layer_responses.py",
        "causalgia/attribution/altered_networks.py",
        "causalgia/refutation/predictor_faults.py",
        "docs/coming_from_tangermeme.md",
        "docs/howto/long_context.md",
        "docs/howto/many_edits.md",
        "docs/howto/own_interpretation_method.md",
        "docs/howto/own_network.md",
        "docs/howto/trial_file.md",
        "docs/howto/models/*.md",
        "docs/ten_minutes/biologist.md",
        "docs/howto/what_a_network_carries.md",
        "causalgia/networks/torch_*.py",
        "causalgia/zoo/torch_*.py",
        "causalgia/zoo/trained.py",
        "tests/test_*torch*.py",
        "tests/test_incremental.py",
        "tests/test_interpretation_page.py",
        "tests/test_predict_fast.py",
        "tests/test_zoo_trained.py",
    ]
if importlib.util.find_spec("memelite") is None:
    collect_ignore_glob += [
        "causalgia/attribution/layer_responses.py",
        "docs/howto/what_a_network_reads.md",
    ]
if importlib.util.find_spec("modiscolite") is None:
    collect_ignore_glob.append("tests/test_modisco.py")
if not Path("/dev/nvidiactl").exists():
    collect_ignore_glob.append("tests/test_torch_cuda.py")


def pytest_collection_finish() -> None:
    """Set aside the modules and the tests."""
    _set_aside()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Set aside, once in a file, what its tests left: libraries that they imported, and
    what they cached.
    """
    if nextitem is not None and nextitem.path != item.path:
        _set_aside()


def _set_aside() -> None:
    """Take what lives now out of garbage collection, whose every full round would look
    at it again.
    """
    gc.collect()
    gc.freeze()

"""The machine and the versions that figures are from, in general words."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "torch",
    "zarr",
    "dask",
    "onnxruntime",
    "tangermeme",
    "seqpro",
)


def described() -> dict[str, str]:
    """Return what the machine is and what runs on it."""
    return {
        "machine": _machine(),
        "versions": f"Python {platform.python_version()}, {_versions()}",
        "load": _load(),
    }


def _machine() -> str:
    words = [f"{os.cpu_count()} cores", _processor(), f"{_gib():.0f} GiB", *_devices()]
    return ", ".join(filter(None, words))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (
        line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
    )
    return next(named, platform.processor() or platform.machine())


def _gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _devices() -> list[str]:
    if find_spec("torch") is None:
        return []
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)

"""Files of users that would be half read, or read as something else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import causalgia as cg
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
)
from causalgia.trial_file import read_spec

from . import Row

TOKENS = np.random.default_rng(0).integers(0, 4, (3, 20)).astype(np.uint8)
ONE_HOT = np.eye(4)[TOKENS]
SCORES = np.random.default_rng(1).normal(size=(3, 20, 4))
HOLES = ONE_HOT.copy()
HOLES[1, 3] = 0


FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")


def place(name: str) -> Path:
    """Return a path in a folder of its own, which ends with the tests."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name)) / name


def written(content: str | bytes, name: str) -> Path:
    path = place(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def trial(line: str) -> Any:
    path = written(
        'name = "t"\nrng = 0\nn_units = 50\n[predictor]\nzoo = "gata1_like"\n'
        '[null]\nkind = "uniform"\nlength = 41\n[arms.untreated]\n[arms.A]\n'
        f'embed = "AGATAAG"\nat = 10\n[analysis]\ncontrol = "untreated"\n{line}\n',
        "trial.toml",
    )
    return read_spec(path)


def bigwig(**changes: Any) -> Any:
    band = cg.simultaneous(
        curves(changes.pop("position", np.arange(12) * 4 - 20)), over="position", rng=0
    )
    where = {"chromosome": "chr1", "origin": 1_000, "chrom_sizes": {"chr1": 5_000}}
    return cg.store.write_bigwig(band, place("band.bw"), **where | changes)


def curves(position: Any) -> Any:
    import xarray as xr

    values = np.random.default_rng(0).normal(size=(30, 1, 12, 1))
    return xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task"), values)},
        {"contrast": ["c"], "position": position, "task": ["t"]},
    )


ROWS = [
    Row(
        "maps with a score of nan",
        lambda: cg.attribution.read_attributions(
            np.where(ONE_HOT > 0, np.nan, SCORES), sequences=TOKENS
        ),
        PredictorError,
        "nan",
    ),
    Row(
        "maps of fewer sequences",
        lambda: cg.attribution.read_attributions(SCORES[:2], sequences=TOKENS),
        PredictorError,
        "3",
    ),
    Row(
        "maps of one base each, beside other sequences",
        lambda: cg.attribution.read_attributions(
            SCORES * ONE_HOT, sequences=TOKENS[::-1].copy()
        ),
        PredictorError,
    ),
    Row(
        "maps of four positions and four bases",
        lambda: cg.attribution.read_attributions(
            SCORES[:, :4], sequences=TOKENS[:, :4].copy()
        ),
        PredictorError,
    ),
    Row(
        "a trial file whose region is reversed",
        lambda: trial("rope = [1, -1]"),
        DesignError,
        "rope",
    ),
    Row(
        "a trial file whose level is below a half",
        lambda: trial("rope = 0\nci_prob = 0.3"),
        DesignError,
        "ci_prob",
    ),
    Row(
        "a track past the chromosome",
        lambda: bigwig(origin=10),
        EstimateError,
        "chr1",
    ),
    Row(
        "a track on a chromosome without a size",
        lambda: bigwig(chromosome="chr2"),
        EstimateError,
        "chr2",
    ),
    Row(
        "a track whose positions fall",
        lambda: bigwig(position=-4 * np.arange(12)),
        DataError,
    ),
]

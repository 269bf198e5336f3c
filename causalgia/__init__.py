"""causalgia: randomized experiments on sequence-to-activity networks, with standard errors.

The public names are loaded on first use, so that `import causalgia` is as light as the standard library.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

__version__ = "0.1.0"

#: public name -> the module that has it. `__all__` is this table, less what is not installed.
_HOME = {
    "Ablate": "causalgia.design",
    "Analysis": "causalgia.analysis",
    "AblateEach": "causalgia.design",
    "Arm": "causalgia.design",
    "CausalgiaError": "causalgia.errors",
    "CausalgiaWarning": "causalgia.errors",
    "Copy": "causalgia.design",
    "Decided": "causalgia.stopping",
    "Delete": "causalgia.design",
    "Design": "causalgia.design",
    "DinucleotideShuffle": "causalgia.design",
    "Embed": "causalgia.design",
    "EmbedEach": "causalgia.design",
    "Ensemble": "causalgia.predict",
    "FunctionPredictor": "causalgia.predict",
    "Genomic": "causalgia.design",
    "Insert": "causalgia.design",
    "KletShuffle": "causalgia.design",
    "Markov": "causalgia.design",
    "Motif": "causalgia.sequences",
    "Mutate": "causalgia.design",
    "OnnxPredictor": "causalgia.predict",
    "Placebo": "causalgia.design",
    "Precision": "causalgia.stopping",
    "PredictorFactory": "causalgia.predict",
    "Prior": "causalgia.prior",
    "Profile": "causalgia.design",
    "Scramble": "causalgia.design",
    "Shuffle": "causalgia.design",
    "TorchPredictor": "causalgia.predict",
    "Uniform": "causalgia.design",
    "Untreated": "causalgia.design",
    "adjust": "causalgia.multiplicity",
    "analyze": "causalgia._analyze",
    "calibrate": "causalgia.calibration",
    "cheapest_split": "causalgia.planning",
    "check": "causalgia._check",
    "confirm": "causalgia._confirm",
    "contrast": "causalgia.effects",
    "covariance": "causalgia.estimation",
    "decide": "causalgia.verdicts",
    "dose_contrasts": "causalgia.estimation",
    "equivalence": "causalgia.multiplicity",
    "errors": "causalgia.errors",
    "estimate": "causalgia.estimation",
    "factorial": "causalgia.design",
    "from_bed": "causalgia.sequences",
    "from_effects": "causalgia.estimation",
    "from_frame": "causalgia.effects._from_frame",
    "helical_phase": "causalgia.estimation",
    "heterogeneity": "causalgia.estimation",
    "hypotheses": "causalgia.estimation",
    "infer": "causalgia.posterior",
    "load_predictor": "causalgia.predict",
    "log_degeneracy": "causalgia.sequences.shuffles",
    "minimal_detectable_effect": "causalgia.planning",
    "motif": "causalgia.sequences",
    "modification": "causalgia.estimation",
    "open": "causalgia.cli.results",
    "placebos": "causalgia.design",
    "power": "causalgia.planning",
    "read_fasta": "causalgia.sequences",
    "read_motifs": "causalgia.sequences",
    "report": "causalgia.reporting",
    "run": "causalgia._run",
    "sample_size": "causalgia.planning",
    "simultaneous": "causalgia.multiplicity",
    "variance_components": "causalgia.estimation",
    "zoo": "causalgia.zoo",
}
#: rooms that are reached as `cg.<room>`; the two that have public names of their own are in the table above.
_ROOMS = {
    *(
        "calibration",
        "design",
        "errors",
        "experiments",
        "estimation",
        "mpra",
        "multiplicity",
        "planning",
        "plot",
        "posterior",
        "predict",
    ),
    *("reporting", "schema", "sequences", "stopping", "store", "verdicts", "zoo"),
}
_NEEDS_TORCH = {"TorchPredictor"}


def _has_torch() -> bool:
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False
    except ValueError:  # something without a specification was put in its place
        return True


__all__ = sorted(_HOME if _has_torch() else _HOME.keys() - _NEEDS_TORCH)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"causalgia.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'causalgia' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "__version__"})

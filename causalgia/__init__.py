"""causalgia: randomized experiments on sequence-to-activity networks, with standard errors.

The public names are loaded on first use, so that `import causalgia` is as light as the standard library.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

#: public name -> the module that has it. `__all__` *is* this table.
_HOME = {
    "Ablate": "causalgia.design",
    "Arm": "causalgia.design",
    "CausalgiaError": "causalgia.errors",
    "CausalgiaWarning": "causalgia.errors",
    "Delete": "causalgia.design",
    "Design": "causalgia.design",
    "DinucleotideShuffle": "causalgia.design",
    "Embed": "causalgia.design",
    "Ensemble": "causalgia.predict",
    "FunctionPredictor": "causalgia.predict",
    "Genomic": "causalgia.design",
    "Insert": "causalgia.design",
    "KletShuffle": "causalgia.design",
    "Markov": "causalgia.design",
    "Motif": "causalgia.sequences",
    "Mutate": "causalgia.design",
    "Placebo": "causalgia.design",
    "Profile": "causalgia.design",
    "Scramble": "causalgia.design",
    "Shuffle": "causalgia.design",
    "TorchPredictor": "causalgia.predict",
    "Uniform": "causalgia.design",
    "Untreated": "causalgia.design",
    "adjust": "causalgia.estimation",
    "contrast": "causalgia.effects",
    "covariance": "causalgia.estimation",
    "errors": "causalgia.errors",
    "estimate": "causalgia.estimation",
    "factorial": "causalgia.design",
    "from_bed": "causalgia.sequences",
    "from_frame": "causalgia.frame",
    "log_degeneracy": "causalgia.sequences.klet",
    "load_predictor": "causalgia.predict",
    "placebos": "causalgia.design",
    "read_fasta": "causalgia.sequences",
    "read_motifs": "causalgia.sequences",
    "report": "causalgia.reporting",
    "run": "causalgia.trial",
    "zoo": "causalgia.zoo",
}
_MODULES = {"errors", "zoo"}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'causalgia' has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""The catalogue: every classic in-silico experiment as a function that returns a design with its named contrasts.

Each is run by `causalgia.run` and analysed by the ordinary verbs; ``experiment.analyse(outcomes, rng=)`` is the pipe of
verbs that answers its question. `entries` lists them.
"""

from __future__ import annotations

from causalgia.experiments.answer import Answer, Finding
from causalgia.experiments.catalogue import build, entries
from causalgia.experiments.copy_number import copies
from causalgia.experiments.experiment import Entry, Experiment, Found

__all__ = [
    "Answer",
    "Entry",
    "Experiment",
    "Finding",
    "Found",
    "build",
    "copies",
    "entries",
]

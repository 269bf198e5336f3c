"""Table of the experiments of the catalogue, and construction of an experiment by its name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from causalgia.checks import nearest
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment

#: each in the module `_name` of this package, which holds its entry under the name in capitals
_NAMES = (
    "word_screen",
    "word_mutagenesis",
    "position",
    "affinity",
    "copies",
    "spacing",
    "context_dependence",
    "necessity",
    "sufficiency",
    "tile_placement",
    "tile_copies",
    "tile_interactions",
    "greedy_round",
    "hairpin",
    "composition_bias",
    "occlusion",
    "knock_in",
    "flanks",
    "motif_pair",
    "motif_pairs",
    "variants",
    "dose_response",
    "grammar_screen",
    "fractional_factorial",
)
#: experiment -> the file that it shares with another
_SHARED_FILES = {
    "sufficiency": "necessity",
    "greedy_round": "greedy_tiles",
    "motif_pair": "motif_pairs",
    "grammar_screen": "fractional_factorial",
}


def entries() -> dict[str, Entry]:
    """Return the entries of the catalogue by name: question, estimand and DOI of each experiment.

    Examples
    --------
    >>> entries()["copies"].question
    'Do copies of a site add up, saturate or help each other?'
    """
    return {name: getattr(_module_of(name), name.upper()) for name in _NAMES}


def build(name: str, *arguments: Any, settings: Mapping[str, Any]) -> Experiment:
    """Return an experiment from its name and settings, as a `trial.toml` gives them.

    Parameters
    ----------
    name
        As in `entries`.
    *arguments
        Positional arguments of the experiment: its null model or sequences, or none for the default.
    settings
        Its keyword arguments.

    Raises
    ------
    DesignError
        If there is no experiment of that name, or it has no such setting; the message suggests the nearest.

    Examples
    --------
    >>> build("copies", settings={"at": [4, 12], "n_units": 100}).n_units
    100
    """
    if name not in _NAMES:
        near = nearest(str(name), _NAMES)
        raise DesignError(f"there is no experiment {quoted(name)}{near or '; there are ' + ', '.join(_NAMES)}")
    function: Callable[..., Experiment] = getattr(_module_of(name), name)
    takes = inspect.signature(function).parameters.values()
    known = [p.name for n, p in enumerate(takes) if p.kind is p.KEYWORD_ONLY or n >= max(len(arguments), 1)]
    for key in settings:
        if key not in known:
            raise DesignError(
                f"experiment {quoted(name)} has no "
                f"{quoted(key)}{nearest(key, known) or '; it takes ' + ', '.join(known)}"
            )
    return function(*arguments, **settings)


def _module_of(name: str) -> ModuleType:
    return importlib.import_module(f"causalgia.experiments._{_SHARED_FILES.get(name, name)}")

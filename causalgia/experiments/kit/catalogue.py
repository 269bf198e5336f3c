"""The table of the catalogue: which experiments there are, and how one is made from its name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from causalgia.checks import nearest
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment

#: each in the module `_name` of this room, with its entry under its name in capitals
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
#: two experiments of one file: the second -> the one that the file is named for
_SHARED_FILES = {
    "sufficiency": "necessity",
    "greedy_round": "greedy_tiles",
    "motif_pair": "motif_pairs",
    "grammar_screen": "fractional_factorial",
}


def entries() -> dict[str, Entry]:
    """Return the experiments by name, each with its question, estimand and DOI.

    Examples
    --------
    >>> entries()["copies"].question
    'Do copies of a site add up, saturate or help each other?'
    """
    return {name: _entry_named(name) for name in _NAMES}


def build(name: str, *arguments: Any, settings: Mapping[str, Any]) -> Experiment:
    """Return an experiment by its name and settings, as a `trial.toml` gives them.

    Parameters
    ----------
    name
        As in `entries`.
    *arguments
        What the experiment takes by position: its null model or sequences, or nothing for its default.
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
    make = _function_named(name)
    takes = inspect.signature(make).parameters.values()
    known = [p.name for n, p in enumerate(takes) if p.kind is p.KEYWORD_ONLY or n >= max(len(arguments), 1)]
    for key in settings:
        if key not in known:
            raise DesignError(
                f"experiment {quoted(name)} has no "
                f"{quoted(key)}{nearest(key, known) or '; it takes ' + ', '.join(known)}"
            )
    return make(*arguments, **settings)


def _entry_named(name: str) -> Entry:
    found: Entry = getattr(_module_of(name), name.upper())
    return found


def _function_named(name: str) -> Callable[..., Experiment]:
    if name not in _NAMES:
        near = nearest(str(name), _NAMES)
        raise DesignError(f"there is no experiment {quoted(name)}{near or '; there are ' + ', '.join(_NAMES)}")
    made: Callable[..., Experiment] = getattr(_module_of(name), name)
    return made


def _module_of(name: str) -> ModuleType:
    return importlib.import_module(f"causalgia.experiments._{_SHARED_FILES.get(name, name)}")

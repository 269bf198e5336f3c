"""The table of the catalogue: which experiments there are, and how one is made from its name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from causalgia.checks import nearest
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.experiment import Entry, Experiment

#: name of the experiment -> (module of this room, its entry there)
_WHERE = {
    "word_screen": ("words", "WORD_SCREEN"),
    "word_mutagenesis": ("mutagenesis", "WORD_MUTAGENESIS"),
    "position": ("places", "POSITION"),
    "affinity": ("affinities", "AFFINITY"),
    "copies": ("copy_number", "COPIES"),
    "spacing": ("site_spacing", "SPACING"),
    "context_dependence": ("contexts", "CONTEXT_DEPENDENCE"),
    "necessity": ("tiles", "NECESSITY"),
    "sufficiency": ("tiles", "SUFFICIENCY"),
    "tile_placement": ("moving", "TILE_PLACEMENT"),
    "tile_copies": ("tile_number", "TILE_COPIES"),
    "tile_interactions": ("higher_order", "TILE_INTERACTIONS"),
    "greedy_round": ("greedy", "GREEDY_ROUND"),
    "hairpin": ("structure", "HAIRPIN_ENTRY"),
    "composition_bias": ("bias", "COMPOSITION_BIAS"),
    "occlusion": ("occluding", "OCCLUSION"),
    "knock_in": ("knocking_in", "KNOCK_IN"),
    "flanks": ("flanking", "FLANKS"),
    "motif_pair": ("pairs", "MOTIF_PAIR"),
    "motif_pairs": ("pairs", "MOTIF_PAIRS"),
    "variants": ("alleles", "VARIANTS"),
    "dose_response": ("strength", "DOSE_RESPONSE"),
    "grammar_screen": ("screening", "GRAMMAR_SCREEN"),
    "fractional_factorial": ("screening", "FRACTIONAL_FACTORIAL"),
}


def entries() -> dict[str, Entry]:
    """Return the experiments by name, each with its question, estimand and DOI.

    Examples
    --------
    >>> entries()["copies"].question
    'Do copies of a site add up, saturate or help each other?'
    """
    return {name: _entry(name) for name in _WHERE}


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
    make = _maker(name)
    takes = inspect.signature(make).parameters.values()
    known = [p.name for n, p in enumerate(takes) if p.kind is p.KEYWORD_ONLY or n >= max(len(arguments), 1)]
    for key in settings:
        if key not in known:
            raise DesignError(
                f"experiment {quoted(name)} has no "
                f"{quoted(key)}{nearest(key, known) or '; it takes ' + ', '.join(known)}"
            )
    return make(*arguments, **settings)


def _entry(name: str) -> Entry:
    module, entry = _WHERE[name]
    found: Entry = getattr(importlib.import_module(f"causalgia.experiments.{module}"), entry)
    return found


def _maker(name: str) -> Callable[..., Experiment]:
    if name not in _WHERE:
        near = nearest(str(name), _WHERE)
        raise DesignError(f"there is no experiment {quoted(name)}{near or '; there are ' + ', '.join(_WHERE)}")
    made: Callable[..., Experiment] = getattr(importlib.import_module(f"causalgia.experiments.{_WHERE[name][0]}"), name)
    return made

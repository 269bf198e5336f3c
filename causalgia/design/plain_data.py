"""Reading of interventions and null models from plain data, as written by `to_dict` or by a user in TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from causalgia.design.frozen_choice import reads
from causalgia.design.intervention import Intervention, Untreated
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.design.null_model import NullModel
from causalgia.design.pattern_interventions import Embed, Insert, Placebo, PlaceboWord
from causalgia.design.per_sequence_interventions import AblateEach, EmbedEach
from causalgia.design.span_interventions import Ablate, Copy, Delete, Mutate, Scramble
from causalgia.errors import DesignError, quoted

INTERVENTIONS: dict[str, type[Intervention]] = {
    kind.kind: kind
    for kind in (Embed, Insert, Placebo, PlaceboWord, Delete, Scramble, Ablate, Mutate, Copy, AblateEach, EmbedEach)
}
"""Key of a trial file -> the intervention that it names."""


def _sequential(plain: dict[str, Any]) -> Intervention:
    listed = plain.pop("steps")
    if plain:
        raise DesignError(f"steps stand alone; {', '.join(plain)} beside them would be lost: put it into a step")
    if not isinstance(listed, list) or not all(isinstance(step, dict) for step in listed):
        raise DesignError(f'steps = a list of tables such as {{embed = "ACG", at = 3}}, not {quoted(listed)}')
    steps: Intervention = Untreated()
    for step in listed:
        steps = steps + intervention_from_dict(step)
    return steps


@reads(Intervention)
def intervention_from_dict(plain: Any) -> Intervention:
    """Return the intervention that `to_dict` wrote, or that a user wrote in TOML.

    Raises
    ------
    DesignError
        If the table names no intervention, several, or an option that the intervention does not have.

    Examples
    --------
    >>> print(intervention_from_dict({"embed": ["GATA", "CACGTG"], "at": [3, 20]}))
    do(x[3:7] = GATA, x[20:26] = CACGTG)
    """
    if not isinstance(plain, Mapping):
        raise DesignError(f'an intervention is a table such as {{embed = "ACG", at = 3}}, not {quoted(plain)}')
    known = [*INTERVENTIONS, "steps"]
    verbs = [verb for verb in plain if verb in known]
    if not plain:
        return Untreated()
    if len(verbs) != 1:
        found = " and ".join(verbs) if verbs else f"only {', '.join(plain)}"
        raise DesignError(f"an arm says one of {', '.join(known)}; here {found}")
    try:
        read = _sequential if verbs[0] == "steps" else INTERVENTIONS[verbs[0]].from_plain
        return read(dict(plain))
    except TypeError as error:
        raise DesignError(f"{verbs[0]}: {str(error).split('__init__() ')[-1]}") from error


@reads(NullModel)
def null_from_dict(plain: Any) -> NullModel:
    """Return the null model that `to_dict` wrote.

    Raises
    ------
    DesignError
        If the kind is unknown, or an option is missing or not one of that null model.

    Examples
    --------
    >>> null_from_dict({"kind": "uniform", "length": 20})
    Uniform(length=20)
    """
    if not isinstance(plain, Mapping):
        raise DesignError(f'null: a table such as {{kind = "uniform", length = 200}}, not {quoted(plain)}')
    kind = plain.get("kind")
    if not isinstance(kind, str) or kind not in NULL_MODELS:
        raise DesignError(f"null: kind = {quoted(kind)} must be one of {', '.join(NULL_MODELS)}")
    options = {key: value for key, value in plain.items() if key != "kind"}
    try:
        return NULL_MODELS[kind](**options)
    except TypeError as error:
        raise DesignError(f"null '{kind}': {str(error).split('__init__() ')[-1]}") from error

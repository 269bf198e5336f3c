"""Design of a trial as frozen values: null models, interventions, arms, assignment.

A value is compared by its content, prints as it was written, has a fingerprint, and
converts to TOML or JSON and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.design.arms import (
        Arm,
        assign,
        factorial,
        intervention_from_dict,
        null_from_dict,
    )
    from causalgia.design.design import Design
    from causalgia.design.intervention import Intervention, Sequential, Untreated
    from causalgia.design.matched_variants import MatchedVariants
    from causalgia.design.null_distributions import (
        DinucleotideShuffle,
        Genomic,
        KletShuffle,
        Markov,
        Profile,
        Shuffle,
        Uniform,
    )
    from causalgia.design.null_model import NullModel
    from causalgia.design.pattern_interventions import (
        Embed,
        Insert,
        Placebo,
        PlaceboWord,
        placebos,
    )
    from causalgia.design.patterns import merged_word
    from causalgia.design.per_sequence_interventions import AblateEach, EmbedEach
    from causalgia.design.span_interventions import (
        Ablate,
        Copy,
        Delete,
        Mutate,
        Scramble,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Ablate",
    "AblateEach",
    "Arm",
    "Copy",
    "Delete",
    "Design",
    "DinucleotideShuffle",
    "Embed",
    "EmbedEach",
    "Genomic",
    "Insert",
    "Intervention",
    "KletShuffle",
    "Markov",
    "MatchedVariants",
    "Mutate",
    "NullModel",
    "Placebo",
    "PlaceboWord",
    "Profile",
    "Scramble",
    "Sequential",
    "Shuffle",
    "Uniform",
    "Untreated",
    "assign",
    "factorial",
    "intervention_from_dict",
    "merged_word",
    "null_from_dict",
    "placebos",
]

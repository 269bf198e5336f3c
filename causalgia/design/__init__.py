"""Design of a trial as frozen values: null models, interventions, arms, assignment.

A value is compared by its content, prints as it was written, has a fingerprint, and
converts to TOML or JSON and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.design.arms import (
        Arm as Arm,
        assign as assign,
        factorial as factorial,
        intervention_from_dict as intervention_from_dict,
        null_from_dict as null_from_dict,
    )
    from causalgia.design.design import Design as Design
    from causalgia.design.intervention import (
        Intervention,
        Sequential as Sequential,
        Untreated as Untreated,
    )
    from causalgia.design.matched_variants import MatchedVariants as MatchedVariants
    from causalgia.design.null_distributions import (
        DinucleotideShuffle as DinucleotideShuffle,
        Genomic as Genomic,
        KletShuffle as KletShuffle,
        Markov as Markov,
        Profile as Profile,
        Shuffle as Shuffle,
        Uniform as Uniform,
    )
    from causalgia.design.null_model import NullModel
    from causalgia.design.pattern_interventions import (
        Embed as Embed,
        FixedPlacebo as FixedPlacebo,
        Insert as Insert,
        Placebo as Placebo,
        placebos as placebos,
    )
    from causalgia.design.patterns import merged_motif as merged_motif
    from causalgia.design.per_sequence_interventions import (
        AblateEach as AblateEach,
        EmbedEach as EmbedEach,
    )
    from causalgia.design.span_interventions import (
        Ablate as Ablate,
        Copy as Copy,
        Delete as Delete,
        Mutate as Mutate,
        Scramble as Scramble,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Intervention",
    "NullModel",
]

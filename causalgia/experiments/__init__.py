"""The catalogue: every classic in-silico experiment as a function that returns a design
with its named contrasts.

Each is run by `causalgia.run` and analyzed by the ordinary verbs;
``experiment.analyze(outcomes, rng=)`` is the pipe of verbs that answers its question.
`entries` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.experiments._across_predictors import (
        across_predictors,
        share_of_predictors as share_of_predictors,
    )
    from causalgia.experiments._affinity import affinity
    from causalgia.experiments._composition_bias import composition_bias
    from causalgia.experiments._context_dependence import context_dependence
    from causalgia.experiments._copies import copies
    from causalgia.experiments._dose_response import dose_response
    from causalgia.experiments._flanks import flanks
    from causalgia.experiments._fractional_factorial import (
        arrangement_screen,
        fractional_factorial,
    )
    from causalgia.experiments._greedy_tiles import greedy_round, greedy_tiles
    from causalgia.experiments._hairpin import hairpin
    from causalgia.experiments._junctions import junctions
    from causalgia.experiments._kmer_screen import kmer_screen
    from causalgia.experiments._knock_in import knock_in
    from causalgia.experiments._motif_mutagenesis import motif_mutagenesis
    from causalgia.experiments._motif_pairs import motif_pair, motif_pairs
    from causalgia.experiments._motif_screen import motif_screen
    from causalgia.experiments._necessity import necessity, sufficiency
    from causalgia.experiments._null_models import agreement, null_models
    from causalgia.experiments._occlusion import occlusion
    from causalgia.experiments._position import position
    from causalgia.experiments._proposals import proposals
    from causalgia.experiments._site_pairs import site_pairs
    from causalgia.experiments._spacing import spacing
    from causalgia.experiments._tile_copies import tile_copies
    from causalgia.experiments._tile_interactions import tile_interactions
    from causalgia.experiments._tile_placement import tile_placement
    from causalgia.experiments._tile_search import tile_search
    from causalgia.experiments._variant_effects import variant_effects
    from causalgia.experiments._variant_screen import variant_screen
    from causalgia.experiments._variants import variants as variants
    from causalgia.experiments._variants_across_contexts import variants_across_contexts
    from causalgia.experiments.kit.answer import (
        Answer as Answer,
        Finding,
        variant_frame,
        write_variants,
    )
    from causalgia.experiments.kit.experiment import (
        Entry as Entry,
        Experiment,
        build as build,
        entries,
    )
    from causalgia.experiments.kit.joint_effects import joint_effect
    from causalgia.experiments.kit.variance import pairing_gain
else:
    __getattr__, _ = on_first_use(__name__)

__all__ = [
    "Experiment",
    "Finding",
    "across_predictors",
    "affinity",
    "agreement",
    "arrangement_screen",
    "composition_bias",
    "context_dependence",
    "copies",
    "dose_response",
    "entries",
    "flanks",
    "fractional_factorial",
    "greedy_round",
    "greedy_tiles",
    "hairpin",
    "joint_effect",
    "junctions",
    "kmer_screen",
    "knock_in",
    "motif_mutagenesis",
    "motif_pair",
    "motif_pairs",
    "motif_screen",
    "necessity",
    "null_models",
    "occlusion",
    "pairing_gain",
    "position",
    "proposals",
    "site_pairs",
    "spacing",
    "sufficiency",
    "tile_copies",
    "tile_interactions",
    "tile_placement",
    "tile_search",
    "variant_effects",
    "variant_frame",
    "variant_screen",
    "variants_across_contexts",
    "write_variants",
]

#: what an experiment is made of and what is done with its answers; the rest of
#: ``__all__`` are experiments
_BESIDE_EXPERIMENTS = {
    "Answer",
    "Experiment",
    "Finding",
    "Fraction",
    "JointEffect",
    "TrialResults",
    "across_predictors",
    "agreement",
    "aliases",
    "build",
    "fraction",
    "joint_effect",
    "junctions",
    "pairing_gain",
    "variant_frame",
    "write_variants",
}


def __dir__() -> list[str]:
    """Return the names of the experiments, and `entries`, which describes them."""
    return sorted(set(__all__) - _BESIDE_EXPERIMENTS)

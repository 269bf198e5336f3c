"""The catalogue: every classic in-silico experiment as a function that returns a design with its named contrasts.

Each is run by `causalgia.run` and analysed by the ordinary verbs; ``experiment.analyse(outcomes, rng=)`` is the pipe of
verbs that answers its question. `entries` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.experiments.across import across_predictors, share_of_predictors
    from causalgia.experiments.affinities import affinity
    from causalgia.experiments.alleles import variants
    from causalgia.experiments.answer import Answer, Finding
    from causalgia.experiments.bias import composition_bias
    from causalgia.experiments.bisection import tile_search
    from causalgia.experiments.catalogue import build, entries
    from causalgia.experiments.contexts import context_dependence
    from causalgia.experiments.copy_number import copies
    from causalgia.experiments.experiment import Entry, Experiment, Found
    from causalgia.experiments.flanking import flanks
    from causalgia.experiments.fractions import Fraction, aliases, fraction
    from causalgia.experiments.greedy import greedy_round, greedy_tiles
    from causalgia.experiments.higher_order import tile_interactions
    from causalgia.experiments.knocking_in import knock_in
    from causalgia.experiments.moving import tile_placement
    from causalgia.experiments.mutagenesis import word_mutagenesis
    from causalgia.experiments.nulls import agreement, null_models
    from causalgia.experiments.occluding import occlusion
    from causalgia.experiments.pairing import pairing_gain
    from causalgia.experiments.pairs import motif_pair, motif_pairs
    from causalgia.experiments.places import position
    from causalgia.experiments.screening import fractional_factorial, grammar_screen
    from causalgia.experiments.seams import junctions
    from causalgia.experiments.site_spacing import spacing
    from causalgia.experiments.streaming import stream
    from causalgia.experiments.strength import dose_response
    from causalgia.experiments.structure import hairpin
    from causalgia.experiments.tile_number import tile_copies
    from causalgia.experiments.tiles import necessity, sufficiency
    from causalgia.experiments.words import word_screen
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Answer",
    "Entry",
    "Experiment",
    "Finding",
    "Found",
    "Fraction",
    "across_predictors",
    "affinity",
    "agreement",
    "aliases",
    "build",
    "composition_bias",
    "context_dependence",
    "copies",
    "dose_response",
    "entries",
    "flanks",
    "fraction",
    "fractional_factorial",
    "grammar_screen",
    "greedy_round",
    "greedy_tiles",
    "hairpin",
    "junctions",
    "knock_in",
    "motif_pair",
    "motif_pairs",
    "necessity",
    "null_models",
    "occlusion",
    "pairing_gain",
    "position",
    "share_of_predictors",
    "spacing",
    "stream",
    "sufficiency",
    "tile_copies",
    "tile_interactions",
    "tile_placement",
    "tile_search",
    "variants",
    "word_mutagenesis",
    "word_screen",
]

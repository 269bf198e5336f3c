from .arms import Arm as Arm, factorial as factorial
from .design import Design as Design
from .intervention import Intervention as Intervention, Untreated as Untreated
from .matched_variants import MatchedVariants as MatchedVariants
from .null_distributions import (
    DinucleotideShuffle as DinucleotideShuffle,
    Drawn as Drawn,
    Genomic as Genomic,
    KletShuffle as KletShuffle,
    Markov as Markov,
    Profile as Profile,
    Shuffle as Shuffle,
    Uniform as Uniform,
)
from .null_model import NullModel as NullModel
from .pattern_interventions import (
    Embed as Embed,
    Insert as Insert,
    Placebo as Placebo,
    placebos as placebos,
)
from .per_sequence_interventions import AblateEach as AblateEach, EmbedEach as EmbedEach
from .span_interventions import (
    Ablate as Ablate,
    Copy as Copy,
    Delete as Delete,
    Mutate as Mutate,
    Scramble as Scramble,
)

from . import (
    attribution as attribution,
    design as design,
    effects as effects,
    errors as errors,
    estimation as estimation,
    experiments as experiments,
    mpra as mpra,
    multiplicity as multiplicity,
    networks as networks,
    planning as planning,
    plot as plot,
    posterior as posterior,
    predict as predict,
    protocol as protocol,
    refutation as refutation,
    schema as schema,
    sequences as sequences,
    stopping as stopping,
    store as store,
    verdicts as verdicts,
    zoo as zoo,
)
from ._analyze import analyze as analyze
from ._audit import account as account, audit as audit
from ._check import check as check
from ._confirm import confirm as confirm
from ._moderation import moderation as moderation
from ._run import run as run
from .analysis import Analysis as Analysis
from .analysis_values import Prior as Prior, Shrinkage as Shrinkage
from .attribution import attribute as attribute, propose as propose
from .design import (
    Ablate as Ablate,
    AblateEach as AblateEach,
    Arm as Arm,
    Copy as Copy,
    Delete as Delete,
    Design as Design,
    DinucleotideShuffle as DinucleotideShuffle,
    Embed as Embed,
    EmbedEach as EmbedEach,
    Genomic as Genomic,
    Insert as Insert,
    KletShuffle as KletShuffle,
    Markov as Markov,
    MatchedVariants as MatchedVariants,
    Mutate as Mutate,
    Placebo as Placebo,
    Profile as Profile,
    Scramble as Scramble,
    Shuffle as Shuffle,
    Uniform as Uniform,
    Untreated as Untreated,
    factorial as factorial,
    placebos as placebos,
)
from .effects import (
    contrast as contrast,
    contrast_models as contrast_models,
)
from .effects._from_frame import from_frame as from_frame
from .estimation import estimate as estimate, from_effects as from_effects
from .multiplicity import rank as rank, simultaneous as simultaneous
from .planning import sample_size as sample_size
from .posterior import infer as infer
from .predict import (
    Ensemble as Ensemble,
    FunctionPredictor as FunctionPredictor,
    OnnxPredictor as OnnxPredictor,
    TorchPredictor as TorchPredictor,
    Track as Track,
    Window as Window,
    load_predictor as load_predictor,
)
from .protocol import Protocol as Protocol, verify as verify
from .refutation import refute as refute
from .results_folder import open as open
from .ropes import Rope as Rope
from .sequences import (
    motif as motif,
    read_patterns as read_patterns,
    read_sequences as read_sequences,
)
from .stopping import Decided as Decided
from .tell import (
    methods as methods,
    report as report,
    table as table,
    tidy as tidy,
)
from .verdicts import decide as decide, tipping_point as tipping_point

__version__: str

"""Randomized experiments on sequence-to-activity networks, with standard errors.

The usual order: describe a trial by a `Design` (or one of `experiments`) and `run` it;
`analyze` the outcomes, which takes the steps `contrast`, `estimate` and `decide` (and
`infer`); show the result by `report`, `tidy` or `plot`; `refute` and `confirm` it.

>>> import causalgia as cg
>>> arms = {"wt": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
>>> design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=300)
>>> outcomes = cg.run(design, cg.zoo.load("gata1_like"), rng=0)
>>> cg.analyze(outcomes, control="wt", rope=(-0.1, 0.1), rng=0)["verdict"].values
array([['increases', 'increases']], dtype='<U10')
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

# public names are loaded on first use: the import is as light as the standard library
__version__ = "0.2.0"

if TYPE_CHECKING:
    from causalgia import (
        attribution as attribution,
        calibration as calibration,
        design as design,
        effects as effects,
        errors as errors,
        estimation as estimation,
        experiments as experiments,
        mpra as mpra,
        multiplicity as multiplicity,
        networks as networks,
        paper as paper,
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
    from causalgia._analyze import analyze
    from causalgia._check import check
    from causalgia._confirm import confirm
    from causalgia._discover import discover
    from causalgia._run import run
    from causalgia.analysis import Analysis
    from causalgia.analysis_values import Prior, Shrinkage
    from causalgia.attribution import attribute, propose
    from causalgia.calibration import calibrate
    from causalgia.design import (
        Ablate,
        AblateEach,
        Arm,
        Copy,
        Delete,
        Design,
        DinucleotideShuffle,
        Embed,
        EmbedEach,
        Genomic,
        Insert,
        KletShuffle,
        Markov,
        MatchedVariants,
        Mutate,
        Placebo,
        Profile,
        Scramble,
        Shuffle,
        Uniform,
        Untreated,
        factorial,
        placebos,
    )
    from causalgia.effects import contrast, contrast_models
    from causalgia.effects._from_frame import from_frame
    from causalgia.estimation import estimate, from_effects
    from causalgia.multiplicity import adjust, simultaneous
    from causalgia.paper import methods, report, table, tidy
    from causalgia.planning import sample_size
    from causalgia.posterior import infer
    from causalgia.predict import (
        Ensemble,
        FunctionPredictor,
        OnnxPredictor,
        TorchPredictor,
        Track,
        Window,
        load_predictor,
    )
    from causalgia.protocol import Protocol, verify
    from causalgia.refutation import refute
    from causalgia.results_folder import open
    from causalgia.ropes import Rope
    from causalgia.sequences import motif, read_patterns, read_sequences
    from causalgia.stopping import Decided, Precision
    from causalgia.verdicts import decide, tipping_point
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Ablate",
    "AblateEach",
    "Analysis",
    "Arm",
    "Copy",
    "Decided",
    "Delete",
    "Design",
    "DinucleotideShuffle",
    "Embed",
    "EmbedEach",
    "Ensemble",
    "FunctionPredictor",
    "Genomic",
    "Insert",
    "KletShuffle",
    "Markov",
    "MatchedVariants",
    "Mutate",
    "OnnxPredictor",
    "Placebo",
    "Precision",
    "Prior",
    "Profile",
    "Protocol",
    "Rope",
    "Scramble",
    "Shrinkage",
    "Shuffle",
    "TorchPredictor",
    "Track",
    "Uniform",
    "Untreated",
    "Window",
    "adjust",
    "analyze",
    "attribute",
    "calibrate",
    "check",
    "confirm",
    "contrast",
    "contrast_models",
    "decide",
    "discover",
    "estimate",
    "factorial",
    "from_effects",
    "from_frame",
    "infer",
    "load_predictor",
    "methods",
    "motif",
    "open",
    "placebos",
    "propose",
    "read_patterns",
    "read_sequences",
    "refute",
    "report",
    "run",
    "sample_size",
    "simultaneous",
    "table",
    "tidy",
    "tipping_point",
    "verify",
]


def _has_torch() -> bool:
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False
    except ValueError:  # something without a specification was put in its place
        return True


# type checkers, which would drop the export, do not read this
if not TYPE_CHECKING and not _has_torch():
    __all__.remove("TorchPredictor")

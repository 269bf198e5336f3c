"""Randomized experiments on sequence-to-activity networks, with standard errors.

The usual order: describe a trial by a `Design` (or one of `experiments`) and `run` it;
`analyze` the outcomes, which takes the steps `contrast`, `estimate` and `decide` (and
`infer`); show the result by `report`, `tidy` or `plot`; `refute` and `confirm` it.

>>> import causalgia as cg
>>> arms = {"wt": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
>>> design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=300)
>>> outcomes = cg.run(design, cg.zoo.load("gata1_like"), rng=0)
>>> cg.analyze(outcomes, control="wt", rope=(-0.1, 0.1))["verdict"].values
array([['increases', 'increases']], dtype='<U10')
"""

import importlib.util

import lazy_loader as lazy

__version__ = "0.3.0"

# public names are loaded on first use: the import is as light as the standard library
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)


def _has_torch() -> bool:
    try:
        return importlib.util.find_spec("torch") is not None
    except ImportError:
        return False
    except ValueError:  # something without a specification was put in its place
        return True


if not _has_torch():  # or ``from causalgia import *`` and ``help`` would fail
    __all__.remove("TorchPredictor")

    def __dir__() -> list[str]:
        return __all__.copy()

"""Methods over the cases of the zoo, and maps of UGCAUG in the ten networks of
RBFOX1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from interpreted.cases import Case, cases as cases_of_the_zoo
from interpreted.interpretation import Interpretation, interpretation
from interpreted.methods import METHODS, mapped

N = 40
#: of the maps whose figures are promised: (method of cg.attribute, networks, least
#: AUROC, least precision@k)
PROMISED = {
    "ISM": ("ism", ("residual", "exponential"), 0.98, 0.90),
    "integrated gradients": (
        "integrated_gradients",
        ("residual", "exponential"),
        0.98,
        0.90,
    ),
    "DeepLIFT": ("deeplift", ("residual", "exponential"), 0.98, 0.90),
    "gradient": ("gradient", ("exponential",), 0.995, 0.98),
}
_BASELINES = 64
_QUICK = ("OR", "rbfox1_like")


def measured(method: str, *, quick: bool = False) -> dict[str, Any]:
    """Return the scores of a method over the zoo."""
    cases = [
        case
        for case in cases_of_the_zoo(n_sequences=N)
        if not quick or case.name in _QUICK
    ]
    return as_results(interpretation(METHODS[method], cases=cases))


def as_results(found: Interpretation) -> dict[str, Any]:
    """Return an answer for a JSON file, rounded to six digits."""
    table = found.table.assign(
        value=found.table["value"].round(6), se=found.table["se"].round(6)
    )
    return {
        "rows": table.to_numpy().tolist(),
        "refused": [
            [case, network, why] for (case, network), why in found.refused.items()
        ],
    }


def words(*, quick: bool = False) -> dict[str, Any]:
    """Return AUROC and precision@k of UGCAUG in each of the ten networks, with 64
    baselines.
    """
    zoo = {case.name: case for case in cases_of_the_zoo(n_sequences=N)}
    found = {}
    for name, (method, networks, *_) in PROMISED.items():
        rows = []
        for network in networks[-1:] if quick else networks:
            case = zoo[f"rbfox1_like, {network}"]
            predictors = dict(list(case.predictors.items())[: 1 if quick else None])
            read = np.zeros(case.read.shape, dtype=bool)
            for site in case.sites:
                read[site.unit, site.start : site.stop] = True
            one = Case(
                name=network, predictors=predictors, backgrounds=case.backgrounds, sequences=case.sequences,
                sites=case.sites, read=read,
            )  # fmt: skip

            def of(predictor: Any, tokens: Any, method: str = method) -> Any:
                return mapped(
                    predictor,
                    tokens,
                    method=method,
                    n_baselines=4 if quick else _BASELINES,
                )

            rows += as_results(interpretation(of, cases=[one]))["rows"]
        found[name] = [row for row in rows if row[2] in ("auroc", "precision_at_k")]
    return found

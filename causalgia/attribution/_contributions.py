"""`contributions`: the score of the observed base at each position of a map."""

from __future__ import annotations

import xarray as xr

from causalgia.numerics.observed_scores import observed_scores
from causalgia.schema import validate


def contributions(attributions: xr.Dataset) -> xr.DataArray:
    """Return the contribution of the observed base at each position: one number for each position of a map.

    Of ``method="ism"`` it is ``f(x) - mean_b f(x with b at i)`` over the three other bases; of all other methods the
    score of the observed base itself.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.

    Returns
    -------
    DataArray
        (unit, position, task[, model]), on the scale of the answers.

    Raises
    ------
    OutcomesError
        If it is no Dataset of `causalgia.attribute`.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count")
    >>> maps = cg.attribute(["ACGT"], count, method="ism")
    >>> cg.attribution.contributions(maps).sel(task="G").values.tolist()
    [[-0.333..., -0.333..., 1.0, -0.333...]]
    """
    validate(attributions, "attributions")
    score = attributions["score"]
    if "base" not in score.dims:
        return score
    values = observed_scores(
        score.to_numpy(), attributions["observed"].to_numpy(), by_substitution=attributions.attrs["method"] == "ism"
    )
    return score.isel(base=0, drop=True).copy(data=values)

"""Scores from elsewhere, ranked among null scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalgia.checks import nearest
from causalgia.choices import ALTERNATIVES, Alternative
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.multiplicity.matched_ranks import (
    Strata,
    extrapolate_ranks,
    rank_among_matched,
)
from causalgia.types import Array, Index, Series


def rank(
    scores: npt.ArrayLike | Series | pd.DataFrame,
    null_scores: npt.ArrayLike | Series | pd.DataFrame,
    *,
    strata: tuple[Sequence[object] | Series | pd.DataFrame, ...] | None = None,
    alternative: Alternative = "two-sided",
    tail: bool = False,
) -> pd.DataFrame:
    r"""Rank scores among null scores: p-values, and q-values over all scores.

    For scores of any origin, such as those of variants by another program, with scores
    of variants that are known to do nothing, of matched ones, or of shuffles. The
    p-value of a score s among the m null scores of its stratum is

    .. math:: p = \frac{1 + \#\{i : |s_i^0| \ge |s|\}}{m + 1},

    the rank that `causalgia.experiments.variants` gives among matched null variants. If
    s is exchangeable with its null scores, :math:`P(p \le a) \le a` for every a, with
    equality for ``a = 1/(m + 1), 2/(m + 1), ...`` where scores have no ties: no
    distribution is assumed, and p is never 0. Ties count against a score.

    Parameters
    ----------
    scores
        A score for each row, (K,); or a table with a column for each task, (K, tasks).
    null_scores
        Null scores, (M,), any number; or a table with the same columns.
    strata
        Classes within which scores are compared, such as of frequency or of distance:
        the label of each score, and that of each null score; ``(table["class"],
        nulls["class"])``, or two tables with a column for each key. None: all are of one
        class.
    alternative
        Which scores are extreme. ``"two-sided"``: large ones of either sign, by their
        absolute value; for differences, whose null scores lie about 0. ``"greater"``:
        high ones; ``"less"``: low ones.
    tail
        Whether p-values below ``1 / (m + 1)`` are extrapolated from the largest null
        scores of the stratum (2,000 or more), by a generalized Pareto law of their tail.

    Returns
    -------
    DataFrame
        A row for each score, with its index (of a table, for each score and task):
        ``score``; ``p``; ``q``, Benjamini-Hochberg's over all rows, which bounds the
        expected share of false discoveries also where p-values share null scores;
        ``n_null``, m. With `tail` also ``tail_p``, and ``tail_by``: ``"rank"`` where 10
        null scores or more are as extreme, ``"tail"`` where fewer are, ``"no fit"`` where
        the law does not hold or there are too few, and ``tail_p`` is p.

    Raises
    ------
    DataError
        If a score is not finite or no real number, there are no scores or null scores,
        those of a stratum are lacking, they are no table, or lengths, columns or indices
        differ.
    EstimateError
        If `alternative` is unknown.

    Notes
    -----
    The least p is ``1 / (m + 1)``: of K scores of which a share r is to be found at
    ``q <= .05``, it takes about ``5 / (.05 r)`` null scores in each stratum. Scores that
    differ by rounding alone are no ties, as `causalgia.experiments.variants` counts
    them: round them first.

    References
    ----------
    Phipson & Smyth (2010), doi:10.2202/1544-6115.1585. Bates, Candes, Lei, Romano &
    Sesia (2023), doi:10.1214/22-AOS2244: ranks that share null scores. Benjamini &
    Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. The tail: Knijnenburg,
    Wessels, Reinders & Shmulevich (2009), doi:10.1093/bioinformatics/btp211.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import causalgia as cg
    >>> variants = pd.DataFrame(
    ...     {"score": [3.0, -0.2, 3.0], "place": ["exon", "exon", "intron"]},
    ...     index=["rs1", "rs2", "rs3"],
    ... )
    >>> null = np.random.default_rng(0).normal(size=998)
    >>> nulls = pd.DataFrame({"score": null, "place": ["exon", "intron"] * 499})
    >>> nulls.loc[nulls["place"] == "intron", "score"] *= 4
    >>> found = cg.rank(
    ...     variants["score"],
    ...     nulls["score"],
    ...     strata=(variants["place"], nulls["place"]),
    ... )
    >>> found.round(3)
         score      p      q  n_null
    rs1    3.0  0.006  0.018     499
    rs2   -0.2  0.848  0.848     499
    rs3    3.0  0.422  0.633     499
    """
    if alternative not in ALTERNATIVES:
        raise EstimateError(
            f"alternative={quoted(alternative)} is not one of "
            f"{', '.join(ALTERNATIVES)}{nearest(str(alternative), ALTERNATIVES)}",
            argument="alternative",
        )
    table, null = _table("scores", scores), _table("null_scores", null_scores)
    if table.shape[1] == 1 == null.shape[1]:
        null.columns = table.columns
    if list(table.columns) != list(null.columns):
        raise DataError(
            f"scores have the columns {quoted(list(table.columns))} and null_scores "
            f"{quoted(list(null.columns))}"
        )
    values, nulls = (
        _finite(*one) for one in (("scores", table), ("null_scores", null))
    )
    divided = _strata_of(strata, table, null)
    found = rank_among_matched(values, nulls, divided, alternative=alternative)
    columns: dict[str, np.ndarray] = {
        "score": values,
        "p": found.p,
        "q": found.q,
        "n_null": found.n,
    }
    if tail:
        by_law = extrapolate_ranks(values, nulls, divided, alternative=alternative)
        columns |= {"tail_p": by_law.p, "tail_by": by_law.by}
    index: Index = table.index
    if isinstance(scores, pd.DataFrame) or np.ndim(scores) == 2:
        index = pd.MultiIndex.from_product([table.index, table.columns])
    return pd.DataFrame({name: x.ravel() for name, x in columns.items()}, index=index)


def _table(name: str, given: npt.ArrayLike | Series | pd.DataFrame) -> pd.DataFrame:
    """Return scores as a table, (rows, columns)."""
    if isinstance(given, pd.DataFrame | pd.Series):
        table = pd.DataFrame(given)
    else:
        array = np.asarray(given)
        if array.ndim not in (1, 2):
            raise DataError(
                f"{name} of shape {array.shape}: a rank takes a score a row, or a row "
                "and task"
            )
        table = pd.DataFrame(array)
    if not table.size:
        raise DataError(f"{name} are empty: a rank takes one or more")
    return table


def _finite(name: str, table: pd.DataFrame) -> Array:
    """Return the scores of a table, (rows, columns)."""
    given = table.to_numpy()
    if given.dtype.kind not in "biuf":
        for (row, _), value in np.ndenumerate(given):
            if not (pd.isna(value) or _is_real(value)):
                raise DataError(
                    f"{name}: {quoted(value)} in row {quoted(table.index[row])} is not a "
                    "real number"
                )
    values = table.to_numpy(np.float64, na_value=np.nan)
    for row, column in np.argwhere(~np.isfinite(values))[:1]:
        raise DataError(
            f"{name}: {values[row, column]} in row {quoted(table.index[row])} is not a "
            "finite number"
        )
    return values


def _is_real(value: Any) -> bool:
    if np.iscomplexobj(value):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _strata_of(
    strata: tuple[Sequence[object] | Series | pd.DataFrame, ...] | None,
    scores: pd.DataFrame,
    nulls: pd.DataFrame,
) -> Strata:
    """Return the strata of scores, each with its null scores."""
    if strata is None:
        return Strata(np.zeros(len(scores), np.intp), (np.arange(len(nulls)),), ((),))
    if len(strata) != 2:
        raise DataError(
            f"strata have {len(strata)} parts: give the labels of scores and those of "
            "null_scores"
        )
    keys = list[pd.DataFrame]()
    for name, of, given in zip(
        ("scores", "null_scores"), (scores, nulls), strata, strict=True
    ):
        labels = pd.DataFrame(given)
        if len(labels) != len(of):
            raise DataError(f"strata: {len(labels):,} labels of {len(of):,} {name}")
        indexed = isinstance(given, pd.DataFrame | pd.Series)
        if indexed and not labels.index.equals(of.index):
            raise DataError(
                f"strata: the labels of {name} have another index than they"
            )
        if labels.isna().to_numpy().any():
            raise DataError(f"strata: a label of {name} is missing")
        keys.append(labels)
    own, of_nulls = keys
    if own.shape[1] == 1 == of_nulls.shape[1]:
        of_nulls.columns = own.columns
    if list(own.columns) != list(of_nulls.columns):
        raise DataError(
            f"strata: scores have the keys {quoted(list(own.columns))} and null_scores "
            f"{quoted(list(of_nulls.columns))}"
        )
    codes = (
        pd.concat([own, of_nulls], ignore_index=True)
        .groupby(list(own.columns), sort=False, observed=True)
        .ngroup()
        .to_numpy()
    )
    of_score, of_null = np.split(codes, [len(scores)])
    lacking = ~np.isin(of_score, of_null)
    if lacking.any():
        label = own.iloc[int(lacking.argmax())].tolist()
        raise DataError(
            f"strata: {quoted(label[0] if len(label) == 1 else label)} has no null scores"
        )
    used, of_effect = np.unique(of_score, return_inverse=True)
    return Strata(
        of_effect,
        tuple(np.flatnonzero(of_null == one) for one in used),
        ((),) * len(used),
    )

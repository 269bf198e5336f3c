"""Effects as tables: for programs, for print, and for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia import experiments
from causalgia.attributes import about, attributes
from causalgia.effect_table import (
    as_rows,
    has_positions,
    select_tasks,
)
from causalgia.errors import DataError, type_in_words
from causalgia.estimation._from_effects import estimates_of_given
from causalgia.estimation.crossover_estimates import ice_without_rounding
from causalgia.estimation.given_table import read_given
from causalgia.estimation.request import null_value
from causalgia.multiplicity.families import order_ice_dims
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import keeps_effects, with_selected_dims
from causalgia.tell.effect_rows import as_reportable
from causalgia.types import GivenTable, PosteriorGroups

COLUMNS = (
    "term",
    "task",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
)
"""Columns that every tidy table has, in this order, after broom."""
_BROOM_NAMES = {
    "ace": "estimate",
    "se": "std_error",
    "lower": "conf_low",
    "upper": "conf_high",
    "p": "p_value",
    "shrunken_lower": "shrunken_low",
    "shrunken_upper": "shrunken_high",
}
_FIRST_OF_TABLE = (
    "conf_level",
    "verdict",
    "q",
    "p_verdict",
    "shrunken",
    "shrunken_low",
    "shrunken_high",
    "lfsr",
    "n",
)
_COLUMN_OF_DIM = {"contrast": "term"}
_POSTERIOR_LEVEL = 0.95
_TAKES = (
    "tidy takes estimates (cg.estimate, cg.from_effects), decisions "
    "(cg.decide), a posterior (cg.infer), a fit (cg.mpra.fit) or the "
    "answer of an experiment"
)


@usual_errors
def tidy(
    x: GivenTable | experiments.Answer | PosteriorGroups,
    *,
    task: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return effects as a tidy table: one row per effect, with the column names of
    broom; of individual effects one row per unit.

    Use it to hand results to R, to a spreadsheet or to a plotting library.
    `causalgia.report` is the same for readers, with rounded numbers. Names are as they
    were given.

    Parameters
    ----------
    x
        Estimates, decisions, a posterior, effects of another program as
        `causalgia.from_effects` takes them, individual effects of `causalgia.contrast`,
        the fit of an MPRA (a row per element and contrast), or the `~causalgia.experiments.Answer` of an experiment.
    task
        Names or patterns of tasks, one or several, such as ``"DNASE:*"``; None: all.

    Returns
    -------
    DataFrame
        A row per contrast and task (and ``position`` of a curve, ``model`` of a
        predictor). In this order:

        - ``term``, the contrast (the element, for a fit), and ``task``;
        - ``estimate``, the average causal effect on the scale of the contrast (a
          posterior: its mean);
        - ``std_error`` (a posterior: its standard deviation);
        - ``statistic = (estimate - null value) / std_error`` with ``df`` degrees of
          freedom;
        - ``p_value``, two-sided, of no effect, not adjusted;
        - ``conf_low, conf_high``, limits at ``conf_level``;
        - ``verdict`` with its error rate ``q`` and ``p_verdict``; ``shrunken``, the
          hierarchical effect size, with ``shrunken_low, shrunken_high`` and ``lfsr``;
          ``n``, the number of independent units (100, where 1,000 are shuffles of 100
          parents); and the other variables on the dims of an effect, where known,
          under the names of `causalgia.schema`, such as ``two_valued``: whether the
          outcomes of a row take two values, so that its limits follow from counts that
          a table does not hold (`causalgia.decide` takes the estimates);
        - ``exploratory``, what was decided after the outcomes were seen; no such column
          where nothing was.

        Of individual effects a row per unit, contrast and task: ``unit, contrast, task,
        ice``, ``parent`` where units share one, and every other coordinate of the
        units, such as ``gc``, for a regression on them.

        A value is missing (NaN) where there is none: the statistic of an exact effect;
        the p of a posterior. ``frame.attrs`` has the attributes of the Dataset.

    Raises
    ------
    DataError
        If there are no effects in it: outcomes, and effects without units, have to be
        estimated first.
    EstimateError
        If there is no such task.

    Notes
    -----
    ``p_value`` and the limits are the wider of Student's t and, where the skewness of
    the units is known, Hall's transformed t; ``statistic`` is Student's. The table of
    an answer is that of its decisions. Fixed placebos, as those of a screen,
    have rows as well; the decisions without them are
    ``decisions.sel(contrast=~decisions["is_placebo"])``.

    References
    ----------
    Robinson (2014), broom, doi:10.48550/arXiv.1412.3565.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> estimates = from_effects(
    ...     [1.38, 0.01], se=[0.02, 0.02], df=[99, 99], names=["GATA1", "mutant"]
    ... )
    >>> tidy(estimates)[
    ...     ["term", "estimate", "statistic", "df", "p_value", "conf_low"]
    ... ].round(3)
         term  estimate  statistic    df  p_value  conf_low
    0   GATA1      1.38       69.0  99.0    0.000      1.34
    1  mutant      0.01        0.5  99.0    0.618     -0.03

    Individual effects go into a regression, and its coefficients into a verdict:

    >>> import statsmodels.formula.api as smf
    >>> import causalgia as cg
    >>> gc = np.random.default_rng(0).uniform(0.3, 0.7, 60)
    >>> y = np.c_[np.zeros(60), 2 * gc + np.random.default_rng(1).normal(0, 0.1, 60)]
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), y[:, :, None])},
    ...     {"arm": ["control", "GATA1"], "task": ["K562"], "gc": ("unit", gc)},
    ... )
    >>> units = tidy(cg.contrast(outcomes, control="control"))
    >>> units.columns.tolist()
    ['unit', 'contrast', 'task', 'ice', 'gc']
    >>> cg.decide(smf.ols("ice ~ gc", units).fit(), rope=0)["verdict"].item()
    'increases'
    """
    if isinstance(
        decisions := getattr(x, "decisions", None), xr.Dataset
    ):  # of an answer
        x = decisions
    if (given := read_given(x)).of_others:
        x = estimates_of_given(given)
    if not isinstance(x, xr.Dataset) or {"chain", "draw"} <= set(x.dims):
        found = select_tasks(_summary(x), task, place="tidy: ")
        return _frame(found, of_draws=True)
    if "ice" in x:
        return _unit_frame(select_tasks(order_ice_dims(x), task, place="tidy: "))
    if "ace" not in x:
        first = (
            "cg.estimate(x)"
            if keeps_effects(x)
            else "cg.estimate(cg.contrast(outcomes, control=...))"
        )
        cure = (
            f"estimate first: {first}"
            if keeps_effects(x) or "outcome" in x
            else "print it: it has no effects"
        )
        raise DataError(f"{_TAKES}, and this Dataset has no 'ace'; {cure}")
    if not has_positions(x):
        x = as_reportable(x)
    return _frame(select_tasks(x, task, place="tidy: "))


def _unit_frame(effects: xr.Dataset) -> pd.DataFrame:
    """Return individual effects as a table: a row for each unit, contrast and task."""
    effects = with_selected_dims(effects, "effects")
    ice = effects["ice"].copy(data=ice_without_rounding(effects))
    known = {str(n) for n, c in effects.coords.items() if c.dims == ("unit",)}
    labels = [str(dim) for dim in ice.dims]
    whole = ice.to_dataframe().reset_index()
    first = [*labels, "ice", *(n for n in ("parent", "block") if n in known)]
    frame = whole[[*first, *sorted(known - {*first})]]
    frame.attrs = {str(name): value for name, value in effects.attrs.items()}
    return frame


def _summary(posterior: Any) -> xr.Dataset:
    """Return a posterior as a table: mean, standard deviation, equal-tailed interval,
    and its moments.
    """
    from causalgia.posterior.posterior_tree import tree_datasets, tree_group

    groups = {"posterior": posterior} if isinstance(posterior, xr.Dataset) else None
    if groups is None:
        if not (
            isinstance(posterior, xr.DataTree | Mapping) or hasattr(posterior, "groups")
        ):
            raise DataError(f"{_TAKES}, and this is {type_in_words(posterior)}")
        groups = tree_datasets(posterior)
    draws = tree_group(groups, "posterior", "ace")["ace"]
    if "task" not in draws.dims:
        draws = draws.expand_dims(task=["effect"], axis=-1)
    tail = (1 - _POSTERIOR_LEVEL) / 2
    ends = draws.quantile([tail, 1 - tail], dim=("chain", "draw"))
    columns = {
        "ace": draws.mean(("chain", "draw")),
        "posterior_sd": draws.std(("chain", "draw"), ddof=1),
        "lower": ends.isel(quantile=0, drop=True),
        "upper": ends.isel(quantile=1, drop=True),
    }
    exact = groups.get("moments", xr.Dataset())
    known = {"mean": "ace", "sd": "posterior_sd", "lfsr": "lfsr"}
    columns |= {
        new: exact[old]
        for old, new in known.items()
        if old in exact and exact[old].dims == columns["ace"].dims
    }
    attrs = {
        **groups["posterior"].attrs,
        **attributes(ci_prob=_POSTERIOR_LEVEL, evidence="posterior"),
    }
    return xr.Dataset(columns, attrs=attrs)


def _frame(effects: xr.Dataset, *, of_draws: bool = False) -> pd.DataFrame:
    effects = as_rows(effects)
    dims = [str(dim) for dim in effects["ace"].dims]
    on_dims = {
        str(n)
        for n, v in effects.variables.items()
        if v.dims and {*v.dims} <= {*dims} and n not in dims
    }
    flat = xr.Dataset(
        {name: effects[name].broadcast_like(effects["ace"]) for name in sorted(on_dims)}
    )
    columns = {
        name: flat[name].transpose(*dims).to_numpy().ravel() for name in flat.data_vars
    }
    labels = pd.MultiIndex.from_product(
        [effects.indexes.get(dim, range(effects.sizes[dim])) for dim in dims]
    )
    out = {
        _COLUMN_OF_DIM.get(dim, dim): labels.get_level_values(i).to_numpy()
        for i, dim in enumerate(dims)
    }
    out.setdefault("task", np.full(len(labels), "effect"))
    numbers = {str(name): values for name, values in columns.items()}
    missing = np.full(len(labels), np.nan)
    if of_draws:
        numbers["se"] = numbers.pop("posterior_sd", missing)
    independent = numbers.get("n_clusters", numbers.get("n_units"))
    numbers |= {} if independent is None else {"n": independent}
    out |= {_BROOM_NAMES.get(name, name): values for name, values in numbers.items()}
    if "conf_low" in out:
        level = float(about(effects, np.nan).ci_prob)
        out["conf_level"] = np.full(len(labels), level)
    out = {name: missing for name in COLUMNS if name not in out} | out
    if exploratory := about(effects, None).exploratory:
        out["exploratory"] = np.full(len(labels), str(exploratory))
    if not of_draws:
        se = np.asarray(out["std_error"], dtype=float)
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # missing where there is no standard error above 0
            statistic = (out["estimate"] - null_value(effects)) / np.where(
                se > 0, se, 1.0
            )
        out["statistic"] = np.where(se > 0, statistic, np.nan)
    known = [name for name in (*COLUMNS, *_FIRST_OF_TABLE) if name in out]
    rest = sorted(name for name in out if name not in known)
    at = 2 if "task" in known else 1
    where = [name for name in ("position", "model") if name in rest]
    order = [
        *known[:at],
        *where,
        *known[at:],
        *(name for name in rest if name not in where),
    ]
    frame = pd.DataFrame({name: out[name] for name in order})
    frame.attrs = {str(name): value for name, value in effects.attrs.items()}
    return frame

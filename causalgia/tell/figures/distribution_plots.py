"""Figures of distributions: effects by unit, the null model and real sequences, ranks
of true values, and power.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about, has
from causalgia.checks import in_order, is_whole, listed
from causalgia.effect_table import tasks_in_table
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.estimation.request import null_value
from causalgia.schema import validate
from causalgia.tell.figures.style import (
    ACCENT,
    AS_IT_IS,
    BAND,
    GRAY,
    GRID,
    INK,
    MODELS,
    PAGE,
    as_task,
    axes_or_new,
    axis_label,
    fit_to_page,
    heading,
    legend_below,
    name_points,
    new_figure,
    set_flowing,
    shortened,
    strip,
    write_heading,
)
from causalgia.types import Array

_ROWS_OF_CLOUDS = 24
_POINTS_A_CLOUD = 400
_GRID_POINTS = 200


def raincloud(
    effects: xr.Dataset,
    *,
    contrast: str | Sequence[str] | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution of individual causal effects: density, box and a point for
    each unit.

    Use it to see what an average hides: units without an effect, two groups, or a few
    units with all of the effect.

    Parameters
    ----------
    effects
        From `causalgia.contrast`: ``ice (unit, contrast, task)``.
    contrast
        One or several; None: all, of more than 24 the first 24, which the heading says.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Rows in the order of the contrasts. The box has the quartiles and the median,
        its whiskers the central 95 % of the units, the diamond is the mean (the ACE).
        Of more than 400 units, 400 evenly spaced in rank are drawn, which the legend
        says.

    Raises
    ------
    EstimateError
        If a contrast or the task does not exist, or the task is required.
    DataError
        If there are no effects of single units, or those of several models.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    >>> outcomes = cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> axes = raincloud(cg.contrast(outcomes, control="untreated"))
    >>> (
    ...     axes.get_title("left"),
    ...     [tick.get_text() for tick in axes.get_yticklabels()],
    ... )
    ('RBFOX1, n = 50', ['GCATG'])
    """
    if "ice" not in effects:
        raise DataError("raincloud: there are no effects of single units")
    if "model" in effects["ice"].dims:
        raise DataError("raincloud: there are several models, and one is drawn")
    task = as_task(effects, task, "raincloud")
    one = effects.isel(task=tasks_in_table(effects).index(task))
    names = _chosen(
        [str(name) for name in one["contrast"].to_numpy()],
        contrast,
        "raincloud",
        "contrast",
    )
    values = [
        one["ice"].sel(contrast=name).to_numpy().astype(float)
        for name in names[:_ROWS_OF_CLOUDS]
    ]
    axes = axes_or_new(ax, 6.6, 1.6 + 0.62 * len(values))
    for row, units in enumerate(values):
        units = units[np.isfinite(units)]
        color = MODELS[row % len(MODELS)] if len(values) > 1 else ACCENT
        _draw_density(axes, units, row, color)
        _draw_box(axes, units, row + 0.1, color, height=0.08)
        drawn = _evenly_in_rank(units)
        jitter = 0.16 * (np.arange(len(drawn)) * 0.618034 % 1)
        axes.scatter(
            drawn, row + 0.2 + jitter, s=5, color=color, alpha=0.55, lw=0, zorder=3
        )
    most = max(map(len, values))
    label = (
        "unit"
        if most <= _POINTS_A_CLOUD
        else f"unit ({_POINTS_A_CLOUD:,} of {most:,}, evenly in rank)"
    )
    axes.scatter([], [], s=8, color=GRAY, label=label)
    _finish_rows(
        axes, names, values, axis_label(effects.attrs, "Individual causal effect")
    )
    axes.axvline(null_value(effects), color=INK, lw=0.8, zorder=1.5)
    some = (
        f"first {_ROWS_OF_CLOUDS} of {len(names):,} contrasts"
        if len(names) > _ROWS_OF_CLOUDS
        else ""
    )
    write_heading(axes, heading(one, *filter(None, (some, task))))
    legend_below(axes, columns=2)
    return axes


def boxes(
    outcomes: xr.Dataset,
    *,
    arm: str | Sequence[str] | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predictions of each arm as box plots over sequences, as most papers show
    them.

    Overlapping boxes do not mean that there is no effect: in a crossover every unit has
    all arms, and the effect is a mean of differences within units, which `raincloud`
    shows.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `causalgia.from_frame`: ``outcome (unit, arm, task)``,
        or ``outcome (unit, task)`` of a parallel trial.
    arm
        One or several; None: all but fixed placebos, of more than 24 the first 24,
        which the heading says.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Rows in the order of the arms: quartiles and median, whiskers at the central 95
        %, points beyond them (400 at most, evenly spaced in rank), and the mean as a
        diamond.

    Raises
    ------
    EstimateError
        If an arm or the task does not exist, or the task is required.
    DataError
        If these are no outcomes of single units, or those of several models.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    >>> axes = boxes(cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0))
    >>> axes.get_xlabel(), [tick.get_text() for tick in axes.get_yticklabels()]
    ('prediction on log intensity', ['untreated', 'GCATG'])
    """
    if "outcome" not in outcomes:
        raise DataError("boxes: there are no outcomes of single units")
    validate(outcomes, "outcomes")
    if "model" in outcomes["outcome"].dims:
        raise DataError("boxes: there are several models, and one is drawn")
    task = as_task(outcomes, task, "boxes")
    one = outcomes.isel(task=tasks_in_table(outcomes).index(task))
    parallel = "arm" not in one["outcome"].dims
    of_each = one["assigned" if parallel else "arm"].to_numpy().astype(str)
    known = dict.fromkeys(one["arm"].to_numpy().astype(str).tolist())
    if arm is None and not parallel and "kind" in one.coords:
        fixed = one["kind"].to_numpy().astype(str) == "fixed_placebo"
        known = dict.fromkeys(one["arm"].to_numpy().astype(str)[~fixed].tolist())
    names = _chosen(list(known), arm, "boxes", "arm")
    values = []
    for name in names[:_ROWS_OF_CLOUDS]:
        mine = of_each == name
        units = (
            one["outcome"].to_numpy()[mine]
            if parallel
            else one["outcome"].sel(arm=name).to_numpy()
        ).astype(float)
        values.append(units[np.isfinite(units)])
    axes = axes_or_new(ax, 6.6, 1.5 + 0.36 * len(values))
    for row, units in enumerate(values):
        low, high = _draw_box(axes, units, row, ACCENT, height=0.26)
        beyond = _evenly_in_rank(units[(units < low) | (units > high)])
        axes.scatter(
            beyond,
            np.full(len(beyond), row),
            s=6,
            color=ACCENT,
            alpha=0.5,
            lw=0,
            zorder=3,
        )
    axes.scatter([], [], s=8, color=GRAY, label="unit beyond the whiskers")
    scale = shortened(about(outcomes, "the outcome").scale)
    predicted = has(outcomes).predictor_fingerprint
    _finish_rows(axes, names, values, f"prediction on {scale}" if predicted else scale)
    some = (
        f"first {_ROWS_OF_CLOUDS} of {len(names):,} arms"
        if len(names) > _ROWS_OF_CLOUDS
        else ""
    )
    write_heading(axes, heading(one, *filter(None, (some, task))))
    legend_below(axes, columns=2)
    return axes


def power_curve(
    plans: Sequence[xr.Dataset], *, contrast: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the power, or the probability of a verdict, against the number of units.

    Parameters
    ----------
    plans
        Results of `causalgia.planning.power`, one for each number of units.
    contrast
        A contrast; None: each has its own line, up to six.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A line for each contrast and task, on a logarithmic axis of units, and the line
        of 80 %.

    Raises
    ------
    EstimateError
        If these are no results of `causalgia.planning.power`, or of other questions.
    EstimateError
        If there is no such contrast, or more than six lines.

    Examples
    --------
    >>> from causalgia.planning import power
    >>> axes = power_curve(
    ...     [power(sd=1.0, true_effect=0.5, n_units=n) for n in (10, 20, 50, 100)]
    ... )
    >>> axes.lines[0].get_xdata().tolist(), axes.lines[0].get_ydata().round(2).tolist()
    ([10, 20, 50, 100], [0.29, 0.56, 0.93, 1.0])
    """
    found = list(plans)
    if not found or not all(
        isinstance(p, xr.Dataset) and "power" in p and has(p).n_units for p in found
    ):
        raise EstimateError("power_curve: plans= are not results of cg.planning.power")
    questions = {about(plan, "").question for plan in found}
    if len(questions) > 1:
        raise EstimateError(
            "power_curve: the plans have several questions: "
            f"{listed(sorted(questions))}"
        )
    found.sort(key=lambda plan: int(about(plan).n_units))
    n_units = np.array([int(about(plan).n_units) for plan in found])
    power = xr.concat(
        [plan["power"].reset_coords(drop=True) for plan in found], "n_units"
    ).transpose("n_units", ...)
    if contrast is not None:
        names = (
            [str(name) for name in np.atleast_1d(power["contrast"].to_numpy())]
            if "contrast" in power.coords
            else []
        )
        power = power.isel(
            contrast=[
                names.index(_chosen(names, contrast, "power_curve", "contrast")[0])
            ]
        )
    lines = power.to_numpy().reshape(len(n_units), -1)
    if lines.shape[1] > len(MODELS):
        raise EstimateError(
            f"power_curve: {lines.shape[1]:,} contrasts and tasks are more than "
            f"{len(MODELS)} lines"
        )
    axes = axes_or_new(ax, 5.8, 3.8)
    for i, line in enumerate(lines.T):
        where = np.unravel_index(i, power.shape[1:])
        label = ", ".join(
            shortened(str(power[dim].to_numpy()[j]))
            for dim, j in zip(power.dims[1:], where, strict=True)
            if dim in power.coords
        )
        axes.plot(
            n_units,
            line,
            color=MODELS[i],
            lw=1.4,
            marker="o",
            ms=4,
            zorder=3,
            label=label or "power",
        )
    axes.axhline(0.8, color=GRAY, lw=0.9, ls="--", zorder=2, label="80 %")
    if n_units[0] < n_units[-1]:
        axes.set_xscale("log")
    from matplotlib.ticker import NullLocator

    few = n_units[:: -(-len(n_units) // 7)]
    axes.set_xticks(few, [f"{n:,}" for n in few])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.02)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("units of the new trial", fontsize=9.5)
    axes.set_ylabel("probability", fontsize=9.5)
    write_heading(axes, questions.pop() or "power")
    strip(axes, "top", "right")
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    legend_below(axes)
    return axes


def _chosen(
    known: list[str], given: str | Sequence[str] | None, figure: str, what: str
) -> list[str]:
    if given is None:
        return known
    wanted = list(map(str, in_order(given) or ()))
    if not wanted or not set(wanted) <= set(known):
        raise EstimateError(
            f"{figure}: {what}={quoted(given)} must be one or several of {listed(known)}"
        )
    return wanted


def _evenly_in_rank(values: Array) -> Array:
    """Return at most 400 values, evenly spaced in rank, with the smallest and the
    largest.
    """
    ordered = np.sort(values)
    if len(ordered) <= _POINTS_A_CLOUD:
        return ordered
    places = np.linspace(0, len(ordered) - 1, _POINTS_A_CLOUD).round().astype(int)
    return np.asarray(ordered[places])


def _draw_density(axes: Axes, units: Array, row: int, color: str) -> None:
    """Draw a density above a row; units without spread have none."""
    from scipy.stats import gaussian_kde

    spread = float(units.std()) if len(units) > 1 else 0.0
    if spread <= 1e-9 * max(1.0, float(np.abs(units).max(initial=0.0))):
        return
    density = gaussian_kde(units)
    pad = 2 * density.factor * spread
    at = np.linspace(units.min() - pad, units.max() + pad, _GRID_POINTS)
    height = density(at)
    top = row - 0.02 - 0.5 * height / height.max()
    axes.fill_between(at, top, row - 0.02, color=color, alpha=0.35, lw=0, zorder=2)


def _draw_box(
    axes: Axes, units: Array, y: float, color: str, *, height: float
) -> tuple[float, float]:
    """Draw quartiles, median, mean and the central 95 % of units; return the ends of
    the whiskers.
    """
    if not len(units):
        return 0.0, 0.0
    low, first, middle, third, high = (
        float(q) for q in np.quantile(units, [0.025, 0.25, 0.5, 0.75, 0.975])
    )
    axes.hlines(y, low, high, color=color, lw=0.9, zorder=3.5)
    axes.barh(
        y,
        third - first,
        left=first,
        height=height,
        facecolor="white",
        edgecolor=color,
        lw=1.1,
        zorder=4,
    )
    axes.vlines(middle, y - height / 2, y + height / 2, color=color, lw=2.0, zorder=4.5)
    axes.scatter([units.mean()], [y], marker="D", s=14, color=INK, lw=0, zorder=5)
    return low, high


def _finish_rows(axes: Axes, names: list[str], values: list[Array], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    box = "quartiles and median; whiskers: central 95 %"
    axes.scatter(
        [], [], marker="s", s=36, facecolors="white", edgecolors=GRAY, lw=1.1, label=box
    )
    axes.scatter([], [], marker="D", s=14, color=INK, label="mean")
    axes.set_yticks(
        range(len(values)),
        [shortened(name) for name in names[: len(values)]],
        fontsize=9,
        **AS_IT_IS,
    )
    axes.set_ylim(len(values) - 0.4, -0.7)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.set_xlabel(fill(label, 60), fontsize=9.5, **AS_IT_IS)
    strip(axes, "top", "right", "left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=1)


_FEATURES_NAMED = 4
_MOST_BINS = 20
_LEAST_RANKS = 20


def null_shift(samples: xr.Dataset, *, task: str | None = None) -> Axes:
    """Compare the null model with real sequences: frequencies of k-mers, and
    predictions before any edit.

    Use it to see at a glance whether a trial was run on sequences like those the
    network was trained on.

    Parameters
    ----------
    samples
        From `causalgia.refutation.null_and_real`.
    task
        The task whose predictions are drawn; required if there are several.

    Returns
    -------
    Axes
        The left panel: a point for each k-mer of three letters, its share of
        backgrounds against that of real sequences; the four farthest off are named
        where there is room. The right panel of the same figure: predictions on both as
        empirical distributions. The heading has the divergence of the k-mers and the
        area under the ROC curve of a classifier with its 95 % interval, .5 where both
        are alike.

    Raises
    ------
    DataError
        If `samples` is no such Dataset.
    EstimateError
        If the task does not exist or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=100, contrasts="control"
    ... )
    >>> real = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(60, rng=5)["sequence"].values
    ... )
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> claim = cg.refutation.Claim(
    ...     cg.run(design, oracle, rng=0), oracle, rng=1, real=real
    ... )
    >>> axes = null_shift(cg.refutation.null_and_real(claim))
    >>> axes.get_xlabel(), axes.figure.axes[1].get_xlabel()
    ('share in real sequences', 'prediction on log intensity')
    """
    if not {"kmer_share", "prediction", "auc"} <= set(samples.variables):
        raise DataError("null_shift: these are not two samples")
    task = as_task(samples, task, "null_shift")
    figure = new_figure(PAGE, 4.0)
    kmers, answers = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    null, real = (
        samples["kmer_share"].sel(sample=name).to_numpy() for name in ("null", "real")
    )
    ends = [0.0, 1.05 * float(max(null.max(), real.max()))]
    kmers.plot(ends, ends, color=GRAY, lw=0.8, zorder=2, label="equal")
    kmers.scatter(
        real,
        null,
        s=12,
        color=ACCENT,
        lw=0,
        alpha=0.8,
        zorder=3,
        label="k-mer of three letters",
    )
    kmers.set(xlim=ends, ylim=ends)
    kmers.set_xlabel("share in real sequences", fontsize=9.5)
    kmers.set_ylabel("share in backgrounds", fontsize=9.5)
    one = samples["prediction"].isel(task=tasks_in_table(samples).index(task))
    for name, label, color in (
        ("null", "background", MODELS[1]),
        ("real", "real sequence", ACCENT),
    ):
        values = np.sort(one.sel(sample=name).to_numpy())
        answers.ecdf(values, color=color, lw=1.4, label=f"{label} ({len(values):,})")
    answers.set_ylim(0, 1.02)
    answers.set_xlabel(
        f"prediction on {shortened(about(samples, 'the outcome').scale)}",
        fontsize=9.5,
        **AS_IT_IS,
    )
    answers.set_ylabel("share at or below", fontsize=9.5)
    for axes in (kmers, answers):
        strip(axes, "top", "right")
        axes.tick_params(labelsize=9)
        axes.grid(color=GRID, lw=0.5, zorder=1)
        axes.legend(
            frameon=False,
            fontsize=8,
            loc="upper left" if axes is kmers else "lower right",
        )
    auc, low, high = (
        float(samples[name]) for name in ("auc", "auc_lower", "auc_upper")
    )
    above = figure.suptitle("", fontsize=10.5, x=0.01, ha="left", color=INK, **AS_IT_IS)
    set_flowing(
        above,
        f"{heading(samples, task)}\n"
        f"k-mers diverge by {float(samples['divergence']):.2g} bits; a classifier "
        f"tells both apart with AUC {auc:.2f} [{low:.2f}, {high:.2f}]",
    )
    fit_to_page(kmers, answers)
    farthest = np.argsort(-np.abs(null - real), kind="stable")[:_FEATURES_NAMED]
    name_points(
        kmers,
        real,
        null,
        {int(i): str(samples["kmer"].to_numpy()[i]) for i in farthest},
    )
    return kmers


def ranks(
    values: Array, n_draws: int, *, name: str = "", ci_prob: float = 0.95
) -> Axes:
    """Draw ranks of true values among posterior draws, which are uniform if the
    posterior is right.

    Use it after simulation-based calibration: a hump means that posteriors are too
    wide, a bowl that they are too narrow, a slope that they are biased.

    Parameters
    ----------
    values
        Ranks from 0 to `n_draws`, one of each simulated trial: the number of draws
        below the truth.
    n_draws
        Draws of each posterior, thinned to be independent.
    name
        What was ranked, for the heading.
    ci_prob
        Probability of the band.

    Returns
    -------
    Axes
        The left panel: counts in up to 20 bins, with a band that all bins are in with
        at least this probability (binomial, Bonferroni). The right panel of the same
        figure: the empirical distribution minus the uniform one, with the simultaneous
        band of Säilynoja et al.

    Raises
    ------
    EstimateError
        If there are fewer than 20 ranks, or a value is no rank.

    References
    ----------
    Säilynoja, Bürkner & Vehtari (2022), doi:10.1007/s11222-022-10090-6.
    Talts et al. (2018), doi:10.48550/arXiv.1804.06788.

    Examples
    --------
    >>> axes = ranks(np.random.default_rng(0).integers(0, 100, 400), 99)
    >>> axes.get_title("left"), axes.get_xlabel()
    ('400 trials, 99 draws each', 'rank of the truth')
    """
    from matplotlib.ticker import MaxNLocator
    from scipy import stats

    found = np.asarray(values)
    if not is_whole(n_draws) or n_draws < 1:
        raise EstimateError(
            f"ranks: n_draws={quoted(n_draws)} must be a whole number from 1"
        )
    if found.ndim != 1 or len(found) < _LEAST_RANKS or found.dtype.kind not in "iu":
        raise EstimateError(
            f"ranks: values= must be {_LEAST_RANKS} whole numbers or more, in one "
            "dimension"
        )
    if found.min() < 0 or found.max() > n_draws:
        raise EstimateError(
            f"ranks: {found.max():,}: a rank among {n_draws:,} draws is from 0 to "
            f"{n_draws:,}"
        )
    n, levels = len(found), n_draws + 1
    edges = np.unique(
        np.round(np.linspace(0, levels, min(_MOST_BINS, levels, max(2, n // 10)) + 1))
    ).astype(int)
    share = np.diff(edges) / levels
    tail = (1 - ci_prob) / 2 / len(share)
    figure = new_figure(PAGE, 3.4)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    percent = f"{100 * ci_prob:.4g} % of all uniform ranks"
    band: dict[str, Any] = {"color": BAND, "lw": 0, "zorder": 1.5, "label": percent}
    law = stats.binom(n, share)
    least, most = (
        np.append(limit, limit[-1:])
        for limit in map(np.asarray, (law.ppf(tail), law.isf(tail)))
    )
    left.fill_between(edges - 0.5, least, most, step="post", **band)
    left.stairs(
        np.histogram(found, edges - 0.5)[0],
        edges - 0.5,
        color=ACCENT,
        lw=1.4,
        zorder=3,
        label="trials",
    )
    left.stairs(
        n * share,
        edges - 0.5,
        color=GRAY,
        lw=0.9,
        ls="--",
        zorder=2.5,
        label="expected",
    )
    left.set_ylim(0)
    at = np.arange(levels)
    uniform = (at + 1) / levels
    low, high = simultaneous_limits(n, uniform[:-1], ci_prob)
    below = np.searchsorted(np.sort(found), at, side="right") / n
    right.fill_between(
        at[:-1], low - uniform[:-1], high - uniform[:-1], step="post", **band
    )
    right.step(
        at,
        below - uniform,
        where="post",
        color=ACCENT,
        lw=1.4,
        zorder=3,
        label="trials",
    )
    right.axhline(0, color=GRAY, lw=0.9, ls="--", zorder=2.5, label="expected")
    for axes, label in ((left, "trials"), (right, "share at or below, minus uniform")):
        axes.set_xlabel("rank of the truth", fontsize=9.5)
        axes.set_ylabel(label, fontsize=9.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.tick_params(labelsize=9)
        axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
        strip(axes, "top", "right")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    what = [shortened(name)] if name else []
    left.set_title(
        ", ".join([*what, f"{n:,} trials", f"{n_draws:,} draws each"]),
        fontsize=10.5,
        loc="left",
        color=INK,
        **AS_IT_IS,
    )
    fit_to_page(left, right)
    return left


def simultaneous_limits(n: int, at: Array, ci_prob: float) -> tuple[Array, Array]:
    """Return limits that the distribution function of n uniform values is in at all
    points, with a probability.

    The level of each pointwise binomial interval is the one at which that share of
    4,000 simulated samples is inside at all points (algorithm 1 of Säilynoja et al.,
    with a fixed seed).

    Examples
    --------
    >>> low, high = simultaneous_limits(100, np.array([0.25, 0.5, 0.75]), 0.95)
    >>> low.tolist(), high.tolist()
    ([0.15, 0.39, 0.65], [0.35, 0.61, 0.85])
    """
    from scipy import stats

    shares = np.diff(np.concatenate([[0.0], at, [1.0]]))
    counts = (
        np.random.default_rng(0)
        .multinomial(n, shares, size=4_000)
        .cumsum(axis=1)[:, :-1]
    )
    law = stats.binom(n, at)
    level = np.minimum(2 * np.minimum(law.cdf(counts), law.sf(counts - 1)), 1.0).min(
        axis=1
    )
    # a sample on the limit is inside
    tail = (1 - 1e-9) * float(np.quantile(level, 1 - ci_prob)) / 2
    low, high = np.asarray(law.ppf(tail)), np.asarray(law.isf(tail))
    return low / n, high / n

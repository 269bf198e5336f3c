"""Pictures of checks: the null model beside real sequences, and ranks of truths among posterior draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from causalgia.checks import is_whole
from causalgia.effect_table import tasks_in_table
from causalgia.errors import EstimateError, OutcomesError, quoted
from causalgia.plot.style import (
    ACCENT,
    AS_IT_IS,
    BAND,
    GRAY,
    GRID,
    INK,
    MODELS,
    as_task,
    fit_to_page,
    heading,
    name_points,
    new_figure,
    shortened,
    strip,
)
from causalgia.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED, _MOST_BINS, _FEWEST = 4, 20, 20


def null_shift(samples: xr.Dataset, *, task: str | None = None) -> Axes:
    """Draw the null model beside real sequences: frequencies of words, and predictions before any edit.

    Use it to see at a glance whether a trial was run on sequences like those the network was trained on.

    Parameters
    ----------
    samples
        From `causalgia.refutation.null_and_real`.
    task
        The task whose predictions are drawn; required if there are several.

    Returns
    -------
    Axes
        The left panel: a point for each word of three letters, its share of backgrounds against that of real sequences;
        the four farthest off are named where there is room. The right panel of the same figure: predictions on both as
        empirical distributions. The heading has the divergence of the words and the area under the ROC curve of a
        classifier with its 95 % interval, .5 where both are alike.

    Raises
    ------
    OutcomesError
        If `samples` is no such Dataset.
    ContrastError
        If the task does not exist or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"control": cg.Placebo("UGCAUG", at=17), "UGCAUG": cg.Embed("UGCAUG", at=17)}
    >>> design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=100, contrasts="control")
    >>> real = cg.sequences.decode(cg.Uniform(length=41).sample(60, rng=5)["sequence"].values)
    >>> oracle = cg.zoo.oracle("rbfox1_like")
    >>> claim = cg.refutation.Claim(cg.run(design, oracle, rng=0), oracle, rng=1, real=real)
    >>> axes = null_shift(cg.refutation.null_and_real(claim))
    >>> axes.get_xlabel(), axes.figure.axes[1].get_xlabel()
    ('share in real sequences', 'prediction on log intensity')
    """
    if not isinstance(samples, xr.Dataset) or not {"word_share", "prediction", "auc"} <= set(samples.variables):
        raise OutcomesError("null_shift: these are no two samples; give cg.refutation.null_and_real(claim)")
    task = as_task(samples, task, "null_shift")
    figure = new_figure(8.6, 4.2)
    words, answers = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    null, real = (samples["word_share"].sel(sample=name).to_numpy() for name in ("null", "real"))
    ends = [0.0, 1.05 * float(max(null.max(), real.max()))]
    words.plot(ends, ends, color=GRAY, lw=0.8, zorder=2, label="equal")
    words.scatter(real, null, s=12, color=ACCENT, lw=0, alpha=0.8, zorder=3, label="word of three letters")
    words.set(xlim=ends, ylim=ends)
    words.set_xlabel("share in real sequences", fontsize=9.5)
    words.set_ylabel("share in backgrounds", fontsize=9.5)
    one = samples["prediction"].isel(task=tasks_in_table(samples).index(task))
    for name, label, color in (("null", "background", MODELS[1]), ("real", "real sequence", ACCENT)):
        values = np.sort(one.sel(sample=name).to_numpy())
        answers.ecdf(values, color=color, lw=1.4, label=f"{label} ({len(values):,})")
    answers.set_ylim(0, 1.02)
    answers.set_xlabel(
        f"prediction on {shortened(str(samples.attrs.get('scale', 'the outcome')))}", fontsize=9.5, **AS_IT_IS
    )
    answers.set_ylabel("share at or below", fontsize=9.5)
    for axes in (words, answers):
        strip(axes, "top", "right")
        axes.tick_params(labelsize=9)
        axes.grid(color=GRID, lw=0.5, zorder=1)
        axes.legend(frameon=False, fontsize=8, loc="upper left" if axes is words else "lower right")
    auc, low, high = (float(samples[name]) for name in ("auc", "auc_lower", "auc_upper"))
    figure.suptitle(
        f"{heading(samples, task)}\nwords diverge by {float(samples['divergence']):.2g} bits; a classifier tells both "
        f"apart with AUC {auc:.2f} [{low:.2f}, {high:.2f}]",
        fontsize=10.5, x=0.01, ha="left", color=INK, **AS_IT_IS,
    )  # fmt: skip
    fit_to_page(words, answers)
    farthest = np.argsort(-np.abs(null - real), kind="stable")[:_NAMED]
    name_points(words, real, null, {int(i): str(samples["word"].to_numpy()[i]) for i in farthest})
    return words


def ranks(values: Array, n_draws: int, *, name: str = "", ci_prob: float = 0.95) -> Axes:
    """Draw ranks of true values among posterior draws, which are uniform if the posterior is right.

    Use it after simulation-based calibration: a hump means that posteriors are too wide, a bowl that they are too
    narrow, a slope that they are biased.

    Parameters
    ----------
    values
        Ranks from 0 to `n_draws`, one of each simulated trial: the number of draws below the truth.
    n_draws
        Draws of each posterior, thinned to be independent.
    name
        What was ranked, for the heading.
    ci_prob
        Probability of the bands.

    Returns
    -------
    Axes
        The left panel: counts in up to 20 bins, with a band that all bins are in with at least this probability
        (binomial, Bonferroni). The right panel of the same figure: the empirical distribution less the uniform one,
        with the simultaneous band of Säilynoja et al.

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
        raise EstimateError(f"ranks: n_draws={quoted(n_draws)} is no number of draws; a whole number from 1")
    if found.ndim != 1 or len(found) < _FEWEST or found.dtype.kind not in "iu":
        raise EstimateError(f"ranks: give the ranks of {_FEWEST} trials or more as whole numbers in one dimension")
    if found.min() < 0 or found.max() > n_draws:
        raise EstimateError(f"ranks: a rank among {n_draws:,} draws is from 0 to {n_draws:,}, not {found.max():,}")
    n, levels = len(found), n_draws + 1
    edges = np.unique(np.round(np.linspace(0, levels, min(_MOST_BINS, levels, max(2, n // 10)) + 1))).astype(int)
    share = np.diff(edges) / levels
    tail = (1 - ci_prob) / 2 / len(share)
    figure = new_figure(8.6, 3.6)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    percent = f"{100 * ci_prob:.4g} % of all uniform ranks"
    band: dict[str, Any] = {"color": BAND, "lw": 0, "zorder": 1.5, "label": percent}
    law = stats.binom(n, share)
    least, most = (np.append(limit, limit[-1:]) for limit in map(np.asarray, (law.ppf(tail), law.isf(tail))))
    left.fill_between(edges - 0.5, least, most, step="post", **band)
    left.stairs(np.histogram(found, edges - 0.5)[0], edges - 0.5, color=ACCENT, lw=1.4, zorder=3, label="trials")
    left.stairs(n * share, edges - 0.5, color=GRAY, lw=0.9, ls="--", zorder=2.5, label="expected")
    left.set_ylim(0)
    at = np.arange(levels)
    uniform = (at + 1) / levels
    low, high = simultaneous_limits(n, uniform[:-1], ci_prob)
    below = np.searchsorted(np.sort(found), at, side="right") / n
    right.fill_between(at[:-1], low - uniform[:-1], high - uniform[:-1], step="post", **band)
    right.step(at, below - uniform, where="post", color=ACCENT, lw=1.4, zorder=3, label="trials")
    right.axhline(0, color=GRAY, lw=0.9, ls="--", zorder=2.5, label="expected")
    for axes, label in ((left, "trials"), (right, "share at or below, less uniform")):
        axes.set_xlabel("rank of the truth", fontsize=9.5)
        axes.set_ylabel(label, fontsize=9.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.tick_params(labelsize=9)
        axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
        strip(axes, "top", "right")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    what = [shortened(name)] if name else []
    left.set_title(
        ", ".join([*what, f"{n:,} trials", f"{n_draws:,} draws each"]), fontsize=10.5, loc="left", color=INK, **AS_IT_IS
    )
    fit_to_page(left, right)
    return left


def simultaneous_limits(n: int, at: Array, ci_prob: float) -> tuple[Array, Array]:
    """Return limits that the distribution function of n uniform values is in at all points, with a probability.

    The level of each pointwise binomial interval is the one at which that share of 4,000 simulated samples is inside
    at all points (algorithm 1 of Säilynoja et al., with a fixed seed).

    Examples
    --------
    >>> low, high = simultaneous_limits(100, np.array([0.25, 0.5, 0.75]), 0.95)
    >>> low.tolist(), high.tolist()
    ([0.15, 0.39, 0.65], [0.35, 0.61, 0.85])
    """
    from scipy import stats

    shares = np.diff(np.concatenate([[0.0], at, [1.0]]))
    counts = np.random.default_rng(0).multinomial(n, shares, size=4_000).cumsum(axis=1)[:, :-1]
    law = stats.binom(n, at)
    level = np.minimum(2 * np.minimum(law.cdf(counts), law.sf(counts - 1)), 1.0).min(axis=1)
    tail = (1 - 1e-9) * float(np.quantile(level, 1 - ci_prob)) / 2  # a sample on the limit is inside
    low, high = np.asarray(law.ppf(tail)), np.asarray(law.isf(tail))
    return low / n, high / n

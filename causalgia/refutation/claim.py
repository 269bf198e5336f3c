"""A claim to be refuted: the outcomes of a trial, its predictor, and the predictions
that checks share.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from causalgia._run import run
from causalgia.analysis import Analysis, as_result, stored_analysis
from causalgia.attributes import about, attributes
from causalgia.design import Arm, Design, NullModel
from causalgia.design.null_model import FromSequences
from causalgia.design.pattern_interventions import check_rearrangeable
from causalgia.design.patterns import Motifs, as_pattern, named_patterns
from causalgia.design.placebo_contrasts import N_ORDERS
from causalgia.effects import contrast
from causalgia.effects.contrast_weights import Contrasts
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DataError,
    DesignError,
    PredictorError,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.notes import Finding
from causalgia.predict import Predictor
from causalgia.schema import check_no_positions, validate
from causalgia.sequences.fasta import Sequences, Source
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, Seed, derive, root_key
from causalgia.trial.attributes import apply_arm, load_design
from causalgia.trial.source_sequences import as_real_sequences
from causalgia.trial.turns import DrawnUnits, draw_backgrounds
from causalgia.types import Array, Tokens

Status: TypeAlias = Literal["pass", "warn", "fail"]
FAIL_LEVEL = 0.0025
"""Probability with which a check may fail where nothing is wrong: a twentieth of .05,
for about twenty checks.
"""
WARN_LEVEL = 0.05
"""Probability with which a check may warn where nothing is wrong."""
CLAIM_LEVEL = 0.05
"""Family-wise level of the test by which a contrast is a claim: its effect differs from
none.
"""


class NotApplicableError(Exception):
    """A check that has nothing to say about a claim; the message is the reason."""


class NeededPredictions(Exception):  # noqa: N818 - an answer, by which a check stops before it predicts
    """The number of sequences that a check is about to predict, where only that is
    asked for.
    """

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.n = n


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim to be refuted: outcomes of a trial with their predictor, and other inputs
    of the checks.

    Checks of one claim share their predictions: fresh units for placebos also
    serve the controls.

    Parameters
    ----------
    outcomes
        From `causalgia.run`, or from `causalgia.from_frame` (then without the checks
        that draw new units).
    predictor
        The predictor of the trial. None: only checks that predict nothing.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For fresh units, placebos and
        permutations.
    control, contrasts
        As in `causalgia.contrast`; None: those of the stored analysis, or of the
        design.
    real
        Natural sequences of the length of the backgrounds. None: the sequences that the
        null model was made of.
    motifs
        Strings or motifs that must not arise at a junction. None: the motifs that the
        arms write.
    positive
        A string or motif that the predictor must know.

    Raises
    ------
    DataError
        If the outcomes are none, or curves with a dim position.
    EstimateError
        If there is no contrast to check.
    PredictorError
        If the predictor is none, or not the one of the trial.
    DesignError
        If the real sequences have another length than the backgrounds, or a motif or
        the motif of `positive` cannot be searched for.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {
    ...     "control": cg.Placebo("UGCAUG", at=17),
    ...     "UGCAUG": cg.Embed("UGCAUG", at=17),
    ... }
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41), arms=arms, n_units=300, contrasts="control"
    ... )
    >>> oracle = cg.zoo.oracle("additive")
    >>> claim = Claim(cg.run(design, oracle, rng=0), oracle, rng=1)
    >>> claim.effects_claimed, claim.budget
    ([('UGCAUG', 'outcome')], 600)
    """

    outcomes: xr.Dataset
    predictor: Predictor | None = None
    rng: RNG = field(kw_only=True)
    control: str | None = field(default=None, kw_only=True)
    contrasts: Contrasts | None = field(default=None, kw_only=True)
    real: Source | None = field(default=None, kw_only=True)
    motifs: Motifs | None = field(default=None, kw_only=True)
    positive: str | Motif | None = field(default=None, kw_only=True)
    key: int = field(init=False, repr=False)
    shared: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        validate(self.outcomes, "outcomes", positions=True)
        check_no_positions(self.outcomes, "outcomes")
        if self.outcomes.sizes["unit"] < 2:
            raise DataError("the trial has 1 unit, whose effect has no standard error")
        expected = about(self.outcomes, None).predictor_fingerprint
        if self.predictor is not None and expected not in (
            None,
            self.predictor.fingerprint,
        ):
            raise PredictorError(
                f"the predictor {self.predictor.fingerprint} is not the one of the "
                f"outcomes, {expected}"
            )
        object.__setattr__(self, "key", root_key(self.rng))
        self._check_sites()
        _ = self.effects, self.real_sequences  # bad choices are refused here

    def _check_sites(self) -> None:
        """Raise DesignError for a string or motif that there is not, or that has no
        placebos.
        """
        try:
            if self.motifs is not None:
                named_patterns(self.motifs)
        except CausalgiaError as error:
            raise DesignError(f"motifs=...: {error}") from error
        if self.positive is None:
            return
        try:
            known = as_pattern(self.positive)
            if self.design is not None and len(known) > self.design.null.length:
                raise DesignError(
                    f"it has {len(known)} bases, more than the "
                    f"{self.design.null.length}-bp backgrounds"
                )
            check_rearrangeable(known, n=N_ORDERS)
        except CausalgiaError as error:
            raise DesignError(f"positive={quoted(self.positive)}: {error}") from error

    @cached_property
    def analysis(self) -> Analysis:
        """The analysis stored with the outcomes."""
        return stored_analysis(self.outcomes) or Analysis()

    @cached_property
    def averaged(self) -> xr.Dataset:
        """The outcomes, averaged over the members of an ensemble."""
        return _mean_of_models(self.outcomes)

    @cached_property
    def effects(self) -> xr.Dataset:
        """Individual effects of the contrasts to be refuted."""
        return self.contrasted(
            self.averaged, control=self.control, contrasts=self.contrasts
        )

    def contrasted(
        self, outcomes: xr.Dataset, *, control: Any = None, contrasts: Any = None
    ) -> xr.Dataset:
        """Return contrasts of outcomes on the scale of the stored analysis."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            return contrast(
                outcomes,
                control=control,
                contrasts=contrasts,
                scale=self.analysis.scale,
            )

    def estimated(self, effects: xr.Dataset) -> xr.Dataset:
        """Return estimates for the population of units, clustered as planned where
        these units have the clusters.
        """
        planned = self.analysis.cluster
        cluster = planned if planned in ("none", *effects.coords) else "auto"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            return estimate(effects, cluster=cluster, target="population")

    @cached_property
    def estimates(self) -> xr.Dataset:
        """Estimates of the contrasts of the trial."""
        return self.estimated(self.effects)

    @cached_property
    def weights(self) -> dict[str, dict[str, float]]:
        """Contrast -> arm -> weight, without arms of weight 0."""
        table = self.effects["weight"]
        names = [str(arm) for arm in table["arm"].to_numpy()]
        rows = zip(
            table["contrast"].to_numpy(),
            table.transpose("contrast", "arm").to_numpy(),
            strict=True,
        )
        return {
            str(c): {a: float(w) for a, w in zip(names, row, strict=True) if w}
            for c, row in rows
        }

    @cached_property
    def effects_claimed(self) -> list[tuple[str, str]]:
        """Contrasts and tasks whose effect differs from none at `CLAIM_LEVEL` by
        Bonferroni, the clearest first.

        Placebos are no claims, nor are helpers, rows that serve the question alone.
        """
        found = self.estimates
        p, size = (
            found[name].transpose("contrast", "task").to_numpy()
            for name in ("p", "ace")
        )
        se = found["se"].transpose("contrast", "task").to_numpy()
        placebos = {arm for arm, kind in self.kinds.items() if kind == "fixed_placebo"}
        names = list(map(str, found["contrast"].to_numpy()))
        helpers = {
            name
            for name, asked in zip(
                names, found.get("of_question", np.ones(len(names), bool)), strict=True
            )
            if not bool(asked)
        }
        clear = np.abs(size) / np.maximum(se, 1e-12 * np.maximum(np.abs(size), 1e-300))
        order = np.dstack(
            np.unravel_index(np.argsort(-clear, axis=None, kind="stable"), p.shape)
        )[0]
        places = [(int(i), int(j)) for i, j in order if p[i, j] * p.size <= CLAIM_LEVEL]
        tasks = found["task"].to_numpy()
        return [
            (names[i], str(tasks[j]))
            for i, j in places
            if names[i] not in helpers
            and not {arm for arm, w in self.weights[names[i]].items() if w > 0}
            & placebos
        ]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Arm -> kind of its intervention; empty where the outcomes do not say."""
        if "kind" not in self.outcomes.coords:
            return {}
        return dict(
            zip(
                map(str, self.outcomes["arm"].values),
                map(str, self.outcomes["kind"].values),
                strict=True,
            )
        )

    def check_claimed(self) -> list[tuple[str, str]]:
        """Return the effects claimed; NotApplicableError if there is none."""
        if not self.effects_claimed:
            raise NotApplicableError(
                "no contrast of the trial differs from no effect, so that there is no "
                "claim"
            )
        return self.effects_claimed

    def ace(self, name: str, task: str) -> float:
        """Return the estimate of an effect of the trial."""
        return float(self.estimates["ace"].sel(contrast=name, task=task))

    # ------------------------------------------------------------------ units

    @cached_property
    def design(self) -> Design | None:
        """The design of the trial; None for outcomes of another origin."""
        try:
            return load_design(self.outcomes)
        except DataError:
            return None

    def check_design(self) -> Design:
        """Return the design; NotApplicableError without one."""
        if self.design is None:
            raise NotApplicableError(
                "the outcomes carry no design from which units could be drawn"
            )
        return self.design

    def check_predictor(self) -> Predictor:
        """Return the predictor; NotApplicableError without one."""
        if self.predictor is None:
            raise NotApplicableError("no predictor was given")
        return self.predictor

    def answers(self, tokens: Tokens) -> Array:
        """Return the predictor's answers in the tasks of the trial, (n, tasks), averaged
        over the members of an ensemble.
        """
        found = self.check_predictor().predict(tokens).astype(np.float64)
        found = found.mean(axis=2) if found.ndim == 3 else found
        return np.asarray(found[:, self.columns])

    @cached_property
    def columns(self) -> list[int]:
        """Places of the trial's tasks among those of the predictor."""
        known = list(map(str, self.check_predictor().tasks))
        return [known.index(str(task)) for task in self.outcomes["task"].to_numpy()]

    @cached_property
    def budget(self) -> int:
        """Sequences that the trial predicted: units times arms (one arm each in a
        parallel trial).
        """
        sizes = self.outcomes["outcome"].sizes
        return int(sizes["unit"] * sizes.get("arm", 1))

    def n_units(self, share: float, *, a_unit: int, least: int, most: int) -> int:
        """Return the number of units of a check that predicts `a_unit` sequences for
        each: what a share of the trial's predictions allows, and no fewer than the
        least.

        Raises
        ------
        NeededPredictions
            In place of an answer, where only the number of predictions is asked for.
        """
        n = max(least, min(most, int(share * self.budget) // a_unit))
        if self.shared.get("only needed"):
            raise NeededPredictions(n * a_unit)
        return n

    @cached_property
    def units(self) -> DrawnUnits | None:
        """The backgrounds of the trial, drawn again from its seed; None if they are not
        those of the outcomes.
        """
        seed, design = Seed.stored(about(self.outcomes, "").rng), self.design
        n = self.outcomes.sizes["unit"]
        if (
            design is None
            or seed is None
            or "gc" not in self.outcomes.coords
            or n > design.n_units
        ):
            return None
        drawn = draw_backgrounds(design, 0, n, key=seed.key)
        return (
            drawn
            if np.allclose(drawn.gc, self.outcomes["gc"].to_numpy(), rtol=0, atol=1e-6)
            else None
        )

    def check_units(self) -> DrawnUnits:
        """Return the backgrounds of the trial; NotApplicableError if they cannot be
        drawn again.
        """
        self.check_design()
        if self.units is None:
            raise NotApplicableError(
                "the units of the trial cannot be drawn again from its seed; run it "
                "with rng= a whole number"
            )
        return self.units

    @property
    def trial_key(self) -> int:
        """The root key of the trial, whose units are `units`."""
        return root_key(int(about(self.outcomes).rng))

    def sequences(self, arm: str, units: DrawnUnits, *, key: int) -> Tokens:
        """Return units under an arm of the design."""
        design = self.check_design()
        return apply_arm(
            next(a for a in design.named_arms if a.name == arm),
            units.tokens,
            units.ids,
            key,
        )

    def fresh(
        self,
        arms: Mapping[str, Any] | Iterable[Arm],
        n: int,
        purpose: str,
        *,
        null: NullModel | None = None,
    ) -> xr.Dataset:
        """Return outcomes of a crossover on fresh units, averaged over members of an
        ensemble.
        """
        design, predictor = self.check_design(), self.check_predictor()
        of = design.drawn if null is None else null
        given = arms if isinstance(arms, Mapping) else list(arms)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            trial = Design(null=of, arms=given, n_units=n)
            found = run(trial, predictor, rng=derive(self.key, purpose), progress=False)
            return _mean_of_models(found).isel(task=self.columns)

    @cached_property
    def real_sequences(self) -> Sequences | None:
        """Natural sequences to compare units with: `real`, or those of the null model;
        None if there are none.
        """
        if self.real is None:
            null = None if self.design is None else self.design.null
            return null.parents_given if isinstance(null, FromSequences) else None
        return as_real_sequences(self.design, self.real)


def _mean_of_models(outcomes: xr.Dataset) -> xr.Dataset:
    if "model" not in outcomes["outcome"].dims:
        return outcomes
    mean = outcomes["outcome"].mean("model", keep_attrs=True)
    rest = outcomes.drop_vars(
        [name for name, v in outcomes.variables.items() if "model" in v.dims]
    )
    return rest.assign(outcome=mean)


def refutation(
    claim: Claim, check: str, find: Callable[[Claim], list[Finding]]
) -> xr.Dataset:
    """Return the findings of a check as a Dataset of the kind "refutations"; without
    rows where it does not apply.
    """
    from causalgia.tell.checks import said

    skipped: dict[str, str] = {}
    try:
        rows = [said(row) for row in find(claim)]
    except NotApplicableError as reason:
        rows, skipped[check] = [], str(reason)
    texts = {
        "figure": [row.figure for row in rows],
        "status": [row.state for row in rows],
        "reason": [row.text for row in rows],
        "cure": [row.cure for row in rows],
    }
    table = {
        name: ("check", np.asarray(text, dtype=object if not text else None))
        for name, text in texts.items()
    }
    for name in ("value", "threshold"):
        table[name] = ("check", np.array([getattr(row, name) for row in rows], float))
    table["n_predictions"] = (
        "check",
        np.array([row.n_predictions for row in rows], np.int64),
    )
    attrs: dict[str, Any] = {
        name: claim.outcomes.attrs[name]
        for name in (
            "null",
            "scale",
            "design_fingerprint",
            "predictor_fingerprint",
            "rng",
        )  # rng: that of the trial
        if name in claim.outcomes.attrs
    }
    claimed = [
        name if task == "outcome" else f"{name} in {task}"
        for name, task in claim.effects_claimed
    ]
    attrs |= attributes(
        claims=json.dumps(claimed, ensure_ascii=False),
        not_applicable="\n".join(f"{name}: {why}" for name, why in skipped.items()),
        n_predictions=int(sum(row.n_predictions for row in rows)),
        budget=claim.budget,
    )
    found = xr.Dataset(
        table,
        coords={"check": np.asarray([row.name for row in rows], dtype=str)},
        attrs=attrs,
    )
    return as_result(found, "refutations")


def upper_tail(value: float, se: float, df: float) -> float:
    """Return P(T >= value / se), of a value without error 0 above 0 and 1 elsewhere.

    Examples
    --------
    >>> (
    ...     upper_tail(1.0, 0.0, 9.0),
    ...     upper_tail(0.0, 0.0, 9.0),
    ...     round(upper_tail(1.96, 1.0, 1e9), 3),
    ... )
    (0.0, 1.0, 0.025)
    """
    from scipy import stats

    if se <= 0:
        return 0.0 if value > 0 else 1.0
    return float(stats.t.sf(value / se, df))


def cluster_means(units: xr.Dataset | xr.DataArray, values: Array) -> Array:
    """Return the mean over the units of each parent, in order of appearance, of values
    (n, columns).
    """
    if "parent" not in units.coords:
        return values
    codes = pd.factorize(units["parent"].to_numpy().astype(str))[0]
    sums = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums / np.bincount(codes)[:, None]


def permutation_p(
    one: Array, other: Array, *, key: int, n_draws: int = 3_999
) -> tuple[float, int]:
    """Return the p-value of a permutation test of equal means of two samples (n,
    columns), and the worst column.

    The statistic is the largest difference over columns, in sd of both samples
    together. Exact for exchangeable rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> permutation_p(
    ...     rng.normal(size=(40, 2)), rng.normal(size=(30, 2)) + [0, 2], key=0
    ... )
    (0.00025, 1)
    """
    both = np.concatenate([one, other])
    center, sd = both.mean(axis=0), both.std(axis=0)
    size = np.abs(both).max(axis=0)
    z = np.where(sd > 1e-9 * size, (both - center) / np.where(sd > 0, sd, 1.0), 0.0)
    n, rng = len(one), np.random.default_rng(key)
    gaps = np.abs(z[:n].mean(axis=0) - z[n:].mean(axis=0))
    least, beyond = gaps.max() * (1 - 1e-9), 0
    for _ in range(n_draws):
        rows = (
            rng.permutation(len(z))[:n]
            if n <= len(z) // 2
            else rng.permutation(len(z))[: len(z) - n]
        )
        m = len(rows)
        sums = z[rows].sum(axis=0)
        beyond += bool((np.abs(sums) * (1 / m + 1 / (len(z) - m))).max() >= least)
    return (1 + beyond) / (n_draws + 1), int(gaps.argmax())


def row_of(estimates: xr.Dataset, name: str, task: str) -> tuple[float, float, float]:
    """Return estimate, standard error and degrees of freedom of a contrast in a
    task.
    """
    one = estimates.sel(contrast=name, task=task)
    return (
        float(one["ace"]),
        float(one["se"]),
        float(one["df"]) if "df" in one else np.inf,
    )


def arms_of(claim: Claim, names: Iterable[str]) -> list[Arm]:
    """Return arms of the design by name, in its order."""
    wanted = set(names)
    return [arm for arm in claim.check_design().named_arms if arm.name in wanted]

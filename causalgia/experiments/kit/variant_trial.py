"""Trials of variants: exact effects, and their ranks among matched null variants."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.choices import LEAST_FOR_A_LAW, NEGLIGIBLE
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.experiments.kit.answer import Answer
from causalgia.experiments.kit.experiment import Experiment
from causalgia.experiments.kit.listed_rows import (
    account_of_lines,
    places,
    row_of_each_line,
    skipped_finding,
)
from causalgia.experiments.kit.own_contexts import REFERENCE
from causalgia.experiments.kit.unasked import null_variant_notes
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.multiplicity.matched_ranks import (
    Strata,
    adjusted_ranks,
    divide_strata,
    extrapolate_ranks,
    local_fdr,
    rank_among_matched,
    unlike_medians,
)
from causalgia.notes import Statement
from causalgia.ropes import Rope
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.streams import RNG
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.multiplicity.regions import Region

OWN_CONTEXT = "own context: alternate minus reference allele, exact for this predictor"
ALONG_TRACK = "at the position of the track where it is largest"
OVER_CONTEXTS = (
    "over contexts: the mean of Y(alternate) - Y(reference) over backgrounds, with its "
    "standard error"
)
_ONE_CONTEXT = "no interval: one context"
_OF_OTHERS = ("notes", "cluster", "control_sd_of", "assignment")
_COLUMNS = (
    *("ace", "lower", "upper", "verdict", "se", "p", "q"),
    *("p_matched", "q_matched", "n_matched", "rope_lower", "rope_upper"),
    *("lfdr_matched", "tail_p", "tail_by", "peak"),
)


class _Nulls(NamedTuple):
    """Null variants, for each task.

    Attributes
    ----------
    effects
        (M, task, ...) effects.
    strata
        The `Strata` of each task.
    states
        What is said first: that references predict otherwise.
    """

    effects: Array
    strata: list[Strata]
    states: list[Statement]


@dataclass(frozen=True, kw_only=True, repr=False)
class VariantTrial(Experiment):
    """An experiment on the variants of a list.

    Attributes
    ----------
    listed
        The lines of the list, its V different variants, and those left out.
    windows
        The `VariantWindows` of the V variants; None over contexts.
    columns
        Further coordinates of the variants, (V,).
    matched, strata, n_given_up, tail
        Of matched null variants, which are the units after the V variants: their null
        model (`MatchedVariants`), their `Strata`, how many share fewer keys than asked, and whether p is
        extrapolated beyond them.
    """

    listed: ListedVariants = field(compare=False)
    windows: Any = field(default=None, compare=False)
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict, compare=False)
    matched: Any = field(default=None, compare=False)
    strata: Any = field(default=None, compare=False)
    n_given_up: int = field(default=0, compare=False)
    tail: bool = False

    @property
    def question(self) -> str:
        """The question, in a sentence."""
        if self.matched is not None:
            return "Which variants have larger effects than matched variants?"
        one = self.windows is not None and len(self.windows) == 1
        return f"{super().question}{f' ({_ONE_CONTEXT})' * one}"

    @property
    def null_variants(self) -> str:
        """The null variants in words, with the keys on which every variant is
        matched.
        """
        words: str = self.matched.describe({x for keys in self._dropped for x in keys})
        return words

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known before anything is predicted."""
        if self.strata is None:
            one = self.windows is not None and len(self.windows) == 1
            return (_ONE_CONTEXT,) * one
        m = np.median([len(self.strata.nulls[s]) for s in self.strata.of_effect])
        least = ceil(len(self._dropped) / (self._alpha * (m + 1)))
        return tuple(
            null_variant_notes(
                self._dropped,
                self.n_given_up,
                m,
                least,
                self._alpha,
                without_site="distance" in self.columns
                and self.matched.of in ("genome", None),
            )
        )

    @property
    def _dropped(self) -> list[tuple[str, ...]]:
        return [self.strata.dropped[s] for s in self.strata.of_effect]

    @property
    def _alpha(self) -> float:
        return round(1 - self.analysis.ci_prob, 9)

    def analyze(self, outcomes: xr.Dataset, *, rng: RNG | None = None) -> Answer:
        """Answer the question as `Experiment.analyze`; in own contexts from each exact
        effect, for which nothing is drawn; along a track from the largest one that is
        outside the region of practical equivalence, else from the largest.
        """
        if self.windows is None:
            return super().analyze(outcomes, rng=rng)
        self.check_outcomes(outcomes)
        from causalgia.effects import contrast

        asked = self.analysis.asking(self.analysis_fields).contrasting
        effects = outcomes if "ice" in outcomes else contrast(outcomes, **asked)
        if not np.array_equal(effects["unit"].to_numpy(), np.arange(self.n_units)):
            raise DataError(
                f"{effects.sizes['unit']:,} units are not the {self.n_units:,} variants "
                "in order: select variants from the answer"
            )
        effects = effects.isel(contrast=0, drop=True)
        along = "position" in effects.dims
        if along and "control_sd" in effects:  # one region for all positions
            effects["control_sd"] = np.sqrt(
                (effects["control_sd"] ** 2).mean("position")
            )
        if self._region.kind == "sd":  # a task whose reference does not vary has none
            varies: Any = effects["control_sd"].to_numpy() > 0
            varies = varies.reshape(effects.sizes["task"], -1).all(axis=1)
            effects = effects.isel(task=varies | ~varies.any())
        if along:
            effects = self._at_peaks(effects)
        ice = effects["ice"].compute().reset_coords(drop=True)
        ice = ice.transpose("unit", "task", ...)
        nulls = None if self.matched is None else self._nulls_of(ice, outcomes)
        estimates = self._exact(ice, effects, nulls)
        decisions = self._decided(estimates, effects)
        found = self.finding_of(decisions)
        if nulls is not None:
            null = ice.isel(unit=slice(len(nulls.effects))).rename(unit="null")
            null = null.copy(data=nulls.effects)
            found["null variants"] = null.drop_vars("null").to_dataset(name="effect")
        return Answer(
            question=self.question,
            estimates=estimates,
            decisions=decisions,
            findings=found,
            states=(*(() if nulls is None else nulls.states), *self.states(decisions)),
            figure=self.entry.draw,
        )

    def _at_peaks(self, effects: xr.Dataset) -> xr.Dataset:
        """Return the effect of each unit at its ``peak`` along a track, (unit, task[,
        model]).
        """
        ice = effects["ice"].compute().transpose("unit", "position", ...)
        floor: Any = effects.get("floor", 0.0)
        # differences within the rounding of answers are none
        size = abs(ice).where(abs(ice) > floor, 0.0).where(ice.notnull(), -1.0)
        if self._region.kind == "matched":
            outside = size
        else:
            one = ice[:1, 0].reset_coords(drop=True).rename(unit="contrast")
            region = self._stated_region(one.to_dataset(name="ace"), effects)
            low, high = (one.copy(data=x)[0] for x in (region.lower, region.upper))
            outside = size.where((ice < low) | (ice > high), -1.0)
        at = outside.argmax("position")
        at = at.where(outside.max("position") > 0, size.argmax("position"))
        if (none := (size < 0).all("position")).any():
            unit = int(np.argwhere(none.to_numpy())[0][0])
            names = self.windows.names
            own = unit < len(names)
            which = f"variant {quoted(names[unit])}" if own else f"null unit {unit:,}"
            raise DataError(
                f"{which}: no bin of the track holds the same bases under both alleles"
            )
        peak = ice["position"][at].drop_vars("position")
        there = ice.where(size > 0, ice * 0.0).isel(position=at).drop_vars("position")
        found = effects.drop_dims("position").assign(ice=there, peak=peak)
        return (
            found.assign(floor=floor.max("position")) if "floor" in effects else found
        )

    def _nulls_of(self, ice: xr.DataArray, outcomes: xr.Dataset) -> _Nulls:
        """Return the null variants of each task: the first population of which the
        references predict as those of the variants do, or the last.
        """
        k, tasks = len(self.windows), ice["task"].to_numpy()
        n = 1 if self.matched.of is not None else 2
        values = ice.to_numpy()
        of_null = values[k:].reshape(n, -1, *values.shape[1:])
        alike: list[Strata] = [self.strata] * len(tasks)
        if "outcome" not in outcomes:
            if n > 1 or self.matched.by_reference:
                raise DataError(
                    "null variants are chosen by what their references predict, and "
                    "these are effects alone: run with keep='outcomes', or state of= "
                    "without match='reference'"
                )
            return _Nulls(of_null[0], alike, [])
        reference = outcomes["outcome"].sel(arm=REFERENCE, task=tasks)
        others = [x for x in reference.dims if x not in ("unit", "task")]
        y = reference.mean(others).transpose("unit", "task").to_numpy()
        own, nulls = y[:k], y[k:].reshape(n, -1, len(tasks))
        chosen, states = of_null[0].copy(), list[Statement]()
        for j, task in enumerate(tasks):
            for population in range(n):
                pair = own[:, j], nulls[population, :, j]
                if self.matched.by_reference:
                    least = self.matched.min_nulls
                    alike[j] = divide_strata(self.strata, *pair, least=least)
                chosen[:, j] = of_null[population, :, j]
                if (apart := unlike_medians(alike[j], *pair)) is None:
                    break
                what = "unlike nulls" if population == n - 1 else "unlike loci"
                states.append(Statement(((what, *apart),), str(task)))
        return _Nulls(chosen, alike, states)

    @property
    def _region(self) -> Rope:
        return Rope.parse(self.analysis.region)

    def finding_of(self, decisions: xr.Dataset) -> dict[str, xr.Dataset]:
        """Return the findings: a row for each line of the list, and the lines left
        out.
        """
        names = [name for name in _COLUMNS if name in decisions]
        if self.strata is not None:
            names.remove("q")  # that of the verdict
        rows = decisions[names].reset_coords(drop=True).drop_attrs(deep=False)
        rows = rows.rename(ace="effect", contrast="variant")
        columns = places(self.listed.first_listed) | dict(self.columns)
        rows = rows.assign_coords({k: ("variant", x) for k, x in columns.items()})
        estimand = OVER_CONTEXTS if self.windows is None else OWN_CONTEXT
        estimand += f", {ALONG_TRACK}" * ("peak" in rows)
        rows = row_of_each_line(rows.assign_attrs(estimand=estimand), self.listed)
        return {"variants": rows, **skipped_finding(self.listed.skipped)}

    def states(self, decisions: xr.Dataset) -> tuple[Statement | str, ...]:
        """Return for each task the verdicts on the variants, and what became of the
        lines of the list.
        """
        q = math.nan if self.matched is None else self._alpha
        counts = [
            Statement((("variants", rows, self.windows is not None, q),), *of)
            for of, rows in rows_by_task(decisions)
        ]
        return (*counts, *account_of_lines(self.listed))

    def _exact(
        self, ice: xr.DataArray, effects: xr.Dataset, nulls: _Nulls | None
    ) -> xr.Dataset:
        """Return each variant's effect and, among null variants, its rank,
        (contrast, task[, model]).
        """
        import xarray as xr

        k, dims = len(self.windows), ("contrast", *map(str, ice.dims[1:]))
        values = ice.to_numpy()[:k].astype(np.float64)
        floor: Any = 0.0
        if "floor" in effects:
            floor = effects["floor"].transpose(*ice.dims[1:]).to_numpy()
        # differences within the rounding of answers are none
        values = np.where(np.abs(values) <= floor, 0.0, values)
        columns: dict[str, Any] = {"ace": values, "se": np.zeros(values.shape)}
        attrs = {name: x for name, x in effects.attrs.items() if name not in _OF_OTHERS}
        attrs |= attributes(estimand=OWN_CONTEXT, target="units")
        if nulls is not None:
            columns |= self._ranks(values, nulls, floor)
            by_task = self.analysis.family == "task"
            of = "the variants of each task" if by_task else "all variants and tasks"
            attrs |= attributes(matched=self.null_variants, family=of)
        coords = places(self.listed.first_listed) | dict(self.columns)
        coords["contrast"] = [x.name for x in self.listed.haplotypes]
        out = xr.Dataset(
            {name: (dims, column) for name, column in columns.items()},
            coords={name: ("contrast", row) for name, row in coords.items()}
            | {dim: ice[dim].to_numpy() for dim in dims[1:]},
        )
        if "peak" in effects:
            out["peak"] = dims, effects["peak"].transpose(*ice.dims).to_numpy()[:k]
            attrs |= attributes(estimand=f"{OWN_CONTEXT}, {ALONG_TRACK}")
        return as_result(out.assign_attrs(attrs), "estimates", *self.notes)

    def _ranks(self, values: Array, nulls: _Nulls, floor: Array) -> dict[str, Any]:
        """Return the columns of ranks, each (variant, task, ...)."""
        alpha, by_task = self._alpha, self.analysis.family == "task"
        fewest = min(len(x) for strata in nulls.strata for x in strata.nulls)
        if alpha * (fewest + 1) < 1 - 1e-9:
            raise EstimateError(
                f"ci_prob={self.analysis.ci_prob:g}: a stratum has {fewest:,} null "
                f"variants (n_null=), of which no p is {alpha:g}"
            )
        sizes = nulls.effects.astype(np.float64)
        sizes = np.where(np.abs(sizes) <= floor, 0.0, sizes)
        floors = np.broadcast_to(floor, values.shape[1:])
        of_task = [
            ((values[:, j], sizes[:, j], strata), floors[j])
            for j, strata in enumerate(nulls.strata)
        ]
        ranks = [rank_among_matched(*x, floor=y, alpha=alpha) for x, y in of_task]
        p, n, limit = (
            np.stack([getattr(x, name) for x in ranks], axis=1)
            for name in ("p", "n", "limit")
        )
        q = adjusted_ranks(p, by_column=by_task)
        limit = np.where(limit <= floor, 0.0, limit)
        columns: dict[str, Any] = {"p_matched": p, "q_matched": q, "n_matched": n}
        columns |= {"matched_lower": -limit, "matched_upper": limit}
        if (k := len(values)) >= LEAST_FOR_A_LAW:
            of_column = np.apply_along_axis(local_fdr, 0, p.reshape(k, -1))
            columns["lfdr_matched"] = of_column.reshape(p.shape)
        if self.tail:
            tails = [extrapolate_ranks(*x, floor=y) for x, y in of_task]
            columns["tail_p"] = np.stack([x.p for x in tails], axis=1)
            columns["tail_by"] = np.stack([x.by for x in tails], axis=1)
        return columns

    def _stated_region(self, estimates: xr.Dataset, effects: xr.Dataset) -> Region:
        """Return the region of each effect, of rows ``ace (contrast, task[, model])``."""
        from causalgia.multiplicity.regions import rope_region

        if "control_sd" in effects:  # of the reference windows of all units
            sd = effects["control_sd"].reset_coords(drop=True)
            sd = sd.broadcast_like(estimates["ace"])
            estimates = estimates.assign(control_sd=sd)
        return rope_region(self._region, estimates, 0.0)

    def _decided(self, estimates: xr.Dataset, effects: xr.Dataset) -> xr.Dataset:
        """Return estimates with verdicts: a direction lies beyond the region and, among
        null variants, needs q.
        """
        from causalgia.multiplicity.regions import Region
        from causalgia.verdicts._decide import decide_known

        if self._region.kind == "matched":
            share = 100 * self.analysis.ci_prob
            region = Region(
                estimates["matched_lower"].to_numpy(),
                estimates["matched_upper"].to_numpy(),
                f"the range of {share:g} % of {self.null_variants}",
                "matched",
            )
        else:
            region = self._stated_region(estimates, effects)
        if self.strata is None:
            return decide_known(estimates, region, self.analysis)
        q = estimates["q_matched"]
        found = decide_known(estimates, region, self.analysis, beyond=q <= self._alpha)
        # exact effects: that they lie in a stated region is certain
        found["q"] = q.where(found["verdict"] != NEGLIGIBLE, 0.0)
        found = found.drop_vars(["matched_lower", "matched_upper"])
        return as_result(found.assign_attrs(attributes(error="fdr")), "decisions")

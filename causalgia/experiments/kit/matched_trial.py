"""Variants in their own contexts and matched null variants, as one trial with one
contrast for each variant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, INSIDE, LEAST_FOR_A_LAW, VERDICTS
from causalgia.design import MatchedVariants
from causalgia.errors import NAMES_SHOWN, DataError, EstimateError
from causalgia.experiments.kit.answer import Answer, largest_contrasts
from causalgia.experiments.kit.experiment import Experiment
from causalgia.experiments.kit.listed_rows import (
    account_of_lines,
    row_of_each_line,
    skipped_finding,
)
from causalgia.inputs import cut_middle
from causalgia.multiplicity.matched_ranks import (
    ENOUGH_BEYOND,
    FARTHEST,
    FEWEST_NULLS,
    Strata,
    TailRanks,
    extrapolate_ranks,
    local_fdr,
    nulls_needed,
    rank_among_matched,
)
from causalgia.notes import Said
from causalgia.ropes import Rope
from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.variant_files import Variant
from causalgia.streams import RNG
from causalgia.tell.table_formats import p_clause

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

OWN_CONTEXT = "own context: alternate minus reference allele, exact for this predictor"
OVER_CONTEXTS = (
    "over contexts: the mean of Y(alternate) - Y(reference) over backgrounds, with its "
    "standard error"
)
_RESOLVED_SHARES = (0.05, 0.01)


@dataclass(frozen=True, kw_only=True, repr=False)
class MatchedTrial(Experiment):
    """An experiment whose units are variants and their matched null variants, the
    variants first.

    Attributes
    ----------
    variants
        The K variants.
    matched
        The null model of variants.
    strata
        Strata of the variants, with their null variants.
    n_given_up
        Number of null variants by how many keys the draw had to give up.
    tail
        Whether p-values are extrapolated beyond the largest null effects.
    listed
        The lines of the list that the variants were read from, and those left out.
    distances
        Distance of each variant from its read-out, where read-outs were given.
    """

    variants: tuple[Variant, ...] = field(compare=False)
    matched: MatchedVariants = field(compare=False)
    strata: Strata = field(compare=False)
    n_given_up: dict[int, int] = field(compare=False)
    tail: bool = False
    listed: ListedVariants | None = field(default=None, compare=False)
    distances: tuple[int, ...] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        n_null = self.n_units - len(self.variants)
        return (
            f"<Experiment {self.entry.name}: {len(self.variants):,} variants, "
            f"{n_null:,} {self.null_variants}>"
        )

    @property
    def question(self) -> str:
        """Which variants have larger effects than others of their kind."""
        k = len(self.variants)
        if k == 1:
            name = cut_middle(self.variants[0].name)
            return f"Does {name} have a larger effect than matched variants?"
        return f"Which of {k:,} variants have larger effects than matched variants?"

    @property
    def null_variants(self) -> str:
        """The null variants in words, with the keys on which every variant is
        matched.
        """
        strata = {self.strata.dropped[s] for s in self.strata.of_effect}
        return self.matched.describe({key for keys in strata for key in keys})

    @property
    def notes(self) -> tuple[str, ...]:
        """What the strata are, and which p-values they can resolve: known before
        anything is predicted.
        """
        unresolved = _resolution_notes(self)
        advice = _advice_on_resolution(self) if unresolved else _advice_on_strata(self)
        resolution = [*unresolved, *advice]
        return (
            *_strata_notes(self),
            *_read_out_notes(self),
            *([". ".join(resolution)] if resolution else []),
        )

    def analyze(self, outcomes: xr.Dataset, *, rng: RNG | None = None) -> Answer:  # noqa: ARG002 - nothing is drawn
        """Rank each variant's effect among its matched null variants, and decide.

        Parameters
        ----------
        outcomes
            From ``cg.run(experiment, ...)`` with ``keep="outcomes"`` or ``"effects"``.
        rng
            Seed (0 is a seed), Generator or SeedSequence. Not used: the null variants
            were drawn with the experiment.

        Returns
        -------
        Answer
            ``estimates`` and ``decisions`` with a contrast for each variant: ``ace``,
            its exact effect, and ``p_matched, q_matched, n_matched`` (contrast, task).
            By ``rope="matched"`` the verdict is ``"increases"`` or ``"decreases"``
            beyond the largest ``|null|`` but 5 % with q <= .05, ``"within"`` inside,
            else ``"undecided"``: one ordering of ``|effect|`` gives p, q, region and
            verdict. Finding ``"variants"``, a row for each variant and task, and
            ``"null variants"`` (null, task), their effects.

        Raises
        ------
        DataError
            If the outcomes are of another design, units were left out or reordered, or
            only moments were kept.
        EstimateError
            If a stratum has fewer null variants than ``1 / (1 - level) - 1``.
        """
        self.check_outcomes(outcomes)
        if "ice" not in outcomes and "outcome" not in outcomes:
            raise DataError(
                "these are moments, and each variant is ranked by its own effect; keep "
                "the effects: cg.run(..., keep='effects')"
            )
        from causalgia.effects import contrast

        effects = (
            outcomes
            if "ice" in outcomes
            else contrast(
                outcomes, **self.analysis.asking(self.analysis_fields).contrasting
            )
        )
        check_every_variant(effects, self.n_units)
        ice = effects["ice"].isel(contrast=0, drop=True).compute()
        estimates = self._estimates(ice, effects)
        decisions = self._decide(estimates, effects.get("control_sd"))
        table = _table(estimates, decisions)
        account: tuple[str, ...] = ()
        left_out: dict[str, xr.Dataset] = {}
        if self.listed is not None:
            table = row_of_each_line(table, self.listed)
            account = account_of_lines(self.listed)
            left_out = skipped_finding(self.listed.skipped)
        k = len(self.variants)
        null = (
            ice.isel(unit=slice(k, None))
            .reset_coords(drop=True)
            .rename(unit="null")
            .to_dataset(name="effect")
        )
        return Answer(
            question=self.question,
            estimates=estimates,
            decisions=decisions,
            findings={
                "variants": table,
                "null variants": null.drop_vars("null", errors="ignore"),
                **left_out,
            },
            sentences=(*self._sentences(decisions), *account),
            figure=draw_largest_variants,
        )

    @property
    def _alpha(self) -> float:
        return round(1 - self.analysis.ci_prob, 9)

    @property
    def _family(self) -> str:
        by_task = self.analysis.family == "task"
        return "the variants of each task" if by_task else "all variants and tasks"

    def _check_level(self) -> None:
        """Raise EstimateError where no p can be as small as the level asks."""
        fewest = min(map(len, self.strata.nulls))
        needed = ceil(round(1 / self._alpha, 9)) - 1
        if fewest < needed:
            raise EstimateError(
                f"ci_prob={self.analysis.ci_prob:g} needs {needed:,} null variants "
                f"in each stratum, so that a p of {self._alpha:g} is possible, and one "
                f"has {fewest:,}: draw more (n_null=), or give "
                f"ci_prob={floor(1000 * (1 - 1 / (fewest + 1)) + 1e-9) / 1000:g} "
                "or less"
            )

    def _estimates(self, ice: xr.DataArray, effects: xr.Dataset) -> xr.Dataset:
        import xarray as xr

        k = len(self.variants)
        dims = ("contrast", *[str(dim) for dim in ice.dims[1:]])
        values = ice.transpose("unit", ...).to_numpy().astype(np.float64)
        floor = (
            effects["floor"]
            .isel(contrast=0, drop=True)
            .transpose(*ice.dims[1:])
            .to_numpy()
            if "floor" in effects
            else 0.0
        )
        # differences within the rounding of answers are none
        values = np.where(np.abs(values) <= floor, 0.0, values)
        self._check_level()
        found = rank_among_matched(
            values[:k],
            values[k:],
            self.strata,
            floor=floor,
            alpha=self._alpha,
            by_column=self.analysis.family == "task",
        )
        columns: dict[str, Any] = {"ace": values[:k], "se": np.zeros(values[:k].shape)}
        columns |= {"p_matched": found.p, "q_matched": found.q, "n_matched": found.n}
        limit = np.where(found.limit <= floor, 0.0, found.limit)
        columns |= {"matched_lower": -limit, "matched_upper": limit}
        if k >= LEAST_FOR_A_LAW:
            flat = found.p.reshape(k, -1)
            columns["lfdr_matched"] = np.column_stack(
                [local_fdr(p) for p in flat.T]
            ).reshape(found.p.shape)
        notes = [
            *_strata_notes(self),
            *_read_out_notes(self),
            *_resolution_notes(self),
        ]
        if self.tail:
            tail = extrapolate_ranks(values[:k], values[k:], self.strata, floor=floor)
            columns |= {"tail_p": tail.p, "tail_by": tail.by}
            notes += _tail_notes(tail)
        coords = {
            str(dim): ice[dim].to_numpy() for dim in ice.dims[1:] if dim in ice.coords
        }
        out = xr.Dataset(
            {name: (dims, column) for name, column in columns.items()},
            coords={"contrast": [x.name for x in self.variants], **coords},
        )
        dropped = [", ".join(self.strata.dropped[s]) for s in self.strata.of_effect]
        out = out.assign_coords(
            {
                name: ("contrast", [getattr(x, name) for x in self.variants])
                for name in _VARIANT_COLUMNS
            }
            | {"dropped_keys": ("contrast", dropped)}
            | (
                {}
                if self.distances is None
                else {"distance": ("contrast", list(self.distances))}
            )
        )
        attrs = {
            name: x
            for name, x in effects.attrs.items()
            if name not in ("notes", "cluster", "control_sd_of", "assignment")
        }
        attrs |= attributes(
            estimand=OWN_CONTEXT,
            target="units",
            matched=self.null_variants,
            family=self._family,
        )
        return as_result(out.assign_attrs(attrs), "estimates", *notes)

    def _decide(
        self, estimates: xr.Dataset, control_sd: xr.DataArray | None
    ) -> xr.Dataset:
        from causalgia.multiplicity.regions import rope_region

        effect = estimates["ace"]
        rope, kind = Rope.parse(self.analysis.region), "matched"
        of_matched = rope.kind == "matched"
        if of_matched:
            low, high = (estimates[f"matched_{side}"] for side in ("lower", "upper"))
            share = f"{100 * (1 - self._alpha):g} %"
            label = f"the range of {share} of {self.null_variants}"
        else:
            of_region = estimates
            if (
                control_sd is not None
            ):  # of the reference windows of variants and null variants
                sd = control_sd.isel(contrast=0, drop=True).reset_coords(drop=True)
                of_region = estimates.assign(
                    control_sd=sd.broadcast_like(effect).transpose(*effect.dims)
                )
            region = rope_region(rope, of_region, 0.0)
            low, high = (effect.copy(data=end) for end in (region.lower, region.upper))
            label, kind = region.label, region.kind
        found = estimates["q_matched"] <= self._alpha
        inside = (effect >= low) & (effect <= high)
        q = estimates["q_matched"]
        if not of_matched:
            inside &= low < high
            q = q.where(~inside, 0.0)  # exact effects: that they lie inside is certain
        claims = {INSIDE[of_matched]: inside, "decreases": found & (effect < low)}
        claims |= {"increases": found & (effect > high)}
        verdict = effect.copy(
            data=np.select(
                [x.to_numpy() for x in claims.values()], list(claims), "undecided"
            )
        )
        out = estimates.drop_vars(["matched_lower", "matched_upper"])
        out = out.assign(
            verdict=verdict,
            lower=effect,
            upper=effect,
            rope_lower=low,
            rope_upper=high,
            q=q,
            more_units=effect.copy(data=np.full(effect.shape, -1)),
        )
        attrs = attributes(error="fdr", ci_prob=self.analysis.ci_prob)
        attrs |= attributes(rope=label, rope_kind=kind, family_rows=effect.size)
        attrs |= attributes(family_by=self.analysis.family or "", family_without="")
        attrs |= attributes(analysis=self.analysis.to_json())
        return as_result(out.assign_attrs(attrs), "decisions")

    def _sentences(self, decisions: xr.Dataset) -> list[str]:
        """Return for each task which of the variants have larger effects than their
        null variants, and what is known of the others.
        """
        from causalgia.experiments.kit.variance import rows_by_task

        return [
            Said(f"{self._in_words(rows)}.", *of)
            for of, rows in rows_by_task(decisions)
        ]

    def _in_words(self, rows: xr.Dataset) -> str:
        n, rate = rows.sizes["contrast"], f"{self._alpha:.3g}".removeprefix("0")
        effect = np.abs(rows["ace"].to_numpy())
        found = np.flatnonzero((rows["q_matched"] <= self._alpha).to_numpy())
        found = found[np.argsort(-effect[found], kind="stable")]
        named = [
            f"{cut_middle(str(rows['contrast'].to_numpy()[i]))} "
            f"{rows['ace'].to_numpy()[i]:+.3g}"
            for i in found[:NAMES_SHOWN].tolist()
        ]
        if n == 1:
            name = cut_middle(str(rows["contrast"].to_numpy()[0]))
            p = p_clause(float(rows["p_matched"].to_numpy()[0]))
            size = f"{rows['ace'].to_numpy()[0]:+.3g}, {p}"
            larger = "a larger" if len(found) else "no larger"
            sentence = f"{name} has {larger} effect than matched variants ({size})"
        else:
            k = "all" if len(found) == n else f"{len(found):,} of" if len(found) else ""
            which = f"{k} {n:,} variants have" if k else f"none of {n:,} variants has"
            effects = "larger effects" if k else "a larger effect"
            largest = "" if len(named) == len(found) else "the largest "
            sizes = f"; {largest}{', '.join(named)}" if named else ""
            sentence = f"{which} {effects} than matched variants (q <= {rate}{sizes})"
        counts = Counter(rows["verdict"].to_numpy().tolist())
        words = [word for word in VERDICTS if counts[word]]
        if Rope.parse(self.analysis.region).kind == "matched":
            rest = [
                f"{_how_many(counts[word], n)} {_VERDICTS[word]}"
                for word in words
                if word not in DIRECTIONS
            ]
            return f"{sentence}; {' and '.join(rest)}" if rest else sentence
        from causalgia.tell.verdict_sentences import region_in_words

        ends = region_in_words(rows)
        verdicts = ", ".join(f"{counts[word]:,} {word}" for word in words)
        return f"{sentence}; against {ends}: {verdicts}"


_VERDICTS = {"within": "within their range", "undecided": "undecided"}


def _how_many(k: int, n: int) -> str:
    """Return "it is", "12 are" or "all are" of n variants."""
    if n == 1:
        return "it is"
    return "all are" if k == n else f"{k:,} {'is' if k == 1 else 'are'}"


def check_every_variant(effects: xr.Dataset, n: int) -> None:
    """Raise DataError unless the units are all n, in their order: each is a
    variant, known by its place.
    """
    if not np.array_equal(effects["unit"].to_numpy(), np.arange(n)):
        raise DataError(
            f"{effects.sizes['unit']:,} units that are not the {n:,} of the experiment "
            "in their order, and each is a variant: analyze the outcomes as cg.run "
            "gave them, and select variants from the answer"
        )


_VARIANT_COLUMNS = ("chromosome", "position", "reference", "alternate")


def _strata_notes(trial: MatchedTrial) -> list[str]:
    """Return sentences on the keys that strata and draws had to drop."""
    lines = []
    by_dropped = Counter(trial.strata.dropped[s] for s in trial.strata.of_effect)
    for dropped, count in sorted(by_dropped.items(), key=lambda x: len(x[0])):
        if dropped:
            chosen = [key for key in trial.matched.matched[::-1] if key not in dropped]
            on = f"matched on {in_list(chosen)}" if chosen else "not matched"
            some = "all" if count == len(trial.variants) else f"{count:,}"
            lines.append(
                f"{some} variants are {on}; too few null variants (fewer than "
                f"{trial.matched.min_nulls:,}) match on {in_list(dropped)} as well"
            )
    keys = [key for key in trial.matched.matched if key != "length"]
    for n_dropped, count in sorted(trial.n_given_up.items()):
        if n_dropped:
            were, them = (
                ("variant was", "it") if count == 1 else ("variants were", "them")
            )
            lines.append(
                f"{count:,} null {were} drawn without matching "
                f"{', '.join(keys[:n_dropped])}: no place for {them} was found"
            )
    return lines


def _advice_on_strata(trial: MatchedTrial) -> list[str]:
    """Return what would match on more keys, before anything is predicted."""
    if not any(trial.strata.dropped[s] for s in trial.strata.of_effect):
        return []
    return ["More null variants (n_null=) match on more keys"]


def _read_out_notes(trial: MatchedTrial) -> list[str]:
    """Return what null variants lack that lie at loci without a site."""
    if trial.distances is None or trial.matched.of != "genome":
        return []
    return [
        "null variants lie as far from the middle of their windows as the variants "
        "from their read-outs, but at random loci, without a site there: the question "
        "is how variants near sites differ from variants anywhere"
    ]


def _tail_notes(tail: TailRanks) -> list[str]:
    """Return what tail_p is, and where it is not extrapolated although few null effects
    are as large.
    """
    modeled, refused = (int((tail.by == how).sum()) for how in ("tail", "no fit"))
    few = f"effects as large as fewer than {ENOUGH_BEYOND} null effects"
    lines = [
        f"the tail_p of {modeled:,} {few} is an extrapolation by a model (a "
        "generalized Pareto law of the largest null effects), no rank; it stops at 1 / "
        f"({FARTHEST} (m + 1)), and verdicts do not use it"
    ]
    if refused:
        lines.append(
            f"the tail_p of {refused:,} {few} is their p_matched (tail_by = 'no fit'): "
            f"the stratum has fewer than {FEWEST_NULLS:,} null variants, or its "
            "largest effects follow no such law"
        )
    return lines if modeled else lines[1:]


def _resolution_notes(trial: MatchedTrial) -> list[str]:
    """Return what share of real effects the p-values can resolve."""
    sizes = np.array([len(x) for x in trial.strata.nulls])[trial.strata.of_effect]
    m, k, q = int(np.median(sizes)), len(trial.variants), 1 - trial.analysis.ci_prob
    if not _unresolved_shares(trial):
        return []
    least = int(np.ceil(k / (q * (m + 1))))
    if least < 2:  # one variant alone can be found
        return []
    return [
        f"among {m:,} null variants (median) p is at least {1 / (m + 1):.2g}, too large "
        f"for q <= {q:.2g} if fewer than {least:,} of {k:,} variants are real"
    ]


def _advice_on_resolution(trial: MatchedTrial) -> list[str]:
    """Return how many null variants would resolve more, before anything is
    predicted.
    """
    q, few = 1 - trial.analysis.ci_prob, _unresolved_shares(trial)
    if not few:
        return []
    return [
        f"Give {nulls_needed(few[0], q):,} a stratum if about {100 * few[0]:g} % of "
        "the variants are real (n_null=)"
    ]


def _unresolved_shares(trial: MatchedTrial) -> list[float]:
    """Return the shares of real variants that the null variants cannot resolve."""
    sizes = np.array([len(x) for x in trial.strata.nulls])[trial.strata.of_effect]
    m, q = int(np.median(sizes)), 1 - trial.analysis.ci_prob
    return [share for share in _RESOLVED_SHARES if m < nulls_needed(share, q)]


def _table(estimates: xr.Dataset, decisions: xr.Dataset) -> xr.Dataset:
    """Return a row for each variant and task."""
    names = [
        "ace",
        "p_matched",
        "q_matched",
        "n_matched",
        "matched_lower",
        "matched_upper",
    ]
    names += [
        name for name in ("lfdr_matched", "tail_p", "tail_by") if name in estimates
    ]
    out = estimates[names].drop_attrs(deep=False).assign(verdict=decisions["verdict"])
    return out.rename(ace="effect", contrast="variant").assign_attrs(
        estimand=OWN_CONTEXT
    )


def draw_largest_variants(answer: Answer) -> Axes:
    """Draw the largest variants of one task over their region."""
    from causalgia.tell.figures import forest

    return forest(largest_contrasts(answer.decisions), task=answer.tasks[0])


def listed_of(experiment: Experiment) -> ListedVariants | None:
    """Return the lines that an experiment of variants was made of; None for another
    experiment.
    """
    if isinstance(experiment, MatchedTrial):
        return experiment.listed
    read = experiment.entry.read
    first = read.args[0] if isinstance(read, partial) and read.args else None
    return first if isinstance(first, ListedVariants) else None

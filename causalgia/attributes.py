"""Attributes of Datasets: for each its type, its Datasets and its meaning; and how
attributes are read and written.

``about(dataset).scale`` reads an attribute and checks its type,
``about(dataset, None).scale`` is None where it is absent, ``has(dataset).scale`` says
whether it is there, and ``attributes(scale=...)`` makes a table of them for ``attrs=``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar, overload

from causalgia.checks import is_real, is_whole, nearest
from causalgia.errors import DataError, quoted

T = TypeVar("T")
Other = TypeVar("Other")
Absent = TypeVar("Absent", covariant=True)  # what stands for an absent one


def _is_text_or_number(value: object) -> bool:
    return isinstance(value, str) or is_real(value)


_NEEDS: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "JSON": lambda value: isinstance(value, str),
    "number": is_real,
    "whole number": is_whole,
    "text or number": _is_text_or_number,
    "list of texts": lambda value: isinstance(value, list),
}
"""Type of an attribute -> function that says whether a value is of this type."""
_ARTICLES = {"number": "a number", "whole number": "a whole number"}


@dataclass(frozen=True)
class Attribute(Generic[T]):
    """One row of the schema of attributes: type, Datasets, writers and meaning.

    Parameters
    ----------
    type
        ``"text"``, ``"JSON"`` (text), ``"number"``, ``"whole number"``,
        ``"text or number"`` or ``"list of texts"``.
    datasets
        Datasets that have it.
    made_by
        Functions that write it; later verbs pass it on.
    meaning
        What it says.
    name
        Its name in ``attrs``.
    """

    type: str
    datasets: str
    made_by: str
    meaning: str
    name: str = field(default="", compare=False)

    def __set_name__(self, owner: object, name: str) -> None:
        object.__setattr__(self, "name", name)

    @overload
    def __get__(self, of: None, owner: Any) -> Attribute[T]: ...
    @overload
    def __get__(self, of: _Required, owner: Any) -> T: ...
    @overload
    def __get__(self, of: _Optional, owner: Any) -> T | None: ...
    @overload
    def __get__(self, of: About[Absent], owner: Any) -> T | Absent: ...
    def __get__(
        self, of: About[Absent] | None, owner: Any
    ) -> Attribute[T] | T | Absent:
        return self if of is None else of._read(self)

    @property
    def need(self) -> str:
        """The type with its article, for messages."""
        return _ARTICLES.get(self.type, self.type)


def _row(type_: str, datasets: str, made_by: str, meaning: str) -> Attribute[Any]:
    return Attribute(type_, datasets, made_by, meaning)


def _text(datasets: str, made_by: str, meaning: str) -> Attribute[str]:
    return Attribute("text", datasets, made_by, meaning)


def _json(datasets: str, made_by: str, meaning: str) -> Attribute[str]:
    return Attribute("JSON", datasets, made_by, meaning)


def _number(datasets: str, made_by: str, meaning: str) -> Attribute[float]:
    return Attribute("number", datasets, made_by, meaning)


def _whole(datasets: str, made_by: str, meaning: str) -> Attribute[int]:
    return Attribute("whole number", datasets, made_by, meaning)


_text_or_number = partial(_row, "text or number")

_TRIAL = "outcomes and all results of a trial"
_RESULTS = "effects and all results"
_DRAWN = "sequences, outcomes, libraries and all results"


class About(Generic[Absent]):
    """Attributes of one Dataset, read by name and checked; made by `about`."""

    __slots__ = ("_absent", "_attrs")

    def __init__(self, attrs: Any, absent: Absent) -> None:
        self._attrs, self._absent = attrs, absent

    def _read(self, row: Attribute[T]) -> T | Absent:
        value = self._attrs.get(row.name, _MISSING)
        if value is _MISSING:
            return _raise_missing(row) if self._absent is _MISSING else self._absent
        if not _NEEDS[row.type](value):
            raise DataError(
                f"attrs[{quoted(row.name)}] is {quoted(value)}, and {row.need} is "
                f"needed ({row.meaning}); set it, .assign_attrs({row.name}=...), or "
                f"take the Dataset from {row.made_by}"
            )
        return value  # type: ignore[no-any-return]

    # the trial
    name = _text(_TRIAL, "a trial file", "name of the trial or library")
    experiment = _text_or_number(
        "outcomes from elsewhere", "users", "title of the report page"
    )
    assignment = _text(
        _DRAWN,
        "cg.run, cg.from_frame, cg.mpra.library",
        "'crossover' (every unit receives every arm), 'parallel' (one arm each) or "
        "'incomplete' (cells are missing)",
    )
    scale = _text(
        _DRAWN,
        "cg.run, cg.from_frame, cg.attribute, cg.mpra.fit",
        "scale of the outcomes",
    )
    n_drawn = _whole(
        _TRIAL, "cg.run", "units that the trial drew; fewer are a selection of these"
    )
    n_selected = _whole(
        "estimates and other results of a selection",
        "cg.estimate, cg.moderation",
        "how many of the units drawn were kept after the draw",
    )
    first_unit = _text(
        "outcomes",
        "cg.run, cg.from_frame",
        "the unit of first_outcome",
    )
    null = _text(
        _DRAWN,
        "null.sample, cg.run, cg.mpra.library",
        "the null model in words: the population from which units are drawn",
    )
    null_kind = _text(_DRAWN, "null.sample, cg.run", "kind of the null model")
    null_length = _whole(_DRAWN, "null.sample, cg.run", "length of a background, in bp")
    null_sequences = _whole(
        _DRAWN,
        "null.sample, cg.run",
        "number of different sequences that the null model was made from",
    )
    null_rows = _whole(
        _DRAWN,
        "null.sample, cg.run",
        "number of sequences given to it: one that is given for each of its sites "
        "counts several times",
    )
    null_parents = _whole(
        _DRAWN,
        "null.sample, cg.run",
        "number of parents among them: sequences that are not independent are one",
    )
    null_draws = _whole(
        _DRAWN,
        "null.sample, cg.run",
        "units per draw of a background; more than 1 where one is used several times",
    )
    null_fingerprint = _text(
        _DRAWN, "null.sample, cg.run", "fingerprint of the null model"
    )
    design = _json(
        _TRIAL,
        "cg.run, cg.mpra.library",
        "the design; a long one is in the variable 'design' instead",
    )
    design_fingerprint = _text(
        _DRAWN, "cg.run, cg.mpra.library", "fingerprint of the design"
    )
    edits = _json(
        "outcomes", "cg.run", "edits that make each arm, used by the notes on controls"
    )
    reserved = _text(
        "outcomes, libraries and all results",
        "cg.run, cg.mpra.library",
        "source sequences set aside, which the trial never uses",
    )
    predictor = _text(
        "outcomes, maps and all results",
        "a trial file, cg.attribute",
        "the predictor in words; of maps, its fingerprint",
    )
    predictor_fingerprint = _text(_TRIAL, "cg.run", "fingerprint of the predictor")
    model_is = _text(
        "outcomes",
        "cg.run, cg.mpra.outcomes",
        "how members of the dim 'model' differ: 'seeds', 'folds', 'replicates', ...",
    )
    bin = _whole("outcomes of a track", "cg.run", "width of a bin, in bp")
    effect_on = _text(
        _RESULTS,
        "cg.mpra.fit, cg.mpra.outcomes, cg.attribution.interactions",
        "what an effect is a change of: 'measured activity', 'the predictor'",
    )
    rng = _text(
        _DRAWN,
        "cg.run, cg.mpra.library",
        "the seed, or the type of the generator that was given instead",
    )
    causalgia = _text(_DRAWN, "cg.run, cg.mpra.library", "version of causalgia")
    python = _text(_DRAWN, "cg.run, cg.mpra.library", "version of Python")
    numpy = _text(_DRAWN, "cg.run, cg.mpra.library", "version of NumPy")
    torch = _text(_TRIAL, "a protocol, causalgia reproduce", "version of PyTorch")
    threads = _text(
        _TRIAL, "a protocol, causalgia reproduce", "number of threads of a prediction"
    )
    source = _text(
        "outcomes, maps, counts",
        "cg.from_frame, cg.mpra.read_counts",
        "origin of the values: a function, files, or the positions that were exchanged",
    )
    source_sequences = _text(
        _TRIAL,
        "cg.run",
        "the source sequences that were predicted in addition to the trial's units",
    )
    source_predictions = _whole(
        _TRIAL, "cg.run", "number of predictions of source sequences"
    )
    notes = _text(
        "all",
        "every verb",
        "what a reader of the result needs to know, one sentence a line",
    )
    skipped = _text(
        "maps",
        "cg.attribute",
        "sequences that were left out, and why",
    )

    # what was planned and what became of it
    analysis = _json(
        _TRIAL, "cg.run(analysis=), cg.analyze", "the planned analysis, a cg.Analysis"
    )
    analysis_fingerprint = _text(
        "estimates, decisions",
        "cg.analyze",
        "fingerprint of the analysis that was carried out",
    )
    exploratory = _text(
        _RESULTS,
        "all verbs of an analysis",
        "settings that differ from the analysis fixed before the outcomes were seen",
    )
    confirms = _text(
        _TRIAL, "cg.confirm", "the screen that this trial confirms, on units of its own"
    )
    until = _text(_TRIAL, "cg.run(until=)", "the stopping rule")
    stopped = _text(
        _TRIAL, "cg.run(until=)", "where the sequential trial ended, and why"
    )
    until_ci_prob = _number(
        "outcomes",
        "cg.run(until=cg.Decided(...))",
        "probability of the confidence sequences",
    )
    protocol = _text(_TRIAL, "Protocol.run", "SHA-256 of the lock")
    protocol_locked = _text(_TRIAL, "Protocol.run", "time at which it was locked")
    protocol_started = _text(_TRIAL, "Protocol.run", "time at which the trial began")
    protocol_deviations = _text(
        _TRIAL, "Protocol.run", "where the trial departs from the protocol"
    )
    protocol_changed = _text(
        _TRIAL, "the command line", "'values' if the outcomes changed after the trial"
    )
    protocol_values = _text(_TRIAL, "Protocol.run", "digest of the outcomes")
    protocol_kept = _text(
        _TRIAL, "Protocol.run(keep=)", "digest of the effects or moments that were kept"
    )

    # effects
    contrast_scale = _text(_RESULTS, "cg.contrast", "scale of the effects, in words")
    transform = _text(
        _RESULTS, "cg.contrast", "the argument scale=: 'identity', 'log', 'ratio', ..."
    )
    constants = _whole(
        "estimates",
        "cg.estimation.hypotheses",
        "1 if numbers are subtracted from sums of arms, else 0",
    )
    control = _text(
        _RESULTS,
        "cg.contrast",
        "the arm subtracted; empty for contrasts of another form",
    )
    control_is = _text("true effects", "oracle.true_ace", "why this arm is the control")
    control_sd_of = _text(
        _RESULTS,
        "cg.contrast",
        "the arm whose sd 'control_sd' is, if not the arm subtracted",
    )
    estimand = _text(_RESULTS, "cg.contrast", "what is estimated, in words")
    ice_is = _text(
        _RESULTS,
        "cg.contrast",
        "what 'ice' holds where effects are functions of means: influence values",
    )
    null_value = _number(
        _RESULTS, "cg.contrast", "value of no effect: 1 for ratios, else 0"
    )
    task_weights = _json(
        _RESULTS,
        "cg.contrast(tasks=)",
        "weights of the tasks in each contrast between tasks",
    )
    over = _text(
        _RESULTS,
        "cg.contrast, cg.simultaneous",
        "the dim over which contrasts are formed or a band holds: 'model', 'position'",
    )
    positions = _whole(
        "curves with one row per position",
        "causalgia.effect_table",
        "number of positions",
    )
    map_method = _text(
        "effects and estimates from maps", "cg.attribution", "method that made the maps"
    )

    # estimates
    target = _text(
        "estimates, decisions",
        "cg.estimate",
        "what the ACE is an average over: 'population', 'parents', ...",
    )
    ci_prob = _number(
        "estimates, decisions, plans and other intervals",
        "cg.estimate, cg.decide, cg.infer",
        "probability of every interval",
    )
    cluster = _text(
        "moments, estimates, decisions",
        "cg.estimate",
        "what varies independently: 'unit', or a coordinate of the units",
    )
    weights = _text(
        "estimates, decisions",
        "cg.estimate",
        "which of 'units' and 'clusters' have equal weights",
    )
    covariates = _text(
        "estimates, decisions",
        "cg.estimate, cg.infer",
        "covariates that were adjusted for",
    )
    n_levels = _whole(
        "estimates, decisions",
        "cg.estimate",
        "number of predictors or placebos in the sample",
    )
    method = _text(
        "estimates, maps, fits and others",
        "cg.estimate, cg.attribute, cg.mpra.fit",
        "how the values were computed",
    )
    errors = _text(
        "estimates",
        "cg.from_effects",
        "'estimated' if standard errors have degrees of freedom, else 'known'",
    )
    effects_are = _text(
        "estimates, decisions",
        "cg.from_effects",
        "'given' as numbers, or 'coefficients' of a regression: headed effect, not ACE",
    )
    errors_together = _text(
        "estimates, decisions",
        "cg.from_effects",
        "'covariance' if it was given, 'independent' if errors were taken as that",
    )
    task_correlation_df = _number(
        "estimates", "cg.estimate", "degrees of freedom of task_correlation"
    )
    moderated_rows = _whole(
        "estimates and decisions of moderated variances",
        "cg.estimate, cg.analyze, cg.decide, cg.mpra.fit",
        "rows over which their variances were moderated",
    )
    prior_df = _number(
        "estimates and decisions of moderated variances",
        "cg.estimate, cg.analyze, cg.decide",
        "degrees of freedom of the prior of these variances; inf where they differ by "
        "no more than sampling error",
    )
    n_units = _whole(
        "estimates without the variable 'n_units', plans",
        "cg.estimation, cg.planning",
        "number of units",
    )
    n_clusters = _whole(
        "moderation, tipping points",
        "cg.moderation",
        "number of clusters",
    )
    period = _number("periodicity", "cg.estimation.helical_phase", "period, in bp")
    trend = _text_or_number(
        "periodicity", "cg.estimation.helical_phase", "trend removed from the curve"
    )

    # many questions at once
    family = _text(
        "estimates", "cg.simultaneous", "rows of which the intervals hold together"
    )
    band = _text(
        "estimates, decisions",
        "cg.simultaneous",
        "method of the simultaneous intervals",
    )
    seed = _text("estimates", "cg.simultaneous", "seed of the band")
    n_draws = _whole(
        "estimates, necessity",
        "cg.simultaneous",
        "number of random draws",
    )
    n_placebos = _whole(
        "estimates, regions",
        "cg.multiplicity.placebo_rank",
        "number of placebos, in the smallest class of them",
    )

    # posterior
    law = _text("posteriors, decisions", "cg.infer", "law of the effects")
    prior = _json("posteriors, decisions", "cg.infer", "the prior, a cg.Prior")
    prior_unit = _text(
        "posteriors", "cg.infer", "unit in which the prior's scales are given"
    )
    sigma = _text(
        "posteriors",
        "cg.infer",
        "form of the covariance of the errors: diagonal, low rank + diagonal, or whole",
    )
    predictors = _text(
        "posteriors",
        "cg.infer",
        "how several predictors enter the model; empty if there is one",
    )
    across = _text(
        "posteriors, decisions",
        "cg.infer(across=)",
        "dim along which effects are shared: 'task'",
    )
    sharing = _text(
        "posteriors",
        "cg.infer(across=)",
        "'used', or 'given up' where each task by itself is as good",
    )
    sharing_risk = _number(
        "posteriors",
        "cg.infer(across=)",
        "mean squared error by sharing over that of each task by itself",
    )
    sharing_gain = _number(
        "posteriors",
        "cg.infer(across=)",
        "reduction of the mean squared error by sharing, in error variances",
    )
    sharing_gain_se = _number(
        "posteriors", "cg.infer(across=)", "standard error of sharing_gain"
    )
    sharing_near = _whole(
        "posteriors", "cg.infer(across=)", "1 if the gain from sharing is small, else 0"
    )
    lfsr_of = _text(
        "posteriors",
        "cg.infer(across=)",
        "model that gives the lfsr: 'sharing', each task by itself, or the larger one",
    )
    clear = _number(
        "sharing between tasks",
        "cg.infer(across=)",
        "lfsr up to which an effect counts as clear",
    )

    # decisions
    error = _text(
        "decisions",
        "cg.decide",
        "error rate: 'fdr', 'fwer', 'each' or 'sequence'",
    )
    family_rows = _whole(
        "decisions",
        "cg.decide",
        "number of rows over which the error rate of verdicts holds",
    )
    family_by = _text(
        "decisions",
        "cg.decide",
        "what divides them into families: 'task' or a coordinate; empty if nothing",
    )
    family_without = _text(
        "decisions",
        "cg.decide",
        "rows that are in no such family: 'placebos', 'helpers'; empty if none",
    )
    rope = _text(
        "decisions, plans",
        "cg.decide, cg.planning",
        "region of practical equivalence, in words",
    )
    rope_kind = _text(
        "decisions, plans",
        "cg.decide, cg.planning",
        "kind of this region: 'stated', 'direction', 'sd' (of the control), 'largest' "
        "(effect), 'placebo', 'placebo outliers' or 'matched'",
    )
    rope_sd = _number(
        "decisions, plans",
        "cg.decide, cg.planning",
        "half the width of the region, in sd of the control",
    )
    rope_placebos = _whole(
        "decisions, plans",
        "cg.decide, cg.planning",
        "number of placebos that make the region; of several widths the smallest",
    )
    no_verdict = _json(
        "decisions",
        "cg.analyze",
        "tasks without a verdict, since the region has no width there",
    )
    largest = _text_or_number(
        "decisions", "cg.decide", "largest effect that any single background may have"
    )
    caution = _text(
        "decisions", "cg.decide", "a limit of the verdicts that a reader has to know"
    )
    evidence = _text(
        "tables of effects",
        "causalgia.tell",
        "'posterior' where ace is a posterior mean",
    )
    exact = _text(
        "decisions, splits of the variance",
        "cg.experiments",
        "contrasts whose effects are alike in all units",
    )
    covariate = _text(
        "tipping points",
        "cg.tipping_point",
        "covariate whose mean the weights shift",
    )
    covariate_at_0 = _number(
        "tipping points", "cg.tipping_point", "mean of the covariate without a shift"
    )
    covariate_sd = _number("tipping points", "cg.tipping_point", "sd of the covariate")
    least_ess = _whole(
        "tipping points",
        "cg.tipping_point",
        "effective clusters required at the largest shift",
    )

    # plans
    question = _text(
        "decisions, plans of the bench",
        "cg.experiments, cg.mpra.power",
        "the question, in words",
    )
    answer = _json(
        "decisions",
        "the command line",
        "the sentences of the answer, each with its task and model",
    )
    details = _json(
        "decisions", "the command line", "further sentences, as those of the answer"
    )
    goal = _text(
        "plans",
        "cg.planning",
        "what is planned: 'half width' of an interval, a 'verdict', a test of no "
        "'effect', or the 'smallest effect' of this test",
    )
    n_contrasts = _whole("plans", "cg.planning", "number of contrasts in one family")
    least_clusters = _whole(
        "plans", "cg.planning", "clusters that a plan has at least, drawn backgrounds"
    )
    power = _number("plans", "cg.planning", "probability that a verdict is reached")
    n_elements = _whole(
        "plans of the bench", "cg.mpra.components", "number of elements"
    )
    n_backgrounds = _whole(
        "plans of the bench", "cg.mpra.power", "number of backgrounds"
    )
    n_barcodes = _number(
        "plans of the bench",
        "cg.mpra.power",
        "number of barcodes per oligo, or its mean",
    )
    n_replicates = _whole(
        "fits, plans of the bench",
        "cg.mpra.fit, cg.mpra.power",
        "number of replicates",
    )
    depth = _number(
        "plans of the bench",
        "cg.mpra.power",
        "reads per barcode, in each replicate",
    )
    true_effect = _number(
        "plans, also of the bench",
        "cg.planning, cg.mpra.power",
        "effect to be detected, on log2 at the bench; without it a plan is averaged "
        "over the uncertainty of the pilot",
    )
    q = _number("plans of the bench", "cg.mpra.power", "false discovery rate")
    share_true = _number(
        "plans of the bench", "cg.mpra.power", "share of elements with this effect"
    )
    shared_error = _number(
        "plans of the bench",
        "cg.mpra.power",
        "shared error (sd on log2) under which power_shared is at least",
    )
    source = _text(
        "plans of the bench",
        "cg.mpra.power",
        "of a variable that is assumed: 'noise', 'pilot' or 'virtual trial'",
    )
    plasmid = _whole(
        "noise of the bench",
        "cg.mpra.components",
        "1 if one DNA library serves all replicates, 0 if each has its own",
    )

    # libraries
    construct = _text("libraries", "cg.mpra.library", "name of the construct")
    left = _text("libraries", "cg.mpra.library", "adapter on the left")
    junction = _text("libraries", "cg.mpra.library", "bases between insert and barcode")
    right = _text("libraries", "cg.mpra.library", "adapter on the right")
    promoter_junction = _text(
        "libraries", "cg.mpra.library", "junction of the promoter alone"
    )
    oligo_length = _whole("libraries", "cg.mpra.library", "length of an oligo, in nt")
    rules = _json(
        "libraries", "cg.mpra.library", "names of the rules that every oligo satisfies"
    )
    barcodes_per_oligo = _whole(
        "libraries", "cg.mpra.library", "number of barcodes per oligo"
    )
    barcode_length = _whole(
        "libraries", "cg.mpra.library", "length of a barcode, in nt"
    )
    min_distance = _whole(
        "libraries",
        "cg.mpra.library",
        "smallest Levenshtein distance between two barcodes",
    )
    library_fingerprint = _text(
        "libraries, counts and fits", "cg.mpra.library", "fingerprint of the oligos"
    )

    # counts and fits
    table_format = _text(
        "counts", "cg.mpra.read_counts", "the format in which the table was read"
    )
    filters = _json("counts", "cg.mpra.filter", "filters applied, in order")
    simulated = _json("counts", "cg.mpra.simulate", "settings of the simulation")

    left_out = _text(
        "outcomes of counts, proposals, interactions",
        "cg.mpra.outcomes, cg.propose, cg.experiments",
        "what was left out, with the reasons",
    )
    above = _number(
        "activities", "cg.mpra.activity", "quantile of the negative controls"
    )
    threshold = _number(
        "activities", "cg.mpra.activity", "activity at this quantile, log2(RNA/DNA)"
    )
    threshold_se = _number(
        "activities",
        "cg.mpra.activity",
        "standard error of the threshold, of these controls",
    )
    threshold_sampling_se = _number(
        "activities",
        "cg.mpra.activity",
        "standard error of the quantile over other controls of the kind",
    )
    negative = _text("activities", "cg.mpra.activity", "group of the negative controls")
    n_negative = _whole("activities", "cg.mpra.activity", "number of negative controls")
    n_unseen = _whole(
        "activities", "cg.mpra.activity", "number of oligos without DNA, left out"
    )
    replicate_groups = _text(
        "fits",
        "cg.mpra.fit",
        "groups of replicates that agree within but not between them, in words",
    )
    n_left_out = _whole(
        "fits, context swaps",
        "cg.mpra.fit, cg.experiments.context_swap",
        "number of elements without both arms of a contrast, or of sequences not "
        "crossed",
    )
    paired = _text(
        "fits",
        "cg.mpra.conditions",
        "whether barcodes were paired: 'by barcode' or 'no'",
    )
    replicates_left_out = _text(
        "fits",
        "cg.mpra.fit",
        "replicates left out: so few reads that they measure no level of their library",
    )
    arms_left_out = _text(
        "fits",
        "cg.mpra.fit",
        "arms that were left out, since no element has them beside the control",
    )
    truncation_reads = _whole(
        "fits, activities, outcomes and components of counts",
        "cg.mpra.fit, cg.mpra.activity, cg.mpra.outcomes, cg.mpra.components",
        "the fewest RNA reads of a cell, where a table keeps no cell with fewer",
    )
    truncation_share = _number(
        "fits, activities, outcomes and components of counts",
        "cg.mpra.fit, cg.mpra.activity, cg.mpra.outcomes, cg.mpra.components",
        "share of the cells with just that many",
    )
    truncation_factor = _number(
        "fits, activities, outcomes and components of counts",
        "cg.mpra.fit, cg.mpra.activity, cg.mpra.outcomes, cg.mpra.components",
        "part of its size to which an effect shrinks in such a table",
    )
    truncation_corrected = _whole(
        "fits, activities, outcomes and components of counts",
        "cg.mpra.fit, cg.mpra.activity, cg.mpra.outcomes, cg.mpra.components",
        "1 if effects and their errors were divided by that factor, else 0",
    )
    excess_error = _number(
        "fits whose barcodes disagree",
        "cg.mpra.fit",
        "width of the median interval over that which so many barcodes of the usual "
        "spread about the median of their oligo give; there from 2 on",
    )
    sd_z = _number(
        "fits of one barcode or sum an oligo",
        "cg.mpra.fit",
        "robust sd of ace / se over effects, (75 % - 25 % quantile) / 1.349: 1 if errors "
        "are all there is",
    )
    n_several = _whole(
        "additive fits", "cg.mpra.fit", "number of barcodes that carry several variants"
    )
    n_fitted_barcodes = _whole(
        "additive fits", "cg.mpra.fit", "number of barcodes in the fit"
    )
    n_undetermined = _whole(
        "additive fits",
        "cg.mpra.fit",
        "number of contrasts whose variants are in no barcode, or in those of others",
    )
    sd_shared = _number(
        "fits",
        "cg.mpra.fit",
        "sd of the shifts of a replicate that the arms of an element share, log2",
    )
    layers = _text(
        "fits", "cg.mpra.fit", "layers of noise in the model: barcode, replicate"
    )
    sd_barcode = _number(
        "fits",
        "cg.mpra.fit",
        "sd between barcodes of an oligo, log2 (hierarchical: of the median element)",
    )
    spread_barcode = _number(
        "fits", "cg.mpra.fit", "sd over elements of the natural log of sd_barcode"
    )
    sd_replicate = _number(
        "fits",
        "cg.mpra.fit",
        "sd of an oligo between replicates, log2 (hierarchical: of the median element)",
    )
    spread_replicate = _number(
        "fits", "cg.mpra.fit", "sd over elements of the natural log of sd_replicate"
    )
    correlation = _number(
        "fits",
        "cg.mpra.fit",
        "correlation over elements of the logs of sd_barcode and sd_replicate",
    )
    sd_residual = _number(
        "fits",
        "cg.mpra.fit(method='two_way')",
        "sd of a barcode in one replicate beyond both layers, counting noise "
        "included, log2",
    )
    sd_cell = _number(
        "fits",
        "cg.mpra.fit(method='hierarchical')",
        "sd of a barcode in one replicate beyond both layers and counting noise, log2",
    )
    reads_each = _number(
        "fits",
        "cg.mpra.fit",
        "reads per RNA molecule: variance of a count over its mean",
    )
    silent_cell = _number(
        "fits", "cg.mpra.fit", "probability that a barcode is silent in one replicate"
    )
    silent_barcode = _number(
        "fits", "cg.mpra.fit", "probability that a barcode is silent in all replicates"
    )
    share_paired = _number(
        "fits",
        "cg.mpra.fit",
        "slope of a barcode's RNA on its DNA in the same replicate: 1 if both come "
        "from the same cells, 0 if all replicates measure one abundance",
    )

    # virtual beside measured
    virtual_scale = _text(
        "concordance", "cg.mpra.concordance", "scale of the virtual effects"
    )
    measured_scale = _text(
        "concordance", "cg.mpra.concordance", "scale of the measured effects"
    )
    of_two_fits = _whole(
        "concordance",
        "cg.mpra.concordance",
        "1 if both sides are fits of measured counts",
    )
    lost = _json("concordance", "cg.mpra.concordance", "effects that only one side has")
    flanks = _json(
        "virtual outcomes",
        "cg.mpra.virtual_trial",
        "bases to the left and right of each insert",
    )
    conditions = _json(
        "estimates",
        "cg.mpra.prediction_powered",
        "conditions of the method, and whether they hold",
    )
    controls_left_out = _whole(
        "estimates",
        "cg.mpra.prediction_powered",
        "number of controls that were left out",
    )
    fallback = _json(
        "estimates",
        "cg.mpra.prediction_powered",
        "contrasts that have the classical interval instead, and why",
    )

    # maps
    sequences = _text("maps", "cg.attribute", "digest of the sequences")
    baselines = _text("maps", "cg.attribute", "null model of the baselines, in words")
    baselines_fingerprint = _text(
        "maps", "cg.attribute", "fingerprint of the null model of the baselines"
    )
    n_baselines = _whole("maps", "cg.attribute", "number of baselines per sequence")
    n_exchanges = _whole(
        "maps",
        "cg.attribution.dfim",
        "number of sequences with exchanged bases that were mapped",
    )
    consensus = _text(
        "interactions of maps",
        "cg.attribution.interactions",
        "most frequent base at each position",
    )
    consensus_start = _whole(
        "interactions of maps",
        "cg.attribution.interactions",
        "position of the first base of consensus",
    )
    layer = _text("filters, attention", "cg.attribution", "layer of the network")
    side = _text(
        "filters",
        "cg.attribution.filters",
        "'output' of the layer, or its 'input'",
    )
    database = _text(
        "matches", "cg.attribution.match", "the motifs that were compared with"
    )
    maps = _text("proposals", "cg.propose", "method that made the maps")
    both_strands = _whole(
        "proposals",
        "cg.propose",
        "1 if a motif and its reverse complement count as one",
    )
    width = _whole("proposals", "cg.propose", "width of the windows, in bp")
    null_share = _number(
        "proposals",
        "cg.propose",
        "share of the windows of null maps that would be proposed",
    )

    # checks, refutation
    alpha = _number("searches, concordance", "cg.experiments", "error rate")
    claims = _json("refutations", "cg.refute", "the effects claimed, a list of texts")
    not_applicable = _text(
        "refutations", "cg.refute", "checks that do not apply, and why, one a line"
    )
    n_predictions = _whole("refutations", "cg.refute", "number of predictions made")
    budget = _whole(
        "refutations", "cg.refute", "largest number of predictions for one check"
    )

    # experiments
    matched = _text(
        "estimates of variants",
        "cg.experiments.variants",
        "how null variants were matched, in words",
    )
    n_predictors = _whole(
        "agreement of predictors",
        "cg.experiments.across_predictors",
        "number of predictors",
    )
    n_exact = _whole(
        "agreement of predictors",
        "cg.experiments.across_predictors",
        "number of effects that are alike in all units",
    )
    element = _text(
        "context swaps",
        "cg.experiments.context_swap",
        "the span of each sequence that was put into the others, start-stop",
    )
    n_sequences = _whole(
        "context swaps, searches of tiles",
        "cg.experiments.context_swap, cg.experiments.tile_search",
        "number of sequences that were crossed, or searched",
    )
    not_tried = _text(
        "moderation",
        "cg.moderation",
        "motifs asked for that too few units have near the site, one a line",
    )
    max_gap = _whole(
        "moderation", "cg.moderation", "bases within which motifs were sought"
    )
    n_parents = _whole(
        "searches of tiles",
        "cg.experiments.tile_search",
        "number of parents of these sequences",
    )
    p_adjusted_by = _text(
        "searches of tiles", "cg.experiments.tile_search", "how p is adjusted"
    )
    shown = _text(
        "tables of a figure", "cg.experiments", "which rows the figure shows, in words"
    )

    # of single variables
    meaning = _text("variables of the schema", "all verbs", "meaning of the variable")
    units = _text(
        "coordinates from elsewhere",
        "users",
        "unit of the coordinate, for the axes of figures",
    )
    relative_error = _number(
        "'ice_quantile'",
        "cg.run(keep='moments')",
        "bound on the relative error of the quantiles",
    )
    measured = _whole(
        "'source_answer'",
        "cg.run(keep='effects')",
        "number of the arm whose answer it is",
    )


class _Required(About[Any]):
    """Attributes of one Dataset; an absent one is an error."""

    __slots__ = ()


class _Optional(About[None]):
    """Attributes of one Dataset; an absent one is None."""

    __slots__ = ()


_MISSING: Any = object()
ATTRIBUTES: dict[str, Attribute[Any]] = {
    name: row for name, row in vars(About).items() if isinstance(row, Attribute)
}
"""Name -> row, of all attributes."""
OF_NULL = (
    *("null", "null_kind", "null_length", "null_sequences", "null_rows"),
    *("null_parents", "null_draws", "null_fingerprint"),
)
"""Attributes on the null model."""


@overload
def about(dataset: object) -> _Required: ...
@overload
def about(dataset: object, absent: None) -> _Optional: ...
@overload
def about(dataset: object, absent: Other) -> About[Other]: ...
def about(dataset: object, absent: Any = _MISSING) -> About[Any]:
    """Return the attributes of a Dataset, read by name.

    Parameters
    ----------
    dataset
        A Dataset, an array, or a table of attributes.
    absent
        Value of an attribute that is absent; by default that is an error.

    Raises
    ------
    DataError
        On reading one that is absent, or of another type than in the schema.

    Examples
    --------
    >>> import xarray as xr
    >>> estimates = xr.Dataset(attrs={"ci_prob": 0.9, "control": 3})
    >>> about(estimates).ci_prob, about(estimates, "outcome").scale
    (0.9, 'outcome')
    >>> about(estimates).control
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: attrs['control'] is 3, and text is needed (the arm subtracted; ...); set it, ...
    >>> about(estimates).target
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: there is no attrs['target'] (what the ACE is an average over: ...); ...
    """
    attrs = getattr(dataset, "attrs", dataset)
    if absent is _MISSING:
        return _Required(attrs, absent)
    return _Optional(attrs, None) if absent is None else About(attrs, absent)


def _raise_missing(row: Attribute[Any]) -> NoReturn:
    raise DataError(
        f"there is no attrs[{quoted(row.name)}] ({row.meaning}); a Dataset from "
        f"{row.made_by} has it, or set it: .assign_attrs({row.name}=...)"
    )


class _Presence:
    __slots__ = ("_attrs",)

    def __init__(self, attrs: Any) -> None:
        self._attrs = attrs

    def __getattr__(self, name: str) -> bool:
        check_attribute(name)
        return name in self._attrs


def has(dataset: object) -> _Presence:
    """Return which attributes a Dataset has, by name.

    Examples
    --------
    >>> has({"scale": "log"}).scale, has({"scale": "log"}).control
    (True, False)
    """
    return _Presence(getattr(dataset, "attrs", dataset))


def of_sequences(dataset: object) -> bool:
    """Return whether results are known to be of sequences: predicted for draws of a null
    model, or measured on oligos. Units of a table of one's own may be anything.

    Examples
    --------
    >>> of_sequences({"null_kind": "uniform"}), of_sequences({"scale": "mmHg"})
    (True, False)
    """
    here = has(dataset)
    return any((here.predictor_fingerprint, here.null, here.null_kind, here.effect_on))


def attributes(**values: Any) -> dict[str, Any]:
    """Return a table of attributes, for ``attrs=`` or ``assign_attrs``.

    Raises
    ------
    AttributeError
        If one has no row in the schema.

    Examples
    --------
    >>> attributes(scale="log counts", ci_prob=0.95)
    {'scale': 'log counts', 'ci_prob': 0.95}
    >>> attributes(scales="log counts")
    Traceback (most recent call last):
    ...
    AttributeError: the schema has no attribute 'scales'; did you mean 'scale'? Add a row in causalgia/attributes.py
    """
    for name in values:
        check_attribute(name)
    return values


def check_attribute(name: str) -> None:
    """Raise AttributeError for a name without a row in the schema."""
    if name not in ATTRIBUTES:
        raise AttributeError(
            f"the schema has no attribute {quoted(name)}{nearest(name, ATTRIBUTES)} "
            "Add a row in causalgia/attributes.py"
        )

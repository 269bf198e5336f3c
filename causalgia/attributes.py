"""Attributes of all Datasets: a row each, with Datasets, type and meaning; and how they
are read and written.

``about(dataset).scale`` reads an attribute and checks its type,
``about(dataset, None).scale`` is None where it is absent, ``has(dataset).scale`` asks
for its presence, and ``attributes(scale=...)`` makes a table of them for ``attrs=``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar, overload

from causalgia.checks import is_real, is_whole, nearest
from causalgia.errors import OutcomesError, quoted

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
"""Type of an attribute -> whether a value is of it."""
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
        What has it.
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
_texts = partial(_row, "list of texts")

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
            raise OutcomesError(
                f"attrs[{quoted(row.name)}] is {quoted(value)}, and {row.need} is "
                f"needed ({row.meaning}); set it, .assign_attrs({row.name}=...), or "
                f"take the Dataset from {row.made_by}"
            )
        return value  # type: ignore[no-any-return]

    # the trial
    name = _text(_TRIAL, "a trial file", "name of the trial or library")
    experiment = _text_or_number(
        "outcomes from elsewhere", "users", "title of the page of a result"
    )
    assignment = _text(
        _DRAWN,
        "cg.run, cg.from_frame, cg.mpra.library",
        "'crossover' (every unit receives every arm), 'parallel' (one arm each) or "
        "'incomplete' (some arms)",
    )
    scale = _text(
        _DRAWN,
        "cg.run, cg.from_frame, cg.attribute, cg.mpra.fit",
        "scale of the outcomes",
    )
    null = _text(
        _DRAWN,
        "null.sample, cg.run, cg.mpra.library",
        "population of the units: the null model in words",
    )
    null_kind = _text(_DRAWN, "null.sample, cg.run", "kind of the null model")
    null_fingerprint = _text(
        _DRAWN, "null.sample, cg.run", "fingerprint of the null model"
    )
    design = _json(
        _TRIAL,
        "cg.run, cg.mpra.library",
        "the design; a long one is the variable 'design'",
    )
    design_fingerprint = _text(
        _DRAWN, "cg.run, cg.mpra.library", "fingerprint of the design"
    )
    edits = _json(
        "outcomes", "cg.run", "edits of each arm, from which notes on controls are made"
    )
    reserved = _text(
        "outcomes, libraries and all results",
        "cg.run, cg.mpra.library",
        "part of the source sequences that the trial never uses",
    )
    predictor = _text(
        "outcomes, maps and all results",
        "a trial file, cg.attribute",
        "the predictor in words; its fingerprint for maps",
    )
    predictor_fingerprint = _text(_TRIAL, "cg.run", "fingerprint of the predictor")
    model_is = _text(
        "outcomes",
        "cg.run, cg.mpra.activity",
        "how members of the dim 'model' differ: 'seeds', 'folds', 'replicates', ...",
    )
    bin = _whole("outcomes of a track", "cg.run", "width of a bin, in bp")
    effect_on = _text(
        _RESULTS,
        "cg.mpra.fit, cg.mpra.activity, cg.attribution.interactions",
        "what is affected, in words: 'measured activity'",
    )
    rng = _text(
        _DRAWN, "cg.run, cg.mpra.library", "seed, or type of the source of randomness"
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
        "cg.from_frame, cg.attribution.read_attributions, cg.mpra.read_counts",
        "where the values come from: a function, files, or positions exchanged",
    )
    source_sequences = _text(
        _TRIAL, "cg.run", "source sequences that are predicted beside the trial"
    )
    source_predictions = _whole(_TRIAL, "cg.run", "number of their predictions")
    source_failure = _text(
        _TRIAL, "cg.run", "why the source sequences could not be predicted"
    )
    notes = _text(
        "all",
        "every verb",
        "what a reader of the result needs to know, one sentence a line",
    )
    skipped = _text(
        "maps",
        "cg.attribute",
        "sequences that were left out, with the reasons",
    )

    # what was planned and what became of it
    analysis = _json(
        _TRIAL, "cg.run(analysis=), cg.analyze", "the analysis plan, a cg.Analysis"
    )
    analysis_fingerprint = _text(
        "estimates, decisions", "cg.analyze", "fingerprint of the analysis carried out"
    )
    exploratory = _text(
        _RESULTS,
        "all verbs of an analysis",
        "settings that differ from the analysis fixed before the outcomes were seen",
    )
    confirms = _text(
        _TRIAL, "cg.confirm", "the screen that is confirmed, and whose units are fresh"
    )
    until = _text(_TRIAL, "cg.run(until=)", "the stopping rule")
    stopped = _text(
        _TRIAL, "cg.run(until=)", "where the sequential trial ended, and why"
    )
    until_ci_prob = _number(
        "outcomes", "cg.run(until=cg.Decided(...))", "probability of interim intervals"
    )
    until_missed = _number(
        "outcomes",
        "cg.run(until=cg.Decided(...))",
        "share of backgrounds on which an effect could be missed at the first look",
    )
    missed = _number("interim estimates", "cg.Decided", "as until_missed")
    protocol = _text(_TRIAL, "Protocol.run", "hash of the lock")
    protocol_locked = _text(_TRIAL, "Protocol.run", "time of the lock")
    protocol_started = _text(_TRIAL, "Protocol.run", "time at which the trial began")
    protocol_deviations = _text(
        _TRIAL, "Protocol.run", "terms of the protocol that the trial departs from"
    )
    protocol_changed = _text(
        _TRIAL, "the command line", "'values': the outcomes changed after the trial"
    )
    protocol_values = _text(_TRIAL, "Protocol.run", "digest of the outcomes")
    protocol_kept = _text(
        _TRIAL, "Protocol.run(keep=)", "digest of the effects or moments"
    )

    # effects
    contrast_scale = _text(_RESULTS, "cg.contrast", "scale of the effects, in words")
    contrast_scales = _texts(
        "interactions on several scales",
        "cg.estimation.interaction_across_scales",
        "scales of the effects, in the order of the dim 'scale'",
    )
    transform = _text(
        _RESULTS, "cg.contrast", "the argument scale=: 'identity', 'log', 'ratio', ..."
    )
    control = _text(
        _RESULTS, "cg.contrast", "the arm subtracted; empty for other contrasts"
    )
    control_is = _text("true effects", "cg.zoo.true_ace", "why this arm is the control")
    control_sd_of = _text(
        _RESULTS,
        "cg.contrast",
        "arm whose sd is control_sd, if it is not the one subtracted",
    )
    estimand = _text(_RESULTS, "cg.contrast", "what is estimated, in words")
    ice_is = _text(
        _RESULTS, "cg.contrast", "what 'ice' is on a scale of means: influence values"
    )
    null_value = _number(
        _RESULTS, "cg.contrast", "value of no effect: 1 for ratios, else 0"
    )
    task_weights = _json(
        _RESULTS,
        "cg.contrast(tasks=)",
        "weights of the tasks of each contrast of tasks",
    )
    over = _text(_RESULTS, "cg.contrast, cg.simultaneous", "dim that is contrasted")
    positions = _whole(
        "curves folded for a verb", "causalgia.effect_table", "number of positions"
    )
    map_method = _text(
        "effects and estimates of maps", "cg.attribution", "method of the maps"
    )

    # estimates
    target = _text("estimates, decisions", "cg.estimate", "what the ACE averages over")
    ci_prob = _number(
        "estimates, decisions, plans and other intervals",
        "cg.estimate, cg.decide, cg.infer",
        "probability of every interval",
    )
    cluster = _text(
        "moments, estimates, decisions", "cg.estimate", "what is resampled: 'unit', ..."
    )
    weights = _text(
        "estimates, decisions", "cg.estimate", "'units' or 'clusters' weigh alike"
    )
    covariates = _text(
        "estimates, decisions", "cg.estimate, cg.infer", "covariates adjusted for"
    )
    n_levels = _whole(
        "estimates, decisions", "cg.estimate", "number of predictors or placebos drawn"
    )
    method = _text(
        "estimates, maps, fits and others",
        "cg.estimate, cg.attribute, cg.mpra.fit",
        "how the values were computed",
    )
    errors = _text(
        "estimates",
        "cg.from_effects",
        "'known' or 'estimated': whether standard errors have degrees of freedom",
    )
    task_correlation_df = _number(
        "estimates", "cg.estimate", "degrees of freedom of task_correlation"
    )
    divergence = _text("estimates", "cg.estimation.shape_change", "kind of distance")
    n_units = _whole(
        "estimates without the variable 'n_units', plans",
        "cg.estimation, cg.planning",
        "number of units",
    )
    n_clusters = _whole(
        "heterogeneity, tipping points",
        "cg.verdicts.heterogeneity",
        "number of clusters",
    )
    hypothesis = _text(
        "joint tests", "cg.estimation.joint_test", "the hypothesis that is tested"
    )
    interaction = _text(
        "interactions on several scales", "cg.estimation", "factors of the interaction"
    )
    period = _number("periodicity", "cg.estimation.helical_phase", "period, in bp")
    trend = _text_or_number(
        "periodicity", "cg.estimation.helical_phase", "trend taken out of the curve"
    )
    at_zero = _text(
        "variance components",
        "cg.estimation.variance_components",
        "components estimated as 0",
    )
    not_identified = _text(
        "variance components and plans",
        "cg.estimation.variance_components",
        "components that the design cannot separate",
    )
    buy_next = _text(
        "variance components",
        "cg.estimation.variance_components",
        "which component has the largest part of the squared standard error",
    )

    # many questions at once
    adjust = _text("estimates", "cg.adjust", "method of the adjusted p-values")
    adjust_alpha = _number(
        "estimates", "cg.adjust(method='hierarchical')", "bound on the error rate"
    )
    family = _text(
        "estimates", "cg.adjust, cg.simultaneous", "rows among which the rate holds"
    )
    band = _text("estimates, decisions", "cg.simultaneous", "method of the band")
    seed = _text("estimates", "cg.adjust, cg.simultaneous", "seed of the resampling")
    n_draws = _whole(
        "estimates, occlusion", "cg.adjust, cg.simultaneous", "number of draws"
    )
    n_flips = _whole("estimates", "cg.adjust(method='sign_flip')", "number of flips")
    skewness = _number(
        "estimates", "cg.adjust(method='sign_flip')", "largest skewness of the units"
    )
    selected = _text(
        "estimates", "cg.multiplicity.selected_intervals", "how rows were selected"
    )
    n_placebos = _whole(
        "estimates, regions",
        "cg.multiplicity.placebo_rank",
        "placebos of the smallest class",
    )

    # posterior
    law = _text("posteriors, decisions", "cg.infer", "law of the effects")
    law_family = _text("posteriors, decisions", "cg.infer", "coordinate of the groups")
    engine = _text("posteriors, decisions", "cg.infer", "'exact' or 'nuts'")
    sampler = _text("posteriors", "cg.infer", "sampler of the draws; empty: none")
    prior = _json("posteriors, decisions", "cg.infer", "the prior")
    prior_unit = _text("posteriors", "cg.infer", "unit of the prior's scales")
    atom = _text("posteriors", "cg.infer", "how weights of the slab are found")
    sigma = _text(
        "posteriors", "cg.infer", "errors of the effects: diagonal or correlated"
    )
    predictors = _text(
        "posteriors", "cg.infer", "how predictors enter; empty: there is one"
    )
    along = _text("posteriors", "cg.posterior.profile", "coordinate of the profile")
    across = _text(
        "posteriors, decisions", "cg.infer(across=)", "dim whose rows share strength"
    )
    sharing = _text("posteriors", "cg.infer(across=)", "'used' or 'given up'")
    sharing_risk = _number(
        "posteriors", "cg.infer(across=)", "risk of sharing over that of each task"
    )
    sharing_gain = _number(
        "posteriors", "cg.infer(across=)", "gain in log predictive density"
    )
    sharing_gain_se = _number("posteriors", "cg.infer(across=)", "its standard error")
    sharing_near = _whole(
        "posteriors", "cg.infer(across=)", "1: the gain is small, 0: it is not"
    )
    lfsr_of = _text("posteriors", "cg.infer(across=)", "from which model lfsr is taken")
    clear = _number(
        "sharing between tasks",
        "cg.infer(across=)",
        "lfsr up to which an effect counts",
    )
    divergences = _whole("diagnostics", "cg.infer", "divergent transitions of NUTS")
    rhat_max = _number("diagnostics", "cg.infer", "largest R-hat")
    ess_bulk_min = _number("diagnostics", "cg.infer", "smallest bulk ESS")
    ess_tail_min = _number("diagnostics", "cg.infer", "smallest tail ESS")
    converged = _text("posteriors, decisions", "cg.infer", "'yes' or 'no'")
    unconverged = _text(
        "posteriors, decisions", "cg.infer", "statistics that fail, in words"
    )
    effect_se_dependence = _text(
        "moments of posteriors",
        "cg.infer",
        "whether effects grow with their standard errors",
    )
    effect_se_gain = _number(
        "moments of posteriors", "cg.infer", "evidence for that, in nats"
    )

    # decisions
    error = _text(
        "decisions",
        "cg.decide",
        "error rate: 'fdr', 'fwer', 'each', 'posterior' or 'sequence'",
    )
    families = _text("decisions", "cg.decide", "rows among which the rate holds")
    rope = _text("decisions", "cg.decide", "region of practical equivalence, in words")
    rare = _text_or_number(
        "decisions",
        "cg.decide",
        "share of the backgrounds on which an effect must not be missed, or 'none'",
    )
    largest = _number("decisions", "cg.decide", "bound on the effect on any background")
    caution = _text("decisions", "cg.decide", "what limits the verdicts")
    evidence = _text(
        "tables of effects", "causalgia.paper", "'posterior' where ACE is a posterior's"
    )
    exact = _text(
        "decisions, splits of the variance",
        "cg.experiments",
        "contrasts without spread",
    )
    covariate = _text("tipping points", "cg.tipping_point", "covariate that is tilted")
    covariate_at_0 = _number("tipping points", "cg.tipping_point", "its mean")
    covariate_sd = _number("tipping points", "cg.tipping_point", "its sd")
    least_ess = _whole(
        "tipping points", "cg.tipping_point", "effective clusters that are left"
    )

    # plans
    question = _text(
        "decisions, plans", "cg.planning, cg.experiments", "the question, in words"
    )
    answer = _text("decisions", "the command line", "the answer, one sentence a line")
    n_contrasts = _whole("plans", "cg.planning", "contrasts of one family")
    power = _number("plans", "cg.planning", "probability of a verdict")
    n_elements = _whole(
        "plans of the bench", "cg.mpra.components", "number of elements"
    )
    n_backgrounds = _whole("plans of the bench", "cg.mpra.power", "backgrounds")
    n_barcodes = _whole("plans of the bench", "cg.mpra.power", "barcodes of an oligo")
    n_replicates = _whole(
        "libraries, fits, plans of the bench",
        "cg.mpra.library, cg.mpra.fit, cg.mpra.power",
        "number of replicates",
    )
    depth = _number("plans of the bench", "cg.mpra.power", "reads of a barcode")
    true_effect = _number(
        "plans of the bench", "cg.mpra.power", "effect that is to be found, on log2"
    )
    q = _number("plans of the bench", "cg.mpra.power", "false discovery rate")
    share_true = _number(
        "plans of the bench", "cg.mpra.power", "share of elements with this effect"
    )
    assumed = _text("plans of the bench", "cg.mpra.power", "noise that was assumed")
    plasmid = _whole(
        "noise of the bench",
        "cg.mpra.components",
        "1: one DNA library serves all replicates, 0: each has its own",
    )
    currency = _text("plans of the bench", "cg.mpra.cheapest", "currency of the price")
    prices = _text("plans of the bench", "cg.mpra.cheapest", "date of the prices")
    note = _text("plans of the bench", "cg.mpra.cheapest", "what the prices leave out")
    goal = _text("plans of the bench", "cg.mpra.cheapest", "what is to be reached")
    limit = _text("plans of the bench", "cg.mpra.cheapest", "what may be spent")
    edge = _text(
        "plans of the bench", "cg.mpra.cheapest", "numbers at the end of their grid"
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
    rules = _json("libraries", "cg.mpra.library", "names of the rules that all keep")
    max_oligos = _whole("libraries", "cg.mpra.library", "most oligos to be ordered")
    vendor = _text("libraries", "cg.mpra.library", "maker of the oligos")
    pool_size = _whole("libraries", "cg.mpra.library", "oligos of the pool ordered")
    barcodes_per_oligo = _whole("libraries", "cg.mpra.library", "barcodes of an oligo")
    barcode_length = _whole("libraries", "cg.mpra.library", "bases of a barcode")
    min_distance = _whole(
        "libraries", "cg.mpra.library", "least distance between two barcodes"
    )
    library_fingerprint = _text(
        "libraries, counts and fits", "cg.mpra.library", "fingerprint of the oligos"
    )

    # counts and fits
    table_format = _text("counts", "cg.mpra.read_counts", "what a table was read as")
    filters = _json("counts", "cg.mpra.filter", "filters applied, in order")
    split = _json("counts", "cg.mpra.split_duplicates", "how many oligos were split")
    simulated = _json("counts", "cg.mpra.simulate", "settings of the simulation")
    min_dna = _number("quality", "cg.mpra.quality", "least DNA count of a barcode")
    outlier = _number("quality", "cg.mpra.quality", "where a barcode is an outlier")
    advised_floor = _number("quality", "cg.mpra.quality", "DNA floor that is advised")
    verdicts = _json("quality", "cg.mpra.quality", "findings on the counts")
    activity = _text(
        "outcomes of counts", "cg.mpra.activity", "how barcodes were averaged"
    )
    left_out = _text(
        "outcomes of counts, proposals, interactions",
        "cg.mpra.activity, cg.propose, cg.experiments",
        "what was left out, with the reasons",
    )
    negative = _text("calls", "cg.mpra.calls", "group of the negative controls")
    n_negative = _whole("calls", "cg.mpra.calls", "number of negative controls")
    tail = _text("calls", "cg.mpra.calls", "law of the negative controls' tails")
    spread = _number("calls", "cg.mpra.calls", "their sd beyond their errors")
    replicate_df = _number("fits", "cg.mpra.fit", "degrees of freedom of replicates")
    replicate_groups = _text(
        "fits", "cg.mpra.fit", "groups of replicates that resemble each other"
    )
    n_left_out = _whole("fits", "cg.mpra.fit", "elements that lack an arm")
    n_not_fitted = _whole("fits", "cg.mpra.fit", "elements without an estimate")
    arms_left_out = _text("fits", "cg.mpra.fit", "arms that no contrast names")
    sd_shared = _number("fits", "cg.mpra.fit", "sd of shifts that arms share, log2")
    layers = _text("fits", "cg.mpra.fit", "layers of noise that are in the model")
    sd_barcode = _number("fits", "cg.mpra.fit", "sd between barcodes, log2")
    spread_barcode = _number("fits", "cg.mpra.fit", "sd of its log over elements")
    sd_replicate = _number("fits", "cg.mpra.fit", "sd between replicates, log2")
    spread_replicate = _number("fits", "cg.mpra.fit", "sd of its log over elements")
    correlation = _number("fits", "cg.mpra.fit", "correlation of both spreads")
    sd_residual = _number("fits", "cg.mpra.fit", "sd of single cells, log2")
    sd_cell = _number("fits", "cg.mpra.fit", "sd of single cells, log2")
    reads_each = _number("fits", "cg.mpra.fit", "reads of one transcript")
    silent_cell = _number("fits", "cg.mpra.fit", "share of silent cells")
    silent_barcode = _number("fits", "cg.mpra.fit", "share of silent barcodes")
    share_paired = _number("fits", "cg.mpra.fit", "share of barcodes with DNA and RNA")

    # virtual beside measured
    virtual_scale = _text(
        "concordance", "cg.mpra.concordance", "scale of the virtual effects"
    )
    measured_scale = _text(
        "concordance", "cg.mpra.concordance", "scale of the measured effects"
    )
    of_two_fits = _whole(
        "concordance", "cg.mpra.concordance", "1 where both sides were measured"
    )
    lost = _json("concordance", "cg.mpra.concordance", "effects without a partner")
    flanks = _json("virtual outcomes", "cg.mpra.virtual_trial", "bases around an oligo")
    conditions = _json(
        "estimates", "cg.mpra.prediction_powered", "conditions of the method"
    )
    controls_left_out = _text(
        "estimates", "cg.mpra.prediction_powered", "controls that were left out"
    )
    fallback = _json(
        "estimates",
        "cg.mpra.prediction_powered",
        "contrasts with the classical interval, and why",
    )

    # maps
    sequences = _text("maps", "cg.attribute", "digest of the sequences")
    baselines = _text("maps", "cg.attribute", "null model of the baselines, in words")
    baselines_fingerprint = _text("maps", "cg.attribute", "its fingerprint")
    n_baselines = _whole("maps", "cg.attribute", "baselines of each sequence")
    n_exchanges = _whole("maps", "cg.attribution.dfim", "maps of exchanged bases")
    consensus = _text(
        "interactions of maps", "cg.attribution.interactions", "commonest bases"
    )
    consensus_start = _whole(
        "interactions of maps",
        "cg.attribution.interactions",
        "their first position",
    )
    layer = _text("filters, attention", "cg.attribution", "layer of the network")
    side = _text("filters", "cg.attribution.filters", "side of the responses")
    database = _text("matches", "cg.attribution.match", "the motifs compared with")
    maps = _text("proposals", "cg.propose", "method of the maps")
    both_strands = _whole(
        "proposals", "cg.propose", "1: a motif and its reverse complement are one"
    )
    width = _whole("proposals", "cg.propose", "width of the windows, in bp")
    null_share = _number(
        "proposals", "cg.propose", "share of windows of null maps beyond the limits"
    )
    discovery_predictor = _text(
        "a discovery on disk", "cg.discover", "fingerprint of its predictor"
    )
    discovery_sequences = _text(
        "a discovery on disk", "cg.discover", "digest of its sequences"
    )
    discovery_rng = _text("a discovery on disk", "cg.discover", "its root key")
    discovery_n_units = _whole("a discovery on disk", "cg.discover", "its units")
    discovery_method = _text("a discovery on disk", "cg.discover", "its methods")
    n_proposing = _whole("logos", "causalgia discover", "sequences that propose")
    n_fresh = _whole("logos", "causalgia discover", "sequences that test")
    length = _whole("logos", "causalgia discover", "length of a sequence, in bp")
    foot = _text("logos", "causalgia discover", "lines below the tables")
    sentences = _text(
        "logos, agreement of null models",
        "causalgia discover, cg.experiments.null_models",
        "sentences of the answer",
    )

    # calibration, checks, refutation
    alpha = _number(
        "rates, searches, concordance", "cg.calibrate, cg.experiments", "error rate"
    )
    alpha_each = _number("rates", "cg.calibrate", "error rate of each row")
    not_measured = _text("rates", "cg.calibrate", "rates that cannot be measured")
    without_posterior = _whole("rates", "cg.calibrate", "trials without a posterior")
    claims = _text("refutations", "cg.refute", "effects that are claimed")
    not_applicable = _text(
        "refutations", "cg.refute", "checks that do not apply, and why, one a line"
    )
    n_predictions = _whole("refutations", "cg.refute", "predictions that were made")
    budget = _whole("refutations", "cg.refute", "most predictions of a check")

    # experiments
    matched = _text(
        "estimates of variants", "cg.experiments.variants", "the null variants"
    )
    n_predictors = _whole(
        "agreement of predictors", "cg.experiments.across_predictors", "predictors"
    )
    n_exact = _whole(
        "agreement of predictors",
        "cg.experiments.across_predictors",
        "effects without spread",
    )
    min_tau = _number(
        "agreement of null models", "cg.experiments.null_models", "least agreement"
    )
    searched = _text(
        "searches of tiles", "cg.experiments.greedy_tiles", "what was searched for"
    )
    chosen = _text("searches of tiles", "cg.experiments.greedy_tiles", "chosen tiles")
    estimated = _text(
        "searches of tiles", "cg.experiments.greedy_tiles", "on which units"
    )
    p_adjusted_by = _text(
        "searches of tiles", "cg.experiments.tile_search", "how p is adjusted"
    )
    sentence = _text(
        "searches of tiles", "cg.experiments.tile_search", "the answer, in a sentence"
    )
    shown = _text("tables of a figure", "cg.experiments", "which rows are shown")
    task_of = _text("tables of a figure", "cg.experiments", "number of the task")
    task_chosen = _text("tables of a figure", "cg.experiments", "why this task")

    # of single variables
    meaning = _text("variables of the schema", "all verbs", "meaning of the variable")
    units = _text("coordinates from elsewhere", "users", "unit, for axes of figures")
    relative_error = _number(
        "'ice_quantile'", "cg.run(keep='moments')", "most error of a quantile"
    )
    measured = _whole(
        "'source_answer'", "cg.run(keep='effects')", "which arm the answer is of"
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
    OutcomesError
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
    causalgia.errors.OutcomesError: attrs['control'] is 3, and text is needed (the arm subtracted; ...); set it, ...
    >>> about(estimates).target
    Traceback (most recent call last):
    ...
    causalgia.errors.OutcomesError: there is no attrs['target'] (what the ACE averages over); ...
    """
    attrs = getattr(dataset, "attrs", dataset)
    if absent is _MISSING:
        return _Required(attrs, absent)
    return _Optional(attrs, None) if absent is None else About(attrs, absent)


def _raise_missing(row: Attribute[Any]) -> NoReturn:
    raise OutcomesError(
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

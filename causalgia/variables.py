"""Variables of all Datasets: a row each, with Datasets, dims, type and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

Kind = Literal[
    "sequences",
    "outcomes",
    "effects",
    "moments",
    "estimates",
    "decisions",
    "tipping",
    "moderation",
    "library",
    "counts",
    "attributions",
    "sites",
    "proposals",
    "filters",
    "matches",
    "attention",
    "refutations",
]


@dataclass(frozen=True)
class Variable:
    """One row of the schema: Datasets, dims, type and meaning of a variable.

    Examples
    --------
    >>> import causalgia as cg
    >>> row = next(row for row in cg.schema.SCHEMA if row.name == "ace")
    >>> row.dims[0], row.dtype, row.meaning
    (('contrast', 'task'), 'f', "average causal effect, on attrs['contrast_scale']")
    """

    name: str
    datasets: tuple[Kind, ...]
    dims: tuple[tuple[str, ...], ...]
    """All valid dims, in order."""
    dtype: str
    """Valid numpy kinds: 'f' float, 'i' integers, 'u' unsigned, 'b' bool, 'U' text, '*'
    any.
    """
    meaning: str
    required: bool = False


def _with_models(*dims: str) -> tuple[tuple[str, ...], ...]:
    """Return these dims, and the same of several models."""
    return dims, (*dims, "model")


_EFFECT = _with_models("contrast", "task")


def _effect(
    name: str,
    meaning: str,
    *,
    datasets: tuple[Kind, ...],
    dims: tuple[tuple[str, ...], ...] = _EFFECT,
    dtype: str = "f",
    required: bool = False,
) -> Variable:
    return Variable(name, datasets, dims, dtype, meaning, required)


_moment = partial(_effect, datasets=("moments",))
_decision = partial(_effect, datasets=("decisions",))
_look = partial(
    _effect, datasets=("outcomes",), dims=_with_models("look", "contrast", "task")
)


def _estimate(
    name: str,
    meaning: str,
    *,
    dtype: str = "f",
    required: bool = False,
    decisions: bool = False,
) -> Variable:
    kinds: tuple[Kind, ...] = (
        ("estimates", "decisions") if decisions else ("estimates",)
    )
    return _effect(name, meaning, datasets=kinds, dtype=dtype, required=required)


def _required(
    name: str,
    dtype: str,
    meaning: str,
    *,
    kind: Kind,
    dims: tuple[tuple[str, ...], ...],
) -> Variable:
    return Variable(name, (kind,), dims, dtype, meaning, required=True)


_tilted = partial(_required, kind="tipping", dims=(("shift",),))
_tilted_effect = partial(
    _required, kind="tipping", dims=_with_models("shift", "contrast", "task")
)
_turn = partial(
    _required, kind="tipping", dims=_with_models("side", "contrast", "task")
)
_spread = partial(_effect, datasets=("moderation",))
_moderator = partial(
    _effect,
    datasets=("moderation",),
    dims=_with_models("moderator", "contrast", "task"),
)
_dna = partial(_required, kind="counts", dims=(("barcode", "replicate"), ("barcode",)))
_rna = partial(_required, kind="counts", dims=(("barcode", "replicate"),))
_oligo = partial(_required, kind="counts", dims=(("oligo",),))
_site = partial(_required, kind="sites", dims=_with_models("site", "task"))
_refutation = partial(_required, kind="refutations", dims=(("check",),))


def _library(
    name: str,
    dtype: str,
    meaning: str,
    *,
    dims: tuple[str, ...] = ("row",),
    required: bool = True,
) -> Variable:
    return Variable(name, ("library",), (dims,), dtype, meaning, required)


_library_summary = partial(_library, required=False)


def _map(
    name: str, meaning: str, *, by_base: bool = False, required: bool = True
) -> Variable:
    of_bases = (
        *_with_models("unit", "position", "base", "task"),
        *_with_models("unit", "position", "task"),
    )
    return Variable(
        name,
        ("attributions",),
        of_bases if by_base else _with_models("unit", "task"),
        "f",
        meaning,
        required,
    )


def _proposal(name: str, dtype: str, meaning: str, *dims: str) -> Variable:
    return Variable(
        name, ("proposals",), (("pattern", *dims),), dtype, meaning, required=True
    )


SCHEMA: tuple[Variable, ...] = (
    # sequences drawn by a null model
    Variable(
        "sequence",
        ("sequences",),
        (("unit", "position"),),
        "u",
        "tokens of each background: 0 1 2 3 = A C G T",
        required=True,
    ),
    Variable(
        "parent",
        ("sequences", "outcomes", "effects", "attributions", "proposals"),
        (("unit",),),
        "*",
        "the source sequence a unit was made from: its FASTA name, else its index; "
        "units that share one are dependent",
    ),
    Variable(
        "gc",
        ("sequences", "outcomes", "effects"),
        (("unit",),),
        "f",
        "share of G and C in the background",
    ),
    # outcomes of a trial
    Variable(
        "outcome",
        ("outcomes", "effects"),
        (
            ("unit", "arm", "task"),
            ("unit", "arm", "task", "model"),
            ("unit", "task"),
            ("unit", "task", "model"),
        ),
        "f",
        "potential outcome Y(arm), on attrs['scale']; without the arm dim where each "
        "unit received one arm; NaN in a cell that an incomplete table lacks",
    ),
    Variable(
        "sampling_covariance",
        ("outcomes",),
        (("unit", "arm", "arm_"),),
        "f",
        "covariance of a unit's measured outcomes (mean over replicates), for new "
        "barcodes and new replicates",
    ),
    Variable(
        "n_barcodes",
        ("outcomes",),
        (("unit", "arm"),),
        "i",
        "barcodes behind a measured outcome, at the least",
    ),
    Variable(
        "assigned",
        ("outcomes", "effects"),
        (("unit",),),
        "U",
        "the arm a unit received (parallel trials)",
    ),
    Variable(
        "block",
        ("outcomes", "effects"),
        (("unit",),),
        "*",
        "stratum inside which arms were randomized",
    ),
    Variable(
        "do",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",), ("contrast",)),
        "U",
        "the intervention of an arm, or of each arm of a contrast, in do-notation",
    ),
    Variable(
        "kind",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",),),
        "U",
        "the arm's intervention in a word, such as 'fixed_placebo'",
    ),
    Variable(
        "random",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",),),
        "b",
        "whether the intervention draws anything of its own",
    ),
    # interim looks of a sequential trial, and its design
    Variable(
        "look_n_units",
        ("outcomes",),
        (("look",),),
        "i",
        "units that a look at the trial so far saw",
    ),
    Variable(
        "look_n_clusters",
        ("outcomes",),
        (("look",),),
        "i",
        "independent clusters among them",
    ),
    Variable(
        "look_counts",
        ("outcomes",),
        (("look",),),
        "b",
        "whether a look had clusters enough for a verdict",
    ),
    _look("look_lower", "lower limit that a look saw, by the rule of attrs['until']"),
    _look("look_upper", "upper limit that a look saw, by the rule of attrs['until']"),
    Variable(
        "design",
        ("outcomes", "effects", "moments"),
        (("byte",),),
        "u",
        "the design as JSON, by zlib, where an attribute is too short",
    ),
    # contrasts
    Variable(
        "ice",
        ("effects",),
        _with_models("unit", "contrast", "task"),
        "f",
        "individual causal effect: the weighted sum of a unit's outcomes, on "
        "attrs['contrast_scale']",
    ),
    Variable(
        "constant",
        ("effects", "moments"),
        _EFFECT,
        "b",
        "whether the ICE of all units are one number within the rounding of each "
        "unit's own outcomes (crossover)",
    ),
    Variable(
        "zero",
        ("effects", "moments"),
        _EFFECT,
        "b",
        "whether that one number may be 0 (crossover)",
    ),
    Variable(
        "first_outcome",
        ("outcomes",),
        (*_with_models("arm", "task"), *_with_models("task")),
        "f",
        "outcomes of the unit attrs['first_unit'] as they were measured",
    ),
    Variable(
        "answer_floor",
        ("outcomes",),
        _with_models("transform", "task"),
        "f",
        "largest error of the predictor's own arithmetic in an answer, by scale of the "
        "contrast; 0 where impossible",
    ),
    Variable(
        "floor",
        ("effects", "moments", "estimates", "decisions"),
        _EFFECT,
        "f",
        "effect that the predictor's own arithmetic can make of nothing: sum of "
        "|weights| times the error of an answer",
    ),
    Variable(
        "rounding",
        ("effects",),
        (*_with_models("unit", "task"), ("unit", "arm", "task")),
        "f",
        "bound on the rounding error of one outcome, from its dtype; a spread within "
        "it is none (parallel trials, tables with gaps)",
    ),
    Variable(
        "denominator",
        ("effects",),
        _with_models("unit", "contrast", "task"),
        "f",
        "what the contrast divides by, relative to it: influence values of mean 1 (a "
        "ratio in a crossover)",
    ),
    Variable(
        "ratio",
        ("effects",),
        _EFFECT,
        "f",
        "ratio of the arms' means (a ratio in a parallel trial)",
    ),
    Variable(
        "weight",
        ("effects", "moments", "estimates", "decisions"),
        (("contrast", "arm"),),
        "f",
        "weight of each arm in the contrast; rows sum to 0",
    ),
    # source sequences of the null model, predicted beside the units
    Variable(
        "source_outcome",
        ("outcomes",),
        _with_models("source_sequence", "source_arm", "task"),
        "f",
        "outcome of a source sequence (or a real one that was given) itself, untreated "
        "or under an arm",
    ),
    Variable(
        "source_effect",
        ("effects", "moments"),
        _with_models("source_sequence", "source_contrast", "task"),
        "f",
        "the weighted sum of a source sequence's own outcomes, on "
        "attrs['contrast_scale']",
    ),
    Variable(
        "source_answer",
        ("effects",),
        _with_models("source_sequence", "task"),
        "f",
        "outcome of a source sequence under the untreated arm, else a control, to "
        "compare with backgrounds",
    ),
    Variable(
        "background_answer",
        ("effects",),
        _with_models("background_quantile", "task"),
        "f",
        "quantiles of the outcomes of up to 1,000 backgrounds under that arm",
    ),
    # moments of the ICE, where a trial stored nothing else
    _moment("ice_mean", "mean of the ICE over units", required=True),
    _moment(
        "ice_sd",
        "standard deviation of the ICE over units, 0 where constant",
        required=True,
    ),
    _moment("ice_skewness", "skewness of the ICE over units", required=True),
    _moment(
        "ice_leverage",
        "largest share of one unit in the sum of squares of ICE - mean",
        required=True,
    ),
    _moment("ice_least", "least ICE of any unit"),
    _moment("ice_most", "largest ICE of any unit"),
    Variable(
        "ice_quantile",
        ("moments",),
        _with_models("quantile", "contrast", "task"),
        "f",
        "quantiles of the ICE over units, each known to attrs['relative_error'] of its "
        "distance from about the mean",
    ),
    Variable(
        "ice_correlation",
        ("moments",),
        _with_models("contrast", "contrast_", "task"),
        "f",
        "correlation of the ICE over units (independent units, up to 512 contrasts); 0 "
        "where one is constant",
    ),
    Variable(
        "ice_sum",
        ("moments",),
        _with_models("cluster", "contrast", "task"),
        "f",
        "sum over the units of a parent (beyond 512 contrasts of independent units: of "
        "a random group) of ICE - mean",
    ),
    Variable(
        "cluster_size",
        ("moments",),
        (("cluster",),),
        "i",
        "units of each of these clusters",
    ),
    # estimates
    _estimate(
        "ace",
        "average causal effect, on attrs['contrast_scale']",
        required=True,
        decisions=True,
    ),
    _estimate("se", "standard error of the ACE for attrs['target']", decisions=True),
    _estimate("df", "degrees of freedom of the t interval", decisions=True),
    _estimate(
        "p",
        "two-sided p-value of no effect: ACE = attrs['null_value'], 1 for ratios, else "
        "0",
        decisions=True,
    ),
    _estimate(
        "p_t",
        "two-sided p of no effect by Student's t alone, from ace, se and df",
    ),
    _estimate(
        "log_p",
        "natural logarithm of p, also where p is below the least float; the lowest "
        "float where exact",
    ),
    _estimate("lower", "lower limit at attrs['ci_prob']", decisions=True),
    _estimate("upper", "upper limit at attrs['ci_prob']", decisions=True),
    _estimate(
        "skewness",
        "skewness of the independent contributions (ICE of units, sums by cluster, "
        "outcomes of both arms): that of the ACE's error times the square root of "
        "n_clusters",
        decisions=True,
    ),
    _estimate(
        "largest_ice",
        "largest |ICE| of any unit that has the contrast's own arms; 0 without any",
        decisions=True,
    ),
    *(
        Variable(
            name,
            ("effects", "estimates", "decisions"),
            tuple((*dims, *of_arms) for dims in _EFFECT),
            dtype,
            meaning,
        )
        for name, of_arms, dtype, meaning in (
            (
                "two_valued_weight",
                ("own",),
                "f",
                "weight of each own arm of a contrast times the distance of the two "
                "values that its outcomes take; 0 where they take others",
            ),
            (
                "two_valued_counts",
                ("own", "own_", "cell"),
                "i",
                "units that show the larger value under both of two own arms, under the "
                "first alone, the second alone and neither",
            ),
        )
    ),
    _estimate(
        "two_valued",
        "in a table of one row per effect: the outcomes take two values, and the limits "
        "follow from counts that are not in it",
        dtype="b",
        decisions=True,
    ),
    _estimate(
        "n_smallest_arm",
        "independent units of the contrast's smallest arm, where units do not have "
        "every arm",
        dtype="i",
        decisions=True,
    ),
    *(
        _estimate(name, meaning, decisions=True)
        for name, meaning in (
            ("se_pooled", "standard error by the pooled variance of independent arms"),
            ("df_pooled", "degrees of freedom of se_pooled"),
            (
                "se_welch",
                "standard error of independent arms, the variance of each moderated by "
                "itself",
            ),
            ("df_welch", "degrees of freedom of se_welch"),
            (
                "variance_share",
                "share of the row's own variance in its moderated one",
            ),
        )
    ),
    *(
        Variable(
            name,
            ("estimates",),
            _with_models("arm", "task"),
            dtype,
            meaning,
        )
        for name, dtype, meaning in (
            ("arm_sd", "f", "standard deviation of the outcomes of an independent arm"),
            ("arm_units", "i", "units of an independent arm"),
        )
    ),
    _estimate(
        "leverage",
        "largest share of one cluster in the variance of the ACE",
        decisions=True,
    ),
    _estimate(
        "below_floor",
        "zero within rounding: the effect is at most its floor, and p is 1",
        dtype="b",
        decisions=True,
    ),
    _estimate(
        "exact",
        "no spread among the units",
        dtype="b",
        decisions=True,
    ),
    Variable(
        "n_units",
        ("effects", "moments", "estimates", "decisions"),
        _EFFECT,
        "i",
        "units that the contrast uses; of effects along a track, those that have the "
        "base under every arm, where some lack it",
    ),
    _estimate(
        "n_clusters",
        "independent clusters that the standard error rests on",
        dtype="i",
        decisions=True,
    ),
    Variable(
        "covariance",
        ("estimates",),
        _with_models("contrast", "contrast_", "task"),
        "f",
        "covariance of the vector of ACEs (up to 512 contrasts)",
    ),
    Variable(
        "factor",
        ("estimates",),
        _with_models("cluster", "contrast", "task"),
        "f",
        "factor of that covariance, covariance = factor' factor (beyond 512 contrasts)",
    ),
    Variable(
        "task_correlation",
        ("estimates",),
        (("contrast", "task", "task_"), ("task", "task_")),
        "f",
        "correlation of the errors of a contrast's ACEs between tasks (on request), or "
        "of all contrasts (given)",
    ),
    Variable(
        "shared_covariance",
        ("estimates",),
        (("task", "task_"),),
        "f",
        "covariance between tasks of the error that contrasts share: mean over pairs "
        "of contrasts",
    ),
    Variable(
        "control_sd",
        ("effects", "moments", "estimates", "decisions"),
        _EFFECT,
        "f",
        "sd over units of the outcome in the control arm (else the untreated one, else "
        "those subtracted), a unit",
    ),
    _estimate(
        "n_differing",
        "clusters that differ from the others at this position of a curve",
        dtype="i",
    ),
    _estimate(
        "few_units",
        "few units carry the effect: n < 25 skewness^2, or 8 or fewer clusters differ",
        dtype="b",
    ),
    _estimate(
        "unseen",
        "what effects in 3 / n_clusters of the population, as large as the largest of "
        "the curve, could add",
    ),
    _estimate(
        "critical",
        "equicoordinate critical value of the simultaneous band, in standard errors",
    ),
    _effect(
        "measured",
        "whether the contrast was measured in the task, and of a ratio or logarithm of "
        "means whether these are above 0; a row that was not has nan, no verdict, and "
        "is in no family",
        datasets=("effects", "estimates", "decisions"),
        dtype="b",
    ),
    _estimate(
        "unbounded",
        "the interval has an open end; of a ratio a mean may be 0",
        dtype="b",
        decisions=True,
    ),
    Variable(
        "is_placebo",
        ("moments", "estimates", "decisions"),
        (("contrast",),),
        "*",
        "bool: whether the contrast is one fixed placebo, given by hand, or a negative "
        "control of `cg.mpra.fit`; else "
        "`weight` and `kind` tell",
    ),
    Variable(
        "of_question",
        ("effects", "moments", "estimates", "decisions"),
        (("contrast",),),
        "*",
        "bool: whether the contrast is one of the question, over which q is; any other "
        "is judged by itself. Without it all are",
    ),
    Variable(
        "placebo_class",
        ("moments", "estimates", "decisions"),
        (("contrast",),),
        "*",
        "class, such as a width, of the placebos that the contrast is compared "
        "with; without it they are one",
    ),
    # multiplicity
    _estimate(
        "p_placebo", "two-sided p-value by the effect's rank among the placebos'"
    ),
    _estimate(
        "p_placebo_above",
        "p-value by that rank, small where the effect lies above the placebos'",
    ),
    _estimate(
        "p_placebo_below",
        "p-value by that rank, small where the effect lies below the placebos'",
    ),
    _estimate(
        "rank_lower", "first rank that the band allows, 1 the largest", dtype="i"
    ),
    _estimate("rank_upper", "last rank that the band allows; 0 of placebos", dtype="i"),
    _estimate(
        "p_matched",
        "p-value by the rank of |effect| among the matched null variants",
        decisions=True,
    ),
    _estimate(
        "q_matched",
        "p_matched adjusted by Benjamini-Hochberg over the family of the analysis",
        decisions=True,
    ),
    _estimate(
        "peak",
        "position of the track at which a variant's effect is largest, in bp",
        dtype="i",
        decisions=True,
    ),
    _estimate(
        "n_matched", "matched null variants of the stratum", dtype="i", decisions=True
    ),
    _estimate(
        "lfdr_matched",
        "local false discovery rate by two groups on p_matched",
        decisions=True,
    ),
    _estimate(
        "tail_p",
        "p_matched, extrapolated by a law of the largest null effects: a model",
        decisions=True,
    ),
    _estimate(
        "tail_by",
        'origin of tail_p: "rank", "tail" (the model) or "no fit" (by rank)',
        dtype="U",
        decisions=True,
    ),
    _estimate("matched_lower", "minus matched_upper"),
    _estimate("matched_upper", "|effect| beyond which p_matched is at most 1 - level"),
    # decisions
    _decision(
        "verdict",
        "increases, decreases or undecided; inside of a stated region negligible, of "
        "the range of random sequences or of matched variants within",
        dtype="U",
        required=True,
    ),
    _decision(
        "p_verdict",
        "p of the kind of verdict (a direction, negligible) in which the interval "
        "lies, else the smaller",
    ),
    _decision(
        "q",
        "error rate of the set of verdicts of that kind that ends with this one, by "
        "attrs['error']",
    ),
    _decision(
        "shrunken",
        "hierarchical effect size: the posterior mean; NaN for contrasts that are not "
        "shrunken",
    ),
    _decision("shrunken_lower", "lower limit of its interval at attrs['ci_prob']"),
    _decision("shrunken_upper", "upper limit of its interval at attrs['ci_prob']"),
    _decision(
        "lfsr",
        "local false sign rate: P(delta = 0) + min(P(delta < 0), P(delta > 0)), delta "
        "from no effect",
    ),
    _decision(
        "lfsr_alone",
        "lfsr of the task by itself, where sharing across tasks is hardly better",
    ),
    _decision(
        "p_zero",
        "probability that the effect is exactly 0, under a law with an atom there",
    ),
    _decision(
        "rope_lower",
        "lower end of the region of practical equivalence, on attrs['contrast_scale']",
    ),
    _decision(
        "rope_upper",
        "upper end of the region of practical equivalence, on attrs['contrast_scale']",
    ),
    _decision(
        "reversal",
        "effect that the backgrounds missed by chance would need to undo the verdict; "
        "NaN where undecided",
    ),
    _decision(
        "more_units",
        "about how many more units would decide in a new trial; -1 where decided",
        dtype="i",
    ),
    # the ACE as a function of the null model; `shift` 0 is the null model that ran
    _tilted("shift", "f", "sd by which the mean of the covariate is moved by the tilt"),
    _tilted("covariate_mean", "f", "mean of the covariate under the tilted null model"),
    _tilted(
        "tilt",
        "f",
        "exponent of the weights exp(tilt x), for a covariate x in its own unit",
    ),
    _tilted(
        "odds",
        "f",
        "factor by which the weight of a unit grows with one sd of the covariate",
    ),
    _tilted(
        "ess", "f", "Kish's effective number of independent units under the weights"
    ),
    _tilted_effect(
        "tilted_ace", "f", "average causal effect under the tilted null model"
    ),
    _tilted_effect(
        "tilted_se", "f", "standard error of that ACE, for new draws of units"
    ),
    _tilted_effect("tilted_df", "f", "degrees of freedom of its interval"),
    _tilted_effect(
        "tilted_lower", "f", "lower limit at attrs['ci_prob'], by Hall's transformed t"
    ),
    _tilted_effect(
        "tilted_upper", "f", "upper limit at attrs['ci_prob'], by Hall's transformed t"
    ),
    _tilted_effect("tilted_verdict", "U", "verdict under the tilted null model"),
    _turn(
        "turns",
        "b",
        "whether the verdict turns on that side, within what the units can say",
    ),
    _turn(
        "tipping_shift",
        "f",
        "sd of the covariate at which the verdict turns; where it does not, the last "
        "one tried",
    ),
    _turn("tipping_covariate", "f", "mean of the covariate there"),
    _turn(
        "tipping_odds",
        "f",
        "factor by which the weight of a unit grows there with one sd of the covariate",
    ),
    _turn("turns_to", "U", "the verdict there; empty where it does not turn"),
    _turn(
        "leaves",
        "b",
        "whether the ACE itself comes to lie in another region (above, inside, below "
        "the ROPE)",
    ),
    _turn(
        "leaving_shift",
        "f",
        "sd of the covariate at which it does; where it does not, the last one tried",
    ),
    # for whom an effect is large
    _spread("sd", "sd of the individual effects", required=True),
    _spread("sd_se", "its standard error, by the jackknife of its logarithm"),
    _spread("sd_lower", "lower limit of the sd at attrs['ci_prob']", required=True),
    _spread("sd_upper", "upper limit", required=True),
    _spread(
        "quantiles",
        "quantiles of the individual effects",
        dims=_with_models("prob", "contrast", "task"),
        required=True,
    ),
    _spread("above", "share of units whose effect is above the region"),
    _spread("below", "share of units whose effect is below the region"),
    _spread("beyond", "share of either"),
    _spread("n_candidates", "moderators that were compared; 0: none was", dtype="i"),
    _moderator("kind", "'number', 'category' or 'motif'; empty: none", dtype="U"),
    _moderator("name", "coordinate, term of a formula, or motif", dtype="U"),
    _moderator("level", "level of a category", dtype="U"),
    _moderator(
        "reference",
        "level that it is compared with; empty: all others",
        dtype="U",
    ),
    _moderator(
        "strand", "of a motif: 'same' as the site, 'opposite' or 'either'", dtype="U"
    ),
    _moderator(
        "side",
        "of a motif: 'upstream' of the site, 'downstream' or 'either'",
        dtype="U",
    ),
    _moderator(
        "gap_from", "fewest bases between site and motif; -1: no motif", dtype="i"
    ),
    _moderator("gap_to", "most bases between", dtype="i"),
    _moderator("slope", "effect with it minus without it; of a number, for one unit"),
    _moderator("skewness", "skewness of the slope's independent contributions"),
    _moderator("se_pooled", "standard error of the slope by one variance of residuals"),
    _moderator("df_pooled", "degrees of freedom of se_pooled"),
    _moderator(
        "unbounded",
        "whether one unit, or cluster, alone has the category: its spread is unknown, "
        "and the interval is open",
        dtype="b",
    ),
    _moderator("inside", "effect with it, or one sd above the mean of a number"),
    _moderator("outside", "effect without it, or one sd below the mean"),
    _moderator("share", "share of the variance of effects that is lost without it"),
    _moderator("n_inside", "units with it, or above its mean", dtype="i"),
    _moderator("n_outside", "the other units", dtype="i"),
    _moderator("mean", "mean of the moderator"),
    _moderator("sd_of", "sd of the moderator"),
    _moderator(
        "named",
        "whether it explains 5 % or more with p <= .05, and 20 units lie on either side",
        dtype="b",
    ),
    # MPRA: library of oligos
    _library(
        "unit",
        "i",
        "unit of the design's null model that the oligo carries; -1 for a control of "
        "no unit",
    ),
    _library(
        "element",
        "U",
        "block that the oligo belongs to: one background under each of its arms; a "
        "unit's holds their fingerprint",
    ),
    _library("arm", "U", "arm of the design, or what kind of control"),
    _library("group", "U", "test, negative, positive, promoter or duplicate"),
    _library("name", "U", "name of the ordered oligo, unique"),
    _library(
        "oligo_name",
        "U",
        "name of the construct; oligos that differ in their barcode alone share it",
    ),
    _library("insert", "U", "what the design made: background with its arm applied"),
    _library(
        "oligo",
        "U",
        "the whole oligo as it is ordered, with adapters and barcode, 5' to 3'",
    ),
    _library(
        "barcode",
        "U",
        "barcode that is synthesized with the oligo, if any",
        required=False,
    ),
    _library(
        "pool",
        "i",
        "pool in which the oligo is ordered, counted from 1, where there are several",
        required=False,
    ),
    _library(
        "draw",
        "i",
        "which draw of its unit: 0 is the one of `causalgia.run`; -1 for no unit",
        required=False,
    ),
    _library(
        "parent", "U", "source sequence of the oligo's background", required=False
    ),
    _library(
        "source_name",
        "U",
        "name of the given sequence that the background is, if it is one",
        required=False,
    ),
    _library(
        "gc",
        "f",
        "share of G and C of the background; of the insert where there is none",
        required=False,
    ),
    # of variant tiles, from VariantTiles.annotate; empty text and -1 for an oligo that
    # is no allele of one
    _library(
        "variant",
        "U",
        "name of the variant that the oligo carries an allele of",
        required=False,
    ),
    _library("SPDI", "U", "the variant in canonical SPDI", required=False),
    _library("allele", "U", "ref or alt", required=False),
    _library("variant_class", "U", "SNV or indel", required=False),
    _library(
        "variant_pos",
        "i",
        "where the canonical form begins in the insert, from 0",
        required=False,
    ),
    _library(
        "assembly", "U", "assembly of the genome, where it was said", required=False
    ),
    _library("chromosome", "U", "chromosome of the insert", required=False),
    _library("start", "i", "first base of the insert on it, from 0", required=False),
    _library(
        "end",
        "i",
        "one past the last base of the insert on it, by its own allele",
        required=False,
    ),
    _library_summary(
        "broken",
        "i",
        "draws of units that broke the rule under the arm",
        dims=("rule", "judged_arm"),
    ),
    _library_summary(
        "broken_scrambles",
        "i",
        "draws of scrambles that broke the rule",
        dims=("rule",),
    ),
    _library_summary(
        "broken_barcodes",
        "i",
        "barcodes that broke the rule in their oligo, and were exchanged",
        dims=("rule",),
    ),
    _library_summary(
        "why",
        "U",
        "why a unit of the design is in no arm of the library",
        dims=("dropped",),
    ),
    _library_summary(
        "why_arm",
        "U",
        "rules that an arm of a library of one sequence breaks, which lacks it",
        dims=("dropped_arm",),
    ),
    _library_summary(
        "flagged",
        "i",
        "oligos that are ordered although they are made less evenly",
        dims=("flag",),
    ),
    _library_summary(
        "share_redrawn", "f", "share of the units that were drawn anew", dims=()
    ),
    _library_summary(
        "n_draws",
        "i",
        "draws of units, of those that are ordered and of the others",
        dims=(),
    ),
    _library_summary(
        "gc_proposed",
        "f",
        "share of G and C of the backgrounds as drawn first",
        dims=(),
    ),
    _library_summary(
        "gc_ordered", "f", "share of G and C of the backgrounds as ordered", dims=()
    ),
    # MPRA: barcode counts
    Variable(
        "oligo_index",
        ("counts",),
        (("barcode",),),
        "i",
        "oligo of each barcode: place on dim oligo",
        True,
    ),
    Variable(
        "variant_index",
        ("counts",),
        (("barcode", "carried"),),
        "i",
        "variants that each barcode carries: places on dim variant, filled up by -1",
    ),
    Variable(
        "compared",
        ("counts",),
        (("variant",),),
        "b",
        "whether enough barcodes carry the variant for a fit to compare it",
    ),
    _dna(
        "dna",
        "i",
        "reads of the barcode's DNA; without the replicate dim where one plasmid pool "
        "serves all",
    ),
    _rna("rna", "i", "reads of the barcode's RNA"),
    _dna(
        "dna_observed",
        "b",
        "whether the cell held a count; an empty cell is unknown, and dna is 0 there",
    ),
    _rna(
        "rna_observed",
        "b",
        "whether the cell held a count; empty with DNA observed is no read of it",
    ),
    Variable(
        "n_bc",
        ("counts",),
        (("barcode",),),
        "f",
        "of sums, the number of barcodes behind each, the mean over replicates",
        False,
    ),
    _required(
        "dna_total",
        "i",
        "all DNA reads of the library, of every barcode that was read, filtered or not",
        kind="counts",
        dims=(("replicate",), ()),
    ),
    _required(
        "rna_total",
        "i",
        "all RNA reads of the library, of every barcode that was read, filtered or not",
        kind="counts",
        dims=(("replicate",),),
    ),
    Variable(
        "condition",
        ("counts",),
        (("replicate",),),
        "U",
        "condition (cell type, treatment) of the replicate, where there are several",
    ),
    Variable(
        "batch",
        ("counts",),
        (("replicate",),),
        "U",
        "batch of the replicate, in which an oligo has noise that its replicates share",
    ),
    _oligo(
        "element",
        "U",
        "block that the oligo belongs to: one background under each of its arms",
    ),
    _oligo("arm", "U", "arm of the oligo"),
    _oligo(
        "group",
        "U",
        "test, negative, positive, promoter or duplicate, or a name of the user's",
    ),
    # maps of sequences
    _map(
        "score",
        "part of the answer that a base at a position has, or would have in the place "
        "of the observed one, by attrs['method'], on attrs['scale']; without the dim "
        "base, that of the observed one",
        by_base=True,
    ),
    _map(
        "score_se",
        "standard error of a score over the baselines drawn for its sequence",
        by_base=True,
        required=False,
    ),
    Variable(
        "observed",
        ("attributions",),
        (("unit", "position"),),
        "u",
        "tokens of the sequence explained",
        True,
    ),
    _map(
        "answer",
        "the predictor's answer to the sequence, on attrs['scale']; not in maps read "
        "from files",
        required=False,
    ),
    _map(
        "baseline_answer",
        "mean answer to the baselines drawn for the sequence",
        required=False,
    ),
    _map(
        "completeness",
        "sum of the observed bases' scores, minus the answer, plus the mean answer to "
        "the baselines; 0 if exact",
        required=False,
    ),
    _map(
        "completeness_se",
        "standard error of completeness over baselines, of scores that add up in "
        "expectation",
        required=False,
    ),
    # sites of maps beside a trial
    _site(
        "largest_contribution",
        "f",
        "contribution of the position of the site that has most of the effect",
    ),
    _site("average_effect", "f", "average effect of the site in the trial"),
    _site(
        "share",
        "f",
        "largest contribution over average effect; 0 where that effect is 0",
    ),
    _site(
        "flag",
        "U",
        "redundant, saturated, no effect, or empty where the substitution shows the "
        "effect",
    ),
    # patterns that maps propose
    _proposal("consensus", "U", "letters of the pattern, which a trial embeds"),
    _proposal(
        "motif",
        "f",
        "share of each base among the seqlets at each position; 0 beyond the width",
        "motif_position",
        "base",
    ),
    _proposal("width", "i", "positions of the pattern"),
    _proposal("n_seqlets", "i", "windows of sequences that propose the pattern"),
    _proposal("n_units", "i", "units that propose the pattern"),
    _proposal(
        "strength",
        "f",
        "mean over the seqlets of the contributions in a window, on attrs['scale']",
        "task",
    ),
    _proposal("proposed", "b", "whether the unit has a seqlet of the pattern", "unit"),
    Variable(
        "threshold",
        ("proposals",),
        (("side", "task"),),
        "f",
        "contributions in a window beyond which it is a seqlet: at most 0 of side "
        "'below', at least 0 of side 'above'; not where others called the seqlets",
    ),
    Variable(
        "sequence_fingerprint",
        ("proposals",),
        (("unit",),),
        "U",
        "fingerprint of each unit that was looked at, the same for both strands; a "
        "trial refuses these units",
        True,
    ),
    # filters of a layer, and what motifs they are like
    Variable(
        "frequency",
        ("filters",),
        (("channel", "motif_position", "base"),),
        "f",
        "share of each base over the sites of a channel; .25 where it has no site",
        True,
    ),
    Variable(
        "information",
        ("filters",),
        (("channel", "motif_position"),),
        "f",
        "bits of the frequencies, 0 to 2",
        True,
    ),
    Variable(
        "n_sites",
        ("filters",),
        (("channel",),),
        "i",
        "windows above half of the channel's maximum",
        True,
    ),
    Variable(
        "maximum",
        ("filters",),
        (("channel",),),
        "f",
        "largest activation of the channel",
        True,
    ),
    Variable(
        "match_p",
        ("matches",),
        (("motif", "target"),),
        "f",
        "Tomtom p-value of two motifs, either strand",
        True,
    ),
    Variable(
        "match_q",
        ("matches",),
        (("motif", "target"),),
        "f",
        "Benjamini-Hochberg over the targets, for each motif",
        True,
    ),
    Variable(
        "nearest",
        ("matches",),
        (("motif",),),
        "U",
        "target of the smallest p-value",
        True,
    ),
    Variable(
        "nearest_q",
        ("matches",),
        (("motif",),),
        "f",
        "q-value of the nearest target",
        True,
    ),
    *(
        Variable(name, ("matches",), (("motif",),), dtype, meaning)
        for name, dtype, meaning in (
            ("runners_up", "U", "names of the next two targets, of other names"),
            (
                "tf_class",
                "U",
                "class of the factor that names it, from its file or JASPAR",
            ),
            (
                "tf_family",
                "U",
                "family of the factor that names it, from its file or JASPAR",
            ),
            ("label", "U", "its name, that of the best match; empty if q is above .1"),
            ("expected_nearest", "U", "expected target of the smallest p-value"),
            ("expected_q", "f", "q-value of it, over the targets of its class"),
        )
    ),
    # attention of a layer
    Variable(
        "attention",
        ("attention",),
        (("unit", "query", "key"),),
        "f",
        "weight of the key's place in the answer at the query's, mean over heads; they "
        "sum to 1 over keys",
        True,
    ),
    Variable(
        "query_base",
        ("attention",),
        (("query",),),
        "i",
        "base in the middle of what the place reads",
        True,
    ),
    Variable(
        "key_base",
        ("attention",),
        (("key",),),
        "i",
        "base in the middle of what the place reads",
        True,
    ),
    # checks by which a claim may fail
    _refutation("figure", "U", "what the value of the check is, in words"),
    _refutation(
        "value", "f", "the value of the check; of several effects, that of the worst"
    ),
    _refutation("threshold", "f", "the value at which the check no longer passes"),
    _refutation("status", "U", "pass, warn or fail"),
    _refutation("reason", "U", "what the check found, in a sentence"),
    _refutation("cure", "U", "what to do; empty where it passes"),
    _refutation("n_predictions", "i", "sequences that were predicted for this row"),
)

#: names not allowed for factors and covariates, because the schema uses them
RESERVED = frozenset(
    row.name
    for row in SCHEMA
    if {*row.datasets}
    - {
        "sequences",
        "tipping",
        "library",
        "counts",
        "attributions",
        "sites",
        "proposals",
        "filters",
        "moderation",
        "matches",
    }
    - {"attention", "refutations"}
) | {
    *(
        "unit",
        "arm",
        "task",
        "model",
        "contrast",
        "contrast_",
        "cluster",
        "look",
        "byte",
        "transform",
    ),
    *("source_sequence", "source_arm", "source_contrast", "background_quantile"),
}

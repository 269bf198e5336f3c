"""The verb `methods`: a paragraph of methods and one of results for a paper, with the
works to cite.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from causalgia import experiments
from causalgia.analysis import analysis_in_attrs
from causalgia.analysis_values import Shrinkage
from causalgia.attributes import about, has
from causalgia.choices import METHOD_NAMES, TARGET_MEANINGS, VERDICT_WORDS
from causalgia.effect_table import select_tasks
from causalgia.effects.two_values import WEIGHT
from causalgia.errors import printable
from causalgia.estimation.request import null_value
from causalgia.notes import notes_of
from causalgia.numerics.float_errors import usual_errors
from causalgia.streams import Seed
from causalgia.tell._trial_report import (
    count_clause,
    population_text,
    scale_text,
    versus,
)
from causalgia.tell.citations import Work, uses_skewness, works
from causalgia.tell.effect_rows import (
    Row,
    as_reportable,
    reading_order,
    rows as rows_of,
)
from causalgia.tell.table_formats import (
    format_effect,
    p_clause,
    percent,
    shrunken_effect,
)
from causalgia.tell.verdict_sentences import (
    effect_heading,
    has_shrunken,
    is_decided,
    is_simultaneous,
    trial_history,
    verdict_in_words,
    verdict_method,
)

_ARMS_WRITTEN_OUT = 6
_DO_LETTERS = 700
_SCALE_WORDS = {
    "ratio": "the ratio of means",
    "log_of_means": "the logarithm of means",
    "function": "a function of the means of the arms with neither, one or both",
    "sd": "the difference of means in sd of the control arm",
}
_FITS = {
    "two_way": "a two-way analysis of each element, in barcodes and replicates",
    "hierarchical": (
        "a two-way analysis of each element, in barcodes and replicates, with "
        "variances moderated by a prior that was learned from all elements"
    ),
}
"""Method of `causalgia.mpra.fit` -> how its effects were estimated."""
_OF_TWO = ("ratio", "log_of_means", "sd")
"""Scales of means that compare an arm with its control, as do-notation writes it."""
_PROSE = (
    (
        r"^GLS over the contrast's own arms",
        "generalized least squares with a random unit over the arms of each contrast",
    ),
    (
        r"^mean ICE; s\^2 / n, t with n - 1 df",
        "the mean of the individual causal effects, with standard error s/√n; t has n "
        "− 1 degrees of freedom",
    ),
    (
        r"^mean over (\w+)s of their mean ICE; t with G - 1 df",
        r"the mean over \1s of their mean individual causal effect; t has the number of \1s less one as degrees of "
        "freedom",
    ),
    (
        r"^mean ICE of exactly these (units|sequences); nothing is sampled, so the "
        r"standard error is 0",
        r"the mean of the individual causal effects of exactly these \1, of which "
        r"nothing is sampled",
    ),
    (
        r"^mean ICE over units and (\w+), both drawn; crossed",
        r"the mean of the individual causal effects over units and \1, both as random "
        r"draws (crossed random effects)",
    ),
    (
        r"^mean ICE with these parents fixed; variance within parents, Satterthwaite "
        r"df",
        "the mean of the individual causal effects, with the variance within parents, "
        "which are fixed; t has Satterthwaite's degrees of freedom",
    ),
    (
        r"^mean of the effects inside each (\w+), drawn from a population of them; t "
        r"with G - 1 df",
        r"the mean of the effects inside each \1, as draws from a population of them; t has the number of \1s less one "
        "as degrees of freedom",
    ),
    (
        r"^difference in means weighted by (\w+) size, \w+s fixed; Neyman by \w+, df n "
        r"- A B",
        r"the differences between the means of the arms inside each \1, weighted by "
        r"its size, with \1s fixed and Neyman's variance inside each; t has as degrees "
        r"of freedom the units less one for each arm and \1",
    ),
    (
        r"^predictive interval from (\d+) predictors: ",
        r"the mean over \1 predictors, with predictive variance ",
    ),
    (r"^ratio of means, delta method", "the ratio of means, by the delta method"),
    (r"^log of means, delta method", "the logarithms of means, by the delta method"),
    (
        r"^function of means, delta method",
        r"this function of means, by the delta method",
    ),
    (
        r"^effects in sd of the control, jackknife",
        "the effects in sd of the control arm, with a jackknife",
    ),
    (
        r"^linear hypotheses by the covariance of estimates",
        "linear combinations of estimates and their covariance",
    ),
    (r"^mean over backgrounds$", "the mean over backgrounds"),
    (r"^(REML|DL|FE) over backgrounds$", r"a meta-analysis over backgrounds (\1)"),
    (r"(delta method|jackknife over units); difference in means", r"\1"),
    (r"(^|: )mean ICE", r"\1the mean of the individual causal effects"),
    (r"(^|; )difference in means", r"\1the difference between the means of the arms"),
    (r"; t with n - 1 df", "; t has n − 1 degrees of freedom"),
    (
        r"; Neyman's variance, Welch df",
        ", with Neyman's variance; t has Welch's degrees of freedom",
    ),
    (
        r"(?:;|,) CR2 by (\w+), Satterthwaite (?:\(Bell-McCaffrey\) )?df",
        r", with cluster-robust (CR2) standard errors by \1; t has Satterthwaite's "
        r"degrees of freedom",
    ),
    (r"(?:;|,) Satterthwaite df", "; t has Satterthwaite's degrees of freedom"),
    (r"; HC2", ", with HC2 standard errors"),
    (
        r", df n - A \(p \+ 1\)",
        "; t has n − A (p + 1) degrees of freedom, of n units in A arms and p "
        "covariates",
    ),
)
"""Words of attrs["method"] -> words of a paper; what is not named here is cited as it
stands.
"""


@dataclass(frozen=True, repr=False)
class Paragraphs:
    """Paragraphs for a paper; printed, they are both, followed by the works to cite.

    Attributes
    ----------
    methods
        Design, estimand, estimator, intervals, verdicts and software.
    results
        Each effect with its interval and verdict; of more than six, their number by
        verdict and the largest.
    works
        The works to cite.
    """

    methods: str
    results: str
    works: tuple[Work, ...] = field(default=())

    @property
    def bibtex(self) -> str:
        """The works to cite, as BibTeX."""
        return "\n\n".join(work.bibtex() for work in self.works) + "\n"

    def __str__(self) -> str:
        cited = "\n".join(f"- {work}" for work in self.works)
        return (
            "Methods\n\n"
            f"{self.methods}\n\n"
            "Results\n\n"
            f"{self.results}\n\n"
            "To cite\n\n"
            f"{cited}"
        )

    __repr__ = __str__


@usual_errors
def methods(
    x: xr.Dataset | experiments.Answer, *, task: str | Sequence[str] | None = None
) -> Paragraphs:
    """Return a paragraph of methods and one of results for a paper, with the works to cite.

    Every sentence comes from the attributes of the Dataset: change the analysis, and the paragraph changes with it.
    Information that the Dataset does not have, such as the training data of the network, must be added by the
    author.

    Parameters
    ----------
    x
        Estimates, decisions, the fit of an MPRA, or the `~causalgia.experiments.Answer` of an experiment.
    task
        Names or patterns of tasks, one or several, such as ``"DNASE:*"``; None: all.

    Returns
    -------
    Paragraphs
        Text ``methods`` and ``results``, ``works`` to cite, and these as ``bibtex``.

    Raises
    ------
    DataError
        If there are no effects in it; a posterior goes through `causalgia.decide` first.
    EstimateError
        If there is no such task.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(from_effects([1.4], se=[0.1], names=["GATA1"]), rope=(-0.1, 0.1))
    >>> print(methods(decided).results)
    Of 1 effect, 1 is an increase. GATA1: effect 1.40 (95 % interval [1.20, 1.60]); increases, above the ROPE ±0.1 \
(q < 1e-4).
    """
    if isinstance(
        decisions := getattr(x, "decisions", None), xr.Dataset
    ):  # of an answer
        x = decisions
    effects = select_tasks(as_reportable(x), task, place="methods: ")
    notes = list(map(_without_advice, notes_of(effects)))
    parts = [
        *_design(effects),
        *_estimand(effects),
        *_inference(effects),
        *trial_history(effects.attrs),
        *(f"{note[:1].upper()}{note[1:]}." for note in notes if note),
        *_software(effects.attrs),
    ]
    return Paragraphs(
        printable(" ".join(parts)),
        printable(_results_paragraph(effects)),
        works(effects),
    )


_ADVICE = (
    "cg.",
    "a longer motif, or a null model",
    "write both over the same bases",
)
"""What a note goes on to advise, which is no part of what was done."""


def _without_advice(note: str) -> str:
    """Return a note of a trial without its advice.

    Examples
    --------
    >>> _without_advice("GATA is in the flanks; a longer motif, or a null model, helps")
    'GATA is in the flanks'
    """
    parts = note.rstrip(".").split("; ")
    return "; ".join(x for x in parts if not any(advice in x for advice in _ADVICE))


def _design(effects: xr.Dataset) -> list[str]:
    """Return sentences on the experiment: backgrounds, assignment and interventions."""
    attrs, counts = effects.attrs, count_clause(effects)
    parallel = about(attrs, None).assignment == "parallel"
    if counts and parallel:  # the units of the other arms are not counted
        counts += (
            " in the arms of each contrast"
            if effects.sizes["contrast"] > 1
            else " in its arms"
        )
    if not has(attrs).null_kind:
        return [*_table_of_others(effects, counts), *_predictors(effects)]
    each = {
        "crossover": (
            "Every background was given to the predictor under every arm (crossover), "
            "so that an individual causal effect (ICE) is a difference between two "
            "predictions for one background."
        ),
        "parallel": "Each background was randomized to one arm (parallel groups).",
    }.get(str(about(attrs, None).assignment), "")
    n_placebos = sum(row["is_placebo"] for row in rows_of(effects.isel(task=slice(1))))
    return [
        f"Background sequences were {about(attrs).null}{f' ({counts})' if counts else ''}.",
        *([each] if each else []),
        *_interventions(effects),
        *(
            [
                f"{n_placebos} fixed placebos, rearrangements of the letters, show the "
                "size of chance effects."
            ]
            if n_placebos
            else []
        ),
        *_predictors(effects),
    ]


def _table_of_others(effects: xr.Dataset, counts: str | None) -> list[str]:
    """Return sentences on effects of no null model: given ones, those of a table of
    outcomes, the fit of an MPRA.
    """
    attrs = effects.attrs
    if not has(attrs).method and not has(attrs).estimand:
        what = "Effects" if effect_heading(attrs) == "effect" else "Effects (ACE)"
        what += f"{' and their standard errors' * ('se' in effects)} were given"
        scale = about(attrs, None).contrast_scale or about(attrs, None).scale
        return [
            f"{what}{f', on {scale}' if scale else ''}{f' ({counts})' if counts else ''}."
        ]
    if about(attrs, "").effect_on == "measured activity":
        n, replicates = effects.sizes["contrast"], int(about(attrs, 0).n_replicates)
        measured = (
            f" in {replicates} replicate{'s' if replicates != 1 else ''}"
            if replicates
            else ""
        )
        return [
            f"Activities of {n:,} element{'s' if n != 1 else ''} were measured by an "
            f"MPRA{measured}."
        ]
    if not counts:
        return []
    each = {
        "crossover": ", each under every arm (crossover)",
        "parallel": ", each under one arm (parallel groups)",
        "incomplete": ", some of which lack some arms",
    }
    return [f"There are {counts}{each.get(str(about(attrs, None).assignment), '')}."]


def _interventions(effects: xr.Dataset) -> list[str]:
    """Return a sentence on what was done: in do-notation where it is short, else the
    number of contrasts.
    """
    do = {
        row["contrast"]: row["do"]
        for row in rows_of(effects)
        if row["do"] and not row["is_placebo"]
    }
    if not do:
        return []
    linear = (
        about(effects, "").transform not in _SCALE_WORDS
        or about(effects).transform in _OF_TWO
    )
    arms = {
        name: text if linear else ", ".join(re.split(r" [+−] ", text))
        for name, text in do.items()
    }
    text = "; ".join(f"{name}, {arm}" for name, arm in arms.items())
    if len(do) <= _ARMS_WRITTEN_OUT and len(text) <= _DO_LETTERS:
        return [f"Interventions, in do-notation: {text}."]
    name, arm = min(arms.items(), key=lambda item: len(item[1]))
    example = (
        f", such as {name}, {arm} in do-notation" if len(arm) <= _DO_LETTERS else ""
    )
    return [
        f"There are {len(do):,} contrasts between interventions{example}; the table "
        "lists them."
    ]


def _predictors(effects: xr.Dataset) -> list[str]:
    """Return a sentence on the predictors of an ensemble, or on placebos that are
    averaged.
    """
    if effects.sizes.get("model", 1) > 1:
        return [
            f"Effects are of each of {effects.sizes['model']:,} predictors by itself."
        ]
    n, target = about(effects, None).n_levels, str(about(effects, None).target)
    levels = TARGET_MEANINGS[target].levels if target in TARGET_MEANINGS else ""
    if not n or not levels:
        return []
    return [f"The trial was run {levels.format(n=f'{int(n):,}')}."]


def _estimand(effects: xr.Dataset) -> list[str]:
    attrs, method = effects.attrs, about(effects, "").method
    if not method and not about(attrs, None).estimand:
        return []
    defined = about(attrs, "").estimand
    if about(attrs, None).weights == "clusters" and about(attrs, None).cluster not in (
        None,
        "",
        "unit",
    ):
        defined = defined.replace(
            "mean over units of",
            f"mean over {about(attrs).cluster}s of the mean over their units of",
        )
    scale = str(about(attrs, None).transform)
    on = scale_text(attrs)
    if scale in _SCALE_WORDS:
        on = f"{_SCALE_WORDS[scale]}, on {about(attrs, None).scale or 'the outcome'}"
    first = (
        "The estimand is the average causal effect (ACE) on "
        f"{on}{population_text(effects)}"
    )
    first += f": {defined}." if defined else "."
    if not method:
        return [first]
    return [first, f"It was estimated by {_method_in_words(effects)}."]


def _method_in_words(effects: xr.Dataset) -> str:
    """Return the estimator in words, without the law of its t where intervals and tests
    come from elsewhere.
    """
    attrs, method = effects.attrs, about(effects).method
    if (fit := re.fullmatch(r"method '(\w+)'", method)) and fit[1] in _FITS:
        return _FITS[fit[1]]
    for pattern, prose in _PROSE:
        method = re.sub(pattern, prose, method)
    if about(attrs, None).error == "sequence" and is_decided(effects):
        method = re.sub(r"; t (?:has|on) [^;]*", "", method)
    return method


def _inference(effects: xr.Dataset) -> list[str]:
    """Return sentences on intervals, p-values, adjustment and verdicts."""
    attrs = effects.attrs
    if is_decided(effects):
        verdicts = verdict_method(effects).replace("; see shrunken.", ".").split("\n")
        return [
            *verdicts,
            *_errors_of_verdicts(effects),
            *_intervals_in_words(effects),
            *(_posterior(effects) if has_shrunken(effects) else []),
        ]
    if "lower" not in effects:
        return []
    level = percent(float(about(attrs, 0.95).ci_prob))
    tests = (
        f"; p-values are two-sided, of an effect of {null_value(effects):g}"
        if "p" in effects
        else ""
    )
    if is_simultaneous(effects):
        band = METHOD_NAMES.get(about(attrs).band, about(attrs).band)
        alone = ", and of each contrast alone" if tests else ""
        return [
            f"Intervals are simultaneous at {level} ({band}, "
            f"{about(attrs).family}){tests}{alone}."
        ]
    what = (
        "Prediction intervals"
        if about(attrs, None).target == "next predictor"
        else "Intervals"
    )
    return [
        f"{what} are at {level}, each by itself{tests}.",
        *_intervals_in_words(effects),
    ]


def _posterior(effects: xr.Dataset) -> list[str]:
    """Return a sentence on the hierarchical model."""
    attrs = effects.attrs
    level = percent(float(about(attrs, 0.95).ci_prob))
    shrink = analysis_in_attrs(attrs).shrink
    prior = shrink.prior if isinstance(shrink, Shrinkage) else None
    law = (
        "learned in each task, a mixture of two normal scales with one center"
        if prior is None
        else f"one normal scale with the prior {prior}"
    )
    if about(attrs, None).across:
        law = "learned over patterns of tasks (adaptive shrinkage)"
    return [
        "Shrunken effects are posterior means of a hierarchical model whose law of true "
        f"effects is {law}, with central {level} credible intervals; they decide "
        "nothing, and lfsr holds if no effect is exactly 0."
    ]


def _errors_of_verdicts(effects: xr.Dataset) -> list[str]:
    """Return a sentence on the error rate that q bounds."""
    attrs = effects.attrs
    if "p_matched" in effects:
        return ["q is Benjamini-Hochberg's."]
    if about(attrs, None).error == "fdr":
        directions = (
            "q is Benjamini-Hochberg's over directions"
            if not (effects["rope_lower"] < effects["rope_upper"]).any()
            else "q is Benjamini-Hochberg's, over directions and over verdicts of no "
            "relevant effect apart, each among the rows still open to it"
        )
        return [f"{directions}."]
    if about(attrs, None).error == "fwer":
        alpha = 1 - float(about(attrs, 0.95).ci_prob)
        return [
            f"The probability of any false verdict is at most {alpha:.3g}, by Holm's "
            "method over both p of all rows."
        ]
    return []


def _moderation_in_words(effects: xr.Dataset) -> list[str]:
    """Return a sentence on moderated variances."""
    here = about(effects, None)
    if here.moderated_rows is None or here.prior_df is None:
        return []
    df = "infinite" if math.isinf(here.prior_df) else f"{here.prior_df:.3g}"
    arms = (
        "; those of both arms are pooled, and each interval holds that of Welch's t with "
        "the moderated variance of each arm"
        if _has_independent_arms(effects)
        else ""
    )
    return [
        f"Variances were moderated over {here.moderated_rows:,} rows by empirical Bayes "
        f"(limma's, {df} prior degrees of freedom){arms}."
    ]


def _has_independent_arms(effects: xr.Dataset) -> bool:
    here = about(effects, None)
    parallel = here.assignment == "parallel" and here.cluster == "unit"
    return parallel and not here.covariates


def _intervals_in_words(effects: xr.Dataset) -> list[str]:
    """Return a sentence on moderated variances, and one on intervals that allow for
    skewness.
    """
    return [*_moderation_in_words(effects), *_skewness_in_words(effects)]


def _skewness_in_words(effects: xr.Dataset) -> list[str]:
    """Return a sentence on intervals that allow for skewness."""
    if not uses_skewness(effects):
        return []
    here = about(effects, None)
    proportions = WEIGHT in effects and (effects[WEIGHT] != 0).any("own")
    if proportions is not False and bool(proportions.all()):
        return [
            "Outcomes take two values: each interval is the union of Student's (of "
            "independent arms also by their pooled variance) with the limits of "
            "proportions combined by arm (MOVER), and p is the largest."
        ]
    if _has_independent_arms(effects):
        second = (
            "Welch's"
            if here.moderated_rows
            else "that by the pooled variance of the arms"
        )
        of_skewed = [
            f"Each interval is the union of Student's, of {second}, and of that of Hall's "
            "transformed t, which allows for skewed effects; p is the largest of the "
            "three."
        ]
    else:
        of_skewed = [
            "Each interval is the union of Student's with that of Hall's transformed t, "
            "which allows for skewed effects, and p is the larger of both."
        ]
    if proportions is not False and bool(proportions.any()):
        of_skewed.append(
            "Where outcomes take two values, limits of proportions combined by arm "
            "(MOVER) are in place of Hall's."
        )
    return of_skewed


def _software(attrs: Mapping[Any, Any]) -> list[str]:
    import causalgia

    names = (("python", "Python"), ("numpy", "NumPy"))
    versions = ", ".join(f"{name} {attrs[key]}" for key, name in names if key in attrs)
    prints = ", ".join(
        f"{name} {attrs[f'{name}_fingerprint']}"
        for name in ("design", "null", "predictor")
        if f"{name}_fingerprint" in attrs
    )
    ran = (
        "causalgia "
        f"{about(attrs, causalgia.__version__).causalgia}{f' ({versions})' if versions else ''}"
    )
    stored = Seed.stored(about(attrs, "").rng)
    seed = "" if stored is None else f", seed {stored}"
    return [
        f"Computed with {ran}{seed}{f'; fingerprints: {prints}' if prints else ''}."
    ]


def _results_paragraph(effects: xr.Dataset) -> str:
    every = rows_of(effects)
    in_order = [every[i] for i in reading_order(effects)]
    in_order = [row for row in in_order if not row["is_placebo"]]
    shown = in_order[:_ARMS_WRITTEN_OUT]
    table = [row for row in every if not row["is_placebo"]]
    if len(shown) == len(table):
        shown = table
    sentences = [_sentence(effects, row) for row in shown]
    if not is_decided(effects):
        more = len(table) - len(shown)
        return " ".join(
            [
                *sentences,
                *(
                    [f"These are the largest; {more:,} more effects are in the table."]
                    if more
                    else []
                ),
            ]
        )
    given = [str(row["verdict"]) for row in table]
    number = Counter(given)
    counts = [
        f"{n:,} {f'is {word.noun}' if n == 1 else f'are {word.nouns}'}"
        for verdict, word in VERDICT_WORDS.items()
        if (n := number[verdict])
    ]
    first = (
        f"Of {len(table):,} effect{'s' if len(table) != 1 else ''}, "
        f"{', '.join(counts)}."
    )
    begins = ["The first of the table:"] if len(shown) < len(table) else []
    return " ".join([first, *begins, *sentences])


def _sentence(effects: xr.Dataset, row: Row) -> str:
    attrs = effects.attrs
    where = "".join(
        f" in {row[name]}"
        for name in ("task", "model")
        if effects.sizes.get(name, 1) > 1
    )
    control = (
        f" {versus(attrs)} {about(attrs).control}" if about(attrs, None).control else ""
    )
    ace, interval = format_effect(row)
    size = f"{effect_heading(attrs)} {ace}"
    if "p_matched" in row:  # an exact effect, ranked among others: it has no interval
        among = p_clause(row["p_matched"])
        size += f", exactly ({among} among {row['n_matched']:,} matched variants)"
    if row.get("exact") and "p_matched" not in row:
        size += _same_in_every_unit(attrs)
    if interval and "p_matched" not in row and row["lower"] < row["upper"]:
        level = percent(float(about(attrs, 0.95).ci_prob))
        size += f" ({level} {_kind_of_interval(effects)} {interval})"
    if not math.isnan(row.get("shrunken", math.nan)):
        size += f", shrunken {' '.join(shrunken_effect(row))}"
    claim = f"; {verdict_in_words(row, attrs)}" if is_decided(effects) else ""
    if not claim and "p" in row:
        clause = p_clause(row["p"], exact="exact" if row.get("exact") else "")
        claim = f"; {clause}" if clause else ""
    return f"{row['contrast']}{control}{where}: {size}{claim}."


def _kind_of_interval(effects: xr.Dataset) -> str:
    if is_simultaneous(effects) or about(effects, None).error == "sequence":
        return "simultaneous interval"
    if is_decided(effects):
        return "interval"
    if about(effects, None).target == "next predictor":
        return "prediction interval"
    return "interval"


def _same_in_every_unit(attrs: Mapping[Any, Any]) -> str:
    """Return a clause on an effect without variation: exact for these units."""
    if about(attrs, None).target == "units":
        return ", exactly"
    return (
        ", without variation between units"
        if about(attrs, "").transform in _SCALE_WORDS
        else ", the same in every unit"
    )

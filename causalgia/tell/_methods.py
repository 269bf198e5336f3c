"""The methods of a paper: a paragraph from the attributes of a result, what it assumes,
the works to cite, and the checklist.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

import causalgia
from causalgia._audit.named import LEVEL
from causalgia.analysis import analysis_in_attrs
from causalgia.analysis_values import Shrinkage
from causalgia.attributes import about, of_sequences
from causalgia.choices import METHOD_NAMES, TARGET_MEANINGS
from causalgia.effect_table import select_tasks
from causalgia.effects.two_values import WEIGHT
from causalgia.errors import printable
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import null_value
from causalgia.notes import ReportText
from causalgia.streams import Seed
from causalgia.tell._assumptions import assumptions
from causalgia.tell._checklist import Pictured, audit_checklist, checklist
from causalgia.tell._trial_report import count_clause, population_text, scale_text
from causalgia.tell.answer_kinds import is_audit
from causalgia.tell.citations import Work, audit_works, uses_skewness, works
from causalgia.tell.effect_rows import as_reportable, readable
from causalgia.tell.table_formats import percent
from causalgia.tell.verdict_sentences import (
    effect_heading,
    has_shrunken,
    is_decided,
    is_simultaneous,
    trial_history,
    verdict_method,
)

_ARMS_WRITTEN_OUT, _DO_LETTERS = 6, 700
_SCALE_WORDS = {
    "ratio": "the ratio of means",
    "log_of_means": "the logarithm of means",
    "function": "a function of the means of the arms",
    "sd": "the difference of means in sd of the control arm",
}
_FITS = {
    "method 'two_way'": "two-way analysis of each element, in barcodes and replicates",
    "method 'hierarchical'": (
        "two-way analysis of each element, in barcodes and replicates, with variances "
        "moderated by a prior learned from all elements"
    ),
}
"""Method of `causalgia.mpra.fit` -> how its effects were estimated."""
_ASSIGNMENTS = {
    "crossover": (
        "Every unit received every arm (crossover), so that an individual causal effect "
        "(ICE) is the difference between two outcomes of one unit."
    ),
    "parallel": "Each unit received one arm (parallel groups).",
    "incomplete": "Cells are missing: no unit has to have every arm and task.",
}
_ERROR_RATES = {
    "fdr": (
        "q is Benjamini-Hochberg's, over directions and over verdicts of no relevant "
        "effect apart, each among the rows still open to it."
    ),
    "fwer": (
        "The probability of any false verdict is bounded by Holm's method over both p "
        "of all rows."
    ),
}


class Methods(ReportText):
    """The methods of a paper as text, with the works that it cites."""

    works: tuple[Work, ...] = ()

    @property
    def bibtex(self) -> str:
        """The works to cite, as BibTeX."""
        return "\n\n".join(work.bibtex() for work in self.works) + "\n"


def methods_text(
    x: Any,
    *,
    task: str | Sequence[str] | None = None,
    refutations: xr.Dataset | None = None,
) -> Methods:
    """Return the paragraph, the assumptions, the works to cite and the checklist."""
    if is_audit(x):
        paragraph, assumed, cited = audit_paragraph(x), {}, audit_works()
        listed = audit_checklist(x)
    else:
        found = select_tasks(effects_of(x), task, place="methods: ")
        paragraph, assumed, cited = paragraph_of(found), _assumed(found), works(found)
        listed = checklist(found, refutations)
    parts = {
        "Methods": paragraph,
        **assumed,
        "To cite": "\n".join(f"- {work}" for work in cited),
        "Checklist": listed.rstrip("\n"),
    }
    made = Methods("\n\n".join(f"{name}\n\n{text}" for name, text in parts.items()))
    made.works = cited
    return made


def _assumed(effects: xr.Dataset) -> dict[str, str]:
    """Return what a trial of a network assumes; of other effects nothing."""
    measured = about(effects, None).effect_on == "measured activity"
    if measured or not of_sequences(effects):
        return {}
    head = "Names behind a semicolon are checks of cg.refute."
    return {"Assumptions": f"{head}\n\n{assumptions()}"}


def effects_of(x: Any) -> xr.Dataset:
    """Return the estimates or decisions of a result."""
    return as_reportable(readable(getattr(x, "decisions", x)))


def paragraph_of(effects: xr.Dataset) -> str:
    """Return the paragraph of a paper's methods."""
    parts = [
        *_design(effects),
        *_estimand(effects),
        *_intervals(effects),
        *(_verdicts(effects) if is_decided(effects) else []),
        *(_shrunken(effects) if has_shrunken(effects) else []),
        *trial_history(effects.attrs),
        _software(effects.attrs),
    ]
    return printable(" ".join(parts))


def _design(effects: xr.Dataset) -> list[str]:
    """Return sentences on units, assignment and interventions."""
    here, counts = about(effects, None), count_clause(effects)
    if counts and here.assignment == "parallel":  # other arms have units of their own
        counts += " in the arms of each contrast"
    number = f" ({counts})" if counts else ""
    n = effects.sizes["contrast"]
    if here.null_kind:
        first = f"Background sequences were {about(effects).null}{number}."
    elif here.effect_on == "measured activity":
        replicates = f" in {here.n_replicates} replicates" * bool(here.n_replicates)
        first = f"Activities of {n:,} elements were measured by an MPRA{replicates}."
    elif not here.method and not here.estimand:
        kind = effect_heading(effects.attrs)
        what = "Effects" if kind == "effect" else f"Effects ({kind})"
        what += " and their standard errors" * ("se" in effects)
        scale = here.contrast_scale or here.scale
        first = f"{what} were given{f', on {scale}' if scale else ''}{number}."
    else:
        first = f"There are {counts}." if counts else ""
    design = [first, _ASSIGNMENTS.get(str(here.assignment), ""), _arms(effects)]
    if here.null_kind and (placebos := int(is_placebo(effects).sum())):
        design.append(
            f"{placebos} fixed placebos, rearrangements of the letters, show the size of "
            "chance effects."
        )
    if (models := effects.sizes.get("model", 1)) > 1:
        design.append(f"Effects are of each of {models:,} predictors by itself.")
    if here.n_levels and here.target in TARGET_MEANINGS:
        levels = TARGET_MEANINGS[here.target].levels
        design.append(f"The trial was run {levels.format(n=f'{here.n_levels:,}')}.")
    return [sentence for sentence in design if sentence]


def _arms(effects: xr.Dataset) -> str:
    """Return what was compared: in do-notation where it is short, else a number."""
    if "do" not in effects.variables:
        return ""
    named = effects.isel(contrast=~is_placebo(effects))
    written = zip(named["contrast"].to_numpy(), named["do"].to_numpy(), strict=True)
    text = "; ".join(f"{name}, {do}" for name, do in written if do)
    of_means = about(effects, None).transform == "function"  # no difference of two
    if named.sizes["contrast"] > _ARMS_WRITTEN_OUT or len(text) > _DO_LETTERS:
        of_means = True
    if of_means or not text:
        return f"{named.sizes['contrast']:,} contrasts of interventions were estimated."
    return f"Contrasts, in do-notation: {text}."


def _estimand(effects: xr.Dataset) -> list[str]:
    """Return what is estimated, and how."""
    here = about(effects, None)
    if not here.method and not here.estimand:
        return []
    on = scale_text(effects.attrs)
    if here.transform in _SCALE_WORDS:
        on = f"{_SCALE_WORDS[here.transform]}, on {here.scale or 'the outcome'}"
    defined = f": {here.estimand}" if here.estimand else ""
    if here.weights == "clusters" and here.cluster not in (None, "unit"):
        defined += f", {here.cluster}s weighted alike"
    found = [
        "The estimand is the average causal effect (ACE) on "
        f"{on}{population_text(effects)}{defined}."
    ]
    if here.method:
        found.append(f"Estimator: {_FITS.get(here.method, here.method)}.")
    if here.moderated_rows is not None and here.prior_df is not None:
        df = "infinite" if math.isinf(here.prior_df) else f"{here.prior_df:.3g}"
        found.append(
            f"Variances were moderated over {here.moderated_rows:,} rows by empirical "
            f"Bayes (limma's, {df} prior degrees of freedom)."
        )
    return found


def _intervals(effects: xr.Dataset) -> list[str]:
    """Return sentences on intervals and p-values."""
    if "lower" not in effects:
        return []
    here = about(effects, None)
    level = percent(float(about(effects, 0.95).ci_prob))
    kind = "Prediction intervals" if here.target == "next predictor" else "Intervals"
    how = "each by itself"
    if is_simultaneous(effects):
        how = f"simultaneous ({METHOD_NAMES.get(str(here.band), here.band)}, {here.family})"
    elif here.error == "sequence":
        how = "at every look (confidence sequences)"
    found = [f"{kind} are at {level}, {how}."]
    if "p" in effects:
        found.append(f"p is two-sided, of an effect of {null_value(effects):g}.")
    if not uses_skewness(effects):
        return found
    laws = ["Student's t"]
    if "se_welch" in effects:
        laws.append("Welch's t")
    elif "se_pooled" in effects and bool((effects["se_pooled"] > 0).any()):
        laws.append("t by the arms' pooled variance")
    last = "Hall's transformed t, which allows for skewed effects"
    of_two = WEIGHT in effects and (effects[WEIGHT] != 0).any("own")
    if of_two is not False and bool(of_two.any()):
        proportions = "limits of proportions combined by arm (MOVER)"
        where = f"{last}; where outcomes take two values, {proportions} in its place"
        last = proportions if bool(of_two.all()) else where
    found.append(
        f"Each interval is the union of those of {', '.join(laws)} and {last}. p is the "
        "largest of theirs."
    )
    return found


def _verdicts(effects: xr.Dataset) -> list[str]:
    """Return sentences on the rule of verdicts and the error rate."""
    rate = _ERROR_RATES.get(str(about(effects, None).error), "")
    if "p_matched" in effects:  # ranks among matched variants, which have one side
        rate = "q is Benjamini-Hochberg's."
    said = [*verdict_method(effects).split("\n"), rate]
    return [sentence for sentence in said if sentence]


def _shrunken(effects: xr.Dataset) -> list[str]:
    """Return a sentence on the hierarchical model."""
    level = percent(float(about(effects, 0.95).ci_prob))
    shrink = analysis_in_attrs(effects.attrs).shrink
    prior = shrink.prior if isinstance(shrink, Shrinkage) else None
    law = "a mixture of two normal scales with one center, learned in each task"
    if prior is not None:
        law = f"one normal scale with the prior {prior}"
    if about(effects, None).across:
        law = "learned over patterns of tasks (adaptive shrinkage)"
    return [
        "Shrunken effects are posterior means of a hierarchical model whose law of true "
        f"effects is {law}, with central {level} credible intervals; they decide "
        "nothing, and lfsr holds if no effect is exactly 0."
    ]


def _software(attrs: Mapping[Any, Any]) -> str:
    """Return versions, seed and fingerprints."""
    ran = f"causalgia {about(attrs, causalgia.__version__).causalgia}"
    others = (("python", "Python"), ("numpy", "NumPy"))
    versions = [f"{name} {attrs[key]}" for key, name in others if key in attrs]
    ran += f" ({', '.join(versions)})" if versions else ""
    seed = Seed.stored(about(attrs, "").rng)
    ran += "" if seed is None else f", seed {seed}"
    prints = [
        f"{name} {attrs[f'{name}_fingerprint']}"
        for name in ("design", "null", "predictor")
        if f"{name}_fingerprint" in attrs
    ]
    ran += f"; fingerprints: {', '.join(prints)}" if prints else ""
    return f"Computed with {ran}."


def audit_paragraph(found: Pictured) -> str:
    """Return the paragraph of a paper's methods."""
    n, made = found.counts, found.settings
    return (
        f"{n['distinct']:,} different sequences of {made.get('length', '?')} bp were split "
        f"by parent into {n['proposing']:,} that propose, {n['testing']:,} that test and "
        f"{n['reserved']:,} that confirm. Attribution maps of {found.plan.n_mapped:,} of the "
        f"first proposed {n['proposed']:,} motifs. Each was tested in two ways: by "
        "overwriting its sites in the testing sequences by their own letters in another "
        "order, and by embedding it in dinucleotide shuffles of these sequences. It is "
        "read where what is lost exceeds a fifth of the standard deviation of predictions, or "
        "what it does alone lies three tenths of it beyond the 95 % prediction limits of 19 "
        "words of its letters in other orders "
        f"(false discovery rate {LEVEL:g}, Benjamini-Hochberg, over motifs, tasks and both "
        "tests). Pairs of motifs were embedded at every gap, order and strand, with each "
        "motif alone at its place; rules are runs of gaps whose interaction has one sign. "
        f"Motifs and rules were tested again on the {n['reserved']:,} reserved sequences and "
        "their shuffles, with p-values of a tree of hypotheses, in which a rule stands below "
        "one of its motifs (Meinshausen 2008). The share of the variance of predictions on the "
        "reserved sequences was that of ridge regression on counts of sites, composition and "
        "occurrences of rules, with coefficients from the other sequences. Software: "
        f"causalgia {made.get('causalgia', '')}, seed {made.get('rng', '')}."
    )

"""The verb `methods`: a paragraph of methods and one of results for a paper, with the works to cite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xarray as xr

from causalgia.choices import VERDICTS
from causalgia.effect_table import select_tasks
from causalgia.errors import printable
from causalgia.estimation.ratios import null_value
from causalgia.notes import notes_of
from causalgia.paper.citations import Work, works
from causalgia.reporting._trial_report import count_clause, population_text, scale_text, versus
from causalgia.reporting.effect_rows import Row, as_reportable
from causalgia.reporting.effect_rows import rows as rows_of
from causalgia.reporting.rounded_numbers import format_effect, p_clause
from causalgia.reporting.verdict_sentences import is_decided, trial_history, verdict_in_words, verdict_method

if TYPE_CHECKING:
    from causalgia.experiments import Answer

_FEW = 6
_ADJUSTMENTS = {
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "holm": "Holm",
    "hochberg": "Hochberg",
    "bonferroni": "Bonferroni",
    "storey": "Storey's q",
    "bootstrap_t": "bootstrap-t",
    "dunnett": "Dunnett",
    "sign_flip": "sign flips",
    "hierarchical": "Benjamini-Bogomolov",
}
_PROSE = (
    (
        r"^mean ICE; s\^2 / n, t with n - 1 df",
        "the mean of the individual causal effects, with standard error s/√n "
        "and t intervals on n − 1 degrees of freedom",
    ),
    (
        r"^mean over (\w+)s of their mean ICE; t with G - 1 df",
        r"the mean over \1s of their mean individual causal "
        r"effect, with t intervals on the number of \1s less one degrees of freedom",
    ),
    (
        r"^mean ICE of exactly these (units|sequences); nothing is sampled, so the standard error is 0",
        r"the mean of the individual causal effects of exactly these \1, of which nothing is sampled",
    ),
    (
        r"^mean ICE over units and (\w+), both drawn; crossed",
        r"the mean of the individual causal effects over units and "
        r"\1, with both drawn from a population (crossed random effects)",
    ),
    (
        r"^mean ICE with these parents fixed; variance within parents",
        "the mean of the individual causal effects, with the variance within fixed parents",
    ),
    (r"^mean ICE", "the mean of the individual causal effects"),
    (r"^difference in means", "the difference between the means of the arms"),
    (r"; Neyman's variance, Welch df", ", with Neyman's variance and Welch's degrees of freedom"),
    (
        r"(?:;|,) CR2 by (\w+), Satterthwaite (?:\(Bell-McCaffrey\) )?df",
        r", with cluster-robust (CR2) standard errors by \1 and Satterthwaite degrees of freedom",
    ),
    (r"(?:;|,) Satterthwaite df", ", with Satterthwaite degrees of freedom"),
    (r"; HC2", ", with HC2 standard errors"),
)
"""Words of attrs["method"] -> words of a paper; what is not named here is cited as it stands."""


@dataclass(frozen=True, repr=False)
class Paragraphs:
    """Paragraphs for a paper; printed, they are both, followed by the works to cite.

    Attributes
    ----------
    methods
        Design, estimand, estimator, intervals, verdicts and software.
    results
        Each effect with its interval and verdict; of more than six, their number by verdict and the largest.
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
        return f"Methods\n\n{self.methods}\n\nResults\n\n{self.results}\n\nTo cite\n\n{cited}"

    __repr__ = __str__


def methods(x: xr.Dataset | Answer, *, task: str | Sequence[str] | None = None) -> Paragraphs:
    """Return a paragraph of methods and one of results for a paper, with the works to cite.

    Every sentence comes from the attributes of the Dataset: change the analysis, and the paragraph follows. What the
    Dataset does not know, such as what the network was trained on, is yours to add.

    Parameters
    ----------
    x
        Estimates, decisions, the fit of an MPRA, or the `~causalgia.experiments.Answer` of an experiment.
    task
        Tasks of the results: a name, a pattern such as ``"DNASE:*"``, or several. None: all.

    Returns
    -------
    Paragraphs
        Text ``methods`` and ``results``, ``works`` to cite, and these as ``bibtex``.

    Raises
    ------
    OutcomesError
        If there are no effects in it; a posterior goes through `causalgia.decide` first.
    ContrastError
        If there is no such task.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(from_effects([1.4], se=[0.1], names=["GATA1"]), rope=(-0.1, 0.1))
    >>> print(methods(decided).results)
    Of 1 effect, 1 increases. GATA1: ACE 1.40 (95 % interval [1.20, 1.60]); increases, above the ROPE -0.1 to 0.1 \
(q < 1e-4).
    """
    if isinstance(decisions := getattr(x, "decisions", None), xr.Dataset):  # of an answer
        x = decisions
    effects = select_tasks(as_reportable(x), task, place="methods: ")
    parts = [
        *_design(effects),
        *_estimand(effects),
        *_inference(effects),
        *_history(effects),
        *_software(effects.attrs),
    ]
    return Paragraphs(printable(" ".join(parts)), printable(_results_paragraph(effects)), works(effects))


def _design(effects: xr.Dataset) -> list[str]:
    """Return sentences on the experiment: backgrounds, assignment and interventions."""
    attrs, counts = effects.attrs, count_clause(effects)
    if "null_kind" not in attrs:
        given = "Effects and their standard errors were given" if "se" in effects else "Effects were given"
        return [] if "method" in attrs or "estimand" in attrs else [f"{given}{f', on {counts}' if counts else ''}."]
    drawn = f"Background sequences were {attrs['null']}{f' ({counts})' if counts else ''}."
    each = {
        "crossover": "Every background was given to the predictor under every arm (crossover), so that an individual "
        "causal effect (ICE) is a difference between two predictions for one background.",
        "parallel": "Each background was randomized to one arm (parallel groups).",
    }.get(str(attrs.get("assignment")), "")
    do = {row["contrast"]: row["do"] for row in rows_of(effects) if row["do"] and not row["placebo_word"]}
    arms = "; ".join(f"{name}, {text}" for name, text in do.items())
    words = sum(row["placebo_word"] for row in rows_of(effects.isel(task=slice(1))))
    return [
        drawn,
        *([each] if each else []),
        *([f"Interventions, in do-notation: {arms}."] if 0 < len(do) <= _FEW else []),
        *(
            [f"{words} fixed placebo words, rearrangements of the letters, show the size of chance effects."]
            if words
            else []
        ),
    ]


def _estimand(effects: xr.Dataset) -> list[str]:
    attrs = effects.attrs
    what = f": {attrs['estimand']}" if attrs.get("estimand") else ""
    first = f"The estimand is the average causal effect (ACE) on {scale_text(attrs)}{population_text(effects)}{what}."
    if not attrs.get("method"):
        return [first]
    method = str(attrs["method"])
    for pattern, prose in _PROSE:
        method = re.sub(pattern, prose, method)
    return [first, f"It was estimated by {method}."]


def _inference(effects: xr.Dataset) -> list[str]:
    """Return sentences on intervals, p-values, adjustment and verdicts."""
    attrs = effects.attrs
    if is_decided(effects):
        return verdict_method(effects).split("\n")
    if "lower" not in effects:
        return []
    level = f"{100 * float(attrs.get('ci_prob', 0.95)):.4g} %"
    if "band" in attrs:
        return [f"Intervals are simultaneous at {level} ({str(attrs['band']).replace('_', '-')}, {attrs['family']})."]
    tests = f"; p-values are two-sided, of an effect of {null_value(effects):g}" if "p" in effects else ""
    by = _ADJUSTMENTS.get(str(attrs.get("adjust")), str(attrs.get("adjust")))
    adjusted = f", adjusted over {attrs['family']} ({by})" if "adjust" in attrs else ""
    return [f"Intervals are at {level}{tests}{adjusted}."]


def _history(effects: xr.Dataset) -> list[str]:
    notes = [note.rstrip(".") for note in notes_of(effects)]
    return [*trial_history(effects.attrs), *(f"{note[:1].upper()}{note[1:]}." for note in notes if note)]


def _software(attrs: Mapping[Any, Any]) -> list[str]:
    import causalgia

    names = (("python", "Python"), ("numpy", "NumPy"))
    versions = ", ".join(f"{name} {attrs[key]}" for key, name in names if key in attrs)
    prints = ", ".join(
        f"{name} {attrs[f'{name}_fingerprint']}"
        for name in ("design", "null", "predictor")
        if f"{name}_fingerprint" in attrs
    )
    ran = f"causalgia {attrs.get('causalgia', causalgia.__version__)}{f' ({versions})' if versions else ''}"
    seed = f", seed {attrs['rng']}" if str(attrs.get("rng", "")).lstrip("-").isdigit() else ""
    return [f"Computed with {ran}{seed}{f'; fingerprints: {prints}' if prints else ''}."]


def _results_paragraph(effects: xr.Dataset) -> str:
    table = [row for row in rows_of(effects) if not row["placebo_word"]]
    null = null_value(effects)
    shown = table if len(table) <= _FEW else sorted(table, key=lambda row: -abs(row["ace"] - null))[:_FEW]
    sentences = [_sentence(effects, row) for row in shown]
    if not is_decided(effects):
        more = len(table) - len(shown)
        return " ".join(
            [*sentences, *([f"These are the largest; {more:,} more effects are in the table."] if more else [])]
        )
    number = {word: sum(row["verdict"] == word for row in table) for word in VERDICTS}
    verbs = {"increases": ("increases", "increase"), "decreases": ("decreases", "decrease")}
    counts = [f"{n:,} {verbs.get(word, (f'is {word}', f'are {word}'))[n != 1]}" for word, n in number.items() if n]
    first = f"Of {len(table):,} effect{'s' if len(table) != 1 else ''}, {', '.join(counts)}."
    largest = ["The largest:"] if len(shown) < len(table) else []
    return " ".join([first, *largest, *sentences])


def _sentence(effects: xr.Dataset, row: Row) -> str:
    attrs = effects.attrs
    where = "".join(f" in {row[name]}" for name in ("task", "model") if effects.sizes.get(name, 1) > 1)
    control = f" {versus(attrs)} {attrs['control']}" if attrs.get("control") else ""
    ace, interval = format_effect(row)
    level = 100 * float(row.get("interval_level", attrs.get("ci_prob", 0.95)))
    size = (
        f"ACE {ace} ({level:.4g} % interval {interval})" if interval and not row.get("exact") else f"ACE {ace}, exactly"
    )
    if not interval:
        size = f"ACE {ace}"
    claim = f"; {verdict_in_words(row, attrs)}" if is_decided(effects) else ""
    if not claim and "p" in row:
        name = "p_adjusted" if "p_adjusted" in row else "p"
        clause = p_clause(row[name], name="adjusted p" if name == "p_adjusted" else "p", exact=bool(row.get("exact")))
        claim = f"; {clause}" if clause else ""
    return f"{row['contrast']}{control}{where}: {size}{claim}."

"""The verb `report`, for trials on predictors and the bench, and `checklist`: what a
paper must report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, overload

import xarray as xr

from causalgia import _check, experiments
from causalgia.attributes import about, has, of_sequences
from causalgia.checks import first_of
from causalgia.choices import DIRECTIONS, INSIDE, ROPES_OF_DATA, requested_parts
from causalgia.effect_table import has_positions, select_tasks
from causalgia.errors import DataError, printable, quoted, type_in_words
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import keeps_effects, with_selected_dims
from causalgia.tell._curve_report import curve_report
from causalgia.tell._trial_report import count_clause
from causalgia.tell.answers import ReportText, every_row, trial_report
from causalgia.tell.effect_rows import Rows, as_reportable, is_posterior, readable
from causalgia.tell.small_answers import (
    OF_AGREEMENT,
    agreement_parts,
    is_size,
    is_spread,
    posterior_parts,
    refutation_parts,
    size_report,
    spread_parts,
)
from causalgia.tell.table_formats import markdown_table
from causalgia.tell.verdict_sentences import (
    family_in_words,
    is_decided,
    kind_of_region,
    region_in_words,
    tipping_report,
    weakest_verdict,
)
from causalgia.types import GivenTable, PosteriorGroups

if TYPE_CHECKING:
    from causalgia._discover import Discovery

#: describing function of each kind of Dataset of the bench, and variables that no other
#: kind has
_OF_BENCH = {
    "describe_concordance": {"noise_ceiling"},
    "describe_fit": {"ace", "n_barcodes", "weight"},
    "describe_quality": {"never_seen"},
    "describe_counts": {"oligo_index"},
    "describe_library": {"oligo", "insert"},
    "describe_power": {"half_width", "power", "alpha", "lost"},
}

_IN_ROWS = (
    *("describe_fit", "describe_concordance", "describe_quality"),
    "describe_power",
)
_ON_REQUEST = ("arms", "sentences", "notes")

_TAKES = (
    "report takes outcomes (cg.run, cg.from_frame), effects (cg.contrast), "
    "estimates (cg.estimate, cg.from_effects), decisions (cg.decide), a posterior "
    "(cg.infer), cg.verdicts.heterogeneity and results of cg.mpra (library, "
    "read_counts, filter, quality, fit, concordance, power)"
)
_INSTEAD = {
    "Design": "run it first: outcomes = cg.run(design, predictor, rng=0)",
    "Experiment": "run it first: print(experiment.analyze(cg.run(experiment, predictor, rng=0)))",
    "Analysis": "it is a plan: give it to cg.run(..., analysis=), and report the outcomes",
    "DataFrame": (
        "make a Dataset of it first: cg.from_frame for outcomes, "
        "cg.from_effects for effects with se"
    ),
    "str": "read the file first: cg.open(path), or cg.store.load(path, 'outcomes')",
    "Results": "report one of its parts: cg.report(results.outcomes)",
}
"""Class of what is no result of a trial -> what to do instead."""


class HasReport(Protocol):
    """A result that reports itself, such as that of `causalgia.discover`."""

    @property
    def report(self) -> Callable[..., ReportText]:
        """Return the answer as text."""


@overload
def report(
    dataset: GivenTable
    | PosteriorGroups
    | experiments.Answer
    | Discovery
    | _check.Check,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: Literal["size", "file"] = "size",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
    path: None = None,
) -> ReportText: ...


@overload
def report(
    dataset: GivenTable | PosteriorGroups | experiments.Answer | Discovery,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    path: str | PathLike[str],
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
) -> Path: ...


@usual_errors
def report(
    dataset: GivenTable
    | PosteriorGroups
    | experiments.Answer
    | _check.Check
    | HasReport,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: Literal["size", "file"] = "size",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
    path: str | PathLike[str] | None = None,
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
) -> ReportText | Path:
    """Report a result as text or as a page: of a trial (outcomes, estimates,
    decisions), or of the bench.

    Outcomes are described by population, units, arms in do-notation, predictor and
    analysis. Estimates and decisions have the answer in one to three sentences, a table
    of effects (directions first, the largest on top, then undecided, then negligible
    ones; fixed placebos in one line), and at most three lines under it: what the
    effects are, how verdicts were reached, what a reader has to know of these rows. A
    profile has a line for each curve: where its band excludes no effect, the largest
    change, the total. A posterior has the sd of true effects, with its interval, and a
    line for each effect: raw, shrunken, lfsr.

    Parameters
    ----------
    dataset
        Effects of another program, as `causalgia.from_effects` takes them, or a
        posterior of `causalgia.infer`: each effect as measured, and as shrunken.

        Of a trial: from `causalgia.run` or `causalgia.from_frame`; from
        `causalgia.estimate`; decisions from
        `causalgia.decide`; the spread of individual effects, of
        `causalgia.verdicts.heterogeneity`; from `causalgia.tipping_point`; or from
        `causalgia.refute`: a line for each check, with its reason and cure.
        The `~causalgia.experiments.Answer` of an experiment, what `causalgia.discover`
        and `causalgia.check` return, and `causalgia.experiments.agreement` of null
        models. Outcomes, effects and verdicts of which one task, contrast, arm or unit
        was selected are taken as well.

        Of the bench: from `causalgia.mpra.library` (oligos by arm, the oligo and its
        parts, the rules and the draws that broke them, the shift from the null model);
        from `read_counts` or `filter` (barcodes, and what filters left out); from
        `quality` (barcodes, dropouts and outliers by arm, agreement of replicates);
        from `fit` (noise, the average over test elements, and the number with an
        effect); or from `concordance` (correlations with the noise ceiling, the line,
        hits, and the elements off the line).
    rows
        ``"summary"``: of effects at most 20 contrasts, one line for the placebos, of
        more than 30 tasks the first 20 rows; ``"all"``: a line for each
        contrast, placebo and task, of a fit also the table of its elements.
    task
        Names or patterns of tasks, one or several, such as ``"DNASE:*"``; None: all.
    order
        ``"size"``, or ``"file"``: rows as they stand in the Dataset.
    arms, sentences, notes
        Whether to print also the definition of each arm, a sentence for each effect
        (with the number of units that an undecided one would need), and the notes on
        method and data.
    path
        A file ending in ``.html``: one self-contained page with the question, the
        answer, its table and one figure; then what could be wrong; method, protocol,
        arms, further figures, provenance and what to cite are folded. A page also takes
        the `~causalgia.experiments.Answer` of an experiment and the result of
        `causalgia.discover`.
    outcomes
        For a page of effects: the outcomes of the trial, whose distributions are drawn.
    refutations
        For a page: the checks of the claim,
        ``value, threshold, status, reason (check)``.

    Returns
    -------
    ReportText or Path
        Text, a `str` that a notebook shows as HTML; tasks stand beside each other where
        100 columns hold them. With `path` that of the page.

    Raises
    ------
    DataError
        If it is anything else, `path` has another ending or cannot be written, a part
        of a page is given without `path`, or `rows` with it.
    EstimateError
        If there is no such task.

    Notes
    -----
    The line of placebos has their number and the range of their estimates, which is
    wider than that of their true effects (`causalgia.multiplicity.placebo.placebo_region`).

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(
    ...     report(
    ...         cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    ...     )
    ... )
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...

    A page:

    >>> import tempfile
    >>> estimates = cg.from_effects(
    ...     [1.4, 0.02], se=[0.1, 0.02], names=["GATA1", "mutant"]
    ... )
    >>> decided = cg.decide(estimates, rope=(-0.1, 0.1))
    >>> report(decided, path=tempfile.mkdtemp() + "/report.html").name
    'report.html'
    """
    posterior = dataset if is_posterior(dataset) else None
    dataset = readable(dataset)
    requested = [
        name
        for name, wanted in (("arms", arms), ("sentences", sentences), ("notes", notes))
        if wanted
    ]
    if path is not None:
        if requested:
            raise DataError(
                f"{requested[0]}=True is for text; a page has all of it: leave it out"
            )
        if rows != "summary":
            raise DataError(
                f"rows={quoted(rows)} is for text; a page has the summary, and "
                "cg.tidy every row"
            )
        return _page(
            dataset,
            path,
            task,
            outcomes=outcomes,
            refutations=refutations,
        )
    for name, part in (
        ("outcomes", outcomes),
        ("refutations", refutations),
    ):
        if part is not None:
            raise DataError(
                f"{name}= is a part of a page; say where to write it: "
                "path='report.html'"
            )
    more = {"order": order, "arms": arms, "sentences": sentences, "notes": notes}
    text = _text(dataset if posterior is None else posterior, rows, task, **more)
    return text if isinstance(text, ReportText) else ReportText(text)


def _text(
    dataset: Any, rows: Rows, task: str | Sequence[str] | None, **more: Any
) -> str:
    """Return a result as text."""
    variables = set(dataset.variables) if isinstance(dataset, xr.Dataset) else set()
    name = next((name for name, own in _OF_BENCH.items() if own <= variables), None)
    if name is None and "tipping_shift" in variables:
        return tipping_report(select_tasks(dataset, task, place="report: "))
    if name is None and {"figure", "status", "cure"} <= variables:
        if task is not None:
            raise DataError(
                f"task={quoted(task)} is for effects, and these are checks of a claim; "
                "leave it out",
                argument="task",
            )
        requested = {key: more.get(key, False) for key in _ON_REQUEST}
        parts = refutation_parts(
            dataset, every_row=every_row(rows), requested=requested_parts(**requested)
        )
        return ReportText(parts.text(), parts.html())
    if type(dataset).__name__ == "Answer":
        reported: str = dataset.report(rows=rows, task=task, **more)
        return reported
    if type(dataset).__name__ == "Check":
        _check_no_task(task, "this is of a predictor")
        return str(dataset)
    if variables >= OF_AGREEMENT:
        requested = {key: more.get(key, False) for key in _ON_REQUEST}
        parts = agreement_parts(
            dataset,
            task=task,
            every_row=every_row(rows),
            requested=requested_parts(**requested),
        )
        return ReportText(parts.text(), parts.html())
    if type(dataset).__name__ in ("Discovery", "Protocol"):
        _check_no_task(task, "this has none of its own")
        known = _ON_REQUEST if type(dataset).__name__ == "Discovery" else ("notes",)
        printed: str = dataset.report(
            rows=rows, **{key: more[key] for key in known if key in more}
        )
        return printed
    if name is None and is_size(dataset):
        _check_no_task(task, "this is a plan")
        return size_report(dataset, rows=rows)
    if name is None and (is_posterior(dataset) or is_spread(dataset)):
        asked: dict[str, Any] = {
            "task": task,
            "every_row": every_row(rows),
            "requested": requested_parts(
                **{k: more.get(k, False) for k in _ON_REQUEST}
            ),
        }
        parts = (
            spread_parts(dataset, **asked)
            if is_spread(dataset)
            else posterior_parts(dataset, order=more.get("order", "size"), **asked)
        )
        return ReportText(parts.text(), parts.html())
    if name is None:
        _check_reportable(dataset)
        dataset = _with_selected_outcomes(dataset)
        if has_positions(dataset) and "ace" in dataset:
            return curve_report(select_tasks(dataset, task, place="report: "))
        return trial_report(dataset, rows=rows, task=task, **more)
    if task is not None:
        raise DataError(
            f"task={quoted(task)} is for results of a trial, and this is one of the "
            "bench; leave it out",
            argument="task",
        )
    if rows != "summary" and name not in _IN_ROWS:
        raise DataError(
            f"rows={quoted(rows)} is for placebos and elements, and this Dataset "
            "has none"
        )
    from causalgia.mpra import text_reports
    from causalgia.mpra.planning import plan_answers

    of_bench = plan_answers if name == "describe_power" else text_reports
    if name in _IN_ROWS:
        requested = {key: more.get(key, False) for key in _ON_REQUEST}
        text: str = getattr(of_bench, name)(dataset, rows=rows, **requested)
    else:
        text = printable(getattr(of_bench, name)(dataset))
    if rows == "summary" or name != "describe_fit":
        return text
    return f"{text}\n\n{trial_report(dataset, rows=rows)}"


def _with_selected_outcomes(dataset: xr.Dataset) -> xr.Dataset:
    """Return outcomes or effects with the dims that a selection dropped."""
    if "ice" in dataset:
        return with_selected_dims(dataset, "effects")
    if "ice_mean" in dataset:
        return with_selected_dims(dataset, "moments")
    if "outcome" in dataset and "ace" not in dataset:
        return with_selected_dims(dataset, "outcomes")
    return dataset


def _check_no_task(task: object, why: str) -> None:
    if task is not None:
        raise DataError(
            f"task={quoted(task)} is for effects, and {why}; leave it out",
            argument="task",
        )


def _page(
    given: Any,
    path: str | PathLike[str],
    task: str | Sequence[str] | None,
    **parts: xr.Dataset | xr.DataTree | None,
) -> Path:
    """Write a page of a result, and return its path."""
    from causalgia.tell.html_page import PageParts, write_page

    if not isinstance(path, str | PathLike):
        raise DataError(
            f"path={quoted(path)} is not a path; give one that ends in .html: "
            "path='report.html'"
        )
    page = Path(path)
    if page.suffix.lower() not in (".html", ".htm"):
        raise DataError(
            f"path={quoted(str(path))}: a page ends in .html; cg.table writes "
            "Markdown, LaTeX and CSV"
        )
    about: dict[str, Any] = {
        name: part.to_dataset() if isinstance(part, xr.DataTree) else part
        for name, part in parts.items()
    }
    outcomes = about["outcomes"]
    of_trial = isinstance(outcomes, xr.Dataset) and (
        keeps_effects(outcomes) or "outcome" in outcomes
    )
    if outcomes is not None and not of_trial:
        raise DataError(
            "outcomes= has no outcomes; give those that the effects are of, "
            "cg.run(design, predictor, rng=0)"
        )
    if not isinstance(given, xr.Dataset) and hasattr(given, "details"):
        about |= {
            "answer": given,
            "question": given.question,
            "sentences": given.sentences,
            "details": given.details,
        }
        given = given.decisions
    elif not isinstance(given, xr.Dataset) and hasattr(given, "n_proposing"):
        from causalgia.tell.discovery_page import discovery_page

        found = replace(discovery_page(given, task), **about)
        return write_page(page, found, task=task)
    if isinstance(given, xr.Dataset) and "ace" in given and not has_positions(given):
        _check_reportable(given)
    else:
        about["text"] = _text(given, "summary", task)
    return write_page(page, PageParts(result=given, **about), task=task)


def _check_reportable(given: Any) -> None:
    """Raise unless it is a result of a trial."""
    if not isinstance(given, xr.Dataset):
        instead = (
            _INSTEAD["str"]
            if isinstance(given, PathLike)
            else _INSTEAD.get(type(given).__name__, "print it")
        )
        raise DataError(f"{_TAKES}, and this is {type_in_words(given)}; {instead}")
    # one contrast that was selected is a coordinate, and no dim
    effects = "ace" in given and {"contrast", "element"} & {
        *given["ace"].dims,
        *given["ace"].coords,
    }
    if not (effects or keeps_effects(given) or "outcome" in given):
        names = (
            ", ".join(quoted(str(name)) for name in list(given.data_vars)[:4])
            or "nothing"
        )
        raise DataError(
            f"{_TAKES}, and this is another Dataset, of {names}; print it, which shows "
            "its variables"
        )


class Item(NamedTuple):
    """A line of the checklist: its section, what a paper reports, what produces it, how
    a result tells it, and whether it is of a network, or of a trial on one, alone.
    """

    section: str
    what: str
    made_by: str
    found: Callable[[xr.Dataset], str]
    of_network: bool = False
    of_trial: bool = False


def _attribute(name: str) -> Callable[[xr.Dataset], str]:
    return lambda effects: str(effects.attrs.get(name, ""))


def _control(effects: xr.Dataset) -> str:
    if about(effects, None).control or "do" not in effects.variables:
        return about(effects, "").control
    return "named by each contrast: see its do-notation"


def _interventions(effects: xr.Dataset) -> str:
    if "do" not in effects.variables:
        return ""
    shown = [
        str(do)
        for do, word in zip(effects["do"].to_numpy(), is_placebo(effects), strict=True)
        if not word
    ]
    return first_of(shown, 3, sep="; ")


def _number(effects: xr.Dataset) -> str:
    stopped = about(effects, None).stopped
    return f"{count_clause(effects) or ''}{f'; {stopped}' if stopped else ''}"


def _plan(effects: xr.Dataset) -> str:
    locked, planned = about(effects, None).protocol, about(effects, None).analysis
    if locked and about(effects, None).protocol_changed:
        return f"locked: {locked}; the outcomes were changed after the run"
    return (
        f"locked: {locked}" if locked else "stored with the outcomes" if planned else ""
    )


def _deviations(effects: xr.Dataset) -> str:
    if not has(effects).analysis:  # nothing to deviate from
        return ""
    return str(about(effects, None).exploratory or "none")


def _region(effects: xr.Dataset) -> str:
    return region_in_words(effects) if is_decided(effects) else ""


def _multiplicity(effects: xr.Dataset) -> str:
    attrs = effects.attrs
    if is_decided(effects):
        families = family_in_words(effects)
        return (
            f"{about(attrs, 'fdr').error} at "
            f"{1 - float(about(attrs, 0.95).ci_prob):.3g}"
            f"{f', over {families}' if families else ''}"
        )
    return ""


def _sizes(effects: xr.Dataset) -> str:
    n = (
        int((~is_placebo(effects)).sum())
        * effects["ace"].size
        // effects.sizes["contrast"]
    )
    return (
        f"{n:,} effect{'s' if n != 1 else ''} with interval{'s' if n != 1 else ''}"
        if "lower" in effects
        else ""
    )


def _verdicts(effects: xr.Dataset) -> str:
    if not is_decided(effects):
        return ""
    found = effects["verdict"].isel(contrast=~is_placebo(effects)).to_numpy()
    inside = INSIDE[kind_of_region(effects.attrs) in ROPES_OF_DATA]
    words = (*DIRECTIONS, inside, "undecided")
    return ", ".join(f"{int((found == word).sum()):,} {word}" for word in words)


def _rare(effects: xr.Dataset) -> str:
    parts = []
    if "leverage" in effects:
        whose = "unit" if about(effects, "unit").cluster == "unit" else "cluster"
        most = 100 * float(effects["leverage"].max())
        parts.append(
            f"one {whose} carries up to {most:.0f} % of the variance of an effect"
        )
    parts += [weakest] if (weakest := weakest_verdict(effects)) else []
    return "; ".join(parts)


def _placebo(effects: xr.Dataset) -> str:
    n = int(is_placebo(effects).sum())
    return f"{n} fixed placebos" if n else ""


def _software(effects: xr.Dataset) -> str:
    names = ("causalgia", "python", "numpy", "rng")
    return ", ".join(
        f"{name} {effects.attrs[name]}" for name in names if name in effects.attrs
    )


def _author(_: xr.Dataset) -> str:
    return ""


ITEMS = (
    Item(
        "Question",
        "the question, and the estimand that answers it",
        "`cg.methods`",
        _attribute("estimand"),
    ),
    Item(
        "Question",
        "that the claim is about the network, and what evidence would extend it to the "
        "cell",
        "you",
        _author,
        of_network=True,
    ),
    Item(
        "Design",
        "the network: architecture, training data, held-out performance",
        "you",
        _author,
        of_network=True,
    ),
    Item(
        "Design",
        "the weights, by their fingerprint",
        "`cg.run`",
        _attribute("predictor_fingerprint"),
        of_network=True,
    ),
    Item(
        "Design",
        "the null model of the backgrounds",
        "`cg.Design(null=)`",
        _attribute("null"),
        of_trial=True,
    ),
    Item(
        "Design",
        "every arm, in do-notation",
        "`cg.Design(arms=)`",
        _interventions,
        of_trial=True,
    ),
    Item(
        "Design",
        "the control, and why it is the right one",
        "`cg.contrast(control=)`",
        _control,
    ),
    Item(
        "Design",
        "the number of backgrounds, and how it was chosen",
        "`cg.sample_size`, `cg.Decided`",
        _number,
    ),
    Item(
        "Design",
        "crossover, or parallel groups with their blocks",
        "`cg.Design`",
        _attribute("assignment"),
    ),
    Item(
        "Analysis",
        "the analysis, fixed before the outcomes",
        "`cg.Analysis`, `causalgia lock`",
        _plan,
    ),
    Item(
        "Analysis",
        "every deviation from it, called exploratory",
        "`cg.analyze`, `causalgia verify`",
        _deviations,
    ),
    Item(
        "Analysis",
        "the estimator of the standard error, with its clusters",
        "`cg.estimate`",
        _attribute("method"),
    ),
    Item(
        "Analysis",
        "the region of practical equivalence, and why it has that size",
        "`cg.decide`",
        _region,
    ),
    Item(
        "Analysis",
        "the error rate, and the family that it holds for",
        "`cg.decide`",
        _multiplicity,
    ),
    Item(
        "Results",
        "every effect that was asked for, with size and interval",
        "`cg.table`",
        _sizes,
    ),
    Item(
        "Results",
        "which effects are negligible and which are undecided",
        "`cg.decide`",
        _verdicts,
    ),
    Item(
        "Results",
        "effects that few backgrounds carry, and what unseen ones would have to do",
        "`cg.report`",
        _rare,
    ),
    Item(
        "Refutation",
        "placebos: how large the effects of rearranged letters are",
        "`cg.placebos`",
        _placebo,
        of_trial=True,
    ),
)
_LAST = (
    Item("Reproduction", "versions and seed", "`cg.run`", _software, of_trial=True),
    Item(
        "Reproduction",
        "the design, in one file",
        "`causalgia reproduce`",
        _attribute("design_fingerprint"),
        of_trial=True,
    ),
)
_REFUTE = Item(
    "Refutation",
    "how the finding could have been wrong",
    "`cg.refute`",
    _author,
    of_trial=True,
)


def checklist(
    x: xr.Dataset | experiments.Answer | None = None,
    *,
    refutation: xr.Dataset | None = None,
) -> str:
    """Return the checklist for a paper that claims "the network learned X", as
    Markdown, filled in from a result.

    Each line has an item, its value in this result, and the function that produces it.
    "say it" marks items that only the authors know, and "missing" those that the result
    does not have.

    Parameters
    ----------
    x
        Estimates, decisions or the `~causalgia.experiments.Answer` of an experiment.
        None: the empty checklist.
    refutation
        Checks of `causalgia.refute`: a line each, with status and reason.

    Raises
    ------
    DataError
        If there are no effects in it.

    References
    ----------
    In the spirit of CONSORT: Schulz, Altman & Moher (2010), doi:10.1136/bmj.c332.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> lines = checklist(from_effects([1.4], se=[0.1], names=["GATA1"])).splitlines()
    >>> [line for line in lines if "interval" in line]
    ['| Results | every effect that was asked for, with size and interval | 1 effect with interval | cg.table |']
    """
    decisions: Any = (
        x if x is None or isinstance(x, xr.Dataset) else getattr(x, "decisions", x)
    )
    effects = None if decisions is None else as_reportable(decisions)
    checks = [_REFUTE] if refutation is None else _refuted(refutation)
    header = [
        "section",
        "report",
        *([] if effects is None else ["in this result"]),
        "made by",
    ]
    lines = [_line(item, effects) for item in (*ITEMS, *checks, *_LAST)]
    return markdown_table(header, lines, [], names=set(header))


def _line(item: Item, effects: xr.Dataset | None) -> list[str]:
    made_by = item.made_by.replace("`", "")
    if effects is None:
        return [item.section, item.what, made_by]
    absent = "say it" if item.made_by == "you" else "missing"
    what = item.what
    if about(effects, None).effect_on == "measured activity":
        if item.of_network:
            absent = "does not apply: these effects were measured"
    elif not of_sequences(effects):
        if item.of_network or item.of_trial:
            absent = "does not apply to a table that no network made"
        what = what.replace("backgrounds", "units")
    return [item.section, what, printable(item.found(effects) or absent), made_by]


def _refuted(refutation: Any) -> list[Item]:
    """Return an item for each check of a refutation, with its status and reason."""
    if not isinstance(refutation, xr.Dataset) or not {"status", "reason"} <= set(
        refutation.variables
    ):
        raise DataError(
            "refutation= takes the checks of cg.refute(outcomes, predictor, rng=0)"
        )

    def stated(text: str) -> Callable[[xr.Dataset], str]:
        return lambda _: text

    texts = (
        refutation[name].to_numpy().astype(str)
        for name in ("check", "status", "reason")
    )
    return [
        Item("Refutation", check, "`cg.refute`", stated(f"{status}: {reason}"))
        for check, status, reason in zip(*texts, strict=True)
    ]

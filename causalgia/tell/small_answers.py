"""Answers of results that have no table of effects: a plan, the agreement of null models, a
posterior, the moderation of individual effects, tipping points, the checks of a claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import four_digits, in_list
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.errors import NAMES_SHOWN, DataError, first_of
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import (
    LEAST_P_SHOWN,
    format_p,
    format_share,
    parse_json,
    rough_percent,
)
from causalgia.notes import Said, notes_of
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.schema import validate
from causalgia.tell._trial_report import part_of_draw, selection_text
from causalgia.tell.answer_sentences import in_words
from causalgia.tell.answers import (
    LETTERS_SHOWN,
    AnswerParts,
    short_answer,
)
from causalgia.tell.checks import CHECKS
from causalgia.tell.effect_rows import posterior_effects
from causalgia.tell.folded_text import cut
from causalgia.tell.foot import in_task, sentences_on_tasks
from causalgia.tell.table_formats import format_effect, percent
from causalgia.tell.verdict_sentences import (
    region_in_words,
)

_HEADINGS_OF_PLAN = {
    "n_units": "units needed",
    "n_clusters": "clusters",
    "half_width": "half width",
    "assurance": "probability",
    "power": "power",
    "minimal_detectable_effect": "smallest effect",
    "se": "SE",
}
_SIZES = ("n_units", "power", "minimal_detectable_effect")


def _cells(found: xr.Dataset, variable: str) -> list[tuple[list[str], xr.Dataset]]:
    """Return the names and the part of each cell of a variable."""
    dims = [str(dim) for dim in found[variable].dims]
    made = []
    for at in product(*(range(found.sizes[dim]) for dim in dims)):
        one = found.isel(dict(zip(dims, at, strict=True)))
        names = [
            str(one[dim].item()) if dim in one.coords else str(i)
            for dim, i in zip(dims, at, strict=True)
        ]
        made.append((names, one))
    return made


def is_size(given: object) -> bool:
    """Return whether it is a result of `causalgia.sample_size`, or of power or minimal
    detectable effect of `causalgia.planning`.
    """
    return isinstance(given, xr.Dataset) and has(given).goal


def size_parts(
    found: xr.Dataset, *, every_row: bool = False, requested: Sequence[str] = ()
) -> AnswerParts:
    """Return the answer on a plan: the number of units that is enough for every row, and
    a line for each row, the largest first. Placebos are not rows of it.
    """
    if "contrast" in found.dims and not is_placebo(found).all():
        found = found.isel(contrast=~is_placebo(found))
    key = next(name for name in _SIZES if name in found.data_vars)
    columns = [name for name in _HEADINGS_OF_PLAN if name in found.data_vars]
    if "n_clusters" in columns and (found["n_clusters"] == found["n_units"]).all():
        columns.remove("n_clusters")
    sign = 1 if key == "power" else -1
    cells = sorted(_cells(found, key), key=lambda cell: sign * float(cell[1][key]))
    hardest, names = cells[0][1], cells[0][0]
    answer = _planned(found, hardest, key)
    dims = [str(dim) for dim in found[key].dims]
    shown = [i for i, dim in enumerate(dims) if found.sizes[dim] > 1]
    if shown and float(hardest[key]) != float(cells[-1][1][key]):
        most = "is the least likely" if key == "power" else "needs the most"
        where = " in ".join(cut(names[i]) for i in shown)
        answer = f"{answer[:-1]}; {where} {most}."
    known = about(found, None)
    averaged = known.goal in ("effect", "verdict") and known.true_effect is None
    foot = ["Averaged over the uncertainty of the pilot."] if averaged else []
    least = known.least_clusters
    if least and int(hardest["n_clusters"]) == least:
        foot.append(
            f"At least {least:,} backgrounds are planned: {least:,} miss an effect on "
            f"1 % of backgrounds with a probability of {0.99**least:.2f}."
        )
    header = [dims[i] for i in shown] + [_HEADINGS_OF_PLAN[x] for x in columns]
    lines = [
        [*(own[i] for i in shown), *(_planned_number(one, name) for name in columns)]
        for own, one in cells
    ]
    return short_answer(
        [answer],
        header,
        lines if len(cells) > 1 else [],
        words=[dims[i] for i in shown],
        foot=foot,
        every_row=every_row,
        requested=requested,
    )


def _planned_number(one: xr.Dataset, name: str) -> str:
    value = one[name].item()
    if name in ("assurance", "power"):
        return f"{value:.2f}" if value < 0.995 else "over 0.99"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _planned(found: xr.Dataset, one: xr.Dataset, key: str) -> str:
    """Return the sentence on the row that needs most."""
    known = about(found, None)
    n = int(one["n_units"]) if key == "n_units" else int(about(found).n_units)
    units = f"{n:,} unit{'s' * (n != 1)}"
    if known.goal == "smallest effect":
        chance = f"{float(about(found).power):.2g}"
        size = _planned_number(one, key)
        return (
            f"{units} show an effect of {size} or more with a probability of {chance}."
        )
    if known.goal == "half width":
        level = percent(float(about(found).ci_prob))
        width = float(one["half_width"])
        return f"{units} give a {level} interval with a half width of {width:.2g}."
    effect = known.true_effect
    whose = "the effect" if effect is None else f"an effect of {effect:g}"
    claim = f"show that {whose} differs from none"
    if known.goal == "verdict":
        claim = f"are enough to decide {_asked_of_region(one, whose)}"
    chance = _planned_number(one, "power" if key == "power" else "assurance")
    return f"{units} {claim}, with a probability of {chance}."


def _asked_of_region(one: xr.Dataset, whose: str) -> str:
    """Return what a verdict on this row of a plan decides."""
    low, high, rows = (
        one[name].item() for name in ("rope_lower", "rope_upper", "n_rows")
    )
    asked = f"whether {whose} lies within {region_in_words(one)}"
    if low == high:
        asked = f"on which side of {four_digits(low)} {whose} lies"
    elif np.isinf(high - low):
        asked = f"whether {whose} is {region_in_words(one)}"
    alone = f" if it is the only verdict among {rows:,} rows" if rows > 1 else ""
    return f"{asked}{alone}"


OF_AGREEMENT = frozenset({"tau", "tau_lower", "tau_upper", "between_sd"})
"""Variables by which an agreement is known."""


def agreement_parts(
    agreement: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer on the agreement of null models, of
    `causalgia.experiments.agreement`: a line for each pair of them.
    """
    shown = select_tasks(agreement, task, place="report: ")
    tasks = tasks_in_table(shown)
    found = [
        _agreement_sentence(name, row) for name, row in _least_agreeing(shown).items()
    ]
    interval = f"{percent(float(about(agreement, 0.95).ci_prob))} interval"
    names = [str(name) for name in shown["null"].to_numpy()]
    lines = []
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        for name in tasks:
            one = shown.isel(null=i, null_=j, task=tasks.index(name))
            lines.append(
                [
                    f"{names[i]} and {names[j]}",
                    name if len(tasks) > 1 else "",
                    f"{float(one['tau']):.2f}",
                    f"[{float(one['tau_lower']):.2f}, {float(one['tau_upper']):.2f}]",
                    format_share(float(one["clear"])),
                ]
            )
    return short_answer(
        [in_task(text) for text in sentences_on_tasks(found, tasks)],
        ["null models", "task", "tau", interval, "clear"],
        lines,
        words=["null models", "task"],
        foot=[
            "tau: Kendall's; clear: pairs of contrasts whose order is clear under both "
            "null models."
        ],
        requested=requested,
        every_row=every_row,
    )


def _least_agreeing(table: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return for each task the two null models that agree least, and the contrast that
    may differ most between them.

    The contrast is the one whose sd between null models has the largest upper limit.
    """
    rows: dict[str, dict[str, Any]] = {}
    for task in table["task"].to_numpy():
        one = table.sel(task=task)
        tau, most = (
            one["tau"].to_numpy(),
            one.isel(contrast=int(one["between_sd_upper"].argmax("contrast"))),
        )
        upper_tau = one["tau_upper"].to_numpy()
        i, j = min(
            combinations(range(len(tau)), 2), key=lambda p: (upper_tau[p], tau[p])
        )
        names = ("tau", "tau_lower", "tau_upper", "clear")
        sd, lower, upper = (
            most[v].item()
            for v in ("between_sd", "between_sd_lower", "between_sd_upper")
        )
        rows[str(task)] = {
            **{name: one[name].to_numpy()[i, j].item() for name in names},
            "n": one.sizes["null"],
            "pair": f"'{one['null'].to_numpy()[i]}' and '{one['null'].to_numpy()[j]}'",
            "contrast": str(most["contrast"].item()),
            "spread": f"{sd:.2g} [{lower:.2g}, {upper:.2g}]",
        }
    return rows


def _agreement_sentence(task: str, row: dict[str, Any]) -> str:
    order = (
        f"Kendall's tau {row['tau']:.2f} [{row['tau_lower']:.2f}, "
        f"{row['tau_upper']:.2f}]"
    )
    spread = (
        "the sd between null models has its largest upper limit for "
        f"'{row['contrast']}', {row['spread']}"
    )
    turned = (1 - row["tau_upper"]) / 2
    if turned > DIFFERENCE_ROUNDING:
        share = rough_percent(turned)
        return Said(
            f"{row['pair']} give different orders ({order}): {share} of the pairs of "
            f"contrasts are reversed; {spread}.",
            task,
        )
    clear = rough_percent(row["clear"])
    same = f"reverse no clear order (clear are {clear} of the pairs of contrasts; "
    if row["clear"] == 1:
        same = "give the same order ("
    return Said(
        f"the {row['n']} null models {same}least alike {row['pair']}, {order}); "
        f"{spread}.",
        task,
    )


_ENDS = {"ace": "", "lower": "_lower", "upper": "_upper"}
_LAWS = {"two_scales": "two normal scales", "normal": "one normal scale"}
_TASKS_IN_ANSWER = 3


def posterior_parts(
    posterior: Any,
    *,
    task: str | Sequence[str] | None = None,
    order: str = "size",
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer on a posterior: how far true effects differ, and a line for each
    effect, raw beside shrunken, the largest first.
    """
    found = select_tasks(posterior_effects(posterior), task, place="report: ")
    raw: dict[str, str] = {name: name for name in _ENDS}
    size = {name: f"shrunken{end}" for name, end in _ENDS.items()}
    raw, size = (raw, size) if "shrunken" in found else ({}, raw)
    several = found.sizes["task"] > 1
    cells = []
    every = _cells(found, "ace")
    for names, one in every:
        row = {new: float(one[old]) for new, old in size.items()}
        if not np.isnan(row["ace"]):
            own = {new: float(one[old]) for new, old in raw.items()}
            texts = *(format_effect(own) if own else ("", "")), *format_effect(row)
            where = [names[0], names[1] if several else ""]
            line = [*where, *texts, format_p(float(one["lfsr"]))]
            cells.append((-abs(row["ace"]), line))
    if order == "size":
        cells.sort(key=lambda cell: cell[0])
    level = percent(float(about(found).ci_prob))
    header = ["contrast", "task", "raw", f"{level} interval", "shrunken"]
    out = len(every) - len(cells)
    return short_answer(
        _spread_of_law(posterior, found, len(cells)),
        [*header, f"{level} credible", "lfsr"],
        [line for _, line in cells],
        words=header[:2],
        foot=[
            "Raw: of each effect and its error alone, by which cg.decide gives verdicts. "
            "Shrunken: posterior mean, a size. lfsr: probability that the sign is wrong, "
            "if no effect is exactly 0.",
            f"{out:,} effects without an error are left out." if out else "",
        ],
        notes=[f"Note: {note}" for note in notes_of(found)],
        requested=requested,
        every_row=every_row,
    )


def _spread_of_law(posterior: Any, found: xr.Dataset, n: int) -> list[str]:
    """Return the sentence on the law of true effects: its sd in each task."""
    from causalgia.posterior.posterior_tree import tree_group

    alone = isinstance(posterior, xr.Dataset | xr.DataTree) and "ace" in posterior
    draws = posterior if alone else tree_group(posterior, "posterior")
    if "tau" in draws:
        tau = draws["tau"]
    elif "tau_narrow" in draws:
        share = draws["share_narrow"]
        wide = (1 - share) * draws["tau_wide"] ** 2
        tau = (share * draws["tau_narrow"] ** 2 + wide) ** 0.5
    else:
        return [f"Posterior of {n:,} effects."]
    tau = tau if "task" in tau.dims else tau.expand_dims(task=["effect"])
    tail = (1 - float(about(found).ci_prob)) / 2
    ends = tau.sel(task=found["task"]).quantile(
        [0.5, tail, 1 - tail], dim=("chain", "draw"), skipna=False
    )
    spreads = [
        " ".join(format_effect(dict(zip(_ENDS, own, strict=True)))) + f" in {cut(name)}"
        for name, own in zip(
            found["task"].to_numpy().astype(str),
            ends.transpose("task", "quantile").to_numpy().tolist(),
            strict=True,
        )
        if not np.isnan(own).any()  # a dead task has no law
    ]
    if found.sizes["task"] == 1:
        spreads = [text.partition(" in ")[0] for text in spreads]
    known = about(draws.attrs, "")
    laws = " or ".join(_LAWS.get(law, law) for law in known.law.split(", ") if law)
    learned = f" Law: {laws}, from {n:,} effects." if laws else ""
    line = f" about the line in {known.covariates}" if known.covariates else ""
    on = f" on {known.contrast_scale}" if known.contrast_scale else ""
    shown = first_of(spreads, _TASKS_IN_ANSWER, sep="; ", thing="task")
    return [f"True effects{on} differ{line} with an sd of {shown}.{learned}"]


_SIDES = {"upstream": "precedes", "downstream": "follows", "either": "is near"}


def moderator_in_words(one: xr.Dataset) -> tuple[str, str]:
    """Return where an effect is ``inside`` and ``outside``, of one moderator of
    `causalgia.moderation`.

    Examples
    --------
    >>> one = {"kind": "motif", "name": "IRF", "strand": "same", "side": "downstream"}
    >>> moderator_in_words(xr.Dataset(one | {"gap_from": 2, "gap_to": 5}))
    ('where IRF follows on the same strand at gaps of 2 to 5 bp', 'elsewhere')
    """
    kind, name = str(one["kind"].item()), cut(str(one["name"].item()))
    if kind == "category":
        other = str(one["reference"].item()) if "reference" in one else ""
        beside = f"where it is {cut(other)}" if other else "elsewhere"
        return f"where {name} is {cut(str(one['level'].item()))}", beside
    if kind == "number":
        return f"where {name} is one sd above its mean", "one sd below"
    first, last = int(one["gap_from"]), int(one["gap_to"])
    gaps = f"gaps of {first} to {last}" if first < last else f"a gap of {first}"
    does = _SIDES[str(one["side"].item())]
    strand = f"on {'the ' * (one['strand'].item() != 'either')}{one['strand'].item()}"
    return f"where {name} {does} {strand} strand at {gaps} bp", "elsewhere"


def moderation_sentence(one: xr.Dataset, of: str) -> str:
    """Return the sentence on one moderator of the effect `of`: how large it is on
    either side, and the share of variance; or that none is named.
    """
    tried = int(one["n_candidates"])
    if not one["named"].item():
        among = f"None of {tried:,} moderators" if tried else "No moderator"
        return (
            f"{among} explains {format_share(0.05)} of the variance of effects of "
            f"{of} between sequences, with p <= .05."
        )
    inside, outside = (
        format_effect({"ace": float(one[name]), "se": float(one["se"])})[0]
        for name in ("inside", "outside")
    )
    where, elsewhere = moderator_in_words(one)
    n = int(one["n_inside"] + one["n_outside"])
    held_out = " held-out" if tried else ""
    return (
        f"The effect of {of} is {inside} {where}, {outside} {elsewhere}: "
        f"{format_share(float(one['share']))} of its variance in {n:,}{held_out} units "
        f"(p {format_p(float(one['p']))})."
    )


def moderation_parts(
    found: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer of `causalgia.moderation`: how individual effects differ
    between contexts and what moves them, a line for each contrast, task and moderator.
    """
    found = select_tasks(validate(found, "moderation"), task, place="report: ")
    dims = [str(dim) for dim in found["sd"].dims]
    level, shares = (
        percent(float(about(found).ci_prob)),
        [name for name in ("above", "below") if name in found],
    )
    n_moderators = found.sizes.get("moderator", 0)
    cells, moderators = [], []
    for names, one in _cells(found, "sd"):
        size = format_effect(
            {new: float(one[f"sd{end}"]) for new, end in _ENDS.items()}
        )
        low, high = (
            format_effect({"ace": float(q), "se": float(one["sd"]) / 10})[0]
            for q in one["quantiles"].to_numpy()[[0, -1]]
        )
        of = " in ".join(map(cut, names))
        spread = [*size, low, high, *(format_share(float(one[x])) for x in shares)]
        cells.append((float(one["sd"]), of, spread))
        for at in range(n_moderators):
            own = one.isel(moderator=at)
            line = _moderator_line(own) if own["kind"].item() else [""] * 5
            moderators.append((own, of, [*names, *spread, *line]))
    _, widest, (sd, interval, low, high, *_) = max(cells, key=lambda cell: cell[0])
    sentences = [
        f"Effects of {widest} differ between single sequences with an sd of {sd} "
        f"{interval}: 5 % are below {low}, 95 % below {high}."
    ]
    if moderators:
        best, of, _ = max(
            moderators,
            key=lambda x: (x[0]["named"].item(), np.nan_to_num(x[0]["share"].item())),
        )
        sentences.insert(0, moderation_sentence(best, of))
    lines = [line for *_, line in moderators] or [
        [*names, *spread]
        for (names, _), (*_, spread) in zip(_cells(found, "sd"), cells, strict=True)
    ]
    selection = selection_text(found)
    named = found["reference"].to_numpy().ravel() if "reference" in found else ()
    references = [cut(str(name)) for name in dict.fromkeys(named) if name]
    columns = [*dims, "sd", f"{level} interval", "5 %", "95 %", *shares]
    more = ["moderator", "effect", "elsewhere", "share", "p"] if moderators else []
    return short_answer(
        sentences,
        [*columns, *more],
        lines,
        words=dims,
        foot=[
            _not_tried(found),
            "Contexts were drawn, not set: a moderator is proposed, and a trial in "
            "which both are set confirms it."
            if moderators
            else "",
            "Elsewhere: of a category of several levels, at the level it is compared "
            f"with, {in_list(references)}."
            if references
            else "",
            "A level that one unit, or cluster, alone has: its spread is unknown, its "
            "interval open, and its p 1."
            if "unbounded" in found and bool(found["unbounded"].any())
            else "",
            "Above, below: shares of units beyond the region." if shares else "",
            selection and f"{selection[0].upper()}{selection[1:]}.",
        ],
        every_row=every_row,
        requested=requested,
    )


def _not_tried(found: xr.Dataset) -> str:
    """Return which motifs were asked for and not compared; empty if all were."""
    known = about(found, None)
    if known.not_tried is None:
        return ""
    names = first_of(map(cut, known.not_tried.splitlines()), NAMES_SHOWN)
    return (
        f"Not tried: {names}, in too few sequences within {known.max_gap} bp of the site "
        "(max_gap=)."
    )


def _moderator_in_short(one: xr.Dataset) -> str:
    """Return name and level of a moderator, or name and place of a motif."""
    name, level = cut(str(one["name"].item())), cut(str(one["level"].item()))
    if one["kind"].item() != "motif":
        return f"{name}: {level}" if level else name
    first, last, side, strand = (
        one[key].item() for key in ("gap_from", "gap_to", "side", "strand")
    )
    gaps = f"{first} to {last}" if first < last else str(first)
    return f"{name}, {side} {gaps} bp, {strand} strand"


def _moderator_line(one: xr.Dataset) -> list[str]:
    """Return a moderator, the effect with and without it, share and p."""
    inside, outside = (
        format_effect({"ace": float(one[name]), "se": float(one["se"])})[0]
        for name in ("inside", "outside")
    )
    return [
        _moderator_in_short(one),
        inside,
        outside,
        format_share(float(one["share"])),
        format_p(float(one["p"])),
    ]


def tipping_parts(
    found: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer of `causalgia.tipping_point`: which verdicts hold over the whole
    range that the units support, and a line for each contrast and task, those that turn
    first.

    Examples
    --------
    >>> import causalgia as cg
    >>> sites = cg.FunctionPredictor(
    ...     lambda x: 2 * x[:, 1:3].mean((1, 2)) * (x[:, 0, 9] - x[:, 3, 9]),
    ...     tasks=["K562"],
    ... )
    >>> arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    >>> outcomes = cg.run(
    ...     cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=600), sites, rng=0
    ... )
    >>> print(
    ...     tipping_parts(
    ...         cg.tipping_point(outcomes, contrast="A - T", rope=(-0.8, 0.8))
    ...     ).text()
    ... )
    The verdict turns within the range of gc that these units support (0.3147 to 0.6907): A - T at
    0.4291.
    <BLANKLINE>
    contrast  verdict       ACE     95 % interval  holds from      to  turns to         ACE leaves at
    A - T     increases  0.9603  [0.9432, 0.9774]      0.4346  0.6907  undecided below         0.4182
    <BLANKLINE>
    Weights on the 600 predicted units move the mean of gc, 0.5054, by -1.75 to +1.70 sd (of 0.109): 50
    or more effective units of 600 are left. ACE on outcome over uniform random sequences of 20 bp;
    verdicts against ±0.8. ACE leaves at: the ACE itself is in another region.
    """
    validate(found, "tipping")
    found = select_tasks(found, task, place="report: ")
    known, dims = about(found), [str(x) for x in found["rope_lower"].dims]
    shown = [i for i, x in enumerate(dims) if x == "contrast" or found.sizes[x] > 1]
    cells = [
        ([names[i] for i in shown], _turning(one))
        for names, one in _cells(found, "rope_lower")
    ]
    cells.sort(key=lambda cell: not cell[1].turns_at)
    low, high = found["covariate_mean"].to_numpy()[[0, -1]]
    supported = f"that these units support ({four_digits(low)} to {four_digits(high)})"
    over = f"over the whole range of {known.covariate} {supported}"
    turn = [
        f"{' in '.join(map(cut, names))} at {' and '.join(row.turns_at)}"
        for names, row in cells
        if row.turns_at
    ]
    n, kept = len(cells), len(cells) - len(turn)
    if low == high:
        answer = (
            f"These units support no other mean of {known.covariate}: too few effective "
            "ones would be left."
        )
    elif n == 1 and turn:
        answer = (
            f"The verdict turns within the range of {known.covariate} {supported}: "
            f"{turn[0]}."
        )
    elif not turn:
        hold = f"Each of the {n:,} verdicts" if n > 1 else "The verdict"
        answer = f"{hold} holds {over}."
    else:
        hold = f"{kept:,} of {n:,} verdicts hold{'s' * (kept == 1)}"
        listed = first_of(turn, NAMES_SHOWN, sep="; ", thing="verdict")
        answer = f"{hold} {over}. The verdict turns for {listed}."
    level = percent(float(known.ci_prob))
    own = ["verdict", "ACE", f"{level} interval", "holds from", "to", "turns to"]
    return short_answer(
        [answer],
        [*(dims[i] for i in shown), *own, "ACE leaves at"],
        [[*names, *row.cells] for names, row in cells],
        words=[*(dims[i] for i in shown), "verdict", "turns to"],
        foot=_foot_of_tilt(found, leaves=any(row.cells[-1] for _, row in cells)),
        every_row=every_row,
        requested=requested,
    )


class _Turning(NamedTuple):
    """A line of tipping points: its cells, and where its verdict turns."""

    cells: list[str]
    turns_at: list[str]


def _turning(one: xr.Dataset) -> _Turning:
    """Return how far the verdict of one contrast and task holds."""
    columns = {name: f"tilted_{name}" for name in ("ace", "se", "lower", "upper")}
    here = one.sel(shift=0)
    row = {new: float(here[old]) for new, old in columns.items()}
    mean, shifts = one["covariate_mean"].to_numpy(), one["shift"].to_numpy().tolist()
    holds, to, at, leaves = [], [], [], []
    for side, inward, word in (("down", 1, "below"), ("up", -1, "above")):
        turn = one.sel(side=side)
        turns, end = turn["turns"].item(), shifts.index(turn["tipping_shift"].item())
        holds.append(four_digits(mean[end + inward * turns]))
        if turns:
            to.append(f"{turn['turns_to'].item()} {word}")
            at.append(four_digits(float(turn["tipping_covariate"])))
        if turn["leaves"].item():
            left = shifts.index(turn["leaving_shift"].item())
            leaves.append(four_digits(mean[left]))
    verdict = str(here["tilted_verdict"].item())
    cells = [verdict, *format_effect(row), *holds, ", ".join(to), ", ".join(leaves)]
    return _Turning(cells, at)


def _foot_of_tilt(found: xr.Dataset, *, leaves: bool) -> list[str]:
    """Return what was tilted and how far, and what supports the range."""
    here, known = about(found), about(found, None)
    first, last = found["shift"].to_numpy()[[0, -1]]
    scale = known.contrast_scale or known.scale
    of = f"{f' on {scale}' if scale else ''}{f' over {known.null}' if known.null else ''}"
    of += part_of_draw(found)
    stated = (found["rope_lower"] < found["rope_upper"]).any()
    region = f"against {region_in_words(found)}" if stated else "of direction alone"
    return [
        f"Weights on the {here.n_units:,} predicted units move the mean of "
        f"{here.covariate}, {four_digits(here.covariate_at_0)}, by {first:+.2f} to "
        f"{last:+.2f} sd (of {four_digits(here.covariate_sd)}): {here.least_ess} or more "
        f"effective {known.cluster or 'unit'}s of {here.n_clusters:,} are left.",
        f"ACE{of}; verdicts {region}.",
        "ACE leaves at: the ACE itself is in another region."
        if leaves
        else "No ACE leaves its region.",
    ]


_VERBS = {
    "fail": ("fails", "fail"),
    "warn": ("warns", "warn"),
    "pass": ("passes", "pass"),
}
_FIGURE_LETTERS = 56
_FEW_CLAIMS = 2
_NO_CLAIM = "No contrast has a significant effect, so there is no claim to refute"
_AT_MOST = {name for name, row in CHECKS.items() if row.at_most}


def refutation_parts(
    found: xr.Dataset,
    *,
    every_row: bool = False,
    requested: Sequence[str] = (),
    noted: str = "notes=True",
    each: str = "sentences=True",
) -> AnswerParts:
    """Return the answer of checks, from `causalgia.refute` or from one of
    `causalgia.refutation`: whether one refutes the claim, failures and warnings first
    (with `every_row` in the order in which they were made).

    Examples
    --------
    >>> columns = {
    ...     "value": 0.2,
    ...     "threshold": 0.05,
    ...     "status": "warn",
    ...     "figure": "rank p-value",
    ...     "n_predictions": 40,
    ... }
    >>> columns |= {
    ...     "reason": "3 of 19 placebos have the effect or more",
    ...     "cure": "claim less",
    ... }
    >>> one = xr.Dataset(
    ...     {name: ("check", [x]) for name, x in columns.items()},
    ...     {"check": ["beyond placebos"]},
    ... )
    >>> parts = refutation_parts(
    ...     one.assign_attrs(
    ...         claims='["GATA1 on K562"]', not_applicable="balance: a crossover"
    ...     )
    ... )
    >>> print(parts.text())
    The effect of GATA1 on K562: of 1 check none fails, 1 warns (beyond placebos).
    3 of 19 placebos have the effect or more. Remedy: claim less.
    <BLANKLINE>
    result  check            value  limit         what
    warn    beyond placebos    0.2  at most 0.05  rank p-value
    <BLANKLINE>
    40 predictions. 1 check does not apply (notes=True). The reasons: sentences=True.
    """
    validate(found, "refutations")
    columns = ("check", "status", "value", "threshold", "figure", "reason", "cure")
    checks = list(zip(*(found[name].to_numpy() for name in columns), strict=True))
    if not every_row:
        checks.sort(key=lambda check: list(_VERBS).index(check[1]))
    lines, reasons, least = [], [], False
    for name, status, value, threshold, figure, reason, cure in map(tuple, checks):
        row = figure if figure.startswith("clearest effect") else name
        side = "at most" if row in _AT_MOST else "at least"
        is_p = "p-value" in figure and value < LEAST_P_SHOWN
        number = format_p(float(value)) if is_p else four_digits(value)
        limit = f"{side} {four_digits(threshold)}"
        lines.append([str(status), str(name), number, limit, str(figure)])
        remedy = f" Remedy: {str(cure).rstrip('.')}." if cure else ""
        why = f"{reason[:1].upper()}{reason[1:]}".rstrip(".") + f".{remedy}"
        reasons.append((reason and status != "pass", why))
        if status == "pass" and figure.startswith("rank") and value == threshold:
            least = True
    of = [
        f"{line[1]} ({line[0]}; {line[4]} {line[2]}): {why}"
        for line, (_, why) in zip(lines, reasons, strict=True)
    ]
    skipped = about(found, "").not_applicable.splitlines()
    claims = parse_json(about(found, "[]").claims, DataError, source="attrs['claims']")
    n = int(found["n_predictions"].sum())
    budget = about(found, None).budget
    besides = f", besides the trial's {budget:,}" if budget else ""
    foot = f"{n:,} prediction{'s' * (n != 1)}{besides}."
    if skipped and "notes" not in requested:
        do = "s do" if len(skipped) > 1 else " does"
        foot += f" {len(skipped):,} check{do} not apply ({noted})."
    foot += f" The reasons: {each}." * ("each" not in requested)
    return short_answer(
        [
            _refuted([(line[1], line[0]) for line in lines], claims),
            *[why for unwelcome, why in reasons if unwelcome][:1],
        ],
        ["result", "check", "value", "limit", "what"],
        lines,
        words=("result", "check", "limit", "what"),
        letters=_FIGURE_LETTERS,
        foot=[
            foot,
            "A rank that equals its limit is the least that so few placebos or copies "
            "can give." * least,
        ],
        each=of,
        notes=[f"Not applicable: {line}." for line in skipped],
        requested=requested,
        every_row=True,
        pointers={"noted": ""},  # which the foot says
    )


def _refuted(checks: Sequence[tuple[str, str]], claims: Sequence[str]) -> str:
    """Return whether a check, (name, status), refutes the claims."""
    n_claims = len(claims)
    what = f"The {n_claims:,} claimed effects" if claims else _NO_CLAIM
    if 0 < n_claims <= _FEW_CLAIMS:
        named = in_words([cut(x, LETTERS_SHOWN) for x in claims])
        what = f"The effect{'s' * (n_claims > 1)} of {named}"
    counts = []
    for status, verbs in _VERBS.items():
        names = [name for name, own in checks if own == status]
        listed = in_words(names) if 0 < len(names) <= NAMES_SHOWN else ""
        listed = f" ({listed})" if listed and status != "pass" else ""
        count = f"{len(names):,} {verbs[len(names) != 1]}{listed}"
        counts += [count] if names else ["none fails"] * (status == "fail")
    n = f"{len(checks):,} check{'s' * (len(checks) != 1)}"
    if claims and all(own == "pass" for _, own in checks):
        passes = _VERBS["pass"][n_claims > 1]
        return f"{what} {passes} {'all ' * (len(checks) > 1)}{n}."
    return f"{what}: of {n} {', '.join(counts)}."

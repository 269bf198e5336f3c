"""Named options of the verbs: targets, scales, methods, laws, error rates and
regions.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

Rows: TypeAlias = Literal["summary", "all"]
"""How many rows of a table are printed."""
#: letters of tokens 0 to 3
BASES = "ACGT"
#: for `str.translate`; other letters stay
COMPLEMENT = str.maketrans("ACGT", "TGCA")
Target = Literal[
    "population",
    "parents",
    "units",
    "population x predictors",
    "next predictor",
    "population x replicates",
]
"""Targets of the average (`causalgia.estimate`)."""


class TargetMeaning(NamedTuple):
    """What a target averages over.

    Parameters
    ----------
    over
        In a sentence; the report fills in the null model, the units and the predictors.
    levels
        The second population in a methods section, with its number ``{n}``; empty if
        there is none.
    of_backgrounds
        Whether the units are a sample of backgrounds, a few of which may have large
        effects.
    of_predictors
        Whether predictors are a sample, too.
    of_predictions, of_measurements
        Whether it is a target for outcomes of a predictor, and for those of an
        experiment.
    """

    over: str
    levels: str = ""
    of_backgrounds: bool = True
    of_predictors: bool = False
    of_predictions: bool = True
    of_measurements: bool = False


TARGET_MEANINGS: dict[str, TargetMeaning] = {
    "population": TargetMeaning("over {null}", of_measurements=True),
    "parents": TargetMeaning("over new draws from these parents ({draws})"),
    "units": TargetMeaning("for exactly these {units}", of_backgrounds=False),
    "population x predictors": TargetMeaning(
        "over {null} and {members}", "on {n} predictors", of_predictors=True
    ),
    "next predictor": TargetMeaning(
        "over {null}, in {next_member}", "on {n} predictors", of_predictors=True
    ),
    "population x replicates": TargetMeaning(
        "over {null} and replicates of the experiment",
        of_backgrounds=False,
        of_predictions=False,
        of_measurements=True,
    ),
}

Pointwise = Literal["identity", "log", "log2", "logit"]
"""Scales that transform each outcome."""

OfMeans = Literal["log_of_means", "ratio", "sd"]
"""Scales that are functions of the arms' means (or of the sd of the control)."""

Stepwise = Literal["bh", "holm"]
"""Adjustments of p-values alone."""

Alternative = Literal["two-sided", "greater", "less"]
"""Which scores are extreme among null scores: large ones of either sign, high, low."""

METHOD_NAMES = {
    "bonferroni": "Bonferroni",
    "dunnett": "Dunnett",
    "sup_t": "sup-t",
}
"""Bands as a methods section calls them."""

Band = Literal["auto", "dunnett", "sup_t", "bonferroni"]
"""Simultaneous bands (`causalgia.multiplicity.simultaneous`)."""

Error = Literal["fdr", "fwer", "each"]
"""Error rates that verdicts control (`causalgia.decide`)."""

Control = Literal["placebo", "untreated"]
"""What a site is compared with (`causalgia.experiments`)."""

Scale: TypeAlias = Pointwise | OfMeans


class Word(NamedTuple):
    """How a verdict is said and drawn.

    Parameters
    ----------
    verb, plural
        "GATA1 raises the outcome", "3 motifs raise the outcome".
    noun, nouns
        "1 is an increase", "2 are increases".
    color
        In figures: apart in lightness or in blue, which a reader who takes red for
        green sees as well.
    side
        Where the effect lies: 1 above its region, -1 below, 0 inside, None undecided.
    """

    verb: str
    plural: str
    noun: str
    nouns: str
    color: str
    side: int | None

    def does(self, n: int = 1, of: str = "the outcome") -> str:
        """Return what n effects of this verdict do.

        Examples
        --------
        >>> VERDICT_WORDS["increases"].does(), VERDICT_WORDS["negligible"].does(3)
        ('raises the outcome', 'are negligible')
        """
        if self.side:
            return f"{self.verb if n == 1 else self.plural} {of}"
        return f"is {self.noun}" if n == 1 else f"are {self.nouns}"


INCREASES, DECREASES = "increases", "decreases"
NEGLIGIBLE, WITHIN = "negligible", "within"
UNDECIDED = "undecided"
VERDICT_WORDS: dict[str, Word] = {
    INCREASES: Word("raises", "raise", "an increase", "increases", "#1f5fa8", 1),
    DECREASES: Word("lowers", "lower", "a decrease", "decreases", "#d55e00", -1),
    NEGLIGIBLE: Word(
        "does not change", "do not change", "negligible", "negligible", "#00795a", 0
    ),
    WITHIN: Word(
        verb="does not change",
        plural="do not change",
        noun="within their range",
        nouns="within their range",
        color="#00795a",
        side=0,
    ),
    UNDECIDED: Word(
        "may change", "may change", "undecided", "undecided", "#8a8f98", None
    ),
}
"""Verdicts on an effect (`causalgia.decide`), and how they are said: inside of a stated
region "negligible", of the range of random sequences or of matched variants "within".
"""

RegionKind = Literal[
    "stated", "direction", "sd", "largest", "placebo", "placebo outliers", "matched"
]
"""Kinds of regions that verdicts compare effects with."""

Align = Literal["left", "right", "read_out"]
"""Side of an indel whose bases keep their place in its window; ``"read_out"``: the one
with the window's middle.
"""

LEAST_TO_SHARE = 20
"""Contrasts from which the law of effects that tasks share is learned
(`causalgia.infer`, ``across="task"``).
"""

TARGETS = get_args(Target)
POINTWISE = get_args(Pointwise)
SCALES = (*POINTWISE, *get_args(OfMeans))
STEPWISE = get_args(Stepwise)
ALTERNATIVES = get_args(Alternative)
BANDS = get_args(Band)
ERRORS = get_args(Error)
CONTROLS = get_args(Control)
ALIGNS = get_args(Align)
#: reasons for which lines of a file may be left out (``skip=``)
VARIANT_SKIPS = (
    *("mismatch", "symbolic", "N", "edge", "chromosome", "repeated", "unchanged"),
    *("long", "read_out", "malformed"),
)
INTERVAL_SKIPS = ("N", "edge", "chromosome", "repeated", "summit", "malformed")
RECORD_SKIPS = ("N", "length", "empty", "repeated")
VERDICTS = tuple(VERDICT_WORDS)
DIRECTIONS = tuple(x for x, word in VERDICT_WORDS.items() if word.side in (1, -1))
"""Verdicts of effects beyond their region, above and below."""
OPEN = tuple(x for x, word in VERDICT_WORDS.items() if word.side is None)
"""Verdicts that say on no side where an effect lies."""
INSIDE = tuple(x for x, word in VERDICT_WORDS.items() if word.side == 0)
"""Verdicts of effects inside of a stated region, and of one from data."""


LEAST_FOR_A_LAW = 30
"""p-values or effects from which their distribution can be estimated."""


LEAST_DF = 20
"""Smallest degrees of freedom at which a posterior may treat the standard error as
known.
"""

LEAST_TO_SHRINK = 10
"""Exchangeable contrasts of a task from which hierarchical effect sizes stand beside
the estimates.
"""

MOST_TO_SHRINK = 5_000
"""Rows of a table up to which hierarchical effect sizes stand beside it unasked."""

LEAST_PLACEBOS = 40


def placebos_for_ranks(n_contrasts: int) -> int:
    """Return the number of placebos that `n_contrasts` take for verdicts by ranks among
    them.

    With M placebos p is at least ``2 / (M + 1)``, and one of K contrasts is found alone
    if that is at most ``.05 / K``.

    Examples
    --------
    >>> [placebos_for_ranks(n) for n in (1, 2, 3)]
    [40, 79, 119]
    """
    return max(LEAST_PLACEBOS, LEAST_PLACEBOS * n_contrasts - 1)


LEAST_MATCHED_NULLS = 19
LEAST_FACTOR = 0.7
"""Part of its size to which an effect of a zero-truncated table may have shrunk, at
least, for a verdict on its size.
"""
"""Fewest null variants of a stratum: with 19 an effect beyond all of them has p =
.05.
"""

PLACEBO_ROPES = ("placebo", "placebo outliers")
ROPES_OF_DATA = (*PLACEBO_ROPES, "matched")
"""Kinds of regions that data make, in which most effects of these data lie."""
ROPE_IN_WORDS = (
    'two numbers, the lower first (or by task), "placebo", "placebo outliers", sd of '
    'the control arm such as "0.2 sd", or 0'
)


def requested_parts(
    *, arms: bool = False, sentences: bool = False, notes: bool = False
) -> tuple[str, ...]:
    """Return the parts of a report that arguments or options ask for, beside the
    answer: definitions of arms, a sentence for each effect, notes.

    Examples
    --------
    >>> requested_parts(sentences=True, notes=True)
    ('each', 'notes')
    """
    wanted = (("arms", arms), ("each", sentences), ("notes", notes))
    return tuple(name for name, is_wanted in wanted if is_wanted)

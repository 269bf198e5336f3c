"""The arguments that Python, trial files and the command line share, a row each: what a
value must be, what it means, and the option of the shell.

Keys of a trial file are checked by these rows, its page in the guide is written from
them, and so are the options of `causalgia estimate` and `causalgia analyze`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from causalgia.checks import (
    NAME,
    Takes,
    are_texts,
    as_ci_prob,
    check_value,
    is_count,
    is_int64,
    is_number,
    is_share,
    is_table,
    is_text,
    one_of,
    table_such_as,
)
from causalgia.choices import (
    ERRORS,
    ROPE_IN_WORDS,
    SCALES,
    TARGETS,
    Error,
)
from causalgia.errors import DesignError, EstimateError, quoted
from causalgia.expressions import (
    EMPTY_NAME,
    KEYWORDS,
    fault_of_weights,
    weights_in_text,
)
from causalgia.ropes import Rope


class Option(NamedTuple):
    """How the command line takes an argument: its metavar, the type of its text, and
    its help if that is not the meaning of the argument.
    """

    metavar: str = "NAME"
    type: type = str
    help: str = ""


class Argument(NamedTuple):
    """An argument: the test of a value, what the value must be in words, what it means,
    further words of the reference page, the verbs that take it, its option, and the
    parser that all verbs share, which takes the place of the test.
    """

    is_valid: Callable[[Any], bool] | None
    need: str
    meaning: str
    more: str = ""
    verbs: tuple[str, ...] = ()
    option: Option | None = None
    parse: Callable[[Any], Any] | None = None

    @property
    def help(self) -> str:
        """The help of its option."""
        return (self.option and self.option.help) or self.meaning


Arguments: TypeAlias = Mapping[str, Argument]


def _as_contrasts(value: Any, *, of: str = "arm") -> Any:
    """Return contrasts of arms, or of tasks, as weights by name.

    The arms are not known here: `causalgia.contrast` compares the names with them.
    """
    rows = weights_in_text(value, of=of)
    if (
        not isinstance(rows, dict)
        or not rows
        or (of == "task" and set(rows) & set(KEYWORDS))
    ):
        key = "contrasts" if of == "arm" else "tasks"
        raise DesignError(
            f"{key}={quoted(value)} must be {ANALYSIS[key].need}",
            argument=key,
        )
    for name, weights in rows.items():
        if not str(name).strip():
            raise DesignError(EMPTY_NAME)
        if fault := fault_of_weights(weights, of=of):
            raise DesignError(f"contrast {quoted(name)}{fault}")
    return rows


def _is_largest(value: Any) -> bool:
    sizes = list(value.values()) if isinstance(value, dict) else [value]
    return bool(sizes) and all(is_number(size) and size > 0 for size in sizes)


def _as_error(value: Any) -> Error:
    """Return an error rate of verdicts."""
    check_value(value, {"error": one_of(*ERRORS)}, "error", error=EstimateError)
    rate: Error = value
    return rate


def _are_factors(value: object) -> bool:
    return (
        isinstance(value, list)
        and are_texts(value)
        and len(set(value)) == len(value) >= 2
    )


def _is_adapters(value: object) -> bool:
    # a junction, or an adapter, may be empty
    return is_text(value) or (
        isinstance(value, list)
        and len(value) in (2, 3)
        and all(isinstance(part, str) for part in value)
    )


def _is_sites(value: object) -> bool:
    counted = (
        isinstance(value, dict)
        and value
        and all(is_int64(n) and n >= 0 for n in value.values())
    )
    return is_text(value) or value == [] or are_texts(value) or bool(counted)


def _are_block_labels(value: object) -> bool:
    plain = isinstance(value, list) and all(
        isinstance(x, str) or is_int64(x) for x in value
    )
    return value == "parent" or (plain and bool(value))


def _are_shares(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(is_number(share) and 0 <= share <= 1 for share in value)
    )


def _are_weight_files(value: Any) -> bool:
    return is_text(value) or (are_texts(value) and len(set(value)) == len(value) > 1)


def _is_scale_in_words(value: object) -> bool:
    by_task = isinstance(value, dict) and are_texts(list(value.values()))
    return is_text(value) or are_texts(value) or by_task


def _at_least(least: int) -> Takes:
    return (
        lambda value: is_int64(value) and value >= least
    ), f"a whole number of at least {least}"


_COUNT: Takes = (is_count, "a whole number of at least 1")

TOP: Arguments = {
    "name": Argument(*NAME, "What the trial is called."),
    "n_units": Argument(*_COUNT, "How many backgrounds are drawn."),
    "rng": Argument(*_at_least(0), "The seed.", "a whole number of at least 0."),
    "assignment": Argument(
        *one_of("crossover", "parallel"),
        "Which units receive which arm.",
        '`"crossover"` (every unit gets every arm; the default) or `"parallel"` (each '
        "unit is randomized to one).",
    ),
    "blocks": Argument(
        _are_block_labels,
        '"parent", or a list with a label for each unit',
        "Strata inside which the arms of a parallel trial are balanced.",
        '`"parent"`, or a list with a label for each unit.',
    ),
    "reserve": Argument(
        lambda value: is_number(value) and 0 <= value < 1,
        "a share of the parents, 0 or more and below 1",
        "Share of the parents that this trial never uses, so that `cg.confirm` can.",
        "such as 0.25 ([guide](confirm_and_stop.md)).",
    ),
    "contrasts": Argument(
        lambda value: is_text(value) or (is_table(value) and bool(value)),
        "the name of the arm that is subtracted, or tables of arm = weight",
        "Contrasts that the trial is designed for.",
        "the control arm, or `{name = {arm = weight, ...}}`; usually in `[analysis]`.",
    ),
    "null": Argument(
        *table_such_as('{kind = "uniform", length = 200}'),
        "The null model, a table below.",
    ),
    "experiment": Argument(
        *table_such_as('{kind = "copies", motif = "AGATAAG"}'),
        "An experiment of the catalogue, instead of `arms` and `placebos`.",
        'Or `kind = "trial"`: the question that `arms` and `contrasts` ask.',
    ),
    "predictor": Argument(
        *table_such_as('{zoo = "gata1_like"}'), "The predictor, a table below."
    ),
    "arms": Argument(
        *table_such_as('{untreated = {}, GATA1 = {embed = "AGATAAG", at = 20}}'),
        "The arms, a table each.",
    ),
    "placebos": Argument(
        *table_such_as('{of = "AGATAAG", at = 20, n = 40}'),
        "Arms of one motif, rearranged.",
        "May be left out.",
    ),
    "analysis": Argument(
        *table_such_as('{control = "untreated", rope = [-0.1, 0.1]}'),
        "The analysis plan.",
        "May be left out.",
    ),
    "mpra": Argument(
        *table_such_as('{oligo_length = 230, adapters = "lentimpra"}'),
        "The design as an oligo library, for `causalgia mpra design`.",
        "Not needed for a trial on a predictor.",
    ),
}
"""Keys at the top of a trial file."""

PREDICTOR: Arguments = {
    "zoo": Argument(
        *NAME,
        "A predictor of the zoo, by its name.",
        "The only other key allowed is then `device`.",
    ),
    "factory": Argument(
        *NAME,
        'Instead: `"my_net.py:load"`, a file and a function in it; or `"net.onnx"`.',
    ),
    "weights": Argument(
        _are_weight_files,
        "a file, or a list of two or more files, one for each retraining",
        "A file of weights for the factory's network.",
        "`.safetensors`, or a state dict in `.pt` or `.pth`; a list of two or more "
        "files are retrainings of it, which form an ensemble.",
    ),
    "alphabet": Argument(
        *NAME,
        "The letters of the network's one-hot rows in order.",
        'such as `"ACTG"`.',
    ),
    "tasks": Argument(
        lambda value: is_text(value) or are_texts(value),
        "a list of names, or the name of one output",
        "A name for each output.",
    ),
    "scale": Argument(
        _is_scale_in_words,
        'text, such as "log counts", or text for each task: {K562 = "log '
        'counts", DNase = "share"}',
        "The scale of the outputs, in words.",
        'such as `"log counts"`; or one for each task, `{K562 = "log counts", CTCF = '
        '"share"}`.',
    ),
    "device": Argument(
        *NAME,
        "The torch device.",
        '`"auto"`, `"cpu"`, `"cuda"` (`"cuda:1"`) or `"mps"`; `--device` on the '
        "command line wins.",
        option=Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file."),
    ),
    "batch_size": Argument(
        lambda value: value == "auto" or is_count(value),
        'a whole number of at least 1, or "auto"',
        'Sequences in a forward pass, or `"auto"`.',
    ),
}
"""Keys of ``[predictor]``."""

PLACEBOS: Arguments = {
    "of": Argument(
        lambda value: is_text(value) or is_table(value),
        'a string, or {file = "motifs.meme", motif = "GATA1"}',
        "The motif that they are rearrangements of.",
    ),
    "at": Argument(is_int64, "a position, counted from 0", "Their position."),
    "n": Argument(*_COUNT, "How many; 40 or more define a ROPE."),
    "strand": Argument(*one_of("+", "-"), 'Their strand, `"+"` or `"-"`.'),
}
"""Keys of ``[placebos]``."""

_TARGETS = ", ".join(f"'{name}'" if " " in name else name for name in TARGETS)

ANALYSIS: Arguments = {
    "control": Argument(
        is_text,
        'text that is not empty: the name of an arm, such as "0"',
        "The arm subtracted from every other arm.",
        verbs=("contrast",),
        option=Option("ARM"),
    ),
    "contrasts": Argument(
        None,
        "tables of arm = weight, or text such as 'A - B', each with a name and finite "
        "weights that sum to 0",
        "Contrasts of arms, in place of a control.",
        "`{name = {arm = weight, ...}}`, weights that sum to 0; or text, "
        '`"GATA1 - (mutant + scrambled)/2"`, one or several in a list.',
        ("contrast",),
        parse=_as_contrasts,
    ),
    "interaction": Argument(
        _are_factors,
        "a list of two or more different factors",
        "Two or more factors of the arms, in place of a control.",
        verbs=("contrast",),
    ),
    "tasks": Argument(
        None,
        "tables of task = weight, or text such as 'K562 - HepG2', each with a name (no "
        "keyword such as 'pairwise') and finite weights that are not all 0",
        "Contrasts between tasks.",
        'text, `"K562 - HepG2"`, one or several in a list; or `{"K562 minus HepG2" = '
        '{K562 = 1, HepG2 = -1}}`; a pattern, `"DNASE:*"`, is each task that it '
        "matches. Verdicts are then on these, no longer on each task.",
        ("contrast",),
        Option(
            "CONTRAST",
            help="Contrast between tasks, such as 'K562 - HepG2', or a pattern; '*' is "
            "each task.",
        ),
        partial(_as_contrasts, of="task"),
    ),
    "scale": Argument(
        *one_of(*SCALES),
        "Scale on which effects are taken.",
        '`"identity"`, `"log"`, `"log2"` or `"logit"`, applied to every outcome; or, '
        'applied to means: `"log_of_means"`, `"ratio"`; or `"sd"`, effects in sd of the '
        "control arm of each task.",
        ("contrast",),
    ),
    "cluster": Argument(
        is_text,
        '"auto", "none", or the name of a coordinate of the units, such as "parent"',
        "Units that vary together.",
        '`"auto"`, `"none"`, or a coordinate of the units such as `"parent"`.',
        ("estimate",),
        Option(help="auto, none, or a coordinate of the units."),
    ),
    "block": Argument(
        *NAME,
        "Coordinate inside which arms of a parallel trial were randomized.",
        verbs=("estimate",),
    ),
    "covariates": Argument(
        are_texts,
        'a list of coordinates of the units, such as ["gc"]',
        "Coordinates of the units that adjust the estimates of a parallel trial.",
        'a list such as `["gc"]`.',
        ("estimate",),
    ),
    "target": Argument(
        *one_of(*TARGETS),
        "Population over which effects are averaged.",
        "a target of the list below.",
        ("estimate",),
        Option(help=f"{_TARGETS}."),
    ),
    "ci_prob": Argument(
        None,
        "a number from 0.5 to below 1, such as 0.95",
        "Probability of the intervals.",
        "Verdicts have the error rate `1 - ci_prob`.",
        ("estimate", "decide"),
        Option("P", float),
        as_ci_prob,
    ),
    "weights": Argument(
        *one_of("units", "clusters"),
        "What is weighted equally in a mean.",
        '`"units"` or `"clusters"`.',
        ("estimate",),
    ),
    "family": Argument(
        is_text,
        '"task", or the name of a coordinate of the contrasts (a factor of the arms)',
        "Rows among which an error rate holds.",
        '`"task"`, those of one task, or a factor of the arms; if left out, all rows '
        "of the table.",
        ("decide",),
        Option(help="Rows that share q: task, or a factor of the arms; default: all."),
    ),
    "question": Argument(
        are_texts,
        "a list of names of contrasts, or of patterns of them",
        "Contrasts that answer the question.",
        'names, or patterns such as `"interaction at *"`, over which q is; every other '
        "contrast is judged by itself. If left out, every contrast answers it.",
    ),
    "across": Argument(
        *one_of("task"),
        "Whether tasks borrow strength from each other.",
        '`"task"`, with 20 contrasts or more; see [share strength across '
        "tasks](share_across_tasks.md).",
        ("infer",),
        Option(help="task: tasks borrow strength from each other; draws sharing.png."),
    ),
    "rope": Argument(
        None,
        ROPE_IN_WORDS,
        "Region of practical equivalence.",
        "`[lower, upper]` on the scale of the contrasts (or a table of these by task), "
        '`"placebo"`, `"placebo outliers"`, sd of the control arm such as `"0.2 sd"`, '
        "or 0 (direction alone).",
        ("decide",),
        Option(
            "ROPE",
            help="Region of practical equivalence: -0.1,0.1 (or --rope -0.1 0.1), "
            "of one side -inf,0.5, "
            "placebo, 'placebo outliers', '0.2 sd', by task "
            "'K562=-0.1,0.1;HepG2=-1,1', or 0 for direction alone.",
        ),
        Rope.parse,
    ),
    "error": Argument(
        None,
        one_of(*ERRORS)[1],
        "Error rate of the verdicts.",
        '`"fdr"` (expected share of false verdicts), `"fwer"` '
        '(probability of any false verdict) or `"each"` (error rate of each verdict by '
        "itself).",
        ("decide",),
        Option("RATE", help=f"Error of verdicts: {', '.join(ERRORS)}."),
        _as_error,
    ),
    "largest": Argument(
        _is_largest,
        "a positive number, the largest effect on any background, or one for each task",
        "Bound on the effect on any background.",
        "On the scale of the contrasts, or a table of these by task; a verdict then "
        "requires enough backgrounds to show that those that could have been missed are "
        "too few to undo it.",
        ("decide",),
        Option("SIZE", float, "Largest effect that any background can have."),
    ),
    "shrink": Argument(
        is_table,
        "a cg.Shrinkage, or a table of prior, all_rows and variances",
        "Prior of the hierarchical effect sizes, and moderated variances.",
        "`[analysis.shrink]`: `prior`, the fields of `cg.Prior`, `{mu_sd, tau_scale, "
        "standardized}`, of one normal scale in place of two; `all_rows`, `true` for "
        "tables of more than 5,000 rows; `variances`, `true` or `false`: whether "
        "variances are moderated over 10 or more rows, as limma's are.",
        ("infer", "estimate"),
    ),
}
"""Keys of ``[analysis]``, the fields of `causalgia.Analysis`."""

MPRA: Arguments = {
    "oligo_length": Argument(
        is_count,
        "a whole number of at least 1: the whole oligo, adapters and barcode included",
        "Length of the *whole* oligo, adapters and barcode included.",
    ),
    "adapters": Argument(
        _is_adapters,
        'a construct such as "lentimpra", or a list: [left, right] or [left, junction, '
        "right]",
        "The construct around an insert.",
        '`"lentimpra"`, `"tewhey"` or `"melnikov"`; or a list, `[left, right]` or '
        "`[left, junction, right]`.",
    ),
    "avoid": Argument(
        _is_sites,
        'enzymes or letters of sites, ["EcoRI", "SbfI"]; or with how often each is '
        "meant, {KpnI = 1}",
        "Sites that no insert may have, beside those of the construct.",
        'enzymes such as `["EcoRI", "SbfI"]`, or letters of sites; or a table of how '
        "often each site is meant to occur in adapters and junction: `{KpnI = 1, XbaI "
        "= 1, EcoRI = 0}`.",
    ),
    "barcodes_per_oligo": Argument(
        is_count,
        "a whole number of at least 1; left out, oligos carry none",
        "Barcodes that are synthesized with each insert.",
        '`"melnikov"`, or `[left, junction, right]`; left out, oligos carry none '
        "(random barcodes).",
    ),
    "n_replicates": Argument(*_COUNT, "Number of planned replicates."),
    "max_oligos": Argument(
        is_count,
        "a whole number of at least 1: the most oligos that may be ordered",
        "The most oligos that may be ordered; a library with more is refused.",
    ),
    "vendor": Argument(
        *NAME,
        "The vendor, whose limits on oligo length and pool size are checked.",
        '`"agilent"`, `"twist"`, `"idt"` or `"genscript"`.',
    ),
    "n_scrambles": Argument(*_at_least(0), "How many scrambles are ordered (100)."),
    "positives": Argument(*NAME, "FASTA file of your own positive controls."),
    "negatives": Argument(*NAME, "FASTA file of your own negative controls."),
    "n_duplicates": Argument(
        *_at_least(0),
        "How many A/A pairs are ordered (20 with synthesized barcodes, else none).",
    ),
    "n_promoter_only": Argument(
        *_at_least(0),
        "Number of barcodes of the promoter without an insert.",
        "This needs a junction with two cloning sites, with a filler between them.",
    ),
    "gc": Argument(
        _are_shares,
        "two shares, such as [0.25, 0.65]",
        "Lowest and highest share of G and C of an insert.",
    ),
    "homopolymer": Argument(*_COUNT, "Longest run of one base in an oligo."),
    "repeats": Argument(
        lambda value: is_share(value) or value in (0, 1),
        "a share, 0 to 1",
        "Largest share of an insert in simple repeats.",
    ),
    "motifs": Argument(
        are_texts,
        "a list of motifs",
        "Motifs that must not arise across a junction.",
    ),
    "barcode_length": Argument(*_COUNT, "Length of the synthesized barcodes in bases."),
    "min_distance": Argument(
        *_COUNT, "Smallest Levenshtein distance between two barcodes."
    ),
    "seeds": Argument(
        are_texts,
        "a list of miRNAs, or their seeds",
        "miRNAs, or their seeds, that no barcode may pair with.",
    ),
    "n_redraws": Argument(
        *_at_least(0), "How often a unit is drawn again before it is discarded."
    ),
}
"""Keys of ``[mpra]``."""

TABLES: dict[str, Arguments] = {
    "": TOP,
    "[predictor]": PREDICTOR,
    "[placebos]": PLACEBOS,
    "[analysis]": ANALYSIS,
    "[mpra]": MPRA,
}
"""Tables of a trial file whose keys do not depend on their values."""

"""Names that were changed before the first release, and the names that took their place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from causalgia.errors import ArgumentError, DesignError, quoted

#: former name -> the names that took its place, of which one belongs where it is asked
FORMER_NAMES: dict[str, tuple[str, ...]] = {
    # experiments
    "word_screen": ("kmer_screen",),
    "word_mutagenesis": ("motif_mutagenesis",),
    "grammar_screen": ("arrangement_screen",),
    # arguments, and keys of a trial file
    "word": ("motif",),
    "words": ("motifs", "placebos"),
    "word_at": ("motif_at",),
    "first": ("motif", "motifs"),
    "second": ("other",),
    "n_words": ("n_placebos",),
    "level": ("ci_prob",),
    "adjust": ("error",),
    "law": ("shrink",),
    "prior": ("shrink",),
    "moderate": ("shrink",),
    # interventions and terms
    "PlaceboWord": ("FixedPlacebo",),
    "placebo_word": ("is_placebo", "fixed_placebo"),
    "Word": ("MotifCount",),
    "merged_word": ("merged_motif",),
    # targets, checks and functions
    "population x words": ("population x placebos",),
    "placebo_words": ("beyond_placebos", "placebo_contrasts"),
    "word_composition": ("kmer_composition",),
    "from_word": ("from_iupac",),
}

#: what was removed -> the sentence that says what does its work
REMOVED: dict[str, str] = {
    "causalgia.reporting": (
        "its functions are inside (causalgia._reporting); cg.report prints, and "
        "cg.paper.write_bigwig writes a curve"
    ),
    "causalgia.benchmark": (
        "methods of interpretation are compared by benchmarks/interpreted of the "
        "repository"
    ),
    "causalgia.mpra.read_prices": (
        "PlannedLibrary(prices='prices.toml') reads the list"
    ),
    "causalgia.mpra.PriceList": "PlannedLibrary(prices='prices.toml') reads the list",
    "causalgia.mpra.infer_counts": (
        "'infer_counts' was removed: cg.mpra.fit(counts, control=...) models the same "
        "two layers of noise for any number of barcodes, and cg.infer(fitted, rng=0) "
        "gives the posterior of its effects"
    ),
    "causalgia.effects._contrast.contrast: over": (
        "models are compared by cg.contrast_models(outcomes, control=...) or models="
    ),
    "causalgia.effects._contrast.contrast: models": (
        "models are compared by cg.contrast_models(outcomes, models=...)"
    ),
    "causalgia.mpra.fit(method='precision')": (
        "'precision' was removed: of one sum an oligo, 'hierarchical' estimates the "
        "effect of these barcodes; where oligos have several barcodes, the intervals "
        "of 'precision' left out the differences between them"
    ),
}

_CONDITIONS = (
    "conditions as a factor come later; today, fit the replicates of each condition by "
    "themselves (replicates= of read_counts) and compare the two fits, "
    "cg.mpra.concordance(fit_A, fit_B)"
)
_CONDITIONS_IN_SHELL = (
    "conditions as a factor come later; today, analyze the replicates of each condition "
    "by themselves (--replicates) and compare the two: causalgia mpra compare "
    "measured_A measured_B"
)
_ADDITIVE = (
    "effects of variants that share barcodes need an additive model, which comes later; "
    "today, {leave} leaves out barcodes with several variants, and each variant is "
    "compared with the reference by the barcodes that carry it alone"
)
_OF_CONDITIONS = (
    "condition",
    "conditions",
    "factor",
    "factors",
    "formula",
    "covariates",
)
_OF_VARIANTS = ("additive", "variants")

#: function or command -> an argument that it does not have yet, and what to do today
LATER: dict[str, dict[str, str]] = {
    "fit": dict.fromkeys(_OF_CONDITIONS, _CONDITIONS)
    | dict.fromkeys(
        _OF_VARIANTS, _ADDITIVE.format(leave="drop_unknown=True of read_counts")
    ),
    "causalgia mpra analyze": dict.fromkeys(_OF_CONDITIONS, _CONDITIONS_IN_SHELL)
    | dict.fromkeys(_OF_VARIANTS, _ADDITIVE.format(leave="--drop-unknown")),
}

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


def new_name(name: str, known: Iterable[str]) -> str:
    """Return the known name that took the place of a former one; "" if there is none.

    Examples
    --------
    >>> (
    ...     new_name("word_screen", ["copies", "kmer_screen"]),
    ...     new_name("copies", ["copies"]),
    ... )
    ('kmer_screen', '')
    """
    names = set(known)
    return next((new for new in FORMER_NAMES.get(name, ()) if new in names), "")


def former_fields(
    cures: Mapping[str, str], error: type[Exception] = DesignError
) -> Callable[[type[_T]], type[_T]]:
    """Make a class refuse its former fields with what took their place.

    Parameters
    ----------
    cures
        Former field -> what to give instead.
    error
        The error that is raised.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @former_fields({"level": "it is ci_prob"})
    ... @dataclass
    ... class Plan:
    ...     ci_prob: float = 0.95
    >>> Plan(level=0.9)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: Plan: there is no 'level'; it is ci_prob
    """

    def refusing(cls: type[_T]) -> type[_T]:
        make = cls.__init__

        @functools.wraps(make)
        def init(self: _T, *args: Any, **kwargs: Any) -> None:
            for name in kwargs:
                if name in cures:
                    raise error(
                        f"{type(self).__name__}: there is no {quoted(name)}; {cures[name]}"
                    )
            make(self, *args, **kwargs)

        cls.__init__ = init  # type: ignore[assignment]
        return cls

    return refusing


def former_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function refuse its former arguments by their new names, and those that
    come later (`LATER`) by what to do today.

    Raises
    ------
    DesignError
        When the function is called with a former argument.
    ArgumentError
        When it is called with one that comes later.

    Examples
    --------
    >>> @former_arguments
    ... def copies(motif):
    ...     return motif
    >>> copies(word="UGCAUG")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: copies: word= is motif= now
    """
    known = [*inspect.signature(function).parameters]
    later = LATER.get(function.__name__, {}) if _is_of_bench(function) else {}

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for name in kwargs:
            if name not in known and (new := new_name(name, known)):
                raise DesignError(f"{function.__name__}: ``{name}=`` is ``{new}=`` now")
            if name not in known and name in later:
                raise ArgumentError(
                    f"{function.__name__}: there is no ``{name}=`` yet: {later[name]}"
                )
        return function(*args, **kwargs)

    return call


def _is_of_bench(function: Callable[..., Any]) -> bool:
    return function.__module__.startswith("causalgia.mpra.")

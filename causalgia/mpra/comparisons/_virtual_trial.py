"""Virtual trial of an ordered library: predictions for exactly the inserts that were
ordered.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import OF_NULL, about, attributes
from causalgia.errors import (
    DesignError,
    PredictorError,
    SequenceError,
    comma_list,
    quoted,
)
from causalgia.mpra.counts.counts_table import check_fingerprints, design_arms
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import NonFiniteError, Predictor
from causalgia.predict.answer_comparisons import check_batch_mates
from causalgia.predict.predictor import check_predictor
from causalgia.schema import validate
from causalgia.sequences.alphabet import encode
from causalgia.sequences.composition import number_distinct
from causalgia.trial.attributes import arm_coordinates
from causalgia.types import Tokens

Names: TypeAlias = NDArray[Any]
_OF_DESIGN = (
    *(
        "assignment",
        *OF_NULL,
        "design_fingerprint",
        "library_fingerprint",
        "rng",
    ),
    *("rules", "reserved", "causalgia", "python", "numpy"),
)


@usual_errors
def virtual_trial(
    library: xr.Dataset, predictor: Predictor, *, flanks: tuple[str, str] = ("", "")
) -> xr.Dataset:
    """Predict the inserts of a library, so that virtual and measured effects are of the
    same sequences.

    `causalgia.run` draws units from the null model; units that could not be ordered
    were redrawn. Here the outcome of element e under arm a is
    ``Y_e(a) = f(left flank + insert + right flank)`` of the sequence that *was*
    ordered.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`. Oligos of group ``test`` are predicted, each
        construct once.
    predictor
        The predictor.
    flanks
        Letters to the left and right of an insert in the predictor's input: those of
        the construct, or padding to its length.

    Returns
    -------
    Dataset
        As `causalgia.run`, with element names as units, by which measured effects are
        matched: ``outcome (unit, arm, task[, model])``, in a parallel library
        ``outcome (unit, task[, model])`` with ``assigned (unit)``;
        ``parent, gc (unit)`` of the background.

    Raises
    ------
    DataError
        If it is not a library.
    DesignError
        If there are no test oligos, an element has two inserts in an arm or lacks one,
        or other inserts than those of which its name has the fingerprint, or flanks are
        not bases.
    PredictorError
        If it is not a predictor, or a prediction is not finite (names the oligo), has
        the wrong shape, or depends on the rest of its batch.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=96)}
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=200), arms=arms, n_units=50, contrasts="untreated"
    ... )
    >>> ordered = cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 200, tasks=["GC"], scale="share"
    ... )
    >>> outcomes = cg.mpra.virtual_trial(ordered, share)
    >>> outcomes["outcome"].shape, outcomes["unit"].values[:2].tolist()
    ((50, 2, 1), ['u0.25a61b', 'u1.f77db0'])
    >>> cg.estimate(cg.contrast(outcomes))["ace"].round(3).item()
    0.014
    """
    validate(library, "library")
    check_predictor(predictor, "virtual_trial(library, predictor)")
    # the first row of each test construct
    test = np.flatnonzero(library["group"].to_numpy().astype(str) == "test")
    names = library["oligo_name"].to_numpy().astype(str)[test]
    if not test.size:
        raise DesignError(
            "the library has no oligo of group 'test'; a virtual trial asks for those"
        )
    rows = test[np.sort(np.unique(names, return_index=True)[1])]
    arms = design_arms(library)
    check_fingerprints(library, [one.name for one in arms])
    elements, element, arm = _element_and_arm_codes(
        library, rows, [one.name for one in arms]
    )
    tokens = _add_flanks(library["insert"].to_numpy()[rows], flanks)
    answers = _predict_inserts(
        predictor, tokens, library["oligo_name"].to_numpy()[rows]
    )
    parallel = about(library, None).assignment == "parallel"
    order = np.argsort(element) if parallel else np.argsort(element * len(arms) + arm)
    shape = (len(elements),) if parallel else (len(elements), len(arms))
    if len(rows) != int(np.prod(shape)):
        times = np.zeros((len(elements), len(arms)), np.int64)
        np.add.at(times, (element, arm), 1)
        odd, at = np.argwhere(times != 1)[0]
        raise DesignError(
            f"element {quoted(elements[odd])} has {times[odd, at]} inserts in arm "
            f"{quoted(arms[at].name)}; in a crossover every element has one in every "
            "arm: leave the element out, or correct its rows"
        )
    outcome = answers[order].reshape(*shape, *answers.shape[1:])
    dims = (
        "unit",
        *(() if parallel else ("arm",)),
        "task",
        *(() if predictor.models is None else ("model",)),
    )
    axes: dict[str, Any] = {
        "unit": elements,
        "task": list(predictor.tasks),
        **arm_coordinates(arms),
    }
    if predictor.models is not None:
        axes["model"] = list(predictor.models)
    outcomes = xr.Dataset({"outcome": (dims, outcome)}, coords=axes)
    of_unit = rows[order[:: 1 if parallel else len(arms)]]
    coords: dict[str, Any] = {
        "gc": ("unit", library["gc"].to_numpy()[of_unit].astype(float))
    }
    coords["parent"] = ("unit", library["parent"].to_numpy()[of_unit].astype(str))
    if parallel:
        coords["assigned"] = ("unit", library["arm"].to_numpy()[of_unit].astype(str))
    design = {name: library[name] for name in ("design",) if name in library}
    attrs = {
        name: library.attrs[name]
        for name in (*_OF_DESIGN, "design", "name", "analysis")
        if name in library.attrs
    }
    attrs |= attributes(
        scale=predictor.scale,
        predictor_fingerprint=predictor.fingerprint,
        flanks=json.dumps(flanks),
    )
    return as_result(
        outcomes.assign_coords(coords).assign(design).assign_attrs(attrs), "outcomes"
    )


def _element_and_arm_codes(
    library: xr.Dataset, rows: NDArray[np.int64], arms: list[str]
) -> tuple[Names, Names, Names]:
    """Return the elements in order of appearance, and element and arm codes of each
    row.
    """
    names, of_arm = (
        library[name].to_numpy()[rows].astype(str) for name in ("element", "arm")
    )
    found, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    place = {name: i for i, name in enumerate(arms)}
    unknown = [name for name in of_arm.tolist() if name not in place]
    if unknown:
        raise DesignError(
            f"arm {quoted(unknown[0])} is not one of the design's: {comma_list(arms)}; "
            "correct the arm, or leave its rows out"
        )
    return (
        found[np.argsort(first)],
        rank[inverse],
        np.array([place[name] for name in of_arm.tolist()]),
    )


def _add_flanks(inserts: Names, flanks: tuple[str, str]) -> Tokens:
    if isinstance(flanks, str):
        raise DesignError(
            f"flanks={quoted(flanks)}: give two, the letters to the left and to "
            "the right: ('ACGT', 'ACGT')"
        )
    try:
        left, right = (
            encode(flank)[0] if flank else np.empty(0, np.uint8) for flank in flanks
        )
        tokens = encode(inserts.tolist())
    except (SequenceError, TypeError, ValueError) as error:
        odd = {letter for text in (*flanks, *inserts) for letter in str(text).upper()}
        raise DesignError(
            f"flanks={quoted(flanks)} and inserts are letters A, C, G, T, and "
            f"there is {', '.join(map(quoted, sorted(odd - set('ACGT'))))}; write one "
            "of the four there"
        ) from error
    n = len(tokens)
    return np.concatenate(
        [np.tile(left, (n, 1)), tokens, np.tile(right, (n, 1))], axis=1
    )


def _predict_inserts(
    predictor: Predictor, tokens: Tokens, names: Names
) -> NDArray[Any]:
    """Return predictions, (n, tasks[, models]); equal sequences are predicted once."""
    numbers, fresh = number_distinct(tokens)
    try:
        check_batch_mates(predictor, tokens[fresh][:8])
        predicted = predictor.predict(tokens[fresh])
    except NonFiniteError as error:
        raise PredictorError(
            f"oligo {quoted(names[fresh[error.row]])}: {error.detail}"
        ) from error
    except PredictorError as error:
        raise type(error)(
            f"inserts with flanks of {tokens.shape[1]} bp: {error}"
        ) from error
    every: NDArray[Any] = predicted[numbers]
    return every

"""True average causal effects of an oracle: in closed form where positions are
independent, else by simulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import attributes
from causalgia.checks import as_int, check_arm
from causalgia.design import (
    Ablate,
    Delete,
    Design,
    Embed,
    Genomic,
    Insert,
    Intervention,
    KletShuffle,
    Markov,
    Mutate,
    NullModel,
    Placebo,
    Profile,
    Scramble,
    Uniform,
    Untreated,
)
from causalgia.design.design import Contrasts, check_design, contrasts_of
from causalgia.design.intervention import Sequential
from causalgia.design.pattern_interventions import Patterned, admissible, count_orders
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, EstimateError, PredictorError, quoted
from causalgia.sequences.fasta import as_sequences
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array
from causalgia.zoo.automaton import NoClosedForm

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle


def true_ace(
    design: Design,
    oracle: Oracle,
    control: str | None = None,
    *,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
    n_units: int = 200_000,
    rng: RNG = 0,
) -> xr.DataArray:
    """Return the true ACE of each contrast, ``E[sum over arms of weight * Y(arm)]``
    over the null model.

    It is exact where expectations have a closed form: if the positions of the null
    model are independent (`Uniform`, `Profile`, `Markov` of order 0), sequences under
    an arm are a mixture of independent positions, and the expectation of a term is a
    sum over windows. Under `Genomic`, arms without random parts are averaged over all
    sequences. Elsewhere it is the mean individual effect of `n_units` units from a
    separate stream, equally many of each parent.

    Parameters
    ----------
    design
        The trial; its `n_units` and assignment are ignored, and parents have equal
        weights.
    oracle
        The predictor.
    control
        The arm subtracted from every other arm. None, without
        `contrasts`: the contrasts that the design names; else the only `Untreated` arm,
        else the first arm. ``attrs["control_is"]`` gives the reason.
    contrasts
        Contrast -> arm -> weight, weights that sum to 0, instead of a control.
    n_units
        Units for contrasts without a closed form.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For those units; their streams
        differ from those of any trial.

    Returns
    -------
    DataArray
        ACE on the scale of the oracle, (contrast, task); contrasts against a control
        are named after the treatment arm. Coordinates: ``method (contrast, task)``,
        "closed form", "enumeration" or "large n"; ``mcse (contrast, task)``, the
        Monte-Carlo standard error, 0 where exact.

    Raises
    ------
    EstimateError
        If the design has no arm of a name, weights do not sum to 0, or both a control
        and contrasts are given.
    DesignError
        If the first argument is not a design.
    PredictorError
        If the oracle is none, or does not take sequences of the arms' lengths.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41),
    ...     arms=cg.factorial(
    ...         {"A": cg.Embed("UGCAUG", at=9), "B": cg.Embed("UGCAUG", at=20)}
    ...     ),
    ...     n_units=100,
    ... )
    >>> additive = cg.zoo.oracle("additive")
    >>> float(
    ...     additive.true_ace(design, control="untreated")
    ...     .sel(contrast="A")
    ...     .squeeze()
    ...     .round(4)
    ... )
    3.0217
    >>> both = {"A x B": {"A + B": 1, "A": -1, "B": -1, "untreated": 1}}
    >>> abs(additive.true_ace(design, contrasts=both).item()) < 1e-9
    True
    """
    check_design(design, oracle, "true_ace(design, oracle)")
    if not hasattr(oracle, "true_ace"):
        raise PredictorError(
            f"true_ace(design, oracle): the effects of {type(oracle).__name__}, "
            "which is no cg.zoo.Oracle, have no closed form here"
        )
    request = requested_contrasts(design, control, contrasts)
    n_units = as_int(n_units, "n_units", least=2)
    weights = weights_by_arm(request.contrasts, design.arm_names)
    used = np.unique(weights.indices)
    arms, weights = [design.named_arms[i].intervention for i in used], weights[:, used]
    ace = weights @ exact_means(oracle, design.null, arms)
    mcse, method = np.zeros(ace.shape), np.full(ace.shape, "closed form", dtype="<U11")
    missing = np.isnan(ace)
    for how, rows in _rows_without_closed_form(design, weights, arms, missing).items():
        drawn = simulated_effects(
            oracle, design.null, arms, weights[rows], n_units=n_units, rng=rng
        )
        for table, found in (
            (ace, drawn.mean),
            (mcse, drawn.mcse),
            (method, np.array(how)),
        ):
            table[rows] = np.where(missing[rows], found, table[rows])
    dims = ("contrast", "task")
    coords = {
        "contrast": list(request.contrasts),
        "task": list(oracle.tasks),
        "mcse": (dims, mcse),
        "method": (dims, method),
    }
    of = (
        "weighted sum of Y(arm)"
        if request.control is None
        else f"Y(arm) - Y({request.control})"
    )
    attrs = {
        **attributes(estimand=f"E[{of}] over {design.null.describe()}"),
        **(
            {}
            if request.control is None
            else attributes(control=request.control, control_is=request.why)
        ),
        **attributes(
            scale=oracle.scale,
            predictor_fingerprint=oracle.fingerprint,
            design_fingerprint=design.fingerprint,
        ),
    }
    return xr.DataArray(ace, dims=dims, name="true_ace", coords=coords, attrs=attrs)


@dataclass(frozen=True)
class ContrastRequest:
    """Requested contrasts; for contrasts with a common control, the control and the
    reason for its choice.
    """

    contrasts: Contrasts
    control: str | None = None
    why: str = ""


def requested_contrasts(
    design: Design,
    control: str | None,
    contrasts: Mapping[str, Mapping[str, float]] | None,
) -> ContrastRequest:
    if control is not None and contrasts is not None:
        raise EstimateError(
            "give control= or contrasts=, not both: contrasts name the arms "
            "that they subtract"
        )
    if control is not None:
        return _contrasts_with_control(control, design, "as given")
    if contrasts is not None:
        try:
            return ContrastRequest(contrasts_of(contrasts, design.arm_names))
        except DesignError as error:
            raise EstimateError(str(error)) from error
    if design.named_contrasts is None:
        untreated = [
            arm.name
            for arm in design.named_arms
            if isinstance(arm.intervention, Untreated)
        ]
        if len(untreated) == 1:
            return _contrasts_with_control(
                untreated[0], design, "the only untreated arm"
            )
        return _contrasts_with_control(design.arm_names[0], design, "the first arm")
    control = design.named_contrasts.control_of(design.arm_names)
    return ContrastRequest(design.named_contrasts, control, "the design's")


def _contrasts_with_control(control: str, design: Design, why: str) -> ContrastRequest:
    check_arm(control, design.arm_names, "control")
    return ContrastRequest(contrasts_of(control, design.arm_names), control, why)


def weights_by_arm(contrasts: Contrasts, names: list[str]) -> Any:
    """Return the weight of each arm in each contrast, (contrasts, arms), sparse."""
    column = {name: i for i, name in enumerate(names)}
    entries = [
        (i, column[arm], weight)
        for i, (_, row) in enumerate(contrasts.rows)
        for arm, weight in row
    ]
    rows, columns, values = zip(*entries, strict=True)
    return sp.csr_array((values, (rows, columns)), shape=(len(contrasts), len(names)))


def _rows_without_closed_form(
    design: Design, weights: Any, arms: list[Intervention], missing: NDArray[np.bool_]
) -> dict[str, NDArray[np.int64]]:
    """Return the contrasts without a closed form in some task, by method."""
    draws = np.array([arm.random for arm in arms], float)
    drawn = (
        (abs(weights) @ draws > 0)
        if isinstance(design.null, Genomic)
        else np.ones(len(missing), bool)
    )
    rows = missing.any(axis=1)
    found = {
        "enumeration": np.flatnonzero(rows & ~drawn),
        "large n": np.flatnonzero(rows & drawn),
    }
    return {how: which for how, which in found.items() if len(which)}


Piece: TypeAlias = tuple[int, Array, float]
"""Index of an arm, some of its components (m, length, 4), and the weight of each."""

_COMPONENTS_AT_ONCE = 64
_BASES_AT_ONCE = 2**21


def exact_means(oracle: Oracle, null: NullModel, arms: list[Intervention]) -> Array:
    """Return the exact expected outcome of each arm in each task, (arms, tasks); NaN
    where there is no closed form.

    Raises
    ------
    PredictorError
        If the oracle does not take sequences of an arm's length.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import Oracle, MotifCount
    >>> exact_means(
    ...     Oracle(MotifCount("GA", 2.0)),
    ...     cg.Uniform(length=3),
    ...     [cg.Untreated(), cg.Embed("GA", at=0)],
    ... )
    array([[0.25],
           [2.  ]])
    """
    means = np.full((len(arms), len(oracle.tasks)), np.nan)
    for batch in _component_batches(arm_components(null, arms)):
        columns, share = (
            np.concatenate([piece for _, piece, _ in batch]),
            [s for _, p, s in batch for _ in p],
        )
        arm = np.array([i for i, piece, _ in batch for _ in piece])
        means[arm] = np.where(np.isnan(means[arm]), 0.0, means[arm])
        oracle.check(columns.shape[1])
        expected = np.stack(
            [_expected_or_nan(oracle, columns, task) for task in oracle.tasks], axis=1
        )
        np.add.at(means, arm, expected * np.array(share)[:, None])
    return means


def arm_components(null: NullModel, arms: list[Intervention]) -> Iterator[Piece]:
    """Yield the components of the arms that are mixtures of independent positions."""
    try:
        untreated = null_columns(null)
    except NoClosedForm:
        return
    for i, arm in enumerate(arms):
        try:
            columns = mixture(arm, untreated).columns
        except NoClosedForm:
            continue
        size = max(1, min(_COMPONENTS_AT_ONCE, _BASES_AT_ONCE // columns.shape[1]))
        for start in range(0, len(columns), size):
            yield i, columns[start : start + size], 1 / len(columns)


def _component_batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Group pieces of one length into batches."""
    batch: list[Piece] = []
    for piece in pieces:
        components, length = (
            sum(len(p) for _, p, _ in batch) + len(piece[1]),
            piece[1].shape[1],
        )
        full = components > _COMPONENTS_AT_ONCE or components * length > _BASES_AT_ONCE
        if batch and (full or length != batch[0][1].shape[1]):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _expected_or_nan(oracle: Oracle, columns: Array, task: str) -> Array:
    """Return the expected outcomes of a task under m distributions, (m,); NaN without a
    closed form.
    """
    try:
        return oracle.expected(columns, task)
    except NoClosedForm:
        return np.full(len(columns), np.nan)


_UNITS_AT_ONCE, _NUMBERS_AT_ONCE = 8_192, 2**24


class Moments:
    """Running mean and variance of individual effects within each parent.

    Parameters
    ----------
    parents
        Number of parents, with equally many units each.
    shift
        Values near the effects, (contrasts, tasks); sums are of differences from them.
    """

    def __init__(self, parents: int, shift: Array) -> None:
        self.parents, self.shift, self.n = parents, shift, 0
        self.sums, self.squares = (np.zeros((parents, *shift.shape)) for _ in range(2))

    def add(self, ice: Array, parent: NDArray[np.int64]) -> None:
        """Add the effects of some units, (units, contrasts, tasks), with the index of
        their parents, (units,).
        """
        np.add.at(self.sums, parent, ice - self.shift)
        np.add.at(self.squares, parent, (ice - self.shift) ** 2)
        self.n += len(ice)

    @property
    def mean(self) -> Array:
        """Mean effect with equal weights of parents, (contrasts, tasks)."""
        mean: Array = self.shift + self.sums.sum(axis=0) / self.n
        return mean

    @property
    def mcse(self) -> Array:
        """Standard error of the mean, from the variance within parents, (contrasts,
        tasks).
        """
        each = self.n // self.parents
        if each == 1:
            return np.zeros(self.shift.shape)
        spread = np.maximum(self.squares - self.sums**2 / each, 0).sum(axis=0) / (
            each - 1
        )
        mcse: Array = np.sqrt(spread / each) / self.parents
        return mcse


def simulated_effects(
    oracle: Oracle,
    null: NullModel,
    arms: list[Intervention],
    weights: Any,
    *,
    n_units: int,
    rng: RNG,
) -> Moments:
    """Return the moments of the individual effects,
    ``sum over arms of weight x Y(arm)``.

    Parameters
    ----------
    oracle
        The predictor.
    null
        The null model of the units.
    arms
        The interventions.
    weights
        Weight of each arm in each contrast, (contrasts, arms), sparse.
    n_units
        Least number of units, where units are drawn.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the units.
    """
    used = np.unique(weights.indices)
    arms, weights = [arms[i] for i in used], weights[:, used]
    parents = (
        len(as_sequences(null.of)) if isinstance(null, KletShuffle | Genomic) else 1
    )
    each = max(2, -(-n_units // parents))
    if isinstance(null, Genomic):
        each = each if any(arm.random for arm in arms) else 1
        null = replace(null, n_draws=each)
    # the number of draws here, not that of the trial
    arms = [arm.for_draws(null.n_draws) for arm in arms]
    key, total = derive(root_key(rng), "true ACE"), parents * each
    size = max(
        1,
        min(
            _UNITS_AT_ONCE,
            _NUMBERS_AT_ONCE // max(null.length, len(arms) * len(oracle.tasks)),
        ),
    )
    moments: Moments | None = None
    for start in range(0, total, size):
        units = np.arange(start, min(start + size, total), dtype=np.uint64)
        tokens = null.draw(units, key=derive(key, "null"), n_units=total)
        answers = np.stack(
            [oracle.predict(arm.apply(tokens, units=units, key=key)) for arm in arms]
        )
        ice = (
            (weights @ answers.reshape(len(arms), -1))
            .reshape(-1, *answers.shape[1:])
            .swapaxes(0, 1)
        )
        moments = moments or Moments(parents, ice[0])
        n = units.astype(np.int64)
        moments.add(ice, n // each if isinstance(null, Genomic) else n % parents)
    assert moments is not None
    return moments


_MOST_COMPONENTS = 4_096


@dataclass(frozen=True)
class Mixture:
    """A mixture of m equally likely distributions with independent positions.

    Attributes
    ----------
    columns
        Probabilities of A, C, G, T, (m, length, 4).
    """

    columns: Array

    def overwrite(self, piece: Array, at: int) -> Mixture:
        """Write each of p pieces, (p, w, 4), over each component: m p components."""
        first, second = self._cross(piece)
        written = first.copy()
        written[:, at : at + piece.shape[1]] = second
        return Mixture(written)

    def insert(self, piece: Array, at: int) -> Mixture:
        """Insert each of p pieces, (p, w, 4), before position `at` of each
        component.
        """
        first, second = self._cross(piece)
        return Mixture(np.concatenate([first[:, :at], second, first[:, at:]], axis=1))

    def _cross(self, piece: Array) -> tuple[Array, Array]:
        if len(self.columns) * len(piece) > _MOST_COMPONENTS:
            raise NoClosedForm(
                f"the arm is a mixture of more than {_MOST_COMPONENTS:,} distributions"
            )
        return np.repeat(self.columns, len(piece), axis=0), np.tile(
            piece, (len(self.columns), 1, 1)
        )


def null_columns(null: NullModel) -> Array:
    """Return the base probabilities of a null model with independent positions,
    (length, 4).

    Raises
    ------
    NoClosedForm
        If its positions are not independent.
    """
    if isinstance(null, Uniform):
        return np.full((null.length, 4), 0.25)
    if isinstance(null, Profile):
        return null.probabilities()
    if isinstance(null, Markov) and null.order == 0:
        from causalgia.sequences.samplers import fit_markov

        return np.tile(
            fit_markov(as_sequences(null.of).tokens, 0).transition, (null.length, 1)
        )
    raise NoClosedForm(f"positions of {null.describe()} are not independent")


def mixture(intervention: Intervention, columns: Array) -> Mixture:
    """Return the distribution of sequences after an intervention on independent
    positions, (length, 4).

    Raises
    ------
    NoClosedForm
        If the result is not a mixture of independent positions, or has too many
        components.

    Examples
    --------
    >>> import causalgia as cg
    >>> mixture(cg.Placebo("AAC", at=0), np.full((5, 4), 0.25)).columns.shape
    (2, 5, 4)
    """
    return _apply(intervention, Mixture(columns[None]))


def _apply(intervention: Intervention, before: Mixture) -> Mixture:
    match intervention:
        case Untreated():
            return before
        case Sequential():
            for step in intervention.steps:
                before = _apply(step, before)
            return before
        case Embed():
            return before.overwrite(_written_columns(intervention), intervention.at)
        case Insert():
            return before.insert(_written_columns(intervention), intervention.at)
        case Delete():
            return Mixture(
                np.delete(before.columns, np.s_[slice(*intervention.span)], axis=1)
            )
        case Mutate():
            mutated = before.columns.copy()
            mutated[:, list(intervention.positions)] = np.array(
                Motif.from_iupac(intervention.bases).probabilities
            )
            return Mixture(mutated)
        case Scramble() | Ablate(fill="shuffle" | "dinucleotide_shuffle"):
            if np.ptp(before.columns[:, slice(*intervention.span)], axis=1).max() > 0:
                raise NoClosedForm(
                    "shuffled positions that differ in distribution are not independent"
                )
            # shuffling identically distributed bases does not change their distribution
            return before
        case Ablate(fill=float() as gc):
            start, stop = intervention.span
            random = np.array([1 - gc, gc, gc, 1 - gc]) / 2
            return before.overwrite(np.tile(random, (1, stop - start, 1)), start)
        case Ablate():
            start, stop = intervention.span
            fill = str(intervention.fill)
            letters = "N" if fill == "uniform" else fill
            written = letters * (stop - start) if len(letters) == 1 else letters
            return before.overwrite(
                np.array(Motif.from_iupac(written).probabilities)[None], start
            )
        case Placebo():
            source = as_pattern(intervention.pattern).source
            if not isinstance(source, str) or intervention.strand != "+":
                raise NoClosedForm(
                    "a placebo of a motif, or on the opposite strand, is drawn and not "
                    "enumerated"
                )
            if count_orders(source) > _MOST_COMPONENTS:
                raise NoClosedForm(
                    f"{quoted(source)} has more than {_MOST_COMPONENTS:,} "
                    "rearrangements"
                )
            return before.overwrite(np.eye(4)[admissible(source)], intervention.at)
    raise NoClosedForm(f"nothing is known on paper of {type(intervention).__name__}")


def _written_columns(intervention: Patterned) -> Array:
    """Return the base probabilities of an embedded pattern, (1, w, 4)."""
    pattern = as_pattern(intervention.pattern)
    literal = isinstance(pattern.source, str) or intervention.instance == "consensus"
    motif = Motif.from_iupac(pattern.consensus) if literal else pattern.source
    assert isinstance(motif, Motif)
    written = motif if intervention.strand == "+" else motif.reverse_complement()
    return np.array(written.probabilities)[None]

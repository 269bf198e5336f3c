"""Experiments of the catalogue: a design with named contrasts, its analysis, and a
function that states the answer.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import xarray as xr

from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.checks import as_count, nearest
from causalgia.design import Design, Genomic
from causalgia.design.intervention import steps_of
from causalgia.design.pattern_interventions import FixedPlacebo, Patterned
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DataError,
    DegenerateWarning,
    DesignError,
    quoted,
)
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.listed_rows import skipped_finding
from causalgia.inputs import as_html
from causalgia.notes import Statement
from causalgia.numerics.float_errors import usual_errors
from causalgia.ropes import Rope
from causalgia.schema import check_dataset
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.skipped_inputs import skip_sentence
from causalgia.streams import RNG, Seed, derive, root_key
from causalgia.tell import figures

if TYPE_CHECKING:
    from causalgia._analyze import Steps

Labels: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Coordinate -> contrast -> value."""
#: coordinates, of every contrast, that its region needs
_OF_REGIONS = ("placebo_class", "single")
# coordinates in bp
_IN_BASES = frozenset(
    {"distance", "gap", "spacing", "place", "position", "start", "stop", "center"}
)


@dataclass(frozen=True, kw_only=True)
class TrialResults:
    """Results of the verbs on one trial, from which an entry of the catalogue derives
    its finding.

    Attributes
    ----------
    experiment
        The experiment that was run.
    steps
        Effects (None for moments), estimates, posterior and decisions, with the
        experiment's coordinates on the contrasts.
    outcomes
        The outcomes; None if effects or moments were kept, or the analysis asks for
        contrasts between tasks.
    key
        Root key of the random draws of the answer, for ``derive(key, "...")``.
    """

    experiment: Experiment
    steps: Steps
    outcomes: xr.Dataset | None
    key: int


def contrasts_only(found: TrialResults) -> Reading:  # noqa: ARG001 - the signature of every reader
    """Return an empty finding, for an experiment whose contrasts are its answer."""
    return Reading()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the catalogue: question, estimand, source, and the function that
    reads the answer.

    Attributes
    ----------
    name
        ``causalgia.experiments.<name>``.
    question, estimand
        A sentence each.
    doi
        DOI of the paper that asked it first.
    read
        Function from the results (`TrialResults`) to the finding.
    draw
        Figure of an answer for one task; None: a forest plot of the contrasts.
    zoo, example
        Oracle of the zoo in the file that ``causalgia init --experiment`` writes, and
        the settings that suit it.
    claims
        ``"confirmatory"``: the contrasts differ in kind or are ordered.
        ``"screening"``: they are exchangeable, and hierarchical effect sizes stand
        beside the estimates of 10 or more.
    axis, of
        Label of the rows of the question that is their setting, and what they are the
        effect of.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.position(
    ...     cg.Uniform(length=60), "AGATAAG", at=[26, 40]
    ... )
    >>> print(experiment.entry.question)
    What does a site do at every place?
    """

    name: str
    question: str
    estimand: str
    doi: str
    read: Callable[[TrialResults], Reading] = contrasts_only
    draw: Callable[[Answer], figures.Axes] | None = None
    zoo: str = "rbfox1_like"
    example: Mapping[str, Any] = field(default_factory=dict)
    claims: Claims = "confirmatory"
    axis: str = ""
    of: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Experiment(Design):
    """A design with named contrasts, a fixed analysis, and a function that answers its
    question.

    Run it like any design, ``outcomes = cg.run(experiment, predictor, rng=0)``; then
    ``experiment.analyze(outcomes, rng=0)`` applies the ordinary verbs and answers the
    question.

    Attributes
    ----------
    entry
        Its entry in the catalogue: name, question, estimand, DOI.
    analysis
        Region of practical equivalence and error rate; change it with
        ``dataclasses.replace(experiment, analysis=...)``.
    labels
        Coordinates of the contrasts: coordinate -> contrast -> value, such as the
        distance of each contrast.
    asked
        Contrasts that answer the question, by name or pattern: the ``question`` of an
        analysis that names none. Every other contrast is judged by itself. Empty: every
        contrast answers it.
    unasked
        Notes on what the question leaves out.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.position(
    ...     cg.Uniform(length=60), "AGATAAG", at=[26, 40]
    ... )
    >>> [arm.name for arm in experiment.arms], experiment.analysis.rope
    (['untreated', 'AGATAAG at 26', 'AGATAAG at 40'], '0.1 of largest')
    """

    entry: Entry = field(compare=False)
    analysis: Analysis
    asked: Sequence[str] = field(default=(), compare=False)
    labels: Labels = field(default_factory=dict, compare=False)
    unasked: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        from causalgia.trial.attributes import check_analysis, check_matched_region

        if isinstance(self.analysis, Analysis) and self.analysis.target != "units":
            as_count(self.n_units, "n_units", least=2)
        super().__post_init__()
        if self.named_contrasts is None:
            raise DesignError(
                f"experiment {quoted(self.entry.name)}: give contrasts= that "
                "answer its question"
            )
        if self.analysis.asks:
            raise DesignError(
                f"experiment {quoted(self.entry.name)}: its contrasts are its own; "
                "leave control, contrasts and interaction out of analysis="
            )
        try:
            Rope.parse(self.analysis.rope, error=DesignError)
        except DesignError as error:
            raise type(error)(
                f"experiment {quoted(self.entry.name)}: {error}"
            ) from None
        check_analysis(self.analysis.asking(self.analysis_fields), self)
        check_matched_region(self.analysis, self)
        between = self.analysis.target not in (
            "units",
            "parents",
        ) and self.analysis.cluster in ("auto", "parent")
        if (
            between
            and isinstance(self.drawn, Genomic)
            and len(set(self.drawn.parent_names)) == 1
        ):
            raise DesignError(
                f"experiment {quoted(self.entry.name)} of the one parent "
                f"{quoted(self.drawn.parent_names[0])}: its draws carry no information "
                "about other sequences, to which the answer applies; give two or more "
                "that do not overlap"
            )
        if self.n_units < 2 and self.analysis.target != "units":
            drawn = self.drawn
            more = not isinstance(drawn, Genomic) or drawn.available > 1
            raise DesignError(
                f"experiment {quoted(self.entry.name)} of one unit: an error needs two "
                f"or more; give {'n_units' if more else 'n_draws'}=2 or more"
            )

    @property
    def analysis_fields(self) -> dict[str, Any]:
        """The contrasts, and those of its question, as fields of an `Analysis`."""
        return {**super().analysis_fields, "question": tuple(self.asked) or None}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known before anything is predicted."""
        return self.unasked

    @property
    def question(self) -> str:
        """The question, in a sentence."""
        return self.entry.question

    @property
    def estimand(self) -> str:
        """What is estimated, in a sentence."""
        return self.entry.estimand

    @property
    def claims(self) -> Claims:
        """Kind of claim that the verdicts make, ``"confirmatory"`` or ``"screening"``:
        see `Entry`.
        """
        return self.entry.claims

    def planned(self) -> Analysis:
        """Return the analysis that is stored with the outcomes of every run."""
        return self.analysis

    @usual_errors
    def analyze(self, outcomes: xr.Dataset, *, rng: RNG | None = None) -> Answer:
        """Answer the question: contrast, estimate and decide, then derive the
        findings.

        Parameters
        ----------
        outcomes
            From ``cg.run(experiment, ...)`` with any ``keep=``, or the estimates of its
            moments.
        rng
            Seed (0 is a seed), Generator or SeedSequence. For posterior draws and
            resampling. None: the seed of the trial, which is stored with its outcomes.

        Returns
        -------
        Answer
            ``decisions`` and ``estimates`` of every contrast, ``findings`` and
            ``sentences``. On an ensemble each predictor has its own verdicts, and the
            finding ``"over predictors"`` has the mean effect over predictors with the
            sd between them.

        Raises
        ------
        DataError
            If the outcomes are of another design, or no `rng` is given and the trial's
            seed was not a number.
        """
        from causalgia._analyze import steps, steps_from

        self.check_outcomes(outcomes)
        if rng is None:
            stored = Seed.stored(about(outcomes, "").rng)
            if stored is None:
                raise DataError(
                    "these outcomes have no numeric seed; give one: analyze(outcomes, "
                    "rng=0)"
                )
            key = stored.key
        else:
            key = root_key(rng)
        apply_verbs = steps_from if "ace" in outcomes else steps
        coords = {
            name: self.labels[name] for name in _OF_REGIONS if name in self.labels
        }
        requested = self.analysis.asking(self.analysis_fields)
        done = apply_verbs(
            outcomes,
            requested,
            coords=coords,
            shrinks=self.claims == "screening",
        )
        found = TrialResults(
            experiment=self,
            steps=replace(
                done,
                effects=None if done.effects is None else self.label(done.effects),
                estimates=self.label(done.estimates),
                decisions=self.label(done.decisions),
            ),
            outcomes=outcomes
            if "outcome" in outcomes and self.analysis.tasks is None
            else None,
            key=derive(key, "reading"),
        )
        with warnings.catch_warnings():  # those of the estimates have been given
            warnings.filterwarnings(
                "ignore",
                message=".* do(es)? not vary at all over",
                category=DegenerateWarning,
            )
            reading, over = self.entry.read(found), over_predictors(found.steps.effects)
        of = getattr(self.drawn, "of", None)
        skipped, n_used = (
            (of.skipped, len(of)) if isinstance(of, Sequences) else ((), 0)
        )
        text = skip_sentence(skipped, n_used, "sequences")
        account = (f"{text}.",) if text else ()
        return Answer(
            question=self.question,
            estimates=found.steps.estimates,
            decisions=found.steps.decisions,
            findings={
                **skipped_finding(skipped),
                **reading.datasets,
                **over.datasets,
            },
            states=(
                *reading.states,
                *over.states,
                *account,
                *(f"{note}." for note in self.notes),
            ),
            further=reading.further,
            figure=self.entry.draw,
            motifs=motifs_of(self),
        )

    def check_outcomes(self, outcomes: xr.Dataset) -> None:
        """Raise DataError if the outcomes are of another design."""
        check_dataset(outcomes, "outcomes")
        fingerprint = about(outcomes, self.fingerprint).design_fingerprint
        if fingerprint != self.fingerprint:
            raise DataError(
                f"these outcomes are of the design {fingerprint}, not of this "
                f"experiment ({self.fingerprint}); analyze them with the experiment "
                "that was run"
            )

    def label(self, table: xr.Dataset) -> xr.Dataset:
        """Add the experiment's coordinates to the contrasts of effects, estimates or
        decisions.
        """
        import xarray as xr

        names = [str(name) for name in table["contrast"].to_numpy()]
        missing = {
            k: "" if any(isinstance(v, str) for v in row.values()) else float("nan")
            for k, row in self.labels.items()
        }
        values = {
            k: [row.get(name, missing[k]) for name in names]
            for k, row in self.labels.items()
        }
        on_arms = [
            k for k in values if k in table.coords and table[k].dims != ("contrast",)
        ]
        units = {k: {"units": "bp"} if k in _IN_BASES else {} for k in values}
        columns = {
            k: xr.Variable("contrast", column, units[k]) for k, column in values.items()
        }
        return table.drop_vars(on_arms).assign_coords(columns)

    def _repr_html_(self) -> str:
        """Return the question and the estimand above the arms, for notebooks."""
        return (
            f"<p><b>{as_html(self.question)}</b></p>\n"
            f"<p>{as_html(self.estimand)}</p>\n"
            f"{super()._repr_html_()}"
        )

    def __repr__(self) -> str:
        size = (
            f"{len(self.named_arms):,} arms, {len(self.named_contrasts or ()):,} "
            f"contrasts, {self.n_units:,} unit{'s' * (self.n_units != 1)}"
        )
        return f"<Experiment {self.entry.name}: {size} of {self.drawn.describe()}>"


NAME = "over predictors"


def over_predictors(effects: xr.Dataset | None) -> Reading:
    """Return the mean effect over predictors and the sd between them; an empty finding
    for one predictor.

    The estimand is ``E[ACE of a predictor]`` over predictors (retrainings) as well as
    backgrounds: both are random, and both contribute to the standard error
    (``cg.estimate(target="population x predictors")``).

    Parameters
    ----------
    effects
        ``ice (unit, contrast, task, model)`` of a crossover; None for moments.

    Returns
    -------
    Reading
        ``"over predictors"``: ``ace, se, lower, upper (contrast, task)``;
        ``between_sd (contrast, task)``, the sd of the predictors' ACEs;
        ``ace_of_each, se_of_each (contrast, task, model)``; and a sentence for each
        task.
    """
    if (
        effects is None
        or "ice" not in effects
        or "model" not in effects["ice"].dims
        or effects.sizes["model"] < 2
    ):
        return Reading()
    from causalgia.estimation import estimate

    try:
        with warnings.catch_warnings():
            # given for each predictor already
            warnings.simplefilter("ignore", CausalgiaWarning)
            each, over = (
                estimate(effects),
                estimate(effects, target="population x predictors"),
            )
    except CausalgiaError as error:
        return Reading(states=(f"No effect over predictors: {error}",))
    table = over[["ace", "se", "lower", "upper"]].assign(
        between_sd=each["ace"].std("model", ddof=1),
        ace_of_each=each["ace"],
        se_of_each=each["se"],
    )
    states = [
        Statement((("over predictors", table.sel(task=task)),), str(task))
        for task in table["task"].to_numpy()
    ]
    return Reading({NAME: table}, tuple(states))


Claims: TypeAlias = Literal["confirmatory", "screening"]
"""Verdicts with an error rate each, or verdicts that hold on average over effects like
these.
"""


def rise_weights(doses: Mapping[str, float]) -> dict[str, Fraction]:
    """Return the weights of the rise of the least-squares line from the lowest dose to
    the highest.

    Examples
    --------
    >>> {
    ...     arm: float(weight)
    ...     for arm, weight in rise_weights(
    ...         {"none": 0, "one": 1, "two": 2, "three": 3}
    ...     ).items()
    ... }
    {'none': -0.9, 'one': -0.3, 'two': 0.3, 'three': 0.9}
    """
    exact = {arm: Fraction(dose) for arm, dose in doses.items()}
    mean = sum(exact.values(), Fraction()) / len(exact)
    away = {arm: dose - mean for arm, dose in exact.items()}
    scale = (max(exact.values()) - min(exact.values())) / sum(
        a * a for a in away.values()
    )
    return {arm: a * scale for arm, a in away.items()}


#: each in the module `_name` of this package, which holds its entry under the name in
#: capitals
_EXPERIMENT_NAMES = (
    "kmer_screen",
    "motif_screen",
    "motif",
    "motif_mutagenesis",
    "saturation",
    "position",
    "affinity",
    "copies",
    "spacing",
    "necessity",
    "sufficiency",
    "tiles",
    "hairpin",
    "composition",
    "knock_in",
    "flanks",
    "pair",
    "pairs",
    "variants",
)
#: experiment -> the file that it shares with another
_SHARED_FILES = {
    "sufficiency": "necessity",
    "pairs": "pair",
    "spacing": "pair",
}


def entries() -> dict[str, Entry]:
    """Return the entries of the catalogue by name: question, estimand and DOI of each
    experiment.

    Examples
    --------
    >>> entries()["copies"].question
    'What does each further copy of a site add?'
    """
    return {name: getattr(_module_of(name), name.upper()) for name in _EXPERIMENT_NAMES}


def check_experiment_name(name: object) -> None:
    """Raise DesignError if the catalogue has no experiment of a name; suggests the
    nearest, or what took the place of a former one.

    Examples
    --------
    >>> check_experiment_name("copis")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: there is no experiment 'copis'; did you mean 'copies'?
    """
    if isinstance(name, str) and name in _EXPERIMENT_NAMES:
        return
    hint = (
        nearest(str(name), _EXPERIMENT_NAMES)
        or f"; there are {', '.join(_EXPERIMENT_NAMES)}"
    )
    raise DesignError(f"there is no experiment {quoted(name)}{hint}")


def _module_of(name: str) -> ModuleType:
    return importlib.import_module(
        f"causalgia.experiments._{_SHARED_FILES.get(name, name)}"
    )


_MOTIFS_NAMED = 3


def motifs_of(design: Experiment) -> str:
    """Return the motifs that arms embed: what rows are the effect of, where the entry says
    it (its arms embed mutants, too); else of more than three the first and how many.
    """
    steps = [step for arm in design.named_arms for step in steps_of(arm.intervention)]
    motifs = [
        step.written.label
        for step in steps
        if isinstance(step, Patterned) and not isinstance(step, FixedPlacebo)
    ]
    names = list(dict.fromkeys(motifs))
    if names and design.entry.of:
        return design.entry.of
    if len(names) <= _MOTIFS_NAMED:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1:,} other motifs"
